//! The compact life of one image, as the replay writes it and the detectors read it.

use super::bytes::push_one;
use super::history::History;
use super::names::{DigestNo, EventNo, PolicyNo, Sym};
use super::presumed::Because;
use super::tags::AskKind;
use crate::model::{Caller, ImageState, Order, PushOrigin, StepKind, UntaggedBy};

/// Everything known about one digest in one repository.
#[derive(Debug)]
pub struct Image {
    pub digest: DigestNo,
    pub state: ImageState,
    /// Tags now (or when it went), each with the event that gave it; none where that lies before the logs.
    pub tags: Vec<(Sym, EventNo)>,
    /// Milliseconds since the epoch.
    pub pushed_at: Option<i64>,
    pub untagged_at: Option<i64>,
    pub untagged_by: Option<UntaggedBy>,
    pub gone_at: Option<i64>,
    /// First seen in another event than its push.
    pub open_start: bool,
    /// All tags of the life it is in are known: it began with a push in the logs, or a run listed them.
    pub tags_known: bool,
    /// In an unknown state, but there: only its tags are not known.
    pub is_there: bool,
    /// Its repository was created anew since it was seen: it is not there, and since when is not in the logs.
    pub vanished: bool,
    pub lives: u32,
    /// Who put it there last.
    pub origin: PushOrigin,
    pub media_type: Sym,
    pub children: Box<[DigestNo]>,
    /// The image that it says something about, if it is a reference artifact.
    pub subject: DigestNo,
    /// What each of its children is for, in the same order.
    pub platforms: Box<[Sym]>,
    pub steps: Vec<Step>,
    /// How it lost its last tag, while that counts: void once it has a tag again or is held by an index.
    pub displaced: Option<Box<Displacement>>,
    /// Ends of its lives, oldest first.
    pub losses: Vec<Loss>,
    pub uses: Vec<Use>,
    /// First step of the life it is in.
    pub life_start: u32,
    /// `lastRecordedPullTime` of a snapshot, in milliseconds.
    pub pull_shown: Option<i64>,
    /// As a snapshot has it: its layers as they are stored, shared ones included.
    pub size_bytes: Option<u64>,
}

/// One step, 16 bytes; time and actor stand in the event.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub event: EventNo,
    pub tag: Sym,
    pub other: DigestNo,
    pub kind: StepKind,
    pub order: Order,
    /// A pull that was refused for want of permission: it says nothing about the image.
    pub denied: bool,
    /// Of a pull: who asked.
    pub caller: Caller,
    /// A pull or a task that failed because, as it says itself, the image was not there.
    pub missing: bool,
}

/// How an image lost its last tag to another.
#[derive(Debug, Clone)]
pub struct Displacement {
    pub tag: Sym,
    /// The event that gave it the tag; none where that lies before the logs.
    pub first_push: EventNo,
    pub second_push: EventNo,
    pub by: DigestNo,
    /// The image that took the tag is one that the loser lists: a child was pushed under the tag of its index.
    pub by_child: bool,
    pub order: Order,
    pub at: i64,
    /// Index of its `tag_lost` step.
    pub step: u32,
}

/// What ended a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Expired,
    Archived,
    /// `BatchDeleteImage` by digest, or of the last tag.
    DeletedByDigest,
    DeletedByLastTag,
    RepositoryDeleted,
    /// A list of its repository does not have it, and no log says what took it.
    NotListed,
}

/// The end of a life.
#[derive(Debug)]
pub struct Loss {
    pub end: End,
    pub event: EventNo,
    pub at: i64,
    pub order: Order,
    pub tags: Vec<(Sym, EventNo)>,
    pub displaced: Option<Box<Displacement>>,
    pub run: Option<RunFacts>,
    /// No log has this end: it is what most likely happened, and the event is the one that it is concluded from.
    pub presumed: Option<Because>,
    pub pushed_at: Option<i64>,
    pub untagged_at: Option<i64>,
    pub untagged_by: Option<UntaggedBy>,
    pub open_start: bool,
    /// Steps of the life: from, its end, and the first of the next life.
    pub first_step: u32,
    pub end_step: u32,
    pub next_life_step: u32,
    /// When this stopped being what keeps it from being pulled: it came back, or an archived image went for good.
    pub until: i64,
    /// When it came back (pushed again or restored), if it did.
    pub back_at: Option<i64>,
    /// Who asked for a tag that went with it and is not back, after the image itself had come back.
    pub asked_later: Vec<(EventNo, AskKind)>,
}

/// What the lifecycle run said about the image it took.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The policy of the run.
    pub policy: PolicyNo,
    pub rule_priority: i64,
    pub tag_status: Sym,
    pub tags: Box<[Sym]>,
}

