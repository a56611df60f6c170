//! Every documented rule of evaluation, AWS's documented examples retold, and the fast evaluator against a
//! slow one.

mod naive;
mod properties;

use serde_json::{Value, json};

use super::{Clock, Count, CurrentImage, Policy, Ranks, Refused, Seen, Tags, forecast, from_file};
use crate::model::{LifecycleAction, StorageClass};
use naive::{DAY, Still, evaluate};

fn rule(priority: i64, selection: Value, action: &str) -> Value {
    let action = if action == "expire" {
        json!({"type": "expire"})
    } else {
        json!({"type": "transition", "targetStorageClass": "archive"})
    };
    json!({"rulePriority": priority, "description": "a rule", "selection": selection, "action": action})
}

fn untagged_days(days: i64) -> Value {
    json!({"tagStatus": "untagged", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days})
}

fn tagged_count(patterns: &[&str], keeps: i64) -> Value {
    json!({"tagStatus": "tagged", "tagPatternList": patterns, "countType": "imageCountMoreThan", "countNumber": keeps})
}

fn policy(rules: &[Value]) -> Policy {
    from_file(&json!({"rules": rules}).to_string()).unwrap()
}

/// Names of what a run on day `day` takes; image `n` was pushed on day `n`.
fn taken(policy: &Policy, images: &[(i64, &[&str])], day: i64) -> Vec<(i64, i64)> {
    let mut ranks = Ranks::new(policy.clone());
    for (pushed, tags) in images {
        ranks.set(*pushed, &Still::pushed(*pushed * DAY).with(tags).seen(tags));
    }
    ranks.due(day * DAY).into_iter().map(|taken| (taken.key, policy.rules()[taken.rule].priority)).collect()
}

#[test]
fn by_age_only_what_is_older_goes() {
    let policy = policy(&[rule(1, untagged_days(7), "expire")]);
    let images: [(i64, &[&str]); 3] = [(1, &[]), (2, &[]), (1, &["v1"])];
    assert_eq!(taken(&policy, &images[..2], 8), [], "seven days are not more than seven days");
    assert_eq!(taken(&policy, &images[..2], 9), [(1, 1)]);
    assert_eq!(taken(&policy, &images[2..], 99), [], "a tagged image is none of its business");
}

#[test]
fn by_count_the_newest_are_kept() {
    let policy = policy(&[rule(
        1,
        json!({"tagStatus": "untagged", "countType": "imageCountMoreThan", "countNumber": 1}),
        "expire",
    )]);
    assert_eq!(taken(&policy, &[(1, &[]), (2, &[]), (3, &[]), (4, &["v1"])], 9), [(1, 1), (2, 1)]);
}

/// AWS's example: images tagged `alpha` belong to a rule of their own, so the rule for all images cannot
/// take them.
#[test]
fn an_image_that_a_higher_rule_speaks_of_is_out_of_reach_even_where_that_leaves_it_alone() {
    let all = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1});
    let policy = policy(&[rule(1, tagged_count(&["prod*"], 5), "expire"), rule(9, all, "expire")]);
    let images: [(i64, &[&str]); 4] = [(1, &["prod-1"]), (2, &["dev-1"]), (3, &[]), (4, &["prod-2"])];
    assert_eq!(
        taken(&policy, &images, 9),
        [(2, 9), (3, 9)],
        "prod-1 is beyond the newest of all, and belongs to rule 1"
    );
}

/// The rule below still counts what the rule above takes.
#[test]
fn what_a_higher_rule_takes_is_counted_below() {
    let all = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2});
    let policy = policy(&[rule(1, untagged_days(1), "expire"), rule(2, all, "expire")]);
    // From the newest: 4 (untagged, expired by rule 1), 3, 2. Rule 2 keeps 4 and 3.
    assert_eq!(taken(&policy, &[(2, &["a"]), (3, &["b"]), (4, &[])], 9), [(2, 2), (4, 1)]);
}

#[test]
fn all_patterns_have_to_fit_each_by_some_tag() {
    let policy = policy(&[rule(1, tagged_count(&["alpha*", "*beta*"], 1), "expire")]);
    let images: [(i64, &[&str]); 4] =
        [(1, &["alpha1", "x-beta"]), (2, &["alpha2"]), (3, &["alpha-beta"]), (4, &["alpha3", "beta"])];
    assert_eq!(taken(&policy, &images, 9), [(1, 1), (3, 1)]);
    let prefixes = json!({"tagStatus": "tagged", "tagPrefixList": ["alpha", "beta"], "countType": "imageCountMoreThan", "countNumber": 1});
    let prefixes = super::tests::policy(&[rule(1, prefixes, "expire")]);
    assert_eq!(taken(&prefixes, &images, 9), [], "only image 4 has both");
}

