//! Finds the inner queries that can be answered by themselves.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, Query, Select, SetExpr, SetOperator, SetQuantifier, TableAlias, TableFactor,
};

use super::{Reads, Stage, flow_of, has_events, query_of};
use crate::sql::bind::Bound;
use crate::sql::plan::around;
use crate::sql::stream::flow::Reduction;
use crate::sql::syntax::grouping;
use crate::sql::syntax::names::{self, top};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};

/// The names of the tables that inner queries become. No query can contain such a name.
const NAME: &str = "\0stage";

/// Finds them, the outermost first, and puts tables in their places.
pub(super) struct Finder<'b> {
    bound: &'b Bound,
    reads: Reads<'b>,
    /// Whether their answers have to have few rows.
    few: bool,
    pub(super) stages: Vec<Stage>,
}

impl<'b> Finder<'b> {
    pub(super) fn new(bound: &'b Bound, reads: Reads<'b>, few: bool) -> Self {
        Self { bound, reads, few, stages: Vec::new() }
    }

    /// The name of the table that a query becomes, if it can be answered by itself.
    fn stage(&mut self, query: &Query) -> Option<String> {
        if !has_events(query) || !names::free(query).is_empty() {
            return None;
        }
        if let Some(known) = self.stages.iter().find(|known| known.tree == *query) {
            return Some(known.name.clone());
        }
        let flow = flow_of(self.bound, query, self.reads)?;
        let is_few = flow.is_small() || matches!(flow.reduction, Reduction::Groups(_));
        if self.few && !is_few {
            return None;
        }
        let name = format!("{NAME}{}", self.stages.len());
        self.stages.push(Stage { name: name.clone(), flow, tree: query.clone() });
        Some(name)
    }

    /// Looks inside of a query.
    pub(super) fn inside(&mut self, query: &mut Query) {
        match &mut *query.body {
            SetExpr::Select(select) => self.select(select),
            body => self.side(body, false),
        }
    }

    fn select(&mut self, select: &mut Select) {
        for table in &mut select.from {
            self.factor(&mut table.relation);
            table.joins.iter_mut().for_each(|join| self.factor(&mut join.relation));
        }
        let _ = visit_mut(&mut select.projection, self);
        let _ = visit_mut(&mut select.selection, self);
        let _ = visit_mut(&mut select.having, self);
    }

    /// A side of UNION, INTERSECT or EXCEPT. `is_set`: rows that are equal make no difference.
    fn side(&mut self, body: &mut SetExpr, is_set: bool) {
        match body {
            SetExpr::SetOperation { left, right, op, set_quantifier } => {
                let is_all = matches!(set_quantifier, SetQuantifier::All);
                let is_set = !is_all || is_set && *op == SetOperator::Union;
                self.side(left, is_set);
                self.side(right, is_set);
            }
            SetExpr::Query(query) => match self.side_alone((**query).clone(), is_set) {
                Some(all) => **query = all,
                None => self.inside(query),
            },
            SetExpr::Select(select) => {
                match query_of((**select).clone()).and_then(|alone| self.side_alone(alone, is_set)) {
                    Some(all) => *body = SetExpr::Query(Box::new(all)),
                    None => self.select(select),
                }
            }
            _ => {}
        }
    }

    /// All rows of the table that a side becomes.
    fn side_alone(&mut self, mut query: Query, is_set: bool) -> Option<Query> {
        if is_set {
            distinct(&mut query);
        }
        around::all_of(&self.stage(&query)?)
    }

    fn factor(&mut self, factor: &mut TableFactor) {
        match factor {
            TableFactor::Derived { lateral: false, sample: None, subquery, alias } => {
                match self.stage(subquery) {
                    None => self.inside(subquery),
                    Some(name) => {
                        if let Some(table) = table(&name, alias.clone()) {
                            *factor = table;
                        }
                    }
                }
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                self.factor(&mut table_with_joins.relation);
                table_with_joins.joins.iter_mut().for_each(|join| self.factor(&mut join.relation));
            }
            _ => {}
        }
    }
}

impl VisitorMut for Finder<'_> {
    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let is_search = matches!(expr, Expr::InSubquery { .. });
        let (Expr::Subquery(query)
        | Expr::Exists { subquery: query, .. }
        | Expr::InSubquery { subquery: query, .. }) = expr
        else {
            return ControlFlow::Continue(());
        };
        let known = query.clone();
        if is_search {
            distinct(query);
        }
        match self.stage(query).and_then(|name| around::all_of(&name)) {
            Some(all) => {
                self.bound.has_shape_of(&all, &known);
                **query = all;
            }
            None => *query = known,
        }
        ControlFlow::Continue(())
    }
}

/// Leaves out rows that are equal to others, where these make no difference.
fn distinct(query: &mut Query) {
    if names::is_body_alone(query)
        && let SetExpr::Select(select) = &mut *query.body
        && select.distinct.is_none()
        && !grouping::is_grouped(select, None)
    {
        select.distinct = Some(Distinct::Distinct);
    }
}

/// The table with the rows of a stage.
fn table(name: &str, alias: Option<TableAlias>) -> Option<TableFactor> {
    let mut table = top(&around::all_of(name)?)?.from.first()?.relation.clone();
    let TableFactor::Table { alias: own, .. } = &mut table else { return None };
    *own = alias;
    Some(table)
}
