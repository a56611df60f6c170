//! JSON text → simd-json's tape, in reused buffers.
//!
//! simd-json refuses some documents that other parsers accept (integers beyond 64 bits), so what it refuses
//! is parsed again by serde_json. What serde_json refuses, too, is mended first: half of a surrogate pair
//! (`"\ud83d"`), which is left when a service cuts a message after a fixed number of characters, and
//! numbers too large for a double.

use std::borrow::Cow;

use simd_json::{Buffers, INPUT_PADDING, Node, StaticNode, Tape};

use super::json::Json;

/// Buffers for parsing one document at a time.
#[derive(Default)]
pub(super) struct Parser {
    /// A copy of the text, because simd-json unescapes strings in place.
    text: Vec<u8>,
    buffers: Buffers,
    /// Empty between documents; kept to reuse its allocation.
    tape: Option<Tape<'static>>,
}

impl Parser {
    /// Parses `text` and passes the root to `then`; an error says where the text stops being JSON.
    pub fn parse<R>(&mut self, text: &str, then: impl FnOnce(Json<'_>) -> R) -> Result<R, String> {
        self.parse_pieces(text, &[text], then)
    }

    /// The same for a document in pieces, which joined mean the same to the caller as `text`, and are JSON
    /// if `text` is.
    pub fn parse_pieces<R>(
        &mut self,
        text: &str,
        pieces: &[&str],
        then: impl FnOnce(Json<'_>) -> R,
    ) -> Result<R, String> {
        self.text.clear();
        pieces.iter().for_each(|piece| self.text.extend_from_slice(piece.as_bytes()));
        let length = self.text.len();
        self.text.resize(length + INPUT_PADDING, b' ');
        let mut tape = self.tape.take().unwrap_or_else(|| Tape(Vec::new())).reset();
        let parsed = simd_json::fill_tape_padded(&mut self.text, length, &mut self.buffers, &mut tape);
        let result = match parsed {
            Ok(()) => Ok(then(Json::new(&tape.0))),
            Err(_) => parse_slowly(text, then),
        };
        self.tape = Some(tape.reset());
        result
    }
}

/// The second attempt, with serde_json; its result is converted to a tape, so that there is only one
/// reader.
fn parse_slowly<R>(text: &str, then: impl FnOnce(Json<'_>) -> R) -> Result<R, String> {
    let value: serde_json::Value = serde_json::from_str(text)
        .or_else(|error| match mend(text) {
            Cow::Owned(mended) => serde_json::from_str(&mended),
            Cow::Borrowed(_) => Err(error),
        })
        .map_err(|error| format!("not JSON: {error}"))?;
    let mut nodes = Vec::new();
    flatten(&value, &mut nodes);
    Ok(then(Json::new(&nodes)))
}

/// Appends `value` to the tape. serde_json limits the depth, and so this recursion.
fn flatten<'v>(value: &'v serde_json::Value, nodes: &mut Vec<Node<'v>>) {
    use serde_json::Value;
    let start = nodes.len();
    match value {
        Value::Null => nodes.push(Node::Static(StaticNode::Null)),
        Value::Bool(truth) => nodes.push(Node::Static(StaticNode::Bool(*truth))),
        Value::Number(number) => nodes.push(Node::Static(static_number(number))),
        Value::String(text) => nodes.push(Node::String(text)),
        Value::Array(items) => {
            nodes.push(Node::Array { len: items.len(), count: 0 });
            items.iter().for_each(|item| flatten(item, nodes));
            nodes[start] = Node::Array { len: items.len(), count: nodes.len() - start - 1 };
        }
        Value::Object(entries) => {
            nodes.push(Node::Object { len: entries.len(), count: 0 });
            for (key, item) in entries {
                nodes.push(Node::String(key));
                flatten(item, nodes);
            }
            nodes[start] = Node::Object { len: entries.len(), count: nodes.len() - start - 1 };
        }
    }
}

fn static_number(number: &serde_json::Number) -> StaticNode {
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => StaticNode::U64(number),
        (None, Some(number)) => StaticNode::I64(number),
        (None, None) => number.as_f64().map_or(StaticNode::Null, StaticNode::F64),
    }
}

/// The text without what serde_json refuses but other parsers accept.
fn mend(text: &str) -> Cow<'_, str> {
    let whole = mend_surrogates(text);
    match mend_numbers(&whole) {
        Cow::Owned(mended) => Cow::Owned(mended),
        Cow::Borrowed(_) => whole,
    }
}

