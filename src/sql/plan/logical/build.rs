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
use crate::sql::types::relation::Field;
use crate::sql::types::schema::{combined, joined};
use crate::tables::{self, Kind};

impl Plan {
    pub fn of(bound: &Bound) -> Self {
        Builder { bound }.query(bound.tree(), &[])
    }
}

struct Builder<'b> {
    bound: &'b Bound,
}

/// The tables of WITH that are visible.
type Known<'k> = &'k [Arc<Common>];

impl Node {
    fn leaf(operator: Operator, fields: Vec<Field>) -> Self {
        Self { operator, fields, inputs: Vec::new(), subqueries: Vec::new() }
    }

    /// An operator over this one, whose rows have the same columns.
    fn over(self, operator: Operator, subqueries: Vec<Plan>) -> Self {
        let fields = self.fields.clone();
        Self { operator, fields, inputs: vec![self], subqueries }
    }

    fn with(self, fields: Vec<Field>) -> Self {
        Self { fields, ..self }
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
        Plan { commons, is_recursive: query.with.as_ref().is_some_and(|with| with.recursive), top }
    }

    fn subqueries(&self, part: &impl Visit, known: Known<'_>) -> Vec<Plan> {
        walk::subqueries(part).iter().map(|query| self.query(query, known)).collect()
    }

    fn set(&self, body: &SetExpr, known: Known<'_>) -> Node {
        match body {
            SetExpr::Select(select) => self.select(select, None, known),
            SetExpr::Query(query) => {
                let plan = self.query(query, known);
                let fields = plan.top.fields.clone();
                Node::leaf(Operator::Query(Box::new(plan)), fields)
            }
            SetExpr::SetOperation { op, set_quantifier, left, right } => {
                let (left, right) = (self.set(left, known), self.set(right, known));
                Node {
                    operator: Operator::SetOperation {
                        operator: *op,
                        all: matches!(set_quantifier, SetQuantifier::All),
                    },
                    // Types that do not go together have been refused when names were bound.
                    fields: combined(*op, &left.fields, &right.fields).unwrap_or_default(),
                    inputs: vec![left, right],
                    subqueries: Vec::new(),
                }
            }
            SetExpr::Values(values) => Node {
                subqueries: self.subqueries(values, known),
                ..Node::leaf(
                    Operator::Values(values.rows.len()),
                    self.bound.values(values).unwrap_or_default(),
                )
            },
            other => Node {
                subqueries: self.subqueries(other, known),
                ..Node::leaf(Operator::Values(0), Vec::new())
            },
        }
    }

