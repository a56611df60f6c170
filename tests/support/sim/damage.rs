//! Bytes of objects, intact and damaged, with the truth about what a reader can get out of each.

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::delivery::{Parcel, to_text};
use super::rng::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    Read,
    Skipped,
    Failed,
}

/// A file of the archive.
#[derive(Debug, Clone)]
pub struct Object {
    pub key: String,
    pub bytes: Vec<u8>,
    pub truth: ObjectTruth,
}

/// What a reader must report about it.
#[derive(Debug, Clone)]
pub struct ObjectTruth {
    pub outcome: Outcome,
    /// Readable records, as (eventID, index in the object).
    pub readable: Vec<(String, usize)>,
    /// Indexes of records that are complete but invalid.
    pub unreadable: Vec<usize>,
    /// eventIDs of records that are lost because of the damage.
    pub lost: Vec<String>,
    pub damage: &'static str,
}

impl Object {
    /// (key, index of the record if only that is unreadable) of everything that must be reported.
    pub fn failures(&self) -> Vec<(String, Option<usize>)> {
        let mut failures: Vec<_> =
            self.truth.unreadable.iter().map(|index| (self.key.clone(), Some(*index))).collect();
        if self.truth.outcome == Outcome::Failed {
            failures.push((self.key.clone(), None));
        }
        failures
    }
}

/// All kinds of objects; these are intact.
pub const WHOLE: &[&str] = &["gzip", "plain", "pretty", "multi_member", "no_newline"];
pub const DAMAGES: &[&str] = &[
    "cut_gzip",
    "bad_crc",
    "trailing_garbage",
    "not_json",
    "cut_json",
    "cut_plain",
    "wrong_types",
    "not_utf8",
    "empty_file",
    "cut_member",
    "not_gzip",
];

/// Large objects are stored without compression, because an unoptimised compressor would take most of a test
/// run's time.
pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let level = if bytes.len() < 8_000 { Compression::fast() } else { Compression::none() };
    let mut encoder = GzEncoder::new(Vec::new(), level);
    encoder.write_all(bytes).and_then(|()| encoder.finish()).expect("gzip into memory")
}

fn ids(records: &[Value]) -> Vec<String> {
    records.iter().map(|record| record["eventID"].as_str().unwrap_or_default().to_owned()).collect()
}

fn document(texts: &[String]) -> String {
    format!("{{\"Records\":[{}]}}", texts.join(","))
}

/// Writes a parcel as an object of this kind.
pub fn write(parcel: &Parcel, kind: &'static str, rng: &mut Rng) -> Object {
    let texts: Vec<String> = parcel.records.iter().map(|record| to_text(record, rng)).collect();
    let ids = ids(&parcel.records);
    let whole = document(&texts);
    let all = |outcome| ObjectTruth {
        outcome,
        readable: ids.iter().cloned().enumerate().map(|(index, id)| (id, index)).collect(),
        unreadable: Vec::new(),
        lost: Vec::new(),
        damage: kind,
    };
    let first = |count: usize| ObjectTruth {
        outcome: Outcome::Failed,
        readable: ids.iter().take(count).cloned().enumerate().map(|(index, id)| (id, index)).collect(),
        unreadable: Vec::new(),
        lost: ids[count..].to_vec(),
        damage: kind,
    };
    let keep = rng.index(texts.len().max(1)).min(texts.len().saturating_sub(1));
    let (bytes, truth) = match kind {
        "plain" => (whole.into_bytes(), all(Outcome::Read)),
        "pretty" => {
            (gzip(format!("{:#}\n", json!({"Records": parcel.records})).as_bytes()), all(Outcome::Read))
        }
        "multi_member" => (members(&whole, rng), all(Outcome::Read)),
        "no_newline" => (gzip(format!(" {whole}").as_bytes()), all(Outcome::Read)),
        "cut_gzip" => (cut_gzip(&texts, keep), first(keep)),
        "cut_member" => (cut_member(&texts, keep), first(keep)),
        "bad_crc" => (bad_crc(&whole), all(Outcome::Failed)),
        "trailing_garbage" => {
            ([gzip(whole.as_bytes()), b"garbage, not a member".to_vec()].concat(), all(Outcome::Failed))
        }
        "not_json" => (gzip(b"<?xml version=\"1.0\"?><Error><Code>SlowDown</Code></Error>"), first(0)),
        "not_gzip" => (b"\x1f\x8bthis is no gzip member".to_vec(), first(0)),
        "empty_file" => (Vec::new(), first(0)),
        "cut_json" => (gzip(cut_text(&texts, keep).as_bytes()), first(keep)),
        "cut_plain" => (cut_text(&texts, keep).into_bytes(), first(keep)),
        "wrong_types" => wrong_types(&texts, &ids, rng),
        "not_utf8" => not_utf8(&texts, &ids, keep),
        _ => (gzip(format!("{whole}\n").as_bytes()), all(Outcome::Read)),
    };
    Object { key: parcel.key.clone(), bytes, truth }
}

