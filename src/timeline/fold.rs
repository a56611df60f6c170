//! Absorb, merge, finish: each worker has a fold, folds are merged in any order, and events are sorted only
//! at the end.
//!
//! `absorb` and `merge` only collect, and their result does not depend on order. What does depend on order
//! (dropping second copies, moves of tags, lives of images) happens in [`Fold::finish`], over events sorted
//! by time and `eventID`.

use super::copies::Silent;
use super::fact::{
    CallKey, Deleted, EventId, Fact, KeyFact, ListedImage, Listing, Manifest, Mutability, Named, Need, Noted,
    Previewed, PullOutcome, Reference, Run, RunImage, StopReason, Task, What, layer_key,
};
use super::keys::key_name;
use super::names::{DigestNo, EventNo, Names, PolicyNo, RepositoryNo, Sym, Wording};
use super::registry::{CacheFact, CopyRule, RegistryFact, TemplateFact};
use crate::decode::identity::{fingerprint, is_event_id};
use crate::model::{
    self, Action, Caller, Event, Identity, ImageId, ImageReference, ImageRun, LifecycleAction, ManifestKind,
    PolicyRun, Recognized, RegistryChange, TaskImage,
};
use crate::policy::{Policy, Tags};
use std::borrow::Cow;
use std::collections::BTreeSet;

/// What one worker has collected.
#[derive(Default)]
pub struct Fold {
    pub(super) names: Names,
    pub(super) events: Vec<Noted>,
    pub(super) facts: Vec<Fact>,
    /// The number of events left after copies were last dropped.
    pub(super) events_without_copies: usize,
    /// Bytes of memory that the facts take outside of their list.
    pub(super) facts_bytes: u64,
    /// How many references to images the facts hold.
    pub(super) references: u64,
    /// Repositories that the filter leaves out, and those of their events by which the trail as a whole is
    /// judged; second copies included.
    pub(super) passed_over: BTreeSet<RepositoryNo>,
    pub(super) pushes_passed_over: u64,
    pub(super) read_only_passed_over: u64,
    /// Events of which a copy without content was met, or one that could not be understood.
    pub(super) silent: Vec<Silent>,
    /// Somebody asks for the sizes of layers.
    keeps_sizes: bool,
}

impl Fold {
    /// One that keeps the sizes of layers, too, where that is asked for.
    pub fn keeping(sizes: bool) -> Self {
        Self { keeps_sizes: sizes, ..Self::default() }
    }

    /// What it holds; what it keeps stays the same.
    pub fn take(&mut self) -> Self {
        let empty = Self::keeping(self.keeps_sizes);
        std::mem::replace(self, empty)
    }

    /// Notes a copy of an event that has no content, or that could not be understood, and why. If it is the
    /// first copy by object and record, it is the one that counts, and the others are dropped.
    pub fn absorb_nothing(&mut self, identity: Identity, object: &str, record: u64, failed: Option<&str>) {
        let object = self.names.string(object);
        let failed = self.names.optional_string(failed);
        let record = u32::try_from(record).unwrap_or(u32::MAX);
        self.silent.push(Silent { identity, object, record, failed });
    }

    /// Collects what `recognized` says; `object` and `record` say where it was read.
    pub fn absorb(&mut self, recognized: &Recognized<'_>, object: &str, record: u64) {
        self.drop_copies_if_due();
        let event = self.note(&recognized.event, object, record);
        let repository = self.names.optional_repository(recognized.repository.as_ref());
        let keep = |fold: &mut Self, what: What| {
            fold.facts_bytes += what.heap_bytes();
            fold.references += what.references();
            fold.facts.push(Fact { event, repository, what });
        };
        match &recognized.action {
            Action::Pull { images, failed } => {
                let outcome = pull_outcome(*failed, recognized.event.error_code.as_deref());
                let caller = Caller::of(&recognized.event);
                for image in images {
                    let image = self.named(image);
                    keep(self, What::Pull { image, outcome, caller });
                }
            }
            Action::Needs(needs) => {
                for need in needs {
                    let need = self.need(need, &recognized.event);
                    keep(self, What::Need(Box::new(need)));
                }
            }
            other => {
                if let Some(what) = self.what(other, &recognized.event) {
                    keep(self, what);
                }
                if let Action::PolicyRun(PolicyRun { illegible: true, .. })
                | Action::Delete { illegible: true, .. } = other
                {
                    keep(self, What::Omitted);
                }
            }
        }
    }

