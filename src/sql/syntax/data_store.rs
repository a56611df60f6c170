//! The table of an event data store (CloudTrail Lake): how it differs from the table that the console
//! creates in Athena.
//!
//! In an event data store, the time of an event is a timestamp and not a text: `eventTime < '2026-03-02
//! 10:00:00'` compares times there, and texts in Athena. A query is considered to be for an event data store
//! if it names its table like one (by its id, or by `$EDS_ID`).

use std::ops::ControlFlow;

use sqlparser::ast::Query;

use super::names;
use crate::sql::syntax::visit::relations;

/// The internal name of a table that a query calls by an id or a placeholder for one.
pub(in crate::sql) const TABLE: &str = "cloudtrail_lake";

/// Whether a query is for an event data store.
pub(in crate::sql) fn is_meant(query: &Query) -> bool {
    relations(query, &mut |name| {
        if names::last(name) == TABLE { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })
    .is_break()
}
