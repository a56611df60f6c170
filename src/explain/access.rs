//! The image is there, and access to it was taken: by the repository's policy, or by its KMS key.
//!
//! A pull that KMS refuses is answered with `failures[]`, which CloudTrail leaves out: it looks like any other pull. So a key that is
//! unusable explains a failed pull without any refusal in the logs.

use super::{Case, sentence};
use crate::detect::{key_locked, keys_in_words};
use crate::model::{Cause, EventRef, KeyChange, Sentence, StepKind, Verdict};
use crate::timeline::{EventNo, Image, KeyStep, RepositoryHistory};

/// What took it.
#[derive(Clone, Copy)]
pub enum Taken {
    /// `SetRepositoryPolicy`, `DeleteRepositoryPolicy`.
    Policy(EventNo),
    /// Its key is unusable, or who may use it was changed.
    Key(KeyStep),
    /// Its key was unusable for a while, and is not any more since the second event.
    KeyOnce(KeyStep, EventNo),
    /// A pull that was refused, and nothing that explains why; whether KMS refused it.
    Refused(EventNo, bool),
}

/// What took access to an image that is there; `None` where nothing speaks for that. Without an image, of any in the repository.
pub fn taken(case: Case<'_>, repository: &RepositoryHistory, image: Option<&Image>) -> Option<Taken> {
    let time = |event: EventNo| case.history.noted(event).time;
    let (then, later): (Vec<KeyStep>, Vec<KeyStep>) = repository.key_steps.iter().partition(|step| time(step.event) <= case.when.at);
    if let Some(step) = key_locked(&then) {
        let unlocked = later.iter().find(|step| matches!(step.change, KeyChange::Enabled | KeyChange::Imported));
        return Some(unlocked.map_or(Taken::Key(step), |unlocked| Taken::KeyOnce(step, unlocked.event)));
    }
    let steps = || image.into_iter().flat_map(|image| &image.steps);
    let failed_since = |change: EventNo| steps().any(|step| step.kind == StepKind::PullFailed && time(step.event) >= time(change));
    let speaks = |change: &EventNo| case.question.denied || failed_since(*change);
    let policy = repository.access_changes.last().copied().filter(speaks).map(|event| (time(event), Taken::Policy(event)));
    let key = repository.key_steps.iter().rfind(|step| keys_in_words(step.change).is_some() && !step.change.locks());
    let key = key.filter(|step| speaks(&step.event)).map(|step| (time(step.event), Taken::Key(*step)));
    let latest = [policy, key].into_iter().flatten().max_by_key(|(time, _)| *time);
    let refused = steps().rfind(|step| step.kind == StepKind::PullFailed && step.denied).map(|step| step.event);
    // A pull that was answered later shows that the refusal was over.
    let answered_since = |event: EventNo| steps().any(|step| step.kind == StepKind::Pull && time(step.event) > time(event));
    let refused = refused.filter(|&refused| case.question.denied || !answered_since(refused));
    let refused = refused.map(|event| Taken::Refused(event, repository.key_refusals.contains(&event)));
    latest.map(|(_, taken)| taken).or(refused).or_else(|| once(case, repository, image))
}

/// The key was unusable for a while, the text speaks of a refusal, and somebody asked for the image in that time.
fn once(case: Case<'_>, repository: &RepositoryHistory, image: Option<&Image>) -> Option<Taken> {
    let time = |event: EventNo| case.history.noted(event).time;
    let unlocked = repository.key_steps.iter().rposition(|step| !step.change.locks() && keys_in_words(step.change).is_none())?;
    let locked = repository.key_steps[..unlocked].iter().rfind(|step| step.change.locks())?;
    let (from, until) = (time(locked.event), time(repository.key_steps[unlocked].event));
    let asked = image.is_some_and(|image| {
        let pulled = |kind: StepKind| matches!(kind, StepKind::Pull | StepKind::PullFailed);
        image.steps.iter().any(|step| pulled(step.kind) && (from..until).contains(&time(step.event)))
    });
    (case.question.denied && asked).then(|| Taken::KeyOnce(*locked, repository.key_steps[unlocked].event))
}

