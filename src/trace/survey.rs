//! The first reading: who began which session, as numbers, and which sessions were asked for.

use std::collections::{BTreeMap, BTreeSet, HashSet};

use foldhash::fast::RandomState;

use super::asked::Question;
use super::fields::Beginnings;
use super::keep::{EventMemoryExceeded, Kept, Share};
use super::near::Near;
use super::{BEGAN_SECONDS_APART, SESSION_SECONDS_MAX, calls_as_begun, is_session, owner, seconds, short};
use crate::decode::{Document, RawRecord, Wanted as WantedRecords};
use crate::model::{Coverage, Filter, LogText, Seen, Session, SessionRecord, Timestamp};
use crate::pipeline::{self, Collector};
use crate::recognize::{SessionReader, SnapshotParser};

/// A call that began a session. Unknown fields are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Edge {
    /// The key that was returned, and the owner of the session.
    pub key: u64,
    pub owner: u64,
    /// In seconds.
    pub began: i64,
    /// The key that signed the call, and the session that it was made in.
    pub by_key: u64,
    pub by_owner: u64,
    /// When that session began; `i64::MIN` if the record does not say.
    pub by_began: i64,
}

/// Memory for each call that began a session: a growing list exists twice for a moment, and five sort
/// orders are made.
const EDGE_BYTES: usize = 2 * size_of::<Edge>() + 5 * (size_of::<(u64, i64, u32)>() + size_of::<u32>());

/// Identifies a session: by its key, or by its owner and when it began, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Place {
    Key(u64),
    Owned { owner: u64, from: i64, to: i64 },
}

impl Place {
    /// The session that began at `began`, if its owner is known.
    pub(super) fn at(owner: u64, began: i64) -> Option<Self> {
        (owner != 0).then_some(Self::Owned {
            owner,
            from: began - BEGAN_SECONDS_APART,
            to: began + BEGAN_SECONDS_APART,
        })
    }

    /// A session of `owner` that called at `called`.
    pub(super) fn before(owner: u64, called: i64) -> Option<Self> {
        (owner != 0).then_some(Self::Owned { owner, from: called - SESSION_SECONDS_MAX, to: called })
    }
}

/// What the logs have of calls that begin sessions, as far as it is needed for gaps.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Accounts whose trails have such calls.
    pub(super) accounts: BTreeSet<LogText>,
    /// How many keys were returned for each owner.
    pub(super) keys: BTreeMap<u64, u64>,
    /// When the evidence begins.
    pub(super) begin: Option<Timestamp>,
}

/// The result of the first reading.
pub struct Survey {
    pub coverage: Coverage,
    pub seen: Seen,
    pub known: Known,
    /// Names similar to what was asked for, best first.
    pub near: Vec<LogText>,
    pub(super) edges: Vec<Edge>,
    pub(super) asked: BTreeSet<Place>,
}

impl Survey {
    /// Reads everything that the filter admits.
    ///
    /// # Errors
    ///
    /// The calls that begin sessions do not fit into `kept_bytes_max`.
    pub fn read(
        run: pipeline::Run<'_>,
        filter: &Filter,
        question: &Question,
    ) -> Result<Self, EventMemoryExceeded> {
        let kept = Kept::new(run.budget.kept_bytes_max);
        let make = || Surveyor::new(filter, question, Share::new(&kept));
        let (coverage, surveyors) = pipeline::scan(run, WantedRecords::All, make);
        let mut all = Self {
            coverage,
            seen: Seen::default(),
            known: Known::default(),
            near: Vec::new(),
            edges: Vec::new(),
            asked: BTreeSet::new(),
        };
        let mut near = Near::new(question);
        for surveyor in surveyors {
            let Surveyor { edges, asked, seen, accounts, near: others, .. } = surveyor;
            all.edges.extend(edges);
            all.asked.extend(asked);
            all.seen.merge(seen);
            all.known.accounts.extend(accounts);
            near.merge(others);
        }
        kept.check()?;
        all.edges.sort_unstable();
        all.edges.dedup();
        all.near = near.best();
        all.known.begin = begin(&all.coverage, filter);
        all.known.keys = keys(all.edges.iter().map(|edge| (edge.owner, edge.key)));
        Ok(all)
    }

    /// Whether there is a session that was asked for.
    pub fn found(&self) -> bool {
        !self.asked.is_empty()
    }
}

/// When the evidence begins.
pub(super) fn begin(coverage: &Coverage, filter: &Filter) -> Option<Timestamp> {
    let first = coverage.first_event_time?;
    Some(filter.since.map_or(first, |since| since.max(first)))
}

/// For owners that were given more than one key, how many.
pub(super) fn keys(given: impl Iterator<Item = (u64, u64)>) -> BTreeMap<u64, u64> {
    let given: BTreeSet<(u64, u64)> = given.filter(|(owner, key)| *owner != 0 && *key != 0).collect();
    let mut keys = BTreeMap::new();
    given.into_iter().for_each(|(owner, _)| *keys.entry(owner).or_default() += 1);
    keys.retain(|_, number| *number > 1);
    keys
}

