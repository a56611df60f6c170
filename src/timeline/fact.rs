//! What a fold keeps of a record: the borrowed [`Action`](crate::model::Action) in an owned, compact form.

use super::names::{DigestNo, EventNo, PolicyNo, RepositoryNo, Sym, Translation};
use super::registry::RegistryFact;
use crate::model::{Caller, Identity, KeyChange, LifecycleAction, NeedKind, PushOrigin, StorageClass};

/// One record, as far as findings need it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noted {
    pub id: EventId,
    /// Records with the same key belong to one call.
    pub key: CallKey,
    /// Records with the same identity are copies of one event.
    pub identity: Identity,
    /// `sharedEventID`.
    pub shared: Sym,
    /// Milliseconds since the epoch.
    pub time: i64,
    pub name: Sym,
    pub actor: Sym,
    pub source_ip: Sym,
    pub user_agent: Sym,
    pub object: Sym,
    pub record: u32,
    pub recipient: Sym,
    pub region: Sym,
    pub addendum: bool,
    /// It is an addendum that corrects the time of the event.
    pub corrects_time: bool,
    pub read_only: bool,
    /// CloudTrail left out part of the request or response.
    pub left_out: bool,
    /// It comes from a snapshot.
    pub snapshot: bool,
}

/// An `eventID`: a UUID as its 128 bits, anything else as a string.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum EventId {
    Uuid([u8; 16]),
    Other(Sym),
}

/// The key by which records of one call are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CallKey {
    /// The event's identity, or what the events of one call in several accounts have in common.
    Event(Identity),
    /// For an addendum, the `originalEventID` that it corrects.
    Corrected(EventId),
}

/// What one event means for one repository (or, for ECS, for the images that it names).
#[derive(Debug)]
pub struct Fact {
    pub event: EventNo,
    /// [`RepositoryNo::NONE`] for events that name no repository of their own.
    pub repository: RepositoryNo,
    pub what: What,
}

#[derive(Debug, PartialEq)]
pub enum What {
    Push {
        image: Named,
        origin: PushOrigin,
        manifest: Option<Box<Manifest>>,
        /// The digest in the response is not the SHA-256 of the manifest.
        mismatch: bool,
    },
    PushFailed {
        image: Named,
        proves: Named,
        /// The record's `errorCode`.
        why: Sym,
    },
    Delete(Box<Deleted>),
    Run(Box<Run>),
    /// A run that took nothing: what it says of the images that it would have taken.
    Preview(Box<[Previewed]>),
    CreateRepository {
        mutability: Box<Mutability>,
        made_by_ecr: Option<PushOrigin>,
        /// ARN of the repository's KMS key, or of an alias of it.
        key: Sym,
    },
    DeleteRepository,
    SetPolicy {
        policy: PolicyNo,
    },
    DeletePolicy,
    SetMutability {
        mutability: Box<Mutability>,
    },
    Registry(Box<RegistryFact>),
    Archive {
        image: Named,
    },
    RestoreRequested {
        image: Named,
    },
    Restored {
        image: Named,
    },
    Pull {
        image: Named,
        outcome: PullOutcome,
        caller: Caller,
    },
    PullLayer {
        layer: u64,
        outcome: PullOutcome,
        caller: Caller,
    },
    AccessChanged,
    /// The permissions of a role or user were changed: see [`super::grants`].
    GrantsChanged {
        principal: Sym,
    },
    Login,
    Omitted,
    Listed(Box<Listing>),
    /// [`PolicyNo::NONE`] for a repository without a lifecycle policy.
    PolicyShown {
        policy: PolicyNo,
    },
    RepositoryShown {
        mutability: Box<Mutability>,
        /// Milliseconds since the epoch; `i64::MIN` if absent.
        created_at: i64,
    },
    ManifestShown {
        digest: DigestNo,
        manifest: Box<Manifest>,
    },
    Define {
        definition: Sym,
        images: Box<[Reference]>,
    },
    Deploy {
        runner: Sym,
        definition: Sym,
        images: Box<[Reference]>,
        replaces: bool,
    },
    StopRunning {
        runner: Sym,
    },
    Task(Box<Task>),
    Need(Box<Need>),
    Key(KeyFact),
}

/// Something was done to a KMS key.
#[derive(Debug, PartialEq)]
pub struct KeyFact {
    pub key: Sym,
    pub change: KeyChange,
    /// The grant or the alias, by [`super::keys::key_name`]; 0 for none.
    pub about: u64,
}

