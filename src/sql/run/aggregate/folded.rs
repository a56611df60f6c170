//! `reduce_agg(value, start, (state, value) -> …, (state, state) -> …)`.

use sqlparser::ast::{Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments};

use super::input::input;
use crate::sql::error::{Result, SqlError};
use crate::sql::functions::lambda::fold;
use crate::sql::scope::Scope;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::Values;

/// Applies the function to the values of each group in the order of its rows, without NULLs. There is only
/// one state for each group, so states are never combined.
pub(super) fn reduce(scope: &Scope<'_>, function: &Function, groups: &Groups) -> Result<Values> {
    let FunctionArguments::List(list) = &function.args else {
        return Err(SqlError::new("takes 4 arguments"));
    };
    let [
        value,
        FunctionArg::Unnamed(FunctionArgExpr::Expr(start)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(step)),
        combine,
    ] = list.args.as_slice()
    else {
        return Err(SqlError::new(format!("takes 4 arguments, not {}", list.args.len())));
    };
    if !matches!(combine, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(_)))) {
        return Err(SqlError::new("the fourth argument must be a lambda of two states"));
    }
    let mut alone = list.clone();
    alone.args = vec![value.clone()];
    let call = Function { args: FunctionArguments::List(alone), ..function.clone() };
    let input = input(scope, &call, "reduce_agg", groups)?;
    let nulls = input.nulls(0)?;
    let arrays = input.list(|_, row| nulls.get(row) == Some(&false))?;
    let rows = Relation { height: groups.count(), ..Relation::default() };
    let over = Scope { relation: &rows, known: &[], ungrouped: None, ..*scope };
    let (start, step) = (over.resolve(start)?, over.resolve(step)?);
    let state = fold::folded(&over, &arrays, &start, ("reduce_agg", &step))?;
    let places: Vec<Option<u32>> = (0_u32..)
        .zip(super::input::predicate_nulls(&arrays)?)
        .map(|(row, null)| (!null).then_some(row))
        .collect();
    state.take(&places)
}
