//! Simultaneous runs on one lake in a bucket: the run that commits second does so on top of the other, and a
//! slow reader reads what its manifest names.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::place::{Location, said};
use crate::s3::{Fault, Proxy, Request};
use serde_json::{Value, json};

const LAKE: &str = "s3://trail/lakes/one";

/// An event with this number, on a day of March 2026.
fn event(number: u32, day: u32) -> Value {
    json!({
        "eventVersion": "1.08", "eventTime": format!("2026-03-{day:02}T10:{:02}:{:02}Z", number / 60 % 60, number % 60),
        "eventSource": "ecr.amazonaws.com", "eventName": "BatchGetImage", "awsRegion": "eu-central-1", "recipientAccountId": "111122223333",
        "eventID": format!("00000000-0000-4000-8000-{number:012}"), "readOnly": false,
    })
}

fn object(place: &Location, name: &str, events: &[Value]) {
    place.world.file(name, json!({"Records": events}).to_string().as_bytes());
}

/// A proxy that calls `work`, with the number of earlier calls, when a run is about to replace the manifest,
/// the first `times` times.
fn before_its_commit(
    place: &Arc<Location>,
    times: usize,
    work: impl Fn(&Location, usize) + Send + Sync + 'static,
) -> Proxy {
    let (place, done) = (Arc::clone(place), AtomicUsize::new(0));
    Proxy::start(place.server.address, move |request: &Request<'_>| {
        let is_commit = request.method == "PUT"
            && request.target.contains("/_tagfall/manifest.json")
            && !request.target.contains("/shards/");
        if is_commit {
            let number = done.fetch_add(1, Ordering::SeqCst);
            if number < times {
                work(&place, number);
            }
        }
        Fault::None
    })
}

#[test]
fn what_a_run_tells_beside_its_events_does_not_keep_it_from_committing() {
    let place = Location::new();
    object(&place, "a/one.json", &[event(1, 1)]);
    place.ok(&["ingest", "a", "--lake", LAKE]);
    // The first read-only event; the first file that is left out because of its name; the first events with a
    // common id.
    let mut reads = event(2, 1);
    reads["readOnly"] = true.into();
    object(&place, "b/two.json", &[reads]);
    place.ok(&["ingest", "b", "--lake", LAKE]);
    place.world.file("c/README.md", b"no evidence");
    let mut shares = event(3, 1);
    shares["eventName"] = "PutImage".into();
    object(&place, "c/three.json", &[event(3, 1), shares]);
    place.ok(&["ingest", "c", "--lake", LAKE]);
    // And a plan that is published to an existing lake.
    object(&place, "d/four.json", &[event(4, 2)]);
    place.step(&["plan", "d", "--shards", "2", "-o", "plan"]);
    for shard in ["plan/shard-00001.ndjson", "plan/shard-00002.ndjson"] {
        place.step(&["ingest", "--shard", shard, "--lake", LAKE]);
    }
    place.step(&["ingest", "--commit", "--lake", LAKE]);
    for source in ["a", "b", "c", "d"] {
        place.ok(&["ingest", source, "--lake", "one"]);
    }
    place.compare("one", LAKE);
}

/// The lake made by a slow run and the runs that overtake it is the same as if they ran one after another.
fn overtaken(
    place: &Arc<Location>,
    lake: &str,
    select: &[&str],
    slow: &[&str],
    quick: &'static [&'static str],
) {
    let far = format!("s3://trail/lakes/{lake}");
    let (address, more): (String, Vec<String>) =
        (far.clone(), select.iter().map(|arg| (*arg).to_owned()).collect());
    let proxy = before_its_commit(place, quick.len(), move |place, number| {
        let more: Vec<&str> = more.iter().map(String::as_str).collect();
        place.ok(&[&["ingest", quick[number], "--lake", &address], &more[..]].concat());
    });
    let output = place.run_at(&proxy.endpoint(), &[&["ingest"], slow, &["--lake", &far], select].concat());
    assert_eq!(output.status.code(), Some(0), "{lake}: {}", said(&output));
    for source in quick {
        place.ok(&[&["ingest", source, "--lake", lake], select].concat());
    }
    place.ok(&[&["ingest"], slow, &["--lake", lake], select].concat());
    assert_eq!(place.run(&["lake", "check", &far]).status.code(), Some(0), "{lake}");
    place.compare(lake, &far);
    for source in quick.iter().chain(slow) {
        assert!(
            place.ok(&[&["ingest", source, "--lake", &far], select].concat()).contains("read 0 objects"),
            "{lake}: {source} is known"
        );
    }
}

