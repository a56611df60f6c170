//! KMS: what makes a key unusable or usable again. ECR uses a repository's key through grants that it gets
//! when the repository is created.
//!
//! Only these calls are read: KMS logs every use of every key, which is not needed here.

use std::borrow::Cow;

use crate::model::{Action, KeyChange, KeyEvent, RepositoryRef};

use super::identity::RepositoryArn;
use super::json::Json;
use super::record::Record;
use super::{Meaning, names};

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let change = match record.name {
        "DisableKey" => KeyChange::Disabled,
        "EnableKey" => KeyChange::Enabled,
        "ScheduleKeyDeletion" => KeyChange::DeletionScheduled,
        "CancelKeyDeletion" => KeyChange::DeletionCancelled,
        "DeleteKey" | "DeleteImportedKeyMaterial" => KeyChange::Deleted,
        "ImportKeyMaterial" => KeyChange::Imported,
        "PutKeyPolicy" => KeyChange::PolicyChanged,
        "CreateGrant" => KeyChange::Granted,
        "RevokeGrant" | "RetireGrant" => KeyChange::GrantEnded,
        "CreateAlias" | "UpdateAlias" => KeyChange::Aliased,
        _ => return None,
    };
    let (repository, about) = match change {
        KeyChange::Granted => {
            let context = record.request.get("constraints");
            let subset = [context.get("encryptionContextSubset"), context.get("encryptionContextEquals")];
            let repository =
                subset.iter().find_map(|subset| subset.text("aws:ecr:arn")).and_then(RepositoryArn::parse)?;
            (Some(repository), record.response.text("grantId").map(Cow::Borrowed))
        }
        KeyChange::GrantEnded => (None, record.request.text("grantId").map(Cow::Borrowed)),
        KeyChange::Aliased => (None, Some(named(record, record.request.text("aliasName")?)?)),
        _ => (None, None),
    };
    let repository = repository.map(|arn| RepositoryRef {
        registry_id: Cow::Borrowed(arn.account),
        region: Cow::Borrowed(arn.region),
        name: Cow::Borrowed(arn.name),
    });
    Some((repository, Action::Key(KeyEvent { key: key(record)?, change, about })))
}

/// ARN of the key, from any place of the record.
fn key<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    let is_key = |text: &&str| text.contains(":key/");
    let listed =
        || record.resources.items().find_map(|resource| resource.any("arn").as_text().filter(is_key));
    let places =
        [record.response.text("keyId"), record.response.text("keyArn"), record.details.text("keyId")];
    if let Some(arn) = places.into_iter().flatten().find(|text| is_key(text)).or_else(listed) {
        return Some(Cow::Borrowed(arn));
    }
    named(
        record,
        record
            .request
            .text("keyId")
            .or_else(|| record.request.text("targetKeyId"))
            .or_else(|| record.details.text("keyId"))?,
    )
}

/// The ARN for the name in a call: `alias/NAME`, a key's id, or an ARN.
pub(super) fn named<'r>(record: &Record<'r>, name: &'r str) -> Option<Cow<'r, str>> {
    names::arn(record, "kms", if name.starts_with("alias/") { "" } else { "key/" }, name)
}

/// The key that encrypts the repository: the response may have the ARN for another name in the request.
pub(super) fn of_repository<'r>(record: &Record<'r>) -> Option<Cow<'r, str>> {
    let stated = |place: Json<'r>| place.get("encryptionConfiguration").text("kmsKey");
    let (answered, asked) = (stated(record.response.get("repository")), stated(record.request));
    named(record, answered.filter(|key| key.contains(":key/")).or(asked).or(answered)?)
}
