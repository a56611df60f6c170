//! Aggregates of several parts of the rows as one.

use super::{Input, input};
use crate::sql::cast::explode;
use crate::sql::error::Result;
use crate::sql::eval::Scope;
use crate::sql::names;
use crate::sql::relation::Groups;
use crate::sql::values::{Cell, Values};
use crate::tables::Kind;
use sqlparser::ast::Function;

/// How the values of parts become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Merge {
    /// Added up, and 0 where there is none.
    Count,
    Sum,
    Least,
    Greatest,
    Every,
    Any,
    /// Lists of distinct values: one list.
    Lists,
}

/// For each group, the value that those of its rows make together.
pub(in crate::sql) fn merged(values: &Values, merge: Merge, groups: &Groups) -> Result<Values> {
    let all = || (0..u32::try_from(groups.of_row.len()).unwrap_or(u32::MAX)).collect();
    let input = Input { groups, rows: all(), args: vec![values.clone()] };
    match merge {
        // A sum is of the same type as the sums that it is of.
        Merge::Count | Merge::Sum => Ok(Values { kind: values.kind.clone(), ..input.sum()? }),
        Merge::Least => input.extreme(0, 0, std::cmp::Ordering::Less),
        Merge::Greatest => input.extreme(0, 0, std::cmp::Ordering::Greater),
        Merge::Every => input.truth(true),
        Merge::Any => input.truth(false),
        Merge::Lists => {
            let (elements, lengths) = explode(values)?;
            let each = groups.of_row.iter().zip(&lengths);
            let of_row: Vec<u32> = each.flat_map(|(group, length)| std::iter::repeat_n(*group, length.unwrap_or(0))).collect();
            let rows = (0..u32::try_from(of_row.len()).unwrap_or(u32::MAX)).collect();
            let groups = Groups { of_row, first: groups.first.clone() };
            Input { groups: &groups, rows, args: vec![elements] }.distinct()?.list(|_, _| true)
        }
    }
}

/// The different values of a call's argument in each group, but NULL.
pub(in crate::sql) fn distinct_list(scope: &Scope<'_>, function: &Function, groups: &Groups) -> Result<Values> {
    let input = input(scope, function, &names::of_function(function), groups)?.first_only();
    let nulls = input.nulls(0)?;
    input.distinct()?.list(|_, row| nulls.get(row) == Some(&false))
}

/// How many elements each list has; none where there is no list.
pub(in crate::sql) fn lengths(lists: &Values) -> Result<Values> {
    let (_, lengths) = explode(lists)?;
    let count = |length: Option<usize>| i64::try_from(length.unwrap_or(0)).ok();
    Ok(Values::new(Kind::Bigint, i64::column(lengths.into_iter().map(count).collect())))
}
