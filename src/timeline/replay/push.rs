//! A push: the image exists from now on, and its tag moves to it from whichever image had it.

use super::{Replay, TagState, Unconfirmed};
use crate::model::{ImageState, Order, PushOrigin, StepKind, TagEnd, UntaggedBy};
use crate::timeline::bytes::push_one;
use crate::timeline::fact::{Manifest, Named};
use crate::timeline::image::{Displacement, Image};
use crate::timeline::names::{DigestNo, EventNo, Sym};
use crate::timeline::references::MentionKind;
use crate::timeline::replay::state::Opening;

impl<'e> Replay<'e> {
    pub(super) fn push(
        &mut self,
        event: EventNo,
        image: Named,
        origin: PushOrigin,
        manifest: Option<&'e Manifest>,
        order: Order,
    ) {
        let now = self.time(event);
        let at = self.arrive(image.digest, now);
        if let Some(manifest) = manifest {
            self.describe(at, manifest);
        }
        let comes_without = origin == PushOrigin::Replication && self.keeps_tag_from(image, now);
        let image = if comes_without { Named { tag: Sym::NONE, ..image } } else { image };
        let from = if image.tag.is_some() { self.move_tag(event, image, at, order) } else { DigestNo::NONE };
        let kind = if origin == PushOrigin::Replication { StepKind::Replicate } else { StepKind::Push };
        self.state.images[at].step(event, kind, image.tag, from, order);
        let image = &mut self.state.images[at];
        image.origin = origin;
        if image.tags.is_empty() && image.untagged_at.is_none() {
            image.state = ImageState::Untagged;
            image.untagged_at = Some(now);
            image.untagged_by = Some(UntaggedBy::PushedUntagged);
        }
    }

    /// Whether the image arrives without its tag: replication does not move an immutable tag (ECR User Guide).
    /// If deletions are replicated to this repository, the image that had the tag may have been deleted without
    /// an event. Then the tag may have been free, and the event's own word counts.
    fn keeps_tag_from(&self, image: Named, now: i64) -> bool {
        self.state.holder(image.tag).is_some_and(|holder| holder.digest != image.digest)
            && self.state.is_immutable(image.tag, self.names)
            && self.registries.deletions_reach(self.state.repository, now, self.names).is_none()
    }

    /// The image is there now: for the first time, again after it was gone, or as before.
    fn arrive(&mut self, digest: DigestNo, now: i64) -> usize {
        // ECR refuses an index whose children are missing: so an image that an index lists existed before.
        let listed = self.state.parents.contains_key(&digest);
        let at = self.at(digest);
        let image = &mut self.state.images[at];
        let fresh = !listed
            && !image.is_there
            && image.steps.iter().all(|step| {
                matches!(step.kind, StepKind::PushFailed | StepKind::PullFailed | StepKind::DeleteFailed)
            });
        if image.is_gone() || image.vanished {
            image.revive(now);
            image.lives += 1;
            image.pushed_at = Some(now);
            image.tags_known = true;
        } else if image.state == ImageState::Archived {
            image.back_from_archive(now);
            if let Some(simulator) = &mut self.simulator {
                simulator.restored(at, now);
            }
        } else if image.may_be_in_archive() {
            // It was in the archive when a call removed one of its tags. Now it is restored, or it was deleted
            // and is pushed again.
            image.back_from_archive(now);
            image.pushed_at.get_or_insert(now);
        } else if image.state == ImageState::Unknown && image.pushed_at.is_none() {
            // If something asked for it before, it may have existed earlier; this is the latest time at
            // which it can have come.
            image.pushed_at = Some(now);
            image.open_start = !fresh;
            image.tags_known = fresh;
        }
        if image.state == ImageState::Unknown {
            image.state = if image.tags.is_empty() { ImageState::Untagged } else { ImageState::Tagged };
        }
        self.touch(at);
        self.spare(at, None);
        at
    }

    pub(super) fn describe(&mut self, at: usize, manifest: &'e Manifest) {
        self.layers.add(at, &manifest.layers);
        let image = &mut self.state.images[at];
        image.media_type = manifest.media_type;
        image.subject = manifest.subject;
        if manifest.subject.is_some() {
            let own = image.digest;
            let artifacts = self.state.artifacts.entry(manifest.subject).or_default();
            if !artifacts.contains(&own) {
                artifacts.push(own);
            }
        }
        let image = &mut self.state.images[at];
        if !manifest.is_index {
            return;
        }
        image.children.clone_from(&manifest.children);
        image.platforms.clone_from(&manifest.platforms);
        let parent = image.digest;
        for &child in &manifest.children {
            let parents = self.state.parents.entry(child).or_default();
            if !parents.contains(&parent) {
                parents.push(parent);
            }
            // An image that an index lists is held by the index and is no orphan, whatever took its tag.
            if let Some(&at) = self.state.by_digest.get(&child) {
                self.state.images[at].displaced = None;
            }
        }
    }

