//! The types of a SELECT, and of the queries in its expressions.

use std::sync::Arc;

use sqlparser::ast::{Distinct, Expr, OrderBy, Query, Select, Spanned};

use super::{Binder, Selected, found};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve::{self, select};
use crate::sql::expression::Expression;
use crate::sql::expression::query::Subquery;
use crate::sql::scope::{Resolver, Scope};
use crate::sql::syntax::grouping::{Grouping, calls, order_exprs};
use crate::sql::syntax::{names, walk};

impl Resolver for Binder {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    /// Only the columns of a query in an expression are asked for, which are known.
    fn subquery(&self, scope: &Scope<'_>, query: &Query) -> Result<Arc<Subquery>> {
        let columns = found(&self.subqueries, query);
        let columns = columns.ok_or_else(|| SqlError::new("a subquery cannot stand here").at(query))?;
        let outside = resolve::outside(scope, &names::free(query))?;
        Ok(Arc::new(Subquery {
            fields: columns.fields,
            outside,
            query: None,
            apart: None,
            span: query.span(),
        }))
    }
}

impl Binder {
    /// The types of a SELECT over the rows of `scope`, which `by` sorts.
    pub(super) fn listed(
        &self,
        scope: &Scope<'_>,
        select: &Select,
        by: Option<&OrderBy>,
    ) -> Result<Selected> {
        let order_by = by.map(order_exprs).transpose()?.unwrap_or_default();
        let calls = calls(select, &order_by);
        let grouping = Grouping::of(select, &calls)?;
        let having: Vec<Expr> = select.having.iter().flat_map(walk::conjuncts).cloned().collect();
        let clauses = select::Clauses {
            grouping: grouping.as_ref(),
            aggregates: &calls.aggregates,
            groupings: &calls.groupings,
            windows: &calls.windows,
            having: &having,
            items: &select.projection,
            is_distinct: matches!(select.distinct, Some(Distinct::Distinct)),
            order_by: &order_by,
        };
        Ok(select::select(scope, clauses)?.1)
    }
}
