//! Converts records that other tools have rewritten back to CloudTrail's own form, so that everything else
//! has to know only that: JSON stored as strings (Athena, Spark, spreadsheets), words for absent values
//! (pandas, Splunk), times in exporters' formats, names in other case. All changes are counted; what cannot
//! be understood is an error that says why.

use std::borrow::Cow;
use std::ops::Range;

use super::fields::{excerpt, exported, is_list, plain};
use super::json::{Members, skip_space, skip_value};
use super::listed;
use super::names::{
    Kind, flattened, is_named_inside, is_null_word, is_success_word, named, respelled, respelled_inside,
};
use super::nested::Nested;
use super::payload;
use super::spelling::{call_written_so, is_of_images, is_undecided_code, says_why, source_written_so};
use crate::model::Repairs;

/// How often a string may contain JSON as a string.
const ENCODED_MAX: usize = 3;

/// A record in CloudTrail's own form.
pub(super) struct Repaired {
    pub json: String,
    /// The changes made: 1 for each kind.
    pub repairs: Repairs,
    /// Whether it was a row of a table, recognisable by the names of its members: it lacks what the table has
    /// no column for.
    pub by_columns: bool,
}

/// Repairs the record `json`; `None` if there is nothing to do.
///
/// # Errors
///
/// A payload is a string that does not contain JSON.
pub(super) fn repair(json: &str) -> Result<Option<Repaired>, String> {
    let whole = whole_characters(json);
    let mut repairs = Repairs { character: u64::from(matches!(whole, Cow::Owned(_))), ..Repairs::default() };
    let text = whole.as_bytes();
    // If two members have one name, the last one counts; but one in another spelling is somebody's addition.
    let mut own: Vec<bool> = Vec::new();
    let mut members: Vec<Member<'_>> = Vec::new();
    let mut nested = Nested::default();
    let mut by_columns = false;
    let mut walk = Members::of(text, skip_space(text, 0));
    while let Some(member) = walk.next()? {
        let end = skip_value(text, member.value)?;
        let raw = whole.get(member.value..end).unwrap_or_default();
        let written = whole.get(member.key).unwrap_or_default();
        let read = plain(written.as_bytes());
        walk.go_on(end);
        let is_own = named(&read).is_some();
        if !is_own && let Some(names) = flattened(&read) {
            nested.put(names, raw);
            continue;
        }
        let name = match respelled(&read) {
            Some(name) if !is_own => {
                repairs.key = 1;
                by_columns |= name == "eventName";
                Cow::Borrowed(name)
            }
            _ => Cow::Borrowed(written),
        };
        let kind = named(&plain(name.as_bytes())).map_or(Kind::Any, |(kind, _)| kind);
        let value = value(&name, kind, raw, &mut repairs)?;
        match members.iter().position(|(known, _)| *known == name) {
            Some(at) if own[at] && !is_own => {}
            Some(at) => (members[at].1, own[at]) = (value, is_own),
            None => {
                members.push((name, value));
                own.push(is_own);
            }
        }
    }
    if nested.into_members(&mut members) {
        repairs.key = 1;
        by_columns = true;
    }
    take_timestamp(&mut members, &mut repairs);
    spell_call(&mut members, &mut repairs);
    decide_code(&mut members, &mut repairs);
    let inside = mend_payloads(&mut members);
    if inside != Repairs::default() {
        repairs.records = 1;
    }
    if repairs == Repairs::default() {
        return Ok(None);
    }
    for (name, value) in &mut members {
        let kind = named(name.as_bytes()).map(|(kind, _)| kind);
        let has_other_names = match kind {
            Some(Kind::Json | Kind::Object) => true,
            // Where one name is CloudTrail's the others are somebody's own: labels, variables, policies.
            Some(Kind::Payload) => !has_own_name(value, &keys(value.as_bytes())),
            _ => false,
        };
        if repairs.key == 1 && has_other_names {
            *value = Cow::Owned(with_names(value));
        }
        // Who writes one object as a list writes all of them so.
        if repairs.list == 1 && matches!(kind, Some(Kind::Json | Kind::Object | Kind::Payload)) {
            *value = Cow::Owned(listed::without_lists_inside(value));
        }
    }
    add_inside(&mut repairs, &inside);
    repairs.records = 1;
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    Ok(Some(Repaired { json: format!("{{{}}}", members.join(",")), repairs, by_columns }))
}

