//! The lake compared with other programs: `cargo bench --bench lake` (`FULL=1` for the sizes in
//! docs/NUMBERS.md; otherwise a fifth).
//!
//! Archives are generated from a seed in a temporary folder. Every measurement is a whole process, from start
//! to end: processor seconds of all its threads, and its peak memory. Each pair alternates several times, and
//! the median of the ratios counts. The other programs are chDB and DuckDB, run by python3 (`TAGFALL_PYTHON`
//! is another interpreter), without their start and imports; if they are not installed, their rows say so.
//! Times are not asserted. What is asserted is that the programs count the same.
//!
//! `TABLE=DIR` runs only the queries of the table, on the lake in that folder, which is created with `EVENTS`
//! events if it does not exist. `ROUNDS=N` runs each of them N times (default: once), `ONLY=TEXT` only those
//! with this text in their names.

mod corpus;

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use corpus::{BUSY, Corpus};

const SEED: u64 = 1;
/// Linux counts processor time in hundredths of a second on all common machines.
const TICKS: f64 = 100.0;

/// Costs and output of a process.
struct Run {
    cpu: f64,
    wall: f64,
    peak_mib: f64,
    output: String,
}

/// Runs a command to its end. Its times are read before it is reaped, its peak memory every few milliseconds.
fn run(command: &mut Command) -> Run {
    let start = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("the program starts");
    let folder = PathBuf::from(format!("/proc/{}", child.id()));
    let mut out = child.stdout.take().expect("a pipe");
    let reader = std::thread::spawn(move || {
        let mut output = String::new();
        out.read_to_string(&mut output).map(|_| output).unwrap_or_default()
    });
    let mut peak_kib = 0;
    let cpu = loop {
        peak_kib = peak(&folder).max(peak_kib);
        let stat = fs::read_to_string(folder.join("stat")).expect("Linux");
        let fields: Vec<&str> =
            stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().collect();
        if fields[0] == "Z" {
            break fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap_or(0.0)).sum::<f64>()
                / TICKS;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = start.elapsed().as_secs_f64();
    let status = child.wait().expect("it ends");
    let mut output = reader.join().expect("text");
    assert!(status.success(), "{command:?} failed: {status}");
    let (cpu, wall) = own_account(&mut output).unwrap_or((cpu, wall));
    Run { cpu, wall, peak_mib: peak_kib as f64 / 1024.0, output }
}

/// The costs that `peers.py` reports for its work, removed from the output.
fn own_account(output: &mut String) -> Option<(f64, f64)> {
    let at = output.rfind("# cpu ")?;
    let account = output.split_off(at);
    let (cpu, wall) = account.trim().strip_prefix("# cpu ")?.split_once(" wall ")?;
    Some((cpu.parse().ok()?, wall.parse().ok()?))
}

fn peak(folder: &Path) -> u64 {
    let text = fs::read_to_string(folder.join("status")).unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches("kB").trim().parse().ok()).unwrap_or(0)
}

fn tagfall(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command.args(args).arg("--quiet");
    command
}

