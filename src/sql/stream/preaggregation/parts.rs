//! Adds the rows of one portion to the groups.

use std::borrow::Cow;

use super::cell::Cell;
use super::groups::{Group, Groups};
use super::plan::{Aggregate, OBJECT, Plan, What};
use super::room::Stop;
use super::rows::{Cells, CodedColumn, Rows, chosen};
use crate::lake::codes::Texts;
use crate::sql::types::group_ids::GroupIds;
use crate::sql::types::place::RECORD_BITS;

/// Stands for "no group" and "no number".
const NONE: u32 = u32::MAX;

/// The rows of a portion, by group.
struct Grouped<'r> {
    of_row: Cow<'r, [u32]>,
    count: usize,
    keys: Vec<CodedColumn<'r>>,
    /// With several keys: a row of each group.
    firsts: Vec<u32>,
}

/// An aggregate over each group of a portion.
enum Part<'r> {
    Counts(Vec<i64>),
    Best {
        numbers: Vec<u32>,
        cells: Cells<'r>,
    },
    /// Group and number of each, most of them once.
    Distinct {
        pairs: Vec<(u32, u32)>,
        cells: Cells<'r>,
    },
}

/// Adds rows, of which there is at least one. Everything that can fail comes first.
pub(super) fn add(rows: &mut Rows<'_>, plan: &Plan, groups: &mut Groups) -> Result<(), Stop> {
    rows.load(&[OBJECT])?;
    for over in plan
        .keys
        .iter()
        .map(|(_, over)| over)
        .chain(plan.aggregates.iter().flat_map(|aggregate| aggregate.arg.iter().chain(&aggregate.filter)))
    {
        rows.load(&over.leaves)?;
    }
    let records = rows.records()?;
    let grouped = Grouped::of(rows, plan)?;
    let parts = plan
        .aggregates
        .iter()
        .map(|aggregate| part(rows, &grouped, aggregate))
        .collect::<Result<Vec<_>, _>>()?;
    let objects = rows.leaf(OBJECT)?;
    let records = match records.cont_slice() {
        Ok(records) => Cow::Borrowed(records),
        Err(_) => records.iter().map(Option::unwrap_or_default).collect(),
    };
    let (places, by_rank) = places(&grouped, &objects.of_row, &objects.texts, &records);
    let only_texts = match grouped.keys.as_slice() {
        [CodedColumn { cells: Cells::Leaf(texts), .. }] => Some(*texts),
        _ => None,
    };
    let mut numbers: Vec<Option<u64>> = vec![None; by_rank.len()];
    for (number, place) in (0_u32..).zip(&places) {
        let rank = (place >> RECORD_BITS) as usize;
        let Some(object) = numbers.get_mut(rank).filter(|_| *place != u64::MAX) else { continue };
        let code = by_rank.get(rank).copied().unwrap_or(NONE);
        let object =
            *object.get_or_insert_with(|| groups.object(objects.texts.get(code).unwrap_or_default()));
        let place = object << RECORD_BITS | place & ((1 << RECORD_BITS) - 1);
        let held = match only_texts.and_then(|texts| texts.get(number)) {
            Some(text) => groups.add_text(text, number, place),
            None => groups.add(grouped.keys.iter().map(|key| grouped.cell(key, number)), number, place),
        };
        for (part, held) in parts.iter().zip(held.into_iter().flatten()) {
            match part {
                Part::Counts(counts) => {
                    held.push_count(counts.get(number as usize).copied().unwrap_or(0));
                }
                Part::Best { numbers, cells } => {
                    let cell = numbers.get(number as usize).map_or(Cell::Null, |number| cells.get(*number));
                    held.push_cell(cell.keep());
                }
                Part::Distinct { .. } => held.push_count(0),
            }
        }
    }
    let counts_distinct = parts.iter().any(|part| matches!(part, Part::Distinct { .. }));
    let mut found: Vec<Option<Group>> = vec![None; if counts_distinct { grouped.count } else { 0 }];
    groups.settle(plan, false, |number, group| {
        if let Some(slot) = found.get_mut(number as usize) {
            *slot = Some(group);
        }
    });
    for (at, part) in parts.iter().enumerate() {
        let Part::Distinct { pairs, cells } = part else { continue };
        for (group, number) in pairs {
            let cell = cells.get(*number);
            if let (Some(Some(group)), true) = (found.get(*group as usize), cell != Cell::Null) {
                groups.add_distinct(*group, at, cell);
            }
        }
    }
    groups.settle_values(false);
    Ok(())
}

