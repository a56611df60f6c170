//! Collects from the timeline what the advice depends on: timeline → [`Situation`].

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Lost, Measure, Needed, Pin, PolicySince, Restore, Situation, TagNow, Who, advice, advice_for_now,
};
use crate::detect::usage::{Harm, usage_of_loss};
use crate::detect::{Subject, rule_of};
use crate::model::{ImageState, Principal, PushOrigin, StepKind, Timestamp};
use crate::policy::{Count, Rule, Tags};
use crate::timeline::{
    Displacement, End, EventNo, History, Image, KnownFrom, Loss, PolicyInForce, RepositoryHistory, Sym, Use,
    UseKind,
};

/// The image that the advice is about.
#[derive(Clone, Copy)]
pub struct About<'h> {
    pub history: &'h History,
    pub repository: &'h RepositoryHistory,
    pub image: &'h Image,
}

impl<'h> From<Subject<'h>> for About<'h> {
    fn from(subject: Subject<'h>) -> Self {
        Self { history: subject.history, repository: subject.repository, image: subject.image }
    }
}

/// Advice about an image that is gone or archived.
pub fn of_loss(subject: Subject<'_>, loss: &Loss, harm: &Harm) -> Vec<String> {
    advice(&of_end(subject.into(), loss, harm))
}

/// The same, with the caller's own advice on how to keep it from happening again.
pub fn of_loss_with(subject: Subject<'_>, loss: &Loss, harm: &Harm, prevention: Vec<String>) -> Vec<String> {
    let situation = of_end(subject.into(), loss, harm);
    [advice_for_now(&situation), prevention].concat()
}

/// The same for somebody who asks why a reference does not resolve, and who therefore needs the image.
///
/// `prevention`: advice on how to keep it from happening again that fits better than the usual one; may be
/// empty.
pub fn of_question(about: About<'_>, loss: &Loss, tag: Option<&str>, prevention: &[String]) -> Vec<String> {
    let is_child = about.repository.parents.contains_key(&about.image.digest);
    let mut situation = of_end(about, loss, &usage_of_loss(about.history, about.image, loss, is_child));
    if let Some(tag) = tag.filter(|tag| !situation.tags.iter().any(|(known, _)| known == tag)) {
        situation.tags.insert(0, (tag.to_owned(), now(about, tag)));
    }
    if situation.needed.is_empty() {
        // Where a text names both, the tag is what somebody wrote, and the digest is what it was resolved
        // to.
        situation
            .needed
            .push(Needed { who: Who::Other, pin: tag.map_or(Pin::Digest, |tag| Pin::Tag(tag.to_owned())) });
        situation.copy = copy(about);
    }
    if prevention.is_empty() {
        advice(&situation)
    } else {
        [advice_for_now(&situation), prevention.to_vec()].concat()
    }
}

fn of_end(about: About<'_>, loss: &Loss, harm: &Harm) -> Situation {
    let tags: Vec<Sym> = loss
        .displaced
        .iter()
        .map(|displaced| displaced.tag)
        .chain(loss.tags.iter().map(|(tag, _)| *tag))
        .collect();
    Situation {
        is_back: loss.back_at.is_some(),
        recreated: loss.end == End::RepositoryDeleted
            && about.repository.creations.iter().any(|event| about.history.noted(*event).time >= loss.at),
        two_pushers: loss.displaced.as_deref().is_some_and(|displaced| two_pushers(about, displaced)),
        policy: policy_since(about, loss),
        ..situation(about, lost(about, loss), &tags, harm)
    }
}

/// What became of the policy since the loss. A run states the policy that was in force already, so only a
/// policy that was put counts as a change.
fn policy_since(about: About<'_>, loss: &Loss) -> PolicySince {
    let put_later = |policy: &PolicyInForce| {
        policy.known_from == KnownFrom::Put && about.history.noted(policy.since).time > loss.at
    };
    let Some(put) = about.repository.policy.filter(put_later) else { return PolicySince::Same };
    let named = |rule: &Rule| match &rule.tags {
        Tags::Tagged { prefixes, patterns } if prefixes.is_empty() && patterns.is_empty() => false,
        tags => loss.tags.iter().any(|(tag, _)| tags.speaks_of(about.history.text(*tag))),
    };
    if about.history.policy(put.policy).rules().iter().any(named) {
        PolicySince::Protects
    } else {
        PolicySince::Changed
    }
}

