//! A small generated archive, and queries on it.

use tagfall::decode::RawRecord;
use tagfall::model::Timestamp;
use tagfall::sql::{Answer, Catalog, Query};
use tagfall::tables::{EventRows, cloudtrail};

/// 2026-03-05T12:00:00Z.
pub const NOW: i64 = 1_772_712_000_000;

const DIGEST_A: &str = "sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const DIGEST_B: &str = "sha256:bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

/// Eight events: two pushes of one tag, a pull, a failed push and a lifecycle run in ECR; a login; two calls
/// to IAM.
pub fn records() -> Vec<String> {
    let ci = r#"{"type":"AssumedRole","arn":"arn:aws:sts::111122223333:assumed-role/ci/run-1","accountId":"111122223333",
        "accessKeyId":"ASIA1","sessionContext":{"attributes":{"mfaAuthenticated":"false","creationDate":"2026-03-02T09:00:00Z"},
        "sessionIssuer":{"type":"Role","arn":"arn:aws:iam::111122223333:role/ci","userName":"ci"}}}"#;
    let alice = r#"{"type":"IAMUser","arn":"arn:aws:iam::111122223333:user/alice","userName":"alice","accountId":"111122223333","accessKeyId":"AKIA1"}"#;
    let push = |id: &str, time: &str, digest: &str| {
        let request = r#"{"repositoryName": "shop/api", "imageTag": "v7", "registryId": "111122223333"}"#;
        let response = format!(
            r#"{{"image":{{"registryId":"111122223333","repositoryName":"shop/api","imageId":{{"imageDigest":"{digest}","imageTag":"v7"}}}}}}"#
        );
        event(
            id,
            time,
            "ecr.amazonaws.com",
            "PutImage",
            ci,
            &format!(r#""requestParameters":{request},"responseElements":{response},"readOnly":false"#),
        )
    };
    let arn = "arn:aws:ecr:eu-central-1:111122223333:repository/shop/api";
    vec![
        event(
            "e0",
            "2026-03-02T09:30:00Z",
            "signin.amazonaws.com",
            "ConsoleLogin",
            alice,
            r#""responseElements":{"ConsoleLogin":"Success"},
            "additionalEventData":{"MFAUsed":"Yes"},"sourceIPAddress":"203.0.113.9","eventType":"AwsConsoleSignIn""#,
        ),
        push("e1", "2026-03-02T10:00:00Z", DIGEST_A),
        push("e2", "2026-03-02T10:00:40Z", DIGEST_B),
        event(
            "e3",
            "2026-03-02T11:00:00Z",
            "ecr.amazonaws.com",
            "BatchGetImage",
            alice,
            &format!(
                r#""requestParameters":{{"repositoryName":"shop/api","imageIds":[{{"imageDigest":"{DIGEST_A}"}},{{"imageTag":"v7"}}]}},
            "resources":[{{"ARN":"{arn}","accountId":"111122223333"}}],"readOnly":true"#
            ),
        ),
        event(
            "e4",
            "2026-03-03T10:00:00Z",
            "ecr.amazonaws.com",
            "PutImage",
            ci,
            r#""errorCode":"ImageTagAlreadyExistsException","errorMessage":"no",
            "requestParameters":{"repositoryName":"shop/web","imageTag":"v1"}"#,
        ),
        event(
            "e5",
            "2026-03-04T03:00:00Z",
            "ecr.amazonaws.com",
            "PolicyExecutionEvent",
            r#"{"accountId":"111122223333","invokedBy":"AWS Internal"}"#,
            &format!(
                r#""eventType":"AwsServiceEvent","resources":[{{"ARN":"{arn}"}}],"serviceEventDetails":{{"repositoryName":"shop/api",
            "lifecycleEventPolicy":{{"lifecycleEventRules":[{{"rulePriority":1}}]}},
            "lifecycleEventImageActions":[{{"lifecycleEventImage":{{"digest":"{DIGEST_A}","tagStatus":"Untagged","tagList":[]}},"rulePriority":1}}]}}"#
            ),
        ),
        event(
            "e6",
            "2026-03-04T12:00:00Z",
            "iam.amazonaws.com",
            "CreateUser",
            alice,
            r#""errorCode":"AccessDenied","requestParameters":null"#,
        ),
        event(
            "e7",
            "2026-03-05T08:00:00Z",
            "iam.amazonaws.com",
            "ListUsers",
            alice,
            r#""requestParameters":{"maxItems":100}"#,
        ),
    ]
}

