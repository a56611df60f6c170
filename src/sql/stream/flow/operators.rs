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

#[derive(Debug, Default)]
pub(super) struct Operators(Mutex<Option<(Columns, Arc<Query>)>>);

/// A copy of a flow may have other tables.
impl Clone for Operators {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Operators {
    /// The operators of a plan over the tables of a session and these.
    pub fn of(&self, session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<Arc<Query>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some((columns, known)) = known
            && columns
                .iter()
                .map(|(name, fields)| (name.as_str(), fields.as_slice()))
                .eq(tables(session, ctes))
        {
            return Ok(known);
        }
        let made = Arc::new(lower::query(session, ctes, plan)?);
        let columns =
            tables(session, ctes).map(|(name, fields)| (name.to_owned(), fields.to_vec())).collect();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some((columns, Arc::clone(&made)));
        Ok(made)
    }
}

fn tables<'t>(session: &'t Session<'_>, ctes: &'t Ctes) -> impl Iterator<Item = (&'t str, &'t [Field])> {
    let declared = session.catalog.tables.iter().map(|(name, rows)| (*name, rows.fields.as_slice()));
    declared.chain(ctes.fields())
}
