//! Limits: memory does not depend on the number of workers or the size of an object, and nothing hangs.

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

/// Exit code, output, and peak memory in MiB if the system reports it.
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

/// Once, `zcat logs/*.json.gz | tagfall detect -` read only as much as the memory allows, and nothing after
/// that.
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
    let mut gzip =
        flate2::write::GzEncoder::new(fs::File::create(&packed).unwrap(), flate2::Compression::fast());
    gzip.write_all(text.as_bytes()).unwrap();
    gzip.finish().unwrap();
    let list = folder.path().join("list.json");
    fs::write(&list, format!("{{\"Records\":[{}]}}", text.lines().collect::<Vec<_>>().join(","))).unwrap();
    assert!(text.len() > 40 << 20, "more than half of the memory");
    for (source, stdin) in
        [(plain.as_path(), None), (&packed, None), (&list, None), (Path::new("-"), Some(text.as_bytes()))]
    {
        let (code, out, peak) = run(
            tagfall().arg("detect").arg(source).args(["--max-memory", "64MiB", "--format", "json", "-q"]),
            stdin,
        );
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!(
            (code, &document["coverage"]["records"]),
            (0, &Value::from(OTHERS + small.lines().count())),
            "{source:?}"
        );
        assert_eq!(document["findings"].as_array().map(Vec::len), Some(1), "{source:?}");
        assert!(peak.is_none_or(|peak| peak < 100), "{source:?} took {peak:?} MiB");
    }
}

/// A few KB that claim, rightly or wrongly, to contain gigabytes.
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
        let (code, out, peak) = run(
            tagfall().arg("detect").arg(&file).args(["--max-memory", "64MiB", "--format", "json", "-q"]),
            None,
        );
        let document: Value = serde_json::from_slice(&out).unwrap();
        let failures = &document["coverage"]["failures"];
        assert_eq!((code, document["coverage"]["objects_failed"].as_u64()), (3, Some(1)), "{name}");
        assert!(failures[0]["reason"].as_str().unwrap().contains(reason), "{name}: {}", failures[0]);
        assert!(peak.is_none_or(|peak| peak < 150), "{name} took {peak:?} MiB");
        // Without optimisation, on a machine that may be busy.
        assert!(begun.elapsed() < std::time::Duration::from_secs(300), "{name} took {:?}", begun.elapsed());
    }
}

