//! The marks that pictures are made of. What they look like (colour, pattern, width) stands in the style sheet alone.

use std::io;

use super::axis::Axis;
use crate::model::Timestamp;
use crate::ui::html::Html;

/// Where a text stands to its place.
#[derive(Clone, Copy)]
pub enum Anchor {
    Start,
    Middle,
    End,
}

/// How wide a text will be, roughly; labels that do not fit are set elsewhere.
pub fn width_of(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX / 8).saturating_mul(13) / 2
}

pub struct Svg<'h, 'w>(pub &'h mut Html<'w>);

impl Svg<'_, '_> {
    fn number(&mut self, name: &'static str, value: i64) -> io::Result<()> {
        self.0.raw(name)?.value(value)?.raw("\"").map(|_| ())
    }

    fn open(&mut self, tag: &'static str, class: &'static str) -> io::Result<()> {
        self.0.raw("<")?.raw(tag)?.raw(" class=\"")?.raw(class)?.raw("\"").map(|_| ())
    }

    pub fn rect(&mut self, class: &'static str, (x, y): (i64, i64), (width, height): (i64, i64), title: &str) -> io::Result<()> {
        if width <= 0 || height <= 0 {
            return Ok(());
        }
        self.open("rect", class)?;
        for (name, value) in [(" x=\"", x), (" y=\"", y), (" width=\"", width), (" height=\"", height)] {
            self.number(name, value)?;
        }
        self.close("rect", title)
    }

    pub fn line(&mut self, class: &'static str, (x1, y1): (i64, i64), (x2, y2): (i64, i64), title: &str) -> io::Result<()> {
        self.open("line", class)?;
        for (name, value) in [(" x1=\"", x1), (" y1=\"", y1), (" x2=\"", x2), (" y2=\"", y2)] {
            self.number(name, value)?;
        }
        self.close("line", title)
    }

    /// A path of our own making: letters and numbers.
    pub fn path(&mut self, class: &'static str, path: &str) -> io::Result<()> {
        if path.is_empty() {
            return Ok(());
        }
        self.open("path", class)?;
        self.0.raw(" d=\"")?.text(path)?.raw("\"/>\n").map(|_| ())
    }

    /// A sign from the page's own set.
    pub fn sign(&mut self, id: &'static str, (x, y): (i64, i64), title: &str) -> io::Result<()> {
        self.0.raw("<use href=\"#")?.raw(id)?.raw("\" class=\"sign\"")?;
        self.number(" x=\"", x)?;
        self.number(" y=\"", y)?;
        self.close("use", title)
    }

    pub fn text(&mut self, class: &'static str, (x, y): (i64, i64), anchor: Anchor, text: &str) -> io::Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.open("text", class)?;
        self.number(" x=\"", x)?;
        self.number(" y=\"", y)?;
        let anchored = match anchor {
            Anchor::Start => ">",
            Anchor::Middle => " text-anchor=\"middle\">",
            Anchor::End => " text-anchor=\"end\">",
        };
        self.0.raw(anchored)?.text(text)?.raw("</text>\n").map(|_| ())
    }

    fn close(&mut self, tag: &'static str, title: &str) -> io::Result<()> {
        if title.is_empty() {
            return self.0.raw("/>\n").map(|_| ());
        }
        self.0.raw("><title>")?.text(title)?.raw("</title></")?.raw(tag)?.raw(">\n").map(|_| ())
    }
}

/// Lines at the places of `times`, one mark for all; those that would fall together are one.
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

/// Lines of at most `chars_max` characters, broken between words where there are any; what does not fit into `lines_max` is cut.
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

/// A word in pieces that fit.
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
