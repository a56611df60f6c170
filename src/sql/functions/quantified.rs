//! `x > ANY (SELECT …)`, `x = ALL (SELECT …)`: decided by the smallest and greatest value of the subquery,
//! and whether it has a NULL.

use sqlparser::ast::BinaryOperator as Op;

use super::other_types::{self, Side};
use super::predicate;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::types::cast;
use crate::sql::types::compare::{Ordered, comparable, compare};
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;

/// What each row is compared with.
struct Extremes {
    least: Values,
    greatest: Values,
    has_null: Vec<bool>,
    is_empty: Vec<bool>,
}

/// `left op ANY (query)`, or ALL, given the rows of the query for each group of rows.
pub(in crate::sql) fn compared(
    scope: &Scope<'_>,
    left: &Expression,
    (op, any): (&Op, bool),
    groups: &Groups,
    results: &[Relation],
) -> Result<Values> {
    let (value, height) = (scope.values(left)?, scope.height());
    for rows in results.iter().filter(|rows| rows.fields.len() == 1) {
        other_types::check_rows(&op.to_string(), Side::of(scope, left, &value.kind), &rows.fields)?;
    }
    let with = Extremes::of(&value, groups, results)?;
    let test = |op: &Op, with: &Values| -> Result<Vec<Option<bool>>> {
        let compared = compare(op, &value, with, height, scope.lenient)?;
        let truths = compared.truths()?;
        Ok((0..height).map(|row| truths.get(row)).collect())
    };
    let and = |a: Vec<Option<bool>>, b: Vec<Option<bool>>| {
        a.into_iter().zip(b).map(|(a, b)| Some(a? && b?)).collect::<Vec<_>>()
    };
    let or = |a: Vec<Option<bool>>, b: Vec<Option<bool>>| {
        a.into_iter().zip(b).map(|(a, b)| Some(a? || b?)).collect::<Vec<_>>()
    };
    // The value for which the comparison holds if it holds for any (or for all) of them.
    let holds = match (op, any) {
        (Op::Lt | Op::LtEq, true) | (Op::Gt | Op::GtEq, false) => test(op, &with.greatest)?,
        (Op::Gt | Op::GtEq, true) | (Op::Lt | Op::LtEq, false) => test(op, &with.least)?,
        (Op::NotEq, true) => or(test(op, &with.least)?, test(op, &with.greatest)?),
        (Op::Eq, false) => and(test(op, &with.least)?, test(op, &with.greatest)?),
        _ => return Err(SqlError::new(format!("{op} with ANY or ALL is not supported"))),
    };
    Values::build(crate::tables::Kind::Boolean, height, false, |row| {
        let flag = |flags: &[bool]| flags.get(row) == Some(&true);
        Ok(match holds.get(row).copied().flatten() {
            _ if flag(&with.is_empty) => Some(!any),
            Some(holds) if holds == any => Some(any),
            Some(_) if !flag(&with.has_null) => Some(!any),
            _ => None,
        })
    })
}

impl Extremes {
    fn of(value: &Values, groups: &Groups, results: &[Relation]) -> Result<Self> {
        let (mut least, mut greatest): (Option<Values>, Option<Values>) = (None, None);
        let (mut nulls, mut empties) = (Vec::new(), Vec::new());
        for rows in results {
            if rows.fields.len() != 1 {
                return Err(SqlError::new(format!(
                    "a subquery with ANY or ALL must have one column, not {}",
                    rows.fields.len()
                )));
            }
            let column = rows.values(0)?;
            let kind = comparable(&value.kind, &column.kind).map_err(|_| {
                SqlError::new(format!("{} and {} cannot be compared", value.kind, column.kind))
            })?;
            let column = cast::cast(&column, &kind, rows.height, true)?;
            let (order, is_null) = (Ordered::of(&column)?, predicate::nulls(&column)?);
            let there = || (0..rows.height).filter(|row| is_null.get(*row) == Some(&false));
            let place = |row: Option<usize>| [row.and_then(|row| u32::try_from(row).ok())];
            add(&mut least, column.take(&place(there().min_by(|a, b| order.compare(*a, *b))))?)?;
            add(&mut greatest, column.take(&place(there().max_by(|a, b| order.compare(*a, *b))))?)?;
            nulls.push(is_null.contains(&true));
            empties.push(rows.height == 0);
        }
        let of_row: Vec<Option<u32>> = groups.of_row.iter().copied().map(Some).collect();
        let spread = |values: Option<Values>| {
            values.unwrap_or_else(|| Values::new(value.kind.clone(), value.data.slice(0, 0))).take(&of_row)
        };
        let flags = |flags: &[bool]| {
            groups.of_row.iter().map(|group| flags.get(*group as usize) == Some(&true)).collect()
        };
        Ok(Self {
            least: spread(least)?,
            greatest: spread(greatest)?,
            has_null: flags(&nulls),
            is_empty: flags(&empties),
        })
    }
}

fn add(all: &mut Option<Values>, one: Values) -> Result<()> {
    match all {
        Some(all) => {
            all.data.append_owned(one.data)?;
            all.data = all.data.rechunk();
        }
        None => *all = Some(one),
    }
    Ok(())
}
