//! SELECT: what is made of the rows of its FROM.

use std::collections::BTreeSet;

use sqlparser::ast::{BinaryOperator, Expr, OrderByOptions, SelectItem};

use super::from::Source;
use super::{Lowering, unexpected};
use crate::sql::error::Result;
use crate::sql::eval::resolve::select;
use crate::sql::expression::query;
use crate::sql::plan::logical::{Node, Operator};
use crate::sql::scope::Scope;
use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::names;
use crate::sql::types::relation::Relation;

/// The operators of a SELECT, as its clauses.
pub(super) struct Clauses<'p> {
    is_distinct: bool,
    pub items: &'p [SelectItem],
    pub windows: &'p [Expr],
    having: Option<Expr>,
    pub grouping: Option<&'p Grouping>,
    pub aggregates: &'p [Expr],
    groupings: &'p [Expr],
    /// The conditions of WHERE.
    pub conditions: &'p [Expr],
    pub from: &'p Node,
    order_by: &'p [(Expr, OrderByOptions)],
}

impl<'p> Clauses<'p> {
    /// Those of the operators from `top` down, whose rows are sorted by `order_by`.
    pub fn of(top: &'p Node, order_by: &'p [(Expr, OrderByOptions)]) -> Result<Self> {
        let mut clauses = Self {
            is_distinct: false,
            items: &[],
            windows: &[],
            having: None,
            grouping: None,
            aggregates: &[],
            groupings: &[],
            conditions: &[],
            from: top,
            order_by,
        };
        while !clauses.from.is_from() {
            match &clauses.from.operator {
                Operator::Distinct => clauses.is_distinct = true,
                Operator::Project(items) => clauses.items = items,
                Operator::Window(calls) => clauses.windows = calls,
                Operator::Filter(conditions) => clauses.conditions = conditions,
                // Conditions above are those on groups.
                Operator::Aggregate { grouping, calls, groupings } => {
                    clauses.having = all_of(std::mem::take(&mut clauses.conditions));
                    clauses.grouping = Some(grouping);
                    (clauses.aggregates, clauses.groupings) = (calls, groupings);
                }
                _ => return Err(unexpected()),
            }
            clauses.from = clauses.from.input().ok_or_else(unexpected)?;
        }
        Ok(clauses)
    }

    /// Those behind WHERE.
    pub fn listed(&self) -> select::Clauses<'_> {
        select::Clauses {
            grouping: self.grouping,
            aggregates: self.aggregates,
            groupings: self.groupings,
            windows: self.windows,
            having: self.having.as_ref(),
            items: self.items,
            is_distinct: self.is_distinct,
            order_by: self.order_by,
        }
    }

    /// All parts of all names that are used behind FROM; `None`: any may be, by a star.
    fn names(&self) -> Option<BTreeSet<String>> {
        let mut parts = BTreeSet::new();
        for item in self.items {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    parts.extend(names::parts_in(expr))
                }
                _ => return None,
            }
        }
        let keys = self.grouping.iter().flat_map(|grouping| &grouping.keys);
        let sorted = self.order_by.iter().map(|(key, _)| key);
        let exprs = self.conditions.iter().chain(&self.having).chain(keys).chain(sorted);
        exprs.for_each(|expr| parts.extend(names::parts_in(expr)));
        Some(parts)
    }
}

/// The conditions as one.
fn all_of(conditions: &[Expr]) -> Option<Expr> {
    conditions.iter().cloned().reduce(|before, next| Expr::BinaryOp {
        left: Box::new(before),
        op: BinaryOperator::And,
        right: Box::new(next),
    })
}

impl Lowering<'_> {
    /// The operators of a SELECT, and its columns, without rows.
    pub(super) fn select(
        &self,
        like: &Scope<'_>,
        clauses: &Clauses<'_>,
    ) -> Result<(query::Select, Relation)> {
        let Source { from, rows } = self.rows(like, clauses)?;
        let scope = Scope { relation: &rows, ..*like };
        let conditions = clauses.conditions.iter().map(|condition| scope.resolve(condition));
        let conditions = conditions.collect::<Result<_>>()?;
        let (listed, selected) = select::select(&scope, clauses.listed())?;
        let select = query::Select { from, conditions, ..listed };
        Ok((select, Relation::without_rows(selected.columns)))
    }

    /// The tables of its FROM.
    pub(super) fn rows(&self, like: &Scope<'_>, clauses: &Clauses<'_>) -> Result<Source> {
        let is_unnest = matches!(clauses.from.operator, Operator::Unnest { .. });
        let names = if is_unnest { clauses.names() } else { None };
        self.from(like, clauses.from, names.as_ref())
    }
}
