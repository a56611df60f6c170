//! Signed archives: log files, and the chains of log digest files that CloudTrail would write about them.
//! Included with `#[path]`; not every test uses all of it.
//!
//! The two keys were made for these tests and protect nothing (`openssl genpkey -algorithm RSA`, PKCS #8).
//! PKCS #1 signatures are deterministic, so the archives are, too.
#![allow(dead_code)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::{RSA_PKCS1_SHA256, RsaKeyPair};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tagfall::model::Timestamp;

pub const BUCKET: &str = "trail";

/// A key pair, and the fingerprint that identifies it.
pub struct Signer {
    pair: RsaKeyPair,
    pub fingerprint: &'static str,
}

impl Signer {
    /// AWS's key in these tests.
    pub fn aws() -> Self {
        Self {
            pair: RsaKeyPair::from_pkcs8(include_bytes!("signing-key.pk8")).unwrap(),
            fingerprint: "0f1e2d3c4b5a69788796a5b4c3d2e1f0",
        }
    }

    /// Somebody else's key.
    pub fn other() -> Self {
        Self {
            pair: RsaKeyPair::from_pkcs8(include_bytes!("other-key.pk8")).unwrap(),
            fingerprint: "ffffffffffffffffffffffffffffffff",
        }
    }

    /// The signature in hex digits.
    fn sign(&self, text: &str) -> String {
        let mut signature = vec![0; self.pair.public().modulus_len()];
        self.pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), text.as_bytes(), &mut signature).unwrap();
        hex(&signature)
    }

    /// As `aws cloudtrail list-public-keys` prints it.
    pub fn public_keys(&self) -> String {
        let key = json!({ "Value": base64(self.pair.public().as_ref()), "ValidityStartTime": 1_767_225_600.0, "ValidityEndTime": 1_798_761_600.0, "Fingerprint": self.fingerprint });
        serde_json::to_string_pretty(&json!({ "PublicKeyList": [key] })).unwrap()
    }
}

/// An object in the bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    pub bytes: Vec<u8>,
    pub metadata: BTreeMap<String, String>,
}

/// A bucket.
pub type Objects = BTreeMap<String, Stored>;

/// The trail of one account in one region.
#[derive(Debug, Clone)]
pub struct Trail {
    pub prefix: &'static str,
    /// `o-…/` for an organization's trail.
    pub organization: &'static str,
    pub account: &'static str,
    pub region: &'static str,
    pub name: &'static str,
    pub home: &'static str,
}

pub const TRAIL: Trail = Trail {
    prefix: "",
    organization: "",
    account: "111122223333",
    region: "eu-central-1",
    name: "all_events",
    home: "us-east-1",
};

/// The chain of one trail while it is being written.
pub struct Writer<'w> {
    trail: Trail,
    signer: &'w Signer,
    pub objects: Objects,
    /// Key, hash and signature of the last log digest file.
    last: Option<(String, String, String)>,
    /// Keys of the log digest files, oldest first.
    pub chain: Vec<String>,
    number: u64,
}

impl<'w> Writer<'w> {
    pub fn new(trail: Trail, signer: &'w Signer) -> Self {
        Self { trail, signer, objects: Objects::new(), last: None, chain: Vec::new(), number: 0 }
    }

    /// Delivers a log file; returns its key.
    pub fn log_file(&mut self, time: Timestamp) -> String {
        self.number += 1;
        let record = json!({ "eventVersion": "1.11", "eventTime": time.plus_seconds(-240).to_string(), "eventSource": "ecr.amazonaws.com", "eventName": "BatchGetImage", "awsRegion": self.trail.region, "recipientAccountId": self.trail.account, "eventID": format!("{}-{}-{}", self.trail.account, self.trail.region, self.number), "userAgent": "x".repeat(40) });
        let random =
            &hex(&Sha256::digest(format!("{}{}{}", self.trail.prefix, self.trail.region, self.number)))[..16];
        let Trail { prefix, organization, account, region, .. } = &self.trail;
        let key = format!(
            "{prefix}AWSLogs/{organization}{account}/CloudTrail/{region}/{}/{account}_CloudTrail_{region}_{}Z_{random}.json.gz",
            day(time),
            &stamp(time)[..13]
        );
        self.put(&key, json!({ "Records": [record] }).to_string().as_bytes(), BTreeMap::new());
        key
    }

    fn put(&mut self, key: &str, content: &[u8], metadata: BTreeMap<String, String>) {
        self.objects.insert(key.to_owned(), Stored { bytes: gzip(content), metadata });
    }

    /// Writes a log digest file about the log files `listed`.
    pub fn log_digest_file(&mut self, start: Timestamp, end: Timestamp, listed: &[String]) -> String {
        let (content, signature) = self.signed(start, end, listed, false);
        let key = self.key(end, "");
        self.put(&key, content.as_bytes(), metadata(&signature));
        self.last = Some((key.clone(), hex(&Sha256::digest(&content)), signature));
        self.chain.push(key.clone());
        key
    }

    /// Writes a backfilled log digest file for a time that already has one. It begins a new chain.
    pub fn backfill(&mut self, start: Timestamp, end: Timestamp, listed: &[String]) -> String {
        let last = self.last.take();
        let (content, signature) = self.signed(start, end, listed, true);
        self.last = last;
        let key = self.key(end, "_backfill");
        let mut metadata = metadata(&signature);
        metadata.insert("backfill-generation-timestamp".to_owned(), "2026-03-20T00:00:00.000Z".to_owned());
        self.put(&key, content.as_bytes(), metadata);
        key
    }

