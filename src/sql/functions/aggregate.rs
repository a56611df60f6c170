//! Aggregates: `count`, `max_by`, `array_agg` … over groups of rows.

mod chosen;
mod collected;
mod folded;
mod input;
pub(in crate::sql) mod kept;
mod merged;
mod numbers;
mod pairs;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::rows::Aggregate;
use crate::sql::scope::Scope;
use crate::sql::types::relation::Groups;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use input::{Input, input};
pub(in crate::sql) use merged::{Merge, lengths, list, merged};
use merged::{elements_of, of_all_rows};
use numbers::{total, variance};

/// The value of an aggregate for each group. `scope` is the scope before grouping.
pub(in crate::sql) fn evaluate(scope: &Scope<'_>, call: &Aggregate, groups: &Groups) -> Result<Values> {
    let values = match &call.fold {
        Some(fold) => folded::reduce(scope, call, fold, groups),
        None => input(scope, call, groups).and_then(|input| of_input(input, &call.name)),
    };
    let named = |error: SqlError| SqlError { message: format!("{}: {}", call.name, error.message), ..error };
    values.map_err(|error| named(error).at_span(call.span))
}

/// An aggregate of the values in lists, a list for each group. `more` are its other arguments.
pub(in crate::sql) fn of_lists(lists: &Values, name: &str, more: &[Values], height: usize) -> Result<Values> {
    let alone = (0..u32::try_from(height).unwrap_or(u32::MAX)).collect::<Vec<_>>();
    let groups = Groups { first: alone.iter().copied().map(Some).collect(), of_row: alone };
    let (elements, groups) = elements_of(&Values::new(lists.kind.clone(), lists.spread(height)), &groups)?;
    let args = std::iter::once(elements).chain(more.iter().cloned()).collect();
    of_input(of_all_rows(&groups, args), name)
}

fn of_input(input: Input<'_>, name: &str) -> Result<Values> {
    match (name, input.args.len()) {
        ("count", _) => input.count(),
        ("count_if", 1) => input.count_if(),
        ("sum", 1) => input.sum(),
        ("avg", 1) if matches!(input.arg(0)?.kind, Kind::Decimal { .. }) => input.mean(),
        ("avg", 1) if input.arg(0)?.kind == Kind::Bigint => input.mean_of_wholes(),
        ("avg", 1) => input.over_doubles(|values| total(values) / values.len() as f64),
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
        ("approx_most_frequent", 3) => input.most_frequent(),
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
