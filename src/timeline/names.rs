//! Strings, digests and repositories as numbers, so that what a fold keeps of a record is a few small
//! integers.
//!
//! A number has a meaning only within one [`Names`]. Workers number things in the order in which they meet
//! them, so nothing that users see may depend on the numbers, only on what they stand for.

use std::collections::HashMap;
use std::sync::Arc;

use foldhash::fast::RandomState;
use indexmap::{IndexMap, IndexSet};

use crate::model::{Digest, LogText, Repository, RepositoryRef};
use crate::policy::Policy;

/// A map by number with a fast hasher: hashing four bytes with the standard library's takes longer than
/// looking them up.
pub type Map<K, V> = HashMap<K, V, RandomState>;

macro_rules! number {
    ($(#[$meta:meta])* $name:ident) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(u32);

        impl $name {
            /// Means "none", without the space that an `Option` takes.
            pub const NONE: Self = Self(u32::MAX);

            pub fn is_some(self) -> bool {
                self != Self::NONE
            }

            pub fn is_none(self) -> bool {
                self == Self::NONE
            }

            /// `Some(self)`, unless it is [`Self::NONE`].
            pub fn some(self) -> Option<Self> {
                self.is_some().then_some(self)
            }

            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// Numbers count up from 0. Four thousand million of one kind do not fit into memory; anything
            /// beyond would be treated as absent.
            pub fn from_index(index: usize) -> Self {
                u32::try_from(index).map_or(Self::NONE, Self)
            }

            /// The number in the merged tables; [`Self::NONE`] stays as it is.
            pub fn translated(self, table: &[Self]) -> Self {
                table.get(self.index()).copied().unwrap_or(Self::NONE)
            }
        }
    };
}

number! {
    /// A string.
    Sym
}
number! {
    /// An image digest.
    DigestNo
}
number! {
    /// A repository.
    RepositoryNo
}
number! {
    /// An event.
    EventNo
}
number! {
    /// A lifecycle policy, parsed once however many runs state it.
    PolicyNo
}

/// In which wording a policy was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wording {
    /// The JSON of `lifecyclePolicyText`.
    Put,
    /// The rules in the prose of a lifecycle event, as JSON.
    Stated,
    /// The policy of a simulation, which is in no log.
    Simulation,
}

/// The key of the simulation's policy, which has no text.
const SIMULATED: (Sym, Wording) = (Sym::NONE, Wording::Simulation);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RepositoryKey {
    pub registry_id: Sym,
    pub region: Sym,
    pub name: Sym,
}

/// The tables behind the numbers.
#[derive(Debug, Default)]
pub struct Names {
    strings: IndexSet<Box<str>, RandomState>,
    digests: IndexSet<Digest, RandomState>,
    repositories: IndexSet<RepositoryKey, RandomState>,
    /// The one that was met last.
    last_repository: Option<RepositoryKey>,
    policies: IndexMap<(Sym, Wording), Arc<Policy>, RandomState>,
    no_policy: Arc<Policy>,
    /// Bytes of texts and policies outside of the tables, about.
    text_bytes: u64,
}

/// The smallest allocation; sizes are rounded up to multiples of it.
const PIECE_BYTES_MIN: u64 = 32;
/// A parsed policy takes a multiple of its text, and at least this much.
const POLICY_TEXTS: u64 = 4;
const POLICY_BYTES_MIN: u64 = 512;
/// Bytes of a table for each entry, beside the entry itself: hash and slot.
const PLACE_BYTES: u64 = 20;

/// Maps the numbers of one [`Names`] to those of another.
pub struct Translation {
    pub strings: Vec<Sym>,
    pub digests: Vec<DigestNo>,
    pub repositories: Vec<RepositoryNo>,
    pub policies: Vec<PolicyNo>,
}

impl Names {
    pub fn string(&mut self, text: &str) -> Sym {
        let index = self.strings.get_index_of(text).unwrap_or_else(|| {
            self.text_bytes += (text.len() as u64).next_multiple_of(16).max(PIECE_BYTES_MIN);
            self.strings.insert_full(text.into()).0
        });
        Sym::from_index(index)
    }

    /// The same for a text that is often the one that was met `before`, which is compared first.
    pub fn string_like(&mut self, before: Option<Sym>, text: &str) -> Sym {
        let is_it =
            |before: &Sym| self.strings.get_index(before.index()).is_some_and(|known| **known == *text);
        before.filter(is_it).unwrap_or_else(|| self.string(text))
    }

    pub fn optional_string(&mut self, text: Option<&str>) -> Sym {
        text.map_or(Sym::NONE, |text| self.string(text))
    }

    pub fn digest(&mut self, digest: Digest) -> DigestNo {
        DigestNo::from_index(self.digests.insert_full(digest).0)
    }

    pub fn optional_digest(&mut self, digest: Option<Digest>) -> DigestNo {
        digest.map_or(DigestNo::NONE, |digest| self.digest(digest))
    }

    pub fn repository(&mut self, registry_id: &str, region: &str, name: &str) -> RepositoryNo {
        let before = self.last_repository;
        let key = RepositoryKey {
            registry_id: self.string_like(before.map(|key| key.registry_id), registry_id),
            region: self.string_like(before.map(|key| key.region), region),
            name: self.string_like(before.map(|key| key.name), name),
        };
        self.last_repository = Some(key);
        RepositoryNo::from_index(self.repositories.insert_full(key).0)
    }

    pub fn optional_repository(&mut self, repository: Option<&RepositoryRef<'_>>) -> RepositoryNo {
        repository.map_or(RepositoryNo::NONE, |found| {
            self.repository(&found.registry_id, &found.region, &found.name)
        })
    }

