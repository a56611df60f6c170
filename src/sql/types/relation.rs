//! Rows with named columns: the result of `FROM` and of every later stage.

use std::convert::Infallible;
use std::sync::Arc;

use polars::prelude::{BooleanChunked, DataFrame, IntoColumn, Series};

use super::group_ids::GroupIds;
use super::values::{Values, indices};
use crate::sql::error::{Result, SqlError};
use crate::tables::{Kind, Rows, Table, cloudtrail};

/// A column's name, its table's name or alias, and its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sql) struct Field {
    pub qualifier: Option<String>,
    pub name: String,
    pub kind: Kind,
    /// Whether it is another name of a column, which `SELECT *` leaves out.
    pub hidden: bool,
    /// Whether it is the date of a partition, whose notation the query may choose.
    pub is_date: bool,
    /// Whether the table that Athena's users have may lack it: another name, a partition column, or where the
    /// record is. A column of another table with the same name is meant before it.
    pub is_added: bool,
}

impl Field {
    pub fn new(name: impl Into<String>, kind: Kind) -> Self {
        Self { qualifier: None, name: name.into(), kind, hidden: false, is_date: false, is_added: false }
    }
}

/// The hidden column with the position of each event among all, if events are not sorted (see
/// `plan::order_insensitive`). Queries cannot contain this name.
pub(in crate::sql) const PLACE: &str = "\0place";

#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Relation {
    pub fields: Vec<Field>,
    /// As many as `fields`, each `height` long.
    pub columns: Vec<Series>,
    pub height: usize,
}

impl Relation {
    /// One row without columns: the rows of a `SELECT` without `FROM`.
    pub fn single_row() -> Self {
        Self { height: 1, ..Self::default() }
    }

    /// Columns without rows.
    pub fn without_rows(fields: Vec<Field>) -> Self {
        let columns = fields.iter().map(|field| Series::new_empty("".into(), &field.kind.dtype())).collect();
        Self { fields, columns, height: 0 }
    }

    /// The rows of a declared table; columns that were not loaded are missing.
    pub fn of_table(table: &Table, rows: &Rows) -> Self {
        let mut relation = Self { height: rows.height, ..Self::default() };
        for column in (table.columns)() {
            if let Some((_, data)) = rows.columns.iter().find(|(name, _)| *name == column.name) {
                let is_event = table.name == cloudtrail::TABLE.name;
                let is_date = is_event && is_date(column.name);
                let is_added = is_event && cloudtrail::is_added(column.name);
                let field = Field { is_date, is_added, ..Field::new(column.name, column.kind) };
                relation.push(field, data.clone());
            }
        }
        if table.name == cloudtrail::TABLE.name {
            for (other, name) in cloudtrail::OTHER_NAMES {
                if let Some((_, data)) = rows.columns.iter().find(|(column, _)| column == name) {
                    let field = Field::new(*other, Kind::Varchar);
                    relation.push(
                        Field { hidden: true, is_added: true, is_date: is_date(other), ..field },
                        data.clone(),
                    );
                }
            }
        }
        relation
    }

    pub fn push(&mut self, field: Field, column: Series) {
        self.fields.push(field);
        self.columns.push(column);
    }

    pub fn values(&self, index: usize) -> Result<Values> {
        match (self.fields.get(index), self.columns.get(index)) {
            (Some(field), Some(column)) => Ok(Values::new(field.kind.clone(), column.clone())),
            _ => Err(SqlError::new("a column is missing")),
        }
    }

    /// The first column with this name.
    pub fn named(&self, name: &str) -> Result<Option<Values>> {
        self.fields.iter().position(|field| field.name == name).map(|at| self.values(at)).transpose()
    }

    /// For a hidden column that is another name of one before it, the position of that one.
    pub fn same_before(&self, at: usize) -> Option<usize> {
        let column =
            self.columns.get(at).filter(|_| self.fields.get(at).is_some_and(|field| field.hidden))?;
        self.columns.iter().take(at).position(|other| Arc::ptr_eq(&other.0, &column.0))
    }

    /// Converts every column; a column with several names is converted once.
    fn each<E>(
        &self,
        make: impl Fn(&Series) -> std::result::Result<Series, E>,
    ) -> std::result::Result<Vec<Series>, E> {
        let mut made: Vec<Series> = Vec::with_capacity(self.columns.len());
        for (at, column) in self.columns.iter().enumerate() {
            let column = match self.same_before(at).and_then(|same| made.get(same)) {
                Some(known) => known.clone(),
                None => make(column)?,
            };
            made.push(column);
        }
        Ok(made)
    }

    /// Whether a bound name with this first part is one of its columns.
    pub fn knows(&self, first: &str) -> bool {
        self.fields.iter().any(|field| field.qualifier.as_deref().unwrap_or(&field.name) == first)
    }

