//! From what was read to what is said: the verdict on every object, and the numbers.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::chain::{self, Graph, Node};
use super::keys::Keys;
use super::listing::{Entry, Listing};
use super::name::{self, Trail};
use super::read::{Content, Found, Other, Read};
use super::scope::Scope;
use super::span::{Said, Span};
use super::unread::Unread;
use super::warnings;
use crate::model::{
    Chain, CheckedKind, CheckedObject, LogText, Sha256, SignaturesChecked, Standing, Standings, Timestamp, Verification, VerificationSummary,
};

/// Judges everything that was read. `whole`: nothing ended the reading before its time.
pub fn judge(read: Read, keys: &Keys, scope: &Scope, whole: bool) -> Verification {
    let Read { log_digest_files: mut found, others } = read;
    found.retain(|found| scope.admits(&found.file.object));
    found.sort_unstable_by(|one, other| order(one).cmp(&order(other)));
    let is_broken = |other: &Other| !matches!(other.content, Content::Hash(_)) && Trail::of(name::file_name(other.object.raw())).is_some();
    let (broken, log_files): (Vec<_>, Vec<_>) = others.into_iter().partition(is_broken);
    let graph = Graph::new(&found, broken.iter().map(|other| other.object.raw()));
    let nodes = chain::judge(&graph, keys);
    let mut court = Court {
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
    court.log_digest_files(&broken);
    let spans = court.spans();
    court.log_files(log_files, &spans);
    court.sentence(&spans, keys)
}

/// Files of a trail stand together, in the order of time; what is left to chance by that is ordered by content and name.
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

struct Court<'c> {
    found: &'c [Found],
    nodes: &'c [Node],
    scope: &'c Scope,
    unread: Unread,
    whole: bool,
    graph: &'c Graph<'c>,
    trails: BTreeMap<&'c Trail, Vec<usize>>,
    objects: Vec<CheckedObject>,
    /// Reasons that were said already: they repeat from object to object.
    texts: HashMap<String, LogText>,
    summary: VerificationSummary,
    /// Listed log files by the trail that lists them.
    log_files: BTreeMap<&'c Trail, Standings>,
    /// Log files that were delivered long after the last log digest file.
    overdue: u64,
}

/// What is known of one object before it is written down.
struct Verdict {
    standing: Standing,
    reason: Option<String>,
    by: Option<usize>,
    expected: Option<Sha256>,
    actual: Option<Sha256>,
}

impl Verdict {
    fn new(standing: Standing) -> Self {
        Self { standing, reason: None, by: None, expected: None, actual: None }
    }

    fn because(self, reason: impl Into<String>) -> Self {
        Self { reason: Some(reason.into()), ..self }
    }
}

