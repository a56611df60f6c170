//! The images of a picture, as a sequence of stretches each.

use super::scene::{Lane, Look, Stretch, short_name};
use crate::model::{Digest, Finding, FindingKind, ImageState, StepKind, Timeline, Timestamp};
use crate::ui::quantity::span;
use crate::ui::report::Story;

type Span = (Timestamp, Timestamp);

/// The lane of the image that the finding is about.
pub fn lost_lane(finding: &Finding, story: &Story, (first, last): Span) -> Lane {
    let lost = &finding.lost;
    // Findings about a tag do not have the image's end, but its life does.
    let life = story.life.as_ref().filter(|_| {
        matches!(finding.kind, FindingKind::TagRemoved | FindingKind::TagMovedBack | FindingKind::AccessTaken)
    });
    let since = |at: &Timestamp| *at >= finding.second_push.event_time;
    let untagged = lost.untagged_at.or(life.and_then(|life| life.untagged_at).filter(since));
    let gone = lost.gone_at.or(life.and_then(|life| life.gone_at).filter(since));
    let back = story.back_at.unwrap_or(last);
    let mut stretches = Vec::new();
    let mut add = |look: Look, from: Timestamp, to: Timestamp, label: String| {
        if from < to {
            stretches.push(Stretch { look, from, to, label });
        }
    };
    let begin = lost.pushed_at.unwrap_or(first).max(first);
    let (alive, bare) = looks(finding, story);
    let end = gone.unwrap_or(last);
    let bare_from = untagged.unwrap_or(end).clamp(begin, end);
    add(
        alive,
        begin,
        bare_from,
        if alive == Look::Unknown {
            "what became of it is not in these logs".to_owned()
        } else {
            String::new()
        },
    );
    let label = match bare {
        Look::Held => "no tag of its own, listed by the index".to_owned(),
        _ => format!("no tag for {}", span(end.seconds_since(bare_from))),
    };
    add(bare, bare_from, end, label);
    let (look, word) = if finding.kind == FindingKind::Archived {
        (Look::Archived, "in the archive")
    } else {
        (Look::Gone, "gone")
    };
    let word = if story.presumed { "most likely gone" } else { word };
    add(look, end, back.max(end), word.to_owned());
    add(Look::Tagged, back.max(end), last, "back".to_owned());
    for (from, until) in if finding.kind == FindingKind::AccessTaken { story.locked.as_slice() } else { &[] }
    {
        add(
            Look::Locked,
            (*from).max(begin),
            until.unwrap_or(last).min(last),
            "there, and locked away".to_owned(),
        );
    }
    let pushed = finding
        .first_push
        .as_ref()
        .filter(|push| lost.pushed_at.is_some_and(|at| at.seconds() == push.event_time.seconds()));
    let actor = pushed
        .and_then(|push| push.actor.as_ref())
        .map(short_name)
        .or_else(|| pusher(story.life.as_ref(), lost.pushed_at));
    let note = match (lost.pushed_at, actor) {
        (Some(_), Some(actor)) => format!("pushed by {actor}"),
        (Some(at), None) => format!("pushed {}", day(at)),
        (None, _) => "its push is not in these logs".to_owned(),
    };
    let name = lost.digest.map_or_else(|| "digest not known".to_owned(), name);
    Lane { name, note, stretches, open_start: lost.pushed_at.is_none_or(|at| at < first) }
}

/// How it looks with and without a tag.
fn looks(finding: &Finding, story: &Story) -> (Look, Look) {
    let state = story.life.as_ref().map_or(ImageState::Unknown, |life| life.state);
    match finding.kind {
        FindingKind::ChildLost => (Look::Held, Look::Held),
        FindingKind::ExpiredUntagged if finding.lost.untagged_at.is_none() => (Look::Fuse, Look::Fuse),
        FindingKind::Unexplained if state == ImageState::Untagged => (Look::Fuse, Look::Fuse),
        FindingKind::Unexplained if state != ImageState::Tagged => (Look::Unknown, Look::Unknown),
        _ => (Look::Tagged, Look::Fuse),
    }
}

/// The lane of the image that has the tag instead, of the index, or of the source.
pub fn other_lane(finding: &Finding, story: &Story, (first, last): Span) -> Option<Lane> {
    let Some(life) = &story.other else {
        return finding.kept.digest.map(|kept| known_by_name(finding, kept, (first, last)));
    };
    let pushed = life.pushed_at.or(life.steps.iter().map(|step| step.time).min());
    let begin = pushed.unwrap_or(first).clamp(first, last);
    let gone = life.gone_at.filter(|at| *at > begin).unwrap_or(last).min(last);
    let bare = life.untagged_at.unwrap_or(gone).clamp(begin, gone);
    let mut stretches = Vec::new();
    for (look, from, to, label) in [
        (Look::Tagged, begin, bare, ""),
        (Look::Fuse, bare, gone, "no tag"),
        (Look::Gone, gone, last, "gone"),
    ] {
        if from < to {
            stretches.push(Stretch { look, from, to, label: label.to_owned() });
        }
    }
    let note = match finding.kind {
        FindingKind::ChildLost => "the index that lists it".to_owned(),
        _ if story.other_is_source => format!("the source, in {}", life.repository.name.raw()),
        FindingKind::ExpiredUntagged | FindingKind::Archived | FindingKind::DeletedByCall => {
            "the image that it is about".to_owned()
        }
        _ => match (pusher(Some(life), life.pushed_at), pushed) {
            (_, Some(at)) if at < first => format!("pushed {}", day(at)),
            (Some(actor), _) => format!("pushed by {actor}"),
            (None, Some(_)) | (None, None) => "has the tag instead".to_owned(),
        },
    };
    Some(Lane { name: name(life.digest), note, stretches, open_start: pushed.is_none_or(|at| at < first) })
}

/// The lane of an image that the logs know only because it took the tag.
fn known_by_name(finding: &Finding, kept: Digest, (first, last): Span) -> Lane {
    let from = finding.second_push.event_time.clamp(first, last);
    let stretches = vec![Stretch { look: Look::Tagged, from, to: last, label: String::new() }];
    Lane { name: name(kept), note: "has the tag instead".to_owned(), stretches, open_start: false }
}

fn pusher(life: Option<&Timeline>, pushed: Option<Timestamp>) -> Option<String> {
    let pushes = life?.steps.iter().filter(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    let push = pushes.min_by_key(|step| pushed.map_or(0, |at| step.time.seconds_since(at).abs()))?;
    push.event.actor.as_ref().map(short_name)
}

fn name(digest: Digest) -> String {
    digest.short().trim_start_matches("sha256:").to_owned()
}

fn day(at: Timestamp) -> String {
    at.to_string().chars().take("2026-03-02".len()).collect()
}
