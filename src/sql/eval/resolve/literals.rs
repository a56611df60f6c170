//! Literals.

use sqlparser::ast::Value;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Node;
use crate::sql::functions;
use crate::sql::types::decimal;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// A literal whose value may be invalid.
pub(super) fn checked(values: Result<Values>) -> Result<Node> {
    match values {
        Ok(values) => Ok(Node::Literal(values)),
        Err(error) if error.by_value => Ok(Node::Invalid(error)),
        Err(error) => Err(error),
    }
}

pub(super) fn literal(value: &Value) -> Result<Node> {
    let values = match value {
        Value::Null => Values::null(Kind::Unknown),
        Value::Boolean(value) => Values::constant(Kind::Boolean, Some(*value)),
        Value::Number(text, _) => number(text)?,
        Value::HexStringLiteral(digits) => functions::bytes_literal(digits)
            .ok_or_else(|| SqlError::new("X'…' is bytes: two hexadecimal digits for each"))?,
        Value::Placeholder(name) => {
            return Err(SqlError::new(format!(
                "parameter {name} has no value; put the value in its place, or in a params table"
            )));
        }
        other => match other.clone().into_string() {
            Some(text) => Values::constant(Kind::Varchar, Some(text)),
            None => return Err(SqlError::new(format!("literal {other} is not supported"))),
        },
    };
    Ok(Node::Literal(values))
}

fn number(text: &str) -> Result<Values> {
    if let Ok(number) = text.parse::<i64>() {
        return Ok(Values::constant(Kind::Bigint, Some(number)));
    }
    // A whole number that is no bigint is exact all the same.
    let is_whole = text.bytes().all(|byte| byte.is_ascii_digit());
    if let Some(number) = decimal::literal(&if is_whole { format!("{text}.") } else { text.to_owned() }) {
        return Ok(number);
    }
    if is_whole {
        return Err(SqlError::new(format!("{text} has more than 38 digits")));
    }
    let number: f64 = text.parse().map_err(|_| SqlError::new(format!("{text} is no number")))?;
    Ok(Values::constant(Kind::Double, Some(number)))
}
