//! Sort keys: rows are compared by them, and each is also a sequence of bytes. Comparing these byte by byte gives the
//! order of the values, wherever they come from.

mod column;
mod prefix;

use sqlparser::ast::OrderByOptions;

use crate::sql::error::Result;
use crate::sql::types::values::Values;
use column::KeyColumn;

/// The keys of some rows.
#[derive(Debug, Default, Clone)]
pub(in crate::sql) struct Keys {
    /// One for each key, followed by the positions of the rows' events, which tell equal keys apart.
    columns: Vec<(KeyColumn, OrderByOptions)>,
    /// The number of keys.
    count: usize,
    height: usize,
}

impl Keys {
    /// The keys of `height` rows.
    ///
    /// # Errors
    ///
    /// These values have no order.
    pub fn of(keys: &[(Values, OrderByOptions)], height: usize) -> Result<Self> {
        let columns = keys
            .iter()
            .map(|(values, options)| Ok((KeyColumn::of(values, height)?, *options)))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { count: columns.len(), columns, height })
    }

    /// The same with what tells equal keys apart.
    ///
    /// # Errors
    ///
    /// These values have no order.
    pub fn with_places(mut self, places: &[Values], height: usize) -> Result<Self> {
        let options = OrderByOptions { asc: None, nulls_first: None };
        for values in places {
            self.columns.push((KeyColumn::of(values, height)?, options));
        }
        Ok(self)
    }

    /// A key as bytes, followed by the place of its event.
    pub fn whole(&self, row: usize) -> Vec<u8> {
        let mut key = Vec::new();
        self.whole_into(row, &mut key);
        key
    }

    /// The same, in the place of what is in `key`.
    pub fn whole_into(&self, row: usize, key: &mut Vec<u8>) {
        key.clear();
        self.columns.iter().for_each(|(column, options)| column.push(row, *options, key));
    }

    /// A key as bytes.
    pub fn get(&self, row: usize) -> Vec<u8> {
        let mut key = Vec::new();
        let columns = self.columns.iter().take(self.count);
        columns.for_each(|(column, options)| column.push(row, *options, &mut key));
        key
    }

    /// Whether two rows have equal keys.
    pub fn is_same(&self, a: usize, b: usize) -> bool {
        self.columns.iter().take(self.count).all(|(column, _)| column.is_same(a, b))
    }

    /// The first of all rows whose [whole key](Self::whole) is not less than this one, where they are in order.
    pub fn first_from(&self, key: &[u8]) -> usize {
        let (mut low, mut high) = (0, self.height);
        while low < high {
            let middle = low.midpoint(high);
            if self.whole(middle).as_slice() < key { low = middle + 1 } else { high = middle }
        }
        low
    }

    /// The rows in order; equal rows stay in their order.
    pub fn order(&self) -> Vec<Option<u32>> {
        prefix::order(&self.columns, self.height)
    }
}

#[cfg(test)]
mod tests {
    use polars::prelude::{IntoSeries, ListChunked, Series, StructChunked};

    use super::*;
    use crate::sql::types::order;
    use crate::sql::types::values::Cell;
    use crate::tables::Kind;

    /// Lists of a column's values, with NULLs in them and in their place.
    fn lists(of: &Values) -> Values {
        let lists = (0..300_usize).map(|row| {
            let length = row * 7 % 5;
            (length < 4).then(|| of.data.slice((row * 13 % 17) as i64, length))
        });
        Values::new(Kind::array(of.kind.clone()), lists.collect::<ListChunked>().into_series())
    }

    fn rows(of: &[&Values]) -> Values {
        let names = ["a", "b", "c"];
        let fields = of.iter().zip(names).map(|(field, name)| field.data.clone().with_name(name.into()));
        let fields: Vec<Series> = fields.collect();
        let rows = StructChunked::from_series("".into(), 300, fields.iter()).unwrap();
        let kinds = of.iter().zip(names).map(|(field, name)| (name.to_owned(), field.kind.clone()));
        Values::new(Kind::Row(kinds.collect()), rows.into_series())
    }

    #[test]
    fn keys_have_the_order_of_the_values() {
        let mixed = |row: i64, salt: i64, of: i64| (row * 7_919 + salt * 104_729) % 1_009 % of;
        let texts = ["", "a", "a\0", "a\0b", "ab", "ä", "a\u{1}", "\0"];
        let doubles = [0.0, -0.0, 1.5, -1.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300];
        let some = |row: i64, salt: i64| mixed(row, salt, 9) != 4;
        let columns = [
            Values::new(
                Kind::Varchar,
                String::column(
                    (0..300)
                        .map(|row| some(row, 1).then(|| texts[mixed(row, 5, 8) as usize].to_owned()))
                        .collect(),
                ),
            ),
            Values::new(
                Kind::Double,
                f64::column(
                    (0..300).map(|row| some(row, 2).then(|| doubles[mixed(row, 6, 8) as usize])).collect(),
                ),
            ),
            Values::new(
                Kind::Bigint,
                i64::column((0..300).map(|row| some(row, 3).then(|| mixed(row, 7, 5) - 2)).collect()),
            ),
            Values::new(
                Kind::Boolean,
                bool::column((0..300).map(|row| some(row, 4).then(|| mixed(row, 8, 2) == 1)).collect()),
            ),
        ];
        let nested: Vec<Values> = columns.iter().map(lists).collect();
        let mixed_rows = rows(&[&columns[0], &nested[2], &columns[1]]);
        let columns: Vec<Values> = columns.into_iter().chain(nested).chain([mixed_rows]).collect();
        let options = |at: usize| OrderByOptions {
            asc: [None, Some(true), Some(false)][at % 3],
            nulls_first: [None, Some(true), Some(false)][at / 3 % 3],
        };
        for choice in 0..81 * 9 {
            let (first, second) = (choice % 9, choice / 9 % 9);
            let keys =
                [(columns[first].clone(), options(choice / 81)), (columns[second].clone(), options(choice))];
            assert_eq!(Keys::of(&keys, 300).unwrap().order(), order::sorted(&keys, 300).unwrap(), "{choice}");
        }
    }

