//! Makes operators of a logical plan: what is run.
//!
//! Expressions of the plan find columns by the names of their tables, which are unique; those of operators find them by
//! their numbers among the columns that there are. These are mostly fewer than those that are declared, because only
//! what is needed has been read. Operators are made once for all rows: for all pieces of a lake, and for all rows
//! around a subquery.
//!
//! - this file: queries, and subqueries in expressions; `from`: tables; `select`: what a SELECT makes of their rows;
//! - `apart`: subqueries that are run once for all rows around them.

mod apart;
mod from;
mod select;

use std::sync::Arc;

use sqlparser::ast::{self, Expr, Spanned};

use super::logical::{self, Node, Operator, Plan};
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve::{self, list, rows};
use crate::sql::eval::{constants, types};
use crate::sql::expression::Expression;
use crate::sql::expression::query::{self, Body, Common, CommonRows, Query, Subquery};
use crate::sql::scope::{Ctes, Resolver, Scope, Session, Via};
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::combined;
use select::Clauses;

/// The operators of a plan over the tables of a session and these.
pub(in crate::sql) fn query(session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<Query> {
    Ok(Lowering::of(session, subqueries(plan)).query(&ctes.without_rows(), None, plan)?.0)
}

/// The operators of the SELECT that a plan consists of, over the tables of a session and these.
pub(in crate::sql) fn select(session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<query::Select> {
    let lowering = Lowering::of(session, subqueries(plan));
    let (session, ctes, nothing) = (lowering.session(), ctes.without_rows(), Relation::default());
    let clauses = Clauses::of(&plan.top, &[])?;
    Ok(lowering.select(&Scope::new(&session, &ctes, &nothing), &clauses)?.0)
}

/// The same, without FROM and WHERE, over rows like those of `scope`.
pub(in crate::sql) fn listed(scope: &Scope<'_>, plan: &Plan) -> Result<query::Select> {
    let (lowering, ctes) = (Lowering::of(scope.session, subqueries(plan)), scope.ctes.without_rows());
    let (session, clauses) = (lowering.session(), Clauses::of(&plan.top, &[])?);
    scope.narrowed(&[], |scope| {
        let scope = Scope { session: &session, ctes: &ctes, ..*scope };
        Ok(resolve::select::select(&scope, clauses.listed)?.0)
    })
}

/// What resolves names in expressions that are evaluated alone, while a query is run.
pub(in crate::sql) struct Alone;

impl Resolver for Alone {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    fn subquery(&self, scope: &Scope<'_>, query: &ast::Query) -> Result<Arc<Subquery>> {
        let subquery = logical::Subquery::of_part(query);
        let mut all = subqueries(&subquery.plan);
        all.push(&subquery);
        let (lowering, ctes) = (Lowering::of(scope.session, all), scope.ctes.without_rows());
        let session = lowering.session();
        scope.narrowed(&[], |scope| {
            lowering.subquery(&Scope { session: &session, ctes: &ctes, ..*scope }, query)
        })
    }
}

/// All subqueries in the expressions of a plan.
fn subqueries(plan: &Plan) -> Vec<&logical::Subquery> {
    let mut all = Vec::new();
    plan.each(&mut |node| all.extend(&node.subqueries));
    all
}

struct Lowering<'p> {
    /// The tables that there are, without rows.
    catalog: Catalog,
    /// `current_timestamp`, in milliseconds.
    now: i64,
    subqueries: Vec<&'p logical::Subquery>,
}

impl Resolver for Lowering<'_> {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    fn subquery(&self, scope: &Scope<'_>, query: &ast::Query) -> Result<Arc<Subquery>> {
        let missing = || SqlError::new("a subquery cannot stand here").at(query);
        let known = self.subqueries.iter().find(|known| known.tree == *query).ok_or_else(missing)?;
        let outside = resolve::outside(scope, &known.outside)?;
        let (query, rows) = self.query(scope.ctes, Some((scope, Via::Rows(&[]))), &known.plan)?;
        let apart = if outside.is_empty() { None } else { self.apart(scope, known)? };
        Ok(Arc::new(Subquery {
            fields: rows.seen().fields,
            outside,
            query: Some(query),
            apart: apart.map(Box::new),
            span: known.tree.span(),
        }))
    }
}

impl<'p> Lowering<'p> {
    fn of(session: &Session<'_>, subqueries: Vec<&'p logical::Subquery>) -> Self {
        Self { catalog: session.catalog.without_rows(), now: session.now, subqueries }
    }