#[test]
fn what_an_index_holds_stays_and_what_it_held_goes_at_a_later_run() {
    let policy = policy(&[rule(1, untagged_days(1), "expire")]);
    let mut ranks = Ranks::new(policy);
    let child = Still::pushed(0);
    ranks.set("child", &Seen { held: true, ..child.seen(&[]) });
    ranks.set("index", &child.seen(&[]));
    let keys = |ranks: &Ranks<&'static str>| {
        ranks.due(9 * DAY).into_iter().map(|taken| taken.key).collect::<Vec<_>>()
    };
    assert_eq!(keys(&ranks), ["index"]);
    ranks.remove("index");
    ranks.set("child", &child.seen(&[]));
    assert_eq!(keys(&ranks), ["child"]);
}

#[test]
fn a_pull_keeps_an_image_and_a_restore_begins_anew() {
    let pulled =
        json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 10});
    let policy = policy(&[rule(1, pulled, "transition")]);
    let due = |still: Still| {
        let ripe = policy.rules()[0].ripe_at(&still.seen(&[]));
        ripe.map(|ripe| ripe / DAY)
    };
    assert_eq!(due(Still::pushed(0)), Some(10), "never pulled: since the push");
    assert_eq!(due(Still { pulled: Some(5 * DAY), ..Still::pushed(0) }), Some(15));
    assert_eq!(
        due(Still { pulled: Some(5 * DAY), restored: Some(8 * DAY), ..Still::pushed(0) }),
        Some(18),
        "not pulled since it was restored"
    );
    assert_eq!(due(Still { pulled: Some(9 * DAY), restored: Some(8 * DAY), ..Still::pushed(0) }), Some(19));
}

#[test]
fn rules_for_one_storage_class_do_not_see_the_other() {
    let archived = json!({"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90});
    let policy = policy(&[rule(1, archived, "expire"), rule(2, untagged_days(1), "expire")]);
    let mut ranks = Ranks::new(policy);
    ranks.set(1, &Still { archived: Some(5 * DAY), ..Still::pushed(0) }.seen(&[]));
    ranks.set(2, &Still::pushed(0).seen(&[]));
    let keys =
        |day: i64| ranks.due(day * DAY).into_iter().map(|taken| (taken.key, taken.rule)).collect::<Vec<_>>();
    assert_eq!(keys(50), [(2, 1)]);
    assert_eq!(keys(96), [(1, 0), (2, 1)]);
}

#[test]
fn the_oldest_go_first() {
    let policy = policy(&[rule(1, untagged_days(1), "expire"), rule(2, tagged_count(&["*"], 1), "expire")]);
    assert_eq!(taken(&policy, &[(5, &[]), (1, &["a"]), (3, &[]), (4, &["b"])], 9), [(1, 2), (3, 1), (5, 1)]);
}

#[test]
fn a_forecast_has_a_date_or_a_number_of_pushes() {
    let all = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 2});
    let policy = policy(&[rule(1, untagged_days(7), "expire"), rule(2, all, "expire")]);
    let still: Vec<Still> = (1..=4).map(|day| Still::pushed(day * DAY)).collect();
    let tags: [&[&str]; 4] = [&["a"], &[], &["b"], &["c"]];
    let joined = |(still, tags): (&Still, &'static [&'static str])| CurrentImage {
        key: still.pushed,
        seen: still.seen(tags),
        since: still.pushed,
    };
    let mut joined: Vec<CurrentImage<'_, i64>> = still.iter().zip(tags).map(joined).collect();
    // It lost its tag on day 9, when it was already older than the rule asks.
    joined[1].since = 9 * DAY;
    let found = forecast(&policy, &joined);
    let told: Vec<_> =
        found.iter().map(|one| (one.rule, one.eligible_at.map(|at| at / DAY), one.survives)).collect();
    // Image 1 has been beyond the newest two since image 3 came.
    assert_eq!(
        told,
        [
            (Some(1), Some(4), None),
            (Some(0), Some(9), None),
            (Some(1), None, Some(0)),
            (Some(1), None, Some(1))
        ]
    );
}

