//! Output of the AWS CLI and of kubectl as sources, with and without logs: what it settles, what it
//! contradicts, and what is left out and reported. The output was written for these tests, with made-up
//! values; its members are checked against botocore's models.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "111122223333";
/// 2026-03-04T10:00:00Z.
const TAKEN: u64 = 1_772_618_400;

fn answers_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/recorded")
}

fn read(name: &str) -> Value {
    let text = fs::read_to_string(answers_folder().join(format!("{name}.json"))).expect("an answer");
    serde_json::from_str(&text).expect("JSON")
}

fn log() -> Value {
    let text = fs::read_to_string(answers_folder().with_file_name("log.json")).expect("a log");
    serde_json::from_str(&text).expect("JSON")
}

fn digest(name: &str) -> String {
    let hash = Sha256::digest(format!("manifest {name}").as_bytes());
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

fn reference(name: &str) -> String {
    format!("{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/shop/api@{}", digest(name))
}

/// A folder of evidence.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with the log.
    fn logged() -> Self {
        Self::new().with("log.json", &log())
    }

    fn with(self, name: &str, document: &Value) -> Self {
        self.text(name, document.to_string().as_bytes())
    }

    fn text(self, name: &str, text: &[u8]) -> Self {
        let path = self.0.path().join(name);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(&path, text).expect("written");
        self.at(name, TAKEN)
    }

    fn at(self, name: &str, seconds: u64) -> Self {
        let file = fs::File::options().append(true).open(self.0.path().join(name)).expect("there");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).expect("dated");
        self
    }

    fn answer(self, name: &str) -> Self {
        self.with(&format!("{name}.json"), &read(name))
    }

    fn run(&self, arguments: &[&str]) -> (Value, i32) {
        let (stdout, stderr, code) = self.raw(arguments);
        (serde_json::from_slice(&stdout).unwrap_or_else(|error| panic!("{error}: {stderr}")), code)
    }

    fn raw(&self, arguments: &[&str]) -> (Vec<u8>, String, i32) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let output = command
            .current_dir(self.0.path())
            .args(arguments)
            .args([".", "--format", "json"])
            .output()
            .expect("the binary runs");
        (
            output.stdout,
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.status.code().expect("a code"),
        )
    }

    fn detect(&self) -> Value {
        let (document, code) = self.run(&["detect"]);
        assert_eq!(code, 0);
        document
    }

    /// Kind and digest of each finding.
    fn findings(&self) -> BTreeSet<(String, String)> {
        let document = self.detect();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        document["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .map(|one| (text(&one["kind"]), text(&one["lost"]["digest"])))
            .collect()
    }

    fn timeline(&self, name: &str) -> Value {
        let (document, _) = self.run(&["timeline"]);
        let all = document["timelines"].as_array().expect("timelines");
        all.iter().find(|one| one["digest"] == digest(name)).cloned().unwrap_or(Value::Null)
    }

    fn explain(&self, name: &str) -> Value {
        self.run(&["explain", &reference(name)]).0["verdict"].take()
    }
}

fn snapshots(document: &Value) -> &Vec<Value> {
    document["coverage"]["snapshots"].as_array().expect("snapshots")
}

/// The only snapshot of that call.
fn snapshot<'d>(document: &'d Value, call: &str) -> &'d Value {
    snapshots(document)
        .iter()
        .find(|snapshot| snapshot["call"] == call)
        .unwrap_or_else(|| panic!("{call}: {document}"))
}

