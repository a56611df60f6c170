//! Function calls: looks up functions, evaluates their arguments, and what all functions share.
//!
//! Each function is defined in one of the modules below. It receives its arguments as columns and returns a
//! column. Functions that must not evaluate every argument for every row (`if`, `coalesce`, `try`), and those
//! with a lambda, are handled before their arguments are evaluated.

mod array;
mod binary;
mod call;
#[cfg(test)]
mod example;
pub(super) mod fields;
mod format;
mod json;
pub(super) mod lambda;
pub(super) mod like;
mod math;
pub(super) mod partition;
pub(super) mod predicate;
mod regexp;
mod text;
mod time;
mod url;

use sqlparser::ast::{Expr, Function, TrimWhereField};

use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::arguments;
use crate::sql::syntax::{calls, names};
use crate::sql::types::clock;
use crate::sql::types::values::Values;
use crate::tables::Kind;
use call::Call;

pub(in crate::sql) use array::{array_of, row_of, subscript};
pub(in crate::sql) use binary::literal as bytes_literal;
pub(in crate::sql) use json::members;

/// A module of functions: returns the values, or `None` if it has no function of that name.
type Module = fn(&Call<'_>) -> Option<Result<Values>>;

const MODULES: &[Module] = &[
    text::call,
    url::call,
    regexp::call,
    json::call,
    time::call,
    array::call,
    math::call,
    binary::call,
    format::call,
];

/// Functions that [`call`] handles itself.
const SPECIAL: &[&str] = &[
    "if",
    "coalesce",
    "nullif",
    "try",
    "typeof",
    "current_timestamp",
    "now",
    "current_date",
    "localtimestamp",
];

/// Every name of a scalar function, for suggestions and documentation.
pub(in crate::sql) fn known_names() -> impl Iterator<Item = &'static str> {
    let modules = [
        text::NAMES,
        url::NAMES,
        regexp::NAMES,
        json::NAMES,
        time::NAMES,
        array::NAMES,
        math::NAMES,
        binary::NAMES,
        format::NAMES,
        lambda::NAMES,
        SPECIAL,
    ];
    modules.into_iter().flatten().copied()
}

/// Calls a scalar function as it occurs in a query.
pub(in crate::sql) fn call(scope: &Scope<'_>, function: &Function) -> Result<Values> {
    let name = names::of_function(function);
    if function.over.is_some() {
        return Err(SqlError::new(format!(
            "{name}(…) OVER (…) may stand only in SELECT and ORDER BY; put it in a subquery to filter by it"
        )));
    }
    if calls::is_aggregate(&name) {
        return Err(SqlError::new(format!(
            "{name}(…) is an aggregate: it may stand only in SELECT, HAVING and ORDER BY"
        )));
    }
    let args = arguments(function)?;
    if let Some(values) = special(scope, &name, &args)? {
        return Ok(values);
    }
    if lambda::is_meant(&name, &args) {
        return lambda::call(scope, &name, &args);
    }
    plain(scope, &name, &args)
}

/// Calls a scalar function that evaluates all its arguments.
pub(in crate::sql) fn plain(scope: &Scope<'_>, name: &str, args: &[&Expr]) -> Result<Values> {
    let values = match args.iter().map(|arg| scope.eval(arg)).collect::<Result<Vec<_>>>() {
        Err(_) if !known_names().any(|known| known == name) => return Err(unknown(name)),
        Err(_) if args.iter().any(|arg| matches!(arg, Expr::Lambda(_))) => {
            return Err(SqlError::new(format!("{name} with a lambda is not supported")));
        }
        values => values?,
    };
    let call = Call {
        name,
        args: values,
        height: scope.height(),
        now: scope.session.now,
        lenient: scope.lenient,
        limits: scope.session.limits(),
    };
    let result = MODULES.iter().find_map(|module| module(&call)).map(|result| match result {
        // A constant expression that fails has a type all the same.
        Err(error) if scope.session.is_typing() && (error.by_value || error.is_of_memory()) => {
            of_no_rows(call).unwrap_or(Err(error))
        }
        result => result,
    });
    match result {
        Some(result) => {
            result.map_err(|error| SqlError { message: format!("{name}: {}", error.message), ..error })
        }
        None => Err(unknown(name)),
    }
}

