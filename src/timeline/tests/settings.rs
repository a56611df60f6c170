//! Settings of a whole registry: whose pulls count, what new repositories get, and where deletions are
//! replicated.

use serde_json::json;

use super::log::{Log, START, digest};
use super::regressions::DAY;
use crate::model::{
    Action, Digest, FindingKind, ImageDescription, ManifestKind, Mutability, Push, PushOrigin,
    RegistryChange, ReplicationRule, RepositoryRef, Severity, Template,
};
use crate::timeline::{History, KnownFrom, RepositoryForecast};

fn registry(log: &mut Log, change: RegistryChange<'static>) {
    log.add("Registry", Action::Registry(change));
    log.events.last_mut().unwrap().repository = None;
}

/// Sets the caller of the last event.
fn by<'l>(log: &'l mut Log, actor: &'static str) -> &'l mut Log {
    log.events.last_mut().unwrap().event.actor = Some(actor.into());
    log
}

/// Moves the last event to the copy's region.
fn elsewhere(log: &mut Log) -> &mut Log {
    let last = log.events.last_mut().unwrap();
    last.event.region = "eu-west-1".into();
    last.repository = Some(RepositoryRef {
        registry_id: "111122223333".into(),
        region: "eu-west-1".into(),
        name: "shop/api".into(),
    });
    log
}

const NIGHTLY: &str = "arn:aws:sts::111122223333:assumed-role/nightly/run";

fn exclude(log: &mut Log, excluded: bool) {
    registry(
        log,
        RegistryChange::PullTimeExclusion {
            principal: "arn:aws:iam::111122223333:role/jobs/nightly".into(),
            excluded,
        },
    );
}

/// When the only image is due by a rule for images not pulled for ten days, in seconds after the start.
fn due(log: &Log) -> (Option<i64>, Option<i64>) {
    let history = log.history();
    let repository_forecast = RepositoryForecast::of(&history, &history.repositories()[0]).unwrap();
    let image_forecast = repository_forecast.images[0].unwrap();
    let seconds = |millis: i64| millis / 1000 - START;
    (
        image_forecast.eligible_at.map(seconds),
        image_forecast.unclear.map(|unclear| seconds(unclear.eligible_at)),
    )
}

fn unpulled() -> serde_json::Value {
    let selection =
        json!({"tagStatus": "any", "countType": "sinceImagePulled", "countUnit": "days", "countNumber": 10});
    json!([{"rulePriority": 1, "selection": selection, "action": {"type": "transition", "targetStorageClass": "archive"}}])
}

#[test]
fn a_pull_counts_or_not_by_who_pulls_and_when() {
    let log = |excluded: &[(i64, bool)], actor: &'static str| {
        let mut log = Log::default();
        log.at(0).push(1, "v1").policy(&unpulled());
        for (second, excluded) in excluded {
            log.at(*second);
            exclude(&mut log, *excluded);
        }
        log.at(3 * DAY).pull(Some(1), None);
        by(&mut log, actor);
        due(&log)
    };
    let (counts, not) = ((Some(13 * DAY), None), (Some(10 * DAY), None));
    assert_eq!(log(&[], NIGHTLY), counts);
    assert_eq!(log(&[(DAY, true)], NIGHTLY), not);
    assert_eq!(log(&[(DAY, true), (2 * DAY, false)], NIGHTLY), counts);
    // Taken off the list after the pull, and put on it before the logs begin.
    assert_eq!(log(&[(4 * DAY, false)], NIGHTLY), not);
    assert_eq!(log(&[(DAY, true)], "arn:aws:sts::444455556666:assumed-role/nightly/run"), counts);
    // A scanner does not need the image, but its pulls count all the same; those of Inspector do not.
    assert_eq!(log(&[], "arn:aws:sts::111122223333:assumed-role/SnykServiceRole/scan"), counts);
    assert_eq!(
        log(&[], "arn:aws:sts::111122223333:assumed-role/AWSServiceRoleForAmazonInspector2/scan"),
        not
    );
    // Nothing says who it was: both dates are given.
    assert_eq!(log(&[], "AWS Internal"), (Some(10 * DAY), Some(13 * DAY)));
    assert_eq!(
        log(&[], "arn:aws:sts::111122223333:assumed-role/our-inspector/run"),
        (Some(10 * DAY), Some(13 * DAY))
    );
}

