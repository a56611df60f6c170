//! Nightly alerts: thirty nights over a simulated year, each with a moving window and the file of the
//! previous night.

use crate::sim;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

use serde_json::Value;
use sim::clock::{BEGIN, DAY, rfc3339};
use sim::truth::Truth;
use sim::{Archive, World};
use tagfall::model::Timestamp;

/// Number of weeks with events, and the days between them: a year.
const WEEKS: u64 = 10;
const APART_DAYS: u64 = 36;
/// The nights after each of them: two while it lasts, and one when it is over.
const NIGHTS: [u64; 3] = [3, 6, 20];
/// Length of the window.
const WINDOW_DAYS: u64 = 24;

/// Shifts every time in a record: texts that are times, and numbers that are epochs.
fn shift(value: &mut Value, seconds: u64) {
    match value {
        Value::String(text) if text.len() == 20 => {
            if let Some(time) = Timestamp::parse(text) {
                *text = time.plus_seconds(seconds as i64).to_string();
            }
        }
        Value::Number(number) => match number.as_u64() {
            Some(millis) if (BEGIN * 900..BEGIN * 1_100).contains(&millis) => {
                *value = (millis + seconds * 1000).into()
            }
            Some(epoch) if (BEGIN - 1_000 * DAY..BEGIN + 1_000 * DAY).contains(&epoch) => {
                *value = (epoch + seconds).into()
            }
            _ => {}
        },
        Value::Array(values) => values.iter_mut().for_each(|value| shift(value, seconds)),
        Value::Object(members) => members.values_mut().for_each(|value| shift(value, seconds)),
        _ => {}
    }
}

/// A week's world, shifted to its place in the year.
fn week(seed: u64, number: u64) -> World {
    let mut world = World::generate(seed * 1_000 + number);
    let seconds = number * APART_DAYS * DAY;
    for logged in &mut world.logged {
        logged.second += seconds;
        shift(&mut logged.record, seconds);
    }
    world
}

/// A loss: registry, region, repository, and the digest, or the tag if only a tag was lost.
type Lost = (String, String, String, String);

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn lost(finding: &Value) -> Lost {
    let place = &finding["repository"];
    let of_tag = ["tag-removed", "tag-moved-back"].contains(&finding["kind"].as_str().unwrap_or_default());
    // A tag that never existed is identified by its name, a failure with a digest by that.
    let of_tag = of_tag
        || finding["kind"] == "unexplained"
            && !finding["summary"].as_str().unwrap_or_default().contains("sha256:")
        || ["asked-before-pushed", "never-pushed-here"]
            .contains(&finding["kind"].as_str().unwrap_or_default())
            && finding["summary"].as_str().unwrap_or_default().contains("could not have tag ");
    let what = if of_tag { &finding["tag"] } else { &finding["lost"]["digest"] };
    (text(&place["registry_id"]), text(&place["region"]), text(&place["name"]), text(what))
}

/// What a night reports about a loss, without ids: the latest end, whether it still existed, and its
/// severity.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Told {
    gone_at: Option<String>,
    there: bool,
    severity: usize,
}

fn rank(finding: &Value) -> usize {
    ["critical", "high", "medium", "low"]
        .iter()
        .position(|word| finding["severity"] == *word)
        .expect("a severity")
}

/// One night: exit code, document.
fn night(folder: &Path, known: &Path, until: u64) -> (Option<i32>, Value) {
    let since = until.saturating_sub(WINDOW_DAYS * DAY).max(BEGIN);
    let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
    command
        .arg("detect")
        .arg(folder)
        .args([
            "--since",
            &rfc3339(since),
            "--until",
            &rfc3339(until),
            "--quiet",
            "--format",
            "json",
            "--known",
        ])
        .arg(known);
    let output = command.output().expect("the binary runs");
    let document = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code(), document)
}

/// The losses of a night, by loss.
fn losses(document: &Value) -> BTreeMap<Lost, Vec<Told>> {
    let mut losses: BTreeMap<Lost, Vec<Told>> = BTreeMap::new();
    for finding in document["findings"].as_array().expect("findings") {
        let gone_at = finding["lost"]["gone_at"].as_str().map(str::to_owned);
        let there = [
            "displaced-alive",
            "access-taken",
            "unexplained",
            "asked-before-pushed",
            "index-lost-to-its-child",
        ]
        .contains(&finding["kind"].as_str().unwrap_or_default());
        losses.entry(lost(finding)).or_default().push(Told { gone_at, there, severity: rank(finding) });
    }
    losses
}

