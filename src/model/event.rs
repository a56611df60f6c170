//! The fields of a CloudTrail record that every part of the program uses.

use std::borrow::Cow;

use serde::Serialize;

use super::{Action, Identity, LogText, RepositoryRef, Timestamp};

/// The fields common to all records, borrowed from the record.
#[derive(Debug, Clone)]
pub struct Event<'r> {
    /// `eventID` as shown; made from the record's text if it has none.
    pub id: Cow<'r, str>,
    /// The same in every copy of the event, of which there may be several (delivery is at least once) and
    /// which count once.
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
    /// Who called: `userIdentity.arn`, else `principalId` (with the account if there is one: `AROA…:session
    /// (account 444455556666)`), else `invokedBy`, else `accountId`.
    pub actor: Option<Cow<'r, str>>,
    pub source_ip: Option<Cow<'r, str>>,
    pub user_agent: Option<Cow<'r, str>>,
    /// `userIdentity.invokedBy`.
    pub invoked_by: Option<Cow<'r, str>>,
    pub error_code: Option<Cow<'r, str>>,
    pub read_only: Option<bool>,
    /// CloudTrail left out part of the request or response because of its size.
    pub left_out: bool,
    /// It is not a log event but what a snapshot shows.
    pub snapshot: bool,
    /// Set if the record corrects an earlier one.
    pub addendum: Option<Addendum<'r>>,
}

/// `addendum` with reason `UPDATED_DATA`: the record replaces an earlier one and is not a second action.
#[derive(Debug, Clone)]
pub struct Addendum<'r> {
    /// `addendum.originalEventID`.
    pub original_event_id: Cow<'r, str>,
    /// Whether `eventTime` is one of the corrected fields; if not, the original's time holds.
    pub corrects_time: bool,
}

/// What a record means: who and when, where, and what.
#[derive(Debug, Clone)]
pub struct Recognized<'r> {
    pub event: Event<'r>,
    /// `None` for events that name no repository of their own (ECS): their actions have image references
    /// instead.
    pub repository: Option<RepositoryRef<'r>>,
    pub action: Action<'r>,
}

/// Where a statement comes from: what it takes to find and read the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EventRef {
    pub event_id: LogText,
    pub event_name: LogText,
    pub event_time: Timestamp,
    /// The caller: its ARN, else its principal with the account in brackets, else a service.
    pub actor: Option<LogText>,
    pub source_ip: Option<LogText>,
    pub user_agent: Option<LogText>,
    /// S3 key or path of the object.
    pub object: LogText,
    /// Index of the record in the object, counted from 0.
    pub record: u64,
}
