//! CSV with the columns that the tables declare, which are also those of `--format parquet`.

use std::io::{self, Write};

use super::format::{Cell, Rows};
use crate::model::Timestamp;
use crate::tables::{Kind, Table, cells};

/// Writes the rows of a table.
pub struct TableRows<'w> {
    rows: Rows<'w>,
    kinds: Vec<Kind>,
}

impl<'w> TableRows<'w> {
    /// Writes the header row.
    pub fn new(out: &'w mut dyn Write, table: &Table) -> io::Result<Self> {
        let columns = (table.columns)();
        let names: Vec<&str> = columns.iter().map(|column| column.name).collect();
        Ok(Self {
            rows: Rows::new(out, &names)?,
            kinds: columns.into_iter().map(|column| column.kind).collect(),
        })
    }

    /// Writes a row; cells are in the order of the table's columns.
    pub fn push(&mut self, cells: Vec<cells::Cell<'_>>) -> io::Result<()> {
        self.rows.row(cells.into_iter().zip(&self.kinds).map(|(cell, kind)| shown(cell, kind)))
    }

    pub fn finish(self) -> io::Result<()> {
        self.rows.finish()
    }
}

/// Times are written in RFC 3339; an absent value is an empty cell.
fn shown(cell: cells::Cell<'_>, kind: &Kind) -> Cell {
    match cell {
        cells::Cell::Text(text) => Cell::maybe(text, Cell::text),
        cells::Cell::Owned(text) => Cell::text(text),
        cells::Cell::Number(Some(millis)) if kind.is_timestamp() => {
            Cell::plain(Timestamp::from_millis(millis))
        }
        cells::Cell::Number(number) => Cell::maybe(number, Cell::plain),
        cells::Cell::Flag(flag) => Cell::plain(flag),
        cells::Cell::Texts(texts) => Cell::list(texts.iter().map(String::as_str)),
    }
}
