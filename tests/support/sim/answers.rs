//! The answers of a world's registries about their contents, as files like those of the script of `tagfall
//! snapshot`.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::clock::rfc3339;
use super::registry::Repo;
use super::world::World;

/// How long after the last event the registries are asked.
const LATER_SECONDS: u64 = 60;

/// `describe-images` and `describe-repositories` for every repository that exists at the end, in the script's envelope.
pub fn at_the_end(world: &World, folder: &Path) {
    answer(world.repos.iter().map(|repo| (world.end + LATER_SECONDS, repo)), folder);
}

/// The same at a moment in between.
pub fn in_the_midst(world: &World, folder: &Path) {
    answer(world.asked.values().map(|(at, repo)| (*at, repo)), folder);
}

fn answer<'w>(asked: impl Iterator<Item = (u64, &'w Repo)>, folder: &Path) {
    for (number, (at, repo)) in asked.enumerate().filter(|(_, (_, repo))| repo.exists) {
        let images: Vec<Value> = repo
            .lives
            .iter()
            .filter_map(|(digest, lives)| Some((digest, lives.last().filter(|life| life.gone.is_none())?)))
            .map(|(digest, life)| {
                json!({"registryId": repo.id.registry, "repositoryName": repo.id.name, "imageDigest": digest,
                    "imageTags": life.tags.keys().collect::<Vec<_>>(), "imagePushedAt": rfc3339(life.start),
                    "imageStatus": if life.archived { "ARCHIVED" } else { "ACTIVE" }})
            })
            .collect();
        let head = json!({"call": "ecr describe-images", "account": repo.id.registry, "region": repo.id.region, "repository": repo.id.name,
            "at": rfc3339(at), "whole": true, "archived": true});
        let document = json!({"tagfall": head, "answer": {"imageDetails": images}});
        fs::write(folder.join(format!("answer-{number}.json")), document.to_string()).expect("written");
        let head = json!({"call": "ecr describe-repositories", "account": repo.id.registry, "region": repo.id.region,
            "at": rfc3339(at)});
        let document = json!({"tagfall": head, "answer": {"repositories": [repository(repo)]}});
        fs::write(folder.join(format!("repository-{number}.json")), document.to_string()).expect("written");
    }
}

/// A repository with its settings: whether a tag may move there decides what a replica does with it.
fn repository(repo: &Repo) -> Value {
    let created = repo.existence.iter().rev().find(|(_, exists)| *exists).map(|(second, _)| rfc3339(*second));
    let (setting, exclusions) = match repo.immutable.as_deref() {
        None => ("MUTABLE", json!([])),
        Some("") => ("IMMUTABLE", json!([])),
        Some(prefix) => {
            let filter = json!({"filterType": "WILDCARD", "filter": format!("{prefix}*")});
            ("IMMUTABLE_WITH_EXCLUSION", json!([filter]))
        }
    };
    json!({"registryId": repo.id.registry, "repositoryName": repo.id.name, "createdAt": created,
        "imageTagMutability": setting, "imageTagMutabilityExclusionFilters": exclusions})
}
