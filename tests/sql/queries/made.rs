//! Named queries about events that are not in the fixtures, each on a few generated records.

use std::fs;
use std::path::PathBuf;

use serde_json::{Value, json};

const US: &str = "111122223333";
const OTHERS: &str = "444455556666";

/// A record at a minute of 2 March 2026, 10 o'clock; members in `more` take precedence.
fn record(minute: u32, source: &str, name: &str, more: Value) -> Value {
    let mut record = json!({
        "eventVersion": "1.11", "eventTime": format!("2026-03-02T10:{minute:02}:00Z"), "eventSource": format!("{source}.amazonaws.com"),
        "eventName": name, "awsRegion": "eu-central-1", "sourceIPAddress": "198.51.100.7", "userAgent": "test",
        "eventID": format!("00000000-0000-4000-8000-{minute:012}"), "eventType": "AwsApiCall", "eventCategory": "Management",
        "recipientAccountId": US, "readOnly": false, "userIdentity": user("alice"), "requestParameters": null, "responseElements": null,
    });
    let fields = more.as_object().cloned().unwrap_or_default();
    record.as_object_mut().unwrap().extend(fields);
    record
}

fn user(name: &str) -> Value {
    json!({"type": "IAMUser", "accountId": US, "userName": name, "arn": format!("arn:aws:iam::{US}:user/{name}"), "accessKeyId": "AKIAEXAMPLE"})
}

/// The rows of a named query on `records`.
fn ask(name: &str, records: &[Value], params: &[&str]) -> Vec<Vec<String>> {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("queries");
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(format!("{name}-{}.json", params.len()));
    fs::write(&file, serde_json::to_string(&json!({ "Records": records })).unwrap()).unwrap();
    let query = format!("@{name}");
    let mut args = vec!["query", &query, file.to_str().unwrap(), "--format", "json", "--quiet"];
    for param in params {
        args.extend(["--param", param]);
    }
    let (code, out, talk) = super::tagfall(&args);
    assert_eq!(code, Some(0), "{name}: {talk}");
    let document: Value = serde_json::from_str(&out).unwrap();
    let cell = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let columns: Vec<&str> = document["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    document["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| columns.iter().map(|column| cell(&row[*column])).collect())
        .collect()
}

#[test]
fn pushes_that_an_immutable_tag_refused() {
    let push = |minute, tag: &str, error: Value| {
        let request = json!({"repositoryName": "shop/api", "imageTag": tag, "registryId": US});
        record(
            minute,
            "ecr",
            "PutImage",
            json!({"requestParameters": request, "errorCode": error, "errorMessage": "it is there"}),
        )
    };
    let records = [
        push(3, "v1", json!("ImageTagAlreadyExistsException")),
        push(1, "v2", json!("ImageAlreadyExistsException")),
        push(2, "v3", Value::Null),
        push(4, "v4", json!("LayersNotFoundException")),
    ];
    let alice = "arn:aws:iam::111122223333:user/alice";
    let line = |time: &str, tag: &str, error: &str| {
        [time, US, "eu-central-1", "shop/api", tag, error, alice, "it is there"].map(str::to_owned).to_vec()
    };
    let expected = [
        line("2026-03-02T10:01:00Z", "v2", "ImageAlreadyExistsException"),
        line("2026-03-02T10:03:00Z", "v1", "ImageTagAlreadyExistsException"),
    ];
    assert_eq!(ask("immutable-tag-refusals", &records, &[]), expected);
    assert!(ask("immutable-tag-refusals", &records, &["repo=shop/web"]).is_empty());
}

#[test]
fn pulls_from_other_accounts() {
    let pull = |minute, account: &str, name: &str| {
        let caller =
            json!({"type": "AWSAccount", "accountId": account, "principalId": format!("AROA:{account}")});
        record(
            minute,
            "ecr",
            name,
            json!({"userIdentity": caller, "requestParameters": {"repositoryName": "shop/api"}, "readOnly": true}),
        )
    };
    let records = [
        pull(1, OTHERS, "BatchGetImage"),
        pull(2, OTHERS, "GetDownloadUrlForLayer"),
        pull(3, US, "BatchGetImage"),
        pull(4, OTHERS, "DescribeImages"),
    ];
    let row = [
        US,
        "eu-central-1",
        "shop/api",
        OTHERS,
        "AROA:444455556666",
        "2",
        "2026-03-02T10:01:00Z",
        "2026-03-02T10:02:00Z",
    ];
    assert_eq!(ask("cross-account-pulls", &records, &[]), [row]);
    assert!(ask("cross-account-pulls", &records, &["repo=web/%"]).is_empty());
}

