//! Occurrences of the events table whose rows can be looked at some at a time, even if these are of one share:
//! each row of the answer, or each that is grouped, is made of one of them, or of none.
//!
//! That is so for tables that are joined by JOIN, and for the left side of a LEFT JOIN; the right side has to be
//! whole, so that it is known which rows have no match. Tables in subqueries of expressions have to be whole, too.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, JoinOperator as Op, Query, Select, TableFactor, TableWithJoins, Visit};

use super::EventsTable;
use crate::sql::syntax::grouping;
use crate::sql::syntax::names::{self, is_body_alone, top};
use crate::sql::syntax::visit::{Visitor, visit};

/// For each occurrence in a divided query, whether its rows are separable. `whole`: whether each group has to be
/// in one piece.
pub(super) fn separable(tree: &Query, events_tables: &[EventsTable], whole: bool) -> Vec<bool> {
    let of_top = || {
        let select = top(tree).filter(|_| tree.with.is_none())?;
        let is_whole = whole && grouping::is_grouped(select, tree.order_by.as_ref());
        let has_windows = has_windows(&tree.order_by) || has_windows(select);
        (!is_whole && !has_windows).then(|| of_from(&select.from))
    };
    let found = of_top().unwrap_or_default();
    events_tables.iter().map(|events_table| found.contains(&events_table.name)).collect()
}

fn has_windows(part: &impl Visit) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_query(&mut self, _: &Query) -> ControlFlow<()> {
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            match expr {
                Expr::Function(function) if function.over.is_some() => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    visit(part, &mut Finder).is_break()
}

/// The names of such tables in a FROM clause.
fn of_from(from: &[TableWithJoins]) -> Vec<String> {
    from.iter().flat_map(of_joined).collect()
}

fn of_joined(table: &TableWithJoins) -> Vec<String> {
    let mut found = of_factor(&table.relation);
    for join in &table.joins {
        match &join.join_operator {
            Op::CrossJoin(_) | Op::Join(_) | Op::Inner(_) => found.extend(of_factor(&join.relation)),
            Op::Left(_) | Op::LeftOuter(_) => {}
            Op::Right(_) | Op::RightOuter(_) => found = of_factor(&join.relation),
            _ => found.clear(),
        }
    }
    found
}

fn of_factor(factor: &TableFactor) -> Vec<String> {
    match factor {
        TableFactor::Table { name, sample: None, .. } => vec![names::last(name)],
        TableFactor::Derived { lateral: false, sample: None, subquery, .. } if is_body_alone(subquery) => {
            match top(subquery) {
                Some(select) if is_row_by_row(select) => of_from(&select.from),
                _ => Vec::new(),
            }
        }
        TableFactor::NestedJoin { table_with_joins, .. } => of_joined(table_with_joins),
        _ => Vec::new(),
    }
}

fn is_row_by_row(select: &Select) -> bool {
    select.distinct.is_none() && !grouping::is_grouped(select, None) && !has_windows(select)
}
