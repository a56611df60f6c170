//! Sorts rows by numbers that their keys begin with, and those with equal numbers by what follows.
//!
//! The number has as many keys as find room in it, each in as few bits as its values in these rows need: of whole
//! numbers the distance from the least one, of texts that repeat the place among all different ones, and of other texts
//! the [bytes in which they differ](places).

mod places;

use std::cmp::Ordering;

use foldhash::fast::RandomState;
use indexmap::IndexSet;
use sqlparser::ast::OrderByOptions;

use super::column::KeyColumn;
use places::Places;

/// So few rows are compared key by key.
const FEW: usize = 16;
/// Rows that are equal in so many numbers, one after another, are compared key by key.
const TIMES_MAX: usize = 64;
const BITS: u32 = u64::BITS;
/// Keys that find less room than this do not begin in the number.
const ROOM_MIN: u32 = 8;

type Key = (KeyColumn, OrderByOptions);

/// A row with its number.
type Row = (u64, u32);

/// The rows in order; equal rows stay in their order.
pub(super) fn order(keys: &[Key], height: usize) -> Vec<Option<u32>> {
    let mut rows: Vec<Row> = (0_u32..).take(height).map(|row| (0, row)).collect();
    sort(keys, &mut rows, 0);
    rows.into_iter().map(|(_, row)| Some(row)).collect()
}

/// `times`: how often numbers of these rows have been equal.
fn sort(keys: &[Key], rows: &mut [Row], times: usize) {
    if rows.len() <= FEW || times > TIMES_MAX {
        return rows.sort_by(|a, b| compare(keys, a.1 as usize, b.1 as usize));
    }
    rows.iter_mut().for_each(|(number, _)| *number = 0);
    let (mut room, mut done) = (BITS, 0);
    for (column, options) in keys {
        let Some(mut part) = Part::of(column, *options, rows, room, false) else { break };
        let mut is_whole = part.add(column, rows);
        // Where only a few texts do not fit, all of them are looked at once more.
        if !is_whole && part.would_be_whole() {
            part.take_back(rows);
            let Some(exact) = Part::of(column, *options, rows, room, true) else { break };
            part = exact;
            is_whole = part.add(column, rows);
        }
        room -= part.bits();
        if !is_whole {
            break;
        }
        done += 1;
        if room < ROOM_MIN {
            break;
        }
    }
    // Rows that are in order already, or parts of them, take hardly any time.
    rows.sort_by_key(|(number, _)| *number);
    let rest = keys.get(done..).unwrap_or_default();
    if rest.is_empty() {
        return;
    }
    for equal in rows.chunk_by_mut(|a, b| a.0 == b.0).filter(|equal| equal.len() > 1) {
        sort(rest, equal, times + 1);
    }
}

fn compare(keys: &[Key], a: usize, b: usize) -> Ordering {
    let mut orders = keys.iter().map(|(column, options)| column.compare(*options, a, b));
    orders.find(|order| order.is_ne()).unwrap_or(Ordering::Equal)
}

/// The bits of one key.
struct Part {
    form: Form,
    /// Without the one that says whether it is NULL.
    bits: u32,
    has_nulls: bool,
    options: OrderByOptions,
}

enum Form {
    Number {
        least: u64,
        /// So many lower bits find no room.
        left_out: u32,
    },
    /// For each of the rows the place of its text.
    Ranks(Vec<u32>),
    Places(Places),
}

impl Part {
    /// `None` if there is no room for it. `of_all`: all texts are looked at.
    fn of(
        column: &KeyColumn,
        options: OrderByOptions,
        rows: &[Row],
        room: u32,
        of_all: bool,
    ) -> Option<Self> {
        let (form, bits, has_nulls) = match column.is_of_bytes() {
            true => of_bytes(column, rows, room, of_all)?,
            false => of_numbers(column, rows, room)?,
        };
        Some(Self { form, bits, has_nulls, options })
    }

    fn bits(&self) -> u32 {
        self.bits + u32::from(self.has_nulls)
    }

    /// Whether rows with equal bits have equal keys, if all texts are like those that were looked at.
    fn would_be_whole(&self) -> bool {
        matches!(&self.form, Form::Places(places) if places.are_all())
    }

    /// Takes it from the numbers of rows, to which it has been added.
    fn take_back(&self, rows: &mut [Row]) {
        let bits = self.bits();
        rows.iter_mut().for_each(|(number, _)| *number = number.checked_shr(bits).unwrap_or(0));
    }

    /// Adds it to the numbers of rows. Returns whether rows with equal bits have equal keys.
    fn add(&self, column: &KeyColumn, rows: &mut [Row]) -> bool {
        let mut added = Added::of(self);
        match &self.form {
            Form::Number { least, left_out } => {
                for (slot, row) in rows {
                    let number = column.number(*row as usize);
                    let number = number.map(|number| (number - least).checked_shr(*left_out).unwrap_or(0));
                    *slot = added.to(*slot, number);
                }
                *left_out == 0
            }
            Form::Ranks(ranks) => {
                for ((slot, _), rank) in rows.iter_mut().zip(ranks) {
                    *slot = added.to(*slot, (*rank != NULL).then(|| u64::from(*rank)));
                }
                true
            }
            Form::Places(places) => {
                let mut is_whole = places.are_all();
                column.each_bytes(rows.iter_mut().map(|(slot, row)| (slot, *row)), |slot, text| {
                    let number = text.map(|text| {
                        let (number, is_exact) = places.number(text);
                        is_whole &= is_exact;
                        number
                    });
                    *slot = added.to(*slot, number);
                });
                is_whole && !added.misses_null
            }
        }
    }
}

