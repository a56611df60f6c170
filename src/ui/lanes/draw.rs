//! Draws a picture in characters: with box-drawing characters, or in plain ASCII.

use super::{Lane, LaneKind, Picture, Sign, Span, State};
use crate::ui::escape::Escape;
use crate::ui::paint::{Paint, Style};
use crate::ui::quantity::span;
use crate::ui::width;

/// Number of columns for the names of lanes.
const NAME: usize = 19;
/// Minimum width of a lane in columns.
const LANE_MIN: usize = 12;

/// A line of a drawing: pieces of text, each with its colour.
pub type Line = Vec<(Paint, String)>;

/// Draws a picture that is `columns` wide.
pub fn lines(picture: &Picture, columns: usize, style: Style) -> Vec<Line> {
    let name = NAME.min(columns / 3);
    let lane = columns.saturating_sub(name + 1).max(LANE_MIN);
    let mut lines: Vec<Line> =
        picture.lanes.iter().map(|drawn| line(picture, drawn, name, lane, style)).collect();
    lines.push(gaps(picture, name, lane));
    lines.push(ends(picture, name, lane));
    lines.retain(|line| line.iter().any(|(_, text)| !text.trim().is_empty()));
    lines
}

/// Explains the characters.
pub fn legend(style: Style) -> String {
    let fill = |state| fill(state, style);
    let sign = |mark| sign(mark, style);
    format!(
        "{} tag  {} with a tag  {} without  {} gone  {} pull  {} in vain  {} taken",
        fill(State::Held),
        fill(State::Tagged),
        fill(State::Untagged),
        fill(State::Gone),
        sign(Sign::Pull),
        sign(Sign::InVain),
        sign(Sign::Taken)
    )
}

fn line(picture: &Picture, lane: &Lane, name: usize, columns: usize, style: Style) -> Line {
    let column = |time| (picture.scale.place(time) * (columns - 1) as f64).round() as usize;
    let mut cells = vec![(Paint::Plain, ' ', None); columns];
    // Spans within one column are drawn last, or they would be hidden.
    let (wide, narrow): (Vec<&Span>, Vec<&Span>) =
        lane.spans.iter().partition(|span| column(span.from) < column(span.until));
    for span in wide.into_iter().chain(narrow.into_iter().filter(|span| span.state != State::Quiet)) {
        // The last column of a span is the first of the next one.
        let (from, until) = (column(span.from), column(span.until));
        let until = if until == columns - 1 { columns } else { until.max(from + 1) };
        cells[from..until]
            .iter_mut()
            .for_each(|cell| *cell = (paint(span.state), fill(span.state, style), None));
    }
    for mark in &lane.marks {
        let cell = &mut cells[column(mark.at)];
        if cell.2.is_none_or(|other| other < mark.sign) && shows(lane.kind, mark.sign) {
            *cell = (paint_of(mark.sign, cell.0), sign(mark.sign, style), Some(mark.sign));
        }
    }
    let shown = lane.name.for_terminal();
    let shown = width::cut_in_the_middle(&shown, name);
    let pad = name.saturating_sub(width::of(&shown)) + 1;
    let mut line = vec![(Paint::Plain, format!("{shown}{:pad$}", ""))];
    let used = cells.iter().rposition(|cell| cell.1 != ' ').map_or(0, |last| last + 1);
    for run in cells[..used].chunk_by(|one, other| one.0 == other.0) {
        line.push((run[0].0, run.iter().map(|cell| cell.1).collect()));
    }
    line
}

/// Whether a lane shows a sign: only the tag's thread has a beginning of its own, as an image's bar simply
/// begins.
fn shows(kind: LaneKind, sign: Sign) -> bool {
    sign != Sign::Push || kind == LaneKind::Tag
}

/// The length of each gap, where there is room for it.
fn gaps(picture: &Picture, name: usize, columns: usize) -> Line {
    let mut text = vec![' '; columns];
    for gap in picture.scale.gaps() {
        let column = |place: f64| (place * (columns - 1) as f64).round() as usize;
        let (from, until) = (column(gap.from), column(gap.until));
        let words = span(gap.seconds);
        let short = words.split(' ').take(2).collect::<Vec<_>>().join(" ");
        if let Some(words) = [words, short].into_iter().find(|words| words.len() < until - from) {
            let start = from + (until - from - words.len()).div_ceil(2);
            words.chars().enumerate().for_each(|(at, letter)| text[start + at] = letter);
        }
    }
    vec![
        (Paint::Plain, " ".repeat(name + 1)),
        (Paint::Dim, text.into_iter().collect::<String>().trim_end().to_owned()),
    ]
}

/// The times at which the picture begins and ends.
fn ends(picture: &Picture, name: usize, columns: usize) -> Line {
    let day = |time: Option<crate::model::Timestamp>| {
        time.map(|time| time.to_string().chars().take(10).collect::<String>()).unwrap_or_default()
    };
    let (first, last) = (day(picture.scale.first()), day(picture.scale.last()));
    let text = if first == last || columns < first.len() + last.len() + 1 {
        first
    } else {
        let room = columns - last.len();
        format!("{first:<room$}{last}")
    };
    vec![(Paint::Plain, " ".repeat(name + 1)), (Paint::Dim, text)]
}

const fn fill(state: State, style: Style) -> char {
    let (drawn, plain) = match state {
        State::Held => ('━', '='),
        State::Tagged => ('█', '#'),
        State::Untagged => ('░', ':'),
        State::Archived => ('▒', '%'),
        State::Gone => ('┄', '.'),
        State::Absent => (' ', ' '),
        State::Unknown => ('·', '?'),
        State::Quiet => ('▁', '_'),
        State::Down => ('█', 'D'),
    };
    if style.ascii { plain } else { drawn }
}

const fn sign(sign: Sign, style: Style) -> char {
    let (drawn, plain) = match sign {
        Sign::Push => ('●', 'o'),
        Sign::Arrives => ('╰', '`'),
        Sign::Drops => ('╮', '\\'),
        Sign::Ends => ('╴', '|'),
        Sign::Pull => ('▲', '^'),
        Sign::InVain => ('✗', 'x'),
        Sign::Taken => ('✂', 'X'),
    };
    if style.ascii { plain } else { drawn }
}

const fn paint(state: State) -> Paint {
    match state {
        State::Held => Paint::Tag,
        State::Tagged => Paint::Good,
        State::Untagged | State::Archived => Paint::Warn,
        State::Down => Paint::Bad,
        State::Gone | State::Absent | State::Unknown | State::Quiet => Paint::Dim,
    }
}

const fn paint_of(sign: Sign, ground: Paint) -> Paint {
    match sign {
        Sign::Push | Sign::Arrives | Sign::Drops | Sign::Ends => Paint::Tag,
        Sign::InVain | Sign::Taken => Paint::Bad,
        Sign::Pull => ground,
    }
}
