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
    let (mut wrong, mut asked, mut born, mut taken_along) = (Vec::new(), 0, 0, 0);
    for seed in sim::seeds(24) {
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
                    if truth.uncertain.contains(&(repo.id.clone(), digest.clone())) && !silent {
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
                taken_along += usize::from(told_so);
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
    let whole = sim::seeds(24).len() == 24;
    assert!(
        !whole || (asked > 10 && born > 0 && taken_along > 0),
        "{asked} asked, {born} born without a tag, {taken_along} taken along"
    );
}
