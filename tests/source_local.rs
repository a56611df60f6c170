//! Folders, files and standard input.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Mutex;

use tagfall::model::{Filter, Timestamp};
use tagfall::source::{self, Feed, Fetched, OpenError, Options, PlanError, Pruned};

fn put(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

fn open(path: &Path) -> Box<dyn Feed> {
    source::open(path.to_str().unwrap(), &Options::default(), &Filter::default()).unwrap()
}

/// The objects in the order in which one worker gets them.
fn read(feed: &dyn Feed) -> Vec<(String, Fetched, Vec<u8>)> {
    let mut buffer = b"left over".to_vec();
    let mut all = Vec::new();
    while let Some(delivery) = feed.next(&mut buffer) {
        assert_eq!(delivery.size, buffer.len() as u64);
        all.push((delivery.object.raw().to_owned(), delivery.outcome, buffer.clone()));
    }
    assert_eq!(feed.listed().objects, all.len() as u64);
    assert!(feed.listed().complete && feed.fatal().is_none());
    all
}

fn names(feed: &dyn Feed) -> Vec<String> {
    read(feed).into_iter().map(|(name, ..)| name).collect()
}

#[test]
fn a_folder_is_read_in_the_order_of_names_with_slashes() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "b/2.json",
        "b/1.json",
        "a.json",
        "c/d/e.json.gz",
        "README.md",
        "c/notes.MD",
        ".hidden.json",
        ".git/x.json",
        "c/.x/y.json",
        "b/10.json",
    ] {
        put(folder.path(), name, name.as_bytes());
    }
    let all = read(&*open(folder.path()));
    let feed = open(folder.path());
    read(&*feed);
    assert_eq!(feed.pruned().no_evidence, 5, "what is left out as no evidence is counted, a folder once");
    let expected = ["a.json", "b/1.json", "b/10.json", "b/2.json", "c/d/e.json.gz"];
    assert_eq!(all.iter().map(|(name, ..)| name.as_str()).collect::<Vec<_>>(), expected);
    for (name, outcome, bytes) in all {
        assert_eq!((outcome, bytes), (Fetched::Whole, name.into_bytes()));
    }
}

#[test]
fn names_begin_with_the_source_when_there_are_several() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a/b.json", b"1");
    let options = Options { many: true, ..Options::default() };
    let path = folder.path().to_str().unwrap();
    for spec in [path.to_owned(), format!("{path}/")] {
        assert_eq!(
            names(&*source::open(&spec, &options, &Filter::default()).unwrap()),
            [format!("{path}/a/b.json")]
        );
        assert_eq!(
            names(&*source::open(&spec, &Options::default(), &Filter::default()).unwrap()),
            ["a/b.json"]
        );
    }
    let file = format!("{path}/a/b.json");
    assert_eq!(names(&*source::open(&file, &options, &Filter::default()).unwrap()), [file]);
}

#[test]
fn a_file_that_is_named_is_read_whatever_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let digest = "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2024/10/01/.notes.md";
    put(folder.path(), digest, b"bytes");
    let path = folder.path().join(digest);
    let filter = Filter { accounts: vec!["444455556666".to_owned()], ..Filter::default() };
    let feed = source::open(path.to_str().unwrap(), &Options::default(), &filter).unwrap();
    assert_eq!(feed.listed().bytes, 5);
    assert_eq!(read(&*feed), [(path.to_str().unwrap().to_owned(), Fetched::Whole, b"bytes".to_vec())]);
}

#[test]
fn other_kinds_are_delivered_unread_and_pruned_like_events() {
    let folder = tempfile::tempdir().unwrap();
    for account in ["111122223333", "444455556666"] {
        for (kind, day) in [
            ("CloudTrail", "01"),
            ("CloudTrail-Digest", "01"),
            ("CloudTrail", "05"),
            ("CloudTrail-Insight", "05"),
        ] {
            put(
                folder.path(),
                &format!("AWSLogs/{account}/{kind}/us-east-1/2024/10/{day}/x.json.gz"),
                b"1234",
            );
        }
    }
    let filter = Filter {
        accounts: vec!["111122223333".to_owned()],
        since: Timestamp::parse("2024-10-04T00:00:00Z"),
        ..Filter::default()
    };
    let feed = source::open(folder.path().to_str().unwrap(), &Options::default(), &filter).unwrap();
    let all = read(&*feed);
    assert_eq!(
        all,
        [
            (
                "AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/05/x.json.gz".to_owned(),
                Fetched::Whole,
                b"1234".to_vec()
            ),
            (
                "AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2024/10/05/x.json.gz".to_owned(),
                Fetched::OtherKind,
                Vec::new()
            ),
        ]
    );
    let pruned = feed.pruned();
    assert_eq!(pruned.places, 3, "an account, and two days");
    assert!(pruned.accounts.contains("444455556666"));
    assert_eq!(pruned.days, Some(("2024-10-01".to_owned(), "2024-10-01".to_owned())));
}

