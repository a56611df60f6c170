//! Findings as OCSF Detection Findings (class 2004), one on each line, for lakes and SIEMs that read OCSF.

use std::io::{self, Write};
use std::net::IpAddr;

use serde_json::{Map, Value, json};

use super::findings::Telling;
use super::format::write_line;
use super::report::when;
use crate::alerts::{News, id_of_loss};
use crate::model::{EventRef, Finding, Repository, Severity, Timestamp, partition};

/// The version of the OCSF schema.
const VERSION: &str = "1.3.0";
const CLASS: u64 = 2004;
/// The category "Findings".
const CATEGORY: u64 = 2;
/// The account type "AWS account".
const AWS_ACCOUNT: u64 = 10;
/// The analytic type "rule".
const RULE: u64 = 1;

pub fn write(out: &mut dyn Write, findings: &[Finding], telling: Telling<'_>) -> io::Result<()> {
    findings.iter().try_for_each(|finding| write_line(out, &detection(finding, telling)))
}

fn detection(finding: &Finding, telling: Telling<'_>) -> Value {
    let news = telling.news.get(id_of_loss(&finding.id)).copied().unwrap_or(News::New);
    // A finding that was reported before is not new; one that somebody accepted is suppressed.
    let (activity, activity_name) = if news == News::New { (1, "Create") } else { (2, "Update") };
    let (status, status_name) = if news == News::Accepted { (3, "Suppressed") } else { (1, "New") };
    let (severity, severity_name) = severity(finding.severity);
    let times: Vec<Timestamp> = finding.evidence.iter().map(|event| event.event_time).collect();
    let title = match &finding.tag {
        Some(tag) => format!("{} of {}:{}", finding.kind.word(), finding.repository.name.raw(), tag.raw()),
        None => format!("{} in {}", finding.kind.word(), finding.repository.name.raw()),
    };
    let mut detection = json!({
        "activity_id": activity,
        "activity_name": activity_name,
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + activity,
        "type_name": format!("Detection Finding: {activity_name}"),
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "time": millis(when(finding)),
        "message": finding.summary,
        "is_alert": news.speaks(),
        "metadata": {
            "version": VERSION,
            "profiles": ["cloud"],
            "product": {"name": "tagfall", "vendor_name": "tagfall", "uid": "tagfall", "version": env!("CARGO_PKG_VERSION")},
            "uid": finding.id,
        },
        "finding_info": {
            "uid": finding.id,
            "title": title,
            "desc": finding.summary,
            "types": [finding.kind.word()],
            "created_time": millis(when(finding)),
            "first_seen_time": times.iter().min().map_or(millis(when(finding)), |time| millis(*time)),
            "last_seen_time": times.iter().max().map_or(millis(when(finding)), |time| millis(*time)),
            "analytic": {"name": finding.kind.word(), "uid": finding.kind.word(), "type": "Rule", "type_id": RULE, "desc": finding.kind.meaning()},
            "data_sources": ["AWS CloudTrail"],
            "related_events": finding.evidence.iter().map(related).collect::<Vec<_>>(),
        },
        "cloud": cloud(&finding.repository),
        "resources": [resource(finding)],
        "evidences": finding.evidence.iter().map(evidence).collect::<Vec<_>>(),
        "unmapped": {"usage": finding.usage, "reasons": finding.reasons.iter().map(|reason| &reason.text).collect::<Vec<_>>()},
    });
    if !finding.advice.is_empty() {
        detection["remediation"] = json!({"desc": finding.advice.join("\n")});
    }
    detection
}

const fn severity(severity: Severity) -> (u64, &'static str) {
    match severity {
        Severity::Critical => (5, "Critical"),
        Severity::High => (4, "High"),
        Severity::Medium => (3, "Medium"),
        Severity::Low => (2, "Low"),
    }
}

fn millis(time: Timestamp) -> i64 {
    time.millis()
}

fn cloud(repository: &Repository) -> Value {
    json!({
        "provider": "AWS",
        "region": repository.region,
        "account": {"uid": repository.registry_id, "type": "AWS Account", "type_id": AWS_ACCOUNT},
    })
}

fn resource(finding: &Finding) -> Value {
    let repository = &finding.repository;
    let (registry, region, name) =
        (repository.registry_id.raw(), repository.region.raw(), repository.name.raw());
    json!({
        "uid": format!("arn:{}:ecr:{region}:{registry}:repository/{name}", partition(region)),
        "name": name,
        "type": "AWS::ECR::Repository",
        "region": region,
        "cloud_partition": partition(region),
        "owner": {"account": {"uid": registry, "type": "AWS Account", "type_id": AWS_ACCOUNT}},
        "labels": finding.tags,
        "data": {"lost": finding.lost, "kept": finding.kept, "tag": finding.tag},
    })
}

fn related(event: &EventRef) -> Value {
    json!({"uid": event.event_id, "type": event.event_name, "first_seen_time": millis(event.event_time)})
}

/// One event: the call, the caller, the address, and where the record is.
fn evidence(event: &EventRef) -> Value {
    let mut evidence = Map::new();
    evidence.insert("api".to_owned(), json!({"operation": event.event_name}));
    if let Some(actor) = &event.actor {
        let is_principal = actor.raw().starts_with("arn:");
        let value = if is_principal { json!({"user": {"uid": actor}}) } else { json!({"invoked_by": actor}) };
        evidence.insert("actor".to_owned(), value);
    }
    if let Some(address) = &event.source_ip {
        // `ip` has to be an IP address; a service that calls on somebody's behalf has its name there.
        let is_address = address.raw().parse::<IpAddr>().is_ok();
        let value = if is_address { json!({"ip": address}) } else { json!({"svc_name": address}) };
        evidence.insert("src_endpoint".to_owned(), value);
    }
    let agent = event.user_agent.as_ref();
    evidence.insert("data".to_owned(), json!({"time": event.event_time, "object": event.object, "record": event.record, "user_agent": agent}));
    Value::Object(evidence)
}