/// One text in two or three gzip members, divided anywhere.
fn members(text: &str, rng: &mut Rng) -> Vec<u8> {
    let bytes = text.as_bytes();
    let middle = rng.index(bytes.len().max(1));
    [gzip(&bytes[..middle]), gzip(b""), gzip(&bytes[middle..])].concat()
}

/// The first `keep` records completely, and the beginning of the next one, too short to be a record.
fn cut_text(texts: &[String], keep: usize) -> String {
    let head: String = texts.get(keep).map(|text| text.chars().take(40).collect()).unwrap_or_default();
    let mut parts = texts[..keep].to_vec();
    parts.push(head);
    let whole = document(&parts);
    whole[..whole.len() - 2].to_owned()
}

/// A gzip stream that is truncated after a flush, so that every streaming reader gets exactly the beginning.
fn cut_gzip(texts: &[String], keep: usize) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder
        .write_all(cut_text(texts, keep).as_bytes())
        .and_then(|()| encoder.flush())
        .expect("gzip into memory");
    let flushed = encoder.get_ref().len();
    encoder.write_all(texts.join(",").as_bytes()).expect("gzip into memory");
    let mut bytes = encoder.finish().expect("gzip into memory");
    bytes.truncate(flushed);
    bytes
}

/// A complete first member, and only the header of a second one.
fn cut_member(texts: &[String], keep: usize) -> Vec<u8> {
    let mut bytes = gzip(cut_text(texts, keep).as_bytes());
    bytes.extend(&gzip(b"the rest of it")[..12]);
    bytes
}

fn bad_crc(whole: &str) -> Vec<u8> {
    let mut bytes = gzip(whole.as_bytes());
    let at = bytes.len() - 8;
    bytes[at] ^= 0x5a;
    bytes
}

/// Values among the records that are not records: numbers, lists, and objects without required members.
fn wrong_types(texts: &[String], ids: &[String], rng: &mut Rng) -> (Vec<u8>, ObjectTruth) {
    const STRANGERS: &[&str] = &[
        "42",
        "\"PutImage\"",
        "null",
        "[]",
        "{\"eventSource\":\"ecr.amazonaws.com\",\"eventName\":\"PutImage\",\"eventTime\":17,\"eventID\":\"x\"}",
        "{\"eventSource\":\"ecr.amazonaws.com\",\"eventName\":{\"is\":\"PutImage\"},\"eventTime\":\"2026-03-04T00:00:00Z\",\"eventID\":\"y\"}",
    ];
    let mut parts: Vec<(String, Option<String>)> =
        texts.iter().cloned().zip(ids.iter().cloned().map(Some)).collect();
    for _ in 0..rng.range(1, 4) {
        let at = rng.index(parts.len() + 1);
        parts.insert(at, ((*rng.pick(STRANGERS)).to_owned(), None));
    }
    let readable =
        parts.iter().enumerate().filter_map(|(index, (_, id))| Some((id.clone()?, index))).collect();
    let unreadable =
        parts.iter().enumerate().filter(|(_, (_, id))| id.is_none()).map(|(index, _)| index).collect();
    let texts: Vec<String> = parts.into_iter().map(|(text, _)| text).collect();
    let truth =
        ObjectTruth { outcome: Outcome::Read, readable, unreadable, lost: Vec::new(), damage: "wrong_types" };
    (gzip(document(&texts).as_bytes()), truth)
}

/// One ECR record that is not UTF-8, among valid ones.
fn not_utf8(texts: &[String], ids: &[String], at: usize) -> (Vec<u8>, ObjectTruth) {
    let bad: &[u8] = b"{\"eventVersion\":\"1.11\",\"eventSource\":\"ecr.amazonaws.com\",\"eventName\":\"PutImage\",\"eventTime\":\"2026-03-04T00:00:00Z\",\"eventID\":\"bad\xff\xfe\",\"awsRegion\":\"us-east-1\"}";
    let mut bytes = b"{\"Records\":[".to_vec();
    let mut readable = Vec::new();
    for (index, text) in texts.iter().enumerate() {
        if index == at {
            bytes.extend_from_slice(bad);
            bytes.push(b',');
        }
        bytes.extend_from_slice(text.as_bytes());
        bytes.push(if index + 1 < texts.len() { b',' } else { b']' });
        readable.push((ids[index].clone(), index + usize::from(index >= at)));
    }
    bytes.push(b'}');
    (
        gzip(&bytes),
        ObjectTruth {
            outcome: Outcome::Read,
            readable,
            unreadable: vec![at],
            lost: Vec::new(),
            damage: "not_utf8",
        },
    )
}
