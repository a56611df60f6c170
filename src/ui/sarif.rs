//! Findings in SARIF 2.1.0, the format of code scanning: a rule for each kind of finding, a result for each
//! finding.

use std::cell::Cell as Slot;
use std::io::{self, Write};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};

use super::coverage::describe;
use super::escape::JsonText;
use super::findings::Telling;
use super::format::Streamed;
use crate::alerts::{News, id_of_loss};
use crate::model::{Coverage, EventRef, Finding, FindingKind, Severity};

const SCHEMA: &str = "https://json.schemastore.org/sarif-2.1.0.json";
/// Maximum number of failures that are listed.
const FAILURES_MAX: usize = 1_000;

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Log<R> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<R>; 1],
}

#[derive(serde::Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<R> {
    tool: Value,
    column_kind: &'static str,
    invocations: [Value; 1],
    results: R,
}

pub fn write(
    out: &mut dyn Write,
    coverage: &Coverage,
    findings: &[Finding],
    telling: Telling<'_>,
) -> io::Result<()> {
    let results = Streamed(Slot::new(Some(findings.iter().map(|finding| result(finding, telling)))));
    let run =
        Run { tool: tool(), column_kind: "unicodeCodePoints", invocations: [invocation(coverage)], results };
    serde_json::to_writer_pretty(JsonText(out), &Log { schema: SCHEMA, version: "2.1.0", runs: [run] })?;
    writeln!(out)
}

fn tool() -> Value {
    let rule = |kind: &FindingKind| {
        json!({
            "id": kind.word(),
            "name": pascal(kind.word()),
            "shortDescription": {"text": kind.word().replace('-', " ")},
            "fullDescription": {"text": plain(kind.meaning())},
            "defaultConfiguration": {"level": "warning"},
            "properties": {"tags": ["cloudtrail", "ecr"]},
        })
    };
    let rules: Vec<Value> = FindingKind::ALL.iter().map(rule).collect();
    let version = env!("CARGO_PKG_VERSION");
    json!({"driver": {"name": "tagfall", "version": version, "semanticVersion": version, "rules": rules}})
}

/// How the run went. It lists what could not be read, so that an empty list of results is not taken for a
/// clean archive.
fn invocation(coverage: &Coverage) -> Value {
    let notification = |failure| json!({"level": "warning", "message": {"text": plain(&describe(failure))}});
    let failures = coverage.failures.iter().take(FAILURES_MAX).map(notification);
    let warnings =
        coverage.warnings.iter().map(|warning| json!({"level": "note", "message": {"text": plain(warning)}}));
    let notifications: Vec<Value> = failures.chain(warnings).collect();
    json!({"executionSuccessful": coverage.is_complete(), "toolExecutionNotifications": notifications})
}

fn result(finding: &Finding, telling: Telling<'_>) -> Value {
    let repository = &finding.repository;
    let name = repository.name.raw();
    let tag = finding.tag.as_ref().map(|tag| format!(":{}", tag.raw())).unwrap_or_default();
    let of_registry = format!(
        "{}.dkr.ecr.{}.amazonaws.com/{name}{tag}",
        repository.registry_id.raw(),
        repository.region.raw()
    );
    let image =
        json!({"name": format!("{name}{tag}"), "fullyQualifiedName": of_registry, "kind": "resource"});
    let event = finding.deletion.as_ref().map_or(&finding.second_push, |deletion| &deletion.event);
    let mut location = location(event);
    location["logicalLocations"] = json!([image]);
    let at = FindingKind::ALL.iter().position(|kind| *kind == finding.kind);
    let mut result = json!({
        "ruleId": finding.kind.word(),
        "ruleIndex": at,
        "level": level(finding.severity),
        "message": {"text": plain(&finding.summary)},
        "locations": [location],
        "relatedLocations": finding.evidence.iter().map(self::location).collect::<Vec<_>>(),
        "fingerprints": {"tagfall/finding/v1": finding.id},
        "partialFingerprints": {"tagfall/loss/v1": id_of_loss(&finding.id)},
        "properties": {
            "severity": finding.severity.word(),
            "registryId": repository.registry_id,
            "region": repository.region,
            "lost": finding.lost,
            "kept": finding.kept,
            "pullsAfterGone": finding.usage.pulls_after_gone,
            "references": finding.usage.references,
            "advice": finding.advice,
        },
    });
    match telling.news.get(id_of_loss(&finding.id)) {
        None => {}
        Some(News::New) => result["baselineState"] = "new".into(),
        Some(News::Worse) => result["baselineState"] = "updated".into(),
        Some(News::Known) => result["baselineState"] = "unchanged".into(),
        Some(News::Accepted) => {
            result["baselineState"] = "unchanged".into();
            result["suppressions"] = json!([{"kind": "external", "status": "accepted"}]);
        }
    }
    result
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low => "note",
    }
}

/// The object with the event's record, and what the record says.
fn location(event: &EventRef) -> Value {
    let text = format!("{} {}, record {}", event.event_time, event.event_name.raw(), event.record);
    json!({
        "physicalLocation": {"artifactLocation": {"uri": uri(event.object.raw())}},
        "message": {"text": plain(&text)},
        "properties": {"eventId": event.event_id, "record": event.record, "actor": event.actor},
    })
}

/// A plain text message: escapes brackets, which would be links, and braces, which would be placeholders.
fn plain(text: &str) -> String {
    let mut written = String::with_capacity(text.len() + 8);
    for letter in text.chars() {
        match letter {
            '[' | ']' | '\\' => written.extend(['\\', letter]),
            '{' | '}' => written.extend([letter, letter]),
            _ => written.push(letter),
        }
    }
    written
}

/// Characters that need no escape in a path (RFC 3986): letters, digits, `-._~`, and the separator.
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

/// A key or path as a URI reference.
fn uri(object: &str) -> String {
    let (scheme, path) = object.strip_prefix("s3://").map_or(("", object), |path| ("s3://", path));
    format!("{scheme}{}", utf8_percent_encode(path, PATH))
}

/// `same-tag-race` → `SameTagRace`.
fn pascal(word: &str) -> String {
    let part = |part: &str| {
        part.chars()
            .enumerate()
            .map(|(at, letter)| if at == 0 { letter.to_ascii_uppercase() } else { letter })
            .collect::<String>()
    };
    word.split('-').map(part).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_no_links_and_keys_are_uris() {
        assert_eq!(plain("[a](b) {0} \\"), "\\[a\\](b) {{0}} \\\\");
        assert_eq!(uri("s3://b/a b:é#3"), "s3://b/a%20b%3A%C3%A9%233");
        assert_eq!(pascal("same-tag-race"), "SameTagRace");
    }
}