/// A footer that contradicts the pages: rows would be lost or invented without a message.
#[cfg(feature = "sql")]
#[test]
fn parquet_that_lies_about_its_rows_is_damaged() {
    use polars_parquet_format::FileMetaData;
    use polars_parquet_format::thrift::protocol::{TCompactInputProtocol, TCompactOutputProtocol};

    let whole = fs::read(input("parquet-of-others").join("pyarrow-groups-of-two.parquet")).unwrap();
    let altered = |lie: &dyn Fn(&mut FileMetaData)| {
        let end = whole.len() - 8;
        let length = u32::from_le_bytes(whole[end..end + 4].try_into().unwrap()) as usize;
        let mut footer = &whole[end - length..end];
        let mut metadata =
            FileMetaData::read_from_in_protocol(&mut TCompactInputProtocol::new(&mut footer, usize::MAX))
                .unwrap();
        lie(&mut metadata);
        let mut written = Vec::new();
        metadata.write_to_out_protocol(&mut TCompactOutputProtocol::new(&mut written)).unwrap();
        let length = (written.len() as u32).to_le_bytes();
        [
            &whole[..whole.len()
                - 8
                - usize::try_from(u32::from_le_bytes(whole[end..end + 4].try_into().unwrap())).unwrap()],
            &written,
            &length,
            b"PAR1",
        ]
        .concat()
    };
    let detect = |bytes: Vec<u8>| {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("a.parquet");
        fs::write(&file, bytes).unwrap();
        let (code, out, peak) = run(
            tagfall().arg("detect").arg(&file).args(["--max-memory", "64MiB", "--format", "json", "-q"]),
            None,
        );
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert!(peak.is_none_or(|peak| peak < 150), "{peak:?} MiB");
        let reason = document["coverage"]["failures"][0]["reason"].as_str().unwrap_or_default().to_owned();
        (code, document["coverage"]["records"].as_u64().unwrap(), reason)
    };
    let records = match detect(altered(&|_| {})) {
        (0, records, reason) if reason.is_empty() => records,
        other => panic!("a footer that was only written anew: {other:?}"),
    };
    let last = |metadata: &FileMetaData| metadata.row_groups.len() - 1;
    type Lie<'l> = (&'l str, &'l dyn Fn(&mut FileMetaData), &'l str, bool);
    // The last member: whether what comes before is kept.
    let lies: [Lie<'_>; 10] = [
        ("more in all", &|metadata| metadata.num_rows += 1, "its row groups have", false),
        ("fewer in all", &|metadata| metadata.num_rows -= 1, "its row groups have", false),
        (
            "as many as there are numbers",
            &|metadata| metadata.num_rows = i64::MAX,
            "its row groups have",
            false,
        ),
        ("less than none", &|metadata| metadata.num_rows = -1, "damaged Parquet", false),
        (
            "a row more in a group",
            &|metadata| {
                let last = last(metadata);
                metadata.row_groups[last].num_rows += 1;
                metadata.num_rows += 1;
            },
            "a column of it",
            true,
        ),
        (
            "a row less in a group",
            &|metadata| {
                let last = last(metadata);
                metadata.row_groups[last].num_rows -= 1;
                metadata.num_rows -= 1;
            },
            "a column of it",
            true,
        ),
        (
            "a thousand million rows",
            &|metadata| {
                metadata.row_groups[0].num_rows = 1 << 30;
                metadata.num_rows = metadata.row_groups.iter().map(|group| group.num_rows).sum();
            },
            "no log is packed so well",
            false,
        ),
        (
            "a million rows and values",
            &|metadata| {
                let last = last(metadata);
                let group = &mut metadata.row_groups[last];
                metadata.num_rows += 1_000_000 - group.num_rows;
                group.num_rows = 1_000_000;
                group
                    .columns
                    .iter_mut()
                    .for_each(|column| column.meta_data.as_mut().unwrap().num_values = 1_000_000);
            },
            "damaged Parquet",
            true,
        ),
        (
            "a value less in every column",
            &|metadata| {
                let last = last(metadata);
                let group = &mut metadata.row_groups[last];
                group.num_rows -= 1;
                metadata.num_rows -= 1;
                group
                    .columns
                    .iter_mut()
                    .for_each(|column| column.meta_data.as_mut().unwrap().num_values -= 1);
            },
            "its pages have",
            true,
        ),
        (
            "less than no values",
            &|metadata| {
                let last = last(metadata);
                metadata.row_groups[last]
                    .columns
                    .iter_mut()
                    .for_each(|column| column.meta_data.as_mut().unwrap().num_values = -5);
            },
            "damaged Parquet",
            true,
        ),
    ];
    for (name, lie, expected, kept) in lies {
        let (code, read, reason) = detect(altered(lie));
        assert!(code == 3 && reason.contains(expected), "{name}: {code}, {reason}");
        assert!(if kept { read > 0 && read < records } else { read == 0 }, "{name}: {read} of {records}");
    }
}

/// Once, eight workers used eight times the memory.
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
            let (code, _, peak) = run(
                tagfall().arg(verb).arg(folder.path()).args(["--max-memory", "64MiB", "-q", "--jobs", jobs]),
                None,
            );
            assert_eq!(code, code_expected, "{verb}");
            assert!(peak.is_none_or(|peak| peak < 100), "{verb} took {peak:?} MiB with {jobs} workers");
        }
    }
}

/// Once, `--public-keys /dev/zero` was read until the kernel ended the process.
#[cfg(all(unix, feature = "signatures"))]
#[test]
fn a_list_of_keys_without_an_end_is_refused() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    let (code, _, peak) =
        run(tagfall().arg("verify").arg(fixtures).args(["--public-keys", "/dev/zero"]), None);
    assert_eq!(code, 2);
    assert!(peak.is_none_or(|peak| peak < 100), "{peak:?} MiB");
}

/// Once, `--known /dev/full` was read until the machine had no memory left.
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

/// Once, workers that could not allocate memory made the others wait forever, or the process was aborted.
#[cfg(target_os = "linux")]
#[test]
fn an_address_space_that_is_too_small_is_said_at_once() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    // An unoptimised build with all features is larger than the smallest of these limits.
    let program = fs::metadata(env!("CARGO_BIN_EXE_tagfall")).unwrap().len() >> 10;
    for (kib, expected) in [(90_000.max(program + 50_000), 2), (program + 150_000, 2), (4_000_000, 0)] {
        for jobs in ["1", "2", "8"] {
            let script = format!("ulimit -v {kib}; exec \"$0\" detect \"$1\" --jobs {jobs} -q");
            let (code, _, _) = run(
                Command::new("sh").arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_tagfall")).arg(&fixtures),
                None,
            );
            assert_eq!(code, expected, "{kib} KiB, {jobs} workers");
        }
    }
}

