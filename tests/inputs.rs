//! The logs in any form: re-exported, redacted, copied and combined by other tools. Each case must give the
//! same result from the file, from gzip, and from a lake, in every command.

#![cfg(feature = "sql")]

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "inputs/exporters.rs"]
mod exporters;
#[path = "support/fixtures/json.rs"]
mod ordered;
#[path = "inputs/several_runs.rs"]
mod several_runs;
#[path = "inputs/spellings.rs"]
mod spellings;
#[path = "inputs/tools.rs"]
mod tools;

fn tagfall(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(arguments)
        .arg("-q")
        .env_clear()
        .output()
        .expect("the program runs")
}

fn text(path: &Path) -> &str {
    path.to_str().expect("a path of ours")
}

/// The JSON output of a command, and its exit code.
fn said(arguments: &[&str]) -> (Value, i32) {
    let output = tagfall(&[arguments, &["--format", "json"]].concat());
    let said = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{arguments:?}: {}", String::from_utf8_lossy(&output.stderr)));
    (said, output.status.code().unwrap_or(-1))
}

/// All rows of a query, sorted.
fn rows(source: &Path, sql: &str) -> Vec<Value> {
    let (said, _) = said(&["query", sql, text(source)]);
    said["rows"].as_array().expect("rows").clone()
}

const EVERYTHING: &str = "SELECT * FROM events ORDER BY object, record, eventid";

/// A source in three forms: unchanged, in gzip, and as a lake.
struct Case {
    folder: tempfile::TempDir,
    forms: Vec<PathBuf>,
}

impl Case {
    fn of(name: &str) -> Self {
        Self::holding(&[(
            name.rsplit('/').next().unwrap(),
            fs::read(Path::new("tests/inputs").join(name)).expect("a case"),
        )])
    }

    /// A folder with these files. Files that are already compressed are left as they are.
    fn holding(files: &[(&str, Vec<u8>)]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let [plain, packed, lake] = ["plain", "packed", "lake"].map(|name| folder.path().join(name));
        for (name, bytes) in files {
            for (at, bytes) in [(&plain, bytes.clone()), (&packed, gzip(bytes))] {
                let path = at.join(name);
                fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
                fs::write(path, bytes).expect("a file");
            }
        }
        tagfall(&["ingest", text(&plain), "--lake", text(&lake)]);
        Self { folder, forms: vec![plain, packed, lake] }
    }

    /// The output of `detect` for the plain form, after comparing that of all forms.
    #[track_caller]
    fn detected(&self) -> (Value, i32) {
        let all: Vec<(Value, i32)> = self.forms.iter().map(|form| said(&["detect", text(form)])).collect();
        for (form, (other, code)) in self.forms.iter().zip(&all) {
            assert_eq!((&other["findings"], code), (&all[0].0["findings"], &all[0].1), "{}", form.display());
            // The number of stored bytes depends on the form, and a lake has no duplicates of its own.
            for number in NUMBERS {
                assert_eq!(
                    other["coverage"][number],
                    all[0].0["coverage"][number],
                    "{number} of {}",
                    form.display()
                );
            }
        }
        let [plain, packed, lake] = [0, 1, 2].map(|form| rows(&self.forms[form], EVERYTHING));
        assert_eq!(plain, packed);
        assert_eq!(plain, lake);
        let coverage = &all[0].0["coverage"];
        let number = |name: &str| coverage[name].as_u64().expect(name);
        let understood = number("records") - number("records_failed") - number("records_duplicate");
        assert_eq!(plain.len() as u64, understood, "rows are what was understood: {coverage}");
        assert_eq!(
            number("objects_listed"),
            number("objects_read") + number("objects_skipped") + number("objects_failed")
        );
        all.into_iter().next().expect("a form")
    }

    /// Checks that there are this many records, all of them readable, and that the incident is found.
    #[track_caller]
    fn shows_the_incident(&self, records: u64) -> Value {
        let (said, code) = self.detected();
        let coverage = said["coverage"].clone();
        assert_eq!(
            (coverage["records"].as_u64(), coverage["records_failed"].as_u64(), code),
            (Some(records), Some(0), 0),
            "{coverage}"
        );
        assert_eq!(findings(&said), ["same-tag-race critical"]);
        coverage
    }

    /// The `coverage` table of each form, by column.
    fn table(&self) -> Vec<Value> {
        self.forms.iter().map(|form| rows(form, "SELECT * FROM coverage").remove(0)).collect()
    }
}

/// Numbers of the coverage that are the same for every form of a source.
const NUMBERS: [&str; 12] = [
    "objects_listed",
    "objects_read",
    "objects_skipped",
    "objects_failed",
    "records",
    "records_duplicate",
    "records_failed",
    "records_skipped",
    "lines_skipped",
    "records_repaired",
    "events_sharing_an_id",
    "warnings",
];

fn findings(said: &Value) -> Vec<String> {
    let findings = said["findings"].as_array().expect("findings");
    findings
        .iter()
        .map(|finding| {
            format!("{} {}", finding["kind"].as_str().unwrap(), finding["severity"].as_str().unwrap())
        })
        .collect()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    if bytes.starts_with(b"\x1f\x8b") {
        return bytes.to_vec();
    }
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(bytes).and_then(|()| packed.finish()).expect("gzip into memory")
}

/// The six records of the incident, one of them a line.
fn incident() -> Vec<Value> {
    let lines = fs::read_to_string("tests/inputs/aws-cli-text-output/input-syslog.log").expect("a case");
    lines
        .lines()
        .map(|line| serde_json::from_str(&line[line.find('{').unwrap()..]).expect("a record"))
        .collect()
}

fn lines(records: &[Value]) -> Vec<u8> {
    records.iter().map(|record| format!("{record}\n")).collect::<String>().into_bytes()
}

/// `image_tag` for `imageTag`.
fn snake(name: &str) -> String {
    name.chars()
        .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
        .collect()
}

/// `ImageTag` for `imageTag`.
fn pascal(name: &str) -> String {
    name[..1].to_uppercase() + &name[1..]
}

