//! The image existed and was lost: the three steps of the answer.

use super::cause::of_loss;
use super::moment::{is_push, the_pull};
use super::removed::lower;
use super::there::{capital, exists, tagged};
use super::{Case, Known, access, against, sentence, used_by};
use crate::detect::{
    self, Subject, Why, advice, broken, came_back, heading, reason_without_tag, restore_under_way,
    rule_in_words, span, tag_of, why,
};
use crate::model::{
    Cause, DAY_MILLIS, EventRef, Gone, Order, Reason, ReasonKind, Sentence, StepKind, Timestamp, Verdict,
};
use crate::timeline::{DigestNo, End, EventNo, Image, Loss};

pub fn verdict(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Verdict {
    let cause = of_loss(case, known, loss);
    if loss.presumed.is_some() {
        return presumed(case, known, loss, cause);
    }
    let mut verdict = case.blank(cause);
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, exists(known.image));
    let back_at = loss.back_at.map(Timestamp::from_millis);
    verdict.gone = Some(Gone {
        at: Timestamp::from_millis(loss.at),
        by: cause,
        event: case.history.event(loss.event),
        back_at,
    });
    verdict.why = case.finding(known, Some(loss));
    let why = why(case.history, known.repository, known.image, loss);
    verdict.narrative = vec![
        existence(case, known, loss),
        end(case, known, loss, &why),
        explanation(case, known, loss, &why),
    ];
    verdict.not_this = against::other_causes(case, known, Some(loss), cause);
    verdict.used_by = used_by::sentences(case, known, Some(loss));
    if !loss.asked_later.is_empty() {
        let life = case.asked_tag().and_then(|tag| known.repository.tag_lives.get(&tag));
        verdict.used_by.extend(used_by::of_tag_since(case, life, loss.until));
    }
    verdict.advice = what_to_do(case, known, loss, &verdict, &why);
    verdict.reasons = why.reasons;
    if loss.open_start {
        verdict.unknown.push(
            "The image was pushed before the logs begin: widen --since to see who pushed it, and under which \
             tags."
                .to_owned(),
        );
    }
    if let Some(access) = access::besides(case, known.repository, known.image) {
        let last = verdict.narrative.len() - 1;
        let step = &mut verdict.narrative[last];
        step.text = format!("{} {}", step.text, access.text);
        step.evidence.extend(access.evidence);
        verdict
            .not_this
            .retain(|sentence| !sentence.text.starts_with(&format!("Not {}:", Cause::AccessTaken.word())));
        verdict.advice.push(access::GIVE_BACK.to_owned());
    }
    if let Some(displaced) = &loss.displaced
        && displaced.order == Order::Ambiguous
    {
        verdict.unknown.push(
            "The two pushes of the tag fall into one second, and nothing tells which came last.".to_owned(),
        );
    }
    verdict
}