/// Advice about an image that lost its tag and is still there.
pub fn of_displaced(subject: Subject<'_>, displaced: &Displacement, harm: &Harm) -> Vec<String> {
    let about = About::from(subject);
    advice(&Situation {
        two_pushers: two_pushers(about, displaced),
        ..situation(about, Lost::AtRisk, &[displaced.tag], harm)
    })
}

fn situation(about: About<'_>, lost: Lost, tags: &[Sym], harm: &Harm) -> Situation {
    let repository = about.history.repository(about.repository);
    let mut needed: Vec<Needed> =
        harm.needs.iter().filter_map(|found| needed(about, found, &harm.needs)).collect();
    let done = done(about, &harm.needs);
    // Pulls in vain from before the known parties were given another image are those parties' own.
    let last_pull = harm.usage.last_pull.as_ref().map_or(i64::MIN, |pull| pull.event_time.millis());
    if done.is_empty()
        || harm.needs.iter().filter(|found| !is_open(found)).all(|found| found.until < last_pull)
    {
        needed.extend(pullers(about, harm, &needed));
    }
    needed.sort();
    needed.dedup();
    let text = |tag: &Sym| about.history.text(*tag).to_owned();
    let mut of_interest: Vec<String> = tags.iter().map(text).collect();
    // Tags that somebody names come first: those are what failed.
    let named: BTreeSet<&str> = needed
        .iter()
        .filter_map(|needed| if let Pin::Tag(tag) = &needed.pin { Some(tag.as_str()) } else { None })
        .collect();
    of_interest.sort_by_key(|tag| !named.contains(tag.as_str()));
    for tag in named {
        if !of_interest.iter().any(|known| known == tag) {
            of_interest.push(tag.to_owned());
        }
    }
    Situation {
        registry_id: repository.registry_id.raw().to_owned(),
        region: repository.region.raw().to_owned(),
        repository: repository.name.raw().to_owned(),
        digest: about.history.digest_or_zero(about.image.digest),
        lost,
        copy: if needed.is_empty() { None } else { copy(about) },
        needed,
        tags: of_interest
            .into_iter()
            .map(|tag| (now(about, &tag), tag))
            .map(|(now, tag)| (tag, now))
            .collect(),
        is_back: false,
        recreated: false,
        done,
        two_pushers: false,
        policy: PolicySince::Same,
    }
}

/// Where a tag points at the end of the logs.
fn now(about: About<'_>, tag: &str) -> TagNow {
    let holder = about.history.find_string(tag).and_then(|tag| about.repository.holder(tag));
    let holder = holder.filter(|holder| holder.is_alive() && holder.digest != about.image.digest);
    holder.and_then(|holder| about.history.digest(holder.digest)).map_or(TagNow::Gone, TagNow::On)
}

fn lost(about: About<'_>, loss: &Loss) -> Lost {
    let tagged = loss.run.as_ref().is_some_and(|run| !run.tags.is_empty()) || !loss.tags.is_empty();
    match (loss.end, about.image.origin) {
        (End::Archived, _) => Lost::Archived(restore(about.image)),
        (End::RepositoryDeleted, _) => Lost::RepositoryDeleted,
        (End::NotListed, _) => Lost::NotListed,
        (End::DeletedByDigest | End::DeletedByLastTag, _) => Lost::Deleted,
        (End::Expired, PushOrigin::PullThroughCache) => Lost::CacheCopy,
        (End::Expired, _) if loss.displaced.is_some() => Lost::TagMoved,
        (End::Expired, PushOrigin::Replication) => Lost::Replica,
        (End::Expired, _) if tagged => Lost::Tagged(measure(about, loss)),
        (End::Expired, _) if about.repository.parents.contains_key(&about.image.digest) => Lost::Child,
        (End::Expired, _) => Lost::Untagged,
    }
}

/// Whether somebody asked for the image to be restored from the archive.
fn restore(image: &Image) -> Restore {
    let since_archived = image.steps.iter().rev().take_while(|step| step.kind != StepKind::Archive);
    if since_archived.into_iter().any(|step| step.kind == StepKind::RestoreRequested) {
        Restore::UnderWay
    } else {
        Restore::NotAsked
    }
}

/// Whether the rule that took it goes by number or by age.
fn measure(about: About<'_>, loss: &Loss) -> Measure {
    match rule_of(about.history, loss).map(|rule| rule.count) {
        Some(Count::MoreThan(_)) => Measure::Count,
        Some(Count::Since(..)) => Measure::Age,
        Some(Count::Unknown) | None => Measure::Unknown,
    }
}

