//! Batch, CodeBuild and SageMaker: definitions that name images, jobs that run them, and deletions.

use serde_json::Value;

use super::meaning::{Act, Reference, list, reference, text};

fn place(value: &Value, service: &str, what: &str) -> String {
    let part = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
    format!("arn:aws:{service}:{}:{}:{what}", part("awsRegion"), part("recipientAccountId"))
}

fn image(value: &Value) -> Vec<Reference> {
    value.as_str().and_then(reference).into_iter().collect()
}

/// Job definitions by ARN, or by the name that a job uses.
pub fn batch(value: &Value, acts: &mut Vec<Act>) {
    let (request, response) = (&value["requestParameters"], &value["responseElements"]);
    let named = |name: String| {
        if name.starts_with("arn:") { name } else { place(value, "batch", &format!("job-definition/{name}")) }
    };
    match value["eventName"].as_str().unwrap_or_default() {
        "RegisterJobDefinition" => {
            let Some(who) = text(&response["jobDefinitionArn"]) else { return };
            acts.push(Act::Offer {
                who,
                images: image(&request["containerProperties"]["image"]),
                through: Vec::new(),
            });
        }
        "DeregisterJobDefinition" => {
            acts.extend(text(&request["jobDefinition"]).map(|name| Act::StopService { service: named(name) }))
        }
        "SubmitJob" => {
            let through = text(&request["jobDefinition"]).map(named).into_iter().collect();
            acts.push(Act::Start { images: Vec::new(), through, uses: true });
        }
        _ => {}
    }
}

pub fn code_build(value: &Value, acts: &mut Vec<Act>) {
    let request = &value["requestParameters"];
    let Some(name) = text(&request["name"]).or_else(|| text(&request["projectName"])) else { return };
    let who = place(value, "codebuild", &format!("project/{name}"));
    match value["eventName"].as_str().unwrap_or_default() {
        "CreateProject" | "UpdateProject" => {
            acts.push(Act::TakeUp {
                who,
                images: image(&request["environment"]["image"]),
                through: Vec::new(),
                asks: true,
            });
        }
        "DeleteProject" => acts.push(Act::StopService { service: who }),
        "StartBuild" => acts.push(Act::Start { images: Vec::new(), through: vec![who], uses: false }),
        _ => {}
    }
}

pub fn sage_maker(value: &Value, acts: &mut Vec<Act>) {
    let request = &value["requestParameters"];
    let named = |kind: &str, name: &Value| {
        text(name).map(|name| place(value, "sagemaker", &format!("{kind}/{name}")))
    };
    match value["eventName"].as_str().unwrap_or_default() {
        "CreateModel" => {
            let Some(who) = named("model", &request["modelName"]) else { return };
            acts.push(Act::Offer {
                who,
                images: image(&request["primaryContainer"]["image"]),
                through: Vec::new(),
            });
        }
        "CreateEndpointConfig" => {
            let Some(who) = named("endpoint-config", &request["endpointConfigName"]) else { return };
            let through = list(&request["productionVariants"])
                .filter_map(|variant| named("model", &variant["modelName"]))
                .collect();
            acts.push(Act::Offer { who, images: Vec::new(), through });
        }
        "CreateEndpoint" | "UpdateEndpoint" => {
            let (Some(who), Some(config)) = (
                named("endpoint", &request["endpointName"]),
                named("endpoint-config", &request["endpointConfigName"]),
            ) else {
                return;
            };
            acts.push(Act::TakeUp { who, images: Vec::new(), through: vec![config], asks: false });
        }
        "DeleteEndpoint" => acts
            .extend(named("endpoint", &request["endpointName"]).map(|service| Act::StopService { service })),
        _ => {}
    }
}
