//! Builds the logical plan of a bound query.

use std::sync::Arc;

use sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, LimitClause, OrderBy, Query, Select, SetExpr, SetQuantifier,
    TableAlias, TableFactor, TableWithJoins, Value, Visit,
};

use super::{Common, JoinKind, Leaf, Node, Operator, Plan};
use crate::sql::bind::Bound;
use crate::sql::syntax::grouping;
use crate::sql::syntax::{names, walk};
use crate::tables;

impl Plan {
    pub fn of(bound: &Bound) -> Self {
        Self { columns: bound.columns().to_vec(), ..Builder { bound }.query(bound.tree(), &[]) }
    }
}

struct Builder<'b> {
    bound: &'b Bound,
}

/// The tables of WITH that are visible.
type Known<'k> = &'k [Arc<Common>];

impl Node {
    fn leaf(operator: Operator) -> Self {
        Self { operator, inputs: Vec::new(), subqueries: Vec::new() }
    }

    fn over(self, operator: Operator, subqueries: Vec<Plan>) -> Self {
        Self { operator, inputs: vec![self], subqueries }
    }
}

impl Builder<'_> {
    fn query(&self, query: &Query, known: Known<'_>) -> Plan {
        let mut all = known.to_vec();
        let mut commons = Vec::new();
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let common = Arc::new(Common {
                name: table.alias.name.value.clone(),
                is_renamed: !table.alias.columns.is_empty(),
                plan: self.query(&table.query, &all),
            });
            all.push(Arc::clone(&common));
            commons.push(common);
        }
        let known = all.as_slice();
        let mut top = match &*query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref(), known),
            other => self.set(other, known),
        };
        let limit = limit(query);
        if let Some(by) = &query.order_by {
            let keys = grouping::order_exprs(by).unwrap_or_default();
            let first = match &limit {
                Some((offset, Some(count))) if !grouping::has_ties(query) => {
                    offset.unwrap_or(0).checked_add(*count)
                }
                _ => None,
            };
            top = top.over(Operator::Sort { keys, first }, self.subqueries(by, known));
        }
        if let Some((offset, count)) = limit {
            let mut subqueries = self.subqueries(&query.limit_clause, known);
            subqueries.extend(self.subqueries(&query.fetch, known));
            top = top.over(Operator::Limit { offset, count }, subqueries);
        }
        Plan {
            commons,
            is_recursive: query.with.as_ref().is_some_and(|with| with.recursive),
            top,
            columns: Vec::new(),
        }
    }

    fn subqueries(&self, part: &impl Visit, known: Known<'_>) -> Vec<Plan> {
        walk::subqueries(part).iter().map(|query| self.query(query, known)).collect()
    }

    fn set(&self, body: &SetExpr, known: Known<'_>) -> Node {
        match body {
            SetExpr::Select(select) => self.select(select, None, known),
            SetExpr::Query(query) => Node::leaf(Operator::Query(Box::new(self.query(query, known)))),
            SetExpr::SetOperation { op, set_quantifier, left, right } => Node {
                operator: Operator::SetOperation {
                    operator: *op,
                    all: matches!(set_quantifier, SetQuantifier::All),
                },
                inputs: vec![self.set(left, known), self.set(right, known)],
                subqueries: Vec::new(),
            },
            SetExpr::Values(values) => Node {
                subqueries: self.subqueries(values, known),
                ..Node::leaf(Operator::Values(values.rows.len()))
            },
            other => Node { subqueries: self.subqueries(other, known), ..Node::leaf(Operator::Values(0)) },
        }
    }

    fn select(&self, select: &Select, by: Option<&OrderBy>, known: Known<'_>) -> Node {
        let mut node = self.from(&select.from, known);
        if let Some(condition) = &select.selection {
            node = node.over(filter(condition), self.subqueries(condition, known));
        }
        let (grouping, calls) = grouping::grouping(select, by).unwrap_or_default();
        if let Some(grouping) = grouping {
            let operator = Operator::Aggregate {
                sets: grouping.sets.len(),
                keys: grouping.keys,
                calls: calls.aggregates,
                groupings: calls.groupings,
            };
            node = node.over(operator, self.subqueries(&select.group_by, known));
        }
        if let Some(having) = &select.having {
            node = node.over(filter(having), self.subqueries(having, known));
        }
        if !calls.windows.is_empty() {
            node = node.over(Operator::Window(calls.windows), Vec::new());
        }
        let over = self.bound.relation(&select.from);
        let project = Operator::Project { items: select.projection.clone(), over };
        node = node.over(project, self.subqueries(&select.projection, known));
        if select.distinct.is_some() { node.over(Operator::Distinct, Vec::new()) } else { node }
    }

    fn from(&self, tables: &[TableWithJoins], known: Known<'_>) -> Node {
        let mut all: Option<Node> = None;
        for table in tables {
            let mut node = self.beside(all.take(), &table.relation, JoinKind::Cross, None, known);
            for join in &table.joins {
                node = self.joined(node, join, known);
            }
            all = Some(node);
        }
        all.unwrap_or_else(|| Node::leaf(Operator::Row))
    }

    fn joined(&self, left: Node, join: &Join, known: Known<'_>) -> Node {
        let constraint = names::constraint(&join.join_operator);
        self.beside(Some(left), &join.relation, kind(&join.join_operator), constraint, known)
    }

    /// A table beside those to its left.
    fn beside(
        &self,
        left: Option<Node>,
        factor: &TableFactor,
        kind: JoinKind,
        constraint: Option<&JoinConstraint>,
        known: Known<'_>,
    ) -> Node {
        let is_plain = matches!(kind, JoinKind::Cross | JoinKind::Inner | JoinKind::Left);
        if let (TableFactor::UNNEST { array_exprs, alias, .. }, true) = (factor, is_plain) {
            let operator = Operator::Unnest {
                arrays: array_exprs.clone(),
                keeps_rows: kind == JoinKind::Left,
                leaf: self.table(factor, alias.as_ref(), (0, 0)),
            };
            let input = left.unwrap_or_else(|| Node::leaf(Operator::Row));
            return input.over(operator, self.subqueries(array_exprs, known));
        }
        let right = self.factor(factor, known);
        let Some(left) = left else { return right };
        let (on, using) = match constraint {
            Some(JoinConstraint::On(on)) => (walk::conjuncts(on).into_iter().cloned().collect(), Vec::new()),
            Some(JoinConstraint::Using(columns)) => (Vec::new(), columns.iter().map(names::last).collect()),
            _ => (Vec::<Expr>::new(), Vec::new()),
        };
        let subqueries = self.subqueries(&on, known);
        Node { operator: Operator::Join { kind, on, using }, inputs: vec![left, right], subqueries }
    }

    fn factor(&self, factor: &TableFactor, known: Known<'_>) -> Node {
        match factor {
            TableFactor::Table { name, alias, sample, .. } => {
                let table = names::last(name);
                let leaf = Leaf {
                    is_sampled: sample.is_some(),
                    ..self.table(factor, alias.as_ref(), names::place(name))
                };
                let common = known.iter().rev().find(|common| common.name == table);
                Node::leaf(match (common, tables::find(&table)) {
                    (Some(common), _) => Operator::Common { common: Arc::clone(common), leaf },
                    (None, Some(declared)) if !names::is_marked(&table) => {
                        Operator::Scan { table: declared, leaf }
                    }
                    _ => Operator::Step { leaf },
                })
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                let leaf =
                    Leaf { is_sampled: sample.is_some(), ..self.table(factor, alias.as_ref(), (0, 0)) };
                let plan = Box::new(self.query(subquery, known));
                Node::leaf(Operator::Derived { plan, is_lateral: *lateral, leaf })
            }
            TableFactor::UNNEST { array_exprs, alias, .. } => {
                let leaf = self.table(factor, alias.as_ref(), (0, 0));
                let operator = Operator::Unnest { arrays: array_exprs.clone(), keeps_rows: false, leaf };
                Node::leaf(Operator::Row).over(operator, self.subqueries(array_exprs, known))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let leaf = alias.as_ref().map(|alias| self.table(factor, Some(alias), (0, 0)));
                let inner = self.from(std::slice::from_ref(table_with_joins), known);
                inner.over(Operator::Parentheses(leaf), Vec::new())
            }
            // Refused when names were bound.
            _ => Node::leaf(Operator::Row),
        }
    }

    fn table(&self, factor: &TableFactor, alias: Option<&TableAlias>, place: (u64, u64)) -> Leaf {
        Leaf {
            alias: alias.map(|alias| alias.name.value.clone()).unwrap_or_default(),
            is_renamed: alias.is_some_and(|alias| !alias.columns.is_empty()),
            is_sampled: false,
            place,
            fields: self.bound.table(factor).map(|rows| rows.fields).unwrap_or_default(),
        }
    }
}

