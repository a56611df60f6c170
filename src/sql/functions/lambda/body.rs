//! The body of a lambda, evaluated for all elements at once.

use crate::sql::error::{Result, SqlError};
use crate::sql::expression::{Expression, Node};
use crate::sql::scope::{Scope, Via};
use crate::sql::types::relation::{Field, Relation};
use crate::sql::types::values::Values;
use crate::tables::Kind;
use crate::tables::builder::lists;

/// A lambda, and the names of its parameters.
pub(super) struct Lambda<'e> {
    pub parameters: &'e [String],
    pub body: &'e Expression,
}

impl<'e> Lambda<'e> {
    /// The argument of `function` that must be a lambda with `count` parameters.
    pub(super) fn of(function: &str, argument: &'e Expression, count: usize) -> Result<Self> {
        let Node::Lambda { parameters, body } = &argument.node else {
            return Err(SqlError::new(format!("{function} needs a lambda, such as x -> x > 1"))
                .at_span(argument.span));
        };
        if parameters.len() != count {
            let needed = if count == 1 { "one parameter".to_owned() } else { format!("{count} parameters") };
            return Err(SqlError::new(format!("the lambda of {function} must have {needed}")));
        }
        Ok(Self { parameters, body })
    }

    /// Its value for each entry of `arguments`; `rows` says which row of `scope` each entry belongs to.
    pub(super) fn over(
        &self,
        scope: &Scope<'_>,
        rows: &[Option<u32>],
        arguments: &[&Values],
    ) -> Result<Values> {
        let mut relation = Relation { height: rows.len(), ..Relation::default() };
        for (name, values) in self.parameters.iter().zip(arguments) {
            relation.push(Field::new(name.clone(), values.kind.clone()), values.spread(rows.len()));
        }
        let inner = Scope {
            relation: &relation,
            known: &[],
            ungrouped: None,
            outer: Some((scope, Via::Rows(rows))),
            ..*scope
        };
        inner.values(self.body)
    }
}

/// For the concatenated elements of all rows, the row of each.
pub(super) fn rows_of(lengths: &[Option<usize>]) -> Vec<Option<u32>> {
    (0_u32..)
        .zip(lengths)
        .flat_map(|(row, length)| std::iter::repeat_n(Some(row), length.unwrap_or(0)))
        .collect()
}

pub(super) fn keep(elements: &Values, lengths: &[Option<usize>], results: &Values) -> Result<Values> {
    let truths = results.truths()?;
    let (mut places, mut kept, mut at) = (Vec::new(), Vec::with_capacity(lengths.len()), 0_usize);
    for length in lengths {
        let before = places.len();
        for element in at..at + length.unwrap_or(0) {
            if truths.get(element) == Some(true) {
                places.push(u32::try_from(element).ok());
            }
        }
        at += length.unwrap_or(0);
        kept.push(length.map(|_| places.len() - before));
    }
    let data = lists("", &elements.take(&places)?.data, &elements.kind, &kept);
    Ok(Values::new(Kind::array(elements.kind.clone()), data))
}
