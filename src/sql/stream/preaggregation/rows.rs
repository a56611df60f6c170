//! The selected rows of a portion, as numbers of the texts of its columns.

use std::borrow::Cow;

use polars::prelude::{ChunkTake, Int64Chunked, StringChunked};

use super::cell::{Cell, Reader};
use super::over::Over;
use super::plan::Plan;
use super::room::Stop;
use crate::lake::Portion;
use crate::lake::codes::{Codes, Texts};
use crate::sql::types::group_ids::GroupIds;

/// The rows of a portion; columns (leaves) are read when they are first needed.
pub(super) struct Rows<'p> {
    portion: &'p Portion<'p>,
    plan: &'p Plan,
    /// For each leaf that was read, the selected rows.
    leaves: Vec<Option<Codes>>,
    /// Which rows of the portion are selected; `None`: all.
    kept: Option<Vec<u32>>,
}

/// The values of an expression: a number for each row, and the value of each number.
pub(super) struct CodedColumn<'r> {
    pub of_row: Cow<'r, [u32]>,
    pub cells: Cells<'r>,
}

pub(super) enum Cells<'r> {
    Leaf(&'r Texts),
    Made(Reader, usize),
}

impl Cells<'_> {
    #[inline]
    pub fn get(&self, number: u32) -> Cell<&str> {
        match self {
            Self::Leaf(texts) => texts.get(number).map_or(Cell::Null, Cell::Text),
            Self::Made(reader, _) => reader.get(number as usize),
        }
    }

    /// Whether each row has a number of its own: few texts repeat, so that the writer made no dictionary.
    pub fn are_of_rows(&self) -> bool {
        matches!(self, Self::Leaf(texts) if texts.are_of_rows())
    }

    /// How many numbers there are: every row's number is below this.
    pub fn count(&self) -> usize {
        match self {
            Self::Leaf(texts) => texts.len() + 1,
            Self::Made(_, count) => *count,
        }
    }
}

impl<'p> Rows<'p> {
    pub fn new(portion: &'p Portion<'p>, plan: &'p Plan) -> Self {
        Self { portion, plan, leaves: plan.leaves.iter().map(|_| None).collect(), kept: None }
    }

    pub fn height(&self) -> usize {
        self.kept.as_ref().map_or_else(|| self.portion.height(), Vec::len)
    }

    /// The index of each row's record in its object.
    pub fn records(&self) -> Result<Int64Chunked, Stop> {
        let all = self.portion.records()?;
        match &self.kept {
            None => Ok(all),
            Some(kept) => all.take(kept).map_err(|_| Stop::GivenUp),
        }
    }

    /// Reads the leaves that an expression uses.
    pub fn load(&mut self, leaves: &[usize]) -> Result<(), Stop> {
        for at in leaves {
            let (Some(slot), Some(leaf)) = (self.leaves.get_mut(*at), self.plan.leaves.get(*at)) else {
                return Err(Stop::GivenUp);
            };
            if slot.is_none() {
                let codes = self.portion.codes(
                    leaf.column,
                    &leaf.fields,
                    self.kept.as_deref(),
                    self.plan.in_expressions.contains(at),
                )?;
                *slot = Some(codes.ok_or(Stop::GivenUp)?);
            }
        }
        Ok(())
    }

    /// A leaf that was read.
    pub fn leaf(&self, at: usize) -> Result<&Codes, Stop> {
        self.leaves.get(at).and_then(Option::as_ref).ok_or(Stop::GivenUp)
    }

    /// Keeps the rows whose text in a leaf meets a condition.
    pub fn keep_texts(&mut self, at: usize, meets: impl Fn(Option<&str>) -> bool) -> Result<(), Stop> {
        self.load(&[at])?;
        let codes = self.leaf(at)?;
        let holds: Vec<bool> =
            (0..).take(codes.texts.len() + 1).map(|code| meets(codes.texts.get(code))).collect();
        let kept = holding(&codes.of_row, &holds);
        self.retain(kept)
    }

    /// Keeps the rows for which a condition is true.
    pub fn keep(&mut self, condition: &Over) -> Result<(), Stop> {
        self.load(&condition.leaves)?;
        let kept = self.holding(condition)?;
        self.retain(kept)
    }

