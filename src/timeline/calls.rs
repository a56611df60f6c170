//! One event for each call: drops second copies, merges the events that one call left in two accounts'
//! trails, and applies addenda.
//!
//! Where a call has several events, the most informative one is kept: an event whose payload CloudTrail
//! left out must not hide one that has it. Among equally informative ones an addendum goes first, then the
//! event in the trail of the repository's owner.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

use super::fact::{CallKey, EventId, Fact, Noted, What};
use super::fold::compare_ids;
use super::names::{EventNo, Map, Names, Sym};

/// Decides which events to keep: `true` for one event of each call.
pub(super) fn one_of_each(events: &mut [Noted], facts: &[Fact], names: &Names) -> Vec<bool> {
    follow_chains(events, names);
    point_addenda_at_events(events);
    let mut kept = vec![true; events.len()];
    let groups = groups(events);
    if groups.is_empty() {
        return kept;
    }
    let ranks = ranks(events, facts, names);
    for mut group in groups {
        drop_copies(&mut group, events, names, &mut kept);
        group.sort_unstable_by(|&a, &b| {
            let (left, right) = (&events[a], &events[b]);
            // Of several addenda the last one holds.
            let newer =
                if left.addendum && right.addendum { right.time.cmp(&left.time) } else { Ordering::Equal };
            let rank = ranks[a].cmp(&ranks[b]).then(newer);
            rank.then_with(|| compare_ids(left.id, right.id, names))
                .then_with(|| names.text(left.object).cmp(names.text(right.object)))
                .then_with(|| left.record.cmp(&right.record))
        });
        group.iter().skip(1).for_each(|&other| kept[other] = false);
        complete(events, &group, names);
    }
    kept
}

/// The calls that have several events, as lists of indexes.
fn groups(events: &[Noted]) -> Vec<Vec<usize>> {
    let mut first: Map<CallKey, EventNo> = Map::default();
    let mut groups: Map<EventNo, Vec<usize>> = Map::default();
    first.reserve(events.len());
    for (index, event) in events.iter().enumerate() {
        match first.entry(event.key) {
            Entry::Vacant(place) => {
                place.insert(EventNo::from_index(index));
            }
            Entry::Occupied(first) => {
                groups.entry(*first.get()).or_insert_with(|| vec![first.get().index()]).push(index)
            }
        }
    }
    groups.into_values().collect()
}

/// Drops all copies of an event but the first by object and position in it, as a lake and SQL do.
fn drop_copies(group: &mut Vec<usize>, events: &[Noted], names: &Names, kept: &mut [bool]) {
    let place = |event: &Noted| (names.text(event.object), event.record);
    group.sort_unstable_by(|&a, &b| {
        let (left, right) = (&events[a], &events[b]);
        left.identity.cmp(&right.identity).then_with(|| place(left).cmp(&place(right)))
    });
    group.dedup_by(|&mut other, &mut first| {
        let is_copy = events[other].identity == events[first].identity;
        kept[other] &= !is_copy;
        is_copy
    });
}

/// Adds to the kept event of each call what only the others say.
fn complete(events: &mut [Noted], group: &[usize], names: &Names) {
    let named = |event: &Noted| names.text(event.actor).starts_with("arn:");
    let [best, _, ..] = *group else { return };
    // In a cross-account call, the owner's event may state only the account of the caller.
    if !named(&events[best])
        && let Some(&other) = group.iter().find(|&&other| named(&events[other]))
    {
        events[best].actor = events[other].actor;
    }
    // An addendum is not an action of its own: it counts under the id and at the time of the event that it
    // corrects.
    if events[best].addendum
        && let Some(&original) = group.iter().find(|&&other| !events[other].addendum)
    {
        let Noted { id, time, object, record, recipient, .. } = events[original];
        let time = if events[best].corrects_time { events[best].time } else { time };
        events[best] = Noted { id, time, object, record, recipient, addendum: false, ..events[best] };
    }
}

/// Ranks for choosing, smaller is better: complete before left out, addenda before what they correct, a
/// push with its manifest before one without, the owner's event before the caller's.
fn ranks(events: &[Noted], facts: &[Fact], names: &Names) -> Vec<u8> {
    const NOTHING: u8 = 2;
    const LEFT_OUT: u8 = 1;
    let mut told: Vec<(u8, u8)> = vec![(NOTHING, 1); events.len()];
    for fact in facts {
        let worth = match &fact.what {
            What::Omitted => (LEFT_OUT, 1),
            What::Push { manifest: None, .. } => (0, 1),
            _ => (0, 0),
        };
        let known = &mut told[fact.event.index()];
        *known = (*known).min(worth);
    }
    let owners = owners(events, facts, names);
    let rank = |(index, event): (usize, &Noted)| {
        let owned = owners[index] == event.recipient;
        let (class, bare) = told[index];
        class * 8 + u8::from(!event.addendum) * 4 + bare * 2 + u8::from(!owned)
    };
    events.iter().enumerate().map(rank).collect()
}

