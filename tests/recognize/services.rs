//! The services that run images: ECS, Lambda, App Runner, Batch, SageMaker, CodeBuild, schedules; and
//! EventBridge's own events.

use serde_json::{Value, json};
use tagfall::model::{Action, Need, PushOrigin};

use crate::{digest, look, means_nothing, outcome, record};

const IMAGE: &str = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1";

fn ecs(name: &str, more: Value) -> Value {
    record("ecs.amazonaws.com", name, more)
}

#[test]
fn a_definition_names_images_of_ours_and_leaves_out_others() {
    let containers =
        json!([{"name": "api", "image": IMAGE}, {"name": "proxy", "image": "envoyproxy/envoy:v1"}]);
    let request = json!({"family": "api", "containerDefinitions": containers});
    let arn = "arn:aws:ecs:eu-central-1:111122223333:task-definition/api:7";
    for (response, expected) in [
        (json!({"taskDefinition": {"taskDefinitionArn": arn}}), arn),
        (json!({"taskDefinition": {"revision": 7}}), "api:7"),
    ] {
        look(
            &ecs(
                "RegisterTaskDefinition",
                json!({"requestParameters": request, "responseElements": response}),
            ),
            |found| {
                let Action::Define { definition, images } = &found.action else { panic!() };
                assert_eq!(definition, expected);
                assert_eq!(images.len(), 1);
                assert_eq!(images[0].reference.as_ref().unwrap().to_text(), IMAGE);
                assert_eq!(images[0].container.as_deref(), Some("api"));
            },
        );
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
        look(
            &ecs("CreateService", json!({"requestParameters": request, "responseElements": response})),
            |found| {
                let Action::Run { runner, definition, deploys, .. } = &found.action else { panic!() };
                assert_eq!(
                    (&**runner, *deploys),
                    ("arn:aws:ecs:eu-central-1:111122223333:service/prod/api", true)
                );
                assert!(definition.as_ref().unwrap().ends_with("api:7"));
            },
        );
    }
    look(
        &ecs("DeleteService", json!({"requestParameters": {"service": "api", "cluster": "prod"}})),
        |found| {
            assert!(
                matches!(&found.action, Action::StopRunning { runner } if runner == "arn:aws:ecs:eu-central-1:111122223333:service/prod/api")
            );
        },
    );
}

#[test]
fn a_task_that_was_placed_runs_and_one_that_was_not_does_not() {
    let request = json!({"taskDefinition": "job:1"});
    let task = json!({"taskArn": "arn:aws:ecs:eu-central-1:111122223333:task/prod/0f9d", "taskDefinitionArn": "job-arn:1", "containers": [{"name": "a", "image": IMAGE}]});
    look(
        &ecs("RunTask", json!({"requestParameters": request, "responseElements": {"tasks": [task]}})),
        |found| {
            let Action::Run { runner, definition, images, .. } = &found.action else { panic!() };
            assert_eq!(
                (&**runner, definition.as_deref(), images.len()),
                ("arn:aws:ecs:eu-central-1:111122223333:task/prod/0f9d", Some("job-arn:1"), 1)
            );
        },
    );
    assert!(means_nothing(&ecs(
        "RunTask",
        json!({"requestParameters": request, "responseElements": {"tasks": [], "failures": [{}]}})
    )));
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
    look(
        &ecs(
            "SubmitContainerStateChange",
            json!({"requestParameters": {"task": "t", "containerName": "api", "reason": "OutOfMemory"}}),
        ),
        |found| {
            assert!(
                matches!(&found.action, Action::TaskState { reason: Some(reason), .. } if reason == "OutOfMemory")
            );
        },
    );
    assert!(means_nothing(&ecs(
        "SubmitTaskStateChange",
        json!({"requestParameters": {"task": "t", "status": "RUNNING"}})
    )));
}

/// The needs in a record: who, how, which references, through which definitions.
fn needs(source: &str, name: &str, more: Value) -> Vec<String> {
    look(&record(source, name, more), |found| match &found.action {
        Action::Needs(needs) => needs.iter().map(told).collect(),
        other => panic!("{other:?}"),
    })
}

