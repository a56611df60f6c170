//! Splits a query whose occurrences of the events table are all in one derived or common table:
//! `SELECT … FROM (SELECT … FROM events ORDER BY … LIMIT 10) …`. The inner query is evaluated while the events
//! are read, as if it had been asked alone; the query around it runs over the few rows that this leaves.

use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, Query, SetExpr, TableAlias, TableFactor};

use crate::sql::scope::Ctes;
use crate::sql::syntax::dialect;
use crate::sql::syntax::names::{self, is_events, top};
use crate::sql::syntax::visit::relations;
use crate::sql::types::relation::Relation;

/// The name of the inner query's rows in the outer query; no query can contain such a name.
pub(in crate::sql) const NAME: &str = "\0inner";

/// The common tables of the outer query: the rows of the inner one.
pub(in crate::sql) fn tables(rows: Relation) -> Ctes {
    Ctes::default().with(NAME.to_owned(), rows)
}

/// The outer query of a bound query. `is_good` says whether it is useful to evaluate an inner one alone; the last that
/// it was asked for is the inner query.
pub(in crate::sql) fn split(tree: &Query, mut is_good: impl FnMut(&Query) -> bool) -> Option<Query> {
    let count = mentions(tree);
    if count == 0 || tree.with.as_ref().is_some_and(|with| with.recursive) {
        return None;
    }
    let mut outer = tree.clone();
    each_table(&mut outer, &mut |query| {
        if names_events_alone(query) && mentions(query) == count && is_good(query) {
            *query = all_rows(query)?;
            return Some(());
        }
        None
    })?;
    // Other names of columns, which `*` does not show, do not leave the inner query.
    Some(outer).filter(|outer| !names::has_other_names(outer))
}

/// Number of occurrences of the events table.
fn mentions(query: &Query) -> usize {
    let mut count = 0;
    let _ = relations(query, &mut |name| {
        count += usize::from(is_events(&names::last(name)));
        ControlFlow::Continue(())
    });
    count
}

/// Whether all tables of a query are the events.
fn names_events_alone(query: &Query) -> bool {
    let all = relations(query, &mut |name| {
        if is_events(&names::last(name)) { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    all.is_continue()
}

/// Calls `found` for the derived and common tables of a query, the outermost first, until it returns
/// something.
fn each_table(query: &mut Query, found: &mut dyn FnMut(&mut Query) -> Option<()>) -> Option<()> {
    for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        if found(&mut table.query).or_else(|| each_table(&mut table.query, found)).is_some() {
            return Some(());
        }
    }
    let SetExpr::Select(select) = &mut *query.body else { return None };
    for table in &mut select.from {
        let joined = table.joins.iter_mut().map(|join| &mut join.relation);
        for factor in std::iter::once(&mut table.relation).chain(joined) {
            if let TableFactor::Derived { lateral: false, subquery, .. } = factor
                && found(subquery).or_else(|| each_table(subquery, found)).is_some()
            {
                return Some(());
            }
        }
    }
    None
}

/// `SELECT * FROM` the rows of an inner query.
fn all_rows(query: &Query) -> Option<Query> {
    top(query)?;
    all_of(NAME)
}

/// `SELECT * FROM` a table.
pub(in crate::sql) fn all_of(table_name: &str) -> Option<Query> {
    let mut all = dialect::parse("SELECT * FROM events").ok()?;
    let SetExpr::Select(select) = &mut *all.body else { return None };
    let [table] = select.from.as_mut_slice() else { return None };
    let TableFactor::Table { name, alias, .. } = &mut table.relation else { return None };
    *name = ObjectName::from(Ident::new(table_name));
    *alias =
        Some(TableAlias { explicit: false, name: Ident::new(table_name), columns: Vec::new(), at: None });
    Some(all)
}
