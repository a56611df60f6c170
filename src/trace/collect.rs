//! The second reading: the records of the sessions that are wanted, and nothing else.

use std::collections::HashSet;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use super::asked::Question;
use super::closure::Wanted;
use super::fields::{Beginnings, Escapes, Field};
use super::keep::{EventMemoryExceeded, Share};
use super::reading::{Pass, Reading};
use super::survey::{Known, begin, keys};
use super::{in_session, is_session, seconds, short};
use crate::decode::Wanted as WantedRecords;
use crate::model::{
    Coverage, EventRef, Filter, Grant, Identity, LogText, Seen, Session, SessionRecord, Timestamp,
};
use crate::pipeline;

/// A caller, kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Caller {
    pub kind: Option<LogText>,
    pub key: Option<LogText>,
    pub arn: Option<LogText>,
    pub principal_id: Option<LogText>,
    pub account: Option<LogText>,
    pub user_name: Option<LogText>,
    pub invoked_by: Option<LogText>,
    pub created_at: Option<Timestamp>,
    pub issuer: Option<LogText>,
    pub source_identity: Option<LogText>,
    pub provider: Option<LogText>,
    pub issued_to: Option<LogText>,
    pub on_behalf_of: Option<LogText>,
    pub at_work: bool,
}

/// A session that a call began, kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Begun {
    pub key: Option<LogText>,
    pub principal_id: Option<LogText>,
    pub arn: Option<LogText>,
    pub role: Option<LogText>,
    pub session_name: Option<LogText>,
    pub expires_at: Option<Timestamp>,
    pub source_identity: Option<LogText>,
    pub tags: Vec<LogText>,
    pub transitive: Vec<LogText>,
    pub provider: Option<LogText>,
    pub subject: Option<LogText>,
    pub audience: Option<LogText>,
    pub switched_from: Option<LogText>,
}

/// A call, kept.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub identity: Identity,
    pub shared_id: Option<LogText>,
    /// It corrects this event, and is no second call.
    pub corrects: Option<LogText>,
    pub event: EventRef,
    pub source: LogText,
    pub account: LogText,
    pub region: LogText,
    pub error_code: Option<LogText>,
    pub read_only: Option<bool>,
    pub repository: Option<LogText>,
    /// `None`: no session called, but a service, somebody whom another provider vouches for, or the session
    /// that begins here.
    pub in_session: bool,
    pub caller: Caller,
    pub begun: Option<Box<Begun>>,
    /// Its caller is asked for, or the session that it began.
    pub asks_caller: bool,
    pub asks_begun: bool,
}

/// What the second reading found.
pub struct Collected {
    pub coverage: Coverage,
    pub seen: Seen,
    pub(super) calls: Vec<Call>,
    /// What calls that begin sessions there are, where everything was kept.
    known: Option<Known>,
}

impl Collected {
    /// Reads what is wanted, and the filter admits.
    ///
    /// # Errors
    /// It is more than `kept_bytes_max` has room for.
    pub fn read(
        run: pipeline::Run<'_>,
        filter: &Filter,
        question: &Question,
        wanted: &Wanted,
    ) -> Result<Self, EventMemoryExceeded> {
        Self::read_of(run, WantedRecords::All, filter, question, wanted)
    }

    /// The same of some records alone.
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
        let known =
            (wanted.is_everything() || wanted.is_of_beginnings()).then(|| known(&coverage, filter, &calls));
        Ok(Self { coverage, seen, calls, known })
    }

    /// What is known of all calls that begin sessions: here, where everything was kept, else from the first
    /// reading.
    pub fn known(&self, survey: Option<&Known>) -> Known {
        self.known.clone().or_else(|| survey.cloned()).unwrap_or_default()
    }
}

/// Of second copies the first object stands, and one that says what came of the call before one that does
/// not.
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

fn known(coverage: &Coverage, filter: &Filter, calls: &[Call]) -> Known {
    let begun = || calls.iter().filter_map(|call| Some((call, call.begun.as_ref()?)));
    let raw = |text: &Option<LogText>| text.as_ref().map_or(0, |text| short(Some(text.raw())));
    let numbers = |begun: &Begun| {
        let owned = if begun.principal_id.is_some() { &begun.principal_id } else { &begun.arn };
        (raw(owned), raw(&begun.key))
    };
    Known {
        accounts: begun()
            .map(|(call, _)| call.account.clone())
            .filter(|account| !account.raw().is_empty())
            .collect(),
        keys: keys(begun().map(|(_, begun)| numbers(begun))),
        begin: begin(coverage, filter),
    }
}

/// One worker's part.
struct Gatherer<'a> {
    question: &'a Question,
    wanted: &'a Wanted,
    key: Field,
    owners: [Field; 5],
    /// Calls that tell of a session otherwise than by a name of these fields.
    others: [Finder<'static>; 2],
    beginnings: Beginnings,
    escapes: Escapes,
    texts: HashSet<LogText, RandomState>,
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
            texts: HashSet::default(),
            calls: Vec::new(),
        }
    }
}