/// Something other than ECS starts or stops needing images.
#[derive(Debug, PartialEq)]
pub struct Need {
    pub who: Sym,
    pub kind: NeedKind,
    pub images: Box<[Reference]>,
    /// The definitions that name the images.
    pub through: Box<[Sym]>,
    /// For a build, the version of its source.
    pub source: Sym,
}

/// How a request for a manifest ended, as far as the record says: a request for an image that is gone looks
/// like a success.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullOutcome {
    Answered,
    Failed,
    /// It failed because the image or the repository does not exist.
    Missing,
    /// It was refused for lack of permission.
    Denied,
    /// It was refused because the repository's KMS key could not be used.
    KeyRefused,
}

/// `imageId`: a digest, a tag, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Named {
    pub digest: DigestNo,
    pub tag: Sym,
}

impl Named {
    pub const NONE: Self = Self { digest: DigestNo::NONE, tag: Sym::NONE };
}

/// A repository's tag mutability setting; `None` where it is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutability {
    pub setting: Sym,
    /// Wildcards of the tags for which the opposite holds.
    pub exclusions: Box<[Sym]>,
}

impl Mutability {
    fn translate(&mut self, table: &Translation) {
        self.setting = self.setting.translated(&table.strings);
        self.exclusions.iter_mut().for_each(|filter| *filter = filter.translated(&table.strings));
    }
}

impl Default for Mutability {
    fn default() -> Self {
        Self { setting: Sym::NONE, exclusions: Box::default() }
    }
}

#[derive(Debug, PartialEq)]
pub struct Manifest {
    pub media_type: Sym,
    pub is_index: bool,
    pub children: Box<[DigestNo]>,
    /// The image that this artifact (a signature, SBOM or attestation) is about.
    pub subject: DigestNo,
    /// The platform of each child; [`Sym::NONE`] for a child without one.
    pub platforms: Box<[Sym]>,
    /// The first eight bytes of the digests of config and layers; used only to find an image by one of its
    /// layers.
    pub layers: Box<[u64]>,
    /// The size of each of them in bytes, in the same order; 0 if it is not known. Only kept if sizes are
    /// asked for.
    pub sizes: Box<[u64]>,
}

#[derive(Debug, PartialEq)]
pub struct Deleted {
    /// What was deleted. The flag is true if it was asked for by digest: then the image goes with all its
    /// tags, else only the tag goes.
    pub removed: Box<[(Named, bool)]>,
    pub failed: Box<[Named]>,
}

/// A lifecycle run, or one of several events of a run.
#[derive(Debug, PartialEq)]
pub struct Run {
    /// The policy in force, as the event states it.
    pub policy: PolicyNo,
    pub images: Box<[RunImage]>,
    pub failures: Box<[RunImage]>,
    /// When the policy was evaluated before, in milliseconds; `i64::MIN` if absent.
    pub evaluated_before: i64,
}

#[derive(Debug, PartialEq)]
pub struct RunImage {
    pub digest: DigestNo,
    pub action: LifecycleAction,
    /// -1 if absent.
    pub rule_priority: i64,
    pub tag_status: Sym,
    /// It had no tag when the run took it.
    pub untagged: bool,
    pub tags: Box<[Sym]>,
    /// Milliseconds since the epoch; `i64::MIN` if absent.
    pub pushed_at: i64,
}

/// An image that a preview names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Previewed {
    pub digest: DigestNo,
    /// Milliseconds since the epoch; `i64::MIN` if absent.
    pub pushed_at: i64,
}

/// What `describe-images` lists.
#[derive(Debug, PartialEq)]
pub struct Listing {
    pub images: Box<[ListedImage]>,
    pub whole: bool,
    pub with_archived: bool,
    pub dated: bool,
}

#[derive(Debug, PartialEq)]
pub struct ListedImage {
    /// In the same form as the images of a run.
    pub seen: RunImage,
    /// Milliseconds since the epoch; `i64::MIN` if absent.
    pub pulled_at: i64,
    pub archived: Option<bool>,
    /// Like [`Self::pulled_at`], for its last archiving.
    pub archived_at: i64,
    pub media_type: Sym,
    pub subject: DigestNo,
    pub size_bytes: Option<u64>,
}

/// A lifecycle event lists at most this many tags of an image: a full list does not prove that another tag
/// was not there.
const TAGS_LISTED_MAX: usize = 100;

impl RunImage {
    /// Whether the list of tags is complete. A tagged image without a list says nothing.
    pub fn lists_all_tags(&self) -> bool {
        self.untagged || (!self.tags.is_empty() && self.tags.len() < TAGS_LISTED_MAX)
    }
}