/// A user with a low limit of threads: once, `ingest` waited for a pool whose only thread waited for it.
#[cfg(all(target_os = "linux", feature = "sql"))]
#[test]
fn few_threads_are_enough_or_it_is_said() {
    use std::os::unix::fs::PermissionsExt;
    // The limit does not apply to root, who can switch to another user.
    let root =
        fs::read_to_string("/proc/self/status").unwrap().lines().any(|line| line.starts_with("Uid:\t0\t"));
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
            let somebody = if root {
                format!("setpriv --reuid={} --clear-groups", 64_900 + threads)
            } else {
                String::new()
            };
            let script = format!(
                "cd {} && exec {somebody} sh -c \"ulimit -u {threads}; exec timeout -s KILL 60 ./tagfall {verb} -q\"",
                folder.path().display()
            );
            let (code, _, _) = run(Command::new("sh").arg("-c").arg(&script), None);
            assert!(matches!(code, 0 | 2), "{threads} threads, {verb}: {code}");
        }
    }
}

/// Once, the process was aborted or killed when memory ran out.
#[cfg(target_os = "linux")]
#[test]
fn events_that_do_not_fit_into_memory_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut gzip = flate2::write::GzEncoder::new(
        fs::File::create(folder.path().join("a.json.gz")).unwrap(),
        flate2::Compression::fast(),
    );
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
    let (code, said, _) = run(
        Command::new("sh").arg("-c").arg(script).arg(env!("CARGO_BIN_EXE_tagfall")).arg(folder.path()),
        None,
    );
    let said = String::from_utf8_lossy(&said);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("not enough memory") && said.contains("--since"), "{said}");
}

/// Writes `objects` objects with `each` repositories each, and an image in each repository.
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

/// Once, a million repositories used 3.1 GiB with a limit of 64 MiB.
#[test]
fn what_is_kept_of_events_takes_the_memory_that_it_may_or_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    write_repositories(folder.path(), 8, 7_500);
    for jobs in ["1", "8"] {
        let (code, out, peak) = run(
            tagfall().arg("detect").arg(folder.path()).args(["--max-memory", "64MiB", "-q", "--jobs", jobs]),
            None,
        );
        assert_eq!((code, out.len()), (2, 0), "{jobs} workers");
        assert!(peak.is_none_or(|peak| peak < 160), "{peak:?} MiB with {jobs} workers");
    }
    // The memory that the message suggests is enough.
    let said =
        tagfall().arg("detect").arg(folder.path()).args(["--max-memory", "64MiB"]).output().unwrap().stderr;
    let said = String::from_utf8(said).unwrap();
    let advised = said
        .split("--max-memory ")
        .nth(2)
        .and_then(|text| text.split(['i', ',', '\n']).next())
        .unwrap_or_default()
        .to_owned()
        + "iB";
    let mib: u64 = advised.trim_end_matches("MiB").parse().unwrap_or_else(|_| panic!("{said}"));
    for more in [&["--max-memory", "192MiB"][..], &["--max-memory", "64MiB", "--repository", "team/app77"]] {
        let (code, out, peak) = run(
            tagfall().arg("timeline").arg(folder.path()).args(["--format", "json", "-q"]).args(more),
            None,
        );
        let document: Value = serde_json::from_slice(&out).unwrap();
        assert_eq!((code, document["coverage"]["records_relevant"].as_u64()), (0, Some(60_000)), "{more:?}");
        assert_eq!(document["timelines"].as_array().unwrap().len(), if more.len() == 2 { 60_000 } else { 1 });
        assert!(peak.is_none_or(|peak| peak < 192 + 80), "{more:?} took {peak:?} MiB");
    }
    assert!((64..=512).contains(&mib), "{said}");
}

/// Once, duplicates used as much memory in each worker as the first copies, so memory grew with the number of
/// workers.
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
        assert_eq!(
            (code, document["coverage"]["records_duplicate"].as_u64()),
            (0, Some(150_000)),
            "{jobs} workers"
        );
        assert!(peak.is_none_or(|peak| peak < 160), "{peak:?} MiB with {jobs} workers");
    }
}

