#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| fuzz::targets::policies(bytes));
