//! The worked example of docs/ARCHITECTURE.md, a service that needs images: container services of Lightsail.
//! It is compiled and run by the tests, and in no list of services.

// ANCHOR: service
use crate::model::{Action, Need, NeedKind};

use super::image::task_image;
use super::record::Record;
use super::{Meaning, names};

/// The `eventName`s that mean something.
pub(super) const EVENTS: &[&str] = &["CreateContainerServiceDeployment", "DeleteContainerService"];

/// A container service keeps running the images of its newest deployment, until it is deleted.
pub(super) fn recognize<'r>(record: &Record<'r>) -> Option<Meaning<'r>> {
    if record.failed() || !EVENTS.contains(&record.name) {
        return None;
    }
    let who = names::arn(record, "lightsail", "ContainerService/", record.request.text("serviceName")?)?;
    let need = if record.name == "DeleteContainerService" {
        Need::new(NeedKind::Ends, who, Vec::new())
    } else {
        let containers = record.request.get("containers").entries();
        let images =
            containers.filter_map(|(name, container)| task_image(Some(name), container.text("image"), None));
        Need::new(NeedKind::Keeps, who, images.collect())
    };
    // No repository: the images name theirs.
    Some((None, Action::Needs(vec![need])))
}
// ANCHOR_END: service

#[test]
fn a_container_service_needs_the_images_of_its_deployment_until_it_is_deleted() {
    let needs = |name: &str, request: &str| {
        let record = format!(
            r#"{{"eventTime":"2026-03-02T10:00:00Z","eventSource":"lightsail.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1",
                 "recipientAccountId":"111122223333","eventID":"1","requestParameters":{request}}}"#
        );
        super::parse::Parser::default().parse(&record, |root| {
            let record = Record::read(root, &record).unwrap();
            let Some((None, Action::Needs(needs))) = recognize(&record) else { panic!("a need") };
            let images = |need: &Need<'_>| {
                need.images
                    .iter()
                    .map(|image| image.reference.as_ref().unwrap().to_text())
                    .collect::<Vec<_>>()
            };
            needs.iter().map(|need| (need.kind, need.who.to_string(), images(need))).collect::<Vec<_>>()
        })
    };
    let who = "arn:aws:lightsail:eu-central-1:111122223333:ContainerService/shop".to_owned();
    let image = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v1";
    let request = format!(
        r#"{{"serviceName":"shop","containers":{{"api":{{"image":"{image}"}},"proxy":{{"image":"envoy:v1"}}}}}}"#
    );
    assert_eq!(
        needs("CreateContainerServiceDeployment", &request).unwrap(),
        [(NeedKind::Keeps, who.clone(), vec![image.to_owned()])]
    );
    assert_eq!(
        needs("DeleteContainerService", r#"{"serviceName":"shop"}"#).unwrap(),
        [(NeedKind::Ends, who, Vec::new())]
    );
}