/// Once, JSON with line ends was invalid after it had been written as CSV.
#[cfg(feature = "sql")]
#[test]
fn csv_control_characters_come_back_as_they_were() {
    let sql = "SELECT errormessage, requestparameters FROM cloudtrail_logs";
    let (code, out, _) = run(
        tagfall()
            .args(["query", sql])
            .arg(input("csv-control-characters/input.json"))
            .args(["--format", "csv", "-q"]),
        None,
    );
    assert_eq!(code, 0);
    let mut rows = csv::Reader::from_reader(out.as_slice());
    let row = rows.records().next().unwrap().unwrap();
    assert_eq!(&row[0], "first\nsecond\tthird");
    serde_json::from_str::<Value>(&row[1]).unwrap();
}

/// A text of ten gigabytes in a few megabytes: one compressed piece, repeated.
mod bombs {
    use std::io::Write;

    use flate2::{Compress, Compression, Crc, FlushCompress};

    const PIECE_BYTES: usize = 16 << 20;
    const PIECES: u64 = 640;

    /// The beginning, the repeated part and the end of a text of ten gigabytes.
    pub struct Text {
        pub begin: Vec<u8>,
        pub of: &'static [u8],
        pub end: Vec<u8>,
    }

    impl Text {
        pub fn new(begin: &str, of: &'static [u8], end: &str) -> Self {
            Self { begin: begin.into(), of, end: end.into() }
        }

        fn piece(&self) -> Vec<u8> {
            self.of.repeat(PIECE_BYTES / self.of.len())
        }

        pub fn bytes(&self) -> u64 {
            self.begin.len() as u64 + PIECES * self.piece().len() as u64 + self.end.len() as u64
        }

        /// The text as a member of a tar archive, which is a text itself.
        pub fn in_tar(&self) -> Self {
            let mut header = tar::Header::new_gnu();
            header.set_path("logs/a.json").unwrap();
            header.set_size(self.bytes());
            header.set_mode(0o644);
            header.set_cksum();
            let filled = vec![0; (512 - self.bytes() % 512) as usize % 512 + 1024];
            Self {
                begin: [header.as_bytes().as_slice(), &self.begin].concat(),
                of: self.of,
                end: [self.end.clone(), filled].concat(),
            }
        }

        /// The DEFLATE stream, and the checksum of the text.
        fn deflated(&self) -> (Vec<u8>, u32) {
            let piece = self.piece();
            let part = |bytes: &[u8], flush: FlushCompress| {
                let mut out = Vec::with_capacity(bytes.len() / 100 + 4096);
                Compress::new(Compression::best(), false).compress_vec(bytes, &mut out, flush).unwrap();
                out
            };
            let middle = part(&piece, FlushCompress::Full);
            let mut all = part(&self.begin, FlushCompress::Full);
            (0..PIECES).for_each(|_| all.extend_from_slice(&middle));
            all.extend(part(&self.end, FlushCompress::Finish));
            let sum = |bytes: &[u8]| {
                let mut crc = Crc::new();
                crc.update(bytes);
                crc
            };
            let (mut crc, of_piece) = (sum(&self.begin), sum(&piece));
            (0..PIECES).for_each(|_| crc.combine(&of_piece));
            crc.combine(&sum(&self.end));
            (all, crc.sum())
        }

        pub fn gzip(&self) -> Vec<u8> {
            let (stream, crc) = self.deflated();
            [
                &b"\x1f\x8b\x08\0\0\0\0\0\0\xff"[..],
                &stream,
                &crc.to_le_bytes(),
                &(self.bytes() as u32).to_le_bytes(),
            ]
            .concat()
        }

        pub fn zstd(&self) -> Vec<u8> {
            let pack = |bytes: &[u8]| zstd::encode_all(bytes, 1).unwrap();
            let middle = pack(&self.piece());
            let mut all = pack(&self.begin);
            (0..PIECES).for_each(|_| all.extend_from_slice(&middle));
            all.extend(pack(&self.end));
            all
        }

