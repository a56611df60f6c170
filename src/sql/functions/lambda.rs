//! Functions that take a lambda: `filter(resources, r -> r.type = 'AWS::S3::Bucket')` and its relatives.
//!
//! The body is evaluated once for all elements of all rows: the elements become a relation of their own, and
//! columns of the surrounding query are looked up through the row that each element came from.

mod body;
pub(in crate::sql) mod fold;
mod maps;
mod replaced;
mod sorted;

use sqlparser::ast::Expr;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::nested_values::explode;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;
use body::{Lambda, keep, rows_of};

pub(in crate::sql) const NAMES: &[&str] = &[
    "filter",
    "transform",
    "any_match",
    "all_match",
    "none_match",
    "reduce",
    "zip_with",
    "map_zip_with",
    "transform_values",
    "transform_keys",
    "map_filter",
];

pub(in crate::sql) fn call(scope: &Scope<'_>, name: &str, arguments: &[Expression]) -> Result<Values> {
    match (name, arguments) {
        ("reduce", [array, start, step, finish]) => fold::reduce(scope, array, start, step, finish),
        ("array_sort", [array, compare]) => sorted::sort(scope, array, compare),
        ("regexp_replace", [text, pattern, with]) => replaced::replace(scope, text, pattern, with),
        ("zip_with", [first, second, body]) => fold::zip_with(scope, first, second, body),
        ("map_zip_with", [first, second, body]) => maps::zip_with(scope, first, second, body),
        ("transform_values" | "transform_keys" | "map_filter", [map, body]) => {
            maps::call(scope, name, map, body)
        }
        ("filter" | "transform" | "any_match" | "all_match" | "none_match", [array, body]) => {
            over_elements(scope, name, array, body)
        }
        _ => Err(SqlError::new(format!("{name} does not take {} arguments", arguments.len()))),
    }
}

/// Functions that accept a lambda as well as a value.
pub(in crate::sql) fn is_meant(name: &str, args: &[&Expr]) -> bool {
    NAMES.contains(&name)
        || matches!(
            (name, args),
            ("array_sort", [_, Expr::Lambda(_)]) | ("regexp_replace", [_, _, Expr::Lambda(_)])
        )
}

fn over_elements(scope: &Scope<'_>, name: &str, array: &Expression, body: &Expression) -> Result<Values> {
    let body = Lambda::of(name, body, 1)?;
    let array = scope.values(array)?;
    let (elements, lengths) = explode(&array)?;
    let results = body.over(scope, &rows_of(&lengths), &[&elements])?;
    match name {
        "transform" => {
            let data = lists("", &results.spread(elements.data.len()), &results.kind, &lengths);
            Ok(Values::new(Kind::array(results.kind), data))
        }
        "filter" => keep(&elements, &lengths, &results),
        _ => matches(name, &lengths, &results),
    }
}

fn matches(name: &str, lengths: &[Option<usize>], results: &Values) -> Result<Values> {
    let truths = results.truths()?;
    let mut at = 0_usize;
    Values::build(Kind::Boolean, lengths.len(), false, |row| {
        let Some(length) = lengths.get(row).copied().flatten() else { return Ok(None) };
        let cells: Vec<Option<bool>> = (at..at + length).map(|element| truths.get(element)).collect();
        at += length;
        let (any, all) = (cells.contains(&Some(true)), !cells.contains(&Some(false)));
        let unknown = cells.contains(&None);
        Ok(match name {
            "any_match" if any => Some(true),
            "none_match" if any => Some(false),
            "all_match" if !all => Some(false),
            _ if unknown => None,
            "any_match" => Some(false),
            _ => Some(true),
        })
    })
}
