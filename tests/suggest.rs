//! `whatif --suggest`: its suggestions affect nobody in a replay, expire what nobody needed, and can be used
//! unchanged.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "111122223333";

fn digest(name: &str) -> String {
    let hash = Sha256::digest(format!("manifest {name}").as_bytes());
    format!("sha256:{}", hash.iter().map(|byte| format!("{byte:02x}")).collect::<String>())
}

/// The history of one repository, day by day.
#[derive(Default)]
struct World {
    records: Vec<Value>,
}

impl World {
    fn record(mut self, day: u32, source: &str, name: &str, request: Value, response: Value) -> Self {
        let number = self.records.len();
        let time = format!(
            "2026-{:02}-{:02}T10:{:02}:{:02}Z",
            1 + day / 28,
            1 + day % 28,
            number / 60 % 60,
            number % 60
        );
        self.records.push(json!({
            "eventVersion": "1.08", "userIdentity": {"type": "AssumedRole", "arn": "arn:aws:sts::111122223333:assumed-role/ci/run", "accountId": ACCOUNT},
            "eventTime": time, "eventSource": source, "eventName": name, "awsRegion": "eu-central-1", "sourceIPAddress": "198.51.100.7",
            "userAgent": "docker/27", "requestParameters": request, "responseElements": response, "readOnly": false, "eventType": "AwsApiCall",
            "eventID": format!("5a5a5a5a-0000-4000-8000-{number:012}"), "recipientAccountId": ACCOUNT,
        }));
        self
    }

    fn policy(self, day: u32, rules: &Value) -> Self {
        let text = json!({ "rules": rules }).to_string();
        let request =
            json!({"registryId": ACCOUNT, "repositoryName": "shop/api", "lifecyclePolicyText": text});
        self.record(day, "ecr.amazonaws.com", "PutLifecyclePolicy", request.clone(), request)
    }

    fn push(self, day: u32, name: &str, tag: &str) -> Self {
        let request = json!({"registryId": ACCOUNT, "repositoryName": "shop/api", "imageTag": tag});
        let response = json!({"image": {"registryId": ACCOUNT, "repositoryName": "shop/api", "imageId": {"imageDigest": digest(name), "imageTag": tag}}});
        self.record(day, "ecr.amazonaws.com", "PutImage", request, response)
    }

    /// Pushes an image with a manifest that has these layers and sizes; also returns its digest.
    fn push_built(self, day: u32, name: &str, tag: &str, layers: &[(&str, u64)]) -> (Self, String) {
        let layer =
            |(name, size): &(&str, u64)| json!({"mediaType": "l", "digest": digest(name), "size": size});
        let layers: Vec<Value> = layers.iter().map(layer).collect();
        let manifest = json!({"schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": {"mediaType": "c", "digest": digest(&format!("config {name}")), "size": 10}, "layers": layers})
        .to_string();
        let own = format!(
            "sha256:{}",
            Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        );
        let request = json!({"registryId": ACCOUNT, "repositoryName": "shop/api", "imageTag": tag, "imageManifest": manifest});
        let response = json!({"image": {"registryId": ACCOUNT, "repositoryName": "shop/api", "imageId": {"imageDigest": own, "imageTag": tag}}});
        (self.record(day, "ecr.amazonaws.com", "PutImage", request, response), own)
    }

    /// A service is deployed with the digest.
    fn deploy(self, day: u32, service: &str, name: &str) -> Self {
        let arn =
            format!("arn:aws:ecs:eu-central-1:{ACCOUNT}:task-definition/{service}:{}", self.records.len());
        let image = format!("{ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/shop/api@{}", digest(name));
        let containers = json!([{"name": "app", "image": image}]);
        let defined = self.record(
            day,
            "ecs.amazonaws.com",
            "RegisterTaskDefinition",
            json!({"family": service, "containerDefinitions": containers}),
            json!({"taskDefinition": {"taskDefinitionArn": arn, "containerDefinitions": containers}}),
        );
        let running = format!("arn:aws:ecs:eu-central-1:{ACCOUNT}:service/prod/{service}");
        let response = json!({"service": {"serviceArn": running, "taskDefinition": arn}});
        defined.record(
            day,
            "ecs.amazonaws.com",
            "UpdateService",
            json!({"service": service, "cluster": "prod", "taskDefinition": arn}),
            response,
        )
    }

