//! Finds every occurrence of `cloudtrail_logs` in a query, with the conditions that its rows must meet.
//!
//! For an occurrence in a common table expression or a derived table, the conditions of the surrounding
//! queries count as well, if they use columns that are passed through unchanged (see [`pushdown`]). A common
//! table expression is processed once for each place that uses it: what any of these places needs has to be
//! read.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::rc::Rc;

use sqlparser::ast::{
    Expr, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, Query, Select, SetExpr, TableFactor,
    TableWithJoins, Visit,
};

use super::pushdown;
use super::pushdown::Constants;
use crate::sql::bind::Bound;
use crate::sql::syntax::names::{constraint, is_events};
use crate::sql::syntax::visit::relations;
use crate::sql::syntax::{names, walk};

/// Maximum number of occurrences: common table expressions that use each other may double them with each
/// step. Beyond this no conditions are derived.
const MENTIONS_MAX: usize = 200;
const STEPS_MAX: usize = 2_000;

/// One occurrence of `cloudtrail_logs`.
pub(in crate::sql) struct TableScan {
    pub alias: String,
    pub conditions: Vec<Expr>,
}

/// The occurrences in a query. `None`: some cannot be followed, so no conditions can be derived.
pub(in crate::sql) fn of(bound: &Bound) -> Option<Vec<TableScan>> {
    let query = bound.tree();
    let mut walker = Walker { bound, found: Vec::new(), places: BTreeSet::new(), steps: 0 };
    walker.query(query, &Commons::default(), Vec::new());
    let mut followed = walker.steps <= STEPS_MAX && walker.found.len() <= MENTIONS_MAX;
    let _ = relations(query, &mut |name| {
        followed &= !is_events(&names::last(name)) || walker.places.contains(&place(name));
        ControlFlow::Continue(())
    });
    followed.then_some(walker.found)
}

/// The position of a name in the text: line and column.
fn place(name: &ObjectName) -> (u64, u64) {
    let start = name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.span.start);
    start.map_or((0, 0), |start| (start.line, start.column))
}

/// A common table expression, and those that it can refer to.
struct Common {
    name: String,
    query: Query,
    renamed: bool,
    before: Commons,
    is_used: Cell<bool>,
}

#[derive(Clone, Default)]
struct Commons(Option<Rc<Common>>);

impl Commons {
    fn get(&self, name: &str) -> Option<Rc<Common>> {
        let mut at = self.0.clone();
        while let Some(common) = at {
            if common.name == name {
                return Some(common);
            }
            at = common.before.0.clone();
        }
        None
    }
}

/// The conditions of the query around a `FROM` on its rows.
struct Around<'s> {
    wheres: &'s [Expr],
    constants: &'s Constants,
    commons: &'s Commons,
}

struct Walker<'b> {
    bound: &'b Bound,
    found: Vec<TableScan>,
    /// The positions of the names that were followed.
    places: BTreeSet<(u64, u64)>,
    steps: usize,
}