/// Replaces numbers that are too large for a double by `null`: no field that is read has such numbers.
fn mend_numbers(text: &str) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut mended = String::new();
    let (mut kept, mut at) = (0, 0);
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => at = behind_string(bytes, at),
            b'-' | b'0'..=b'9' => {
                let end = at
                    + bytes[at..]
                        .iter()
                        .take_while(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'))
                        .count();
                if text[at..end].parse::<f64>().is_ok_and(f64::is_infinite) {
                    mended.push_str(&text[kept..at]);
                    mended.push_str("null");
                    kept = end;
                }
                at = end;
            }
            _ => at += 1,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[kept..]);
    Cow::Owned(mended)
}

/// The end of the string whose opening quote is at `at`.
fn behind_string(bytes: &[u8], at: usize) -> usize {
    let mut at = at + 1;
    while let Some(&byte) = bytes.get(at) {
        match byte {
            b'"' => return at + 1,
            b'\\' => at += 2,
            _ => at += 1,
        }
    }
    bytes.len()
}

/// Replaces each `\uD800`…`\uDFFF` without its other half by `\uFFFD`.
fn mend_surrogates(text: &str) -> Cow<'_, str> {
    let mut mended = String::new();
    let mut kept = 0;
    let mut at = 0;
    while let Some(found) = memchr::memchr(b'\\', &text.as_bytes()[at..]) {
        let start = at + found;
        match (escaped_unit(text, start), escaped_unit(text, start + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at = start + 12,
            (Some(0xD800..=0xDFFF), _) => {
                mended.push_str(&text[kept..start]);
                mended.push_str("\\ufffd");
                at = start + 6;
                kept = at;
            }
            (Some(_), _) => at = start + 6,
            // Another escape: the second backslash of `\\` does not begin an escape.
            (None, _) => at = (start + 2).min(text.len()),
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    mended.push_str(&text[kept..]);
    Cow::Owned(mended)
}

/// The UTF-16 unit of the escape `\uXXXX` at byte `at`.
fn escaped_unit(text: &str, at: usize) -> Option<u16> {
    let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
    u16::from_str_radix(digits, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text_at(document: &str, key: &str) -> Option<String> {
        Parser::default().parse(document, |root| root.text(key).map(str::to_owned)).unwrap()
    }

    #[test]
    fn a_number_beyond_64_bits_does_not_lose_the_record() {
        let document = r#"{"eventName": "PutImage", "originalSize": 123456789012345678901234567890}"#;
        assert_eq!(text_at(document, "eventName").as_deref(), Some("PutImage"));
    }

    #[test]
    fn a_number_beyond_a_double_does_not_lose_the_record_either() {
        let long = "9".repeat(400);
        let document = format!(
            r#"{{"a": 1e999999, "b": [-1E+400, {long}], "eventName": "Put\"1e999", "c": 1e5, "cut": "so\ud83d"}}"#
        );
        assert_eq!(text_at(&document, "eventName").as_deref(), Some("Put\"1e999"));
        assert_eq!(Parser::default().parse(&document, |root| root.get("a").is_something()), Ok(false));
        assert!(
            Parser::default().parse(r#"{"a": 1e999999, "b": 1e}"#, |_| ()).is_err(),
            "what is no JSON stays none"
        );
    }

    #[test]
    fn half_a_surrogate_pair_is_mended_and_a_whole_one_kept() {
        let document = r#"{"cut": "so\ud83d", "whole": "\ud83d\ude80", "slash": "\\ud83d"}"#;
        assert_eq!(text_at(document, "cut").as_deref(), Some("so\u{fffd}"));
        assert_eq!(text_at(document, "whole").as_deref(), Some("\u{1f680}"));
        assert_eq!(text_at(document, "slash").as_deref(), Some("\\ud83d"));
    }

    #[test]
    fn both_parsers_give_the_same_view() {
        let document =
            r#"{"a": [1, -2, 3.5, true, null, {"b": []}, {}], "c": {"d": "e\n"}, "f": 18446744073709551615}"#;
        let fast = Parser::default().parse(document, |root| format!("{root:?}")).unwrap();
        let slow = parse_slowly(document, |root| format!("{root:?}")).unwrap();
        assert_eq!(fast, slow);
    }

    #[test]
    fn a_parser_survives_its_errors() {
        let mut parser = Parser::default();
        assert!(parser.parse("{\"a\": ", |_| ()).is_err());
        assert_eq!(parser.parse("{\"a\": 7}", |root| root.get("a").as_integer()), Ok(Some(7)));
    }
}