#[test]
fn a_deep_copy_and_a_flat_copy_are_pruned_by_their_names() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "2024/10/05/111122223333_CloudTrail_us-east-1_20241005T0000Z_a.json.gz", b"");
    put(folder.path(), "444455556666_CloudTrail_eu-west-1_20241005T0000Z_b.json.gz", b"");
    put(folder.path(), "event_history.json", b"");
    let filter = Filter { regions: vec!["us-east-1".to_owned()], ..Filter::default() };
    let feed = source::open(folder.path().to_str().unwrap(), &Options::default(), &filter).unwrap();
    assert_eq!(
        names(&*feed),
        ["2024/10/05/111122223333_CloudTrail_us-east-1_20241005T0000Z_a.json.gz", "event_history.json"]
    );
    assert_eq!(feed.pruned().regions.into_iter().collect::<Vec<_>>(), ["eu-west-1"]);
}

#[test]
fn what_is_not_there_and_what_is_empty() {
    let folder = tempfile::tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let error =
        source::open(nowhere.to_str().unwrap(), &Options::default(), &Filter::default()).err().unwrap();
    assert_eq!(error, OpenError::NotFound { path: nowhere.to_str().unwrap().to_owned() });
    let feed = open(folder.path());
    assert!(read(&*feed).is_empty());
    assert_eq!((feed.listed().objects, feed.pruned()), (0, Pruned::default()));
    assert!(matches!(source::plan("-", &Options::default(), &Filter::default()), Err(PlanError::Stdin)));
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_build_without_s3_says_so() {
    let error = source::open("s3://trail", &Options::default(), &Filter::default()).err().unwrap();
    assert!(matches!(error, OpenError::WithoutS3 { .. }), "{error}");
}

#[cfg(unix)]
#[test]
fn links_are_followed_loops_are_not_and_a_link_to_nowhere_is_a_failure() {
    let folder = tempfile::tempdir().unwrap();
    let outside = tempfile::tempdir().unwrap();
    put(folder.path(), "a/one.json", b"1");
    put(outside.path(), "two.json", b"2");
    std::os::unix::fs::symlink(folder.path(), folder.path().join("a/loop")).unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("linked")).unwrap();
    std::os::unix::fs::symlink("nowhere.json", folder.path().join("broken.json")).unwrap();
    let all: BTreeMap<_, _> = read(&*open(folder.path()))
        .into_iter()
        .map(|(name, outcome, bytes)| (name, (outcome, bytes)))
        .collect();
    assert_eq!(all.keys().collect::<Vec<_>>(), ["a/one.json", "broken.json", "linked/two.json"]);
    assert!(
        matches!(&all["broken.json"].0, Fetched::Failed(reason) if reason.contains("No such file")),
        "{all:?}"
    );
    assert_eq!(all["linked/two.json"], (Fetched::Whole, b"2".to_vec()));
}

#[cfg(unix)]
#[test]
fn what_cannot_be_opened_is_delivered_with_its_reason() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "closed/x.json", b"1");
    put(folder.path(), "closed.json", b"1");
    put(folder.path(), "open.json", b"1");
    for name in ["closed", "closed.json"] {
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(0o0)).unwrap();
    }
    let refused = fs::File::open(folder.path().join("closed.json")).is_err();
    let all: BTreeMap<_, _> =
        read(&*open(folder.path())).into_iter().map(|(name, outcome, _)| (name, outcome)).collect();
    fs::set_permissions(folder.path().join("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(all["open.json"], Fetched::Whole);
    if refused {
        assert!(
            matches!(&all["closed.json"], Fetched::Failed(reason) if reason.contains("denied")),
            "{all:?}"
        );
        assert!(matches!(&all["closed"], Fetched::Failed(reason) if reason.contains("denied")), "{all:?}");
    } else {
        eprintln!("skipped: root may open everything");
    }
}

#[cfg(unix)]
#[test]
fn a_file_that_goes_away_and_one_that_is_too_large_fail_alone() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..3000 {
        put(folder.path(), &format!("{number:05}.json"), b"1234567890");
    }
    put(folder.path(), "99999.json", &[1; 2000]);
    let options = Options { memory_bytes_max: 1000, ..Options::default() };
    let feed = source::open(folder.path().to_str().unwrap(), &options, &Filter::default()).unwrap();
    let mut buffer = Vec::new();
    while !feed.listed().complete {
        std::thread::yield_now();
    }
    fs::remove_file(folder.path().join("02999.json")).unwrap();
    let mut failed = Vec::new();
    while let Some(delivery) = feed.next(&mut buffer) {
        if let Fetched::Failed(reason) = delivery.outcome {
            assert!(buffer.is_empty());
            failed.push((delivery.object.raw().to_owned(), reason));
        }
    }
    assert_eq!(failed.len(), 2, "{failed:?}");
    assert!(failed[0].0 == "02999.json" && failed[0].1.contains("No such file"));
    assert!(failed[1].0 == "99999.json" && failed[1].1.contains("--max-memory"));
}

