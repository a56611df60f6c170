//! Limits of a query: memory within `--max-memory` or a refusal, time proportional to the rows, and no crash.

use crate::archive;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use archive::parse;
use polars::prelude::{IntoSeries, NamedFrom, Series, StructChunked};
use tagfall::sql::Catalog;
use tagfall::tables::{Rows, cloudtrail};

/// Runs the program on a small archive; on Linux its address space is limited to what it can need if it
/// respects its limit.
fn query(sql: &str, memory: &str) -> Output {
    let program = env!("CARGO_BIN_EXE_tagfall");
    let command = if cfg!(target_os = "linux") {
        "ulimit -v 4000000; exec \"$0\" \"$@\""
    } else {
        "exec \"$0\" \"$@\""
    };
    let arguments = [
        "query",
        sql,
        concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/incident"),
        "--max-memory",
        memory,
        "--format",
        "csv",
        "-q",
    ];
    Command::new("sh").args(["-c", command, program]).args(arguments).output().unwrap()
}

#[test]
fn an_aggregate_that_keeps_all_values_is_named_where_they_do_not_fit() {
    let longs = "SELECT lpad(CAST(a AS varchar), 100000, 'x') AS v FROM UNNEST(sequence(1, 10000)) AS t(a)";
    for (name, sql) in [
        ("array_agg", format!("SELECT cardinality(array_agg(v)) FROM ({longs})")),
        (
            "listagg",
            format!("WITH g AS (SELECT listagg(v, ',') AS l FROM ({longs})) SELECT length(l) FROM g"),
        ),
    ] {
        let output = query(&sql, "128MiB");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{sql}: {said}");
        assert!(said.contains(&format!("{name} keeps all values of a group")), "{sql}: {said}");
        assert!(said.contains("--max-memory"), "{sql}: {said}");
    }
}

/// Once, each of them used gigabytes with a limit of 128 MiB. Rows that do not fit are written to disk; a
/// single row that does not fit is refused.
#[test]
fn what_does_not_fit_is_refused() {
    let mut doubled = "WITH t0 AS (SELECT * FROM cloudtrail_logs)".to_owned();
    (1..23).for_each(|at| {
        doubled.push_str(&format!(", t{at} AS (SELECT * FROM t{0} UNION ALL SELECT * FROM t{0})", at - 1))
    });
    doubled.push_str(" SELECT count(*) FROM t22");
    for sql in [
        "SELECT a.eventid FROM cloudtrail_logs a, cloudtrail_logs b, cloudtrail_logs c",
        "SELECT a.*, b.*, c.* FROM cloudtrail_logs a, cloudtrail_logs b, cloudtrail_logs c",
        "SELECT count(*) FROM UNNEST(sequence(1, 10000)) t(a), UNNEST(sequence(1, 50000)) u(b)",
        "SELECT length(array_join(repeat(repeat('x', 10000), 100000), ''))",
        "SELECT length(reduce(sequence(1, 32), 'x', (s, x) -> s || s, s -> s))",
        "SELECT length(reduce(sequence(1, 32), 'x', (s, x) -> replace(s, 'x', 'xx'), s -> s))",
        "SELECT cardinality(reduce(sequence(1, 32), ARRAY[1], (s, x) -> s || s, s -> s))",
        "SELECT lpad('x', 1000000) || eventid FROM events",
        "SELECT count(*) FROM events a, events b, events c WHERE a.eventid || b.eventid || c.eventid LIKE '%x%'",
        "WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t, UNNEST(sequence(1, 100)) u(x)) SELECT count(*) FROM t",
        doubled.as_str(),
    ] {
        let output = query(sql, "128MiB");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{sql}: {said}");
        assert!(said.contains("more than 128 MiB") && said.contains("--max-memory"), "{sql}: {said}");
    }
}

#[test]
fn what_fits_is_answered() {
    for (sql, expected) in [
        ("SELECT count(*) AS n FROM UNNEST(sequence(1, 1000)) t(a), UNNEST(sequence(1, 500)) u(b)", "500000"),
        ("SELECT length(array_join(repeat('xy', 10000), ','))", "29999"),
        (
            "SELECT count(*) > 0 FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.awsregion = a.awsregion AND b.eventid <> a.eventid)",
            "true",
        ),
    ] {
        let output = query(sql, "128MiB");
        let shown = String::from_utf8_lossy(&output.stdout);
        assert_eq!(
            (output.status.code(), shown.lines().nth(1)),
            (Some(0), Some(expected)),
            "{sql}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Rows with nested structs, as in `useridentity`.
fn rows_of_rows(height: usize) -> Catalog {
    let text = |name: &str| {
        Series::new(name.into(), (0..height).map(|row| format!("{name} {row}")).collect::<Vec<_>>())
    };
    let kind =
        (cloudtrail::TABLE.columns)().into_iter().find(|column| column.name == "useridentity").unwrap().kind;
    let column = column(&kind, "useridentity", &text);
    let mut catalog = Catalog::default();
    catalog.insert(&cloudtrail::TABLE, &Rows { columns: vec![("useridentity", column)], height });
    catalog
}

fn column(kind: &tagfall::tables::Kind, name: &str, text: &dyn Fn(&str) -> Series) -> Series {
    match kind {
        tagfall::tables::Kind::Row(fields) => {
            let fields: Vec<Series> = fields.iter().map(|(name, kind)| column(kind, name, text)).collect();
            StructChunked::from_series(name.into(), fields[0].len(), fields.iter()).unwrap().into_series()
        }
        kind if kind.dtype() == polars::prelude::DataType::String => text(name),
        kind => Series::full_null(name.into(), text(name).len(), &kind.dtype()),
    }
}

/// Once, four times the rows took sixteen times as long.
#[test]
fn rows_of_rows_are_written_in_time_that_grows_with_them() {
    let queries = [
        "SELECT useridentity FROM events",
        "SELECT count(*) FROM (SELECT useridentity, count(*) FROM events GROUP BY 1)",
        "SELECT count(*) FROM events WHERE useridentity = useridentity OR CAST(useridentity AS json) IS NULL",
    ];
    let time = |sql: &str, catalog: &Catalog| {
        let start = Instant::now();
        let answer = parse(sql).unwrap().run(catalog).unwrap();
        let written: usize = (0..answer.height())
            .map(|row| answer.text(row, 0).map_or(0, |text| text.len()) + answer.json(row).len())
            .sum();
        assert!(written > 0);
        start.elapsed()
    };
    let (few, many) = (rows_of_rows(2_000), rows_of_rows(16_000));
    for sql in queries {
        // The machine may be busy, so one good run is enough.
        let is_linear = (0..5).any(|_| time(sql, &many) < 20 * time(sql, &few).max(Duration::from_millis(1)));
        assert!(is_linear, "{sql}");
    }
}
