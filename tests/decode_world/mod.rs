//! Generated objects whose truth is known: records with odd insides, written in odd ways.

#![allow(dead_code)]

use serde_json::{Map, Value, json};
use tagfall::decode::{Decoder, Limits, ObjectReport, RawRecord, RecordSink, Wanted};
use tagfall::model::{Identity, Timestamp};

/// SplitMix64.
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    pub fn one_in(&mut self, odds: usize) -> bool {
        self.below(odds) == 0
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// The expected result for an element of `Records`.
#[derive(Debug, Clone, PartialEq)]
pub enum Truth {
    Record { time: i64, source: String, id: Option<String>, value: Value },
    Failed,
    Other,
}

/// How JSON is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writing {
    Compact,
    Spaced,
    Pretty,
}

pub struct Element {
    pub text: String,
    pub truth: Truth,
}

const SOURCES: [&str; 4] =
    ["ecr.amazonaws.com", "ecs.amazonaws.com", "s3.amazonaws.com", "sts.amazonaws.com"];
pub const WANTED: &[&str] = &["ecr.amazonaws.com", "ecs.amazonaws.com"];

/// Keys that mean something at the top of a record, but not inside.
const TRAPS: [&str; 10] = [
    "eventSource",
    "eventVersion",
    "eventID",
    "eventTime",
    "eventName",
    "eventCategory",
    "Records",
    "detail",
    "CloudTrailEvent",
    "userIdentity",
];

/// Texts that look like JSON structure.
const STRINGS: [&str; 14] = [
    "}]}",
    "{\"eventVersion\":\"1.0\"",
    "},{\"eventVersion\":\"1.0\",",
    ",\"eventTime\":\"2020-01-01T00:00:00Z\",\"eventSource\":\"ecr.amazonaws.com\",\"eventName\":\"PutImage\"",
    ",\"eventID\":\"x\",\"readOnly\":true",
    "\\",
    "\\\\\"",
    "\"",
    "[{[{",
    "ecr.amazonaws.com",
    "é\u{202f}PM 漢字 🦀",
    "\u{1}\n\t",
    "",
    ",",
];

fn nested(random: &mut Random, depth: usize) -> Value {
    match random.below(if depth > 4 { 4 } else { 8 }) {
        0 => Value::Null,
        1 => json!(random.below(1000)),
        2 | 3 => json!(random.pick(&STRINGS)),
        4 | 5 => (0..random.below(4)).map(|_| nested(random, depth + 1)).collect(),
        6 if random.one_in(3) => Value::Object(usual_fields(random, "ecr.amazonaws.com", 1)),
        _ => {
            let mut object = Map::new();
            for _ in 0..random.below(4) {
                let key = if random.one_in(2) { *random.pick(&TRAPS) } else { *random.pick(&STRINGS) };
                object.insert(key.to_owned(), nested(random, depth + 1));
            }
            Value::Object(object)
        }
    }
}

/// A nested value in an object: texts and lists in its place are what other tools write.
fn payload(random: &mut Random, depth: usize) -> Value {
    let value = nested(random, depth);
    if value.is_string() || value.is_array() { json!({ "x": value }) } else { value }
}

