//! Which rows of a row group are meant, each with a number, in few bytes: neighbours with the same number are
//! written together, and the rest takes two or three bytes a row.

use crate::lake::varint;

/// Rows in ascending order, with their numbers.
#[derive(Debug, Default, Clone)]
pub(super) struct NumberedRows {
    /// For each run of neighbours: the rows left out before it, its length, and its number.
    bytes: Vec<u8>,
    /// Where the runs that are written end.
    end: u32,
    /// The last run, which may go on: first row, length, number.
    last: Option<(u32, u32, u32)>,
}

impl NumberedRows {
    /// Adds `count` rows from `row` on, which come after all others.
    pub fn push(&mut self, row: u32, count: u32, number: u32) {
        match &mut self.last {
            Some((first, length, known)) if *first + *length == row && *known == number => *length += count,
            _ => {
                self.write();
                self.last = Some((row, count, number));
            }
        }
    }

    fn write(&mut self) {
        let Some((first, length, number)) = self.last.take() else { return };
        for part in [first - self.end, length, number] {
            varint::put(part as usize, &mut self.bytes);
        }
        self.end = first + length;
    }

    /// Gives back the memory that is not needed once all rows are there.
    pub fn shrink(&mut self) {
        self.write();
        self.bytes.shrink_to_fit();
    }

    /// The first row, the length and the number of each run.
    pub fn iter(&self) -> impl Iterator<Item = (u32, u32, u32)> {
        let (mut at, mut end) = (0, 0);
        let mut next = move || u32::try_from(varint::take(&self.bytes, &mut at)?).ok();
        let written = std::iter::from_fn(move || {
            let (left_out, length, number) = (next()?, next()?, next()?);
            let first = end + left_out;
            end = first + length;
            Some((first, length, number))
        });
        written.chain(self.last)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_take_no_memory_of_their_own() {
        let mut rows = NumberedRows::default();
        (0..1_000_000).for_each(|row| rows.push(row, 1, row / 400_000));
        assert_eq!(
            rows.iter().collect::<Vec<_>>(),
            [(0, 400_000, 0), (400_000, 400_000, 1), (800_000, 200_000, 2)]
        );
        rows.shrink();
        assert_eq!(rows.iter().count(), 3);
        assert!(rows.bytes.len() < 20, "{}", rows.bytes.len());
    }

    #[test]
    fn all_rows_come_back_however_they_are_scattered() {
        let (mut rows, mut expected) = (NumberedRows::default(), Vec::new());
        let mut state = 7_u64;
        let mut row = 0_u32;
        for _ in 0..5_000 {
            state = state.wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23) ^ 0x55;
            row += 1 + (state % 300) as u32;
            let number = (state >> 20) as u32 % 70_000;
            rows.push(row, 1, number);
            expected.push((row, 1, number));
        }
        rows.shrink();
        assert_eq!(rows.iter().collect::<Vec<_>>(), expected);
        assert_eq!(NumberedRows::default().iter().count(), 0);
    }
}
