//! The output of `trace`: a tree of sessions, and their calls in order of time.

use std::collections::BTreeSet;
use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::event_text;
use super::format::{Cell, Format, Look, Rows, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::{count, counted};
use crate::model::{Coverage, Joined, LogText, Origin, OriginKind, Trace, TraceCall, TraceSession};

/// Maximum numbers of sessions and of lines with calls on a page; the JSON document has all.
const SESSIONS_MAX: usize = 100;
const LINES_MAX: usize = 200;
/// Maximum depth of indentation.
const DEPTH_MAX: u64 = 8;
/// Maximum number of keys, and of addresses, of a session on a page.
const LISTED_MAX: usize = 6;

/// What rows and lines contain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Each {
    Session,
    Call,
}

/// Writes who was behind what was asked for.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    coverage: &Coverage,
    trace: &Trace,
    each: Each,
) -> io::Result<()> {
    match (look.format, each) {
        (Format::Table, _) => write_page(&mut Page::new(out, look.columns), coverage, trace),
        (Format::Json, _) => write_document(out, "trace", coverage, Body { trace }),
        (Format::Ndjson, Each::Session) => {
            trace.sessions.iter().try_for_each(|session| write_line(out, session))
        }
        (Format::Ndjson, Each::Call) => trace.calls.iter().try_for_each(|call| write_line(out, call)),
        (Format::Csv, Each::Session) => {
            Rows::write(out, SESSION_COLUMNS, trace.sessions.iter().map(session_cells))
        }
        (Format::Csv, Each::Call) => {
            Rows::write(out, CALL_COLUMNS, trace.calls.iter().map(|call| call_cells(trace, call)))
        }
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    trace: &'a Trace,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, trace: &Trace) -> io::Result<()> {
    coverage::write_of(page, coverage, "of these sessions")?;
    let found = match trace.matches.as_slice() {
        [_] => "one session".to_owned(),
        several => format!("{} sessions", count(several.len() as u64)),
    };
    page.item(
        0,
        "Asked for",
        &format!(
            "{}, a{} {}: {found}",
            trace.reference.for_terminal(),
            if trace.asked.word().starts_with('a') { "n" } else { "" },
            trace.asked.word()
        ),
    )?;
    for origin in behind(trace).iter().take(LISTED_MAX) {
        page.item(0, "Behind it", origin)?;
    }
    for session in trace.sessions.iter().take(SESSIONS_MAX) {
        write_session(page, session)?;
    }
    if let Some(more @ 1..) = trace.sessions.len().checked_sub(SESSIONS_MAX) {
        page.blank()?;
        page.line(&format!(
            "and {}; --format json has them all",
            counted(more as u64, "more session", "more sessions")
        ))?;
    }
    write_calls(page, trace)
}

/// The roots of the sessions that were asked for, each once, in the order of the sessions.
fn behind(trace: &Trace) -> Vec<String> {
    let mut all = Vec::new();
    // A root comes before all sessions below it.
    let mut root = None;
    for session in &trace.sessions {
        root = session.origin.as_ref().or(root);
        let told = root.filter(|_| session.asked).map(origin);
        all.extend(told.filter(|told| !all.contains(told)));
    }
    all
}

/// `pipeline: GitHub Actions, repository acme/shop`.
fn origin(origin: &Origin) -> String {
    match origin.kind {
        // An unknown origin's name already says so.
        OriginKind::Unknown => origin.name.for_terminal().to_string(),
        kind => format!("{}: {}", kind.word(), origin.name.for_terminal()),
    }
}

fn write_session(page: &mut Page<'_>, session: &TraceSession) -> io::Result<()> {
    let indent = 2 * session.depth.min(DEPTH_MAX) as usize;
    page.blank()?;
    let asked = if session.asked { " (asked for)" } else { "" };
    page.point(indent, &format!("{}. ", session.number), &format!("{}{asked}", title(session)))?;
    let inside = indent + 3;
    if let Some(from) = session.origin.as_ref() {
        page.item(inside, "from", &origin(from))?;
    }
    if let Some(issued) = &session.issued {
        let parent = session.parent.map(|parent| format!(", in session {parent}")).unwrap_or_default();
        page.item(inside, "begun by", &format!("{}{parent}", event_text(&issued.event)))?;
        let copies =
            issued.copies.iter().map(|copy| format!("{}#{}", copy.object.for_terminal(), copy.record));
        copies.into_iter().take(LISTED_MAX).try_for_each(|copy| page.item(inside, "also in", &copy))?;
        let subject = issued.subject.as_ref().map(|subject| subject.for_terminal());
        subject.map_or(Ok(()), |subject| page.item(inside, "subject", &subject))?;
        if !issued.tags.is_empty() {
            page.item(inside, "tags", &listed(&issued.tags))?;
        }
    } else if let Some(created_at) = session.created_at {
        page.item(inside, "begun", &created_at.to_string())?;
    }
    if !session.keys.is_empty() {
        let end = session
            .issued
            .as_ref()
            .and_then(|issued| issued.expires_at)
            .map(|end| format!(", until {end}"))
            .unwrap_or_default();
        page.item(inside, "key", &format!("{}{end}", listed(&session.keys)))?;
    }
    for (label, text) in [
        ("for", &session.issued_to),
        ("in the name of", &session.on_behalf_of),
        ("source identity", &session.source_identity),
    ] {
        text.as_ref()
            .map_or(Ok(()), |text| page.item(inside, label, &format!(" {}", text.for_terminal())))?;
    }
    page.item(inside, "calls", &calls_text(session))?;
    if let Some(joined @ (Joined::Inferred | Joined::Ambiguous)) = session.joined {
        page.item(
            inside,
            "joined",
            &format!("{}: by role, session name and beginning, not by key", joined.word()),
        )?;
    }
    session.gaps.iter().try_for_each(|gap| page.item(inside, "gap", &gap.text.for_terminal()))
}

/// The ARN of the session or of the user, or another name for it.
fn title(session: &TraceSession) -> String {
    if let (None, Some(role), Some(name)) = (&session.principal, &session.role, &session.session_name) {
        return format!("{} of {}", name.for_terminal(), role.for_terminal());
    }
    session.name().map_or_else(
        || "a session of which nothing is known".to_owned(),
        |text| text.for_terminal().into_owned(),
    )
}

fn calls_text(session: &TraceSession) -> String {
    let (Some(first), Some(last)) = (session.first_call, session.last_call) else {
        return "none in these logs".to_owned();
    };
    let mut text = format!("{}, {} of them change something", count(session.calls), count(session.writes));
    if session.failed > 0 {
        text.push_str(&format!(", {} failed", count(session.failed)));
    }
    text.push_str(&if first == last { format!("; at {first}") } else { format!("; {first} to {last}") });
    if !session.addresses.is_empty() {
        text.push_str(&format!("; from {}", listed(&session.addresses)));
    }
    text
}

fn listed(texts: &[LogText]) -> String {
    let mut shown: Vec<String> =
        texts.iter().take(LISTED_MAX).map(|text| text.for_terminal().into_owned()).collect();
    if let Some(more @ 1..) = texts.len().checked_sub(LISTED_MAX) {
        shown.push(format!("and {} more", count(more as u64)));
    }
    shown.join(", ")
}

fn write_calls(page: &mut Page<'_>, trace: &Trace) -> io::Result<()> {
    page.blank()?;
    let left_out = match trace.calls_left_out {
        0 => String::new(),
        number => format!(" ({} left out by the options)", counted(number, "call", "calls")),
    };
    page.line(&format!(
        "{} in order of time{left_out}:",
        counted(trace.calls.len() as u64, "call", "calls")
    ))?;
    let near = near(trace);
    let is_far =
        |call: &TraceCall| call.began.is_none() && call.session.is_some_and(|number| !near.contains(&number));
    let runs: Vec<&[TraceCall]> = trace
        .calls
        .chunk_by(|call, other| {
            repeats(call, other) || is_far(call) && is_far(other) && call.session == other.session
        })
        .collect();
    for run in runs.iter().take(LINES_MAX) {
        run.first().map_or(Ok(()), |call| page.point(2, "", &call_text(call, run)))?;
    }
    if let Some(more @ 1..) = runs.len().checked_sub(LINES_MAX) {
        page.line(&format!(
            "and {}; --format json has them all, and csv with --calls",
            counted(more as u64, "more line", "more lines")
        ))?;
    }
    Ok(())
}

/// The sessions that were asked for, and those below them. For sessions above them, other calls are only
/// summarised.
fn near(trace: &Trace) -> BTreeSet<u64> {
    let mut near = BTreeSet::new();
    for session in &trace.sessions {
        if session.asked || session.parent.is_some_and(|parent| near.contains(&parent)) {
            near.insert(session.number);
        }
    }
    near
}

/// Whether `other` merely repeats `call`.
fn repeats(call: &TraceCall, other: &TraceCall) -> bool {
    let same = (call.session, call.joined, &call.event.event_name, &call.event_source, &call.error_code)
        == (other.session, other.joined, &other.event.event_name, &other.event_source, &other.error_code);
    same && call.began.is_none() && other.began.is_none()
}

/// `2026-03-01T10:00:00Z [2] ecr.amazonaws.com PutImage, 3 times until …, in KEY#3`.
fn call_text(call: &TraceCall, run: &[TraceCall]) -> String {
    let mut text = call.event.event_time.to_string();
    text.push_str(&call.session.map_or_else(|| " [-]".to_owned(), |number| format!(" [{number}]")));
    if !run.iter().all(|other| std::ptr::eq(call, other) || repeats(call, other)) {
        let last = run.last().map(|last| format!(" until {}", last.event.event_time)).unwrap_or_default();
        return text + &format!(" {}{last}", counted(run.len() as u64, "other call", "other calls"));
    }
    text.push_str(&format!(" {} {}", call.event_source.for_terminal(), call.event.event_name.for_terminal()));
    if let (Some(last), true) = (run.last(), run.len() > 1) {
        text.push_str(&format!(", {} times until {}", count(run.len() as u64), last.event.event_time));
    }
    if let Some(code) = &call.error_code {
        text.push_str(&format!(", failed with {}", code.for_terminal()));
    }
    if let Some(number) = call.began {
        text.push_str(&format!(", begins session {number}"));
    }
    if let Some(joined @ (Joined::Inferred | Joined::Ambiguous)) = call.joined {
        text.push_str(&format!(" ({})", joined.word()));
    }
    text + &format!(" in {}#{}", call.event.object.for_terminal(), call.event.record)
}

const SESSION_COLUMNS: &[&str] = &[
    "number",
    "parent",
    "depth",
    "asked",
    "joined",
    "origin_kind",
    "origin",
    "principal",
    "principal_id",
    "role",
    "session_name",
    "account",
    "keys",
    "issued_by",
    "issued_at",
    "issued_in",
    "expires_at",
    "provider",
    "subject",
    "source_identity",
    "calls",
    "writes",
    "failed",
    "first_call",
    "last_call",
    "addresses",
    "gaps",
];

fn texts(texts: &[LogText]) -> Cell {
    Cell::list(texts.iter().map(LogText::raw))
}

fn session_cells(session: &TraceSession) -> Vec<Cell> {
    let issued = session.issued.as_ref();
    let log = |text: Option<&LogText>| Cell::maybe(text, Cell::log);
    vec![
        Cell::plain(session.number),
        Cell::maybe(session.parent, Cell::plain),
        Cell::plain(session.depth),
        Cell::plain(session.asked),
        Cell::maybe(session.joined, |joined| Cell::plain(joined.word())),
        Cell::maybe(session.origin.as_ref(), |origin| Cell::plain(origin.kind.word())),
        log(session.origin.as_ref().map(|origin| &origin.name)),
        log(session.principal.as_ref()),
        log(session.principal_id.as_ref()),
        log(session.role.as_ref()),
        log(session.session_name.as_ref()),
        log(session.account.as_ref()),
        texts(&session.keys),
        log(issued.map(|issued| &issued.event.event_name)),
        Cell::maybe(issued, |issued| Cell::plain(issued.event.event_time)),
        Cell::maybe(issued, |issued| {
            Cell::text(format!("{}#{}", issued.event.object.raw(), issued.event.record))
        }),
        Cell::maybe(issued.and_then(|issued| issued.expires_at), Cell::plain),
        log(issued.and_then(|issued| issued.provider.as_ref())),
        log(issued.and_then(|issued| issued.subject.as_ref())),
        log(session.source_identity.as_ref()),
        Cell::plain(session.calls),
        Cell::plain(session.writes),
        Cell::plain(session.failed),
        Cell::maybe(session.first_call, Cell::plain),
        Cell::maybe(session.last_call, Cell::plain),
        texts(&session.addresses),
        Cell::list(session.gaps.iter().map(|gap| gap.text.as_str())),
    ]
}

const CALL_COLUMNS: &[&str] = &[
    "time",
    "session",
    "principal",
    "joined",
    "began",
    "event_source",
    "event_name",
    "error_code",
    "read_only",
    "account",
    "region",
    "source_ip",
    "user_agent",
    "event_id",
    "object",
    "record",
];

fn call_cells(trace: &Trace, call: &TraceCall) -> Vec<Cell> {
    let session = call.session.and_then(|number| trace.session(number));
    let log = |text: Option<&LogText>| Cell::maybe(text, Cell::log);
    vec![
        Cell::plain(call.event.event_time),
        Cell::maybe(call.session, Cell::plain),
        log(session.and_then(|session| session.principal.as_ref()).or(call.event.actor.as_ref())),
        Cell::maybe(call.joined, |joined| Cell::plain(joined.word())),
        Cell::maybe(call.began, Cell::plain),
        Cell::log(&call.event_source),
        Cell::log(&call.event.event_name),
        log(call.error_code.as_ref()),
        Cell::maybe(call.read_only, Cell::plain),
        Cell::log(&call.account),
        Cell::log(&call.region),
        log(call.event.source_ip.as_ref()),
        log(call.event.user_agent.as_ref()),
        Cell::log(&call.event.event_id),
        Cell::log(&call.event.object),
        Cell::plain(call.event.record),
    ]
}
