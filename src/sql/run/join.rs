//! Joins: rows with equal keys are found by grouping both sides at once; the rest of the condition is
//! evaluated for these pairs.
//!
//! Pairs are made and evaluated in blocks. If it only matters whether a row has a match (`EXISTS`, `IN`, semi
//! joins), pairs are not kept, and no more pairs are made for a row that has one.

mod numbers;

use polars::prelude::Series;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::join::Conjunct;
use crate::sql::memory::row_bytes;
use crate::sql::scope::{Scope, mask};
use crate::sql::types::compare;
use crate::sql::types::compare::key_column;
use crate::sql::types::relation::{Field, Groups, Relation};
use crate::sql::types::values::{Values, take};
use numbers::{NONE, Numbers};

/// Number of pairs in a block.
const BLOCK_PAIRS: usize = 1 << 17;

/// From which sides rows without a match are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::sql) struct Keeps {
    pub left: bool,
    pub right: bool,
}

/// Pairs of rows, by index.
#[derive(Default)]
struct Pairs {
    left: Vec<u32>,
    right: Vec<u32>,
}

/// Which rows of the right side are candidates for a row of the left.
enum Candidates {
    /// All of them: the condition contains no equality.
    All(u32),
    /// Those with the same keys.
    Equal {
        /// For each row of the left side, its group; [`NONE`] if a key is NULL, or there is no candidate.
        groups: Vec<u32>,
        /// Where the rows of each group begin in `rows`, followed by the end of the last group.
        starts: Vec<u32>,
        rows: Vec<u32>,
    },
}

impl Candidates {
    fn of(like: &Scope<'_>, keys: &[(Values, Values)], left: usize, right: usize) -> Result<Self> {
        if keys.is_empty() {
            return Ok(Self::All(u32::try_from(right).map_err(|_| SqlError::new("too many rows"))?));
        }
        like.session.limits().fits_rows(left + right, keys.len() * 16)?;
        let Numbers { left: groups, right: of_right, count } = numbers(keys, left, right)?;
        let mut starts = vec![0_u32; count + 1];
        // The slot of NONE is beyond all.
        for group in &of_right {
            if let Some(slot) = starts.get_mut((*group as usize).saturating_add(1)) {
                *slot += 1;
            }
        }
        let mut sum = 0;
        starts.iter_mut().for_each(|slot| {
            sum += *slot;
            *slot = sum;
        });
        let mut next = starts.clone();
        let mut rows = vec![0_u32; sum as usize];
        for (row, group) in (0_u32..).zip(&of_right) {
            if let Some(slot) = next.get_mut(*group as usize).filter(|_| *group != NONE) {
                if let Some(place) = rows.get_mut(*slot as usize) {
                    *place = row;
                }
                *slot += 1;
            }
        }
        Ok(Self::Equal { groups, starts, rows })
    }

    /// Number of candidates for a row of the left side.
    fn count(&self, row: usize) -> usize {
        match self {
            Self::All(count) => *count as usize,
            Self::Equal { .. } => self.rows(row).len(),
        }
    }

    fn rows(&self, row: usize) -> &[u32] {
        let Self::Equal { groups, starts, rows } = self else { return &[] };
        let range = groups.get(row).copied().filter(|group| *group != NONE).and_then(|group| {
            let at = |group: u32| starts.get(group as usize).map(|start| *start as usize);
            rows.get(at(group)?..at(group + 1)?)
        });
        range.unwrap_or_default()
    }

    /// Adds up to `most` pairs of a row of the left side with its candidates, from the `from`-th on.
    fn add(&self, row: u32, from: usize, most: usize, pairs: &mut Pairs) {
        let before = pairs.right.len();
        match self {
            Self::All(count) => pairs.right.extend((0..*count).skip(from).take(most)),
            Self::Equal { .. } => pairs.right.extend(self.rows(row as usize).iter().skip(from).take(most)),
        }
        pairs.left.extend(std::iter::repeat_n(row, pairs.right.len() - before));
    }
}

fn numbers(keys: &[(Values, Values)], left: usize, right: usize) -> Result<Numbers> {
    let columns = |(a, b): &(Values, Values)| Ok((key_column(a, left)?, key_column(b, right)?));
    let columns = keys.iter().map(columns).collect::<Result<Vec<_>>>()?;
    if let Some(numbers) = Numbers::of(&columns) {
        return Ok(numbers);
    }
    let Matched { groups, count, null } = Matched::of(keys, left, right)?;
    let mut all = groups.into_iter().zip(null).map(|(group, null)| if null { NONE } else { group });
    let of_left = all.by_ref().take(left).collect();
    Ok(Numbers { left: of_left, right: all.collect(), count })
}

/// The rows of both sides, the right ones after the left ones, numbered so that equal keys have equal
/// numbers.
pub(in crate::sql) struct Matched {
    pub groups: Vec<u32>,
    pub count: usize,
    /// Whether a key of the row is NULL, which is not equal to anything.
    pub null: Vec<bool>,
}