#[test]
fn a_run_that_is_overtaken_goes_on_on_top_of_the_other() {
    let place = Arc::new(Location::new());
    let events = |numbers: std::ops::Range<u32>, day: u32| {
        numbers.map(|number| event(number, day)).collect::<Vec<_>>()
    };
    // On other days; on the same day; copies of the same events in objects whose names sort before or after;
    // the same objects.
    object(&place, "before/m.json", &[events(0..40, 1), events(40..80, 2)].concat());
    object(&place, "mine/m.json", &[events(30..60, 3), events(100..140, 1)].concat());
    object(&place, "other/a.json", &events(200..220, 4));
    object(&place, "same/a.json", &[events(140..160, 1), events(120..130, 1)].concat());
    object(&place, "late/z.json", &[events(100..110, 1), events(0..10, 1)].concat());
    object(&place, "early/a.json", &[events(100..120, 1), events(5..15, 1)].concat());
    let day = |lake: &str| {
        place.ok(&["ingest", "before", "--lake", &format!("s3://trail/lakes/{lake}")]);
        place.ok(&["ingest", "before", "--lake", lake]);
    };
    for (lake, quick) in [
        ("days", &["other"][..]),
        ("day", &["same"]),
        ("copies", &["late"]),
        ("originals", &["early"]),
        ("twice", &["mine"]),
    ] {
        day(lake);
        overtaken(&place, lake, &[], &["mine"], quick);
    }
    // Again and again; and with a lake that did not exist before.
    day("often");
    overtaken(&place, "often", &[], &["mine"], &["same", "late", "early", "other"]);
    overtaken(&place, "first", &[], &["mine"], &["early", "same"]);
    overtaken(&place, "selected", &["--select", "ecr"], &["mine", "before"], &["early", "late"]);
    overtaken(&place, "fixtures", &[], &["incident"], &["quiet", "mine"]);
}

#[test]
fn a_run_that_is_overtaken_by_one_that_keeps_other_services_is_refused() {
    let place = Arc::new(Location::new());
    object(&place, "mine/m.json", &[event(1, 1)]);
    let proxy = before_its_commit(&place, 1, |place, _| {
        drop(place.ok(&["ingest", "mine", "--select", "ecs", "--lake", LAKE]))
    });
    let output = place.run_at(&proxy.endpoint(), &["ingest", "mine", "--lake", LAKE]);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains("the lake keeps ecs.amazonaws.com"), "{}", said(&output));
}

