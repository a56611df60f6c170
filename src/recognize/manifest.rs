//! What a manifest says about its image: media type, children, platforms, layers.

mod plain;

use std::borrow::Cow;

use crate::model::{ImageDescription, Layer, ManifestKind};

use super::image::digest;
use super::json::Json;
use super::manifest_removal::STAND_IN;
use super::parse::Parser;

const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
const DOCKER_MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

/// Common media types; a manifest with one of these costs no allocation for it.
const KNOWN: &[&str] = &[OCI_MANIFEST, OCI_INDEX, DOCKER_MANIFEST, DOCKER_LIST];

/// Reads the manifests of one record.
pub(super) struct Manifests<'r> {
    parser: &'r mut Parser,
    /// The manifest that was removed from the record's text before parsing.
    cut_out: Option<&'r str>,
}

impl<'r> Manifests<'r> {
    pub(super) const fn new(parser: &'r mut Parser, cut_out: Option<&'r str>) -> Self {
        Self { parser, cut_out }
    }

    /// The text of the manifest in `place`.
    pub(super) fn text(&self, place: Json<'r>) -> Option<&'r str> {
        let said = place.text("imageManifest")?;
        Some(self.cut_out.filter(|_| said == STAND_IN).unwrap_or(said))
    }

    /// Whether a text is a manifest, and not a part of one.
    pub(super) fn is_whole(&mut self, manifest: &str) -> bool {
        plain::read(manifest).is_some() || read_by_tape(manifest, self.parser).is_some()
    }

    /// Describes the image of `manifest`. `stated` is the media type in the call itself, which takes
    /// precedence. `None` if there is neither a readable manifest nor a media type.
    pub(super) fn describe(
        &mut self,
        manifest: Option<&str>,
        stated: Option<&'r str>,
    ) -> Option<ImageDescription<'r>> {
        match manifest.and_then(|text| plain::read(text).or_else(|| read_by_tape(text, self.parser))) {
            Some(mut image) => {
                image.media_type = stated.map(Cow::Borrowed).or(image.media_type);
                image.kind = image.media_type.as_deref().and_then(kind_of).unwrap_or(image.kind);
                Some(image)
            }
            None => stated.map(|media_type| ImageDescription {
                media_type: Some(Cow::Borrowed(media_type)),
                kind: kind_of(media_type).unwrap_or(ManifestKind::Image),
                children: Vec::new(),
                platforms: Vec::new(),
                subject: None,
                layers: Vec::new(),
            }),
        }
    }
}

/// Reads any manifest, however it is written, with the full parser.
fn read_by_tape(text: &str, parser: &mut Parser) -> Option<ImageDescription<'static>> {
    parser.parse(text, |root| root.is_object().then(|| read(root))).ok().flatten()
}

/// The result borrows nothing from the manifest, whose buffer is not the record's.
fn read(root: Json<'_>) -> ImageDescription<'static> {
    let layer =
        |entry: Json<'_>| Some(Layer { digest: digest(entry, "digest")?, size: entry.get("size").as_size() });
    let listed = || {
        root.get("manifests")
            .items()
            .filter_map(|entry| Some((digest(entry, "digest")?, entry.get("platform"))))
    };
    let children = listed().map(|(digest, _)| digest).collect();
    let platforms = listed()
        .map(|(_, of)| platform([of.text("os"), of.text("architecture"), of.text("variant")]))
        .collect();
    let layers =
        layer(root.get("config")).into_iter().chain(root.get("layers").items().filter_map(layer)).collect();
    ImageDescription {
        media_type: root.text("mediaType").map(keep),
        kind: if root.get("manifests").is_array() { ManifestKind::Index } else { ManifestKind::Image },
        children,
        platforms,
        subject: digest(root.get("subject"), "digest"),
        layers,
    }
}

/// `linux/arm/v7`; `None` for entries that run nowhere, such as attestations, which BuildKit lists as
/// `unknown/unknown`.
fn platform([os, architecture, variant]: [Option<&str>; 3]) -> Option<String> {
    let (os, architecture) = (os?, architecture?);
    let known = os != "unknown" && architecture != "unknown";
    let variant = variant.map(|variant| format!("/{variant}")).unwrap_or_default();
    known.then(|| format!("{os}/{architecture}{variant}"))
}

fn keep(media_type: &str) -> Cow<'static, str> {
    KNOWN
        .iter()
        .find(|known| **known == media_type)
        .map_or_else(|| Cow::Owned(media_type.to_owned()), |known| Cow::Borrowed(*known))
}

/// `None` for a media type that says neither.
fn kind_of(media_type: &str) -> Option<ManifestKind> {
    match media_type {
        OCI_INDEX | DOCKER_LIST => Some(ManifestKind::Index),
        OCI_MANIFEST | DOCKER_MANIFEST => Some(ManifestKind::Image),
        _ => None,
    }
}
