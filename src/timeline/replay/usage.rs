//! Who uses an image: pulls, layers, and references.

use std::collections::BTreeMap;

use super::{Happening, Replay};
use crate::model::{Caller, Digest, HOUR_MILLIS, MINUTE_MILLIS, Order, StepKind};
use crate::timeline::bytes::push_one;
use crate::timeline::fact::{Fact, Named, PullOutcome, StopReason, What};
use crate::timeline::image::{Step, Use, UseKind};
use crate::timeline::names::{DigestNo, EventNo, Map, Sym};
use crate::timeline::references::{Mention, MentionKind};
use crate::timeline::tags::AskKind;

/// A deployment that has not resolved its tag yet: ECS does that when the first task starts, not when the
/// service is updated.
pub(super) struct Unconfirmed {
    pub(super) mention: Mention,
    /// The image that had the tag at the call, and the index of the use noted there; `None` if the tag was
    /// not known to be on any image.
    pub(super) bound: Option<(usize, usize)>,
}

/// Which image a layer belongs to, by [`crate::timeline::fact::layer_key`].
pub(super) struct Layers {
    /// `None` for a layer that several images have.
    owners: Map<u64, Option<usize>>,
    /// Whether the logs have any pulls of layers; if not, nothing is kept.
    asked: bool,
}

impl Layers {
    pub(super) fn new(happenings: &[Happening<'_>]) -> Self {
        let asks = |happening: &Happening<'_>| {
            matches!(happening, Happening::Fact(Fact { what: What::PullLayer { .. }, .. }))
        };
        Self { owners: Map::default(), asked: happenings.iter().any(asks) }
    }

    /// Notes the layers of the image at an index.
    pub(super) fn add(&mut self, at: usize, layers: &[u64]) {
        if self.asked {
            for layer in layers {
                let owner = self.owners.entry(*layer).or_insert(Some(at));
                *owner = owner.filter(|owner| *owner == at);
            }
        }
    }

    fn owner(&self, layer: u64) -> Option<usize> {
        self.owners.get(&layer).copied().flatten()
    }
}

/// Images sorted by digest, as of the last time somebody asked.
#[derive(Default)]
pub(super) struct Digests {
    images: BTreeMap<Digest, usize>,
    seen: usize,
}

/// A task that resolves the tag later than this after the deployment is not taken for its first, in
/// milliseconds.
const FIRST_TASK_MILLIS: i64 = 15 * MINUTE_MILLIS;

