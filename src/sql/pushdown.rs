//! Conditions on the columns of a query in `FROM`, said again in the terms of that query.
//!
//! `SELECT … FROM (SELECT eventname AS name FROM events) WHERE name = 'PutImage'` needs only events with
//! `eventname = 'PutImage'`. That holds where the inner query gives a row for each row it takes: no groups,
//! no windows, no `LIMIT`. (`DISTINCT` does no harm: the condition treats equal rows alike.)

use std::ops::ControlFlow;

use sqlparser::ast::{
    Distinct, Expr, Ident, ObjectNamePart, OrderByKind, Query, Select, SelectItem,
    SelectItemQualifiedWildcardKind, SetExpr, Visit, VisitMut, Visitor, VisitorMut,
};

use super::bind::Bound;
use super::relation::Relation;
use super::table_scans::qualified;
use super::{names, select, walk};

/// The columns that a query gives, by the expressions they are made of.
pub(super) struct Outputs {
    columns: Vec<(String, Expr)>,
    star: Star,
}

enum Star {
    Absent,
    /// `*`, of these rows
    All(Relation),
    /// `t.*`
    Of(Ident),
}

impl Outputs {
    /// `None` if conditions on the result are none on the rows it is made of, or if that is hard to tell.
    pub fn of(query: &Query, bound: &Bound) -> Option<Self> {
        let select = row_by_row(query)?;
        let mut outputs = Self { columns: Vec::new(), star: Star::Absent };
        for item in &select.projection {
            match (item, &outputs.star) {
                (SelectItem::ExprWithAlias { expr, alias }, _) => {
                    outputs.columns.push((alias.value.to_lowercase(), expr.clone()))
                }
                (SelectItem::UnnamedExpr(expr), _) => {
                    outputs.columns.extend(own_name(expr).map(|name| (name, expr.clone())))
                }
                (SelectItem::Wildcard(options), Star::Absent) if options.to_string().is_empty() => {
                    outputs.star = Star::All(bound.relation(&select.from)?)
                }
                (
                    SelectItem::QualifiedWildcard(SelectItemQualifiedWildcardKind::ObjectName(name), options),
                    Star::Absent,
                ) if options.to_string().is_empty() => {
                    let last = name.0.last().and_then(ObjectNamePart::as_ident)?;
                    outputs.star = Star::Of(last.clone());
                }
                _ => return None,
            }
        }
        Some(outputs)
    }

    /// `condition`, which looks at these columns under the table name `alias`, in terms of the rows they are
    /// made of. `None` if it looks at anything else.
    pub fn inside(&self, condition: &Expr, alias: &str, constants: &Constants) -> Option<Expr> {
        if walk::has_subquery(condition) || has_lambda(condition) {
            return None;
        }
        let mut condition = condition.clone();
        constants.put_into(&mut condition);
        let mut rewrite = Rewrite { outputs: self, alias };
        VisitMut::visit(&mut condition, &mut rewrite).is_continue().then_some(condition)
    }

    fn column(&self, name: &str) -> Option<Expr> {
        let named = self.columns.iter().find(|(column, _)| column == name).map(|(_, expr)| expr.clone());
        named.or_else(|| match &self.star {
            Star::Absent => None,
            Star::All(rows) => {
                let (at, _) = names::find(rows, &[Ident::new(name)]).ok()??;
                let table = rows.fields.get(at)?.qualifier.as_ref()?;
                Some(Expr::CompoundIdentifier(vec![Ident::new(table), Ident::new(name)]))
            }
            Star::Of(table) => Some(Expr::CompoundIdentifier(vec![table.clone(), Ident::new(name)])),
        })
    }

