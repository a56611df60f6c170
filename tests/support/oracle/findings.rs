//! What was lost, how, and whether anyone was affected.

use std::collections::BTreeSet;

use super::access::{self, Refusal};
use super::fold::{Archived, Cause, Failure, Folded, Gone, Image, Life, Loss, Repository};
use super::meaning::Repo;
use super::policy;

const RACE_WINDOW_SECONDS: u64 = 600;

/// The parts of a finding that the engine must agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: &'static str,
    pub severity: &'static str,
    pub repo: Repo,
    /// The tag that was lost last; for kinds without displacement, any of its tags.
    pub tags: Vec<String>,
    pub lost: String,
    pub kept: Option<String>,
    pub pushed_at: Option<u64>,
    pub untagged_at: Option<u64>,
    pub gone_at: Option<u64>,
    pub first: Option<String>,
    pub second: String,
    pub gap_seconds: Option<u64>,
    pub order: &'static str,
    pub deletion: Option<String>,
    pub rule_priority: Option<i64>,
    pub exposure_seconds: Option<u64>,
    pub pulls_before: usize,
    pub pulls_while_untagged: usize,
    pub pulls_after_gone: usize,
    pub principals: BTreeSet<String>,
    /// The number of additional pulls that only requests for layers indicate.
    pub layer_pulls: usize,
}

/// One life of an image, and its context.
struct Case<'f> {
    folded: &'f Folded,
    repo: &'f Repo,
    repository: &'f Repository,
    digest: &'f str,
    life: &'f Life,
    /// When the next life begins; `u64::MAX` if there is none.
    until: u64,
}

/// The time during which a pull cannot succeed; empty for an image that still exists.
#[derive(Clone, Copy)]
struct Absence {
    from: Option<u64>,
    until: u64,
}

pub fn find(folded: &Folded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (digest, image) in &repository.images {
            for (number, life) in image.lives.iter().enumerate() {
                let until = image.lives.get(number + 1).and_then(|next| next.start).unwrap_or(u64::MAX);
                let case = Case { folded, repo, repository, digest, life, until };
                findings.extend(case.judge());
                findings.extend(life.archives.iter().filter_map(|stay| case.archived(stay)));
            }
            findings.extend(unexplained(folded, repo, repository, digest, image));
            findings.extend(access::find(folded, repo, repository, digest, image));
            findings.extend(presumed(folded, repo, repository, digest, image));
            findings.extend(one_platform(folded, repo, repository, digest, image));
        }
    }
    findings
}

impl Finding {
    /// A finding about a tag or a failure, without a lost image.
    pub fn bare(repo: &Repo, digest: &str, tag: &str) -> Self {
        Self {
            kind: "",
            severity: "",
            repo: repo.clone(),
            tags: vec![tag.to_owned()],
            lost: digest.to_owned(),
            kept: None,
            pushed_at: None,
            untagged_at: None,
            gone_at: None,
            first: None,
            second: String::new(),
            gap_seconds: None,
            order: "observed",
            deletion: None,
            rule_priority: None,
            exposure_seconds: None,
            pulls_before: 0,
            pulls_while_untagged: 0,
            pulls_after_gone: 0,
            principals: BTreeSet::new(),
            layer_pulls: 0,
        }
    }
}

/// A task that stops indicates a pull up to this many seconds before.
const TRIED_SECONDS: u64 = 600;

/// Tasks that could not find the image although the logs show it as existing or say nothing, and callers that
/// were refused without a logged change of access.
fn unexplained(
    folded: &Folded,
    repo: &Repo,
    repository: &Repository,
    digest: &str,
    image: &Image,
) -> Option<Finding> {
    let explained = |refusal: &Refusal| access::reason(folded, repo, repository, image, refusal).is_some();
    let tasks = image.failures.iter().filter(|failure| {
        let refusal = Refusal { cause: failure.cause.clone(), actor: None, is_task: true };
        !(is_explained(repository, image, failure) || failure.refused && explained(&refusal))
    });
    let refused = access::refusals(image).into_iter().filter(|refusal| {
        let failure = Failure { cause: refusal.cause.clone(), tag: None, by_digest: true, refused: true };
        !refusal.is_task
            && access::lost_it(image, refusal)
            && !explained(refusal)
            && !is_explained(repository, image, &failure)
    });
    let mut open: Vec<(Cause, Option<String>, bool, Option<String>)> =
        tasks.map(|failure| (failure.cause.clone(), failure.tag.clone(), true, None)).collect();
    open.extend(refused.map(|refusal| (refusal.cause, None, false, refusal.actor)));
    open.sort_by_key(|(cause, ..)| cause.time);
    let (first, ..) = open.first()?;
    let tag = open.iter().rev().find_map(|(_, tag, ..)| tag.clone()).unwrap_or_default();
    let pushed_at = image.lives.last().and_then(|life| life.pushed_at);
    let severity = if open.iter().any(|(_, _, is_task, _)| *is_task) { "critical" } else { "high" };
    let principals = open.iter().filter_map(|(.., actor)| actor.clone()).collect();
    Some(Finding {
        kind: "unexplained",
        severity,
        pushed_at,
        second: first.id.clone(),
        principals,
        ..Finding::bare(repo, digest, &tag)
    })
}

