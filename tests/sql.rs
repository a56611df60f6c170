//! The SQL engine over records made here: each construct, with the rows it must give.
#![cfg(feature = "sql")]

#[path = "sql/archive.rs"]
mod archive;

use archive::{ask, fails};

#[test]
fn columns_fields_and_partitions() {
    let rows =
        ask(r#"SELECT "eventName", t.userIdentity.sessionContext.sessionIssuer.userName AS role, region, year, "month", day, "timestamp", record
           FROM "default"."cloudtrail_logs" AS t WHERE eventname = 'PutImage' ORDER BY eventtime LIMIT 1"#);
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
    assert_eq!(ask("SELECT NULL AND false, NULL OR true, NULL = NULL, coalesce(NULL, 3), nullif(1, 1)"), [["false", "true", "NULL", "3", "NULL"]]);
}

#[test]
fn mistakes_are_named_with_their_place() {
    let error = fails("SELECT eventname,\n       json_extract_scala(requestparameters, '$.a')\nFROM events");
    assert_eq!(error, "line 2, column 8: function json_extract_scala is not supported; did you mean json_extract_scalar?");
    let error = fails("SELECT eventnam FROM events");
    assert_eq!(error, "line 1, column 8: there is no column eventnam; did you mean eventname?");
    let error = fails("SELECT useridentity.arm FROM events");
    assert_eq!(error, "line 1, column 21: there is no field arm; did you mean arn?");
    let error = fails("SELECT * FROM vpc_flow");
    assert!(error.starts_with("line 1, column 15: there is no table vpc_flow; there are cloudtrail_logs, steps"), "{error}");
    let error = fails("SELECT eventname, count(*) FROM events GROUP BY eventsource");
    assert!(error.contains("eventname must stand in GROUP BY"), "{error}");
    assert!(fails("SELECT eventname FROM events WHERE count(*) > 1").contains("aggregate"));
    assert!(fails("DELETE FROM events").contains("only SELECT"));
}
