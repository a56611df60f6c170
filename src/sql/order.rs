//! `ORDER BY`: NULLs come last in both directions unless the query says otherwise, as in Trino.

use polars::prelude::{DataFrame, IntoColumn, NamedFrom, Series, SortMultipleOptions};
use sqlparser::ast::OrderByOptions;

use super::error::Result;
use super::group::key_column;
use super::nested;
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
