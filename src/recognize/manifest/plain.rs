//! A manifest as registries and build tools write it, read without a tape.
//!
//! Of a manifest a media type and some digests are wanted. Where it is sound JSON and what is wanted is written without
//! escapes, this says what the tape would say; anything else is left to the tape.

use std::ops::Range;

use crate::decode::json::{DEPTH_MAX, Elements, Members, skip_space, skip_value_within, string_end};
use crate::model::{Digest, ImageDescription, Layer, ManifestKind};

use super::{keep, platform};

/// How deep a value may be nested whose place in the manifest is not known: four more are around it at most.
const INNER_DEPTH_MAX: u32 = DEPTH_MAX - 4;
/// About what an element of a list takes that names a digest.
const ELEMENT_BYTES: usize = 160;
/// Hex digits of a digest.
const DIGEST_DIGITS: usize = 64;
/// Longer numbers are looked at one by one.
const DIGITS_MAX: usize = 18;

/// Describes the image of the manifest `text`; `None` where that is for the tape to say.
pub(super) fn read(text: &str) -> Option<ImageDescription<'static>> {
    let reader = Reader { text, bytes: text.as_bytes() };
    let start = skip_space(reader.bytes, 0);
    let (mut media_type, mut children, mut config, mut layers, mut subject) = (None, None, None, None, None);
    let mut places: Vec<Option<Range<usize>>> = Vec::new();
    let end = reader.object(start, |key, at| {
        Some(match key {
            b"mediaType" => reader.string(at, &mut media_type)?,
            b"manifests" => reader.digests(at, &mut children, Some(&mut places))?,
            b"config" => reader.digest(at, &mut config)?,
            b"layers" => reader.digests(at, &mut layers, None)?,
            b"subject" => reader.digest(at, &mut subject)?,
            _ => reader.skip(at)?,
        })
    })?;
    if skip_space(reader.bytes, end) < reader.bytes.len() {
        return None;
    }
    let platforms = places.into_iter().map(|place| reader.platform(place)).collect::<Option<Vec<_>>>()?;
    let mut layers: Vec<Layer> = layers.unwrap_or_default();
    if let Some(config) = config.and_then(|config| config.layer()) {
        layers.insert(0, config);
    }
    let children: Option<Vec<Layer>> = children;
    Some(ImageDescription {
        media_type: media_type.and_then(|range: Range<usize>| text.get(range)).map(keep),
        kind: if children.is_some() { ManifestKind::Index } else { ManifestKind::Image },
        children: children.into_iter().flatten().map(|child| child.digest).collect(),
        platforms,
        subject: subject.and_then(|subject| subject.digest),
        layers,
    })
}

/// An object that may have a digest.
struct Element<'t> {
    digest: Option<Digest>,
    size: Option<u64>,
    /// What its text is made of around the digest's digits and those of its size, if it has both.
    shape: Option<Shape<'t>>,
    /// Where its platform stands.
    platform: Option<Range<usize>>,
}

impl Element<'_> {
    fn layer(&self) -> Option<Layer> {
        Some(Layer { digest: self.digest?, size: self.size })
    }
}

/// A text with two gaps.
struct Shape<'t> {
    before: &'t [u8],
    between: &'t [u8],
    behind: &'t [u8],
    digest_first: bool,
}

/// Every reading gives the end of the value at `at`, and puts what it says into its place: nothing, if it is of another kind.
/// Of a key that stands twice the last one counts.
#[derive(Clone, Copy)]
struct Reader<'t> {
    text: &'t str,
    bytes: &'t [u8],
}

impl<'t> Reader<'t> {
    fn is(self, at: usize, first: u8) -> bool {
        self.bytes.get(at) == Some(&first)
    }

    fn skip(self, at: usize) -> Option<usize> {
        skip_value_within(self.bytes, at, INNER_DEPTH_MAX).ok()
    }

