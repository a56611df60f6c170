//! Builds the logical plan of a bound query.

use std::sync::Arc;

use sqlparser::ast::{
    Expr, Join, JoinConstraint, JoinOperator, ObjectName, OrderBy, Query, Select, SetExpr, SetQuantifier,
    Spanned, TableAlias, TableFactor, TableSample, TableSampleKind, TableWithJoins, Visit,
};
use sqlparser::tokenizer::Span;

use super::{Common, JoinKind, Leaf, Node, Operator, Plan, Subquery};
use crate::sql::bind::Bound;
use crate::sql::eval::resolve::select::Selected;
use crate::sql::syntax::calls::cells;
use crate::sql::syntax::limits::Limits;
use crate::sql::syntax::names::top;
use crate::sql::syntax::{data_store, grouping, names, recursion, walk};
use crate::sql::types::columns::column_names;
use crate::sql::types::relation::Field;
use crate::sql::types::schema::{combined, joined};
use crate::tables::{self, Kind};

impl Plan {
    pub fn of(bound: &Bound) -> Self {
        Builder { bound: Some(bound) }.query(bound.tree(), &[])
    }
}

impl Subquery {
    /// A query in an expression of a bound query, whose types are not asked for.
    pub fn of_part(query: &Query) -> Self {
        Builder { bound: None }.subquery(query.clone(), &[])
    }
}

struct Builder<'b> {
    /// It knows the types; there are none without it.
    bound: Option<&'b Bound>,
}

/// The tables of WITH that are visible.
type Known<'k> = &'k [Arc<Common>];

impl Node {
    fn leaf(operator: Operator, fields: Vec<Field>) -> Self {
        Self { operator, fields, inputs: Vec::new(), subqueries: Vec::new() }
    }

    /// An operator over this one, whose rows have the same columns.
    fn over(self, operator: Operator, subqueries: Vec<Subquery>) -> Self {
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
        let is_recursive = query.with.as_ref().is_some_and(|with| with.recursive);
        for table in query.with.iter().flat_map(|with| &with.cte_tables) {
            let name = table.alias.name.value.clone();
            let halves = recursion::halves(&table.query, &name).filter(|_| is_recursive);
            let common = Arc::new(Common {
                repeats: halves.map(|(_, _, all)| all),
                name,
                columns: column_names(&table.alias),
                plan: self.query(&table.query, &all),
                span: table.alias.name.span,
            });
            all.push(Arc::clone(&common));
            commons.push(common);
        }
        let known = all.as_slice();
        let mut top = match &*query.body {
            SetExpr::Select(select) => self.select(select, query.order_by.as_ref(), known),
            other => self.set(other, known),
        };
        // What is not supported has been refused when names were bound.
        let limits = Limits::of(query).unwrap_or_default();
        if let Some(by) = &query.order_by {
            let keys = grouping::order_exprs(by).unwrap_or_default();
            let first = limits.as_ref().filter(|limits| !limits.has_ties).and_then(Limits::wanted);
            top = top.over(Operator::Sort { keys, first }, self.subqueries(by, known));
        }
        if let Some(limits) = limits {
            let mut subqueries = self.subqueries(&query.limit_clause, known);
            subqueries.extend(self.subqueries(&query.fetch, known));
            top = top.over(Operator::Limit(limits), subqueries);
        }
        Plan { commons, is_recursive, top }
    }

    fn subqueries(&self, part: &impl Visit, known: Known<'_>) -> Vec<Subquery> {
        walk::subqueries(part).into_iter().map(|query| self.subquery(query, known)).collect()
    }

