//! Pseudonyms for what tells who somebody is: accounts, repositories, roles, users, sessions, services, addresses, places of objects.
//!
//! One text has one pseudonym in a run, wherever it stands: in a field, in a sentence, in a command that is advised, on stderr. With a key
//! it has the same one in every run with that key, and nobody can find out without the key whether a guess is right; without one, pseudonyms
//! are counted.
//!
//! What stays: times, regions, digests of images, kinds and severities, names of events, AWS services, and tags that are made of numbers and
//! the usual words (`release-2026.03.02`, `latest`). docs/REFERENCE.md has the list.

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

/// Gives pseudonyms, and remembers them.
pub struct Redactor {
    names: Mutex<Names>,
}

struct Names {
    key: Option<Key>,
    /// Every text that has a pseudonym.
    known: HashMap<Box<str>, Box<str>>,
    /// Those that are looked for in sentences, in order, for the longest one at a place.
    sought: BTreeMap<Box<str>, Box<str>>,
    /// How many there are of each kind.
    counts: HashMap<Kind, u64>,
}

impl Redactor {
    /// `secret`: what makes pseudonyms the same in another run.
    pub fn new(secret: Option<&[u8]>) -> Self {
        let names = Names { key: secret.map(Key::new), known: HashMap::new(), sought: BTreeMap::new(), counts: HashMap::new() };
        Self { names: Mutex::new(names) }
    }

    fn names(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes in what a run is told of before it has read anything: sources and filters.
    pub fn learn(&self, kind: Kind, names: &[String]) {
        let mut all = BTreeSet::new();
        names.iter().for_each(|name| learn::add(&mut all, kind, name));
        self.names().take(all);
    }

    /// A text in which names may stand: a sentence of ours, an ARN, a line of an error.
    pub fn text(&self, text: &str) -> String {
        self.names().text(text)
    }
}

impl Names {
    /// Gives each of these its pseudonym, those of one kind in an order that tells nothing.
    fn take(&mut self, names: BTreeSet<(Kind, String)>) {
        let mut names: Vec<(Kind, String)> = names.into_iter().filter(|(_, name)| !self.known.contains_key(name.as_str())).collect();
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
            text::spellings(name).into_iter().for_each(|spelling| _ = self.sought.insert(spelling.into(), made.clone()));
        }
        made
    }
}