#[test]
fn scanners_and_the_excluded_are_counted_apart() {
    for (actor, severity) in [
        ("arn:aws:sts::111122223333:assumed-role/WizScannerRole/scan", Severity::Medium),
        ("arn:aws:sts::111122223333:assumed-role/OrcaSecurityRole-eu/scan", Severity::Medium),
        (NIGHTLY, Severity::Medium),
        // An application whose name only looks like a scanner's.
        ("arn:aws:sts::111122223333:assumed-role/wizard-service/run", Severity::Critical),
    ] {
        let mut log = Log::default();
        log.at(0);
        exclude(&mut log, true);
        log.push(1, "v1").push(2, "v1").at(2 * DAY).expire(1, &[]).pull(Some(1), None);
        by(&mut log, actor);
        let finding = &log.findings()[0];
        assert_eq!(
            (finding.severity, finding.usage.scanner_pulls),
            (severity, u64::from(severity == Severity::Medium)),
            "{actor}"
        );
    }
}

fn template(prefix: &'static str, days: i64, applied_for: &'static str) -> Template<'static> {
    let selection = json!({"tagStatus": "any", "countType": "sinceImagePushed", "countUnit": "days", "countNumber": days});
    let text = json!({"rules": [{"rulePriority": 1, "selection": selection, "action": {"type": "expire"}}]})
        .to_string();
    Template {
        prefix: prefix.into(),
        whole: true,
        applied_for: Some(vec![applied_for.into()]),
        lifecycle_policy: Some(text.into()),
        mutability: Some(Mutability { setting: "IMMUTABLE".into(), exclusions: Vec::new() }),
    }
}

/// Days of the rule in force, and how the policy is known.
fn in_force(history: &History) -> Option<(i64, KnownFrom)> {
    let in_force = history.repositories()[0].policy?;
    Some((history.policy(in_force.policy).rules()[0].words.count_number?, in_force.known_from))
}

fn created(log: &mut Log, made_by_ecr: Option<PushOrigin>) -> &mut Log {
    log.add("CreateRepository", Action::CreateRepository { mutability: None, made_by_ecr, key: None })
}

#[test]
fn the_longest_prefix_that_fits_sets_up_what_ecr_makes() {
    let log = |made: Option<PushOrigin>, changes: Vec<RegistryChange<'static>>| {
        let mut log = Log::default();
        log.at(0);
        for template in [
            template("ROOT", 1, "CREATE_ON_PUSH"),
            template("shop", 2, "CREATE_ON_PUSH"),
            template("shop/ap", 3, "CREATE_ON_PUSH"),
        ] {
            registry(&mut log, RegistryChange::Template(template));
        }
        registry(&mut log, RegistryChange::Template(template("shop/api", 4, "REPLICATION")));
        changes.into_iter().for_each(|change| registry(&mut log, change));
        created(&mut log, made).push(1, "v1");
        log
    };
    let given = |days| Some((days, KnownFrom::Template));
    let found = |made, changes| in_force(&log(made, changes).history());
    assert_eq!(found(Some(PushOrigin::Client), vec![]), given(2));
    assert_eq!(found(None, vec![]), None, "made by a call of somebody's own");
    assert_eq!(found(Some(PushOrigin::PullThroughCache), vec![]), None);
    let gone = || RegistryChange::TemplateDeleted("shop".into());
    assert_eq!(found(Some(PushOrigin::Client), vec![gone()]), given(1));
    // An update states only what changes.
    let update = |policy: Option<&'static str>| {
        let changed = Template {
            whole: false,
            applied_for: None,
            lifecycle_policy: policy.map(Into::into),
            ..template("shop", 9, "")
        };
        RegistryChange::Template(changed)
    };
    assert_eq!(found(Some(PushOrigin::Client), vec![update(None)]), given(2));
    assert_eq!(found(Some(PushOrigin::Client), vec![update(Some(""))]), None, "it brings no policy any more");
    let mut put = log(Some(PushOrigin::Client), vec![]);
    put.policy(&unpulled());
    assert_eq!(in_force(&put.history()), Some((10, KnownFrom::Put)));
    let history = put.history();
    assert_eq!(history.text(history.repositories()[0].mutability.setting), "IMMUTABLE");
    // A later template is only for repositories created later.
    let mut late = Log::default();
    created(late.at(0), Some(PushOrigin::Client)).push(1, "v1");
    registry(&mut late, RegistryChange::Template(template("shop", 2, "CREATE_ON_PUSH")));
    assert_eq!(in_force(&late.history()), None);
}

