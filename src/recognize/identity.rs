//! Which repository a record speaks about.
//!
//! The registry is the account that owns the repository: `requestParameters.registryId`, else the registry that the
//! response names, else the account in the repository's ARN, else the account in whose trail the record stands. The region
//! is the record's, unless a repository ARN names another one.

use std::borrow::Cow;

use crate::model::RepositoryRef;

use super::json::Json;
use super::record::Record;

/// The repository of an ECR record; `None` if nothing in it names one.
pub(super) fn repository<'r>(record: &Record<'r>) -> Option<RepositoryRef<'r>> {
    let arn = repository_arn(record);
    let name = named(record, "repositoryName").or_else(|| record.details.text("repositoryName")).or_else(|| arn.map(|arn| arn.name))?;
    let registry_id = named(record, "registryId")
        .or_else(|| arn.map(|arn| arn.account))
        .or(record.recipient_account)
        .or_else(|| record.identity.text("accountId"))?;
    let region = arn.map(|arn| arn.region).or(record.region)?;
    Some(RepositoryRef { registry_id: Cow::Borrowed(registry_id), region: Cow::Borrowed(region), name: Cow::Borrowed(name) })
}

/// `key` in the request, else wherever a response may have it.
fn named<'r>(record: &Record<'r>, key: &str) -> Option<&'r str> {
    let response = record.response;
    [record.request, response.get("image"), response.get("repository"), response].iter().find_map(|place| place.text(key))
}

/// The parts of `arn:PARTITION:ecr:REGION:ACCOUNT:repository/NAME`.
#[derive(Clone, Copy)]
pub(super) struct RepositoryArn<'r> {
    pub region: &'r str,
    pub account: &'r str,
    pub name: &'r str,
}

impl<'r> RepositoryArn<'r> {
    /// `None` for an ARN of anything else, or one with an empty part.
    pub fn parse(text: &'r str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let (Some("arn"), Some(_partition), Some("ecr")) = (parts.next(), parts.next(), parts.next()) else { return None };
        let (region, account) = (parts.next()?, parts.next()?);
        let name = parts.next()?.strip_prefix("repository/")?;
        (!region.is_empty() && !account.is_empty() && !name.is_empty()).then_some(Self { region, account, name })
    }

    /// The first repository ARN inside a sentence: an access error names the repository there and nowhere else.
    fn find(text: &'r str) -> Option<Self> {
        text.split([' ', '"', '\'', ',', '(', ')']).find_map(|word| Self::parse(word.trim_end_matches('.')))
    }
}

/// A repository ARN, from wherever the record has one.
fn repository_arn<'r>(record: &Record<'r>) -> Option<RepositoryArn<'r>> {
    record
        .resources
        .items()
        .find_map(resource_arn)
        .or_else(|| record.details.text("repositoryArn").and_then(RepositoryArn::parse))
        .or_else(|| record.response.get("repository").text("repositoryArn").and_then(RepositoryArn::parse))
        .or_else(|| record.error_message.filter(|_| record.failed()).and_then(RepositoryArn::find))
}

/// The key is `ARN`; copies made by other tools have it in other cases. EventBridge lists bare texts.
pub(super) fn resource_arn(resource: Json<'_>) -> Option<RepositoryArn<'_>> {
    let keyed = || resource.entries().find(|(key, _)| key.eq_ignore_ascii_case("arn")).and_then(|(_, value)| value.as_text());
    resource.as_text().or_else(keyed).and_then(RepositoryArn::parse)
}
