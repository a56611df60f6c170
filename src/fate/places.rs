//! Every place that has, had or should have a digest, and how the places are related.

use super::Fates;
use crate::model::{
    Digest, FateRole, ImageReference, ImageState, MINUTE_MILLIS, Presence, PushOrigin, Repository, StepKind,
};
use crate::timeline::{Destination, DigestNo, EventNo, History, Image, RepositoryHistory, Step, Upstream};

/// Replication mostly takes less than half an hour (ECR User Guide).
const UNDER_WAY_MILLIS: i64 = 30 * MINUTE_MILLIS;

/// A repository and the digest in it, before it is put into words.
pub(super) struct Spot<'h> {
    pub name: Repository,
    /// `None` if the evidence has nothing of it except a replication rule.
    pub repository: Option<&'h RepositoryHistory>,
    pub image: Option<&'h Image>,
    pub role: FateRole,
    pub role_logged: bool,
    /// Index of the place that it is a copy of.
    pub copy_of: Option<usize>,
    /// The replication rule that made the copy.
    pub copied_by: EventNo,
    pub upstream: Option<Upstream>,
    pub presence: Presence,
    /// The push that brought it, in its present or last life.
    pub arrival: EventNo,
    /// The last event that shows it there.
    pub seen: EventNo,
    /// Why it has not arrived.
    pub missing: Option<Missing>,
}

/// Why a destination lacks what its source has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    /// It was pushed before the rule was put; replication only copies what is pushed later.
    PushedBefore,
    /// It was pushed less than half an hour before.
    UnderWay,
    /// The evidence about that place does not have it.
    NotSeen,
    /// There is no evidence about that place.
    NoEvidence,
}

impl Spot<'_> {
    pub fn has_it(&self) -> bool {
        self.presence.has_it()
    }
}

pub(super) fn all<'h>(fates: &Fates<'h>, digest: Digest, asked: &Repository) -> Vec<Spot<'h>> {
    let history = fates.history;
    let number = history.find_digest(&digest);
    let with = |repository: &'h RepositoryHistory| {
        number.and_then(|number| repository.image(number)).map(|image| (repository, image))
    };
    let known: Vec<(&RepositoryHistory, &Image)> = history.repositories().iter().filter_map(with).collect();
    let mut spots: Vec<Spot<'h>> =
        known.iter().map(|(repository, image)| spot(history, repository, image)).collect();
    if !spots.iter().any(|spot| spot.name == *asked) {
        let repository = history.find_repository(asked);
        spots.push(Spot {
            repository,
            role: FateRole::Unknown,
            missing: Some(Missing::NotSeen),
            ..nothing(asked.clone())
        });
    }
    relate(fates, &mut spots);
    for at in 0..spots.len() {
        destinations(fates, number, at, &mut spots);
    }
    in_order(spots)
}

fn nothing<'h>(name: Repository) -> Spot<'h> {
    Spot {
        name,
        repository: None,
        image: None,
        role: FateRole::Replica,
        role_logged: false,
        copy_of: None,
        copied_by: EventNo::NONE,
        upstream: None,
        presence: Presence::Unknown,
        arrival: EventNo::NONE,
        seen: EventNo::NONE,
        missing: None,
    }
}

fn spot<'h>(history: &'h History, repository: &'h RepositoryHistory, image: &'h Image) -> Spot<'h> {
    let pushed = |step: &&Step| matches!(step.kind, StepKind::Push | StepKind::Replicate);
    let life = life(image);
    let arrival = life.iter().find(pushed);
    let shows = |step: &&Step| {
        matches!(step.kind, StepKind::Push | StepKind::Replicate | StepKind::Seen | StepKind::Restore)
    };
    let seen = image
        .steps
        .iter()
        .filter(shows)
        .max_by_key(|step| history.noted(step.event).time)
        .map_or(EventNo::NONE, |step| step.event);
    let role = match arrival {
        Some(_) if life.iter().any(|step| step.kind == StepKind::Replicate) => FateRole::Replica,
        Some(_) if image.origin == PushOrigin::PullThroughCache => FateRole::Cache,
        Some(_) => FateRole::Own,
        None => FateRole::Unknown,
    };
    Spot {
        repository: Some(repository),
        image: Some(image),
        role,
        role_logged: arrival.is_some(),
        presence: presence(image),
        arrival: arrival.map_or(EventNo::NONE, |step| step.event),
        seen,
        missing: image.never_listed().map(|_| Missing::NotSeen),
        ..nothing(history.repository(repository))
    }
}

