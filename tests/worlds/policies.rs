//! `forecast` and `whatif` in simulated worlds, compared with what the runs really took, and with a naive
//! reader of the same logs.

use crate::{json_of, sim};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use sim::clock::DAY;
use sim::policy::{Candidate, Policy};
use sim::registry::Repo;
use sim::rng::Rng;
use sim::{Archive, World};

fn delivered(world: &World) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    Archive::deliver(world, false).write(folder.path()).expect("an archive on disk");
    folder
}

/// Digests for which truth and logs may differ: two pushes in one second, a record without content, a history
/// before the trail.
fn doubtful(world: &World) -> BTreeSet<String> {
    let truth = sim::truth::Truth::of(world);
    truth.uncertain.iter().map(|(_, digest)| digest.clone()).collect()
}

/// The policy in force, replayed, takes what the logged runs took: each image in its run, by its rule, and no
/// other.
#[test]
fn the_policy_in_force_reproduces_the_logged_expiries() {
    let (mut agreed, mut lines) = (0, Vec::new());
    for seed in sim::seeds(30) {
        let world = World::generate(seed);
        let doubtful = doubtful(&world);
        // If a rule by count counts unknown images, nothing is certain.
        let whole: Vec<&str> = world
            .repos
            .iter()
            .filter(|repo| repo.certain && world.trail_start == sim::clock::BEGIN)
            .map(|repo| repo.id.name.as_str())
            .collect();
        let contested: BTreeSet<&str> =
            world.same_second.iter().map(|group| group.repo.name.as_str()).collect();
        let document = json_of(&["whatif"], delivered(&world).path());
        for element in document["whatif"].as_array().expect("a list") {
            let name = element["repository"]["name"].as_str().expect("a name");
            agreed += usize::from(element["outcome"] == "agrees");
            let digest = element["digest"].as_str().expect("a digest");
            if element["outcome"] != "agrees"
                && whole.contains(&name)
                && !contested.contains(name)
                && !doubtful.contains(digest)
            {
                lines.push(format!(
                    "SEED={seed} {}: {} {}",
                    element["outcome"], element["summary"], element["explanation"]
                ));
            }
        }
    }
    assert!(lines.is_empty(), "{} differences\n{}", lines.len(), lines.join("\n"));
    assert!(
        agreed > 100 || std::env::var_os("SEED").is_some(),
        "the worlds hold no runs to reproduce: {agreed}"
    );
}

/// The naive reader's state of an image.
#[derive(Debug, Clone, Default)]
struct Image {
    pushed: u64,
    tags: BTreeSet<String>,
    archived: bool,
    /// When it was last restored from the archive.
    activated: Option<u64>,
    children: Vec<String>,
}

/// One repository under another policy, event by event, with every image examined in every run.
struct Naive<'w> {
    policy: &'w Policy,
    images: BTreeMap<String, Image>,
    gone: BTreeSet<(String, u64)>,
}

