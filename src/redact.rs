//! Pseudonyms for everything that identifies somebody: accounts, repositories, roles, users, sessions,
//! services, addresses, names of objects.
//!
//! A name has the same pseudonym throughout a run: in a field, in a sentence, in an advised command, on
//! stderr. With a key it has the same pseudonym in all runs with that key, and without knowing the key
//! nobody can check a guess. Without a key, pseudonyms are numbered.
//!
//! Not replaced: times, regions, digests of images, kinds and severities, event names, AWS services, and
//! tags made of numbers and common words (`release-2026.03.02`, `latest`). docs/REFERENCE.md has the list.

mod fields;
mod learn;
mod nouns;
mod pseudonym;
mod sessions;
mod shape;
mod text;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};

pub use nouns::Redact;
use pseudonym::Key;
pub use pseudonym::{COUNTED, Kind};

/// Assigns pseudonyms and remembers them.
pub struct Redactor {
    names: Mutex<Names>,
}

struct Names {
    key: Option<Key>,
    /// Every text that has a pseudonym.
    known: HashMap<Box<str>, Box<str>>,
    /// The texts that are searched for in sentences, sorted, so that the longest at a position is found.
    sought: BTreeMap<Box<str>, Box<str>>,
    /// Number of pseudonyms of each kind.
    counts: HashMap<Kind, u64>,
}

impl Redactor {
    /// `secret`: the key that makes pseudonyms the same in other runs.
    pub fn new(secret: Option<&[u8]>) -> Self {
        let names = Names {
            key: secret.map(Key::new),
            known: HashMap::new(),
            sought: BTreeMap::new(),
            counts: HashMap::new(),
        };
        Self { names: Mutex::new(names) }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Learns names that are known before anything is read: those in sources and filters.
    pub fn learn(&self, kind: Kind, names: &[String]) {
        let mut all = BTreeSet::new();
        names.iter().for_each(|name| learn::add(&mut all, kind, name));
        self.names().take(all);
    }

    /// Replaces the names in a text: a sentence of this program, an ARN, a line of an error.
    pub fn text(&self, text: &str) -> String {
        self.names().text(text)
    }
}

impl Names {
    /// Assigns pseudonyms to these names, within each kind in an order that reveals nothing.
    fn take(&mut self, names: BTreeSet<(Kind, String)>) {
        let mut names: Vec<(Kind, String)> =
            names.into_iter().filter(|(_, name)| !self.known.contains_key(name.as_str())).collect();
        names.sort_by_cached_key(|(kind, name)| (*kind, pseudonym::shuffled(name)));
        for (kind, name) in names {
            self.pseudonym(kind, &name);
        }
    }

    /// The pseudonym of a whole name.
    fn pseudonym(&mut self, kind: Kind, name: &str) -> Box<str> {
        if let Some(known) = self.known.get(name) {
            return known.clone();
        }
        let count = self.counts.entry(kind).or_default();
        *count += 1;
        let made: Box<str> = pseudonym::made(kind, name, *count, self.key.as_ref()).into();
        self.known.insert(name.into(), made.clone());
        if text::is_sought(name) {
            text::spellings(name)
                .into_iter()
                .for_each(|spelling| _ = self.sought.insert(spelling.into(), made.clone()));
        }
        made
    }
}
