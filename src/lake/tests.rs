//! Records are read back as they were written, whatever the limits.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::commit::manifest::{FileEntry, Manifest};
use super::disk::sim::{Fault, Random, SimDisk};
use super::disk::{Disk, LocalDisk};
use super::file::Reader;
use super::file::write;
use super::partition::Partition;
use super::record::Split;
use super::record::rebuild::Records;
use super::record::row::Head;
use super::record::rows::{Piece, Rows};
use super::{Ingest, LakeError, LakeFeed, Limits, Summary};
use crate::decode::{ObjectReport, Outcome, RawRecord};
use crate::model::{Filter, Repairs, Timestamp};
use crate::pipeline::Collector;
use crate::recognize::Recognizer;
use crate::source::{Delivery, Feed, Fetched, Origin};

/// Writes rows to a file, and opens it for reading.
pub(super) fn written_and_opened(folder: &Path, rows: &Rows, native: bool) -> Reader {
    let (disk, partition) = (LocalDisk::open(folder).unwrap(), Partition::new(native, None, None, None));
    let name = format!("000001-00001.{}", partition.extension());
    let (mut entry, rows_all) = (
        FileEntry {
            name,
            partition,
            rows: rows.len() as u64,
            bytes: 0,
            row_bytes: 0,
            first: 0,
            last: 0,
            tail: None,
        },
        0..rows.len(),
    );
    let written = write(disk.create(&entry.path()).unwrap(), &entry.path(), rows, rows_all).unwrap();
    entry.bytes = written.bytes;
    entry.tail = Some(written.tail);
    Reader::of(&disk, &entry).unwrap()
}

/// Writes records to a file, and reads them back.
fn round_trip(records: &[(String, bool)]) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut back = vec![String::new(); records.len()];
    for native in [false, true] {
        let mut piece = Piece::default();
        for (at, (json, _)) in records.iter().enumerate().filter(|(_, (_, is_native))| *is_native == native) {
            let split = Split::of(json, native).unwrap();
            piece.write(&Head { time: 0, record: at as u64, id: b"", object: b"k" }, |out| split.put(out));
        }
        let rows = Rows::of(vec![piece]);
        if rows.is_empty() {
            continue;
        }
        let reader = written_and_opened(folder.path(), &rows, native);
        for group in reader.groups() {
            let rows = reader.read(group, None, None).unwrap();
            let rebuilt = Records::of(&rows).unwrap();
            for row in 0..rows.height() {
                rebuilt.write(row, &mut back[rebuilt.index(row) as usize]);
            }
        }
    }
    back
}

fn meaning(json: &str, native: bool) -> String {
    let found = Recognizer::default()
        .recognize(RawRecord { index: 0, json, native }, |recognized| format!("{recognized:?}"));
    format!("{found:?}")
}

/// The value without `null`s and empty objects, which are not distinguished from absent members.
fn plain(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let kept = members.into_iter().map(|(name, value)| (name, plain(value)));
            Value::Object(kept.filter(|(_, value)| !value.is_null() && *value != json!({})).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(plain).collect()),
        other => other,
    }
}

fn anything() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[ -~é\u{202e}\u{0}\"\\\\]{0,12}".prop_map(Value::from),
        Just(json!("true")),
        Just(json!("arn:aws:ecr:eu-central-1:111122223333:repository/shop/api")),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        let key = prop_oneof![
            "[a-zA-Z]{1,6}",
            Just("arn".to_owned()),
            Just("ARN".to_owned()),
            Just("type".to_owned()),
            Just("accountId".to_owned())
        ];
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map(key, inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

/// A `PutImage` event as CloudTrail writes it.
fn push() -> Value {
    json!({
        "eventVersion": "1.11", "eventID": "5d3f0c1e-0000-4000-8000-000000000001", "eventTime": "2026-03-02T13:41:07Z",
        "eventSource": "ecr.amazonaws.com", "eventName": "PutImage", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
        "sourceIPAddress": "192.0.2.7", "userAgent": "docker/27 \"quoted\" \u{1F680}", "readOnly": false, "managementEvent": true,
        "userIdentity": {
            "type": "AssumedRole", "principalId": "AROA:ci", "arn": "arn:aws:sts::111122223333:assumed-role/ci/ci", "accountId": "111122223333",
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "userName": "ci"}, "attributes": {"mfaAuthenticated": "false", "creationDate": "2026-03-02T13:00:00Z"},
                "webIdFederationData": {"federatedProvider": "x", "attributes": {"aud": "sts", "sub": "repo:é"}}
            }
        },
        "requestParameters": {"repositoryName": "shop/api", "imageTag": "v7", "imageManifest": "{\"schemaVersion\": 2}"},
        "responseElements": {"image": {"repositoryName": "shop/api", "registryId": "111122223333"}},
        "resources": [{"ARN": "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api", "accountId": "111122223333"}],
        "tlsDetails": {"tlsVersion": "TLSv1.3"}
    })
}

