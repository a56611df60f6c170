//! Two results of `detect`, compared.

use serde::{Deserialize, Serialize};

use super::{Loss, Standing, id_of_loss, joined};
use crate::model::{Digest, FindingKind, LogText, Repository, Severity, Timestamp};
use crate::redact::COUNTED;

/// Losses of an older result of `detect` compared with those of a newer one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Diff {
    pub new: Vec<Loss>,
    pub worse: Vec<Change>,
    pub better: Vec<Change>,
    /// Only in the older result: come back, explained, or out of the window of logs.
    pub gone: Vec<Loss>,
    /// Number of losses that are the same in both.
    pub same: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    pub before: Loss,
    pub after: Loss,
}

/// The part of the output of `detect --format json` that names the losses.
#[derive(Deserialize)]
struct Document {
    schema_version: u32,
    command: String,
    findings: Vec<Found>,
}

#[derive(Deserialize)]
struct Found {
    id: String,
    kind: FindingKind,
    severity: Severity,
    repository: Repository,
    tag: Option<LogText>,
    lost: FoundLost,
}

#[derive(Deserialize)]
struct FoundLost {
    digest: Option<Digest>,
    gone_at: Option<Timestamp>,
}

impl From<Found> for Loss {
    fn from(found: Found) -> Self {
        let Found { id, kind, severity, repository, tag, lost } = found;
        Self {
            id: id_of_loss(&id).to_owned(),
            severity,
            kind,
            repository,
            tag,
            digest: lost.digest,
            gone_at: lost.gone_at,
        }
    }
}

/// Reads the losses of a result. An error says why the text is not one.
pub fn read(text: &[u8]) -> Result<Vec<Loss>, String> {
    let document: Document = serde_json::from_slice(text).map_err(|error| error.to_string())?;
    match (document.schema_version, document.command.as_str()) {
        (1, "detect") if document.findings.iter().any(|finding| finding.id.starts_with(COUNTED)) => {
            Err("its ids are of that run alone: it was made with --redact and no --redact-key".to_owned())
        }
        (1, "detect") => Ok(joined(document.findings.into_iter().map(Loss::from)).into_values().collect()),
        (1, other) => Err(format!("it is a result of `{other}`")),
        (version, _) => Err(format!("its schema_version is {version}, and this program knows 1")),
    }
}

/// Compares two results; each list begins with the worst.
pub fn diff(old: Vec<Loss>, new: Vec<Loss>) -> Diff {
    let mut diff = Diff::default();
    let mut before = joined(old);
    for loss in new {
        let Some(old) = before.remove(&loss.id) else {
            diff.new.push(loss);
            continue;
        };
        match loss.standing(&old) {
            Standing::LostAgain => diff.new.push(loss),
            Standing::Worse => diff.worse.push(Change { before: old, after: loss }),
            Standing::Better => diff.better.push(Change { before: old, after: loss }),
            Standing::Same => diff.same += 1,
        }
    }
    diff.gone = before.into_values().collect();
    let rank = |loss: &Loss| (loss.severity, loss.repository.clone(), loss.gone_at, loss.id.clone());
    diff.new.sort_by_cached_key(rank);
    diff.gone.sort_by_cached_key(rank);
    diff.worse.sort_by_cached_key(|change| rank(&change.after));
    diff.better.sort_by_cached_key(|change| rank(&change.after));
    diff
}
