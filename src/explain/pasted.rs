//! Pasted text → what image it is about, as far as the text alone tells.
//!
//! There may be several readings: a line that a console wrapped, a full stop after a tag. All readings are
//! returned, the likeliest first; the logs decide which one is right.

mod clean;
mod console;
mod fields;
pub(super) mod host;
mod name;
mod words;
mod wrapped;

use self::host::Registry;
use self::name::Name;
use self::wrapped::{Joined, without_breaks};
use crate::model::{Digest, ImageReference};

use super::question::About;

/// Maximum number of line breaks that are removed from one name: 500 characters in a narrow console.
const BREAKS_MAX: usize = 16;
/// How far after the beginning of a host a name may end. Longer than any name, with wraps.
const NAME_REACH: usize = 2_000;
/// How far around a name, on its line, words about a failure are searched for.
const LINE_REACH: usize = 4_000;
/// Longest text that is read; an error message is seldom longer than a page.
const TEXT_MAX: usize = 1 << 20;
/// Maximum number of references that are read, as a build log repeats its own.
const REFERENCES_MAX: usize = 200;

/// Words that indicate a failure.
const FAILURES: [&str; 15] = [
    "not found",
    "notfound",
    "unknown",
    "fail",
    "error",
    "cannot",
    "denied",
    "forbidden",
    " 403",
    " 404",
    "not exist",
    "unable",
    "backoff",
    "not valid",
    "no such",
];

/// One reading of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub registry: Registry,
    pub about: About,
    pub cut: Option<String>,
    /// The text is about a repository, and not about an image in it.
    pub repository_only: bool,
    /// This reading counts only if the logs know it.
    pub only_if_known: bool,
    /// The text names a layer, and no image.
    pub layer: Option<Digest>,
}

/// What a text is about, and what else it names.
pub(super) struct Pasted {
    /// Never empty. All readings are of the same words.
    pub readings: Vec<Reading>,
    pub others: Vec<Digest>,
}

/// Reads `text`; `None` if it contains no image, repository or digest.
pub(super) fn read(text: &str) -> Option<Pasted> {
    let text = clean::cleaned(text.get(..text.floor_char_boundary(TEXT_MAX))?);
    let joined = Joined::new(&text);
    let found = found(&text, &joined);
    let readings = found
        .of_ecr
        .or_else(|| console::read(&joined.text))
        .or_else(|| fields::read(&text).map(|name| vec![name]))
        .or(found.elsewhere)
        .or_else(|| words::with_digest(&text, &joined.text))
        .or_else(|| words::digest(&text, &joined.text))
        .or_else(|| words::in_a_sentence(&text, &joined.text))?;
    let asked: Vec<Digest> = readings.iter().filter_map(|reading| reading.about.digest()).collect();
    let mut others: Vec<Digest> = Vec::new();
    for digest in words::digests_of_images(&joined.text) {
        if !asked.contains(&digest) && !others.contains(&digest) {
            others.push(digest);
        }
    }
    Some(Pasted { readings, others })
}

/// Names after hosts.
struct Found {
    /// After hosts of ECR's private registries.
    of_ecr: Option<Vec<Reading>>,
    /// After placeholders for a host, and after other hosts for which a digest can be looked up.
    elsewhere: Option<Vec<Reading>>,
}

/// A name after a host, with all readings, and whether it is near words about a failure.
struct Candidate {
    readings: Vec<Reading>,
    failed: bool,
    /// Words about a failure follow it, before another host.
    is_followed: bool,
}

fn found(text: &str, joined: &Joined) -> Found {
    let lower = joined.text.to_ascii_lowercase();
    let ecr = host::ecr_hosts(&lower).take(REFERENCES_MAX).filter_map(|at| {
        let registry_id = host::account(&joined.text[..at]);
        let place = joined.place(at);
        let take = |text: &str| {
            let (region, length) = host::behind_account(text)?;
            Some((
                Registry::Ecr { registry_id: registry_id.clone(), region },
                length,
                name::take(&text[length..])?,
            ))
        };
        candidate(text, place, take)
    });
    let of_ecr = chosen(ecr.collect(), text);
    let elsewhere = if of_ecr.is_some() {
        None
    } else {
        chosen(words::behind_hosts(text, joined).take(REFERENCES_MAX).collect(), text)
    };
    Found { of_ecr, elsewhere }
}

/// Reads the name at `place`, also across line breaks if it goes on after them.
fn candidate(
    text: &str,
    place: usize,
    take: impl Fn(&str) -> Option<(Registry, usize, Name)>,
) -> Option<Candidate> {
    let reach = &text[place..text.floor_char_boundary(place + NAME_REACH)];
    let mut readings: Vec<Reading> = Vec::new();
    for breaks in 0..=BREAKS_MAX {
        let Some((part, next_break)) = without_breaks(reach, breaks) else { break };
        let taken = take(&part);
        let end = taken.as_ref().map_or(0, |(_, length, name)| length + name.length);
        if let Some((registry, _, name)) = taken {
            let name = fields::completed(name, &text[..place]);
            let more = of_name(registry, &name, &part[end..]);
            // After a line break, it is another reading only if the name became longer.
            readings
                .extend(more.into_iter().filter(|reading| !readings.contains(reading)).collect::<Vec<_>>());
        }
        // It may go on after the line break only if it ends there, or at a character that something must
        // follow.
        if next_break
            .is_none_or(|next| end != 0 && end < next && !matches!(&part[end..next], ":" | "@" | "/"))
        {
            break;
        }
    }
    // A complete digest is no coincidence.
    readings.sort_by_key(|reading| reading.about.digest().is_none());
    let is_followed = followed_by_a_failure(reach, readings.first());
    (!readings.is_empty()).then(|| Candidate {
        failed: stands_in_a_failure(text, place),
        is_followed,
        readings,
    })
}

