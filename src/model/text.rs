//! Text from logs is hostile: whoever calls AWS chooses user agents, session names, tags and object keys.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A string that came out of a log. It has no `Display` on purpose: it must be shown through the printer, which escapes
/// for the place it is shown in (terminal, CSV, HTML). In JSON it stands as it is, escaped by JSON's own rules.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct LogText(Arc<str>);

impl LogText {
    /// The text as it stood in the log. Whoever prints this must escape it first.
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

/// Sets of texts can be asked for a plain string.
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
