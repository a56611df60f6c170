//! Sessions → the answer: the sessions asked for, with everything above and below them.

use std::collections::BTreeSet;

use wildmatch::WildMatch;

use super::asked::Question;
use super::calls::{Begun, Call, Caller};
use super::collect::Collected;
use super::gaps::gaps;
use super::join::{Joined as JoinedCall, joined};
use super::known::Known;
use super::nodes::{Node, Nodes};
use super::origin::origin;
use crate::model::{Issued, Joined, LogText, Timestamp, Trace, TraceCall, TraceSession};

/// Which calls are shown. Sessions are shown whatever was done in them.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// Only calls that change something.
    pub writes: bool,
    /// Only calls about these repositories; empty for all.
    pub repositories: Vec<WildMatch>,
}

impl View {
    fn shows(&self, call: &Call) -> bool {
        let named = || {
            call.repository
                .as_ref()
                .is_some_and(|name| self.repositories.iter().any(|glob| glob.matches(name.raw())))
        };
        (!self.writes || is_write(call)) && (self.repositories.is_empty() || named())
    }
}

/// Whether a call changes something. A record that does not say might.
fn is_write(call: &Call) -> bool {
    call.read_only != Some(true)
}

impl Collected {
    /// The answer; `None` if there is no session that was asked for. `survey`: what the first reading has found
    /// of all calls that begin sessions, where this one has kept some of them only.
    pub fn trace(self, question: &Question, survey: Option<Known>, view: &View) -> Option<Trace> {
        let known = self.known.or(survey).unwrap_or_default();
        let calls = joined(self.calls);
        let nodes = Nodes::of(&calls);
        let order = nodes.related();
        if order.is_empty() {
            return None;
        }
        let mut numbers = vec![None; nodes.all.len()];
        order.iter().zip(1..).for_each(|((node, _), number)| numbers[*node] = Some(number));
        let answer = Answer { calls: &calls, nodes: &nodes, numbers: &numbers, known: &known };
        let sessions: Vec<TraceSession> = order
            .iter()
            .zip(1..)
            .map(|((node, depth), number)| answer.session(*node, number, *depth))
            .collect();
        let of_these = |at: usize| {
            [nodes.caller[at].map(|(node, _)| node), nodes.began[at]]
                .into_iter()
                .flatten()
                .any(|node| numbers[node].is_some())
        };
        let made = || (0..calls.len()).filter(|at| of_these(*at));
        let shown: Vec<TraceCall> =
            made().filter(|at| view.shows(&calls[*at].call)).map(|at| answer.call(at)).collect();
        Some(Trace {
            reference: question.text().into(),
            asked: question.asked(),
            matches: sessions.iter().filter(|session| session.asked).map(|session| session.number).collect(),
            calls_left_out: made().count() as u64 - shown.len() as u64,
            sessions,
            calls: shown,
        })
    }
}

impl Nodes {
    /// The sessions asked for and everything above and below them, each before those that it began; with
    /// its depth.
    fn related(&self) -> Vec<(usize, u64)> {
        let mut is_related = vec![false; self.all.len()];
        let asked = || (0..self.all.len()).filter(|at| self.all[*at].asked);
        let mut open: Vec<usize> = asked().collect();
        let mut is_below = vec![false; self.all.len()];
        while let Some(at) = open.pop() {
            if !std::mem::replace(&mut is_below[at], true) {
                is_related[at] = true;
                open.extend(&self.all[at].children);
            }
        }
        for start in asked() {
            let mut at = start;
            while let Some(parent) = self.all[at].parent.filter(|parent| !is_related[*parent]) {
                is_related[parent] = true;
                at = parent;
            }
        }
        let roots = (0..self.all.len()).filter(|at| is_related[*at] && self.all[*at].parent.is_none());
        let mut open: Vec<(usize, u64)> = self.in_order(roots).into_iter().rev().map(|at| (at, 0)).collect();
        let mut order = Vec::new();
        while let Some((at, depth)) = open.pop() {
            order.push((at, depth));
            let children = self.all[at].children.iter().copied().filter(|child| is_related[*child]);
            open.extend(self.in_order(children).into_iter().rev().map(|child| (child, depth + 1)));
        }
        order
    }

    /// Sorted by the call that began each session, or its first call; calls are in order of time.
    fn in_order(&self, nodes: impl Iterator<Item = usize>) -> Vec<usize> {
        let first = |node: &Node| node.begun_by.or_else(|| node.calls.first().map(|(at, _)| *at));
        let mut nodes: Vec<usize> = nodes.collect();
        nodes.sort_by_key(|at| (first(&self.all[*at]), *at));
        nodes
    }
}

/// What the answer is made from.
pub(super) struct Answer<'a> {
    pub calls: &'a [JoinedCall],
    pub nodes: &'a Nodes,
    /// For each session its number in the answer, if it is part of it.
    pub numbers: &'a [Option<u64>],
    pub known: &'a Known,
}

