//! Calls → sessions: which call was made in which session, and which session began which.

use std::collections::HashMap;

use super::calls::{Begun, Call, Caller};
use super::join::Joined as JoinedCall;
use super::{BEGAN_SECONDS_APART, SESSION_SECONDS_MAX};
use crate::model::{Joined, LogText};

/// Number of sessions with one name that are searched for one that had not expired at the time of the call.
const LIVING_MAX: usize = 64;

/// A session.
#[derive(Default)]
pub(super) struct Node {
    /// The call that began it.
    pub begun_by: Option<usize>,
    /// The calls made in it, in order of time.
    pub calls: Vec<(usize, Joined)>,
    pub parent: Option<usize>,
    pub children: Vec<usize>,
    pub asked: bool,
    pub doubt: Option<Doubt>,
}

/// Why it is not known who began a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// Several calls may have begun it.
    Several(usize),
    /// Several calls returned its key.
    Returned(usize),
    /// It would be its own ancestor.
    Circle,
}

/// What is known about a session whose beginning is not in the logs.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Orphan {
    Key(LogText),
    /// The owner, and the second in which it began.
    Began(LogText, i64),
    Owner(LogText),
}

/// All sessions of these calls.
pub(super) struct Nodes {
    pub all: Vec<Node>,
    /// For each call, the session that it was made in, and how that is known.
    pub caller: Vec<Option<(usize, Joined)>>,
    /// For each call, the session that it began.
    pub began: Vec<Option<usize>>,
}

impl Nodes {
    /// `calls` are in order of time.
    pub(super) fn of(calls: &[JoinedCall]) -> Self {
        let mut all = Vec::new();
        let mut began = vec![None; calls.len()];
        for (at, joined) in calls.iter().enumerate().filter(|(_, joined)| joined.call.begun.is_some()) {
            began[at] = Some(all.len());
            all.push(Node { begun_by: Some(at), asked: joined.call.asks_begun, ..Node::default() });
        }
        let index = Index::new(calls, &all);
        let mut orphans: HashMap<Orphan, usize> = HashMap::new();
        let mut caller = vec![None; calls.len()];
        for (at, JoinedCall { call, .. }) in
            calls.iter().enumerate().filter(|(_, joined)| joined.call.in_session)
        {
            let found = match index.find(call) {
                Ok(found) => Some(found),
                Err(doubt) => orphan(call).map(|orphan| {
                    let joined =
                        if matches!(orphan, Orphan::Key(_)) { Joined::Certain } else { Joined::Inferred };
                    let node = *orphans.entry(orphan).or_insert_with(|| {
                        all.push(Node { doubt, ..Node::default() });
                        all.len() - 1
                    });
                    (node, joined)
                }),
            };
            let Some((node, joined)) = found else { continue };
            caller[at] = found;
            all[node].calls.push((at, joined));
            all[node].asked |= call.asks_caller;
            if let Some(child) = began[at] {
                all[child].parent = Some(node);
            }
        }
        let mut nodes = Self { all, caller, began };
        nodes.switched(calls);
        nodes.cut_circles();
        for at in 0..nodes.all.len() {
            if let Some(parent) = nodes.all[at].parent {
                nodes.all[parent].children.push(at);
            }
        }
        nodes
    }

