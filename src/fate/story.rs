//! A fate in sentences: what is known about each place, and what to do.

use super::places::{Missing, Spot};
use super::{Fates, ends};
use crate::detect::{caller, place, rule_in_words};
use crate::model::{Fate, FatePlace, FateRole, LogText, Outlook, Presence, needing_in_words};
use crate::timeline::{End, EventNo, History, Loss, RepositoryHistory};

/// Maximum number of tags that are named.
const TAGS_MAX: usize = 5;

pub(super) fn of(fates: &Fates<'_>, spot: &Spot<'_>, told: &FatePlace, will: &Option<String>) -> Vec<String> {
    let mut story: Vec<String> = vec![how_it_is(fates, spot, told)];
    story.extend(born(told));
    story.extend(
        will.as_ref()
            .filter(|_| told.next.as_ref().is_some_and(has_policy))
            .map(|words| format!("It {words}.")),
    );
    story.extend(told.goes_with.iter().map(with_source));
    story.extend(takes(told));
    story.extend(needed(told));
    story
}

fn has_policy(next: &crate::model::FateNext) -> bool {
    next.policy_event.is_some() || next.outlook != Outlook::Unknown
}

fn how_it_is(fates: &Fates<'_>, spot: &Spot<'_>, told: &FatePlace) -> String {
    let history = fates.history;
    let came = told
        .pushed_at
        .map(|at| format!("{} {at}", if told.role == FateRole::Replica { "since" } else { "pushed at" }));
    let came = came.map(|came| format!(", {came}")).unwrap_or_default();
    match told.presence {
        Presence::There if told.state == crate::model::ImageState::Unknown => {
            format!("It is there{came}; its tags are not in the logs.")
        }
        Presence::There => format!("It is there, {}{came}.", tags(&told.tags)),
        Presence::Archived => {
            let how =
                ends::last(spot).map(|loss| format!(", {}", ended(history, spot, loss))).unwrap_or_default();
            format!(
                "It is in the archive, {}{how}: a pull does not find it before it is restored.",
                tags(&told.tags)
            )
        }
        Presence::Gone => ends::last(spot).map_or_else(
            || "It was there before its repository was deleted and created anew, and is not.".to_owned(),
            |loss| format!("It is gone: {}.", ended(history, spot, loss)),
        ),
        Presence::Absent | Presence::Unknown => missing(spot).to_owned(),
    }
}

