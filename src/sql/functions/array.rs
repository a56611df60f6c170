//! Functions on arrays and maps. Positions count from 1. A position beyond the end gives NULL.

use polars_core::prelude::{IntoSeries, Series, StructChunked};
use sqlparser::ast::Expr;

use super::super::cast::{self, explode};
use super::super::compare::{Ordered, common};
use super::super::error::{Result, SqlError};
use super::super::eval::Scope;
use super::super::relation::Groups;
use super::super::values::Values;
use super::Call;
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
    "map_entries",
    "array",
    "row",
    "reverse",
    "array_average",
    "array_sum",
    "zip",
];

/// Longest array that `sequence` may make.
const LENGTH_MAX: i64 = 100_000;

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "cardinality" | "size" => lengths_of(call),
        "element_at" => call.arity(2, 2).and_then(|()| subscript(call.arg(0)?, call.arg(1)?, call.height)),
        "contains" | "array_contains" => contains(call),
        "array_join" => array_join(call),
        "array_distinct" => pick(call, distinct),
        "array_sort" | "sort_array" => sort(call),
        "array_max" => extreme(call, std::cmp::Ordering::Greater),
        "array_min" => extreme(call, std::cmp::Ordering::Less),
        "array_position" => position(call),
        "array_remove" => remove(call),
        "array_union" | "array_intersect" | "array_except" | "arrays_overlap" => sets(call),
        "slice" => slice(call),
        "sequence" => sequence(call),
        "flatten" => flatten(call),
        "map_keys" => entries(call, 0),
        "map_values" => entries(call, 1),
        "map_entries" => call.arg(0).and_then(|arg| match &arg.kind {
            Kind::Map(key, value) => Ok(Values { kind: Kind::array(entry(key, value)), ..arg.clone() }),
            other => Err(SqlError::new(format!("a map is needed here, and this is {other}"))),
        }),
        "map" => map(call),
        "array" => array_values(&call.args, call.height),
        "row" => row_values(&call.args, call.height),
        "reverse" => pick(call, |_, rows| rows.rev().collect()),
        _ => return None,
    })
}

/// `ARRAY[a, b]`.
pub(in super::super) fn array_of(scope: &Scope<'_>, elements: &[Expr]) -> Result<Values> {
    let values = elements.iter().map(|element| scope.eval(element)).collect::<Result<Vec<_>>>()?;
    array_values(&values, scope.height())
}

fn array_values(values: &[Values], height: usize) -> Result<Values> {
    let mut kind = Kind::Unknown;
    for value in values {
        kind = common(&kind, &value.kind)?;
    }
    let constant = values.iter().all(|value| value.constant);
    let rows = if constant { 1 } else { height };
    let mut all = Series::new_empty("".into(), &kind.dtype());
    for value in values {
        all.append_owned(cast::cast(value, &kind, height, false)?.spread(rows))?;
    }
    // Column after column lies there; row after row is needed.
    let order: Vec<Option<u32>> = (0..rows).flat_map(|row| (0..values.len()).map(move |at| u32::try_from(at * rows + row).ok())).collect();
    let elements = super::super::values::take(&all.rechunk(), &order)?;
    let data = lists("", &elements, &kind, &vec![Some(values.len()); rows]);
    Ok(Values { kind: Kind::array(kind), data, constant })
}

/// `ROW(a, b)`, `(a, b)`.
pub(in super::super) fn row_of(scope: &Scope<'_>, elements: &[Expr]) -> Result<Values> {
    let values = elements.iter().map(|element| scope.eval(element)).collect::<Result<Vec<_>>>()?;
    row_values(&values, scope.height())
}

fn row_values(values: &[Values], height: usize) -> Result<Values> {
    let names: Vec<String> = (0..values.len()).map(|at| format!("field{at}")).collect();
    let fields: Vec<Series> = values.iter().zip(&names).map(|(value, name)| value.spread(height).with_name(name.as_str().into())).collect();
    let data = StructChunked::from_series("".into(), height, fields.iter())?.into_series();
    Ok(Values::new(Kind::Row(names.into_iter().zip(values.iter().map(|value| value.kind.clone())).collect()), data))
}

