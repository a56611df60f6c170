//! Evaluates expressions, column by column, except for subqueries.

pub(super) mod constants;
pub(super) mod resolve;
pub(super) mod types;

use std::sync::Arc;

use sqlparser::ast::{DataType, Expr, Ident, Query};

use crate::sql::catalog::Catalog;
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::query::Subquery;
use crate::sql::expression::{Expression, Node};
use crate::sql::functions::fields::fields;
use crate::sql::functions::{self, choice, lambda, like, other_types, partition, predicate};
use crate::sql::scope::{Evaluator, Resolver, Scope, Session, Via};
use crate::sql::types::values::Values;
use crate::sql::types::{arithmetic, cast, clock, compare};
use crate::tables::Kind;

/// What evaluates expressions in which no query stands.
struct Alone;

impl Resolver for Alone {
    fn resolve(&self, scope: &Scope<'_>, expr: &Expr) -> Result<Expression> {
        resolve::expression(scope, expr)
    }

    fn subquery(&self, _scope: &Scope<'_>, query: &Query) -> Result<Arc<Subquery>> {
        Err(SqlError::new("a subquery cannot stand here").at(query))
    }
}

impl Evaluator for Alone {
    fn value(&self, scope: &Scope<'_>, expression: &Expression) -> Result<Values> {
        value(scope, &expression.node)
    }
}

/// An evaluation of expressions in which no query stands. `now` is `current_timestamp`, milliseconds.
pub(in crate::sql) fn session(catalog: &Catalog, now: i64) -> Session<'_> {
    Session { catalog, now, lenient: false, resolver: &Alone, evaluator: &Alone }
}

/// The value of an expression for every row. Its names have been resolved for rows with the same columns.
pub(in crate::sql) fn value(scope: &Scope<'_>, node: &Node) -> Result<Values> {
    let height = scope.height();
    match node {
        Node::Column { index, fields, is_json } => column(scope, *index, fields, *is_json),
        Node::Computed { index, fields: path } => match scope.known.get(*index) {
            Some((_, values)) => fields(values.clone(), path),
            None => Err(SqlError::new("a value has not been computed")),
        },
        Node::Outer(node) => outer(scope, node),
        Node::Literal(values) => Ok(values.clone()),
        Node::Invalid(error) => Err(error.clone()),
        Node::Field(of, name) => fields(scope.value(of)?, std::slice::from_ref(name)),
        Node::Subscript(of, index) => {
            functions::subscript(&scope.value(of)?, &scope.value(index)?, height, scope.lenient)
        }
        Node::Negative(of) => arithmetic::negate(&scope.value(of)?, height, scope.lenient),
        Node::Compare { operator, left, right } => {
            let (first, second) = (scope.value(left)?, scope.value(right)?);
            other_types::check_values(scope, &operator.to_string(), (left, &first), (right, &second))?;
            let first = partition::spelt(scope, left, first, &second)?;
            let second = partition::spelt(scope, right, second, &first)?;
            compare::compare(operator, &first, &second, height, scope.lenient)
        }
        Node::Arithmetic { operator, left, right } => {
            arithmetic::binary(operator, &scope.value(left)?, &scope.value(right)?, height, scope.lenient)
        }
        Node::Cast { value, to, written, is_lenient } => cast_to(scope, value, (to, written), *is_lenient),
        Node::AtTimeZone(time, zone) => clock::at_time_zone(&scope.value(time)?, &scope.value(zone)?, height),
        Node::Extract { unit, from } => clock::extract(unit, &scope.value(from)?, height),
        Node::Choose { branches, otherwise } => choice::choose(scope, branches, otherwise.as_deref()),
        Node::Like { value, pattern, escape, is_negated, any_case } => {
            like::like(scope, value, pattern, *escape, *is_negated, *any_case)
        }
        Node::RLike { value, pattern, is_negated } => like::rlike(scope, value, pattern, *is_negated),
        Node::Call { name, arguments } => functions::call(scope, name, arguments),
        Node::CallWithLambda { name, arguments } => lambda::call(scope, name, arguments),
        Node::Lambda { .. } => Err(SqlError::new(
            "a lambda stands only in the arguments of a function, as in filter(array, x -> x > 1)",
        )),
        Node::Coalesce(arguments) => choice::coalesce(scope, arguments),
        Node::NullIf { value, is_equal } => choice::null_if(scope, value, is_equal),
        Node::Try { value, may_hide_null } => choice::tried(scope, value, *may_hide_null),
        Node::TypeOf(of) => {
            let name = functions::type_name(of, &scope.value(of)?.kind);
            Ok(Values::constant(Kind::Varchar, Some(name)))
        }
        Node::Array(elements) => functions::array_of(scope, elements),
        Node::Row(elements) => functions::row_of(scope, elements),
        Node::Exists { .. } | Node::Scalar(_) | Node::InQuery { .. } | Node::Quantified { .. } => {
            Err(SqlError::new("a subquery cannot stand here"))
        }
        condition => predicate::eval(scope, condition),
    }
}

fn column(scope: &Scope<'_>, index: usize, path: &[Ident], is_json: bool) -> Result<Values> {
    let values = scope.relation.values(index)?;
    if is_json { functions::members(values, path) } else { fields(values, path) }
}

/// A value of the surrounding query, for the rows of this one.
fn outer(scope: &Scope<'_>, node: &Node) -> Result<Values> {
    let Some((outer, via)) = &scope.outer else {
        return Err(SqlError::new("there is no surrounding query"));
    };
    let values = value(outer, node)?;
    match via {
        Via::Row(row) => {
            let row = u32::try_from(*row).map_err(|_| SqlError::new("too many rows"))?;
            Ok(Values { constant: true, ..values.take(&[Some(row)])? })
        }
        Via::Rows(rows) => values.take(rows),
    }
}

fn cast_to(
    scope: &Scope<'_>,
    value: &Expression,
    (to, written): (&Kind, &DataType),
    is_lenient: bool,
) -> Result<Values> {
    let lenient = scope.lenient || is_lenient;
    let values = scope.value(value)?;
    let values = match to {
        Kind::Date | Kind::Timestamp { .. } => partition::whole(scope, value, values)?,
        _ => values,
    };
    let values = cast::cast(&values, to, scope.height(), lenient)?;
    cast::cut(values, written, scope.height(), lenient)
}
