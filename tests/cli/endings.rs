//! Runs that are ended from outside: by a signal while there is no input, with a closed or full stdout; and
//! hostile command lines.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Far longer than anything here takes.
const SOON: Duration = Duration::from_secs(30);

const RECORD: &str = r#"{"eventVersion":"1.11","eventID":"00000000-0000-4000-8000-000000000001","eventTime":"2026-03-02T10:00:00Z","eventSource":"ecr.amazonaws.com","eventName":"DescribeImages","awsRegion":"eu-central-1","recipientAccountId":"111122223333"}"#;

fn tagfall(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn finish(mut child: Child) -> Output {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if begun.elapsed() > SOON {
            child.kill().unwrap();
            panic!("the program hangs: {:?}", child.wait_with_output());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    child.wait_with_output().unwrap()
}

/// The exit code, without reading the output.
fn ended(child: &mut Child) -> Option<i32> {
    let begun = Instant::now();
    while child.try_wait().unwrap().is_none() && begun.elapsed() < SOON {
        std::thread::sleep(Duration::from_millis(5));
    }
    let _ = child.kill();
    child.wait().unwrap().code()
}

fn send(signal: &str, child: &Child) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

/// Exit code, whether the result is marked partial, and the number of records.
fn outcome(output: &Output) -> (Option<i32>, bool, u64) {
    let document: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    let coverage = &document["coverage"];
    (output.status.code(), coverage["partial"].as_bool().unwrap(), coverage["records"].as_u64().unwrap())
}

#[test]
fn the_first_signal_ends_a_read_that_never_returns() {
    for signal in ["-TERM", "-INT", "-HUP"] {
        let mut child = tagfall(&["detect", "-", "--format", "json"]).stdin(Stdio::piped()).spawn().unwrap();
        // A complete record, and then nothing; the pipe stays open.
        let mut pipe = child.stdin.take().unwrap();
        writeln!(pipe, "{RECORD}").unwrap();
        std::thread::sleep(Duration::from_millis(500));
        send(signal, &child);
        let output = finish(child);
        assert_eq!(outcome(&output), (Some(3), true, 1), "{signal}");
        drop(pipe);
    }
}

/// Enough pushes that the output fills a pipe that nobody reads.
fn many_pushes() -> String {
    (0..2_000).map(|number| {
        let image = format!(r#""repositoryName":"shop/app","registryId":"111122223333","image":{{"imageId":{{"imageDigest":"sha256:{number:064x}"}}}}"#);
        let record = RECORD.replace("000000000001", &format!("{number:012}")).replace("DescribeImages", "PutImage");
        let record = record.strip_suffix('}').unwrap();
        format!("{record},\"requestParameters\":{{\"repositoryName\":\"shop/app\",\"registryId\":\"111122223333\"}},\"responseElements\":{{{image}}}}}\n")
    }).collect()
}

/// After the first Ctrl-C the program writes its partial result, which nobody reads. A second one, once a
/// person could have pressed the keys again, ends it at once.
#[test]
fn the_second_interrupt_stops_at_once() {
    let mut child = tagfall(&["timeline", "-", "--format", "json"]).stdin(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    input.write_all(many_pushes().as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    send("-INT", &child);
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("once more stops at once")));
    // It begins to write, and is blocked.
    let mut first = [0];
    child.stdout.as_mut().unwrap().read_exact(&mut first).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(child.try_wait().unwrap(), None, "the first interrupt must wait for what is in flight");
    send("-INT", &child);
    assert_eq!(ended(&mut child), Some(130));
}

/// Everything was read and is being written: there is nothing to finish.
#[test]
fn the_first_interrupt_ends_the_writing() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs.json");
    fs::write(&logs, many_pushes()).unwrap();
    let logs = logs.to_str().unwrap();
    for signal in ["-TERM", "-INT"] {
        let mut child = tagfall(&["timeline", logs, "--format", "json"]).spawn().unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        send(signal, &child);
        assert_eq!(ended(&mut child), Some(130), "to stdout");
    }
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let mut child =
        tagfall(&["timeline", logs, "--format", "json", "-o", pipe.to_str().unwrap()]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(1_500));
    send("-TERM", &child);
    assert_eq!(ended(&mut child), Some(130), "to a pipe without a reader");
}

/// `timeout` sends its signal to the process and to its group.
#[test]
fn a_signal_that_comes_twice_at_once_is_one() {
    let start = || {
        let mut child = tagfall(&["detect", "-", "--format", "json"]).stdin(Stdio::piped()).spawn().unwrap();
        let pipe = child.stdin.take().unwrap();
        std::thread::sleep(Duration::from_millis(500));
        (child, pipe)
    };
    for _ in 0..5 {
        let (child, _pipe) = start();
        let twice = format!("kill -TERM {0}; kill -TERM {0}", child.id());
        assert!(Command::new("sh").args(["-c", &twice]).status().unwrap().success());
        assert_eq!(outcome(&finish(child)), (Some(3), true, 0));
    }
}

#[test]
fn the_first_signal_ends_the_wait_for_a_named_pipe() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let child = tagfall(&["detect", pipe.to_str().unwrap(), "--format", "json"]).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    send("-TERM", &child);
    assert_eq!(outcome(&finish(child)), (Some(3), true, 0));

    let child = tagfall(&["detect", pipe.to_str().unwrap(), "--format", "json"]).spawn().unwrap();
    fs::write(&pipe, RECORD).unwrap();
    assert_eq!(outcome(&finish(child)), (Some(0), false, 1));
}

#[test]
fn what_goes_to_a_stdout_that_is_closed_or_full_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs.json");
    fs::write(&logs, RECORD).unwrap();
    for format in ["json", "ndjson", "csv", "table"] {
        for place in [">&-", ">/dev/full"] {
            let command = format!("exec \"$0\" detect \"$1\" --format {format} -q {place}");
            let output = Command::new("sh")
                .args(["-c", &command, env!("CARGO_BIN_EXE_tagfall"), logs.to_str().unwrap()])
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            // Without findings, these two formats write nothing that could be lost.
            let writes = place == ">&-" || format != "ndjson";
            assert_eq!(output.status.code(), Some(if writes { 2 } else { 0 }), "{format} {place} {said}");
            assert_eq!(said.contains("cannot write to stdout"), writes, "{said}");
        }
    }
    for rest in ["--version >&-", "queries >&-", "queries >/dev/full", "--help >/dev/full"] {
        let status = Command::new("sh")
            .args(["-c", &format!("exec \"$0\" {rest}"), env!("CARGO_BIN_EXE_tagfall")])
            .output()
            .unwrap()
            .status;
        assert_eq!(status.code(), Some(2), "{rest}");
    }
    // A file is not affected by a closed stdout, and redirecting to /dev/null is intentional.
    for rest in ["-o out.json >&-", ">/dev/null", "1<>/dev/null", "-o /dev/stdout | grep -q coverage"] {
        let command = format!("cd \"$2\" && \"$0\" detect \"$1\" --format json -q {rest}");
        let arguments = [
            "-c",
            &command,
            env!("CARGO_BIN_EXE_tagfall"),
            logs.to_str().unwrap(),
            folder.path().to_str().unwrap(),
        ];
        assert_eq!(Command::new("sh").args(arguments).status().unwrap().code(), Some(0), "{rest}");
    }
    assert!(folder.path().join("out.json").exists());
}

