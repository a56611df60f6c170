//! Questions about a repository and not an image in it: `RepositoryNotFoundException`, a policy that
//! denies.

use super::{About, Case, Registry, sentence, there};
use crate::model::{Cause, EventRef, Gone, StepKind, Timestamp, Verdict, caller_in_words, plural_verb};
use crate::timeline::RepositoryHistory;

pub(super) fn verdict(case: Case<'_>, repository: &RepositoryHistory) -> Verdict {
    let own = case.history.repository(repository);
    let name = format!("{} ({}, {})", own.name.raw(), own.registry_id.raw(), own.region.raw());
    let deleted = repository.deleted_by;
    let mut verdict = case.blank(match deleted {
        Some(_) => Cause::RepositoryDeleted,
        None => Cause::StillThere,
    });
    verdict.repository = Some(own);
    let there = repository.images.iter().filter(|image| image.is_alive()).count();
    match deleted {
        Some(event) => {
            let gone = case.history.event(event);
            verdict.narrative = vec![
                sentence(format!("Repository {name} was there, and is not any more."), Vec::new()),
                sentence(
                    format!("It was deleted at {}, by {}.", gone.event_time, by(case, repository, &gone)),
                    vec![gone.clone()],
                ),
                sentence("All of its images went with it.", Vec::new()),
            ];
            verdict.gone = Some(Gone {
                at: Timestamp::from_millis(case.history.noted(event).time),
                by: Cause::RepositoryDeleted,
                event: gone,
                back_at: None,
            });
            verdict.advice.push(
                "Create the repository again, and push what is needed; who deleted it may have a copy."
                    .to_owned(),
            );
        }
        None => {
            let steps = repository.images.iter().flat_map(|image| &image.steps);
            let last = steps
                .filter(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate | StepKind::Pull))
                .map(|step| step.event);
            let last = last.max_by_key(|event| case.history.noted(*event).time);
            let evidence: Vec<_> = last.map(|event| case.history.event(event)).into_iter().collect();
            verdict.narrative = vec![
                sentence(
                    format!(
                        "Repository {name} exists, as far as these logs go: {} there, and no deletion of it \
                         was logged.",
                        plural_verb(there, "image", ["of it is", "of it are"])
                    ),
                    evidence,
                ),
                there::no_event(case, repository),
                sentence(elsewhere(case), Vec::new()),
            ];
            verdict.advice.push(format!(
                "Compare account and region of the call with those of the repository: {} in {}. A call \
                 without a registry id asks that of the caller.",
                verdict.repository.as_ref().map_or("", |own| own.registry_id.raw()),
                verdict.repository.as_ref().map_or("", |own| own.region.raw()),
            ));
        }
    }
    if case.question.denied && deleted.is_none() {
        denied(case, repository, &mut verdict);
    }
    verdict
}

/// Where a call went that did not find the repository.
fn elsewhere(case: Case<'_>) -> String {
    let place = match (&case.question.about, &case.question.registry) {
        (About::Reference(_), _) => {
            return "A call that did not find it was made before it was created, or named it otherwise."
                .to_owned();
        }
        (_, Registry::Ecr { registry_id: Some(_), .. }) => "another region",
        _ => "another account or another region",
    };
    format!(
        "A call that did not find it went to {place}, where no repository has that name, or was made before \
         this one was created."
    )
}

/// The text is about a refusal, and names no image.
fn denied(case: Case<'_>, repository: &RepositoryHistory, verdict: &mut Verdict) {
    let change = repository.access_changes.last().copied();
    if change.is_some() {
        verdict.cause = Cause::AccessTaken;
    }
    let time = |event: crate::timeline::EventNo| case.history.noted(event).time;
    let steps = repository.images.iter().flat_map(|image| &image.steps);
    let refused = steps
        .filter(|step| step.kind == StepKind::PullFailed && step.denied)
        .map(|step| step.event)
        .max_by_key(|event| time(*event));
    let granted = refused.and_then(|call| {
        let changed =
            case.history.grants_of_caller(call).iter().copied().rfind(|event| time(*event) <= time(call))?;
        (change.is_none_or(|change| time(change) < time(changed))).then_some((changed, call))
    });
    if let Some((changed, call)) = granted {
        verdict.cause = Cause::AccessTaken;
        let told = crate::detect::access_in_words(
            case.history,
            repository,
            changed,
            crate::detect::AccessChange::Role,
            call,
        );
        if let Some(last) = verdict.narrative.get_mut(2) {
            *last = sentence(
                format!("{told}, and a pull of that caller was refused at {}.", case.history.time(call)),
                [changed, call].map(|event| case.history.event(event)).to_vec(),
            );
        }
        verdict.advice = vec![crate::detect::advice_on_access(
            case.history,
            repository,
            crate::detect::AccessChange::Role,
            call,
        )];
        return;
    }
    let third = match change {
        Some(event) => {
            let change = case.history.event(event);
            let text = format!(
                "Who may use it was changed last at {}, by {}: {}.",
                change.event_time,
                by(case, repository, &change),
                change.event_name.raw()
            );
            sentence(text, vec![change])
        }
        None => sentence(
            "Who may use it was not changed in these logs: the refusal comes from the caller's own policies, \
             or from a change before.",
            Vec::new(),
        ),
    };
    if let Some(last) = verdict.narrative.get_mut(2) {
        *last = third;
    }
    verdict.advice = vec![
        "Compare the caller's policies and the repository's policy with the action that was refused."
            .to_owned(),
    ];
}

fn by(case: Case<'_>, repository: &RepositoryHistory, event: &EventRef) -> String {
    let owner = case.history.repository(repository).registry_id;
    caller_in_words(event.actor.as_ref().map_or("", |actor| actor.raw()), owner.raw())
}
