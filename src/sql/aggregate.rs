//! Aggregates: `count`, `max_by`, `array_agg` … over groups of rows.

use polars::prelude::{IntoSeries, Series, StructChunked};
use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause, FunctionArguments};

use super::cast;
use super::compare::Ordered;
use super::decimal;
use super::error::{Result, SqlError};
use super::eval::Scope;
use super::group::key_column;
use super::relation::Groups;
use super::values::{Cell, Values};
use super::{names, order};
use crate::tables::Kind;
use crate::tables::builder::lists;
use crate::tables::kind::entry;

pub(super) const NAMES: &[&str] = &[
    "count",
    "count_if",
    "sum",
    "avg",
    "min",
    "max",
    "min_by",
    "max_by",
    "arbitrary",
    "any_value",
    "array_agg",
    "collect_list",
    "collect_set",
    "set_agg",
    "approx_distinct",
    "approx_count_distinct",
    "approx_percentile",
    "bool_and",
    "every",
    "bool_or",
    "listagg",
    "map_agg",
    "multimap_agg",
    "histogram",
    "stddev",
    "stddev_samp",
    "stddev_pop",
    "variance",
    "var_samp",
    "var_pop",
    "first",
    "last",
    "geometric_mean",
];

pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.contains(&name)
}

/// One aggregate call, made ready: which rows count, in which order, and the arguments' values.
struct Input<'a> {
    groups: &'a Groups,
    /// Rows that count.
    rows: Vec<u32>,
    args: Vec<Values>,
}

/// The value of an aggregate for each group. `scope` is the one before grouping.
pub(super) fn evaluate(scope: &Scope<'_>, function: &Function, groups: &Groups) -> Result<Values> {
    let name = names::of_function(function);
    run(scope, function, &name, groups).map_err(|error| SqlError { message: format!("{name}: {}", error.message), ..error })
}

fn run(scope: &Scope<'_>, function: &Function, name: &str, groups: &Groups) -> Result<Values> {
    if function.null_treatment.is_some() {
        return Err(SqlError::new("IGNORE NULLS is for window functions; use FILTER (WHERE … IS NOT NULL)"));
    }
    let input = input(scope, function, name, groups)?;
    match (name, input.args.len()) {
        ("count", _) => input.count(),
        ("count_if", 1) => input.count_if(),
        ("sum", 1) => input.sum(),
        ("avg", 1) if matches!(input.arg(0)?.kind, Kind::Decimal { .. }) => input.mean(),
        ("avg", 1) => input.over_doubles(|values| values.iter().sum::<f64>() / values.len() as f64),
        ("geometric_mean", 1) => input.over_doubles(|values| (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()),
        ("min", 1) => input.extreme(0, 0, std::cmp::Ordering::Less),
        ("max", 1) => input.extreme(0, 0, std::cmp::Ordering::Greater),
        ("min_by", 2) => input.extreme(1, 0, std::cmp::Ordering::Less),
        ("max_by", 2) => input.extreme(1, 0, std::cmp::Ordering::Greater),
        ("min" | "max", 2) => input.first_in_order(0, name == "max"),
        ("min_by" | "max_by", 3) => input.first_in_order(1, name == "max_by"),
        ("arbitrary" | "any_value" | "first", 1) => input.one(false),
        ("last", 1) => input.one(true),
        ("array_agg", 1) => input.list(|_, _| true),
        ("collect_list", 1) => input.list(|values, row| !values.is_null(row)),
        ("set_agg" | "collect_set", 1) => input.distinct()?.list(|values, row| !values.is_null(row)),
        ("approx_distinct" | "approx_count_distinct", 1 | 2) => input.first_only().distinct()?.count(),
        ("approx_percentile", 2) => input.percentile(),
        ("bool_and" | "every", 1) => input.truth(true),
        ("bool_or", 1) => input.truth(false),
        ("listagg", 1 | 2) => input.joined(),
        ("map_agg", 2) => input.map(),
        ("multimap_agg", 2) => input.multimap(),
        ("histogram", 1) => input.histogram(),
        ("stddev" | "stddev_samp", 1) => input.over_several(|values| variance(values, 1).sqrt()),
        ("stddev_pop", 1) => input.over_doubles(|values| variance(values, 0).sqrt()),
        ("variance" | "var_samp", 1) => input.over_several(|values| variance(values, 1)),
        ("var_pop", 1) => input.over_doubles(|values| variance(values, 0)),
        (_, count) => Err(SqlError::new(format!("does not take {count} arguments"))),
    }
}

fn input<'a>(scope: &Scope<'_>, function: &Function, name: &str, groups: &'a Groups) -> Result<Input<'a>> {
    let (exprs, distinct, clauses) = match &function.args {
        FunctionArguments::List(list) => {
            (list.args.as_slice(), matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)), list.clauses.as_slice())
        }
        _ => (&[][..], false, &[][..]),
    };
    let mut args = Vec::new();
    for arg in exprs {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => args.push(scope.column(expr)?),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_)) if name == "count" => {}
            _ => return Err(SqlError::new("this argument is not supported")),
        }
    }
    let mut rows: Vec<u32> = (0..u32::try_from(scope.height()).map_err(|_| SqlError::new("too many rows"))?).collect();
    if let Some(filter) = &function.filter {
        let holds = scope.truth(filter)?;
        rows.retain(|row| holds.get(*row as usize) == Some(&true));
    }
    let orders = clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(orders) => Some(orders.as_slice()),
        _ => None,
    });
    let orders = orders.unwrap_or(&function.within_group);
    if !orders.is_empty() {
        let keys = orders.iter().map(|key| Ok((scope.column(&key.expr)?, key.options))).collect::<Result<Vec<_>>>()?;
        let rank = order::ranks(&keys, scope.height())?;
        rows.sort_by_key(|row| rank.get(*row as usize).copied());
    }
    let input = Input { groups, rows, args };
    if distinct { input.distinct() } else { Ok(input) }
}

