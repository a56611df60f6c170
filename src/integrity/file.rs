//! One log digest file: what it says about itself, about its predecessor, and about the log files of its
//! hour.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use super::name::{self, Trail};
use crate::model::{Sha256, Timestamp};

/// The parts of a log digest file that are needed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogDigestFile {
    pub trail: Trail,
    pub start: Timestamp,
    pub end: Timestamp,
    /// The text as it is in the file, because the signature covers it letter by letter.
    pub end_text: Box<str>,
    pub bucket: Box<str>,
    pub object: Box<str>,
    pub fingerprint: Box<str>,
    /// `None` in a starting file.
    pub previous: Option<Previous>,
    pub files: Vec<Listed>,
    /// Of its own uncompressed content.
    pub sha256: Sha256,
    pub backfill: bool,
}

/// What a log digest file says about the previous one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Previous {
    pub bucket: Box<str>,
    pub object: Box<str>,
    /// `None` if it is not a SHA-256.
    pub sha256: Option<Sha256>,
    /// Hex digits.
    pub signature: Option<Box<str>>,
}

/// A log file in the list of a log digest file. Paths of folders are shared, as they repeat from entry to
/// entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub bucket: Arc<str>,
    pub folder: Arc<str>,
    pub name: Box<str>,
    pub sha256: Option<Sha256>,
}

