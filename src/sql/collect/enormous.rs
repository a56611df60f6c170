//! A share that does not fit into memory, because one value of what is joined has too many rows: the rows of one
//! occurrence of the events table are looked at some at a time, together with all rows of the others.

use super::Gathering;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::held_bytes;
use crate::sql::panics::caught;
use crate::sql::stream::flow::{self, Flow, Worker};
use crate::sql::stream::spill::spread::Spread;
use crate::sql::types::relation::Relation;

impl Gathering<'_> {
    /// Evaluates a share; if what is made of it does not fit into memory, one half after the other, where rows can
    /// be looked at some at a time.
    pub(super) fn add_share(&self, worker: &mut Worker<'_>, tables: Vec<Relation>) -> Result<()> {
        let flow = worker.flow();
        let part = match caught(|| flow.share(tables.clone(), &self.flow_room.limits)) {
            Err(error) if error.of_memory => {
                let height = |at: usize| tables.get(at).map_or(0, |table| table.height);
                let separable = |at: &usize| flow.separable().get(*at) == Some(&true) && height(*at) > 1;
                let largest =
                    (0..tables.len()).filter(separable).max_by_key(|at| height(*at)).ok_or(error)?;
                let half = height(largest) / 2;
                for (start, count) in [(0, half), (half, usize::MAX)] {
                    let mut tables = tables.clone();
                    if let Some(table) = tables.get_mut(largest) {
                        *table = table.slice(start, count);
                    }
                    self.add_share(worker, tables)?;
                }
                return Ok(());
            }
            part => part?,
        };
        worker.gather(part)
    }
}

/// Such a share.
pub(super) struct Enormous<'s> {
    pub flow: &'s Flow,
    /// The rows of each occurrence, and none of them.
    pub spreads: Vec<&'s Spread>,
    pub empty: Vec<Relation>,
    pub share: usize,
    /// Memory of the rows that are looked at at a time, and of all others.
    pub rows_bytes: u64,
    pub bytes_max: u64,
}

impl Enormous<'_> {
    /// Calls `work` with rows of each occurrence, until each row has met all rows of the others.
    pub fn each(&self, work: &mut dyn FnMut(Vec<Relation>) -> Result<()>) -> Result<()> {
        let (longest, mut tables) = self.others()?;
        let mut look = |rows: Vec<Relation>| {
            if let (Some(slot), Some(rows)) = (tables.get_mut(longest), in_order(rows)?) {
                *slot = rows;
            }
            work(tables.clone())
        };
        let (mut some, mut bytes) = (Vec::new(), 0);
        self.each_piece(longest, &mut |rows| {
            bytes += bytes_of(&rows);
            some.push(rows);
            if bytes <= self.rows_bytes {
                return Ok(());
            }
            bytes = 0;
            look(std::mem::take(&mut some))
        })?;
        if some.is_empty() { Ok(()) } else { look(some) }
    }

    /// The occurrence whose rows are looked at some at a time, and the rows of the others.
    fn others(&self) -> Result<(usize, Vec<Relation>)> {
        let needed = (0..self.spreads.len()).map(|at| self.bytes_of(at)).collect::<Result<Vec<_>>>()?;
        let separable = self.flow.separable();
        let longest = (0..needed.len())
            .filter(|at| separable.get(*at) == Some(&true))
            .max_by_key(|at| needed.get(*at).copied().unwrap_or(0));
        let others = needed.iter().enumerate().filter(|(at, _)| Some(*at) != longest);
        let bytes = others.map(|(_, bytes)| bytes).sum::<u64>();
        let Some(longest) = longest.filter(|_| bytes <= self.bytes_max) else {
            return Err(refused(bytes));
        };
        let mut tables = self.empty.clone();
        for (at, table) in tables.iter_mut().enumerate().filter(|(at, _)| *at != longest) {
            let mut pieces = Vec::new();
            self.each_piece(at, &mut |rows| {
                pieces.push(rows);
                Ok(())
            })?;
            if let Some(rows) = in_order(pieces)? {
                *table = rows;
            }
        }
        Ok((longest, tables))
    }

    /// What the rows of an occurrence take that meet its conditions.
    fn bytes_of(&self, at: usize) -> Result<u64> {
        let mut bytes = 0;
        self.each_piece(at, &mut |rows| {
            bytes += bytes_of(&rows);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Gives the rows of an occurrence that meet its conditions.
    fn each_piece(&self, at: usize, give: &mut dyn FnMut(Relation) -> Result<()>) -> Result<()> {
        let Some(spread) = self.spreads.get(at) else { return Ok(()) };
        for rows in spread.share(self.share) {
            let mut each = self.empty.clone();
            if let Some(table) = each.get_mut(at) {
                *table = rows?;
            }
            if let Some(rows) = self.flow.of_occurrences(each)?.into_iter().nth(at)
                && rows.height > 0
            {
                give(rows)?;
            }
        }
        Ok(())
    }
}

fn refused(bytes: u64) -> SqlError {
    let said = format!(
        "one value of what is joined, grouped or partitioned by has {} MiB of rows that are needed at once; a \
         condition on one of the tables, or another column to join or group by, makes them fewer",
        bytes >> 20
    );
    SqlError { of_memory: true, ..SqlError::new(said) }
}

fn bytes_of(rows: &Relation) -> u64 {
    rows.columns.iter().map(held_bytes).sum::<usize>() as u64
}

fn in_order(pieces: Vec<Relation>) -> Result<Option<Relation>> {
    Relation::stacked(pieces)?.map(flow::in_order_of_events).transpose()
}
