//! A digest of which only the first digits were given: completed if exactly one image matches.

use std::collections::BTreeSet;

use super::{Case, absent, sentence};
use crate::explain::Question;
use crate::model::{Cause, Digest, Verdict};
use crate::timeline::RepositoryHistory;

/// Maximum number of matching digests that are named.
const NAMED_MAX: usize = 5;

/// The question with the complete digest, or a verdict that the digits do not identify one image.
pub fn completed(case: Case<'_>, digits: &str) -> Result<Question, Box<Verdict>> {
    // Digests in the repository in question take precedence; the same digits elsewhere may show that the
    // registry is wrong.
    let mut found = beginning(case, digits, |repository| case.fits(repository));
    if found.is_empty() {
        found = beginning(case, digits, |_| true);
    }
    match found.first() {
        Some(&digest) if found.len() == 1 => Ok(case.question.with_digest(digest)),
        _ => Err(Box::new(undecided(case, digits, &found))),
    }
}

/// The note added to a verdict about a completed digest.
pub fn note(digits: &str) -> String {
    format!(
        "The digest was cut off after {} digits: the one image in these logs that begins so was taken.",
        digits.len()
    )
}

fn beginning(case: Case<'_>, digits: &str, of: impl Fn(&RepositoryHistory) -> bool) -> BTreeSet<Digest> {
    let images = case
        .history
        .repositories()
        .iter()
        .filter(|repository| of(repository))
        .flat_map(|repository| &repository.images);
    let digests = images.filter_map(|image| case.history.digest(image.digest));
    digests
        .filter(|digest| {
            digest.to_string().strip_prefix("sha256:").is_some_and(|hex| hex.starts_with(digits))
        })
        .collect()
}

fn undecided(case: Case<'_>, digits: &str, found: &BTreeSet<Digest>) -> Verdict {
    let mut verdict = case.blank(Cause::Unknown);
    let first = if found.is_empty() {
        format!("No image in these logs has a digest that begins with sha256:{digits}.")
    } else {
        let named: Vec<String> = found.iter().take(NAMED_MAX).map(Digest::to_string).collect();
        format!(
            "{} images in these logs begin with sha256:{digits}, among them {}.",
            found.len(),
            named.join(", ")
        )
    };
    verdict.narrative = vec![
        sentence(first, Vec::new()),
        sentence(
            format!(
                "When and by what it went cannot be told without its whole digest. {}",
                absent::covered(case)
            ),
            Vec::new(),
        ),
        sentence("Why it went cannot be told either.", Vec::new()),
    ];
    verdict.unknown.push("Which image is meant: its digest is cut off.".to_owned());
    verdict.advice.push(match found.is_empty() {
        true => "Widen --since to before its push; check account, region and repository.".to_owned(),
        false => {
            "Give the digest with all its 64 hex digits (`aws ecs describe-tasks` has the whole stop reason)."
                .to_owned()
        }
    });
    verdict
}