    /// Notes only the repository's name, of an event of a repository that the filter leaves out, so that
    /// answers can say what there is. A push whose digest does not match its manifest is kept all the same,
    /// because it is a warning about the logs.
    pub fn pass_over(&mut self, recognized: &Recognized<'_>, object: &str, record: u64) {
        if matches!(&recognized.action, Action::Push(push) if push.digest_mismatch) {
            return self.absorb(recognized, object, record);
        }
        let repository = self.names.optional_repository(recognized.repository.as_ref());
        self.passed_over.extend(repository.some());
        self.pushes_passed_over += u64::from(matches!(recognized.action, Action::Push(_)));
        self.read_only_passed_over += u64::from(recognized.event.read_only == Some(true));
    }

    /// Adds everything that `other` has collected. The order of merging does not matter.
    pub fn merge(&mut self, mut other: Self) {
        if self.events.is_empty() {
            std::mem::swap(self, &mut other);
        }
        self.keeps_sizes |= other.keeps_sizes;
        let table = self.names.absorb(other.names);
        self.passed_over
            .extend(other.passed_over.iter().map(|repository| repository.translated(&table.repositories)));
        self.pushes_passed_over += other.pushes_passed_over;
        self.read_only_passed_over += other.read_only_passed_over;
        self.facts_bytes += other.facts_bytes;
        self.references += other.references;
        let offset = self.events.len();
        self.silent.extend(other.silent.drain(..).map(|silent| Silent {
            object: silent.object.translated(&table.strings),
            failed: silent.failed.translated(&table.strings),
            ..silent
        }));
        let (events, facts) = (&mut self.events, &mut self.facts);
        rayon::join(
            || {
                other.events.iter_mut().for_each(|event| event.translate(&table));
                events.append(&mut other.events);
            },
            || {
                other.facts.iter_mut().for_each(|fact| fact.translate(&table, offset));
                facts.append(&mut other.facts);
            },
        );
        self.drop_copies_if_due();
    }

    fn note(&mut self, event: &Event<'_>, object: &str, record: u64) -> EventNo {
        let id = self.event_id(&event.id);
        let key = match (&event.shared_id, &event.addendum) {
            (Some(shared), _) => CallKey::Event(shared_by(shared, event)),
            (None, Some(addendum)) => CallKey::Corrected(self.event_id(&addendum.original_event_id)),
            (None, None) => CallKey::Event(event.identity),
        };
        let shared = self.names.optional_string(event.shared_id.as_deref());
        // Neighbouring events have much in common.
        let last = self.events.last();
        let names = &mut self.names;
        let mut known = |text: &str, of: fn(&Noted) -> Sym| names.string_like(last.map(of), text);
        let noted = Noted {
            id,
            key,
            identity: event.identity,
            shared,
            time: event.time.millis(),
            name: known(&event.name, |last| last.name),
            actor: event.actor.as_deref().map_or(Sym::NONE, |actor| known(actor, |last| last.actor)),
            source_ip: event.source_ip.as_deref().map_or(Sym::NONE, |ip| known(ip, |last| last.source_ip)),
            user_agent: event
                .user_agent
                .as_deref()
                .map_or(Sym::NONE, |agent| known(agent, |last| last.user_agent)),
            object: known(object, |last| last.object),
            record: u32::try_from(record).unwrap_or(u32::MAX),
            recipient: known(&event.recipient_account, |last| last.recipient),
            region: known(&event.region, |last| last.region),
            addendum: event.addendum.is_some(),
            corrects_time: event.addendum.as_ref().is_some_and(|addendum| addendum.corrects_time),
            read_only: event.read_only == Some(true),
            left_out: event.left_out,
            snapshot: event.snapshot,
        };
        self.events.push(noted);
        EventNo::from_index(self.events.len() - 1)
    }

    fn event_id(&mut self, text: &str) -> EventId {
        parse_uuid(text).map_or_else(|| EventId::Other(self.names.string(text)), EventId::Uuid)
    }

    fn named(&mut self, image: &ImageId<'_>) -> Named {
        Named {
            digest: self.names.optional_digest(image.digest),
            tag: self.names.optional_string(image.tag.as_deref()),
        }
    }

