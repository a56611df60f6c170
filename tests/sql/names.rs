//! Name resolution: aliases with the names of columns, tables with the names of others, nested queries; and
//! mistakes are found before anything is read.

use crate::archive::{ask, fails, refused};

#[test]
fn equal_expressions_are_equal_however_they_are_written() {
    // A key, and what is selected and sorted by, with or without the name of the table.
    assert_eq!(
        ask(
            "SELECT upper(e.eventsource), count(*) FROM events AS e GROUP BY upper(eventsource) ORDER BY upper(E.eventSource) LIMIT 1"
        ),
        ask("SELECT upper(eventsource), count(*) FROM events GROUP BY 1 ORDER BY 1 LIMIT 1")
    );
    assert_eq!(
        ask("SELECT max(events.eventid) FROM events HAVING max(eventid) = max(events.eventid)"),
        ask("SELECT max(eventid) FROM events")
    );
    assert_eq!(
        ask("SELECT DISTINCT lower(e.eventsource) AS s FROM events e ORDER BY lower(s) LIMIT 1"),
        [["ecr.amazonaws.com"]]
    );
}

#[test]
fn an_alias_that_is_called_like_a_column() {
    // GROUP BY and WHERE refer to the column, ORDER BY to the alias, HAVING to the alias if no key has the
    // name.
    assert_eq!(
        ask("SELECT count(*) AS eventname FROM events WHERE eventname = 'PutImage' GROUP BY eventname").len(),
        1
    );
    assert_eq!(
        ask(
            "SELECT eventsource, count(*) AS eventname FROM events GROUP BY eventsource HAVING eventname > 3 ORDER BY eventname DESC"
        ),
        ask("SELECT eventsource, count(*) FROM events GROUP BY 1 HAVING count(*) > 3 ORDER BY count(*) DESC")
    );
    // Inside of an aggregate, a name is a column of the rows, also in ORDER BY.
    assert_eq!(
        ask("SELECT eventsource, min(eventtime) AS eventtime FROM events GROUP BY 1 ORDER BY max(eventtime)"),
        ask("SELECT eventsource, min(eventtime) FROM events GROUP BY 1 ORDER BY max(eventtime)")
    );
    // A lambda's parameter hides a column, and only inside of it.
    assert_eq!(
        ask(
            "SELECT transform(ARRAY[1, 2], eventid -> eventid + 1), eventid FROM events ORDER BY eventid LIMIT 1"
        ),
        [["[2,3]", "e0"]]
    );
}

#[test]
fn tables_that_are_called_alike() {
    // The inner table hides the outer one with the same name.
    assert_eq!(
        ask("SELECT count(*) FROM events e WHERE EXISTS (SELECT 1 FROM events e WHERE e.eventid = 'e1')"),
        ask("SELECT count(*) FROM events")
    );
    // From its definition on, a common table expression hides the declared table; inside of it, the declared
    // table is meant.
    assert_eq!(
        ask("WITH events AS (SELECT eventid FROM events WHERE eventid = 'e1') SELECT events.* FROM events"),
        [["e1"]]
    );
    assert_eq!(
        ask(
            "SELECT count(*) FROM (SELECT eventid FROM events) t JOIN (SELECT eventid FROM events) u ON t.eventid = u.eventid"
        ),
        ask("SELECT count(*) FROM events")
    );
    // A recursive common table expression called like a trail is not the events table.
    let chain = "WITH RECURSIVE trail(n) AS (SELECT 0 FROM events WHERE eventid = 'e1' UNION ALL
        SELECT t.n + 1 FROM events e JOIN trail t ON e.eventid = 'e1' WHERE t.n < 3) SELECT max(n) FROM trail";
    assert_eq!(ask(chain), [["3"]]);
    // Two tables with one name: using a column of it is an error.
    let same = refused("SELECT events.eventid FROM events JOIN events ON true");
    assert!(same.contains("line 1, column 8") && same.contains("ambiguous"), "{same}");
}

/// Tables of other people have no partition columns, or others: such a column, and other names of columns,
/// do not make a name ambiguous that another table has.
#[test]
fn a_column_of_another_table_is_meant_before_one_that_the_events_table_may_lack() {
    for (sql, is) in [
        ("SELECT accountid FROM events CROSS JOIN (VALUES 'x') t(accountid) WHERE eventid = 'e1'", "x"),
        ("SELECT year FROM events CROSS JOIN UNNEST(ARRAY[7]) AS t(year) WHERE eventid = 'e1'", "7"),
        ("SELECT record FROM (SELECT * FROM events) e, (VALUES 9) t(record) WHERE eventid = 'e1'", "9"),
        ("SELECT date FROM events e JOIN (VALUES ('e1', 'd')) t(id, date) ON e.eventid = t.id", "d"),
    ] {
        assert_eq!(ask(sql), [[is]], "{sql}");
    }
    let rows = "SELECT arn, accountid, type FROM events CROSS JOIN UNNEST(resources) AS t(arn, accountid, type) ORDER BY 1";
    assert_eq!(
        ask(rows),
        ask("SELECT r.arn, r.accountid, r.type FROM events CROSS JOIN UNNEST(resources) AS t(r) ORDER BY 1")
    );
    let both = refused("SELECT year FROM events a JOIN events b ON a.eventid = b.eventid");
    assert!(both.contains("line 1, column 8") && both.contains("ambiguous"), "{both}");
}

