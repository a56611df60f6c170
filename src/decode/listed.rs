//! Lists that a tool has written where CloudTrail writes one value: an object or a text as a list of one
//! element (`[{…}]`), and an object as a list of its members (`[{"key":"repositoryName","value":"app"}]`).

use std::ops::Range;

use super::fields::plain;
use super::json::{Elements, Members, skip_space, skip_value};
use super::names::{is_list_inside, is_named_inside};

/// Lists inside of lists.
const DEPTH_MAX: u8 = 4;
/// Names of the two parts of a member that a tool has written as an object (`{"key": …, "value": …}`).
const NAMES: [&[u8]; 7] = [b"key", b"Key", b"name", b"Name", b"k", b"K", b"field"];
const VALUES: [&[u8]; 4] = [b"value", b"Value", b"v", b"V"];

/// The object that the list `json` represents; `null` for an empty list. `None` if that is not clear: several
/// objects with members of the same name, or something other than an object.
pub(super) fn object(json: &str) -> Option<String> {
    object_within(json, DEPTH_MAX)
}

fn object_within(json: &str, depth: u8) -> Option<String> {
    let depth = depth.checked_sub(1)?;
    let elements: Vec<&str> = elements(json)?.into_iter().filter(|element| *element != "null").collect();
    let members = match elements[..] {
        [] => return Some("null".to_owned()),
        [one] if one.starts_with('[') && pair_in_list(one).is_none() => return object_within(one, depth),
        [one] if one.starts_with('{') && !pair(one).is_some_and(|(name, _)| is_known(name)) => {
            return Some(one.to_owned());
        }
        [one] if one.starts_with('"') => {
            return match super::repair::embedded(&super::repair::string(one)?)? {
                inner if inner.starts_with('[') => object_within(&inner, depth),
                inner => Some(inner),
            };
        }
        _ => pairs(&elements).or_else(|| merged(&elements))?,
    };
    let members: Vec<String> = members.iter().map(|(name, value)| format!("{name}:{value}")).collect();
    Some(format!("{{{}}}", members.join(",")))
}

/// The only value in the list `json`, or its first one if `any` of them is enough; `null` for an empty list.
pub(super) fn scalar(json: &str, any: bool) -> Option<&str> {
    let elements: Vec<&str> = elements(json)?.into_iter().filter(|element| *element != "null").collect();
    match elements[..] {
        [] => Some("null"),
        [first, ref rest @ ..] if any || rest.iter().all(|other| *other == first) => {
            Some(first).filter(|first| !first.starts_with(['{', '[']))
        }
        _ => None,
    }
}

/// The same value without the brackets of lists that have one element, where CloudTrail has no list.
pub(super) fn without_lists_inside(json: &str) -> String {
    let text = json.as_bytes();
    let mut brackets: Vec<usize> = Vec::new();
    let mut at = 0;
    while let Some(found) = text.get(at..).and_then(|rest| memchr::memchr2(b'"', b'[', rest)) {
        at += found;
        if text.get(at) == Some(&b'[') {
            at += 1;
            continue;
        }
        let end = super::json::skip_string(text, at).unwrap_or(text.len());
        let value = skip_space(text, end)
            .checked_add(1)
            .filter(|behind| text.get(behind - 1) == Some(&b':'))
            .map(|behind| skip_space(text, behind));
        let name = text.get(at + 1..end.saturating_sub(1)).unwrap_or_default();
        at = end;
        let Some(value) = value.filter(|&value| text.get(value) == Some(&b'[')) else { continue };
        if is_named_inside(name)
            && !is_list_inside(name)
            && let Ok(end) = skip_value(text, value)
            && let Some([one]) = elements(json.get(value..end).unwrap_or_default()).as_deref()
            && !one.starts_with('[')
        {
            brackets.extend([value, end - 1]);
        }
    }
    brackets.sort_unstable();
    let mut out = String::with_capacity(json.len());
    let mut copied = 0;
    for bracket in brackets {
        out.push_str(json.get(copied..bracket).unwrap_or_default());
        copied = bracket + 1;
    }
    out.push_str(json.get(copied..).unwrap_or_default());
    out
}

/// The elements of a list; `None` if it is none.
pub(super) fn elements(json: &str) -> Option<Vec<&str>> {
    let text = json.as_bytes();
    let start = Some(skip_space(text, 0)).filter(|&start| text.get(start) == Some(&b'['))?;
    let mut walk = Elements::of(text, start);
    let mut found = Vec::new();
    while let Some(element) = walk.next().ok()? {
        let end = skip_value(text, element).ok()?;
        found.push(json.get(element..end)?);
        walk.go_on(end);
    }
    Some(found)
}

/// The members of an object: names in quotes, and values. `None` if it is none.
pub(super) fn members(json: &str) -> Option<Vec<(&str, &str)>> {
    let text = json.as_bytes();
    let mut walk = Members::of(text, Some(0).filter(|_| json.starts_with('{'))?);
    let mut found = Vec::new();
    while let Some(member) = walk.next().ok()? {
        let end = skip_value(text, member.value).ok()?;
        let Range { start, end: behind } = member.key;
        found.push((json.get(start - 1..behind + 1)?, json.get(member.value..end)?));
        walk.go_on(end);
    }
    Some(found)
}

