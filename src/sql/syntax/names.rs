//! Names: their case, which column they mean, and what was probably meant.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Expr, Function, Ident, JoinConstraint, JoinOperator, LambdaFunctionParameter, ObjectName,
    ObjectNamePart, OneOrManyWithParens, Query, Select, SetExpr, TableAlias, TableFactor, Value, Visit,
};

use crate::sql::syntax::visit::{Visitor, VisitorMut, expressions, visit, visit_mut};
use crate::tables::{self, cloudtrail};

/// Makes every name in expressions lower case, so that equal expressions are equal trees. Aliases keep the
/// case in which they are shown; they are compared ignoring case.
pub(in crate::sql) fn lower(query: &mut Query) {
    struct Lower;
    impl VisitorMut for Lower {
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            join(expr);
            match expr {
                Expr::Identifier(ident) => lower_ident(ident),
                Expr::CompoundIdentifier(parts) => parts.iter_mut().for_each(lower_ident),
                Expr::Function(function) => lower_name(&mut function.name),
                _ => {}
            }
            ControlFlow::Continue(())
        }
    }
    let _ = visit_mut(query, &mut Lower);
}

/// In `e.resources[1].arn`, everything before the first `[` is one name, of a table, a column and fields, but
/// the parser treats `e` as the name and the rest as steps. The fields after `[` become texts, as they are
/// not columns.
fn join(expr: &mut Expr) {
    let Expr::CompoundFieldAccess { root, access_chain } = expr else { return };
    if let Expr::Identifier(first) = root.as_ref() {
        let mut parts = vec![first.clone()];
        parts.extend(access_chain.iter().map_while(field).cloned());
        if parts.len() > 1 {
            access_chain.drain(..parts.len() - 1);
            **root = Expr::CompoundIdentifier(parts);
        }
    }
    for step in access_chain {
        if let Some(name) = field(step) {
            *step = AccessExpr::Dot(Expr::Value(
                Value::SingleQuotedString(name.value.to_lowercase()).with_span(name.span),
            ));
        }
    }
}

fn field(step: &AccessExpr) -> Option<&Ident> {
    match step {
        AccessExpr::Dot(Expr::Identifier(name)) => Some(name),
        _ => None,
    }
}

/// The field that a step of [`Expr::CompoundFieldAccess`] names.
pub(in crate::sql) fn of_field(step: &AccessExpr) -> Option<Ident> {
    match step {
        AccessExpr::Dot(Expr::Value(value)) => match &value.value {
            Value::SingleQuotedString(name) => Some(Ident::with_span(value.span, name)),
            _ => None,
        },
        _ => None,
    }
}

fn lower_ident(ident: &mut Ident) {
    ident.value = ident.value.to_lowercase();
    ident.quote_style = None;
}

fn lower_name(name: &mut ObjectName) {
    for part in &mut name.0 {
        if let ObjectNamePart::Identifier(ident) = part {
            lower_ident(ident);
        }
    }
}

/// Separates the name that the query uses for a table or a lambda's parameter from a unique number. Queries
/// cannot contain this character.
const MARK: char = '\0';

/// The unique name of the `number`th table or parameter of a query.
pub(in crate::sql) fn marked(written: &str, number: usize) -> String {
    format!("{}{MARK}{number}", written.to_lowercase())
}

/// The name of a lambda's parameter, unique among the lambdas around it: equal lambdas have equal names.
pub(in crate::sql) fn of_parameter(written: &str, depth: usize) -> String {
    format!("{}{MARK}>{depth}", written.to_lowercase())
}

/// The original part of a unique name.
pub(in crate::sql) fn written(name: &str) -> &str {
    name.split_once(MARK).map_or(name, |(written, _)| written)
}

/// Whether a name was made unique by the binder.
pub(in crate::sql) fn is_marked(name: &str) -> bool {
    name.contains(MARK)
}

/// Whether a name with this first part has been resolved.
pub(in crate::sql) fn is_bound(first: &Ident) -> bool {
    is_marked(&first.value)
}

