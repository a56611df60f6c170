//! The services that run images: ECS, Lambda, App Runner, Batch, SageMaker; and EventBridge's own events.

use serde_json::{Value, json};
use tagfall::model::{Action, PushOrigin};

use crate::{digest, look, means_nothing, outcome, record};

const IMAGE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1";

fn ecs(name: &str, more: Value) -> Value {
    record("ecs.amazonaws.com", name, more)
}

#[test]
fn a_definition_names_images_of_ours_and_leaves_out_others() {
    let containers = json!([{"name": "api", "image": IMAGE}, {"name": "proxy", "image": "envoyproxy/envoy:v1"}]);
    let request = json!({"family": "api", "containerDefinitions": containers});
    let arn = "arn:aws:ecs:eu-central-1:111122223333:task-definition/api:7";
    for (response, expected) in [(json!({"taskDefinition": {"taskDefinitionArn": arn}}), arn), (json!({"taskDefinition": {"revision": 7}}), "api:7")]
    {
        look(&ecs("RegisterTaskDefinition", json!({"requestParameters": request, "responseElements": response})), |found| {
            let Action::Define { definition, images } = &found.action else { panic!() };
            assert_eq!(definition, expected);
            assert_eq!(images.len(), 1);
            assert_eq!(images[0].reference.as_ref().unwrap().to_text(), IMAGE);
            assert_eq!(images[0].container.as_deref(), Some("api"));
        });
    }
    assert!(means_nothing(&ecs("RegisterTaskDefinition", json!({"errorCode": "ClientException"}))));
}

#[test]
fn a_service_deploys_unless_only_its_size_changes() {
    let deploys = |request: Value| {
        look(&ecs("UpdateService", json!({"requestParameters": request})), |found| match &found.action {
            Action::Run { runner, deploys, .. } => (runner.to_string(), *deploys),
            other => panic!("{other:?}"),
        })
    };
    let arn = "arn:aws:ecs:eu-central-1:111122223333:service/prod/api".to_owned();
    let service = json!({"cluster": "arn:aws:ecs:eu-central-1:111122223333:cluster/prod", "service": "api"});
    let with = |key: &str, value: Value| {
        let mut request = service.clone();
        request[key] = value;
        deploys(request)
    };
    assert_eq!(with("desiredCount", json!(3)), (arn.clone(), false));
    assert_eq!(with("forceNewDeployment", json!(false)), (arn.clone(), false));
    assert_eq!(with("volumeConfigurations", json!(null)), (arn.clone(), false));
    assert_eq!(with("forceNewDeployment", json!("true")), (arn.clone(), true));
    assert_eq!(with("platformVersion", json!("1.4.0")), (arn.clone(), true));
    assert_eq!(with("taskDefinition", json!("api:8")), (arn, true));
}

#[test]
fn a_service_is_the_same_whether_its_response_is_there_or_omitted() {
    let request = json!({"cluster": "prod", "serviceName": "api", "taskDefinition": "api:7"});
    let response = json!({"service": {"serviceArn": "arn:aws:ecs:eu-central-1:111122223333:service/prod/api", "taskDefinition": "arn:…/api:7"}});
    for response in [response, crate::omitted("responseElements")] {
        look(&ecs("CreateService", json!({"requestParameters": request, "responseElements": response})), |found| {
            let Action::Run { runner, definition, deploys, .. } = &found.action else { panic!() };
            assert_eq!((&**runner, *deploys), ("arn:aws:ecs:eu-central-1:111122223333:service/prod/api", true));
            assert!(definition.as_ref().unwrap().ends_with("api:7"));
        });
    }
    look(&ecs("DeleteService", json!({"requestParameters": {"service": "api", "cluster": "prod"}})), |found| {
        assert!(matches!(&found.action, Action::StopRunning { runner } if runner == "arn:aws:ecs:eu-central-1:111122223333:service/prod/api"));
    });
}

#[test]
fn a_task_that_was_placed_runs_and_one_that_was_not_does_not() {
    let request = json!({"taskDefinition": "job:1"});
    let task = json!({"taskArn": "arn:aws:ecs:eu-central-1:111122223333:task/prod/0f9d", "taskDefinitionArn": "job-arn:1", "containers": [{"name": "a", "image": IMAGE}]});
    look(&ecs("RunTask", json!({"requestParameters": request, "responseElements": {"tasks": [task]}})), |found| {
        let Action::Run { runner, definition, images, .. } = &found.action else { panic!() };
        assert_eq!((&**runner, definition.as_deref(), images.len()), ("arn:aws:ecs:eu-central-1:111122223333:task/prod/0f9d", Some("job-arn:1"), 1));
    });
    assert!(means_nothing(&ecs("RunTask", json!({"requestParameters": request, "responseElements": {"tasks": [], "failures": [{}]}}))));
}

#[test]
fn a_task_tells_digests_and_reasons_each_once() {
    let name = digest("a").to_string();
    let containers = json!([
        {"containerName": "api", "imageDigest": name, "reason": "CannotPullContainerError: not found"},
        {"containerName": "proxy", "reason": "CannotPullContainerError: not found"},
        {"containerName": "log", "reason": "OutOfMemory"},
    ]);
    let request = json!({"task": "task-arn", "status": "STOPPED", "reason": "CannotPullContainerError: not found", "containers": containers});
    look(&ecs("SubmitTaskStateChange", json!({"requestParameters": request})), |found| {
        let Action::TaskState { task, status, images, reason, .. } = &found.action else { panic!() };
        assert_eq!((&**task, status.as_deref()), ("task-arn", Some("STOPPED")));
        assert_eq!((images.len(), images[0].digest), (1, Some(digest("a"))));
        assert_eq!(reason.as_deref(), Some("CannotPullContainerError: not found\nOutOfMemory"));
    });
    look(&ecs("SubmitContainerStateChange", json!({"requestParameters": {"task": "t", "containerName": "api", "reason": "OutOfMemory"}})), |found| {
        assert!(matches!(&found.action, Action::TaskState { reason: Some(reason), .. } if reason == "OutOfMemory"));
    });
    assert!(means_nothing(&ecs("SubmitTaskStateChange", json!({"requestParameters": {"task": "t", "status": "RUNNING"}}))));
}

