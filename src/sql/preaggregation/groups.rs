//! The state of each group so far.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::{BuildHasher, Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexSet};

use super::Counted;
use super::cell::{self, Cell, Kept};
use super::plan::{Plan, What};
use crate::sql::place::RECORD_BITS;
use crate::sql::values::Values;

/// The keys of a group; mostly one.
#[derive(Debug, PartialEq, Eq)]
enum Cells {
    One(Kept),
    Several(Box<[Kept]>),
}

impl Cells {
    fn as_slice(&self) -> &[Kept] {
        match self {
            Self::One(cell) => std::slice::from_ref(cell),
            Self::Several(cells) => cells,
        }
    }
}

/// The keys of a group with their hash, which is computed once.
#[derive(Debug, PartialEq, Eq)]
struct Key {
    hash: u64,
    cells: Cells,
}

/// The same, borrowed.
struct Seen<'k> {
    hash: u64,
    cells: &'k [Cell<&'k str>],
}

impl Seen<'_> {
    fn keep(&self) -> Key {
        let cells = match self.cells {
            [cell] => Cells::One(cell.keep()),
            cells => Cells::Several(cells.iter().map(|cell| cell.keep()).collect()),
        };
        Key { hash: self.hash, cells }
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<Key> for Seen<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.hash == key.hash && self.cells.iter().copied().eq(key.cells.as_slice().iter().map(Kept::seen))
    }
}

/// Where the first event of a group is: its object, and its index there.
pub(super) type FirstEvent = (Arc<str>, i64);

/// The state of an aggregate.
#[derive(Debug)]
pub(super) enum Held {
    Count(i64),
    Best(Kept),
    Distinct(HashSet<Kept, RandomState>),
}

impl Held {
    fn new(what: What) -> Self {
        match what {
            What::Count | What::CountTrue => Self::Count(0),
            What::CountDistinct => Self::Distinct(HashSet::default()),
            What::Least | What::Greatest => Self::Best(Cell::Null),
        }
    }

    pub fn count(&mut self, more: i64) {
        if let Self::Count(count) = self {
            *count += more;
        }
    }

    /// Takes a value that is not NULL, if it is better than the one so far.
    pub fn improve(&mut self, what: What, cell: Cell<&str>) {
        let Self::Best(known) = self else { return };
        let is_better = match what {
            What::Least => cell < known.seen(),
            _ => cell > known.seen(),
        };
        if *known == Cell::Null || is_better {
            *known = cell.keep();
        }
    }

    /// Adds to the distinct values; returns whether this one is new.
    pub fn add(&mut self, cell: Cell<&str>) -> bool {
        if let Self::Distinct(known) = self { known.insert(cell.keep()) } else { false }
    }

    fn merge(&mut self, other: Self, what: What) {
        match (self, other) {
            (Self::Count(count), Self::Count(more)) => *count += more,
            (Self::Distinct(known), Self::Distinct(more)) => known.extend(more),
            (held, Self::Best(cell)) if cell != Cell::Null => held.improve(what, cell.seen()),
            _ => {}
        }
    }

    fn result(&self) -> Cell<&str> {
        match self {
            Self::Count(count) => Cell::Whole(*count),
            Self::Best(cell) => cell.seen(),
            Self::Distinct(known) => Cell::Whole(i64::try_from(known.len()).unwrap_or(i64::MAX)),
        }
    }
}

/// The groups, by their keys.
#[derive(Debug)]
pub(super) struct Groups {
    /// The same in all workers.
    hasher: RandomState,
    keys: IndexSet<Key, RandomState>,
    places: Vec<FirstEvent>,
    /// For each group, the states of the plan's aggregates.
    held: Vec<Held>,
    /// Number of distinct values that are stored for aggregates.
    distinct: usize,
}

impl Groups {
    pub fn new(hasher: RandomState) -> Self {
        Self { hasher, keys: IndexSet::default(), places: Vec::new(), held: Vec::new(), distinct: 0 }
    }

    /// How much is stored: groups, and distinct values in them.
    pub fn held(&self) -> usize {
        self.keys.len() + self.distinct
    }

