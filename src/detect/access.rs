//! The image is there but nobody can pull it, because ECR cannot use the KMS key that encrypts its
//! repository.

use super::advice::{Shell, partition_region};
use super::story::{evidence, place};
use super::unexplained::references;
use super::{Detector, Subject, id};
use crate::model::{
    Finding, FindingKind, KeptImage, KeyChange, LostImage, Order, Severity, StepKind, Timestamp, Usage,
    plural,
};
use crate::timeline::{EventNo, History, KeyStep, RepositoryHistory, Step};

/// Reports every image that somebody asked for while its repository's key could not be used.
pub struct KeyLocked;

/// A change of a key that can keep ECR from using it, in words; `None` for changes that make the key usable
/// again.
pub fn keys_in_words(change: KeyChange) -> Option<&'static str> {
    Some(match change {
        KeyChange::Disabled => "was disabled",
        KeyChange::DeletionScheduled => "was scheduled for deletion, which disables it at once,",
        KeyChange::Deleted => "was deleted, or its material was,",
        KeyChange::PolicyChanged => "got another key policy",
        KeyChange::GrantEnded => "lost a grant",
        KeyChange::DeletionCancelled
        | KeyChange::Enabled
        | KeyChange::Imported
        | KeyChange::Granted
        | KeyChange::Aliased => return None,
    })
}

/// The change that leaves the key unusable at the end of the logs, if there is one. Cancelling a key's
/// deletion leaves it disabled.
pub fn key_locked(steps: &[KeyStep]) -> Option<KeyStep> {
    steps.iter().fold(None, |locked, step| match step.change {
        change if change.locks() => Some(*step),
        KeyChange::Enabled | KeyChange::Imported => None,
        _ => locked,
    })
}

/// The times in which the key could not be used: the change that began each, and its end in milliseconds.
pub(super) fn locked_stretches(history: &History, steps: &[KeyStep]) -> Vec<(KeyStep, i64)> {
    let mut stretches: Vec<(KeyStep, i64)> = Vec::new();
    let mut is_open = false;
    for step in steps {
        match step.change {
            change if change.locks() && !is_open => {
                stretches.push((*step, i64::MAX));
                is_open = true;
            }
            KeyChange::Enabled | KeyChange::Imported if is_open => {
                if let Some((_, until)) = stretches.last_mut() {
                    *until = history.noted(step.event).time;
                }
                is_open = false;
            }
            _ => {}
        }
    }
    stretches
}

/// Advice on how to make the key usable again.
pub fn key_advice(history: &History, repository: &RepositoryHistory, step: &KeyStep) -> String {
    let key = history.text(step.key);
    let region = partition_region(key).unwrap_or_default().to_owned();
    let kms = |call: &str| {
        Shell::new(&format!("aws kms {call}")).option("region", &region).option("key-id", key).to_text()
    };
    let was_called_off = repository
        .key_steps
        .iter()
        .any(|later| later.change == KeyChange::DeletionCancelled && later.event != step.event);
    match step.change {
        KeyChange::DeletionScheduled if !was_called_off => format!(
            "Call the deletion off before its waiting time of 7 to 30 days is over, and enable the key: `{} \
             && {}`. What a deleted key encrypts is lost for good.",
            kms("cancel-key-deletion"),
            kms("enable-key")
        ),
        KeyChange::Disabled | KeyChange::DeletionScheduled => {
            format!("Enable the key: `{}`.", kms("enable-key"))
        }
        KeyChange::Deleted => {
            "What the key encrypts cannot be read any more: push the images anew, into a repository that is \
             created with another key; imported material can be imported again."
                .to_owned()
        }
        KeyChange::PolicyChanged => format!(
            "Look at the key policy that is in force (`{}`), and give back what it took from the principals \
             that pull and from ECR's grants.",
            Shell::new("aws kms get-key-policy")
                .option("region", &region)
                .option("key-id", key)
                .option("policy-name", "default")
                .to_text()
        ),
        _ => format!(
            "See which grants are left (`{}`). ECR gets its grants when a repository is created: without \
             them, copy the images into a repository that is created anew with the key.",
            kms("list-grants")
        ),
    }
}

