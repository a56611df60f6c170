//! Lifecycle runs (`PolicyExecutionEvent`) and previews (`DryRunEvent`).

use std::borrow::Cow;

use crate::model::{Action, Digest, ImageRun, LifecycleRule, PolicyRun, RunFailure};
use crate::recognize::image;
use crate::recognize::json::Json;
use crate::recognize::record::{self, Record};

/// A policy has at most 50 rules. This higher limit only bounds the cost of a hostile record: a rule takes
/// two bytes of text (`{}`) but 300 in memory.
const RULES_MAX: usize = 1000;

/// A run, or part of one. A run that took nothing has an empty list. An event *without* a list does not
/// tell what the run took (such events are known from 2022), nor does one whose entries all lack a digest.
pub(super) fn execution<'r>(record: &Record<'r>) -> Action<'r> {
    let actions = record.details.get("lifecycleEventImageActions");
    let run = policy_run(record);
    let unreadable = run.images.is_empty() && actions.items().next().is_some();
    if !actions.is_array() || unreadable { Action::Omitted } else { Action::PolicyRun(run) }
}

/// A preview whose content CloudTrail left out tells nothing, and a preview deletes nothing.
pub(super) fn preview<'r>(record: &Record<'r>) -> Option<Action<'r>> {
    record.details.is_object().then(|| Action::PolicyPreview(policy_run(record)))
}

fn policy_run<'r>(record: &Record<'r>) -> PolicyRun<'r> {
    let details = record.details;
    let taken = details.get("lifecycleEventImageActions");
    let images: Vec<ImageRun<'_>> = taken.items().filter_map(image_run).collect();
    let illegible = images.len() < taken.items().count();
    PolicyRun {
        rules: details
            .get("lifecycleEventPolicy")
            .get("lifecycleEventRules")
            .items()
            .take(RULES_MAX)
            .filter_map(rule)
            .collect(),
        images,
        failures: details.get("lifecycleEventFailureDetails").items().filter_map(run_failure).collect(),
        evaluated_before: record::time(details.get("lifecycleEventPolicy").get("lastEvaluatedAt")),
        illegible,
    }
}

/// A rule in the event's prose ("Time since image pushed"). Without a priority no image of the run can
/// refer to it, so it is left out.
fn rule(entry: Json<'_>) -> Option<LifecycleRule<'_>> {
    let selection = entry.get("lifecycleEventSelection");
    let words = |key: &str| selection.text(key).map(Cow::Borrowed);
    Some(LifecycleRule {
        priority: entry.get("rulePriority").as_integer()?,
        description: entry.text("description").map(Cow::Borrowed),
        action: action(entry),
        tag_status: words("tagStatus"),
        tag_prefix_list: texts(selection.get("tagPrefixList")),
        tag_pattern_list: texts(selection.get("tagPatternList")),
        count_type: words("countType"),
        count_unit: words("countUnit"),
        count_number: selection.get("countNumber").as_integer(),
        storage_class: words("storageClass").or_else(|| entry.text("targetStorageClass").map(Cow::Borrowed)),
    })
}

/// `"expire"`, or the policy's own form `{"type": "expire"}`.
fn action(entry: Json<'_>) -> Cow<'_, str> {
    let action = entry.get("action");
    let text = action.as_text().or_else(|| action.text("type")).unwrap_or_default();
    if text.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(text.to_ascii_lowercase())
    } else {
        Cow::Borrowed(text)
    }
}

fn texts(list: Json<'_>) -> Vec<Cow<'_, str>> {
    list.items().filter_map(|item| item.as_text()).map(Cow::Borrowed).collect()
}

fn image_run(entry: Json<'_>) -> Option<ImageRun<'_>> {
    let image = entry.get("lifecycleEventImage");
    Some(ImageRun {
        digest: image::digest(image, "digest")?,
        rule_priority: entry.get("rulePriority").as_integer(),
        tag_status: image.text("tagStatus").map(Cow::Borrowed),
        tags: texts(image.get("tagList")),
        has_tag_list: image.get("tagList").is_array(),
        // Milliseconds since 1970, though ECR gives whole seconds.
        pushed_at: record::time(image.get("pushedAt")),
    })
}

fn run_failure(entry: Json<'_>) -> Option<RunFailure<'_>> {
    Some(RunFailure {
        image: image_run(entry)?,
        code: entry.text("failureCode").map(Cow::Borrowed),
        parents: Digest::all_in(entry.text("failureReason").unwrap_or_default()).collect(),
    })
}
