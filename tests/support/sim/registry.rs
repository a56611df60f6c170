//! The true state of ECR: which image has each tag, and every life of every image. Results from the logs are
//! compared with it.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::Manifest;
use super::policy::{Candidate, Policy};
use super::record::RepoId;

/// How an image lost the last of its tags to another push.
#[derive(Debug, Clone)]
pub struct Loss {
    pub tag: String,
    /// The push that gave it this tag.
    pub first: Stamp,
    /// The push that took it away.
    pub second: Stamp,
    pub kept: String,
}

/// An event and its second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stamp {
    pub event: String,
    pub second: u64,
}

#[derive(Debug, Clone)]
pub struct Gone {
    /// The state in a timeline: `expired`, `deleted`, `repository_deleted`.
    pub state: &'static str,
    pub at: Stamp,
    pub tags: Vec<String>,
}

#[derive(Debug, Clone)]
pub struct Pull {
    pub second: u64,
    pub by_digest: bool,
}

/// A period during which a tag was on an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TagSpan {
    pub tag: String,
    pub digest: String,
    pub from: u64,
    /// When it ended, and how, in the words of a timeline.
    pub until: Option<(u64, &'static str)>,
}

/// The time from a push to the end of the image, or of the world.
#[derive(Debug, Clone)]
pub struct Life {
    pub start: u64,
    /// The current tags, each with the push that set it.
    pub tags: BTreeMap<String, Stamp>,
    pub loss: Option<Loss>,
    pub untagged_at: Option<u64>,
    pub gone: Option<Gone>,
    pub archived: bool,
    /// When it was last restored from the archive.
    pub activated_at: Option<u64>,
    pub pulls: Vec<Pull>,
    /// Seconds at which a task's stop reason named it.
    pub stops: Vec<u64>,
    /// Whether it was removed, or will be, without an event of its own.
    pub silent: bool,
    /// Whether it is an artifact of something that will be removed without an event, and will follow that.
    pub is_told: bool,
}

/// One repository, existing or deleted.
#[derive(Debug, Clone)]
pub struct Repo {
    pub id: RepoId,
    pub exists: bool,
    pub tags: BTreeMap<String, String>,
    pub lives: BTreeMap<String, Vec<Life>>,
    /// The periods of all tags, over all lives of the repository.
    pub spans: Vec<TagSpan>,
    /// Times from which on it existed or did not.
    pub existence: Vec<(u64, bool)>,
    pub manifests: BTreeMap<String, Manifest>,
    pub policy: Option<Policy>,
    pub policy_id: String,
    pub policy_version: u64,
    pub evaluated_at_ms: u64,
    /// `None`: mutable. Otherwise immutable, except for tags with this prefix.
    pub immutable: Option<String>,
    pub last_second: u64,
    /// Children that the next run takes although their index exists, as users have reported.
    pub unguarded: BTreeSet<String>,
    /// False after the log has left something out: from then on truth and logs may differ.
    pub certain: bool,
    pub releases: u64,
}

impl Repo {
    pub fn new(id: RepoId) -> Self {
        Self {
            id,
            exists: false,
            tags: BTreeMap::new(),
            lives: BTreeMap::new(),
            spans: Vec::new(),
            existence: Vec::new(),
            manifests: BTreeMap::new(),
            policy: None,
            policy_id: String::new(),
            policy_version: 0,
            evaluated_at_ms: 0,
            immutable: None,
            last_second: 0,
            unguarded: BTreeSet::new(),
            certain: true,
            releases: 0,
        }
    }

    pub fn alive(&self, digest: &str) -> Option<&Life> {
        self.lives.get(digest)?.last().filter(|life| life.gone.is_none())
    }

    pub fn last_life(&mut self, digest: &str) -> Option<&mut Life> {
        self.lives.get_mut(digest)?.last_mut()
    }

    /// Whether a pull of the digest would find it.
    pub fn pullable(&self, digest: &str) -> bool {
        self.alive(digest).is_some_and(|life| !life.archived)
    }

    pub fn refuses(&self, tag: &str) -> bool {
        self.immutable.as_deref().is_some_and(|excluded| excluded.is_empty() || !tag.starts_with(excluded))
            && self.tags.contains_key(tag)
    }