    fn session(&self) -> Session<'_> {
        types::session(&self.catalog, self.now, self)
    }

    /// The operators of a query, and its columns, without rows.
    fn query(
        &self,
        ctes: &Ctes,
        outer: Option<(&Scope<'_>, Via<'_>)>,
        plan: &Plan,
    ) -> Result<(Query, Relation)> {
        let (commons, ctes) = self.commons(ctes, outer, plan)?;
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, &ctes, &nothing) };
        let (limit, below) = match (&plan.top.operator, plan.top.input()) {
            (Operator::Limit(limits), Some(input)) => (Some(limits), input),
            _ => (None, &plan.top),
        };
        let (keys, below) = match (&below.operator, below.input()) {
            (Operator::Sort { keys, .. }, Some(input)) => (keys.as_slice(), input),
            _ => ([].as_slice(), below),
        };
        let (body, rows, order_by) = match below.operator {
            Operator::Distinct | Operator::Project(_) => {
                let (select, rows) = self.select(&like, &Clauses::of(below, keys)?)?;
                (Body::Select(Box::new(select)), rows, Vec::new())
            }
            _ => {
                let (body, rows) = self.body(&like, below)?;
                let order_by = list::sorted(&Scope { relation: &rows, ..like }, keys, &rows.fields)?;
                (body, rows, order_by)
            }
        };
        debug_assert!(are_planned(&rows, &plan.top), "the columns of a query are those of its plan");
        let limit = constants::limit(&like, limit)?;
        Ok((Query { commons, body, order_by, limit }, rows))
    }

    /// The rows of a query without ORDER BY, OFFSET and LIMIT.
    fn body(&self, like: &Scope<'_>, node: &Node) -> Result<(Body, Relation)> {
        match (&node.operator, node.inputs.as_slice()) {
            (Operator::Distinct | Operator::Project(_), _) => {
                let (select, rows) = self.select(like, &Clauses::of(node, &[])?)?;
                Ok((Body::Select(Box::new(select)), rows))
            }
            (Operator::Query(plan), _) => {
                let (query, rows) = self.query(like.ctes, like.outer, plan)?;
                Ok((Body::Query(Box::new(query)), rows))
            }
            (Operator::Values(values), _) => {
                let (values, fields) = rows::values(like, values.iter().map(|row| row.iter().collect()))?;
                Ok((Body::Values(values), Relation::without_rows(fields)))
            }
            (Operator::SetOperation { operator, all }, [left, right]) => {
                let ((left, first), (right, second)) = (self.body(like, left)?, self.body(like, right)?);
                let fields = combined(*operator, &first.fields, &second.fields)?;
                let (left, right) = (Box::new(left), Box::new(right));
                let body = Body::Set { operator: *operator, all: *all, left, right };
                Ok((body, Relation::without_rows(fields)))
            }
            _ => Err(unexpected()),
        }
    }

    /// The tables of WITH, and their columns together with `ctes`.
    fn commons(
        &self,
        ctes: &Ctes,
        outer: Option<(&Scope<'_>, Via<'_>)>,
        plan: &Plan,
    ) -> Result<(Vec<Common>, Ctes)> {
        let (mut ctes, mut commons) = (ctes.clone(), Vec::new());
        for common in &plan.commons {
            let (rows, columns_of) = match common.repeats {
                Some(all) => {
                    self.recursive(&ctes, outer, common, all).map_err(|error| error.at_span(common.span))?
                }
                None => {
                    let (query, rows) = self.query(&ctes, outer, &common.plan)?;
                    (CommonRows::Query(Box::new(query)), rows.renamed(&common.name, &common.columns))
                }
            };
            ctes = ctes.with(common.name.clone(), columns_of);
            let (name, columns) = (common.name.clone(), common.columns.clone());
            commons.push(Common { name, columns, rows, span: common.span });
        }
        Ok((commons, ctes))
    }

    /// A table that refers to itself, which has the columns of its first rows.
    fn recursive(
        &self,
        ctes: &Ctes,
        outer: Option<(&Scope<'_>, Via<'_>)>,
        common: &logical::Common,
        all: bool,
    ) -> Result<(CommonRows, Relation)> {
        let mut node = &common.plan.top;
        let (operator, first, next) = loop {
            node = match (&node.operator, node.inputs.as_slice()) {
                (Operator::SetOperation { operator, .. }, [first, next]) => break (*operator, first, next),
                (Operator::Query(plan), _) => &plan.top,
                _ => return Err(unexpected()),
            };
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, ctes, &nothing) };
        let (first, rows) = self.body(&like, first)?;
        let rows = rows.seen().renamed(&common.name, &common.columns);
        let within = ctes.with(common.name.clone(), rows.clone());
        let (next, more) = self.body(&Scope { ctes: &within, ..like }, next)?;
        let fields = combined(operator, &rows.fields, &more.seen().fields)?;
        let rows = Relation::without_rows(fields).renamed(&common.name, &common.columns);
        Ok((CommonRows::Recursive { first, next, all }, rows))
    }
}