impl Replay<'_> {
    /// The image that a pull or reference means: by its digest, else by where its tag points.
    fn resolve(&mut self, image: Named) -> Option<usize> {
        match image.digest.some() {
            Some(digest) => Some(self.at(digest)),
            None => self.state.tags.get(&image.tag)?.holder,
        }
    }

    pub(super) fn pull(
        &mut self,
        event: EventNo,
        image: Named,
        outcome: PullOutcome,
        caller: Caller,
        order: Order,
    ) {
        let caller = self.excluded(event).unwrap_or(caller);
        let answered = outcome == PullOutcome::Answered;
        let there = self.resolve(image);
        let kind = match outcome {
            PullOutcome::Answered => AskKind::Pull,
            PullOutcome::Failed | PullOutcome::Missing => AskKind::Failed,
            PullOutcome::Denied | PullOutcome::KeyRefused => AskKind::Denied,
        };
        let at = match there {
            None if image.tag.is_some() && caller.needs() => {
                self.ask_in_vain(image.tag, event, kind, Sym::NONE)
            }
            at => at,
        };
        if there.is_some() && image.digest.is_none() && answered && caller.needs() {
            self.pulled_by_tag(image.tag, event);
        }
        let Some(at) = at else { return };
        let found = &mut self.state.images[at];
        found.step(
            event,
            if answered { StepKind::Pull } else { StepKind::PullFailed },
            image.tag,
            DigestNo::NONE,
            order,
        );
        if let Some(step) = found.steps.last_mut() {
            step.denied = matches!(outcome, PullOutcome::Denied | PullOutcome::KeyRefused);
            step.caller = caller;
            step.missing = outcome == PullOutcome::Missing;
        }
        if outcome == PullOutcome::KeyRefused {
            self.state.key_refusals.push(event);
        }
        if image.digest.is_none() && answered && caller.needs() && found.has_tag(image.tag) {
            self.confirm(image.tag, at, self.time(event));
        }
        if answered && caller.is_recorded() == Some(true) {
            self.touch_by_pull(at, self.time(event));
        }
    }

    fn excluded(&self, event: EventNo) -> Option<Caller> {
        let caller = self.events[event.index()].actor;
        self.registries
            .exclusion(self.state.repository, caller, self.time(event), self.names)
            .map(|_| Caller::Excluded)
    }

    /// A pull of a layer counts for an image only if no other image has the layer, and if the same
    /// principal did not request the manifest just before: else one pull would count once for each layer.
    pub(super) fn pull_layer(
        &mut self,
        event: EventNo,
        layer: u64,
        outcome: PullOutcome,
        caller: Caller,
        order: Order,
    ) {
        let Some(at) = self.layers.owner(layer) else { return };
        let (now, actor) = (self.time(event), self.events[event.index()].actor);
        let failed = outcome != PullOutcome::Answered;
        let within = |step: &Step| {
            let other = &self.events[step.event.index()];
            // A refused layer says more than a manifest that was served.
            let says_as_much = step.kind == StepKind::PullFailed || (step.kind == StepKind::Pull && !failed);
            now - other.time <= HOUR_MILLIS && other.actor == actor && says_as_much
        };
        if !self.state.images[at].steps.iter().rev().take(64).any(within) {
            let kind = if failed { StepKind::PullFailed } else { StepKind::Pull };
            self.state.images[at].step(event, kind, Sym::NONE, DigestNo::NONE, order);
            let caller = self.excluded(event).unwrap_or(caller);
            if let Some(step) = self.state.images[at].steps.last_mut() {
                step.caller = caller;
                step.denied = matches!(outcome, PullOutcome::Denied | PullOutcome::KeyRefused);
            }
            if outcome == PullOutcome::KeyRefused {
                self.state.key_refusals.push(event);
            }
        }
    }

    pub(super) fn mention(&mut self, mention: &Mention, order: Order) {
        if mention.cut.is_some() {
            if let Some(at) = self.beginning_with(mention.cut) {
                self.note_use(at, mention, order);
            }
            return;
        }
        if mention.kind == MentionKind::Kept {
            self.let_go(mention);
        }
        if let Some(holder) = mention.of.some() {
            for at in self.held.get(&holder).map(|(_, held)| held.clone()).unwrap_or_default() {
                self.note_use(at, mention, order);
            }
            return;
        }
        let asks = matches!(mention.kind, MentionKind::Asked | MentionKind::Offered);
        if mention.image.digest.is_none() && asks {
            self.asking.entry(mention.image.tag).or_default().push(mention.clone());
        }
        let state_of_tag = self.state.tags.get(&mention.image.tag).copied();
        // A request for a tag that was lost with its image is a request in vain for that image. For a
        // deployment by an existing definition the call succeeds and fails only later, so the call itself
        // says nothing.
        let started = mention.kind == MentionKind::Started
            || (mention.kind == MentionKind::Kept && mention.through.is_some());
        let in_vain = asks || started || mention.kind == MentionKind::Missing;
        let is_known =
            state_of_tag.is_some_and(|tag| tag.holder.is_some() || (in_vain && tag.last_holder.is_some()));
        if mention.image.digest.is_none() && !is_known && mention.kind != MentionKind::Missing {
            if !asks {
                self.waiting.entry(mention.image.tag).or_default().push(mention.clone());
            }
            return;
        }
        let at = match self.resolve(mention.image) {
            // It starts by resolving the tag, which no image has.
            None if mention.kind == MentionKind::Started => {
                self.ask_in_vain(mention.image.tag, mention.event, AskKind::Stopped, mention.by)
            }
            None if asks => state_of_tag.and_then(|tag| tag.last_holder),
            None if mention.image.tag.is_some() && mention.kind == MentionKind::Missing => {
                let kind = if mention.reason == StopReason::Other {
                    AskKind::StoppedOtherwise
                } else {
                    AskKind::Stopped
                };
                self.ask_in_vain(mention.image.tag, mention.event, kind, mention.by)
            }
            None if in_vain && mention.image.digest.is_none() => self.went_with(mention.image.tag),
            at => at,
        };
        if let Some(at) = at {
            self.note_use(at, mention, order);
        }
    }

    /// A consumer that gets another image does not need the previous one any more, even if the logs do not
    /// show which image the new one is.
    fn let_go(&mut self, mention: &Mention) {
        let held = self.held.entry(mention.by).or_insert((mention.event, Vec::new()));
        if held.0 != mention.event {
            *held = (mention.event, Vec::new());
        }
    }

    /// The one image whose digest begins with these hex digits.
    fn beginning_with(&mut self, digits: Sym) -> Option<usize> {
        let Digests { images, seen } = &mut self.digests;
        let fresh = self.state.images.iter().enumerate().skip(*seen);
        images.extend(fresh.filter_map(|(at, image)| Some((self.names.digest_of(image.digest)?, at))));
        *seen = self.state.images.len();
        let mut found = images.range(Digest::beginning_with(self.names.text(digits))?);
        let (_, at) = found.next()?;
        found.next().is_none().then_some(*at)
    }

    pub(super) fn note_use(&mut self, at: usize, mention: &Mention, order: Order) {
        let kind =
            if mention.kind == MentionKind::Missing { StepKind::TaskStopped } else { StepKind::Referenced };
        let by_digest = mention.image.digest.is_some();
        let use_kind = match mention.kind {
            MentionKind::Named => UseKind::Named,
            MentionKind::Deployed if by_digest => UseKind::DeployedByDigest,
            MentionKind::Deployed => UseKind::DeployedByTag,
            MentionKind::Resolved => UseKind::ResolvedByTask,
            MentionKind::Missing => UseKind::TaskStopped,
            MentionKind::Kept => UseKind::Kept,
            MentionKind::Asked => UseKind::Asked,
            MentionKind::Offered => UseKind::Offered,
            MentionKind::Started => UseKind::Started,
        };
        let from = self.time(mention.event);
        let image = &mut self.state.images[at];
        image.step(mention.event, kind, mention.image.tag, DigestNo::NONE, order);
        if let Some(step) = image.steps.last_mut().filter(|step| step.kind == StepKind::TaskStopped) {
            step.denied = mention.reason == StopReason::Denied;
            step.missing = mention.reason == StopReason::Missing;
        }
        // References by tag need an image that exists only as long as it has the tag: see
        // `asked_for_at_the_end`.
        if !by_digest && matches!(use_kind, UseKind::Asked | UseKind::Offered) && !image.is_gone() {
            return;
        }
        push_one(&mut image.uses, made_of(mention, use_kind, from));
        if use_kind == UseKind::Kept {
            // If the tag became known only later, the call may not be the consumer's last one.
            if let Some((event, held)) = self.held.get_mut(&mention.by)
                && *event == mention.event
            {
                held.push(at);
            }
            return;
        }
        if use_kind == UseKind::DeployedByTag {
            let bound = Some((at, image.uses.len() - 1));
            self.unconfirmed.push(Unconfirmed { mention: mention.clone(), bound });
        }
    }

    /// For an image that is lost with its tags, or exists at the end: everything that resolves one of its
    /// tags each time it runs needs it.
    pub(super) fn asked_for_at_the_end(&mut self, at: usize, now: i64) {
        if self.asking.is_empty() {
            return;
        }
        let image = &mut self.state.images[at];
        for (tag, given) in &image.tags {
            // An image that had another tag before was not meant by it.
            let given = given.some().map_or(i64::MIN, |event| self.events[event.index()].time);
            let asking = self.asking.get(tag).map(Vec::as_slice).unwrap_or_default();
            for mention in asking.iter().filter(|mention| mention.until > now) {
                let from = self.events[mention.event.index()].time.max(given);
                let kind =
                    if mention.kind == MentionKind::Offered { UseKind::Offered } else { UseKind::Asked };
                let again = |known: &Use| {
                    known.event == mention.event && known.by == mention.by && known.kind == kind
                };
                if image.losses.is_empty() || !image.uses.iter().any(again) {
                    image.uses.push(made_of(mention, kind, from));
                }
            }
        }
    }

    /// Something resolves `tag`, which is on the image at `holder`: so recent deployments of the tag run
    /// that image.
    fn confirm(&mut self, tag: Sym, holder: usize, now: i64) {
        let events = self.events;
        self.unconfirmed
            .retain(|deployment| now - events[deployment.mention.event.index()].time <= FIRST_TASK_MILLIS);
        let (asked, others): (Vec<Unconfirmed>, Vec<Unconfirmed>) = std::mem::take(&mut self.unconfirmed)
            .into_iter()
            .partition(|deployment| deployment.mention.image.tag == tag);
        self.unconfirmed = others;
        for Unconfirmed { mention, bound } in asked {
            match bound {
                Some((image, _)) if image == holder => continue,
                Some((image, index)) => {
                    let found = &mut self.state.images[image].uses[index];
                    found.until = found.from;
                }
                None => {}
            }
            self.note_use(holder, &mention, Order::Observed);
            self.unconfirmed.pop();
        }
    }
}

fn made_of(mention: &Mention, kind: UseKind, from: i64) -> Use {
    let Mention { by, through, event, until, .. } = *mention;
    // Beside a digest, a tag is not resolved.
    let tag = if mention.image.digest.is_some() { Sym::NONE } else { mention.image.tag };
    Use { by, through, tag, kind, event, from, until }
}
