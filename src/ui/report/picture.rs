//! The picture of a finding: the image that lost its tag, the image that got it, what needed the image, and
//! the tag's way between the two.

mod axis;
mod frame;
mod lanes;
mod mini;
mod moments;
mod need;
mod scene;
pub(super) mod svg;
mod tall;
mod wide;

use maud::{Markup, html};

use crate::ui::html::shown;
use crate::ui::quantity::span;

pub use mini::{Shared, page as mini};
pub use scene::{Scene, shortened};

/// SVG patterns and signs that all pictures of the page share.
pub const PATTERNS: &str = include_str!("picture/patterns.svg");

/// Both drawings of the picture; the style sheet shows the one that fits the screen.
pub fn page(scene: &Scene) -> Markup {
    let told = told(scene);
    html! { figure class="story" { "\n" (wide::page(scene, &told)) (tall::page(scene, &told)) figcaption { (shown(&told)) } } "\n" }
}

/// The picture in words, for screen readers.
pub fn told(scene: &Scene) -> String {
    let mut parts = Vec::new();
    let mut before = None;
    for moment in scene.moments.iter().filter(|moment| !moment.words.is_empty()) {
        let later = before
            .map(|before| moment.at.seconds_since(before))
            .filter(|gap| *gap > 0 && !moment.words.contains(" later "));
        let later = later.map(|gap| format!("{} later ", span(gap))).unwrap_or_default();
        parts.push(if before.is_none() {
            format!("{}: {}", moment.at, moment.words)
        } else {
            format!("{later}{}", moment.words)
        });
        before = Some(moment.at);
    }
    parts.join(" → ")
}