impl Naive<'_> {
    fn push(&mut self, digest: &str, tag: Option<&str>, children: Vec<String>, second: u64) {
        let image = self
            .images
            .entry(digest.to_owned())
            .or_insert_with(|| Image { pushed: second, ..Image::default() });
        if std::mem::take(&mut image.archived) {
            image.activated = Some(second);
        }
        if !children.is_empty() {
            image.children = children;
        }
        if let Some(tag) = tag {
            self.images.values_mut().for_each(|other| _ = other.tags.remove(tag));
            self.images.get_mut(digest).expect("it is there").tags.insert(tag.to_owned());
        }
    }

    fn run(&mut self, second: u64) {
        let parents = |digest: &String| self.images.values().any(|other| other.children.contains(digest));
        let standard = self.images.iter().filter(|(_, image)| !image.archived);
        let candidates: Vec<Candidate> = standard
            .map(|(digest, image)| {
                let ranked_at = image.activated.unwrap_or(image.pushed);
                Candidate {
                    digest: digest.clone(),
                    tags: image.tags.iter().cloned().collect(),
                    pushed_at: image.pushed,
                    ranked_at,
                }
            })
            .collect();
        let taken: Vec<(String, bool)> = self
            .policy
            .evaluate(&candidates, second)
            .into_iter()
            .filter(|(digest, _)| !parents(digest))
            .map(|(digest, rule)| (digest, rule.transition))
            .collect();
        for (digest, transition) in taken {
            self.gone.insert((digest.clone(), second));
            match transition {
                true => self.images.get_mut(&digest).expect("it is there").archived = true,
                false => _ = self.images.remove(&digest),
            }
        }
    }

    fn event(&mut self, record: &Value, second: u64) {
        let (request, response) = (&record["requestParameters"], &record["responseElements"]);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        match (record["eventName"].as_str().unwrap_or_default(), record["errorCode"].as_str()) {
            ("PutImage", None) => {
                let manifest: Value =
                    serde_json::from_str(request["imageManifest"].as_str().unwrap_or_default())
                        .unwrap_or_default();
                let children = manifest["manifests"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter_map(|child| text(&child["digest"]))
                    .collect();
                let named = text(&response["image"]["imageId"]["imageDigest"]);
                let digest = named.unwrap_or_else(|| {
                    digest_of(request["imageManifest"].as_str().expect("a push has a manifest or a digest"))
                });
                self.push(&digest, request["imageTag"].as_str(), children, second);
            }
            ("PutImage", Some("ImageAlreadyExistsException")) => {
                let message = record["errorMessage"].as_str().unwrap_or_default();
                let quoted: Vec<&str> = message.split('\'').collect();
                if let [_, digest, _, tag, ..] = quoted[..]
                    && !self.images.contains_key(digest)
                {
                    self.push(digest, Some(tag), Vec::new(), second);
                }
            }
            ("BatchDeleteImage", None) => {
                for removed in response["imageIds"].as_array().into_iter().flatten() {
                    let (Some(digest), tag) = (text(&removed["imageDigest"]), text(&removed["imageTag"]))
                    else {
                        continue;
                    };
                    let by_tag = request["imageIds"]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .any(|asked| asked["imageTag"] == removed["imageTag"] && tag.is_some());
                    let Some(image) = self.images.get_mut(&digest) else { continue };
                    tag.filter(|_| by_tag).iter().for_each(|tag| _ = image.tags.remove(tag));
                    if !by_tag || image.tags.is_empty() {
                        self.images.remove(&digest);
                    }
                }
            }
            ("CreateRepository" | "DeleteRepository", None) => self.images.clear(),
            ("UpdateImageStorageClass", None) => {
                let archive = request["targetStorageClass"] == "ARCHIVE";
                if let Some(image) =
                    text(&request["imageId"]["imageDigest"]).and_then(|digest| self.images.get_mut(&digest))
                {
                    image.archived |= archive;
                }
            }
            ("ImageActivationEvent", None) => {
                let image = text(&record["serviceEventDetails"]["imageDigest"])
                    .and_then(|digest| self.images.get_mut(&digest));
                if let Some(image) = image.filter(|image| image.archived) {
                    (image.archived, image.activated) = (false, Some(second));
                }
            }
            _ => {}
        }
    }
}

fn digest_of(manifest: &str) -> String {
    format!(
        "sha256:{}",
        Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    )
}

/// The runs of a repository: those in the log, and one a day if it has none for more than two days.
fn runs(logged: &[u64], begin: u64, end: u64) -> Vec<u64> {
    let mut runs = Vec::new();
    let mut from = begin;
    for next in logged.iter().copied().map(Some).chain([None]) {
        let until = next.unwrap_or(end + 1);
        if until - from > 2 * DAY || logged.is_empty() {
            runs.extend((1..).map(|day| from + day * DAY).take_while(|second| *second < until));
        }
        runs.extend(next);
        from = until;
    }
    runs
}