#[test]
fn a_usage_error_spells_out_what_it_quotes() {
    for hostile in ["a\u{202e}b", "\u{9b}31m", "\u{1b}[2J", "\u{200b}", "a\rb"] {
        for arguments in [
            vec!["detect", "logs", "--since", hostile],
            vec![hostile],
            vec!["detect", "logs", "--format", hostile],
        ] {
            let output = tagfall(&arguments).output().unwrap();
            let said = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(
                said.chars().all(|shown| shown == '\n' || !shown.is_control() && shown.is_ascii()),
                "{said:?}"
            );
            assert!(said.contains("error"), "{said}");
        }
    }
}

/// Credentials are neither in an error nor in other messages.
#[cfg(feature = "s3")]
#[test]
fn credentials_are_not_printed() {
    for extra in [&[][..], &["--dry-run"]] {
        let mut command = tagfall(
            &[&["detect", "s3://trail-logs/AWSLogs/", "--endpoint-url", "http://127.0.0.1:1"][..], extra]
                .concat(),
        );
        command
            .env("AWS_ACCESS_KEY_ID", "AKIAVISIBLENAME12345")
            .env("AWS_SECRET_ACCESS_KEY", "the-secret-itself")
            .env("AWS_REGION", "eu-central-1");
        let output = command.env("AWS_SESSION_TOKEN", "the-token-itself").output().unwrap();
        let said =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(!said.contains("the-secret-itself") && !said.contains("the-token-itself"), "{said}");
    }
}