/// The text speaks of a refusal, the image was pushed before the logs begin, and access to its repository was taken.
pub fn explain_absence(case: Case<'_>, repository: &RepositoryHistory, verdict: &mut Verdict) {
    let open = matches!(verdict.cause, Cause::Unknown | Cause::NeverPushedHere) && case.question.denied;
    if let Some(taken) = taken(case, repository, None).filter(|_| open) {
        verdict.cause = Cause::AccessTaken;
        verdict.narrative.push(taken.sentence(case));
        verdict.advice.insert(0, taken.advice(case, repository));
        verdict.not_this.retain(|sentence| !sentence.text.starts_with(&format!("Not {}", Cause::AccessTaken.word())));
    }
}

impl Taken {
    fn event(self) -> EventNo {
        match self {
            Self::Policy(event) | Self::Refused(event, _) => event,
            Self::Key(step) | Self::KeyOnce(step, _) => step.event,
        }
    }

    /// What explains the failure, with its evidence.
    pub fn sentence(self, case: Case<'_>) -> Sentence {
        let event = case.history.event(self.event());
        let by = |event: &EventRef| event.actor.as_ref().map_or_else(|| "somebody".to_owned(), |actor| actor.raw().to_owned());
        let happened = |step: &KeyStep| {
            let what = keys_in_words(step.change).unwrap_or("was changed");
            format!("The KMS key that encrypts the repository ({}) {what} at {} by {}", case.history.text(step.key), event.event_time, by(&event))
        };
        let text = match self {
            Self::Policy(_) => {
                "Who may pull from this repository was changed before the failure: the image is there, and access to it was taken.".to_owned()
            }
            Self::Refused(_, true) => {
                "KMS refused a pull of it: the image is there, and the key that encrypts the repository could not be used for it.".to_owned()
            }
            Self::Refused(_, false) => {
                "A pull of it was refused for want of permission: the image is there, and whoever pulls may not have it.".to_owned()
            }
            Self::Key(step) if step.change.locks() => {
                format!(
                    "{}: what it encrypts is there, and nobody can pull it until the key can be used again. ECR tells that in its answer, so that the pull itself looks like any other in the logs.",
                    happened(&step)
                )
            }
            Self::Key(step) if step.is_certain => format!("{}: the image is there, and ECR may not decrypt it any more.", happened(&step)),
            Self::Key(step) => format!("{}: the image is there, and if ECR lost the use of the key by that, nobody can pull it.", happened(&step)),
            Self::KeyOnce(step, until) => {
                let until = case.history.time(until);
                format!("{}, and could be used again from {until} on: pulls in between were refused, and it can be pulled now.", happened(&step))
            }
        };
        let mut evidence = vec![event];
        if let Self::KeyOnce(_, until) = self {
            evidence.push(case.history.event(until));
        }
        sentence(text, evidence)
    }

    /// What to do about it.
    pub fn advice(self, case: Case<'_>, repository: &RepositoryHistory) -> String {
        match self {
            Self::Policy(_) => "Compare the repository policy before and after that call, and give back what the puller needs (ecr:BatchGetImage, ecr:GetDownloadUrlForLayer).".to_owned(),
            Self::Key(step) | Self::KeyOnce(step, _) => crate::detect::key_advice(case.history, repository, &step),
            Self::Refused(_, true) => "Look at the state of the repository's KMS key, its policy and its grants (`aws ecr describe-repositories` names the key, `aws kms describe-key` tells its state).".to_owned(),
            Self::Refused(_, false) => {
                "Compare what the puller may do (its role, the repository policy, a VPC endpoint's policy) with what a pull needs: ecr:BatchGetImage and ecr:GetDownloadUrlForLayer on the repository, ecr:GetAuthorizationToken.".to_owned()
            }
        }
    }
}
