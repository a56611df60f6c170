//! What one record means for images. Borrowed; the fold keeps what it needs in a compact form of its own.

use std::borrow::Cow;

use super::{Digest, ImageReference, KeyEvent, Need, RepositoryRef, Timestamp};

/// The meaning of a record. A call with an `errorCode` becomes one of the `…Failed` variants (or is not
/// recognised).
#[derive(Debug, Clone)]
pub enum Action<'r> {
    /// An image now exists in the repository, or has another tag.
    Push(Push<'r>),
    /// `PutImage` that ECR refused. Changes nothing, but may prove which digest had a tag.
    PushFailed(Refusal<'r>),
    /// `BatchDeleteImage`: what was deleted, and what was asked for but stayed.
    Delete {
        removed: Vec<ImageId<'r>>,
        requested: Vec<ImageId<'r>>,
        failures: Vec<Deletion<'r>>,
        /// Something else was deleted, and the record does not say what: somebody has redacted its digest.
        illegible: bool,
    },
    /// `BatchDeleteImage` that failed as a whole, with what it had asked for.
    DeleteFailed {
        requested: Vec<ImageId<'r>>,
    },
    /// `PolicyExecutionEvent`: a lifecycle run, or part of one.
    PolicyRun(PolicyRun<'r>),
    /// `DryRunEvent`: a preview, which deletes nothing.
    PolicyPreview(PolicyRun<'r>),
    CreateRepository {
        mutability: Option<Mutability<'r>>,
        /// Set if ECR created it itself: on a push, by replication, or for a pull-through cache.
        made_by_ecr: Option<PushOrigin>,
        /// ARN of the KMS key that encrypts it, or of an alias of that key.
        key: Option<Cow<'r, str>>,
    },
    DeleteRepository,
    /// `PutLifecyclePolicy`, with the policy's JSON text.
    PutLifecyclePolicy {
        text: Cow<'r, str>,
    },
    DeleteLifecyclePolicy,
    /// `PutImageTagMutability`.
    SetTagMutability {
        mutability: Mutability<'r>,
    },
    /// A setting of the whole registry, in one region.
    Registry(RegistryChange<'r>),
    /// `UpdateImageStorageClass`. `STANDARD` asks for a restore; [`Self::Restored`] reports when that is
    /// done.
    SetStorageClass {
        image: ImageId<'r>,
        class: StorageClass,
    },
    /// `ImageActivationEvent` with result `SUCCESS`.
    Restored {
        digest: Digest,
    },
    /// `BatchGetImage`: the manifests asked for. `failed`: the call had an `errorCode`; `images` is often
    /// empty then.
    Pull {
        images: Vec<ImageId<'r>>,
        failed: bool,
    },
    /// `GetDownloadUrlForLayer`: one layer (or config) asked for.
    PullLayer {
        layer: Digest,
        failed: bool,
    },
    /// `SetRepositoryPolicy`, `DeleteRepositoryPolicy`: the repository's permissions were changed.
    AccessChanged,
    /// IAM: the permissions of a role or user were changed. `principal` is `ACCOUNT:role/NAME` or
    /// `ACCOUNT:user/NAME`.
    GrantsChanged {
        principal: Cow<'r, str>,
    },
    /// `GetAuthorizationToken`: shows a principal's address, which the registry's proxy hides in later
    /// calls.
    Login,
    /// `RegisterTaskDefinition` and the like: a definition names images. `definition` is an ARN or
    /// `family:revision`.
    Define {
        definition: Cow<'r, str>,
        images: Vec<TaskImage<'r>>,
    },
    /// `CreateService`, `UpdateService`, `CreateTaskSet`, `CreateDaemon`, `RunTask`, `StartTask`: something
    /// runs a definition. `runner` is the ARN of the service or daemon, or of the (first) task that was
    /// started. `deploys` is false for an update that starts no new deployment (one that only changes the
    /// number of tasks, say): the service then keeps the digests that it has resolved.
    Run {
        runner: Cow<'r, str>,
        definition: Option<Cow<'r, str>>,
        images: Vec<TaskImage<'r>>,
        deploys: bool,
    },
    /// `DeleteService`: the service needs no image any more.
    StopRunning {
        runner: Cow<'r, str>,
    },
    /// `SubmitTaskStateChange`, `SubmitContainerStateChange`, or EventBridge's *ECS Task State Change*.
    TaskState {
        task: Cow<'r, str>,
        /// `service:NAME`, where known.
        group: Option<Cow<'r, str>>,
        definition: Option<Cow<'r, str>>,
        status: Option<Cow<'r, str>>,
        /// Digests that the task resolved, with the container's reference where it is known.
        images: Vec<TaskImage<'r>>,
        /// All stop reasons, one on each line: the text that may contain `CannotPullContainerError …`.
        reason: Option<Cow<'r, str>>,
    },
    /// A service other than ECS starts or stops needing images (Lambda, App Runner, Batch, SageMaker,
    /// CodeBuild, EventBridge).
    Needs(Vec<Need<'r>>),
    /// A change of a KMS key. For a grant the record names the repository that it is for.
    Key(KeyEvent<'r>),
    /// A snapshot lists images of a repository.
    Listed(Listing<'r>),
    /// A snapshot shows the lifecycle policy of a repository; `None` if it has none.
    PolicyShown {
        text: Option<Cow<'r, str>>,
    },
    /// A snapshot shows the repository and its settings.
    RepositoryShown {
        mutability: Option<Mutability<'r>>,
        created_at: Option<Timestamp>,
    },
    /// A snapshot has the manifest of an image.
    ManifestShown {
        digest: Digest,
        manifest: ImageDescription<'r>,
    },
    /// Something was done to this repository, but the record does not say what: CloudTrail left out a
    /// payload above 100 KB, or the event lacks it. A run without its list of images is such a case, and a
    /// delete without a response.
    Omitted,
}

/// The tag mutability of a repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mutability<'r> {
    /// `MUTABLE`, `IMMUTABLE`, `MUTABLE_WITH_EXCLUSION`, `IMMUTABLE_WITH_EXCLUSION`.
    pub setting: Cow<'r, str>,
    /// Wildcards of the tags for which the opposite holds.
    pub exclusions: Vec<Cow<'r, str>>,
}

/// A change for all repositories of a registry in a region.
#[derive(Debug, Clone)]
pub enum RegistryChange<'r> {
    /// `RegisterPullTimeUpdateExclusion`, `DeregisterPullTimeUpdateExclusion`: whether ECR records pulls by
    /// this principal, for lifecycle rules that go by the last pull.
    PullTimeExclusion { principal: Cow<'r, str>, excluded: bool },
    /// `PutReplicationConfiguration`: these rules replace all earlier ones.
    Replication(Vec<ReplicationRule<'r>>),
    /// `CreateRepositoryCreationTemplate`, `UpdateRepositoryCreationTemplate`.
    Template(Template<'r>),
    /// `DeleteRepositoryCreationTemplate`, with the prefix.
    TemplateDeleted(Cow<'r, str>),
    /// `CreatePullThroughCacheRule`, `UpdatePullThroughCacheRule`.
    CacheRule(CacheRule<'r>),
    /// `DeletePullThroughCacheRule`, with the prefix.
    CacheRuleDeleted(Cow<'r, str>),
}

/// A pull-through cache rule: repositories with this prefix are created as copies of another registry's when
/// they are pulled. Members that an update leaves out are unchanged.
#[derive(Debug, Clone)]
pub struct CacheRule<'r> {
    /// Beginning of the repositories' names, up to a slash; `ROOT` for all that no other rule has.
    pub prefix: Cow<'r, str>,
    /// Host of the registry that is copied: `registry-1.docker.io`,
    /// `111122223333.dkr.ecr.us-east-1.amazonaws.com`.
    pub upstream: Option<Cow<'r, str>>,
    /// The prefix in the upstream registry that replaces the own one; `ROOT` for none.
    pub upstream_prefix: Option<Cow<'r, str>>,
}

/// A replication rule: which repositories are copied, and where to.
#[derive(Debug, Clone)]
pub struct ReplicationRule<'r> {
    /// Region and registry.
    pub destinations: Vec<(Cow<'r, str>, Cow<'r, str>)>,
    /// Prefixes of repository names; empty if the rule applies to all repositories.
    pub prefixes: Vec<Cow<'r, str>>,
    /// Whether deletions, expiries and removals of tags are replicated, too.
    pub deletes: bool,
}

/// A repository creation template: the settings of repositories that ECR creates itself. What an update
/// leaves out stays as it was.
#[derive(Debug, Clone)]
pub struct Template<'r> {
    /// Prefix of the repository's name, up to a slash; `ROOT` for all.
    pub prefix: Cow<'r, str>,
    /// This replaces the prefix's earlier template as a whole.
    pub whole: bool,
    /// `CREATE_ON_PUSH`, `PULL_THROUGH_CACHE`, `REPLICATION`.
    pub applied_for: Option<Vec<Cow<'r, str>>>,
    /// The text of a lifecycle policy; empty for a template without one.
    pub lifecycle_policy: Option<Cow<'r, str>>,
    pub mutability: Option<Mutability<'r>>,
}

/// A successful push.
#[derive(Debug, Clone)]
pub struct Push<'r> {
    pub digest: Digest,
    pub tag: Option<Cow<'r, str>>,
    pub origin: PushOrigin,
    /// What the manifest says, where it was readable.
    pub manifest: Option<ImageDescription<'r>>,
    /// The digest in the response is not the SHA-256 of the manifest, which indicates tampering or a bug.
    pub digest_mismatch: bool,
}

/// How a push came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PushOrigin {
    /// A client called `PutImage`.
    Client,
    /// Registry replication.
    Replication,
    /// Pull-through cache.
    PullThroughCache,
}

/// What a manifest says about its image.
#[derive(Debug, Clone)]
pub struct ImageDescription<'r> {
    pub media_type: Option<Cow<'r, str>>,
    pub kind: ManifestKind,
    /// Digests in `manifests[]` of an index or manifest list.
    pub children: Vec<Digest>,
    /// The platform of each child, in the same order: `linux/arm64`, `linux/arm/v7`; `None` for a child
    /// without one.
    pub platforms: Vec<Option<String>>,
    /// `subject.digest` of a reference artifact (OCI 1.1).
    pub subject: Option<Digest>,
    /// Config and layers of a single image.
    pub layers: Vec<Layer>,
}

/// A layer, or the config, as a manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layer {
    pub digest: Digest,
    /// In bytes, as it is stored.
    pub size: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ManifestKind {
    Image,
    /// OCI index or Docker manifest list.
    Index,
}

/// A refused push.
#[derive(Debug, Clone)]
pub struct Refusal<'r> {
    pub code: Cow<'r, str>,
    pub digest: Option<Digest>,
    pub tag: Option<Cow<'r, str>>,
    /// `ImageAlreadyExistsException` naming both digest and tag: the digest had the tag at that moment.
    pub proves: Option<AlreadyExists<'r>>,
}

/// Proof that `digest` had the tag `tag` when the call was refused.
#[derive(Debug, Clone)]
pub struct AlreadyExists<'r> {
    pub digest: Digest,
    pub tag: Cow<'r, str>,
}

/// `imageId`: by digest, by tag, or both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageId<'r> {
    pub digest: Option<Digest>,
    pub tag: Option<Cow<'r, str>>,
}

/// Images of one repository at one moment, as `describe-images` lists them.
#[derive(Debug, Clone)]
pub struct Listing<'r> {
    pub images: Vec<ListedImage<'r>>,
    /// The list has every active image of the repository, as far as can be told.
    pub whole: bool,
    /// The list includes archived images, so an image that it lacks does not exist at all.
    pub with_archived: bool,
    /// The moment is certain. It is not if it is only the file's modification time: the file may have been
    /// written later.
    pub dated: bool,
}

#[derive(Debug, Clone)]
pub struct ListedImage<'r> {
    pub digest: Digest,
    pub tags: Vec<Cow<'r, str>>,
    pub pushed_at: Option<Timestamp>,
    /// `lastRecordedPullTime`.
    pub pulled_at: Option<Timestamp>,
    /// Whether it is archived; `None` if that is not known.
    pub archived: Option<bool>,
    /// `lastArchivedAt`.
    pub archived_at: Option<Timestamp>,
    pub media_type: Option<Cow<'r, str>>,
    /// The image that it is about, if it is a reference artifact.
    pub subject: Option<Digest>,
    pub size_bytes: Option<u64>,
}

