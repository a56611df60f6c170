//! Subqueries that are run once for all rows around them, although they use the values of these: the rows of their own
//! tables are separated from the conditions that use the rows around them.

use sqlparser::ast::{BinaryOperator, Expr, Ident, SelectItem};

use super::Lowering;
use super::from::Source;
use super::select::Clauses;
use crate::sql::error::Result;
use crate::sql::eval::resolve::{join, select};
use crate::sql::expression::Expression;
use crate::sql::expression::list::Item;
use crate::sql::expression::query::{Answer, Apart, Search};
use crate::sql::plan::logical::{Operator, Subquery};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::syntax::walk::{self, Calls};
use crate::sql::types::columns::are_of;
use crate::sql::types::relation::{Field, Relation};
use crate::tables::Kind;

/// The name of the column with the value on the left side of `IN`. Nobody can write it.
const VALUE: &str = "\0value";

impl Lowering<'_> {
    /// `None` if the subquery has to be run for each row of `scope`.
    pub(super) fn apart(&self, scope: &Scope<'_>, subquery: &Subquery) -> Result<Option<Apart>> {
        let plan = &subquery.plan;
        let below = match (&plan.top.operator, plan.top.input()) {
            // The order of its rows makes no difference.
            (Operator::Sort { .. }, Some(input)) => input,
            _ => &plan.top,
        };
        let is_select = matches!(below.operator, Operator::Distinct | Operator::Project(_));
        if !is_select || !plan.commons.is_empty() || !subquery.is_from_alone {
            return Ok(None);
        }
        let clauses = Clauses::of(below, &[])?;
        let own = Scope { outer: None, known: &[], ungrouped: None, ..*scope };
        let Source { from, rows } = self.rows(&own, &clauses)?;
        let inside = Scope { relation: &rows, ..own };
        let (mut conditions, mut outward) = (Vec::new(), Vec::new());
        for condition in clauses.conditions {
            if are_of(condition, &rows) {
                conditions.push(inside.resolve(condition)?);
            } else if walk::has_subquery(condition) {
                return Ok(None);
            } else {
                outward.push(condition.clone());
            }
        }
        let answer = match clauses.listed.grouping {
            Some(_) => aggregated(scope, &inside, &clauses, &outward)?,
            None if scope.ungrouped.is_some() => None,
            None => Some(matches(scope, &inside, &clauses, outward)?),
        };
        Ok(answer.map(|answer| Apart { from, conditions, answer }))
    }
}

/// The only expression of a list.
fn only_item(items: &[SelectItem]) -> Option<&Expr> {
    match items {
        [SelectItem::UnnamedExpr(expr) | SelectItem::ExprWithAlias { expr, .. }] => Some(expr),
        _ => None,
    }
}

fn matches(
    scope: &Scope<'_>,
    inside: &Scope<'_>,
    clauses: &Clauses<'_>,
    mut outward: Vec<Expr>,
) -> Result<Answer> {
    let (rows, inner) = (scope.relation, inside.relation);
    let condition = join::condition(scope, rows, inner, &outward)?;
    let item = only_item(clauses.listed.items)
        .filter(|item| clauses.listed.windows.is_empty() && are_of(*item, inner));
    let Some(item) = item else { return Ok(Answer::Matches { condition, search: None }) };
    let value = Field::new(VALUE, Kind::Unknown);
    let with_value = Relation::without_rows(rows.fields.iter().cloned().chain([value]).collect());
    outward.push(Expr::BinaryOp {
        left: Box::new(Expr::Identifier(Ident::new(VALUE))),
        op: BinaryOperator::Eq,
        right: Box::new(item.clone()),
    });
    let is_equal = join::condition(scope, &with_value, inner, &outward)?;
    outward.pop();
    outward.push(Expr::IsNull(Box::new(item.clone())));
    let is_null = join::condition(scope, rows, inner, &outward)?;
    Ok(Answer::Matches { condition, search: Some(Box::new(Search { is_equal, is_null })) })
}

fn aggregated(
    scope: &Scope<'_>,
    inside: &Scope<'_>,
    clauses: &Clauses<'_>,
    outward: &[Expr],
) -> Result<Option<Answer>> {
    let listed = clauses.listed;
    let is_one = listed.grouping.is_some_and(|grouping| grouping.keys.is_empty() && grouping.sets.len() == 1);
    let is_plain = is_one && listed.having.is_empty() && !listed.is_distinct && listed.windows.is_empty();
    let item = only_item(listed.items)
        .filter(|item| is_plain && !walk::has_subquery(item) && are_of(*item, inside.relation));
    let Some(calls) = item.map(|item| Calls::of([item])).filter(|calls| !calls.aggregates.is_empty()) else {
        return Ok(None);
    };
    let mut equal = Vec::new();
    for condition in outward {
        match equal_sides(scope, inside, condition)? {
            Some(sides) => equal.push(sides),
            None => return Ok(None),
        }
    }
    let clauses = select::Clauses { aggregates: &calls.aggregates, groupings: &[], order_by: &[], ..listed };
    let (select, _) = select::select(inside, clauses)?;
    let value = select.list.items.into_iter().next();
    Ok(match (select.groups, value) {
        (Some(groups), Some(Item::Value { value, .. })) => {
            Some(Answer::Aggregated { equal, aggregates: groups.aggregates, value })
        }
        _ => None,
    })
}

/// The sides of `inner = outer`, the inner one first.
fn equal_sides(
    scope: &Scope<'_>,
    inside: &Scope<'_>,
    condition: &Expr,
) -> Result<Option<(Expression, Expression)>> {
    let Expr::BinaryOp { left, op: BinaryOperator::Eq, right } = condition else { return Ok(None) };
    let inner = inside.relation;
    for (first, second) in [(left, right), (right, left)] {
        let is_inner = |parts: &Vec<Ident>| parts.first().is_some_and(|name| inner.knows(&name.value));
        if are_of(&**first, inner) && !names::free(&**second).iter().any(is_inner) {
            return Ok(Some((inside.resolve(first)?, scope.resolve(second)?)));
        }
    }
    Ok(None)
}
