//! Aggregates over frames, in one pass over each partition.
//!
//! The frames of a window overlap: the running total of the n-th row covers n rows. Counts and sums of
//! whole numbers are differences of prefix sums; other aggregates are carried along, if every frame begins
//! with the partition.

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::rows::Aggregate;
use crate::sql::functions::predicate;
use crate::sql::scope::Scope;
use crate::sql::types::compare::Ordered;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;

/// The rows of a partition in order, and the start and end of each one's frame.
type Framed<'p> = (&'p [u32], Vec<(usize, usize)>);

/// Every partition with its frames.
pub(super) struct Frames<'p> {
    pub partitions: Vec<Framed<'p>>,
    pub height: usize,
}

/// The inputs of one call, for each row.
struct Input {
    /// Whether a row counts: FILTER is true and the value is not NULL.
    counts: Vec<bool>,
    value: Option<Values>,
    by: Option<Values>,
}

/// The aggregate for each row; `None` if it cannot be computed in one pass.
pub(super) fn evaluate(scope: &Scope<'_>, call: &Aggregate, frames: &Frames<'_>) -> Result<Option<Values>> {
    let name = call.name.as_str();
    let Some(input) = Input::of(scope, call)? else { return Ok(None) };
    let whole = input.value.as_ref().is_some_and(|value| value.kind == Kind::Bigint);
    Ok(Some(match name {
        "count" | "count_if" => frames.numbers(Kind::Bigint, |rows| {
            let counts = before_each(rows, |row| i128::from(input.counts(row)));
            move |start, end| Ok(Some(difference(&counts, start, end)?))
        })?,
        "sum" if whole => frames.numbers(Kind::Bigint, |rows| input.total(rows))?,
        "avg" if whole => frames.average(&input)?,
        "min" | "max" | "min_by" | "max_by" if frames.begin_with_partition() => {
            frames.extreme(&input, name.starts_with("max"))?
        }
        _ => return Ok(None),
    }))
}

impl Input {
    fn of(scope: &Scope<'_>, call: &Aggregate) -> Result<Option<Self>> {
        let (name, count) = (call.name.as_str(), call.arguments.len());
        let wanted = match name {
            "count" => count <= 1,
            "min_by" | "max_by" => count == 2,
            _ => count == 1,
        };
        if !wanted || call.is_distinct || !call.order_by.is_empty() || call.fold.is_some() {
            return Ok(None);
        }
        let values = call.arguments.iter().map(|argument| scope.values(argument));
        let mut values = values.collect::<Result<Vec<_>>>()?;
        let mut counts = match &call.filter {
            Some(filter) => scope.holds(filter)?,
            None => vec![true; scope.height()],
        };
        let by = if values.len() == 2 { values.pop() } else { None };
        let value = values.pop();
        if let (Some(value), "count_if") = (&value, name) {
            let truths = value.truths()?;
            counts
                .iter_mut()
                .enumerate()
                .for_each(|(row, slot)| *slot = *slot && truths.get(row) == Some(true));
        } else if let Some(seen) = by.as_ref().or(value.as_ref()) {
            counts.iter_mut().zip(predicate::nulls(seen)?).for_each(|(slot, null)| *slot = *slot && !null);
        }
        Ok(Some(Self { counts, value, by }))
    }

    fn counts(&self, row: u32) -> bool {
        self.counts.get(row as usize) == Some(&true)
    }

    /// The sum of whole numbers in a frame; NULL if no row counts.
    fn total(&self, rows: &[u32]) -> impl Fn(usize, usize) -> Result<Option<i64>> + use<> {
        let counts = before_each(rows, |row| i128::from(self.counts(row)));
        let cells = self.value.as_ref().and_then(|value| value.wholes().ok());
        let number = |row: u32| {
            cells.as_ref().filter(|_| self.counts(row)).and_then(|cells| cells.get(row as usize)).unwrap_or(0)
        };
        let sums = before_each(rows, |row| i128::from(number(row)));
        move |start, end| {
            if difference(&counts, start, end)? == 0 {
                Ok(None)
            } else {
                difference(&sums, start, end).map(Some)
            }
        }
    }
}

impl Frames<'_> {
    fn begin_with_partition(&self) -> bool {
        self.partitions.iter().all(|(_, ranges)| {
            ranges.iter().all(|(start, _)| *start == 0) && ranges.is_sorted_by_key(|(_, end)| *end)
        })
    }

    /// A whole number for each row, from the start and end of its frame.
    fn numbers<F: Fn(usize, usize) -> Result<Option<i64>>>(
        &self,
        kind: Kind,
        number: impl Fn(&[u32]) -> F,
    ) -> Result<Values> {
        let mut cells: Vec<Option<i64>> = vec![None; self.height];
        for (rows, ranges) in &self.partitions {
            let number = number(rows);
            for (row, (start, end)) in rows.iter().zip(ranges) {
                if let Some(slot) = cells.get_mut(*row as usize) {
                    *slot = number(*start, *end)?;
                }
            }
        }
        Ok(Values::new(kind, i64::column(cells)))
    }

    fn average(&self, input: &Input) -> Result<Values> {
        let sums = self.numbers(Kind::Bigint, |rows| input.total(rows))?;
        let counts = self.numbers(Kind::Bigint, |rows| {
            let counts = before_each(rows, |row| i128::from(input.counts(row)));
            move |start, end| Ok(Some(difference(&counts, start, end)?))
        })?;
        let (sums, counts) = (sums.doubles()?, counts.doubles()?);
        Values::build(Kind::Double, self.height, false, |row| {
            Ok(sums.get(row).zip(counts.get(row)).map(|(sum, count)| sum / count))
        })
    }

    /// The smallest or greatest value so far; if there are equal ones, the first.
    fn extreme(&self, input: &Input, greatest: bool) -> Result<Values> {
        let Some(value) = &input.value else { return Err(SqlError::new("an argument is missing")) };
        let order = Ordered::of(input.by.as_ref().unwrap_or(value))?;
        let wanted = if greatest { std::cmp::Ordering::Greater } else { std::cmp::Ordering::Less };
        let mut best_of_row: Vec<Option<u32>> = vec![None; self.height];
        for (rows, ranges) in &self.partitions {
            let (mut best, mut at): (Option<u32>, usize) = (None, 0);
            for (row, (_, end)) in rows.iter().zip(ranges) {
                for next in rows.get(at..*end).unwrap_or_default().iter().filter(|row| input.counts(**row)) {
                    if best.is_none_or(|known| order.compare(*next as usize, known as usize) == wanted) {
                        best = Some(*next);
                    }
                }
                at = at.max(*end);
                if let Some(slot) = best_of_row.get_mut(*row as usize) {
                    *slot = best;
                }
            }
        }
        value.take(&best_of_row)
    }
}

/// The sum of all rows before each position; one more entry than there are rows.
fn before_each(rows: &[u32], number: impl Fn(u32) -> i128) -> Vec<i128> {
    let mut sums = Vec::with_capacity(rows.len() + 1);
    let mut sum = 0_i128;
    sums.push(sum);
    for row in rows {
        sum += number(*row);
        sums.push(sum);
    }
    sums
}

fn difference(sums: &[i128], start: usize, end: usize) -> Result<i64> {
    let at = |index: usize| sums.get(index).copied().unwrap_or(0);
    i64::try_from(at(end) - at(start)).map_err(|_| SqlError::value("the sum is out of the range of bigint"))
}
