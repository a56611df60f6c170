//! Replays of logs written by hand.

use std::sync::Arc;

use serde_json::json;

use super::WhatIfs;
use crate::model::{
    Action, ImageDescription, LifecycleRule, ManifestKind, Outcome, Push, PushOrigin, RunKind, Timestamp,
    WhatIf,
};
use crate::policy::Policy;
use crate::timeline::Scenario;
use crate::timeline::tests::log::{Log, START, digest};

const DAY: i64 = 86_400;
const HALF: i64 = DAY / 2;

/// The rule of a run's event: untagged images, this many days after their push.
pub fn untagged_rule(days: i64) -> LifecycleRule<'static> {
    LifecycleRule {
        priority: 1,
        description: None,
        action: "expire".into(),
        tag_status: Some("Untagged".into()),
        tag_prefix_list: Vec::new(),
        tag_pattern_list: Vec::new(),
        count_type: Some("Time since image pushed".into()),
        count_unit: Some("Days".into()),
        count_number: Some(days),
        storage_class: None,
    }
}

fn untagged(days: i64) -> Scenario {
    let selection = json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    Scenario::Instead(Arc::new(Policy::from_text(
        &json!({"rules": [{"rulePriority": 4, "selection": selection, "action": {"type": "expire"}}]})
            .to_string(),
    )))
}

fn second(seconds: i64) -> Option<Timestamp> {
    Some(Timestamp::from_millis((START + seconds) * 1000))
}

fn played(log: &Log, scenario: &Scenario, days: i64) -> Vec<WhatIf> {
    let history = log.simulating(scenario, days);
    WhatIfs::new(&history, scenario).iter().collect()
}

/// What each image came to: its number is that of the first digest that fits.
fn outcomes(log: &Log, scenario: &Scenario) -> Vec<(u8, Outcome, Option<Timestamp>)> {
    let number = |element: &WhatIf| (0..=u8::MAX).find(|n| digest(*n) == element.digest).unwrap();
    let mut told: Vec<_> = played(log, scenario, 30)
        .iter()
        .map(|element| (number(element), element.outcome, element.would_go_at))
        .collect();
    told.sort();
    told
}

#[test]
fn a_shorter_rule_takes_it_in_an_earlier_run_and_a_longer_one_keeps_it() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v1");
    log.at(2 * DAY).whole_run(untagged_rule(7), &[], &[]).at(5 * DAY).whole_run(untagged_rule(7), &[], &[]);
    log.at(8 * DAY).whole_run(untagged_rule(7), &[(1, &[])], &[]).at(9 * DAY).pull(Some(1), None);
    assert_eq!(outcomes(&log, &Scenario::InForce), [(1, Outcome::Agrees, second(8 * DAY))]);
    assert_eq!(outcomes(&log, &untagged(60)), [(1, Outcome::LoggedOnly, None)]);
    let earlier = played(&log, &untagged(4), 30);
    assert_eq!(
        (earlier[0].outcome, earlier[0].would_go_at, earlier[0].went_at),
        (Outcome::OtherRun, second(5 * DAY), second(8 * DAY))
    );
    assert!(earlier[0].pulled_after && earlier[0].needed && earlier[0].displaced);
    assert_eq!((earlier[0].run, earlier[0].rule_priority), (Some(RunKind::Logged), Some(4)));
}

#[test]
fn a_run_that_left_what_its_rules_take_is_a_difference() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v1");
    log.at(8 * DAY).whole_run(untagged_rule(7), &[], &[]).at(9 * DAY).whole_run(
        untagged_rule(7),
        &[(1, &[])],
        &[],
    );
    assert_eq!(outcomes(&log, &Scenario::InForce), [(1, Outcome::OtherRun, second(8 * DAY))]);
    let mut early = Log::default();
    early.at(0).push(1, "v1").push(2, "v1").at(5 * DAY).whole_run(untagged_rule(7), &[(1, &[])], &[]);
    assert_eq!(outcomes(&early, &Scenario::InForce), [(1, Outcome::LoggedOnly, None)]);
}

/// In the second in which an image becomes seven days old, it is not known whether a run includes it.
#[test]
fn a_tie_agrees_with_the_logs_whichever_way_it_went() {
    let mut taken = Log::default();
    taken
        .at(0)
        .push(1, "v1")
        .push(2, "v1")
        .at(7 * DAY)
        .whole_run(untagged_rule(7), &[(1, &[])], &[])
        .at(8 * DAY)
        .whole_run(untagged_rule(7), &[], &[]);
    assert_eq!(outcomes(&taken, &Scenario::InForce), [(1, Outcome::Agrees, second(7 * DAY))]);
    let mut left = Log::default();
    left.at(0)
        .push(1, "v1")
        .push(2, "v1")
        .at(7 * DAY)
        .whole_run(untagged_rule(7), &[], &[])
        .at(8 * DAY)
        .whole_run(untagged_rule(7), &[(1, &[])], &[]);
    assert_eq!(outcomes(&left, &Scenario::InForce), [(1, Outcome::Agrees, second(8 * DAY))]);
}

