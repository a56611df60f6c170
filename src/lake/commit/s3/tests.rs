//! Commits to a simulated bucket that can fail at any call, whether or not the call was carried out, with
//! runs that are killed and runs that are overtaken: afterwards the lake always opens, contains the last
//! commit, accepts further ones, and no objects are left over.
//!
//! `SEED=7 cargo test --lib lake::commit::s3` repeats one seed, `SEEDS=100000` runs more of them.

use std::sync::Arc;

use super::*;
use crate::lake::commit::worlds::{self, Model, empty, number, partition};
use crate::lake::disk::far_sim::{Fault, SimStore};
use crate::lake::disk::sim::Random;

fn disk(store: &SimStore) -> S3Disk {
    S3Disk::new(Arc::new(store.clone()))
}

/// A next commit. There are few different contents, so that some that were replaced before come again.
fn next(disk: &S3Disk, model: &Model, random: &mut Random) -> Model {
    worlds::next(disk, model, random, |random| vec![u8::try_from(random.below(6)).unwrap(); 40]).unwrap()
}

/// Checks what a new reader sees.
fn holds(store: &SimStore, model: &Model, what: &str) {
    worlds::holds(&disk(store), model, false, what);
}

fn has_all(disk: &S3Disk, model: &Model, what: &str) {
    worlds::has_all(disk, model, false, what);
}

/// Commits without keeping replaced objects longer than necessary.
fn publish(disk: &S3Disk, present: &Manifest, next: &Manifest) -> Result<(), LakeError> {
    super::publish(disk, present, next, Duration::ZERO)
}

/// Checks that the bucket contains only what the present and the previous manifest name and what an
/// unfinished run may still commit, and that the lists name the files in effect.
fn is_tidy(store: &SimStore, model: &Model, what: &str) {
    let disk = disk(store);
    let before = paths(&previous(&disk));
    for key in store
        .keys()
        .iter()
        .filter(|key| key.starts_with("_tagfall/parts/") || key.starts_with("_tagfall/objects/"))
    {
        let path = Path::new(key);
        let pending = || {
            let generation =
                path.file_name().and_then(|name| name.to_str()?.split('-').next()?.parse::<u64>().ok());
            generation.is_some_and(|generation| generation > model.manifest.generation)
        };
        assert!(
            model.files.contains_key(path) || before.contains(path) || pending(),
            "{what}: {key} is left over"
        );
    }
    for day in 0..3 {
        let (path, text) = list(&disk, &model.manifest, &partition(day));
        let there =
            disk.get(&path).unwrap().map(|(bytes, _)| String::from_utf8(bytes).unwrap()).unwrap_or_default();
        assert_eq!(there, text, "{what}: {}", path.display());
    }
}

fn open(disk: &S3Disk) -> Result<Manifest, LakeError> {
    let manifest = Manifest::load(disk)?.manifest;
    recover(disk, &manifest, Duration::ZERO)?;
    Ok(manifest)
}

/// A lake's history from one seed: runs of some commits, one of which is killed, fails, or is overtaken by
/// another one.
fn live(seed: u64) {
    let (mut random, store) = (Random(seed), SimStore::default());
    let mut model = empty();
    for round in 0..5 {
        let what = format!("SEED={seed}, round {round}");
        // A run that began before, and is slow.
        let slow = disk(&store);
        let read_by_slow = open(&slow).map(|manifest| Model { manifest, ..model.clone() }).unwrap();
        let fault = if random.below(2) == 0 { Fault::Stop } else { Fault::Once };
        store.fail_after(random.below(90), fault, random.below(2) == 0);
        let mut tried = None;
        let run = disk(&store);
        let done = open(&run).and_then(|_| {
            for _ in 0..1 + random.below(3) {
                let next = next(&run, &model, &mut random);
                tried = Some(next.clone());
                publish(&run, &model.manifest, &next.manifest)?;
                model = next;
                tried = None;
            }
            Ok(())
        });
        store.restart();
        assert!(!matches!(done, Err(LakeError::Overtaken { .. })), "{what}: nobody else has committed");
        // A commit that failed on its way may be in effect or not.
        let found = Manifest::load(&disk(&store)).unwrap_or_else(|error| panic!("{what}: {error}")).manifest;
        if let Some(tried) = tried.filter(|tried| tried.manifest.generation == found.generation) {
            model = tried;
        }
        holds(&store, &model, &what);
        // The slow run commits now: after the other one, or alone.
        let late = next(&slow, &read_by_slow, &mut random);
        match publish(&slow, &read_by_slow.manifest, &late.manifest) {
            Ok(()) => {
                assert_eq!(
                    model.manifest.generation, read_by_slow.manifest.generation,
                    "{what}: a commit is overwritten"
                );
                model = late;
            }
            Err(LakeError::Overtaken { .. }) => {
                assert_ne!(model.manifest.generation, read_by_slow.manifest.generation, "{what}")
            }
            Err(error) => panic!("{what}: {error}"),
        }
        holds(&store, &model, &what);
        // The recovery may be killed as well.
        for _ in 0..random.below(3) {
            store.fail_after(random.below(20), Fault::Stop, random.below(2) == 0);
            let _ = open(&disk(&store));
            store.restart();
            holds(&store, &model, &what);
        }
        open(&disk(&store)).unwrap_or_else(|error| panic!("{what}: {error}"));
        holds(&store, &model, &what);
        is_tidy(&store, &model, &what);
    }
}

