//! The SVG elements of pictures. How they look (colour, pattern, width) is defined in the style sheet
//! alone.

use maud::{Markup, html};

use super::axis::Axis;
use crate::model::Timestamp;
use crate::ui::html::shown;

/// How a text is aligned to its position.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// The approximate width of a text; labels that do not fit are put elsewhere.
pub fn width_of(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX / 8).saturating_mul(13) / 2
}

/// A whole drawing; `told` is its description for screen readers.
pub fn drawing(class: &str, (width, height): (i64, i64), told: &str, marks: &Markup) -> Markup {
    let size = format!("0 0 {width} {height}");
    html! { svg class={ "picture " (class) } viewBox=(size) role="img" aria-label=(shown(told)) { "\n" (marks) } }
}

/// The tooltip of an element.
fn titled(title: &str) -> Markup {
    html! { @if !title.is_empty() { title { (shown(title)) } } }
}

pub fn rect(class: &str, (x, y): (i64, i64), (width, height): (i64, i64), title: &str) -> Markup {
    if width <= 0 || height <= 0 {
        return html! {};
    }
    html! { rect class=(class) x=(x) y=(y) width=(width) height=(height) { (titled(title)) } "\n" }
}

pub fn line(class: &str, (x1, y1): (i64, i64), (x2, y2): (i64, i64), title: &str) -> Markup {
    html! { line class=(class) x1=(x1) y1=(y1) x2=(x2) y2=(y2) { (titled(title)) } "\n" }
}

/// A path made by this program of letters and numbers.
pub fn path(class: &str, path: &str) -> Markup {
    html! { @if !path.is_empty() { path class=(class) d=(path) {} "\n" } }
}

/// A sign from the page's common set.
pub fn sign(id: &str, (x, y): (i64, i64), title: &str) -> Markup {
    html! { use href={ "#" (id) } class="sign" x=(x) y=(y) { (titled(title)) } "\n" }
}

pub fn text(class: &str, (x, y): (i64, i64), anchor: Anchor, text: &str) -> Markup {
    let anchored = match anchor {
        Anchor::Start => None,
        Anchor::Middle => Some("middle"),
        Anchor::End => Some("end"),
    };
    html! { @if !text.is_empty() { text class=(class) x=(x) y=(y) text-anchor=[anchored] { (shown(text)) } "\n" } }
}

/// Vertical lines at the positions of `times`, as one path; lines that would coincide are drawn once.
pub fn lines(axis: &Axis, times: &[Timestamp], top: i64, bottom: i64) -> String {
    let mut path = String::new();
    let mut last = i64::MIN;
    for x in times.iter().map(|time| axis.place(*time)) {
        if x.saturating_sub(last) > 2 {
            path.push_str(&format!("M{x} {top}V{bottom}"));
            last = x;
        }
    }
    path
}

/// Breaks a text into lines of at most `chars_max` characters, at spaces where there are any; what does not
/// fit into `lines_max` is cut.
pub fn wrapped(text: &str, chars_max: usize, lines_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split(' ').flat_map(|word| pieces(word, chars_max)) {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > chars_max {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(&word);
    }
    lines.push(line);
    if lines.len() > lines_max {
        lines.truncate(lines_max);
        if let Some(last) = lines.last_mut() {
            let kept: String = last.chars().take(chars_max.saturating_sub(1)).collect();
            *last = format!("{kept}…");
        }
    }
    lines
}

/// A long word in pieces that fit.
fn pieces(word: &str, chars_max: usize) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    letters.chunks(chars_max.max(1)).map(|piece| piece.iter().collect()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_between_words_and_long_words_break_at_all() {
        assert_eq!(wrapped("one two three", 7, 9), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh ij", 4, 9), ["abcd", "efgh", "ij"]);
        assert_eq!(wrapped("one two three four", 5, 2), ["one", "two…"]);
        assert_eq!(wrapped("", 5, 2), [""]);
    }
}
