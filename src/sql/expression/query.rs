//! Queries with resolved names: the operators that are run, each with what it needs to know of the columns that it
//! takes.

use sqlparser::ast::{Expr, SetOperator};
use sqlparser::tokenizer::Span;

use super::Expression;
use super::join::Conjunct;
use super::list::List;
use super::rows::{Aggregate, SortKey, Window};
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Table;

/// A query.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Query {
    /// The tables that its WITH defines, in order.
    pub commons: Vec<Common>,
    pub body: Body,
    /// ORDER BY, of a query that is no SELECT.
    pub order_by: Vec<SortKey>,
    pub limit: Limit,
}

/// OFFSET and LIMIT; `None` if there is none.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Limit {
    pub offset: Option<Expression>,
    pub count: Option<Expression>,
    /// Whether rows equal to the last one are included (`WITH TIES`).
    pub has_ties: bool,
}

/// A table that WITH defines.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Common {
    /// Unique within the query.
    pub name: String,
    /// The names that are given to its columns.
    pub columns: Vec<String>,
    pub rows: CommonRows,
    pub span: Span,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum CommonRows {
    Query(Box<Query>),
    /// A table that refers to itself: its first rows, and those of each further step.
    Recursive {
        first: Body,
        next: Body,
        /// Whether duplicates are kept.
        all: bool,
    },
}

/// What a query makes its rows of.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Body {
    Select(Box<Select>),
    Query(Box<Query>),
    Values(Vec<Vec<Expression>>),
    /// `all`: duplicates are kept.
    Set {
        operator: SetOperator,
        all: bool,
        left: Box<Body>,
        right: Box<Body>,
    },
}

/// A SELECT, and the ORDER BY of its query.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Select {
    pub from: Tables,
    /// The conditions of WHERE, all of which have to be true.
    pub conditions: Vec<Expression>,
    pub groups: Option<Groups>,
    pub having: Option<Expression>,
    /// The window functions, as they are written and resolved.
    pub windows: Vec<(Expr, Window)>,
    pub list: List,
    pub is_distinct: bool,
    pub order_by: Vec<SortKey>,
}

/// The groups of a SELECT. What is computed for each group has its number in the order of these.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Groups {
    pub keys: Vec<(Expr, Expression)>,
    /// The grouping sets, as indexes of keys; mostly one, with all keys.
    pub sets: Vec<Vec<usize>>,
    pub aggregates: Vec<(Expr, Aggregate)>,
    /// For each call of `grouping(…)`, its value in each set.
    pub groupings: Vec<(Expr, Vec<i64>)>,
}

/// Where the rows of a SELECT come from.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Tables {
    /// One row without columns: there is no FROM.
    Row,
    /// A table that WITH defines.
    Common {
        name: String,
        naming: Naming,
        sample: Option<Sample>,
    },
    /// A declared table.
    Table {
        table: &'static Table,
        /// Whether it is called like an event data store.
        is_store: bool,
        naming: Naming,
        sample: Option<Sample>,
        span: Span,
    },
    /// A subquery.
    Derived {
        query: Box<Query>,
        naming: Naming,
        sample: Option<Sample>,
    },
    /// Tables in parentheses that have a name together.
    Parentheses {
        tables: Box<Tables>,
        naming: Naming,
    },
    Unnest(Box<Unnest>),
    /// A subquery that sees each row of `input`.
    Lateral {
        input: Box<Tables>,
        query: Box<Subquery>,
        /// Whether rows without results stay.
        keeps_rows: bool,
        naming: Naming,
    },
    Join(Box<Join>),
}

/// How the columns of a table are called in expressions.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Naming {
    /// The name of their table; `None`: they keep those of theirs.
    pub table: Option<String>,
    /// Names for the first of them.
    pub columns: Vec<String>,
}

impl Naming {
    /// The rows with these names.
    pub fn named(&self, rows: Relation) -> Relation {
        match &self.table {
            Some(table) => rows.renamed(table, &self.columns),
            None => rows,
        }
    }
}

/// TABLESAMPLE.
#[derive(Debug, Clone, Copy)]
pub(in crate::sql) struct Sample {
    pub percentage: f64,
    pub seed: u64,
}

/// A row for each element of the longest of some arrays.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Unnest {
    pub input: Tables,
    pub arrays: Vec<Expression>,
    /// Whether a row in an array is one column, and not one for each of its fields.
    pub is_whole: bool,
    pub has_ordinals: bool,
    /// Whether rows without elements stay.
    pub keeps_rows: bool,
    /// The columns of `input` that are used behind it; `None`: all.
    pub used: Option<Vec<usize>>,
    pub naming: Naming,
}

#[derive(Debug, Clone)]
pub(in crate::sql) struct Join {
    pub left: Tables,
    pub right: Tables,
    pub kind: JoinKind,
    pub condition: Vec<Conjunct>,
    pub using: Option<Using>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum JoinKind {
    /// Pairs; rows of a side without a match may be kept.
    Pairs { keeps_left: bool, keeps_right: bool },
    /// The rows of the left side that have a match, or none.
    Semi { is_negated: bool },
}

/// The columns of `USING`, which occur once in the result, before all others.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Using {
    /// The indexes of both columns among those of the pairs.
    pub equal: Vec<(usize, usize)>,
    /// All other columns.
    pub others: Vec<usize>,
}

/// A query in an expression, or one that sees the rows to its left.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Subquery {
    /// Its columns.
    pub fields: Vec<Field>,
    /// The values of surrounding queries that it uses.
    pub outside: Vec<Expression>,
    /// `None` while only types are determined.
    pub query: Option<Query>,
    /// How it is run once for all rows around it, if that is possible although it uses their values.
    pub apart: Option<Box<Apart>>,
    pub span: Span,
}

/// A SELECT in an expression whose tables do not depend on the rows around it: its rows are made once, and put together
/// with those around it as in a join.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Apart {
    pub from: Tables,
    /// The conditions that use its rows alone.
    pub conditions: Vec<Expression>,
    pub answer: Answer,
}

/// What is made of a row around such a SELECT, and of the rows of the SELECT. Conditions on both are for the columns of
/// the former, followed by those of the latter.
#[derive(Debug, Clone)]
pub(in crate::sql) enum Answer {
    /// For `EXISTS` and `IN`: the rows that match.
    Matches { condition: Vec<Conjunct>, search: Option<Box<Search>> },
    /// A value that is computed of aggregates of the rows that match.
    Aggregated {
        /// A row matches if its values of these are equal to those of the row around it, which come second.
        equal: Vec<(Expression, Expression)>,
        aggregates: Vec<(Expr, Aggregate)>,
        value: Expression,
    },
}

/// How a value is searched in the only column of such a SELECT.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Search {
    /// A row matches and has the value, which is a column behind those of the rows around the SELECT.
    pub is_equal: Vec<Conjunct>,
    /// A row matches and has NULL.
    pub is_null: Vec<Conjunct>,
}
