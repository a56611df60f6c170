//! The logical plan of a bound query: the operators that make its rows, and the tables that they read.
//!
//! It is built of the bound syntax tree ([`build`]), and everything else is concluded from it: which events are read
//! ([`table_scans`](super::table_scans)) and which of their columns ([`needed`](super::needed)), whether the order of
//! events matters, whether rows can be made piece by piece, `--explain` ([`show`]); and the operators that are run
//! ([`lower`](super::lower)). Every operator has the operators that it takes its rows from as inputs, and the plans of
//! the subqueries in its expressions.
//!
//! - this file: the operators; `build`: how they are made; `within`: what can be asked of a plan as a whole;
//! - `show`: a plan as text.

mod build;
mod show;
mod within;

use std::sync::Arc;

use sqlparser::ast::{Expr, Ident, OrderByOptions, Query, SelectItem, SetOperator, TableSample};
use sqlparser::tokenizer::Span;

use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::limits::Limits;
use crate::sql::syntax::names::is_events;
use crate::sql::types::relation::Field;
use crate::tables::Table;

/// A query.
#[derive(Debug)]
pub(in crate::sql) struct Plan {
    /// The tables that its WITH defines, in order.
    pub commons: Vec<Arc<Common>>,
    /// Whether that is WITH RECURSIVE.
    pub is_recursive: bool,
    pub top: Node,
}

/// A table that WITH defines.
#[derive(Debug)]
pub(in crate::sql) struct Common {
    /// Unique within the query.
    pub name: String,
    /// The names that are given to its columns.
    pub columns: Vec<String>,
    /// For a table that refers to itself, whether duplicates are kept. Its plan is a UNION of its first rows and those
    /// of each further step.
    pub repeats: Option<bool>,
    pub plan: Plan,
    pub span: Span,
}

impl Common {
    /// Whether its columns have names other than those of its query.
    pub fn is_renamed(&self) -> bool {
        !self.columns.is_empty()
    }
}

/// A query in an expression.
#[derive(Debug)]
pub(in crate::sql) struct Subquery {
    /// By which it is found in the expression.
    pub tree: Query,
    /// The names of surrounding queries that it uses.
    pub outside: Vec<Vec<Ident>>,
    /// Whether its FROM uses none of them.
    pub is_from_alone: bool,
    pub plan: Plan,
}

/// An operator, and what it takes rows from.
#[derive(Debug)]
pub(in crate::sql) struct Node {
    pub operator: Operator,
    /// The columns of its rows with their types. Groups and window functions have expressions as names; a list
    /// of a SELECT that was made after names were bound has none.
    pub fields: Vec<Field>,
    /// No input for a table, two for a join or a set operation, else one.
    pub inputs: Vec<Node>,
    /// The subqueries in its expressions.
    pub subqueries: Vec<Subquery>,
}

#[derive(Debug)]
pub(in crate::sql) enum Operator {
    /// One row without columns: a SELECT without FROM.
    Row,
    /// The rows of VALUES.
    Values(Vec<Vec<Expr>>),
    /// A declared table. `is_store`: it is called like an event data store.
    Scan {
        table: &'static Table,
        is_store: bool,
        leaf: Leaf,
    },
    /// A table that WITH defines.
    Common {
        common: Arc<Common>,
        leaf: Leaf,
    },
    /// Rows that are there before the query is run: those of the last step, in a recursive table; those of a query
    /// that this one has been taken out of, or that has been taken out of this one.
    Given {
        name: String,
        leaf: Leaf,
    },
    /// A subquery in FROM. `lateral`: the names of the tables to its left, and of surrounding queries, that it uses.
    Derived {
        plan: Box<Plan>,
        lateral: Option<Vec<Vec<Ident>>>,
        leaf: Leaf,
    },
    /// A query in parentheses, as a side of a set operation.
    Query(Box<Plan>),
    /// Tables in parentheses, with or without a name of their own.
    Parentheses(Option<Leaf>),
    /// A row for each element; `keeps_rows`: rows without elements stay.
    Unnest {
        arrays: Vec<Expr>,
        has_ordinals: bool,
        keeps_rows: bool,
        leaf: Leaf,
    },
    /// All of `on` hold for a pair of rows, and the columns of `using` are equal.
    Join {
        kind: JoinKind,
        on: Vec<Expr>,
        using: Vec<String>,
    },
    /// The rows for which all conditions are true: WHERE, and over an aggregation HAVING.
    Filter(Vec<Expr>),
    /// `calls` are the aggregates, `groupings` the calls of `grouping(…)`.
    Aggregate {
        grouping: Grouping,
        calls: Vec<Expr>,
        groupings: Vec<Expr>,
    },
    /// Window functions: columns added to each row.
    Window(Vec<Expr>),
    /// The list of a SELECT.
    Project(Vec<SelectItem>),
    Distinct,
    /// `first`: only so many rows are needed.
    Sort {
        keys: Vec<(Expr, OrderByOptions)>,
        first: Option<u64>,
    },
    /// OFFSET and LIMIT.
    Limit(Limits),
    SetOperation {
        operator: SetOperator,
        all: bool,
    },
}

