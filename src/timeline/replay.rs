//! One repository's events, in order → the lives of its images.
//!
//! The rules are those of ECR: a tag points to one digest; a push moves it; the former holder stays, untagged if that was
//! its last tag. Nothing in the log says so: only the difference between two pushes does.

use std::collections::HashMap;

use super::fact::{Deleted, Fact, Manifest, Named, Noted, PullOutcome, Run, RunAction, RunImage, What};
use super::image::{Displacement, End, Image, Loss, RunFacts, Use, UseKind};
use super::names::{DigestNo, EventNo, Names, RepositoryNo, Sym};
use super::order;
use super::policy::{self, Agreement, PolicyInForce, PolicyText};
use super::references::{Mention, MentionKind};
use crate::model::{ImageState, Order, PushOrigin, StepKind, UntaggedBy};

/// One repository after its last event.
#[derive(Debug)]
pub struct RepositoryHistory {
    pub repository: RepositoryNo,
    pub images: Vec<Image>,
    pub by_digest: HashMap<DigestNo, usize>,
    pub tags: HashMap<Sym, TagState>,
    /// Indexes that list a digest.
    pub parents: HashMap<DigestNo, Vec<DigestNo>>,
    /// Events whose content CloudTrail left out.
    pub gaps: Vec<EventNo>,
    /// Lifecycle runs with their rules, also those that took nothing.
    pub runs: Vec<(EventNo, Sym)>,
    pub policy: Option<PolicyInForce>,
    /// `SetRepositoryPolicy` and `DeleteRepositoryPolicy`.
    pub access_changes: Vec<EventNo>,
    pub deleted_by: Option<EventNo>,
    pub mutability: Sym,
    /// Whether any ECR event of the repository was seen, rather than references to it alone.
    pub logged: bool,
    /// Pushes whose order within their second was inferred, each with the events that it was inferred from.
    pub settled: HashMap<EventNo, Vec<EventNo>>,
    /// First pushes of tags whose holder before is not in the logs.
    pub(super) openings: Vec<Opening>,
}

/// Where a tag points.
#[derive(Debug, Clone, Copy)]
pub struct TagState {
    /// Index of the image that has it.
    pub holder: Option<usize>,
    /// Index of the image that it went with, when nothing has it now.
    pub last_holder: Option<usize>,
}

/// A push of a tag that may have displaced an image from before the logs.
#[derive(Debug, Clone, Copy)]
pub(super) struct Opening {
    pub tag: Sym,
    pub event: EventNo,
    pub digest: DigestNo,
    pub at: i64,
}

/// What happens to a repository: an event of its own, or a mention by others.
pub enum Happening<'f> {
    Fact(&'f Fact),
    Mention(&'f Mention),
}

impl Happening<'_> {
    pub fn event(&self) -> EventNo {
        match self {
            Self::Fact(fact) => fact.event,
            Self::Mention(mention) => mention.event,
        }
    }
}

