//! The life of a tag on a page.

use std::io;

use super::escape::Escape;
use super::page::Page;
use super::quantity::counted;
use crate::model::{EventRef, Order, TagEnd, TagSpan, TagTimeline};

/// Maximum number of failed requests that are shown.
const ASKS_MAX: usize = 5;

/// A line for each image that had the tag, and the requests while none had it.
pub(super) fn write(page: &mut Page<'_>, timeline: &TagTimeline, evidence: bool) -> io::Result<()> {
    page.point(2, "", &headline(timeline))?;
    timeline.spans.iter().try_for_each(|span| page.point(4, "", &span_text(span, evidence)))?;
    for ask in timeline.asked_in_vain.iter().take(ASKS_MAX) {
        let place = if evidence {
            format!(" in {}#{}", ask.object.for_terminal(), ask.record)
        } else {
            String::new()
        };
        page.point(
            4,
            "",
            &format!("{} asked for in vain{}{place}", ask.event_time, by(Some(ask), evidence)),
        )?;
    }
    if let Some(more) = timeline.asked_in_vain.len().checked_sub(ASKS_MAX).filter(|more| *more > 0) {
        page.point(
            4,
            "",
            &format!("and {} more that asked in vain", counted(more as u64, "event", "events")),
        )?;
    }
    page.blank()
}

/// `tag v7 points to sha256:0123456789ab`.
pub(super) fn headline(timeline: &TagTimeline) -> String {
    let tag = timeline.tag.for_terminal();
    match timeline.points_to {
        Some(digest) => format!("tag {tag} points to {}", digest.short()),
        None => format!("tag {tag} points to nothing at the end of the logs"),
    }
}

/// `2026-03-02T10:00:00Z to 2026-03-02T10:00:09Z sha256:… by ARN, moved to sha256:… by ARN`.
pub(super) fn span_text(span: &TagSpan, evidence: bool) -> String {
    let since = span.since.map_or_else(|| "(before the logs)".to_owned(), |since| since.to_string());
    let until = span.until.map_or_else(|| "the end of the logs".to_owned(), |until| until.to_string());
    let order =
        if span.order == Order::Observed { String::new() } else { format!(" (order {})", span.order.word()) };
    let pulls =
        if span.pulls > 0 { format!(", {}", counted(span.pulls, "pull", "pulls")) } else { String::new() };
    format!(
        "{since} to {until} {}{}{order}{pulls}{}",
        span.digest.short(),
        by(span.given_by.as_ref(), evidence),
        ending(span, evidence)
    )
}

fn ending(span: &TagSpan, evidence: bool) -> String {
    let how = match span.end {
        None => return String::new(),
        Some(TagEnd::Moved) => {
            format!("moved to {}", span.moved_to.map_or_else(String::new, |digest| digest.short()))
        }
        Some(TagEnd::Removed) => "removed by a call".to_owned(),
        Some(TagEnd::LostWithImage) => "lost with its image".to_owned(),
        Some(TagEnd::RepositoryDeleted) => "gone with the repository".to_owned(),
        Some(TagEnd::NotLogged) => return ", then gone without an event that says how".to_owned(),
    };
    format!(", {how}{}", by(span.ended_by.as_ref(), evidence))
}

fn by(event: Option<&EventRef>, evidence: bool) -> String {
    event
        .and_then(|event| event.actor.as_ref())
        .map(|actor| super::timelines::by(actor, evidence))
        .unwrap_or_default()
}
