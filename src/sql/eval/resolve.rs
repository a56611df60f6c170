//! Resolves the names of an expression against the columns of the rows that it is evaluated over.

mod calls;
mod columns;
mod conditions;
pub(in crate::sql) mod join;
pub(in crate::sql) mod list;
mod literals;
mod parts;
pub(in crate::sql) mod rows;
pub(in crate::sql) mod select;

use sqlparser::ast::{
    AccessExpr, BinaryOperator as Op, CaseWhen, CastKind, Expr, Ident, LambdaFunction, Spanned, Subscript,
    TrimWhereField, UnaryOperator,
};

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::{names, walk};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::{cast, clock};
use crate::tables::Kind;
use columns::{date, name};
use conditions::condition;
use literals::literal;
use parts::{all, boxed, equal, unsupported};

/// An expression for the rows of `scope`, or other rows with the same columns. Errors have a position.
pub(in crate::sql) fn expression(scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
    match node(scope, expr) {
        Ok(node) => Ok(Expression { node, span: expr.span(), date: date(scope, expr) }),
        Err(error) => Err(error.at(expr)),
    }
}

/// The values of the rows of `scope`, and of those around them, that a query uses by these names. After grouping, not
/// every column can be used.
pub(in crate::sql) fn outside(scope: &Scope<'_>, names: &[Vec<Ident>]) -> Result<Vec<Expression>> {
    names.iter().map(|parts| scope.resolve(&names::named(parts.clone()))).collect()
}

fn node(scope: &Scope<'_>, expr: &Expr) -> Result<Node> {
    if let Some(index) = scope.known.iter().position(|(known, _)| known == expr) {
        return Ok(Node::Computed { index, fields: Vec::new() });
    }
    let one = |expr: &Expr| boxed(scope, expr);
    Ok(match expr {
        Expr::Identifier(ident) => name(scope, std::slice::from_ref(ident))?,
        Expr::CompoundIdentifier(parts) => name(scope, parts)?,
        Expr::CompoundFieldAccess { root, access_chain } => access(scope, expr, root, access_chain)?,
        Expr::Nested(inner) => node(scope, inner)?,
        Expr::Value(value) => literal(&value.value)?,
        Expr::TypedString(typed) => {
            literals::checked(cast::typed_literal(&typed.data_type, &typed.value.value))?
        }
        Expr::Interval(interval) => literals::checked(clock::interval(interval))?,
        Expr::UnaryOp { op: UnaryOperator::Not, expr } => Node::Not(one(expr)?),
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Node::Negative(one(expr)?),
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => node(scope, expr)?,
        Expr::UnaryOp { op, .. } => return Err(SqlError::new(format!("operator {op} is not supported"))),
        Expr::BinaryOp { left, op, right } => binary(scope, expr, left, op, right)?,
        Expr::Cast { kind, expr, data_type, .. } => Node::Cast {
            value: one(expr)?,
            to: cast::kind_of(data_type)?,
            written: data_type.clone(),
            is_lenient: !matches!(kind, CastKind::Cast | CastKind::DoubleColon),
        },
        Expr::AtTimeZone { timestamp, time_zone } => Node::AtTimeZone(one(timestamp)?, one(time_zone)?),
        Expr::Extract { field, expr, .. } => Node::Extract { unit: field.to_string(), from: one(expr)? },
        Expr::Case { operand, conditions, else_result, .. } => {
            case(scope, operand.as_deref(), conditions, else_result.as_deref())?
        }
        Expr::Function(function) => calls::call(scope, function)?,
        Expr::Lambda(function) => lambda(scope, function)?,
        Expr::Array(array) => Node::Array(all(scope, &array.elem)?),
        Expr::Tuple(elements) => Node::Row(all(scope, elements)?),
        Expr::Position { .. }
        | Expr::Substring { .. }
        | Expr::Trim { .. }
        | Expr::Ceil { .. }
        | Expr::Floor { .. } => spelt_out(scope, expr)?,
        other => condition(scope, other)?,
    })
}

