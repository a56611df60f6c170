//! Alerts for new losses only: compares the losses of this run with those that were reported before.
//!
//! A *loss* is identified by registry, region, repository and digest (or tag), which are what a finding's
//! `id` is made of. Kind and severity are attributes of the loss that change as more becomes known. A
//! window of logs that moves on shows the same loss every night, each time with other evidence; that is not
//! news.

mod diff;
mod known;

pub use diff::{Change, Diff, diff, read};
pub use known::{Acceptance, Known, News};

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::model::{Digest, Finding, FindingKind, LogText, Repository, Severity, Timestamp};

/// A loss, put together from the findings of one run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    pub id: String,
    pub severity: Severity,
    pub kind: FindingKind,
    pub repository: Repository,
    pub tag: Option<LogText>,
    pub digest: Option<Digest>,
    /// When it was gone; if it was lost several times, the last time.
    pub gone_at: Option<Timestamp>,
}

/// The id of the loss that a finding with `id` belongs to: several losses of one image are numbered
/// (`…-2`).
pub fn id_of_loss(id: &str) -> &str {
    id.split_once('-').map_or(id, |(loss, _)| loss)
}

/// The losses behind the findings, by id.
pub fn losses<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> BTreeMap<String, Loss> {
    joined(findings.into_iter().map(Loss::of))
}

fn joined(each: impl IntoIterator<Item = Loss>) -> BTreeMap<String, Loss> {
    let mut losses: BTreeMap<String, Loss> = BTreeMap::new();
    for loss in each {
        match losses.get_mut(&loss.id) {
            Some(other) => other.join(loss),
            None => _ = losses.insert(loss.id.clone(), loss),
        }
    }
    losses
}

/// How a loss compares with what was reported of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    /// It came back and was lost again since.
    LostAgain,
    Worse,
    Same,
    Better,
}

impl Loss {
    fn of(finding: &Finding) -> Self {
        Self {
            id: id_of_loss(&finding.id).to_owned(),
            severity: finding.severity,
            kind: finding.kind,
            repository: finding.repository.clone(),
            tag: finding.tag.clone(),
            digest: finding.lost.digest,
            gone_at: finding.lost.gone_at,
        }
    }

    /// Adds another finding about the same loss: the last end counts, and for one end the worst severity.
    fn join(&mut self, other: Self) {
        let gone_at = self.gone_at.max(other.gone_at);
        let is_later = self.gone_at.is_some() && other.gone_at > self.gone_at;
        let is_earlier = other.gone_at.is_some() && other.gone_at < self.gone_at;
        if is_later || !is_earlier && other.severity < self.severity {
            *self = other;
        }
        self.gone_at = gone_at;
    }

    /// Whether the image still existed when this was reported.
    const fn was_there(&self) -> bool {
        use FindingKind::{AccessTaken, AskedBeforePushed, DisplacedAlive, IndexLostToItsChild, Unexplained};
        self.gone_at.is_none()
            && matches!(
                self.kind,
                DisplacedAlive | AccessTaken | Unexplained | AskedBeforePushed | IndexLostToItsChild
            )
    }

    /// Compares `self` with what was reported before. Severities are declared from worst to harmless.
    fn standing(&self, told: &Self) -> Standing {
        if told.gone_at.is_some() && self.gone_at > told.gone_at {
            Standing::LostAgain
        } else if self.severity < told.severity || told.was_there() && self.gone_at.is_some() {
            Standing::Worse
        } else if self.severity > told.severity || told.gone_at.is_some() && self.was_there() {
            Standing::Better
        } else {
            Standing::Same
        }
    }
}

#[cfg(test)]
mod tests;
