//! A log written by hand, for tests: who pushed, pulled and expired what, second by second.

use std::borrow::Cow;

use crate::decode::fingerprint;
use crate::detect::{Settings, findings};
use crate::model::{
    Action, AlreadyExists, Digest, Event, Filter, Finding, FindingKind, Identity, ImageDescription, ImageId,
    ImageRun, LifecycleRule, ManifestKind, Order, PolicyRun, Push, PushOrigin, Recognized, Refusal,
    RepositoryRef, RunFailure, Timeline, Timestamp,
};
use crate::timeline::{Fold, History, Scenario, Simulation};

/// What identifies a finding: kind, lost digest, kept digest, gap, order.
pub type Pair = (FindingKind, Digest, Option<Digest>, Option<i64>, Order);

/// The identity of an event with this id.
pub fn identity(id: &str) -> Identity {
    Identity { id: fingerprint(id.as_bytes()), rest: 0 }
}

/// A log being written: every event is one second after the previous one unless told otherwise.
#[derive(Default)]
pub struct Log {
    pub events: Vec<Recognized<'static>>,
    now: i64,
}

pub const START: i64 = 1_772_445_600;

pub fn digest(n: u8) -> Digest {
    Digest::of_manifest(&format!("manifest {n}"))
}

/// Platforms of the children of an index, in order.
const PLATFORMS: &[&str] = &["linux/amd64", "linux/arm64"];

impl Log {
    pub fn at(&mut self, second: i64) -> &mut Self {
        self.now = second - 1;
        self
    }

    pub fn same_second(&mut self) -> &mut Self {
        self.now -= 1;
        self
    }

    pub fn add(&mut self, name: &'static str, action: Action<'static>) -> &mut Self {
        self.now += 1;
        let id = format!("{:08x}-0000-4000-8000-000000000000", self.events.len());
        let identity = identity(&id);
        let event = Event {
            id: Cow::Owned(id),
            identity,
            shared_id: None,
            time: Timestamp::from_millis((START + self.now) * 1000),
            name: Cow::Borrowed(name),
            recipient_account: Cow::Borrowed("111122223333"),
            region: Cow::Borrowed("eu-central-1"),
            actor: Some(Cow::Borrowed("arn:aws:sts::111122223333:assumed-role/ci/build")),
            source_ip: None,
            user_agent: None,
            invoked_by: None,
            error_code: None,
            read_only: Some(false),
            left_out: true,
            snapshot: false,
            addendum: None,
        };
        let repository = RepositoryRef {
            registry_id: "111122223333".into(),
            region: "eu-central-1".into(),
            name: "shop/api".into(),
        };
        self.events.push(Recognized { event, repository: Some(repository), action });
        self
    }

    pub fn push(&mut self, n: u8, tag: &'static str) -> &mut Self {
        self.push_image(n, Some(tag), &[])
    }

    pub fn push_image(&mut self, n: u8, tag: Option<&'static str>, children: &[u8]) -> &mut Self {
        let kind = if children.is_empty() { ManifestKind::Image } else { ManifestKind::Index };
        let platforms = PLATFORMS
            .iter()
            .map(|name| Some((*name).to_owned()))
            .chain(std::iter::repeat(None))
            .take(children.len())
            .collect();
        let children = children.iter().map(|child| digest(*child)).collect();
        let manifest = Some(ImageDescription {
            media_type: None,
            kind,
            children,
            platforms,
            subject: None,
            layers: Vec::new(),
        });
        let push = Push {
            digest: digest(n),
            tag: tag.map(Cow::Borrowed),
            origin: PushOrigin::Client,
            manifest,
            digest_mismatch: false,
        };
        self.add("PutImage", Action::Push(push))
    }

    pub fn already_exists(&mut self, n: u8, tag: &'static str) -> &mut Self {
        let proves = Some(AlreadyExists { digest: digest(n), tag: tag.into() });
        let refusal = Refusal {
            code: "ImageAlreadyExistsException".into(),
            digest: Some(digest(n)),
            tag: Some(tag.into()),
            proves,
        };
        self.add("PutImage", Action::PushFailed(refusal))
    }

