//! The picture from left to right, for screens and paper.

use std::io;

use super::axis::Axis;
use super::need::Need;
use super::scene::{Lane, Look, Ride, Scene, Sign, Stretch, shortened};
use super::svg::{Anchor, Svg, lines, width_of, wrapped};
use crate::model::Timestamp;
use crate::ui::html::Html;
use crate::ui::quantity::span;

/// The picture's width, in its own units; text is 12 of them high.
const WIDTH: i64 = 1000;
const LEFT: i64 = 196;
const RIGHT: i64 = 984;
const BAR: i64 = 22;
const LANE: i64 = 74;
/// A gap is at least so wide that its length can stand there.
const GAP: i64 = 58;
/// Beyond so many changes of a policy none of them says when it was.
const NAMED_MAX: usize = 8;

struct Wide<'s> {
    scene: &'s Scene,
    axis: Axis,
}

pub fn write(html: &mut Html<'_>, scene: &Scene, told: &str) -> io::Result<()> {
    let wide = Wide { scene, axis: Axis::new(&scene.times(), LEFT + 12, RIGHT, GAP) };
    html.raw("<div class=\"wide\"><svg class=\"picture across\" viewBox=\"0 0 ")?.value(WIDTH)?.raw(" ")?.value(wide.height())?;
    html.raw("\" role=\"img\" aria-label=\"")?.text(told)?.raw("\">\n")?;
    let svg = &mut Svg(html);
    wide.write_lines(svg)?;
    scene.lanes.iter().enumerate().try_for_each(|(n, lane)| wide.write_lane(svg, n, lane))?;
    scene.need.as_ref().map_or(Ok(()), |need| wide.write_need(svg, need))?;
    wide.write_thread(svg)?;
    wide.write_labels(svg)?;
    wide.write_signs(svg)?;
    wide.write_axis(svg)?;
    html.raw("</svg></div>\n").map(|_| ())
}

