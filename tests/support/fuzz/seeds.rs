//! The seeds of mutation: one for every past bug, the named queries, and the forms of pasted texts.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

pub fn root() -> PathBuf {
    // `fuzz/` is a package of its own.
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    if here.ends_with("fuzz") { here.parent().unwrap().to_owned() } else { here.to_owned() }
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let mut paths: Vec<PathBuf> =
        fs::read_dir(root().join(folder)).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.is_file());
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

pub fn gunzipped(bytes: &[u8]) -> Vec<u8> {
    let mut plain = Vec::new();
    flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut plain).unwrap();
    plain
}

/// Log files, uncompressed.
pub fn records() -> Vec<Vec<u8>> {
    let mut seeds: Vec<Vec<u8>> =
        files("fuzz/seeds/records").iter().map(|packed| gunzipped(packed)).collect();
    seeds.extend(files("tests/incidents").into_iter().filter(|bytes| bytes.starts_with(b"{")));
    seeds
}

/// Log files as stored, every other one compressed.
pub fn objects() -> Vec<Vec<u8>> {
    let packed = files("fuzz/seeds/records");
    records().into_iter().step_by(2).chain(packed).collect()
}

/// The same, in which a tool has written objects and names as lists of one element.
pub fn listed() -> Vec<Vec<u8>> {
    let names = [
        "requestParameters",
        "responseElements",
        "serviceEventDetails",
        "userIdentity",
        "errorCode",
        "eventName",
    ];
    let seeds = records().into_iter().enumerate().filter_map(|(number, seed)| {
        let mut text = String::from_utf8(seed).ok()?;
        // One of them alone, or all.
        for (place, name) in names.iter().enumerate() {
            if number % 7 == place || number % 7 == names.len() {
                text = with_lists(&text, name);
            }
        }
        Some(text.into_bytes())
    });
    seeds.collect()
}

fn with_lists(text: &str, name: &str) -> String {
    let key = format!("\"{name}\":");
    let (mut out, mut rest) = (String::new(), text);
    while let Some((before, behind)) = rest.split_once(&key) {
        let mut values = serde_json::Deserializer::from_str(behind).into_iter::<serde_json::Value>();
        let end = values.next().filter(Result::is_ok).map_or(0, |_| values.byte_offset());
        let (value, behind) = behind.split_at(end);
        out += before;
        out += &key;
        out += &if value.is_empty() { String::new() } else { format!("[{value}]") };
        rest = behind;
    }
    out + rest
}

pub fn policies() -> Vec<Vec<u8>> {
    files("fuzz/seeds/policies")
}

pub fn pasted() -> Vec<Vec<u8>> {
    let forms = fs::read_to_string(root().join("tests/incidents/pasted-text-forms.json")).unwrap();
    let forms: Vec<serde_json::Value> = serde_json::from_str(&forms).unwrap();
    forms.iter().map(|form| form["text"].as_str().unwrap().as_bytes().to_vec()).collect()
}

/// Small Parquet files as other programs write them.
pub fn parquets() -> Vec<Vec<u8>> {
    files("tests/inputs/parquet-of-others")
        .into_iter()
        .filter(|bytes| bytes.starts_with(b"PAR1") && bytes.len() < 30_000)
        .collect()
}

pub fn queries() -> Vec<Vec<u8>> {
    files("queries")
}

pub fn listings() -> Vec<Vec<u8>> {
    let entry = |number: u32| {
        format!(
            "<Contents><Key>a/{number}.json</Key><Size>{number}</Size><ETag>&quot;{number}&quot;</ETag></Contents>"
        )
    };
    let entries: String = (0..20).map(entry).collect();
    let whole = format!(
        "<?xml version=\"1.0\"?><ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><KeyCount>21</KeyCount><EncodingType>url</EncodingType>\
         {entries}<CommonPrefixes><Prefix>a/b/</Prefix></CommonPrefixes><IsTruncated>false</IsTruncated></ListBucketResult>"
    );
    vec![whole.into_bytes()]
}
