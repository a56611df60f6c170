//! Determines from its text what a query needs of `cloudtrail_logs`, before anything is read.
//!
//! Each occurrence of the table is limited by its own WHERE, and by those of surrounding queries
//! ([`table_scans`]); the scan is the union of all occurrences. It may include too much, but never too
//! little: times are rounded outwards to whole days, and conditions that are not understood do not limit
//! anything.

use sqlparser::ast::{Expr, LimitClause, Query, SetExpr, TableFactor, Value};

use super::bounds::Bounds;
use super::mention::{Filters, is_early};
use super::needed::needed;
use super::scan::Scan;
use super::table_scans::{self, TableScan};
use crate::sql::bind::Bound;
use crate::sql::functions::partition;
use crate::sql::syntax::names::is_events;
use crate::sql::syntax::{grouping, names, walk};
use crate::tables::cloudtrail;

/// The scan of a query, and its conditions on single records.
pub(in crate::sql) fn scan(bound: &Bound) -> (Scan, Filters) {
    let (query, now) = (bound.tree(), bound.now());
    let Some(table_scans) = table_scans::of(bound) else { return (Scan::default(), None) };
    let mut scan = Scan { limit: limit(query, &table_scans), ..Scan::default() };
    if let Some(mut needed) = needed(query) {
        needed.extend(partition::also_needed(query).map(|column| (column, None)));
        let columns =
            cloudtrail::ORIGINS.iter().map(|(name, _)| *name).filter(|name| needed.contains_key(name));
        scan.columns = Some(columns.map(str::to_owned).collect());
        scan.fields = needed.into_iter().filter_map(|(column, paths)| Some((column, paths?))).collect();
    }
    let bounds = table_scans.iter().map(|table_scan| {
        let each =
            table_scan.conditions.iter().map(|condition| Bounds::of(condition, &table_scan.alias, now));
        each.fold(Bounds::default(), Bounds::and)
    });
    if let Some(bounds) = bounds.reduce(Bounds::or) {
        bounds.write(&mut scan);
    }
    (scan, filters(table_scans))
}

/// LIMIT (and OFFSET) of a query that accepts any rows, because nothing sorts, groups, joins or counts them.
pub(super) fn limit(query: &Query, table_scans: &[TableScan]) -> Option<u64> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [table_scan] = table_scans else { return None };
    let [table] = select.from.as_slice() else { return None };
    // The table must occur only here, and not in a subquery of an expression.
    let events = matches!(&table.relation, TableFactor::Table { name, sample: None, .. } if is_events(&names::last(name)));
    let plain = table.joins.is_empty() && events && query.with.is_none() && query.order_by.is_none();
    let counted = grouping::is_grouped(select, None)
        || !walk::Calls::of(walk::list_exprs(select)).windows.is_empty()
        || select.distinct.is_some();
    let all_early = table_scan.conditions.iter().all(|condition| is_early(condition, &table_scan.alias));
    if !plain || counted || !all_early {
        return None;
    }
    let number = |expr: &Expr| match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => text.parse::<u64>().ok(),
            _ => None,
        },
        _ => None,
    };
    match &query.limit_clause {
        Some(LimitClause::LimitOffset { limit: Some(limit), offset, .. }) => {
            let offset = offset.as_ref().map_or(Some(0), |offset| number(&offset.value))?;
            number(limit)?.checked_add(offset)
        }
        _ => None,
    }
}

pub(super) fn filters(table_scans: Vec<TableScan>) -> Filters {
    let filters: Vec<(String, Vec<Expr>)> = table_scans
        .into_iter()
        .map(|TableScan { alias, mut conditions, .. }| {
            conditions.retain(|condition| is_early(condition, &alias));
            (alias, conditions)
        })
        .collect();
    (!filters.is_empty() && filters.iter().all(|(_, conditions)| !conditions.is_empty())).then_some(filters)
}
