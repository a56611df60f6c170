//! The memory limit of a query, and its cancellation.
//!
//! Before anything large is allocated it is checked that there is room, so a query that needs too much
//! memory is refused before it takes it. Only new allocations of a step count; a text that appears in many
//! rows is stored once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use polars::prelude::{DataType, Series};

use crate::sql::error::{Result, SqlError};
use crate::sql::types::relation::Relation;

/// Bytes for each row of a step's result, for its index in all forms.
pub(in crate::sql) const INDEX_BYTES: usize = 24;

/// The limits of a query. By default there are none.
#[derive(Debug, Clone, Default)]
pub struct Limits {
    /// Bytes that one step of a query may allocate; `None`: no limit.
    pub memory_bytes_max: Option<u64>,
    /// Becomes true when the answer is not wanted any more.
    pub cancelled: Option<Arc<AtomicBool>>,
}

impl Limits {
    /// Checks that `count` items of `bytes_each` fit, and that the query is not cancelled.
    ///
    /// # Errors
    ///
    /// They do not fit, or the query is cancelled.
    pub(in crate::sql) fn fits(&self, count: usize, bytes_each: usize) -> Result<()> {
        if self.cancelled.as_ref().is_some_and(|cancelled| cancelled.load(Ordering::Relaxed)) {
            return Err(SqlError::new("interrupted before the answer was there"));
        }
        let bytes = count.saturating_mul(bytes_each) as u64;
        match self.memory_bytes_max {
            Some(most) if bytes > most => Err(too_much(most)),
            _ => Ok(()),
        }
    }

    /// The same for rows that are selected from a relation.
    pub(in crate::sql) fn fits_rows(&self, count: usize, bytes_each: usize) -> Result<()> {
        self.fits(count, bytes_each.saturating_add(INDEX_BYTES))
    }
}

/// The error for rows that do not fit.
pub(in crate::sql) fn too_much(memory_bytes_max: u64) -> SqlError {
    let message = format!("the rows that this query needs take more than {} MiB", memory_bytes_max >> 20);
    SqlError { of_memory: true, ..SqlError::new(message) }
}

/// Bytes of a row that is copied. Texts are not copied, only their views.
pub(in crate::sql) fn row_bytes(rows: &Relation) -> usize {
    rows.columns.iter().map(cell_bytes).sum()
}

/// The same for one column.
pub(in crate::sql) fn cell_bytes(column: &Series) -> usize {
    match column.dtype() {
        DataType::String => 16,
        DataType::List(_) => {
            let Ok(lists) = column.list() else { return 8 };
            let elements = lists.inner_length();
            8 + elements.div_ceil(column.len().max(1)) * cell_bytes(&lists.get_inner().slice(0, 1))
        }
        DataType::Struct(_) => {
            column.struct_().map_or(8, |rows| rows.fields_as_series().iter().map(cell_bytes).sum())
        }
        DataType::Boolean => 1,
        _ => 8,
    }
}

/// Bytes of a column as it is stored: texts that several rows have are stored once.
pub(in crate::sql) fn stored_bytes(column: &Series) -> usize {
    let Ok(texts) = column.str() else { return column.estimated_size() };
    let chunks = texts.downcast_iter().map(|chunk| {
        let stored = chunk.data_buffers().iter().map(|buffer| buffer.len()).sum::<usize>();
        stored.min(chunk.total_bytes_len()) + 16 * chunk.len()
    });
    chunks.sum()
}

/// Bytes of a column with all its texts.
pub(in crate::sql) fn held_bytes(column: &Series) -> usize {
    match column.dtype() {
        DataType::String => {
            let texts = column.str().map_or(0, |texts| texts.iter().flatten().map(str::len).sum());
            texts + 16 * column.len()
        }
        DataType::List(_) => {
            column.list().map_or(0, |lists| held_bytes(&lists.get_inner())) + 8 * column.len()
        }
        DataType::Struct(_) => {
            column.struct_().map_or(0, |rows| rows.fields_as_series().iter().map(held_bytes).sum())
        }
        DataType::Boolean => column.len() / 4,
        _ => 8 * column.len(),
    }
}
