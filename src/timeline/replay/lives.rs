//! How an image comes back, and how it vanishes without an event.

use crate::model::ImageState;
use crate::timeline::image::{End, Image};
use crate::timeline::names::{EventNo, Sym};

impl Image {
    /// The image is pushed again after it was lost.
    pub(super) fn revive(&mut self, now: i64) {
        self.back_from_archive(now);
        self.life_start = self.next_step();
        self.vanished = false;
        self.tags.clear();
        self.untagged_at = None;
        self.untagged_by = None;
        self.displaced = None;
    }

    pub(super) fn back_from_archive(&mut self, now: i64) {
        let next = self.next_step();
        if let Some(loss) = self.losses.last_mut()
            && loss.close(now, next)
        {
            loss.back_at = Some(now);
        }
        self.gone_at = None;
        self.state = self.state_by_tags();
        self.is_there = true;
    }

    /// A tag turns out to be on an image in the archive. ECR gives an archived image no tag (a push restores
    /// it), so that it had this one when it was archived, and was not displaced.
    pub(super) fn archived_with(&mut self, tag: Sym, given: EventNo) {
        let Some(loss) = self.losses.last_mut().filter(|loss| loss.end == End::Archived) else { return };
        if loss.tags.iter().all(|(own, _)| *own != tag) {
            loss.tags.push((tag, given));
        }
        loss.displaced = None;
        loss.untagged_at = None;
        loss.untagged_by = None;
    }

    /// The repository was created again: so it was deleted before, by an event that is not in the logs.
    pub(super) fn vanish(&mut self, now: i64) {
        let next = self.next_step();
        if let Some(loss) = self.losses.last_mut() {
            loss.close(now, next);
        }
        self.vanished |= self.state != ImageState::Unknown || self.is_there;
        self.is_there = false;
        self.state = ImageState::Unknown;
        self.tags.clear();
        self.displaced = None;
        self.untagged_at = None;
        self.untagged_by = None;
        self.gone_at = None;
    }

    /// The tag turned out to be elsewhere; when it left is not in the logs.
    pub(super) fn forget_tag(&mut self, tag: Sym) {
        self.tags.retain(|(own, _)| *own != tag);
        if self.state == ImageState::Tagged {
            self.state = self.state_by_tags();
        }
    }

    /// The state of an image by its tags: without a known tag it is untagged only if it cannot have an
    /// unknown one.
    pub(super) fn state_by_tags(&self) -> ImageState {
        match (self.tags.is_empty(), self.tags_known || self.untagged_at.is_some()) {
            (false, _) => ImageState::Tagged,
            (true, true) => ImageState::Untagged,
            (true, false) => ImageState::Unknown,
        }
    }
}
