//! Compares arrays, rows and maps as Trino does: element by element, with the result NULL if a NULL decides.

use std::cmp::Ordering;

use polars::prelude::{AnyValue, Series};

use super::values::Values;
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// A value whose parts can be compared.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Part {
    Null,
    Whole(i64),
    Number(f64),
    Text(String),
    Truth(bool),
    /// An array or a row.
    List(Vec<Part>),
    Map(Vec<(Part, Part)>),
}

/// The values of all rows; a single one if they are constant.
pub(in crate::sql) fn parts(values: &Values, height: usize) -> Result<Vec<Part>> {
    let rows = if values.constant { height.min(1) } else { height };
    let mut parts = column(&values.kind, &values.data)?;
    parts.truncate(rows);
    Ok(parts)
}

/// The values of a column; fields and elements are also converted column by column.
fn column(kind: &Kind, data: &Series) -> Result<Vec<Part>> {
    let is_there: Vec<bool> = data.is_not_null().iter().map(|there| there == Some(true)).collect();
    let or_null = |row: usize, part: Part| if is_there.get(row) == Some(&true) { part } else { Part::Null };
    Ok(match kind {
        Kind::Row(fields) => {
            let columns = data.struct_()?.fields_as_series();
            let mut columns = fields
                .iter()
                .zip(&columns)
                .map(|((_, kind), data)| Ok(column(kind, data)?.into_iter()))
                .collect::<Result<Vec<_>>>()?;
            (0..data.len())
                .map(|row| or_null(row, Part::List(columns.iter_mut().filter_map(Iterator::next).collect())))
                .collect()
        }
        Kind::Array(_) | Kind::Map(..) => {
            let (elements, lengths) =
                super::nested_values::explode(&Values::new(kind.clone(), data.clone()))?;
            let mut elements = column(&elements.kind, &elements.data)?.into_iter();
            let is_map = matches!(kind, Kind::Map(..));
            let list = |length: Option<usize>| match length {
                None => Part::Null,
                Some(length) if is_map => {
                    Part::Map(elements.by_ref().take(length).filter_map(entry).collect())
                }
                Some(length) => Part::List(elements.by_ref().take(length).collect()),
            };
            lengths.into_iter().map(list).collect()
        }
        _ => (0..data.len()).map(|row| simple_part(data.get(row).unwrap_or(AnyValue::Null))).collect(),
    })
}

fn entry(part: Part) -> Option<(Part, Part)> {
    let Part::List(halves) = part else { return None };
    let mut halves = halves.into_iter();
    Some((halves.next()?, halves.next()?))
}

fn simple_part(value: AnyValue<'_>) -> Part {
    match value {
        AnyValue::Int64(number) => Part::Whole(number),
        AnyValue::Float64(number) => Part::Number(number),
        AnyValue::Boolean(truth) => Part::Truth(truth),
        AnyValue::String(text) => Part::Text(text.to_owned()),
        AnyValue::StringOwned(text) => Part::Text(text.to_string()),
        _ => Part::Null,
    }
}

/// Whether two values are equal; `None` if it depends on a NULL.
pub(in crate::sql) fn equal(a: &Part, b: &Part) -> Option<bool> {
    match (a, b) {
        (Part::Null, _) | (_, Part::Null) => None,
        (Part::List(a), Part::List(b)) => all(a.len() == b.len(), a.iter().zip(b).map(|(a, b)| equal(a, b))),
        (Part::Map(a), Part::Map(b)) => {
            let value = |key: &Part| {
                b.iter().find(|(other, _)| equal(key, other) == Some(true)).map(|(_, value)| value)
            };
            all(
                a.len() == b.len(),
                a.iter().map(|(key, own)| value(key).map_or(Some(false), |other| equal(own, other))),
            )
        }
        (a, b) => Some(simple(a, b) == Some(Ordering::Equal)),
    }
}

/// Three-valued AND.
fn all(alike: bool, each: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    if !alike {
        return Some(false);
    }
    let mut result = Some(true);
    for one in each {
        match one {
            Some(false) => return Some(false),
            None => result = None,
            Some(true) => {}
        }
    }
    result
}