#[test]
fn many_workers_share_a_folder_larger_than_the_walk_runs_ahead() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..70_000 {
        put_flat(folder.path(), number);
    }
    let feed = open(folder.path());
    let seen = Mutex::new(vec![0_u8; 70_000]);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut buffer = Vec::new();
                while let Some(delivery) = feed.next(&mut buffer) {
                    let number: usize = delivery.object.raw()[..6].parse().unwrap();
                    assert_eq!(delivery.outcome, Fetched::Whole);
                    seen.lock().unwrap()[number] += 1;
                }
            });
        }
    });
    assert!(seen.into_inner().unwrap().iter().all(|count| *count == 1));
    assert_eq!(feed.listed().objects, 70_000);
}

fn put_flat(root: &Path, number: usize) {
    fs::File::create(root.join(format!("{number:06}.json"))).unwrap();
}

#[test]
fn a_stopped_folder_hands_out_nothing_more_and_its_walk_ends() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..2_000 {
        put_flat(folder.path(), number);
    }
    let feed = open(folder.path());
    let mut buffer = Vec::new();
    assert!(feed.next(&mut buffer).is_some());
    feed.stop();
    assert!(feed.next(&mut buffer).is_none());
}

#[test]
fn a_giant_buffer_is_given_back() {
    let folder = tempfile::tempdir().unwrap();
    put(folder.path(), "a", &vec![0; 80 << 20]);
    put(folder.path(), "b", b"1");
    let feed = open(folder.path());
    let mut buffer = Vec::new();
    assert_eq!(feed.next(&mut buffer).unwrap().size, 80 << 20);
    assert_eq!(feed.next(&mut buffer).unwrap().size, 1);
    assert!(buffer.capacity() <= 64 << 20);
}

/// Only used by the test below, which runs it with data on its standard input.
#[test]
fn stdin_child() {
    if std::env::var_os("TAGFALL_TEST_STDIN").is_none() {
        return;
    }
    let options = Options { memory_bytes_max: 100_000, many: true, ..Options::default() };
    let feed = source::open("-", &options, &Filter::default()).unwrap();
    let all = read(&*feed);
    println!("{} {:?} {}", all[0].0, all[0].1, all[0].2.len());
}

#[test]
fn standard_input_is_one_object() {
    for (bytes, expected) in [(0, "- Whole 0"), (100_000, "- Whole 100000"), (100_001, "--max-memory")] {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "stdin_child", "--nocapture"])
            .env("TAGFALL_TEST_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(&vec![b'x'; bytes]).unwrap();
        let output = child.wait_with_output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(expected), "{bytes}: {text}");
    }
}

/// A measurement: `cargo test --test source_local -- --ignored --nocapture`. Listing should take less time
/// than reading.
#[test]
#[ignore = "a measurement"]
fn forty_thousand_small_files() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..40_000 {
        let day = 1 + number / 1_500;
        let name = format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/{day:02}/111122223333_CloudTrail_us-east-1_202410{day:02}T0000Z_{number:016}.json.gz"
        );
        put(folder.path(), &name, &[b'x'; 4096]);
    }
    for _ in 0..3 {
        let begun = std::time::Instant::now();
        let feed = open(folder.path());
        while !feed.listed().complete {
            std::thread::yield_now();
        }
        let walked = begun.elapsed();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    let mut buffer = Vec::new();
                    while feed.next(&mut buffer).is_some() {}
                });
            }
        });
        println!("walked in {walked:?}, all read after {:?}", begun.elapsed());
    }
}

/// Real archives, if available: an organisation's layout, and a flat folder in which only file names have
/// account and region.
#[test]
fn real_archives_are_pruned_by_account() {
    let shared = std::env::var_os("TAGFALL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), Into::into);
    let archives = [
        ("data/cloud-snitch/backend/report/testdata/aws-cloudtrail-logs", "222222222222", 1, 2),
        ("data/invictus-ir_aws_dataset/CloudTrail", "218007301253", 55, 55),
    ];
    for (path, account, of_account, all) in archives {
        let path = shared.join(path);
        let Some(path) = path.to_str().filter(|path| Path::new(path).is_dir()) else {
            eprintln!("SKIPPED: {} is not here", path.display());
            continue;
        };
        let count = |accounts: &[&str]| {
            let filter =
                Filter { accounts: accounts.iter().map(ToString::to_string).collect(), ..Filter::default() };
            read(&*source::open(path, &Options::default(), &filter).unwrap()).len()
        };
        assert_eq!((count(&[]), count(&[account]), count(&["000000000000"])), (all, of_account, 0), "{path}");
    }
}
