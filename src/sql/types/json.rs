//! JSON texts: how a value is written, and read as a text.

use serde_json::value::RawValue;

use crate::tables::builder::text_of;

/// A JSON value as `varchar`: a string without quotes, other values as they are, `null` as NULL.
pub(in crate::sql) fn scalar_text(json: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(json).ok()?;
    text_of(value).map(|text| text.into_owned())
}

pub(in crate::sql) fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Appends a text as a JSON string.
pub(in crate::sql) fn push_json_string(text: &str, out: &mut String) {
    if text.bytes().all(|byte| byte >= b' ' && byte != b'"' && byte != b'\\') {
        out.push('"');
        out.push_str(text);
        out.push('"');
    } else {
        out.push_str(&json_string(text));
    }
}