/// No event shows its end; it was concluded from the end of another image.
fn presumed(case: Case<'_>, known: Known<'_>, loss: &Loss, cause: Cause) -> Verdict {
    let history = case.history;
    let (at, digest) = (Timestamp::from_millis(loss.at), case.digest(known));
    let why = why(history, known.repository, known.image, loss);
    let mut verdict = case.blank(cause);
    verdict.repository = Some(history.repository(known.repository));
    verdict.exists = case.exists(known, None);
    verdict.exists.tag_exists = verdict.exists.tag_exists.filter(|exists| *exists);
    verdict.gone = Some(Gone { at, by: cause, event: history.event(loss.event), back_at: None });
    verdict.why = case.finding(known, Some(loss));
    let push =
        known.image.steps.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    let pushed = push.map(|push| format!(" It came at {}.", history.time(push.event))).unwrap_or_default();
    let is_ahead = case.coverage.last_event_time.is_some_and(|end| at > end);
    let first = match is_ahead {
        true => format!(
            "{digest} most likely goes within a day, if it is not gone yet; no event of these logs says so by \
             itself.{pushed}"
        ),
        false => format!(
            "{digest} most likely does not exist any more; no event of these logs says so by itself.{pushed}"
        ),
    };
    let when = if is_ahead {
        format!("Most likely it is gone by {at}, after the end of these logs")
    } else if cause == Cause::SubjectGone {
        format!("Most likely it was gone by {at}")
    } else {
        format!("Most likely it went soon after {at}")
    };
    let (own, others): (Vec<Reason>, Vec<Reason>) = why
        .reasons
        .iter()
        .cloned()
        .partition(|reason| matches!(reason.kind, ReasonKind::SubjectGone | ReasonKind::SourceGone));
    let text =
        |reasons: &[Reason]| reasons.iter().map(|reason| reason.text.as_str()).collect::<Vec<_>>().join(" ");
    let events = |reasons: &[Reason]| {
        let mut events: Vec<EventRef> = Vec::new();
        for event in reasons.iter().flat_map(|reason| &reason.evidence) {
            if !events.contains(event) {
                events.push(event.clone());
            }
        }
        events
    };
    let third = if others.is_empty() {
        "Nothing else is known of why that one went.".to_owned()
    } else {
        text(&others)
    };
    verdict.narrative = vec![
        sentence(first, push.map(|push| case.event(push.event)).unwrap_or_default()),
        sentence(format!("{when}. {}", text(&own)), events(&own)),
        sentence(third, events(&others)),
    ];
    verdict.not_this = against::other_causes(case, known, None, cause);
    verdict.used_by = used_by::sentences(case, known, Some(loss));
    verdict.unknown.push(
        "How ECR logs this end is not documented: `aws ecr describe-images` tells whether the image is \
         there."
            .to_owned(),
    );
    verdict.advice = why.advice;
    verdict.reasons = why.reasons;
    verdict
}

/// First step: does it exist?
fn existence(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
    let pushed = loss
        .pushed_at
        .map(|at| format!(" It was pushed at {}.", Timestamp::from_millis(at)))
        .unwrap_or_default();
    let there = if exists(known.image) == Some(true) && loss.back_at.is_some() {
        is_back(case, known)
    } else {
        is_gone(case, known, loss)
    };
    let mut evidence = case.event(loss.event);
    let life = known.image.steps.get(loss.first_step as usize..=loss.end_step as usize).unwrap_or_default();
    let push = life.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    evidence.extend(push.into_iter().flat_map(|push| case.event(push.event)));
    sentence(format!("{there}{pushed}"), evidence)
}

/// It exists again at the end of the logs, though perhaps without its tags.
fn is_back(case: Case<'_>, known: Known<'_>) -> String {
    let (digest, tagged) = (case.digest(known), tagged(case, known.image));
    let exists = case.exists(known, Some(true));
    let tag = case.question.about.tag().unwrap_or_default();
    match (exists.tag_exists, exists.tag_points_to) {
        (Some(true), Some(other)) if other == digest => {
            format!("Tag {tag} exists again at the end of the logs, and points to {digest}.")
        }
        (Some(true), Some(other)) => format!(
            "Tag {tag} points to {other} at the end of the logs; {digest} exists again, too, {tagged}."
        ),
        (Some(false), _) => format!(
            "Tag {tag} does not exist at the end of the logs; {digest}, which it pointed to, exists again, \
             {tagged}."
        ),
        _ => format!("{digest} exists again at the end of the logs, {tagged}."),
    }
}

fn is_gone(case: Case<'_>, known: Known<'_>, loss: &Loss) -> String {
    let digest = case.digest(known);
    let exists = case.exists(known, Some(false));
    let tag = case.question.about.tag().unwrap_or_default();
    match (exists.tag_exists, exists.tag_points_to) {
        (Some(true), Some(other)) if other != digest => {
            let since = case
                .asked_tag()
                .and_then(|tag| known.repository.tag_lives.get(&tag)?.open())
                .and_then(|span| span.since.some());
            let since = since.map(|event| format!(" since {}", case.history.time(event))).unwrap_or_default();
            format!(
                "Tag {tag} exists, and points to {other}{since}; {digest} itself does not exist any more."
            )
        }
        _ if loss.end == End::Archived && known.image.state == crate::model::ImageState::Archived => {
            format!("{digest} exists, and it is archived: a pull gets \"not found\", as if it did not.")
        }
        (Some(false), _) => format!("Neither tag {tag} nor {digest} exists any more."),
        (None, _) if case.asked_tag().is_some() => {
            format!("{digest} does not exist any more; where tag {tag} is now is not in these logs.")
        }
        _ => format!("{digest} does not exist any more."),
    }
}

