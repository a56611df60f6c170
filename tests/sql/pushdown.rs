//! The scan must never lose a row: a query on the records that the scan admits gives the same answer as on
//! all records. Conditions are generated in every notation that is understood, and some that are not.

use crate::archive;
use archive::{cells, parse};
use proptest::prelude::*;
use tagfall::decode::RawRecord;
use tagfall::model::{Filter, Timestamp};
use tagfall::sql::{Catalog, Query};
use tagfall::tables::{EventRows, cloudtrail};

const SOURCES: &[&str] = &["ecr.amazonaws.com", "ecs.amazonaws.com", "iam.amazonaws.com"];
const NAMES: &[&str] = &["PutImage", "BatchGetImage", "CreateUser"];
const REGIONS: &[&str] = &["eu-central-1", "us-east-1"];
const ACCOUNTS: &[&str] = &["111122223333", "444455556666"];
const TIMES: &[&str] = &[
    "2026-02-28T23:59:59Z",
    "2026-03-01T00:00:00Z",
    "2026-03-01T12:30:00Z",
    "2026-03-01T23:59:59Z",
    "2026-03-02T00:00:00Z",
    "2026-03-04T15:00:01Z",
    "2026-03-05T11:59:59Z",
];

/// A record; `None` leaves a field out.
#[derive(Debug, Clone)]
struct Event {
    source: Option<usize>,
    name: Option<usize>,
    region: Option<usize>,
    account: Option<usize>,
    time: Option<usize>,
}

