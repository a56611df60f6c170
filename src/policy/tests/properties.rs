//! What holds for every policy and every repository.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::naive::{DAY, Still, evaluate};
use crate::model::LifecycleAction;
use crate::policy::{Count, CurrentImage, Policy, Ranks, Taken, forecast};

const TAGS: &[&str] = &["prod-1", "prod-2", "dev-1", "dev-prod", "v1", "latest"];

fn selection() -> impl Strategy<Value = Value> {
    let tags = prop_oneof![
        Just(json!({"tagStatus": "untagged"})),
        Just(json!({"tagStatus": "any"})),
        prop::sample::subsequence(vec!["prod*", "*prod*", "dev-*", "v1", "*"], 1..=2)
            .prop_map(|list| json!({"tagStatus": "tagged", "tagPatternList": list})),
        prop::sample::subsequence(vec!["prod", "dev", "l"], 1..=2)
            .prop_map(|list| json!({"tagStatus": "tagged", "tagPrefixList": list})),
    ];
    let count = prop_oneof![
        (1..6_i64).prop_map(|keeps| json!({"countType": "imageCountMoreThan", "countNumber": keeps})),
        (1..9_i64).prop_map(|days| json!({"countType": "sinceImagePushed", "countUnit": "days", "countNumber": days})),
        (1..9_i64).prop_map(|days| json!({"countType": "sinceImagePulled", "countUnit": "days", "countNumber": days})),
        (1..9_i64)
            .prop_map(|days| json!({"countType": "sinceImageTransitioned", "countUnit": "days", "countNumber": days, "storageClass": "archive"})),
    ];
    (tags, count).prop_map(|(mut tags, count)| {
        tags.as_object_mut().unwrap().extend(count.as_object().unwrap().clone());
        tags
    })
}

/// Rules as logs may have them, some of which ECR would refuse.
fn policies() -> impl Strategy<Value = Policy> {
    prop::collection::vec((selection(), any::<bool>()), 1..6).prop_map(|rules| {
        let rule = |(at, (selection, expire)): (usize, (Value, bool))| {
            json!({"rulePriority": at + 1, "selection": selection, "action": {"type": if expire { "expire" } else { "transition" }}})
        };
        let rules: Vec<Value> = rules.into_iter().enumerate().map(rule).collect();
        Policy::from_text(&json!({"rules": rules}).to_string())
    })
}

