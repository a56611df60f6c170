//! Calls of aggregates and window functions.

use sqlparser::ast::{
    DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArgumentClause,
    FunctionArgumentList, FunctionArguments, NullTreatment, OrderByExpr, SetOperator, Spanned, WindowFrame,
    WindowFrameBound, WindowSpec, WindowType,
};

use super::parts::all;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::expression::rows::{Aggregate, Fold, Frame, FrameBound, SortKey, Window, WindowCall};
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::arguments;
use crate::sql::syntax::{calls, names};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::combined;

/// The rows of VALUES, and their columns: the types are what the values in all rows have in common.
pub(in crate::sql) fn values<'e>(
    scope: &Scope<'_>,
    rows: impl IntoIterator<Item = Vec<&'e Expr>>,
) -> Result<(Vec<Vec<Expression>>, Vec<Field>)> {
    let (mut made, mut columns): (_, Option<Vec<Field>>) = (Vec::new(), None);
    for row in rows {
        let cells = all(scope, row)?;
        let kinds = cells.iter().enumerate();
        let fields = kinds.map(|(at, cell)| Ok(Field::new(format!("_col{at}"), scope.value(cell)?.kind)));
        let fields = fields.collect::<Result<Vec<_>>>()?;
        made.push(cells);
        columns = Some(match columns {
            None => fields,
            Some(before) => combined(SetOperator::Union, &before, &fields)?,
        });
    }
    Ok((made, columns.ok_or_else(|| SqlError::new("VALUES needs a row"))?))
}

/// A call of an aggregate over the rows of `scope`, before they are grouped.
pub(in crate::sql) fn aggregate(scope: &Scope<'_>, function: &Function) -> Result<Aggregate> {
    let name = names::of_function(function);
    let made = match &function.args {
        FunctionArguments::List(list) => aggregate_of(scope, function, &name, list),
        _ => aggregate_of(
            scope,
            function,
            &name,
            &FunctionArgumentList { duplicate_treatment: None, args: Vec::new(), clauses: Vec::new() },
        ),
    };
    made.map_err(|error| SqlError { message: format!("{name}: {}", error.message), ..error }.at(function))
}

fn aggregate_of(
    scope: &Scope<'_>,
    function: &Function,
    name: &str,
    list: &FunctionArgumentList,
) -> Result<Aggregate> {
    if function.null_treatment.is_some() {
        return Err(SqlError::new("IGNORE NULLS is for window functions; use FILTER (WHERE … IS NOT NULL)"));
    }
    let (args, fold) = match name {
        "reduce_agg" => fold(scope, &list.args).map(|(value, fold)| (value, Some(fold)))?,
        _ => (list.args.as_slice(), None),
    };
    let mut arguments = Vec::new();
    for arg in args {
        match arg {
            FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => arguments.push(scope.resolve(expr)?),
            FunctionArg::Unnamed(FunctionArgExpr::Wildcard | FunctionArgExpr::QualifiedWildcard(_))
                if name == "count" => {}
            _ => return Err(SqlError::new("this argument is not supported")),
        }
    }
    let within = list.clauses.iter().find_map(|clause| match clause {
        FunctionArgumentClause::OrderBy(orders) => Some(orders.as_slice()),
        _ => None,
    });
    Ok(Aggregate {
        name: name.to_owned(),
        arguments,
        is_distinct: matches!(list.duplicate_treatment, Some(DuplicateTreatment::Distinct)),
        filter: function.filter.as_ref().map(|filter| scope.resolve(filter)).transpose()?,
        order_by: sort_keys(scope, within.unwrap_or(&function.within_group))?,
        fold,
        span: function.span(),
    })
}

