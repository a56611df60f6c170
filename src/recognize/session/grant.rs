//! Calls that begin a session: those that return credentials, whatever they are called, sign-ins to the
//! console, and starts of builds, which work in a session of their own.

use std::borrow::Cow;

use chrono::NaiveDateTime;

use crate::model::{Grant, Session, Timestamp};
use crate::recognize::json::Json;
use crate::recognize::record::{Record, time};

use super::access_key;

/// How CloudTrail writes the end of credentials: `Mar 6, 2025, 3:28:21 AM`, and until 2020 without the second
/// comma.
const EXPIRATIONS: &[&str] = &["%b %d, %Y, %I:%M:%S %p", "%b %d, %Y %I:%M:%S %p"];

/// How CodeBuild names the sessions of its builds; the build's id follows.
const BUILD: &str = "AWSCodeBuild-";

/// The session that a call began, if it did.
pub(super) fn of<'r>(record: &Record<'r>, caller: &Session<'r>, root: Json<'r>) -> Option<Grant<'r>> {
    match record.source {
        "signin.amazonaws.com" => return sign_in(record, caller, root),
        "codebuild.amazonaws.com" => return build(record),
        _ => {}
    }
    let credentials = credentials(record.response)?;
    let key = access_key(credentials, "accessKeyId");
    let (request, response) = (record.request, record.response);
    let (assumed, federated) = (response.get("assumedRoleUser"), response.get("federatedUser"));
    let mut grant = Grant {
        key,
        principal_id: assumed
            .text("assumedRoleId")
            .or_else(|| federated.text("federatedUserId"))
            .map(Cow::Borrowed),
        arn: assumed.text("arn").or_else(|| federated.text("arn")).map(Cow::Borrowed),
        role: request.text("roleArn"),
        session_name: request.text("roleSessionName").or_else(|| request.text("name")),
        expires_at: expiration(credentials.get("expiration")),
        source_identity: response.text("sourceIdentity").or_else(|| request.text("sourceIdentity")),
        tags: tags(request),
        transitive: request.get("transitiveTagKeys").items().filter_map(Json::as_text).collect(),
        provider: response.text("provider").or_else(|| response.text("issuer")).or(caller.provider),
        subject: response.text("subjectFromWebIdentityToken").or_else(|| response.text("subject")),
        audience: response.text("audience"),
        switched_from: None,
    };
    if matches!(caller.kind, Some("WebIdentityUser" | "SAMLUser")) {
        grant.subject = grant.subject.or(caller.user_name);
    }
    match record.name {
        // The session is the user's own.
        "GetSessionToken" => {
            grant.principal_id = caller.principal_id.map(Cow::Borrowed);
            grant.arn = caller.arn.map(Cow::Borrowed);
        }
        "AssumeRoot" => {
            if let Some(account) = request.text("targetPrincipal").map(account_of) {
                grant.principal_id = Some(Cow::Borrowed(account));
                grant.arn = Some(Cow::Owned(format!(
                    "arn:{}:iam::{account}:root",
                    crate::model::partition(record.region.unwrap_or_default())
                )));
            }
        }
        _ => {}
    }
    // Credentials without an owner, and without a key by which to recognise them, are of no use.
    (key.is_some() || grant.principal_id.is_some() || grant.arn.is_some()).then_some(grant)
}

/// The build for which CodeBuild obtains credentials, by the name of the session.
pub(super) fn build_at_work<'r>(caller: &Session<'r>, grant: &Grant<'r>) -> Option<&'r str> {
    let is_codebuild =
        caller.kind == Some("AWSService") && caller.invoked_by == Some("codebuild.amazonaws.com");
    grant.session_name.filter(|name| is_codebuild && name.starts_with(BUILD))
}

/// A build that was started: its actions are in a session with its id as name.
fn build<'r>(record: &Record<'r>) -> Option<Grant<'r>> {
    let build = record.response.get("build");
    let (_, id) = build.text("id")?.rsplit_once(':')?;
    matches!(record.name, "StartBuild" | "RetryBuild").then(|| Grant {
        principal_id: Some(Cow::Owned(format!("{BUILD}{id}"))),
        arn: build.text("arn").map(Cow::Borrowed),
        role: build.text("serviceRole"),
        subject: build.text("initiator"),
        ..Grant::default()
    })
}

/// Where an answer has credentials: STS's own place, that of IAM Roles Anywhere, and that of EKS Pod
/// Identity.
fn credentials(response: Json<'_>) -> Option<Json<'_>> {
    let set = || {
        response
            .get("credentialSet")
            .items()
            .map(|item| item.get("credentials"))
            .find(|found| found.is_object())
    };
    Some(response.get("credentials")).filter(|found| found.is_object()).or_else(set)
}

/// A sign-in to the console, and a change of the role there. They return no key: the session is known by its
/// owner and its beginning.
fn sign_in<'r>(record: &Record<'r>, caller: &Session<'r>, root: Json<'r>) -> Option<Grant<'r>> {
    let owner = || Grant {
        principal_id: caller.principal_id.map(Cow::Borrowed),
        arn: caller.arn.map(Cow::Borrowed),
        session_name: caller.arn.and_then(|arn| arn.rsplit_once('/')).map(|(_, name)| name),
        ..Grant::default()
    };
    let succeeded = record.response.text(record.name) == Some("Success");
    let grant = match record.name {
        // Of a role that came by federation, the sign-in is one more call of a session that was begun
        // elsewhere.
        "ConsoleLogin" if matches!(caller.kind, Some("IAMUser" | "Root")) => owner(),
        "SwitchRole" => {
            Grant { switched_from: root.get("additionalEventData").text("SwitchFrom"), ..owner() }
        }
        _ => return None,
    };
    (succeeded && (grant.principal_id.is_some() || grant.arn.is_some())).then_some(grant)
}

/// Tags are a list of pairs or, for federation, an object.
fn tags<'r>(request: Json<'r>) -> Vec<(&'r str, &'r str)> {
    let listed = request
        .get("tags")
        .items()
        .filter_map(|tag| Some((tag.text("key")?, tag.text("value").unwrap_or_default())));
    let named =
        request.get("principalTags").entries().filter_map(|(key, value)| Some((key, value.as_text()?)));
    let inherited = request
        .get("incomingTransitiveTags")
        .entries()
        .filter_map(|(key, value)| Some((key, value.as_text()?)));
    listed.chain(named).chain(inherited).collect()
}

/// `arn:aws:iam::111122223333:root`, or the account alone.
fn account_of(target: &str) -> &str {
    target.strip_prefix("arn:").and_then(|rest| rest.split(':').nth(3)).unwrap_or(target)
}

fn expiration(value: Json<'_>) -> Option<Timestamp> {
    let parsed = |text: &str| {
        // Java writes a narrow space before AM and PM.
        let plain: String =
            text.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
        let found = EXPIRATIONS.iter().find_map(|form| NaiveDateTime::parse_from_str(&plain, form).ok())?;
        Some(Timestamp::from_millis(found.and_utc().timestamp_millis()))
    };
    time(value).or_else(|| value.as_text().and_then(parsed))
}