/// The same call over columns without rows, which determines its type.
fn of_no_rows(call: Call<'_>) -> Option<Result<Values>> {
    let empty = |arg: Values| Values::new(arg.kind, arg.data.slice(0, 0));
    let call = Call { args: call.args.into_iter().map(empty).collect(), height: 0, ..call };
    MODULES.iter().find_map(|module| module(&call))
}

pub(in crate::sql) fn unknown(name: &str) -> SqlError {
    let hint = names::suggestion(
        name,
        known_names().chain(calls::AGGREGATES.iter().copied()).chain(calls::WINDOW_FUNCTIONS.iter().copied()),
    );
    SqlError::new(format!("function {name} is not supported{hint}"))
}

fn special(scope: &Scope<'_>, name: &str, args: &[&Expr]) -> Result<Option<Values>> {
    Ok(Some(match (name, args) {
        ("if", [condition, then]) => predicate::choose(scope, &[(condition, then)], None)?,
        ("if", [condition, then, otherwise]) => {
            predicate::choose(scope, &[(condition, then)], Some(otherwise))?
        }
        ("coalesce", [_, ..]) => coalesce(scope, args)?,
        ("nullif", [value, other]) => {
            let equal = Expr::BinaryOp {
                left: Box::new((*value).clone()),
                op: sqlparser::ast::BinaryOperator::Eq,
                right: Box::new((*other).clone()),
            };
            let equal = scope.eval(&equal)?;
            let (equal, value) = (equal.truths()?, scope.eval(value)?);
            let chosen: Vec<Option<usize>> =
                (0..scope.height()).map(|row| (equal.get(row) != Some(true)).then_some(0)).collect();
            predicate::merge(&[value], &chosen, scope)?
        }
        ("try", [value]) => predicate::tried(scope, value)?,
        ("typeof", [value]) => Values::constant(Kind::Varchar, Some(scope.eval(value)?.kind.to_string())),
        ("now", []) => clock::moment("current_timestamp", scope.session.now)?,
        (name, []) if clock::is_moment(name) => clock::moment(name, scope.session.now)?,
        (name, _) if SPECIAL.contains(&name) => {
            return Err(SqlError::new(format!("{name} does not take {} arguments", args.len())));
        }
        _ => return Ok(None),
    }))
}

/// The first value that is not NULL. Later arguments are evaluated even if they are not needed; an error in
/// them is ignored then.
fn coalesce(scope: &Scope<'_>, args: &[&Expr]) -> Result<Values> {
    let mut chosen: Vec<Option<usize>> = vec![None; scope.height()];
    let mut results: Vec<Values> = Vec::new();
    for arg in args {
        let values = match scope.eval(arg) {
            Err(error) if error.by_value && chosen.iter().all(Option::is_some) => continue,
            result => result?,
        };
        let nulls = predicate::nulls(&values)?;
        for (row, slot) in chosen.iter_mut().enumerate().filter(|(_, slot)| slot.is_none()) {
            let row = if values.constant { 0 } else { row };
            *slot = (!nulls.get(row).copied().unwrap_or(true)).then_some(results.len());
        }
        results.push(values);
    }
    predicate::merge(&results, &chosen, scope)
}

/// `trim(LEADING 'x' FROM value)` and its shorter forms.
pub(in crate::sql) fn trim(
    scope: &Scope<'_>,
    side: Option<TrimWhereField>,
    what: Option<&Expr>,
    value: &Expr,
) -> Result<Values> {
    let name = match side {
        None | Some(TrimWhereField::Both) => "trim",
        Some(TrimWhereField::Leading) => "ltrim",
        Some(TrimWhereField::Trailing) => "rtrim",
    };
    match what {
        Some(what) => plain(scope, name, &[value, what]),
        None => plain(scope, name, &[value]),
    }
}
