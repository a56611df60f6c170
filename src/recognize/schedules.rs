//! EventBridge rules and schedules that run ECS tasks and Batch jobs: each run resolves the definition's
//! tag again.

use std::borrow::Cow;

use crate::decode::calls::SCHEDULES;
use crate::model::{Action, Need, NeedKind};

use super::json::Json;
use super::record::Record;
use super::{Meaning, names};

/// `PutTargets` and `RemoveTargets` name one rule and several of its targets, each by id; the other calls
/// are about all targets of a rule.
pub(super) fn rules<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let request = record.request;
    let name = request.any("rule").as_text().or_else(|| request.any("name").as_text())?;
    let bus = request
        .any("eventBusName")
        .as_text()
        .map(|bus| bus.rsplit('/').next().unwrap_or(bus))
        .filter(|bus| *bus != "default");
    let rule = names::arn(
        record,
        "events",
        &bus.map_or_else(|| "rule/".to_owned(), |bus| format!("rule/{bus}/")),
        name,
    )?;
    let refused: Vec<&str> = record
        .response
        .any("failedEntries")
        .items()
        .filter_map(|entry| entry.any("targetId").as_text())
        .collect();
    let who = |id: &str| (!refused.contains(&id)).then(|| Cow::Owned(format!("{rule} (target {id})")));
    let needs: Vec<Need<'r>> = match record.name {
        "PutTargets" => request
            .any("targets")
            .items()
            .filter_map(|target| Some(target_need(record, who(target.any("id").as_text()?)?, target)))
            .collect(),
        "RemoveTargets" => {
            let ids = request.any("ids").items().filter_map(Json::as_text);
            ids.filter_map(|id| Some(Need::new(NeedKind::Ends, who(id)?, Vec::new()))).collect()
        }
        // A disabled rule runs none of its targets, and an enabled one runs all of them again.
        "DisableRule" | "DeleteRule" => vec![Need::new(NeedKind::Ends, rule, Vec::new())],
        "EnableRule" => vec![Need::new(NeedKind::Asks, rule.clone(), Vec::new()).through([rule])],
        _ => return None,
    };
    (!needs.is_empty()).then_some((None, Action::Needs(needs)))
}

pub(super) fn schedules<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !SCHEDULES.contains(&record.name) {
        return None;
    }
    let request = record.request;
    let group = request.any("groupName").as_text().unwrap_or("default");
    let arn = record.response.any("scheduleArn").as_text().map(Cow::Borrowed);
    let who = arn.or_else(|| {
        names::arn(record, "scheduler", &format!("schedule/{group}/"), request.any("name").as_text()?)
    })?;
    let is_off = request.any("state").as_text() == Some("DISABLED");
    let need = match record.name {
        "DeleteSchedule" => Need::new(NeedKind::Ends, who, Vec::new()),
        _ if is_off => Need::new(NeedKind::Ends, who, Vec::new()),
        _ => target_need(record, who, request.any("target")),
    };
    Some((None, Action::Needs(vec![need])))
}

/// What a target runs; a target that runs neither tasks nor jobs needs no image any more.
fn target_need<'r>(record: &Record<'r>, who: Cow<'r, str>, target: Json<'r>) -> Need<'r> {
    let task = target.any("ecsParameters").any("taskDefinitionArn").as_text().map(Cow::Borrowed);
    let job = || {
        names::arn(
            record,
            "batch",
            "job-definition/",
            target.any("batchParameters").any("jobDefinition").as_text()?,
        )
    };
    match task.or_else(job) {
        Some(definition) => Need::new(NeedKind::Asks, who, Vec::new()).through([definition]),
        None => Need::new(NeedKind::Ends, who, Vec::new()),
    }
}