/// Adds the bits of a key to numbers.
struct Added {
    bits: u32,
    greatest: u64,
    of_null: u64,
    /// What is added to those that are not NULL.
    more: u64,
    descending: bool,
    has_nulls: bool,
    /// Whether there was a NULL where none was expected.
    misses_null: bool,
}

impl Added {
    fn of(part: &Part) -> Self {
        let greatest = 1_u64.checked_shl(part.bits).unwrap_or(0).wrapping_sub(1);
        let nulls_first = part.options.nulls_first == Some(true);
        let beyond = if part.has_nulls { greatest.wrapping_add(1) } else { 0 };
        Self {
            bits: part.bits(),
            greatest,
            of_null: match (nulls_first, part.has_nulls) {
                (true, _) => 0,
                (false, true) => beyond,
                (false, false) => greatest,
            },
            more: if nulls_first { beyond } else { 0 },
            descending: part.options.asc == Some(false),
            has_nulls: part.has_nulls,
            misses_null: false,
        }
    }

    fn to(&mut self, before: u64, number: Option<u64>) -> u64 {
        let number = match number {
            Some(number) if self.descending => self.greatest - number + self.more,
            Some(number) => number + self.more,
            None => {
                self.misses_null |= !self.has_nulls;
                self.of_null
            }
        };
        before.checked_shl(self.bits).unwrap_or(0) | number
    }
}

/// Form, bits, and whether there are NULLs.
type Found = (Form, u32, bool);

fn of_numbers(column: &KeyColumn, rows: &[Row], room: u32) -> Option<Found> {
    let (mut least, mut greatest, mut has_nulls) = (u64::MAX, 0, false);
    for (_, row) in rows {
        match column.number(*row as usize) {
            Some(number) => (least, greatest) = (least.min(number), greatest.max(number)),
            None => has_nulls = true,
        }
    }
    let needed = BITS - greatest.saturating_sub(least).leading_zeros();
    let bits = needed.min(room.checked_sub(u32::from(has_nulls))?);
    let left_out = needed - bits;
    (bits > 0 || needed == 0).then_some((Form::Number { least, left_out }, bits, has_nulls))
}

/// So many rows show where texts differ.
const SAMPLE: usize = 1_024;
/// Texts that need more bits may repeat, and then need fewer.
const FEW_BITS: u32 = 12;

fn of_bytes(column: &KeyColumn, rows: &[Row], room: u32, of_all: bool) -> Option<Found> {
    let all = || rows.iter().map(|(_, row)| ((), *row));
    let looks_at_all = of_all || rows.len() <= SAMPLE;
    let (mut places, mut has_nulls) = match looks_at_all {
        true => Places::of(column, all(), room)?,
        false => Places::of(column, some(rows), room)?,
    };
    if !of_all
        && (places.bits() > FEW_BITS || !places.are_all())
        && let Some((ranks, bits)) = ranks(column, rows, room - 1)
    {
        let has_nulls = ranks.contains(&NULL);
        return Some((Form::Ranks(ranks), bits, has_nulls));
    }
    if places.bits() == 0 && !looks_at_all {
        (places, has_nulls) = Places::of(column, all(), room)?;
    }
    let bits = places.bits();
    Some((Form::Places(places), bits, has_nulls))
}

/// Some of the rows. What comes again and again at regular distances is not all that is among them.
fn some(rows: &[Row]) -> impl Iterator<Item = ((), u32)> + Clone {
    let at = |nth: usize| rows.get(nth.wrapping_mul(2_654_435_761) % rows.len());
    (0..SAMPLE).filter_map(at).map(|(_, row)| ((), *row))
}

/// The rank of NULL.
const NULL: u32 = u32::MAX;
/// Texts repeat if there are fewer different ones than this, and one for so many rows.
const DIFFERENT: usize = 256;
const ROWS_EACH: usize = 16;
/// So many copies of texts are known by their places in memory.
const COPIES: usize = 1_024;

/// For each of the rows the place of its text among all different ones, if texts repeat and if there is room.
fn ranks(column: &KeyColumn, rows: &[Row], room: u32) -> Option<(Vec<u32>, u32)> {
    if rows.len() < DIFFERENT {
        return None;
    }
    let mut known: IndexSet<&[u8], RandomState> = IndexSet::default();
    let mut numbers: Vec<u32> = Vec::with_capacity(rows.len());
    let nothing: &[u8] = &[];
    let mut copies: Vec<(&[u8], u32)> = vec![(nothing, 0); COPIES];
    for some in rows.chunks(DIFFERENT) {
        column.each_bytes(some.iter().map(|(_, row)| ((), *row)), |(), text| {
            let Some(text) = text else { return numbers.push(NULL) };
            let number = match copies.get_mut(text.as_ptr().addr() / 16 % COPIES) {
                Some((copy, number)) if std::ptr::eq(*copy, text) && !text.is_empty() => *number,
                slot => {
                    let number = u32::try_from(known.insert_full(text).0).unwrap_or(NULL);
                    if let Some(slot) = slot {
                        *slot = (text, number);
                    }
                    number
                }
            };
            numbers.push(number);
        });
        if known.len() >= DIFFERENT + numbers.len() / ROWS_EACH {
            return None;
        }
    }
    let bits = usize::BITS - known.len().saturating_sub(1).leading_zeros();
    if bits > room {
        return None;
    }
    let mut sorted: Vec<(&[u8], usize)> = known.iter().copied().zip(0..).collect();
    sorted.sort_unstable();
    let mut of_number = vec![0_u32; sorted.len()];
    for (rank, (_, number)) in (0_u32..).zip(sorted) {
        if let Some(slot) = of_number.get_mut(number) {
            *slot = rank;
        }
    }
    for number in &mut numbers {
        *number = of_number.get(*number as usize).copied().unwrap_or(NULL);
    }
    Some((numbers, bits))
}