    /// The positions of its rows, if they are not sorted.
    pub fn places(&self) -> Option<&Series> {
        self.fields.iter().position(|field| field.name == PLACE).and_then(|at| self.columns.get(at))
    }

    /// The rows where `mask` is true.
    pub fn filter(&self, mask: &BooleanChunked) -> Result<Self> {
        let columns = self.each(|column| column.filter(mask))?;
        // NULLs in the mask count as false.
        let height = mask.iter().filter(|keep| *keep == Some(true)).count();
        Ok(Self { fields: self.fields.clone(), columns, height })
    }

    /// The rows with these indexes, in that order; `None` gives a row of NULLs.
    pub fn take(&self, rows: &[Option<u32>]) -> Result<Self> {
        let rows_taken = indices(rows);
        let columns = self.each(|column| column.take(&rows_taken))?;
        Ok(Self { fields: self.fields.clone(), columns, height: rows.len() })
    }

    /// `count` rows from `offset` on.
    pub fn slice(&self, offset: usize, count: usize) -> Self {
        let offset = offset.min(self.height);
        let height = count.min(self.height - offset);
        let start = i64::try_from(offset).unwrap_or(i64::MAX);
        let Ok(columns) = self.each(|column| Ok::<_, Infallible>(column.slice(start, height)));
        Self { fields: self.fields.clone(), columns, height }
    }

    /// The rows of all parts, one behind the other, with each column in one piece.
    pub fn stacked(parts: Vec<Self>) -> Result<Option<Self>> {
        let Some((first, others)) = parts.split_first() else { return Ok(None) };
        let kinds = |part: &'_ Self| part.fields.iter().map(|field| field.kind.clone()).collect::<Vec<_>>();
        if others.iter().any(|part| kinds(part) != kinds(first)) {
            return Err(SqlError::new("pieces of one column are of several types"));
        }
        let mut columns: Vec<Series> = Vec::with_capacity(first.columns.len());
        for (at, column) in first.columns.iter().enumerate() {
            let same = first.same_before(at);
            let same = same.filter(|_| others.iter().all(|part| part.same_before(at) == same));
            columns.push(match same.and_then(|same| columns.get(same)) {
                Some(known) => known.clone(),
                None => {
                    let mut column = column.clone();
                    for more in others.iter().filter_map(|part| part.columns.get(at)) {
                        column.append(more)?;
                    }
                    column.rechunk()
                }
            });
        }
        let height = parts.iter().map(|part| part.height).sum();
        Ok(Some(Self { fields: first.fields.clone(), columns, height }))
    }

    /// The same with each column in one piece.
    pub fn in_one_piece(self) -> Self {
        let Ok(columns) = self.each(|column| Ok::<_, Infallible>(column.rechunk()));
        Self { columns, ..self }
    }

    /// Only the columns with these indexes.
    pub fn with_columns(&self, indexes: &[usize]) -> Self {
        let mut kept = Self { height: self.height, ..Self::default() };
        for index in indexes {
            if let (Some(field), Some(column)) = (self.fields.get(*index), self.columns.get(*index)) {
                kept.push(field.clone(), column.clone());
            }
        }
        kept
    }

    /// Without the columns that `SELECT *` leaves out.
    pub fn seen(mut self) -> Self {
        let mut seen = self.fields.iter().map(|field| !field.hidden).collect::<Vec<_>>().into_iter();
        self.columns.retain(|_| seen.next().unwrap_or(true));
        self.fields.retain(|field| !field.hidden);
        self
    }

    /// The columns of both, which have the same height.
    pub fn beside(mut self, other: Self) -> Self {
        self.fields.extend(other.fields);
        self.columns.extend(other.columns);
        self
    }

    /// The same columns with another table name, and other names if given.
    pub fn renamed(mut self, qualifier: &str, names: &[String]) -> Self {
        for (at, field) in self.fields.iter_mut().enumerate() {
            field.qualifier = Some(qualifier.to_owned());
            if let Some(name) = names.get(at) {
                field.name.clone_from(name);
            }
        }
        self
    }
}

/// Concatenates the rows of two relations with the same columns.
pub(in crate::sql) fn under(mut above: Relation, below: Relation) -> Result<Relation> {
    let is_same =
        above.fields.iter().map(|field| &field.kind).eq(below.fields.iter().map(|field| &field.kind));
    if !is_same {
        return Err(SqlError::new("pieces of one column are of several types"));
    }
    let same: Vec<Option<usize>> = (0..above.columns.len())
        .map(|at| above.same_before(at).filter(|same| below.same_before(at) == Some(*same)))
        .collect();
    for (at, (more, same)) in below.columns.into_iter().zip(same).enumerate() {
        let known = same.and_then(|same| above.columns.get(same)).cloned();
        let Some(column) = above.columns.get_mut(at) else { continue };
        match known {
            Some(known) => *column = known,
            None => {
                column.append_owned(more)?;
            }
        }
    }
    above.height += below.height;
    Ok(above)
}

