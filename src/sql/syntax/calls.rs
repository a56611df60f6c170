//! Calls of functions: which names are aggregates and window functions, and what the arguments are.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments, Ident,
};

use super::names;
use crate::sql::error::{Result, SqlError};

/// Names of aggregates.
pub(in crate::sql) const AGGREGATES: &[&str] = &[
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
    "approx_most_frequent",
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

/// Those whose result has all values of a group in it.
const WITH_ALL_VALUES: &[&str] =
    &["array_agg", "collect_list", "collect_set", "set_agg", "listagg", "map_agg", "multimap_agg"];

/// The name of a call of one of these.
pub(in crate::sql) fn with_all_values(expr: &Expr) -> Option<&'static str> {
    let Expr::Function(function) = expr else { return None };
    let name = names::of_function(function);
    WITH_ALL_VALUES.iter().find(|known| **known == name).copied()
}

pub(in crate::sql) fn is_aggregate(name: &str) -> bool {
    AGGREGATES.contains(&name)
}

/// The function call of an expression that is known to be one.
pub(in crate::sql) fn as_call(expr: &Expr) -> Result<&Function> {
    match expr {
        Expr::Function(function) => Ok(function),
        other => Err(SqlError::new("a function call is needed here").at(other)),
    }
}

/// The same call of another function.
pub(in crate::sql) fn renamed(function: &Function, name: &str) -> Function {
    Function { name: Ident::new(name).into(), ..function.clone() }
}

/// The arguments of a call, which must be expressions or lambdas.
pub(in crate::sql) fn arguments(function: &Function) -> Result<Vec<&Expr>> {
    let list = match &function.args {
        FunctionArguments::None => return Ok(Vec::new()),
        FunctionArguments::Subquery(_) => {
            return Err(SqlError::new("a subquery as an argument needs its own parentheses"));
        }
        FunctionArguments::List(list) => list,
    };
    list.args
        .iter()
        .map(|arg| match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Ok(expr),
            FunctionArg::Unnamed(_) => {
                Err(SqlError::new(format!("{}(*) is not possible", names::of_function(function))))
            }
            _ => Err(SqlError::new("named arguments are not supported")),
        })
        .collect()
}

/// The values in a row of VALUES: `VALUES ROW(1, 'a')` is `VALUES (1, 'a')`.
pub(in crate::sql) fn cells(row: &[Expr]) -> Vec<&Expr> {
    match row {
        [Expr::Function(call)] if names::of_function(call) == "row" => arguments(call).unwrap_or_default(),
        row => row.iter().collect(),
    }
}

/// The argument of a call, if there is one, and whether it is DISTINCT; `None` if the call has any other
/// clause.
pub(in crate::sql) fn argument(function: &Function) -> Option<(Option<&Expr>, bool)> {
    if function.null_treatment.is_some() || !function.within_group.is_empty() || function.over.is_some() {
        return None;
    }
    let FunctionArguments::List(list) = &function.args else { return None };
    let distinct = matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct));
    match list.args.as_slice() {
        _ if !list.clauses.is_empty() => None,
        [] if !distinct => Some((None, false)),
        [FunctionArg::Unnamed(FunctionArgExpr::Expr(expr))] => Some((Some(expr), distinct)),
        [FunctionArg::Unnamed(FunctionArgExpr::Wildcard)] if !distinct => Some((None, false)),
        _ => None,
    }
}

/// Names of functions that are nothing but window functions.
pub(in crate::sql) const WINDOW_FUNCTIONS: &[&str] = &[
    "row_number",
    "rank",
    "dense_rank",
    "percent_rank",
    "cume_dist",
    "ntile",
    "lag",
    "lead",
    "first_value",
    "last_value",
    "nth_value",
];
