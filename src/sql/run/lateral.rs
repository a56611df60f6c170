//! `LATERAL (SELECT …)`: a subquery in FROM that can use the row to its left.

use super::correlated;
use crate::sql::error::Result;
use crate::sql::expression::query::{Naming, Subquery};
use crate::sql::scope::Scope;
use crate::sql::types::relation::Relation;

/// `left CROSS JOIN LATERAL (query) AS t`; with `keep`, rows of `left` without results are kept.
pub(in crate::sql) fn join(
    like: &Scope<'_>,
    left: &Relation,
    query: &Subquery,
    naming: &Naming,
    keep: bool,
) -> Result<Relation> {
    let scope = Scope { relation: left, known: &[], ungrouped: None, ..*like };
    let (groups, results) = correlated::each(&scope, query)?;
    let mut right = match results.first() {
        Some(rows) => rows.slice(0, 0),
        None => Relation::without_rows(query.fields.clone()),
    };
    // All results concatenated, and where each begins.
    let mut starts = Vec::with_capacity(results.len());
    for rows in results {
        starts.push((right.height, rows.height));
        for (column, more) in right.columns.iter_mut().zip(rows.columns) {
            column.append_owned(more)?;
        }
        right.height += rows.height;
    }
    let (mut lefts, mut rights): (Vec<Option<u32>>, Vec<Option<u32>>) = (Vec::new(), Vec::new());
    for row in 0..left.height {
        let (start, count) =
            groups.of_row.get(row).and_then(|group| starts.get(*group as usize)).copied().unwrap_or_default();
        lefts.extend(std::iter::repeat_n(u32::try_from(row).ok(), count.max(usize::from(keep))));
        rights.extend((start..start + count).map(|at| u32::try_from(at).ok()));
        rights.resize(lefts.len(), None);
    }
    right.columns = right.columns.iter().map(|column| column.rechunk()).collect();
    Ok(left.take(&lefts)?.beside(naming.named(right.take(&rights)?)))
}
