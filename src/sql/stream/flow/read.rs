//! Reads the rows of a row group that a query needs: first the columns of its conditions, then the others for
//! the remaining rows.

use std::collections::BTreeSet;

use sqlparser::ast::{
    Expr, Ident, OrderByKind, OrderByOptions, Query, Select, SelectItem, TableFactor, Value,
};

use super::frontier::{Frontier, Leading};
use super::{Flow, Reduction, Stop, placed, sure, with_places};
use crate::lake::Portion;
use crate::model::{Filter, Timestamp};
use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::plan::mention::{column_of, is_early};
use crate::sql::run::engine;
use crate::sql::scope::{Ctes, Scope};
use crate::sql::syntax::{names, walk};
use crate::sql::types::order;
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::sql::types::{event_data_store, place};
use crate::tables::cloudtrail::{ORIGINS, Origin, TABLE, column_named};
use crate::tables::{Asked, Kind, Rows};

/// Maximum number of slices of a row group: its pages are read once for each.
const SLICES_MAX: usize = 16;
const SOURCE: &str = "eventsource";
pub(super) const TIME: &str = "eventtime";
/// If more than this many times the wanted rows may be the first ones according to the leading sort key, the
/// other sort keys are read, too.
const LEADING_USE: usize = 4;
const LEADING_ROWS: usize = 1 << 10;

/// `ORDER BY` keys that use only columns of the events table.
#[derive(Debug, Clone)]
pub(super) struct SortedFirst {
    keys: Vec<(Expr, OrderByOptions)>,
    columns: BTreeSet<&'static str>,
    alias: String,
    /// The first key, if it is a text column and NULLs come last.
    pub leading: Option<Leading>,
}

impl SortedFirst {
    /// `None` if the sort keys cannot be computed from events alone.
    pub fn of(tree: &Query, select: &Select) -> Option<Self> {
        let [table] = select.from.as_slice() else { return None };
        let TableFactor::Table { alias: Some(alias), .. } = &table.relation else { return None };
        if tree.with.is_some() || !table.joins.is_empty() || !alias.columns.is_empty() {
            return None;
        }
        let alias = alias.name.value.clone();
        // All conditions of the query must be evaluated on events alone.
        if !select.selection.iter().flat_map(walk::conjuncts).all(|condition| is_early(condition, &alias)) {
            return None;
        }
        let OrderByKind::Expressions(exprs) = &tree.order_by.as_ref()?.kind else { return None };
        let keys = exprs
            .iter()
            .map(|key| Some((meant(&key.expr, select, &alias)?, key.options)))
            .collect::<Option<Vec<_>>>()?;
        let mut columns = BTreeSet::new();
        let is_told = keys.iter().all(|(key, _)| !walk::has_subquery(key) && add_columns(key, &mut columns));
        let by = keys.iter().map(|(key, _)| key);
        let is_sure = walk::list_exprs(select).chain(by).chain(&select.selection).all(sure::is_sure);
        let leading =
            keys.first().filter(|_| is_sure).and_then(|(key, options)| leading(key, *options, &alias));
        is_told.then_some(Self { keys, columns, alias, leading })
    }
}

impl SortedFirst {
    /// The columns of conditions and sort keys, which are read before others.
    pub fn first_columns(&self) -> Vec<&'static str> {
        match &self.leading {
            Some(leading) => vec![leading.column],
            None => self.columns.iter().copied().chain(["object", "record"]).collect(),
        }
    }
}

/// The first sort key, if it is a text column.
fn leading(key: &Expr, options: OrderByOptions, alias: &str) -> Option<Leading> {
    let column = column_of(key, alias).filter(|_| options.nulls_first != Some(true))?;
    let kind = (TABLE.columns)().iter().find(|known| known.name == column).map(|known| known.kind.clone())?;
    let is_there = ORIGINS.iter().any(|(name, origin)| *name == column && matches!(origin, Origin::Field(_)));
    (is_there && kind == Kind::Varchar).then_some(Leading { column, descending: options.asc == Some(false) })
}

