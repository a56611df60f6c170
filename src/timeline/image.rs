//! The compact life of one image, written by the replay and read by the detectors.

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
    /// Its tags now (or when it was lost), each with the event that gave it; [`EventNo::NONE`] where that
    /// was before the logs.
    pub tags: Vec<(Sym, EventNo)>,
    /// Milliseconds since the epoch.
    pub pushed_at: Option<i64>,
    pub untagged_at: Option<i64>,
    pub untagged_by: Option<UntaggedBy>,
    pub gone_at: Option<i64>,
    /// The first event about it is not its push.
    pub open_start: bool,
    /// All tags of its present life are known: the life began with a push in the logs, or a run listed the
    /// tags.
    pub tags_known: bool,
    /// Its state is unknown, but the image exists: only its tags are not known.
    pub is_there: bool,
    /// Its repository was created again since it was last seen: it is gone, and no event says when it went.
    pub vanished: bool,
    pub lives: u32,
    /// How its last push came about: by a client, replication, or a pull-through cache.
    pub origin: PushOrigin,
    pub media_type: Sym,
    pub children: Box<[DigestNo]>,
    /// The image that it is about, if it is a reference artifact.
    pub subject: DigestNo,
    /// The platform of each child, in the same order as the children.
    pub platforms: Box<[Sym]>,
    pub steps: Vec<Step>,
    /// How it lost its last tag; empty again once it has a tag or an index holds it.
    pub displaced: Option<Box<Displacement>>,
    /// The ends of its lives, oldest first.
    pub losses: Vec<Loss>,
    pub uses: Vec<Use>,
    /// Index of the first step of its present life.
    pub life_start: u32,
    /// `lastRecordedPullTime` in a snapshot, in milliseconds.
    pub pull_shown: Option<i64>,
    /// Size in a snapshot: its layers as stored, including layers that it shares with others.
    pub size_bytes: Option<u64>,
}

/// One step, 16 bytes; time and actor are in the event.
#[derive(Debug, Clone, Copy)]
pub struct Step {
    pub event: EventNo,
    pub tag: Sym,
    pub other: DigestNo,
    pub kind: StepKind,
    pub order: Order,
    /// A pull that was refused for lack of permission: it says nothing about the image.
    pub denied: bool,
    /// For a pull, the kind of caller.
    pub caller: Caller,
    /// A pull or task that reports itself that the image did not exist.
    pub missing: bool,
}

/// How an image lost its last tag to another image.
#[derive(Debug, Clone)]
pub struct Displacement {
    pub tag: Sym,
    /// The event that had given it the tag; [`EventNo::NONE`] where that was before the logs.
    pub first_push: EventNo,
    pub second_push: EventNo,
    pub by: DigestNo,
    /// The tag moved from an index to an image that the index lists.
    pub by_child: bool,
    pub order: Order,
    pub at: i64,
    /// Index of the step in which it lost the tag.
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
    /// A snapshot's list of the repository does not have it, and no log says what took it.
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
    /// Set if no event shows this end: what it was concluded from. The event is then that of the other
    /// image's end.
    pub presumed: Option<Because>,
    pub pushed_at: Option<i64>,
    pub untagged_at: Option<i64>,
    pub untagged_by: Option<UntaggedBy>,
    pub open_start: bool,
    /// Indexes of steps: the first of the life, the one that ended it, and the first of the next life.
    pub first_step: u32,
    pub end_step: u32,
    pub next_life_step: u32,
    /// Until when this end is what keeps the image from being pulled, in milliseconds: it came back, or was
    /// deleted after having been archived.
    pub until: i64,
    /// When it came back (pushed again or restored).
    pub back_at: Option<i64>,
    /// Requests for a tag that was lost with the image and was still missing after the image itself had
    /// come back.
    pub asked_later: Vec<(EventNo, AskKind)>,
}

/// What a lifecycle run said about the image that it took.
#[derive(Debug, Clone)]
pub struct RunFacts {
    /// The policy that the run applied.
    pub policy: PolicyNo,
    pub rule_priority: i64,
    pub tag_status: Sym,
    pub tags: Box<[Sym]>,
}

