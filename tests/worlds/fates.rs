//! `fate` in simulated worlds with replicas: an image exists where it says so, and deletions are replicated
//! where it says so.

use serde_json::Value;

use crate::{json_of, sim};
use sim::registry::Repo;
use sim::truth::Truth;
use sim::{Archive, World};

/// Number of images of a world that are asked about.
const IMAGES_MAX: usize = 4;

fn place<'f>(fate: &'f Value, repo: &Repo) -> Option<&'f Value> {
    let is_it = |one: &&Value| {
        let place = &one["repository"];
        place["registry_id"] == *repo.id.registry
            && place["region"] == *repo.id.region
            && place["name"] == *repo.id.name
    };
    fate["places"].as_array()?.iter().find(is_it)
}

/// The true presence, in the words of a fate.
fn presence(repo: &Repo, digest: &str) -> &'static str {
    match repo.lives.get(digest).and_then(|lives| lives.last()) {
        None => "absent",
        Some(life) if life.gone.is_some() => "gone",
        Some(life) if life.archived => "archived",
        Some(_) => "there",
    }
}

#[test]
fn every_place_is_what_it_is_in_truth() {
    let seeds = sim::seeds(24);
    let (asked, born, taken_along) = places(&seeds);
    assert!(
        seeds.len() != 24 || (asked > 10 && born > 0 && taken_along > 0),
        "{asked} asked, {born} born without a tag, {taken_along} taken along"
    );
}

/// Worlds in which CloudTrail left out what a run or a call did in the source: that it took an image there, and with it
/// the replica, nobody can know, which the truth did not consider and the fate did not say.
#[test]
fn what_an_illegible_event_did_to_the_source_is_open_for_the_replica_too() {
    if std::env::var_os("SEED").is_some() {
        return;
    }
    places(&[2219, 2261]);
    let world = World::generate(2261);
    let folder = tempfile::tempdir().expect("a folder");
    Archive::deliver(&world, false).write(folder.path()).expect("an archive on disk");
    let digest = "sha256:1b434135bd7a6707acc9f8cca127b7f9fc6c43eec0b4f9887157efaddb9302a2";
    let told = json_of(&["fate", digest], folder.path())["fate"].take();
    let unknown = told["unknown"].as_array().expect("what is not known");
    let is_said = |text: &Value| {
        text.as_str().is_some_and(|text| {
            text.contains("PolicyExecutionEvent of 2026-03-05T12:11:43Z")
                && text.contains("eu-central-1")
                && text.contains("may have taken it there, and with it")
                && text.contains("us-east-1")
        })
    };
    assert!(unknown.iter().any(is_said), "{unknown:?}");
}

/// Checks the places of images in these worlds. Returns how many images were asked about, how many came without their
/// tag, and how many go with their source.
fn places(seeds: &[u64]) -> (u32, u32, u32) {
    let (mut wrong, mut asked, mut born, mut taken_along) = (Vec::new(), 0, 0, 0);
    for seed in seeds {
        let seed = *seed;
        let world = World::generate(seed);
        let scenes: Vec<_> = world.scenes.iter().filter(|scene| scene.copy.is_some()).cloned().collect();
        if scenes.is_empty() {
            continue;
        }
        let truth = Truth::of(&world);
        let folder = tempfile::tempdir().expect("a folder");
        Archive::deliver(&world, false).write(folder.path()).expect("an archive on disk");
        for scene in scenes {
            let (source, copy) = (&world.repos[scene.repo], &world.repos[scene.copy.expect("a copy")]);
            let mut digests: Vec<&String> = copy.lives.keys().collect();
            // First those that were created without their tag.
            digests.sort_by_key(|digest| !world.born_untagged.iter().any(|(_, born, _)| born == *digest));
            for digest in digests.into_iter().take(IMAGES_MAX) {
                let told = json_of(&["fate", digest], folder.path())["fate"].take();
                asked += 1;
                for repo in [source, copy] {
                    // Removals without an event are reported as most likely, which is compared with the
                    // oracle.
                    let silent =
                        repo.lives.get(digest).is_some_and(|lives| lives.iter().any(|life| life.silent));
                    let is_open = |repo: &Repo| truth.uncertain.contains(&(repo.id.clone(), digest.clone()));
                    if is_open(repo) && (!silent || is_open(source)) {
                        continue;
                    }
                    let shown = place(&told, repo)
                        .map_or("absent", |place| place["presence"].as_str().expect("a word"));
                    if shown != presence(repo, digest) && repo.certain {
                        wrong.push(format!(
                            "SEED={seed} {} {}: {} and not {shown}",
                            repo.id.region,
                            digest,
                            presence(repo, digest)
                        ));
                    }
                }
                let Some(near) = place(&told, copy) else { continue };
                if near["role"] != "replica" {
                    wrong.push(format!("SEED={seed} {digest}: {} in the copy", near["role"]));
                }
                let there =
                    [source, copy].iter().all(|repo| presence(repo, digest) == "there" && repo.certain);
                let told_so = near["goes_with"].as_array().is_some_and(|list| !list.is_empty());
                if there && told_so != scene.deletes {
                    wrong.push(format!(
                        "SEED={seed} {digest}: goes with its source: {}, told {told_so}",
                        scene.deletes
                    ));
                }
                taken_along += u32::from(told_so);
                let without = world
                    .born_untagged
                    .iter()
                    .find(|(at, born, _)| Some(*at) == scene.copy && born == digest);
                let never_tagged = copy.lives[digest].len() == 1
                    && presence(copy, digest) == "there"
                    && copy.lives[digest][0].tags.is_empty();
                if let (Some((.., tag)), true, true) = (without, never_tagged, copy.certain) {
                    born += 1;
                    if near["born_untagged"]["tag"] != tag.as_str() {
                        wrong.push(format!(
                            "SEED={seed} {digest}: came without {tag}, told {}",
                            near["born_untagged"]
                        ));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    (asked, born, taken_along)
}