    /// The rows for which a condition is true; its leaves must have been read.
    pub fn holding(&self, condition: &Over) -> Result<Vec<u32>, Stop> {
        let (of_row, columns) = self.numbered(&condition.leaves)?;
        let values = condition.evaluate((&self.plan.alias, self.plan.now), &self.plan.leaves, &columns)?;
        let truths = values.truths()?;
        let holds: Vec<bool> = (0..values.data.len()).map(|at| truths.get(at) == Some(true)).collect();
        Ok(holding(&of_row, &holds))
    }

    /// The values of an expression; its leaves must have been read.
    pub fn column(&self, over: &Over) -> Result<CodedColumn<'_>, Stop> {
        if let ([leaf], true) = (over.leaves.as_slice(), over.is_leaf()) {
            let codes = self.leaf(*leaf)?;
            return Ok(CodedColumn {
                of_row: Cow::Borrowed(&codes.of_row),
                cells: Cells::Leaf(&codes.texts),
            });
        }
        let (of_row, columns) = self.numbered(&over.leaves)?;
        let values = over.evaluate((&self.plan.alias, self.plan.now), &self.plan.leaves, &columns)?;
        if values.kind != over.kind {
            return Err(Stop::GivenUp);
        }
        // Equal values get one number, as far as that can be found out quickly.
        let of_row = match GroupIds::of(std::slice::from_ref(&values.data)) {
            None => of_row,
            Some(numbers) => {
                let firsts = numbers.firsts();
                let first = |code: &u32| {
                    numbers
                        .of_row
                        .get(*code as usize)
                        .and_then(|number| firsts.get(*number as usize))
                        .copied()
                };
                of_row.iter().map(|code| first(code).unwrap_or(*code)).collect()
            }
        };
        Ok(CodedColumn { of_row, cells: Cells::Made(Reader::of(&values)?, values.data.len()) })
    }

    /// Numbers the combinations of these leaves' texts: a number for each row, and for each number the
    /// texts.
    fn numbered(&self, leaves: &[usize]) -> Result<(Cow<'_, [u32]>, Vec<StringChunked>), Stop> {
        if let [leaf] = leaves {
            let codes = self.leaf(*leaf)?;
            return Ok((Cow::Borrowed(&codes.of_row), vec![codes.texts.column()]));
        }
        let leaves = leaves.iter().map(|leaf| self.leaf(*leaf)).collect::<Result<Vec<_>, _>>()?;
        let numbers = leaves
            .iter()
            .map(|codes| GroupIds { of_row: codes.of_row.clone(), count: codes.texts.len() + 1 });
        let Some(numbers) = numbers.reduce(|numbers, more| numbers.with(&more)) else {
            return Ok((Cow::Owned(vec![0; self.height()]), Vec::new()));
        };
        let firsts = numbers.firsts();
        let texts = |codes: &&Codes| {
            firsts.iter().map(|row| codes.texts.get(*codes.of_row.get(*row as usize)?)).collect()
        };
        Ok((Cow::Owned(numbers.of_row), leaves.iter().map(texts).collect()))
    }

    /// Keeps some of the selected rows, given by their indexes.
    fn retain(&mut self, kept: Vec<u32>) -> Result<(), Stop> {
        if kept.len() == self.height() {
            return Ok(());
        }
        for codes in self.leaves.iter_mut().flatten() {
            match &mut codes.texts {
                Texts::Distinct { .. } | Texts::OfRows { .. } => {
                    codes.of_row = chosen(&codes.of_row, &kept);
                }
                Texts::Plain(texts) => {
                    *texts = texts.take(&kept).map_err(|_| Stop::GivenUp)?;
                    codes.of_row.truncate(kept.len());
                }
            }
        }
        self.kept = Some(match &self.kept {
            None => kept,
            Some(before) => chosen(before, &kept),
        });
        Ok(())
    }
}

/// The rows whose number satisfies the condition.
fn holding(of_row: &[u32], holds: &[bool]) -> Vec<u32> {
    (0..)
        .zip(of_row)
        .filter(|(_, code)| holds.get(**code as usize) == Some(&true))
        .map(|(row, _)| row)
        .collect()
}

/// The elements at these indexes.
pub(super) fn chosen<T: Copy>(all: &[T], places: &[u32]) -> Vec<T> {
    places.iter().filter_map(|at| all.get(*at as usize)).copied().collect()
}