#[test]
fn the_recorded_answers_have_the_members_of_the_models() {
    let shapes = fs::read_to_string(answers_folder().with_file_name("shapes.txt")).expect("shapes");
    let known: BTreeSet<&str> = shapes.lines().filter_map(|line| line.split(' ').next()).collect();
    let mut checked = 0;
    for file in fs::read_dir(answers_folder()).expect("answers").map(|entry| entry.expect("an entry").path())
    {
        let name = file.file_stem().expect("a name").to_string_lossy().into_owned();
        let Some((service, call)) = name.split_once('.').filter(|(service, _)| *service != "kubectl") else {
            continue;
        };
        let call: String = call.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
        let mut paths = Vec::new();
        collect(&read(&name), &format!("{service}.{call}"), &mut paths);
        for path in paths {
            assert!(known.contains(path.as_str()), "{path} is no member of the model");
        }
        checked += 1;
    }
    assert_eq!(checked, 21);
}

fn collect(value: &Value, path: &str, paths: &mut Vec<String>) {
    match value {
        Value::Object(members) => members.iter().for_each(|(name, value)| {
            paths.push(format!("{path}.{name}"));
            collect(value, &format!("{path}.{name}"), paths);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect(item, &format!("{path}[]"), paths)),
        _ => {}
    }
}

#[test]
fn a_list_of_images_alone_says_what_is_there() {
    let folder = Folder::new().answer("ecr.describe-images").answer("ecr.describe-repositories");
    let (document, code) = folder.run(&["timeline"]);
    assert_eq!(code, 0);
    assert_eq!(document["timelines"].as_array().map(Vec::len), Some(5));
    let old = folder.timeline("old");
    assert_eq!((&old["state"], &old["tags"]), (&json!("tagged"), &json!(["base-2025"])));
    assert_eq!(old["pushed_at"], "2025-11-03T08:12:44.337Z");
    assert_eq!(old["steps"][0]["event"]["event_name"], "describe-images");
    let cold = folder.timeline("cold");
    assert_eq!((&cold["state"], &cold["gone_at"]), (&json!("archived"), &json!("2026-01-02T03:04:05Z")));
    assert_eq!(folder.explain("old")["cause"], "still-there");
    let gone = folder.explain("nobody");
    assert_eq!(gone["exists"]["digest_exists"], Value::Null, "nothing knows such an image: {gone}");
}

#[test]
fn an_image_from_before_the_logs_was_there_all_the_time() {
    let folder = Folder::logged().answer("ecr.describe-images");
    let old = folder.timeline("old");
    assert_eq!((&old["state"], &old["open_start"]), (&json!("tagged"), &json!(true)));
    let (document, _) = folder.run(&["explain", &reference("old"), "--at", "2026-03-01T12:00:00Z"]);
    assert_eq!(document["verdict"]["moment"]["digest_existed"], true, "its push time says so: {document}");
    assert_eq!(
        document["verdict"]["narrative"][0]["evidence"][0]["event_name"], "describe-images",
        "{document}"
    );
    let (document, _) = folder.run(&["timeline"]);
    let tag = document["tags"]
        .as_array()
        .expect("tags")
        .iter()
        .find(|tag| tag["tag"] == "base-2025")
        .cloned()
        .expect("the tag");
    assert_eq!(tag["points_to"], digest("old"));
}

#[test]
fn every_kind_of_answer_tells_who_is_broken_now() {
    let names: Vec<String> = fs::read_dir(answers_folder())
        .expect("answers")
        .map(|entry| {
            entry.expect("an entry").path().file_stem().expect("a name").to_string_lossy().into_owned()
        })
        .collect();
    let folder = names.iter().fold(Folder::logged(), |folder, name| folder.answer(name));
    let expected: BTreeSet<(String, String)> = [
        "revision",
        "task",
        "function",
        "listed-function",
        "apprunner",
        "job",
        "endpoint",
        "inspected",
        "pod",
        "cronjob",
    ]
    .iter()
    .map(|name| ("not-listed".to_owned(), digest(name)))
    .collect();
    assert_eq!(folder.findings(), expected);
    let document = folder.detect();
    let of = |name: &str| {
        document["findings"]
            .as_array()
            .expect("findings")
            .iter()
            .find(|one| one["lost"]["digest"] == digest(name))
            .cloned()
            .expect("a finding")
    };
    assert_eq!(of("revision")["severity"], "critical", "a running service is pinned to it");
    assert_eq!(of("pod")["usage"]["references"], json!(["kubernetes replicaset shop/pay-7d9f8b6c5d"]));
    assert!(
        of("function")["summary"].as_str().expect("a summary").contains("does not list it"),
        "{}",
        of("function")
    );
    assert_eq!(snapshots(&document).len(), names.len());
}

#[test]
fn a_need_is_no_finding_while_its_image_is_listed() {
    let mut list = read("ecr.describe-images");
    for name in ["revision", "task"] {
        let mut image = list["imageDetails"][0].clone();
        (image["imageDigest"], image["imageTags"]) = (digest(name).into(), json!([name]));
        list["imageDetails"].as_array_mut().expect("images").push(image);
    }
    let folder = Folder::logged().with("list.json", &list).answer("ecs.describe-services");
    let folder = folder
        .answer("ecs.describe-service-revisions")
        .answer("ecs.describe-tasks")
        .answer("ecs.describe-task-definition");
    assert_eq!(folder.findings(), BTreeSet::new());
    let forecast = folder.with("policy.json", &read("ecr.get-lifecycle-policy")).run(&["forecast"]).0;
    assert_ne!(forecast["forecast"], Value::Null);
}

#[test]
fn logs_and_snapshot_that_contradict_each_other_are_both_shown() {
    let folder = Folder::logged().answer("ecr.describe-images");
    let document = folder.detect();
    let found = document["coverage"]["contradictions"].as_array().expect("contradictions").clone();
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (&found[0]["digest"], &found[0]["logged"]["event_name"]),
        (&json!(digest("orphan")), &json!("BatchDeleteImage"))
    );
    let text = found[0]["text"].as_str().expect("a text");
    assert!(text.contains("BatchDeleteImage at 2026-03-02T12:00:00Z") && text.contains("shows it"), "{text}");
    assert_eq!(folder.timeline("orphan")["state"], "untagged", "what was seen last holds");
}

