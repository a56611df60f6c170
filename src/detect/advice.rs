//! What to do about a loss: depends on how the image went, on who needs it and by which name, and on what
//! is left of it.
//!
//! What cannot work is never advised: forcing a new deployment of a definition that names the lost digest,
//! deploying a tag that is gone, raising a limit that has been raised already. Commands name the cluster,
//! service, function and repository in question.

mod again;
mod gather;
mod shell;
#[cfg(test)]
mod tests;
mod who;

pub use gather::{About, of_displaced, of_loss, of_loss_with, of_question};
pub use shell::{Shell, quoted};
pub use who::{Who, partition_region};

use crate::model::Digest;

/// How an image was lost, or will be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lost {
    /// Its tag moved to another image, and then a lifecycle rule took it.
    TagMoved,
    /// Its tag moved, and the image is still there.
    AtRisk,
    /// A lifecycle rule took it while it had tags.
    Tagged(Measure),
    /// A lifecycle rule took it; it never had a tag in this repository.
    Untagged,
    /// A call deleted it, or its last tag.
    Deleted,
    RepositoryDeleted,
    /// A snapshot's list of the repository does not have it, and no log says what took it.
    NotListed,
    Archived(Restore),
    /// A copy made by replication, taken by a lifecycle policy of the repository that it was copied to.
    Replica,
    /// A copy made by a pull-through cache.
    CacheCopy,
    /// An index that is gone listed it.
    Child,
}

/// The criterion of a rule: the number of images, or their age.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    Count,
    Age,
    Unknown,
}

/// Whether the image is being restored from the archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Restore {
    NotAsked,
    UnderWay,
}

/// The name by which something asks for the image.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pin {
    /// The digest, as the definition states it.
    Digest,
    /// The digest, though the definition may name a tag which was resolved to it.
    Unknown,
    Tag(String),
}

/// One party that needs the image, and the name by which it asks.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Needed {
    pub who: Who,
    pub pin: Pin,
}

/// Where a tag points at the end of the logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagNow {
    Gone,
    /// To another image, which is there.
    On(Digest),
}

/// Everything that the advice depends on.
#[derive(Debug, Clone)]
pub struct Situation {
    pub registry_id: String,
    pub region: String,
    pub repository: String,
    pub digest: Digest,
    pub lost: Lost,
    pub needed: Vec<Needed>,
    /// Where its tags point now, and other tags that somebody names; the most important first.
    pub tags: Vec<(String, TagNow)>,
    /// The image is there again.
    pub is_back: bool,
    /// The repository was deleted and created again.
    pub recreated: bool,
    /// What those who needed the image have done about it already, as sentences.
    pub done: Vec<String>,
    /// Another repository that has the same digest: registry, region and name.
    pub copy: Option<(String, String, String)>,
    /// Two different pipelines pushed the tag.
    pub two_pushers: bool,
    pub policy: PolicySince,
}

/// What became of the lifecycle policy after the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PolicySince {
    Same,
    /// Changed, and a rule would still take what was lost.
    Changed,
    /// Changed: a rule of its own keeps these tags now.
    Protects,
}

/// What to do first, followed by what keeps the loss from happening again.
pub fn advice(situation: &Situation) -> Vec<String> {
    [advice_for_now(situation), situation.prevention()].concat()
}

/// What to do first.
fn advice_for_now(situation: &Situation) -> Vec<String> {
    if situation.is_back {
        vec!["The image came back later: it can be pulled now.".to_owned()]
    } else {
        situation.first_aid()
    }
}

impl Situation {
    /// `111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api`.
    fn uri(&self) -> String {
        uri(&self.registry_id, &self.region, &self.repository)
    }

    fn ecr(&self, call: &str) -> Shell {
        let shell = Shell::new(&format!("aws ecr {call}")).option("region", &self.region);
        shell.option("registry-id", &self.registry_id).option("repository-name", &self.repository)
    }

