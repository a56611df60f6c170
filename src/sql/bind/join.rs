//! Joins: their conditions are bound to both sides.

use sqlparser::ast::{Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableFactor};

use super::Binder;
use crate::sql::error::{Result, SqlError};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::types::columns::equal_columns;
use crate::sql::types::relation::Relation;
use crate::sql::types::schema::joined;

impl Binder {
    pub(super) fn joined(&self, like: &Scope<'_>, left: Relation, join: &mut Join) -> Result<Relation> {
        use JoinOperator as Op;
        let (constraint, is_semi) = match &mut join.join_operator {
            Op::CrossJoin(JoinConstraint::None) => return self.beside(like, left, &mut join.relation),
            Op::Join(constraint)
            | Op::Inner(constraint)
            | Op::Left(constraint)
            | Op::LeftOuter(constraint)
            | Op::Right(constraint)
            | Op::RightOuter(constraint)
            | Op::FullOuter(constraint) => (constraint, false),
            Op::Semi(constraint @ JoinConstraint::On(_))
            | Op::LeftSemi(constraint @ JoinConstraint::On(_))
            | Op::Anti(constraint @ JoinConstraint::On(_))
            | Op::LeftAnti(constraint @ JoinConstraint::On(_)) => (constraint, true),
            _ => return Err(SqlError::new("this kind of join is not supported").at(&join.relation)),
        };
        match &mut join.relation {
            unnest @ TableFactor::UNNEST { .. } if !is_semi => {
                if !names::is_always(constraint) && !matches!(constraint, JoinConstraint::None) {
                    return Err(SqlError::new(
                        "UNNEST is joined ON true: ask in WHERE, or filter(…) the array",
                    )
                    .at(unnest));
                }
                return self.unnest(like, left, unnest);
            }
            lateral @ TableFactor::Derived { lateral: true, .. }
                if !is_semi && names::is_always(constraint) =>
            {
                return self.lateral(like, left, lateral);
            }
            _ => {}
        }
        let right = self.factor(like, &mut join.relation)?;
        if matches!(constraint, JoinConstraint::Natural) {
            let shared = shared(&left, &right).into_iter();
            let shared = shared.map(|name| ObjectName(vec![ObjectNamePart::Identifier(name)]));
            *constraint = JoinConstraint::Using(shared.collect());
        }
        let both = left.clone().beside(right.clone());
        let scope = Scope { relation: &both, ..*like };
        match constraint {
            JoinConstraint::On(on) => {
                self.condition(&scope, on)?;
                Ok(if is_semi { left } else { both })
            }
            // The columns occur once in the result, before all others.
            JoinConstraint::Using(columns) => {
                let columns: Vec<String> = columns.iter().map(names::last).collect();
                for mut equal in equal_columns(&left.fields, &right.fields, &columns)? {
                    self.condition(&scope, &mut equal)?;
                }
                Ok(Relation::without_rows(joined(&left.fields, &right.fields, &columns)?))
            }
            JoinConstraint::None | JoinConstraint::Natural => Ok(both),
        }
    }
}

/// The columns with the same name on both sides.
fn shared(left: &Relation, right: &Relation) -> Vec<Ident> {
    let is_there = |relation: &Relation, name: &str| {
        relation.fields.iter().any(|field| !field.hidden && field.name.eq_ignore_ascii_case(name))
    };
    let shared = left.fields.iter().filter(|field| !field.hidden && is_there(right, &field.name));
    shared.map(|field| Ident::new(field.name.to_lowercase())).collect()
}