/// Logstash moves the event's time to a field of its own; Microsoft Sentinel uses another name for it.
fn take_timestamp(members: &mut [Member<'_>], repairs: &mut Repairs) {
    if members.iter().any(|(name, _)| name == "eventTime") {
        return;
    }
    if let Some((name, value)) =
        members.iter_mut().find(|(name, _)| name == "@timestamp" || name == "TimeGenerated")
    {
        *name = Cow::Borrowed("eventTime");
        repairs.key = 1;
        if let Some(read) = exported(value.as_bytes()) {
            repairs.time = 1;
            repairs.time_without_zone = u64::from(read.without_zone);
            *value = Cow::Owned(format!("\"{}\"", read.time));
        }
    }
}

/// Mends what stands inside of the payloads of a service of images. Returns what was changed.
fn mend_payloads(members: &mut [Member<'_>]) -> Repairs {
    let mut changed = Repairs::default();
    if !text_of(members, "eventSource").is_some_and(|source| is_of_images(source.as_bytes())) {
        return changed;
    }
    for (name, value) in members {
        let is_payload = named(name.as_bytes()).is_some_and(|(kind, _)| kind == Kind::Payload);
        if is_payload && value.starts_with('{') && payload::is_odd(value) {
            let (mended, repairs) = payload::mended(value);
            add_inside(&mut changed, &repairs);
            *value = Cow::Owned(mended);
        }
    }
    changed
}

/// Adds what was changed inside of a payload.
fn add_inside(repairs: &mut Repairs, inside: &Repairs) {
    repairs.key |= inside.key;
    repairs.list |= inside.list;
    repairs.json_text |= inside.json_text;
}

type Member<'r> = (Cow<'r, str>, Cow<'r, str>);

fn text_of(members: &[Member<'_>], name: &str) -> Option<String> {
    members.iter().find(|(known, _)| known == name).and_then(|(_, value)| string(value))
}

/// Writes the name of the call as CloudTrail writes it for this service.
fn spell_call(members: &mut [Member<'_>], repairs: &mut Repairs) {
    let [Some(source), Some(name)] = ["eventSource", "eventName"].map(|name| text_of(members, name)) else {
        return;
    };
    if let Some(written) = call_written_so(source.as_bytes(), &name)
        && let Some((_, value)) = members.iter_mut().find(|(name, _)| name == "eventName")
    {
        repairs.value = 1;
        *value = quoted(written);
    }
}

/// A word for what is not known, in the place of an error code: if there is an answer, the call has succeeded.
/// Without one it stays, and whoever needs the record says so.
fn decide_code(members: &mut [Member<'_>], repairs: &mut Repairs) {
    let is_undecided = text_of(members, "errorCode").is_some_and(|code| is_undecided_code(&code));
    let has = |name: &str| members.iter().any(|(known, value)| known == name && value.starts_with('{'));
    if is_undecided
        && (has("responseElements") || has("serviceEventDetails"))
        && !text_of(members, "errorMessage").is_some_and(|message| says_why(&message))
        && let Some((_, value)) = members.iter_mut().find(|(name, _)| name == "errorCode")
    {
        repairs.null_word = 1;
        *value = Cow::Borrowed("null");
    }
}

/// Repairs one value.
fn value<'r>(name: &str, kind: Kind, raw: &'r str, repairs: &mut Repairs) -> Result<Cow<'r, str>, String> {
    let is_object = matches!(kind, Kind::Object | Kind::Payload);
    if is_list(kind, raw.as_bytes()) {
        // A list that cannot be understood stays: whoever needs the record says so.
        let one = if is_object {
            listed::object(raw).map(Cow::Owned)
        } else {
            listed::scalar(raw, kind == Kind::Code).map(Cow::Borrowed)
        };
        let Some(one) = one else { return Ok(Cow::Borrowed(raw)) };
        repairs.list = 1;
        return Ok(Cow::Owned(value(name, kind, &one, repairs)?.into_owned()));
    }
    let text = string(raw);
    let said = text.as_deref();
    Ok(match (kind, said) {
        (Kind::Any, _) => Cow::Borrowed(raw),
        (Kind::Code, Some(said)) if !said.is_empty() && is_success_word(said.as_bytes()) => {
            repairs.null_word = 1;
            Cow::Borrowed("null")
        }
        // A number or an object.
        (Kind::Code, None) if raw != "null" => {
            repairs.value = 1;
            match is_success_word(raw.as_bytes()) {
                true => Cow::Borrowed("null"),
                false => quoted(raw),
            }
        }
        (Kind::Source, Some(said)) => match source_written_so(said) {
            Some(source) => {
                repairs.value = 1;
                quoted(source)
            }
            None => Cow::Borrowed(raw),
        },
        (Kind::Name, Some(said)) if said.trim_ascii().len() < said.len() => {
            repairs.value = 1;
            quoted(said.trim_ascii())
        }
        (Kind::Word | Kind::Region | Kind::Code | Kind::Account | Kind::Flag, Some(said))
            if is_null_word(said.as_bytes()) && !said.is_empty() =>
        {
            repairs.null_word = 1;
            Cow::Borrowed("null")
        }
        (Kind::Region, Some(said)) if said.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            repairs.value = 1;
            quoted(said.to_ascii_lowercase())
        }
        // One of the resources, or the caller, told by its name alone.
        (Kind::Json, None) if raw.starts_with('{') => {
            repairs.list = 1;
            Cow::Owned(format!("[{raw}]"))
        }
        (Kind::Json, Some(said)) if said.starts_with("arn:") => {
            repairs.list = 1;
            Cow::Owned(format!("[{{\"ARN\":{raw}}}]"))
        }
        (Kind::Object, Some(said)) if name == "userIdentity" && said.starts_with("arn:") => {
            repairs.value = 1;
            Cow::Owned(format!("{{\"arn\":{raw}}}"))
        }
        (Kind::Json | Kind::Object | Kind::Payload, Some(said)) => match embedded(said) {
            Some(json) if json == "null" => {
                repairs.null_word = 1;
                Cow::Borrowed("null")
            }
            Some(json) => {
                repairs.json_text = 1;
                let object = if is_object && json.starts_with('[') { listed::object(&json) } else { None };
                repairs.list |= u64::from(object.is_some());
                Cow::Owned(object.unwrap_or(json))
            }
            None if kind == Kind::Payload => {
                return Err(format!("{name} is text, and no JSON: {}", excerpt(said.as_bytes())));
            }
            None => Cow::Borrowed(raw),
        },
        (Kind::Flag, said) => match said.unwrap_or(raw).trim().to_ascii_lowercase().as_str() {
            _ if matches!(raw, "true" | "false" | "null" | "\"true\"" | "\"false\"") => Cow::Borrowed(raw),
            truth @ ("true" | "false" | "1" | "0" | "1.0" | "0.0") => {
                repairs.value = 1;
                Cow::Borrowed(if truth.starts_with(['t', '1']) { "true" } else { "false" })
            }
            _ => Cow::Borrowed(raw),
        },
        (Kind::Account, Some(said)) => match account_written_so(said) {
            Some(account) => {
                repairs.value = 1;
                Cow::Owned(account.map_or_else(|| "null".to_owned(), |account| format!("\"{account}\"")))
            }
            None => Cow::Borrowed(raw),
        },
        (Kind::Account, None) => match account(raw) {
            Some(account) => {
                repairs.value = 1;
                Cow::Owned(account)
            }
            None => Cow::Borrowed(raw),
        },
        (Kind::Time, _) => time(raw, repairs),
        (Kind::Word | Kind::Region | Kind::Code | Kind::Name | Kind::Source, _)
        | (Kind::Json | Kind::Object | Kind::Payload, None) => Cow::Borrowed(raw),
    })
}

fn time<'r>(raw: &'r str, repairs: &mut Repairs) -> Cow<'r, str> {
    let Some(read) = exported(raw.as_bytes()) else { return Cow::Borrowed(raw) };
    if super::fields::drifts(Kind::Time, raw.as_bytes()) {
        repairs.time = 1;
        repairs.time_without_zone = u64::from(read.without_zone);
        return Cow::Owned(format!("\"{}\"", read.time));
    }
    Cow::Borrowed(raw)
}