#[test]
fn a_list_in_the_midst_of_the_logs_that_lacks_an_image_is_evidence_of_a_gap() {
    let mut list = read("ecr.describe-images");
    list["imageDetails"].as_array_mut().expect("images").retain(|image| image["imageDigest"] != digest("v1"));
    // Between the second push and the last event.
    let folder = Folder::logged().with("list.json", &list).at("list.json", 1_772_500_000);
    let document = folder.detect();
    let found = document["coverage"]["contradictions"].to_string();
    assert!(found.contains(&digest("v1")) && found.contains("does not list it"), "{found}");
    assert_eq!(folder.explain("v1")["cause"], "not-listed");
    // After the last event it is no contradiction: the logs end before it.
    let after = Folder::logged().with("list.json", &list).detect();
    assert!(!after["coverage"]["contradictions"].to_string().contains(&digest("v1")));
}

#[test]
fn a_file_that_was_copied_late_says_nothing_of_newer_pushes() {
    let mut list = read("ecr.describe-images");
    // The list was taken before v2 was pushed, and its file is newer.
    list["imageDetails"].as_array_mut().expect("images").retain(|image| image["imageDigest"] != digest("v2"));
    list["imageDetails"][1]["imagePushedAt"] = "2026-03-01T10:00:00+00:00".into();
    let folder = Folder::logged().with("list.json", &list);
    assert_eq!(folder.timeline("v2")["state"], "tagged", "it is newer than everything that the list has");
    assert_eq!(
        folder.timeline("listed-function")["state"],
        "gone",
        "older than the newest in the list, and not in it"
    );
}