/// The event of a run words the rules in prose, and leaves out fields that a rule does not have.
#[test]
fn both_wordings_mean_the_same() {
    let text = json!({"rules": [rule(3, tagged_count(&["b*", "a*"], 5), "expire"), rule(1, untagged_days(7), "expire")]}).to_string();
    let prose = json!([
        {"priority": 1, "description": null, "action": "expire", "tag_status": "Untagged", "tag_prefix_list": [], "tag_pattern_list": [],
         "count_type": "Time since image pushed", "count_unit": "Days", "count_number": 7, "storage_class": null},
        {"priority": 3, "description": "x", "action": "expire", "tag_status": "Tagged", "tag_prefix_list": [], "tag_pattern_list": ["a*", "b*"],
         "count_type": "Image count more than", "count_unit": null, "count_number": 5, "storage_class": null},
    ]);
    let (put, stated) = (Policy::from_text(&text), Policy::from_rules(&prose.to_string()));
    assert!(put.is_same_as(&stated));
    assert_eq!(stated.rules()[0].count, Count::Since(Clock::Pushed, 7));
    assert!(!put.is_same_as(&policy(&[rule(1, untagged_days(7), "expire")])));
}

/// For a transition, the class in an event is the one that images move to.
#[test]
fn a_transition_in_prose_selects_what_is_in_standard_storage() {
    let prose = json!([{"priority": 1, "action": "transition", "tag_status": "Any", "count_type": "Time since image pulled", "count_unit": "Days",
                        "count_number": 30, "storage_class": "archive"}]);
    let policy = Policy::from_rules(&prose.to_string());
    let rule = &policy.rules()[0];
    assert_eq!(
        (rule.class, rule.action, rule.count),
        (StorageClass::Standard, LifecycleAction::Transition, Count::Since(Clock::Pulled, 30))
    );
}

#[test]
fn an_unknown_word_in_a_log_takes_nothing_and_keeps_the_rules_below_away() {
    let strange =
        json!({"tagStatus": "untagged", "countType": "sinceMoonrise", "countUnit": "days", "countNumber": 1});
    let all = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 1});
    let policy = Policy::from_text(
        &json!({"rules": [rule(1, strange, "expire"), rule(2, all, "expire")]}).to_string(),
    );
    assert_eq!(policy.rules()[0].count, Count::Unknown);
    assert_eq!(taken(&policy, &[(1, &[]), (2, &["a"]), (3, &["b"])], 99), [(2, 2)]);
    for text in ["", "[]", "{\"rules\": 7}", "{\"rules\": [7, {}, {\"rulePriority\": \"1\"}]}"] {
        assert!(Policy::from_text(text).rules().is_empty(), "{text}");
    }
}

#[test]
fn a_policy_may_be_what_the_aws_cli_prints() {
    let text = json!({"rules": [rule(1, untagged_days(7), "expire")]}).to_string();
    let printed = json!({"registryId": "111122223333", "repositoryName": "shop/api", "lifecyclePolicyText": text, "lastEvaluatedAt": "2026-03-02"});
    assert!(from_file(&printed.to_string()).unwrap().is_same_as(&Policy::from_text(&text)));
    assert_eq!(from_file(&format!("\u{feff}{text}\r\n")).unwrap().rules()[0].tags, Tags::Untagged);
}

