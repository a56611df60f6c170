//! Rows with the types that they have in an event data store (see [`data_store`](crate::sql::syntax::data_store)).

use super::relation::Relation;
use super::values::Values;
use super::{cast, clock};
use crate::sql::error::Result;

/// The rows of `cloudtrail_logs` with the types of an event data store.
pub(in crate::sql) fn typed(mut rows: Relation) -> Result<Relation> {
    let Some(at) = rows.fields.iter().position(|field| field.name == "eventtime") else { return Ok(rows) };
    let times = cast::cast(&rows.values(at)?, &clock::UNZONED, rows.height, true)?;
    if let (Some(field), Some(column)) = (rows.fields.get_mut(at), rows.columns.get_mut(at)) {
        field.kind = times.kind.clone();
        *column = Values::spread(&times, rows.height);
    }
    Ok(rows)
}