const MEMBERS: &[&str] = &[
    "eventID",
    "eventTime",
    "eventName",
    "awsRegion",
    "recipientAccountId",
    "sharedEventID",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "readOnly",
    "userIdentity",
    "resources",
    "addendum",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "tlsDetails",
    "apiVersion",
    "edgeDeviceDetails",
    "eventContext",
    "eventid",
    "sessionCredentialFromConsole",
];

#[test]
fn an_ordinary_record_comes_back_whole_and_from_its_columns() {
    let record = push();
    let text = record.to_string();
    let split = Split::of(&text, false).unwrap();
    assert_eq!(split.original(), None);
    let back = round_trip(&[(text, false)]);
    assert_eq!(serde_json::from_str::<Value>(&back[0]).unwrap(), record);
}

#[test]
fn half_a_character_and_members_that_stand_twice_come_back_as_they_were() {
    let cut = r#"{"eventID":"a-1","eventTime":"2026-03-02T13:41:07Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","errorCode":"X","errorMessage":"cut \ud83d"}"#;
    let twice = r#"{"eventID":"a-1","eventTime":"2026-03-02T13:41:07Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","eventName":"BatchGetImage"}"#;
    let without_id = r#"{ "eventTime":"2026-03-02T13:41:07Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","resources":[] }"#;
    let native = r#"{"detail-type":"ECS Task State Change","source":"aws.ecs","time":"2026-03-02T13:41:07Z","detail":{"stoppedReason":"x"}}"#;
    let all = [(cut, false), (twice, false), (without_id, false), (native, true)]
        .map(|(json, native)| (json.to_owned(), native));
    let back = round_trip(&all);
    assert_eq!(back[1..], all.iter().map(|(json, _)| json.clone()).collect::<Vec<_>>()[1..]);
    for ((json, native), back) in all.iter().zip(&back) {
        assert_eq!(meaning(json, *native), meaning(back, *native));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_can_tell_a_rebuilt_record_from_its_original(
        changes in proptest::collection::vec((proptest::sample::select(MEMBERS), anything()), 0..4),
        inside in proptest::collection::vec((proptest::sample::select(&["userIdentity", "requestParameters", "responseElements"][..]), "[a-zA-Z]{1,8}", anything()), 0..3),
    ) {
        let mut record = push();
        for (name, value) in changes {
            record[name] = value;
        }
        for (name, key, value) in inside {
            if let Some(members) = record[name].as_object_mut() {
                members.insert(key, value);
            }
        }
        let text = record.to_string();
        let back = round_trip(&[(text.clone(), false)]);
        prop_assert_eq!(meaning(&text, false), meaning(&back[0], false));
        prop_assert_eq!(plain(serde_json::from_str(&text).unwrap()), plain(serde_json::from_str(&back[0]).unwrap()));
        // Merging rewrites rows that were read back: the second time must change nothing.
        prop_assert_eq!(&round_trip(&[(back[0].clone(), false)])[0], &back[0]);
    }
}

/// One object's records: `(id, hour)`.
type Object = (String, Vec<(String, u32)>);

fn event(id: &str, hour: u32) -> String {
    let (day, hour) = (hour / 24 + 1, hour % 24);
    format!(
        r#"{{"eventID":"{id}","eventTime":"2026-03-{day:02}T{hour:02}:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1","recipientAccountId":"111122223333","requestParameters":{{"repositoryName":"shop/api"}}}}"#
    )
}

fn deliver(collector: &mut super::ingest::Collector<'_>, (name, records): &Object) {
    for (index, (id, hour)) in records.iter().enumerate() {
        collector
            .record(name, RawRecord { index: index as u64, json: &event(id, *hour), native: false })
            .unwrap();
    }
    let origin = Some(Origin { address: name.clone(), stamp: "1".to_owned() });
    let delivery = Delivery {
        object: name.as_str().into(),
        size: 1,
        outcome: Fetched::Whole,
        origin,
        signed: None,
        rest: None,
    };
    let report = ObjectReport {
        outcome: Outcome::Read,
        bytes_decompressed: 1,
        records: records.len() as u64,
        records_skipped: 0,
        lines_skipped: 0,
        repaired: Repairs::default(),
        failed: Vec::new(),
        failed_total: 0,
        first_event_time: None,
        last_event_time: None,
        lossy: false,
    };
    collector.finished(&delivery, Some(&report));
}

fn ingest(lake: &Path, limits: Limits, objects: &[Object], threads: usize) -> Summary {
    run(Ingest::open(lake, &[], limits).unwrap(), objects, threads).unwrap()
}

fn run(ingest: Ingest, objects: &[Object], threads: usize) -> Result<Summary, LakeError> {
    std::thread::scope(|scope| {
        for thread in 0..threads {
            let ingest = &ingest;
            scope.spawn(move || {
                let mut collector = ingest.collector();
                objects
                    .iter()
                    .skip(thread)
                    .step_by(threads)
                    .for_each(|object| deliver(&mut collector, object));
            });
        }
    });
    ingest.finish(true)
}

/// All events in the lake: id → object and index.
fn contents(lake: &Path) -> BTreeMap<String, (String, u64)> {
    contents_of(LakeFeed::open(lake, &Filter::default()).unwrap())
}

fn contents_of(feed: Arc<LakeFeed>) -> BTreeMap<String, (String, u64)> {
    let mut found = BTreeMap::new();
    let record_source = feed.record_source().unwrap();
    while record_source.read_next(None, &mut |shelved| {
        let record: Value = serde_json::from_str(shelved.json).unwrap();
        let id = record["eventID"].as_str().unwrap().to_owned();
        assert!(
            found.insert(id.clone(), (shelved.object.to_owned(), shelved.index)).is_none(),
            "{id} stands twice"
        );
    }) {}
    assert!(record_source.coverage().failures.is_empty(), "{:?}", record_source.coverage().failures);
    found
}

/// Objects with many duplicates, in one day or over several days.
fn archive(objects: u32, each: u32) -> Vec<Object> {
    let record = |object: u32, at: u32| {
        let number = (object * each + at) * 7919 % (objects * each * 2 / 3);
        (format!("id-{number:05}"), number % 72)
    };
    (0..objects)
        .map(|object| (format!("key-{object:03}"), (0..each).map(|at| record(object, at)).collect()))
        .collect()
}

fn expected(objects: &[Object]) -> BTreeMap<String, (String, u64)> {
    let mut all: BTreeMap<String, (String, u64)> = BTreeMap::new();
    for (name, records) in objects {
        for (at, (id, _)) in records.iter().enumerate() {
            let place = (name.clone(), at as u64);
            all.entry(id.clone())
                .and_modify(|known| *known = place.clone().min(known.clone()))
                .or_insert(place);
        }
    }
    all
}

const TIGHT: Limits = Limits {
    file_bytes: 3_000,
    buffer_bytes: 2_500,
    commit_bytes: 20_000,
    commit_objects: 17,
    writers: 2,
    keep_replaced: Duration::from_secs(3_600),
};

#[test]
fn the_content_does_not_depend_on_limits_threads_or_order() {
    let objects = archive(40, 12);
    let mut backwards = objects.clone();
    backwards.reverse();
    for (limits, objects, threads) in
        [(Limits::default(), &objects, 1), (TIGHT, &objects, 1), (TIGHT, &objects, 4), (TIGHT, &backwards, 3)]
    {
        let folder = tempfile::tempdir().unwrap();
        let summary = ingest(folder.path(), limits, objects, threads);
        assert_eq!(contents(folder.path()), expected(objects));
        assert_eq!(summary.events_total, expected(objects).len() as u64);
        assert_eq!(summary.events_added, summary.events_total);
        assert_eq!(summary.events_duplicate + summary.events_total, 480);
        assert!(leftovers(folder.path()).is_empty(), "{:?}", leftovers(folder.path()));
    }
}

fn leftovers(lake: &Path) -> Vec<String> {
    let files = ["staging", "spill"]
        .iter()
        .flat_map(|name| std::fs::read_dir(lake.join("_tagfall").join(name)).into_iter().flatten());
    files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn run_after_run_the_same_comes_out_and_the_first_place_is_kept() {
    let mut objects = archive(30, 8);
    // The last objects are added first, so that copies in earlier ones replace theirs.
    objects.reverse();
    let folder = tempfile::tempdir().unwrap();
    for batch in objects.chunks(4) {
        ingest(folder.path(), TIGHT, batch, 2);
    }
    assert_eq!(contents(folder.path()), expected(&objects));
    let again = ingest(folder.path(), TIGHT, &objects, 2);
    assert_eq!((again.events_added, again.events_total), (0, expected(&objects).len() as u64));
}

#[test]
fn many_runs_leave_few_segments_and_files_of_a_sane_size() {
    let folder = tempfile::tempdir().unwrap();
    for run in 0..40 {
        ingest(
            folder.path(),
            Limits::default(),
            &[(format!("key-{run}"), vec![(format!("id-{run}"), run % 20)])],
            1,
        );
    }
    let disk = LocalDisk::open(folder.path()).unwrap();
    let manifest = Manifest::load(&disk).unwrap().manifest;
    assert_eq!(manifest.files.len(), 1, "one day's crumbs are one file");
    assert!(manifest.segments.len() <= 32);
    let mut objects = 0;
    assert!(crate::lake::commit::objects::for_each_object(&disk, &manifest, |_| objects += 1).is_empty());
    assert_eq!(objects, 40);
}

#[test]
fn a_late_event_lands_on_its_day() {
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), Limits::default(), &[("a".to_owned(), vec![("x-1".to_owned(), 50)])], 1);
    ingest(folder.path(), Limits::default(), &[("b".to_owned(), vec![("x-2".to_owned(), 3)])], 1);
    let days = ["2026-03-01", "2026-03-03"]
        .map(|day| folder.path().join(format!("account=111122223333/region=eu-central-1/date={day}")));
    assert!(days.iter().all(|day| day.is_dir()));
    let until = Filter { until: Timestamp::parse("2026-03-02T00:00:00Z"), ..Filter::default() };
    let feed = LakeFeed::open(folder.path(), &until).unwrap();
    let mut seen = 0;
    while feed.record_source().unwrap().read_next(None, &mut |_| seen += 1) {}
    assert_eq!(seen, 1, "other days are not opened");
}

