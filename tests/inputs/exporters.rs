//! What single exporters and redactions make of records: each must say the same as the records themselves, or say
//! that it cannot be read.

use serde_json::{Map, Value, json};

use super::{Case, incident, lines, ordered, pascal, snake};

/// The members that hold objects.
const OBJECTS: [&str; 4] = ["userIdentity", "requestParameters", "responseElements", "serviceEventDetails"];

/// Both forms of a log: lines, which are read in full, and CloudTrail's own document, which is packed read by
/// the hot path.
#[track_caller]
pub(super) fn shows_the_incident(records: &[Value]) -> [Value; 2] {
    [lines(records), document(records)]
        .map(|bytes| Case::holding(&[("a.json", bytes)]).shows_the_incident(records.len() as u64))
}

/// CloudTrail's own document, with the members of records in its order, on which the hot path counts.
pub(super) fn document(records: &[Value]) -> Vec<u8> {
    ordered::text(&json!({ "Records": records })).into_bytes()
}

pub(super) fn changed(change: impl Fn(&mut Value)) -> Vec<Value> {
    let mut records = incident();
    records.iter_mut().for_each(change);
    records
}

/// What of these objects there is, changed.
fn with_objects(record: &mut Value, names: &[&str], change: impl Fn(&Value) -> Value) {
    for name in names {
        if record[*name].is_object() {
            record[*name] = change(&record[*name]);
        }
    }
}

fn members(object: &Value) -> impl Iterator<Item = (&String, &Value)> {
    object.as_object().into_iter().flatten()
}

/// Objects as lists of one element lost every pull, push and run without a word, and exit code 0.
#[test]
fn objects_as_lists_are_the_objects_again() {
    type Form = fn(&Value) -> Value;
    let forms: [(&str, Form); 7] = [
        ("one element", |object| json!([object])),
        ("one element and nothing", |object| json!([object, null])),
        ("a list of a list", |object| json!([[object]])),
        ("text in a list", |object| json!([object.to_string()])),
        ("a list as text", |object| json!(json!([object]).to_string())),
        ("pairs of key and value", |object| {
            members(object).map(|(name, value)| json!({"key": name, "value": value})).collect()
        }),
        ("pairs in lists", |object| members(object).map(|(name, value)| json!([name, value])).collect()),
    ];
    // All of them in every form, and each alone in one.
    let all = forms.into_iter().map(|(form, change)| (&OBJECTS[..], form, change));
    let alone =
        OBJECTS.iter().zip(forms).map(|(name, (form, change))| (std::slice::from_ref(name), form, change));
    for (names, form, change) in all.chain(alone) {
        let records = changed(|record| with_objects(record, names, change));
        for coverage in shows_the_incident(&records) {
            let repaired = coverage["records_repaired"]["list"].as_u64();
            assert!(repaired > Some(0), "{names:?} {form}: {coverage}");
        }
    }
}

#[test]
fn members_that_are_elements_of_a_list_are_one_object() {
    let apart = |object: &Value| members(object).map(|(name, value)| json!({name: value})).collect();
    let records = changed(|record| with_objects(record, &OBJECTS[1..], apart));
    for coverage in shows_the_incident(&records) {
        assert!(coverage["records_repaired"]["list"].as_u64() > Some(0), "{coverage}");
    }
}

/// Elasticsearch's `fields` and what is made of XML: every value is a list, at every depth.
#[test]
fn every_value_as_a_list_is_that_value() {
    fn listed(value: &Value) -> Value {
        match value {
            Value::Object(members) => {
                json!([members
                    .iter()
                    .map(|(name, value)| (name.clone(), listed(value)))
                    .collect::<Map<_, _>>()])
            }
            Value::Array(elements) => elements.iter().map(|element| listed(element)[0].clone()).collect(),
            other => json!([other]),
        }
    }
    let records = changed(|record| *record = listed(record)[0].clone());
    for coverage in shows_the_incident(&records) {
        assert_eq!(coverage["records_repaired"]["list"].as_u64(), Some(6), "{coverage}");
    }
}

