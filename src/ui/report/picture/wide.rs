//! The picture from left to right, for screens and paper.

mod need;
mod words;

use maud::{Markup, html};

use super::axis::Axis;
use super::frame::Frame;
use super::scene::{Lane, Look, Ride, Scene, Sign, shortened};
use super::svg::{self, Anchor, drawing, lines, width_of};
use crate::ui::html::wide;

/// The picture's width in its own units; text is 12 units high.
const WIDTH: i64 = 1000;
const LEFT: i64 = 196;
const RIGHT: i64 = 984;
const BAR: i64 = 22;
const LANE: i64 = 74;
/// A gap is at least wide enough for the text of its length.
const GAP: i64 = 58;
/// With more policy changes than this, their dates are left out.
const NAMED_MAX: usize = 8;

pub fn page(scene: &Scene, told: &str) -> Markup {
    let picture = Wide(Frame { scene, axis: Axis::new(&scene.times(), LEFT + 12, RIGHT, GAP) });
    let lanes = scene.lanes.iter().enumerate().map(|(number, lane)| picture.lane(number, lane));
    let need = scene.need.as_ref().map(|need| picture.need(need));
    let marks = html! {
        (picture.lines())
        @for lane in lanes { (lane) }
        @if let Some(need) = need { (need) }
        (picture.thread()) (picture.labels()) (picture.signs()) (picture.axis())
    };
    wide(&drawing("across", (WIDTH, picture.height()), told, &marks))
}

struct Wide<'s>(Frame<'s>);

