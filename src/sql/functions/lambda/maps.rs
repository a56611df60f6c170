//! `transform_values(map, (key, value) -> …)` and its relatives.

use super::body::{Lambda, keep, rows_of};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::nested_values::{explode, map_of};
use crate::sql::types::values::Values;
use crate::tables::Kind;

pub(super) fn call(scope: &Scope<'_>, name: &str, map: &Expression, body: &Expression) -> Result<Values> {
    let body = Lambda::of(name, body, 2)?;
    let map = scope.values(map)?;
    let Kind::Map(key_kind, value_kind) = map.kind.clone() else {
        return Err(SqlError::new(format!("a map is needed here, and this is {}", map.kind)));
    };
    let (entries, lengths) = explode(&map)?;
    let fields = entries.data.struct_()?.fields_as_series();
    let [keys, values] = fields.as_slice() else { return Err(SqlError::new("a map is needed here")) };
    let (keys, values) = (Values::new(*key_kind, keys.clone()), Values::new(*value_kind, values.clone()));
    let results = body.over(scope, &rows_of(&lengths), &[&keys, &values])?;
    match name {
        "map_filter" => {
            let kept = keep(&entries, &lengths, &results)?;
            Ok(Values { kind: map.kind, ..kept })
        }
        "transform_keys" => map_of(&results, &values, &lengths),
        _ => map_of(&keys, &results, &lengths),
    }
}
