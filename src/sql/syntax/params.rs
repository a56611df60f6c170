//! Parameters of a named query: the columns of its `params` table, which contains literals.
//!
//! ```sql
//! WITH params AS (SELECT 'shop/api' AS repo, 600 AS window_seconds)
//! ```
//!
//! Such a query runs everywhere as it is; here `--param repo=web` replaces the first literal.

use sqlparser::ast::{Expr, Query, Select, SelectItem, SetExpr, Value};

use super::names::suggestion;
use crate::sql::error::{Result, SqlError};

/// The table's name.
const TABLE: &str = "params";

/// Sets parameters by name.
pub(in crate::sql) fn set(query: &mut Query, params: &[(String, String)]) -> Result<()> {
    if params.is_empty() {
        return Ok(());
    }
    let Some(select) = select_of(query) else {
        return Err(SqlError::new(
            "this query has no parameters: it has no WITH params AS (SELECT … AS name)",
        ));
    };
    for (name, value) in params {
        let known: Vec<String> = select.projection.iter().filter_map(alias_of).collect();
        let Some(item) = select
            .projection
            .iter_mut()
            .find(|item| alias_of(item).is_some_and(|alias| alias == name.to_lowercase()))
        else {
            let hint = suggestion(name, known.iter().map(String::as_str));
            return Err(SqlError::new(format!(
                "there is no parameter {name}; there are {}{hint}",
                known.join(", ")
            )));
        };
        if let SelectItem::ExprWithAlias { expr: Expr::Value(literal), .. } = item {
            literal.value = match &literal.value {
                Value::Number(..) if value.parse::<f64>().is_ok() => Value::Number(value.clone(), false),
                Value::Number(..) => {
                    return Err(SqlError::new(format!("parameter {name} needs a number, not '{value}'")));
                }
                _ => Value::SingleQuotedString(value.clone()),
            };
        }
    }
    Ok(())
}

/// Names and values of a query's parameters, in order.
pub(in crate::sql) fn list(query: &Query) -> Vec<(String, String)> {
    let Some(with) = &query.with else { return Vec::new() };
    let table = with.cte_tables.iter().find(|table| table.alias.name.value.eq_ignore_ascii_case(TABLE));
    let Some(SetExpr::Select(select)) = table.map(|table| &*table.query.body) else { return Vec::new() };
    let value = |item: &SelectItem| match item {
        SelectItem::ExprWithAlias { expr: Expr::Value(literal), .. } => match &literal.value {
            Value::Number(text, _) => Some(text.clone()),
            other => other.clone().into_string(),
        },
        _ => None,
    };
    select.projection.iter().filter_map(|item| Some((alias_of(item)?, value(item)?))).collect()
}

fn select_of(query: &mut Query) -> Option<&mut Select> {
    let tables = &mut query.with.as_mut()?.cte_tables;
    let table = tables.iter_mut().find(|table| table.alias.name.value.eq_ignore_ascii_case(TABLE))?;
    match &mut *table.query.body {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// The name of a parameter; only a literal can be one.
fn alias_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { expr: Expr::Value(_), alias } => Some(alias.value.to_lowercase()),
        _ => None,
    }
}
