//! Everything connected with the sessions that were asked for: those above them, and those that they began,
//! directly or indirectly.
//!
//! The result may contain too much, because two sessions of one name may begin in the same second; it never
//! contains too little. Each call that begins a session is visited a few times at most, however connected
//! the calls are.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::SESSION_SECONDS_MAX;
use super::survey::{Edge, Place, Survey};

/// Which sessions the second reading keeps.
#[derive(Debug)]
pub enum Wanted {
    /// All, because the logs cannot be read a second time.
    Everything,
    /// All calls that begin sessions, and of others only those that were asked for.
    Beginnings,
    /// Everything connected with what was asked for.
    Connected(Connected),
}

impl Wanted {
    /// Everything connected with what was asked for.
    pub fn of(survey: &Survey) -> Self {
        let mut connected = Connected::default();
        let asked = || survey.asked.iter().copied().collect::<Vec<_>>();
        let mut edges = Edges::new(&survey.edges);
        connected.walk(asked(), &mut edges, Edges::above);
        edges.give_again();
        connected.walk(asked(), &mut edges, Edges::below);
        connected.owned.values_mut().for_each(join);
        Self::Connected(connected)
    }
}

/// Sessions that are connected with each other.
#[derive(Debug, Default)]
pub struct Connected {
    keys: HashSet<u64, RandomState>,
    /// For each owner, the times in which its sessions began.
    owned: HashMap<u64, Vec<(i64, i64)>, RandomState>,
}

impl Connected {
    /// Follows `step` from place to place, visiting each once.
    fn walk<'e>(
        &mut self,
        mut open: Vec<Place>,
        edges: &mut Edges<'e>,
        step: impl Fn(&mut Edges<'e>, Place, &mut Found),
    ) {
        let mut visited: HashSet<Place, RandomState> = open.iter().copied().collect();
        let mut found = Found::default();
        while let Some(place) = open.pop() {
            self.add(place);
            step(edges, place, &mut found);
            found.rivals.drain(..).for_each(|place| self.add(place));
            open.extend(found.places.drain(..).filter(|place| visited.insert(*place)));
        }
    }

    fn add(&mut self, place: Place) {
        match place {
            Place::Key(key) => _ = self.keys.insert(key),
            Place::Owned { owner, from, to } => {
                let spans = self.owned.entry(owner).or_default();
                match spans.last_mut() {
                    Some((first, last)) if *first <= from && from <= *last => *last = to.max(*last),
                    _ => spans.push((from, to)),
                }
            }
        }
    }

    pub(super) fn has_key(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }

    /// Whether any session of this owner is among them.
    pub(super) fn has_owner(&self, owner: u64) -> bool {
        self.owned.contains_key(&owner)
    }

    /// Whether a session of this owner is among them, given when it began, or, if that is not known, when it
    /// called.
    pub(super) fn has_session(&self, owner: u64, began: Option<i64>, called: i64) -> bool {
        let Some(spans) = self.owned.get(&owner) else { return false };
        let (moment, lasts) = began.map_or((called, SESSION_SECONDS_MAX), |began| (began, 0));
        // The spans are merged and sorted.
        let at = spans.partition_point(|(_, to)| to.saturating_add(lasts) < moment);
        spans.get(at).is_some_and(|(from, _)| *from <= moment)
    }
}

/// Sorts times, and merges those that overlap.
fn join(spans: &mut Vec<(i64, i64)>) {
    spans.sort_unstable();
    let mut joined: Vec<(i64, i64)> = Vec::new();
    for (from, to) in spans.drain(..) {
        match joined.last_mut() {
            Some((_, last)) if from <= *last => *last = to.max(*last),
            _ => joined.push((from, to)),
        }
    }
    *spans = joined;
}

/// The result of a step.
#[derive(Default)]
struct Found {
    places: Vec<Place>,
    /// Other sessions that could have made a call, which are needed to judge it.
    rivals: Vec<Place>,
}

/// Calls that begin sessions, searchable from every side.
struct Edges<'e> {
    all: &'e [Edge],
    by_key: Sorted,
    by_owner: Sorted,
    by_parent_key: Sorted,
    /// Those whose caller's record says when its own session began.
    by_parent_owner: Sorted,
    /// Those whose caller is only known by name, in order of time.
    by_parent_name: Sorted,
}