impl<'r> Grouped<'r> {
    fn of(rows: &'r Rows<'_>, plan: &Plan) -> Result<Self, Stop> {
        let keys = plan.keys.iter().map(|(_, over)| rows.column(over)).collect::<Result<Vec<_>, _>>()?;
        Ok(match keys.as_slice() {
            [] => Self { of_row: Cow::Owned(vec![0; rows.height()]), count: 1, keys, firsts: Vec::new() },
            [key] => Self { of_row: key.of_row.clone(), count: key.cells.count(), keys, firsts: Vec::new() },
            several => {
                let numbers = several
                    .iter()
                    .map(|key| GroupIds { of_row: key.of_row.to_vec(), count: key.cells.count() });
                let numbers = numbers.reduce(|numbers, more| numbers.with(&more)).ok_or(Stop::GivenUp)?;
                let firsts = numbers.firsts();
                Self { of_row: Cow::Owned(numbers.of_row), count: numbers.count, keys, firsts }
            }
        })
    }

    /// A key of a group.
    fn cell<'k>(&self, key: &'k CodedColumn<'r>, number: u32) -> Cell<&'k str> {
        match self.keys.as_slice() {
            [_] => key.cells.get(number),
            _ => {
                let row = self.firsts.get(number as usize).copied().unwrap_or(NONE);
                key.of_row.get(row as usize).map_or(Cell::Null, |number| key.cells.get(*number))
            }
        }
    }
}

/// The first event of each group, by rank of its object and index; and the objects by rank.
fn places(grouped: &Grouped<'_>, objects: &[u32], texts: &Texts, records: &[i64]) -> (Vec<u64>, Vec<u32>) {
    let mut by_rank: Vec<u32> = (0..).take(texts.len() + 1).collect();
    by_rank.sort_unstable_by_key(|code| texts.get(*code).unwrap_or_default());
    let mut ranks = vec![0_u64; by_rank.len()];
    for (rank, code) in (0..).zip(&by_rank) {
        if let Some(slot) = ranks.get_mut(*code as usize) {
            *slot = rank << RECORD_BITS;
        }
    }
    let mut places = vec![u64::MAX; grouped.count];
    for ((group, object), record) in grouped.of_row.iter().zip(objects).zip(records) {
        if let (Some(least), Some(rank)) = (places.get_mut(*group as usize), ranks.get(*object as usize)) {
            *least = (*least).min(rank | (*record).clamp(0, (1 << RECORD_BITS) - 1) as u64);
        }
    }
    (places, by_rank)
}

