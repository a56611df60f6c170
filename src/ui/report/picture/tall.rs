//! The same picture from top to bottom, for narrow screens: bars at the left, and beside them what happened
//! at each moment.

use maud::{Markup, html};

use super::axis::Axis;
use super::frame::{Came, Frame, cross, cross_class, date};
use super::need::Need;
use super::scene::{Ride, Scene, Sign, shortened};
use super::svg::{self, Anchor, drawing, wrapped};
use crate::ui::quantity::span;

const WIDTH: i64 = 360;
const BAR: i64 = 16;
/// Position of the first bar, and the distance between bars.
const FIRST: i64 = 16;
const STEP: i64 = 34;
/// Position of the texts.
const WORDS: i64 = 126;
const CHARS: usize = 33;
/// The same for bold text.
const BOLD: usize = 29;
const TOP: i64 = 84;
/// A moment has at most four lines of text below its date.
const LEAST: i64 = 96;

pub fn page(scene: &Scene, told: &str) -> Markup {
    let gaps = i64::try_from(scene.moments.len()).unwrap_or(1) - 1;
    let axis = Axis::new(&scene.times(), TOP, TOP + gaps * (LEAST + 24), LEAST);
    let height = axis.last() + 70;
    let tall = Tall(Frame { scene, axis });
    let need = scene.need.as_ref().map(|need| tall.need(need));
    let marks = html! { (tall.heads()) (tall.lanes()) @if let Some(need) = need { (need) } (tall.thread()) (tall.words()) };
    html! { (drawing("down", (WIDTH, height), told, &marks)) "\n" }
}

struct Tall<'s>(Frame<'s>);

impl Tall<'_> {
    fn left(&self, lane: usize) -> i64 {
        FIRST + STEP * i64::try_from(lane).unwrap_or(0)
    }

    /// Names of the lanes, each with a line to its bar.
    fn heads(&self) -> Markup {
        let scene = self.0.scene;
        let need = scene.need.as_ref().map(|need| format!("{}, {}", need.name, need.note));
        let names = scene.lanes.iter().map(|lane| format!("{}, {}", lane.name, lane.note)).chain(need);
        html! {
            @for (n, name) in names.enumerate() {
                @let (x, y) = (self.left(n) + BAR / 2, 16 + 18 * i64::try_from(n).unwrap_or(0));
                (svg::path("lead", &format!("M{x} {}V{}H{}", TOP - 4, y - 4, WORDS - 6)))
                (svg::text("note", (WORDS, y), Anchor::Start, &shortened(&name, CHARS)))
            }
        }
    }

    fn lanes(&self) -> Markup {
        let Frame { scene, axis } = &self.0;
        html! {
            @for (n, lane) in scene.lanes.iter().enumerate() {
                @let x = self.left(n);
                @for stretch in &lane.stretches {
                    @let (y, end) = (axis.place(stretch.from), axis.place(stretch.to));
                    (svg::rect(stretch.look.word(), (x, y), (BAR, end - y), &stretch.label))
                }
                @if lane.open_start {
                    @let y = lane.stretches.first().map_or(TOP, |first| axis.place(first.from));
                    (svg::path("torn", &format!("M{x} {y}l4 -6l4 6l4 -6l4 6")))
                }
            }
        }
    }

    fn need(&self, need: &Need) -> Markup {
        let frame = &self.0;
        let (x, end) = (self.left(frame.scene.lanes.len()), frame.axis.last());
        let edge = self.left(0) + BAR;
        html! {
            @if let Some((from, _)) = need.held {
                @let y = frame.axis.place(from);
                (svg::rect("service", (x, y), (BAR, end - y), "holds on to the image"))
            }
            @if let Some((from, until)) = need.outage {
                @let y = frame.axis.place(from);
                (svg::rect("outage", (x, y), (BAR, (frame.until(until) - y).max(4)), "nothing was to be had"))
            }
            @for (came, y, _) in frame.asks(need, [5; 3]) {
                @match came {
                    Came::Served => (svg::line("pull", (edge, y), (x, y), "")),
                    Came::InVain => { (svg::line("vain", (edge, y), (x, y), "")) (svg::path("cross", &cross(edge, y))) }
                    Came::Stopped => (svg::path(cross_class(need), &cross(x + BAR / 2, y))),
                }
            }
        }
    }

    fn thread(&self) -> Markup {
        let Frame { scene, axis } = &self.0;
        let Some(first) = scene.rides.first() else { return html! {} };
        let middle = |ride: &Ride| self.left(ride.lane) + BAR / 2;
        let mut path = format!("M{} {}", middle(first), axis.place(first.from));
        let mut before = first;
        for ride in &scene.rides {
            let (x, y) = (middle(ride), axis.place(ride.from));
            if ride.lane == before.lane {
                path.push_str(&format!("M{x} {y}"));
            } else {
                path.push_str(&format!("V{y}C{} {} {x} {} {x} {}", middle(before), y + 8, y, y + 12));
            }
            path.push_str(&format!("V{}", axis.place(ride.to).max(y)));
            before = ride;
        }
        html! { (svg::path("thread-edge", &path)) (svg::path("thread", &path)) }
    }

    fn words(&self) -> Markup {
        let Frame { scene, axis } = &self.0;
        html! {
            @for (n, moment) in scene.moments.iter().enumerate() {
                @let y = axis.of(n);
                @let (day, time) = date(moment.at);
                (svg::line("moment", (FIRST - 6, y), (WORDS - 6, y), ""))
                (svg::text("date", (WORDS, y + 4), Anchor::Start, &format!("{day} {time}")))
                (self.words_of(n, y))
                @if let Some(next) = scene.moments.get(n + 1) {
                    @let gap = format!("↓ {}", span(next.at.seconds_since(moment.at)));
                    (svg::text("gap", (WORDS, axis.of(n + 1) - 12), Anchor::Start, &gap))
                }
            }
        }
    }

    /// The text of a moment; the first one also names the tag.
    fn words_of(&self, number: usize, y: i64) -> Markup {
        let scene = self.0.scene;
        let Some(moment) = scene.moments.get(number) else { return html! {} };
        let bad = matches!(moment.sign, Sign::Drop | Sign::Untag | Sign::Failure);
        let words = match scene.tag.as_deref().filter(|_| number == 0 && !scene.rides.is_empty()) {
            Some(tag) => format!("{}, tag {}", moment.words, shortened(tag, CHARS)),
            None => moment.words.clone(),
        };
        let (class, chars) = if bad { ("bad", BOLD) } else { ("word", CHARS) };
        html! {
            @for (line, words) in (1_i64..).zip(wrapped(&words, chars, 4)) { (svg::text(class, (WORDS, y + 4 + 15 * line), Anchor::Start, &words)) }
        }
    }
}
