//! A query as text and as a syntax tree: what is in it, without knowing what it means.

pub(super) mod calls;
pub(super) mod chains;
pub(super) mod data_store;
pub(super) mod dialect;
pub(super) mod grouping;
pub(super) mod json_calls;
pub(super) mod limits;
pub(super) mod named_windows;
pub(super) mod names;
pub(super) mod params;
pub(super) mod recursion;
pub(super) mod spelling;
pub(super) mod stand_ins;
pub(super) mod statements;
pub(super) mod tokens;
pub(super) mod visit;
pub(super) mod walk;
