//! Pushes of one tag within one second: which image had the tag afterwards, as far as later events show.

use std::collections::{BTreeMap, BTreeSet};

use super::meaning::{Act, Event, Repo};

/// What a later event shows about a candidate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Says {
    Won,
    Lost,
}

/// Sorts events for processing, and marks pushes whose order was not observed.
pub fn settle(events: &mut [Event]) {
    events.sort_by(|left, right| (left.time, &left.id).cmp(&(right.time, &right.id)));
    for ((repo, tag, second), candidates) in groups(events) {
        let winner = winner(events, &repo, &tag, second, &candidates);
        // Which push came last does not show the order of the others.
        let order = |won: bool| {
            if winner.is_some() && (won || candidates.len() == 2) { "inferred" } else { "ambiguous" }
        };
        let mut members: Vec<(bool, String, usize)> = Vec::new();
        for (at, event) in events.iter().enumerate() {
            if let Some(digest) = pushed(event, &repo, &tag).filter(|_| event.time == second) {
                members.push((winner.as_ref() == Some(digest), event.id.clone(), at));
            }
        }
        members.sort();
        for (rank, (won, _, at)) in members.into_iter().enumerate() {
            events[at].rank = rank as u64 + 1;
            events[at].order = order(won);
        }
    }
    events.sort_by(|left, right| (left.time, left.rank, &left.id).cmp(&(right.time, right.rank, &right.id)));
}

/// (repository, tag, second) → the digests pushed, where there are two or more.
fn groups(events: &[Event]) -> BTreeMap<(Repo, String, u64), BTreeSet<String>> {
    let mut groups: BTreeMap<(Repo, String, u64), BTreeSet<String>> = BTreeMap::new();
    for event in events {
        if let Act::Push { repo, digest, tag: Some(tag), .. } = &event.act {
            groups.entry((repo.clone(), tag.clone(), event.time)).or_default().insert(digest.clone());
        }
    }
    groups.retain(|_, digests| digests.len() > 1);
    groups
}

fn pushed<'e>(event: &'e Event, of: &Repo, under: &str) -> Option<&'e String> {
    match &event.act {
        Act::Push { repo, digest, tag: Some(tag), .. } if repo == of && tag == under => Some(digest),
        _ => None,
    }
}

/// The only candidate that can have been the last, if there is exactly one.
fn winner(
    events: &[Event],
    repo: &Repo,
    tag: &str,
    second: u64,
    candidates: &BTreeSet<String>,
) -> Option<String> {
    let mut says: BTreeMap<String, Says> = BTreeMap::new();
    for child in listed_children(events, repo, second, candidates) {
        says.insert(child, Says::Lost);
    }
    for event in events.iter().filter(|event| event.time > second) {
        if pushed(event, repo, tag).is_some()
            || matches!(&event.act, Act::DeleteRepository { repo: deleted } if deleted == repo)
        {
            break;
        }
        for (digest, verdict) in evidence(event, repo, tag) {
            says.entry(digest).or_insert(verdict);
        }
        // A call removed the tag from its image; later events say nothing.
        if removes(event, repo, tag) {
            break;
        }
    }
    let all = |verdict: Option<Says>| {
        candidates.iter().filter(|digest| says.get(*digest).copied() == verdict).cloned().collect::<Vec<_>>()
    };
    let (won, open) = (all(Some(Says::Won)), all(None));
    match (won.as_slice(), open.as_slice()) {
        ([only], _) => Some(only.clone()),
        ([], [only]) => Some(only.clone()),
        _ => None,
    }
}

/// An index can only be pushed when its children exist: a candidate that another one lists came before it.
fn listed_children(
    events: &[Event],
    of: &Repo,
    second: u64,
    candidates: &BTreeSet<String>,
) -> BTreeSet<String> {
    let mut listed = BTreeSet::new();
    for event in events.iter().filter(|event| event.time == second) {
        if let Act::Push { repo, digest, children, .. } = &event.act
            && repo == of
            && candidates.contains(digest)
        {
            listed.extend(children.iter().filter(|child| candidates.contains(*child)).cloned());
        }
    }
    listed
}

fn removes(event: &Event, of: &Repo, tag: &str) -> bool {
    matches!(&event.act, Act::Delete { repo, listed, .. } if repo == of && listed.iter().any(|(_, held)| held == tag))
}

/// What a later event shows about which image had the tag.
fn evidence(event: &Event, of: &Repo, tag: &str) -> Vec<(String, Says)> {
    match &event.act {
        Act::Run { repo, images, .. } if repo == of => images
            .iter()
            .map(|image| {
                (
                    image.digest.clone(),
                    if image.tag_list.iter().any(|held| held == tag) { Says::Won } else { Says::Lost },
                )
            })
            .collect(),
        Act::Delete { repo, listed, .. } if repo == of => listed
            .iter()
            .filter(|(_, held)| held == tag)
            .map(|(digest, _)| (digest.clone(), Says::Won))
            .collect(),
        Act::AlreadyThere { repo, digest, tag: held } if repo == of && held == tag => {
            vec![(digest.clone(), Says::Won)]
        }
        _ => Vec::new(),
    }
}
