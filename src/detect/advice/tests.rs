//! Every combination of what advice depends on: what cannot work is never advised, and commands name what
//! they are about.

use super::*;

fn digest(n: u8) -> Digest {
    Digest::of_manifest(&format!("manifest {n}"))
}

const LOST: &[Lost] = &[
    Lost::TagMoved,
    Lost::AtRisk,
    Lost::Tagged(Measure::Count),
    Lost::Tagged(Measure::Age),
    Lost::Tagged(Measure::Unknown),
    Lost::Untagged,
    Lost::Deleted,
    Lost::RepositoryDeleted,
    Lost::Archived(Restore::NotAsked),
    Lost::Archived(Restore::UnderWay),
    Lost::Replica,
    Lost::CacheCopy,
    Lost::Child,
];

fn everybody() -> Vec<Who> {
    let region = || "eu-central-1".to_owned();
    vec![
        Who::EcsService {
            region: region(),
            cluster: "prod".into(),
            service: "cart".into(),
            definition: Some("cart:5".into()),
        },
        Who::EcsService {
            region: region(),
            cluster: "prod".into(),
            service: "cart".into(),
            definition: None,
        },
        Who::EcsTask { region: region() },
        Who::Function { region: region(), name: "orders".into() },
        Who::FunctionVersion { region: region(), name: "orders".into(), version: "7".into() },
        Who::AppRunner {
            region: region(),
            arn: "arn:aws:apprunner:eu-central-1:111122223333:service/front/1".into(),
        },
        Who::CodeBuild { region: region(), project: "ci".into() },
        Who::Batch { region: region(), definition: "etl:3".into() },
        Who::Endpoint { region: region(), name: "e".into() },
        Who::Model { region: region(), name: "m".into() },
        Who::EndpointConfig { region: region(), name: "c".into() },
        Who::Schedule { name: "rule/nightly (target 1)".into(), definition: Some("etl:3".into()) },
        Who::Node,
        Who::Other,
    ]
}

fn situation(lost: Lost, needed: Vec<Needed>, now: TagNow) -> Situation {
    Situation {
        registry_id: "111122223333".into(),
        region: "eu-central-1".into(),
        repository: "shop/cart".into(),
        digest: digest(1),
        lost,
        needed,
        tags: vec![("v1".into(), now)],
        is_back: false,
        recreated: false,
        done: Vec::new(),
        copy: None,
        two_pushers: false,
        policy: PolicySince::Same,
    }
}

/// The commands in a sentence: what stands in backticks.
fn commands(sentence: &str) -> Vec<&str> {
    sentence.split('`').skip(1).step_by(2).collect()
}

/// Calls `look` for every combination, with its advice.
fn each(mut look: impl FnMut(&Situation, &Needed, &[String])) {
    for &lost in LOST {
        for who in everybody() {
            for pin in [Pin::Digest, Pin::Unknown, Pin::Tag("v1".into()), Pin::Tag("never-seen".into())] {
                for now in [TagNow::Gone, TagNow::On(digest(2))] {
                    for flags in 0..16_u8 {
                        let flag = |n: u8| flags & (1 << n) != 0;
                        let needed = Needed { who: who.clone(), pin: pin.clone() };
                        let situation = Situation {
                            is_back: flag(0),
                            copy: flag(1)
                                .then(|| ("444455556666".into(), "us-east-1".into(), "mirror/cart".into())),
                            two_pushers: flag(2),
                            policy: if flag(3) { PolicySince::Protects } else { PolicySince::Changed },
                            ..situation(lost, vec![needed.clone()], now)
                        };
                        look(&situation, &needed, &advice(&situation));
                    }
                }
            }
        }
    }
}

/// Upstream has never heard of a tag that is made up here; the digest is what it may still have.
#[test]
fn a_cached_image_is_fetched_anew_by_its_digest() {
    for now in [TagNow::On(digest(2)), TagNow::Gone] {
        let needed = vec![Needed { who: Who::Node, pin: Pin::Digest }];
        let told = advice(&situation(Lost::CacheCopy, needed, now)).join("\n");
        let pull =
            format!("docker pull 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/cart@{}", digest(1));
        assert!(commands(&told).contains(&pull.as_str()) && !told.contains("restored-"), "{told}");
        assert_eq!(told.contains("shop/cart:v1` brings what upstream has"), now == TagNow::Gone, "{told}");
    }
}

