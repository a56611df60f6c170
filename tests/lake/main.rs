//! The lake: written, damaged, interrupted, read again.
#![cfg(feature = "sql")]

#[path = "../../benches/corpus.rs"]
mod corpus;
#[path = "../support/lake.rs"]
#[allow(dead_code)]
mod support;
#[path = "../cli/world.rs"]
#[allow(dead_code)]
mod world;

mod damage;
mod faults;
mod ingest;
mod snapshots;
