//! Who needs an image besides ECS services, told on incidents that people had (records of our own, names changed).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn run(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall")).args(args).args(["--format", "json", "--quiet"]).output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The records of an incident, and a folder to leave them in after a change.
struct Incident {
    records: Vec<Value>,
    folder: tempfile::TempDir,
}

impl Incident {
    fn read(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/incidents/{name}.json"));
        let text = std::fs::read_to_string(path).expect("the incident's records");
        let mut document: Value = serde_json::from_str(&text).expect("JSON");
        let Value::Array(records) = document["Records"].take() else { panic!("no records") };
        Self { records, folder: tempfile::tempdir().expect("a folder") }
    }

    fn without(mut self, event_name: &str) -> Self {
        self.records.retain(|record| record["eventName"] != event_name);
        self
    }

    /// A copy of a record with another name, time and request.
    fn and_then(mut self, like: &str, name: &str, time: &str, request: Value) -> Self {
        let mut record = self.records.iter().find(|record| record["eventName"] == like).expect("a record of that name").clone();
        record["eventID"] = Value::String(format!("0b6f0a3e-0000-4a54-9d5c-{:012}", self.records.len()));
        (record["eventName"], record["eventTime"], record["requestParameters"]) = (name.into(), time.into(), request);
        self.records.push(record);
        self
    }

    fn run(&self, verb: &str, more: &[&str]) -> Value {
        let path = self.folder.path().join("case.json");
        std::fs::write(&path, serde_json::json!({ "Records": self.records }).to_string()).expect("written");
        run(&[&[verb], more, &[path.to_str().expect("UTF-8")]].concat())
    }

    /// Severity and kind of the findings, by repository.
    fn findings(&self) -> BTreeMap<String, String> {
        let document = self.run("detect", &[]);
        let told = |finding: &Value| {
            let text = |key: &str| finding[key].as_str().expect("text").to_owned();
            (finding["repository"]["name"].as_str().expect("a name").to_owned(), format!("{} {}", text("severity"), text("kind")))
        };
        document["findings"].as_array().expect("findings").iter().map(told).collect()
    }
}

fn expected(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, told)| ((*name).to_owned(), (*told).to_owned())).collect()
}

#[test]
fn functions_services_and_projects_need_their_images_like_ecs_services() {
    let incident = Incident::read("other-deployments");
    let all = [
        ("s/apprunner", "high expired-while-tagged"),
        ("s/codebuild", "high expired-while-tagged"),
        ("s/ecs", "critical expired-while-tagged"),
        ("s/lambda", "critical expired-while-tagged"),
    ];
    assert_eq!(incident.findings(), expected(&all));
    let document = incident.run("forecast", &["--at", "2026-02-01"]);
    let forecast = document["forecast"].as_array().expect("a forecast");
    assert_eq!(forecast.len(), 4);
    assert!(forecast.iter().all(|image| image["needed"] == true), "needed before it is lost: {forecast:#?}");
}

#[test]
fn a_function_that_has_not_failed_yet_needs_its_image_all_the_same() {
    let incident = Incident::read("other-deployments").without("UpdateFunctionConfiguration20150331v2");
    assert_eq!(incident.findings()["s/lambda"], "high expired-while-tagged");
}

#[test]
fn what_was_replaced_or_deleted_before_needs_nothing() {
    let incident = Incident::read("other-deployments")
        .without("UpdateFunctionConfiguration20150331v2")
        .and_then(
            "UpdateFunctionCode20150331v2",
            "UpdateFunctionCode20150331v2",
            "2026-01-20T09:00:00Z",
            serde_json::json!({"functionName": "orders", "imageUri": "111122223333.dkr.ecr.eu-central-1.amazonaws.com/other:v2"}),
        )
        .and_then("CreateProject", "DeleteProject", "2026-01-20T09:00:01Z", serde_json::json!({"name": "ci"}));
    assert_eq!(incident.findings(), expected(&[("s/apprunner", "high expired-while-tagged"), ("s/ecs", "critical expired-while-tagged")]));
}

#[test]
fn a_puller_of_another_account_is_told_with_it_and_spans_are_told_in_words() {
    let incident = Incident::read("who-and-how-long");
    let text = "111122223333.dkr.ecr.us-west-2.amazonaws.com/otel@sha256:b99747ae7bb780d0e24c4fce2929df1fc47d49afad390fc07318ad6816afe118: not found";
    let document = incident.run("explain", &[text]);
    let verdict = &document["verdict"];
    assert!(verdict["narrative"][2]["text"].as_str().expect("text").contains("and 29 d later"), "{verdict:#}");
    assert!(verdict["used_by"][0]["text"].as_str().expect("text").starts_with("AROAEXAMPLEWORKLOAD0 of 444455556666, 1 task asked"), "{verdict:#}");
    let document = incident.run("detect", &[]);
    let principals = &document["findings"][0]["usage"]["principals"];
    assert_eq!(principals, &serde_json::json!(["AROAEXAMPLEWORKLOAD0:ffffffffffffffffffffffffffffffff (account 444455556666)"]));
}
