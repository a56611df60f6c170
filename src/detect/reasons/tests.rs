//! Reasons for losses, from logs written by hand.

use serde_json::{Value, json};

use crate::model::{Finding, LifecycleRule, ReasonKind};
use crate::timeline::tests::log::{Log, digest};

const DAY: i64 = 86_400;

/// A rule as a run's event states it.
fn rule(
    priority: i64,
    tags: (&'static str, &[&'static str]),
    count: (&'static str, i64),
) -> LifecycleRule<'static> {
    LifecycleRule {
        priority,
        description: None,
        action: "expire".into(),
        tag_status: Some(tags.0.into()),
        tag_prefix_list: Vec::new(),
        tag_pattern_list: tags.1.iter().map(|pattern| (*pattern).into()).collect(),
        count_type: Some(count.0.into()),
        count_unit: count.0.contains("since").then(|| "Days".into()),
        count_number: Some(count.1),
        storage_class: None,
    }
}

const COUNT: &str = "Image count more than";
const AGE: &str = "Time since image pushed";

/// Makes the finding for image 1 with these tags, taken by the first rule and needed by somebody; the other
/// rules are in the policy, too.
fn lost(log: &mut Log, rules: Vec<LifecycleRule<'static>>, tags: &[&'static str]) -> Finding {
    log.whole_run(rules[0].clone(), &[(1, tags)], &[]);
    let crate::model::Action::PolicyRun(run) = &mut log.events.last_mut().unwrap().action else {
        panic!("a run")
    };
    run.rules = rules;
    log.pull(Some(1), None);
    let mut findings = log.findings();
    let at = findings
        .iter()
        .position(|finding| finding.lost.digest == Some(digest(1)))
        .unwrap_or_else(|| panic!("{findings:#?}"));
    findings.remove(at)
}

fn told(finding: &Finding, kind: ReasonKind) -> String {
    finding.reasons.iter().filter(|reason| reason.kind == kind).map(|reason| reason.text.as_str()).collect()
}

fn holds(text: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(text.contains(word), "{word:?} is not in {text:?}"));
}

#[test]
fn signatures_count_and_what_a_rule_does_not_count_is_left_out() {
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v2").push(3, "sha256-0123.sig").push(4, "dev-1").push(5, "v3").at(DAY);
    let finding = lost(&mut log, vec![rule(3, ("Tagged", &["v*"]), (COUNT, 2))], &["v1"]);
    let text = told(&finding, ReasonKind::Outnumbered);
    holds(&text, &["keeps the 2 newest", "and 2 were pushed", "v2 and v3"]);
    assert!(!text.contains("dev-1") && !text.contains("signatures"), "{text}");
    let mut log = Log::default();
    log.at(0).push(1, "v1").push(2, "v2").push(3, "sha256-0123.sig").at(DAY);
    let finding = lost(&mut log, vec![rule(1, ("Any", &[]), (COUNT, 2))], &["v1"]);
    holds(
        &told(&finding, ReasonKind::Outnumbered),
        &["v2 and sha256-0123.sig", "1 of them says something about other images"],
    );
    assert!(
        finding.advice.iter().any(|advice| advice.starts_with("Keep more images")),
        "{:?}",
        finding.advice
    );
}

/// Images that were gone, archived or untagged by then did not count.
#[test]
fn only_what_was_there_outnumbers() {
    let mut log = Log::default();
    log.at(0)
        .push(1, "v1")
        .push(2, "v2")
        .push(3, "v3")
        .push(4, "v4")
        .push(5, "v4")
        .delete((Some(2), None), &[(2, None)])
        .at(DAY);
    let finding = lost(&mut log, vec![rule(1, ("Tagged", &["v*"]), (COUNT, 2))], &["v1"]);
    let text = told(&finding, ReasonKind::Outnumbered);
    holds(&text, &["v3 and v4"]);
    assert!(!text.contains("v2"), "{text}");
}

