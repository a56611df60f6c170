//! Calls of scalar functions.

use sqlparser::ast::{Expr, Function};

use super::parts::{all, boxed, equal};
use crate::sql::error::{Result, SqlError};
use crate::sql::expression::Node;
use crate::sql::functions::{self, lambda};
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::arguments;
use crate::sql::syntax::{calls, names, walk};
use crate::sql::types::clock;

pub(super) fn call(scope: &Scope<'_>, function: &Function) -> Result<Node> {
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
    if let Some(node) = special(scope, &name, &args)? {
        return Ok(node);
    }
    if lambda::is_meant(&name, &args) {
        return Ok(Node::CallWithLambda { name, arguments: all(scope, args)? });
    }
    if !functions::is_known(&name) {
        return Err(functions::unknown(&name));
    }
    if args.iter().any(|arg| matches!(arg, Expr::Lambda(_))) {
        return Err(SqlError::new(format!("{name} with a lambda is not supported")));
    }
    Ok(Node::Call { name, arguments: all(scope, args)? })
}

/// Functions that do not evaluate every argument for every row.
fn special(scope: &Scope<'_>, name: &str, args: &[&Expr]) -> Result<Option<Node>> {
    let choose = |condition, then, otherwise| {
        Ok::<_, SqlError>(Node::Choose {
            branches: vec![(scope.resolve(condition)?, scope.resolve(then)?)],
            otherwise,
        })
    };
    Ok(Some(match (name, args) {
        ("if", [condition, then]) => choose(condition, then, None)?,
        ("if", [condition, then, otherwise]) => choose(condition, then, Some(boxed(scope, otherwise)?))?,
        ("coalesce", [_, ..]) => Node::Coalesce(all(scope, args.iter().copied())?),
        ("nullif", [value, other]) => {
            Node::NullIf { is_equal: Box::new(equal(scope, value, other)?), value: boxed(scope, value)? }
        }
        ("try", [value]) => {
            Node::Try { value: boxed(scope, value)?, may_hide_null: walk::may_hide_null(value) }
        }
        ("typeof", [value]) => Node::TypeOf(boxed(scope, value)?),
        ("now", []) => Node::Literal(clock::moment("current_timestamp", scope.session.now)?),
        (name, []) if clock::is_moment(name) => Node::Literal(clock::moment(name, scope.session.now)?),
        ("current_timestamp" | "localtimestamp", [Expr::Value(digits)]) => {
            // Digits after the second; there are never more than three.
            let unit = match digits.value.to_string().as_str() {
                "0" => 1000,
                "1" => 100,
                "2" => 10,
                _ => 1,
            };
            let now = scope.session.now;
            Node::Literal(clock::moment(name, now - now.rem_euclid(unit))?)
        }
        (name, _) if functions::SPECIAL.contains(&name) => {
            return Err(SqlError::new(format!("{name} does not take {} arguments", args.len())));
        }
        _ => return Ok(None),
    }))
}
