//! ECR: the effect of each call on a repository.

use serde_json::json;
use tagfall::model::{Action, ManifestKind, PushOrigin, StorageClass};

use crate::{digest, ecr, look, manifest, means_nothing, omitted};

#[test]
fn a_push_is_known_by_its_manifest_when_the_response_is_missing() {
    let text = manifest("one");
    let record = ecr(
        "PutImage",
        json!({"requestParameters": {"repositoryName": "shop/api", "imageTag": "v1", "imageManifest": text}}),
    );
    look(&record, |found| {
        let Action::Push(push) = &found.action else { panic!("{:?}", found.action) };
        assert_eq!(
            (push.digest, push.tag.as_deref(), push.digest_mismatch),
            (digest(&text), Some("v1"), false)
        );
        let image = push.manifest.as_ref().unwrap();
        assert_eq!(image.kind, ManifestKind::Image);
        assert_eq!(image.media_type.as_deref(), Some("application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(
            image.layers.iter().map(|layer| layer.digest).collect::<Vec<_>>(),
            vec![digest("config"), digest("one")]
        );
    });
}

#[test]
fn a_manifest_that_does_not_hash_to_the_digest_is_said_so() {
    let record = ecr(
        "PutImage",
        json!({
            "requestParameters": {"imageManifest": manifest("one"), "imageTag": "v1"},
            "responseElements": {"image": {"imageId": {"imageDigest": digest("other").to_string(), "imageTag": "v1"}}},
        }),
    );
    look(&record, |found| {
        let Action::Push(push) = &found.action else { panic!() };
        assert_eq!((push.digest, push.digest_mismatch), (digest("other"), true));
    });
}

#[test]
fn an_omitted_half_of_a_push_is_made_good_by_the_other() {
    let text = manifest("one");
    let answer = json!({"image": {"imageId": {"imageDigest": digest(&text).to_string(), "imageTag": "v1"}, "imageManifest": text}});
    let request = json!({"imageManifest": text, "imageTag": "v1"});
    for (request, response) in
        [(omitted("requestParameters"), answer), (request, omitted("responseElements"))]
    {
        look(
            &ecr("PutImage", json!({"requestParameters": request, "responseElements": response})),
            |found| {
                let Action::Push(push) = &found.action else { panic!("{:?}", found.action) };
                assert_eq!(
                    (push.digest, push.tag.as_deref(), push.digest_mismatch),
                    (digest(&text), Some("v1"), false)
                );
                assert_eq!(push.manifest.as_ref().unwrap().layers.len(), 2);
            },
        );
    }
}

#[test]
fn a_push_of_which_nothing_is_told_is_a_gap_and_no_silence() {
    let words = json!({"omitted": "true", "originalSize": "149893"});
    for request in [
        omitted("requestParameters"),
        words,
        json!(null),
        json!({"repositoryName": "shop/api", "imageTag": "v1"}),
    ] {
        look(
            &ecr(
                "PutImage",
                json!({"requestParameters": request, "responseElements": omitted("responseElements")}),
            ),
            |found| {
                assert!(matches!(found.action, Action::Omitted), "{:?}", found.action);
                assert_eq!(&*found.repository.as_ref().unwrap().name, "shop/api");
            },
        );
    }
}

#[test]
fn an_index_names_its_children_and_a_signature_its_subject() {
    let child = |name: &str| json!({"mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest(name).to_string(), "size": 5});
    let index = json!({"schemaVersion": 2, "manifests": [child("amd64"), child("arm64")], "subject": {"digest": digest("subject").to_string()}});
    look(
        &ecr(
            "PutImage",
            json!({"requestParameters": {"imageManifest": index.to_string(), "imageTag": "v1"}}),
        ),
        |found| {
            let Action::Push(push) = &found.action else { panic!() };
            let image = push.manifest.as_ref().unwrap();
            assert_eq!(image.kind, ManifestKind::Index);
            assert_eq!(image.children, vec![digest("amd64"), digest("arm64")]);
            assert_eq!(image.subject, Some(digest("subject")));
        },
    );
}

/// The buffer for manifests is reused: the second image must not contain anything of the first.
#[test]
fn one_recognizer_reads_many_records() {
    let mut recognizer = tagfall::recognize::Recognizer::default();
    for name in ["a much longer name, so that its text reaches further into the buffer", "b", "c"] {
        let record =
            ecr("PutImage", json!({"requestParameters": {"imageManifest": manifest(name)}})).to_string();
        let raw = tagfall::decode::RawRecord { index: 0, json: &record, native: false };
        let layers = recognizer.recognize(raw, |found| match found.action {
            Action::Push(push) => {
                push.manifest.unwrap().layers.iter().map(|layer| layer.digest).collect::<Vec<_>>()
            }
            other => panic!("{other:?}"),
        });
        assert_eq!(layers, Ok(Some(vec![digest("config"), digest(name)])));
    }
}

#[test]
fn a_refused_push_proves_where_the_tag_was_only_if_the_message_says_so() {
    let text = manifest("one");
    let (name, pushed) = (digest("held").to_string(), digest(&text));
    let message = |tag: &str| {
        format!(
            "Image with digest '{name}' and tag '{tag}' already exists in the repository with name 'shop/api' in registry with id '1'"
        )
    };
    let refused = |code: &str, message: String, tag: Option<&str>| {
        let mut request = json!({"imageManifest": text});
        if let Some(tag) = tag {
            request["imageTag"] = json!(tag);
        }
        ecr("PutImage", json!({"errorCode": code, "errorMessage": message, "requestParameters": request}))
    };
    look(&refused("ImageAlreadyExistsException", message("v1"), Some("v1")), |found| {
        let Action::PushFailed(refusal) = &found.action else { panic!() };
        let proof = refusal.proves.as_ref().unwrap();
        assert_eq!((proof.digest, &*proof.tag), (digest("held"), "v1"));
        assert_eq!((refusal.digest, refusal.tag.as_deref()), (Some(pushed), Some("v1")));
    });
    // A push by digest is answered with the tag 'null'; another error with the same words proves nothing.
    for record in [
        refused("ImageAlreadyExistsException", message("null"), None),
        refused("ImageTagAlreadyExistsException", message("v1"), Some("v1")),
    ] {
        look(&record, |found| {
            let Action::PushFailed(refusal) = &found.action else { panic!() };
            assert!(refusal.proves.is_none());
        });
    }
}

#[test]
fn pushes_of_the_registry_itself_are_told_by_the_role_and_not_by_the_session() {
    let text = manifest("one");
    let origin = |identity: serde_json::Value| {
        let record =
            ecr("PutImage", json!({"userIdentity": identity, "requestParameters": {"imageManifest": text}}));
        look(&record, |found| match &found.action {
            Action::Push(push) => push.origin,
            other => panic!("{other:?}"),
        })
    };
    let role = |role: &str, session: &str| json!({"arn": format!("arn:aws:sts::111122223333:assumed-role/{role}/{session}")});
    assert_eq!(origin(role("AWSServiceRoleForECRReplication", "r")), PushOrigin::Replication);
    assert_eq!(origin(role("AWSServiceRoleForECRPullThroughCache", "p")), PushOrigin::PullThroughCache);
    assert_eq!(
        origin(json!({"invokedBy": "pullthroughcache.ecr.amazonaws.com"})),
        PushOrigin::PullThroughCache
    );
    assert_eq!(origin(role("ci-push", "AWSServiceRoleForECRReplication")), PushOrigin::Client);
}

#[test]
fn a_replicated_image_is_found_wherever_the_event_names_it() {
    let (name, wanted) = (digest("copy").to_string(), digest("copy"));
    for (place, payload) in [
        ("requestParameters", json!({"imageId": {"imageDigest": name, "imageTag": "v1"}})),
        ("responseElements", json!({"image": {"imageId": {"imageDigest": name, "imageTag": "v1"}}})),
        ("serviceEventDetails", json!({"image-digest": name, "image-tag": "v1"})),
        ("requestParameters", json!({"imageIds": [{"imageDigest": name, "imageTag": "v1"}]})),
    ] {
        look(&ecr("ReplicateImage", json!({place: payload})), |found| {
            let Action::Push(push) = &found.action else { panic!("{:?}", found.action) };
            assert_eq!(
                (push.digest, push.tag.as_deref(), push.origin),
                (wanted, Some("v1"), PushOrigin::Replication)
            );
        });
    }
    look(&ecr("ReplicateImage", json!({})), |found| assert!(matches!(found.action, Action::Omitted)));
    look(&ecr("ReplicateImage", json!({"errorCode": "LimitExceededException"})), |found| {
        assert!(matches!(found.action, Action::PushFailed(_)))
    });
}

#[test]
fn a_delete_is_what_the_response_says_and_nothing_else() {
    let ids = json!([{"imageDigest": digest("a").to_string()}, {"imageDigest": digest("b").to_string()}]);
    let reason = format!("Requested image referenced by manifest list: [{}, {}]", digest("p"), digest("q"));
    let failure =
        json!({"imageId": ids[1], "failureCode": "ImageReferencedByManifestList", "failureReason": reason});
    let answer = json!({"imageIds": [{"imageDigest": digest("a").to_string(), "imageTag": "v1"}], "failures": [failure]});
    look(
        &ecr("BatchDeleteImage", json!({"requestParameters": {"imageIds": ids}, "responseElements": answer})),
        |found| {
            let Action::Delete { removed, requested, failures, .. } = &found.action else { panic!() };
            assert_eq!((removed.len(), requested.len()), (1, 2));
            assert_eq!((removed[0].digest, removed[0].tag.as_deref()), (Some(digest("a")), Some("v1")));
            assert_eq!(failures[0].parents, vec![digest("p"), digest("q")]);
            assert_eq!(failures[0].image.digest, Some(digest("b")));
        },
    );
    let unknown =
        json!({"requestParameters": {"imageIds": ids}, "responseElements": omitted("responseElements")});
    look(&ecr("BatchDeleteImage", unknown), |found| assert!(matches!(found.action, Action::Omitted)));
    look(
        &ecr(
            "BatchDeleteImage",
            json!({"requestParameters": {"imageIds": ids}, "errorCode": "ServerException"}),
        ),
        |found| {
            let Action::DeleteFailed { requested } = &found.action else { panic!() };
            assert_eq!(requested.len(), 2);
        },
    );
}

fn run(actions: serde_json::Value) -> serde_json::Value {
    let rule = json!({
        "rulePriority": 1, "description": "untagged after 7 days", "action": "Expire",
        "lifecycleEventSelection": {"tagStatus": "Untagged", "tagPrefixList": [], "countType": "Time since something new", "countUnit": "Days", "countNumber": 7},
    });
    let policy = json!({"lifecycleEventRules": [rule, {"description": "without a priority"}], "policyId": "13deef86", "lastEvaluatedAt": 0});
    let mut details = json!({"repositoryName": "shop/api", "lifecycleEventPolicy": policy});
    if !actions.is_null() {
        details["lifecycleEventImageActions"] = actions;
    }
    details
}

#[test]
fn a_lifecycle_run_carries_its_rules_in_words_of_its_own() {
    let image = json!({"digest": digest("a").to_string(), "tagStatus": "Tagged", "tagList": ["v1", "v2", 3], "pushedAt": 1_772_445_600_000_i64});
    look(
        &ecr(
            "PolicyExecutionEvent",
            json!({"serviceEventDetails": run(json!([{"lifecycleEventImage": image, "rulePriority": 1}]))}),
        ),
        |found| {
            let Action::PolicyRun(run) = &found.action else { panic!("{:?}", found.action) };
            assert_eq!(run.rules.len(), 1);
            assert_eq!(
                (&*run.rules[0].action, run.rules[0].count_type.as_deref()),
                ("expire", Some("Time since something new"))
            );
            assert_eq!((run.images[0].digest, run.images[0].rule_priority), (digest("a"), Some(1)));
            assert_eq!(run.images[0].tags, ["v1", "v2"]);
            assert_eq!(run.images[0].pushed_at.unwrap().to_string(), "2026-03-02T10:00:00Z");
        },
    );
}

#[test]
fn an_empty_run_took_nothing_and_a_run_without_a_list_does_not_say() {
    let meaning = |details: serde_json::Value| {
        look(&ecr("PolicyExecutionEvent", json!({"serviceEventDetails": details})), |found| {
            format!("{:?}", found.action)
        })
    };
    assert!(meaning(run(json!([]))).starts_with("PolicyRun"));
    assert_eq!(meaning(run(json!(null))), "Omitted");
    assert_eq!(meaning(run(json!([{"lifecycleEventImage": {"digest": "sha256:cut"}}]))), "Omitted");
    assert_eq!(meaning(omitted("serviceEventDetails")), "Omitted");
    assert!(means_nothing(&ecr(
        "DryRunEvent",
        json!({"serviceEventDetails": omitted("serviceEventDetails")})
    )));
    look(&ecr("DryRunEvent", json!({"serviceEventDetails": run(json!([]))})), |found| {
        assert!(matches!(found.action, Action::PolicyPreview(_)))
    });
}

#[test]
fn archive_and_restore_are_read_in_both_shapes() {
    let (name, wanted) = (digest("a").to_string(), Some(digest("a")));
    let flat = json!({"imageId": {"imageDigest": name}, "imageStatus": "ARCHIVED"});
    for response in [flat.clone(), json!({"image": flat})] {
        let record = json!({"requestParameters": {"imageId": {"imageTag": "v1"}, "targetStorageClass": "ARCHIVE"}, "responseElements": response});
        look(&ecr("UpdateImageStorageClass", record), |found| {
            let Action::SetStorageClass { image, class } = &found.action else {
                panic!("{:?}", found.action)
            };
            assert_eq!(
                (image.digest, image.tag.as_deref(), *class),
                (wanted, Some("v1"), StorageClass::Archive)
            );
        });
    }
    let details = |result: &str| {
        ecr("ImageActivationEvent", json!({"serviceEventDetails": {"imageDigest": name, "result": result}}))
    };
    look(&details("SUCCESS"), |found| {
        assert!(matches!(found.action, Action::Restored { digest } if Some(digest) == wanted))
    });
    assert!(means_nothing(&details("FAILURE")));
}

#[test]
fn settings_of_a_repository() {
    let meaning =
        |name: &str, more: serde_json::Value| look(&ecr(name, more), |found| format!("{:?}", found.action));
    let mutability = json!({"requestParameters": {"imageTagMutability": "IMMUTABLE"}});
    assert_eq!(
        meaning("PutImageTagMutability", mutability.clone()),
        r#"SetTagMutability { mutability: Mutability { setting: "IMMUTABLE", exclusions: [] } }"#
    );
    assert_eq!(
        meaning("CreateRepository", mutability),
        r#"CreateRepository { mutability: Some(Mutability { setting: "IMMUTABLE", exclusions: [] }), made_by_ecr: Some(Client), key: None }"#
    );
    assert_eq!(
        meaning("PutLifecyclePolicy", json!({"requestParameters": {"lifecyclePolicyText": "{}"}})),
        r#"PutLifecyclePolicy { text: "{}" }"#
    );
    assert_eq!(
        meaning("PutLifecyclePolicy", json!({"requestParameters": omitted("requestParameters")})),
        "Omitted"
    );
    assert_eq!(meaning("DeleteLifecyclePolicy", json!({})), "DeleteLifecyclePolicy");
    assert_eq!(
        meaning("DeleteRepository", json!({"requestParameters": omitted("requestParameters")})),
        "DeleteRepository"
    );
    assert_eq!(meaning("SetRepositoryPolicy", json!({})), "AccessChanged");
    for name in [
        "CreateRepository",
        "DeleteRepository",
        "PutLifecyclePolicy",
        "PutImageTagMutability",
        "SetRepositoryPolicy",
        "UpdateImageStorageClass",
    ] {
        assert!(means_nothing(&ecr(name, json!({"errorCode": "ServerException"}))), "{name}");
    }
}

#[test]
fn pulls_by_tag_by_digest_and_by_layer() {
    let ids = json!([{"imageTag": "v1"}, {"imageDigest": digest("a").to_string()}, {}]);
    look(&ecr("BatchGetImage", json!({"requestParameters": {"imageIds": ids}})), |found| {
        let Action::Pull { images, failed } = &found.action else { panic!() };
        assert_eq!((images.len(), *failed), (2, false));
    });
    look(
        &ecr(
            "GetDownloadUrlForLayer",
            json!({"requestParameters": {"layerDigest": digest("l").to_string()}}),
        ),
        |found| {
            assert!(
                matches!(found.action, Action::PullLayer { layer, failed: false } if layer == digest("l"))
            );
        },
    );
}

/// A denied call often has no request and no resources: only the message names the repository.
#[test]
fn a_denied_pull_names_its_repository_in_the_message() {
    let message = "User: arn:aws:sts::111122223333:assumed-role/task/1 is not authorized to perform: ecr:BatchGetImage on resource: arn:aws:ecr:eu-central-1:444455556666:repository/shop/api because no resource-based policy allows it";
    look(
        &ecr(
            "BatchGetImage",
            json!({"resources": null, "errorCode": "AccessDenied", "errorMessage": message}),
        ),
        |found| {
            let repository = found.repository.as_ref().unwrap();
            assert_eq!((&*repository.registry_id, &*repository.name), ("444455556666", "shop/api"));
            assert!(matches!(found.action, Action::Pull { failed: true, .. }));
        },
    );
}

/// Recognises a record as CloudTrail writes it, and in forms in which its manifest is not removed before
/// parsing.
fn read_alike(record: &str) -> Option<String> {
    let shown =
        |json: &str| crate::outcome(json, false, |found| format!("{:?}", found.action)).ok().flatten();
    let written = shown(record);
    assert_eq!(written, shown(&record.replace("\"imageManifest\":", "\"imageManifest\" :")), "{record}");
    assert_eq!(written, shown(&record.replacen('{', r#"{"first":"\u0020","#, 1)), "{record}");
    written
}

#[test]
fn a_manifest_is_the_same_however_its_record_is_written() {
    let push = |request: &str, response: &str| {
        let parts = json!({"requestParameters": {"imageManifest": request, "imageTag": "v1"}, "responseElements": {"image": {"imageManifest": response}}});
        ecr("PutImage", parts).to_string()
    };
    let long = manifest("a layer").replace(',', ",\n   ");
    for text in [
        &*long,
        &manifest("b"),
        "{}",
        "{",
        "\\",
        "\"",
        "a\\\"",
        "\u{1a}",
        "\t\u{8}\u{c}\r",
        "é\u{1f680}",
        "",
        r"\u001a",
        r#"","#,
    ] {
        assert!(read_alike(&push(text, text)).is_some());
        assert!(read_alike(&push(text, "{}")).is_some());
        assert!(read_alike(&push("{}", text)).is_some());
        assert!(read_alike(&push(text, "")).is_some());
        assert!(read_alike(&push("", text)).is_some());
        // A manifest in other members, the same one and another.
        for place in ["userIdentity", "zzz", "errorCode"] {
            let mut record =
                ecr("PutImage", json!({"requestParameters": {"imageManifest": text, "imageTag": "v1"}}));
            for other in [text, "{}", "\u{1a}"] {
                record[place] = json!({"imageManifest": other, "arn": "arn:aws:sts::111122223333:assumed-role/ci-push/build-7"});
                assert!(read_alike(&record.to_string()).is_some());
            }
        }
    }
}

#[test]
fn a_record_with_a_manifest_is_no_sounder_for_having_it_cut_out() {
    let text =
        ecr("PutImage", json!({"requestParameters": {"imageManifest": manifest("a"), "imageTag": "v1"}}))
            .to_string();
    let inside = text.find("schemaVersion").unwrap();
    // Damage inside the manifest's string, before it and after it.
    for (at, with) in [
        (inside, "\\x"),
        (inside, "\u{1}"),
        (inside, "\""),
        (0, "\""),
        (text.len() - 1, ","),
        (inside - 4, "\"x"),
        (1, "x\"imageManifest\":\""),
    ] {
        let mut damaged = text.clone();
        damaged.insert_str(at, with);
        assert!(crate::outcome(&damaged, false, |_| ()).is_err(), "{damaged}");
    }
}
