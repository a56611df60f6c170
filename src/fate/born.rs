//! Replicas that came without their tag: it was on another image there, and tags cannot be moved there.

use super::places::Spot;
use crate::detect::{has_immutable_tags, taken_tag};
use crate::model::{BornUntagged, Digest, FateRole, UntaggedBy};
use crate::timeline::{EventNo, History, Sym};

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
    if spot.role != FateRole::Replica || by != Some(UntaggedBy::PushedUntagged) || !has_immutable_tags(history, repository) {
        return None;
    }
    let taken = taken_tag(history, repository, image, spot.arrival.some()?);
    // Of a replica that its source has without a tag, too, nothing was taken.
    let (tag, span) = taken?;
    let set_by = repository.mutability_set_by.unwrap_or(EventNo::NONE);
    Some(Born { tag: Some(tag), taken_by: history.digest(span.digest), set_by })
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
