//! What a tag points to, since when and because of whom, and what it pointed to before.

use super::{Case, Known, sentence};
use crate::detect::{MoveBack, TagSubject, advice_on_moves, moved_on, moves_back, who};
use crate::model::{Sentence, TagEnd, Timestamp, Verdict, plural, times};
use crate::timeline::{EventNo, Image, RepositoryHistory, TagLife, TagSpan};

/// Maximum number of earlier images that are described.
const SPANS_MAX: usize = 4;

/// The answer if nothing failed: three steps and advice.
pub fn narrate(case: Case<'_>, known: Known<'_>, life: &TagLife, span: &TagSpan, verdict: &mut Verdict) {
    let tag = case.question.about.tag().unwrap_or_default();
    let earlier: Vec<&TagSpan> = life.spans.iter().filter(|other| other.until <= span.from).collect();
    verdict.narrative = vec![
        points_to(case, known, span, tag),
        before(case, &earlier, tag),
        comparison(case, known, life, span, &earlier, tag),
    ];
    let back = moves_back(known.repository, life).into_iter().rfind(|back| back.to.from <= span.from);
    verdict.advice = match back.zip(case.asked_tag()) {
        Some((back, tag)) => advice_on_moves(
            TagSubject { history: case.history, repository: known.repository, tag, life },
            back,
        ),
        None => vec![
            "If a pull of it failed, ask with the whole error line, or with --at and the time of the \
             failure."
                .to_owned(),
        ],
    };
}

fn points_to(case: Case<'_>, known: Known<'_>, span: &TagSpan, tag: &str) -> Sentence {
    let digest = case.digest(known);
    let since = match span.since.some() {
        Some(given) => format!(
            "since {}, when {} pushed it under that tag",
            case.history.time(given),
            who(case.history, given)
        ),
        None => "since before these logs begin, or by a push that is not in them".to_owned(),
    };
    let at = case.when_in_words();
    let pushed = pushed_earlier(known.image, span)
        .map(|at| format!("; the image itself was pushed at {at}"))
        .unwrap_or_default();
    sentence(format!("Tag {tag} {at} {digest}, {since}{pushed}."), case.event(span.since))
}

/// When the image was pushed, if that was before it got the tag.
fn pushed_earlier(image: &Image, span: &TagSpan) -> Option<Timestamp> {
    let pushed = span.pushed_at.or(image.pushed_at).filter(|pushed| *pushed < span.from)?;
    Some(Timestamp::from_millis(pushed))
}

fn before(case: Case<'_>, earlier: &[&TagSpan], tag: &str) -> Sentence {
    if earlier.is_empty() {
        return sentence(
            format!("What tag {tag} pointed to before, if anything, is not in these logs."),
            Vec::new(),
        );
    }
    let told: Vec<String> = earlier.iter().rev().take(SPANS_MAX).map(|span| one(case, span)).collect();
    let more = earlier.len().saturating_sub(SPANS_MAX);
    let more =
        if more > 0 { format!("; and to {} before that", plural(more, "image")) } else { String::new() };
    let evidence = earlier
        .iter()
        .rev()
        .take(SPANS_MAX)
        .flat_map(|span| [span.since, span.ended_by])
        .filter(|event| event.is_some());
    let mut events: Vec<EventNo> = evidence.collect();
    events.dedup();
    sentence(
        format!("Before that it pointed to {}{more}.", told.join("; before that to ")),
        events.into_iter().flat_map(|event| case.event(event)).collect(),
    )
}

/// "sha256:… (pushed at … by ARN, tagged at …) until …, when ARN moved it".
fn one(case: Case<'_>, span: &TagSpan) -> String {
    let digest = case.history.digest_or_zero(span.digest);
    let pushed = span.pushed_at.map(|at| format!("pushed at {}", Timestamp::from_millis(at)));
    let tagged = span
        .since
        .some()
        .map(|given| format!("tagged by {} at {}", who(case.history, given), case.history.time(given)));
    let facts: Vec<String> = pushed.into_iter().chain(tagged).collect();
    let facts = if facts.is_empty() { String::new() } else { format!(" ({})", facts.join(", ")) };
    let by = span.ended_by.some().map(|event| who(case.history, event)).unwrap_or_default();
    let end = match span.end {
        Some(TagEnd::Moved) => format!(", when {by} moved the tag"),
        Some(TagEnd::Removed) => format!(", when {by} took the tag off"),
        Some(TagEnd::LostWithImage) => ", when the image went".to_owned(),
        Some(TagEnd::RepositoryDeleted) => ", when the repository went".to_owned(),
        Some(TagEnd::NotLogged) | None => String::new(),
    };
    format!("{digest}{facts} until {}{end}", Timestamp::from_millis(span.until))
}

