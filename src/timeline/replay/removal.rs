//! What ends a life or takes a tag: calls, archiving, and the end of the repository itself.

use super::{Replay, RepositoryHistory, TagState};
use crate::model::{ImageState, Order, PushOrigin, StepKind, TagEnd};
use crate::timeline::bytes::push_one;
use crate::timeline::fact::{Deleted, Mutability, Named};
use crate::timeline::image::{End, Loss, RunFacts};
use crate::timeline::names::{DigestNo, EventNo, Sym};
use crate::timeline::policy::{KnownFrom, PolicyInForce};

impl Replay<'_> {
    pub(super) fn delete(&mut self, event: EventNo, deleted: &Deleted, order: Order) {
        // The response states which image had which tag, whatever was thought before, and in any order.
        for (image, _) in
            deleted.removed.iter().filter(|(image, _)| image.digest.is_some() && image.tag.is_some())
        {
            self.correct_holder(*image, event);
        }
        for (image, _) in deleted
            .removed
            .iter()
            .filter(|(image, by_digest)| *by_digest && image.digest.is_some() && image.tag.is_some())
        {
            self.learn_tag(*image, event);
        }
        let mut touched: Vec<usize> = Vec::new();
        for &(image, by_digest) in &deleted.removed {
            let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
            let Some(at) = image.digest.some().map(|digest| self.there(digest, event)).or(holder) else {
                continue;
            };
            if by_digest {
                if !self.state.images[at].is_gone() {
                    self.state.images[at].step(event, StepKind::Delete, image.tag, DigestNo::NONE, order);
                    self.end(at, event, End::DeletedByDigest, order, None);
                }
                continue;
            }
            self.state.images[at].step(event, StepKind::Untag, image.tag, DigestNo::NONE, order);
            if !self.state.images[at].is_gone() {
                self.untag(at, image.tag, event);
                touched.push(at);
            }
        }
        touched.dedup();
        for at in touched {
            self.after_untag(at, event, order);
        }
        for image in &deleted.failed {
            let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
            if let Some(at) = image.digest.some().map(|digest| self.at(digest)).or(holder) {
                self.state.images[at].step(event, StepKind::DeleteFailed, image.tag, DigestNo::NONE, order);
            }
        }
    }

    /// The tag was thought to be on another image.
    fn correct_holder(&mut self, image: Named, event: EventNo) {
        let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
        if let Some(holder) = holder.filter(|holder| self.state.images[*holder].digest != image.digest) {
            self.state.images[holder].forget_tag(image.tag);
            self.touch(holder);
            self.state.tags.insert(image.tag, TagState { holder: None, last_holder: None });
            self.close_span(holder, image.tag, event, TagEnd::NotLogged, DigestNo::NONE);
        }
    }

    /// An image that is deleted by its digest had the tags that the response lists, even if no event set them.
    fn learn_tag(&mut self, image: Named, event: EventNo) {
        let at = self.there(image.digest, event);
        if !self.state.images[at].is_gone() && !self.state.images[at].has_tag(image.tag) {
            self.give_tag(at, image.tag, EventNo::NONE, event, Order::Observed);
        }
    }

    fn untag(&mut self, at: usize, tag: Sym, event: EventNo) {
        self.state.tags.insert(tag, TagState { holder: None, last_holder: None });
        self.close_span(at, tag, event, TagEnd::Removed, DigestNo::NONE);
        self.touch(at);
        let image = &mut self.state.images[at];
        if !image.has_tag(tag) {
            // Known only from this event: the image had the tag until now.
            push_one(&mut image.tags, (tag, EventNo::NONE));
        }
        let given = image.tags.iter().find(|(own, _)| *own == tag).map_or(event, |(_, given)| *given);
        image.tags.retain(|(own, _)| *own != tag);
        if image.tags.is_empty() {
            image.tags = vec![(tag, given)];
            image.state = ImageState::Unknown;
        }
    }

    /// ECR deletes an image with its last tag, and the event does not say so. That is concluded only if all
    /// tags of the image are known.
    fn after_untag(&mut self, at: usize, event: EventNo, order: Order) {
        let last_gone = self.state.images[at].state == ImageState::Unknown;
        if !last_gone {
            return;
        }
        let image = &mut self.state.images[at];
        if !image.tags_known {
            image.tags.clear();
            image.is_there = false;
            return;
        }
        let (tag, _) = image.tags[0];
        image.step(event, StepKind::Delete, tag, DigestNo::NONE, order);
        self.state.tags.insert(tag, TagState { holder: None, last_holder: Some(at) });
        self.end(at, event, End::DeletedByLastTag, order, None);
    }

    pub(super) fn end(&mut self, at: usize, event: EventNo, end: End, order: Order, run: Option<RunFacts>) {
        self.end_at(at, self.time(event), event, end, order, run);
    }

    /// The same at a given time, because a simulated run has no event with a time.
    pub(super) fn end_at(
        &mut self,
        at: usize,
        now: i64,
        event: EventNo,
        end: End,
        order: Order,
        run: Option<RunFacts>,
    ) {
        self.touch(at);
        self.asked_for_at_the_end(at, now);
        if end != End::Archived {
            self.lose_tags_with(at, now, event, end);
        }
        let image = &mut self.state.images[at];
        let loss = Loss {
            end,
            event,
            at: now,
            order,
            tags: image.tags.clone(),
            // An archived image can be restored, and keeps its displacement.
            displaced: if end == End::Archived { image.displaced.clone() } else { image.displaced.take() },
            run,
            presumed: None,
            pushed_at: image.pushed_at,
            untagged_at: image.untagged_at,
            untagged_by: image.untagged_by,
            open_start: image.open_start && image.lives == 1,
            first_step: image.life_start,
            end_step: image.next_step().saturating_sub(1),
            next_life_step: u32::MAX,
            until: i64::MAX,
            back_at: None,
            asked_later: Vec::new(),
        };
        // The image was archived and then deleted: failures from now on are due to the second end.
        if let Some(archived) = image.losses.last_mut() {
            archived.close(now, loss.end_step);
        }
        push_one(&mut image.losses, loss);
        image.is_there = false;

        image.gone_at = Some(now);
        image.state = match end {
            End::Expired => ImageState::Expired,
            End::Archived => ImageState::Archived,
            End::DeletedByDigest | End::DeletedByLastTag => ImageState::Deleted,
            End::RepositoryDeleted => ImageState::RepositoryDeleted,
            End::NotListed => ImageState::Gone,
        };
        if end != End::RepositoryDeleted {
            self.doom_artifacts(at, now);
        }
    }

    /// The image's tags end with it.
    fn lose_tags_with(&mut self, at: usize, now: i64, event: EventNo, end: End) {
        let how =
            if end == End::RepositoryDeleted { TagEnd::RepositoryDeleted } else { TagEnd::LostWithImage };
        let Self { state, .. } = self;
        let image = &state.images[at];
        for (tag, _) in &image.tags {
            if let Some(state_of_tag) = state.tags.get_mut(tag)
                && state_of_tag.holder == Some(at)
            {
                *state_of_tag = TagState { holder: None, last_holder: Some(at) };
                state.tag_lives.entry(*tag).or_default().close(image.digest, now, event, how, DigestNo::NONE);
            }
        }
    }

    /// A name that can be created was free: whatever existed there is gone, and no event says since when.
    pub(super) fn create_repository(
        &mut self,
        event: EventNo,
        mutability: &Mutability,
        made_by_ecr: Option<PushOrigin>,
    ) {
        let now = self.time(event);
        self.state.creations.push(event);
        for image in self.state.images.iter_mut().filter(|image| !image.is_gone()) {
            image.vanish(now);
        }
        self.touch_all();
        // In a new repository no image has a tag. Tags that were known belonged to the old one, whether its
        // deletion was logged or not.
        let RepositoryHistory { tags, tag_lives, images, .. } = &mut self.state;
        for (tag, state) in tags.iter_mut() {
            if let Some(holder) = state.holder.take() {
                tag_lives.entry(*tag).or_default().close(
                    images[holder].digest,
                    now,
                    event,
                    TagEnd::RepositoryDeleted,
                    DigestNo::NONE,
                );
            }
            state.last_holder = state.last_holder.filter(|at| images[*at].is_gone());
        }
        self.state.policy = None;
        self.state.policy_deleted = None;
        self.state.deleted_by = None;
        *self.state.mutability = mutability.clone();
        self.state.mutability_set_by = mutability.setting.some().map(|_| event);
        self.apply_template(event, made_by_ecr);
    }

    /// Repositories that ECR creates itself get their settings from a template, and no event of theirs says
    /// so.
    fn apply_template(&mut self, event: EventNo, made_by_ecr: Option<PushOrigin>) {
        let Some(made) = made_by_ecr else { return };
        let Some(template) =
            self.registries.template(self.state.repository, made, self.time(event), self.names)
        else {
            return;
        };
        if self.state.mutability.setting.is_none() && template.mutability.is_some() {
            *self.state.mutability =
                Mutability { setting: template.mutability, exclusions: template.exclusions.clone() };
            self.state.mutability_set_by = Some(template.event);
        }
        if let Some(policy) = template.policy.some() {
            let given = PolicyInForce {
                event: template.event,
                policy,
                known_from: KnownFrom::Template,
                since: event,
            };
            self.state.change_policy(event, Some(given));
        }
    }

    pub(super) fn delete_repository(&mut self, event: EventNo, order: Order) {
        for at in 0..self.state.images.len() {
            let image = &mut self.state.images[at];
            if matches!(image.state, ImageState::Tagged | ImageState::Untagged | ImageState::Archived)
                || image.is_there
            {
                let tag = image.tags.first().map_or(Sym::NONE, |(tag, _)| *tag);
                image.step(event, StepKind::RepositoryDeleted, tag, DigestNo::NONE, order);
                self.end(at, event, End::RepositoryDeleted, order, None);
            }
        }
        self.state.policy = None;
        self.state.deleted_by = Some(event);
        self.state.deletions.push(event);
    }

    pub(super) fn archive(&mut self, event: EventNo, image: Named, order: Order) {
        let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
        let Some(at) = image.digest.some().map(|digest| self.there(digest, event)).or(holder) else { return };
        self.state.images[at].step(event, StepKind::Archive, image.tag, DigestNo::NONE, order);
        if self.state.images[at].is_alive() {
            self.end(at, event, End::Archived, order, None);
        }
    }

    /// The image stays archived until the restore is finished (`ACTIVATING`).
    pub(super) fn request_restore(&mut self, event: EventNo, image: Named, order: Order) {
        let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
        if let Some(at) = image.digest.some().map(|digest| self.at(digest)).or(holder) {
            self.state.images[at].step(event, StepKind::RestoreRequested, image.tag, DigestNo::NONE, order);
        }
    }

    pub(super) fn restore(&mut self, event: EventNo, digest: DigestNo, order: Order) {
        let at = self.there(digest, event);
        let now = self.time(event);
        let image = &mut self.state.images[at];
        image.step(event, StepKind::Restore, Sym::NONE, DigestNo::NONE, order);
        if image.state == ImageState::Archived || image.may_be_in_archive() {
            image.back_from_archive(now);
            if let Some(simulator) = &mut self.simulator {
                simulator.restored(at, now);
            }
        } else if image.state == ImageState::Unknown {
            image.is_there = true;
            if let Some(simulator) = &mut self.simulator {
                simulator.restored(at, now);
            }
        }
    }
}
