//! Combines partial aggregates, computed over parts of the rows.

use std::cmp::Ordering;

use super::input::{Input, input};
use super::kept;
use crate::sql::error::Result;
use crate::sql::expression::rows::Aggregate;
use crate::sql::scope::Scope;
use crate::sql::types::nested_values::explode;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// How partial values are combined.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Merge {
    /// Added up; 0 if there are none.
    Count,
    Sum,
    Least,
    Greatest,
    Every,
    Any,
    /// Lists of distinct values, combined into one list.
    Lists,
    /// Lists of values, one after another.
    All,
    /// [The row](super::kept) that comes first, or with the least or the greatest value.
    Kept(Option<Ordering>),
}

/// For each group, the combination of the partial values of its rows.
pub(in crate::sql) fn merged(values: &Values, merge: Merge, groups: &Groups) -> Result<Values> {
    let input = of_all_rows(groups, vec![values.clone()]);
    match merge {
        // A sum of sums has the same type.
        Merge::Count | Merge::Sum => Ok(Values { kind: values.kind.clone(), ..input.sum()? }),
        Merge::Least => input.extreme(0, 0, Ordering::Less),
        Merge::Greatest => input.extreme(0, 0, Ordering::Greater),
        Merge::Every => input.truth(true),
        Merge::Any => input.truth(false),
        Merge::Lists | Merge::All => {
            let (elements, groups) = elements_of(values, groups)?;
            let input = of_all_rows(&groups, vec![elements]);
            let input = if merge == Merge::Lists { input.distinct()? } else { input };
            input.list(|_, _| true)
        }
        Merge::Kept(wanted) => kept::merged(values, wanted, groups),
    }
}

/// The elements of all lists, and the groups of their lists.
pub(super) fn elements_of(values: &Values, groups: &Groups) -> Result<(Values, Groups)> {
    let (elements, lengths) = explode(values)?;
    let each = groups.of_row.iter().zip(&lengths);
    let of_row = each.flat_map(|(group, length)| std::iter::repeat_n(*group, length.unwrap_or(0))).collect();
    Ok((elements, Groups { of_row, first: groups.first.clone() }))
}

/// Aggregates these arguments over all rows of the groups.
pub(super) fn of_all_rows(groups: &Groups, args: Vec<Values>) -> Input<'_> {
    Input { groups, rows: (0..u32::try_from(groups.of_row.len()).unwrap_or(u32::MAX)).collect(), args }
}

/// The values of a call's first argument in each group, without NULL: all, or the `distinct` ones.
pub(in crate::sql) fn list(
    scope: &Scope<'_>,
    call: &Aggregate,
    groups: &Groups,
    distinct: bool,
) -> Result<Values> {
    let input = input(scope, call, groups)?.first_only();
    let nulls = input.nulls(0)?;
    let input = if distinct { input.distinct()? } else { input };
    input.list(|_, row| nulls.get(row) == Some(&false))
}

/// The length of each list; NULL if there is no list.
pub(in crate::sql) fn lengths(lists: &Values) -> Result<Values> {
    let (_, lengths) = explode(lists)?;
    let count = |length: Option<usize>| i64::try_from(length.unwrap_or(0)).ok();
    Ok(Values::new(Kind::Bigint, i64::column(lengths.into_iter().map(count).collect())))
}
