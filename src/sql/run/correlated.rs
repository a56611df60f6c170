//! The rows of a subquery: once, if it looks at nothing outside; else for each combination of values that it
//! looks at.

use sqlparser::ast::Query;

use crate::sql::bind;
use crate::sql::error::Result;
use crate::sql::memory::row_bytes;
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::names;
use crate::sql::types::compare::key_column;
use crate::sql::types::relation::{Groups, Relation};

/// The subquery's rows, if it is uncorrelated.
pub(super) fn alone(scope: &Scope<'_>, query: &Query) -> Result<Option<Relation>> {
    if !names::free(query).is_empty() {
        return Ok(None);
    }
    Ok(Some(scope.session.query(scope.ctes, None, query)?.seen()))
}

/// Evaluates the subquery for each combination of outer values that it may use.
pub(in crate::sql) fn each(scope: &Scope<'_>, query: &Query) -> Result<(Groups, Vec<Relation>)> {
    let mut keys = Vec::new();
    for parts in names::free(query) {
        keys.push(key_column(&scope.column(&names::named(parts))?, scope.height())?);
    }
    let groups = Groups::by(&keys, scope.height())?;
    let mut results: Vec<Relation> = Vec::with_capacity(groups.count());
    let mut height = 0_usize;
    for first in groups.first.iter().flatten() {
        let rows = scope.session.query(scope.ctes, Some((scope, Via::Row(*first as usize))), query)?.seen();
        height += rows.height;
        scope.session.limits().fits_rows(height, row_bytes(&rows))?;
        results.push(rows);
    }
    Ok((groups, results))
}

/// The columns of a correlated subquery.
pub(in crate::sql) fn shape(scope: &Scope<'_>, query: &Query) -> Result<Relation> {
    Ok(bind::columns(scope, query)?.seen())
}
