//! The image exists, but access to it was taken away: by the repository's policy, a role's permissions, or
//! the KMS key.
//!
//! A pull that KMS refuses is answered with `failures[]`, which CloudTrail leaves out: it looks like any
//! other pull. So an unusable key explains a failed pull even if the logs have no refusal.

use super::{Case, sentence};
use crate::detect::AccessChange;
use crate::detect::{key_locked, keys_in_words};
use crate::model::{Cause, EventRef, KeyChange, Sentence, StepKind, Verdict, plural};
use crate::timeline::{EventNo, Image, KeyStep, RepositoryHistory};

/// What took access away.
#[derive(Clone, Copy)]
pub enum Taken {
    /// `SetRepositoryPolicy`, `DeleteRepositoryPolicy`.
    Policy(EventNo),
    /// IAM: the change of the caller's permissions, and the call that was refused since.
    Role(EventNo, EventNo),
    /// Its key is unusable, or the key's permissions were changed.
    Key(KeyStep),
    /// Its key was unusable for a while, until the second event.
    KeyOnce(KeyStep, EventNo),
    /// A pull that was refused and that nothing explains; whether KMS refused it.
    Refused(EventNo, bool),
}

/// What took access to an existing image; `None` if nothing indicates that. Without an image, access to any
/// image of the repository.
pub fn taken(case: Case<'_>, repository: &RepositoryHistory, image: Option<&Image>) -> Option<Taken> {
    let time = |event: EventNo| case.history.noted(event).time;
    let (then, later): (Vec<KeyStep>, Vec<KeyStep>) =
        repository.key_steps.iter().partition(|step| time(step.event) <= case.when.at);
    if let Some(step) = key_locked(&then) {
        let unlocked =
            later.iter().find(|step| matches!(step.change, KeyChange::Enabled | KeyChange::Imported));
        return Some(unlocked.map_or(Taken::Key(step), |unlocked| Taken::KeyOnce(step, unlocked.event)));
    }
    let steps = || image.into_iter().flat_map(|image| &image.steps);
    let failed_since = |change: EventNo| {
        steps().any(|step| step.kind == StepKind::PullFailed && time(step.event) >= time(change))
    };
    let speaks = |change: &EventNo| case.question.denied || failed_since(*change);
    let before = |event: &EventNo| time(*event) <= case.when.at;
    let pulled = |until: i64| steps().any(|step| step.kind == StepKind::Pull && time(step.event) < until);
    let takes = |event: &EventNo| {
        !crate::detect::is_set_up(case.history, repository, time(*event)) || pulled(time(*event))
    };
    let policy = repository.access_changes.iter().copied().rfind(|event| before(event) && takes(event));
    let policy = policy.filter(speaks).map(|event| (time(event), Taken::Policy(event)));
    let key = repository
        .key_steps
        .iter()
        .rfind(|step| keys_in_words(step.change).is_some() && !step.change.locks());
    let key = key.filter(|step| speaks(&step.event)).map(|step| (time(step.event), Taken::Key(*step)));
    let denied = steps()
        .rfind(|step| step.kind == StepKind::PullFailed && step.denied && before(&step.event))
        .map(|step| step.event);
    let role = denied.and_then(|call| {
        let changed =
            case.history.grants_of_caller(call).iter().copied().rfind(|event| time(*event) <= time(call))?;
        Some((time(changed), Taken::Role(changed, call)))
    });
    let latest = [policy, key, role].into_iter().flatten().max_by_key(|(time, _)| *time);
    let refused =
        steps().rfind(|step| step.kind == StepKind::PullFailed && step.denied).map(|step| step.event);
    // A later pull that succeeded shows that the refusal was over.
    let answered_since =
        |event: EventNo| steps().any(|step| step.kind == StepKind::Pull && time(step.event) > time(event));
    let refused = refused.filter(|&refused| case.question.denied || !answered_since(refused));
    let refused = refused.map(|event| Taken::Refused(event, repository.key_refusals.contains(&event)));
    latest.map(|(_, taken)| taken).or(refused).or_else(|| once(case, repository, image))
}

/// The key was unusable for a while, the text is about a refusal, and somebody asked for the image in that
/// time.
fn once(case: Case<'_>, repository: &RepositoryHistory, image: Option<&Image>) -> Option<Taken> {
    let time = |event: EventNo| case.history.noted(event).time;
    let unlocked = repository
        .key_steps
        .iter()
        .rposition(|step| !step.change.locks() && keys_in_words(step.change).is_none())?;
    let locked = repository.key_steps[..unlocked].iter().rfind(|step| step.change.locks())?;
    let (from, until) = (time(locked.event), time(repository.key_steps[unlocked].event));
    let asked = image.is_some_and(|image| {
        let pulled = |kind: StepKind| matches!(kind, StepKind::Pull | StepKind::PullFailed);
        image.steps.iter().any(|step| pulled(step.kind) && (from..until).contains(&time(step.event)))
    });
    (case.question.denied && asked).then(|| Taken::KeyOnce(*locked, repository.key_steps[unlocked].event))
}

