//! Judges each log digest file by its own signature, by its successors, and by its predecessors.
//!
//! A signature proves the file that it was made for, wherever the signature is found: in the object's
//! metadata, or in the successor, which repeats its predecessor's signature. A proven file proves the file
//! whose hash it contains. So one signature at the end of a chain is enough for all files before it, and a
//! copy without metadata only lacks the proof of its last link.

use std::collections::{HashMap, HashSet};

use rayon::prelude::*;

use super::file::{LogDigestFile, Previous};
use super::keys::Keys;
use super::name::{self, Trail};
use super::read::Found;
use super::signature::{self, Check, Why};
use crate::model::{Sha256, Standing};

/// The result for one log digest file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    pub standing: Standing,
    pub reason: Option<String>,
    /// The successor that decided the result.
    pub vouched_by: Option<usize>,
    pub expected: Option<Sha256>,
    /// Its content is proven by a signature of AWS.
    pub proven: bool,
}

impl Node {
    /// Whether its content cannot be trusted.
    pub fn is_altered(&self) -> bool {
        !self.proven
            && matches!(
                self.standing,
                Standing::HashMismatch | Standing::SignatureInvalid | Standing::Misplaced
            )
    }
}

/// Which log digest file names which. Their names are unique: they consist of account, trail, regions and
/// time.
pub struct Graph<'f> {
    found: &'f [Found],
    /// Files by the name that is in the file itself; an altered file may claim any name.
    by_name: HashMap<&'f str, Vec<usize>>,
    /// Files that are stored under the name of another one, by that name.
    misplaced: HashMap<&'f str, Vec<usize>>,
    successors: HashMap<&'f str, Vec<usize>>,
    /// Names of log digest files that exist but cannot be parsed.
    broken: HashSet<&'f str>,
}

impl<'f> Graph<'f> {
    pub fn new(found: &'f [Found], broken: impl Iterator<Item = &'f str>) -> Self {
        let (mut by_name, mut misplaced, mut successors) = (
            HashMap::<_, Vec<usize>>::new(),
            HashMap::<_, Vec<usize>>::new(),
            HashMap::<_, Vec<usize>>::new(),
        );
        for (at, Found { object, file, .. }) in found.iter().enumerate() {
            let (stands, belongs) = (name::file_name(object.raw()), name::file_name(&file.object));
            by_name.entry(belongs).or_default().push(at);
            if !same_place(stands, belongs) {
                misplaced.entry(stands).or_default().push(at);
            }
            if let Some(previous) = &file.previous {
                successors.entry(name::file_name(&previous.object)).or_default().push(at);
            }
        }
        Self { found, by_name, misplaced, successors, broken: broken.map(name::file_name).collect() }
    }

    /// Files that claim to be this object.
    pub fn claimants(&self, key: &str) -> &[usize] {
        self.by_name.get(name::file_name(key)).map_or(&[], Vec::as_slice)
    }

    /// Whether something else is stored in the place of this object.
    pub fn is_replaced(&self, key: &str) -> bool {
        let name = name::file_name(key);
        self.broken.contains(name) || self.misplaced.contains_key(name)
    }

    pub fn file(&self, at: usize) -> Option<&'f LogDigestFile> {
        self.found.get(at).map(|found| &*found.file)
    }

    /// What other files say about the file `at`, and about what should be in its place.
    fn said_of(&self, at: usize) -> impl Iterator<Item = (usize, &'f Previous)> + '_ {
        let names = self.found.get(at).map(|found| {
            let (stands, belongs) =
                (name::file_name(found.object.raw()), name::file_name(&found.file.object));
            [Some(belongs), (!same_place(stands, belongs)).then_some(stands)]
        });
        let named = names
            .into_iter()
            .flatten()
            .flatten()
            .filter_map(|name| self.successors.get(name))
            .flatten()
            .copied();
        named
            .filter(move |other| *other != at)
            .filter_map(|other| Some((other, self.file(other)?.previous.as_ref()?)))
    }

    /// The files that may be the predecessor of `at`, and what `at` says about it.
    fn predecessors(&self, at: usize) -> Option<(&'f Previous, &[usize])> {
        let previous = self.file(at)?.previous.as_ref()?;
        Some((previous, self.claimants(&previous.object)))
    }
}

/// Whether a file with this content may be stored under this name. Names that are not those of log digest
/// files tell nothing.
fn same_place(stands: &str, belongs: &str) -> bool {
    let place = |name| Some((Trail::of(name)?, name::delivered(name)?, name::is_backfill(name)));
    stands == belongs || place(stands).is_none_or(|stands| Some(stands) == place(belongs))
}