/// Twelve digits: a numeric table column has lost leading zeros, or has turned the number into a fraction.
fn account(raw: &str) -> Option<String> {
    let digits = raw.strip_suffix(".0").unwrap_or(raw);
    (digits.len() <= 12 && !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| format!("\"{digits:0>12}\""))
}

/// An account that a spreadsheet or a person has written in another way, as CloudTrail writes it: `4444-3333-2222`, or
/// without its leading zeros. The inner `None` for `4.44433E+11`, which has lost digits: other members tell the account.
pub(super) fn account_written_so(text: &str) -> Option<Option<String>> {
    const LOST_MAX: usize = 3;
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if text.len() == 12 && is_digits(text) || text.len() > 20 {
        return None;
    }
    if let Some((digits, power)) = text.split_once("E+") {
        return (is_digits(power) && is_digits(&digits.replace(['.', ','], ""))).then_some(None);
    }
    let digits: String = text.chars().filter(|char| !matches!(char, '-' | ' ' | '\'')).collect();
    (is_digits(&digits) && (12 - LOST_MAX..=12).contains(&digits.len()))
        .then(|| Some(format!("{digits:0>12}")))
}

/// A text as a JSON string.
fn quoted(text: impl Into<serde_json::Value>) -> Cow<'static, str> {
    Cow::Owned(text.into().to_string())
}

