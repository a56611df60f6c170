//! Combines the rows of several pieces: concatenated, sorted by their events, the first ones, the distinct
//! ones.

use sqlparser::ast::OrderByOptions;

use super::part::Part;
use crate::sql::error::{Result, SqlError};
use crate::sql::memory::held_bytes;
use crate::sql::stream::spill::keys::Keys;
use crate::sql::types::compare::key_column;
use crate::sql::types::order;
use crate::sql::types::place;
use crate::sql::types::place::{OBJECT, RECORD, SIDE, is_place};
use crate::sql::types::relation::{Groups, Relation, under};
use crate::tables::{COPIED_PART, copied};

impl Part {
    /// Concatenates the rows of all parts.
    pub(super) fn all(parts: Vec<Self>) -> Result<Self> {
        let mut parts = parts.into_iter();
        let Some(mut whole) = parts.next() else { return Ok(Self::default()) };
        for part in parts {
            whole.rows = under(whole.rows, part.rows)?;
            for ((values, _), (more, _)) in whole.keys.iter_mut().zip(part.keys) {
                if values.kind != more.kind {
                    return Err(SqlError::new("pieces of one column are of several types"));
                }
                values.data.append_owned(more.data)?;
            }
        }
        whole.rows.columns.iter_mut().for_each(|column| *column = column.rechunk());
        whole.keys.iter_mut().for_each(|(values, _)| values.data = values.data.rechunk());
        Ok(whole)
    }

    /// The rows in the order of their events; those of one event keep their order.
    pub(super) fn in_order(self) -> Result<Self> {
        match in_order(&self.rows)? {
            Some(order) => self.take(&order),
            None => Ok(self),
        }
    }

    pub(super) fn distinct(self) -> Result<Self> {
        let seen = (0..self.rows.fields.len())
            .filter(|at| self.rows.fields.get(*at).is_some_and(|field| !field.hidden));
        let keys = seen
            .map(|at| key_column(&self.rows.values(at)?, self.rows.height))
            .collect::<Result<Vec<_>>>()?;
        let groups = Groups::by(&keys, self.rows.height)?;
        if groups.count() == self.rows.height { Ok(self) } else { self.take(&groups.first) }
    }

    /// The first rows, sorted if there is an order.
    pub(super) fn first(self, wanted: usize) -> Result<Self> {
        if self.keys.is_empty() {
            return if wanted < self.rows.height {
                self.take(&(0_u32..).take(wanted).map(Some).collect::<Vec<_>>())
            } else {
                Ok(self)
            };
        }
        let height = self.rows.height;
        let first = order::first_sorted(&self.keys, height, wanted)?;
        if first.len() == height && first.is_sorted() {
            return Ok(self);
        }
        self.take(&first)
    }

    fn take(&self, rows: &[Option<u32>]) -> Result<Self> {
        let is_little = rows.len() < self.rows.height / COPIED_PART;
        let mut taken = self.rows.take(rows)?;
        let mut keys = self
            .keys
            .iter()
            .map(|(values, options)| Ok((values.take(rows)?, *options)))
            .collect::<Result<Vec<_>>>()?;
        if is_little {
            alone(&mut taken)?;
            for (values, _) in &mut keys {
                values.data = copied(&values.data)?;
            }
        }
        Ok(Self { rows: taken, keys })
    }

    /// Approximate memory of the rows.
    pub(super) fn bytes(&self) -> u64 {
        let keys = self.keys.iter().map(|(values, _)| held_bytes(&values.data)).sum::<usize>();
        (self.rows.columns.iter().map(held_bytes).sum::<usize>() + keys) as u64
    }
}

/// The permutation that sorts rows by their events; `None` if they are already sorted.
pub(super) fn in_order(rows: &Relation) -> Result<Option<Vec<Option<u32>>>> {
    let places = || rows.fields.iter().enumerate().filter(|(_, field)| is_place(field));
    if places().count() > 3 || places().any(|(_, field)| field.name == SIDE) {
        // Each row was made from several events, or the rows come from several sides of a UNION.
        let options = OrderByOptions { asc: None, nulls_first: None };
        let keys = places().map(|(at, _)| Ok((rows.values(at)?, options))).collect::<Result<Vec<_>>>()?;
        return Ok(Some(Keys::of(&keys, rows.height)?.order()));
    }
    match (rows.named(OBJECT)?, rows.named(RECORD)?) {
        (Some(object), Some(record)) => place::order(&object, &record, rows.height),
        _ => Err(SqlError::new("rows have no places")),
    }
}

/// Copies rows of which there are far fewer than `of`, because they would keep the memory of all of these.
pub(super) fn tightened(mut rows: Relation, of: usize) -> Result<Relation> {
    if rows.height < of / COPIED_PART {
        alone(&mut rows)?;
    }
    Ok(rows)
}

fn alone(rows: &mut Relation) -> Result<()> {
    for column in &mut rows.columns {
        *column = copied(column)?;
    }
    Ok(())
}
