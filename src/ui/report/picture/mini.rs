//! A finding's picture in the size of a line of text, on the time axis of its repository: what is at the
//! same horizontal position happened at the same time, and the lines for policy changes and runs go through
//! all pictures.

use maud::{Markup, html};

use super::axis::Axis;
use super::scene::Scene;
use super::svg::{self, lines};
use crate::model::Timestamp;

const WIDTH: i64 = 240;
const BAR: i64 = 8;
/// With more moments than this, an axis only has the first and the last.
const MOMENTS_MAX: usize = 60;

/// The axis shared by all pictures of a repository.
pub struct Shared {
    axis: Axis,
    runs: Vec<Timestamp>,
    policies: Vec<Timestamp>,
}

impl Shared {
    pub fn of<'s>(scenes: impl Iterator<Item = &'s Scene>) -> Self {
        let (mut moments, mut runs, mut policies) = (Vec::new(), Vec::new(), Vec::new());
        for scene in scenes {
            moments.extend(scene.times());
            runs.extend_from_slice(&scene.runs);
            policies.extend_from_slice(&scene.policies);
        }
        for times in [&mut moments, &mut runs, &mut policies] {
            times.sort_unstable();
            times.dedup();
        }
        if moments.len() > MOMENTS_MAX {
            let ends = [moments.first().copied(), moments.last().copied()];
            moments = ends.into_iter().flatten().collect();
        }
        Self { axis: Axis::new(&moments, 2, WIDTH - 2, 2), runs, policies }
    }
}

pub fn page(scene: &Scene, shared: &Shared) -> Markup {
    let vain: Vec<Timestamp> =
        scene.need.iter().flat_map(|need| &need.asks).filter(|ask| ask.in_vain).map(|ask| ask.at).collect();
    html! {
        svg class="mini" viewBox="0 0 240 20" aria-hidden="true" {
            @for (class, times) in [("line-run", &shared.runs), ("line-policy", &shared.policies)] {
                (svg::path(class, &lines(&shared.axis, times, 0, 20)))
            }
            @for stretch in scene.lanes.first().iter().flat_map(|lane| &lane.stretches) {
                @let (x, end) = (shared.axis.place(stretch.from), shared.axis.place(stretch.to));
                (svg::rect(stretch.look.word(), (x, 6), ((end - x).max(1), BAR), ""))
            }
            (svg::path("vain", &lines(&shared.axis, &vain, 2, 18)))
        }
    }
}