fn document(records: &[Value]) -> Vec<u8> {
    json!({ "Records": records }).to_string().into_bytes()
}

#[test]
fn eventid_placeholder() {
    for name in ["eventid-placeholder/input.jsonl", "eventid-placeholder/input.json.gz"] {
        let coverage = Case::of(name).shows_the_incident(6);
        assert_eq!(
            (coverage["records_duplicate"].as_u64(), coverage["events_sharing_an_id"].as_u64()),
            (Some(0), Some(6))
        );
        assert!(
            coverage["warnings"][0].as_str().unwrap().starts_with("6 events share their eventID"),
            "{coverage}"
        );
    }
}

#[test]
fn eventid_empty_query_disagrees() {
    for (name, copies) in [("input-empty", 0), ("input-stars", 0), ("input-number", 0), ("input-missing", 1)]
    {
        let coverage = Case::of(&format!("eventid-empty-query-disagrees/{name}.jsonl")).shows_the_incident(6);
        assert_eq!(coverage["records_duplicate"].as_u64(), Some(copies), "{name}");
        assert_eq!(coverage["records_repaired"]["event_id"].as_u64(), Some(6), "{name}");
    }
}

#[test]
fn params_as_json_text() {
    for (name, repaired) in [("input", 4), ("input-ecr-calls", 1), ("input-details", 1)] {
        let coverage = Case::of(&format!("params-as-json-text/{name}.jsonl")).shows_the_incident(6);
        assert_eq!(coverage["records_repaired"]["json_text"].as_u64(), Some(repaired), "{name}");
        assert_eq!(coverage["warnings"], json!([]), "CloudTrail left nothing out");
    }
}

#[test]
fn errorcode_words() {
    for name in ["input", "input-dash"] {
        let coverage = Case::of(&format!("errorcode-words/{name}.jsonl")).shows_the_incident(6);
        assert_eq!(coverage["records_repaired"]["null_word"].as_u64(), Some(6), "{name}");
    }
}

#[test]
fn eventtime_of_exports() {
    let case = Case::of("eventtime-of-exports/input.jsonl");
    let (said, code) = case.detected();
    assert_eq!((said["coverage"]["records"].as_u64(), code), (Some(9), 0));
    assert_eq!(
        (&said["coverage"]["first_event_time"], &said["coverage"]["last_event_time"]),
        (&json!("2025-06-02T09:00:00Z"), &json!("2025-06-02T09:00:08Z"))
    );
    let times = rows(&case.forms[0], "SELECT eventtime, day FROM events ORDER BY 1");
    let fraction = |second| if second == 2 { ".123" } else { "" };
    let expected: Vec<Value> =
        (0..9).map(|second| json!({"eventtime": format!("2025-06-02T09:00:0{second}{}Z", fraction(second)), "day": "02"})).collect();
    assert_eq!(times, expected);
}

#[test]
fn duplicate_keys_disagree() {
    Case::of("duplicate-keys-disagree/input-id.jsonl").shows_the_incident(6);
    let case = Case::of("duplicate-keys-disagree/input-time.jsonl");
    let (said, _) = case.detected();
    assert_eq!(said["coverage"]["last_event_time"], "2019-01-01T00:00:00Z");
    assert_eq!(
        rows(&case.forms[0], "SELECT max(eventtime) AS m, count(*) AS c FROM events"),
        [json!({"m": "2019-01-01T00:00:00Z", "c": 6})]
    );
}

#[test]
fn dup_key_source_and_half_a_character_in_a_key() {
    let file = fs::read("tests/inputs/dup-key-source/in/a.json").expect("a case");
    let case = Case::holding(&[("a.json", file.clone())]);
    case.detected();
    for form in &case.forms {
        let (said, _) = said(&["timeline", text(form)]);
        assert_eq!(said["timelines"].as_array().map(Vec::len), Some(1), "{}", form.display());
    }
    let mut record = incident().remove(0);
    record["userIdentity"]["so"] = json!("x");
    let half = record.to_string().replace("\"so\"", "\"so\\ud83d\"");
    let case = Case::holding(&[("a.jsonl", half.into_bytes())]);
    case.detected();
    assert_eq!(
        rows(&case.forms[0], "SELECT useridentity.accountid AS a FROM events"),
        [json!({"a": "444433332222"})]
    );
}

#[test]
fn bom_inside() {
    Case::of("bom-inside/input-docs.json").shows_the_incident(6);
    Case::of("bom-inside/input-lines.jsonl").shows_the_incident(6);
    let marked: String =
        incident().iter().map(|record| format!("\u{feff}{record}\u{feff},\r\n\u{feff}")).collect();
    Case::holding(&[(
        "a.json",
        format!("\u{feff}[{}]\u{feff}\n", marked.trim_end_matches(['\u{feff}', '\r', '\n', ',']))
            .into_bytes(),
    )])
    .shows_the_incident(6);
}

#[test]
fn comma_separated_lines() {
    for name in ["input", "input-crlf"] {
        Case::of(&format!("comma-separated-lines/{name}.jsonl")).shows_the_incident(6);
    }
    let one: Vec<String> = incident().iter().map(Value::to_string).collect();
    for between in [",", ", ", "\n,", "\u{1e}"] {
        Case::holding(&[("a.json", one.join(between).into_bytes())]).shows_the_incident(6);
    }
}

#[test]
fn begins_inside_a_record() {
    let pretty = serde_json::to_string_pretty(&json!({ "Records": incident() })).unwrap();
    let cut = pretty.find("\"sourceIPAddress\"").unwrap();
    for text in [
        fs::read("tests/inputs/begins-inside-a-record/input.json").expect("a case"),
        pretty.as_bytes()[cut..].to_vec(),
    ] {
        let (said, code) = Case::holding(&[("a.json", text)]).detected();
        assert_eq!(
            (said["coverage"]["records"].as_u64(), said["coverage"]["records_failed"].as_u64(), code),
            (Some(5), Some(0), 3)
        );
        assert!(
            said["coverage"]["failures"][0]["reason"]
                .as_str()
                .unwrap()
                .contains("begins in the middle of a record"),
            "{}",
            said["coverage"]
        );
        assert_eq!(findings(&said), ["same-tag-race critical"]);
    }
}

