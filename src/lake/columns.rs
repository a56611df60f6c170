//! Rows → columns: for each leaf what its texts are, which are not copied, and how lists cut them.
//!
//! A row is looked at once, for all its columns, while it is near: whether texts repeat is found out on the way.

use super::dictionary::Texts;
use super::row::Cells;
use super::shape::Shape;

/// A column, or a part of one, while rows come in.
pub(super) enum Column<'b> {
    Text(Texts<'b>),
    Row(Vec<Column<'b>>),
    List { lengths: Vec<Option<u32>>, elements: Box<Column<'b>> },
}

/// A leaf of a column, as Parquet sees it: its texts, and how deep it lies.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'c> {
    pub texts: &'c Texts<'c>,
    /// The definition level of a text that is there; that of a NULL is one less. Rows are always there.
    pub level: u32,
    /// The list that it lies in.
    pub list: Option<List<'c>>,
}

#[derive(Clone, Copy)]
pub(super) struct List<'c> {
    /// Elements in each row.
    pub lengths: &'c [Option<u32>],
    /// The definition level of a list that is NULL; that of an empty one is one more.
    pub level: u32,
}

impl<'b> Column<'b> {
    pub(super) fn new(shape: &Shape) -> Self {
        let text = || Self::Text(Texts::default());
        let list = |elements| Self::List { lengths: Vec::new(), elements: Box::new(elements) };
        match shape {
            Shape::Text => text(),
            Shape::Row(fields) => Self::Row(fields.iter().map(|field| Self::new(&field.shape)).collect()),
            Shape::List(element) => list(Self::new(&element.shape)),
            Shape::Map => list(Self::Row(vec![text(), text()])),
        }
    }

    /// Takes the next value of a row; `None` if the row is damaged.
    pub(super) fn take(&mut self, cells: &mut Cells<'b>) -> Option<()> {
        match self {
            Self::Text(texts) => texts.push(cells.text()?),
            Self::Row(fields) => fields.iter_mut().try_for_each(|column| column.take(cells))?,
            Self::List { lengths, elements } => {
                let length = cells.count()?;
                lengths.push(length.and_then(|length| u32::try_from(length).ok()));
                (0..length.unwrap_or(0)).try_for_each(|_| elements.take(cells))?;
            }
        }
        Some(())
    }

    /// No more rows come.
    pub(super) fn finish(&mut self) {
        match self {
            Self::Text(texts) => texts.finish(),
            Self::Row(fields) => fields.iter_mut().for_each(Self::finish),
            Self::List { elements, .. } => elements.finish(),
        }
    }

    /// Its leaves, in order. Lists do not lie in lists.
    pub(super) fn leaves(&self) -> Vec<Leaf<'_>> {
        let mut leaves = Vec::new();
        self.add_leaves(0, None, &mut leaves);
        leaves
    }

    /// `level`: the definition level of what is around it.
    fn add_leaves<'c>(&'c self, level: u32, list: Option<List<'c>>, leaves: &mut Vec<Leaf<'c>>) {
        match self {
            Self::Text(texts) => leaves.push(Leaf { texts, level: level + 1, list }),
            Self::Row(fields) => fields.iter().for_each(|field| field.add_leaves(level + 1, list, leaves)),
            Self::List { lengths, elements } => elements.add_leaves(level + 2, Some(List { lengths, level }), leaves),
        }
    }
}
