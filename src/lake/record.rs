//! What a record is in a lake: which members of it the columns can represent (`members`), and which have to be
//! stored as JSON beside them (`split`); rows of cells in memory (`row`, `rows`); and the way back (`rebuild`).
//!
//! A record that is read back from the lake must be equal to the original. Members that a column cannot
//! represent exactly (unknown ones, other types, other members inside `userIdentity`) are stored unchanged in
//! the column `extra`, a JSON object. For some records the whole text is stored in `original`: records
//! without an `eventID` (which are distinguished by their text), records in which a member appears twice, and
//! EventBridge's own events.

pub(super) mod leaves;
mod members;
pub(super) mod rebuild;
pub(super) mod row;
pub(super) mod rows;
pub(super) mod shape;
mod split;
mod value_slots;

pub(super) use members::MEMBERS;
pub(super) use split::Split;
