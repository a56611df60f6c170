//! `GROUP BY`: which expressions are keys, which rows belong together.

use polars::prelude::Series;
use sqlparser::ast::{Expr, GroupByExpr, Select, SelectItem, Value};

use super::aggregate;
use super::cast;
use super::error::{Result, SqlError};
use super::eval::Scope;
use super::names;
use super::relation::Groups;
use super::values::{Cell, Values};
use super::walk::Calls;
use crate::tables::Kind;

/// A column by which rows can be grouped: nested values are equal when their JSON is.
pub(super) fn key_column(values: &Values, height: usize) -> Result<Series> {
    match values.kind {
        Kind::Array(_) | Kind::Row(_) | Kind::Map(..) => Ok(String::column(cast::json_texts(values, height)?)),
        _ => Ok(values.spread(height)),
    }
}

/// The keys of a `SELECT`, ordinals and aliases resolved. `None`: it is not grouped at all.
pub(super) fn keys(scope: &Scope<'_>, select: &Select, calls: &Calls) -> Result<Option<Vec<Expr>>> {
    let exprs = match &select.group_by {
        GroupByExpr::All(_) => return Err(SqlError::new("GROUP BY ALL is not supported")),
        GroupByExpr::Expressions(_, modifiers) if !modifiers.is_empty() => return Err(SqlError::new("ROLLUP, CUBE and TOTALS are not supported")),
        GroupByExpr::Expressions(exprs, _) => exprs,
    };
    if exprs.is_empty() && calls.aggregates.is_empty() && select.having.is_none() {
        return Ok(None);
    }
    let mut keys = Vec::new();
    for expr in exprs {
        match expr {
            Expr::Rollup(_) | Expr::Cube(_) | Expr::GroupingSets(_) => {
                return Err(SqlError::new("ROLLUP, CUBE and GROUPING SETS are not supported; use UNION ALL").at(expr));
            }
            Expr::Tuple(exprs) => keys.extend(exprs.iter().map(|expr| key(scope, select, expr)).collect::<Result<Vec<_>>>()?),
            other => keys.push(key(scope, select, other)?),
        }
    }
    Ok(Some(keys))
}

fn key(scope: &Scope<'_>, select: &Select, expr: &Expr) -> Result<Expr> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                let item = text.parse::<usize>().ok().and_then(|ordinal| select.projection.get(ordinal.checked_sub(1)?));
                match item {
                    Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => Ok(expr.clone()),
                    _ => Err(SqlError::new(format!("GROUP BY {text}: there is no such column in the SELECT list")).at(expr)),
                }
            }
            _ => Ok(expr.clone()),
        },
        Expr::Identifier(ident) if names::find(scope.relation, std::slice::from_ref(ident))?.is_none() => {
            let aliased = select.projection.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias } if alias.value.eq_ignore_ascii_case(&ident.value) => Some(expr.clone()),
                _ => None,
            });
            Ok(aliased.unwrap_or_else(|| expr.clone()))
        }
        other => Ok(other.clone()),
    }
}

/// Groups the scope's rows and computes keys and aggregates: what is known about each group.
pub(super) fn grouped(scope: &Scope<'_>, keys: &[Expr], calls: &Calls) -> Result<(usize, Vec<(Expr, Values)>)> {
    let values = keys.iter().map(|key| scope.column(key)).collect::<Result<Vec<_>>>()?;
    let columns = values.iter().map(|values| key_column(values, scope.height())).collect::<Result<Vec<_>>>()?;
    let groups = if keys.is_empty() { Groups::one(scope.height()) } else { Groups::by(&columns, scope.height())? };
    let mut known = Vec::new();
    for (key, values) in keys.iter().zip(&values) {
        known.push((key.clone(), values.take(&groups.first)?));
    }
    for call in &calls.aggregates {
        let values = aggregate::evaluate(scope, aggregate::as_call(call)?, &groups).map_err(|error| error.at(call))?;
        known.push((call.clone(), values));
    }
    Ok((groups.count(), known))
}
