//! Binds queries: WITH, set operations, VALUES, OFFSET and LIMIT.

use sqlparser::ast::{Expr, Ident, LimitClause, Query, SetExpr, SetOperator, Values, With};

use super::from;
use super::resolve::Clause;
use super::{Binder, Outer};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::expression::Expression;
use crate::sql::expression::query::{self, Body, Common, CommonRows, Limit};
use crate::sql::scope::{Ctes, Scope};
use crate::sql::syntax::calls::cells;
use crate::sql::syntax::grouping::order_exprs;
use crate::sql::syntax::{recursion, walk};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::combined;

impl Binder {
    /// Binds a query; returns its operators, and its columns, without rows.
    pub(super) fn query(
        &self,
        ctes: &Ctes,
        outer: Outer<'_>,
        query: &mut Query,
    ) -> Result<(query::Query, Relation)> {
        let (commons, ctes) = match &mut query.with {
            Some(with) => self.with(ctes, outer, with)?,
            None => (Vec::new(), ctes.clone()),
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, &ctes, &nothing) };
        let mut order_by = Vec::new();
        let (body, rows) = match &mut *query.body {
            SetExpr::Select(select) => {
                let (select, rows) = self.select(&like, select, query.order_by.as_mut())?;
                (Body::Select(Box::new(select)), rows)
            }
            other => {
                let (body, rows) = self.set(&like, other)?;
                if let Some(by) = &mut query.order_by {
                    let scope = Scope { relation: &rows, ..like };
                    self.resolve_all(&scope, Clause::Order(&rows.fields), by)?;
                    order_by = self.sorted(&scope, &order_exprs(by)?, &rows.fields)?;
                }
                (body, rows)
            }
        };
        let limit = self.limits(&like, query)?;
        Ok((query::Query { commons, body, order_by, limit }, rows))
    }

    /// OFFSET and LIMIT.
    fn limits(&self, like: &Scope<'_>, query: &mut Query) -> Result<Limit> {
        let is_all = |expr: &Expr| matches!(expr, Expr::Identifier(ident) if ident.value == "all");
        let mut has_subquery = false;
        match &mut query.limit_clause {
            Some(LimitClause::LimitOffset { limit, offset, .. }) => {
                let exprs = limit.iter_mut().chain(offset.iter_mut().map(|offset| &mut offset.value));
                for expr in exprs.filter(|expr| !is_all(expr)) {
                    self.resolve(like, Clause::Rows, expr)?;
                    has_subquery = has_subquery || walk::has_subquery(expr);
                }
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                self.resolve(like, Clause::Rows, offset)?;
                self.resolve(like, Clause::Rows, limit)?;
            }
            None => {}
        }
        let limit = constants::limit(like, query)?;
        if !has_subquery {
            constants::limits_of(like, &limit)?;
        }
        Ok(limit)
    }

    /// Binds the common table expressions of `WITH`; returns them, and their columns together with `ctes`.
    fn with(&self, ctes: &Ctes, outer: Outer<'_>, with: &mut With) -> Result<(Vec<Common>, Ctes)> {
        let (mut ctes, mut names_before, mut commons) = (ctes.clone(), Vec::new(), Vec::new());
        for table in &mut with.cte_tables {
            let name = table.alias.name.value.to_lowercase();
            let columns: Vec<String> =
                table.alias.columns.iter().map(|column| column.name.value.clone()).collect();
            if names_before.contains(&name) {
                let twice = SqlError::new(format!("WITH has two tables {name}"));
                return Err(twice.at_span(table.alias.name.span));
            }
            let own = if self.is_named { name.clone() } else { self.name(&name) };
            names_before.push(name.clone());
            let span = table.alias.name.span;
            let halves = recursion::halves(&table.query, &name).filter(|_| with.recursive);
            let (rows, columns_of) = match halves.map(|(_, _, all)| all) {
                Some(all) => self
                    .recursive(&ctes, outer, &mut table.query, (&own, &columns), all)
                    .map_err(|error| error.at_span(span))?,
                None => {
                    let (query, rows) = self.query(&ctes, outer, &mut table.query)?;
                    (CommonRows::Query(Box::new(query)), rows.renamed(&own, &columns))
                }
            };
            from::check_names(&table.alias, &columns_of)?;
            table.alias.name = Ident { quote_style: None, value: own.clone(), span };
            ctes = ctes.with(own.clone(), columns_of);
            commons.push(Common { name: own, columns, rows, span });
        }
        Ok((commons, ctes))
    }

    /// Binds a recursive common table expression, which has the columns of its first half.
    fn recursive(
        &self,
        ctes: &Ctes,
        outer: Outer<'_>,
        query: &mut Query,
        (name, columns): (&str, &[String]),
        all: bool,
    ) -> Result<(CommonRows, Relation)> {
        let mut body = &mut *query.body;
        while let SetExpr::Query(inner) = body {
            body = &mut *inner.body;
        }
        let SetExpr::SetOperation { left, right, op, .. } = body else {
            return Err(SqlError::new("UNION is needed here"));
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, ctes, &nothing) };
        let (first, rows) = self.set(&like, left)?;
        let rows = rows.seen().renamed(name, columns);
        let within = ctes.with(name.to_owned(), rows.clone());
        let (next, more) = self.set(&Scope { ctes: &within, ..like }, right)?;
        let fields = combined(*op, &rows.fields, &more.seen().fields)?;
        let rows = Relation::without_rows(fields).renamed(name, columns);
        Ok((CommonRows::Recursive { first, next, all }, rows))
    }

    fn set(&self, like: &Scope<'_>, body: &mut SetExpr) -> Result<(Body, Relation)> {
        match body {
            SetExpr::Select(select) => {
                let (select, rows) = self.select(like, select, None)?;
                Ok((Body::Select(Box::new(select)), rows))
            }
            SetExpr::Query(inner) => {
                let (query, rows) = self.query(like.ctes, like.outer, inner)?;
                Ok((Body::Query(Box::new(query)), rows))
            }
            SetExpr::Values(values) => {
                self.resolve_all(like, Clause::Rows, values)?;
                let (rows, fields) = value_rows(like, values)?;
                self.values.borrow_mut().push((values.clone(), fields.clone()));
                Ok((Body::Values(rows), Relation::without_rows(fields)))
            }
            SetExpr::SetOperation { left, op, right, set_quantifier } => {
                let ((left, first), (right, second)) = (self.set(like, left)?, self.set(like, right)?);
                let fields = combined(*op, &first.fields, &second.fields)?;
                let (left, right) = (Box::new(left), Box::new(right));
                let body = Body::Set { operator: *op, quantifier: *set_quantifier, left, right };
                Ok((body, Relation::without_rows(fields)))
            }
            _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written").at(body)),
        }
    }
}

/// The rows of VALUES, and their columns: the types are what the values in all rows have in common.
fn value_rows(like: &Scope<'_>, values: &Values) -> Result<(Vec<Vec<Expression>>, Vec<Field>)> {
    let (mut rows, mut all): (_, Option<Vec<Field>>) = (Vec::new(), None);
    for row in &values.rows {
        let cells = cells(&row.content).into_iter().map(|expr| like.resolve(expr));
        let cells = cells.collect::<Result<Vec<_>>>()?;
        let kinds = cells.iter().enumerate();
        let fields = kinds.map(|(at, cell)| Ok(Field::new(format!("_col{at}"), like.value(cell)?.kind)));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        rows.push(cells);
        all = Some(match all {
            None => fields,
            Some(before) => combined(SetOperator::Union, &before, &fields)?,
        });
    }
    Ok((rows, all.ok_or_else(|| SqlError::new("VALUES needs a row"))?))
}
