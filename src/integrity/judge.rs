//! Judges everything that was read: a result for every object, and the totals.

use std::collections::{BTreeMap, HashMap};

use super::chain::{self, Graph, Node};
use super::keys::Keys;
use super::name::{self, Trail};
use super::read::{Content, Found, Other, Read};
use super::scope::Scope;
use super::span::Span;
use super::unread::Unread;
use super::warnings;
use crate::model::{
    Chain, CheckedKind, CheckedObject, LogText, Sha256, SignaturesChecked, Standing, Standings, Verification,
    VerificationSummary,
};

/// Judges everything that was read. `whole`: reading was not ended early.
pub fn judge(read: Read, keys: &Keys, scope: &Scope, whole: bool) -> Verification {
    let Read { log_digest_files: mut found, others } = read;
    found.retain(|found| scope.admits(&found.file.object));
    found.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
    let is_broken = |other: &Other| {
        !matches!(other.content, Content::Hash(_)) && Trail::of(name::file_name(other.object.raw())).is_some()
    };
    let (broken, log_files): (Vec<_>, Vec<_>) = others.into_iter().partition(is_broken);
    let graph = Graph::new(&found, broken.iter().map(|other| other.object.raw()));
    let nodes = chain::judge(&graph, keys);
    let mut builder = VerificationBuilder {
        found: &found,
        nodes: &nodes,
        scope,
        unread: Unread::of(&log_files),
        whole,
        graph: &graph,
        trails: trails(&found),
        objects: Vec::with_capacity(found.len() + broken.len() + log_files.len()),
        texts: HashMap::new(),
        summary: VerificationSummary::default(),
        log_files: BTreeMap::new(),
        overdue: 0,
    };
    builder.log_digest_files(&broken);
    let spans = builder.spans();
    builder.log_files(log_files, &spans);
    builder.assemble(&spans, keys)
}

/// Files of a trail are sorted by time, then by content and name, so that the result does not depend on the
/// order of reading.
fn order(found: &Found) -> impl Ord + '_ {
    let file = &found.file;
    (&file.trail, file.end, file.start, file.backfill, &file.object, file.sha256, &found.object)
}

fn trails(found: &[Found]) -> BTreeMap<&Trail, Vec<usize>> {
    let mut trails: BTreeMap<&Trail, Vec<usize>> = BTreeMap::new();
    for (at, found) in found.iter().enumerate() {
        trails.entry(&found.file.trail).or_default().push(at);
    }
    trails
}

pub(super) struct VerificationBuilder<'c> {
    pub(super) found: &'c [Found],
    pub(super) nodes: &'c [Node],
    pub(super) scope: &'c Scope,
    pub(super) unread: Unread,
    pub(super) whole: bool,
    pub(super) graph: &'c Graph<'c>,
    pub(super) trails: BTreeMap<&'c Trail, Vec<usize>>,
    pub(super) objects: Vec<CheckedObject>,
    /// Texts used so far: they repeat from object to object.
    pub(super) texts: HashMap<String, LogText>,
    pub(super) summary: VerificationSummary,
    /// Listed log files, by the trail that lists them.
    pub(super) log_files: BTreeMap<&'c Trail, Standings>,
    /// Number of log files delivered long after the last log digest file.
    pub(super) overdue: u64,
}

/// The result for one object, before it is recorded.
pub(super) struct ObjectVerdict {
    pub(super) standing: Standing,
    pub(super) reason: Option<String>,
    pub(super) by: Option<usize>,
    pub(super) expected: Option<Sha256>,
    pub(super) actual: Option<Sha256>,
    /// It may still be as it should be.
    pub(super) harmless: bool,
}

impl ObjectVerdict {
    pub(super) fn new(standing: Standing) -> Self {
        Self { standing, reason: None, by: None, expected: None, actual: None, harmless: false }
    }

    pub(super) fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

impl<'c> VerificationBuilder<'c> {
    pub(super) fn push(&mut self, kind: CheckedKind, object: LogText, verdict: ObjectVerdict) {
        let ObjectVerdict { standing, reason, by, expected, actual, harmless } = verdict;
        let reason = reason.map(|reason| match self.texts.get(&reason) {
            Some(known) => known.clone(),
            None => {
                let text = LogText::from(reason.as_str());
                self.texts.insert(reason, text.clone());
                text
            }
        });
        let vouched_by = by.and_then(|by| self.found.get(by)).map(|found| found.object.clone());
        let standings = match kind {
            CheckedKind::LogDigestFile => &mut self.summary.log_digest_files,
            CheckedKind::LogFile => &mut self.summary.log_files,
        };
        standings.add(standing);
        let severity = standing.severity().filter(|_| !harmless);
        self.objects.push(CheckedObject {
            kind,
            object,
            verdict: standing,
            severity,
            reason,
            vouched_by,
            expected_sha256: expected,
            actual_sha256: actual,
        });
    }

