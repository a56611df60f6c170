//! Translates expressions over the result of a SELECT to expressions over its own rows.

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, Query, Select, SelectItem, TableAlias};

use crate::sql::syntax::names::{name_of, named};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::types::columns::find;
use crate::sql::types::relation::Relation;

/// `expr`, over the result of a SELECT, as an expression over the rows of its FROM.
pub(super) fn of_item(expr: &Expr, select: &Select, rows: &Relation) -> Option<Expr> {
    let item = |parts: &[Ident]| {
        let (first, rest) = parts.split_first()?;
        let is_it = |name: &str| name.eq_ignore_ascii_case(&first.value);
        let mut is_starred = false;
        for item in &select.projection {
            match item {
                SelectItem::ExprWithAlias { expr, alias } if is_it(&alias.value) => {
                    return with_fields(expr, rest);
                }
                SelectItem::UnnamedExpr(expr) if name_of(expr).is_some_and(|name| is_it(&name)) => {
                    return with_fields(expr, rest);
                }
                SelectItem::Wildcard(_) => is_starred = true,
                _ => {}
            }
        }
        // A star returns columns under their own names.
        let (at, _) = find(&rows.fields, parts).ok().flatten().filter(|_| is_starred)?;
        let table = rows.fields.get(at)?.qualifier.as_ref().map(Ident::new)?;
        Some(named(std::iter::once(table).chain(parts.iter().cloned()).collect()))
    };
    replaced(expr, &item)
}

/// `expr`, over a FROM with a derived table, as an expression over the result of the derived table's query.
pub(super) fn of_derived(expr: &Expr, alias: Option<&TableAlias>, subquery: &Query) -> Option<Expr> {
    let columns = alias.map_or(&[][..], |alias| &alias.columns);
    let inner = |parts: &[Ident]| {
        let is_alias = alias.is_some_and(|alias| {
            parts.first().is_some_and(|first| first.value.eq_ignore_ascii_case(&alias.name.value))
        });
        let parts = if is_alias && parts.len() > 1 { parts.get(1..)? } else { parts };
        if columns.is_empty() {
            return Some(named(parts.to_vec()));
        }
        // Renamed columns are identified by position.
        let (first, rest) = parts.split_first()?;
        let at = columns.iter().position(|column| column.name.value.eq_ignore_ascii_case(&first.value))?;
        let select = crate::sql::syntax::names::top(subquery)?;
        let is_plain =
            |item: &SelectItem| matches!(item, SelectItem::UnnamedExpr(_) | SelectItem::ExprWithAlias { .. });
        if !select.projection.iter().all(is_plain) {
            return None;
        }
        let name = match select.projection.get(at)? {
            SelectItem::ExprWithAlias { alias, .. } => alias.value.to_lowercase(),
            SelectItem::UnnamedExpr(expr) => name_of(expr)?,
            _ => return None,
        };
        Some(named(std::iter::once(Ident::new(name)).chain(rest.iter().cloned()).collect()))
    };
    replaced(expr, &inner)
}

/// `expr` without the name of its table.
pub(super) fn of_table(expr: &Expr, alias: &str) -> Option<Expr> {
    replaced(expr, &|parts| match parts {
        [first, rest @ ..] if first.value == alias && !rest.is_empty() => Some(named(rest.to_vec())),
        parts => Some(named(parts.to_vec())),
    })
}

fn with_fields(expr: &Expr, rest: &[Ident]) -> Option<Expr> {
    match expr {
        Expr::Nested(inner) => with_fields(inner, rest),
        expr if rest.is_empty() => Some(expr.clone()),
        Expr::Identifier(ident) => {
            Some(named(std::iter::once(ident.clone()).chain(rest.iter().cloned()).collect()))
        }
        Expr::CompoundIdentifier(parts) => Some(named(parts.iter().chain(rest).cloned().collect())),
        _ => None,
    }
}

/// `expr` with its names replaced; `None` if the meaning of a name is not known.
fn replaced(expr: &Expr, with: &dyn Fn(&[Ident]) -> Option<Expr>) -> Option<Expr> {
    struct Replacer<'w>(&'w dyn Fn(&[Ident]) -> Option<Expr>);
    impl VisitorMut for Replacer<'_> {
        fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            let replaced = match expr {
                Expr::Identifier(ident) => (self.0)(std::slice::from_ref(ident)),
                Expr::CompoundIdentifier(parts) => (self.0)(parts),
                // The parameters of a lambda are names, too.
                Expr::Lambda(_) => None,
                _ => return ControlFlow::Continue(()),
            };
            match replaced {
                Some(replaced) => *expr = replaced,
                None => return ControlFlow::Break(()),
            }
            ControlFlow::Continue(())
        }
    }
    let mut expr = expr.clone();
    visit_mut(&mut expr, &mut Replacer(with)).is_continue().then_some(expr)
}
