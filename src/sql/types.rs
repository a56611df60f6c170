//! Values, columns and rows: their types, when they are equal, and how one type is converted to another.

pub(super) mod arithmetic;
pub(super) mod cast;
pub(super) mod clock;
pub(super) mod columns;
pub(super) mod compact_json;
pub(super) mod compare;
pub(super) mod decimal;
pub(super) mod event_data_store;
pub(super) mod group_ids;
pub(super) mod ip;
pub(super) mod json;
pub(super) mod nested;
pub(super) mod nested_values;
pub(super) mod order;
pub(super) mod place;
pub(super) mod relation;
pub(super) mod schema;
pub(super) mod values;
pub(super) mod wide;
pub(super) mod zone;