/// The expression that a key of ORDER BY stands for; `None` if that is not obvious from the SELECT list. `alias`
/// is the name of the table of events.
fn meant(key: &Expr, select: &Select, alias: &str) -> Option<Expr> {
    let item = |item: &SelectItem| match item {
        SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => Some(expr.clone()),
        _ => None,
    };
    let is_starred = select
        .projection
        .iter()
        .any(|item| matches!(item, SelectItem::Wildcard(_) | SelectItem::QualifiedWildcard(..)));
    match key {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) if !is_starred => {
                item(select.projection.get(text.parse::<usize>().ok()?.checked_sub(1)?)?)
            }
            _ => None,
        },
        _ => {
            let aliases: Vec<String> = select.projection.iter().filter_map(alias_of).collect();
            match key {
                Expr::Identifier(ident) if aliases.contains(&ident.value.to_lowercase()) => {
                    let is_it = |item: &&SelectItem| {
                        alias_of(item).is_some_and(|alias| alias.eq_ignore_ascii_case(&ident.value))
                    };
                    item(select.projection.iter().find(is_it)?)
                }
                // The name of a column that is shown as it is.
                Expr::Identifier(ident) => {
                    let is_it = |item: &&SelectItem| match item {
                        SelectItem::UnnamedExpr(expr) => {
                            names::name_of(expr).is_some_and(|name| name.eq_ignore_ascii_case(&ident.value))
                        }
                        _ => false,
                    };
                    match select.projection.iter().find(is_it) {
                        Some(shown) => item(shown),
                        None if is_starred => {
                            Some(Expr::CompoundIdentifier(vec![Ident::new(alias), ident.clone()]))
                        }
                        None => Some(key.clone()),
                    }
                }
                // An alias inside of an expression stands for another one; this is left to the evaluator.
                _ if names::parts_in(key).iter().any(|name| aliases.contains(name)) => None,
                _ => Some(key.clone()),
            }
        }
    }
}

fn alias_of(item: &SelectItem) -> Option<String> {
    match item {
        SelectItem::ExprWithAlias { alias, .. } => Some(alias.value.to_lowercase()),
        _ => None,
    }
}

/// Adds the event columns that an expression uses; false if it may use anything else.
fn add_columns(expr: &Expr, columns: &mut BTreeSet<&'static str>) -> bool {
    let names = names::parts_in(expr);
    columns.extend(names.iter().filter_map(|name| column_named(name)));
    !names.is_empty()
}

/// The columns of events that the query needs.
pub(super) fn all_columns(flow: &Flow) -> Vec<Asked> {
    let asked = flow.scan.asked();
    let is_needed =
        |name: &str| asked.as_ref().is_none_or(|asked| asked.iter().any(|column| column.name == name));
    let names = ORIGINS
        .iter()
        .map(|(name, _)| *name)
        .filter(|name| is_needed(name) || matches!(*name, "object" | "record"));
    names.map(|name| column(asked.as_deref(), name)).collect()
}

/// The requested part of a column.
fn column(asked: Option<&[Asked]>, name: &str) -> Asked {
    asked
        .into_iter()
        .flatten()
        .find(|column| column.name == name)
        .cloned()
        .unwrap_or_else(|| Asked::whole(name))
}

/// The event sources, and the filter for times.
pub(super) type Admitted<'a> = (Option<&'a [&'a str]>, &'a Filter);

/// The rows of a row group that meet the conditions.
struct Left {
    /// Number of rows of `sources` within the times of the filter.
    taken: u64,
    keep: Vec<bool>,
    /// The columns that have been read so far, of all rows.
    rows: Rows,
}

impl Left {
    fn of(
        flow: &Flow,
        portion: &Portion<'_>,
        (sources, filter): Admitted<'_>,
        frontier: &Frontier,
    ) -> std::result::Result<Self, Stop> {
        let (height, filter) = (portion.height(), (!portion.is_within(filter)).then_some(filter));
        let mut left = Self {
            taken: height as u64,
            keep: vec![true; height],
            rows: Rows { columns: Vec::new(), height },
        };
        left.read(flow, portion, sources.map(|_| SOURCE).into_iter().chain(filter.map(|_| TIME)))?;
        narrow(&left.rows, sources, filter, &mut left.keep)?;
        left.taken = left.count() as u64;
        let leading = flow.leading();
        let is_behind = |leading: &Leading| {
            portion
                .bounds(leading.column)
                .is_some_and(|(least, greatest)| leading.are_behind(&least, &greatest, frontier))
        };
        if leading.is_some_and(is_behind) || !flow.sought.iter().all(|sought| sought.may_be_in(portion)) {
            left.keep.iter_mut().for_each(|slot| *slot = false);
        }
        if left.count() == 0 {
            return Ok(left);
        }
        left.read(flow, portion, first_columns(flow))?;
        conditions(flow, &left.rows, &mut left.keep)?;
        if let Some(leading) = leading {
            left.read(flow, portion, [leading.column])?;
            if let Some((_, column)) = left.rows.columns.iter().find(|(name, _)| *name == leading.column) {
                leading.narrow(column.str().map_err(SqlError::from)?, flow.wanted, frontier, &mut left.keep);
            }
            if left.count() <= flow.wanted.saturating_mul(LEADING_USE).max(LEADING_ROWS) {
                return Ok(left);
            }
        }
        if let Some(sorted) = &flow.sorted_first {
            left.read(flow, portion, sorted.columns.iter().copied().chain(["object", "record"]))?;
            best(flow, &left.rows, &mut left.keep)?;
        }
        Ok(left)
    }