#[test]
fn thirty_nights_over_a_year_tell_every_loss_once_and_every_worsening_once() {
    let seed = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(7);
    let weeks: Vec<World> = (0..WEEKS).map(|number| week(seed, number)).collect();
    let folder = tempfile::tempdir().expect("a folder");
    let logs = folder.path().join("logs");
    weeks.iter().for_each(|world| Archive::deliver(world, false).write(&logs).expect("an archive on disk"));
    let known = folder.path().join("known.json");

    let mut told: BTreeMap<Lost, Told> = BTreeMap::new();
    let mut ids: BTreeMap<Lost, String> = BTreeMap::new();
    let (mut shown, mut alerts, mut worse, mut quiet) = (0, 0, 0, 0);
    let nights = (0..WEEKS).flat_map(|week| NIGHTS.map(|night| week * APART_DAYS + night));
    for number in nights {
        let (code, document) = night(&logs, &known, BEGIN + number * DAY);
        for finding in document["findings"].as_array().expect("findings") {
            let id = finding["id"].as_str().expect("an id").split('-').next().unwrap_or_default().to_owned();
            assert_eq!(
                *ids.entry(lost(finding)).or_insert_with(|| id.clone()),
                id,
                "SEED={seed} night {number}: {}",
                finding["summary"]
            );
        }
        let mut speaks = false;
        for (lost, tellings) in losses(&document) {
            shown += 1;
            let gone_at = tellings.iter().filter_map(|told| told.gone_at.clone()).max();
            let newest = tellings.iter().filter(|told| told.gone_at.is_none() || told.gone_at == gone_at);
            let severity = newest.clone().map(|told| told.severity).min().expect("at least one");
            let there = gone_at.is_none() && newest.clone().any(|told| told.there);
            let now = Told { gone_at, there, severity };
            let expected = match told.get(&lost) {
                None => "new",
                Some(before) if before.gone_at.is_some() && now.gone_at > before.gone_at => "new",
                Some(before) if now.severity < before.severity || before.there && now.gone_at.is_some() => {
                    "worse"
                }
                Some(_) => "known",
            };
            assert_eq!(
                document["news"][&ids[&lost]],
                expected,
                "SEED={seed} night {number}: {lost:?} was {:?} and is {now:?}",
                told.get(&lost)
            );
            match expected {
                "new" => alerts += 1,
                "worse" => worse += 1,
                _ => quiet += 1,
            }
            speaks |= expected != "known";
            let before = told.get(&lost).cloned().filter(|_| expected != "new");
            let kept = before.map_or(now.clone(), |before| Told {
                gone_at: before.gone_at.max(now.gone_at.clone()),
                there: if expected == "worse" { now.there } else { before.there && now.gone_at.is_none() },
                severity: before.severity.min(now.severity),
            });
            told.insert(lost, kept);
        }
        assert_eq!(code, Some(i32::from(speaks)), "SEED={seed} night {number}");
    }
    // The incidents that really happened, according to the registry and not to the logs.
    let heard: BTreeSet<&Lost> = told.keys().collect();
    let certain = |truth: Truth| {
        let Truth { pairs, uncertain, .. } = truth;
        pairs.into_iter().filter(move |pair| !uncertain.contains(&(pair.repo.clone(), pair.lost.clone())))
    };
    let real: Vec<_> = weeks.iter().map(Truth::of).flat_map(certain).collect();
    for pair in &real {
        let lost =
            (pair.repo.registry.clone(), pair.repo.region.clone(), pair.repo.name.clone(), pair.lost.clone());
        assert!(heard.contains(&lost), "SEED={seed}: {lost:?} was never told");
    }
    println!(
        "{shown} tellings in thirty nights: {alerts} new, {worse} worse, {quiet} quiet; {} real incidents",
        real.len()
    );
    assert!(
        real.len() > 10 && quiet > alerts && worse > 0,
        "the year is worth watching: {} {alerts} {worse} {quiet}",
        real.len()
    );
}
