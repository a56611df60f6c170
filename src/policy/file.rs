//! Reads a policy from a file of the user's: the policy's JSON, or the output of `aws ecr
//! get-lifecycle-policy`.

use serde_json::Value;

use super::Policy;
use super::check::{Problem, check};
use super::read;

/// The longest policy text that ECR accepts, in characters.
const TEXT_CHARS_MAX: usize = 30_720;

/// Why a file is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Not JSON; the parser's own message.
    NoJson(String),
    /// ECR would refuse the policy, or would not do what it says.
    Problems(Vec<Problem>),
}

/// Parses strictly: reports everything that ECR would refuse, all at once.
pub fn from_file(content: &str) -> Result<Policy, Refused> {
    // Windows editors put a byte order mark first.
    let content = content.trim_start_matches('\u{feff}');
    let no_json = |error: serde_json::Error| Refused::NoJson(error.to_string());
    let document: Value = serde_json::from_str(content).map_err(no_json)?;
    let (document, chars) = match &document["lifecyclePolicyText"] {
        Value::String(text) => (serde_json::from_str(text).map_err(no_json)?, text.chars().count()),
        _ => (document, content.trim().chars().count()),
    };
    let mut problems = check(&document);
    if chars > TEXT_CHARS_MAX {
        problems.push(Problem::of_all(format!(
            "it has {chars} characters, and ECR takes {TEXT_CHARS_MAX}: shorten descriptions or leave out \
             white space"
        )));
    }
    if !problems.is_empty() {
        return Err(Refused::Problems(problems));
    }
    Ok(Policy::of(document["rules"].as_array().into_iter().flatten().filter_map(read::of_text)))
}