#[test]
fn logins_with_and_without_a_second_factor() {
    let login = |minute, name: &str, outcome: &str, mfa: &str| {
        let (response, data) =
            (json!({"ConsoleLogin": outcome}), json!({"MFAUsed": mfa, "MobileVersion": "No"}));
        let more = json!({"userIdentity": user(name), "responseElements": response, "additionalEventData": data, "eventType": "AwsConsoleSignIn"});
        record(minute, "signin", "ConsoleLogin", more)
    };
    let records = [
        login(1, "alice", "Success", "Yes"),
        login(2, "bob", "Failure", "No"),
        login(3, "bob", "Failure", "No"),
        login(4, "bob", "Success", "No"),
        record(5, "signin", "CheckMfa", json!({})),
    ];
    let bob = [US, "bob", "198.51.100.7", "1", "2", "1", "2026-03-02T10:02:00Z", "2026-03-02T10:04:00Z"];
    let alice = [US, "alice", "198.51.100.7", "1", "0", "0", "2026-03-02T10:01:00Z", "2026-03-02T10:01:00Z"];
    assert_eq!(ask("console-logins", &records, &[]), [bob, alice]);
}

#[test]
fn one_key_in_two_networks() {
    let call = |minute, address: &str, key: &str| {
        let mut caller = user("ci");
        caller["accessKeyId"] = json!(key);
        record(minute, "s3", "ListBuckets", json!({"userIdentity": caller, "sourceIPAddress": address}))
    };
    let records = [
        call(1, "198.51.100.7", "AKIAONE"),
        call(2, "198.51.7.9", "AKIAONE"),
        call(3, "203.0.113.5", "AKIAONE"),
        call(4, "ecs.amazonaws.com", "AKIAONE"),
        call(5, "192.0.2.1", "ASIATWO"),
    ];
    let line = |network: &str, calls: &str, addresses: &str, first: &str, last: &str| {
        let time = |minute: &str| format!("2026-03-02T10:{minute}:00Z");
        let ci = "arn:aws:iam::111122223333:user/ci";
        let mut cells = ["AKIAONE", ci, network, calls, addresses].map(str::to_owned).to_vec();
        cells.extend([time(first), time(last)]);
        cells
    };
    let expected = [
        line("198.51", "2", "2", "01", "02"),
        line("203.0", "1", "1", "03", "03"),
        line("ecs.amazonaws.com", "1", "1", "04", "04"),
    ];
    assert_eq!(ask("key-use-by-network", &records, &[]), expected);
    let sessions = ask("key-use-by-network", &records, &["key_pattern=ASIA%"]);
    assert_eq!(sessions.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(), ["192.0"]);
}

#[test]
fn whose_calls_fail() {
    let failed = |minute, caller: Value, source: &str, name: &str, message: &str| {
        record(
            minute,
            source,
            name,
            json!({"userIdentity": caller, "errorCode": "AccessDenied", "errorMessage": message}),
        )
    };
    let service = json!({"type": "AWSService", "invokedBy": "ecs.amazonaws.com"});
    let records = [
        failed(1, user("alice"), "ecr", "BatchGetImage", "no, the first"),
        failed(2, user("alice"), "ecr", "BatchGetImage", "no, the second"),
        failed(3, service, "ecr", "BatchGetImage", "no"),
        failed(4, user("bob"), "iam", "CreateUser", "no"),
        record(5, "ecr", "BatchGetImage", json!({})),
    ];
    let alice = "arn:aws:iam::111122223333:user/alice";
    let alices = [
        alice,
        "ecr",
        "BatchGetImage",
        "AccessDenied",
        "2",
        "2026-03-02T10:01:00Z",
        "2026-03-02T10:02:00Z",
        "no, the second",
    ];
    let services = [
        "ecs.amazonaws.com",
        "ecr",
        "BatchGetImage",
        "AccessDenied",
        "1",
        "2026-03-02T10:03:00Z",
        "2026-03-02T10:03:00Z",
        "no",
    ];
    assert_eq!(ask("failed-calls-by-principal", &records, &["service=ecr"]), [alices, services]);
    let all = ask("failed-calls-by-principal", &records, &[]);
    assert_eq!(
        all.iter().map(|row| row[2].as_str()).collect::<Vec<_>>(),
        ["BatchGetImage", "CreateUser", "BatchGetImage"]
    );
}
