//! Functions on arrays and maps. Positions count from 1. A position beyond the end gives NULL.

pub(super) mod columns;
mod made;
mod parts;

pub(super) use made::concat;

use super::call::Call;
use super::{aggregate, fields};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::common;
use crate::sql::types::ip::Network;
use crate::sql::types::nested_values::{explode, map_of};
use crate::sql::types::values::Values;
use columns::{Ranges, array_values, halves, row_values};
use made::{distinct, extreme, flatten, gather, pick, sequence, sets, slice, sort};

use crate::tables::Kind;
use crate::tables::builder::lists;
use crate::tables::kind::entry;

pub(super) const NAMES: &[&str] = &[
    "cardinality",
    "size",
    "element_at",
    "contains",
    "array_contains",
    "array_join",
    "array_distinct",
    "array_sort",
    "sort_array",
    "array_max",
    "array_min",
    "array_position",
    "array_remove",
    "array_union",
    "array_intersect",
    "array_except",
    "arrays_overlap",
    "slice",
    "sequence",
    "flatten",
    "map_keys",
    "map_values",
    "map",
    "map_concat",
    "map_entries",
    "map_from_entries",
    "array",
    "row",
    "reverse",
    "zip",
    "repeat",
    "ngrams",
    "combinations",
    "trim_array",
    "contains_sequence",
    "array_first",
    "array_last",
    "array_histogram",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "cardinality" | "size" => lengths_of(call),
        "element_at" => {
            call.arity(2, 2).and_then(|()| subscript(call.arg(0)?, call.arg(1)?, call.height, call.lenient))
        }
        "contains" if matches!(call.args.get(1), Some(Values { kind: Kind::Ip, .. })) => in_network(call),
        "contains" | "array_contains" => contains(call),
        "array_join" => array_join(call),
        "array_distinct" => pick(call, distinct),
        "array_sort" | "sort_array" => sort(call),
        "array_max" => extreme(call, std::cmp::Ordering::Greater),
        "array_min" => extreme(call, std::cmp::Ordering::Less),
        "array_position" => position(call),
        "array_remove" => remove(call),
        "array_union" | "array_intersect" | "array_except" | "arrays_overlap" | "contains_sequence" => {
            sets(call)
        }
        "slice" => slice(call),
        "sequence" => sequence(call),
        "flatten" => flatten(call),
        "map_keys" => entries(call, 0),
        "map_values" => entries(call, 1),
        "map_entries" => call.arg(0).and_then(|arg| match &arg.kind {
            Kind::Map(key, value) => Ok(Values { kind: Kind::array(entry(key, value)), ..arg.clone() }),
            other => Err(SqlError::new(format!("a map is needed here, and this is {other}"))),
        }),
        "map" if call.args.is_empty() => {
            let nothing = || Values::new(Kind::Unknown, Values::null(Kind::Unknown).data.clear());
            map_of(&nothing(), &nothing(), &[Some(0)]).map(|map| Values { constant: true, ..map })
        }
        "map" => map(call),
        "map_concat" => made::map_concat(call),
        "map_from_entries" => made::map_from_entries(call),
        "array" => array_values(&call.args, call.height),
        "zip" => made::zip(call),
        "repeat" => made::repeat(call),
        "ngrams" => parts::ngrams(call),
        "combinations" => parts::combinations(call),
        "trim_array" => parts::trim_array(call),
        "array_first" | "array_last" => call.arity(1, 1).and_then(|()| {
            let place = if call.name == "array_first" { 1_i64 } else { -1 };
            let place = Values::constant(Kind::Bigint, Some(place));
            subscript(call.arg(0)?, &place, call.height, true)
        }),
        "array_histogram" => call.arity(1, 1).and_then(|()| {
            let (constant, height) = (call.constant(), if call.constant() { 1 } else { call.height });
            let values = aggregate::of_lists(call.arg(0)?, "histogram", &[], height)?;
            Ok(Values { constant, ..values })
        }),
        "row" => row_values(&call.args, call.height),
        "reverse" => pick(call, |_, rows| rows.rev().collect()),
        _ => return None,
    })
}