/// A column of arrays of text, built row by row.
pub(super) fn lists_of_texts(call: &Call<'_>, mut list: impl FnMut(usize) -> Option<Vec<Option<String>>>) -> Result<Values> {
    let constant = call.constant();
    let rows = if constant { 1 } else { call.height };
    let (mut all, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
    for row in 0..rows {
        let list = list(row);
        lengths.push(list.as_ref().map(Vec::len));
        all.extend(list.into_iter().flatten());
    }
    let elements = <String as super::super::values::Cell>::column(all);
    Ok(Values { kind: Kind::array(Kind::Varchar), data: lists("", &elements, &Kind::Varchar, &lengths), constant })
}

/// Where each row's elements lie among all of them.
struct Ranges(Vec<Option<std::ops::Range<usize>>>);

impl Ranges {
    fn of(lengths: &[Option<usize>]) -> Self {
        let mut start = 0;
        Self(
            lengths
                .iter()
                .map(|length| {
                    length.map(|length| {
                        start += length;
                        start - length..start
                    })
                })
                .collect(),
        )
    }

    fn get(&self, row: usize, constant: bool) -> Option<std::ops::Range<usize>> {
        self.0.get(if constant { 0 } else { row }).cloned().flatten()
    }
}

/// `array[n]`, `map['key']`.
pub(in super::super) fn subscript(values: &Values, index: &Values, height: usize) -> Result<Values> {
    match (&values.kind, index.constant_whole()) {
        (Kind::Varchar | Kind::Json, _) if index.kind == Kind::Varchar => return super::json::member_named(values, index, height),
        (Kind::Row(fields), Some(at)) => return nth_field(values, fields, at),
        _ => {}
    }
    let (elements, lengths) = explode(values)?;
    let ranges = Ranges::of(&lengths);
    let constant = values.constant && index.constant;
    let rows = if constant { 1 } else { height };
    let (elements, places): (Values, Vec<Option<u32>>) = match &values.kind {
        Kind::Map(..) => {
            let (keys, data) = halves(&elements)?;
            let (keys, wanted) = (cast::texts(&keys, keys.data.len())?, cast::texts(index, height)?);
            let place = |row: usize| {
                let wanted = wanted.get(if index.constant { 0 } else { row })?.as_ref()?;
                ranges.get(row, values.constant)?.find(|at| keys.get(*at).and_then(Option::as_ref) == Some(wanted))
            };
            (data, (0..rows).map(|row| place(row).and_then(|at| u32::try_from(at).ok())).collect())
        }
        _ => {
            let indices = index.wholes()?;
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
    let field = at.and_then(|at| Some((fields.get(at)?, values.data.struct_().ok()?.fields_as_series().get(at)?.clone())));
    let ((_, kind), data) = field.ok_or_else(|| SqlError::new(format!("a {} has no such field", values.kind)))?;
    Ok(Values { kind: kind.clone(), data, constant: values.constant })
}

/// Keys and values of a column of map entries.
fn halves(entries: &Values) -> Result<(Values, Values)> {
    let Kind::Row(fields) = &entries.kind else { return Err(SqlError::new("a map is needed here")) };
    match (fields.as_slice(), entries.data.struct_()?.fields_as_series().as_slice()) {
        ([(_, key), (_, value)], [keys, values]) => Ok((Values::new(key.clone(), keys.clone()), Values::new(value.clone(), values.clone()))),
        _ => Err(SqlError::new("a map is needed here")),
    }
}

fn lengths_of(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (_, lengths) = explode(call.arg(0)?)?;
    call.build(Kind::Bigint, |row| Ok(lengths.get(row).copied().flatten().and_then(|length| i64::try_from(length).ok())))
}

/// All elements, how many each row has, and the value to look for in each row; texts that are equal when the values are.
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
        let Some((range, wanted)) = ranges.get(row, constant).zip(wanted.get(row).and_then(Option::as_ref)) else { return Ok(None) };
        let elements = keys.get(range).unwrap_or_default();
        if elements.iter().flatten().any(|key| key == wanted) {
            return Ok(Some(true));
        }
        Ok(if elements.iter().any(Option::is_none) { None } else { Some(false) })
    })
}