/// Somebody refers to the image.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub by: Sym,
    /// The definition through which it is named, if it is not named outright.
    pub through: Sym,
    /// The tag that was named; none where only the digest was.
    pub tag: Sym,
    pub kind: UseKind,
    pub event: EventNo,
    /// From when, until when (exclusive; `i64::MAX` while nothing newer replaced it). Milliseconds.
    pub from: i64,
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UseKind {
    /// A task definition, function or the like names it.
    Named,
    /// A service was deployed with a tag that pointed to it.
    DeployedByTag,
    /// A service was deployed with its digest in the definition.
    DeployedByDigest,
    /// A task of a service resolved its tag to it.
    ResolvedByTask,
    /// A task could not start, or a call failed, because of it.
    TaskStopped,
    /// A function or the like keeps it: it was what the reference meant.
    Kept,
    /// Somebody asks for its tag anew whenever it runs.
    Asked,
    /// A definition for jobs or endpoints names it, and none of them is known to run.
    Offered,
    /// A task, job or build ran it once, or tried to.
    Started,
}

impl UseKind {
    /// Whether it holds on to the image: what does is in need of it until something newer replaces it.
    pub fn pins(self) -> bool {
        matches!(self, Self::DeployedByDigest | Self::DeployedByTag | Self::ResolvedByTask | Self::Kept | Self::Asked)
    }
}

/// One life of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Life {
    /// Milliseconds since the epoch.
    pub pushed_at: Option<i64>,
    pub first_step: u32,
}

impl Loss {
    /// What comes from `step` on is not this loss's any more; whether it was until now.
    pub(super) fn close(&mut self, now: i64, step: u32) -> bool {
        let open = self.until == i64::MAX;
        if open {
            self.until = now;
            self.next_life_step = step;
        }
        open
    }
}

impl Image {
    pub fn new(digest: DigestNo) -> Self {
        Self {
            digest,
            state: ImageState::Unknown,
            tags: Vec::new(),
            pushed_at: None,
            untagged_at: None,
            untagged_by: None,
            gone_at: None,
            open_start: true,
            tags_known: false,
            is_there: false,
            vanished: false,
            lives: 1,
            origin: PushOrigin::Client,
            media_type: Sym::NONE,
            children: Box::default(),
            subject: DigestNo::NONE,
            platforms: Box::default(),
            steps: Vec::new(),
            displaced: None,
            losses: Vec::new(),
            uses: Vec::new(),
            life_start: 0,
            pull_shown: None,
            size_bytes: None,
        }
    }

    /// There, for all the logs say: tagged, untagged, or known by mention only.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, ImageState::Tagged | ImageState::Untagged | ImageState::Unknown)
    }

    pub fn is_gone(&self) -> bool {
        matches!(self.state, ImageState::Expired | ImageState::Deleted | ImageState::RepositoryDeleted | ImageState::Gone)
    }

    /// A run tried to take it and could not: where no index is known that lists it, one from before the logs does.
    pub fn was_refused(&self) -> bool {
        let life = self.steps.get(self.life_start as usize..).unwrap_or_default();
        life.iter().rev().any(|step| step.kind == StepKind::ExpireFailed)
    }

    /// Its last end is that of the image, and not of the whole repository, whose layers go with it.
    pub fn end_is_of_image(&self) -> bool {
        self.losses.last().is_some_and(|loss| loss.end != End::RepositoryDeleted)
    }

    pub fn has_tag(&self, tag: Sym) -> bool {
        self.tags.iter().any(|(own, _)| *own == tag)
    }

    /// The life that it was in at that moment, in the repository and not in its archive. A run that takes it sees it still.
    pub fn life_at(&self, at: i64) -> Option<Life> {
        let ended = self.losses.iter().find(|loss| loss.at >= at && loss.pushed_at.is_some_and(|pushed| pushed <= at));
        let in_archive = |loss: &Loss| loss.end == End::Archived && loss.at < at && loss.until > at;
        if self.losses.iter().any(in_archive) {
            return None;
        }
        if let Some(loss) = ended {
            return Some(Life { pushed_at: loss.pushed_at, first_step: loss.first_step });
        }
        let lives = self.is_alive() && self.pushed_at.is_some_and(|pushed| pushed <= at);
        lives.then_some(Life { pushed_at: self.pushed_at, first_step: self.life_start })
    }

    /// The tags that it had then, as far as the logs tell.
    pub fn tags_at(&self, life: Life, at: i64, history: &History) -> Vec<Sym> {
        // A tag from before the logs has no step that gave it.
        let known = self.tags.iter().chain(self.losses.iter().flat_map(|loss| &loss.tags));
        let mut tags: Vec<Sym> = known.filter(|(_, given)| given.is_none()).map(|(tag, _)| *tag).collect();
        let steps = self.steps.get(life.first_step as usize..).unwrap_or_default();
        for step in steps.iter().take_while(|step| history.noted(step.event).time <= at).filter(|step| step.tag.is_some()) {
            match step.kind {
                StepKind::Push | StepKind::Replicate if !tags.contains(&step.tag) => tags.push(step.tag),
                StepKind::TagLost | StepKind::Untag => tags.retain(|tag| *tag != step.tag),
                _ => {}
            }
        }
        tags
    }

    pub(super) fn step(&mut self, event: EventNo, kind: StepKind, tag: Sym, other: DigestNo, order: Order) {
        push_one(&mut self.steps, Step { event, tag, other, kind, order, denied: false, missing: false, caller: Caller::Client });
    }

    pub(super) fn next_step(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}