impl From<Groups> for GroupIds {
    fn from(groups: Groups) -> Self {
        Self { count: groups.count(), of_row: groups.of_row }
    }
}

/// Rows numbered by group: equal rows have equal numbers, from 0 in order of first appearance; NULLs are
/// equal to each other here.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Groups {
    pub of_row: Vec<u32>,
    /// The first row of each group.
    pub first: Vec<Option<u32>>,
}

impl Groups {
    /// All rows in one group, which exists even if there are no rows.
    pub fn one(height: usize) -> Self {
        Self { of_row: vec![0; height], first: vec![(height > 0).then_some(0)] }
    }

    pub fn count(&self) -> usize {
        self.first.len()
    }

    fn of_numbers(numbers: GroupIds) -> Self {
        let mut first = vec![None; numbers.count];
        for (row, group) in (0_u32..).zip(&numbers.of_row) {
            if let Some(slot) = first.get_mut(*group as usize) {
                slot.get_or_insert(row);
            }
        }
        Self { of_row: numbers.of_row, first }
    }

    /// The same groups, numbered in the order of the positions of their first rows.
    pub fn in_order(self, places: &Series) -> Result<Self> {
        let mut firsts: Vec<(i64, Option<u32>, u32)> =
            (0..).zip(&self.first).map(|(group, first)| (i64::MAX, *first, group)).collect();
        for ((row, group), place) in (0_u32..).zip(&self.of_row).zip(places.i64()?.iter()) {
            if let (Some(slot), Some(place)) = (firsts.get_mut(*group as usize), place)
                && place < slot.0
            {
                *slot = (place, Some(row), *group);
            }
        }
        firsts.sort_unstable();
        let mut numbers = vec![0_u32; firsts.len()];
        for (number, (_, _, group)) in (0_u32..).zip(&firsts) {
            if let Some(slot) = numbers.get_mut(*group as usize) {
                *slot = number;
            }
        }
        let of_row = self
            .of_row
            .iter()
            .map(|group| numbers.get(*group as usize).copied().unwrap_or_default())
            .collect();
        Ok(Self { of_row, first: firsts.into_iter().map(|(_, first, _)| first).collect() })
    }

    /// Groups rows by `keys`, each `height` long.
    pub fn by(keys: &[Series], height: usize) -> Result<Self> {
        if keys.is_empty() {
            let first = if height > 0 { vec![Some(0)] } else { Vec::new() };
            return Ok(Self { of_row: vec![0; height], first });
        }
        if let Some(numbers) = GroupIds::of(keys) {
            return Ok(Self::of_numbers(numbers));
        }
        let columns: Vec<_> = keys
            .iter()
            .enumerate()
            .map(|(at, key)| key.clone().with_name(format!("{at}").into()).into_column())
            .collect();
        let frame = DataFrame::new(height, columns.clone())?;
        let grouped = frame.group_by_with_series(columns, true, true)?;
        let mut of_row = vec![0_u32; height];
        let mut first = Vec::new();
        for group in grouped.get_groups().iter() {
            let id = u32::try_from(first.len()).map_err(|_| SqlError::new("too many groups"))?;
            let rows = match group {
                polars::prelude::GroupsIndicator::Idx((_, rows)) => rows.iter().copied().collect::<Vec<_>>(),
                polars::prelude::GroupsIndicator::Slice([start, length]) => (start..start + length).collect(),
            };
            first.push(rows.iter().min().copied());
            for row in rows {
                if let Some(slot) = of_row.get_mut(row as usize) {
                    *slot = id;
                }
            }
        }
        Ok(Self { of_row, first })
    }
}

/// Whether a column of `cloudtrail_logs` contains the date of its partition, or a part of it.
pub(in crate::sql) fn is_date(name: &str) -> bool {
    matches!(cloudtrail::column_named(name), Some("timestamp" | "date" | "day"))
}

#[cfg(test)]
mod tests {
    use polars::prelude::NamedFrom;

    use super::*;

    #[test]
    fn a_column_under_several_names_is_taken_once() {
        let rows = Rows {
            columns: vec![("timestamp", Series::new("timestamp".into(), ["2026/03/02", "2026/03/03"]))],
            height: 2,
        };
        let relation = Relation::of_table(&cloudtrail::TABLE, &rows);
        assert!(relation.columns.len() > 3);
        let kept = relation.filter(&[Some(false), Some(true)].into_iter().collect()).unwrap();
        let taken = kept.take(&[Some(0), None]).unwrap();
        for relation in [&kept, &taken] {
            assert!(relation.columns.iter().all(|column| Arc::ptr_eq(&column.0, &relation.columns[0].0)));
        }
        assert_eq!((kept.height, taken.columns[1].null_count()), (1, 1));
    }
}
