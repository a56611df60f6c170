//! Callers that could pull and were refused later: because of a change of access, or for no logged reason.

use std::collections::{BTreeMap, BTreeSet};

use super::findings::{Finding, was_away};
use super::fold::{Cause, Folded, Image, Repository};
use super::meaning::{Repo, role};

const WEEK: u64 = 7 * 86_400;
const HOUR: u64 = 3_600;

/// A refusal: of a pull, or reported by a stopped task.
#[derive(Clone)]
pub struct Refusal {
    pub cause: Cause,
    pub actor: Option<String>,
    pub is_task: bool,
}

/// The role of a caller, if its name shows it; otherwise the whole name.
pub fn caller(actor: Option<&String>) -> String {
    let actor = actor.map(String::as_str).unwrap_or_default();
    role(actor).unwrap_or_else(|| actor.to_owned())
}

pub fn refusals(image: &Image) -> Vec<Refusal> {
    let pulls = image.refusals.iter().map(|(cause, actor)| Refusal {
        cause: cause.clone(),
        actor: actor.clone(),
        is_task: false,
    });
    let tasks = image.failures.iter().filter(|failure| failure.refused);
    pulls
        .chain(tasks.map(|failure| Refusal { cause: failure.cause.clone(), actor: None, is_task: true }))
        .collect()
}

fn answered<'i>(image: &'i Image, who: &'i str) -> impl Iterator<Item = u64> + 'i {
    image
        .answered
        .iter()
        .filter(move |asked| caller(asked.actor.as_ref()) == who)
        .map(|asked| asked.cause.time)
}

/// The change that most likely took access away, and its severity.
pub fn reason(
    folded: &Folded,
    repo: &Repo,
    repository: &Repository,
    image: &Image,
    refusal: &Refusal,
) -> Option<(Cause, &'static str)> {
    let (time, who) = (refusal.cause.time, caller(refusal.actor.as_ref()));
    if was_away(image, time, 0) {
        return None;
    }
    // A caller that could pull again later was not affected permanently.
    if !refusal.is_task && answered(image, &who).any(|pull| pull > time) {
        return None;
    }
    let set_up = |change: &Cause| {
        let since = |created: &u64| change.time.checked_sub(*created).is_some_and(|since| since <= HOUR);
        repository.creations.iter().any(since)
    };
    let policy =
        repository.access_changes.iter().rfind(|change| change.time <= time).filter(|change| !set_up(change));
    let own = folded
        .roles
        .get(&who)
        .filter(|_| !refusal.is_task)
        .and_then(|changes| changes.iter().rfind(|change| change.time <= time));
    let stands = |change: &&Cause| {
        refusal.is_task || !answered(image, &who).any(|pull| pull > change.time && pull < time)
    };
    let change = policy.into_iter().chain(own).filter(stands).max_by_key(|change| change.time)?;
    let is_soon = time - change.time <= WEEK;
    let account = |who: &str| who.split_once('/').map(|(account, _)| account.to_owned());
    let of_account = || {
        let own = account(&who).filter(|own| *own != repo.0)?;
        image
            .answered
            .iter()
            .filter(|asked| account(&caller(asked.actor.as_ref())).as_ref() == Some(&own))
            .map(|asked| asked.cause.time)
            .min()
    };
    let could = match refusal.is_task {
        true => is_soon || image.answered.iter().any(|asked| asked.cause.time < change.time),
        false => answered(image, &who).any(|pull| pull < change.time),
    };
    let by_policy = policy.is_some_and(|policy| policy.id == change.id);
    let severity = match () {
        () if could => "critical",
        () if by_policy && of_account().is_some_and(|first| first < change.time) => "high",
        () if is_soon => "medium",
        () => return None,
    };
    Some((change.clone(), severity))
}

/// Whether a role could pull the image before, and could not since.
pub fn lost_it(image: &Image, refusal: &Refusal) -> bool {
    let (time, who) = (refusal.cause.time, caller(refusal.actor.as_ref()));
    answered(image, &who).any(|pull| pull < time) && !answered(image, &who).any(|pull| pull > time)
}

/// Severities and refusals for one change, by its time and id.
type ByChange = BTreeMap<(u64, String), (Vec<&'static str>, Vec<Refusal>)>;

/// One finding for each change and each image that it took access to.
pub fn find(
    folded: &Folded,
    repo: &Repo,
    repository: &Repository,
    digest: &str,
    image: &Image,
) -> Vec<Finding> {
    let mut by_change = ByChange::new();
    for refusal in refusals(image) {
        if let Some((change, severity)) = reason(folded, repo, repository, image, &refusal) {
            let (severities, refused) = by_change.entry((change.time, change.id)).or_default();
            severities.push(severity);
            refused.push(refusal);
        }
    }
    let life = image.lives.last();
    let mut findings = Vec::new();
    for ((_, second), (severities, refused)) in by_change {
        let severity = ["critical", "high", "medium"]
            .into_iter()
            .find(|word| severities.contains(word))
            .unwrap_or("medium");
        let pulls = refused.iter().filter(|refusal| !refusal.is_task);
        let principals: BTreeSet<String> =
            pulls.clone().filter_map(|refusal| refusal.actor.clone()).collect();
        let tags = life
            .map(|life| life.ever_tags.iter().chain(life.tags.keys()).cloned().collect())
            .unwrap_or_default();
        findings.push(Finding {
            kind: "access-taken",
            severity,
            tags,
            second,
            pushed_at: life.and_then(|life| life.pushed_at),
            untagged_at: life.and_then(|life| life.untagged_at),
            pulls_after_gone: pulls.count(),
            principals,
            ..Finding::bare(repo, digest, "")
        });
    }
    findings
}
