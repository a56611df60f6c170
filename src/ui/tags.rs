//! The life of a tag on a page.

use std::io;

use super::escape::Escape;
use super::page::Page;
use super::quantity::counted;
use crate::model::{EventRef, Order, TagEnd, TagSpan, TagTimeline};

/// Events shown of those that asked in vain.
const ASKS_MAX: usize = 5;

/// A line for each image that had the tag, and who asked for it while none had.
pub(super) fn write(page: &mut Page<'_>, timeline: &TagTimeline) -> io::Result<()> {
    page.point(2, "", &headline(timeline))?;
    timeline.spans.iter().try_for_each(|span| page.point(4, "", &span_text(span)))?;
    for ask in timeline.asked_in_vain.iter().take(ASKS_MAX) {
        page.point(4, "", &format!("{} asked for in vain{} in {}#{}", ask.event_time, by(Some(ask)), ask.object.for_terminal(), ask.record))?;
    }
    if let Some(more) = timeline.asked_in_vain.len().checked_sub(ASKS_MAX).filter(|more| *more > 0) {
        page.point(4, "", &format!("and {} more that asked in vain", counted(more as u64, "event", "events")))?;
    }
    page.blank()
}

/// `tag v7 points to sha256:0123456789ab`.
fn headline(timeline: &TagTimeline) -> String {
    let tag = timeline.tag.for_terminal();
    match timeline.points_to {
        Some(digest) => format!("tag {tag} points to {}", digest.short()),
        None => format!("tag {tag} points to nothing at the end of the logs"),
    }
}

/// `2026-03-02T10:00:00Z to 2026-03-02T10:00:09Z sha256:… by ARN, moved to sha256:… by ARN`.
fn span_text(span: &TagSpan) -> String {
    let since = span.since.map_or_else(|| "(before the logs)".to_owned(), |since| since.to_string());
    let until = span.until.map_or_else(|| "now".to_owned(), |until| until.to_string());
    let order = if span.order == Order::Observed { String::new() } else { format!(" (order {})", span.order.word()) };
    let pulls = if span.pulls > 0 { format!(", {}", counted(span.pulls, "pull", "pulls")) } else { String::new() };
    format!("{since} to {until} {}{}{order}{pulls}{}", span.digest.short(), by(span.given_by.as_ref()), ending(span))
}

fn ending(span: &TagSpan) -> String {
    let how = match span.end {
        None => return String::new(),
        Some(TagEnd::Moved) => format!("moved to {}", span.moved_to.map_or_else(String::new, |digest| digest.short())),
        Some(TagEnd::Removed) => "removed by a call".to_owned(),
        Some(TagEnd::LostWithImage) => "lost with its image".to_owned(),
        Some(TagEnd::RepositoryDeleted) => "gone with the repository".to_owned(),
        Some(TagEnd::NotLogged) => return ", then gone without an event that says how".to_owned(),
    };
    format!(", {how}{}", by(span.ended_by.as_ref()))
}

fn by(event: Option<&EventRef>) -> String {
    event.and_then(|event| event.actor.as_ref()).map(|actor| format!(" by {}", actor.for_terminal())).unwrap_or_default()
}
