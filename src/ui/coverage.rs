//! What was read, in a few lines at the top of every page.

mod snapshots;

use std::io;

use super::escape::Escape;
use super::page::Page;
use super::quantity::{bytes, count, counted};
use crate::model::{Coverage, Gap, ReadFailure};

/// Maximum number of failures and gaps that a page lists; the JSON document has them all.
const LISTED_MAX: usize = 20;

/// What was read and what was not.
pub fn write(page: &mut Page<'_>, coverage: &Coverage) -> io::Result<()> {
    write_of(page, coverage, IMAGES)
}

/// The same for runs that look for something else than images; `what` describes the records that were
/// relevant.
pub fn write_of(page: &mut Page<'_>, coverage: &Coverage, what: &str) -> io::Result<()> {
    write_summary(page, coverage, what)?;
    write_failures(page, coverage)?;
    write_notes(page, coverage)?;
    page.blank()
}

/// The same without the objects that could not be read, for pages that list these at the end: there may be
/// many.
pub fn write_head(page: &mut Page<'_>, coverage: &Coverage) -> io::Result<()> {
    write_summary(page, coverage, IMAGES)?;
    write_notes(page, coverage)?;
    page.blank()
}

/// The same as sentences, for pages other than a terminal's; without the objects that could not be read.
pub fn lines(coverage: &Coverage) -> Vec<String> {
    let mut lines = vec![format!("{}; {}", objects(coverage), records(coverage))];
    lines.extend([beside(coverage), repaired(coverage)].into_iter().flatten());
    lines.push(format!("Period: {}", period(coverage)));
    if coverage.partial {
        lines.push(PARTIAL.to_owned());
    }
    lines.extend(coverage.omitted.iter().take(LISTED_MAX).map(left_out));
    if let Some(more @ 1..) = coverage.omitted.len().checked_sub(LISTED_MAX) {
        lines.push(format!("and {} more repositories with such records", count(more as u64)));
    }
    lines.extend(coverage.warnings.iter().cloned());
    lines
}

const PARTIAL: &str = "the run ended before its time; what follows is true, and not all";

fn left_out(gap: &Gap) -> String {
    let records = counted(gap.records, "record", "records");
    format!(
        "{records} of {}: CloudTrail left out what they say (over 100 KB)",
        gap.repository.name.for_terminal()
    )
}

fn write_summary(page: &mut Page<'_>, coverage: &Coverage, what: &str) -> io::Result<()> {
    page.item(0, "Read", &objects(coverage))?;
    page.item(0, "", &records_of(coverage, what))?;
    for line in [beside(coverage), repaired(coverage)].iter().flatten() {
        page.item(0, "", line)?;
    }
    page.item(0, "Period", &period(coverage))?;
    if coverage.partial {
        page.item(0, "Partial", PARTIAL)?;
    }
    Ok(())
}

/// Objects that could not be read, a line each.
pub fn write_failures(page: &mut Page<'_>, coverage: &Coverage) -> io::Result<()> {
    let objects: Vec<&[ReadFailure]> =
        coverage.failures.chunk_by(|one, other| one.object == other.object).collect();
    for failures in objects.iter().take(LISTED_MAX) {
        let Some(first) = failures.first() else { continue };
        let more = match failures.len() - 1 {
            0 => String::new(),
            more => format!(" (and {} in it)", counted(more as u64, "failure more", "failures more")),
        };
        page.item(0, "Not read", &format!("{}{more}", describe(first)))?;
    }
    more(page, objects.len())
}

/// What limits everything below: content that is missing from the logs, and what the logs cannot show.
fn write_notes(page: &mut Page<'_>, coverage: &Coverage) -> io::Result<()> {
    for gap in coverage.omitted.iter().take(LISTED_MAX) {
        page.item(0, "Left out", &left_out(gap))?;
    }
    more(page, coverage.omitted.len())?;
    snapshots::write(page, coverage)?;
    coverage.warnings.iter().try_for_each(|warning| page.item(0, "Note", warning))
}

/// An object that could not be read, or a record of it, and why.
pub fn describe(failure: &ReadFailure) -> String {
    let record = failure.record.map(|record| format!("#{record}")).unwrap_or_default();
    format!("{}{record}: {}", failure.object.for_terminal(), failure.reason)
}

fn more(page: &mut Page<'_>, number: usize) -> io::Result<()> {
    match number.checked_sub(LISTED_MAX) {
        None | Some(0) => Ok(()),
        Some(rest) => {
            page.item(0, "", &format!("and {} more: --format json lists them all", count(rest as u64)))
        }
    }
}

pub(super) fn objects(coverage: &Coverage) -> String {
    let mut text = format!(
        "{} of {}",
        count(coverage.objects_read),
        counted(coverage.objects_listed, "object", "objects")
    );
    let numbers = [
        (coverage.objects_skipped, "of another kind skipped"),
        (coverage.objects_failed, "failed"),
        (coverage.objects_left_out, "more left out by name"),
    ];
    for (number, word) in numbers {
        if number > 0 {
            text.push_str(&format!(", {} {word}", count(number)));
        }
    }
    text.push_str(&format!("; {}", bytes(coverage.bytes_compressed)));
    if coverage.bytes_decompressed != coverage.bytes_compressed {
        text.push_str(&format!(", {} inflated", bytes(coverage.bytes_decompressed)));
    }
    text
}

pub(super) fn records(coverage: &Coverage) -> String {
    records_of(coverage, IMAGES)
}

const IMAGES: &str = "about images";

fn records_of(coverage: &Coverage, what: &str) -> String {
    let mut text = format!(
        "{}, {} {what}",
        counted(coverage.records, "record", "records"),
        count(coverage.records_relevant)
    );
    for (number, words) in
        [(coverage.records_duplicate, "delivered twice"), (coverage.records_failed, "not understood")]
    {
        if number > 0 {
            text.push_str(&format!(", {} {words}", count(number)));
        }
    }
    text
}

/// What was read besides records; `None` if there is nothing.
pub(super) fn beside(coverage: &Coverage) -> Option<String> {
    let (events, lines) = (coverage.records_skipped, coverage.lines_skipped);
    let events = (events > 0).then(|| counted(events, "event of another kind", "events of another kind"));
    let lines = (lines > 0).then(|| counted(lines, "line that is no event", "lines that are no events"));
    let parts: Vec<String> = events.into_iter().chain(lines).collect();
    (!parts.is_empty()).then(|| format!("beside them {}", parts.join(", ")))
}

/// What was repaired, by kind; `None` if nothing was.
pub(super) fn repaired(coverage: &Coverage) -> Option<String> {
    let repairs = &coverage.records_repaired;
    let words = |kind| match kind {
        "json_text" => "JSON as text",
        "null_word" => "words for nothing",
        "time" => "times in another form",
        "time_without_zone" => "times without a zone, taken as UTC",
        "key" => "names in another spelling",
        "value" => "numbers and flags in another form",
        "list" => "lists in place of one value",
        "character" => "half a character",
        _ => "without an eventID of their own",
    };
    let kinds: Vec<String> = repairs
        .kinds()
        .iter()
        .filter(|(_, number)| *number > 0)
        .map(|(kind, number)| format!("{} {}", count(*number), words(*kind)))
        .collect();
    (repairs.records > 0).then(|| {
        format!("{} of them not as CloudTrail writes them: {}", count(repairs.records), kinds.join(", "))
    })
}

pub(super) fn period(coverage: &Coverage) -> String {
    match (coverage.first_event_time, coverage.last_event_time) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "no event with a time".to_owned(),
    }
}
