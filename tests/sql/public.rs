//! Expressions and queries as people write them for Athena, with Trino's results. Each was refused once, or answered
//! wrongly.

use crate::archive;
use archive::{ask, each, fails, queries};

fn refused(table: &[(&str, &str)]) {
    for (sql, said) in table {
        let error = fails(sql);
        assert!(error.contains(said), "{sql}: {error}");
    }
}

#[test]
fn numbers_in_other_bases_and_names_that_begin_with_digits() {
    each(&[("0b101", "5"), ("0B1111_0000", "240"), ("0o17", "15"), ("0x1F", "31"), ("1_000_000", "1000000")]);
    refused(&[
        ("SELECT 1abc", "1abc is neither a number nor a name"),
        ("SELECT 0b12", "neither a number nor a name"),
        ("SELECT count(*) FROM 2024_logs", "double quotes"),
    ]);
    queries(&[("SELECT 1=1AND 2=2", "true")]);
}

#[test]
fn times_are_rounded_to_the_digits_of_their_type() {
    each(&[
        ("CAST(TIMESTAMP '2026-03-02 00:00:00.567' AS timestamp(0))", "2026-03-02 00:00:01.000"),
        ("CAST(TIMESTAMP '2026-03-02 00:00:00.449' AS timestamp(1))", "2026-03-02 00:00:00.400"),
        ("CAST('2026-03-02 00:00:00.5678' AS timestamp(3))", "2026-03-02 00:00:00.568"),
        ("CAST('2026-03-02 00:00:00.5' AS timestamp(0))", "2026-03-02 00:00:01.000"),
    ]);
    queries(&[("SELECT date_diff('second', current_timestamp(0), current_timestamp(3))", "0")]);
}

#[test]
fn days_and_months_between_times_are_those_of_their_zone() {
    let day = "date_diff('day', TIMESTAMP '2026-03-08 00:00:00 America/New_York', \
               TIMESTAMP '2026-03-09 00:00:00 America/New_York')";
    let hours = &day.replace("'day'", "'hour'");
    each(&[
        (day, "1"),
        (hours, "23"),
        (
            "date_diff('month', TIMESTAMP '2026-01-31 23:00:00 Asia/Tokyo', TIMESTAMP '2026-03-01 00:00:00 Asia/Tokyo')",
            "1",
        ),
    ]);
    refused(&[("SELECT date_add('hour', 1, DATE '2026-03-02')", "a date has no hour: make it a timestamp")]);
}

#[test]
fn times_of_other_forms() {
    each(&[
        ("from_iso8601_date('2026-W10-2')", "2026-03-03"),
        ("from_iso8601_date('2026-061')", "2026-03-02"),
        ("from_iso8601_timestamp('2026-03')", "2026-03-01 00:00:00.000 UTC"),
        ("from_iso8601_timestamp('2026-W10')", "2026-03-02 00:00:00.000 UTC"),
        ("from_iso8601_timestamp('2026-03-02T10')", "2026-03-02 10:00:00.000 UTC"),
        ("CAST(from_unixtime(1700000000, 2, 30) AS varchar)", "2023-11-15 00:43:20.000 +02:30"),
        ("timezone(TIMESTAMP '2026-03-02 02:00:00 Europe/Berlin')", "Europe/Berlin"),
        ("CAST(parse_duration('2.5h') AS varchar)", "0 02:30:00.000"),
        ("CAST(parse_duration('42ms') AS varchar)", "0 00:00:00.042"),
        ("format_datetime(TIMESTAMP '2026-03-02 10:00:00', 'HH ''%H''')", "10 %H"),
    ]);
    refused(&[("SELECT parse_duration('2 parsecs')", "no duration such as 1.5h")]);
}

#[test]
fn intervals_of_two_units_and_parts_of_intervals() {
    each(&[
        ("CAST(INTERVAL '1-2' YEAR TO MONTH AS varchar)", "1-2"),
        ("CAST(INTERVAL '1 02:03:04.5' DAY TO SECOND AS varchar)", "1 02:03:04.500"),
        ("CAST(INTERVAL '-1 02' DAY TO HOUR AS varchar)", "-1 02:00:00.000"),
        ("CAST(INTERVAL '02:03' HOUR TO MINUTE AS varchar)", "0 02:03:00.000"),
        ("CAST(INTERVAL '1.5' SECOND AS varchar)", "0 00:00:01.500"),
        ("CAST(INTERVAL '36' HOUR / 1.5 AS varchar)", "1 00:00:00.000"),
        ("CAST(0.5 * INTERVAL '1' DAY AS varchar)", "0 12:00:00.000"),
        ("year(INTERVAL '14' MONTH)", "1"),
        ("month(INTERVAL '14' MONTH)", "2"),
        ("DATE '2026-03-02' + INTERVAL '1-1' YEAR TO MONTH", "2027-04-02"),
    ]);
    refused(&[("SELECT INTERVAL '1:2' DAY TO SECOND", "is no interval DAY TO SECOND")]);
}