/// What a naive reader expects to be expired, and when.
fn expected(world: &World, repo: &Repo, policy: &Policy, end: u64) -> BTreeSet<(String, u64)> {
    let of_repo = |record: &&sim::world::Logged| {
        let name = record.record["requestParameters"]["repositoryName"]
            .as_str()
            .or(record.record["serviceEventDetails"]["repositoryName"].as_str());
        name == Some(repo.id.name.as_str())
            && !world.same_call.contains_key(record.record["eventID"].as_str().unwrap_or_default())
    };
    let mut records: Vec<_> = world.logged.iter().filter(of_repo).collect();
    records.sort_by_key(|record| record.second);
    let (mut logged, mut evaluated) = (Vec::new(), Value::Null);
    for record in records.iter().filter(|record| record.record["eventName"] == "PolicyExecutionEvent") {
        // All events of one run have the time of the previous one.
        let before = &record.record["serviceEventDetails"]["lifecycleEventPolicy"]["lastEvaluatedAt"];
        if *before != evaluated {
            (evaluated, _) = (before.clone(), logged.push(record.second));
        }
    }
    let mut naive = Naive { policy, images: BTreeMap::new(), gone: BTreeSet::new() };
    let Some(begin) = records.first().map(|record| record.second) else { return naive.gone };
    let mut records = records.into_iter().peekable();
    for second in runs(&logged, begin, end) {
        // Within its second a logged run comes last; a simulated one comes before everything.
        let made_up = !logged.contains(&second);
        while let Some(record) =
            records.next_if(|record| record.second < second || (record.second == second && !made_up))
        {
            naive.event(&record.record, record.second);
        }
        naive.run(second);
    }
    naive.gone
}

/// Another policy, replayed over the log, takes exactly what a reader finds who examines every image in every
/// run.
#[test]
fn another_policy_takes_what_a_naive_replay_takes() {
    let (mut compared, mut lines) = (0, Vec::new());
    for seed in sim::seeds(48) {
        let world = World::generate(seed);
        if world.trail_start != sim::clock::BEGIN {
            continue;
        }
        let folder = delivered(&world);
        let file = tempfile::NamedTempFile::new().expect("a file");
        for number in 0..3 {
            let policy = Policy::any(&mut Rng::new(seed * 10 + number));
            std::fs::write(file.path(), policy.to_text()).expect("a policy on disk");
            let document =
                json_of(&["whatif", "--policy", file.path().to_str().expect("a path")], folder.path());
            let found = compare(&world, &policy, &document, &mut lines);
            compared += found;
        }
    }
    assert!(lines.is_empty(), "{} differences\n{}", lines.len(), lines.join("\n"));
    assert!(compared > 200 || std::env::var_os("SEED").is_some(), "only {compared} images to compare");
}

/// Adds differences to `lines`; returns how many images were compared.
fn compare(world: &World, policy: &Policy, document: &Value, lines: &mut Vec<String>) -> usize {
    let end = second_of(document["coverage"]["last_event_time"].as_str().expect("a time"));
    let contested: BTreeSet<&str> = world.same_second.iter().map(|group| group.repo.name.as_str()).collect();
    let mut compared = 0;
    // The naive reader does not know removals without an event or against the rules.
    let beyond = ["signed/app", "copied/app", "indexes/app"];
    let known = |repo: &&Repo| {
        repo.certain && !contested.contains(repo.id.name.as_str()) && !beyond.contains(&repo.id.name.as_str())
    };
    for repo in world.repos.iter().filter(known) {
        let expected = expected(world, repo, policy, end);
        let mine = document["whatif"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|element| element["repository"]["name"] == repo.id.name.as_str());
        let gone: BTreeMap<(String, String), &Value> = mine
            .filter(|element| !element["would_go_at"].is_null())
            .map(|element| {
                (
                    (
                        element["digest"].as_str().unwrap().to_owned(),
                        element["would_go_at"].as_str().unwrap().to_owned(),
                    ),
                    element,
                )
            })
            .collect();
        let expected: BTreeSet<(String, String)> =
            expected.into_iter().map(|(digest, second)| (digest, sim::clock::rfc3339(second))).collect();
        compared += expected.len();
        let missing = expected.iter().filter(|key| !gone.contains_key(key));
        lines.extend(missing.map(|key| format!("SEED={} {}: {key:?} is missing", world.seed, repo.id.name)));
        let made_up = gone.iter().filter(|(key, _)| !expected.contains(key));
        lines.extend(
            made_up.map(|(_, element)| format!("SEED={} made up: {}", world.seed, element["summary"])),
        );
    }
    compared
}