/// A name as in the query's text, without a table name that the binder has added.
pub(in crate::sql) fn dotted(parts: &[Ident]) -> String {
    let is_written = |part: &&Ident| !is_bound(part) || part.span.start.line > 0;
    parts.iter().filter(is_written).map(|ident| written(&ident.value)).collect::<Vec<_>>().join(".")
}

/// An expression as in the query's text.
pub(in crate::sql) fn as_written(expr: &Expr) -> Expr {
    struct Unmark;
    impl VisitorMut for Unmark {
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let parts = match expr {
                Expr::Identifier(ident) => vec![ident.clone()],
                Expr::CompoundIdentifier(parts) => parts.clone(),
                _ => return ControlFlow::Continue(()),
            };
            *expr = Expr::Identifier(Ident::new(dotted(&parts)));
            ControlFlow::Continue(())
        }
    }
    let mut expr = expr.clone();
    let _ = visit_mut(&mut expr, &mut Unmark);
    expr
}

/// The names in a part of a bound query that are defined outside of it, each once.
pub(in crate::sql) fn free(part: &impl Visit) -> Vec<Vec<Ident>> {
    #[derive(Default)]
    struct Names {
        found: Vec<Vec<Ident>>,
        own: BTreeSet<String>,
    }
    impl Visitor for Names {
        fn pre_visit_table_factor(&mut self, factor: &TableFactor) -> ControlFlow<()> {
            self.own.extend(alias_of(factor).map(|alias| alias.name.value.clone()));
            ControlFlow::Continue(())
        }

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let parts = match expr {
                Expr::Identifier(ident) => vec![ident.clone()],
                Expr::CompoundIdentifier(parts) => parts.clone(),
                Expr::Lambda(lambda) => {
                    self.own.extend(parameters(&lambda.params).map(|parameter| parameter.name.value.clone()));
                    return ControlFlow::Continue(());
                }
                _ => return ControlFlow::Continue(()),
            };
            if parts.first().is_some_and(is_bound) && !self.found.contains(&parts) {
                self.found.push(parts);
            }
            ControlFlow::Continue(())
        }
    }
    let mut names = Names::default();
    let _ = visit(part, &mut names);
    let Names { mut found, own } = names;
    found.retain(|parts| parts.first().is_some_and(|first| !own.contains(&first.value)));
    found
}

/// All parts of all names in a part of a query, including its subqueries.
pub(in crate::sql) fn parts_in(part: &impl Visit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = expressions(part, &mut |expr| {
        match expr {
            Expr::Identifier(ident) => drop(names.insert(ident.value.to_lowercase())),
            Expr::CompoundIdentifier(parts) => {
                names.extend(parts.iter().map(|ident| ident.value.to_lowercase()))
            }
            _ => {}
        }
        ControlFlow::Continue(())
    });
    names
}

/// The parameters of a lambda.
pub(in crate::sql) fn parameters(
    params: &OneOrManyWithParens<LambdaFunctionParameter>,
) -> impl Iterator<Item = &LambdaFunctionParameter> {
    match params {
        OneOrManyWithParens::One(one) => std::slice::from_ref(one).iter(),
        OneOrManyWithParens::Many(many) => many.iter(),
    }
}

/// The alias of a table in FROM.
pub(in crate::sql) fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

/// An expression that consists of a name.
pub(in crate::sql) fn named(parts: Vec<Ident>) -> Expr {
    match <[Ident; 1]>::try_from(parts) {
        Ok([only]) => Expr::Identifier(only),
        Err(parts) => Expr::CompoundIdentifier(parts),
    }
}

/// The last part of a name, lower case: the table of `"db"."table"`, the function of a call.
pub(in crate::sql) fn last(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(ObjectNamePart::as_ident)
        .map(|ident| ident.value.to_lowercase())
        .unwrap_or_default()
}