/// Image references of a `Refer`, with who refers.
fn refers(source: &str, name: &str, request: Value, response: Value) -> (String, Vec<String>) {
    look(&record(source, name, json!({"requestParameters": request, "responseElements": response})), |found| match &found.action {
        Action::Refer { referrer, images } => {
            (referrer.to_string(), images.iter().map(|image| image.reference.as_ref().unwrap().to_text()).collect())
        }
        other => panic!("{other:?}"),
    })
}

#[test]
fn functions_from_images() {
    let one = vec![IMAGE.to_owned()];
    let lambda = "lambda.amazonaws.com";
    assert_eq!(
        refers(lambda, "CreateFunction20150331", json!({"functionName": "f", "code": {"imageUri": IMAGE}}), json!({})),
        ("f".into(), one.clone())
    );
    assert_eq!(
        refers(lambda, "UpdateFunctionCode20150331v2", json!({"functionName": "f", "imageUri": IMAGE}), json!({"functionArn": "arn:f"})),
        ("arn:f".into(), one)
    );
    for (name, request) in [
        ("CreateFunction20150331", json!({"functionName": "zip", "code": {"s3Bucket": "b"}})),
        ("UpdateFunctionCode20150331v2", json!({"functionName": "f", "imageUri": IMAGE, "dryRun": true})),
        ("CreateFunctionUrlConfig", json!({"functionName": "f", "imageUri": IMAGE})),
        ("Invoke", json!({"functionName": "f"})),
    ] {
        assert!(means_nothing(&record(lambda, name, json!({"requestParameters": request}))), "{name}");
    }
}

#[test]
fn other_services_from_images() {
    let one = vec![IMAGE.to_owned()];
    let repository = json!({"sourceConfiguration": {"imageRepository": {"imageIdentifier": IMAGE}}, "serviceName": "web"});
    assert_eq!(refers("apprunner.amazonaws.com", "CreateService", repository, json!({})), ("web".into(), one.clone()));
    for properties in [
        json!({"containerProperties": {"image": IMAGE}}),
        json!({"nodeProperties": {"nodeRangeProperties": [{"container": {"image": IMAGE}}]}}),
        json!({"ecsProperties": {"taskProperties": [{"containers": [{"name": "c", "image": IMAGE}]}]}}),
        json!({"eksProperties": {"podProperties": {"containers": [{"image": IMAGE}]}}}),
    ] {
        assert_eq!(
            refers("batch.amazonaws.com", "RegisterJobDefinition", properties, json!({"jobDefinitionArn": "job"})),
            ("job".into(), one.clone())
        );
    }
    let model = json!({"modelName": "m", "primaryContainer": {"image": IMAGE}, "containers": [{"image": IMAGE}]});
    assert_eq!(refers("sagemaker.amazonaws.com", "CreateModel", model, json!({})).1.len(), 2);
}

fn native(kind: &str, detail: Value) -> Value {
    json!({
        "version": "0", "id": "230d977e-e225-4159-8720-771f8ca81811", "detail-type": kind, "source": "aws.ecs", "account": "111122223333",
        "time": "2026-03-03T15:00:21Z", "region": "eu-central-1", "resources": ["arn:aws:ecr:eu-west-1:444455556666:repository/shop/api"], "detail": detail,
    })
}

#[test]
fn a_stopped_task_on_the_event_bus() {
    let container = json!({"name": "api", "image": format!("{IMAGE}@{}", digest("a")), "reason": "CannotPullContainerError: x"});
    let detail = json!({"taskArn": "t", "group": "service:api", "taskDefinitionArn": "d", "lastStatus": "STOPPED", "stoppedReason": "y", "containers": [container]});
    let text = native("ECS Task State Change", detail).to_string();
    let seen = outcome(&text, true, |found| {
        let Action::TaskState { group, images, reason, .. } = &found.action else { panic!() };
        assert_eq!((group.as_deref(), reason.as_deref()), (Some("service:api"), Some("y\nCannotPullContainerError: x")));
        assert_eq!(images[0].reference.as_ref().unwrap().digest, Some(digest("a")));
        assert_eq!((&*found.event.id, &*found.event.name), ("230d977e-e225-4159-8720-771f8ca81811", "ECS Task State Change"));
        assert_eq!((&*found.event.recipient_account, found.event.time.to_string().as_str()), ("111122223333", "2026-03-03T15:00:21Z"));
    });
    assert_eq!(seen, Ok(Some(())));
}

#[test]
fn the_event_bus_tells_of_replication_but_its_echo_of_put_image_is_left_out() {
    let detail = json!({"result": "SUCCESS", "action-type": "PUSH", "repository-name": "shop/api", "image-digest": digest("a").to_string(), "image-tag": "v1"});
    let seen = outcome(&native("ECR Replication Action", detail.clone()).to_string(), true, |found| {
        let repository = found.repository.as_ref().unwrap();
        assert_eq!((&*repository.registry_id, &*repository.region), ("444455556666", "eu-west-1"));
        assert!(matches!(&found.action, Action::Push(push) if push.origin == PushOrigin::Replication && push.digest == digest("a")));
    });
    assert_eq!(seen, Ok(Some(())));
    assert_eq!(outcome(&native("ECR Image Action", detail).to_string(), true, |_| ()), Ok(None));
}
