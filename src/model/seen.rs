//! What was there before the filters: so that a typing error in one of them is told from a quiet archive.

use std::collections::BTreeSet;

use super::LogText;

/// Names in the records that say something about images, whether the filters admit them or not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Accounts in whose trails the records stand.
    pub accounts: BTreeSet<LogText>,
    pub regions: BTreeSet<LogText>,
    /// Repository names.
    pub repositories: BTreeSet<LogText>,
}

impl Seen {
    /// Adds what `other` has seen.
    pub fn merge(&mut self, mut other: Self) {
        self.accounts.append(&mut other.accounts);
        self.regions.append(&mut other.regions);
        self.repositories.append(&mut other.repositories);
    }
}
