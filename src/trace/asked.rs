//! The question: an access key id, an ARN, an address or a name; and whether a record is about it.

use std::collections::BTreeSet;
use std::net::IpAddr;

use memchr::memmem::Finder;
use wildmatch::WildMatch;

use super::fields::{Escapes, Field};
use super::in_session;
use crate::model::{Asked, Event, Grant, IamPrincipal, Session, SessionRecord};
use crate::recognize::is_access_key;

/// A question that records can be compared with.
pub struct Question {
    text: String,
    what: What,
    /// A text that every record about it contains; `None` if there is no such text.
    literal: Option<Finder<'static>>,
    event_id: Field,
    escapes: Escapes,
}

/// Which sessions of a record are asked for.
pub(super) struct AskedFor {
    /// The one in which its call was made.
    pub caller: bool,
    /// Also the session that its call began, even if the caller had no session of its own.
    pub begun: bool,
}

enum What {
    Key,
    /// For a session or user the whole ARN; for a role the account and the name.
    Arn {
        whole: WildMatch,
        role: Option<(String, WildMatch)>,
    },
    Address(IpAddr),
    /// A service, which appears in the place of an address.
    Service,
    Name(WildMatch),
    Events(BTreeSet<String>),
}

impl Question {
    /// Parses a question; `None` for an empty text.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if text.is_empty() {
            return None;
        }
        let what = if text.starts_with("arn:") {
            let role = IamPrincipal::of(text).filter(|_| text.contains(":role/"));
            What::Arn {
                whole: WildMatch::new(text),
                role: role.map(|role| (role.account.to_owned(), WildMatch::new(role.name))),
            }
        } else if let Ok(address) = text.parse() {
            What::Address(address)
        } else if is_access_key(text)
            && text
                .bytes()
                .any(|byte| byte.is_ascii_digit() || text.starts_with("ASIA") || text.starts_with("AKIA"))
        {
            What::Key
        } else if text.ends_with(".amazonaws.com") {
            What::Service
        } else {
            What::Name(WildMatch::new(text))
        };
        let literal = match &what {
            // An IPv6 address can be written in several ways.
            What::Address(IpAddr::V6(_)) | What::Events(_) => None,
            What::Address(IpAddr::V4(address)) => Some(address.to_string()),
            What::Key | What::Service => Some(text.to_owned()),
            What::Arn { .. } | What::Name(_) => literal(text),
        };
        Some(Self::new(text.to_owned(), what, literal))
    }

    /// The sessions of these events, by `eventID`.
    pub fn of_events<'t>(ids: impl IntoIterator<Item = &'t str>) -> Self {
        let ids: BTreeSet<String> = ids.into_iter().map(str::to_owned).collect();
        Self::new(String::new(), What::Events(ids), None)
    }

    fn new(text: String, what: What, literal: Option<String>) -> Self {
        let literal = literal.map(|literal| Finder::new(literal.as_bytes()).into_owned());
        Self { text, what, literal, event_id: Field::new(r#""eventID""#), escapes: Escapes::new() }
    }

    pub fn text(&self) -> &str {
        &self.text
    }

    pub const fn asked(&self) -> Asked {
        match self.what {
            What::Key => Asked::Key,
            What::Arn { .. } => Asked::Arn,
            What::Address(_) | What::Service => Asked::Address,
            What::Name(_) => Asked::Session,
            What::Events(_) => Asked::Event,
        }
    }

    /// Whether a record may belong to it; checked without parsing the record.
    pub(super) fn may_be_in(&self, json: &str) -> bool {
        let told = match (&self.what, &self.literal) {
            (What::Events(ids), _) => self.event_id.values(json).any(|id| ids.contains(id)),
            (_, Some(literal)) => literal.find(json.as_bytes()).is_some(),
            (_, None) => true,
        };
        told || self.escapes.are_in(json)
    }

    /// What of a record is asked for.
    pub(super) fn asks(&self, record: &SessionRecord<'_>) -> AskedFor {
        let (in_session, is_caller) = (in_session(record), self.is_caller(record));
        let is_begun = || record.grant.as_ref().is_some_and(|grant| self.is_begun(&record.caller, grant));
        AskedFor { caller: in_session && is_caller, begun: !in_session && is_caller || is_begun() }
    }

    /// Whether the caller of a record is the one asked for.
    pub(super) fn is_caller(&self, record: &SessionRecord<'_>) -> bool {
        let (event, caller) = (&record.event, &record.caller);
        match &self.what {
            What::Key => caller.key == Some(&self.text),
            What::Arn { whole, role } => is_arn(whole, role.as_ref(), [caller.arn, caller.issuer]),
            What::Address(address) => is_address(event, *address),
            What::Service => [caller.invoked_by, event.source_ip.as_deref()].contains(&Some(&*self.text)),
            What::Name(name) => {
                names(caller.arn, caller.principal_id)
                    .into_iter()
                    .flatten()
                    .chain(caller.user_name)
                    .any(|text| name.matches(text))
                    || role_and_session(caller.arn).is_some_and(|both| name.matches(&both))
                    || caller.source_identity.is_some_and(|text| name.matches(text))
            }
            What::Events(ids) => ids.contains(&*event.id),
        }
    }

    /// Whether the session that a record begins is the one asked for.
    fn is_begun(&self, caller: &Session<'_>, grant: &Grant<'_>) -> bool {
        match &self.what {
            What::Key => grant.key == Some(&self.text),
            What::Arn { whole, role } => is_arn(whole, role.as_ref(), [grant.arn.as_deref(), grant.role]),
            // A service has no session of its own.
            What::Service => caller.key.is_none() && caller.invoked_by == Some(&self.text),
            What::Name(name) => {
                let own = names(grant.arn.as_deref(), grant.principal_id.as_deref()).into_iter().flatten();
                own.chain([grant.session_name, grant.subject, grant.source_identity].into_iter().flatten())
                    .any(|text| name.matches(text))
                    || role_and_session(grant.arn.as_deref()).is_some_and(|both| name.matches(&both))
            }
            What::Address(_) | What::Events(_) => false,
        }
    }
}

/// The longest part of the name's last component without `*` and `?`.
fn literal(text: &str) -> Option<String> {
    let last = text.rsplit(['/', ':']).next().unwrap_or(text);
    let longest = last.split(['*', '?']).max_by_key(|part| part.len()).filter(|part| !part.is_empty())?;
    // Characters that JSON would escape cannot be searched for in its text.
    longest
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
        .then(|| longest.to_owned())
}

fn is_arn(whole: &WildMatch, role: Option<&(String, WildMatch)>, arns: [Option<&str>; 2]) -> bool {
    arns.into_iter().flatten().any(|arn| {
        let is_of_role = |(account, name): &(String, WildMatch)| {
            IamPrincipal::of(arn).is_some_and(|found| {
                found.kind == "role" && found.account == account && name.matches(found.name)
            })
        };
        whole.matches(arn) || role.is_some_and(is_of_role)
    })
}

fn is_address(event: &Event<'_>, address: IpAddr) -> bool {
    event.source_ip.as_deref().and_then(|text| text.parse().ok()) == Some(address)
}

/// The names in an ARN and a `principalId`: of the role or user, and of the session.
fn names<'r>(arn: Option<&'r str>, principal_id: Option<&'r str>) -> [Option<&'r str>; 3] {
    let resource = arn.and_then(resource);
    let (kind, rest) = resource.and_then(|resource| resource.split_once('/')).unwrap_or_default();
    let (role, last) = match kind {
        "assumed-role" => {
            rest.rsplit_once('/').map_or((Some(rest), None), |(role, session)| (Some(role), Some(session)))
        }
        "" => (None, None),
        _ => (None, rest.rsplit('/').next()),
    };
    [role, last, principal_id.and_then(|id| id.split_once(':')).map(|(_, session)| session)]
}

/// `ROLE/SESSION`, as other verbs write it.
fn role_and_session(arn: Option<&str>) -> Option<String> {
    resource(arn?)?.strip_prefix("assumed-role/").map(str::to_owned)
}

/// The part of an ARN after the account.
fn resource(arn: &str) -> Option<&str> {
    arn.strip_prefix("arn:")?.splitn(5, ':').nth(4)
}
