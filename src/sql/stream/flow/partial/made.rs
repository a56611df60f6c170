//! What the calls of aggregates are made of, and whether it can be combined.

use sqlparser::ast::{Expr, Function, FunctionArguments};

use super::{Column, Partial};
use crate::sql::functions::aggregate;
use crate::sql::functions::aggregate::Merge;
use crate::sql::scope::Scope;
use crate::sql::syntax::calls::argument;
use crate::sql::syntax::{calls, names};
use crate::sql::types::relation::Relation;
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// Aggregates of all numbers of a group, in whatever order they come.
const OF_NUMBERS: &[&str] = &["stddev", "stddev_samp", "stddev_pop", "variance", "var_samp", "var_pop"];

/// How the value of a call is made of columns, which are given by their numbers.
#[derive(Debug, Clone)]
pub(super) enum Made {
    Column(usize),
    /// The length of a list.
    Length(usize),
    /// A sum divided by a count.
    Mean(usize, usize),
    /// What is shown of the row that is kept.
    Kept(usize),
    /// An aggregate of the values in a list, with its other arguments.
    OfAll {
        column: usize,
        name: String,
        more: Vec<Values>,
    },
}

impl Partial {
    /// The number of the column with the partial values of a call.
    fn column(&mut self, call: &Expr, merge: Merge) -> usize {
        let is_it = |known: &Column| known.call == *call && known.merge == merge;
        self.columns.iter().position(is_it).unwrap_or_else(|| {
            self.columns.push(Column { call: call.clone(), merge });
            self.columns.len() - 1
        })
    }

    /// How a call is made of columns, which are added where they are missing; `None` if it cannot be combined.
    pub(super) fn made(&mut self, scope: &Scope<'_>, call: &Expr) -> Option<Made> {
        let function = calls::as_call(call).ok()?;
        let name = names::of_function(function);
        match argument(function) {
            Some((argument, distinct)) => self.made_of_one(scope, call, (&name, argument, distinct)),
            None => None,
        }
        .or_else(|| self.made_of_rows(scope, call, function, &name))
    }

    /// The same for a call with one argument, or `*`.
    fn made_of_one(
        &mut self,
        scope: &Scope<'_>,
        call: &Expr,
        (name, argument, distinct): (&str, Option<&Expr>, bool),
    ) -> Option<Made> {
        let kind =
            argument.map(|argument| scope.eval(argument).map(|values| values.kind)).transpose().ok()?;
        let merge = match (name, argument) {
            ("count", Some(_)) if distinct => return Some(Made::Length(self.column(call, Merge::Lists))),
            ("approx_distinct" | "approx_count_distinct", Some(_)) => {
                return Some(Made::Length(self.column(call, Merge::Lists)));
            }
            ("count", _) => Merge::Count,
            ("count_if", Some(_)) if !distinct => Merge::Count,
            ("sum", Some(_)) if !distinct && matches!(kind, Some(Kind::Bigint | Kind::Decimal { .. })) => {
                Merge::Sum
            }
            ("avg", Some(_)) if !distinct && kind == Some(Kind::Bigint) => {
                let function = calls::as_call(call).ok()?;
                let of = |name: &str| Expr::Function(calls::renamed(function, name));
                let sum = self.column(&of("sum"), Merge::Sum);
                return Some(Made::Mean(sum, self.column(&of("count"), Merge::Count)));
            }
            ("min" | "max", Some(_))
                if matches!(kind, Some(Kind::Array(_) | Kind::Row(_) | Kind::Map(..))) =>
            {
                return None;
            }
            ("min", Some(_)) => Merge::Least,
            ("max", Some(_)) => Merge::Greatest,
            ("bool_and" | "every", Some(_)) => Merge::Every,
            ("bool_or", Some(_)) => Merge::Any,
            _ => return None,
        };
        Some(Made::Column(self.column(call, merge)))
    }

    /// The same for a call that chooses a row, or for which all numbers of a group are needed.
    fn made_of_rows(
        &mut self,
        scope: &Scope<'_>,
        call: &Expr,
        function: &Function,
        name: &str,
    ) -> Option<Made> {
        let FunctionArguments::List(list) = &function.args else { return None };
        let is_plain = list.clauses.is_empty()
            && list.duplicate_treatment.is_none()
            && function.null_treatment.is_none()
            && function.within_group.is_empty();
        let arguments = calls::arguments(function).ok().filter(|_| is_plain)?;
        let kinds = arguments.iter().map(|argument| Some(scope.eval(argument).ok()?.kind));
        let kinds = kinds.collect::<Option<Vec<_>>>()?;
        if let Some(wanted) = aggregate::kept::chooses(name, arguments.len()) {
            let compared = kinds.get(1).or(kinds.first())?;
            let has_order = wanted.is_none()
                || !matches!(compared, Kind::Array(_) | Kind::Row(_) | Kind::Map(..) | Kind::Decimal { .. });
            let is_known = !kinds.contains(&Kind::Unknown);
            return (has_order && is_known).then(|| Made::Kept(self.column(call, Merge::Kept(wanted))));
        }
        let of_doubles = ["sum", "avg"].contains(&name) && kinds == [Kind::Double];
        let of_numbers =
            OF_NUMBERS.contains(&name) && matches!(kinds.as_slice(), [Kind::Double | Kind::Bigint]);
        let of_parts = name == "approx_percentile"
            && matches!(kinds.as_slice(), [Kind::Double | Kind::Bigint, _])
            && arguments.get(1).is_some_and(|part| names::parts_in(*part).is_empty());
        if !of_doubles && !of_numbers && !of_parts {
            return None;
        }
        let one = Relation::single_row();
        let one = Scope { relation: &one, ..*scope };
        let more = arguments.iter().skip(1).map(|argument| one.eval(argument).ok());
        let more = more.collect::<Option<Vec<_>>>()?;
        Some(Made::OfAll { column: self.column(call, Merge::All), name: name.to_owned(), more })
    }
}
