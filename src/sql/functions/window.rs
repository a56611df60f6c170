//! Window functions: `row_number() OVER (PARTITION BY … ORDER BY …)` and others.

pub(in crate::sql) mod carried;
mod frame;
mod running;

use std::cell::OnceCell;
use std::rc::Rc;

use super::{aggregate, choice, predicate};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::rows::{Aggregate, Window, WindowCall, Written};
use crate::sql::scope::Scope;
use crate::sql::types::compare::key_column;
use crate::sql::types::order;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use frame::Frame;
use polars::prelude::Series;
use running::Frames;

use crate::tables::Kind;

/// The rows of each partition in order, and which of them are peers.
struct Partitions {
    /// For each partition its rows, in order.
    rows: Vec<Vec<u32>>,
    /// Peers are rows with equal ORDER BY keys. `None`: these are not known.
    keys: Option<Vec<Series>>,
    /// For each row the number of its peer group; computed when first needed.
    peers: OnceCell<Vec<u32>>,
    ordered: bool,
    height: usize,
}

/// Windows that several functions of a `SELECT` share, so that their rows are sorted once.
#[derive(Default)]
pub(in crate::sql) struct Windows {
    known: Vec<(Written, Rc<Partitions>)>,
    /// The partitions of all of them.
    of_all: Option<Rc<Partitions>>,
}

impl Windows {
    /// Windows over rows that stand in their order: `ends` are the ends of partitions. `peers` are numbers that are
    /// equal for rows with equal ORDER BY keys, if [somebody looks](looks_at_peers) at them; `None`: all rows are
    /// peers, as there is no ORDER BY.
    pub fn in_order(ends: &[usize], ordered: bool, peers: Option<Vec<u32>>) -> Self {
        let starts = std::iter::once(0).chain(ends.iter().copied());
        let rows =
            |(start, end): (usize, &usize)| (start..*end).filter_map(|row| u32::try_from(row).ok()).collect();
        let partitions = Partitions {
            rows: starts.zip(ends).map(rows).collect(),
            keys: None,
            peers: peers.map_or_else(OnceCell::new, OnceCell::from),
            ordered,
            height: ends.last().copied().unwrap_or(0),
        };
        Self { known: Vec::new(), of_all: Some(Rc::new(partitions)) }
    }

    fn of(&mut self, scope: &Scope<'_>, window: &Window) -> Result<Rc<Partitions>> {
        if let Some(partitions) = &self.of_all {
            return Ok(Rc::clone(partitions));
        }
        if let Some((_, partitions)) = self.known.iter().find(|(written, _)| *written == window.written) {
            return Ok(Rc::clone(partitions));
        }
        let partitions = Rc::new(partitions(scope, window)?);
        self.known.push((window.written.clone(), Rc::clone(&partitions)));
        Ok(partitions)
    }
}

/// Whether a window function can look at peers: the others count rows.
pub(in crate::sql) fn looks_at_peers(name: &str) -> bool {
    !matches!(name, "row_number" | "lag" | "lead" | "ntile")
}

/// The values of a window function. `windows` are those of earlier functions over the same rows.
pub(in crate::sql) fn evaluate(scope: &Scope<'_>, window: &Window, windows: &mut Windows) -> Result<Values> {
    value(scope, window, windows).map_err(|error| error.at_span(window.span))
}

fn value(scope: &Scope<'_>, window: &Window, windows: &mut Windows) -> Result<Values> {
    let partitions = windows.of(scope, window)?;
    if looks_at_peers(&window.name) && (partitions.ordered || window.frame.is_some()) {
        partitions.know_peers()?;
    }
    let (arguments, ignores_nulls) = match &window.call {
        WindowCall::Aggregate(call) => return over_frames(scope, call, window, &partitions),
        WindowCall::Function { arguments, ignores_nulls } => (arguments.as_slice(), *ignores_nulls),
    };
    match window.name.as_str() {
        "row_number" => partitions.positions(),
        "rank" => partitions.numbers(|_, first_peer, _| first_peer + 1),
        "dense_rank" => partitions.numbers(|_, _, peer| peer + 1),
        "percent_rank" => partitions.shares(false),
        "cume_dist" => partitions.shares(true),
        "ntile" => partitions.tiles(scope, arguments),
        "lag" => partitions.shifted(scope, arguments, ignores_nulls, true),
        "lead" => partitions.shifted(scope, arguments, ignores_nulls, false),
        "first_value" | "last_value" | "nth_value" => {
            partitions.chosen(scope, window, arguments, ignores_nulls)
        }
        other => Err(SqlError::new(format!("{other} is not a window function that is supported"))),
    }
}

