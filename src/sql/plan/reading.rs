//! Determines from its plan what a query needs of `cloudtrail_logs`, before anything is read.
//!
//! Each occurrence of the table is limited by its own WHERE, and by those of surrounding queries
//! ([`table_scans`]); the scan is the union of all occurrences. It may include too much, but never too
//! little: times are rounded outwards to whole days, and conditions that are not understood do not limit
//! anything.

use sqlparser::ast::Expr;

use super::bounds::Bounds;
use super::logical::{Operator, Plan};
use super::mention::{Filters, is_early};
use super::needed::needed;
use super::scan::Scan;
use super::table_scans::{self, TableScan};
use crate::model::Timestamp;
use crate::sql::functions::partition;
use crate::tables::cloudtrail;

/// The scan of a query, and its conditions on single records.
pub(in crate::sql) fn scan(plan: &Plan, now: Timestamp) -> (Scan, Filters) {
    let Some(table_scans) = table_scans::of(plan) else { return (Scan::default(), None) };
    let mut scan = Scan { limit: limit(plan, &table_scans), ..Scan::default() };
    if let Some(mut needed) = needed(plan) {
        let also = partition::also_needed(|look| plan.expressions(look));
        needed.extend(also.map(|column| (column, None)));
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
fn limit(plan: &Plan, table_scans: &[TableScan]) -> Option<u64> {
    let [table_scan] = table_scans else { return None };
    let chain = plan.chain();
    let (limit, below) = chain.split_first()?;
    let Operator::Limit(limits) = &limit.operator else { return None };
    let is_plain = match below {
        [project, filters @ .., table] => {
            matches!(project.operator, Operator::Project(_))
                && filters.iter().all(|node| matches!(node.operator, Operator::Filter(_)))
                // It must occur only here, and not in a subquery of an expression.
                && table.events().is_some_and(|leaf| !leaf.is_sampled())
        }
        _ => false,
    };
    let is_early = table_scan.conditions.iter().all(|condition| is_early(condition, &table_scan.alias));
    limits.wanted().filter(|_| is_plain && plan.commons.is_empty() && is_early)
}

fn filters(table_scans: Vec<TableScan>) -> Filters {
    let filters: Vec<(String, Vec<Expr>)> = table_scans
        .into_iter()
        .map(|TableScan { alias, mut conditions, .. }| {
            conditions.retain(|condition| is_early(condition, &alias));
            (alias, conditions)
        })
        .collect();
    (!filters.is_empty() && filters.iter().all(|(_, conditions)| !conditions.is_empty())).then_some(filters)
}
