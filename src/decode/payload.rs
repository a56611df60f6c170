//! What stands inside of a request, a response and the details of an event of a service of images, as other tools
//! write it: names in another case, one element or a text where CloudTrail has a list.

use std::ops::Range;

use super::form::Form;
use super::json::{skip_value, value_behind};
use super::listed::{bare, elements, members};
use super::names::{LISTS, is_list_of_texts, is_named_inside, respelled_inside};
use super::repair::{embedded, has_own_name, keys, string};
use crate::model::Repairs;

/// Members that are objects, or texts in which there is no JSON.
const OBJECTS: [&str; 7] = [
    "image",
    "imageId",
    "repository",
    "lifecycleEventImage",
    "lifecycleEventPolicy",
    "lifecycleEventSelection",
    "containerProperties",
];

/// Whether a payload is in another form.
pub(super) fn is_odd(json: &str) -> bool {
    let text = json.as_bytes();
    let keys = keys(text);
    let has_odd_value = |key: &Range<usize>| {
        text.get(key.clone())
            .is_some_and(|name| is_odd_value(name, Form::of(value_behind(text, key.end + 1))))
    };
    keys.iter().any(has_odd_value) || has_other_spellings(json, &keys)
}

/// Whether names are in another case, and none is CloudTrail's own: where one is, the others are somebody's labels.
fn has_other_spellings(json: &str, keys: &[Range<usize>]) -> bool {
    let mut names = keys.iter().filter_map(|key| json.get(key.clone()));
    !has_own_name(json, keys) && names.any(|name| is_other_spelling(name.as_bytes()))
}

/// Whether a member's value is no list and no object although CloudTrail has one there.
pub(super) fn is_odd_value(name: &[u8], form: Form) -> bool {
    match form {
        Form::JsonText | Form::BlankText => is_one_of(&LISTS, name) || is_one_of(&OBJECTS, name),
        Form::Object | Form::ListOfObjectTexts => is_one_of(&LISTS, name),
        form => form.is_text() && is_one_of(&LISTS, name),
    }
}

fn is_one_of(known: &[&str], name: &[u8]) -> bool {
    known.iter().any(|known| known.as_bytes() == name)
}

/// Whether a name is that of a member inside in another case.
pub(super) fn is_other_spelling(name: &[u8]) -> bool {
    !is_named_inside(name) && respelled_inside(name).is_some()
}

/// The payload as CloudTrail writes it, and what was changed.
pub(super) fn mended(json: &str) -> (String, Repairs) {
    let renames = has_other_spellings(json, &keys(json.as_bytes()));
    let mut mending =
        Mending { renames, repairs: Repairs::default(), out: String::with_capacity(json.len()) };
    mending.value("", json);
    (mending.out, mending.repairs)
}

struct Mending {
    renames: bool,
    repairs: Repairs,
    out: String,
}

impl Mending {
    /// Writes the value of the member `name`.
    fn value(&mut self, name: &str, raw: &str) {
        let is_list = LISTS.contains(&name);
        match raw.as_bytes().first() {
            Some(b'{') if is_list => {
                self.repairs.list = 1;
                self.elements(name, &places(raw).unwrap_or_else(|| vec![raw]));
            }
            Some(b'{') => self.object(raw),
            Some(b'[') => match elements(raw) {
                Some(all) => self.elements(name, &all),
                None => self.out.push_str(raw),
            },
            Some(b'"') if is_list => self.list_in_text(name, raw),
            Some(b'"') if OBJECTS.contains(&name) => {
                match string(raw).and_then(|text| embedded(&text)).filter(|json| json.starts_with('{')) {
                    Some(json) => {
                        self.repairs.json_text = 1;
                        self.object(&json);
                    }
                    None => self.out.push_str(raw),
                }
            }
            _ => self.out.push_str(raw),
        }
    }

    fn object(&mut self, raw: &str) {
        let Some(members) = members(raw) else { return self.out.push_str(raw) };
        self.out.push('{');
        for (at, (name, value)) in members.into_iter().enumerate() {
            let written = bare(name);
            let name = match respelled_inside(written.as_bytes()) {
                Some(name) if self.renames && !is_named_inside(written.as_bytes()) => {
                    self.repairs.key = 1;
                    name
                }
                _ => written,
            };
            self.out.push_str(if at > 0 { ",\"" } else { "\"" });
            self.out.push_str(name);
            self.out.push_str("\":");
            self.value(name, value);
        }
        self.out.push('}');
    }

    /// Writes a list of these elements; `name` is that of the member.
    fn elements(&mut self, name: &str, all: &[&str]) {
        self.out.push('[');
        for (at, element) in all.iter().enumerate() {
            if at > 0 {
                self.out.push(',');
            }
            match element.as_bytes().first() {
                // An element of a list of objects that has become a text.
                Some(b'"') if LISTS.contains(&name) && !is_list_of_texts(name) => {
                    match string(element).and_then(|text| embedded(&text)) {
                        Some(json) => {
                            self.repairs.json_text = 1;
                            self.value("", &json);
                        }
                        None => self.out.push_str(element),
                    }
                }
                _ => self.value("", element),
            }
        }
        self.out.push(']');
    }

