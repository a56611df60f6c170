//! The oracle and the simulator agree: the logs show what happened.

use crate::oracle;
use crate::sim;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;
use std::thread;

use oracle::meaning::Repo;
use sim::damage::Outcome;
use sim::record::RepoId;
use sim::truth::Truth;
use sim::{Archive, World};

fn repo(id: &RepoId) -> Repo {
    Repo(id.registry.clone(), id.region.clone(), id.name.clone())
}

fn judge(archive: &Archive) -> oracle::Verdict {
    oracle::judge(oracle::read::objects(
        archive.objects.iter().map(|object| (object.key.as_str(), object.bytes.as_slice())),
    ))
}

/// A world whose archive was delivered without damage.
struct Case {
    world: World,
    truth: Truth,
    verdict: oracle::Verdict,
}

/// All cases, generated once for all tests: without optimisation, generating them takes longer than
/// evaluating them.
fn cases() -> &'static [Case] {
    static CASES: OnceLock<Vec<Case>> = OnceLock::new();
    CASES.get_or_init(|| {
        let seeds = sim::seeds(24);
        let (left, right) = seeds.split_at(seeds.len() / 2);
        let make = |seeds: &[u64]| seeds.iter().map(|seed| case(*seed)).collect::<Vec<_>>();
        thread::scope(|scope| {
            let other = scope.spawn(|| make(right));
            let mut cases = make(left);
            cases.extend(other.join().expect("the other half"));
            cases
        })
    })
}

fn case(seed: u64) -> Case {
    let world = World::generate(seed);
    let verdict = judge(&Archive::deliver(&world, false));
    Case { truth: Truth::of(&world), verdict, world }
}

/// Every image whose whole history is in the logs has its true state, tags and times.
#[test]
fn timelines_are_what_happened() {
    for Case { world, truth, verdict } in cases() {
        let seed = world.seed;
        for image in &truth.images {
            if truth.uncertain.contains(&(image.repo.clone(), image.digest.clone())) {
                continue;
            }
            let seen = verdict
                .folded
                .repositories
                .get(&repo(&image.repo))
                .and_then(|repository| repository.images.get(&image.digest));
            let seen = seen.unwrap_or_else(|| panic!("SEED={seed}: {} is not in the logs", image.digest));
            let life = seen.lives.last().expect("a life");
            let tags: BTreeSet<String> = image.tags.iter().cloned().collect();
            let shown = (
                seen.state(),
                seen.lives.len(),
                life.pushed_at,
                life.untagged_at,
                life.gone.as_ref().map(|gone| gone.cause.time),
                seen.open_start,
            );
            let is_open = seen.open_start && image.repo.name == "failures/app";
            // An image that was requested before its push may have existed before, as far as the logs show.
            let real =
                (image.state, image.lives, Some(image.pushed_at), image.untagged_at, image.gone_at, is_open);
            assert_eq!(shown, real, "SEED={seed}: {image:?}");
            assert_eq!(seen.tags().into_iter().collect::<BTreeSet<_>>(), tags, "SEED={seed}: {image:?}");
        }
    }
}

/// Every pair whose order the logs show is found, and no other.
#[test]
fn pairs_are_what_happened() {
    for Case { world, truth, verdict } in cases() {
        let seed = world.seed;
        let call = |id: &str| {
            let id = world.same_call.get(id).map_or(id, String::as_str);
            verdict.call(id).to_owned()
        };
        // The needs of jobs, projects and endpoints are in the logs, but not in the simulator's truth.
        let certain = |repo: &Repo, digest: &str| {
            repo.2 != "jobs/app"
                && !truth.uncertain.iter().any(|(id, other)| other == digest && self::repo(id) == *repo)
        };
        let mut real: BTreeMap<_, _> = BTreeMap::new();
        for pair in truth.pairs.iter().filter(|pair| certain(&repo(&pair.repo), &pair.lost)) {
            let key = (repo(&pair.repo), pair.lost.clone(), pair.gone_at);
            let events = (
                pair.tag.clone(),
                pair.kept.clone(),
                call(&pair.first),
                call(&pair.second),
                call(&pair.deletion),
            );
            let facts = (
                pair.gap_seconds,
                pair.severity,
                pair.pulls_before,
                pair.pulls_while_untagged,
                pair.pulls_after_gone,
            );
            real.insert(key, (events, facts));
        }
        let mut shown = BTreeMap::new();
        for finding in verdict
            .findings
            .iter()
            .filter(|finding| ["same-tag-race", "same-tag-overwrite"].contains(&finding.kind))
        {
            if !certain(&finding.repo, &finding.lost) {
                continue;
            }
            let key = (finding.repo.clone(), finding.lost.clone(), finding.gone_at.unwrap_or_default());
            let first = finding.first.as_deref().map(call).unwrap_or_default();
            let events = (
                finding.tags[0].clone(),
                finding.kept.clone().unwrap_or_default(),
                first,
                call(&finding.second),
                finding.deletion.as_deref().map(call).unwrap_or_default(),
            );
            let gap = finding.gap_seconds.unwrap_or_default();
            shown.insert(
                key,
                (
                    events,
                    (
                        gap,
                        finding.severity,
                        finding.pulls_before,
                        finding.pulls_while_untagged,
                        finding.pulls_after_gone,
                    ),
                ),
            );
            assert_eq!(finding.order, "observed", "SEED={seed}");
        }
        assert_eq!(shown, real, "SEED={seed}");
    }
}

