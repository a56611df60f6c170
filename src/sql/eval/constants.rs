//! Numbers that a query gives once for all rows: OFFSET and LIMIT, TABLESAMPLE.

use sqlparser::ast::{Expr, Spanned, TableSample, TableSampleMethod, TableSampleUnit};

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::query::{Limit, Sample};
use crate::sql::scope::Scope;
use crate::sql::syntax::limits::Limits;
use crate::tables::Kind;

/// The number of rows that are used, from the first one on.
pub(in crate::sql) fn wanted(like: &Scope<'_>, limits: Option<&Limits>) -> usize {
    let limits = limit(like, limits).and_then(|limit| limits_of(like, &limit));
    limits.map_or(usize::MAX, |(offset, count)| offset.saturating_add(count))
}

/// The values of OFFSET and LIMIT.
pub(in crate::sql) fn limits_of(like: &Scope<'_>, limit: &Limit) -> Result<(usize, usize)> {
    let number = |expression: &Option<Expression>, none: usize| {
        expression.as_ref().map_or(Ok(none), |expression| number(like, expression))
    };
    Ok((number(&limit.offset, 0)?, number(&limit.count, usize::MAX)?))
}

/// OFFSET and LIMIT with resolved names.
pub(in crate::sql) fn limit(like: &Scope<'_>, limits: Option<&Limits>) -> Result<Limit> {
    let Some(Limits { offset, count, has_ties }) = limits else { return Ok(Limit::default()) };
    let resolved = |expr: &Option<Expr>| expr.as_ref().map(|expr| like.resolve(expr)).transpose();
    Ok(Limit { offset: resolved(offset)?, count: resolved(count)?, has_ties: *has_ties })
}

fn number(like: &Scope<'_>, expression: &Expression) -> Result<usize> {
    let values = like.value(expression)?;
    let whole = if values.kind == Kind::Bigint { values.constant_whole() } else { None };
    whole
        .and_then(|number| usize::try_from(number).ok())
        .ok_or_else(|| SqlError::new("LIMIT and OFFSET need a whole number").at_span(expression.span))
}

/// What TABLESAMPLE says.
pub(in crate::sql) fn sample(like: &Scope<'_>, sample: &TableSample) -> Result<Sample> {
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
    let percentage = percent.filter(|percent| (0.0..=100.0).contains(percent)).ok_or_else(|| {
        SqlError::new("TABLESAMPLE takes a percentage from 0 to 100").at_span(quantity.value.span())
    })?;
    let seed = sample.seed.as_ref().and_then(|seed| seed.value.value.to_string().parse().ok());
    Ok(Sample { percentage, seed: seed.unwrap_or(0) })
}
