//! Names: their case, which column they mean, and what was probably meant.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use sqlparser::ast::{
    AccessExpr, Expr, Function, Ident, LambdaFunctionParameter, ObjectName, ObjectNamePart,
    OneOrManyWithParens, Query, TableAlias, TableFactor, Value, Visit, VisitMut, Visitor, VisitorMut,
    visit_expressions,
};

use super::error::{Result, SqlError};
use super::relation::Relation;

/// Makes every name in expressions lower case, so that equal expressions are equal trees. Aliases keep the
/// case in which they are shown; they are compared ignoring case.
pub(super) fn lower(query: &mut Query) {
    struct Lower;
    impl VisitorMut for Lower {
        type Break = ();

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
    let _ = VisitMut::visit(query, &mut Lower);
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
pub(super) fn of_field(step: &AccessExpr) -> Option<Ident> {
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
pub(super) fn marked(written: &str, number: usize) -> String {
    format!("{}{MARK}{number}", written.to_lowercase())
}

/// The original part of a unique name.
pub(super) fn written(name: &str) -> &str {
    name.split_once(MARK).map_or(name, |(written, _)| written)
}

/// Whether a name was made unique by the binder.
pub(super) fn is_marked(name: &str) -> bool {
    name.contains(MARK)
}

/// Whether a name with this first part has been resolved.
pub(super) fn is_bound(first: &Ident) -> bool {
    is_marked(&first.value)
}

/// A name as in the query's text, without a table name that the binder has added.
pub(super) fn dotted(parts: &[Ident]) -> String {
    let is_written = |part: &&Ident| !is_bound(part) || part.span.start.line > 0;
    parts.iter().filter(is_written).map(|ident| written(&ident.value)).collect::<Vec<_>>().join(".")
}

/// An expression as in the query's text.
pub(super) fn as_written(expr: &Expr) -> Expr {
    struct Unmark;
    impl VisitorMut for Unmark {
        type Break = ();

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
    let _ = VisitMut::visit(&mut expr, &mut Unmark);
    expr
}

/// The names in a part of a bound query that are defined outside of it, each once.
pub(super) fn free(part: &impl Visit) -> Vec<Vec<Ident>> {
    #[derive(Default)]
    struct Names {
        found: Vec<Vec<Ident>>,
        own: BTreeSet<String>,
    }
    impl Visitor for Names {
        type Break = ();

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
    let _ = part.visit(&mut names);
    let Names { mut found, own } = names;
    found.retain(|parts| parts.first().is_some_and(|first| !own.contains(&first.value)));
    found
}

/// All parts of all names in a part of a query, including its subqueries.
pub(super) fn parts_in(part: &impl Visit) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let _ = visit_expressions(part, |expr| {
        match expr {
            Expr::Identifier(ident) => drop(names.insert(ident.value.to_lowercase())),
            Expr::CompoundIdentifier(parts) => {
                names.extend(parts.iter().map(|ident| ident.value.to_lowercase()))
            }
            _ => {}
        }
        ControlFlow::<()>::Continue(())
    });
    names
}

/// Whether a part of a bound query uses only these rows, and no surrounding query.
pub(super) fn are_of(part: &impl Visit, rows: &Relation) -> bool {
    free(part).iter().all(|parts| parts.first().is_some_and(|first| rows.knows(&first.value)))
}

/// The parameters of a lambda.
pub(super) fn parameters(
    params: &OneOrManyWithParens<LambdaFunctionParameter>,
) -> impl Iterator<Item = &LambdaFunctionParameter> {
    match params {
        OneOrManyWithParens::One(one) => std::slice::from_ref(one).iter(),
        OneOrManyWithParens::Many(many) => many.iter(),
    }
}

/// The alias of a table in FROM.
pub(super) fn alias_of(factor: &TableFactor) -> Option<&TableAlias> {
    match factor {
        TableFactor::Table { alias, .. }
        | TableFactor::Derived { alias, .. }
        | TableFactor::UNNEST { alias, .. }
        | TableFactor::NestedJoin { alias, .. } => alias.as_ref(),
        _ => None,
    }
}

/// An expression that consists of a name.
pub(super) fn named(parts: Vec<Ident>) -> Expr {
    match <[Ident; 1]>::try_from(parts) {
        Ok([only]) => Expr::Identifier(only),
        Err(parts) => Expr::CompoundIdentifier(parts),
    }
}

/// The last part of a name, lower case: the table of `"db"."table"`, the function of a call.
pub(super) fn last(name: &ObjectName) -> String {
    name.0
        .last()
        .and_then(ObjectNamePart::as_ident)
        .map(|ident| ident.value.to_lowercase())
        .unwrap_or_default()
}

/// The name of the function that is called.
pub(super) fn of_function(function: &Function) -> String {
    last(&function.name)
}

/// Finds the column that a dotted name refers to, and how many parts name it; the rest are fields. A name
/// that begins with a table takes precedence over a column with the same name as a table.
pub(super) fn find(relation: &Relation, parts: &[Ident]) -> Result<Option<(usize, usize)>> {
    for (qualifier, name, used) in spellings(parts) {
        let mut matches = relation.fields.iter().enumerate().filter(|(_, field)| {
            field.name.eq_ignore_ascii_case(name)
                && qualifier
                    .is_none_or(|asked| field.qualifier.as_deref().is_some_and(|own| is_called(own, asked)))
        });
        if let Some((index, _)) = matches.next() {
            if matches.next().is_some() {
                return Err(SqlError::new(format!("column {name} is ambiguous: more than one table has it")));
            }
            return Ok(Some((index, used)));
        }
    }
    Ok(None)
}

/// Whether a table has this name: its unique name, or the name in the query.
fn is_called(own: &str, asked: &str) -> bool {
    own == asked || written(own).eq_ignore_ascii_case(asked)
}

/// The possible readings as `db.table.column`, `table.column` and `column`.
fn spellings(parts: &[Ident]) -> impl Iterator<Item = (Option<&str>, &str, usize)> {
    let at = |index: usize| parts.get(index).map(|ident| ident.value.as_str());
    let three = at(1).zip(at(2)).map(|(table, column)| (Some(table), column, 3));
    let two = at(0).zip(at(1)).map(|(table, column)| (Some(table), column, 2));
    let one = at(0).map(|column| (None, column, 1));
    // `a.b.c` is first read as `table.column.field`, because names with a database are rarer.
    [two, three, one].into_iter().flatten()
}

/// ", did you mean …?" if one of `names` is close to `name`.
pub(super) fn suggestion<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let close = names
        .map(|known| (strsim::levenshtein(name, known), known))
        .filter(|(distance, _)| *distance <= 1 + name.len() / 4)
        .min();
    close.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}
