//! What hangs together with the sessions that are asked for: those that stand above them, and those that they began, and began in turn.
//!
//! It may be more than that, for two sessions of one name may begin in one second; it is never less. Each call that begins a session is
//! looked at a few times at most, however it is woven in with others.

use std::collections::{HashMap, HashSet};

use foldhash::fast::RandomState;

use super::SESSION_SECONDS_MAX;
use super::survey::{Edge, Place, Survey};

/// Which sessions the second reading keeps.
#[derive(Debug, Default)]
pub struct Wanted {
    /// Everything: the logs cannot be read a second time.
    all: bool,
    /// Calls that begin sessions, all of them, and of the others only those that are asked for.
    beginnings: bool,
    keys: HashSet<u64, RandomState>,
    /// By owner, the times in which their sessions began.
    owned: HashMap<u64, Vec<(i64, i64)>, RandomState>,
}

impl Wanted {
    /// All sessions there are.
    pub fn everything() -> Self {
        Self { all: true, ..Self::default() }
    }

    /// All calls that begin sessions, and of the others only those that are asked for.
    pub fn beginnings() -> Self {
        Self { beginnings: true, ..Self::default() }
    }

    /// What hangs together with what was asked for.
    pub fn of(survey: &Survey) -> Self {
        let mut wanted = Self::default();
        let asked = || survey.asked.iter().copied().collect::<Vec<_>>();
        wanted.walk(asked(), &mut Edges::new(&survey.edges), Edges::above);
        wanted.walk(asked(), &mut Edges::new(&survey.edges), Edges::below);
        wanted.owned.values_mut().for_each(join);
        wanted
    }

    /// Follows `step` from place to place, each once.
    fn walk<'e>(&mut self, mut open: Vec<Place>, edges: &mut Edges<'e>, step: impl Fn(&mut Edges<'e>, Place, &mut Found)) {
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

    pub(super) const fn is_everything(&self) -> bool {
        self.all
    }

    pub(super) const fn is_of_beginnings(&self) -> bool {
        self.beginnings
    }

    pub(super) fn has_key(&self, key: u64) -> bool {
        self.keys.contains(&key)
    }

    /// Whether sessions of this owner are wanted at all.
    pub(super) fn has_owner(&self, owner: u64) -> bool {
        self.owned.contains_key(&owner)
    }

    /// Whether the session is wanted of this owner that began at `began`, or, where that is not known, called at `called`.
    pub(super) fn has_session(&self, owner: u64, began: Option<i64>, called: i64) -> bool {
        let Some(spans) = self.owned.get(&owner) else { return false };
        let (moment, lasts) = began.map_or((called, SESSION_SECONDS_MAX), |began| (began, 0));
        // They are joined and in order.
        let at = spans.partition_point(|(_, to)| to.saturating_add(lasts) < moment);
        spans.get(at).is_some_and(|(from, _)| *from <= moment)
    }
}

/// Puts times in order, and joins those that overlap.
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

/// What a step finds.
#[derive(Default)]
struct Found {
    places: Vec<Place>,
    /// Sessions that could have made a call, too: who reads that call needs to know of them.
    rivals: Vec<Place>,
}

/// Calls that begin sessions, to be looked up from every side.
struct Edges<'e> {
    all: &'e [Edge],
    by_key: Sorted,
    by_owner: Sorted,
    by_parent_key: Sorted,
    /// Those whose caller says when its own session began.
    by_parent_owner: Sorted,
    /// Those whose caller is told by its name alone, in order of their own time.
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
            by_parent_owner: Sorted::new(all, |edge| (edge.by_began != i64::MIN).then_some((edge.by_owner, edge.by_began))),
            by_parent_name: Sorted::new(all, |edge| named(edge).then_some((edge.by_owner, edge.began))),
        }
    }

    /// Sessions above a place.
    fn above(&mut self, place: Place, found: &mut Found) {
        let all = self.all;
        match place {
            Place::Key(key) => self.by_key.take(key, 0, 0, |at| above(&all[at], found)),
            Place::Owned { owner, from, to } => self.by_owner.take(owner, from, to, |at| above(&all[at], found)),
        }
    }

    /// Sessions below a place; and the place itself by its other names.
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
                // A session that is known by its name and its beginning is that of the call that began it.
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

/// Edges in the order of two numbers, each given out once.
struct Sorted {
    /// Both numbers, and where the edge stands.
    keys: Vec<(u64, i64, u32)>,
    /// From each position the next one that was not given out; where that is known.
    next: Vec<u32>,
}

impl Sorted {
    fn new(all: &[Edge], of: impl Fn(&Edge) -> Option<(u64, i64)>) -> Self {
        let places = 0..u32::try_from(all.len()).unwrap_or(u32::MAX);
        let keyed = places.zip(all).filter_map(|(at, edge)| of(edge).filter(|(number, _)| *number != 0).map(|(number, time)| (number, time, at)));
        let mut keys: Vec<_> = keyed.collect();
        keys.sort_unstable();
        let next = (0..=u32::try_from(keys.len()).unwrap_or(u32::MAX)).collect();
        Self { keys, next }
    }

    /// Gives out those whose first number is `number`, and whose second lies within `from..=to`, and that were not given out yet.
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

    /// The first position from `at` on that was not given out.
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
