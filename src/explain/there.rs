//! As far as the logs show, the image exists (or is known only from mentions).

use super::cause::of_loss;
use super::{Case, Known, access, against, pinned, sentence, tag_story, used_by};
use crate::detect::{advice_on_refused_push, broken, refusal, takers};
use crate::model::{
    Basis, Cause, EventRef, ImageState, Order, Sentence, StepKind, Timestamp, Verdict, plural_verb,
};
use crate::timeline::{DigestNo, EventNo, Image, RepositoryHistory, TagLife, TagSpan};

pub fn verdict(case: Case<'_>, known: Known<'_>) -> Verdict {
    let image = known.image;
    let mut verdict = case.blank(cause(case, known));
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, exists(image));
    // What may take it next; else what kept it from being pulled until it came back.
    let back = image.losses.last().filter(|loss| loss.back_at.is_some());
    verdict.why = case
        .finding(known, None)
        .or_else(|| case.finding(known, Some(back?)))
        .or_else(|| case.finding_of_child(known));
    verdict.not_this = against::other_causes(case, known, None, verdict.cause);
    verdict.used_by = used_by::sentences(case, known, None);
    match tag_alone(case, known) {
        Some((life, span)) if verdict.cause == Cause::IndexLostToItsChild => {
            index_lost(case, known, life, span, &mut verdict)
        }
        Some((life, span))
            if verdict.cause == Cause::StillThere
                && (!case.question.failed || case.when.basis == Basis::Asked) =>
        {
            tag_story::narrate(case, known, life, span, &mut verdict);
            // The question is not about a failure.
            if case.when.basis == Basis::End {
                verdict.not_this.clear();
            }
        }
        _ => narrate(case, known, &mut verdict),
    }
    verdict
}

/// Whether the image exists at the end of the logs, possibly archived; `None` if that is not known.
pub fn exists(image: &Image) -> Option<bool> {
    match image.state {
        ImageState::Unknown => (image.vanished || image.never_listed().is_some()).then_some(false),
        _ => Some(!image.is_gone()),
    }
}

/// "tagged a, b", or that it has no tag.
pub fn tagged(case: Case<'_>, image: &Image) -> String {
    let mut tags: Vec<&str> = image.tags.iter().map(|(tag, _)| case.history.text(*tag)).collect();
    tags.sort_unstable();
    if tags.is_empty() { "without a tag".to_owned() } else { format!("tagged {}", tags.join(", ")) }
}

/// The span of the tag that the question is about, if it is about a tag alone.
fn tag_alone<'h>(case: Case<'h>, known: Known<'h>) -> Option<(&'h TagLife, &'h TagSpan)> {
    let tag = case.asked_tag().filter(|_| case.question.about.digest().is_none())?;
    let life = known.repository.tag_lives.get(&tag)?;
    let span = if case.when.basis == Basis::End { life.open() } else { life.at(case.when.at) };
    Some((life, span.filter(|span| span.digest == known.image.digest)?))
}

/// The tag points to one image of its index, so the other platforms' images cannot be pulled by the tag.
fn index_lost(case: Case<'_>, known: Known<'_>, life: &TagLife, span: &TagSpan, verdict: &mut Verdict) {
    let Some((index, before)) = tag_story::lost_to_child(known.repository, life, span) else { return };
    let tag = case.question.about.tag().unwrap_or_default();
    let (child, listed) = (case.digest(known), case.history.digest_or_zero(index.digest));
    let at = index.children.iter().position(|digest| *digest == span.digest);
    let platform = at
        .and_then(|at| index.platforms.get(at))
        .map(|name| case.history.text(*name))
        .filter(|name| !name.is_empty());
    let platform = platform.unwrap_or("a single platform");
    let [first, second] = [before.since, span.since];
    let by = crate::detect::who(case.history, second);
    let after = first
        .some()
        .map(|first| {
            format!(", {} s after the index", (case.time(second) - case.time(first)).div_euclid(1000))
        })
        .unwrap_or_default();
    let went = index.losses.last().filter(|_| index.is_gone());
    let fate = match went {
        Some(loss) => format!(
            " The index went at {} ({}): that changed nothing for who pulls by the tag.",
            Timestamp::from_millis(loss.at),
            of_loss(case, Known { image: index, ..known }, loss).word()
        ),
        None => " The index itself is still there, without that tag.".to_owned(),
    };
    let events =
        |list: &[EventNo]| list.iter().flat_map(|event| case.event(*event)).collect::<Vec<EventRef>>();
    verdict.narrative = vec![
        sentence(
            format!(
                "Tag {tag} {} {child}, an image for {platform}, and not to an index.",
                case.when_in_words()
            ),
            events(&[second]),
        ),
        sentence(
            format!(
                "It pointed to the index {listed}, which lists that image: {by} pushed the image under the \
                 tag of its index{after}.{fate}"
            ),
            events(&[first, second, went.map_or(EventNo::NONE, |loss| loss.event)]),
        ),
        sentence(
            format!(
                "So the tag gives {platform} alone: a pull for any other platform fails with \"no match for \
                 platform\", and starting tasks anew does not help."
            ),
            events(&[second]),
        ),
    ];
    verdict.why = case.finding(Known { image: index, ..known }, went).or_else(|| verdict.why.take());
    verdict.advice = crate::detect::push_index_again(tag);
}