fn is_explained(repository: &Repository, image: &Image, failure: &Failure) -> bool {
    let (time, tag) = (failure.cause.time, failure.tag.as_deref());
    let just_before = |event: u64| event <= time && time - event <= TRIED_SECONDS;
    let created = repository.creations.iter().any(|created| *created <= time);
    // Nobody can know a digest long before it is built.
    let not_yet = image
        .first_push
        .as_ref()
        .is_some_and(|(push, ..)| time < push.time && (push.time - time <= 3_600 || created));
    let just_pushed = image.lives.iter().filter_map(|life| life.start).any(just_before);
    let part_gone = image
        .children
        .iter()
        .filter_map(|child| repository.images.get(child))
        .any(|child| was_away(child, time, 0));
    let just_tagged = tag.and_then(|tag| repository.turns.get(tag)).is_some_and(|turns| {
        let turn = turns.iter().rfind(|turn| turn.time <= time);
        turn.is_some_and(|turn| turn.digest.is_some() && just_before(turn.time))
    });
    let last = |times: &[u64]| times.iter().copied().filter(|event| *event <= time).max();
    let ended = last(&repository.deletions)
        .is_some_and(|deleted| last(&repository.creations).is_none_or(|created| created < deleted));
    let never_came = image.first_push.is_none()
        && !image.exists
        && image.refused_pushes.iter().any(|(refused, ..)| refused.time < time);
    // One of the index's own images took the tag from it.
    let is_a_part = tag.and_then(|tag| repository.turns.get(tag)).is_some_and(|turns| {
        turns.iter().any(|turn| {
            let former = turn.was_on.as_ref().and_then(|former| repository.images.get(former));
            turn.how == "pushed"
                && turn.digest.as_ref().is_some_and(|digest| {
                    is_image(repository, digest, image)
                        && former.is_some_and(|former| former.children.contains(digest))
                })
        })
    });
    was_away(image, time, TRIED_SECONDS)
        || not_yet
        || just_pushed
        || part_gone
        || just_tagged
        || ended
        || never_came
        || is_a_part
}

fn is_image(repository: &Repository, digest: &str, image: &Image) -> bool {
    repository.images.get(digest).is_some_and(|other| std::ptr::eq(other, image))
}

/// An end that no event shows.
fn presumed(
    folded: &Folded,
    repo: &Repo,
    repository: &Repository,
    digest: &str,
    image: &Image,
) -> Option<Finding> {
    let (presumed, life) = (image.presumed.as_ref()?, image.lives.last()?);
    let case = Case { folded, repo, repository, digest, life, until: u64::MAX };
    let absence = Absence { from: Some(presumed.time), until: u64::MAX };
    let found = case.needed(presumed.kind, &presumed.cause, presumed.rule_priority, absence)?;
    // It may seem to have lost a tag later, but it was already gone.
    let untagged_at = life.untagged_at.filter(|untagged| *untagged <= presumed.time);
    Some(Finding {
        untagged_at,
        tags: life.ever_tags.iter().chain(life.tags.keys()).cloned().collect(),
        ..found
    })
}

/// The index still exists, its tag is on one of its images, tasks failed because of that, and no rule expires
/// the index.
fn one_platform(
    folded: &Folded,
    repo: &Repo,
    repository: &Repository,
    digest: &str,
    image: &Image,
) -> Option<Finding> {
    let life = image
        .lives
        .last()
        .filter(|life| life.known && life.gone.is_none() && !life.is_archived() && life.tags.is_empty())?;
    let case = Case { folded, repo, repository, digest, life, until: u64::MAX };
    let loss = case.orphaned().filter(|loss| image.children.contains(&loss.kept))?;
    let failed = case.failed_for_its_child(loss);
    if image.presumed.is_some() || failed.is_empty() || policy::will_take_untagged(repository, digest) {
        return None;
    }
    let found = case.displaced(loss, "index-lost-to-its-child", Absence { from: None, until: u64::MAX });
    Some(Finding { severity: "critical", ..found })
}

