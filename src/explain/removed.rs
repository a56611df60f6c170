//! The tag is gone but was not lost with its image: a call removed it, or the repository was created again.

use super::moment::the_pull;
use super::{Case, Known, against, sentence, there, used_by};
use crate::detect::{GOES_ALONG, TagSubject, advice_on_removed_tag, source_of_removal};
use crate::model::{Cause, FindingKind, Gone, Sentence, TagEnd, Timestamp, Verdict};
use crate::timeline::{EventNo, Sym, TagLife, TagSpan};

/// The verdict about a tag that was removed from its image.
pub fn verdict(case: Case<'_>, known: Known<'_>, span: &TagSpan) -> Verdict {
    let removed = span.end == Some(TagEnd::Removed);
    let cause = if removed { Cause::TagRemoved } else { Cause::Unknown };
    let mut verdict = case.blank(cause);
    let tag = case.question.about.tag().unwrap_or_default();
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, there::exists(known.image));
    let life = case.asked_tag().and_then(|tag| known.repository.tag_lives.get(&tag));
    let back = life.and_then(|life| life.spans.iter().find(|later| later.from >= span.until));
    verdict.gone = removed.then(|| Gone {
        at: Timestamp::from_millis(span.until),
        by: cause,
        event: case.history.event(span.ended_by),
        back_at: back.map(|back| Timestamp::from_millis(back.from)),
    });
    let call = span.ended_by.some().map(|event| case.history.call_id(event));
    let same = |finding: &&crate::model::Finding| {
        finding.kind == FindingKind::TagRemoved
            && Some(&finding.repository) == verdict.repository.as_ref()
            && finding.second_push.event_id == case.history.event(span.ended_by).event_id
            && finding.tag.as_ref().is_some_and(|of| of.raw() == tag)
    };
    verdict.why = call.and_then(|_| case.findings.iter().find(same)).map(|finding| finding.id.clone());
    verdict.narrative = vec![
        existence(case, known, span, tag, back),
        end(case, known, span, tag),
        third(case, known, life, tag, removed),
    ];
    verdict.not_this = against::of_removed_tag(case, known, span, cause);
    verdict.used_by = used_by::of_tag(case, life);
    verdict.advice = match (back, case.asked_tag().zip(life)) {
        (Some(_), Some((_, life))) if life.open().is_some() => {
            vec!["The tag is back: it can be pulled now; start anew what stopped.".to_owned()]
        }
        (_, Some((tag, life))) => {
            let subject = TagSubject { history: case.history, repository: known.repository, tag, life };
            advice_on_removed_tag(subject, Some(known.image), &other_tags(case, known))
        }
        (_, None) => vec![format!("Push tag {tag} again.")],
    };
    if !removed {
        verdict.unknown.push(format!("What took tag {tag} off: its call is not in these logs."));
    }
    verdict
}

fn other_tags<'h>(case: Case<'h>, known: Known<'h>) -> Vec<&'h str> {
    let mut tags: Vec<&str> = known
        .image
        .tags
        .iter()
        .filter(|(tag, _)| Some(*tag) != case.asked_tag())
        .map(|(tag, _)| case.history.text(*tag))
        .collect();
    tags.sort_unstable();
    if known.image.is_gone() { Vec::new() } else { tags }
}

fn existence(
    case: Case<'_>,
    known: Known<'_>,
    span: &TagSpan,
    tag: &str,
    back: Option<&TagSpan>,
) -> Sentence {
    let digest = case.digest(known);
    let now = match back {
        Some(back)
            if known
                .repository
                .tags
                .get(&case.asked_tag().unwrap_or(Sym::NONE))
                .is_some_and(|tag| tag.holder.is_some()) =>
        {
            format!("Tag {tag} is there again since {}", Timestamp::from_millis(back.from))
        }
        Some(back) => format!(
            "Tag {tag} came back at {}, and does not exist at the end of the logs",
            Timestamp::from_millis(back.from)
        ),
        None if span.end == Some(TagEnd::NotLogged) => {
            format!("Whether tag {tag} exists at the end of the logs is not known")
        }
        None => format!("Tag {tag} does not exist at the end of the logs"),
    };
    let others = other_tags(case, known);
    let image = match there::exists(known.image) {
        Some(false) => match known.image.losses.last() {
            Some(loss) => format!(
                "is gone since {}, too ({}, by {})",
                Timestamp::from_millis(loss.at),
                super::cause::of_loss(case, known, loss).word(),
                crate::detect::who(case.history, loss.event)
            ),
            None => "is gone by now, too".to_owned(),
        },
        None => "may still be there".to_owned(),
        Some(true) if others.is_empty() => "is still there".to_owned(),
        Some(true) => format!("is still there under {}", others.join(", ")),
    };
    sentence(format!("{now}; {digest}, which it pointed to, {image}."), case.event(span.since))
}