    fn what(&mut self, action: &Action<'_>, event: &Event<'_>) -> Option<What> {
        Some(match action {
            Action::Push(push) => {
                let image = Named {
                    digest: self.names.digest(push.digest),
                    tag: self.names.optional_string(push.tag.as_deref()),
                };
                let manifest = push.manifest.as_ref().map(|manifest| Box::new(self.manifest(manifest)));
                What::Push { image, origin: push.origin, manifest, mismatch: push.digest_mismatch }
            }
            Action::PushFailed(refusal) => {
                let image = Named {
                    digest: self.names.optional_digest(refusal.digest),
                    tag: self.names.optional_string(refusal.tag.as_deref()),
                };
                let proves = refusal.proves.as_ref().map_or(Named::NONE, |proof| Named {
                    digest: self.names.digest(proof.digest),
                    tag: self.names.string(&proof.tag),
                });
                What::PushFailed {
                    image,
                    proves,
                    why: self.names.optional_string(Some(&*refusal.code).filter(|code| !code.is_empty())),
                }
            }
            Action::Delete { removed, requested, failures, .. } => {
                let removed =
                    removed.iter().map(|image| (self.named(image), by_digest(image, requested))).collect();
                let failed = failures.iter().map(|failure| self.named(&failure.image)).collect();
                What::Delete(Box::new(Deleted { removed, failed }))
            }
            Action::DeleteFailed { requested } => {
                let failed = requested.iter().map(|image| self.named(image)).collect();
                What::Delete(Box::new(Deleted { removed: Box::default(), failed }))
            }
            Action::PolicyRun(run) => What::Run(Box::new(self.run(run))),
            Action::PolicyPreview(preview) => What::Preview(self.previewed(preview)),
            Action::CreateRepository { mutability, made_by_ecr, key } => What::CreateRepository {
                mutability: Box::new(
                    mutability.as_ref().map(|mutability| self.mutability(mutability)).unwrap_or_default(),
                ),
                made_by_ecr: *made_by_ecr,
                key: self.names.optional_string(key.as_deref()),
            },
            Action::Key(event) => What::Key(KeyFact {
                key: self.names.string(&event.key),
                change: event.change,
                about: event.about.as_deref().map_or(0, key_name),
            }),
            Action::DeleteRepository => What::DeleteRepository,
            Action::PutLifecyclePolicy { text } => {
                What::SetPolicy { policy: self.names.policy(text, Wording::Put) }
            }
            Action::DeleteLifecyclePolicy => What::DeletePolicy,
            Action::SetTagMutability { mutability } => {
                What::SetMutability { mutability: Box::new(self.mutability(mutability)) }
            }
            Action::SetStorageClass { image, class } if class.archives() => {
                What::Archive { image: self.named(image) }
            }
            Action::SetStorageClass { image, .. } => What::RestoreRequested { image: self.named(image) },
            Action::Registry(change) => What::Registry(Box::new(self.registry(change))),
            Action::Restored { digest } => {
                What::Restored { image: Named { digest: self.names.digest(*digest), tag: Sym::NONE } }
            }
            Action::PullLayer { layer, failed } => {
                let outcome = pull_outcome(*failed, event.error_code.as_deref());
                What::PullLayer { layer: layer_key(layer), outcome, caller: Caller::of(event) }
            }
            Action::GrantsChanged { principal } => {
                What::GrantsChanged { principal: self.names.string(principal) }
            }
            Action::AccessChanged => What::AccessChanged,
            Action::Login => What::Login,
            Action::Omitted => What::Omitted,
            Action::Listed(listing) => What::Listed(Box::new(self.listing(listing))),
            Action::PolicyShown { text } => What::PolicyShown {
                policy: text.as_deref().map_or(PolicyNo::NONE, |text| self.names.policy(text, Wording::Put)),
            },
            Action::RepositoryShown { mutability, created_at } => What::RepositoryShown {
                mutability: Box::new(
                    mutability.as_ref().map(|mutability| self.mutability(mutability)).unwrap_or_default(),
                ),
                created_at: millis(*created_at),
            },
            Action::ManifestShown { digest, manifest } => What::ManifestShown {
                digest: self.names.digest(*digest),
                manifest: Box::new(self.manifest(manifest)),
            },
            Action::Define { definition, images } => What::Define {
                definition: self.definition(definition, event),
                images: self.references(images),
            },
            Action::Run { runner, definition, images, deploys } => What::Deploy {
                runner: self.names.string(runner),
                definition: definition.as_ref().map_or(Sym::NONE, |name| self.definition(name, event)),
                images: self.references(images),
                replaces: *deploys,
            },
            Action::StopRunning { runner } => What::StopRunning { runner: self.names.string(runner) },
            Action::TaskState { task, group, definition, status, images, reason } => {
                let reason_text = reason.as_deref().unwrap_or_default();
                What::Task(Box::new(Task {
                    task: self.names.string(task),
                    group: self.names.optional_string(group.as_deref()),
                    definition: definition.as_ref().map_or(Sym::NONE, |name| self.definition(name, event)),
                    stopped: status.as_deref() == Some("STOPPED"),
                    images: self.references(images),
                    missing: self.missing(reason_text, images),
                    reason: stop_reason(reason_text),
                }))
            }
            Action::Pull { .. } | Action::Needs(_) => return None,
        })
    }