/// Whether it was gone or archived at `time`, or had been back for at most `slack`.
pub fn was_away(image: &Image, time: u64, slack: u64) -> bool {
    image.lives.iter().enumerate().any(|(number, life)| {
        let back = image.lives.get(number + 1).map_or(u64::MAX, |next| next.start.unwrap_or(u64::MAX));
        let gone = life.gone.as_ref().map(|gone| (gone.cause.time, back));
        let stays = life.archives.iter().map(|stay| (stay.cause.time, stay.until.unwrap_or(u64::MAX)));
        gone.into_iter().chain(stays).any(|(from, until)| from <= time && time <= until.saturating_add(slack))
    })
}

impl Case<'_> {
    /// The indexes that list the image and still existed, with a tag, when it was lost.
    fn living_indexes(&self, gone: u64) -> Vec<(&String, &Life)> {
        let mut found = Vec::new();
        for (digest, index) in &self.repository.images {
            if !index.children.iter().any(|child| child == self.digest) {
                continue;
            }
            let there = |life: &&Life| {
                !life.over && life.known && life.gone.as_ref().is_none_or(|end| end.cause.time > gone + 600)
            };
            let Some(life) =
                index.lives.iter().rfind(|life| life.start.is_none_or(|start| start <= gone)).filter(there)
            else {
                continue;
            };
            let had_tag = self.repository.turns.values().any(|turns| {
                let turn = turns.iter().rfind(|turn| turn.time <= gone);
                // If a tag disappeared without an event, that may have happened earlier.
                let next = turns.iter().find(|turn| turn.time > gone);
                let left_unseen = next.is_some_and(|next| next.how == "other" && next.digest.is_some());
                turn.is_some_and(|turn| turn.digest.as_ref() == Some(digest)) && !left_unseen
            });
            if had_tag {
                found.push((digest, life));
            }
        }
        found
    }

    /// A child was lost while its index exists.
    fn child_lost(&self, gone: &Gone, indexes: &[(&String, &Life)], absence: Absence) -> Option<Finding> {
        let own = self.evidence(absence);
        let time = gone.cause.time;
        let used = |(digest, life): &(&String, &Life)| {
            life.pulls.iter().any(|pull| pull.time > time)
                || self.folded.deployments.pinned_since(self.repo, digest, time)
        };
        let severity = match own {
            Some("critical") => "critical",
            _ if indexes.iter().any(used) => "high",
            own => own?,
        };
        let tags = indexes.iter().flat_map(|(_, life)| life.ever_tags.iter().cloned()).collect();
        let rule_priority = gone.run.as_ref().and_then(|run| run.rule_priority);
        let (second, deletion) = (gone.cause.id.clone(), Some(gone.cause.id.clone()));
        Some(Finding {
            kind: "child-lost",
            severity,
            tags,
            second,
            deletion,
            rule_priority,
            ..self.frame(absence)
        })
    }

    /// The finding about the end of this life.
    fn judge(&self) -> Option<Finding> {
        let absence =
            Absence { from: self.life.gone.as_ref().map(|gone| gone.cause.time), until: self.until };
        match (&self.life.gone, self.orphaned()) {
            (Some(gone), Some(loss)) if gone.state == "expired" && !went_tagged(gone) => {
                Some(self.displaced(loss, self.kind_of_pair(loss), absence))
            }
            (Some(gone), _)
                if gone.state == "expired"
                    && !went_tagged(gone)
                    && !self.living_indexes(gone.cause.time).is_empty() =>
            {
                self.child_lost(gone, &self.living_indexes(gone.cause.time), absence)
            }
            (Some(gone), None)
                if gone.state == "deleted"
                    && self.life.tags_at_end.is_empty()
                    && !self.living_indexes(gone.cause.time).is_empty() =>
            {
                self.child_lost(gone, &self.living_indexes(gone.cause.time), absence)
            }
            (Some(gone), _) => {
                let rule = gone.run.as_ref().and_then(|run| run.rule_priority);
                self.needed(gone_kind(gone)?, &gone.cause, rule, absence)
            }
            (None, Some(loss))
                if !self.life.is_archived()
                    && !self.is_held_unseen()
                    && policy::will_take_untagged(self.repository, self.digest) =>
            {
                Some(self.displaced(loss, "displaced-alive", absence))
            }
            (None, _) => None,
        }
    }

    /// The image was archived while needed: pulls fail as if it were gone.
    fn archived(&self, stay: &Archived) -> Option<Finding> {
        let gone = self.life.gone.as_ref().map_or(u64::MAX, |gone| gone.cause.time);
        let absence =
            Absence { from: Some(stay.cause.time), until: stay.until.unwrap_or(u64::MAX).min(gone) };
        self.needed("archived", &stay.cause, stay.rule_priority, absence)
    }

    /// Whether a run could not take it because of an index that is not in the logs. (The end of an index in
    /// the logs is known.)
    fn is_held_unseen(&self) -> bool {
        self.life.is_held
            && !self
                .repository
                .images
                .values()
                .any(|index| index.children.iter().any(|child| child == self.digest))
    }

    fn orphaned(&self) -> Option<&Loss> {
        self.life.loss.as_ref().filter(|loss| !self.repository.is_child_since(self.digest, loss.second.time))
    }

    /// A finding about a tag that moved to another push.
    fn displaced(&self, loss: &Loss, kind: &'static str, absence: Absence) -> Finding {
        let gap = loss.first.as_ref().map(|first| loss.second.time - first.time);
        let is_race = gap.is_some_and(|gap| gap <= RACE_WINDOW_SECONDS) && !self.is_by_child(loss);
        let harmless = if is_race { "medium" } else { "low" };
        let fails_already = self.life.gone.is_none() && !self.failed_for_its_child(loss).is_empty();
        let gone = self.life.gone.as_ref();
        Finding {
            kind,
            severity: if fails_already { "critical" } else { self.evidence(absence).unwrap_or(harmless) },
            tags: vec![loss.tag.clone()],
            kept: Some(loss.kept.clone()),
            first: loss.first.as_ref().map(|first| first.id.clone()),
            second: loss.second.id.clone(),
            gap_seconds: gap,
            order: weakest(loss),
            deletion: gone.map(|gone| gone.cause.id.clone()),
            rule_priority: gone.and_then(|gone| gone.run.as_ref()?.rule_priority),
            ..self.frame(absence)
        }
    }

    /// A finding about an image that was lost in another way, if it was needed.
    fn needed(
        &self,
        kind: &'static str,
        taken_by: &Cause,
        rule_priority: Option<i64>,
        absence: Absence,
    ) -> Option<Finding> {
        let severity = self.evidence(absence)?;
        let tags = self.life.ever_tags.iter().chain(&self.life.tags_at_end).cloned().collect();
        let (second, deletion) = (taken_by.id.clone(), Some(taken_by.id.clone()));
        Some(Finding { kind, severity, tags, second, deletion, rule_priority, ..self.frame(absence) })
    }

    /// The fields that all kinds have in common.
    fn frame(&self, absence: Absence) -> Finding {
        let untagged_at = self.life.untagged_at;
        let pulls = || self.life.pulls.iter().filter(|pull| pull.time < absence.until);
        let count = |from: u64, to: u64| pulls().filter(|pull| (from..to).contains(&pull.time)).count();
        let end = absence.from.unwrap_or(u64::MAX);
        let alone = untagged_at.unwrap_or(u64::MAX).min(end);
        Finding {
            kind: "",
            severity: "",
            repo: self.repo.clone(),
            tags: Vec::new(),
            lost: self.digest.to_owned(),
            kept: None,
            pushed_at: self.life.pushed_at,
            untagged_at,
            gone_at: absence.from,
            first: None,
            second: String::new(),
            gap_seconds: None,
            order: "observed",
            deletion: None,
            rule_priority: None,
            exposure_seconds: untagged_at.and_then(|untagged| absence.from?.checked_sub(untagged)),
            pulls_before: count(0, alone),
            pulls_while_untagged: count(alone, end),
            pulls_after_gone: count(end, u64::MAX) + self.asked_later(absence),
            layer_pulls: self.life.layer_pulls,
            principals: pulls().filter_map(|pull| pull.actor.clone()).collect(),
        }
    }

    /// Number of requests for one of its tags after the digest had come back; an archived image keeps its
    /// tags.
    fn asked_later(&self, absence: Absence) -> usize {
        let ended = self.life.gone.as_ref().map(|gone| gone.cause.time);
        if ended.is_some() && ended == absence.from { self.life.asked_later.len() } else { 0 }
    }

    /// `critical` or `high`, if there is evidence for it.
    fn evidence(&self, absence: Absence) -> Option<&'static str> {
        let missed = |time: u64| absence.from.is_some_and(|from| (from..absence.until).contains(&time));
        let after_gone = self.life.pulls.iter().any(|pull| missed(pull.time));
        let named =
            self.life.stops.iter().any(|stop| (absence.from.unwrap_or(0)..absence.until).contains(stop));
        let pinned = |time: u64| self.folded.deployments.pinned_at(self.repo, self.digest, time);
        let started = self
            .life
            .starts
            .iter()
            .any(|start| absence.from.is_some_and(|from| (from + 1..absence.until).contains(start)));
        if after_gone || named || started || pinned(absence.until) || self.asked_later(absence) > 0 {
            return Some("critical");
        }
        // A child is requested by digest whenever its index is pulled, which does not show a need of its own.
        let untagged = self.life.untagged_at.unwrap_or(u64::MAX)..absence.from.unwrap_or(u64::MAX);
        let used = !self.repository.is_child_since(self.digest, untagged.start)
            && self.life.pulls.iter().any(|pull| pull.by_digest && untagged.contains(&pull.time));
        let kept = |time: u64| self.folded.deployments.kept_at(self.repo, self.digest, time);
        let kept = kept(absence.until) || absence.from.is_some_and(kept);
        // A task failed because of it before it was lost, so somebody needs it.
        let failed_before = absence.from.is_some_and(|from| self.life.stops.iter().any(|stop| *stop < from));
        if used || kept || failed_before || self.followed(absence) || absence.from.is_some_and(pinned) {
            return Some("high");
        }
        self.offered(absence).then_some("low")
    }
}