fn partitions(scope: &Scope<'_>, window: &Window) -> Result<Partitions> {
    let height = scope.height();
    let key = |key: &Expression| key_column(&scope.values(key)?, height);
    let by = window.partition_by.iter().map(key).collect::<Result<Vec<_>>>()?;
    let groups = Groups::by(&by, height)?;
    let keys = window.order_by.iter().map(|(key, options)| Ok((scope.values(key)?, *options)));
    let keys = keys.collect::<Result<Vec<_>>>()?;
    let peers = keys.iter().map(|(values, _)| key_column(values, height)).collect::<Result<Vec<_>>>()?;
    let mut rows: Vec<Vec<u32>> = vec![Vec::new(); groups.count()];
    for row in order::sorted(&keys, height)?.into_iter().flatten() {
        if let Some(list) = groups.of_row.get(row as usize).and_then(|group| rows.get_mut(*group as usize)) {
            list.push(row);
        }
    }
    let ordered = !keys.is_empty();
    Ok(Partitions { rows, keys: Some(peers), peers: OnceCell::new(), ordered, height })
}

impl Partitions {
    /// Determines which rows are peers.
    fn know_peers(&self) -> Result<()> {
        if self.peers.get().is_some() || !self.ordered {
            return Ok(());
        }
        let keys = self.keys.as_ref().ok_or_else(|| SqlError::new("the keys of a window are not known"))?;
        let _ = self.peers.set(Groups::by(keys, self.height)?.of_row);
        Ok(())
    }

    /// The number of a row's peer group; without ORDER BY all rows are peers.
    fn peer(&self, row: u32) -> u32 {
        self.peers.get().and_then(|peers| peers.get(row as usize)).copied().unwrap_or(0)
    }

    /// 1, 2, 3 … in each partition.
    fn positions(&self) -> Result<Values> {
        let mut numbers: Vec<Option<i64>> = vec![None; self.height];
        for rows in &self.rows {
            for (at, row) in (1_i64..).zip(rows) {
                if let Some(slot) = numbers.get_mut(*row as usize) {
                    *slot = Some(at);
                }
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(numbers)))
    }

    /// A number for each row from its position, the position of its first peer, and its peer group, all
    /// counted from 0.
    fn numbers(&self, number: impl Fn(i64, i64, i64) -> i64) -> Result<Values> {
        let mut numbers: Vec<Option<i64>> = vec![None; self.height];
        for rows in &self.rows {
            let (mut first_peer, mut peer, mut last) = (0, 0, None);
            for (at, row) in (0_i64..).zip(rows) {
                if last.is_some_and(|last| last != self.peer(*row)) {
                    first_peer = at;
                    peer += 1;
                }
                last = Some(self.peer(*row));
                if let Some(slot) = numbers.get_mut(*row as usize) {
                    *slot = Some(number(at, first_peer, peer));
                }
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(numbers)))
    }

    fn shares(&self, with_peers: bool) -> Result<Values> {
        let mut shares: Vec<Option<f64>> = vec![None; self.height];
        for rows in &self.rows {
            let (count, mut before) = (rows.len(), 0);
            for peers in rows.chunk_by(|a, b| self.peer(*a) == self.peer(*b)) {
                let share = match (with_peers, count) {
                    (true, count) => (before + peers.len()) as f64 / count as f64,
                    (false, 1) => 0.0,
                    (false, count) => before as f64 / (count - 1) as f64,
                };
                for row in peers {
                    if let Some(slot) = shares.get_mut(*row as usize) {
                        *slot = Some(share);
                    }
                }
                before += peers.len();
            }
        }
        Ok(Values::new(Kind::Double, f64::column(shares)))
    }

