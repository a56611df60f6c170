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

/// The ARN partition that a region belongs to.
pub fn partition(region: &str) -> &'static str {
    match region {
        region if region.starts_with("cn-") => "aws-cn",
        region if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
