//! Subqueries in expressions. `EXISTS (SELECT … WHERE i.x = o.x)` only compares a row with events whose `x` is
//! the same, and so does `o.x IN (SELECT i.x …)`: both can be divided by `x`.

use sqlparser::ast::{BinaryOperator, Expr, Query, Select, SelectItem, SetExpr, Visit};

use super::{Divider, Looked, inline, sides};
use crate::sql::syntax::names::{is_body_alone, top};
use crate::sql::syntax::walk;
use crate::sql::types::relation::Relation;

/// A subquery that reads events.
struct Asked {
    query: Query,
    /// What `… IN (subquery)` searches in it, if it makes no difference whether the answer is false or
    /// unknown: a NULL in one share would make the answer unknown in all.
    searched: Option<Expr>,
}

/// The subqueries in a part of a SELECT that read events. `conditions`: rows are kept where these are true.
fn asked<'e>(part: &impl Visit, conditions: impl IntoIterator<Item = &'e Expr>) -> Vec<Asked> {
    let mut searches = Vec::new();
    conditions.into_iter().for_each(|condition| kept_where(condition, &mut searches));
    let mut found = Vec::new();
    walk::outside_of_queries(part, |expr| {
        let query = match expr {
            Expr::Subquery(query) => query,
            Expr::Exists { subquery, .. } | Expr::InSubquery { subquery, .. } => subquery,
            _ => return,
        };
        if inline::has_events_table(&**query) {
            let searched = match expr {
                Expr::InSubquery { expr: searched, .. } if searches.contains(&expr) => Some(&**searched),
                _ => None,
            };
            found.push(Asked { query: (**query).clone(), searched: searched.cloned() });
        }
    });
    found
}

/// The `… IN (subquery)` in a condition that only AND and OR combine.
fn kept_where<'e>(condition: &'e Expr, found: &mut Vec<&'e Expr>) {
    for conjunct in walk::conjuncts(condition) {
        match conjunct {
            Expr::InSubquery { negated: false, .. } => found.push(conjunct),
            Expr::BinaryOp { op: BinaryOperator::Or, .. } => {
                walk::chain(conjunct, &BinaryOperator::Or).into_iter().for_each(|one| kept_where(one, found));
            }
            _ => {}
        }
    }
}

fn asked_of(select: &Select) -> Vec<Asked> {
    let mut all = asked(&select.projection, []);
    all.extend(select.selection.iter().flat_map(|condition| asked(condition, [condition])));
    all.extend(select.having.iter().flat_map(|condition| asked(condition, [condition])));
    all
}

impl Divider<'_> {
    /// The expressions by which the rows of a SELECT may be divided, because its subqueries compare them.
    pub(super) fn asked_candidates(&self, looked: &Looked<'_>) -> Vec<Vec<Expr>> {
        let mut found = Vec::new();
        for Asked { query, searched } in asked_of(looked.select) {
            let outer: Vec<Expr> =
                self.correlated(&looked.rows, &query).into_iter().map(|(outer, _)| outer).collect();
            if outer.len() > 1 {
                found.push(outer.clone());
            }
            found.extend(outer.into_iter().chain(searched).map(|expr| vec![expr]));
        }
        found
    }

    /// Requires that the events which the subqueries of a SELECT compare with a row are in the row's share.
    /// The rows are divided by `by`.
    pub(super) fn asked(&mut self, select: &Select, rows: &Relation, by: &[Expr]) -> Option<()> {
        asked_of(select).iter().try_for_each(|asked| self.correlated_by(rows, asked, by))
    }

    fn correlated_by(&mut self, rows: &Relation, asked: &Asked, by: &[Expr]) -> Option<()> {
        let equal = self.correlated(rows, &asked.query);
        let partner =
            |expr: &Expr| equal.iter().find(|(outer, _)| outer == expr).map(|(_, inner)| inner.clone());
        match by.iter().map(partner).collect::<Option<Vec<_>>>() {
            // Of these events, the subquery sees those alone that are equal: all that it does with them is
            // done within a share.
            Some(inner) => {
                let select = top(&asked.query)?;
                self.rows(&select.from, select.selection.as_ref(), &inner, false)?;
                self.asked(select, &self.bound.relation(&select.from)?, &inner)
            }
            None => self.searched_by(rows, asked, by),
        }
    }

    /// The equalities between the rows of a subquery and those that it is evaluated for: the outer side first.
    fn correlated(&self, rows: &Relation, query: &Query) -> Vec<(Expr, Expr)> {
        let select = top(query).filter(|_| query.with.is_none());
        let Some((select, inner)) =
            select.and_then(|select| Some((select, self.bound.relation(&select.from)?)))
        else {
            return Vec::new();
        };
        let conditions = select.selection.iter().flat_map(walk::conjuncts);
        conditions.filter_map(|condition| self.equality(rows, &inner, condition)).collect()
    }

    /// Divides the rows of a subquery in which `by` is searched.
    fn searched_by(&mut self, rows: &Relation, asked: &Asked, by: &[Expr]) -> Option<()> {
        let ([by], query) = (by, &asked.query) else { return None };
        if asked.searched.as_ref() != Some(by) || !is_body_alone(query) {
            return None;
        }
        let kind = self.kind_to_divide_by(rows, by)?;
        let SetExpr::Select(select) = &*query.body else {
            let selects = sides::selects(&query.body)?;
            let column = sides::items(&selects, 0)?;
            let is_alike = |(select, expr): (&&Select, &Expr)| {
                let rows = self.bound.relation(&select.from);
                rows.is_some_and(|rows| self.kind_to_divide_by(&rows, expr).as_ref() == Some(&kind))
            };
            let are_alike = selects.iter().zip(&column).all(is_alike);
            return if are_alike { self.sides(&selects, &[column]) } else { None };
        };
        let [SelectItem::UnnamedExpr(item) | SelectItem::ExprWithAlias { expr: item, .. }] =
            select.projection.as_slice()
        else {
            return None;
        };
        let looked = self.look(query)?;
        if self.kind_to_divide_by(&looked.rows, item)? != kind {
            return None;
        }
        self.inside(&looked, std::slice::from_ref(item), false)
    }
}