/// Judges every file; `found` is sorted by time within each trail.
pub fn judge(graph: &Graph<'_>, keys: &Keys) -> Vec<Node> {
    let signed: Vec<Signed> =
        (0..graph.found.len()).into_par_iter().map(|at| Signed::of(graph, keys, at)).collect();
    let (proven, known_regions, signed_places) =
        (proven(graph, &signed), known_regions(graph, &signed), signed_places(graph, &signed));
    let mut judge = Judge { graph, proven, known_regions, signed_places, signed, nodes: Vec::new() };
    judge.nodes =
        vec![
            Node { standing: Standing::Valid, reason: None, vouched_by: None, expected: None, proven: false };
            graph.found.len()
        ];
    let mut latest_first: Vec<usize> = (0..graph.found.len()).collect();
    latest_first
        .sort_by_key(|at| std::cmp::Reverse((graph.file(*at).map(|file| (file.end, file.backfill)), *at)));
    for at in latest_first {
        let node = judge.node(at);
        if let Some(place) = judge.nodes.get_mut(at) {
            *place = node;
        }
    }
    judge.nodes
}

/// The results of all signatures of one file.
struct Signed {
    check: Check,
    /// The signature in its own metadata is not for this content.
    own_invalid: bool,
    /// Successors whose signature of it is not for this content.
    refuted_by: Vec<usize>,
    /// Its metadata has no signature.
    bare: bool,
}

impl Signed {
    fn of(graph: &Graph<'_>, keys: &Keys, at: usize) -> Self {
        let own = graph
            .found
            .get(at)
            .and_then(|found| Some(signature::check(keys, &found.file, found.signature.as_deref()?)));
        let own = own.unwrap_or(Check::Not(Why::NoSignature));
        let mut signed = Self {
            check: own,
            own_invalid: own == Check::Invalid,
            refuted_by: Vec::new(),
            bare: own == Check::Not(Why::NoSignature),
        };
        let Some(file) = graph.file(at).filter(|_| own != Check::Valid) else { return signed };
        for (other, previous) in graph.said_of(at) {
            let Some(signature) = &previous.signature else { continue };
            match signature::check(keys, file, signature) {
                Check::Valid => return Self { check: Check::Valid, ..signed },
                Check::Invalid => signed.refuted_by.push(other),
                why if signed.check == Check::Not(Why::NoSignature) => signed.check = why,
                Check::Not(_) => {}
            }
        }
        signed
    }
}

/// Which files are proven by signatures, and by hashes in proven files.
fn proven(graph: &Graph<'_>, signed: &[Signed]) -> Vec<bool> {
    let mut proven: Vec<bool> = signed.iter().map(|signed| signed.check == Check::Valid).collect();
    let mut open: Vec<usize> = (0..proven.len()).filter(|at| proven.get(*at) == Some(&true)).collect();
    // So that a thousand copies of one file are examined once.
    let mut done = HashSet::new();
    while let Some(at) = open.pop() {
        let Some(own) = graph.file(at).filter(|own| done.insert((&own.object, own.sha256))) else { continue };
        // Further copies, and the predecessor.
        let before = own.previous.as_ref().and_then(|previous| Some((&previous.object, previous.sha256?)));
        for (key, sha256) in before.into_iter().chain([(&own.object, own.sha256)]) {
            for file in graph
                .claimants(key)
                .iter()
                .copied()
                .filter(|file| graph.file(*file).is_some_and(|file| file.sha256 == sha256))
            {
                if let Some(known) = proven.get_mut(file).filter(|known| !**known) {
                    *known = true;
                    open.push(file);
                }
            }
        }
    }
    proven
}

/// Regions with a given key that has proven something.
fn known_regions<'g>(graph: &Graph<'g>, signed: &[Signed]) -> HashSet<&'g str> {
    let valid = signed.iter().enumerate().filter(|(_, signed)| signed.check == Check::Valid);
    valid.filter_map(|(at, _)| Some(graph.file(at)?.trail.region.as_str())).collect()
}

/// Places where log digest files have their metadata.
fn signed_places<'g>(graph: &Graph<'g>, signed: &[Signed]) -> HashSet<(&'g Trail, Option<&'g str>)> {
    let described = graph.found.iter().zip(signed).filter(|(_, signed)| !signed.bare);
    described.map(|(found, _)| place(found)).collect()
}

/// The trail, and the path before `AWSLogs/`.
fn place(found: &Found) -> (&Trail, Option<&str>) {
    (&found.file.trail, name::split(found.object.raw()).map(|(before, _)| before))
}

struct Judge<'j, 'f> {
    graph: &'j Graph<'f>,
    signed: Vec<Signed>,
    proven: Vec<bool>,
    known_regions: HashSet<&'f str>,
    signed_places: HashSet<(&'f Trail, Option<&'f str>)>,
    nodes: Vec<Node>,
}

impl Judge<'_, '_> {
    fn is_proven(&self, at: usize) -> bool {
        self.proven.get(at).copied().unwrap_or_default()
    }

    /// Whether its statements about other files count. It is later than those, and has been judged already.
    fn is_heard(&self, at: usize) -> bool {
        self.is_proven(at) || self.nodes.get(at).is_some_and(|node| !node.is_altered())
    }

