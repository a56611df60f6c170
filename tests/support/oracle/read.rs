//! Files → records. Readable parts are kept, and unreadable ones are listed.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::bufread::GzDecoder;
use serde_json::Value;

/// A record and its position.
#[derive(Debug, Clone)]
pub struct Record {
    pub object: String,
    pub index: usize,
    pub value: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    pub objects_listed: usize,
    pub objects_read: usize,
    pub objects_skipped: usize,
    pub objects_failed: usize,
    pub records: usize,
    pub records_duplicate: usize,
    pub records_failed: usize,
    pub first_event_time: Option<String>,
    pub last_event_time: Option<String>,
    /// (object, index of the record if only that failed).
    pub failures: BTreeSet<(String, Option<usize>)>,
}

pub struct Archive {
    pub records: Vec<Record>,
    pub coverage: Coverage,
}

/// The kind of a file's content.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    Events,
    Other,
    Damaged,
}

/// Reads every file below `folder`, in the order of their paths.
pub fn folder(folder: &Path) -> Archive {
    let mut paths = Vec::new();
    list(folder, &mut paths);
    paths.sort();
    let name = |path: &PathBuf| path.strip_prefix(folder).unwrap_or(path).display().to_string();
    let files: Vec<(String, Vec<u8>)> =
        paths.iter().map(|path| (name(path), fs::read(path).unwrap_or_default())).collect();
    objects(files.iter().map(|(name, bytes)| (name.as_str(), bytes.as_slice())))
}

/// Reads objects from memory, in the order given.
pub fn objects<'o>(objects: impl Iterator<Item = (&'o str, &'o [u8])>) -> Archive {
    let mut archive = Archive { records: Vec::new(), coverage: Coverage::default() };
    for (name, bytes) in objects {
        object_into(name, bytes, &mut archive);
    }
    count(&mut archive);
    archive
}

fn list(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { list(&path, paths) } else { paths.push(path) }
    }
}

/// Reads one object and counts its result.
fn object_into(object: &str, bytes: &[u8], archive: &mut Archive) {
    let (text, inflated) = inflate(bytes);
    let mut elements = Vec::new();
    let mut content = whole(&text, &mut elements).unwrap_or_else(|| contents(&text, &mut elements));
    if !inflated {
        content = Content::Damaged;
    }
    let coverage = &mut archive.coverage;
    coverage.objects_listed += 1;
    match content {
        Content::Events => coverage.objects_read += 1,
        Content::Other => coverage.objects_skipped += 1,
        Content::Damaged => {
            coverage.objects_failed += 1;
            coverage.failures.insert((object.to_owned(), None));
        }
    }
    if content == Content::Other {
        return;
    }
    for (index, element) in elements.into_iter().enumerate() {
        match element.and_then(record) {
            Some(value) => archive.records.push(Record { object: object.to_owned(), index, value }),
            None => {
                coverage.records_failed += 1;
                coverage.failures.insert((object.to_owned(), Some(index)));
            }
        }
    }
}

/// The decompressed bytes of gzip, as far as possible, and whether they are complete. Other bytes are
/// returned unchanged.
fn inflate(bytes: &[u8]) -> (Vec<u8>, bool) {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return (bytes.to_vec(), !bytes.is_empty());
    }
    let mut text = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let mut member = GzDecoder::new(rest);
        let mut piece = [0; 512];
        loop {
            match member.read(&mut piece) {
                Ok(0) => break,
                Ok(count) => text.extend_from_slice(&piece[..count]),
                Err(_) => return (text, false),
            }
        }
        rest = member.into_inner();
    }
    (text, true)
}

/// Reads a file that consists of valid JSON values; `None` if it does not.
fn whole(text: &[u8], elements: &mut Vec<Option<Value>>) -> Option<Content> {
    let documents: Vec<Value> =
        serde_json::Deserializer::from_slice(text).into_iter().collect::<Result<_, _>>().ok()?;
    let mut kind = (!documents.is_empty()).then_some(Content::Events)?;
    for document in documents {
        match value_elements(document, elements) {
            Content::Events => {}
            other => kind = other,
        }
    }
    Some(kind)
}

/// The records in one JSON value.
fn value_elements(mut document: Value, elements: &mut Vec<Option<Value>>) -> Content {
    for list in ["Records", "Events"] {
        if let Some(Value::Array(records)) = document.get_mut(list).map(Value::take) {
            if !records.is_empty() && records.iter().all(is_foreign) {
                return Content::Other;
            }
            elements.extend(records.into_iter().map(Some));
            return Content::Events;
        }
    }
    match document {
        Value::Array(records) => elements.extend(records.into_iter().map(Some)),
        _ if document["digestS3Object"].is_string() => return Content::Other,
        _ if document["eventName"].is_string()
            || document["detail"].is_object()
            || document["CloudTrailEvent"].is_string() =>
        {
            elements.push(Some(document))
        }
        _ => return Content::Damaged,
    }
    Content::Events
}

