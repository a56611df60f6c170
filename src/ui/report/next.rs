//! What the policies in force will take next, and which of it somebody still needs.

use maud::{Markup, html};

use crate::model::{Forecast, Timestamp};
use crate::ui::html::{part, shown, table, value};
use crate::ui::quantity::{count, counted};

/// Maximum number of images that get a row.
pub const ROWS_MAX: usize = 200;

/// What lifecycle runs will take, as of the end of the evidence.
pub struct Next {
    pub as_of: Timestamp,
    /// Number of images that a run will take, on a known date or at the next run.
    pub images: u64,
    /// How many of these somebody needs.
    pub needed: u64,
    /// Number of repositories whose policy is not known.
    pub unknown: u64,
    /// The first [`ROWS_MAX`] images: those that somebody needs, then the others; the most urgent first.
    pub rows: Vec<Forecast>,
}

pub fn page(next: &Next) -> Markup {
    let rows = html! { @for forecast in &next.rows { (row(next.as_of, forecast)) } };
    let content = html! {
        p { (told(next)) }
        @if !next.rows.is_empty() { (table(&["from", "image", "digest", "taken by", "needed by"], &rows)) }
        @if let Some(rest @ 1..) = next.images.checked_sub(next.rows.len() as u64) {
            p { "and " (count(rest)) " more: " code { "tagfall forecast" } " lists them all" }
        }
    };
    part("next", "Who is next", &content)
}

fn told(next: &Next) -> String {
    let images = counted(next.images, "image", "images");
    let mut text = format!(
        "As things stand at {}, the lifecycle policies in force will take {images}, {} of which somebody needs.",
        next.as_of,
        count(next.needed)
    );
    if next.unknown > 0 {
        let unknown = counted(next.unknown, "repository", "repositories");
        text.push_str(&format!(" The policy of {unknown} is not in these logs: what it takes is not known."));
    }
    text
}

fn row(as_of: Timestamp, forecast: &Forecast) -> Markup {
    let tag = forecast.tags.first().or(forecast.displaced_tag.as_ref());
    html! {
        tr {
            td { @match forecast.eligible_at { Some(time) if time > as_of => (value(time)), _ => "the next run" } }
            td {
                code { (forecast.repository.name) @if let Some(tag) = tag { ":" (tag) } }
                @if forecast.displaced { br; small { "lost that tag to another push" } }
            }
            td { code { (forecast.digest.short()) } }
            td {
                @if let Some(priority) = forecast.rule_priority { "rule " (priority) }
                @if let Some(action) = forecast.action { ", " (action.word()) }
            }
            td {
                @match forecast.severity {
                    Some(severity) => { span class={ "severity " (severity.word()) } { (severity.word()) } " " }
                    None => "nobody, as far as the logs show",
                }
                (shown(forecast.why.join(" ")))
            }
        }
        "\n"
    }
}
