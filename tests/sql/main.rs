//! SQL: every construct with the expected rows, Trino's rules, and DuckDB as an oracle.
#![cfg(feature = "sql")]

#[allow(dead_code)]
mod archive;

mod constructs;
mod duckdb;
mod limits;
mod names;
mod public;
mod pushdown;
mod queries;
mod spill;
mod tally;
mod trino_edges;
mod trino_semantics;
mod types;