    /// Writes the list that a text holds: as JSON, or with commas between its elements. No tag has a comma in it.
    fn list_in_text(&mut self, name: &str, raw: &str) {
        let Some(text) = string(raw) else { return self.out.push_str(raw) };
        let is_json = |json: &String| skip_value(json.as_bytes(), 0).is_ok_and(|end| end == json.len());
        let whole = embedded(&text)
            .map(|json| if json == "null" { "[]".to_owned() } else { json })
            .or_else(|| Some(format!("[{text}]")).filter(|_| !is_list_of_texts(name)).filter(is_json));
        match whole {
            Some(json) if json.starts_with(['{', '[']) => {
                self.repairs.json_text = 1;
                self.value(name, &json);
            }
            _ if is_list_of_texts(name) => {
                self.repairs.list = 1;
                let texts: Vec<&str> =
                    text.split(',').map(str::trim_ascii).filter(|text| !text.is_empty()).collect();
                self.out.push_str(&serde_json::Value::from(texts).to_string());
            }
            _ => self.out.push_str(raw),
        }
    }
}

/// The elements of a list that is an object with their places as names: `{"0": …, "1": …}`.
fn places(raw: &str) -> Option<Vec<&str>> {
    let all = members(raw)?;
    let are_places = all.iter().enumerate().all(|(place, (name, _))| bare(name).parse() == Ok(place));
    are_places.then(|| all.into_iter().map(|(_, value)| value).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_odd_where_they_are_none() {
        for name in LISTS {
            for value in ["{}", "\"a\"", "\"[]\"", "[\"{}\"]"] {
                assert!(is_odd_value(name.as_bytes(), Form::of(value.as_bytes())), "{name} {value}");
            }
            for value in ["[]", "null", "[\"a\"]", "1"] {
                assert!(!is_odd_value(name.as_bytes(), Form::of(value.as_bytes())), "{name} {value}");
            }
        }
    }

    #[track_caller]
    fn mends(json: &str, expected: &str, repairs: Repairs) {
        assert!(is_odd(json), "{json}");
        assert_eq!(mended(json), (expected.to_owned(), repairs));
        assert!(!is_odd(expected), "{expected}");
    }

    #[test]
    fn names_in_another_case() {
        let key = Repairs { key: 1, ..Repairs::default() };
        mends(
            r#"{"RepositoryName":"a","ImageIds":[{"ImageTag":"v1"}],"Other":1}"#,
            r#"{"repositoryName":"a","imageIds":[{"imageTag":"v1"}],"Other":1}"#,
            key,
        );
        mends(r#"{"imagetag":"v1","registryid":"1"}"#, r#"{"imageTag":"v1","registryId":"1"}"#, key);
        mends(r#"{"image_tag":"v1"}"#, r#"{"imageTag":"v1"}"#, key);
        for own in [r#"{"imageTag":"v1","labels":{"Image_Tag":"x"}}"#, r#"{"cluster":"a","Name":"b"}"#, "{}"]
        {
            assert!(!is_odd(own) || own.contains("Name"), "{own}");
        }
    }

    #[test]
    fn lists_in_other_forms() {
        let list = Repairs { list: 1, ..Repairs::default() };
        let text = Repairs { json_text: 1, ..Repairs::default() };
        let one = r#"{"imageIds":[{"imageTag":"v1"}]}"#;
        mends(r#"{"imageIds":{"imageTag":"v1"}}"#, one, list);
        mends(r#"{"imageIds":{"0":{"imageTag":"v1"}}}"#, one, list);
        mends(r#"{"imageIds":"[{\"imageTag\":\"v1\"}]"}"#, one, text);
        mends(r#"{"imageIds":"{\"imageTag\":\"v1\"}"}"#, one, Repairs { list: 1, ..text });
        mends(
            r#"{"imageIds":"{\"imageTag\":\"v1\"}, {\"imageTag\":\"v2\"}"}"#,
            r#"{"imageIds":[{"imageTag":"v1"},{"imageTag":"v2"}]}"#,
            text,
        );
        mends(r#"{"x":[{"tagList":"v1, v2"}]}"#, r#"{"x":[{"tagList":["v1","v2"]}]}"#, list);
        mends(r#"{"tagList":"v1"}"#, r#"{"tagList":["v1"]}"#, list);
        mends(r#"{"image":"{\"imageId\":{}}"}"#, r#"{"image":{"imageId":{}}}"#, text);
        // A manifest and a policy are texts.
        assert!(!is_odd(r#"{"imageManifest":"{\"layers\":[]}","image":"nginx","lifecyclePolicyText":"{}"}"#));
    }
}