/// `ARRAY[a, b]`.
pub(in crate::sql) fn array_of(scope: &Scope<'_>, elements: &[Expression]) -> Result<Values> {
    let values = elements.iter().map(|element| scope.value(element)).collect::<Result<Vec<_>>>()?;
    array_values(&values, scope.height())
}

/// `ROW(a, b)`, `(a, b)`.
pub(in crate::sql) fn row_of(scope: &Scope<'_>, elements: &[Expression]) -> Result<Values> {
    let values = elements.iter().map(|element| scope.value(element)).collect::<Result<Vec<_>>>()?;
    row_values(&values, scope.height())
}

/// `array[n]`, `map['key']`.
pub(in crate::sql) fn subscript(
    values: &Values,
    index: &Values,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    match (&values.kind, index.constant_whole()) {
        (Kind::Varchar | Kind::Json, _) if index.kind == Kind::Varchar => {
            return super::json::member_named(values, index, height);
        }
        (Kind::Row(fields), Some(at)) => return nth_field(values, fields, at),
        // In another table definition this column is a map.
        (Kind::Row(_), None) if index.kind == Kind::Varchar => {
            let name = index
                .constant_text()
                .ok_or_else(|| SqlError::new("a field's name must be a literal text"))?;
            return fields::fields(values.clone(), &[sqlparser::ast::Ident::new(name)]);
        }
        _ => {}
    }
    let (elements, lengths) = explode(values)?;
    let ranges = Ranges::of(&lengths);
    let constant = values.constant && index.constant;
    let rows = if constant { 1 } else { height };
    let (elements, places): (Values, Vec<Option<u32>>) = match &values.kind {
        Kind::Map(..) => {
            let (keys, data) = halves(&elements)?;
            let kind = common(&keys.kind, &index.kind).map_err(|_| {
                SqlError::new(format!("the keys of this map are {}, and this is {}", keys.kind, index.kind))
            })?;
            let count = keys.data.len();
            let keys = cast::texts(&cast::cast(&keys, &kind, count, true)?, count)?;
            let wanted = cast::texts(&cast::cast(index, &kind, height, true)?, height)?;
            let place = |row: usize| {
                let wanted = wanted.get(if index.constant { 0 } else { row })?.as_ref()?;
                ranges
                    .get(row, values.constant)?
                    .find(|at| keys.get(*at).and_then(Option::as_ref) == Some(wanted))
            };
            (data, (0..rows).map(|row| place(row).and_then(|at| u32::try_from(at).ok())).collect())
        }
        _ => {
            if !matches!(index.kind, Kind::Bigint | Kind::Unknown) {
                return Err(SqlError::new(format!(
                    "a position is a whole number, and this is {}",
                    index.kind
                )));
            }
            let indices = index.wholes()?;
            if !lenient && (0..index.data.len()).any(|row| indices.get(row) == Some(0)) {
                return Err(SqlError::value("the positions of an array begin at 1"));
            }
            let place = |row: usize| {
                let range = ranges.get(row, values.constant)?;
                let index = indices.get(row)?;
                let at = if index < 0 {
                    range.len().checked_sub(usize::try_from(index.unsigned_abs()).ok()?)?
                } else {
                    usize::try_from(index - 1).ok()?
                };
                (at < range.len()).then_some(range.start + at)
            };
            (elements, (0..rows).map(|row| place(row).and_then(|at| u32::try_from(at).ok())).collect())
        }
    };
    Ok(Values { constant, ..elements.take(&places)? })
}

/// `row[1]`: a field by its position.
fn nth_field(values: &Values, fields: &[(String, Kind)], at: i64) -> Result<Values> {
    let at = usize::try_from(at - 1).ok();
    let field = at.and_then(|at| {
        Some((fields.get(at)?, values.data.struct_().ok()?.fields_as_series().get(at)?.clone()))
    });
    let ((_, kind), data) =
        field.ok_or_else(|| SqlError::new(format!("a {} has no such field", values.kind)))?;
    Ok(Values { kind: kind.clone(), data, constant: values.constant })
}

fn lengths_of(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (_, lengths) = explode(call.arg(0)?)?;
    call.build(Kind::Bigint, |row| {
        Ok(lengths.get(row).copied().flatten().and_then(|length| i64::try_from(length).ok()))
    })
}

