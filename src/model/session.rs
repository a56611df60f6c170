//! The session of a caller, and the session that a call began: the parts of a record about credentials,
//! borrowed from it.

use std::borrow::Cow;

use super::{Event, Timestamp};

/// The parts of a record about sessions.
#[derive(Debug, Clone)]
pub struct SessionRecord<'r> {
    pub event: Event<'r>,
    /// `eventSource`.
    pub source: &'r str,
    pub caller: Session<'r>,
    /// The session that the call began; `None` for calls that begin none, and for those that failed.
    pub grant: Option<Grant<'r>>,
    /// `requestParameters.repositoryName`.
    pub repository: Option<&'r str>,
}

/// The caller of a record: `userIdentity`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Session<'r> {
    /// `type`: `IAMUser`, `AssumedRole`, `Root`, `AWSService` …
    pub kind: Option<&'r str>,
    /// `accessKeyId`, where it can be one: redacted logs have stars there.
    pub key: Option<&'r str>,
    pub arn: Option<&'r str>,
    /// `principalId`: `AROA…:SESSION` of a role's session.
    pub principal_id: Option<&'r str>,
    pub account: Option<&'r str>,
    pub user_name: Option<&'r str>,
    pub invoked_by: Option<&'r str>,
    /// `sessionContext.attributes.creationDate`: when the session began.
    pub created_at: Option<Timestamp>,
    /// `sessionContext.sessionIssuer.arn`: the role.
    pub issuer: Option<&'r str>,
    /// `sessionContext.sourceIdentity`.
    pub source_identity: Option<&'r str>,
    /// `identityProvider`, or `sessionContext.webIdFederationData.federatedProvider`.
    pub provider: Option<&'r str>,
    /// `inScopeOf.credentialsIssuedTo`, or its `sourceArn`: the function or the instance that a service
    /// obtained the credentials for.
    pub issued_to: Option<&'r str>,
    /// `onBehalfOf.userId`: a user of IAM Identity Center.
    pub on_behalf_of: Option<&'r str>,
    /// A service that works for somebody, here a build: then `principal_id` is the id of that work in the
    /// call that started it.
    pub at_work: bool,
}

/// A session that a call began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant<'r> {
    /// The access key id that it returned; a sign-in to the console returns none.
    pub key: Option<&'r str>,
    /// What records of the session will have as `principalId`.
    pub principal_id: Option<Cow<'r, str>>,
    /// What they will have as `arn`.
    pub arn: Option<Cow<'r, str>>,
    /// The role that was asked for.
    pub role: Option<&'r str>,
    pub session_name: Option<&'r str>,
    pub expires_at: Option<Timestamp>,
    pub source_identity: Option<&'r str>,
    /// Session tags, in their order.
    pub tags: Vec<(&'r str, &'r str)>,
    /// Keys of tags that pass on to the sessions that this one begins.
    pub transitive: Vec<&'r str>,
    /// Who vouches for the caller, of federation.
    pub provider: Option<&'r str>,
    /// Whom they vouch for.
    pub subject: Option<&'r str>,
    pub audience: Option<&'r str>,
    /// Who changed into the role in the console, where the record names the role itself as its caller.
    pub switched_from: Option<&'r str>,
}
