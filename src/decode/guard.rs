//! Catches panics of libraries over damaged bytes: the file fails, and not the run.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread will be caught and reported as a file's failure, so that it need not be
/// printed.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Calls `work`; `None` if it panicked. Whatever it left half done must not be used again.
pub(crate) fn guarded<T>(work: impl FnOnce() -> T) -> Option<T> {
    let before = GUARDED.replace(true);
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.ok()
}
