#![no_main]

#[path = "../../tests/support/fuzz/mod.rs"]
mod fuzz;

use std::panic;
use std::sync::Once;

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // The fuzzer ends the process at any panic; but a panic of the Parquet library that becomes a failure of
    // the file is none.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !tagfall::lake::is_guarded() {
                hook(info);
            }
        }));
    });
    fuzz::targets::lake(bytes);
});