fn told(need: &Need<'_>) -> String {
    let images: Vec<String> =
        need.images.iter().map(|image| image.reference.as_ref().unwrap().to_text()).collect();
    format!(
        "{} {:?} [{}] {}",
        short(&need.who),
        need.kind,
        images.join(" "),
        need.through.iter().map(|name| short(name)).collect::<Vec<_>>().join(" ")
    )
}

/// An ARN without region and account.
fn short(arn: &str) -> String {
    arn.replace(":eu-central-1:111122223333:", "::")
}

fn asked(request: Value) -> Value {
    json!({"requestParameters": request})
}

#[test]
fn functions_from_images() {
    let lambda = "lambda.amazonaws.com";
    let kept = format!("arn:aws:lambda::function:f Keeps [{IMAGE}] ");
    for name in
        ["f", "f:$LATEST", "111122223333:function:f", "arn:aws:lambda:eu-central-1:111122223333:function:f"]
    {
        assert_eq!(
            needs(
                lambda,
                "UpdateFunctionCode20150331v2",
                asked(json!({"functionName": name, "imageUri": IMAGE}))
            ),
            std::slice::from_ref(&kept),
            "{name}"
        );
    }
    let created = json!({"requestParameters": {"functionName": "f", "code": {"imageUri": IMAGE}, "publish": true},
                         "responseElements": {"functionArn": "arn:aws:lambda:eu-central-1:111122223333:function:f:3", "version": "3"}});
    let copied = "arn:aws:lambda::function:f:3 Copies [] arn:aws:lambda::function:f".to_owned();
    assert_eq!(needs(lambda, "CreateFunction20150331", created), [kept, copied.clone()]);
    let published = json!({"requestParameters": {"functionName": "f"}, "responseElements": {"functionName": "f", "version": "3"}});
    assert_eq!(needs(lambda, "PublishVersion20150331", published), [copied]);
    assert_eq!(
        needs(lambda, "DeleteFunction20150331", asked(json!({"functionName": "f"}))),
        ["arn:aws:lambda::function:f Ends [] "]
    );
    assert_eq!(
        needs(lambda, "DeleteFunction20150331", asked(json!({"functionName": "f", "qualifier": "3"}))),
        ["arn:aws:lambda::function:f:3 Ends [] "]
    );
    for (name, request) in [
        ("CreateFunction20150331", json!({"functionName": "zip", "code": {"s3Bucket": "b"}})),
        ("UpdateFunctionCode20150331v2", json!({"functionName": "f", "imageUri": IMAGE, "dryRun": true})),
        ("CreateFunctionUrlConfig", json!({"functionName": "f", "imageUri": IMAGE})),
        ("UpdateFunctionConfiguration20150331v2", json!({"functionName": "f"})),
        ("Invoke", json!({"functionName": "f"})),
    ] {
        assert!(means_nothing(&record(lambda, name, json!({"requestParameters": request}))), "{name}");
    }
}

#[test]
fn a_function_is_resolved_to_the_digest_that_the_answer_names() {
    let resolved = format!("{}@{}", IMAGE.rsplit_once(':').unwrap().0, digest("a"));
    let more = json!({"requestParameters": {"functionName": "f", "imageUri": IMAGE}, "responseElements": {"code": {"resolvedImageUri": resolved}}});
    look(&record("lambda.amazonaws.com", "UpdateFunctionCode20150331v2", more), |found| {
        let Action::Needs(needs) = &found.action else { panic!() };
        assert_eq!(
            (needs[0].images[0].digest, needs[0].images[0].reference.as_ref().unwrap().tag.as_deref()),
            (Some(digest("a")), Some("v1"))
        );
    });
}

