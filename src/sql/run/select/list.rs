//! The list of a SELECT: columns, `*`, and the fields of a row.

use sqlparser::ast::{Expr, SelectItem, SelectItemQualifiedWildcardKind};

use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::syntax::names::name_of;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Kind;

pub(super) fn list_item(scope: &Scope<'_>, item: &SelectItem, rows: &mut Relation) -> Result<()> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => {
            let values = scope.eval(expr)?;
            let data = scope.spread(&values)?;
            rows.push(Field::new(alias.value.clone(), values.kind), data);
        }
        SelectItem::UnnamedExpr(expr) => {
            let values = scope.eval(expr)?;
            let at = rows.fields.len();
            let name = name_of(expr).unwrap_or_else(|| format!("_col{at}"));
            let data = scope.spread(&values)?;
            rows.push(Field::new(name, values.kind), data);
        }
        SelectItem::Wildcard(_) => {
            let before = scope.ungrouped.is_some();
            if before || scope.relation.fields.is_empty() {
                return Err(SqlError::new("SELECT * needs a table, and no GROUP BY").at(item));
            }
            for (field, column) in
                scope.relation.fields.iter().zip(&scope.relation.columns).filter(|(field, _)| !field.hidden)
            {
                rows.push(
                    Field {
                        is_date: field.is_date,
                        is_added: field.is_added,
                        ..Field::new(field.name.clone(), field.kind.clone())
                    },
                    column.clone(),
                );
            }
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(expr), _) => {
            return fields_of(scope, expr, rows);
        }
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            let table = names::last(name);
            let is_of_table = |field: &Field| field.qualifier.as_deref() == Some(&table) && !field.hidden;
            for (field, column) in scope
                .relation
                .fields
                .iter()
                .zip(&scope.relation.columns)
                .filter(|(field, _)| is_of_table(field))
            {
                rows.push(
                    Field {
                        is_date: field.is_date,
                        is_added: field.is_added,
                        ..Field::new(field.name.clone(), field.kind.clone())
                    },
                    column.clone(),
                );
            }
        }
        _ => return Err(SqlError::new("this is not supported in a SELECT list").at(item)),
    }
    Ok(())
}

/// `(row).*`: a column for each field.
fn fields_of(scope: &Scope<'_>, expr: &Expr, rows: &mut Relation) -> Result<()> {
    let values = scope.column(expr)?;
    let Kind::Row(fields) = &values.kind else {
        return Err(SqlError::new(format!(
            "only a row has fields that * can show, and this is {}",
            values.kind
        ))
        .at(expr));
    };
    for ((name, kind), data) in fields.iter().zip(values.data.struct_()?.fields_as_series()) {
        rows.push(Field::new(name.clone(), kind.clone()), data);
    }
    Ok(())
}

/// Copies the hidden columns with positions, if there are any.
pub(super) fn places(scope: &Scope<'_>, rows: &mut Relation) {
    for (field, column) in
        scope.relation.fields.iter().zip(&scope.relation.columns).filter(|(field, _)| is_place(field))
    {
        rows.push(Field { qualifier: None, ..field.clone() }, column.clone());
    }
}

/// `*` also copies the other names of columns, hidden, so that a surrounding query can use them.
pub(super) fn other_names(scope: &Scope<'_>, item: &SelectItem, rows: &mut Relation) {
    let table = match item {
        SelectItem::Wildcard(_) => None,
        SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), _) => {
            Some(names::last(name))
        }
        _ => return,
    };
    for (field, column) in scope
        .relation
        .fields
        .iter()
        .zip(&scope.relation.columns)
        .filter(|(field, _)| field.hidden && !is_place(field))
    {
        if table.is_none() || field.qualifier == table {
            rows.push(
                Field {
                    hidden: true,
                    is_date: field.is_date,
                    is_added: field.is_added,
                    ..Field::new(field.name.clone(), field.kind.clone())
                },
                column.clone(),
            );
        }
    }
}
