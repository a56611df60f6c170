//! Window frames in `ROWS`, `RANGE` and `GROUPS`: which rows an aggregate sees from each row.

use sqlparser::ast::WindowFrameUnits;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::rows::{self, FrameBound, Window};
use crate::sql::scope::Scope;
use crate::sql::types::clock;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The frame clause of a window.
pub(super) struct Frame {
    units: WindowFrameUnits,
    start: Bound,
    end: Bound,
    /// For a `RANGE` with a distance: each row's ORDER BY value.
    keys: Vec<Option<f64>>,
    descending: bool,
}

enum Bound {
    Unbounded,
    Current,
    Before(Distance),
    After(Distance),
}

#[derive(Clone, Copy)]
enum Distance {
    /// A number of rows, or of peer groups.
    Count(usize),
    /// A difference of values; for times in milliseconds.
    Value(f64),
    Months(i64),
}

/// The rows of one partition in order, prepared for frames.
struct Ordered<'r> {
    /// For each row the number of its peer group.
    group_of: Vec<usize>,
    /// Start and end of each peer group.
    groups: Vec<(usize, usize)>,
    rows: &'r [u32],
    /// Start and end of the rows with a value to measure by: NULLs are together at one end.
    valued: (usize, usize),
}

impl Frame {
    /// The frame of a window. By default: up to the current row and its peers if there is an ORDER BY,
    /// otherwise all rows.
    pub fn of(scope: &Scope<'_>, window: &Window) -> Result<Self> {
        let Some(frame) = &window.frame else {
            let end = if window.order_by.is_empty() { Bound::Unbounded } else { Bound::Current };
            return Ok(Self {
                units: WindowFrameUnits::Range,
                start: Bound::Unbounded,
                end,
                keys: Vec::new(),
                descending: false,
            });
        };
        let key = range_key(scope, window, frame)?;
        let kind = key.as_ref().map(|key| &key.kind);
        let bound = |bound: &FrameBound| {
            Ok::<_, SqlError>(match bound {
                FrameBound::Current => Bound::Current,
                FrameBound::Unbounded => Bound::Unbounded,
                FrameBound::Before(distance) => Bound::Before(self::distance(scope, distance, kind)?),
                FrameBound::After(distance) => Bound::After(self::distance(scope, distance, kind)?),
            })
        };
        let end = bound(&frame.end)?;
        let descending = window.order_by.first().is_some_and(|(_, options)| options.asc == Some(false));
        let keys = key.as_ref().map(|key| numbers(key, scope.height())).transpose()?.unwrap_or_default();
        Ok(Self { units: frame.units, start: bound(&frame.start)?, end, keys, descending })
    }

    /// For each row of a partition, the start and end of its frame. `peer` returns equal numbers for peers.
    pub fn ranges(&self, rows: &[u32], peer: impl Fn(u32) -> u32) -> Vec<(usize, usize)> {
        let ordered = Ordered { valued: self.valued(rows), ..Ordered::of(rows, peer) };
        let range = |at| {
            let (from, until) =
                (self.edge(&ordered, at, &self.start, true), self.edge(&ordered, at, &self.end, false));
            (from, until.max(from))
        };
        (0..rows.len()).map(range).collect()
    }

    /// The value by which a row is measured.
    fn key(&self, row: u32) -> Option<f64> {
        self.keys.get(row as usize).copied().flatten()
    }

    fn valued(&self, rows: &[u32]) -> (usize, usize) {
        let has_value = |row: &u32| self.key(*row).is_some();
        let first = rows.iter().position(has_value).unwrap_or(rows.len());
        (first, rows.iter().rposition(has_value).map_or(first, |last| last + 1))
    }

    /// The start (`is_start`) or end of a frame.
    fn edge(&self, ordered: &Ordered<'_>, at: usize, bound: &Bound, is_start: bool) -> usize {
        let length = ordered.rows.len();
        let own = if self.units == WindowFrameUnits::Rows { (at, at + 1) } else { ordered.peers(at) };
        let side = |(start, end): (usize, usize)| if is_start { start } else { end };
        match bound {
            Bound::Unbounded => side((0, length)),
            Bound::Current => side(own),
            Bound::Before(Distance::Count(count)) if self.units == WindowFrameUnits::Rows => {
                side((at.saturating_sub(*count), (at + 1).saturating_sub(*count)))
            }
            Bound::After(Distance::Count(count)) if self.units == WindowFrameUnits::Rows => {
                let first = at.saturating_add(*count).min(length);
                side((first, first.saturating_add(1).min(length)))
            }
            Bound::Before(Distance::Count(count)) => {
                ordered.group(at).checked_sub(*count).map_or(0, |group| side(ordered.bounds(group)))
            }
            Bound::After(Distance::Count(count)) => {
                side(ordered.bounds(ordered.group(at).saturating_add(*count)))
            }
            Bound::Before(distance) => {
                self.edge_by_value(ordered, at, *distance, true, is_start).unwrap_or_else(|| side(own))
            }
            Bound::After(distance) => {
                self.edge_by_value(ordered, at, *distance, false, is_start).unwrap_or_else(|| side(own))
            }
        }
    }

