//! A place that names the table of events.

use sqlparser::ast::Expr;

use crate::sql::error::Result;
use crate::sql::types::event_data_store;
use crate::sql::types::relation::Relation;

/// An occurrence of the events table.
#[derive(Debug, Clone)]
pub(in crate::sql) struct EventsTable {
    /// Its unique name.
    pub name: String,
    /// The alias of its columns.
    pub alias: String,
    pub is_store: bool,
    /// Events for which these expressions are equal must be in one share.
    pub keys: Vec<Expr>,
}

impl EventsTable {
    /// The events with the columns and the alias of this occurrence.
    pub fn table(&self, events: Relation) -> Result<Relation> {
        if self.is_store { event_data_store::typed(events) } else { Ok(events) }
    }
}