/// PHP writes an object without members as an empty list.
#[test]
fn an_empty_list_is_nothing() {
    let records = changed(|record| {
        for name in &OBJECTS[1..] {
            if record[*name].is_null() {
                record[*name] = json!([]);
            }
        }
        record["errorCode"] = json!([]);
    });
    shows_the_incident(&records);
}

#[test]
fn a_list_that_stands_for_no_one_object_fails_and_says_so() {
    for name in OBJECTS {
        let mut records = incident();
        let pull = records.iter_mut().find(|record| record["eventName"] == "BatchGetImage").expect("a pull");
        pull[name] = json!([pull[name], {"repositoryName": "other", "arn": "other"}, {"arn": "third"}]);
        for bytes in [lines(&records), document(&records)] {
            for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
                let coverage = &said["coverage"];
                assert_eq!((coverage["records_failed"].as_u64(), code), (Some(1), 3), "{name}: {coverage}");
                let reason = coverage["failures"][0]["reason"].as_str().expect("a reason");
                assert!(reason.starts_with(name) && reason.contains("list"), "{reason}");
            }
        }
    }
}

/// What `detect` says of each form of a source, with one thread and with four. An event that cannot be understood
/// is a row of SQL all the same.
pub(super) fn told(case: &Case) -> Vec<(Value, i32)> {
    let of = |form: &std::path::PathBuf| {
        ["1", "4"].map(|jobs| super::said(&["detect", super::text(form), "--jobs", jobs]))
    };
    case.forms.iter().flat_map(of).collect()
}

/// An event that cannot be understood was a failure for each copy of it in an archive, and one in its lake.
#[test]
fn an_event_that_cannot_be_understood_fails_once_however_often_it_was_delivered() {
    let mut records = incident();
    let push = records.iter_mut().find(|record| record["eventName"] == "PutImage").expect("a push");
    push["requestParameters"].as_object_mut().unwrap().remove("repositoryName");
    push["responseElements"] = Value::Null;
    push["resources"] = Value::Null;
    let again: Vec<Value> =
        records.iter().filter(|record| record["eventName"] == "PutImage").cloned().collect();
    let other: Vec<Value> = again
        .iter()
        .map(|record| {
            // A copy that somebody has changed is behind the one that counts.
            let mut record = record.clone();
            record["requestParameters"]["repositoryName"] = json!("told/later");
            record
        })
        .collect();
    let files = [("b.json", document(&records)), ("c.json", lines(&again)), ("d.json", document(&other))];
    for (said, code) in told(&Case::holding(&files)) {
        let coverage = &said["coverage"];
        let numbers =
            ["records", "records_duplicate", "records_failed"].map(|name| coverage[name].as_u64().unwrap());
        assert_eq!((numbers, code), ([10, 4, 1], 3), "{coverage}");
        let failure = &coverage["failures"][0];
        assert!(failure["object"].as_str().unwrap().ends_with("b.json"), "the first copy is told: {failure}");
        assert_eq!(coverage["failures"].as_array().map(Vec::len), Some(1));
    }
}

/// The same for what is read of sessions: each copy was a failure of its own.
#[test]
fn trace_fails_once_for_an_event_that_cannot_be_understood() {
    let mut records = incident();
    let push = records.iter_mut().find(|record| record["eventName"] == "PutImage").expect("a push");
    push["userIdentity"] =
        json!([push["userIdentity"], {"arn": "arn:aws:sts::444433332222:assumed-role/build/b9"}]);
    let again = vec![push.clone(), push.clone()];
    let case = Case::holding(&[("b.json", document(&records)), ("c.json", lines(&again))]);
    for form in &case.forms {
        for jobs in ["1", "3"] {
            let (said, code) = super::said(&["trace", "build/b1", super::text(form), "--jobs", jobs]);
            let coverage = &said["coverage"];
            assert_eq!((coverage["records_failed"].as_u64(), code), (Some(1), 3), "{coverage}");
            assert_eq!(coverage["failures"][0]["record"], 1, "the first copy is told: {coverage}");
        }
    }
}

