//! Where expressions and queries meet: each is evaluated by means of the other.

use super::{select, subquery};
use crate::sql::catalog::Catalog;
use crate::sql::error::Result;
use crate::sql::eval;
use crate::sql::eval::constants;
use crate::sql::expression::query::{Limit, Query};
use crate::sql::expression::{Expression, Node};
use crate::sql::plan::logical::Plan;
use crate::sql::plan::lower;
use crate::sql::scope::{Ctes, Evaluator, Scope, Session, Via};
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;

struct Engine;

impl Evaluator for Engine {
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

/// The rows of a query over the tables of a session and these.
pub(in crate::sql) fn rows(session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<Relation> {
    select::query(session, ctes, None, &lower::query(session, ctes, plan)?)
}

/// The same before OFFSET and LIMIT.
pub(in crate::sql) fn all_rows(session: &Session<'_>, ctes: &Ctes, plan: &Plan) -> Result<Relation> {
    let query = Query { limit: Limit::default(), ..lower::query(session, ctes, plan)? };
    select::query(session, ctes, None, &query)
}

/// Applies OFFSET and LIMIT to the result of a query.
pub(in crate::sql) fn cut(session: &Session<'_>, plan: &Plan, rows: Relation) -> Result<Relation> {
    let (ctes, nothing) = (Ctes::default(), Relation::single_row());
    let like = Scope::new(session, &ctes, &nothing);
    let limit = constants::limit(&like, plan.limits())?;
    Ok(select::limited(constants::limits_of(&like, &limit)?, limit.has_ties, rows))
}

/// A run over the tables of `catalog`. `now` is `current_timestamp`, milliseconds.
pub(in crate::sql) fn session(catalog: &Catalog, now: i64) -> Session<'_> {
    Session { catalog, now, lenient: false, resolver: &lower::Alone, evaluator: &Engine }
}