/// An image as a task definition or the like names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reference {
    /// [`RepositoryNo::NONE`] when only a digest is known.
    pub repository: RepositoryNo,
    pub image: Named,
    /// The first hex digits of a digest that a message cut off.
    pub cut: Sym,
}

#[derive(Debug, PartialEq)]
pub struct Task {
    pub task: Sym,
    pub group: Sym,
    pub definition: Sym,
    pub stopped: bool,
    /// The images that the task resolved, or was to run.
    pub images: Box<[Reference]>,
    /// The images that its stop reason names as impossible to pull.
    pub missing: Box<[Reference]>,
    pub reason: StopReason,
}

/// Why a task could not pull an image, by its stop reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StopReason {
    /// The image does not exist.
    Missing,
    /// Access was refused.
    Denied,
    /// Something else, such as the network.
    Other,
}

/// The short key of a layer in [`Manifest::layers`].
pub fn layer_key(digest: &crate::model::Digest) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest.as_bytes()[..8]);
    u64::from_be_bytes(first)
}

impl StorageClass {
    pub(super) fn archives(self) -> bool {
        self == Self::Archive
    }
}

impl EventId {
    fn translate(&mut self, table: &Translation) {
        if let Self::Other(sym) = self {
            *sym = sym.translated(&table.strings);
        }
    }
}

impl Noted {
    /// The id that breaks ties within a second. An addendum has the place of the event that it corrects.
    pub fn order_id(&self) -> EventId {
        match self.key {
            CallKey::Corrected(original) if self.addendum => original,
            _ => self.id,
        }
    }

    /// Whether `other` says the same in every field, apart from where it was read.
    pub fn is_copy_of(&self, other: &Self) -> bool {
        let comparable = |event: &Self| {
            let Self {
                id,
                key,
                identity,
                time,
                name,
                actor,
                source_ip,
                user_agent,
                recipient,
                region,
                shared,
                ..
            } = *event;
            let Self { addendum, corrects_time, read_only, .. } = *event;
            (
                id,
                key,
                identity,
                time,
                [name, actor, source_ip, user_agent, recipient, region, shared],
                [addendum, corrects_time, read_only],
            )
        };
        comparable(self) == comparable(other)
    }

    pub fn translate(&mut self, table: &Translation) {
        self.id.translate(table);
        if let CallKey::Corrected(original) = &mut self.key {
            original.translate(table);
        }
        for sym in [
            &mut self.shared,
            &mut self.name,
            &mut self.actor,
            &mut self.source_ip,
            &mut self.user_agent,
            &mut self.object,
            &mut self.recipient,
            &mut self.region,
        ] {
            *sym = sym.translated(&table.strings);
        }
    }
}

impl Named {
    fn translate(&mut self, table: &Translation) {
        self.digest = self.digest.translated(&table.digests);
        self.tag = self.tag.translated(&table.strings);
    }
}

impl Reference {
    fn translate(&mut self, table: &Translation) {
        self.repository = self.repository.translated(&table.repositories);
        self.image.translate(table);
        self.cut = self.cut.translated(&table.strings);
    }
}

impl Manifest {
    fn translate(&mut self, table: &Translation) {
        self.media_type = self.media_type.translated(&table.strings);
        self.subject = self.subject.translated(&table.digests);
        self.children.iter_mut().for_each(|child| *child = child.translated(&table.digests));
        self.platforms.iter_mut().for_each(|platform| *platform = platform.translated(&table.strings));
    }
}

impl RunImage {
    fn translate(&mut self, table: &Translation) {
        self.digest = self.digest.translated(&table.digests);
        self.tag_status = self.tag_status.translated(&table.strings);
        self.tags.iter_mut().for_each(|tag| *tag = tag.translated(&table.strings));
    }
}

impl Fact {
    /// Replaces all numbers by those of the merged tables; events are renumbered by their offset in the
    /// merged list.
    pub fn translate(&mut self, table: &Translation, event_offset: usize) {
        self.event = EventNo::from_index(self.event.index() + event_offset);
        self.repository = self.repository.translated(&table.repositories);
        self.what.translate(table);
    }
}

