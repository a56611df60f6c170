//! A library that panics over a damaged file makes that file a failure, and not the run.

use std::path::Path;

use super::LakeError;
use crate::decode::guard;

/// Does `work` on the file at `path`.
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