#[test]
fn rules_that_were_to_protect_it_say_what_they_missed() {
    let missed = |other: LifecycleRule<'static>, tags: &'static [&'static str]| {
        let mut log = Log::default();
        tags.iter().for_each(|tag| _ = log.push(1, tag));
        log.at(40 * DAY);
        told(
            &lost(&mut log, vec![rule(5, ("Tagged", &["*"]), (AGE, 30)), other], tags),
            ReasonKind::ProtectionMissed,
        )
    };
    let keeps = |priority, patterns| rule(priority, ("Tagged", patterns), (COUNT, 999));
    holds(
        &missed(keeps(1, &["prod*", "eu-*"]), &["prod-1"]),
        &["Rule 1", "protected prod-1", "prod* and eu-*", "none for pattern eu-*"],
    );
    holds(
        &missed(keeps(1, &["prod"]), &["prod-1"]),
        &["pattern prod does not match prod-1", "a pattern without *"],
    );
    holds(
        &missed(keeps(1, &["Prod-*"]), &["prod-1"]),
        &["pattern Prod-* does not match prod-1", "capitals included"],
    );
    holds(&missed(keeps(9, &["prod*"]), &["prod-1"]), &["Rule 9", "had no say", "rule 5 comes first"]);
    assert_eq!(missed(keeps(1, &["dev*"]), &["prod-1"]), "");
    assert_eq!(missed(rule(1, ("Untagged", &[]), (AGE, 1)), &["prod-1"]), "");
}

fn policy(days: i64) -> Value {
    let selection = json!({"tagStatus": "tagged", "tagPatternList": ["*"], "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    json!([{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}])
}

#[test]
fn who_put_the_policy_is_who_put_it_first_in_these_words() {
    let run = || vec![rule(1, ("Tagged", &["*"]), (AGE, 7))];
    let put = |log: &mut Log| told(&lost(log.at(8 * DAY), run(), &["v1"]), ReasonKind::PolicyPut);
    let mut nightly = Log::default();
    nightly.at(0).policy(&policy(3)).push(1, "v1").at(DAY).policy(&policy(7)).at(2 * DAY).policy(&policy(7));
    holds(&put(&mut nightly), &["put by ci/build at", "7 d before", "again once"]);
    let mut unknown = Log::default();
    unknown.at(0).push(1, "v1");
    holds(&put(&mut unknown), &["before they begin"]);
    let mut other = Log::default();
    other.at(0).policy(&policy(3)).push(1, "v1");
    holds(&put(&mut other), &["is not in these logs", "another one was put before"]);
}

/// A change after the loss is reported, but not advised.
#[test]
fn a_change_after_the_loss_is_no_advice() {
    let changed = |change: &dyn Fn(&mut Log)| {
        let mut log = Log::default();
        log.at(0).push(1, "v1").push(2, "v2").at(DAY);
        lost(&mut log, vec![rule(1, ("Tagged", &["*"]), (COUNT, 1))], &["v1"]);
        change(log.at(2 * DAY));
        let finding = log.findings().remove(0);
        (told(&finding, ReasonKind::ChangedSince), finding.advice.join(" "))
    };
    let (text, advice) = changed(&|log| _ = log.policy(&policy(90)));
    holds(&text, &["sinceImagePushed 90 days", "brings nothing back"]);
    assert!(!advice.contains("Keep more images"), "{advice}");
    let (text, _) =
        changed(&|log| _ = log.add("DeleteLifecyclePolicy", crate::model::Action::DeleteLifecyclePolicy));
    holds(&text, &["deleted the policy"]);
    let (text, advice) = changed(&|_| ());
    assert!(text.is_empty() && advice.contains("Keep more images"), "{text} {advice}");
}

/// The title names the tag that somebody uses, else all tags that went.
#[test]
fn a_finding_is_headed_by_the_tag_that_somebody_uses() {
    let run = || vec![rule(1, ("Any", &[]), (AGE, 7))];
    let headed = |asks: Option<&'static str>| {
        let mut log = Log::default();
        log.at(0).push(1, "a1b2c3").push(1, "prod").push(1, "zulu");
        asks.iter().for_each(|tag| _ = log.pull(None, Some(tag)));
        let finding = lost(log.at(8 * DAY), run(), &["a1b2c3", "prod", "zulu"]);
        finding.tags.iter().map(|tag| tag.raw().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(headed(Some("prod")), ["prod"]);
    assert_eq!(headed(None), ["a1b2c3", "prod", "zulu"]);
}
