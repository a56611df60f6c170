//! Aggregates: `count`, `max_by`, `array_agg` … over groups of rows.

mod chosen;
mod collected;
mod folded;
mod merged;
mod numbers;
mod pairs;

use polars::prelude::Series;
use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArguments,
};

use super::error::{Result, SqlError};
use super::eval::Scope;
use super::group::key_column;
use super::group_ids::GroupIds;
use super::relation::Groups;
use super::values::{Cell, Values};
use super::{names, order};
use crate::tables::Kind;
pub(super) use merged::{Merge, distinct_list, lengths, merged};
use numbers::variance;

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
    "corr",
    "covar_pop",
    "covar_samp",
    "regr_slope",
    "regr_intercept",
    "skewness",
    "kurtosis",
    "bitwise_and_agg",
    "bitwise_or_agg",
    "bitwise_xor_agg",
    "map_union",
    "numeric_histogram",
    "reduce_agg",
];

pub(super) fn is_aggregate(name: &str) -> bool {
    NAMES.contains(&name)
}

/// A prepared aggregate call: its rows in order, and the values of its arguments.
struct Input<'a> {
    groups: &'a Groups,
    /// The rows that are aggregated.
    rows: Vec<u32>,
    args: Vec<Values>,
}

/// The value of an aggregate for each group. `scope` is the scope before grouping.
pub(super) fn evaluate(scope: &Scope<'_>, function: &Function, groups: &Groups) -> Result<Values> {
    let name = names::of_function(function);
    run(scope, function, &name, groups)
        .map_err(|error| SqlError { message: format!("{name}: {}", error.message), ..error })
}

fn run(scope: &Scope<'_>, function: &Function, name: &str, groups: &Groups) -> Result<Values> {
    if function.null_treatment.is_some() {
        return Err(SqlError::new("IGNORE NULLS is for window functions; use FILTER (WHERE … IS NOT NULL)"));
    }
    if name == "reduce_agg" {
        return folded::reduce(scope, function, groups);
    }
    let input = input(scope, function, name, groups)?;
    match (name, input.args.len()) {
        ("count", _) => input.count(),
        ("count_if", 1) => input.count_if(),
        ("sum", 1) => input.sum(),
        ("avg", 1) if matches!(input.arg(0)?.kind, Kind::Decimal { .. }) => input.mean(),
        ("avg", 1) => input.over_doubles(|values| values.iter().sum::<f64>() / values.len() as f64),
        ("geometric_mean", 1) => input.over_doubles(|values| {
            (values.iter().map(|value| value.ln()).sum::<f64>() / values.len() as f64).exp()
        }),
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
        ("corr", 2) => input.over_pairs(2, pairs::corr),
        ("covar_pop", 2) => input.over_pairs(1, |pairs| pairs::covariance(pairs, 0)),
        ("covar_samp", 2) => input.over_pairs(2, |pairs| pairs::covariance(pairs, 1)),
        ("regr_slope", 2) => input.over_pairs(2, pairs::slope),
        ("regr_intercept", 2) => input.over_pairs(2, pairs::intercept),
        ("skewness", 1) => input.over_pairs(3, pairs::skewness),
        ("kurtosis", 1) => input.over_pairs(4, pairs::kurtosis),
        ("bitwise_and_agg", 1) => input.over_bits(|a, b| a & b),
        ("bitwise_or_agg", 1) => input.over_bits(|a, b| a | b),
        ("bitwise_xor_agg", 1) => input.over_bits(|a, b| a ^ b),
        ("map_union", 1) => input.map_union(),
        ("numeric_histogram", 2 | 3) => input.numeric_histogram(),
        (_, count) => Err(SqlError::new(format!("does not take {count} arguments"))),
    }
}

fn input<'a>(scope: &Scope<'_>, function: &Function, name: &str, groups: &'a Groups) -> Result<Input<'a>> {
    let (exprs, distinct, clauses) = match &function.args {
        FunctionArguments::List(list) => (
            list.args.as_slice(),
            matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)),
            list.clauses.as_slice(),
        ),
        _ => (&[][..], false, &[][..]),
    };
    let mut args = Vec::new();
    for arg in exprs {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => args.push(scope.column(expr)?),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_))
                if name == "count" => {}
            _ => return Err(SqlError::new("this argument is not supported")),
        }
    }
    let mut rows: Vec<u32> =
        (0..u32::try_from(scope.height()).map_err(|_| SqlError::new("too many rows"))?).collect();
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
        let keys = orders
            .iter()
            .map(|key| Ok((scope.column(&key.expr)?, key.options)))
            .collect::<Result<Vec<_>>>()?;
        let rank = order::ranks(&keys, scope.height())?;
        rows.sort_by_key(|row| rank.get(*row as usize).copied());
    }
    let input = Input { groups, rows, args };
    if distinct { input.distinct() } else { Ok(input) }
}

impl Input<'_> {
    fn arg(&self, at: usize) -> Result<&Values> {
        self.args.get(at).ok_or_else(|| SqlError::new("an argument is missing"))
    }

    /// `(group, row)` for each aggregated row, in order.
    fn pairs(&self) -> impl Iterator<Item = (usize, usize)> {
        self.rows
            .iter()
            .filter_map(|row| Some((*self.groups.of_row.get(*row as usize)? as usize, *row as usize)))
    }

    /// A state for each group, initially `start`.
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
        let args = self.args.iter().map(|arg| key_column(arg, height)).collect::<Result<Vec<Series>>>()?;
        let args = match GroupIds::of(&args) {
            Some(numbers) => numbers,
            None => Groups::by(&args, height)?.into(),
        };
        let same = GroupIds { of_row: self.groups.of_row.clone(), count: self.groups.count() }.with(&args);
        let mut seen = vec![false; same.count];
        self.rows.retain(|row| {
            match same.of_row.get(*row as usize).and_then(|group| seen.get_mut(*group as usize)) {
                Some(seen) => !std::mem::replace(seen, true),
                None => false,
            }
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

    /// For each group, the rows for which `keep` is true.
    fn rows_by_group(&self, keep: impl Fn(usize) -> bool) -> Vec<Vec<u32>> {
        let mut rows: Vec<Vec<u32>> = self.slots(Vec::new());
        for (group, row) in self.pairs().filter(|(_, row)| keep(*row)) {
            if let (Some(list), Ok(row)) = (rows.get_mut(group), u32::try_from(row)) {
                list.push(row);
            }
        }
        rows
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
}

fn predicate_nulls(values: &Values) -> Result<Vec<bool>> {
    super::predicate::nulls(values)
}

/// The function call of an expression that is known to be one.
pub(super) fn as_call(expr: &Expr) -> Result<&Function> {
    match expr {
        Expr::Function(function) => Ok(function),
        other => Err(SqlError::new("a function call is needed here").at(other)),
    }
}