fn event(id: &str, time: &str, source: &str, name: &str, who: &str, more: &str) -> String {
    let address = if more.contains("sourceIPAddress") { "" } else { r#""sourceIPAddress":"198.51.100.7","# };
    format!(
        r#"{{"eventVersion":"1.08","userIdentity":{who},"eventTime":"{time}","eventSource":"{source}","eventName":"{name}",
        "awsRegion":"eu-central-1",{address}"userAgent":"aws-cli/2","eventID":"{id}","recipientAccountId":"111122223333",{more}}}"#
    )
}

/// A table of `records` with only the columns that `query` needs and the rows that it keeps.
pub fn catalog(query: &Query, records: &[String]) -> Catalog {
    let mut rows = EventRows::new(query.scan().asked().as_deref());
    for (index, json) in records.iter().enumerate() {
        rows.push("a.json", RawRecord { index: index as u64, json, native: false }).unwrap();
    }
    let mut catalog = Catalog::default();
    catalog.insert_pieces(&cloudtrail::TABLE, vec![query.keep(rows.take()).unwrap()]).unwrap();
    catalog
}

pub fn parse(sql: &str) -> Result<Query, String> {
    Query::parse(sql, &[], Timestamp::from_millis(NOW)).map_err(|error| error.to_string())
}

/// The answer's cells, NULL as `NULL`.
/// The error of a query, before anything is read.
pub fn refused(sql: &str) -> String {
    parse(sql).err().unwrap_or_else(|| panic!("{sql}: is read"))
}

pub fn cells(answer: &Answer) -> Vec<Vec<String>> {
    let columns = answer.columns().count();
    let cell = |row, column| answer.text(row, column).unwrap_or_else(|| "NULL".to_owned());
    (0..answer.height()).map(|row| (0..columns).map(|column| cell(row, column)).collect()).collect()
}

/// The answer to a query, after checking that it is the same with and without early filtering.
pub fn ask(sql: &str) -> Vec<Vec<String>> {
    ask_over(sql, &records())
}

pub fn ask_over(sql: &str, records: &[String]) -> Vec<Vec<String>> {
    let query = parse(sql).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let answer = query.run(&catalog(&query, records)).unwrap_or_else(|error| panic!("{sql}: {error}"));
    let mut everything = EventRows::new(None);
    for (index, json) in records.iter().enumerate() {
        everything.push("a.json", RawRecord { index: index as u64, json, native: false }).unwrap();
    }
    let mut catalog = Catalog::default();
    catalog.insert(&cloudtrail::TABLE, &everything.take());
    let plain = query.run(&catalog).unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(cells(&answer), cells(&plain), "early filtering changed the answer of {sql}");
    cells(&answer)
}

/// The error of a query, when it is parsed or evaluated.
pub fn fails(sql: &str) -> String {
    match parse(sql) {
        Err(error) => error,
        Ok(query) => query
            .run(&catalog(&query, &records()))
            .err()
            .map(|error| error.to_string())
            .unwrap_or_else(|| panic!("{sql} did not fail")),
    }
}

/// Evaluates each expression alone, and as a column of a real table, where constants cannot be folded.
pub fn each(table: &[(&str, &str)]) {
    for (expression, expected) in table {
        assert_eq!(ask(&format!("SELECT {expression}")), [[*expected]], "{expression}");
        assert_eq!(
            ask(&format!("SELECT {expression} FROM events WHERE eventid = 'e0'")),
            [[*expected]],
            "{expression}, in a table"
        );
    }
}

/// The rows of a query as one text: cells by `,`, rows by `;`.
pub fn rows(sql: &str) -> String {
    ask(sql).iter().map(|row| row.join(",")).collect::<Vec<_>>().join(";")
}

pub fn queries(table: &[(&str, &str)]) {
    for (sql, expected) in table {
        assert_eq!(rows(sql), *expected, "{sql}");
    }
}