/// A lambda; its parameters are the columns of the rows that its body is evaluated over.
fn lambda(scope: &Scope<'_>, lambda: &LambdaFunction) -> Result<Node> {
    let parameters: Vec<String> =
        names::parameters(&lambda.params).map(|parameter| parameter.name.value.to_lowercase()).collect();
    let fields = parameters.iter().map(|name| Field::new(name.clone(), Kind::Unknown)).collect();
    let rows = Relation { fields, ..Relation::default() };
    let outer = Some((scope, Via::Rows(&[])));
    let within = Scope { relation: &rows, known: &[], ungrouped: None, outer, ..*scope };
    Ok(Node::Lambda { body: boxed(&within, &lambda.body)?, parameters })
}

/// Calls that have a syntax of their own.
fn spelt_out(scope: &Scope<'_>, expr: &Expr) -> Result<Node> {
    let (name, arguments) = match expr {
        Expr::Position { expr, r#in } => ("strpos", vec![r#in, expr]),
        Expr::Substring { expr, substring_from, substring_for, .. } => {
            ("substr", std::iter::once(expr).chain(substring_from).chain(substring_for).collect())
        }
        Expr::Trim { trim_where, trim_what, expr, .. } => {
            let name = match trim_where {
                None | Some(TrimWhereField::Both) => "trim",
                Some(TrimWhereField::Leading) => "ltrim",
                Some(TrimWhereField::Trailing) => "rtrim",
            };
            (name, std::iter::once(expr).chain(trim_what).collect())
        }
        Expr::Ceil { expr, .. } => ("ceil", vec![expr]),
        Expr::Floor { expr, .. } => ("floor", vec![expr]),
        other => return Err(unsupported(other)),
    };
    let arguments = all(scope, arguments.into_iter().map(|argument| &**argument))?;
    Ok(Node::Call { name: name.to_owned(), arguments })
}

fn binary(scope: &Scope<'_>, whole: &Expr, left: &Expr, op: &Op, right: &Expr) -> Result<Node> {
    let one = |expr: &Expr| boxed(scope, expr);
    Ok(match op {
        Op::And | Op::Or => {
            Node::Chain { operator: op.clone(), operands: all(scope, walk::chain(whole, op))? }
        }
        Op::Eq | Op::NotEq | Op::Lt | Op::LtEq | Op::Gt | Op::GtEq => {
            Node::Compare { operator: op.clone(), left: one(left)?, right: one(right)? }
        }
        Op::Plus | Op::Minus | Op::Multiply | Op::Divide | Op::Modulo => {
            Node::Arithmetic { operator: op.clone(), left: one(left)?, right: one(right)? }
        }
        Op::StringConcat => Node::Call { name: "concat".to_owned(), arguments: all(scope, [left, right])? },
        other => {
            return Err(SqlError::new(format!("operator {other} is not supported")).at_span(whole.span()));
        }
    })
}

/// `root[1].field`
fn access(scope: &Scope<'_>, whole: &Expr, root: &Expr, chain: &[AccessExpr]) -> Result<Node> {
    let mut value = expression(scope, root)?;
    for step in chain {
        let node = match step {
            AccessExpr::Subscript(Subscript::Index { index }) => {
                Node::Subscript(Box::new(value), boxed(scope, index)?)
            }
            AccessExpr::Dot(expr) => match names::of_field(step) {
                Some(name) => Node::Field(Box::new(value), name),
                None => return Err(SqlError::new("a field name is needed here").at(expr)),
            },
            AccessExpr::Subscript(Subscript::Slice { .. }) => {
                return Err(SqlError::new("slices are not supported; use slice(array, start, length)"));
            }
        };
        value = Expression { node, span: whole.span(), date: None };
    }
    Ok(value.node)
}

fn case(
    scope: &Scope<'_>,
    operand: Option<&Expr>,
    whens: &[CaseWhen],
    otherwise: Option<&Expr>,
) -> Result<Node> {
    let condition = |when: &CaseWhen| match operand {
        Some(operand) => equal(scope, operand, &when.condition),
        None => expression(scope, &when.condition),
    };
    let branch = |when: &CaseWhen| Ok((condition(when)?, expression(scope, &when.result)?));
    Ok(Node::Choose {
        branches: whens.iter().map(branch).collect::<Result<_>>()?,
        otherwise: otherwise.map(|otherwise| boxed(scope, otherwise)).transpose()?,
    })
}
