//! Who was behind a call: sessions, the calls that began them, and what was done in each, from the logs
//! alone.
//!
//! A temporary access key is returned by one call (AssumeRole and the like) and signs others; so sessions
//! form trees, across accounts and regions. Most of an archive has nothing to do with a question, and STS
//! is called all the time. So the logs are read twice. [`Survey`] notes for each call that begins a session
//! who called and which key it returned, as a few numbers, and which sessions were asked for. [`Wanted`] is
//! everything connected with those. [`Collected`] keeps the records of these sessions only, and
//! [`Collected::trace`] joins them exactly: by key if possible, else by role, session name and the second
//! in which the session began. The answer says which.

mod asked;
mod behind;
mod calls;
mod chain;
mod closure;
mod collect;
mod fields;
mod gaps;
mod join;
mod keep;
mod known;
mod near;
mod nodes;
mod origin;
mod reading;
mod survey;
#[cfg(test)]
mod tests;

pub use asked::Question;
pub use behind::{behind, is_traceable, trace_of, window};
pub use chain::View;
pub use closure::{Connected, Wanted};
pub use collect::Collected;
pub use keep::EventMemoryExceeded;
pub use known::Known;
pub use survey::Survey;

use crate::decode::fingerprint;
use crate::model::{Session, SessionRecord, Timestamp};

/// Credentials of a session last at most so long: those of GetSessionToken and GetFederationToken up to 36
/// hours.
const SESSION_SECONDS_MAX: i64 = 36 * 3600;
/// The time at which a session says that it began may differ by this much from the time of the call that began
/// it.
const BEGAN_SECONDS_APART: i64 = 1;

/// A hash of a text; 0 for none.
fn short(text: Option<&str>) -> u64 {
    text.map_or(0, |text| fingerprint(text.as_bytes()))
}

/// What identifies the owner of a session, apart from its key: `principalId`, else the ARN.
fn owner<T>(principal_id: Option<T>, arn: Option<T>) -> Option<T> {
    principal_id.or(arn)
}

/// Whether the caller uses a session or keys of its own, as opposed to a service or a federated identity.
fn is_session(caller: &Session<'_>) -> bool {
    let is_vouched_for = matches!(caller.kind, Some("AWSService" | "SAMLUser" | "WebIdentityUser"));
    caller.at_work
        || !is_vouched_for && (caller.key.is_some() || owner(caller.principal_id, caller.arn).is_some())
}

/// Whether a call was made in a session. Sign-ins to the console were not: their caller is the session that
/// they begin.
fn in_session(record: &SessionRecord<'_>) -> bool {
    let calls_as_begun = record.grant.is_some() && record.source == "signin.amazonaws.com";
    is_session(&record.caller) && !calls_as_begun
}

/// Seconds since 1970.
fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::seconds)
}