    fn select(&self, select: &Select, by: Option<&OrderBy>, known: Known<'_>) -> Node {
        let mut node = self.from(&select.from, known);
        debug_assert!(
            self.bound.relation(&select.from).is_none_or(|rows| rows.fields == node.fields),
            "the columns of FROM are those of the binder: {select}"
        );
        let selected = self.bound.selected(select);
        let (computed, columns) =
            selected.map(|selected| (selected.computed, selected.columns)).unwrap_or_default();
        if let Some(condition) = &select.selection {
            node = node.over(filter(condition), self.subqueries(condition, known));
        }
        let (grouping, calls) = grouping::grouping(select, by).unwrap_or_default();
        if let Some(grouping) = grouping {
            let groups = grouping.keys.iter().chain(&calls.aggregates).chain(&calls.groupings);
            let fields = made(groups, &computed);
            let operator = Operator::Aggregate {
                sets: grouping.sets.len(),
                keys: grouping.keys,
                calls: calls.aggregates,
                groupings: calls.groupings,
            };
            node = node.over(operator, self.subqueries(&select.group_by, known)).with(fields);
        }
        if let Some(having) = &select.having {
            node = node.over(filter(having), self.subqueries(having, known));
        }
        if !calls.windows.is_empty() {
            let fields = node.fields.iter().cloned().chain(made(&calls.windows, &computed)).collect();
            node = node.over(Operator::Window(calls.windows), Vec::new()).with(fields);
        }
        let project = Operator::Project(select.projection.clone());
        node = node.over(project, self.subqueries(&select.projection, known)).with(columns);
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
        all.unwrap_or_else(|| Node::leaf(Operator::Row, Vec::new()))
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
                leaf: table(alias.as_ref(), (0, 0)),
            };
            let input = left.unwrap_or_else(|| Node::leaf(Operator::Row, Vec::new()));
            return self.unnest(input, operator, factor, self.subqueries(array_exprs, known));
        }
        let right = self.factor(factor, known);
        let Some(left) = left else { return right };
        let (on, using) = match constraint {
            Some(JoinConstraint::On(on)) => (walk::conjuncts(on).into_iter().cloned().collect(), Vec::new()),
            Some(JoinConstraint::Using(columns)) => (Vec::new(), columns.iter().map(names::last).collect()),
            _ => (Vec::<Expr>::new(), Vec::new()),
        };
        let subqueries = self.subqueries(&on, known);
        let fields = match kind {
            JoinKind::Semi | JoinKind::Anti => left.fields.clone(),
            // Types that do not go together have been refused when names were bound.
            _ => joined(&left.fields, &right.fields, &using).unwrap_or_default(),
        };
        Node { operator: Operator::Join { kind, on, using }, fields, inputs: vec![left, right], subqueries }
    }

    /// The columns of `input`, and those of the elements.
    fn unnest(&self, input: Node, operator: Operator, factor: &TableFactor, subqueries: Vec<Plan>) -> Node {
        let fields = input.fields.iter().cloned().chain(self.fields(factor)).collect();
        input.over(operator, subqueries).with(fields)
    }

    /// The columns of a table in FROM.
    fn fields(&self, factor: &TableFactor) -> Vec<Field> {
        self.bound.table(factor).map(|rows| rows.fields).unwrap_or_default()
    }

    fn factor(&self, factor: &TableFactor, known: Known<'_>) -> Node {
        match factor {
            TableFactor::Table { name, alias, sample, .. } => {
                let table = names::last(name);
                let leaf =
                    Leaf { is_sampled: sample.is_some(), ..self::table(alias.as_ref(), names::place(name)) };
                let common = known.iter().rev().find(|common| common.name == table);
                let operator = match (common, tables::find(&table)) {
                    (Some(common), _) => Operator::Common { common: Arc::clone(common), leaf },
                    (None, Some(declared)) if !names::is_marked(&table) => {
                        Operator::Scan { table: declared, leaf }
                    }
                    _ => Operator::Step { leaf },
                };
                Node::leaf(operator, self.fields(factor))
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                let leaf = Leaf { is_sampled: sample.is_some(), ..table(alias.as_ref(), (0, 0)) };
                let plan = Box::new(self.query(subquery, known));
                Node::leaf(Operator::Derived { plan, is_lateral: *lateral, leaf }, self.fields(factor))
            }
            TableFactor::UNNEST { array_exprs, alias, .. } => {
                let leaf = table(alias.as_ref(), (0, 0));
                let operator = Operator::Unnest { arrays: array_exprs.clone(), keeps_rows: false, leaf };
                let row = Node::leaf(Operator::Row, Vec::new());
                self.unnest(row, operator, factor, self.subqueries(array_exprs, known))
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let leaf = alias.as_ref().map(|alias| table(Some(alias), (0, 0)));
                let inner = self.from(std::slice::from_ref(table_with_joins), known);
                let fields = if leaf.is_some() { self.fields(factor) } else { inner.fields.clone() };
                inner.over(Operator::Parentheses(leaf), Vec::new()).with(fields)
            }
            // Refused when names were bound.
            _ => Node::leaf(Operator::Row, Vec::new()),
        }
    }
}

fn table(alias: Option<&TableAlias>, place: (u64, u64)) -> Leaf {
    Leaf {
        alias: alias.map(|alias| alias.name.value.clone()).unwrap_or_default(),
        is_renamed: alias.is_some_and(|alias| !alias.columns.is_empty()),
        is_sampled: false,
        place,
    }
}

/// The columns of groups or window functions, whose types are among `computed`.
fn made<'e>(exprs: impl IntoIterator<Item = &'e Expr>, computed: &[(Expr, Kind)]) -> Vec<Field> {
    let field = |expr: &Expr| {
        let (_, kind) = computed.iter().find(|(known, _)| known == expr)?;
        Some(Field::new(names::as_written(expr).to_string(), kind.clone()))
    };
    exprs.into_iter().filter_map(field).collect()
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
