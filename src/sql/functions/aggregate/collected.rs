//! Aggregates that collect all values of a group: arrays, maps, texts.

use super::input::Input;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::cast;
use crate::sql::types::compare::key_column;
use crate::sql::types::nested_values::map_of;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::{Cell, Values};
use crate::tables::Kind;
use crate::tables::builder::lists;

impl Input<'_> {
    pub(super) fn list(&self, keep: impl Fn(&Values, usize) -> bool) -> Result<Values> {
        let values = self.arg(0)?;
        let rows = self.rows_by_group(|row| keep(values, row));
        // In Trino, the array of no rows is NULL.
        let lengths: Vec<Option<usize>> =
            rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
        let places: Vec<Option<u32>> = rows.into_iter().flatten().map(Some).collect();
        let data = lists("", &values.take(&places)?.data, &values.kind, &lengths);
        Ok(Values::new(Kind::array(values.kind.clone()), data))
    }

    pub(super) fn joined(&self) -> Result<Values> {
        let separator = match self.args.get(1) {
            Some(separator) => cast::texts(separator, 1)?.first().cloned().flatten().unwrap_or_default(),
            None => String::new(),
        };
        let texts = cast::texts(self.arg(0)?, self.groups.of_row.len())?;
        let rows = self.rows_by_group(|row| texts.get(row).is_some_and(Option::is_some));
        let text = |row: &u32| texts.get(*row as usize).and_then(Option::as_deref).unwrap_or_default();
        let cells = rows.iter().map(|rows| {
            (!rows.is_empty()).then(|| rows.iter().map(text).collect::<Vec<_>>().join(&separator))
        });
        Ok(Values::new(Kind::Varchar, String::column(cells.collect())))
    }

    pub(super) fn map(&self) -> Result<Values> {
        let (keys, values) = (self.arg(0)?, self.arg(1)?);
        let nulls = self.nulls(0)?;
        let same = Groups::by(&[key_column(keys, self.groups.of_row.len())?], self.groups.of_row.len())?;
        let mut rows = self.rows_by_group(|row| nulls.get(row) == Some(&false));
        // If keys are equal, the first one counts.
        for list in &mut rows {
            let mut seen = std::collections::HashSet::new();
            list.retain(|row| same.of_row.get(*row as usize).is_some_and(|key| seen.insert(*key)));
        }
        entries(keys, values, &rows)
    }

    /// A map from each key to all its values; keys in order of first appearance.
    pub(super) fn multimap(&self) -> Result<Values> {
        let height = self.groups.of_row.len();
        let (keys, values) = (self.arg(0)?, self.arg(1)?);
        let same = Groups::by(&[key_column(keys, height)?], height)?;
        let nulls = self.nulls(0)?;
        let mut lists_of: Vec<Vec<(u32, Vec<u32>)>> = self.slots(Vec::new());
        for (group, row) in self.pairs().filter(|(_, row)| nulls.get(*row) == Some(&false)) {
            let (Some(lists), Some(key), Ok(row)) =
                (lists_of.get_mut(group), same.of_row.get(row), u32::try_from(row))
            else {
                continue;
            };
            match lists.iter_mut().find(|(known, _)| known == key) {
                Some((_, rows)) => rows.push(row),
                None => lists.push((*key, vec![row])),
            }
        }
        let lengths: Vec<Option<usize>> =
            lists_of.iter().map(|lists| (!lists.is_empty()).then_some(lists.len())).collect();
        let all: Vec<&Vec<u32>> = lists_of.iter().flatten().map(|(_, rows)| rows).collect();
        let firsts: Vec<Option<u32>> = all.iter().map(|rows| rows.first().copied()).collect();
        let places: Vec<Option<u32>> = all.iter().flat_map(|rows| rows.iter().copied().map(Some)).collect();
        let sizes: Vec<Option<usize>> = all.iter().map(|rows| Some(rows.len())).collect();
        let data = lists("", &values.take(&places)?.data, &values.kind, &sizes);
        map_of(&keys.take(&firsts)?, &Values::new(Kind::array(values.kind.clone()), data), &lengths)
    }

    pub(super) fn histogram(&self) -> Result<Values> {
        self.counts_of(0, usize::MAX)
    }

    /// `approx_most_frequent(count, value, capacity)`: exact here.
    pub(super) fn most_frequent(&self) -> Result<Values> {
        // Without rows the number of values is not known.
        let is_empty = self.groups.of_row.is_empty();
        let most = if is_empty { Some(1) } else { self.arg(0)?.wholes()?.get(0) };
        let most = most.and_then(|most| usize::try_from(most).ok());
        match most.filter(|most| *most > 0) {
            Some(most) => self.counts_of(1, most),
            None => Err(SqlError::new("the number of values must be positive")),
        }
    }

    /// The most frequent values and their counts; in order of first appearance if there is room for all.
    fn counts_of(&self, argument: usize, most: usize) -> Result<Values> {
        let height = self.groups.of_row.len();
        let keys = self.arg(argument)?;
        let same = Groups::by(&[key_column(keys, height)?], height)?;
        let nulls = self.nulls(argument)?;
        let mut counts: Vec<std::collections::BTreeMap<u32, (u32, i64)>> =
            self.slots(std::collections::BTreeMap::new());
        for (group, row) in self.pairs().filter(|(_, row)| nulls.get(*row) == Some(&false)) {
            if let (Some(counts), Some(key), Ok(row)) =
                (counts.get_mut(group), same.of_row.get(row), u32::try_from(row))
            {
                counts.entry(*key).or_insert((row, 0)).1 += 1;
            }
        }
        let listed = |counts: &std::collections::BTreeMap<u32, (u32, i64)>| {
            let mut listed: Vec<(u32, i64)> = counts.values().copied().collect();
            if most < usize::MAX {
                listed.sort_by_key(|(row, count)| (std::cmp::Reverse(*count), *row));
                listed.truncate(most);
            }
            listed
        };
        let counts: Vec<Vec<(u32, i64)>> = counts.iter().map(listed).collect();
        let lengths: Vec<Option<usize>> =
            counts.iter().map(|counts| (!counts.is_empty()).then_some(counts.len())).collect();
        let (rows, numbers): (Vec<_>, Vec<_>) =
            counts.iter().flatten().map(|(row, count)| (Some(*row), Some(*count))).unzip();
        let keys = keys.take(&rows)?;
        map_of(&keys, &Values::new(Kind::Bigint, i64::column(numbers)), &lengths)
    }
}

fn entries(keys: &Values, values: &Values, rows: &[Vec<u32>]) -> Result<Values> {
    let lengths: Vec<Option<usize>> =
        rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
    let places: Vec<Option<u32>> = rows.iter().flatten().copied().map(Some).collect();
    map_of(&keys.take(&places)?, &values.take(&places)?, &lengths)
}
