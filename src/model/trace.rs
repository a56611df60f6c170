//! The result of tracing who was behind a call: sessions, who began each of them, and the calls in them.

use serde::Serialize;

use super::timeline::words;
use super::{EventRef, LogText, Timestamp};

/// What a trace of one key, name or address shows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trace {
    /// As it was asked for.
    pub reference: LogText,
    pub asked: Asked,
    /// Numbers of the sessions that were asked for.
    pub matches: Vec<u64>,
    /// Each session before those that it began: a tree, its roots in order of time.
    pub sessions: Vec<TraceSession>,
    /// What was done in them, in order of time.
    pub calls: Vec<TraceCall>,
    /// Calls of these sessions that the options leave out.
    pub calls_left_out: u64,
}

/// One session: what its credentials were used for, from whom it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceSession {
    /// Counted from 1, in the order of the list.
    pub number: u64,
    /// The session that began this one.
    pub parent: Option<u64>,
    /// Number of sessions above it.
    pub depth: u64,
    /// It is what was asked for.
    pub asked: bool,
    /// How it is known which call began it; `null` where no call is known.
    pub joined: Option<Joined>,
    /// Who is at the beginning, for a session without a parent.
    pub origin: Option<Origin>,
    /// ARN of the session, of the user, or of the account's root.
    pub principal: Option<LogText>,
    /// `principalId`.
    pub principal_id: Option<LogText>,
    /// ARN of the role.
    pub role: Option<LogText>,
    pub session_name: Option<LogText>,
    pub account: Option<LogText>,
    /// The key that was returned, and every other one that was used in this session.
    pub keys: Vec<LogText>,
    pub issued: Option<Issued>,
    /// When it began: of the call that began it, or as its own calls say.
    pub created_at: Option<Timestamp>,
    /// What a service used it for: a function, an instance.
    pub issued_to: Option<LogText>,
    /// The user of IAM Identity Center in whose name it calls.
    pub on_behalf_of: Option<LogText>,
    pub source_identity: Option<LogText>,
    /// Services that called in its name.
    pub invoked_by: Vec<LogText>,
    pub addresses: Vec<LogText>,
    pub calls: u64,
    /// Calls that change something.
    pub writes: u64,
    pub failed: u64,
    pub first_call: Option<Timestamp>,
    pub last_call: Option<Timestamp>,
    /// What the logs do not show of it, or contradict.
    pub gaps: Vec<TraceGap>,
}

impl Trace {
    /// The session with this number.
    pub fn session(&self, number: u64) -> Option<&TraceSession> {
        self.sessions.get(usize::try_from(number).ok()?.checked_sub(1)?)
    }
}

impl TraceSession {
    /// The most that is known of who it is: the ARN, else the `principalId`, else the name of the session.
    pub fn name(&self) -> Option<&LogText> {
        self.principal.as_ref().or(self.principal_id.as_ref()).or(self.session_name.as_ref())
    }
}

/// The call that began a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Issued {
    pub event: EventRef,
    /// The same call in another account's trail.
    pub copies: Vec<EventRef>,
    pub region: LogText,
    pub expires_at: Option<Timestamp>,
    /// Session tags, as `KEY=VALUE`.
    pub tags: Vec<LogText>,
    pub transitive_tag_keys: Vec<LogText>,
    /// Who vouched for the caller: an OIDC provider, an issuer of SAML.
    pub provider: Option<LogText>,
    pub subject: Option<LogText>,
    pub audience: Option<LogText>,
}

/// Who is at the root of a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Origin {
    pub kind: OriginKind,
    /// For people: `GitHub Actions, repository acme/shop, branch main`.
    pub name: LogText,
}

/// One call in a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TraceCall {
    /// Number of the session that called; `null` if the caller was a service, or a user who was authenticated
    /// by an external provider.
    pub session: Option<u64>,
    /// How it is known that it was this one.
    pub joined: Option<Joined>,
    /// Number of the session that the call began.
    pub began: Option<u64>,
    pub event: EventRef,
    pub event_source: LogText,
    pub account: LogText,
    pub region: LogText,
    pub error_code: Option<LogText>,
    /// `readOnly`.
    pub read_only: Option<bool>,
}

/// Something that the logs do not show, or contradict.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct TraceGap {
    pub kind: TraceGapKind,
    pub text: String,
}

words! {
    /// What was asked for.
    Asked {
        /// An access key id.
        Key = "key",
        /// An ARN of a role, of a session, or of a user.
        Arn = "arn",
        /// An address, or the name of a service instead.
        Address = "address",
        /// The name of a session or of a user, with or without its role.
        Session = "session",
        /// Calls that something else rests on.
        Event = "event",
    }
}

words! {
    /// How one thing is known to belong to another.
    Joined {
        /// By an access key id that one record returned and the other was signed with, or by a record that
        /// both accounts have.
        Certain = "certain",
        /// By role, session name and the second in which the session began: exactly one fits.
        Inferred = "inferred",
        /// The same, but several sessions match.
        Ambiguous = "ambiguous",
    }
}

words! {
    /// The kind of a root.
    OriginKind {
        /// A user with keys or a password of its own, the root user, or a user of IAM Identity Center.
        Person = "person",
        /// A build, or a workflow of a repository.
        Pipeline = "pipeline",
        /// Somebody or something that another identity provider vouches for.
        Federation = "federation",
        /// A part of AWS: a task, a function, an instance, a service's own work.
        Service = "service",
        /// An account of which only the number is known.
        Account = "account",
        /// The logs do not tell.
        Unknown = "unknown",
    }
}

words! {
    /// What the logs do not show of a session, or contradict.
    TraceGapKind {
        /// No record has the call that began it.
        NotLogged = "not_logged",
        /// Several calls may have begun it.
        Ambiguous = "ambiguous",
        /// It was used with another key than the one that was returned.
        OtherKey = "other_key",
        /// The same key was returned by several calls.
        ReturnedTwice = "returned_twice",
        /// Other sessions have the same name.
        SharedName = "shared_name",
        /// It called after its credentials had ended.
        AfterExpiry = "after_expiry",
        /// It would be its own ancestor.
        Circle = "circle",
    }
}
