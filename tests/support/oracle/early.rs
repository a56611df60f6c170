//! Failures because something did not exist yet, or because its push was refused.

use super::access::caller;
use super::findings::Finding;
use super::fold::{Asked, Cause, Folded, Image, Repository};
use super::meaning::Repo;

const HOUR: u64 = 3_600;
const TRIED_SECONDS: u64 = 600;

pub fn find(folded: &Folded) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (repo, repository) in &folded.repositories {
        for (digest, image) in &repository.images {
            findings.extend(early_digest(repo, repository, digest, image));
            findings.extend(never_digest(repo, repository, digest, image));
        }
        for (tag, asks) in &repository.tag_asks {
            findings.extend(never_tag(repo, repository, tag, asks));
            findings.extend(unknown_tag(repo, repository, tag, asks));
            findings.extend(left_tag(repo, repository, tag, asks));
        }
        for tag in repository.turns.keys() {
            findings.extend(early_tag(repo, repository, tag));
        }
    }
    findings
}

/// Whether the session name is that of a task (32 hex digits) or an instance.
fn is_workload(actor: Option<&String>) -> bool {
    let session = actor.and_then(|actor| {
        actor
            .strip_suffix(')')
            .and_then(|rest| rest.split_once(" (account "))
            .map(|(id, _)| id)
            .or(Some(actor))
    });
    let session = session.and_then(|actor| actor.rsplit(['/', ':']).next()).unwrap_or_default();
    let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (session.len() == 32 && hex(session))
        || session.strip_prefix("i-").is_some_and(|id| matches!(id.len(), 8 | 17) && hex(id))
}

/// A stopped task indicates a pull within some minutes before.
fn within(stop: u64, pull: u64) -> bool {
    pull <= stop && stop - pull <= TRIED_SECONDS
}

fn created(repository: &Repository, time: u64) -> bool {
    repository.creations.iter().any(|created| *created <= time)
}

/// The same, if all pushes since then are known.
fn all_known(repository: &Repository, time: u64) -> bool {
    created(repository, time) && !repository.unknown_pushes.iter().any(|push| *push <= time)
}

fn finding(
    kind: &'static str,
    repo: &Repo,
    digest: &str,
    tag: &str,
    mut failures: Vec<(Cause, bool, Option<String>)>,
) -> Option<Finding> {
    failures.sort_by_key(|(cause, ..)| cause.time);
    let (first, ..) = failures.first()?;
    let severity = if failures.iter().any(|(_, is_task, _)| *is_task) { "critical" } else { "high" };
    let principals =
        failures.iter().filter(|(_, is_task, _)| !is_task).filter_map(|(.., actor)| actor.clone()).collect();
    Some(Finding { kind, severity, second: first.id.clone(), principals, ..Finding::bare(repo, digest, tag) })
}

fn early_digest(repo: &Repo, repository: &Repository, digest: &str, image: &Image) -> Option<Finding> {
    let (push, pusher, false) = image.first_push.as_ref()? else { return None };
    let told = |time: u64| {
        image
            .failures
            .iter()
            .any(|failure| failure.by_digest && !failure.refused && within(failure.cause.time, time))
    };
    let soon = |time: u64| push.time - time.min(push.time) <= HOUR || created(repository, time);
    let pulls = image.answered.iter().filter(|asked| {
        let other = caller(asked.actor.as_ref()) != caller(pusher.as_ref());
        asked.by_digest
            && asked.cause.time < push.time
            && asked.needs
            && (all_known(repository, asked.cause.time) || told(asked.cause.time))
            && is_workload(asked.actor.as_ref())
            && other
    });
    let before = image.answered.iter().any(|asked| asked.cause.time < push.time)
        || image.failures.iter().any(|failure| failure.cause.time < push.time);
    let until = if before { push.time + TRIED_SECONDS } else { push.time };
    let tasks = image.failures.iter().filter(|failure| {
        failure.by_digest && !failure.refused && failure.cause.time <= until && soon(failure.cause.time)
    });
    // An index is refused until all that it lists is there.
    let indexes =
        repository.images.values().filter(|index| index.children.iter().any(|child| child == digest));
    let listed = indexes.filter_map(|index| index.first_push.as_ref()).map(|(push, ..)| push.time).min();
    let failures = pulls
        .map(|asked| (asked.cause.clone(), false, asked.actor.clone()))
        .chain(tasks.map(|failure| (failure.cause.clone(), true, None)))
        .filter(|(cause, ..)| listed.is_none_or(|listed| listed > cause.time.min(push.time)));
    let found = finding("asked-before-pushed", repo, digest, "", failures.collect())?;
    Some(Finding { pushed_at: Some(push.time), tags: Vec::new(), ..found })
}

