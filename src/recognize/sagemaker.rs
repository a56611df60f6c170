//! SageMaker: models name images, endpoint configurations name models, and an endpoint that scales out
//! pulls the images of its models. Training, processing and transform jobs run once.

use std::borrow::Cow;

use crate::model::{Action, Need, NeedKind, TaskImage};

use super::image::task_image;
use super::json::Json;
use super::record::Record;
use super::{Meaning, names};

pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() {
        return None;
    }
    let request = record.request;
    let part = |key: &str, kind: &str| named(record, request, key, kind);
    let need = match record.name {
        "CreateModel" => {
            let packages = containers(request)
                .filter_map(|container| named(record, container, "modelPackageName", "model-package/"));
            Need::new(NeedKind::Defines, part("modelName", "model/")?, images(request))
                .through(packages.collect::<Vec<_>>())
        }
        "CreateModelPackage" => {
            let specification = request.get("inferenceSpecification");
            let who = record
                .response
                .text("modelPackageArn")
                .map(Cow::Borrowed)
                .or_else(|| part("modelPackageName", "model-package/"))?;
            Need::new(
                NeedKind::Defines,
                who,
                specification.get("containers").items().filter_map(container).collect(),
            )
        }
        "CreateEndpointConfig" => {
            let variants = [request.get("productionVariants"), request.get("shadowProductionVariants")]
                .into_iter()
                .flat_map(Json::items);
            let models: Vec<_> =
                variants.filter_map(|variant| named(record, variant, "modelName", "model/")).collect();
            Need::new(NeedKind::Defines, part("endpointConfigName", "endpoint-config/")?, Vec::new())
                .through(models)
        }
        "CreateEndpoint" | "UpdateEndpoint" => {
            let config = part("endpointConfigName", "endpoint-config/")?;
            Need::new(NeedKind::Keeps, part("endpointName", "endpoint/")?, Vec::new()).through([config])
        }
        "CreateInferenceComponent" | "UpdateInferenceComponent" => {
            let specification = request.get("specification");
            let model = named(record, specification, "modelName", "model/");
            let images: Vec<_> = container(specification.get("container")).into_iter().collect();
            if images.is_empty() && model.is_none() {
                return None;
            }
            Need::new(NeedKind::Keeps, part("inferenceComponentName", "inference-component/")?, images)
                .through(model)
        }
        "CreateTrainingJob" => once(
            part("trainingJobName", "training-job/")?,
            request.get("algorithmSpecification").text("trainingImage"),
        ),
        "CreateProcessingJob" => once(
            part("processingJobName", "processing-job/")?,
            request.get("appSpecification").text("imageUri"),
        ),
        "CreateTransformJob" => {
            Need::new(NeedKind::Once, part("transformJobName", "transform-job/")?, Vec::new())
                .through(part("modelName", "model/"))
        }
        name => Need::new(NeedKind::Ends, ended(record, name)?, Vec::new()),
    };
    Some((None, Action::Needs(vec![need])))
}

/// ARN of what `key` names; names in SageMaker's ARNs are in lower case.
fn named<'r>(record: &Record<'r>, place: Json<'r>, key: &str, kind: &str) -> Option<Cow<'r, str>> {
    let arn = names::arn(record, "sagemaker", kind, place.text(key)?)?;
    Some(if arn.bytes().any(|byte| byte.is_ascii_uppercase()) {
        Cow::Owned(arn.to_ascii_lowercase())
    } else {
        arn
    })
}

fn ended<'r>(record: &Record<'r>, name: &str) -> Option<Cow<'r, str>> {
    let part = |key: &str, kind: &str| named(record, record.request, key, kind);
    match name {
        "DeleteModel" => part("modelName", "model/"),
        "DeleteModelPackage" => part("modelPackageName", "model-package/"),
        "DeleteEndpointConfig" => part("endpointConfigName", "endpoint-config/"),
        "DeleteEndpoint" => part("endpointName", "endpoint/"),
        "DeleteInferenceComponent" => part("inferenceComponentName", "inference-component/"),
        _ => None,
    }
}

fn once<'r>(who: Cow<'r, str>, image: Option<&str>) -> Need<'r> {
    Need::new(NeedKind::Once, who, task_image(None, image, None).into_iter().collect())
}

fn containers<'r>(request: Json<'r>) -> impl Iterator<Item = Json<'r>> {
    request.get("containers").items().chain([request.get("primaryContainer")])
}

fn images<'r>(request: Json<'r>) -> Vec<TaskImage<'r>> {
    containers(request).filter_map(container).collect()
}

fn container(entry: Json<'_>) -> Option<TaskImage<'_>> {
    task_image(entry.text("containerHostname"), entry.text("image"), None)
}
