//! Forecasts for logs written by hand.

use serde_json::{Value, json};

use super::Forecasts;
use crate::model::{Action as Event, Forecast, ImageId, Outlook, StorageClass, Timestamp};
use crate::timeline::tests::log::{Log, START, digest};

const DAY: i64 = 86_400;

fn rule(priority: i64, selection: Value) -> Value {
    json!({"rulePriority": priority, "selection": selection, "action": {"type": "expire"}})
}

fn untagged(days: i64) -> Value {
    json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days})
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_millis((START + number * DAY) * 1000)
}

/// Forecasts as of a day, in their order.
fn forecasts(log: &Log, as_of: i64) -> Vec<Forecast> {
    let history = log.history();
    Forecasts::new(&history, day(as_of), None).iter().collect()
}

fn of(log: &Log, as_of: i64, n: u8) -> Forecast {
    forecasts(log, as_of).into_iter().find(|forecast| forecast.digest == digest(n)).unwrap()
}

#[test]
fn an_image_that_loses_its_tag_late_has_no_grace() {
    let mut log = Log::default();
    log.at(-5).policy(&json!([rule(1, untagged(7))]));
    log.at(0).push(1, "v1").push(2, "v2").at(2 * DAY).push(3, "v2").at(30 * DAY).push(4, "v1");
    let late = of(&log, 31, 1);
    assert_eq!(
        (late.outlook, late.eligible_at, late.expected_by),
        (Outlook::Due, Some(day(30)), Some(day(31)))
    );
    assert!(late.no_grace && late.displaced && late.displaced_by.is_some());
    let early = of(&log, 3, 2);
    assert_eq!((early.outlook, early.no_grace), (Outlook::Dated, false));
    assert_eq!(early.eligible_at, Some(day(7).plus_seconds(1)), "age counts from the push");
    let order: Vec<_> = forecasts(&log, 31).iter().map(|forecast| forecast.outlook).collect();
    assert_eq!(order, [Outlook::Due, Outlook::Due, Outlook::Safe, Outlook::Safe]);
}

#[test]
fn only_what_goes_soon_is_told_and_judged() {
    let mut log = Log::default();
    log.at(-5).policy(&json!([rule(1, untagged(7))]));
    log.at(0).push(1, "v1").push(2, "v1").at(2 * DAY).push(3, "v1").pull(Some(1), None).pull(Some(2), None);
    let history = log.history();
    let within = |days: i64| {
        let forecasts = Forecasts::new(&history, day(3), Some(days * DAY));
        (forecasts.iter().count(), forecasts.alarms().len(), forecasts.counts().images)
    };
    // Image 1 is seven days old on day 7, image 2 a second later; image 3 has a tag.
    assert_eq!((within(3), within(4), within(5)), ((0, 0, 0), (1, 1, 1), (2, 2, 2)));
}

/// One digest with several tags: the tag that protected it from a lower rule moved to another image.
#[test]
fn an_image_belongs_to_a_rule_since_it_lost_the_tag_that_protected_it() {
    let protecting = json!({"tagStatus": "tagged", "tagPatternList": ["prod*"], "countType": "imageCountMoreThan", "countNumber": 100});
    let all =
        json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 7});
    let mut log = Log::default();
    log.at(-5).policy(&json!([rule(1, protecting), rule(2, all)]));
    log.at(0).push(1, "prod").push(1, "dev").at(20 * DAY).push(2, "prod");
    let exposed = of(&log, 21, 1);
    assert_eq!(
        (exposed.rule_priority, exposed.eligible_at, exposed.displaced),
        (Some(2), Some(day(20)), false)
    );
    assert_eq!(of(&log, 21, 2).outlook, Outlook::Counted);
}

#[test]
fn what_an_index_holds_goes_after_it_or_not_at_all() {
    let mut log = Log::default();
    log.at(-5).policy(&json!([rule(1, untagged(7))]));
    log.at(0).push_image(1, None, &[]).push_image(2, Some("v1"), &[1]);
    let held = of(&log, 30, 1);
    assert_eq!((held.outlook, held.eligible_at, held.held_by), (Outlook::Held, None, vec![digest(2)]));
    log.at(20 * DAY).push(3, "v1");
    let after = of(&log, 30, 1);
    assert_eq!(
        (after.outlook, after.eligible_at),
        (Outlook::Due, Some(day(20))),
        "its index is due since it lost its tag"
    );
}

#[test]
fn a_policy_takes_nothing_before_it_is_put_and_the_same_text_again_is_the_same_policy() {
    let rules = json!([rule(1, untagged(7))]);
    let mut log = Log::default();
    log.at(0).push_image(1, None, &[]).at(20 * DAY).policy(&rules).at(25 * DAY).policy(&rules);
    assert_eq!(of(&log, 30, 1).eligible_at, Some(day(20)));
}

#[test]
fn without_a_policy_nothing_is_said() {
    let mut log = Log::default();
    log.at(0).push(1, "v1");
    let unknown = of(&log, 1, 1);
    assert_eq!((unknown.outlook, unknown.eligible_at, unknown.policy_event), (Outlook::Unknown, None, None));
    log.policy(&json!([rule(1, untagged(7))])).add("DeleteLifecyclePolicy", Event::DeleteLifecyclePolicy);
    let history = log.history();
    let deleted = Forecasts::new(&history, day(1), None).policies();
    assert!(!deleted[0].known && deleted[0].unknown.as_ref().unwrap().contains("was deleted"));
}

#[test]
fn a_pull_keeps_an_image_from_a_rule_that_goes_by_pulls() {
    let pulled =
        json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 30});
    let transition = json!({"rulePriority": 1, "selection": pulled, "action": {"type": "transition", "targetStorageClass": "archive"}});
    let mut log = Log::default();
    log.at(-5).policy(&json!([transition])).at(0).push(1, "v1").at(10 * DAY).pull(Some(1), None);
    assert_eq!(of(&log, 11, 1).eligible_at, Some(day(40)));
    // ECR records a pull at most once a day.
    log.at(10 * DAY + 3_600).pull(None, Some("v1"));
    assert_eq!(of(&log, 11, 1).eligible_at, Some(day(40)));
    log.at(12 * DAY).pull(None, Some("v1"));
    assert_eq!(of(&log, 13, 1).eligible_at, Some(day(42)));
}

#[test]
fn an_archived_image_goes_by_the_rules_of_the_archive() {
    let old = json!({"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90});
    let mut log = Log::default();
    log.at(-5).policy(&json!([rule(1, old), rule(2, untagged(1))])).at(0).push_image(1, None, &[]);
    let image = ImageId { digest: Some(digest(1)), tag: None };
    log.at(DAY / 2)
        .add("UpdateImageStorageClass", Event::SetStorageClass { image, class: StorageClass::Archive });
    let archived = of(&log, 2, 1);
    assert_eq!(
        (archived.rule_priority, archived.eligible_at),
        (Some(1), Some(day(90).plus_seconds(DAY / 2)))
    );
}

/// A run reports every day that an index holds the image; the index was pushed before the logs.
#[test]
fn what_a_run_could_not_take_is_held() {
    let mut log = Log::default();
    log.at(0).push_image(1, None, &[]).at(9 * DAY).whole_run(
        super::super::whatif::tests::untagged_rule(7),
        &[],
        &[(1, &[])],
    );
    assert_eq!(of(&log, 10, 1).outlook, Outlook::Held);
}
