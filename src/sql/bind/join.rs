//! Joins: their conditions are bound to both sides.

use sqlparser::ast::{
    Expr, Ident, Join, JoinConstraint, JoinOperator, ObjectName, ObjectNamePart, TableFactor,
};

use super::Binder;
use super::from::{Names, Source};
use crate::sql::error::{Result, SqlError};
use crate::sql::eval::resolve;
use crate::sql::expression::join::Conjunct;
use crate::sql::expression::query::{self, JoinKind, Tables, Using};
use crate::sql::scope::Scope;
use crate::sql::syntax::names;
use crate::sql::types::columns::equal_columns;
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::schema::joined;

impl Source {
    pub(super) fn pairs(self, right: Self, keeps: Keeps, condition: Vec<Conjunct>) -> Self {
        let kind = JoinKind::Pairs { keeps_left: keeps.left, keeps_right: keeps.right };
        let join = query::Join { left: self.from, right: right.from, kind, condition, using: None };
        Self { from: Tables::Join(Box::new(join)), rows: self.rows.beside(right.rows) }
    }
}

/// From which sides rows without a match are kept.
#[derive(Clone, Copy)]
pub(super) struct Keeps {
    pub left: bool,
    pub right: bool,
}

pub(super) const NONE: Keeps = Keeps { left: false, right: false };

impl Binder {
    pub(super) fn joined(
        &self,
        like: &Scope<'_>,
        left: Source,
        join: &mut Join,
        names: Names<'_>,
    ) -> Result<Source> {
        use JoinOperator as Op;
        let keeps = |left, right| (Keeps { left, right }, None);
        let (constraint, (keeps, semi)) = match &mut join.join_operator {
            Op::CrossJoin(JoinConstraint::None) => {
                return self.beside(like, left, &mut join.relation, names);
            }
            Op::Join(constraint) | Op::Inner(constraint) => (constraint, keeps(false, false)),
            Op::Left(constraint) | Op::LeftOuter(constraint) => (constraint, keeps(true, false)),
            Op::Right(constraint) | Op::RightOuter(constraint) => (constraint, keeps(false, true)),
            Op::FullOuter(constraint) => (constraint, keeps(true, true)),
            Op::Semi(constraint @ JoinConstraint::On(_))
            | Op::LeftSemi(constraint @ JoinConstraint::On(_)) => (constraint, (NONE, Some(false))),
            Op::Anti(constraint @ JoinConstraint::On(_))
            | Op::LeftAnti(constraint @ JoinConstraint::On(_)) => (constraint, (NONE, Some(true))),
            _ => return Err(SqlError::new("this kind of join is not supported").at(&join.relation)),
        };
        match &mut join.relation {
            unnest @ TableFactor::UNNEST { .. } if semi.is_none() => {
                if !names::is_always(constraint) && !matches!(constraint, JoinConstraint::None) {
                    return Err(SqlError::new(
                        "UNNEST is joined ON true: ask in WHERE, or filter(…) the array",
                    )
                    .at(unnest));
                }
                return self.unnest(like, left, unnest, keeps.left, names);
            }
            lateral @ TableFactor::Derived { lateral: true, .. }
                if semi.is_none() && names::is_always(constraint) =>
            {
                return self.lateral(like, left, lateral, keeps.left);
            }
            _ => {}
        }
        let right = self.factor(like, &mut join.relation, names)?;
        if matches!(constraint, JoinConstraint::Natural) {
            *constraint = JoinConstraint::Using(
                shared(&left.rows, &right.rows)
                    .into_iter()
                    .map(|name| ObjectName(vec![ObjectNamePart::Identifier(name)]))
                    .collect(),
            );
        }
        match constraint {
            JoinConstraint::On(on) => {
                let condition = self.join_condition(like, (&left, &right), on)?;
                let Some(is_negated) = semi else { return Ok(left.pairs(right, keeps, condition)) };
                let kind = JoinKind::Semi { is_negated };
                let join = query::Join { left: left.from, right: right.from, kind, condition, using: None };
                Ok(Source { from: Tables::Join(Box::new(join)), rows: left.rows })
            }
            JoinConstraint::Using(columns) => {
                let columns = columns.iter().map(names::last).collect();
                self.using(like, (left, right), columns, keeps)
            }
            JoinConstraint::None | JoinConstraint::Natural => Ok(left.pairs(right, keeps, Vec::new())),
        }
    }

    /// The columns occur once in the result, before all others.
    fn using(
        &self,
        like: &Scope<'_>,
        (left, right): (Source, Source),
        columns: Vec<String>,
        keeps: Keeps,
    ) -> Result<Source> {
        let condition = match equal_columns(&left.rows.fields, &right.rows.fields, &columns)? {
            Some(mut equal) => self.join_condition(like, (&left, &right), &mut equal)?,
            None => Vec::new(),
        };
        let fields = joined(&left.rows.fields, &right.rows.fields, &columns)?;
        let lefts = left.rows.fields.len();
        let all: Vec<Field> = left.rows.fields.iter().chain(&right.rows.fields).cloned().collect();
        let is =
            |at: usize, name: &str| all.get(at).is_some_and(|field| field.name.eq_ignore_ascii_case(name));
        let place = |name: &String| {
            let first = (0..lefts).find(|at| is(*at, name))?;
            Some((first, (lefts..all.len()).find(|at| is(*at, name))?))
        };
        let using = Using {
            equal: columns.iter().filter_map(place).collect(),
            others: (0..all.len()).filter(|at| !columns.iter().any(|name| is(*at, name))).collect(),
        };
        let Source { from, .. } = left.pairs(right, keeps, condition);
        let from = match from {
            Tables::Join(join) => Tables::Join(Box::new(query::Join { using: Some(using), ..*join })),
            from => from,
        };
        Ok(Source { from, rows: Relation::without_rows(fields) })
    }

    fn join_condition(
        &self,
        like: &Scope<'_>,
        (left, right): (&Source, &Source),
        condition: &mut Expr,
    ) -> Result<Vec<Conjunct>> {
        if !self.is_named {
            let both = left.rows.clone().beside(right.rows.clone());
            self.condition(&Scope { relation: &both, ..*like }, condition)?;
        }
        resolve::join::condition(like, &left.rows, &right.rows, Some(condition))
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