    fn manifest(&mut self, manifest: &crate::model::ImageDescription<'_>) -> Manifest {
        Manifest {
            media_type: self.names.optional_string(manifest.media_type.as_deref()),
            is_index: manifest.kind == ManifestKind::Index,
            children: manifest.children.iter().map(|child| self.names.digest(*child)).collect(),
            subject: self.names.optional_digest(manifest.subject),
            platforms: manifest
                .platforms
                .iter()
                .map(|platform| self.names.optional_string(platform.as_deref()))
                .collect(),
            layers: manifest.layers.iter().map(|layer| layer_key(&layer.digest)).collect(),
            sizes: manifest
                .layers
                .iter()
                .filter(|_| self.keeps_sizes)
                .map(|layer| layer.size.unwrap_or(0))
                .collect(),
        }
    }

    fn strings(&mut self, list: &[Cow<'_, str>]) -> Box<[Sym]> {
        list.iter().map(|text| self.names.string(text)).collect()
    }

    fn mutability(&mut self, mutability: &model::Mutability<'_>) -> Mutability {
        Mutability {
            setting: self.names.string(&mutability.setting),
            exclusions: self.strings(&mutability.exclusions),
        }
    }

    fn registry(&mut self, change: &RegistryChange<'_>) -> RegistryFact {
        match change {
            RegistryChange::PullTimeExclusion { principal, excluded } => {
                RegistryFact::Exclusion { principal: self.names.string(principal), excluded: *excluded }
            }
            RegistryChange::Replication(rules) => {
                RegistryFact::Replication(rules.iter().map(|rule| self.copy_rule(rule)).collect())
            }
            RegistryChange::Template(template) => RegistryFact::Template(self.template(template)),
            RegistryChange::TemplateDeleted(prefix) => {
                RegistryFact::TemplateDeleted { prefix: self.names.string(prefix) }
            }
            RegistryChange::CacheRule(rule) => RegistryFact::Cache(CacheFact {
                prefix: self.names.string(&rule.prefix),
                upstream: self.names.optional_string(rule.upstream.as_deref()),
                upstream_prefix: self.names.optional_string(rule.upstream_prefix.as_deref()),
            }),
            RegistryChange::CacheRuleDeleted(prefix) => {
                RegistryFact::CacheDeleted { prefix: self.names.string(prefix) }
            }
        }
    }

    fn copy_rule(&mut self, rule: &model::ReplicationRule<'_>) -> CopyRule {
        let destinations = rule
            .destinations
            .iter()
            .map(|(region, registry)| (self.names.string(region), self.names.string(registry)));
        CopyRule {
            destinations: destinations.collect(),
            prefixes: self.strings(&rule.prefixes),
            deletes: rule.deletes,
        }
    }

    fn template(&mut self, template: &model::Template<'_>) -> TemplateFact {
        let mutability = template.mutability.as_ref().map(|mutability| self.mutability(mutability));
        let policy = template.lifecycle_policy.as_deref();
        TemplateFact {
            prefix: self.names.string(&template.prefix),
            whole: template.whole,
            applied_for: template.applied_for.as_ref().map(|words| self.strings(words)),
            policy: policy.map(|text| {
                if text.trim().is_empty() { PolicyNo::NONE } else { self.names.policy(text, Wording::Put) }
            }),
            mutability: mutability.as_ref().map(|mutability| mutability.setting),
            exclusions: mutability.map(|mutability| mutability.exclusions),
        }
    }

    fn run(&mut self, run: &PolicyRun<'_>) -> Run {
        let rules = serde_json::to_string(&run.rules).unwrap_or_default();
        let number = self.names.policy(&rules, Wording::Stated);
        let policy = std::sync::Arc::clone(self.names.policy_of(number));
        let images = run.images.iter().map(|image| self.run_image(image, &policy)).collect();
        let failures = run.failures.iter().map(|failure| self.run_image(&failure.image, &policy)).collect();
        let evaluated_before = run.evaluated_before.map_or(i64::MIN, crate::model::Timestamp::millis);
        Run { policy: number, images, failures, evaluated_before }
    }

    fn previewed(&mut self, preview: &PolicyRun<'_>) -> Box<[Previewed]> {
        let images = preview.images.iter().chain(preview.failures.iter().map(|failure| &failure.image));
        let known = |image: &ImageRun<'_>| Previewed {
            digest: self.names.digest(image.digest),
            pushed_at: image.pushed_at.map_or(i64::MIN, crate::model::Timestamp::millis),
        };
        images.map(known).collect()
    }

