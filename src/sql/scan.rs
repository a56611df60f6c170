//! Determines from its text what a query needs of `cloudtrail_logs`, before anything is read.
//!
//! Each occurrence of the table is limited by its own WHERE, and by those of surrounding queries
//! ([`table_scans`]); the scan is the union of all occurrences. It may include too much, but never too
//! little: times are rounded outwards to whole days, and conditions that are not understood do not limit
//! anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use sqlparser::ast::{BinaryOperator, Expr, Ident, LimitClause, Query, SetExpr, TableFactor, Value};

use super::bind::{Bound, needed};
use super::bounds::Bounds;
use super::table_scans::{self, TableScan};
use super::{names, partition, select, walk};
use crate::model::{Filter, Timestamp};
use crate::tables::{self, Asked, cloudtrail};

/// What to read. `None` and empty lists mean: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// `eventSource`s.
    pub sources: Option<Vec<String>>,
    /// `eventName`s.
    pub names: Option<Vec<String>>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// `recipientAccountId`s.
    pub accounts: Option<Vec<String>>,
    /// `awsRegion`s.
    pub regions: Option<Vec<String>>,
    /// Columns of `cloudtrail_logs`; `None` for all.
    pub columns: Option<Vec<String>>,
    /// For struct columns, the paths of the fields that are used; a column that is not listed is needed as a
    /// whole.
    pub fields: BTreeMap<&'static str, Vec<Vec<String>>>,
    /// Number of rows after which reading may stop, because the query accepts any rows.
    pub limit: Option<u64>,
}

impl Scan {
    /// The columns to read, with their fields; `None`: all.
    pub fn asked(&self) -> Option<Vec<Asked>> {
        let asked = |name: &String| Asked {
            name: name.clone(),
            fields: self.fields.get(name.as_str()).cloned().unwrap_or_default(),
        };
        self.columns.as_ref().map(|columns| columns.iter().map(asked).collect())
    }

    /// `eventname`, `useridentity(arn, sessioncontext.attributes)`.
    fn named(&self, column: &str) -> String {
        let Some(paths) = self.fields.get(column) else { return column.to_owned() };
        let paths: BTreeSet<String> = paths.iter().map(|path| path.join(".")).collect();
        format!("{column}({})", paths.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// `filter`, narrowed by the limits of this scan.
    pub fn narrow(&self, filter: &Filter) -> Filter {
        let later = |a: Option<Timestamp>, b: Option<Timestamp>| a.max(b);
        let earlier = |a: Option<Timestamp>, b: Option<Timestamp>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Filter {
            since: later(filter.since, self.since),
            until: earlier(filter.until, self.until),
            accounts: both(&filter.accounts, self.accounts.as_deref()),
            regions: both(&filter.regions, self.regions.as_deref()),
            ..filter.clone()
        }
    }

    /// Whether `WHERE` cannot be true for any event.
    pub fn is_nothing(&self) -> bool {
        let none = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        none(&self.sources) || none(&self.names) || none(&self.accounts) || none(&self.regions)
    }
}

/// The intersection of two lists, where an empty first one means everything. If they have nothing in common,
/// the first one is used: it includes too much, and the query drops it.
fn both(asked: &[String], scan: Option<&[String]>) -> Vec<String> {
    let Some(scan) = scan else { return asked.to_vec() };
    if asked.is_empty() {
        return scan.to_vec();
    }
    let shared: Vec<String> = asked.iter().filter(|item| scan.contains(item)).cloned().collect();
    if shared.is_empty() { asked.to_vec() } else { shared }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &Option<Vec<String>>| match list {
            None => "any".to_owned(),
            Some(list) if list.is_empty() => "none".to_owned(),
            Some(list) => list.join(", "),
        };
        let time = |time: Option<Timestamp>| time.map_or_else(|| "any".to_owned(), |time| time.to_string());
        writeln!(f, "event source: {}", list(&self.sources))?;
        writeln!(f, "event name:   {}", list(&self.names))?;
        writeln!(f, "account:      {}", list(&self.accounts))?;
        writeln!(f, "region:       {}", list(&self.regions))?;
        writeln!(f, "from:         {}", time(self.since))?;
        writeln!(f, "until:        {}", time(self.until))?;
        match &self.columns {
            None => writeln!(f, "columns:      all")?,
            Some(columns) => {
                let named: Vec<String> = columns.iter().map(|column| self.named(column)).collect();
                writeln!(
                    f,
                    "columns:      {} of {}: {}",
                    columns.len(),
                    cloudtrail::ORIGINS.len(),
                    named.join(", ")
                )?
            }
        }
        match self.limit {
            None => write!(f, "stops early:  no"),
            Some(limit) => write!(f, "stops early:  after {limit} rows"),
        }
    }
}

/// The scan of a query, and its conditions on single records.
pub(super) fn scan(bound: &Bound) -> (Scan, Filters) {
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
fn limit(query: &Query, table_scans: &[TableScan]) -> Option<u64> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let [table_scan] = table_scans else { return None };
    let [table] = select.from.as_slice() else { return None };
    // The table must occur only here, and not in a subquery of an expression.
    let events = matches!(&table.relation, TableFactor::Table { name, sample: None, .. } if is_events(&names::last(name)));
    let plain = table.joins.is_empty() && events && query.with.is_none() && query.order_by.is_none();
    let counted = select::is_grouped(select, None)
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

/// For each occurrence of the table, its alias and its conditions that can be evaluated for a single record;
/// `None` if one of them has no such conditions, so that every record may be needed.
pub(super) type Filters = Option<Vec<(String, Vec<Expr>)>>;

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

/// Whether a table of a bound query is `cloudtrail_logs`, and not a common table expression with that name.
pub(super) fn is_events(name: &str) -> bool {
    !names::is_marked(name) && tables::find(name).is_some_and(|table| table.name == cloudtrail::TABLE.name)
}

/// Whether a condition uses only columns of this occurrence of the table.
pub(super) fn is_early(condition: &Expr, alias: &str) -> bool {
    let is_own = |parts: &Vec<Ident>| parts.first().is_some_and(|first| first.value == alias);
    !walk::has_subquery(condition) && names::free(condition).iter().all(is_own)
}

/// The column of this occurrence that an expression names.
pub(super) fn column_of(expr: &Expr, alias: &str) -> Option<&'static str> {
    path_of(expr, alias).filter(|(_, fields)| fields.is_empty()).map(|(column, _)| column)
}

/// The column of this occurrence that an expression names, and the path to a field in it.
pub(super) fn path_of(expr: &Expr, alias: &str) -> Option<(&'static str, Vec<String>)> {
    match expr {
        Expr::CompoundIdentifier(parts) => match parts.as_slice() {
            [table, column, fields @ ..] if table.value == alias => Some((
                cloudtrail::column_named(&column.value)?,
                fields.iter().map(|field| field.value.clone()).collect(),
            )),
            _ => None,
        },
        Expr::Nested(inner) => path_of(inner, alias),
        _ => None,
    }
}

/// A chain of one operator, or a single condition.
pub(super) fn is_chain_of(expr: &Expr, operator: &BinaryOperator) -> bool {
    matches!(expr, Expr::BinaryOp { op, .. } if op == operator)
}
