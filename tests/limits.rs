//! Limits that hold: memory whatever the number of workers and the size of an object, and no way to hang.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

fn tagfall() -> Command {
    Command::new(env!("CARGO_BIN_EXE_tagfall"))
}

fn input(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/inputs").join(name)
}

/// Exit code, what was written, and the most memory that it took, in MiB, where the system tells.
fn run(command: &mut Command, stdin: Option<&[u8]>) -> (i32, Vec<u8>, Option<u64>) {
    let stdin_of = if stdin.is_some() { Stdio::piped() } else { Stdio::null() };
    let mut child = command.stdin(stdin_of).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let (mut peak, input) = (None, child.stdin.take());
    std::thread::scope(|scope| {
        if let (Some(bytes), Some(mut input)) = (stdin, input) {
            scope.spawn(move || drop(input.write_all(bytes)));
        }
        let mut stdout = child.stdout.take().unwrap();
        let reading = scope.spawn(move || {
            let mut out = Vec::new();
            std::io::Read::read_to_end(&mut stdout, &mut out).map(|_| out).unwrap()
        });
        let code = loop {
            let high = fs::read_to_string(&status).ok().and_then(|text| {
                let line = text.lines().find(|line| line.starts_with("VmHWM:"))?.to_owned();
                line.split_whitespace().nth(1)?.parse::<u64>().ok()
            });
            peak = peak.max(high.map(|kib| kib >> 10));
            if let Some(status) = child.try_wait().unwrap() {
                break status.code().unwrap_or(-1);
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        (code, reading.join().unwrap(), peak)
    })
}

/// `zcat logs/*.json.gz | tagfall detect -` read as much as the memory holds, and nothing of what followed.
#[test]
fn one_large_export_is_read_to_its_end_whatever_way_it_comes() {
    const OTHERS: usize = 60_000;
    let small = fs::read_to_string(input("one-large-export/input.jsonl")).unwrap();
    let first: Value = serde_json::from_str(small.lines().next().unwrap()).unwrap();
    let mut text = String::new();
    for number in 0..OTHERS {
        let mut other = first.clone();
        other["eventID"] = format!("{number:08}-0000-4000-8000-000000000000").into();
        text.push_str(&other.to_string());
        text.push('\n');
    }
    text.push_str(&small);
    let folder = tempfile::tempdir().unwrap();
    let (plain, packed) = (folder.path().join("a.jsonl"), folder.path().join("a.jsonl.gz"));
    fs::write(&plain, &text).unwrap();
    let mut gzip = flate2::write::GzEncoder::new(fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let list = folder.path().join("list.json");
    fs::write(&list, format!("{{\"Records\":[{}]}}", text.lines().collect::<Vec<_>>().join(","))).unwrap();
    assert!(text.len() > 40 << 20, "more than half of the memory");
    for (source, stdin) in [(plain.as_path(), None), (&packed, None), (&list, None), (Path::new("-"), Some(text.as_bytes()))] {
        let (code, out, peak) = run(tagfall().arg("detect").arg(source).args(["--max-memory", "64MiB", "--format", "json", "-q"]), stdin);
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((code, &document["coverage"]["records"]), (0, &Value::from(OTHERS + small.lines().count())), "{source:?}");
        assert_eq!(document["findings"].as_array().map(Vec::len), Some(1), "{source:?}");
        assert!(peak.is_none_or(|peak| peak < 100), "{source:?} took {peak:?} MiB");
    }
}

/// A few KB that say, truly or not, that they come to gigabytes.
#[cfg(feature = "sql")]
#[test]
fn bombs_of_parquet_are_refused_within_the_memory() {
    for (name, reason) in [
        ("dictionary", "a page that says it comes to 1073741828 bytes"),
        ("page", "a page that says it comes to 1073741"),
        ("text-again-and-again", "more than 1000 times as large"),
        ("list", "values in lists"),
    ] {
        let file = input("parquet-of-others").join(format!("bomb-{name}.parquet"));
        let begun = std::time::Instant::now();
        let (code, out, peak) = run(tagfall().arg("detect").arg(&file).args(["--max-memory", "64MiB", "--format", "json", "-q"]), None);
        let document: Value = serde_json::from_slice(&out).unwrap();
        let failures = &document["coverage"]["failures"];
        assert_eq!((code, document["coverage"]["objects_failed"].as_u64()), (3, Some(1)), "{name}");
        assert!(failures[0]["reason"].as_str().unwrap().contains(reason), "{name}: {}", failures[0]);
        assert!(peak.is_none_or(|peak| peak < 150), "{name} took {peak:?} MiB");
        // Without optimisation, on a machine that does other things, too.
        assert!(begun.elapsed() < std::time::Duration::from_secs(300), "{name} took {:?}", begun.elapsed());
    }
}

/// Eight workers took eight times the memory.
#[test]
fn memory_does_not_grow_with_the_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    let blanks = [b"{\"Records\":[".to_vec(), vec![b' '; 20 << 20], b"]}".to_vec()].concat();
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&blanks).unwrap();
    let stored = gzip.finish().unwrap();
    (0..8).for_each(|number| fs::write(folder.path().join(format!("{number}.json.gz")), &stored).unwrap());
    for (verb, code_expected) in [("detect", 0), ("verify", 2)] {
        for jobs in ["1", "8"] {
            let (code, _, peak) = run(tagfall().arg(verb).arg(folder.path()).args(["--max-memory", "64MiB", "-q", "--jobs", jobs]), None);
            assert_eq!(code, code_expected, "{verb}");
            assert!(peak.is_none_or(|peak| peak < 100), "{verb} took {peak:?} MiB with {jobs} workers");
        }
    }
}

/// `--public-keys /dev/zero` was read until the kernel ended the process.
#[cfg(all(unix, feature = "signatures"))]
#[test]
fn a_list_of_keys_without_an_end_is_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    let (code, _, peak) = run(tagfall().arg("verify").arg(fixtures).args(["--public-keys", "/dev/zero"]), None);
    assert_eq!(code, 2);
    assert!(peak.is_none_or(|peak| peak < 100), "{peak:?} MiB");
}

