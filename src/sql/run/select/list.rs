//! The columns of a SELECT list.

use sqlparser::ast::{Expr, OrderByOptions};

use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve::list::called;
use crate::sql::expression::list::{Item, List, Shown, fields_of, named, places};
use crate::sql::expression::rows::SortKey;
use crate::sql::scope::Scope;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Values;

/// The rows of a list.
pub(super) fn rows(scope: &Scope<'_>, list: &List) -> Result<Relation> {
    let mut rows = Relation { height: scope.height(), ..Relation::default() };
    for item in &list.items {
        match item {
            Item::Value { name, value } => {
                let values = scope.value(value)?;
                let data = scope.spread(&values)?;
                rows.push(named(name.as_deref(), rows.fields.len(), values.kind), data);
            }
            Item::Columns(columns) => copied(scope, columns, &mut rows)?,
            Item::Fields(row) => {
                let values = scope.values(row)?;
                let fields = fields_of(&values.kind, row)?;
                for ((name, kind), data) in fields.iter().zip(values.data.struct_()?.fields_as_series()) {
                    rows.push(Field::new(name.clone(), kind.clone()), data);
                }
            }
        }
    }
    copied(scope, &list.hidden, &mut rows)?;
    copied(scope, &places(scope.relation), &mut rows)?;
    Ok(rows)
}

fn copied(scope: &Scope<'_>, columns: &[Shown], rows: &mut Relation) -> Result<()> {
    for Shown { index, field } in columns {
        let column = scope.relation.columns.get(*index);
        rows.push(field.clone(), column.ok_or_else(|| SqlError::new("a column is missing"))?.clone());
    }
    Ok(())
}

/// The values that rows are sorted by. `rows` are those of the list, which the keys find by their numbers.
pub(super) fn sort_values(
    scope: &Scope<'_>,
    keys: &[SortKey],
    rows: &Relation,
) -> Result<Vec<(Values, OrderByOptions)>> {
    if keys.is_empty() {
        return Ok(Vec::new());
    }
    let columns = rows.fields.iter().enumerate().filter(|(_, field)| !is_place(field));
    let columns = columns.map(|(at, field)| Ok((called(field), rows.values(at)?)));
    let mut known = columns.collect::<Result<Vec<(Expr, Values)>>>()?;
    known.extend(scope.known.iter().cloned());
    let over = Scope { known: &known, ..*scope };
    keys.iter().map(|(key, options)| Ok((over.values(key)?, *options))).collect()
}
