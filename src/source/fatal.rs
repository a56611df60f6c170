//! Errors that retrying does not help: the feed stops and says what happened, why, and what to do.

use std::fmt;

/// Why a feed stopped early.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FatalError {
    pub kind: FatalKind,
    /// The source as the user gave it.
    pub origin: String,
    /// What the service or the operating system said, on one line. Not this program's text: escape it
    /// before showing.
    pub detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FatalKind {
    /// The default credential chain found no credentials.
    NoCredentials,
    /// Unknown access key, or wrong secret.
    BadCredentials,
    /// This machine's clock is off by more than the quarter of an hour for which signatures are valid.
    ClockSkewed,
    /// The session has expired, and the credential chain has no newer one.
    ExpiredCredentials,
    NoSuchBucket,
    /// `s3:ListBucket` is missing.
    ListDenied,
    /// `s3:GetObject` is missing for every object that was tried.
    GetDenied,
    /// `kms:Decrypt` is missing, or the key is unusable.
    KmsDenied,
    /// The endpoint does not answer.
    Unreachable,
    /// The endpoint answers, but fails or throttles every request.
    Unavailable,
    /// The bucket is in another region, which could not be determined.
    OtherRegion,
    /// The service refuses the request itself, or gives an answer that S3 would not give.
    Refused,
    /// This machine lacks something (threads, certificates).
    Local,
}

impl FatalKind {
    /// Whether it arises during a run and passes: then what was read before it is a partial result, and the
    /// run counts.
    pub const fn comes_up_on_the_way(self) -> bool {
        matches!(self, Self::ExpiredCredentials | Self::Unreachable | Self::Unavailable)
    }
}

impl FatalError {
    /// What happened, in one sentence without a full stop.
    pub fn what(&self) -> String {
        let origin = &self.origin;
        match self.kind {
            FatalKind::NoCredentials => format!("no AWS credentials found to read {origin}"),
            FatalKind::BadCredentials => format!("AWS does not accept the credentials for {origin}"),
            FatalKind::ClockSkewed => format!("this machine's clock is too far off to read {origin}"),
            FatalKind::ExpiredCredentials => format!("the AWS credentials expired while reading {origin}"),
            FatalKind::NoSuchBucket => format!("there is no bucket for {origin}"),
            FatalKind::ListDenied => format!("access denied: may not list {origin}"),
            FatalKind::GetDenied => {
                format!("access denied: may list {origin}, but not read any of its objects")
            }
            FatalKind::KmsDenied => format!("access denied: may not decrypt the objects of {origin}"),
            FatalKind::Unreachable => format!("cannot reach the S3 endpoint for {origin}"),
            FatalKind::Unavailable => format!("S3 keeps failing for everything in {origin}"),
            FatalKind::OtherRegion => format!("the bucket of {origin} is in another region"),
            FatalKind::Refused => format!("S3 refuses to serve {origin}"),
            FatalKind::Local => format!("cannot start reading {origin}"),
        }
    }

    /// What to do about it.
    pub const fn advice(&self) -> &'static str {
        match self.kind {
            FatalKind::NoCredentials => {
                "Log in (`aws sso login`), name a profile (--profile or AWS_PROFILE), or pass \
                 --no-sign-request for a public bucket."
            }
            FatalKind::BadCredentials => "Check the profile in use with `aws sts get-caller-identity`.",
            FatalKind::ClockSkewed => "Set the clock (preferably by NTP), then run the same command.",
            FatalKind::ExpiredCredentials => {
                "Log in again (`aws sso login`) or renew the session token, then run the same command."
            }
            FatalKind::NoSuchBucket => "Check the bucket's name, and the partition of the profile in use.",
            FatalKind::ListDenied => {
                "Allow the IAM action s3:ListBucket on the bucket itself (arn:aws:s3:::BUCKET, not BUCKET/*), \
                 in the role's policy and, across accounts, in the bucket's policy. A requester-pays bucket \
                 needs --request-payer."
            }
            FatalKind::GetDenied => {
                "Allow the IAM action s3:GetObject on arn:aws:s3:::BUCKET/*, and kms:Decrypt on the key if \
                 the trail encrypts with KMS; across accounts in the bucket's and the key's policy, too."
            }
            FatalKind::KmsDenied => {
                "Allow the IAM action kms:Decrypt on the trail's KMS key, in the role's policy and in the \
                 key's policy; the key must be enabled."
            }
            FatalKind::Unreachable => {
                "Check the network, --endpoint-url (or AWS_ENDPOINT_URL), AWS_REGION and proxies. Where a \
                 certificate is not trusted, name the file of its CA in AWS_CA_BUNDLE."
            }
            FatalKind::Unavailable => "Try again later; the result has only what was read.",
            FatalKind::OtherRegion => "Name the bucket's region: set AWS_REGION, or the profile's region.",
            FatalKind::Refused | FatalKind::Local => "The message above says why.",
        }
    }
}

impl fmt::Display for FatalError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}. {}", self.what(), self.detail.trim_end_matches('.'), self.advice())
    }
}

impl std::error::Error for FatalError {}
