//! Objects that are larger than the available memory are read piece by piece, with the same result as reading
//! them as a whole.

use crate::decode_world;
use std::io::Cursor;
use std::sync::Arc;

use decode_world::{Element, Random, Reading, WANTED, Writing, document, element, gzip, read};
use proptest::prelude::*;
use tagfall::decode::{
    Decoder, Limits, Next, Outcome, RawRecord, RecordSink, Rest, Stored, TextMemory, Wanted,
};
use tagfall::model::Identity;

/// Keeps all results, including the identities of each part.
#[derive(Default)]
struct Kept {
    records: Vec<(u64, String, bool)>,
    ids: Vec<Identity>,
    parts: u64,
    longest: usize,
}

impl RecordSink for Kept {
    fn record(&mut self, record: RawRecord<'_>) -> Result<(), String> {
        self.longest = self.longest.max(record.json.len());
        self.records.push((record.index, record.json.to_owned(), record.native));
        Ok(())
    }

    fn part(&mut self, identities: &[Identity], _bytes: u64) -> Next {
        self.ids.extend_from_slice(identities);
        self.parts += 1;
        Next::GoOn
    }
}

/// Reads `stored` with a share of `share` bytes, the first `held` of which are already in memory: as a pipe, and as a
/// file, which another thread unpacks meanwhile with the same result.
fn in_parts(stored: &[u8], wanted: Wanted<'_>, share: u64, record: u64, held: usize) -> (Reading, u64) {
    let room = || TextMemory::of(share, share, record);
    let (bytes, mut rest) = stored.split_at(held.min(stored.len()));
    let alone = read_rest(Stored { bytes, rest: Some(Rest::Stream(&mut rest)) }, wanted, room());
    // An archive in a file is read by its directory.
    if !stored.starts_with(b"PK") {
        let mut file = Cursor::new(stored);
        file.set_position(bytes.len() as u64);
        let ahead = read_rest(Stored { bytes, rest: Some(Rest::Places(&mut file)) }, wanted, room());
        assert_eq!((&ahead.0.report, &ahead.0.kept), (&alone.0.report, &alone.0.kept));
        assert_eq!((&ahead.0.ids, ahead.1), (&alone.0.ids, alone.1));
    }
    alone
}

fn read_rest(object: Stored<'_>, wanted: Wanted<'_>, room: TextMemory) -> (Reading, u64) {
    let (mut decoder, mut kept) = (Decoder::sharing(Arc::new(room)), Kept::default());
    let report = decoder.object_of(object, wanted, Limits::default(), &mut kept);
    kept.ids.extend_from_slice(decoder.identities());
    (Reading { report, kept: kept.records, ids: kept.ids }, kept.parts)
}

fn elements(random: &mut Random, writing: Writing, odd: usize) -> Vec<Element> {
    (0..random.below(24)).map(|_| element(random, writing, odd)).collect()
}

/// The text without white space between tokens: for a record that does not fit, some of it is removed.
fn without_blanks(json: &str) -> String {
    let (mut inside, mut escaped) = (false, false);
    let stays = |letter: &char| {
        let blank = !inside && letter.is_ascii_whitespace();
        inside ^= *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        !blank
    };
    json.chars().filter(stays).collect()
}

/// The comparable parts of a reading: records, identities, numbers, failures, outcome, first and last time.
/// Reasons contain positions, which count from the beginning of a part.
type EventKey = (Vec<(u64, String, bool)>, Vec<Identity>, [u64; 3], Vec<u64>, String, [Option<i64>; 2]);

fn told(reading: Reading) -> EventKey {
    let report = reading.report;
    let outcome = match report.outcome {
        Outcome::Failed(_) => "failed".to_owned(),
        other => format!("{other:?}"),
    };
    let times = [report.first_event_time, report.last_event_time].map(|time| time.map(|time| time.millis()));
    let failed = report.failed.iter().map(|(index, _)| *index).collect();
    let kept = reading
        .kept
        .into_iter()
        .map(|(index, json, native)| (index, without_blanks(&json), native))
        .collect();
    (
        kept,
        reading.ids,
        [report.records, report.failed_total, report.bytes_decompressed],
        failed,
        outcome,
        times,
    )
}