fn position(call: &Call<'_>) -> Result<Values> {
    let (keys, lengths, wanted) = keyed(call)?;
    let (ranges, constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    call.build(Kind::Bigint, |row| {
        let Some((range, wanted)) = ranges.get(row, constant).zip(wanted.get(row).and_then(Option::as_ref)) else { return Ok(None) };
        let at = keys.get(range).unwrap_or_default().iter().position(|key| key.as_ref() == Some(wanted));
        Ok(i64::try_from(at.map_or(0, |at| at + 1)).ok())
    })
}

fn remove(call: &Call<'_>) -> Result<Values> {
    let (keys, lengths, wanted) = keyed(call)?;
    let ranges = Ranges::of(&lengths);
    let (elements, _) = explode(call.arg(0)?)?;
    gather(call, &elements, |row, constant| {
        let (range, wanted) = ranges.get(row, constant).zip(wanted.get(row))?;
        Some(range.filter(|at| keys.get(*at) != Some(wanted)).collect())
    })
}

fn array_join(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, constant) = (Ranges::of(&lengths), call.arg(0)?.constant);
    let (texts, separators) = (cast::texts(&elements, elements.data.len())?, call.texts(1)?);
    let null = if call.args.len() > 2 { Some(call.literal(2)?) } else { None };
    call.build(Kind::Varchar, |row| {
        let Some((range, separator)) = ranges.get(row, constant).zip(separators.get(row)) else { return Ok(None) };
        let parts: Vec<&str> = texts.get(range).unwrap_or_default().iter().filter_map(|text| text.as_deref().or(null.as_deref())).collect();
        Ok(Some(parts.join(separator)))
    })
}

/// New arrays from the elements of old ones: for each row, which of all elements, in which order.
fn gather(call: &Call<'_>, elements: &Values, mut rows: impl FnMut(usize, bool) -> Option<Vec<usize>>) -> Result<Values> {
    let constant = call.constant();
    let count = if constant { 1 } else { call.height };
    let first_constant = call.arg(0)?.constant;
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(count));
    for row in 0..count {
        let list = rows(row, first_constant);
        lengths.push(list.as_ref().map(Vec::len));
        places.extend(list.into_iter().flatten().map(|at| u32::try_from(at).ok()));
    }
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &lengths);
    Ok(Values { kind: Kind::array(elements.kind.clone()), data, constant })
}

/// Arrays made of some of their own elements; equal elements have equal ids.
fn pick(call: &Call<'_>, choose: impl Fn(&[u32], std::ops::Range<usize>) -> Vec<usize>) -> Result<Values> {
    call.arity(1, 1)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let ids = identities(&elements)?;
    let ranges = Ranges::of(&lengths);
    gather(call, &elements, |row, constant| ranges.get(row, constant).map(|range| choose(&ids, range)))
}

fn identities(elements: &Values) -> Result<Vec<u32>> {
    let count = elements.data.len();
    let key = match &elements.kind {
        Kind::Array(_) | Kind::Row(_) | Kind::Map(..) => <String as super::super::values::Cell>::column(cast::json_texts(elements, count)?),
        _ => elements.data.clone(),
    };
    Ok(Groups::by(&[key], count)?.of_row)
}

fn distinct(ids: &[u32], rows: std::ops::Range<usize>) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    rows.filter(|at| ids.get(*at).is_some_and(|id| seen.insert(*id))).collect()
}

