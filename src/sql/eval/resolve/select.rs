//! What a SELECT computes of the rows of its FROM: groups, window functions, its list, and what sorts that.

use sqlparser::ast::{Expr, OrderByOptions, SelectItem};

use super::{list, rows};
use crate::sql::error::Result;
use crate::sql::eval::types::nulls;
use crate::sql::expression::query::{self, Groups};
use crate::sql::functions::aggregate;
use crate::sql::functions::window::{self, Windows};
use crate::sql::scope::Scope;
use crate::sql::syntax::grouping::Grouping;
use crate::sql::syntax::{calls, walk};
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{self, Field, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;

/// The clauses behind WHERE, as they are written.
#[derive(Clone, Copy, Default)]
pub(in crate::sql) struct Clauses<'c> {
    pub grouping: Option<&'c Grouping>,
    /// The calls in the other clauses.
    pub aggregates: &'c [Expr],
    pub groupings: &'c [Expr],
    pub windows: &'c [Expr],
    /// The conditions of HAVING, all of which have to be true.
    pub having: &'c [Expr],
    pub items: &'c [SelectItem],
    pub is_distinct: bool,
    pub order_by: &'c [(Expr, OrderByOptions)],
}

/// The types of a SELECT.
#[derive(Debug, Clone, Default)]
pub(in crate::sql) struct Selected {
    /// Of keys of groups, aggregates and window functions.
    pub computed: Vec<(Expr, Kind)>,
    /// The columns of its list.
    pub columns: Vec<Field>,
}

/// Expressions that are computed before others, and columns of their types.
type Known = Vec<(Expr, Values)>;

/// The operators over rows with the columns of `scope`, which has no rows, and their types.
pub(in crate::sql) fn select(scope: &Scope<'_>, clauses: Clauses<'_>) -> Result<(query::Select, Selected)> {
    let Some(grouping) = clauses.grouping else { return listed(scope, clauses) };
    let (groups, known) = grouped(scope, grouping, clauses)?;
    // Groups keep the positions of their first events, if they are all by the same keys.
    let places = scope.relation.fields.iter().filter(|field| groups.sets.len() == 1 && is_place(field));
    let rows = Relation::without_rows(places.cloned().collect());
    let after = Scope { relation: &rows, known: &known, ungrouped: Some(scope), ..*scope };
    // As one expression, which may be a key as a whole.
    let having = walk::all_of(clauses.having).map(|having| after.resolve(&having)).transpose()?;
    if let Some(having) = &having {
        after.holds(having)?;
    }
    let (select, selected) = listed(&after, clauses)?;
    Ok((query::Select { groups: Some(groups), having, ..select }, selected))
}

/// The same over rows, or over groups.
fn listed(scope: &Scope<'_>, clauses: Clauses<'_>) -> Result<(query::Select, Selected)> {
    let (mut known, mut shared, mut windows) = (scope.known.to_vec(), Windows::default(), Vec::new());
    for call in clauses.windows {
        let scope = Scope { known: &known, ..*scope };
        let window = rows::window(&scope, calls::as_call(call)?).map_err(|error| error.at(call))?;
        let values = window::evaluate(&scope, &window, &mut shared)?;
        known.push((call.clone(), values));
        windows.push((call.clone(), window));
    }
    let scope = Scope { known: &known, ..*scope };
    let list = list::list(&scope, clauses.items)?;
    let columns = list.fields(scope.relation, |expression| Ok(scope.value(expression)?.kind))?;
    let order_by = list::sorted(&scope, clauses.order_by, &columns)?;
    let computed = known.into_iter().map(|(expr, values)| (expr, values.kind)).collect();
    let select = query::Select {
        from: query::Tables::Row,
        conditions: Vec::new(),
        groups: None,
        having: None,
        windows,
        list,
        is_distinct: clauses.is_distinct,
        order_by,
    };
    Ok((select, Selected { computed, columns }))
}

/// The keys and aggregates of groups, and columns of their types.
fn grouped(scope: &Scope<'_>, grouping: &Grouping, clauses: Clauses<'_>) -> Result<(Groups, Known)> {
    let (mut known, mut keys, mut aggregates, mut groupings) =
        (Known::new(), Vec::new(), Vec::new(), Vec::new());
    for key in &grouping.keys {
        let expression = scope.resolve(key)?;
        known.push((key.clone(), scope.values(&expression)?));
        keys.push((key.clone(), expression));
    }
    let nothing = relation::Groups { of_row: Vec::new(), first: Vec::new() };
    for call in clauses.aggregates {
        let aggregate = rows::aggregate(scope, calls::as_call(call)?)?;
        known.push((call.clone(), aggregate::evaluate(scope, &aggregate, &nothing)?));
        aggregates.push((call.clone(), aggregate));
    }
    for call in clauses.groupings {
        let bits = grouping.sets.iter().map(|set| grouping.bits(set, call)).collect::<Result<_>>()?;
        known.push((call.clone(), nulls(scope, Kind::Bigint)));
        groupings.push((call.clone(), bits));
    }
    Ok((Groups { keys, sets: grouping.sets.clone(), aggregates, groupings }, known))
}
