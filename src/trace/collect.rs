//! The second reading: the records of the sessions that are wanted, and nothing else.

use memchr::memmem::Finder;

use super::asked::Question;
use super::calls::{Call, Keeper};
use super::closure::{Connected, Wanted};
use super::fields::{Beginnings, Escapes, Field};
use super::keep::{EventMemoryExceeded, Share};
use super::known::Known;
use super::reading::{Pass, Reading};
use super::{is_session, seconds, short};
use crate::decode::Wanted as WantedRecords;
use crate::model::{Coverage, Filter, Seen, SessionRecord};
use crate::pipeline;

/// What the second reading found.
pub struct Collected {
    pub coverage: Coverage,
    pub seen: Seen,
    pub(super) calls: Vec<Call>,
    /// What calls that begin sessions there are, where all of them were kept.
    pub(super) known: Option<Known>,
}

impl Collected {
    /// Reads the wanted records that the filter admits.
    ///
    /// # Errors
    /// They need more than `kept_bytes_max`.
    pub fn read(
        run: pipeline::Run<'_>,
        filter: &Filter,
        question: &Question,
        wanted: &Wanted,
    ) -> Result<Self, EventMemoryExceeded> {
        Self::read_of(run, WantedRecords::All, filter, question, wanted)
    }

    /// The same for some of the records only.
    pub(super) fn read_of(
        run: pipeline::Run<'_>,
        records: WantedRecords<'_>,
        filter: &Filter,
        question: &Question,
        wanted: &Wanted,
    ) -> Result<Self, EventMemoryExceeded> {
        let make = || Gatherer::new(question, wanted);
        let Reading { coverage, seen, passes } = Reading::read(run, records, filter, make)?;
        let mut calls: Vec<Call> = passes.into_iter().flat_map(|gatherer| gatherer.calls).collect();
        distinct(&mut calls);
        let known = match wanted {
            Wanted::Everything | Wanted::Beginnings => Some(Known::of_calls(&calls, &coverage, filter)),
            Wanted::Connected(_) => None,
        };
        Ok(Self { coverage, seen, calls, known })
    }
}

/// Removes duplicates: the first object's copy is kept, but one with the result of the call is preferred to
/// one without.
fn distinct(calls: &mut Vec<Call>) {
    calls.sort_by(|a, b| {
        let place = |call: &Call| (call.identity, call.begun.is_none());
        place(a)
            .cmp(&place(b))
            .then_with(|| a.event.object.cmp(&b.event.object))
            .then_with(|| a.event.record.cmp(&b.event.record))
    });
    calls.dedup_by(|copy, first| {
        let same = copy.identity == first.identity;
        first.asks_caller |= same && copy.asks_caller;
        first.asks_begun |= same && copy.asks_begun;
        same
    });
}

/// One worker's part.
struct Gatherer<'a> {
    question: &'a Question,
    wanted: &'a Wanted,
    key: Field,
    owners: [Field; 5],
    /// Calls that show a session by other means than these fields.
    others: [Finder<'static>; 2],
    beginnings: Beginnings,
    escapes: Escapes,
    keeper: Keeper,
    calls: Vec<Call>,
}

impl<'a> Gatherer<'a> {
    fn new(question: &'a Question, wanted: &'a Wanted) -> Self {
        Self {
            question,
            wanted,
            key: Field::new(r#""accessKeyId""#),
            owners: [
                r#""principalId""#,
                r#""assumedRoleId""#,
                r#""federatedUserId""#,
                r#""arn""#,
                r#""SwitchFrom""#,
            ]
            .map(Field::new),
            others: ["AssumeRoot", r#"Build""#].map(Finder::new),
            beginnings: Beginnings::new(),
            escapes: Escapes::new(),
            keeper: Keeper::default(),
            calls: Vec::new(),
        }
    }

    /// Whether a record may name any of these sessions, as its caller or as the one that it begins.
    fn may_name_any(&self, sessions: &Connected, json: &str) -> bool {
        let has_owner = |owner: &str| sessions.has_owner(short(Some(owner)));
        self.key.values(json).any(|key| sessions.has_key(short(Some(key))))
            || self.owners.iter().any(|field| field.values(json).any(has_owner))
            || self.others.iter().any(|other| other.find(json.as_bytes()).is_some())
            || self.escapes.are_in(json)
    }
}

impl Pass for Gatherer<'_> {
    fn may_need(&mut self, json: &str) -> bool {
        match self.wanted {
            Wanted::Everything => true,
            Wanted::Beginnings => self.question.may_be_in(json) || self.beginnings.may_be_in(json),
            Wanted::Connected(sessions) => self.may_name_any(sessions, json),
        }
    }

    fn take(&mut self, object: &str, index: u64, record: &SessionRecord<'_>, share: &mut Share<'_>) -> bool {
        if !is_wanted(self.wanted, self.question, record) {
            return false;
        }
        let (call, bytes) = self.keeper.keep(self.question, object, index, record);
        self.calls.push(call);
        share.take(bytes);
        true
    }
}

/// Whether a record is wanted: its caller, or the session that it begins.
fn is_wanted(wanted: &Wanted, question: &Question, record: &SessionRecord<'_>) -> bool {
    match wanted {
        Wanted::Everything => true,
        Wanted::Beginnings => record.grant.is_some() || question.is_caller(record),
        Wanted::Connected(sessions) => is_of_any(sessions, record),
    }
}

/// Whether a record belongs to any of these sessions. All calls of the owner of the session that it begins
/// do, because they may be meant by a question without a key.
fn is_of_any(sessions: &Connected, record: &SessionRecord<'_>) -> bool {
    let (caller, called) = (&record.caller, record.event.time.seconds());
    let calls = || {
        let owners = [caller.principal_id, caller.arn].map(short);
        // Another account's trail does not say when the caller's session began, and its own trail does: both
        // are needed.
        let in_two_trails =
            record.event.shared_id.is_some() && owners.into_iter().any(|owner| sessions.has_owner(owner));
        in_two_trails
            || caller.key.is_some_and(|key| sessions.has_key(short(Some(key))))
            || owners.into_iter().any(|owner| sessions.has_session(owner, seconds(caller.created_at), called))
    };
    let begins = || {
        record.grant.as_ref().is_some_and(|grant| {
            let owners = [grant.principal_id.as_deref(), grant.arn.as_deref()].map(short);
            sessions.has_key(short(grant.key)) || owners.into_iter().any(|owner| sessions.has_owner(owner))
        })
    };
    is_session(caller) && calls() || begins()
}
