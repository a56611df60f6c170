//! Users of images other than ECS services, in incidents that people have reported (with records written for
//! these tests).

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

fn run(args: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(args)
        .args(["--format", "json", "--quiet"])
        .output()
        .expect("the binary runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// The records of an incident, and a folder for a changed copy of them.
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

    /// Adds a copy of a record with another name, time and request.
    fn and_then(mut self, like: &str, name: &str, time: &str, request: Value) -> Self {
        let mut record = self
            .records
            .iter()
            .find(|record| record["eventName"] == like)
            .expect("a record of that name")
            .clone();
        record["eventID"] = Value::String(format!("0b6f0a3e-0000-4a54-9d5c-{:012}", self.records.len()));
        (record["eventName"], record["eventTime"], record["requestParameters"]) =
            (name.into(), time.into(), request);
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
            (
                finding["repository"]["name"].as_str().expect("a name").to_owned(),
                format!("{} {}", text("severity"), text("kind")),
            )
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
    assert_eq!(
        incident.findings(),
        expected(&[("s/apprunner", "high expired-while-tagged"), ("s/ecs", "critical expired-while-tagged")])
    );
}

#[test]
fn a_puller_of_another_account_is_told_with_it_and_spans_are_told_in_words() {
    let incident = Incident::read("who-and-how-long");
    let text = "111122223333.dkr.ecr.us-west-2.amazonaws.com/otel@sha256:b99747ae7bb780d0e24c4fce2929df1fc47d49afad390fc07318ad6816afe118: not found";
    let document = incident.run("explain", &[text]);
    let verdict = &document["verdict"];
    assert!(
        verdict["narrative"][2]["text"].as_str().expect("text").contains("and 29 d later"),
        "{verdict:#}"
    );
    assert!(
        verdict["used_by"][0]["text"]
            .as_str()
            .expect("text")
            .starts_with("AROAEXAMPLEWORKLOAD0 of 444455556666, 1 task asked"),
        "{verdict:#}"
    );
    let document = incident.run("detect", &[]);
    let principals = &document["findings"][0]["usage"]["principals"];
    assert_eq!(
        principals,
        &serde_json::json!(["AROAEXAMPLEWORKLOAD0:ffffffffffffffffffffffffffffffff (account 444455556666)"])
    );
}

const KEY: &str = "arn:aws:kms:eu-central-1:111122223333:key/0f9de17a-6465-404e-8b1b-2356dc13c2f8";
const REFUSED: &str = "unexpected status from HEAD request to https://111122223333.dkr.ecr.eu-central-1.amazonaws.com/v2/vault/sealed/manifests/v1: 403 Forbidden";

impl Incident {
    /// The cause of a refused pull, what explains it, and the first advice.
    fn refusal(&self) -> (String, String, String) {
        let document = self.run("explain", &[REFUSED]);
        let verdict = &document["verdict"];
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        (text(&verdict["cause"]), text(&verdict["narrative"][2]["text"]), text(&verdict["advice"][0]))
    }
}

#[test]
fn a_disabled_key_explains_a_refused_pull() {
    let incident = Incident::read("kms-key-disabled");
    let (cause, why, advice) = incident.refusal();
    assert_eq!(cause, "access-taken");
    assert!(
        why.contains("was disabled at 2026-02-01T08:00:00Z")
            && why.contains("platform-admin/ops")
            && why.contains(KEY),
        "{why}"
    );
    assert!(
        advice.contains(&format!("`aws kms enable-key --region eu-central-1 --key-id {KEY}`")),
        "{advice}"
    );
    assert_eq!(incident.findings(), expected(&[("vault/sealed", "critical access-taken")]));
}

#[test]
fn a_key_that_is_to_be_deleted_or_got_another_policy_explains_it_too() {
    let key = serde_json::json!({"keyId": KEY});
    let with = |name: &str| {
        Incident::read("kms-key-disabled")
            .and_then("DisableKey", name, "2026-02-01T09:00:00Z", key.clone())
            .without("DisableKey")
    };
    let (_, why, advice) = with("ScheduleKeyDeletion").refusal();
    assert!(
        why.contains("was scheduled for deletion") && advice.contains("aws kms cancel-key-deletion"),
        "{why} {advice}"
    );
    let (_, why, advice) = with("PutKeyPolicy").refusal();
    assert!(
        why.contains("got another key policy") && advice.contains("aws kms get-key-policy"),
        "{why} {advice}"
    );
    assert_eq!(with("PutKeyPolicy").findings(), expected(&[]), "a policy may have taken nothing");
}

#[test]
fn a_key_that_was_enabled_again_locks_nobody_out() {
    let key = serde_json::json!({"keyId": KEY});
    let enabled = |time: &str| {
        Incident::read("kms-key-disabled").and_then("DisableKey", "EnableKey", time, key.clone())
    };
    let before = enabled("2026-02-01T09:00:00Z");
    assert_eq!((before.refusal().0.as_str(), before.findings()), ("still-there", expected(&[])));
    let (cause, why, _) = enabled("2026-02-03T09:00:00Z").refusal();
    assert_eq!(cause, "access-taken");
    assert!(why.contains("could be used again from 2026-02-03T09:00:00Z on"), "{why}");
    let called_off = Incident::read("kms-key-disabled").and_then(
        "DisableKey",
        "CancelKeyDeletion",
        "2026-02-01T09:00:00Z",
        key,
    );
    assert!(called_off.refusal().1.contains("was disabled"), "it stays disabled");
}

#[test]
fn the_key_is_found_by_its_id_its_alias_or_the_grant_of_the_registry() {
    let named = |change: &dyn Fn(&mut Value)| {
        let mut incident = Incident::read("kms-key-disabled");
        let creation = incident
            .records
            .iter_mut()
            .find(|record| record["eventName"] == "CreateRepository")
            .expect("its creation");
        change(creation);
        incident
    };
    let by = |name: &'static str| {
        named(&move |creation: &mut Value| {
            for place in [
                "/requestParameters/encryptionConfiguration",
                "/responseElements/repository/encryptionConfiguration",
            ] {
                creation.pointer_mut(place).expect("an encryption")["kmsKey"] = name.into();
            }
        })
    };
    assert_eq!(by("0f9de17a-6465-404e-8b1b-2356dc13c2f8").refusal().0, "access-taken");
    let alias = serde_json::json!({"aliasName": "alias/vault", "targetKeyId": "0f9de17a-6465-404e-8b1b-2356dc13c2f8"});
    assert_eq!(
        by("alias/vault").and_then("DisableKey", "CreateAlias", "2026-01-01T08:00:00Z", alias).refusal().0,
        "access-taken"
    );
    let context = serde_json::json!({"encryptionContextSubset": {"aws:ecr:arn": "arn:aws:ecr:eu-central-1:111122223333:repository/vault/sealed"}});
    let grant = serde_json::json!({"keyId": KEY, "constraints": context});
    assert_eq!(
        by("alias/vault").and_then("DisableKey", "CreateGrant", "2026-01-02T08:00:01Z", grant).refusal().0,
        "access-taken"
    );
    assert_eq!(by("alias/vault").refusal().0, "still-there", "nothing tells which key that is");
}

#[test]
fn a_deployment_that_names_the_digest_is_not_told_to_be_forced() {
    let incident = Incident::read("pinned-by-digest-advice");
    let document = incident.run("detect", &[]);
    let advice: Vec<&str> = document["findings"][0]["advice"]
        .as_array()
        .expect("advice")
        .iter()
        .filter_map(Value::as_str)
        .collect();
    let all = advice.join("\n");
    assert!(!all.contains("--force-new-deployment"), "{all}");
    assert!(
        all.contains("Task definition cart:5")
            && all.contains("aws ecs update-service --region eu-central-1 --cluster prod --service cart --task-definition cart"),
        "{all}"
    );
}
