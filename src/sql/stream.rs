//! Queries that are evaluated while a lake is read, and rows that do not fit into memory.

pub(super) mod flow;
pub(super) mod line;
pub(super) mod ordered;
pub(super) mod preaggregation;
pub(super) mod prefilter;
pub(super) mod spill;
