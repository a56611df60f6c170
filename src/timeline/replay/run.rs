//! A lifecycle run: what it took, and what it says about the images that it saw.

use super::{Replay, TagState};
use crate::model::{HOUR_MILLIS, ImageState, LifecycleAction, Order, StepKind, TagEnd};
use crate::timeline::fact::{Noted, Previewed, Run, RunImage};
use crate::timeline::image::{End, Loss, RunFacts, Use};
use crate::timeline::names::{DigestNo, EventNo, PolicyNo, Sym};
use crate::timeline::policy::{KnownFrom, PolicyInForce};

/// If a run's event comes more than this after a call, in milliseconds, the call was not made while the run
/// was under way.
const SAME_RUN_MILLIS: i64 = HOUR_MILLIS;

/// `pushedAt` is when the image was stored, in milliseconds; `eventTime` is the second in which the request
/// ended.
const SAME_PUSH_MILLIS: i64 = 1_000;

impl Replay<'_> {
    pub(super) fn run(&mut self, event: EventNo, run: &Run, order: Order) {
        self.state.runs.push((event, run.policy));
        self.learn_policy(event, run.policy);
        self.begin_run(event, run.policy);
        let taken = if self.plays_another_policy() { &[][..] } else { &run.images[..] };
        for image in taken {
            let at = self.known_from_run(event, image);
            let (kind, end) = match image.action {
                LifecycleAction::Expire => (StepKind::Expire, End::Expired),
                LifecycleAction::Transition => (StepKind::Archive, End::Archived),
                LifecycleAction::Unknown => {
                    self.state.note_gap(event);
                    continue;
                }
            };
            let tag = image.tags.first().copied().unwrap_or(Sym::NONE);
            self.state.images[at].step(event, kind, tag, DigestNo::NONE, order);
            let facts = RunFacts {
                policy: run.policy,
                rule_priority: image.rule_priority,
                tag_status: image.tag_status,
                tags: image.tags.clone(),
            };
            if !self.state.images[at].is_gone() {
                self.end(at, event, end, order, Some(facts));
            }
        }
        for image in &run.failures {
            let at = self.known_from_run(event, image);
            self.state.images[at].step(
                event,
                StepKind::ExpireFailed,
                image.tags.first().copied().unwrap_or(Sym::NONE),
                DigestNo::NONE,
                order,
            );
        }
    }

    /// A preview changes nothing, and saw the repository itself: what it names was there, since when it says.
    /// In the order of its second it may come before a push that it has seen, so that it says nothing of
    /// tags.
    pub(super) fn preview(&mut self, images: &[Previewed]) {
        for image in images {
            let at = self.at(image.digest);
            if self.state.images[at].is_alive() {
                self.date_push(at, image.pushed_at);
                let image = &mut self.state.images[at];
                image.is_there |= image.state == ImageState::Unknown;
            }
        }
    }

    /// Every run carries the whole policy in force. Where that is the one that was put, its own text says it
    /// better.
    fn learn_policy(&mut self, event: EventNo, stated: PolicyNo) {
        let known = self.state.policy.is_some_and(|known| self.agrees.with(known.policy, stated, self.names));
        if !known && !self.names.policy_of(stated).rules().is_empty() {
            let known = PolicyInForce { event, policy: stated, known_from: KnownFrom::Run, since: event };
            self.state.change_policy(event, Some(known));
            self.state.policy_deleted = None;
        }
    }

    /// What a run says about an image is better evidence than the folded logs, because the run saw the
    /// repository itself.
    pub(super) fn known_from_run(&mut self, event: EventNo, seen: &RunImage) -> usize {
        let at = self.at(seen.digest);
        // A run's event may come a little after a call that deleted the image while the run was under way.
        let image = &self.state.images[at];
        let pushed_since = image.gone_at.is_some_and(|gone| seen.pushed_at > gone);
        if pushed_since && image.is_gone() && image.losses.last().is_none_or(|loss| loss.event != event) {
            self.come_back_unseen(at, self.time(event));
        }
        self.touch(at);
        let Noted { snapshot, time: now, .. } = self.events[event.index()];
        self.spare(at, snapshot.then_some(now));
        if self.was_not_its_last_tag(at, event) {
            self.undo_last_tag(at);
        }
        if self.state.images[at].is_gone() {
            return at;
        }
        self.date_push(at, seen.pushed_at);
        if seen.lists_all_tags() {
            self.drop_unlisted(at, seen, event);
        }
        for &tag in seen.tags.iter().filter(|_| !seen.untagged) {
            if !self.state.images[at].has_tag(tag) {
                self.take_over(at, tag, event);
            }
        }
        let image = &mut self.state.images[at];
        image.tags_known |= seen.lists_all_tags();
        image.vanished = false;
        if image.state != ImageState::Archived {
            image.state = if seen.untagged { ImageState::Untagged } else { image.state_by_tags() };
            image.is_there = true;
        }
        at
    }

    /// Whether this run shows that the image had not been deleted with its last tag: it had another tag,
    /// which is not in the logs.
    fn was_not_its_last_tag(&self, at: usize, event: EventNo) -> bool {
        let by_last_tag =
            |loss: &Loss| loss.end == End::DeletedByLastTag && self.time(event) - loss.at > SAME_RUN_MILLIS;
        let image = &self.state.images[at];
        image.is_gone() && image.losses.last().is_some_and(by_last_tag)
    }

    /// Takes back the conclusion that the image was deleted with its last tag: all that was logged is that
    /// the tag was removed.
    fn undo_last_tag(&mut self, at: usize) {
        let image = &mut self.state.images[at];
        let Some(loss) = image.losses.pop() else { return };
        let deletion = loss.end_step as usize;
        if image.steps.get(deletion).is_some_and(|step| step.kind == StepKind::Delete) {
            image.steps.remove(deletion);
        }
        for &(tag, _) in &loss.tags {
            self.give_back_asks(at, tag, deletion, loss.at);
        }
        let image = &mut self.state.images[at];
        image.tags.clear();
        image.tags_known = false;
        image.gone_at = None;
        image.state = ImageState::Unknown;
        image.is_there = true;
    }

    /// Whoever asked for the tag after the step `from` asked for a tag that nothing had, and not for the
    /// image.
    fn give_back_asks(&mut self, at: usize, tag: Sym, from: usize, since: i64) {
        if let Some(state) = self.state.tags.get_mut(&tag) {
            state.last_holder = state.last_holder.filter(|holder| *holder != at);
        }
        let by_tag = |used: &Use| used.tag == tag && used.from >= since;
        let image = &mut self.state.images[at];
        let mut asked: Vec<EventNo> =
            image.uses.iter().filter(|used| by_tag(used)).map(|used| used.event).collect();
        image.uses.retain(|used| !by_tag(used));
        asked.extend(
            self.state.tag_lives.get(&tag).into_iter().flat_map(|life| &life.asks).map(|ask| ask.event),
        );
        let mut place = 0;
        image.steps.retain(|step| {
            place += 1;
            place <= from || step.tag != tag || !asked.contains(&step.event)
        });
    }

    /// Something that was not logged took the tags that the run does not list: where they are is not known.
    fn drop_unlisted(&mut self, at: usize, seen: &RunImage, event: EventNo) {
        let lists = |tag: Sym| !seen.untagged && seen.tags.contains(&tag);
        let image = &mut self.state.images[at];
        let unlisted: Vec<Sym> = image.tags.iter().map(|(tag, _)| *tag).filter(|tag| !lists(*tag)).collect();
        if unlisted.is_empty() {
            return;
        }
        image.tags.retain(|(tag, _)| lists(*tag));
        image.displaced = None;
        for tag in unlisted {
            self.state.tags.insert(tag, TagState { holder: None, last_holder: None });
            self.close_span(at, tag, event, TagEnd::NotLogged, DigestNo::NONE);
        }
    }

    /// The run says that `tag` is on the image, whichever image was thought to have it.
    fn take_over(&mut self, at: usize, tag: Sym, event: EventNo) {
        if let Some(TagState { holder: Some(holder), .. }) = self.state.tags.get(&tag).copied() {
            self.state.images[holder].forget_tag(tag);
            self.touch(holder);
            self.close_span(holder, tag, event, TagEnd::NotLogged, DigestNo::NONE);
        }
        self.give_tag(at, tag, EventNo::NONE, event, Order::Observed);
    }

    /// Applies the `pushedAt` of a lifecycle event: dates a push from before the logs, and shows when the
    /// first push in the logs only tagged the image again.
    fn date_push(&mut self, at: usize, pushed_at: i64) {
        let image = &mut self.state.images[at];
        if pushed_at == i64::MIN {
            return;
        }
        let life = image.life_start;
        for archived in
            image.losses.iter_mut().filter(|loss| loss.first_step == life && loss.pushed_at.is_none())
        {
            archived.pushed_at = Some(pushed_at);
        }
        let ended_before =
            image.losses.iter().filter(|loss| loss.first_step != life).map(|loss| loss.at).max();
        match image.pushed_at {
            None => image.pushed_at = Some(pushed_at),
            Some(known)
                if known - pushed_at >= SAME_PUSH_MILLIS
                    && ended_before.is_none_or(|ended| ended < pushed_at) =>
            {
                image.pushed_at = Some(pushed_at);
                // How a later life began does not open the beginning of the first.
                image.open_start |= image.lives == 1;
                image.tags_known = false;
            }
            Some(_) => {}
        }
    }
}
