//! Exact decimal numbers: `1.5`, `CAST(x AS DECIMAL(10, 2))`, and Trino's arithmetic on them.
//!
//! A decimal is stored as a whole number in units of its last digit: 1.50 is 150 with a scale of 2. As in
//! Trino there are at most 38 digits; whatever needs more is an error, never a wrong digit. Types of up to
//! 18 digits are stored in 64 bits. Wider ones are stored as texts of 32 hexadecimal digits that sort and
//! compare like the numbers, so that sorting, grouping, joining and comparing work on them as on other
//! texts.

use sqlparser::ast::BinaryOperator as Op;

use super::values::{Decimals, Values, Wholes};
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// Digits of the widest type.
pub(in crate::sql) const DIGITS_MAX: u8 = 38;

/// The decimal type of a `bigint` that is combined with a decimal.
const OF_BIGINT: (u8, u8) = (19, 0);

/// Total number of digits, and digits after the point.
pub(in crate::sql) fn digits(kind: &Kind) -> Option<(u8, u8)> {
    match kind {
        Kind::Decimal { precision, scale } => Some((*precision, *scale)),
        Kind::Bigint => Some(OF_BIGINT),
        _ => None,
    }
}

pub(in crate::sql) fn kind(precision: u8, scale: u8) -> Kind {
    Kind::Decimal { precision: precision.clamp(1, DIGITS_MAX), scale }
}

/// A literal: `1.5`, `.5`, `1.`. `None` if it is not a decimal or has too many digits.
pub(in crate::sql) fn literal(text: &str) -> Option<Values> {
    let (whole, fraction) = text.split_once('.')?;
    let scale = u8::try_from(fraction.len()).ok()?;
    let value: i128 = format!("{whole}{fraction}").parse().ok()?;
    let precision = u8::try_from(whole.trim_start_matches('0').len()).ok()?.checked_add(scale)?;
    let value = fit(value, precision).filter(|_| precision <= DIGITS_MAX)?;
    Values::build_decimals(kind(precision, scale), 1, true, |_| Ok(Some(value))).ok()
}

/// The type that can represent values of both; `None` if one of them is not an exact number.
pub(in crate::sql) fn common(a: &Kind, b: &Kind) -> Option<Kind> {
    let ((p, s), (p2, s2)) = (digits(a)?, digits(b)?);
    let scale = s.max(s2);
    Some(kind((p.saturating_sub(s)).max(p2.saturating_sub(s2)).saturating_add(scale), scale))
}

/// Parses a text, rounded to `scale` digits after the point; `None`: it is not a number. `Some(None)`: it
/// is too large.
pub(in crate::sql) fn parse(text: &str, precision: u8, scale: u8) -> Option<Option<i128>> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => {
            (mantissa, exponent.parse::<i32>().ok().filter(|exponent| exponent.abs() < 400)?)
        }
        None => (text, 0),
    };
    let (sign, unsigned) = match mantissa.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, mantissa.strip_prefix('+').unwrap_or(mantissa)),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // How many digits come before the last one that is kept.
    let kept = i64::try_from(whole.len()).ok()? + i64::from(exponent) + i64::from(scale);
    let digit = |at: i64| {
        usize::try_from(at).ok().and_then(|at| digits.get(at)).map_or(0, |digit| i128::from(digit - b'0'))
    };
    let mut value = 0_i128;
    for at in 0..kept.max(0) {
        value = match value.checked_mul(10).and_then(|value| value.checked_add(digit(at))) {
            Some(value) => value,
            None => return Some(None),
        };
    }
    let up = kept >= 0 && digit(kept) >= 5;
    Some(value.checked_add(i128::from(up)).and_then(|value| fit(sign * value, precision)))
}

/// The number, if the type can represent it.
pub(in crate::sql) fn fit(value: i128, precision: u8) -> Option<i128> {
    let limit = 10_u128.checked_pow(u32::from(precision.min(DIGITS_MAX)));
    Some(value).filter(|value| limit.is_none_or(|limit| value.unsigned_abs() < limit))
}

