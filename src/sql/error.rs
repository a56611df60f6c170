//! What is wrong with a query, and the position in its text.

use std::fmt;

use sqlparser::ast::Spanned;
use sqlparser::tokenizer::{Location, Span};

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    pub message: String,
    /// The position in the text, if there is one.
    pub place: Option<TextPosition>,
    /// Whether a value is invalid, and not the query (a cast that fails, a division by zero). `try(…)` turns
    /// such errors into NULL.
    pub(in crate::sql) by_value: bool,
    /// Whether there is not enough memory.
    pub(in crate::sql) of_memory: bool,
    /// Whether a temporary file could not be used.
    pub(in crate::sql) of_disk: bool,
}

/// A position in the text of a query: line and column, from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    pub line: u64,
    pub column: u64,
}

pub(in crate::sql) type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// An error of the query itself.
    pub(in crate::sql) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, by_value: false, of_memory: false, of_disk: false }
    }

    /// An error caused by an invalid value.
    pub(in crate::sql) fn value(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, by_value: true, of_memory: false, of_disk: false }
    }

    /// Whether more memory, or a query that needs less, would help.
    pub fn is_of_memory(&self) -> bool {
        self.of_memory
    }

    /// Whether another folder for temporary files would help.
    pub fn is_of_disk(&self) -> bool {
        self.of_disk
    }

    /// Whether the error is caused by missing memory or disk space, and not by the query.
    pub(in crate::sql) fn is_of_room(&self) -> bool {
        self.of_memory || self.of_disk
    }

    /// The same error with the position of `node`, unless it already has one.
    pub(in crate::sql) fn at(mut self, node: &impl Spanned) -> Self {
        self.place = self.place.or_else(|| place_of(node.span()));
        self
    }

    /// The same error with the position of `span`, unless it already has one.
    pub(in crate::sql) fn at_span(mut self, span: Span) -> Self {
        self.place = self.place.or_else(|| place_of(span));
        self
    }
}

fn place_of(span: Span) -> Option<TextPosition> {
    let Location { line, column } = span.start;
    (line > 0).then_some(TextPosition { line, column })
}

impl fmt::Display for SqlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place {
            Some(TextPosition { line, column }) => {
                write!(f, "line {line}, column {column}: {}", self.message)
            }
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for SqlError {}

impl From<polars::error::PolarsError> for SqlError {
    fn from(error: polars::error::PolarsError) -> Self {
        Self::new(error.to_string())
    }
}
