//! Which queries can be evaluated in pieces: those in which every row depends on a single event.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Visit};

use crate::sql::bind::Bound;
use crate::sql::plan::logical::{JoinKind, Node, Operator, Plan};
use crate::sql::plan::table_scans;
use crate::sql::syntax::visit::{Visitor, visit};

/// Whether all rows of a query depend on single events, except for a reduction at the top.
pub(super) fn is_reduced(bound: &Bound, plan: &Plan) -> bool {
    // The events table occurs once: if it is first in FROM, nothing else reads events.
    let is_one = || table_scans::of(plan).is_some_and(|table_scans| table_scans.len() == 1);
    // Tables of the engine are not available for pieces.
    let is_alone = bound.declared().len() == 1;
    let chain = plan.chain();
    let is_select = chain.iter().any(|node| matches!(node.operator, Operator::Project(_)));
    is_alone
        && is_select
        && !plan.is_recursive
        && !has_windows_below(plan)
        && chain.last().is_some_and(|from| is_by_event(from))
        && is_one()
}

/// Whether there are windows over other rows than the groups at the top, which are all there in the end.
fn has_windows_below(plan: &Plan) -> bool {
    let chain = plan.chain();
    let groups = chain.iter().find(|node| matches!(node.operator, Operator::Aggregate { .. }));
    match groups.and_then(|groups| groups.input()) {
        Some(rows) => rows.has_windows() || plan.commons.iter().any(|common| common.plan.has_windows()),
        None => plan.has_windows(),
    }
}

pub(super) fn has_windows(tree: &impl Visit) -> bool {
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

/// Whether each row of a FROM depends on a single event: the events table comes first, and joins handle each
/// row separately.
fn is_by_event(from: &Node) -> bool {
    let first = |node: &Node| node.input().is_some_and(is_by_event);
    match &from.operator {
        Operator::Scan { leaf, .. } => from.events().is_some() && !leaf.is_sampled(),
        Operator::Common { common, leaf } => !leaf.is_sampled() && is_row_by_row(&common.plan),
        Operator::Derived { plan, lateral: None, leaf } => !leaf.is_sampled() && is_row_by_row(plan),
        Operator::Unnest { .. } => first(from),
        Operator::Join { kind: JoinKind::Cross | JoinKind::Inner | JoinKind::Left, using, .. } => {
            using.is_empty() && first(from)
        }
        _ => false,
    }
}

/// Whether each row of a query depends on a single event.
fn is_row_by_row(plan: &Plan) -> bool {
    let chain = plan.chain();
    let Some((from, [project, filters @ ..])) = chain.split_last() else {
        return false;
    };
    plan.commons.is_empty()
        && matches!(project.operator, Operator::Project(_))
        && filters.iter().all(|node| matches!(node.operator, Operator::Filter(_) | Operator::Window(_)))
        && is_by_event(from)
}