/// Second step: when and how was it lost?
fn end(case: Case<'_>, known: Known<'_>, loss: &Loss, why: &Why) -> Sentence {
    let event = case.history.event(loss.event);
    let at = Timestamp::from_millis(loss.at);
    let who = detect::who(case.history, loss.event);
    let text = match loss.end {
        End::Expired => format!("It went at {at}: {} expired it.", rule_in_words(case.history, loss)),
        End::Archived if loss.run.is_some() => {
            format!(
                "It was archived at {at} by {}: it cannot be pulled until it is restored.",
                rule_in_words(case.history, loss)
            )
        }
        End::Archived => format!(
            "It was archived at {at} by {who} ({}): it cannot be pulled until it is restored.",
            event.event_name.raw()
        ),
        End::DeletedByDigest => {
            let tags = match loss.tags.len() {
                0 => "",
                1 => ", its tag with it",
                _ => ", all its tags with it",
            };
            format!("It went at {at}: {who} deleted it by digest ({}){tags}.", event.event_name.raw())
        }
        End::DeletedByLastTag => {
            format!(
                "It went at {at}: {who} deleted its last tag ({}), and ECR removes an image with its last \
                 tag.",
                event.event_name.raw()
            )
        }
        End::RepositoryDeleted => format!("It went at {at}: {who} deleted the whole repository."),
        End::NotListed => not_listed(case, known, loss),
    };
    let put = why.of_kind(ReasonKind::PolicyPut);
    let mut text = put.map_or(text.clone(), |put| format!("{text} {}", put.text));
    let mut evidence: Vec<EventRef> = put
        .iter()
        .flat_map(|put| put.evidence.iter().cloned())
        .filter(|other| other.event_id != event.event_id)
        .collect();
    evidence.push(event);
    if let Some(asked) = restore_under_way(known.image).filter(|_| loss.end == End::Archived) {
        evidence.extend(case.event(asked));
        let (by, when) = (detect::caller(case.history, asked), case.history.time(asked));
        text = format!(
            "{text} {by} asked for its restore at {when} (imageStatus ACTIVATING), and no event of these logs \
             says that it is done."
        );
    }
    let back = comeback(case, known, loss, &mut evidence);
    sentence(format!("{text}{back}"), evidence)
}

/// It was lost between the last event that shows it and the list that lacks it.
fn not_listed(case: Case<'_>, known: Known<'_>, loss: &Loss) -> String {
    let life = known.image.steps.get(loss.first_step as usize..=loss.end_step as usize).unwrap_or_default();
    let shows = |kind: StepKind| {
        !matches!(
            kind,
            StepKind::NotSeen | StepKind::Referenced | StepKind::TaskStopped | StepKind::PullFailed
        )
    };
    let last = life.iter().rev().find(|step| shows(step.kind)).map(|step| case.history.event(step.event));
    let list = case.history.snapshot_in_words(loss.event);
    let since = last
        .map(|last| format!(" after {} at {}, and", last.event_name.raw(), last.event_time))
        .unwrap_or_default();
    format!("It went{since} before {list}, which does not list it; no log says when, nor what took it.")
}