impl Answer<'_> {
    /// The call that began a session, and what that says about it.
    pub fn begun(&self, node: &Node) -> Option<(&JoinedCall, &Begun)> {
        let joined = &self.calls[node.begun_by?];
        Some((joined, joined.call.begun.as_deref()?))
    }

    /// What the calls in a session say about their caller: for each field, the first one that has it.
    pub fn caller<'s>(&'s self, node: &'s Node) -> impl Iterator<Item = &'s Caller> {
        node.calls
            .iter()
            .map(|(at, _)| &self.calls[*at].call)
            .filter(|call| call.in_session)
            .map(|call| &call.caller)
    }

    fn session(&self, at: usize, number: u64, depth: u64) -> TraceSession {
        let node = &self.nodes.all[at];
        let begun = self.begun(node).map(|(_, begun)| begun);
        let first = |of: fn(&Caller) -> Option<&LogText>| self.caller(node).find_map(of).cloned();
        let made = || node.calls.iter().map(|(at, _)| &self.calls[*at].call);
        let set = |texts: &mut dyn Iterator<Item = LogText>| {
            texts.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
        };
        let returned = begun.and_then(|begun| begun.key.clone());
        let others = set(&mut self
            .caller(node)
            .filter_map(|caller| caller.key.clone())
            .filter(|key| Some(key) != returned.as_ref()));
        let principal = first(|caller| caller.arn.as_ref()).or_else(|| begun?.arn.clone());
        TraceSession {
            number,
            parent: node.parent.and_then(|parent| self.numbers[parent]),
            depth,
            asked: node.asked,
            joined: self
                .begun(node)
                .map(|_| node.calls.iter().map(|(_, joined)| *joined).max().unwrap_or(Joined::Certain)),
            origin: node.parent.is_none().then(|| origin(self, node)),
            role: first(|caller| caller.issuer.as_ref()).or_else(|| begun?.role.clone()),
            session_name: session_name(principal.as_ref())
                .or_else(|| begun?.session_name.clone())
                .or_else(|| named(first(|caller| caller.principal_id.as_ref()))),
            account: account(principal.as_ref()).or_else(|| first(|caller| caller.account.as_ref())),
            principal,
            principal_id: first(|caller| caller.principal_id.as_ref())
                .or_else(|| begun?.principal_id.clone()),
            keys: returned.into_iter().chain(others).collect(),
            issued: self.begun(node).map(|(joined, begun)| issued(joined, begun)),
            created_at: self.began(node),
            issued_to: first(|caller| caller.issued_to.as_ref()),
            on_behalf_of: first(|caller| caller.on_behalf_of.as_ref()),
            source_identity: first(|caller| caller.source_identity.as_ref())
                .or_else(|| begun?.source_identity.clone()),
            invoked_by: set(&mut self.caller(node).filter_map(|caller| caller.invoked_by.clone())),
            addresses: set(&mut made().filter_map(|call| call.event.source_ip.clone())),
            calls: node.calls.len() as u64,
            writes: made().filter(|call| is_write(call)).count() as u64,
            failed: made().filter(|call| call.error_code.is_some()).count() as u64,
            first_call: made().map(|call| call.event.event_time).min(),
            last_call: made().map(|call| call.event.event_time).max(),
            gaps: gaps(self, node),
        }
    }

    /// When a session began.
    pub fn began(&self, node: &Node) -> Option<Timestamp> {
        let issued = self.begun(node).map(|(joined, _)| joined.call.event.event_time);
        issued.or_else(|| self.caller(node).find_map(|caller| caller.created_at))
    }

    fn call(&self, at: usize) -> TraceCall {
        let call = &self.calls[at].call;
        let caller = self.nodes.caller[at].and_then(|(node, joined)| Some((self.numbers[node]?, joined)));
        TraceCall {
            session: caller.map(|(number, _)| number),
            joined: caller.map(|(_, joined)| joined),
            began: self.nodes.began[at].and_then(|node| self.numbers[node]),
            event: call.event.clone(),
            event_source: call.source.clone(),
            account: call.account.clone(),
            region: call.region.clone(),
            error_code: call.error_code.clone(),
            read_only: call.read_only,
        }
    }
}

fn issued(joined: &JoinedCall, begun: &Begun) -> Issued {
    Issued {
        event: joined.call.event.clone(),
        copies: joined.copies.clone(),
        region: joined.call.region.clone(),
        expires_at: begun.expires_at,
        tags: begun.tags.clone(),
        transitive_tag_keys: begun.transitive.clone(),
        provider: begun.provider.clone(),
        subject: begun.subject.clone(),
        audience: begun.audience.clone(),
    }
}

/// `SESSION` of `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`.
pub(super) fn session_name(arn: Option<&LogText>) -> Option<LogText> {
    let (_, resource) = arn?.raw().split_once(":assumed-role/")?;
    resource.rsplit_once('/').map(|(_, session)| session.into())
}

/// `SESSION` of `AROA…:SESSION`.
fn named(principal_id: Option<LogText>) -> Option<LogText> {
    principal_id?.raw().split_once(':').map(|(_, session)| session.into())
}

pub(super) fn account(arn: Option<&LogText>) -> Option<LogText> {
    arn?.raw().split(':').nth(4).filter(|account| !account.is_empty()).map(LogText::from)
}
