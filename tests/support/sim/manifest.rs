//! Manifests, with digests that are their real SHA-256.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::rng::Rng;

pub const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";

/// A manifest to be pushed: the exact text, its digest, and the digests that it lists.
#[derive(Debug, Clone)]
pub struct Manifest {
    pub text: String,
    pub digest: String,
    pub media_type: &'static str,
    pub children: Vec<String>,
    pub layers: Vec<String>,
    /// The subject of an artifact.
    pub subject: Option<String>,
}

pub fn sha256(text: &str) -> String {
    let hash = Sha256::digest(text.as_bytes());
    let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn finish(value: &Value, media_type: &'static str, children: Vec<String>, layers: Vec<String>) -> Manifest {
    let text = serde_json::to_string_pretty(value).expect("a value has a text");
    Manifest { digest: sha256(&text), text, media_type, children, layers, subject: None }
}

/// A single image; every build gives a different one, as with provenance that contains the time.
pub fn image(rng: &mut Rng) -> Manifest {
    let media_type = if rng.chance(70) { OCI_MANIFEST } else { DOCKER_MANIFEST };
    let layers: Vec<String> = (0..rng.range(1, 3)).map(|_| format!("sha256:{}", rng.hex(64))).collect();
    let entries: Vec<Value> = layers
        .iter()
        .map(|digest| json!({"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": digest, "size": rng.range(1_000, 90_000)}))
        .collect();
    let config = json!({"mediaType": "application/vnd.oci.image.config.v1+json", "digest": format!("sha256:{}", rng.hex(64)), "size": 5_543});
    let value = json!({"schemaVersion": 2, "mediaType": media_type, "config": config, "layers": entries});
    finish(&value, media_type, Vec::new(), layers)
}

/// A signature of `subject`.
pub fn artifact(rng: &mut Rng, subject: &str) -> Manifest {
    let layer = format!("sha256:{}", rng.hex(64));
    let value = json!({
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": format!("sha256:{}", rng.hex(64)), "size": 2},
        "layers": [{"mediaType": "application/vnd.dev.cosign.simplesigning.v1+json", "digest": layer, "size": 240}],
        "subject": {"mediaType": OCI_MANIFEST, "digest": subject, "size": 500},
    });
    Manifest { subject: Some(subject.to_owned()), ..finish(&value, OCI_MANIFEST, Vec::new(), vec![layer]) }
}

/// An index of `children`.
pub fn index(children: &[Manifest]) -> Manifest {
    const ARCHITECTURES: [&str; 3] = ["amd64", "arm64", "unknown"];
    let entries: Vec<Value> = children
        .iter()
        .zip(ARCHITECTURES)
        .map(|(child, architecture)| {
            let os = if architecture == "unknown" { "unknown" } else { "linux" };
            json!({"mediaType": child.media_type, "digest": child.digest, "size": child.text.len(), "platform": {"architecture": architecture, "os": os}})
        })
        .collect();
    let value = json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries});
    finish(&value, OCI_INDEX, children.iter().map(|child| child.digest.clone()).collect(), Vec::new())
}