/// The first push of the tag, requested before it.
fn early_tag(repo: &Repo, repository: &Repository, tag: &str) -> Option<Finding> {
    let turn = repository.turns.get(tag)?.first().filter(|turn| turn.how == "pushed")?;
    // Something had the tag before.
    if repository.taken.get(tag).is_some_and(|taken| *taken < turn.time) {
        return None;
    }
    let digest = turn.digest.as_ref()?;
    let asks = repository.tag_asks.get(tag).map(Vec::as_slice).unwrap_or_default();
    let late_stops = repository.images[digest]
        .failures
        .iter()
        .filter(|failure| !failure.by_digest && !failure.refused && failure.tag.as_deref() == Some(tag));
    let stops: Vec<u64> = asks
        .iter()
        .filter(|asked| asked.is_task)
        .map(|asked| asked.cause.time)
        .chain(late_stops.map(|failure| failure.cause.time))
        .collect();
    let told = |time: u64| stops.iter().any(|stop| within(*stop, time));
    let asks = asks.iter().filter(|asked| asked.cause.time <= turn.time).filter(|asked| {
        let other = caller(asked.actor.as_ref()) != caller(turn.actor.as_ref());
        asked.is_task
            || ((all_known(repository, asked.cause.time) || told(asked.cause.time))
                && is_workload(asked.actor.as_ref())
                && other)
    });
    let late = repository.images[digest].failures.iter().filter(|failure| {
        let since = failure.cause.time.checked_sub(turn.time);
        !failure.by_digest
            && !failure.refused
            && failure.tag.as_deref() == Some(tag)
            && since.is_some_and(|since| since <= TRIED_SECONDS)
    });
    let failures = asks
        .map(|asked| (asked.cause.clone(), asked.is_task, asked.actor.clone()))
        .chain(late.map(|failure| (failure.cause.clone(), true, None)));
    let found = finding("asked-before-pushed", repo, digest, tag, failures.collect())?;
    Some(Finding { pushed_at: Some(turn.time), ..found })
}

fn never_digest(repo: &Repo, repository: &Repository, digest: &str, image: &Image) -> Option<Finding> {
    let (refused, tag, pusher) = image.refused_pushes.first()?;
    let was_there = image.exists || image.shown > 0 || image.lives.iter().any(|life| life.known);
    if image.first_push.is_some() || was_there {
        return None;
    }
    let after = |time: u64| time > refused.time;
    let pulls = image.answered.iter().filter(|asked| {
        let other = caller(asked.actor.as_ref()) != caller(pusher.as_ref());
        after(asked.cause.time) && asked.needs && all_known(repository, refused.time) && other
    });
    let tasks = image.failures.iter().filter(|failure| after(failure.cause.time) && !failure.refused);
    let failures = pulls
        .map(|asked| (asked.cause.clone(), false, asked.actor.clone()))
        .chain(tasks.map(|failure| (failure.cause.clone(), true, None)));
    finding("never-pushed-here", repo, digest, tag.as_deref().unwrap_or_default(), failures.collect())
}

/// Whether any image may have had the tag, according to the logs.
fn was_had(repository: &Repository, tag: &str) -> bool {
    let by = |life: &super::fold::Life| life.ever_tags.contains(tag);
    repository.turns.contains_key(tag)
        || repository.taken.contains_key(tag)
        || repository.images.values().any(|image| image.lives.iter().any(by))
}

fn never_tag(repo: &Repo, repository: &Repository, tag: &str, asks: &[Asked]) -> Option<Finding> {
    let (refused, digest, pusher) =
        repository.refused_pushes.get(tag).filter(|_| !was_had(repository, tag))?.first()?;
    let failures = asks.iter().filter(|asked| asked.cause.time >= refused.time).filter(|asked| {
        let other = caller(asked.actor.as_ref()) != caller(pusher.as_ref());
        asked.is_task
            || (all_known(repository, asked.cause.time) && is_workload(asked.actor.as_ref()) && other)
    });
    finding(
        "never-pushed-here",
        repo,
        digest,
        tag,
        failures.map(|asked| (asked.cause.clone(), asked.is_task, asked.actor.clone())).collect(),
    )
}

/// A task named a tag that was on nothing any more, and nothing says what took it off its image.
fn left_tag(repo: &Repo, repository: &Repository, tag: &str, asks: &[Asked]) -> Option<Finding> {
    let turns = repository.turns.get(tag)?;
    let open = asks.iter().filter(|asked| asked.is_task).filter(|asked| {
        let time = asked.cause.time;
        let last = turns.iter().rfind(|turn| turn.time <= time);
        let left = last.is_some_and(|turn| turn.digest.is_none() && turn.how == "other");
        let refused =
            |list: &Vec<(Cause, String, Option<String>)>| list.iter().any(|(cause, ..)| cause.time <= time);
        left && !turns.iter().any(|turn| turn.time > time)
            && !repository.refused_pushes.get(tag).is_some_and(refused)
            && !has_ended(repository, time)
    });
    let open: Vec<_> = open.map(|asked| (asked.cause.clone(), true, None)).collect();
    let lost = turns.last()?.was_on.clone()?;
    finding("unexplained", repo, &lost, tag, open)
}

/// The repository was deleted, and not created since.
fn has_ended(repository: &Repository, time: u64) -> bool {
    let last = |times: &[u64]| times.iter().copied().filter(|event| *event <= time).max();
    last(&repository.deletions)
        .is_some_and(|deleted| last(&repository.creations).is_none_or(|created| created < deleted))
}

/// A task requested a tag that never existed, for no known reason.
fn unknown_tag(repo: &Repo, repository: &Repository, tag: &str, asks: &[Asked]) -> Option<Finding> {
    let open = asks.iter().filter(|asked| asked.is_task).filter(|asked| {
        let time = asked.cause.time;
        let refused = repository
            .refused_pushes
            .get(tag)
            .is_some_and(|list| list.iter().any(|(cause, ..)| cause.time <= time));
        (!refused || repository.taken.contains_key(tag))
            && !has_ended(repository, time)
            && !repository.turns.contains_key(tag)
    });
    finding("unexplained", repo, "", tag, open.map(|asked| (asked.cause.clone(), true, None)).collect())
}