#[test]
fn the_policy_in_force_of_a_snapshot_is_what_a_forecast_goes_by() {
    let folder = Folder::new()
        .answer("ecr.describe-images")
        .answer("ecr.describe-repositories")
        .answer("ecr.get-lifecycle-policy");
    let (document, code) = folder.run(&["forecast"]);
    assert_eq!(code, 0);
    let text = document["forecast"].to_string();
    assert!(text.contains(&digest("orphan")), "untagged since long, and older than 14 days: {text}");
    let held = folder.answer("ecr.batch-get-image").run(&["forecast"]).0["forecast"].to_string();
    assert_ne!(held, text, "an index holds it, and its manifest says so");
}

#[test]
fn another_policy_than_that_of_the_logs_is_a_contradiction_where_the_logs_go_on() {
    let mut log = log();
    let mut put = log["Records"][0].clone();
    (put["eventName"], put["eventTime"], put["eventID"]) = (
        "PutLifecyclePolicy".into(),
        "2026-03-01T07:30:00Z".into(),
        "5a5a5a5a-0000-4000-8000-00000000000a".into(),
    );
    put["requestParameters"] =
        json!({"repositoryName": "shop/api", "registryId": ACCOUNT, "lifecyclePolicyText": "{\"rules\":[]}"});
    log["Records"].as_array_mut().expect("records").push(put);
    let folder = Folder::new()
        .with("log.json", &log)
        .answer("ecr.get-lifecycle-policy")
        .at("ecr.get-lifecycle-policy.json", 1_772_510_000);
    let document = folder.detect();
    let found = document["coverage"]["contradictions"].to_string();
    assert!(
        found.contains("another lifecycle policy")
            && found.contains("PutLifecyclePolicy at 2026-03-01T07:30:00Z"),
        "{document}"
    );
}

#[test]
fn of_a_region_that_nothing_tells_nothing_is_guessed() {
    let alone = Folder::new().answer("ecr.get-lifecycle-policy").answer("ecr.describe-images");
    let (document, _) = alone.run(&["timeline"]);
    assert_eq!(document["timelines"], json!([]));
    let read = snapshot(&document, "ecr describe-images");
    assert_eq!((&read["left_out"], &read["region"]), (&json!(5), &Value::Null));
    assert!(
        read["note"].as_str().expect("a note").contains("nothing tells the region of shop/api"),
        "{read}"
    );

    let folder =
        Folder::new().with("x/111122223333/eu-west-1/images.json", &crate::read("ecr.describe-images"));
    let (document, _) = folder.run(&["timeline"]);
    let read = snapshot(&document, "ecr describe-images");
    assert_eq!((&read["region"], &read["place_from"]), (&json!("eu-west-1"), &json!("name")));

    let mut elsewhere = crate::read("ecr.describe-repositories");
    elsewhere["repositories"][0]["repositoryArn"] =
        "arn:aws:ecr:us-east-1:111122223333:repository/shop/api".into();
    let two = Folder::new()
        .answer("ecr.describe-repositories")
        .with("other.json", &elsewhere)
        .answer("ecr.describe-images");
    let (document, _) = two.run(&["timeline"]);
    let note = snapshot(&document, "ecr describe-images")["note"].as_str().expect("a note").to_owned();
    assert!(note.contains("eu-central-1 of 111122223333 or in us-east-1 of 111122223333"), "{note}");
}

/// Values in the output itself or in its file's name take precedence; the option provides the others.
#[test]
fn an_option_places_what_nothing_tells() {
    let told = read("ecr.describe-images");
    let folder =
        Folder::new().answer("ecr.get-lifecycle-policy").with("x/111122223333/eu-west-1/images.json", &told);
    let (document, code) = folder.run(&["timeline", "--snapshot-region", "eu-central-1"]);
    assert_eq!(code, 0);
    let policy = snapshot(&document, "ecr get-lifecycle-policy");
    assert_eq!(
        (&policy["region"], &policy["place_from"], &policy["left_out"]),
        (&json!("eu-central-1"), &json!("option"), &json!(0))
    );
    assert_eq!(snapshot(&document, "ecr describe-images")["region"], "eu-west-1");
    // Without the option, the only place where the repository is known is used; if there is none, the
    // snapshot is not placed.
    assert_eq!(snapshot(&folder.run(&["timeline"]).0, "ecr get-lifecycle-policy")["region"], "eu-west-1");
    let alone = Folder::new().answer("ecr.get-lifecycle-policy").run(&["timeline"]).0;
    assert!(
        snapshot(&alone, "ecr get-lifecycle-policy")["note"]
            .as_str()
            .expect("a note")
            .contains("--snapshot-region"),
        "{alone}"
    );
}

