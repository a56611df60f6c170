//! Comparisons, and conversion of two values to a common type.

use std::cmp::Ordering;

use polars::prelude::{BooleanChunked, ChunkCompareEq, ChunkCompareIneq, DataType, Series};
use sqlparser::ast::BinaryOperator;

use super::values::{Cell, Values};
use super::{cast, decimal, nested};
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// `left op right`; NULL where either is NULL.
pub(in crate::sql) fn compare(
    op: &BinaryOperator,
    left: &Values,
    right: &Values,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    let (left, right) = unify(left, right, height, lenient).map_err(|error| match error.by_value {
        true => error,
        false => SqlError::new(format!("{} and {} cannot be compared with {op}", left.kind, right.kind)),
    })?;
    let constant = left.constant && right.constant;
    if matches!(left.kind, Kind::Array(_) | Kind::Row(_) | Kind::Map(..)) {
        return nested(op, &left, &right, height);
    }
    if let Some(compared) = with_nan(op, &left, &right, height)? {
        return Ok(compared);
    }
    let height = if constant { 1 } else { height };
    let (a, b) = (side(&left, height), side(&right, height));
    let data = match op {
        BinaryOperator::Eq => a.equal(&b)?,
        BinaryOperator::NotEq => a.not_equal(&b)?,
        BinaryOperator::Lt => a.lt(&b)?,
        BinaryOperator::LtEq => a.lt_eq(&b)?,
        BinaryOperator::Gt => a.gt(&b)?,
        BinaryOperator::GtEq => a.gt_eq(&b)?,
        other => return Err(SqlError::new(format!("operator {other} is not supported"))),
    };
    Ok(Values::booleans(data, constant))
}

/// A constant stays a single value, so that polars' kernels compare with a scalar; without rows there is
/// none.
fn side(values: &Values, height: usize) -> Series {
    if values.constant && height == 0 { values.spread(0) } else { values.data.clone() }
}

/// Compares arrays and rows part by part; maps can only be equal or not.
fn nested(op: &BinaryOperator, left: &Values, right: &Values, height: usize) -> Result<Values> {
    if matches!(left.kind, Kind::Map(..)) && !matches!(op, BinaryOperator::Eq | BinaryOperator::NotEq) {
        return Err(SqlError::new(format!("{} values cannot be compared with {op}", left.kind)));
    }
    let (a, b) = (nested::parts(left, height)?, nested::parts(right, height)?);
    Values::build(Kind::Boolean, height, left.constant && right.constant, |row| {
        let at = |values: &Values| if values.constant { 0 } else { row };
        let Some((a, b)) = a.get(at(left)).zip(b.get(at(right))) else { return Ok(None) };
        Ok(match op {
            BinaryOperator::Eq => nested::equal(a, b),
            BinaryOperator::NotEq => nested::equal(a, b).map(|equal| !equal),
            op => nested::order(a, b).map(|order| holds(op, Some(order))),
        })
    })
}

/// Whether `op` is true for two values with this order; if one is NaN (`None`), only `<>` is.
fn holds(op: &BinaryOperator, order: Option<Ordering>) -> bool {
    match op {
        BinaryOperator::Eq => order == Some(Ordering::Equal),
        BinaryOperator::NotEq => order != Some(Ordering::Equal),
        BinaryOperator::Lt => order == Some(Ordering::Less),
        BinaryOperator::LtEq => order.is_some_and(Ordering::is_le),
        BinaryOperator::Gt => order == Some(Ordering::Greater),
        _ => order.is_some_and(Ordering::is_ge),
    }
}

/// NaN is not equal to, less than or greater than anything; polars sorts it among the numbers.
fn with_nan(op: &BinaryOperator, left: &Values, right: &Values, height: usize) -> Result<Option<Values>> {
    let has_nan = |values: &Values| Ok::<_, SqlError>(values.data.f64()?.iter().flatten().any(f64::is_nan));
    if left.kind != Kind::Double || !(has_nan(left)? || has_nan(right)?) {
        return Ok(None);
    }
    let (a, b) = (left.doubles()?, right.doubles()?);
    let constant = left.constant && right.constant;
    Values::build(Kind::Boolean, height, constant, |row| {
        Ok(a.get(row).zip(b.get(row)).map(|(a, b)| holds(op, a.partial_cmp(&b))))
    })
    .map(Some)
}

/// Whether two values are the same, with NULLs inside of arrays, rows and maps counting as the same. NULL if
/// either is NULL.
pub(in crate::sql) fn same(left: &Values, right: &Values, height: usize, lenient: bool) -> Result<Values> {
    let (a, b) = unify(left, right, height, lenient)?;
    if !matches!(a.kind, Kind::Array(_) | Kind::Row(_) | Kind::Map(..)) {
        return compare(&BinaryOperator::Eq, left, right, height, lenient);
    }
    let (a, b) = (cast::json_texts(&a, height)?, cast::json_texts(&b, height)?);
    let cells = a.iter().zip(&b).map(|(a, b)| Some(a.as_ref()? == b.as_ref()?));
    Ok(Values::booleans(cells.collect::<BooleanChunked>(), false))
}

/// Converts both values to the type in which they are compared.
pub(in crate::sql) fn unify(
    left: &Values,
    right: &Values,
    height: usize,
    lenient: bool,
) -> Result<(Values, Values)> {
    let kind = comparable(&left.kind, &right.kind)?;
    // A text that is not a number or time compares as NULL, unless it is a literal of the query.
    let coerce = |values: &Values| cast::cast(values, &kind, height, lenient || !values.constant);
    Ok((coerce(left)?, coerce(right)?))
}