impl Case<'_> {
    /// If one push moved an index's tag to one of its own images, it is not a race.
    fn kind_of_pair(&self, loss: &Loss) -> &'static str {
        let gap = loss.first.as_ref().map(|first| loss.second.time - first.time);
        let is_race = gap.is_some_and(|gap| gap <= RACE_WINDOW_SECONDS) && !self.is_by_child(loss);
        if is_race { "same-tag-race" } else { "same-tag-overwrite" }
    }

    fn is_by_child(&self, loss: &Loss) -> bool {
        self.repository.images.get(self.digest).is_some_and(|image| image.children.contains(&loss.kept))
    }

    /// Tasks that failed because of the tag since it is on an image of this index.
    fn failed_for_its_child<'c>(&'c self, loss: &'c Loss) -> Vec<&'c Failure> {
        let child = self.repository.images.get(&loss.kept).filter(|_| self.is_by_child(loss));
        let failures = child.map(|child| child.failures.as_slice()).unwrap_or_default();
        failures
            .iter()
            .filter(|failure| {
                !failure.refused
                    && failure.tag.as_ref() == Some(&loss.tag)
                    && failure.cause.time >= loss.second.time
            })
            .collect()
    }

    /// Whether a definition offers it for others to run.
    fn offered(&self, absence: Absence) -> bool {
        let time = absence.from.unwrap_or(u64::MAX - 1);
        let tags = self.life.tags_at_end.iter().chain(self.life.tags.keys());
        self.folded.deployments.offered_at(self.repo, self.digest, tags, time)
    }

    /// Whether anybody follows a tag that it had when it was lost.
    fn followed(&self, absence: Absence) -> bool {
        let Some(from) = absence.from else { return false };
        let archived = self.life.archives.iter().find(|stay| stay.cause.time == from).map(|stay| &stay.tags);
        self.folded.deployments.followed_at(
            self.repo,
            archived.unwrap_or(&self.life.tags_at_end).iter(),
            from,
        )
    }
}

fn went_tagged(gone: &Gone) -> bool {
    gone.run
        .as_ref()
        .is_some_and(|run| !run.tag_list.is_empty() || run.tag_status.eq_ignore_ascii_case("tagged"))
}

fn gone_kind(gone: &Gone) -> Option<&'static str> {
    match gone.state {
        "expired" if went_tagged(gone) => Some("expired-while-tagged"),
        "expired" => Some("expired-untagged"),
        "deleted" => Some("deleted-by-call"),
        "repository_deleted" => Some("repository-deleted"),
        _ => None,
    }
}

/// The confidence in a finding's order is the lower one of its two pushes.
fn weakest(loss: &Loss) -> &'static str {
    let orders = [loss.first.as_ref().map_or("observed", |first| first.order), loss.second.order];
    ["ambiguous", "inferred"].into_iter().find(|order| orders.contains(order)).unwrap_or("observed")
}