/// What came back after the end: the image, or the repository under the same name.
fn comeback(
    case: Case<'_>,
    known: Known<'_>,
    loss: &Loss,
    evidence: &mut Vec<crate::model::EventRef>,
) -> String {
    if let Some(back) = loss.back_at {
        let step = known.image.steps.get(loss.next_life_step as usize);
        evidence.extend(step.into_iter().flat_map(|step| case.event(step.event)));
        let restored = if loss.end == End::Archived { "It was restored" } else { "It came back" };
        let alone = match (case.asked_tag(), step.and_then(|step| step.tag.some())) {
            (Some(asked), Some(tag)) if asked != tag && case.question.about.digest().is_none() => {
                format!(" under tag {} alone", case.history.text(tag))
            }
            _ => String::new(),
        };
        return format!(" {restored} at {}{alone}.", Timestamp::from_millis(back));
    }
    let created = known
        .repository
        .creations
        .iter()
        .copied()
        .find(|event| loss.end == End::RepositoryDeleted && case.time(*event) >= loss.at);
    let Some(created) = created else { return String::new() };
    evidence.extend(case.event(created));
    let later = crate::detect::span((case.time(created) - loss.at).div_euclid(1000));
    format!(
        " The repository was created anew under the same name, empty, {later} later, so that the registry \
         says of the image that it is not found, and not that there is no such repository."
    )
}

/// Third step: why; and if the image is back, that the failure was in the time when it was gone.
fn explanation(case: Case<'_>, known: Known<'_>, loss: &Loss, why: &Why) -> Sentence {
    let Sentence { text, mut evidence } = eligibility(case, known, loss, why);
    let recreated = known
        .repository
        .creations
        .iter()
        .any(|event| loss.end == End::RepositoryDeleted && case.time(*event) >= loss.at);
    let lead = match the_pull(case, case.when) {
        Some(pull) if loss.back_at.is_some_and(|back| case.when.at < back) => {
            format!("{pull} fell into that time, and that explains it. ")
        }
        Some(pull) if loss.back_at.is_some() => {
            let tag = case.question.about.tag().unwrap_or_default();
            format!(
                "An image takes all its tags with it, and a later push brings back only those that it names: \
                 tag {tag} was not pushed again, and {} found nothing. ",
                lower(&pull)
            )
        }
        Some(pull) if recreated => {
            let alone = case.asked_tag().filter(|_| case.question.about.digest().is_none());
            let what = alone.map_or_else(|| "it".to_owned(), |tag| format!("tag {}", case.history.text(tag)));
            let later = alone.and_then(|tag| known.repository.tag_lives.get(&tag)?.after(case.when.at));
            let second = match later {
                Some(span) => format!("came to the second only at {}", Timestamp::from_millis(span.from)),
                None => "was never pushed in the second".to_owned(),
            };
            format!(
                "{} was in the first life of the repository, and {second}: {} found nothing. ",
                capital(&what),
                lower(&pull)
            )
        }
        _ => String::new(),
    };
    if !lead.is_empty() {
        evidence.extend(case.event(case.when.event));
    }
    sentence(format!("{lead}{text}"), evidence)
}

/// Why was it eligible?
fn eligibility(case: Case<'_>, known: Known<'_>, loss: &Loss, why: &Why) -> Sentence {
    let tagged = if loss.displaced.is_none() { by_reasons(case, loss, why) } else { None };
    tagged.unwrap_or_else(|| with_count(without_tag(case, known, loss), why))
}

/// Adds which images came after an untagged one, and what was changed since, if anything.
fn with_count(told: Sentence, why: &Why) -> Sentence {
    let kinds = [ReasonKind::Outnumbered, ReasonKind::PullTime, ReasonKind::ChangedSince];
    let more: Vec<&Reason> = kinds.iter().filter_map(|kind| why.of_kind(*kind)).collect();
    let texts: Vec<&str> =
        std::iter::once(told.text.as_str()).chain(more.iter().map(|reason| reason.text.as_str())).collect();
    let mut evidence = told.evidence.clone();
    for event in more.iter().flat_map(|reason| &reason.evidence) {
        if !evidence.contains(event) {
            evidence.push(event.clone());
        }
    }
    sentence(texts.join(" "), evidence)
}

