//! What can be asked of a plan as a whole.

use sqlparser::ast::Expr;

use super::{Node, Operator, Plan};
use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::limits::Limits;
use crate::sql::syntax::walk;
use crate::sql::types::relation::Field;

impl Plan {
    /// OFFSET and LIMIT.
    pub fn limits(&self) -> Option<&Limits> {
        match &self.top.operator {
            Operator::Limit(limits) => Some(limits),
            _ => None,
        }
    }

    /// Whether a SELECT at its top has DISTINCT.
    pub fn is_distinct(&self) -> bool {
        self.chain().iter().any(|node| matches!(node.operator, Operator::Distinct))
    }

    /// Whether its rows are sorted.
    pub fn is_sorted(&self) -> bool {
        self.chain().iter().any(|node| matches!(node.operator, Operator::Sort { .. }))
    }

    /// Whether there are window functions in it.
    pub fn has_windows(&self) -> bool {
        self.top.has_windows() || self.commons.iter().any(|common| common.plan.has_windows())
    }

    /// Calls `look` with every operator in it, and in the queries in it.
    pub fn each<'p>(&'p self, look: &mut dyn FnMut(&'p Node)) {
        self.commons.iter().for_each(|common| common.plan.each(look));
        self.top.each(look);
    }

    /// Calls `look` with every expression in it, outer ones first.
    pub fn expressions(&self, look: &mut dyn FnMut(&Expr)) {
        self.each(&mut |node| {
            node.written().into_iter().for_each(|expr| walk::outside_of_queries(expr, |part| look(part)));
        });
    }

    /// The columns of its rows that a star shows.
    pub fn columns(&self) -> impl Iterator<Item = &Field> {
        self.top.fields.iter().filter(|field| !field.hidden)
    }

    /// The operators of one SELECT from the top down to its FROM, which comes last. The chain of a set
    /// operation ends with it.
    pub fn chain(&self) -> Vec<&Node> {
        let mut chain = vec![&self.top];
        while let Some([input]) =
            chain.last().filter(|node| !node.is_from()).map(|node| node.inputs.as_slice())
        {
            chain.push(input);
        }
        chain
    }
}

impl Node {
    /// The expressions in it as they are written. Calls of aggregates and window functions are parts of those in the
    /// operators above.
    fn written(&self) -> Vec<&Expr> {
        match &self.operator {
            Operator::Values(rows) => rows.iter().flatten().collect(),
            Operator::Unnest { arrays: exprs, .. }
            | Operator::Join { on: exprs, .. }
            | Operator::Filter(exprs)
            | Operator::Aggregate { grouping: Grouping { keys: exprs, .. }, .. } => exprs.iter().collect(),
            Operator::Project(items) => items.iter().filter_map(walk::item_expr).collect(),
            Operator::Sort { keys, .. } => keys.iter().map(|(key, _)| key).collect(),
            Operator::Limit(Limits { offset, count, .. }) => offset.iter().chain(count).collect(),
            _ => Vec::new(),
        }
    }

    /// Whether there are window functions in it, or below it.
    pub fn has_windows(&self) -> bool {
        let mut has = false;
        self.each(&mut |node| has = has || matches!(node.operator, Operator::Window(_)));
        has
    }

    fn each<'p>(&'p self, look: &mut dyn FnMut(&'p Self)) {
        look(self);
        match &self.operator {
            Operator::Derived { plan, .. } | Operator::Query(plan) => plan.each(look),
            _ => {}
        }
        self.inputs.iter().for_each(|input| input.each(look));
        self.subqueries.iter().for_each(|subquery| subquery.plan.each(look));
    }
}
