//! `+ - * / %` on numbers, times and intervals. Whole numbers divide to whole numbers, as in Trino.

use sqlparser::ast::BinaryOperator as Op;

use super::values::Values;
use super::{clock, decimal};
use crate::model::DAY_MILLIS;
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

pub(in crate::sql) fn binary(
    op: &Op,
    left: &Values,
    right: &Values,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    if left.kind == Kind::Unknown || right.kind == Kind::Unknown {
        let other = if left.kind == Kind::Unknown { &right.kind } else { &left.kind };
        return Ok(Values::null(other.clone()));
    }
    match (&left.kind, op, &right.kind) {
        (Kind::Bigint, _, Kind::Bigint) => wholes(op, left, right, Kind::Bigint, height, lenient),
        (a, _, b) if decimal::digits(a).is_some() && decimal::digits(b).is_some() => {
            decimal::binary(op, left, right, height, lenient)
        }
        (a, _, b) if a.is_number() && b.is_number() => doubles(op, left, right, height),
        (Kind::Span, Op::Plus | Op::Minus, Kind::Span)
        | (Kind::Months, Op::Plus | Op::Minus, Kind::Months) => {
            wholes(op, left, right, left.kind.clone(), height, lenient)
        }
        (Kind::Span | Kind::Months, Op::Multiply | Op::Divide, Kind::Bigint) => {
            wholes(op, left, right, left.kind.clone(), height, lenient)
        }
        (Kind::Bigint, Op::Multiply, Kind::Span | Kind::Months) => {
            wholes(op, right, left, right.kind.clone(), height, lenient)
        }
        (Kind::Span, Op::Multiply | Op::Divide, Kind::Double | Kind::Decimal { .. }) => {
            part_of_span((left, right), *op == Op::Divide, height)
        }
        (Kind::Double | Kind::Decimal { .. }, Op::Multiply, Kind::Span) => {
            part_of_span((right, left), false, height)
        }
        (time, Op::Plus | Op::Minus, Kind::Span | Kind::Months) if time.is_time() => {
            shift((left, right), *op == Op::Minus, height, lenient)
        }
        (Kind::Span | Kind::Months, Op::Plus, time) if time.is_time() => {
            shift((right, left), false, height, lenient)
        }
        // CloudTrail's times are texts; the result is NULL if a text is not a time.
        (Kind::Varchar, Op::Plus | Op::Minus, Kind::Span | Kind::Months) => {
            shift((left, right), *op == Op::Minus, height, lenient)
        }
        (a, Op::Minus, b) if a.is_time() && b.is_time() => {
            let constant = left.constant && right.constant;
            let (a, b) = (clock::millis(left, height)?, clock::millis(right, height)?);
            Values::build(Kind::Span, height, constant, |row| {
                Ok(a.get(row).zip(b.get(row)).map(|(a, b)| a.saturating_sub(b)))
            })
        }
        (a, _, b) => Err(SqlError::new(format!("{a} {op} {b} is not possible"))),
    }
}

/// An interval times a number with a fraction, or divided by it; milliseconds are rounded.
fn part_of_span((span, by): (&Values, &Values), divides: bool, height: usize) -> Result<Values> {
    let (millis, factors) = (span.wholes()?, by.doubles()?);
    Values::build(Kind::Span, height, span.constant && by.constant, |row| {
        let Some((millis, factor)) = millis.get(row).zip(factors.get(row)) else { return Ok(None) };
        let product = if divides { millis as f64 / factor } else { millis as f64 * factor };
        match product.round() {
            product if product.abs() < 9.2e18 => Ok(Some(product as i64)),
            _ => Err(SqlError::value("the interval is too long")),
        }
    })
}

fn wholes(
    op: &Op,
    left: &Values,
    right: &Values,
    kind: Kind,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    let (a, b) = (left.wholes()?, right.wholes()?);
    Values::build(kind, height, left.constant && right.constant, |row| {
        let Some((a, b)) = a.get(row).zip(b.get(row)) else { return Ok(None) };
        let result = match op {
            Op::Plus => a.checked_add(b),
            Op::Minus => a.checked_sub(b),
            Op::Multiply => a.checked_mul(b),
            Op::Divide => a.checked_div(b),
            _ => a.checked_rem(b),
        };
        match result {
            Some(result) => Ok(Some(result)),
            None if lenient => Ok(None),
            None if b == 0 => Err(SqlError::value("division by zero")),
            None => Err(SqlError::value(format!("{a} {op} {b} is out of the range of bigint"))),
        }
    })
}

fn doubles(op: &Op, left: &Values, right: &Values, height: usize) -> Result<Values> {
    let (a, b) = (left.doubles()?, right.doubles()?);
    Values::build(Kind::Double, height, left.constant && right.constant, |row| {
        Ok(a.get(row).zip(b.get(row)).map(|(a, b)| match op {
            Op::Plus => a + b,
            Op::Minus => a - b,
            Op::Multiply => a * b,
            Op::Divide => a / b,
            _ => a % b,
        }))
    })
}

/// Moves a time by an interval. A date moves by whole days or months.
fn shift((time, by): (&Values, &Values), back: bool, height: usize, lenient: bool) -> Result<Values> {
    let constant = time.constant && by.constant;
    let amounts = by.wholes()?;
    let amount =
        |row| amounts.get(row).map(|amount: i64| if back { amount.saturating_neg() } else { amount });
    let millis = clock::millis(time, height)?;
    let moved = |row: usize| {
        let (start, amount) = millis.get(row).zip(amount(row))?;
        if by.kind == Kind::Months { clock::plus_months(start, amount) } else { start.checked_add(amount) }
    };
    if time.kind == Kind::Date {
        return Values::build(Kind::Date, height, constant, |row| match moved(row) {
            Some(millis) if millis % DAY_MILLIS == 0 => Ok(Some(millis / DAY_MILLIS)),
            Some(_) if !lenient => {
                Err(SqlError::value("a date moves by whole days: CAST it to timestamp for hours"))
            }
            _ => Ok(None),
        });
    }
    let kind = if time.kind == Kind::Varchar { clock::ZONED } else { time.kind.clone() };
    Values::build(kind, height, constant, |row| Ok(moved(row)))
}

pub(in crate::sql) fn negate(values: &Values, height: usize, lenient: bool) -> Result<Values> {
    match values.kind {
        Kind::Double => {
            let cells = values.doubles()?;
            Values::build(Kind::Double, height, values.constant, |row| Ok(cells.get(row).map(|value| -value)))
        }
        Kind::Decimal { .. } => decimal::each(values, height, |value| -value),
        Kind::Bigint | Kind::Span | Kind::Months | Kind::Unknown => {
            let cells = values.wholes()?;
            Values::build(values.kind.clone(), height, values.constant, |row| {
                match cells.get(row).map(i64::checked_neg) {
                    Some(None) if lenient => Ok(None),
                    Some(None) => {
                        Err(SqlError::value(format!("-({}) is out of the range of bigint", i64::MIN)))
                    }
                    negated => Ok(negated.flatten()),
                }
            })
        }
        ref other => Err(SqlError::new(format!("a {other} cannot be negated"))),
    }
}
