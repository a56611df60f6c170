//! Every repository: its images by state, and its lifecycle policy.

use maud::{Markup, html};

use crate::model::{EventRef, ImageState, Repository, Severity};
use crate::ui::html::{part, value, wide};
use crate::ui::quantity::count;

/// Maximum number of repositories that get a row.
const ROWS_MAX: usize = 5_000;

/// One repository at the end of the logs.
#[derive(Debug, Clone)]
pub struct RepositoryLine {
    pub repository: Repository,
    /// Images by state, in the order of [`ImageState::ALL`].
    pub images: [u64; ImageState::ALL.len()],
    /// Findings by severity, in the order of [`Severity::ALL`].
    pub findings: [u64; Severity::ALL.len()],
    pub policy: PolicyKnown,
    /// The last lifecycle run, and the number of runs.
    pub last_run: Option<EventRef>,
    pub runs: u64,
}

/// What the logs say about a lifecycle policy.
#[derive(Debug, Clone)]
pub enum PolicyKnown {
    /// Put by this event.
    Put(EventRef),
    /// Stated by this run; it was put before the logs.
    Stated(EventRef),
    /// Deleted by this event, and none was put since.
    Deleted(EventRef),
    /// None of these: there may still be a policy.
    Unknown,
}

pub fn page(lines: &[RepositoryLine]) -> Markup {
    let head = html! {
        tr {
            th scope="col" { "repository" }
            @for state in ImageState::ALL { th scope="col" class="number" { (state.word()) } }
            th scope="col" { "findings" } th scope="col" { "lifecycle policy" } th scope="col" { "last run" }
        }
    };
    let rows = html! { @for line in lines.iter().take(ROWS_MAX) { (row(line)) "\n" } };
    let content = html! {
        (wide(&html! { table { thead { (head) } "\n" tbody { "\n" (rows) } } }))
        @if let Some(rest @ 1..) = lines.len().checked_sub(ROWS_MAX) {
            p { "and " (count(rest as u64)) " more: " code { "tagfall timeline --format csv" } " has the images of all" }
        }
    };
    part("repositories", "Repositories", &content)
}

fn row(line: &RepositoryLine) -> Markup {
    let Repository { registry_id, region, name } = &line.repository;
    let findings = Severity::ALL.iter().zip(&line.findings).filter(|(_, number)| **number > 0);
    html! {
        tr {
            th scope="row" { code { (name) } br; small { (registry_id) ", " (region) } }
            @for number in &line.images { td class="number" { (count(*number)) } }
            td {
                @for (severity, number) in findings { span class={ "severity " (severity.word()) } { (count(*number)) " " (severity.word()) } " " }
            }
            td {
                @match &line.policy {
                    PolicyKnown::Put(event) => { "put " (value(event.event_time)) }
                    PolicyKnown::Stated(event) => { "stated by the run of " (value(event.event_time)) }
                    PolicyKnown::Deleted(event) => { "deleted " (value(event.event_time)) }
                    PolicyKnown::Unknown => "not in these logs",
                }
            }
            td {
                @match &line.last_run {
                    Some(event) => { (value(event.event_time)) br; small { (count(line.runs)) " in all" } }
                    None => "none",
                }
            }
        }
    }
}
