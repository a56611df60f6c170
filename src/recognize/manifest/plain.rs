//! A fast reader for manifests as registries and build tools write them.
//!
//! Only the media type and some digests of a manifest are needed. If the text is valid JSON and those
//! strings have no escapes, this reader gives the same result as the full parser; anything else is left to
//! the full parser.

use std::ops::Range;

use crate::decode::json::{DEPTH_MAX, Elements, Members, skip_space, skip_value_within, string_end};
use crate::model::{Digest, ImageDescription, Layer, ManifestKind};

use super::{keep, platform};

/// The nesting limit for values whose own depth in the manifest is not known: they are at most four levels
/// deep.
const INNER_DEPTH_MAX: u32 = DEPTH_MAX - 4;
/// Typical size of a list element that has a digest.
const ELEMENT_BYTES: usize = 160;
/// Number of hex digits of a digest.
const DIGEST_DIGITS: usize = 64;
/// Longer numbers are checked one by one.
const DIGITS_MAX: usize = 18;

/// Describes the image of the manifest `text`; `None` if the full parser has to decide.
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

/// An object in a list that may have a digest.
struct Element<'t> {
    digest: Option<Digest>,
    size: Option<u64>,
    /// The element's text apart from the digits of its digest and size, if it has both.
    shape: Option<Shape<'t>>,
    /// Where its platform is in the text.
    platform: Option<Range<usize>>,
}

impl Element<'_> {
    fn layer(&self) -> Option<Layer> {
        Some(Layer { digest: self.digest?, size: self.size })
    }
}

/// A text with two gaps, for recognising elements that differ only in digest and size.
struct Shape<'t> {
    before: &'t [u8],
    between: &'t [u8],
    behind: &'t [u8],
    digest_first: bool,
}

/// A cursor over the text. Every method returns the end of the value at `at`, and stores what the value
/// says, or nothing if it is of another type. If a key appears twice the last one counts.
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

    /// Walks the object at `at`; `member` is called with each key and the start of its value, and returns
    /// the value's end.
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

    /// Stores where a non-empty string is, without its quotes.
    fn string(self, at: usize, said: &mut Option<Range<usize>>) -> Option<usize> {
        *said = None;
        if !self.is(at, b'"') {
            return self.skip(at);
        }
        let (end, plain) = string_end(self.bytes, at).ok()?;
        *said = Some(at + 1..end - 1).filter(|range| !range.is_empty());
        plain.then_some(end)
    }

    /// Stores the digest that an object has under `digest`.
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
        let shape =
            digest.and(said).and_then(|said| self.shape(at..end, said.end - DIGEST_DIGITS..said.end, size?));
        *element = Some(Element { digest, size: written, shape, platform });
        Some(end)
    }

    /// The shape of the element at `whole`, whose digest's digits are at `digest` and whose size is at
    /// `size`.
    fn shape(self, whole: Range<usize>, digest: Range<usize>, size: Range<usize>) -> Option<Shape<'t>> {
        number(self.bytes.get(size.clone())?).filter(|&length| length == size.len())?;
        let digest_first = digest.start < size.start;
        let (first, second) = if digest_first { (digest, size) } else { (size, digest) };
        let (before, between, behind) =
            (whole.start..first.start, first.end..second.start, second.end..whole.end);
        Some(Shape {
            before: self.bytes.get(before)?,
            between: self.bytes.get(between)?,
            behind: self.bytes.get(behind)?,
            digest_first,
        })
    }

    /// The platform in the object at `place`; the outer `None` means that the full parser has to decide.
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

    /// The digests of the elements of a list.
    fn digests(
        self,
        at: usize,
        digests: &mut Option<Vec<Layer>>,
        mut platforms: Option<&mut Vec<Option<Range<usize>>>>,
    ) -> Option<usize> {
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
            if let (Some(platforms), Some(element)) =
                (&mut platforms, last.as_ref().filter(|element| element.digest.is_some()))
            {
                platforms.push(element.platform.clone());
            }
        }
        *digests = Some(list);
        Some(elements.end())
    }
}

impl Shape<'_> {
    /// Reads an element that differs from the previous one only in its digest and size: returns both, and
    /// the element's length.
    fn read(&self, text: &str) -> Option<(Layer, usize)> {
        let rest = text.as_bytes().strip_prefix(self.before)?;
        let first = self.gap(rest, self.digest_first)?;
        let rest = rest.get(first..)?.strip_prefix(self.between)?;
        let second = self.gap(rest, !self.digest_first)?;
        let rest = rest.get(second..)?.strip_prefix(self.behind)?;
        let length = text.len() - rest.len();
        let digits = self.before.len() + if self.digest_first { 0 } else { first + self.between.len() };
        let number = self.before.len() + if self.digest_first { first + self.between.len() } else { 0 };
        let size =
            size_of(text.as_bytes().get(number..number + if self.digest_first { second } else { first })?);
        Some((
            Layer { digest: Digest::parse_hex(text.as_bytes().get(digits..digits + DIGEST_DIGITS)?)?, size },
            length,
        ))
    }

    /// The length of a gap: the digits of a digest, or of a number.
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
