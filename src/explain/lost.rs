//! It was there, and it is gone: the three steps of the story.

use super::cause::of_loss;
use super::{Case, Known, against, sentence, used_by};
use crate::detect::{self, Why, restore, restore_under_way, rule_in_words, span, why};
use crate::model::{Cause, EventRef, Gone, Order, Reason, ReasonKind, Sentence, StepKind, Timestamp, Verdict};
use crate::timeline::{End, Loss};

pub fn verdict(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Verdict {
    let cause = of_loss(case, known, loss);
    if loss.presumed.is_some() {
        return presumed(case, known, loss, cause);
    }
    let mut verdict = case.blank(cause);
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, Some(loss.end == End::Archived));
    verdict.gone = Some(Gone { at: Timestamp::from_millis(loss.at), by: cause, event: case.history.event(loss.event) });
    verdict.why = case.finding(known, Some(loss));
    let why = why(case.history, known.repository, known.image, loss);
    verdict.narrative = vec![existence(case, known, loss), end(case, known, loss, &why), eligibility(case, known, loss, &why)];
    verdict.not_this = against::other_causes(case, known, Some(loss), cause);
    verdict.used_by = used_by::sentences(case, known, Some(loss));
    verdict.advice = advice(case, known, cause, &verdict, &why);
    verdict.reasons = why.reasons;
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

/// Its end is in no log, and follows from that of another image.
fn presumed(case: Case<'_>, known: Known<'_>, loss: &Loss, cause: Cause) -> Verdict {
    let history = case.history;
    let (at, digest) = (Timestamp::from_millis(loss.at), case.digest(known));
    let why = why(history, known.repository, known.image, loss);
    let mut verdict = case.blank(cause);
    verdict.repository = Some(history.repository(known.repository));
    verdict.exists = case.exists(known, None);
    verdict.exists.tag_exists = verdict.exists.tag_exists.filter(|exists| *exists);
    verdict.gone = Some(Gone { at, by: cause, event: history.event(loss.event) });
    verdict.why = case.finding(known, Some(loss));
    let push = known.image.steps.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    let pushed = push.map(|push| format!(" It came at {}.", history.time(push.event))).unwrap_or_default();
    let first = format!("{digest} most likely does not exist any more; no event of these logs says so by itself.{pushed}");
    let when = if cause == Cause::SubjectGone { format!("Most likely it was gone by {at}") } else { format!("Most likely it went soon after {at}") };
    let (own, others): (Vec<Reason>, Vec<Reason>) =
        why.reasons.iter().cloned().partition(|reason| matches!(reason.kind, ReasonKind::SubjectGone | ReasonKind::SourceGone));
    let text = |reasons: &[Reason]| reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join(" ");
    let events = |reasons: &[Reason]| reasons.iter().flat_map(|reason| reason.evidence.iter().cloned()).collect::<Vec<EventRef>>();
    let third = if others.is_empty() { "Nothing else is known of why that one went.".to_owned() } else { text(&others) };
    verdict.narrative = vec![
        sentence(first, push.map(|push| case.event(push.event)).unwrap_or_default()),
        sentence(format!("{when}. {}", text(&own)), events(&own)),
        sentence(third, events(&others)),
    ];
    verdict.not_this = against::other_causes(case, known, None, cause);
    verdict.used_by = used_by::sentences(case, known, Some(loss));
    verdict.unknown.push("How ECR logs this end is not documented: `aws ecr describe-images` tells whether the image is there.".to_owned());
    verdict.advice = why.advice;
    verdict.reasons = why.reasons;
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
fn end(case: Case<'_>, known: Known<'_>, loss: &Loss, why: &Why) -> Sentence {
    let event = case.history.event(loss.event);
    let at = Timestamp::from_millis(loss.at);
    let who = event.actor.as_ref().map_or("somebody", |actor| actor.raw()).to_owned();
    let text = match loss.end {
        End::Expired => format!("It went at {at}: {} expired it.", rule_in_words(case.history, loss)),
        End::Archived if loss.run.is_some() => {
            format!("It was archived at {at} by {}: it cannot be pulled until it is restored.", rule_in_words(case.history, loss))
        }
        End::Archived => format!("It was archived at {at} by {who} ({}): it cannot be pulled until it is restored.", event.event_name.raw()),
        End::DeletedByDigest => format!("It went at {at}: {who} deleted it by digest ({}), all its tags with it.", event.event_name.raw()),
        End::DeletedByLastTag => {
            format!("It went at {at}: {who} deleted its last tag ({}), and ECR removes an image with its last tag.", event.event_name.raw())
        }
        End::RepositoryDeleted => format!("It went at {at}: {who} deleted the whole repository."),
    };
    let put = why.of_kind(ReasonKind::PolicyPut);
    let text = put.map_or(text.clone(), |put| format!("{text} {}", put.text));
    let mut evidence: Vec<EventRef> =
        put.iter().flat_map(|put| put.evidence.iter().cloned()).filter(|other| other.event_id != event.event_id).collect();
    evidence.push(event);
    let Some(asked) = restore_under_way(known.image).filter(|_| loss.end == End::Archived) else { return sentence(text, evidence) };
    evidence.extend(case.event(asked));
    let (by, when) = (detect::caller(case.history, asked), case.history.time(asked));
    sentence(
        format!("{text} {by} asked for its restore at {when} (imageStatus ACTIVATING), and no event of these logs says that it is done."),
        evidence,
    )
}

/// Third: why was it eligible?
fn eligibility(case: Case<'_>, known: Known<'_>, loss: &Loss, why: &Why) -> Sentence {
    let tagged = if loss.displaced.is_none() { by_reasons(case, loss, why) } else { None };
    tagged.unwrap_or_else(|| with_count(without_tag(case, known, loss), why))
}

/// What came after an image without a tag, and what was changed since, where there is something to tell.
fn with_count(told: Sentence, why: &Why) -> Sentence {
    let kinds = [ReasonKind::Outnumbered, ReasonKind::PullTime, ReasonKind::ChangedSince];
    let more: Vec<&Reason> = kinds.iter().filter_map(|kind| why.of_kind(*kind)).collect();
    let texts: Vec<&str> = std::iter::once(told.text.as_str()).chain(more.iter().map(|reason| reason.text.as_str())).collect();
    let mut evidence = told.evidence.clone();
    for event in more.iter().flat_map(|reason| &reason.evidence) {
        if !evidence.contains(event) {
            evidence.push(event.clone());
        }
    }
    sentence(texts.join(" "), evidence)
}

/// It had no tag when it went, or no rule is behind its end.
fn without_tag(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
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

/// The reasons, but who put the policy: that stands in the second step.
fn by_reasons(case: Case<'_>, loss: &Loss, why: &Why) -> Option<Sentence> {
    let listed_tags = loss.run.as_ref().is_some_and(|run| !run.tags.is_empty());
    let reasons: Vec<&Reason> = why.reasons.iter().filter(|reason| reason.kind != ReasonKind::PolicyPut).collect();
    let own = reasons.iter().any(|reason| reason.kind != ReasonKind::ChangedSince);
    if !own || (loss.end == End::Expired && !listed_tags) {
        return None;
    }
    let tags: Vec<&str> = loss.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    let although =
        if loss.end == End::Expired { format!("It was eligible although tagged ({}).", tags.join(", ")) } else { "It was eligible.".to_owned() };
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    let mut evidence: Vec<EventRef> = reasons.iter().flat_map(|reason| reason.evidence.iter().cloned()).collect();
    evidence.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
    evidence.dedup_by(|a, b| a.event_id == b.event_id);
    Some(sentence(format!("{although} {}", texts.join(" ")), evidence))
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

/// Whether deletions are replicated is a setting of the rule.
fn replica(case: Case<'_>, known: Known<'_>, verdict: &Verdict) -> String {
    let at = verdict.gone.as_ref().map_or(i64::MAX, |gone| gone.at.millis());
    let deletions = match case.history.deletions_reach(known.repository, at) {
        Some(event) => format!("Lifecycle policies are not replicated; deletions are, since {}", case.history.time(event)),
        None => "Lifecycle policies are not replicated, nor are deletions by any rule in these logs".to_owned(),
    };
    format!("{deletions}: look at the copy's own policy, and pull from the source registry meanwhile.")
}

fn advice(case: Case<'_>, known: Known<'_>, cause: Cause, verdict: &Verdict, why: &Why) -> Vec<String> {
    if let Some(finding) = verdict.why.as_ref().and_then(|id| case.findings.iter().find(|finding| &finding.id == id)) {
        return finding.advice.clone();
    }
    if cause == Cause::Archived {
        return [vec![restore(case.history, known.repository, known.image)], why.advice.clone()].concat();
    }
    let text = match cause {
        Cause::RepositoryDeleted => "Build and push anew, or copy from a replica.",
        Cause::ReplicaMissing => return [why.advice.clone(), vec![replica(case, known, verdict)]].concat(),
        Cause::PullThroughCacheExpired => "Pull the tag again through the cache: it fetches the upstream image anew.",
        _ => "Deploy anew what refers to this digest, or push the very same image again.",
    };
    [why.advice.clone(), vec![text.to_owned()]].concat()
}
