//! What was read, and what these logs cannot show.

use std::io;

use crate::model::Coverage;
use crate::ui::coverage::{beside, objects, period, records, repaired};
use crate::ui::html::Html;
use crate::ui::quantity::{bytes, count, counted};

/// How many failures and gaps the page lists.
const LISTED_MAX: usize = 200;

/// One sentence: how much, and from when to when.
pub fn read_text(coverage: &Coverage) -> String {
    let read = counted(coverage.objects_read, "object", "objects");
    let records = counted(coverage.records, "record", "records");
    match (coverage.first_event_time, coverage.last_event_time) {
        (Some(first), Some(last)) => format!("From {read} with {records}, {first} to {last}."),
        _ => format!("From {read} with {records}."),
    }
}

/// What weakens every statement of the page stands before all of them.
pub fn write_doubts(html: &mut Html<'_>, coverage: &Coverage) -> io::Result<()> {
    let mut doubts = Vec::new();
    if coverage.partial {
        doubts.push("The run ended before its time: what stands here is true, and not all.".to_owned());
    }
    if coverage.objects_failed > 0 || coverage.records_failed > 0 {
        let (objects, records) = (counted(coverage.objects_failed, "object", "objects"), counted(coverage.records_failed, "record", "records"));
        doubts.push(format!("Some evidence could not be read: {objects}, {records}. They are listed under “What was read”."));
    }
    if !coverage.omitted.is_empty() {
        let number = coverage.omitted.iter().map(|gap| gap.records).sum();
        doubts.push(format!("CloudTrail left out what {} say (over 100 KB).", counted(number, "record", "records")));
    }
    doubts.extend(coverage.warnings.iter().cloned());
    html.list("<section class=\"doubts\">\n<h2>What these logs cannot show</h2>\n<ul>\n", &doubts, |html, doubt| html.text(doubt).map(|_| ()))?;
    if !doubts.is_empty() {
        html.raw("</section>\n")?;
    }
    Ok(())
}

pub fn write(html: &mut Html<'_>, coverage: &Coverage) -> io::Result<()> {
    html.raw("<details class=\"part\"><summary><h2>What was read</h2></summary>\n<section id=\"evidence\">\n<dl>\n")?;
    html.item("Objects", |html| html.text(&objects(coverage)).map(|_| ()))?;
    html.item("Records", |html| html.text(&records(coverage)).map(|_| ()))?;
    for (name, said) in [("Beside them", beside(coverage)), ("Repaired", repaired(coverage))] {
        if let Some(said) = said {
            html.item(name, |html| html.text(&said).map(|_| ()))?;
        }
    }
    html.item("Period", |html| html.text(&period(coverage)).map(|_| ()))?;
    html.item("Size", |html| {
        html.text(&bytes(coverage.bytes_compressed))?.raw(" stored, ")?.text(&bytes(coverage.bytes_decompressed))?.raw(" of text").map(|_| ())
    })?;
    html.raw("</dl>\n")?;
    let shown = coverage.failures.get(..LISTED_MAX).unwrap_or(&coverage.failures);
    html.list("<h3>Not read</h3>\n<ul>\n", shown, |html, failure| {
        html.raw("<code>")?.log(&failure.object)?;
        if let Some(record) = failure.record {
            html.raw("#")?.value(record)?;
        }
        html.raw("</code>: ")?.text(&failure.reason).map(|_| ())
    })?;
    more(html, coverage.failures.len())?;
    let shown = coverage.omitted.get(..LISTED_MAX).unwrap_or(&coverage.omitted);
    html.list("<h3>Left out by CloudTrail</h3>\n<ul>\n", shown, |html, gap| {
        html.raw("<code>")?.log(&gap.repository.name)?.raw("</code>: ")?.text(&counted(gap.records, "record", "records")).map(|_| ())
    })?;
    more(html, coverage.omitted.len())?;
    html.raw("</section></details>\n")?;
    Ok(())
}

fn more(html: &mut Html<'_>, number: usize) -> io::Result<()> {
    if let Some(rest @ 1..) = number.checked_sub(LISTED_MAX) {
        html.raw("<p>and ")?.text(&count(rest as u64))?.raw(" more: <code>tagfall detect --format json</code> lists them all</p>\n")?;
    }
    Ok(())
}
