//! The list of a SELECT: columns, `*`, and the fields of a row; and what its rows are sorted by.

use sqlparser::ast::{
    Expr, Ident, OrderByOptions, SelectItem, SelectItemQualifiedWildcardKind, Spanned, Value,
};

use super::expression;
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::types::nulls;
use crate::sql::expression::list::{Item, List, Shown};
use crate::sql::expression::rows::SortKey;
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::syntax::names::name_of;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::Field;
use crate::sql::types::values::Values;

/// The list of a SELECT over the rows of `scope`.
pub(super) fn list(scope: &Scope<'_>, items: &[SelectItem]) -> Result<List> {
    let others = items.iter().flat_map(|item| other_names(scope, item)).collect();
    let items = items.iter().map(|item| self::item(scope, item)).collect::<Result<_>>()?;
    Ok(List { items, hidden: others })
}

fn item(scope: &Scope<'_>, item: &SelectItem) -> Result<Item> {
    Ok(match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            Item::Value { name: Some(alias.value.clone()), value: scope.resolve(expr)? }
        }
        SelectItem::UnnamedExpr(expr) => Item::Value { name: name_of(expr), value: scope.resolve(expr)? },
        SelectItem::Wildcard(_) => {
            if scope.ungrouped.is_some() || scope.relation.fields.is_empty() {
                return Err(SqlError::new("SELECT * needs a table, and no GROUP BY").at(item));
            }
            Item::Columns(columns(scope, |field| !field.hidden, unqualified).collect())
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
            Item::Fields(scope.resolve(expr)?)
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            let table = names::last(name);
            let is_of_table = |field: &Field| field.qualifier.as_deref() == Some(&table) && !field.hidden;
            Item::Columns(columns(scope, is_of_table, unqualified).collect())
        }
        _ => return Err(SqlError::new("this is not supported in a SELECT list").at(item)),
    })
}

/// The columns of the rows for which `is_it` is true, as they are `shown`.
fn columns<'s>(
    scope: &'s Scope<'_>,
    is_it: impl Fn(&Field) -> bool + 's,
    shown: impl Fn(&Field) -> Field + 's,
) -> impl Iterator<Item = Shown> + 's {
    let all = scope.relation.fields.iter().enumerate().filter(move |(_, field)| is_it(field));
    all.map(move |(index, field)| Shown { index, field: shown(field) })
}

fn unqualified(field: &Field) -> Field {
    Field {
        is_date: field.is_date,
        is_added: field.is_added,
        ..Field::new(field.name.clone(), field.kind.clone())
    }
}

/// `*` also copies the other names of columns, hidden, so that a surrounding query can use them.
fn other_names(scope: &Scope<'_>, item: &SelectItem) -> Vec<Shown> {
    let table = match item {
        SelectItem::Wildcard(_) => None,
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Some(names::last(name))
        }
        _ => return Vec::new(),
    };
    let is_other =
        |field: &Field| field.hidden && !is_place(field) && (table.is_none() || field.qualifier == table);
    columns(scope, is_other, |field| Field { hidden: true, ..unqualified(field) }).collect()
}

/// What the rows of a list with these columns are sorted by: a number or a name of a column, or an expression. The
/// values of the columns are computed before all other values that the keys use. `scope` has no rows.
pub(in crate::sql) fn sorted(
    scope: &Scope<'_>,
    orders: &[(Expr, OrderByOptions)],
    fields: &[Field],
) -> Result<Vec<SortKey>> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    let columns = fields.iter().filter(|field| !is_place(field));
    let columns = columns.map(|field| (called(field), nulls(scope, field.kind.clone())));
    let mut known: Vec<(Expr, Values)> = columns.collect();
    let count = known.len();
    known.extend(scope.known.iter().cloned());
    let over = Scope { known: &known, ..*scope };
    let key = |(expr, options): &(Expr, OrderByOptions)| {
        let key = sort_key(&over, expr, count)?;
        // It has a type.
        over.value(&key)?;
        Ok((key, *options))
    };
    orders.iter().map(key).collect()
}

/// The name under which ORDER BY finds a column of the list.
pub(in crate::sql) fn called(field: &Field) -> Expr {
    Expr::Identifier(Ident::new(field.name.to_lowercase()))
}

fn sort_key(scope: &Scope<'_>, expr: &Expr, columns: usize) -> Result<Expression> {
    if let Expr::Value(value) = expr
        && let Value::Number(text, _) = &value.value
    {
        let ordinal = text.parse::<usize>().ok().and_then(|ordinal| ordinal.checked_sub(1));
        let Some(index) = ordinal.filter(|index| *index < columns) else {
            let missing = format!("ORDER BY {text}: there is no such column in the SELECT list");
            return Err(SqlError::new(missing).at(expr));
        };
        let node = Node::Computed { index, fields: Vec::new() };
        return Ok(Expression { node, span: expr.span(), date: None });
    }
    expression(scope, expr)
}
