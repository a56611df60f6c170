//! Regular expressions in Java's notation, as Athena takes them.
//!
//! Nearly all are run in linear time. Only those that look ahead or behind, that refer to a group, or that do not
//! give back what they have taken need backtracking; its steps are limited.

use std::borrow::Cow;
use std::ops::Range;

use regex::{Regex, RegexBuilder};

use crate::sql::error::{Result, SqlError};

/// Largest compiled pattern, in bytes.
pub(super) const PATTERN_BYTES_MAX: usize = 4 << 20;

/// How often the search in one text may go back.
const STEPS_MAX: usize = 1_000_000;

#[derive(Debug, Clone)]
pub(in crate::sql) enum Pattern {
    Linear(Regex),
    Backtracking(Box<fancy_regex::Regex>),
}

/// Where the whole match and its groups are; a group may be missing.
pub(in crate::sql) type Found = Vec<Option<Range<usize>>>;

impl Pattern {
    /// # Errors
    /// The text is no regular expression.
    pub fn new(pattern: &str) -> Result<Self> {
        let translated = translated(pattern);
        let linear = RegexBuilder::new(&translated).size_limit(PATTERN_BYTES_MAX).build();
        match linear {
            Ok(linear) if !is_possessive(&translated) => Ok(Self::Linear(linear)),
            linear => {
                let built = fancy_regex::RegexBuilder::new(&translated)
                    .backtrack_limit(STEPS_MAX)
                    .delegate_size_limit(PATTERN_BYTES_MAX)
                    .build();
                match (built, linear) {
                    (Ok(built), _) => Ok(Self::Backtracking(Box::new(built))),
                    (Err(_), Err(error)) => Err(unreadable(pattern, &error.to_string())),
                    (Err(error), Ok(_)) => Err(unreadable(pattern, &error.to_string())),
                }
            }
        }
    }

    /// # Errors
    /// The search goes back too often, here and below.
    pub fn is_match(&self, text: &str) -> Result<bool> {
        match self {
            Self::Linear(regex) => Ok(regex.is_match(text)),
            Self::Backtracking(regex) => regex.is_match(text).map_err(|_| too_long()),
        }
    }

    /// A group (0: all) of the first match that begins at a place or after it; what is before is seen by `^` and `\b`.
    pub fn first(&self, text: &str, from: usize, group: usize) -> Result<Option<Range<usize>>> {
        match self {
            Self::Linear(regex) if group == 0 => Ok(regex.find_at(text, from).map(|found| found.range())),
            Self::Linear(regex) => {
                Ok(regex.captures_at(text, from).and_then(|found| Some(found.get(group)?.range())))
            }
            Self::Backtracking(regex) => {
                let found = regex.captures_from_pos(text, from).map_err(|_| too_long())?;
                Ok(found.and_then(|found| Some(found.get(group)?.range())))
            }
        }
    }

    /// All matches that do not overlap.
    pub fn all(&self, text: &str) -> Result<Vec<Found>> {
        match self {
            Self::Linear(regex) => Ok(regex
                .captures_iter(text)
                .map(|found| of_groups(found.iter().map(|group| group.map(|group| group.range()))))
                .collect()),
            Self::Backtracking(regex) => regex
                .captures_iter(text)
                .map(|found| {
                    let found = found.map_err(|_| too_long())?;
                    Ok(of_groups(found.iter().map(|group| group.map(|group| group.range()))))
                })
                .collect(),
        }
    }

    /// All matches that do not overlap, without their groups.
    pub fn ranges(&self, text: &str) -> Result<Vec<Range<usize>>> {
        match self {
            Self::Linear(regex) => Ok(regex.find_iter(text).map(|found| found.range()).collect()),
            Self::Backtracking(_) => Ok(self
                .all(text)?
                .into_iter()
                .filter_map(|found| found.into_iter().next().flatten())
                .collect()),
        }
    }