/// Replays `happenings`, sorted by time and `eventID`.
pub fn replay(repository: RepositoryNo, happenings: &[Happening<'_>], events: &[Noted], names: &Names) -> RepositoryHistory {
    let mut replay = Replay {
        events,
        names,
        state: RepositoryHistory::new(repository),
        waiting: HashMap::new(),
        unconfirmed: Vec::new(),
        agrees: Agreement::default(),
    };
    let mut evidence = None;
    let second = |happening: &Happening<'_>| events[happening.event().index()].time.div_euclid(1000);
    let mut start = 0;
    while start < happenings.len() {
        let length = happenings[start..].iter().take_while(|other| second(other) == second(&happenings[start])).count();
        let group = start..start + length;
        if length == 1 {
            replay.apply(&happenings[start], Order::Observed);
        } else {
            for (index, order) in order::arrange(happenings, group, &mut replay.state, &mut evidence) {
                replay.apply(&happenings[index], order);
            }
        }
        start += length;
    }
    super::openings::match_openings(&mut replay.state, events, names);
    replay.state.finish()
}

impl RepositoryHistory {
    fn new(repository: RepositoryNo) -> Self {
        Self {
            repository,
            images: Vec::new(),
            by_digest: HashMap::new(),
            tags: HashMap::new(),
            parents: HashMap::new(),
            gaps: Vec::new(),
            runs: Vec::new(),
            policy: None,
            access_changes: Vec::new(),
            deleted_by: None,
            mutability: Sym::NONE,
            logged: false,
            settled: HashMap::new(),
            openings: Vec::new(),
        }
    }

    fn finish(mut self) -> Self {
        for image in &mut self.images {
            image.steps.shrink_to_fit();
            image.tags.shrink_to_fit();
        }
        self
    }

    /// Something was done here, and what is not known.
    fn note_gap(&mut self, event: EventNo) {
        if self.gaps.last() != Some(&event) {
            self.gaps.push(event);
        }
    }

    pub fn image(&self, digest: DigestNo) -> Option<&Image> {
        self.by_digest.get(&digest).map(|&index| &self.images[index])
    }

    pub fn holder(&self, tag: Sym) -> Option<&Image> {
        self.tags.get(&tag)?.holder.map(|index| &self.images[index])
    }

    /// Whether an index that is still there, if only in the archive, lists `digest`.
    pub fn is_held(&self, digest: DigestNo) -> bool {
        let there = |image: &Image| matches!(image.state, ImageState::Tagged | ImageState::Untagged | ImageState::Archived);
        let alive = |parent: &DigestNo| self.image(*parent).is_some_and(there);
        self.parents.get(&digest).is_some_and(|parents| parents.iter().any(alive))
    }
}

struct Replay<'e> {
    events: &'e [Noted],
    names: &'e Names,
    state: RepositoryHistory,
    /// Mentions of tags that nothing has yet: a pipeline may deploy before it has pushed.
    waiting: HashMap<Sym, Vec<Mention>>,
    /// Deployments whose first task has not asked for the tag yet.
    unconfirmed: Vec<Unconfirmed>,
    agrees: Agreement,
}

/// A deployment takes its digest when its first task asks for the tag, not when the service is updated.
struct Unconfirmed {
    mention: Mention,
    /// The image that had the tag at the call, and the use noted there; none where the tag was not known to be on any.
    bound: Option<(usize, usize)>,
}

/// A first task that asks for the tag later than this after the deployment is not taken for its first, in milliseconds.
const FIRST_TASK_MILLIS: i64 = 15 * 60_000;

/// A run's event that comes later than this after a call is not of a run in whose midst the call was, in milliseconds.
const SAME_RUN_MILLIS: i64 = 60 * 60_000;

/// `pushedAt` has milliseconds, and is when the image was stored; `eventTime` is the second in which the request was done.
const SAME_PUSH_MILLIS: i64 = 1_000;

