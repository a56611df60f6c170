//! Searches expressions for aggregates, window functions and subqueries, without going into subqueries.

use std::ops::ControlFlow;

use sqlparser::ast::{
    BinaryOperator, Expr, Function, Query, Select, SelectItem, SelectItemQualifiedWildcardKind, Visit,
};

use super::{calls, names};
use crate::sql::syntax::visit::{Visitor, visit};

/// Calls found in an expression.
#[derive(Default)]
pub(in crate::sql) struct Calls {
    /// `count(*)`, `max(x)` …, outermost first, each once.
    pub aggregates: Vec<Expr>,
    /// `row_number() OVER (…)` …, each once.
    pub windows: Vec<Expr>,
    /// `grouping(key)` …, each once.
    pub groupings: Vec<Expr>,
}

impl Calls {
    pub fn of<'e>(exprs: impl IntoIterator<Item = &'e Expr>) -> Self {
        let mut calls = Self::default();
        for expr in exprs {
            outside_of_queries(expr, |expr| calls.note(expr));
        }
        calls
    }

    fn note(&mut self, expr: &Expr) {
        let Expr::Function(function) = expr else { return };
        let list = match function {
            Function { over: Some(_), .. } => &mut self.windows,
            _ if names::of_function(function) == "grouping" => &mut self.groupings,
            _ if calls::is_aggregate(&names::of_function(function)) => &mut self.aggregates,
            _ => return,
        };
        if !list.contains(expr) {
            list.push(expr.clone());
        }
    }
}

/// The expressions of a SELECT list; a star has none.
pub(in crate::sql) fn list_exprs(select: &Select) -> impl Iterator<Item = &Expr> {
    select.projection.iter().filter_map(|item| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr),
        _ => None,
    })
}

/// The expression of an item of a SELECT list; `*` and `t.*` have none.
pub(in crate::sql) fn item_expr(item: &SelectItem) -> Option<&Expr> {
    match item {
        SelectItem::UnnamedExpr(expr)
        | SelectItem::ExprWithAlias { expr, .. }
        | SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => Some(expr),
        _ => None,
    }
}

/// Calls `look` with the expressions in `part`, outer ones first; with a subquery itself, but nothing inside
/// it.
pub(in crate::sql) fn outside_of_queries(part: &impl Visit, look: impl FnMut(&Expr)) {
    struct Outside<F> {
        look: F,
        depth: usize,
    }
    impl<F: FnMut(&Expr)> Visitor for Outside<F> {
        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.depth += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            self.depth -= 1;
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if self.depth == 0 {
                (self.look)(expr);
            }
            ControlFlow::Continue(())
        }
    }
    let _ = visit(part, &mut Outside { look, depth: 0 });
}

/// Subqueries that stand in expressions, but not those inside other queries.
pub(in crate::sql) fn subqueries(part: &impl Visit) -> Vec<Query> {
    let mut found = Vec::new();
    outside_of_queries(part, |expr| {
        if let Expr::Subquery(query)
        | Expr::Exists { subquery: query, .. }
        | Expr::InSubquery { subquery: query, .. } = expr
        {
            found.push((**query).clone());
        }
    });
    found
}

/// Whether an expression names a column that is not in `columns`. If in doubt, yes.
pub(in crate::sql) fn names_more_than(columns: &'static [&'static str]) -> impl Fn(&Expr) -> bool {
    struct Finder(&'static [&'static str]);
    impl Visitor for Finder {
        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let is_known = |name: &str| self.0.contains(&name);
            let known = match expr {
                Expr::Identifier(name) => is_known(&name.value),
                Expr::CompoundIdentifier(parts) => {
                    parts.len() == 2 && parts.last().is_some_and(|name| is_known(&name.value))
                }
                _ => true,
            };
            if known { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        }
    }
    move |expr| visit(expr, &mut Finder(columns)).is_break()
}

/// Whether there is a subquery anywhere in `expr`.
pub(in crate::sql) fn has_subquery(expr: &Expr) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_query(&mut self, _query: &Query) -> ControlFlow<()> {
            ControlFlow::Break(())
        }
    }
    visit(expr, &mut Finder).is_break()
}

/// Whether `expr` can have a value although a part of it is NULL, as `coalesce` and `IS NULL` can.
pub(in crate::sql) fn may_hide_null(expr: &Expr) -> bool {
    const HIDING: &[&str] = &[
        "coalesce",
        "if",
        "concat_ws",
        "try",
        "array",
        "row",
        "map",
        "format",
        "json_format",
        "typeof",
        "zip",
        "repeat",
    ];
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let hides = match expr {
                Expr::BinaryOp { op, .. } => matches!(op, BinaryOperator::And | BinaryOperator::Or),
                Expr::Function(function) => HIDING.contains(&names::of_function(function).as_str()),
                Expr::Identifier(_)
                | Expr::CompoundIdentifier(_)
                | Expr::CompoundFieldAccess { .. }
                | Expr::Nested(_)
                | Expr::Value(_)
                | Expr::TypedString(_)
                | Expr::Interval(_)
                | Expr::UnaryOp { .. }
                | Expr::Cast { .. }
                | Expr::AtTimeZone { .. }
                | Expr::Extract { .. }
                | Expr::Like { .. }
                | Expr::Position { .. }
                | Expr::Substring { .. }
                | Expr::Trim { .. }
                | Expr::Ceil { .. }
                | Expr::Floor { .. } => false,
                _ => true,
            };
            if hides { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    visit(expr, &mut Finder).is_break()
}

/// The conditions that are combined by AND at the top of `expr`, in order.
pub(in crate::sql) fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    chain(expr, &BinaryOperator::And)
}

/// The condition that all of these are true; `None` if there are none.
pub(in crate::sql) fn all_of(conditions: &[Expr]) -> Option<Expr> {
    conditions.iter().cloned().reduce(|before, next| Expr::BinaryOp {
        left: Box::new(before),
        op: BinaryOperator::And,
        right: Box::new(next),
    })
}

/// The operands of a chain of one operator, in order. Long chains nest to the left; this does not recurse
/// into them.
pub(in crate::sql) fn chain<'e>(expr: &'e Expr, operator: &BinaryOperator) -> Vec<&'e Expr> {
    let mut found = Vec::new();
    let mut open = vec![expr];
    while let Some(expr) = open.pop() {
        match expr {
            Expr::BinaryOp { left, op, right } if op == operator => {
                open.push(right);
                open.push(left);
            }
            Expr::Nested(inner) => open.push(inner),
            other => found.push(other),
        }
    }
    found
}