/// For each event, the account that owns the repository which the event is about.
fn owners(events: &[Noted], facts: &[Fact], names: &Names) -> Vec<Sym> {
    let mut owners = vec![Sym::NONE; events.len()];
    for fact in facts {
        if let Some(key) = names.repository_key(fact.repository) {
            owners[fact.event.index()] = key.registry_id;
        }
    }
    owners
}

/// An addendum may correct another addendum: each is attributed to the event at the end of that chain.
fn follow_chains(events: &mut [Noted], names: &Names) {
    let mut corrected: HashMap<EventId, EventId> = HashMap::new();
    for (id, original) in events.iter().filter_map(|event| Some((event.id, corrects(event)?))) {
        let known = corrected.entry(id).or_insert(original);
        *known = std::cmp::min_by(*known, original, |a, b| compare_ids(*a, *b, names));
    }
    let mut ends: HashMap<EventId, EventId> = HashMap::new();
    for event in events.iter_mut() {
        let Some(original) = corrects(event) else { continue };
        event.key = CallKey::Corrected(end_of(original, &corrected, &mut ends, names));
    }
}

/// The end of the chain that starts at `first`. A circular chain has no end: the first of its ids is taken.
/// `ends` holds the ends found so far, so that each id is followed once.
fn end_of(
    first: EventId,
    corrected: &HashMap<EventId, EventId>,
    ends: &mut HashMap<EventId, EventId>,
    names: &Names,
) -> EventId {
    let (mut way, mut places, mut id) = (Vec::new(), HashMap::new(), first);
    let end = loop {
        if let Some(end) = ends.get(&id) {
            break *end;
        }
        if let Some(&place) = places.get(&id) {
            let circle: &[EventId] = way.get(place..).unwrap_or_default();
            break circle.iter().copied().min_by(|a, b| compare_ids(*a, *b, names)).unwrap_or(id);
        }
        places.insert(id, way.len());
        way.push(id);
        match corrected.get(&id) {
            Some(next) if *next != id => id = *next,
            _ => break id,
        }
    };
    ends.extend(way.into_iter().map(|id| (id, end)));
    end
}

/// The id of the event that an addendum corrects.
fn corrects(event: &Noted) -> Option<EventId> {
    match event.key {
        CallKey::Corrected(original) if event.addendum => Some(original),
        _ => None,
    }
}

/// An addendum names the `eventID` that it corrects; its key becomes that event's key. If several events
/// have that id (a placeholder, say), it is the first of those with the same event name, else the first.
fn point_addenda_at_events(events: &mut [Noted]) {
    // The first event of each name, and (under `None`) the first of all.
    type Firsts = Map<Option<Sym>, Noted>;
    let mut originals: HashMap<EventId, Firsts> =
        events.iter().filter_map(|event| Some((corrects(event)?, Firsts::default()))).collect();
    if originals.is_empty() {
        return;
    }
    for event in events.iter().filter(|event| !event.addendum) {
        let Some(known) = originals.get_mut(&event.id) else { continue };
        for name in [Some(event.name), None] {
            let first = known.entry(name).or_insert(*event);
            *first = std::cmp::min_by_key(*first, *event, |event| (event.time, event.identity));
        }
    }
    for event in events.iter_mut() {
        let known = corrects(event).and_then(|original| originals.get(&original));
        let best = known.and_then(|known| known.get(&Some(event.name)).or_else(|| known.get(&None)));
        if let Some(best) = best {
            event.key = best.key;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noted(id: &str, names: &mut Names) -> EventId {
        EventId::Other(names.string(id))
    }

    #[test]
    fn a_chain_of_corrections_is_followed_once_and_one_that_bites_its_tail_ends() {
        let mut names = Names::default();
        let ids: Vec<EventId> =
            (0..50_000).map(|number| noted(&format!("{number:06}"), &mut names)).collect();
        let corrected: HashMap<EventId, EventId> = ids.windows(2).map(|pair| (pair[1], pair[0])).collect();
        let mut ends = HashMap::new();
        let begun = std::time::Instant::now();
        assert!(ids.iter().rev().all(|id| end_of(*id, &corrected, &mut ends, &names) == ids[0]));
        assert!(begun.elapsed().as_secs() < 10, "each id is looked at once");

        let circle = HashMap::from([
            (ids[3], ids[2]),
            (ids[2], ids[1]),
            (ids[1], ids[3]),
            (ids[4], ids[3]),
            (ids[5], ids[5]),
        ]);
        let mut ends = HashMap::new();
        assert_eq!(
            [1, 2, 3, 4, 5].map(|at: usize| end_of(ids[at], &circle, &mut ends, &names)),
            [ids[1], ids[1], ids[1], ids[1], ids[5]]
        );
    }
}