impl Wide<'_> {
    /// Chip and signs stand above the lanes, where there are any.
    fn first_lane(&self) -> i64 {
        let signed = self.scene.moments.iter().any(|moment| sign_of(moment.sign).is_some());
        if signed || !self.scene.rides.is_empty() { 82 } else { 36 }
    }

    fn top(&self, lane: usize) -> i64 {
        self.first_lane() + LANE * i64::try_from(lane).unwrap_or(0)
    }

    fn need_top(&self) -> i64 {
        self.top(self.scene.lanes.len())
    }

    fn axis_top(&self) -> i64 {
        let captions = self.scene.need.as_ref().map_or(0, |need| if need.harm.is_some() { 46 } else { 10 });
        if self.scene.need.is_some() { self.need_top() + BAR + captions + 30 } else { self.need_top() + 6 }
    }

    fn height(&self) -> i64 {
        self.axis_top() + 66
    }

    /// Where the moment stands; two of one second have places of their own.
    fn at(&self, sign: Sign, otherwise: Timestamp) -> i64 {
        self.scene.moment(sign).map_or_else(|| self.axis.place(otherwise), |(number, _)| self.axis.of(number))
    }

    /// Policy changes and runs, through all lanes.
    fn write_lines(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        let (top, bottom) = (self.first_lane() - 22, self.axis_top());
        svg.path("line-run", &lines(&self.axis, &self.scene.runs, top, bottom))?;
        if self.scene.policies.len() > NAMED_MAX {
            return svg.path("line-policy", &lines(&self.axis, &self.scene.policies, top, bottom));
        }
        for time in &self.scene.policies {
            let x = self.axis.place(*time);
            svg.line("line-policy", (x, top), (x, bottom), &format!("lifecycle policy changed {time}"))?;
        }
        Ok(())
    }

    fn write_lane(&self, svg: &mut Svg<'_, '_>, number: usize, lane: &Lane) -> io::Result<()> {
        let y = self.top(number);
        svg.text("name", (8, y + 9), Anchor::Start, &shortened(&lane.name, 24))?;
        svg.text("note", (8, y + 25), Anchor::Start, &shortened(&lane.note, 30))?;
        if let Some(end) = self.drop_at_once().filter(|_| number == 0) {
            svg.rect("tagged", (self.axis.of(0), y), (end - self.axis.of(0), BAR), "")?;
        }
        for stretch in &lane.stretches {
            let (x, end) = self.ends_of(number, stretch);
            let title = format!("{} {} to {}", stretch.label, stretch.from, stretch.to);
            let narrower = if stretch.look == Look::Locked { -4 } else { 0 };
            svg.rect(stretch.look.word(), (x, y + narrower), (end - x, BAR - 2 * narrower), &title)?;
            let room = width_of(&stretch.label) < end - x - 8;
            match stretch.look {
                // Failures hang from the middle of it.
                Look::Gone | Look::Archived | Look::Unknown if room => svg.text("word halo", (x + 9, y + 15), Anchor::Start, &stretch.label)?,
                _ if room => svg.text("word halo", ((x + end) / 2, y - 7), Anchor::Middle, &stretch.label)?,
                _ => {}
            }
        }
        if lane.open_start {
            let x = lane.stretches.first().map_or(LEFT, |first| self.axis.place(first.from));
            svg.path("torn", &format!("M{x} {y}l-7 4l7 4l-7 4l7 4l-7 3l7 3"))?;
        }
        Ok(())
    }

    /// An image that lost its tag in the second in which it got it had it all the same.
    fn ends_of(&self, lane: usize, stretch: &Stretch) -> (i64, i64) {
        let drop = self.drop_at_once().filter(|_| lane == 0 && stretch.look == Look::Fuse);
        (drop.unwrap_or_else(|| self.place_of(lane, stretch.from)), self.place_of(lane, stretch.to))
    }

    /// The place of the second push, where it is in the second of the first.
    fn drop_at_once(&self) -> Option<i64> {
        let (number, drop) = self.scene.moment(Sign::Drop)?;
        let first = self.scene.moments.first()?;
        (number > 0 && first.at.seconds() == drop.at.seconds()).then(|| self.axis.of(number))
    }

    /// Of two moments in one second, the lost image begins with the first and the other one with the second.
    fn place_of(&self, lane: usize, time: Timestamp) -> i64 {
        let second = self.scene.moment(Sign::Drop).filter(|(_, drop)| drop.at.seconds() == time.seconds());
        let is_start = self.scene.moments.first().is_some_and(|first| first.at == time);
        match second {
            Some((number, _)) if lane > 0 || !is_start => self.axis.of(number),
            _ if is_start => self.axis.of(0),
            _ => self.axis.place(time),
        }
    }

    fn write_need(&self, svg: &mut Svg<'_, '_>, need: &Need) -> io::Result<()> {
        let y = self.need_top();
        svg.text("name", (8, y + 9), Anchor::Start, &shortened(&need.name, 24))?;
        svg.text("note", (8, y + 25), Anchor::Start, &shortened(&need.note, 30))?;
        if let Some((from, _)) = need.held {
            let x = self.axis.place(from);
            svg.rect("service", (x, y), (self.axis.last() - x, BAR), "holds on to the image")?;
        } else if let (Some(first), Some(last)) = (need.asks.first(), need.asks.last()) {
            let (x, end) = (self.axis.place(first.at) - 12, self.axis.place(last.at) + 12);
            svg.line("asker", (x, y + BAR / 2), (end, y + BAR / 2), "from the first time it asked to the last")?;
        }
        self.write_asks(svg, need)?;
        let Some(harm) = &need.harm else { return Ok(()) };
        let from = need.first_failure().map_or(LEFT, |at| self.axis.place(at));
        let to = match need.outage {
            Some((_, until)) => until.map_or(self.axis.last(), |until| self.axis.place(until)),
            None => need.asks.iter().filter(|ask| ask.in_vain).map(|ask| self.axis.place(ask.at)).max().unwrap_or(from),
        };
        let wide = need.ending.as_ref().map_or(0, |ending| width_of(ending)).max(width_of(harm) * 11 / 10);
        let middle = ((from + to) / 2).min(RIGHT - wide / 2).max(LEFT + wide / 2);
        svg.text("bad halo", (middle, y + BAR + 20), Anchor::Middle, harm)?;
        need.ending.as_ref().map_or(Ok(()), |ending| svg.text("note halo", (middle, y + BAR + 36), Anchor::Middle, ending))
    }

    fn write_asks(&self, svg: &mut Svg<'_, '_>, need: &Need) -> io::Result<()> {
        let (top, bottom) = (self.top(0) + BAR, self.need_top() + if need.held.is_some() { 0 } else { BAR / 2 });
        if let Some((from, until)) = need.outage {
            let x = self.axis.place(from);
            let end = until.map_or(self.axis.last(), |until| self.axis.place(until));
            svg.rect("outage", (x, self.need_top()), ((end - x).max(4), BAR), "nothing was to be had")?;
        }
        let mut last = i64::MIN;
        for ask in need.asks.iter().filter(|ask| !ask.in_vain) {
            let x = self.axis.place(ask.at);
            if x.saturating_sub(last) > 4 {
                svg.line("pull", (x, top), (x, bottom), &format!("pulled {}", ask.at))?;
                last = x;
            }
        }
        let mut last = [i64::MIN; 2];
        for ask in need.asks.iter().filter(|ask| ask.in_vain) {
            let x = self.axis.place(ask.at);
            if x.saturating_sub(last[usize::from(ask.stopped)]) <= 4 {
                continue;
            }
            last[usize::from(ask.stopped)] = x;
            if ask.stopped {
                let class = if need.outage.is_some() { "cross on-red" } else { "cross" };
                svg.path(class, &cross(x, self.need_top() + BAR / 2))?;
            } else {
                svg.line("vain", (x, top + 1), (x, bottom), &format!("asked for in vain {}", ask.at))?;
                svg.path("cross", &format!("M{} {}l6 6m0 -6l-6 6", x - 3, top - 3))?;
            }
        }
        Ok(())
    }

    /// The tag rides its image, and drops to the next one.
    fn write_thread(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        let Some(first) = self.scene.rides.first() else { return Ok(()) };
        let level = |ride: &Ride| self.top(ride.lane) + BAR / 2;
        let start = self.place_of(first.lane, first.from);
        let mut path = format!("M{} 26H{}C{start} 26 {start} 40 {start} {}", LEFT - 10, (start - 14).max(LEFT - 8), level(first));
        let mut before = first;
        for ride in self.scene.rides.iter().skip(1) {
            let (x, y) = (self.place_of(ride.lane, ride.from), level(ride));
            if ride.lane == before.lane {
                path.push_str(&format!("M{x} {y}"));
            } else {
                let (from, height) = (level(before), (level(before) + y) / 2);
                path.push_str(&format!("H{}C{x} {from} {} {height} {} {height}S{x} {y} {} {y}", (x - 8).max(start), x + 1, x + 2, x + 12));
            }
            path.push_str(&format!("H{}", self.place_of(ride.lane, ride.to).max(x)));
            before = ride;
        }
        if self.scene.rides.len() == 1 {
            path.push_str(&format!("H{}", self.place_of(first.lane, first.to).max(start)));
        }
        svg.path("thread-edge", &path)?;
        svg.path("thread", &path)?;
        for ride in self.scene.rides.iter().filter(|ride| ride.cut) {
            let x = self.place_of(ride.lane, ride.to);
            svg.path("thread-end", &format!("M{x} {}v14", level(ride) - 7))?;
        }
        let tag = shortened(self.scene.tag.as_deref().unwrap_or_default(), 24);
        let wide = (width_of(&tag) * 11 / 10 + 20).min(LEFT - 12);
        svg.rect("chip", (LEFT - 8 - wide, 13), (wide, 26), self.scene.tag.as_deref().unwrap_or_default())?;
        svg.text("chip-text", (LEFT - 8 - wide / 2, 30), Anchor::Middle, &tag)
    }

    /// What is said between the lanes.
    fn write_labels(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        for sign in [Sign::Drop, Sign::Untag] {
            let Some((_, moment)) = self.scene.moment(sign) else { continue };
            let (x, y) = (self.at(sign, moment.at), self.top(0) + BAR + 22);
            let words = shortened(&moment.words, 96);
            if x + 14 + width_of(&words) * 11 / 10 < RIGHT {
                svg.text("bad halo", (x + 14, y), Anchor::Start, &words)?;
            } else {
                svg.text("bad halo", (RIGHT, y), Anchor::End, &words)?;
            }
        }
        Ok(())
    }

    fn write_signs(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        for (number, moment) in self.scene.moments.iter().enumerate() {
            let Some(id) = sign_of(moment.sign) else { continue };
            let x = self.axis.of(number);
            svg.line("pole", (x, 30), (x, self.top(0) + BAR + 4), "")?;
            svg.sign(id, (x, 26), &moment.words)?;
            let to_left = x > (LEFT + RIGHT) / 2;
            let room = if to_left { x - LEFT - 30 } else { RIGHT - x - 16 };
            let chars = usize::try_from(room.min(440) * 2 / 13).unwrap_or(20);
            let lines = wrapped(&moment.words, chars, 2);
            let (place, anchor) = if to_left { (x - 17, Anchor::End) } else { (x + 17, Anchor::Start) };
            for (n, line) in (0_i64..).zip(&lines) {
                svg.text("rule halo", (place, 22 + 15 * n), anchor, line)?;
            }
        }
        Ok(())
    }

    fn write_axis(&self, svg: &mut Svg<'_, '_>) -> io::Result<()> {
        let y = self.axis_top();
        svg.line("axis", (LEFT, y), (RIGHT, y), "")?;
        let mut ends = [i64::MIN; 2];
        let mut last: Option<(Timestamp, i64)> = None;
        for (number, moment) in self.scene.moments.iter().enumerate() {
            let x = self.axis.of(number);
            if let Some((before, from)) = last {
                let gap = moment.at.seconds_since(before);
                let words = if gap == 0 { "0 s".to_owned() } else { span(gap) };
                if width_of(&words) < x - from {
                    svg.text("gap halo", ((x + from) / 2, y - 6), Anchor::Middle, &words)?;
                }
            }
            if last.is_none_or(|(before, _)| before.seconds() != moment.at.seconds()) {
                write_date(svg, moment.at, (x, y), &mut ends)?;
            }
            last = Some((moment.at, x));
        }
        Ok(())
    }
}