/// The same elements in every kind of text that can be divided.
fn texts(elements: &[Element], writing: Writing) -> Vec<(&'static str, String)> {
    let joined =
        |between: &str| elements.iter().map(|element| element.text.clone()).collect::<Vec<_>>().join(between);
    let one_line = |element: &Element| {
        serde_json::from_str::<serde_json::Value>(&element.text)
            .map_or_else(|_| element.text.clone(), |value| value.to_string())
    };
    let lines: Vec<String> = elements.iter().map(one_line).collect();
    vec![
        ("Records", document(elements, writing).0),
        (
            "Records, and more behind",
            format!("{{\"nextToken\":\"x\",\"Records\":[{}],\"a\":{{\"b\":[1]}}}}\n", joined(" ,\n")),
        ),
        ("array", format!("[{}]", joined(","))),
        ("documents", joined("")),
        ("documents on lines", joined("\n")),
        ("lines", lines.join("\n") + "\n"),
        ("lines without an end", lines.join("\r\n")),
    ]
}

/// The text, compressed or not, gives the same result in parts as a whole.
fn parts_agree(what: &str, text: &[u8], share: u64, held: usize) -> Result<(), TestCaseError> {
    for wanted in [Wanted::All, Wanted::Sources(WANTED)] {
        let whole = told(read(text, wanted));
        for stored in [text.to_vec(), gzip(text)] {
            let (reading, _) = in_parts(&stored, wanted, share, 1 << 20, held);
            prop_assert_eq!(
                told(reading),
                whole.clone(),
                "{}, share {}: {}",
                what,
                share,
                String::from_utf8_lossy(text)
            );
        }
    }
    Ok(())
}

/// Damages a text: removes, inserts, duplicates or truncates something.
fn damaged(text: &str, random: &mut Random, times: usize) -> Vec<u8> {
    const PUT_IN: [&str; 16] = [
        ",",
        ",,",
        "\n",
        "}",
        "]",
        "{",
        "[",
        "\"",
        "\\",
        "\u{feff}",
        "\0",
        "tru",
        "{}",
        "\"x\",",
        "]}{\"Records\":[",
        "\n{\"eventVersion\":\"1\"}\n",
    ];
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..times {
        let at = random.below(bytes.len() + 1);
        match random.below(5) {
            0 => drop(bytes.drain(at..(at + random.below(40)).min(bytes.len()))),
            1 | 2 => drop(bytes.splice(at..at, PUT_IN[random.below(PUT_IN.len())].bytes())),
            3 => {
                let end = (at + random.below(900)).min(bytes.len());
                let again = bytes.get(at..end).unwrap_or_default().to_vec();
                drop(bytes.splice(at..at, again));
            }
            _ if random.one_in(4) => bytes.truncate(at),
            _ => {
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte = b"\"{}[],:x\n\\ "[random.below(11)])
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parts_say_what_the_whole_says(
        seed in any::<u64>(), pick in 0_usize..3, odd in prop_oneof![Just(0_usize), Just(600)], share in 64_u64..6000, held in 0_usize..3000
    ) {
        let writing = [Writing::Compact, Writing::Spaced, Writing::Pretty][pick];
        let elements = elements(&mut Random(seed), writing, odd);
        for (what, text) in texts(&elements, writing) {
            parts_agree(what, text.as_bytes(), share, held)?;
        }
    }

    #[test]
    fn parts_of_a_damaged_text_say_what_the_whole_says(
        seed in any::<u64>(), pick in 0_usize..3, odd in prop_oneof![Just(0_usize), Just(300)], share in 64_u64..6000, times in 1_usize..6
    ) {
        let mut random = Random(seed);
        let writing = [Writing::Compact, Writing::Spaced, Writing::Pretty][pick];
        let elements = elements(&mut random, writing, odd);
        for (what, text) in texts(&elements, writing) {
            parts_agree(what, &damaged(&text, &mut random, times), share, 0)?;
        }
    }
}

fn record(n: u32) -> String {
    format!(
        r#"{{"eventVersion":"1.11","eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","eventID":"{n}"}}"#
    )
}

fn records(range: std::ops::Range<u32>) -> String {
    range.map(record).collect::<Vec<_>>().join(",")
}

/// Once, `{"Records":[` and a gigabyte of blanks used a gigabyte in each worker.
#[test]
fn blanks_take_no_memory_wherever_they_stand() {
    let blanks = " \n".repeat(300_000);
    for text in [
        format!("{blanks}{{\"Records\":[{}]}}", records(0..9)),
        format!("{{\"Records\":[{blanks}{}]}}", records(0..9)),
        format!("{{\"Records\":[{}{blanks},{blanks}{}]}}", records(0..4), records(4..9)),
        format!("{{\"Records\":[{}{blanks}]{blanks}}}{blanks}", records(0..9)),
        format!("[{}{blanks}]{blanks}", records(0..9)),
    ] {
        for stored in [text.clone().into_bytes(), gzip(text.as_bytes()), gzip(&gzip(text.as_bytes()))] {
            let (reading, _) = in_parts(&stored, Wanted::All, 4096, 8192, 100);
            assert_eq!(
                (&reading.report.outcome, reading.kept.len(), reading.report.records),
                (&Outcome::Read, 9, 9),
                "{}",
                &text[..40]
            );
            assert_eq!(reading.report.bytes_decompressed, text.len() as u64);
        }
    }
}

#[test]
fn only_a_record_has_to_fit_and_what_comes_before_a_larger_one_is_kept() {
    let large = record(7).replace("PutImage", &"x".repeat(10_000));
    for text in [
        format!("{{\"Records\":[{},{large},{}]}}", records(0..20), records(8..20)),
        format!("{}\n{large}\n{}\n", record(0), record(1)),
    ] {
        let (reading, _) = in_parts(text.as_bytes(), Wanted::All, 1000, 20_000, 0);
        assert_eq!((reading.report.outcome, reading.report.failed_total), (Outcome::Read, 0));
        let (reading, _) = in_parts(text.as_bytes(), Wanted::All, 1000, 5_000, 0);
        assert!(!reading.kept.is_empty());
        assert!(
            matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("--max-memory") && reason.contains("5000 bytes")),
            "{:?}",
            reading.report.outcome
        );
    }
}

#[test]
fn what_comes_before_damage_is_kept() {
    let text = format!("{{\"Records\":[{}]}}", records(0..500));
    let stored = gzip(text.as_bytes());
    let (reading, parts) = in_parts(&stored[..stored.len() - 20], Wanted::All, 4096, 8192, 10);
    assert!(
        matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("cut off")),
        "{:?}",
        reading.report.outcome
    );
    assert!(reading.kept.len() > 400 && parts > 3);
    let (reading, _) = in_parts(&[stored, b"and more".to_vec()].concat(), Wanted::All, 4096, 8192, 10);
    assert!(
        matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("something else")),
        "{:?}",
        reading.report.outcome
    );
    assert_eq!(reading.kept.len(), 500);
    let (reading, _) = in_parts(&text.as_bytes()[..text.len() - 50], Wanted::All, 4096, 8192, 10);
    assert!(
        matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("cut off")),
        "{:?}",
        reading.report.outcome
    );
    assert_eq!(reading.kept.len(), 499);
}