/// The content of a JSON string.
pub(super) fn string(raw: &str) -> Option<String> {
    let said = plain(raw.strip_prefix('"')?.strip_suffix('"')?.as_bytes()).into_owned();
    String::from_utf8(said).ok()
}

/// The JSON that a string contains, directly or nested; `null` for null words. `None` for any other string.
pub(super) fn embedded(text: &str) -> Option<String> {
    let mut text = Cow::Borrowed(text);
    for _ in 0..ENCODED_MAX {
        let said = text.trim();
        if is_null_word(said.as_bytes()) {
            return Some("null".to_owned());
        }
        let bytes = said.as_bytes();
        let is_one = skip_value(bytes, 0).is_ok_and(|end| end == bytes.len());
        match bytes.first() {
            Some(b'{' | b'[') if is_one => return Some(said.to_owned()),
            Some(b'{' | b'[') => return super::literal::json(said),
            Some(b'"') if is_one => text = Cow::Owned(string(said)?),
            _ => return None,
        }
    }
    None
}

/// The same value with CloudTrail's names inside.
fn with_names(value: &str) -> String {
    let (text, mut out, mut copied) = (value.as_bytes(), String::with_capacity(value.len()), 0);
    for key in keys(text) {
        let Some(name) = value.get(key.clone()).and_then(|key| respelled_inside(key.as_bytes())) else {
            continue;
        };
        out.push_str(value.get(copied..key.start).unwrap_or_default());
        out.push_str(name);
        copied = key.end;
    }
    out.push_str(value.get(copied..).unwrap_or_default());
    out
}

/// Whether one of the names at `keys` is written as CloudTrail writes it and hardly anybody else, with upper case in it.
pub(super) fn has_own_name(value: &str, keys: &[Range<usize>]) -> bool {
    let names = keys.iter().filter_map(|key| value.get(key.clone()));
    names
        .filter(|name| name.bytes().skip(1).any(|byte| byte.is_ascii_uppercase()))
        .any(|name| is_named_inside(name.as_bytes()))
}

/// The positions of all member names, at all depths.
pub(super) fn keys(text: &[u8]) -> Vec<Range<usize>> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < text.len() {
        if text.get(at) != Some(&b'"') {
            at += 1;
            continue;
        }
        let end = super::json::skip_string(text, at).unwrap_or(text.len());
        if text.get(skip_space(text, end)) == Some(&b':') {
            found.push(at + 1..end - 1);
        }
        at = end;
    }
    found
}

/// Whether a text may contain half of a surrogate pair, which remains when a service cuts a message in the
/// middle of a character.
pub(super) fn may_have_half_a_character(text: &[u8]) -> bool {
    memchr::memmem::find_iter(text, b"\\u").any(|at| matches!(text.get(at + 2), Some(b'd' | b'D')))
}