/// The steps of its present or last life.
fn life(image: &Image) -> &[Step] {
    let begins = |step: &Step| matches!(step.kind, StepKind::Push | StepKind::Replicate);
    let now = image.steps.get(image.life_start as usize..).unwrap_or_default();
    match image.losses.last() {
        Some(loss) if !now.iter().any(begins) => {
            image.steps.get(loss.first_step as usize..).unwrap_or_default()
        }
        _ => now,
    }
}

fn presence(image: &Image) -> Presence {
    match image.state {
        ImageState::Tagged | ImageState::Untagged => Presence::There,
        ImageState::Archived => Presence::Archived,
        ImageState::Unknown if image.is_there => Presence::There,
        // It was most likely deleted with its source, or existed in an earlier life of the repository.
        ImageState::Unknown
            if image.vanished || image.losses.last().is_some_and(|loss| loss.back_at.is_none()) =>
        {
            Presence::Gone
        }
        ImageState::Unknown if image.never_listed().is_some() => Presence::Absent,
        ImageState::Unknown => Presence::Unknown,
        ImageState::Expired | ImageState::Deleted | ImageState::RepositoryDeleted | ImageState::Gone => {
            Presence::Gone
        }
    }
}

/// Determines which place is a copy of which.
fn relate(fates: &Fates<'_>, spots: &mut [Spot<'_>]) {
    let history = fates.history;
    for at in 0..spots.len() {
        caches(fates, at, spots);
        if matches!(spots[at].role, FateRole::Cache | FateRole::Own) {
            continue;
        }
        let Some((source, rule)) = source_of(fates, at, spots) else { continue };
        let spot = &mut spots[at];
        (spot.copy_of, spot.copied_by, spot.role) = (Some(source), rule, FateRole::Replica);
    }
    let copied: Vec<usize> = spots.iter().filter_map(|spot| spot.copy_of).collect();
    for at in copied {
        if matches!(spots[at].role, FateRole::Own | FateRole::Unknown) {
            spots[at].role = FateRole::Source;
        }
    }
    for spot in spots.iter_mut().filter(|spot| matches!(spot.role, FateRole::Own | FateRole::Unknown)) {
        let copies =
            spot.repository.and_then(|repository| history.destinations(repository, fates.as_of.millis()));
        if spot.role == FateRole::Own && copies.is_some_and(|places| !places.is_empty()) {
            spot.role = FateRole::Source;
        }
    }
}

/// The place that a replica comes from, and the rule. If a log shows that it is a replica, it may come from
/// any place that is replicated to it; if only a snapshot shows it, the source must have been pushed first.
fn source_of(fates: &Fates<'_>, at: usize, spots: &[Spot<'_>]) -> Option<(usize, EventNo)> {
    let history = fates.history;
    let spot = spots.get(at)?;
    let moment = spot.arrival.some().map_or(fates.as_of.millis(), |event| history.noted(event).time);
    let is_logged = spot.role == FateRole::Replica;
    let pushed = |spot: &Spot<'_>| {
        spot.image.and_then(|image| image.losses.first().map_or(image.pushed_at, |loss| loss.pushed_at))
    };
    let own = pushed(spot);
    let mut found: Vec<(bool, Option<i64>, usize, EventNo)> = Vec::new();
    for (number, other) in
        spots.iter().enumerate().filter(|(number, other)| *number != at && other.name.name == spot.name.name)
    {
        // A replica is not copied on.
        if other.role == FateRole::Replica && (other.role_logged || other.copy_of.is_some()) {
            continue;
        }
        let rule = [moment, fates.as_of.millis()]
            .into_iter()
            .find_map(|moment| leads_to(history, other, &spot.name, moment));
        let first =
            other.role == FateRole::Own || is_logged || (pushed(other), &other.name) < (own, &spot.name);
        if let Some(rule) = rule.filter(|_| first) {
            found.push((other.role != FateRole::Own, pushed(other), number, rule.set_by));
        }
    }
    found.sort_unstable_by_key(|(is_unsure, pushed, number, _)| (*is_unsure, *pushed, *number));
    found.first().map(|(.., number, rule)| (*number, *rule))
}

/// The destination of a place's replication rules that is the other place, at that moment.
pub(super) fn leads_to(
    history: &History,
    from: &Spot<'_>,
    to: &Repository,
    moment: i64,
) -> Option<Destination> {
    let repository = from.repository?;
    if from.name.name != to.name {
        return None;
    }
    let all = history.destinations(repository, moment)?;
    all.into_iter().find(|destination| history.place_in(repository, *destination) == *to)
}

