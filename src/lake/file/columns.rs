//! Rows → columns. Each row is read once for all its columns, while it is in the processor's cache.
//! [`super::leaf`] encodes the texts.

use polars_error::{PolarsError, PolarsResult};

use super::leaf::Leaf;
use super::packer::Packer;
use crate::lake::record::row::Cells;
use crate::lake::record::shape::Shape;

/// A column that is being filled from rows.
pub(super) struct ColumnWriter<'b> {
    /// Number of rows so far.
    rows: usize,
    /// The definition level of a row without a value.
    absent: u8,
    part: Part<'b>,
}

/// A column or a part of one.
enum Part<'b> {
    Text(Box<Leaf<'b>>),
    Row(Vec<Part<'b>>),
    /// `level`: the definition level of a list that is NULL; that of an empty list is one more. There are
    /// no lists of lists.
    List {
        level: u8,
        elements: Box<Part<'b>>,
    },
}

/// The error for bytes that are not a valid row.
pub(in crate::lake) fn damaged() -> PolarsError {
    PolarsError::ComputeError("a waiting row is damaged".into())
}

impl<'b> ColumnWriter<'b> {
    /// `depth`: the number of struct levels around the column, none of which is ever NULL.
    pub(in crate::lake) fn new(shape: &Shape, depth: u8) -> Self {
        Self { rows: 0, absent: depth, part: Part::new(shape, depth, false) }
    }

    /// Takes the value of `row`. Rows skipped since the last call are NULL.
    #[inline]
    pub(in crate::lake) fn take(
        &mut self,
        row: usize,
        cells: &mut Cells<'b>,
        packer: &mut Packer,
    ) -> PolarsResult<()> {
        self.pad(row);
        self.rows = row + 1;
        self.part.take(cells, 0, packer)
    }

    /// Takes a text that is not stored in a cell of the row.
    #[inline]
    pub(super) fn take_text(&mut self, text: &'b [u8], packer: &mut Packer) -> PolarsResult<()> {
        self.rows += 1;
        self.part.leaf().map_or(Ok(()), |leaf| leaf.text(text, 0, packer))
    }

    fn pad(&mut self, rows: usize) {
        if rows > self.rows {
            self.part.nulls(0, self.absent, rows - self.rows);
            self.rows = rows;
        }
    }

    /// The column's leaves in order, padded with NULLs to `rows` rows.
    pub(super) fn into_leaves(mut self, rows: usize) -> Vec<Leaf<'b>> {
        self.pad(rows);
        let mut leaves = Vec::new();
        self.part.add_leaves(&mut leaves);
        leaves
    }
}

impl<'b> Part<'b> {
    /// `level`: the definition level of the surrounding value. `repeats`: whether it is inside of a list.
    fn new(shape: &Shape, level: u8, repeats: bool) -> Self {
        let list = |elements| Self::List { level, elements: Box::new(elements) };
        match shape {
            Shape::Text => Self::Text(Box::new(Leaf::new(level + 1, repeats))),
            Shape::Row(fields) => {
                Self::Row(fields.iter().map(|field| Self::new(&field.shape, level + 1, repeats)).collect())
            }
            Shape::List(element) => list(Self::new(&element.shape, level + 2, true)),
            Shape::Map => list(Self::Row([(); 2].map(|()| Self::new(&Shape::Text, level + 3, true)).into())),
        }
    }

    fn take(&mut self, cells: &mut Cells<'b>, repetition: u8, packer: &mut Packer) -> PolarsResult<()> {
        match self {
            Self::Text(leaf) => match cells.text().ok_or_else(damaged)? {
                Some(text) => leaf.text(text, repetition, packer)?,
                None => leaf.null(repetition),
            },
            Self::Row(fields) => {
                fields.iter_mut().try_for_each(|field| field.take(cells, repetition, packer))?
            }
            Self::List { level, elements } => match cells.count().ok_or_else(damaged)? {
                None => elements.nulls(repetition, *level, 1),
                Some(0) => elements.nulls(repetition, *level + 1, 1),
                Some(length) => {
                    (0..length).try_for_each(|at| elements.take(cells, u8::from(at > 0), packer))?
                }
            },
        }
        Ok(())
    }

    fn nulls(&mut self, repetition: u8, definition: u8, count: usize) {
        match self {
            Self::Text(leaf) => leaf.nulls(repetition, definition, count),
            Self::Row(fields) => {
                fields.iter_mut().for_each(|field| field.nulls(repetition, definition, count))
            }
            Self::List { elements, .. } => elements.nulls(repetition, definition, count),
        }
    }

    fn leaf(&mut self) -> Option<&mut Leaf<'b>> {
        match self {
            Self::Text(leaf) => Some(leaf),
            Self::Row(_) | Self::List { .. } => None,
        }
    }

    fn add_leaves(self, leaves: &mut Vec<Leaf<'b>>) {
        match self {
            Self::Text(leaf) => leaves.push(*leaf),
            Self::Row(fields) => fields.into_iter().for_each(|field| field.add_leaves(leaves)),
            Self::List { elements, .. } => elements.add_leaves(leaves),
        }
    }
}