    fn tiles(&self, scope: &Scope<'_>, args: &[Expression]) -> Result<Values> {
        let count =
            args.first().map(|arg| scope.value(arg)).transpose()?.and_then(|values| values.constant_whole());
        let count = count.and_then(|count| usize::try_from(count).ok()).filter(|count| *count > 0);
        let count = count.ok_or_else(|| SqlError::new("ntile needs a whole number above 0"))?;
        let mut tiles: Vec<Option<i64>> = vec![None; self.height];
        for rows in &self.rows {
            let (size, larger) = (rows.len() / count, rows.len() % count);
            for (at, row) in rows.iter().enumerate() {
                let in_larger = larger * (size + 1);
                let tile =
                    if at < in_larger { at / (size + 1) } else { larger + (at - in_larger) / size.max(1) };
                if let Some(slot) = tiles.get_mut(*row as usize) {
                    *slot = i64::try_from(tile + 1).ok();
                }
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(tiles)))
    }

    /// `lag(x, n, default)`, `lead(…)`.
    fn shifted(
        &self,
        scope: &Scope<'_>,
        args: &[Expression],
        ignores_nulls: bool,
        back: bool,
    ) -> Result<Values> {
        let value = args.first().ok_or_else(|| SqlError::new("lag and lead need a value"))?;
        let values = scope.values(value)?;
        let by = args.get(1).map_or(Ok(1), |arg| whole(scope, arg))?;
        let by = usize::try_from(by).map_err(|_| SqlError::new("the offset must not be negative"))?;
        let passed_over = passed_over(ignores_nulls, &values)?;
        let mut places: Vec<Option<u32>> = vec![None; self.height];
        let mut outside = vec![true; self.height];
        for rows in &self.rows {
            // The positions of the rows that count, and how many of them come before each row.
            let counted: Vec<usize> = (0..rows.len())
                .filter(|at| rows.get(*at).is_some_and(|row| passed_over.get(*row as usize) != Some(&true)))
                .collect();
            let mut before = 0;
            for (at, row) in rows.iter().enumerate() {
                let is_counted = counted.get(before) == Some(&at);
                let from = match (back, by) {
                    (_, 0) => Some(at),
                    (true, by) => before.checked_sub(by).and_then(|from| counted.get(from)).copied(),
                    (false, by) => {
                        counted.get((before + usize::from(is_counted)).saturating_add(by - 1)).copied()
                    }
                };
                before += usize::from(is_counted);
                let from = from.and_then(|from| rows.get(from));
                if let (Some(slot), Some(out), Some(from)) =
                    (places.get_mut(*row as usize), outside.get_mut(*row as usize), from)
                {
                    *slot = Some(*from);
                    *out = false;
                }
            }
        }
        let shifted = values.take(&places)?;
        match args.get(2) {
            None => Ok(shifted),
            Some(default) => {
                let chosen: Vec<Option<usize>> = outside.iter().map(|out| Some(usize::from(*out))).collect();
                choice::merge(&[shifted, scope.value(default)?], &chosen, scope)
            }
        }
    }

    fn chosen(
        &self,
        scope: &Scope<'_>,
        window: &Window,
        args: &[Expression],
        ignores_nulls: bool,
    ) -> Result<Values> {
        let name = window.name.as_str();
        let value = args.first().ok_or_else(|| SqlError::new(format!("{name} needs a value")))?;
        let values = scope.values(value)?;
        let nth = args.get(1).map_or(Ok(1), |arg| whole(scope, arg))?;
        let nth = usize::try_from(nth).ok().and_then(|nth| nth.checked_sub(1));
        let nth = nth.ok_or_else(|| SqlError::new("the offset of nth_value begins at 1"))?;
        let passed_over = passed_over(ignores_nulls, &values)?;
        let counts = |row: &&u32| passed_over.get(**row as usize) != Some(&true);
        let mut places: Vec<Option<u32>> = vec![None; self.height];
        for (rows, ranges) in self.frames(scope, window)?.partitions {
            for (row, (start, end)) in rows.iter().zip(ranges) {
                let mut inside = rows.get(start..end).unwrap_or_default().iter().filter(counts);
                let from = match name {
                    "first_value" => inside.next(),
                    "last_value" => inside.next_back(),
                    _ => inside.nth(nth),
                };
                if let Some(slot) = places.get_mut(*row as usize) {
                    *slot = from.copied();
                }
            }
        }
        values.take(&places)
    }