    /// Walks the object at `at`; `member` is told each key and where its value begins, and gives its end.
    #[inline]
    fn object(self, at: usize, mut member: impl FnMut(&'t [u8], usize) -> Option<usize>) -> Option<usize> {
        self.is(at, b'{').then_some(())?;
        let mut members = Members::of(self.bytes, at);
        while let Some(found) = members.next().ok()? {
            let key = self.bytes.get(found.key).filter(|_| found.plain)?;
            members.go_on(member(key, found.value)?);
        }
        Some(members.end())
    }

    /// Where a string that is not empty stands between its quotes.
    fn string(self, at: usize, said: &mut Option<Range<usize>>) -> Option<usize> {
        *said = None;
        if !self.is(at, b'"') {
            return self.skip(at);
        }
        let (end, plain) = string_end(self.bytes, at).ok()?;
        *said = Some(at + 1..end - 1).filter(|range| !range.is_empty());
        plain.then_some(end)
    }

    /// What an object says under `digest`.
    fn digest(self, at: usize, element: &mut Option<Element<'t>>) -> Option<usize> {
        *element = None;
        if !self.is(at, b'{') {
            return self.skip(at);
        }
        let (mut said, mut size, mut platform) = (None, None, None);
        let end = self.object(at, |key, at| match key {
            b"digest" => self.string(at, &mut said),
            b"size" => {
                let end = self.skip(at)?;
                size = Some(at..end);
                Some(end)
            }
            b"platform" => {
                let end = self.skip(at)?;
                platform = Some(at..end);
                Some(end)
            }
            _ => self.skip(at),
        })?;
        let digest = said.clone().and_then(|said| Digest::parse(self.text.get(said)?));
        let written = size.clone().and_then(|size| size_of(self.bytes.get(size)?));
        let shape = digest.and(said).and_then(|said| self.shape(at..end, said.end - DIGEST_DIGITS..said.end, size?));
        *element = Some(Element { digest, size: written, shape, platform });
        Some(end)
    }

    /// The shape of the element at `whole`, with its digest's digits at `digest` and its size at `size`.
    fn shape(self, whole: Range<usize>, digest: Range<usize>, size: Range<usize>) -> Option<Shape<'t>> {
        number(self.bytes.get(size.clone())?).filter(|&length| length == size.len())?;
        let digest_first = digest.start < size.start;
        let (first, second) = if digest_first { (digest, size) } else { (size, digest) };
        let (before, between, behind) = (whole.start..first.start, first.end..second.start, second.end..whole.end);
        Some(Shape { before: self.bytes.get(before)?, between: self.bytes.get(between)?, behind: self.bytes.get(behind)?, digest_first })
    }

    /// What the object at `place` says of a platform; the outer option is for the tape.
    fn platform(self, place: Option<Range<usize>>) -> Option<Option<String>> {
        let Some(place) = place.filter(|place| self.is(place.start, b'{')) else { return Some(None) };
        let mut said: [Option<Range<usize>>; 3] = [None, None, None];
        self.object(place.start, |key, at| match key {
            b"os" => self.string(at, &mut said[0]),
            b"architecture" => self.string(at, &mut said[1]),
            b"variant" => self.string(at, &mut said[2]),
            _ => self.skip(at),
        })?;
        Some(platform(said.map(|range| self.text.get(range?))))
    }

    /// The same of each element of a list.
    fn digests(self, at: usize, digests: &mut Option<Vec<Layer>>, mut platforms: Option<&mut Vec<Option<Range<usize>>>>) -> Option<usize> {
        *digests = None;
        if let Some(platforms) = &mut platforms {
            platforms.clear();
        }
        if !self.is(at, b'[') {
            return self.skip(at);
        }
        let mut list = Vec::with_capacity((self.bytes.len() - at) / ELEMENT_BYTES + 1);
        let mut elements = Elements::of(self.bytes, at);
        let mut last: Option<Element<'t>> = None;
        while let Some(at) = elements.next().ok()? {
            let alike = last.as_ref().and_then(|last| last.shape.as_ref()?.read(self.text.get(at..)?));
            if let Some((layer, length)) = alike {
                list.push(layer);
                elements.go_on(at + length);
            } else {
                elements.go_on(self.digest(at, &mut last)?);
                list.extend(last.as_ref().and_then(Element::layer));
            }
            if let (Some(platforms), Some(element)) = (&mut platforms, last.as_ref().filter(|element| element.digest.is_some())) {
                platforms.push(element.platform.clone());
            }
        }
        *digests = Some(list);
        Some(elements.end())
    }
}

impl Shape<'_> {
    /// Reads an element that is written like the last one but for its digest and its size, which stand for themselves; with the
    /// element's length.
    fn read(&self, text: &str) -> Option<(Layer, usize)> {
        let rest = text.as_bytes().strip_prefix(self.before)?;
        let first = self.gap(rest, self.digest_first)?;
        let rest = rest.get(first..)?.strip_prefix(self.between)?;
        let second = self.gap(rest, !self.digest_first)?;
        let rest = rest.get(second..)?.strip_prefix(self.behind)?;
        let length = text.len() - rest.len();
        let digits = self.before.len() + if self.digest_first { 0 } else { first + self.between.len() };
        let number = self.before.len() + if self.digest_first { first + self.between.len() } else { 0 };
        let size = size_of(text.as_bytes().get(number..number + if self.digest_first { second } else { first })?);
        Some((Layer { digest: Digest::parse_hex(text.as_bytes().get(digits..digits + DIGEST_DIGITS)?)?, size }, length))
    }

    /// How long a gap is: of a digest, or of a number.
    fn gap(&self, rest: &[u8], of_digest: bool) -> Option<usize> {
        if of_digest { Some(DIGEST_DIGITS) } else { number(rest) }
    }
}

/// The number that a text is, where that is a size: whole, and no more than 18 digits.
fn size_of(text: &[u8]) -> Option<u64> {
    number(text).filter(|length| *length == text.len())?;
    let value = text.iter().fold(0, |sum: u64, digit| sum * 10 + u64::from(digit - b'0'));
    (value > 0).then_some(value)
}

/// How many digits a whole number at the beginning of `text` has.
fn number(text: &[u8]) -> Option<usize> {
    let length = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let sound = (1..=DIGITS_MAX).contains(&length) && (length == 1 || text.first() != Some(&b'0'));
    sound.then_some(length)
}

#[cfg(test)]
#[path = "plain_tests.rs"]
mod tests;
