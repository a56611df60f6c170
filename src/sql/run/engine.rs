//! Where expressions and queries meet: each is evaluated by means of the other.

use sqlparser::ast::{Expr, Query};

use super::{select, subquery};
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::eval::{self, resolve};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::{Ctes, Evaluator, Scope, Session, Via};
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

/// A run over the tables of `catalog`. `now` is `current_timestamp`, milliseconds.
pub(in crate::sql) fn session(catalog: &Catalog, now: i64) -> Session<'_> {
    Session { catalog, now, lenient: false, evaluator: &Engine }
}