impl<'e> Edges<'e> {
    fn new(all: &'e [Edge]) -> Self {
        let named = |edge: &Edge| edge.by_key == 0 && edge.by_began == i64::MIN;
        Self {
            all,
            by_key: Sorted::new(all, |edge| Some((edge.key, 0))),
            by_owner: Sorted::new(all, |edge| Some((edge.owner, edge.began))),
            by_parent_key: Sorted::new(all, |edge| Some((edge.by_key, 0))),
            by_parent_owner: Sorted::new(all, |edge| {
                (edge.by_began != i64::MIN).then_some((edge.by_owner, edge.by_began))
            }),
            by_parent_name: Sorted::new(all, |edge| named(edge).then_some((edge.by_owner, edge.began))),
        }
    }

    /// What was returned may be returned once more.
    fn give_again(&mut self) {
        let Self { all: _, by_key, by_owner, by_parent_key, by_parent_owner, by_parent_name } = self;
        [by_key, by_owner, by_parent_key, by_parent_owner, by_parent_name]
            .into_iter()
            .for_each(Sorted::give_again);
    }

    /// Sessions above a place.
    fn above(&mut self, place: Place, found: &mut Found) {
        let all = self.all;
        match place {
            Place::Key(key) => self.by_key.take(key, 0, 0, |at| above(&all[at], found)),
            Place::Owned { owner, from, to } => {
                self.by_owner.take(owner, from, to, |at| above(&all[at], found))
            }
        }
    }

    /// Sessions below a place; and the place itself under its other names.
    fn below(&mut self, place: Place, found: &mut Found) {
        let all = self.all;
        match place {
            Place::Key(key) => {
                self.by_parent_key.take(key, 0, 0, |at| own(&all[at], found));
                self.by_key.take(key, 0, 0, |at| own(&all[at], found));
            }
            Place::Owned { owner, from, to } => {
                self.by_parent_owner.take(owner, from, to, |at| own(&all[at], found));
                self.by_parent_name.take(owner, from, to.saturating_add(SESSION_SECONDS_MAX), |at| {
                    own(&all[at], found);
                    found.rivals.extend(Place::before(owner, all[at].began));
                });
                // A session known by its name and beginning is that of the call that began it.
                self.by_owner.take(owner, from, to, |at| own(&all[at], found));
            }
        }
    }
}

/// The session that a call began, by its key and by its owner.
fn own(edge: &Edge, found: &mut Found) {
    found.places.extend(Some(Place::Key(edge.key)).filter(|_| edge.key != 0));
    found.places.extend(Place::at(edge.owner, edge.began));
}

/// The session in which a call was made.
fn above(edge: &Edge, found: &mut Found) {
    found.places.extend(Some(Place::Key(edge.by_key)).filter(|_| edge.by_key != 0));
    if edge.by_began != i64::MIN {
        found.places.extend(Place::at(edge.by_owner, edge.by_began));
    } else if edge.by_key == 0 {
        found.places.extend(Place::before(edge.by_owner, edge.began));
    }
}

/// Edges sorted by two numbers, each returned once.
struct Sorted {
    /// Both numbers, and the index of the edge.
    keys: Vec<(u64, i64, u32)>,
    /// From each position, the next one that has not been returned, as far as known.
    next: Vec<u32>,
}

impl Sorted {
    fn new(all: &[Edge], of: impl Fn(&Edge) -> Option<(u64, i64)>) -> Self {
        let places = 0..u32::try_from(all.len()).unwrap_or(u32::MAX);
        let keyed = places.zip(all).filter_map(|(at, edge)| {
            of(edge).filter(|(number, _)| *number != 0).map(|(number, time)| (number, time, at))
        });
        let mut keys: Vec<_> = keyed.collect();
        keys.sort_unstable();
        let mut sorted = Self { next: vec![0; keys.len() + 1], keys };
        sorted.give_again();
        sorted
    }

    fn give_again(&mut self) {
        self.next.iter_mut().zip(0..=u32::MAX).for_each(|(next, at)| *next = at);
    }

    /// Returns those whose first number is `number` and whose second is within `from..=to`, unless they
    /// have been returned.
    fn take(&mut self, number: u64, from: i64, to: i64, mut give: impl FnMut(usize)) {
        let start = self.keys.partition_point(|(own, time, _)| (*own, *time) < (number, from));
        let mut at = self.fresh(start);
        while let Some(&(own, time, place)) = self.keys.get(at) {
            if (own, time) > (number, to) {
                return;
            }
            give(place as usize);
            self.next[at] += 1;
            at = self.fresh(at);
        }
    }

    /// The first position from `at` on that has not been returned.
    fn fresh(&mut self, at: usize) -> usize {
        let mut end = at;
        while self.next[end] as usize != end {
            end = self.next[end] as usize;
        }
        let mut at = at;
        while at != end {
            at = std::mem::replace(&mut self.next[at], end as u32) as usize;
        }
        end
    }
}