/// Whether a filter admits a record.
pub(super) fn admits(filter: &Filter, record: &SessionRecord<'_>) -> bool {
    let event = &record.event;
    filter.admits_time(event.time)
        && filter.admits_account(&event.recipient_account)
        && filter.admits_region(&event.region)
}

/// The session of a caller.
pub(super) fn place(caller: &Session<'_>, called: i64) -> impl Iterator<Item = Place> + use<> {
    let owner = short(owner(caller.principal_id, caller.arn));
    let key = Some(short(caller.key)).filter(|key| *key != 0);
    let owned = match seconds(caller.created_at) {
        Some(began) => Place::at(owner, began),
        // A user's own keys do not expire.
        None if key.is_some() => None,
        None => Place::before(owner, called),
    };
    // A role that was switched to in the console is known by its ARN alone.
    let by_arn = seconds(caller.created_at)
        .filter(|_| matches!(caller.kind, Some("IAMUser" | "Root")))
        .and_then(|began| Place::at(short(caller.arn), began));
    key.map(Place::Key).into_iter().chain(owned).chain(by_arn)
}

/// One worker's part.
struct Surveyor<'a> {
    filter: &'a Filter,
    question: &'a Question,
    reader: SessionReader,
    beginnings: Beginnings,
    edges: Vec<Edge>,
    asked: HashSet<Place, RandomState>,
    seen: Seen,
    accounts: BTreeSet<LogText>,
    near: Near,
    answers: SnapshotParser,
    relevant: u64,
    share: Share<'a>,
}

impl<'a> Surveyor<'a> {
    fn new(filter: &'a Filter, question: &'a Question, share: Share<'a>) -> Self {
        Self {
            filter,
            question,
            reader: SessionReader::default(),
            beginnings: Beginnings::new(),
            edges: Vec::new(),
            asked: HashSet::default(),
            seen: Seen::default(),
            accounts: BTreeSet::new(),
            near: Near::new(question),
            answers: SnapshotParser::default(),
            relevant: 0,
            share,
        }
    }
}

impl Collector for Surveyor<'_> {
    fn record(&mut self, _object: &str, record: RawRecord<'_>) -> Result<(), String> {
        if record.native {
            return Ok(());
        }
        self.near.look(record.json);
        if !self.question.may_be_in(record.json) && !self.beginnings.may_be_in(record.json) {
            return Ok(());
        }
        let Self { filter, question, reader, edges, asked, seen, accounts, share, relevant, .. } = self;
        reader.read(record.json, |record| {
            // Names that the filters leave out are noted as well, as everywhere.
            note(&mut seen.accounts, &record.event.recipient_account);
            note(&mut seen.regions, &record.event.region);
            if !admits(filter, &record) {
                return;
            }
            *relevant += 1;
            let (caller, called) = (&record.caller, record.event.time.seconds());
            let mut ask = |place: Place| {
                if asked.insert(place) {
                    share.take(2 * size_of::<Place>());
                }
            };
            let is_caller = question.is_caller(&record);
            let in_session = is_session(caller) && !calls_as_begun(&record);
            if in_session && is_caller {
                place(caller, called).for_each(&mut ask);
            }
            let Some(grant) = &record.grant else { return };
            note(accounts, &record.event.recipient_account);
            let (key, owned) =
                (short(grant.key), short(owner(grant.principal_id.as_deref(), grant.arn.as_deref())));
            if question.is_begun(caller, grant) || !in_session && is_caller {
                Some(Place::Key(key))
                    .filter(|_| key != 0)
                    .into_iter()
                    .chain(Place::at(owned, called))
                    .for_each(&mut ask);
            }
            let by =
                if in_session { *caller } else { Session { arn: grant.switched_from, ..Session::default() } };
            let by_owner = short(owner(by.principal_id, by.arn));
            let by_began = seconds(by.created_at).unwrap_or(i64::MIN);
            let edge = Edge { key, owner: owned, began: called, by_key: short(by.key), by_owner, by_began };
            // A role that was switched to in the console is known by its ARN alone.
            let by_arn = grant
                .arn
                .as_deref()
                .filter(|_| !in_session)
                .map(|arn| Edge { owner: short(Some(arn)), ..edge });
            for edge in [Some(edge), by_arn].into_iter().flatten() {
                share.take(EDGE_BYTES);
                edges.push(edge);
            }
        })
    }

    fn relevant(&self) -> u64 {
        self.relevant
    }

    fn document(
        &mut self,
        _object: &str,
        _index: u64,
        json: &str,
        _modified: &dyn Fn() -> Option<Timestamp>,
    ) -> Document {
        // Snapshots say nothing about sessions, and are not damage.
        if self.answers.read(json).is_some() { Document::Taken } else { Document::Unknown }
    }

    fn is_full(&self) -> bool {
        self.share.is_over()
    }
}

fn note(all: &mut BTreeSet<LogText>, name: &str) {
    if !name.is_empty() && !all.contains(name) {
        all.insert(name.into());
    }
}
