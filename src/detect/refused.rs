//! The image is there, but a change of permissions keeps somebody from pulling it.

use std::collections::{BTreeMap, HashMap};

use super::access::{counted, key_advice, keys_in_words};
use super::early::was_created;
use super::story::{evidence, place, role, who};
use super::unexplained::{frame, references, shown};
use super::{Detector, Subject, id};
use crate::model::{
    DAY_MILLIS, Finding, FindingKind, HOUR_MILLIS, IamPrincipal, LostImage, Severity, StepKind, Timestamp,
    Usage,
};
use crate::timeline::{EventNo, History, Image, KeyStep, RepositoryHistory, Step};

/// Reports pulls that fail since the repository's policy, a role's permissions, or the policy and grants of
/// its KMS key were changed.
///
/// A refusal alone does not show a change: most are attempts without a permission. It counts where the
/// caller, or others of its account, could pull before. Otherwise it counts only if it came within a week
/// of the change, and then is never critical.
pub struct AccessRefused;

/// A caller that never pulled before may have lost access by a change at most so long before its refusal.
const SOON_MILLIS: i64 = 7 * DAY_MILLIS;
/// Changes within this time after a repository's creation set it up; they take access from nobody.
const SET_UP_MILLIS: i64 = HOUR_MILLIS;

/// The kind of change that took access away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    /// `SetRepositoryPolicy`, `DeleteRepositoryPolicy`.
    Policy,
    /// The permissions of the caller's own role.
    Role,
    /// The KMS key's policy or one of its grants; index into the steps of the key.
    Key(usize),
}

/// A change before a refusal, and how severe that makes it.
#[derive(Debug, Clone, Copy)]
pub struct Change {
    pub at: i64,
    pub event: EventNo,
    pub what: What,
    severity: Severity,
}

/// Pulls that succeeded, by role, in order of time.
pub struct Answered<'h> {
    by_role: HashMap<&'h str, Vec<i64>>,
    /// The first successful pull of each account.
    by_account: HashMap<&'h str, i64>,
}

impl<'h> Answered<'h> {
    pub fn of(history: &'h History, image: &Image) -> Self {
        let mut answered = Self { by_role: HashMap::new(), by_account: HashMap::new() };
        for step in image.steps.iter().filter(|step| step.kind == StepKind::Pull) {
            let noted = history.noted(step.event);
            let actor = history.text(noted.actor);
            answered.by_role.entry(role(actor)).or_default().push(noted.time);
            if let Some(principal) = IamPrincipal::of(actor) {
                answered.by_account.entry(principal.account).or_insert(noted.time);
            }
        }
        answered.by_role.values_mut().for_each(|times| times.sort_unstable());
        answered
    }

    /// Whether the role pulled successfully between the two moments.
    fn within(&self, role: &str, from: i64, until: i64) -> bool {
        let Some(times) = self.by_role.get(role) else { return false };
        times.get(times.partition_point(|time| *time < from)).is_some_and(|time| *time < until)
    }

    /// Whether the caller refused by `step` could pull before, and cannot since.
    pub fn lost_it(&self, history: &History, step: &Step) -> bool {
        let noted = history.noted(step.event);
        let role = role(history.text(noted.actor));
        self.within(role, i64::MIN, noted.time) && !self.within(role, noted.time + 1, i64::MAX)
    }
}

/// Whether the step is a pull or a task that was refused for lack of permission.
pub fn is_refused(step: &Step) -> bool {
    step.denied && matches!(step.kind, StepKind::PullFailed | StepKind::TaskStopped)
}

impl Detector for AccessRefused {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        if !subject.image.steps.iter().any(is_refused) {
            return;
        }
        let answered = Answered::of(subject.history, subject.image);
        let mut by_change: BTreeMap<(i64, EventNo, What), (Severity, Vec<&Step>)> = BTreeMap::new();
        for step in subject.image.steps.iter().filter(|step| is_refused(step)) {
            if let Some(Change { at, event, what, severity }) = reason(subject, &answered, step) {
                let (worst, refused) = by_change.entry((at, event, what)).or_insert((severity, Vec::new()));
                *worst = (*worst).min(severity);
                refused.push(step);
            }
        }
        found.extend(by_change.into_iter().map(|((_, event, what), (severity, refused))| {
            finding(subject, event, what, severity, &refused)
        }));
    }
}