fn missing(spot: &Spot<'_>) -> &'static str {
    match spot.missing {
        Some(Missing::PushedBefore) => {
            "It did not come: replication copies what is pushed after its rule was put, and this was pushed \
             before."
        }
        Some(Missing::UnderWay) => {
            "It may be on its way: the push is less than half an hour old, and replication mostly takes less \
             than that."
        }
        Some(Missing::NotSeen) if spot.copied_by.is_some() => {
            "It should have come by replication, and nothing shows that it did."
        }
        Some(Missing::NotSeen) => "Nothing shows that it was ever here.",
        Some(Missing::NoEvidence) => {
            "It should have come by replication; nothing of that registry is in this evidence, so that it is \
             not known."
        }
        None => "It is named, and nothing tells whether it is there.",
    }
}

/// `at T lifecycle rule 1 … took it`.
fn ended(history: &History, spot: &Spot<'_>, loss: &Loss) -> String {
    let at = crate::model::Timestamp::from_millis(loss.at);
    let rule = || rule_in_words(history, loss);
    if let Some((image, repository)) = spot.image.zip(spot.repository)
        && let Some((source, _, behind)) = history.behind(repository, image, loss)
    {
        let there = place(&history.repository(source));
        let by =
            if behind.run.is_some() { rule_in_words(history, behind) } else { caller(history, behind.event) };
        return if std::ptr::eq(source, repository) {
            format!("it most likely went by {at} with the image that it is about, which {by} took")
        } else {
            format!(
                "it most likely went at {at} with its source in {there}, where {by} took it: that source's \
                 deletions are replicated"
            )
        };
    }
    match loss.end {
        End::Expired => format!("{} took it at {at}", rule()),
        End::Archived if loss.run.is_some() => format!("put there by {} at {at}", rule()),
        End::Archived => format!("put there by {} at {at}", caller(history, loss.event)),
        End::DeletedByDigest => format!("{} deleted it at {at}", caller(history, loss.event)),
        End::DeletedByLastTag => {
            format!("{} deleted its last tag at {at}, and it went with that", caller(history, loss.event))
        }
        End::RepositoryDeleted => format!("{} deleted the repository at {at}", caller(history, loss.event)),
        End::NotListed => {
            format!("a list of the repository of {at} does not have it, and no log says what took it")
        }
    }
}

fn tags(tags: &[LogText]) -> String {
    let named: Vec<&str> = tags.iter().take(TAGS_MAX).map(LogText::raw).collect();
    let more = tags.len().saturating_sub(TAGS_MAX);
    match named.len() {
        0 => "without a tag".to_owned(),
        1 => format!("with tag {}", named[0]),
        _ if more > 0 => format!("with tags {} and {more} more", named.join(", ")),
        _ => format!("with tags {}", named.join(", ")),
    }
}

fn born(told: &FatePlace) -> Option<String> {
    let born = told.born_untagged.as_ref()?;
    let tag = born.tag.as_ref().map_or("its tag", LogText::raw);
    let taken = born.taken_by.map_or_else(
        || " another image must have had it here, and".to_owned(),
        |digest| format!(" {tag} was on {} here, and", digest.short()),
    );
    Some(format!(
        "Replication brought it without {tag}:{taken} tags cannot be moved here. A rule for untagged images \
         would take it, whatever its source has."
    ))
}

fn with_source(with: &crate::model::GoesWith) -> String {
    let source = place(&with.repository);
    match (with.eligible_at, with.rule_priority) {
        (Some(at), Some(rule)) => {
            format!(
                "It goes with its source in {source}, which rule {rule} there takes within a day of {at}: \
                 deletions there are replicated to here."
            )
        }
        _ => {
            format!(
                "Who deletes it in {source} takes it here, too: deletions there are replicated to here. No \
                 rule takes it there as things stand."
            )
        }
    }
}

fn takes(told: &FatePlace) -> Option<String> {
    let names: Vec<String> = told.takes.iter().map(place).collect();
    (!names.is_empty())
        .then(|| format!("What deletes it here deletes it in {}, too.", crate::detect::listed(&names)))
}

fn needed(told: &FatePlace) -> Option<String> {
    let owner = told.repository.registry_id.raw();
    let names: Vec<String> = told.needed_by.iter().map(|name| needing_in_words(name.raw(), owner)).collect();
    match names.is_empty() {
        true if told.needed => Some("It was pulled by its digest: somebody needs it here.".to_owned()),
        true => None,
        false => Some(format!("Needed here by {}.", crate::detect::listed(&names))),
    }
}

/// What the evidence does not tell about these places.
pub(super) fn unknown(fates: &Fates<'_>, spots: &[Spot<'_>], places: &[FatePlace]) -> Vec<String> {
    let history = fates.history;
    let mut list = Vec::new();
    for (spot, told) in spots.iter().zip(places) {
        let Some(repository) = spot.repository else { continue };
        let name = place(&spot.name);
        if spot.has_it() && fates.repository_forecast(repository).is_none() {
            list.extend(policy_unknown(repository).map(|text| format!("In {name}: {text}")));
        }
        list.extend(illegible_since(history, repository, spot, told));
        if told.role == FateRole::Replica && told.copy_of.is_none() {
            list.push(format!(
                "Where the replica in {name} comes from: no replication rule of this evidence leads there. \
                 `aws ecr describe-registry` in the source's account and region tells it, and whether \
                 deletions reach it."
            ));
        }
        let copies = matches!(told.role, FateRole::Source | FateRole::Own | FateRole::Unknown);
        if copies && spot.has_it() && history.destinations(repository, fates.as_of.millis()).is_none() {
            list.push(format!(
                "Whether {name} is copied elsewhere: the replication rules of {} in {} are not in this \
                 evidence. `aws ecr describe-registry` tells them.",
                spot.name.registry_id.raw(),
                spot.name.region.raw()
            ));
        }
        if told.role == FateRole::Cache && told.upstream.is_none() {
            list.push(format!(
                "What {name} is a pull-through cache of: `aws ecr describe-pull-through-cache-rules` tells \
                 it."
            ));
        }
    }
    list
}

