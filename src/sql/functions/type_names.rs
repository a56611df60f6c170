//! The names of types, as `typeof` tells them.
//!
//! Texts are of one type here, however long they may be. Trino knows the length of a literal, and of a text that was
//! cast to one, and keeps it where it cannot grow.

use sqlparser::ast::{CharacterLength, DataType};

use crate::sql::expression::{Expression, Node};
use crate::tables::Kind;

/// Functions whose text is not longer than that of their first argument.
const NO_LONGER: &[&str] = &["lower", "upper", "trim", "ltrim", "rtrim", "reverse", "substr", "substring"];

/// The type of an expression whose values are of this kind.
pub(in crate::sql) fn type_name(expression: &Expression, kind: &Kind) -> String {
    match (kind, &expression.node) {
        (Kind::Varchar, Node::Cast { written: DataType::Char(length) | DataType::Character(length), .. }) => {
            format!("char({})", characters(length).unwrap_or(1))
        }
        (Kind::Varchar, node) => match most(node) {
            Some(most) => format!("varchar({most})"),
            None => kind.to_string(),
        },
        (kind, _) => kind.to_string(),
    }
}

fn characters(length: &Option<CharacterLength>) -> Option<u64> {
    match length {
        Some(CharacterLength::IntegerLength { length, .. }) => Some(*length),
        _ => None,
    }
}

/// The length that a text has at most; `None`: there is no limit.
fn most(node: &Node) -> Option<u64> {
    match node {
        Node::Literal(values) if values.kind == Kind::Varchar => {
            u64::try_from(values.constant_text()?.chars().count()).ok()
        }
        Node::Cast { written: DataType::Varchar(length) | DataType::CharVarying(length), .. } => {
            characters(length)
        }
        Node::Choose { branches, otherwise } => {
            most_of(branches.iter().map(|(_, value)| value).chain(otherwise.as_deref()))
        }
        Node::Coalesce(values) => most_of(values.iter()),
        Node::NullIf { value, .. } | Node::Try { value, .. } => most(&value.node),
        Node::Call { name, arguments } if NO_LONGER.contains(&name.as_str()) => {
            most(&arguments.first()?.node)
        }
        _ => None,
    }
}

/// The greatest length of several texts; NULL has none.
fn most_of<'e>(values: impl Iterator<Item = &'e Expression>) -> Option<u64> {
    let is_null =
        |value: &&Expression| matches!(&value.node, Node::Literal(values) if values.kind == Kind::Unknown);
    let lengths = values.filter(|value| !is_null(value)).map(|value| most(&value.node));
    lengths.collect::<Option<Vec<_>>>()?.into_iter().max()
}