impl What {
    /// Bytes of memory outside of the struct itself, about.
    pub fn heap_bytes(&self) -> u64 {
        let references = |images: &[Reference]| size_of_val(images);
        let mutability =
            |mutability: &Mutability| size_of_val(mutability) + size_of_val(&*mutability.exclusions);
        let images = |images: &[RunImage]| {
            size_of_val(images) + images.iter().map(|image| size_of_val(&*image.tags)).sum::<usize>()
        };
        let bytes = match self {
            Self::Push { manifest: Some(manifest), .. } => {
                let lists = size_of_val(&*manifest.children) + size_of_val(&*manifest.platforms);
                let lists = lists + size_of_val(&*manifest.layers) + size_of_val(&*manifest.sizes);
                size_of_val(&**manifest) + lists
            }
            Self::Delete(deleted) => {
                size_of_val(&**deleted) + size_of_val(&*deleted.removed) + size_of_val(&*deleted.failed)
            }
            Self::Run(run) => size_of_val(&**run) + images(&run.images) + images(&run.failures),
            Self::Preview(images) => size_of_val(&**images),
            Self::CreateRepository { mutability: known, .. } | Self::SetMutability { mutability: known } => {
                mutability(known)
            }
            Self::Registry(change) => change.bytes(),
            Self::Define { images, .. } | Self::Deploy { images, .. } => references(images),
            Self::Task(task) => size_of_val(&**task) + references(&task.images) + references(&task.missing),
            Self::Need(need) => size_of_val(&**need) + references(&need.images) + size_of_val(&*need.through),
            _ => 0,
        };
        bytes as u64
    }

    /// How many references to images it holds.
    pub fn references(&self) -> u64 {
        let references = match self {
            Self::Define { images, .. } | Self::Deploy { images, .. } => images.len(),
            Self::Task(task) => task.images.len() + task.missing.len(),
            Self::Need(need) => need.images.len(),
            _ => 0,
        };
        references as u64
    }

    fn translate(&mut self, table: &Translation) {
        let string = |sym: &mut Sym| *sym = sym.translated(&table.strings);
        let references =
            |images: &mut [Reference]| images.iter_mut().for_each(|image| image.translate(table));
        match self {
            Self::Push { image, manifest, .. } => {
                image.translate(table);
                if let Some(manifest) = manifest {
                    manifest.translate(table);
                }
            }
            Self::PushFailed { image, proves, why } => {
                image.translate(table);
                proves.translate(table);
                string(why);
            }
            Self::Delete(deleted) => {
                deleted.removed.iter_mut().for_each(|(image, _)| image.translate(table));
                deleted.failed.iter_mut().for_each(|image| image.translate(table));
            }
            Self::Run(run) => {
                run.policy = run.policy.translated(&table.policies);
                run.images.iter_mut().chain(run.failures.iter_mut()).for_each(|image| image.translate(table));
            }
            Self::Preview(images) => {
                images.iter_mut().for_each(|image| image.digest = image.digest.translated(&table.digests))
            }
            Self::Listed(listing) => {
                for image in &mut listing.images {
                    image.seen.translate(table);
                    string(&mut image.media_type);
                    image.subject = image.subject.translated(&table.digests);
                }
            }
            Self::PolicyShown { policy } => *policy = policy.translated(&table.policies),
            Self::RepositoryShown { mutability, .. } => mutability.translate(table),
            Self::ManifestShown { digest, manifest } => {
                *digest = digest.translated(&table.digests);
                manifest.translate(table);
            }
            Self::Archive { image }
            | Self::RestoreRequested { image }
            | Self::Restored { image }
            | Self::Pull { image, .. } => image.translate(table),
            Self::CreateRepository { mutability, key, .. } => {
                mutability.translate(table);
                string(key);
            }
            Self::SetMutability { mutability } => mutability.translate(table),
            Self::Registry(change) => change.translate(table),
            Self::Key(fact) => string(&mut fact.key),
            Self::GrantsChanged { principal } => string(principal),
            Self::SetPolicy { policy } => *policy = policy.translated(&table.policies),
            Self::Define { definition, images } => {
                string(definition);
                references(images);
            }
            Self::Need(need) => {
                string(&mut need.who);
                string(&mut need.source);
                need.through.iter_mut().for_each(string);
                references(&mut need.images);
            }
            Self::Deploy { runner, definition, images, .. } => {
                string(runner);
                string(definition);
                references(images);
            }
            Self::StopRunning { runner } => string(runner),
            Self::Task(task) => {
                [&mut task.task, &mut task.group, &mut task.definition].into_iter().for_each(string);
                references(&mut task.images);
                references(&mut task.missing);
            }
            Self::DeleteRepository
            | Self::DeletePolicy
            | Self::PullLayer { .. }
            | Self::AccessChanged
            | Self::Login
            | Self::Omitted => {}
        }
    }
}
