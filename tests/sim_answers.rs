//! Simulated worlds whose registry is asked at the end: beside their logs, and beside nothing else, the answers give the truth.

#[allow(dead_code)]
#[path = "support/sim/mod.rs"]
mod sim;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use sim::{Archive, World};

/// So long after the last event the registry is asked.
const LATER_SECONDS: u64 = 60;

/// `describe-images` of every repository that there is, in the envelope of the script.
fn ask(world: &World, folder: &Path) {
    for (number, repo) in world.repos.iter().enumerate().filter(|(_, repo)| repo.exists) {
        let images: Vec<Value> = repo
            .lives
            .iter()
            .filter_map(|(digest, lives)| Some((digest, lives.last().filter(|life| life.gone.is_none())?)))
            .map(|(digest, life)| {
                json!({"registryId": repo.id.registry, "repositoryName": repo.id.name, "imageDigest": digest,
                    "imageTags": life.tags.keys().collect::<Vec<_>>(), "imagePushedAt": sim::clock::rfc3339(life.start),
                    "imageStatus": if life.archived { "ARCHIVED" } else { "ACTIVE" }})
            })
            .collect();
        let head = json!({"call": "ecr describe-images", "account": repo.id.registry, "region": repo.id.region, "repository": repo.id.name,
            "at": sim::clock::rfc3339(world.end + LATER_SECONDS), "whole": true, "archived": true});
        let document = json!({"tagfall": head, "answer": {"imageDetails": images}});
        fs::write(folder.join(format!("answer-{number}.json")), document.to_string()).expect("written");
    }
}

fn run(verb: &str, folder: &Path) -> Value {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    let output = command.arg(verb).arg(folder).args(["--format", "json", "--quiet"]).output().expect("the binary runs");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
}

/// State and tags of each image that is there, by repository and digest.
fn there(world: &World) -> BTreeMap<(String, String), (&'static str, BTreeSet<String>)> {
    let mut all = BTreeMap::new();
    for repo in world.repos.iter().filter(|repo| repo.exists) {
        for (digest, lives) in &repo.lives {
            let Some(life) = lives.last().filter(|life| life.gone.is_none()) else { continue };
            let state = match (life.archived, life.tags.is_empty()) {
                (true, _) => "archived",
                (false, true) => "untagged",
                (false, false) => "tagged",
            };
            let place = format!("{} {} {}", repo.id.registry, repo.id.region, repo.id.name);
            all.insert((place, digest.clone()), (state, life.tags.keys().cloned().collect()));
        }
    }
    all
}

fn shown(document: &Value) -> BTreeMap<(String, String), (String, BTreeSet<String>)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let one = |timeline: &Value| {
        let place = ["registry_id", "region", "name"].map(|key| text(&timeline["repository"][key])).join(" ");
        let tags = timeline["tags"].as_array().into_iter().flatten().map(text).collect();
        ((place, text(&timeline["digest"])), (text(&timeline["state"]), tags))
    };
    document["timelines"].as_array().expect("timelines").iter().map(one).collect()
}

/// What the answers show is what there is, whatever the logs have of it; and what they do not list is not there.
#[test]
fn what_is_there_at_the_end_is_what_the_registry_has() {
    let mut wrong = Vec::new();
    for seed in sim::seeds(12) {
        let world = World::generate(seed);
        let truth = there(&world);
        for logs in [false, true] {
            let folder = tempfile::tempdir().expect("a folder");
            if logs {
                Archive::deliver(&world, seed.is_multiple_of(2)).write(folder.path()).expect("an archive on disk");
            }
            ask(&world, folder.path());
            let shown = shown(&run("timeline", folder.path()));
            for (image, (state, tags)) in &truth {
                let found = shown.get(image);
                if found.is_none_or(|(shown, with)| shown != state || with != tags) {
                    wrong.push(format!("SEED={seed} logs={logs} {image:?}: {state} {tags:?}, shown {found:?}"));
                }
            }
            let living = |state: &str| matches!(state, "tagged" | "untagged" | "archived");
            let asked: BTreeSet<String> = world
                .repos
                .iter()
                .filter(|repo| repo.exists)
                .map(|repo| format!("{} {} {}", repo.id.registry, repo.id.region, repo.id.name))
                .collect();
            let extra = shown
                .iter()
                .filter(|((place, _), (state, _))| asked.contains(place) && living(state))
                .filter(|(image, _)| !truth.contains_key(*image));
            wrong.extend(extra.map(|(image, found)| format!("SEED={seed} logs={logs} {image:?} is not there, shown {found:?}")));
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.iter().take(20).cloned().collect::<Vec<_>>().join("\n"));
}

/// Where the logs are whole, the registry contradicts nothing.
#[test]
fn whole_logs_and_the_registry_agree() {
    let mut wrong = Vec::new();
    for seed in sim::seeds(12) {
        let world = World::generate(seed);
        let folder = tempfile::tempdir().expect("a folder");
        Archive::deliver(&world, false).write(folder.path()).expect("an archive on disk");
        ask(&world, folder.path());
        let document = run("detect", folder.path());
        let certain: BTreeSet<&str> = world.repos.iter().filter(|repo| repo.certain).map(|repo| repo.id.name.as_str()).collect();
        for found in document["coverage"]["contradictions"].as_array().into_iter().flatten() {
            if found["repository"]["name"].as_str().is_some_and(|name| certain.contains(name)) {
                wrong.push(format!("SEED={seed}: {}", found["text"]));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
