//! `fate`: one digest in source, replicas and pull-through caches; which deletions are replicated, and who
//! needs which copy.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

const ACCOUNT: &str = "111122223333";
const OTHER: &str = "444455556666";
const HOME: &str = "eu-central-1";
const FAR: &str = "us-east-1";

fn digest(name: &str) -> String {
    format!(
        "sha256:{}",
        Sha256::digest(name.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    )
}

/// A place: account, region and repository.
type Place<'p> = (&'p str, &'p str, &'p str);

const SOURCE: Place<'_> = (ACCOUNT, HOME, "shop/api");
const REPLICA: Place<'_> = (ACCOUNT, FAR, "shop/api");
const ABROAD: Place<'_> = (OTHER, FAR, "shop/api");

/// Records and snapshots, each on a day of March 2026.
struct Evidence {
    folder: tempfile::TempDir,
    records: Vec<Value>,
}

impl Evidence {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().expect("a folder"), records: Vec::new() }
    }

    fn record(
        mut self,
        day: u32,
        (account, region): (&str, &str),
        service: &str,
        name: &str,
        request: Value,
        response: Value,
    ) -> Self {
        let number = self.records.len();
        let role = if name == "ReplicateImage" { "AWSServiceRoleForECRReplication/ecr" } else { "ci/run" };
        self.records.push(json!({
            "eventVersion": "1.08", "eventTime": format!("2026-03-{day:02}T10:{:02}:{:02}Z", number / 60, number % 60),
            "userIdentity": {"type": "AssumedRole", "arn": format!("arn:aws:sts::{account}:assumed-role/{role}"), "accountId": account},
            "eventSource": format!("{service}.amazonaws.com"), "eventName": name, "awsRegion": region, "sourceIPAddress": "198.51.100.7",
            "userAgent": "docker/27", "requestParameters": request, "responseElements": response, "readOnly": false, "eventType": "AwsApiCall",
            "eventID": format!("5a5a5a5a-0000-4000-8000-{number:012}"), "recipientAccountId": account,
        }));
        self
    }

    fn ecr(self, day: u32, place: Place<'_>, name: &str, mut more: Value, response: Value) -> Self {
        more["registryId"] = place.0.into();
        more["repositoryName"] = place.2.into();
        self.record(day, (place.0, place.1), "ecr", name, more, response)
    }

    fn put(self, day: u32, place: Place<'_>, event: &str, name: &str, tag: Option<&str>) -> Self {
        let mut id = json!({"imageDigest": digest(name)});
        let mut request = json!({});
        if let Some(tag) = tag {
            id["imageTag"] = tag.into();
            request["imageTag"] = tag.into();
        }
        let response = json!({"image": {"registryId": place.0, "repositoryName": place.2, "imageId": id}});
        self.ecr(day, place, event, request, response)
    }

    fn push(self, day: u32, place: Place<'_>, name: &str, tag: &str) -> Self {
        self.put(day, place, "PutImage", name, Some(tag))
    }

    fn arrives(self, day: u32, place: Place<'_>, name: &str, tag: &str) -> Self {
        self.put(day, place, "ReplicateImage", name, Some(tag))
    }

    fn create(self, day: u32, place: Place<'_>, mutability: &str) -> Self {
        let response = json!({"repository": {"registryId": place.0, "repositoryName": place.2}});
        self.ecr(day, place, "CreateRepository", json!({"imageTagMutability": mutability}), response)
    }

    /// Images expire after this many days, whatever their tags; or only untagged ones.
    fn policy(self, day: u32, place: Place<'_>, status: &str, days: u32) -> Self {
        let rule = json!({"rulePriority": 1, "selection": {"tagStatus": status, "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days},
            "action": {"type": "expire"}});
        let text = json!({"rules": [rule]}).to_string();
        self.ecr(
            day,
            place,
            "PutLifecyclePolicy",
            json!({"lifecyclePolicyText": text}),
            json!({"lifecyclePolicyText": text}),
        )
    }

    /// The registry of a place replicates to others, with or without deletions.
    fn replicate(self, day: u32, from: Place<'_>, to: &[(Place<'_>, bool)]) -> Self {
        let rule = |(place, deletes): &(Place<'_>, bool)| json!({"destinations": [{"region": place.1, "registryId": place.0}], "repositoryFilters": [], "deleteReplication": {"enabled": deletes}});
        let request = json!({"replicationConfiguration": {"rules": to.iter().map(rule).collect::<Vec<_>>()}});
        self.record(day, (from.0, from.1), "ecr", "PutReplicationConfiguration", request.clone(), request)
    }

    fn delete(self, day: u32, place: Place<'_>, name: &str) -> Self {
        let ids = json!([{"imageDigest": digest(name)}]);
        self.ecr(
            day,
            place,
            "BatchDeleteImage",
            json!({"imageIds": ids}),
            json!({"imageIds": ids, "failures": []}),
        )
    }

    /// A service is deployed with the digest.
    fn deploy(self, day: u32, place: Place<'_>, service: &str, name: &str) -> Self {
        let arn = format!("arn:aws:ecs:{}:{}:task-definition/{service}:1", place.1, place.0);
        let image = format!("{}.dkr.ecr.{}.amazonaws.com/{}@{}", place.0, place.1, place.2, digest(name));
        let containers = json!([{"name": "app", "image": image}]);
        let define = json!({"family": service, "containerDefinitions": containers});
        let defined =
            json!({"taskDefinition": {"taskDefinitionArn": arn, "containerDefinitions": containers}});
        let running = json!({"service": {"serviceArn": format!("arn:aws:ecs:{}:{}:service/prod/{service}", place.1, place.0), "taskDefinition": arn}});
        let update = json!({"service": service, "cluster": "prod", "taskDefinition": arn});
        let at = (place.0, place.1);
        self.record(day, at, "ecs", "RegisterTaskDefinition", define, defined).record(
            day,
            at,
            "ecs",
            "UpdateService",
            update,
            running,
        )
    }

    /// Output of the CLI in the script's envelope.
    fn answer(self, day: u32, place: Place<'_>, call: &str, answer: &Value) -> Self {
        let head = json!({"call": call, "account": place.0, "region": place.1, "repository": place.2, "at": format!("2026-03-{day:02}T12:00:00Z"),
            "whole": true, "archived": true});
        let name =
            format!("{}-{}-{}-{}.json", place.0, place.1, place.2.replace('/', "_"), call.replace(' ', "-"));
        fs::write(self.folder.path().join(name), json!({"tagfall": head, "answer": answer}).to_string())
            .expect("written");
        self
    }

    fn listed(self, day: u32, place: Place<'_>, images: &[(&str, &[&str], u32)]) -> Self {
        let image = |(name, tags, pushed): &(&str, &[&str], u32)| {
            json!({"registryId": place.0, "repositoryName": place.2, "imageDigest": digest(name), "imageTags": tags,
                "imagePushedAt": format!("2026-03-{pushed:02}T09:00:00Z"), "imageStatus": "ACTIVE"})
        };
        let images: Vec<Value> = images.iter().map(image).collect();
        self.answer(day, place, "ecr describe-images", &json!({"imageDetails": images}))
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> (String, i32, String) {
        fs::write(self.folder.path().join("log.json"), json!({"Records": self.records}).to_string())
            .expect("written");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command.current_dir(self.folder.path()).arg(verb).args(arguments).arg(".");
        let output = command.output().expect("the binary runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (text(&output.stdout), output.status.code().expect("a code"), text(&output.stderr))
    }

    fn fate(&self, what: &str) -> Value {
        let (out, code, said) = self.run("fate", &[what, "--format", "json"]);
        assert_eq!(code, 0, "{said}");
        serde_json::from_str::<Value>(&out).expect("JSON")["fate"].take()
    }
}

/// One place of a fate.
fn at<'f>(fate: &'f Value, (account, region, name): Place<'_>) -> &'f Value {
    let is_it = |one: &&Value| {
        let place = &one["repository"];
        [&place["registry_id"], &place["region"], &place["name"]] == [account, region, name]
    };
    fate["places"]
        .as_array()
        .expect("places")
        .iter()
        .find(is_it)
        .unwrap_or_else(|| panic!("no such place: {fate:#}"))
}

fn story(place: &Value) -> String {
    place["story"]
        .as_array()
        .expect("sentences")
        .iter()
        .map(|one| one.as_str().expect("text"))
        .collect::<Vec<_>>()
        .join(" ")
}

/// The source, a replica whose deletions are replicated, and one in another region whose are not.
fn three_places() -> Evidence {
    Evidence::new()
        .replicate(1, SOURCE, &[(REPLICA, true), (ABROAD, false)])
        .policy(1, SOURCE, "any", 14)
        .policy(1, REPLICA, "any", 90)
        .policy(1, ABROAD, "untagged", 1)
        .push(2, SOURCE, "a", "v1")
        .arrives(2, REPLICA, "a", "v1")
        .arrives(2, ABROAD, "a", "v1")
}

#[test]
fn one_digest_is_told_in_every_registry() {
    let fate = three_places().deploy(3, ABROAD, "web", "a").fate(&digest("a"));
    assert_eq!(
        (&fate["copies"], &fate["last_copy"], &fate["all_gone_by"]),
        (&json!(3), &Value::Null, &Value::Null),
        "{fate:#}"
    );
    let roles: Vec<&Value> =
        fate["places"].as_array().expect("places").iter().map(|one| &one["role"]).collect();
    assert_eq!(roles, ["source", "replica", "replica"]);
    let (source, near, abroad) = (at(&fate, SOURCE), at(&fate, REPLICA), at(&fate, ABROAD));
    assert_eq!((&near["copy_of"], &near["role_logged"]), (&source["repository"], &json!(true)));
    assert_eq!((&near["presence"], &near["tags"]), (&json!("there"), &json!(["v1"])));
    // In May by the replica's own policy; in March with its source.
    assert_eq!(near["next"]["eligible_at"].as_str().map(|at| &at[..10]), Some("2026-05-31"));
    assert_eq!(near["first_end"]["eligible_at"].as_str().map(|at| &at[..10]), Some("2026-03-16"));
    assert_eq!(near["first_end"]["by"], source["repository"]);
    assert_eq!(source["takes"], json!([near["repository"]]), "what is abroad stays");
    assert_eq!((&abroad["first_end"], &abroad["goes_with"]), (&Value::Null, &json!([])));
    assert_eq!(
        (&near["needed"], &abroad["needed"], abroad["needed_by"].as_array().map(Vec::len)),
        (&json!(false), &json!(true), Some(1))
    );
    assert!(
        story(near).contains(
            "It goes with its source in shop/api (111122223333, eu-central-1), which rule 1 there takes"
        ),
        "{}",
        story(near)
    );
}

#[test]
fn a_copy_that_went_with_its_source_says_so() {
    let evidence = three_places().delete(5, SOURCE, "a");
    let fate = evidence.fate(&digest("a"));
    let (source, near, abroad) = (at(&fate, SOURCE), at(&fate, REPLICA), at(&fate, ABROAD));
    assert_eq!((&source["presence"], &source["end"]["how"]), (&json!("gone"), &json!("deleted-by-digest")));
    assert_eq!(
        (&near["presence"], &near["end"]["how"], &near["end"]["with"]),
        (&json!("gone"), &json!("replicated-deletion"), &source["repository"])
    );
    assert!(story(near).contains("most likely went at 2026-03-05"), "{}", story(near));
    assert_eq!(
        (&abroad["presence"], &fate["last_copy"], &fate["copies"]),
        (&json!("there"), &abroad["repository"], &json!(1))
    );
    // A question with a reference is answered for every place, too.
    let (page, _, _) =
        evidence.run("fate", &["111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/api:v1", "--ascii"]);
    assert!(
        page.contains("1 of 3 places has it: the last copy is in shop/api in 444455556666, us-east-1"),
        "{page}"
    );
    assert!(page.contains("replica of 1") && page.contains("asked about"), "{page}");
}

/// A list that lacks the replica agrees with its source's deletion: it is no gap in the logs, and no
/// contradiction.
#[test]
fn a_list_that_lacks_a_copy_agrees_with_the_end_of_its_source() {
    let evidence = three_places()
        .deploy(3, REPLICA, "web", "a")
        .delete(5, SOURCE, "a")
        .push(20, SOURCE, "b", "v2")
        .listed(10, REPLICA, &[]);
    let near = at(&evidence.fate(&digest("a")), REPLICA).clone();
    assert_eq!(
        (&near["presence"], &near["end"]["how"]),
        (&json!("gone"), &json!("replicated-deletion")),
        "{near:#}"
    );
    assert!(near["end"]["at"].as_str().expect("a time").starts_with("2026-03-05"));
    let (out, _, said) = evidence.run("detect", &["--format", "json"]);
    let document: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {said}"));
    assert_eq!(document["coverage"]["contradictions"].as_array().map_or(0, Vec::len), 0, "{document:#}");
    let kinds: Vec<&Value> =
        document["findings"].as_array().expect("findings").iter().map(|one| &one["kind"]).collect();
    assert!(
        kinds.contains(&&json!("replicated-deletion")) && !kinds.contains(&&json!("not-listed")),
        "{kinds:?}"
    );
    // If deletions are not replicated, it is a gap in the logs.
    let abroad = three_places().delete(5, SOURCE, "a").push(20, SOURCE, "b", "v2").listed(10, ABROAD, &[]);
    assert_eq!(at(&abroad.fate(&digest("a")), ABROAD)["end"]["how"], "not-listed");
}

#[test]
fn without_delete_replication_a_copy_goes_by_its_own_policy_alone() {
    let fate = Evidence::new()
        .replicate(1, SOURCE, &[(REPLICA, false)])
        .policy(1, SOURCE, "any", 14)
        .policy(1, REPLICA, "any", 90)
        .push(2, SOURCE, "a", "v1")
        .arrives(2, REPLICA, "a", "v1")
        .fate(&digest("a"));
    let near = at(&fate, REPLICA);
    assert_eq!((&near["goes_with"], &near["first_end"]["by"]), (&json!([]), &near["repository"]));
    assert_eq!(fate["all_gone_by"].as_str().map(|at| &at[..10]), Some("2026-06-01"));
}

/// However ECR logs it: the event may contain the tag, but the tag does not move.
#[test]
fn a_replica_that_came_without_its_tag_is_told() {
    for logged in [None, Some("v1")] {
        let evidence = Evidence::new()
            .replicate(1, SOURCE, &[(REPLICA, false)])
            .create(1, REPLICA, "IMMUTABLE")
            .policy(1, REPLICA, "untagged", 7)
            .push(1, REPLICA, "first", "v1")
            .push(2, SOURCE, "a", "v1")
            .put(2, REPLICA, "ReplicateImage", "a", logged);
        let fate = evidence.fate(&digest("a"));
        let near = at(&fate, REPLICA);
        let born = &near["born_untagged"];
        assert_eq!((&born["tag"], &born["taken_by"]), (&json!("v1"), &json!(digest("first"))), "{fate:#}");
        assert_eq!(
            (&near["tags"], &near["state"], &born["set_by"]["event_name"]),
            (&json!([]), &json!("untagged"), &json!("CreateRepository"))
        );
        assert_eq!(near["first_end"]["eligible_at"].as_str().map(|at| &at[..10]), Some("2026-03-09"));
        assert!(story(near).contains("Replication brought it without v1"), "{}", story(near));
        assert!(
            fate["advice"]
                .to_string()
                .contains("Give the replica in shop/api (111122223333, us-east-1) a tag"),
            "{}",
            fate["advice"]
        );
        // The image that had the tag keeps it.
        assert_eq!(at(&evidence.fate(&digest("first")), REPLICA)["tags"], json!(["v1"]));
    }
}

#[test]
fn tags_that_can_be_moved_are_moved_by_replication() {
    let evidence = Evidence::new()
        .create(1, REPLICA, "IMMUTABLE_WITH_EXCLUSION")
        .ecr(
            1,
            REPLICA,
            "PutImageTagMutability",
            json!({"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION", "imageTagMutabilityExclusionFilters": [{"filterType": "WILDCARD", "filter": "latest*"}]}),
            json!({}),
        )
        .arrives(2, REPLICA, "a", "latest")
        .arrives(3, REPLICA, "b", "latest")
        .arrives(3, REPLICA, "c", "v1")
        .arrives(4, REPLICA, "d", "v1");
    let tags = |name: &str| at(&evidence.fate(&digest(name)), REPLICA)["tags"].clone();
    assert_eq!(
        [tags("a"), tags("b"), tags("c"), tags("d")],
        [json!([]), json!(["latest"]), json!(["v1"]), json!([])]
    );
}

#[test]
fn a_replica_is_not_copied_on() {
    let third: Place<'_> = (ACCOUNT, "ap-south-1", "shop/api");
    let evidence = Evidence::new()
        .replicate(1, SOURCE, &[(REPLICA, false)])
        .replicate(1, REPLICA, &[(third, true)])
        .push(2, SOURCE, "a", "v1")
        .arrives(2, REPLICA, "a", "v1")
        .push(3, third, "b", "v2");
    let fate = evidence.fate(&digest("a"));
    assert_eq!(fate["places"].as_array().map(Vec::len), Some(2), "{fate:#}");
}

#[test]
fn what_should_have_come_and_did_not_is_told_with_why() {
    let trail = |evidence: Evidence| evidence.push(1, REPLICA, "else", "x");
    // Pushed before the rule.
    let before = trail(Evidence::new())
        .push(1, SOURCE, "a", "v1")
        .replicate(2, SOURCE, &[(REPLICA, false)])
        .push(9, SOURCE, "late", "l");
    let near = before.fate(&digest("a"));
    assert_eq!(at(&near, REPLICA)["presence"], "absent");
    assert!(story(at(&near, REPLICA)).contains("pushed before"), "{near:#}");
    // Pushed after it, and long ago.
    let lost = trail(Evidence::new())
        .replicate(1, SOURCE, &[(REPLICA, false)])
        .push(2, SOURCE, "a", "v1")
        .push(9, SOURCE, "late", "l");
    assert!(story(at(&lost.fate(&digest("a")), REPLICA)).contains("nothing shows that it did"));
    // The push is the last thing that happened.
    let under_way =
        trail(Evidence::new()).replicate(1, SOURCE, &[(REPLICA, false)]).push(2, SOURCE, "a", "v1");
    assert!(story(at(&under_way.fate(&digest("a")), REPLICA)).contains("on its way"));
    // There is no evidence about the other account at all.
    let unknown = Evidence::new()
        .replicate(1, SOURCE, &[(ABROAD, false)])
        .push(2, SOURCE, "a", "v1")
        .push(9, SOURCE, "late", "l");
    let fate = unknown.fate(&digest("a"));
    assert_eq!(at(&fate, ABROAD)["presence"], "unknown");
    assert!(story(at(&fate, ABROAD)).contains("nothing of that registry is in this evidence"), "{fate:#}");
}

#[test]
fn snapshots_alone_tell_who_is_a_copy_of_whom() {
    let rules = json!({"registryId": ACCOUNT, "replicationConfiguration": {"rules": [{"destinations": [{"region": FAR, "registryId": ACCOUNT}],
        "deleteReplication": {"enabled": true}}]}});
    let policy = json!({"registryId": ACCOUNT, "repositoryName": "shop/api", "lifecyclePolicyText": json!({"rules": [{"rulePriority": 1,
        "selection": {"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 14}, "action": {"type": "expire"}}]}).to_string()});
    let fate = Evidence::new()
        .answer(10, SOURCE, "ecr describe-registry", &rules)
        .answer(10, SOURCE, "ecr get-lifecycle-policy", &policy)
        .listed(10, SOURCE, &[("a", &["v1"], 2)])
        .listed(10, REPLICA, &[("a", &[], 3)])
        .fate(&digest("a"));
    let (source, near) = (at(&fate, SOURCE), at(&fate, REPLICA));
    assert_eq!(
        (&source["role"], &near["role"], &near["role_logged"]),
        (&json!("source"), &json!("replica"), &json!(false)),
        "{fate:#}"
    );
    assert_eq!((&near["copy_of"], &near["first_end"]["by"]), (&source["repository"], &source["repository"]));
    assert!(
        fate["unknown"].to_string().contains("In shop/api (111122223333, us-east-1): No policy of it"),
        "{}",
        fate["unknown"]
    );
}

#[test]
fn a_cache_is_told_with_its_upstream() {
    let cache: Place<'_> = (ACCOUNT, HOME, "hub/library/nginx");
    let rule = json!({"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io"});
    let logged = Evidence::new()
        .record(1, (ACCOUNT, HOME), "ecr", "CreatePullThroughCacheRule", rule.clone(), rule.clone())
        .listed(9, cache, &[("a", &["1.27"], 2)]);
    let fate = logged.fate(&digest("a"));
    let place = at(&fate, cache);
    assert_eq!(
        (&place["role"], &place["upstream"]),
        (&json!("cache"), &json!("registry-1.docker.io/library/nginx")),
        "{fate:#}"
    );
    // ECR's own registries may be upstream, too: then both are places, and the rule may only be known from a
    // snapshot.
    let (upstream, copy): (Place<'_>, Place<'_>) = ((OTHER, FAR, "base/java"), (ACCOUNT, HOME, "corp/java"));
    let rules = json!({"pullThroughCacheRules": [{"ecrRepositoryPrefix": "corp", "upstreamRegistryUrl": format!("{OTHER}.dkr.ecr.{FAR}.amazonaws.com"),
        "upstreamRegistry": "ecr", "upstreamRepositoryPrefix": "base", "registryId": ACCOUNT, "createdAt": "2026-03-01T09:00:00Z"}]});
    let fate = Evidence::new()
        .answer(9, copy, "ecr describe-pull-through-cache-rules", &rules)
        .listed(9, copy, &[("a", &["21"], 3)])
        .listed(9, upstream, &[("a", &["21"], 2)])
        .fate(&digest("a"));
    assert_eq!(
        (&at(&fate, copy)["copy_of"], &at(&fate, copy)["goes_with"]),
        (&at(&fate, upstream)["repository"], &json!([])),
        "{fate:#}"
    );
    assert_eq!(at(&fate, upstream)["role"], "source");
}

#[test]
fn a_rule_that_was_deleted_makes_no_cache() {
    let cache: Place<'_> = (ACCOUNT, HOME, "hub/library/nginx");
    let rule = json!({"ecrRepositoryPrefix": "hub", "upstreamRegistryUrl": "registry-1.docker.io"});
    let fate = Evidence::new()
        .record(1, (ACCOUNT, HOME), "ecr", "CreatePullThroughCacheRule", rule.clone(), rule.clone())
        .record(2, (ACCOUNT, HOME), "ecr", "DeletePullThroughCacheRule", rule.clone(), rule)
        .listed(9, cache, &[("a", &["1.27"], 2)])
        .fate(&digest("a"));
    assert_eq!(at(&fate, cache)["role"], "unknown");
}

#[test]
fn what_is_needed_and_goes_is_told_to_be_kept() {
    let evidence = three_places().deploy(3, REPLICA, "web", "a");
    let fate = evidence.fate(&digest("a"));
    let advice = fate["advice"].to_string();
    assert!(
        advice.contains("It is needed in shop/api (111122223333, us-east-1) and goes by 2026-03-17"),
        "{advice}"
    );
    assert!(
        advice.contains("for shop/api (111122223333, eu-central-1), whose deletions are replicated"),
        "{advice}"
    );
    let (_, code, _) = evidence.run("fate", &[&digest("a"), "--fail-on", "high"]);
    assert_eq!(code, 1);
    let gone = three_places().deploy(3, REPLICA, "web", "a").delete(5, SOURCE, "a").fate(&digest("a"));
    assert!(
        gone["advice"]
            .to_string()
            .contains("tagfall rescue 111122223333.dkr.ecr.us-east-1.amazonaws.com/shop/api@sha256:"),
        "{gone:#}"
    );
}

#[test]
fn a_fate_is_told_without_names_where_that_is_asked() {
    let (out, code, said) = three_places().run("fate", &[&digest("a"), "--format", "json", "--redact"]);
    assert_eq!(code, 0, "{said}");
    for name in [ACCOUNT, OTHER, "shop/api"] {
        assert!(!out.contains(name), "{name} is told: {out}");
    }
}

/// The report shows it below the finding, and the pages of other verbs refer to it.
#[test]
fn the_report_and_other_answers_lead_to_it() {
    let evidence = three_places().deploy(3, REPLICA, "web", "a").delete(5, SOURCE, "a");
    let (page, code, said) = evidence.run("report", &[]);
    assert_eq!(code, 0, "{said}");
    assert!(
        page.contains("The same image in every registry") && page.contains("The image in 3 places over time"),
        "{page}"
    );
    let (found, _, _) = evidence.run("detect", &[]);
    assert!(found.contains("replicated-deletion") && found.contains("tagfall fate "), "{found}");
    let reference = format!("{ACCOUNT}.dkr.ecr.{FAR}.amazonaws.com/shop/api@{}", digest("a"));
    let (verdict, _, _) = evidence.run("explain", &[&reference]);
    let flat = |page: &str| page.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(flat(&verdict).contains("`tagfall fate "), "{verdict}");
    let (rescue, _, _) = evidence.run("rescue", &[&reference]);
    assert!(flat(&rescue).contains("`tagfall fate "), "{rescue}");
    // For an image in one place only, other verbs do not mention it.
    let (alone, _, _) = Evidence::new()
        .push(1, SOURCE, "a", "v1")
        .deploy(2, SOURCE, "web", "a")
        .delete(3, SOURCE, "a")
        .run("report", &[]);
    assert!(!alone.contains("The same image in every registry"));
}

#[test]
fn it_is_the_same_whatever_order_events_come_in() {
    let mut evidence = three_places().deploy(3, REPLICA, "web", "a").delete(5, SOURCE, "a");
    let first = evidence.fate(&digest("a"));
    let strip = |fate: &Value| {
        fate.to_string()
            .split("\"record\":")
            .map(|part| part.trim_start_matches(char::is_numeric).to_owned())
            .collect::<String>()
    };
    evidence.records.reverse();
    assert_eq!(strip(&first), strip(&evidence.fate(&digest("a"))));
}

#[test]
fn what_cannot_be_told_is_said() {
    let (_, code, said) = Evidence::new().push(1, SOURCE, "a", "v1").run("fate", &["no image here at all"]);
    assert_eq!(code, 2, "{said}");
    let (_, code, said) = Evidence::new().push(1, SOURCE, "a", "v1").run("fate", &[&digest("unheard of")]);
    assert!(code == 2 && said.contains("the digest does not occur in them"), "{said}");
    // A replica whose source is in another account's evidence.
    let fate = Evidence::new().arrives(2, REPLICA, "a", "v1").fate(&digest("a"));
    assert!(fate["unknown"].to_string().contains("describe-registry"), "{fate:#}");
    assert_eq!(
        (&at(&fate, REPLICA)["role"], &at(&fate, REPLICA)["copy_of"]),
        (&json!("replica"), &Value::Null)
    );
}
