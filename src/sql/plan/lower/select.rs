//! SELECT: what is made of the rows of its FROM.

use std::collections::BTreeSet;

use sqlparser::ast::{Expr, OrderByOptions, SelectItem};

use super::from::Source;
use super::{Lowering, unexpected};
use crate::sql::error::Result;
use crate::sql::eval::resolve::select;
use crate::sql::expression::query;
use crate::sql::plan::logical::{Node, Operator};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::types::relation::Relation;

/// The operators of a SELECT, as its clauses.
pub(super) struct Clauses<'p> {
    pub from: &'p Node,
    /// The conditions of WHERE.
    pub conditions: &'p [Expr],
    /// Those behind WHERE.
    pub listed: select::Clauses<'p>,
}

impl<'p> Clauses<'p> {
    /// Those of the operators from `top` down, whose rows are sorted by `order_by`.
    pub fn of(top: &'p Node, order_by: &'p [(Expr, OrderByOptions)]) -> Result<Self> {
        let listed = select::Clauses { order_by, ..select::Clauses::default() };
        let mut clauses = Self { from: top, conditions: &[], listed };
        let Self { from, conditions, listed } = &mut clauses;
        while !from.is_from() {
            match &from.operator {
                Operator::Distinct => listed.is_distinct = true,
                Operator::Project(items) => listed.items = items,
                Operator::Window(calls) => listed.windows = calls,
                Operator::Filter(all) => *conditions = all,
                // Conditions above are those on groups.
                Operator::Aggregate { grouping, calls, groupings } => {
                    listed.having = std::mem::take(conditions);
                    listed.grouping = Some(grouping);
                    (listed.aggregates, listed.groupings) = (calls, groupings);
                }
                _ => return Err(unexpected()),
            }
            *from = from.input().ok_or_else(unexpected)?;
        }
        Ok(clauses)
    }

    /// All parts of all names that are used behind FROM; `None`: any may be, by a star.
    fn names(&self) -> Option<BTreeSet<String>> {
        let select::Clauses { items, grouping, having, order_by, .. } = self.listed;
        let mut parts = BTreeSet::new();
        for item in items {
            match item {
                SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                    parts.extend(names::parts_in(expr))
                }
                _ => return None,
            }
        }
        let keys = grouping.iter().flat_map(|grouping| &grouping.keys);
        let sorted = order_by.iter().map(|(key, _)| key);
        let exprs = self.conditions.iter().chain(having).chain(keys).chain(sorted);
        exprs.for_each(|expr| parts.extend(names::parts_in(expr)));
        Some(parts)
    }
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
        let (listed, selected) = select::select(&scope, clauses.listed)?;
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
