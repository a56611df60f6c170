//! Function calls: looks up functions, evaluates their arguments, and what all functions share.
//!
//! Each function is defined in one of the modules below. It receives its arguments as columns and returns a
//! column. Functions that must not evaluate every argument for every row (`if`, `coalesce`, `try`), and those
//! with a lambda, evaluate their arguments themselves (`choice`, `lambda`).

pub(super) mod aggregate;
mod array;
mod binary;
mod call;
pub(super) mod choice;
#[cfg(test)]
mod example;
pub(super) mod fields;
mod format;
mod json;
pub(super) mod lambda;
pub(super) mod like;
mod math;
pub(super) mod other_types;
pub(super) mod partition;
mod pattern;
pub(super) mod predicate;
pub(super) mod quantified;
mod regexp;
mod text;
mod time;
mod type_names;
mod url;
pub(super) mod window;

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Expression;
use crate::sql::scope::Scope;
use crate::sql::syntax::{calls, json_calls, names};
use crate::sql::types::values::Values;
use call::Call;

pub(in crate::sql) use array::{array_of, row_of, subscript};
pub(in crate::sql) use binary::literal as bytes_literal;
pub(in crate::sql) use json::members;
pub(in crate::sql) use type_names::type_name;

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

/// Functions that do not evaluate every argument for every row, and `typeof` and the moments, which are not
/// calls at all once names are resolved.
pub(in crate::sql) const SPECIAL: &[&str] = &[
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
fn known_names() -> impl Iterator<Item = &'static str> {
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

/// Whether there is a scalar function of this name.
pub(in crate::sql) fn is_known(name: &str) -> bool {
    known_names().any(|known| known == name) || json_calls::is_hidden(name)
}

/// Calls a scalar function that evaluates all its arguments.
pub(in crate::sql) fn call(scope: &Scope<'_>, name: &str, arguments: &[Expression]) -> Result<Values> {
    let args = arguments.iter().map(|argument| {
        let values = scope.value(argument)?;
        if matches!(name, "date" | "from_iso8601_date") {
            return partition::whole(scope, argument, values);
        }
        Ok(values)
    });
    let args = args.collect::<Result<Vec<_>>>()?;
    made(scope, name, args, scope.height())
}

/// What a scalar function makes of its arguments, `height` rows or constants.
pub(in crate::sql) fn made(
    scope: &Scope<'_>,
    name: &str,
    args: Vec<Values>,
    height: usize,
) -> Result<Values> {
    let (now, lenient, limits) = (scope.session.now, scope.lenient, scope.session.limits());
    let call = Call { name, args, height, now, lenient, limits };
    match MODULES.iter().find_map(|module| module(&call)) {
        Some(result) => {
            result.map_err(|error| SqlError { message: format!("{name}: {}", error.message), ..error })
        }
        None => Err(unknown(name)),
    }
}

pub(in crate::sql) fn unknown(name: &str) -> SqlError {
    if calls::WINDOW_FUNCTIONS.contains(&name) {
        return SqlError::new(format!("{name} needs a window: {name}(…) OVER (…)"));
    }
    let instead = match name {
        "explode" | "posexplode" | "flatten_array" => Some("CROSS JOIN UNNEST(array) AS t(x)"),
        "to_char" => Some("date_format(time, '%Y-%m-%d')"),
        "to_date" | "to_timestamp" | "str_to_date" => Some("date_parse(text, '%Y-%m-%d')"),
        "ifnull" | "nvl" => Some("coalesce(x, y)"),
        "json_arrayagg" => Some("CAST(array_agg(x) AS json)"),
        "json_objectagg" => Some("CAST(map_agg(key, value) AS json)"),
        "string_agg" | "group_concat" => Some("listagg(x, ',') WITHIN GROUP (ORDER BY x)"),
        "random" | "rand" | "uuid" | "shuffle" => {
            return SqlError::new(format!("{name} is not supported: the same query gives the same answer"));
        }
        _ => None,
    };
    if let Some(instead) = instead {
        return SqlError::new(format!("function {name} is not supported; use {instead}"));
    }
    let hint = names::suggestion(
        name,
        known_names().chain(calls::AGGREGATES.iter().copied()).chain(calls::WINDOW_FUNCTIONS.iter().copied()),
    );
    SqlError::new(format!("function {name} is not supported{hint}"))
}
