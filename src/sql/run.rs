//! Runs operators (`expression::query`): tables in FROM, joins, groups, lists, order; and subqueries in expressions.

pub(super) mod correlated;
pub(super) mod engine;
pub(super) mod from;
pub(super) mod group;
pub(super) mod join;
pub(super) mod lateral;
pub(super) mod recursive;
pub(super) mod select;
pub(super) mod sets;
pub(super) mod subquery;