    /// For a role switch in the console only the ARN is known: its session is the last one of that owner that
    /// had begun.
    fn switched(&mut self, calls: &[JoinedCall]) {
        let from = |at: usize| calls[at].call.begun.as_ref().and_then(|begun| begun.switched_from.clone());
        let switches: Vec<(usize, usize, LogText)> =
            (0..calls.len()).filter_map(|at| Some((at, self.began[at]?, from(at)?))).collect();
        if switches.is_empty() {
            return;
        }
        let mut of: HashMap<LogText, Vec<(i64, usize)>> = HashMap::new();
        for (at, node) in self.all.iter().enumerate() {
            if let Some((arn, began)) = node.arn_and_beginning(calls) {
                of.entry(arn).or_default().push((began, at));
            }
        }
        of.values_mut().for_each(|sessions| sessions.sort_unstable());
        for (at, child, arn) in switches {
            let called = calls[at].call.event.event_time.seconds();
            let Some(sessions) = of.get(&arn) else { continue };
            let end = sessions.partition_point(|(began, _)| *began <= called);
            let Some((began, parent)) = end.checked_sub(1).and_then(|at| sessions.get(at)) else { continue };
            if *began >= called - SESSION_SECONDS_MAX && *parent != child {
                self.all[child].parent = Some(*parent);
                self.caller[at] = Some((*parent, Joined::Inferred));
                self.all[*parent].calls.push((at, Joined::Inferred));
                self.all[*parent].calls.sort_unstable();
            }
        }
    }

    /// A session cannot be its own ancestor: of a cycle, the session that began first has no parent.
    fn cut_circles(&mut self) {
        let mut seen = vec![0_u32; self.all.len()];
        for start in 0..self.all.len() {
            let round = start as u32 + 1;
            let mut at = start;
            while seen[at] == 0 {
                seen[at] = round;
                match self.all[at].parent {
                    Some(parent) => at = parent,
                    None => break,
                }
            }
            // The walk came back to a session of this round, and not to its end.
            if seen[at] == round && self.all[at].parent.is_some() {
                let first = self.circle(at).min_by_key(|at| (self.all[*at].begun_by, *at)).unwrap_or(at);
                self.all[first].parent = None;
                self.all[first].doubt = Some(Doubt::Circle);
            }
        }
    }

    /// The sessions above one, until it appears again.
    fn circle(&self, start: usize) -> impl Iterator<Item = usize> {
        std::iter::successors(Some(start), move |at| self.all[*at].parent.filter(|parent| *parent != start))
    }
}

impl Node {
    /// ARN of its owner, and when it began.
    fn arn_and_beginning(&self, calls: &[JoinedCall]) -> Option<(LogText, i64)> {
        if let Some(begun_by) = self.begun_by {
            let call = &calls[begun_by].call;
            return Some((call.begun.as_ref()?.arn.clone()?, call.event.event_time.seconds()));
        }
        let caller = &calls[self.calls.first()?.0].call.caller;
        Some((caller.arn.clone()?, caller.created_at?.seconds()))
    }
}

/// How a call is identified whose session's beginning is not in the logs; `None` if it says nothing.
fn orphan(call: &Call) -> Option<Orphan> {
    let Caller { kind, key, created_at, at_work, .. } = &call.caller;
    // Nobody knows who started the work: the service is the root.
    if *at_work {
        return None;
    }
    let began = created_at.map(crate::model::Timestamp::seconds);
    // The console uses many keys in one sign-in. Sessions of one role and name that begin together may be
    // two.
    let one_person = kind.as_ref().is_some_and(|kind| *kind == "IAMUser" || *kind == "Root");
    match (key, began, call.caller.owner()) {
        (Some(_), Some(began), Some(owner)) if one_person => Some(Orphan::Began(owner.clone(), began)),
        (Some(key), ..) => Some(Orphan::Key(key.clone())),
        (None, Some(began), Some(owner)) => Some(Orphan::Began(owner.clone(), began)),
        (None, None, Some(owner)) => Some(Orphan::Owner(owner.clone())),
        (None, _, None) => None,
    }
}

/// Sessions that calls began, for lookups.
struct Index<'c> {
    /// The first session with this key, and how many there are.
    by_key: HashMap<&'c LogText, (usize, usize)>,
    by_key_and_owner: HashMap<(&'c LogText, &'c LogText), (usize, usize)>,
    /// By owner, in order of time.
    by_owner: HashMap<&'c LogText, Vec<(i64, usize)>>,
    /// When each expires.
    expires: Vec<i64>,
}