#[test]
fn one_writer_at_a_time_and_one_selection_for_life() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    let first = Ingest::open(folder.path(), &["ecr.amazonaws.com".to_owned()], Limits::default()).unwrap();
    assert!(matches!(Ingest::open(folder.path(), &[], Limits::default()), Err(LakeError::Busy { .. })));
    first.finish(true).unwrap();
    assert!(matches!(
        Ingest::open(folder.path(), &[], Limits::default()),
        Err(LakeError::OtherSelection { .. })
    ));
    assert!(Ingest::open(folder.path(), &["ecr.amazonaws.com".to_owned()], Limits::default()).is_ok());
}

#[test]
fn a_folder_with_something_else_in_it_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("thesis.txt"), "x").unwrap();
    assert!(matches!(Ingest::open(folder.path(), &[], Limits::default()), Err(LakeError::NotALake { .. })));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

/// Once a file of another lake, or of a copy of this one, was removed because of its name.
#[test]
fn files_that_no_commit_of_this_lake_wrote_are_left_alone_whatever_they_are_called() {
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), Limits::default(), &archive(4, 4), 1);
    let before = contents(folder.path());
    let day = folder.path().join("account=111122223333/region=eu-central-1/date=2026-03-01");
    let others = [
        day.join("000002-00001.parquet"),
        day.join("mine.parquet"),
        folder.path().join("team/a/b/c/000001-00001.parquet"),
    ];
    for path in &others {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "x").unwrap();
    }
    ingest(folder.path(), Limits::default(), &[("late".to_owned(), vec![("x-1".to_owned(), 3)])], 1);
    assert!(others.iter().all(|path| std::fs::read(path).unwrap() == b"x"));
    assert_eq!(contents(folder.path()).len(), before.len() + 1);
}

