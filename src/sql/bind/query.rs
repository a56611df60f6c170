//! Binds queries: WITH, set operations, VALUES, OFFSET and LIMIT.

use sqlparser::ast::{Ident, LimitClause, Query, SetExpr, SetQuantifier, With};

use super::from;
use super::resolve::Clause;
use super::{Binder, Outer};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::constants;
use crate::sql::eval::resolve::{list, rows};
use crate::sql::scope::{Ctes, Scope};
use crate::sql::syntax::calls::cells;
use crate::sql::syntax::grouping::order_exprs;
use crate::sql::syntax::limits::{Limits, is_all};
use crate::sql::syntax::{names, recursion, walk};
use crate::sql::types::columns::column_names;
use crate::sql::types::relation::Relation;
use crate::sql::types::schema::combined;

impl Binder {
    /// Binds a query; returns its columns, without rows.
    pub(super) fn query(&self, ctes: &Ctes, outer: Outer<'_>, query: &mut Query) -> Result<Relation> {
        let ctes = match &mut query.with {
            Some(with) => self.with(ctes, outer, with)?,
            None => ctes.clone(),
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, &ctes, &nothing) };
        let rows = match &mut *query.body {
            SetExpr::Select(select) => self.select(&like, select, query.order_by.as_mut())?,
            other => {
                let rows = self.set(&like, other)?;
                if let Some(by) = &mut query.order_by {
                    let scope = Scope { relation: &rows, ..like };
                    self.resolve_all(&scope, Clause::Order(&rows.fields), by)?;
                    list::sorted(&scope, &order_exprs(by)?, &rows.fields)?;
                }
                rows
            }
        };
        self.limits(&like, query)?;
        Ok(rows)
    }

    /// OFFSET and LIMIT.
    fn limits(&self, like: &Scope<'_>, query: &mut Query) -> Result<()> {
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
        let limit = constants::limit(like, Limits::of(query)?.as_ref())?;
        if !has_subquery {
            constants::limits_of(like, &limit)?;
        }
        Ok(())
    }

    /// Binds the common table expressions of `WITH`; returns their columns together with `ctes`.
    fn with(&self, ctes: &Ctes, outer: Outer<'_>, with: &mut With) -> Result<Ctes> {
        let (mut ctes, mut names_before) = (ctes.clone(), Vec::new());
        for table in &mut with.cte_tables {
            let name = table.alias.name.value.to_lowercase();
            let columns = column_names(&table.alias);
            if names_before.contains(&name) {
                let twice = SqlError::new(format!("WITH has two tables {name}"));
                return Err(twice.at_span(table.alias.name.span));
            }
            let own = self.name(&name);
            let span = table.alias.name.span;
            let is_recursive = with.recursive && recursion::halves(&table.query, &name).is_some();
            names_before.push(name);
            let rows = match is_recursive {
                true => self
                    .recursive(&ctes, outer, &mut table.query, (&own, &columns))
                    .map_err(|error| error.at_span(span))?,
                false => self.query(&ctes, outer, &mut table.query)?.renamed(&own, &columns),
            };
            from::check_names(&table.alias, &rows)?;
            table.alias.name = Ident { quote_style: None, value: own.clone(), span };
            ctes = ctes.with(own, rows);
        }
        Ok(ctes)
    }

    /// Binds a recursive common table expression, which has the columns of its first half.
    fn recursive(
        &self,
        ctes: &Ctes,
        outer: Outer<'_>,
        query: &mut Query,
        (name, columns): (&str, &[String]),
    ) -> Result<Relation> {
        let mut query = query;
        let body = loop {
            if !names::is_body_alone(query) {
                return Err(SqlError::new(
                    "a recursive table is nothing but a UNION: WITH, ORDER BY, OFFSET and LIMIT stand outside of it",
                ));
            }
            match &mut *query.body {
                SetExpr::Query(inner) => query = inner,
                body => break body,
            }
        };
        let SetExpr::SetOperation { left, right, op, .. } = body else {
            return Err(SqlError::new("UNION is needed here"));
        };
        let (session, nothing) = (self.session(), Relation::default());
        let like = Scope { outer, ..Scope::new(&session, ctes, &nothing) };
        let rows = self.set(&like, left)?.seen().renamed(name, columns);
        let within = ctes.with(name.to_owned(), rows.clone());
        let more = self.set(&Scope { ctes: &within, ..like }, right)?;
        let fields = combined(*op, &rows.fields, &more.seen().fields)?;
        Ok(Relation::without_rows(fields).renamed(name, columns))
    }

    fn set(&self, like: &Scope<'_>, body: &mut SetExpr) -> Result<Relation> {
        match body {
            SetExpr::Select(select) => self.select(like, select, None),
            SetExpr::Query(inner) => self.query(like.ctes, like.outer, inner),
            SetExpr::Values(values) => {
                self.resolve_all(like, Clause::Rows, values)?;
                let (_, fields) = rows::values(like, values.rows.iter().map(|row| cells(&row.content)))?;
                self.values.borrow_mut().push((values.clone(), fields.clone()));
                Ok(Relation::without_rows(fields))
            }
            SetExpr::SetOperation {
                op,
                set_quantifier:
                    SetQuantifier::ByName | SetQuantifier::AllByName | SetQuantifier::DistinctByName,
                ..
            } => Err(SqlError::new(format!("{op} BY NAME is not supported: list the columns in one order"))),
            SetExpr::SetOperation { left, op, right, .. } => {
                let (first, second) = (self.set(like, left)?, self.set(like, right)?);
                Ok(Relation::without_rows(combined(*op, &first.fields, &second.fields)?))
            }
            _ => Err(SqlError::new("only SELECT can be asked: logs are read, never written").at(body)),
        }
    }
}