/// The change that most likely caused the refusal: the last one before it that could, and after which the
/// caller never pulled successfully.
pub fn reason(subject: Subject<'_>, answered: &Answered<'_>, step: &Step) -> Option<Change> {
    let Subject { history, repository, image, .. } = subject;
    let noted = history.noted(step.event);
    let (at, caller) = (noted.time, history.text(noted.actor));
    if image.losses.iter().any(|loss| (loss.at..loss.until).contains(&at)) {
        return None;
    }
    let is_task = step.kind == StepKind::TaskStopped;
    // The caller has pulled successfully since: nobody is affected any more.
    if !is_task && answered.within(role(caller), at + 1, i64::MAX) {
        return None;
    }
    let by_key = repository.key_refusals.contains(&step.event);
    let time = |event: &EventNo| history.noted(*event).time;
    let last = |events: &[EventNo]| events.iter().copied().rfind(|event| time(event) <= at);
    let policy = last(&repository.access_changes)
        .filter(|event| !by_key && !is_set_up(history, repository, time(event)))
        .map(|event| (event, What::Policy));
    let grants = last(history.grants_of_caller(step.event))
        .filter(|_| !by_key && !is_task)
        .map(|event| (event, What::Role));
    let key = repository.key_steps.iter().rposition(|step| takes(step) && time(&step.event) <= at);
    let key = key.map(|place| (repository.key_steps[place].event, What::Key(place)));
    // A refusal by KMS looks like a success in CloudTrail, so a success does not rule out a change of the
    // key. Nor does a manifest that was served rule out a change that keeps the same caller from the
    // layers.
    let is_layer = history.text(noted.name) == "GetDownloadUrlForLayer";
    let void = |(event, what): &(EventNo, What)| {
        !is_task
            && !is_layer
            && !matches!(what, What::Key(_))
            && answered.within(role(caller), time(event) + 1, at)
    };
    let (event, what) = [policy, grants, key]
        .into_iter()
        .flatten()
        .filter(|change| !void(change))
        .max_by_key(|(event, _)| time(event))?;
    let severity = severity(history, repository, answered, step, time(&event), what)?;
    Some(Change { at: time(&event), event, what, severity })
}

/// Whether a change of a key can take it from one caller without locking it for all: [`super::access`]
/// reports the latter.
fn takes(step: &KeyStep) -> bool {
    keys_in_words(step.change).is_some() && !step.change.locks()
}

/// Whether a change of permissions belongs to the repository's creation.
pub fn is_set_up(history: &History, repository: &RepositoryHistory, at: i64) -> bool {
    was_created(history, repository, at)
        && repository
            .creations
            .iter()
            .any(|event| (0..=SET_UP_MILLIS).contains(&(at - history.noted(*event).time)))
}

/// How severe the refusal is; `None` if it does not show that the change took access.
fn severity(
    history: &History,
    repository: &RepositoryHistory,
    answered: &Answered<'_>,
    step: &Step,
    changed: i64,
    what: What,
) -> Option<Severity> {
    let noted = history.noted(step.event);
    let caller = history.text(noted.actor);
    let is_soon = noted.time - changed <= SOON_MILLIS;
    let could = match step.kind {
        StepKind::TaskStopped => is_soon || answered.by_role.values().any(|times| times[0] < changed),
        _ => {
            answered.within(role(caller), i64::MIN, changed) || repository.key_refusals.contains(&step.event)
        }
    };
    let account = IamPrincipal::of(caller).map(|principal| principal.account);
    let owner = history.repository(repository).registry_id;
    let of_account = account
        .filter(|account| *account != owner.raw())
        .and_then(|account| answered.by_account.get(account));
    match () {
        () if could => Some(Severity::Critical),
        () if what == What::Policy && of_account.is_some_and(|first| *first < changed) => {
            Some(Severity::High)
        }
        () if is_soon => Some(Severity::Medium),
        () => None,
    }
}