/// Whether columns that an operator shows have the types that the plan says. It may say nothing of types.
fn are_planned(rows: &Relation, node: &Node) -> bool {
    let is_planned = |field: &Field| {
        node.fields.iter().any(|planned| (&planned.name, &planned.kind) == (&field.name, &field.kind))
    };
    node.fields.is_empty() || rows.fields.iter().all(|field| is_place(field) || is_planned(field))
}

/// A plan has operators in another order than that of a query.
fn unexpected() -> SqlError {
    SqlError::new("an operator cannot stand here")
}

#[cfg(test)]
mod tests {
    use polars::prelude::{NamedFrom, Series};

    use super::*;
    use crate::model::Timestamp;
    use crate::sql::bind::Bound;
    use crate::sql::eval;
    use crate::sql::expression::Node;
    use crate::sql::expression::list::Item;
    use crate::sql::expression::query::Tables;
    use crate::sql::syntax::{dialect, names};
    use crate::tables::{Kind, Rows, cloudtrail};

    fn plan(sql: &str) -> Plan {
        let mut tree = dialect::parse(sql).unwrap();
        names::lower(&mut tree);
        Plan::of(&Bound::of(tree, Timestamp::from_millis(0)).unwrap())
    }

    #[test]
    fn operators_find_columns_among_those_that_were_read() {
        let plan = plan(
            "SELECT name, (SELECT max(u.eventname) FROM cloudtrail_logs u WHERE u.awsregion = t.name) AS other
             FROM (SELECT eventname AS name FROM cloudtrail_logs WHERE awsregion = 'eu-west-1') t",
        );
        let (mut catalog, ctes) = (Catalog::default(), Ctes::default());
        let column = |name: &'static str| (name, Series::new(name.into(), ["x"]));
        let columns = vec![column("eventname"), column("awsregion")];
        catalog.insert(&cloudtrail::TABLE, &Rows { columns, height: 1 });
        let query = query(&eval::session(&catalog, 0), &ctes, &plan).unwrap();
        let Body::Select(outer) = query.body else { panic!("a SELECT") };
        let Tables::Derived { query: inner, .. } = &outer.from else { panic!("a subquery in FROM") };
        let Body::Select(inner) = &inner.body else { panic!("a SELECT") };
        let Node::Compare { left, .. } = &inner.conditions[0].node else { panic!("a comparison") };
        // Of all columns of the table it is the second that has been read.
        assert!(matches!(left.node, Node::Column { index: 1, .. }));
        let value = |at: usize| match &outer.list.items[at] {
            Item::Value { value, .. } => value.node.clone(),
            item => panic!("{item:?}"),
        };
        assert!(matches!(value(0), Node::Column { index: 0, .. }));
        // The subquery is made once, with the one value that it takes from outside.
        let Node::Scalar(subquery) = value(1) else { panic!("a subquery") };
        assert!(
            matches!(subquery.outside.as_slice(), [only] if matches!(only.node, Node::Column { index: 0, .. }))
        );
        assert_eq!(subquery.fields[0].kind, Kind::Varchar);
        assert!(subquery.query.is_some());
    }

    #[test]
    fn a_bound_query_is_planned_as_it_stands() {
        let plan = plan(
            "WITH RECURSIVE r (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r WHERE n < 3)
             SELECT 2 AS two, count(*) FROM r CROSS JOIN UNNEST(ARRAY[1, 2]) AS u (x) GROUP BY 1 HAVING two > 1
             ORDER BY 2 LIMIT 1 + 1",
        );
        // The key is the number 2, and not the second item of the list.
        let (catalog, ctes) = (Catalog::default(), Ctes::default());
        let query = query(&eval::session(&catalog, 0), &ctes, &plan).unwrap();
        assert!(matches!(query.commons[0].rows, CommonRows::Recursive { all: true, .. }));
        let Body::Select(select) = query.body else { panic!("a SELECT") };
        let groups = select.groups.unwrap();
        assert!(matches!(&groups.keys[0].1.node, Node::Literal(_)));
        assert_eq!((groups.aggregates.len(), select.order_by.len()), (1, 1));
        assert!(query.limit.count.is_some());
    }
}
