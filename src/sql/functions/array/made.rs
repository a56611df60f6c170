//! Functions that make new arrays from elements of existing ones.

use polars::prelude::Series;

use super::columns::{Ranges, array_values};
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::call::Call;
use crate::sql::functions::predicate;
use crate::sql::memory::cell_bytes;
use crate::sql::types::cast;
use crate::sql::types::compare::{Ordered, common};
use crate::sql::types::nested_values::{explode, map_of};
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;
use crate::tables::builder::lists;
use crate::tables::kind::entry;

/// `sequence` makes arrays of at most this length.
const LENGTH_MAX: i64 = 100_000;

/// New arrays of existing elements: for each row, the indexes of the elements in order.
pub(super) fn gather(
    call: &Call<'_>,
    elements: &Values,
    mut rows: impl FnMut(usize, bool) -> Option<Vec<usize>>,
) -> Result<Values> {
    let constant = call.constant();
    let count = if constant { 1 } else { call.height };
    let first_constant = call.arg(0)?.constant;
    let each = cell_bytes(&elements.data);
    let (mut places, mut lengths) = (Vec::new(), Vec::with_capacity(count));
    for row in 0..count {
        let list = rows(row, first_constant);
        lengths.push(list.as_ref().map(Vec::len));
        call.limits.fits_rows(places.len() + list.as_ref().map_or(0, Vec::len), each)?;
        places.extend(list.into_iter().flatten().map(|at| u32::try_from(at).ok()));
    }
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &lengths);
    Ok(Values { kind: Kind::array(elements.kind.clone()), data, constant })
}

/// Arrays made of some of their own elements; equal elements have equal ids.
pub(super) fn pick(
    call: &Call<'_>,
    choose: impl Fn(&[u32], std::ops::Range<usize>) -> Vec<usize>,
) -> Result<Values> {
    call.arity(1, 1)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let ids = identities(&elements)?;
    let ranges = Ranges::of(&lengths);
    gather(call, &elements, |row, constant| ranges.get(row, constant).map(|range| choose(&ids, range)))
}

fn identities(elements: &Values) -> Result<Vec<u32>> {
    let count = elements.data.len();
    let key = match &elements.kind {
        Kind::Array(_) | Kind::Row(_) | Kind::Map(..) => {
            <String as Cell>::column(cast::json_texts(elements, count)?)
        }
        _ => elements.data.clone(),
    };
    Ok(Groups::by(&[key], count)?.of_row)
}

pub(super) fn distinct(ids: &[u32], rows: std::ops::Range<usize>) -> Vec<usize> {
    let mut seen = std::collections::HashSet::new();
    rows.filter(|at| ids.get(*at).is_some_and(|id| seen.insert(*id))).collect()
}

pub(super) fn sort(call: &Call<'_>) -> Result<Values> {
    let (elements, _) = explode(call.arg(0)?)?;
    let order = Ordered::of(&elements)?;
    pick(call, |_, rows| {
        let mut rows: Vec<usize> = rows.collect();
        // NULLs last.
        rows.sort_by(|a, b| order.is_null(*a).cmp(&order.is_null(*b)).then_with(|| order.compare(*a, *b)));
        rows
    })
}

pub(super) fn extreme(call: &Call<'_>, wanted: std::cmp::Ordering) -> Result<Values> {
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
    let places: Vec<Option<u32>> =
        (0..lengths.len()).map(|row| ranges.get(row, false).and_then(best)).collect();
    Ok(Values { constant: call.constant(), ..elements.take(&places)? })
}

