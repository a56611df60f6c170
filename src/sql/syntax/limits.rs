//! OFFSET, LIMIT and FETCH as they are written.

use sqlparser::ast::{Expr, LimitClause, Query, Value};

use super::grouping::has_ties;
use crate::sql::error::{Result, SqlError};

/// OFFSET and LIMIT; `None` if there is none.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Limits {
    pub offset: Option<Expr>,
    pub count: Option<Expr>,
    /// Whether rows equal to the last one are included (`WITH TIES`).
    pub has_ties: bool,
}

impl Limits {
    /// `None` if a query has neither.
    ///
    /// # Errors
    /// It has a form that is not supported.
    pub fn of(query: &Query) -> Result<Option<Self>> {
        let (offset, mut count) = match &query.limit_clause {
            None if query.fetch.is_none() => return Ok(None),
            None => (None, None),
            Some(LimitClause::LimitOffset { limit, offset, limit_by }) if limit_by.is_empty() => {
                (offset.as_ref().map(|offset| &offset.value), limit.as_ref().filter(|limit| !is_all(limit)))
            }
            Some(LimitClause::OffsetCommaLimit { offset, limit }) => {
                (Some(offset), Some(limit).filter(|limit| !is_all(limit)))
            }
            Some(other) => return Err(SqlError::new(format!("{other} is not supported"))),
        };
        let one = Expr::Value(Value::Number("1".to_owned(), false).into());
        if let Some(fetch) = &query.fetch {
            if fetch.percent {
                return Err(SqlError::new("FETCH … PERCENT is not supported"));
            }
            if fetch.with_ties && query.order_by.is_none() {
                return Err(SqlError::new("WITH TIES needs an ORDER BY: it says which rows are alike"));
            }
            count = Some(fetch.quantity.as_ref().unwrap_or(&one));
        }
        Ok(Some(Self { offset: offset.cloned(), count: count.cloned(), has_ties: has_ties(query) }))
    }

    /// How many rows are used, from the first one on, where both are literals.
    pub fn wanted(&self) -> Option<u64> {
        let offset = self.offset.as_ref().map_or(Some(0), number)?;
        number(self.count.as_ref()?)?.checked_add(offset)
    }
}

/// Whether a LIMIT is `ALL`.
pub(in crate::sql) fn is_all(expr: &Expr) -> bool {
    matches!(expr, Expr::Identifier(ident) if ident.value == "all")
}

/// A number that is a literal.
pub(in crate::sql) fn number(expr: &Expr) -> Option<u64> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse().ok(),
            _ => None,
        },
        _ => None,
    }
}