#[test]
fn a_call_on_a_function_fails_for_want_of_its_image_or_for_something_else() {
    let failed = |name: &str, code: &str, message: &str| {
        record(
            "lambda.amazonaws.com",
            name,
            json!({"requestParameters": {"functionName": "f"}, "errorCode": code, "errorMessage": message}),
        )
    };
    let needs = |value: &Value| {
        look(value, |found| match &found.action {
            Action::Needs(needs) => needs.iter().map(told).collect::<Vec<_>>(),
            other => panic!("{other:?}"),
        })
    };
    for name in ["UpdateFunctionConfiguration20150331v2", "Invoke", "PublishVersion20150331"] {
        let record =
            failed(name, "InvalidParameterValueException", "The function is trying to use a deleted image.");
        assert_eq!(needs(&record), ["arn:aws:lambda::function:f Fails [] "], "{name}");
    }
    let source = failed(
        "CreateFunction20150331",
        "InvalidParameterValueException",
        &format!("Source image {IMAGE} does not exist. Provide a valid source image."),
    );
    assert_eq!(needs(&source), [format!("arn:aws:lambda::function:f Fails [{IMAGE}] ")]);
    for message in [
        "The role defined for the function cannot be assumed by Lambda.",
        "Source image is not valid: the image is too large.",
    ] {
        assert!(
            means_nothing(&failed(
                "UpdateFunctionConfiguration20150331v2",
                "InvalidParameterValueException",
                message
            )),
            "{message}"
        );
    }
    assert!(means_nothing(&failed(
        "UpdateFunctionCode20150331v2",
        "ResourceNotFoundException",
        "Function not found: arn:aws:lambda:…"
    )));
}

#[test]
fn app_runner_services() {
    let source = "apprunner.amazonaws.com";
    let service = |more: Value| {
        let mut configuration = json!({"imageRepository": {"imageIdentifier": IMAGE}});
        configuration.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        asked(json!({"serviceName": "web", "sourceConfiguration": configuration}))
    };
    let told = |kind: &str| vec![format!("arn:aws:apprunner::service/web {kind} [{IMAGE}] ")];
    assert_eq!(
        needs(source, "CreateService", service(json!({}))),
        told("Asks"),
        "an image of the same account deploys by itself"
    );
    assert_eq!(
        needs(source, "CreateService", service(json!({"autoDeploymentsEnabled": false}))),
        told("Keeps")
    );
    let arn = json!({"serviceArn": "arn:aws:apprunner:eu-central-1:111122223333:service/web/1"});
    let with = |key: &str, value: Value| {
        let mut request = arn.clone();
        request[key] = value;
        asked(request)
    };
    let (once, keeps) =
        ("arn:aws:apprunner::service/web/1 Once [] ", "arn:aws:apprunner::service/web/1 Keeps [] ");
    let through = "arn:aws:apprunner::service/web/1";
    assert_eq!(
        needs(source, "StartDeployment", asked(arn.clone())),
        [once, keeps].map(|need| format!("{need}{through}"))
    );
    assert_eq!(
        needs(source, "DeleteService", asked(arn.clone())),
        ["arn:aws:apprunner::service/web/1 Ends [] "]
    );
    assert_eq!(
        needs(source, "UpdateService", with("sourceConfiguration", json!({"codeRepository": {}}))),
        ["arn:aws:apprunner::service/web/1 Ends [] "]
    );
    assert!(means_nothing(&record(
        source,
        "UpdateService",
        with("instanceConfiguration", json!({"cpu": "1 vCPU"}))
    )));
    assert!(means_nothing(&record(source, "PauseService", asked(arn))));
}