/// Whether and how often the tag moved back.
fn comparison(
    case: Case<'_>,
    known: Known<'_>,
    life: &TagLife,
    span: &TagSpan,
    earlier: &[&TagSpan],
    tag: &str,
) -> Sentence {
    let all = moves_back(known.repository, life);
    let pulls = |span: &TagSpan| match span.pulls {
        0 => "No pull by the tag is in the logs since then".to_owned(),
        pulls => format!("It was pulled by the tag {} since then", times(pulls)),
    };
    if let Some(back) = all.iter().rfind(|back| std::ptr::eq(back.to, span)) {
        let (newer, older) = (
            case.history.digest_or_zero(back.from.digest).short(),
            case.history.digest_or_zero(back.to.digest).short(),
        );
        let pushers = back.from.since.some().map(|first| {
            format!(
                "{} had moved it to {newer}, and {} moved it to {older}",
                who(case.history, first),
                who(case.history, back.to.since)
            )
        });
        let pushers =
            pushers.unwrap_or_else(|| format!("{} moved it to {older}", who(case.history, back.to.since)));
        let times = if all.len() > 1 {
            format!(" It went back {} times in these logs.", all.len())
        } else {
            String::new()
        };
        let evidence =
            [back.from.since, back.to.since].into_iter().flat_map(|event| case.event(event)).collect();
        return sentence(
            format!(
                "The tag went back to an older image: {pushers}, which was pushed before it.{times} {}.",
                pulls(span)
            ),
            evidence,
        );
    }
    if let Some(back) = all.iter().rfind(|back| back.to.from <= span.from) {
        return went_back(case, *back, earlier, all.len(), &pulls(span));
    }
    if let Some(pinned) = super::pinned::before(case, known) {
        return sentence(format!("{} {}.", pinned.text, pulls(span)), pinned.evidence);
    }
    let moves = earlier.iter().filter(|span| span.end == Some(TagEnd::Moved)).count();
    let moved = match moves {
        0 => format!("Tag {tag} was not moved in these logs"),
        _ if known_ages(life) => format!("It was moved {}, each time to a newer image", times(moves)),
        _ => {
            format!("It was moved {}, each time to a newer image or as these logs cannot tell", times(moves))
        }
    };
    sentence(format!("{moved}. {}.", pulls(span)), case.event(span.last_pull))
}

/// The tag was on an older image for a while, and is not any more.
fn went_back(
    case: Case<'_>,
    back: MoveBack<'_>,
    earlier: &[&TagSpan],
    went_back: usize,
    pulls: &str,
) -> Sentence {
    let digest = |span: &TagSpan| case.history.digest_or_zero(span.digest).short();
    let moves = earlier.iter().filter(|span| span.end == Some(TagEnd::Moved)).count();
    let last = if went_back > 1 { ", the last time" } else { "" };
    let until = moved_on(case.history, back.to).map(|moved| format!(", until {moved}")).unwrap_or_default();
    let meanwhile = match back.to.pulls {
        0 => String::new(),
        pulls => format!(" It was pulled {} in between, which gave the older image.", times(pulls)),
    };
    let text = format!(
        "It was moved {}, and {} of these moves went back to an older image{last} at {}, when {} moved it \
         from {} to {}{until}.{meanwhile} {pulls}.",
        times(moves),
        went_back,
        Timestamp::from_millis(back.to.from),
        who(case.history, back.to.since),
        digest(back.from),
        digest(back.to),
    );
    sentence(
        text,
        [back.from.since, back.to.since, back.to.ended_by]
            .into_iter()
            .flat_map(|event| case.event(event))
            .collect(),
    )
}

fn known_ages(life: &TagLife) -> bool {
    life.spans.iter().all(|span| span.pushed_at.is_some())
}

/// The index that had the tag before, and lost it to one of its own images.
pub fn lost_to_child<'h>(
    repository: &'h RepositoryHistory,
    life: &'h TagLife,
    span: &TagSpan,
) -> Option<(&'h Image, &'h TagSpan)> {
    let before = life.spans.iter().rfind(|other| {
        other.end == Some(TagEnd::Moved) && other.until == span.from && other.moved_to == span.digest
    })?;
    let index = repository.image(before.digest)?;
    index.children.contains(&span.digest).then_some((index, before))
}