/// Whether two different principals pushed the tag; see [`Principal`] for which sessions are one principal.
fn two_pushers(about: About<'_>, displaced: &Displacement) -> bool {
    let who = |event: EventNo| about.history.text(about.history.noted(event).actor);
    displaced
        .first_push
        .some()
        .is_some_and(|first| Principal::of(who(first)) != Principal::of(who(displaced.second_push)))
}

/// Another repository that has the same digest.
fn copy(about: About<'_>) -> Option<(String, String, String)> {
    let others =
        about.history.repositories().iter().filter(|other| other.repository != about.repository.repository);
    let has = |other: &&RepositoryHistory| {
        other
            .image(about.image.digest)
            .is_some_and(|image| matches!(image.state, ImageState::Tagged | ImageState::Untagged))
    };
    let found = about.history.repository(others.into_iter().find(has)?);
    Some((found.registry_id.raw().to_owned(), found.region.raw().to_owned(), found.name.raw().to_owned()))
}

/// Parties that needed the image and were given another one since: one sentence for each, about the last
/// time.
fn done(about: About<'_>, uses: &[Use]) -> Vec<String> {
    let mut ended: BTreeMap<&str, i64> = BTreeMap::new();
    for found in uses.iter().filter(|found| !is_open(found)) {
        let until = ended.entry(about.history.text(found.by)).or_insert(found.until);
        *until = found.until.max(*until);
    }
    ended.retain(|name, _| {
        !uses.iter().any(|found| is_open(found) && found.kind.pins() && about.history.text(found.by) == *name)
    });
    let named = |name: &str| name.splitn(6, ':').nth(5).unwrap_or(name).to_owned();
    let say = |(name, until): (&str, i64)| {
        format!(
            "{} was deployed anew, or ended, at {}: it does not need the lost image any more.",
            named(name),
            Timestamp::from_millis(until)
        )
    };
    ended.into_iter().map(say).collect()
}

/// Whether this use was still going on when the logs ended.
fn is_open(found: &Use) -> bool {
    found.until == i64::MAX
}

fn needed(about: About<'_>, found: &Use, all: &[Use]) -> Option<Needed> {
    let (history, name) = (about.history, about.history.text(found.by));
    if !is_open(found) {
        return None;
    }
    // A task group `service:NAME` is the same as the service that is also known by its ARN.
    let same_service = |other: &Use| {
        name.strip_prefix("service:")
            .is_some_and(|name| history.text(other.by).ends_with(&format!("/{name}")))
    };
    if all.iter().any(same_service) {
        return None;
    }
    let pin = match (found.tag.some(), found.kind) {
        (Some(tag), kind) if kind != UseKind::DeployedByDigest => Pin::Tag(history.text(tag).to_owned()),
        // ECS pulls by digest even where the definition names a tag.
        (_, UseKind::TaskStopped | UseKind::ResolvedByTask) => Pin::Unknown,
        _ => Pin::Digest,
    };
    Some(Needed { who: Who::of(name, history.text(found.through)), pin })
}

/// Parties that are known only because they pulled the image.
fn pullers(about: About<'_>, harm: &Harm, known: &[Needed]) -> Vec<Needed> {
    let mut found = Vec::new();
    for (actor, tag) in &harm.in_vain {
        let tag = tag.some().map(|tag| about.history.text(tag).to_owned());
        let session = about.history.text(*actor).rsplit(['/', ':']).next().unwrap_or_default();
        let session = session.split(' ').next().unwrap_or_default();
        let hex = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if session.len() == 32 && hex(session) {
            let is_ecs = |needed: &Needed| matches!(needed.who, Who::EcsService { .. } | Who::EcsTask { .. });
            if !known.iter().any(is_ecs) {
                found.push(Needed {
                    who: Who::EcsTask { region: String::new() },
                    pin: tag.map_or(Pin::Unknown, Pin::Tag),
                });
            }
        } else if session.strip_prefix("i-").is_some_and(hex) {
            let is_ecs = |needed: &Needed| matches!(needed.who, Who::EcsService { .. } | Who::EcsTask { .. });
            if !known.iter().any(is_ecs) {
                found.push(Needed { who: Who::Node, pin: tag.map_or(Pin::Digest, Pin::Tag) });
            }
        } else if known.is_empty() {
            found.push(Needed { who: Who::Other, pin: tag.map_or(Pin::Digest, Pin::Tag) });
        }
    }
    found
}
