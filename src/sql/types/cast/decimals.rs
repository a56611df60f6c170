//! Values of other types → decimals.

use sqlparser::ast::ExactNumberInfo;

use super::shown::texts;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::Values;
use crate::sql::types::{decimal, wide};
use crate::tables::Kind;

pub(super) fn decimal_kind(info: &ExactNumberInfo) -> Result<Kind> {
    let (precision, scale) = match info {
        ExactNumberInfo::None => (u64::from(decimal::DIGITS_MAX), 0),
        ExactNumberInfo::Precision(precision) => (*precision, 0),
        ExactNumberInfo::PrecisionAndScale(precision, scale) => (*precision, *scale),
    };
    match (u8::try_from(precision), u8::try_from(scale)) {
        (Ok(precision @ 1..=decimal::DIGITS_MAX), Ok(scale)) if scale <= precision => {
            Ok(decimal::kind(precision, scale))
        }
        _ => Err(SqlError::new(format!(
            "a decimal has 1 to 38 digits, and not more after the point: decimal({precision}, {scale})"
        ))),
    }
}

/// The result of converting a value.
pub(super) enum Read {
    Number(i128),
    /// It cannot be represented in the type.
    Other(String),
}

/// Each value as a decimal; `None` for NULL.
pub(super) fn to_decimal(
    values: &Values,
    (precision, scale): (u8, u8),
    height: usize,
) -> Result<Vec<Option<Read>>> {
    let rows = if values.constant { 1 } else { height };
    if let Some((_, from)) = decimal::digits(&values.kind) {
        let cells = values.decimals()?;
        let read = |value| {
            Ok(match decimal::rescaled(value, from, precision, scale)? {
                Some(number) => Read::Number(number),
                None => Read::Other(wide::show(value, from)),
            })
        };
        return (0..rows).map(|row| cells.get(row).map(read).transpose()).collect();
    }
    let read = |text: String| match decimal::parse(text.trim(), precision, scale).flatten() {
        Some(number) => Read::Number(number),
        None => Read::Other(text),
    };
    match values.kind {
        Kind::Double => {
            let cells = values.doubles()?;
            Ok((0..rows).map(|row| cells.get(row).map(|value| read(format!("{value}")))).collect())
        }
        Kind::Boolean => {
            let cells = values.truths()?;
            Ok((0..rows).map(|row| cells.get(row).map(|truth| read(i64::from(truth).to_string()))).collect())
        }
        Kind::Varchar | Kind::Json => {
            Ok(texts(values, height)?.into_iter().map(|text| text.map(read)).collect())
        }
        ref other => Err(SqlError::new(format!("{other} cannot be made decimal({precision},{scale})"))),
    }
}