/// Words of exporters for "no error": each made a call that succeeded a failed one.
#[test]
fn an_error_code_of_success_is_none() {
    for word in
        ["Success", "SUCCEEDED", "ok", "0", "200", "false", "None", "-", "NA", "No error", "\"\"", "{}"]
    {
        let records = changed(|record| record["errorCode"] = json!(word));
        for coverage in shows_the_incident(&records) {
            assert_eq!(coverage["records_repaired"]["null_word"].as_u64(), Some(6), "{word}: {coverage}");
        }
    }
}

/// A space before or behind a name made another call of it, which nobody knows.
#[test]
fn names_lose_the_spaces_around_them() {
    for name in ["eventName", "eventSource"] {
        for (before, behind) in [(" ", ""), ("", " "), ("\t", "\n")] {
            let records = changed(|record| {
                record[name] = json!(format!("{before}{}{behind}", record[name].as_str().unwrap()))
            });
            for coverage in shows_the_incident(&records) {
                assert_eq!(coverage["records_repaired"]["value"].as_u64(), Some(6), "{name}: {coverage}");
            }
        }
    }
}

/// The same value, with the names of all members changed.
fn renamed(value: &Value, name_of: fn(&str) -> String) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name_of(name), renamed(value, name_of)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(elements) => elements.iter().map(|element| renamed(element, name_of)).collect(),
        other => other.clone(),
    }
}

/// All names in another case or with underscores, those of payloads, too.
#[test]
fn payloads_lose_their_other_case() {
    let snake = |name: &str| snake(&name.replace("ID", "Id").replace("IPA", "IpA").replace("ARN", "arn"));
    for name_of in [str::to_lowercase, snake, pascal] {
        let records = changed(|record| *record = renamed(record, name_of));
        for coverage in shows_the_incident(&records) {
            assert_eq!(coverage["records_repaired"]["key"].as_u64(), Some(6), "{coverage}");
        }
    }
}

/// Names in another case inside of payloads alone: pushes, pulls and runs were gaps, and the exit code 0.
#[test]
fn payloads_alone_lose_their_other_case() {
    for name_of in [str::to_lowercase, str::to_uppercase, snake, pascal] {
        for as_text in [false, true] {
            let records = changed(|record| {
                with_objects(record, &OBJECTS[1..], |object| {
                    let object = renamed(object, name_of);
                    if as_text { json!(object.to_string()) } else { object }
                });
            });
            for coverage in shows_the_incident(&records) {
                assert_eq!(coverage["records_repaired"]["key"].as_u64(), Some(4), "{coverage}");
            }
        }
    }
}

/// What tools make of lists inside of payloads: every pull and run was passed over in silence.
#[test]
fn lists_inside_of_payloads_are_lists_again() {
    fn with_lists(value: &Value, form: fn(&[Value]) -> Value) -> Value {
        match value {
            Value::Object(members) => members
                .iter()
                .map(|(name, value)| (name.clone(), with_lists(value, form)))
                .collect::<Map<_, _>>()
                .into(),
            Value::Array(elements) => {
                form(&elements.iter().map(|element| with_lists(element, form)).collect::<Vec<_>>())
            }
            other => other.clone(),
        }
    }
    let forms: [fn(&[Value]) -> Value; 5] = [
        // By place, as PHP and some flatteners write them.
        |all| {
            all.iter()
                .enumerate()
                .map(|(at, one)| (at.to_string(), one.clone()))
                .collect::<Map<_, _>>()
                .into()
        },
        // One element for itself, as XML has it.
        |all| if let [one] = all { one.clone() } else { json!(all) },
        |all| json!(Value::from(all).to_string()),
        |all| {
            all.iter().map(|one| if one.is_object() { json!(one.to_string()) } else { one.clone() }).collect()
        },
        |all| {
            let texts: Vec<String> =
                all.iter().map(|one| one.as_str().map_or_else(|| one.to_string(), str::to_owned)).collect();
            json!(texts.join(", "))
        },
    ];
    for form in forms {
        let records =
            changed(|record| with_objects(record, &OBJECTS[1..], |object| with_lists(object, form)));
        for coverage in shows_the_incident(&records) {
            let repaired = &coverage["records_repaired"];
            assert!(
                repaired["list"].as_u64() > Some(0) || repaired["json_text"].as_u64() > Some(0),
                "{coverage}"
            );
        }
    }
    // How many there were is all that is left of them.
    let records = changed(|record| {
        with_objects(record, &OBJECTS[1..], |object| {
            with_lists(object, |all| json!(format!("{} items", all.len())))
        });
    });
    for bytes in [lines(&records), document(&records)] {
        for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
            assert!(
                said["coverage"]["records_failed"].as_u64() > Some(0) && code == 3,
                "{}",
                said["coverage"]
            );
        }
    }
}