    fn run_image(&mut self, image: &ImageRun<'_>, policy: &Policy) -> RunImage {
        let rule = image.rule_priority.and_then(|priority| policy.rule(priority));
        let for_untagged = || rule.is_some_and(|rule| rule.tags == Tags::Untagged);
        let untagged = match image.tag_status.as_deref() {
            Some(status) if status.eq_ignore_ascii_case("untagged") => true,
            Some(status) if status.eq_ignore_ascii_case("tagged") => false,
            _ => image.tags.is_empty() && (image.has_tag_list || for_untagged()),
        };
        RunImage {
            digest: self.names.digest(image.digest),
            // A run's event that states no rule is from the time before archiving, when all rules expired
            // images.
            action: rule.map_or(LifecycleAction::Expire, |rule| rule.action),
            rule_priority: image.rule_priority.unwrap_or(-1),
            tag_status: self.names.optional_string(image.tag_status.as_deref()),
            untagged,
            tags: image.tags.iter().map(|tag| self.names.string(tag)).collect(),
            pushed_at: image.pushed_at.map_or(i64::MIN, crate::model::Timestamp::millis),
        }
    }

    fn listing(&mut self, listing: &model::Listing<'_>) -> Listing {
        let images = listing.images.iter().map(|image| self.listed_image(image)).collect();
        Listing { images, whole: listing.whole, with_archived: listing.with_archived, dated: listing.dated }
    }

    fn listed_image(&mut self, image: &model::ListedImage<'_>) -> ListedImage {
        let seen = RunImage {
            digest: self.names.digest(image.digest),
            action: LifecycleAction::Unknown,
            rule_priority: -1,
            tag_status: Sym::NONE,
            untagged: image.tags.is_empty(),
            tags: self.strings(&image.tags),
            pushed_at: millis(image.pushed_at),
        };
        ListedImage {
            seen,
            pulled_at: millis(image.pulled_at),
            archived: image.archived,
            archived_at: millis(image.archived_at),
            media_type: self.names.optional_string(image.media_type.as_deref()),
            subject: self.names.optional_digest(image.subject),
            size_bytes: image.size_bytes,
        }
    }

    /// Every repository named so far: registry, region and name.
    pub fn places(&self) -> impl Iterator<Item = [&str; 3]> {
        self.names
            .repository_keys()
            .map(|key| [key.registry_id, key.region, key.name].map(|part| self.names.text(part)))
    }

    fn need(&mut self, need: &crate::model::Need<'_>, event: &Event<'_>) -> Need {
        Need {
            who: self.names.string(&need.who),
            source: self.names.optional_string(need.source.as_deref()),
            kind: need.kind,
            images: self.references(&need.images),
            through: need.through.iter().map(|definition| self.definition(definition, event)).collect(),
        }
    }

