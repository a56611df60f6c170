//! The fast manifest reader against the full parser: both must say the same.

use proptest::prelude::*;

use super::*;
use crate::recognize::manifest::read_by_tape;
use crate::recognize::parse::Parser;

fn shown(image: Option<ImageDescription<'_>>) -> Option<String> {
    image.map(|image| format!("{image:?}"))
}

/// Whether the fast reader read it; asserts that the full parser says the same.
fn agrees(text: &str) -> bool {
    let found = read(text);
    let is_plain = found.is_some();
    if is_plain {
        assert_eq!(shown(found), shown(read_by_tape(text, &mut Parser::default())), "{text}");
    }
    is_plain
}

fn digest(name: &str) -> String {
    Digest::of_manifest(name).to_string()
}

#[test]
fn plain_manifests_are_read_here() {
    let layer = |name: &str, size: u64| serde_json::json!({"mediaType": "layer", "size": size, "digest": digest(name)});
    let layers: Vec<_> = (0..9).map(|n| layer(&n.to_string(), 1 << (7 * n))).collect();
    let image = serde_json::json!({"schemaVersion": 2, "mediaType": "m", "config": layer("config", 3), "layers": layers});
    let mut index = serde_json::json!({"manifests": layers, "subject": {"digest": digest("s")}, "annotations": {"a": [1.5e3, null, true, "\n"]}});
    for text in [image.to_string(), serde_json::to_string_pretty(&image).unwrap(), format!("\n {index} ")] {
        assert!(agrees(&text), "{text}");
    }
    // Elements with the digest after the size, and elements that differ from the one before them.
    for element in index["manifests"].as_array_mut().unwrap().iter_mut().skip(3).step_by(2) {
        element["platform"] = serde_json::json!({"os": "linux"});
    }
    let text = index.to_string();
    assert!(
        agrees(&text)
            && agrees(&text.replace(r#""digest""#, r#""adigest""#))
            && agrees(&text.replace(r#""size""#, r#""a""#))
    );
}

/// Each element is like the one before it except for one thing.
#[test]
fn an_element_is_like_the_one_before_it_only_if_it_is() {
    let (a, b) = (digest("a"), digest("b"));
    let list = |second: &str| {
        format!(r#"{{"layers":[{{"size":10,"digest":"{a}"}},{second},{{"size":11,"digest":"{a}"}}]}}"#)
    };
    let whole = list(&format!(r#"{{"size":123,"digest":"{b}"}}"#));
    assert!(agrees(&whole));
    let layer = |digest: &String, size| Layer { digest: Digest::parse(digest).unwrap(), size: Some(size) };
    assert_eq!(read(&whole).unwrap().layers, [layer(&a, 10), layer(&b, 123), layer(&a, 11)]);
    for second in [
        format!(r#"{{"size":0,"digest":"{b}"}}"#),
        format!(r#"{{"size":-1,"digest":"{b}"}}"#),
        format!(r#"{{"size":1.5,"digest":"{b}"}}"#),
        format!(r#"{{"size":12345678901234567890123,"digest":"{b}"}}"#),
        format!(r#"{{"size":null,"digest":"{b}"}}"#),
        format!(r#"{{"size":1,"digest":"{}"}}"#, &b[..70]),
        format!(r#"{{"size":1,"digest":"{}g"}}"#, &b[..70]),
        format!(r#"{{"size":1,"digest":"{b}0"}}"#),
        format!(r#"{{"size":1,"digest":"{b}","digest":"{a}"}}"#),
        format!(r#"{{"size":1,"digest":"{b}","digest":7}}"#),
        "{}".to_owned(),
        "7".to_owned(),
        "[]".to_owned(),
        "\"\"".to_owned(),
    ] {
        assert!(agrees(&list(&second)), "{second}");
    }
    for second in [
        format!(r#"{{"size":01,"digest":"{b}"}}"#),
        format!(r#"{{"size":,"digest":"{b}"}}"#),
        format!(r#"{{"size":1"digest":"{b}"}}"#),
        format!(r#"{{"size":1,"digest":"{b}"}}}}"#),
        format!(r#"{{"size":1,"digest":"{b}""#),
        format!(r#"{{"size":1,"digest":"\u0073{}"}}"#, &b[1..]),
        format!(r#"{{"size":1,"\u0064igest":"{b}"}}"#),
    ] {
        assert!(!agrees(&list(&second)), "{second}");
    }
}

#[test]
fn what_is_not_plain_is_left_to_the_tape() {
    let deep = |depth: usize| format!(r#"{{"a":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
    assert!(agrees(&deep(100)));
    for text in
        ["", "[]", "7", "{} {}", "{", r#"{"mediaType":"a\/b"}"#, r#"{"media\u0054ype":"a"}"#, &deep(200)]
    {
        assert!(!agrees(text), "{text}");
    }
}

/// Almost valid JSON with the keys that matter, some of them twice.
fn document() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        4 => proptest::sample::select(&["mediaType", "manifests", "config", "layers", "subject", "digest", "size", "a"][..]).prop_map(str::to_owned),
        1 => Just(r"d\u0069gest".to_owned()),
    ];
    let leaf = prop_oneof![
        6 => proptest::sample::select(&["a", "b", "c"][..]).prop_map(|name| format!("\"{}\"", digest(name))),
        4 => "[1-9][0-9]{0,20}",
        1 => proptest::sample::select(&["null", "true", "01", "-0.5e2", "1e999", r#""""#, r#""\ud83d""#, r#""a\n""#, "\"\u{e9}\"", "[", "x", "\"\t\""][..])
            .prop_map(str::to_owned),
    ];
    let space = || proptest::sample::select(&["", "", "", " ", "\n         ", "\t", "\r\n"][..]);
    leaf.prop_recursive(4, 60, 8, move |inner| {
        let entry = (key.clone(), space(), inner.clone()).prop_map(|(key, space, value)| format!("\"{key}\"{space}:{space}{value}"));
        let joined = |parts: Vec<String>, space: &str| parts.join(&format!("{space},{space}"));
        prop_oneof![
            3 => (proptest::collection::vec(entry, 0..6), space()).prop_map(move |(parts, space)| format!("{{{}{space}}}", joined(parts, space))),
            1 => (inner.clone(), 0_usize..5, space()).prop_map(move |(part, count, space)| format!("[{}]", joined(vec![part; count], space))),
            1 => (proptest::collection::vec(inner, 0..5), space()).prop_map(move |(parts, space)| format!("[{}]", joined(parts, space))),
        ]
    })
}

/// Lists of elements that hardly differ.
fn list() -> impl Strategy<Value = String> {
    let digest = proptest::sample::select(&["a", "b", "c"][..]).prop_map(digest);
    let size = prop_oneof![3 => "[1-9][0-9]{0,9}", 1 => proptest::sample::select(&["0", "00", "-1", "1.0", "1e5", "", "\"1\""][..]).prop_map(str::to_owned)];
    let element = (digest, size, any::<bool>(), 0_usize..8).prop_map(|(digest, size, first, space)| {
        let space = if space == 0 { " " } else { "" };
        if first {
            format!("{{\"digest\":\"{digest}\",{space}\"size\":{size}}}")
        } else {
            format!("{{\"size\":{size},\"digest\":{space}\"{digest}\"}}")
        }
    });
    proptest::collection::vec(element, 0..12)
        .prop_map(|elements| format!("{{\"layers\":[{}]}}", elements.join(",")))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]

    #[test]
    fn any_document_is_read_as_by_the_tape(text in document()) {
        agrees(&text);
    }

    #[test]
    fn lists_are_read_as_by_the_tape(text in list(), at in any::<proptest::sample::Index>(), byte in proptest::sample::select(&b"0a\"\\,:{}[] \
        \x01"[..]), damaged in any::<bool>()) {
        agrees(&text);
        let mut bytes = text.into_bytes();
        if damaged {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        agrees(std::str::from_utf8(&bytes).unwrap());
    }
}