    fn log_digest_files(&mut self, broken: &[Other]) {
        for (found, node) in self.found.iter().zip(self.nodes) {
            let verdict = ObjectVerdict {
                reason: node.reason.clone(),
                by: node.vouched_by,
                expected: node.expected,
                actual: Some(found.file.sha256),
                ..ObjectVerdict::new(node.standing)
            };
            self.push(CheckedKind::LogDigestFile, found.object.clone(), verdict);
        }
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, previous) in
            self.found.iter().enumerate().filter_map(|(at, found)| Some((at, found.file.previous.as_ref()?)))
        {
            if self.nodes.get(at).is_some_and(|node| !node.is_altered()) {
                named.entry(name::file_name(&previous.object)).or_insert(at);
            }
        }
        for other in broken {
            let verdict = self.broken(other, &named);
            self.push(CheckedKind::LogDigestFile, other.object.clone(), verdict);
        }
        self.missing_log_digest_files(&named);
    }

    /// An object with the name of a log digest file that cannot be parsed: CloudTrail did not write it like
    /// that.
    fn broken(&self, other: &Other, named: &BTreeMap<&str, usize>) -> ObjectVerdict {
        let by = named.get(name::file_name(other.object.raw())).copied();
        let expected = by.and_then(|at| self.graph.file(at)?.previous.as_ref()?.sha256);
        let (reason, actual) = match &other.content {
            Content::Unreadable(reason) => {
                return ObjectVerdict::new(Standing::Unreadable).because(&**reason);
            }
            Content::NoLogDigestFile(sha256, reason) => {
                (format!("it is no log digest file: {reason}"), Some(*sha256))
            }
            Content::Damaged(reason) => (reason.to_string(), None),
            Content::Hash(sha256) => ("it is no log digest file".to_owned(), Some(*sha256)),
        };
        ObjectVerdict {
            reason: Some(reason),
            by,
            expected,
            actual,
            ..ObjectVerdict::new(Standing::HashMismatch)
        }
    }

    fn missing_log_digest_files(&mut self, named: &BTreeMap<&str, usize>) {
        for at in named.values() {
            let Some(previous) = self.graph.file(*at).and_then(|file| file.previous.as_ref()) else {
                continue;
            };
            let key = &*previous.object;
            if !self.graph.claimants(key).is_empty()
                || self.graph.is_replaced(key)
                || !self.whole
                || !self.scope.holds(&previous.bucket, key)
            {
                continue;
            }
            let verdict = self.not_there(key, "its successor names it, and it is not there");
            self.push(
                CheckedKind::LogDigestFile,
                LogText::from(key),
                ObjectVerdict { by: Some(*at), expected: previous.sha256, ..verdict },
            );
        }
    }

    /// Missing, unless nobody could look for it.
    pub(super) fn not_there(&self, key: &str, reason: &str) -> ObjectVerdict {
        match self.unread.reason(key) {
            Some(why) => ObjectVerdict::new(Standing::Unreadable)
                .because(format!("the folder it should be in could not be listed: {why}")),
            None => ObjectVerdict::new(Standing::Missing).because(reason),
        }
    }

    fn spans(&self) -> Vec<Span<'c>> {
        let new = |(trail, members): (&&'c Trail, &Vec<usize>)| {
            Span::new(trail, members, self.found, self.graph, self.nodes, self.scope)
        };
        self.trails.iter().filter_map(new).collect()
    }

    fn assemble(mut self, spans: &[Span<'c>], keys: &Keys) -> Verification {
        self.objects.sort_unstable_by(|one, other| {
            (&one.object, one.kind, one.actual_sha256, one.verdict).cmp(&(
                &other.object,
                other.kind,
                other.actual_sha256,
                other.verdict,
            ))
        });
        let signed = self.nodes.iter().filter(|node| node.proven).count();
        self.summary.signatures = match signed {
            0 => SignaturesChecked::None,
            some if some == self.nodes.len() => SignaturesChecked::All,
            _ => SignaturesChecked::Some,
        };
        let chains: Vec<Chain> =
            self.trails.iter().map(|(trail, members)| self.chain(trail, members, spans)).collect();
        let signed = || chains.iter().flat_map(|chain| &chain.covered).filter(|time| time.signed);
        self.summary.proven_from = signed().map(|time| time.from).min();
        self.summary.proven_to = signed().map(|time| time.to).max();
        self.summary.warnings =
            warnings::all(self.found, self.nodes, &chains, &self.objects, self.overdue, keys);
        Verification { summary: self.summary, chains, objects: self.objects }
    }

    fn chain(&self, trail: &Trail, members: &[usize], spans: &[Span<'c>]) -> Chain {
        let mut log_digest_files = Standings::default();
        members
            .iter()
            .filter_map(|at| self.nodes.get(*at))
            .for_each(|node| log_digest_files.add(node.standing));
        let span = spans.iter().find(|span| span.trail == trail);
        Chain {
            account: trail.account.as_str().into(),
            trail: trail.name.as_str().into(),
            home_region: trail.home_region.as_str().into(),
            region: trail.region.as_str().into(),
            log_digest_files,
            log_files: self.log_files.get(trail).cloned().unwrap_or_default(),
            begins: span.map(|span| span.begins),
            covered: span.map(|span| span.covered.clone()).unwrap_or_default(),
            gaps: span.map(|span| span.gaps.clone()).unwrap_or_default(),
        }
    }
}
