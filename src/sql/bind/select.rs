//! Binds a SELECT clause by clause, in the order of evaluation.

use std::ops::ControlFlow;

use sqlparser::ast::{
    Expr, GroupByExpr, GroupByWithModifier, Ident, OrderBy, Select, SelectItem,
    SelectItemQualifiedWildcardKind, Value,
};

use super::Binder;
use super::resolve::Clause;
use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::grouping::{order_exprs, refuse_unknown};
use crate::sql::syntax::visit::{VisitorMut, visit_mut};
use crate::sql::syntax::{names, walk};
use crate::sql::types::columns;
use crate::sql::types::relation::Relation;

impl Binder {
    /// Binds a SELECT and the ORDER BY of its query; returns its columns, without rows.
    pub(super) fn select(
        &self,
        like: &Scope<'_>,
        select: &mut Select,
        mut by: Option<&mut OrderBy>,
    ) -> Result<Relation> {
        refuse_unknown(select)?;
        let rows = self.from(like, &mut select.from)?;
        let scope = Scope { relation: &rows, ..*like };
        if let Some(selection) = &mut select.selection {
            self.condition(&scope, selection)?;
        }
        for item in &mut select.projection {
            self.item(&scope, item)?;
        }
        self.group_by(&scope, select)?;
        self.having(&scope, select)?;
        if let Some(by) = &mut by {
            let selected = self.listed(&scope, select, None)?;
            self.resolve_all(&scope, Clause::Order(&selected.columns), *by)?;
        }
        let selected = self.listed(&scope, select, by.as_deref())?;
        if let Some(by) = by.filter(|_| select.distinct.is_some()) {
            check_sorted(select, by)?;
        }
        let rows = Relation::without_rows(selected.columns.clone());
        self.selects.borrow_mut().push((select.clone(), selected));
        Ok(rows)
    }

    fn item(&self, scope: &Scope<'_>, item: &mut SelectItem) -> Result<()> {
        let SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options) = item
        else {
            return self.resolve_all(scope, Clause::Rows, item);
        };
        let table = names::last(name);
        let own = scope.relation.fields.iter().filter_map(|field| field.qualifier.as_ref());
        if let Some(own) = own.into_iter().find(|own| names::written(own) == table) {
            let last = name.0.last().and_then(|part| part.as_ident()).map(|ident| ident.span);
            let ident = Ident {
                value: own.clone(),
                quote_style: None,
                span: last.unwrap_or_else(sqlparser::tokenizer::Span::empty),
            };
            name.0 = vec![sqlparser::ast::ObjectNamePart::Identifier(ident)];
            return Ok(());
        }
        // A name that is not a table's may be a struct column's.
        let parts = name.0.iter().filter_map(|part| part.as_ident());
        let parts = parts
            .map(|part| Ident { value: part.value.to_lowercase(), quote_style: None, span: part.span })
            .collect();
        let mut row = names::named(parts);
        if self.resolve(scope, Clause::Rows, &mut row).is_err() {
            return Err(SqlError::new(format!("there is no table {table} here")).at(name));
        }
        *item = SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::Expr(row), options.clone());
        Ok(())
    }

    /// Writes out the keys of GROUP BY: ordinals and aliases are replaced by their expressions in the SELECT
    /// list.
    fn group_by(&self, scope: &Scope<'_>, select: &mut Select) -> Result<()> {
        let Select { group_by, projection, .. } = select;
        let GroupByExpr::Expressions(exprs, modifiers) = group_by else { return Ok(()) };
        for expr in exprs {
            match expr {
                Expr::GroupingSets(sets) | Expr::Rollup(sets) | Expr::Cube(sets) => {
                    self.keys(scope, projection, sets.iter_mut().flatten())?
                }
                Expr::Tuple(parts) => self.keys(scope, projection, parts.iter_mut())?,
                one => self.keys(scope, projection, std::iter::once(one))?,
            }
        }
        for modifier in modifiers {
            if let GroupByWithModifier::GroupingSets(Expr::GroupingSets(sets)) = modifier {
                self.keys(scope, projection, sets.iter_mut().flatten())?;
            }
        }
        Ok(())
    }

    fn keys<'k>(
        &self,
        scope: &Scope<'_>,
        list: &[SelectItem],
        keys: impl Iterator<Item = &'k mut Expr>,
    ) -> Result<()> {
        for key in keys {
            match meant(scope, list, key)? {
                Some(item) => *key = item,
                None => self.resolve(scope, Clause::Rows, key)?,
            }
        }
        Ok(())
    }

    /// In Trino, HAVING cannot use aliases; here an alias of the SELECT list is accepted if nothing else has
    /// its name.
    fn having(&self, scope: &Scope<'_>, select: &mut Select) -> Result<()> {
        let Some(having) = &mut select.having else { return Ok(()) };
        let alias = |item: &SelectItem| match item {
            SelectItem::ExprWithAlias { expr, alias } => Some((alias.value.to_lowercase(), expr.clone())),
            _ => None,
        };
        let aliases: Vec<(String, Expr)> = select.projection.iter().filter_map(alias).collect();
        let keys = match &select.group_by {
            GroupByExpr::Expressions(exprs, _) => exprs.as_slice(),
            GroupByExpr::All(_) => &[],
        };
        self.resolve(scope, Clause::Having { aliases: &aliases, keys }, having)
    }
}

/// Checks that what DISTINCT rows are sorted by is in their list: rows that it makes one may differ in anything
/// else.
fn check_sorted(select: &Select, by: &OrderBy) -> Result<()> {
    struct Known<'s>(Vec<&'s Expr>);
    impl VisitorMut for Known<'_> {
        fn pre_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
            if self.0.iter().any(|known| **known == *expr) {
                *expr = Expr::Value(Value::Null.into());
            }
            ControlFlow::Continue(())
        }
    }
    let listed: Vec<&Expr> = walk::list_exprs(select).collect();
    if listed.len() < select.projection.len() {
        return Ok(());
    }
    let mut known = Known(listed);
    for (key, _) in order_exprs(by)? {
        let mut rest = key.clone();
        let _ = visit_mut(&mut rest, &mut known);
        let calls = walk::Calls::of([&rest]);
        if !names::free(&rest).is_empty() || !calls.aggregates.is_empty() || !calls.windows.is_empty() {
            return Err(SqlError::new(
                "SELECT DISTINCT is sorted by what is in its list: equal rows may differ in anything else",
            )
            .at(&key));
        }
    }
    Ok(())
}

/// The expression of the SELECT list that a GROUP BY key stands for.
fn meant(scope: &Scope<'_>, list: &[SelectItem], key: &Expr) -> Result<Option<Expr>> {
    match key {
        Expr::Nested(inner) => meant(scope, list, inner),
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) => {
                let item = text.parse::<usize>().ok().and_then(|ordinal| list.get(ordinal.checked_sub(1)?));
                match item {
                    Some(SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }) => {
                        Ok(Some(expr.clone()))
                    }
                    _ => Err(SqlError::new(format!(
                        "GROUP BY {text}: there is no such column in the SELECT list"
                    ))
                    .at(key)),
                }
            }
            _ => Ok(None),
        },
        Expr::Identifier(ident)
            if columns::find(&scope.relation.fields, std::slice::from_ref(ident))
                .map_err(|error| error.at(key))?
                .is_none() =>
        {
            Ok(list.iter().find_map(|item| match item {
                SelectItem::ExprWithAlias { expr, alias }
                    if alias.value.eq_ignore_ascii_case(&ident.value) =>
                {
                    Some(expr.clone())
                }
                _ => None,
            }))
        }
        _ => Ok(None),
    }
}
