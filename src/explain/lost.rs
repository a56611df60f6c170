//! It was there, and it is gone: the three steps of the story.

use super::cause::of_loss;
use super::{Case, Known, against, sentence, used_by};
use crate::detect::{rule_in_words, span};
use crate::model::{Cause, Gone, Order, Sentence, StepKind, Timestamp, Verdict};
use crate::timeline::{End, Loss};

pub fn verdict(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Verdict {
    let cause = of_loss(case, known, loss);
    let mut verdict = case.blank(cause);
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, Some(loss.end == End::Archived));
    verdict.gone = Some(Gone { at: Timestamp::from_millis(loss.at), by: cause, event: case.history.event(loss.event) });
    verdict.why = case.finding(known, Some(loss));
    verdict.narrative = vec![existence(case, known, loss), end(case, loss), eligibility(case, known, loss)];
    verdict.not_this = against::other_causes(case, known, Some(loss), cause);
    verdict.used_by = used_by::sentences(case, known, Some(loss));
    verdict.advice = advice(case, cause, &verdict);
    if loss.open_start {
        verdict.unknown.push("The image was pushed before the logs begin: widen --since to see who pushed it, and under which tags.".to_owned());
    }
    if let Some(displaced) = &loss.displaced
        && displaced.order == Order::Ambiguous
    {
        verdict.unknown.push("The two pushes of the tag fall into one second, and nothing tells which came last.".to_owned());
    }
    verdict
}

/// First: does it exist?
fn existence(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
    let digest = case.digest(known);
    let exists = case.exists(known, Some(false));
    let pushed = loss.pushed_at.map(|at| format!(" It was pushed at {}.", Timestamp::from_millis(at))).unwrap_or_default();
    let tag = case.question.about.tag().unwrap_or_default();
    let there = match (exists.tag_exists, exists.tag_points_to) {
        (Some(true), Some(other)) if other != digest => format!("Tag {tag} exists, and points to {other}; {digest} itself does not exist any more."),
        _ if loss.end == End::Archived => format!("{digest} exists, and it is archived: a pull gets \"not found\", as if it did not."),
        (Some(false), _) => format!("Neither tag {tag} nor {digest} exists any more."),
        _ => format!("{digest} does not exist any more."),
    };
    let mut evidence = case.event(loss.event);
    let life = known.image.steps.get(loss.first_step as usize..=loss.end_step as usize).unwrap_or_default();
    let push = life.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    evidence.extend(push.into_iter().flat_map(|push| case.event(push.event)));
    sentence(format!("{there}{pushed}"), evidence)
}

/// Second: when did it go, and by what?
fn end(case: Case<'_>, loss: &Loss) -> Sentence {
    let event = case.history.event(loss.event);
    let at = Timestamp::from_millis(loss.at);
    let who = event.actor.as_ref().map_or("somebody", |actor| actor.raw()).to_owned();
    let text = match loss.end {
        End::Expired => format!("It went at {at}: the lifecycle policy's {} expired it.", rule_in_words(case.history, loss)),
        End::Archived if loss.run.is_some() => {
            format!(
                "It was archived at {at} by the lifecycle policy's {}: it cannot be pulled until it is restored.",
                rule_in_words(case.history, loss)
            )
        }
        End::Archived => format!("It was archived at {at} by {who} ({}): it cannot be pulled until it is restored.", event.event_name.raw()),
        End::DeletedByDigest => format!("It went at {at}: {who} deleted it by digest ({}), all its tags with it.", event.event_name.raw()),
        End::DeletedByLastTag => {
            format!("It went at {at}: {who} deleted its last tag ({}), and ECR removes an image with its last tag.", event.event_name.raw())
        }
        End::RepositoryDeleted => format!("It went at {at}: {who} deleted the whole repository."),
    };
    sentence(text, vec![event])
}

/// Third: why was it eligible?
fn eligibility(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
    if let Some(displaced) = &loss.displaced {
        let by = case.history.digest_or_zero(displaced.by);
        let second = case.history.event(displaced.second_push);
        let who = |event: &crate::model::EventRef| event.actor.as_ref().map_or_else(|| "somebody".to_owned(), |actor| actor.raw().to_owned());
        let tag = case.history.text(displaced.tag);
        let first = displaced.first_push.some().map(|event| case.history.event(event));
        let pair = first.as_ref().map_or_else(
            || {
                format!(
                    "{} pushed {by} under tag {tag} at {}, and took it from this image, whose own push is not in the logs",
                    who(&second),
                    second.event_time
                )
            },
            |first| {
                let gap = span(second.event_time.seconds_since(first.event_time));
                format!(
                    "{} pushed it under tag {tag} at {}, and {gap} later {} pushed {by} under the same tag, which left this image untagged",
                    who(first),
                    first.event_time,
                    who(&second)
                )
            },
        );
        let evidence = first.into_iter().chain([second]).collect();
        return sentence(format!("It was eligible because {pair}{}.", grace(loss)), evidence);
    }
    let tags: Vec<&str> = loss.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    let text = match loss.end {
        End::Expired if loss.run.as_ref().is_some_and(|run| !run.tags.is_empty()) => {
            format!("It was eligible although tagged ({}): the rule counts or ages tagged images, too.", tags.join(", "))
        }
        End::Expired if known.repository.parents.contains_key(&known.image.digest) => {
            "It was eligible because it is part of an index and has no tag of its own: once its index is gone, an untagged rule takes it.".to_owned()
        }
        End::Expired => {
            "It was eligible because it had no tag; how it lost it, or that it never had one, happened before the logs begin or was not logged."
                .to_owned()
        }
        End::Archived if loss.run.is_some() => {
            "It was eligible because it matches the rule; archiving answers a pull with 404, like a deletion.".to_owned()
        }
        _ => "No rule had a part in it: it was a call, and whoever may make it can repeat it.".to_owned(),
    };
    sentence(text, case.event(loss.event))
}

/// Age counts from the push: an image that is older than the rule's age when it loses its tag goes at the next run.
fn grace(loss: &Loss) -> String {
    match (loss.untagged_at, loss.pushed_at) {
        (Some(untagged), Some(pushed)) if loss.at - untagged < 86_400_000 && untagged - pushed >= 86_400_000 => {
            "; no grace: age counts from the push, so the very next run took it".to_owned()
        }
        _ => String::new(),
    }
}

fn advice(case: Case<'_>, cause: Cause, verdict: &Verdict) -> Vec<String> {
    if let Some(finding) = verdict.why.as_ref().and_then(|id| case.findings.iter().find(|finding| &finding.id == id)) {
        return finding.advice.clone();
    }
    let text = match cause {
        Cause::Archived => "Restore it: `aws ecr update-image-storage-class --target-storage-class STANDARD`; it takes up to about 20 minutes.",
        Cause::RepositoryDeleted => "Build and push anew, or copy from a replica.",
        Cause::ReplicaMissing => {
            "Lifecycle policies and deletions are not replicated: look at the copy's own policy, and pull from the source registry meanwhile."
        }
        Cause::PullThroughCacheExpired => "Pull the tag again through the cache: it fetches the upstream image anew.",
        _ => "Deploy anew what refers to this digest, or push the very same image again.",
    };
    vec![text.to_owned()]
}
