//! Expressions whose names have been resolved: columns are found by their indexes.
//!
//! An operator resolves its expressions against the columns of the rows that it takes (`eval::resolve`), once for
//! all of these: pairs of a join in blocks, halves of the rows for `try`. Evaluation sees no names of columns and
//! tables, and every function, operator and condition of SQL in one form only: `trim(LEADING 'x' FROM y)` is a
//! call of `ltrim`, `CASE` and `if` are the same choice.

pub(in crate::sql) mod join;
pub(in crate::sql) mod list;
pub(in crate::sql) mod query;
pub(in crate::sql) mod rows;

use std::sync::Arc;

use sqlparser::ast::{BinaryOperator, DataType, Ident};
use sqlparser::tokenizer::Span;

use super::error::SqlError;
use super::types::values::Values;
use crate::tables::Kind;
use query::Subquery;

/// An expression and its position in the text.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Expression {
    pub node: Node,
    pub span: Span,
    /// The date of a partition, if it is nothing but that column.
    pub date: Option<PartitionDate>,
}

/// A column with the date of a partition, or a part of it, which is spelt as the query spells it.
#[derive(Debug, Clone, Copy)]
pub(in crate::sql) struct PartitionDate {
    /// The index of the column with the whole date in the same table.
    pub whole: Option<usize>,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum Node {
    /// A column of the rows, or a field in it. `is_json`: it contains JSON texts, whose members are used like
    /// fields.
    Column {
        index: usize,
        fields: Vec<Ident>,
        is_json: bool,
    },
    /// An expression that has been computed for the rows, or a field in it: a key of GROUP BY, an aggregate, a
    /// window function, a column of the SELECT list.
    Computed {
        index: usize,
        fields: Vec<Ident>,
    },
    /// A column of the surrounding query; for a lambda, of the rows that the elements come from.
    Outer(Box<Node>),
    Literal(Values),
    /// A literal with an invalid value. It is an error only where it is evaluated.
    Invalid(SqlError),
    Field(Box<Expression>, Ident),
    Subscript(Box<Expression>, Box<Expression>),
    Not(Box<Expression>),
    Negative(Box<Expression>),
    /// A chain of AND, or of OR.
    Chain {
        operator: BinaryOperator,
        operands: Vec<Expression>,
    },
    /// `=`, `<` …
    Compare {
        operator: BinaryOperator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    /// `+`, `*` …
    Arithmetic {
        operator: BinaryOperator,
        left: Box<Expression>,
        right: Box<Expression>,
    },
    Cast {
        value: Box<Expression>,
        to: Kind,
        /// The type as it is written; it may have a length.
        written: DataType,
        /// Whether an invalid value becomes NULL (`try_cast`).
        is_lenient: bool,
    },
    AtTimeZone(Box<Expression>, Box<Expression>),
    Extract {
        unit: String,
        from: Box<Expression>,
    },
    /// The value of the first branch whose condition is true: `CASE`, `if`.
    Choose {
        branches: Vec<(Expression, Expression)>,
        otherwise: Option<Box<Expression>>,
    },
    Like {
        value: Box<Expression>,
        pattern: Box<Expression>,
        escape: Option<char>,
        is_negated: bool,
        /// Whether case is ignored.
        any_case: bool,
    },
    RLike {
        value: Box<Expression>,
        pattern: Box<Expression>,
        is_negated: bool,
    },
    /// A scalar function that evaluates all its arguments.
    Call {
        name: String,
        arguments: Vec<Expression>,
    },
    /// A scalar function of which one argument is a lambda.
    CallWithLambda {
        name: String,
        arguments: Vec<Expression>,
    },
    /// An argument of such a function.
    Lambda {
        parameters: Vec<String>,
        body: Box<Expression>,
    },
    Coalesce(Vec<Expression>),
    NullIf {
        value: Box<Expression>,
        is_equal: Box<Expression>,
    },
    Try {
        value: Box<Expression>,
        /// Whether it can have a value although a part of it is NULL.
        may_hide_null: bool,
    },
    TypeOf(Box<Expression>),
    Array(Vec<Expression>),
    Row(Vec<Expression>),
    /// `IS NULL`, or `IS NOT NULL`.
    IsNull {
        value: Box<Expression>,
        is_negated: bool,
    },
    /// `IS TRUE`, `IS NOT FALSE`, `IS UNKNOWN` …
    IsTruth {
        value: Box<Expression>,
        truth: Option<bool>,
        is_negated: bool,
    },
    /// `IS DISTINCT FROM`
    IsDistinct {
        left: Box<Expression>,
        right: Box<Expression>,
        is_negated: bool,
    },
    Between {
        value: Box<Expression>,
        low: Box<Expression>,
        high: Box<Expression>,
        is_negated: bool,
    },
    InList {
        value: Box<Expression>,
        list: Vec<Expression>,
        is_negated: bool,
    },
    Exists {
        query: Arc<Subquery>,
        is_negated: bool,
    },
    /// A subquery used as a value.
    Scalar(Arc<Subquery>),
    InQuery {
        value: Box<Expression>,
        query: Arc<Subquery>,
        is_negated: bool,
    },
    /// `x > ANY (SELECT …)`, `x <= ALL (SELECT …)`
    Quantified {
        value: Box<Expression>,
        operator: BinaryOperator,
        query: Arc<Subquery>,
        is_any: bool,
    },
}
