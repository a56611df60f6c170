//! What was lost, how, and whether anyone was hurt.

use std::collections::BTreeSet;

use super::fold::{Folded, Gone, Life, Loss, Repository};
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

pub fn find(folded: &Folded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (digest, image) in &repository.images {
            for (number, life) in image.lives.iter().enumerate() {
                let until = image.lives.get(number + 1).and_then(|next| next.start).unwrap_or(u64::MAX);
                let case = Case { folded, repo, repository, digest, life, until };
                findings.extend(case.judge());
            }
        }
    }
    findings
}

impl Case<'_> {
    fn judge(&self) -> Option<Finding> {
        let orphaned = self.life.loss.as_ref().filter(|_| !self.repository.is_child(self.digest));
        match (&self.life.gone, orphaned) {
            (Some(gone), Some(loss)) if gone.state == "expired" && !went_tagged(gone) => Some(self.displaced(loss, kind_of_pair(loss))),
            (Some(gone), _) => self.needed(gone_kind(gone)?, &gone.cause),
            (None, _) if self.life.archived.is_some() => self.needed("archived", self.life.archived.as_ref()?),
            (None, Some(loss)) if self.is_at_risk() => Some(self.displaced(loss, "displaced-alive")),
            (None, _) => None,
        }
    }

    fn is_at_risk(&self) -> bool {
        policy::will_take_untagged(self.repository, self.digest)
    }

    /// A finding about a tag that went to another push.
    fn displaced(&self, loss: &Loss, kind: &'static str) -> Finding {
        let gap = loss.first.as_ref().map(|first| loss.second.time - first.time);
        let harmless = if gap.is_some_and(|gap| gap <= RACE_WINDOW_SECONDS) { "medium" } else { "low" };
        Finding {
            kind,
            severity: self.evidence().unwrap_or(harmless),
            tags: vec![loss.tag.clone()],
            kept: Some(loss.kept.clone()),
            first: loss.first.as_ref().map(|first| first.id.clone()),
            second: loss.second.id.clone(),
            gap_seconds: gap,
            order: weakest(loss),
            ..self.frame()
        }
    }

    /// A finding about an image that went another way: only where something needs it.
    fn needed(&self, kind: &'static str, taken_by: &super::fold::Cause) -> Option<Finding> {
        let severity = self.evidence()?;
        let mut tags = if self.life.gone.is_some() { self.life.tags_at_end.clone() } else { self.life.tags.keys().cloned().collect() };
        tags.extend(self.life.loss.as_ref().map(|loss| loss.tag.clone()));
        Some(Finding {
            kind,
            severity,
            tags,
            second: taken_by.id.clone(),
            gone_at: Some(taken_by.time),
            deletion: Some(taken_by.id.clone()),
            ..self.frame()
        })
    }

    /// What all kinds have in common.
    fn frame(&self) -> Finding {
        let gone = self.life.gone.as_ref();
        let gone_at = self.gone_at();
        let untagged_at = self.life.untagged_at;
        let count = |from: u64, to: u64| self.life.pulls.iter().filter(|pull| (from..to).contains(&pull.time)).count();
        let (end, alone) = (gone_at.unwrap_or(u64::MAX), untagged_at.unwrap_or(u64::MAX).min(gone_at.unwrap_or(u64::MAX)));
        Finding {
            kind: "",
            severity: "",
            repo: self.repo.clone(),
            tags: Vec::new(),
            lost: self.digest.to_owned(),
            kept: None,
            pushed_at: self.life.pushed_at,
            untagged_at,
            gone_at,
            first: None,
            second: String::new(),
            gap_seconds: None,
            order: "observed",
            deletion: gone.map(|gone| gone.cause.id.clone()),
            rule_priority: gone.and_then(|gone| gone.run.as_ref()?.rule_priority),
            exposure_seconds: untagged_at.and_then(|untagged| gone_at?.checked_sub(untagged)),
            pulls_before: count(0, alone),
            pulls_while_untagged: count(alone, end),
            pulls_after_gone: count(end, u64::MAX),
            principals: self.life.pulls.iter().filter_map(|pull| pull.actor.clone()).collect(),
        }
    }

    /// From when on a pull cannot have worked.
    fn gone_at(&self) -> Option<u64> {
        let archived = self.life.archived.as_ref().map(|cause| cause.time);
        self.life.gone.as_ref().map(|gone| gone.cause.time).or(archived)
    }

    /// `critical` or `high`, where there is evidence for it.
    fn evidence(&self) -> Option<&'static str> {
        let gone_at = self.gone_at();
        let after_gone = gone_at.is_some_and(|gone| self.life.pulls.iter().any(|pull| pull.time >= gone));
        let pinned = |time: u64| self.folded.deployments.pinned_at(self.repo, self.digest, time);
        if after_gone || !self.life.stops.is_empty() || pinned(self.until) {
            return Some("critical");
        }
        let untagged = self.life.untagged_at.unwrap_or(u64::MAX)..gone_at.unwrap_or(u64::MAX);
        let used_untagged = self.life.pulls.iter().any(|pull| pull.by_digest && untagged.contains(&pull.time));
        (used_untagged || gone_at.is_some_and(pinned)).then_some("high")
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
