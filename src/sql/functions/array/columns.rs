//! Columns of arrays, rows and map entries: made of other columns, and taken apart.

use polars::prelude::{IntoSeries, Series, StructChunked};

use crate::sql::error::{Result, SqlError};
use crate::sql::functions::call::Call;
use crate::sql::types::cast;
use crate::sql::types::compare::common;
use crate::sql::types::values::{Cell, Values, take};
use crate::tables::Kind;
use crate::tables::builder::lists;

pub(super) fn array_values(values: &[Values], height: usize) -> Result<Values> {
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
    // The values are concatenated column by column, but are needed row by row.
    let order: Vec<Option<u32>> = (0..rows)
        .flat_map(|row| (0..values.len()).map(move |at| u32::try_from(at * rows + row).ok()))
        .collect();
    let elements = take(&all.rechunk(), &order)?;
    let data = lists("", &elements, &kind, &vec![Some(values.len()); rows]);
    Ok(Values { kind: Kind::array(kind), data, constant })
}

pub(super) fn row_values(values: &[Values], height: usize) -> Result<Values> {
    let names: Vec<String> = (0..values.len()).map(|at| format!("field{at}")).collect();
    let fields: Vec<Series> = values
        .iter()
        .zip(&names)
        .map(|(value, name)| value.spread(height).with_name(name.as_str().into()))
        .collect();
    let data = StructChunked::from_series("".into(), height, fields.iter())?.into_series();
    Ok(Values::new(
        Kind::Row(names.into_iter().zip(values.iter().map(|value| value.kind.clone())).collect()),
        data,
    ))
}

/// A column of arrays of text, built row by row.
pub(in crate::sql) fn lists_of_texts(
    call: &Call<'_>,
    mut list: impl FnMut(usize) -> Option<Vec<Option<String>>>,
) -> Result<Values> {
    let constant = call.constant();
    let rows = if constant { 1 } else { call.height };
    let (mut all, mut lengths) = (Vec::new(), Vec::with_capacity(rows));
    for row in 0..rows {
        let list = list(row);
        lengths.push(list.as_ref().map(Vec::len));
        all.extend(list.into_iter().flatten());
    }
    let elements = <String as Cell>::column(all);
    Ok(Values {
        kind: Kind::array(Kind::Varchar),
        data: lists("", &elements, &Kind::Varchar, &lengths),
        constant,
    })
}

/// Keys and values of a column of map entries.
pub(super) fn halves(entries: &Values) -> Result<(Values, Values)> {
    let Kind::Row(fields) = &entries.kind else { return Err(SqlError::new("a map is needed here")) };
    match (fields.as_slice(), entries.data.struct_()?.fields_as_series().as_slice()) {
        ([(_, key), (_, value)], [keys, values]) => {
            Ok((Values::new(key.clone(), keys.clone()), Values::new(value.clone(), values.clone())))
        }
        _ => Err(SqlError::new("a map is needed here")),
    }
}

/// For each row, the range of its elements among all elements.
pub(super) struct Ranges(Vec<Option<std::ops::Range<usize>>>);

impl Ranges {
    pub(super) fn of(lengths: &[Option<usize>]) -> Self {
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

    pub(super) fn get(&self, row: usize, constant: bool) -> Option<std::ops::Range<usize>> {
        self.0.get(if constant { 0 } else { row }).cloned().flatten()
    }
}