/// Names of others inside of a payload (labels, variables) stay, whatever the tool did to names at the top.
#[test]
fn names_of_others_inside_of_a_payload_stay() {
    let records = changed(|record| {
        let id = record.as_object_mut().unwrap().remove("eventID").unwrap();
        record["EventId"] = id;
        if record["requestParameters"].is_object() {
            record["requestParameters"]["labels"] = json!({"Image_Tag": "x", "Version": "2012-10-17"});
        }
    });
    let case = Case::holding(&[("a.json", lines(&records))]);
    case.shows_the_incident(6);
    let labels = super::rows(
        &case.forms[0],
        "SELECT json_extract(requestparameters, '$.labels') AS labels FROM events WHERE requestparameters LIKE '%labels%' LIMIT 1",
    );
    assert!(labels[0]["labels"].to_string().contains("Image_Tag"), "{labels:?}");
}

/// Who redacts digests tells that something was pushed, taken or deleted, and not what: a gap, and no clean
/// result. The exit code was 0.
#[test]
fn illegible_digests_are_gaps() {
    let told = |change: &dyn Fn(&mut Value)| {
        let all: Vec<bool> = told(&Case::holding(&[("a.json", lines(&changed(change)))]))
            .iter()
            .map(|(said, code)| {
                let coverage = &said["coverage"];
                let warned =
                    coverage["warnings"].to_string().contains("not say what was done in a repository");
                let failed = coverage["records_failed"].as_u64() > Some(0);
                assert_eq!((warned, failed, *code == 3), (warned, warned, warned), "{coverage}");
                warned
            })
            .collect();
        assert!(all.iter().all(|one| *one == all[0]));
        all[0]
    };
    assert!(!told(&|_| {}));
    assert!(told(&|record| {
        if record["responseElements"]["image"].is_object() {
            record["responseElements"]["image"]["imageId"]["imageDigest"] = json!("sha256:EXAMPLE");
        }
    }));
    assert!(told(&|record| {
        for action in
            record["serviceEventDetails"]["lifecycleEventImageActions"].as_array_mut().into_iter().flatten()
        {
            action["lifecycleEventImage"]["digest"] = json!("sha256:***");
        }
    }));
    assert!(told(&|record| {
        if record["eventName"] == "PutImage" {
            record["eventName"] = json!("BatchDeleteImage");
            record["responseElements"] = json!({"imageIds": [{"imageDigest": "REDACTED"}], "failures": []});
        }
    }));
    assert!(told(&|record| {
        if record["eventName"] == "BatchGetImage" {
            record["requestParameters"]["imageIds"] = json!([{"imageDigest": "sha256:EXAMPLE"}]);
        }
    }));
    // One of several: the others are told, and so is that there was one more.
    assert!(told(&|record| {
        if let Some(actions) = record["serviceEventDetails"]["lifecycleEventImageActions"].as_array_mut() {
            actions.push(json!({"lifecycleEventImage": {"digest": "sha256:***"}, "rulePriority": 1}));
        }
    }));
    // What is left of a manifest has the digest of no image.
    assert!(told(&|record| {
        if record["eventName"] == "PutImage" {
            record["responseElements"] = Value::Null;
            record["requestParameters"]["imageManifest"] =
                json!("{\"schemaVersion\":2,\"mediaType\":\"appl...");
        }
    }));
}

