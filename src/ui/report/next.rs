//! Who is next: what the policies in force will take, and which of it somebody still needs.

use std::io;

use crate::model::{Forecast, Timestamp};
use crate::ui::html::Html;
use crate::ui::quantity::{count, counted};

/// How many images have a row.
pub const ROWS_MAX: usize = 200;

/// What lifecycle runs will take, as of the end of the evidence.
pub struct Next {
    pub as_of: Timestamp,
    /// Images that a run will take, with a date or at the next run.
    pub images: u64,
    /// Of these, images that somebody needs.
    pub needed: u64,
    /// Repositories whose policy is not known.
    pub unknown: u64,
    /// The first [`ROWS_MAX`] of them: what somebody needs, and then the rest; the most urgent first.
    pub rows: Vec<Forecast>,
}

pub fn write(html: &mut Html<'_>, next: &Next) -> io::Result<()> {
    html.raw("<details class=\"part\"><summary><h2>Who is next</h2></summary>\n<section id=\"next\">\n<p>")?.text(&told(next))?.raw("</p>\n")?;
    if !next.rows.is_empty() {
        html.raw("<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">from</th><th scope=\"col\">image</th><th scope=\"col\">digest</th>")?;
        html.raw("<th scope=\"col\">taken by</th><th scope=\"col\">needed by</th></tr></thead>\n<tbody>\n")?;
        next.rows.iter().try_for_each(|forecast| write_row(html, next.as_of, forecast))?;
        html.raw("</tbody></table></div>\n")?;
    }
    if let Some(rest @ 1..) = next.images.checked_sub(next.rows.len() as u64) {
        html.raw("<p>and ")?.text(&count(rest))?.raw(" more: <code>tagfall forecast</code> lists them all</p>\n")?;
    }
    html.raw("</section></details>\n")?;
    Ok(())
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

fn write_row(html: &mut Html<'_>, as_of: Timestamp, forecast: &Forecast) -> io::Result<()> {
    html.raw("<tr><td>")?;
    match forecast.eligible_at {
        Some(time) if time > as_of => html.value(time)?,
        _ => html.raw("the next run")?,
    };
    html.raw("</td><td><code>")?.log(&forecast.repository.name)?;
    if let Some(tag) = forecast.tags.first().or(forecast.displaced_tag.as_ref()) {
        html.raw(":")?.log(tag)?;
    }
    html.raw("</code>")?;
    if forecast.displaced {
        html.raw("<br><small>lost that tag to another push</small>")?;
    }
    html.raw("</td><td><code>")?.text(&forecast.digest.short())?.raw("</code></td><td>")?;
    if let Some(priority) = forecast.rule_priority {
        html.raw("rule ")?.value(priority)?;
    }
    if let Some(action) = forecast.action {
        html.raw(", ")?.raw(action.word())?;
    }
    html.raw("</td><td>")?;
    match forecast.severity {
        Some(severity) => html.raw("<span class=\"severity ")?.raw(severity.word())?.raw("\">")?.raw(severity.word())?.raw("</span> ")?,
        None => html.raw("nobody, as far as the logs show")?,
    };
    for (n, why) in forecast.why.iter().enumerate() {
        html.raw(if n == 0 { "" } else { " " })?.text(why)?;
    }
    html.raw("</td></tr>\n")?;
    Ok(())
}