/// As in `commit::local::tests`, but with real data files, and with a run that reads everything again after
/// an interruption.
#[test]
fn stopped_anywhere_a_run_leaves_a_lake_and_the_next_ends_as_an_undisturbed_one() {
    let objects = archive(24, 6);
    for seed in 0..24 {
        let (mut random, disk) = (Random(seed), SimDisk::default());
        for _ in 0..4 {
            disk.fail_after(
                random.below(900),
                if random.below(2) == 0 { Fault::Stop } else { Fault::Once(std::io::ErrorKind::StorageFull) },
            );
            if let Ok(ingest) = Ingest::open_on(Arc::new(disk.clone()), Path::new("lake"), Some(&[]), TIGHT) {
                let _ = run(ingest, &objects, 2);
            }
            disk.crash(&mut random);
            let there = contents_of(LakeFeed::open_on(Arc::new(disk.clone()), &Filter::default()).unwrap());
            assert!(there.keys().all(|id| expected(&objects).contains_key(id)), "seed {seed}");
        }
        run(
            Ingest::open_on(Arc::new(disk.clone()), Path::new("lake"), Some(&[]), TIGHT).unwrap(),
            &objects,
            2,
        )
        .unwrap();
        assert_eq!(
            contents_of(LakeFeed::open_on(Arc::new(disk.clone()), &Filter::default()).unwrap()),
            expected(&objects),
            "seed {seed}"
        );
    }
}

