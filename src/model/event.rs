//! One CloudTrail record, as far as everybody needs it.

use std::borrow::Cow;

use serde::Serialize;

use super::{Action, Identity, LogText, RepositoryRef, Timestamp};

/// The fields common to all records, borrowed from the record.
#[derive(Debug, Clone)]
pub struct Event<'r> {
    /// `eventID`, as it is shown; one made from the record where it has none.
    pub id: Cow<'r, str>,
    /// The same in every record of this event, which may be delivered in several objects and counts once.
    pub identity: Identity,
    /// `sharedEventID`: set when one call is logged in two accounts, under two `eventID`s.
    pub shared_id: Option<Cow<'r, str>>,
    /// `eventTime`: when the request completed.
    pub time: Timestamp,
    /// `eventName`.
    pub name: Cow<'r, str>,
    /// `recipientAccountId`: the account in whose trail the record stands; empty if absent.
    pub recipient_account: Cow<'r, str>,
    /// `awsRegion`.
    pub region: Cow<'r, str>,
    /// Who called: `userIdentity.arn`, else `principalId` (with the account, where there is one: `AROA…:session (account 444455556666)`),
    /// else `invokedBy`, else `accountId`.
    pub actor: Option<Cow<'r, str>>,
    pub source_ip: Option<Cow<'r, str>>,
    pub user_agent: Option<Cow<'r, str>>,
    /// `userIdentity.invokedBy`.
    pub invoked_by: Option<Cow<'r, str>>,
    pub error_code: Option<Cow<'r, str>>,
    pub read_only: Option<bool>,
    /// CloudTrail left out a part of what was asked or answered, for its size.
    pub left_out: bool,
    /// No event of a log: an answer in a snapshot, and what it shows.
    pub snapshot: bool,
    /// Set for a record that corrects an earlier one.
    pub addendum: Option<Addendum<'r>>,
}

/// `addendum` with reason `UPDATED_DATA`: this record replaces an earlier one and is no second action.
#[derive(Debug, Clone)]
pub struct Addendum<'r> {
    /// `addendum.originalEventID`.
    pub original_event_id: Cow<'r, str>,
    /// Whether `eventTime` is among the fields that it corrects; else the original's time holds.
    pub corrects_time: bool,
}

/// What a record means: who and when, where, and what.
#[derive(Debug, Clone)]
pub struct Recognized<'r> {
    pub event: Event<'r>,
    /// `None` for events that name no repository of their own (ECS): their actions carry image references.
    pub repository: Option<RepositoryRef<'r>>,
    pub action: Action<'r>,
}

/// Where a statement comes from: enough to find the record again and to read it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRef {
    pub event_id: LogText,
    pub event_name: LogText,
    pub event_time: Timestamp,
    /// ARN of the caller where the record has one, else its principal, with the account in brackets, or service.
    pub actor: Option<LogText>,
    pub source_ip: Option<LogText>,
    pub user_agent: Option<LogText>,
    /// S3 key, or path.
    pub object: LogText,
    /// Index of the record in the object, from 0.
    pub record: u64,
}
