//! Services, calls and error codes in the spellings of other tools: what is told beyond doubt is read and counted
//! as repaired, and what is not is a record that could not be understood.

use serde_json::{Value, json};

use super::exporters::{changed, document, shows_the_incident, told};
use super::{Case, lines};

/// Both forms of these records fail that many times, for this reason.
#[track_caller]
fn fails(records: &[Value], failed: u64, reason: &str) {
    for bytes in [lines(records), document(records)] {
        for (said, code) in told(&Case::holding(&[("a.json", bytes)])) {
            let coverage = &said["coverage"];
            assert_eq!((coverage["records_failed"].as_u64(), code), (Some(failed), 3), "{coverage}");
            let given = coverage["failures"][0]["reason"].as_str().expect("a reason");
            assert!(given.contains(reason), "{given}");
        }
    }
}

/// The first label of the record's source: `ecr`.
fn label(record: &Value) -> &str {
    record["eventSource"].as_str().and_then(|source| source.split('.').next()).expect("a source")
}

/// IAM's way to write an action, log pipelines' ways to lower names: images were lost without a word.
#[test]
fn calls_in_other_spellings_are_the_calls() {
    let forms: [fn(&str, &str) -> String; 9] = [
        |label, name| format!("{label}:{name}"),
        |label, name| format!("{}.{name}", label.to_uppercase()),
        |label, name| format!("{label}.amazonaws.com:{name}"),
        |label, name| format!("aws.{label}/{name}"),
        |label, name| format!("{label}:{}", name.to_lowercase()),
        |_, name| name.to_lowercase(),
        |_, name| name.to_uppercase(),
        |_, name| name[..1].to_owned() + &name[1..].to_lowercase(),
        |_, name| name.replace("Image", "_Image").to_lowercase(),
    ];
    for form in forms {
        let records = changed(|record| {
            record["eventName"] = json!(form(label(record), record["eventName"].as_str().unwrap()));
        });
        for coverage in shows_the_incident(&records) {
            // One of the six is of a service that has nothing to do with images.
            let repaired = coverage["records_repaired"]["value"].as_u64();
            assert!(repaired >= Some(4), "{}: {coverage}", records[1]["eventName"]);
        }
    }
}

/// Calls in lower case that have nothing to do with images are no failures, however many there are.
#[test]
fn other_calls_in_lower_case_are_other_calls() {
    let mut records = changed(|record| {
        record["eventName"] = json!(record["eventName"].as_str().unwrap().to_lowercase());
    });
    for (at, (source, name)) in [
        ("kms", "decrypt"),
        ("ecr", "uploadlayerpart"),
        ("iam", "getrole"),
        ("lambda", "createfunctionurlconfig"),
    ]
    .into_iter()
    .enumerate()
    {
        let mut record = records[0].clone();
        record["eventSource"] = json!(format!("{source}.amazonaws.com"));
        record["eventName"] = json!(name);
        record["eventID"] = json!(format!("0828c0d{at}-3589-4390-b954-c78b4a7df44b"));
        records.push(record);
    }
    for coverage in [lines(&records), document(&records)]
        .map(|bytes| Case::holding(&[("a.json", bytes)]).shows_the_incident(records.len() as u64))
    {
        assert_eq!(coverage["records_repaired"]["value"], 4, "{coverage}");
    }
}

#[test]
fn services_in_other_spellings_are_the_services() {
    let forms: [fn(&str) -> String; 6] = [
        |label| format!("aws.{label}"),
        |label| format!("aws:{label}"),
        |label| format!("{label}.eu-west-2.amazonaws.com"),
        |label| format!("api.{label}.eu-west-2.amazonaws.com"),
        |label| format!("https://{label}.amazonaws.com/"),
        |label| format!("{label}.amazonaws.com.cn"),
    ];
    for form in forms {
        let records = changed(|record| {
            if label(record) == "ecr" {
                record["eventSource"] = json!(form("ecr"));
            }
        });
        for coverage in shows_the_incident(&records) {
            assert!(coverage["records_repaired"]["value"].as_u64() >= Some(4), "{coverage}");
        }
    }
}

/// Which call a record of ECR is of may be illegible: then it is not known what was done, which is no clean result.
#[test]
fn an_illegible_call_fails_and_says_so() {
    for word in ["***", "REDACTED", "unknown", "Unknown", "-", "PutImage?"] {
        let records = changed(|record| {
            if record["eventName"] == "BatchGetImage" {
                record["eventName"] = json!(word);
            }
        });
        fails(&records, 1, "eventName says no call");
    }
}

#[test]
fn an_illegible_service_fails_if_the_call_may_be_about_images() {
    for word in ["***", "REDACTED", "unknown", "-"] {
        let records = changed(|record| {
            if record["eventName"] == "BatchGetImage" {
                record["eventSource"] = json!(word);
            }
        });
        fails(&records, 1, "eventSource names no service");
    }
}

/// A word for what is not known, in every record: where there is an answer, the call has succeeded; of a pull, which
/// has none, nobody can tell.
#[test]
fn an_error_code_that_says_nothing_is_decided_by_the_answer_or_fails() {
    for word in ["unknown", "Unknown", "REDACTED", "***", "[redacted]"] {
        let answered = changed(|record| {
            if record["eventName"] != "BatchGetImage" && label(record) == "ecr" {
                record["errorCode"] = json!(word);
            }
        });
        for coverage in shows_the_incident(&answered) {
            assert!(coverage["records_repaired"]["null_word"].as_u64() > Some(0), "{word}: {coverage}");
        }
        fails(
            &changed(|record| record["errorCode"] = json!(word)),
            1,
            "errorCode does not say whether the call failed",
        );
    }
}

/// A number, or a message alone, made a push of one that was refused.
#[test]
fn a_refused_push_is_none_however_the_error_is_written() {
    let errors = [
        (json!(403), json!("not authorized")),
        (json!(null), json!("User is not authorized to perform: ecr:PutImage")),
        (json!("unknown"), json!("User is not authorized to perform: ecr:PutImage")),
        (json!(true), json!(null)),
    ];
    for (code, message) in errors {
        let mut pushes = 0;
        let mut records = super::incident();
        for record in records.iter_mut().filter(|record| record["eventName"] == "PutImage") {
            pushes += 1;
            if pushes == 2 {
                record["errorCode"] = code.clone();
                record["errorMessage"] = message.clone();
                record["responseElements"] = Value::Null;
            }
        }
        for bytes in [lines(&records), document(&records)] {
            for (said, exit) in told(&Case::holding(&[("a.json", bytes)])) {
                let found = super::findings(&said);
                assert!(
                    exit == 0 && found.iter().all(|kind| !kind.starts_with("same-tag")),
                    "{code}: {found:?}"
                );
            }
        }
    }
}