/// Reports an object that could not be read.
fn lose(collector: &mut super::ingest::Collector<'_>, name: &str) {
    let origin = Some(Origin { address: name.to_owned(), stamp: "2".to_owned() });
    let delivery = Delivery {
        object: name.into(),
        size: 0,
        outcome: Fetched::Failed("timed out".to_owned()),
        origin,
        signed: None,
        rest: None,
    };
    collector.finished(&delivery, None);
}

/// `(listed, failed)`.
fn coverage(lake: &Path) -> (u64, u64) {
    let feed = LakeFeed::open(lake, &Filter::default()).unwrap();
    let coverage = feed.record_source().unwrap().coverage();
    (coverage.objects_listed, coverage.objects_failed)
}

#[test]
fn an_object_that_could_not_be_had_is_missed_until_it_is_had_whatever_stops_the_runs_between() {
    let folder = tempfile::tempdir().unwrap();
    let first = Ingest::open(folder.path(), &[], TIGHT).unwrap();
    lose(&mut first.collector(), "lost");
    first.finish(true).unwrap();
    assert_eq!(coverage(folder.path()), (1, 1));
    // This run commits, and is killed before it reaches the object.
    let killed = Ingest::open(folder.path(), &[], TIGHT).unwrap();
    archive(40, 12).iter().for_each(|object| deliver(&mut killed.collector(), object));
    drop(killed);
    let (listed, failed) = coverage(folder.path());
    assert!(listed > 10 && failed == 1, "{listed} listed, {failed} failed");
    ingest(folder.path(), TIGHT, &[("lost".to_owned(), vec![("id-x".to_owned(), 1)])], 1);
    assert_eq!(coverage(folder.path()).1, 0);
}

#[test]
fn a_new_version_that_could_not_be_had_is_not_hidden_by_the_old_one() {
    let folder = tempfile::tempdir().unwrap();
    ingest(folder.path(), TIGHT, &[("a".to_owned(), vec![("x-1".to_owned(), 1)])], 1);
    let second = Ingest::open(folder.path(), &[], TIGHT).unwrap();
    lose(&mut second.collector(), "a");
    second.finish(true).unwrap();
    assert_eq!(coverage(folder.path()), (1, 1));
}

#[test]
fn limits_follow_the_memory_that_is_given() {
    let mut before = Limits::within(0);
    for megabytes in [64, 128, 256, 512, 1024, 8192_u64] {
        let limits = Limits::within(megabytes << 20);
        let taken = limits.file_bytes * 3 / 2 + limits.buffer_bytes as u64;
        assert!(taken <= (megabytes << 20).saturating_sub(48 << 20), "{megabytes} MiB: {limits:?}");
        assert!(
            limits.file_bytes >= before.file_bytes
                && limits.buffer_bytes >= before.buffer_bytes
                && limits.buffer_bytes > 0
        );
        before = limits;
    }
    assert!(Limits::default().file_bytes > 64 << 20, "without further ado, files have the best size");
}

#[test]
fn what_has_another_time_is_no_copy_neither_in_one_run_nor_in_two() {
    let (early, late) =
        (("a".to_owned(), vec![("x-1".to_owned(), 5)]), ("b".to_owned(), vec![("x-1".to_owned(), 7)]));
    let between = ("c".to_owned(), vec![("x-2".to_owned(), 4), ("x-1".to_owned(), 6), ("x-3".to_owned(), 8)]);
    let (one, two) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let once = ingest(one.path(), TIGHT, &[late.clone(), early.clone(), between.clone()], 1);
    ingest(two.path(), TIGHT, &[late, early], 1);
    let twice = ingest(two.path(), TIGHT, std::slice::from_ref(&between), 1);
    assert_eq!((once.events_total, twice.events_total), (5, 5));
}