/// What ConvertTo-Json makes of everything below the depth that it was given; the default is two.
fn cut_by_powershell(value: &Value, depth: u32) -> Value {
    match value {
        Value::Object(members) if depth == 0 => {
            let members: Vec<String> = members
                .iter()
                .map(|(name, value)| format!("{name}={}", value.as_str().unwrap_or("")))
                .collect();
            json!(format!("@{{{}}}", members.join("; ")))
        }
        Value::Array(_) if depth == 0 => json!("System.Object[]"),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| (name.clone(), cut_by_powershell(value, depth - 1)))
            .collect::<Map<_, _>>()
            .into(),
        Value::Array(elements) => elements.iter().map(|value| cut_by_powershell(value, depth - 1)).collect(),
        other => other.clone(),
    }
}

/// Below the depth of two or three nothing of an image is left, and what is left looked like a record that means
/// nothing.
#[test]
fn records_that_powershell_has_cut_fail_and_say_so() {
    for depth in [1, 2, 3] {
        let records: Vec<Value> = incident().iter().map(|record| cut_by_powershell(record, depth)).collect();
        for bytes in [lines(&records), document(&records)] {
            for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
                let coverage = &said["coverage"];
                assert!(coverage["records_failed"].as_u64() > Some(0) && code == 3, "{depth}: {coverage}");
            }
        }
    }
    // Of a call of another service, too.
    let task = json!({
        "eventVersion": "1.11", "userIdentity": {"type": "Root"}, "eventTime": "2025-06-02T09:00:00Z",
        "eventSource": "ecs.amazonaws.com", "eventName": "RegisterTaskDefinition", "awsRegion": "eu-west-2",
        "requestParameters": {"family": "shop", "containerDefinitions": "System.Object[]"},
        "responseElements": {"taskDefinition": {"taskDefinitionArn": "arn:aws:ecs:eu-west-2:444433332222:task-definition/shop:1", "containerDefinitions": "System.Object[]"}},
        "eventID": "0828c0d2-3589-4390-b954-c78b4a7df44b", "eventType": "AwsApiCall", "recipientAccountId": "444433332222",
    });
    for (said, code) in told(&Case::holding(&[("a.json", document(&[task]))])) {
        assert_eq!((said["coverage"]["records_failed"].as_u64(), code), (Some(1), 3), "{}", said["coverage"]);
        let reason = said["coverage"]["failures"][0]["reason"].as_str().unwrap();
        assert!(reason.contains("ConvertTo-Json -Depth"), "{reason}");
    }
}

/// The names of services without their host, and in upper case: every such record was one of a service that nobody
/// asks for.
#[test]
fn sources_are_hosts_again() {
    for form in [
        |source: &str| source.split('.').next().unwrap().to_owned(),
        |source: &str| source.to_uppercase(),
        |source: &str| source.split('.').next().unwrap().to_uppercase(),
    ] {
        let records =
            changed(|record| record["eventSource"] = json!(form(record["eventSource"].as_str().unwrap())));
        for coverage in shows_the_incident(&records) {
            assert_eq!(coverage["records_repaired"]["value"].as_u64(), Some(6), "{coverage}");
        }
    }
}

#[test]
fn digests_without_their_algorithm_are_digests() {
    for written in ["", "SHA256:", "@sha256:", " sha256:", "sha256-"] {
        let text = |record: &Value| record.to_string().replace("sha256:", written);
        let records: Vec<Value> =
            incident().iter().map(|record| serde_json::from_str(&text(record)).unwrap()).collect();
        shows_the_incident(&records);
    }
}