    /// The text with another one in place of each match, in which `${1}` is a group.
    pub fn replaced(&self, text: &str, with: &str) -> Result<String> {
        match self {
            Self::Linear(regex) => Ok(regex.replace_all(text, with).into_owned()),
            Self::Backtracking(regex) => {
                regex.try_replacen(text, 0, with).map(Cow::into_owned).map_err(|_| too_long())
            }
        }
    }

    /// The number of groups, the whole match among them.
    pub fn groups(&self) -> usize {
        match self {
            Self::Linear(regex) => regex.captures_len(),
            Self::Backtracking(regex) => regex.captures_len(),
        }
    }

    /// Whether there is a group with this number or name.
    pub fn has_group(&self, name: &str) -> bool {
        if let Ok(number) = name.parse::<usize>() {
            return number < self.groups();
        }
        match self {
            Self::Linear(regex) => regex.capture_names().flatten().any(|known| known == name),
            Self::Backtracking(regex) => regex.capture_names().flatten().any(|known| known == name),
        }
    }
}

fn of_groups(groups: impl Iterator<Item = Option<Range<usize>>>) -> Found {
    groups.collect()
}

fn too_long() -> SqlError {
    SqlError::value(
        "the search for the regular expression takes too many steps in one text; write it without look-around, \
         references to groups and possessive repetition",
    )
}

/// The last line of what the parser says is the reason.
fn unreadable(pattern: &str, said: &str) -> SqlError {
    let reason = said.lines().last().unwrap_or(said).trim();
    let reason = reason.strip_prefix("error: ").unwrap_or(reason);
    let shown: String = pattern.chars().take(80).collect();
    SqlError::new(format!("'{shown}' is no regular expression: {reason}"))
}

/// White space in a line, as `\h` means it.
const BLANKS: &str = r"\t \x{A0}\x{1680}\x{180E}\x{2000}-\x{200A}\x{202F}\x{205F}\x{3000}";

/// What Java has and the parser has not: `\Q…\E`, `\h`, `\R`, `\Z`, `\e` and POSIX classes.
fn translated(pattern: &str) -> Cow<'_, str> {
    if !pattern.contains('\\') {
        return Cow::Borrowed(pattern);
    }
    let (mut out, mut rest, mut depth) = (String::new(), pattern, 0_usize);
    while let Some(sign) = rest.chars().next() {
        let after = rest.get(sign.len_utf8()..).unwrap_or_default();
        if sign != '\\' {
            match sign {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                _ => {}
            }
            out.push(sign);
            rest = after;
            continue;
        }
        let Some(letter) = after.chars().next() else {
            out.push(sign);
            break;
        };
        rest = after.get(letter.len_utf8()..).unwrap_or_default();
        let is_in_class = depth > 0;
        match letter {
            'Q' => {
                let (quoted, beyond) = rest.split_once("\\E").unwrap_or((rest, ""));
                out.push_str(&regex::escape(quoted));
                rest = beyond;
            }
            'E' => {}
            'h' if is_in_class => out.push_str(BLANKS),
            'h' => out.push_str(&format!("[{BLANKS}]")),
            'H' if !is_in_class => out.push_str(&format!("[^{BLANKS}]")),
            'R' if !is_in_class => out.push_str(r"(?:\r\n|[\n\x0B\f\r\x{85}\x{2028}\x{2029}])"),
            'Z' if !is_in_class => out.push_str(r"\n?\z"),
            'e' => out.push_str(r"\x1B"),
            'p' | 'P' => match posix(rest) {
                Some((name, beyond)) => {
                    let class = format!("[:{}{name}:]", if letter == 'P' { "^" } else { "" });
                    out.push_str(&if is_in_class { class } else { format!("[{class}]") });
                    rest = beyond;
                }
                None => out.extend(['\\', letter]),
            },
            _ => out.extend(['\\', letter]),
        }
    }
    Cow::Owned(out)
}

