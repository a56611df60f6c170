//! Calls of functions that look at several rows, with resolved names.

use sqlparser::ast::{Expr, OrderByExpr, OrderByOptions, WindowFrameUnits};
use sqlparser::tokenizer::Span;

use super::Expression;

/// What rows are sorted by.
pub(in crate::sql) type SortKey = (Expression, OrderByOptions);

/// A call of an aggregate.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Aggregate {
    pub name: String,
    /// `count(*)` has none; of `reduce_agg` only the value.
    pub arguments: Vec<Expression>,
    pub is_distinct: bool,
    /// `FILTER (WHERE …)`
    pub filter: Option<Expression>,
    /// The order in which the rows of a group are looked at.
    pub order_by: Vec<SortKey>,
    pub fold: Option<Fold>,
    pub span: Span,
}

/// What `reduce_agg` begins with, and its lambda of a state and a value.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Fold {
    pub start: Expression,
    pub step: Expression,
}

/// PARTITION BY and ORDER BY as they are written: the functions of a SELECT for which these are equal share their
/// sorted rows.
pub(in crate::sql) type Written = (Vec<Expr>, Vec<OrderByExpr>);

/// A call of a window function.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Window {
    pub name: String,
    pub call: WindowCall,
    pub partition_by: Vec<Expression>,
    pub order_by: Vec<SortKey>,
    /// `None` if none is written, or if it does not matter.
    pub frame: Option<Frame>,
    pub written: Written,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum WindowCall {
    Aggregate(Box<Aggregate>),
    /// `row_number`, `lag` …
    Function {
        arguments: Vec<Expression>,
        ignores_nulls: bool,
    },
}

#[derive(Debug, Clone)]
pub(in crate::sql) struct Frame {
    pub units: WindowFrameUnits,
    pub start: FrameBound,
    pub end: FrameBound,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum FrameBound {
    Unbounded,
    Current,
    Before(Expression),
    After(Expression),
}
