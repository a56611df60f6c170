//! The cursor against serde_json: both must agree on what is JSON and where it ends.

use proptest::prelude::*;
use serde::de::IgnoredAny;

use super::*;

fn serde_end(text: &[u8]) -> Option<usize> {
    let mut stream = serde_json::Deserializer::from_slice(text).into_iter::<IgnoredAny>();
    stream.next()?.ok()?;
    Some(stream.byte_offset())
}

/// serde_json requires a delimiter after a bare scalar, so the value is put into an array.
fn agree(text: &[u8]) {
    let wrapped = [b"[", text, b"]"].concat();
    assert_eq!(skip_value(&wrapped, 0).ok(), serde_end(&wrapped), "{}", String::from_utf8_lossy(&wrapped));
}

#[test]
fn agrees_with_serde_json_on_odd_texts() {
    for text in [
        "",
        "1",
        "-",
        "-0",
        "01",
        "1.",
        "1.5",
        "1e",
        "1e+5",
        "1E-0",
        ".5",
        "+1",
        "tru",
        "true",
        "nul",
        "null",
        "\"",
        "\"a",
        "\"a\"",
        "\"\\\"",
        "\"\\\"\"",
        "\"\\u12\"",
        "\"\\u12fG\"",
        "\"\\u12fA\"",
        "\"\\x\"",
        "\"\t\"",
        "\"\u{7f}é\"",
        "{}",
        "{ }",
        "{\"a\"}",
        "{\"a\":}",
        "{\"a\":1,}",
        "{\"a\":1,\"b\":[1,2,{}]}",
        "[1,]",
        "[,1]",
        "[1 2]",
        "{]",
        "[}",
        "{1:2}",
        "{\"a\" : 1 , \"b\" : \"x\"}",
        "\n[\r1\t]\n",
        "1,2",
    ] {
        agree(text.as_bytes());
    }
}

#[test]
fn depth_is_limited_as_in_serde_json() {
    for depth in [1, 126, 127, 128, 129, 5000] {
        let text = format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        let parsed: Result<serde_json::Value, _> = serde_json::from_str(&text);
        assert_eq!(skip_value(text.as_bytes(), 0).is_ok(), parsed.is_ok(), "{depth}");
    }
}

#[test]
fn a_cut_text_is_told_from_a_wrong_one() {
    let text = br#"{"a":[1,"b\u00e9",true,{"c":null}],"d":-1.5e3}"#;
    assert_eq!(skip_value(text, 0), Ok(text.len()));
    for end in 0..text.len() {
        let fault = skip_value(&text[..end], 0).expect_err("cut");
        assert!(fault.is_cut() && fault.offset == end, "{end}: {fault:?}");
    }
    assert!(!skip_value(b"[1}", 0).expect_err("wrong").is_cut());
}

#[test]
fn brackets_alone_find_the_end_of_a_broken_object() {
    let text = br#"{"a":tru,"b":"}\"]","c":[1,,]} rest"#;
    assert_eq!(skip_brackets(text, 0, Strings::WithinLines), Some(text.len() - 5));
    assert_eq!(skip_brackets(b"{\"a\":\"\n\"}", 0, Strings::WithinLines), None);
    assert_eq!(skip_brackets(b"{\"a\":\"\n\"}", 0, Strings::OverLines), Some(9));
    assert_eq!(skip_brackets(b"{\"a\":[}", 0, Strings::WithinLines), None);
}

proptest! {
    #[test]
    fn agrees_with_serde_json_on_near_json(text in r#"[\[\]{}:,"\\a1 tuefn.\-\n]{0,24}"#) {
        agree(text.as_bytes());
    }

    #[test]
    fn any_string_comes_back(text in any::<String>()) {
        let json = serde_json::to_string(&text).expect("json");
        prop_assert_eq!(skip_string(json.as_bytes(), 0), Ok(json.len()));
        let mut out = Vec::new();
        unescape(&json.as_bytes()[1..json.len() - 1], &mut out).expect("sound");
        prop_assert_eq!(out, text.as_bytes());
    }

    #[test]
    fn a_run_ends_where_a_byte_by_byte_search_says(text in proptest::collection::vec(any::<u8>(), 0..40)) {
        let slow = text.iter().position(|&byte| byte == b'"' || byte == b'\\' || byte < 0x20).unwrap_or(text.len());
        prop_assert_eq!(plain_run(&text), slow);
    }
}
