//! Window functions over rows of which some are looked at at a time: what is carried from these to the next.

use std::cmp::Ordering;
use std::ops::Range;

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentList, FunctionArguments, Value,
    WindowFrame, WindowFrameBound, WindowFrameUnits, WindowSpec,
};

use crate::sql::error::{Result, SqlError};
use crate::sql::functions::predicate;
use crate::sql::syntax::{calls, names};
use crate::sql::types::compare::Ordered;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// `lag` and `lead` look at most so many rows away.
const REACH_MAX: usize = 10_000;

/// What a window function needs of the rows before those that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Carry {
    /// How many there are.
    Count { peers: bool },
    /// Its value in the last of them, to which those of the next are added.
    Sum,
    /// Its value in the last of them, if that is less, or greater, than those of the next.
    Extreme(Ordering),
    /// Its value in the last of them, which all of a partition have.
    First,
    /// How many rows its whole partition has.
    Total,
    /// Some of the rows before, and behind.
    Rows { before: usize, behind: usize, peers: bool },
}

/// The whole number that an argument is.
fn whole(arg: &FunctionArg) -> Option<usize> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else { return None };
    whole_of(expr)
}

fn whole_of(expr: &Expr) -> Option<usize> {
    let Expr::Value(value) = expr else { return None };
    let Value::Number(text, _) = &value.value else { return None };
    text.parse().ok().filter(|reach| *reach <= REACH_MAX)
}

/// Whether a frame begins with the partition.
fn begins_with_partition(frame: &WindowFrame) -> bool {
    frame.start_bound == WindowFrameBound::Preceding(None)
}

/// Whether the frames of a window are whole partitions.
fn is_whole(spec: &WindowSpec) -> bool {
    match &spec.window_frame {
        None => spec.order_by.is_empty(),
        Some(frame) => {
            begins_with_partition(frame) && frame.end_bound == Some(WindowFrameBound::Following(None))
        }
    }
}

/// Whether a call counts rows, whatever is in them.
fn counts_rows(function: &Function, args: &[FunctionArg]) -> bool {
    let is_all = |arg: &FunctionArg| matches!(arg, FunctionArg::Unnamed(FunctionArgExpr::Wildcard));
    function.filter.is_none() && args.iter().all(is_all)
}

/// Whether a frame goes from the first row to this one.
fn is_running(frame: &WindowFrame) -> bool {
    begins_with_partition(frame)
        && frame.end_bound.as_ref().is_none_or(|end| *end == WindowFrameBound::CurrentRow)
}

/// The rows before and behind a row that its frame reaches to, if it counts rows.
fn reach_of(frame: &WindowFrame) -> Option<(usize, usize)> {
    if frame.units != WindowFrameUnits::Rows {
        return None;
    }
    let reach = |bound: &WindowFrameBound| {
        Some(match bound {
            WindowFrameBound::CurrentRow => (0, 0),
            WindowFrameBound::Preceding(Some(count)) => (whole_of(count)?, 0),
            WindowFrameBound::Following(Some(count)) => (0, whole_of(count)?),
            _ => return None,
        })
    };
    let start = reach(&frame.start_bound)?;
    let end = frame.end_bound.as_ref().map_or(Some((0, 0)), reach)?;
    Some((start.0.max(end.0), start.1.max(end.1)))
}

/// The arguments of a call that has no other clause than FILTER and OVER.
pub(in crate::sql) fn plain_arguments(function: &Function) -> Option<&FunctionArgumentList> {
    let FunctionArguments::List(list) = &function.args else { return None };
    let is_plain = list.clauses.is_empty()
        && list.duplicate_treatment.is_none()
        && function.null_treatment.is_none()
        && function.within_group.is_empty();
    is_plain.then_some(list)
}