#[test]
fn pages_that_are_missing_let_nothing_vanish() {
    let mut list = read("ecr.describe-images");
    list["imageDetails"].as_array_mut().expect("images").truncate(1);
    list["nextToken"] = "eyJ0b2tlbiI6ICJ4In0=".into();
    let folder = Folder::logged().with("page.json", &list).answer("ecs.describe-service-revisions");
    assert_eq!(folder.findings(), BTreeSet::new());
    let document = folder.detect();
    let read = snapshot(&document, "ecr describe-images");
    assert_eq!(read["whole"], false);
    assert!(read["note"].as_str().expect("a note").contains("pages are missing"), "{read}");
    assert_eq!(folder.timeline("v1")["state"], "tagged");
}

#[test]
fn entries_without_a_digest_are_left_out_and_nothing_is_concluded_from_such_a_list() {
    let mut list = read("ecr.describe-images");
    list["imageDetails"].as_array_mut().expect("images").retain(|image| image["imageDigest"] != digest("v1"));
    list["imageDetails"][0]["imageDigest"] = "sha256:short".into();
    let folder = Folder::logged().with("list.json", &list);
    let document = folder.detect();
    assert_eq!(snapshot(&document, "ecr describe-images")["left_out"], 1);
    assert_eq!(folder.timeline("v1")["state"], "tagged");
}

#[test]
fn an_answer_that_is_cut_off_is_a_failure_and_takes_nothing_away() {
    let text = read("ecr.describe-images").to_string();
    let folder = Folder::logged().text("cut.json", &text.as_bytes()[..text.len() / 2]);
    let (document, code) = folder.run(&["detect"]);
    assert_eq!((code, &document["coverage"]["objects_failed"]), (3, &json!(1)));
    assert_eq!(document["coverage"]["failures"][0]["object"], "cut.json");
}

#[test]
fn another_accounts_answers_change_nothing_of_this_one() {
    let other = |name: &str| {
        serde_json::from_str::<Value>(&read(name).to_string().replace(ACCOUNT, "999988887777")).expect("JSON")
    };
    let before = Folder::logged();
    let folder = Folder::logged()
        .with("list.json", &other("ecr.describe-images"))
        .with("repositories.json", &other("ecr.describe-repositories"));
    for name in ["v1", "v2", "listed-function"] {
        assert_eq!(folder.timeline(name), before.timeline(name), "{name}");
    }
    assert_eq!(snapshot(&folder.detect(), "ecr describe-images")["account"], "999988887777");
}

#[test]
fn a_second_copy_counts_once_and_order_changes_no_byte() {
    let folder = Folder::logged().answer("ecr.describe-images").answer("ecs.describe-service-revisions");
    let list = serde_json::to_vec_pretty(&read("ecr.describe-images")).expect("text");
    let folder = folder.text("zz-copy.json", &list).at("zz-copy.json", TAKEN + 86_400);
    let document = folder.detect();
    let copies: Vec<&Value> = snapshots(&document)
        .iter()
        .filter(|one| one["note"].as_str().is_some_and(|note| note.contains("second copy")))
        .collect();
    assert_eq!(copies.len(), 1);
    assert_eq!(copies[0]["object"], "zz-copy.json");
    let again = |jobs: &str| folder.raw(&["detect", "--jobs", jobs]).0;
    assert_eq!(again("1"), again("4"));
}