/// A table in FROM.
#[derive(Debug)]
pub(in crate::sql) struct Leaf {
    /// Its name in expressions, which is unique within the query.
    pub alias: String,
    /// The names that its columns have got, too.
    pub columns: Vec<String>,
    /// Which of its rows are taken, by TABLESAMPLE.
    pub sample: Option<TableSample>,
    /// Line and column of its name in the text.
    pub place: (u64, u64),
    pub span: Span,
}

impl Leaf {
    /// Whether its columns have got other names.
    pub fn is_renamed(&self) -> bool {
        !self.columns.is_empty()
    }

    /// Whether only some of its rows are taken.
    pub fn is_sampled(&self) -> bool {
        self.sample.is_some()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum JoinKind {
    Cross,
    Inner,
    Left,
    Right,
    Full,
    Semi,
    Anti,
}

impl JoinKind {
    /// Whether rows of the left side without a match are kept.
    pub fn keeps_left(self) -> bool {
        matches!(self, Self::Left | Self::Full)
    }

    /// The same of the right side.
    pub fn keeps_right(self) -> bool {
        matches!(self, Self::Right | Self::Full)
    }
}

impl Node {
    /// The first input: the only one, or the left one.
    pub fn input(&self) -> Option<&Node> {
        self.inputs.first()
    }

    /// The occurrence of `cloudtrail_logs` that it is.
    pub fn events(&self) -> Option<&Leaf> {
        match &self.operator {
            Operator::Scan { table, leaf, .. } if is_events(table.name) => Some(leaf),
            _ => None,
        }
    }

    /// Whether it is a table in FROM, or a join of tables.
    pub fn is_from(&self) -> bool {
        matches!(
            self.operator,
            Operator::Row
                | Operator::Scan { .. }
                | Operator::Common { .. }
                | Operator::Given { .. }
                | Operator::Derived { .. }
                | Operator::Parentheses(_)
                | Operator::Unnest { .. }
                | Operator::Join { .. }
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;
    use crate::sql::query::Query;

    /// The columns that an operator makes, from the top down, where they differ from those of its input.
    fn made(sql: &str) -> Vec<String> {
        fn walk(node: &Node, made: &mut Vec<String>) {
            let is_same = |input: &Node| input.fields == node.fields;
            if !node.input().is_some_and(is_same) && !matches!(node.operator, Operator::Scan { .. }) {
                let shown = |field: &Field| format!("{} {}", field.name, field.kind);
                made.push(node.fields.iter().map(shown).collect::<Vec<_>>().join(", "));
            }
            node.inputs.iter().for_each(|input| walk(input, made));
        }
        let query = Query::parse(sql, &[], Timestamp::from_millis(0)).unwrap();
        let mut found = Vec::new();
        walk(&query.logical().top, &mut found);
        found
    }

    #[test]
    fn every_operator_has_its_columns_with_their_types() {
        assert_eq!(
            made(
                "SELECT a, sum(b) OVER () AS s, n FROM (SELECT 1 AS a, 2.5 AS b) t JOIN (VALUES (1, 'x')) u (a, c) USING (a)
                 CROSS JOIN UNNEST(ARRAY[DATE '2026-01-01']) WITH ORDINALITY AS v (d, n) WHERE c = 'x' ORDER BY a LIMIT 1"
            ),
            [
                "a bigint, s decimal(38,1), n bigint",
                "a bigint, b decimal(2,1), c varchar, d date, n bigint, sum(b) OVER () decimal(38,1)",
                "a bigint, b decimal(2,1), c varchar, d date, n bigint",
                "a bigint, b decimal(2,1), c varchar",
                "a bigint, b decimal(2,1)",
                "a bigint, c varchar",
            ]
        );
        assert_eq!(
            made(
                "SELECT upper(k), max(v) + 1 FROM (VALUES ('a', 1)) t (k, v) GROUP BY ROLLUP (k) HAVING count(*) > 0"
            ),
            [
                "_col0 varchar, _col1 bigint",
                "k varchar, max(v) bigint, count(*) bigint",
                "k varchar, v bigint",
            ]
        );
        assert_eq!(
            made("SELECT 1 AS n UNION ALL (VALUES 2.5) ORDER BY n"),
            ["n decimal(20,1)", "n bigint", "", "_col0 decimal(2,1)"]
        );
    }
}
