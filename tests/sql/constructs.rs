//! The SQL engine on generated records: each construct, with the expected rows.

use crate::archive;
use archive::{ask, fails};

#[test]
fn columns_fields_and_partitions() {
    let rows = ask(
        r#"SELECT "eventName", t.userIdentity.sessionContext.sessionIssuer.userName AS role, region, year, "month", day, "timestamp", record
           FROM "default"."cloudtrail_logs" AS t WHERE eventname = 'PutImage' ORDER BY eventtime LIMIT 1"#,
    );
    assert_eq!(rows, [["PutImage", "ci", "eu-central-1", "2026", "03", "02", "2026/03/02", "1"]]);
}

#[test]
fn grouping_by_name_number_and_alias() {
    let expected = [["ecr", "5"], ["iam", "2"], ["signin", "1"]];
    for group in ["split_part(eventsource, '.', 1)", "1", "service"] {
        let sql = format!(
            "SELECT split_part(eventsource, '.', 1) AS service, count(*) AS n FROM events GROUP BY {group} HAVING count(*) > 0 ORDER BY n DESC, 1"
        );
        assert_eq!(ask(&sql), expected, "{group}");
    }
}

#[test]
fn null_is_neither_true_nor_false() {
    assert_eq!(ask("SELECT count(*), count(errorcode) FROM events"), [["8", "2"]]);
    assert_eq!(ask("SELECT count(*) FROM events WHERE errorcode <> 'AccessDenied'"), [["1"]]);
    assert_eq!(ask("SELECT count(*) FROM events WHERE NOT (errorcode = 'AccessDenied')"), [["1"]]);
    assert_eq!(ask("SELECT count(*) FROM events WHERE errorcode NOT IN ('AccessDenied', NULL)"), [["0"]]);
    assert_eq!(ask("SELECT count(*) FROM events WHERE errorcode IS DISTINCT FROM 'AccessDenied'"), [["7"]]);
    assert_eq!(
        ask("SELECT NULL AND false, NULL OR true, NULL = NULL, coalesce(NULL, 3), nullif(1, 1)"),
        [["false", "true", "NULL", "3", "NULL"]]
    );
}

#[test]
fn mistakes_are_named_with_their_place() {
    let error = fails("SELECT eventname,\n       json_extract_scala(requestparameters, '$.a')\nFROM events");
    assert_eq!(
        error,
        "line 2, column 8: function json_extract_scala is not supported; did you mean json_extract_scalar?"
    );
    let error = fails("SELECT eventnam FROM events");
    assert_eq!(error, "line 1, column 8: there is no column eventnam; did you mean eventname?");
    let error = fails("SELECT useridentity.arm FROM events");
    assert_eq!(error, "line 1, column 21: there is no field arm; did you mean arn?");
    let error = fails("SELECT * FROM vpc_flow");
    assert!(
        error.starts_with("line 1, column 15: there is no table vpc_flow; there are cloudtrail_logs, steps"),
        "{error}"
    );
    let error = fails("SELECT eventname, count(*) FROM events GROUP BY eventsource");
    assert!(error.contains("eventname must stand in GROUP BY"), "{error}");
    assert!(fails("SELECT eventname FROM events WHERE count(*) > 1").contains("aggregate"));
    assert!(fails("DELETE FROM events").contains("only SELECT"));
    let error = fails("SELECT count(*), approx_set(2, record) FROM events");
    assert_eq!(error, "line 1, column 18: function approx_set is not supported");
    assert!(fails("SELECT reduce_agg(record, 0) FROM events").contains("takes 4 arguments"));
    assert!(fails("SELECT array_max(ARRAY[1], (a, b) -> 0)").contains("array_max with a lambda"));
    assert!(fails("SELECT array_agg(record) IGNORE NULLS FROM events").contains("FILTER"));
}