#[test]
fn batch_definitions_and_jobs() {
    let batch = "batch.amazonaws.com";
    for properties in [
        json!({"containerProperties": {"image": IMAGE}}),
        json!({"nodeProperties": {"nodeRangeProperties": [{"container": {"image": IMAGE}}]}}),
        json!({"ecsProperties": {"taskProperties": [{"containers": [{"name": "c", "image": IMAGE}]}]}}),
        json!({"eksProperties": {"podProperties": {"containers": [{"image": IMAGE}]}}}),
    ] {
        let more = json!({"requestParameters": properties, "responseElements": {"jobDefinitionArn": "arn:aws:batch:eu-central-1:111122223333:job-definition/etl:2"}});
        assert_eq!(
            needs(batch, "RegisterJobDefinition", more),
            [format!("arn:aws:batch::job-definition/etl:2 Defines [{IMAGE}] ")]
        );
    }
    let job = json!({"requestParameters": {"jobName": "nightly", "jobDefinition": "etl"}, "responseElements": {"jobArn": "arn:aws:batch:eu-central-1:111122223333:job/1"}});
    assert_eq!(
        needs(batch, "SubmitJob", job),
        ["arn:aws:batch::job/1 Once [] arn:aws:batch::job-definition/etl"]
    );
    assert_eq!(
        needs(batch, "DeregisterJobDefinition", asked(json!({"jobDefinition": "etl:2"}))),
        ["arn:aws:batch::job-definition/etl:2 Ends [] "]
    );
}

#[test]
fn models_endpoints_and_their_jobs() {
    let source = "sagemaker.amazonaws.com";
    let model =
        json!({"modelName": "M", "primaryContainer": {"image": IMAGE}, "containers": [{"image": IMAGE}]});
    assert_eq!(
        needs(source, "CreateModel", asked(model)),
        [format!("arn:aws:sagemaker::model/m Defines [{IMAGE} {IMAGE}] ")]
    );
    let config = json!({"endpointConfigName": "c", "productionVariants": [{"modelName": "M"}]});
    assert_eq!(
        needs(source, "CreateEndpointConfig", asked(config)),
        ["arn:aws:sagemaker::endpoint-config/c Defines [] arn:aws:sagemaker::model/m"]
    );
    let endpoint = json!({"endpointName": "e", "endpointConfigName": "c"});
    for name in ["CreateEndpoint", "UpdateEndpoint"] {
        assert_eq!(
            needs(source, name, asked(endpoint.clone())),
            ["arn:aws:sagemaker::endpoint/e Keeps [] arn:aws:sagemaker::endpoint-config/c"]
        );
    }
    assert_eq!(needs(source, "DeleteEndpoint", asked(endpoint)), ["arn:aws:sagemaker::endpoint/e Ends [] "]);
    let training = json!({"trainingJobName": "t", "algorithmSpecification": {"trainingImage": IMAGE}});
    assert_eq!(
        needs(source, "CreateTrainingJob", asked(training)),
        [format!("arn:aws:sagemaker::training-job/t Once [{IMAGE}] ")]
    );
    let processing = json!({"processingJobName": "p", "appSpecification": {"imageUri": IMAGE}});
    assert_eq!(
        needs(source, "CreateProcessingJob", asked(processing)),
        [format!("arn:aws:sagemaker::processing-job/p Once [{IMAGE}] ")]
    );
}

#[test]
fn projects_and_builds() {
    let source = "codebuild.amazonaws.com";
    let project = json!({"name": "ci", "environment": {"image": IMAGE}});
    assert_eq!(
        needs(source, "CreateProject", asked(project)),
        [format!("arn:aws:codebuild::project/ci Asks [{IMAGE}] ")]
    );
    let curated = json!({"name": "ci", "environment": {"image": "aws/codebuild/standard:7.0"}});
    assert_eq!(needs(source, "UpdateProject", asked(curated)), ["arn:aws:codebuild::project/ci Ends [] "]);
    assert!(means_nothing(&record(
        source,
        "UpdateProject",
        asked(json!({"name": "ci", "description": "x"}))
    )));
    assert_eq!(
        needs(source, "DeleteProject", asked(json!({"name": "ci"}))),
        ["arn:aws:codebuild::project/ci Ends [] "]
    );
    let build = |more: Value| json!({"requestParameters": more, "responseElements": {"build": {"arn": "arn:aws:codebuild:eu-central-1:111122223333:build/ci:1"}}});
    assert_eq!(
        needs(source, "StartBuild", build(json!({"projectName": "ci"}))),
        ["arn:aws:codebuild::build/ci:1 Once [] arn:aws:codebuild::project/ci"]
    );
    let other = build(json!({"projectName": "ci", "imageOverride": IMAGE}));
    assert_eq!(
        needs(source, "StartBuild", other),
        [format!("arn:aws:codebuild::build/ci:1 Once [{IMAGE}] ")]
    );
}