fn sort(call: &Call<'_>) -> Result<Values> {
    let (elements, _) = explode(call.arg(0)?)?;
    let order = Ordered::of(&elements)?;
    pick(call, |_, rows| {
        let mut rows: Vec<usize> = rows.collect();
        // NULLs last.
        rows.sort_by(|a, b| order.is_null(*a).cmp(&order.is_null(*b)).then_with(|| order.compare(*a, *b)));
        rows
    })
}

fn extreme(call: &Call<'_>, wanted: std::cmp::Ordering) -> Result<Values> {
    call.arity(1, 1)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (order, ranges) = (Ordered::of(&elements)?, Ranges::of(&lengths));
    let best = |range: std::ops::Range<usize>| {
        let mut best = None;
        for at in range {
            if order.is_null(at) {
                return None;
            }
            best = match best {
                Some(known) if order.compare(at, known) != wanted => Some(known),
                _ => Some(at),
            };
        }
        best.and_then(|at| u32::try_from(at).ok())
    };
    let places: Vec<Option<u32>> = (0..lengths.len()).map(|row| ranges.get(row, false).and_then(best)).collect();
    Ok(Values { constant: call.constant(), ..elements.take(&places)? })
}

fn sets(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (left, left_lengths) = explode(call.arg(0)?)?;
    let (right, right_lengths) = explode(call.arg(1)?)?;
    let kind = common(&left.kind, &right.kind)?;
    let count = left.data.len();
    let mut all = cast::cast(&left, &kind, count, false)?.data;
    all.append_owned(cast::cast(&right, &kind, right.data.len(), false)?.data)?;
    let all = Values::new(kind, all.rechunk());
    let ids = identities(&all)?;
    let (lefts, rights) = (Ranges::of(&left_lengths), Ranges::of(&right_lengths));
    let constant = call.arg(1)?.constant;
    let id = |at: &usize| ids.get(*at).copied();
    let both = |row: usize, first: bool| {
        let right = rights.get(row, constant).map(|range| range.start + count..range.end + count)?;
        Some((lefts.get(row, first)?, right))
    };
    if call.name == "arrays_overlap" {
        let first = call.arg(0)?.constant;
        return call.build(Kind::Boolean, |row| Ok(both(row, first).map(|(left, mut right)| right.any(|r| left.clone().any(|l| id(&l) == id(&r))))));
    }
    gather(call, &all, |row, first| {
        let (left, right) = both(row, first)?;
        let within = |at: &usize| right.clone().any(|other| id(&other) == id(at));
        let chosen: Vec<usize> = match call.name {
            "array_union" => left.chain(right.clone()).collect(),
            "array_intersect" => left.filter(within).collect(),
            _ => left.filter(|at| !within(at)).collect(),
        };
        let mut seen = std::collections::HashSet::new();
        Some(chosen.into_iter().filter(|at| seen.insert(id(at))).collect())
    })
}

fn slice(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, starts, counts) = (Ranges::of(&lengths), call.wholes(1)?, call.wholes(2)?);
    gather(call, &elements, |row, constant| {
        let (range, (start, count)) = ranges.get(row, constant).zip(starts.get(row).zip(counts.get(row)))?;
        let skip = if start < 0 { range.len().checked_sub(usize::try_from(start.unsigned_abs()).ok()?)? } else { usize::try_from(start - 1).ok()? };
        Some(range.skip(skip).take(usize::try_from(count).unwrap_or(0)).collect())
    })
}