/// A reference to the image by something that runs it.
#[derive(Debug, Clone, Copy)]
pub struct Use {
    pub by: Sym,
    /// The definition that names it, if the reference goes through one.
    pub through: Sym,
    /// The tag in the reference; [`Sym::NONE`] if it has only a digest.
    pub tag: Sym,
    pub kind: UseKind,
    pub event: EventNo,
    /// From and until when (exclusive), in milliseconds; `i64::MAX` while nothing newer replaced it.
    pub from: i64,
    pub until: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UseKind {
    /// A task definition, function or the like names it.
    Named,
    /// A service was deployed with a tag that pointed to it.
    DeployedByTag,
    /// A service was deployed with a definition that names its digest.
    DeployedByDigest,
    /// A task of a service resolved its tag to it.
    ResolvedByTask,
    /// A task could not start, or a call failed, because of it.
    TaskStopped,
    /// A function or the like keeps it: the reference was resolved to it.
    Kept,
    /// Something resolves its tag again each time it runs.
    Asked,
    /// A definition for jobs or endpoints names it, and none of them is known to run.
    Offered,
    /// A task, job or build ran it once, or tried to.
    Started,
}

impl UseKind {
    /// Whether the image is needed until something newer replaces this use.
    pub fn pins(self) -> bool {
        matches!(
            self,
            Self::DeployedByDigest | Self::DeployedByTag | Self::ResolvedByTask | Self::Kept | Self::Asked
        )
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
    /// Closes the loss at `step`: later steps belong to the next life. Returns whether it was open until
    /// now.
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

    /// Whether the image exists as far as the logs show: tagged, untagged, or only mentioned.
    pub fn is_alive(&self) -> bool {
        matches!(self.state, ImageState::Tagged | ImageState::Untagged | ImageState::Unknown)
    }

    pub fn is_gone(&self) -> bool {
        matches!(
            self.state,
            ImageState::Expired | ImageState::Deleted | ImageState::RepositoryDeleted | ImageState::Gone
        )
    }

    /// Whether every push of it was refused, and nothing shows that it ever was in the repository.
    pub fn was_only_refused(&self) -> bool {
        // What a tag was taken from, or a run could not take, was there, even if it may be gone by now.
        let pushed = |kind: StepKind| {
            matches!(
                kind,
                StepKind::Push
                    | StepKind::Replicate
                    | StepKind::Untag
                    | StepKind::TagLost
                    | StepKind::ExpireFailed
            )
        };
        self.state == ImageState::Unknown
            && !self.is_there
            && self.losses.is_empty()
            && self.steps.iter().any(|step| step.kind == StepKind::PushFailed)
            && !self.steps.iter().any(|step| pushed(step.kind))
    }

    /// The list of the repository that does not have it, where that ended nothing: it never was there.
    pub fn never_listed(&self) -> Option<EventNo> {
        let lacking = self.steps.iter().rfind(|step| step.kind == StepKind::NotSeen)?;
        self.was_only_refused().then_some(lacking.event)
    }

    /// It was in the archive when a call removed a tag from it, and its other tags are not known: it is
    /// there still, or gone.
    pub fn may_be_in_archive(&self) -> bool {
        let in_archive = |loss: &Loss| loss.end == End::Archived && loss.until == i64::MAX;
        self.state == ImageState::Unknown && self.losses.last().is_some_and(in_archive)
    }

    /// Whether a run tried to take it and could not. If the logs have no index that lists it, an index from
    /// before the logs does.
    pub fn was_refused(&self) -> bool {
        let life = self.steps.get(self.life_start as usize..).unwrap_or_default();
        life.iter().rev().any(|step| step.kind == StepKind::ExpireFailed)
    }

    /// Whether its last end was its own, and not that of the whole repository, whose layers are gone, too.
    pub fn end_is_of_image(&self) -> bool {
        self.losses.last().is_some_and(|loss| loss.end != End::RepositoryDeleted)
    }

    pub fn has_tag(&self, tag: Sym) -> bool {
        self.tags.iter().any(|(own, _)| *own == tag)
    }

    /// The life in which it was in the repository (not archived) at that moment. To the run that takes it,
    /// it still is.
    pub fn life_at(&self, at: i64) -> Option<Life> {
        let ended = self
            .losses
            .iter()
            .find(|loss| loss.at >= at && loss.pushed_at.is_some_and(|pushed| pushed <= at));
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

    /// The tags that it had at that moment, as far as the logs show.
    pub fn tags_at(&self, life: Life, at: i64, history: &History) -> Vec<Sym> {
        // A tag from before the logs has no step that gave it.
        let known = self.tags.iter().chain(self.losses.iter().flat_map(|loss| &loss.tags));
        let mut tags: Vec<Sym> = known.filter(|(_, given)| given.is_none()).map(|(tag, _)| *tag).collect();
        let steps = self.steps.get(life.first_step as usize..).unwrap_or_default();
        for step in steps
            .iter()
            .take_while(|step| history.noted(step.event).time <= at)
            .filter(|step| step.tag.is_some())
        {
            match step.kind {
                StepKind::Push | StepKind::Replicate if !tags.contains(&step.tag) => tags.push(step.tag),
                StepKind::TagLost | StepKind::Untag => tags.retain(|tag| *tag != step.tag),
                _ => {}
            }
        }
        tags
    }

    pub(super) fn step(&mut self, event: EventNo, kind: StepKind, tag: Sym, other: DigestNo, order: Order) {
        push_one(
            &mut self.steps,
            Step { event, tag, other, kind, order, denied: false, missing: false, caller: Caller::Client },
        );
    }

    pub(super) fn next_step(&self) -> u32 {
        u32::try_from(self.steps.len()).unwrap_or(u32::MAX)
    }
}
