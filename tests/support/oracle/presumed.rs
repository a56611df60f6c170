//! Ends without an event: replicas are deleted with their sources if deletions are replicated, and artifacts
//! a day after their subjects.

use super::fold::{Archived, Cause, Folded, Gone, Image, Life};
use super::meaning::Repo;
use super::tags::Turn;

const DAY: u64 = 86_400;

/// The most likely end of an image, and the reason.
#[derive(Debug, Clone)]
pub struct Presumed {
    pub kind: &'static str,
    pub time: u64,
    /// The event that removed what the image depends on, and the rule behind it.
    pub cause: Cause,
    pub rule_priority: Option<i64>,
}

/// Whether it existed at that time, and no event has shown it since.
fn is_silent(image: &Image, time: u64) -> bool {
    let Some(life) = image.lives.last() else { return false };
    let there = life.known
        && life.gone.is_none()
        && !life.is_archived()
        && life.pushed_at.is_none_or(|pushed| pushed <= time);
    there && image.presumed.is_none() && image.shown <= time
}

/// The repositories to which deletions in `repo` are replicated at that time.
fn reaches(folded: &Folded, repo: &Repo, time: u64) -> Vec<Repo> {
    let configurations = folded.replication.get(&(repo.0.clone(), repo.1.clone()));
    let Some((_, rules)) = configurations.and_then(|list| list.iter().rfind(|(since, _)| *since <= time))
    else {
        return Vec::new();
    };
    let rules = rules.iter().filter(|rule| rule.deletes && rule.is_for(repo));
    rules
        .flat_map(|rule| {
            rule.destinations
                .iter()
                .map(|(account, region)| Repo(account.clone(), region.clone(), repo.2.clone()))
        })
        .collect()
}

pub fn conclude(folded: &mut Folded) {
    take_tags(folded);
    let ends = copies(folded);
    for (repo, digest, presumed) in ends {
        if let Some(image) =
            folded.repositories.get_mut(&repo).and_then(|repository| repository.images.get_mut(&digest))
        {
            image.presumed.get_or_insert(presumed);
        }
    }
    // There may be signatures of signatures.
    for _ in 0..4 {
        for (repo, digest, presumed) in artifacts(folded) {
            if let Some(image) =
                folded.repositories.get_mut(&repo).and_then(|repository| repository.images.get_mut(&digest))
            {
                image.presumed.get_or_insert(presumed);
            }
        }
    }
}

/// A tag that a call removes at the source is also removed from the replica, which keeps its other tags.
fn take_tags(folded: &mut Folded) {
    let mut removals: Vec<(Repo, String, Turn)> = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (tag, turns) in &repository.turns {
            for turn in turns.iter().filter(|turn| turn.how == "removed") {
                removals.extend(
                    reaches(folded, repo, turn.time)
                        .into_iter()
                        .map(|copy| (copy, tag.clone(), turn.clone())),
                );
            }
        }
    }
    for (copy, tag, turn) in removals {
        let Some(repository) = folded.repositories.get_mut(&copy) else { continue };
        let Some(digest) = turn.was_on.clone().filter(|digest| repository.tags.get(&tag) == Some(digest))
        else {
            continue;
        };
        let Some(life) = repository.images.get_mut(&digest).and_then(|image| image.lives.last_mut()) else {
            continue;
        };
        let given = life
            .tags
            .get(&tag)
            .is_some_and(|given| given.as_ref().is_none_or(|given| given.time <= turn.time));
        if given && life.tags.len() > 1 {
            life.tags.remove(&tag);
            repository.tags.remove(&tag);
            let pulls = repository.images[&digest].answered.iter();
            let later = pulls
                .filter(|asked| {
                    !asked.by_digest
                        && asked.tag.as_deref() == Some(&tag)
                        && asked.needs
                        && asked.cause.time > turn.time
                })
                .count();
            repository.turns.entry(tag).or_default().push(Turn { pulls: later, ..turn });
        }
    }
}

fn copies(folded: &Folded) -> Vec<(Repo, String, Presumed)> {
    let mut ends = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (digest, image) in &repository.images {
            let gone = image
                .lives
                .iter()
                .filter_map(|life| life.gone.as_ref())
                .filter(|gone| gone.state != "repository_deleted");
            for Gone { cause, run, .. } in gone {
                for copy in reaches(folded, repo, cause.time) {
                    let other =
                        folded.repositories.get(&copy).and_then(|repository| repository.images.get(digest));
                    if other.is_some_and(|other| is_silent(other, cause.time)) {
                        let rule_priority = run.as_ref().and_then(|run| run.rule_priority);
                        let presumed = Presumed {
                            kind: "replicated-deletion",
                            time: cause.time,
                            cause: cause.clone(),
                            rule_priority,
                        };
                        ends.push((copy, digest.clone(), presumed));
                    }
                }
            }
        }
    }
    ends.sort_by_key(|(.., presumed)| presumed.time);
    ends
}

/// How an image was removed finally, or archived until now.
fn end(image: &Image) -> Option<Presumed> {
    if let Some(presumed) = &image.presumed {
        return Some(presumed.clone());
    }
    let life: &Life = image.lives.last()?;
    if let Some(Gone { state, cause, run }) = &life.gone {
        let kind = match *state {
            "expired" => "expired-untagged",
            "deleted" => "deleted-by-call",
            _ => return None,
        };
        return Some(Presumed {
            kind,
            time: cause.time,
            cause: cause.clone(),
            rule_priority: run.as_ref().and_then(|run| run.rule_priority),
        });
    }
    let Archived { cause, rule_priority, .. } = life.archives.last().filter(|stay| stay.until.is_none())?;
    Some(Presumed { kind: "archived", time: cause.time, cause: cause.clone(), rule_priority: *rule_priority })
}

fn artifacts(folded: &Folded) -> Vec<(Repo, String, Presumed)> {
    let mut ends = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (digest, image) in &repository.images {
            let subject = image.subject.as_ref().and_then(|subject| repository.images.get(subject));
            if let Some(presumed) = subject.and_then(end).filter(|end| is_silent(image, end.time)) {
                ends.push((repo.clone(), digest.clone(), Presumed { time: presumed.time + DAY, ..presumed }));
            }
        }
    }
    ends
}
