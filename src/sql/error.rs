//! What can be wrong with a query, and where in its text.

use std::fmt;

use sqlparser::ast::Spanned;
use sqlparser::tokenizer::{Location, Span};

/// Why a query cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlError {
    pub message: String,
    /// Where in the text; `None` where nothing in it can be pointed at.
    pub place: Option<TextPosition>,
    /// The query is fine, a value is not (a cast that fails, a division by zero). `try(…)` turns these into
    /// NULL.
    pub(super) by_value: bool,
    /// There is no room for what the query needs.
    pub(super) of_memory: bool,
    /// A temporary file cannot be used.
    pub(super) of_disk: bool,
}

/// A place in the query's text, both numbers from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TextPosition {
    pub line: u64,
    pub column: u64,
}

pub(super) type Result<T> = std::result::Result<T, SqlError>;

impl SqlError {
    /// The query asks for something that cannot be done.
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, by_value: false, of_memory: false, of_disk: false }
    }

    /// A value cannot be worked with.
    pub(super) fn value(message: impl Into<String>) -> Self {
        Self { message: message.into(), place: None, by_value: true, of_memory: false, of_disk: false }
    }

    /// Whether the query would do with more memory, or less to do.
    pub fn is_of_memory(&self) -> bool {
        self.of_memory
    }

    /// Whether the query would do with another folder for its temporary files.
    pub fn is_of_disk(&self) -> bool {
        self.of_disk
    }

    /// Whether it is the machine that has no room, and not the query that is at fault.
    pub(super) fn is_of_room(&self) -> bool {
        self.of_memory || self.of_disk
    }

    /// The same error, placed at `node` unless it has a place already.
    pub(super) fn at(mut self, node: &impl Spanned) -> Self {
        self.place = self.place.or_else(|| place_of(node.span()));
        self
    }

    /// The same error, placed at `span` unless it has a place already.
    pub(super) fn at_span(mut self, span: Span) -> Self {
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