    /// Moves `tag` to the image at `at`. Returns the digest that lost the tag.
    fn move_tag(&mut self, event: EventNo, image: Named, at: usize, order: Order) -> DigestNo {
        let tag = image.tag;
        let before = self.state.tags.get(&tag).copied();
        if before.is_some_and(|before| before.holder == Some(at)) {
            return DigestNo::NONE;
        }
        let mut from = DigestNo::NONE;
        match before {
            Some(TagState { holder: Some(loser), .. }) => {
                from = self.state.images[loser].digest;
                self.lose_tag(event, loser, tag, at, order);
            }
            Some(_) => {}
            None => self.state.openings.push(Opening {
                tag,
                event,
                digest: image.digest,
                at: self.time(event),
                order,
            }),
        }
        self.give_tag(at, tag, event, event, order);
        from
    }

    /// Gives `tag` to an image: by `event`, if known; `seen` is the event that shows the tag there.
    pub(super) fn give_tag(&mut self, at: usize, tag: Sym, event: EventNo, seen: EventNo, order: Order) {
        self.state.tags.insert(tag, TagState { holder: Some(at), last_holder: None });
        self.begin_span(at, tag, event, seen, order);
        let image = &mut self.state.images[at];
        if !image.has_tag(tag) {
            push_one(&mut image.tags, (tag, event));
        }
        image.untagged_at = None;
        image.untagged_by = None;
        image.displaced = None;
        if image.state == ImageState::Archived {
            image.archived_with(tag, event);
        } else {
            image.state = ImageState::Tagged;
        }
        self.touch(at);
        // Without an event, the tag was there before: mentions that waited for the tag meant this image.
        let pushed = event.some().map(|event| self.time(event));
        for mention in self.waiting.remove(&tag).unwrap_or_default() {
            match pushed {
                Some(now) if mention.until <= now => {}
                // Which image had the tag when a service was deployed is not in the logs, unless the
                // service's first task still has to resolve it. Likewise for calls that resolve a tag at
                // once.
                Some(_) if matches!(mention.kind, MentionKind::Kept | MentionKind::Started) => {}
                Some(_) if mention.kind == MentionKind::Deployed => {
                    self.unconfirmed.push(Unconfirmed { mention, bound: None })
                }
                _ => self.note_use(at, &mention, Order::Observed),
            }
        }
    }

    fn lose_tag(&mut self, event: EventNo, loser: usize, tag: Sym, winner: usize, order: Order) {
        let now = self.time(event);
        let (by, lost) = (self.state.images[winner].digest, self.state.images[loser].digest);
        // An image whose tag moves to an index that lists it does not become an orphan.
        let taken_by_index = self.state.images[winner].children.contains(&lost);
        let by_child = self.state.images[loser].children.contains(&by);
        let held = taken_by_index || self.state.is_held(lost);
        let image = &mut self.state.images[loser];
        let first_push =
            image.tags.iter().find(|(own, _)| *own == tag).map_or(EventNo::NONE, |(_, given)| *given);
        image.tags.retain(|(own, _)| *own != tag);
        let step = image.next_step();
        image.step(event, StepKind::TagLost, tag, by, order);
        self.touch(loser);
        self.close_span(loser, tag, event, TagEnd::Moved, by);
        let image = &mut self.state.images[loser];
        if !image.tags.is_empty() {
            return;
        }
        if image.state != ImageState::Archived {
            image.state = ImageState::Untagged;
        }
        image.untagged_at = Some(now);
        image.untagged_by = (!taken_by_index).then_some(UntaggedBy::Displaced);
        image.displaced = (!held).then(|| {
            Box::new(Displacement { tag, first_push, second_push: event, by, by_child, order, at: now, step })
        });
    }

    /// A failed push changes nothing, but `ImageAlreadyExistsException` shows where a tag is.
    pub(super) fn push_failed(&mut self, event: EventNo, image: Named, proves: Named, order: Order) {
        let named = if image.digest.is_some() { image } else { proves };
        if let Some(digest) = named.digest.some() {
            let at = self.at(digest);
            self.state.images[at].step(event, StepKind::PushFailed, named.tag, DigestNo::NONE, order);
        } else if let Some(holder) = self.state.tags.get(&named.tag).and_then(|tag| tag.holder) {
            self.state.images[holder].step(event, StepKind::PushFailed, named.tag, DigestNo::NONE, order);
        }
        // Whichever image has the tag, the one that "already exists" is there and was pushed before.
        if let Some(digest) = proves.digest.some()
            && let at = self.at(digest)
            && self.state.images[at].state == ImageState::Unknown
        {
            self.state.images[at].is_there = true;
        }
        if self.plays_another_policy()
            && proves.digest.some().is_some_and(|digest| self.state.image(digest).is_some_and(Image::is_gone))
        {
            // It was refused because of an image that the simulated policy had taken: then it is a push
            // like any other.
            return self.push(event, proves, PushOrigin::Client, None, order);
        }
        if proves.digest.is_some()
            && proves.tag.is_some()
            && self.state.tags.get(&proves.tag).is_none_or(|tag| tag.holder.is_none())
        {
            let at = self.there(proves.digest, event);
            if self.state.images[at].is_alive() {
                self.give_tag(at, proves.tag, EventNo::NONE, event, Order::Observed);
            }
        }
    }
}