#[test]
fn aws_cli_text_output() {
    let coverage = Case::of("aws-cli-text-output/input-lookup.txt").shows_the_incident(6);
    assert_eq!(coverage["lines_skipped"].as_u64(), Some(6));
    Case::of("aws-cli-text-output/input-syslog.log").shows_the_incident(6);
    for prefix in [
        "2025-06-02 09:00:00,123 [main] INFO  c.e.Audit - ",
        "[2025-06-02T09:00:00Z] ",
        "<165>1 2025-06-02T09:00:00Z host app 1 - {x} ",
        "EVENTS\t1\t1748854800000\tlog-stream\t",
    ] {
        let text: String = incident().iter().map(|record| format!("{prefix}{record}\n")).collect();
        Case::holding(&[("a.log", text.into_bytes())]).shows_the_incident(6);
    }
}

#[test]
fn lines_that_are_no_records_counted() {
    for name in ["input-bulk.ndjson", "input-tail.txt"] {
        let coverage = Case::of(&format!("lines-that-are-no-records-counted/{name}")).shows_the_incident(6);
        assert_eq!(coverage["lines_skipped"].as_u64(), Some(6), "{name}");
    }
    let typed =
        [b"$ cat trail.jsonl\n# first half\n".to_vec(), lines(&incident()), b"user@host:~$ exit\n".to_vec()]
            .concat();
    let coverage = Case::holding(&[("a.txt", typed)]).shows_the_incident(6);
    assert_eq!(coverage["lines_skipped"].as_u64(), Some(3));
}

#[test]
fn other_kinds_not_counted() {
    for name in ["input.jsonl", "input.json.gz"] {
        let case = Case::of(&format!("other-kinds-not-counted/{name}"));
        let (said, code) = case.detected();
        assert_eq!(
            (said["coverage"]["records"].as_u64(), said["coverage"]["records_skipped"].as_u64(), code),
            (Some(2), Some(2), 0),
            "{name}"
        );
        for table in case.table() {
            assert_eq!((&table["records"], &table["records_skipped"]), (&json!(2), &json!(2)));
        }
        let page = tagfall(&["detect", text(&case.forms[0])]);
        assert!(String::from_utf8_lossy(&page.stdout).contains("2 events of another kind"));
    }
}

#[test]
fn s3_notification_counted() {
    let (said, code) = Case::of("s3-notification-counted/input.json").detected();
    assert_eq!((said["coverage"]["records"].as_u64(), code), (Some(0), 3));
    assert_eq!(said["coverage"]["failures"][0]["reason"], "an S3 event notification, not CloudTrail");
    let notification: Value =
        serde_json::from_slice(&fs::read("tests/inputs/s3-notification-counted/input.json").unwrap())
            .unwrap();
    let mixed = [incident(), vec![notification["Records"][0].clone()]].concat();
    for bytes in [lines(&mixed), document(&mixed)] {
        let coverage = Case::holding(&[("a.json", bytes)]).shows_the_incident(6);
        assert_eq!(coverage["lines_skipped"].as_u64(), Some(1));
    }
}

#[test]
fn left_out_files_not_in_coverage() {
    let record = lines(&incident()[..1]);
    let log = ".archive/AWSLogs/444433332222/CloudTrail/eu-west-2/2025/06/02/444433332222_CloudTrail_eu-west-2_20250602T0925Z_abcdefghijklmnop.json.gz";
    let case = Case::holding(&[
        ("input.jsonl", record.clone()),
        (".evidence/input.jsonl", record),
        (log, gzip(&document(&incident()))),
    ]);
    for form in &case.forms {
        let (said, _) = said(&["detect", text(form)]);
        let coverage = &said["coverage"];
        assert_eq!(
            (coverage["objects_left_out"].as_u64(), coverage["records"].as_u64()),
            (Some(1), Some(7)),
            "{}: {coverage}",
            form.display()
        );
    }
    assert!(case.table().iter().all(|table| table["objects_left_out"] == 1));
}

/// Every encoding, compression and type of Parquet that other programs write.
#[test]
fn parquet_of_others() {
    let told = |source: &Path| {
        let columns = "eventid, eventtime, eventsource, eventname, awsregion, recipientaccountid, requestparameters, useridentity.arn AS arn";
        let mut told = rows(source, &format!("SELECT {columns} FROM events ORDER BY eventtime, eventid"));
        for row in &mut told {
            // Spacing and order of members depend on the writer.
            row["requestparameters"] = row["requestparameters"]
                .as_str()
                .and_then(|text| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null);
        }
        told
    };
    let folder = tempfile::tempdir().unwrap();
    let first = folder.path().join("first.jsonl");
    fs::write(&first, lines(&incident())).unwrap();
    let expected = told(&first);
    let mut files: Vec<PathBuf> =
        fs::read_dir("tests/inputs/parquet-of-others").unwrap().map(|entry| entry.unwrap().path()).collect();
    files
        .retain(|path| path.extension().is_some_and(|ext| ext == "parquet") && !text(path).contains("bomb-"));
    files.sort();
    assert!(files.len() > 25, "{files:?}");
    for file in files {
        let (document, code) = said(&["detect", text(&file)]);
        assert_eq!(
            (code, findings(&document)),
            (0, vec!["same-tag-race critical".to_owned()]),
            "{}: {}",
            file.display(),
            document["coverage"]
        );
        let mut without_caller = expected.clone();
        // These files were written without the caller.
        if ["delta", "plain.parquet", "rle"].iter().any(|part| text(&file).contains(part))
            && !text(&file).contains("gzip")
        {
            without_caller.iter_mut().for_each(|row| row["arn"] = Value::Null);
        }
        assert_eq!(told(&file), without_caller, "{}", file.display());
    }
}

