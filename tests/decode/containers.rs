//! Containers and damage: for each case, the records that are found, and what is reported.

use crate::decode_world;
use decode_world::{Reading, gzip, read, read_with};
use tagfall::decode::{
    Decoder, Limits, ObjectReport, OtherKind, Outcome, RawRecord, RecordSink, Wanted, fingerprint,
};

/// A record with this id, ten seconds after the previous one.
fn record(n: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{"type":"Root"}},"eventTime":"2026-03-02T10:00:{:02}Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","eventID":"id-{n}","eventType":"AwsApiCall","eventCategory":"Management"}}"#,
        n % 60
    )
}

fn object(range: std::ops::Range<u32>) -> String {
    format!("{{\"Records\":[{}]}}", range.map(record).collect::<Vec<_>>().join(","))
}

fn all(stored: impl AsRef<[u8]>) -> Reading {
    read(stored.as_ref(), Wanted::All)
}

#[track_caller]
fn reads(stored: impl AsRef<[u8]>, records: u64) {
    let reading = all(stored);
    assert_eq!(
        (&reading.report.outcome, reading.report.records, reading.report.failed_total),
        (&Outcome::Read, records, 0),
        "{:?}",
        reading.report
    );
    assert_eq!(reading.kept.len() as u64, records);
}

#[track_caller]
fn fails(stored: impl AsRef<[u8]>, records: u64, reason: &str) {
    let reading = all(stored);
    assert!(
        matches!(&reading.report.outcome, Outcome::Failed(said) if said.contains(reason)),
        "{:?}",
        reading.report.outcome
    );
    assert_eq!(reading.kept.len() as u64, records);
}

#[track_caller]
fn skips(stored: impl AsRef<[u8]>, kind: OtherKind) {
    let reading = all(stored);
    assert_eq!((reading.report.outcome, reading.report.records), (Outcome::Skipped(kind), 0));
}