    fn node(&self, at: usize) -> Node {
        let proven = self.is_proven(at);
        let (standing, reason, vouched_by, expected) = self.standing(at, proven);
        let mut node = Node { standing, reason, vouched_by, expected, proven };
        if matches!(standing, Standing::Valid | Standing::SignatureNotChecked | Standing::UnknownKey)
            && let Some(reason) = self.misplaced(at)
        {
            node.standing = Standing::Misplaced;
            node.reason = Some(reason);
        }
        node
    }

    fn standing(&self, at: usize, proven: bool) -> (Standing, Option<String>, Option<usize>, Option<Sha256>) {
        let plain = |standing, reason: &str| (standing, Some(reason.to_owned()), None, None);
        let Some((file, signed)) = self.graph.file(at).zip(self.signed.get(at)) else {
            return plain(Standing::Unreadable, "not read");
        };
        if proven {
            let by = self
                .graph
                .said_of(at)
                .find(|(other, said)| self.is_proven(*other) && said.sha256 == Some(file.sha256));
            let (by, expected) = (by.map(|(other, _)| other), by.and_then(|(_, said)| said.sha256));
            return match signed.own_invalid {
                false => (Standing::Valid, None, by, expected),
                true => (
                    Standing::SignatureInvalid,
                    Some(
                        "its content is proven, but the signature in its metadata is another one".to_owned(),
                    ),
                    by,
                    expected,
                ),
            };
        }
        if signed.own_invalid {
            return plain(Standing::SignatureInvalid, "the signature in its metadata is not of this content");
        }
        if self.contradicts_what_is_proven(at) {
            return plain(
                Standing::HashMismatch,
                "what it says of its predecessor is not so, and that one is signed",
            );
        }
        let refuting = self
            .graph
            .said_of(at)
            .filter(|(other, said)| said.sha256 != Some(file.sha256) && self.is_heard(*other));
        if let Some((other, said)) = refuting.max_by_key(|(other, _)| (self.is_proven(*other), *other)) {
            let reason = match self.is_proven(other) {
                true => "its content is not the one that its successor, which is signed, has the hash of",
                false => {
                    "its content is not the one that its successor has the hash of: one of the two was \
                     altered"
                }
            };
            return (Standing::HashMismatch, Some(reason.to_owned()), Some(other), said.sha256);
        }
        if let Some(other) = signed.refuted_by.iter().copied().find(|other| self.is_heard(*other)) {
            let reason = "the signature that its successor keeps of it is not of this content";
            return (Standing::SignatureInvalid, Some(reason.to_owned()), Some(other), None);
        }
        if signed.bare
            && self.graph.found.get(at).is_some_and(|found| self.signed_places.contains(&place(found)))
        {
            return plain(
                Standing::SignatureInvalid,
                "it has no signature in its metadata, though others beside it have theirs: it was written \
                 anew",
            );
        }
        if !signed.refuted_by.is_empty() && signed.check == Check::Not(Why::NoSignature) {
            return plain(
                Standing::SignatureNotChecked,
                "the log digest file that follows keeps a signature that is not of this content, but that \
                 file was altered itself",
            );
        }
        self.unsigned(file, signed.check)
    }

    /// Nothing contradicts it, but no signature confirms it.
    fn unsigned(
        &self,
        file: &LogDigestFile,
        check: Check,
    ) -> (Standing, Option<String>, Option<usize>, Option<Sha256>) {
        let why = if let Check::Not(why) = check { why } else { Why::NoSignature };
        let standing = if why == Why::UnknownKey && self.known_regions.contains(file.trail.region.as_str()) {
            Standing::UnknownKey
        } else {
            Standing::SignatureNotChecked
        };
        (standing, Some(why.text(&file.fingerprint)), None, None)
    }

    /// Whether it says something about a proven file that is not true.
    fn contradicts_what_is_proven(&self, at: usize) -> bool {
        let Some((previous, files)) = self.graph.predecessors(at) else { return false };
        let fits =
            |file: &usize| self.graph.file(*file).is_some_and(|file| Some(file.sha256) == previous.sha256);
        !files.iter().any(fits) && files.iter().any(|file| *file != at && self.is_proven(*file))
    }

    /// Whether the file is stored under another one's name, perhaps to hide that the other one is gone.
    fn misplaced(&self, at: usize) -> Option<String> {
        let found = self.graph.found.get(at)?;
        let (stands, belongs) = (name::file_name(found.object.raw()), name::file_name(&found.file.object));
        (!same_place(stands, belongs))
            .then(|| format!("what stands under this name says that it is {belongs}"))
    }
}

impl Why {
    /// Why a signature was not checked, for people.
    pub fn text(self, fingerprint: &str) -> String {
        match self {
            Self::NoSignature => {
                "its signature is not here: S3 keeps it beside the object, a copy has it only in the log \
                 digest file that follows"
                    .to_owned()
            }
            Self::NoKeys => "no public keys were given (--public-keys)".to_owned(),
            Self::UnknownKey => {
                format!("no public key with the fingerprint {fingerprint} is among those given")
            }
            Self::NotBuilt => "this tagfall was built without signatures".to_owned(),
        }
    }
}
