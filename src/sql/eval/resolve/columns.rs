//! Names: a column of the rows or of a surrounding query, a key of GROUP BY, a field of one of them.

use sqlparser::ast::{Expr, Ident};

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Node, PartitionDate};
use crate::sql::functions::partition;
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::types::clock;
use crate::sql::types::columns::find;
use crate::tables::{Kind, cloudtrail};

/// A dotted name: a column of this query or a surrounding one, or a field of it.
pub(super) fn name(scope: &Scope<'_>, parts: &[Ident]) -> Result<Node> {
    match (column(scope, parts)?, parts) {
        (Some(node), _) => Ok(node),
        (None, [only]) if only.quote_style.is_none() && clock::is_moment(&only.value) => {
            Ok(Node::Literal(clock::moment(&only.value, scope.session.now)?))
        }
        _ => Err(SqlError::new(format!("there is no column {}", names::dotted(parts)))),
    }
}

fn column(scope: &Scope<'_>, parts: &[Ident]) -> Result<Option<Node>> {
    let rows = scope.ungrouped.map_or(scope.relation, |before| before.relation);
    if let Some((index, used)) = find(&rows.fields, parts)? {
        let fields = parts.get(used..).unwrap_or_default();
        return match scope.ungrouped {
            Some(before) => key(scope, before, parts, (index, fields)).map(Some),
            None => {
                let is_json = is_json(scope, index);
                Ok(Some(Node::Column { index, fields: fields.to_vec(), is_json }))
            }
        };
    }
    let Some((outer, _)) = scope.outer else { return Ok(None) };
    Ok(column(outer, parts)?.map(|node| Node::Outer(Box::new(node))))
}

/// Whether a column contains JSON texts, whose members can be used like fields.
fn is_json(scope: &Scope<'_>, index: usize) -> bool {
    let field = scope.relation.fields.get(index);
    field.is_some_and(|field| {
        field.kind == Kind::Varchar && cloudtrail::JSON_COLUMNS.contains(&field.name.as_str())
    })
}

/// After grouping: the column of a group key, or a field of it.
fn key(
    scope: &Scope<'_>,
    before: &Scope<'_>,
    parts: &[Ident],
    (column, fields): (usize, &[Ident]),
) -> Result<Node> {
    for (index, (key, _)) in scope.known.iter().enumerate() {
        let Some(key_parts) = names::parts_of(key) else { continue };
        if let Some((key_column, key_used)) = find(&before.relation.fields, key_parts)?
            && key_column == column
            && let Some(rest) = fields.strip_prefix(key_parts.get(key_used..).unwrap_or_default())
        {
            return Ok(Node::Computed { index, fields: rest.to_vec() });
        }
    }
    Err(SqlError::new(format!(
        "{} must stand in GROUP BY, or in an aggregate such as max(…)",
        names::dotted(parts)
    )))
}

/// The date of a partition, if an expression is nothing but that column.
pub(super) fn date(scope: &Scope<'_>, expr: &Expr) -> Option<PartitionDate> {
    if let Expr::Nested(inner) = expr {
        return date(scope, inner);
    }
    let parts = names::parts_of(expr)?;
    let fields = &scope.relation.fields;
    let is_date = |index: &usize| fields.get(*index).is_some_and(|field| field.is_date);
    if scope.ungrouped.is_some() || !fields.iter().any(|field| field.is_date) {
        return None;
    }
    let Ok(Some((column, used))) = find(fields, parts) else { return None };
    let column = Some(column).filter(|column| used == parts.len() && is_date(column))?;
    let table = fields.get(column)?.qualifier.as_ref();
    let is_whole = |at: &usize| {
        fields
            .get(*at)
            .is_some_and(|field| field.name == partition::WHOLE && field.qualifier.as_ref() == table)
    };
    Some(PartitionDate { whole: (0..fields.len()).find(|at| is_date(at) && is_whole(at)) })
}
