//! What was lost, how, and whether anyone was hurt.

use std::collections::BTreeSet;

use super::fold::{Archived, Cause, Folded, Gone, Life, Loss, Repository};
use super::meaning::Repo;
use super::policy;

const RACE_WINDOW_SECONDS: u64 = 600;

/// The parts of a finding that the engine has to agree with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub kind: &'static str,
    pub severity: &'static str,
    pub repo: Repo,
    /// The tag it lost last; for the kinds without a displacement, any tag it had.
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
    /// How many pulls more there may be, by layers alone.
    pub layer_pulls: usize,
}

/// One life of one image, and what surrounds it.
struct Case<'f> {
    folded: &'f Folded,
    repo: &'f Repo,
    repository: &'f Repository,
    digest: &'f str,
    life: &'f Life,
    /// When the next life begins, or never.
    until: u64,
}

/// From when to when a pull cannot have worked; nowhere for an image that is still there.
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
        }
    }
    findings
}

impl Case<'_> {
    /// What became of the image in the end.
    fn judge(&self) -> Option<Finding> {
        let absence = Absence { from: self.life.gone.as_ref().map(|gone| gone.cause.time), until: self.until };
        match (&self.life.gone, self.orphaned()) {
            (Some(gone), Some(loss)) if gone.state == "expired" && !went_tagged(gone) => Some(self.displaced(loss, kind_of_pair(loss), absence)),
            (Some(gone), _) => {
                let rule = gone.run.as_ref().and_then(|run| run.rule_priority);
                self.needed(gone_kind(gone)?, &gone.cause, rule, absence)
            }
            (None, Some(loss)) if !self.life.is_archived() && policy::will_take_untagged(self.repository, self.digest) => {
                Some(self.displaced(loss, "displaced-alive", absence))
            }
            (None, _) => None,
        }
    }

    /// An archive that something still needed: pulls fail as if the image were gone.
    fn archived(&self, stay: &Archived) -> Option<Finding> {
        let gone = self.life.gone.as_ref().map_or(u64::MAX, |gone| gone.cause.time);
        let absence = Absence { from: Some(stay.cause.time), until: stay.until.unwrap_or(u64::MAX).min(gone) };
        self.needed("archived", &stay.cause, stay.rule_priority, absence)
    }

    fn orphaned(&self) -> Option<&Loss> {
        self.life.loss.as_ref().filter(|loss| !self.repository.is_child_since(self.digest, loss.second.time))
    }

    /// A finding about a tag that went to another push.
    fn displaced(&self, loss: &Loss, kind: &'static str, absence: Absence) -> Finding {
        let gap = loss.first.as_ref().map(|first| loss.second.time - first.time);
        let harmless = if gap.is_some_and(|gap| gap <= RACE_WINDOW_SECONDS) { "medium" } else { "low" };
        let gone = self.life.gone.as_ref();
        Finding {
            kind,
            severity: self.evidence(absence).unwrap_or(harmless),
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

    /// A finding about an image that went another way: only where something needs it.
    fn needed(&self, kind: &'static str, taken_by: &Cause, rule_priority: Option<i64>, absence: Absence) -> Option<Finding> {
        let severity = self.evidence(absence)?;
        let tags = self.life.ever_tags.iter().chain(&self.life.tags_at_end).cloned().collect();
        let (second, deletion) = (taken_by.id.clone(), Some(taken_by.id.clone()));
        Some(Finding { kind, severity, tags, second, deletion, rule_priority, ..self.frame(absence) })
    }

    /// What all kinds have in common.
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
            pulls_after_gone: count(end, u64::MAX),
            layer_pulls: self.life.layer_pulls,
            principals: pulls().filter_map(|pull| pull.actor.clone()).collect(),
        }
    }

    /// `critical` or `high`, where there is evidence for it.
    fn evidence(&self, absence: Absence) -> Option<&'static str> {
        let missed = |time: u64| absence.from.is_some_and(|from| (from..absence.until).contains(&time));
        let after_gone = self.life.pulls.iter().any(|pull| missed(pull.time));
        let named = self.life.stops.iter().any(|stop| (absence.from.unwrap_or(0)..absence.until).contains(stop));
        let pinned = |time: u64| self.folded.deployments.pinned_at(self.repo, self.digest, time);
        if after_gone || named || pinned(absence.until) {
            return Some("critical");
        }
        // A child is asked for by its digest whenever its index is pulled: that shows no need of its own.
        let untagged = self.life.untagged_at.unwrap_or(u64::MAX)..absence.from.unwrap_or(u64::MAX);
        let used = !self.repository.is_child_since(self.digest, untagged.start)
            && self.life.pulls.iter().any(|pull| pull.by_digest && untagged.contains(&pull.time));
        let kept = |time: u64| self.folded.deployments.kept_at(self.repo, self.digest, time);
        let kept = kept(absence.until) || absence.from.is_some_and(kept);
        (used || kept || self.followed(absence) || absence.from.is_some_and(pinned)).then_some("high")
    }
}

impl Case<'_> {
    /// Somebody follows a tag that it had when it went.
    fn followed(&self, absence: Absence) -> bool {
        let Some(from) = absence.from else { return false };
        let archived = self.life.archives.iter().find(|stay| stay.cause.time == from).map(|stay| &stay.tags);
        self.folded.deployments.followed_at(self.repo, archived.unwrap_or(&self.life.tags_at_end).iter(), from)
    }
}

fn went_tagged(gone: &Gone) -> bool {
    gone.run.as_ref().is_some_and(|run| !run.tag_list.is_empty() || run.tag_status.eq_ignore_ascii_case("tagged"))
}

fn gone_kind(gone: &Gone) -> Option<&'static str> {
    match gone.state {
        "expired" => went_tagged(gone).then_some("expired-while-tagged"),
        "deleted" => Some("deleted-by-call"),
        "repository_deleted" => Some("repository-deleted"),
        _ => None,
    }
}

fn kind_of_pair(loss: &Loss) -> &'static str {
    let gap = loss.first.as_ref().map(|first| loss.second.time - first.time);
    if gap.is_some_and(|gap| gap <= RACE_WINDOW_SECONDS) { "same-tag-race" } else { "same-tag-overwrite" }
}

/// A finding is as sure of its order as the less sure of its two pushes.
fn weakest(loss: &Loss) -> &'static str {
    let orders = [loss.first.as_ref().map_or("observed", |first| first.order), loss.second.order];
    ["ambiguous", "inferred"].into_iter().find(|order| orders.contains(order)).unwrap_or("observed")
}
