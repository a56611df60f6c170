//! The same picture from top to bottom, for narrow screens: the bars stand on the left, and each moment says beside them what
//! happened.

use std::io;

use super::axis::Axis;
use super::need::Need;
use super::scene::{Ride, Scene, Sign, shortened};
use super::svg::{Anchor, Svg, wrapped};
use super::wide::date;
use crate::ui::html::Html;
use crate::ui::quantity::span;

const WIDTH: i64 = 360;
const BAR: i64 = 16;
/// Where the bars begin, and how far they stand from another.
const FIRST: i64 = 16;
const STEP: i64 = 34;
/// Where the words begin.
const WORDS: i64 = 126;
const CHARS: usize = 33;
/// The same of bold words.
const BOLD: usize = 29;
const TOP: i64 = 84;
/// A moment's words have four lines at most, below its date.
const LEAST: i64 = 96;

struct Tall<'s> {
    scene: &'s Scene,
    axis: Axis,
}

pub fn write(html: &mut Html<'_>, scene: &Scene, told: &str) -> io::Result<()> {
    let gaps = i64::try_from(scene.moments.len()).unwrap_or(1) - 1;
    let axis = Axis::new(&scene.times(), TOP, TOP + gaps * (LEAST + 24), LEAST);
    let tall = Tall { scene, axis };
    html.raw("<svg class=\"picture down\" viewBox=\"0 0 ")?.value(WIDTH)?.raw(" ")?.value(tall.axis.last() + 70)?;
    html.raw("\" role=\"img\" aria-label=\"")?.text(told)?.raw("\">\n")?;
    let svg = &mut Svg(html);
    tall.write_heads(svg)?;
    tall.write_lanes(svg)?;
    scene.need.as_ref().map_or(Ok(()), |need| tall.write_need(svg, need))?;
    tall.write_thread(svg)?;
    tall.write_words(svg)?;
    html.raw("</svg>\n").map(|_| ())
}

impl Tall<'_> {
    fn left(&self, lane: usize) -> i64 {
        FIRST + STEP * i64::try_from(lane).unwrap_or(0)
    }

    /// Names of the lanes, with a line from each to its bar.
    fn write_heads(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        let need = self.scene.need.as_ref().map(|need| format!("{}, {}", need.name, need.note));
        let names = self.scene.lanes.iter().map(|lane| format!("{}, {}", lane.name, lane.note)).chain(need);
        for (n, name) in names.enumerate() {
            let (x, y) = (self.left(n) + BAR / 2, 16 + 18 * i64::try_from(n).unwrap_or(0));
            svg.path("lead", &format!("M{x} {}V{}H{}", TOP - 4, y - 4, WORDS - 6))?;
            svg.text("note", (WORDS, y), Anchor::Start, &shortened(&name, CHARS))?;
        }
        Ok(())
    }

    fn write_lanes(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        for (n, lane) in self.scene.lanes.iter().enumerate() {
            let x = self.left(n);
            for stretch in &lane.stretches {
                let (y, end) = (self.axis.place(stretch.from), self.axis.place(stretch.to));
                svg.rect(stretch.look.word(), (x, y), (BAR, end - y), &stretch.label)?;
            }
            if lane.open_start {
                let y = lane.stretches.first().map_or(TOP, |first| self.axis.place(first.from));
                svg.path("torn", &format!("M{x} {y}l4 -6l4 6l4 -6l4 6"))?;
            }
        }
        Ok(())
    }

    fn write_need(&self, svg: &mut Svg<'_, '_>, need: &Need) -> io::Result<()> {
        let (x, end) = (self.left(self.scene.lanes.len()), self.axis.last());
        if let Some((from, _)) = need.held {
            let y = self.axis.place(from);
            svg.rect("service", (x, y), (BAR, end - y), "holds on to the image")?;
        }
        if let Some((from, until)) = need.outage {
            let y = self.axis.place(from);
            svg.rect("outage", (x, y), (BAR, (until.map_or(end, |until| self.axis.place(until)) - y).max(4)), "nothing was to be had")?;
        }
        let edge = self.left(0) + BAR;
        let mut last = [i64::MIN; 3];
        for ask in &need.asks {
            let y = self.axis.place(ask.at);
            let kind = usize::from(ask.in_vain) + usize::from(ask.in_vain && ask.stopped);
            if y.saturating_sub(last[kind]) <= 5 {
                continue;
            }
            last[kind] = y;
            match kind {
                0 => svg.line("pull", (edge, y), (x, y), "")?,
                1 => {
                    svg.line("vain", (edge, y), (x, y), "")?;
                    svg.path("cross", &format!("M{} {}l8 8m0 -8l-8 8", edge - 4, y - 4))?;
                }
                _ => {
                    svg.path(if need.outage.is_some() { "cross on-red" } else { "cross" }, &format!("M{} {}l8 8m0 -8l-8 8", x + BAR / 2 - 4, y - 4))?
                }
            }
        }
        Ok(())
    }

    fn write_thread(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        let Some(first) = self.scene.rides.first() else { return Ok(()) };
        let middle = |ride: &Ride| self.left(ride.lane) + BAR / 2;
        let mut path = format!("M{} {}", middle(first), self.axis.place(first.from));
        let mut before = first;
        for ride in &self.scene.rides {
            let (x, y) = (middle(ride), self.axis.place(ride.from));
            if ride.lane == before.lane {
                path.push_str(&format!("M{x} {y}"));
            } else {
                path.push_str(&format!("V{y}C{} {} {x} {} {x} {}", middle(before), y + 8, y, y + 12));
            }
            path.push_str(&format!("V{}", self.axis.place(ride.to).max(y)));
            before = ride;
        }
        svg.path("thread-edge", &path)?;
        svg.path("thread", &path)
    }

    fn write_words(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        for (n, moment) in self.scene.moments.iter().enumerate() {
            let y = self.axis.of(n);
            let bad = matches!(moment.sign, Sign::Drop | Sign::Untag | Sign::Failure);
            svg.line("moment", (FIRST - 6, y), (WORDS - 6, y), "")?;
            let (day, time) = date(moment.at);
            let tag = self.scene.tag.as_deref().filter(|_| n == 0 && !self.scene.rides.is_empty());
            let words = match tag {
                Some(tag) => format!("{}, tag {}", moment.words, shortened(tag, CHARS)),
                None => moment.words.clone(),
            };
            svg.text("date", (WORDS, y + 4), Anchor::Start, &format!("{day} {time}"))?;
            for (line, words) in (1_i64..).zip(wrapped(&words, if bad { BOLD } else { CHARS }, 4)) {
                svg.text(if bad { "bad" } else { "word" }, (WORDS, y + 4 + 15 * line), Anchor::Start, &words)?;
            }
            if let Some(next) = self.scene.moments.get(n + 1) {
                let gap = next.at.seconds_since(moment.at);
                svg.text("gap", (WORDS, self.axis.of(n + 1) - 12), Anchor::Start, &format!("↓ {}", span(gap)))?;
            }
        }
        Ok(())
    }
}