fn cause(case: Case<'_>, known: Known<'_>) -> Cause {
    let image = known.image;
    if access::taken(case, known.repository, Some(known.image)).is_some() {
        return Cause::AccessTaken;
    }
    if gone_relative(known).is_some() {
        return Cause::IndexOrChildGone;
    }
    if tag_alone(case, known)
        .is_some_and(|(life, span)| tag_story::lost_to_child(known.repository, life, span).is_some())
    {
        return Cause::IndexLostToItsChild;
    }
    match image.state {
        ImageState::Unknown if image.was_only_refused() => Cause::NeverPushedHere,
        ImageState::Unknown => Cause::Unknown,
        ImageState::Untagged if image.displaced.is_some() => Cause::TagMovedStillThere,
        // An event that could not be read may have taken it.
        _ if case.question.failed && unread_since(case, known).is_some() => Cause::Unknown,
        _ => Cause::StillThere,
    }
}

/// A child of this index that is gone, or the index of this child, which has no tag of its own.
fn gone_relative<'h>(known: Known<'h>) -> Option<&'h Image> {
    let image = known.image;
    let relative = |digest: &DigestNo| known.repository.image(*digest);
    let child = image.children.iter().filter_map(relative).find(|image| image.is_gone());
    let mut parents =
        known.repository.parents.get(&image.digest).into_iter().flatten().filter_map(relative).peekable();
    let orphan = image.tags.is_empty() && parents.peek().is_some() && parents.clone().all(Image::is_gone);
    child.or_else(|| parents.next().filter(|_| orphan))
}

fn narrate(case: Case<'_>, known: Known<'_>, verdict: &mut Verdict) {
    let image = known.image;
    let digest = case.digest(known);
    let push = image
        .steps
        .iter()
        .rfind(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate))
        .map_or(EventNo::NONE, |step| step.event);
    let tags = tagged(case, image);
    let seen = image.steps.iter().rfind(|step| step.kind == StepKind::Seen).map(|step| step.event);
    let first = match exists(image) {
        _ if verdict.cause == Cause::NeverPushedHere => {
            format!("{digest} was to be pushed here, and no push of it that succeeded is in the logs.")
        }
        None => format!("Whether {digest} exists is not in the logs: no push of it was read, only mentions."),
        Some(true) => match seen {
            Some(event) => {
                format!("{digest} exists, {tags}: {} shows it.", case.history.snapshot_in_words(event))
            }
            None => format!("{digest} exists at the end of the logs, {tags}."),
        },
        Some(false) => format!(
            "{digest} was there at {}, and is gone at the end of the logs.",
            Timestamp::from_millis(case.when.at)
        ),
    };
    let shown = seen
        .into_iter()
        .filter(|_| exists(image) == Some(true))
        .chain([push])
        .flat_map(|event| case.event(event))
        .collect();
    verdict.narrative.push(sentence(first, shown));
    verdict.narrative.push(endings(case, known));
    if let Some(taken) =
        access::taken(case, known.repository, Some(image)).filter(|_| verdict.cause == Cause::AccessTaken)
    {
        verdict.narrative.push(taken.sentence(case, known.repository, Some(image)));
        verdict.advice.push(taken.advice(case, known.repository));
        return;
    }
    if let Some(refused) = image
        .steps
        .iter()
        .find(|step| step.kind == StepKind::PushFailed)
        .filter(|_| verdict.cause == Cause::NeverPushedHere)
    {
        let told = refusal(case.history, known.repository, refused.tag, refused.event);
        let mut text = format!("Every push of it to this repository was refused: {told}.");
        let mut evidence = case.event(refused.event);
        if let Some(list) = image.never_listed() {
            text.push_str(&format!(" {} does not list it, either.", case.history.snapshot_in_words(list)));
            evidence.extend(case.event(list));
        }
        verdict.narrative.push(sentence(text, evidence));
        verdict.advice = advice_on_refused_push(case.history, known.repository, refused.tag, refused.event);
        return;
    }
    let (text, evidence, advice) = third(case, known, verdict.cause);
    verdict.narrative.push(sentence(text, evidence));
    verdict.advice.push(advice.to_owned());
}

