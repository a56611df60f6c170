//! A library that panics over a damaged file makes that file a failure, and not the run.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use super::LakeError;

thread_local! {
    static GUARDED: Cell<bool> = const { Cell::new(false) };
}

/// Whether a panic of this thread is caught and told as a file's failure: nobody needs to read of it otherwise.
pub fn is_guarded() -> bool {
    GUARDED.get()
}

/// Does `work` on the file at `path`.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, LakeError>) -> Result<T, LakeError> {
    let before = GUARDED.replace(true);
    // What `work` leaves half done is not looked at again: the file is given up.
    let done = catch_unwind(AssertUnwindSafe(work));
    GUARDED.set(before);
    done.unwrap_or_else(|_| Err(LakeError::io(path, "damaged: it cannot be taken apart")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_file() {
        let failed = guarded(Path::new("a/b.parquet"), || [0_u8; 3].get(7).map(|_| ()).ok_or(()).map_err(|()| unreachable!("at {}", 7)));
        assert_eq!(failed, Err(LakeError::io(Path::new("a/b.parquet"), "damaged: it cannot be taken apart")));
        assert!(!is_guarded());
    }
}