/// The text is about a refusal, the image was pushed before the logs begin, and access to its repository
/// was taken away.
pub fn explain_absence(case: Case<'_>, repository: &RepositoryHistory, verdict: &mut Verdict) {
    let open = matches!(verdict.cause, Cause::Unknown | Cause::NeverPushedHere) && case.question.denied;
    if let Some(taken) = taken(case, repository, None).filter(|_| open) {
        verdict.cause = Cause::AccessTaken;
        verdict.narrative.push(taken.sentence(case, repository, None));
        verdict.advice.insert(0, taken.advice(case, repository));
        verdict
            .not_this
            .retain(|sentence| !sentence.text.starts_with(&format!("Not {}", Cause::AccessTaken.word())));
    }
}

/// Advice to restore access, in addition to other advice.
pub const GIVE_BACK: &str = "Look at the repository policy as well: without ecr:BatchGetImage and \
    ecr:GetDownloadUrlForLayer the image is refused when it is there again.";

/// The image is gone, and access to it was taken away as well: how to tell which of the two caused the
/// failure.
pub fn besides(case: Case<'_>, repository: &RepositoryHistory, image: &Image) -> Option<Sentence> {
    let time = |event: EventNo| case.history.noted(event).time;
    let change = repository.access_changes.iter().copied().rfind(|event| time(*event) <= case.when.at)?;
    let refused = image
        .steps
        .iter()
        .rfind(|step| step.kind == StepKind::PullFailed && step.denied && time(step.event) >= time(change));
    // A later pull that succeeded shows that the refusal was over.
    let answered = |since: EventNo| {
        image.steps.iter().any(|step| step.kind == StepKind::Pull && time(step.event) > time(since))
    };
    if !case.question.denied && refused.is_none_or(|step| answered(step.event)) {
        return None;
    }
    let (name, at) = (case.history.event(change).event_name, case.history.time(change));
    let seen =
        refused.map(|step| format!(", as one was at {}", case.history.time(step.event))).unwrap_or_default();
    let text = format!(
        "There may be a second cause: {} changed who may pull at {at} ({}). What tells them apart: a pull \
         that the policy refuses is logged with an error (AccessDenied){seen}, and one of an image that is \
         gone looks like any other.",
        crate::detect::who(case.history, change),
        name.raw()
    );
    Some(sentence(
        text,
        [change]
            .into_iter()
            .chain(refused.map(|step| step.event))
            .flat_map(|event| case.event(event))
            .collect(),
    ))
}

impl Taken {
    /// Another change of access before the failure, and how to tell which of the two caused it.
    fn or_else(
        self,
        case: Case<'_>,
        repository: &RepositoryHistory,
        image: Option<&Image>,
    ) -> Option<(String, EventNo)> {
        let time = |event: EventNo| case.history.noted(event).time;
        let told = |what: String, event: EventNo| {
            format!("{what} at {} by {}", case.history.time(event), crate::detect::who(case.history, event))
        };
        match self {
            Self::Key(step) | Self::KeyOnce(step, _) => {
                let before = |event: &EventNo| time(*event) <= case.when.at;
                let change = repository.access_changes.iter().copied().rfind(before)?;
                let refused = image.into_iter().flat_map(|image| &image.steps);
                let refused = refused
                    .filter(|step| {
                        step.kind == StepKind::PullFailed && step.denied && time(step.event) >= time(change)
                    })
                    .count();
                let seen = match refused {
                    0 => "and none of it is logged so, which speaks for the key".to_owned(),
                    refused => format!(
                        "and {} of it {} logged so, which speaks for the policy, too",
                        plural(refused, "pull"),
                        if refused == 1 { "is" } else { "are" }
                    ),
                };
                let _ = step;
                Some((
                    format!(
                        "There may be a second cause: {}. A pull that the policy refuses is logged with an \
                         error (AccessDenied), {seen}.",
                        told("who may pull was changed".to_owned(), change)
                    ),
                    change,
                ))
            }
            Self::Policy(event) => {
                let key = repository.key_steps.iter().rfind(|step| {
                    step.event != event
                        && keys_in_words(step.change).is_some()
                        && time(step.event) <= case.when.at
                })?;
                let what = keys_in_words(key.change).unwrap_or_default().trim_end_matches(',');
                Some((
                    format!(
                        "There may be a second cause: {}. A pull that the policy refuses is logged with an \
                         error (AccessDenied); one that the key stops looks like any other, and its message \
                         names KMS.",
                        told(format!("the KMS key of the repository {what}"), key.event)
                    ),
                    key.event,
                ))
            }
            Self::Role(changed, call) => {
                let before = |event: &EventNo| time(*event) <= case.when.at && *event != changed;
                let change = repository.access_changes.iter().copied().rfind(before)?;
                let _ = call;
                Some((
                    format!(
                        "There may be a second cause: {}. The message of the refusal names the policy that \
                         did not allow the call: identity-based is the caller's own, resource-based is the \
                         repository's.",
                        told("who may pull was changed".to_owned(), change)
                    ),
                    change,
                ))
            }
            Self::Refused(..) => None,
        }
    }

