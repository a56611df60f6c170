//! Partition columns in the spelling of other table definitions.
//!
//! In one definition `dt` is `2026/03/02`, in another `2026-03-02`, and `day` may be the day of the month
//! or the whole date: the files are in the same folders, and only the definition decides how a date is
//! spelt. A query shows the spelling by what it compares the column with, and here the column adopts that
//! spelling. Otherwise such a query would silently find nothing.

use sqlparser::ast::{Expr, Value};

use crate::sql::error::Result;
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The column with the whole date.
pub(in crate::sql) const WHOLE: &str = "timestamp";

/// How a date is spelt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spelling {
    /// `2026/03/02`, or a prefix of it.
    Slashes,
    /// `2026-03-02`, or a prefix of it.
    Dashes,
    /// `20260302`
    Plain,
    /// `02`
    Day,
}

impl Spelling {
    fn of(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let digits = bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
        match (digits, bytes.get(digits)) {
            (4, Some(b'/')) => Some(Self::Slashes),
            (4, Some(b'-')) => Some(Self::Dashes),
            (8, None) => Some(Self::Plain),
            (1 | 2, None) => Some(Self::Day),
            _ => None,
        }
    }

    /// Converts a date in one of the first two spellings to this one.
    fn spell(self, date: &str) -> Option<String> {
        let (year, month, day) = (date.get(0..4)?, date.get(5..7)?, date.get(8..10)?);
        Some(match self {
            Self::Slashes => format!("{year}/{month}/{day}"),
            Self::Dashes => format!("{year}-{month}-{day}"),
            Self::Plain => format!("{year}{month}{day}"),
            Self::Day => day.to_owned(),
        })
    }
}

/// `values` of an expression, in the spelling of `other` if it is a partition's date and `other` is a date in
/// another spelling.
pub(in crate::sql) fn spelt(
    scope: &Scope<'_>,
    expression: &Expression,
    values: Values,
    other: &Values,
) -> Result<Values> {
    if expression.date.is_none() || values.kind != Kind::Varchar {
        return Ok(values);
    }
    match &other.kind {
        Kind::Varchar => {
            let texts = other.texts()?;
            let wanted = (0..other.data.len()).find_map(|row| texts.get(row)).and_then(Spelling::of);
            wanted.map_or(Ok(values.clone()), |wanted| converted(scope, expression, values, wanted))
        }
        Kind::Date | Kind::Timestamp { .. } | Kind::Zoned(_) => whole(scope, expression, values),
        _ => Ok(values),
    }
}

/// `values` of an expression that is used as a date, as in `day >= DATE '2026-03-02'` or `CAST(day AS date)`:
/// there, `day` is a whole date. A date in any spelling can be read as one.
pub(in crate::sql) fn whole(scope: &Scope<'_>, expression: &Expression, values: Values) -> Result<Values> {
    if expression.date.is_none() || values.kind != Kind::Varchar {
        return Ok(values);
    }
    let own = values.texts()?;
    let known = (0..values.data.len()).find_map(|row| own.get(row)).and_then(Spelling::of);
    match known {
        Some(Spelling::Day) => converted(scope, expression, values, Spelling::Dashes),
        _ => Ok(values),
    }
}

fn converted(scope: &Scope<'_>, expression: &Expression, values: Values, wanted: Spelling) -> Result<Values> {
    let Some(date) = &expression.date else { return Ok(values) };
    let own = values.texts()?;
    let known = (0..values.data.len()).find_map(|row| own.get(row)).and_then(Spelling::of);
    if known.is_none_or(|known| known == wanted) {
        return Ok(values);
    }
    let whole = match (known, date.whole) {
        (Some(Spelling::Day), whole) => whole.map(|whole| scope.relation.values(whole)).transpose()?,
        _ => Some(values.clone()),
    };
    let Some(whole) = whole else { return Ok(values) };
    let dates = whole.texts()?;
    Values::build(Kind::Varchar, scope.height(), whole.constant, |row| {
        Ok(dates.get(row).and_then(|date| wanted.spell(date)))
    })
}

/// A column that is needed besides those that a query names: a `day` without year and month may be a whole
/// date. `expressions` calls what it is given with every expression of the query.
pub(in crate::sql) fn also_needed(expressions: impl FnOnce(&mut dyn FnMut(&Expr))) -> Option<&'static str> {
    let (mut has_day, mut has_others) = (false, false);
    // A date stands in the query that has year and month itself.
    let mut has_date = false;
    expressions(&mut |expr| {
        let name = match expr {
            Expr::Identifier(ident) => Some(ident),
            Expr::CompoundIdentifier(parts) => parts.last(),
            _ => None,
        };
        let name = name.map(|ident| ident.value.to_lowercase()).unwrap_or_default();
        has_day |= name == "day";
        has_others |= matches!(name.as_str(), "year" | "month");
        has_date |= match expr {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(text) => {
                    Spelling::of(text).is_some_and(|spelling| spelling != Spelling::Day)
                }
                _ => false,
            },
            Expr::TypedString(_) => true,
            _ => false,
        };
    });
    (has_day && (has_date || !has_others)).then_some(WHOLE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        assert_eq!(Spelling::of("2026/03/02"), Some(Spelling::Slashes));
        assert_eq!(Spelling::of("2026-03"), Some(Spelling::Dashes));
        assert_eq!(Spelling::of("20260302"), Some(Spelling::Plain));
        assert_eq!(Spelling::of("2"), Some(Spelling::Day));
        assert_eq!(Spelling::of("2026"), None);
        assert_eq!(Spelling::of("x"), None);
        assert_eq!(Spelling::Dashes.spell("2026/03/02").as_deref(), Some("2026-03-02"));
        assert_eq!(Spelling::Plain.spell("2026-03-02").as_deref(), Some("20260302"));
        assert_eq!(Spelling::Slashes.spell("short"), None);
    }
}
