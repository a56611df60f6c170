//! Types by Trino's rules: what does not go together is refused before anything is read.

use crate::archive::{ask, fails, refused};

/// Each is refused at line 1 and this column.
fn all_refused(cases: &[(&str, usize, &str)]) {
    for (sql, column, says) in cases {
        let said = refused(sql);
        assert!(
            said.starts_with(&format!("line 1, column {column}: ")) && said.contains(says),
            "{sql}: {said}"
        );
    }
}

#[test]
fn a_text_is_compared_with_no_number_and_no_boolean() {
    let sides = "varchar and bigint cannot be compared with";
    all_refused(&[
        ("SELECT 1 FROM events WHERE eventname = 5", 28, sides),
        ("SELECT 1 FROM events WHERE 5 < eventname", 28, "bigint and varchar cannot be compared with <"),
        ("SELECT 1 FROM events WHERE eventname IN ('a', 5)", 47, sides),
        ("SELECT 1 FROM events WHERE eventname BETWEEN 'a' AND 5", 28, sides),
        ("SELECT 1 FROM events WHERE eventname IS DISTINCT FROM 5", 28, sides),
        ("SELECT 1 FROM events WHERE eventname = 1.5", 28, "varchar and decimal(2,1)"),
        ("SELECT 1 FROM events WHERE errorcode = false", 28, "varchar and boolean"),
        ("SELECT 1 FROM events WHERE json_extract_scalar(requestparameters, '$.n') > 5", 28, sides),
        ("SELECT 1 FROM events WHERE (eventname, eventsource) = ('a', 5)", 29, "cannot be compared with ="),
        ("SELECT '1.5' = 1.5", 8, "varchar and decimal(2,1) cannot be compared with =; CAST one of them"),
        ("SELECT 1 FROM events WHERE eventname IN (SELECT record FROM events)", 28, sides),
        ("SELECT 1 FROM events WHERE eventname = ANY (SELECT record FROM events)", 28, sides),
        ("SELECT 1 FROM events WHERE eventname > ALL (SELECT record FROM events)", 28, sides),
        ("SELECT 1 FROM events a JOIN events b ON a.eventname = b.record", 41, sides),
        ("SELECT eventname FROM events GROUP BY 1 HAVING eventname = 5", 48, sides),
        ("SELECT CASE eventname WHEN 5 THEN 1 END FROM events", 13, sides),
        ("SELECT nullif(eventname, 5) FROM events", 15, sides),
        ("SELECT any_match(resources, r -> r.type = 5) FROM events", 34, sides),
    ]);
}

#[test]
fn columns_that_are_numbers_or_booleans_in_other_tables_are_compared_with_those() {
    for (loose, strict) in [
        ("year = 2026 AND month = 3", "year = '2026' AND month = '03'"),
        ("(year, month) = (2026, 3)", "year = '2026' AND month = '03'"),
        ("2026 IN (year)", "year = '2026'"),
        ("year IN (SELECT 2026)", "year = '2026'"),
        ("recipientaccountid = 111122223333", "recipientaccountid = '111122223333'"),
        ("useridentity.accountid = 111122223333", "useridentity.accountid = '111122223333'"),
        ("account_id BETWEEN 111122223333 AND 111122223333", "account = '111122223333'"),
        ("readonly = true", "readonly = 'true'"),
        ("readonly IS DISTINCT FROM true", "readonly IS DISTINCT FROM 'true'"),
        ("requestparameters.maxresults > 5", "CAST(requestparameters.maxresults AS bigint) > 5"),
    ] {
        let count = |condition: &str| ask(&format!("SELECT count(*) FROM events WHERE {condition}"));
        assert_eq!(count(loose), count(strict), "{loose}");
    }
    let grouped = "SELECT year, count(*) FROM events GROUP BY year HAVING year = 2026";
    assert_eq!(ask(grouped), ask("SELECT year, count(*) FROM events WHERE year = '2026' GROUP BY 1"));
}

#[test]
fn values_of_one_column_have_one_type() {
    let types = "do not go together; CAST one of them";
    all_refused(&[
        ("SELECT CASE WHEN true THEN 1 ELSE 'a' END", 8, "bigint and varchar do not go together"),
        ("SELECT if(true, 'a', 1)", 8, types),
        ("SELECT coalesce(errorcode, 0) FROM events", 8, types),
        ("SELECT coalesce(errorcode, false) FROM events", 8, types),
        ("SELECT coalesce(eventtime, now()) FROM events", 8, types),
        ("SELECT ARRAY[1, 'a']", 14, types),
        ("SELECT contains(ARRAY[1], 'a')", 8, types),
        ("SELECT greatest(1, 'a')", 8, types),
        ("SELECT lag(eventname, 1, 0) OVER (ORDER BY eventid) FROM events", 8, types),
    ]);
    let union = refused("SELECT 1 UNION ALL SELECT 'a'");
    assert!(union.contains("UNION: column 1 is bigint on one side and varchar on the other"), "{union}");
    assert!(refused("VALUES (1), ('a')").contains("bigint on one side and varchar on the other"));
    assert_eq!(ask("SELECT coalesce(NULL, 1), coalesce(1, 2.5), if(false, 1)"), [["1", "1.0", "NULL"]]);
}