#[test]
fn a_repair_that_is_overtaken_is_refused_and_made_again() {
    let place = Arc::new(Location::new());
    place.ok(&["ingest", "incident", "--lake", LAKE]);
    place.ok(&["ingest", "incident", "--lake", "one"]);
    let key = place.keys("/_tagfall/parts/").remove(0);
    let mut bytes = place.bucket.get(&key).unwrap();
    let at = bytes.len() / 3;
    bytes[at] ^= 4;
    place.bucket.put(&key, bytes);
    object(&place, "mine/m.json", &[event(1, 20)]);
    let proxy = before_its_commit(&place, 1, |place, _| drop(place.ok(&["ingest", "mine", "--lake", LAKE])));
    let output = place.run_at(&proxy.endpoint(), &["lake", "repair", LAKE, "incident"]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert!(
        said(&output).contains("another run has committed") && said(&output).contains("run it again"),
        "{}",
        said(&output)
    );
    assert_eq!(place.run(&["lake", "check", LAKE]).status.code(), Some(3), "it is damaged still");
    place.ok(&["lake", "repair", LAKE, "incident"]);
    assert_eq!(place.run(&["lake", "check", LAKE]).status.code(), Some(0));
    place.ok(&["ingest", "mine", "--lake", "one"]);
    place.compare("one", LAKE);
}

#[test]
fn a_plan_is_published_on_top_of_another_run_and_once_by_two_drivers() {
    let place = Arc::new(Location::with_a_damaged_object());
    object(&place, "mine/m.json", &[event(1, 2), event(2, 2)]);
    for (lake, is_again) in [("plans", false), ("drivers", true)] {
        let far = format!("s3://trail/lakes/{lake}");
        let sources = ["s3://trail/incident/", "s3://trail/quiet/"];
        let planned = place
            .step(&[&["plan"], &sources[..], &["--shards", "3", "-o", &format!("{lake}-plan")]].concat());
        for number in 1..=3 {
            place.step(&[
                "ingest",
                "--shard",
                &format!("{lake}-plan/shard-{number:05}.ndjson"),
                "--lake",
                &far,
            ]);
        }
        let id = planned["plan"].as_str().unwrap().to_owned();
        let (plan, address) = (id.clone(), far.clone());
        let proxy = before_its_commit(&place, 1, move |place, _| {
            place.ok(&["ingest", "mine", "--lake", &address]);
            if is_again {
                place.step(&["ingest", "--commit", "--plan", &plan, "--lake", &address]);
            }
        });
        let output = place.run_at(&proxy.endpoint(), &["ingest", "--commit", "--plan", &id, "--lake", &far]);
        assert_eq!(output.status.code(), Some(if is_again { 0 } else { 3 }), "{lake}: {}", said(&output));
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told["already"], is_again, "{told}");
        place.ok(&["ingest", "mine", "--lake", lake]);
        assert_eq!(
            place.run(&[&["ingest"], &sources[..], &["--lake", lake]].concat()).status.code(),
            Some(3)
        );
        place.compare(lake, &far);
    }
}

/// A reader during which others commit, before it gets the first part.
fn slow_reader(place: &Arc<Location>, keep: &'static str) -> (std::process::Output, Vec<u8>) {
    let lake = format!("s3://trail/lakes/{keep}");
    place.ok(&["ingest", "incident", "--lake", &lake]);
    let before = place.stdout(&["timeline", &lake, "--format", "json"]);
    let (others, copies, address) = (Arc::clone(place), Mutex::new(vec!["c", "d", "e"]), lake.clone());
    let proxy = Proxy::start(place.server.address, move |request: &Request<'_>| {
        if request.method == "GET" && request.target.contains("/_tagfall/parts/") {
            // Retried requests wait as well.
            let mut copies = copies.lock().unwrap();
            while let Some(copy) = copies.pop() {
                // The same events in an object that sorts before: all parts are rewritten.
                let folder = format!("copy-{copy}");
                others.world.copy(&others.world.path("incident"), &format!("{folder}/0{copy}"));
                others.ok(&["ingest", &folder, "--lake", &address, "--keep-replaced", keep]);
            }
        }
        Fault::None
    });
    (place.run_at(&proxy.endpoint(), &["timeline", &lake, "--format", "json"]), before)
}

#[test]
fn a_reader_that_is_slower_than_many_commits_reads_what_it_began_with() {
    let place = Arc::new(Location::new());
    let (output, before) = slow_reader(&place, "1h");
    assert!(matches!(output.status.code(), Some(0 | 1)), "{}", said(&output));
    assert!(output.stdout == before, "byte for byte");
    // If nothing is kept for readers, they report missing files, and never give a wrong answer.
    let (output, _) = slow_reader(&place, "0s");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let named = |name: &str| {
        String::from_utf8(place.bucket.get(&format!("lakes/0s/_tagfall/{name}")).unwrap()).unwrap()
    };
    let named = named("manifest.json") + &named("manifest.previous.json");
    let left: Vec<String> = place
        .keys("lakes/0s/_tagfall/parts/")
        .into_iter()
        .filter(|key| !named.contains(key.rsplit('/').next().unwrap()))
        .collect();
    assert_eq!(left, Vec::<String>::new(), "nothing is left over");
}