/// An event since the image was seen last that does not say what it did to the repository: it may have taken the image.
fn illegible_since(
    history: &History,
    repository: &RepositoryHistory,
    spot: &Spot<'_>,
    told: &FatePlace,
) -> Option<String> {
    let seen = spot.seen.some().filter(|_| spot.has_it()).map(|event| history.noted(event).time)?;
    let since = |event: &&EventNo| history.noted(**event).time >= seen;
    let first = repository.gaps.iter().filter(since).min_by_key(|event| history.noted(**event).time)?;
    let event = history.event(*first);
    let copies: Vec<String> = told.takes.iter().map(place).collect();
    let copies = match copies.as_slice() {
        [] => String::new(),
        copies => format!(", and with it the image in {}", crate::detect::listed(copies)),
    };
    Some(format!(
        "What was done in {} by {} of {}: the record does not say. It may have taken it there{copies}.",
        place(&spot.name),
        event.event_name.raw(),
        event.event_time
    ))
}

fn policy_unknown(repository: &RepositoryHistory) -> Option<String> {
    crate::forecast::unknown(repository, None).filter(|_| repository.policy_deleted.is_none())
}

/// What to do, the most urgent first.
pub(super) fn advice(fate: &Fate) -> Vec<String> {
    let mut list = Vec::new();
    let reference = |told: &FatePlace| {
        format!(
            "{}@{}",
            crate::detect::advice::uri(
                told.repository.registry_id.raw(),
                told.repository.region.raw(),
                told.repository.name.raw()
            ),
            fate.digest
        )
    };
    for told in &fate.places {
        let name = place(&told.repository);
        match (told.presence, &told.first_end) {
            (Presence::Gone | Presence::Archived, _) if told.needed => list.push(if fate.copies > 0 {
                format!(
                    "It is needed in {name} and cannot be pulled there: `tagfall rescue {}`, with these \
                     sources, prints the commands that bring it back.",
                    reference(told)
                )
            } else {
                format!(
                    "It is needed in {name}, and no place of this evidence has it any more: `tagfall rescue \
                     {}` tells who made it.",
                    reference(told)
                )
            }),
            (_, Some(end)) if told.needed => list.push(format!(
                "It is needed in {name} and goes by {}: give it a tag there that no rule takes, or try \
                 another policy with `tagfall whatif --suggest`{}.",
                end.expected_by,
                if end.by == told.repository {
                    String::new()
                } else {
                    format!(" for {}, whose deletions are replicated", place(&end.by))
                }
            )),
            _ => {}
        }
        if let (Some(born), true) = (&told.born_untagged, told.presence == Presence::There) {
            let tag = born.tag.as_ref().map_or("the tag", LogText::raw);
            list.push(format!(
                "Give the replica in {name} a tag, before a rule for untagged images takes it: exempt {tag} \
                 from immutability there and push again, or put another tag on it there."
            ));
        }
    }
    if let (Some(only), Some(by)) = (&fate.last_copy, fate.all_gone_by) {
        list.push(format!(
            "The copy in {} is the last one that this evidence knows, and it goes by {by}: copy it elsewhere, \
             or keep it there.",
            place(only)
        ));
    } else if let (Some(by), true) = (fate.all_gone_by, fate.copies > 1) {
        list.push(format!("By {by} all {} known copies are gone by the policies in force.", fate.copies));
    }
    list
}