    pub fn note_distinct(&mut self, more: usize) {
        self.distinct += more;
    }

    /// The state of the group with these keys, which has an event at `place`.
    pub fn at(&mut self, keys: &[Cell<&str>], place: FirstEvent, plan: &Plan) -> &mut [Held] {
        let keys = Seen { hash: self.hasher.hash_one(keys), cells: keys };
        let at = match self.keys.get_index_of(&keys) {
            Some(at) => at,
            None => {
                self.held.extend(plan.aggregates.iter().map(|aggregate| Held::new(aggregate.what)));
                self.places.push(place.clone());
                self.keys.insert_full(keys.keep()).0
            }
        };
        if let Some(known) = self.places.get_mut(at).filter(|known| place < **known) {
            *known = place;
        }
        let each = plan.aggregates.len();
        self.held.get_mut(at * each..(at + 1) * each).unwrap_or_default()
    }

    pub fn merge(&mut self, other: Self, plan: &Plan) {
        let each = plan.aggregates.len();
        let mut more = other.held.into_iter();
        for (key, place) in other.keys.into_iter().zip(other.places) {
            let more = more.by_ref().take(each);
            let (at, is_new) = self.keys.insert_full(key);
            if is_new {
                self.places.push(place);
                self.held.extend(more);
                continue;
            }
            if let Some(known) = self.places.get_mut(at).filter(|known| place < **known) {
                *known = place;
            }
            let held = self.held.iter_mut().skip(at * each);
            held.zip(more)
                .zip(&plan.aggregates)
                .for_each(|((held, more), aggregate)| held.merge(more, aggregate.what));
        }
    }

    /// The groups as columns, in the order of their first events. Without keys there is one group, even if
    /// there are no rows.
    pub fn finish(mut self, plan: &Plan) -> Counted {
        if plan.keys.is_empty() {
            self.at(&[], ("".into(), 0), plan);
        }
        let order = self.in_order();
        let each = plan.aggregates.len();
        let mut known = Vec::new();
        for (number, (expr, over)) in plan.keys.iter().enumerate() {
            let cell = |at: &usize| {
                self.keys
                    .get_index(*at)
                    .and_then(|key| key.cells.as_slice().get(number))
                    .map_or(Cell::Null, Kept::seen)
            };
            known.push((
                expr.clone(),
                Values::new(over.kind.clone(), cell::column(&over.kind, order.iter().map(cell))),
            ));
        }
        for (number, aggregate) in plan.aggregates.iter().enumerate() {
            let cell = |at: &usize| self.held.get(at * each + number).map_or(Cell::Null, Held::result);
            known.push((
                aggregate.call.clone(),
                Values::new(aggregate.kind.clone(), cell::column(&aggregate.kind, order.iter().map(cell))),
            ));
        }
        Counted { count: order.len(), known }
    }

    /// The groups sorted by their first events. There are few objects and their names are long, so names
    /// are compared once, and not for every group.
    fn in_order(&self) -> Vec<usize> {
        let pointer = |object: &Arc<str>| object.as_ptr() as usize;
        let objects: HashMap<usize, &str, RandomState> =
            self.places.iter().map(|(object, _)| (pointer(object), &**object)).collect();
        let names: BTreeMap<&str, u64> = objects.values().map(|name| (*name, 0)).collect();
        let ranks: HashMap<&str, u64, RandomState> = names.into_keys().zip(0..).collect();
        let ranks: HashMap<usize, u64, RandomState> =
            objects.iter().filter_map(|(pointer, name)| Some((*pointer, *ranks.get(name)?))).collect();
        let place = |(object, record): &FirstEvent| {
            ranks.get(&pointer(object)).copied().unwrap_or(0) << RECORD_BITS | *record as u64
        };
        let mut order: Vec<(u64, usize)> = self.places.iter().map(place).zip(0..).collect();
        let key = |at: usize| self.keys.get_index(at).map(|key| key.cells.as_slice());
        order.sort_unstable_by(|(a, first), (b, second)| {
            a.cmp(b).then_with(|| key(*first).cmp(&key(*second)))
        });
        order.into_iter().map(|(_, at)| at).collect()
    }
}
