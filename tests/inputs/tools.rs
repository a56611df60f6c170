//! Whole exports of single tools: in their own schemas, as tables in JSON and CSV, deep inside of envelopes.

use serde_json::{Map, Value, json};

use super::{Case, incident};

/// The same finding as of the records themselves, with the same callers, in every form of the source.
#[track_caller]
fn tells_the_incident(name: &str, bytes: Vec<u8>) -> Value {
    let told = |said: &Value| {
        let finding = &said["findings"][0];
        ["kind", "severity", "lost", "kept", "gap_seconds"]
            .map(|name| finding[name].clone())
            .into_iter()
            .chain([finding["usage"]["principals"].clone(), finding["second_push"]["actor"].clone()])
            .collect::<Vec<Value>>()
    };
    let (expected, _) = super::said(&["detect", "tests/inputs/aws-cli-text-output/input-syslog.log"]);
    let (said, code) = Case::holding(&[(name, bytes)]).detected();
    assert_eq!((told(&said), code), (told(&expected), 0), "{name}: {}", said["coverage"]);
    assert_eq!(said["coverage"]["records"], 6, "{name}");
    said["coverage"].clone()
}

fn ndjson(rows: impl Iterator<Item = Value>) -> Vec<u8> {
    rows.map(|row| format!("{row}\n")).collect::<String>().into_bytes()
}

/// A value as the text of a cell.
fn cell(value: &Value) -> Value {
    match value {
        Value::Object(_) | Value::Array(_) => json!(value.to_string()),
        other => other.clone(),
    }
}

/// A row of Microsoft Sentinel's table `AWSCloudTrail`.
fn sentinel(record: &Value) -> Map<String, Value> {
    let user = &record["userIdentity"];
    let columns = [
        ("TimeGenerated", &record["eventTime"]),
        ("AwsEventId", &record["eventID"]),
        ("EventName", &record["eventName"]),
        ("EventSource", &record["eventSource"]),
        ("AWSRegion", &record["awsRegion"]),
        ("SourceIpAddress", &record["sourceIPAddress"]),
        ("UserAgent", &record["userAgent"]),
        ("ErrorCode", &record["errorCode"]),
        ("RequestParameters", &record["requestParameters"]),
        ("ResponseElements", &record["responseElements"]),
        ("ServiceEventDetails", &record["serviceEventDetails"]),
        ("Resources", &record["resources"]),
        ("EventTypeName", &record["eventType"]),
        ("ReadOnly", &record["readOnly"]),
        ("RecipientAccountId", &record["recipientAccountId"]),
        ("UserIdentityType", &user["type"]),
        ("UserIdentityArn", &user["arn"]),
        ("UserIdentityPrincipalid", &user["principalId"]),
        ("UserIdentityAccountId", &user["accountId"]),
        ("UserIdentityInvokedBy", &user["invokedBy"]),
    ];
    columns.into_iter().map(|(name, value)| (name.to_owned(), cell(value))).collect()
}

fn csv(rows: &[Map<String, Value>], name_of: impl Fn(&str) -> String) -> Vec<u8> {
    let mut names: Vec<&String> = rows.iter().flat_map(Map::keys).collect();
    names.sort();
    names.dedup();
    let mut table = csv::Writer::from_writer(Vec::new());
    table.write_record(names.iter().map(|name| name_of(name))).unwrap();
    for row in rows {
        let text = |name: &&String| match row.get(name.as_str()).map(cell) {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(other) => other.to_string(),
        };
        table.write_record(names.iter().map(text)).unwrap();
    }
    table.into_inner().unwrap()
}

/// Columns in one list and rows in another, as services and libraries answer. They were refused.
#[test]
fn tables_in_json_are_read() {
    let rows: Vec<Map<String, Value>> = incident().iter().map(sentinel).collect();
    let names: Vec<String> = rows[0].keys().cloned().collect();
    let cells: Vec<Vec<&Value>> =
        rows.iter().map(|row| names.iter().map(|name| &row[name]).collect()).collect();
    let named = |key: &str| names.iter().map(|name| json!({key: name, "type": "string"})).collect::<Vec<_>>();
    for (name, table) in [
        (
            "sentinel.json",
            json!({"tables": [{"name": "PrimaryResult", "columns": named("name"), "rows": cells}]}),
        ),
        (
            "kusto.json",
            json!({"Tables": [{"TableName": "T", "Columns": named("ColumnName"), "Rows": cells}]}),
        ),
        ("clickhouse.json", json!({"meta": named("name"), "data": cells, "rows": 6})),
        ("pandas.json", json!({"columns": names, "index": [0, 1, 2, 3, 4, 5], "data": cells})),
    ] {
        let coverage = tells_the_incident(name, table.to_string().into_bytes());
        assert!(coverage["warnings"].to_string().contains("another schema"), "{name}: {coverage}");
    }
    // Whole records in one of the columns have lost nothing.
    let whole: Vec<Value> = incident().iter().map(|record| json!([1, record.to_string()])).collect();
    let coverage = tells_the_incident(
        "whole.json",
        json!({"columns": ["n", "raw"], "data": whole}).to_string().into_bytes(),
    );
    assert!(!coverage["warnings"].to_string().contains("another schema"), "{coverage}");
}

/// Of Microsoft's rows the callers were lost, and its CSV was refused for the time zone in a heading.
#[test]
fn who_called_stands_in_columns_of_their_own() {
    let rows: Vec<Map<String, Value>> = incident().iter().map(sentinel).collect();
    tells_the_incident("az.json", json!(rows).to_string().into_bytes());
    let zone = |name: &str| if name == "TimeGenerated" { format!("{name} [UTC]") } else { name.to_owned() };
    tells_the_incident("portal.csv", csv(&rows, zone));
}

