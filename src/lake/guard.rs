//! Turns a panic of the Parquet library over a damaged file into an error about that file.

use std::path::Path;

use super::LakeError;
use crate::decode::guard;

/// Calls `work` for the file at `path`; a panic becomes an error that names the file.
pub(super) fn guarded<T>(path: &Path, work: impl FnOnce() -> Result<T, LakeError>) -> Result<T, LakeError> {
    guard::guarded(work).unwrap_or_else(|| Err(LakeError::io(path, "damaged: it cannot be taken apart")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_failure_of_the_file() {
        let failed = guarded(Path::new("a/b.parquet"), || {
            [0_u8; 3].get(7).map(|_| ()).ok_or(()).map_err(|()| unreachable!("at {}", 7))
        });
        assert_eq!(failed, Err(LakeError::io(Path::new("a/b.parquet"), "damaged: it cannot be taken apart")));
        assert!(!guard::is_guarded());
    }
}
