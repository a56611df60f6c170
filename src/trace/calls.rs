//! Calls, kept: what a record says of the session that called and of the one that its call began.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::asked::Question;
use super::{in_session, owner};
use crate::model::{EventRef, Grant, Identity, LogText, Session, SessionRecord, Timestamp};

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

impl Caller {
    pub(super) fn owner(&self) -> Option<&LogText> {
        owner(self.principal_id.as_ref(), self.arn.as_ref())
    }
}

impl Begun {
    pub(super) fn owner(&self) -> Option<&LogText> {
        owner(self.principal_id.as_ref(), self.arn.as_ref())
    }
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
    /// False if the caller was no session but a service, a user of an external provider, or the session that
    /// begins here.
    pub in_session: bool,
    pub caller: Caller,
    pub begun: Option<Box<Begun>>,
    /// Its caller is asked for, or the session that it began.
    pub asks_caller: bool,
    pub asks_begun: bool,
}

/// Makes calls of records, and keeps each of their texts once.
#[derive(Default)]
pub(super) struct Keeper {
    texts: HashSet<LogText, RandomState>,
    /// What the call takes that is being made.
    bytes: usize,
}

impl Keeper {
    /// A call, and how many bytes it takes.
    pub(super) fn keep(
        &mut self,
        question: &Question,
        object: &str,
        index: u64,
        record: &SessionRecord<'_>,
    ) -> (Call, usize) {
        self.bytes = 2 * size_of::<Call>();
        (self.call(question, object, index, record), self.bytes)
    }

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
