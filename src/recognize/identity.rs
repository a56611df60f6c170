//! Which repository a record is about.
//!
//! The registry is the account that owns the repository: `requestParameters.registryId`, else the registry
//! named by the response, else the account in the repository's ARN, else the account whose trail the record
//! is in. The region is the record's, unless a repository ARN names another.

use std::borrow::Cow;

use crate::decode::spelling::is_placeholder;
use crate::model::RepositoryRef;

use super::json::Json;
use super::record::Record;

/// The repository of an ECR record; `None` if the record names none.
pub(super) fn repository<'r>(record: &Record<'r>) -> Option<RepositoryRef<'r>> {
    let arn = repository_arn(record);
    let name = named(record, "repositoryName")
        .or_else(|| record.details.text("repositoryName"))
        .or_else(|| arn.map(|arn| arn.name))
        .filter(|name| !is_placeholder(name))?;
    let registry_id = named(record, "registryId")
        .or_else(|| arn.map(|arn| arn.account))
        .or(record.recipient_account)
        .or_else(|| record.identity.text("accountId"))?;
    let region = arn.map(|arn| arn.region).or(record.region)?;
    Some(RepositoryRef {
        registry_id: Cow::Borrowed(registry_id),
        region: Cow::Borrowed(region),
        name: Cow::Borrowed(name),
    })
}

/// The value of `key` in the request, else in the places where a response may have it.
fn named<'r>(record: &Record<'r>, key: &str) -> Option<&'r str> {
    let response = record.response;
    [record.request, response.get("image"), response.get("repository"), response]
        .iter()
        .find_map(|place| place.text(key).filter(|name| !is_placeholder(name)))
}

/// The parts of `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.
#[derive(Clone, Copy)]
pub(super) struct RepositoryArn<'r> {
    pub region: &'r str,
    pub account: &'r str,
    pub name: &'r str,
}

impl<'r> RepositoryArn<'r> {
    /// `None` for the ARN of anything else, and for one with an empty part.
    pub fn parse(text: &'r str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(_partition), Some("ecr")) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let (region, account) = (parts.next()?, parts.next()?);
        let name = parts.next()?.strip_prefix("repository/")?;
        (!region.is_empty() && !account.is_empty() && !name.is_empty()).then_some(Self {
            region,
            account,
            name,
        })
    }

    /// The first repository ARN in a sentence: the message of an access error is the only place that names
    /// the repository.
    fn find(text: &'r str) -> Option<Self> {
        text.split([' ', '"', '\'', ',', '(', ')']).find_map(|word| Self::parse(word.trim_end_matches('.')))
    }
}

/// A repository ARN from any place of the record.
fn repository_arn<'r>(record: &Record<'r>) -> Option<RepositoryArn<'r>> {
    record
        .resources
        .items()
        .find_map(resource_arn)
        .or_else(|| record.details.text("repositoryArn").and_then(RepositoryArn::parse))
        .or_else(|| record.response.get("repository").text("repositoryArn").and_then(RepositoryArn::parse))
        .or_else(|| record.error_message.filter(|_| record.failed()).and_then(RepositoryArn::find))
}

/// The key is `ARN`, in other case in copies made by some tools. EventBridge lists bare strings.
pub(super) fn resource_arn(resource: Json<'_>) -> Option<RepositoryArn<'_>> {
    let keyed = || {
        resource
            .entries()
            .find(|(key, _)| key.eq_ignore_ascii_case("arn"))
            .and_then(|(_, value)| value.as_text())
    };
    resource.as_text().or_else(keyed).and_then(RepositoryArn::parse)
}
