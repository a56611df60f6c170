//! What a snapshot shows of a repository: images with their tags, images that are not listed, the policy,
//! settings.
//!
//! A snapshot is better evidence than the folded logs, because it shows the repository itself. It holds
//! from its moment on, and is noted as a contradiction where the logs say otherwise.

use std::collections::HashSet;

use super::{Happening, Replay, TagState};
use crate::model::{ImageState, Order, StepKind};
use crate::timeline::contradictions::{Contradicts, Disagreement};
use crate::timeline::fact::{Fact, ListedImage, Listing, Manifest, Mutability, Named, Noted, What};
use crate::timeline::image::{End, Image, Step};
use crate::timeline::names::{DigestNo, EventNo, PolicyNo, Sym};
use crate::timeline::policy::{KnownFrom, PolicyInForce};

/// A list of the whole repository.
#[derive(Debug)]
pub struct WholeListing {
    pub event: EventNo,
    listed: HashSet<DigestNo>,
    /// The list includes archived images.
    pub with_archived: bool,
    /// The newest push in the list, in milliseconds; set only where the time of the list is not certain.
    newest: Option<i64>,
}

impl WholeListing {
    fn of(event: EventNo, listing: &Listing) -> Self {
        let newest = listing.images.iter().map(|image| image.seen.pushed_at).max().unwrap_or(i64::MIN);
        Self {
            event,
            listed: listing.images.iter().map(|image| image.seen.digest).collect(),
            with_archived: listing.with_archived,
            newest: (!listing.dated).then_some(newest),
        }
    }

    /// Whether the list shows that the image does not exist. A list that may be older than its file says
    /// nothing about images pushed after the newest image in it.
    fn lacks(&self, image: &Image) -> bool {
        let may_be_newer =
            self.newest.is_some_and(|newest| image.pushed_at.is_some_and(|pushed| pushed > newest));
        !self.listed.contains(&image.digest) && !may_be_newer
    }
}

