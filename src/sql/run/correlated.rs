//! The rows of a subquery: once, if it looks at nothing outside; else for each combination of values that it
//! looks at.

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::query::{Query, Subquery};
use crate::sql::memory::row_bytes;
use crate::sql::scope::{Scope, Via};
use crate::sql::types::compare::key_column;
use crate::sql::types::relation::{Groups, Relation};

/// The operators of a subquery.
pub(super) fn operators(subquery: &Subquery) -> Result<&Query> {
    let missing = || SqlError::new("a subquery cannot stand here").at_span(subquery.span);
    subquery.query.as_ref().ok_or_else(missing)
}

/// The subquery's rows, if it is uncorrelated.
pub(super) fn alone(scope: &Scope<'_>, subquery: &Subquery) -> Result<Option<Relation>> {
    if !subquery.outside.is_empty() {
        return Ok(None);
    }
    Ok(Some(scope.session.query(scope.ctes, None, operators(subquery)?)?.seen()))
}

/// Evaluates the subquery for each combination of outer values that it may use.
pub(super) fn each(scope: &Scope<'_>, subquery: &Subquery) -> Result<(Groups, Vec<Relation>)> {
    let mut keys = Vec::new();
    for value in &subquery.outside {
        keys.push(key_column(&scope.values(value)?, scope.height())?);
    }
    let (groups, query) = (Groups::by(&keys, scope.height())?, operators(subquery)?);
    let mut results: Vec<Relation> = Vec::with_capacity(groups.count());
    let mut height = 0_usize;
    for first in groups.first.iter().flatten() {
        let outer = Some((scope, Via::Row(*first as usize)));
        let rows = scope.session.query(scope.ctes, outer, query)?.seen();
        height += rows.height;
        scope.session.limits().fits_rows(height, row_bytes(&rows))?;
        results.push(rows);
    }
    Ok((groups, results))
}
