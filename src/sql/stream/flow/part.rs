//! What came of a piece of the events, or why nothing did.

use sqlparser::ast::OrderByOptions;

use crate::lake::LakeError;
use crate::sql::error::SqlError;
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;

/// The result of one or several pieces.
#[derive(Debug, Default)]
pub(in crate::sql) struct Part {
    pub rows: Relation,
    /// The sort keys of the rows, one column for each key.
    pub keys: Vec<(Values, OrderByOptions)>,
}

/// Why a piece could not be evaluated.
pub(in crate::sql) enum Stop {
    Damaged(LakeError),
    /// There is not enough memory, or the query was cancelled.
    Refused(SqlError),
    /// The query cannot be evaluated in this way. Evaluating it over rows works, or gives the proper error.
    GivenUp,
}

impl From<LakeError> for Stop {
    fn from(error: LakeError) -> Self {
        Self::Damaged(error)
    }
}

impl From<SqlError> for Stop {
    fn from(error: SqlError) -> Self {
        if error.is_of_room() { Self::Refused(error) } else { Self::GivenUp }
    }
}