#[test]
fn a_subquery_looks_outside_where_its_names_say_so() {
    let calls = "SELECT DISTINCT o.eventsource, (SELECT count(*) FROM events WHERE eventsource = o.eventsource) AS calls FROM events o ORDER BY 1";
    assert_eq!(ask(calls), ask("SELECT eventsource, count(*) FROM events GROUP BY 1 ORDER BY 1"));
    // Two levels further out.
    let further =
        "SELECT count(*) FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.eventid = a.eventid
        AND EXISTS (SELECT 1 FROM events c WHERE c.eventid = a.eventid AND c.eventname = b.eventname))";
    assert_eq!(ask(further), ask("SELECT count(*) FROM events"));
    // After grouping, only keys can be used.
    let key = refused(
        "SELECT eventsource, (SELECT max(eventid) FROM events i WHERE i.eventname = o.eventname) FROM events o GROUP BY eventsource",
    );
    assert!(key.contains("line 1, column 76") && key.contains("o.eventname must stand in GROUP BY"), "{key}");
}

#[test]
fn mistakes_are_found_before_anything_is_read() {
    for (sql, place, says) in [
        ("SELECT evntname FROM events", (1, 8), "there is no column evntname; did you mean eventname?"),
        (
            "SELECT 1 FROM events e WHERE e.evntname = 'x'",
            (1, 30),
            "there is no column e.evntname; did you mean eventname?",
        ),
        (
            "SELECT 1 FROM events WHERE eventid IN (SELECT evntid FROM events)",
            (1, 47),
            "there is no column evntid",
        ),
        (
            "SELECT 1 FROM events a JOIN events b ON a.eventid = b.evntid",
            (1, 53),
            "there is no column b.evntid; did you mean eventid?",
        ),
        (
            "SELECT 1 FROM events a JOIN events b ON a.eventid = b.resources",
            (1, 41),
            "cannot be compared with =",
        ),
        ("SELECT t.useridentity.arm FROM events t", (1, 23), "there is no field arm; did you mean arn?"),
        (
            "SELECT u.arm FROM (SELECT useridentity AS u FROM events)",
            (1, 10),
            "there is no field arm; did you mean arn?",
        ),
        ("SELECT uper(evntname) FROM events", (1, 8), "function uper is not supported; did you mean upper?"),
        ("SELECT filter(resources, r -> q.arn = 'x') FROM events", (1, 31), "there is no column q.arn"),
        ("SELECT transform(resources, resource -> resorce) FROM events", (1, 41), "did you mean resource?"),
        (
            "SELECT 1 WHERE false AND (SELECT eventid FROM events LIMIT 1) > 1 + ARRAY[1]",
            (1, 65),
            "bigint + array(bigint) is not possible",
        ),
        (
            "WITH t AS (SELECT eventid AS id FROM events) SELECT eventid FROM t",
            (1, 53),
            "there is no column eventid",
        ),
        (
            "SELECT x.nothing FROM events, LATERAL (SELECT events.eventid) AS x",
            (1, 8),
            "there is no column x.nothing",
        ),
        (
            "SELECT eventname FROM events ORDER BY evntname",
            (1, 39),
            "there is no column evntname; did you mean eventname?",
        ),
        ("SELECT eventname FROM events GROUP BY 2", (1, 39), "GROUP BY 2: there is no such column"),
    ] {
        let said = refused(sql);
        assert!(
            said.starts_with(&format!("line {}, column {}: ", place.0, place.1)) && said.contains(says),
            "{sql}: {said}"
        );
    }
}

#[test]
fn names_in_messages_are_those_of_the_query() {
    let key = fails("SELECT e.eventname, count(*) FROM events e");
    assert!(key.contains("e.eventname must stand in GROUP BY") && !key.contains('\0'), "{key}");
    let bare = fails("SELECT eventname, count(*) FROM events e");
    assert!(bare.contains(": eventname must stand in GROUP BY"), "{bare}");
    assert_eq!(ask("SELECT typeof(e.useridentity.arn) AS \"Kind\" FROM events e LIMIT 1"), [["varchar"]]);
}

#[test]
fn the_condition_of_an_unnest_is_not_passed_over() {
    let left = refused("SELECT 1 FROM events LEFT JOIN UNNEST(resources) AS t(r) ON r.type = 'x'");
    assert!(left.contains("ON true"), "{left}");
}

#[test]
fn a_day_that_is_a_whole_date_beside_a_month() {
    // The day alone does not determine the date, so the column with the whole date is needed, too.
    let both = "SELECT count(*) > 0 FROM events WHERE day = '2026-03-02' AND month = '03' AND day = '02'";
    assert_eq!(ask(both), ask("SELECT count(*) > 0 FROM events WHERE \"timestamp\" = '2026/03/02'"));
}