fn filter(condition: &Expr) -> Operator {
    Operator::Filter(walk::conjuncts(condition).into_iter().cloned().collect())
}

fn kind(operator: &JoinOperator) -> JoinKind {
    use JoinOperator as Op;
    match operator {
        Op::CrossJoin(_) | Op::Join(JoinConstraint::None) | Op::Inner(JoinConstraint::None) => {
            JoinKind::Cross
        }
        Op::Join(_) | Op::Inner(_) => JoinKind::Inner,
        Op::Left(_) | Op::LeftOuter(_) => JoinKind::Left,
        Op::Right(_) | Op::RightOuter(_) => JoinKind::Right,
        Op::Semi(_) | Op::LeftSemi(_) => JoinKind::Semi,
        Op::Anti(_) | Op::LeftAnti(_) => JoinKind::Anti,
        _ => JoinKind::Full,
    }
}

/// OFFSET and LIMIT, where they are literals; `None` if there are none.
fn limit(query: &Query) -> Option<(Option<u64>, Option<u64>)> {
    let number = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<u64>().ok(),
            _ => None,
        },
        _ => None,
    };
    let (offset, count) = match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit, offset, .. }) => {
            (offset.as_ref().map(|offset| &offset.value), limit.as_ref())
        }
        Some(LimitClause::OffsetCommaLimit { offset, limit }) => (Some(offset), Some(limit)),
        None if query.fetch.is_some() => (None, None),
        None => return None,
    };
    // An OFFSET that is not known leaves open how many rows are needed.
    let is_known = offset.is_none_or(|offset| number(offset).is_some());
    let count = match &query.fetch {
        Some(fetch) => fetch.quantity.as_ref().map_or(Some(1), number),
        None => count.and_then(number),
    };
    Some((offset.and_then(number), count.filter(|_| is_known)))
}
