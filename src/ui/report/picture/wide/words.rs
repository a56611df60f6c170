//! The texts of the picture: between the lanes, beside the signs, and along the axis.

use maud::{Markup, html};

use super::{BAR, LEFT, RIGHT, Wide, sign_of};
use crate::model::Timestamp;
use crate::ui::quantity::span;
use crate::ui::report::picture::frame::date;
use crate::ui::report::picture::scene::{Sign, shortened};
use crate::ui::report::picture::svg::{self, Anchor, width_of, wrapped};

/// Half of the width of a date.
const HALF: i64 = 39;

impl Wide<'_> {
    /// The texts between the lanes.
    pub(super) fn labels(&self) -> Markup {
        let y = self.top(0) + BAR + 22;
        let said = [Sign::Drop, Sign::Untag]
            .into_iter()
            .filter_map(|sign| Some((sign, self.0.scene.moment(sign)?.1)));
        html! {
            @for (sign, moment) in said {
                @let x = self.0.at(sign, moment.at);
                @let words = shortened(&moment.words, 96);
                @let fits = x + 14 + width_of(&words) * 11 / 10 < RIGHT;
                @let (place, anchor) = if fits { (x + 14, Anchor::Start) } else { (RIGHT, Anchor::End) };
                (svg::text("bad halo", (place, y), anchor, &words))
            }
        }
    }

    pub(super) fn signs(&self) -> Markup {
        let signs = self
            .0
            .scene
            .moments
            .iter()
            .enumerate()
            .filter_map(|(number, moment)| Some((number, moment, sign_of(moment.sign)?)));
        html! {
            @for (number, moment, id) in signs {
                @let x = self.0.axis.of(number);
                (svg::line("pole", (x, 30), (x, self.top(0) + BAR + 4), ""))
                (svg::sign(id, (x, 26), &moment.words))
                (beside(x, &moment.words))
            }
        }
    }

    pub(super) fn axis(&self) -> Markup {
        let (frame, y) = (&self.0, self.axis_top());
        let mut ends = [i64::MIN; 2];
        let mut last: Option<(Timestamp, i64)> = None;
        let mut marks = vec![svg::line("axis", (LEFT, y), (RIGHT, y), "")];
        for (number, moment) in frame.scene.moments.iter().enumerate() {
            let x = frame.axis.of(number);
            if let Some((before, from)) = last {
                let gap = moment.at.seconds_since(before);
                let words = if gap == 0 { "0 s".to_owned() } else { span(gap) };
                let fits = width_of(&words) < x - from;
                marks.extend(
                    fits.then(|| svg::text("gap halo", ((x + from) / 2, y - 6), Anchor::Middle, &words)),
                );
            }
            if last.is_none_or(|(before, _)| before.seconds() != moment.at.seconds()) {
                marks.push(dated(moment.at, (x, y), &mut ends));
            }
            last = Some((moment.at, x));
        }
        html! { @for mark in marks { (mark) } }
    }
}

/// The text of a sign, on the side that has room for it.
fn beside(x: i64, words: &str) -> Markup {
    let to_left = x > (LEFT + RIGHT) / 2;
    let room = if to_left { x - LEFT - 30 } else { RIGHT - x - 16 };
    let chars = usize::try_from(room.min(440) * 2 / 13).unwrap_or(20);
    let (place, anchor) = if to_left { (x - 17, Anchor::End) } else { (x + 17, Anchor::Start) };
    html! { @for (n, line) in (0_i64..).zip(wrapped(words, chars, 2)) { (svg::text("rule halo", (place, 22 + 15 * n), anchor, &line)) } }
}

/// A date in the first row that has room for it.
fn dated(at: Timestamp, (x, y): (i64, i64), ends: &mut [i64; 2]) -> Markup {
    let place = x.min(RIGHT + 12 - HALF);
    let row = ends.iter().position(|end| place - HALF > *end);
    let tick = svg::line("axis", (x, y - 4), (x, y + 4), &at.to_string());
    let Some(row) = row else { return tick };
    ends[row] = place + HALF;
    let (day, time) = date(at);
    let top = y + 17 + 26 * i64::try_from(row).unwrap_or(0);
    html! {
        (tick)
        @if row > 0 { (svg::line("axis faint", (x, y + 4), (x, top - 10), "")) }
        (svg::text("date", (place, top), Anchor::Middle, &day))
        (svg::text("date", (place, top + 13), Anchor::Middle, &time))
    }
}
