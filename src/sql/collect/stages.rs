//! Queries over rows on disk that are answered in stages.

use super::disk_rows::Stored;
use super::{Gathered, Gathering, Worked};
use crate::sql::error::Result;
use crate::sql::memory::{held_bytes, too_much};
use crate::sql::panics::caught;
use crate::sql::scope::Ctes;
use crate::sql::stream::flow::over_rows::numbered;
use crate::sql::stream::flow::stages::Stages;
use crate::sql::stream::flow::{Flow, Flowed, Worker};
use crate::sql::stream::ordered::Ordered;

/// The part of the memory that the rows of all stages may take.
const STAGES_PART: u64 = 4;

impl Gathering<'_> {
    /// Evaluates the inner queries one after another, and then the query around them.
    pub(super) fn of_stages_on_disk(&self, stages: &Stages, stored: &Stored) -> Result<Gathered> {
        let limits = &self.flow_room.limits;
        let (mut tables, mut bytes) = (Ctes::default(), 0);
        for stage in stages.stages() {
            let flowed = self.of_flow_on_disk(&stage.flow, stored)?;
            let rows = caught(|| stage.flow.answer(flowed, limits))?;
            bytes += rows.columns.iter().map(held_bytes).sum::<usize>() as u64;
            if bytes > self.memory_bytes_max / STAGES_PART {
                return Err(too_much(self.memory_bytes_max));
            }
            tables = tables.with(stage.name.clone(), rows);
        }
        let flowed = match stages.outer_flow(&tables) {
            Some(flow) => {
                let flowed = self.of_flow_on_disk(&flow, stored)?;
                caught(|| flow.shown(flowed, limits))?
            }
            None => Flowed::Rows(caught(|| stages.outer_rows(&tables, limits))?),
        };
        self.flowed_as(flowed)
    }

    /// Evaluates the query around another one in pieces of its rows.
    pub(super) fn over_rows_on_disk(&self, flow: &Flow, rows: &Ordered) -> Result<Gathered> {
        let limits = &self.flow_room.limits;
        self.flow_room.renew();
        let flow = flow.clone().with_columns(&rows.columns().clone().into_rows())?;
        let (mut worker, mut count) = (Worker::new(&flow, &self.flow_room), 0);
        caught(|| {
            while let Some(rows) = rows.next()? {
                limits.fits(0, 0)?;
                let height = i64::try_from(rows.height).unwrap_or(i64::MAX);
                worker.add_share(vec![numbered(rows, count)], limits)?;
                count += height;
            }
            Ok(())
        })?;
        let flowed = caught(|| flow.finish(worker.into_parts(), &self.flow_room, self.jobs))?;
        self.whole(&flow, flowed)
    }

    /// The answer, where nothing is around the query that was evaluated.
    pub(super) fn whole(&self, flow: &Flow, flowed: Flowed) -> Result<Gathered> {
        let limits = &self.flow_room.limits;
        Ok(match caught(|| flow.shown(flowed, limits))? {
            Flowed::Ordered(ordered) => Gathered::Ordered(ordered),
            flowed => Gathered::Flowed(Worked(Flowed::Whole(caught(|| flow.answer(flowed, limits))?))),
        })
    }

    /// Evaluates rows on disk in pieces, share by share, or in the order of windows.
    pub(super) fn of_flow_on_disk(&self, flow: &Flow, stored: &Stored) -> Result<Flowed> {
        self.flow_room.renew();
        if let Some(sequence) = flow.sequence() {
            return self.of_sequence_on_disk(flow, sequence, stored);
        }
        match flow.events_tables() {
            Some(events_tables) => self.of_shares_on_disk(flow, events_tables, stored),
            None => self.worked_out(flow, stored.count(), &|at| stored.piece(at).map(Some)),
        }
    }
}
