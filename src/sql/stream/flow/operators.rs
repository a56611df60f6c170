//! The operators of a query that is evaluated in pieces: they are made for the columns of the first piece, and taken
//! for all others with the same ones.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sql::error::Result;
use crate::sql::expression::query::Query;
use crate::sql::plan::logical::Plan;
use crate::sql::plan::lower;
use crate::sql::scope::{Ctes, Session};
use crate::sql::types::relation::Field;

/// The columns of tables by their names.
type Columns = Vec<(String, Vec<Field>)>;

/// What is made for the first key, and taken for all equal ones.
#[derive(Debug)]
pub(super) struct Kept<K, T>(Mutex<Option<(K, Arc<T>)>>);

impl<K, T> Default for Kept<K, T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

/// A copy makes its own: that of a flow may have other tables.
impl<K, T> Clone for Kept<K, T> {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl<K, T> Kept<K, T> {
    fn get(
        &self,
        is_same: impl Fn(&K) -> bool,
        key: impl FnOnce() -> K,
        make: impl FnOnce() -> Result<T>,
    ) -> Result<Arc<T>> {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, known)) = kept().as_ref().filter(|(known, _)| is_same(known)) {
            return Ok(Arc::clone(known));
        }
        let made = Arc::new(make()?);
        *kept() = Some((key(), Arc::clone(&made)));
        Ok(made)
    }
}

/// What is made for the columns of some rows.
pub(super) type Made<T> = Kept<Vec<Field>, T>;

impl<T> Made<T> {
    pub fn of(&self, columns: &[Field], make: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        self.get(|known| known == columns, || columns.to_vec(), make)
    }
}

/// The operators of a query over some tables.
pub(super) type Operators = Kept<Columns, Query>;

impl Operators {
    /// The operators of a plan over the tables of a session and these.
    pub fn of(&self, session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<Arc<Query>> {
        let is_same = |known: &Columns| {
            let known = known.iter().map(|(name, fields)| (name.as_str(), fields.as_slice()));
            known.eq(tables(session, ctes))
        };
        let columns =
            || tables(session, ctes).map(|(name, fields)| (name.to_owned(), fields.to_vec())).collect();
        self.get(is_same, columns, || lower::query(session, ctes, plan))
    }
}

fn tables<'t>(session: &'t Session<'_>, ctes: &'t Ctes) -> impl Iterator<Item = (&'t str, &'t [Field])> {
    let declared = session.catalog.tables.iter().map(|(name, rows)| (*name, rows.fields.as_slice()));
    declared.chain(ctes.fields())
}
