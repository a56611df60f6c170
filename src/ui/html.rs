//! HTML in which no text can become markup: all markup is in this program's code, and everything else is
//! escaped by its type.

use maud::{Markup, PreEscaped, Render, html};

use super::escape::Escape;
use crate::model::LogText;

/// A text as it stands in a log.
impl Render for LogText {
    fn render_to(&self, page: &mut String) {
        page.push_str(&self.for_html());
    }
}

/// A text of this program, for use between tags or in an attribute. It is escaped like log text, because it
/// quotes log text.
pub fn shown(text: impl AsRef<str>) -> PreEscaped<String> {
    PreEscaped(text.as_ref().for_html().into_owned())
}

/// A number, a time, a digest.
pub fn value(value: impl std::fmt::Display) -> PreEscaped<String> {
    shown(value.to_string())
}

/// Sentences in which a command in backticks becomes one that can be copied.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (shown(piece)) } } @else { (shown(piece)) }
        }
    }
}

/// A label and its content.
pub fn item(label: &str, content: &Markup) -> Markup {
    html! { dt { (label) } dd { (content) } "\n" }
}

/// A list with a heading; empty if there are no items.
pub fn list<T>(heading: &str, class: &str, items: &[T], each: impl Fn(&T) -> Markup) -> Markup {
    html! {
        @if !items.is_empty() {
            h3 { (heading) }
            ul class=[(!class.is_empty()).then_some(class)] {
                @for item in items { li { (each(item)) } "\n" }
            }
        }
    }
}

/// A table that may be wider than the page: it can be scrolled, also with the keyboard.
pub fn table(columns: &[&str], rows: &Markup) -> Markup {
    let head = html! { tr { @for column in columns { th scope="col" { (column) } } } };
    wide(&html! { table { thead { (head) } "\n" tbody { "\n" (rows) } } })
}

/// Content that may be wider than the page.
pub fn wide(content: &Markup) -> Markup {
    html! { div class="wide" tabindex="0" role="group" aria-label="wide, can be scrolled" { (content) } "\n" }
}

/// A part of the page that is folded until it is opened.
pub fn part(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { details class="part" { summary { h2 { (heading) } } "\n" section id=(id) { "\n" (content) } } "\n" }
}

/// The text, or a dash if there is none.
pub fn maybe(text: Option<&LogText>) -> Markup {
    html! { @match text { Some(text) => (text), None => "–" } }
}