/// A member that is an object (`{"key":"imageTag","value":"v1"}`) or a list of two (`["imageTag","v1"]`): its
/// name, in quotes, and its value.
fn pair(json: &str) -> Option<(&str, &str)> {
    let members = members(json)?;
    let [_, _] = members[..] else { return None };
    let of = |names: &[&[u8]]| {
        let named = |(name, _): &&(&str, &str)| names.contains(&bare(name).as_bytes());
        members.iter().find(named).map(|(_, value)| *value)
    };
    Some((of(&NAMES).filter(|name| name.starts_with('"'))?, of(&VALUES)?))
}

fn pair_in_list(json: &str) -> Option<(&str, &str)> {
    match elements(json)?[..] {
        [name, value] if name.starts_with('"') => Some((name, value)),
        _ => None,
    }
}

fn pairs<'j>(elements: &[&'j str]) -> Option<Vec<(&'j str, &'j str)>> {
    let distinct = |pairs: Vec<(&'j str, &'j str)>| Some(pairs).filter(|pairs| are_distinct(pairs));
    let all = |of: fn(&'j str) -> Option<(&'j str, &'j str)>| {
        elements.iter().map(|element| of(element)).collect::<Option<Vec<_>>>()
    };
    all(pair).or_else(|| all(pair_in_list)).and_then(distinct)
}

/// The members of several objects that share no name.
fn merged<'j>(elements: &[&'j str]) -> Option<Vec<(&'j str, &'j str)>> {
    let all: Vec<_> = elements.iter().map(|element| members(element)).collect::<Option<Vec<_>>>()?.concat();
    are_distinct(&all).then_some(all)
}

fn are_distinct(members: &[(&str, &str)]) -> bool {
    let mut names: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1])
}

/// A name without its quotes.
pub(super) fn bare(name: &str) -> &str {
    name.strip_prefix('"').and_then(|name| name.strip_suffix('"')).unwrap_or(name)
}

/// Whether a call has a parameter of this name, as far as anybody here reads any: an object alone in a list that
/// has a name and a value is that object itself otherwise (ECS' `PutAccountSetting` has such parameters).
fn is_known(name: &str) -> bool {
    is_named_inside(&plain(bare(name).as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_stands_for_one_object() {
        let object_of = |json: &str| object(json).unwrap_or_else(|| panic!("{json}"));
        for (json, expected) in [
            (r#"[{"a":1}]"#, r#"{"a":1}"#),
            (r#"[ {"a": 1} , null ]"#, r#"{"a": 1}"#),
            ("[]", "null"),
            ("[null]", "null"),
            (r#"[[{"a":1}]]"#, r#"{"a":1}"#),
            (r#"["{\"a\":1}"]"#, r#"{"a":1}"#),
            (r#"["[{\"a\":1}]"]"#, r#"{"a":1}"#),
            (r#"[{"a":1},{"b":[2]}]"#, r#"{"a":1,"b":[2]}"#),
            (r#"[{"key":"a","value":1},{"value":{"c":2},"key":"b"}]"#, r#"{"a":1,"b":{"c":2}}"#),
            (r#"[{"Name":"a","Value":null},{"Name":"b","Value":"x"}]"#, r#"{"a":null,"b":"x"}"#),
            (r#"[["a",1],["b","x"]]"#, r#"{"a":1,"b":"x"}"#),
            (r#"[["repositoryName","app"]]"#, r#"{"repositoryName":"app"}"#),
            (r#"[{"key":"repositoryName","value":"app"}]"#, r#"{"repositoryName":"app"}"#),
            // Parameters of a call that are called so.
            (
                r#"[{"name":"awsvpcTrunking","value":"enabled"}]"#,
                r#"{"name":"awsvpcTrunking","value":"enabled"}"#,
            ),
        ] {
            assert_eq!(object_of(json), expected, "{json}");
        }
        for json in [r#"[{"a":1},{"a":2}]"#, "[1]", "[1,2]", r#"["words"]"#, r#"[{"a":1},2]"#, "[[[[[{}]]]]]"]
        {
            assert_eq!(object(json), None, "{json}");
        }
    }

    #[test]
    fn a_list_stands_for_one_value() {
        for (json, any, expected) in [
            (r#"["PutImage"]"#, false, Some(r#""PutImage""#)),
            ("[]", false, Some("null")),
            ("[true]", false, Some("true")),
            (r#"["a","a"]"#, false, Some(r#""a""#)),
            (r#"["a","b"]"#, false, None),
            (r#"[null,"a","b"]"#, true, Some(r#""a""#)),
            (r#"[{}]"#, true, None),
        ] {
            assert_eq!(scalar(json, any), expected, "{json}");
        }
    }

    #[test]
    fn lists_of_one_inside_are_left_where_cloudtrail_has_lists() {
        assert_eq!(
            without_lists_inside(
                r#"{"repositoryName": ["app"],"imageIds":[{"imageTag":["v1"]}],"image":[{"imageId":[{"imageDigest":"d"}]}],"tagList":["a"],"other":["x"],"imageTags":[["y"]],"registryId":["1","2"]}"#
            ),
            r#"{"repositoryName": "app","imageIds":[{"imageTag":"v1"}],"image":{"imageId":{"imageDigest":"d"}},"tagList":["a"],"other":["x"],"imageTags":[["y"]],"registryId":["1","2"]}"#
        );
        assert_eq!(
            without_lists_inside(r#"{"a":"\"image\":[{}]","image":["#),
            r#"{"a":"\"image\":[{}]","image":["#
        );
    }
}
