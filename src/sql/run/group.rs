//! `GROUP BY`: determines the keys and groups the rows; `ROLLUP`, `CUBE` and `GROUPING SETS` group several
//! times.

use polars::prelude::Series;
use sqlparser::ast::Expr;

use crate::sql::error::Result;
use crate::sql::expression::query;
use crate::sql::functions::aggregate;
use crate::sql::scope::Scope;
use crate::sql::types::compare::key_column;
use crate::sql::types::place::is_place;
use crate::sql::types::relation::{Groups, Relation};
use crate::sql::types::values::{Values, take};
use crate::tables::Kind;

/// Number of groups, and their keys and aggregates.
type Known = (usize, Vec<(Expr, Values)>);

/// Groups the scope's rows, and computes keys and aggregates. The groups of several sets are concatenated; a
/// key that is not in a set is NULL. The second result has the positions of the groups' first events, if rows
/// have positions.
pub(in crate::sql) fn grouped(scope: &Scope<'_>, made: &query::Groups) -> Result<(Known, Relation)> {
    let keys = made.keys.iter().map(|(_, key)| scope.values(key)).collect::<Result<Vec<_>>>()?;
    let columns = keys.iter().map(|values| key_column(values, scope.height())).collect::<Result<Vec<_>>>()?;
    let mut all: Option<Known> = None;
    let mut places = Relation::default();
    for (number, set) in made.sets.iter().enumerate() {
        let by: Vec<Series> = set.iter().filter_map(|at| columns.get(*at).cloned()).collect();
        let groups =
            if by.is_empty() { Groups::one(scope.height()) } else { Groups::by(&by, scope.height())? };
        let groups = match scope.relation.places() {
            Some(places) => groups.in_order(places)?,
            None => groups,
        };
        if made.sets.len() == 1 {
            places = places_of(scope.relation, &groups)?;
        }
        let mut known = Vec::new();
        for (at, ((key, _), values)) in made.keys.iter().zip(&keys).enumerate() {
            let values = if set.contains(&at) {
                values.take(&groups.first)?
            } else {
                values.take(&vec![None; groups.count()])?
            };
            known.push((key.clone(), values));
        }
        for (call, aggregate) in &made.aggregates {
            known.push((call.clone(), aggregate::evaluate(scope, aggregate, &groups)?));
        }
        for (call, bits) in &made.groupings {
            let bits = Values::constant(Kind::Bigint, bits.get(number).copied());
            known.push((call.clone(), Values::new(Kind::Bigint, bits.spread(groups.count()))));
        }
        all = Some(match all {
            None => (groups.count(), known),
            Some(before) => under_each_other(before, (groups.count(), known))?,
        });
    }
    Ok((all.unwrap_or_default(), places))
}

/// The positions of the first events of the groups, in the hidden columns for positions.
fn places_of(rows: &Relation, groups: &Groups) -> Result<Relation> {
    let mut places = Relation { height: groups.count(), ..Relation::default() };
    for (field, column) in rows.fields.iter().zip(&rows.columns).filter(|(field, _)| is_place(field)) {
        places.push(field.clone(), take(column, &groups.first)?);
    }
    Ok(places)
}

fn under_each_other((count, mut known): Known, (more, below): Known) -> Result<Known> {
    for ((_, values), (_, below)) in known.iter_mut().zip(below) {
        values.data.append_owned(below.data)?;
        values.data = values.data.rechunk();
    }
    Ok((count + more, known))
}
