//! Registries that are asked at some time, together with complete logs: their answers change nothing of the
//! oracle's results from the logs alone.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{json_of, oracle, sim};
use oracle::compare;
use oracle::findings::Finding;
use sim::clock::{BEGIN, rfc3339};
use sim::registry::Repo;
use sim::{Archive, World};

#[test]
fn a_true_answer_beside_whole_logs_changes_no_finding() {
    let worlds: Vec<World> = sim::seeds(24).into_iter().map(World::generate).collect();
    let judged: Vec<(usize, Vec<String>)> =
        worlds.iter().filter(|world| is_whole(world)).map(judge).collect();
    let findings: usize = judged.iter().map(|(findings, _)| findings).sum();
    let wrong: Vec<String> = judged.iter().flat_map(|(_, wrong)| wrong.clone()).collect();
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        worlds.len() < 24 || (judged.len() > 2 && findings > 10),
        "{} worlds, {findings} findings",
        judged.len()
    );
}

/// Worlds in which the logs alone leave two pushes of one second in doubt, and a list tells which one had the tag.
#[test]
fn a_list_tells_whom_the_logs_leave_in_doubt() {
    for seed in [43, 145, 179] {
        let (_, wrong) = judge(&World::generate(seed));
        assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    }
}

/// What is left out of the logs, or lies before them, an answer may tell.
fn is_whole(world: &World) -> bool {
    world.trail_start <= BEGIN && world.repos.iter().all(|repo| repo.certain)
}

/// How many findings the logs of a world give, and all in which the answers beside them made a difference.
fn judge(world: &World) -> (usize, Vec<String>) {
    let (logs, answers) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    Archive::deliver(world, false).write(logs.path()).expect("an archive on disk");
    sim::answers::in_the_midst(world, answers.path());
    let mut verdict = oracle::judge(oracle::read::folder(logs.path()));
    let logs = logs.path().to_str().expect("a path in UTF-8");
    let mut detected = json_of(&["detect", logs], answers.path());
    // Whom the logs alone leave in doubt a list may tell.
    let in_doubt = verdict.findings.iter().filter(|finding| finding.order == "ambiguous");
    let open: BTreeSet<_> = in_doubt.map(|finding| finding.repo.clone()).collect();
    let all = detected["findings"].as_array_mut().expect("findings");
    let (told, rest): (Vec<Value>, Vec<Value>) =
        std::mem::take(all).into_iter().partition(|found| open.contains(&compare::repository(found)));
    *all = rest;
    let is_told =
        |finding: &Finding| open.contains(&finding.repo) || is_still_there(world, &detected, finding);
    verdict.findings.retain(|finding| !is_told(finding));
    let mut wrong: Vec<String> = against_the_truth(world, &told).collect();
    wrong.extend(compare::findings(&detected, &verdict));
    let seed = world.seed;
    (verdict.findings.len(), wrong.into_iter().map(|line| format!("SEED={seed} {line}")).collect())
}

/// Pushes of one second of which a finding names the wrong one as that which had the tag, and is sure of it.
fn against_the_truth<'w>(world: &'w World, told: &'w [Value]) -> impl Iterator<Item = String> + 'w {
    let is_wrong = |found: &&Value, group: &sim::world::SameSecond| {
        let id = &group.repo;
        compare::repository(found)
            == oracle::meaning::Repo(id.registry.clone(), id.region.clone(), id.name.clone())
            && found["order"] != "ambiguous"
            && found["lost"]["digest"] == group.winner.as_str()
            && found["tag"] == group.tag.as_str()
            && found["event"]["event_time"] == rfc3339(group.second).as_str()
    };
    let groups = world.same_second.iter();
    groups.flat_map(move |group| {
        let wrong = told.iter().filter(move |found| is_wrong(found, group));
        wrong.map(move |found| {
            format!("{group:?} was won by whom a finding calls the loser: {}", found["summary"])
        })
    })
}

/// An artifact that a list shows, while neither the logs nor any list reach to the end of the day within which
/// it follows its subject: then it is there, as far as anybody knows. The oracle, which reads no list, knows
/// only that it will go.
fn is_still_there(world: &World, detected: &Value, finding: &Finding) -> bool {
    let is_ahead = finding.gone_at.is_some_and(|gone| {
        Some(&*rfc3339(gone)) > detected["coverage"]["last_event_time"].as_str()
            && world.asked.values().all(|(at, _)| *at < gone)
    });
    let shows = |(_, repo): &(u64, Repo)| {
        let lives = repo.lives.get(&finding.lost).filter(|_| {
            [&repo.id.registry, &repo.id.region, &repo.id.name]
                == [&finding.repo.0, &finding.repo.1, &finding.repo.2]
        });
        lives.and_then(|lives| lives.last()).is_some_and(|life| life.gone.is_none())
    };
    let mut found = detected["findings"].as_array().into_iter().flatten();
    is_ahead
        && world.asked.values().any(shows)
        && !found.any(|found| found["lost"]["digest"] == *finding.lost && found["kind"] == finding.kind)
}
