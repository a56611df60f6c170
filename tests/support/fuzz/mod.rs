//! Fuzzing without a fuzzer: seeds, a mutator, and entry points for untrusted bytes. `tests/fuzz.rs` runs
//! them briefly in every test run, and for `FUZZ_SECONDS` if that is set; `fuzz/` gives the same entry points
//! to cargo-fuzz.
#![allow(dead_code)]

#[cfg(feature = "sql")]
pub mod lakes;
pub mod mutate;
pub mod seeds;
pub mod targets;
