//! One reference → a verdict.

use crate::model::{Coverage, Digest, Finding, ImageReference, Verdict};
use crate::timeline::History;

/// What the user asks about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A reference into a registry, found in an error message or given bare.
    Reference(ImageReference),
    /// `repo:tag`, `repo@sha256:…` or `repo:tag@sha256:…` without a registry.
    Name { repository: String, tag: Option<String>, digest: Option<Digest> },
    /// A digest alone.
    Digest(Digest),
}

impl Question {
    /// Understands a pasted error line, an image reference, or a digest. `None`: none of these is in `text`.
    pub fn parse(text: &str) -> Option<Self> {
        let _ = text;
        None
    }
}

/// Why the reference does not resolve, as far as the logs tell.
pub fn explain(question: &Question, history: &History, findings: &[Finding], coverage: &Coverage) -> Verdict {
    let _ = (question, history, findings, coverage);
    unreachable!()
}
