//! Registries that are asked at some time, together with complete logs: their answers change nothing of the
//! oracle's results from the logs alone.

use serde_json::Value;

use crate::{json_of, oracle, sim};
use oracle::compare;
use oracle::findings::Finding;
use sim::clock::{BEGIN, rfc3339};
use sim::registry::Repo;
use sim::{Archive, World};

#[test]
fn a_true_answer_beside_whole_logs_changes_no_finding() {
    let (mut wrong, mut worlds, mut findings) = (Vec::new(), 0, 0);
    for seed in sim::seeds(24) {
        let world = World::generate(seed);
        // Answers may show what is missing in the logs or before them.
        if world.trail_start > BEGIN || world.repos.iter().any(|repo| !repo.certain) {
            continue;
        }
        let (logs, answers) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        Archive::deliver(&world, false).write(logs.path()).expect("an archive on disk");
        sim::answers::in_the_midst(&world, answers.path());
        let mut verdict = oracle::judge(oracle::read::folder(logs.path()));
        let logs = logs.path().to_str().expect("a path in UTF-8");
        let detected = json_of(&["detect", logs], answers.path());
        verdict.findings.retain(|finding| !is_still_there(&world, &detected, finding));
        worlds += 1;
        findings += verdict.findings.len();
        let lines = compare::findings(&detected, &verdict).into_iter();
        wrong.extend(lines.map(|line| format!("SEED={seed} {line}")));
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        sim::seeds(24).len() < 24 || (worlds > 2 && findings > 10),
        "{worlds} worlds, {findings} findings"
    );
}

/// An artifact in a list, if neither the logs nor any list cover the end of the day within which it follows
/// its subject: then it still exists as far as is known. The oracle, which reads no lists, only knows that it
/// will be removed.
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