fn sequence(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let kind = call.arg(0)?.kind.clone();
    let (from, to) = (call.arg(0)?.wholes()?, call.arg(1)?.wholes()?);
    let default = if kind.is_time() && kind != Kind::Date { super::super::clock::DAY_MILLIS } else { 1 };
    let steps = if call.args.len() > 2 { Some(call.arg(2)?) } else { None };
    let scale = if kind == Kind::Date { super::super::clock::DAY_MILLIS } else { 1 };
    let step_of = |row: usize| -> Option<i64> {
        match steps {
            None => Some(default),
            Some(step) if step.kind == Kind::Span => step.wholes().ok()?.get(row).map(|millis| millis / scale),
            Some(step) => step.wholes().ok()?.get(row),
        }
    };
    let constant = call.constant();
    let rows = if constant { 1 } else { call.height };
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let Some(((from, to), step)) = from.get(row).zip(to.get(row)).zip(step_of(row)) else {
            lengths.push(None);
            continue;
        };
        let count = if step == 0 { 0 } else { (to.saturating_sub(from) / step).saturating_add(1).max(0) };
        if step == 0 || count > LENGTH_MAX {
            return Err(SqlError::value(format!("a sequence may have at most {LENGTH_MAX} elements")));
        }
        all.extend((0..count).map(|at| Some(from + at * step)));
        lengths.push(usize::try_from(count).ok());
    }
    let elements = <i64 as super::super::values::Cell>::column(all);
    Ok(Values { data: lists("", &elements, &kind, &lengths), kind: Kind::array(kind), constant })
}

fn flatten(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (inner, lengths) = explode(call.arg(0)?)?;
    let (elements, inner_lengths) = explode(&inner)?;
    let (outer, inner) = (Ranges::of(&lengths), Ranges::of(&inner_lengths));
    gather(call, &elements, |row, constant| Some(outer.get(row, constant)?.filter_map(|at| inner.get(at, false)).flatten().collect()))
}

fn entries(call: &Call<'_>, half: usize) -> Result<Values> {
    call.arity(1, 1)?;
    let (entries, lengths) = explode(call.arg(0)?)?;
    let (keys, values) = halves(&entries)?;
    let chosen = if half == 0 { keys } else { values };
    Ok(Values { data: lists("", &chosen.data, &chosen.kind, &lengths), kind: Kind::array(chosen.kind), constant: call.constant() })
}

fn map(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (keys, lengths) = explode(call.arg(0)?)?;
    let (values, other) = explode(call.arg(1)?)?;
    if lengths != other {
        return Err(SqlError::value("keys and values of a map must be as many"));
    }
    let fields = [keys.data.clone().with_name("key".into()), values.data.clone().with_name("value".into())];
    let data = StructChunked::from_series("".into(), keys.data.len(), fields.iter())?.into_series();
    let data = lists("", &data, &entry(&keys.kind, &values.kind), &lengths);
    Ok(Values { kind: Kind::Map(Box::new(keys.kind), Box::new(values.kind)), data, constant: call.constant() })
}

/// `a || b` and `concat(a, b)` on arrays; a value that is no array is taken as an array of one.
pub(super) fn concat(call: &Call<'_>) -> Result<Values> {
    let mut parts = Vec::new();
    for arg in &call.args {
        parts.push(match &arg.kind {
            Kind::Array(_) => arg.clone(),
            _ => array_values(std::slice::from_ref(arg), call.height)?,
        });
    }
    let mut kind = Kind::Unknown;
    for part in &parts {
        kind = common(&kind, &part.kind)?;
    }
    let Kind::Array(element) = &kind else { return Err(SqlError::new("an array is needed here")) };
    let mut all = Series::new_empty("".into(), &element.dtype());
    let mut ranges = Vec::new();
    for part in &parts {
        let (elements, lengths) = explode(&cast::cast(part, &kind, call.height, false)?)?;
        ranges.push((all.len(), Ranges::of(&lengths), part.constant));
        all.append_owned(elements.data)?;
    }
    let all = Values::new((**element).clone(), all.rechunk());
    gather(call, &all, |row, _| {
        let mut places = Vec::new();
        for (start, ranges, constant) in &ranges {
            places.extend(ranges.get(row, *constant)?.map(|at| start + at));
        }
        Some(places)
    })
}
