//! `transform_values(map, (key, value) -> …)` and its relatives.

use super::body::{Lambda, keep, rows_of};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;
use crate::tables::kind::entry;
use polars::prelude::{IntoSeries, Series, StructChunked};

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
        "transform_keys" => of(&results, &values, &lengths),
        _ => of(&keys, &results, &lengths),
    }
}

fn of(keys: &Values, values: &Values, lengths: &[Option<usize>]) -> Result<Values> {
    let fields: [Series; 2] =
        [keys.data.clone().with_name("key".into()), values.data.clone().with_name("value".into())];
    let data = StructChunked::from_series("".into(), keys.data.len(), fields.iter())?.into_series();
    let data = lists("", &data, &entry(&keys.kind, &values.kind), lengths);
    Ok(Values::new(Kind::Map(Box::new(keys.kind.clone()), Box::new(values.kind.clone())), data))
}