fn finding(
    subject: Subject<'_>,
    change: EventNo,
    what: What,
    severity: Severity,
    refused: &[&Step],
) -> Finding {
    let Subject { history, repository, image, .. } = subject;
    let (pulls, tasks): (Vec<&Step>, Vec<&Step>) =
        refused.iter().partition(|step| step.kind == StepKind::PullFailed);
    let last = pulls.last().map(|step| history.event(step.event));
    let mut usage = Usage {
        pulls_after_gone: pulls.len() as u64,
        last_pull: last,
        references: references(history, image, &tasks),
        ..Usage::default()
    };
    pulls.iter().for_each(|step| usage.add_principal(history.log_text(history.noted(step.event).actor)));
    let tag = refused.iter().rev().find_map(|step| history.log_text(step.tag));
    let were = if refused.len() == 1 { "was" } else { "were" };
    let before = match severity {
        Severity::Critical if pulls.is_empty() => "",
        Severity::Critical => "; the same callers could pull it before",
        Severity::High => "; callers of the same account could pull it before",
        _ => "; whether the same callers could pull it before is not in these logs",
    };
    let summary = format!(
        "In {}, {} is there, and {} {were} refused since {}{before}.",
        place(&history.repository(repository)),
        history.digest_or_zero(image.digest).short(),
        counted(pulls.len(), tasks.len()),
        in_words(history, repository, change, what, refused[0].event),
    );
    let advice = vec![advice(history, repository, what, refused[0].event)];
    let events = shown(refused.iter().map(|step| step.event)).into_iter().chain([change]).collect();
    Finding {
        id: id(subject),
        kind: FindingKind::AccessTaken,
        severity,
        tag: tag.or_else(|| image.tags.first().and_then(|(tag, _)| history.log_text(*tag))),
        lost: LostImage {
            digest: history.digest(image.digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            gone_at: None,
        },
        second_push: history.event(change),
        evidence: evidence(history, events),
        ..frame(history, repository, change, false, usage, summary, advice)
    }
}

/// Whose permissions were changed, in words.
fn role_name(history: &History, call: EventNo) -> &str {
    IamPrincipal::of(history.text(history.noted(call).actor)).map_or("the caller", |principal| principal.name)
}

/// "ci/build changed who may pull at … (SetRepositoryPolicy)".
pub fn in_words(
    history: &History,
    repository: &RepositoryHistory,
    change: EventNo,
    what: What,
    refused: EventNo,
) -> String {
    let event = history.event(change);
    let (by, at, name) = (who(history, change), event.event_time, event.event_name.raw().to_owned());
    match what {
        What::Policy => format!("{by} changed who may pull at {at} ({name})"),
        What::Role => format!("{by} changed what {} may do at {at} ({name})", role_name(history, refused)),
        What::Key(place) => {
            let change = repository
                .key_steps
                .get(place)
                .and_then(|step| keys_in_words(step.change))
                .unwrap_or("was changed");
            format!("the KMS key that encrypts the repository {change} at {at} by {by} ({name})")
        }
    }
}

/// Advice on how to give access back.
pub fn advice(history: &History, repository: &RepositoryHistory, what: What, refused: EventNo) -> String {
    match what {
        What::Policy => "Compare the repository policy before and after that call, and give back what the \
            puller needs (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer)."
            .to_owned(),
        What::Role => format!(
            "Give {} back what a pull needs: ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the \
             repository, and ecr:GetAuthorizationToken (for tasks of ECS: the policy \
             AmazonECSTaskExecutionRolePolicy).",
            role_name(history, refused)
        ),
        What::Key(place) => repository
            .key_steps
            .get(place)
            .map(|step| key_advice(history, repository, step))
            .unwrap_or_default(),
    }
}