impl Event {
    fn field(list: &'static [&str], at: Option<usize>) -> Option<&'static str> {
        at.and_then(|at| list.get(at)).copied()
    }

    fn json(&self, id: usize) -> String {
        let fields = [
            ("eventSource", Self::field(SOURCES, self.source)),
            ("eventName", Self::field(NAMES, self.name)),
            ("awsRegion", Self::field(REGIONS, self.region)),
            ("recipientAccountId", Self::field(ACCOUNTS, self.account)),
            ("eventTime", Self::field(TIMES, self.time)),
        ];
        let fields =
            fields.iter().filter_map(|(name, value)| value.map(|value| format!(r#""{name}":"{value}","#)));
        format!(r#"{{{}"eventID":"e{id}"}}"#, fields.collect::<String>())
    }

    /// Whether the scan admits the record. A record without place or time is never left out by these.
    fn is_admitted(&self, query: &Query) -> bool {
        let scan = query.scan();
        let filter = scan.narrow(&Filter::default());
        let within = |list: &Option<Vec<String>>, value: Option<&str>| match (list, value) {
            (Some(list), value) => value.is_some_and(|value| list.iter().any(|item| item == value)),
            (None, _) => true,
        };
        let time = Self::field(TIMES, self.time).and_then(Timestamp::parse);
        within(&scan.sources, Self::field(SOURCES, self.source))
            && within(&scan.names, Self::field(NAMES, self.name))
            && Self::field(REGIONS, self.region).is_none_or(|region| filter.admits_region(region))
            && Self::field(ACCOUNTS, self.account).is_none_or(|account| filter.admits_account(account))
            && time.is_none_or(|time| filter.admits_time(time))
    }
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let index = |list: &[&str]| proptest::option::weighted(0.9, 0..list.len());
    let event = (index(SOURCES), index(NAMES), index(REGIONS), index(ACCOUNTS), index(TIMES))
        .prop_map(|(source, name, region, account, time)| Event { source, name, region, account, time });
    proptest::collection::vec(event, 1..25)
}

/// A condition on one of the columns that the scan uses.
fn atom() -> impl Strategy<Value = String> {
    let text = |columns: &'static [&'static str], values: &'static [&'static str]| {
        let forms = &[
            "{c} = '{a}'",
            "'{a}' = {c}",
            "{c} <> '{a}'",
            "{c} IN ('{a}', '{b}')",
            "{c} NOT IN ('{a}')",
            "{c} LIKE '{a}'",
            "{c} LIKE '%{a}'",
            "lower({c}) = lower('{a}')",
            "{c} IS NULL",
            "{c} IS NOT NULL",
            "coalesce({c}, '{a}') = '{a}'",
            "{c} >= '{a}'",
            "{c} = upper('{a}')",
            "{c} IS DISTINCT FROM '{a}'",
            "NULLIF({c}, '{a}') IS NULL",
        ];
        (
            prop::sample::select(columns),
            prop::sample::select(values),
            prop::sample::select(values),
            prop::sample::select(&forms[..]),
        )
            .prop_map(|(column, a, b, form)| form.replace("{c}", column).replace("{a}", a).replace("{b}", b))
    };
    prop_oneof![
        2 => text(&["@eventsource", "@EventSource", "@\"eventsource\""], SOURCES),
        2 => text(&["@eventname"], NAMES),
        1 => text(&["@awsregion", "@region"], REGIONS),
        1 => text(&["@recipientaccountid", "@account", "@account_id"], ACCOUNTS),
        4 => time_atom(),
    ]
}

fn time_atom() -> impl Strategy<Value = String> {
    let columns = &[
        "from_iso8601_timestamp(@eventtime)",
        "date_parse(@eventtime, '%Y-%m-%dT%H:%i:%sZ')",
        "parse_datetime(@eventtime, 'yyyy-MM-dd''T''HH:mm:ss''Z''')",
        "CAST(from_iso8601_timestamp(@eventtime) AS date)",
        "date(from_iso8601_timestamp(@eventtime))",
        "CAST(from_iso8601_timestamp(@eventtime) AT TIME ZONE 'Asia/Tokyo' AS date)",
        "from_iso8601_timestamp(@eventtime) AT TIME ZONE 'America/New_York'",
        "date_trunc('day', from_iso8601_timestamp(@eventtime))",
        "CAST(replace(replace(@eventtime, 'T', ' '), 'Z', '') AS timestamp)",
        "@eventtime",
    ];
    let moments = &[
        "timestamp '2026-03-01 12:30:00'",
        "timestamp '2026-03-02 00:00:00'",
        "timestamp '2026-03-02 00:00:00 Asia/Tokyo'",
        "date '2026-03-01'",
        "date '2026-03-02'",
        "from_iso8601_timestamp('2026-03-01T23:59:59Z')",
        "current_timestamp - interval '1' day",
        "current_date - interval '4' day",
        "date_add('day', -4, now())",
    ];
    let of_time =
        (prop::sample::select(&columns[..]), operator(), prop::sample::select(&moments[..]), any::<bool>())
            .prop_map(|(column, operator, moment, flipped)| {
                if flipped {
                    format!("{moment} {operator} {column}")
                } else {
                    format!("{column} {operator} {moment}")
                }
            });
    let between = (
        prop::sample::select(&columns[..]),
        prop::sample::select(&moments[..]),
        prop::sample::select(&moments[..]),
        any::<bool>(),
    )
        .prop_map(|(column, low, high, not)| {
            format!("{column} {}BETWEEN {low} AND {high}", if not { "NOT " } else { "" })
        });
    let texts = &[
        "2026-03-01T12:30:00Z",
        "2026-03-01",
        "2026-03-02T00:00:00",
        "2026-03",
        "2026-03-01T23:59:59Z",
        "2026-03-02 00:00:00",
        "2026",
    ];
    let of_text = (operator(), prop::sample::select(&texts[..]))
        .prop_map(|(operator, text)| format!("@eventtime {operator} '{text}'"));
    let prefix = prop::sample::select(&texts[..]).prop_map(|text| format!("@eventtime LIKE '{text}%'"));
    let partition = (
        prop::sample::select(&["@\"timestamp\"", "@dt", "@\"date\"", "@date_partition"][..]),
        operator(),
        0..4_usize,
    )
        .prop_map(|(column, operator, at)| {
            let day = ["2026-03-01", "2026-03-02", "2026-02-28", "2026-03-04"][at];
            let text = if column == "@\"date\"" { day.to_owned() } else { day.replace('-', "/") };
            format!("{column} {operator} '{text}'")
        });
    let parts = (
        prop::sample::select(
            &["@year = '2026'", "@year IN ('2026', '2025')", "@year >= '2026'", "@year = 2026"][..],
        ),
        prop::sample::select(
            &["@month = '03'", "@month = '3'", "@month = 3", "@month IN ('02', '03')", "@month <> '03'"][..],
        ),
        prop::sample::select(
            &["@day = '01'", "@day = 1", "@day > '01'", "@day BETWEEN '01' AND '02'", "true"][..],
        ),
    )
        .prop_map(|(year, month, day)| format!("{year} AND {month} AND {day}"));
    prop_oneof![3 => of_time, 1 => between, 2 => of_text, 1 => prefix, 2 => partition, 1 => parts]
}

fn operator() -> impl Strategy<Value = &'static str> {
    prop::sample::select(&["=", "<>", "<", "<=", ">", ">="][..])
}

fn condition() -> impl Strategy<Value = String> {
    atom().prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a}) AND ({b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} OR {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} AND {b})")),
            inner.clone().prop_map(|a| format!("NOT ({a})")),
            inner.clone().prop_map(|a| format!("({a}) IS NOT TRUE")),
            inner.clone().prop_map(|a| format!("CASE WHEN {a} THEN true ELSE @eventname = 'CreateUser' END")),
        ]
    })
}