/// The order of two values, part by part, with the shorter before the longer; `None` if a NULL decides.
pub(in crate::sql) fn order(a: &Part, b: &Part) -> Option<Ordering> {
    let (Part::List(left), Part::List(right)) = (a, b) else { return simple(a, b) };
    for (a, b) in left.iter().zip(right) {
        match order(a, b)? {
            Ordering::Equal => {}
            decided => return Some(decided),
        }
    }
    Some(left.len().cmp(&right.len()))
}

fn simple(a: &Part, b: &Part) -> Option<Ordering> {
    match (a, b) {
        (Part::Whole(a), Part::Whole(b)) => Some(a.cmp(b)),
        (Part::Number(a), Part::Number(b)) => a.partial_cmp(b),
        (Part::Text(a), Part::Text(b)) => Some(a.cmp(b)),
        (Part::Truth(a), Part::Truth(b)) => Some(a.cmp(b)),
        _ => None,
    }
}

/// For each row the rank of its value, for sorting. Equal values have equal ranks; NULL has none.
pub(in crate::sql) fn places(values: &Values, height: usize) -> Result<Vec<Option<i64>>> {
    if matches!(values.kind, Kind::Map(..)) {
        return Err(SqlError::new(format!("{} values have no order", values.kind)));
    }
    let parts = parts(values, height)?;
    let mut sorted: Vec<usize> =
        (0..parts.len()).filter(|at| !matches!(parts.get(*at), Some(Part::Null) | None)).collect();
    let between =
        |a: usize, b: usize| parts.get(a).zip(parts.get(b)).map_or(Ordering::Equal, |(a, b)| total(a, b));
    sorted.sort_by(|a, b| between(*a, *b));
    let mut places = vec![None; parts.len()];
    let (mut place, mut before) = (0, None);
    for at in sorted {
        if before.is_some_and(|before| between(before, at) != Ordering::Equal) {
            place += 1;
        }
        before = Some(at);
        if let Some(slot) = places.get_mut(at) {
            *slot = Some(place);
        }
    }
    if values.constant {
        let first = places.first().copied().flatten();
        places.resize(height, first);
    }
    Ok(places)
}

/// A total order, with NULLs inside of values after everything else.
fn total(a: &Part, b: &Part) -> Ordering {
    match (a, b) {
        (Part::List(left), Part::List(right)) => {
            let decided = left.iter().zip(right).map(|(a, b)| total(a, b)).find(|order| order.is_ne());
            decided.unwrap_or_else(|| left.len().cmp(&right.len()))
        }
        (Part::Number(a), Part::Number(b)) => a.total_cmp(b),
        (Part::Null, Part::Null) => Ordering::Equal,
        (Part::Null, _) => Ordering::Greater,
        (_, Part::Null) => Ordering::Less,
        (a, b) => simple(a, b).unwrap_or(Ordering::Equal),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(numbers: &[Option<i64>]) -> Part {
        Part::List(numbers.iter().map(|number| number.map_or(Part::Null, Part::Whole)).collect())
    }

    #[test]
    fn a_null_inside_leaves_open_what_nothing_else_decides() {
        let with_null = list(&[Some(1), None]);
        assert_eq!(equal(&with_null, &list(&[Some(1), Some(2)])), None);
        assert_eq!(equal(&with_null, &list(&[Some(2), Some(2)])), Some(false));
        assert_eq!(equal(&with_null, &list(&[Some(1)])), Some(false));
        assert_eq!(order(&with_null, &list(&[Some(2), Some(0)])), Some(Ordering::Less));
        assert_eq!(order(&with_null, &list(&[Some(1), Some(0)])), None);
    }

    #[test]
    fn numbers_inside_are_ordered_as_numbers() {
        assert_eq!(order(&list(&[Some(9)]), &list(&[Some(10)])), Some(Ordering::Less));
        assert_eq!(order(&list(&[Some(9)]), &list(&[Some(9), Some(1)])), Some(Ordering::Less));
        assert_eq!(total(&list(&[None]), &list(&[Some(9)])), Ordering::Greater);
    }
}