fn part<'r>(rows: &'r Rows<'_>, grouped: &Grouped<'_>, aggregate: &Aggregate) -> Result<Part<'r>, Stop> {
    let chosen_rows = aggregate.filter.as_ref().map(|filter| rows.holding(filter)).transpose()?;
    let of_row: Cow<'_, [u32]> = match &chosen_rows {
        None => Cow::Borrowed(&grouped.of_row),
        Some(chosen_rows) => Cow::Owned(chosen(&grouped.of_row, chosen_rows)),
    };
    let mut counts = vec![0_i64; grouped.count];
    let Some(arg) = &aggregate.arg else {
        for group in of_row.iter() {
            if let Some(count) = counts.get_mut(*group as usize) {
                *count += 1;
            }
        }
        return Ok(Part::Counts(counts));
    };
    let CodedColumn { of_row: mut numbers, cells } = rows.column(arg)?;
    if let Some(chosen_rows) = &chosen_rows {
        numbers = Cow::Owned(chosen(&numbers, chosen_rows));
    }
    let pairs = of_row.iter().zip(numbers.iter());
    match aggregate.what {
        What::Count | What::CountTrue => {
            let counted = |cell: Cell<&str>| {
                if aggregate.what == What::Count { cell != Cell::Null } else { cell == Cell::Truth(true) }
            };
            let counted: Vec<i64> =
                (0..).take(cells.count()).map(|number| i64::from(counted(cells.get(number)))).collect();
            for (group, number) in pairs {
                if let (Some(count), Some(counted)) =
                    (counts.get_mut(*group as usize), counted.get(*number as usize))
                {
                    *count += counted;
                }
            }
            Ok(Part::Counts(counts))
        }
        What::Least | What::Greatest => {
            let numbers = best(pairs, grouped.count, &cells, aggregate.what == What::Greatest, of_row.len());
            Ok(Part::Best { numbers, cells })
        }
        // Nothing is found twice by the numbers of texts that each row has for itself.
        What::CountDistinct if cells.are_of_rows() => {
            Ok(Part::Distinct { pairs: pairs.map(|(group, number)| (*group, *number)).collect(), cells })
        }
        What::CountDistinct => {
            let groups = GroupIds { of_row: of_row.to_vec(), count: grouped.count };
            let both = groups.with(&GroupIds { of_row: numbers.to_vec(), count: cells.count() });
            let pair = |row: &u32| Some((*of_row.get(*row as usize)?, *numbers.get(*row as usize)?));
            Ok(Part::Distinct { pairs: both.firsts().iter().filter_map(pair).collect(), cells })
        }
    }
}

/// The number of the smallest or greatest cell of each group; [`NONE`] where all are NULL.
fn best<'p>(
    pairs: impl Iterator<Item = (&'p u32, &'p u32)>,
    count: usize,
    cells: &Cells<'_>,
    greatest: bool,
    rows: usize,
) -> Vec<u32> {
    let mut best = vec![NONE; count];
    let mut improve = |group: u32, rank: u32| {
        if let Some(best) = best.get_mut(group as usize) {
            *best = rank.min(*best);
        }
    };
    let ranked = match cells {
        Cells::Leaf(texts) if texts.is_ascending() => {
            // The numbers are in the order of the texts, with NULL last.
            let last = u32::try_from(texts.len()).unwrap_or(NONE).wrapping_sub(1);
            match greatest {
                false => pairs.for_each(|(group, number)| improve(*group, *number)),
                true => pairs.for_each(|(group, number)| improve(*group, last.wrapping_sub(*number))),
            }
            return best
                .into_iter()
                .map(|rank| if greatest { last.wrapping_sub(rank) } else { rank })
                .collect();
        }
        cells if cells.count() > rows / 2 => None,
        cells => Some(ranked(cells, greatest)),
    };
    match ranked {
        Some((ranks, by_rank)) => {
            pairs.for_each(|(group, number)| {
                improve(*group, ranks.get(*number as usize).copied().unwrap_or(NONE))
            });
            best.into_iter().map(|rank| by_rank.get(rank as usize).copied().unwrap_or(NONE)).collect()
        }
        // Nearly every row has a different text, so they are compared directly.
        None => {
            for (group, number) in pairs {
                let Some(best) = best.get_mut(*group as usize) else { continue };
                let (cell, known) = (cells.get(*number), cells.get(*best));
                let is_better = if greatest { cell > known } else { cell < known };
                if cell != Cell::Null && (*best == NONE || is_better) {
                    *best = *number;
                }
            }
            best
        }
    }
}

/// The rank of each cell, and the cells by rank; NULL has none.
fn ranked(cells: &Cells<'_>, greatest: bool) -> (Vec<u32>, Vec<u32>) {
    let mut by_rank: Vec<u32> =
        (0..).take(cells.count()).filter(|number| cells.get(*number) != Cell::Null).collect();
    by_rank.sort_unstable_by(|a, b| {
        let ordering = cells.get(*a).cmp(&cells.get(*b));
        if greatest { ordering.reverse() } else { ordering }
    });
    let mut ranks = vec![NONE; cells.count()];
    for (rank, number) in (0..).zip(&by_rank) {
        if let Some(slot) = ranks.get_mut(*number as usize) {
            *slot = rank;
        }
    }
    (ranks, by_rank)
}
