//! HTML in which no text can become markup: markup is what was written into this program, everything else is escaped by its type.

use maud::{Markup, PreEscaped, Render, html};

use super::escape::Escape;
use crate::model::LogText;

/// A text as it stands in a log.
impl Render for LogText {
    fn render_to(&self, page: &mut String) {
        page.push_str(&self.for_html());
    }
}

/// A text of ours, between tags or in an attribute. It is escaped as one of a log is: it quotes what stands in logs.
pub fn shown(text: impl AsRef<str>) -> PreEscaped<String> {
    PreEscaped(text.as_ref().for_html().into_owned())
}

/// A number, a time, a digest.
pub fn value(value: impl std::fmt::Display) -> PreEscaped<String> {
    shown(value.to_string())
}

/// Sentences of ours in which a command stands between backticks, to be copied.
pub fn prose(text: &str) -> Markup {
    html! {
        @for (number, piece) in text.split('`').enumerate() {
            @if number % 2 == 1 { code { (shown(piece)) } } @else { (shown(piece)) }
        }
    }
}

/// A label, and what stands beside it.
pub fn item(label: &str, content: &Markup) -> Markup {
    html! { dt { (label) } dd { (content) } "\n" }
}

/// A list below a heading, if there is something to list.
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

/// A table that may be wider than its page: it can be scrolled, with the keyboard, too.
pub fn table(columns: &[&str], rows: &Markup) -> Markup {
    let head = html! { tr { @for column in columns { th scope="col" { (column) } } } };
    wide(&html! { table { thead { (head) } "\n" tbody { "\n" (rows) } } })
}

/// Anything that may be wider than its page.
pub fn wide(content: &Markup) -> Markup {
    html! { div class="wide" tabindex="0" role="group" aria-label="wide, can be scrolled" { (content) } "\n" }
}

/// A part of the page that is folded until somebody asks for it.
pub fn part(id: &str, heading: &str, content: &Markup) -> Markup {
    html! { details class="part" { summary { h2 { (heading) } } "\n" section id=(id) { "\n" (content) } } "\n" }
}

/// Where there is nothing, a dash.
pub fn maybe(text: Option<&LogText>) -> Markup {
    html! { @match text { Some(text) => (text), None => "–" } }
}