/// A command of `peers.py`; `None` if python or the module is missing.
fn peer(args: &[&str]) -> Option<Command> {
    let python = std::env::var("TAGFALL_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let there = Command::new(&python)
        .args(["-c", &format!("import {}", args[0])])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut command = Command::new(python);
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/peers.py")).args(args);
    there.then_some(command)
}

/// Writes an archive; returns the size of its JSON.
fn archive(folder: &Path, corpus: Corpus) -> u64 {
    objects(folder, corpus, true)
}

/// The same, in gzip or plain.
fn objects(folder: &Path, corpus: Corpus, gzip: bool) -> u64 {
    let mut bytes = 0;
    for number in 0..corpus.objects {
        let text = corpus.text(SEED, number);
        let day = 1 + number / 288 % 28;
        let folder = folder.join(format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/03/{day:02}"));
        fs::create_dir_all(&folder).expect("a folder");
        let name = format!("111122223333_CloudTrail_eu-west-1_202603{day:02}T{number:06}Z_x.json");
        match gzip {
            true => fs::write(folder.join(name + ".gz"), corpus::gzip(&text)).expect("a file"),
            false => fs::write(folder.join(name), &text).expect("a file"),
        }
        bytes += text.len() as u64;
    }
    bytes
}

fn row(what: &str, measured: &str, ratio: &str) {
    println!("| {what:58} | {measured:74} | {ratio:>16} |");
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Runs two commands alternately. Returns both medians, and that of the ratios.
fn pair(rounds: usize, mut ours: impl FnMut() -> Run, mut theirs: impl FnMut() -> Run) -> [f64; 5] {
    let runs: Vec<(Run, Run)> = (0..rounds).map(|_| (ours(), theirs())).collect();
    let of = |number: &dyn Fn(&(Run, Run)) -> f64| median(runs.iter().map(number).collect());
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let (ours, theirs) = &runs[0];
    if !ours.output.is_empty() && !theirs.output.is_empty() {
        assert_eq!(
            sorted(ours.output.split_once('\n').map_or("", |(_, rows)| rows)),
            sorted(&theirs.output),
            "they do not count the same"
        );
    }
    [
        of(&|(a, _)| a.cpu),
        of(&|(_, b)| b.cpu),
        of(&|(a, b)| a.cpu / b.cpu),
        of(&|(a, _)| a.wall),
        of(&|(_, b)| b.wall),
    ]
}

fn ingest(logs: &Path, lake: &Path) -> Run {
    let _ = fs::remove_dir_all(lake);
    run(&mut tagfall(&["ingest", &logs.to_string_lossy(), "--lake", &lake.to_string_lossy()]))
}

/// `ingest` against chDB, which does not sort, partition or search for duplicates.
fn against_chdb(logs: &Path, folder: &Path, bytes: u64) {
    let lake = folder.join("lake");
    let what = format!("ingest of everything, {} MB of JSON", bytes / 1_000_000);
    let out = folder.join("chdb.parquet");
    let names = ["chdb", &logs.to_string_lossy(), &out.to_string_lossy()].map(str::to_owned);
    let names = names.each_ref().map(String::as_str);
    if peer(&names).is_none() {
        let ours = ingest(logs, &lake);
        return row(
            &what,
            &format!("{:.2} CPU-s, peak {:.0} MiB", ours.cpu, ours.peak_mib),
            "SKIPPED: no chdb",
        );
    }
    let (mut ours_peak, mut theirs_peak) = (0.0_f64, 0.0_f64);
    let [ours, theirs, ratio, ..] = pair(
        3,
        || {
            let run = ingest(logs, &lake);
            ours_peak = ours_peak.max(run.peak_mib);
            run
        },
        || {
            let _ = fs::remove_file(&out);
            let run = run(&mut peer(&names).expect("it was there"));
            theirs_peak = theirs_peak.max(run.peak_mib);
            run
        },
    );
    let measured = format!(
        "{ours:.2} CPU-s, peak {ours_peak:.0} MiB; chDB {theirs:.2} CPU-s, peak {theirs_peak:.0} MiB"
    );
    row(&what, &measured, &format!("{:.1} × less", 1.0 / ratio));
}

/// Peak memory for archives of one and four times the size, and with a low limit.
fn memory(folder: &Path, corpus: Corpus) {
    let lake = folder.join("lake");
    let (one, four) = (folder.join("one"), folder.join("four"));
    archive(&one, corpus);
    archive(&four, Corpus { objects: corpus.objects * 4, ..corpus });
    for memory in ["128MiB", "256MiB", "512MiB"] {
        let peaks = [&one, &four].map(|logs| {
            let _ = fs::remove_dir_all(&lake);
            run(tagfall(&[
                "ingest",
                &logs.to_string_lossy(),
                "--lake",
                &lake.to_string_lossy(),
                "--max-memory",
                memory,
            ])
            .stdout(Stdio::null()))
            .peak_mib
        });
        let what = format!(
            "ingest --max-memory {memory}, {} and {} records",
            corpus.objects * corpus.records,
            corpus.objects * corpus.records * 4
        );
        row(
            &what,
            &format!("peak {:.0} and {:.0} MiB", peaks[0], peaks[1]),
            &format!("{:.2}", peaks[1] / peaks[0]),
        );
    }
}

/// A query for ECR only against `detect`, on archives.
fn against_detect(logs: &Path) {
    let sql = "SELECT eventname, count(*) AS n FROM cloudtrail_logs WHERE eventsource = 'ecr.amazonaws.com' GROUP BY eventname";
    let logs = logs.to_string_lossy();
    let silent = |mut run: Run| {
        run.output.clear();
        run
    };
    let [ours, detect, ratio, ours_wall, detect_wall] = pair(
        9,
        || silent(run(&mut tagfall(&["query", sql, &logs, "--format", "csv"]))),
        || silent(run(&mut tagfall(&["detect", &logs, "--format", "json"]))),
    );
    let measured = format!("{ours:.2} CPU-s, {ours_wall:.2} s; detect {detect:.2} CPU-s, {detect_wall:.2} s");
    row("query for ECR alone, on archives, against detect", &measured, &format!("{ratio:.2} of its CPU"));
}

/// GROUP BY on the lake, against DuckDB on the same files.
fn against_duckdb(lake: &Path, records: u64) {
    for (what, keys) in [
        ("1 column", "eventname"),
        ("2 columns", "eventsource, eventname"),
        ("a nested column", "useridentity.sessioncontext.sessionissuer.arn"),
    ] {
        let sql = |table: &str| {
            format!("SELECT {keys}, count(*) AS n, min(eventtime) AS first FROM {table} GROUP BY {keys}")
        };
        let what = format!("GROUP BY over {what}, {records} events in the lake");
        let (ours, theirs) = (sql("cloudtrail_logs"), sql("LAKE"));
        let lake = lake.to_string_lossy();
        let duckdb = || peer(&["duckdb", &lake, &theirs]);
        if duckdb().is_none() {
            row(&what, "", "SKIPPED: no duckdb");
            continue;
        }
        let numbers = pair(
            9,
            || run(&mut tagfall(&["query", &ours, &lake, "--format", "csv"])),
            || run(&mut duckdb().expect("it was there")),
        );
        let [ours, theirs, ratio, ours_wall, theirs_wall] = numbers;
        let measured =
            format!("{ours:.2} CPU-s, {ours_wall:.2} s; DuckDB {theirs:.2} CPU-s, {theirs_wall:.2} s");
        row(&what, &measured, &format!("{ratio:.2} of its CPU"));
    }
}

/// A query of the table for both programs. LAKE stands for the events.
struct Question {
    what: &'static str,
    ours: &'static str,
    duckdb: &'static str,
    /// The format of the rows, if they are written to a file.
    to_file: Option<&'static str>,
}

const fn asked(what: &'static str, ours: &'static str, duckdb: &'static str) -> Question {
    Question { what, ours, duckdb, to_file: None }
}

/// Typical queries of a lake, and queries that need more memory than there is.
const TABLE: &[Question] = &[
    asked(
        "UNNEST(resources), count by type",
        "SELECT r.type, count(*) FROM LAKE CROSS JOIN UNNEST(resources) AS t(r) GROUP BY 1",
        "SELECT r.type, count(*) FROM (SELECT unnest(resources) AS r FROM LAKE) GROUP BY 1",
    ),
    asked(
        "one event by its id",
        "SELECT eventid, eventtime, eventname FROM LAKE WHERE eventid = 'THE_ID'",
        "SELECT eventid, eventtime, eventname FROM LAKE WHERE eventid = 'THE_ID'",
    ),
    asked(
        "newest 100",
        "SELECT eventtime, eventid, eventname, sourceipaddress FROM LAKE ORDER BY eventtime DESC, eventid LIMIT 100",
        "SELECT eventtime, eventid, eventname, sourceipaddress FROM LAKE ORDER BY eventtime DESC, eventid LIMIT 100",
    ),
    asked(
        "first seen per caller and call, by day",
        "SELECT useridentity.sessioncontext.sessionissuer.arn, eventname, substr(eventtime, 1, 10), min(eventtime) FROM LAKE GROUP BY 1, 2, 3",
        "SELECT useridentity.sessioncontext.sessionissuer.arn, eventname, substr(eventtime, 1, 10), min(eventtime) FROM LAKE GROUP BY 1, 2, 3",
    ),
    asked(
        "equi-join on address",
        "SELECT count(*) FROM LAKE a JOIN LAKE b ON a.sourceipaddress = b.sourceipaddress WHERE a.eventname = 'PutImage' AND b.eventname = 'AssumeRole'",
        "SELECT count(*) FROM LAKE a JOIN LAKE b ON a.sourceipaddress = b.sourceipaddress WHERE a.eventname = 'PutImage' AND b.eventname = 'AssumeRole'",
    ),
    asked(
        "row_number() per event name",
        "SELECT eventname, eventid FROM (SELECT eventname, eventid, row_number() OVER (PARTITION BY eventname ORDER BY eventtime, eventid) AS n FROM LAKE) WHERE n = 1",
        "SELECT eventname, eventid FROM (SELECT eventname, eventid, row_number() OVER (PARTITION BY eventname ORDER BY eventtime, eventid) AS n FROM LAKE) WHERE n = 1",
    ),
    asked(
        "lag per role",
        "SELECT count(*), max(before) FROM (SELECT lag(eventtime) OVER (PARTITION BY useridentity.sessioncontext.sessionissuer.arn ORDER BY eventtime, eventid) AS before FROM LAKE)",
        "SELECT count(*), max(before) FROM (SELECT lag(eventtime) OVER (PARTITION BY useridentity.sessioncontext.sessionissuer.arn ORDER BY eventtime, eventid) AS before FROM LAKE)",
    ),
    asked(
        "count distinct",
        "SELECT count(DISTINCT sourceipaddress) FROM LAKE",
        "SELECT count(DISTINCT sourceipaddress) FROM LAKE",
    ),
    asked(
        "top addresses",
        "SELECT sourceipaddress, count(*) FROM LAKE GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
        "SELECT sourceipaddress, count(*) FROM LAKE GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 20",
    ),
    asked(
        "LIKE",
        "SELECT count(*) FROM LAKE WHERE requestparameters LIKE '%logs-a%'",
        "SELECT count(*) FROM LAKE WHERE requestparameters LIKE '%logs-a%'",
    ),
    asked(
        "JSON group",
        "SELECT json_extract_scalar(requestparameters, '$.roleArn'), count(*) FROM LAKE GROUP BY 1",
        "SELECT json_extract_string(requestparameters, '$.roleArn'), count(*) FROM LAKE GROUP BY 1",
    ),
    asked(
        "regexp",
        "SELECT count(*) FROM LAKE WHERE regexp_like(useragent, '^(Boto3|APN)/[0-9.]+')",
        "SELECT count(*) FROM LAKE WHERE regexp_matches(useragent, '^(Boto3|APN)/[0-9.]+')",
    ),
    asked(
        "simple GROUP BY",
        "SELECT eventname, count(*) FROM LAKE GROUP BY 1",
        "SELECT eventname, count(*) FROM LAKE GROUP BY 1",
    ),
    asked(
        "by hour of time",
        "SELECT hour(from_iso8601_timestamp(eventtime)), count(*) FROM LAKE GROUP BY 1",
        "SELECT hour(CAST(eventtime AS TIMESTAMP)), count(*) FROM LAKE GROUP BY 1",
    ),
    asked(
        "GROUP BY what is nearly unique",
        "SELECT eventid, count(*) FROM LAKE GROUP BY 1 HAVING count(*) > 1",
        "SELECT eventid, count(*) FROM LAKE GROUP BY 1 HAVING count(*) > 1",
    ),
    asked(
        "GROUP BY requestparameters",
        "SELECT length(requestparameters), count(*) AS n FROM LAKE GROUP BY requestparameters ORDER BY n DESC, 1 LIMIT 10",
        "SELECT length(requestparameters), count(*) AS n FROM LAKE GROUP BY requestparameters ORDER BY n DESC, 1 LIMIT 10",
    ),
    asked(
        "SELECT * … ORDER BY … LIMIT 10",
        "SELECT eventid FROM (SELECT * FROM LAKE ORDER BY eventtime, eventid LIMIT 10)",
        "SELECT eventid FROM (SELECT * FROM LAKE ORDER BY eventtime, eventid LIMIT 10)",
    ),
    asked(
        "EXISTS (… i.x = o.x AND …)",
        "SELECT count(*) FROM LAKE o WHERE EXISTS (SELECT 1 FROM LAKE i WHERE i.sourceipaddress = o.sourceipaddress AND i.eventname <> o.eventname)",
        "SELECT count(*) FROM LAKE o WHERE EXISTS (SELECT 1 FROM LAKE i WHERE i.sourceipaddress = o.sourceipaddress AND i.eventname <> o.eventname)",
    ),
    Question {
        what: "SELECT * to csv",
        ours: "SELECT * FROM LAKE",
        duckdb: "SELECT * FROM LAKE",
        to_file: Some("csv"),
    },
    Question {
        what: "SELECT * to parquet",
        ours: "SELECT * FROM LAKE",
        duckdb: "SELECT * FROM LAKE",
        to_file: Some("parquet"),
    },
    Question {
        what: "all of it in order, to csv",
        ours: "SELECT eventtime, eventid, requestparameters FROM LAKE ORDER BY eventtime DESC, eventid",
        duckdb: "SELECT eventtime, eventid, requestparameters FROM LAKE ORDER BY eventtime DESC, eventid",
        to_file: Some("csv"),
    },
];

/// The table: typical queries of a lake, by both programs alternately.
fn table(lake: &Path, records: u64, rounds: usize) {
    println!("\n{records} events, --max-memory 512MiB, medians of {rounds}\n");
    row("what", "CPU s, wall s, peak MiB; DuckDB", "ratio: CPU, wall");
    row("---", "---", "---");
    let path = lake.to_string_lossy();
    // An id in the middle of all: no file's least and greatest ids exclude it.
    let middle = "SELECT min(eventid) FROM cloudtrail_logs WHERE eventid > '8'";
    let found = run(&mut tagfall(&["query", middle, &path, "--format", "csv"])).output;
    let id = found.lines().nth(1).expect("an event").to_owned();
    let only = std::env::var("ONLY").unwrap_or_default();
    let (mut cpus, mut walls) = (Vec::new(), Vec::new());
    for question in TABLE.iter().filter(|question| question.what.contains(&only)) {
        let what = question.what;
        match asked_of_both(question, lake, &id, rounds) {
            (own, None) => row(
                what,
                &format!("{:.2}, {:.2}, {:.0}", own.cpu, own.wall, own.peak_mib),
                "SKIPPED: no duckdb",
            ),
            (own, Some(other)) => {
                let measured = format!(
                    "{:.2}, {:.2}, {:.0}; {:.2}, {:.2}, {:.0}",
                    own.cpu, own.wall, own.peak_mib, other.cpu, other.wall, other.peak_mib
                );
                let (cpu, wall) = (own.cpu / other.cpu, own.wall / other.wall);
                row(what, &measured, &format!("{cpu:.2}, {wall:.2}"));
                cpus.push(cpu);
                walls.push(wall);
            }
        }
    }
    if !walls.is_empty() {
        let worst = |ratios: &[f64]| ratios.iter().copied().fold(0.0, f64::max);
        let worst = format!("{:.2}, {:.2}", worst(&cpus), worst(&walls));
        row(
            "median of the ratios, and the worst",
            &format!("{:.2}, {:.2}", median(cpus), median(walls)),
            &worst,
        );
    }
}

/// One query by both programs alternately: the medians of their times, and their greatest peaks. If both
/// return rows, these are the same.
fn asked_of_both(question: &Question, lake: &Path, id: &str, rounds: usize) -> (Run, Option<Run>) {
    let path = lake.to_string_lossy();
    let (ours, theirs) = (
        question.ours.replace("LAKE", "cloudtrail_logs").replace("THE_ID", id),
        question.duckdb.replace("THE_ID", id),
    );
    let folder = tempfile::tempdir_in(lake.parent().unwrap_or(lake)).expect("a folder");
    let (own_file, other_file) = (folder.path().join("own"), folder.path().join("other"));
    let own = || {
        let mut command = tagfall(&[
            "query",
            &ours,
            &path,
            "--max-memory",
            "512MiB",
            "--format",
            question.to_file.unwrap_or("csv"),
        ]);
        if question.to_file.is_some() {
            command.arg("-o").arg(&own_file);
        }
        run(&mut command)
    };
    let theirs = match question.to_file {
        Some(format) => format!("COPY ({theirs}) TO '{}' (FORMAT {format})", other_file.display()),
        None => theirs,
    };
    let Some(mut theirs) = peer(&["duckdb", &path, &theirs]) else { return (own(), None) };
    let (mut own_peak, mut other_peak) = (0.0_f64, 0.0_f64);
    let numbers = pair(
        rounds,
        || {
            let run = own();
            own_peak = own_peak.max(run.peak_mib);
            run
        },
        || {
            let mut run = run(&mut theirs);
            other_peak = other_peak.max(run.peak_mib);
            // The number of rows written.
            if question.to_file.is_some() {
                run.output.clear();
            }
            run
        },
    );
    let [cpu, other_cpu, _, wall, other_wall] = numbers;
    let of = |cpu, wall, peak_mib| Run { cpu, wall, peak_mib, output: String::new() };
    (of(cpu, wall, own_peak), Some(of(other_cpu, other_wall, other_peak)))
}

/// A number from the environment.
fn given(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Creates a lake with this many events.
fn lake_of(events: u64, lake: &Path) -> u64 {
    let corpus = Corpus { objects: events.div_ceil(BUSY.records), ..BUSY };
    let logs = tempfile::tempdir_in(lake.parent().unwrap_or(lake)).expect("a folder");
    objects(logs.path(), corpus, false);
    ingest(logs.path(), lake);
    corpus.objects * corpus.records
}

fn main() {
    if let Some(lake) = std::env::var_os("TABLE") {
        let lake = PathBuf::from(lake);
        if !lake.join("_tagfall").is_dir() {
            lake_of(given("EVENTS").unwrap_or(500_000), &lake);
        }
        let counted = run(&mut tagfall(&[
            "query",
            "SELECT count(*) FROM cloudtrail_logs",
            &lake.to_string_lossy(),
            "--format",
            "csv",
        ]))
        .output;
        let records = counted.lines().nth(1).and_then(|count| count.parse().ok()).unwrap_or(0);
        return table(&lake, records, given("ROUNDS").map_or(1, |rounds| rounds as usize));
    }
    let share = if std::env::var_os("FULL").is_some() { 1 } else { 5 };
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    let busy = Corpus { objects: BUSY.objects / share, ..BUSY };
    let bytes = archive(&logs, busy);
    println!("medians of runs in turn, seed {SEED}\n");
    row("what", "measured", "ratio");
    row("---", "---", "---");
    against_chdb(&logs, folder.path(), bytes);
    against_detect(&logs);
    let million = Corpus { objects: 1_112 / share, ..BUSY };
    let (logs, lake) = (folder.path().join("million"), folder.path().join("lake"));
    archive(&logs, million);
    ingest(&logs, &lake);
    against_duckdb(&lake, million.objects * million.records);
    for events in [500_000, 4_000_000] {
        let lake = folder.path().join(format!("{events}.lake"));
        let records = lake_of(events / share, &lake);
        table(&lake, records, 5);
    }
    memory(folder.path(), Corpus { objects: busy.objects / 2, ..busy });
}