impl Carry {
    /// `None` if more is needed.
    pub fn of(function: &Function, spec: &WindowSpec) -> Option<Self> {
        let list = plain_arguments(function).filter(|_| spec.window_name.is_none())?;
        let (frame, is_ordered) = (spec.window_frame.as_ref(), !spec.order_by.is_empty());
        let is_running = is_ordered && frame.is_none_or(is_running);
        let name = names::of_function(function);
        match name.as_str() {
            "row_number" => Some(Self::Count { peers: false }),
            "rank" if is_ordered => Some(Self::Count { peers: true }),
            "dense_rank" if is_ordered => Some(Self::Sum),
            "lag" | "lead" if frame.is_none() => {
                let reach = list.args.get(1).map_or(Some(1), whole)?;
                let (before, behind) = if name == "lag" { (reach, 0) } else { (0, reach) };
                Some(Self::Rows { before, behind, peers: false })
            }
            "count" if is_whole(spec) && counts_rows(function, &list.args) => Some(Self::Total),
            "count" | "count_if" | "sum" if is_running => Some(Self::Sum),
            "min" if is_running && list.args.len() == 1 => Some(Self::Extreme(Ordering::Less)),
            "max" if is_running && list.args.len() == 1 => Some(Self::Extreme(Ordering::Greater)),
            "first_value" if is_ordered && frame.is_none_or(begins_with_partition) => Some(Self::First),
            "last_value" if is_running => Some(Self::Rows { before: 0, behind: 0, peers: true }),
            name if calls::is_aggregate(name)
                || matches!(name, "first_value" | "last_value" | "nth_value") =>
            {
                let (before, behind) = reach_of(frame?)?;
                Some(Self::Rows { before, behind, peers: false })
            }
            _ => None,
        }
    }

    /// Rows before and behind others that are looked at for these.
    pub fn reach(self) -> (usize, usize) {
        match self {
            Self::Rows { before, behind, .. } => (before, behind),
            _ => (0, 0),
        }
    }

    /// Whether rows with equal keys have to be looked at together.
    pub fn looks_at_peers(self) -> bool {
        match self {
            Self::Count { peers } | Self::Rows { peers, .. } => peers,
            Self::Sum | Self::Extreme(_) | Self::First => true,
            Self::Total => false,
        }
    }

    /// Whether its value in the last row is needed for the next ones.
    pub fn is_value(self) -> bool {
        matches!(self, Self::Sum | Self::Extreme(_) | Self::First)
    }

    /// The values of rows of which the first ones have been looked at before; `so_far` says what is known of the
    /// rows before them, and `last` is the value of the last of these.
    pub fn adjusted(self, values: Values, so_far: &SoFar, last: Option<&Values>) -> Result<Values> {
        let inside = so_far.known..so_far.value_end;
        match (self, last) {
            (Self::Total, _) => Ok(so_far.totals_of(values.data.len())),
            (Self::Rows { .. }, _) | (Self::Extreme(_) | Self::First, None) => Ok(values),
            (Self::First, Some(last)) => chosen(&values, last, |row| inside.contains(&row)),
            (Self::Extreme(wanted), Some(last)) => {
                let height = values.data.len();
                let both = behind(&values, last)?;
                let order = Ordered::of(&both)?;
                let is_null = predicate::nulls(&both)?;
                let is_better = |row: usize| match (is_null.get(height), is_null.get(row)) {
                    (Some(true), _) => false,
                    (_, Some(true)) => true,
                    _ => order.compare(height, row) == wanted,
                };
                chosen(&values, last, |row| inside.contains(&row) && is_better(row))
            }
            (Self::Count { .. }, _) => added(&values, 0..so_far.count_end, i64::try_from(so_far.count).ok()),
            (Self::Sum, last) => {
                let last = last.map(|last| Ok::<_, SqlError>(last.wholes()?.get(0))).transpose()?.flatten();
                let more = match so_far.known.checked_sub(1) {
                    // What the known rows come to by themselves is in `last`, too.
                    Some(at) => {
                        let own = values.wholes()?.get(at).unwrap_or(0);
                        last.map(|last| last - own)
                    }
                    None => last,
                };
                added(&values, inside, more)
            }
        }
    }
}

/// Some of the values with a number added.
fn added(values: &Values, inside: Range<usize>, more: Option<i64>) -> Result<Values> {
    if values.kind != Kind::Bigint {
        return Err(SqlError {
            of_memory: true,
            ..SqlError::new(format!(
                "rows that do not fit into memory cannot be added up as {}; PARTITION BY makes them less",
                values.kind
            ))
        });
    }
    let cells = values.wholes()?;
    let sum = |row: usize| match (cells.get(row), more.filter(|_| inside.contains(&row))) {
        (Some(value), Some(more)) => value
            .checked_add(more)
            .map(Some)
            .ok_or_else(|| SqlError::value("the sum is out of the range of bigint")),
        (value, more) => Ok(value.or(more)),
    };
    let cells = (0..values.data.len()).map(sum).collect::<Result<Vec<_>>>()?;
    Ok(Values::new(Kind::Bigint, i64::column(cells)))
}