/// What stands on a pole above the moment.
const fn sign_of(sign: Sign) -> Option<&'static str> {
    match sign {
        Sign::Rule => Some("s-scissors"),
        Sign::Call => Some("s-cross"),
        Sign::Archive => Some("s-box"),
        Sign::Lock => Some("s-lock"),
        _ => None,
    }
}

/// A date in the first row that has room for it.
fn write_date(svg: &mut Svg<'_, '_>, at: Timestamp, (x, y): (i64, i64), ends: &mut [i64; 2]) -> io::Result<()> {
    const HALF: i64 = 39;
    let place = x.min(RIGHT + 12 - HALF);
    let row = ends.iter().position(|end| place - HALF > *end);
    svg.line("axis", (x, y - 4), (x, y + 4), &at.to_string())?;
    let Some(row) = row else { return Ok(()) };
    ends[row] = place + HALF;
    let (day, time) = date(at);
    let top = y + 17 + 26 * i64::try_from(row).unwrap_or(0);
    if row > 0 {
        svg.line("axis faint", (x, y + 4), (x, top - 10), "")?;
    }
    svg.text("date", (place, top), Anchor::Middle, &day)?;
    svg.text("date", (place, top + 13), Anchor::Middle, &time)
}

/// `2 Mar 2026`, `13:41:07`.
pub fn date(at: Timestamp) -> (String, String) {
    match at.to_chrono() {
        Some(time) => (time.format("%-d %b %Y").to_string(), time.format("%H:%M:%S").to_string()),
        None => (at.to_string(), String::new()),
    }
}

fn cross(x: i64, y: i64) -> String {
    format!("M{} {}l8 8m0 -8l-8 8", x - 4, y - 4)
}
