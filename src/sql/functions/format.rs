//! `format('%s has %,d calls, %.1f %%', name, calls, share)`.

use super::call::Call;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::{Values, Wholes};
use crate::sql::types::{cast, decimal, wide};
use crate::tables::Kind;

pub(super) const NAMES: &[&str] = &["format"];

/// Widest field that is padded.
const WIDTH_MAX: usize = 1_000;

pub(super) fn call(call: &Call<'_>) -> Option<Result<Values>> {
    (call.name == "format").then(|| format(call))
}

enum Piece {
    Text(String),
    Field { flags: String, width: usize, precision: Option<u8>, letter: char, at: usize },
}

/// The values of an argument, converted for its format letter.
enum FormatArgument {
    Wholes(Wholes),
    Texts(Vec<Option<String>>),
}

fn format(call: &Call<'_>) -> Result<Values> {
    let pieces = pieces(&call.literal(0)?)?;
    let mut columns = Vec::new();
    for piece in &pieces {
        columns.push(match piece {
            Piece::Text(_) => None,
            Piece::Field { letter, at, .. } => {
                let arg = call
                    .args
                    .get(*at)
                    .ok_or_else(|| SqlError::new(format!("there are more fields than values: %{letter}")))?;
                Some((column(arg, *letter, call.height)?, arg.constant))
            }
        });
    }
    call.build(Kind::Varchar, |row| {
        let mut out = String::new();
        for (piece, column) in pieces.iter().zip(&columns) {
            match (piece, column) {
                (Piece::Field { flags, width, precision, letter, .. }, Some((column, constant))) => {
                    let text = column.show(if *constant { 0 } else { row }, flags, *precision, *letter);
                    out.push_str(&padded(text, flags, *width));
                }
                (Piece::Text(text), _) => out.push_str(text),
                _ => {}
            }
        }
        Ok(Some(out))
    })
}

fn pieces(text: &str) -> Result<Vec<Piece>> {
    let (mut all, mut plain, mut at) = (Vec::new(), String::new(), 0);
    let mut chars = text.chars().peekable();
    while let Some(char) = chars.next() {
        if char != '%' {
            plain.push(char);
            continue;
        }
        let flags: String = std::iter::from_fn(|| chars.next_if(|char| "-+ 0,(".contains(*char))).collect();
        let width: String = std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect();
        let precision = chars
            .next_if_eq(&'.')
            .map(|_| std::iter::from_fn(|| chars.next_if(char::is_ascii_digit)).collect::<String>());
        match chars.next() {
            Some('%') => plain.push('%'),
            Some('n') => plain.push('\n'),
            Some(letter @ ('s' | 'S' | 'd' | 'f' | 'x' | 'X' | 'b')) => {
                at += 1;
                all.push(Piece::Text(std::mem::take(&mut plain)));
                let width = width.parse().unwrap_or(0).min(WIDTH_MAX);
                all.push(Piece::Field {
                    flags,
                    width,
                    precision: precision.and_then(|digits| digits.parse().ok()),
                    letter,
                    at,
                });
            }
            Some(other) => {
                return Err(SqlError::new(format!(
                    "%{other} is not supported: there are %s, %d, %f, %x, %b, %n and %%"
                )));
            }
            None => return Err(SqlError::new("the format ends with %")),
        }
    }
    all.push(Piece::Text(plain));
    Ok(all)
}

fn column(arg: &Values, letter: char, height: usize) -> Result<FormatArgument> {
    Ok(match letter {
        'd' | 'x' | 'X' if matches!(arg.kind, Kind::Bigint | Kind::Unknown) => {
            FormatArgument::Wholes(arg.wholes()?)
        }
        'd' | 'x' | 'X' => {
            return Err(SqlError::new(format!("%{letter} needs a whole number, and this is {}", arg.kind)));
        }
        'f' if !arg.kind.is_number() || arg.kind == Kind::Bigint => {
            return Err(SqlError::new(format!("%f needs a double or a decimal, and this is {}", arg.kind)));
        }
        _ => FormatArgument::Texts(cast::texts(arg, height)?),
    })
}

impl FormatArgument {
    fn show(&self, row: usize, flags: &str, precision: Option<u8>, letter: char) -> String {
        match self {
            Self::Wholes(cells) => match (cells.get(row), letter) {
                (None, _) => "null".to_owned(),
                (Some(value), 'd') => {
                    signed(value < 0, grouped(value.unsigned_abs().to_string(), flags), flags)
                }
                (Some(value), 'x') => format!("{value:x}"),
                (Some(value), _) => format!("{value:X}"),
            },
            Self::Texts(cells) => {
                let Some(text) = cells.get(row).and_then(Option::as_deref) else { return "null".to_owned() };
                match letter {
                    'f' => number(text, precision.unwrap_or(6), flags),
                    'S' => text.to_uppercase(),
                    _ => text.chars().take(precision.map_or(usize::MAX, usize::from)).collect(),
                }
            }
        }
    }
}

/// A number with `precision` digits after the point, rounding halves away from zero.
fn number(text: &str, precision: u8, flags: &str) -> String {
    let shown = match decimal::parse(text, decimal::DIGITS_MAX, precision).flatten() {
        Some(value) => wide::show(value, precision),
        None => text
            .parse::<f64>()
            .map_or_else(|_| text.to_owned(), |value| format!("{value:.*}", usize::from(precision))),
    };
    let (negative, digits) = shown.strip_prefix('-').map_or((false, shown.as_str()), |digits| (true, digits));
    let (whole, fraction) =
        digits.split_once('.').map_or((digits, None), |(whole, fraction)| (whole, Some(fraction)));
    let whole = grouped(whole.to_owned(), flags);
    signed(negative, fraction.map_or(whole.clone(), |fraction| format!("{whole}.{fraction}")), flags)
}

fn signed(negative: bool, digits: String, flags: &str) -> String {
    match negative {
        true if flags.contains('(') => format!("({digits})"),
        true => format!("-{digits}"),
        false if flags.contains('+') => format!("+{digits}"),
        false if flags.contains(' ') => format!(" {digits}"),
        false => digits,
    }
}

/// Adds thousands separators, `1,234,567`, if the flags ask for them.
fn grouped(digits: String, flags: &str) -> String {
    if !flags.contains(',') {
        return digits;
    }
    let comma = |at: usize| at > 0 && (digits.len() - at).is_multiple_of(3);
    digits.char_indices().fold(String::new(), |mut out, (at, digit)| {
        if comma(at) {
            out.push(',');
        }
        out.push(digit);
        out
    })
}

fn padded(text: String, flags: &str, width: usize) -> String {
    let missing = width.saturating_sub(text.chars().count());
    match text.strip_prefix(['-', '+']) {
        _ if missing == 0 => text,
        _ if flags.contains('-') => text + &" ".repeat(missing),
        Some(digits) if flags.contains('0') => {
            format!("{}{}{digits}", text.get(..1).unwrap_or_default(), "0".repeat(missing))
        }
        _ if flags.contains('0') => "0".repeat(missing) + &text,
        _ => " ".repeat(missing) + &text,
    }
}