#[test]
fn json_by_path_and_members_by_a_dot() {
    let rows =
        ask("SELECT json_extract_scalar(requestparameters, '$.repositoryName'), json_extract_scalar(requestparameters, '$.imageIds[1].imageTag'),
                json_extract(requestparameters, '$.imageIds[1]'), json_array_length(json_extract(requestparameters, '$.imageIds')),
                requestparameters.repositoryname, json_extract_scalar(requestparameters, '$.nothing.there')
         FROM events WHERE eventname = 'BatchGetImage'");
    assert_eq!(rows, [["shop/api", "v7", r#"{"imageTag":"v7"}"#, "2", "shop/api", "NULL"]]);
    let rows = ask(
        "SELECT CAST(json_extract(requestparameters, '$.maxItems') AS integer) + 1, json_format(json_parse('[1, 2]')) FROM events WHERE eventname = 'ListUsers'",
    );
    assert_eq!(rows, [["101", "[1,2]"]]);
}

#[test]
fn json_of_a_row_where_another_table_has_text() {
    let sql = "SELECT json_extract_scalar(useridentity, '$.sessionContext.sessionIssuer.userName'), json_value(useridentity, 'lax $.accountId'),
        json_extract_scalar(useridentity, '$.nothing'), json_extract(useridentity.sessioncontext, '$.attributes') FROM events WHERE eventid = 'e1'";
    assert_eq!(
        ask(sql),
        [[
            "ci",
            "111122223333",
            "NULL",
            r#"{"mfaauthenticated":"false","creationdate":"2026-03-02T09:00:00Z"}"#
        ]]
    );
}

#[test]
fn arrays_are_counted_from_one_and_unnested() {
    let arn = "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api";
    let sql = "SELECT cardinality(resources), resources[1].arn, resources[2].arn, element_at(resources, -1).accountid FROM events WHERE eventname = 'BatchGetImage'";
    assert_eq!(ask(sql), [["1", arn, "NULL", "111122223333"]]);
    let one_name = "SELECT eventname, r.arn FROM events CROSS JOIN UNNEST(resources) AS t(r) ORDER BY 1";
    assert_eq!(ask(one_name), [["BatchGetImage", arn], ["PolicyExecutionEvent", arn]]);
    let fields = "SELECT eventname, t.arn, n FROM events, UNNEST(resources) WITH ORDINALITY AS t(arn, accountid, type, n) ORDER BY 1";
    assert_eq!(ask(fields), [["BatchGetImage", arn, "1"], ["PolicyExecutionEvent", arn, "1"]]);
    let json = "SELECT json_extract_scalar(image, '$.imageTag') FROM events
        CROSS JOIN UNNEST(CAST(json_extract(requestparameters, '$.imageIds') AS ARRAY(JSON))) AS t(image)
        WHERE eventname = 'BatchGetImage' AND json_extract_scalar(image, '$.imageTag') IS NOT NULL";
    assert_eq!(ask(json), [["v7"]]);
    let rows = "SELECT i.imagetag FROM events CROSS JOIN UNNEST(CAST(json_extract(requestparameters, '$.imageIds') AS ARRAY(ROW(imageTag VARCHAR, imageDigest VARCHAR)))) AS t(i)
        WHERE eventname = 'BatchGetImage'";
    assert_eq!(ask(rows), [["NULL"], ["v7"]]);
    assert_eq!(ask("SELECT count(*) FROM events LEFT JOIN UNNEST(resources) AS t(r) ON true"), [["8"]]);
    let functions = "SELECT array_join(array_sort(array_distinct(ARRAY['b', 'a', 'b'])), ','), contains(ARRAY[1, 2], 2), array_max(ARRAY[1, 5, 2]),
        slice(ARRAY[1, 2, 3], 2, 2), ARRAY[1] || ARRAY[2], flatten(ARRAY[ARRAY[1], ARRAY[2]]), array_except(ARRAY[1, 2], ARRAY[2]), sequence(1, 3)";
    assert_eq!(ask(functions), [["a,b", "true", "5", "[2,3]", "[1,2]", "[1,2]", "[1]", "[1,2,3]"]]);
}

#[test]
fn lambdas_see_the_element_and_the_row() {
    let sql = "SELECT filter(ARRAY[1, 2, 3], x -> x > 1), transform(ARRAY['a'], x -> x || eventname), any_match(resources, r -> r.arn LIKE '%shop%'),
        none_match(ARRAY[1], x -> x > 1) FROM events WHERE eventname = 'BatchGetImage'";
    assert_eq!(ask(sql), [["[2,3]", r#"["aBatchGetImage"]"#, "true", "true"]]);
}

#[test]
fn times() {
    let sql = "SELECT date_diff('second', from_iso8601_timestamp(min(eventtime)), from_iso8601_timestamp(max(eventtime))),
        to_iso8601(max(date_parse(eventtime, '%Y-%m-%dT%H:%i:%sZ'))), count_if(parse_datetime(eventtime, 'yyyy-MM-dd''T''HH:mm:ss''Z') > now() - interval '2' day)
        FROM events WHERE eventname = 'PutImage'";
    assert_eq!(ask(sql), [["86400", "2026-03-03T10:00:00.000", "0"]]);
    let sql = "SELECT date_trunc('hour', timestamp '2026-03-02 10:59:01'), date_format(date '2026-03-02', '%Y/%m/%d'), date_add('month', -1, date '2026-03-31'),
        date '2026-03-02' + interval '7' day, hour(timestamp '2026-03-02 10:59:01'), current_date, extract(dow FROM date '2026-03-01'),
        timestamp '2026-03-02 00:00:10' - timestamp '2026-03-01 00:00:00'";
    let expected = [
        "2026-03-02 10:00:00.000",
        "2026/03/02",
        "2026-02-28",
        "2026-03-09",
        "10",
        "2026-03-05",
        "7",
        "1 00:00:10.000",
    ];
    assert_eq!(ask(sql), [expected]);
    assert_eq!(
        ask(
            "SELECT count(*) FROM events WHERE CAST(from_iso8601_timestamp(eventtime) AS date) = date '2026-03-02'"
        ),
        [["4"]]
    );
    assert_eq!(
        ask("SELECT count(*) FROM events WHERE eventtime > current_timestamp - interval '1' day"),
        [["1"]]
    );
}

#[test]
fn values_that_cannot_be_worked_with() {
    assert_eq!(
        fails("SELECT CAST(eventname AS integer) FROM events"),
        "line 1, column 13: 'ConsoleLogin' cannot be read as bigint"
    );
    assert_eq!(
        ask("SELECT try_cast('x' AS integer), try(CAST('x' AS integer)), try(1 / 0), 7 / 2, 7 / 2.0, -7 % 3"),
        [["NULL", "NULL", "NULL", "3", "3.5", "-1"]]
    );
    // The branch that would fail is not that of the row.
    assert_eq!(
        ask(
            "SELECT CASE WHEN eventname = 'x' THEN CAST(eventname AS integer) ELSE 0 END FROM events LIMIT 1"
        ),
        [["0"]]
    );
    assert_eq!(
        ask(
            "SELECT count(*) FROM events WHERE eventname = 'ListUsers' AND CAST(json_extract_scalar(requestparameters, '$.maxItems') AS integer) > 1"
        ),
        [["1"]]
    );
    assert_eq!(ask("SELECT if(1 = 2, 1 / 0, 5), coalesce(1, 1 / 0)"), [["5", "1"]]);
}

#[test]
fn text_functions_and_patterns() {
    let sql = "SELECT substr('tagfall', 4), substr('tagfall', -4, 2), strpos('tagfall', 'fall'), split_part('a/b/c', '/', 2), split('a,b', ',')[2], regexp_extract('v1.2', 'v([0-9]+)', 1),
        regexp_replace('a-b', '(.)-(.)', '$2$1'), lower('A') || upper('b'), lpad('7', 3, '0'), replace('aXb', 'X'), reverse('ab'), length('ä'), position('b' IN 'abc'), trim('  x '), concat('a', 'b', 'c')";
    assert_eq!(
        ask(sql),
        [["fall", "fa", "4", "b", "b", "1", "ba", "aB", "007", "ab", "ba", "1", "2", "x", "abc"]]
    );
    let sql = "SELECT 'a_b' LIKE 'a\\_b' ESCAPE '\\', 'axb' LIKE 'a\\_b' ESCAPE '\\', 'axb' LIKE 'a_b', 'abc' LIKE '%b%', 'abc' NOT LIKE 'b%', regexp_like('GetObject', '^Get|^List')";
    assert_eq!(ask(sql), [["true", "false", "true", "true", "true", "true"]]);
}

#[test]
fn aggregates() {
    let sql = "SELECT count(DISTINCT eventsource), approx_distinct(eventsource), max_by(eventname, eventtime), min_by(eventname, eventtime), arbitrary(awsregion),
        array_join(array_agg(DISTINCT eventsource ORDER BY eventsource), ' '), count(*) FILTER (WHERE errorcode IS NOT NULL), bool_or(errorcode IS NOT NULL),
        sum(length(eventid)), avg(record), listagg(eventid, ',') WITHIN GROUP (ORDER BY eventid DESC) FROM events";
    let sources = "ecr.amazonaws.com iam.amazonaws.com signin.amazonaws.com";
    assert_eq!(
        ask(sql),
        [[
            "3",
            "3",
            "ListUsers",
            "ConsoleLogin",
            "eu-central-1",
            sources,
            "2",
            "true",
            "16",
            "3.5",
            "e7,e6,e5,e4,e3,e2,e1,e0"
        ]]
    );
    assert_eq!(
        ask("SELECT count(*), sum(record), max(eventname), array_agg(eventname) FROM events WHERE false"),
        [["0", "NULL", "NULL", "NULL"]]
    );
    assert_eq!(
        ask("SELECT eventname, count(*) FROM events WHERE false GROUP BY 1"),
        Vec::<Vec<String>>::new()
    );
}

#[test]
fn window_functions() {
    let sql = "SELECT eventid, row_number() OVER (PARTITION BY eventsource ORDER BY eventtime DESC) AS n, lag(eventid) OVER (ORDER BY eventtime),
        lead(eventid, 1, 'end') OVER (ORDER BY eventtime), sum(1) OVER (ORDER BY eventtime), count(*) OVER (PARTITION BY eventsource),
        rank() OVER (ORDER BY eventsource), dense_rank() OVER (ORDER BY eventsource), first_value(eventid) OVER (PARTITION BY eventsource ORDER BY eventtime),
        max(eventid) OVER (ORDER BY eventtime ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)
        FROM events WHERE eventsource <> 'ecr.amazonaws.com' ORDER BY eventtime";
    assert_eq!(
        ask(sql),
        [
            ["e0", "1", "NULL", "e6", "1", "1", "3", "2", "e0", "e0"],
            ["e6", "2", "e0", "e7", "2", "2", "1", "1", "e6", "e6"],
            ["e7", "1", "e6", "end", "3", "2", "1", "1", "e6", "e7"],
        ]
    );
    let ranked = "SELECT eventsource, eventid FROM (SELECT *, row_number() OVER (PARTITION BY eventsource ORDER BY eventtime) AS n FROM events) WHERE n = 1 ORDER BY 1";
    assert_eq!(
        ask(ranked),
        [["ecr.amazonaws.com", "e1"], ["iam.amazonaws.com", "e6"], ["signin.amazonaws.com", "e0"]]
    );
    assert_eq!(
        ask(
            "SELECT eventsource, rank() OVER (ORDER BY count(*) DESC) AS r FROM events GROUP BY eventsource ORDER BY r LIMIT 1"
        ),
        [["ecr.amazonaws.com", "1"]]
    );
}

#[test]
fn joins_and_subqueries() {
    let pair = "SELECT a.eventid, b.eventid FROM events a JOIN events b ON a.eventname = b.eventname AND a.eventid < b.eventid AND b.errorcode IS NULL";
    assert_eq!(ask(pair), [["e1", "e2"]]);
    let left = "SELECT a.eventid, b.eventid FROM events a LEFT JOIN events b ON b.eventid = a.eventid AND b.errorcode IS NOT NULL WHERE a.eventsource = 'iam.amazonaws.com' ORDER BY 1";
    assert_eq!(ask(left), [["e6", "e6"], ["e7", "NULL"]]);
    let exists = "SELECT eventid FROM events a WHERE EXISTS (SELECT 1 FROM events b WHERE b.eventsource = a.eventsource AND b.eventtime < a.eventtime AND eventname = 'CreateUser')";
    assert_eq!(ask(exists), [["e7"]]);
    let not_exists = "SELECT count(*) FROM events a WHERE NOT EXISTS (SELECT 1 FROM events b WHERE b.eventsource = a.eventsource AND b.eventtime > a.eventtime)";
    assert_eq!(ask(not_exists), [["3"]]);
    let scalar = "SELECT eventid, (SELECT count(*) FROM events b WHERE b.eventsource = a.eventsource) FROM events a WHERE eventid IN ('e0', 'e7') ORDER BY 1";
    assert_eq!(ask(scalar), [["e0", "1"], ["e7", "2"]]);
    assert_eq!(
        ask(
            "SELECT count(*) FROM events WHERE eventsource IN (SELECT eventsource FROM events WHERE errorcode IS NOT NULL)"
        ),
        [["7"]]
    );
    assert_eq!(
        ask("SELECT count(*) FROM events WHERE errorcode NOT IN (SELECT errorcode FROM events)"),
        [["0"]]
    );
    assert_eq!(
        ask(
            "SELECT count(*) * 100.0 / (SELECT count(*) FROM events) FROM events WHERE errorcode IS NOT NULL"
        ),
        [["25.0"]]
    );
    assert_eq!(
        ask(
            "SELECT count(*) * 100 / (SELECT count(*) FROM events), 100.0 * count(errorcode) / count(*) FROM events"
        ),
        [["100", "25.0"]]
    );
    assert!(fails("SELECT count(*) / (SELECT count(*) FROM events), oops FROM events").contains("oops"));
    assert!(fails("SELECT 1 / count(*) FROM events WHERE false").contains("division by zero"));
    let using = "WITH a AS (SELECT 1 AS k, 'x' AS v), b AS (SELECT 1 AS k, 'y' AS w UNION ALL SELECT 2, 'z') SELECT k, v, w FROM a FULL JOIN b USING (k) ORDER BY w";
    assert_eq!(ask(using)[0], ["1", "x", "y"]);
    assert_eq!(ask("SELECT 1 UNION ALL SELECT 1"), [["1"], ["1"]]);
    assert_eq!(ask("SELECT 1 UNION SELECT 1"), [["1"]]);
    assert_eq!(
        ask("SELECT x FROM (VALUES (1), (2), (3)) AS t(x) EXCEPT SELECT 2 ORDER BY 1 DESC"),
        [["3"], ["1"]]
    );
}

#[test]
fn several_statements_and_what_is_no_select() {
    assert_eq!(
        ask(
            "-- two of them\nCREATE OR REPLACE VIEW db.pushes (id, at) AS SELECT eventid, eventtime FROM events WHERE eventname = 'PutImage';\n/* and now */\nCREATE TABLE late WITH (format = 'PARQUET') AS SELECT id FROM db.pushes WHERE at > '2026-03-03';\nSELECT count(*), max(id) FROM late; -- done\n;"
        ),
        [["1", "e4"]]
    );
    assert_eq!(ask("SHOW TABLES")[0][0], "cloudtrail_logs");
    assert_eq!(ask("DESCRIBE `default`.`cloudtrail_logs`")[2], ["eventtime", "varchar"]);
    assert_eq!(ask("SHOW COLUMNS IN steps").len(), ask("DESCRIBE steps").len());
    for (sql, said) in [
        ("SELECT 1;\n SELECT 2", "line 2, column 2: one query at a time"),
        (
            "CREATE EXTERNAL TABLE t (a STRING, b STRUCT<c:STRING>)\nROW FORMAT SERDE 'x' LOCATION 's3://b/'; SELECT 1",
            "line 1, column 1: nothing is created here: the tables are there already",
        ),
        ("CREATE DATABASE x", "line 1, column 1: nothing is created here"),
        ("CREATE TABLE t AS SELECT 1", "line 1, column 19: nothing is written here: run the SELECT in it"),
        ("CREATE VIEW v AS SELECT 1 AS a; SELECT b FROM v", "there is no column b"),
        ("CREATE VIEW v AS SELECT oops( FROM t; SELECT 1", "line 1"),
        ("MSCK REPAIR TABLE t", "no partitions to load"),
        ("ALTER TABLE t ADD PARTITION (region = 'eu-central-1')", "no partitions to load"),
        ("EXPLAIN SELECT 1", "--explain"),
        ("UNLOAD (SELECT 1) TO 's3://b/' WITH (format = 'PARQUET')", "--format parquet -o FILE"),
        ("INSERT INTO t SELECT 1", "only SELECT"),
        ("SHOW PARTITIONS t", "SELECT DISTINCT"),
        ("DESCRIBE stepss", "there is no table stepss; there are cloudtrail_logs, steps"),
        (" ; -- nothing\n", "the query is empty"),
        ("SELECT * FROM events TABLESAMPLE BERNOULLI (101)", "percentage from 0 to 100"),
    ] {
        assert!(fails(sql).contains(said), "{sql}: {}", fails(sql));
    }
}

#[test]
fn a_partitions_date_is_spelt_as_the_query_spells_it() {
    for condition in [
        "dt = '2026/03/02'",
        "dt = '2026-03-02'",
        "dt = '20260302'",
        "\"date\" = '2026/03/02'",
        "\"date\" = '02'",
        "day = '2026/03/02'",
        "day = '2026-03-02'",
        "day = '02'",
        "day = 2",
        "day = DATE '2026-03-02'",
        "day BETWEEN DATE '2026-03-02' AND DATE '2026-03-02' AND year = '2026'",
        "day IN (DATE '2026-03-02', DATE '2026-02-02')",
        "day < timestamp '2026-03-03 00:00:00'",
        "DATE '2026-03-02' >= day",
        "CAST(day AS date) = date '2026-03-02'",
        "date(day) = date '2026-03-02'",
        "day = day(date '2026-03-02') AND year = year(date '2026-03-02')",
        "\"timestamp\" < '2026-03-03'",
        "'2026-03-03' > dt",
        "dt BETWEEN '2026-03-01' AND '2026-03-02'",
        "day IN ('2026/03/02', '2026/02/02')",
        "day LIKE '2026-03-02%'",
        "dt LIKE '2026-03-02%'",
        "dt = date_format(date '2026-03-02', '%Y-%m-%d')",
        "CAST(dt AS date) = date '2026-03-02'",
        "date_parse(p_date, '%Y-%m-%d') = date '2026-03-02'",
        "date_parse(log_date, '%Y/%m/%d') = date '2026-03-02'",
        "p_account = '111122223333' AND p_region = 'eu-central-1' AND ingest_date = '2026-03-02'",
        "date(\"date\") = date '2026-03-02'",
        "year || '-' || month || '-' || day = '2026-03-02'",
    ] {
        assert_eq!(ask(&format!("SELECT count(*) FROM events WHERE {condition}")), [["4"]], "{condition}");
        let around = format!("SELECT count(*) FROM (SELECT * FROM events) AS t WHERE {condition}");
        assert_eq!(ask(&around), [["4"]], "{around}");
    }
    // A column of the query itself is not converted.
    assert_eq!(ask("SELECT count(*) FROM (SELECT '2026/03/02' AS dt) WHERE dt = '2026-03-02'"), [["0"]]);
    let day = |sql: &str| archive::parse(sql).unwrap().scan().since.map(|since| since.to_string());
    assert_eq!(
        day("SELECT 1 FROM events WHERE day >= '2026/03/02'").as_deref(),
        Some("2026-03-02T00:00:00Z")
    );
    // Texts with other separators do not bound the days of eventtime: it is a text with dashes, which sort
    // before them.
    for text in ["2026/03/02", "20260302", "2026-03/02"] {
        assert_eq!(
            ask(&format!("SELECT count(*) FROM events WHERE eventtime <= '{text}'")),
            [["8"]],
            "{text}"
        );
        assert_eq!(
            archive::parse(&format!("SELECT 1 FROM events WHERE eventtime <= '{text}'"))
                .unwrap()
                .scan()
                .until,
            None,
            "{text}"
        );
    }
    assert_eq!(day("SELECT 1 FROM events WHERE dt >= '20260302'").as_deref(), Some("2026-03-02T00:00:00Z"));
    assert_eq!(
        day("SELECT 1 FROM events WHERE eventtime > timestamp '2026-03-02 10:00:00'").as_deref(),
        Some("2026-03-02T00:00:00Z")
    );
}

#[test]
fn in_an_event_data_store_the_time_is_a_time() {
    // As in Athena, letters are compared, and T sorts after a space.
    assert_eq!(ask("SELECT count(*) FROM events WHERE eventtime < '2026-03-02 10:30:00'"), [["0"]]);
    for table in ["$EDS_ID", "0f4d8c3a-1234-4abc-9def-0123456789ab"] {
        assert_eq!(
            ask(&format!(
                "SELECT count(*), max(eventTime) FROM {table} WHERE eventTime < '2026-03-02 10:30:00'"
            )),
            [["3", "2026-03-02 10:00:40.000"]]
        );
        assert_eq!(
            ask(&format!(
                "SELECT element_at(requestParameters, 'repositoryName'), typeof(eventTime) FROM {table} WHERE eventID = 'e1'"
            )),
            [["shop/api", "timestamp"]]
        );
        assert_eq!(
            ask(&format!(
                "SELECT date_trunc('hour', eventTime) + (minute(eventTime) / 10) * INTERVAL '10' MINUTE FROM {table} WHERE eventID = 'e0'"
            )),
            [["2026-03-02 09:30:00.000"]]
        );
    }
}

#[test]
fn tables_named_by_an_id_or_a_placeholder_are_the_trail() {
    for table in [
        "0f4d8c3a-1234-4abc-9def-0123456789ab",
        "12e45678-1234-4abc-9def-0123456789ab",
        "\"0f4d8c3a-1234-4abc-9def-0123456789ab\"",
        "$EDS_ID",
        "EDS_MGMT",
        "event_data_store_ID",
        "<event_data_store_id>",
        "<your table name>",
        "${table}",
        "{{ table }}",
        "\"${database}\".\"${table}\"",
        "<db>.cloudtrail_logs",
        "my_db.{table}",
    ] {
        assert_eq!(
            ask(&format!("SELECT count(*) FROM {table} AS t WHERE t.eventname = 'PutImage'")),
            [["3"]],
            "{table}"
        );
    }
    // Tables defined by the query keep their names.
    assert_eq!(
        ask("WITH eds_x AS (SELECT 7 AS n), feeds (m) AS (SELECT 8) SELECT n, m FROM eds_x, feeds"),
        [["7", "8"]]
    );
    assert_eq!(ask("CREATE VIEW eds_y AS SELECT 9 AS n; SELECT n FROM eds_y"), [["9"]]);
    assert!(fails("SELECT 1 FROM feeds").contains("there is no table feeds"));
    assert!(fails("SELECT 1 WHERE 1 IS DISTINCT FROM $1").contains("parameter $1 has no value"));
    assert!(fails("SELECT 1 FROM <").contains("line 1"));
}

#[test]
fn rows_opened_natural_joins_and_recursion() {
    assert_eq!(ask("SELECT (useridentity.sessioncontext.sessionissuer).*, (t.useridentity.sessioncontext.attributes).mfaauthenticated FROM events t WHERE eventid = 'e1'").len(), 1);
    assert_eq!(
        ask("SELECT x.* FROM (SELECT CAST(ROW(1, 'a') AS ROW(n BIGINT, t VARCHAR)) AS x)"),
        [["1", "a"]]
    );
    assert!(fails("SELECT (eventid).* FROM events").contains("only a row"));
    let natural = "WITH a AS (SELECT eventid, eventname FROM events), b AS (SELECT eventid, errorcode FROM events WHERE errorcode IS NOT NULL) SELECT * FROM a NATURAL JOIN b ORDER BY 1";
    assert_eq!(
        ask(natural),
        [["e4", "PutImage", "ImageTagAlreadyExistsException"], ["e6", "CreateUser", "AccessDenied"]]
    );
    assert_eq!(ask("SELECT count(*) FROM events NATURAL JOIN (SELECT 'PutImage' AS eventname)"), [["3"]]);
    assert_eq!(
        ask(
            "WITH RECURSIVE t(n) AS (VALUES 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n), count(*) FROM t"
        ),
        [["15", "5"]]
    );
    assert_eq!(
        ask("WITH RECURSIVE t(n) AS (SELECT 1 UNION SELECT (n + 1) % 3 FROM t) SELECT n FROM t ORDER BY n"),
        [["0"], ["1"], ["2"]]
    );
    assert!(
        fails("WITH RECURSIVE t(n) AS (SELECT 1 UNION ALL SELECT n FROM t) SELECT count(*) FROM t")
            .contains("did not come to an end")
    );
    for (within, outside) in
        [("WHERE n < 9 LIMIT 3", ""), ("WHERE n < 9 ORDER BY 1", ""), ("", "WITH u AS (SELECT 1) ")]
    {
        let sql = format!(
            "WITH RECURSIVE t(n) AS ({outside}SELECT 1 UNION ALL SELECT n + 1 FROM t {within}) SELECT n FROM t"
        );
        assert!(fails(&sql).contains("line 1, column 16: a recursive table is nothing but a UNION"), "{sql}");
    }
    assert!(
        fails("SELECT 1 AS a UNION ALL BY NAME SELECT 2 AS b").contains("UNION BY NAME is not supported")
    );
    let chain = "WITH RECURSIVE trail_of(id, at, depth) AS (
        SELECT eventid, eventtime, 0 FROM events WHERE eventid = 'e0'
        UNION ALL
        SELECT e.eventid, e.eventtime, t.depth + 1 FROM events e JOIN trail_of t ON e.eventtime > t.at AND e.useridentity.username = 'alice' WHERE t.depth < 1)
        SELECT count(*), max(depth) FROM trail_of";
    assert_eq!(ask(chain), [["4", "1"]]);
    assert_eq!(ask("VALUES 1, 2 UNION ALL VALUES (3) ORDER BY 1 DESC LIMIT 2"), [["3"], ["2"]]);
    assert_eq!(ask("SELECT x FROM (VALUES (1 + 1) * 2, abs(-7), NULL) AS t(x)"), [["4"], ["7"], ["NULL"]]);
}

#[test]
fn order_nulls_last_offset_and_distinct() {
    assert_eq!(
        ask("SELECT errorcode FROM events GROUP BY errorcode ORDER BY errorcode DESC"),
        [["ImageTagAlreadyExistsException"], ["AccessDenied"], ["NULL"]]
    );
    assert_eq!(
        ask("SELECT DISTINCT eventsource FROM events ORDER BY eventsource OFFSET 1 LIMIT 1"),
        [["iam.amazonaws.com"]]
    );
    assert_eq!(ask("SELECT eventid FROM events ORDER BY eventtime DESC FETCH FIRST 1 ROW ONLY"), [["e7"]]);
}

#[test]
fn what_a_query_says_about_the_events_that_it_needs() {
    let scan =
        |sql: &str| archive::parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}")).scan().clone();
    let list = |texts: &[&str]| Some(texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
    let found = scan(
        "SELECT eventname FROM events WHERE eventsource IN ('ecr.amazonaws.com', 'ecs.amazonaws.com') AND awsregion = 'eu-central-1' AND recipientaccountid = '111122223333'",
    );
    assert_eq!(
        (found.sources, found.regions, found.accounts),
        (list(&["ecr.amazonaws.com", "ecs.amazonaws.com"]), list(&["eu-central-1"]), list(&["111122223333"]))
    );
    assert_eq!(found.columns, list(&["eventsource", "eventname", "awsregion", "recipientaccountid"]));
    // OR of different columns limits nothing; of one column, it limits to both values.
    assert_eq!(scan("SELECT 1 FROM events WHERE eventsource = 'a' OR eventname = 'b'").sources, None);
    assert_eq!(
        scan("SELECT 1 FROM events WHERE eventsource = 'a' OR (eventsource = 'b' AND eventname = 'c')")
            .sources,
        list(&["a", "b"])
    );
    assert_eq!(scan("SELECT 1 FROM events WHERE NOT eventsource = 'a'").sources, None);
    // Several occurrences of the table need what any of them needs.
    let two = "SELECT 1 FROM events a JOIN events b ON a.eventid = b.eventid AND b.eventsource = 'b' WHERE a.eventsource = 'a'";
    assert_eq!(scan(two).sources, list(&["a", "b"]));
    assert_eq!(
        scan("SELECT 1 FROM events a LEFT JOIN events b ON a.eventid = b.eventid WHERE a.eventsource = 'a'")
            .sources,
        None
    );
    assert_eq!(
        scan("SELECT (SELECT count(*) FROM events) FROM events WHERE eventsource = 'a'").sources,
        None
    );
    let both =
        "SELECT (SELECT count(*) FROM events WHERE eventsource = 'b') FROM events WHERE eventsource = 'a'";
    assert_eq!(scan(both).sources, list(&["a", "b"]));
    // Times in any notation, rounded outwards to whole days.
    for condition in [
        "eventtime >= '2026-03-02T10:00:00Z' AND eventtime < '2026-03-03T10:00:00Z'",
        "from_iso8601_timestamp(eventtime) BETWEEN timestamp '2026-03-02 10:00:00' AND timestamp '2026-03-03 10:00:00'",
        "\"timestamp\" >= '2026/03/02' AND \"timestamp\" <= '2026/03/03'",
        "date_parse(eventtime, '%Y-%m-%dT%H:%i:%sZ') > current_date - interval '3' day AND CAST(from_iso8601_timestamp(eventtime) AS date) <= date '2026-03-03'",
        "date IN ('2026-03-02', '2026-03-03')",
    ] {
        let found = scan(&format!("SELECT count(*) FROM events WHERE {condition}"));
        let day = |text: &str| tagfall::model::Timestamp::parse(text);
        assert_eq!(
            (found.since, found.until),
            (day("2026-03-02T00:00:00Z"), day("2026-03-04T00:00:00Z")),
            "{condition}"
        );
    }
    let found = scan("SELECT 1 FROM events WHERE year = '2026' AND month = '03' AND region = 'eu-central-1'");
    assert_eq!(found.until.map(|until| until.to_string()).as_deref(), Some("2026-04-01T00:00:00Z"));
    // Only a query that accepts any rows may stop early.
    assert_eq!(
        scan("SELECT eventname FROM events WHERE eventsource = 'a' LIMIT 5 OFFSET 2").limit,
        None.or(scan("SELECT eventname FROM events LIMIT 7").limit)
    );
    for sql in [
        "SELECT eventname FROM events ORDER BY 1 LIMIT 5",
        "SELECT DISTINCT eventname FROM events LIMIT 5",
        "SELECT count(*) FROM events LIMIT 5",
    ] {
        assert_eq!(scan(sql).limit, None, "{sql}");
    }
    assert_eq!(scan("SELECT * FROM events").columns, None);
    assert_eq!(scan("SELECT count(*) FROM events").columns, list(&[]));
}

/// The event names that the query's scan is limited to; its answer is compared with that without early
/// filtering.
fn names_asked_for(sql: &str) -> Option<String> {
    ask(sql);
    archive::parse(sql).unwrap().scan().names.as_ref().map(|names| names.join(" "))
}

#[test]
fn conditions_go_through_common_and_derived_tables() {
    let put = Some("PutImage".to_owned());
    for sql in [
        // Inside, and from outside through columns with the same name, another name, or `*`.
        "WITH t AS (SELECT eventid FROM events WHERE eventname = 'PutImage') SELECT count(*) FROM t",
        "SELECT eventid FROM (SELECT eventid, eventname FROM events) WHERE eventname = 'PutImage'",
        "WITH t AS (SELECT *, lower(eventsource) AS s FROM events) SELECT eventid FROM t WHERE t.eventname = 'PutImage' AND s LIKE 'ecr%'",
        "SELECT n FROM (SELECT e.eventname AS N FROM events e) AS t WHERE t.n = 'PutImage'",
        "WITH a AS (SELECT eventname AS n, eventid FROM events), b AS (SELECT DISTINCT n AS m, eventid FROM a) SELECT * FROM b WHERE m IN ('PutImage')",
        "SELECT count(*) FROM (SELECT e.* FROM events e JOIN (SELECT 'e2' AS id) i ON i.id <> e.eventid) WHERE eventname = 'PutImage'",
        // Through a join, and with the value in another table.
        "WITH t AS (SELECT eventname AS n, eventid FROM events) SELECT x FROM t JOIN (VALUES ('e1')) v(x) ON x = eventid AND n = 'PutImage'",
        "WITH params AS (SELECT 'PutImage' AS wanted), t AS (SELECT eventname AS n FROM events) SELECT n FROM t CROSS JOIN params WHERE n = wanted",
        "SELECT eventid FROM events, (SELECT 'PutImage' AS wanted) AS p WHERE eventname = p.wanted",
        "SELECT t.n FROM (SELECT eventname AS n FROM events) t LEFT JOIN (SELECT 1 AS one) o ON one = 1 WHERE t.n = 'PutImage'",
        // In an expression.
        "SELECT (SELECT max(eventid) FROM events WHERE eventname = 'PutImage')",
        "SELECT 1 WHERE EXISTS (SELECT 1 FROM events WHERE eventname = 'PutImage')",
    ] {
        assert_eq!(names_asked_for(sql), put, "{sql}");
    }
    // Each use of a common table expression counts, and so does an unused one.
    let twice = "WITH t AS (SELECT eventid, eventname AS n FROM events) SELECT count(*) FROM t a JOIN t b ON a.eventid <> b.eventid WHERE a.n = 'PutImage' AND b.n = 'ListUsers'";
    assert_eq!(names_asked_for(twice).as_deref(), Some("ListUsers PutImage"));
    let either = "SELECT eventid FROM events WHERE eventname = 'A' UNION ALL SELECT n FROM (SELECT eventname AS n FROM events) WHERE n = 'PutImage'";
    assert_eq!(names_asked_for(either).as_deref(), Some("A PutImage"));
    assert_eq!(
        names_asked_for(
            "WITH t AS (SELECT eventid FROM events) SELECT eventid FROM events WHERE eventname = 'PutImage'"
        ),
        None
    );
}

#[test]
fn conditions_stay_outside_where_rows_stand_for_others() {
    for sql in [
        "SELECT n FROM (SELECT eventname AS n, row_number() OVER (ORDER BY eventtime) AS at FROM events) WHERE n = 'PutImage' AND at > 2",
        "SELECT n FROM (SELECT eventname AS n FROM events ORDER BY eventtime LIMIT 2) WHERE n = 'PutImage'",
        "SELECT n FROM (SELECT max(eventname) AS n FROM events) WHERE n = 'PutImage'",
        "SELECT n FROM (SELECT eventname AS n, count(*) FROM events GROUP BY 1) WHERE n = 'PutImage'",
        "SELECT a.eventid, b.n FROM events a LEFT JOIN (SELECT eventid AS id, eventname AS n FROM events) b ON a.eventid = b.id WHERE b.n = 'PutImage'",
        "SELECT c FROM (SELECT eventname AS n, eventsource AS c FROM events) AS t(c, n) WHERE n = 'PutImage'",
        "WITH t AS (SELECT eventname FROM events) SELECT count(*) FROM t WHERE eventname = (SELECT max(eventname) FROM t)",
        // The alias is the table's; the column with that name is another one.
        "SELECT eventname FROM (SELECT eventid AS eventname FROM events) WHERE eventname = 'e1'",
    ] {
        assert_eq!(names_asked_for(sql), None, "{sql}");
    }
}

#[test]
fn a_star_that_nobody_sees_costs_no_columns() {
    let columns = |sql: &str| {
        ask(sql);
        archive::parse(sql).unwrap().scan().columns.as_ref().map(|columns| columns.join(" "))
    };
    let inner = "WITH t AS (SELECT * FROM events WHERE eventsource = 'ecr.amazonaws.com')";
    assert_eq!(
        columns(&format!("{inner} SELECT eventname, count(*) FROM t GROUP BY 1")).as_deref(),
        Some("eventsource eventname")
    );
    assert_eq!(
        columns(&format!("{inner} SELECT a.eventname FROM t a JOIN t b USING (eventid)")).as_deref(),
        Some("eventsource eventname eventid")
    );
    for seen in [
        "SELECT * FROM t",
        "SELECT t.* FROM t",
        "SELECT count(*) FROM (SELECT * FROM t UNION SELECT * FROM t)",
        "SELECT count(*) FROM (SELECT DISTINCT * FROM t)",
        "SELECT a FROM (SELECT * FROM t) AS u(a)",
        "SELECT eventid FROM (SELECT * FROM t ORDER BY 3 LIMIT 2)",
    ] {
        assert_eq!(columns(&format!("{inner} {seen}")), None, "{seen}");
    }
}

#[test]
fn a_limit_belongs_to_the_table_that_it_stands_with() {
    let limit = |sql: &str| archive::parse(sql).unwrap().scan().limit;
    assert_eq!(limit("SELECT (SELECT max(eventid) FROM events) FROM steps LIMIT 1"), None);
    assert_eq!(limit("SELECT digest FROM steps WHERE EXISTS (SELECT 1 FROM events) LIMIT 1"), None);
    assert_eq!(
        limit("SELECT eventid FROM events WHERE eventid IN (SELECT event_id FROM steps) LIMIT 1"),
        None
    );
}

#[test]
fn parameters_of_a_query_limit_its_time() {
    let changes = tagfall::sql::named::find("changes-before").unwrap();
    let params = [("moment".to_owned(), "2026-03-05 00:10:00".to_owned())];
    let query = tagfall::sql::Query::parse(
        changes.sql,
        &params,
        tagfall::model::Timestamp::from_millis(archive::NOW),
    )
    .unwrap();
    let day = |text: &str| tagfall::model::Timestamp::parse(text);
    assert_eq!(
        (query.scan().since, query.scan().until),
        (day("2026-03-04T00:00:00Z"), day("2026-03-06T00:00:00Z"))
    );
}
