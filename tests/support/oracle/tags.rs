//! The history of each tag: a list of turns, derived from the difference between the states before and after
//! an event.

use std::collections::BTreeMap;

use super::findings::Finding;
use super::fold::{Cause, Folded, Image, Repository};
use super::meaning::{Act, Event, Repo};

/// From this time on the tag is on `digest`, or on no image.
#[derive(Debug, Clone)]
pub struct Turn {
    pub time: u64,
    pub digest: Option<String>,
    /// The reason: `pushed`, `removed` from the image `was_on`, or anything else.
    pub how: &'static str,
    pub cause: Cause,
    pub actor: Option<String>,
    pub was_on: Option<String>,
    /// When the image that has it was pushed, as known at that time.
    pub pushed_at: Option<u64>,
    /// Number of pulls by the tag in this turn, successful or not.
    pub pulls: usize,
}

/// Repository and image or tag.
type Held = (String, String);

/// Records the changes of tags that an event made; `before` is the state before it.
pub fn note(repository: &mut Repository, before: &BTreeMap<String, String>, event: &Event, cause: &Cause) {
    let after = repository.tags.clone();
    let mut tags: Vec<&String> = before.keys().chain(after.keys()).collect();
    tags.sort();
    tags.dedup();
    let (untagged, listed): (Vec<Held>, Vec<Held>) = match &event.act {
        Act::Delete { tags, listed, .. } => (tags.clone(), listed.clone()),
        Act::Run { images, .. } => {
            let held = images
                .iter()
                .flat_map(|image| image.tag_list.iter().map(|tag| (image.digest.clone(), tag.clone())));
            (Vec::new(), held.collect())
        }
        _ => Default::default(),
    };
    let pushed = matches!(&event.act, Act::Push { .. });
    let mut turns: Vec<(String, Turn)> = Vec::new();
    let turn = |digest: Option<String>, how, was_on| Turn {
        time: event.time,
        pushed_at: digest.as_ref().and_then(|digest| repository.images.get(digest)?.lives.last()?.pushed_at),
        digest,
        how,
        cause: cause.clone(),
        actor: event.actor.clone(),
        was_on,
        pulls: 0,
    };
    for (digest, tag) in &untagged {
        // An image deleted with its last tag does not count as removal of a tag.
        let stays = repository
            .images
            .get(digest)
            .and_then(|image| image.lives.last())
            .is_some_and(|life| life.gone.is_none());
        if stays && !after.contains_key(tag) {
            turns.push((tag.clone(), turn(None, "removed", Some(digest.clone()))));
        }
    }
    // The tag was lost with its image, although it had not been seen on it.
    for (digest, tag) in
        listed.iter().filter(|(_, tag)| !before.contains_key(tag) && !after.contains_key(tag))
    {
        if !turns.iter().any(|(other, _)| other == tag) {
            turns.push((tag.clone(), turn(None, "other", Some(digest.clone()))));
        }
    }
    for tag in tags {
        let told = turns.iter().any(|(other, _)| other == tag);
        if !told && before.get(tag) != after.get(tag) {
            let how = if pushed { "pushed" } else { "other" };
            turns.push((tag.clone(), turn(after.get(tag).cloned(), how, before.get(tag).cloned())));
        }
    }
    for (tag, turn) in turns {
        repository.turns.entry(tag).or_default().push(turn);
    }
}

pub fn find(folded: &Folded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (tag, turns) in &repository.turns {
            findings.extend(moved_back(repo, repository, tag, turns));
            findings.extend(
                turns
                    .windows(2)
                    .chain(turns.last().map(std::slice::from_ref))
                    .filter_map(|pair| removed(repo, tag, pair)),
            );
        }
    }
    findings
}

/// Requested after a call removed it, and before any image had it again.
fn removed(repo: &Repo, tag: &str, turns: &[Turn]) -> Option<Finding> {
    let turn = turns.first().filter(|turn| turn.how == "removed" && turn.pulls > 0)?;
    // It was removed from another image later; since when it had been on that is not known.
    if turns.get(1).is_some_and(|next| next.how == "removed" && next.was_on != turn.was_on) {
        return None;
    }
    Some(Finding {
        kind: "tag-removed",
        severity: "critical",
        pulls_after_gone: turn.pulls,
        second: turn.cause.id.clone(),
        deletion: Some(turn.cause.id.clone()),
        ..Finding::bare(repo, turn.was_on.as_deref()?, tag)
    })
}

/// The last time that a push moved the tag to an older image than the one that had it, if either was pulled
/// by the tag.
fn moved_back(repo: &Repo, repository: &Repository, tag: &str, turns: &[Turn]) -> Option<Finding> {
    let back = |at: usize| {
        let (from, to) = (&turns[at], &turns[at + 1]);
        let (newer, older) = (from.digest.as_ref()?, to.digest.as_ref()?);
        let had_it = turns[..at].iter().any(|turn| turn.digest.as_ref() == Some(older));
        let is_older = match (from.pushed_at, to.pushed_at) {
            (Some(from), Some(to)) => to < from,
            _ => had_it,
        };
        (to.how == "pushed" && is_older && !related(repository, newer, older)).then_some((from, to))
    };
    let all: Vec<(&Turn, &Turn)> = (0..turns.len().saturating_sub(1)).filter_map(back).collect();
    let (from, to) = all.into_iter().rfind(|(from, to)| from.pulls + to.pulls > 0)?;
    let given = (from.how == "pushed").then_some(&from.cause);
    let role = |turn: &Turn| {
        turn.actor
            .as_ref()
            .map(|actor| actor.rsplit_once('/').map_or(actor.clone(), |(role, _)| role.to_owned()))
    };
    let by_another = given.is_some() && role(from) != role(to);
    let orders = [given.map_or("observed", |given| given.order), to.cause.order];
    Some(Finding {
        kind: "tag-moved-back",
        severity: if by_another { "medium" } else { "low" },
        kept: to.digest.clone(),
        pushed_at: from.pushed_at,
        first: given.map(|given| given.id.clone()),
        second: to.cause.id.clone(),
        gap_seconds: given.map(|given| to.time - given.time),
        order: ["ambiguous", "inferred"]
            .into_iter()
            .find(|order| orders.contains(order))
            .unwrap_or("observed"),
        pulls_before: from.pulls + to.pulls,
        ..Finding::bare(repo, from.digest.as_deref()?, tag)
    })
}

/// Whether one lists the other, or a third image lists both: then one push moves the tag between them.
fn related(repository: &Repository, a: &str, b: &str) -> bool {
    let lists = |image: &Image, digest: &str| image.children.iter().any(|child| child == digest);
    let of =
        |parent: &str, child: &str| repository.images.get(parent).is_some_and(|image| lists(image, child));
    of(a, b) || of(b, a) || repository.images.values().any(|image| lists(image, a) && lists(image, b))
}
