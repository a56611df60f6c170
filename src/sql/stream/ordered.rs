//! An answer that was sorted on disk because it does not fit into memory.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::{Mutex, PoisonError};

use super::line::{Interrupted, in_order};
use super::spill::sorted::Merged;
use crate::sql::answer::Answer;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::{Limits, held_bytes};
use crate::sql::types::relation::{Relation, under};

/// Rows that are read from a temporary file.
#[derive(Debug)]
pub struct Ordered {
    rows: Mutex<Cut>,
    /// The answer without rows.
    empty: Answer,
}

/// Sorted rows after OFFSET and LIMIT have been applied.
#[derive(Debug)]
struct Cut {
    rows: Merged,
    skip: usize,
    left: usize,
}

impl Cut {
    fn next(&mut self) -> Result<Option<Relation>> {
        while self.left > 0 {
            let Some(rows) = self.rows.rows()? else { return Ok(None) };
            let skipped = self.skip.min(rows.height);
            let rows = rows.slice(skipped, self.left);
            self.skip -= skipped;
            self.left -= rows.height;
            if rows.height > 0 {
                return Ok(Some(rows));
            }
        }
        Ok(None)
    }
}

impl Ordered {
    /// At most `count` of the `rows` after the first `offset`. `columns` has their names and types.
    pub(in crate::sql) fn new(
        rows: Merged,
        columns: Relation,
        (offset, count): (usize, usize),
    ) -> Result<Self> {
        Ok(Self {
            rows: Mutex::new(Cut { rows, skip: offset, left: count }),
            empty: Answer::new(columns.seen().slice(0, 0))?,
        })
    }

    /// The answer's columns, without rows.
    pub fn columns(&self) -> &Answer {
        &self.empty
    }

    /// The next rows of the answer; `None` at its end.
    pub(in crate::sql) fn next(&self) -> Result<Option<Relation>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).next()
    }

    /// Bytes on disk.
    pub fn bytes(&self) -> u64 {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner).rows.bytes()
    }

    /// Passes on all rows like [`Export::each`](super::flow::export::Export::each).
    ///
    /// # Errors
    ///
    /// The temporary file cannot be read; the errors of `render` and `take`.
    pub fn each<T: Send>(
        &self,
        jobs: usize,
        cancelled: &AtomicBool,
        render: impl Fn(&Answer) -> io::Result<T> + Sync,
        take: impl FnMut(T) -> io::Result<()>,
    ) -> std::result::Result<u64, Interrupted> {
        let next = |_: usize| self.rows.lock().unwrap_or_else(PoisonError::into_inner).next();
        let work = |rows: Relation| {
            let answer = Answer::new(rows)?;
            Ok((answer.height() as u64, render(&answer)?))
        };
        in_order(jobs, cancelled, next, work, take)
    }

    /// All rows at once, if they fit into memory.
    ///
    /// # Errors
    ///
    /// They do not fit, or the temporary file cannot be read.
    pub fn whole(&self, limits: &Limits) -> std::result::Result<Answer, SqlError> {
        let mut cut = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        let (mut whole, mut bytes) = (None, 0);
        while let Some(rows) = cut.next()? {
            bytes += rows.columns.iter().map(held_bytes).sum::<usize>();
            limits.fits(bytes, 2)?;
            whole = Some(match whole {
                None => rows,
                Some(before) => under(before, rows)?,
            });
        }
        let Some(mut whole) = whole else { return Ok(self.empty.clone()) };
        whole.columns.iter_mut().for_each(|column| *column = column.rechunk());
        Answer::new(whole)
    }
}