    /// Each row with its frame.
    fn frames(&self, scope: &Scope<'_>, window: &Window) -> Result<Frames<'_>> {
        let frame = Frame::of(scope, window)?;
        let partitions = self
            .rows
            .iter()
            .map(|rows| (rows.as_slice(), frame.ranges(rows, |row| self.peer(row))))
            .collect();
        Ok(Frames { partitions, height: self.height })
    }
}

/// An argument that must be one number for all rows.
fn whole(scope: &Scope<'_>, argument: &Expression) -> Result<i64> {
    let whole = scope.value(argument)?.constant_whole();
    let needed = || SqlError::new("the offset must be one whole number for all rows");
    whole.ok_or_else(|| needed().at_span(argument.span))
}

/// With `IGNORE NULLS`, the rows whose value is NULL; otherwise none.
fn passed_over(ignores_nulls: bool, values: &Values) -> Result<Vec<bool>> {
    if ignores_nulls { predicate::nulls(values) } else { Ok(Vec::new()) }
}

/// An aggregate over each row's frame. If all rows of a partition have the same frame, it is computed once.
fn over_frames(
    scope: &Scope<'_>,
    call: &Aggregate,
    window: &Window,
    partitions: &Partitions,
) -> Result<Values> {
    if !partitions.ordered && window.frame.is_none() {
        let mut of_row = vec![0_u32; partitions.height];
        for (group, rows) in (0_u32..).zip(&partitions.rows) {
            rows.iter().for_each(|row| {
                if let Some(slot) = of_row.get_mut(*row as usize) {
                    *slot = group;
                }
            });
        }
        let first = partitions.rows.iter().map(|rows| rows.first().copied()).collect();
        let groups = Groups { of_row, first };
        let values = aggregate::evaluate(scope, call, &groups)?;
        return values.take(&groups.of_row.iter().copied().map(Some).collect::<Vec<_>>());
    }
    let frames = partitions.frames(scope, window)?;
    if let Some(values) = running::evaluate(scope, call, &frames)? {
        return Ok(values);
    }
    // Each frame becomes a group of its own, for which its rows are copied.
    let total: usize =
        frames.partitions.iter().flat_map(|(_, ranges)| ranges).map(|(start, end)| end - start).sum();
    if total > FRAME_ROWS_MAX {
        return Err(SqlError::new(format!(
            "the window's frames hold {total} rows, more than {FRAME_ROWS_MAX}; use a smaller frame"
        )));
    }
    let (mut copied, mut of_row, mut target) =
        (Vec::with_capacity(total), Vec::with_capacity(total), vec![None; partitions.height]);
    let each = frames
        .partitions
        .iter()
        .flat_map(|(rows, ranges)| rows.iter().zip(ranges).map(|(row, range)| (*rows, row, range)));
    for (frame, (rows, row, (start, end))) in (0_u32..).zip(each) {
        let inside = rows.get(*start..*end).unwrap_or_default();
        copied.extend(inside.iter().copied().map(Some));
        of_row.extend(std::iter::repeat_n(frame, inside.len()));
        if let Some(slot) = target.get_mut(*row as usize) {
            *slot = Some(frame);
        }
    }
    let groups = Groups { of_row, first: vec![None; target.len()] };
    let values = scope.narrowed(&copied, |scope| aggregate::evaluate(scope, call, &groups))?;
    values.take(&target)
}

/// Maximum total number of rows in all frames of a window.
const FRAME_ROWS_MAX: usize = 20_000_000;