#[test]
fn several_answers_in_one_file_a_list_of_them_and_a_packed_one_are_read() {
    let [images, repositories, revisions] =
        ["ecr.describe-images", "ecr.describe-repositories", "ecs.describe-service-revisions"].map(read);
    let one_after_another = format!("{images:#}\n{repositories:#}\n{revisions:#}\n");
    let list = json!([images, repositories, revisions]);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    std::io::Write::write_all(&mut packed, list.to_string().as_bytes()).expect("written");
    let expected = Folder::logged()
        .answer("ecr.describe-images")
        .answer("ecr.describe-repositories")
        .answer("ecs.describe-service-revisions");
    let expected = expected.findings();
    assert_eq!(expected.len(), 1);
    assert_eq!(Folder::logged().text("all.json", one_after_another.as_bytes()).findings(), expected);
    assert_eq!(Folder::logged().with("list.json", &list).findings(), expected);
    assert_eq!(Folder::logged().text("list.json.gz", &packed.finish().expect("packed")).findings(), expected);
    let beside = json!([images, repositories, revisions, log()]);
    assert_eq!(
        Folder::new().with("mixed.json", &beside).findings(),
        expected,
        "in one file with the records themselves"
    );
}

#[test]
fn a_time_that_cannot_be_is_not_taken() {
    // The file is older than the newest push in it.
    let folder = Folder::new()
        .answer("ecr.describe-images")
        .answer("ecr.describe-repositories")
        .at("ecr.describe-images.json", 1_600_000_000);
    let (document, _) = folder.run(&["timeline"]);
    let read = snapshot(&document, "ecr describe-images");
    assert_eq!(
        (&read["time_from"], &read["time"]),
        (&json!("content"), &json!("2026-03-03T06:00:00.500Z")),
        "{read}"
    );
    assert!(read["note"].as_str().expect("a note").contains("no older than those"), "{read}");
}

#[test]
fn an_envelope_says_when_where_and_how_much() {
    let mut answer = read("ecr.describe-images");
    answer["imageDetails"].as_array_mut().expect("images").iter_mut().for_each(|image| {
        image.as_object_mut().expect("an image").remove("registryId");
    });
    let head = json!({"call": "ecr describe-images", "account": ACCOUNT, "region": "eu-central-1", "at": "2026-03-04T09:00:00Z",
        "repository": "shop/api", "whole": true, "archived": true});
    let none = json!({"call": "ecr get-lifecycle-policy", "account": ACCOUNT, "region": "eu-central-1", "at": "2026-03-04T09:00:00Z",
        "repository": "shop/api"});
    let failed = json!({"tagfall": none, "error": "An error occurred (LifecyclePolicyNotFoundException) when calling the GetLifecyclePolicy operation"});
    let folder =
        Folder::logged().with("a.json", &json!({"tagfall": head, "answer": answer})).with("b.json", &failed);
    let document = folder.detect();
    let read = snapshot(&document, "ecr describe-images");
    assert_eq!(
        (&read["time"], &read["time_from"], &read["note"]),
        (&json!("2026-03-04T09:00:00Z"), &json!("document"), &json!(""))
    );
    assert_eq!(folder.timeline("old")["state"], "tagged");
    assert_eq!(snapshot(&document, "ecr get-lifecycle-policy")["left_out"], 0);
    // An empty repository has an empty list, and only the envelope says of what.
    let empty = json!({"tagfall": head, "answer": {"imageDetails": []}});
    assert_eq!(Folder::logged().with("a.json", &empty).timeline("v1")["state"], "gone");
}

#[test]
fn what_was_taken_after_until_is_left_out() {
    let folder = Folder::logged().answer("ecr.describe-images");
    let (document, _) = folder.run(&["timeline", "--until", "2026-03-03"]);
    assert_eq!(snapshot(&document, "ecr describe-images")["note"], "left out: it was taken after --until");
    assert!(
        document["timelines"].as_array().expect("timelines").iter().all(|one| one["digest"] != digest("old"))
    );
}