    /// `None` for a row whose value is NULL: its frame consists of its peers.
    fn edge_by_value(
        &self,
        ordered: &Ordered<'_>,
        at: usize,
        distance: Distance,
        back: bool,
        is_start: bool,
    ) -> Option<usize> {
        let key = |at: usize| ordered.rows.get(at).and_then(|row| self.key(*row));
        let target = distance.from(key(at)?, back != self.descending)?;
        let is_before = |value: f64| if self.descending { value > target } else { value < target };
        let (mut low, mut high) = ordered.valued;
        while low < high {
            let middle = low + (high - low) / 2;
            let value = key(middle)?;
            if is_before(value) || (!is_start && value == target) { low = middle + 1 } else { high = middle }
        }
        Some(low)
    }
}

impl Distance {
    /// The value at this distance below (`down`) or above another.
    fn from(self, value: f64, down: bool) -> Option<f64> {
        Some(match self {
            Self::Count(_) => return None,
            Self::Value(by) => {
                if down {
                    value - by
                } else {
                    value + by
                }
            }
            Self::Months(by) => clock::plus_months(value as i64, if down { -by } else { by })? as f64,
        })
    }
}

impl<'r> Ordered<'r> {
    fn of(rows: &'r [u32], peer: impl Fn(u32) -> u32) -> Self {
        let mut ordered =
            Self { group_of: Vec::with_capacity(rows.len()), groups: Vec::new(), rows, valued: (0, 0) };
        let mut last = None;
        for (at, row) in rows.iter().enumerate() {
            if last != Some(peer(*row)) {
                last = Some(peer(*row));
                ordered.groups.push((at, at));
            }
            if let Some((_, end)) = ordered.groups.last_mut() {
                *end = at + 1;
            }
            ordered.group_of.push(ordered.groups.len() - 1);
        }
        ordered
    }

    fn group(&self, at: usize) -> usize {
        self.group_of.get(at).copied().unwrap_or(0)
    }

    fn bounds(&self, group: usize) -> (usize, usize) {
        self.groups.get(group).copied().unwrap_or((self.rows.len(), self.rows.len()))
    }

    fn peers(&self, at: usize) -> (usize, usize) {
        self.bounds(self.group(at))
    }
}

/// The value by which a `RANGE` with a distance measures; `None` if there is no such distance.
fn range_key(scope: &Scope<'_>, window: &Window, frame: &rows::Frame) -> Result<Option<Values>> {
    let has_distance = |bound: &FrameBound| matches!(bound, FrameBound::Before(_) | FrameBound::After(_));
    if frame.units != WindowFrameUnits::Range || !(has_distance(&frame.start) || has_distance(&frame.end)) {
        return Ok(None);
    }
    match window.order_by.as_slice() {
        [(key, _)] => scope.values(key).map(Some),
        _ => Err(SqlError::new("a RANGE with a distance needs one value in ORDER BY")),
    }
}

fn distance(scope: &Scope<'_>, written: &Expression, key: Option<&Kind>) -> Result<Distance> {
    let value = scope.value(written)?;
    let found = match (key, &value.kind) {
        (None, Kind::Bigint) => {
            value.constant_whole().and_then(|count| usize::try_from(count).ok()).map(Distance::Count)
        }
        (Some(key), number) if key.is_number() && number.is_number() && value.constant => {
            value.doubles()?.get(0).map(Distance::Value)
        }
        (Some(key), Kind::Span) if is_time(key) => {
            value.wholes()?.get(0).map(|millis| Distance::Value(millis as f64))
        }
        (Some(key), Kind::Months) if is_time(key) => value.wholes()?.get(0).map(Distance::Months),
        _ => None,
    };
    let needed = match key {
        None => "a whole number".to_owned(),
        Some(key) if is_time(key) => "an interval".to_owned(),
        Some(key) => format!("a number, and ORDER BY one to measure (this is {key})"),
    };
    found.ok_or_else(|| SqlError::new(format!("a frame needs {needed}")).at_span(written.span))
}

/// A text in ORDER BY may be a time, as CloudTrail's `eventtime` is.
fn is_time(kind: &Kind) -> bool {
    kind.is_time() || *kind == Kind::Varchar
}

fn numbers(key: &Values, height: usize) -> Result<Vec<Option<f64>>> {
    if is_time(&key.kind) {
        let cells = clock::millis(key, height)?;
        return Ok((0..height).map(|row| cells.get(row).map(|millis| millis as f64)).collect());
    }
    let cells = key.doubles()?;
    Ok((0..height).map(|row| cells.get(row)).collect())
}
