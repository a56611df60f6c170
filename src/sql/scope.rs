//! What an expression can see while it is evaluated: rows, common tables, the query around it.
//!
//! Expressions contain queries, and queries expressions. Whoever resolves or evaluates the one needs the other, so
//! both are reached through [`Resolver`] and [`Evaluator`]: functions, operators and subqueries know these, and not each
//! other.

use std::sync::Arc;

use polars::prelude::{BooleanChunked, Series};
use sqlparser::ast::{self, Expr};

use super::catalog::Catalog;
use super::error::{Result, SqlError};
use super::expression::Expression;
use super::expression::query::{Query, Subquery};
use super::memory::{Limits, cell_bytes};
use super::syntax::names;
use super::types::relation::{Field, Relation};
use super::types::values::Values;

/// What an expression can refer to.
#[derive(Clone, Copy)]
pub(in crate::sql) struct Scope<'a> {
    pub session: &'a Session<'a>,
    pub ctes: &'a Ctes,
    pub relation: &'a Relation,
    /// Expressions that have been computed: group keys, aggregates, window functions, columns of the `SELECT`
    /// list.
    pub known: &'a [(Expr, Values)],
    /// After grouping, the scope before it: only columns that are keys can be used.
    pub ungrouped: Option<&'a Scope<'a>>,
    /// For a subquery or a lambda, the scope around it, and how its rows relate to those of this one.
    pub outer: Option<(&'a Scope<'a>, Via<'a>)>,
    /// Inside of `try(…)`: an invalid value becomes NULL.
    pub lenient: bool,
}

/// How the rows of a scope relate to those of the outer scope.
#[derive(Clone, Copy)]
pub(in crate::sql) enum Via<'a> {
    /// All rows belong to this one.
    Row(usize),
    /// Each row belongs to the row with this index.
    Rows(&'a [Option<u32>]),
}

impl<'a> Scope<'a> {
    pub fn new(session: &'a Session<'a>, ctes: &'a Ctes, relation: &'a Relation) -> Self {
        Self { session, ctes, relation, known: &[], ungrouped: None, outer: None, lenient: session.lenient }
    }

    pub fn height(&self) -> usize {
        self.relation.height
    }

    /// Resolves the names in `expr`, for these rows and others with the same columns.
    pub fn resolve(&self, expr: &Expr) -> Result<Expression> {
        self.session.resolver.resolve(self, expr)
    }

    /// The value for every row. Errors get the position of the expression.
    pub fn value(&self, expression: &Expression) -> Result<Values> {
        self.session.evaluator.value(self, expression).map_err(|error| error.at_span(expression.span))
    }

    /// The value as a column with one entry for each row.
    pub fn values(&self, expression: &Expression) -> Result<Values> {
        let values = self.value(expression)?;
        Ok(Values::new(values.kind.clone(), self.spread(&values)?))
    }

    /// The value for the rows of `among`, and NULL for the others.
    pub fn value_among(&self, expression: &Expression, among: &[bool]) -> Result<Values> {
        let some = self.narrowed(&kept(among), |scope| scope.values(expression))?;
        let mut next = 0_u32;
        let back: Vec<Option<u32>> = among
            .iter()
            .map(|keep| {
                keep.then(|| {
                    next += 1;
                    next - 1
                })
            })
            .collect();
        some.take(&back)
    }

    /// The value of an expression that is evaluated once.
    pub fn eval(&self, expr: &Expr) -> Result<Values> {
        self.value(&self.resolve(expr)?)
    }

    /// The same as a column with one entry for each row.
    pub fn column(&self, expr: &Expr) -> Result<Values> {
        self.values(&self.resolve(expr)?)
    }

    /// One entry for each row: a constant is repeated, if there is enough memory.
    pub fn spread(&self, values: &Values) -> Result<Series> {
        if values.constant {
            self.session.limits().fits(self.height(), cell_bytes(&values.data))?;
        }
        Ok(values.spread(self.height()))
    }

