//! Numbers that a query gives once for all rows: OFFSET and LIMIT, the percentage of TABLESAMPLE.

use sqlparser::ast::{Expr, LimitClause, Query, Spanned, TableSample, TableSampleMethod, TableSampleUnit};

use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::tables::Kind;

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

/// The percentage of the rows that TABLESAMPLE takes.
pub(in crate::sql) fn percentage(like: &Scope<'_>, sample: &TableSample) -> Result<f64> {
    let is_known =
        matches!(sample.name, None | Some(TableSampleMethod::Bernoulli | TableSampleMethod::System));
    let quantity =
        sample.quantity.as_ref().filter(|quantity| !matches!(quantity.unit, Some(TableSampleUnit::Rows)));
    let (Some(quantity), true) = (quantity, is_known && sample.bucket.is_none() && sample.offset.is_none())
    else {
        return Err(SqlError::new("of TABLESAMPLE, BERNOULLI (percent) and SYSTEM (percent) are supported"));
    };
    let percent = like.eval(&quantity.value)?;
    let percent = percent.doubles().ok().filter(|_| percent.constant).and_then(|percent| percent.get(0));
    percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| {
        SqlError::new("TABLESAMPLE takes a percentage from 0 to 100").at_span(quantity.value.span())
    })
}
