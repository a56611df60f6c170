//! Where expressions and queries meet: each is evaluated by means of the other.

use std::sync::Arc;

use sqlparser::ast::{self, Expr};

use super::{select, subquery};
use crate::sql::bind;
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::eval::constants::limits;
use crate::sql::eval::{self, resolve};
use crate::sql::expression::query::{Query, Subquery};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::{Ctes, Evaluator, Scope, Session, Via};
use crate::sql::syntax::grouping::has_ties;
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;

struct Engine;

impl Evaluator for Engine {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    fn value(&self, scope: &Scope<'_>, expression: &Expression) -> Result<Values> {
        match &expression.node {
            Node::Exists { query, is_negated } => subquery::exists(scope, query, *is_negated),
            Node::Scalar(query) => subquery::scalar(scope, query),
            Node::InQuery { value, query, is_negated } => {
                subquery::contains(scope, value, query, *is_negated)
            }
            Node::Quantified { value, operator, query, is_any } => {
                subquery::quantified(scope, value, operator, query, *is_any)
            }
            node => eval::value(scope, node),
        }
    }

    fn subquery(&self, scope: &Scope<'_>, query: &ast::Query) -> Result<Arc<Subquery>> {
        bind::subquery(scope, query).map(Arc::new)
    }

    fn query(
        &self,
        session: &Session<'_>,
        ctes: &Ctes,
        outer: Option<(&Scope<'_>, Via<'_>)>,
        query: &Query,
    ) -> Result<Relation> {
        select::query(session, ctes, outer, query)
    }
}

/// The rows of a bound query over the tables of a session and these.
pub(in crate::sql) fn rows(session: &Session<'_>, ctes: &Ctes, query: &ast::Query) -> Result<Relation> {
    select::query(session, ctes, None, &bind::planned(session, ctes, query)?)
}

/// Applies OFFSET and LIMIT to the result of a query.
pub(in crate::sql) fn cut(session: &Session<'_>, query: &ast::Query, rows: Relation) -> Result<Relation> {
    let (ctes, nothing) = (Ctes::default(), Relation::single_row());
    let limit = limits(&Scope::new(session, &ctes, &nothing), query)?;
    Ok(select::limited(limit, has_ties(query), rows))
}

/// A run over the tables of `catalog`. `now` is `current_timestamp`, milliseconds.
pub(in crate::sql) fn session(catalog: &Catalog, now: i64) -> Session<'_> {
    Session { catalog, now, lenient: false, evaluator: &Engine }
}
