//! Sessions of an organisation: their records, worlds with known truth, and an independent way to connect
//! them.

pub mod oracle;
pub mod record;
pub mod world;
