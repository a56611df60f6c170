//! Functions that take a lambda: `filter(resources, r -> r.type = 'AWS::S3::Bucket')` and its relatives.
//!
//! The body is evaluated once for all elements of all rows: the elements become a relation of their own, and
//! columns of the surrounding query are looked up through the row that each element came from.

pub(super) mod fold;
mod maps;
mod replaced;
mod sorted;

use sqlparser::ast::{Expr, LambdaFunction};

use super::cast::explode;
use super::error::{Result, SqlError};
use super::eval::{Scope, Via};
use super::names;
use super::relation::{Field, Relation};
use super::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

pub(super) const NAMES: &[&str] = &[
    "filter",
    "transform",
    "any_match",
    "all_match",
    "none_match",
    "reduce",
    "zip_with",
    "transform_values",
    "transform_keys",
    "map_filter",
];

pub(super) fn call(scope: &Scope<'_>, name: &str, args: &[&Expr]) -> Result<Values> {
    match (name, args) {
        ("reduce", [array, start, step, finish]) => fold::reduce(scope, array, start, step, finish),
        ("array_sort", [array, compare]) => sorted::sort(scope, array, compare),
        ("regexp_replace", [text, pattern, with]) => replaced::replace(scope, text, pattern, with),
        ("zip_with", [first, second, body]) => fold::zip_with(scope, first, second, body),
        ("transform_values" | "transform_keys" | "map_filter", [map, body]) => {
            maps::call(scope, name, map, body)
        }
        ("filter" | "transform" | "any_match" | "all_match" | "none_match", [array, body]) => {
            over_elements(scope, name, array, body)
        }
        _ => Err(SqlError::new(format!("{name} does not take {} arguments", args.len()))),
    }
}

/// Functions that accept a lambda as well as a value.
pub(super) fn is_meant(name: &str, args: &[&Expr]) -> bool {
    NAMES.contains(&name)
        || matches!(
            (name, args),
            ("array_sort", [_, Expr::Lambda(_)]) | ("regexp_replace", [_, _, Expr::Lambda(_)])
        )
}

fn over_elements(scope: &Scope<'_>, name: &str, array: &Expr, body: &Expr) -> Result<Values> {
    let body = Lambda::of(name, body, 1)?;
    let array = scope.column(array)?;
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

/// A lambda, and the names of its parameters.
struct Lambda<'e> {
    parameters: Vec<String>,
    body: &'e Expr,
}

impl<'e> Lambda<'e> {
    /// The argument of `function` that must be a lambda with `count` parameters.
    fn of(function: &str, expr: &'e Expr, count: usize) -> Result<Self> {
        let Expr::Lambda(LambdaFunction { params, body, .. }) = expr else {
            return Err(SqlError::new(format!("{function} needs a lambda, such as x -> x > 1")).at(expr));
        };
        let parameters: Vec<String> =
            names::parameters(params).map(|one| one.name.value.to_lowercase()).collect();
        if parameters.len() != count {
            let needed = if count == 1 { "one parameter".to_owned() } else { format!("{count} parameters") };
            return Err(SqlError::new(format!("the lambda of {function} must have {needed}")).at(expr));
        }
        Ok(Self { parameters, body })
    }

    /// Its value for each entry of `arguments`; `rows` says which row of `scope` each entry belongs to.
    fn over(&self, scope: &Scope<'_>, rows: &[Option<u32>], arguments: &[&Values]) -> Result<Values> {
        let mut relation = Relation { height: rows.len(), ..Relation::default() };
        for (name, values) in self.parameters.iter().zip(arguments) {
            relation.push(Field::new(name.clone(), values.kind.clone()), values.spread(rows.len()));
        }
        let inner = Scope {
            relation: &relation,
            known: &[],
            ungrouped: None,
            outer: Some((scope, Via::Rows(rows))),
            ..*scope
        };
        inner.column(self.body)
    }
}

/// For the concatenated elements of all rows, the row of each.
fn rows_of(lengths: &[Option<usize>]) -> Vec<Option<u32>> {
    (0_u32..)
        .zip(lengths)
        .flat_map(|(row, length)| std::iter::repeat_n(Some(row), length.unwrap_or(0)))
        .collect()
}

fn keep(elements: &Values, lengths: &[Option<usize>], results: &Values) -> Result<Values> {
    let truths = results.truths()?;
    let (mut places, mut kept, mut at) = (Vec::new(), Vec::with_capacity(lengths.len()), 0_usize);
    for length in lengths {
        let before = places.len();
        for element in at..at + length.unwrap_or(0) {
            if truths.get(element) == Some(true) {
                places.push(u32::try_from(element).ok());
            }
        }
        at += length.unwrap_or(0);
        kept.push(length.map(|_| places.len() - before));
    }
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &kept);
    Ok(Values::new(Kind::array(elements.kind.clone()), data))
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
