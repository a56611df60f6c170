//! Translates conditions on the columns of a query in `FROM` to conditions on that query's own rows.
//!
//! `SELECT … FROM (SELECT eventname AS name FROM events) WHERE name = 'PutImage'` needs only events with
//! `eventname = 'PutImage'`. That is correct if the inner query returns a row for each of its rows: without
//! groups, windows and `LIMIT`. (`DISTINCT` does not matter, because a condition has the same value for equal
//! rows.)

use std::ops::ControlFlow;

use sqlparser::ast::{Expr, Ident, ObjectNamePart, SelectItem, SelectItemQualifiedWildcardKind};

use super::logical::{Operator, Plan};
use crate::sql::syntax::names::qualified;
use crate::sql::syntax::visit::{Visitor, VisitorMut, visit, visit_mut};
use crate::sql::syntax::walk;
use crate::sql::types::columns;
use crate::sql::types::relation::Field;

/// The columns of a query, with their expressions.
pub(in crate::sql) struct Outputs {
    columns: Vec<(String, Expr)>,
    star: Star,
}

enum Star {
    Absent,
    /// `*`, with the columns of these rows.
    All(Vec<Field>),
    /// `t.*`
    Of(Ident),
}

impl Outputs {
    /// `None` if conditions on the result do not translate to its rows, or if that is hard to determine.
    pub fn of(plan: &Plan) -> Option<Self> {
        let Shown { items, from, .. } = row_by_row(plan)?;
        let mut outputs = Self { columns: Vec::new(), star: Star::Absent };
        for item in items {
            match (item, &outputs.star) {
                (SelectItem::ExprWithAlias { expr, alias }, _) => {
                    outputs.columns.push((alias.value.to_lowercase(), expr.clone()))
                }
                (SelectItem::UnnamedExpr(expr), _) => {
                    outputs.columns.extend(own_name(expr).map(|name| (name, expr.clone())))
                }
                (SelectItem::Wildcard(options), Star::Absent) if options.to_string().is_empty() => {
                    outputs.star = Star::All(from.to_vec())
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

    /// Translates `condition`, which uses these columns with the table name `alias`. `None` if it uses
    /// anything else.
    pub fn inside(&self, condition: &Expr, alias: &str, constants: &Constants) -> Option<Expr> {
        if walk::has_subquery(condition) || has_lambda(condition) {
            return None;
        }
        let mut condition = condition.clone();
        constants.put_into(&mut condition);
        let mut rewrite = Rewrite { outputs: self, alias };
        visit_mut(&mut condition, &mut rewrite).is_continue().then_some(condition)
    }

    fn column(&self, name: &str) -> Option<Expr> {
        let named = self.columns.iter().find(|(column, _)| column == name).map(|(_, expr)| expr.clone());
        named.or_else(|| match &self.star {
            Star::Absent => None,
            Star::All(fields) => {
                let (at, _) = columns::find(fields, &[Ident::new(name)]).ok()??;
                let table = fields.get(at)?.qualifier.as_ref()?;
                Some(Expr::CompoundIdentifier(vec![Ident::new(table), Ident::new(name)]))
            }
            Star::Of(table) => Some(Expr::CompoundIdentifier(vec![table.clone(), Ident::new(name)])),
        })
    }

    /// The expression of a name of the outer query.
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

/// The list of a SELECT that returns at most one row for each of its rows.
struct Shown<'p> {
    items: &'p [SelectItem],
    /// The columns of its FROM.
    from: &'p [Field],
    /// It has neither tables nor conditions.
    is_row: bool,
}

/// The list of a query that returns at most one row for each of its rows, independently of others.
fn row_by_row(plan: &Plan) -> Option<Shown<'_>> {
    let mut found = None;
    let mut is_row = true;
    let chain = plan.chain();
    for node in &chain {
        match (&node.operator, &found) {
            (Operator::Sort { .. } | Operator::Distinct, None) => {}
            (Operator::Project(items), None) => {
                let is_plain = |item: &SelectItem| match item {
                    SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. } => {
                        !walk::has_subquery(expr) && !has_lambda(expr)
                    }
                    _ => true,
                };
                found = Some(items).filter(|items| items.iter().all(is_plain));
                found?;
            }
            (Operator::Filter(_), Some(_)) => is_row = false,
            (Operator::Row, Some(_)) => {}
            (_, Some(_)) if node.is_from() => is_row = false,
            _ => return None,
        }
    }
    let from = chain.last().map(|node| node.fields.as_slice()).unwrap_or_default();
    found.map(|items| Shown { items, from, is_row })
}

fn has_lambda(expr: &Expr) -> bool {
    struct Lambdas;
    impl Visitor for Lambdas {
        fn pre_visit_expr(&mut self, expr: &Expr) -> ControlFlow<()> {
            if matches!(expr, Expr::Lambda(_)) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        }
    }
    visit(expr, &mut Lambdas).is_break()
}

struct Rewrite<'o> {
    outputs: &'o Outputs,
    alias: &'o str,
}

impl VisitorMut for Rewrite<'_> {
    // After the children, so that replacements are not processed again.
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

/// The columns of tables that consist of one row of literals: `WITH params AS (SELECT 'shop/api' AS repo)`.
#[derive(Default)]
pub(in crate::sql) struct Constants(Vec<Constant>);

struct Constant {
    table: String,
    column: String,
    value: Expr,
}

impl Constants {
    /// Adds `query`, with the name `table`, if it is such a table.
    pub fn add(&mut self, table: &str, plan: &Plan) {
        let Some(Shown { items, .. }) = row_by_row(plan).filter(|shown| shown.is_row) else { return };
        for item in items {
            if let SelectItem::ExprWithAlias { expr: value @ Expr::Value(_), alias } = item {
                self.0.push(Constant {
                    table: table.to_owned(),
                    column: alias.value.to_lowercase(),
                    value: value.clone(),
                });
            }
        }
    }

    /// Replaces names by their values.
    pub fn put_into(&self, condition: &mut Expr) {
        if !self.0.is_empty() && !walk::has_subquery(condition) && !has_lambda(condition) {
            let _ = visit_mut(condition, &mut PutConstants(self));
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
    fn post_visit_expr(&mut self, expr: &mut Expr) -> ControlFlow<()> {
        if let Some(value) = self.0.get(expr) {
            *expr = value.clone();
        }
        ControlFlow::Continue(())
    }
}
