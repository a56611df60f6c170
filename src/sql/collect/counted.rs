//! Groups that have been counted while a lake was read, as the answer that they make.

use super::{Gathered, Gathering, Groups};
use crate::sql::error::Result;
use crate::sql::panics::caught;
use crate::sql::stream::flow::shown::ShownGroups;
use crate::sql::stream::preaggregation::plan::Plan;
use crate::sql::stream::preaggregation::{PreAggregation, Show};

impl Gathering<'_> {
    /// What all workers have counted.
    pub(super) fn counted(&self, plan: &Plan, workers: Vec<PreAggregation<'_>>) -> Result<Gathered> {
        let limits = &self.flow_room.limits;
        let shown = self.query.flow().and_then(|flow| ShownGroups::of(flow, limits, self.flow_room.spill()));
        let show = |groups, places| match &shown {
            Some(shown) => shown.add(&groups, places),
            None => Ok(()),
        };
        let show: Option<Show<'_>> = if shown.is_some() { Some(&show) } else { None };
        let counted = caught(|| PreAggregation::finish(plan, &self.room, workers, self.jobs, show));
        let done = match (counted, shown) {
            (Ok(Some(counted)), _) => return Ok(Gathered::Counted(Groups(counted))),
            (Ok(None), Some(shown)) => caught(|| shown.finish()),
            (Ok(None), None) => return Ok(Gathered::GivenUp),
            (Err(error), _) => Err(error),
        };
        match done {
            Ok(flowed) => self.flowed_as(flowed),
            Err(error) if error.of_disk => Err(error),
            // Whatever else is wrong, the way over rows finds it, and the words for it.
            Err(_) => Ok(Gathered::GivenUp),
        }
    }
}
