//! Names: their case, which column they mean, and what was probably meant.

use std::ops::ControlFlow;

use sqlparser::ast::{AccessExpr, Expr, Function, Ident, ObjectName, ObjectNamePart, Query, Value, VisitMut, VisitorMut};

use super::error::{Result, SqlError};
use super::relation::Relation;

/// Makes every name in expressions lower case, so that equal expressions are equal trees. Aliases keep the case in which
/// they are shown; they are compared without it.
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

/// What stands before the first `[` of `e.resources[1].arn` is one name, of a table, a column and fields: the parser takes
/// `e` for all of the name, and the rest for steps. The fields after it become texts: no column is meant by them.
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
            *step = AccessExpr::Dot(Expr::Value(Value::SingleQuotedString(name.value.to_lowercase()).with_span(name.span)));
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

/// `expr` with `eventname` for `e.eventname`, wherever both are the same column.
pub(super) fn without_tables(expr: &Expr, relation: &Relation) -> Expr {
    struct Shorten<'r>(&'r Relation, usize);
    impl VisitorMut for Shorten<'_> {
        type Break = ();

        fn pre_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
            self.1 += 1;
            ControlFlow::Continue(())
        }

        fn post_visit_query(&mut self, _query: &mut Query) -> ControlFlow<()> {
            self.1 -= 1;
            ControlFlow::Continue(())
        }

        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let Expr::CompoundIdentifier(parts) = expr else { return ControlFlow::Continue(()) };
            let column = |parts: &[Ident]| find(self.0, parts).ok().flatten();
            let rest = parts.get(1..).unwrap_or_default();
            if self.1 == 0 && column(parts).zip(column(rest)).is_some_and(|(long, short)| long == (short.0, short.1 + 1)) {
                *expr = match rest {
                    [only] => Expr::Identifier(only.clone()),
                    rest => Expr::CompoundIdentifier(rest.to_vec()),
                };
            }
            ControlFlow::Continue(())
        }
    }
    let mut short = expr.clone();
    let _ = VisitMut::visit(&mut short, &mut Shorten(relation, 0));
    short
}

/// The last part of a name, lower case: the table of `"db"."table"`, the function of a call.
pub(super) fn last(name: &ObjectName) -> String {
    name.0.last().and_then(ObjectNamePart::as_ident).map(|ident| ident.value.to_lowercase()).unwrap_or_default()
}

/// The name of the function that is called.
pub(super) fn of_function(function: &Function) -> String {
    last(&function.name)
}

/// Finds the column that a dotted name means, and how many parts name it; the rest are fields of its row. A name with a
/// table in front wins over a column that happens to be called like a table.
pub(super) fn find(relation: &Relation, parts: &[Ident]) -> Result<Option<(usize, usize)>> {
    for (qualifier, name, used) in spellings(parts) {
        let mut matches = relation.fields.iter().enumerate().filter(|(_, field)| {
            field.name.eq_ignore_ascii_case(name)
                && qualifier.is_none_or(|asked| field.qualifier.as_deref().is_some_and(|own| own.eq_ignore_ascii_case(asked)))
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

/// `db.table.column`, `table.column`, `column`: whichever the parts allow.
fn spellings(parts: &[Ident]) -> impl Iterator<Item = (Option<&str>, &str, usize)> {
    let at = |index: usize| parts.get(index).map(|ident| ident.value.as_str());
    let three = at(1).zip(at(2)).map(|(table, column)| (Some(table), column, 3));
    let two = at(0).zip(at(1)).map(|(table, column)| (Some(table), column, 2));
    let one = at(0).map(|column| (None, column, 1));
    // `a.b.c` is first `table.column.field`: a database in front is the rarer case.
    [two, three, one].into_iter().flatten()
}

/// ", did you mean …?" if one of `names` is close to `name`.
pub(super) fn suggestion<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> String {
    let close = names.map(|known| (strsim::levenshtein(name, known), known)).filter(|(distance, _)| *distance <= 1 + name.len() / 4).min();
    close.map(|(_, known)| format!("; did you mean {known}?")).unwrap_or_default()
}