impl Walker<'_> {
    /// `more` is true for every row of the query that is needed.
    fn query(&mut self, query: &Query, commons: &Commons, more: Vec<Expr>) {
        self.steps += 1;
        if self.steps > STEPS_MAX || self.found.len() > MENTIONS_MAX {
            return;
        }
        let mut commons = commons.clone();
        let mut own = Vec::new();
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let common = Rc::new(Common {
                name: table.alias.name.value.clone(),
                query: (*table.query).clone(),
                renamed: !table.alias.columns.is_empty(),
                before: commons.clone(),
                is_used: Cell::new(false),
            });
            own.push(common.clone());
            commons = Commons(Some(common));
        }
        self.set(&query.body, &commons, more);
        self.subqueries(&query.order_by, &commons);
        for common in own.iter().filter(|common| !common.is_used.get()) {
            self.query(&common.query, &common.before, Vec::new());
        }
    }

    fn set(&mut self, body: &SetExpr, commons: &Commons, more: Vec<Expr>) {
        match body {
            SetExpr::Select(select) => self.select(select, commons, more),
            SetExpr::Query(query) => self.query(query, commons, Vec::new()),
            SetExpr::SetOperation { left, right, .. } => {
                self.set(left, commons, Vec::new());
                self.set(right, commons, Vec::new());
            }
            other => self.subqueries(other, commons),
        }
    }

    /// Processes subqueries in expressions, which have only the conditions of their own WHERE.
    fn subqueries(&mut self, part: &impl Visit, commons: &Commons) {
        for query in walk::subqueries(part) {
            self.query(&query, commons, Vec::new());
        }
    }

    fn select(&mut self, select: &Select, commons: &Commons, more: Vec<Expr>) {
        self.subqueries(select, commons);
        let mut wheres: Vec<Expr> = select.selection.iter().flat_map(walk::conjuncts).cloned().collect();
        wheres.extend(more);
        let constants = constants(select, commons);
        self.tables(&select.from, &Around { wheres: &wheres, constants: &constants, commons });
    }

    fn tables(&mut self, from: &[TableWithJoins], around: &Around<'_>) {
        let outer = from.iter().flat_map(|table| &table.joins).any(|join| !is_inner(&join.join_operator));
        for table in from {
            for (at, factor) in std::iter::once(&table.relation)
                .chain(table.joins.iter().map(|join| &join.relation))
                .enumerate()
            {
                let mut conditions = Vec::new();
                // With outer joins, a condition in WHERE limits only the first table, which they cannot fill
                // with NULLs.
                if !outer
                    || (at == 0
                        && from.len() == 1
                        && table.joins.iter().all(|join| is_left_or_inner(&join.join_operator)))
                {
                    conditions.extend(around.wheres.iter().cloned());
                }
                for (joined, join) in table.joins.iter().enumerate() {
                    let own = joined + 1 == at;
                    let inner = !outer && is_inner(&join.join_operator);
                    if (inner || (own && is_left_or_inner(&join.join_operator)))
                        && let Some(on) = on(&join.join_operator)
                    {
                        conditions.extend(walk::conjuncts(on).into_iter().cloned());
                    }
                }
                self.factor(factor, conditions, around);
            }
        }
    }

    fn factor(&mut self, factor: &TableFactor, mut conditions: Vec<Expr>, around: &Around<'_>) {
        let commons = around.commons;
        match factor {
            TableFactor::Table { name, alias: Some(alias), args: None, .. } => {
                self.places.insert(place(name));
                let (table, renamed) = (names::last(name), !alias.columns.is_empty());
                let alias = alias.name.value.as_str();
                if let Some(common) = commons.get(&table) {
                    common.is_used.set(true);
                    let renamed = renamed || common.renamed;
                    self.inner(&common.query, &common.before, (alias, renamed), &conditions, around);
                } else if is_events(&table) {
                    conditions.retain(|_| !renamed);
                    conditions.iter_mut().for_each(|condition| around.constants.put_into(condition));
                    self.found.push(TableScan { alias: alias.to_owned(), conditions });
                }
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } => {
                let renamed = !alias.columns.is_empty();
                self.inner(subquery, commons, (&alias.name.value, renamed), &conditions, around);
            }
            TableFactor::NestedJoin { table_with_joins, .. } => {
                let nothing = Constants::default();
                let around = Around { wheres: &[], constants: &nothing, commons };
                self.tables(std::slice::from_ref(table_with_joins), &around);
            }
            _ => {}
        }
    }

    /// Processes a query in `FROM`.
    fn inner(
        &mut self,
        query: &Query,
        commons: &Commons,
        (alias, renamed): (&str, bool),
        conditions: &[Expr],
        around: &Around<'_>,
    ) {
        let outputs = if renamed { None } else { pushdown::Outputs::of(query, self.bound) };
        let pushed = outputs.map(|outputs| {
            conditions
                .iter()
                .filter_map(|condition| outputs.inside(condition, alias, around.constants))
                .collect()
        });
        self.query(query, commons, pushed.unwrap_or_default());
    }
}

/// The constants of tables with one row, such as `params`, in this `FROM`. An outer join may turn them into
/// NULL.
fn constants(select: &Select, commons: &Commons) -> Constants {
    let mut constants = Constants::default();
    let joins = || select.from.iter().flat_map(|table| &table.joins);
    if joins().any(|join| !is_inner(&join.join_operator)) {
        return constants;
    }
    for factor in select.from.iter().map(|table| &table.relation).chain(joins().map(|join| &join.relation)) {
        match factor {
            TableFactor::Table { name, alias: Some(alias), .. } if alias.columns.is_empty() => {
                if let Some(common) = commons.get(&names::last(name)).filter(|common| !common.renamed) {
                    constants.add(&alias.name.value, &common.query);
                }
            }
            TableFactor::Derived { subquery, alias: Some(alias), .. } if alias.columns.is_empty() => {
                constants.add(&alias.name.value, subquery);
            }
            _ => {}
        }
    }
    constants
}

fn is_inner(operator: &JoinOperator) -> bool {
    matches!(operator, JoinOperator::Join(_) | JoinOperator::Inner(_) | JoinOperator::CrossJoin(_))
}

fn is_left_or_inner(operator: &JoinOperator) -> bool {
    is_inner(operator) || matches!(operator, JoinOperator::Left(_) | JoinOperator::LeftOuter(_))
}

fn on(operator: &JoinOperator) -> Option<&Expr> {
    match constraint(operator) {
        Some(JoinConstraint::On(on)) => Some(on),
        _ => None,
    }
}