/// The name of the function that is called.
pub(in crate::sql) fn of_function(function: &Function) -> String {
    last(&function.name)
}

/// ", did you mean …?" if one of `names` is close to `name`.
pub(in crate::sql) fn suggestion<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let close = names
        .map(|known| (strsim::levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4)
        .min();
    close.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}

/// The name of a column without an alias.
pub(in crate::sql) fn name_of(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Identifier(ident) => Some(ident.value.clone()),
        Expr::CompoundIdentifier(parts) => parts.last().map(|ident| ident.value.clone()),
        Expr::CompoundFieldAccess { access_chain, .. } => {
            access_chain.last().and_then(of_field).map(|field| field.value)
        }
        Expr::Nested(inner) => name_of(inner),
        _ => None,
    }
}

/// The parts of an expression that is a name.
pub(in crate::sql) fn parts_of(expr: &Expr) -> Option<&[Ident]> {
    match expr {
        Expr::Identifier(ident) => Some(std::slice::from_ref(ident)),
        Expr::CompoundIdentifier(parts) => Some(parts),
        _ => None,
    }
}

/// Whether a query is nothing but its body: without WITH, ORDER BY, LIMIT and OFFSET.
pub(in crate::sql) fn is_body_alone(query: &Query) -> bool {
    query.with.is_none() && query.order_by.is_none() && query.limit_clause.is_none() && query.fetch.is_none()
}

/// The `SELECT` that returns the rows of the query.
pub(in crate::sql) fn top(tree: &Query) -> Option<&Select> {
    match &*tree.body {
        SetExpr::Select(select) => Some(select),
        _ => None,
    }
}

/// Whether a table of a bound query is `cloudtrail_logs`, and not a common table expression with that name.
pub(in crate::sql) fn is_events(name: &str) -> bool {
    !is_marked(name) && tables::find(name).is_some_and(|table| table.name == cloudtrail::TABLE.name)
}

pub(in crate::sql) fn constraint(operator: &JoinOperator) -> Option<&JoinConstraint> {
    match operator {
        JoinOperator::Join(constraint)
        | JoinOperator::Inner(constraint)
        | JoinOperator::Left(constraint)
        | JoinOperator::LeftOuter(constraint)
        | JoinOperator::Right(constraint)
        | JoinOperator::RightOuter(constraint)
        | JoinOperator::FullOuter(constraint)
        | JoinOperator::Semi(constraint)
        | JoinOperator::LeftSemi(constraint)
        | JoinOperator::Anti(constraint)
        | JoinOperator::LeftAnti(constraint) => Some(constraint),
        _ => None,
    }
}

/// The last two parts of a name, as a column may be written: `table`, `column`.
pub(in crate::sql) fn qualified(parts: &[Ident]) -> Option<(&str, &str)> {
    match parts {
        [table, column] => Some((&table.value, &column.value)),
        _ => None,
    }
}

/// `ON true`.
pub(in crate::sql) fn is_always(constraint: &JoinConstraint) -> bool {
    matches!(constraint, JoinConstraint::On(Expr::Value(value)) if value.value == sqlparser::ast::Value::Boolean(true))
}

/// Line and column of a name in the text.
pub(in crate::sql) fn place(name: &ObjectName) -> (u64, u64) {
    let start = name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.span.start);
    start.map_or((0, 0), |start| (start.line, start.column))
}

/// Whether a query uses one of the names of columns that `*` does not show.
pub(in crate::sql) fn has_other_names(query: &Query) -> bool {
    struct Finder;
    impl Visitor for Finder {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            let last = match expr {
                Expr::Identifier(ident) => Some(ident),
                Expr::CompoundIdentifier(parts) => parts.get(1),
                _ => None,
            };
            let is_other = |ident: &Ident| {
                cloudtrail::OTHER_NAMES.iter().any(|(other, _)| ident.value.eq_ignore_ascii_case(other))
            };
            if last.is_some_and(is_other) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    visit(query, &mut Finder).is_break()
}
