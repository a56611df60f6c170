//! Groups that are counted while a lake is read are the same, and in the same order, as those evaluated over
//! rows. Queries are generated from what can be counted, on a lake with all kinds of values.

use crate::archive;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use archive::{cells, parse};
use proptest::prelude::*;
use tagfall::decode::{ObjectReport, Outcome, RawRecord, Wanted};
use tagfall::lake::{Ingest, LakeFeed, Limits, Visit};
use tagfall::model::{Filter, Timestamp};
use tagfall::pipeline::{self, Budget, Collector, Progress, Run};
use tagfall::source::{Delivery, Feed, Fetched, Origin};
use tagfall::sql::{Catalog, Gathered, Gathering, Query};
use tagfall::tables::Asked;
use tempfile::TempDir;

const OBJECTS: u64 = 60;
const RECORDS: u64 = 180;

/// Pseudo-random numbers, always the same.
fn mixed(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

/// A record with NULLs, empty and long texts, letters beyond ASCII, invalid times, and a partition without a
/// name.
fn record(number: u64) -> String {
    let m = |salt: u64, of: u64| mixed(number * 31 + salt) % of;
    let text = |name: &str, value: String| format!(r#""{name}":{},"#, serde_json::to_string(&value).unwrap());
    let mut json = String::from("{");
    // Most rows are in one partition, so that it has many texts with few repetitions.
    let day = if m(1, 10) < 7 { 2 } else { 1 + m(2, 4) };
    match m(3, 60) {
        0 => {}
        1 => json.push_str(r#""eventTime":"no time","#),
        _ => json.push_str(&text(
            "eventTime",
            format!("2026-03-{day:02}T{:02}:{:02}:{:02}Z", m(4, 24), m(5, 60), m(6, 60)),
        )),
    }
    let sources = ["ecr.amazonaws.com", "ecs.amazonaws.com", "iam.amazonaws.com", "", "überall.example"];
    json.push_str(&text("eventSource", sources[m(7, 5) as usize].to_owned()));
    json.push_str(&text("eventName", format!("Event{}", m(8, 23))));
    if m(9, 9) == 0 {
        json.push_str(&text("errorCode", format!("Error{}", m(10, 4))));
    }
    if m(11, 3) > 0 {
        let issuer = if m(12, 2) == 0 {
            format!(r#","sessionContext":{{"sessionIssuer":{{"arn":"arn:{}"}}}}"#, m(13, 7))
        } else {
            String::new()
        };
        json.push_str(&format!(
            r#""userIdentity":{{"type":"Type{}","arn":"arn:person/{}"{issuer}}},"#,
            m(14, 3),
            m(15, 4000)
        ));
    }
    json.push_str(&text(
        "awsRegion",
        if m(16, 10) < 9 { "eu-central-1".to_owned() } else { "us-east-1".to_owned() },
    ));
    if m(17, 40) > 0 {
        json.push_str(&text(
            "recipientAccountId",
            if m(18, 10) < 9 { "111122223333".to_owned() } else { "444455556666".to_owned() },
        ));
    }
    json.push_str(&text(
        "userAgent",
        format!("{}agent/{}", "long ".repeat(m(19, 9) as usize), m(20, 100_000)),
    ));
    json.push_str(&format!(r#""requestParameters":{{"size":{},"name":"r{}"}},"#, m(21, 5), m(22, 6)));
    if m(24, 3) > 0 {
        let resource =
            |at: u64| format!(r#"{{"ARN":"arn:{}","type":"Type{}"}}"#, m(25 + at, 50), m(29 + at, 4));
        json.push_str(&format!(
            r#""resources":[{}],"#,
            (0..m(33, 4)).map(resource).collect::<Vec<_>>().join(",")
        ));
    }
    json.push_str(&format!(r#""eventVersion":"1.{:02}","eventID":"id-{number}"}}"#, 5 + m(23, 4)));
    json
}

static LAKE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    // Two runs, so that positions do not follow the order of the files.
    for run in 0..2 {
        let ingest = Ingest::open(folder.path(), &[], Limits::default()).unwrap();
        let mut collector = ingest.collector();
        for object in (0..OBJECTS).rev().filter(|object| object % 2 == run) {
            let name = format!("logs/{:04}.json.gz", mixed(object) % 10_000);
            for index in 0..RECORDS {
                collector
                    .record(
                        &name,
                        RawRecord { index, json: &record(object * RECORDS + index), native: false },
                    )
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
                records: RECORDS,
                records_skipped: 0,
                lines_skipped: 0,
                repaired: tagfall::model::Repairs::default(),
                failed: Vec::new(),
                failed_total: 0,
                first_event_time: None,
                last_event_time: None,
                lossy: false,
            };
            collector.finished(&delivery, Some(&report));
        }
        drop(collector);
        ingest.finish(true).unwrap();
    }
    folder
});

fn gathered(query: &Query, lake: &Path, filter: &Filter, jobs: usize, over_rows: bool) -> (Gathered, u64) {
    gathered_within(u64::MAX, query, lake, filter, jobs, over_rows)
}

fn gathered_within(
    memory_bytes_max: u64,
    query: &Query,
    lake: &Path,
    filter: &Filter,
    jobs: usize,
    over_rows: bool,
) -> (Gathered, u64) {
    let lake = LakeFeed::open(lake, &query.scan().narrow(filter)).unwrap();
    let feeds: Vec<Box<dyn Feed>> = vec![Box::new(lake.clone())];
    let gathering = Gathering::new(query, filter, Some(lake), memory_bytes_max);
    let gathering = if over_rows { gathering.over_rows() } else { gathering };
    let sources = query.scan().sources.clone();
    let names: Option<Vec<&str>> =
        sources.as_ref().map(|sources| sources.iter().map(String::as_str).collect());
    let budget =
        Budget { jobs: NonZeroUsize::new(jobs).unwrap(), object_bytes_max: 1, kept_bytes_max: 1 << 30 };
    let run =
        Run { feeds: &feeds, budget, progress: &Progress::default(), cancelled: &AtomicBool::new(false) };
    let (coverage, collectors) =
        pipeline::scan(run, names.as_deref().map_or(Wanted::All, Wanted::Sources), || gathering.collector());
    assert_eq!(coverage.objects_failed, 0, "{:?}", coverage.failures);
    (gathering.finish(collectors).unwrap(), coverage.records_relevant)
}

/// The cells of the answer, or the error.
fn answer(query: &Query, gathered: Gathered) -> Result<Vec<Vec<String>>, String> {
    let mut catalog = Catalog::default();
    catalog.insert_gathered(query, gathered).unwrap();
    query.run(&catalog).map(|answer| cells(&answer)).map_err(|error| error.to_string())
}

/// Whether the query is counted; its answer is compared in any case.
fn is_counted(sql: &str, filter: &Filter) -> Result<bool, TestCaseError> {
    let query = parse(sql).map_err(|error| TestCaseError::fail(format!("{sql}: {error}")))?;
    let (rows, relevant) = gathered(&query, LAKE.path(), filter, 2, true);
    prop_assert!(matches!(rows, Gathered::Rows { .. }), "{}", sql);
    let expected = answer(&query, rows);
    let mut counted = true;
    for jobs in [1, 3] {
        let (gathered, taken) = gathered(&query, LAKE.path(), filter, jobs, false);
        // Many groups are shown part by part: then the rows of the answer are there.
        let is_plan = || query.way(true).iter().any(|said| said.starts_with("counts groups"));
        counted &=
            matches!(gathered, Gathered::Counted(_)) || matches!(gathered, Gathered::Flowed(_)) && is_plan();
        if counted {
            prop_assert_eq!(taken, relevant, "{}", sql);
            prop_assert_eq!(&answer(&query, gathered), &expected, "{}", sql);
        }
    }
    Ok(counted)
}

const KEYS: &[&str] = &[
    "eventname",
    "eventsource",
    "errorcode",
    "useridentity.type",
    "useridentity.sessioncontext.sessionissuer.arn",
    "account",
    "region",
    "dt",
    "day",
    "upper(eventsource)",
    "substr(eventtime, 1, 13)",
    "coalesce(errorcode, eventname)",
    "length(useragent) % 7",
    "requestparameters.name",
    "json_extract_scalar(requestparameters, '$.size')",
    "errorcode IS NULL",
    "try(from_iso8601_timestamp(eventtime))",
    "CASE WHEN eventname < 'Event2' THEN account END",
];
const AGGREGATES: &[&str] = &[
    "count(*)",
    "count(1)",
    "count(errorcode)",
    "count(useridentity.arn)",
    "count_if(errorcode IS NOT NULL)",
    "min(eventtime)",
    "max(eventtime)",
    "min(errorcode)",
    "max(errorcode)",
    "min(eventid)",
    "max(useragent)",
    "max(length(useragent))",
    "min(try(date_parse(substr(eventtime, 1, 10), '%Y-%m-%d'))) FILTER (WHERE eventname <> 'Event7')",
    "max(eventsource || eventname)",
    "count(DISTINCT eventname)",
    "count(DISTINCT useridentity.type)",
    "approx_distinct(errorcode)",
    "bool_or(errorcode = 'Error1')",
    "bool_and(useridentity.type <> 'Type1')",
    "every(eventname <> 'Event3')",
    "count(*) FILTER (WHERE errorcode IS NULL)",
    "max(eventname) FILTER (WHERE eventsource = '' AND account = '444455556666')",
];
const CONDITIONS: &[&str] = &[
    "eventsource = 'ecr.amazonaws.com'",
    "eventsource IN ('iam.amazonaws.com', 'ecs.amazonaws.com')",
    "eventname LIKE 'Event1%'",
    "errorcode IS NOT NULL",
    "eventtime >= '2026-03-02T10:00:00Z'",
    "useridentity.type = 'Type1' OR errorcode = 'Error2'",
    "dt BETWEEN '2026/03/02' AND '2026/03/03'",
    "day = '2026-03-02'",
    "day = '02' AND month = '03'",
    "\"date\" > '20260301'",
    "region = 'us-east-1'",
    "account = '111122223333'",
    "json_extract_scalar(requestparameters, '$.size') = '3'",
    "useragent LIKE 'long%'",
    "object < 'logs/5'",
    "eventname = 'nothing'",
    "1 = 1",
];

fn several(
    of: &'static [&'static str],
    count: std::ops::RangeInclusive<usize>,
) -> impl Strategy<Value = Vec<&'static str>> {
    prop::sample::subsequence(of, count).prop_shuffle()
}

fn query() -> impl Strategy<Value = String> {
    let tail = prop::sample::select(
        &["", " HAVING count(*) > 3", " ORDER BY 1 DESC LIMIT 7", " ORDER BY count(*), 1", " LIMIT 5"][..],
    );
    (several(KEYS, 0..=3), several(AGGREGATES, 1..=4), several(CONDITIONS, 0..=2), tail).prop_map(
        |(keys, aggregates, conditions, tail)| {
            let list: Vec<&str> = keys.iter().chain(&aggregates).copied().collect();
            let filter = if conditions.is_empty() {
                String::new()
            } else {
                format!(" WHERE ({})", conditions.join(") AND ("))
            };
            let by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
            format!("SELECT {} FROM cloudtrail_logs{filter}{by}{tail}", list.join(", "))
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    let time = |text: &str| Timestamp::parse(text);
    let since = prop::sample::select(vec![None, None, None, time("2026-03-02T07:30:00Z")]);
    let until = prop::sample::select(vec![None, None, None, time("2026-03-03T20:00:00Z")]);
    (since, until).prop_map(|(since, until)| Filter { since, until, ..Filter::default() })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn counting_gives_what_rows_give(sql in query(), filter in filter()) {
        prop_assert!(is_counted(&sql, &filter)?, "not counted: {sql}");
    }
}

/// If rows are evaluated piece by piece, or passed on as they come, the answer is the same as over all rows.
fn flows(sql: &str, filter: &Filter) -> Result<(), TestCaseError> {
    let query = parse(sql).map_err(|error| TestCaseError::fail(format!("{sql}: {error}")))?;
    let (rows, relevant) = gathered(&query, LAKE.path(), filter, 2, true);
    let expected = answer(&query, rows);
    for jobs in [1, 3] {
        let (gathered, taken) = gathered(&query, LAKE.path(), filter, jobs, false);
        prop_assert!(matches!(gathered, Gathered::Flowed(_)), "not in pieces: {}", sql);
        prop_assert_eq!(taken, relevant, "{}", sql);
        prop_assert_eq!(&answer(&query, gathered), &expected, "{}", sql);
        if let Some(exported) = exported(&query, filter, jobs) {
            prop_assert_eq!(&Ok(exported), &expected, "{}", sql);
        }
    }
    Ok(())
}

/// The rows of a query that are passed on as they come, if it does that.
fn exported(query: &Query, filter: &Filter, jobs: usize) -> Option<Vec<Vec<String>>> {
    let open = || LakeFeed::open(LAKE.path(), &query.scan().narrow(filter)).unwrap();
    let lake = open();
    let feeds: Vec<Box<dyn Feed>> = vec![Box::new(lake.clone())];
    // With little memory, few rows are held at a time.
    let gathering = Gathering::new(query, filter, Some(lake), 20 << 20).exporting();
    let sources = query.scan().sources.clone();
    let names: Option<Vec<&str>> =
        sources.as_ref().map(|sources| sources.iter().map(String::as_str).collect());
    let budget =
        Budget { jobs: NonZeroUsize::new(jobs).unwrap(), object_bytes_max: 1, kept_bytes_max: 1 << 30 };
    let run =
        Run { feeds: &feeds, budget, progress: &Progress::default(), cancelled: &AtomicBool::new(false) };
    let (_, collectors) =
        pipeline::scan(run, names.as_deref().map_or(Wanted::All, Wanted::Sources), || gathering.collector());
    let gathered = match gathering.finish(collectors) {
        // What must be held as a whole is refused if it does not fit, which is not a wrong answer.
        Err(error) if error.is_of_memory() => return None,
        gathered => gathered.unwrap(),
    };
    let Gathered::Surveyed(export) = gathered else { return None };
    let mut rows = Vec::new();
    let count = export.each(
        &open(),
        jobs,
        &AtomicBool::new(false),
        |part| Ok(cells(part)),
        |part| {
            rows.extend(part);
            Ok(())
        },
    );
    assert_eq!(count.unwrap(), rows.len() as u64);
    Some(rows)
}

const SHOWN: &[&str] = &[
    "*",
    "eventid, eventname",
    "eventname",
    "useridentity, resources",
    "upper(eventsource) AS s, useridentity.sessioncontext.sessionissuer.arn AS a, errorcode",
    "object, record, day",
    "cardinality(resources) AS n, element_at(resources, 1).arn AS first",
];
const SORTED: &[&str] = &[
    "",
    " ORDER BY eventtime DESC LIMIT 9",
    " ORDER BY errorcode DESC, eventname LIMIT 200",
    " ORDER BY length(useragent), 1 LIMIT 3 ",
    " ORDER BY eventname",
    " ORDER BY eventname DESC OFFSET 5 LIMIT 4",
];
const TABLES: &[&str] = &[
    "cloudtrail_logs",
    "(SELECT * FROM cloudtrail_logs WHERE eventname <> 'Event3') AS x",
    "(SELECT * FROM cloudtrail_logs) AS x CROSS JOIN UNNEST(sequence(1, length(eventsource) % 3)) AS t(k)",
];
const SUMS: &[&str] = &[
    "count(*)",
    "sum(length(useragent))",
    "sum(CAST(json_extract_scalar(requestparameters, '$.size') AS bigint)) FILTER (WHERE errorcode IS NOT NULL)",
    "max(r.arn)",
    "count(DISTINCT r.arn)",
    "count(DISTINCT useridentity.arn)",
    "approx_distinct(eventname)",
    "bool_or(r.type = 'Type1')",
    "min(CAST(eventversion AS double))",
    "sum(CAST(eventversion AS decimal(9, 2)))",
    "count(r.type)",
    "max(eventtime)",
];
const GROUPED: &[&str] = &[
    "r.type",
    "eventname",
    "requestparameters",
    "useridentity",
    "cardinality(resources)",
    "coalesce(r.arn, errorcode)",
];

fn shown() -> impl Strategy<Value = String> {
    let of = |list: &'static [&'static str]| prop::sample::select(list);
    (of(SHOWN), of(SORTED), of(TABLES), several(CONDITIONS, 0..=2), prop::bool::ANY).prop_map(
        |(list, sorted, table, conditions, distinct)| {
            let filter = if conditions.is_empty() {
                String::new()
            } else {
                format!(" WHERE ({})", conditions.join(") AND ("))
            };
            let list = if list == "*" && sorted.contains(", 1") { "eventid, *" } else { list };
            // DISTINCT rows are sorted by selected columns only.
            let distinct = if distinct && (sorted.is_empty() || list == "*") { "DISTINCT " } else { "" };
            let sorted = if list.starts_with("useridentity") && sorted.contains(", 1") { "" } else { sorted };
            format!("SELECT {distinct}{list} FROM {table}{filter}{sorted}")
        },
    )
}

fn grouped() -> impl Strategy<Value = String> {
    (several(GROUPED, 0..=2), several(SUMS, 1..=4), several(CONDITIONS, 0..=1), prop::bool::ANY).prop_map(
        |(keys, sums, conditions, left)| {
            let list: Vec<&str> = keys.iter().chain(&sums).copied().collect();
            let filter =
                conditions.first().map(|condition| format!(" WHERE {condition}")).unwrap_or_default();
            let by = if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
            let join = if left {
                "LEFT JOIN UNNEST(resources) AS t(r) ON true"
            } else {
                "CROSS JOIN UNNEST(resources) AS t(r)"
            };
            format!("SELECT {} FROM cloudtrail_logs {join}{filter}{by} ORDER BY {}", list.join(", "), sums[0])
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pieces_give_what_rows_give(sql in shown(), filter in filter()) {
        flows(&sql, &filter)?;
    }

    #[test]
    fn groups_of_pieces_are_groups_of_rows(sql in grouped(), filter in filter()) {
        flows(&sql, &filter)?;
    }
}

#[test]
fn what_looks_at_other_events_is_not_worked_out_in_pieces() {
    for sql in [
        "SELECT eventname, row_number() OVER (ORDER BY eventtime) FROM events",
        "SELECT a.eventid FROM events a JOIN events b ON a.eventid = b.requestid",
        "SELECT eventid FROM events WHERE eventname IN (SELECT max(eventname) FROM events)",
        "SELECT eventname, array_agg(eventid) FROM events GROUP BY 1",
        "SELECT eventname FROM (VALUES 1, 2) AS v(x) CROSS JOIN events",
        "SELECT eventname FROM events RIGHT JOIN (VALUES 'Event1') AS v(x) ON eventname = x",
    ] {
        let query = parse(sql).unwrap();
        let (gathered, _) = gathered(&query, LAKE.path(), &Filter::default(), 2, false);
        assert!(!matches!(gathered, Gathered::Flowed(_)), "{sql}");
    }
}

/// They are added in the order of their sizes, whatever pieces they come from.
#[test]
fn sums_of_doubles_are_worked_out_in_pieces() {
    for sql in [
        "SELECT avg(CAST(eventversion AS double)) FROM events",
        "SELECT eventname, sum(length(eventid) / 3e0), stddev(length(sourceipaddress)) FROM events GROUP BY 1 ORDER BY 1",
    ] {
        flows(sql, &Filter::default()).unwrap();
    }
}

#[test]
fn as_many_groups_as_rows_are_counted() {
    for sql in [
        "SELECT eventid, count(*) FROM events GROUP BY eventid",
        "SELECT useragent, eventtime, count(*) FROM events GROUP BY 1, 2",
        "SELECT count(DISTINCT useridentity.arn) FROM events",
        "SELECT eventid, count(DISTINCT useragent), min(eventtime) FROM events GROUP BY 1 ORDER BY 3, 1 LIMIT 9",
    ] {
        assert!(is_counted(sql, &Filter::default()).unwrap(), "{sql}");
    }
}

#[test]
fn a_query_over_the_groups_of_another_one_is_answered() {
    for sql in [
        "SELECT count(*) FROM (SELECT eventname, count(*) AS n FROM events GROUP BY eventname)",
        "SELECT n, count(*) FROM (SELECT eventname AS n FROM events ORDER BY eventtime LIMIT 10) GROUP BY n",
        "SELECT n FROM (SELECT eventname AS n, count(*) AS c FROM events GROUP BY 1) WHERE c > 3",
        "WITH t AS (SELECT useragent, count(*) AS c FROM events GROUP BY 1) SELECT a.useragent, b.c FROM t a JOIN t b ON a.c = b.c + 1",
        "SELECT eventid FROM (SELECT * FROM events ORDER BY eventtime, eventid LIMIT 10) WHERE eventname < 'Event3'",
        "SELECT c, array_agg(eventname) FROM (SELECT eventname, count(DISTINCT eventid) AS c FROM events GROUP BY 1) GROUP BY c",
    ] {
        let query = parse(sql).unwrap();
        let (rows, _) = gathered(&query, LAKE.path(), &Filter::default(), 2, true);
        let expected = answer(&query, rows);
        assert!(expected.is_ok(), "{sql} {expected:?}");
        for jobs in [1, 3] {
            let (gathered, _) = gathered(&query, LAKE.path(), &Filter::default(), jobs, false);
            assert_eq!(answer(&query, gathered), expected, "{sql}");
        }
    }
}

#[test]
fn what_cannot_be_counted_goes_over_rows() {
    for sql in [
        // Whole structs, and lists.
        "SELECT useridentity, count(*) FROM events GROUP BY 1",
        "SELECT count(resources) FROM events",
        "SELECT cardinality(resources), count(*) FROM events GROUP BY 1",
        // Dates of partitions are converted to the notation of what they are compared with.
        "SELECT count(*) FROM events WHERE dt = substr(eventtime, 1, 10)",
        // Several grouping sets.
        "SELECT eventname, count(*) FROM events GROUP BY ROLLUP (eventname)",
        "SELECT eventname, account, count(*) FROM events GROUP BY GROUPING SETS ((eventname), (account))",
        // Doubles.
        "SELECT CAST(eventversion AS double), count(*) FROM events GROUP BY 1",
        // Invalid values, in rows that count and in rows that do not.
        "SELECT count(*) FROM events WHERE CAST(substr(eventtime, 1, 4) AS bigint) = 2026",
        "SELECT max(10 / (length(eventsource) - 17)) FROM events WHERE eventsource = ''",
        "SELECT count(*) FROM events WHERE eventsource = '' AND 10 / (length(eventsource) - 17) = 0",
    ] {
        assert!(!is_counted(sql, &Filter::default()).unwrap(), "{sql}");
        // The user gets the answer evaluated over rows.
        let query = parse(sql).unwrap();
        let (rows, _) = gathered(&query, LAKE.path(), &Filter::default(), 2, true);
        assert!(matches!(rows, Gathered::Rows { .. }), "{sql}");
    }
}

#[test]
fn more_groups_than_memory_has_room_for_are_not_counted() {
    for sql in
        ["SELECT eventname, count(*) FROM events GROUP BY 1", "SELECT count(DISTINCT eventname) FROM events"]
    {
        let query = parse(sql).unwrap();
        for jobs in [1, 3] {
            let within =
                |bytes| gathered_within(bytes, &query, LAKE.path(), &Filter::default(), jobs, false).0;
            assert!(matches!(within(2 << 10), Gathered::GivenUp), "{sql}");
            assert!(matches!(within(1 << 20), Gathered::Counted(_)), "{sql}");
        }
    }
}

#[test]
fn an_error_after_counting_is_the_same_error() {
    for sql in [
        "SELECT eventname, 1 / (count(*) - count(*)) FROM events GROUP BY 1",
        "SELECT eventname, CAST(min(eventtime) AS bigint) FROM events GROUP BY 1",
        "SELECT errorcode, count(*) FROM events GROUP BY 1 HAVING CAST(errorcode AS bigint) > 1",
    ] {
        assert!(is_counted(sql, &Filter::default()).unwrap(), "{sql}");
    }
}

#[test]
fn a_lake_without_events_has_no_groups_and_one_count() {
    let folder = tempfile::tempdir().unwrap();
    Ingest::open(folder.path(), &[], Limits::default()).unwrap().finish(true).unwrap();
    for (sql, expected) in [
        ("SELECT eventname, count(*) FROM events GROUP BY eventname", vec![]),
        (
            "SELECT count(*), max(eventtime), count(DISTINCT eventid) FROM events",
            vec![vec!["0", "NULL", "0"]],
        ),
    ] {
        let query = parse(sql).unwrap();
        let (gathered, _) = gathered(&query, folder.path(), &Filter::default(), 2, false);
        assert!(matches!(gathered, Gathered::Counted(_)), "{sql}");
        assert_eq!(answer(&query, gathered).unwrap(), expected, "{sql}");
    }
}

/// Compares every text leaf, for all rows and for some, with the columns that queries over rows get.
#[test]
fn codes_say_what_columns_say() {
    let leaves: &[(&str, &[&str])] = &[
        ("eventname", &[]),
        ("eventtime", &[]),
        ("errorcode", &[]),
        ("errormessage", &[]),
        ("useragent", &[]),
        ("eventid", &[]),
        ("object", &[]),
        ("account", &[]),
        ("day", &[]),
        ("useridentity", &["arn"]),
        ("useridentity", &["type"]),
        ("useridentity", &["sessioncontext", "sessionissuer", "arn"]),
    ];
    for (column, fields) in leaves {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        let open = || LakeFeed::open(LAKE.path(), &Filter::default()).unwrap();
        let (whole, raw) = (open(), open());
        let mut expected: Vec<Vec<Option<String>>> = Vec::new();
        let asked = [Asked::whole(*column)];
        while whole.next_rows(&Filter::default(), None, Some(&asked), &mut |rows| {
            let mut series = rows.columns[0].1.clone();
            for field in &fields {
                series = series.struct_().unwrap().field_by_name(field).unwrap();
            }
            expected.push(series.str().unwrap().iter().map(|text| text.map(str::to_owned)).collect());
        }) {}
        let mut expected = expected.into_iter();
        while raw.next_portions(Visit::AsTheyStand, &mut |portion| {
            let expected = expected.next().unwrap();
            let some: Vec<u32> = (0..portion.height() as u32).filter(|row| row % 3 == 1).collect();
            for (rows, as_column) in
                [(None, false), (Some(&some[..]), false), (None, true), (Some(&some[..]), true)]
            {
                let codes = portion.codes(column, &fields, rows, as_column)?.unwrap();
                let found: Vec<Option<String>> =
                    codes.of_row.iter().map(|code| codes.texts.get(*code).map(str::to_owned)).collect();
                let wanted: Vec<Option<String>> = match rows {
                    None => expected.clone(),
                    Some(rows) => rows.iter().map(|row| expected[*row as usize].clone()).collect(),
                };
                assert_eq!(found, wanted, "{column} {fields:?}");
            }
            assert!(
                portion.codes("resources", &[], None, false)?.is_none()
                    && portion.codes("useridentity", &[], None, false)?.is_none()
            );
            Ok(())
        }) {}
        assert!(expected.next().is_none());
    }
}
