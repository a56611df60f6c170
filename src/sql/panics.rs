//! Catches panics of libraries: the query fails, and the process goes on.

use std::cell::Cell;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Once;

use crate::sql::error::{Result, SqlError};

thread_local! {
    /// Set while a panic of this thread will be caught and become an error, so that it need not be printed.
    static CAUGHT: Cell<bool> = const { Cell::new(false) };
}

/// Calls `work`; a panic becomes an error. Whatever `work` changed must not be used then.
pub(in crate::sql) fn caught<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            if !CAUGHT.get() {
                before(info);
            }
        }));
    });
    let outer = CAUGHT.replace(true);
    let done = panic::catch_unwind(AssertUnwindSafe(work));
    CAUGHT.set(outer);
    done.unwrap_or_else(|payload| {
        let said = payload
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| payload.downcast_ref::<&str>().copied());
        let said: String =
            said.unwrap_or("no reason given").lines().next().unwrap_or_default().chars().take(200).collect();
        Err(SqlError::new(format!(
            "a library cannot work with these values ({said}); ask for less, or in another way"
        )))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_error_and_the_next_query_runs() {
        let error = caught::<()>(|| panic!("index {} is out of bounds", 7)).unwrap_err();
        assert!(error.message.contains("index 7 is out of bounds"), "{error}");
        assert_eq!(caught(|| Ok(1)), Ok(1));
    }
}
