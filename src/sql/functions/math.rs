//! Functions on numbers, and the greatest and least of several values.

use super::call::Call;
use super::predicate;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::compare::Ordered;
use crate::sql::types::decimal::Way;
use crate::sql::types::values::Values;
use crate::sql::types::{cast, compare, decimal};
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &[
    "abs",
    "ceil",
    "ceiling",
    "floor",
    "round",
    "truncate",
    "sqrt",
    "cbrt",
    "exp",
    "ln",
    "log2",
    "log10",
    "power",
    "pow",
    "mod",
    "sign",
    "greatest",
    "least",
    "pi",
    "to_base",
    "from_base",
    "log",
    "e",
    "infinity",
    "nan",
    "is_nan",
    "is_finite",
    "is_infinite",
    "degrees",
    "radians",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "bitwise_not",
    "bitwise_left_shift",
    "bitwise_right_shift",
    "bitwise_right_shift_arithmetic",
    "bit_count",
    "sin",
    "cos",
    "tan",
    "asin",
    "acos",
    "atan",
    "atan2",
    "sinh",
    "cosh",
    "tanh",
    "width_bucket",
];

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    Some(match call.name {
        "abs" => absolute(call),
        "sign" if is_decimal(call) => sign(call),
        "sign" => either(call, i64::signum, |value| if value == 0.0 { 0.0 } else { value.signum() }),
        "ceil" | "ceiling" if is_decimal(call) => whole(call, Way::Up),
        "floor" if is_decimal(call) => whole(call, Way::Down),
        "ceil" | "ceiling" => either(call, |value| value, f64::ceil),
        "floor" => either(call, |value| value, f64::floor),
        "round" if is_decimal(call) => whole(call, Way::Nearest),
        "truncate" if is_decimal(call) => whole(call, Way::TowardsZero),
        "round" => round(call, f64::round),
        "truncate" => round(call, f64::trunc),
        "sqrt" => double(call, f64::sqrt),
        "cbrt" => double(call, f64::cbrt),
        "exp" => double(call, f64::exp),
        "ln" => double(call, f64::ln),
        "log2" => double(call, f64::log2),
        "log10" => double(call, f64::log10),
        "power" | "pow" => power(call),
        "mod" => modulo(call),
        "greatest" => extreme(call, std::cmp::Ordering::Greater),
        "least" => extreme(call, std::cmp::Ordering::Less),
        "pi" => Ok(Values::constant(Kind::Double, Some(std::f64::consts::PI))),
        "e" => Ok(Values::constant(Kind::Double, Some(std::f64::consts::E))),
        "infinity" => Ok(Values::constant(Kind::Double, Some(f64::INFINITY))),
        "nan" => Ok(Values::constant(Kind::Double, Some(f64::NAN))),
        "is_nan" => test(call, f64::is_nan),
        "is_finite" => test(call, f64::is_finite),
        "is_infinite" => test(call, f64::is_infinite),
        "degrees" => double(call, f64::to_degrees),
        "radians" => double(call, f64::to_radians),
        "log" => log(call),
        "bitwise_and" => bits(call, |a, b| a & b),
        "bitwise_or" => bits(call, |a, b| a | b),
        "bitwise_xor" => bits(call, |a, b| a ^ b),
        "bitwise_not" => either(call, |value| !value, |value| value),
        "bitwise_left_shift" => bits(call, |a, by| shifted(by).map_or(0, |by| a << by)),
        "bitwise_right_shift" => bits(call, |a, by| shifted(by).map_or(0, |by| ((a as u64) >> by) as i64)),
        "bitwise_right_shift_arithmetic" => bits(call, |a, by| a >> shifted(by).unwrap_or(63)),
        "bit_count" => bit_count(call),
        "sin" => double(call, f64::sin),
        "cos" => double(call, f64::cos),
        "tan" => double(call, f64::tan),
        "asin" => double(call, f64::asin),
        "acos" => double(call, f64::acos),
        "atan" => double(call, f64::atan),
        "atan2" => angle(call),
        "sinh" => double(call, f64::sinh),
        "cosh" => double(call, f64::cosh),
        "tanh" => double(call, f64::tanh),
        "width_bucket" => width_bucket(call),
        "from_base" => from_base(call),
        "to_base" => to_base(call),
        _ => return None,
    })
}

fn either(call: &Call<'_>, whole: impl Fn(i64) -> i64, double: impl Fn(f64) -> f64) -> Result<Values> {
    call.arity(1, 1)?;
    if let kind @ Kind::Bigint = &call.arg(0)?.kind {
        let cells = call.arg(0)?.wholes()?;
        return call.build(kind.clone(), |row| Ok(cells.get(row).map(&whole)));
    }
    let cells = call.doubles(0)?;
    call.build(Kind::Double, |row| Ok(cells.get(row).map(&double)))
}