#[test]
fn lake_same_eventid() {
    for name in ["a", "b"] {
        let file = |object: &str| {
            fs::read(format!("tests/inputs/lake-same-eventid/{name}/{object}.json")).expect("a case")
        };
        let case = Case::holding(&[("a.json", file("a")), ("z.json", file("z"))]);
        let (coverage, _) = case.detected();
        assert_eq!(coverage["coverage"]["events_sharing_an_id"].as_u64(), Some(2));
        for form in &case.forms {
            let (said, _) = said(&["timeline", text(form)]);
            assert_eq!(said["timelines"].as_array().map(Vec::len), Some(1), "{name}: {}", form.display());
        }
    }
}

#[test]
fn lake_no_eventid() {
    let mut record = incident().remove(0);
    record.as_object_mut().unwrap().remove("eventID");
    let (said, _) = Case::holding(&[("a.json", document(&vec![record; 100]))]).detected();
    assert_eq!(
        (said["coverage"]["records"].as_u64(), said["coverage"]["records_duplicate"].as_u64()),
        (Some(100), Some(99))
    );
}

#[test]
fn a_payload_that_is_no_json_is_said_and_the_others_are_read() {
    let mut records = incident();
    records[0]["requestParameters"] = json!("{broken");
    let (said, code) = Case::holding(&[("a.jsonl", lines(&records))]).detected();
    assert_eq!((said["coverage"]["records_failed"].as_u64(), code), (Some(1), 3));
    assert!(
        said["coverage"]["failures"][0]["reason"]
            .as_str()
            .unwrap()
            .contains("requestParameters is text, and no JSON")
    );
}

/// How other tools write the same records.
/// The changes that a tool makes to a record.
type Dialect = fn(&mut Value);

fn dialects() -> Vec<(&'static str, Dialect)> {
    fn each(record: &mut Value, change: impl Fn(&str, Value) -> (String, Value)) {
        let members = record.as_object().unwrap().clone();
        *record = members
            .into_iter()
            .map(|(key, value)| change(&key, value))
            .collect::<serde_json::Map<_, _>>()
            .into();
    }
    fn encode(record: &mut Value, times: usize) {
        for name in
            ["requestParameters", "responseElements", "serviceEventDetails", "userIdentity", "resources"]
        {
            for _ in 0..times {
                if !record[name].is_null() {
                    record[name] = json!(record[name].to_string());
                }
            }
        }
    }
    vec![
        ("lower case", |record| each(record, |key, value| (key.to_lowercase(), value))),
        ("pascal case", |record| each(record, |key, value| (pascal(key), value))),
        ("snake case", |record| {
            each(record, |key, value| (snake(&key.replace("ID", "Id")), value));
        }),
        ("encoded once", |record| encode(record, 1)),
        ("encoded twice", |record| encode(record, 2)),
        ("nothing as a word", |record| {
            for name in ["errorCode", "errorMessage", "sharedEventID", "addendum", "vpcEndpointId"] {
                record[name] = json!("NaN");
            }
        }),
        ("times without a zone", |record| {
            record["eventTime"] =
                json!(record["eventTime"].as_str().unwrap().replace('T', " ").trim_end_matches('Z'))
        }),
        ("accounts as numbers", |record| record["recipientAccountId"] = json!(444_433_332_222_u64)),
        ("flags of Python", |record| {
            record["readOnly"] = json!(if record["readOnly"] == true { "True" } else { "False" })
        }),
    ]
}

#[test]
fn one_world_in_every_dialect_gives_the_same() {
    for (name, change) in dialects() {
        let mut records = incident();
        records.iter_mut().for_each(change);
        for bytes in [lines(&records), document(&records)] {
            let coverage = Case::holding(&[("a.json", bytes)]).shows_the_incident(6);
            assert!(coverage["records_repaired"]["records"].as_u64() > Some(0), "{name}: {coverage}");
        }
    }
}

/// Ids with all kinds of collisions.
fn id() -> impl Strategy<Value = Value> {
    prop_oneof![
        3 => (0_u8..3).prop_map(|n| json!(format!("2c347d3{n}-fff1-53e7-abb0-7c40513bea04"))),
        1 => prop::sample::select(vec![json!("EXAMPLE"), json!("..."), json!(""), json!(null), json!(7), json!("00000000-0000-4000-8000-000000000000")]),
    ]
}