/// How far after a name words about its failure are searched for.
const FOLLOWS_REACH: usize = 120;

fn followed_by_a_failure(reach: &str, reading: Option<&Reading>) -> bool {
    // Searches from the last part of the name to the next host.
    let last = reading.and_then(|reading| match &reading.about {
        About::Reference(reference) => reference.tag.as_deref(),
        About::Name { tag, .. } => tag.as_deref(),
        About::Digest(_) | About::Beginning => None,
    });
    let Some(end) = last.and_then(|last| Some(reach.find(&format!(":{last}"))? + last.len() + 1)) else {
        return false;
    };
    let behind = &reach[end..reach.floor_char_boundary(end + FOLLOWS_REACH)];
    let behind = behind
        .split(".dkr")
        .next()
        .unwrap_or(behind)
        .split('\n')
        .next()
        .unwrap_or(behind)
        .to_ascii_lowercase();
    FAILURES.iter().any(|word| behind.contains(word))
}

fn stands_in_a_failure(text: &str, place: usize) -> bool {
    let begin = text[..place].rfind('\n').map_or(0, |at| at + 1);
    let end = text[place..].find('\n').map_or(text.len(), |at| place + at);
    let near = |at: usize| text.floor_char_boundary(at.min(text.len()));
    let (begin, end) = (near(begin.max(place.saturating_sub(LINE_REACH))), near(end.min(place + LINE_REACH)));
    let line = text[begin..end].to_ascii_lowercase();
    FAILURES.iter().any(|word| line.contains(word))
}

/// The most specific candidate near words about a failure. A layer's address does not name an image if
/// another name does.
fn chosen(mut candidates: Vec<Candidate>, text: &str) -> Option<Vec<Reading>> {
    if candidates.iter().any(|candidate| candidate.failed) {
        candidates.retain(|candidate| candidate.failed);
    }
    let says = |candidate: &Candidate| {
        let first = candidate.readings.first()?;
        Some(
            match (
                first.about.digest().is_some() && !first.only_if_known,
                first.cut.is_some(),
                first.about.tag().is_some(),
            ) {
                _ if first.layer.is_some() => 0,
                (true, ..) => 4,
                (_, true, _) => 3,
                (_, _, true) => 2,
                _ => 1,
            },
        )
    };
    let best = candidates.iter().map(says).max()?;
    let equal = |candidate: &&Candidate| says(candidate) == best;
    let followed =
        candidates.iter().filter(equal).position(|candidate| candidate.is_followed).unwrap_or_default();
    let mut readings =
        candidates.into_iter().filter(|candidate| says(candidate) == best).nth(followed)?.readings;
    let no_repository = fields::says_no_repository(text);
    readings
        .iter_mut()
        .for_each(|reading| reading.repository_only |= no_repository && reading.names_no_image());
    Some(readings)
}

/// The readings of a name; `behind` is the text after it.
fn of_name(registry: Registry, name: &Name, behind: &str) -> Vec<Reading> {
    let reading = |tag: Option<String>, digest: Option<Digest>| Reading {
        about: about(&registry, name.repository.clone(), tag, digest),
        registry: registry.clone(),
        cut: if digest.is_none() { name.cut.clone() } else { None },
        repository_only: name.layer.is_some(),
        only_if_known: false,
        layer: name.layer,
    };
    let mut readings = vec![reading(name.tag.clone(), name.digest)];
    // A digest that is requested as a layer may be an image's, as some runtimes try both addresses.
    readings.extend(name.layer.map(|digest| Reading {
        only_if_known: true,
        repository_only: false,
        layer: None,
        ..reading(None, Some(digest))
    }));
    if let (Some(tag), None, None) = (&name.tag, name.digest, &name.cut) {
        let stops = name::run(behind, |byte| byte == b'.');
        readings.extend((stops > 0).then(|| reading(Some(format!("{tag}{}", &behind[..stops])), None)));
        let inner = tag.trim_end_matches(['_', '-', '.']);
        readings.extend((!inner.is_empty() && inner != tag).then(|| reading(Some(inner.to_owned()), None)));
    }
    readings
}

fn about(registry: &Registry, repository: String, tag: Option<String>, digest: Option<Digest>) -> About {
    match registry {
        Registry::Ecr { registry_id: Some(registry_id), region: Some(region) } => {
            About::Reference(ImageReference {
                registry_id: registry_id.clone(),
                region: region.clone(),
                repository,
                tag,
                digest,
            })
        }
        _ => About::Name { repository, tag, digest },
    }
}

impl Reading {
    fn names_no_image(&self) -> bool {
        self.about.tag().is_none() && self.about.digest().is_none() && self.cut.is_none()
    }
}
