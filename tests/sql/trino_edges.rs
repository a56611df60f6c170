//! Trino's results in edge cases: a NULL inside of an array, NaN, empty delimiters, negative numbers of
//! digits, the last day of a month. Each line was wrong once.

use crate::archive;
use archive::{ask, each, fails, queries};

fn refused(table: &[(&str, &str)]) {
    for (expression, said) in table {
        let error = fails(&format!("SELECT {expression}"));
        assert!(error.contains(said), "{expression}: {error}");
        assert_eq!(ask(&format!("SELECT try({expression})")), [["NULL"]], "try({expression})");
    }
}

#[test]
fn a_null_inside_an_array_or_a_row_leaves_open_whether_it_is_equal() {
    each(&[
        ("ARRAY[1, NULL] = ARRAY[1, NULL]", "NULL"),
        ("ARRAY[1, NULL] <> ARRAY[1, NULL]", "NULL"),
        ("ARRAY[1, NULL] = ARRAY[2, NULL]", "false"),
        ("ARRAY[1, NULL] = ARRAY[1]", "false"),
        ("ROW(1, NULL) = ROW(1, NULL)", "NULL"),
        ("ROW(1, NULL) = ROW(2, NULL)", "false"),
        ("(1, NULL) IN ((1, 2))", "NULL"),
        ("(1, NULL) IN ((2, 2))", "false"),
        ("ARRAY[1, NULL] IS NOT DISTINCT FROM ARRAY[1, NULL]", "true"),
        ("ARRAY[1, 2] IS DISTINCT FROM ARRAY[1, NULL]", "true"),
        ("map(ARRAY['a'], ARRAY[CAST(NULL AS bigint)]) = map(ARRAY['a'], ARRAY[1])", "NULL"),
    ]);
    queries(&[
        ("SELECT count(*) FROM (VALUES ARRAY[1, NULL]) AS t(x) WHERE x = x", "0"),
        ("SELECT count(*) FROM (SELECT ARRAY[1, NULL] UNION SELECT ARRAY[1, NULL])", "1"),
    ]);
}

#[test]
fn maps_are_equal_whatever_the_order_of_their_keys() {
    each(&[
        ("map(ARRAY['a', 'b'], ARRAY[1, 2]) = map(ARRAY['b', 'a'], ARRAY[2, 1])", "true"),
        ("map(ARRAY['a', 'b'], ARRAY[1, 2]) = map(ARRAY['b', 'a'], ARRAY[1, 2])", "false"),
        ("map(ARRAY['b', 'a'], ARRAY[1, 2])", "{\"b\":1,\"a\":2}"),
        ("json_format(CAST(map(ARRAY['b', 'a'], ARRAY[1, 2]) AS json))", "{\"a\":2,\"b\":1}"),
        ("JSON '{\"b\": 1, \"a\": 2}' = json_parse('{\"a\":2,\"b\":1}')", "true"),
    ]);
    queries(&[(
        "SELECT count(*) FROM (SELECT map(ARRAY['a', 'b'], ARRAY[1, 2]) UNION SELECT map(ARRAY['b', 'a'], ARRAY[2, 1]))",
        "1",
    )]);
}

#[test]
fn arrays_and_rows_are_ordered_by_their_elements() {
    each(&[
        ("ROW(1, 2) < ROW(1, 3)", "true"),
        ("ROW(2, 1) < ROW(1, 3)", "false"),
        ("ARRAY[9] < ARRAY[10]", "true"),
        ("ARRAY[1, 2] > ARRAY[1]", "true"),
    ]);
    queries(&[
        (
            "SELECT x FROM (VALUES ARRAY[10], ARRAY[9], NULL, ARRAY[9, 1]) AS t(x) ORDER BY x",
            "[9];[9,1];[10];NULL",
        ),
        (
            "SELECT i, rank() OVER (ORDER BY x DESC) FROM (VALUES (1, ARRAY[9]), (2, ARRAY[10])) AS t(i, x) ORDER BY i",
            "1,2;2,1",
        ),
    ]);
}

#[test]
fn nan_is_equal_to_nothing_and_below_and_above_nothing() {
    each(&[
        ("nan() = nan()", "false"),
        ("nan() <> nan()", "true"),
        ("0e0 / 0 > 1", "false"),
        ("0e0 / 0 <= 1", "false"),
        ("nan() IS NULL", "false"),
        ("infinity() > 1", "true"),
    ]);
    let share = "SELECT k FROM (VALUES ('a', 0e0, 0e0), ('b', 3e0, 4e0)) AS t(k, part, total) WHERE part / total > 0.5";
    queries(&[(share, "b")]);
}