#[test]
fn rules_and_schedules_that_run_tasks() {
    let definition = "arn:aws:ecs:eu-central-1:111122223333:task-definition/etl:3";
    let told = "arn:aws:ecs::task-definition/etl:3";
    for (targets, id, parameters, task) in [
        ("targets", "id", "ecsParameters", "taskDefinitionArn"),
        ("Targets", "Id", "EcsParameters", "TaskDefinitionArn"),
    ] {
        let request = json!({"rule": "nightly", targets: [{id: "1", parameters: {task: definition}}, {id: "2", "arn": "arn:aws:sqs:…"}]});
        let expected = [
            format!("arn:aws:events::rule/nightly (target 1) Asks [] {told}"),
            "arn:aws:events::rule/nightly (target 2) Ends [] ".to_owned(),
        ];
        assert_eq!(needs("events.amazonaws.com", "PutTargets", asked(request)), expected);
    }
    let removed = json!({"rule": "nightly", "ids": ["1"]});
    assert_eq!(
        needs("events.amazonaws.com", "RemoveTargets", asked(removed)),
        ["arn:aws:events::rule/nightly (target 1) Ends [] "]
    );
    let named = || asked(json!({"name": "nightly"}));
    assert_eq!(
        needs("events.amazonaws.com", "DisableRule", named()),
        ["arn:aws:events::rule/nightly Ends [] "]
    );
    assert_eq!(
        needs("events.amazonaws.com", "EnableRule", named()),
        ["arn:aws:events::rule/nightly Asks [] arn:aws:events::rule/nightly"]
    );
    let schedule = |state: &str| {
        asked(
            json!({"name": "n", "state": state, "target": {"ecsParameters": {"taskDefinitionArn": definition}}}),
        )
    };
    assert_eq!(
        needs("scheduler.amazonaws.com", "CreateSchedule", schedule("ENABLED")),
        [format!("arn:aws:scheduler::schedule/default/n Asks [] {told}")]
    );
    assert_eq!(
        needs("scheduler.amazonaws.com", "UpdateSchedule", schedule("DISABLED")),
        ["arn:aws:scheduler::schedule/default/n Ends [] "]
    );
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
        assert_eq!(
            (group.as_deref(), reason.as_deref()),
            (Some("service:api"), Some("y\nCannotPullContainerError: x"))
        );
        assert_eq!(images[0].reference.as_ref().unwrap().digest, Some(digest("a")));
        assert_eq!(
            (&*found.event.id, &*found.event.name),
            ("230d977e-e225-4159-8720-771f8ca81811", "ECS Task State Change")
        );
        assert_eq!(
            (&*found.event.recipient_account, found.event.time.to_string().as_str()),
            ("111122223333", "2026-03-03T15:00:21Z")
        );
    });
    assert_eq!(seen, Ok(Some(())));
}

#[test]
fn the_event_bus_tells_of_replication_but_its_echo_of_put_image_is_left_out() {
    let detail = json!({"result": "SUCCESS", "action-type": "PUSH", "repository-name": "shop/api", "image-digest": digest("a").to_string(), "image-tag": "v1"});
    let seen = outcome(&native("ECR Replication Action", detail.clone()).to_string(), true, |found| {
        let repository = found.repository.as_ref().unwrap();
        assert_eq!((&*repository.registry_id, &*repository.region), ("444455556666", "eu-west-1"));
        assert!(
            matches!(&found.action, Action::Push(push) if push.origin == PushOrigin::Replication && push.digest == digest("a"))
        );
    });
    assert_eq!(seen, Ok(Some(())));
    assert_eq!(outcome(&native("ECR Image Action", detail).to_string(), true, |_| ()), Ok(None));
}
