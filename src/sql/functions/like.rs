//! `LIKE … ESCAPE`, `ILIKE`, `RLIKE`.

use regex::{Regex, RegexBuilder};

use super::{partition, predicate};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// Largest compiled pattern, in bytes.
const PATTERN_BYTES_MAX: usize = 4 << 20;

pub(in crate::sql) fn like(
    scope: &Scope<'_>,
    value: &Expression,
    pattern: &Expression,
    escape: Option<char>,
    negated: bool,
    any_case: bool,
) -> Result<Values> {
    let patterns = scope.value(pattern)?;
    let values = partition::spelt(scope, value, scope.value(value)?, &patterns)?;
    let constant = values.constant && patterns.constant;
    let one = patterns.constant_text().map(|pattern| Matcher::new(&pattern, escape, any_case)).transpose()?;
    let (texts, patterns) = (
        values.texts().map_err(|error| error.at_span(value.span))?,
        patterns.texts().map_err(|error| error.at_span(pattern.span))?,
    );
    let mut last: Option<(String, Matcher)> = None;
    let matches = Values::build(Kind::Boolean, scope.height(), constant, |row| {
        let Some((text, pattern)) = texts.get(row).zip(patterns.get(row)) else { return Ok(None) };
        if let Some(matcher) = &one {
            return Ok(Some(matcher.matches(text)));
        }
        if last.as_ref().is_none_or(|(known, _)| known != pattern) {
            last = Some((pattern.to_owned(), Matcher::new(pattern, escape, any_case)?));
        }
        Ok(last.as_ref().map(|(_, matcher)| matcher.matches(text)))
    })?;
    if negated { predicate::not(&matches) } else { Ok(matches) }
}

/// A compiled `LIKE` pattern. The common simple forms need no regular expression.
enum Matcher {
    Equal(String),
    Starts(String),
    Ends(String),
    Contains(String),
    Regex(Regex),
}

impl Matcher {
    fn new(pattern: &str, escape: Option<char>, any_case: bool) -> Result<Self> {
        if escape.is_none() && !any_case && !pattern.contains('_') {
            let inner = pattern.trim_matches('%');
            if !inner.contains('%') {
                let inner = inner.to_owned();
                return Ok(match (pattern.starts_with('%'), pattern.ends_with('%')) {
                    (true, true) => Self::Contains(inner),
                    (true, false) => Self::Ends(inner),
                    (false, true) => Self::Starts(inner),
                    (false, false) => Self::Equal(inner),
                });
            }
        }
        let mut regex = String::from("^");
        let mut chars = pattern.chars();
        while let Some(char) = chars.next() {
            match char {
                _ if Some(char) == escape => match chars.next() {
                    Some(escaped) => regex.push_str(&regex::escape(&escaped.to_string())),
                    None => return Err(SqlError::new("the pattern ends with its escape character")),
                },
                '%' => regex.push_str(".*"),
                '_' => regex.push('.'),
                other => regex.push_str(&regex::escape(&other.to_string())),
            }
        }
        regex.push('$');
        let built = RegexBuilder::new(&regex)
            .dot_matches_new_line(true)
            .case_insensitive(any_case)
            .size_limit(PATTERN_BYTES_MAX)
            .build();
        built.map(Self::Regex).map_err(|error| SqlError::new(format!("LIKE pattern: {error}")))
    }

    fn matches(&self, text: &str) -> bool {
        match self {
            Self::Equal(wanted) => text == wanted,
            Self::Starts(wanted) => text.starts_with(wanted.as_str()),
            Self::Ends(wanted) => text.ends_with(wanted.as_str()),
            Self::Contains(wanted) => text.contains(wanted.as_str()),
            Self::Regex(regex) => regex.is_match(text),
        }
    }
}

/// Compiles a regular expression of a query.
pub(in crate::sql) fn regex(pattern: &str) -> Result<Regex> {
    let built = RegexBuilder::new(pattern).size_limit(PATTERN_BYTES_MAX).build();
    built.map_err(|error| SqlError::new(format!("regular expression: {error}")))
}

pub(in crate::sql) fn rlike(
    scope: &Scope<'_>,
    value: &Expression,
    pattern: &Expression,
    negated: bool,
) -> Result<Values> {
    let pattern = scope
        .value(pattern)?
        .constant_text()
        .ok_or_else(|| SqlError::new("RLIKE needs a literal pattern"))?;
    let regex = regex(&pattern)?;
    let values = scope.value(value)?;
    let texts = values.texts()?;
    Values::build(Kind::Boolean, scope.height(), values.constant, |row| {
        Ok(texts.get(row).map(|text| regex.is_match(text) != negated))
    })
}