/// Ten images and more come in several events, seconds apart: what one event took is no reason for the next.
#[test]
fn several_events_are_one_run() {
    let mut log = Log::default();
    log.at(0).push_image(1, None, &[]).push_image(2, None, &[1]);
    log.at(8 * DAY).whole_run(untagged_rule(7), &[(2, &[])], &[(1, &[])]).whole_run(
        untagged_rule(7),
        &[],
        &[],
    );
    log.at(9 * DAY).whole_run(untagged_rule(7), &[(1, &[])], &[]);
    let expected = [(1, Outcome::Agrees, second(9 * DAY)), (2, Outcome::Agrees, second(8 * DAY))];
    assert_eq!(outcomes(&log, &Scenario::InForce), expected);
}

#[test]
fn what_an_index_from_before_the_logs_holds_is_not_missed() {
    let mut log = Log::default();
    log.at(0).push_image(1, None, &[]);
    log.at(DAY).whole_run(untagged_rule(7), &[], &[(1, &[])]).at(9 * DAY).whole_run(
        untagged_rule(7),
        &[],
        &[(1, &[])],
    );
    assert_eq!(outcomes(&log, &Scenario::InForce), []);
    assert_eq!(outcomes(&log, &untagged(1)), []);
}

/// From a simulated world: the second time in the archive was mistaken for the first one.
#[test]
fn an_image_that_came_out_of_the_archive_is_taken_again() {
    let rule = || LifecycleRule { action: "transition".into(), ..untagged_rule(7) };
    let mut log = Log::default();
    log.at(0).push_image(1, None, &[]).at(8 * DAY).whole_run(rule(), &[(1, &[])], &[]);
    log.at(9 * DAY)
        .add("ImageActivationEvent", Action::Restored { digest: digest(1) })
        .at(10 * DAY)
        .whole_run(rule(), &[(1, &[])], &[]);
    let expected = [(1, Outcome::Agrees, second(8 * DAY)), (1, Outcome::Agrees, second(10 * DAY))];
    assert_eq!(outcomes(&log, &Scenario::InForce), expected);
}

#[test]
fn where_no_run_is_logged_one_is_made_up_a_day() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v1");
    let gone = played(&log, &untagged(7), 30);
    assert_eq!((gone.len(), gone[0].would_go_at, gone[0].run), (1, second(8 * DAY), Some(RunKind::Modelled)));
    assert_eq!(played(&log, &untagged(7), 6).len(), 0, "the evidence ends before that");
    // A clock that is wrong by ten thousand years costs nothing: runs that have nothing to take are only
    // counted.
    let (ages, policy) = (3_650_000, untagged(3_600_000));
    assert_eq!(played(&log, &policy, ages)[0].would_go_at, second(3_600_001 * DAY));
    assert_eq!(WhatIfs::new(&log.simulating(&policy, ages), &policy).totals.runs_modelled, 3_650_000);
}

/// A delete of what the other policy had taken finds nothing; a refused push finds that it is not there, and
/// is one.
#[test]
fn what_is_gone_stays_gone_until_it_is_pushed_again() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v1").at(3 * HALF).whole_run(untagged_rule(90), &[], &[]);
    log.at(4 * HALF).delete((Some(1), None), &[(1, None)]).at(6 * HALF).whole_run(
        untagged_rule(90),
        &[],
        &[],
    );
    assert_eq!(outcomes(&log, &untagged(1)), [(1, Outcome::PredictedOnly, second(3 * HALF))]);
    let mut again = Log::default();
    again
        .at(0)
        .push(1, "v1")
        .push(2, "v1")
        .at(3 * HALF)
        .whole_run(untagged_rule(90), &[], &[])
        .at(4 * HALF)
        .already_exists(1, "v2");
    again
        .at(5 * HALF)
        .push(3, "v2")
        .at(6 * HALF)
        .whole_run(untagged_rule(90), &[], &[])
        .at(9 * HALF)
        .whole_run(untagged_rule(90), &[], &[]);
    let twice =
        [(1, Outcome::PredictedOnly, second(3 * HALF)), (1, Outcome::PredictedOnly, second(9 * HALF))];
    assert_eq!(outcomes(&again, &untagged(1)), twice);
}

/// A reference artifact goes within a day of the image that it is about, under any policy.
#[test]
fn an_artifact_follows_its_subject() {
    let mut log = Log::default();
    let (kind, subject) = (ManifestKind::Image, Some(digest(1)));
    let manifest = Some(ImageDescription {
        media_type: None,
        kind,
        children: Vec::new(),
        platforms: Vec::new(),
        subject,
        layers: Vec::new(),
    });
    let signature =
        Push { digest: digest(2), tag: None, origin: PushOrigin::Client, manifest, digest_mismatch: false };
    log.at(0).push(1, "v1").add("PutImage", Action::Push(signature)).at(20 * DAY).pull(Some(9), None);
    let selection = json!({"tagStatus": "tagged", "tagPatternList": ["v*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 3});
    let rules = json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]});
    let scenario = Scenario::Instead(Arc::new(Policy::from_text(&rules.to_string())));
    let gone: Vec<_> = played(&log, &scenario, 20).iter().map(|one| (one.digest, one.would_go_at)).collect();
    assert_eq!(gone, [(digest(1), second(4 * DAY)), (digest(2), second(5 * DAY))]);
}