fn power(exponent: u8) -> Result<i128> {
    10_i128.checked_pow(u32::from(exponent)).ok_or_else(too_many)
}

pub(in crate::sql) fn too_many() -> SqlError {
    SqlError::value(
        "the number has more than the 38 digits that a decimal has; CAST(… AS double) has less digits and no \
         end",
    )
}

/// `value / divisor`, rounding halves away from zero.
fn rounded(value: i128, divisor: i128) -> i128 {
    let (quotient, rest) = (value / divisor, value % divisor);
    // Compares the remainder without doubling it, which could overflow.
    let up = rest.unsigned_abs() >= divisor.unsigned_abs() - rest.unsigned_abs();
    if up && rest != 0 { quotient + if (value < 0) == (divisor < 0) { 1 } else { -1 } } else { quotient }
}

/// Changes the number of digits after the point, rounding if necessary. `None`: too large for the type.
pub(in crate::sql) fn rescaled(value: i128, from: u8, precision: u8, to: u8) -> Result<Option<i128>> {
    if from > to {
        return Ok(fit(rounded(value, power(from - to)?), precision));
    }
    Ok(value.checked_mul(power(to - from)?).and_then(|value| fit(value, precision)))
}

/// `+ - * / %` of decimals and whole numbers, at least one of which is a decimal.
pub(in crate::sql) fn binary(
    op: &Op,
    left: &Values,
    right: &Values,
    height: usize,
    lenient: bool,
) -> Result<Values> {
    let (Some((p, s)), Some((p2, s2))) = (digits(&left.kind), digits(&right.kind)) else {
        return Err(SqlError::new(format!("{} {op} {} is not possible", left.kind, right.kind)));
    };
    let (before, before2, scale) = (p.saturating_sub(s), p2.saturating_sub(s2), s.max(s2));
    let kind = match op {
        Op::Plus | Op::Minus => kind(before.max(before2).saturating_add(scale).saturating_add(1), scale),
        Op::Multiply => kind(p.saturating_add(p2), s.saturating_add(s2)),
        Op::Divide => kind(p.saturating_add(s2).saturating_add(s2.saturating_sub(s)), scale),
        _ => kind(before.min(before2).saturating_add(scale), scale),
    };
    let (up, up2) = (power(scale - s)?, power(scale - s2)?);
    let (a, b) = (left.decimals()?, right.decimals()?);
    if matches!(op, Op::Multiply) && s.saturating_add(s2) > DIGITS_MAX {
        return Err(SqlError::new(format!(
            "{} {op} {} has more than 38 digits after the point; CAST one of them to a type with fewer",
            left.kind, right.kind
        )));
    }
    Values::build_decimals(kind, height, left.constant && right.constant, |row| {
        let Some((a, b)) = a.get(row).zip(b.get(row)) else { return Ok(None) };
        let aligned = || Some((a.checked_mul(up)?, b.checked_mul(up2)?));
        let result = match op {
            _ if b == 0 && matches!(op, Op::Divide | Op::Modulo) => {
                return if lenient { Ok(None) } else { Err(SqlError::value("division by zero")) };
            }
            Op::Plus => aligned().and_then(|(a, b)| a.checked_add(b)),
            Op::Minus => aligned().and_then(|(a, b)| a.checked_sub(b)),
            Op::Multiply => a.checked_mul(b),
            Op::Divide => power(scale + s2 - s).ok().and_then(|up| divided(a, up, b)),
            _ => aligned().map(|(a, b)| a % b),
        };
        match result.and_then(|value| fit(value, DIGITS_MAX)) {
            None if lenient => Ok(None),
            result => result.map(Some).ok_or_else(too_many),
        }
    })
}

