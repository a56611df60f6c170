//! Commits on a simulated disk that loses, tears and reorders writes and fails calls: afterwards the lake
//! always opens, contains the last commit, and accepts further ones.
//!
//! `SEED=7 cargo test --lib lake::commit::local` repeats one seed, `SEEDS=100000` runs more of them.

use super::*;
use crate::lake::commit::worlds::{Model, empty, holds, number, partition};
use crate::lake::disk::sim::{Fault, Random, SimDisk};
use crate::lake::layout::STAGING;

/// A next commit; the contents of all its files are different.
fn next(disk: &SimDisk, model: &Model, random: &mut Random) -> io::Result<Model> {
    crate::lake::commit::worlds::next(disk, model, random, |random| {
        (0..8 + random.below(60)).map(|_| u8::try_from(random.below(256)).unwrap()).collect()
    })
}

/// Checks that the partitions' folders have only files in effect, and that no unfinished files are left.
fn is_tidy(disk: &SimDisk, model: &Model, what: &str) {
    let folders = (0..4).map(|day| partition(day).folder()).chain([layout::OBJECTS.into(), STAGING.into()]);
    for folder in folders {
        for name in disk.names(&folder).unwrap() {
            assert!(
                model.files.contains_key(&folder.join(&name)),
                "{what}: {} is left over",
                folder.join(name).display()
            );
        }
    }
}

fn open(disk: &SimDisk) -> Result<Manifest, LakeError> {
    let manifest = Manifest::load(disk)?.manifest;
    recover(disk, &manifest)?;
    Ok(manifest)
}

/// A lake's history from one seed: commits, one of which is stopped or fails, and the recovery from it.
fn live(seed: u64) {
    let (mut random, disk) = (Random(seed), SimDisk::default());
    let mut model = empty();
    for round in 0..4 {
        let what = format!("SEED={seed}, round {round}");
        let kinds = [io::ErrorKind::StorageFull, io::ErrorKind::Other];
        let fault = if random.below(2) == 0 {
            Fault::Stop
        } else {
            Fault::Once(kinds[usize::try_from(random.below(2)).unwrap()])
        };
        disk.fail_after(random.below(130), fault);
        let mut tried = None;
        // Like a run: open, commit, and stop at the first error.
        let done = open(&disk).map_err(|error| error.to_string()).and_then(|_| {
            for _ in 0..1 + random.below(3) {
                let next = next(&disk, &model, &mut random).map_err(|error| error.to_string())?;
                tried = Some(next.clone());
                publish(&disk, &model.manifest, &next.manifest).map_err(|error| error.to_string())?;
                model = next;
                tried = None;
            }
            Ok(())
        });
        if done.is_ok() || fault == Fault::Stop || random.below(2) == 0 {
            disk.crash(&mut random);
        } else {
            disk.fail_after(u64::MAX, Fault::Stop);
        }
        // A commit that failed on its way may be in effect or not, until the next writer settles it.
        let which = || {
            let found = Manifest::load(&disk).unwrap_or_else(|error| panic!("{what}: {error}")).manifest;
            tried
                .clone()
                .filter(|tried| tried.manifest.generation == found.generation)
                .unwrap_or_else(|| model.clone())
        };
        holds(&disk, &which(), true, &what);
        // The recovery may be stopped as well, and more than once.
        for _ in 0..random.below(3) {
            disk.fail_after(random.below(20), Fault::Stop);
            let _ = open(&disk);
            disk.crash(&mut random);
            holds(&disk, &which(), true, &what);
        }
        model = which();
        open(&disk).unwrap_or_else(|error| panic!("{what}: {error}"));
        holds(&disk, &model, false, &what);
        is_tidy(&disk, &model, &what);
    }
    let last = next(&disk, &model, &mut random).unwrap();
    publish(&disk, &model.manifest, &last.manifest).unwrap();
    holds(&disk, &last, false, &format!("SEED={seed}, goes on"));
}

#[test]
fn whatever_a_disk_does_the_lake_holds_its_last_commit_and_goes_on() {
    match number("SEED") {
        Some(seed) => live(seed),
        None => (0..number("SEEDS").unwrap_or(1_500)).for_each(live),
    }
}

/// The commit is stopped at each of its calls in turn.
#[test]
fn stopped_at_any_call_a_commit_is_there_as_a_whole_or_not_at_all() {
    let begin = || {
        let (mut random, disk) = (Random(3), SimDisk::default());
        let mut model = empty();
        for _ in 0..3 {
            let next = next(&disk, &model, &mut random).unwrap();
            publish(&disk, &model.manifest, &next.manifest).unwrap();
            model = next;
        }
        let new = next(&disk, &model, &mut random).unwrap();
        (disk, model, new)
    };
    let (disk, old, new) = begin();
    let before = disk.calls();
    publish(&disk, &old.manifest, &new.manifest).unwrap();
    let calls = disk.calls() - before;
    assert!(calls > 20);
    let (mut kept_old, mut kept_new) = (0, 0);
    for at in 0..=calls {
        for crash in 0..20 {
            let (disk, old, new) = begin();
            disk.fail_after(at, Fault::Stop);
            let done = publish(&disk, &old.manifest, &new.manifest);
            disk.crash(&mut Random(crash));
            let what = format!("stopped at call {at}, crash {crash}");
            let generation = Manifest::load(&disk).unwrap().manifest.generation;
            let there = if generation == new.manifest.generation { &new } else { &old };
            assert!(
                done.is_err() || generation == new.manifest.generation,
                "{what}: a commit that was told is lost"
            );
            holds(&disk, there, true, &what);
            open(&disk).unwrap();
            holds(&disk, there, false, &what);
            is_tidy(&disk, there, &what);
            if generation == new.manifest.generation { kept_new += 1 } else { kept_old += 1 }
        }
    }
    assert!(kept_old > 100 && kept_new > 100, "{kept_old} before, {kept_new} after");
}
