//! Common table expressions that refer to themselves (`WITH RECURSIVE`).

use std::ops::ControlFlow;

use sqlparser::ast::{Query, SetExpr, SetOperator, SetQuantifier};

use super::names;
use crate::sql::syntax::visit::relations;

/// The first and the recursive part of the query, and whether duplicates are kept (`UNION ALL`); `None` if it
/// does not refer to itself.
pub(in crate::sql) fn halves<'q>(query: &'q Query, name: &str) -> Option<(&'q SetExpr, &'q SetExpr, bool)> {
    let mentions = relations(query, &mut |relation| {
        if relation.0.len() == 1 && names::last(relation) == name {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let mut body = &*query.body;
    while let SetExpr::Query(inner) = body {
        body = &inner.body;
    }
    match body {
        SetExpr::SetOperation { op: SetOperator::Union, set_quantifier, left, right }
            if mentions.is_break() =>
        {
            Some((left, right, matches!(set_quantifier, SetQuantifier::All)))
        }
        _ => None,
    }
}