/// It had no tag when it was lost, or no rule is behind its end.
fn without_tag(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
    if let Some(displaced) = &loss.displaced {
        let by = case.history.digest_or_zero(displaced.by);
        let second = case.history.event(displaced.second_push);
        let who = |event: EventNo| detect::who(case.history, event);
        let tag = case.history.text(displaced.tag);
        let first = displaced.first_push.some().map(|event| case.history.event(event));
        let rivals = detect::rivals(case.history, known.repository, displaced);
        // Any of these pushes may have come first.
        let rival = |(digest, push): &(DigestNo, EventNo)| {
            format!(" and {} {}", who(*push), case.history.digest_or_zero(*digest))
        };
        let by = rivals.iter().fold(by.to_string(), |by, other| by + &rival(other));
        let (and_took, several) = match rivals.is_empty() {
            true => (", and took", ""),
            false => (
                " in an order that nothing tells, and one of them took",
                " in one second, in an order that nothing tells",
            ),
        };
        let pair = first.as_ref().map_or_else(
            || {
                format!(
                    "{} pushed {by} under tag {tag} at {}{and_took} it from this image, whose own push is not \
                     in the logs",
                    who(displaced.second_push),
                    second.event_time
                )
            },
            |first| {
                let gap = span(second.event_time.seconds_since(first.event_time));
                format!(
                    "{} pushed it under tag {tag} at {}, and {gap} later {} pushed {by} under the same \
                     tag{several}, which left this image untagged",
                    who(displaced.first_push),
                    first.event_time,
                    who(displaced.second_push)
                )
            },
        );
        let rivals = rivals.iter().map(|(_, push)| case.history.event(*push));
        let evidence = first.into_iter().chain([second]).chain(rivals).collect();
        return sentence(format!("It was eligible because {pair}{}.", grace(loss)), evidence);
    }
    let tags: Vec<&str> = loss.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    let text = match loss.end {
        End::Expired if loss.run.as_ref().is_some_and(|run| !run.tags.is_empty()) => {
            format!(
                "It was eligible although tagged ({}): the rule counts or ages tagged images, too.",
                tags.join(", ")
            )
        }
        End::Expired if known.repository.parents.contains_key(&known.image.digest) => {
            return child(case, known, loss);
        }
        End::Expired => {
            let subject = Subject::of_the_past(case.history, known.repository, known.image);
            let (reason, events) = reason_without_tag(subject, loss);
            let evidence =
                [loss.event].into_iter().chain(events).flat_map(|event| case.event(event)).collect();
            return sentence(format!("It was eligible because {reason}."), evidence);
        }
        End::Archived if loss.run.is_some() => {
            "It was eligible because it matches the rule; archiving answers a pull with 404, like a deletion."
                .to_owned()
        }
        End::NotListed if !case.history.list_has_archived(known.repository) => {
            "Gone, or in the archive: the list has active images alone (`--filter imageStatus=ANY` lists the \
             others, too). A lifecycle run, a call or a transition of which these logs do not have the \
             event."
                .to_owned()
        }
        End::NotListed => {
            "A lifecycle run or a call took it, of which these logs do not have the event.".to_owned()
        }
        _ => "No rule had a part in it: it was a call, and whoever may make it can repeat it.".to_owned(),
    };
    let text = match heading(case.history, known.repository, known.image, loss) {
        Some(index) => format!("{text} {}", of_index(case, known, loss, index)),
        None => text,
    };
    sentence(text, case.event(loss.event))
}

/// The reasons without the one about who put the policy, which is in the second step.
fn by_reasons(case: Case<'_>, loss: &Loss, why: &Why) -> Option<Sentence> {
    let listed_tags = loss.run.as_ref().is_some_and(|run| !run.tags.is_empty());
    let reasons: Vec<&Reason> =
        why.reasons.iter().filter(|reason| reason.kind != ReasonKind::PolicyPut).collect();
    let own = reasons.iter().any(|reason| reason.kind != ReasonKind::ChangedSince);
    if !own || (loss.end == End::Expired && !listed_tags) {
        return None;
    }
    let tags: Vec<&str> = loss.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    let although = if loss.end == End::Expired {
        format!("It was eligible although tagged ({}).", tags.join(", "))
    } else {
        "It was eligible.".to_owned()
    };
    let texts: Vec<&str> = reasons.iter().map(|reason| reason.text.as_str()).collect();
    let mut evidence: Vec<EventRef> =
        reasons.iter().flat_map(|reason| reason.evidence.iter().cloned()).collect();
    evidence.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
    evidence.dedup_by(|a, b| a.event_id == b.event_id);
    Some(sentence(format!("{although} {}", texts.join(" ")), evidence))
}