/// A pull-through cache, and the repository in the evidence that it copies, if its upstream is an ECR
/// registry.
fn caches(fates: &Fates<'_>, at: usize, spots: &mut [Spot<'_>]) {
    let history = fates.history;
    let Some(repository) =
        spots[at].repository.filter(|_| matches!(spots[at].role, FateRole::Cache | FateRole::Unknown))
    else {
        return;
    };
    let Some(upstream) = history.upstream(repository, fates.as_of.millis()) else { return };
    let named = ImageReference::parse(&format!("{}/{}", history.text(upstream.host), upstream.name));
    let is_it = |spot: &Spot<'_>, named: &ImageReference| {
        let Repository { registry_id, region, name } = &spot.name;
        [registry_id.raw(), region.raw(), name.raw()]
            == [&*named.registry_id, &*named.region, &*named.repository]
    };
    spots[at].copy_of = named
        .and_then(|named| spots.iter().position(|spot| is_it(spot, &named)))
        .filter(|source| *source != at);
    spots[at].role = FateRole::Cache;
    spots[at].upstream = Some(upstream);
}

/// Destinations of the rules in force that should have the image of a place, and do not.
fn destinations<'h>(fates: &Fates<'h>, number: Option<DigestNo>, at: usize, spots: &mut Vec<Spot<'h>>) {
    let history = fates.history;
    let Some((repository, image)) = spots[at].repository.zip(spots[at].image) else { return };
    // A replica is not copied on, and an image that is gone is not copied any more.
    if spots[at].role == FateRole::Replica || !spots[at].has_it() {
        return;
    }
    for destination in history.destinations(repository, fates.as_of.millis()).unwrap_or_default() {
        let name = history.place_in(repository, destination);
        if spots.iter().any(|spot| spot.name == name && (spot.image.is_some() || spot.copy_of.is_some())) {
            continue;
        }
        let copy = history.copy_in(repository, destination);
        let missing = missing(fates, image, destination, copy);
        let presence = if missing == Missing::NoEvidence || number.is_none() {
            Presence::Unknown
        } else {
            Presence::Absent
        };
        spots.retain(|spot| spot.name != name);
        let spot = Spot {
            repository: copy,
            copy_of: Some(at),
            copied_by: destination.set_by,
            presence,
            missing: Some(missing),
            ..nothing(name)
        };
        spots.push(spot);
    }
}

fn missing(
    fates: &Fates<'_>,
    image: &Image,
    destination: Destination,
    copy: Option<&RepositoryHistory>,
) -> Missing {
    let history = fates.history;
    let (put, pushed) = (history.noted(destination.set_by), image.pushed_at.unwrap_or(i64::MIN));
    // If a rule is known only from a snapshot, it is not known since when it holds.
    if !put.snapshot && pushed < put.time {
        return Missing::PushedBefore;
    }
    if fates.as_of.millis() - pushed < UNDER_WAY_MILLIS {
        return Missing::UnderWay;
    }
    let is_told = |copy: &RepositoryHistory| copy.listing.is_some() || history.has_owners_trail(copy);
    if copy.is_some_and(is_told) { Missing::NotSeen } else { Missing::NoEvidence }
}

/// Sorts each place before its copies: roots by name, each followed by its copies.
fn in_order(spots: Vec<Spot<'_>>) -> Vec<Spot<'_>> {
    let mut order: Vec<usize> = Vec::with_capacity(spots.len());
    let mut roots: Vec<usize> = (0..spots.len()).filter(|at| spots[*at].copy_of.is_none()).collect();
    let key = |at: &usize| (spots[*at].role, spots[*at].name.clone());
    roots.sort_by_key(key);
    let mut waiting: Vec<usize> = roots.into_iter().rev().collect();
    while let Some(at) = waiting.pop() {
        if order.contains(&at) {
            continue;
        }
        order.push(at);
        let mut copies: Vec<usize> =
            (0..spots.len()).filter(|copy| spots[*copy].copy_of == Some(at)).collect();
        copies.sort_by_key(key);
        waiting.extend(copies.into_iter().rev());
    }
    // Two caches of each other have no root.
    let rest: Vec<usize> = (0..spots.len()).filter(|at| !order.contains(at)).collect();
    order.extend(rest);
    let mut place = vec![0; order.len()];
    order.iter().enumerate().for_each(|(new, old)| place[*old] = new);
    let mut sorted: Vec<Option<Spot<'_>>> = spots.into_iter().map(Some).collect();
    let moved = order.iter().filter_map(|old| sorted[*old].take());
    moved.map(|spot| Spot { copy_of: spot.copy_of.map(|old| place[old]), ..spot }).collect()
}