    /// Validation was turned off: the next log digest file begins a new chain.
    pub fn restart(&mut self) {
        self.last = None;
    }

    fn key(&self, end: Timestamp, suffix: &str) -> String {
        let Trail { prefix, organization, account, region, name, home } = &self.trail;
        format!(
            "{prefix}AWSLogs/{organization}{account}/CloudTrail-Digest/{region}/{}/{account}_CloudTrail-Digest_{region}_{name}_{home}_{}Z{suffix}.json.gz",
            day(end),
            stamp(end)
        )
    }

    fn signed(
        &self,
        start: Timestamp,
        end: Timestamp,
        listed: &[String],
        backfill: bool,
    ) -> (String, String) {
        let key = self.key(end, if backfill { "_backfill" } else { "" });
        let files: Vec<Value> = listed.iter().map(|key| {
            json!({ "s3Bucket": BUCKET, "s3Object": key, "hashValue": sha256(&gunzip(&self.objects[key].bytes)), "hashAlgorithm": "SHA-256", "newestEventTime": start.to_string(), "oldestEventTime": start.to_string() })
        }).collect();
        let last = self.last.as_ref();
        let of_last = |value: fn(&(String, String, String)) -> &String| last.map(|last| value(last).clone());
        let content = json!({
            "awsAccountId": self.trail.account, "digestStartTime": start.to_string(), "digestEndTime": end.to_string(),
            "digestS3Bucket": BUCKET, "digestS3Object": key, "digestPublicKeyFingerprint": self.signer.fingerprint,
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": if listed.is_empty() { Value::Null } else { start.to_string().into() },
            "oldestEventTime": if listed.is_empty() { Value::Null } else { start.to_string().into() },
            "previousDigestS3Bucket": last.map(|_| BUCKET), "previousDigestS3Object": of_last(|last| &last.0),
            "previousDigestHashValue": of_last(|last| &last.1), "previousDigestHashAlgorithm": last.map(|_| "SHA-256"),
            "previousDigestSignature": of_last(|last| &last.2), "logFiles": files,
        })
        .to_string();
        let before = last.map_or("null", |last| &last.2);
        let signature =
            self.signer.sign(&format!("{end}\n{BUCKET}/{key}\n{}\n{before}", sha256(content.as_bytes())));
        (content, signature)
    }
}

/// Signs a log digest file again with another key, possibly after it was changed.
pub fn sign_again(stored: &mut Stored, key: &str, signer: &Signer) {
    let content = gunzip(&stored.bytes);
    let value: Value = serde_json::from_slice(&content).unwrap();
    let before = value["previousDigestSignature"].as_str().unwrap_or("null");
    let text = format!(
        "{}\n{BUCKET}/{key}\n{}\n{before}",
        value["digestEndTime"].as_str().unwrap(),
        sha256(&content)
    );
    stored.metadata.insert("signature".to_owned(), signer.sign(&text));
}

fn metadata(signature: &str) -> BTreeMap<String, String> {
    [("signature", signature), ("signature-algorithm", "SHA256withRSA")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

/// `hours` from 09:00:49 on, each with log files `per_hour` (and none in the second hour).
pub fn hours<'w>(trail: Trail, signer: &'w Signer, hours: i64, per_hour: i64) -> Writer<'w> {
    let mut writer = Writer::new(trail, signer);
    for hour in 0..hours {
        let (start, end) = (at(hour), at(hour + 1));
        let number = if hour == 1 { 0 } else { per_hour };
        let listed: Vec<String> =
            (0..number).map(|file| writer.log_file(start.plus_seconds(300 + file * 300))).collect();
        writer.log_digest_file(start, end, &listed);
    }
    writer
}

/// This many hours after 2026-03-02T09:00:49Z.
pub fn at(hour: i64) -> Timestamp {
    Timestamp::parse("2026-03-02T09:00:49Z").unwrap().plus_seconds(hour * 3600)
}

/// Writes the bytes of a bucket to a folder; metadata is lost on the way, as in any copy.
pub fn write(objects: &Objects, folder: &Path) {
    for (key, stored) in objects {
        let path = folder.join(key);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, &stored.bytes).unwrap();
    }
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    gzip_at(bytes, 6)
}

pub fn gzip_at(bytes: &[u8], level: u32) -> Vec<u8> {
    let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    out.write_all(bytes).unwrap();
    out.finish().unwrap()
}

pub fn gunzip(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(bytes), &mut out).unwrap();
    out
}

pub fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// `2026/03/02`.
fn day(time: Timestamp) -> String {
    time.to_string()[..10].replace('-', "/")
}

/// `20260302T090049`.
fn stamp(time: Timestamp) -> String {
    time.to_string().trim_end_matches('Z').replace(['-', ':'], "")
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let number =
            chunk.iter().fold(0u32, |sum, byte| sum << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = LETTERS[(number >> (18 - 6 * place) & 63) as usize];
            text.push(if place > chunk.len() { '=' } else { char::from(letter) });
        }
    }
    text
}
