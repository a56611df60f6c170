//! The image that `rescue` and `fate` are asked about: given directly, or by the id of a finding.

use super::gather::Run;
use super::options::Common;
use crate::detect;
use crate::explain::Question;
use crate::failure::Failure;
use crate::model::{Digest, Finding};

/// Number of hex digits in the id of a finding, without the suffix for repeated losses.
const ID_DIGITS: usize = 16;

pub enum Asked {
    Image(Box<Question>),
    /// The id of a finding.
    Finding(String),
}

impl Asked {
    /// Parses the argument of the command line.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if is_id(text) {
            return Ok(Self::Finding(text.to_owned()));
        }
        let nothing = || {
            Failure::new(format!("{text:?} contains no image reference, digest or id of a finding")).advise(
                "give REPOSITORY:TAG, REPOSITORY@sha256:…, a digest, the whole error line in quotes, or the \
                 id that detect prints",
            )
        };
        Question::parse(text).map(|question| Self::Image(Box::new(question))).ok_or_else(nothing)
    }

    /// Calls one of the functions, for a question or for the finding with the given id.
    pub fn answer<T>(
        &self,
        run: &Run<'_>,
        common: &Common,
        by_question: impl FnOnce(&Question) -> Option<T>,
        by_finding: impl FnOnce(&Finding) -> Option<T>,
    ) -> Result<T, Failure> {
        let id = match self {
            Self::Image(question) => {
                return by_question(question).ok_or_else(|| not_known(&question.to_text()));
            }
            Self::Finding(id) => id,
        };
        let findings = detect::findings(&run.evidence.history, common.settings());
        let Some(finding) = findings.iter().find(|finding| finding.id == *id) else {
            return Err(Failure::new(format!("no finding has the id {id}"))
                .because("these sources, with these filters, do not produce it")
                .advise("take an id that detect prints for the same sources, or name the image itself"));
        };
        by_finding(finding).ok_or_else(|| {
            Failure::new(format!("finding {id} is about a tag, and no image of it is known"))
                .advise("name the image itself: REPOSITORY@sha256:…")
        })
    }
}

fn not_known(reference: &str) -> Failure {
    let failure = Failure::new(format!("these sources do not show which image {reference:?} is"));
    let (because, missing) = if Digest::parse(reference).is_some() {
        ("the digest does not occur in them", "")
    } else {
        ("its repository does not occur in them, or its tag does not", "the digest, and ")
    };
    failure
        .because(because)
        .advise(format!("give {missing}logs or snapshots of the account and region that own the repository"))
}

/// Whether the text has the form of a finding's id: `1e6aa6eb9a2ecaf3`, `1e6aa6eb9a2ecaf3-2`.
fn is_id(text: &str) -> bool {
    let (id, number) = text.split_once('-').unwrap_or((text, "1"));
    let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    id.len() == ID_DIGITS && id.bytes().all(hex) && number.bytes().all(|byte| byte.is_ascii_digit())
}