/// The second step: what took it, for a while or not at all.
fn endings(case: Case<'_>, known: Known<'_>) -> Sentence {
    let upto = case.when.at;
    if let Some(gap) = unread_since(case, known) {
        let event = case.history.event(gap);
        let text = format!(
            "No event that can be read took it; one of {} ({}) lacks its content, for CloudTrail leaves it \
             out above 100 KB.",
            event.event_time,
            event.event_name.raw()
        );
        return sentence(text, vec![event]);
    }
    if let Some(loss) = known.image.losses.iter().find(|loss| loss.at > upto) {
        let cause = of_loss(case, known, loss).word();
        return sentence(
            format!("It went only later, at {} ({cause}).", Timestamp::from_millis(loss.at)),
            case.event(loss.event),
        );
    }
    if let Some(loss) = known.image.losses.last()
        && let Some(back) = loss.back_at
    {
        let (at, back) = (Timestamp::from_millis(loss.at), Timestamp::from_millis(back));
        let cause = of_loss(case, known, loss).word();
        return sentence(
            format!(
                "It was gone from {at} ({cause}) to {back}, when it came back; nothing took it after that."
            ),
            case.event(loss.event),
        );
    }
    no_event(case, known.repository)
}

/// The last event of the repository before the moment in question that does not say what it did, since the
/// last sign of the image.
fn unread_since(case: Case<'_>, known: Known<'_>) -> Option<EventNo> {
    let shows = |kind: StepKind| {
        !matches!(
            kind,
            StepKind::Pull
                | StepKind::PullFailed
                | StepKind::Referenced
                | StepKind::TaskStopped
                | StepKind::PushFailed
                | StepKind::DeleteFailed
        )
    };
    let seen = known
        .image
        .steps
        .iter()
        .filter(|step| shows(step.kind))
        .map(|step| case.time(step.event))
        .filter(|at| *at <= case.when.at)
        .max();
    let open = |event: &EventNo| {
        case.time(*event) <= case.when.at && seen.is_none_or(|seen| case.time(*event) >= seen)
    };
    known.repository.gaps.iter().copied().rfind(open)
}

/// That nothing took the image, and how much that is worth.
pub fn no_event(case: Case<'_>, repository: &RepositoryHistory) -> Sentence {
    match repository.runs.last() {
        Some(&(run, _)) => {
            let runs = repository.runs.len();
            sentence(
                format!(
                    "No event took it: {} logged for this repository, and none lists it as taken.",
                    plural_verb(runs, "lifecycle run", ["was", "were"])
                ),
                case.event(run),
            )
        }
        None if !repository.gaps.is_empty() => sentence(
            format!(
                "No event that can be read took it; {} content.",
                plural_verb(
                    repository.gaps.len(),
                    "event",
                    ["of this repository lacks its", "of this repository lack their"]
                )
            ),
            repository.gaps.last().into_iter().flat_map(|event| case.event(*event)).collect(),
        ),
        None => sentence("No event took it; no lifecycle run of this repository is in the logs.", Vec::new()),
    }
}