impl Listed {
    /// The key in S3.
    pub fn key(&self) -> String {
        format!("{}{}", self.folder, self.name)
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Text<'t> {
    #[serde(borrow)]
    aws_account_id: Option<Cow<'t, str>>,
    #[serde(borrow)]
    digest_start_time: Cow<'t, str>,
    #[serde(borrow)]
    digest_end_time: Cow<'t, str>,
    #[serde(borrow)]
    digest_s3_bucket: Cow<'t, str>,
    #[serde(borrow)]
    digest_s3_object: Cow<'t, str>,
    #[serde(borrow)]
    digest_public_key_fingerprint: Option<Cow<'t, str>>,
    #[serde(borrow)]
    previous_digest_s3_bucket: Option<Cow<'t, str>>,
    #[serde(borrow)]
    previous_digest_s3_object: Option<Cow<'t, str>>,
    #[serde(borrow)]
    previous_digest_hash_value: Option<Cow<'t, str>>,
    #[serde(borrow)]
    previous_digest_hash_algorithm: Option<Cow<'t, str>>,
    #[serde(borrow)]
    previous_digest_signature: Option<Cow<'t, str>>,
    #[serde(borrow)]
    log_files: Vec<FileText<'t>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct FileText<'t> {
    #[serde(borrow)]
    s3_bucket: Cow<'t, str>,
    #[serde(borrow)]
    s3_object: Cow<'t, str>,
    #[serde(borrow)]
    hash_value: Cow<'t, str>,
    #[serde(borrow)]
    hash_algorithm: Option<Cow<'t, str>>,
}

impl LogDigestFile {
    /// Whether it is worth parsing `text` as a log digest file: it begins with the fields of one, not with
    /// records.
    pub fn looks_like(text: &[u8]) -> bool {
        const HEAD_BYTES: usize = 4096;
        let head = text.get(..HEAD_BYTES).unwrap_or(text);
        memchr::memmem::find(head, b"\"digestS3Object\"").is_some()
            && !text.get(..64).unwrap_or(text).windows(9).any(|part| part == b"\"Records\"")
    }

    /// Parses a log digest file; an error says why `text` is not one.
    pub fn parse(text: &[u8], sha256: Sha256) -> Result<Self, String> {
        let text: Text<'_> = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        let time = |text: &str| Timestamp::parse(text).ok_or_else(|| "a time in it is none".to_owned());
        let file_name = name::file_name(&text.digest_s3_object);
        let unnamed = || Trail {
            account: text.aws_account_id.as_deref().unwrap_or_default().to_owned(),
            ..Trail::default()
        };
        let mut folders = Folders::default();
        Ok(Self {
            trail: Trail::of(file_name).unwrap_or_else(unnamed),
            start: time(&text.digest_start_time)?,
            end: time(&text.digest_end_time)?,
            end_text: text.digest_end_time.as_ref().into(),
            bucket: text.digest_s3_bucket.as_ref().into(),
            object: text.digest_s3_object.as_ref().into(),
            fingerprint: text.digest_public_key_fingerprint.as_deref().unwrap_or_default().into(),
            previous: previous(&text),
            files: text.log_files.iter().map(|file| folders.listed(file)).collect(),
            sha256,
            backfill: name::is_backfill(file_name),
        })
    }
}

fn previous(text: &Text<'_>) -> Option<Previous> {
    let object = text.previous_digest_s3_object.as_deref()?;
    Some(Previous {
        bucket: text.previous_digest_s3_bucket.as_deref().unwrap_or_default().into(),
        object: object.into(),
        sha256: sha256(
            text.previous_digest_hash_value.as_deref().unwrap_or_default(),
            text.previous_digest_hash_algorithm.as_deref(),
        ),
        signature: text.previous_digest_signature.as_deref().map(Into::into),
    })
}

/// A hash by another algorithm cannot be compared.
fn sha256(hex: &str, algorithm: Option<&str>) -> Option<Sha256> {
    algorithm.is_none_or(|algorithm| algorithm.eq_ignore_ascii_case("SHA-256")).then(|| Sha256::parse(hex))?
}

/// The last folder and bucket, which are mostly those of the next entry as well.
#[derive(Default)]
struct Folders {
    folder: Arc<str>,
    bucket: Arc<str>,
}

impl Folders {
    fn listed(&mut self, file: &FileText<'_>) -> Listed {
        let name = name::file_name(&file.s3_object);
        let folder = file.s3_object.get(..file.s3_object.len() - name.len()).unwrap_or_default();
        if &*self.folder != folder {
            self.folder = folder.into();
        }
        if *self.bucket != *file.s3_bucket {
            self.bucket = file.s3_bucket.as_ref().into();
        }
        Listed {
            bucket: Arc::clone(&self.bucket),
            folder: Arc::clone(&self.folder),
            name: name.into(),
            sha256: sha256(&file.hash_value, file.hash_algorithm.as_deref()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{"awsAccountId":"111122223333","digestStartTime":"2026-03-02T18:36:49Z","digestEndTime":"2026-03-02T19:36:49Z","digestS3Bucket":"b","digestS3Object":"p/AWSLogs/111122223333/CloudTrail-Digest/eu-west-1/2026/03/02/111122223333_CloudTrail-Digest_eu-west-1_t_us-east-1_20260302T193649Z.json.gz","digestPublicKeyFingerprint":"f","digestSignatureAlgorithm":"SHA256withRSA","newestEventTime":null,"oldestEventTime":null,"previousDigestS3Bucket":null,"previousDigestS3Object":null,"previousDigestHashValue":null,"previousDigestHashAlgorithm":null,"previousDigestSignature":null,"logFiles":[{"s3Bucket":"b","s3Object":"p/AWSLogs/x.json.gz","hashValue":"00","hashAlgorithm":"SHA-256"}]}"#;

    #[test]
    fn a_starting_file_has_no_predecessor_and_a_hash_that_is_none_is_kept_as_none() {
        let file = LogDigestFile::parse(TEXT.as_bytes(), Sha256([0; 32])).unwrap();
        assert_eq!(
            (file.previous, file.trail.home_region.as_str(), file.backfill),
            (None, "us-east-1", false)
        );
        assert_eq!((file.files[0].key().as_str(), file.files[0].sha256), ("p/AWSLogs/x.json.gz", None));
    }

    #[test]
    fn records_are_no_log_digest_file() {
        assert!(LogDigestFile::looks_like(TEXT.as_bytes()));
        assert!(!LogDigestFile::looks_like(br#"{"Records":[{"requestParameters":{"digestS3Object":"x"}}]}"#));
        assert!(LogDigestFile::parse(br#"{"Records":[],"digestS3Object":"x"}"#, Sha256([0; 32])).is_err());
    }
}
