//! The elements of arrays and maps.

use polars::prelude::{DataType as Physical, IntoSeries, Series, StructChunked};

use super::values::Values;
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;
use crate::tables::builder::lists;
use crate::tables::kind::entry;

/// The type of the elements of an array, or of the entries of a map.
pub(in crate::sql) fn element(kind: &Kind) -> Result<Kind> {
    match kind {
        Kind::Array(element) => Ok((**element).clone()),
        Kind::Map(key, value) => Ok(entry(key, value)),
        Kind::Unknown => Ok(Kind::Unknown),
        other => Err(SqlError::new(format!("an array is needed here, and this is {other}"))),
    }
}

/// All elements of a column of arrays or maps in one column, and their number for each row; `None` for NULL.
pub(in crate::sql) fn explode(values: &Values) -> Result<(Values, Vec<Option<usize>>)> {
    let element = element(&values.kind)?;
    if values.kind == Kind::Unknown {
        let nothing = Values::new(Kind::Unknown, Series::new_empty("".into(), &Physical::Boolean));
        return Ok((nothing, vec![None; values.data.len()]));
    }
    let column = values.data.list()?.rechunk();
    let Some(array) = column.downcast_iter().next() else {
        return Ok((
            Values::new(element.clone(), Series::new_empty("".into(), &element.dtype())),
            Vec::new(),
        ));
    };
    let offset = |at: usize| array.offsets().get(at).and_then(|at| usize::try_from(*at).ok()).unwrap_or(0);
    let is_there = |row: usize| array.validity().is_none_or(|there| there.get_bit(row));
    let lengths: Vec<Option<usize>> =
        (0..column.len()).map(|row| is_there(row).then(|| offset(row + 1) - offset(row))).collect();
    let (start, end) = (offset(0), offset(column.len()));
    let all = column.get_inner();
    // The elements of a NULL do not count.
    let elements = if lengths.iter().flatten().sum::<usize>() == end - start {
        all.slice(i64::try_from(start).unwrap_or(i64::MAX), end - start)
    } else {
        let rows =
            (0..column.len()).filter(|row| is_there(*row)).flat_map(|row| offset(row)..offset(row + 1));
        super::values::take(&all, &rows.map(|at| u32::try_from(at).ok()).collect::<Vec<_>>())?
    };
    Ok((Values::new(element, elements.with_name("".into())), lengths))
}

/// A column of maps, given the keys and values of all of them, and their number for each row; `None` for NULL.
pub(in crate::sql) fn map_of(keys: &Values, values: &Values, lengths: &[Option<usize>]) -> Result<Values> {
    let fields = [keys.data.clone().with_name("key".into()), values.data.clone().with_name("value".into())];
    let data = StructChunked::from_series("".into(), keys.data.len(), fields.iter())?.into_series();
    let data = lists("", &data, &entry(&keys.kind, &values.kind), lengths);
    Ok(Values::new(Kind::Map(Box::new(keys.kind.clone()), Box::new(values.kind.clone())), data))
}
