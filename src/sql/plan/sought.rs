//! Texts without which no event can be in the answer.

use sqlparser::ast::{BinaryOperator, Expr, Value};

use super::mention::{Filters, path_of};
use crate::lake::Portion;

/// A text column, or a field inside it, of which the query needs certain texts only: `eventid = 'x'`,
/// `requestid IN ('x', 'y')`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::sql) struct Sought {
    pub column: &'static str,
    pub fields: Vec<String>,
    pub texts: Vec<String>,
}

impl Sought {
    /// Whether a row group may contain one of the texts.
    pub fn may_be_in(&self, portion: &Portion<'_>) -> bool {
        portion.may_have(self.column, &self.fields, &self.texts)
    }
}

/// The texts that the conditions on the only occurrence of the events table require.
pub(in crate::sql) fn sought(filters: &Filters) -> Vec<Sought> {
    let Some([(alias, conditions)]) = filters.as_deref() else { return Vec::new() };
    let text = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text.clone()),
            _ => None,
        },
        _ => None,
    };
    let sought = |condition: &Expr| match condition {
        Expr::BinaryOp { left, op: BinaryOperator::Eq, right } => match (path_of(left, alias), text(right)) {
            (Some(path), Some(text)) => Some((path, vec![text])),
            _ => Some((path_of(right, alias)?, vec![text(left)?])),
        },
        Expr::InList { expr, list, negated: false } => {
            Some((path_of(expr, alias)?, list.iter().map(text).collect::<Option<_>>()?))
        }
        _ => None,
    };
    conditions
        .iter()
        .filter_map(sought)
        .map(|((column, fields), texts)| Sought { column, fields, texts })
        .collect()
}
