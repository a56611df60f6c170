//! The sides of UNION, INTERSECT and EXCEPT: rows that are equal in all columns are equal in some of them, so
//! both sides are divided by what they show in the same places.

use sqlparser::ast::{Expr, Ident, OrderBy, OrderByKind, Query, Select, SelectItem, SetExpr};

use super::{Divider, inline, names};
use crate::sql::syntax::names::{is_body_alone, name_of};
use crate::sql::syntax::{dialect, grouping};
use crate::sql::types::relation::Relation;
use crate::tables::Kind;

/// A query whose rows are those of a set operation, or have windows, as a SELECT of all of them; `None` for any
/// other.
pub(in crate::sql) fn as_select(query: &Query) -> Option<Query> {
    let is_one = match &*query.body {
        SetExpr::SetOperation { .. } => true,
        SetExpr::Select(select) => {
            select.distinct.is_none()
                && !grouping::is_grouped(select, query.order_by.as_ref())
                && query.order_by.as_ref().is_none_or(is_by_names)
                && grouping::grouping(select, None).is_ok_and(|(_, calls)| !calls.windows.is_empty())
        }
        _ => false,
    };
    if !is_one {
        return None;
    }
    let mut around = dialect::parse("SELECT * FROM (SELECT 1) AS all_sides").ok()?;
    let SetExpr::Select(select) = &mut *around.body else { return None };
    let [table] = select.from.as_mut_slice() else { return None };
    let sqlparser::ast::TableFactor::Derived { subquery, .. } = &mut table.relation else { return None };
    subquery.body.clone_from(&query.body);
    Some(Query { body: around.body, ..query.clone() })
}

impl Divider<'_> {
    /// Divides sides by whatever they can be divided by.
    pub(super) fn any_sides(&mut self, body: &SetExpr) -> Option<()> {
        let selects = selects(body)?;
        let columns: Vec<Vec<Expr>> = match selects.iter().all(|select| is_star(select)) {
            true => {
                self.common_columns(&selects)?.into_iter().map(|name| self.starred(&selects, &name)).collect()
            }
            false => {
                let count = selects.first()?.projection.len();
                (0..count).filter_map(|at| items(&selects, at)).collect()
            }
        };
        let alike: Vec<Vec<Expr>> =
            columns.into_iter().filter(|column| self.are_alike_in_sides(&selects, column)).collect();
        // By all of them, or by one alone.
        let all = std::iter::once(alike.clone()).filter(|all| !all.is_empty());
        for columns in all.chain(alike.iter().map(|column| vec![column.clone()])) {
            self.reset();
            if self.sides(&selects, &columns).is_some() && self.is_done() {
                return Some(());
            }
        }
        None
    }

    /// Asks that rows with equal `by`, which are names of what the sides show, come from one share.
    pub(super) fn sides_by_name(&mut self, body: &SetExpr, by: &[Expr]) -> Option<()> {
        let selects = selects(body)?;
        let is_starred = selects.iter().all(|select| is_star(select));
        let column = |expr: &Expr| {
            let Expr::Identifier(name) = expr else { return None };
            if is_starred {
                return Some(self.starred(&selects, &name.value));
            }
            let is_it = |item: &SelectItem| {
                shown(item).is_some_and(|(known, _)| known == Some(name.value.to_lowercase()))
            };
            items(&selects, selects.first()?.projection.iter().position(is_it)?)
        };
        let columns = by.iter().map(column).collect::<Option<Vec<_>>>()?;
        let is_alike = columns.iter().all(|column| self.are_alike_in_sides(&selects, column));
        if is_alike { self.sides(&selects, &columns) } else { None }
    }

    /// `columns`: what is shown in one place, for each side.
    pub(super) fn sides(&mut self, selects: &[&Select], columns: &[Vec<Expr>]) -> Option<()> {
        for (at, select) in selects.iter().enumerate() {
            // What has no events would be in every share.
            if !inline::has_events_table(&select.from) {
                return None;
            }
            let looked = self.look_at(select, None)?;
            let by = columns.iter().map(|column| column.get(at).cloned()).collect::<Option<Vec<_>>>()?;
            let by = match is_star(select) {
                true => by
                    .iter()
                    .map(|expr| names::of_item(expr, looked.select, &looked.rows))
                    .collect::<Option<Vec<_>>>()?,
                false => by,
            };
            self.inside(&looked, &by, true)?;
        }
        Some(())
    }

    /// Whether the sides' values in one place are equal where their hashes are.
    fn are_alike_in_sides(&self, selects: &[&Select], column: &[Expr]) -> bool {
        let kind = |(select, expr): (&&Select, &Expr)| -> Option<Kind> {
            let rows = self.bound.relation(&select.from)?;
            let expr = match is_star(select) {
                true => names::of_item(expr, select, &rows)?,
                false => expr.clone(),
            };
            self.kind_to_divide_by(&rows, &expr)
        };
        let kinds = selects.iter().zip(column).map(kind).collect::<Option<Vec<_>>>();
        kinds.is_some_and(|kinds| {
            kinds.len() == selects.len() && kinds.windows(2).all(|two| two.first() == two.last())
        })
    }

    /// The columns that all sides have, where they show all that they are made of.
    fn common_columns(&self, selects: &[&Select]) -> Option<Vec<String>> {
        let names = |select: &&Select| {
            let rows: Relation = self.bound.relation(&select.from)?;
            let seen = rows.fields.iter().filter(|field| !field.hidden);
            Some(seen.map(|field| field.name.to_lowercase()).collect::<Vec<_>>())
        };
        let mut all = selects.iter().map(names).collect::<Option<Vec<_>>>()?.into_iter();
        let first = all.next()?;
        all.all(|names| names == first).then_some(first)
    }

    fn starred(&self, selects: &[&Select], name: &str) -> Vec<Expr> {
        vec![Expr::Identifier(Ident::new(name)); selects.len()]
    }
}

/// Whether rows are sorted by names or numbers of columns.
fn is_by_names(by: &OrderBy) -> bool {
    let OrderByKind::Expressions(keys) = &by.kind else { return false };
    keys.iter().all(|key| matches!(key.expr, Expr::Identifier(_) | Expr::Value(_)))
}

/// The SELECTs of which a set operation is made; `None` where there is something else.
pub(super) fn selects(body: &SetExpr) -> Option<Vec<&Select>> {
    match body {
        SetExpr::Select(select) => Some(vec![select]),
        SetExpr::SetOperation { left, right, .. } => {
            Some(selects(left)?.into_iter().chain(selects(right)?).collect())
        }
        SetExpr::Query(query) if is_body_alone(query) => selects(&query.body),
        _ => None,
    }
}

fn is_star(select: &Select) -> bool {
    matches!(select.projection.as_slice(), [SelectItem::Wildcard(options)] if options.to_string().is_empty())
}

/// The name and the expression of an item, if it is one.
fn shown(item: &SelectItem) -> Option<(Option<String>, &Expr)> {
    match item {
        SelectItem::ExprWithAlias { expr, alias } => Some((Some(alias.value.to_lowercase()), expr)),
        SelectItem::UnnamedExpr(expr) => Some((name_of(expr).map(|name| name.to_lowercase()), expr)),
        _ => None,
    }
}

/// What all sides show in one place; `None` where one of them shows several columns at once.
pub(super) fn items(selects: &[&Select], at: usize) -> Option<Vec<Expr>> {
    let item = |select: &&Select| {
        let items = select.projection.iter().map(shown).collect::<Option<Vec<_>>>()?;
        items.get(at).map(|(_, expr)| (*expr).clone())
    };
    selects.iter().map(item).collect()
}
