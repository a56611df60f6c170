//! Events in the format that Timesketch imports: JSON lines with `message`, `datetime` and
//! `timestamp_desc`, and everything else as further fields.

use std::io::{self, Write};

use serde_json::{Value, json};

use super::format::write_line;
use super::report::when;
use crate::model::{EventRef, Finding, Repository, StepKind, Timeline, TimelineStep, Timestamp};

/// A line for each finding at its time, and one for each event that it rests on.
pub fn write_findings(out: &mut dyn Write, findings: &[Finding]) -> io::Result<()> {
    for finding in findings {
        let mut line = line(when(finding), "Finding", finding.summary.clone(), &finding.repository);
        add(&mut line, json!({"severity": finding.severity, "advice": finding.advice}));
        write_line(out, &of_finding(line, finding))?;
        for event in &finding.evidence {
            let message = event_message(event);
            let mut line = self::line(event.event_time, "Event logged", message, &finding.repository);
            add(&mut line, event_fields(event));
            write_line(out, &of_finding(line, finding))?;
        }
    }
    Ok(())
}

/// A line for each step of each image.
pub fn write_timelines(out: &mut dyn Write, timelines: impl Iterator<Item = Timeline>) -> io::Result<()> {
    for timeline in timelines {
        for step in &timeline.steps {
            let message = step_message(&timeline, step);
            let mut line = line(step.time, description(step.kind), message, &timeline.repository);
            add(&mut line, event_fields(&step.event));
            add(
                &mut line,
                json!({
                    "digest": timeline.digest, "step": step.kind, "image_tag": step.tag, "other_digest": step.other_digest,
                    "order": step.order, "state": timeline.state,
                }),
            );
            write_line(out, &line)?;
        }
    }
    Ok(())
}

fn line(time: Timestamp, description: &str, message: String, repository: &Repository) -> Value {
    json!({
        "message": message,
        "datetime": datetime(time),
        "timestamp": time.millis().saturating_mul(1_000),
        "timestamp_desc": description,
        "data_type": "aws:cloudtrail:ecr",
        "account": repository.registry_id,
        "region": repository.region,
        "repository": repository.name,
    })
}

fn of_finding(mut line: Value, finding: &Finding) -> Value {
    add(
        &mut line,
        json!({"finding": finding.id, "kind": finding.kind, "digest": finding.lost.digest, "image_tag": finding.tag, "tag": [finding.kind, finding.severity]}),
    );
    line
}

fn event_fields(event: &EventRef) -> Value {
    json!({
        "event_id": event.event_id, "event_name": event.event_name, "actor": event.actor, "source_ip": event.source_ip,
        "user_agent": event.user_agent, "object": event.object, "record": event.record,
    })
}

fn add(line: &mut Value, fields: Value) {
    if let (Value::Object(line), Value::Object(fields)) = (line, fields) {
        line.extend(fields.into_iter().filter(|(_, value)| !value.is_null()));
    }
}

/// ISO 8601 with an offset, as in Timesketch's own examples.
fn datetime(time: Timestamp) -> String {
    format!("{}+00:00", time.to_string().trim_end_matches('Z'))
}

fn event_message(event: &EventRef) -> String {
    let by = event.actor.as_ref().map(|actor| format!(" by {}", actor.raw())).unwrap_or_default();
    format!("{}{by}", event.event_name.raw())
}

fn step_message(timeline: &Timeline, step: &TimelineStep) -> String {
    let tag = step.tag.as_ref().map(|tag| format!(":{}", tag.raw())).unwrap_or_default();
    let other = match (step.other_digest, step.kind) {
        (None, _) => String::new(),
        (Some(other), StepKind::TagLost) => format!(" to {}", other.short()),
        (Some(other), _) => format!(" from {}", other.short()),
    };
    let by = step.event.actor.as_ref().map(|actor| format!(" by {}", actor.raw())).unwrap_or_default();
    let what = step.kind.word().replace('_', " ");
    format!("{what} {}{tag} {}{other}{by}", timeline.repository.name.raw(), timeline.digest.short())
}

/// What happened at that time, in the style of Timesketch's descriptions of file times.
const fn description(kind: StepKind) -> &'static str {
    match kind {
        StepKind::Push => "Image pushed",
        StepKind::PushFailed => "Push failed",
        StepKind::TagLost => "Tag lost",
        StepKind::Untag => "Tag removed",
        StepKind::Delete => "Image deleted",
        StepKind::DeleteFailed => "Delete failed",
        StepKind::Expire => "Image expired",
        StepKind::ExpireFailed => "Expiry failed",
        StepKind::Archive => "Image archived",
        StepKind::RestoreRequested => "Restore requested",
        StepKind::Restore => "Image restored",
        StepKind::RepositoryDeleted => "Repository deleted",
        StepKind::Replicate => "Image replicated",
        StepKind::Pull => "Image pulled",
        StepKind::PullFailed => "Pull failed",
        StepKind::Referenced => "Image referenced",
        StepKind::TaskStopped => "Task stopped",
        StepKind::Seen => "Image listed",
        StepKind::NotSeen => "Image not listed",
    }
}