/// Seconds since the epoch of a time in the document, by bisection, because the simulator's clock cannot
/// parse.
fn second_of(text: &str) -> u64 {
    let (mut low, mut high) = (sim::clock::BEGIN - 366 * DAY, sim::clock::BEGIN + 40_000 * DAY);
    while low < high {
        let middle = low + (high - low) / 2;
        if sim::clock::rfc3339(middle).as_str() < text { low = middle + 1 } else { high = middle }
    }
    low
}

/// A forecast is what the policy does if time passes and nothing else happens.
#[test]
fn a_forecast_comes_true_when_nothing_else_happens() {
    let (mut compared, mut lines) = (BTreeMap::<String, u64>::new(), Vec::new());
    for seed in sim::seeds(40) {
        let world = World::generate(seed);
        if world.trail_start != sim::clock::BEGIN {
            continue;
        }
        let document = json_of(&["forecast"], delivered(&world).path());
        let now = document["as_of"].as_str().expect("a time").to_owned();
        let doubtful = doubtful(&world);
        for repo in world.repos.iter().filter(|repo| repo.certain && repo.exists) {
            let living = repo.living();
            if living.iter().any(|digest| doubtful.contains(digest)) {
                continue;
            }
            let elements: BTreeMap<&str, &Value> = document["forecast"]
                .as_array()
                .into_iter()
                .flatten()
                .filter(|element| {
                    let of = &element["repository"];
                    of["name"] == repo.id.name.as_str()
                        && of["region"] == repo.id.region.as_str()
                        && of["registry_id"] == repo.id.registry.as_str()
                })
                .map(|element| (element["digest"].as_str().expect("a digest"), element))
                .collect();
            if elements.len() != living.len()
                || !living.iter().all(|digest| elements.contains_key(digest.as_str()))
            {
                lines.push(format!(
                    "SEED={seed} {}: {} images forecast, {} living",
                    repo.id.name,
                    elements.len(),
                    living.len()
                ));
                continue;
            }
            let taken = |digest: &str, second: u64| {
                let policy = repo.policy.as_ref().expect("a policy");
                policy
                    .evaluate(&repo.candidates(), second)
                    .into_iter()
                    .find(|(taken, _)| taken == digest)
                    .map(|(_, rule)| rule.priority)
            };
            for digest in &living {
                let element = elements[digest.as_str()];
                let outlook = element["outlook"].as_str().expect("a word");
                *compared.entry(outlook.to_owned()).or_default() += 1;
                let held = !repo.parents(digest).is_empty();
                let in_a_century = world.end + 36_500 * DAY;
                let right = match (repo.policy.is_some(), element["eligible_at"].as_str()) {
                    (false, eligible) => eligible.is_none() && outlook == "unknown",
                    (true, None) => held || taken(digest, in_a_century).is_none(),
                    (true, Some(_)) if held => !element["held_by"].as_array().expect("a list").is_empty(),
                    (true, Some(eligible)) => {
                        let at = second_of(eligible);
                        let rule = element["rule_priority"].as_u64();
                        let due = eligible <= now.as_str();
                        let first = due || taken(digest, at).is_none();
                        first && taken(digest, at.max(world.end) + 1) == rule && due == (outlook == "due")
                    }
                };
                if !right {
                    lines.push(format!(
                        "SEED={seed} {outlook} {}: {}",
                        element["eligible_at"], element["summary"]
                    ));
                }
            }
        }
    }
    assert!(lines.is_empty(), "{} differences\n{}", lines.len(), lines.join("\n"));
    let varied =
        ["due", "dated", "counted", "safe", "unknown"].iter().all(|outlook| compared.contains_key(*outlook));
    assert!(varied || std::env::var_os("SEED").is_some(), "the worlds hold too little: {compared:?}");
}