/// One entry of `failures[]` of a delete.
#[derive(Debug, Clone)]
pub struct Deletion<'r> {
    pub image: ImageId<'r>,
    pub code: Cow<'r, str>,
    /// Digests of indexes named in the reason (`ImageReferencedByManifestList`).
    pub parents: Vec<Digest>,
}

/// One lifecycle run, or one part of it: long runs come as several events.
#[derive(Debug, Clone)]
pub struct PolicyRun<'r> {
    pub rules: Vec<LifecycleRule<'r>>,
    pub images: Vec<ImageRun<'r>>,
    pub failures: Vec<RunFailure<'r>>,
    /// `lastEvaluatedAt`: when the policy was evaluated before. The same in all events of one run.
    pub evaluated_before: Option<Timestamp>,
    /// It took other images, and the event does not say which: somebody has redacted their digests.
    pub illegible: bool,
}

/// A rule, in the prose words of the event ("Time since image pushed", "Untagged").
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LifecycleRule<'r> {
    pub priority: i64,
    pub description: Option<Cow<'r, str>>,
    /// `expire` or `transition`, lower case; empty if absent.
    pub action: Cow<'r, str>,
    pub tag_status: Option<Cow<'r, str>>,
    pub tag_prefix_list: Vec<Cow<'r, str>>,
    pub tag_pattern_list: Vec<Cow<'r, str>>,
    pub count_type: Option<Cow<'r, str>>,
    pub count_unit: Option<Cow<'r, str>>,
    pub count_number: Option<i64>,
    pub storage_class: Option<Cow<'r, str>>,
}