#[test]
fn whatever_a_bucket_does_the_lake_holds_its_last_commit_and_goes_on() {
    match number("SEED") {
        Some(seed) => live(seed),
        None => (0..number("SEEDS").unwrap_or(100)).for_each(live),
    }
}

/// The commit is stopped at each of its calls in turn, with that call carried out or not.
#[test]
fn stopped_at_any_call_a_commit_to_a_bucket_is_there_as_a_whole_or_not_at_all() {
    let begin = || {
        let (mut random, store) = (Random(3), SimStore::default());
        let (run, mut model) = (disk(&store), empty());
        for _ in 0..3 {
            let next = next(&run, &model, &mut random);
            publish(&run, &model.manifest, &next.manifest).unwrap();
            model = next;
        }
        let new = next(&run, &model, &mut random);
        (store, run, model, new)
    };
    let (store, run, old, new) = begin();
    let before = store.calls();
    publish(&run, &old.manifest, &new.manifest).unwrap();
    let calls = store.calls() - before;
    assert!(calls > 10);
    let (mut kept_old, mut kept_new) = (0, 0);
    for at in 0..=calls {
        for is_done in [false, true] {
            let (store, run, old, new) = begin();
            store.fail_after(at, Fault::Stop, is_done);
            let done = publish(&run, &old.manifest, &new.manifest);
            store.restart();
            let what = format!("stopped at call {at}, done {is_done}");
            let generation = Manifest::load(&disk(&store)).unwrap().manifest.generation;
            let there = if generation == new.manifest.generation { &new } else { &old };
            assert!(
                done.is_err() || generation == new.manifest.generation,
                "{what}: a commit that was told is lost"
            );
            holds(&store, there, &what);
            // A reader that began before.
            has_all(&disk(&store), &old, &what);
            open(&disk(&store)).unwrap();
            holds(&store, there, &what);
            has_all(&disk(&store), &old, &what);
            is_tidy(&store, there, &what);
            if generation == new.manifest.generation { kept_new += 1 } else { kept_old += 1 }
        }
    }
    assert!(kept_old > 5 && kept_new > 5, "{kept_old} before, {kept_new} after");
}

/// Before each call of a commit in turn, another run opens the lake and mostly commits.
#[test]
fn a_run_that_is_slow_at_any_call_is_neither_robbed_of_its_parts_nor_in_the_way() {
    let (mut first_won, mut second_won) = (0, 0);
    for commits in [false, true] {
        for at in 0..60 {
            let what = format!("before call {at}, commits {commits}");
            let (mut random, store) = (Random(at), SimStore::default());
            let (slow, mut model) = (disk(&store), empty());
            for _ in 0..2 {
                let next = next(&slow, &model, &mut random);
                publish(&slow, &model.manifest, &next.manifest).unwrap();
                model = next;
            }
            // Objects left by a third run that was killed.
            let killed = next(&slow, &model, &mut Random(77));
            store.fail_after(4, Fault::Stop, true);
            publish(&slow, &model.manifest, &killed.manifest).unwrap_err();
            store.restart();
            let mine = next(&slow, &model, &mut random);
            let quick = disk(&store);
            let others = Arc::new(std::sync::Mutex::new(None));
            let (came, told) = (Arc::clone(&others), model.clone());
            store.between(at, move || {
                let manifest = open(&quick).unwrap();
                if commits && manifest.generation == told.manifest.generation {
                    let theirs = next(&quick, &told, &mut Random(at + 1_000));
                    publish(&quick, &manifest, &theirs.manifest).unwrap();
                    *came.lock().unwrap() = Some(theirs);
                }
            });
            let done = publish(&slow, &model.manifest, &mine.manifest);
            let theirs = others.lock().unwrap().take();
            let there = match (done, theirs) {
                (Ok(()), None) => {
                    first_won += 1;
                    mine
                }
                (Err(LakeError::Overtaken { .. }), Some(theirs)) => {
                    second_won += 1;
                    theirs
                }
                (done, theirs) => {
                    panic!("{what}: {done:?}, and the other one has committed: {}", theirs.is_some())
                }
            };
            holds(&store, &there, &what);
            has_all(&disk(&store), &model, &what);
            store.between(u64::MAX / 2, || {});
            open(&disk(&store)).unwrap();
            holds(&store, &there, &what);
            is_tidy(&store, &there, &what);
        }
    }
    assert!(first_won > 60 && second_won > 5, "{first_won} and {second_won}");
}

