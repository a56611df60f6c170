//! Texts that other table definitions have as numbers or booleans.
//!
//! In one definition `year` is a text, in another an int; `readonly` is a text in the table that the console
//! makes, and a boolean in an event data store. A query may compare such a column with either. Any other text
//! is compared with no number and no boolean, as in Trino: the condition would never be true, and the answer
//! silently be empty.

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::types::compare::common;
use crate::sql::types::relation::Field;
use crate::sql::types::values::Values;
use crate::tables::{Kind, cloudtrail};

/// Columns, and fields of them, that are digits.
const NUMBERS: &[&str] =
    &["account", "accountid", "recipientaccountid", "vpcendpointaccountid", "year", "month", "day"];

/// Columns, and fields of them, that are `true` or `false`.
const BOOLEANS: &[&str] =
    &["readonly", "managementevent", "sessioncredentialfromconsole", "mfaauthenticated"];

/// One side of a comparison.
#[derive(Clone, Copy)]
pub(in crate::sql) struct Side<'s> {
    kind: &'s Kind,
    /// The name of the column or field that it is.
    name: Option<&'s str>,
    /// The elements of a row that is written out.
    elements: &'s [Expression],
    /// Whether it is a member of a JSON column, which may have any type elsewhere.
    is_member: bool,
    scope: Option<&'s Scope<'s>>,
}

impl<'s> Side<'s> {
    pub fn of(scope: &'s Scope<'s>, expression: &'s Expression, kind: &'s Kind) -> Self {
        let elements = match &expression.node {
            Node::Row(elements) => elements.as_slice(),
            _ => &[],
        };
        let is_member =
            matches!(&expression.node, Node::Column { fields, is_json: true, .. } if !fields.is_empty());
        Self { kind, name: name(scope, &expression.node), elements, is_member, scope: Some(scope) }
    }

    /// A column of a subquery.
    fn column(name: &'s str, kind: &'s Kind) -> Self {
        Self { kind, name: Some(name), elements: &[], is_member: false, scope: None }
    }

    /// Whether it is a text that is a value of type `other` in another table definition.
    fn is_elsewhere(&self, other: &Kind) -> bool {
        let is_in = |names: &[&str]| {
            self.name.is_some_and(|name| names.contains(&cloudtrail::column_named(name).unwrap_or(name)))
        };
        *self.kind == Kind::Varchar
            && (other.is_number() && (self.is_member || is_in(NUMBERS))
                || *other == Kind::Boolean && (self.is_member || is_in(BOOLEANS)))
    }

    fn element(&self, at: usize) -> Option<Side<'s>> {
        let Kind::Row(fields) = self.kind else { return None };
        let (name, kind) = fields.get(at)?;
        match (self.elements.get(at), self.scope) {
            (Some(element), Some(scope)) => Some(Side::of(scope, element, kind)),
            _ => Some(Side::column(name, kind)),
        }
    }
}

fn name<'s>(scope: &'s Scope<'s>, node: &'s Node) -> Option<&'s str> {
    match node {
        Node::Column { fields, .. } | Node::Computed { fields, .. } if !fields.is_empty() => {
            fields.last().map(|field| field.value.as_str())
        }
        Node::Field(_, field) => Some(&field.value),
        Node::Column { index, .. } => scope.relation.fields.get(*index).map(|field| field.name.as_str()),
        Node::Computed { index, .. } => scope
            .known
            .get(*index)
            .and_then(|(expr, _)| names::parts_of(expr)?.last())
            .map(|last| last.value.as_str()),
        Node::Outer(node) => name(scope.outer?.0, node),
        _ => None,
    }
}

/// Checks that the values of two expressions may be compared.
pub(in crate::sql) fn check_values(
    scope: &Scope<'_>,
    operator: &str,
    (left, first): (&Expression, &Values),
    (right, second): (&Expression, &Values),
) -> Result<()> {
    check(operator, Side::of(scope, left, &first.kind), Side::of(scope, right, &second.kind))
}

fn check(operator: &str, left: Side<'_>, right: Side<'_>) -> Result<()> {
    if may_be_compared(left, right) {
        return Ok(());
    }
    let (a, b) = (left.kind, right.kind);
    let hint = if *a == Kind::Varchar || *b == Kind::Varchar { "; CAST one of them" } else { "" };
    Err(SqlError::new(format!("{a} and {b} cannot be compared with {operator}{hint}")))
}

/// Checks that a value may be compared with the rows of a subquery.
pub(in crate::sql) fn check_rows(operator: &str, value: Side<'_>, columns: &[Field]) -> Result<()> {
    match columns {
        [only] => check(operator, value, Side::column(&only.name, &only.kind)),
        fields => {
            let kinds = fields.iter().map(|field| (field.name.clone(), field.kind.clone())).collect();
            check(operator, value, Side::column("", &Kind::Row(kinds)))
        }
    }
}

fn may_be_compared(left: Side<'_>, right: Side<'_>) -> bool {
    match (left.kind, right.kind) {
        (Kind::Row(a), Kind::Row(b)) if a.len() == b.len() => (0..a.len())
            .all(|at| left.element(at).zip(right.element(at)).is_some_and(|(a, b)| may_be_compared(a, b))),
        // A time is compared with a text that can be read as one.
        (Kind::Varchar, time) | (time, Kind::Varchar) if time.is_time() => true,
        (a, b) => common(a, b).is_ok() || left.is_elsewhere(b) || right.is_elsewhere(a),
    }
}