/// The common type of two types, by Trino's rules: of branches, of the elements of an array, of the sides of
/// UNION.
pub(in crate::sql) fn common(a: &Kind, b: &Kind) -> Result<Kind> {
    common_by(a, b, |_, _| None)
}

/// The type in which values of two types are compared. In addition to Trino's rules, a text may be compared
/// with a value of another type; whether it is one that may be is for `functions::other_types` to say.
pub(in crate::sql) fn comparable(a: &Kind, b: &Kind) -> Result<Kind> {
    common_by(a, b, |a, b| match (a, b) {
        (Kind::Varchar, Kind::Decimal { .. }) => Some(Kind::Double),
        (Kind::Varchar, Kind::Zoned(_)) => Some(Kind::Timestamp { zoned: true }),
        (Kind::Varchar, Kind::Boolean | Kind::Bigint | Kind::Double) => Some(b.clone()),
        (Kind::Varchar, Kind::Date | Kind::Timestamp { .. }) => Some(b.clone()),
        _ => None,
    })
}

/// The common type, where `more` knows types that have one besides those of Trino.
fn common_by(a: &Kind, b: &Kind, more: fn(&Kind, &Kind) -> Option<Kind>) -> Result<Kind> {
    Ok(match (a, b) {
        (a, b) if a == b => a.clone(),
        (Kind::Unknown, other) | (other, Kind::Unknown) => other.clone(),
        (Kind::Bigint | Kind::Decimal { .. }, Kind::Double)
        | (Kind::Double, Kind::Bigint | Kind::Decimal { .. }) => Kind::Double,
        (Kind::Bigint | Kind::Decimal { .. }, Kind::Bigint | Kind::Decimal { .. }) => {
            decimal::common(a, b).ok_or_else(|| apart(a, b))?
        }
        (Kind::Varchar, Kind::Json) | (Kind::Json, Kind::Varchar) => Kind::Varchar,
        (Kind::Date, Kind::Timestamp { zoned }) | (Kind::Timestamp { zoned }, Kind::Date) => {
            Kind::Timestamp { zoned: *zoned }
        }
        (Kind::Zoned(_), b) if b.is_time() => Kind::Timestamp { zoned: true },
        (a, Kind::Zoned(_)) if a.is_time() => Kind::Timestamp { zoned: true },
        (Kind::Timestamp { .. }, Kind::Timestamp { .. }) => Kind::Timestamp { zoned: true },
        (Kind::Varchar, Kind::Ip) | (Kind::Ip, Kind::Varchar) => Kind::Ip,
        (Kind::Array(a), Kind::Array(b)) => Kind::array(common_by(a, b, more)?),
        (Kind::Row(a), Kind::Row(b)) if a.len() == b.len() => {
            let fields =
                a.iter().zip(b).map(|((name, a), (_, b))| Ok((name.clone(), common_by(a, b, more)?)));
            Kind::Row(fields.collect::<Result<_>>()?)
        }
        (a, b) => more(a, b).or_else(|| more(b, a)).ok_or_else(|| apart(a, b))?,
    })
}

fn apart(a: &Kind, b: &Kind) -> SqlError {
    SqlError::new(format!("{a} and {b} do not go together; CAST one of them"))
}

/// Compares the rows of one column; the caller handles NULLs.
pub(in crate::sql) enum Ordered {
    Wholes(super::values::Wholes),
    Doubles(super::values::Doubles),
    Texts(super::values::Texts),
    Truths(super::values::Truths),
}

impl Ordered {
    pub fn of(values: &Values) -> Result<Self> {
        Ok(match values.kind.dtype() {
            DataType::Int64 => Self::Wholes(values.wholes()?),
            DataType::Float64 => Self::Doubles(values.doubles()?),
            DataType::String => Self::Texts(values.as_texts()?),
            DataType::Boolean => Self::Truths(values.truths()?),
            _ => return Err(SqlError::new(format!("{} values have no order", values.kind))),
        })
    }

    pub fn is_null(&self, row: usize) -> bool {
        match self {
            Self::Wholes(cells) => cells.get(row).is_none(),
            Self::Doubles(cells) => cells.get(row).is_none(),
            Self::Texts(cells) => cells.get(row).is_none(),
            Self::Truths(cells) => cells.get(row).is_none(),
        }
    }

    /// Compares two rows; NULL comes first.
    pub fn compare(&self, a: usize, b: usize) -> Ordering {
        match self {
            Self::Wholes(cells) => cells.get(a).cmp(&cells.get(b)),
            Self::Doubles(cells) => match (cells.get(a), cells.get(b)) {
                (Some(a), Some(b)) => a.total_cmp(&b),
                (a, b) => a.is_some().cmp(&b.is_some()),
            },
            Self::Texts(cells) => cells.get(a).cmp(&cells.get(b)),
            Self::Truths(cells) => cells.get(a).cmp(&cells.get(b)),
        }
    }
}

/// A column by which rows can be grouped: nested values become JSON, which is equal if the values are.
pub(in crate::sql) fn key_column(values: &Values, height: usize) -> Result<Series> {
    match values.kind {
        Kind::Array(_) | Kind::Row(_) | Kind::Map(..) => {
            Ok(String::column(cast::json_texts(values, height)?))
        }
        _ => Ok(values.spread(height)),
    }
}