        /// A zip archive with one member, and sizes in 64 bits.
        pub fn zip(&self) -> Vec<u8> {
            let ((stream, crc), name, mut zip) = (self.deflated(), b"logs/a.json", Vec::new());
            let sizes =
                [&[1, 0, 16, 0][..], &self.bytes().to_le_bytes(), &(stream.len() as u64).to_le_bytes()]
                    .concat();
            // Version, flags, method, time, date, checksum, sizes (in the other field), lengths of name and
            // field.
            let common = [
                &[45, 0, 0, 0, 8, 0, 0, 0, 0x21, 0][..],
                &crc.to_le_bytes(),
                &[0xff; 8],
                &[name.len() as u8, 0, sizes.len() as u8, 0],
            ]
            .concat();
            zip.write_all(&[&b"PK\x03\x04"[..], &common, name, &sizes, &stream].concat()).unwrap();
            let begin = zip.len() as u32;
            zip.write_all(&[&b"PK\x01\x02\x2d\0"[..], &common, &[0; 14], name, &sizes].concat()).unwrap();
            let length = zip.len() as u32 - begin;
            zip.write_all(
                &[
                    &b"PK\x05\x06\0\0\0\0\x01\0\x01\0"[..],
                    &length.to_le_bytes(),
                    &begin.to_le_bytes(),
                    &[0, 0],
                ]
                .concat(),
            )
            .unwrap();
            zip
        }
    }
}

/// The result for a bomb: exit code, the reasons in the coverage, and the time it took.
fn ends(name: &str, bytes: &[u8]) -> (i32, String, std::time::Duration) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    fs::write(&file, bytes).unwrap();
    let begun = std::time::Instant::now();
    let (code, out, peak) = run(
        tagfall().arg("detect").arg(&file).args(["--max-memory", "64MiB", "--format", "json", "-q"]),
        None,
    );
    let document: Value = serde_json::from_slice(&out).unwrap();
    assert!(peak.is_none_or(|peak| peak < 150), "{name} took {peak:?} MiB");
    (code, document["coverage"]["failures"].to_string(), begun.elapsed())
}

/// Ten gigabytes in every container end as a failure with a reason: non-JSON at its first bytes, an endless
/// record when it exceeds the limit for a record, and an archive when its members are a thousand times larger
/// than itself.
#[test]
fn ten_gigabytes_in_a_few_megabytes_end_with_a_clear_word() {
    let zeros = bombs::Text::new("", b"\0", "");
    let endless = bombs::Text::new("{\"Records\":[{\"eventName\":\"", b"a", "\"}]}");
    let blanks = bombs::Text::new("{\"Records\":[", b" ", "]}");
    let of_zeros = "nothing but zeros, not JSON";
    let of_record = "one record, or what cannot be told from one, is larger than --max-memory allows";
    for (name, bytes, reason) in [
        ("zeros.json.gz", zeros.gzip(), of_zeros),
        ("zeros.json.zst", zeros.zstd(), of_zeros),
        ("zeros.zip", zeros.zip(), of_zeros),
        ("zeros.tar.zst", zeros.in_tar().zstd(), of_zeros),
        ("endless.json.gz", endless.gzip(), of_record),
        ("endless.json.zst", endless.zstd(), of_record),
        ("endless.zip", endless.zip(), of_record),
        ("endless.tar.zst", endless.in_tar().zstd(), of_record),
        ("blanks.tar.zst", blanks.in_tar().zstd(), "more than 1000 times as large as it is: unpack it first"),
    ] {
        assert!(bytes.len() < 20 << 20, "{name} has {} bytes", bytes.len());
        let (code, reasons, _) = ends(name, &bytes);
        assert!(code == 3 && reasons.contains(reason), "{name}: {code}, {reasons}");
    }
}

/// If the text is only very long, that is no error: it is read to its end, in the time that this prints.
/// `cargo test --release --test limits read_to_its_end -- --ignored --nocapture`
#[test]
#[ignore = "reads sixty gigabytes"]
fn ten_gigabytes_of_nothing_are_read_to_its_end() {
    let blanks = bombs::Text::new("{\"Records\":[", b" ", "]}");
    let lines = bombs::Text::new("", b"{\"a\":1}\n", "");
    for (name, bytes) in [
        ("blanks.json.gz", blanks.gzip()),
        ("blanks.json.zst", blanks.zstd()),
        ("blanks.zip", blanks.zip()),
        ("lines.json.gz", lines.gzip()),
        ("lines.zip", lines.zip()),
        ("lines.tar.gz", lines.in_tar().gzip()),
    ] {
        let (code, reasons, took) = ends(name, &bytes);
        println!("{name}: {} MiB, exit code {code}, {took:?}, {reasons}", bytes.len() >> 20);
        assert_eq!(code, if name.starts_with("blanks") { 0 } else { 3 }, "{name}: {reasons}");
    }
}
