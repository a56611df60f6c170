//! The condition of a join.

use sqlparser::ast::{BinaryOperator, Expr};

use crate::sql::error::Result;
use crate::sql::expression::Expression;
use crate::sql::expression::join::{Conjunct, Used};
use crate::sql::scope::Scope;
use crate::sql::syntax::{names, walk};
use crate::sql::types::columns;
use crate::sql::types::relation::Relation;

/// The parts of a condition, all of which have to hold, for pairs of rows with the columns of these.
pub(in crate::sql) fn condition(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    conjuncts: &[Expr],
) -> Result<Vec<Conjunct>> {
    let fields = left.fields.iter().chain(&right.fields).cloned().collect();
    let pairs = Relation { fields, ..Relation::default() };
    let both = Scope { relation: &pairs, known: &[], ungrouped: None, ..*like };
    let resolved = conjuncts.iter().map(|conjunct| {
        Ok(Conjunct {
            whole: both.resolve(conjunct)?,
            used: used(&pairs, conjunct),
            equal: equality(like, left, right, conjunct)?,
        })
    });
    resolved.collect()
}

fn used(rows: &Relation, condition: &Expr) -> Used {
    if walk::has_subquery(condition) {
        return Used::All;
    }
    let names = names::parts_in(condition);
    let fields = rows.fields.iter().enumerate();
    // The notations of the dates of partitions depend on each other.
    let is_used = fields.filter(|(_, field)| field.is_date || names.contains(&field.name.to_lowercase()));
    Used::Some(is_used.map(|(index, _)| index).collect())
}

/// `a.x = b.y`, the left side's first.
fn equality(
    like: &Scope<'_>,
    left: &Relation,
    right: &Relation,
    condition: &Expr,
) -> Result<Option<(Expression, Expression)>> {
    let Expr::BinaryOp { left: a, op: BinaryOperator::Eq, right: b } = condition else { return Ok(None) };
    if walk::has_subquery(condition) {
        return Ok(None);
    }
    let is_pair =
        |(first, second): &(&Expr, &Expr)| columns::are_of(*first, left) && columns::are_of(*second, right);
    let Some((first, second)) = [(&**a, &**b), (&**b, &**a)].into_iter().find(is_pair) else {
        return Ok(None);
    };
    let side = |rows: &Relation, expr: &Expr| Scope::new(like.session, like.ctes, rows).resolve(expr);
    Ok(Some((side(left, first)?, side(right, second)?)))
}
