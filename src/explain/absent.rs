//! The logs do not know the repository, or do not know the image in it: what that does and does not mean.

use std::collections::BTreeSet;

use super::{About, Case, sentence};
use crate::model::{Cause, Digest, EventRef, ImageReference, Repository, Sentence, StepKind, Verdict};
use crate::timeline::RepositoryHistory;

/// No event of the repository: wrong account, region or name, and which of them.
pub fn no_repository(case: Case<'_>) -> Verdict {
    let elsewhere = elsewhere(case);
    let mut verdict = case.blank(if elsewhere.is_empty() { Cause::Unknown } else { Cause::NeverPushedHere });
    let seen = case.history.repositories_seen();
    let (text, advice) = match &case.question.about {
        About::Reference(wanted) => mismatch(wanted, seen),
        About::Name { repository, .. } => (
            format!("No event in these logs names a repository {repository}{}.", similar(repository, seen)),
            "Check the name, or read the logs of the account and region that own it.".to_owned(),
        ),
        About::Digest(digest) => (
            format!("No event in these logs names {digest}."),
            "Give the whole reference, and read the logs of the account and region that own the repository, from before its push on.".to_owned(),
        ),
    };
    verdict.narrative.push(sentence(text, Vec::new()));
    verdict.narrative.extend(elsewhere);
    verdict.narrative.push(sentence(covered(case), Vec::new()));
    verdict.advice.push(advice);
    verdict
}

/// Which part of the reference does not fit what the logs hold.
fn mismatch(wanted: &ImageReference, seen: &[Repository]) -> (String, String) {
    let accounts: BTreeSet<&str> = seen.iter().map(|repository| repository.registry_id.raw()).collect();
    let regions: BTreeSet<&str> =
        seen.iter().filter(|repository| repository.registry_id == *wanted.registry_id).map(|repository| repository.region.raw()).collect();
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
    if !accounts.contains(&*wanted.registry_id) {
        let text = format!(
            "Wrong account: these logs say nothing about registry {}; they hold repositories of {}.",
            wanted.registry_id,
            or_none(list(&accounts))
        );
        return (text, format!("Read the trail of account {}.", wanted.registry_id));
    }
    if !regions.contains(&*wanted.region) {
        let text = format!(
            "Wrong region: for registry {} these logs say nothing about {}; they hold {}.",
            wanted.registry_id,
            wanted.region,
            list(&regions)
        );
        return (text, format!("Read the trail of region {}: CloudTrail logs ECR in the region of the repository.", wanted.region));
    }
    let text = format!(
        "Wrong repository: no event names {} in {} of {}{}.",
        wanted.repository,
        wanted.region,
        wanted.registry_id,
        similar(&wanted.repository, seen)
    );
    (text, "Check the name; if it is right, nothing was done to it in the time these logs cover: widen --since.".to_owned())
}

fn or_none(list: String) -> String {
    if list.is_empty() { "no account at all".to_owned() } else { list }
}

/// Names that share the last part, or contain one another.
fn similar(name: &str, seen: &[Repository]) -> String {
    let last = name.rsplit('/').next().unwrap_or(name);
    let close = |other: &&str| other.contains(last) || name.contains(*other);
    let names: BTreeSet<&str> = seen.iter().map(|repository| repository.name.raw()).filter(close).take(5).collect();
    if names.is_empty() { String::new() } else { format!("; similar: {}", names.into_iter().collect::<Vec<_>>().join(", ")) }
}

/// Where else the digest was pushed.
fn elsewhere(case: Case<'_>) -> Vec<Sentence> {
    let Some(digest) = case.question.about.digest() else { return Vec::new() };
    let Some(number) = case.history.find_digest(&digest) else { return Vec::new() };
    let pushed = |repository: &RepositoryHistory| -> Option<(Repository, EventRef)> {
        let image = repository.image(number)?;
        let push = image.steps.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate))?;
        Some((case.history.repository(repository), case.history.event(push.event)))
    };
    case.history.repositories().iter().filter_map(pushed).map(|(place, event)| pushed_at(&digest, &place, event)).collect()
}

fn pushed_at(digest: &Digest, place: &Repository, event: EventRef) -> Sentence {
    let text = format!(
        "{} was pushed to {} in {} of {}, at {}.",
        digest.short(),
        place.name.raw(),
        place.region.raw(),
        place.registry_id.raw(),
        event.event_time
    );
    sentence(text, vec![event])
}

fn covered(case: Case<'_>) -> String {
    let coverage = case.coverage;
    match (coverage.first_event_time, coverage.last_event_time) {
        (Some(first), Some(last)) => {
            format!("The logs read cover {first} to {last}, {} records in {} objects.", coverage.records, coverage.objects_read)
        }
        _ => "The logs read hold no events.".to_owned(),
    }
}

/// The repository is known, the image is not.
pub fn no_image(case: Case<'_>, repository: &RepositoryHistory) -> Verdict {
    let own = case.history.repository(repository);
    let elsewhere: Vec<Sentence> = elsewhere(case);
    let replicated = repository.images.iter().any(|image| image.steps.iter().any(|step| step.kind == StepKind::Replicate));
    let cause = match (elsewhere.is_empty(), replicated) {
        (false, true) => Cause::ReplicaMissing,
        (false, false) => Cause::NeverPushedHere,
        (true, _) => Cause::Unknown,
    };
    let mut verdict = case.blank(cause);
    let what =
        case.question.about.digest().map_or_else(|| format!("tag {}", case.question.about.tag().unwrap_or_default()), |digest| digest.to_string());
    let refused = repository
        .images
        .iter()
        .flat_map(|image| &image.steps)
        .find(|step| step.kind == StepKind::PushFailed && case.question.about.tag().is_some_and(|tag| case.history.text(step.tag) == tag));
    verdict.narrative.push(sentence(
        format!("The logs know repository {} and not {what}: no push, pull, expiry or deletion of it was logged there.", own.name.raw()),
        Vec::new(),
    ));
    if let Some(step) = refused {
        verdict.narrative.push(sentence("A push under that tag was refused.", case.event(step.event)));
    }
    verdict.narrative.extend(elsewhere);
    verdict.narrative.push(sentence(covered(case), Vec::new()));
    verdict.exists.tag_points_to = tag_holder(case, repository);
    verdict.exists.tag_exists = case.question.about.tag().and(verdict.exists.tag_points_to.map(|_| true));
    verdict.repository = Some(own);
    if !repository.gaps.is_empty() {
        let gap = format!(
            "{} event(s) of this repository had their content left out by CloudTrail: its push or its end may be among them.",
            repository.gaps.len()
        );
        verdict.unknown.push(gap);
    }
    verdict.unknown.push(match cause {
        Cause::Unknown => "Whether it was ever pushed here: its push may lie before the logs begin.".to_owned(),
        _ => "Whether it was pushed here before the logs begin.".to_owned(),
    });
    verdict.advice.push("Widen --since to before its push; check account, region and repository of the reference.".to_owned());
    verdict
}

fn tag_holder(case: Case<'_>, repository: &RepositoryHistory) -> Option<Digest> {
    let tag = case.history.find_string(case.question.about.tag()?)?;
    case.history.digest(repository.holder(tag)?.digest)
}