#[test]
fn zeros_and_infinities_are_found_in_arrays_and_subqueries() {
    each(&[
        ("0e0 IN (SELECT -0e0)", "true"),
        ("infinity() IN (SELECT infinity())", "true"),
        ("infinity() IN (SELECT -infinity())", "false"),
        ("contains(ARRAY[infinity()], infinity())", "true"),
        ("array_position(ARRAY[1e0, -0e0], 0e0)", "2"),
    ]);
}

#[test]
fn try_is_null_where_any_part_cannot_be_worked_with() {
    each(&[
        ("try(coalesce(CAST('x' AS bigint), 5))", "NULL"),
        ("try(CAST('x' AS bigint) IS NULL)", "NULL"),
        ("try(ARRAY[1 / 0])", "NULL"),
        ("try(concat_ws(',', 'a', CAST(1 / 0 AS varchar)))", "NULL"),
        ("try(if(1 / 0 = 1, 'a', 'b'))", "NULL"),
        ("try(if(false, 1 / 0, 7))", "7"),
        ("coalesce(try(1 / 0), 5)", "5"),
    ]);
    queries(&[(
        "SELECT try(coalesce(CAST(x AS bigint), -1)) FROM (VALUES (1, '5'), (2, 'x'), (3, NULL), (4, '7'), (5, 'y')) AS t(i, x) ORDER BY i",
        "5;NULL;-1;7;NULL",
    )]);
}

#[test]
fn whole_numbers_are_rounded_before_the_point() {
    each(&[
        ("round(1250, -2)", "1300"),
        ("round(-1250, -2)", "-1300"),
        ("round(1249, -2)", "1200"),
        ("truncate(1299, -2)", "1200"),
        ("round(1250, 2)", "1250"),
        ("round(5, -30)", "0"),
        ("round(7, NULL)", "NULL"),
        ("round(1e300, 10) = 1e300", "true"),
        ("CAST(2.5e0 AS boolean)", "true"),
        ("width_bucket(0.1, 1.0, 0.1, 7)", "7"),
        ("width_bucket(1.0, 1.0, 0.1, 7)", "0"),
        ("width_bucket(0.05, 1.0, 0.1, 7)", "8"),
    ]);
    refused(&[
        ("abs(-9223372036854775807 - 1)", "abs(-9223372036854775808) is out of the range"),
        ("-(-9223372036854775807 - 1)", "out of the range of bigint"),
        ("round(9223372036854775807, -1)", "out of the range of bigint"),
    ]);
}

#[test]
fn months_between_two_dates_are_as_many_both_ways() {
    each(&[
        ("date_diff('month', date '2024-01-31', date '2024-02-29')", "1"),
        ("date_diff('month', date '2024-02-29', date '2024-01-31')", "-1"),
        ("date_diff('month', date '2024-02-29', date '2023-12-31')", "-2"),
        ("date_diff('month', date '2024-02-28', date '2024-01-31')", "0"),
        ("date_diff('month', timestamp '2024-01-31 10:00:00', timestamp '2024-02-29 09:59:59')", "0"),
        ("date_diff('month', timestamp '2024-01-15 10:00:00', timestamp '2024-02-15 09:59:59')", "0"),
        ("date_diff('quarter', date '2024-08-31', date '2024-11-30')", "1"),
        ("date_diff('year', date '2025-02-28', date '2024-02-29')", "-1"),
        ("format_datetime(date '2024-01-05', 'D DDD')", "5 005"),
    ]);
}

#[test]
fn delimiters_and_limits_at_the_edge() {
    each(&[
        ("split_part('abc', '', 2)", "b"),
        ("split_part('abc', '', 4)", "NULL"),
        ("split('a,b', ',', NULL)", "NULL"),
        ("repeat('a', 3)", "[\"a\",\"a\",\"a\"]"),
        ("repeat(7, 2)", "[7,7]"),
        ("repeat(7, -1)", "[]"),
        ("array_join(repeat('ab', 2), '')", "abab"),
        ("regexp_position('aXbXcX', 'X', 3)", "4"),
        ("regexp_position('aXbXcX', 'X', 1, 3)", "6"),
        ("regexp_position('aXbXcX', 'X', 1, 4)", "-1"),
        ("regexp_position('éXX', 'X*', 2, 2)", "4"),
        ("regexp_position('aX', 'X', 9)", "-1"),
        ("upper('straße')", "STRAßE"),
        ("trim('\u{3000}a\u{2003} ')", "a"),
        ("rtrim('a\u{a0}')", "a\u{a0}"),
    ]);
    refused(&[
        ("split('abc', '')", "the delimiter is empty"),
        ("split('a,b', ',', 0)", "the limit must be positive"),
        ("lpad('a', -1, 'x')", "negative length"),
        ("regexp_position('a', 'a', 0)", "count from 1"),
    ]);
}

