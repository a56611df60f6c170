//! All ways of reading must agree with the truth: the hot path (gzip), the full path (plain text), and
//! serde_json.

use crate::decode_world;
use decode_world::{
    Element, Random, Reading, Truth, WANTED, Writing, document, element, gzip, read, read_with,
};
use proptest::prelude::*;
use serde_json::Value;
use tagfall::decode::identity::EventKey;
use tagfall::decode::{Decoder, Limits, Outcome, Wanted, fingerprint};
use tagfall::model::Timestamp;

fn elements(seed: u64, writing: Writing, odd: usize) -> Vec<Element> {
    let mut random = Random(seed);
    (0..random.below(12)).map(|_| element(&mut random, writing, odd)).collect()
}

/// Compares a reading with the truth.
fn check(elements: &[Element], reading: &Reading, wanted: Wanted<'_>) {
    let mut expected: Vec<(u64, &Value)> = Vec::new();
    let (mut failed, mut ids, mut times) = (Vec::new(), Vec::new(), Vec::new());
    for (index, element) in (0..).zip(elements) {
        match &element.truth {
            Truth::Record { time, source, value, .. } => {
                let text = |name: &str| value[name].as_str().unwrap_or_default().as_bytes();
                let told = EventKey {
                    id: text("eventID"),
                    time: Some(Timestamp::from_millis(*time)),
                    source: text("eventSource"),
                    name: text("eventName"),
                    region: text("awsRegion"),
                    account: text("recipientAccountId"),
                };
                ids.push(told.identity(element.text.as_bytes()));
                times.push(*time);
                if matches!(wanted, Wanted::All) || WANTED.contains(&source.as_str()) {
                    expected.push((index, value));
                }
            }
            Truth::Failed => failed.push(index),
            Truth::Other => {}
        }
    }
    let kept: Vec<(u64, Value)> = reading
        .kept
        .iter()
        .map(|(index, json, _)| (*index, serde_json::from_str(json).expect("whole")))
        .collect();
    assert_eq!(kept.iter().map(|(index, value)| (*index, value)).collect::<Vec<_>>(), expected);
    assert_eq!(reading.report.failed.iter().map(|(index, _)| *index).collect::<Vec<_>>(), failed);
    assert_eq!(reading.report.records as usize, times.len() + failed.len());
    assert_eq!(reading.ids, ids);
    assert_eq!(reading.report.first_event_time.map(|time| time.millis()), times.iter().min().copied());
    assert_eq!(reading.report.last_event_time.map(|time| time.millis()), times.iter().max().copied());
    let others = elements.iter().any(|element| element.truth == Truth::Other);
    let only_others = others && reading.report.records == 0;
    assert_eq!(matches!(reading.report.outcome, Outcome::Skipped(_)), only_others, "{:?}", reading.report);
    assert_eq!(reading.report.outcome == Outcome::Read, !only_others, "{:?}", reading.report);
}