    /// Reads columns of all rows, unless they have been read.
    fn read(
        &mut self,
        flow: &Flow,
        portion: &Portion<'_>,
        columns: impl IntoIterator<Item = &'static str>,
    ) -> std::result::Result<(), Stop> {
        let asked = flow.scan.asked();
        let is_new = |name: &&str| !self.rows.columns.iter().any(|(known, _)| known == name);
        let columns: Vec<Asked> =
            columns.into_iter().filter(is_new).map(|name| column(asked.as_deref(), name)).collect();
        if !columns.is_empty() {
            self.rows.columns.extend(portion.rows(&columns, None)?.columns);
        }
        Ok(())
    }

    fn count(&self) -> usize {
        self.keep.iter().filter(|keep| **keep).count()
    }
}

/// The rows of a row group that meet the conditions, and the number of rows before that.
pub(super) fn left(
    flow: &Flow,
    portion: &Portion<'_>,
    admitted: Admitted<'_>,
) -> std::result::Result<(u64, Vec<u32>), Stop> {
    let left = Left::of(flow, portion, admitted, &Frontier::default())?;
    Ok((left.taken, (0_u32..).zip(left.keep).filter(|(_, keep)| *keep).map(|(row, _)| row).collect()))
}

/// The rows of a row group that are of `sources`, within the times of `filter`, and may meet the query's
/// conditions; and the number of rows before that.
pub(in crate::sql) fn rows(
    flow: &Flow,
    portion: &Portion<'_>,
    admitted: Admitted<'_>,
) -> std::result::Result<(u64, Rows), Stop> {
    let Left { taken, keep, rows } = Left::of(flow, portion, admitted, &Frontier::default())?;
    let rest = rest(flow, &rows);
    Ok((taken, completed(portion, rows, &rest, &keep)?))
}

/// The columns that the query needs beside those that have been read.
fn rest(flow: &Flow, rows: &Rows) -> Vec<Asked> {
    let is_there = |name: &str| rows.columns.iter().any(|(known, _)| *known == name);
    all_columns(flow).into_iter().filter(|column| !is_there(&column.name)).collect()
}

/// Of the rows of a row group, those to keep, with the `rest` of their columns.
fn completed(
    portion: &Portion<'_>,
    mut rows: Rows,
    rest: &[Asked],
    keep: &[bool],
) -> std::result::Result<Rows, Stop> {
    let is_cut = keep.contains(&false);
    if is_cut {
        rows.retain(keep).map_err(SqlError::from)?;
    }
    if rows.height > 0 && !rest.is_empty() {
        rows.columns.extend(portion.rows(rest, is_cut.then_some(keep))?.columns);
    }
    Ok(rows)
}

/// Calls `give` with the events of a row group that are of `sources`, within the times of `filter`, and may
/// meet the query's conditions, sorted by their positions if the query returns rows. Returns the number of
/// events before the conditions were applied. If the events need more than `slice_bytes`, `give` is called
/// with some at a time.
pub(super) fn events(
    flow: &Flow,
    portion: &Portion<'_>,
    admitted: Admitted<'_>,
    frontier: &Frontier,
    slice_bytes: u64,
    give: &mut dyn FnMut(Relation) -> Result<()>,
) -> std::result::Result<u64, Stop> {
    let left = Left::of(flow, portion, admitted, frontier)?;
    let (kept, Left { taken, keep, rows }) = (left.count(), left);
    if kept == 0 {
        return Ok(taken);
    }
    let rest = rest(flow, &rows);
    let bytes = portion.bytes(&rest).saturating_mul(kept as u64) / keep.len().max(1) as u64;
    let slices = usize::try_from(bytes / slice_bytes.max(1)).unwrap_or(SLICES_MAX).clamp(1, SLICES_MAX);
    let mut start = 0;
    for slice in 1..=slices {
        // The remaining rows of this slice.
        let end = if slice == slices { keep.len() } else { keep.len() * slice / slices };
        let is_in = |at: usize| at >= start && at < end && keep.get(at) == Some(&true);
        let mask: Vec<bool> = (0..keep.len()).map(is_in).collect();
        start = end;
        if !mask.contains(&true) {
            continue;
        }
        let some = completed(portion, rows.clone(), &rest, &mask)?;
        let events = Relation::of_table(&TABLE, &some);
        // Groups are sorted when they are made.
        give(if matches!(flow.reduction, Reduction::Groups(_)) {
            with_places(events)?
        } else {
            placed(events)?
        })?;
    }
    Ok(taken)
}