impl<'e> Replay<'e> {
    /// Applies what lists tell about the time before the logs: an image that still has the push time of the
    /// list existed all that time, and so did a tag on it that no push in the logs gave to an image.
    pub(super) fn know_before(&mut self, happenings: &[Happening<'e>]) {
        let Some(begins) = log_begins(happenings, self.events) else { return };
        let mut moved: HashSet<Sym> = HashSet::new();
        let mut spoken_of: HashSet<DigestNo> = HashSet::new();
        for happening in happenings {
            let Happening::Fact(Fact { event, what, .. }) = happening else { continue };
            match what {
                What::Push { image, .. } => {
                    moved.insert(image.tag);
                    spoken_of.insert(image.digest);
                }
                What::Delete(deleted) => deleted.removed.iter().for_each(|(image, _)| {
                    moved.insert(image.tag);
                    spoken_of.insert(image.digest);
                }),
                What::CreateRepository { .. } | What::DeleteRepository => return,
                What::Listed(listing) if self.time(*event) >= begins => {
                    for image in listing.images.iter().filter(|image| {
                        is_from_before(image, begins) && !spoken_of.contains(&image.seen.digest)
                    }) {
                        self.was_there(*event, image, &moved);
                    }
                }
                _ => {}
            }
        }
    }

    fn was_there(&mut self, event: EventNo, listed: &ListedImage, moved: &HashSet<Sym>) {
        let at = self.at(listed.seen.digest);
        let image = &mut self.state.images[at];
        if image.pushed_at.is_some() {
            return;
        }
        image.pushed_at = Some(listed.seen.pushed_at);
        image.is_there = true;
        let kept: Vec<Sym> = listed.seen.tags.iter().copied().filter(|tag| !moved.contains(tag)).collect();
        for tag in kept {
            if self.state.tags.get(&tag).is_none_or(|tag| tag.holder.is_none()) {
                self.give_tag(at, tag, EventNo::NONE, event, Order::Observed);
            }
        }
        self.touch(at);
    }

    pub(super) fn listed(&mut self, event: EventNo, listing: &Listing, order: Order) {
        for image in &listing.images {
            self.listed_image(event, image, order);
        }
        if !listing.whole {
            return;
        }
        let whole = WholeListing::of(event, listing);
        if !self.plays_another_policy() {
            for at in 0..self.state.images.len() {
                let image = &self.state.images[at];
                let in_archive = image.state == ImageState::Archived && whole.with_archived;
                let is_there = matches!(image.state, ImageState::Tagged | ImageState::Untagged)
                    || image.is_there
                    || in_archive;
                if is_there && whole.lacks(image) {
                    self.not_listed(at, &whole, order);
                }
            }
        }
        self.state.listing = Some(whole);
    }

    fn listed_image(&mut self, event: EventNo, listed: &ListedImage, order: Order) {
        let at = self.at(listed.seen.digest);
        let image = &self.state.images[at];
        let by_supposition =
            self.plays_another_policy() && image.losses.last().is_some_and(|loss| loss.run.is_some());
        if image.is_gone() && by_supposition {
            return;
        }
        if image.is_gone() {
            let logged = image.losses.last().map_or(EventNo::NONE, |loss| loss.event);
            let again = image.gone_at.is_some_and(|gone| listed.seen.pushed_at > gone);
            self.disagree(
                event,
                listed.seen.digest,
                logged,
                if again { Disagreement::PushedAgain } else { Disagreement::ShownAfterItsEnd },
            );
            self.come_back_unseen(at, self.time(event));
        }
        self.elsewhere(event, listed);
        let at = self.known_from_run(event, &listed.seen);
        self.archived_or_not(at, event, listed, order);
        let tag = listed.seen.tags.first().copied().unwrap_or(Sym::NONE);
        let image = &mut self.state.images[at];
        image.step(event, StepKind::Seen, tag, DigestNo::NONE, order);
        if listed.pulled_at != i64::MIN {
            image.pull_shown =
                Some(image.pull_shown.map_or(listed.pulled_at, |known| known.max(listed.pulled_at)));
        }
        if image.media_type.is_none() {
            image.media_type = listed.media_type;
        }
        image.size_bytes = listed.size_bytes.or(image.size_bytes);
        if listed.subject.is_some() && image.subject.is_none() {
            image.subject = listed.subject;
            let own = image.digest;
            self.state.artifacts.entry(listed.subject).or_default().push(own);
        }
        if listed.pulled_at != i64::MIN {
            self.touch_by_pull(at, listed.pulled_at);
        }
    }

    /// Notes tags that, by the logs, are on another image.
    fn elsewhere(&mut self, event: EventNo, listed: &ListedImage) {
        for &tag in &listed.seen.tags {
            let Some(TagState { holder: Some(holder), .. }) = self.state.tags.get(&tag).copied() else {
                continue;
            };
            if self.state.images[holder].digest != listed.seen.digest {
                let given = self.state.images[holder]
                    .tags
                    .iter()
                    .find(|(own, _)| *own == tag)
                    .map_or(EventNo::NONE, |(_, given)| *given);
                let shown = Named { digest: listed.seen.digest, tag };
                self.state.contradictions.push(Contradicts {
                    what: Disagreement::TagElsewhere,
                    image: shown,
                    logged: given,
                    shown: event,
                });
            }
        }
    }

    fn archived_or_not(&mut self, at: usize, event: EventNo, listed: &ListedImage, order: Order) {
        let is_archived = self.state.images[at].state == ImageState::Archived;
        let tag = listed.seen.tags.first().copied().unwrap_or(Sym::NONE);
        match listed.archived {
            Some(true) if !is_archived && self.state.images[at].is_alive() => {
                // What was never seen outside of the archive may have been archived before the logs begin: a pull,
                // or that a restore was asked for, shows nothing else.
                let was_active = |step: &Step| {
                    matches!(
                        step.kind,
                        StepKind::Push | StepKind::Replicate | StepKind::Restore | StepKind::Seen
                    )
                };
                if self.state.images[at].steps.iter().any(was_active) {
                    self.disagree(event, listed.seen.digest, EventNo::NONE, Disagreement::Archived);
                }
                self.state.images[at].step(event, StepKind::Archive, tag, DigestNo::NONE, order);
                let last = self.state.images[at]
                    .steps
                    .iter()
                    .rev()
                    .nth(1)
                    .map_or(i64::MIN, |step| self.time(step.event));
                let now = self.time(event);
                let told =
                    Some(listed.archived_at).filter(|told| (last..=now).contains(told) && *told != i64::MIN);
                self.end_at(at, told.unwrap_or(now), event, End::Archived, order, None);
            }
            Some(false) if is_archived && !self.plays_another_policy() => {
                let logged = self.state.images[at].losses.last().map_or(EventNo::NONE, |loss| loss.event);
                self.disagree(event, listed.seen.digest, logged, Disagreement::Restored);
                let now = self.time(event);
                self.state.images[at].step(event, StepKind::Restore, tag, DigestNo::NONE, order);
                self.state.images[at].back_from_archive(now);
                if let Some(simulator) = &mut self.simulator {
                    simulator.restored(at, now);
                }
            }
            _ => {}
        }
    }

    /// As far as was known the image existed, but the list of its repository does not have it.
    fn not_listed(&mut self, at: usize, whole: &WholeListing, order: Order) {
        let image = &self.state.images[at];
        let last = image
            .steps
            .iter()
            .rev()
            .find(|step| step.kind != StepKind::Referenced)
            .map_or(EventNo::NONE, |step| step.event);
        let (digest, tag) = (image.digest, image.tags.first().map_or(Sym::NONE, |(tag, _)| *tag));
        self.disagree(whole.event, digest, last, Disagreement::NotListed);
        self.state.images[at].step(whole.event, StepKind::NotSeen, tag, DigestNo::NONE, order);
        self.end(at, whole.event, End::NotListed, order, None);
    }

    /// Settles images that are known only from mentions and that the last list of the repository does not
    /// have. It takes nothing from the repository where every push was refused: then it only confirms that
    /// the image never was there.
    pub(super) fn settle_mentioned(&mut self) {
        if self.plays_another_policy() {
            return;
        }
        let Some(whole) = self.state.listing.take() else { return };
        for at in 0..self.state.images.len() {
            let image = &self.state.images[at];
            // An event after the list (a push, or a run that mentions it) shows that it exists.
            let by_mention = image.state == ImageState::Unknown && !image.is_there && !image.vanished;
            if by_mention && whole.lacks(image) {
                self.state.images[at].step(
                    whole.event,
                    StepKind::NotSeen,
                    Sym::NONE,
                    DigestNo::NONE,
                    Order::Observed,
                );
                if !self.state.images[at].was_only_refused() {
                    self.end(at, whole.event, End::NotListed, Order::Observed, None);
                }
            }
        }
        self.state.listing = Some(whole);
    }

    pub(super) fn policy_shown(&mut self, event: EventNo, policy: PolicyNo) {
        let known = self.state.policy;
        if policy.is_none() {
            if let Some(known) = known {
                self.disagree(event, DigestNo::NONE, known.event, Disagreement::NoPolicy);
                self.state.change_policy(event, None);
            }
            self.state.policy_deleted.get_or_insert(event);
            return;
        }
        if known
            .is_some_and(|known| known.policy == policy || self.agrees.with(policy, known.policy, self.names))
        {
            return;
        }
        if let Some(logged) = known.map(|known| known.event).or(self.state.policy_deleted) {
            self.disagree(event, DigestNo::NONE, logged, Disagreement::OtherPolicy);
        }
        self.state.change_policy(
            event,
            Some(PolicyInForce { event, policy, known_from: KnownFrom::Snapshot, since: event }),
        );
        self.state.policy_deleted = None;
    }

    pub(super) fn repository_shown(&mut self, event: EventNo, mutability: &Mutability, created_at: i64) {
        if let Some(deleted) = self.state.deleted_by
            && created_at <= self.time(deleted)
        {
            self.disagree(event, DigestNo::NONE, deleted, Disagreement::RepositoryShown);
        }
        self.state.deleted_by = None;
        if mutability.setting.is_some() && *self.state.mutability != *mutability {
            *self.state.mutability = mutability.clone();
            self.state.mutability_set_by = Some(event);
        }
    }

    pub(super) fn manifest_shown(&mut self, digest: DigestNo, manifest: &'e Manifest) {
        let at = self.at(digest);
        if self.state.images[at].children.is_empty() {
            self.describe(at, manifest);
        }
        self.touch_all();
    }

    fn disagree(&mut self, shown: EventNo, digest: DigestNo, logged: EventNo, what: Disagreement) {
        self.state.contradictions.push(Contradicts {
            what,
            image: Named { digest, tag: Sym::NONE },
            logged,
            shown,
        });
    }
}

/// When the events of the logs begin, snapshots aside.
pub(super) fn log_begins(happenings: &[Happening<'_>], events: &[Noted]) -> Option<i64> {
    happenings
        .iter()
        .map(|happening| &events[happening.event().index()])
        .find(|event| !event.snapshot)
        .map(|event| event.time)
}

fn is_from_before(image: &ListedImage, begins: i64) -> bool {
    image.seen.pushed_at != i64::MIN && image.seen.pushed_at < begins && image.archived != Some(true)
}