/// What the loss of an image does to its index, which still exists.
fn of_index(case: Case<'_>, known: Known<'_>, loss: &Loss, index: &Image) -> String {
    let digest = case.history.digest_or_zero(index.digest).short();
    let tagged = tag_of(case.history, index, loss)
        .map(|tag| format!(", tagged {},", case.history.text(tag)))
        .unwrap_or_default();
    let broken = broken(case.history, known.repository, index, known.image);
    format!("The index {digest}{tagged} lists it and is still there: {broken}.")
}

/// Images of an index are lost with the index, and sometimes before it.
fn child(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Sentence {
    let Some(index) = heading(case.history, known.repository, known.image, loss) else {
        let text = "It was eligible because it is part of an index and has no tag of its own: once its index \
            is gone, an untagged rule takes it.";
        return sentence(text, case.event(loss.event));
    };
    let digest = case.history.digest_or_zero(index.digest).short();
    let named = tag_of(case.history, index, loss).map_or_else(
        || format!("index {digest}"),
        |tag| format!("the index {digest}, tagged {},", case.history.text(tag)),
    );
    let push = index.steps.iter().rfind(|step| is_push(step)).map_or(EventNo::NONE, |step| step.event);
    let broken = broken(case.history, known.repository, index, known.image);
    let text = format!(
        "It has no tag of its own, and the run took it although {named} lists it and is still there: ECR \
         documents that it does not do that, and users report that it does. Of the index, {broken}."
    );
    sentence(text, [push, loss.event].into_iter().flat_map(|event| case.event(event)).collect())
}

/// Age counts from the push: an image that is older than the rule's age when it loses its tag goes with the
/// next run.
fn grace(loss: &Loss) -> String {
    match (loss.untagged_at, loss.pushed_at) {
        (Some(untagged), Some(pushed))
            if loss.at - untagged < DAY_MILLIS && untagged - pushed >= DAY_MILLIS =>
        {
            "; no grace: age counts from the push, so the very next run took it".to_owned()
        }
        _ => String::new(),
    }
}

/// Whether deletions are replicated is a setting of the replication rule.
fn replica(case: Case<'_>, known: Known<'_>, verdict: &Verdict) -> String {
    let at = verdict.gone.as_ref().map_or(i64::MAX, |gone| gone.at.millis());
    let deletions = match case.history.deletions_reach(known.repository, at) {
        Some(event) => format!(
            "Lifecycle policies are not replicated; deletions are, since {}",
            case.history.time(event)
        ),
        None => {
            "Lifecycle policies are not replicated, nor are deletions by any rule in these logs".to_owned()
        }
    };
    format!("{deletions}: look at the copy's own policy, and pull from the source registry meanwhile.")
}

/// The advice of the finding about the same loss; without a finding, nobody but the user is known to need
/// the image.
fn what_to_do(case: Case<'_>, known: Known<'_>, loss: &Loss, verdict: &Verdict, why: &Why) -> Vec<String> {
    let by_tag = case.question.about.digest().is_none();
    if by_tag
        && verdict.exists.tag_exists == Some(true)
        && verdict.exists.tag_points_to != Some(case.digest(known))
    {
        return vec![
            "The tag is there again, on another image: it can be pulled now; start anew what stopped."
                .to_owned(),
        ];
    }
    if loss.back_at.is_some() && exists(known.image) == Some(true) {
        return came_back(case.history, known.repository, known.image, loss);
    }
    if let Some(finding) =
        verdict.why.as_ref().and_then(|id| case.findings.iter().find(|finding| &finding.id == id))
    {
        return finding.advice.clone();
    }
    let about = advice::About { history: case.history, repository: known.repository, image: known.image };
    let mut list = advice::of_question(about, loss, case.question.about.tag(), &why.advice);
    if verdict.cause == Cause::ReplicaMissing {
        list.push(replica(case, known, verdict));
    }
    list
}