/// Callers of AWS choose tags, session names and descriptions of rules: none of them moves a cursor or is a
/// formula.
#[test]
fn hostile_text_stays_text() {
    const HOSTILE: &str = "=HYPERLINK(1)\u{1b}[2J\u{202e}\r\n\u{9b}";
    let count = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1});
    let rule =
        json!({"rulePriority": 1, "description": HOSTILE, "selection": count, "action": {"type": "expire"}});
    let record = |number: u64, name: &str, request: Value, response: Value| {
        json!({"eventVersion": "1.10", "eventID": format!("{number:08x}-0000-4000-8000-000000000000"), "eventTime": sim::clock::rfc3339(sim::clock::BEGIN + number * DAY),
               "eventSource": "ecr.amazonaws.com", "eventName": name, "awsRegion": "eu-central-1", "recipientAccountId": "111122223333", "readOnly": false,
               "userIdentity": {"type": "AssumedRole", "arn": HOSTILE}, "userAgent": HOSTILE, "sourceIPAddress": HOSTILE,
               "requestParameters": request, "responseElements": response})
    };
    let push = |number: u64, manifest: &str| {
        let id = json!({"imageDigest": digest_of(manifest), "imageTag": HOSTILE});
        let request = json!({"repositoryName": HOSTILE, "imageTag": HOSTILE, "imageManifest": manifest});
        record(
            number,
            "PutImage",
            request,
            json!({"image": {"repositoryName": HOSTILE, "registryId": "111122223333", "imageId": id}}),
        )
    };
    let text = json!({"rules": [rule]}).to_string();
    let put = record(
        1,
        "PutLifecyclePolicy",
        json!({"repositoryName": HOSTILE, "lifecyclePolicyText": text}),
        json!({}),
    );
    let mut pull = record(
        4,
        "BatchGetImage",
        json!({"repositoryName": HOSTILE, "imageIds": [{"imageDigest": digest_of("one")}]}),
        Value::Null,
    );
    pull["readOnly"] = json!(true);
    let folder = tempfile::tempdir().expect("a folder");
    let records = json!({"Records": [put, push(2, "one"), push(3, "two"), pull, record(9, "GetAuthorizationToken", json!({}), json!({}))]});
    std::fs::write(folder.path().join("a.json"), records.to_string()).expect("a log on disk");
    let file = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), &text).expect("a policy on disk");
    let policy = file.path().to_str().expect("a path");
    for verb in [&["forecast"][..], &["whatif"], &["whatif", "--policy", policy]] {
        for format in ["table", "json", "ndjson", "csv"] {
            let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
                .args(verb)
                .arg(folder.path())
                .args(["--format", format])
                .output()
                .expect("the binary runs");
            assert!(output.status.success(), "{verb:?}: {}", String::from_utf8_lossy(&output.stderr));
            let said = String::from_utf8([output.stdout, output.stderr].concat()).expect("text");
            // Line ends are kept in CSV cells, inside of quotes.
            let line_end = |character: char| character == '\n' || (character == '\r' && format == "csv");
            let harmless = said
                .chars()
                .all(|character| line_end(character) || !character.is_control() && character != '\u{202e}');
            assert!(harmless, "{verb:?} {format}: {said:?}");
            let formula = said
                .lines()
                .flat_map(|line| line.split(','))
                .any(|cell| cell.trim_start_matches('"').starts_with('='));
            assert!(format != "csv" || !formula, "{verb:?}: {said}");
            assert!(
                format == "table" || verb == ["whatif"] || said.contains("HYPERLINK"),
                "{verb:?} {format}: it is there all the same: {said}"
            );
        }
    }
}
