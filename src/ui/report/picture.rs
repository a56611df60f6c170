//! The picture of a finding: the image that lost, the image that won, who needed it, and the tag that fell from one to the other.

mod axis;
mod lanes;
mod mini;
mod moments;
mod need;
mod scene;
mod svg;
mod tall;
mod wide;

use std::io;

use crate::ui::html::Html;
use crate::ui::quantity::span;

pub use mini::{Shared, write as write_mini};
pub use scene::{Scene, shortened};

/// Patterns and signs that all pictures of the page use.
pub fn write_patterns(html: &mut Html<'_>) -> io::Result<()> {
    html.raw(include_str!("picture/patterns.svg")).map(|_| ())
}

/// Both drawings; the style sheet shows the one that fits.
pub fn write(html: &mut Html<'_>, scene: &Scene) -> io::Result<()> {
    let told = told(scene);
    html.raw("<figure class=\"story\">\n")?;
    wide::write(html, scene, &told)?;
    tall::write(html, scene, &told)?;
    html.raw("<figcaption>")?.text(&told)?.raw("</figcaption></figure>\n").map(|_| ())
}

/// The picture in words, for those who do not see it.
pub fn told(scene: &Scene) -> String {
    let mut parts = Vec::new();
    let mut before = None;
    for moment in scene.moments.iter().filter(|moment| !moment.words.is_empty()) {
        let later = before.map(|before| moment.at.seconds_since(before)).filter(|gap| *gap > 0 && !moment.words.contains(" later "));
        let later = later.map(|gap| format!("{} later ", span(gap))).unwrap_or_default();
        parts.push(if before.is_none() { format!("{}: {}", moment.at, moment.words) } else { format!("{later}{}", moment.words) });
        before = Some(moment.at);
    }
    parts.join(" → ")
}