/// Reads what is possible of a damaged file: the elements of its `Records` before the damage.
fn contents(text: &[u8], elements: &mut Vec<Option<Value>>) -> Content {
    elements.clear();
    let Some(end) = value_end(text, skip_space(text, 0)) else {
        inner_records(text, elements);
        return Content::Damaged;
    };
    inner_records(&text[..end], elements);
    let went_to_its_end = skip_space(text, end) == text.len() && !elements.is_empty();
    if went_to_its_end { Content::Events } else { Content::Damaged }
}

/// CloudTrail events of other kinds than calls and service events.
fn is_foreign(value: &Value) -> bool {
    let category = value["eventCategory"].as_str().unwrap_or_default();
    ["Insight", "NetworkActivity", "Aggregated"].contains(&category)
}

/// The elements of a `Records` that is truncated.
fn inner_records(text: &[u8], elements: &mut Vec<Option<Value>>) {
    const NAME: &[u8] = b"\"Records\"";
    let Some(found) = text.windows(NAME.len()).position(|window| window == NAME) else { return };
    let colon = skip_space(text, found + NAME.len());
    if text.get(colon) == Some(&b':') {
        array_elements(&text[skip_space(text, colon + 1)..], elements);
    }
}

/// The elements of the array that `text` begins with, up to its end or the first truncated one.
fn array_elements(text: &[u8], elements: &mut Vec<Option<Value>>) {
    if text.first() != Some(&b'[') {
        return;
    }
    let mut at = skip_space(text, 1);
    while let Some(end) = value_end(text, at) {
        elements.push(serde_json::from_slice(&text[at..end]).ok());
        at = skip_space(text, end);
        if text.get(at) != Some(&b',') {
            return;
        }
        at = skip_space(text, at + 1);
    }
}

fn skip_space(text: &[u8], mut at: usize) -> usize {
    while text.get(at).is_some_and(u8::is_ascii_whitespace) {
        at += 1;
    }
    at
}

/// The end of the JSON value at `at`; `None` if it is truncated, or there is none.
fn value_end(text: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0_usize;
    let mut in_string = false;
    let mut here = at;
    while let Some(&byte) = text.get(here) {
        here += 1;
        match byte {
            b'\\' if in_string => here += 1,
            b'"' => in_string = !in_string,
            _ if in_string => continue,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.checked_sub(1)?,
            b'0'..=b'9' | b'a'..=b'z' | b'-' | b'+' | b'.' | b'E' if depth == 0 => {
                let scalar = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
                while text.get(here).is_some_and(scalar) {
                    here += 1;
                }
            }
            _ if depth == 0 => return None,
            _ => continue,
        }
        if depth == 0 && !in_string {
            return (here <= text.len()).then_some(here);
        }
    }
    None
}

/// The record in an element, with wrappers removed.
fn record(value: Value) -> Option<Value> {
    let mut value = match value["CloudTrailEvent"].as_str() {
        Some(inner) => serde_json::from_str(inner).ok()?,
        None if value["detail"].is_object() => value["detail"].clone(),
        None => value,
    };
    // Some tools write an object as a list of it.
    for name in ["requestParameters", "responseElements", "serviceEventDetails", "userIdentity"] {
        let only = value.get(name).and_then(Value::as_array).filter(|list| list.len() == 1);
        if let Some(object) = only.map(|list| list[0].clone()) {
            value[name] = object;
        }
    }
    let is_text = |name: &str| value[name].is_string();
    let timely = value["eventTime"].as_str().is_some_and(|time| time.len() == 20 && time.ends_with('Z'));
    (is_text("eventSource") && is_text("eventName") && is_text("eventID") && timely).then_some(value)
}

fn count(archive: &mut Archive) {
    let coverage = &mut archive.coverage;
    let mut seen = BTreeSet::new();
    for record in &archive.records {
        if !seen.insert(super::calls::event(&record.value)) {
            coverage.records_duplicate += 1;
        }
    }
    let times =
        || archive.records.iter().filter_map(|record| record.value["eventTime"].as_str().map(str::to_owned));
    coverage.first_event_time = times().min();
    coverage.last_event_time = times().max();
    coverage.records = archive.records.len() + coverage.records_failed;
}
