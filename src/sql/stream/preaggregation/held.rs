//! What is known of the groups of one part: their keys, their first events, and the states of their aggregates.

use polars::prelude::{NamedFromOwned, Series};

use super::cell;
use super::cell::{Cell, Kept};
use super::plan::{Plan, What};
use super::text_set::TextSet;
use crate::sql::error::Result;
use crate::tables::Kind;

/// The state of an aggregate, by group.
#[derive(Debug)]
pub(super) enum Held {
    /// Distinct values are counted at last: until then, there are none.
    Counts(Vec<i64>),
    /// `text_bytes`: of all texts in them.
    Best { cells: Vec<Kept>, text_bytes: usize },
}

impl Held {
    fn new(what: What) -> Self {
        match what {
            What::Count | What::CountTrue | What::CountDistinct => Self::Counts(Vec::new()),
            What::Least | What::Greatest => Self::Best { cells: Vec::new(), text_bytes: 0 },
        }
    }

    /// Adds a group, of which there are so many rows.
    #[inline]
    pub fn push_count(&mut self, count: i64) {
        if let Self::Counts(counts) = self {
            counts.push(count);
        }
    }

    /// Adds a group, of which this is the best value so far.
    #[inline]
    pub fn push_cell(&mut self, cell: Kept) {
        if let Self::Best { cells, text_bytes } = self {
            *text_bytes += text_bytes_of(&cell);
            cells.push(cell);
        }
    }

    /// Adds to the count of a group.
    pub fn count(&mut self, group: u32, more: i64) {
        if let Self::Counts(counts) = self
            && let Some(count) = counts.get_mut(group as usize)
        {
            *count += more;
        }
    }

    /// Adds all groups of another one.
    fn append(&mut self, other: Self) {
        match (self, other) {
            (Self::Counts(counts), Self::Counts(more)) => counts.extend(more),
            (Self::Best { cells, text_bytes }, Self::Best { cells: more, text_bytes: more_bytes }) => {
                cells.extend(more);
                *text_bytes += more_bytes;
            }
            _ => {}
        }
    }

    /// Puts the groups from the `first`-th on, which have got these numbers, together with those that have
    /// them already.
    fn settle(&mut self, what: What, first: usize, numbers: &[u32]) {
        match self {
            Self::Counts(counts) => settled(counts, first, numbers, |count, more| *count += more),
            Self::Best { cells, text_bytes } => {
                settled(cells, first, numbers, |known, cell| {
                    let is_better = match what {
                        What::Least => cell < *known,
                        _ => cell > *known,
                    };
                    if cell != Cell::Null && (*known == Cell::Null || is_better) {
                        *text_bytes -= text_bytes_of(known);
                        *known = cell;
                    } else {
                        *text_bytes -= text_bytes_of(&cell);
                    }
                });
            }
        }
    }

    pub fn result(&self, group: u32) -> Cell<&str> {
        match self {
            Self::Counts(counts) => {
                counts.get(group as usize).map_or(Cell::Null, |count| Cell::Whole(*count))
            }
            Self::Best { cells, .. } => cells.get(group as usize).map_or(Cell::Null, Kept::seen),
        }
    }

    /// The results of all groups.
    pub fn into_column(self, kind: &Kind) -> Series {
        match self {
            Self::Counts(counts) => Series::from_vec("".into(), counts),
            Self::Best { cells, .. } => cell::column(kind, cells.iter().map(Kept::seen)),
        }
    }

    fn empty(&mut self) {
        match self {
            Self::Counts(counts) => counts.clear(),
            Self::Best { cells, text_bytes } => {
                cells.clear();
                *text_bytes = 0;
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Counts(counts) => size_of_val(counts.as_slice()),
            Self::Best { cells, text_bytes } => size_of_val(cells.as_slice()) + text_bytes,
        }
    }
}

fn text_bytes_of(cell: &Kept) -> usize {
    if let Cell::Text(text) = cell { text.len() } else { 0 }
}

/// Gives the values from the `first`-th on to the groups with these numbers; new groups have the next ones.
fn settled<T: Default>(values: &mut Vec<T>, first: usize, numbers: &[u32], mut join: impl FnMut(&mut T, T)) {
    let mut next = first;
    for (at, number) in (first..).zip(numbers) {
        let Some(value) = values.get_mut(at).map(std::mem::take) else { break };
        let number = *number as usize;
        if let Some(known) = values.get_mut(number) {
            if number == next {
                *known = value;
                next += 1;
            } else {
                join(known, value);
            }
        }
    }
    values.truncate(next);
}

fn chosen<'v, T>(values: &'v [T], are_chosen: &'v [bool]) -> impl Iterator<Item = &'v T> {
    values.iter().zip(are_chosen).filter(|(_, is_chosen)| **is_chosen).map(|(value, _)| value)
}

/// Some of the groups. Those that came last may repeat others, until they are settled.
#[derive(Debug)]
pub(super) struct Part {
    /// Their keys, each list of them as one text.
    pub keys: TextSet,
    /// Where the first event of each stands: the number of its object, and its index there.
    pub places: Vec<u64>,
    /// The plan's aggregates.
    pub held: Vec<Held>,
}

impl Part {
    pub fn new(plan: &Plan) -> Self {
        let held = plan.aggregates.iter().map(|aggregate| Held::new(aggregate.what)).collect();
        Self { keys: TextSet::default(), places: Vec::new(), held }
    }

    /// Adds all groups of another part.
    pub fn append(&mut self, other: Self) {
        self.keys.append(&other.keys);
        self.places.extend(other.places);
        self.held.iter_mut().zip(other.held).for_each(|(held, more)| held.append(more));
    }

    /// Adds the groups of another part whose hashes are `meant`.
    pub fn append_some(&mut self, other: &Self, meant: impl Fn(u64) -> bool) -> Result<()> {
        let is_meant: Vec<bool> = other.keys.hashes().iter().map(|hash| meant(*hash)).collect();
        for ((hash, text), _) in other.keys.hashed()?.zip(&is_meant).filter(|(_, is_meant)| **is_meant) {
            self.keys.add(hash, "", text);
        }
        self.places.extend(chosen(&other.places, &is_meant));
        for (held, more) in self.held.iter_mut().zip(&other.held) {
            match more {
                Held::Counts(counts) => chosen(counts, &is_meant).for_each(|count| held.push_count(*count)),
                Held::Best { cells, .. } => {
                    chosen(cells, &is_meant).for_each(|cell| held.push_cell(cell.clone()));
                }
            }
        }
        Ok(())
    }

    /// Drops all groups, which are known elsewhere; keeps the memory for the next ones.
    pub fn empty(&mut self) {
        self.keys.empty();
        self.places.clear();
        self.held.iter_mut().for_each(Held::empty);
    }

    /// Puts together the groups that have the same keys. Returns the numbers of those that were not settled.
    pub fn settle(&mut self, plan: &Plan, is_before: impl Fn(u64, u64) -> bool) -> Vec<u32> {
        let first = self.keys.settled();
        let numbers = self.keys.settle();
        settled(&mut self.places, first, &numbers, |known, place| {
            if is_before(place, *known) {
                *known = place;
            }
        });
        for (held, aggregate) in self.held.iter_mut().zip(&plan.aggregates) {
            held.settle(aggregate.what, first, &numbers);
        }
        numbers
    }

    pub fn bytes(&self) -> usize {
        self.keys.bytes()
            + size_of_val(self.places.as_slice())
            + self.held.iter().map(Held::bytes).sum::<usize>()
    }
}