/// A text that is not a log is not read to its end, however long it is.
#[test]
fn what_is_none_of_cloudtrails_ends_at_once() {
    for start in ["<html>", "\x01\0\0\0", "no log\n", "{\"a\":1}"] {
        let text = start.repeat(400_000);
        let mut rest = text.as_bytes();
        let mut decoder = Decoder::sharing(Arc::new(TextMemory::of(4096, 4096, 8192)));
        let stored = Stored { bytes: b"", rest: Some(Rest::Stream(&mut rest)) };
        let report = decoder.object_of(stored, Wanted::All, Limits::default(), &mut Kept::default());
        assert!(matches!(report.outcome, Outcome::Failed(_)), "{start}: {report:?}");
        assert_eq!(report.records, 0);
        assert!(
            start.starts_with('{') || rest.len() > text.len() / 2,
            "{start}: {} of {} left",
            rest.len(),
            text.len()
        );
    }
}

#[test]
fn zstd_and_utf_16_are_taken_off() {
    let text = format!("{{\"Records\":[{}]}}\n", records(0..300).replace("PutImage", "größe 🐳"));
    let utf16 = |bytes: fn(u16) -> [u8; 2]| text.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
    let little = [b"\xff\xfe".to_vec(), utf16(u16::to_le_bytes)].concat();
    let big = [b"\xfe\xff".to_vec(), utf16(u16::to_be_bytes)].concat();
    let zstd = zstd::encode_all(text.as_bytes(), 3).unwrap();
    let frames = [
        zstd::encode_all(&text.as_bytes()[..900], 3).unwrap(),
        zstd::encode_all(&text.as_bytes()[900..], 19).unwrap(),
    ]
    .concat();
    let expected = told(read(text.as_bytes(), Wanted::All));
    for (what, stored) in [
        ("little", little.clone()),
        ("big", big),
        ("zstd", zstd.clone()),
        ("frames", frames),
        ("gzip of both", gzip(&little)),
        ("zstd", gzip(&zstd)),
    ] {
        assert_eq!(told(in_parts(&stored, Wanted::All, 1 << 20, 1 << 20, usize::MAX).0), expected, "{what}");
        assert_eq!(told(in_parts(&stored, Wanted::All, 512, 4096, 3).0), expected, "{what}");
    }
    let reading = read(&zstd[..zstd.len() - 9], Wanted::All);
    assert!(
        matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("zstd data is cut off")),
        "{:?}",
        reading.report.outcome
    );
}