/// `{Punct}` at the beginning of a text, and what follows.
fn posix(rest: &str) -> Option<(&'static str, &str)> {
    const CLASSES: [(&str, &str); 13] = [
        ("{Lower}", "lower"),
        ("{Upper}", "upper"),
        ("{ASCII}", "ascii"),
        ("{Alpha}", "alpha"),
        ("{Digit}", "digit"),
        ("{Alnum}", "alnum"),
        ("{Punct}", "punct"),
        ("{Graph}", "graph"),
        ("{Print}", "print"),
        ("{Blank}", "blank"),
        ("{Cntrl}", "cntrl"),
        ("{XDigit}", "xdigit"),
        ("{Space}", "space"),
    ];
    CLASSES.into_iter().find_map(|(written, name)| Some((name, rest.strip_prefix(written)?)))
}

/// Whether a repetition is followed by `+`: it does not give back what it has taken.
fn is_possessive(pattern: &str) -> bool {
    let (mut before, mut is_escaped, mut depth) = (' ', false, 0_usize);
    for sign in pattern.chars() {
        if is_escaped {
            (is_escaped, before) = (false, ' ');
            continue;
        }
        match sign {
            '\\' => is_escaped = true,
            '[' => depth += 1,
            ']' => depth = depth.saturating_sub(1),
            '+' if depth == 0 && matches!(before, '+' | '*' | '?' | '}') => return true,
            _ => {}
        }
        before = if depth == 0 { sign } else { ' ' };
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_java_has_besides() {
        let is = |pattern: &str, text: &str| Pattern::new(pattern).unwrap().is_match(text).unwrap();
        assert!(is(r"^\Qa.b\E$", "a.b") && !is(r"^\Qa.b\E$", "axb"));
        assert!(is(r"\Q(open", "x(open"));
        assert!(is(r"^[\Q.\E]$", ".") && !is(r"^[\Q.\E]$", "x"));
        assert!(is(r"a\hb", "a\u{a0}b") && is(r"a[\h,]b", "a\tb") && !is(r"a\Hb", "a b"));
        assert!(is(r"a\Rb", "a\r\nb"));
        assert!(is(r"a\Z", "a\n") && is(r"a\Z", "a") && !is(r"a\Z", "a\nb"));
        assert!(is(r"^\p{Punct}+$", "$+<") && is(r"^[\p{Alpha}_]+$", "a_") && !is(r"\p{Alpha}", "é"));
        assert!(is(r"\\Qa", r"\Qa"));
    }

    #[test]
    fn looking_around_referring_and_keeping() {
        let is = |pattern: &str, text: &str| {
            let pattern = Pattern::new(pattern).unwrap();
            assert!(matches!(pattern, Pattern::Backtracking(_)));
            pattern.is_match(text).unwrap()
        };
        assert!(is("^(?!.*admin).*$", "user/bob") && !is("^(?!.*admin).*$", "role/admin"));
        assert!(is("(?<=user/)bob", "user/bob") && !is("(?<!user/)bob", "user/bob"));
        assert!(is(r"^(\w+)-\1$", "ab-ab") && !is(r"^(\w+)-\1$", "ab-ba"));
        assert!(!is("a++a", "aaa") && !is("(?>a+)a", "aaa") && is("a*+b", "aab"));
        assert!(matches!(Pattern::new(r"a\++|[+*]+").unwrap(), Pattern::Linear(_)));
    }

    #[test]
    fn a_search_that_goes_back_too_often_is_an_error() {
        let pattern = Pattern::new(r"^(a|a|aa)+\1$").unwrap();
        let error = pattern.is_match(&format!("{}b", "a".repeat(60))).unwrap_err();
        assert!(error.by_value && error.message.contains("too many steps"), "{error}");
        let error = Pattern::new("a(").unwrap_err();
        assert_eq!(error.message, "'a(' is no regular expression: unclosed group");
    }
}
