//! CloudTrail record → the session that called, and the session that the call began. Of any service: every
//! record has a caller.

mod grant;

use crate::model::{Session, SessionRecord};

use super::json::Json;
use super::parse::Parser;
use super::record::{Record, time};

/// Shorter texts are no access key ids, nor are longer ones.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=128;

/// Reads records for what they say of sessions, with buffers that are reused.
#[derive(Default)]
pub struct SessionReader {
    parser: Parser,
    /// Whether the last record was JSON.
    parsed: bool,
}

impl SessionReader {
    /// What the record whose text is `json` says of sessions, handed to `then`.
    ///
    /// # Errors
    /// Why the record cannot be understood: it is no JSON object, or has no `eventTime`, `eventName` or
    /// `eventSource`.
    pub fn read<R>(&mut self, json: &str, then: impl FnOnce(SessionRecord<'_>) -> R) -> Result<R, String> {
        let Self { parser, parsed } = self;
        *parsed = false;
        parser.parse(json, |root| {
            *parsed = true;
            let record = Record::read(root, json)?;
            let mut caller = session(record.identity);
            let grant = if record.failed() { None } else { grant::of(&record, &caller, root) };
            if let Some(build) = grant.as_ref().and_then(|grant| grant::build_at_work(&caller, grant)) {
                caller = Session { principal_id: Some(build), at_work: true, ..caller };
            }
            let repository = record.request.text("repositoryName");
            Ok(then(SessionRecord {
                event: record.event(),
                source: record.source,
                caller,
                grant,
                repository,
            }))
        })?
    }

    /// Whether the last record was JSON, so that an error is about what it says: its copies are one event that
    /// cannot be understood.
    pub const fn has_parsed(&self) -> bool {
        self.parsed
    }
}

/// Whether a text can be an access key id: stars and `HIDDEN_DUE_TO_SECURITY_REASONS` cannot.
pub fn is_access_key(text: &str) -> bool {
    KEY_BYTES.contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit())
}

/// The access key id at `key`, if there is one.
fn access_key<'r>(place: Json<'r>, key: &str) -> Option<&'r str> {
    place.text(key).filter(|text| is_access_key(text))
}

fn session(identity: Json<'_>) -> Session<'_> {
    let context = identity.get("sessionContext");
    let scope = identity.get("inScopeOf");
    Session {
        kind: identity.text("type"),
        key: access_key(identity, "accessKeyId"),
        arn: identity.text("arn"),
        principal_id: identity.text("principalId"),
        account: identity.text("accountId"),
        user_name: identity.text("userName"),
        invoked_by: identity.text("invokedBy"),
        created_at: time(context.get("attributes").get("creationDate")),
        issuer: context.get("sessionIssuer").text("arn"),
        source_identity: context.text("sourceIdentity"),
        provider: identity
            .text("identityProvider")
            .or_else(|| context.get("webIdFederationData").text("federatedProvider")),
        issued_to: scope.text("credentialsIssuedTo").or_else(|| scope.text("sourceArn")),
        on_behalf_of: identity.get("onBehalfOf").text("userId"),
        at_work: false,
    }
}
