//! What is known of each group so far.

use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{Equivalent, IndexMap};

use super::Counted;
use super::cell::{self, Cell, Kept};
use super::plan::{Plan, What};
use crate::sql::values::Values;

/// The keys of a group.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Key(Box<[Kept]>);

/// The same, looked at.
pub(super) struct Seen<'k>(pub &'k [Cell<&'k str>]);

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|cell| cell.seen().hash(state));
    }
}

impl Hash for Seen<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.iter().for_each(|cell| cell.hash(state));
    }
}

impl Equivalent<Key> for Seen<'_> {
    fn equivalent(&self, key: &Key) -> bool {
        self.0.iter().copied().eq(key.0.iter().map(Kept::seen))
    }
}

/// Where a group's first event stood: its object, and its number there.
pub(super) type Place = (Arc<str>, i64);

/// What is known of an aggregate.
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

    /// Takes a value that is no NULL, if it is better than the one that is known.
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

    /// Adds to the different values; whether this one is new.
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

#[derive(Debug)]
pub(super) struct Group {
    pub place: Place,
    pub held: Vec<Held>,
}

/// Groups by their keys.
#[derive(Debug, Default)]
pub(super) struct Groups {
    by_key: IndexMap<Key, Group, RandomState>,
    /// Different values that are held for aggregates.
    distinct: usize,
}

impl Groups {
    /// How much is held: groups, and different values in them.
    pub fn held(&self) -> usize {
        self.by_key.len() + self.distinct
    }

    pub fn note_distinct(&mut self, more: usize) {
        self.distinct += more;
    }

    /// The group of these keys, which has an event at `place`.
    pub fn at(&mut self, keys: Seen<'_>, place: Place, plan: &Plan) -> Option<&mut Group> {
        let at = match self.by_key.get_index_of(&keys) {
            Some(at) => at,
            None => {
                let key = Key(keys.0.iter().map(|cell| cell.keep()).collect());
                let held = plan.aggregates.iter().map(|aggregate| Held::new(aggregate.what)).collect();
                self.by_key.insert_full(key, Group { place: place.clone(), held }).0
            }
        };
        let (_, group) = self.by_key.get_index_mut(at)?;
        if place < group.place {
            group.place = place;
        }
        Some(group)
    }

    pub fn merge(&mut self, other: Self, plan: &Plan) {
        for (key, group) in other.by_key {
            match self.by_key.get_mut(&key) {
                None => {
                    self.by_key.insert(key, group);
                }
                Some(known) => {
                    let both = known.held.iter_mut().zip(group.held).zip(&plan.aggregates);
                    both.for_each(|((held, other), aggregate)| held.merge(other, aggregate.what));
                    known.place = group.place.min(known.place.clone());
                }
            }
        }
    }

    /// The groups in the order of their places, as columns. Without keys there is one, even of no rows.
    pub fn finish(mut self, plan: &Plan) -> Counted {
        if plan.keys.is_empty() {
            self.at(Seen(&[]), ("".into(), 0), plan);
        }
        let mut groups: Vec<(Key, Group)> = self.by_key.into_iter().collect();
        groups.sort_unstable_by(|(key, group), (other_key, other)| (&group.place, &key.0).cmp(&(&other.place, &other_key.0)));
        let mut known = Vec::new();
        for (at, (expr, over)) in plan.keys.iter().enumerate() {
            let cells = groups.iter().map(|(key, _)| key.0.get(at).map_or(Cell::Null, Kept::seen));
            known.push((expr.clone(), Values::new(over.kind.clone(), cell::column(&over.kind, cells))));
        }
        for (at, aggregate) in plan.aggregates.iter().enumerate() {
            let cells = groups.iter().map(|(_, group)| group.held.get(at).map_or(Cell::Null, Held::result));
            known.push((aggregate.call.clone(), Values::new(aggregate.kind.clone(), cell::column(&aggregate.kind, cells))));
        }
        Counted { count: groups.len(), known }
    }
}