/// The arguments of `reduce_agg(value, start, (state, value) -> …, (state, state) -> …)`: there is only one state
/// for each group, so that states are never combined.
fn fold<'a>(scope: &Scope<'_>, args: &'a [FunctionArg]) -> Result<(&'a [FunctionArg], Fold)> {
    let [
        _,
        FunctionArg::Unnamed(FunctionArgExpr::Expr(start)),
        FunctionArg::Unnamed(FunctionArgExpr::Expr(step)),
        combine,
    ] = args
    else {
        return Err(SqlError::new(format!("takes 4 arguments, not {}", args.len())));
    };
    if !matches!(combine, FunctionArg::Unnamed(FunctionArgExpr::Expr(Expr::Lambda(_)))) {
        return Err(SqlError::new("the fourth argument must be a lambda of two states"));
    }
    // They are evaluated once for each group, and see none of its rows.
    let groups = Relation::default();
    let over = Scope { relation: &groups, known: &[], ungrouped: None, ..*scope };
    let fold = Fold { start: over.resolve(start)?, step: over.resolve(step)? };
    Ok((args.get(..1).unwrap_or_default(), fold))
}

fn sort_keys(scope: &Scope<'_>, keys: &[OrderByExpr]) -> Result<Vec<SortKey>> {
    keys.iter().map(|key| Ok((scope.resolve(&key.expr)?, key.options))).collect()
}

/// A call of a window function over the rows of `scope`.
pub(in crate::sql) fn window(scope: &Scope<'_>, function: &Function) -> Result<Window> {
    let name = names::of_function(function);
    let spec = match &function.over {
        Some(WindowType::WindowSpec(spec)) if spec.window_name.is_none() => spec,
        _ => return Err(SqlError::new("there is no window of this name in a WINDOW clause")),
    };
    let (partition_by, order_by) = (all(scope, &spec.partition_by)?, sort_keys(scope, &spec.order_by)?);
    let call = if calls::is_aggregate(&name) {
        let call = Function { over: None, ..function.clone() };
        WindowCall::Aggregate(Box::new(Aggregate { span: function.span(), ..aggregate(scope, &call)? }))
    } else {
        WindowCall::Function {
            arguments: all(scope, arguments(function)?)?,
            ignores_nulls: ignores_nulls(function),
        }
    };
    let looks_at_frame = matches!(call, WindowCall::Aggregate(_))
        || matches!(name.as_str(), "first_value" | "last_value" | "nth_value");
    let frame = spec.window_frame.as_ref().filter(|_| looks_at_frame);
    Ok(Window {
        frame: frame.map(|frame| resolved_frame(scope, frame)).transpose()?,
        written: written(spec),
        span: function.span(),
        name,
        call,
        partition_by,
        order_by,
    })
}

fn written(spec: &WindowSpec) -> (Vec<Expr>, Vec<OrderByExpr>) {
    (spec.partition_by.clone(), spec.order_by.clone())
}

fn ignores_nulls(function: &Function) -> bool {
    let clauses = match &function.args {
        FunctionArguments::List(list) => list.clauses.as_slice(),
        _ => &[],
    };
    let is_inside = clauses.iter().any(|clause| {
        matches!(clause, FunctionArgumentClause::IgnoreOrRespectNulls(NullTreatment::IgnoreNulls))
    });
    is_inside || function.null_treatment == Some(NullTreatment::IgnoreNulls)
}

fn resolved_frame(scope: &Scope<'_>, frame: &WindowFrame) -> Result<Frame> {
    let bound = |bound: &WindowFrameBound| {
        Ok::<_, SqlError>(match bound {
            WindowFrameBound::CurrentRow => FrameBound::Current,
            WindowFrameBound::Preceding(None) | WindowFrameBound::Following(None) => FrameBound::Unbounded,
            WindowFrameBound::Preceding(Some(expr)) => FrameBound::Before(scope.resolve(expr)?),
            WindowFrameBound::Following(Some(expr)) => FrameBound::After(scope.resolve(expr)?),
        })
    };
    Ok(Frame {
        units: frame.units,
        start: bound(&frame.start_bound)?,
        end: frame.end_bound.as_ref().map_or(Ok(FrameBound::Current), bound)?,
    })
}