    fn event(self) -> EventNo {
        match self {
            Self::Policy(event) | Self::Role(event, _) | Self::Refused(event, _) => event,
            Self::Key(step) | Self::KeyOnce(step, _) => step.event,
        }
    }

    /// What explains the failure, with its evidence.
    pub fn sentence(self, case: Case<'_>, repository: &RepositoryHistory, image: Option<&Image>) -> Sentence {
        let event = case.history.event(self.event());
        let by = |_: &EventRef| crate::detect::who(case.history, self.event());
        let happened = |step: &KeyStep| {
            let what = keys_in_words(step.change).unwrap_or("was changed");
            format!(
                "The KMS key that encrypts the repository ({}) {what} at {} by {}",
                case.history.text(step.key),
                event.event_time,
                by(&event)
            )
        };
        let text = match self {
            Self::Policy(_) => {
                format!(
                    "{} changed who may pull from this repository at {} ({}), before the failure: the image \
                     is there, and access to it was taken.",
                    by(&event),
                    event.event_time,
                    event.event_name.raw()
                )
            }
            Self::Role(changed, call) => {
                let told = crate::detect::access_in_words(case.history, repository, changed, AccessChange::Role, call);
                format!("{told}, before the failure: the image is there, and access to it was taken.")
            }
            Self::Refused(_, true) => {
                "KMS refused a pull of it: the image is there, and the key that encrypts the repository could \
                 not be used for it.".to_owned()
            }
            Self::Refused(_, false) => {
                "A pull of it was refused for want of permission: the image is there, and whoever pulls may \
                 not have it.".to_owned()
            }
            Self::Key(step) if step.change.locks() => {
                format!(
                    "{}: what it encrypts is there, and nobody can pull it until the key can be used again. \
                     ECR tells that in its answer, so that the pull itself looks like any other in the \
                     logs.",
                    happened(&step)
                )
            }
            Self::Key(step) if step.is_certain => format!("{}: the image is there, and ECR may not decrypt it \
                any more.", happened(&step)),
            Self::Key(step) => format!("{}: the image is there, and if ECR lost the use of the key by that, \
                nobody can pull it.", happened(&step)),
            Self::KeyOnce(step, until) => {
                let until = case.history.time(until);
                format!("{}, and could be used again from {until} on: pulls in between were refused, and it \
                    can be pulled now.", happened(&step))
            }
        };
        let mut evidence = vec![event];
        if let Self::KeyOnce(_, until) = self {
            evidence.push(case.history.event(until));
        }
        let other = self.or_else(case, repository, image);
        evidence.extend(other.iter().flat_map(|(_, event)| case.event(*event)));
        let other = other.map(|(text, _)| format!(" {text}")).unwrap_or_default();
        sentence(format!("{text}{other}"), evidence)
    }

    /// What to do about it.
    pub fn advice(self, case: Case<'_>, repository: &RepositoryHistory) -> String {
        match self {
            Self::Role(_, call) => {
                crate::detect::advice_on_access(case.history, repository, AccessChange::Role, call)
            }
            Self::Policy(_) => {
                "Compare the repository policy before and after that call, and give back what the puller \
                 needs (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer)."
                    .to_owned()
            }
            Self::Key(step) => crate::detect::key_advice(case.history, repository, &step),
            Self::KeyOnce(_, until) => format!(
                "The key can be used again since {}: start anew what stopped.",
                case.history.time(until)
            ),
            Self::Refused(_, true) => "Look at the state of the repository's KMS key, its policy and its \
                grants (`aws ecr describe-repositories` names the key, `aws kms describe-key` tells its \
                state)."
                .to_owned(),
            Self::Refused(_, false) => {
                "Compare what the puller may do (its role, the repository policy, a VPC endpoint's policy) \
                 with what a pull needs: ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repository, \
                 ecr:GetAuthorizationToken."
                    .to_owned()
            }
        }
    }
}