#[test]
fn a_copy_of_a_run_does_not_make_a_service_look_as_if_it_ignored_conditions() {
    for at in 0..40 {
        let what = format!("before call {at}");
        let (store, model) = (SimStore::default(), empty());
        let slow = disk(&store);
        let mine = next(&slow, &model, &mut Random(9));
        let ends_well = |done: Result<(), LakeError>, what: &str| {
            assert!(matches!(done, Ok(()) | Err(LakeError::Overtaken { .. })), "{what}: {done:?}");
        };
        let (quick, told) = (disk(&store), model.clone());
        store.between(at, move || {
            let same = next(&quick, &told, &mut Random(9));
            ends_well(publish(&quick, &told.manifest, &same.manifest), "the copy");
        });
        ends_well(publish(&slow, &model.manifest, &mine.manifest), &what);
        store.between(u64::MAX / 2, || {});
        open(&disk(&store)).unwrap();
        holds(&store, &mine, &what);
    }
}

#[test]
fn of_a_run_that_was_killed_everything_goes_once_it_cannot_commit_any_more() {
    let (mut random, store) = (Random(9), SimStore::default());
    let (run, first) = (disk(&store), empty());
    let one = next(&run, &first, &mut random);
    publish(&run, &first.manifest, &one.manifest).unwrap();
    let killed = next(&run, &one, &mut random);
    store.fail_after(5, Fault::Stop, true);
    publish(&run, &one.manifest, &killed.manifest).unwrap_err();
    store.restart();
    let strangers = [
        "_tagfall/parts/000002-00000000000000000000000000000000.parquet",
        "notes.txt",
        "_tagfall/parts/mine.parquet",
    ];
    for key in strangers {
        disk(&store).put(Path::new(key), b"x".to_vec(), Condition::Always).unwrap();
    }
    let orphans = |model: &Model| {
        let named: BTreeSet<PathBuf> = model.files.keys().cloned().collect();
        let parts =
            store.keys().into_iter().filter(|key| key.contains("/parts/") || key.contains("/objects/"));
        parts.filter(|key| !named.contains(Path::new(key)) && !strangers.contains(&key.as_str())).count()
    };
    assert!(orphans(&one) > 0, "the killed run has left something");
    let run = disk(&store);
    open(&run).unwrap();
    assert!(orphans(&one) > 0, "it may still be at work");
    let mut two = next(&run, &one, &mut random);
    two.manifest.files.extend(
        one.manifest
            .files
            .iter()
            .filter(|file| !two.manifest.files.contains(file))
            .cloned()
            .collect::<Vec<_>>(),
    );
    two.files.extend(one.files.clone());
    publish(&run, &one.manifest, &two.manifest).unwrap();
    assert_eq!(orphans(&two), 0, "it has lost, and nothing of it is left");
    for key in strangers {
        assert!(store.keys().iter().any(|other| other == key), "{key} is nobody's of this lake");
    }
}

/// Readers begin and end at any time, while runs commit, are killed and are overtaken: every file that a
/// reader's manifest names is there until its time is over, and is removed then.
#[test]
fn what_was_replaced_stays_for_readers_for_the_time_that_was_said_and_no_longer() {
    let keep = Duration::from_millis(300);
    let (mut kept, mut gone) = (0, 0);
    for seed in 0..40 {
        let (mut random, store) = (Random(seed), SimStore::default());
        let mut model = empty();
        // Earlier states of the lake, each with the time at which it was replaced.
        let mut before: Vec<(u64, Model)> = Vec::new();
        for round in 0..25 {
            let what = format!("seed {seed}, round {round}");
            let run = disk(&store);
            let manifest = Manifest::load(&run).unwrap().manifest;
            recover(&run, &manifest, keep).unwrap();
            let next = next(&run, &model, &mut random);
            if random.below(4) == 0 {
                store.fail_after(random.below(40), Fault::Stop, random.below(2) == 0);
            }
            let done = super::publish(&run, &model.manifest, &next.manifest, keep);
            store.restart();
            let found = Manifest::load(&disk(&store)).unwrap().manifest;
            assert!(done.is_err() || found.generation == next.manifest.generation, "{what}");
            if found.generation == next.manifest.generation {
                before.push((store.calls(), std::mem::replace(&mut model, next)));
            }
            holds(&store, &model, &what);
            let now = store.calls();
            for (since, model) in before.iter().filter(|(since, _)| now - since < 300) {
                has_all(&disk(&store), model, &format!("{what}, replaced at {since}, now {now}"));
                kept += 1;
            }
            let there = store.keys();
            let is_there = |path: &PathBuf| there.iter().any(|key| Path::new(key) == path);
            gone += before.iter().filter(|(_, model)| !model.files.keys().all(is_there)).count();
        }
    }
    assert!(kept > 500 && gone > 500, "{kept} and {gone}");
}
