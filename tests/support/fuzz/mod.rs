//! Fuzzing without a fuzzer: seeds, a mutator, and the entry points that bytes of strangers come in at.
//! `tests/fuzz.rs` runs them for a moment in every test run and for a night where `FUZZ_SECONDS` says so;
//! `fuzz/` gives the same entry points to cargo-fuzz.
#![allow(dead_code)]

#[cfg(feature = "sql")]
pub mod lakes;
pub mod mutate;
pub mod seeds;
pub mod targets;