impl Detector for KeyLocked {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let steps = &subject.repository.key_steps;
        if steps.is_empty() {
            return;
        }
        for (locked, until) in locked_stretches(subject.history, steps) {
            let from = subject.history.noted(locked.event).time;
            let asked: Vec<&Step> =
                subject.image.steps.iter().filter(|step| asked_in_vain(subject, step, from, until)).collect();
            if !asked.is_empty() {
                found.push(finding(subject, &locked, until, &asked));
            }
        }
    }
}

/// Whether this step asked for the image while the image was there and the key was unusable.
fn asked_in_vain(subject: Subject<'_>, step: &Step, from: i64, until: i64) -> bool {
    let at = subject.history.noted(step.event).time;
    let gone = |loss: &crate::timeline::Loss| (loss.at..loss.until).contains(&at);
    let is_ask = matches!(step.kind, StepKind::Pull | StepKind::PullFailed)
        || (step.kind == StepKind::TaskStopped && step.denied);
    is_ask && at > from && at < until && !subject.image.losses.iter().any(gone)
}

/// "2 pulls of it and 1 task that asked for it".
pub(super) fn counted(pulls: usize, tasks: usize) -> String {
    let counts = [(pulls, "pull", " of it"), (tasks, "task", " that asked for it")];
    let counts: Vec<String> = counts
        .into_iter()
        .filter(|(number, ..)| *number > 0)
        .map(|(number, what, of)| plural(number, what) + of)
        .collect();
    counts.join(" and ")
}

fn finding(subject: Subject<'_>, locked: &KeyStep, until: i64, asked: &[&Step]) -> Finding {
    let (history, image) = (subject.history, subject.image);
    let (event, digest) = (history.event(locked.event), history.digest_or_zero(image.digest));
    let repository = history.repository(subject.repository);
    let last = asked.last().map_or(EventNo::NONE, |step| step.event);
    let (tasks, pulls): (Vec<&Step>, Vec<&Step>) =
        asked.iter().partition(|step| step.kind == StepKind::TaskStopped);
    let mut principals: Vec<_> =
        pulls.iter().filter_map(|step| history.log_text(history.noted(step.event).actor)).collect();
    principals.sort_unstable();
    principals.dedup();
    let mut tags: Vec<_> = image.tags.iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
    tags.sort_unstable();
    let asked_tag = asked.iter().find_map(|step| history.log_text(step.tag));
    let who = super::story::who(history, locked.event);
    let again =
        if until == i64::MAX { String::new() } else { format!(", until {}", Timestamp::from_millis(until)) };
    let advice = if until == i64::MAX {
        vec![key_advice(history, subject.repository, locked)]
    } else {
        vec!["The key can be used again: pull once more.".to_owned()]
    };
    Finding {
        id: id(subject),
        kind: FindingKind::AccessTaken,
        severity: Severity::Critical,
        tag: asked_tag.or_else(|| tags.into_iter().next()),
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: LostImage {
            digest: Some(digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            gone_at: None,
        },
        kept: KeptImage { digest: None },
        first_push: None,
        gap_seconds: None,
        order: Order::Observed,
        deletion: None,
        exposure_seconds: None,
        usage: Usage {
            pulls_after_gone: pulls.len() as u64,
            last_pull: pulls.last().map(|step| history.event(step.event)),
            principals,
            references: references(history, image, &tasks),
            ..Usage::default()
        },
        summary: format!(
            "In {}, {} is there, and {} cannot have worked: the KMS key that encrypts the repository {} at {} \
             by {who}{again}.",
            place(&repository),
            digest.short(),
            counted(pulls.len(), tasks.len()),
            keys_in_words(locked.change).unwrap_or_default(),
            event.event_time,
        ),
        advice,
        evidence: evidence(
            history,
            [locked.event]
                .into_iter()
                .chain(asked.first().map(|step| step.event))
                .chain(last.some())
                .collect(),
        ),
        second_push: event,
        repository,
    }
}