/// `value * up / divisor`, rounding halves away from zero; the product may have more than 38 digits. `None`
/// if the result has more.
fn divided(value: i128, up: i128, divisor: i128) -> Option<i128> {
    if let Some(value) = value.checked_mul(up) {
        return Some(rounded(value, divisor));
    }
    // Digit by digit, as on paper.
    let (mut rest, by) = (value.unsigned_abs(), divisor.unsigned_abs());
    let (mut quotient, mut up) = (rest / by, up.unsigned_abs());
    rest %= by;
    while up > 1 {
        // The remainder is less than the divisor, which has at most 38 digits: ten times that may just
        // overflow.
        let (mut digit, mut next) = (0, 0_u128);
        for _ in 0..10 {
            let room = by - next;
            if rest >= room {
                digit += 1;
                next = rest - room;
            } else {
                next += rest;
            }
        }
        quotient = quotient.checked_mul(10)?.checked_add(digit)?;
        rest = next;
        up /= 10;
    }
    let quotient = quotient.checked_add(u128::from(rest >= by - rest))?;
    let quotient = i128::try_from(quotient).ok()?;
    Some(if (value < 0) == (divisor < 0) { quotient } else { -quotient })
}

/// How digits are removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Way {
    Nearest,
    Up,
    Down,
    TowardsZero,
}

/// `value` rounded to `digits` digits after the point (before it, if negative), at the same scale.
fn cut(value: i128, scale: u8, digits: i64, way: Way) -> Result<i128> {
    let drop = i64::from(scale) - digits;
    let Ok(drop) = u8::try_from(drop.clamp(0, i64::from(DIGITS_MAX))) else { return Ok(value) };
    let unit = power(drop)?;
    let whole = match way {
        Way::Nearest => rounded(value, unit),
        Way::Up => -(-value).div_euclid(unit),
        Way::Down => value.div_euclid(unit),
        Way::TowardsZero => value / unit,
    };
    whole.checked_mul(unit).ok_or_else(too_many)
}

/// `round(x)`, `ceil(x)`, `floor(x)` and `truncate(x)`: no digits after the point.
pub(in crate::sql) fn whole(values: &Values, way: Way, height: usize) -> Result<Values> {
    let (precision, scale) = digits(&values.kind).unwrap_or(OF_BIGINT);
    let (cells, unit) = (values.decimals()?, power(scale)?);
    let kind = kind(precision.saturating_sub(scale).saturating_add(u8::from(scale > 0)), 0);
    Values::build_decimals(kind, height, values.constant, |row| match cells.get(row) {
        Some(value) => fit(cut(value, scale, 0, way)? / unit, DIGITS_MAX).map(Some).ok_or_else(too_many),
        None => Ok(None),
    })
}

/// `round(x, digits)` keeps the scale of the type: 2.345 becomes 2.350.
pub(in crate::sql) fn to_digits(
    values: &Values,
    digits_of: &Wholes,
    way: Way,
    height: usize,
    constant: bool,
) -> Result<Values> {
    let (precision, scale) = digits(&values.kind).unwrap_or(OF_BIGINT);
    let cells = values.decimals()?;
    Values::build_decimals(kind(precision.saturating_add(1), scale), height, constant, |row| {
        match cells.get(row).zip(digits_of.get(row)) {
            Some((value, digits)) => {
                fit(cut(value, scale, digits, way)?, DIGITS_MAX).map(Some).ok_or_else(too_many)
            }
            None => Ok(None),
        }
    })
}

/// The mean of `count` numbers with this `sum`, at the same scale.
pub(in crate::sql) fn mean(sum: i128, count: i64) -> Option<i128> {
    (count > 0).then(|| rounded(sum, i128::from(count)))
}

