//! The tables that a query runs over.

use std::collections::HashMap;
use std::sync::Arc;

use sqlparser::ast::Expr;

use super::error::{Result, SqlError};
use super::expression::query::Groups;
use super::memory::Limits;
use super::types::relation::Relation;
use super::types::values::Values;
use crate::tables::{Rows, Table};

/// The tables that a query runs over, by name.
#[derive(Debug, Default)]
pub struct Catalog {
    pub(in crate::sql) tables: HashMap<&'static str, Arc<Relation>>,
    /// Whether the events are unsorted, with a column of positions instead.
    pub(in crate::sql) unordered: bool,
    /// Groups that replace the events, if a query has been answered by counting.
    pub(in crate::sql) counted: Option<Counted>,
    /// Rows that replace all others, if a query has been evaluated in pieces.
    pub(in crate::sql) flowed: Option<Relation>,
    /// The rows of the answer, if nothing is left to be done.
    pub(in crate::sql) answer: Option<Relation>,
    pub(in crate::sql) limits: Limits,
}

impl Catalog {
    /// A catalog for binding a query or evaluating a part of it, with little memory.
    pub(in crate::sql) fn trial() -> Self {
        Self {
            limits: Limits { memory_bytes_max: Some(TRIAL_BYTES_MAX), cancelled: None },
            ..Self::default()
        }
    }

    /// The same tables without rows, for determining types.
    pub(in crate::sql) fn without_rows(&self) -> Self {
        let empty = |rows: &Arc<Relation>| Arc::new(Relation::without_rows(rows.fields.clone()));
        let tables = self.tables.iter().map(|(name, rows)| (*name, empty(rows))).collect();
        Self { tables, ..Self::trial() }
    }

    /// Sets the limits for the evaluation.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
    }

    /// Inserts a table, replacing one with the same name.
    pub fn insert(&mut self, table: &'static Table, rows: &Rows) {
        self.tables.insert(table.name, Arc::new(Relation::of_table(table, rows)));
    }

    /// Inserts a table in pieces, which must have the same columns.
    ///
    /// # Errors
    /// The columns of the pieces differ.
    pub fn insert_pieces(
        &mut self,
        table: &'static Table,
        pieces: Vec<Rows>,
    ) -> std::result::Result<(), SqlError> {
        let mut pieces = pieces.into_iter();
        let Some(mut whole) = pieces.next() else { return Ok(()) };
        for mut piece in pieces {
            for (name, column) in &mut whole.columns {
                let more = piece
                    .columns
                    .iter()
                    .position(|(own, _)| own == name)
                    .map(|at| piece.columns.swap_remove(at).1);
                column.append_owned(more.ok_or_else(|| SqlError::new("a column is missing"))?)?;
            }
            whole.height += piece.height;
        }
        whole.columns.iter_mut().for_each(|(_, column)| *column = column.rechunk());
        self.insert(table, &whole);
        Ok(())
    }

    pub(in crate::sql) fn insert_relation(&mut self, name: &'static str, rows: Relation) {
        self.tables.insert(name, Arc::new(rows));
    }

    pub(in crate::sql) fn counted(&self) -> Option<&Counted> {
        self.counted.as_ref()
    }

    pub(in crate::sql) fn get(&self, name: &str) -> Option<Arc<Relation>> {
        self.tables.get(name).cloned()
    }

    /// The same tables with the events sorted.
    pub(in crate::sql) fn ordered(&self) -> Result<Self> {
        let mut tables = self.tables.clone();
        for relation in tables.values_mut() {
            if let Some(places) = relation.places() {
                let mut keys: Vec<(Option<i64>, u32)> = places.i64()?.iter().zip(0..).collect();
                keys.sort_unstable();
                let order: Vec<Option<u32>> = keys.into_iter().map(|(_, row)| Some(row)).collect();
                *relation = Arc::new(relation.take(&order)?);
            }
        }
        Ok(Self { tables, limits: self.limits.clone(), ..Self::default() })
    }
}

/// Memory for evaluating expressions without rows.
const TRIAL_BYTES_MAX: u64 = 16 << 20;

/// Groups with their keys and aggregates.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Counted {
    pub count: usize,
    pub known: Vec<(Expr, Values)>,
}

impl Counted {
    /// These as the groups of a SELECT, with what is computed of them in its order; `None` if they are those of
    /// another one: a SELECT in its FROM may be grouped, too.
    pub fn of(&self, groups: &Groups) -> Option<Self> {
        let exprs = groups.keys.iter().map(|(expr, _)| expr);
        let exprs = exprs.chain(groups.aggregates.iter().map(|(expr, _)| expr));
        let exprs = exprs.chain(groups.groupings.iter().map(|(expr, _)| expr));
        let known = exprs.map(|expr| self.known.iter().find(|(known, _)| known == expr).cloned());
        let known = known.collect::<Option<Vec<_>>>()?;
        (known.len() == self.known.len()).then_some(Self { count: self.count, known })
    }
}