impl<'c> Index<'c> {
    fn new(calls: &'c [JoinedCall], nodes: &[Node]) -> Self {
        let mut index = Self {
            by_key: HashMap::new(),
            by_key_and_owner: HashMap::new(),
            by_owner: HashMap::new(),
            expires: Vec::new(),
        };
        for (node, begun_by) in nodes.iter().enumerate().filter_map(|(at, node)| Some((at, node.begun_by?))) {
            let call = &calls[begun_by].call;
            let Some(begun) = call.begun.as_deref() else { continue };
            let Begun { key, principal_id, arn, expires_at, .. } = begun;
            let began = call.event.event_time.seconds();
            index
                .expires
                .push(expires_at.map_or(began + SESSION_SECONDS_MAX, crate::model::Timestamp::seconds));
            if let Some(key) = key {
                index.by_key.entry(key).or_insert((node, 0)).1 += 1;
                if let Some(owner) = begun.owner() {
                    index.by_key_and_owner.entry((key, owner)).or_insert((node, 0)).1 += 1;
                }
            }
            [principal_id, arn]
                .into_iter()
                .flatten()
                .for_each(|owner| index.by_owner.entry(owner).or_default().push((began, node)));
        }
        index.by_owner.values_mut().for_each(|sessions| sessions.sort_unstable());
        index
    }

    /// The session in which a call was made, or why it is not known.
    fn find(&self, call: &Call) -> Result<(usize, Joined), Option<Doubt>> {
        let caller = &call.caller;
        let owned = caller.owner();
        if let Some((key, &(node, number))) =
            caller.key.as_ref().and_then(|key| Some((key, self.by_key.get(key)?)))
        {
            return match (number, owned.and_then(|owner| self.by_key_and_owner.get(&(key, owner)))) {
                (1, _) => Ok((node, Joined::Certain)),
                (_, Some(&(node, 1))) => Ok((node, Joined::Inferred)),
                _ => Err(Some(Doubt::Returned(number))),
            };
        }
        let sessions = owned.and_then(|owner| self.by_owner.get(owner)).ok_or(None)?;
        match (caller.created_at, &caller.key) {
            (Some(began), _) => one(at(sessions, began.seconds())),
            // A user's own key, which no call returns.
            (None, Some(_)) => Err(None),
            (None, None) => self.living(sessions, call.event.event_time.seconds()),
        }
    }

    /// The only session that had begun and not expired.
    fn living(&self, sessions: &[(i64, usize)], called: i64) -> Result<(usize, Joined), Option<Doubt>> {
        let begun = &sessions[..sessions.partition_point(|(began, _)| *began <= called)];
        let recent = &begun[begun.partition_point(|(began, _)| *began < called - SESSION_SECONDS_MAX)..];
        if recent.len() > LIVING_MAX {
            return Err(Some(Doubt::Several(recent.len())));
        }
        let living: Vec<_> = recent
            .iter()
            .filter(|(_, node)| self.expires.get(*node).is_none_or(|end| *end >= called))
            .copied()
            .collect();
        one(&living)
    }
}

/// Those that began at a moment, as exactly as the logs tell.
fn at(sessions: &[(i64, usize)], began: i64) -> &[(i64, usize)] {
    let within = |from: i64, to: i64| {
        let start = sessions.partition_point(|(own, _)| *own < from);
        &sessions[start..sessions.partition_point(|(own, _)| *own <= to)]
    };
    match within(began, began) {
        [] => within(began - BEGAN_SECONDS_APART, began + BEGAN_SECONDS_APART),
        exact => exact,
    }
}

fn one(fitting: &[(i64, usize)]) -> Result<(usize, Joined), Option<Doubt>> {
    match fitting {
        [] => Err(None),
        [(_, node)] => Ok((*node, Joined::Inferred)),
        several => Err(Some(Doubt::Several(several.len()))),
    }
}
