//! The identity of a repository.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::LogText;

/// An ECR repository. The registry is the account that *owns* it, which on a cross-account call is not the
/// caller's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Repository {
    /// Twelve-digit account id of the owner.
    pub registry_id: LogText,
    /// AWS region, `eu-central-1`.
    pub region: LogText,
    /// Repository name, which may contain `/`.
    pub name: LogText,
}

/// The same, borrowed from a record.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct RepositoryRef<'r> {
    pub registry_id: Cow<'r, str>,
    pub region: Cow<'r, str>,
    pub name: Cow<'r, str>,
}

/// `us-east-1`, `us-gov-west-1`, `cn-north-1`, `eusc-de-east-1`: at least two words, then a number.
pub fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase());
    text.len() <= 32
        && (1..=2).contains(&number.len())
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && words.contains('-')
        && words.split('-').all(is_word)
}

/// The ARN partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
