//! `max_by`, `min_by`, `arbitrary`: of each group, the row with the least or the greatest value, or the first one.
//!
//! Of the rows of a piece, that row is kept with its place, because of rows with equal values the first one counts.

use std::cmp::Ordering;

use polars::prelude::{IntoSeries, StructChunked};

use super::input::input;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::rows::Aggregate;
use crate::sql::scope::Scope;
use crate::sql::types::compare::Ordered;
use crate::sql::types::place;
use crate::sql::types::place::{OBJECT, RECORD, is_place};
use crate::sql::types::relation::Groups;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The names of the fields: what is shown, what is compared, and the places behind these.
const SHOWN: &str = "shown";
const BY: &str = "by";
const PLACE: &str = "place";

/// How a call chooses a row; `None` if it does nothing of the kind.
pub(in crate::sql) fn chooses(name: &str, arguments: usize) -> Option<Option<Ordering>> {
    match (name, arguments) {
        ("max_by", 2) => Some(Some(Ordering::Greater)),
        ("min_by", 2) => Some(Some(Ordering::Less)),
        ("arbitrary" | "any_value" | "first", 1) => Some(None),
        _ => None,
    }
}

/// The row that is kept of each group, as a struct.
pub(in crate::sql) fn rows(
    scope: &Scope<'_>,
    call: &Aggregate,
    wanted: Option<Ordering>,
    groups: &Groups,
) -> Result<Values> {
    let mut input = input(scope, call, groups)?;
    // Of equal rows the first one counts, and the rows of a piece need not be in order.
    if let (Some(object), Some(record)) = (scope.relation.named(OBJECT)?, scope.relation.named(RECORD)?) {
        let places = place::places(&object, &record, scope.height())?;
        let places: Vec<Option<i64>> = places.i64()?.iter().collect();
        input.rows.sort_by_key(|row| places.get(*row as usize).copied());
    }
    let rows = match wanted {
        Some(wanted) => input.extreme_rows(1, wanted)?,
        None => input.one_row(false)?,
    };
    let mut fields = vec![(SHOWN.to_owned(), input.arg(0)?.take(&rows)?)];
    if wanted.is_some() {
        fields.push((BY.to_owned(), input.arg(1)?.take(&rows)?));
    }
    let places = scope.relation.fields.iter().enumerate().filter(|(_, field)| is_place(field));
    for (number, (at, _)) in places.enumerate() {
        fields.push((format!("{PLACE}{number}"), scope.relation.values(at)?.take(&rows)?));
    }
    let columns: Vec<_> = fields
        .iter()
        .map(|(name, values)| values.spread(rows.len()).with_name(name.as_str().into()))
        .collect();
    let data = StructChunked::from_series("".into(), rows.len(), columns.iter())?.into_series();
    Ok(Values::new(Kind::Row(fields.into_iter().map(|(name, values)| (name, values.kind)).collect()), data))
}

/// A field of the rows that are kept.
fn fields(values: &Values, is_it: impl Fn(&str) -> bool) -> Result<Vec<Values>> {
    let Kind::Row(kinds) = &values.kind else { return Err(SqlError::new("a row is missing")) };
    let columns = values.data.struct_()?.fields_as_series();
    let all = kinds.iter().zip(columns).filter(|((name, _), _)| is_it(name));
    Ok(all.map(|((_, kind), column)| Values::new(kind.clone(), column)).collect())
}

/// What is shown of the rows that are kept.
pub(in crate::sql) fn shown(values: &Values) -> Result<Values> {
    fields(values, |name| name == SHOWN)?.pop().ok_or_else(|| SqlError::new("a row is missing"))
}

/// Of the rows that have been kept of pieces, those that are kept of all.
pub(super) fn merged(values: &Values, wanted: Option<Ordering>, groups: &Groups) -> Result<Values> {
    let told = if wanted.is_some() { BY } else { SHOWN };
    let Some(told) = fields(values, |name| name == told)?.pop() else {
        return Err(SqlError::new("a row is missing"));
    };
    let nulls = super::input::predicate_nulls(&told)?;
    let by = wanted.map(|wanted| Ok::<_, SqlError>((Ordered::of(&told)?, wanted))).transpose()?;
    let places = fields(values, |name| name.starts_with(PLACE))?;
    let places = places.iter().map(Ordered::of).collect::<Result<Vec<_>>>()?;
    let is_before = |row: usize, known: usize| {
        let order = by.as_ref().map_or(Ordering::Equal, |(order, wanted)| match order.compare(row, known) {
            Ordering::Equal => Ordering::Equal,
            other if other == *wanted => Ordering::Less,
            _ => Ordering::Greater,
        });
        let place = || places.iter().map(|place| place.compare(row, known)).find(|order| order.is_ne());
        order.then_with(|| place().unwrap_or(Ordering::Equal)).is_lt()
    };
    let mut best: Vec<Option<u32>> = vec![None; groups.count()];
    for (row, group) in groups.of_row.iter().enumerate().filter(|(row, _)| nulls.get(*row) == Some(&false)) {
        if let Some(slot) = best.get_mut(*group as usize)
            && slot.is_none_or(|known| is_before(row, known as usize))
        {
            *slot = u32::try_from(row).ok();
        }
    }
    values.take(&best)
}
