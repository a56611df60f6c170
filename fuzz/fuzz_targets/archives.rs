#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // Next to an intact object, and next to a copy of itself.
    let whole = fuzz::seeds::objects().swap_remove(0);
    fuzz::targets::archives(&[whole, bytes.to_vec(), bytes.to_vec()]);
});
