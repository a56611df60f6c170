//! `LIKE … ESCAPE`, `ILIKE`, `RLIKE`.

use memchr::memmem::Finder;
use regex::{Regex, RegexBuilder};

use super::pattern::{PATTERN_BYTES_MAX, Pattern};
use super::{partition, predicate};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::values::Values;
use crate::tables::Kind;

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

/// A part of a `LIKE` pattern.
enum Piece {
    Text(String),
    AnyText,
    AnyChar,
}

fn pieces(pattern: &str, escape: Option<char>) -> Result<Vec<Piece>> {
    let mut pieces = Vec::new();
    let mut chars = pattern.chars();
    while let Some(char) = chars.next() {
        let char = match char {
            _ if Some(char) == escape => {
                chars.next().ok_or_else(|| SqlError::new("the pattern ends with its escape character"))?
            }
            '%' => {
                pieces.push(Piece::AnyText);
                continue;
            }
            '_' => {
                pieces.push(Piece::AnyChar);
                continue;
            }
            other => other,
        };
        match pieces.last_mut() {
            Some(Piece::Text(text)) => text.push(char),
            _ => pieces.push(Piece::Text(char.to_string())),
        }
    }
    Ok(pieces)
}

/// A compiled `LIKE` pattern. The common forms need no regular expression.
enum Matcher {
    Equal(String),
    /// Texts with any text between them: the first begins the text, and the last ends it.
    Texts {
        first: String,
        between: Vec<Finder<'static>>,
        last: String,
    },
    Regex(Regex),
}

impl Matcher {
    fn new(pattern: &str, escape: Option<char>, any_case: bool) -> Result<Self> {
        let pieces = pieces(pattern, escape)?;
        if any_case || pieces.iter().any(|piece| matches!(piece, Piece::AnyChar)) {
            return Self::regex(&pieces, any_case);
        }
        let mut texts = vec![String::new()];
        for piece in pieces {
            match piece {
                Piece::Text(text) => texts.last_mut().into_iter().for_each(|last| last.push_str(&text)),
                Piece::AnyText | Piece::AnyChar => texts.push(String::new()),
            }
        }
        let last = texts.pop().unwrap_or_default();
        let mut texts = texts.into_iter();
        let Some(first) = texts.next() else { return Ok(Self::Equal(last)) };
        let between = texts.filter(|text| !text.is_empty()).map(|text| Finder::new(&text).into_owned());
        Ok(Self::Texts { first, between: between.collect(), last })
    }

    fn regex(pieces: &[Piece], any_case: bool) -> Result<Self> {
        let mut regex = String::from("^");
        for piece in pieces {
            match piece {
                Piece::Text(text) => regex.push_str(&regex::escape(text)),
                Piece::AnyText => regex.push_str(".*"),
                Piece::AnyChar => regex.push('.'),
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
            Self::Texts { first, between, last } => {
                // Comparing nothing takes longer than looking for something.
                let mut rest = text.as_bytes();
                if !first.is_empty() {
                    let Some(after) = rest.strip_prefix(first.as_bytes()) else { return false };
                    rest = after;
                }
                if !last.is_empty() {
                    let Some(before) = rest.strip_suffix(last.as_bytes()) else { return false };
                    rest = before;
                }
                between.iter().all(|finder| {
                    let after = finder.find(rest).and_then(|at| rest.get(at + finder.needle().len()..));
                    rest = after.unwrap_or_default();
                    after.is_some()
                })
            }
            Self::Regex(regex) => regex.is_match(text),
        }
    }
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
    let regex = Pattern::new(&pattern)?;
    let values = scope.value(value)?;
    let texts = values.texts()?;
    Values::build(Kind::Boolean, scope.height(), values.constant, |row| {
        texts.get(row).map(|text| regex.is_match(text).map(|matches| matches != negated)).transpose()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_matched_as_by_a_regular_expression() {
        let patterns = [
            "", "%", "a", "a%", "%a", "%a%", "a%a", "%ab%ab%", "ab%ab", "%%", "a%b%c", "%b%c%", "ü%", "%ü",
            "a%%b", "aba%aba",
        ];
        let texts = [
            "", "a", "aa", "ab", "abab", "ababab", "a b c", "abc", "bc", "ü", "über", "aüa", "a\nb", "aba",
            "ababa", "%",
        ];
        for pattern in patterns {
            let (matcher, pieces) =
                (Matcher::new(pattern, None, false).unwrap(), pieces(pattern, None).unwrap());
            assert!(!matches!(matcher, Matcher::Regex(_)));
            let regex = Matcher::regex(&pieces, false).unwrap();
            for text in texts {
                assert_eq!(matcher.matches(text), regex.matches(text), "{pattern} {text}");
            }
        }
    }

    #[test]
    fn an_escaped_character_stands_for_itself() {
        let matches =
            |pattern: &str, text: &str| Matcher::new(pattern, Some('#'), false).unwrap().matches(text);
        assert!(matches("%50#%%", "at 50% of"));
        assert!(!matches("%50#%%", "at 500 of"));
        assert!(matches("a#_b", "a_b") && !matches("a#_b", "axb"));
        assert!(matches("a_#%", "ax%") && !matches("a_#%", "axy"));
        assert!(matches("##", "#"));
        assert!(Matcher::new("a#", Some('#'), false).is_err());
    }
}