/// `--known /dev/full` was read until nothing was left of the machine's memory.
#[cfg(target_os = "linux")]
#[test]
fn a_result_of_an_earlier_run_without_an_end_is_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    let fixtures = fixtures.to_str().unwrap();
    for args in [&["detect", fixtures, "--known", "/dev/full"][..], &["diff", "/dev/zero", "/dev/zero"]] {
        let (code, _, peak) = run(tagfall().args(args), None);
        assert_eq!(code, 2, "{args:?}");
        assert!(peak.is_none_or(|peak| peak < 600), "{args:?}: {peak:?} MiB");
    }
}

/// Workers that could not allocate left the others waiting, or the process was aborted.
#[cfg(target_os = "linux")]
#[test]
fn an_address_space_that_is_too_small_is_said_at_once() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    // A build with everything in it and nothing optimized is larger than the smallest of these.
    let program = fs::metadata(env!("CARGO_BIN_EXE_tagfall")).unwrap().len() >> 10;
    for (kib, expected) in [(90_000.max(program + 50_000), 2), (program + 150_000, 2), (4_000_000, 0)] {
        for jobs in ["1", "2", "8"] {
            let script = format!("ulimit -v {kib}; exec \"$0\" detect \"$1\" --jobs {jobs} -q");
            let (code, _, _) = run(Command::new("sh").arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_tagfall")).arg(&fixtures), None);
            assert_eq!(code, expected, "{kib} KiB, {jobs} workers");
        }
    }
}

/// A user who may have few threads: `ingest` waited for a pool whose only thread waited for it.
#[cfg(all(target_os = "linux", feature = "sql"))]
#[test]
fn few_threads_are_enough_or_it_is_said() {
    use std::os::unix::fs::PermissionsExt;
    // The limit is none for root, who can be somebody else.
    let root = fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"));
    let folder = tempfile::tempdir_in("/tmp").unwrap();
    let all = |path: &Path| fs::set_permissions(path, fs::Permissions::from_mode(0o777)).unwrap();
    all(folder.path());
    let program = folder.path().join("tagfall");
    fs::copy(env!("CARGO_BIN_EXE_tagfall"), &program).unwrap();
    all(&program);
    let logs = folder.path().join("logs");
    fs::create_dir(&logs).unwrap();
    all(&logs);
    for day in 1..=9 {
        let record = format!(
            r#"{{"eventVersion":"1.11","eventID":"0000000{day}-0000-4000-8000-000000000000","eventTime":"2026-03-0{day}T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeImages","awsRegion":"eu-central-1","recipientAccountId":"111122223333"}}"#
        );
        fs::write(logs.join(format!("{day}.json")), record).unwrap();
    }
    for threads in [3, 4, 6, 8, 10, 14] {
        for verb in ["detect logs", "query 'SELECT count(*) FROM events' logs", "ingest logs --lake lake"] {
            let _ = fs::remove_dir_all(folder.path().join("lake"));
            let somebody = if root { format!("setpriv --reuid={} --clear-groups", 64_900 + threads) } else { String::new() };
            let script = format!(
                "cd {} && exec {somebody} sh -c \"ulimit -u {threads}; exec timeout -s KILL 60 ./tagfall {verb} -q\"",
                folder.path().display()
            );
            let (code, _, _) = run(Command::new("sh").arg("-c").arg(&script), None);
            assert!(matches!(code, 0 | 2), "{threads} threads, {verb}: {code}");
        }
    }
}