impl Pass for Gatherer<'_> {
    fn may_need(&mut self, json: &str) -> bool {
        if self.wanted.is_of_beginnings() {
            return self.question.may_be_in(json) || self.beginnings.may_be_in(json);
        }
        self.wanted.is_everything()
            || self.key.values(json).any(|key| self.wanted.has_key(short(Some(key))))
            || self
                .owners
                .iter()
                .any(|field| field.values(json).any(|owner| self.wanted.has_owner(short(Some(owner)))))
            || self.others.iter().any(|other| other.find(json.as_bytes()).is_some())
            || self.escapes.are_in(json)
    }

    fn take(&mut self, object: &str, index: u64, record: &SessionRecord<'_>, share: &mut Share<'_>) -> bool {
        let Self { question, wanted, texts, calls, .. } = self;
        if !is_wanted(wanted, question, record) {
            return false;
        }
        let mut keep = Keeper { texts, bytes: 2 * size_of::<Call>() };
        calls.push(keep.call(question, object, index, record));
        share.take(keep.bytes);
        true
    }
}

/// Whether a record is wanted: its caller, or the session that it begins. Of the latter's owner all sessions
/// are, for they may be the ones that somebody means who names no key.
fn is_wanted(wanted: &Wanted, question: &Question, record: &SessionRecord<'_>) -> bool {
    if wanted.is_everything() {
        return true;
    }
    if wanted.is_of_beginnings() {
        return record.grant.is_some() || question.is_caller(record);
    }
    let (caller, called) = (&record.caller, record.event.time.seconds());
    let calls = || {
        let owners = [caller.principal_id, caller.arn].map(short);
        // Another account's trail does not say when the caller's session began, and its own trail does: both
        // are needed.
        let in_two_trails =
            record.event.shared_id.is_some() && owners.into_iter().any(|owner| wanted.has_owner(owner));
        in_two_trails
            || caller.key.is_some_and(|key| wanted.has_key(short(Some(key))))
            || owners.into_iter().any(|owner| wanted.has_session(owner, seconds(caller.created_at), called))
    };
    let begins = || {
        record.grant.as_ref().is_some_and(|grant| {
            let owners = [grant.principal_id.as_deref(), grant.arn.as_deref()].map(short);
            wanted.has_key(short(grant.key)) || owners.into_iter().any(|owner| wanted.has_owner(owner))
        })
    };
    is_session(caller) && calls() || begins()
}

/// Makes kept texts of borrowed ones, each text once.
struct Keeper<'t> {
    texts: &'t mut HashSet<LogText, RandomState>,
    bytes: usize,
}

impl Keeper<'_> {
    fn text(&mut self, text: &str) -> LogText {
        if let Some(known) = self.texts.get(text) {
            return known.clone();
        }
        let kept = LogText::from(text);
        self.bytes += text.len() + 3 * size_of::<LogText>();
        self.texts.insert(kept.clone());
        kept
    }

    fn maybe(&mut self, text: Option<&str>) -> Option<LogText> {
        text.map(|text| self.text(text))
    }

    fn call(&mut self, question: &Question, object: &str, index: u64, record: &SessionRecord<'_>) -> Call {
        let event = &record.event;
        let asks = question.asks(record);
        Call {
            identity: event.identity,
            shared_id: self.maybe(event.shared_id.as_deref()),
            corrects: event.addendum.as_ref().map(|addendum| self.text(&addendum.original_event_id)),
            event: EventRef {
                event_id: event.id.as_ref().into(),
                event_name: self.text(&event.name),
                event_time: event.time,
                actor: self.maybe(event.actor.as_deref()),
                source_ip: self.maybe(event.source_ip.as_deref()),
                user_agent: self.maybe(event.user_agent.as_deref()),
                object: self.text(object),
                record: index,
            },
            source: self.text(record.source),
            account: self.text(&event.recipient_account),
            region: self.text(&event.region),
            error_code: self.maybe(event.error_code.as_deref()),
            read_only: event.read_only,
            repository: self.maybe(record.repository),
            in_session: in_session(record),
            caller: self.caller(&record.caller),
            begun: record.grant.as_ref().map(|grant| Box::new(self.begun(grant))),
            asks_caller: asks.caller,
            asks_begun: asks.begun,
        }
    }

    fn caller(&mut self, caller: &Session<'_>) -> Caller {
        Caller {
            kind: self.maybe(caller.kind),
            key: self.maybe(caller.key),
            arn: self.maybe(caller.arn),
            principal_id: self.maybe(caller.principal_id),
            account: self.maybe(caller.account),
            user_name: self.maybe(caller.user_name),
            invoked_by: self.maybe(caller.invoked_by),
            created_at: caller.created_at,
            issuer: self.maybe(caller.issuer),
            source_identity: self.maybe(caller.source_identity),
            provider: self.maybe(caller.provider),
            issued_to: self.maybe(caller.issued_to),
            on_behalf_of: self.maybe(caller.on_behalf_of),
            at_work: caller.at_work,
        }
    }

    fn begun(&mut self, grant: &Grant<'_>) -> Begun {
        self.bytes += size_of::<Begun>() + (grant.tags.len() + grant.transitive.len()) * size_of::<LogText>();
        Begun {
            key: self.maybe(grant.key),
            principal_id: self.maybe(grant.principal_id.as_deref()),
            arn: self.maybe(grant.arn.as_deref()),
            role: self.maybe(grant.role),
            session_name: self.maybe(grant.session_name),
            expires_at: grant.expires_at,
            source_identity: self.maybe(grant.source_identity),
            tags: grant.tags.iter().map(|(key, value)| self.text(&format!("{key}={value}"))).collect(),
            transitive: grant.transitive.iter().map(|key| self.text(key)).collect(),
            provider: self.maybe(grant.provider),
            subject: self.maybe(grant.subject),
            audience: self.maybe(grant.audience),
            switched_from: self.maybe(grant.switched_from),
        }
    }
}