#[test]
fn a_pod_that_cannot_pull_names_its_image() {
    let mut pods = read("kubectl.pods");
    pods["items"].as_array_mut().expect("pods").truncate(1);
    let status = &mut pods["items"][0]["status"]["containerStatuses"][0];
    status["imageID"] = "".into();
    status["state"] = json!({"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}});
    pods["items"][0]["spec"]["containers"][0]["image"] = reference("listed-function").into();
    let folder = Folder::logged().with("pods.json", &pods).answer("ecr.describe-images");
    let found = folder.detect();
    assert_eq!(found["findings"][0]["severity"], "critical", "{found}");
    assert_eq!(found["findings"][0]["lost"]["digest"], digest("listed-function"));
}

#[test]
fn pseudonyms_hide_what_snapshots_name() {
    let names = [
        "ecr.describe-images",
        "ecr.describe-repositories",
        "ecs.describe-services",
        "ecs.describe-service-revisions",
        "kubectl.pods",
        "lambda.get-function",
    ];
    let folder = names.iter().fold(Folder::logged(), |folder, name| folder.answer(name));
    let (stdout, stderr, code) = folder.raw(&["detect", "--redact"]);
    let said = String::from_utf8(stdout).expect("UTF-8") + &stderr;
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("not-listed") && said.contains("contradictions"), "{said}");
    for hidden in [ACCOUNT, "shop/api", "shop/pay", "pay-7d9f", "service/prod", "function:orders"] {
        assert!(!said.contains(hidden), "{hidden} stands in {said}");
    }
}

#[test]
fn the_older_form_of_times_is_understood() {
    // The first version of the AWS CLI prints seconds.
    let mut list = read("ecr.describe-images");
    list["imageDetails"][1]["imagePushedAt"] = json!(1_772_348_400.101);
    let folder = Folder::new().with("eu-central-1/list.json", &list);
    assert_eq!(folder.timeline("v1")["pushed_at"], "2026-03-01T07:00:00Z");
}

/// Any modification of the output can be read: it is still recognised as output of that call, or not at all.
#[test]
fn damaged_answers_are_read_or_refused_and_never_panic() {
    let mut answers = tagfall::recognize::SnapshotParser::default();
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = |below: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).unwrap_or_default() % below.max(1)
    };
    let pieces =
        ["null", "[]", "{}", "\"\"", "-1", "1e999", "true", "[[[[", "\"sha256:\"", "\\u0000", ":", ","];
    for file in fs::read_dir(answers_folder()).expect("answers").map(|entry| entry.expect("an entry").path())
    {
        let text = fs::read_to_string(file).expect("text");
        for _ in 0..300 {
            let mut damaged: Vec<char> = text.chars().collect();
            for _ in 0..=next(3) {
                let (at, length) = (next(damaged.len()), next(24));
                let end = (at + length).min(damaged.len());
                damaged.splice(at..end, pieces[next(pieces.len())].chars());
            }
            let damaged: String = damaged.into_iter().collect();
            if let Some(answer) = answers.read(&damaged) {
                assert!(
                    !answer.call.is_empty() && answer.statements.len() as u64 <= answer.entries.max(1),
                    "{damaged}"
                );
            }
        }
    }
}

/// SQL over an archive is about records only; a lake that contains snapshots can still be queried for its
/// records.
#[cfg(feature = "sql")]
#[test]
fn a_query_over_an_archive_says_that_a_snapshot_is_no_record() {
    let folder = Folder::logged().answer("ecr.describe-images");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    let output = command
        .args(["query", "SELECT count(*) FROM cloudtrail_logs"])
        .arg(folder.0.path())
        .output()
        .expect("the binary runs");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("ecr describe-images") && said.contains("a snapshot"), "{said}");
}