pub(super) fn sets(call: &Call<'_>) -> Result<Values> {
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
    if call.name == "contains_sequence" {
        let first = call.arg(0)?.constant;
        return call.build(Kind::Boolean, |row| {
            let Some((left, right)) = both(row, first) else { return Ok(None) };
            let (left, right): (Vec<_>, Vec<_>) =
                (left.map(|at| id(&at)).collect(), right.map(|at| id(&at)).collect());
            Ok(Some(right.is_empty() || left.windows(right.len()).any(|part| part == right)))
        });
    }
    if call.name == "arrays_overlap" {
        let first = call.arg(0)?.constant;
        let nulls = predicate::nulls(&all)?;
        let null = |at: &usize| nulls.get(*at).copied().unwrap_or(false);
        return call.build(Kind::Boolean, |row| {
            let Some((left, right)) = both(row, first) else { return Ok(None) };
            if left.is_empty() || right.is_empty() {
                return Ok(Some(false));
            }
            let same = right.clone().any(|r| !null(&r) && left.clone().any(|l| id(&l) == id(&r)));
            let unknown = left.chain(right).any(|at| null(&at));
            Ok(if same {
                Some(true)
            } else if unknown {
                None
            } else {
                Some(false)
            })
        });
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

pub(super) fn slice(call: &Call<'_>) -> Result<Values> {
    call.arity(3, 3)?;
    let (elements, lengths) = explode(call.arg(0)?)?;
    let (ranges, starts, counts) = (Ranges::of(&lengths), call.wholes(1)?, call.wholes(2)?);
    let rows = if call.constant() { 1 } else { call.height };
    let wrong = |row: usize| starts.get(row) == Some(0) || counts.get(row).is_some_and(|count| count < 0);
    if !call.lenient && (0..rows).any(wrong) {
        return Err(SqlError::value("positions count from 1, and a length is not negative"));
    }
    gather(call, &elements, |row, constant| {
        let (range, (start, count)) = ranges.get(row, constant).zip(starts.get(row).zip(counts.get(row)))?;
        let skip = if start < 0 {
            range.len().checked_sub(usize::try_from(start.unsigned_abs()).ok()?)?
        } else {
            usize::try_from(start - 1).ok()?
        };
        Some(range.skip(skip).take(usize::try_from(count).unwrap_or(0)).collect())
    })
}

pub(super) fn sequence(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 3)?;
    let kind = call.arg(0)?.kind.clone();
    let (from, to) = (call.arg(0)?.wholes()?, call.arg(1)?.wholes()?);
    let default = if kind.is_time() && kind != Kind::Date { crate::model::DAY_MILLIS } else { 1 };
    let steps = if call.args.len() > 2 { Some(call.arg(2)?) } else { None };
    let scale = if kind == Kind::Date { crate::model::DAY_MILLIS } else { 1 };
    let end = &call.arg(1)?.kind;
    let is_kind = matches!(kind, Kind::Bigint | Kind::Unknown) || kind.is_time();
    let is_pair = *end == kind
        || *end == Kind::Unknown
        || kind == Kind::Unknown
        || (end.is_timestamp() && kind.is_timestamp());
    if !is_kind || !is_pair {
        return Err(SqlError::new(format!(
            "a sequence is of whole numbers, dates or timestamps, not from {kind} to {end}"
        )));
    }
    let by_months = steps.is_some_and(|step| step.kind == Kind::Months);
    let step_of = |row: usize| -> Option<i64> {
        match steps {
            // Downwards if the end is below the start.
            None => {
                from.get(row).zip(to.get(row)).map(|(from, to)| if to < from { -default } else { default })
            }
            Some(step) if step.kind == Kind::Span => {
                step.wholes().ok()?.get(row).map(|millis| millis / scale)
            }
            Some(step) => step.wholes().ok()?.get(row),
        }
    };
    // The n-th element: months differ in length.
    let nth = |from: i64, step: i64, at: i64| match by_months {
        true => crate::sql::types::clock::plus_months(from.checked_mul(scale)?, step.checked_mul(at)?)
            .map(|millis| millis / scale),
        false => from.checked_add(step.checked_mul(at)?),
    };
    let constant = call.constant();
    let rows = if constant { 1 } else { call.height };
    let (mut all, mut lengths) = (Vec::new(), Vec::new());
    for row in 0..rows {
        let Some(((from, to), step)) = from.get(row).zip(to.get(row)).zip(step_of(row)) else {
            lengths.push(None);
            continue;
        };
        let is_inside = |value: i64| if step > 0 { value <= to } else { value >= to };
        let count = match step {
            0 => 0,
            _ if by_months => {
                (0..=LENGTH_MAX).take_while(|at| nth(from, step, *at).is_some_and(is_inside)).count() as i64
            }
            _ => (to.saturating_sub(from) / step).saturating_add(1).max(0),
        };
        if step != 0 && from != to && (step > 0) != (to > from) {
            if call.lenient {
                lengths.push(None);
                continue;
            }
            return Err(SqlError::value("the steps of the sequence lead away from its end"));
        }
        if step == 0 || count > LENGTH_MAX {
            return Err(SqlError::value(format!("a sequence may have at most {LENGTH_MAX} elements")));
        }
        call.limits.fits_rows(all.len() + usize::try_from(count).unwrap_or(0), 8)?;
        all.extend((0..count).map(|at| nth(from, step, at)));
        lengths.push(usize::try_from(count).ok());
    }
    let elements = <i64 as Cell>::column(all);
    Ok(Values { data: lists("", &elements, &kind, &lengths), kind: Kind::array(kind), constant })
}

pub(super) fn flatten(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (inner, lengths) = explode(call.arg(0)?)?;
    let (elements, inner_lengths) = explode(&inner)?;
    let (outer, inner) = (Ranges::of(&lengths), Ranges::of(&inner_lengths));
    gather(call, &elements, |row, constant| {
        Some(outer.get(row, constant)?.filter_map(|at| inner.get(at, false)).flatten().collect())
    })
}

/// `a || b` and `concat(a, b)` on arrays; a value that is not an array counts as an array of one.
pub(in crate::sql) fn concat(call: &Call<'_>) -> Result<Values> {
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

/// `map_concat(a, b)`: if keys are equal, the last one counts.
pub(super) fn map_concat(call: &Call<'_>) -> Result<Values> {
    let entries = call.args.iter().map(|arg| match &arg.kind {
        Kind::Map(key, value) => Ok(Values { kind: Kind::array(entry(key, value)), ..arg.clone() }),
        other => Err(SqlError::new(format!("a map is needed here, and this is {other}"))),
    });
    let call = Call { args: entries.collect::<Result<_>>()?, ..*call };
    let all = concat(&call)?;
    let (entries, lengths) = explode(&all)?;
    let Kind::Row(fields) = &entries.kind else { return Err(SqlError::new("a map is needed here")) };
    let Some(((_, key), keys)) =
        fields.first().zip(entries.data.struct_()?.fields_as_series().first().cloned())
    else {
        return Err(SqlError::new("a map is needed here"));
    };
    let ids = identities(&Values::new(key.clone(), keys))?;
    let ranges = Ranges::of(&lengths);
    let call = Call { args: vec![all.clone()], ..call };
    let kept = gather(&call, &entries, |row, constant| {
        let range = ranges.get(row, constant)?;
        let is_last = |at: &usize| !(at + 1..range.end).any(|later| ids.get(later) == ids.get(*at));
        Some(range.clone().filter(is_last).collect())
    })?;
    map_from_entries(&Call { args: vec![kept], ..call })
}

/// `repeat('a', 3)`: an array with one value several times.
pub(super) fn repeat(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (element, counts) = (call.arg(0)?, call.wholes(1)?);
    let rows = if call.constant() { 1 } else { call.height };
    let elements = Values::new(element.kind.clone(), element.spread(rows));
    let many = (0..rows).filter_map(|row| counts.get(row)).find(|count| *count > LENGTH_MAX);
    if many.is_some() && !call.lenient {
        return Err(SqlError::value(format!("an array may repeat a value at most {LENGTH_MAX} times")));
    }
    gather(call, &elements, |row, _| {
        let count = counts.get(row).filter(|count| *count <= LENGTH_MAX)?;
        Some(vec![row; usize::try_from(count).unwrap_or(0)])
    })
}

/// Elements of several arrays side by side; shorter arrays are filled with NULL.
pub(super) fn zip(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 5)?;
    let arrays = call.args.iter().map(|arg| Ok((explode(arg)?, arg.constant))).collect::<Result<Vec<_>>>()?;
    let constant = call.constant();
    let rows = if constant { 1 } else { call.height };
    let ranges: Vec<(Ranges, bool)> =
        arrays.iter().map(|((_, lengths), constant)| (Ranges::of(lengths), *constant)).collect();
    let mut places: Vec<Vec<Option<u32>>> = vec![Vec::new(); arrays.len()];
    let mut lengths = Vec::new();
    for row in 0..rows {
        let own: Option<Vec<_>> =
            ranges.iter().map(|(ranges, constant)| ranges.get(row, *constant)).collect();
        let longest = own.as_ref().map(|own| own.iter().map(ExactSizeIterator::len).max().unwrap_or(0));
        lengths.push(longest);
        for (range, places) in own.iter().flatten().zip(&mut places) {
            places.extend(
                (0..longest.unwrap_or(0))
                    .map(|at| range.clone().nth(at).and_then(|place| u32::try_from(place).ok())),
            );
        }
    }
    let fields = arrays
        .iter()
        .zip(&places)
        .map(|(((elements, _), _), places)| elements.take(places))
        .collect::<Result<Vec<_>>>()?;
    let height = places.first().map_or(0, Vec::len);
    let rows = super::columns::row_values(&fields, height)?;
    Ok(Values {
        kind: Kind::array(rows.kind.clone()),
        data: lists("", &rows.data, &rows.kind, &lengths),
        constant,
    })
}

/// Checks that each map has each key once, and that no key is NULL.
pub(super) fn check_keys(call: &Call<'_>, keys: &Values, lengths: &[Option<usize>]) -> Result<()> {
    if call.lenient {
        return Ok(());
    }
    let all = cast::json_texts(keys, keys.data.len())?;
    let mut rest = all.as_slice();
    for length in lengths.iter().flatten() {
        let (own, more) = rest.split_at(rest.len().min(*length));
        rest = more;
        let mut seen = std::collections::HashSet::new();
        for key in own {
            let key = key.as_deref().ok_or_else(|| SqlError::value("a key of a map cannot be NULL"))?;
            if !seen.insert(key) {
                return Err(SqlError::value(format!("a map has each key once, and {key} is there twice")));
            }
        }
    }
    Ok(())
}

/// Makes a map of an array of pairs.
pub(super) fn map_from_entries(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let (entries, lengths) = explode(call.arg(0)?)?;
    let (keys, values) = super::columns::halves(&entries)?;
    check_keys(call, &keys, &lengths)?;
    Ok(Values { constant: call.constant(), ..map_of(&keys, &values, &lengths)? })
}
