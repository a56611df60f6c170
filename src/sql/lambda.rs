//! Functions that take a lambda: `filter(resources, r -> r.type = 'AWS::S3::Bucket')` and its relatives.
//!
//! The body is evaluated once for all elements of all rows: the elements become a relation of their own, and columns of
//! the surrounding query are looked up through the row that each element came from.

use sqlparser::ast::{Expr, LambdaFunction, OneOrManyWithParens};

use super::cast::explode;
use super::error::{Result, SqlError};
use super::eval::{Scope, Via};
use super::relation::{Field, Relation};
use super::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

pub(super) const NAMES: &[&str] = &["filter", "transform", "any_match", "all_match", "none_match"];

pub(super) fn call(scope: &Scope<'_>, name: &str, args: &[&Expr]) -> Result<Values> {
    let [array, lambda] = args else { return Err(SqlError::new(format!("{name} takes an array and a lambda"))) };
    let Expr::Lambda(lambda) = lambda else { return Err(SqlError::new(format!("{name} needs a lambda, such as x -> x > 1")).at(*lambda)) };
    let array = scope.column(array)?;
    let (elements, lengths) = explode(&array)?;
    let results = each(scope, &elements, &lengths, lambda)?;
    match name {
        "transform" => {
            let data = lists("", &results.spread(elements.data.len()), &results.kind, &lengths);
            Ok(Values::new(Kind::array(results.kind), data))
        }
        "filter" => keep(&elements, &lengths, &results),
        _ => matches(name, &lengths, &results),
    }
}

fn parameter(lambda: &LambdaFunction) -> Result<String> {
    match &lambda.params {
        OneOrManyWithParens::One(one) => Ok(one.name.value.to_lowercase()),
        OneOrManyWithParens::Many(many) => match many.as_slice() {
            [one] => Ok(one.name.value.to_lowercase()),
            _ => Err(SqlError::new("the lambda must have one parameter")),
        },
    }
}

/// The lambda's value for every element.
fn each(scope: &Scope<'_>, elements: &Values, lengths: &[Option<usize>], lambda: &LambdaFunction) -> Result<Values> {
    let rows: Vec<Option<u32>> = (0_u32..).zip(lengths).flat_map(|(row, length)| std::iter::repeat_n(Some(row), length.unwrap_or(0))).collect();
    let mut relation = Relation { height: elements.data.len(), ..Relation::default() };
    relation.push(Field::new(parameter(lambda)?, elements.kind.clone()), elements.data.clone());
    let inner = Scope { relation: &relation, known: &[], ungrouped: None, outer: Some((scope, Via::Rows(&rows))), ..*scope };
    inner.eval(&lambda.body)
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
