//! `ORDER BY`: NULLs come last in both directions unless the query says otherwise, as in Trino.

use std::cmp::Ordering;

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series, SortMultipleOptions};
use sqlparser::ast::OrderByOptions;

use super::compare::Ordered;
use super::error::Result;
use super::group::key_column;
use super::nested;
use super::relation::Groups;
use super::values::{Cell, Values};
use crate::tables::Kind;

/// The rows in order; equal rows keep their order.
pub(super) fn sorted(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Vec<Option<u32>>> {
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

/// The first `count` rows in order. Where they are few, the others are not put in order.
pub(super) fn first_sorted(
    keys: &[(Values, OrderByOptions)],
    height: usize,
    count: usize,
) -> Result<Vec<Option<u32>>> {
    let few = count <= height / FEW;
    let mut columns = Vec::new();
    for (values, options) in keys.iter().filter(|_| few) {
        match Ordered::of(values) {
            // Polars has an order of its own for zeros and what is no number.
            Ok(Ordered::Doubles(_)) | Err(_) => break,
            Ok(column) => columns.push((column, *options)),
        }
    }
    if !few || columns.len() < keys.len() {
        let mut rows = sorted(keys, height)?;
        rows.truncate(count);
        return Ok(rows);
    }
    Ok(best(height, count, |a, b| {
        columns
            .iter()
            .map(|(column, options)| compare(column, *options, a, b))
            .find(|ordering| ordering.is_ne())
    }))
}

/// As many times as many rows as are asked for are not worth a sort of all.
const FEW: usize = 4;

/// The first of two rows by one key.
fn compare(column: &Ordered, options: OrderByOptions, a: u32, b: u32) -> Ordering {
    let (a, b) = (a as usize, b as usize);
    match (column.is_null(a), column.is_null(b)) {
        (false, false) if options.asc == Some(false) => column.compare(b, a),
        (false, false) => column.compare(a, b),
        (a, b) if options.nulls_first == Some(true) => b.cmp(&a),
        (a, b) => a.cmp(&b),
    }
}

/// The least `count` rows; of rows that `compare` does not tell apart, the first.
fn best(height: usize, count: usize, compare: impl Fn(u32, u32) -> Option<Ordering>) -> Vec<Option<u32>> {
    let compare = |a: &u32, b: &u32| compare(*a, *b).unwrap_or_else(|| a.cmp(b));
    let mut best: Vec<u32> = Vec::with_capacity(2 * count);
    let mut worst = None;
    for row in (0_u32..).take(if count == 0 { 0 } else { height }) {
        if worst.is_none_or(|worst| compare(&row, &worst).is_lt()) {
            best.push(row);
        }
        if best.len() == 2 * count {
            best.sort_unstable_by(compare);
            best.truncate(count);
            worst = best.last().copied();
        }
    }
    best.sort_unstable_by(compare);
    best.into_iter().take(count).map(Some).collect()
}

/// The first `count` rows of each group, in no order; `None` where the keys are compared otherwise.
pub(super) fn first_of_each(
    keys: &[(Values, OrderByOptions)],
    groups: &Groups,
    count: usize,
) -> Option<Vec<u32>> {
    let mut columns = Vec::new();
    for (values, options) in keys {
        match Ordered::of(values) {
            Ok(Ordered::Doubles(_)) | Err(_) => return None,
            Ok(column) => columns.push((column, *options)),
        }
    }
    let order = |a: &u32, b: &u32| {
        let by_key = columns
            .iter()
            .map(|(column, options)| compare(column, *options, *a, *b))
            .find(|ordering| ordering.is_ne());
        by_key.unwrap_or_else(|| a.cmp(b))
    };
    let mut best: Vec<(Vec<u32>, Option<u32>)> = vec![Default::default(); groups.count()];
    for (row, group) in (0_u32..).zip(&groups.of_row).take(if count == 0 { 0 } else { usize::MAX }) {
        let Some((rows, worst)) = best.get_mut(*group as usize) else { continue };
        if worst.is_none_or(|worst| order(&row, &worst).is_lt()) {
            rows.push(row);
        }
        if rows.len() >= 2 * count {
            rows.sort_unstable_by(order);
            rows.truncate(count);
            *worst = rows.last().copied();
        }
    }
    let first = |(mut rows, _): (Vec<u32>, Option<u32>)| {
        rows.sort_unstable_by(order);
        rows.truncate(count);
        rows
    };
    Some(best.into_iter().flat_map(first).collect())
}

const ROW: &str = "row";

/// `0, 1, 2 …`.
fn numbered(height: usize) -> Series {
    Series::new(ROW.into(), (0_u32..).take(height).collect::<Vec<_>>())
}

/// For each row its position in the order; equal rows have positions one after the other.
pub(super) fn ranks(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Vec<u32>> {
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
    use crate::sql::values::Cell;
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