/// The fields of a record; fields that CloudTrail writes next to each other are so in [`ORDER`].
fn usual_fields(random: &mut Random, source: &str, depth: usize) -> Map<String, Value> {
    let second = random.below(86_400);
    let time = format!(
        "2026-03-{:02}T{:02}:{:02}:{:02}Z",
        1 + random.below(31),
        second / 3600,
        second / 60 % 60,
        second % 60
    );
    let mut record = Map::new();
    record.insert("eventVersion".into(), json!("1.11"));
    record.insert(
        "userIdentity".into(),
        if random.one_in(5) {
            payload(random, depth)
        } else {
            json!({"type": "Root", "sessionContext": {"x": {}}})
        },
    );
    record.insert("eventTime".into(), json!(time));
    record.insert("eventSource".into(), json!(source));
    record.insert("eventName".into(), json!("PutImage"));
    record.insert("awsRegion".into(), json!("eu-west-1"));
    record.insert("userAgent".into(), json!(random.pick(&STRINGS)));
    record.insert("requestParameters".into(), payload(random, depth));
    record.insert("responseElements".into(), payload(random, depth));
    record.insert(
        "eventID".into(),
        json!(format!(
            "{:08x}-53e7-4bb0-8c40-513bea04{:04x}",
            (random.next() % 50 + 1).wrapping_mul(0x9e37_79b1) % (1 << 32),
            random.next() % 2
        )),
    );
    record.insert("readOnly".into(), json!(false));
    record.insert("resources".into(), json!([{"ARN": "arn:aws:ecr:eu-west-1:111122223333:repository/x"}]));
    record.insert("eventType".into(), json!("AwsApiCall"));
    record.insert("managementEvent".into(), json!(true));
    record.insert("recipientAccountId".into(), json!(random.pick(&["111122223333", "444455556666"])));
    record.insert(
        "eventCategory".into(),
        json!(random.pick(&["Management", "Management", "Management", "Data"])),
    );
    if random.one_in(10) {
        record.insert("tlsDetails".into(), json!({"padding": "x".repeat(random.below(2000))}));
    }
    record
}

/// serde_json's map sorts its keys; this is CloudTrail's order.
const ORDER: [&str; 17] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "userAgent",
    "requestParameters",
    "responseElements",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
    "tlsDetails",
];

/// One element; of a thousand, `odd` are not in CloudTrail's own form.
pub fn element(random: &mut Random, writing: Writing, odd: usize) -> Element {
    let source = *random.pick(&SOURCES);
    let mut record = usual_fields(random, source, 0);
    let mut order: Vec<&str> = ORDER.to_vec();
    let mut escaped = "";
    let mut truth = None;
    if random.below(1000) < odd {
        match random.below(9) {
            0 => (0..order.len()).for_each(|at| order.swap(at, random.below(ORDER.len()))),
            1 => {
                escaped = *random.pick(&["eventSource", "eventTime", "eventID", "eventCategory", "eventName"])
            }
            2 => drop(record.remove(*random.pick(&[
                "eventCategory",
                "eventID",
                "awsRegion",
                "recipientAccountId",
                "managementEvent",
            ]))),
            3 => {
                truth = record
                    .remove(*random.pick(&["eventTime", "eventSource", "eventName"]))
                    .map(|_| Truth::Failed)
            }
            4 => truth = record.insert("eventTime".into(), json!("yesterday")).map(|_| Truth::Failed),
            5 => {
                truth = record.insert("eventCategory".into(), json!("NetworkActivity")).map(|_| Truth::Other)
            }
            6 => drop(
                record.insert("eventTime".into(), json!(1_605_853_145_000_i64 + random.below(5000) as i64)),
            ),
            7 => drop(record.insert("eventTime".into(), json!("2020-11-20 06:19:05.000"))),
            _ => {
                let value =
                    random.pick(&[json!(5), json!("x"), json!(null), json!({"a": 1}), json!([1])]).clone();
                return Element { text: value.to_string(), truth: Truth::Failed };
            }
        }
    }
    let mut text = String::new();
    write_object(&mut text, &record, Some(&order), escaped, writing, 1);
    let time = record.get("eventTime").map_or(0, |time| if truth.is_some() { 0 } else { time_of(time) });
    if record.get("eventTime").is_some_and(|time| !time.as_str().is_some_and(|time| time.contains('T'))) {
        // It is read as CloudTrail would have written it.
        record.insert("eventTime".into(), json!(Timestamp::from_millis(time).to_string()));
    }
    let truth = truth.unwrap_or_else(|| Truth::Record {
        time,
        source: source.to_owned(),
        id: record.get("eventID").and_then(Value::as_str).map(str::to_owned),
        value: Value::Object(record),
    });
    Element { text, truth }
}

