//! "Not this, because …": the other causes, each with the evidence against it.

use super::{Case, Known, sentence};
use crate::model::{Cause, Sentence, StepKind};
use crate::timeline::{End, Loss};

/// For an image that is gone: why each cause other than `cause` is not it.
pub fn other_causes(case: Case<'_>, known: Known<'_>, loss: &Loss, cause: Cause) -> Vec<Sentence> {
    let ended = case.event(loss.event);
    let mut list = Vec::new();
    let mut add = |other: Cause, text: &str, evidence: Vec<_>| {
        if other != cause {
            list.push(sentence(format!("Not {}: {text}", other.word()), evidence));
        }
    };
    let expired = loss.end == End::Expired;
    if expired && loss.run.as_ref().is_some_and(|run| run.tags.is_empty()) {
        add(Cause::ExpiredWhileTagged, "the run lists the image as untagged.", ended.clone());
    } else if expired {
        add(Cause::TagMovedThenExpired, "the run lists tags on the image.", ended.clone());
    } else {
        add(Cause::TagMovedThenExpired, "no lifecycle run took it.", ended.clone());
        add(Cause::ExpiredWhileTagged, "no lifecycle run took it.", ended.clone());
    }
    if !matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag) {
        add(Cause::DeletedByDigest, "no BatchDeleteImage names it before it went.", Vec::new());
    }
    if loss.end != End::RepositoryDeleted {
        add(Cause::RepositoryDeleted, "no DeleteRepository was logged for this repository before it went.", Vec::new());
    }
    if loss.end != End::Archived {
        add(Cause::Archived, "its end was an expiry or a deletion, not a transition to the archive: it cannot be restored.", ended);
    }
    if let Some(push) = known.image.steps.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate)) {
        add(Cause::NeverPushedHere, "it was pushed to this very repository.", case.event(push.event));
    }
    match known.repository.access_changes.last() {
        Some(&change) if case.history.noted(change).time <= loss.at => {
            add(
                Cause::AccessTaken,
                "the last change of the repository policy lies before its end, and its end explains the failure.",
                case.event(change),
            );
        }
        _ => {
            add(Cause::AccessTaken, "the repository policy did not change before it went, and an image that is gone fails for everybody.", Vec::new())
        }
    }
    list
}