fn replicate(log: &mut Log, deletes: bool, prefix: Option<&'static str>) {
    let destinations = vec![("eu-west-1".into(), "111122223333".into())];
    registry(
        log,
        RegistryChange::Replication(vec![ReplicationRule {
            destinations,
            prefixes: prefix.into_iter().map(Into::into).collect(),
            deletes,
        }]),
    );
}

/// The findings about an image that was copied and then expired at its source; `after`: what happens next.
fn copied(deletes: bool, prefix: Option<&'static str>, after: impl Fn(&mut Log)) -> Vec<(FindingKind, u64)> {
    let mut log = Log::default();
    log.at(0);
    replicate(&mut log, deletes, prefix);
    log.push(1, "v1");
    let copy = Push {
        digest: digest(1),
        tag: Some("v1".into()),
        origin: PushOrigin::Replication,
        manifest: None,
        digest_mismatch: false,
    };
    log.add("ReplicateImage", Action::Push(copy));
    elsewhere(&mut log).at(3 * DAY).expire(1, &["v1"]);
    after(log.at(4 * DAY));
    log.pull(Some(1), None);
    elsewhere(&mut log);
    log.findings().into_iter().map(|finding| (finding.kind, finding.usage.pulls_after_gone)).collect()
}

#[test]
fn a_copy_goes_with_its_source_where_the_rule_says_so() {
    let gone = vec![(FindingKind::ReplicatedDeletion, 1)];
    assert_eq!(copied(true, None, |_| ()), gone);
    assert_eq!(copied(true, Some("shop/"), |_| ()), gone);
    assert_eq!(copied(true, Some("web/"), |_| ()), []);
    assert_eq!(copied(false, None, |_| ()), []);
    // An event that shows the image later shows that it was not deleted.
    let pushed_again = |log: &mut Log| _ = elsewhere(log.push(1, "v2"));
    assert_eq!(copied(true, None, pushed_again), []);
    // The rule has to be in force when the source is deleted, not only later.
    let mut late = Log::default();
    late.at(0).push(1, "v1");
    elsewhere(late.push(1, "v1")).at(3 * DAY).expire(1, &["v1"]);
    replicate(&mut late, true, None);
    elsewhere(late.at(4 * DAY).pull(Some(1), None));
    assert_eq!(late.findings().len(), 0);
}