/// All elements, their number for each row, and the value to search for in each row, as texts that are equal
/// if the values are.
type Keyed = (Vec<Option<String>>, Vec<Option<usize>>, Vec<Option<String>>);

fn keyed(call: &Call<'_>) -> Result<Keyed> {
    call.arity(2, 2)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let kind = common(&elements.kind, &call.arg(1)?.kind)?;
    let count = elements.data.len();
    let keys = cast::json_texts(&cast::cast(&elements, &kind, count, true)?, count)?;
    let wanted = cast::json_texts(&cast::cast(call.arg(1)?, &kind, call.height, call.lenient)?, call.height)?;
    Ok((keys, lengths, wanted))
}

fn contains(call: &Call<'_>) -> Result<Values> {
    let (keys, lengths, wanted) = keyed(call)?;
    let (ranges, constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    call.build(Kind::Boolean, |row| {
        let Some((range, wanted)) = ranges.get(row, constant).zip(wanted.get(row).and_then(Option::as_ref))
        else {
            return Ok(None);
        };
        let elements = keys.get(range).unwrap_or_default();
        if elements.iter().flatten().any(|key| key == wanted) {
            return Ok(Some(true));
        }
        Ok(if elements.iter().any(Option::is_none) { None } else { Some(false) })
    })
}

/// `contains('10.0.0.0/8', address)`
fn in_network(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let network = call.literal(0)?;
    let network = Network::parse(&network)
        .ok_or_else(|| SqlError::new(format!("'{network}' is no network, such as '10.0.0.0/8'")))?;
    let addresses = call.arg(1)?.texts()?;
    call.build(Kind::Boolean, |row| Ok(addresses.get(row).map(|digits| network.has(digits))))
}

fn position(call: &Call<'_>) -> Result<Values> {
    let (keys, lengths, wanted) = keyed(call)?;
    let (ranges, constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    call.build(Kind::Bigint, |row| {
        let Some((range, wanted)) = ranges.get(row, constant).zip(wanted.get(row).and_then(Option::as_ref))
        else {
            return Ok(None);
        };
        let at = keys.get(range).unwrap_or_default().iter().position(|key| key.as_ref() == Some(wanted));
        Ok(i64::try_from(at.map_or(0, |at| at + 1)).ok())
    })
}

fn remove(call: &Call<'_>) -> Result<Values> {
    let (keys, lengths, wanted) = keyed(call)?;
    let ranges = Ranges::of(&lengths);
    let (elements, _) = explode(call.arg(0)?)?;
    gather(call, &elements, |row, constant| {
        let (range, wanted) = ranges.get(row, constant).zip(wanted.get(row)?.as_ref())?;
        Some(range.filter(|at| keys.get(*at).and_then(Option::as_ref) != Some(wanted)).collect())
    })
}

fn array_join(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    let (texts, separators) = (cast::texts(&elements, elements.data.len())?, call.texts(1)?);
    let null = if call.args.len() > 2 { Some(call.literal(2)?) } else { None };
    call.build(Kind::Varchar, |row| {
        let Some((range, separator)) = ranges.get(row, constant).zip(separators.get(row)) else {
            return Ok(None);
        };
        let parts: Vec<&str> = texts
            .get(range)
            .unwrap_or_default()
            .iter()
            .filter_map(|text| text.as_deref().or(null.as_deref()))
            .collect();
        call.fits(parts.iter().map(|part| part.len() + separator.len()).sum())?;
        Ok(Some(parts.join(separator)))
    })
}

fn entries(call: &Call<'_>, half: usize) -> Result<Values> {
    call.arity(1, 1)?;
    let (entries, lengths) = explode(call.arg(0)?)?;
    let (keys, values) = halves(&entries)?;
    let chosen = if half == 0 { keys } else { values };
    Ok(Values {
        data: lists("", &chosen.data, &chosen.kind, &lengths),
        kind: Kind::array(chosen.kind),
        constant: call.constant(),
    })
}

fn map(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (keys, lengths) = explode(call.arg(0)?)?;
    let (values, other) = explode(call.arg(1)?)?;
    if lengths != other {
        return Err(SqlError::value("keys and values of a map must be as many"));
    }
    made::check_keys(call, &keys, &lengths)?;
    Ok(Values { constant: call.constant(), ..map_of(&keys, &values, &lengths)? })
}