/// The third step: what explains the failure, if anything does.
fn third(case: Case<'_>, known: Known<'_>, cause: Cause) -> (String, Vec<EventRef>, &'static str) {
    let image = known.image;
    match cause {
        Cause::IndexOrChildGone => {
            let relative = gone_relative(known);
            let digest = relative.map_or_else(String::new, |image| case.history.digest_or_zero(image.digest).to_string());
            let event = relative.and_then(|image| image.losses.last()).map_or(EventNo::NONE, |loss| loss.event);
            let broken = relative.filter(|_| !image.children.is_empty()).map(|child| broken(case.history, known.repository, image, child));
            let broken = broken.map(|broken| format!(" {}.", capital(&broken))).unwrap_or_default();
            let text = match image.children.is_empty() {
                true => format!(
                    "The index that lists it, {digest}, does not exist any more: it has no tag of its own, \
                     and an untagged rule takes it next."
                ),
                false => format!("Part of it is gone: {digest}, which it lists, does not exist any \
                    more.{broken}"),
            };
            (text, case.event(event), "Push the multi-architecture image again, as a whole.")
        }
        Cause::TagMovedStillThere => {
            let displaced = image.displaced.as_deref();
            let event = displaced.map_or(EventNo::NONE, |displaced| displaced.second_push);
            let tag = displaced.map_or("", |displaced| case.history.text(displaced.tag));
            let takers = displaced.map(|displaced| takers(case.history, known.repository, displaced)).unwrap_or_default();
            (
                match displaced.map(|displaced| displaced.order) {
                    Some(Order::Ambiguous) if takers.len() > 1 => format!(
                        "It has lost its tag {tag} to {}, pushed under it in one second in an order that \
                         nothing tells: it can be pulled by digest today, and is the next victim of an \
                         untagged rule.",
                        takers.join(" or ")
                    ),
                    Some(Order::Ambiguous) => format!(
                        "It and {} were pushed under tag {tag} in the same second, and nothing in the logs \
                         tells which came last: one has the tag, and the other is the next victim of an \
                         untagged rule. `aws ecr describe-images` tells which; both can be pulled by digest \
                         today.",
                        displaced.map_or_else(String::new, |displaced| case.history.digest_or_zero(displaced.by).short())
                    ),
                    _ => format!(
                        "It has lost its tag {tag} to another push: it can be pulled by digest today, and is \
                         the next victim of an untagged rule."
                    ),
                },
                case.event(event),
                "Give it a tag (`aws ecr put-image` with its manifest and a new tag) before the next \
                 lifecycle run, or deploy anew.",
            )
        }
        Cause::StillThere if case.question.platform => platform(case, known),
        Cause::StillThere if let Some(pinned) = pinned::before(case, known) => (
            pinned.text,
            pinned.evidence,
            "If the failing line names a digest, ask with it (`tagfall explain REPOSITORY@sha256:…`); if a \
             task pinned one of these, deploy it anew.",
        ),
        Cause::StillThere if case.when.basis != Basis::End => (
            format!("Nothing in the logs explains why a pull of {} should fail: the image was there then.", Timestamp::from_millis(case.when.at)),
            case.event(case.when.event),
            "Look at access (repository policy, endpoint policy, KMS key) and at the puller's network at that \
             time.",
        ),
        Cause::StillThere if !case.question.failed => (
            "No pull of it in these logs found nothing.".to_owned(),
            Vec::new(),
            "If a pull of it failed, ask with the whole error line, or with --at and the time of the failure.",
        ),
        Cause::StillThere => (
            "Nothing in the logs explains a failed pull: the image is there, and no pull of it in these logs \
             found nothing.".to_owned(),
            Vec::new(),
            "Look at access (repository policy, endpoint policy, KMS key), at the puller's network, and at \
             events after the end of these logs.",
        ),
        Cause::Unknown if let Some(gap) = unread_since(case, known).filter(|_| exists(image).is_some()) => (
            format!(
                "{} by {} may have taken the image or its tag: what it did is not in the logs, and nothing \
                 else in them explains a failed pull. If the image is still there, look at access and at the \
                 puller's network instead.",
                case.history.event(gap).event_name.raw(),
                crate::detect::who(case.history, gap)
            ),
            case.event(gap),
            "Ask the registry whether the image is there: `aws ecr describe-images` with its digest tells the \
             two apart.",
        ),
        _ => (
            "It may have been pushed before the logs begin, or elsewhere.".to_owned(),
            Vec::new(),
            "Widen --since, and read the logs of the account and region that own the repository.",
        ),
    }
}

/// It is there, and not for the platform that asked.
fn platform(case: Case<'_>, known: Known<'_>) -> (String, Vec<EventRef>, &'static str) {
    let image = known.image;
    let push = image
        .steps
        .iter()
        .rfind(|step| super::moment::is_push(step))
        .map_or(EventNo::NONE, |step| step.event);
    let named: Vec<&str> =
        image.platforms.iter().map(|name| case.history.text(*name)).filter(|name| !name.is_empty()).collect();
    let what = match (image.children.is_empty(), named.is_empty()) {
        (true, _) => "a single image, and no index of images for several platforms".to_owned(),
        (false, true) => "an index whose platforms are not in these logs".to_owned(),
        (false, false) => format!("an index for {}", named.join(", ")),
    };
    let by = push
        .some()
        .map(|push| format!(", pushed by {}", crate::detect::who(case.history, push)))
        .unwrap_or_default();
    (
        format!(
            "The text says that it has nothing for the platform that asked: it is {what}{by}. Who runs on \
             another platform cannot have it."
        ),
        case.event(push),
        "Build it for that platform, too, and push the whole as one (`docker buildx build --platform \
         linux/amd64,linux/arm64 --push`), or run it on hosts of the platform that it is for.",
    )
}

/// For the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}
