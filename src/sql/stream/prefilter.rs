//! A prefilter on a record's text, which rules out most records that a query cannot need before they are
//! parsed.
//!
//! A record whose `eventName` is `PutImage` contains the text `"PutImage"`, with its quotes, whatever its
//! spacing and the position of the key, unless one of the letters is written as an escape such as `\u0050`.
//! So a record with neither that text nor any such escape has another name. The opposite does not follow:
//! records that pass are parsed and then compared.

use memchr::memmem::Finder;

/// With more names than this, records are parsed instead.
const NAMES_MAX: usize = 16;

/// Searches for a set of event names.
pub(in crate::sql) struct Prefilter {
    names: Vec<Finder<'static>>,
    escape: Finder<'static>,
}

impl Prefilter {
    /// `None` if a record's text cannot rule out these names.
    pub fn at(names: Option<&[String]>) -> Option<Self> {
        let names = names
            .filter(|names| names.len() <= NAMES_MAX && names.iter().all(|name| has_one_spelling(name)))?;
        let names =
            names.iter().map(|name| Finder::new(format!("\"{name}\"").as_bytes()).into_owned()).collect();
        Some(Self { names, escape: Finder::new(b"\\u") })
    }

    /// Whether the record may have one of the names.
    pub fn admits(&self, json: &str) -> bool {
        let text = json.as_bytes();
        self.names.iter().any(|name| name.find(text).is_some()) || self.escape.find(text).is_some()
    }
}

/// Whether JSON can write the name's characters only as themselves or as numeric escapes.
fn has_one_spelling(name: &str) -> bool {
    name.chars().all(|letter| !letter.is_control() && !matches!(letter, '"' | '\\' | '/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admits(json: &str) -> bool {
        Prefilter::at(Some(&["PutImage".to_owned(), "BatchDeleteImage".to_owned()])).unwrap().admits(json)
    }

    #[test]
    fn every_spelling_of_a_wanted_name_is_admitted() {
        for json in [
            r#"{"eventSource":"ecr.amazonaws.com","eventName":"PutImage"}"#,
            "{\"eventName\" :\n\t\"BatchDeleteImage\"}",
            r#"{"eventname":"PutImage"}"#,
            r#"{"event\u004eame":"PutImage"}"#,
            r#"{"eventName":"\u0050utImage"}"#,
            r#"{"eventName":"Put\u0049mage"}"#,
            r#"{"requestParameters":{"eventName":"x"},"eventName":"PutImage"}"#,
            // Another name, but only a parser can tell.
            r#"{"eventName":"ListUsers","userAgent":"PutImage"}"#,
        ] {
            assert!(admits(json), "{json}");
        }
    }

    #[test]
    fn other_names_are_not() {
        for json in [
            r#"{"eventName":"PutImageTagMutability"}"#,
            r#"{"eventName":"BatchGetImage","requestParameters":{"a":"x\\PutImage\n"}}"#,
        ] {
            assert!(!admits(json), "{json}");
        }
    }

    #[test]
    fn names_that_can_be_spelled_in_many_ways_are_left_to_the_parser() {
        for name in ["a/b", "a\"b", "a\\b", "a\nb"] {
            assert!(Prefilter::at(Some(&[name.to_owned()])).is_none(), "{name:?}");
        }
        assert!(Prefilter::at(None).is_none());
        assert!(Prefilter::at(Some(&vec!["x".to_owned(); NAMES_MAX + 1])).is_none());
    }
}