/// The caller as a name alone was lost, and a region in upper case was another one, in which nobody's image is.
#[test]
fn callers_resources_and_regions_are_read_as_people_write_them() {
    let records = changed(|record| {
        if record["userIdentity"]["arn"].is_string() {
            record["userIdentity"] = record["userIdentity"]["arn"].clone();
        }
        record["awsRegion"] = json!(record["awsRegion"].as_str().unwrap().to_uppercase());
        record["resources"] = record["resources"][0]["ARN"].clone();
    });
    for bytes in [lines(&records), document(&records)] {
        let case = Case::holding(&[("a.json", bytes)]);
        case.shows_the_incident(6);
        for (said, _) in told(&case) {
            let finding = &said["findings"][0];
            assert_eq!(finding["repository"]["region"], "eu-west-2");
            assert!(
                finding["second_push"]["actor"].as_str().unwrap().starts_with("arn:aws:sts"),
                "{finding}"
            );
        }
    }
}

/// A name in another case beside CloudTrail's own is what an enrichment has added: it took the place of the name.
#[test]
fn what_an_enrichment_adds_in_another_case_is_not_the_record() {
    let records = changed(|record| {
        for (name, value) in [("EventName", "an image was pushed"), ("eventsource", "registry")] {
            record[name] = json!(value);
        }
    });
    shows_the_incident(&records);
}

/// Events of an application with a name, a source and a time were records of CloudTrail's, and the result was clean.
#[test]
fn events_of_others_are_no_records() {
    let event = |source: &str, name: &str| json!({"eventName": name, "eventTime": "2025-06-02T09:00:00Z", "eventSource": source, "userId": "1"});
    for (source, name) in [("web", "click"), ("camera-app", "PutImage"), ("two words", "PutImage")] {
        let bytes = lines(&[event(source, name), event(source, name)]);
        for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
            let coverage = &said["coverage"];
            assert_eq!((coverage["records"].as_u64(), code), (Some(0), 3), "{coverage}");
            let reason = coverage["failures"][0]["reason"].as_str().unwrap();
            assert!(reason.contains("not CloudTrail"), "{reason}");
        }
    }
}

/// A pull tells who needs an image: one of which nobody can tell the repository was passed over in silence.
#[test]
fn a_pull_that_names_no_repository_fails_and_says_so() {
    let records = changed(|record| {
        if record["eventName"] == "BatchGetImage" {
            record["requestParameters"] = Value::Null;
            record["resources"] = Value::Null;
        }
    });
    for bytes in [lines(&records), document(&records)] {
        for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
            let coverage = &said["coverage"];
            assert_eq!((coverage["records_failed"].as_u64(), code), (Some(1), 3), "{coverage}");
            assert!(coverage["failures"][0]["reason"].as_str().unwrap().contains("names no repository"));
        }
    }
}

/// One word for every tag made a race of every two pushes, and one for every repository put them all into one.
#[test]
fn words_of_redaction_are_no_tags_and_no_repositories() {
    for word in ["***", "REDACTED"] {
        let tags = changed(|record| {
            for place in ["/requestParameters/imageTag", "/responseElements/image/imageId/imageTag"] {
                if let Some(tag) = record.pointer_mut(place) {
                    *tag = json!(word);
                }
            }
        });
        for (said, _) in told(&Case::holding(&[("a.json", lines(&tags))])) {
            // The run that took an image which somebody needs, and no pair of pushes.
            assert_eq!(super::findings(&said), ["expired-untagged critical"], "{word}");
            let warnings = said["coverage"]["warnings"].to_string();
            assert!(warnings.contains("not say what was done in a repository"), "{word}: {warnings}");
        }
        let names = changed(|record| {
            let text = record.to_string();
            let name = record["requestParameters"]["repositoryName"].as_str().map(str::to_owned);
            if let Some(name) = name {
                *record = serde_json::from_str(&text.replace(&name, word)).unwrap();
            }
        });
        for (said, code) in told(&Case::holding(&[("a.json", lines(&names))])) {
            let coverage = &said["coverage"];
            assert!(coverage["records_failed"].as_u64() > Some(0) && code == 3, "{word}: {coverage}");
            assert!(coverage["failures"][0]["reason"].as_str().unwrap().contains("names no repository"));
        }
    }
}