fn absolute(call: &Call<'_>) -> Result<Values> {
    if is_decimal(call) {
        call.arity(1, 1)?;
        return decimal::each(call.arg(0)?, call.height, i128::abs);
    }
    if call.arg(0)?.kind != Kind::Bigint {
        return either(call, i64::saturating_abs, f64::abs);
    }
    call.arity(1, 1)?;
    let cells = call.wholes(0)?;
    call.build(Kind::Bigint, |row| match cells.get(row).map(i64::checked_abs) {
        Some(None) => call.refuse(|| format!("abs({}) is out of the range of bigint", i64::MIN)),
        absolute => Ok(absolute.flatten()),
    })
}

fn is_decimal(call: &Call<'_>) -> bool {
    matches!(call.args.first(), Some(Values { kind: Kind::Decimal { .. }, .. }))
}

fn sign(call: &Call<'_>) -> Result<Values> {
    call.arity(1, 1)?;
    let cells = call.arg(0)?.decimals()?;
    call.build(decimal::kind(1, 0), |row| {
        Ok(cells.get(row).map(|value| {
            if value == 0 {
                0_i64
            } else if value < 0 {
                -1
            } else {
                1
            }
        }))
    })
}

/// Rounds a decimal: to a whole number, or to as many digits as the second argument says.
fn whole(call: &Call<'_>, way: Way) -> Result<Values> {
    call.arity(1, if matches!(way, Way::Up | Way::Down) { 1 } else { 2 })?;
    match call.args.len() {
        1 => decimal::whole(call.arg(0)?, way, call.height),
        _ => decimal::to_digits(call.arg(0)?, &call.wholes(1)?, way, call.height, call.constant()),
    }
}

fn double(call: &Call<'_>, function: impl Fn(f64) -> f64) -> Result<Values> {
    call.arity(1, 1)?;
    let cells = call.doubles(0)?;
    call.build(Kind::Double, |row| Ok(cells.get(row).map(&function)))
}

fn round(call: &Call<'_>, function: impl Fn(f64) -> f64) -> Result<Values> {
    call.arity(1, 2)?;
    if call.arg(0)?.kind == Kind::Bigint {
        return whole_to_digits(call);
    }
    let cells = call.doubles(0)?;
    let digits = if call.args.len() > 1 { Some(call.wholes(1)?) } else { None };
    call.build(Kind::Double, |row| {
        let digits = digits.as_ref().map_or(Some(0), |digits| digits.get(row));
        Ok(cells.get(row).zip(digits).map(|(value, digits)| {
            let scale = 10_f64.powi(i32::try_from(digits).unwrap_or(0));
            let rounded = function(value * scale) / scale;
            // If the scaled number overflows, the number has no digits after the point.
            if rounded.is_finite() || !value.is_finite() { rounded } else { value }
        }))
    })
}

/// `round(1234, -2)` is 1200; a whole number has no digits after the point.
fn whole_to_digits(call: &Call<'_>) -> Result<Values> {
    if call.args.len() == 1 {
        return Ok(call.arg(0)?.clone());
    }
    let (cells, digits) = (call.wholes(0)?, call.wholes(1)?);
    call.build(Kind::Bigint, |row| {
        let Some((value, digits)) = cells.get(row).zip(digits.get(row)) else { return Ok(None) };
        let Some(unit) = u32::try_from(-digits).ok().filter(|digits| *digits > 0) else {
            return Ok(Some(value));
        };
        let rounded = 10_i128.checked_pow(unit).map_or(0, |unit| {
            let half = if call.name == "round" { unit / 2 * i128::from(value.signum()) } else { 0 };
            (i128::from(value) + half) / unit * unit
        });
        match i64::try_from(rounded) {
            Ok(rounded) => Ok(Some(rounded)),
            Err(_) => call.refuse(|| format!("{rounded} is out of the range of bigint")),
        }
    })
}

fn power(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (base, exponent) = (call.doubles(0)?, call.doubles(1)?);
    call.build(Kind::Double, |row| {
        Ok(base.get(row).zip(exponent.get(row)).map(|(base, exponent)| base.powf(exponent)))
    })
}

/// `log(base, value)`.
fn log(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (base, value) = (call.doubles(0)?, call.doubles(1)?);
    call.build(Kind::Double, |row| {
        Ok(base
            .get(row)
            .zip(value.get(row))
            .map(|(base, value)| if base == 2.0 { value.log2() } else { value.log(base) }))
    })
}

fn test(call: &Call<'_>, test: impl Fn(f64) -> bool) -> Result<Values> {
    call.arity(1, 1)?;
    let cells = call.doubles(0)?;
    call.build(Kind::Boolean, |row| Ok(cells.get(row).map(&test)))
}

fn bits(call: &Call<'_>, combine: impl Fn(i64, i64) -> i64) -> Result<Values> {
    call.arity(2, 2)?;
    let (left, right) = (call.wholes(0)?, call.wholes(1)?);
    call.build(Kind::Bigint, |row| Ok(left.get(row).zip(right.get(row)).map(|(a, b)| combine(a, b))))
}

/// The number of bits to shift, if it is less than the width.
fn shifted(by: i64) -> Option<u32> {
    u32::try_from(by).ok().filter(|by| *by < 64)
}

