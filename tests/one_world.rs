//! The same events in every container and dialect give the same results.

use std::fmt::Write as _;
use std::fs;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

/// The records of the incident, and the objects that contain them.
fn world() -> (Vec<(String, Vec<u8>)>, Vec<Value>) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident/AWSLogs");
    let mut objects = Vec::new();
    walk(&root, &mut objects);
    objects.sort();
    let named = |path: &PathBuf| {
        (format!("AWSLogs/{}", path.strip_prefix(&root).unwrap().display()), fs::read(path).unwrap())
    };
    let objects: Vec<_> = objects.iter().map(named).collect();
    let records = objects.iter().flat_map(|(_, bytes)| {
        let mut text = String::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_string(&mut text).unwrap();
        let document: Value = serde_json::from_str(&text).unwrap();
        document["Records"].as_array().cloned().unwrap_or_default()
    });
    let records = records.collect();
    (objects, records)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() { walk(&entry, found) } else { found.push(entry) }
    }
}

/// The output of `detect` for a source: records, failures, and the findings without positions of evidence.
fn detect(source: &Path, options: &[&str]) -> (u64, u64, Value) {
    let output =
        tagfall().arg("detect").arg(source).args(["--format", "json", "-q"]).args(options).output().unwrap();
    told(&output.stdout)
}

fn told(stdout: &[u8]) -> (u64, u64, Value) {
    let mut document: Value = serde_json::from_slice(stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(stdout)));
    strip(&mut document["findings"]);
    let coverage = &document["coverage"];
    let failed = coverage["records_failed"].as_u64().unwrap() + coverage["objects_failed"].as_u64().unwrap();
    (coverage["records"].as_u64().unwrap(), failed, document["findings"].take())
}

/// The rows of `query` without positions; payloads are compared by value.
#[cfg(feature = "sql")]
fn rows(source: &Path, columns: &str) -> Vec<Value> {
    let sql = format!("SELECT {columns} FROM cloudtrail_logs ORDER BY eventtime, eventid");
    let output =
        tagfall().args(["query", &sql]).arg(source).args(["--format", "ndjson", "-q"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let row = |line: &str| {
        let mut row: Value = serde_json::from_str(line).unwrap();
        strip(&mut row);
        for value in row.as_object_mut().unwrap().values_mut() {
            if let Some(said) = value
                .as_str()
                .filter(|text| text.starts_with(['{', '[']))
                .and_then(|text| serde_json::from_str(text).ok())
            {
                *value = said;
            }
        }
        row
    };
    text.lines().map(row).collect()
}

/// The columns that every form preserves, including lossy ones.
#[cfg(feature = "sql")]
const TOLD_BY_ALL: &str = "eventid, eventtime, eventsource, eventname, awsregion, recipientaccountid, errorcode, requestparameters, useridentity.arn AS arn";

#[cfg(feature = "sql")]
#[test]
fn every_form_and_its_lake_have_the_same_rows() {
    let folder = tempfile::tempdir().unwrap();
    let (_, records) = world();
    let first = folder.path().join("expected.json");
    fs::write(&first, json!({ "Records": records }).to_string()).unwrap();
    let events: std::collections::BTreeSet<&str> =
        records.iter().filter_map(|record| record["eventID"].as_str()).collect();
    assert_eq!(rows(&first, "*").len(), events.len());
    for (number, (name, bytes)) in forms().into_iter().enumerate() {
        let path = folder.path().join("form");
        fs::write(&path, &bytes).unwrap();
        let columns = if is_lossy(name) { TOLD_BY_ALL } else { "*" };
        let told = |source: &Path| {
            let mut told = rows(source, columns);
            told.iter_mut().filter(|_| is_lossy(name)).for_each(bare);
            told
        };
        let expected = told(&first);
        assert_eq!(told(&path), expected, "{name}");
        let lake = folder.path().join(format!("lake-{number}"));
        let output = tagfall().arg("ingest").arg(&path).arg("--lake").arg(&lake).output().unwrap();
        assert_eq!(output.status.code(), Some(0), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(told(&lake), expected, "{name}: its lake");
    }
}

/// Without null and empty members, which struct columns cannot represent.
#[cfg(feature = "sql")]
fn bare(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.values_mut().for_each(bare);
            members.retain(|_, value| {
                !value.is_null()
                    && value.as_object().is_none_or(|inner| !inner.is_empty())
                    && value.as_array().is_none_or(|list| !list.is_empty())
            });
        }
        Value::Array(elements) => elements.iter_mut().for_each(bare),
        _ => {}
    }
}

/// Whether a form may lack parts of a record.
fn is_lossy(name: &str) -> bool {
    ["OCSF", "CloudTrail's columns"].iter().any(|lossy| name.starts_with(lossy))
}

#[cfg(feature = "sql")]
#[path = "one_world/parquet.rs"]
mod parquet;

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.remove("object");
            members.remove("record");
            members.values_mut().for_each(strip);
        }
        Value::Array(elements) => elements.iter_mut().for_each(strip),
        _ => {}
    }
}