#[test]
fn offsets_of_window_functions_are_one_number() {
    all_refused(&[
        ("SELECT lag(eventname, 'x') OVER (ORDER BY eventid) FROM events", 23, "one whole number"),
        ("SELECT lead(eventname, record) OVER (ORDER BY eventid) FROM events", 24, "one whole number"),
        ("SELECT lag(eventname, -1) OVER (ORDER BY eventid) FROM events", 8, "must not be negative"),
        ("SELECT nth_value(eventname, 0) OVER (ORDER BY eventid) FROM events", 8, "begins at 1"),
        ("SELECT row_number() FROM events", 8, "row_number needs a window: row_number(…) OVER (…)"),
    ]);
}

#[test]
fn columns_get_no_more_names_than_there_are() {
    all_refused(&[
        ("WITH t (a, b) AS (SELECT 1) SELECT a FROM t", 6, "t has 1 column, and 2 names are given"),
        ("SELECT 1 FROM (SELECT 1, 2) AS t (a, b, c)", 32, "t has 2 columns, and 3 names are given"),
        ("SELECT 1 FROM UNNEST(ARRAY[1]) AS t (x, y)", 35, "t has 1 column, and 2 names are given"),
        ("SELECT 1 FROM events, LATERAL (SELECT 1) AS t (x, y)", 45, "t has 1 column"),
    ]);
    assert_eq!(ask("SELECT y FROM (VALUES (1, 2)) AS t (x, y)"), [["2"]]);
    assert_eq!(ask("SELECT x, n FROM UNNEST(ARRAY[7]) WITH ORDINALITY AS t (x, n)"), [["7", "1"]]);
}

#[test]
fn whole_numbers_are_in_the_range_of_their_type() {
    for (sql, says) in [
        ("SELECT CAST(300 AS tinyint)", "300 is out of the range of tinyint"),
        ("SELECT CAST('-40000' AS smallint)", "-40000 is out of the range of smallint"),
        ("SELECT CAST(3000000000 AS integer)", "3000000000 is out of the range of integer"),
        ("SELECT 123456789012345678901234567890123456789", "has more than 38 digits"),
    ] {
        let said = fails(sql);
        assert!(said.starts_with("line 1, column ") && said.contains(says), "{sql}: {said}");
    }
    assert_eq!(
        ask(
            "SELECT CAST(-128 AS tinyint), try_cast(128 AS tinyint), try(CAST(32768 AS smallint)), CAST(2147483647 AS int)"
        ),
        [["-128", "NULL", "NULL", "2147483647"]]
    );
    // Digits are not lost in a double.
    assert_eq!(
        ask("SELECT -9223372036854775808, 9223372036854775808 - 1, typeof(9223372036854775808)"),
        [["-9223372036854775808", "9223372036854775807", "decimal(19,0)"]]
    );
}

#[test]
fn positions_and_keys() {
    assert!(fails("SELECT resources[0] FROM events").contains("the positions of an array begin at 1"));
    assert!(fails("SELECT element_at(ARRAY[1], record - record) FROM events").contains("begin at 1"));
    all_refused(&[
        ("SELECT MAP(ARRAY['a'], ARRAY[1])[1]", 8, "the keys of this map are varchar, and this is bigint"),
        ("SELECT element_at(MAP(ARRAY[1], ARRAY[1]), 'a')", 8, "the keys of this map are bigint"),
    ]);
    assert!(fails("SELECT map(ARRAY['a', 'a'], ARRAY[1, 2])").contains("a map has each key once"));
    assert!(fails("SELECT map_from_entries(ARRAY[('a', 1), ('a', 2)])").contains("a map has each key once"));
    assert!(fails("SELECT map(ARRAY['a', NULL], ARRAY[1, 2])").contains("cannot be NULL"));
    assert_eq!(
        ask(
            "SELECT try(ARRAY[1][0]), try(map(ARRAY[1, 1], ARRAY[1, 2])), element_at(MAP(ARRAY[1.5], ARRAY[1]), 1)"
        ),
        [["NULL", "NULL", "NULL"]]
    );
}

#[test]
fn distinct_rows_are_sorted_by_what_they_show() {
    let says = "SELECT DISTINCT is sorted by what is in its list";
    all_refused(&[
        ("SELECT DISTINCT eventname FROM events ORDER BY eventsource", 48, says),
        ("SELECT DISTINCT eventname FROM events ORDER BY 1, lower(eventsource)", 51, says),
        ("SELECT DISTINCT eventname FROM events GROUP BY 1 ORDER BY count(*)", 59, says),
        ("WITH t AS (SELECT 1), t AS (SELECT 2) SELECT * FROM t", 23, "WITH has two tables t"),
    ]);
    for by in ["1", "upper(eventname)", "u", "length(upper(eventname)), 1", "lower(u) || 'x', u"] {
        let sql = format!("SELECT DISTINCT upper(eventname) AS u FROM events ORDER BY {by}");
        assert_eq!(ask(&sql).len(), ask("SELECT DISTINCT eventname FROM events").len(), "{by}");
    }
    assert_eq!(ask("SELECT DISTINCT * FROM (VALUES (1, 2)) AS t (a, b) ORDER BY b"), [["1", "2"]]);
}

#[test]
fn a_date_moves_by_whole_days() {
    let said = fails("SELECT DATE '2026-01-01' + INTERVAL '36' HOUR");
    assert!(said.contains("a date moves by whole days: CAST it to timestamp"), "{said}");
    assert_eq!(
        ask(
            "SELECT DATE '2026-01-01' - INTERVAL '48' HOUR, DATE '2026-01-31' + INTERVAL '1' MONTH, try(DATE '1969-12-31' - INTERVAL '1' MINUTE)"
        ),
        [["2025-12-30", "2026-02-28", "NULL"]]
    );
}