    /// The number of a policy; its text is parsed when it is first met.
    pub fn policy(&mut self, text: &str, wording: Wording) -> PolicyNo {
        let key = (self.string(text), wording);
        let read =
            || if wording == Wording::Stated { Policy::from_rules(text) } else { Policy::from_text(text) };
        let index = self.policies.get_index_of(&key).unwrap_or_else(|| {
            self.text_bytes += POLICY_TEXTS * text.len() as u64 + POLICY_BYTES_MIN;
            self.policies.insert_full(key, Arc::new(read())).0
        });
        PolicyNo::from_index(index)
    }

    /// Bytes of memory that all tables take, about.
    pub fn bytes(&self) -> u64 {
        let table = |entries: usize, entry: usize| entries as u64 * (entry as u64 + PLACE_BYTES);
        let tables = table(self.strings.len(), size_of::<Box<str>>())
            + table(self.digests.len(), size_of::<Digest>())
            + table(self.repositories.len(), size_of::<RepositoryKey>());
        tables + self.text_bytes
    }

    pub fn digests(&self) -> usize {
        self.digests.len()
    }

    /// Adds the policy of a simulation. There is one at most.
    pub fn set_simulated_policy(&mut self, policy: &Arc<Policy>) {
        self.policies.insert(SIMULATED, Arc::clone(policy));
    }

    pub fn simulated_policy(&self) -> PolicyNo {
        self.policies.get_index_of(&SIMULATED).map_or(PolicyNo::NONE, PolicyNo::from_index)
    }

    /// The policy with that number; an empty one for [`PolicyNo::NONE`].
    pub fn policy_of(&self, number: PolicyNo) -> &Arc<Policy> {
        self.policies.get_index(number.index()).map_or(&self.no_policy, |(_, policy)| policy)
    }

    /// The text behind `sym`; empty for [`Sym::NONE`].
    pub fn text(&self, sym: Sym) -> &str {
        self.strings.get_index(sym.index()).map_or("", |text| text)
    }

    pub fn log_text(&self, sym: Sym) -> Option<LogText> {
        self.strings.get_index(sym.index()).map(|text| LogText::from(&**text))
    }

    pub fn digest_of(&self, number: DigestNo) -> Option<Digest> {
        self.digests.get_index(number.index()).copied()
    }

    pub fn find_digest(&self, digest: &Digest) -> Option<DigestNo> {
        self.digests.get_index_of(digest).map(DigestNo::from_index)
    }

    pub fn find_string(&self, text: &str) -> Option<Sym> {
        self.strings.get_index_of(text).map(Sym::from_index)
    }

    pub fn repository_key(&self, number: RepositoryNo) -> Option<RepositoryKey> {
        self.repositories.get_index(number.index()).copied()
    }

    pub fn repository_of(&self, number: RepositoryNo) -> Repository {
        let text = |sym: Sym| LogText::from(self.text(sym));
        let key = self.repository_key(number).unwrap_or(RepositoryKey {
            registry_id: Sym::NONE,
            region: Sym::NONE,
            name: Sym::NONE,
        });
        Repository { registry_id: text(key.registry_id), region: text(key.region), name: text(key.name) }
    }

    /// Registry, region and name, for sorting repositories.
    pub fn repository_texts(&self, number: RepositoryNo) -> Option<[&str; 3]> {
        self.repository_key(number)
            .map(|key| [key.registry_id, key.region, key.name].map(|sym| self.text(sym)))
    }

    /// How many strings there are.
    pub fn strings(&self) -> usize {
        self.strings.len()
    }

    pub fn repository_keys(&self) -> impl Iterator<Item = &RepositoryKey> {
        self.repositories.iter()
    }

    pub fn policies(&self) -> impl Iterator<Item = &Policy> {
        self.policies.values().map(|policy| &**policy)
    }

    /// The texts of all policies.
    pub fn policy_texts(&self) -> impl Iterator<Item = Sym> {
        self.policies.keys().map(|(text, _)| *text)
    }

    pub fn repositories(&self) -> usize {
        self.repositories.len()
    }

    /// Adds everything in `other`, and returns how to translate its numbers.
    pub fn absorb(&mut self, other: Self) -> Translation {
        let strings_before = self.strings.len();
        let (own_strings, own_digests) = (&mut self.strings, &mut self.digests);
        let other_strings = other.strings.len();
        own_strings.reserve(other_strings);
        own_digests.reserve(other.digests.len());
        let (strings, digests): (Vec<Sym>, _) = rayon::join(
            || {
                other
                    .strings
                    .into_iter()
                    .map(|text| Sym::from_index(own_strings.insert_full(text).0))
                    .collect()
            },
            || {
                other
                    .digests
                    .into_iter()
                    .map(|digest| DigestNo::from_index(own_digests.insert_full(digest).0))
                    .collect()
            },
        );
        let new = other_strings.min(self.strings.len() - strings_before) as u64;
        self.text_bytes += (other.text_bytes * new).checked_div(other_strings as u64).unwrap_or(0);
        let translate = |key: &RepositoryKey| RepositoryKey {
            registry_id: key.registry_id.translated(&strings),
            region: key.region.translated(&strings),
            name: key.name.translated(&strings),
        };
        let repositories = other
            .repositories
            .iter()
            .map(|key| RepositoryNo::from_index(self.repositories.insert_full(translate(key)).0))
            .collect();
        let read = |((text, wording), policy)| {
            let text: Sym = text;
            let own = self.policies.entry((text.translated(&strings), wording));
            let index = own.index();
            own.or_insert(policy);
            PolicyNo::from_index(index)
        };
        let policies = other.policies.into_iter().map(read).collect();
        Translation { strings, digests, repositories, policies }
    }
}