    /// Evaluates `then` over some of the rows only.
    pub fn narrowed<T>(&self, rows: &[Option<u32>], then: impl FnOnce(&Scope<'_>) -> Result<T>) -> Result<T> {
        let relation = self.relation.take(rows)?;
        let known = self
            .known
            .iter()
            .map(|(expr, values)| Ok((expr.clone(), values.take(rows)?)))
            .collect::<Result<Vec<_>>>()?;
        let through: Vec<Option<u32>> = match self.outer {
            Some((_, Via::Rows(outer))) => rows
                .iter()
                .map(|row| row.and_then(|row| outer.get(row as usize).copied().flatten()))
                .collect(),
            _ => Vec::new(),
        };
        let outer = self.outer.map(|(scope, via)| match via {
            Via::Row(row) => (scope, Via::Row(row)),
            Via::Rows(_) => (scope, Via::Rows(&through)),
        });
        let scope = Scope { relation: &relation, known: &known, outer, ..*self };
        then(&scope)
    }

    /// The rows for which a condition that is evaluated once is true.
    pub fn truth(&self, condition: &Expr) -> Result<Vec<bool>> {
        self.holds(&self.resolve(condition)?)
    }

    /// The rows for which `condition` is true.
    pub fn holds(&self, condition: &Expression) -> Result<Vec<bool>> {
        self.are_true(condition, &self.value(condition)?)
    }

    fn are_true(&self, condition: &Expression, values: &Values) -> Result<Vec<bool>> {
        let truths = values.truths().map_err(|error| error.at_span(condition.span))?;
        Ok((0..self.height()).map(|row| truths.get(row) == Some(true)).collect())
    }

    /// Sets `keep` for every row for which all of `conditions` are true.
    pub fn mark(&self, conditions: &[Expr], keep: &mut [bool]) -> Result<()> {
        let mut all = vec![true; self.height()];
        for condition in conditions {
            match self.holds_among(&self.resolve(condition)?, &all) {
                Ok(truth) => all.iter_mut().zip(truth).for_each(|(slot, holds)| *slot = *slot && holds),
                // Another condition, which has not been evaluated yet, may exclude the row with the invalid
                // value.
                Err(error) if error.by_value => {}
                Err(error) => return Err(error),
            }
        }
        keep.iter_mut().zip(all).for_each(|(slot, holds)| *slot = *slot || holds);
        Ok(())
    }

    /// Like [`holds`](Self::holds), but an invalid value is only an error in the rows of `among`.
    pub fn holds_among(&self, condition: &Expression, among: &[bool]) -> Result<Vec<bool>> {
        let values = match self.value(condition) {
            Err(error) if error.by_value => self.value_among(condition, among),
            values => values,
        }?;
        self.are_true(condition, &values)
    }
}

/// The rows that are kept.
pub(in crate::sql) fn kept(keep: &[bool]) -> Vec<Option<u32>> {
    (0_u32..).zip(keep).filter(|(_, keep)| **keep).map(|(row, _)| Some(row)).collect()
}

/// A mask from row flags.
pub(in crate::sql) fn mask(keep: &[bool]) -> BooleanChunked {
    keep.iter().copied().map(Some).collect()
}

/// What resolves the names in expressions, and makes operators of the queries in them.
pub(in crate::sql) trait Resolver {
    /// An expression with resolved names, for rows with the columns of `scope`.
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression>;

    /// A query in an expression.
    fn subquery(&self, scope: &Scope<'_>, query: &ast::Query) -> Result<Arc<Subquery>>;
}

/// What evaluates expressions, and the queries in them.
pub(in crate::sql) trait Evaluator {
    /// The value of an expression for every row.
    fn value(&self, scope: &Scope<'_>, expression: &Expression) -> Result<Values>;

    /// The rows of a query. `outer` is the row that a correlated subquery stands at. Only where queries are run
    /// is there an answer.
    fn query(
        &self,
        _session: &Session<'_>,
        _ctes: &Ctes,
        _outer: Option<(&Scope<'_>, Via<'_>)>,
        _query: &Query,
    ) -> Result<Relation> {
        Err(SqlError::new("a subquery cannot stand here"))
    }
}

/// What is constant while a query is evaluated.
pub(in crate::sql) struct Session<'a> {
    pub catalog: &'a Catalog,
    /// `current_timestamp`, in milliseconds.
    pub now: i64,
    /// Whether an invalid value becomes NULL everywhere, because only types are asked for.
    pub lenient: bool,
    pub resolver: &'a dyn Resolver,
    pub evaluator: &'a dyn Evaluator,
}

impl Session<'_> {
    pub fn limits(&self) -> &Limits {
        &self.catalog.limits
    }

    /// The rows of a query. `outer` is the row that a correlated subquery stands at.
    pub fn query(
        &self,
        ctes: &Ctes,
        outer: Option<(&Scope<'_>, Via<'_>)>,
        query: &Query,
    ) -> Result<Relation> {
        self.evaluator.query(self, ctes, outer, query)
    }
}

/// The common table expressions, innermost last.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Ctes(Vec<(String, Arc<Relation>)>);

impl Ctes {
    pub fn with(&self, name: String, relation: Relation) -> Self {
        let mut all = self.0.clone();
        all.push((name, Arc::new(relation)));
        Self(all)
    }

    /// The same tables without rows, for determining types.
    pub fn without_rows(&self) -> Self {
        let empty = |(name, rows): &(String, Arc<Relation>)| {
            (name.clone(), Arc::new(Relation::without_rows(rows.fields.clone())))
        };
        Self(self.0.iter().map(empty).collect())
    }

    /// The columns of each table.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[Field])> + Clone {
        self.0.iter().map(|(name, rows)| (name.as_str(), rows.fields.as_slice()))
    }

    /// The unique name of the table that a query calls `written`.
    pub fn called(&self, written: &str) -> Option<&str> {
        self.0.iter().rev().map(|(known, _)| known.as_str()).find(|known| names::written(known) == written)
    }

    pub fn get(&self, name: &str) -> Option<Arc<Relation>> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, relation)| relation.clone())
    }
}