/// Records with few different ids, times, names, regions and accounts, so that many agree in some of them.
fn record() -> impl Strategy<Value = Value> {
    (id(), 0_usize..6, 0_u8..3, 0_u8..2, 0_u8..2, 0_u8..2).prop_map(
        |(id, of, second, region, account, more)| {
            let mut record = incident().swap_remove(of);
            record["eventID"] = id;
            record["eventTime"] = json!(format!("2025-06-0{}T09:00:0{second}Z", 2 + second % 2));
            record["awsRegion"] = json!(["eu-west-2", "us-east-1"][usize::from(region)]);
            record["recipientAccountId"] = json!(["444433332222", "555566667777"][usize::from(account)]);
            // Copies of one event may differ: somebody has anonymised one of them, or removed something.
            record["userAgent"] = json!(format!("agent {more}"));
            if more == 1 && second == 1 {
                record["requestParameters"] = Value::Null;
                record["responseElements"] = Value::Null;
            }
            if more == 1 && second == 2 {
                record["errorCode"] = json!("AccessDenied");
            }
            record
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 8, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn archive_and_lake_agree_whatever_the_ids(objects in prop::collection::vec(prop::collection::vec(record(), 1..7), 1..4)) {
        let name = |at: usize| format!("{at}.json");
        let files: Vec<(String, Vec<u8>)> = objects.iter().enumerate().map(|(at, records)| (name(at), if at == 1 { lines(records) } else { document(records) })).collect();
        let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(name, bytes)| (name.as_str(), bytes.clone())).collect();
        let case = Case::holding(&files);
        case.detected();
        // A lake that was filled object by object, the last one first.
        let [source, lake] = ["grown-from", "grown"].map(|name| case.folder.path().join(name));
        fs::create_dir_all(&source).unwrap();
        for (name, bytes) in files.iter().rev() {
            fs::write(source.join(name), bytes).unwrap();
            tagfall(&["ingest", text(&source), "--lake", text(&lake)]);
        }
        prop_assert_eq!(rows(&case.forms[0], EVERYTHING), rows(&lake, EVERYTHING));
        // If copies differ, conditions apply only to the copy that is kept.
        for condition in [
            "useragent = 'agent 0'",
            "useragent = 'agent 1' AND eventsource = 'ecr.amazonaws.com'",
            "requestparameters IS NULL",
            "errorcode IS NOT NULL OR eventname = 'PutImage'",
            "object LIKE '%1.json'",
            "record > 0",
        ] {
            let sql = format!("SELECT * FROM events WHERE {condition} ORDER BY object, record, eventid");
            let count = format!("SELECT count(*) AS n, count(DISTINCT eventid) AS ids FROM events WHERE {condition}");
            for sql in [sql, count] {
                let [plain, packed, whole, grown] = [&case.forms[0], &case.forms[1], &case.forms[2], &lake].map(|form| rows(form, &sql));
                prop_assert_eq!(&plain, &packed, "{}", sql);
                prop_assert_eq!(&plain, &whole, "{}", sql);
                prop_assert_eq!(&plain, &grown, "{}", sql);
            }
            let some = rows(&case.forms[0], &format!("SELECT eventid FROM events WHERE {condition} LIMIT 2")).len();
            prop_assert_eq!(some, rows(&lake, &format!("SELECT eventid FROM events WHERE {condition} LIMIT 2")).len(), "{}", condition);
        }
        let findings = |form: &Path| said(&["detect", text(form)]).0["findings"].clone();
        prop_assert_eq!(findings(&case.forms[0]), findings(&lake));
    }
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let bits =
            three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        let letter = |at: usize| char::from(LETTERS[(bits >> (18 - 6 * at)) as usize & 63]);
        out.extend((0..=three.len()).map(letter));
        out.extend(std::iter::repeat_n('=', 3 - three.len()));
    }
    out
}

/// `{"a":{"b":1}}` → `{"a.b":1}`.
fn flat(record: &Value, between: &str) -> serde_json::Map<String, Value> {
    fn put(out: &mut serde_json::Map<String, Value>, name: String, value: &Value, between: &str) {
        match value {
            Value::Object(members) if !members.is_empty() => members
                .iter()
                .for_each(|(key, value)| put(out, format!("{name}{between}{key}"), value, between)),
            Value::Array(elements) if elements.iter().any(Value::is_object) => {
                elements
                    .iter()
                    .enumerate()
                    .for_each(|(at, value)| put(out, format!("{name}{between}{at}"), value, between));
            }
            value => drop(out.insert(name, value.clone())),
        }
    }
    let mut out = serde_json::Map::new();
    record.as_object().unwrap().iter().for_each(|(name, value)| put(&mut out, name.clone(), value, between));
    out
}

/// Rows of cells, with a column for every name that any of them has; missing values are empty cells.
fn table(rows: &[serde_json::Map<String, Value>], delimiter: u8, first: &str) -> Vec<u8> {
    let mut names: Vec<&String> = rows.iter().flat_map(serde_json::Map::keys).collect();
    names.sort();
    names.dedup();
    let mut out = csv::WriterBuilder::new().delimiter(delimiter).from_writer(first.as_bytes().to_vec());
    out.write_record(&names).unwrap();
    for row in rows {
        let cell = |name: &&String| match row.get(*name) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text.clone(),
            Some(other) => other.to_string(),
        };
        out.write_record(names.iter().map(cell)).unwrap();
    }
    out.into_inner().unwrap()
}

