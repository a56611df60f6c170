//! Columns that are not used after an UNNEST: an array that has been unnested is mostly not used again, and
//! must not be copied to every resulting row.

use std::collections::BTreeSet;

use sqlparser::ast::{JoinConstraint, JoinOperator, OrderBy, OrderByKind, Select, SelectItem, TableFactor};

use crate::sql::syntax::names;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Field, PLACE, Relation};

/// All parts of all names that a SELECT uses outside of its only UNNEST, which is the last table of FROM;
/// `None` if it has another form, or may use any column.
pub(super) fn names(select: &Select, by: Option<&OrderBy>) -> Option<BTreeSet<String>> {
    let joins = || select.from.iter().flat_map(|table| &table.joins);
    let is_unnest = |factor: &TableFactor| matches!(factor, TableFactor::UNNEST { .. });
    let tables = select.from.iter().flat_map(|table| {
        std::iter::once(&table.relation).chain(table.joins.iter().map(|join| &join.relation))
    });
    let tables: Vec<&TableFactor> = tables.collect();
    let is_last = tables.last().is_some_and(|last| is_unnest(last))
        && tables.iter().filter(|table| is_unnest(table)).count() == 1;
    let is_starred = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    let is_by_name = joins().any(|join| is_by_name(&join.join_operator));
    let is_by_all = by.is_some_and(|by| !matches!(by.kind, OrderByKind::Expressions(_)));
    if !is_last || is_starred || is_by_name || is_by_all {
        return None;
    }
    let mut alone = select.clone();
    for table in &mut alone.from {
        for factor in
            std::iter::once(&mut table.relation).chain(table.joins.iter_mut().map(|join| &mut join.relation))
        {
            if let TableFactor::UNNEST { array_exprs, .. } = factor {
                array_exprs.clear();
            }
        }
    }
    let mut parts = names::parts_in(&alone);
    parts.extend(by.into_iter().flat_map(names::parts_in));
    Some(parts)
}

/// Whether a join condition names columns of both sides at once; assumed for joins of other kinds.
fn is_by_name(operator: &JoinOperator) -> bool {
    use JoinOperator as Op;
    match operator {
        Op::Join(constraint)
        | Op::Inner(constraint)
        | Op::Left(constraint)
        | Op::LeftOuter(constraint)
        | Op::CrossJoin(constraint) => {
            matches!(constraint, JoinConstraint::Using(_) | JoinConstraint::Natural)
        }
        _ => true,
    }
}

/// The columns with one of these names (`None`: all), and those with positions and dates of partitions.
pub(super) fn used(rows: &Relation, names: Option<&BTreeSet<String>>) -> Option<Vec<usize>> {
    let names = names?;
    let is_used = |field: &Field| {
        field.is_date || is_place(field) || field.name == PLACE || names.contains(&field.name.to_lowercase())
    };
    let fields = rows.fields.iter().enumerate();
    Some(fields.filter(|(_, field)| is_used(field)).map(|(index, _)| index).collect())
}