/// A tag that a call removes at the source is removed from the copy, and both images stay.
#[test]
fn a_removed_tag_goes_from_the_copy_too() {
    let found = |deletes: bool| {
        let mut log = Log::default();
        log.at(0);
        replicate(&mut log, deletes, None);
        log.push(1, "v1").push(1, "latest");
        for tag in ["v1", "latest"] {
            let copy = Push {
                digest: digest(1),
                tag: Some(tag.into()),
                origin: PushOrigin::Replication,
                manifest: None,
                digest_mismatch: false,
            };
            elsewhere(log.add("ReplicateImage", Action::Push(copy)));
        }
        log.at(DAY).delete((None, Some("latest")), &[(1, Some("latest"))]);
        elsewhere(log.at(2 * DAY).pull(None, Some("latest")));
        log.findings()
            .into_iter()
            .map(|finding| (finding.kind, finding.repository.region.raw().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(found(true), [(FindingKind::TagRemoved, "eu-west-1".to_owned())]);
    assert_eq!(found(false), []);
}

fn artifact(log: &mut Log, n: u8, subject: Digest) -> &mut Log {
    let manifest = ImageDescription {
        media_type: None,
        kind: ManifestKind::Image,
        children: Vec::new(),
        platforms: Vec::new(),
        subject: Some(subject),
        layers: Vec::new(),
    };
    let push = Push {
        digest: digest(n),
        tag: None,
        origin: PushOrigin::Client,
        manifest: Some(manifest),
        digest_mismatch: false,
    };
    log.add("PutImage", Action::Push(push))
}

#[test]
fn an_artifact_goes_with_its_subject_and_what_is_about_it_too() {
    let mut log = Log::default();
    artifact(log.at(0).push(1, "v1"), 2, digest(1));
    artifact(&mut log, 3, digest(2)).at(5 * DAY).expire(1, &["v1"]);
    let history = log.history();
    let gone = |n| {
        history.repositories()[0]
            .image(history.find_digest(&digest(n)).unwrap())
            .unwrap()
            .gone_at
            .map(|gone| gone / 1000 - START)
    };
    assert_eq!((gone(1), gone(2), gone(3)), (Some(5 * DAY), Some(6 * DAY), Some(7 * DAY)));
    // A pull within a day after the subject's end may have succeeded; a later one did not.
    log.at(5 * DAY + 3600).pull(Some(2), None).at(8 * DAY).pull(Some(2), None);
    let found: Vec<_> = log
        .findings()
        .iter()
        .map(|finding| (finding.kind, finding.lost.digest, finding.usage.pulls_after_gone))
        .collect();
    assert_eq!(found, [(FindingKind::ExpiredUntagged, Some(digest(2)), 1)]);
    // The subject came back with a push, and so did the artifact.
    artifact(log.at(9 * DAY).push(1, "v1"), 2, digest(1));
    assert_eq!(log.findings(), []);
}

#[test]
fn exclusion_filters_are_read_where_tags_are_to_be_made_immutable() {
    let advice = |setting: &'static str, filter: &'static str| {
        let mut log = Log::default();
        log.push(1, "latest").push(2, "latest").at(2 * DAY).expire(1, &[]);
        let mutability = Mutability { setting: setting.into(), exclusions: vec![filter.into()] };
        log.add("PutImageTagMutability", Action::SetTagMutability { mutability });
        log.findings()[0].advice.join(" ")
    };
    assert!(advice("IMMUTABLE_WITH_EXCLUSION", "late*").contains("exempt by the exclusion filter late*"));
    assert!(advice("IMMUTABLE_WITH_EXCLUSION", "dev-*").contains("no exclusion filter exempts latest"));
    assert!(advice("MUTABLE_WITH_EXCLUSION", "latest").contains("is immutable since then"));
    assert!(advice("MUTABLE_WITH_EXCLUSION", "v*").contains("Add latest to the exclusion filters"));
}

/// A pull-through cache that refreshes a tag is not a second pipeline, and immutable tags would break it.
#[test]
fn a_refresh_by_the_pull_through_cache_is_told_as_one() {
    let mut log = Log::default();
    for n in [1, 2] {
        let push = Push {
            digest: digest(n),
            tag: Some("3".into()),
            origin: PushOrigin::PullThroughCache,
            manifest: None,
            digest_mismatch: false,
        };
        log.add("BatchImportUpstreamImage", Action::Push(push)).at(2 * DAY);
    }
    log.at(4 * DAY).expire(1, &[]);
    let finding = &log.findings()[0];
    assert!(finding.summary.contains("pull-through cache"), "{}", finding.summary);
    assert!(
        finding.advice.iter().all(|advice| !advice.contains("one pipeline") && !advice.starts_with("Make")),
        "{:?}",
        finding.advice
    );
}