fn time_of(value: &Value) -> i64 {
    match value {
        Value::String(text) => {
            let text = text.replace(' ', "T");
            let text = if text.ends_with('Z') { text } else { format!("{text}Z") };
            chrono::DateTime::parse_from_rfc3339(&text).expect("time").timestamp_millis()
        }
        number => number.as_i64().expect("number"),
    }
}

fn gap(out: &mut String, writing: Writing, indent: usize) {
    match writing {
        Writing::Compact => {}
        Writing::Spaced => out.push_str([" ", "\t", " \r"][indent % 3]),
        Writing::Pretty => {
            out.push('\n');
            out.push_str(&"  ".repeat(indent));
        }
    }
}

fn write_object(
    out: &mut String,
    object: &Map<String, Value>,
    order: Option<&[&str]>,
    escaped: &str,
    writing: Writing,
    indent: usize,
) {
    let keys: Vec<&str> = order.map_or_else(|| object.keys().map(String::as_str).collect(), <[&str]>::to_vec);
    out.push('{');
    let mut first = true;
    for key in keys {
        let Some(value) = object.get(key) else { continue };
        if !std::mem::take(&mut first) {
            out.push(',');
        }
        gap(out, writing, indent);
        if !escaped.is_empty() && key == escaped {
            out.push_str(&format!("\"\\u{:04x}{}\"", u32::from(key.as_bytes()[0]), &key[1..]));
        } else {
            out.push_str(&json!(key).to_string());
        }
        if writing != Writing::Compact {
            out.push(' ');
        }
        out.push(':');
        write_value(out, value, writing, indent + 1);
    }
    gap(out, writing, indent - 1);
    out.push('}');
}

fn write_value(out: &mut String, value: &Value, writing: Writing, indent: usize) {
    match value {
        Value::Object(object) => write_object(out, object, None, "", writing, indent + 1),
        Value::Array(elements) => {
            out.push('[');
            for (n, element) in elements.iter().enumerate() {
                if n > 0 {
                    out.push(',');
                }
                gap(out, writing, indent);
                write_value(out, element, writing, indent + 1);
            }
            out.push(']');
        }
        scalar => out.push_str(&scalar.to_string()),
    }
}

/// `{"Records":[…]}` with these elements and their spacing, and where each of them ends.
pub fn document(elements: &[Element], writing: Writing) -> (String, Vec<usize>) {
    let mut out = String::new();
    for part in ["{", "\"Records\"", ":", "["] {
        gap(&mut out, writing, 1);
        out.push_str(part);
    }
    let mut ends = Vec::new();
    for (n, element) in elements.iter().enumerate() {
        if n > 0 {
            out.push(',');
        }
        gap(&mut out, writing, 0);
        out.push_str(&element.text);
        ends.push(out.len());
        gap(&mut out, writing, 0);
    }
    out.push(']');
    gap(&mut out, writing, 0);
    out.push('}');
    (out, ends)
}

pub fn gzip(text: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(text).expect("memory");
    encoder.finish().expect("memory")
}

/// Keeps all records.
#[derive(Debug, Default, PartialEq)]
pub struct Kept(pub Vec<(u64, String, bool)>);

impl RecordSink for Kept {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.0.push((record.index, record.json.to_owned(), record.native));
        Ok(())
    }
}

/// The complete result of one reading.
#[derive(Debug, PartialEq)]
pub struct Reading {
    pub report: ObjectReport,
    pub kept: Vec<(u64, String, bool)>,
    pub ids: Vec<Identity>,
}

pub fn read(stored: &[u8], wanted: Wanted<'_>) -> Reading {
    read_with(&mut Decoder::new(), stored, wanted, Limits::default())
}

pub fn read_with(decoder: &mut Decoder, stored: &[u8], wanted: Wanted<'_>, limits: Limits) -> Reading {
    let mut kept = Kept::default();
    let report = decoder.object(stored, wanted, limits, &mut kept);
    Reading { report, kept: kept.0, ids: decoder.identities().to_vec() }
}