#[test]
fn every_problem_says_its_rule_and_what_to_write() {
    let any = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": 3});
    let with = |base: &Value, key: &str, value: Value| {
        let mut changed = base.clone();
        changed[key] = value;
        changed
    };
    let archive = json!({"tagStatus": "any", "storageClass": "archive", "countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": 90});
    let pulled =
        json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 3});
    let cases = [
        (vec![], "it has no rules"),
        (vec![json!(7)], "rule 1: it is no object"),
        (vec![rule(0, any.clone(), "expire")], "rulePriority is no whole number from 1"),
        (
            vec![with(&rule(1, any.clone(), "expire"), "rulePriority", json!("1"))],
            "rulePriority is no whole number from 1",
        ),
        (vec![with(&rule(1, any.clone(), "expire"), "color", json!(1))], "\"color\" is no field of a rule"),
        (
            vec![with(&rule(1, any.clone(), "expire"), "action", json!({"type": "delete"}))],
            "neither expire nor transition",
        ),
        (
            vec![with(&rule(1, any.clone(), "expire"), "action", json!({"type": "transition"}))],
            "needs \"targetStorageClass\"",
        ),
        (vec![rule(1, with(&any, "tagStatus", json!("Any")), "expire")], "none of tagged, untagged and any"),
        (
            vec![rule(1, with(&any, "tagStatus", json!("tagged")), "expire")],
            "needs a tagPatternList or a tagPrefixList",
        ),
        (vec![rule(1, with(&any, "tagPrefixList", json!(["a"])), "expire")], "goes without tagPatternList"),
        (
            vec![rule(1, with(&tagged_count(&["a"], 1), "tagPrefixList", json!(["a"])), "expire")],
            "write one of them",
        ),
        (vec![rule(1, tagged_count(&["a*b*c*d*e*"], 1), "expire")], "more than 4 wildcards"),
        (
            vec![rule(1, with(&any, "countNumber", json!(0)), "expire")],
            "countNumber is no whole number from 1",
        ),
        (
            vec![rule(1, with(&any, "countNumber", json!("3")), "expire")],
            "countNumber is no whole number from 1",
        ),
        (
            vec![rule(1, with(&any, "countType", json!("imageCountLessThan")), "expire")],
            "countType is none of",
        ),
        (vec![rule(1, with(&any, "countUnit", json!("days")), "expire")], "goes without countUnit"),
        (
            vec![rule(1, with(&untagged_days(1), "countUnit", json!("hours")), "expire")],
            "needs \"countUnit\": \"days\"",
        ),
        (
            vec![rule(1, with(&any, "storageClass", json!("archive")), "expire")],
            "only sinceImageTransitioned goes with archive",
        ),
        (vec![rule(1, pulled, "expire")], "sinceImagePulled goes with the action transition alone"),
        (
            vec![rule(1, archive.clone(), "transition")],
            "sinceImageTransitioned goes with the action expire alone",
        ),
        (vec![rule(1, with(&archive, "countNumber", json!(30)), "expire")], "kept for 90 days at least"),
        (
            vec![rule(1, untagged_days(1), "expire"), rule(1, any.clone(), "expire")],
            "rule 2 (rulePriority 1): rule 1 has the same rulePriority",
        ),
        (
            vec![rule(1, untagged_days(1), "expire"), rule(2, untagged_days(2), "expire")],
            "is for tagStatus untagged already",
        ),
        (
            vec![rule(5, any.clone(), "expire"), rule(6, untagged_days(2), "expire")],
            "rule 1 (rulePriority 5): a rule for tagStatus any comes last",
        ),
        (
            vec![
                rule(1, tagged_count(&["a", "b"], 1), "expire"),
                rule(2, tagged_count(&["b", "a"], 2), "expire"),
            ],
            "lists the same tags",
        ),
        (
            (1..=51).map(|n| rule(n, tagged_count(&[&format!("a{n}")], 1), "expire")).collect(),
            "it has 51 rules",
        ),
        (vec![with(&rule(1, any, "expire"), "description", json!("x".repeat(31_000)))], "ECR takes 30720"),
    ];
    for (rules, expected) in cases {
        let Err(Refused::Problems(problems)) = from_file(&json!({"rules": rules}).to_string()) else {
            panic!("{expected}: accepted")
        };
        let said: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert!(said.len() == 1 && said[0].contains(expected), "{expected}: {said:?}");
    }
    assert!(matches!(from_file("{rules"), Err(Refused::NoJson(_))));
    let archived = json!({"rules": [rule(1, archive, "expire"), rule(2, untagged_days(1), "expire")]});
    assert!(from_file(&archived.to_string()).is_ok(), "each storage class has rules of its own");
}

#[test]
fn the_naive_evaluator_knows_the_examples_too() {
    let policy = policy(&[rule(1, untagged_days(7), "expire")]);
    assert_eq!(evaluate(&policy, &[(1, Still::pushed(DAY), vec![])], 9 * DAY), [(1, 0)]);
}

#[test]
fn a_rule_with_several_prefixes_reads_as_a_sentence() {
    let selection = json!({"tagStatus": "tagged", "tagPrefixList": ["prod", "eu"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": 1});
    let said = policy(&[rule(1, selection, "expire")]).rules[0].in_words();
    assert_eq!(said, "lifecycle rule 1 \"a rule\" (tagged, prefixes prod and eu, sinceImagePushed 1 day)");
}
