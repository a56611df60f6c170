//! Sums, averages, percentiles: numbers from the numbers of a group.

use polars::prelude::Series;

use super::input::Input;
use crate::sql::error::{Result, SqlError};
use crate::sql::types::values::{Cell, Values, take};
use crate::sql::types::{cast, decimal, nested_values};
use crate::tables::Kind;
use crate::tables::builder::lists;

/// The sum of numbers: always the same, in whatever order they come, because the last digits of a sum of doubles
/// depend on the order of addition.
pub(super) fn total(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable_by(f64::total_cmp);
    sorted.iter().sum()
}

pub(super) fn variance(values: &[f64], less: usize) -> f64 {
    let mean = total(values) / values.len() as f64;
    let squares: Vec<f64> = values.iter().map(|value| (value - mean).powi(2)).collect();
    total(&squares) / (values.len().saturating_sub(less)) as f64
}

impl Input<'_> {
    pub(super) fn sum(&self) -> Result<Values> {
        if self.arg(0)?.kind == Kind::Double {
            return self.over_doubles(total);
        }
        if let Kind::Decimal { scale, .. } = self.arg(0)?.kind {
            return self.sum_of_decimals(scale);
        }
        let (cells, kind) = (self.arg(0)?.wholes()?, self.arg(0)?.kind.clone());
        if !matches!(kind, Kind::Bigint | Kind::Span | Kind::Unknown) {
            return Err(SqlError::new(format!("a {kind} cannot be added up")));
        }
        let mut sums: Vec<Option<i64>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(value), Some(sum)) = (cells.get(row), sums.get_mut(group)) {
                let added = sum.unwrap_or(0).checked_add(value);
                *sum = Some(added.ok_or_else(|| SqlError::value("the sum is out of the range of bigint"))?);
            }
        }
        let kind = match kind {
            Kind::Unknown => Kind::Bigint,
            kind => kind,
        };
        Ok(Values::new(kind, i64::column(sums)))
    }

    fn sum_of_decimals(&self, scale: u8) -> Result<Values> {
        let cells = self.arg(0)?.decimals()?;
        let mut sums: Vec<Option<i128>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(value), Some(sum)) = (cells.get(row), sums.get_mut(group)) {
                let added = sum
                    .unwrap_or(0)
                    .checked_add(value)
                    .and_then(|sum| decimal::fit(sum, decimal::DIGITS_MAX));
                *sum = Some(added.ok_or_else(decimal::too_many)?);
            }
        }
        let kind = decimal::kind(decimal::DIGITS_MAX, scale);
        Values::build_decimals(kind, sums.len(), false, |group| Ok(sums.get(group).copied().flatten()))
    }

    /// The mean of decimals, a decimal.
    pub(super) fn mean(&self) -> Result<Values> {
        let (sums, counts) = (self.sum()?.decimals()?, self.count()?.wholes()?);
        let kind = self.arg(0)?.kind.clone();
        Values::build_decimals(kind, self.groups.count(), false, |group| {
            Ok(sums.get(group).zip(counts.get(group)).and_then(|(sum, count)| decimal::mean(sum, count)))
        })
    }

    /// The mean of whole numbers: their sum is exact, in whatever order they come.
    pub(super) fn mean_of_wholes(&self) -> Result<Values> {
        let cells = self.arg(0)?.wholes()?;
        let mut sums: Vec<(i128, i64)> = self.slots((0, 0));
        for (group, row) in self.pairs() {
            if let (Some(value), Some((sum, count))) = (cells.get(row), sums.get_mut(group)) {
                *sum += i128::from(value);
                *count += 1;
            }
        }
        let mean = |(sum, count): (i128, i64)| (count > 0).then(|| sum as f64 / count as f64);
        Ok(Values::new(Kind::Double, f64::column(sums.into_iter().map(mean).collect())))
    }

    /// A number computed from the numbers of each group; NULL for fewer than two numbers, for which variance
    /// is not defined.
    pub(super) fn over_several(&self, number: impl Fn(&[f64]) -> f64) -> Result<Values> {
        let values = self.over_doubles(|values| if values.len() < 2 { f64::NAN } else { number(values) })?;
        let cells = values.doubles()?;
        Values::build(Kind::Double, self.groups.count(), false, |group| {
            Ok(cells.get(group).filter(|value| !value.is_nan()))
        })
    }

    /// A number computed from the non-NULL numbers of each group; NULL if there are none.
    pub(super) fn over_doubles(&self, number: impl Fn(&[f64]) -> f64) -> Result<Values> {
        let spans = self.arg(0)?.kind == Kind::Span;
        let as_numbers =
            if spans { Values { kind: Kind::Bigint, ..self.arg(0)?.clone() } } else { self.arg(0)?.clone() };
        let cells = as_numbers.doubles()?;
        let mut lists: Vec<Vec<f64>> = self.slots(Vec::new());
        for (group, row) in self.pairs() {
            if let (Some(value), Some(list)) = (cells.get(row), lists.get_mut(group)) {
                list.push(value);
            }
        }
        let numbers = lists.iter().map(|list| (!list.is_empty()).then(|| number(list)));
        if spans {
            return Ok(Values::new(
                Kind::Span,
                i64::column(numbers.map(|number| number.map(|number| number as i64)).collect()),
            ));
        }
        Ok(Values::new(Kind::Double, f64::column(numbers.collect())))
    }

    pub(super) fn percentile(&self) -> Result<Values> {
        let Kind::Array(_) = self.arg(1)?.kind else {
            return self.percentile_at(self.arg(1)?.doubles()?.get(0).unwrap_or(0.5));
        };
        // Several percentiles at once: an array for each group.
        let (fractions, lengths) =
            nested_values::explode(&self.arg(1)?.take(&[(!self.groups.of_row.is_empty()).then_some(0)])?)?;
        let (fractions, count) = (fractions.doubles()?, lengths.first().copied().flatten().unwrap_or(0));
        let columns = (0..count)
            .map(|at| self.percentile_at(fractions.get(at).unwrap_or(0.5)))
            .collect::<Result<Vec<_>>>()?;
        let kind = match columns.first() {
            Some(column) => column.kind.clone(),
            None => self.percentile_at(0.5)?.kind,
        };
        let mut all = Series::new_empty("".into(), &kind.dtype());
        for column in columns {
            all.append_owned(column.data)?;
        }
        let groups = self.groups.count();
        let places: Vec<Option<u32>> = (0..groups)
            .flat_map(|group| (0..count).map(move |at| u32::try_from(at * groups + group).ok()))
            .collect();
        let elements = take(&all.rechunk(), &places)?;
        Ok(Values::new(Kind::array(kind.clone()), lists("", &elements, &kind, &vec![Some(count); groups])))
    }

    pub(super) fn percentile_at(&self, fraction: f64) -> Result<Values> {
        let whole = self.arg(0)?.kind == Kind::Bigint;
        let at = fraction.clamp(0.0, 1.0);
        let values = self.over_doubles(|values| {
            let mut sorted = values.to_vec();
            sorted.sort_by(f64::total_cmp);
            let index = (at * (sorted.len() - 1) as f64).round() as usize;
            sorted.get(index).copied().unwrap_or(f64::NAN)
        })?;
        if whole { cast::cast(&values, &Kind::Bigint, self.groups.count(), true) } else { Ok(values) }
    }
}