/// The values, and another one behind them.
fn behind(values: &Values, last: &Values) -> Result<Values> {
    let mut data = values.data.clone();
    data.append_owned(last.data.clone())?;
    Ok(Values::new(values.kind.clone(), data.rechunk()))
}

/// The values, and `last` in some of the rows.
fn chosen(values: &Values, last: &Values, is_last: impl Fn(usize) -> bool) -> Result<Values> {
    let height = values.data.len();
    let place = |row: usize| u32::try_from(if is_last(row) { height } else { row }).ok();
    behind(values, last)?.take(&(0..height).map(place).collect::<Vec<_>>())
}

/// What is known of the rows before those that are looked at.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct SoFar {
    /// So many of those have been looked at before.
    pub known: usize,
    /// How many rows of the first one's partition come before it, and where that partition ends.
    pub count: usize,
    pub count_end: usize,
    /// Where the partition ends of the last row that has been looked at.
    pub value_end: usize,
    /// Where each partition ends, and how many rows it has; empty where nobody asks for them.
    pub totals: Vec<(usize, usize)>,
}

impl SoFar {
    /// For each of the first `height` rows, how many its partition has.
    fn totals_of(&self, height: usize) -> Values {
        let mut cells = Vec::with_capacity(height);
        for (end, total) in &self.totals {
            cells.resize((*end).min(height).max(cells.len()), i64::try_from(*total).ok());
        }
        Values::new(Kind::Bigint, i64::column(cells))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_on_where_the_last_ones_ended() {
        let values = |cells: &[Option<i64>]| Values::new(Kind::Bigint, i64::column(cells.to_vec()));
        let adjusted = |carry: Carry, cells: &[Option<i64>], known, count, last: Option<i64>| {
            let so_far = SoFar { known, count, count_end: 2, value_end: 2, totals: vec![(2, 9), (3, 1)] };
            let last = last.map(|last| values(&[Some(last)]));
            let values = carry.adjusted(values(cells), &so_far, last.as_ref()).unwrap().wholes().unwrap();
            (0..cells.len()).map(|row| values.get(row)).collect::<Vec<_>>()
        };
        let count = Carry::Count { peers: false };
        assert_eq!(adjusted(count, &[Some(1), Some(2)], 1, 10, None), [Some(11), Some(12)]);
        // Of the sum 30, the row that is known had 5; it is not looked at again.
        assert_eq!(adjusted(Carry::Sum, &[Some(5), Some(7)], 1, 3, Some(30)), [Some(5), Some(32)]);
        assert_eq!(adjusted(Carry::Sum, &[None, Some(7)], 0, 3, Some(30)), [Some(30), Some(37)]);
        assert_eq!(adjusted(Carry::Sum, &[None, Some(7)], 1, 3, None), [None, Some(7)]);
        // The third row is of another partition.
        assert_eq!(adjusted(count, &[Some(1), Some(2), Some(1)], 0, 9, None), [Some(10), Some(11), Some(1)]);
        let cells = [Some(1), Some(2), Some(4)];
        assert_eq!(adjusted(Carry::Sum, &cells, 0, 0, Some(5)), [Some(6), Some(7), Some(4)]);
        let greatest = Carry::Extreme(Ordering::Greater);
        assert_eq!(adjusted(greatest, &[None, Some(4), Some(1)], 0, 0, Some(3)), [Some(3), Some(4), Some(1)]);
        assert_eq!(adjusted(Carry::First, &cells, 1, 0, Some(9)), [Some(1), Some(9), Some(4)]);
        assert_eq!(adjusted(Carry::Total, &cells, 1, 0, None), [Some(9), Some(9), Some(1)]);
        assert_eq!(adjusted(Carry::Total, &cells[..1], 0, 0, None), [Some(9)]);
    }
}