#[test]
fn what_json_value_and_json_query_give_in_place_of_nothing() {
    each(&[
        (r#"json_value('{}', 'lax $.a' DEFAULT 'none' ON EMPTY)"#, "none"),
        (r#"json_value('{"a":{}}', 'lax $.a' DEFAULT 'none' ON EMPTY)"#, "NULL"),
        (r#"json_value('{"a":{}}', 'lax $.a' DEFAULT 'none' ON ERROR)"#, "none"),
        (r#"json_value('{"a":null}', 'lax $.a' DEFAULT 'none' ON EMPTY)"#, "NULL"),
        (r#"json_value(CAST(NULL AS varchar), 'lax $.a' DEFAULT 'none' ON EMPTY)"#, "NULL"),
        (
            r#"json_value('{"a":"5"}', 'lax $.a' RETURNING bigint DEFAULT -1 ON EMPTY DEFAULT -2 ON ERROR)"#,
            "5",
        ),
        (
            r#"json_value('{"b":"5"}', 'lax $.a' RETURNING bigint DEFAULT -1 ON EMPTY DEFAULT -2 ON ERROR)"#,
            "-1",
        ),
        (
            r#"json_value('{"a":"x"}', 'lax $.a' RETURNING bigint DEFAULT -1 ON EMPTY DEFAULT -2 ON ERROR)"#,
            "-2",
        ),
        (r#"json_value('{"a"', 'lax $.a' RETURNING bigint DEFAULT -1 ON EMPTY DEFAULT -2 ON ERROR)"#, "-2"),
        (r#"json_query('{}', 'lax $.a' EMPTY ARRAY ON EMPTY)"#, "[]"),
        (r#"json_query('{"a":[1,2]}', 'lax $.a[*]' EMPTY OBJECT ON ERROR)"#, "{}"),
        (r#"json_query('{"a":[1,2]}', 'lax $.a[*]' WITH WRAPPER ERROR ON EMPTY)"#, "[1,2]"),
        (r#"json_exists('{}', 'strict $.a' TRUE ON ERROR)"#, "true"),
        (r#"json_exists('{}', 'strict $.a' UNKNOWN ON ERROR)"#, "NULL"),
        (r#"json_value('{"a":5,"b":6}', 'lax $.* ? (@ > $x)' PASSING 5 AS x)"#, "6"),
        (
            r#"json_value('{"a":"p","b":"q"}', 'lax $.* ? (@ == $x.y)' PASSING '{"y":"q"}' FORMAT JSON AS "x")"#,
            "q",
        ),
        (r#"json_value('{"a":5}', 'lax $.a + 2')"#, "7"),
        (r#"json_value('{"a":-1.5}', 'lax $.a.abs()')"#, "1.5"),
        (
            r#"json_exists('{"tags":["prod","dev"]}', 'lax $.tags[*] ? (@ like_regex "^PR" flag "i")')"#,
            "true",
        ),
    ]);
    refused(&[
        (r#"SELECT json_value('{}', 'lax $.a' ERROR ON EMPTY)"#, "nothing is at the path"),
        (r#"SELECT json_value('{"a":{}}', 'lax $.a' ERROR ON ERROR)"#, "does not lead to one value"),
        (
            r#"SELECT json_value('{"a":"x"}', 'lax $.a' RETURNING bigint ERROR ON ERROR)"#,
            "cannot be read as bigint",
        ),
        (r#"SELECT json_exists('{}', 'strict $.a' ERROR ON ERROR)"#, "does not lead to one value"),
        (r#"SELECT json_exists('{}', 'lax $ ? (@ like_regex "(")')"#, "is no regular expression"),
    ]);
    let grouped =
        |by: &str| ask(&format!("SELECT {by} AS r, count(*) FROM events GROUP BY {by} ORDER BY 2, 1"));
    assert_eq!(
        grouped("json_value(requestparameters, 'lax $.repositoryName' DEFAULT 'none' ON EMPTY)"),
        grouped(
            "CASE WHEN requestparameters IS NOT NULL THEN coalesce(requestparameters.repositoryname, 'none') END"
        ),
    );
}

#[test]
fn json_made_of_values() {
    each(&[
        ("json_object('a' : 1, 'b' : 'x', 'c' : true, 'd' : NULL)", r#"{"a":1,"b":"x","c":true,"d":null}"#),
        ("json_object(KEY 'a' VALUE 1, 'b' VALUE NULL ABSENT ON NULL)", r#"{"a":1}"#),
        ("json_object('day' : DATE '2026-03-02')", r#"{"day":"2026-03-02"}"#),
        (
            "json_object('a' : json_array(1, 2), 'b' : '[3]' FORMAT JSON, 'c' : '[4]')",
            r#"{"a":[1,2],"b":[3],"c":"[4]"}"#,
        ),
        ("json_object('a' : 1, 'a' : 2 WITHOUT UNIQUE KEYS)", r#"{"a":1,"a":2}"#),
        ("json_object()", "{}"),
        ("json_array()", "[]"),
        ("json_array(1, 'x', NULL)", r#"[1,"x"]"#),
        ("json_array(1, NULL NULL ON NULL)", "[1,null]"),
        ("json_array(ARRAY[1, 2] RETURNING varchar)", "[[1,2]]"),
    ]);
    queries(&[(
        "SELECT json_object('e' : eventname, 'n' : count(*)) FROM events GROUP BY eventname ORDER BY 1 LIMIT 1",
        r#"{"e":"BatchGetImage","n":1}"#,
    )]);
    refused(&[
        ("SELECT json_object('a' : 1, 'a' : 2 WITH UNIQUE KEYS)", "the key a is there twice"),
        ("SELECT json_object(CAST(NULL AS varchar) : 1)", "a key cannot be NULL"),
        ("SELECT json_arrayagg(eventname) FROM events", "CAST(array_agg(x) AS json)"),
    ]);
}

/// Values inside of arrays, maps and rows that could not be converted became NULL, and numbers with a fraction, too.
#[test]
fn json_inside_of_json_is_converted_like_json_alone() {
    each(&[
        ("CAST(JSON '[1.7, true, \"3\", null]' AS array(bigint))", "[2,1,3,null]"),
        ("CAST(JSON '[1, \"true\", 0]' AS array(boolean))", "[true,true,false]"),
        ("CAST(JSON '[{\"a\":1.5}]' AS array(row(a bigint)))", r#"[{"a":2}]"#),
        ("CAST(JSON '{\"a\":1.5}' AS map(varchar, bigint))", r#"{"a":2}"#),
        ("CAST(JSON '{\"1\":\"x\"}' AS map(bigint, varchar))", r#"{"1":"x"}"#),
        ("CAST(JSON '{\"a\":1.25}' AS map(varchar, decimal(3,2)))", r#"{"a":1.25}"#),
        ("CAST(JSON '[1, \"x\"]' AS row(a bigint, b varchar))", r#"{"a":1,"b":"x"}"#),
        ("CAST(JSON '[[1, \"x\"]]' AS array(row(a bigint, b varchar)))", r#"[{"a":1,"b":"x"}]"#),
        ("CAST(map(ARRAY['a'], ARRAY[1]) AS map(varchar, varchar))", r#"{"a":"1"}"#),
        ("CAST(JSON '1.7' AS bigint)", "2"),
        ("TRY_CAST(JSON '[\"x\", 1]' AS array(bigint))", "NULL"),
        ("TRY_CAST(ARRAY['1', 'x'] AS array(bigint))", "NULL"),
        ("TRY_CAST(JSON '{\"a\":\"x\"}' AS map(varchar, bigint))", "NULL"),
        ("TRY_CAST(JSON '{\"a\":\"x\"}' AS row(a bigint))", "NULL"),
        ("try(CAST(JSON '[\"x\"]' AS array(bigint)))", "NULL"),
    ]);
    refused(&[
        ("SELECT CAST(JSON '[\"x\"]' AS array(bigint))", "cannot be read as bigint"),
        ("SELECT CAST(JSON '[1]' AS array(row(a bigint)))", "cannot be read as array(row(a bigint))"),
        (
            "SELECT CAST(JSON '[\"2026-03-02\"]' AS array(date))",
            "json cannot be made date; make it varchar first",
        ),
    ]);
}

#[test]
fn regular_expressions_of_java() {
    each(&[
        (r"regexp_like('a.b', '^\Qa.b\E$')", "true"),
        (r"regexp_like('axb', '^\Qa.b\E$')", "false"),
        (r"regexp_like('user/bob', '^(?!.*admin).*$')", "true"),
        (r"regexp_like('role/admin', '^(?!.*admin).*$')", "false"),
        (r"regexp_extract('user/bob', '(?<=user/)\w+')", "bob"),
        (r"regexp_extract_all('aa bb ab', '(\w)\1')", r#"["aa","bb"]"#),
        (r"regexp_replace('a1b2', '(?<=[a-z])\d', '<$0>')", "a<1>b<2>"),
        (r"regexp_replace('a1b2', '(?<=[a-z])(\d)', x -> x[1] || x[1])", "a11b22"),
        (r"regexp_split('a1b22c', '\d++')", r#"["a","b","c"]"#),
        (r"regexp_count('abcabc', 'a(?=b)')", "2"),
        (r"regexp_position('abcabc', 'a(?=b)', 1, 2)", "4"),
        ("'role/admin' RLIKE '^(?!user)'", "true"),
        (r"regexp_replace('abc', '(?<x>b)', '[${x}]')", "a[b]c"),
        (r"try(regexp_extract('abc', '(b)', 2))", "NULL"),
    ]);
    refused(&[
        ("SELECT regexp_extract('abc', '(b)', 2)", "there is no group 2: the pattern has 1 group"),
        ("SELECT regexp_extract_all('abc', 'b', 1)", "there is no group 1"),
        ("SELECT regexp_replace('abc', 'b', '$1')", "the pattern has no group 1"),
        ("SELECT regexp_like('abc', 'a(')", "'a(' is no regular expression: unclosed group"),
        (
            r"SELECT regexp_like('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab', '^(a|a|aa)+\1$')",
            "too many steps",
        ),
    ]);
}

#[test]
fn maps_arrays_and_texts() {
    each(&[
        (
            "map_zip_with(map(ARRAY[1, 2], ARRAY['a', 'b']), map(ARRAY[3, 1], ARRAY['x', 'y']), \
             (k, a, b) -> coalesce(a, '-') || coalesce(b, '-'))",
            r#"{"1":"ay","2":"b-","3":"-x"}"#,
        ),
        ("map_zip_with(CAST(NULL AS map(bigint, bigint)), map(ARRAY[1], ARRAY[1]), (k, a, b) -> a)", "NULL"),
        ("split_to_multimap('a=1&b=2&a=3', '&', '=')", r#"{"a":["1","3"],"b":["2"]}"#),
        ("map()", "{}"),
        ("contains_sequence(ARRAY[1, 2, 3], ARRAY[2, 3])", "true"),
        ("contains_sequence(ARRAY[1, 2, 3], ARRAY[3, 2])", "false"),
        ("contains_sequence(ARRAY[1], ARRAY[])", "true"),
        ("array_first(ARRAY[1, 2])", "1"),
        ("array_last(ARRAY[1, 2])", "2"),
        ("array_histogram(ARRAY['a', 'b', 'a'])", r#"{"a":2,"b":1}"#),
        ("hamming_distance('abc', 'abd')", "1"),
        ("strpos('abcabc', 'c', -1)", "6"),
        ("strpos('abcabc', 'c', -3)", "0"),
    ]);
    refused(&[
        ("SELECT split_to_map('a=1,a=2', ',', '=')", "a is there twice"),
        ("SELECT hamming_distance('a', 'ab')", "the same length"),
        ("SELECT random()", "the same query gives the same answer"),
    ]);
    queries(&[
        (
            "SELECT approx_most_frequent(2, x, 10) FROM (VALUES 'c', 'a', 'b', 'a', 'b', 'a', NULL) AS t(x)",
            r#"{"a":3,"b":2}"#,
        ),
        (
            "SELECT transform(ARRAY[x], e -> e + 1) FROM (VALUES 1, 2) AS t(x) \
             GROUP BY transform(ARRAY[x], e -> e + 1) ORDER BY transform(ARRAY[x], e -> e + 1)",
            "[2];[3]",
        ),
        (
            "SELECT transform(ARRAY[x], x -> transform(ARRAY[x], x -> x + 1)[1] + x) FROM (VALUES 1) AS t(x)",
            "[3]",
        ),
    ]);
}

#[test]
fn a_table_alone_is_a_query() {
    queries(&[
        ("SELECT eventname FROM (TABLE events) WHERE eventid = 'e0'", "ConsoleLogin"),
        ("WITH a AS (SELECT 1 AS x), b AS (TABLE a) SELECT * FROM b UNION ALL TABLE a", "1;1"),
        ("WITH a AS (SELECT 1 AS x) TABLE a", "1"),
    ]);
    assert_eq!(ask("TABLE events").len(), 8);
}

#[test]
fn a_text_in_double_quotes_is_told_from_a_name() {
    refused(&[
        ("SELECT count(*) FROM events WHERE eventname = \"ConsoleLogin\"", "a text stands in single quotes"),
        (
            "SELECT count(*) FROM events WHERE eventname IN (\"ConsoleLogin\")",
            "a text stands in single quotes",
        ),
        ("SELECT \"evntname\" FROM events", "did you mean eventname?"),
    ]);
    assert!(!fails("SELECT consolelogin FROM events").contains("single quotes"));
}