    pub fn expire(&mut self, n: u8, tags: &[&'static str]) -> &mut Self {
        self.run(n, tags, "expire", None)
    }

    pub fn run(
        &mut self,
        n: u8,
        tags: &[&'static str],
        action: &'static str,
        pushed_at: Option<i64>,
    ) -> &mut Self {
        let rule = LifecycleRule {
            priority: 1,
            description: Some("clean up".into()),
            action: action.into(),
            tag_status: Some("Untagged".into()),
            tag_prefix_list: Vec::new(),
            tag_pattern_list: Vec::new(),
            count_type: Some("Time since image pushed".into()),
            count_unit: Some("Days".into()),
            count_number: Some(1),
            storage_class: None,
        };
        let status = if tags.is_empty() { "Untagged" } else { "Tagged" };
        let image = ImageRun {
            digest: digest(n),
            rule_priority: Some(1),
            tag_status: Some(status.into()),
            tags: tags.iter().map(|tag| Cow::Borrowed(*tag)).collect(),
            has_tag_list: true,
            pushed_at: pushed_at.map(|second| Timestamp::from_millis((START + second) * 1000)),
        };
        self.add(
            "PolicyExecutionEvent",
            Action::PolicyRun(PolicyRun {
                rules: vec![rule],
                images: vec![image],
                failures: Vec::new(),
                evaluated_before: None,
                illegible: false,
            }),
        )
    }

    pub fn policy(&mut self, rules: &serde_json::Value) -> &mut Self {
        self.add(
            "PutLifecyclePolicy",
            Action::PutLifecyclePolicy { text: serde_json::json!({"rules": rules}).to_string().into() },
        )
    }

    /// A run with one rule, which took some images and failed to take others, each with its tags.
    pub fn whole_run(
        &mut self,
        rule: LifecycleRule<'static>,
        took: &[(u8, &[&'static str])],
        failed: &[(u8, &[&'static str])],
    ) -> &mut Self {
        let image = |(n, tags): &(u8, &[&'static str])| ImageRun {
            digest: digest(*n),
            rule_priority: Some(rule.priority),
            tag_status: Some(if tags.is_empty() { "Untagged".into() } else { "Tagged".into() }),
            tags: tags.iter().map(|tag| Cow::Borrowed(*tag)).collect(),
            has_tag_list: true,
            pushed_at: None,
        };
        let refused =
            |one: &(u8, &[&'static str])| RunFailure { image: image(one), code: None, parents: Vec::new() };
        let (images, failures) = (took.iter().map(image).collect(), failed.iter().map(refused).collect());
        self.add(
            "PolicyExecutionEvent",
            Action::PolicyRun(PolicyRun {
                rules: vec![rule],
                images,
                failures,
                evaluated_before: None,
                illegible: false,
            }),
        )
    }

    /// The history with a simulation whose logs end `days` after the start.
    pub fn simulating(&self, scenario: &Scenario, days: i64) -> History {
        let end = Some(Timestamp::from_millis((START + days * 86_400) * 1000));
        self.fold().finish_simulating(&Filter::default(), Some(Simulation { scenario, end }))
    }

    pub fn delete(
        &mut self,
        requested: (Option<u8>, Option<&'static str>),
        removed: &[(u8, Option<&'static str>)],
    ) -> &mut Self {
        let id = |n: Option<u8>, tag: Option<&'static str>| ImageId {
            digest: n.map(digest),
            tag: tag.map(Cow::Borrowed),
        };
        let removed = removed.iter().map(|(n, tag)| id(Some(*n), *tag)).collect();
        let requested = vec![id(requested.0, requested.1)];
        self.add(
            "BatchDeleteImage",
            Action::Delete { removed, requested, failures: Vec::new(), illegible: false },
        )
    }

    pub fn pull(&mut self, n: Option<u8>, tag: Option<&'static str>) -> &mut Self {
        let image = ImageId { digest: n.map(digest), tag: tag.map(Cow::Borrowed) };
        self.add("BatchGetImage", Action::Pull { images: vec![image], failed: false })
    }

    pub fn history(&self) -> History {
        self.fold().finish(&Filter::default())
    }

    fn fold(&self) -> Fold {
        let mut fold = Fold::default();
        for (index, recognized) in self.events.iter().enumerate() {
            fold.absorb(recognized, "object", index as u64);
        }
        fold
    }

    pub fn image(&self, n: u8) -> Timeline {
        self.history().timelines().find(|timeline| timeline.digest == digest(n)).unwrap()
    }

    pub fn findings(&self) -> Vec<Finding> {
        findings(&self.history(), Settings { race_window_seconds: 600 })
    }

    /// `(kind, lost, kept, gap, order)` of each finding.
    pub fn pairs(&self) -> Vec<Pair> {
        let mut pairs: Vec<_> = self
            .findings()
            .into_iter()
            .map(|finding| {
                (
                    finding.kind,
                    finding.lost.digest.unwrap_or(Digest::ZERO),
                    finding.kept.digest,
                    finding.gap_seconds,
                    finding.order,
                )
            })
            .collect();
        pairs.sort();
        pairs
    }
}
