//! Window functions over rows of which some are looked at at a time: what is carried from these to the next.

use sqlparser::ast::{
    Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Value, WindowFrame, WindowFrameBound,
    WindowSpec,
};

use crate::sql::error::{Result, SqlError};
use crate::sql::syntax::names;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// `lag` and `lead` look at most so many rows away.
const REACH_MAX: usize = 10_000;

/// What a window function needs of the rows before those that are looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) enum Carry {
    /// How many there are.
    Count { peers: bool },
    /// Its value in the last of them.
    Value,
    /// Some of the rows before, and behind.
    Rows { before: usize, behind: usize },
}

/// The whole number that an argument is.
fn whole(arg: &FunctionArg) -> Option<usize> {
    let FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Value(value))) = arg else { return None };
    let Value::Number(text, _) = &value.value else { return None };
    text.parse().ok().filter(|reach| *reach <= REACH_MAX)
}

/// Whether a frame goes from the first row to this one.
fn is_running(frame: &WindowFrame) -> bool {
    frame.start_bound == WindowFrameBound::Preceding(None)
        && frame.end_bound.as_ref().is_none_or(|end| *end == WindowFrameBound::CurrentRow)
}

impl Carry {
    /// `None` if more is needed.
    pub fn of(function: &Function, spec: &WindowSpec) -> Option<Self> {
        let FunctionArguments::List(list) = &function.args else { return None };
        let is_plain = list.clauses.is_empty()
            && list.duplicate_treatment.is_none()
            && function.null_treatment.is_none()
            && function.within_group.is_empty();
        if !is_plain || spec.window_name.is_some() {
            return None;
        }
        let is_framed = spec.window_frame.is_some();
        match names::of_function(function).as_str() {
            "row_number" => Some(Self::Count { peers: false }),
            "rank" if !spec.order_by.is_empty() => Some(Self::Count { peers: true }),
            "dense_rank" if !spec.order_by.is_empty() => Some(Self::Value),
            name @ ("lag" | "lead") if !is_framed => {
                let reach = list.args.get(1).map_or(Some(1), whole)?;
                let (before, behind) = if name == "lag" { (reach, 0) } else { (0, reach) };
                Some(Self::Rows { before, behind })
            }
            "count" | "count_if" | "sum"
                if !spec.order_by.is_empty() && spec.window_frame.as_ref().is_none_or(is_running) =>
            {
                Some(Self::Value)
            }
            _ => None,
        }
    }

    /// Rows before and behind others that are looked at for these.
    pub fn reach(self) -> (usize, usize) {
        match self {
            Self::Rows { before, behind } => (before, behind),
            _ => (0, 0),
        }
    }

    /// Whether rows with equal keys have to be looked at together.
    pub fn looks_at_peers(self) -> bool {
        matches!(self, Self::Count { peers: true } | Self::Value)
    }

    /// Whether its value in the last row is needed for the next ones.
    pub fn is_value(self) -> bool {
        self == Self::Value
    }

    /// The values of rows of which the first ones have been looked at before; `so_far` says what is known of the
    /// rows before them.
    pub fn adjusted(self, values: Values, so_far: &SoFar, last: Option<i64>) -> Result<Values> {
        if matches!(self, Self::Rows { .. }) {
            return Ok(values);
        }
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
        let (range, more) = match self {
            Self::Count { .. } => (0..so_far.count_end, i64::try_from(so_far.count).ok()),
            _ => {
                let more = match so_far.known.checked_sub(1).map(|at| cells.get(at)) {
                    // What the known rows come to by themselves is in `last`, too.
                    Some(own) => last.map(|last| last - own.unwrap_or(0)),
                    None => last,
                };
                (so_far.known..so_far.value_end, more)
            }
        };
        let sum = |row: usize| match (cells.get(row), more.filter(|_| range.contains(&row))) {
            (Some(value), Some(more)) => value
                .checked_add(more)
                .map(Some)
                .ok_or_else(|| SqlError::value("the sum is out of the range of bigint")),
            (value, more) => Ok(value.or(more)),
        };
        let cells = (0..values.data.len()).map(sum).collect::<Result<Vec<_>>>()?;
        Ok(Values::new(Kind::Bigint, i64::column(cells)))
    }
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_go_on_where_the_last_ones_ended() {
        let values = |cells: &[Option<i64>]| Values::new(Kind::Bigint, i64::column(cells.to_vec()));
        let adjusted = |carry: Carry, cells: &[Option<i64>], known, count, last| {
            let so_far = SoFar { known, count, count_end: 2, value_end: 2 };
            let values = carry.adjusted(values(cells), &so_far, last).unwrap().wholes().unwrap();
            (0..cells.len()).map(|row| values.get(row)).collect::<Vec<_>>()
        };
        let count = Carry::Count { peers: false };
        assert_eq!(adjusted(count, &[Some(1), Some(2)], 1, 10, None), [Some(11), Some(12)]);
        // Of the sum 30, the row that is known had 5; it is not looked at again.
        assert_eq!(adjusted(Carry::Value, &[Some(5), Some(7)], 1, 3, Some(30)), [Some(5), Some(32)]);
        assert_eq!(adjusted(Carry::Value, &[None, Some(7)], 0, 3, Some(30)), [Some(30), Some(37)]);
        assert_eq!(adjusted(Carry::Value, &[None, Some(7)], 1, 3, None), [None, Some(7)]);
        // The third row is of another partition.
        assert_eq!(adjusted(count, &[Some(1), Some(2), Some(1)], 0, 9, None), [Some(10), Some(11), Some(1)]);
        let cells = [Some(1), Some(2), Some(4)];
        assert_eq!(adjusted(Carry::Value, &cells, 0, 0, Some(5)), [Some(6), Some(7), Some(4)]);
    }
}