/// If the oracle infers which push came last within one second, that is true.
#[test]
fn an_inferred_order_is_true() {
    let mut inferred = 0;
    for Case { world, verdict, .. } in cases() {
        let seed = world.seed;
        for group in world.same_second.iter().filter(|group| group.second >= world.trail_start) {
            if !world.repos.iter().any(|repo| repo.id == group.repo && repo.certain) {
                continue;
            }
            let losers = group.involved.iter().filter(|digest| **digest != group.winner);
            for loser in losers {
                // An image that lost it before the trail began may not be in the logs at all.
                let Some(image) = verdict.folded.repositories[&repo(&group.repo)].images.get(loser) else {
                    continue;
                };
                let named = image
                    .lives
                    .iter()
                    .filter_map(|life| life.loss.as_ref())
                    .filter(|loss| loss.tag == group.tag && loss.second.time == group.second);
                for loss in named.filter(|loss| {
                    loss.second.order == "inferred"
                        && loss.second.time == loss.first.as_ref().map_or(0, |first| first.time)
                }) {
                    assert_eq!(loss.kept, group.winner, "SEED={seed}: {group:?}");
                    inferred += 1;
                }
            }
            let winner = &verdict.folded.repositories[&repo(&group.repo)].images[&group.winner];
            let wrongly = winner.lives.iter().filter_map(|life| life.loss.as_ref()).find(|loss| {
                loss.tag == group.tag && loss.second.time == group.second && loss.second.order == "inferred"
            });
            assert!(wrongly.is_none(), "SEED={seed}: {wrongly:?} {group:?}");
        }
    }
    assert!(inferred > 0 || std::env::var("SEED").is_ok(), "the worlds hold no order to infer");
}

/// The coverage reports exactly the damage that was done; everything else is read.
#[test]
fn coverage_is_what_was_damaged() {
    for seed in sim::seeds(12) {
        let archive = Archive::deliver(&World::generate(seed), true);
        let coverage = judge(&archive).coverage;
        let unreadable: usize = archive.objects.iter().map(|object| object.truth.unreadable.len()).sum();
        let failed: BTreeSet<(String, Option<usize>)> =
            archive.objects.iter().flat_map(sim::damage::Object::failures).collect();
        assert_eq!(coverage.objects_listed, archive.objects.len(), "SEED={seed}");
        assert_eq!(coverage.failures, failed, "SEED={seed}");
        assert_eq!(coverage.objects_read, archive.count(Outcome::Read), "SEED={seed}");
        assert_eq!(coverage.objects_skipped, archive.count(Outcome::Skipped), "SEED={seed}");
        assert_eq!(coverage.objects_failed, archive.count(Outcome::Failed), "SEED={seed}");
        assert_eq!(
            (coverage.records, coverage.records_failed),
            (archive.readable() + unreadable, unreadable),
            "SEED={seed}"
        );
        let ids: BTreeSet<&String> = archive
            .objects
            .iter()
            .flat_map(|object| object.truth.readable.iter().map(|(id, _)| id))
            .collect();
        assert_eq!(coverage.records_duplicate, archive.readable() - ids.len(), "SEED={seed}");
    }
}