/// `bit_count(x, bits)`: the number of ones in the two's complement representation of `x` with this many
/// bits.
fn bit_count(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (numbers, sizes) = (call.wholes(0)?, call.wholes(1)?);
    call.build(Kind::Bigint, |row| {
        let Some((number, size)) = numbers.get(row).zip(sizes.get(row)) else { return Ok(None) };
        let Some(size) = u32::try_from(size).ok().filter(|size| (2..=64).contains(size)) else {
            return call.refuse(|| "a number has 2 to 64 bits".to_owned());
        };
        let mask = if size == 64 { u64::MAX } else { (1 << size) - 1 };
        let high = number >> (size - 1);
        if high != 0 && high != -1 {
            return call.refuse(|| format!("{number} has more than {size} bits"));
        }
        Ok(Some(i64::from((number as u64 & mask).count_ones())))
    })
}

fn angle(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (y, x) = (call.doubles(0)?, call.doubles(1)?);
    call.build(Kind::Double, |row| Ok(y.get(row).zip(x.get(row)).map(|(y, x)| y.atan2(x))))
}

/// The number of the bucket, among `count` equal parts of a range, that contains a value: 0 below, `count +
/// 1` above.
fn width_bucket(call: &Call<'_>) -> Result<Values> {
    call.arity(4, 4)?;
    let (value, low, high, count) = (call.doubles(0)?, call.doubles(1)?, call.doubles(2)?, call.wholes(3)?);
    call.build(Kind::Bigint, |row| {
        let Some(((value, low), (high, count))) =
            value.get(row).zip(low.get(row)).zip(high.get(row).zip(count.get(row)))
        else {
            return Ok(None);
        };
        if count <= 0 || low == high {
            return call.refuse(|| "the range has no parts".to_owned());
        }
        let (least, most) = (low.min(high), low.max(high));
        let part = if value < least {
            0
        } else if value >= most {
            count + 1
        } else {
            (count as f64 * (value - least) / (most - least)) as i64 + 1
        };
        Ok(Some(if low > high { count + 1 - part } else { part }))
    })
}

fn modulo(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    crate::sql::types::arithmetic::binary(
        &sqlparser::ast::BinaryOperator::Modulo,
        call.arg(0)?,
        call.arg(1)?,
        call.height,
        call.lenient,
    )
}

/// NULL if any argument is, as in Trino.
fn extreme(call: &Call<'_>, wanted: std::cmp::Ordering) -> Result<Values> {
    let first = call.arg(0)?;
    let mut kind = first.kind.clone();
    for arg in &call.args {
        kind = compare::common(&kind, &arg.kind)?;
    }
    let mut best = cast::cast(first, &kind, call.height, call.lenient)?;
    for arg in call.args.iter().skip(1) {
        let next = cast::cast(arg, &kind, call.height, call.lenient)?;
        // Both columns concatenated, so that values can be compared and selected by index.
        let both = Values::new(kind.clone(), best.spread(call.height));
        let mut data = both.data;
        data.append_owned(next.spread(call.height))?;
        let both = Values::new(kind.clone(), data.rechunk());
        let order = Ordered::of(&both)?;
        let nulls = predicate::nulls(&both)?;
        let rows: Vec<Option<u32>> = (0..call.height)
            .map(|row| {
                let other = row + call.height;
                let null = |at: usize| nulls.get(at).copied().unwrap_or(true);
                if null(row) || null(other) {
                    return None;
                }
                u32::try_from(if order.compare(other, row) == wanted { other } else { row }).ok()
            })
            .collect();
        best = both.take(&rows)?;
    }
    Ok(best)
}

fn from_base(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (texts, radix) = (call.texts(0)?, call.wholes(1)?);
    call.build(Kind::Bigint, |row| {
        let Some((text, radix)) = texts.get(row).zip(radix.get(row)) else { return Ok(None) };
        match u32::try_from(radix)
            .ok()
            .filter(|radix| (2..=36).contains(radix))
            .and_then(|radix| i64::from_str_radix(text, radix).ok())
        {
            Some(number) => Ok(Some(number)),
            None => call.refuse(|| format!("'{text}' is no number in base {radix}")),
        }
    })
}

fn to_base(call: &Call<'_>) -> Result<Values> {
    call.arity(2, 2)?;
    let (numbers, radix) = (call.wholes(0)?, call.wholes(1)?);
    call.build(Kind::Varchar, |row| {
        let Some((number, radix)) = numbers.get(row).zip(radix.get(row)) else { return Ok(None) };
        let radix = u32::try_from(radix)
            .ok()
            .filter(|radix| (2..=36).contains(radix))
            .ok_or_else(|| SqlError::new("the base must be 2 to 36"))?;
        let mut left = number.unsigned_abs();
        let mut digits = Vec::new();
        loop {
            let digit = u32::try_from(left % u64::from(radix)).unwrap_or(0);
            digits.push(char::from_digit(digit, radix).unwrap_or('0'));
            left /= u64::from(radix);
            if left == 0 {
                break;
            }
        }
        let sign = if number < 0 { "-" } else { "" };
        Ok(Some(format!("{sign}{}", digits.iter().rev().collect::<String>())))
    })
}