    fn references(&mut self, images: &[TaskImage<'_>]) -> Box<[Reference]> {
        images
            .iter()
            .map(|image| self.task_image(image))
            .filter(|reference| reference.image != Named::NONE)
            .collect()
    }

    fn task_image(&mut self, image: &TaskImage<'_>) -> Reference {
        let mut reference = match &image.reference {
            Some(reference) => self.reference(reference),
            None => Reference { repository: RepositoryNo::NONE, image: Named::NONE, cut: Sym::NONE },
        };
        if let Some(digest) = image.digest {
            reference.image.digest = self.names.digest(digest);
        }
        reference
    }

    fn reference(&mut self, reference: &ImageReference) -> Reference {
        // A reference without tag and digest means `latest`.
        let tag = reference.tag.as_deref().or_else(|| reference.digest.is_none().then_some("latest"));
        let image = Named {
            digest: reference.digest.map_or(DigestNo::NONE, |digest| self.names.digest(digest)),
            tag: self.names.optional_string(tag),
        };
        Reference {
            repository: self.names.repository(
                &reference.registry_id,
                &reference.region,
                &reference.repository,
            ),
            image,
            cut: Sym::NONE,
        }
    }

    /// The images that a stop reason says could not be pulled. ECS cuts reasons at a fixed length: the
    /// first digits of a cut digest may still identify the image, but the tag before it does not, because
    /// the tag may point to another image by now. If the reason is cut before it names an image, the
    /// container that gave the reason tells, or the task's only image.
    fn missing(&mut self, reason: &str, images: &[TaskImage<'_>]) -> Box<[Reference]> {
        let named = missing_images(reason);
        let whole = |image: &ImageReference, digits: &str| {
            let is_it = |other: &ImageReference| {
                let fits =
                    |digest: crate::model::Digest| digest.to_string()["sha256:".len()..].starts_with(digits);
                other.repository == image.repository
                    && other.registry_id == image.registry_id
                    && other.digest.is_some_and(fits)
            };
            named.iter().any(|(other, _)| is_it(other))
        };
        let mut missing = Vec::new();
        for (image, cut) in &named {
            match cut {
                None => missing.push(self.reference(image)),
                Some(digits) if digits.len() < CUT_DIGITS_MIN || whole(image, digits) => {}
                Some(digits) => {
                    let mut reference = self.reference(image);
                    reference.image.tag = self.names.optional_string(image.tag.as_deref());
                    reference.cut = self.names.string(digits);
                    missing.push(reference);
                }
            }
        }
        if missing.is_empty() && tells_of_a_pull(reason) {
            let failed: Vec<&TaskImage<'_>> =
                images.iter().filter(|image| image.failed || images.len() == 1).collect();
            let references = failed.into_iter().map(|image| self.task_image(image));
            return references
                .filter(|reference| reference.repository.is_some() && reference.image != Named::NONE)
                .collect();
        }
        missing.into_boxed_slice()
    }

    /// One spelling for a task definition, its ARN: `family:revision` and `family` are in the caller's
    /// account and region.
    fn definition(&mut self, name: &str, event: &Event<'_>) -> Sym {
        if name.starts_with("arn:") {
            return self.names.string(name);
        }
        let partition = crate::model::partition(&event.region);
        self.names.string(&format!(
            "arn:{partition}:ecs:{}:{}:task-definition/{name}",
            event.region, event.recipient_account
        ))
    }
}

/// Milliseconds since the epoch; `i64::MIN` for none.
fn millis(time: Option<model::Timestamp>) -> i64 {
    time.map_or(i64::MIN, model::Timestamp::millis)
}

/// The key that the two events of one call in two accounts' trails share: `sharedEventID` and event name,
/// and where that id is a placeholder, also the time.
fn shared_by(shared: &str, event: &Event<'_>) -> Identity {
    let time = if is_event_id(shared.as_bytes()) { String::new() } else { event.time.to_string() };
    Identity {
        id: fingerprint(shared.as_bytes()),
        rest: fingerprint(format!("{} {time}", event.name).as_bytes()),
    }
}

fn pull_outcome(failed: bool, code: Option<&str>) -> PullOutcome {
    const DENIALS: &[&str] = &["AccessDenied", "Unauthorized", "NotAuthorized", "Forbidden"];
    match code {
        Some(code) if code.to_ascii_lowercase().contains("kms") => PullOutcome::KeyRefused,
        Some(code) if DENIALS.iter().any(|denial| code.contains(denial)) => PullOutcome::Denied,
        Some(code) if code.contains("NotFound") => PullOutcome::Missing,
        _ if failed => PullOutcome::Failed,
        _ => PullOutcome::Answered,
    }
}

/// The kind of failure that a stop reason reports, whatever image it names.
fn stop_reason(reason: &str) -> StopReason {
    const MISSING: &[&str] = &[
        "not found",
        "NotFound",
        "manifest unknown",
        "no match for platform",
        "descriptor matching platform",
        "no matching manifest",
        "does not exist",
        "not exist",
    ];
    const DENIED: &[&str] =
        &["403", "Forbidden", "AccessDenied", "not authorized", "denied", "no basic auth"];
    let says = |words: &[&str]| words.iter().any(|word| reason.contains(word));
    match () {
        () if says(DENIED) => StopReason::Denied,
        () if says(MISSING) => StopReason::Missing,
        () => StopReason::Other,
    }
}

/// Fewer hex digits than this do not identify an image.
const CUT_DIGITS_MIN: usize = 6;

/// The references that a stop reason says could not be pulled. Reasons about something else (out of memory,
/// failed health check) may name an image as well, but do not count.
fn missing_images(reason: &str) -> Vec<(ImageReference, Option<String>)> {
    const MARKS: &[&str] = &["not found", "manifest unknown", "Forbidden"];
    let speaks = tells_of_a_pull(reason) || MARKS.iter().any(|mark| reason.contains(mark));
    if speaks { ImageReference::find_with_cuts(reason) } else { Vec::new() }
}

/// Whether a stop reason is about an image that could not be pulled, named or not.
fn tells_of_a_pull(reason: &str) -> bool {
    ["CannotPull", "pull image manifest", "failed to resolve ref", "ImagePull"]
        .iter()
        .any(|mark| reason.contains(mark))
}

/// Whether an entry of the response was requested by digest. A request with digest *and* tag is one for the
/// tag.
fn by_digest(removed: &ImageId<'_>, requested: &[ImageId<'_>]) -> bool {
    if removed.tag.is_none() {
        return true;
    }
    let tag_asked = requested.iter().any(|asked| asked.tag.is_some() && asked.tag == removed.tag);
    !tag_asked && requested.iter().any(|asked| asked.tag.is_none() && asked.digest == removed.digest)
}

/// The 128 bits of a UUID, if it is spelt in lower case as CloudTrail does, so that it prints exactly as it
/// was.
fn parse_uuid(text: &str) -> Option<[u8; 16]> {
    let text: &[u8; 36] = text.as_bytes().try_into().ok()?;
    let [.., b'-', _, _, _, _, b'-', _, _, _, _, b'-', _, _, _, _, b'-', _, _, _, _, _, _, _, _, _, _, _, _] =
        text
    else {
        return None;
    };
    let mut bytes = [0; 16];
    // Invalid digits are checked for once at the end: a branch for each digit would be slow.
    let mut digits = 0;
    for (byte, at) in bytes.iter_mut().zip([0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34]) {
        let (high, low) = (lower_hex(text[at]), lower_hex(text[at + 1]));
        digits |= high | low;
        *byte = high << 4 | low;
    }
    (digits <= 0xf).then_some(bytes)
}

/// The value of a lower-case hex digit; for every other byte a value above 15.
fn lower_hex(byte: u8) -> u8 {
    let (digit, letter) = (byte.wrapping_sub(b'0'), byte.wrapping_sub(b'a'));
    match (digit, letter) {
        (0..=9, _) => digit,
        (_, 0..=5) => letter + 10,
        _ => 0xff,
    }
}

/// The text of an id.
pub(super) fn id_text(id: EventId, names: &Names) -> String {
    match id {
        EventId::Other(sym) => names.text(sym).to_owned(),
        EventId::Uuid(bytes) => {
            let mut text = hex::encode(bytes);
            [8, 13, 18, 23].into_iter().for_each(|at| text.insert(at, '-'));
            text
        }
    }
}

/// Compares ids by their texts.
pub(super) fn compare_ids(a: EventId, b: EventId, names: &Names) -> std::cmp::Ordering {
    match (a, b) {
        (EventId::Uuid(a), EventId::Uuid(b)) => a.cmp(&b),
        (a, b) => id_text(a, names).cmp(&id_text(b, names)),
    }
}