fn end(case: Case<'_>, known: Known<'_>, span: &TagSpan, tag: &str) -> Sentence {
    let (at, event) = (Timestamp::from_millis(span.until), span.ended_by);
    let since = match span.since.some() {
        Some(given) => {
            format!(
                "{} gave it to {} at {}. ",
                crate::detect::who(case.history, given),
                case.digest(known).short(),
                case.history.time(given)
            )
        }
        None => String::new(),
    };
    let subject = case.asked_tag().and_then(|tag| {
        let life = known.repository.tag_lives.get(&tag)?;
        Some(TagSubject { history: case.history, repository: known.repository, tag, life })
    });
    let source = subject
        .filter(|_| span.end == Some(TagEnd::Removed))
        .and_then(|subject| source_of_removal(subject, span));
    let text = if let Some(source) = source {
        let place = crate::detect::place(&case.history.repository(source));
        let by = crate::detect::who(case.history, event);
        format!(
            "{since}{by} took tag {tag} off in {place} at {at}, {GOES_ALONG}; no event of that is documented \
             for the copy."
        )
    } else if span.end == Some(TagEnd::Removed) {
        format!(
            "{since}{} took tag {tag} off at {at} ({} by tag).",
            crate::detect::who(case.history, event),
            case.history.event(event).event_name.raw()
        )
    } else {
        format!(
            "{since}An event of {at} shows that the tag was not on it any more; what took it is not in these \
             logs."
        )
    };
    sentence(text, [span.since, event].into_iter().flat_map(|event| case.event(event)).collect())
}

fn third(case: Case<'_>, known: Known<'_>, life: Option<&TagLife>, tag: &str, removed: bool) -> Sentence {
    let why = if removed {
        "A call that deletes by tag takes the tag alone while the image has others".to_owned()
    } else {
        format!("Where tag {tag} was after that is not in these logs")
    };
    let asked = the_pull(case, case.when)
        .filter(|_| removed)
        .map(|pull| format!(": {} found nothing under it", lower(&pull)))
        .unwrap_or_default();
    let last = life
        .and_then(|life| life.asks.iter().rfind(|ask| ask.in_vain))
        .map_or(EventNo::NONE, |ask| ask.event);
    let event = case.when.event.some().unwrap_or(last);
    let _ = known;
    sentence(format!("{why}{asked}."), case.event(event))
}

/// With a small first letter, for the middle of a sentence.
pub fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

/// The repository was created again, which shows that it had been deleted; that deletion is not in the
/// logs.
pub fn recreated(case: Case<'_>, known: Known<'_>, created: EventNo) -> Verdict {
    let mut verdict = case.blank(Cause::RepositoryDeleted);
    let what = case.question.to_text();
    let (name, at) = (case.history.repository(known.repository).name, case.history.time(created));
    verdict.repository = Some(case.history.repository(known.repository));
    verdict.exists = case.exists(known, Some(false));
    let push = known
        .image
        .steps
        .iter()
        .rfind(|step| super::moment::is_push(step))
        .map_or(EventNo::NONE, |step| step.event);
    let asked =
        the_pull(case, case.when).map(|pull| format!(" {pull} found nothing for that.")).unwrap_or_default();
    verdict.narrative = vec![
        sentence(
            format!(
                "{what} was in an earlier life of the repository, and was not pushed since the name was \
                 created anew."
            ),
            case.event(push),
        ),
        sentence(
            format!(
                "{} created repository {} at {at}: a name that can be created is free, so that it was deleted \
                 before, with all that was in it.",
                crate::detect::who(case.history, created),
                name.raw()
            ),
            case.event(created),
        ),
        sentence(format!("The new repository was empty.{asked}"), case.event(case.when.event)),
    ];
    verdict.not_this = against::other_causes(case, known, None, Cause::RepositoryDeleted);
    verdict.used_by =
        used_by::of_tag(case, case.asked_tag().and_then(|tag| known.repository.tag_lives.get(&tag)));
    verdict.unknown.push(
        "When the repository was deleted, and by whom: its DeleteRepository is not in these logs.".to_owned(),
    );
    verdict.advice.push("Build and push anew, or copy from a replica.".to_owned());
    verdict
}
