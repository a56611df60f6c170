//! What asked for the image and what kept it, below the lanes of the images.

use maud::{Markup, html};

use super::{BAR, LEFT, RIGHT, Wide};
use crate::ui::report::picture::frame::{Came, cross, cross_class};
use crate::ui::report::picture::need::Need;
use crate::ui::report::picture::scene::shortened;
use crate::ui::report::picture::svg::{self, Anchor, width_of};

impl Wide<'_> {
    pub(super) fn need(&self, need: &Need) -> Markup {
        let (axis, y) = (&self.0.axis, self.need_top());
        html! {
            (svg::text("name", (8, y + 9), Anchor::Start, &shortened(&need.name, 24)))
            (svg::text("note", (8, y + 25), Anchor::Start, &shortened(&need.note, 30)))
            @if let Some((from, _)) = need.held {
                @let x = axis.place(from);
                (svg::rect("service", (x, y), (axis.last() - x, BAR), "holds on to the image"))
            } @else if let (Some(first), Some(last)) = (need.asks.first(), need.asks.last()) {
                @let (x, end) = (axis.place(first.at) - 12, axis.place(last.at) + 12);
                (svg::line("asker", (x, y + BAR / 2), (end, y + BAR / 2), "from the first time it asked to the last"))
            }
            (self.asks(need)) (self.harm(need))
        }
    }

    fn asks(&self, need: &Need) -> Markup {
        let frame = &self.0;
        let (top, bottom) =
            (self.top(0) + BAR, self.need_top() + if need.held.is_some() { 0 } else { BAR / 2 });
        let mut asks = frame.asks(need, [4, 2, 2]);
        // Failures are drawn over requests that were served.
        asks.sort_by_key(|(came, ..)| *came != Came::Served);
        html! {
            @if let Some((from, until)) = need.outage {
                @let x = frame.axis.place(from);
                (svg::rect("outage", (x, self.need_top()), ((frame.until(until) - x).max(4), BAR), "nothing was to be had"))
            }
            @for (came, x, ask) in asks {
                @match came {
                    Came::Served => (svg::line("pull", (x, top), (x, bottom), &format!("pulled {}", ask.at))),
                    Came::Stopped => (svg::path(cross_class(need), &cross(x, self.need_top() + BAR / 2))),
                    Came::InVain => {
                        (svg::line("vain", (x, top + 1), (x, bottom), &format!("asked for in vain {}", ask.at)))
                        (svg::path("cross", &format!("M{} {}l6 6m0 -6l-6 6", x - 3, top - 3)))
                    }
                }
            }
        }
    }

    /// Who was affected, and how that ended.
    fn harm(&self, need: &Need) -> Markup {
        let (frame, y) = (&self.0, self.need_top());
        let Some(harm) = &need.harm else { return html! {} };
        let from = need.first_failure().map_or(LEFT, |at| frame.axis.place(at));
        let to = match need.outage {
            Some((_, until)) => frame.until(until),
            None => need
                .asks
                .iter()
                .filter(|ask| ask.in_vain)
                .map(|ask| frame.axis.place(ask.at))
                .max()
                .unwrap_or(from),
        };
        let wide = need.ending.as_ref().map_or(0, |ending| width_of(ending)).max(width_of(harm) * 11 / 10);
        let middle = ((from + to) / 2).min(RIGHT - wide / 2).max(LEFT + wide / 2);
        html! {
            (svg::text("bad halo", (middle, y + BAR + 20), Anchor::Middle, harm))
            @if let Some(ending) = &need.ending { (svg::text("note halo", (middle, y + BAR + 36), Anchor::Middle, ending)) }
        }
    }
}