#[test]
fn what_cannot_work_is_never_advised() {
    each(|situation, needed, told| {
        let all = told.join("\n");
        let context = || format!("{situation:?}\n{all}");
        let resolves = needed.pin == Pin::Tag("v1".into()) && matches!(situation.tags[0].1, TagNow::On(_));
        for sentence in told.iter().filter(|sentence| {
            commands(sentence).iter().any(|command| command.contains("--force-new-deployment"))
        }) {
            let asks_first = sentence.contains("if it names the digest itself, that fails again");
            assert!(needed.pin != Pin::Digest, "a forced deployment of what names the digest: {}", context());
            assert!(
                resolves || sentence.contains("docker push") || asks_first,
                "a deployment of a tag that is gone: {}",
                context()
            );
        }
        let starts = commands(&all).into_iter().any(|command| command.contains("start-deployment"));
        assert!(!starts || resolves || all.contains("docker push"), "{}", context());
        if situation.is_back || matches!(situation.lost, Lost::Archived(_)) {
            assert!(
                !all.contains("docker push") && !all.contains("update-service") && !all.contains("skopeo"),
                "{}",
                context()
            );
        }
        if situation.is_back || situation.lost != Lost::Archived(Restore::NotAsked) {
            assert!(!all.contains("update-image-storage-class"), "{}", context());
        }
        assert!(situation.two_pushers || !all.contains("one pipeline"), "{}", context());
        assert!(
            situation.policy != PolicySince::Protects
                || !all.contains("Protect tags") && !all.contains("Give each service"),
            "what was done: {}",
            context()
        );
        assert!(!all.contains("raise its count"), "{}", context());
    });
}

#[test]
fn each_gets_the_ways_of_its_own_service() {
    let own = |who: &Who, command: &str| match who {
        Who::EcsService { .. } | Who::EcsTask { .. } => command.starts_with("aws ecs"),
        Who::Function { .. } | Who::FunctionVersion { .. } => command.starts_with("aws lambda"),
        Who::AppRunner { .. } => command.starts_with("aws apprunner"),
        Who::CodeBuild { .. } => command.starts_with("aws codebuild"),
        Who::Batch { .. } => command.starts_with("aws batch"),
        Who::Endpoint { .. } => command.starts_with("aws sagemaker"),
        Who::Node => command.starts_with("kubectl"),
        Who::Model { .. } | Who::EndpointConfig { .. } | Who::Schedule { .. } | Who::Other => false,
    };
    each(|situation, needed, told| {
        for command in told.iter().flat_map(|sentence| commands(sentence)) {
            let common = ["docker ", "aws ecr ", "skopeo "].iter().any(|tool| command.starts_with(tool));
            assert!(common || own(&needed.who, command), "{command}\n{situation:?}");
            let is_named = command.contains("eu-central-1")
                || command.contains("CLUSTER")
                || command.starts_with("kubectl")
                || !command.contains("--");
            assert!(is_named, "{command}");
        }
    });
}

#[test]
fn every_situation_with_a_need_has_advice_and_no_sentence_comes_twice() {
    each(|situation, _, told| {
        assert!(!told.is_empty(), "{situation:?}");
        assert!((1..told.len()).all(|at| !told[..at].contains(&told[at])), "{told:#?}");
    });
}

#[test]
fn commands_are_whole() {
    let service = || Who::EcsService {
        region: "eu-central-1".into(),
        cluster: "prod".into(),
        service: "cart".into(),
        definition: Some("cart:5".into()),
    };
    let told = |lost: Lost, pin: Pin, now: TagNow| {
        advice(&situation(lost, vec![Needed { who: service(), pin }], now)).join("\n")
    };
    let update = "aws ecs update-service --region eu-central-1 --cluster prod --service cart";
    let pinned = told(Lost::TagMoved, Pin::Digest, TagNow::On(digest(2)));
    assert!(
        pinned.contains("Task definition cart:5")
            && pinned.contains(&format!("`{update} --task-definition cart`")),
        "{pinned}"
    );
    assert!(
        pinned.contains(&format!("111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/cart@{}", digest(2))),
        "{pinned}"
    );
    assert!(
        told(Lost::TagMoved, Pin::Tag("v1".into()), TagNow::On(digest(2)))
            .contains(&format!("`{update} --force-new-deployment`"))
    );
    let gone = told(Lost::Tagged(Measure::Age), Pin::Tag("v1".into()), TagNow::Gone);
    assert!(
        gone.contains("`docker push 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/cart:v1`"),
        "{gone}"
    );
    let archived = told(Lost::Archived(Restore::NotAsked), Pin::Digest, TagNow::Gone);
    let restore = format!(
        "`aws ecr update-image-storage-class --region eu-central-1 --registry-id 111122223333 --repository-name shop/cart --image-id imageDigest={} --target-storage-class STANDARD`",
        digest(1)
    );
    assert!(archived.contains(&restore), "{archived}");
    assert!(told(Lost::Archived(Restore::UnderWay), Pin::Digest, TagNow::Gone).contains("wait for it"));
    let at_risk = told(Lost::AtRisk, Pin::Digest, TagNow::On(digest(2)));
    assert!(
        at_risk.contains("--image-manifest \"$(aws ecr batch-get-image --region eu-central-1"),
        "{at_risk}"
    );
}

#[test]
fn hostile_names_do_not_leave_their_quotes() {
    let who = Who::EcsService {
        region: "eu-central-1".into(),
        cluster: "x; rm -rf ~".into(),
        service: "$(id)".into(),
        definition: None,
    };
    let told = advice(&situation(
        Lost::TagMoved,
        vec![Needed { who, pin: Pin::Tag("v1".into()) }],
        TagNow::On(digest(2)),
    ))
    .join("\n");
    assert!(told.contains("--cluster 'x; rm -rf ~' --service '$(id)' --force-new-deployment"), "{told}");
}
