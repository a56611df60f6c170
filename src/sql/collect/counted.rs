//! Groups that have been counted while a lake was read, as the answer that they make.

use super::{Gathered, Gathering, Groups};
use crate::sql::error::Result;
use crate::sql::panics::caught;
use crate::sql::stream::flow::Flow;
use crate::sql::stream::flow::over_groups::OverGroups;
use crate::sql::stream::flow::shown::ShownGroups;
use crate::sql::stream::preaggregation::plan::Plan;
use crate::sql::stream::preaggregation::{PreAggregation, Show};

impl Gathering<'_> {
    /// What all workers have counted.
    pub(super) fn counted(&self, plan: &Plan, workers: Vec<PreAggregation<'_>>) -> Result<Gathered> {
        let limits = &self.flow_room.limits;
        if let (Some(inner), Some(outer)) = (self.query.flow(), self.query.outer_flow())
            && inner.are_groups_by_events()
            && let Ok(Some(outer)) = caught(|| inner.around(outer, &self.flow_room))
        {
            return self.counted_for(plan, workers, inner, &outer);
        }
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

    /// What all workers have counted, or what came of it in the query around the one that counts.
    fn counted_for(
        &self,
        plan: &Plan,
        workers: Vec<PreAggregation<'_>>,
        inner: &Flow,
        outer: &Flow,
    ) -> Result<Gathered> {
        let over = OverGroups::new(inner, outer, &self.flow_room);
        let show = |groups, places| over.add(&groups, places);
        let counted = caught(|| PreAggregation::finish(plan, &self.room, workers, self.jobs, Some(&show)));
        let done = match counted {
            Ok(Some(counted)) => return Ok(Gathered::Counted(Groups(counted))),
            Ok(None) => caught(|| over.finish(self.jobs)).and_then(|flowed| self.whole(outer, flowed)),
            Err(error) => Err(error),
        };
        match done {
            Ok(gathered) => Ok(gathered),
            Err(error) if error.of_disk => Err(error),
            Err(_) => {
                self.flow_room.renew();
                Ok(Gathered::GivenUp)
            }
        }
    }
}
