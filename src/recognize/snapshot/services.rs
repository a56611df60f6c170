//! Lambda, App Runner, Batch, SageMaker, and images that Amazon Inspector reports as in use. Most of these
//! write member names with a capital letter.

use std::borrow::Cow;

use super::{AccountRegion, Snapshot};
use crate::model::{Action, Digest, ImageReference, Need, NeedKind, TaskImage};
use crate::recognize::image::task_image;
use crate::recognize::json::Json;

pub(super) fn read(root: Json<'_>, answer: &mut Snapshot) -> bool {
    if let (Some(arn), true) = (root.get("Configuration").text("FunctionArn"), root.get("Code").is_object()) {
        function(root.get("Configuration"), root.get("Code"), arn, answer);
        return answer.is("lambda get-function");
    }
    let functions = root.get("Functions");
    if functions.is_array() {
        for entry in functions.items() {
            match entry.text("FunctionArn") {
                Some(arn) => function(entry, Json::NOTHING, arn, answer),
                None => (answer.entries, answer.left_out) = (answer.entries + 1, answer.left_out + 1),
            }
        }
        return answer.is("lambda list-functions");
    }
    let service = root.get("Service");
    if let Some(arn) = service.text("ServiceArn").filter(|arn| arn.contains(":apprunner:")) {
        runner(service, arn, answer);
        return answer.is("apprunner describe-service");
    }
    let definitions = root.get("jobDefinitions");
    if definitions.is_array() {
        definitions.items().for_each(|entry| job_definition(entry, answer));
        return answer.is("batch describe-job-definitions");
    }
    let covered = root.get("coveredResources");
    if covered.is_array() {
        covered.items().for_each(|entry| in_use(entry, answer));
        return answer.is("inspector2 list-coverage");
    }
    sagemaker(root, answer)
}

fn need(
    answer: &mut Snapshot,
    kind: NeedKind,
    arn: &str,
    images: Vec<TaskImage<'static>>,
    through: Vec<Cow<'static, str>>,
) {
    let need = Need::new(kind, arn.to_owned(), images).through(through);
    answer.say(AccountRegion::of_arn(arn), Action::Needs(vec![need]));
}

/// A list of functions has only the digest, under another name: `CodeSha256`.
fn function(entry: Json<'_>, code: Json<'_>, arn: &str, answer: &mut Snapshot) {
    answer.entries += 1;
    answer.time(entry.get("LastModified"));
    let resolved = code.text("ResolvedImageUri").and_then(ImageReference::parse);
    let of_image = entry.text("PackageType") == Some("Image");
    let hash =
        entry.text("CodeSha256").filter(|_| of_image).and_then(|hex| Digest::parse_hex(hex.as_bytes()));
    let digest = resolved.as_ref().and_then(|found| found.digest).or(hash);
    let image = task_image(None, code.text("ImageUri").or_else(|| code.text("ResolvedImageUri")), digest);
    let who = match entry
        .text("Version")
        .filter(|version| *version != "$LATEST" && !arn.ends_with(&format!(":{version}")))
    {
        Some(version) => format!("{arn}:{version}"),
        None => arn.trim_end_matches(":$LATEST").to_owned(),
    };
    match image {
        Some(image) => need(answer, NeedKind::Keeps, &who, vec![image], Vec::new()),
        // A function made from a ZIP file, or from an image elsewhere.
        None => answer.left_out += 1,
    }
}

fn runner(entry: Json<'_>, arn: &str, answer: &mut Snapshot) {
    answer.entries += 1;
    let source = entry.get("SourceConfiguration");
    let image = task_image(None, source.get("ImageRepository").text("ImageIdentifier"), None);
    let (Some(image), false) = (image, entry.text("Status") == Some("DELETED")) else {
        answer.left_out += 1;
        return;
    };
    let own = || {
        image
            .reference
            .as_ref()
            .is_some_and(|image| arn.split(':').nth(4) == Some(image.registry_id.as_str()))
    };
    let kind = if source.get("AutoDeploymentsEnabled").as_bool().unwrap_or_else(own) {
        NeedKind::Asks
    } else {
        NeedKind::Keeps
    };
    // The image that it keeps was deployed then.
    let since = answer.time(entry.get("UpdatedAt"));
    let action = Action::Needs(vec![Need::new(kind, arn.to_owned(), vec![image])]);
    answer.say_since(AccountRegion::of_arn(arn), since, action);
}

