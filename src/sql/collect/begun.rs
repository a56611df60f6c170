//! What workers share once one of them needs it.

use std::sync::{Arc, Mutex, PoisonError};

use crate::sql::error::Result;

/// Nothing, until somebody needs it.
#[derive(Debug)]
pub(super) struct Begun<T>(Mutex<Option<Arc<T>>>);

impl<T> Default for Begun<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Begun<T> {
    pub fn is_there(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some()
    }

    /// What there is; if there is nothing, `begin` makes it.
    pub fn get(&self, begin: impl FnOnce() -> Result<T>) -> Result<Arc<T>> {
        let mut begun = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &*begun {
            Some(begun) => Arc::clone(begun),
            None => Arc::clone(begun.insert(Arc::new(begin()?))),
        })
    }

    pub fn take(&self) -> Option<Arc<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
