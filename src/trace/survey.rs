//! The first reading: who began which session, as numbers, and which sessions were asked for.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;

use super::asked::Question;
use super::fields::Beginnings;
use super::keep::{EventMemoryExceeded, Share};
use super::known::Known;
use super::near::Near;
use super::reading::{Pass, Reading};
use super::{BEGAN_SECONDS_APART, SESSION_SECONDS_MAX, in_session, owner, seconds, short};
use crate::decode::Wanted as WantedRecords;
use crate::model::{Coverage, Filter, LogText, Seen, Session, SessionRecord, note_name};
use crate::pipeline;

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

/// The result of the first reading.
pub struct Survey {
    pub coverage: Coverage,
    pub seen: Seen,
    pub known: Known,
    /// Names similar to what was asked for, best first; empty if it was found.
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
        let make = || Surveyor::new(question);
        let Reading { coverage, seen, passes } = Reading::read(run, WantedRecords::All, filter, make)?;
        let (mut edges, mut asked, mut accounts) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut near = Near::new(question);
        for surveyor in passes {
            edges.extend(surveyor.edges);
            asked.extend(surveyor.asked);
            accounts.extend(surveyor.accounts);
            near.merge(surveyor.near);
        }
        edges.sort_unstable();
        edges.dedup();
        let given = edges.iter().map(|edge: &Edge| (edge.owner, edge.key));
        let known = Known::of(accounts, given, &coverage, filter);
        let near = if asked.is_empty() { near.best() } else { Vec::new() };
        Ok(Self { coverage, seen, known, near, edges, asked })
    }

    /// Whether there is a session that was asked for.
    pub fn found(&self) -> bool {
        !self.asked.is_empty()
    }
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
    // For a role switch in the console only the ARN is known.
    let by_arn = seconds(caller.created_at)
        .filter(|_| matches!(caller.kind, Some("IAMUser" | "Root")))
        .and_then(|began| Place::at(short(caller.arn), began));
    key.map(Place::Key).into_iter().chain(owned).chain(by_arn)
}

/// One worker's part.
struct Surveyor<'a> {
    question: &'a Question,
    beginnings: Beginnings,
    edges: Vec<Edge>,
    asked: HashSet<Place, RandomState>,
    accounts: BTreeSet<LogText>,
    near: Near,
}

impl<'a> Surveyor<'a> {
    fn new(question: &'a Question) -> Self {
        Self {
            question,
            beginnings: Beginnings::new(),
            edges: Vec::new(),
            asked: HashSet::default(),
            accounts: BTreeSet::new(),
            near: Near::new(question),
        }
    }
}

impl Pass for Surveyor<'_> {
    fn may_need(&mut self, json: &str) -> bool {
        // Names that are like it matter only where there is nothing that was asked for.
        if self.asked.is_empty() {
            self.near.look(json);
        }
        self.question.may_be_in(json) || self.beginnings.may_be_in(json)
    }

    fn take(
        &mut self,
        _object: &str,
        _index: u64,
        record: &SessionRecord<'_>,
        share: &mut Share<'_>,
    ) -> bool {
        let Self { question, asked, edges, accounts, .. } = self;
        let mut ask = |place: Place| {
            if asked.insert(place) {
                share.take(2 * size_of::<Place>());
            }
        };
        let (caller, called) = (&record.caller, record.event.time.seconds());
        let asks = question.asks(record);
        if asks.caller {
            place(caller, called).for_each(&mut ask);
        }
        let Some(grant) = &record.grant else { return true };
        let account = &record.event.recipient_account;
        if !account.is_empty() {
            note_name(accounts, account);
        }
        let (key, owned) =
            (short(grant.key), short(owner(grant.principal_id.as_deref(), grant.arn.as_deref())));
        if asks.begun {
            Some(Place::Key(key))
                .filter(|_| key != 0)
                .into_iter()
                .chain(Place::at(owned, called))
                .for_each(&mut ask);
        }
        let in_session = in_session(record);
        let by =
            if in_session { *caller } else { Session { arn: grant.switched_from, ..Session::default() } };
        let by_owner = short(owner(by.principal_id, by.arn));
        let by_began = seconds(by.created_at).unwrap_or(i64::MIN);
        let edge = Edge { key, owner: owned, began: called, by_key: short(by.key), by_owner, by_began };
        // For a role switch in the console only the ARN is known.
        let by_arn =
            grant.arn.as_deref().filter(|_| !in_session).map(|arn| Edge { owner: short(Some(arn)), ..edge });
        for edge in [Some(edge), by_arn].into_iter().flatten() {
            share.take(EDGE_BYTES);
            edges.push(edge);
        }
        true
    }
}
