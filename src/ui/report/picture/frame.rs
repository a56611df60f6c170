//! What both drawings of a picture share: the positions of moments, and which requests there is room to
//! mark.

use super::axis::Axis;
use super::need::Need;
use super::scene::{Look, Scene, Sign, Stretch};
use crate::model::Timestamp;
use crate::ui::report::Ask;

/// A scene with its axis.
pub struct Frame<'s> {
    pub scene: &'s Scene,
    pub axis: Axis,
}

/// How a request for the image ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    Served,
    InVain,
    /// A task stopped because the image was missing.
    Stopped,
}

impl Frame<'_> {
    /// The position of a moment; two moments in one second have positions of their own.
    pub fn at(&self, sign: Sign, otherwise: Timestamp) -> i64 {
        self.scene.moment(sign).map_or_else(|| self.axis.place(otherwise), |(number, _)| self.axis.of(number))
    }

    /// The position of a time, or the end of the axis if there is none.
    pub fn until(&self, time: Option<Timestamp>) -> i64 {
        time.map_or(self.axis.last(), |time| self.axis.place(time))
    }

    /// The position of the second push, if it was in the same second as the first.
    pub fn drop_at_once(&self) -> Option<i64> {
        let (number, drop) = self.scene.moment(Sign::Drop)?;
        let first = self.scene.moments.first()?;
        (number > 0 && first.at.seconds() == drop.at.seconds()).then(|| self.axis.of(number))
    }

    /// The ends of a stretch. An image that lost its tag in the second in which it got it is still shown
    /// with it.
    pub fn ends_of(&self, lane: usize, stretch: &Stretch) -> (i64, i64) {
        let drop = self.drop_at_once().filter(|_| lane == 0 && stretch.look == Look::Fuse);
        (drop.unwrap_or_else(|| self.place_of(lane, stretch.from)), self.place_of(lane, stretch.to))
    }

    /// The position of a time on a lane. Of two moments in one second, the first belongs to the lost image
    /// and the second to the other one.
    pub fn place_of(&self, lane: usize, time: Timestamp) -> i64 {
        let second = self.scene.moment(Sign::Drop).filter(|(_, drop)| drop.at.seconds() == time.seconds());
        let is_start = self.scene.moments.first().is_some_and(|first| first.at == time);
        match second {
            Some((number, _)) if lane > 0 || !is_start => self.axis.of(number),
            _ if is_start => self.axis.of(0),
            _ => self.axis.place(time),
        }
    }

    /// Requests with their positions: those served, those in vain, tasks that stopped; each kind at least
    /// `apart` from each other.
    pub fn asks<'n>(&self, need: &'n Need, apart: [i64; 3]) -> Vec<(Came, i64, &'n Ask)> {
        let mut last = [i64::MIN; 3];
        let mut shown = Vec::new();
        for ask in &need.asks {
            let came = match (ask.in_vain, ask.stopped) {
                (false, _) => Came::Served,
                (true, false) => Came::InVain,
                (true, true) => Came::Stopped,
            };
            let (place, kind) = (self.axis.place(ask.at), came as usize);
            if place.saturating_sub(last[kind]) > apart[kind] {
                last[kind] = place;
                shown.push((came, place, ask));
            }
        }
        shown
    }
}

/// A cross of eight units, as a path around its centre.
pub fn cross(x: i64, y: i64) -> String {
    format!("M{} {}l8 8m0 -8l-8 8", x - 4, y - 4)
}

/// The CSS class of a stopped task's cross, which has another colour on the red block.
pub const fn cross_class(need: &Need) -> &'static str {
    if need.outage.is_some() { "cross on-red" } else { "cross" }
}

/// `2 Mar 2026`, `13:41:07`.
pub fn date(at: Timestamp) -> (String, String) {
    match at.to_chrono() {
        Some(time) => (time.format("%-d %b %Y").to_string(), time.format("%H:%M:%S").to_string()),
        None => (at.to_string(), String::new()),
    }
}
