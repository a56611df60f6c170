//! EventBridge's own events, as opposed to CloudTrail's. An EventBridge rule may have collected them beside
//! an archive.
//!
//! *ECS Task State Change* has the full text of a failed pull. *ECR Replication Action* and *ECR Pull
//! Through Cache Action* report pushes that CloudTrail shows badly or not at all. *ECR Image Action*
//! repeats CloudTrail's `PutImage` and `BatchDeleteImage` under another id and up to seconds later; it
//! would move tags back, so it is left out.

use std::borrow::Cow;

use crate::model::{Action, Digest, Event, Push, PushOrigin, Recognized, RepositoryRef, Timestamp};

use super::json::Json;
use super::{Meaning, ecs, identity, record};

/// The meaning of a native event. It needs `time` and `detail-type`; a missing `id` is made from the text.
pub(super) fn recognize<'r>(root: Json<'r>, text: &str) -> Result<Option<Recognized<'r>>, String> {
    if !root.is_object() {
        return Err("not a JSON object".to_owned());
    }
    let name = root.text("detail-type").ok_or("no detail-type")?;
    let detail = root.get("detail");
    let meaning = match name {
        "ECS Task State Change" => ecs::native_task_state(detail).map(|action| (None, action)),
        "ECR Replication Action" => pushed(root, PushOrigin::Replication, detail.text("result")),
        "ECR Pull Through Cache Action" => {
            pushed(root, PushOrigin::PullThroughCache, detail.text("sync-status"))
        }
        _ => None,
    };
    let time = record::time(root.get("time")).ok_or("no time that can be read")?;
    Ok(meaning.map(|(repository, action)| Recognized {
        event: event(root, name, time, text),
        repository,
        action,
    }))
}

fn event<'r>(root: Json<'r>, name: &'r str, time: Timestamp, text: &str) -> Event<'r> {
    Event {
        id: record::event_id(root.text("id"), text),
        identity: record::told(
            root.text("id"),
            time,
            root.text("source").unwrap_or_default(),
            name,
            root.text("region"),
            root.text("account"),
        )
        .identity(text.as_bytes()),
        shared_id: None,
        time,
        name: Cow::Borrowed(name),
        recipient_account: Cow::Borrowed(root.text("account").unwrap_or_default()),
        region: Cow::Borrowed(root.text("region").unwrap_or_default()),
        actor: root.text("source").map(Cow::Borrowed),
        source_ip: None,
        user_agent: None,
        invoked_by: None,
        error_code: None,
        read_only: None,
        left_out: false,
        snapshot: false,
        addendum: None,
    }
}

/// A push that the registry made itself. `resources` names the destination, which for a replication is not
/// in the region that sent the event.
fn pushed<'r>(root: Json<'r>, origin: PushOrigin, result: Option<&str>) -> Option<Meaning<'r>> {
    result.filter(|result| *result == "SUCCESS")?;
    let detail = root.get("detail");
    let target = root.get("resources").items().find_map(identity::resource_arn);
    let repository = RepositoryRef {
        registry_id: Cow::Borrowed(target.map(|arn| arn.account).or_else(|| root.text("account"))?),
        region: Cow::Borrowed(target.map(|arn| arn.region).or_else(|| root.text("region"))?),
        name: Cow::Borrowed(target.map(|arn| arn.name).or_else(|| detail.text("repository-name"))?),
    };
    let digest = detail.text("image-digest").and_then(Digest::parse)?;
    let tag = detail.text("image-tag").map(Cow::Borrowed);
    Some((
        Some(repository),
        Action::Push(Push { digest, tag, origin, manifest: None, digest_mismatch: false }),
    ))
}