fn job_definition(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let images: Vec<TaskImage<'static>> =
        crate::recognize::batch::images(entry).into_iter().map(unnamed).collect();
    match entry
        .text("jobDefinitionArn")
        .filter(|_| !images.is_empty() && entry.text("status") != Some("INACTIVE"))
    {
        Some(arn) => need(answer, NeedKind::Defines, arn, images, Vec::new()),
        None => answer.left_out += 1,
    }
}

fn unnamed(image: TaskImage<'_>) -> TaskImage<'static> {
    TaskImage { reference: image.reference, digest: image.digest, container: None, failed: image.failed }
}

/// `inUseCount`: number of tasks and pods that run the image, wherever they are.
fn in_use(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let image = entry.get("resourceMetadata").get("ecrImage");
    let count = image.get("inUseCount").as_integer().unwrap_or_default();
    answer.time(image.get("lastInUseAt"));
    answer.time(entry.get("lastScannedAt"));
    let (Some(arn), 1..) = (entry.text("resourceId"), count) else {
        answer.left_out += 1;
        return;
    };
    let place = AccountRegion::of_arn(arn);
    let named = arn.split_once(":repository/").and_then(|(_, rest)| rest.rsplit_once('/'));
    let reference = || {
        let (repository, digest) = named?;
        let (registry_id, region) = (place.account.clone()?, place.region.clone()?);
        Some(ImageReference {
            registry_id,
            region,
            repository: repository.to_owned(),
            tag: None,
            digest: Some(Digest::parse(digest)?),
        })
    };
    let Some(reference) = reference() else {
        answer.left_out += 1;
        return;
    };
    let who = format!(
        "tasks or pods that Amazon Inspector sees ({count} of {}@{})",
        reference.repository,
        named.map_or("", |(_, digest)| digest)
    );
    let image = TaskImage { reference: Some(reference), digest: None, container: None, failed: false };
    answer.say(place, Action::Needs(vec![Need::new(NeedKind::Keeps, who, vec![image])]));
}

fn sagemaker(root: Json<'_>, answer: &mut Snapshot) -> bool {
    let container = |entry: Json<'_>| task_image(None, entry.text("Image"), None);
    let variants = || {
        ["ProductionVariants", "ShadowProductionVariants"].into_iter().flat_map(|key| root.get(key).items())
    };
    answer.time(root.get("CreationTime"));
    answer.time(root.get("LastModifiedTime"));
    if let Some(arn) = root.text("ModelArn") {
        answer.entries = 1;
        let images = root
            .get("Containers")
            .items()
            .chain([root.get("PrimaryContainer")])
            .filter_map(container)
            .collect();
        need(answer, NeedKind::Defines, arn, images, Vec::new());
        return answer.is("sagemaker describe-model");
    }
    if let Some(arn) = root.text("EndpointConfigArn") {
        answer.entries = 1;
        let models =
            variants().filter_map(|variant| sibling(arn, "model", variant.text("ModelName")?)).collect();
        need(answer, NeedKind::Defines, arn, Vec::new(), models);
        return answer.is("sagemaker describe-endpoint-config");
    }
    let Some(arn) = root.text("EndpointArn") else { return false };
    answer.entries = 1;
    let deployed = variants().flat_map(|variant| variant.get("DeployedImages").items());
    let images: Vec<_> = deployed.filter_map(resolved).collect();
    let config = root.text("EndpointConfigName").and_then(|name| sibling(arn, "endpoint-config", name));
    let through = if images.is_empty() { config.into_iter().collect() } else { Vec::new() };
    need(answer, NeedKind::Keeps, arn, images, through);
    answer.is("sagemaker describe-endpoint")
}

/// The image that an endpoint specifies, with the digest that it was resolved to.
fn resolved(entry: Json<'_>) -> Option<TaskImage<'static>> {
    let digest = entry.text("ResolvedImage").and_then(ImageReference::parse).and_then(|found| found.digest);
    task_image(None, entry.text("SpecifiedImage").or_else(|| entry.text("ResolvedImage")), digest)
}

/// The ARN of something else in the same account and region. SageMaker's ARNs are in lower case.
fn sibling(arn: &str, kind: &str, name: &str) -> Option<Cow<'static, str>> {
    let (head, _) = arn.match_indices(':').nth(4).map(|(at, _)| arn.split_at(at))?;
    Some(Cow::Owned(format!("{head}:{kind}/{}", name.to_ascii_lowercase())))
}
