//! When two rows are a pair of a join, with resolved names.

use super::Expression;

/// A part of the condition; all of them have to hold.
#[derive(Debug, Clone)]
pub(in crate::sql) struct Conjunct {
    /// For the columns of both sides.
    pub whole: Expression,
    /// Which of these it uses.
    pub used: Used,
    /// `left = right`, where each uses the columns of one side alone: equal rows can be looked up by them.
    pub equal: Option<(Expression, Expression)>,
}

#[derive(Debug, Clone)]
pub(in crate::sql) enum Used {
    /// Those with these indexes, in order.
    Some(Vec<usize>),
    /// All, because it has a subquery.
    All,
}

impl Used {
    pub fn contains(&self, index: usize) -> bool {
        match self {
            Self::Some(indexes) => indexes.binary_search(&index).is_ok(),
            Self::All => true,
        }
    }
}
