//! An archive on disk: the objects of a world, and what is beside them in a real bucket.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use super::clock;
use super::damage::{self, DAMAGES, Object, ObjectTruth, Outcome, WHOLE};
use super::delivery::{Delivery, Parcel};
use super::rng::Rng;
use super::world::{OWNER, World};

/// All objects of a bucket.
#[derive(Debug, Clone)]
pub struct Archive {
    pub objects: Vec<Object>,
}

impl Archive {
    /// Delivers a world; with `damaged`, some objects are damaged.
    pub fn deliver(world: &World, damaged: bool) -> Self {
        let mut rng = Rng::new(world.seed ^ 0x0d37_1f3e);
        let delivery = Delivery::any(&mut rng);
        let parcels = delivery.pack(world, &mut rng);
        let mut objects: Vec<Object> =
            parcels.iter().map(|parcel| write_one(parcel, damaged, &mut rng)).collect();
        objects.extend(neighbours(&delivery.prefix, &mut rng));
        Self { objects }
    }

    /// Writes every object below `folder`, named by its key.
    pub fn write(&self, folder: &Path) -> std::io::Result<()> {
        for object in &self.objects {
            let path = folder.join(&object.key);
            fs::create_dir_all(path.parent().unwrap_or(folder))?;
            fs::write(path, &object.bytes)?;
        }
        Ok(())
    }

    pub fn count(&self, outcome: Outcome) -> usize {
        self.objects.iter().filter(|object| object.truth.outcome == outcome).count()
    }

    /// Number of readable records, including duplicates.
    pub fn readable(&self) -> usize {
        self.objects.iter().map(|object| object.truth.readable.len()).sum()
    }
}

fn write_one(parcel: &Parcel, damaged: bool, rng: &mut Rng) -> Object {
    let kind = match rng.range(0, 100) {
        0..12 if damaged => *rng.pick(DAMAGES),
        0..70 => WHOLE[0],
        _ => *rng.pick(WHOLE),
    };
    damage::write(parcel, kind, rng)
}

/// Objects that contain events of other kinds, or none.
fn neighbours(prefix: &str, rng: &mut Rng) -> Vec<Object> {
    let (region, day, stamp) =
        ("eu-central-1", clock::day_folder(clock::BEGIN), clock::name_stamp(clock::BEGIN));
    let base = format!("{prefix}AWSLogs/{OWNER}");
    let mut object = |kind: &str, value: &Value, outcome, damage| {
        let key =
            format!("{base}/{kind}/{region}/{day}/{OWNER}_{kind}_{region}_{stamp}_{}.json.gz", rng.word(16));
        let truth =
            ObjectTruth { outcome, readable: Vec::new(), unreadable: Vec::new(), lost: Vec::new(), damage };
        Object { key, bytes: damage::gzip(value.to_string().as_bytes()), truth }
    };
    vec![
        object("CloudTrail", &json!({"Records": []}), Outcome::Read, "no_records"),
        object("CloudTrail-Digest", &log_digest_file(), Outcome::Skipped, "log_digest_file"),
        object("CloudTrail-Insight", &json!({"Records": [insight()]}), Outcome::Skipped, "insight"),
    ]
}

fn log_digest_file() -> Value {
    json!({
        "awsAccountId": OWNER, "digestStartTime": "2026-03-02T00:00:00Z", "digestEndTime": "2026-03-02T01:00:00Z", "digestS3Bucket": "alice-bucket",
        "digestS3Object": "AWSLogs/111122223333/CloudTrail-Digest/eu-central-1/2026/03/02/x.json.gz", "digestPublicKeyFingerprint": "47aaa19f7eec22e9bd0b5e58cfade8cb",
        "digestSignatureAlgorithm": "SHA256withRSA", "newestEventTime": null, "oldestEventTime": null, "previousDigestS3Bucket": null,
        "previousDigestS3Object": null, "previousDigestHashValue": null, "previousDigestHashAlgorithm": null, "previousDigestSignature": null, "logFiles": [],
    })
}

fn insight() -> Value {
    json!({
        "eventVersion": "1.07", "eventTime": "2026-03-02T00:30:00Z", "awsRegion": "eu-central-1", "eventID": "41ed77ca-d659-b45a-8e9a-74e504300007",
        "eventType": "AwsCloudTrailInsight", "recipientAccountId": OWNER, "sharedEventID": "e672c2b1-e71a-4779-f96c-02da7bb30d2e",
        "insightDetails": {"state": "End", "eventSource": "ecr.amazonaws.com", "eventName": "PutImage", "insightType": "ApiCallRateInsight"}, "eventCategory": "Insight",
    })
}
