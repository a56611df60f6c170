//! The order of events.

use rayon::prelude::*;

use super::fact::Noted;
use super::fold::compare_ids;
use super::names::{EventNo, Names};

/// The place of each event in the order of time and `eventID`. Events that are alike in both, and in their
/// identity, share a place. What events say is sorted by these places, which are compared more quickly than the
/// events.
#[derive(Debug, Default)]
pub(super) struct EventOrder(Vec<u32>);

impl EventOrder {
    pub(super) fn of(events: &[Noted], names: &Names) -> Self {
        let compare = |&(time, number): &(i64, usize), &(other_time, other): &(i64, usize)| {
            let (left, right) = (&events[number], &events[other]);
            time.cmp(&other_time)
                .then_with(|| compare_ids(left.order_id(), right.order_id(), names))
                .then_with(|| left.identity.cmp(&right.identity))
        };
        let mut sorted: Vec<(i64, usize)> =
            events.iter().enumerate().map(|(number, event)| (event.time, number)).collect();
        // A stable sort is quick where much is sorted already, as in an archive.
        sorted.par_sort_by(compare);
        let mut places = vec![0; events.len()];
        let (mut place, mut before) = (0, sorted.first());
        for event in &sorted {
            if before.is_some_and(|before| compare(before, event).is_lt()) {
                place += 1;
            }
            places[event.1] = place;
            before = Some(event);
        }
        Self(places)
    }

    pub(super) fn place(&self, event: EventNo) -> u32 {
        self.0[event.index()]
    }
}
