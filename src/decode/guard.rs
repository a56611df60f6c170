//! A library that panics over damaged bytes makes the file they are in a failure, and not the run.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is caught and told as a file's failure: nobody needs to read of it otherwise.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Does `work`; `None` if it panicked. What it left half done must not be looked at again.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.ok()
}