type Image = (i64, Still, Vec<&'static str>);

fn images() -> impl Strategy<Value = Vec<Image>> {
    let maybe = || prop::option::weighted(0.3, 0..20 * DAY);
    let tags = prop::sample::subsequence(TAGS, 0..=3);
    let image = (0..20_i64, maybe(), maybe(), maybe(), prop::bool::weighted(0.2), tags).prop_map(
        |(day, pulled, restored, archived, held, tags)| {
            (Still { pushed: day * DAY, pulled, restored, archived, held }, tags)
        },
    );
    prop::collection::vec(image, 0..24).prop_map(|list| {
        list.into_iter().enumerate().map(|(at, (still, tags))| (at as i64, still, tags)).collect()
    })
}

fn ranked(policy: &Policy, images: &[Image]) -> Ranks<i64> {
    let mut ranks = Ranks::new(policy.clone());
    images.iter().for_each(|(key, still, tags)| ranks.set(*key, &still.seen(tags)));
    ranks
}

fn keys(due: &[Taken<i64>]) -> Vec<(i64, usize)> {
    due.iter().map(|taken| (taken.key, taken.rule)).collect()
}

proptest! {
    #[test]
    fn the_fast_evaluator_agrees_with_the_slow_one(policy in policies(), images in images(), day in 0..40_i64) {
        prop_assert_eq!(keys(&ranked(&policy, &images).due(day * DAY)), evaluate(&policy, &images, day * DAY));
    }

    /// However images came, changed and went, the result is as if only the final state had been set.
    #[test]
    fn what_was_there_before_leaves_no_trace(policy in policies(), before in images(), after in images(), day in 0..40_i64) {
        let mut ranks = ranked(&policy, &before);
        for (key, still, tags) in after.iter().rev() {
            ranks.set(*key, &still.seen(tags));
        }
        before.iter().skip(after.len()).for_each(|(key, ..)| ranks.remove(*key));
        prop_assert_eq!(keys(&ranks.due(day * DAY)), evaluate(&policy, &after, day * DAY));
    }

    /// What a run has taken still counts, and is not due again.
    #[test]
    fn what_is_settled_is_counted_and_not_due(policy in policies(), images in images(), day in 0..40_i64) {
        let mut ranks = ranked(&policy, &images);
        let before = ranks.due(day * DAY);
        let (settled, rest) = before.split_at(before.len() / 2);
        settled.iter().for_each(|taken| ranks.settle(taken.key));
        prop_assert_eq!(ranks.due(day * DAY), rest);
    }

    #[test]
    fn an_image_goes_by_the_first_rule_that_speaks_of_it(policy in policies(), images in images(), day in 0..40_i64) {
        let due = ranked(&policy, &images).due(day * DAY);
        let mut seen: Vec<i64> = due.iter().map(|taken| taken.key).collect();
        for taken in &due {
            let (_, still, tags) = &images[usize::try_from(taken.key).unwrap()];
            prop_assert_eq!(policy.governing(&still.seen(tags)), Some(taken.rule));
            prop_assert!(!still.held);
        }
        seen.sort_unstable();
        seen.dedup();
        prop_assert_eq!(seen.len(), due.len(), "at most one rule takes an image");
    }

    /// What is old enough stays old enough, and count rules do not look at the clock.
    #[test]
    fn time_alone_only_adds(policy in policies(), images in images(), day in 0..40_i64, more in 0..40_i64) {
        let ranks = ranked(&policy, &images);
        let (early, late) = (keys(&ranks.due(day * DAY)), keys(&ranks.due((day + more) * DAY)));
        prop_assert!(early.iter().all(|one| late.contains(one)));
        let by_count = |taken: &&(i64, usize)| matches!(policy.rules()[taken.1].count, Count::MoreThan(_));
        prop_assert_eq!(early.iter().filter(by_count).count(), late.iter().filter(by_count).count());
    }

    #[test]
    fn a_count_rule_never_takes_one_of_the_newest(keeps in 1..6_i64, images in images()) {
        let selection = json!({"tagStatus": "any", "countType": "imageCountMoreThan", "countNumber": keeps});
        let policy = Policy::from_text(&json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]}).to_string());
        let mut there: Vec<(i64, i64)> = images.iter().filter(|(_, still, _)| still.archived.is_none()).map(|(key, still, _)| (still.ranked(), *key)).collect();
        there.sort_unstable();
        there.reverse();
        let newest: Vec<i64> = there.iter().take(usize::try_from(keeps).unwrap()).map(|(_, key)| *key).collect();
        prop_assert!(ranked(&policy, &images).due(99 * DAY).iter().all(|taken| !newest.contains(&taken.key)));
    }

    /// Outlooks come true when nothing else happens: eligible images are due just after that moment, not
    /// before, and others never.
    #[test]
    fn an_outlook_is_what_a_run_will_take(policy in policies(), images in images()) {
        let free: Vec<Image> = images.into_iter().map(|(key, still, tags)| (key, Still { held: false, ..still }, tags)).collect();
        let joined: Vec<CurrentImage<'_, i64>> = free.iter().map(|(key, still, tags)| CurrentImage { key: *key, seen: still.seen(tags), since: i64::MIN }).collect();
        let ranks = ranked(&policy, &free);
        for ((key, ..), found) in free.iter().zip(forecast(&policy, &joined)) {
            let due = |now: i64| ranks.due(now).iter().any(|taken| taken.key == *key);
            let by_age = found.rule.is_some_and(|rule| matches!(policy.rules()[rule].count, Count::Since(..)));
            match found.eligible_at {
                Some(eligible) => {
                    prop_assert!(due(eligible.max(0) + 1));
                    prop_assert!(!by_age || !due(eligible));
                }
                None => prop_assert!(!due(i64::MAX)),
            }
        }
    }

    /// An image survives exactly as many pushes as its outlook says; with one more it is due.
    #[test]
    fn an_image_survives_so_many_more(policy in policies(), images in images()) {
        let joined: Vec<CurrentImage<'_, i64>> = images.iter().map(|(key, still, tags)| CurrentImage { key: *key, seen: still.seen(tags), since: i64::MIN }).collect();
        for ((key, still, tags), found) in images.iter().zip(forecast(&policy, &joined)) {
            let (Some(survives), false) = (found.survives, still.held) else { continue };
            let with = |more: u64| {
                let mut ranks = ranked(&policy, &images);
                for number in 0..more {
                    let newer = Still { pushed: 90 * DAY, held: true, archived: still.archived, ..Still::default() };
                    ranks.set(1_000 + i64::try_from(number).unwrap(), &newer.seen(tags));
                }
                ranks.due(0).iter().any(|taken| taken.key == *key)
            };
            prop_assert!(!with(survives) && with(survives + 1));
        }
    }
}

#[test]
fn an_unknown_action_is_none_of_the_two() {
    let policy = Policy::from_text(
        r#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"any","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"polish"}}]}"#,
    );
    assert_eq!(policy.rules()[0].action, LifecycleAction::Unknown);
}