fn tagfall() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tagfall"))
}

fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tarred(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

fn lines(records: &[Value], form: impl Fn(&Value) -> Value) -> Vec<u8> {
    records
        .iter()
        .fold(String::new(), |mut out, record| {
            writeln!(out, "{}", form(record)).unwrap();
            out
        })
        .into_bytes()
}

fn table(heading: &[&str], records: &[Value], row: impl Fn(&Value) -> Vec<String>) -> Vec<u8> {
    let mut rows = csv::Writer::from_writer(Vec::new());
    rows.write_record(heading).unwrap();
    records.iter().for_each(|record| rows.write_record(row(record)).unwrap());
    rows.into_inner().unwrap()
}

const COLUMNS: &[&str] = &[
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestParameters",
    "responseElements",
    "requestID",
    "eventID",
    "readOnly",
    "resources",
    "eventType",
    "recipientAccountId",
    "sharedEventID",
    "serviceEventDetails",
    "managementEvent",
];

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn ocsf(record: &Value) -> Value {
    let user = &record["userIdentity"];
    json!({
        "metadata": {"product": {"name": "CloudTrail"}, "uid": record["eventID"], "event_code": record["eventType"]},
        "class_uid": 6003, "time_dt": record["eventTime"], "cloud": {"region": record["awsRegion"]},
        "api": {
            "operation": record["eventName"], "service": {"name": record["eventSource"]},
            "request": {"uid": record["requestID"], "data": record["requestParameters"].to_string()},
            "response": {"data": record["responseElements"].to_string(), "error": record["errorCode"], "message": record["errorMessage"]},
        },
        "actor": {"user": {"type": user["type"], "uid": user["arn"], "uid_alt": user["principalId"], "account": {"uid": user["accountId"]}},
                  "invoked_by": user["invokedBy"]},
        "src_endpoint": {"ip": record["sourceIPAddress"]}, "http_request": {"user_agent": record["userAgent"]},
        "unmapped": {"recipientAccountId": record["recipientAccountId"], "readOnly": record["readOnly"].to_string(),
                     "serviceEventDetails": record["serviceEventDetails"].to_string(), "sharedEventID": record["sharedEventID"]},
    })
}

/// Every form by its name.
fn forms() -> Vec<(&'static str, Vec<u8>)> {
    let (objects, records) = world();
    let text = |record: &Value| Value::from(record.to_string());
    let document = json!({ "Records": records }).to_string();
    let with_junk = [
        &objects[..],
        &[
            ("__MACOSX/AWSLogs/._x".to_owned(), b"junk".to_vec()),
            ("README.md".to_owned(), b"junk".to_vec()),
            ("._y".to_owned(), b"junk".to_vec()),
        ],
    ]
    .concat();
    let utf16: Vec<u8> =
        [0xfeff].into_iter().chain(document.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let (zip, tar) = (zipped(&with_junk), tarred(&with_junk));
    let inner = vec![("inner.zip".to_owned(), zip.clone())];
    let tables = [
        ("a column of CloudTrail Lake", table(&["eventJson"], &records, |record| vec![record.to_string()])),
        (
            "a column of Splunk",
            table(&["_time", "_raw", "host"], &records, |record| {
                vec!["1".into(), format!("{record:#}"), "h".into()]
            }),
        ),
        (
            "CloudTrail's columns",
            table(
                &COLUMNS
                    .iter()
                    .map(|name| name.to_lowercase())
                    .collect::<Vec<_>>()
                    .iter()
                    .map(String::as_str)
                    .collect::<Vec<_>>(),
                &records,
                |record| COLUMNS.iter().map(|name| cell(&record[*name])).collect(),
            ),
        ),
    ];
    let mut forms = vec![
        ("one object", document.clone().into_bytes()),
        ("gzip", gzip(document.as_bytes())),
        ("gzip inside gzip", gzip(&gzip(document.as_bytes()))),
        ("zstd", zstd::encode_all(document.as_bytes(), 3).unwrap()),
        ("UTF-16", utf16),
        ("zip", zip.clone()),
        ("zip in zip", zipped(&inner)),
        ("zip in tar", tarred(&inner)),
        ("zip in gzip", gzip(&zip)),
        ("tar", tar.clone()),
        ("tar.gz", gzip(&tar)),
        ("tar.zst", zstd::encode_all(tar.as_slice(), 3).unwrap()),
        ("lines", lines(&records, Value::clone)),
        ("Splunk's export", lines(&records, |record| json!({"preview": false, "result": {"_raw": text(record)}}))),
        ("Elasticsearch's documents", lines(&records, |record| json!({"_index": "x", "_source": record}))),
        ("Elastic's original", lines(&records, |record| json!({"_source": {"event": {"original": text(record)}}}))),
        ("Elasticsearch's answer", json!({"hits": {"total": 1, "hits": records.iter().map(|record| json!({"_source": record})).collect::<Vec<_>>()}}).to_string().into_bytes()),
        ("Insights' messages", lines(&records, |record| json!({"@timestamp": "x", "@message": text(record)}))),
        ("Insights' answer", json!({"results": records.iter().map(|record| json!([{"field": "@ptr", "value": "x"}, {"field": "@message", "value": text(record)}])).collect::<Vec<_>>()}).to_string().into_bytes()),
        ("SNS", lines(&records, |record| json!({"Type": "Notification", "Message": json!({"Records": [record]}).to_string()}))),
        ("SNS in SQS", lines(&records, |record| json!({"MessageId": "x", "Body": json!({"Type": "Notification", "Message": text(record)}).to_string()}))),
        ("Panther", lines(&records, |record| { let mut record = record.clone(); record["p_log_type"] = "AWS.CloudTrail".into(); record })),
        ("OCSF", lines(&records, ocsf)),
    ];
    forms.extend(tables);
    #[cfg(feature = "sql")]
    forms.extend(parquet::forms(&records));
    forms
}

#[test]
fn every_form_says_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (_, records) = world();
    let first = folder.path().join("expected.json");
    fs::write(&first, json!({ "Records": records }).to_string()).unwrap();
    let (count, failed, findings) = detect(&first, &[]);
    assert_eq!((count, failed), (records.len() as u64, 0));
    assert_eq!(findings.as_array().map(Vec::len), Some(1), "{findings}");
    let finding = |findings: &Value| {
        let findings = findings.as_array().unwrap().iter();
        findings
            .map(|finding| {
                [
                    &finding["id"],
                    &finding["kind"],
                    &finding["severity"],
                    &finding["lost"],
                    &finding["usage"]["pulls_after_gone"],
                ]
                .map(Value::clone)
            })
            .collect::<Vec<_>>()
    };
    for (name, bytes) in forms() {
        let path = folder.path().join("form");
        fs::write(&path, &bytes).unwrap();
        let said = detect(&path, &[]);
        assert_eq!((said.0, said.1), (count, 0), "{name}");
        if is_lossy(name) {
            assert_eq!(finding(&said.2), finding(&findings), "{name}")
        } else {
            assert_eq!(said.2, findings, "{name}")
        }
        // A pipe has no random access.
        let mut piped = tagfall()
            .args(["detect", "-", "--format", "json", "-q", "--jobs", "4"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        piped.stdin.take().unwrap().write_all(&bytes).unwrap();
        assert_eq!(told(&piped.wait_with_output().unwrap().stdout), said, "{name} through a pipe");
    }
}

#[test]
fn members_are_named_pruned_and_fail_like_objects() {
    let folder = tempfile::tempdir().unwrap();
    let (objects, records) = world();
    let path = folder.path().join("logs.zip");
    let mut members = objects.clone();
    members.push(("broken.json.gz".to_owned(), objects[0].1[..40].to_vec()));
    fs::write(&path, zipped(&members)).unwrap();
    let run = |options: &[&str]| {
        let output = tagfall()
            .arg("detect")
            .arg(&path)
            .args(["--format", "json", "-q"])
            .args(options)
            .output()
            .unwrap();
        serde_json::from_slice::<Value>(&output.stdout).unwrap()
    };
    let whole = run(&[]);
    let failures = whole["coverage"]["failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1, "{failures:?}");
    assert!(failures[0]["object"].as_str().unwrap().ends_with("logs.zip!broken.json.gz"), "{failures:?}");
    assert_eq!(
        whole["coverage"]["objects_listed"],
        objects.len() as u64 + 2,
        "the archive, and what is in it"
    );
    let evidence = whole["findings"][0]["second_push"]["object"].as_str().unwrap().to_owned();
    assert!(evidence.contains("logs.zip!AWSLogs/"), "{evidence}");
    let coverage = run(&["--account", "999999999999"])["coverage"].clone();
    assert!(
        coverage.is_null() || coverage["records"].as_u64().unwrap() < records.len() as u64 / 2,
        "{coverage}"
    );
}

#[test]
fn bombs_end_at_a_limit() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = vec![0; 64 << 20];
    let blanks = [b"{\"Records\":[".to_vec(), vec![b' '; 64 << 20], b"]}".to_vec()].concat();
    let many: Vec<(String, Vec<u8>)> = (0..70_000).map(|n| (format!("{n}.json"), Vec::new())).collect();
    let nested = (0..6).fold(zipped(&[("a.json".to_owned(), b"{}".to_vec())]), |inner, _| {
        zipped(&[("a.zip".to_owned(), inner)])
    });
    for (name, bytes, failed) in [
        ("zeros in gzip", gzip(&zeros), 1),
        ("zeros in zip", zipped(&[("a".to_owned(), zeros.clone())]), 1),
        ("blanks in gzip", gzip(&blanks), 0),
        ("many members", zipped(&many), 1),
        ("nested archives", nested, 1),
    ] {
        let path = folder.path().join("bomb");
        fs::write(&path, bytes).unwrap();
        let output = tagfall()
            .arg("detect")
            .arg(&path)
            .args(["--format", "json", "-q", "--max-memory", "64MiB"])
            .output()
            .unwrap();
        let code = output.status.code();
        if let Ok(document) = serde_json::from_slice::<Value>(&output.stdout) {
            assert_eq!(
                document["coverage"]["objects_failed"].as_u64(),
                Some(failed),
                "{name}: {}",
                document["coverage"]
            );
        }
        assert!(matches!(code, Some(0 | 2 | 3)), "{name}: {code:?}");
        assert_eq!(code == Some(0), failed == 0, "{name}");
    }
}
