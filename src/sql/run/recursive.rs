//! `WITH RECURSIVE`: a common table expression that refers to itself is evaluated until it returns no more
//! rows.

use sqlparser::ast::SetOperator;

use super::sets::combine;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::query::Body;
use crate::sql::memory::Limits;
use crate::sql::scope::Ctes;
use crate::sql::syntax::names;
use crate::sql::types::relation::Relation;

/// Maximum number of steps; Trino stops after ten.
const STEPS_MAX: usize = 1_000;

/// Maximum number of rows.
const ROWS_MAX: usize = 5_000_000;

/// The rows: those of the first part, then repeatedly those that the recursive part returns for the rows of
/// the last step. Columns have the types of the first part.
pub(in crate::sql) fn rows(
    limits: &Limits,
    ctes: &Ctes,
    name: &str,
    columns: &[String],
    run: impl Fn(&Ctes, &Body) -> Result<Relation>,
    (first, next, all): (&Body, &Body, bool),
) -> Result<Relation> {
    let union = |left: &Relation, right: Relation| {
        let rows = combine(limits, left.clone(), right, SetOperator::Union, all)?;
        Ok::<_, SqlError>(rows.renamed(name, columns))
    };
    let mut step = run(ctes, first)?.renamed(name, columns);
    let mut whole = union(&step.slice(0, 0), step.clone())?;
    for _ in 0..STEPS_MAX {
        let more = run(&ctes.with(name.to_owned(), step.clone()), next)?.renamed(name, columns);
        let before = whole.height;
        whole = union(&whole, more.clone())?;
        // Without duplicates, only new rows are used for the next step.
        step = if all { more } else { whole.slice(before, usize::MAX) };
        if step.height == 0 {
            return Ok(whole);
        }
        if whole.height > ROWS_MAX {
            return Err(SqlError::new(format!(
                "WITH RECURSIVE {} makes more than {ROWS_MAX} rows",
                names::written(name)
            )));
        }
    }
    Err(SqlError::new(format!(
        "WITH RECURSIVE {} did not come to an end in {STEPS_MAX} steps",
        names::written(name)
    )))
}
