//! Operators over whole tables: FROM, joins, groups, windows, order; and subqueries in expressions.

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
