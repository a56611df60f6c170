//! A query that asks something of what another one makes of the events: `SELECT … FROM (SELECT … FROM events ORDER BY … LIMIT 10) …`.
//!
//! The inner one is worked out as if it had been asked alone, in pieces or by counting, while the events are read; the outer one goes
//! over what that leaves, which is little.

use std::ops::ControlFlow;

use sqlparser::ast::{Ident, ObjectName, ObjectNamePart, Query, SetExpr, TableFactor, VisitMut, VisitorMut};

use super::flow::top;
use super::query::Ctes;
use super::relation::Relation;
use super::{mentions, names, scan};

/// What the inner query's rows are called in the outer one. Nobody can write this name.
const NAME: &str = "\0within";

/// A query over the rows of another one.
#[derive(Debug, Clone)]
pub(super) struct Outer {
    pub tree: Query,
}

impl Outer {
    /// The tables that its query sees: the rows of the inner one.
    pub fn tables(rows: Relation) -> Ctes {
        Ctes::default().with(NAME.to_owned(), rows)
    }
}

/// The inner and the outer query, where everything that is asked of events is asked in one table of FROM, or in one common table. `is_good`
/// says whether the inner one is worked out while events are read.
pub(super) fn split(tree: &Query, mut is_good: impl FnMut(&Query) -> bool) -> Option<(Query, Outer)> {
    let count = mentions::of(tree)?.found.len();
    if tree.with.as_ref().is_some_and(|with| with.recursive) {
        return None;
    }
    let mut outer = tree.clone();
    let mut inner = None;
    each_table(&mut outer, &mut |query| {
        // What it names outside of itself is not there when it is asked alone.
        let is_alone = mentions::of(query).is_some_and(|mentions| mentions.found.len() == count) && names_events_alone(query);
        if is_alone && is_good(query) {
            inner = Some(std::mem::replace(query, all_of_it(query)?));
        }
        inner.as_ref().map(|_| ())
    });
    Some((inner?, Outer { tree: outer }))
}

/// Whether all tables of a query are the events.
fn names_events_alone(query: &Query) -> bool {
    sqlparser::ast::visit_relations(query, |name| match name.0.len() == 1 && scan::is_events(&names::last(name)) {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    })
    .is_continue()
}

/// Goes through the derived tables and common tables of a query that stand for themselves, the outermost first, until `found`.
fn each_table(query: &mut Query, found: &mut dyn FnMut(&mut Query) -> Option<()>) -> Option<()> {
    for table in query.with.iter_mut().flat_map(|with| &mut with.cte_tables) {
        if found(&mut table.query).or_else(|| each_table(&mut table.query, found)).is_some() {
            return Some(());
        }
    }
    let SetExpr::Select(select) = &mut *query.body else { return None };
    for table in &mut select.from {
        for factor in std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation)) {
            if let TableFactor::Derived { lateral: false, subquery, .. } = factor
                && found(subquery).or_else(|| each_table(subquery, found)).is_some()
            {
                return Some(());
            }
        }
    }
    None
}

/// `SELECT * FROM` the inner query's rows, made of a query that has a FROM.
fn all_of_it(query: &Query) -> Option<Query> {
    top(query)?;
    let mut all = super::dialect::parse("SELECT * FROM events").ok()?;
    struct Named;
    impl VisitorMut for Named {
        type Break = ();

        fn pre_visit_relation(&mut self, name: &mut ObjectName) -> ControlFlow<()> {
            *name = ObjectName(vec![ObjectNamePart::Identifier(Ident::new(NAME))]);
            ControlFlow::Continue(())
        }
    }
    let _ = VisitMut::visit(&mut all, &mut Named);
    Some(all)
}
