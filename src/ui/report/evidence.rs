//! What was read, and what these logs cannot show.

use maud::{Markup, html};

use crate::model::Coverage;
use crate::ui::coverage::{beside, objects, period, records, repaired};
use crate::ui::html::{item, list, part, shown};
use crate::ui::quantity::{bytes, count, counted};

/// Maximum number of failures and gaps that a page lists.
const LISTED_MAX: usize = 200;

/// One sentence: how much was read, from when to when.
pub fn read_text(coverage: &Coverage) -> String {
    let read = counted(coverage.objects_read, "object", "objects");
    let records = counted(coverage.records, "record", "records");
    match (coverage.first_event_time, coverage.last_event_time) {
        (Some(first), Some(last)) => format!("From {read} with {records}, {first} to {last}."),
        _ => format!("From {read} with {records}."),
    }
}

/// What weakens all statements of the page; comes before all of them.
pub fn doubts(coverage: &Coverage) -> Markup {
    let mut doubts = Vec::new();
    if coverage.partial {
        doubts.push("The run ended before its time: what stands here is true, and not all.".to_owned());
    }
    if coverage.objects_failed > 0 || coverage.records_failed > 0 {
        let (objects, records) = (
            counted(coverage.objects_failed, "object", "objects"),
            counted(coverage.records_failed, "record", "records"),
        );
        doubts.push(format!(
            "Some evidence could not be read: {objects}, {records}. They are listed under “What was read”."
        ));
    }
    if !coverage.omitted.is_empty() {
        let number = coverage.omitted.iter().map(|gap| gap.records).sum();
        doubts.push(format!(
            "CloudTrail left out what {} say (over 100 KB).",
            counted(number, "record", "records")
        ));
    }
    doubts.extend(coverage.warnings.iter().cloned());
    html! {
        @if !doubts.is_empty() {
            section class="doubts" {
                h2 { "What these logs cannot show" }
                ul { @for doubt in &doubts { li { (shown(doubt)) } "\n" } }
            }
            "\n"
        }
    }
}

pub fn page(coverage: &Coverage) -> Markup {
    let size = html! { (bytes(coverage.bytes_compressed)) " stored, " (bytes(coverage.bytes_decompressed)) " of text" };
    let failures = coverage.failures.get(..LISTED_MAX).unwrap_or(&coverage.failures);
    let omitted = coverage.omitted.get(..LISTED_MAX).unwrap_or(&coverage.omitted);
    let content = html! {
        dl {
            (item("Objects", &html! { (objects(coverage)) }))
            (item("Records", &html! { (records(coverage)) }))
            @for (name, said) in [("Beside them", beside(coverage)), ("Repaired", repaired(coverage))] {
                @if let Some(said) = said { (item(name, &html! { (said) })) }
            }
            (item("Period", &html! { (period(coverage)) }))
            (item("Size", &size))
        }
        (list("Not read", "", failures, |failure| html! {
            code { (failure.object) @if let Some(record) = failure.record { "#" (record) } } ": " (shown(&failure.reason))
        }))
        (more(coverage.failures.len()))
        (list("Left out by CloudTrail", "", omitted, |gap| html! { code { (gap.repository.name) } ": " (counted(gap.records, "record", "records")) }))
        (more(coverage.omitted.len()))
    };
    part("evidence", "What was read", &content)
}

fn more(number: usize) -> Markup {
    html! {
        @if let Some(rest @ 1..) = number.checked_sub(LISTED_MAX) {
            p { "and " (count(rest as u64)) " more: " code { "tagfall detect --format json" } " lists them all" }
        }
    }
}
