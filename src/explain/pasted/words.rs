//! Names without an ECR host, digests alone, and names in sentences.

use super::host::{Registry, is_host};
use super::name::{self, Name, is_name, run};
use super::wrapped::Joined;
use super::{Candidate, Reading, candidate, of_name};
use crate::explain::question::{About, CUT_BARE_MIN, CUT_MIN};
use crate::model::Digest;

/// Words before a name that announce it.
const INTRODUCTIONS: [&str; 12] = [
    "image",
    "repository",
    "reference",
    "ref",
    "manifest",
    "pull",
    "pulling",
    "tag",
    "container",
    "for",
    "repo",
    "artifact",
];
/// Maximum number of readings of a sentence.
const READINGS_MAX: usize = 32;

/// Names after `public.ecr.aws`, after placeholders for a host (`***/shop/api:v1`), and after other hosts.
pub(super) fn behind_hosts<'t>(text: &'t str, joined: &'t Joined) -> impl Iterator<Item = Candidate> + 't {
    joined.text.match_indices('/').filter_map(move |(at, _)| {
        let place = joined.place(at);
        let host = |before| host_before(before).and_then(registry_of);
        let registry = host(&text[..place]).or_else(|| host(&joined.text[..at]))?;
        let known_to_be_one = matches!(registry, Registry::Public);
        let found = candidate(text, place, |text| Some((registry.clone(), 1, name::take(text.get(1..)?)?)))?;
        let first = found.readings.first()?;
        let names_an_image =
            first.about.digest().is_some() || first.cut.is_some() || first.about.tag().is_some();
        (names_an_image || known_to_be_one).then_some(found)
    })
}

/// The last word of `before`, without the URL scheme.
fn host_before(before: &str) -> Option<&str> {
    let ends =
        |letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | '`' | '(' | ',' | '=' | '/');
    let begin = before.trim_end_matches(|letter| !ends(letter)).len();
    // A bucket is not a registry.
    Some(&before[begin..]).filter(|host| !host.is_empty() && !before[..begin].ends_with("s3://"))
}

fn registry_of(host: &str) -> Option<Registry> {
    let masked = host.len() >= 3 && host.bytes().all(|byte| byte == b'*');
    let stands_for_one =
        host.starts_with('$') || host.ends_with(['}', '>', ']']) && host.contains(['{', '<', '[']);
    let host = host.trim_start_matches(['<', '[', '*', '{']);
    match host.to_ascii_lowercase().as_str() {
        "public.ecr.aws" | "ecr-public.aws.com" => Some(Registry::Public),
        _ if masked || stands_for_one => Some(Registry::Ecr { registry_id: None, region: None }),
        lower if is_host(host) => Some(Registry::Other(lower.to_owned())),
        _ => None,
    }
}

/// `shop/api:v1@sha256:…`, complete or cut off.
pub(super) fn with_digest(text: &str, joined: &str) -> Option<Vec<Reading>> {
    let readings =
        || [text, joined].into_iter().flat_map(digests).filter_map(|(at, text)| named_before(text, at));
    let whole = readings().find(|reading| reading.about.digest().is_some()).or_else(|| readings().next())?;
    let same = |other: &Reading| {
        other.about.digest() == whole.about.digest() && other.cut == whole.cut && *other != whole
    };
    let others: Vec<Reading> = readings().filter(same).take(1).collect();
    Some(std::iter::once(whole).chain(others).collect())
}

/// The name that ends in `@` before the digest at `at`.
fn named_before(text: &str, at: usize) -> Option<Reading> {
    let before = text[..at].strip_suffix('@')?;
    let is_of_a_name =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | ':');
    let word = before[before.trim_end_matches(is_of_a_name).len()..].trim_start_matches(['/', ':', '.']);
    let name = name::take(&text[at - 1 - word.len()..])?;
    (name.digest.is_some() || is_cut(name.cut.as_deref(), CUT_MIN))
        .then(|| of_name(Registry::Unnamed, &name, ""))
        .and_then(|all| all.into_iter().next())
}

fn is_cut(digits: Option<&str>, least: usize) -> bool {
    digits.is_some_and(|digits| (least..64).contains(&digits.len()))
}

/// A digest alone: complete, else its beginning.
pub(super) fn digest(text: &str, joined: &str) -> Option<Vec<Reading>> {
    if let Some(digest) = digests_of_images(joined)
        .next()
        .or_else(|| digests_of_images(text).next())
        .or_else(|| bare_digest(joined))
    {
        return Some(vec![plain(About::Digest(digest), None)]);
    }
    let cut = digests(text).find_map(|(at, text)| match name::digest(&text[at..])? {
        (None, length) => Some(text[at + "sha256:".len()..at + length].to_ascii_lowercase())
            .filter(|digits| is_cut(Some(digits), CUT_MIN)),
        _ => None,
    });
    let alone = text.trim().trim_end_matches(['…', '.']);
    let alone = Some(alone).filter(|digits| {
        is_cut(Some(digits), CUT_BARE_MIN) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
    });
    cut.or_else(|| alone.map(str::to_ascii_lowercase))
        .map(|digits| vec![plain(About::Beginning, Some(digits))])
}