#[test]
fn lists_of_records() {
    for text in [r#"{"Records":[]}"#, " {\n\"Records\" : [ ] }\n", "[]", r#"{"Events":[]}"#] {
        reads(text, 0);
        reads(gzip(text.as_bytes()), 0);
    }
    reads(format!("\u{feff}{}", object(0..3)), 3);
    reads(format!(r#"{{"a":[1],"Records":[{}],"NextToken":null}}"#, record(1)), 1);
    reads(record(1), 1);
    reads(format!("[{},\n {}]", record(1), record(2)), 2);
    reads(format!("{}{}\n{}", object(0..2), object(2..4), record(9)), 5);
}

/// JSON may write any letter of a key as an escape.
#[test]
fn a_container_whose_key_is_escaped() {
    let text = object(0..3).replacen("Records", "\\u0052ecords", 1);
    reads(&text, 3);
    reads(gzip(text.as_bytes()), 3);
}

#[test]
fn lines() {
    reads(format!("{}\r\n\r\n{}\n", record(1), record(2)), 2);
    reads(format!("{}\n{}", object(0..2), object(2..3)), 3);
    reads(format!("2026-03-02T10:00:00.000Z {}\n1772445600000\t{}\n", record(1), record(2)), 2);
    reads(format!("{}\n{{\n  \"Records\": [\n {}\n]\n}}\n{}\n", record(1), record(2), record(3)), 3);
}

#[test]
fn a_bad_line_costs_itself_alone() {
    for bad in ["{\"eventVersion\":", "nonsense", "{\"a\":1}", "5", "{\"eventTime\":tru}"] {
        let reading = all(format!("{}\n{bad}\n{}\n", record(1), record(2)));
        assert_eq!(reading.report.outcome, Outcome::Read, "{bad}");
        assert_eq!(reading.kept.iter().map(|kept| kept.0).collect::<Vec<_>>(), [0, 2], "{bad}");
        assert_eq!(reading.report.failed.len(), 1, "{bad}: {:?}", reading.report.failed);
    }
    // The first line is the end of a record: a rotated file.
    let reading = all(format!("\"x\":1}}\n{}\n{}\n", record(1), record(2)));
    assert_eq!(
        (reading.report.outcome, reading.kept.len(), reading.report.failed_total),
        (Outcome::Read, 2, 1)
    );
}

#[test]
fn a_cut_last_line_is_damage() {
    fails(format!("{}\n{}\n{{\"eventVersion\":\"1", record(1), record(2)), 2, "cut off");
}

#[test]
fn lookup_events() {
    let element = |n| {
        format!(
            r#"{{"EventId":"x","EventName":"PutImage","CloudTrailEvent":{}}}"#,
            serde_json::Value::from(record(n))
        )
    };
    let page = format!(r#"{{"Events":[{},{}],"NextToken":"t"}}"#, element(1), element(2));
    reads(format!("{page}\n{page}"), 4);
    reads(format!("{}\n{}\n", element(1), element(2)), 2);
    let reading = all(&page);
    assert_eq!(
        reading.ids.iter().map(|identity| identity.id).collect::<Vec<_>>(),
        [fingerprint(b"id-1"), fingerprint(b"id-2")]
    );
    assert_eq!(reading.kept[1].1, record(2));
    let reading = all(r#"{"Events":[{"CloudTrailEvent":"{\"eventVersion\":"}]}"#);
    assert_eq!((reading.report.outcome, reading.report.failed_total), (Outcome::Read, 1));
}

#[test]
fn event_bridge() {
    let envelope = |n| {
        format!(
            r#"{{"version":"0","detail-type":"AWS API Call via CloudTrail","source":"aws.ecr","time":"x","detail":{}}}"#,
            record(n)
        )
    };
    reads(envelope(1), 1);
    reads(format!("{}\n{}", envelope(1), envelope(2)), 2);
    reads(format!("[{},{}]", envelope(1), envelope(2)), 2);
    let native = r#"{"version":"0","id":"n","detail-type":"ECS Task State Change","source":"aws.ecs","time":"2026-03-02T10:00:00Z","detail":{"containers":[]}}"#;
    let reading =
        read(format!("{native}\n{}", envelope(1)).as_bytes(), Wanted::Sources(&["ecr.amazonaws.com"]));
    assert_eq!(reading.kept.iter().map(|kept| kept.2).collect::<Vec<_>>(), [true, false]);
    assert_eq!(reading.kept[0].1, native);
    let other = r#"{"detail-type":"EC2 Instance State-change Notification","source":"aws.ec2","detail":{}}"#;
    fails(other, 0, "JSON, but not CloudTrail: an EventBridge event 'EC2 Instance");
    reads(format!("{other}\n{}", envelope(1)), 1);
}

#[test]
fn cloud_watch_logs() {
    let message =
        |n| format!(r#"{{"id":"1","timestamp":1,"message":{}}}"#, serde_json::Value::from(record(n)));
    reads(format!(r#"{{"messageType":"DATA_MESSAGE","logEvents":[{},{}]}}"#, message(1), message(2)), 2);
    reads(format!(r#"{{"events":[{}],"searchedLogStreams":[]}}"#, message(1)), 1);
}

#[test]
fn other_kinds() {
    skips(
        r#"{"awsAccountId":"1","digestStartTime":"x","digestS3Object":"y","logFiles":[]}"#,
        OtherKind::LogDigestFile,
    );
    let kind = |fields: &str| {
        format!(r#"{{"Records":[{{"eventVersion":"1.11","eventTime":"2026-03-02T10:00:00Z",{fields}}}]}}"#)
    };
    let cases = [
        (r#""eventType":"AwsCloudTrailInsight","insightDetails":{}"#, OtherKind::Insight),
        (r#""eventCategory":"Insight""#, OtherKind::Insight),
        (
            r#""eventSource":"s3.amazonaws.com","eventName":"x","eventCategory":"NetworkActivity""#,
            OtherKind::NetworkActivity,
        ),
        (r#""eventId":"x","timeWindow":{},"summary":{}"#, OtherKind::Aggregated),
        (r#""eventCategory":"Aggregated""#, OtherKind::Aggregated),
    ];
    for (fields, expected) in cases {
        skips(kind(fields), expected);
        skips(gzip(kind(fields).as_bytes()), expected);
    }
    let mixed = format!("[{{\"eventCategory\":\"Insight\",\"eventVersion\":\"1\"}},{}]", record(1));
    let reading = all(mixed);
    assert_eq!((reading.report.outcome, reading.report.records, reading.kept[0].0), (Outcome::Read, 1, 1));
}

#[test]
fn not_cloudtrail() {
    fails("", 0, "empty");
    fails(gzip(b""), 0, "empty");
    fails(" \n", 0, "white space");
    fails("PK\u{3}\u{4}rest", 0, "a zip archive that cannot be opened");
    fails("{}", 0, "JSON, but not CloudTrail: an empty object");
    fails(r#"{"a":1,"b":{}}"#, 0, "JSON, but not CloudTrail: an object with a, b");
    fails("[1,2]", 0, "JSON, but not CloudTrail: a number");
    fails("hello", 0, "not JSON");
    fails("<html></html>", 0, "XML or HTML");
    fails(b"\xff\xfe{\0}\0", 0, "JSON, but not CloudTrail: an empty object");
    fails(b"{\0\"\0a\0\"\0", 0, "UTF-16");
    fails("Event name,Event time,User name,Event source\na,b,c,d\n", 0, "download the event history as JSON");
    fails("eventtime,eventname,eventsource\na,b,c\n", 0, "CSV");
    fails(b"PAR1\x00\x01", 0, "Parquet");
}

/// libdeflate stops after the first member: a copy of it, or anything else after it, must not be lost.
#[test]
fn members_of_gzip() {
    let (a, b) = (gzip(object(0..2).as_bytes()), gzip(object(2..4).as_bytes()));
    reads([a.clone(), b.clone()].concat(), 4);
    reads([a.clone(), a.clone()].concat(), 4);
    reads([a.clone(), vec![0; 512]].concat(), 2);
    reads(gzip(&a), 2);
    fails([a.clone(), b"garbage".to_vec()].concat(), 2, "7 bytes of something else");
    // Garbage that ends with the member's checksum and size.
    fails([a.clone(), a[a.len() - 8..].to_vec()].concat(), 2, "8 bytes of something else");
    fails([a.clone(), b[..b.len() - 9].to_vec()].concat(), 4, "cut off");
    let text = object(0..50);
    let halves: Vec<u8> = text.as_bytes().chunks(1000).flat_map(gzip).collect();
    reads(halves, 50);
}

#[test]
fn flags_of_gzip() {
    use std::io::Write;
    let mut encoder = flate2::GzBuilder::new()
        .filename("a.json")
        .comment("c")
        .extra(vec![1, 2, 3])
        .write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(object(0..3).as_bytes()).expect("memory");
    reads(encoder.finish().expect("memory"), 3);
}

#[test]
fn damaged_gzip_keeps_what_came_before() {
    let text = object(0..200);
    let mut stored = gzip(text.as_bytes());
    let checksum = stored.len() - 8;
    stored[checksum] ^= 1;
    fails(&stored, 200, "damaged gzip data");
    let mut stored = gzip(text.as_bytes());
    let middle = stored.len() / 2;
    stored[middle..middle + 40].fill(0xff);
    let reading = all(&stored);
    assert!(matches!(reading.report.outcome, Outcome::Failed(_)));
    assert!(reading.kept.len() > 20, "{}", reading.kept.len());
}

#[test]
fn a_bad_element_costs_itself_alone() {
    for bad in
        ["5", "\"x\"", "null", "{\"eventVersion\":tru}", "{\"a\":\"\\x\"}", "[1]", "{\"eventVersion\":\"1\"}"]
    {
        let text = format!("{{\"Records\":[{},{bad},{}]}}", record(1), record(2));
        for stored in [text.clone().into_bytes(), gzip(text.as_bytes())] {
            let reading = all(stored);
            assert_eq!(reading.report.outcome, Outcome::Read, "{bad}");
            assert_eq!(reading.kept.iter().map(|kept| kept.0).collect::<Vec<_>>(), [0, 2], "{bad}");
            assert_eq!(reading.report.failed.iter().map(|failed| failed.0).collect::<Vec<_>>(), [1], "{bad}");
        }
    }
}

/// A sink that parses its records like real ones, and notes which were valid.
#[derive(Default)]
struct Parse(Vec<u64>);

impl RecordSink for Parse {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        serde_json::from_str::<serde_json::Value>(record.json).map_err(|error| error.to_string())?;
        self.0.push(record.index);
        Ok(())
    }
}

fn parse(stored: &[u8]) -> (ObjectReport, Vec<u64>) {
    let mut sink = Parse::default();
    (Decoder::new().object(stored, Wanted::All, Limits::default(), &mut sink), sink.0)
}

/// An unescaped line end in a message.
#[test]
fn a_raw_line_end_in_a_string_costs_its_record_alone() {
    let broken = |n: u32| record(n).replacen("PutImage", "Put\nImage", 1);
    for (text, kept) in [
        (format!("{{\"Records\":[{},{},{}]}}", broken(0), record(1), record(2)), vec![1, 2]),
        (format!("{{\"Records\":[{},{},\n {},{}]}}", record(0), broken(1), broken(2), record(3)), vec![0, 3]),
        (format!("[\n{},\n{}\n]", record(0), broken(1)), vec![0]),
    ] {
        let (plain, sound) = parse(text.as_bytes());
        assert_eq!((&plain.outcome, &sound), (&Outcome::Read, &kept), "{text}");
        let reasons: Vec<&String> = plain.failed.iter().map(|(_, reason)| reason).collect();
        assert!(
            !reasons.is_empty()
                && reasons.iter().all(|reason| reason.contains("a control character in a string")),
            "{reasons:?}"
        );
        let compressed = parse(&gzip(text.as_bytes()));
        assert_eq!((compressed.0.failed, compressed.1), (plain.failed, kept), "{text}");
    }
    // A lost quote looks the same: what follows must not be skipped without a message.
    let lost = record(1).replacen("PutImage\"", "PutImage", 1);
    let (report, sound) =
        parse(format!("{{\"Records\":[{},\n{lost},\n{}]}}", record(0), record(2)).as_bytes());
    assert!(
        sound.contains(&0) && (matches!(report.outcome, Outcome::Failed(_)) || report.failed_total > 0),
        "{report:?}"
    );
}

/// The same damage is reported in the same words and at the same position, whether or not the hot path was
/// used.
#[test]
fn a_broken_record_is_described_alike_compressed_or_not() {
    for (good, bad) in [
        ("\"Root\"", "fals"),
        ("\"Root\"", "01"),
        ("\"Root\"", "\"Ro\tot\""),
        ("\"Root\"", "\"\\x\""),
        ("\"Root\"", "{1:2}"),
    ] {
        let text =
            format!("{{\"Records\":[{},{},{}]}}", record(0), record(1).replacen(good, bad, 1), record(2));
        let (plain, compressed) = (parse(text.as_bytes()).0, parse(&gzip(text.as_bytes())).0);
        assert_eq!((plain.failed_total, &plain.failed), (1, &compressed.failed), "{bad}");
        assert_eq!((plain.records, compressed.records, plain.outcome), (3, 3, compressed.outcome), "{bad}");
    }
}

#[test]
fn a_record_that_is_not_utf_8_fails_alone() {
    let text = object(0..3);
    let mut bytes = text.clone().into_bytes();
    let at = text.find("id-1").expect("there");
    bytes[at] = 0xff;
    for stored in [bytes.clone(), gzip(&bytes)] {
        let reading = all(stored);
        assert_eq!((reading.report.outcome, reading.kept.len()), (Outcome::Read, 2));
        assert_eq!(reading.report.failed, [(1, format!("not UTF-8 at byte {at}"))]);
    }
}

#[test]
fn failures_are_counted_beyond_those_listed() {
    let text = format!("{{\"Records\":[{}5]}}", "5,".repeat(99));
    let reading = read_with(&mut Decoder::new(), text.as_bytes(), Wanted::All, Limits { failures_max: 10 });
    assert_eq!(
        (reading.report.failed.len(), reading.report.failed_total, reading.report.records),
        (10, 100, 100)
    );
}

#[test]
fn a_sink_may_refuse_a_record() {
    struct Refuse;
    impl RecordSink for Refuse {
        fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
            if record.index == 1 { Err("no".to_owned()) } else { Ok(()) }
        }
    }
    let report =
        Decoder::new().object(&gzip(object(0..3).as_bytes()), Wanted::All, Limits::default(), &mut Refuse);
    assert_eq!(
        (report.outcome, report.records, report.failed),
        (Outcome::Read, 3, vec![(1, "no".to_owned())])
    );
}

/// Every line opens a bracket that the next could close: looking ahead must not take quadratic time.
#[test]
fn hostile_lines_are_read_in_linear_time() {
    let text = format!("{}\n{}", record(1), "[\"x\",\n".repeat(50_000));
    let start = std::time::Instant::now();
    assert_eq!(all(text).kept.len(), 1);
    assert!(start.elapsed().as_secs() < 60);
}

/// What the hot path searches for, in places where it is not a record's own member: each text is read as by
/// the full path, without a checksum.
#[test]
fn strings_like_cloudtrails_keys_are_not_taken_for_keys() {
    let usual = record(7);
    let own = |before: &str, after: &str| {
        format!(
            r#"{{"eventVersion":"1.11",{before}"eventTime":"2026-03-02T10:00:07Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","eventID":"a-7"{after}}}"#
        )
    };
    let many: String =
        (0..3000).map(|n| format!(r#""eve{n}":["ovo","evt",{{"eventTime":"x","eventID":"y"}}],"#)).collect();
    let odd = [
        // The first of two equal keys counts, however it is written.
        own(r#""\u0065ventSource":"iam.amazonaws.com","#, ""),
        own(r#""eventTime" : "2025-01-01T00:00:00Z","#, ""),
        own("", r#","eventTime":"2025-01-01T00:00:00Z","eventID":"b-8""#),
        own("", r#","event\u0043ategory":"Insight""#),
        own("", r#","eventType":"AwsCloudTrailInsight""#),
        own("", r#","eventCategory":"NetworkActivity","eventType":"AwsVpceEvents""#),
        own("", r#","eventCategory":null"#),
        // Values, and nested keys.
        own(
            r#""x":"eventTime","y":["eventID","eventSource"],"z":{"eventTime":"never","eventCategory":"Insight"},"#,
            "",
        ),
        own(r#""eventTime":7,"#, ""),
        // More of them than are kept, and the record after them.
        own(&many, ""),
        own("", r#","eventName":"é\u00e9""#),
    ];
    for odd in odd {
        let text = format!(r#"{{"Records":[{usual},{odd},{usual}]}}"#);
        let (hot, full) = (all(gzip(text.as_bytes())), all(text.as_bytes()));
        assert_eq!(hot, full, "{odd:.200}");
        assert!(full.report.records >= 2, "{odd:.200}");
    }
}

/// A comma that is not in quotes moves what follows it under other names: such a row was a record of another call, or
/// of one that means nothing.
#[test]
fn a_row_that_is_longer_than_the_heading_fails() {
    let row = |n: u32, agent: &str, behind: &str| {
        format!(
            "id-{n},2026-03-02T10:00:0{n}Z,ecr.amazonaws.com,{agent},PutImage,\"{{\"\"imageTag\"\":\"\"v1\"\"}}\"{behind}\n"
        )
    };
    let heading = "eventID,eventTime,eventSource,userAgent,eventName,requestParameters\n";
    let table = [
        heading,
        &row(1, "docker", ""),
        &row(2, "docker, 27", ""),
        &row(3, "docker", ",,"),
        &row(4, "a", ",b"),
    ]
    .concat();
    for stored in [table.clone().into_bytes(), gzip(table.as_bytes())] {
        let Reading { report, kept, .. } = all(stored);
        let reasons: Vec<&str> = report.failed.iter().map(|(_, reason)| reason.as_str()).collect();
        assert_eq!(
            reasons,
            ["line 2 is no JSON: 7 cells under 6 columns", "line 4 is no JSON: 7 cells under 6 columns"]
        );
        assert_eq!((report.records, kept.len()), (4, 2));
    }
}