/// Where memory ran out the process was aborted or killed.
#[cfg(target_os = "linux")]
#[test]
fn events_that_do_not_fit_into_memory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(fs::File::create(folder.path().join("a.json.gz")).unwrap(), flate2::Compression::fast());
    for number in 0..200_000 {
        let names = format!(r#""registryId":"111122223333","repositoryName":"team/app{number}""#);
        writeln!(
            gzip,
            r#"{{"eventVersion":"1.11","eventID":"{number:08x}-0000-4000-8000-000000000000","eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1","recipientAccountId":"111122223333","requestParameters":{{{names},"imageTag":"t{number}"}},"responseElements":{{{names},"image":{{{names},"imageId":{{"imageTag":"t{number}","imageDigest":"sha256:{number:064x}"}}}}}}}}"#
        )
        .unwrap();
    }
    gzip.finish().unwrap();
    let script = "ulimit -v 800000; exec \"$0\" detect \"$1\" --max-memory 64MiB --jobs 2 -q 2>&1";
    let (code, said, _) = run(Command::new("sh").arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_tagfall")).arg(folder.path()), None);
    let said = String::from_utf8_lossy(&said);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("the memory does not suffice") && said.contains("--since"), "{said}");
}

/// As many repositories as asked for, with an image each, in `objects` objects.
fn write_repositories(folder: &Path, objects: usize, each: usize) {
    for object in 0..objects {
        let file = fs::File::create(folder.join(format!("{object}.json.gz"))).unwrap();
        let mut gzip = flate2::write::GzEncoder::new(file, flate2::Compression::fast());
        for number in object * each..(object + 1) * each {
            let names = format!(r#""registryId":"111122223333","repositoryName":"team/app{number}""#);
            writeln!(
                gzip,
                r#"{{"eventVersion":"1.11","eventID":"{number:08x}-0000-4000-8000-000000000000","eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"PutImage","awsRegion":"eu-central-1","recipientAccountId":"111122223333","requestParameters":{{{names},"imageTag":"t{number}"}},"responseElements":{{{names},"image":{{{names},"imageId":{{"imageTag":"t{number}","imageDigest":"sha256:{number:064x}"}}}}}}}}"#
            )
            .unwrap();
        }
        gzip.finish().unwrap();
    }
}

/// A million repositories took 3.1 GiB of 64 MiB.
#[test]
fn what_is_kept_of_events_takes_the_memory_that_it_may_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_repositories(folder.path(), 8, 7_500);
    for jobs in ["1", "8"] {
        let (code, out, peak) = run(tagfall().arg("detect").arg(folder.path()).args(["--max-memory", "64MiB", "-q", "--jobs", jobs]), None);
        assert_eq!((code, out.len()), (2, 0), "{jobs} workers");
        assert!(peak.is_none_or(|peak| peak < 160), "{peak:?} MiB with {jobs} workers");
    }
    // What it says to do does it.
    let said = tagfall().arg("detect").arg(folder.path()).args(["--max-memory", "64MiB"]).output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    let advised = said.split("--max-memory ").nth(2).and_then(|text| text.split(['i', ',', '\n']).next()).unwrap_or_default().to_owned() + "iB";
    let mib: u64 = advised.trim_end_matches("MiB").parse().unwrap_or_else(|_| panic!("{said}"));
    for more in [&["--max-memory", "192MiB"][..], &["--max-memory", "64MiB", "--repository", "team/app77"]] {
        let (code, out, peak) = run(tagfall().arg("timeline").arg(folder.path()).args(["--format", "json", "-q"]).args(more), None);
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((code, document["coverage"]["records_relevant"].as_u64()), (0, Some(60_000)), "{more:?}");
        assert_eq!(document["timelines"].as_array().unwrap().len(), if more.len() == 2 { 60_000 } else { 1 });
        assert!(peak.is_none_or(|peak| peak < 192 + 80), "{more:?} took {peak:?} MiB");
    }
    assert!((64..=512).contains(&mib), "{said}");
}

/// Second copies took as much as the first ones in each worker, and so the more the more workers there were.
#[test]
fn second_copies_fit_whatever_the_number_of_workers() {
    let folder = tempfile::tempdir().unwrap();
    write_repositories(folder.path(), 1, 10_000);
    for copy in 1..16 {
        fs::copy(folder.path().join("0.json.gz"), folder.path().join(format!("{copy}.json.gz"))).unwrap();
    }
    for jobs in ["1", "8"] {
        let options = ["--max-memory", "64MiB", "--format", "json", "-q", "--jobs", jobs];
        let (code, out, peak) = run(tagfall().arg("detect").arg(folder.path()).args(options), None);
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((code, document["coverage"]["records_duplicate"].as_u64()), (0, Some(150_000)), "{jobs} workers");
        assert!(peak.is_none_or(|peak| peak < 160), "{peak:?} MiB with {jobs} workers");
    }
}

/// JSON with line ends was no JSON any more once it had been written as CSV.
#[cfg(feature = "sql")]
#[test]
fn csv_control_characters_come_back_as_they_were() {
    let sql = "SELECT errormessage, requestparameters FROM cloudtrail_logs";
    let (code, out, _) = run(tagfall().args(["query", sql]).arg(input("csv-control-characters/input.json")).args(["--format", "csv", "-q"]), None);
    assert_eq!(code, 0);
    let mut rows = csv::Reader::from_reader(out.as_slice());
    let row = rows.records().next().unwrap().unwrap();
    assert_eq!(&row[0], "first\nsecond\tthird");
    serde_json::from_str::<Value>(&row[1]).unwrap();
}