/// Wrappers and changes of shippers, queues, search engines and notebooks.
fn wrapped() -> Vec<(&'static str, Vec<u8>)> {
    let records = incident();
    let text = |record: &Value| Value::from(record.to_string());
    let each = |form: &dyn Fn(&Value) -> Value| lines(&records.iter().map(form).collect::<Vec<_>>());
    let all = |form: &dyn Fn(&Value) -> Value| records.iter().map(form).collect::<Vec<_>>();
    let subscription = json!({"messageType": "DATA_MESSAGE", "logEvents": all(&|record| json!({"id": "1", "message": text(record)}))}).to_string();
    let columns = |record: &Value| {
        let cell = |value: &Value| {
            if value.is_object() || value.is_array() { Value::from(value.to_string()) } else { value.clone() }
        };
        record
            .as_object()
            .unwrap()
            .iter()
            .map(|(name, value)| (name.to_lowercase(), cell(value)))
            .collect::<serde_json::Map<_, _>>()
    };
    let python = |record: &Value| {
        let cell = |value: &Value| match value {
            Value::Object(_) | Value::Array(_) => Value::from(
                value
                    .to_string()
                    .replace(":null", ":None")
                    .replace(":true", ":True")
                    .replace(":false", ":False"),
            ),
            Value::Bool(truth) => Value::from(if *truth { "True" } else { "False" }),
            value => value.clone(),
        };
        let mut row: serde_json::Map<_, _> =
            record.as_object().unwrap().iter().map(|(name, value)| (name.clone(), cell(value))).collect();
        row.insert(String::new(), Value::from(7));
        row
    };
    let joined = |between: &str| records.iter().map(Value::to_string).collect::<Vec<_>>().join(between);
    vec![
        ("Loki's answer", json!({"status": "success", "data": {"resultType": "streams", "result": [{"stream": {"job": "ct"}, "values": all(&|record| json!(["1700000000000000000", text(record)]))}]}}).to_string().into_bytes()),
        ("logcli's lines", each(&|record| json!({"labels": {}, "line": text(record), "timestamp": "x"}))),
        ("Docker's log driver", each(&|record| json!({"log": format!("{record}\n"), "stream": "stdout", "time": "2026-01-01T00:00:00Z"}))),
        ("Fluent Bit's stdout", records.iter().map(|record| format!("[0] ct: [[1700000000.0, {{}}], {}]\n", json!({"log": text(record)}))).collect::<String>().into_bytes()),
        ("GELF", each(&|record| json!({"version": "1.1", "short_message": "CloudTrail", "full_message": text(record), "timestamp": 1.0}))),
        ("GELF, flat", each(&|record| { let mut flat: serde_json::Map<_, _> = flat(record, "_").into_iter().map(|(name, value)| (format!("_{name}"), value)).collect(); flat.insert("short_message".into(), "x".into()); Value::Object(flat) })),
        ("Datadog's archive", each(&|record| json!({"_id": "A", "date": "x", "service": "cloudtrail", "attributes": record, "message": "", "tags": []}))),
        ("Datadog's answer", json!({"data": all(&|record| json!({"id": "a", "type": "log", "attributes": {"message": "m", "attributes": record}})), "meta": {}}).to_string().into_bytes()),
        ("Sumo Logic's answer", json!({"fields": [], "messages": all(&|record| json!({"map": {"_raw": text(record)}}))}).to_string().into_bytes()),
        ("Lambda's awslogs", json!({"awslogs": {"data": base64(&gzip(subscription.as_bytes()))}}).to_string().into_bytes()),
        ("Kinesis' records", json!({"Records": all(&|record| json!({"SequenceNumber": "1", "Data": base64(&gzip(record.to_string().as_bytes()))}))}).to_string().into_bytes()),
        ("Kinesis' records for Lambda", json!({"Records": all(&|record| json!({"eventSource": "aws:kinesis", "eventVersion": "1.0", "eventName": "aws:kinesis:record", "kinesis": {"data": base64(record.to_string().as_bytes())}}))}).to_string().into_bytes()),
        ("Firehose's records", json!({"records": all(&|record| json!({"recordId": "1", "data": base64(format!("{record}\n").as_bytes())}))}).to_string().into_bytes()),
        ("SQS for Lambda", json!({"Records": all(&|record| json!({"messageId": "x", "body": text(record), "eventSource": "aws:sqs"}))}).to_string().into_bytes()),
        ("SNS for Lambda", json!({"Records": all(&|record| json!({"EventSource": "aws:sns", "Sns": {"Message": json!({"Records": [record]}).to_string()}}))}).to_string().into_bytes()),
        ("S3 Select", each(&|record| json!({"_1": record}))),
        ("S3 Select, rows without a heading", records.iter().map(|record| format!("\"{}\"\n", record.to_string().replace('"', "\"\""))).collect::<String>().into_bytes()),
        ("a document in a string", Value::from(json!({"Records": records}).to_string()).to_string().into_bytes()),
        ("a document in a string in a string", Value::from(Value::from(json!({"Records": records}).to_string()).to_string()).to_string().into_bytes()),
        ("lists in a list", json!(all(&|record| json!([text(record)]))).to_string().into_bytes()),
        ("pandas, by index", Value::Object(records.iter().enumerate().map(|(at, record)| (at.to_string(), record.clone())).collect()).to_string().into_bytes()),
        ("pandas, with a schema", json!({"schema": {"fields": []}, "data": records}).to_string().into_bytes()),
        ("pandas' CSV", table(&all(&|record| json!(python(record))).iter().map(|row| row.as_object().unwrap().clone()).collect::<Vec<_>>(), b',', "")),
        ("flat, with points", each(&|record| Value::Object(flat(record, ".")))),
        ("flat, with underscores", each(&|record| Value::Object(flat(record, "_")))),
        ("flat CSV", table(&records.iter().map(|record| flat(record, ".")).collect::<Vec<_>>(), b',', "")),
        ("Excel's CSV", table(&records.iter().map(columns).collect::<Vec<_>>(), b';', "\u{feff}sep=;\r\n")),
        ("Spark's CSV", ["value\n".to_owned(), records.iter().map(|record| format!("\"{}\"\n", record.to_string().replace('\\', "\\\\").replace('"', "\\\""))).collect()].concat().into_bytes()),
        ("a length before each document", records.iter().flat_map(|record| [(record.to_string().len() as u32).to_be_bytes().to_vec(), record.to_string().into_bytes()].concat()).collect()),
        ("zeros between documents", joined("\0").into_bytes()),
        ("zeros behind the document", format!("{}{}", json!({"Records": records}), "\0".repeat(600)).into_bytes()),
        ("a comma behind the last", format!("{{\"Records\":[{},]}}", joined(",")).into_bytes()),
        ("the heads that tail writes", format!("==> a.json <==\n{}\n\n==> b.json <==\n{}\n", json!({"Records": records[..3]}), json!({"Records": records[3..]})).into_bytes()),
    ]
}

