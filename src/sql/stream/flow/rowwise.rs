//! Which queries can be evaluated in pieces: those in which every row depends on a single event.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, JoinConstraint, JoinOperator, Query, TableFactor, TableWithJoins};

use crate::sql::bind::Bound;
use crate::sql::plan::table_scans;
use crate::sql::syntax::names::{is_events, top};
use crate::sql::syntax::visit::{Visitor, visit};
use crate::sql::syntax::{grouping, names};

/// Whether all rows of a query depend on single events, except for a reduction at the top.
pub(super) fn is_reduced(bound: &Bound) -> bool {
    let tree = bound.tree();
    // The events table occurs once: if it is first in FROM, nothing else reads events.
    let is_one = || table_scans::of(bound).is_some_and(|table_scans| table_scans.len() == 1);
    let is_recursive = tree.with.as_ref().is_some_and(|with| with.recursive);
    // Tables of the engine are not available for pieces.
    let is_alone = bound.declared().len() == 1;
    top(tree).is_some_and(|select| {
        is_alone && !is_recursive && !has_windows(tree) && Walk(tree).from(&select.from) && is_one()
    })
}

pub(super) fn has_windows(tree: &Query) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if function.over.is_some() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    visit(tree, &mut Finder).is_break()
}

struct Walk<'t>(&'t Query);

impl Walk<'_> {
    /// Whether each row of a FROM depends on a single event: the events table comes first, and joins handle
    /// each row separately.
    fn from(&self, from: &[TableWithJoins]) -> bool {
        let Some(first) = from.first() else { return false };
        self.factor(&first.relation)
            && from.iter().flat_map(|table| &table.joins).all(|join| is_outward(&join.join_operator))
    }

    fn factor(&self, factor: &TableFactor) -> bool {
        match factor {
            TableFactor::Table { sample: None, name, .. } => {
                let table = names::last(name);
                match self.common(&table) {
                    Some(query) => self.query(query),
                    None => is_events(&table),
                }
            }
            TableFactor::Derived { lateral: false, sample: None, subquery, .. } => self.query(subquery),
            _ => false,
        }
    }

    fn common(&self, name: &str) -> Option<&Query> {
        let tables = self.0.with.iter().flat_map(|with| &with.cte_tables);
        tables.into_iter().find(|table| table.alias.name.value == name).map(|table| &*table.query)
    }

    /// Whether each row of a query depends on a single event.
    fn query(&self, query: &Query) -> bool {
        let is_plain = query.with.is_none()
            && query.order_by.is_none()
            && query.limit_clause.is_none()
            && query.fetch.is_none();
        let Some(select) = top(query).filter(|_| is_plain) else { return false };
        select.distinct.is_none() && !grouping::is_grouped(select, None) && self.from(&select.from)
    }
}

/// Whether a join handles each row of the left side separately.
fn is_outward(operator: &JoinOperator) -> bool {
    use JoinOperator as Op;
    matches!(
        operator,
        Op::CrossJoin(JoinConstraint::None)
            | Op::Join(JoinConstraint::On(_) | JoinConstraint::None)
            | Op::Inner(JoinConstraint::On(_) | JoinConstraint::None)
            | Op::Left(JoinConstraint::On(_))
            | Op::LeftOuter(JoinConstraint::On(_))
    )
}
