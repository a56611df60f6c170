//! Resolves the names in one expression: columns of its rows, columns of surrounding queries, parameters of
//! lambdas, aliases.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Function, Ident, OneOrManyWithParens, Query, VisitMut};
use sqlparser::tokenizer::Span;

use super::Binder;
use crate::sql::error::{Result, SqlError};
use crate::sql::functions;
use crate::sql::scope::{Scope, Via};
use crate::sql::syntax::calls;
use crate::sql::syntax::names::{dotted, is_bound, named, of_function, of_parameter, suggestion};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::types::relation::Field;
use crate::sql::types::{clock, columns};

/// What a name may stand for besides columns, depending on the clause.
#[derive(Clone, Copy)]
pub(super) enum Clause<'c> {
    Rows,
    /// An alias in the SELECT list, unless a GROUP BY key has the same name.
    Having {
        aliases: &'c [(String, Expr)],
        keys: &'c [Expr],
    },
    /// A column of the SELECT list, by its name.
    Order(&'c [Field]),
}

impl Binder {
    pub(super) fn resolve(&self, scope: &Scope<'_>, clause: Clause<'_>, expr: &mut Expr) -> Result<()> {
        self.resolve_all(scope, clause, expr)
    }

    /// Resolves every name in the expressions of `part`, and binds the subqueries in them.
    pub(super) fn resolve_all(
        &self,
        scope: &Scope<'_>,
        clause: Clause<'_>,
        part: &mut impl VisitMut,
    ) -> Result<()> {
        let mut resolver = Resolver {
            binder: self,
            scope,
            clause,
            depth: 0,
            within: 0,
            parameters: Vec::new(),
            unknown: Vec::new(),
            failure: None,
        };
        let _ = visit_mut(part, &mut resolver);
        resolver.failure.map_or(Ok(()), Err)
    }
}

struct Resolver<'r> {
    binder: &'r Binder,
    scope: &'r Scope<'r>,
    clause: Clause<'r>,
    /// Depth of subqueries around the current expression; each subquery is bound as a whole.
    depth: usize,
    /// Depth of aggregates and window functions, whose arguments refer to single rows in any clause.
    within: usize,
    /// For each surrounding lambda, the names of its parameters and their unique names.
    parameters: Vec<Vec<(String, String)>>,
    /// Unknown surrounding functions, which are reported before errors in their arguments.
    unknown: Vec<SqlError>,
    /// The error that ended the walk.
    failure: Option<SqlError>,
}

impl VisitorMut for Resolver<'_> {
    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<()> {
        if self.depth == 0 {
            let bound = self.binder.query(self.scope.ctes, Some((self.scope, Via::Rows(&[]))), query);
            match bound {
                Ok(columns) => {
                    self.binder.subqueries.borrow_mut().push((query.clone(), columns.seen()));
                }
                Err(error) => return self.fail(error),
            }
        }
        self.depth += 1;
        ControlFlow::Continue(())
    }

    fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
        self.depth -= 1;
        ControlFlow::Continue(())
    }

    fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        match expr {
            Expr::Function(function) => {
                self.within += usize::from(looks_at_rows(function));
                let name = of_function(function);
                if !is_known(&name) && function.over.is_none() {
                    self.unknown.push(functions::unknown(&name).at(expr));
                }
            }
            Expr::Lambda(lambda) => {
                let mut given = Vec::new();
                let parameters = match &mut lambda.params {
                    OneOrManyWithParens::One(one) => std::slice::from_mut(one),
                    OneOrManyWithParens::Many(many) => many.as_mut_slice(),
                };
                for parameter in parameters {
                    let own = of_parameter(&parameter.name.value, self.parameters.len());
                    given.push((parameter.name.value.to_lowercase(), own.clone()));
                    parameter.name = Ident { quote_style: None, value: own, span: parameter.name.span };
                }
                self.parameters.push(given);
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if self.depth > 0 {
            return ControlFlow::Continue(());
        }
        let meant = match expr {
            Expr::Function(function) => {
                self.within -= usize::from(looks_at_rows(function));
                if !is_known(&of_function(function)) && function.over.is_none() {
                    self.unknown.pop();
                }
                return ControlFlow::Continue(());
            }
            Expr::Lambda(_) => {
                self.parameters.pop();
                return ControlFlow::Continue(());
            }
            Expr::Identifier(ident) => self.meant(std::slice::from_ref(ident)),
            Expr::CompoundIdentifier(parts) => self.meant(parts),
            _ => return ControlFlow::Continue(()),
        };
        match meant {
            Ok(Some(meant)) => *expr = meant,
            Ok(None) => {}
            Err(error) => {
                return self.fail(self.unknown.first().cloned().unwrap_or_else(|| error.at(expr)));
            }
        }
        ControlFlow::Continue(())
    }
}

/// Whether a function is an aggregate or a window function.
fn looks_at_rows(function: &Function) -> bool {
    function.over.is_some() || calls::is_aggregate(&of_function(function))
}

