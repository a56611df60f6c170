//! What follows from a bound query before it runs: its logical plan, what has to be read, how it can be divided, and the
//! operators that are run.

pub(super) mod around;
pub(super) mod bounds;
pub(super) mod divide;
pub(super) mod logical;
pub(super) mod lower;
pub(super) mod mention;
pub(super) mod needed;
pub(super) mod order_insensitive;
pub(super) mod pushdown;
pub(super) mod reading;
pub(super) mod scan;
pub(super) mod sought;
pub(super) mod table_scans;