/// Every member beside the others under a name with dots, and what several elements of a list have under one name
/// without a place, as Elasticsearch flattens: such images were lost without a word.
fn flat(record: &Value) -> Map<String, Value> {
    fn put(name: &str, value: &Value, all: &mut std::collections::BTreeMap<String, Vec<Value>>) {
        match value {
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                put(&if name.is_empty() { key.clone() } else { format!("{name}.{key}") }, value, all)
            }),
            Value::Array(elements) => elements.iter().for_each(|element| put(name, element, all)),
            Value::Null => {}
            other => all.entry(name.to_owned()).or_default().push(other.clone()),
        }
    }
    let mut all = std::collections::BTreeMap::new();
    put("", record, &mut all);
    all.into_iter().map(|(name, values)| (name, json!(values))).collect()
}

#[test]
fn flattened_names_without_places_in_lists() {
    let rows: Vec<Map<String, Value>> = incident().iter().map(flat).collect();
    let hit = |row: &Map<String, Value>| json!({"_index": "logs", "_id": "x", "fields": row});
    tells_the_incident("fields.ndjson", ndjson(rows.iter().map(hit)));
    let one = |value: &Value| {
        if value.as_array().is_some_and(|all| all.len() == 1) { value[0].clone() } else { value.clone() }
    };
    let rows: Vec<Map<String, Value>> =
        rows.iter().map(|row| row.iter().map(|(name, value)| (name.clone(), one(value))).collect()).collect();
    tells_the_incident("flat.ndjson", ndjson(rows.iter().cloned().map(Value::Object)));
    // Datadog calls the columns of attributes so.
    tells_the_incident("datadog.csv", csv(&rows, |name| format!("@{name}")));
}

/// An event of Elastic's AWS integration, which keeps the original only where it is told to.
fn elastic(record: &Value) -> Value {
    let user = &record["userIdentity"];
    json!({
        "@timestamp": record["eventTime"],
        "event": {"action": record["eventName"], "provider": record["eventSource"], "id": record["eventID"],
            "outcome": "success", "kind": "event", "type": ["info"]},
        "aws": {"cloudtrail": {
            "event_version": record["eventVersion"], "event_type": record["eventType"], "read_only": record["readOnly"],
            "recipient_account_id": record["recipientAccountId"], "error_code": record["errorCode"],
            "user_identity": {"type": user["type"], "arn": user["arn"], "invoked_by": user["invokedBy"]},
            "resources": record["resources"],
            "request_parameters": cell(&record["requestParameters"]), "response_elements": cell(&record["responseElements"]),
            "flattened": {"request_parameters": record["requestParameters"], "response_elements": record["responseElements"],
                "service_event_details": record["serviceEventDetails"]},
        }},
        "cloud": {"provider": "aws", "region": record["awsRegion"], "account": {"id": record["recipientAccountId"]}},
        "user": {"id": user["principalId"]}, "source": {"ip": record["sourceIPAddress"]},
        "user_agent": {"original": record["userAgent"], "name": "Other"},
    })
}

#[test]
fn elastics_schema_without_the_original() {
    let records = incident();
    let hit = |event: Value| json!({"_index": "logs-aws.cloudtrail", "_source": event});
    tells_the_incident("elastic.ndjson", ndjson(records.iter().map(elastic).map(hit)));
    let answer = json!({"hits": {"hits": records.iter().map(elastic).map(hit).collect::<Vec<_>>()}});
    tells_the_incident("answer.json", answer.to_string().into_bytes());
    let text = |record: &Value| {
        let mut event = elastic(record);
        let details = event["aws"]["cloudtrail"]["flattened"]["service_event_details"].take();
        event["aws"]["cloudtrail"]["flattened"] = Value::Null;
        event["aws"]["cloudtrail"]["service_event_details"] = cell(&details);
        event
    };
    let coverage = tells_the_incident("text.ndjson", ndjson(records.iter().map(text)));
    assert!(coverage["warnings"].to_string().contains("another schema"), "{coverage}");
}

/// OpenTelemetry's envelopes are deeper than twelve wrappings.
#[test]
fn deep_envelopes_are_opened() {
    let logs: Vec<Value> =
        incident().iter().map(|record| json!({"body": {"stringValue": record.to_string()}})).collect();
    let envelope = json!({"resourceLogs": [{"resource": {}, "scopeLogs": [{"logRecords": logs}]}]});
    tells_the_incident("otlp.json", envelope.to_string().into_bytes());
}

/// A download that broke off: the directory at the end is missing, and so is the end of the last member.
#[test]
fn a_zip_archive_that_was_cut_off_is_read_as_far_as_it_is_there() {
    use std::io::Write as _;
    let lines: Vec<String> = incident().iter().map(Value::to_string).collect();
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, records) in [("a.json", &lines[..4]), ("b.json", &lines[4..])] {
        zip.start_file(name, zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(records.join("\n").as_bytes()).unwrap();
    }
    let whole = zip.finish().unwrap().into_inner();
    let directory = whole.windows(4).position(|sign| sign == b"PK\x01\x02").unwrap();
    for (cut, records, failures) in [(directory, 6, 1), (directory - 40, 4, 2)] {
        let (said, code) = Case::holding(&[("x.zip", whole[..cut].to_vec())]).detected();
        let coverage = &said["coverage"];
        assert!(coverage["records"].as_u64() >= Some(records), "{coverage}");
        assert_eq!((coverage["failures"].as_array().map(Vec::len), code), (Some(failures), 3), "{coverage}");
        assert!(coverage.to_string().contains("read one after another"), "{coverage}");
    }
}