fn writing(pick: usize) -> Writing {
    [Writing::Compact, Writing::Compact, Writing::Spaced, Writing::Pretty][pick]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn all_ways_agree_with_the_truth(seed in any::<u64>(), pick in 0_usize..4, odd in prop_oneof![Just(0_usize), Just(100), Just(600)]) {
        let elements = elements(seed, writing(pick), odd);
        let (text, _) = document(&elements, writing(pick));
        let whole: Value = serde_json::from_str(&text).expect("generated JSON");
        prop_assert_eq!(whole["Records"].as_array().map(Vec::len), Some(elements.len()));
        for wanted in [Wanted::All, Wanted::Sources(WANTED)] {
            let plain = read(text.as_bytes(), wanted);
            check(&elements, &plain, wanted);
            prop_assert_eq!(&read(&gzip(text.as_bytes()), wanted), &plain);
        }
    }

    #[test]
    fn wrapped_records_are_the_same_records(seed in any::<u64>(), pick in 0_usize..4, form in 0_usize..6) {
        let mut elements = elements(seed, writing(pick), 0);
        elements.retain(|element| matches!(element.truth, Truth::Record { .. }));
        prop_assume!(!elements.is_empty());
        let texts = || elements.iter().map(|element| element.text.as_str());
        let quoted = |text: &str| Value::from(text).to_string();
        let envelope = |text: &str| format!("{{\"version\":\"0\",\"detail-type\":\"AWS API Call via CloudTrail\",\"source\":\"aws.ecr\",\"detail\":{text}}}");
        let line = |text: &str| text.replace('\n', " ");
        let wrapped = match form {
            0 => format!("[{}]", texts().collect::<Vec<_>>().join(" , ")),
            1 => texts().collect::<Vec<_>>().join("\n"),
            2 => texts().map(line).collect::<Vec<_>>().join("\n") + "\n",
            3 => format!("{{\"NextToken\":\"[\",\"Events\":[{}]}}", texts().map(|text| format!("{{\"EventId\":\"x\",\"CloudTrailEvent\":{}}}", quoted(text))).collect::<Vec<_>>().join(",")),
            4 => texts().map(|text| line(&envelope(text))).collect::<Vec<_>>().join("\n"),
            _ => format!("{{\"logGroup\":\"x\",\"logEvents\":[{}]}}", texts().map(|text| format!("{{\"id\":\"1\",\"message\":{}}}", quoted(text))).collect::<Vec<_>>().join(",")),
        };
        let reading = read(wrapped.as_bytes(), Wanted::Sources(WANTED));
        check(&elements, &reading, Wanted::Sources(WANTED));
        prop_assert_eq!(&read(&gzip(wrapped.as_bytes()), Wanted::Sources(WANTED)), &reading);
    }

    #[test]
    fn a_cut_keeps_every_whole_record(seed in any::<u64>(), pick in 0_usize..4, cut in any::<prop::sample::Index>()) {
        let elements = elements(seed, writing(pick), 0);
        let (text, ends) = document(&elements, writing(pick));
        let cut = cut.index(text.len() - 1) + 1;
        let whole = ends.iter().filter(|&&end| end <= cut).count();
        for stored in [text.as_bytes()[..cut].to_vec(), gzip(&text.as_bytes()[..cut])] {
            let reading = read(&stored, Wanted::All);
            prop_assert_eq!(reading.kept.len(), whole);
            prop_assert_eq!(matches!(reading.report.outcome, Outcome::Failed(_)), cut < text.trim_end().len(), "{:?}", reading.report);
        }
    }

    #[test]
    fn a_cut_gzip_keeps_a_beginning(seed in any::<u64>(), cut in any::<prop::sample::Index>()) {
        let elements = elements(seed, Writing::Compact, 0);
        let (text, _) = document(&elements, Writing::Compact);
        let stored = gzip(text.as_bytes());
        let whole = read(&stored, Wanted::All);
        let cut = cut.index(stored.len() - 4) + 3;
        let reading = read(&stored[..cut], Wanted::All);
        prop_assert!(whole.kept.starts_with(&reading.kept));
        prop_assert!(matches!(&reading.report.outcome, Outcome::Failed(reason) if reason.contains("cut off")), "{:?}", reading.report);
    }

    #[test]
    fn damage_never_panics_and_never_invents(seed in any::<u64>(), hits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4)) {
        let (text, _) = document(&elements(seed, Writing::Compact, 100), Writing::Compact);
        for gzipped in [false, true] {
            let mut stored = if gzipped { gzip(text.as_bytes()) } else { text.clone().into_bytes() };
            for (at, byte) in &hits {
                *at.get_mut(&mut stored) = *byte;
            }
            let reading = read(&stored, Wanted::All);
            prop_assert!(reading.kept.iter().all(|(_, json, _)| serde_json::from_str::<Value>(json).is_ok()));
            let damaged_gzip = gzipped && flate2::read::MultiGzDecoder::new(stored.as_slice()).bytes_ok() != Some(true);
            if damaged_gzip {
                prop_assert!(matches!(reading.report.outcome, Outcome::Failed(_)), "{:?}", reading.report);
            }
        }
    }

    #[test]
    fn noise_never_panics(noise in prop::collection::vec(any::<u8>(), 0..300), gzipped in any::<bool>()) {
        let stored = if gzipped { gzip(&noise) } else { noise };
        let reading = read(&stored, Wanted::All);
        prop_assert!(reading.kept.is_empty());
    }
}

trait BytesOk {
    fn bytes_ok(self) -> Option<bool>;
}

impl<R: std::io::Read> BytesOk for flate2::read::MultiGzDecoder<R> {
    /// Whether another reader decompresses everything without an error.
    fn bytes_ok(mut self) -> Option<bool> {
        Some(std::io::copy(&mut self, &mut std::io::sink()).is_ok())
    }
}

/// Records nested in a request, complete with beginning and end: cutting by text alone would take them for
/// records of the trail, so that a caller could forge them.
#[test]
fn a_record_inside_a_request_is_no_record() {
    let forged = r#"{"eventVersion":"1.11","userIdentity":{},"eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"BatchDeleteImage","requestParameters":null,"eventID":"f","readOnly":false,"eventCategory":"Management"}"#;
    let outer = format!(
        r#"{{"eventVersion":"1.11","userIdentity":{{}},"eventTime":"2026-03-02T11:00:00Z","eventSource":"events.amazonaws.com","eventName":"PutEvents","requestParameters":{{"l":[{{"eventID":"a","readOnly":true,"eventCategory":"Management"}},{forged},{forged}]}},"eventID":"o","readOnly":false,"eventCategory":"Management"}}"#
    );
    let text = format!("{{\"Records\":[{outer},{outer}]}}");
    let reading = read(&gzip(text.as_bytes()), Wanted::Sources(WANTED));
    assert_eq!((reading.report.records, reading.kept.len()), (2, 0));
    assert_eq!(reading.ids, [reading.ids[0]; 2]);
    assert_eq!(reading.ids[0].id, fingerprint(b"o"));
}

/// A decoder that was used before gives the same result as a new one.
#[test]
fn buffers_are_reused_without_a_trace() {
    let mut decoder = Decoder::new();
    for seed in 0..60 {
        let (text, _) = document(&elements(seed, Writing::Compact, 100), Writing::Compact);
        let stored = gzip(text.as_bytes());
        assert_eq!(
            read_with(&mut decoder, &stored, Wanted::All, Limits::default()),
            read(&stored, Wanted::All),
            "seed {seed}"
        );
    }
}
