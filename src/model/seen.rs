//! Which accounts, regions and repositories the records name, whatever the filters say: tells a typing
//! error in a filter from an archive without events.

use std::collections::BTreeSet;

use super::LogText;

/// Names in the records about images, whether or not the filters admit them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Accounts whose trails the records are in.
    pub accounts: BTreeSet<LogText>,
    pub regions: BTreeSet<LogText>,
    /// Repository names.
    pub repositories: BTreeSet<LogText>,
}

impl Seen {
    /// Adds the names in `other`.
    pub fn merge(&mut self, mut other: Self) {
        self.accounts.append(&mut other.accounts);
        self.regions.append(&mut other.regions);
        self.repositories.append(&mut other.repositories);
    }
}

/// Adds a name; one that is known already is not copied.
pub fn note_name(names: &mut BTreeSet<LogText>, name: &str) {
    if !names.contains(name) {
        names.insert(name.into());
    }
}