    /// An image that has one of its tags now, and that tag.
    fn successor(&self) -> Option<(&str, Digest)> {
        self.tags.iter().find_map(|(tag, now)| {
            if let TagNow::On(digest) = now { Some((tag.as_str(), *digest)) } else { None }
        })
    }

    fn first_aid(&self) -> Vec<String> {
        match self.lost {
            Lost::Archived(Restore::NotAsked) => {
                vec![format!("Restore it (up to about 20 minutes): `{}`.", self.restore())]
            }
            Lost::Archived(Restore::UnderWay) => {
                vec![
                    "A restore was asked for and is not done by the end of the logs: wait for it, up to about \
                     20 minutes (ImageActivationEvent tells)."
                        .to_owned(),
                ]
            }
            Lost::AtRisk => self.keep().into_iter().chain(self.deploy_anew()).collect(),
            _ if self.needed.is_empty() => self.done.clone(),
            _ => {
                let anew = [self.done.clone(), self.deploy_anew()].concat();
                if self.all_resolve() {
                    return anew;
                }
                // Users of the tag have been advised to push it again; that is not repeated.
                let is_said = |command: &str| anew.iter().any(|sentence| sentence.contains(command));
                let back = self.bring_back();
                let back = Some(back).filter(|back| !back.split('`').nth(1).is_some_and(is_said));
                anew.into_iter().chain(back).collect()
            }
        }
    }

    fn restore(&self) -> String {
        let id = format!("imageDigest={}", self.digest);
        self.ecr("update-image-storage-class")
            .option("image-id", &id)
            .option("target-storage-class", "STANDARD")
            .to_text()
    }

    /// Advice to tag the image: rules for untagged images leave tagged ones alone.
    fn keep(&self) -> Vec<String> {
        let tag = format!("keep-{}", &self.digest.short()["sha256:".len()..]);
        let put = retag([&self.registry_id, &self.region, &self.repository], self.digest, &tag);
        vec![format!("Give it a tag now, before the next lifecycle run, if anything refers to it: `{put}`.")]
    }

    /// How to bring back the image under the same digest.
    fn bring_back(&self) -> String {
        let target = match self.tags.first() {
            Some((tag, TagNow::Gone)) => format!("{}:{tag}", self.uri()),
            _ => format!("{}:restored-{}", self.uri(), &self.digest.short()["sha256:".len()..]),
        };
        if let Some((registry, region, repository)) = &self.copy {
            let source = format!("docker://{}@{}", uri(registry, region, repository), self.digest);
            let copy = Shell::new("skopeo copy --all --preserve-digests")
                .argument(&source)
                .argument(&format!("docker://{target}"));
            return format!(
                "The same digest is in {repository} ({registry}, {region}): copy it back with `{}`.",
                copy.to_text()
            );
        }
        match self.lost {
            Lost::RepositoryDeleted if self.recreated => {
                "The repository was created anew, and was empty then: push what is deployed from it again, \
                 from a build or a copy elsewhere."
                    .to_owned()
            }
            Lost::RepositoryDeleted => {
                let create = Shell::new("aws ecr create-repository")
                    .option("region", &self.region)
                    .option("repository-name", &self.repository);
                format!(
                    "Create the repository again (`{}`), and push what is deployed from it, from a build or a \
                     copy elsewhere.",
                    create.to_text()
                )
            }
            Lost::CacheCopy => self.fetched_anew(),
            Lost::Replica => {
                "Copy it again from its source registry (or push a new tag there: replication copies what is \
                 pushed, and nothing older)."
                    .to_owned()
            }
            Lost::Child => "Push the multi-architecture image again, as a whole.".to_owned(),
            _ => format!(
                "Or push the very same image again, where a host or a build cache still has it (a new build \
                 has another digest): `{}`.",
                Shell::new("docker push").argument(&target).to_text()
            ),
        }
    }

