//! Aggregates that choose one row of a group: the smallest, the greatest, the first.

use std::cmp::Ordering;

use super::input::Input;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::compare::Ordered;
use crate::sql::types::nested;
use crate::sql::types::values::{Cell, Texts, Values};
use crate::tables::Kind;
use crate::tables::builder::lists;

impl Input<'_> {
    /// The value of argument `show` in the row in which argument `by` is smallest or greatest.
    pub(super) fn extreme(&self, by: usize, show: usize, wanted: Ordering) -> Result<Values> {
        self.arg(show)?.take(&self.extreme_rows(by, wanted)?)
    }

    /// For each group, the first row in which argument `by` is smallest or greatest.
    pub(super) fn extreme_rows(&self, by: usize, wanted: Ordering) -> Result<Vec<Option<u32>>> {
        let order = self.ordered(by)?;
        if let Ordered::Texts(texts) = &order {
            return Ok(self.extreme_texts(texts, wanted));
        }
        let mut best: Vec<Option<u32>> = self.slots(None);
        for (group, row) in self.pairs() {
            let Some(slot) = best.get_mut(group).filter(|_| !order.is_null(row)) else { continue };
            if slot.is_none_or(|known| order.compare(row, known as usize) == wanted) {
                *slot = u32::try_from(row).ok();
            }
        }
        Ok(best)
    }

    /// An argument prepared for comparing rows; arrays and rows are compared by their ranks.
    fn ordered(&self, at: usize) -> Result<Ordered> {
        let values = self.arg(at)?;
        match values.kind {
            Kind::Array(_) | Kind::Row(_) => {
                let places = nested::places(values, self.groups.of_row.len())?;
                Ordered::of(&Values::new(Kind::Bigint, i64::column(places)))
            }
            _ => Ordered::of(values),
        }
    }

    /// For each group, the row with the smallest or greatest text. That text is kept at hand, so that each
    /// comparison looks up only one text.
    fn extreme_texts(&self, texts: &Texts, wanted: Ordering) -> Vec<Option<u32>> {
        let mut best: Vec<Option<(&str, usize)>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(slot), Some(text)) = (best.get_mut(group), texts.get(row))
                && slot.is_none_or(|(known, _)| text.cmp(known) == wanted)
            {
                *slot = Some((text, row));
            }
        }
        best.into_iter().map(|best| best.and_then(|(_, row)| u32::try_from(row).ok())).collect()
    }

    /// The values of the first argument in the rows in which argument `by` is smallest or greatest; the
    /// last argument says how many.
    pub(super) fn first_in_order(&self, by: usize, greatest: bool) -> Result<Values> {
        let count = self.arg(self.args.len() - 1)?.wholes()?.get(0).unwrap_or(0);
        let count =
            usize::try_from(count).map_err(|_| SqlError::new("the number of values must not be negative"))?;
        let order = self.ordered(by)?;
        let mut rows = self.rows_by_group(|row| !order.is_null(row));
        for list in &mut rows {
            list.sort_by(|a, b| {
                let ordering = order.compare(*a as usize, *b as usize);
                if greatest { ordering.reverse() } else { ordering }
            });
            list.truncate(count);
        }
        let lengths: Vec<Option<usize>> =
            rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
        let places: Vec<Option<u32>> = rows.into_iter().flatten().map(Some).collect();
        let values = self.arg(0)?;
        Ok(Values::new(
            Kind::array(values.kind.clone()),
            lists("", &values.take(&places)?.data, &values.kind, &lengths),
        ))
    }

    /// The first or last value that is not NULL.
    pub(super) fn one(&self, last: bool) -> Result<Values> {
        self.arg(0)?.take(&self.one_row(last)?)
    }

    /// For each group, the first or last row whose value is not NULL.
    pub(super) fn one_row(&self, last: bool) -> Result<Vec<Option<u32>>> {
        let nulls = self.nulls(0)?;
        let mut found: Vec<Option<u32>> = self.slots(None);
        for (group, row) in self.pairs() {
            let Some(slot) = found.get_mut(group).filter(|_| nulls.get(row) == Some(&false)) else {
                continue;
            };
            if last || slot.is_none() {
                *slot = u32::try_from(row).ok();
            }
        }
        Ok(found)
    }
}