/// 64 hex digits with no other hex digits around them.
fn bare_digest(text: &str) -> Option<Digest> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric());
    words.filter(|word| word.len() == 64).find_map(|word| Digest::parse_hex(word.as_bytes()))
}

/// Positions of `sha256:`.
fn digests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lower = text.to_ascii_lowercase();
    let places: Vec<usize> = lower.match_indices("sha256:").map(|(at, _)| at).collect();
    places.into_iter().map(move |at| (at, text))
}

/// Complete digests, except those that a URL requests as a layer.
pub(super) fn digests_of_images(text: &str) -> impl Iterator<Item = Digest> {
    digests(text)
        .filter(|(at, text)| !text[..*at].ends_with("/blobs/"))
        .filter_map(|(at, text)| name::digest(&text[at..])?.0)
}

/// Names in a sentence, or a name alone. Which word is the name is best decided by the logs.
pub(super) fn in_a_sentence(text: &str, joined: &str) -> Option<Vec<Reading>> {
    if let Some(alone) = alone(text.trim()) {
        return Some(alone);
    }
    let mut readings: Vec<(bool, Reading)> = Vec::new();
    for text in [text, joined] {
        let mut before = "";
        for word in text.split(|letter: char| {
            letter.is_whitespace()
                || matches!(letter, '"' | '\'' | '`' | '(' | ')' | '[' | ']' | '<' | '>' | ',' | ';' | '=')
        }) {
            let introduced =
                INTRODUCTIONS.contains(&before.trim_end_matches(':').to_ascii_lowercase().as_str());
            for reading in named(word, introduced) {
                if readings.len() < READINGS_MAX && !readings.iter().any(|(_, other)| *other == reading) {
                    readings.push((introduced, reading));
                }
            }
            before = if word.is_empty() { before } else { word };
        }
    }
    readings.sort_by_key(|(introduced, _)| !introduced);
    let readings: Vec<Reading> = readings.into_iter().map(|(_, reading)| reading).collect();
    (!readings.is_empty()).then_some(readings)
}

/// `shop/api:v1`; without a tag only if the words before it announce a name.
fn named(word: &str, introduced: bool) -> Vec<Reading> {
    let word = word.trim_start_matches(['*', '_', '~', '{']);
    let Some(name) = name::take(word).filter(|name| is_likely(name, word, introduced)) else {
        return Vec::new();
    };
    of_name(Registry::Unnamed, &name, &word[name.length..])
}

/// Whether it is neither a time, a host with a port, a path, nor an address.
fn is_likely(name: &Name, word: &str, introduced: bool) -> bool {
    let letters = name.repository.bytes().any(|byte| byte.is_ascii_alphabetic());
    let rest = &word[name.length..];
    let is_port = name
        .tag
        .as_ref()
        .is_some_and(|tag| !name.repository.contains('/') && tag.bytes().all(|byte| byte.is_ascii_digit()));
    let named = name.tag.is_some() || introduced && name.repository.contains('/');
    letters
        && named
        && name.repository != "sha256"
        && !is_port
        && !rest.starts_with(['/', '@', '\\'])
        && !word.contains("://")
        && !is_host(&name.repository)
}

/// A text that consists of a name alone: `shop/api:v1`, `shop/api`, `api`.
fn alone(text: &str) -> Option<Vec<Reading>> {
    let plain =
        |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '_' | '-' | '/' | ':');
    if text.is_empty()
        || !text.chars().all(plain)
        || !text.starts_with(|letter: char| letter.is_ascii_alphanumeric())
    {
        return None;
    }
    let text_without_stop = text.trim_end_matches('.');
    let (repository, tag) = match text_without_stop.rsplit_once(':') {
        Some((repository, tag)) if !tag.is_empty() && !tag.contains('/') => {
            (repository.to_owned(), Some(tag.to_owned()))
        }
        _ => (text_without_stop.to_owned(), None),
    };
    // A name ends with a letter or digit, and a colon without a tag after it belongs to something else.
    let is_name_alone = repository.ends_with(|letter: char| letter.is_ascii_alphanumeric())
        && (tag.is_some() || !repository.contains(':'));
    if !is_name_alone || repository == "sha256" {
        return None;
    }
    let registry = repository
        .split_once('/')
        .map(|(host, _)| host)
        .filter(|host| is_host(host))
        .map(|host| Registry::Other(host.to_owned()));
    let repository = if registry.is_some() {
        repository.split_once('/').map_or(repository.clone(), |(_, rest)| rest.to_owned())
    } else {
        repository
    };
    let name = Name { length: 0, repository, tag, ..Name::default() };
    let stops = &text[text_without_stop.len()..];
    Some(of_name(registry.unwrap_or_default(), &name, stops))
        .filter(|_| run(&name.repository, is_name) > 0 || name.tag.is_some())
}

fn plain(about: About, cut: Option<String>) -> Reading {
    Reading {
        registry: Registry::Unnamed,
        about,
        cut,
        repository_only: false,
        only_if_known: false,
        layer: None,
    }
}
