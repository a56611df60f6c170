//! Text from logs, which may be hostile: callers of AWS choose user agents, session names, tags and object
//! keys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A string from a log. It has no `Display` on purpose: it can only be shown through the printer, which
/// escapes it for its destination (terminal, CSV, HTML). In JSON it is written as it is, with JSON's own
/// escapes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogText(Arc<str>);

impl LogText {
    /// The text as it is in the log. It must be escaped before it is printed.
    pub fn raw(&self) -> &str {
        &self.0
    }
}

impl<T: Into<Arc<str>>> From<T> for LogText {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Debug for LogText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

/// Lets sets of `LogText` be searched with a plain string.
impl std::borrow::Borrow<str> for LogText {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for LogText {
    fn eq(&self, other: &str) -> bool {
        &*self.0 == other
    }
}

impl PartialEq<&str> for LogText {
    fn eq(&self, other: &&str) -> bool {
        &*self.0 == *other
    }
}
