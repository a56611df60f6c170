//! Replicas that came without their tag: it was on another image there, and tags cannot be moved there.

use super::places::Spot;
use crate::detect::{has_immutable_tags, taken_tag};
use crate::model::{BornUntagged, Digest, FateRole, UntaggedBy};
use crate::timeline::{EventNo, History, Image, RepositoryHistory, Sym};

/// How a replica came to have no tag.
pub(super) struct Born {
    pub tag: Option<Sym>,
    pub taken_by: Option<Digest>,
    pub set_by: EventNo,
}

/// `None` for what has, or had, a tag there, or came without one from its source.
pub(super) fn untagged(history: &History, spot: &Spot<'_>) -> Option<Born> {
    let (repository, image) = spot.repository.zip(spot.image)?;
    let by = image.untagged_by.or_else(|| image.losses.last().and_then(|loss| loss.untagged_by));
    if spot.role != FateRole::Replica
        || by != Some(UntaggedBy::PushedUntagged)
        || !has_immutable_tags(history, repository)
    {
        return None;
    }
    let arrival = spot.arrival.some()?;
    let taken = taken_tag(history, repository, image, arrival);
    // What its source has without a tag, too, nothing was taken from. Of the image that had the tag here the
    // end may be concluded, wrongly.
    let tag = taken.map(|(tag, _)| tag).or_else(|| tag_at_source(history, repository, image, arrival))?;
    let taken_by = taken.and_then(|(_, span)| history.digest(span.digest));
    let set_by = repository.mutability_set_by.unwrap_or(EventNo::NONE);
    Some(Born { tag: Some(tag), taken_by, set_by })
}

/// A tag that the image had elsewhere, in a repository of the same name, when it came.
fn tag_at_source(
    history: &History,
    repository: &RepositoryHistory,
    image: &Image,
    arrival: EventNo,
) -> Option<Sym> {
    let at = history.noted(arrival).time;
    let had = history
        .namesakes(repository)
        .flat_map(|other| &other.tag_lives)
        .filter(|(_, life)| life.at(at).is_some_and(|span| span.digest == image.digest));
    had.map(|(tag, _)| *tag).min_by_key(|tag| history.text(*tag))
}

impl Born {
    pub fn shown(&self, history: &History) -> BornUntagged {
        BornUntagged {
            tag: self.tag.and_then(|tag| history.log_text(tag)),
            taken_by: self.taken_by,
            set_by: self.set_by.some().map(|event| history.event(event)),
        }
    }
}