impl<'c> Court<'c> {
    fn push(&mut self, kind: CheckedKind, object: LogText, verdict: Verdict) {
        let Verdict { standing, reason, by, expected, actual } = verdict;
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
        let mut severity = standing.severity();
        if reason.as_ref().is_some_and(|reason| reason.raw() == NOT_YET) {
            severity = None;
        }
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
            let verdict = Verdict {
                standing: node.standing,
                reason: node.reason.clone(),
                by: node.vouched_by,
                expected: node.expected,
                actual: Some(found.file.sha256),
            };
            self.push(CheckedKind::LogDigestFile, found.object.clone(), verdict);
        }
        let mut named: BTreeMap<&str, usize> = BTreeMap::new();
        for (at, previous) in self.found.iter().enumerate().filter_map(|(at, found)| Some((at, found.file.previous.as_ref()?))) {
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

    /// Something that has the name of a log digest file and cannot be read as one: whatever it is, CloudTrail did not write it so.
    fn broken(&self, other: &Other, named: &BTreeMap<&str, usize>) -> Verdict {
        let by = named.get(name::file_name(other.object.raw())).copied();
        let expected = by.and_then(|at| self.graph.file(at)?.previous.as_ref()?.sha256);
        let (reason, actual) = match &other.content {
            Content::Unreadable(reason) => return Verdict::new(Standing::Unreadable).because(&**reason),
            Content::NoLogDigestFile(sha256, reason) => (format!("it is no log digest file: {reason}"), Some(*sha256)),
            Content::Damaged(reason) => (reason.to_string(), None),
            Content::Hash(sha256) => ("it is no log digest file".to_owned(), Some(*sha256)),
        };
        Verdict { standing: Standing::HashMismatch, reason: Some(reason), by, expected, actual }
    }

    fn missing_log_digest_files(&mut self, named: &BTreeMap<&str, usize>) {
        for at in named.values() {
            let Some(previous) = self.graph.file(*at).and_then(|file| file.previous.as_ref()) else { continue };
            let key = &*previous.object;
            if !self.graph.claimants(key).is_empty() || self.graph.is_replaced(key) || !self.whole || !self.scope.holds(&previous.bucket, key) {
                continue;
            }
            let verdict = self.not_there(key, "its successor names it, and it is not there");
            self.push(CheckedKind::LogDigestFile, LogText::from(key), Verdict { by: Some(*at), expected: previous.sha256, ..verdict });
        }
    }

    /// Missing, unless nobody could look for it.
    fn not_there(&self, key: &str, reason: &str) -> Verdict {
        match self.unread.reason(key) {
            Some(why) => Verdict::new(Standing::Unreadable).because(format!("the folder it should be in could not be listed: {why}")),
            None => Verdict::new(Standing::Missing).because(reason),
        }
    }

    fn spans(&self) -> Vec<Span<'c>> {
        let new = |(trail, members): (&&'c Trail, &Vec<usize>)| Span::new(trail, members, self.found, self.graph, self.nodes, self.scope);
        self.trails.iter().filter_map(new).collect()
    }

    fn log_files(&mut self, others: Vec<Other>, spans: &[Span<'c>]) {
        let mut listing = Listing::new(self.found);
        let kinds: BTreeSet<&str> = self.found.iter().flat_map(|found| &found.file.files).filter_map(|file| name::kind(&file.folder)).collect();
        for other in others {
            let (entries, elsewhere) = listing.of(other.object.raw());
            let mut verdict = match entries.is_empty() {
                true => self.unlisted(&other, spans, &kinds),
                false => self.listed(&other.content, &entries),
            };
            if elsewhere
                && verdict.reason.is_none()
                && let Some(entry) = entries.first()
            {
                verdict.reason = Some(format!("it lies elsewhere than CloudTrail put it: {}", entry.listed.folder));
            }
            if let Some(by) = verdict.by {
                self.count_listed(by, verdict.standing);
            }
            self.push(CheckedKind::LogFile, other.object, verdict);
        }
        let absent: Vec<Entry<'_>> = listing.absent(self.nodes).collect();
        for entry in absent {
            self.absent(entry);
        }
    }

    fn count_listed(&mut self, by: usize, standing: Standing) {
        if let Some(found) = self.found.get(by) {
            self.log_files.entry(&found.file.trail).or_default().add(standing);
        }
    }

    fn absent(&mut self, entry: Entry<'_>) {
        let key = entry.listed.key();
        if !self.whole || !self.scope.holds(&entry.listed.bucket, &key) {
            self.summary.not_in_sources += 1;
            return;
        }
        let altered = self.nodes.get(entry.by).is_some_and(Node::is_altered);
        let reason = if altered { "a log digest file that was altered lists it, and it is not there" } else { "it is listed, and not there" };
        let verdict = Verdict { by: Some(entry.by), expected: entry.listed.sha256, ..self.not_there(&key, reason) };
        self.count_listed(entry.by, verdict.standing);
        self.push(CheckedKind::LogFile, LogText::from(key), verdict);
    }

    /// A file that at least one log digest file lists.
    fn listed(&self, content: &Content, entries: &[Entry<'_>]) -> Verdict {
        let trust = |entry: &Entry<'_>| self.nodes.get(entry.by).map_or((false, false), |node| (node.proven, !node.is_altered()));
        let actual = match content {
            Content::Hash(sha256) | Content::NoLogDigestFile(sha256, _) => Some(*sha256),
            Content::Damaged(_) | Content::Unreadable(_) => None,
        };
        // The most trustworthy decide; among them one that does not fit is enough.
        let most = entries.iter().map(trust).max().unwrap_or_default();
        let deciding = || entries.iter().filter(|entry| trust(entry) == most);
        let fits = |entry: &&Entry<'_>| actual.is_some() && entry.listed.sha256 == actual;
        let Some(entry) = deciding().find(|entry| !fits(entry)).or_else(|| deciding().next()) else { return Verdict::new(Standing::NotCovered) };
        let verdict = Verdict { by: Some(entry.by), expected: entry.listed.sha256, actual, ..Verdict::new(Standing::Valid) };
        match (content, most) {
            (Content::Unreadable(reason), _) => Verdict { standing: Standing::Unreadable, ..verdict }.because(&**reason),
            (Content::Damaged(reason), _) => Verdict { standing: Standing::HashMismatch, ..verdict }.because(&**reason),
            (_, most) if !fits(&entry) => Verdict { standing: Standing::HashMismatch, ..verdict }.because(match most {
                (true, _) => "its content is not what CloudTrail delivered",
                (false, true) => "its content is not what is listed",
                (false, false) => "its content is not what is listed, but the log digest file that lists it was altered, too",
            }),
            (_, (true, _)) => verdict,
            (_, (false, true)) => {
                let reason = self.nodes.get(entry.by).and_then(|node| node.reason.as_deref()).unwrap_or_default();
                Verdict { standing: Standing::SignatureNotChecked, ..verdict }.because(format!("of the log digest file that lists it: {reason}"))
            }
            (_, (false, false)) => Verdict { standing: Standing::Unproven, ..verdict }.because("the log digest file that lists it was altered"),
        }
    }

    /// A file that no log digest file lists.
    fn unlisted(&mut self, other: &Other, spans: &[Span<'c>], kinds: &BTreeSet<&str>) -> Verdict {
        let object = other.object.raw();
        let actual = if let Content::Hash(sha256) = &other.content { Some(*sha256) } else { None };
        let not_covered = |reason: &str| Verdict { actual, ..Verdict::new(Standing::NotCovered) }.because(reason);
        if let Content::Unreadable(reason) = &other.content {
            return Verdict::new(Standing::Unreadable).because(&**reason);
        }
        let Some(Delivery { account, region, first, last }) = Delivery::of(object) else {
            return not_covered("its name does not tell when CloudTrail delivered it");
        };
        if name::kind(object).is_some_and(|kind| kind != "CloudTrail" && !kinds.contains(kind)) {
            return not_covered("log digest files list no objects of its kind");
        }
        let place = name::split(object).map(|(before, _)| before);
        let here = |span: &&Span<'_>| span.trail.account == account && span.trail.region == region;
        let near = |span: &&Span<'_>| place.is_none() || span.places.iter().any(|other| other.is_none() || *other == place);
        let said: Vec<Said> = spans.iter().filter(here).filter(near).map(|span| span.say(first, last)).collect();
        let rank = |said: &Said| match said {
            Said::Unlisted => 0,
            Said::NotYet => 1,
            Said::Gap(..) => 2,
            Said::After(_) => 3,
            Said::Before(_) => 4,
        };
        match said.into_iter().min_by_key(rank) {
            None => not_covered("there is no log digest file of its account and region beside it"),
            Some(Said::Unlisted) if !self.whole => not_covered("the run ended before all log digest files were read"),
            Some(Said::Unlisted) => Verdict { actual, ..Verdict::new(Standing::Unlisted) }
                .because("it is in none of the lists of its time: added later, or delivered to the same place by a trail without log digest files"),
            Some(Said::NotYet) => not_covered(NOT_YET),
            Some(Said::After(end)) => {
                self.overdue += 1;
                not_covered(&format!("log digest files end at {end}, long before it was delivered"))
            }
            Some(Said::Before(begin)) => not_covered(&format!("delivered before {begin}, when log digest files begin")),
            Some(Said::Gap(from, to)) => not_covered(&format!("no log digest file tells of the time between {from} and {to}")),
        }
    }

    fn sentence(mut self, spans: &[Span<'c>], keys: &Keys) -> Verification {
        self.objects.sort_unstable_by(|one, other| {
            (&one.object, one.kind, one.actual_sha256, one.verdict).cmp(&(&other.object, other.kind, other.actual_sha256, other.verdict))
        });
        let signed = self.nodes.iter().filter(|node| node.proven).count();
        self.summary.signatures = match signed {
            0 => SignaturesChecked::None,
            some if some == self.nodes.len() => SignaturesChecked::All,
            _ => SignaturesChecked::Some,
        };
        let chains: Vec<Chain> = self.trails.iter().map(|(trail, members)| self.chain(trail, members, spans)).collect();
        let signed = || chains.iter().flat_map(|chain| &chain.covered).filter(|time| time.signed);
        self.summary.proven_from = signed().map(|time| time.from).min();
        self.summary.proven_to = signed().map(|time| time.to).max();
        self.summary.warnings = warnings::all(self.found, self.nodes, &chains, &self.objects, self.overdue, keys);
        Verification { summary: self.summary, chains, objects: self.objects }
    }

    fn chain(&self, trail: &Trail, members: &[usize], spans: &[Span<'c>]) -> Chain {
        let mut log_digest_files = Standings::default();
        members.iter().filter_map(|at| self.nodes.get(*at)).for_each(|node| log_digest_files.add(node.standing));
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

/// What is said of the newest log files of an archive that grows. It is no finding.
const NOT_YET: &str = "not covered yet: the next log digest file will tell";

/// When and for whom an object was delivered, by its name or its folders.
struct Delivery<'o> {
    account: &'o str,
    region: &'o str,
    first: Timestamp,
    last: Timestamp,
}

impl<'o> Delivery<'o> {
    fn of(object: &'o str) -> Option<Self> {
        let place = crate::source::layout::Place::of(object);
        let (account, region) = (place.account?, place.region?);
        let (first, last) = match name::delivered(name::file_name(object)) {
            Some(time) => (time, time),
            None => {
                let days = place.days?;
                let midnight = |day: i32| Timestamp::parse(&format!("{}T00:00:00Z", crate::source::layout::day_name(day)));
                (midnight(days.first)?, midnight(days.last.checked_add(1)?)?)
            }
        };
        Some(Self { account, region, first, last })
    }
}