/// The text with `\ufffd` for each half of a surrogate pair.
fn whole_characters(text: &str) -> Cow<'_, str> {
    if !may_have_half_a_character(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let unit = |at: usize| {
        text.get(at..at + 6)
            .and_then(|escape| escape.strip_prefix("\\u"))
            .and_then(|digits| u16::from_str_radix(digits, 16).ok())
    };
    let (mut whole, mut kept, mut at) = (String::new(), 0, 0);
    while let Some(found) = memchr::memchr(b'\\', text.as_bytes().get(at..).unwrap_or_default()) {
        at += found;
        match (unit(at), unit(at + 6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => at += 12,
            (Some(0xD800..=0xDFFF), _) => {
                whole.push_str(text.get(kept..at).unwrap_or_default());
                whole.push_str("\\ufffd");
                at += 6;
                kept = at;
            }
            (Some(_), _) => at += 6,
            (None, _) => at += 2,
        }
    }
    if kept == 0 {
        return Cow::Borrowed(text);
    }
    whole.push_str(text.get(kept..).unwrap_or_default());
    Cow::Owned(whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repaired(json: &str) -> (String, Repairs) {
        repair(json).unwrap().map(|repaired| (repaired.json, repaired.repairs)).unwrap()
    }

    #[test]
    fn json_as_text_becomes_json_however_often_it_was_encoded() {
        let object = r#"{"a":"b \"c\""}"#;
        let mut text = serde_json::to_string(object).unwrap();
        for _ in 0..3 {
            let (json, repairs) = repaired(&format!(r#"{{"eventName":"x","requestParameters": {text}}}"#));
            assert_eq!(json, format!(r#"{{"eventName":"x","requestParameters":{object}}}"#));
            assert_eq!(repairs, Repairs { records: 1, json_text: 1, ..Repairs::default() });
            text = serde_json::to_string(&text).unwrap();
        }
        assert_eq!(repaired(r#"{"responseElements":"null"}"#).0, r#"{"responseElements":null}"#);
        assert_eq!(
            repaired(r#"{"requestParameters":"{'a': None, 'b': [True, \"it's\"]}"}"#).0,
            r#"{"requestParameters":{"a": null, "b": [true, "it's"]}}"#
        );
        assert!(
            repair(r#"{"requestParameters":"{\"a\":"}"#)
                .is_err_and(|reason| reason.contains("requestParameters is text, and no JSON"))
        );
        assert!(
            repair(r#"{"additionalEventData":"words","requestParameters":{}}"#)
                .is_ok_and(|repaired| repaired.is_none())
        );
    }

    #[test]
    fn words_for_nothing_are_nothing_where_they_can_mean_nothing_else() {
        let (json, repairs) = repaired(
            r#"{"errorCode":"None","sharedEventID":"-","userAgent":"-","readOnly":"NaN","recipientAccountId":"nan","requestParameters":"None"}"#,
        );
        assert_eq!(
            json,
            r#"{"errorCode":null,"sharedEventID":null,"userAgent":"-","readOnly":null,"recipientAccountId":null,"requestParameters":null}"#
        );
        assert_eq!(repairs, Repairs { records: 1, null_word: 1, ..Repairs::default() });
    }

    #[test]
    fn names_times_numbers_and_half_characters() {
        let (json, repairs) = repaired(
            r#"{"event_time":"2025-06-02 09:00:00","EventName":"x","useridentity":{"accountid":"1","sessionContext":{"sessionissuer":{}}},"RecipientAccountId":12345678901,"readonly":"True","userAgent":"so\ud83d \ud83d\ude80"}"#,
        );
        assert_eq!(
            json,
            r#"{"eventTime":"2025-06-02T09:00:00Z","eventName":"x","userIdentity":{"accountId":"1","sessionContext":{"sessionIssuer":{}}},"recipientAccountId":"012345678901","readOnly":true,"userAgent":"so\ufffd \ud83d\ude80"}"#
        );
        let expected = Repairs {
            records: 1,
            key: 1,
            time: 1,
            time_without_zone: 1,
            value: 1,
            character: 1,
            ..Repairs::default()
        };
        assert_eq!(repairs, expected);
    }

    #[test]
    fn accounts_have_twelve_digits() {
        for (said, account) in [
            ("4444-3333-2222", Some("444433332222")),
            ("'444433332222", Some("444433332222")),
            ("44433332222", Some("044433332222")),
            ("4.44433E+11", None),
        ] {
            assert_eq!(account_written_so(said), Some(account.map(str::to_owned)), "{said}");
        }
        for said in ["444433332222", "EXAMPLE", "1", "", "<account>", "anonymous"] {
            assert_eq!(account_written_so(said), None, "{said}");
        }
    }

    #[test]
    fn the_time_that_logstash_takes_out_is_put_back() {
        let (json, repairs) =
            repaired(r#"{"eventName":"PutImage","@timestamp":"2020-09-14T00:41:22.000Z","@version":"1"}"#);
        assert_eq!(json, r#"{"eventName":"PutImage","eventTime":"2020-09-14T00:41:22Z","@version":"1"}"#);
        assert_eq!((repairs.key, repairs.time), (1, 1));
        // Elastic's shippers add a time of their own beside the record's.
        assert!(
            repair(r#"{"eventTime":"2020-09-14T00:41:22Z","@timestamp":"2020-09-14T00:45:00.000Z"}"#)
                .unwrap()
                .is_none()
        );
    }

    #[test]
    fn members_that_were_written_beside_one_another_are_put_into_one() {
        let (json, repairs) = repaired(
            r#"{"eventName":"x","requestParameters.imageTag":"v1","requestParameters.imageIds.0.imageTag":"a","requestParameters.imageIds.1.imageTag":"b","requestParameters":null,"requestParameters.n":"","requestParameters.empty":{},"userIdentity.accountId":1}"#,
        );
        assert_eq!(
            json,
            r#"{"eventName":"x","requestParameters":{"empty":{},"imageIds":[{"imageTag":"a"},{"imageTag":"b"}],"imageTag":"v1"},"userIdentity":{"accountId":1}}"#
        );
        assert_eq!(repairs, Repairs { records: 1, key: 1, ..Repairs::default() });
    }

    #[test]
    fn lists_are_what_they_stand_for() {
        let (json, repairs) = repaired(
            r#"{"eventName":["PutImage"],"eventTime":["2026-03-02T10:00:00Z"],"errorCode":[],"readOnly":["false"],"userIdentity":[{"arn":["a"]}],"requestParameters":"[{\"imageTag\":\"v1\"}]","responseElements":[{"image":[{"imageId":{"imageDigest":"d"}}]}],"resources":[{"ARN":["b"]}]}"#,
        );
        assert_eq!(
            json,
            r#"{"eventName":"PutImage","eventTime":"2026-03-02T10:00:00Z","errorCode":null,"readOnly":"false","userIdentity":{"arn":"a"},"requestParameters":{"imageTag":"v1"},"responseElements":{"image":{"imageId":{"imageDigest":"d"}}},"resources":[{"ARN":"b"}]}"#
        );
        assert_eq!(repairs, Repairs { records: 1, list: 1, json_text: 1, ..Repairs::default() });
        assert_eq!(
            repaired(r#"{"errorCode":["A","B"],"errorMessage":["no","way"]}"#).0,
            r#"{"errorCode":"A","errorMessage":["no","way"]}"#
        );
        assert!(
            repair(r#"{"requestParameters":[{"a":1},{"a":2}]}"#).is_ok_and(|repaired| repaired.is_none())
        );
    }

    #[test]
    fn of_two_members_with_one_name_the_last_one_counts() {
        assert_eq!(repaired(r#"{"eventid":"a","EventId":"b","x":1,"x":2}"#).0, r#"{"eventID":"b","x":2}"#);
        // But one in another spelling does not count beside CloudTrail's own.
        for both in [r#"{"eventID":"a","eventid":"b"}"#, r#"{"eventid":"b","eventID":"a"}"#] {
            assert_eq!(repaired(both).0, r#"{"eventID":"a"}"#);
        }
    }

    #[test]
    fn callers_resources_and_regions_as_people_write_them() {
        assert_eq!(
            repaired(
                r#"{"userIdentity":"arn:aws:iam::1:role/ci","resources":"arn:aws:ecr:x","awsRegion":"EU-WEST-2"}"#
            )
            .0,
            r#"{"userIdentity":{"arn":"arn:aws:iam::1:role/ci"},"resources":[{"ARN":"arn:aws:ecr:x"}],"awsRegion":"eu-west-2"}"#
        );
        assert_eq!(repaired(r#"{"resources":{"ARN":"a"}}"#).0, r#"{"resources":[{"ARN":"a"}]}"#);
    }

    #[test]
    fn an_ordinary_record_is_left_alone() {
        let json = r#"{"eventTime":"2026-03-02T10:00:00Z","errorCode":"","readOnly":true,"recipientAccountId":"1","requestParameters":null,"resources":[],"userIdentity":{"a":"None"}}"#;
        assert!(repair(json).is_ok_and(|repaired| repaired.is_none()));
    }
}
