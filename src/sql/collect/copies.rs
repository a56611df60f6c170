//! Duplicates: of all copies of an event, the row whose object and index come first is kept.

use polars::prelude::{Int64Chunked, StringChunked};

use crate::sql::error::{Result, SqlError};
use crate::tables::Rows;
use crate::tables::events::IDENTITY;

/// The columns of a piece that identify events.
pub(super) struct Told<'p> {
    pub(super) identities: &'p Int64Chunked,
    objects: &'p StringChunked,
    records: &'p Int64Chunked,
}

impl<'p> Told<'p> {
    pub(super) fn of(piece: &'p Rows) -> Result<Self> {
        let column = |name: &str| {
            let found = piece.columns.iter().find(|(column, _)| *column == name);
            found.map(|(_, column)| column).ok_or_else(|| SqlError::new("a column is missing"))
        };
        Ok(Self {
            identities: column(IDENTITY)?.i64()?,
            objects: column("object")?.str()?,
            records: column("record")?.i64()?,
        })
    }

    /// The position of a row's record.
    pub(super) fn place(&self, row: u32) -> (Option<&'p str>, Option<i64>) {
        (self.objects.get(row as usize), self.records.get(row as usize))
    }
}

/// The pieces without duplicates, and without the identity column.
pub(super) fn first_of_each(mut pieces: Vec<Rows>) -> Result<Vec<Rows>> {
    let dropped = dropped(&pieces)?;
    for (piece, dropped) in pieces.iter_mut().zip(dropped) {
        piece.columns.retain(|(name, _)| *name != IDENTITY);
        if dropped.is_empty() {
            continue;
        }
        let mut keep = vec![true; piece.height];
        dropped.iter().filter_map(|row| keep.get_mut(*row as usize).map(|keep| *keep = false)).for_each(drop);
        piece.retain(&keep)?;
    }
    Ok(pieces)
}

/// For each piece, the rows that are duplicates.
fn dropped(pieces: &[Rows]) -> Result<Vec<Vec<u32>>> {
    let told = pieces.iter().map(Told::of).collect::<Result<Vec<_>>>()?;
    let mut rows: Vec<(i64, u32, u32)> = Vec::with_capacity(pieces.iter().map(|piece| piece.height).sum());
    for (number, told) in (0_u32..).zip(&told) {
        rows.extend(
            told.identities
                .iter()
                .zip(0_u32..)
                .map(|(identity, row)| (identity.unwrap_or_default(), number, row)),
        );
    }
    rows.sort_unstable();
    let mut dropped = vec![Vec::new(); pieces.len()];
    for copies in rows.chunk_by(|one, other| one.0 == other.0).filter(|copies| copies.len() > 1) {
        let place =
            |&(_, number, row): &(i64, u32, u32)| told.get(number as usize).map(|told| told.place(row));
        let first = copies.iter().min_by_key(|copy| place(copy));
        for copy in copies.iter().filter(|copy| Some(*copy) != first) {
            if let Some(dropped) = dropped.get_mut(copy.1 as usize) {
                dropped.push(copy.2);
            }
        }
    }
    Ok(dropped)
}

/// Rows in a chunk; fewer if the query stops early.
pub(super) const CHUNK_ROWS: usize = 8_192;
