//! OFFSET and LIMIT.

use sqlparser::ast::{Expr, LimitClause, Query};

use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::grouping::has_ties;
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

pub(super) fn limited(like: &Scope<'_>, query: &Query, rows: Relation) -> Result<Relation> {
    let (offset, count) = limits(like, query)?;
    // Rows equal to the last one have been included when the rows were sorted.
    let count = if has_ties(query) { usize::MAX } else { count };
    Ok(if offset == 0 && count >= rows.height { rows } else { rows.slice(offset, count) })
}

/// The number of rows that are used, from the first one on.
pub(in crate::sql) fn wanted(like: &Scope<'_>, query: &Query) -> usize {
    limits(like, query).map_or(usize::MAX, |(offset, count)| offset.saturating_add(count))
}

/// OFFSET and LIMIT.
pub(in crate::sql) fn limits(like: &Scope<'_>, query: &Query) -> Result<(usize, usize)> {
    let (mut offset, mut count) = (0, usize::MAX);
    match &query.limit_clause {
        None => {}
        Some(LimitClause::LimitOffset { limit, offset: skip, limit_by }) if limit_by.is_empty() => {
            offset = skip.as_ref().map(|skip| number(like, &skip.value)).transpose()?.unwrap_or(0);
            count = limit.as_ref().map(|limit| number(like, limit)).transpose()?.unwrap_or(usize::MAX);
        }
        Some(LimitClause::OffsetCommaLimit { offset: skip, limit }) => {
            offset = number(like, skip)?;
            count = number(like, limit)?;
        }
        Some(other) => return Err(SqlError::new(format!("{other} is not supported"))),
    }
    if let Some(fetch) = &query.fetch {
        if fetch.percent {
            return Err(SqlError::new("FETCH … PERCENT is not supported"));
        }
        if fetch.with_ties && query.order_by.is_none() {
            return Err(SqlError::new("WITH TIES needs an ORDER BY: it says which rows are alike"));
        }
        count = fetch.quantity.as_ref().map(|quantity| number(like, quantity)).transpose()?.unwrap_or(1);
    }
    Ok((offset, count))
}

fn number(like: &Scope<'_>, expr: &Expr) -> Result<usize> {
    if let Expr::Identifier(ident) = expr
        && ident.value == "all"
    {
        return Ok(usize::MAX);
    }
    let values = like.eval(expr)?;
    match (values.kind == Kind::Bigint)
        .then(|| values.constant_whole())
        .flatten()
        .and_then(|number| usize::try_from(number).ok())
    {
        Some(number) => Ok(number),
        None => Err(SqlError::new("LIMIT and OFFSET need a whole number").at(expr)),
    }
}