fn is_known(name: &str) -> bool {
    functions::is_known(name)
        || calls::is_aggregate(name)
        || calls::WINDOW_FUNCTIONS.contains(&name)
        || name == "grouping"
}

impl Resolver<'_> {
    fn fail(&mut self, error: SqlError) -> ControlFlow<()> {
        self.failure = Some(error);
        ControlFlow::Break(())
    }

    /// The expression that a name stands for; `None` if it is left as it is.
    fn meant(&self, parts: &[Ident]) -> Result<Option<Expr>> {
        let Some((first, rest)) = parts.split_first().filter(|(first, _)| !is_bound(first)) else {
            return Ok(None);
        };
        if let Some(own) = self.parameter(&first.value) {
            let first = Ident { value: own.to_owned(), ..first.clone() };
            return Ok(Some(named(std::iter::once(first).chain(rest.iter().cloned()).collect())));
        }
        match (self.clause, parts) {
            (Clause::Order(fields), [only])
                if self.within == 0 && fields.iter().any(|field| field.name.to_lowercase() == only.value) =>
            {
                Ok(None)
            }
            (Clause::Having { aliases, keys }, [only]) if self.within == 0 => {
                let alias = aliases
                    .iter()
                    .find(|(alias, _)| *alias == only.value)
                    .map(|(_, expr)| Expr::Nested(Box::new(expr.clone())));
                match (self.column(parts), alias) {
                    (Ok(Some(column)), Some(alias)) if self.is_own(&column) && !keys.contains(&column) => {
                        Ok(Some(alias))
                    }
                    (Ok(Some(column)), _) => Ok(Some(column)),
                    (_, Some(alias)) => Ok(Some(alias)),
                    (column, None) => self.or_moment(parts, column?),
                }
            }
            _ => self.or_moment(parts, self.column(parts)?),
        }
    }

    fn or_moment(&self, parts: &[Ident], column: Option<Expr>) -> Result<Option<Expr>> {
        match (column, parts) {
            (Some(column), _) => Ok(Some(column)),
            (None, [only]) if clock::is_moment(&only.value) => Ok(None),
            (None, parts) => Err(self.unknown_name(parts)),
        }
    }

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().rev().flatten().find(|(called, _)| called == name).map(|(_, own)| own.as_str())
    }

    /// Whether a column belongs to the rows of this expression, and not to a surrounding query.
    fn is_own(&self, column: &Expr) -> bool {
        columns::are_of(column, self.scope.relation)
    }

    /// The column that a name refers to, in this query or a surrounding one, with the name of its table.
    fn column(&self, parts: &[Ident]) -> Result<Option<Expr>> {
        let mut at = Some(self.scope);
        while let Some(scope) = at {
            if let Some((index, used)) = columns::find(&scope.relation.fields, parts)? {
                return Ok(Some(
                    match scope.relation.fields.get(index).and_then(|field| field.qualifier.as_deref()) {
                        Some(table) => written_out(table, parts, used),
                        None => named(parts.get(used - 1..).unwrap_or_default().to_vec()),
                    },
                ));
            }
            at = scope.outer.map(|(outer, _)| outer);
        }
        Ok(None)
    }

    fn unknown_name(&self, parts: &[Ident]) -> SqlError {
        let first = parts.first().map(|ident| ident.value.as_str()).unwrap_or_default();
        let columns = self.scope.relation.fields.iter().map(|field| field.name.as_str());
        let known = self.parameters.iter().flatten().map(|(called, _)| called.as_str()).chain(columns);
        let hint = suggestion(parts.last().map_or(first, |ident| ident.value.as_str()), known);
        let hint = match first {
            "eventjson" => "; the record's members are columns here, such as requestparameters".to_owned(),
            _ if matches!(parts, [only] if is_in_double_quotes(only)) => {
                format!("{hint}; double quotes are for names, a text stands in single quotes: 'text'")
            }
            _ => hint,
        };
        SqlError::new(format!("there is no column {}{hint}", dotted(parts)))
    }
}

/// Whether a name is written in double quotes, which its place in the text has and its value has not.
fn is_in_double_quotes(name: &Ident) -> bool {
    let (start, end) = (name.span.start, name.span.end);
    let length = u64::try_from(name.value.chars().count()).unwrap_or(u64::MAX);
    start.line == end.line && end.column.checked_sub(start.column) == length.checked_add(2)
}

/// A column with the name of its table. `used` is the number of `parts` that name the column, with or without
/// the table. Names that are not in the query's text have no position.
fn written_out(table: &str, parts: &[Ident], used: usize) -> Expr {
    let (said, rest) = parts.split_at(used.saturating_sub(1));
    let span = Span::union_iter(said.iter().map(|part| part.span));
    let table = Ident { value: table.to_owned(), quote_style: None, span };
    Expr::CompoundIdentifier(std::iter::once(table).chain(rest.iter().cloned()).collect())
}
