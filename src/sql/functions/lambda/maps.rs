//! `transform_values(map, (key, value) -> …)`, `map_zip_with` and their relatives.

use super::body::{Lambda, keep, rows_of};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::common;
use crate::sql::types::nested_values::{explode, map_of};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// `map_zip_with(a, b, (key, first, second) -> …)`: a value for each key of either map.
pub(super) fn zip_with(
    scope: &Scope<'_>,
    first: &Expression,
    second: &Expression,
    body: &Expression,
) -> Result<Values> {
    let body = Lambda::of("map_zip_with", body, 3)?;
    let (first, second) = (Parts::of(&scope.values(first)?)?, Parts::of(&scope.values(second)?)?);
    let kind = common(&first.keys.kind, &second.keys.kind)?;
    let (count, more) = (first.keys.data.len(), second.keys.data.len());
    let mut keys = cast::cast(&first.keys, &kind, count, false)?.spread(count);
    keys.append_owned(cast::cast(&second.keys, &kind, more, false)?.spread(more))?;
    let keys = Values::new(kind, keys.rechunk());
    let names = cast::json_texts(&keys, keys.data.len())?;
    // For each key of the result: where it is among all keys, and its places in the two maps.
    let (mut places, mut firsts, mut seconds) = (Vec::new(), Vec::new(), Vec::new());
    let (mut lengths, mut rows) = (Vec::new(), Vec::new());
    let (mut left, mut right) = (0, 0);
    for (row, (a, b)) in first.lengths.iter().zip(&second.lengths).enumerate() {
        let (own, other) = (left..left + a.unwrap_or(0), right..right + b.unwrap_or(0));
        (left, right) = (own.end, other.end);
        lengths.push(None);
        if a.is_none() || b.is_none() {
            continue;
        }
        let before = places.len();
        let named = |at: usize| names.get(at);
        for at in own.clone() {
            places.push(u32::try_from(at).ok());
            firsts.push(u32::try_from(at).ok());
            let same = other.clone().find(|other| named(count + other) == named(at));
            seconds.push(same.and_then(|at| u32::try_from(at).ok()));
        }
        for at in other.filter(|at| !own.clone().any(|own| named(own) == named(count + at))) {
            places.push(u32::try_from(count + at).ok());
            firsts.push(None);
            seconds.push(u32::try_from(at).ok());
        }
        rows.extend(std::iter::repeat_n(u32::try_from(row).ok(), places.len() - before));
        if let Some(length) = lengths.last_mut() {
            *length = Some(places.len() - before);
        }
    }
    let keys = keys.take(&places)?;
    let results =
        body.over(scope, &rows, &[&keys, &first.values.take(&firsts)?, &second.values.take(&seconds)?])?;
    map_of(&keys, &Values::new(results.kind.clone(), results.spread(places.len())), &lengths)
}

/// A column of maps, taken apart.
struct Parts {
    entries: Values,
    keys: Values,
    values: Values,
    /// The number of entries in each row; `None`: it is NULL.
    lengths: Vec<Option<usize>>,
}

impl Parts {
    fn of(map: &Values) -> Result<Self> {
        let Kind::Map(key, value) = map.kind.clone() else {
            return Err(SqlError::new(format!("a map is needed here, and this is {}", map.kind)));
        };
        let (entries, lengths) = explode(map)?;
        let fields = entries.data.struct_()?.fields_as_series();
        let [keys, values] = fields.as_slice() else { return Err(SqlError::new("a map is needed here")) };
        let (keys, values) = (Values::new(*key, keys.clone()), Values::new(*value, values.clone()));
        Ok(Self { entries, keys, values, lengths })
    }
}

pub(super) fn call(scope: &Scope<'_>, name: &str, map: &Expression, body: &Expression) -> Result<Values> {
    let body = Lambda::of(name, body, 2)?;
    let map = scope.values(map)?;
    let Parts { entries, keys, values, lengths } = Parts::of(&map)?;
    let results = body.over(scope, &rows_of(&lengths), &[&keys, &values])?;
    match name {
        "map_filter" => {
            let kept = keep(&entries, &lengths, &results)?;
            Ok(Values { kind: map.kind, ..kept })
        }
        "transform_keys" => map_of(&results, &values, &lengths),
        _ => map_of(&keys, &results, &lengths),
    }
}