    fn write(&self, folder: &Path) {
        fs::write(folder.join("log.json"), json!({ "Records": self.records }).to_string()).expect("written");
    }

    fn suggest(&self) -> Value {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path());
        let mut document = whatif(folder.path(), &["--suggest"]);
        let list = document["suggestions"].as_array_mut().expect("suggestions");
        assert_eq!(list.len(), 1);
        list[0].take()
    }

    /// Harm and freed images of a policy, according to a normal replay.
    fn replay(&self, policy: &Value) -> (u64, u64) {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path());
        fs::write(folder.path().join("policy.txt"), policy.to_string()).expect("written");
        let document = whatif(folder.path(), &["--policy", "policy.txt"]);
        let taken = document["whatif"]
            .as_array()
            .expect("elements")
            .iter()
            .filter(|one| !one["would_go_at"].is_null());
        let (harm, freed): (Vec<&Value>, Vec<&Value>) = taken.partition(|one| one["needed"] == true);
        (harm.len() as u64, freed.len() as u64)
    }
}

fn whatif(folder: &Path, arguments: &[&str]) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    let output = command
        .current_dir(folder)
        .arg("whatif")
        .args(arguments)
        .args(["log.json", "--format", "json"])
        .output()
        .expect("the binary runs");
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

fn rule(priority: u32, status: &str, count: (&str, u32), prefix: Option<&str>) -> Value {
    let mut selection = json!({"tagStatus": status, "countType": count.0, "countNumber": count.1});
    if count.0.starts_with("since") {
        selection["countUnit"] = "days".into();
    }
    if let Some(prefix) = prefix {
        selection["tagPrefixList"] = json!([prefix]);
    }
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

/// A tag moves every day; a service is pinned to the first image for a week.
fn displaced() -> World {
    let world = World::default()
        .policy(0, &json!([rule(1, "untagged", ("sinceImagePushed", 1), None)]))
        .push(1, "first", "latest")
        .deploy(1, "web", "first");
    let world = (2..40).fold(world, |world, day| world.push(day, &format!("build {day}"), "latest"));
    world.deploy(9, "web", "build 9").push(40, "last", "latest")
}

/// Many builds, an old one of which runs in production.
fn outnumbered() -> World {
    let world = World::default()
        .policy(0, &json!([rule(1, "any", ("imageCountMoreThan", 3), None)]))
        .push(1, "prod", "prod-1")
        .deploy(1, "web", "prod");
    (2..30).fold(world, |world, day| world.push(day, &format!("build {day}"), &format!("sha-{day}")))
}

#[test]
fn a_suggestion_hurts_nobody_and_still_frees() {
    for (name, world) in [("displaced", displaced()), ("outnumbered", outnumbered())] {
        let found = world.suggest();
        assert!(found["before"]["harm"].as_u64().expect("a number") > 0, "{name}: {found}");
        assert_eq!(found["after"]["harm"], 0, "{name}: {found}");
        assert!(found["after"]["freed"].as_u64().expect("a number") > 0, "{name}: {found}");
        let shown = (
            found["after"]["harm"].as_u64().expect("a number"),
            found["after"]["freed"].as_u64().expect("a number"),
        );
        assert_eq!(world.replay(&found["policy"]), shown, "{name}: anybody can check it");
    }
}

#[test]
fn what_is_kept_by_number_alone_frees_no_more_at_equal_harm() {
    for (name, world) in [("displaced", displaced()), ("outnumbered", outnumbered())] {
        let freed = world.suggest()["after"]["freed"].as_u64().expect("a number");
        for newest in [3, 5, 10, 20, 30] {
            let naive = json!({"rules": [rule(1, "any", ("imageCountMoreThan", newest), None)]});
            let (harm, naive_freed) = world.replay(&naive);
            assert!(
                harm > 0 || naive_freed <= freed,
                "{name}: the newest {newest} hurt nobody and free {naive_freed}, not {freed}"
            );
        }
    }
}

#[test]
fn the_smallest_change_is_of_the_rule_that_did_harm() {
    let found = outnumbered().suggest();
    let changes = found["changes"].as_array().expect("changes");
    assert_eq!(changes.len(), 1, "{found}");
    let text = changes[0].as_str().expect("a change");
    assert!(
        text.contains("prod-"),
        "what is deployed has a tag of its own, and a rule by that frees most: {text}"
    );
    let rules = found["policy"]["rules"].as_array().expect("rules");
    assert_eq!(rules[0]["selection"]["tagPrefixList"], json!(["prod-"]));
}

/// The rule's number is part of its description, as people write it.
#[test]
fn a_rule_with_another_number_is_described_as_it_is_then() {
    let mut untagged = rule(2, "untagged", ("sinceImagePushed", 1), None);
    untagged["description"] = "Expire untagged images after 1 day".into();
    let mut tagged = rule(1, "tagged", ("imageCountMoreThan", 500), Some("release-"));
    tagged["description"] = "releases".into();
    let mut world = displaced();
    let policy = World::default().policy(0, &json!([tagged, untagged])).records.remove(0);
    world.records[0] = policy;
    let found = world.suggest();
    let rules = found["policy"]["rules"].as_array().expect("rules");
    let [first, second] = rules.as_slice() else { panic!("{found}") };
    assert_eq!(first["description"], "releases", "an unchanged rule keeps its own: {found}");
    let days = second["selection"]["countNumber"].as_u64().expect("a number");
    assert!(days > 1, "{found}");
    assert_eq!(
        second["description"],
        json!(format!("Expire untagged images {days} days after the push")),
        "{found}"
    );
}

#[test]
fn command_and_terraform_hold_the_policy_as_it_is() {
    let found = outnumbered().suggest();
    let command = found["command"].as_str().expect("a command");
    assert!(
        command.starts_with("aws ecr put-lifecycle-policy --region eu-central-1 --registry-id 111122223333 --repository-name shop/api"),
        "{command}"
    );
    let put = command
        .split_once("--lifecycle-policy-text '")
        .and_then(|(_, rest)| rest.strip_suffix('\''))
        .expect("the text");
    assert_eq!(serde_json::from_str::<Value>(put).expect("JSON"), found["policy"]);
    let terraform = found["terraform"].as_str().expect("a resource");
    let json = terraform
        .split_once("<<-POLICY\n")
        .and_then(|(_, rest)| rest.split_once("\nPOLICY\n"))
        .expect("a heredoc")
        .0;
    assert_eq!(serde_json::from_str::<Value>(json).expect("JSON"), found["policy"]);
}

#[test]
fn what_hurts_nobody_is_left_as_it_is() {
    let world = World::default()
        .policy(0, &json!([rule(1, "untagged", ("sinceImagePushed", 30), None)]))
        .push(1, "a", "v1")
        .deploy(1, "web", "a")
        .push(20, "b", "v2");
    let found = world.suggest();
    assert_eq!((&found["policy"], &found["changes"]), (&Value::Null, &json!([])), "{found}");
}

#[test]
fn a_repository_without_a_policy_is_given_one_that_hurts_nobody() {
    let create = json!({"registryId": ACCOUNT, "repositoryName": "shop/api"});
    let world = World::default().record(
        0,
        "ecr.amazonaws.com",
        "CreateRepository",
        create.clone(),
        json!({"repository": create}),
    );
    let world =
        (1..30).fold(world, |world, day| world.push(day, &format!("build {day}"), &format!("v{day}")));
    let world = world.deploy(29, "web", "build 20");
    let found = world.suggest();
    assert_eq!((&found["in_force"], &found["after"]["harm"]), (&json!([]), &json!(0)), "{found}");
    assert!(found["after"]["freed"].as_u64().expect("a number") > 0, "{found}");
}

#[test]
fn odd_rules_are_told() {
    let lint = |rules: Value, world: World| {
        let mut with = World::default().policy(0, &rules);
        with.records.extend(world.records);
        with.suggest()["lint"]
            .as_array()
            .expect("sentences")
            .iter()
            .map(|one| one["text"].as_str().expect("text").to_owned())
            .collect::<Vec<_>>()
            .join("\n")
    };
    let images = || {
        World::default()
            .push(1, "a", "prod-1")
            .deploy(1, "web", "a")
            .push(2, "b", "prod-2")
            .deploy(2, "api", "b")
    };
    let mut both = rule(1, "tagged", ("imageCountMoreThan", 1), None);
    both["selection"]["tagPrefixList"] = json!(["prod-", "release-"]);
    let said = lint(json!([both]), images());
    assert!(
        said.contains("for each of its 2 prefixes")
            && said.contains("protects nothing")
            && said.contains("stay for ever"),
        "{said}"
    );
    let said = lint(json!([rule(1, "tagged", ("imageCountMoreThan", 1), Some("prod-"))]), images());
    assert!(said.contains("it keeps 1 images, and 2 that it speaks of are deployed"), "{said}");
    let said = lint(
        json!([
            rule(1, "any", ("imageCountMoreThan", 5), None),
            rule(2, "untagged", ("sinceImagePushed", 1), None)
        ]),
        images(),
    );
    assert!(said.contains("stands above 1 more") && said.contains("goes at the very next run"), "{said}");
}

/// The tags in production begin with numbers and have the same ending.
#[test]
fn tags_that_end_alike_are_kept_by_a_pattern() {
    let world = World::default()
        .policy(0, &json!([rule(1, "any", ("imageCountMoreThan", 3), None)]))
        .push(1, "prod", "1.0-prod")
        .deploy(1, "web", "prod");
    let world =
        (2..30).fold(world, |world, day| world.push(day, &format!("build {day}"), &format!("{day}.0-dev")));
    let found = world.suggest();
    assert_eq!(found["policy"]["rules"][0]["selection"]["tagPatternList"], json!(["*-prod"]), "{found}");
    assert_eq!(found["after"]["harm"], 0);
    let shown = (
        found["after"]["harm"].as_u64().expect("a number"),
        found["after"]["freed"].as_u64().expect("a number"),
    );
    assert_eq!(world.replay(&found["policy"]), shown, "anybody can check it");
}

/// Ten builds share a base of 1000 bytes, and have a layer of 100 and a config of 10 of their own; the newest
/// three are kept.
#[test]
fn layers_are_counted_once_and_what_stays_frees_nothing() {
    let world = World::default().policy(0, &json!([rule(1, "any", ("imageCountMoreThan", 3), None)]));
    let built = (1..=10).fold(world, |world, day| {
        let own = format!("layer {day}");
        world.push_built(day, &format!("build {day}"), &format!("v{day}"), &[("base", 1000), (&own, 100)]).0
    });
    let last = |world: World| world.push(20, "last", "other").suggest()["before"].clone();
    let before = built.suggest()["before"].clone();
    assert_eq!(
        (&before["freed"], &before["freed_bytes"], &before["freed_bytes_at_most"]),
        (&json!(6), &json!(6 * 110), &json!(6 * 1110)),
        "{before}"
    );
    // The manifest of a kept image is not in the logs, so its shared layers are not known.
    let unknown = last(built);
    assert_eq!(
        (&unknown["freed_bytes"], &unknown["freed_bytes_at_most"]),
        (&Value::Null, &json!(7 * 1110)),
        "{unknown}"
    );
    let nothing = (1..=10).fold(
        World::default().policy(0, &json!([rule(1, "any", ("imageCountMoreThan", 3), None)])),
        |world, day| world.push(day, &format!("build {day}"), &format!("v{day}")),
    );
    let before = nothing.suggest()["before"].clone();
    assert_eq!(
        (&before["freed"], &before["freed_bytes"], &before["freed_bytes_at_most"]),
        (&json!(6), &Value::Null, &Value::Null),
        "{before}"
    );
}
