//! What a manifest says about its image.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem::Finder;

use crate::model::{Digest, ImageDescription, ManifestKind};

use super::image::digest;
use super::json::Json;
use super::parse::Parser;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// The media types in use; a manifest that states one of them itself costs no allocation.
const KNOWN: &[&str] = &[OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// Describes the image of `manifest`. `stated` is the media type that the call gives beside it, which comes first. `None`
/// if there is neither a readable manifest nor a media type.
pub(super) fn describe<'r>(manifest: Option<&str>, stated: Option<&'r str>, parser: &mut Parser) -> Option<ImageDescription<'r>> {
    let read = manifest.and_then(|text| parser.parse(text, |root| root.is_object().then(|| read(root))).ok().flatten());
    match read {
        Some(mut image) => {
            image.media_type = stated.map(Cow::Borrowed).or(image.media_type);
            image.kind = image.media_type.as_deref().and_then(kind_of).unwrap_or(image.kind);
            Some(image)
        }
        None => stated.map(|media_type| ImageDescription {
            media_type: Some(Cow::Borrowed(media_type)),
            kind: kind_of(media_type).unwrap_or(ManifestKind::Image),
            children: Vec::new(),
            subject: None,
            layers: Vec::new(),
        }),
    }
}

/// Finds the manifest that a record says a second time.
pub(super) struct SecondCopy {
    key: Finder<'static>,
    end: Finder<'static>,
}

impl SecondCopy {
    const KEY: &[u8] = b"\"imageManifest\":\"";
    /// A quote that ends a string, and the next key: inside a string, the second quote would have a backslash before it.
    const END: &[u8] = b"\",\"";

    /// Where a record says its manifest a second time. `PutImage` has it in request and response, escaped, and it is most of
    /// the record: parsing it once is enough, for whoever asks for it takes either. `None` where the two differ, or where it
    /// is not plain to see where they end.
    pub(super) fn find(&self, record: &str) -> Option<Range<usize>> {
        let text = record.as_bytes();
        let first = self.key.find(text)? + Self::KEY.len();
        let behind = text.get(first..)?;
        let manifest = behind.get(..self.end.find(behind)?)?;
        let second = first + manifest.len() + self.key.find(behind.get(manifest.len()..)?)? + Self::KEY.len();
        let end = second + manifest.len();
        let same = text.get(second..end) == Some(manifest) && text.get(end) == Some(&b'"');
        (same && is_inside_one_string(manifest)).then_some(second..end)
    }
}

impl Default for SecondCopy {
    fn default() -> Self {
        Self { key: Finder::new(Self::KEY), end: Finder::new(Self::END) }
    }
}

/// Whether all quotes are escaped. Says no where an escaped backslash makes that hard to tell.
fn is_inside_one_string(text: &[u8]) -> bool {
    // Without a way out in the middle and without a question, so that the compiler can look at many bytes at once.
    let odd = |before: u8, byte: u8| (byte == b'"') & (before != b'\\') | (byte == b'\\') & (before == b'\\');
    let pairs = text.iter().zip(text.get(1..).unwrap_or_default());
    !text.starts_with(b"\"") && pairs.fold(0, |found, (&before, &byte)| found | u8::from(odd(before, byte))) == 0
}

/// Nothing in the result borrows from the manifest: its buffer is another one than the record's.
fn read(root: Json<'_>) -> ImageDescription<'static> {
    let digests = |list: Json<'_>| list.items().filter_map(|entry| digest(entry, "digest")).collect::<Vec<Digest>>();
    let children = digests(root.get("manifests"));
    let layers = digest(root.get("config"), "digest").into_iter().chain(digests(root.get("layers"))).collect();
    ImageDescription {
        media_type: root.text("mediaType").map(keep),
        kind: if root.get("manifests").is_array() { ManifestKind::Index } else { ManifestKind::Image },
        children,
        subject: digest(root.get("subject"), "digest"),
        layers,
    }
}

fn keep(media_type: &str) -> Cow<'static, str> {
    KNOWN.iter().find(|known| **known == media_type).map_or_else(|| Cow::Owned(media_type.to_owned()), |known| Cow::Borrowed(*known))
}

/// `None` for a media type that tells neither.
fn kind_of(media_type: &str) -> Option<ManifestKind> {
    match media_type {
        OCI_INDEX | DOCKER_LIST => Some(ManifestKind::Index),
        OCI_MANIFEST | DOCKER_MANIFEST => Some(ManifestKind::Image),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(first: &str, second: &str) -> String {
        format!(
            r#"{{"requestParameters":{{"imageManifest":"{first}","imageTag":"v1"}},"responseElements":{{"image":{{"imageManifest":"{second}"}}}}}}"#
        )
    }

    fn without_second(record: &str) -> Option<String> {
        let copy = SecondCopy::default().find(record)?;
        Some([&record[..copy.start], &record[copy.end..]].concat())
    }

    #[test]
    fn a_manifest_that_is_said_twice_is_parsed_once() {
        let manifest = r#"{\n \"a\":\"b\",\"c\":[\"d\"]}"#;
        assert_eq!(without_second(&record(manifest, manifest)), Some(record(manifest, "")));
    }

    #[test]
    fn what_differs_or_is_not_plain_is_left_alone() {
        let manifest = r#"{\"a\":1}"#;
        assert_eq!(SecondCopy::default().find(&record(manifest, r#"{\"a\":2}"#)), None);
        assert_eq!(SecondCopy::default().find(&record(manifest, r#"{\"a\":1} "#)), None);
        // It ends with a backslash: its last quote looks escaped and is not.
        assert_eq!(SecondCopy::default().find(&record(r"a\\", r"a\\")), None);
        assert_eq!(SecondCopy::default().find(r#"{"imageManifest":"x","b":"y"}"#), None);
        // The first is the last of its object: where `","` comes, other keys have gone by.
        let last = r#"{"r":{"imageManifest":"x"},"s":{"imageManifest":"x"},"t":"","u":""}"#;
        assert_eq!(SecondCopy::default().find(last), None);
    }
}
