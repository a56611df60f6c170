//! Names similar to one that does not occur: a typing error in a key or session must not look like a quiet
//! archive.

use std::collections::{BTreeSet, HashSet};

use foldhash::fast::RandomState;

use super::asked::Question;
use super::fields::Field;
use crate::decode::fingerprint;
use crate::model::{Asked, LogText};

/// Maximum number of names that are suggested.
const TOLD_MAX: usize = 5;
/// Names that are at least this similar may be meant (Jaro-Winkler; 1 is the same).
const ALIKE: f64 = 0.85;
/// Number of names that are remembered as already compared; further ones are compared again.
const REMEMBERED_MAX: usize = 1 << 20;

/// The most similar names so far.
pub(super) struct Near {
    wanted: String,
    fields: Vec<Field>,
    looked_at: HashSet<u64, RandomState>,
    /// Similarity in millionths, negated so that the most similar comes first; and the name.
    best: BTreeSet<(u32, LogText)>,
    /// Names are ARNs, of which the last part may be meant.
    parts: bool,
}

impl Near {
    pub(super) fn new(question: &Question) -> Self {
        let fields: &[&str] = match question.asked() {
            Asked::Key => &[r#""accessKeyId""#],
            Asked::Arn => &[r#""arn""#],
            Asked::Address => &[r#""sourceIPAddress""#],
            Asked::Session => &[r#""arn""#, r#""principalId""#],
            Asked::Event => &[],
        };
        Self {
            wanted: question.text().replace(['*', '?'], ""),
            fields: fields.iter().map(|name| Field::new(name)).collect(),
            looked_at: HashSet::default(),
            best: BTreeSet::new(),
            parts: question.asked() == Asked::Session,
        }
    }

    /// Compares the names in a record.
    pub(super) fn look(&mut self, json: &str) {
        let Self { wanted, fields, looked_at, best, parts } = self;
        for name in fields.iter().flat_map(|field| field.values(json)) {
            let number = fingerprint(name.as_bytes());
            if looked_at.contains(&number) {
                continue;
            }
            if looked_at.len() < REMEMBERED_MAX {
                looked_at.insert(number);
            }
            let shown = if *parts { last_parts(name) } else { name };
            let alike = likeness(wanted, shown);
            if alike >= ALIKE && !shown.is_empty() {
                add(best, ((1_000_000.0 * (1.0 - alike)) as u32, shown.into()));
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        other.best.into_iter().for_each(|found| add(&mut self.best, found));
    }

    pub(super) fn best(self) -> Vec<LogText> {
        self.best.into_iter().map(|(_, name)| name).collect()
    }
}

fn add(best: &mut BTreeSet<(u32, LogText)>, found: (u32, LogText)) {
    best.insert(found);
    if best.len() > TOLD_MAX {
        best.pop_last();
    }
}

/// For an ARN, `ROLE/SESSION` or the user; for a `principalId`, the session.
fn last_parts(name: &str) -> &str {
    let resource = name.rsplit(':').next().unwrap_or(name);
    ["assumed-role/", "federated-user/", "user/", "role/"]
        .iter()
        .find_map(|kind| resource.strip_prefix(kind))
        .unwrap_or(resource)
}

fn likeness(wanted: &str, name: &str) -> f64 {
    if name.contains(wanted) {
        return 1.0;
    }
    let part = name.rsplit('/').next().unwrap_or(name);
    strsim::jaro_winkler(wanted, name).max(strsim::jaro_winkler(wanted, part))
}