/// `-x`, `abs(x)`: the same type.
pub(in crate::sql) fn each(values: &Values, height: usize, number: impl Fn(i128) -> i128) -> Result<Values> {
    let cells: Decimals = values.decimals()?;
    Values::build_decimals(values.kind.clone(), height, values.constant, |row| {
        Ok(cells.get(row).map(&number))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::types::wide::{double, packed, show, unpacked};

    #[test]
    fn texts_are_read_and_rounded() {
        assert_eq!(parse("1.005", 10, 2), Some(Some(101)));
        assert_eq!(parse("-1.005", 10, 2), Some(Some(-101)));
        assert_eq!(parse("1.0049", 10, 2), Some(Some(100)));
        assert_eq!(parse("2.5e3", 10, 1), Some(Some(25_000)));
        assert_eq!(parse("25e-3", 10, 2), Some(Some(3)));
        assert_eq!(parse("1e-9", 10, 2), Some(Some(0)));
        assert_eq!(parse(".5", 10, 0), Some(Some(1)));
        assert_eq!(parse("1000", 3, 0), Some(None));
        assert_eq!(parse("1e30", 38, 0), Some(Some(10_i128.pow(30))));
        assert_eq!(
            (parse("1e38", 38, 0), parse("99999999999999999999999999999999999999", 38, 0)),
            (Some(None), Some(Some(10_i128.pow(38) - 1)))
        );
        for wrong in ["", "-", ".", "1.2.3", "x", "1e", "0x1"] {
            assert_eq!(parse(wrong, 10, 2), None, "{wrong}");
        }
    }

    #[test]
    fn digits_are_shown_with_the_point_in_its_place() {
        assert_eq!(
            (show(5, 2), show(-5, 2), show(150, 2), show(0, 1), show(-7, 0)),
            ("0.05".into(), "-0.05".into(), "1.50".into(), "0.0".into(), "-7".into())
        );
        assert_eq!(show(i64::MIN.into(), 3), "-9223372036854775.808");
        assert_eq!(show(1 - 10_i128.pow(38), 38), "-0.99999999999999999999999999999999999999");
        assert_eq!(double(1, 1).to_bits(), 0.1_f64.to_bits());
    }

    #[test]
    fn packed_numbers_are_in_order() {
        let numbers =
            [1 - 10_i128.pow(38), -10_i128.pow(20), -1, 0, 1, 7, 10_i128.pow(20), 10_i128.pow(38) - 1];
        assert!(numbers.iter().all(|number| unpacked(&packed(*number)) == Some(*number)));
        assert!(numbers.windows(2).all(|pair| packed(pair[0]) < packed(pair[1])));
    }

    #[test]
    fn a_quotient_is_exact_where_the_product_is_too_large() {
        let most = 10_i128.pow(38) - 1;
        // 99…99 * 10^10 / 3 * 10^30 and the like, checked by hand.
        assert_eq!(divided(most, 10_i128.pow(10), 3 * 10_i128.pow(30)), Some(333_333_333_333_333_333));
        assert_eq!(divided(-most, 10_i128.pow(5), most), Some(-100_000));
        assert_eq!(
            divided(2 * 10_i128.pow(37), 10_i128.pow(20), 3 * 10_i128.pow(37)),
            Some(66_666_666_666_666_666_667)
        );
        assert_eq!(divided(most, 10_i128.pow(30), 1), None);
    }

    #[test]
    fn halves_go_away_from_zero() {
        assert_eq!((rounded(5, 2), rounded(-5, 2), rounded(5, -2), rounded(-5, -2)), (3, -3, -3, 3));
        assert_eq!((rounded(4, 3), rounded(1, i128::MAX), rounded(7, 7)), (1, 0, 1));
        assert_eq!(rescaled(2_345, 3, 10, 2).unwrap(), Some(235));
        assert_eq!(cut(-15, 1, 0, Way::Up).unwrap(), -10);
        assert_eq!(cut(-15, 1, 0, Way::Down).unwrap(), -20);
        assert_eq!(cut(1_250, 0, -2, Way::Nearest).unwrap(), 1_300);
    }
}