    fn subquery(&self, query: Query, known: Known<'_>) -> Subquery {
        Subquery {
            outside: names::free(&query),
            is_from_alone: top(&query).is_some_and(|select| names::free(&select.from).is_empty()),
            plan: self.query(&query, known),
            tree: query,
        }
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
            SetExpr::Values(values) => {
                let rows = values.rows.iter().map(|row| cells(&row.content).into_iter().cloned().collect());
                let fields = self.bound.and_then(|bound| bound.values(values)).unwrap_or_default();
                let subqueries = self.subqueries(values, known);
                Node { subqueries, ..Node::leaf(Operator::Values(rows.collect()), fields) }
            }
            // Refused when names were bound.
            _ => Node::leaf(Operator::Values(Vec::new()), Vec::new()),
        }
    }

    fn select(&self, select: &Select, by: Option<&OrderBy>, known: Known<'_>) -> Node {
        let mut node = self.from(&select.from, known);
        debug_assert!(
            self.bound
                .and_then(|bound| bound.relation(&select.from))
                .is_none_or(|rows| rows.fields == node.fields),
            "the columns of FROM are those of the binder: {select}"
        );
        let Selected { computed, columns } =
            self.bound.and_then(|bound| bound.selected(select)).unwrap_or_default();
        if let Some(condition) = &select.selection {
            node = node.over(filter(condition), self.subqueries(condition, known));
        }
        let (grouping, calls) = grouping::grouping(select, by).unwrap_or_default();
        if let Some(grouping) = grouping {
            let groups = grouping.keys.iter().chain(&calls.aggregates).chain(&calls.groupings);
            let fields = made(groups, &computed);
            let operator =
                Operator::Aggregate { grouping, calls: calls.aggregates, groupings: calls.groupings };
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
        let is_semi = matches!(kind, JoinKind::Semi | JoinKind::Anti);
        if let (TableFactor::UNNEST { .. }, false) = (factor, is_semi) {
            let input = left.unwrap_or_else(|| Node::leaf(Operator::Row, Vec::new()));
            return self.unnest(input, factor, kind.keeps_left(), known);
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
    fn unnest(&self, input: Node, factor: &TableFactor, keeps_rows: bool, known: Known<'_>) -> Node {
        let TableFactor::UNNEST { array_exprs, alias, with_ordinality, .. } = factor else { return input };
        let operator = Operator::Unnest {
            arrays: array_exprs.clone(),
            has_ordinals: *with_ordinality,
            keeps_rows,
            leaf: leaf(alias.as_ref()),
        };
        let fields = input.fields.iter().cloned().chain(self.fields(factor)).collect();
        input.over(operator, self.subqueries(array_exprs, known)).with(fields)
    }

    /// The columns of a table in FROM.
    fn fields(&self, factor: &TableFactor) -> Vec<Field> {
        self.bound.and_then(|bound| bound.table(factor)).map(|rows| rows.fields).unwrap_or_default()
    }

    fn factor(&self, factor: &TableFactor, known: Known<'_>) -> Node {
        match factor {
            TableFactor::Table { name, alias, sample, .. } => {
                let leaf = table(name, alias.as_ref(), sample.as_ref());
                let name = names::last(name);
                let common = known.iter().rev().find(|common| common.name == name);
                let operator = match (common, tables::find(&name)) {
                    (Some(common), _) => Operator::Common { common: Arc::clone(common), leaf },
                    (None, Some(table)) if !names::is_marked(&name) => {
                        Operator::Scan { table, is_store: name == data_store::TABLE, leaf }
                    }
                    _ => Operator::Given { name, leaf },
                };
                Node::leaf(operator, self.fields(factor))
            }
            TableFactor::Derived { lateral, subquery, alias, sample } => {
                let leaf = Leaf { sample: sampled(sample.as_ref()), ..leaf(alias.as_ref()) };
                let plan = Box::new(self.query(subquery, known));
                let lateral = lateral.then(|| names::free(&**subquery));
                Node::leaf(Operator::Derived { plan, lateral, leaf }, self.fields(factor))
            }
            TableFactor::UNNEST { .. } => {
                self.unnest(Node::leaf(Operator::Row, Vec::new()), factor, false, known)
            }
            TableFactor::NestedJoin { table_with_joins, alias } => {
                let leaf = alias.as_ref().map(|alias| leaf(Some(alias)));
                let inner = self.from(std::slice::from_ref(table_with_joins), known);
                let fields = if leaf.is_some() { self.fields(factor) } else { inner.fields.clone() };
                inner.over(Operator::Parentheses(leaf), Vec::new()).with(fields)
            }
            // Refused when names were bound.
            _ => Node::leaf(Operator::Row, Vec::new()),
        }
    }
}

/// A table that is called by its alias alone.
fn leaf(alias: Option<&TableAlias>) -> Leaf {
    Leaf {
        alias: alias.map(|alias| alias.name.value.clone()).unwrap_or_default(),
        columns: alias.map(column_names).unwrap_or_default(),
        sample: None,
        place: (0, 0),
        span: Span::empty(),
    }
}

fn table(name: &ObjectName, alias: Option<&TableAlias>, sample: Option<&TableSampleKind>) -> Leaf {
    Leaf { sample: sampled(sample), place: names::place(name), span: name.span(), ..leaf(alias) }
}

fn sampled(sample: Option<&TableSampleKind>) -> Option<TableSample> {
    let (TableSampleKind::BeforeTableAlias(sample) | TableSampleKind::AfterTableAlias(sample)) = sample?;
    Some((**sample).clone())
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
