//! Rows → columns: for each leaf the places of its texts in the rows, which are not copied, and how lists cut them.

use super::row::Cells;
use super::shape::Shape;

/// A column, or a part of one, while rows come in.
pub(super) enum Column {
    Text(Texts),
    Row(Vec<Column>),
    List { lengths: Vec<Option<u32>>, elements: Box<Column> },
}

/// Start and length of a text.
pub(super) type Span = (u32, u32);

/// Not there: no text is as long.
pub(super) const NULL: Span = (0, u32::MAX);

/// Places of texts.
#[derive(Default)]
pub(super) struct Texts {
    /// NULLs before the first text: most columns have nothing else.
    nulls: usize,
    spans: Vec<Span>,
}

/// A leaf of a column, as Parquet sees it: its texts, and how deep it lies.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'c> {
    pub texts: &'c Texts,
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

impl Column {
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
    pub(super) fn take(&mut self, cells: &mut Cells<'_>) -> Option<()> {
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

impl Texts {
    pub(super) fn push(&mut self, place: Option<(usize, usize)>) {
        let span = place.and_then(|(start, length)| Some((u32::try_from(start).ok()?, u32::try_from(length).ok()?)));
        match span {
            None if self.spans.is_empty() => self.nulls += 1,
            span => self.spans.push(span.unwrap_or(NULL)),
        }
    }

    /// How many NULLs come first, and what follows.
    pub(super) fn parts(&self) -> (usize, &[Span]) {
        (self.nulls, &self.spans)
    }

    /// The texts, NULLs among them.
    pub(super) fn spans(&self) -> impl Iterator<Item = Span> {
        std::iter::repeat_n(NULL, self.nulls).chain(self.spans.iter().copied())
    }
}

/// The text at a place.
pub(super) fn text(bytes: &[u8], (start, length): Span) -> &[u8] {
    bytes.get(start as usize..).and_then(|rest| rest.get(..length as usize)).unwrap_or_default()
}