impl Matched {
    pub fn of(keys: &[(Values, Values)], left: usize, right: usize) -> Result<Self> {
        let mut columns: Vec<Series> = Vec::new();
        let mut null = vec![false; left + right];
        for (a, b) in keys {
            let mut column = key_column(a, left)?;
            column.append_owned(key_column(b, right)?)?;
            if column.has_nulls() {
                null.iter_mut()
                    .zip(column.is_null().iter())
                    .for_each(|(slot, is)| *slot = *slot || is == Some(true));
            }
            columns.push(column.rechunk());
        }
        let groups = Groups::by(&columns, left + right)?;
        Ok(Self { count: groups.count(), groups: groups.of_row, null })
    }
}

/// A join of these rows.
struct Join<'j> {
    like: &'j Scope<'j>,
    sides: [&'j Relation; 2],
    /// The columns of both sides, and which of them the rest of the condition uses.
    fields: Vec<Field>,
    is_used: Vec<bool>,
    candidates: Candidates,
    /// What is left of the condition besides the equalities by which candidates are found.
    rest: Vec<&'j Expression>,
}

impl<'j> Join<'j> {
    fn of(like: &'j Scope<'j>, sides: [&'j Relation; 2], condition: &'j [Conjunct]) -> Result<Self> {
        let [left, right] = sides;
        let (mut keys, mut rest) = (Vec::new(), Vec::new());
        for conjunct in condition {
            match conjunct.equal.as_ref().map(|equal| keys_of(like, sides, equal)).transpose()?.flatten() {
                Some(pair) => keys.push(pair),
                None => rest.push(conjunct),
            }
        }
        let fields: Vec<Field> = left.fields.iter().chain(&right.fields).cloned().collect();
        let is_used = |index: usize| rest.iter().any(|conjunct| conjunct.used.contains(index));
        Ok(Self {
            is_used: (0..fields.len()).map(is_used).collect(),
            candidates: Candidates::of(like, &keys, left.height, right.height)?,
            rest: rest.iter().map(|conjunct| &conjunct.whole).collect(),
            like,
            sides,
            fields,
        })
    }

    fn height(&self) -> usize {
        self.sides[0].height
    }

    /// Calls `take` with the pairs for which the whole condition is true, block by block.
    fn each(&self, mut take: impl FnMut(Pairs) -> Result<()>) -> Result<()> {
        let mut block = Pairs::default();
        for row in 0..u32::try_from(self.height()).map_err(|_| SqlError::new("too many rows"))? {
            let (count, mut from) = (self.candidates.count(row as usize), 0);
            while from < count {
                let most = BLOCK_PAIRS - block.left.len();
                self.candidates.add(row, from, most, &mut block);
                from += most.min(count - from);
                if block.left.len() >= BLOCK_PAIRS {
                    take(self.restricted(std::mem::take(&mut block))?)?;
                }
            }
        }
        take(self.restricted(block)?)
    }

    /// For each row of the left side, whether it has a match. All rows are tried with one candidate, then
    /// those without a match with two more, then four, so that few pairs are made for rows with an early
    /// match.
    fn found(&self) -> Result<Vec<bool>> {
        let count = |row: &u32| self.candidates.count(*row as usize);
        let mut open: Vec<u32> = (0..u32::try_from(self.height())
            .map_err(|_| SqlError::new("too many rows"))?)
            .filter(|row| count(row) > 0)
            .collect();
        let mut found = vec![false; self.height()];
        if self.rest.is_empty() {
            mark(&mut found, &open);
            return Ok(found);
        }
        let (mut from, mut size) = (0, 1);
        while !open.is_empty() {
            let mut block = Pairs::default();
            let mut next = open.iter().peekable();
            while let Some(row) = next.next() {
                self.candidates.add(*row, from, size, &mut block);
                if block.left.len() < BLOCK_PAIRS && next.peek().is_some() {
                    continue;
                }
                mark(&mut found, &self.restricted(std::mem::take(&mut block))?.left);
            }
            from += size;
            size = (2 * size).min(BLOCK_PAIRS);
            open.retain(|row| count(row) > from && found.get(*row as usize) == Some(&false));
        }
        Ok(found)
    }

    /// The columns of some pairs that the rest of the condition uses; the others are empty of values.
    fn used_columns(&self, pairs: &Pairs) -> Result<Relation> {
        let height = pairs.left.len();
        let some = |rows: &[u32]| rows.iter().copied().map(Some).collect::<Vec<_>>();
        let rows = [some(&pairs.left), some(&pairs.right)];
        let columns = self.sides.iter().zip(&rows);
        let columns = columns.flat_map(|(side, rows)| side.columns.iter().map(move |column| (column, rows)));
        let columns = columns.zip(&self.is_used).map(|((column, rows), is_used)| match is_used {
            true => take(column, rows),
            false => Ok(Series::new_null(column.name().clone(), height)),
        });
        Ok(Relation { fields: self.fields.clone(), columns: columns.collect::<Result<_>>()?, height })
    }

    fn restricted(&self, pairs: Pairs) -> Result<Pairs> {
        self.like.session.limits().fits(0, 0)?;
        if self.rest.is_empty() || pairs.left.is_empty() {
            return Ok(pairs);
        }
        let joined = self.used_columns(&pairs)?;
        let scope = Scope { relation: &joined, known: &[], ungrouped: None, ..*self.like };
        let mut keep = vec![true; joined.height];
        for condition in &self.rest {
            let holds = scope.holds_among(condition, &keep)?;
            keep.iter_mut().zip(holds).for_each(|(slot, holds)| *slot = *slot && holds);
        }
        let keep_of = |rows: Vec<u32>| {
            rows.into_iter().zip(&keep).filter(|(_, keep)| **keep).map(|(row, _)| row).collect()
        };
        Ok(Pairs { left: keep_of(pairs.left), right: keep_of(pairs.right) })
    }
}

/// The values by which equal rows are found; `None` if one of them is invalid: it may be in a row that has no match,
/// so that it is an error only of a pair.
fn keys_of(
    like: &Scope<'_>,
    [left, right]: [&Relation; 2],
    (first, second): &(Expression, Expression),
) -> Result<Option<(Values, Values)>> {
    let side = |rows: &Relation, key: &Expression| Scope::new(like.session, like.ctes, rows).value(key);
    match (side(left, first), side(right, second)) {
        (Ok(x), Ok(y)) => unified(&x, &y, left.height, right.height).map(Some),
        (Err(error), _) | (_, Err(error)) if error.by_value => Ok(None),
        (Err(error), _) | (_, Err(error)) => Err(error),
    }
}

/// Converts two columns that are compared to a common type, each with the height of its side.
pub(in crate::sql) fn unified(x: &Values, y: &Values, left: usize, right: usize) -> Result<(Values, Values)> {
    let (x, y) = compare::unify(x, y, left.max(right), true)?;
    let spread = |values: Values, height: usize| Values::new(values.kind.clone(), values.spread(height));
    Ok((spread(x, left), spread(y, right)))
}

/// The joined rows.
pub(in crate::sql) fn join(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    condition: &[Conjunct],
    keeps: Keeps,
) -> Result<Relation> {
    let limits = like.session.limits();
    let bytes = row_bytes(left) + row_bytes(right);
    let mut pairs = Pairs::default();
    let each = |block: Pairs| {
        limits.fits_rows(pairs.left.len() + block.left.len(), bytes)?;
        pairs.left.extend(block.left);
        pairs.right.extend(block.right);
        Ok(())
    };
    Join::of(like, [left, right], condition)?.each(each)?;
    let (mut lefts, mut rights) = (Vec::new(), Vec::new());
    if keeps.left {
        let count = pairs.left.len() + alone(&pairs.left, left.height).len();
        limits.fits_rows(count, bytes)?;
        (lefts, rights) = with_all_left(&pairs, left.height, count);
    } else {
        lefts.extend(pairs.left.iter().copied().map(Some));
        rights.extend(pairs.right.iter().copied().map(Some));
    }
    if keeps.right {
        let alone = alone(&pairs.right, right.height);
        lefts.extend(std::iter::repeat_n(None, alone.len()));
        rights.extend(alone);
    }
    Ok(left.take(&lefts)?.beside(right.take(&rights)?))
}

/// Pairs, and in between the rows of the left side that are in none of them. Pairs are in the order of that side.
fn with_all_left(pairs: &Pairs, height: usize, count: usize) -> (Vec<Option<u32>>, Vec<Option<u32>>) {
    let (mut lefts, mut rights) = (Vec::with_capacity(count), Vec::with_capacity(count));
    let mut next = pairs.left.iter().copied().zip(pairs.right.iter().copied()).peekable();
    for row in (0_u32..).take(height) {
        let before = lefts.len();
        while let Some((left, right)) = next.next_if(|(left, _)| *left == row) {
            lefts.push(Some(left));
            rights.push(Some(right));
        }
        if lefts.len() == before {
            lefts.push(Some(row));
            rights.push(None);
        }
    }
    (lefts, rights)
}

fn alone(matched: &[u32], height: usize) -> Vec<Option<u32>> {
    let mut has = vec![false; height];
    mark(&mut has, matched);
    (0_u32..).zip(has).filter(|(_, has)| !has).map(|(row, _)| Some(row)).collect()
}

fn mark(slots: &mut [bool], rows: &[u32]) {
    for row in rows {
        if let Some(slot) = slots.get_mut(*row as usize) {
            *slot = true;
        }
    }
}

/// For each row of `left`, whether it has a match.
pub(in crate::sql) fn found(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    condition: &[Conjunct],
) -> Result<Vec<bool>> {
    Join::of(like, [left, right], condition)?.found()
}

/// The rows of `left` that have a match (or none, if `negated`).
pub(in crate::sql) fn semi(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    condition: &[Conjunct],
    negated: bool,
) -> Result<Relation> {
    let keep: Vec<bool> =
        found(like, left, right, condition)?.into_iter().map(|found| found != negated).collect();
    left.filter(&mask(&keep))
}