    /// A successful PutImage.
    pub fn put(&mut self, manifest: &Manifest, tag: Option<&str>, at: &Stamp) {
        let digest = manifest.digest.clone();
        self.manifests.insert(digest.clone(), manifest.clone());
        if self.alive(&digest).is_none() {
            let life = Life {
                start: at.second,
                tags: BTreeMap::new(),
                loss: None,
                untagged_at: Some(at.second),
                gone: None,
                archived: false,
                activated_at: None,
                pulls: Vec::new(),
                stops: Vec::new(),
                silent: false,
                is_told: false,
            };
            self.lives.entry(digest.clone()).or_default().push(life);
        }
        let Some(tag) = tag else { return };
        if self.tags.get(tag) != Some(&digest) {
            self.end_span(tag, at.second, "moved");
            self.spans.push(TagSpan {
                tag: tag.to_owned(),
                digest: digest.clone(),
                from: at.second,
                until: None,
            });
        }
        if let Some(former) = self.tags.insert(tag.to_owned(), digest.clone())
            && former != digest
        {
            self.displace(&former, tag, manifest, at);
        }
        if let Some(life) = self.last_life(&digest) {
            life.tags.insert(tag.to_owned(), at.clone());
            life.loss = None;
            life.untagged_at = None;
        }
    }

    fn displace(&mut self, former: &str, tag: &str, taker: &Manifest, at: &Stamp) {
        let Some(life) = self.last_life(former) else { return };
        let Some(first) = life.tags.remove(tag) else { return };
        if life.tags.is_empty() {
            life.untagged_at = Some(at.second);
            life.loss =
                Some(Loss { tag: tag.to_owned(), first, second: at.clone(), kept: taker.digest.clone() });
        }
    }

    /// Removes the image with all its tags.
    pub fn remove(&mut self, digest: &str, state: &'static str, at: &Stamp) {
        let held: Vec<String> =
            self.tags.iter().filter(|(_, holder)| *holder == digest).map(|(tag, _)| tag.clone()).collect();
        let how = if state == "repository_deleted" { state } else { "lost_with_image" };
        held.iter().for_each(|tag| self.end_span(tag, at.second, how));
        self.tags.retain(|_, holder| holder != digest);
        if let Some(life) = self.last_life(digest) {
            let tags = life.tags.keys().cloned().collect();
            life.gone = Some(Gone { state, at: at.clone(), tags });
        }
    }

    /// `BatchDeleteImage` by tag: the image is deleted with its last tag.
    pub fn untag(&mut self, tag: &str, at: &Stamp) {
        let Some(digest) = self.tags.get(tag).cloned() else { return };
        self.end_span(tag, at.second, "removed");
        if self.alive(&digest).is_some_and(|life| life.tags.len() == 1) {
            self.remove(&digest, "deleted", at);
            return;
        }
        self.tags.remove(tag);
        if let Some(life) = self.last_life(&digest) {
            life.tags.remove(tag);
        }
    }

    fn end_span(&mut self, tag: &str, second: u64, how: &'static str) {
        if let Some(span) = self.spans.iter_mut().rfind(|span| span.tag == tag && span.until.is_none()) {
            span.until = Some((second, how));
        }
    }

    /// Whether the repository existed at `second`.
    pub fn existed(&self, second: u64) -> bool {
        self.existence.iter().rfind(|(since, _)| *since <= second).is_some_and(|(_, exists)| *exists)
    }

    pub fn delete_all(&mut self, at: &Stamp) {
        for digest in self.living() {
            self.remove(&digest, "repository_deleted", at);
        }
        self.exists = false;
        self.existence.push((at.second, false));
        self.policy = None;
        self.immutable = None;
    }

    pub fn living(&self) -> Vec<String> {
        self.lives.keys().filter(|digest| self.alive(digest).is_some()).cloned().collect()
    }

    /// Digests that existed once and do not any more.
    pub fn departed(&self) -> Vec<String> {
        self.lives.keys().filter(|digest| self.alive(digest).is_none()).cloned().collect()
    }

    /// Existing indexes that list the digest.
    pub fn parents(&self, digest: &str) -> Vec<String> {
        let lists = |parent: &String| {
            self.manifests
                .get(parent)
                .is_some_and(|manifest| manifest.children.iter().any(|child| child == digest))
        };
        self.living().into_iter().filter(lists).collect()
    }

    /// Whether an index that existed at `second` or later lists it: such an image is kept and removed with
    /// its index.
    pub fn is_child_since(&self, digest: &str, second: u64) -> bool {
        let lists = |manifest: &Manifest| manifest.children.iter().any(|child| child == digest);
        let lasts = |life: &Life| life.gone.as_ref().is_none_or(|gone| gone.at.second > second);
        self.lives
            .iter()
            .any(|(parent, lives)| self.manifests.get(parent).is_some_and(lists) && lives.iter().any(lasts))
    }

    /// The images that a lifecycle run considers: existing ones that are not archived.
    pub fn candidates(&self) -> Vec<Candidate> {
        let candidate = |digest: String| {
            let life = self.alive(&digest).filter(|life| !life.archived)?;
            Some(Candidate {
                tags: life.tags.keys().cloned().collect(),
                pushed_at: life.start,
                ranked_at: life.activated_at.unwrap_or(life.start),
                digest,
            })
        };
        self.living().into_iter().filter_map(candidate).collect()
    }
}
