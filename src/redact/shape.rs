//! Tells the kind of a text by its form, where nothing else does.

use std::net::IpAddr;

pub fn is_account(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

pub fn is_address(text: &str) -> bool {
    text.parse::<IpAddr>().is_ok()
}

/// An AWS service or AWS itself as a caller: `ecs.amazonaws.com`, `AWS Internal`, `aws.ecs`.
pub fn is_aws(text: &str) -> bool {
    let service = text
        .strip_suffix(".amazonaws.com")
        .or_else(|| text.strip_suffix(".amazonaws.com.cn"))
        .or_else(|| text.strip_prefix("aws."));
    let is_plain = |name: &str| {
        !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'.'))
            && name.len() < 40
    };
    service.is_some_and(is_plain) || matches!(text, "AWS Internal" | "AWS Service" | "AWSService")
}

/// The name that every session of GitHub Actions has by default, which identifies nobody.
pub fn is_usual_session(name: &str) -> bool {
    name == "GitHubActions"
}

pub fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts
        .next()
        .is_some_and(|part| (1..=2).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit()));
    let words = parts.clone().count();
    number
        && (2..=3).contains(&words)
        && parts
            .all(|part| (2..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

pub fn is_uuid(text: &str) -> bool {
    let groups: Vec<&str> = text.split('-').collect();
    groups.iter().map(|group| group.len()).eq([8, 4, 4, 4, 12])
        && groups.iter().all(|group| group.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

/// CamelCase, as CloudTrail and EventBridge name events: `PutImage`, `ECS Task State Change`.
pub fn is_event_name(text: &str) -> bool {
    is_call(text)
        || text.len() < 60
            && text.starts_with(|first: char| first.is_ascii_uppercase())
            && text.bytes().all(|byte| byte.is_ascii_alphabetic() || byte == b' ')
}

/// `describe-images`, `kubectl get`: the command that a snapshot is the output of.
fn is_call(text: &str) -> bool {
    let verb = ["describe-", "get-", "list-", "batch-get-"].iter().any(|start| text.starts_with(start));
    text == "kubectl get"
        || verb && text.len() < 60 && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-')
}

/// Common words in tags and patterns, which identify nobody.
const USUAL: &[&str] = &[
    "latest",
    "release",
    "releases",
    "rel",
    "main",
    "master",
    "trunk",
    "prod",
    "production",
    "dev",
    "develop",
    "development",
    "stage",
    "staging",
    "test",
    "testing",
    "qa",
    "uat",
    "stable",
    "edge",
    "nightly",
    "canary",
    "alpha",
    "beta",
    "rc",
    "pre",
    "preview",
    "snapshot",
    "build",
    "b",
    "v",
    "r",
    "ver",
    "version",
    "hotfix",
    "fix",
    "feature",
    "branch",
    "pr",
    "sha",
    "sha256",
    "git",
    "commit",
    "amd64",
    "arm64",
    "arm",
    "linux",
    "windows",
    "debug",
    "slim",
    "alpine",
    "cache",
    "buildcache",
    "current",
    "previous",
    "old",
    "new",
    "next",
    "tmp",
    "temp",
    "green",
    "blue",
    "t",
    "z",
    "sig",
    "att",
    "sbom",
];

/// Whether a tag, prefix or pattern may identify somebody. Numbers, commit hashes and common words do not.
pub fn is_telling(tag: &str) -> bool {
    tag.split(|letter: char| !letter.is_alphanumeric()).filter(|part| !part.is_empty()).any(|part| {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        let is_hash = part.len() >= 7
            && part.bytes().all(|byte| byte.is_ascii_hexdigit())
            && part.bytes().any(|byte| byte.is_ascii_digit());
        let word = part.trim_matches(|letter: char| letter.is_ascii_digit()).to_ascii_lowercase();
        !is_number
            && !is_hash
            && !USUAL.contains(&word.as_str())
            && !USUAL.contains(&part.to_ascii_lowercase().as_str())
            && !is_date(part)
    })
}

/// `20260302T131500Z`.
fn is_date(part: &str) -> bool {
    part.len() >= 8
        && part.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'T' | b'Z' | b't' | b'z'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_numbers_and_usual_words_tell_nothing() {
        for plain in [
            "v7",
            "latest",
            "release-2026.03.02",
            "main-a1b2c3d4",
            "1.2.3-rc1",
            "sha-0a1b2c3",
            "pr-12",
            "20260302T131500Z",
            "*",
            "release-*",
        ] {
            assert!(!is_telling(plain), "{plain}");
        }
        for telling in ["acme", "feature-acme-login", "deadbeef", "customer7", "v1-acme"] {
            assert!(is_telling(telling), "{telling}");
        }
    }

    #[test]
    fn what_aws_calls_itself_is_nobodys_name() {
        assert!(["ecs.amazonaws.com", "AWS Internal", "aws.ecs"].into_iter().all(is_aws));
        assert!(!is_aws("acme.example.amazonaws.com.evil") && !is_aws("checkout"));
        assert!(
            is_region("eu-central-1")
                && is_region("us-gov-west-1")
                && !is_region("api-7")
                && !is_region("shop-api-prod")
        );
        assert!(is_uuid("2befd7ea-d2c0-4c7b-a759-da2524ef5e0b") && !is_uuid("2befd7ea"));
    }
}