/// The columns that decide which rows are needed.
pub(super) fn first_columns(flow: &Flow) -> BTreeSet<&'static str> {
    let mut first = BTreeSet::new();
    for condition in flow.filters.iter().flatten().flat_map(|(_, conditions)| conditions) {
        add_columns(condition, &mut first);
    }
    // `day` may contain a whole date.
    if first.contains("day") {
        first.extend(["timestamp", "date"]);
    }
    first
}

/// Keeps the rows of some event sources, within the times of a filter. Rows without a time are kept.
fn narrow(rows: &Rows, sources: Option<&[&str]>, filter: Option<&Filter>, keep: &mut [bool]) -> Result<()> {
    let texts =
        |name: &str| rows.columns.iter().find(|(known, _)| *known == name).map(|(_, column)| column.str());
    if let (Some(sources), Some(texts)) = (sources, texts(SOURCE)) {
        let holds = |text: Option<&str>| text.is_some_and(|text| sources.contains(&text));
        keep.iter_mut().zip(texts?.iter()).for_each(|(slot, text)| *slot = *slot && holds(text));
    }
    if let (Some(filter), Some(texts)) = (filter, texts(TIME)) {
        let holds =
            |text: Option<&str>| text.and_then(Timestamp::parse).is_none_or(|time| filter.admits_time(time));
        keep.iter_mut().zip(texts?.iter()).for_each(|(slot, text)| *slot = *slot && holds(text));
    }
    Ok(())
}

/// Keeps the rows that may meet the query's conditions.
fn conditions(flow: &Flow, rows: &Rows, keep: &mut [bool]) -> Result<()> {
    let Some(filters) = &flow.filters else { return Ok(()) };
    let relation = Relation::of_table(&TABLE, rows);
    let relation = if flow.is_store { event_data_store::typed(relation)? } else { relation };
    let catalog = Catalog::default();
    let (session, ctes) = (engine::session(&catalog, flow.now.millis()), Ctes::default());
    let mut meets = vec![false; rows.height];
    for (alias, conditions) in filters {
        let relation = relation.clone().renamed(alias, &[]);
        let scope = Scope::new(&session, &ctes, &relation);
        if flow.sorted_first.is_none() {
            scope.mark(conditions, &mut meets)?;
            continue;
        }
        // The conditions are not evaluated again for these rows, so an invalid value is an error.
        let mut all = vec![true; rows.height];
        for condition in conditions {
            let truth = scope.holds_among(&scope.resolve(condition)?, &all)?;
            all.iter_mut().zip(truth).for_each(|(slot, holds)| *slot = *slot && holds);
        }
        meets = all;
    }
    keep.iter_mut().zip(meets).for_each(|(slot, meets)| *slot = *slot && meets);
    Ok(())
}

/// Keeps the rows that can be among the first of the answer.
fn best(flow: &Flow, rows: &Rows, keep: &mut [bool]) -> Result<()> {
    let Some(sorted) = &flow.sorted_first else { return Ok(()) };
    let kept: Vec<Option<u32>> =
        (0_u32..).zip(keep.iter()).filter(|(_, keep)| **keep).map(|(row, _)| Some(row)).collect();
    if kept.len() <= flow.wanted {
        return Ok(());
    }
    let relation = Relation::of_table(&TABLE, rows).renamed(&sorted.alias, &[]).take(&kept)?;
    let catalog = Catalog::default();
    let (session, ctes) = (engine::session(&catalog, flow.now.millis()), Ctes::default());
    let scope = Scope::new(&session, &ctes, &relation);
    let mut keys = sorted
        .keys
        .iter()
        .map(|(key, options)| Ok((scope.column(key)?, *options)))
        .collect::<Result<Vec<_>>>()?;
    if let (Some(object), Some(record)) = (relation.named("object")?, relation.named("record")?) {
        let places = Values::new(Kind::Bigint, place::places(&object, &record, relation.height)?);
        keys.push((places, OrderByOptions { asc: None, nulls_first: None }));
    }
    let first = order::first_sorted(&keys, relation.height, flow.wanted)?;
    keep.iter_mut().for_each(|slot| *slot = false);
    for row in first.into_iter().flatten().filter_map(|at| kept.get(at as usize).copied().flatten()) {
        if let Some(slot) = keep.get_mut(row as usize) {
            *slot = true;
        }
    }
    Ok(())
}
