//! What a condition says of one mention of `cloudtrail_logs`.

use sqlparser::ast::{BinaryOperator, Expr, Ident};

use crate::sql::syntax::{names, walk};
use crate::tables::cloudtrail;

/// For each occurrence of the table, its alias and its conditions that can be evaluated for a single record;
/// `None` if one of them has no such conditions, so that every record may be needed.
pub(in crate::sql) type Filters = Option<Vec<(String, Vec<Expr>)>>;

/// Whether a condition uses only columns of this occurrence of the table.
pub(in crate::sql) fn is_early(condition: &Expr, alias: &str) -> bool {
    let is_own = |parts: &Vec<Ident>| parts.first().is_some_and(|first| first.value == alias);
    !walk::has_subquery(condition) && names::free(condition).iter().all(is_own)
}

/// The column of this occurrence that an expression names.
pub(in crate::sql) fn column_of(expr: &Expr, alias: &str) -> Option<&'static str> {
    path_of(expr, alias).filter(|(_, fields)| fields.is_empty()).map(|(column, _)| column)
}

/// The column of this occurrence that an expression names, and the path to a field in it.
pub(in crate::sql) fn path_of(expr: &Expr, alias: &str) -> Option<(&'static str, Vec<String>)> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column, fields @ ..] if table.value == alias => Some((
                cloudtrail::column_named(&column.value)?,
                fields.iter().map(|field| field.value.clone()).collect(),
            )),
            _ => None,
        },
        Expr::Nested(inner) => path_of(inner, alias),
        _ => None,
    }
}

/// A chain of one operator, or a single condition.
pub(in crate::sql) fn is_chain_of(expr: &Expr, operator: &BinaryOperator) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if op == operator)
}
