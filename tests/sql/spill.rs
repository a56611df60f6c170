//! Queries that do not fit into memory use the disk: they give the same rows in the same order, whatever the
//! memory and the threads. Generated queries sort, group, deduplicate, join and use windows, on an archive
//! with duplicates and on a lake.

use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, LazyLock};

use crate::archive::{cells, parse};
use proptest::prelude::*;
use tagfall::decode::{ObjectReport, Outcome, RawRecord, Wanted};
use tagfall::lake::{Ingest, LakeFeed, Limits};
use tagfall::model::Filter;
use tagfall::pipeline::{self, Budget, Collector, Progress, Run};
use tagfall::source::{Delivery, Feed, Fetched, Origin};
use tagfall::sql::{Catalog, Gathered, Gathering, Query, Spill};
use tempfile::TempDir;

const OBJECTS: u64 = 24;
const RECORDS: u64 = 110;

/// Pseudo-random numbers, always the same.
fn mixed(seed: u64) -> u64 {
    let mixed = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 17
}

fn record(number: u64) -> String {
    let m = |salt: u64, of: u64| mixed(number * 37 + salt) % of;
    let mut json = format!(
        r#"{{"eventTime":"2026-03-{:02}T{:02}:{:02}:00Z","eventSource":"s{}.amazonaws.com","eventName":"Event{}","awsRegion":"eu-central-1","recipientAccountId":"111122223333","#,
        1 + m(1, 3),
        m(2, 24),
        m(3, 6),
        m(4, 3),
        m(5, 40)
    );
    if m(6, 8) > 0 {
        json.push_str(&format!(r#""sourceIPAddress":"10.0.{}.{}","#, m(7, 20), m(8, 30)));
    }
    if m(9, 9) == 0 {
        json.push_str(&format!(r#""errorCode":"Error{}","#, m(10, 4)));
    }
    json.push_str(&format!(
        r#""userIdentity":{{"type":"Type{}","arn":"arn:person/{}"}},"#,
        m(11, 3),
        m(12, 900)
    ));
    let resources: Vec<String> =
        (0..m(13, 4)).map(|at| format!(r#"{{"ARN":"arn:{}"}}"#, m(14 + at, 70))).collect();
    json.push_str(&format!(r#""resources":[{}],"#, resources.join(",")));
    json.push_str(&format!(
        r#""requestParameters":{{"size":{},"weight":{}.5,"text":"{}"}},"#,
        m(20, 50),
        m(21, 9),
        "long ".repeat(m(22, 12) as usize)
    ));
    json.push_str(&format!(r#""requestID":"id-{}","eventID":"id-{number}"}}"#, m(23, OBJECTS * RECORDS)));
    json
}

/// The records of an object; some of them are also in another one.
fn object(object: u64) -> (String, Vec<String>) {
    let own = (0..RECORDS).map(|index| record(object * RECORDS + index));
    let copies = (0..15).map(|index| record((object * 7 + 3) % OBJECTS * RECORDS + index));
    (format!("logs/{:04}.json.gz", mixed(object) % 10_000), own.chain(copies).collect())
}

static LAKE: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let ingest = Ingest::open(folder.path(), &[], Limits::default()).unwrap();
    let mut collector = ingest.collector();
    for number in 0..OBJECTS {
        let (name, records) = object(number);
        for (index, json) in (0..).zip(&records) {
            collector.record(&name, RawRecord { index, json, native: false }).unwrap();
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
    folder
});

#[derive(Clone, Copy, Debug)]
enum Source {
    Archive,
    Lake,
}

fn gather<'g>(
    gathering: &'g Gathering<'g>,
    query: &Query,
    lake: Option<Arc<LakeFeed>>,
    jobs: usize,
) -> Result<Gathered, String> {
    let collectors = match lake {
        None => {
            let mut collectors: Vec<_> = (0..jobs).map(|_| gathering.collector()).collect();
            for number in 0..OBJECTS {
                let (name, records) = object(number);
                let collector = &mut collectors[mixed(number) as usize % jobs];
                for (index, json) in (0..).zip(&records) {
                    collector.record(&name, RawRecord { index, json, native: false }).unwrap();
                }
            }
            collectors
        }
        Some(lake) => {
            let feeds: Vec<Box<dyn Feed>> = vec![Box::new(lake)];
            let sources = query.scan().sources.clone();
            let names: Option<Vec<&str>> =
                sources.as_ref().map(|sources| sources.iter().map(String::as_str).collect());
            let budget = Budget {
                jobs: NonZeroUsize::new(jobs).unwrap(),
                object_bytes_max: 1,
                kept_bytes_max: u64::MAX,
            };
            let run = Run {
                feeds: &feeds,
                budget,
                progress: &Progress::default(),
                cancelled: &AtomicBool::new(false),
            };
            pipeline::scan(run, names.as_deref().map_or(Wanted::All, Wanted::Sources), || {
                gathering.collector()
            })
            .1
        }
    };
    gathering.finish(collectors).map_err(|error| error.to_string())
}

fn rows(query: &Query, gathered: Gathered) -> Result<Vec<Vec<String>>, String> {
    let answer = match gathered {
        Gathered::Ordered(ordered) => ordered.whole(&tagfall::sql::Limits::default()),
        gathered => {
            let mut catalog = Catalog::default();
            catalog.insert_gathered(query, gathered).unwrap();
            query.run(&catalog)
        }
    };
    answer.map(|answer| cells(&answer)).map_err(|error| error.to_string())
}

/// Checks that the answer is the same as without a limit; returns how often the disk was used.
fn is_the_same(sql: &str, memory: u64) -> Result<usize, TestCaseError> {
    let mut on_disk = 0;
    let query = parse(sql).map_err(|error| TestCaseError::fail(format!("{sql}: {error}")))?;
    let spill = Spill { folder: std::env::temp_dir() };
    let filter = Filter::default();
    for source in [Source::Archive, Source::Lake] {
        let open = || match source {
            Source::Archive => None,
            Source::Lake => Some(LakeFeed::open(LAKE.path(), &query.scan().narrow(&filter)).unwrap()),
        };
        let lake = open();
        let whole = Gathering::new(&query, &filter, lake.clone(), u64::MAX).over_rows();
        let expected = rows(&query, gather(&whole, &query, lake, 1).unwrap());
        prop_assert!(expected.is_ok(), "{} {:?}", sql, expected);
        for (memory, jobs) in [(memory, 1), (memory, 3), (u64::MAX, 3)] {
            let lake = open();
            let gathering = Gathering::new(&query, &filter, lake.clone(), memory).spilling(&spill, jobs);
            let mut gathered = gather(&gathering, &query, lake, jobs);
            if matches!(gathered, Ok(Gathered::GivenUp)) {
                let lake = open();
                let gathering = Gathering::new(&query, &filter, lake.clone(), memory)
                    .spilling(&spill, jobs)
                    .without_counting();
                gathered = gather(&gathering, &query, lake, jobs);
            }
            prop_assert!(gathered.is_ok(), "{} {:?} {} {}: {:?}", sql, source, memory, jobs, gathered);
            let gathered = gathered.unwrap();
            on_disk += usize::from(matches!(gathered, Gathered::Ordered(_)));
            let answer = rows(&query, gathered);
            prop_assert_eq!(&answer, &expected, "{} {:?} {} {}", sql, source, memory, jobs);
        }
    }
    Ok(on_disk)
}

/// The same of several queries, with each of these memories.
fn are_the_same(queries: &[&str], memories: &[u64]) {
    for sql in queries {
        for memory in memories {
            is_the_same(sql, *memory).unwrap();
        }
    }
}

fn one(of: &'static [&'static str]) -> impl Strategy<Value = &'static str> {
    prop::sample::select(of)
}

/// Queries whose rows depend on single events, ordered or grouped.
fn single() -> impl Strategy<Value = String> {
    let list = one(&[
        "*",
        "eventid, eventname",
        "DISTINCT eventname, sourceipaddress",
        "DISTINCT r.arn, useridentity.arn AS who",
        "eventtime AS t, errorcode",
    ]);
    let by = one(&[
        "",
        " ORDER BY 1",
        " ORDER BY 2 DESC, 1",
        " ORDER BY 1 LIMIT 2000 OFFSET 7",
        " ORDER BY 2 NULLS FIRST",
    ]);
    (list, by).prop_map(|(list, by)| {
        let table =
            if list.contains("r.arn") { "events CROSS JOIN UNNEST(resources) AS t(r)" } else { "events" };
        let by = if list == "*" {
            by.replace("BY 1", "BY eventtime")
                .replace("BY 2", "BY sourceipaddress")
                .replace(", 1", ", eventtime")
        } else {
            by.to_owned()
        };
        format!("SELECT {list} FROM {table}{by}")
    })
}

fn grouped() -> impl Strategy<Value = String> {
    let key = one(&[
        "eventid",
        "requestparameters",
        "useridentity.arn",
        "r.arn, eventname",
        "sourceipaddress, errorcode",
        "useridentity",
    ]);
    let aggregates = one(&[
        "count(*)",
        "min(eventtime), count(DISTINCT eventname)",
        "array_agg(eventid), arbitrary(eventname)",
        "sum(CAST(json_extract_scalar(requestparameters, '$.weight') AS double))",
        "max_by(eventid, eventtime), sum(length(eventname))",
        "avg(length(eventid)), min_by(eventid, errorcode), arbitrary(errorcode)",
        "approx_percentile(length(eventname), 0.5), stddev(length(sourceipaddress))",
        "approx_percentile(length(eventid), ARRAY[0.1, 0.9]), avg(CAST(json_extract_scalar(requestparameters, '$.weight') AS double))",
    ]);
    let tail = one(&[
        "",
        " HAVING count(*) > 1",
        " ORDER BY 2 DESC, 1 LIMIT 300",
        " ORDER BY 1 DESC",
        " ORDER BY count(*)",
    ]);
    (key, aggregates, tail).prop_map(|(key, aggregates, tail)| {
        let table =
            if key.contains("r.arn") { "events CROSS JOIN UNNEST(resources) AS t(r)" } else { "events" };
        format!("SELECT {key}, {aggregates} FROM {table} GROUP BY {key}{tail}")
    })
}

fn joined() -> impl Strategy<Value = String> {
    let kind = one(&["JOIN", "LEFT JOIN", "RIGHT JOIN", "FULL JOIN"]);
    let on = one(&[
        "a.requestid = b.eventid",
        "a.eventid = b.requestid AND a.eventname < b.eventname",
        "lower(a.requestid) = b.eventid",
    ]);
    let shown = one(&[
        "SELECT a.eventid AS x, b.eventid AS y FROM {}",
        "SELECT count(*) FROM {}",
        "SELECT a.eventname, count(DISTINCT b.sourceipaddress) AS n FROM {} GROUP BY 1 ORDER BY 2, 1",
        "SELECT b.eventname, array_agg(a.eventid) FROM {} GROUP BY b.eventname, b.requestid",
        "SELECT DISTINCT a.eventname, b.eventname AS other FROM {}",
        "SELECT * FROM (SELECT a.*, b.errorcode AS other FROM {}) WHERE other IS NOT NULL ORDER BY eventtime, other",
    ]);
    (kind, on, shown)
        .prop_map(|(kind, on, shown)| shown.replace("{}", &format!("events a {kind} events b ON {on}")))
}

fn windowed() -> impl Strategy<Value = String> {
    let window = one(&[
        "row_number() OVER (PARTITION BY sourceipaddress ORDER BY eventtime)",
        "lag(eventid) OVER (PARTITION BY useridentity.arn ORDER BY eventtime, eventid)",
        "count(*) OVER (PARTITION BY eventname, errorcode)",
        "sum(length(eventid)) OVER (PARTITION BY sourceipaddress ORDER BY eventtime ROWS BETWEEN 2 PRECEDING AND CURRENT ROW)",
        "first_value(eventid) OVER (PARTITION BY substr(eventtime, 1, 13) ORDER BY eventid)",
    ]);
    let shown = one(&[
        "SELECT eventid, {} AS w FROM events",
        "SELECT eventid, w FROM (SELECT *, {} AS w FROM events) WHERE w IS NOT NULL ORDER BY 2 DESC, eventtime LIMIT 500",
        "WITH t AS (SELECT eventid, eventname, {} AS w FROM events WHERE eventname <> 'Event3') SELECT eventname, max(w), count(*) FROM t GROUP BY 1",
        "SELECT a.eventid, a.w FROM (SELECT eventid, sourceipaddress, {} AS w FROM events) a",
    ]);
    (window, shown).prop_map(|(window, shown)| shown.replace("{}", window))
}

/// Groups and distinct values that a lake is counted by, whether its texts repeat or not.
fn counted() -> impl Strategy<Value = String> {
    let key = one(&[
        "eventid",
        "substr(eventid, 1, 6), errorcode",
        "sourceipaddress",
        "eventname",
        "requestparameters, length(eventid)",
        "errorcode IS NULL, useridentity.arn",
    ]);
    let aggregates = || {
        one(&[
            "count(*)",
            "count(sourceipaddress), min(eventtime), max(requestparameters)",
            "count(DISTINCT eventid)",
            "count(DISTINCT requestid), count(DISTINCT errorcode), max(eventid)",
            "count(DISTINCT length(requestparameters)) FILTER (WHERE eventname < 'Event2'), bool_or(errorcode = 'Error1')",
        ])
    };
    let tail = one(&[
        "",
        " HAVING count(*) > 1",
        " ORDER BY 2 DESC, 1 LIMIT 30",
        " ORDER BY count(*)",
        " ORDER BY 2 LIMIT 9 OFFSET 5",
    ]);
    let with_keys = (key, aggregates(), tail).prop_map(|(key, aggregates, tail)| {
        format!("SELECT {key}, {aggregates} FROM events GROUP BY {key}{tail}")
    });
    prop_oneof![4 => with_keys, 1 => aggregates().prop_map(|aggregates| format!("SELECT {aggregates} FROM events"))]
}

/// UNION, INTERSECT and EXCEPT.
fn sets() -> impl Strategy<Value = String> {
    let operator = one(&["UNION", "UNION ALL", "INTERSECT", "INTERSECT ALL", "EXCEPT", "EXCEPT ALL"]);
    let sides = one(&[
        "SELECT eventid, eventname FROM events {} SELECT requestid, eventname FROM events WHERE eventname < 'Event2'",
        "SELECT * FROM events WHERE errorcode IS NULL {} SELECT * FROM events WHERE eventname < 'Event2'",
        "SELECT sourceipaddress AS a, 'x' AS b FROM events {} SELECT useridentity.arn, errorcode FROM events",
        "SELECT eventid, 1.5 AS n FROM events {} (SELECT requestid, 2 FROM events UNION SELECT eventname, 1 FROM events)",
        "SELECT eventname, count(*) AS n FROM events GROUP BY eventname {} SELECT eventname, length(eventid) FROM events",
    ]);
    let shown = one(&[
        "{}",
        "{} ORDER BY 2 DESC, 1 LIMIT 700",
        "{} LIMIT 100 OFFSET 10",
        "SELECT count(*) FROM ({}) AS t",
        "WITH t AS ({}) SELECT * FROM t ORDER BY 1",
    ]);
    (operator, sides, shown)
        .prop_map(|(operator, sides, shown)| shown.replace("{}", &sides.replace("{}", operator)))
}

/// Windows over all rows.
fn sequences() -> impl Strategy<Value = String> {
    let window = one(&[
        "row_number() OVER (ORDER BY eventtime DESC)",
        "row_number() OVER ()",
        "rank() OVER (ORDER BY substr(eventtime, 1, 13), eventname)",
        "dense_rank() OVER (ORDER BY eventname, sourceipaddress)",
        "lag(eventid, 3, 'none') OVER (ORDER BY eventtime)",
        "lead(eventtime) OVER (ORDER BY eventtime)",
        "count(errorcode) OVER (ORDER BY substr(eventtime, 1, 13), eventname)",
        "sum(length(sourceipaddress)) FILTER (WHERE eventname <> 'Event1') OVER (ORDER BY eventtime ROWS UNBOUNDED PRECEDING)",
        "lag(eventid) OVER (ORDER BY eventtime), row_number() OVER (ORDER BY eventtime) AS n, sum(1) OVER (ORDER BY eventtime)",
        "max(eventname) OVER (ORDER BY eventtime)",
        "avg(length(eventid)) FILTER (WHERE eventname <> 'Event1') OVER (ORDER BY eventtime, eventid)",
        "first_value(eventid) OVER (ORDER BY eventtime), min(sourceipaddress) OVER (ORDER BY eventtime) AS n, lag(eventid, 7) OVER (ORDER BY eventtime)",
        "last_value(eventid) OVER (ORDER BY substr(eventtime, 1, 13))",
        "count(*) OVER (ORDER BY eventtime ROWS BETWEEN 9 PRECEDING AND 3 FOLLOWING)",
        "max(eventid) OVER (ORDER BY eventtime ROWS BETWEEN 4 PRECEDING AND 2 PRECEDING)",
        // One of these partitions is too large for a share.
        "min(eventid) OVER (PARTITION BY errorcode ORDER BY eventtime)",
        "first_value(eventid) OVER (PARTITION BY errorcode ORDER BY eventtime ROWS UNBOUNDED PRECEDING)",
        "lag(eventid, 2) OVER (PARTITION BY errorcode ORDER BY eventtime)",
        "sum(length(eventid)) OVER (PARTITION BY errorcode ORDER BY substr(eventtime, 1, 13))",
        "rank() OVER (PARTITION BY errorcode ORDER BY sourceipaddress) AS n, row_number() OVER (PARTITION BY errorcode ORDER BY sourceipaddress)",
        "ntile(7) OVER (ORDER BY eventtime)",
        "ntile(4000) OVER (PARTITION BY errorcode ORDER BY eventtime)",
        "percent_rank() OVER (ORDER BY substr(eventtime, 1, 13)) AS n, cume_dist() OVER (ORDER BY substr(eventtime, 1, 13))",
        "cume_dist() OVER (PARTITION BY errorcode ORDER BY substr(eventtime, 1, 13)) AS n, ntile(3) OVER (PARTITION BY errorcode ORDER BY substr(eventtime, 1, 13))",
        "rank() OVER (PARTITION BY errorcode ORDER BY eventname) * 100 / count(*) OVER (PARTITION BY errorcode) AS n, count(*) OVER (PARTITION BY errorcode)",
        "count(*) OVER (PARTITION BY errorcode)",
    ]);
    let shown = one(&[
        "SELECT eventid, eventname, {} AS w FROM events",
        "SELECT eventid, {} AS w FROM events WHERE eventname <> 'Event3' ORDER BY w DESC, 1 LIMIT 500",
        "SELECT eventid, w FROM (SELECT *, {} AS w FROM events) WHERE w IS NOT NULL ORDER BY 2 DESC, eventtime LIMIT 500",
        "WITH t AS (SELECT eventid, eventname, {} AS w FROM events) SELECT eventname, max(w), count(*) FROM t GROUP BY 1",
    ]);
    (window, shown).prop_map(|(window, shown)| shown.replace("{}", window))
}

/// Subqueries that compare each event with others.
fn asked() -> impl Strategy<Value = String> {
    let condition = one(&[
        "EXISTS (SELECT 1 FROM events i WHERE i.requestid = o.eventid)",
        "NOT EXISTS (SELECT i.eventid FROM events i WHERE i.sourceipaddress = o.sourceipaddress AND i.eventtime > o.eventtime)",
        "EXISTS (SELECT 1 FROM events i CROSS JOIN UNNEST(i.resources) AS t(r) WHERE o.requestid = i.eventid AND r.arn > 'arn:3')",
        "o.eventid IN (SELECT requestid FROM events WHERE eventname < 'Event2')",
        "o.sourceipaddress IN (SELECT sourceipaddress FROM events GROUP BY 1 HAVING count(*) > 3)",
        "(o.eventname = 'Event1' OR o.sourceipaddress IN (SELECT sourceipaddress FROM events WHERE errorcode IS NOT NULL))",
        "o.sourceipaddress NOT IN (SELECT sourceipaddress FROM events WHERE errorcode = 'Error1' AND sourceipaddress IS NOT NULL)",
        "o.sourceipaddress NOT IN (SELECT sourceipaddress FROM events WHERE errorcode = 'Error1')",
        "o.eventtime = (SELECT max(i.eventtime) FROM events i WHERE i.sourceipaddress = o.sourceipaddress AND i.eventname = o.eventname)",
        "length(o.eventid) > (SELECT approx_percentile(length(eventid), 0.5) FROM events)",
        "length(o.eventname) >= ALL (SELECT length(eventname) FROM events WHERE errorcode IS NULL)",
        "o.eventname IN (SELECT eventname FROM events WHERE errorcode IS NULL EXCEPT SELECT eventname FROM events WHERE sourceipaddress < '10.0.1')",
        "o.eventname IN (SELECT eventname FROM events GROUP BY 1 HAVING count(*) > 60) AND o.useridentity.arn IN (SELECT useridentity.arn FROM events WHERE errorcode IS NOT NULL)",
    ]);
    let shown = one(&[
        "SELECT eventid, eventname FROM events o WHERE {}",
        "SELECT count(*) FROM events o WHERE {}",
        "SELECT eventname, count(*) AS n, max(eventtime) FROM events o WHERE {} GROUP BY 1 ORDER BY 2, 1",
        "SELECT DISTINCT sourceipaddress FROM events o WHERE {} ORDER BY 1 LIMIT 40",
        "SELECT eventid, (SELECT count(*) FROM events i WHERE i.requestid = o.eventid) AS n FROM events o WHERE {} ORDER BY 2 DESC, 1",
    ]);
    (condition, shown).prop_map(|(condition, shown)| shown.replace("{}", condition))
}

/// Queries over several groupings of the events.
fn staged() -> impl Strategy<Value = String> {
    one(&[
        "WITH g AS (SELECT eventname, count(*) AS n FROM events GROUP BY 1), t AS (SELECT count(*) AS total FROM events) SELECT eventname, n, n * 100 / total AS pct FROM g CROSS JOIN t ORDER BY 2 DESC, 1 LIMIT 20 OFFSET 3",
        "SELECT 'name' AS k, eventname AS v, count(*) AS n FROM events GROUP BY 2 UNION ALL SELECT 'error', errorcode, count(*) FROM events GROUP BY 2",
        "SELECT sourceipaddress, count(*) AS n FROM events GROUP BY 1 HAVING count(*) > (SELECT count(*) / 400 FROM events) ORDER BY 2 DESC, 1",
        "SELECT e.eventid FROM events e JOIN (SELECT awsregion, max(eventtime) AS t FROM events GROUP BY 1) m ON e.awsregion = m.awsregion AND e.eventtime = m.t",
        "WITH a AS (SELECT eventname, count(*) AS n FROM events GROUP BY 1), b AS (SELECT errorcode, max(eventname) AS last FROM events GROUP BY 1) SELECT a.eventname, b.errorcode, n FROM a LEFT JOIN b ON a.eventname = b.last",
        "WITH a AS (SELECT eventname, avg(length(eventid)) AS n FROM events GROUP BY 1) SELECT count(*), max(x.n) FROM a x JOIN a y ON x.n = y.n",
        "SELECT eventname, n, row_number() OVER (ORDER BY n DESC, eventname) AS r FROM (SELECT eventname, count(*) AS n FROM events GROUP BY 1) WHERE n > (SELECT avg(length(eventid)) FROM events) ORDER BY r",
    ])
    .prop_map(str::to_owned)
}

/// Several groupings at once, and windows over groups.
fn grouping_sets() -> impl Strategy<Value = String> {
    let sets = one(&[
        "ROLLUP (eventname, errorcode)",
        "CUBE (errorcode, eventname)",
        "GROUPING SETS ((eventname), (errorcode), ())",
        "eventname, ROLLUP (errorcode)",
    ]);
    let shown = one(&[
        "SELECT eventname, errorcode, grouping(eventname, errorcode) AS g, count(*) FROM events GROUP BY {}",
        "SELECT eventname, errorcode, count(DISTINCT sourceipaddress) AS n, min(eventtime) FROM events GROUP BY {} ORDER BY 3 DESC, 1, 2",
        "SELECT errorcode, count(*) AS n FROM events WHERE eventname = 'none' GROUP BY {}",
        "SELECT eventname, count(*) AS n, rank() OVER (PARTITION BY grouping(errorcode) ORDER BY count(*) DESC) AS r FROM events GROUP BY {}",
        "SELECT count(*), sum(n) FROM (SELECT max_by(eventid, eventtime) AS last, count(*) AS n FROM events GROUP BY {}) AS t",
    ]);
    let windows = one(&[
        "SELECT eventname, count(*) AS n, sum(count(*)) OVER () AS total FROM events GROUP BY 1 ORDER BY 2 DESC, 1",
        "SELECT requestid, max_by(eventid, eventtime) AS last, dense_rank() OVER (ORDER BY count(*) DESC) AS r FROM events GROUP BY 1",
    ]);
    let sets = (sets, shown).prop_map(|(sets, shown)| {
        let shown = if sets.starts_with("eventname") {
            shown.replace("SELECT errorcode, count", "SELECT eventname, errorcode, count")
        } else {
            shown.to_owned()
        };
        shown.replace("{}", sets)
    });
    prop_oneof![3 => sets, 1 => windows.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn rows_in_order(sql in single()) {
        is_the_same(&sql, 1 << 20)?;
    }

    #[test]
    fn groups(sql in grouped()) {
        is_the_same(&sql, 1 << 20)?;
    }

    #[test]
    fn joins(sql in joined()) {
        is_the_same(&sql, 3 << 20)?;
    }

    #[test]
    fn windows(sql in windowed()) {
        is_the_same(&sql, 3 << 20)?;
    }

    #[test]
    fn counts(sql in counted()) {
        is_the_same(&sql, 1 << 20)?;
        is_the_same(&sql, 1 << 18)?;
    }

    #[test]
    fn both_sides(sql in sets()) {
        is_the_same(&sql, 3 << 20)?;
    }

    #[test]
    fn windows_over_all_rows(sql in sequences()) {
        is_the_same(&sql, 3 << 20)?;
    }

    #[test]
    fn subqueries_in_conditions(sql in asked()) {
        is_the_same(&sql, 3 << 20)?;
    }

    #[test]
    fn stages(sql in staged()) {
        is_the_same(&sql, 3 << 20)?;
        is_the_same(&sql, 1 << 20)?;
    }

    #[test]
    fn groupings_at_once(sql in grouping_sets()) {
        is_the_same(&sql, 3 << 20)?;
    }
}

/// Once, each of these was refused as soon as its rows did not fit into memory, or took more than that.
#[test]
fn what_compares_events_with_others_is_not_refused() {
    are_the_same(
        &[
            "SELECT count(*) FROM events o WHERE EXISTS (SELECT 1 FROM events i WHERE i.requestid = o.requestid AND i.eventname <> o.eventname)",
            "SELECT count(*) FROM events o WHERE NOT EXISTS (SELECT 1 FROM events i WHERE i.useridentity.arn = o.useridentity.arn AND i.eventtime < o.eventtime)",
            "SELECT count(*) FROM events WHERE sourceipaddress IN (SELECT sourceipaddress FROM events WHERE errorcode = 'Error1')",
            "SELECT count(*) FROM events WHERE sourceipaddress NOT IN (SELECT sourceipaddress FROM events WHERE errorcode = 'Error1')",
            "SELECT count(*) FROM events o WHERE eventtime = (SELECT max(i.eventtime) FROM events i WHERE i.sourceipaddress = o.sourceipaddress)",
            "SELECT count(*) FROM events WHERE eventtime > (SELECT min(eventtime) FROM events WHERE errorcode IS NOT NULL)",
            "SELECT eventid, max(eventname) OVER (ORDER BY eventtime) AS w FROM events",
            "SELECT eventid, avg(length(eventname)) OVER (ORDER BY eventtime, eventid) AS w FROM events",
            "SELECT awsregion, max(eventid) OVER (PARTITION BY awsregion ORDER BY eventtime) AS w FROM events",
            "SELECT eventname, errorcode, count(*) FROM events GROUP BY ROLLUP (eventname, errorcode)",
            "SELECT count(*), max(eventname) FROM (SELECT eventname FROM events UNION (SELECT errorcode FROM events UNION ALL SELECT awsregion FROM events)) AS t",
            "SELECT eventid, count(*) OVER () AS total, max(eventtime) OVER () AS last FROM events WHERE errorcode IS NULL",
            "SELECT awsregion, approx_percentile(length(requestparameters), 0.5), max_by(eventid, eventtime) FROM events GROUP BY 1",
            "WITH g AS (SELECT eventname, count(*) AS n FROM events GROUP BY 1), t AS (SELECT count(*) AS total FROM events) SELECT eventname, n * 100 / total FROM g CROSS JOIN t",
        ],
        &[1 << 19, 1 << 20],
    );
}

/// Groups whose keys hardly repeat go to disk several times, and are put together in several pieces.
#[test]
fn groups_that_hardly_repeat_are_put_together_in_pieces() {
    are_the_same(
        &[
            "SELECT eventid, count(*) AS n, min(eventtime), max(errorcode) FROM events GROUP BY 1",
            "SELECT length(requestparameters), count(*) AS n FROM events GROUP BY requestparameters ORDER BY n DESC, 1 LIMIT 10",
            "SELECT requestparameters AS p, eventid, count(errorcode) AS n FROM events GROUP BY 1, 2 ORDER BY 3, 2 DESC, 1",
            "SELECT errorcode, count(DISTINCT eventid), count(DISTINCT concat(requestid, eventname)) FROM events GROUP BY 1",
            "SELECT count(DISTINCT eventid), count(DISTINCT errorcode) FROM events",
        ],
        &[1 << 16, 1 << 17],
    );
}

/// A query over the rows of another one gathers none of them.
#[test]
fn groups_of_groups_are_not_gathered() {
    are_the_same(
        &[
            "SELECT count(*) FROM (SELECT eventid, count(*) FROM events GROUP BY 1)",
            "SELECT n, count(*) AS c FROM (SELECT eventid, requestid, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1 ORDER BY 2",
            "WITH g AS (SELECT eventid, max_by(requestid, eventtime) AS last FROM events GROUP BY 1) SELECT last, count(*) FROM g WHERE eventid > 'id-2' GROUP BY last ORDER BY 2 DESC, 1 LIMIT 5 OFFSET 2",
            "SELECT max(r), count(*) FROM (SELECT DISTINCT requestid AS r, eventid FROM events) AS t",
            "SELECT r, e FROM (SELECT requestid AS r, max(eventid) AS e FROM events GROUP BY 1) AS t WHERE e > 'id-3'",
        ],
        &[1 << 17, 1 << 18, 1 << 20],
    );
}

/// Groups are put together in no order, and those that do not fit are looked at in pieces.
#[test]
fn the_query_around_groups_sees_them_in_the_order_of_their_first_events() {
    are_the_same(
        &[
            "SELECT n, arbitrary(eventid) FROM (SELECT eventid, requestid, count(*) AS n FROM events GROUP BY 1, 2) GROUP BY 1",
            "SELECT eventid, n FROM (SELECT eventid, count(errorcode) AS n FROM events GROUP BY 1 HAVING max(eventname) > 'Event1') WHERE n = 0 LIMIT 40 OFFSET 3",
            "SELECT DISTINCT e FROM (SELECT requestid, max(eventname) AS e, eventid FROM events GROUP BY 1, 3) AS t",
        ],
        &[1 << 17],
    );
}

/// Ranks among all rows, and shares of all rows, need to know how many there are.
#[test]
fn ranks_among_all_rows_are_not_refused() {
    are_the_same(
        &[
            "SELECT eventid, ntile(4) OVER (ORDER BY eventtime) AS n FROM events",
            "SELECT n, count(*), min(eventtime) FROM (SELECT eventtime, ntile(10) OVER (ORDER BY eventtime, eventid) AS n FROM events) GROUP BY 1 ORDER BY 1",
            "SELECT eventid, percent_rank() OVER (ORDER BY eventname) AS p, cume_dist() OVER (ORDER BY eventname) AS c FROM events",
            "SELECT eventid, ntile(5000) OVER (PARTITION BY awsregion ORDER BY eventtime) AS n FROM events",
            "SELECT eventid, cume_dist() OVER (PARTITION BY errorcode ORDER BY eventtime) AS c FROM events",
            "SELECT eventid, count(*) OVER (PARTITION BY awsregion) AS c, row_number() OVER (PARTITION BY awsregion ORDER BY eventtime) AS n FROM events",
            "SELECT max(c), min(c), count(*) FROM (SELECT count(*) OVER (PARTITION BY errorcode) AS c FROM events)",
        ],
        &[1 << 18, 1 << 20],
    );
}

/// What is joined by a column with one value is one share, however little memory there is: the rows of one table are
/// looked at some at a time, if those of the other that meet its conditions are few.
#[test]
fn one_value_of_what_is_joined_may_have_all_the_rows() {
    are_the_same(
        &[
            "SELECT a.eventname, count(*), max(b.eventid) FROM (SELECT * FROM events WHERE errorcode IS NULL) a JOIN (SELECT * FROM events WHERE eventname = 'Event1') b ON a.awsregion = b.awsregion AND b.eventtime < a.eventtime GROUP BY 1",
            "SELECT a.eventid, b.eventid AS other FROM (SELECT * FROM events WHERE eventname <> 'Event2') a LEFT JOIN (SELECT * FROM events WHERE eventname = 'Event1' AND sourceipaddress < '10.0.11') b ON a.awsregion = b.awsregion",
            "SELECT a.eventid FROM (SELECT * FROM events WHERE errorcode IS NULL) a JOIN (SELECT * FROM events WHERE eventname = 'Event1') b ON a.awsregion = b.awsregion AND a.sourceipaddress = concat(b.sourceipaddress, '0') ORDER BY 1 DESC",
        ],
        &[1 << 18, 1 << 19],
    );
}

/// Without this, the properties above would also hold if the disk were never used.
#[test]
fn little_memory_means_disk() {
    for sql in [
        "SELECT * FROM events ORDER BY eventtime",
        "SELECT eventid, count(*) FROM events GROUP BY 1",
        "SELECT a.eventid, b.eventtime FROM events a JOIN events b ON a.requestid = b.eventid",
        "SELECT eventid, lag(eventid) OVER (PARTITION BY useridentity.arn ORDER BY eventtime) FROM events",
        "SELECT useridentity.arn, array_agg(eventid) FROM events GROUP BY 1",
        "SELECT eventid, requestparameters FROM events UNION SELECT requestid, requestparameters FROM events",
        "SELECT eventid, requestparameters FROM events EXCEPT SELECT requestid, errorcode FROM events",
        "SELECT eventid, row_number() OVER (ORDER BY eventtime) AS n FROM events",
    ] {
        // For the archive and the lake, with one thread and with several: so little that it makes no difference
        // which thread reads which events.
        let memory = if sql.contains("UNION") || sql.contains("EXCEPT") { 1 << 18 } else { 1 << 19 };
        assert_eq!(is_the_same(sql, memory).unwrap(), 4, "{sql}");
    }
}

#[test]
fn arrays_and_rows_are_sorted_on_disk() {
    for sql in [
        "SELECT requestparameters, array_agg(eventid) AS ids FROM events GROUP BY 1 ORDER BY 2 DESC, 1",
        "SELECT eventid, useridentity FROM events ORDER BY useridentity DESC NULLS LAST, eventid",
        "SELECT ARRAY[errorcode, eventname] AS names, eventid FROM events ORDER BY 1, 2",
    ] {
        assert_eq!(is_the_same(sql, 1 << 19).unwrap(), 4, "{sql}");
    }
}

#[test]
fn a_folder_for_temporary_files_has_to_be_one() {
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/fixtures/incident");
    let run = |folder: &std::path::Path| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command
            .args([
                "query",
                "SELECT * FROM events ORDER BY eventtime",
                archive,
                "--format",
                "csv",
                "-q",
                "--spill-dir",
            ])
            .arg(folder)
            .output()
            .unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let refused = run(&folder.path().join("none"));
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("is not a folder"));
    assert_eq!(run(folder.path()).status.code(), Some(0));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[test]
fn each_side_of_a_join_has_conditions_of_its_own() {
    are_the_same(
        &[
            "SELECT count(*), count(DISTINCT a.eventid) FROM events a JOIN events b ON a.useridentity.arn = b.useridentity.arn \
             WHERE a.eventname < 'Event3' AND b.eventname > 'Event2'",
            "SELECT a.eventid FROM events a LEFT JOIN events b ON a.eventid = b.requestid AND b.eventname > 'Event2' \
             WHERE a.eventname < 'Event3' AND b.eventid IS NULL",
            "SELECT a.eventid, b.eventid AS other FROM events a RIGHT JOIN events b ON a.requestid = b.eventid AND \
             a.eventname < 'Event3' WHERE b.eventname <> 'Event1'",
            "SELECT a.eventid, b.eventid AS other FROM events a FULL JOIN events b ON a.requestid = b.eventid \
             WHERE a.eventname < 'Event3' OR b.eventname > 'Event4'",
            "WITH x AS (SELECT * FROM events WHERE eventname <> 'Event0') SELECT a.eventid, b.eventname FROM x a JOIN x b \
             ON a.eventid = b.requestid WHERE a.eventname < 'Event3' AND b.eventname <> 'Event4'",
        ],
        &[1 << 20, 8 << 20],
    );
}

/// What windows sort by is not looked at again once rows are sorted; whatever else their list shows is.
#[test]
fn what_windows_sort_by_is_not_missed() {
    are_the_same(
        &[
            "SELECT count(*), max(before) FROM (SELECT lag(eventtime) OVER (PARTITION BY useridentity.arn ORDER BY eventtime, eventid) AS before FROM events)",
            "SELECT useridentity.type AS t, lead(eventid) OVER (PARTITION BY useridentity.arn ORDER BY eventtime, eventid) AS n FROM events",
            "SELECT e.*, row_number() OVER (PARTITION BY awsregion ORDER BY eventtime, eventid) AS n FROM events AS e",
            "SELECT eventid, rank() OVER (PARTITION BY upper(awsregion) ORDER BY substr(eventtime, 1, 16) DESC NULLS FIRST) AS r, count(*) OVER (PARTITION BY upper(awsregion) ORDER BY eventname ROWS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING) AS c, count(*) OVER (PARTITION BY upper(awsregion)) AS d FROM events",
            "SELECT eventid, sum(length(eventname)) OVER (PARTITION BY awsregion ORDER BY errorcode, eventtime) AS s, dense_rank() OVER (PARTITION BY awsregion ORDER BY errorcode, eventtime) AS f FROM events",
        ],
        &[1 << 20],
    );
}

/// Once, the distinct values of a group were a list in memory, however many there were.
#[test]
fn distinct_values_of_groups_are_divided() {
    let both = "SELECT eventid || rpad('', 150, 'x') AS k, eventname AS n, awsregion AS r, eventtime AS t FROM events UNION ALL SELECT upper(eventid) || rpad('', 150, 'x'), errorcode, awsregion, eventtime FROM events";
    for sql in [
        format!("SELECT count(*), count(DISTINCT k), max(t), count(DISTINCT n), min(n) FROM ({both})"),
        format!("SELECT r, count(DISTINCT k) AS d, count(DISTINCT lower(k)) AS l, min(n) AS a, count(n) AS c FROM ({both}) GROUP BY r ORDER BY d DESC, r"),
        format!("SELECT r, approx_distinct(k) AS d, sum(length(n)) AS s FROM ({both}) GROUP BY r HAVING count(DISTINCT k) > 2 ORDER BY 1"),
        format!("SELECT n, r, count(DISTINCT k) + count(DISTINCT t) AS d FROM ({both}) GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 20"),
        "SELECT count(DISTINCT m) FROM (SELECT requestid, max_by(eventid || rpad('', 150, 'x'), eventtime || eventid) AS m FROM events GROUP BY 1)".to_owned(),
    ] {
        let on_disk: usize = [3 << 20, 2 << 20].map(|memory| is_the_same(&sql, memory).unwrap()).iter().sum();
        assert!(on_disk > 0, "{sql}");
    }
}