/// A query with the condition in one of the possible places.
fn query() -> impl Strategy<Value = String> {
    let shapes = &[
        "SELECT eventid FROM cloudtrail_logs WHERE {1}",
        "SELECT eventid FROM cloudtrail_logs WHERE {1} AND {2}",
        "SELECT eventid FROM (SELECT * FROM cloudtrail_logs WHERE {1}) WHERE {2}",
        "WITH t AS (SELECT * FROM events WHERE {1}) SELECT eventid FROM t WHERE {2}",
        "WITH t AS (SELECT *, eventtime AS at FROM events) SELECT a.eventid, b.eventid FROM t a JOIN t b ON a.eventid = b.eventid AND {b1} WHERE {a2}",
        "SELECT a.eventid, b.eventid FROM events a LEFT JOIN events b ON a.eventname = b.eventname AND {b1} WHERE {a2}",
        "SELECT eventid FROM events WHERE {1} UNION ALL SELECT eventid FROM events WHERE {2}",
        "SELECT eventid FROM events a WHERE {a1} AND EXISTS (SELECT 1 FROM events b WHERE b.eventsource = a.eventsource AND {b2})",
        "SELECT eventid FROM events WHERE eventid IN (SELECT eventid FROM events WHERE {1}) AND {2}",
        "SELECT eventname, count(*) FROM events WHERE {1} GROUP BY eventname HAVING count(*) > 1",
        "SELECT eventid, row_number() OVER (ORDER BY eventid) FROM events WHERE {1}",
        "SELECT e, n FROM (SELECT eventid AS e, row_number() OVER (ORDER BY eventid) AS n, eventname, eventsource, awsregion, region, recipientaccountid, account, account_id, eventtime, \"timestamp\", dt, \"date\", date_partition, year, month, day FROM events WHERE {1}) WHERE {2}",
    ];
    (prop::sample::select(&shapes[..]), condition(), condition()).prop_map(|(shape, first, second)| {
        // `@` is a placeholder before each column.
        let of = |table: &str, condition: &str| format!("({})", condition.replace('@', table));
        shape
            .replace("{1}", &of("", &first))
            .replace("{2}", &of("", &second))
            .replace("{a1}", &of("a.", &first))
            .replace("{b1}", &of("b.", &first))
            .replace("{a2}", &of("a.", &second))
            .replace("{b2}", &of("b.", &second))
    })
}

fn answer(query: &Query, records: &[String], early: bool) -> Vec<Vec<String>> {
    let columns = if early { query.scan().asked() } else { None };
    let mut rows = EventRows::new(columns.as_deref());
    for (index, json) in records.iter().enumerate() {
        rows.push("a.json", RawRecord { index: index as u64, json, native: false }).unwrap();
    }
    let rows = rows.take();
    let rows = if early { query.keep(rows).unwrap() } else { rows };
    let mut catalog = Catalog::default();
    catalog.insert(&cloudtrail::TABLE, &rows);
    let mut cells = cells(&query.run(&catalog).unwrap());
    cells.sort();
    cells
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_scan_costs_no_row(sql in query(), events in events()) {
        let query = match parse(&sql) {
            Ok(query) => query,
            Err(error) => return Err(TestCaseError::fail(format!("{sql}: {error}"))),
        };
        let all: Vec<String> = events.iter().enumerate().map(|(id, event)| event.json(id)).collect();
        let admitted = events.iter().zip(&all).filter(|(event, _)| event.is_admitted(&query)).map(|(_, json)| json.clone()).collect::<Vec<_>>();
        let everything = answer(&query, &all, false);
        prop_assert_eq!(&answer(&query, &admitted, false), &everything, "scan of {}:\n{}", sql, query.scan());
        prop_assert_eq!(&answer(&query, &admitted, true), &everything, "early filtering of {}:\n{}", sql, query.scan());
    }
}

#[test]
fn a_scan_does_leave_out_what_it_can() {
    let query =
        parse("SELECT eventid FROM events WHERE eventname = 'PutImage' AND \"timestamp\" = '2026/03/01'")
            .unwrap();
    let event =
        |name, time| Event { source: None, name: Some(name), region: None, account: None, time: Some(time) };
    assert!(event(0, 1).is_admitted(&query) && event(0, 3).is_admitted(&query));
    assert!(
        !event(1, 1).is_admitted(&query)
            && !event(0, 4).is_admitted(&query)
            && !event(0, 0).is_admitted(&query)
    );
}
