//! Count rules: which images came after this one, and who pushed them.

use std::collections::BTreeMap;

use super::{ReasonFound, Subject, listed, principal};
use crate::model::{ReasonKind, StepKind, Timestamp};
use crate::policy::Count;
use crate::timeline::{EventNo, Image, Step};

/// How advice begins that no longer makes sense once the rule has been changed.
pub const KEEP_MORE: &str = "Keep more images";
/// Minimum number of newer images that are examined. Limited, as repositories may be very large and findings
/// many.
const LOOKED_AT: usize = 1_000;
/// Maximum number of events that are shown, and tags named.
const SHOWN_MAX: usize = 10;
const NAMED_MAX: usize = 4;

/// A newer image that the rule counted, and its push.
struct Newer<'h> {
    image: &'h Image,
    pushed_at: i64,
    push: EventNo,
}

pub fn outnumbered(subject: Subject<'_>) -> Option<ReasonFound> {
    let Count::MoreThan(keeps) = subject.rule.count else { return None };
    let newer = newer(subject, usize::try_from(keeps).unwrap_or(usize::MAX));
    let own = subject.life().iter().find(|step| is_push(step)).map_or(EventNo::NONE, |step| step.event);
    let (first, last) = (newer.first()?, newer.last()?);
    let mut pushers: BTreeMap<String, usize> = BTreeMap::new();
    for one in newer.iter().filter(|one| one.push.is_some()) {
        *pushers.entry(principal(subject.history, one.push)).or_default() += 1;
    }
    let of = if (newer.len() as u64) < keeps { " that these logs show" } else { "" };
    let names: Vec<String> = newer.iter().map(|one| name(subject, one)).collect();
    let names = match &names[..] {
        few if few.len() <= NAMED_MAX => listed(few),
        [first, .., last] => format!("{first} to {last}"),
        _ => String::new(),
    };
    let by: Vec<String> = pushers
        .iter()
        .map(|(who, count)| if pushers.len() > 1 { format!("{who} ({count})") } else { who.clone() })
        .collect();
    let by = if by.is_empty() { String::new() } else { format!(" by {}", listed(&by)) };
    let signatures = newer.iter().filter(|one| is_signature(subject, one)).count();
    let signatures = if signatures > 0 {
        let (say, count) = if signatures == 1 { ("says", "counts") } else { ("say", "count") };
        format!(
            " {signatures} of them {say} something about other images (signatures, attestations), and {count} \
             all the same."
        )
    } else {
        String::new()
    };
    let mine = own.some().map(|own| principal(subject.history, own));
    let other = mine.as_ref().filter(|mine| pushers.keys().any(|who| who != *mine));
    let contrast = other.map(|mine| format!(" This one was pushed by {mine}.")).unwrap_or_default();
    let newest = if keeps == 1 { "newest".to_owned() } else { format!("{keeps} newest") };
    let (from, to) = (Timestamp::from_millis(first.pushed_at), Timestamp::from_millis(last.pushed_at));
    let when = if newer.len() == 1 { format!("at {from}") } else { format!("from {from} to {to}") };
    let were = if newer.len() == 1 { "was" } else { "were" };
    let text = format!(
        "The rule keeps the {newest} that it counts, and {}{of} {were} pushed after this one{by}: {names}, \
         {when}.{signatures}{contrast}",
        newer.len(),
    );
    let shown = newer.iter().rev().take(SHOWN_MAX - 1).chain(newer.first());
    let events = shown.map(|one| one.push).chain([own]).collect();
    let advice = match other {
        Some(_) => {
            "Give each service a repository of its own, or a rule with a prefix of its own: here they push \
             each other's images out."
                .to_owned()
        }
        None => format!(
            "{KEEP_MORE} than are pushed while one is deployed, or protect deployed tags by a rule of their \
             own above this one."
        ),
    };
    Some(ReasonFound { advice: Some(advice), ..subject.told(ReasonKind::Outnumbered, text, events) })
}

/// The first `keeps` images after this one that the rule counted when it took it, by time of push.
fn newer(subject: Subject<'_>, keeps: usize) -> Vec<Newer<'_>> {
    let (history, at) = (subject.history, subject.loss.at);
    let own = subject.loss.pushed_at.unwrap_or(i64::MIN);
    let counted = |(pushed_at, image): (i64, &'_ Image)| {
        let life = image.life_at(at).filter(|life| life.pushed_at == Some(pushed_at))?;
        let tags: Vec<&str> =
            image.tags_at(life, at, history).into_iter().map(|tag| history.text(tag)).collect();
        subject.rule.tags.wants(&tags).then_some(life)
    };
    let candidates = subject
        .repository
        .pushed_after(own)
        .take_while(|(pushed_at, _)| *pushed_at <= at)
        .take(LOOKED_AT.max(keeps.saturating_mul(2)));
    let others = candidates.filter(|(_, image)| image.digest != subject.image.digest);
    let found = others.filter_map(|(pushed_at, image)| {
        let life = counted((pushed_at, image))?;
        let push =
            image.steps.get(life.first_step as usize..).unwrap_or_default().iter().find(|step| is_push(step));
        Some(Newer { image, pushed_at, push: push.map_or(EventNo::NONE, |step| step.event) })
    });
    found.take(keeps).collect()
}

fn is_push(step: &Step) -> bool {
    matches!(step.kind, StepKind::Push | StepKind::Replicate)
}

fn name(subject: Subject<'_>, newer: &Newer<'_>) -> String {
    let pushed = newer.image.steps.iter().find(|step| step.event == newer.push && step.tag.is_some());
    let digest = || subject.history.digest_or_zero(newer.image.digest).short().to_string();
    pushed.map_or_else(digest, |step| subject.history.text(step.tag).to_owned())
}

/// Whether it is a reference artifact, or has a tag as cosign makes them: `sha256-….sig`, `.att`, `.sbom`.
fn is_signature(subject: Subject<'_>, newer: &Newer<'_>) -> bool {
    let name = name(subject, newer);
    let suffix = name.strip_prefix("sha256-").and_then(|rest| rest.split_once('.')).map(|(_, suffix)| suffix);
    newer.image.subject.is_some() || matches!(suffix, Some("sig" | "att" | "sbom"))
}