    /// A cache fetches what upstream has: the image by its digest, and under a tag what the tag is on now.
    fn fetched_anew(&self) -> String {
        let image = Shell::new("docker pull").argument(&format!("{}@{}", self.uri(), self.digest));
        let by_tag = match self.tags.first() {
            Some((tag, TagNow::Gone)) => format!(
                "; `{}` brings what upstream has under the tag now",
                Shell::new("docker pull").argument(&format!("{}:{tag}", self.uri())).to_text()
            ),
            _ => String::new(),
        };
        format!(
            "Pull it again through the cache, by its digest: it is fetched anew while upstream still has it \
             (`{}`){by_tag}.",
            image.to_text()
        )
    }

    /// What keeps it from happening again.
    fn prevention(&self) -> Vec<String> {
        let mut list: Vec<String> = Vec::new();
        if self.policy != PolicySince::Same
            && matches!(self.lost, Lost::Tagged(_) | Lost::Untagged | Lost::TagMoved)
        {
            list.push(
                "The lifecycle policy was changed after the loss: that brings nothing back.".to_owned(),
            );
        }
        match self.lost {
            Lost::TagMoved | Lost::AtRisk if self.two_pushers => {
                list.push("Let one pipeline push a tag, or give every build a tag of its own.".to_owned())
            }
            Lost::TagMoved | Lost::AtRisk => list.push("Give every build a tag of its own.".to_owned()),
            Lost::Tagged(_) if self.policy == PolicySince::Protects => {}
            Lost::Tagged(Measure::Count) => {
                list.push("Give each service a repository, or a rule with a prefix, of its own, so that \
                    another's pushes do not count against it; or protect what is deployed by a rule of higher \
                    priority that matches its tags.".to_owned());
            }
            Lost::Tagged(_) => {
                list.push(
                    "Protect tags that are deployed or promoted by a rule of their own, of higher priority: \
                     age counts from the first push, and a new tag does not refresh it."
                        .to_owned(),
                );
            }
            Lost::Untagged => list.push(
                "Give what is deployed by its digest a tag of its own, or exempt it from rules for untagged \
                 images."
                    .to_owned(),
            ),
            Lost::Deleted => list.push(
                "Find out what deleted it, and let clean-up jobs ask what is deployed before they delete."
                    .to_owned(),
            ),
            Lost::RepositoryDeleted => {
                list.push("Deny ecr:DeleteRepository where images are deployed from.".to_owned())
            }
            Lost::Replica => list.push(
                "Let the copy's lifecycle policy keep what is deployed from it: policies are not replicated."
                    .to_owned(),
            ),
            Lost::NotListed => list.push(
                "Find out what took it: read the trail of the time between its push and that list, with its \
                 lifecycle events; until then the same can happen again."
                    .to_owned(),
            ),
            Lost::Archived(_) | Lost::CacheCopy | Lost::Child => {}
        }
        list
    }
}

/// The command that tags an image that exists. `$(…)` drops the newline at the end of the manifest; with it
/// the manifest would have another digest.
pub fn retag([registry_id, region, repository]: [&str; 3], digest: Digest, tag: &str) -> String {
    let ecr = |call: &str| {
        Shell::new(&format!("aws ecr {call}"))
            .option("region", region)
            .option("registry-id", registry_id)
            .option("repository-name", repository)
    };
    let manifest = ecr("batch-get-image").option("image-ids", &format!("imageDigest={digest}"));
    let manifest = manifest.raw("--query 'images[0].imageManifest' --output text").to_text();
    let put = ecr("put-image").option("image-tag", tag).option("image-digest", &digest.to_string());
    put.raw(&format!("--image-manifest \"$({manifest})\"")).to_text()
}

/// A repository's URI, as clients name it.
pub fn uri(registry_id: &str, region: &str, repository: &str) -> String {
    let suffix = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
    format!("{registry_id}.dkr.ecr.{region}.{suffix}/{repository}")
}
