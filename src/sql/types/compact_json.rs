//! JSON in the form in which Trino writes it.

use serde_json::value::RawValue;

use super::json::json_string;
use crate::tables::builder::{elements_of, members_of};

/// Depth and length up to which JSON is rewritten; hostile records may have more, and stay as they are.
const DEPTH_MAX: usize = 64;

const LENGTH_MAX: usize = 10_000;

/// Rewrites JSON as Trino does: without white space, and for `json_parse` with members sorted by name.
pub(in crate::sql) fn compact(value: &RawValue, sorted: bool) -> String {
    compact_at(value, sorted, DEPTH_MAX)
}

/// JSON as `json_parse` gives it, in a form in which equal values have equal texts.
pub(in crate::sql) fn canonical(text: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(text).ok()?;
    Some(compact(value, true))
}

fn compact_at(value: &RawValue, sorted: bool, depth: usize) -> String {
    let (json, below) = (value.get(), depth.saturating_sub(1));
    match json.chars().next() {
        Some('{') if depth > 0 => {
            let mut members = members_of(value).unwrap_or_default();
            if members.len() > LENGTH_MAX {
                return json.to_owned();
            }
            if sorted {
                members.sort_by(|(a, _), (b, _)| a.cmp(b));
            }
            let members = members
                .iter()
                .map(|(name, value)| format!("{}:{}", json_string(name), compact_at(value, sorted, below)));
            format!("{{{}}}", members.collect::<Vec<_>>().join(","))
        }
        Some('[') if depth > 0 => {
            let elements = elements_of(value).unwrap_or_default();
            if elements.len() > LENGTH_MAX {
                return json.to_owned();
            }
            let elements = elements.into_iter().map(|value| compact_at(value, sorted, below));
            format!("[{}]", elements.collect::<Vec<_>>().join(","))
        }
        _ => json.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_too_deep_or_too_long_stays_as_it_is() {
        let compacted = |json: &str| compact(serde_json::from_str(json).unwrap(), true);
        let deep = format!("{}1{}", "[ ".repeat(100_000), " ]".repeat(100_000));
        assert!(compacted(&deep).starts_with(&format!("{}[ ", "[".repeat(DEPTH_MAX))));
        let long = format!("[{}]", vec!["1"; 20_000].join(", "));
        assert_eq!(compacted(&long), long);
        assert_eq!(compacted(r#"{"b": "\u00e9 ", "a": [1.50, null]}"#), r#"{"a":[1.50,null],"b":"\u00e9 "}"#);
    }
}