/// One image that a run acted on.
#[derive(Debug, Clone)]
pub struct ImageRun<'r> {
    pub digest: Digest,
    pub rule_priority: Option<i64>,
    /// `Untagged` / `Tagged` as the event has it.
    pub tag_status: Option<Cow<'r, str>>,
    /// The tags it had, at most 100 of them.
    pub tags: Vec<Cow<'r, str>>,
    /// Whether there is a list of tags: an empty list says that there were none, a missing one says
    /// nothing.
    pub has_tag_list: bool,
    pub pushed_at: Option<Timestamp>,
}

/// One image that a run could not act on.
#[derive(Debug, Clone)]
pub struct RunFailure<'r> {
    pub image: ImageRun<'r>,
    pub code: Option<Cow<'r, str>>,
    /// Digests of indexes named in the reason (`ImageReferencedByManifestList`).
    pub parents: Vec<Digest>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    Archive,
    Standard,
}

/// An image as named by a container definition or a task.
#[derive(Debug, Clone)]
pub struct TaskImage<'r> {
    /// The parsed reference, if it is one to an ECR registry.
    pub reference: Option<ImageReference>,
    /// The digest that the task resolved, if the record has it.
    pub digest: Option<Digest>,
    pub container: Option<Cow<'r, str>>,
    /// The container has a stop reason of its own.
    pub failed: bool,
}

impl RepositoryRef<'_> {
    /// Whether `reference` points into this repository.
    pub fn holds(&self, reference: &ImageReference) -> bool {
        *self.registry_id == *reference.registry_id
            && *self.region == *reference.region
            && *self.name == *reference.repository
    }
}