    #[test]
    fn keys_that_begin_alike_are_sorted_by_what_follows() {
        // Each begins like the next ones, and differs after many bytes.
        let text = |row: usize| format!("{}{}", "the same again ".repeat(row % 90), row * 31 % 1_000);
        let texts: Vec<String> = (0..2_000).map(text).collect();
        let column = Values::new(Kind::Varchar, String::column(texts.iter().cloned().map(Some).collect()));
        for asc in [true, false] {
            let keys = [(column.clone(), OrderByOptions { asc: Some(asc), nulls_first: None })];
            let keys = Keys::of(&keys, texts.len()).unwrap();
            let mut expected: Vec<usize> = (0..texts.len()).collect();
            expected.sort_by(|a, b| {
                let order = texts[*a].cmp(&texts[*b]);
                if asc { order } else { order.reverse() }
            });
            let order: Vec<usize> = keys.order().into_iter().map(|row| row.unwrap() as usize).collect();
            assert_eq!(order, expected);
        }
    }

    #[test]
    fn many_rows_have_the_order_of_their_bytes() {
        let mixed = |row: usize, salt: usize, of: usize| (row * 7_919 + salt * 104_729) % 1_000_003 % of;
        let there = |row: usize, salt: usize| mixed(row, salt, 11) != 3;
        let texts = |text: &dyn Fn(usize) -> Option<String>| {
            Values::new(Kind::Varchar, String::column((0..3_000).map(text).collect()))
        };
        let time = |row: usize| {
            let (day, hour, second) = (mixed(row, 1, 28) + 1, mixed(row, 2, 24), mixed(row, 3, 60));
            format!("2026-03-{day:02}T{hour:02}:07:{second:02}Z")
        };
        let arn = |row: usize| format!("arn:aws:iam::123456789012:role/a-role-of-{}", mixed(row, 4, 70));
        let digits = |row: usize| {
            format!(
                "{:032x}",
                (mixed(row, 5, 997) as u128).pow(9).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c834)
            )
        };
        let long = |row: usize| format!("{}{}", "begins alike ".repeat(mixed(row, 6, 9)), mixed(row, 7, 5));
        let wholes = |whole: &dyn Fn(usize) -> Option<i64>| {
            Values::new(Kind::Bigint, i64::column((0..3_000).map(whole).collect()))
        };
        let columns = [
            texts(&|row| Some(time(row))),
            texts(&|row| there(row, 8).then(|| arn(row))),
            texts(&|row| Some(digits(row))),
            texts(&|row| there(row, 9).then(|| long(row))),
            texts(&|row| there(row, 10).then(|| "\0".repeat(mixed(row, 11, 4)))),
            texts(&|_| None),
            wholes(&|row| Some(mixed(row, 12, 40) as i64 - 20)),
            wholes(&|row| there(row, 13).then(|| [i64::MIN, -1, 0, i64::MAX][mixed(row, 14, 4)])),
            Values::new(
                Kind::Double,
                f64::column((0..3_000).map(|row| Some(mixed(row, 15, 100) as f64 / 7.0 - 5.0)).collect()),
            ),
            Values::new(
                Kind::Boolean,
                bool::column((0..3_000).map(|row| there(row, 16).then_some(row % 2 == 0)).collect()),
            ),
        ];
        let options = |at: usize| OrderByOptions {
            asc: [None, Some(true), Some(false)][at % 3],
            nulls_first: [None, Some(true), Some(false)][at / 3 % 3],
        };
        for choice in 0..columns.len() * columns.len() {
            let (first, second) = (choice % columns.len(), choice / columns.len());
            let key = |column: usize, choice: usize| (columns[column].clone(), options(choice));
            let keys = [key(first, choice), key(second, choice + 4), key((first + second) & 7, choice / 3)];
            let keys = Keys::of(&keys, 3_000).unwrap();
            let order: Vec<usize> = keys.order().into_iter().map(|row| row.unwrap() as usize).collect();
            let mut expected: Vec<usize> = (0..3_000).collect();
            let bytes: Vec<Vec<u8>> = (0..3_000).map(|row| keys.get(row)).collect();
            expected.sort_by(|a, b| bytes[*a].cmp(&bytes[*b]));
            assert!(order == expected, "{first} {second} {choice}");
            for pair in order.windows(2) {
                assert_eq!(keys.is_same(pair[0], pair[1]), bytes[pair[0]] == bytes[pair[1]]);
            }
        }
    }
}
