//! Sessions of an organisation: their records.

pub mod record;