#[test]
fn arrays_at_the_edge() {
    each(&[
        ("arrays_overlap(ARRAY[], ARRAY[1, NULL])", "false"),
        ("arrays_overlap(ARRAY[NULL], ARRAY[1])", "NULL"),
        ("array_remove(ARRAY[1, NULL], NULL)", "NULL"),
        ("array_remove(ARRAY[1, NULL], 1)", "[null]"),
    ]);
    refused(&[
        ("slice(ARRAY[1], 0, 1)", "positions count from 1"),
        ("slice(ARRAY[1], 1, -1)", "a length is not negative"),
        ("sequence(3, -3, 7)", "lead away from its end"),
        ("sequence(1, 3, -1)", "lead away from its end"),
    ]);
    each(&[("sequence(3, 3, -1)", "[3]")]);
}

#[test]
fn json_has_types() {
    each(&[
        (r#"json_array_contains('["2"]', 2)"#, "false"),
        (r#"json_array_contains('[2]', '2')"#, "false"),
        (r#"json_array_contains('["2"]', '2')"#, "true"),
        (r#"json_array_contains('[2.50]', 2.5)"#, "true"),
        (r#"json_array_contains('[true]', true)"#, "true"),
        (r#"json_format(json_extract('{"a":null}', '$.a'))"#, "null"),
        ("json_format(CAST(timestamp '2026-03-02 10:00:00' AS json))", "\"2026-03-02 10:00:00.000\""),
    ]);
}

#[test]
fn rows_in_values_and_parentheses_in_grouping() {
    queries(&[
        ("SELECT x, y FROM (VALUES ROW(1, 'a'), ROW(2, 'b')) AS t(x, y) ORDER BY 1", "1,a;2,b"),
        (
            "SELECT (k + 1), grouping((k + 1)), count(*) FROM (VALUES 1, 1, 2) AS t(k) GROUP BY ROLLUP ((k + 1)) ORDER BY 1",
            "2,0,2;3,0,1;NULL,1,3",
        ),
    ]);
}

#[test]
fn a_table_stands_before_a_column_with_a_position() {
    let in_a_subquery = "SELECT count(*) FROM (SELECT resources, eventname AS arn FROM events) AS t WHERE t.resources[1].arn LIKE 'arn:%'";
    let beside_a_constant = "WITH p AS (SELECT 'arn:' AS arn) SELECT count(*) FROM events, p WHERE resources[1].arn LIKE p.arn || '%'";
    queries(&[
        (
            "SELECT e.resources[1].arn FROM events AS e WHERE e.eventid = 'e5'",
            "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api",
        ),
        ("SELECT count(*) FROM events WHERE events.resources[1].arn IS NOT NULL", "2"),
        (
            "SELECT e.useridentity['userName'], e.useridentity.sessioncontext.sessionissuer['username'] FROM events e WHERE eventid = 'e1'",
            "NULL,ci",
        ),
        (
            "SELECT e.resources[1].arn, count(*) FROM events e GROUP BY e.resources[1].arn ORDER BY 2",
            "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api,2;NULL,6",
        ),
        (
            "SELECT t.r.a[1].b FROM (SELECT CAST(ROW(ARRAY[ROW(5)]) AS row(a array(row(b bigint)))) AS r) AS t",
            "5",
        ),
        (in_a_subquery, "2"),
        (beside_a_constant, "2"),
    ]);
}

#[test]
fn a_key_of_groups_is_known_with_its_table_and_without() {
    queries(&[
        (
            "SELECT upper(e.eventname), count(*) FROM events e GROUP BY upper(eventname) ORDER BY 2 DESC LIMIT 1",
            "PUTIMAGE,3",
        ),
        (
            "SELECT substr(eventtime, 1, 4), count(*) FROM events e GROUP BY substr(e.eventtime, 1, 4)",
            "2026,8",
        ),
        (
            "SELECT lower(useridentity.type) FROM events e GROUP BY lower(e.useridentity.type) ORDER BY 1",
            "assumedrole;iamuser;NULL",
        ),
    ]);
    let other = "SELECT upper(b.eventname) FROM events a JOIN events b ON a.eventid = b.eventid GROUP BY upper(a.eventname)";
    assert!(fails(other).contains("must stand in GROUP BY"));
}

/// Values from Trino's documentation if it has them, and well-known checksums.
#[test]
fn functions_that_public_queries_use() {
    each(&[
        ("bit_count(9, 64)", "2"),
        ("bit_count(9, 8)", "2"),
        ("bit_count(-7, 64)", "62"),
        ("bit_count(-7, 8)", "6"),
        ("bitwise_left_shift(7, 2)", "28"),
        ("bitwise_right_shift(-8, 3)", "2305843009213693951"),
        ("bitwise_right_shift_arithmetic(-8, 3)", "-1"),
        ("bitwise_left_shift(1, 64)", "0"),
        ("to_hex(md5(to_utf8('')))", "D41D8CD98F00B204E9800998ECF8427E"),
        ("to_hex(sha1(to_utf8('abc')))", "A9993E364706816ABA3E25717850C26C9CD0D89D"),
        ("crc32(to_utf8('123456789'))", "3421780262"),
        ("to_hex(xxhash64(to_utf8('hello')))", "26C7827D889F6DA3"),
        ("sin(0)", "0.0"),
        ("cos(0)", "1.0"),
        ("atan2(0, 1)", "0.0"),
        ("round(tanh(1), 4)", "0.7616"),
        ("ngrams(ARRAY['foo', 'bar', 'baz', 'foo'], 2)", r#"[["foo","bar"],["bar","baz"],["baz","foo"]]"#),
        ("ngrams(ARRAY['foo', 'bar'], 5)", r#"[["foo","bar"]]"#),
        ("combinations(ARRAY['foo', 'bar', 'baz'], 2)", r#"[["foo","bar"],["foo","baz"],["bar","baz"]]"#),
        ("combinations(ARRAY[1, 2, 2], 2)", "[[1,2],[1,2],[2,2]]"),
        ("combinations(ARRAY[1, 2], 3)", "[]"),
        ("combinations(ARRAY[1, 2], 0)", "[[]]"),
        ("trim_array(ARRAY[1, 2, 3, 4], 2)", "[1,2]"),
        ("array_sort(ARRAY[3, 2, 5, 1, 2], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))", "[5,3,2,2,1]"),
        (
            "array_sort(ARRAY['bc', 'ab', 'dc'], (x, y) -> IF(x < y, 1, IF(x = y, 0, -1)))",
            r#"["dc","bc","ab"]"#,
        ),
        ("array_sort(CAST(NULL AS array(bigint)), (x, y) -> 0)", "NULL"),
        (r"regexp_replace('new york', '(\w)(\w*)', x -> upper(x[1]) || lower(x[2]))", "New York"),
        (r"regexp_replace('1a 2b 14m', '\d+', x -> 'n')", "na nb nm"),
        ("1 < ALL (VALUES 2, 3)", "true"),
        ("3 <= ALL (VALUES 2, 3)", "false"),
        ("2 >= ANY (VALUES 2, 3)", "true"),
        ("1 > ANY (VALUES 2, NULL)", "NULL"),
        ("3 > ANY (VALUES 2, NULL)", "true"),
        ("1 > ALL (VALUES 2, NULL)", "false"),
        ("3 > ALL (VALUES 2, NULL)", "NULL"),
        ("1 <> ANY (VALUES 1, 2)", "true"),
        ("1 <> ANY (VALUES 1, 1)", "false"),
        ("1 = ALL (VALUES 1, 1)", "true"),
        ("1 = ALL (VALUES 1, 2)", "false"),
        ("1 > ALL (SELECT 2 WHERE false)", "true"),
        ("1 > ANY (SELECT 2 WHERE false)", "false"),
    ]);
    refused(&[
        ("bit_count(200, 8)", "more than 8 bits"),
        ("array_sort(ARRAY[1, 2], (x, y) -> NULL)", "NULL"),
        ("combinations(ARRAY[1, 2], 6)", "0 to 5"),
        ("lpad('x', 2000000)", "more than 1048576 letters"),
    ]);
    assert!(fails("SELECT array_sort(ARRAY[1, 2], (x, y) -> 'a')").contains("-1, 0 or 1"));
}

#[test]
fn aggregates_that_public_queries_use() {
    let pairs = "FROM (VALUES (1, 2.0), (2, 4.0), (3, 6.0), (NULL, 1.0), (4, NULL)) AS t(x, y)";
    queries(&[
        (
            &format!(
                "SELECT corr(y, x), covar_pop(y, x), covar_samp(y, x), regr_slope(y, x), regr_intercept(y, x) {pairs}"
            ),
            "1.0,1.3333333333333333,2.0,2.0,0.0",
        ),
        ("SELECT corr(y, x), covar_pop(y, x) FROM (VALUES (1, 2)) AS t(x, y)", "NULL,0.0"),
        (
            "SELECT bitwise_and_agg(x), bitwise_or_agg(x), bitwise_xor_agg(x) FROM (VALUES 12, 10, NULL) AS t(x)",
            "8,14,6",
        ),
        (
            "SELECT id, reduce_agg(value, 0, (a, b) -> a + b, (a, b) -> a + b) FROM (VALUES (1, 3), (1, 4), (1, 5), (2, 6), (2, 7), (3, NULL)) AS t(id, value) GROUP BY id ORDER BY 1",
            "1,12;2,13;3,NULL",
        ),
        (
            "SELECT map_union(m) FROM (VALUES map(ARRAY['a', 'b'], ARRAY[1, 2]), map(ARRAY['b', 'c'], ARRAY[3, 4])) AS t(m)",
            r#"{"a":1,"b":2,"c":4}"#,
        ),
        ("SELECT numeric_histogram(2, x) FROM (VALUES 1, 2, 10, NULL) AS t(x)", r#"{"1.5":2.0,"10.0":1.0}"#),
        (
            "SELECT max(a), min(a) FROM (VALUES ARRAY[1, 2], ARRAY[1, 10], ARRAY[0, 99]) AS t(a)",
            "[1,10],[0,99]",
        ),
        ("SELECT x FROM (VALUES 1, 1, 2, 3) AS t(x) ORDER BY x FETCH FIRST 1 ROW WITH TIES", "1;1"),
        (
            "SELECT x FROM (VALUES 1, 1, 2, 2, 3) AS t(x) ORDER BY x DESC OFFSET 1 FETCH FIRST 1 ROW WITH TIES",
            "2;2",
        ),
        ("SELECT x FROM (VALUES 1, 2) AS t(x) ORDER BY x FETCH FIRST 5 ROWS WITH TIES", "1;2"),
        ("SELECT count(*) FROM (VALUES 1, 2, 3) AS t(x) TABLESAMPLE BERNOULLI (100)", "3"),
        ("SELECT count(*) FROM (VALUES 1, 2, 3) AS t(x) TABLESAMPLE SYSTEM (0)", "0"),
    ]);
}

/// Decorrelated subqueries give the same as when evaluated row by row.
#[test]
fn correlated_subqueries_have_no_cap() {
    let many = "(SELECT n % 20000 AS k, n FROM UNNEST(sequence(1, 40000)) AS u(n)) AS t";
    queries(&[
        (
            &format!(
                "SELECT count(*), sum(c) FROM (SELECT (SELECT count(*) FROM {many} WHERE t.k = o.x) AS c FROM UNNEST(sequence(0, 29999)) AS o(x))"
            ),
            "30000,40000",
        ),
        (
            &format!(
                "SELECT count(*) FROM UNNEST(sequence(0, 29999)) AS o(x) WHERE x IN (SELECT n FROM {many} WHERE t.k = o.x)"
            ),
            "19999",
        ),
        (
            &format!(
                "SELECT count(*) FROM UNNEST(sequence(0, 29999)) AS o(x) WHERE NOT EXISTS (SELECT 1 FROM {many} WHERE t.k = o.x AND t.n > o.x)"
            ),
            "10000",
        ),
        (
            "SELECT x, (SELECT max(b) FROM (VALUES (1, 5), (1, 7), (NULL, 9)) AS t(a, b) WHERE t.a = o.x) FROM (VALUES 1, 2, NULL) AS o(x)",
            "1,7;2,NULL;NULL,NULL",
        ),
        (
            "SELECT x, (SELECT count(b) + 1 FROM (VALUES (1, 5), (1, NULL)) AS t(a, b) WHERE t.a = o.x) FROM (VALUES 1, 2) AS o(x)",
            "1,2;2,1",
        ),
        (
            "SELECT x, x IN (SELECT b FROM (VALUES (1, 1), (1, NULL), (2, 9)) AS t(a, b) WHERE t.a = o.x) FROM (VALUES 1, 2, 3) AS o(x)",
            "1,true;2,false;3,false",
        ),
        (
            "SELECT x, y IN (SELECT b FROM (VALUES (1, 5), (1, NULL), (2, 9)) AS t(a, b) WHERE t.a = o.x) FROM (VALUES (1, 1), (2, NULL), (3, NULL)) AS o(x, y)",
            "1,NULL;2,NULL;3,false",
        ),
    ]);
}
