//! Registries that are asked at some moment, beside whole logs: what they answer changes nothing of what the
//! oracle reads in the logs alone.

use std::process::Command;

use serde_json::Value;

use crate::oracle;
use crate::sim;
use oracle::compare;
use sim::clock::BEGIN;
use sim::{Archive, World};

#[test]
fn a_true_answer_beside_whole_logs_changes_no_finding() {
    let (mut wrong, mut worlds, mut findings) = (Vec::new(), 0, 0);
    for seed in sim::seeds(24) {
        let world = World::generate(seed);
        // What is left out of the logs, or lies before them, an answer may tell.
        if world.trail_start > BEGIN || world.repos.iter().any(|repo| !repo.certain) {
            continue;
        }
        let (logs, answers) =
            (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        Archive::deliver(&world, false).write(logs.path()).expect("an archive on disk");
        sim::answers::in_the_midst(&world, answers.path());
        let verdict = oracle::judge(oracle::read::folder(logs.path()));
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let output = command
            .arg("detect")
            .args([logs.path(), answers.path()])
            .args(["--format", "json", "--quiet"])
            .output()
            .expect("the binary runs");
        let detected: Value = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
        worlds += 1;
        findings += verdict.findings.len();
        // Not judged: artifacts that a list still shows within the day in which they follow their subject,
        // and images that were never there because their pushes were refused. There a list is evidence of its
        // own, and the oracle reads none.
        let judged = |line: &String| !["signed/app", "failures/app"].iter().any(|name| line.contains(name));
        let lines = compare::findings(&detected, &verdict).into_iter().filter(judged);
        wrong.extend(lines.map(|line| format!("SEED={seed} {line}")));
    }
    assert!(wrong.is_empty(), "{} differences\n{}", wrong.len(), wrong.join("\n"));
    assert!(
        sim::seeds(24).len() < 24 || (worlds > 2 && findings > 10),
        "{worlds} worlds, {findings} findings"
    );
}
