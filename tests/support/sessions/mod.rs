//! Sessions of an organisation: their records, worlds of them with known truth, and a second way to join
//! them.

pub mod oracle;
pub mod record;
pub mod world;