impl Replay<'_> {
    fn time(&self, event: EventNo) -> i64 {
        self.events[event.index()].time
    }

    fn apply(&mut self, happening: &Happening<'_>, order: Order) {
        match happening {
            Happening::Fact(fact) => self.fact(fact, order),
            Happening::Mention(mention) => self.mention(mention, order),
        }
    }

    fn fact(&mut self, fact: &Fact, order: Order) {
        self.state.logged = true;
        let event = fact.event;
        match &fact.what {
            What::Push { image, origin, manifest, .. } => self.push(event, *image, *origin, manifest.as_deref(), order),
            What::PushFailed { image, proves } => self.push_failed(event, *image, *proves, order),
            What::Delete(deleted) => self.delete(event, deleted, order),
            What::Run(run) => self.run(event, run, order),
            What::CreateRepository { mutability } => self.create_repository(event, *mutability),
            What::DeleteRepository => self.delete_repository(event, order),
            What::SetPolicy { text } => self.state.policy = Some(PolicyInForce { event, text: PolicyText::Policy(*text) }),
            What::DeletePolicy => self.state.policy = None,
            What::SetMutability { mutability } => self.state.mutability = *mutability,
            What::Archive { image } => self.archive(event, *image, order),
            What::Restored { image } => self.restore(event, image.digest, order),
            What::Pull { image, outcome } => self.pull(event, *image, *outcome, order),
            What::PullLayer { layer, failed } => self.pull_layer(event, *layer, *failed, order),
            What::AccessChanged => self.state.access_changes.push(event),
            What::Omitted => self.state.note_gap(event),
            What::Define { .. } | What::Deploy { .. } | What::StopRunning { .. } | What::Task(_) | What::Refer { .. } | What::Login => {}
        }
    }

    /// Index of the image with `digest`; a new one has an open beginning until a push says otherwise.
    fn at(&mut self, digest: DigestNo) -> usize {
        let images = &mut self.state.images;
        *self.state.by_digest.entry(digest).or_insert_with(|| {
            images.push(Image::new(digest));
            images.len() - 1
        })
    }

    /// The same for an event that shows the image to be there: if it was gone, a push that is not in the logs brought it back.
    fn there(&mut self, digest: DigestNo, event: EventNo) -> usize {
        let (at, now) = (self.at(digest), self.time(event));
        let image = &mut self.state.images[at];
        let gone_before = image.is_gone() && image.losses.last().is_none_or(|loss| loss.event != event);
        if gone_before {
            image.revive(now);
            image.lives += 1;
            image.pushed_at = None;
            image.tags_known = false;
            image.state = ImageState::Unknown;
        }
        at
    }

    fn push(&mut self, event: EventNo, image: Named, origin: PushOrigin, manifest: Option<&Manifest>, order: Order) {
        let now = self.time(event);
        let at = self.arrive(image.digest, now);
        if let Some(manifest) = manifest {
            self.describe(at, manifest);
        }
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

    /// The image is there now: for the first time, again after it was gone, or as before.
    fn arrive(&mut self, digest: DigestNo, now: i64) -> usize {
        // An index is refused where a child is missing: what one lists already was there before.
        let listed = self.state.parents.contains_key(&digest);
        let at = self.at(digest);
        let image = &mut self.state.images[at];
        let fresh = !listed
            && !image.is_there
            && image.steps.iter().all(|step| matches!(step.kind, StepKind::PushFailed | StepKind::PullFailed | StepKind::DeleteFailed));
        if image.is_gone() || image.vanished {
            image.revive(now);
            image.lives += 1;
            image.pushed_at = Some(now);
            image.tags_known = true;
        } else if image.state == ImageState::Archived {
            image.back_from_archive(now);
        } else if image.state == ImageState::Unknown && image.pushed_at.is_none() {
            // It may have been there before, if something asked for it already; then this is the latest it can have come.
            image.pushed_at = Some(now);
            image.open_start = !fresh;
            image.tags_known = fresh;
        }
        if image.state == ImageState::Unknown {
            image.state = if image.tags.is_empty() { ImageState::Untagged } else { ImageState::Tagged };
        }
        at
    }

    fn describe(&mut self, at: usize, manifest: &Manifest) {
        let image = &mut self.state.images[at];
        image.media_type = manifest.media_type;
        image.layers.clone_from(&manifest.layers);
        if !manifest.is_index {
            return;
        }
        image.children.clone_from(&manifest.children);
        let parent = image.digest;
        for &child in &manifest.children {
            let parents = self.state.parents.entry(child).or_default();
            if !parents.contains(&parent) {
                parents.push(parent);
            }
            // A child is held by its parent and is no orphan, whatever took its tag.
            if let Some(&at) = self.state.by_digest.get(&child) {
                self.state.images[at].displaced = None;
            }
        }
    }

    /// `tag` → the image at `at`. Answers with the digest that lost the tag.
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
            None => self.state.openings.push(Opening { tag, event, digest: image.digest, at: self.time(event) }),
        }
        self.give_tag(at, tag, event);
        from
    }

    fn give_tag(&mut self, at: usize, tag: Sym, event: EventNo) {
        self.state.tags.insert(tag, TagState { holder: Some(at), last_holder: None });
        let image = &mut self.state.images[at];
        if !image.has_tag(tag) {
            image.tags.push((tag, event));
        }
        image.untagged_at = None;
        image.untagged_by = None;
        image.displaced = None;
        image.state = ImageState::Tagged;
        // Without an event the tag was there before: what waits for it meant this image.
        let pushed = event.some().map(|event| self.time(event));
        for mention in self.waiting.remove(&tag).unwrap_or_default() {
            match pushed {
                Some(now) if mention.until <= now => {}
                // What had the tag when a service was deployed is not in the logs, unless its first task has yet to ask.
                Some(_) if mention.kind == MentionKind::Deployed => self.unconfirmed.push(Unconfirmed { mention, bound: None }),
                _ => self.note_use(at, &mention, Order::Observed),
            }
        }
    }

    fn lose_tag(&mut self, event: EventNo, loser: usize, tag: Sym, winner: usize, order: Order) {
        let now = self.time(event);
        let (by, lost) = (self.state.images[winner].digest, self.state.images[loser].digest);
        // An index that lists the digest it displaces orphans nobody.
        let taken_by_index = self.state.images[winner].children.contains(&lost);
        let held = taken_by_index || self.state.is_held(lost);
        let image = &mut self.state.images[loser];
        let first_push = image.tags.iter().find(|(own, _)| *own == tag).map_or(EventNo::NONE, |(_, given)| *given);
        image.tags.retain(|(own, _)| *own != tag);
        let step = image.next_step();
        image.step(event, StepKind::TagLost, tag, by, order);
        if !image.tags.is_empty() {
            return;
        }
        if image.state != ImageState::Archived {
            image.state = ImageState::Untagged;
        }
        image.untagged_at = Some(now);
        image.untagged_by = (!taken_by_index).then_some(UntaggedBy::Displaced);
        image.displaced = (!held).then(|| Box::new(Displacement { tag, first_push, second_push: event, by, order, at: now, step }));
    }

    /// Changes nothing, but `ImageAlreadyExistsException` proves where a tag was.
    fn push_failed(&mut self, event: EventNo, image: Named, proves: Named, order: Order) {
        let named = if image.digest.is_some() { image } else { proves };
        if let Some(digest) = named.digest.some() {
            let at = self.at(digest);
            self.state.images[at].step(event, StepKind::PushFailed, named.tag, DigestNo::NONE, order);
        } else if let Some(holder) = self.state.tags.get(&named.tag).and_then(|tag| tag.holder) {
            self.state.images[holder].step(event, StepKind::PushFailed, named.tag, DigestNo::NONE, order);
        }
        // Whoever has the tag: what exists already is there, and was pushed before.
        if let Some(digest) = proves.digest.some()
            && let at = self.at(digest)
            && self.state.images[at].state == ImageState::Unknown
        {
            self.state.images[at].is_there = true;
        }
        if proves.digest.is_some() && proves.tag.is_some() && self.state.tags.get(&proves.tag).is_none_or(|tag| tag.holder.is_none()) {
            let at = self.there(proves.digest, event);
            if self.state.images[at].is_alive() {
                self.give_tag(at, proves.tag, EventNo::NONE);
            }
        }
    }

    fn delete(&mut self, event: EventNo, deleted: &Deleted, order: Order) {
        // The response says who had a tag, whoever was thought to, and in whatever order it says it.
        for (image, _) in deleted.removed.iter().filter(|(image, _)| image.digest.is_some() && image.tag.is_some()) {
            self.correct_holder(*image);
        }
        let mut touched: Vec<usize> = Vec::new();
        for &(image, by_digest) in &deleted.removed {
            let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
            let Some(at) = image.digest.some().map(|digest| self.there(digest, event)).or(holder) else { continue };
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

    /// Another image was thought to have the tag.
    fn correct_holder(&mut self, image: Named) {
        let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
        if let Some(holder) = holder.filter(|holder| self.state.images[*holder].digest != image.digest) {
            self.state.images[holder].forget_tag(image.tag);
            self.state.tags.insert(image.tag, TagState { holder: None, last_holder: None });
        }
    }

    fn untag(&mut self, at: usize, tag: Sym, event: EventNo) {
        self.state.tags.insert(tag, TagState { holder: None, last_holder: None });
        let image = &mut self.state.images[at];
        if !image.has_tag(tag) {
            // Known only from this event: it had the tag until now.
            image.tags.push((tag, EventNo::NONE));
        }
        let given = image.tags.iter().find(|(own, _)| *own == tag).map_or(event, |(_, given)| *given);
        image.tags.retain(|(own, _)| *own != tag);
        if image.tags.is_empty() {
            image.tags = vec![(tag, given)];
            image.state = ImageState::Unknown;
        }
    }

    /// Removing the last tag removes the image (ECR), if all its tags are known; the event itself does not say.
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

    fn run(&mut self, event: EventNo, run: &Run, order: Order) {
        self.state.runs.push((event, run.rules));
        self.learn_policy(event, run.rules);
        for image in &run.images {
            let at = self.known_from_run(event, image);
            let (kind, end) = match image.action {
                RunAction::Expire => (StepKind::Expire, End::Expired),
                RunAction::Transition => (StepKind::Archive, End::Archived),
                RunAction::Unknown => {
                    self.state.note_gap(event);
                    continue;
                }
            };
            let tag = image.tags.first().copied().unwrap_or(Sym::NONE);
            self.state.images[at].step(event, kind, tag, DigestNo::NONE, order);
            let facts = RunFacts { rules: run.rules, rule_priority: image.rule_priority, tag_status: image.tag_status, tags: image.tags.clone() };
            if !self.state.images[at].is_gone() {
                self.end(at, event, end, order, Some(facts));
            }
        }
        for image in &run.failures {
            let at = self.known_from_run(event, image);
            self.state.images[at].step(event, StepKind::ExpireFailed, image.tags.first().copied().unwrap_or(Sym::NONE), DigestNo::NONE, order);
        }
    }

    /// Every run carries the whole policy in force. Where that is the one that was put, its own text says it better.
    fn learn_policy(&mut self, event: EventNo, rules: Sym) {
        let stated = PolicyText::Rules(rules);
        let known = self.state.policy.is_some_and(|known| self.agrees.with(known.text, stated, self.names));
        if !known && !policy::is_empty(stated, self.names) {
            self.state.policy = Some(PolicyInForce { event, text: stated });
        }
    }

    /// What a run says about an image is better than what was folded: it saw the repository itself.
    fn known_from_run(&mut self, event: EventNo, seen: &RunImage) -> usize {
        let at = self.at(seen.digest);
        // A run's event may come a little after what ended the image in its midst.
        if self.state.images[at].gone_at.is_some_and(|gone| seen.pushed_at > gone) {
            self.there(seen.digest, event);
        }
        if self.was_not_its_last_tag(at, event) {
            self.undo_last_tag(at);
        }
        if self.state.images[at].is_gone() {
            return at;
        }
        self.date_push(at, seen.pushed_at);
        if seen.lists_all_tags() {
            self.drop_unlisted(at, seen);
        }
        for &tag in seen.tags.iter().filter(|_| !seen.untagged) {
            if !self.state.images[at].has_tag(tag) {
                self.take_over(at, tag);
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

    /// Whether the run of `event` belies that the image went with its last tag: it had another one that is not in the logs.
    fn was_not_its_last_tag(&self, at: usize, event: EventNo) -> bool {
        let by_last_tag = |loss: &Loss| loss.end == End::DeletedByLastTag && self.time(event) - loss.at > SAME_RUN_MILLIS;
        let image = &self.state.images[at];
        image.is_gone() && image.losses.last().is_some_and(by_last_tag)
    }

    /// Takes back that the image went with its last tag: all that was logged is that the tag was taken off.
    fn undo_last_tag(&mut self, at: usize) {
        let image = &mut self.state.images[at];
        let Some(loss) = image.losses.pop() else { return };
        let deletion = loss.end_step as usize;
        if image.steps.get(deletion).is_some_and(|step| step.kind == StepKind::Delete) {
            image.steps.remove(deletion);
        }
        image.tags.clear();
        image.tags_known = false;
        image.gone_at = None;
        image.state = ImageState::Unknown;
        image.is_there = true;
    }

    /// Something that was not logged took the tags that the run does not list: where they are is not known.
    fn drop_unlisted(&mut self, at: usize, seen: &RunImage) {
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
        }
    }

    /// The run says that `tag` is on the image, whoever was thought to have it.
    fn take_over(&mut self, at: usize, tag: Sym) {
        if let Some(TagState { holder: Some(holder), .. }) = self.state.tags.get(&tag).copied() {
            self.state.images[holder].forget_tag(tag);
        }
        self.give_tag(at, tag, EventNo::NONE);
    }

    /// `pushedAt` of a lifecycle event: fills in a push before the logs, and unmasks a first push seen that was a retag.
    fn date_push(&mut self, at: usize, pushed_at: i64) {
        let image = &mut self.state.images[at];
        if pushed_at == i64::MIN {
            return;
        }
        let life = image.life_start;
        for archived in image.losses.iter_mut().filter(|loss| loss.first_step == life && loss.pushed_at.is_none()) {
            archived.pushed_at = Some(pushed_at);
        }
        match image.pushed_at {
            None => image.pushed_at = Some(pushed_at),
            Some(known) if known - pushed_at >= SAME_PUSH_MILLIS && image.lives == 1 => {
                image.pushed_at = Some(pushed_at);
                image.open_start = true;
                image.tags_known = false;
            }
            Some(_) => {}
        }
    }

    fn end(&mut self, at: usize, event: EventNo, end: End, order: Order, run: Option<RunFacts>) {
        let now = self.time(event);
        let image = &mut self.state.images[at];
        for (tag, _) in &image.tags {
            if let Some(state) = self.state.tags.get_mut(tag)
                && state.holder == Some(at)
                && end != End::Archived
            {
                *state = TagState { holder: None, last_holder: Some(at) };
            }
        }
        let loss = Loss {
            end,
            event,
            at: now,
            order,
            tags: image.tags.clone(),
            // An archived image can be restored, and is an orphan still.
            displaced: if end == End::Archived { image.displaced.clone() } else { image.displaced.take() },
            run,
            pushed_at: image.pushed_at,
            untagged_at: image.untagged_at,
            untagged_by: image.untagged_by,
            open_start: image.open_start && image.lives == 1,
            first_step: image.life_start,
            end_step: image.next_step().saturating_sub(1),
            next_life_step: u32::MAX,
            until: i64::MAX,
            back_at: None,
        };
        // What was archived and then went for good: what misses it after that is the second end's.
        if let Some(archived) = image.losses.last_mut() {
            archived.close(now, loss.end_step);
        }
        image.losses.push(loss);
        image.is_there = false;
        image.gone_at = Some(now);
        image.state = match end {
            End::Expired => ImageState::Expired,
            End::Archived => ImageState::Archived,
            End::DeletedByDigest | End::DeletedByLastTag => ImageState::Deleted,
            End::RepositoryDeleted => ImageState::RepositoryDeleted,
        };
    }

    /// A name that can be created was free: whatever was there is gone, and when is not in the logs.
    fn create_repository(&mut self, event: EventNo, mutability: Sym) {
        let now = self.time(event);
        for image in self.state.images.iter_mut().filter(|image| !image.is_gone()) {
            image.vanish(now);
        }
        self.state.tags.clear();
        self.state.policy = None;
        self.state.deleted_by = None;
        self.state.mutability = mutability;
    }

    fn delete_repository(&mut self, event: EventNo, order: Order) {
        for at in 0..self.state.images.len() {
            let image = &mut self.state.images[at];
            if matches!(image.state, ImageState::Tagged | ImageState::Untagged | ImageState::Archived) || image.is_there {
                let tag = image.tags.first().map_or(Sym::NONE, |(tag, _)| *tag);
                image.step(event, StepKind::RepositoryDeleted, tag, DigestNo::NONE, order);
                self.end(at, event, End::RepositoryDeleted, order, None);
            }
        }
        self.state.policy = None;
        self.state.deleted_by = Some(event);
    }

    fn archive(&mut self, event: EventNo, image: Named, order: Order) {
        let holder = self.state.tags.get(&image.tag).and_then(|tag| tag.holder);
        let Some(at) = image.digest.some().map(|digest| self.there(digest, event)).or(holder) else { return };
        self.state.images[at].step(event, StepKind::Archive, image.tag, DigestNo::NONE, order);
        if self.state.images[at].is_alive() {
            self.end(at, event, End::Archived, order, None);
        }
    }

    fn restore(&mut self, event: EventNo, digest: DigestNo, order: Order) {
        let at = self.there(digest, event);
        let now = self.time(event);
        let image = &mut self.state.images[at];
        image.step(event, StepKind::Restore, Sym::NONE, DigestNo::NONE, order);
        if image.state == ImageState::Archived {
            image.back_from_archive(now);
        } else if image.state == ImageState::Unknown {
            image.is_there = true;
        }
    }

    /// The image that a pull or a reference means: by digest, else by where its tag points (or pointed last).
    fn resolve(&mut self, image: Named) -> Option<usize> {
        if let Some(digest) = image.digest.some() {
            return Some(self.at(digest));
        }
        let tag = self.state.tags.get(&image.tag)?;
        tag.holder.or(tag.last_holder)
    }

    fn pull(&mut self, event: EventNo, image: Named, outcome: PullOutcome, order: Order) {
        let answered = outcome == PullOutcome::Answered;
        let Some(at) = self.resolve(image) else { return };
        let found = &mut self.state.images[at];
        found.step(event, if answered { StepKind::Pull } else { StepKind::PullFailed }, image.tag, DigestNo::NONE, order);
        if let Some(step) = found.steps.last_mut() {
            step.denied = outcome == PullOutcome::Denied;
        }
        if image.digest.is_none() && answered && found.has_tag(image.tag) {
            self.confirm(image.tag, at, self.time(event));
        }
    }

    /// A layer speaks for an image only if no other image has it, and only where its manifest was not asked for by the
    /// same principal just before: else one pull would count once per layer.
    fn pull_layer(&mut self, event: EventNo, layer: u64, failed: bool, order: Order) {
        let mut owners = self.state.images.iter().enumerate().filter(|(_, image)| image.layers.contains(&layer));
        let (Some((at, _)), None) = (owners.next(), owners.next()) else { return };
        let (now, actor) = (self.time(event), self.events[event.index()].actor);
        let within = |step: &super::image::Step| {
            let other = &self.events[step.event.index()];
            now - other.time <= 3_600_000 && other.actor == actor && matches!(step.kind, StepKind::Pull | StepKind::PullFailed)
        };
        if !self.state.images[at].steps.iter().rev().take(64).any(within) {
            let kind = if failed { StepKind::PullFailed } else { StepKind::Pull };
            self.state.images[at].step(event, kind, Sym::NONE, DigestNo::NONE, order);
        }
    }

    fn mention(&mut self, mention: &Mention, order: Order) {
        if mention.cut.is_some() {
            if let Some(at) = self.beginning_with(mention.cut) {
                self.note_use(at, mention, order);
            }
            return;
        }
        let has_holder = self.state.tags.get(&mention.image.tag).is_some_and(|tag| tag.holder.is_some());
        if mention.image.digest.is_none() && !has_holder && mention.kind != MentionKind::Missing {
            self.waiting.entry(mention.image.tag).or_default().push(mention.clone());
            return;
        }
        if let Some(at) = self.resolve(mention.image) {
            self.note_use(at, mention, order);
        }
    }

    /// The one image whose digest begins with these hex digits.
    fn beginning_with(&self, digits: Sym) -> Option<usize> {
        let digits = self.names.text(digits);
        let begins =
            |image: &Image| self.names.digest_of(image.digest).is_some_and(|digest| digest.to_string()["sha256:".len()..].starts_with(digits));
        let mut found = self.state.images.iter().enumerate().filter(|(_, image)| begins(image));
        let (at, _) = found.next()?;
        found.next().is_none().then_some(at)
    }

    fn note_use(&mut self, at: usize, mention: &Mention, order: Order) {
        let kind = if mention.kind == MentionKind::Missing { StepKind::TaskStopped } else { StepKind::Referenced };
        let by_digest = mention.image.digest.is_some();
        let use_kind = match mention.kind {
            MentionKind::Named => UseKind::Named,
            MentionKind::Deployed if by_digest => UseKind::DeployedByDigest,
            MentionKind::Deployed => UseKind::DeployedByTag,
            MentionKind::Resolved => UseKind::ResolvedByTask,
            MentionKind::Missing => UseKind::TaskStopped,
        };
        let from = self.time(mention.event);
        let image = &mut self.state.images[at];
        image.step(mention.event, kind, mention.image.tag, DigestNo::NONE, order);
        image.uses.push(Use { by: mention.by, kind: use_kind, event: mention.event, from, until: mention.until });
        if use_kind == UseKind::DeployedByTag {
            let bound = Some((at, image.uses.len() - 1));
            self.unconfirmed.push(Unconfirmed { mention: mention.clone(), bound });
        }
    }

    /// Somebody asks for `tag`, which is on the image at `holder`: that is what recent deployments of the tag now run.
    fn confirm(&mut self, tag: Sym, holder: usize, now: i64) {
        let events = self.events;
        self.unconfirmed.retain(|deployment| now - events[deployment.mention.event.index()].time <= FIRST_TASK_MILLIS);
        let (asked, others): (Vec<Unconfirmed>, Vec<Unconfirmed>) =
            std::mem::take(&mut self.unconfirmed).into_iter().partition(|deployment| deployment.mention.image.tag == tag);
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

impl Image {
    /// Pushed again after it was gone.
    fn revive(&mut self, now: i64) {
        self.back_from_archive(now);
        self.life_start = self.next_step();
        self.vanished = false;
        self.tags.clear();
        self.untagged_at = None;
        self.untagged_by = None;
        self.displaced = None;
    }

    fn back_from_archive(&mut self, now: i64) {
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

    /// The repository was created anew: it was deleted before, and when is not in the logs.
    fn vanish(&mut self, now: i64) {
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
    fn forget_tag(&mut self, tag: Sym) {
        self.tags.retain(|(own, _)| *own != tag);
        if self.state == ImageState::Tagged {
            self.state = self.state_by_tags();
        }
    }

    /// Without a tag that is known, it is untagged only if there can be no other.
    fn state_by_tags(&self) -> ImageState {
        match (self.tags.is_empty(), self.tags_known || self.untagged_at.is_some()) {
            (false, _) => ImageState::Tagged,
            (true, true) => ImageState::Untagged,
            (true, false) => ImageState::Unknown,
        }
    }
}