    /// What a name in the outer query means here.
    fn meaning(&self, parts: &[Ident], alias: &str) -> Option<Expr> {
        let [table, column, fields @ ..] = parts else { return None };
        if table.value != alias {
            return None;
        }
        match self.column(&column.value)? {
            Expr::CompoundIdentifier(column) => {
                Some(Expr::CompoundIdentifier(column.into_iter().chain(fields.iter().cloned()).collect()))
            }
            other if fields.is_empty() => Some(Expr::Nested(Box::new(other))),
            _ => None,
        }
    }
}

fn own_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::CompoundIdentifier(parts) => parts.last().map(|column| column.value.to_lowercase()),
        _ => None,
    }
}

/// The `SELECT` of a query that gives at most one row for each row it takes, each for itself.
fn row_by_row(query: &Query) -> Option<&Select> {
    let SetExpr::Select(select) = &*query.body else { return None };
    let whole = query.limit_clause.is_none() && query.fetch.is_none() && select.top.is_none();
    let plain = !select::has_keys(select)
        && select.having.is_none()
        && select.qualify.is_none()
        && !matches!(select.distinct, Some(Distinct::On(_)))
        && !walk::list_exprs(select).any(|expr| walk::has_subquery(expr) || has_lambda(expr));
    if !whole || !plain {
        return None;
    }
    let by = match query.order_by.as_ref().map(|by| &by.kind) {
        Some(OrderByKind::Expressions(exprs)) => exprs.as_slice(),
        _ => &[],
    };
    let calls = walk::Calls::of(walk::list_exprs(select).chain(by.iter().map(|by| &by.expr)));
    (calls.aggregates.is_empty() && calls.windows.is_empty()).then_some(select)
}

fn has_lambda(expr: &Expr) -> bool {
    struct Lambdas;
    impl Visitor for Lambdas {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if matches!(expr, Expr::Lambda(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    expr.visit(&mut Lambdas).is_break()
}

struct Rewrite<'o> {
    outputs: &'o Outputs,
    alias: &'o str,
}

impl VisitorMut for Rewrite<'_> {
    type Break = ();

    // On the way out: what has been put in is not looked at again.
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        let meaning = match expr {
            Expr::CompoundIdentifier(parts) => self.outputs.meaning(parts, self.alias),
            _ => return ControlFlow::Continue(()),
        };
        match meaning {
            Some(meaning) => {
                *expr = meaning;
                ControlFlow::Continue(())
            }
            None => ControlFlow::Break(()),
        }
    }
}

/// Columns of tables that are one row of literals: `WITH params AS (SELECT 'shop/api' AS repo)`.
#[derive(Default)]
pub(super) struct Constants(Vec<Constant>);

struct Constant {
    table: String,
    column: String,
    value: Expr,
}

impl Constants {
    /// Takes in `query` under the name `table`, if it is such a table.
    pub fn add(&mut self, table: &str, query: &Query) {
        let Some(select) =
            row_by_row(query).filter(|select| select.from.is_empty() && select.selection.is_none())
        else {
            return;
        };
        for item in &select.projection {
            if let SelectItem::ExprWithAlias { expr: value @ Expr::Value(_), alias } = item {
                self.0.push(Constant {
                    table: table.to_owned(),
                    column: alias.value.to_lowercase(),
                    value: value.clone(),
                });
            }
        }
    }

    /// Puts the values in the place of the names.
    pub fn put_into(&self, condition: &mut Expr) {
        if !self.0.is_empty() && !walk::has_subquery(condition) && !has_lambda(condition) {
            let _ = VisitMut::visit(condition, &mut PutConstants(self));
        }
    }

    fn get(&self, expr: &Expr) -> Option<&Expr> {
        let found = match expr {
            Expr::CompoundIdentifier(parts) => {
                let (table, column) = qualified(parts)?;
                self.0.iter().find(|constant| constant.table == table && constant.column == column)
            }
            _ => None,
        };
        found.map(|constant| &constant.value)
    }
}

struct PutConstants<'c>(&'c Constants);

impl VisitorMut for PutConstants<'_> {
    type Break = ();

    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(value) = self.0.get(expr) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}