impl Wide<'_> {
    /// Position of the first lane: below the tag's chip and the signs, if there are any.
    fn first_lane(&self) -> i64 {
        let signed = self.0.scene.moments.iter().any(|moment| sign_of(moment.sign).is_some());
        if signed || !self.0.scene.rides.is_empty() { 82 } else { 36 }
    }

    fn top(&self, lane: usize) -> i64 {
        self.first_lane() + LANE * i64::try_from(lane).unwrap_or(0)
    }

    fn need_top(&self) -> i64 {
        self.top(self.0.scene.lanes.len())
    }

    fn axis_top(&self) -> i64 {
        let Some(need) = &self.0.scene.need else { return self.need_top() + 6 };
        self.need_top() + BAR + if need.harm.is_some() { 46 } else { 10 } + 30
    }

    fn height(&self) -> i64 {
        self.axis_top() + 66
    }

    /// Lines for policy changes and runs, through all lanes.
    fn lines(&self) -> Markup {
        let Frame { scene, axis } = &self.0;
        let (top, bottom) = (self.first_lane() - 22, self.axis_top());
        html! {
            (svg::path("line-run", &lines(axis, &scene.runs, top, bottom)))
            @if scene.policies.len() > NAMED_MAX {
                (svg::path("line-policy", &lines(axis, &scene.policies, top, bottom)))
            } @else {
                @for time in &scene.policies {
                    @let x = axis.place(*time);
                    (svg::line("line-policy", (x, top), (x, bottom), &format!("lifecycle policy changed {time}")))
                }
            }
        }
    }

    fn lane(&self, number: usize, lane: &Lane) -> Markup {
        let (frame, y) = (&self.0, self.top(number));
        html! {
            (svg::text("name", (8, y + 9), Anchor::Start, &shortened(&lane.name, 24)))
            (svg::text("note", (8, y + 25), Anchor::Start, &shortened(&lane.note, 30)))
            @if let Some(end) = frame.drop_at_once().filter(|_| number == 0) {
                (svg::rect("tagged", (frame.axis.of(0), y), (end - frame.axis.of(0), BAR), ""))
            }
            @for stretch in &lane.stretches {
                @let (x, end) = frame.ends_of(number, stretch);
                @let narrower = if stretch.look == Look::Locked { -4 } else { 0 };
                @let title = format!("{} {} to {}", stretch.label, stretch.from, stretch.to);
                (svg::rect(stretch.look.word(), (x, y + narrower), (end - x, BAR - 2 * narrower), &title))
                @if width_of(&stretch.label) < end - x - 8 {
                    @match stretch.look {
                        // Marks of failures hang from the middle of the bar.
                        Look::Gone | Look::Archived | Look::Unknown => (svg::text("word halo", (x + 9, y + 15), Anchor::Start, &stretch.label)),
                        _ => (svg::text("word halo", ((x + end) / 2, y - 7), Anchor::Middle, &stretch.label)),
                    }
                }
            }
            @if lane.open_start {
                @let x = lane.stretches.first().map_or(LEFT, |first| frame.axis.place(first.from));
                (svg::path("torn", &format!("M{x} {y}l-7 4l7 4l-7 4l7 4l-7 3l7 3")))
            }
        }
    }

    /// The tag's thread: along the image that has the tag, and down to the next one.
    fn thread(&self) -> Markup {
        let frame = &self.0;
        let Some(first) = frame.scene.rides.first() else { return html! {} };
        let level = |ride: &Ride| self.top(ride.lane) + BAR / 2;
        let start = frame.place_of(first.lane, first.from);
        let mut path = falls(start, level(first));
        let mut before = first;
        for ride in frame.scene.rides.iter().skip(1) {
            let (x, y) = (frame.place_of(ride.lane, ride.from), level(ride));
            if ride.lane == before.lane {
                // The tag was on no image for a while: its thread ends and begins again.
                let end = frame.place_of(before.lane, before.to);
                path.push_str(&format!("H{}M{x} {y}", end.max(start).min(x)));
            } else {
                let (from, height) = (level(before), (level(before) + y) / 2);
                path.push_str(&format!(
                    "H{}C{x} {from} {} {height} {} {height}S{x} {y} {} {y}",
                    (x - 8).max(start),
                    x + 1,
                    x + 2,
                    x + 12
                ));
            }
            path.push_str(&format!("H{}", frame.place_of(ride.lane, ride.to).max(x)));
            before = ride;
        }
        if frame.scene.rides.len() == 1 {
            path.push_str(&format!("H{}", frame.place_of(first.lane, first.to).max(start)));
        }
        html! {
            (svg::path("thread-edge", &path)) (svg::path("thread", &path))
            @for ride in frame.scene.rides.iter().filter(|ride| ride.cut) {
                (svg::path("thread-end", &format!("M{} {}v14", frame.place_of(ride.lane, ride.to), level(ride) - 7)))
            }
            (self.chip())
        }
    }

    /// The tag's name, where its thread begins.
    fn chip(&self) -> Markup {
        let whole = self.0.scene.tag.as_deref().unwrap_or_default();
        let tag = shortened(whole, 24);
        let wide = (width_of(&tag) * 11 / 10 + 20).min(LEFT - 12);
        html! {
            (svg::rect("chip", (LEFT - 8 - wide, 13), (wide, 26), whole))
            (svg::text("chip-text", (LEFT - 8 - wide / 2, 30), Anchor::Middle, &tag))
        }
    }
}

/// The path of the thread from the chip to the first bar; it passes below the texts of the signs if it is
/// long.
fn falls(start: i64, level: i64) -> String {
    if start < LEFT + 60 {
        return format!(
            "M{} 26H{}C{start} 26 {start} 40 {start} {level}",
            LEFT - 10,
            (start - 14).max(LEFT - 8)
        );
    }
    let (from, low) = (LEFT - 10, 58);
    format!(
        "M{from} 26C{} 26 {} {low} {} {low}H{}C{start} {low} {start} {} {start} {level}",
        from + 10,
        from + 4,
        from + 18,
        start - 14,
        low + 6
    )
}

/// The sign drawn above a moment.
const fn sign_of(sign: Sign) -> Option<&'static str> {
    match sign {
        Sign::Rule => Some("s-scissors"),
        Sign::Call => Some("s-cross"),
        Sign::Archive => Some("s-box"),
        Sign::Lock => Some("s-lock"),
        _ => None,
    }
}
