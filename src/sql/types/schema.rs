//! The columns that operators make of the columns of their inputs.

use sqlparser::ast::SetOperator;

use super::compare::common;
use super::relation::Field;
use crate::sql::error::{Result, SqlError};
use crate::tables::Kind;

/// A join: the columns of both sides. Those of USING occur once, before all others.
pub(in crate::sql) fn joined(left: &[Field], right: &[Field], using: &[String]) -> Result<Vec<Field>> {
    let is = |field: &Field, name: &str| field.name.eq_ignore_ascii_case(name);
    let mut fields = Vec::with_capacity(left.len() + right.len());
    for name in using {
        let side = |fields: &'_ [Field]| fields.iter().find(|field| is(field, name)).cloned();
        let (Some(first), Some(second)) = (side(left), side(right)) else {
            return Err(SqlError::new(format!("USING: there is no column {name} on both sides")));
        };
        fields.push(Field { kind: common(&first.kind, &second.kind)?, ..first });
    }
    let rest = left.iter().chain(right).filter(|field| !using.iter().any(|name| is(field, name)));
    fields.extend(rest.cloned());
    Ok(fields)
}

/// UNION, INTERSECT and EXCEPT: the names of the left side, and the common types of both.
pub(in crate::sql) fn combined(operator: SetOperator, left: &[Field], right: &[Field]) -> Result<Vec<Field>> {
    let seen = |fields: &[Field]| fields.iter().filter(|field| !field.hidden).cloned().collect::<Vec<_>>();
    let (left, right) = (seen(left), seen(right));
    if left.len() != right.len() {
        return Err(SqlError::new(format!(
            "{operator}: one side has {} columns and the other {}",
            left.len(),
            right.len()
        )));
    }
    let kind = |at: usize, a: &Field, b: &Field| -> Result<Kind> {
        common(&a.kind, &b.kind).map_err(|_| {
            SqlError::new(format!(
                "{operator}: column {} is {} on one side and {} on the other",
                at + 1,
                a.kind,
                b.kind
            ))
        })
    };
    let both = left.into_iter().zip(right).enumerate();
    both.map(|(at, (a, b))| Ok(Field::new(a.name.clone(), kind(at, &a, &b)?))).collect()
}

/// The column of a query that is used as a value.
pub(in crate::sql) fn only_column(fields: &[Field]) -> Result<&Field> {
    match fields {
        [only] => Ok(only),
        fields => Err(SqlError::new(format!(
            "a subquery used as a value must have one column, not {}",
            fields.len()
        ))),
    }
}

/// The fields of which UNNEST makes columns: those of a row, unless only one name is given for it (`is_whole`).
pub(in crate::sql) fn unnested_fields(element: &Kind, is_whole: bool) -> Option<&[(String, Kind)]> {
    match element {
        Kind::Row(fields) if !is_whole || fields.len() == 1 => Some(fields),
        _ => None,
    }
}

/// The columns that UNNEST makes of elements of this type, before which `at` arrays stand.
pub(in crate::sql) fn unnested(element: &Kind, is_whole: bool, at: usize) -> Vec<Field> {
    match unnested_fields(element, is_whole) {
        Some(fields) => fields.iter().map(|(name, kind)| Field::new(name.clone(), kind.clone())).collect(),
        None => vec![Field::new(format!("_col{at}"), element.clone())],
    }
}

/// The columns of an UNNEST of arrays with these elements.
pub(in crate::sql) fn elements(kinds: &[Kind], is_whole: bool, has_ordinals: bool) -> Vec<Field> {
    let fields = kinds.iter().enumerate().flat_map(|(at, kind)| unnested(kind, is_whole, at));
    fields.chain(has_ordinals.then(|| Field::new("ordinality", Kind::Bigint))).collect()
}

/// Whether each of `arrays` that UNNEST takes has one name, of those that are given for all columns.
pub(in crate::sql) fn are_whole(names: usize, arrays: usize, has_ordinals: bool) -> bool {
    arrays > 0 && names.saturating_sub(usize::from(has_ordinals)) == arrays
}
