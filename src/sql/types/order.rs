//! `ORDER BY`: NULLs come last in both directions unless the query says otherwise, as in Trino.

use std::cmp::Ordering;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series, SortMultipleOptions};
use sqlparser::ast::OrderByOptions;

use crate::sql::error::Result;
use crate::sql::types::compare::{Ordered, key_column};
use crate::sql::types::nested;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// The sorted rows; equal rows keep their order.
pub(in crate::sql) fn sorted(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Vec<Option<u32>>> {
    let rows = numbered(height);
    if keys.is_empty() || height == 0 {
        return Ok(rows.u32()?.iter().collect());
    }
    let mut columns = Vec::new();
    for (at, (values, _)) in keys.iter().enumerate() {
        let column = match values.kind {
            Kind::Array(_) | Kind::Row(_) => i64::column(nested::places(values, height)?),
            _ => key_column(values, height)?,
        };
        columns.push(column.with_name(format!("key{at}").into()).into_column());
    }
    let by = columns.clone();
    columns.push(rows.into_column());
    let options = SortMultipleOptions::default()
        .with_order_descending_multi(keys.iter().map(|(_, options)| options.asc == Some(false)))
        .with_nulls_last_multi(keys.iter().map(|(_, options)| options.nulls_first != Some(true)))
        .with_maintain_order(true);
    let frame = DataFrame::new(height, columns)?.sort_impl(by, options, None)?;
    Ok(frame.column(ROW)?.u32()?.iter().collect())
}

/// The first `count` rows in order. If these are few, the others are not sorted.
pub(in crate::sql) fn first_sorted(
    keys: &[(Values, OrderByOptions)],
    height: usize,
    count: usize,
) -> Result<Vec<Option<u32>>> {
    let keys_of_few = if count <= height / FEW { RowOrder::of(keys) } else { None };
    let Some(order) = keys_of_few else {
        let mut rows = sorted(keys, height)?;
        rows.truncate(count);
        return Ok(rows);
    };
    let (compare, mut least) = (|a: &u32, b: &u32| order.compare(*a, *b), Least::default());
    (0_u32..).take(height).for_each(|row| least.add(row, count, compare));
    Ok(least.finish(count, compare).into_iter().map(Some).collect())
}

/// Sorting everything is avoided if there are at least this many times the wanted rows.
const FEW: usize = 4;

/// The first `count` rows of each group, unsorted; `None` if the keys cannot be compared row by row.
pub(in crate::sql) fn first_of_each(
    keys: &[(Values, OrderByOptions)],
    groups: &Groups,
    count: usize,
) -> Option<Vec<u32>> {
    let order = RowOrder::of(keys)?;
    let compare = |a: &u32, b: &u32| order.compare(*a, *b);
    let mut least: Vec<Least<u32>> = vec![Least::default(); groups.count()];
    for (row, group) in (0_u32..).zip(&groups.of_row) {
        if let Some(least) = least.get_mut(*group as usize) {
            least.add(row, count, compare);
        }
    }
    Some(least.into_iter().flat_map(|least| least.finish(count, compare)).collect())
}

/// Sort keys that can be compared for two rows, without sorting everything.
struct RowOrder(Vec<(Ordered, OrderByOptions)>);

impl RowOrder {
    /// `None` for types whose order in a sort differs: polars has its own for zeros and NaN.
    fn of(keys: &[(Values, OrderByOptions)]) -> Option<Self> {
        let column = |(values, options): &(Values, OrderByOptions)| match Ordered::of(values) {
            Ok(Ordered::Doubles(_)) | Err(_) => None,
            Ok(column) => Some((column, *options)),
        };
        keys.iter().map(column).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Compares two rows; of equal rows the one with the lower index comes first.
    fn compare(&self, a: u32, b: u32) -> Ordering {
        let by_key = self
            .0
            .iter()
            .map(|(column, options)| compare(column, *options, a, b))
            .find(|ordering| ordering.is_ne());
        by_key.unwrap_or_else(|| a.cmp(&b))
    }
}

/// Compares two rows by one key.
fn compare(column: &Ordered, options: OrderByOptions, a: u32, b: u32) -> Ordering {
    let (a, b) = (a as usize, b as usize);
    match (column.is_null(a), column.is_null(b)) {
        (false, false) if options.asc == Some(false) => column.compare(b, a),
        (false, false) => column.compare(a, b),
        (a, b) if options.nulls_first == Some(true) => b.cmp(&a),
        (a, b) => a.cmp(&b),
    }
}

/// Selects the smallest `count` items, in memory for at most twice as many.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Least<T> {
    items: Vec<T>,
    /// The greatest of the smallest items, once there were more: items that are not less are ignored.
    worst: Option<T>,
}

impl<T> Default for Least<T> {
    fn default() -> Self {
        Self { items: Vec::new(), worst: None }
    }
}

impl<T: Copy> Least<T> {
    pub fn add(&mut self, item: T, count: usize, compare: impl Fn(&T, &T) -> Ordering) {
        if self.worst.is_none_or(|worst| compare(&item, &worst).is_lt()) {
            self.items.push(item);
        }
        if self.items.len() >= count.saturating_mul(2) {
            self.items.sort_unstable_by(compare);
            self.items.truncate(count);
            self.worst = self.items.last().copied();
        }
    }

    /// The selected items in order.
    pub fn finish(mut self, count: usize, compare: impl Fn(&T, &T) -> Ordering) -> Vec<T> {
        self.items.sort_unstable_by(compare);
        self.items.truncate(count);
        self.items
    }
}

const ROW: &str = "row";

/// `0, 1, 2 …`.
fn numbered(height: usize) -> Series {
    Series::new(ROW.into(), (0_u32..).take(height).collect::<Vec<_>>())
}

/// The position of each row in the order; equal rows have consecutive positions.
pub(in crate::sql) fn ranks(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Vec<u32>> {
    let mut ranks = vec![0_u32; height];
    for (rank, row) in (0_u32..).zip(sorted(keys, height)?.into_iter().flatten()) {
        if let Some(slot) = ranks.get_mut(row as usize) {
            *slot = rank;
        }
    }
    Ok(ranks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::values::Cell;
    use crate::tables::Kind;

    #[test]
    fn the_first_rows_are_those_of_all_in_order() {
        let mixed = |row: i64, salt: i64, of: i64| (row * 7_919 + salt * 104_729) % 1_009 % of;
        let texts = |of: i64| {
            (0..300)
                .map(|row| Some(mixed(row, 1, of)).filter(|text| *text > 0).map(|text| format!("t{text}")))
                .collect()
        };
        let wholes = (0..300).map(|row| Some(mixed(row, 2, 5)).filter(|whole| *whole != 3)).collect();
        let truths = (0..300)
            .map(|row| Some(mixed(row, 3, 3)).filter(|truth| *truth > 0).map(|truth| truth == 1))
            .collect();
        let columns = [
            Values::new(Kind::Bigint, i64::column(wholes)),
            Values::new(Kind::Boolean, bool::column(truths)),
            Values::new(Kind::Varchar, String::column(texts(9))),
            Values::new(Kind::Varchar, String::column(texts(1_000))),
        ];
        let options = |at: usize| OrderByOptions {
            asc: [None, Some(true), Some(false)][at % 3],
            nulls_first: [None, Some(true), Some(false)][at / 3 % 3],
        };
        for choice in 0..columns.len() * columns.len() * 9 {
            let (first, second) = (choice % columns.len(), choice / columns.len() % columns.len());
            let keys =
                [(columns[first].clone(), options(choice / 16)), (columns[second].clone(), options(choice))];
            let all = sorted(&keys, 300).unwrap();
            for count in [0, 1, 7, 75, 76, 300, 1_000] {
                assert_eq!(
                    first_sorted(&keys, 300, count).unwrap(),
                    all[..count.min(300)],
                    "{choice} {count}"
                );
                let groups = Groups {
                    of_row: (0..300).map(|row| mixed(i64::from(row), 5, 7) as u32).collect(),
                    first: vec![None; 7],
                };
                let of_row = &groups.of_row;
                let of = |group: u32| {
                    all.iter()
                        .flatten()
                        .copied()
                        .filter(move |row| of_row[*row as usize] == group)
                        .take(count)
                };
                let mut expected: Vec<u32> = (0..7).flat_map(of).collect();
                let mut found = first_of_each(&keys, &groups, count).unwrap();
                expected.sort_unstable();
                found.sort_unstable();
                assert_eq!(found, expected, "{choice} {count}");
            }
        }
    }
}