#[test]
fn events_are_found_in_whatever_they_were_wrapped_in() {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for (name, bytes) in wrapped() {
        let [plain, packed] = ["plain", "packed"].map(|name| folder.path().join(name));
        fs::write(&plain, &bytes).unwrap();
        fs::write(&packed, gzip(&bytes)).unwrap();
        for path in [&plain, &packed] {
            let (document, code) = said(&["detect", text(path)]);
            let coverage = &document["coverage"];
            let numbers = (code, coverage["records"].as_u64(), coverage["records_failed"].as_u64());
            if (numbers, findings(&document))
                != ((0, Some(6), Some(0)), vec!["same-tag-race critical".to_owned()])
            {
                wrong.push(format!("{name} {numbers:?} {:?} {}", findings(&document), coverage["failures"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// What cannot be read is reported with advice, and never counts as success.
#[test]
fn what_cannot_be_read_says_what_to_do_instead() {
    let records = incident();
    let document = json!({ "Records": records }).to_string();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("input");
    for (bytes, advice) in [
        (format!("{{'Records': [{}]}}", "{'eventName': None}").into_bytes(), "json.dumps"),
        (document.replace('"', "\u{201d}").into_bytes(), "word processor"),
        (base64(&gzip(document.as_bytes())).into_bytes(), "base64 -d"),
        (b"\x78\x9c\x01\x02".to_vec(), "zlib"),
        (
            json!({"columns": ["eventName"], "index": [0], "data": [["x"]]}).to_string().into_bytes(),
            "orient='records'",
        ),
        (
            lines(&[
                json!({"eventTime": "06/02/2025 09:00:00", "eventName": "x", "eventSource": "y", "eventVersion": "1"}),
            ]),
            "export it as 2026",
        ),
        (
            document.encode_utf16().flat_map(|unit| [unit.to_le_bytes(), [0; 2]].concat()).collect(),
            "UTF-8 first",
        ),
    ] {
        fs::write(&path, &bytes).unwrap();
        let output = tagfall(&["detect", text(&path), "--format", "json"]);
        let said =
            String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(matches!(output.status.code(), Some(2 | 3)) && said.contains(advice), "{advice}: {said}");
    }
}

/// A surplus comma affects nothing else: what follows it is read, and the possible gap is reported.
#[test]
fn a_doubled_comma_costs_no_record() {
    let records = incident();
    let text =
        format!("{{\"Records\":[{}]}}", records.iter().map(Value::to_string).collect::<Vec<_>>().join(",,"));
    let case = Case::holding(&[("a.json", text.into_bytes())]);
    let (document, code) = case.detected();
    assert_eq!(
        (code, document["coverage"]["records"].as_u64(), document["coverage"]["records_failed"].as_u64()),
        (3, Some(11), Some(5))
    );
    assert_eq!(findings(&document), ["same-tag-race critical"]);
}

/// Records in tables as services return them: rows after a header row (Athena), and an object for each cell
/// (CloudTrail Lake, Insights).
#[test]
fn answers_in_rows() {
    let records = incident();
    let columns = [
        "eventTime",
        "eventSource",
        "eventName",
        "eventID",
        "awsRegion",
        "recipientAccountId",
        "userIdentity",
        "requestParameters",
        "responseElements",
        "serviceEventDetails",
        "readOnly",
    ];
    let cell = |record: &Value, name: &str| match &record[name] {
        Value::Null => None,
        Value::String(text) => Some(text.clone()),
        other => Some(other.to_string()),
    };
    let var = |text: Option<String>| text.map_or_else(|| json!({}), |text| json!({"VarCharValue": text}));
    let heading = json!({"Data": columns.map(|name| var(Some(name.to_lowercase())))});
    let rows = records.iter().map(|record| json!({"Data": columns.map(|name| var(cell(record, name)))}));
    let rows: Vec<Value> = std::iter::once(heading).chain(rows).collect();
    let athena =
        json!({"UpdateCount": 0, "ResultSet": {"Rows": rows, "ResultSetMetadata": {"ColumnInfo": []}}});
    let of = |record: &Value, make: &dyn Fn(&str, String) -> Value| {
        columns.iter().filter_map(|name| Some(make(name, cell(record, name)?))).collect::<Vec<Value>>()
    };
    let lake: Vec<Vec<Value>> =
        records.iter().map(|record| of(record, &|name, text| json!({name: text}))).collect();
    let lake =
        json!({"QueryStatus": "FINISHED", "QueryStatistics": {"ResultsCount": 7}, "QueryResultRows": lake});
    let insights: Vec<Vec<Value>> = records
        .iter()
        .map(|record| of(record, &|name, text| json!({"field": name, "value": text})))
        .collect();
    let insights = json!({"results": insights, "status": "Complete"});
    for (name, answer) in [("athena.json", athena), ("lake.json", lake), ("insights.json", insights)] {
        let coverage = Case::holding(&[(name, answer.to_string().into_bytes())])
            .shows_the_incident(records.len() as u64);
        assert!(coverage["warnings"].to_string().contains("another schema"), "{name}: {coverage}");
    }
}

/// Every member of a record in a column of its own, as Splunk extracts them: for lists, one column contains
/// the values of several elements. Once, these were all put into the first element, so that lifecycle runs
/// had no effect.
#[test]
fn members_of_elements_in_one_column() {
    fn put(name: String, value: &Value, all: &mut std::collections::BTreeMap<String, Vec<String>>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                put(if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, value, all)
            }),
            Value::Array(elements) => {
                elements.iter().for_each(|element| put(format!("{name}{{}}"), element, all))
            }
            Value::Null => {}
            Value::String(text) => all.entry(name).or_default().push(text.clone()),
            other => all.entry(name).or_default().push(other.to_string()),
        }
    }
    let mut records = incident();
    // A run that takes two images, as is common.
    let run = records.iter_mut().find(|record| record["eventName"] == "PolicyExecutionEvent").expect("a run");
    let actions = run["serviceEventDetails"]["lifecycleEventImageActions"].as_array_mut().expect("actions");
    let mut other = actions[0].clone();
    other["lifecycleEventImage"]["digest"] = json!(format!("sha256:{}", "7".repeat(64)));
    // It was pushed long before the logs begin.
    other["lifecycleEventImage"]["pushedAt"] = json!(1_746_000_000_000_u64);
    actions.push(other);
    let flat: Vec<std::collections::BTreeMap<String, Vec<String>>> = records
        .iter()
        .map(|record| {
            let mut all = std::collections::BTreeMap::new();
            put(String::new(), record, &mut all);
            all
        })
        .collect();
    let line = |row: &std::collections::BTreeMap<String, Vec<String>>| {
        let members = row.iter().map(|(name, values)| {
            (name.clone(), if values.len() == 1 { json!(values[0]) } else { json!(values) })
        });
        json!({"preview": false, "result": members.collect::<serde_json::Map<String, Value>>()}).to_string()
            + "\n"
    };
    let lines: String = flat.iter().map(line).collect();
    let mut columns: Vec<&String> = flat.iter().flat_map(|row| row.keys()).collect();
    columns.sort();
    columns.dedup();
    // There may be hundreds of fields that are not needed.
    let others: Vec<String> = (0..400).map(|number| format!("additionalEventData.field_{number}")).collect();
    let mut csv = csv::Writer::from_writer(Vec::new());
    csv.write_record(columns.iter().copied().chain(&others)).unwrap();
    for row in &flat {
        csv.write_record(
            columns
                .iter()
                .map(|name| row.get(*name).map_or_else(String::new, |values| values.join("\n")))
                .chain(others.iter().map(|_| String::new())),
        )
        .unwrap();
    }
    for (name, bytes) in [("splunk.json", lines.into_bytes()), ("splunk.csv", csv.into_inner().unwrap())] {
        let coverage = Case::holding(&[(name, bytes)]).shows_the_incident(records.len() as u64);
        assert!(coverage["warnings"].to_string().contains("another schema"), "{name}: {coverage}");
    }
}

/// A table's columns as members of JSON lines, in lower case or flattened, may lack the same members as in
/// CSV and Parquet.
#[test]
fn columns_as_json_lines_may_have_lost_something() {
    let records = incident();
    let lower = |record: &Value| {
        let members = record.as_object().unwrap().iter();
        let text = |value: &Value| {
            if value.is_object() || value.is_array() { json!(value.to_string()) } else { value.clone() }
        };
        Value::Object(members.map(|(name, value)| (name.to_lowercase(), text(value))).collect()).to_string()
            + "\n"
    };
    let flat = |record: &Value| {
        let mut members = record.as_object().unwrap().clone();
        if let Some(Value::Object(inner)) = members.remove("requestParameters") {
            members
                .extend(inner.into_iter().map(|(name, value)| (format!("requestParameters.{name}"), value)));
        }
        Value::Object(members).to_string() + "\n"
    };
    let lossy = |bytes: Vec<u8>| {
        let coverage = Case::holding(&[("a.json", bytes)]).shows_the_incident(records.len() as u64);
        coverage["warnings"].to_string().contains("another schema")
    };
    assert!(lossy(records.iter().map(lower).collect::<String>().into_bytes()));
    assert!(lossy(records.iter().map(flat).collect::<String>().into_bytes()));
    // Records in which only the payloads are strings lack nothing.
    let as_text = |record: &Value| {
        let mut record = record.clone();
        record["requestParameters"] = json!(record["requestParameters"].to_string());
        record.to_string() + "\n"
    };
    assert!(!lossy(records.iter().map(as_text).collect::<String>().into_bytes()));
    assert!(!lossy(lines(&records)));
}

/// Once, the time that Fluent Bit writes beside each event was counted as a failed record.
#[test]
fn a_time_beside_an_event_is_no_record() {
    let records = incident();
    let pairs: String =
        records.iter().map(|record| json!([1_772_446_444.25, record]).to_string() + "\n").collect();
    let coverage = Case::holding(&[("a.json", pairs.into_bytes())]).shows_the_incident(records.len() as u64);
    assert_eq!(coverage["lines_skipped"], records.len());
    let (said, code) =
        Case::holding(&[("a.json", json!([7, 8, records[0]]).to_string().into_bytes())]).detected();
    assert_eq!(
        (said["coverage"]["records_failed"].as_u64(), code),
        (Some(2), 3),
        "numbers that stand there for no reason"
    );
}

/// `unmapped` as an object of strings, as a string, and as the pairs of a table's map.
#[test]
fn ocsf_with_what_it_has_no_place_for_in_every_form() {
    let records = incident();
    let event = |record: &Value, unmapped: Value| {
        let text = |value: &Value| if value.is_null() { Value::Null } else { json!(value.to_string()) };
        json!({
            "metadata": {"product": {"name": "CloudTrail", "version": record["eventVersion"]}, "uid": record["eventID"], "event_code": record["eventType"]},
            "time_dt": record["eventTime"], "class_uid": 6003, "cloud": {"region": record["awsRegion"]},
            "api": {"operation": record["eventName"], "service": {"name": record["eventSource"]},
                    "request": {"data": text(&record["requestParameters"])}, "response": {"data": text(&record["responseElements"]), "error": record["errorCode"]}},
            "actor": {"user": {"uid": record["userIdentity"]["arn"], "type": record["userIdentity"]["type"]}},
            "unmapped": unmapped,
        })
        .to_string()
            + "\n"
    };
    let left_over = |record: &Value| {
        let names = ["recipientAccountId", "readOnly", "serviceEventDetails", "resources"];
        let texts = names.iter().filter(|name| !record[**name].is_null()).map(|name| {
            let text = record[*name].as_str().map_or_else(|| record[*name].to_string(), str::to_owned);
            ((*name).to_owned(), json!(text))
        });
        texts.collect::<serde_json::Map<String, Value>>()
    };
    type Form = fn(serde_json::Map<String, Value>) -> Value;
    let forms: [(&str, Form); 4] = [
        ("a map", Value::Object),
        ("text", |members| json!(Value::Object(members).to_string())),
        ("pairs", |members| {
            Value::Array(members.into_iter().map(|(name, value)| json!([name, value])).collect())
        }),
        ("entries", |members| {
            Value::Array(
                members.into_iter().map(|(name, value)| json!({"key": name, "value": value})).collect(),
            )
        }),
    ];
    for (name, form) in forms {
        let text: String = records.iter().map(|record| event(record, form(left_over(record)))).collect();
        println!("{name}");
        Case::holding(&[("a.json", text.into_bytes())]).shows_the_incident(records.len() as u64);
    }
}

/// Words of Python and JavaScript that are not JSON: the line fails with advice.
#[test]
fn words_that_are_no_json_are_named() {
    let records = incident();
    for (word, advice) in
        [("NaN", "write null"), ("None", "json.dumps"), ("undefined", "undefined is no JSON")]
    {
        let text: String = records
            .iter()
            .map(|record| record.to_string().replacen('{', &format!("{{\"errorMessage\":{word},"), 1) + "\n")
            .collect();
        let (said, code) =
            Case::holding(&[("a.json", [lines(&records), text.into_bytes()].concat())]).detected();
        let coverage = &said["coverage"];
        assert_eq!(
            (coverage["records_failed"].as_u64(), code),
            (Some(records.len() as u64), 3),
            "{coverage}"
        );
        assert!(coverage["failures"][0]["reason"].as_str().unwrap().contains(advice), "{coverage}");
    }
}
