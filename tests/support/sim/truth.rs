//! What really happened, derived from the registry alone, without using the log.

use std::collections::BTreeSet;

use super::record::RepoId;
use super::registry::{Life, Loss, Repo};
use super::world::World;

/// The expected timeline of an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageTruth {
    pub repo: RepoId,
    pub digest: String,
    pub state: &'static str,
    pub tags: Vec<String>,
    pub lives: usize,
    pub pushed_at: u64,
    pub untagged_at: Option<u64>,
    pub gone_at: Option<u64>,
}

/// An image that lost its tag to another push and was then taken by the policy, as in the incident.
#[derive(Debug, Clone)]
pub struct PairTruth {
    pub repo: RepoId,
    pub tag: String,
    pub lost: String,
    pub kept: String,
    pub first: String,
    pub second: String,
    pub gap_seconds: u64,
    pub deletion: String,
    pub gone_at: u64,
    pub pulls_before: usize,
    pub pulls_while_untagged: usize,
    pub pulls_after_gone: usize,
    pub severity: &'static str,
}

/// What the logs must show.
#[derive(Debug, Clone, Default)]
pub struct Truth {
    pub images: Vec<ImageTruth>,
    /// The pairs of which both pushes are in the logs.
    pub pairs: Vec<PairTruth>,
    /// The pairs whose first push is before the logs: a reader may find them, but must not invent others.
    pub half_seen: Vec<PairTruth>,
    /// Images whose history depends on the order within a second, or whose repository has a gap or a history
    /// before the logs: (repository, digest).
    pub uncertain: BTreeSet<(RepoId, String)>,
}

impl Truth {
    pub fn of(world: &World) -> Self {
        let mut truth = Self::default();
        for (index, repo) in world.repos.iter().enumerate() {
            for (digest, lives) in &repo.lives {
                if !repo.certain
                    || lives[0].start < world.trail_start
                    || lives.iter().any(|life| life.silent || life.is_told)
                {
                    truth.uncertain.insert((repo.id.clone(), digest.clone()));
                }
                truth.images.push(image(repo, digest, lives));
                let (seen, half_seen) = pairs(world, index, digest, lives);
                truth.pairs.extend(seen);
                truth.half_seen.extend(half_seen);
            }
        }
        for group in world.same_second.iter().filter(|group| group.second >= world.trail_start) {
            truth.uncertain.extend(group.involved.iter().map(|digest| (group.repo.clone(), digest.clone())));
        }
        truth
    }
}

fn image(repo: &Repo, digest: &str, lives: &[Life]) -> ImageTruth {
    let life = &lives[lives.len() - 1];
    let state = match &life.gone {
        Some(gone) => gone.state,
        None if life.archived => "archived",
        None if life.tags.is_empty() => "untagged",
        None => "tagged",
    };
    let tags =
        life.gone.as_ref().map_or_else(|| life.tags.keys().cloned().collect(), |gone| gone.tags.clone());
    let gone_at = life.gone.as_ref().map(|gone| gone.at.second);
    ImageTruth {
        repo: repo.id.clone(),
        digest: digest.to_owned(),
        state,
        tags,
        lives: lives.len(),
        pushed_at: life.start,
        untagged_at: life.untagged_at,
        gone_at,
    }
}

/// The pairs with both pushes in the logs, and those without the first.
fn pairs(world: &World, repo: usize, digest: &str, lives: &[Life]) -> (Vec<PairTruth>, Vec<PairTruth>) {
    let mut found = (Vec::new(), Vec::new());
    for (number, life) in lives.iter().enumerate() {
        let (Some(gone), Some(loss)) = (&life.gone, &life.loss) else { continue };
        if gone.state != "expired" || world.repos[repo].is_child_since(digest, loss.second.second) {
            continue;
        }
        let next_start = lives.get(number + 1).map_or(u64::MAX, |next| next.start);
        let count =
            |from: u64, to: u64| life.pulls.iter().filter(|pull| (from..to).contains(&pull.second)).count();
        let gap_seconds = loss.second.second - loss.first.second;
        let mut pair = PairTruth {
            repo: world.repos[repo].id.clone(),
            tag: loss.tag.clone(),
            lost: digest.to_owned(),
            kept: loss.kept.clone(),
            first: loss.first.event.clone(),
            second: loss.second.event.clone(),
            gap_seconds,
            deletion: gone.at.event.clone(),
            gone_at: gone.at.second,
            pulls_before: count(0, loss.second.second),
            pulls_while_untagged: count(loss.second.second, gone.at.second),
            pulls_after_gone: count(gone.at.second, u64::MAX),
            severity: "low",
        };
        pair.severity = severity(world, repo, life, loss, &pair, next_start);
        let list = if loss.first.second < world.trail_start { &mut found.1 } else { &mut found.0 };
        list.push(pair);
    }
    found
}

fn severity(
    world: &World,
    repo: usize,
    life: &Life,
    loss: &Loss,
    pair: &PairTruth,
    next_start: u64,
) -> &'static str {
    let pinned_at = |second: u64| {
        world.services.iter().filter(|service| service.repo == repo).any(|service| {
            let latest = service.deployments.iter().rfind(|deployment| deployment.second < second);
            latest.is_some_and(|latest| {
                latest.second >= world.trail_start && latest.pins.as_deref() == Some(&pair.lost)
            })
        })
    };
    // A function keeps running from its own copy, so its need does not count yet.
    let kept_at = |second: u64| {
        world.functions.iter().filter(|function| function.repo == repo).any(|function| {
            let latest = function.deployments.iter().rfind(|deployment| deployment.second < second);
            latest.is_some_and(|latest| {
                latest.second >= world.trail_start && latest.pins.as_deref() == Some(&pair.lost)
            })
        })
    };
    // If one push moved an index's tag to one of its own images, it is not a race.
    let is_by_child = world.repos[repo].manifests[&pair.lost].children.contains(&pair.kept);
    let untagged = loss.second.second..pair.gone_at;
    let used_untagged = life.pulls.iter().any(|pull| pull.by_digest && untagged.contains(&pull.second));
    if pair.pulls_after_gone > 0
        || life.stops.iter().any(|stop| *stop >= pair.gone_at)
        || pinned_at(next_start)
    {
        "critical"
    } else if used_untagged
        || !life.stops.is_empty()
        || pinned_at(pair.gone_at)
        || kept_at(pair.gone_at)
        || kept_at(next_start)
    {
        "high"
    } else if pair.gap_seconds <= 600 && !is_by_child {
        "medium"
    } else {
        "low"
    }
}
