//! Who stood behind a call: sessions, the calls that began them, and what was done in each, from the logs alone.
//!
//! A temporary access key is returned by one call (AssumeRole and its like) and signs others; so sessions hang together in trees, over
//! accounts and regions. Most of an archive has nothing to do with one question, and STS is asked all the time. So the logs are read
//! twice: [`Survey`] notes of each call that begins a session who called and which key it returned, a few numbers, and who is asked for;
//! [`Wanted`] is what hangs together with that; and [`Collected`] keeps the records of these sessions alone. [`Collected::trace`] then
//! joins them exactly: by key where that is possible, else by role, session name and the second in which the session began, which is
//! said with each.

mod asked;
mod behind;
mod chain;
mod closure;
mod collect;
mod fields;
mod gaps;
mod join;
mod keep;
mod near;
mod nodes;
mod origin;
mod survey;
#[cfg(test)]
mod tests;

pub use asked::Question;
pub use behind::{behind, is_traceable, trace_of, window};
pub use chain::View;
pub use closure::Wanted;
pub use collect::Collected;
pub use keep::Overfull;
pub use survey::{Known, Survey};

use crate::decode::fingerprint;
use crate::model::{Session, SessionRecord, Timestamp};

/// How long credentials of a session last at most: GetSessionToken and GetFederationToken give 36 hours.
const SESSION_SECONDS_MAX: i64 = 36 * 3600;
/// How far the beginning that a session names may be from the call that began it.
const BEGAN_SECONDS_APART: i64 = 1;

/// A short number for a text; 0 for none.
fn short(text: Option<&str>) -> u64 {
    text.map_or(0, |text| fingerprint(text.as_bytes()))
}

/// What tells the owner of a session apart, without its key: `principalId`, else the ARN.
fn owner<'r>(principal_id: Option<&'r str>, arn: Option<&'r str>) -> Option<&'r str> {
    principal_id.or(arn)
}

/// Whether this calls in a session or with keys of its own. A service, or somebody whom another provider vouches for, does not.
fn is_session(caller: &Session<'_>) -> bool {
    let is_vouched_for = matches!(caller.kind, Some("AWSService" | "SAMLUser" | "WebIdentityUser"));
    caller.at_work || !is_vouched_for && (caller.key.is_some() || owner(caller.principal_id, caller.arn).is_some())
}

/// Whether a record tells of the session that it begins as if that had called: sign-ins to the console do.
fn calls_as_begun(record: &SessionRecord<'_>) -> bool {
    record.grant.is_some() && record.source == "signin.amazonaws.com"
}

/// Seconds since the epoch.
fn seconds(time: Option<Timestamp>) -> Option<i64> {
    time.map(Timestamp::seconds)
}