fn variance(values: &[f64], less: usize) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len().saturating_sub(less)) as f64
}

impl Input<'_> {
    fn arg(&self, at: usize) -> Result<&Values> {
        self.args.get(at).ok_or_else(|| SqlError::new("an argument is missing"))
    }

    /// `(group, row)` for each row that counts, in order.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rows.iter().filter_map(|row| Some((*self.groups.of_row.get(*row as usize)? as usize, *row as usize)))
    }

    /// A slot per group.
    fn slots<T: Clone>(&self, start: T) -> Vec<T> {
        vec![start; self.groups.count()]
    }

    fn first_only(mut self) -> Self {
        self.args.truncate(1);
        self
    }

    /// Keeps the first of equal rows in each group.
    fn distinct(mut self) -> Result<Self> {
        let height = self.groups.of_row.len();
        let mut keys: Vec<Series> = vec![<i64 as Cell>::column(self.groups.of_row.iter().map(|group| Some(i64::from(*group))).collect())];
        for arg in &self.args {
            keys.push(key_column(arg, height)?);
        }
        let same = Groups::by(&keys, height)?;
        let mut seen = vec![false; same.count()];
        self.rows.retain(|row| match same.of_row.get(*row as usize).and_then(|group| seen.get_mut(*group as usize)) {
            Some(seen) => !std::mem::replace(seen, true),
            None => false,
        });
        Ok(self)
    }

    fn nulls(&self, at: usize) -> Result<Vec<bool>> {
        super::predicate::nulls(self.arg(at)?)
    }

    fn count(&self) -> Result<Values> {
        let nulls = (0..self.args.len()).map(|at| self.nulls(at)).collect::<Result<Vec<_>>>()?;
        let mut counts = self.slots(0_i64);
        for (group, row) in self.pairs() {
            let counted = nulls.iter().all(|nulls| nulls.get(row) == Some(&false));
            if let Some(count) = counts.get_mut(group) {
                *count += i64::from(counted);
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(counts.into_iter().map(Some).collect())))
    }

    fn count_if(&self) -> Result<Values> {
        let truths = self.arg(0)?.truths()?;
        let mut counts = self.slots(0_i64);
        for (group, row) in self.pairs() {
            if let Some(count) = counts.get_mut(group) {
                *count += i64::from(truths.get(row) == Some(true));
            }
        }
        Ok(Values::new(Kind::Bigint, i64::column(counts.into_iter().map(Some).collect())))
    }

    fn sum(&self) -> Result<Values> {
        if self.arg(0)?.kind == Kind::Double {
            return self.over_doubles(|values| values.iter().sum());
        }
        let (cells, kind) = (self.arg(0)?.wholes()?, self.arg(0)?.kind.clone());
        if !matches!(kind, Kind::Bigint | Kind::Decimal { .. } | Kind::Span | Kind::Unknown) {
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
            Kind::Decimal { scale, .. } => decimal::kind(decimal::DIGITS_MAX, scale),
            kind => kind,
        };
        Ok(Values::new(kind, i64::column(sums)))
    }

    /// The mean of decimals, a decimal.
    fn mean(&self) -> Result<Values> {
        let (sums, counts) = (self.sum()?.wholes()?, self.count()?.wholes()?);
        let kind = self.arg(0)?.kind.clone();
        Values::build(kind, self.groups.count(), false, |group| {
            Ok(sums.get(group).zip(counts.get(group)).and_then(|(sum, count)| decimal::mean(sum, count)))
        })
    }

    /// A number from the numbers of each group; NULL where there are less than two, which say nothing of how they spread.
    fn over_several(&self, number: impl Fn(&[f64]) -> f64) -> Result<Values> {
        let values = self.over_doubles(|values| if values.len() < 2 { f64::NAN } else { number(values) })?;
        let cells = values.doubles()?;
        Values::build(Kind::Double, self.groups.count(), false, |group| Ok(cells.get(group).filter(|value| !value.is_nan())))
    }

    /// A number from the numbers of each group that are not NULL; NULL where there are none.
    fn over_doubles(&self, number: impl Fn(&[f64]) -> f64) -> Result<Values> {
        let spans = self.arg(0)?.kind == Kind::Span;
        let as_numbers = if spans { Values { kind: Kind::Bigint, ..self.arg(0)?.clone() } } else { self.arg(0)?.clone() };
        let cells = as_numbers.doubles()?;
        let mut lists: Vec<Vec<f64>> = self.slots(Vec::new());
        for (group, row) in self.pairs() {
            if let (Some(value), Some(list)) = (cells.get(row), lists.get_mut(group)) {
                list.push(value);
            }
        }
        let numbers = lists.iter().map(|list| (!list.is_empty()).then(|| number(list)));
        if spans {
            return Ok(Values::new(Kind::Span, i64::column(numbers.map(|number| number.map(|number| number as i64)).collect())));
        }
        Ok(Values::new(Kind::Double, f64::column(numbers.collect())))
    }

    /// The value of argument `show` in the row where argument `by` is least or greatest.
    fn extreme(&self, by: usize, show: usize, wanted: std::cmp::Ordering) -> Result<Values> {
        let order = Ordered::of(self.arg(by)?)?;
        let mut best: Vec<Option<u32>> = self.slots(None);
        for (group, row) in self.pairs() {
            let Some(slot) = best.get_mut(group).filter(|_| !order.is_null(row)) else { continue };
            if slot.is_none_or(|known| order.compare(row, known as usize) == wanted) {
                *slot = u32::try_from(row).ok();
            }
        }
        self.arg(show)?.take(&best)
    }

    /// The values of the first argument in the rows where argument `by` is least or greatest, as many as the last one says.
    fn first_in_order(&self, by: usize, greatest: bool) -> Result<Values> {
        let count = self.arg(self.args.len() - 1)?.wholes()?.get(0).unwrap_or(0);
        let count = usize::try_from(count).map_err(|_| SqlError::new("the number of values must not be negative"))?;
        let order = Ordered::of(self.arg(by)?)?;
        let mut rows = self.rows_by_group(|row| !order.is_null(row));
        for list in &mut rows {
            list.sort_by(|a, b| {
                let ordering = order.compare(*a as usize, *b as usize);
                if greatest { ordering.reverse() } else { ordering }
            });
            list.truncate(count);
        }
        let lengths: Vec<Option<usize>> = rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
        let places: Vec<Option<u32>> = rows.into_iter().flatten().map(Some).collect();
        let values = self.arg(0)?;
        Ok(Values::new(Kind::array(values.kind.clone()), lists("", &values.take(&places)?.data, &values.kind, &lengths)))
    }

    /// The first or last value that is not NULL.
    fn one(&self, last: bool) -> Result<Values> {
        let nulls = self.nulls(0)?;
        let mut found: Vec<Option<u32>> = self.slots(None);
        for (group, row) in self.pairs() {
            let Some(slot) = found.get_mut(group).filter(|_| nulls.get(row) == Some(&false)) else { continue };
            if last || slot.is_none() {
                *slot = u32::try_from(row).ok();
            }
        }
        self.arg(0)?.take(&found)
    }

    /// Rows of each group that `keep` keeps.
    fn rows_by_group(&self, keep: impl Fn(usize) -> bool) -> Vec<Vec<u32>> {
        let mut rows: Vec<Vec<u32>> = self.slots(Vec::new());
        for (group, row) in self.pairs().filter(|(_, row)| keep(*row)) {
            if let (Some(list), Ok(row)) = (rows.get_mut(group), u32::try_from(row)) {
                list.push(row);
            }
        }
        rows
    }

    fn list(&self, keep: impl Fn(&Values, usize) -> bool) -> Result<Values> {
        let values = self.arg(0)?;
        let rows = self.rows_by_group(|row| keep(values, row));
        // As in Trino, the array of no rows is NULL.
        let lengths: Vec<Option<usize>> = rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
        let places: Vec<Option<u32>> = rows.into_iter().flatten().map(Some).collect();
        let data = lists("", &values.take(&places)?.data, &values.kind, &lengths);
        Ok(Values::new(Kind::array(values.kind.clone()), data))
    }

    fn percentile(&self) -> Result<Values> {
        let Kind::Array(_) = self.arg(1)?.kind else { return self.percentile_at(self.arg(1)?.doubles()?.get(0).unwrap_or(0.5)) };
        // Several at once: an array of them for each group.
        let (fractions, lengths) = cast::explode(&self.arg(1)?.take(&[(!self.groups.of_row.is_empty()).then_some(0)])?)?;
        let (fractions, count) = (fractions.doubles()?, lengths.first().copied().flatten().unwrap_or(0));
        let columns = (0..count).map(|at| self.percentile_at(fractions.get(at).unwrap_or(0.5))).collect::<Result<Vec<_>>>()?;
        let kind = columns.first().map_or(Kind::Double, |column| column.kind.clone());
        let mut all = Series::new_empty("".into(), &kind.dtype());
        for column in columns {
            all.append_owned(column.data)?;
        }
        let groups = self.groups.count();
        let places: Vec<Option<u32>> = (0..groups).flat_map(|group| (0..count).map(move |at| u32::try_from(at * groups + group).ok())).collect();
        let elements = super::values::take(&all.rechunk(), &places)?;
        Ok(Values::new(Kind::array(kind.clone()), lists("", &elements, &kind, &vec![Some(count); groups])))
    }

    fn percentile_at(&self, fraction: f64) -> Result<Values> {
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

    fn truth(&self, all: bool) -> Result<Values> {
        let truths = self.arg(0)?.truths()?;
        let mut results: Vec<Option<bool>> = self.slots(None);
        for (group, row) in self.pairs() {
            if let (Some(value), Some(slot)) = (truths.get(row), results.get_mut(group)) {
                *slot = Some(slot.map_or(value, |known| if all { known && value } else { known || value }));
            }
        }
        Ok(Values::new(Kind::Boolean, bool::column(results)))
    }

    fn joined(&self) -> Result<Values> {
        let separator = match self.args.get(1) {
            Some(separator) => cast::texts(separator, 1)?.first().cloned().flatten().unwrap_or_default(),
            None => String::new(),
        };
        let texts = cast::texts(self.arg(0)?, self.groups.of_row.len())?;
        let rows = self.rows_by_group(|row| texts.get(row).is_some_and(Option::is_some));
        let text = |row: &u32| texts.get(*row as usize).and_then(Option::as_deref).unwrap_or_default();
        let cells = rows.iter().map(|rows| (!rows.is_empty()).then(|| rows.iter().map(text).collect::<Vec<_>>().join(&separator)));
        Ok(Values::new(Kind::Varchar, String::column(cells.collect())))
    }

    fn map(&self) -> Result<Values> {
        let (keys, values) = (self.arg(0)?, self.arg(1)?);
        let nulls = self.nulls(0)?;
        let same = Groups::by(&[key_column(keys, self.groups.of_row.len())?], self.groups.of_row.len())?;
        let mut rows = self.rows_by_group(|row| nulls.get(row) == Some(&false));
        // Of equal keys, the first one counts.
        for list in &mut rows {
            let mut seen = std::collections::HashSet::new();
            list.retain(|row| same.of_row.get(*row as usize).is_some_and(|key| seen.insert(*key)));
        }
        entries(keys, values, &rows)
    }

    /// Each key with all its values; keys in the order in which they come first.
    fn multimap(&self) -> Result<Values> {
        let height = self.groups.of_row.len();
        let (keys, values) = (self.arg(0)?, self.arg(1)?);
        let same = Groups::by(&[key_column(keys, height)?], height)?;
        let nulls = self.nulls(0)?;
        let mut lists_of: Vec<Vec<(u32, Vec<u32>)>> = self.slots(Vec::new());
        for (group, row) in self.pairs().filter(|(_, row)| nulls.get(*row) == Some(&false)) {
            let (Some(lists), Some(key), Ok(row)) = (lists_of.get_mut(group), same.of_row.get(row), u32::try_from(row)) else { continue };
            match lists.iter_mut().find(|(known, _)| known == key) {
                Some((_, rows)) => rows.push(row),
                None => lists.push((*key, vec![row])),
            }
        }
        let lengths: Vec<Option<usize>> = lists_of.iter().map(|lists| (!lists.is_empty()).then_some(lists.len())).collect();
        let all: Vec<&Vec<u32>> = lists_of.iter().flatten().map(|(_, rows)| rows).collect();
        let firsts: Vec<Option<u32>> = all.iter().map(|rows| rows.first().copied()).collect();
        let places: Vec<Option<u32>> = all.iter().flat_map(|rows| rows.iter().copied().map(Some)).collect();
        let sizes: Vec<Option<usize>> = all.iter().map(|rows| Some(rows.len())).collect();
        let data = lists("", &values.take(&places)?.data, &values.kind, &sizes);
        map_of(&keys.take(&firsts)?, &Values::new(Kind::array(values.kind.clone()), data), &lengths)
    }

    fn histogram(&self) -> Result<Values> {
        let height = self.groups.of_row.len();
        let keys = self.arg(0)?;
        let same = Groups::by(&[key_column(keys, height)?], height)?;
        let nulls = self.nulls(0)?;
        let mut counts: Vec<std::collections::BTreeMap<u32, (u32, i64)>> = self.slots(std::collections::BTreeMap::new());
        for (group, row) in self.pairs().filter(|(_, row)| nulls.get(*row) == Some(&false)) {
            if let (Some(counts), Some(key), Ok(row)) = (counts.get_mut(group), same.of_row.get(row), u32::try_from(row)) {
                counts.entry(*key).or_insert((row, 0)).1 += 1;
            }
        }
        let lengths: Vec<Option<usize>> = counts.iter().map(|counts| (!counts.is_empty()).then_some(counts.len())).collect();
        let (rows, numbers): (Vec<_>, Vec<_>) =
            counts.iter().flat_map(|counts| counts.values()).map(|(row, count)| (Some(*row), Some(*count))).unzip();
        let keys = keys.take(&rows)?;
        map_of(&keys, &Values::new(Kind::Bigint, i64::column(numbers)), &lengths)
    }
}

fn entries(keys: &Values, values: &Values, rows: &[Vec<u32>]) -> Result<Values> {
    let lengths: Vec<Option<usize>> = rows.iter().map(|rows| (!rows.is_empty()).then_some(rows.len())).collect();
    let places: Vec<Option<u32>> = rows.iter().flatten().copied().map(Some).collect();
    map_of(&keys.take(&places)?, &values.take(&places)?, &lengths)
}

fn map_of(keys: &Values, values: &Values, lengths: &[Option<usize>]) -> Result<Values> {
    let fields = [keys.data.clone().with_name("key".into()), values.data.clone().with_name("value".into())];
    let data = StructChunked::from_series("".into(), keys.data.len(), fields.iter())?.into_series();
    let data = lists("", &data, &entry(&keys.kind, &values.kind), lengths);
    Ok(Values::new(Kind::Map(Box::new(keys.kind.clone()), Box::new(values.kind.clone())), data))
}

/// The call inside an expression that is known to be one.
pub(super) fn as_call(expr: &Expr) -> Result<&Function> {
    match expr {
        Expr::Function(function) => Ok(function),
        other => Err(SqlError::new("a function call is needed here").at(other)),
    }
}
