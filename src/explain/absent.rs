//! The logs do not know the repository, or not the image in it: what that means and what it does not.

use std::collections::BTreeSet;

use super::moment::failures;
use super::pasted::host::owner;
use super::{About, Case, Registry, against, sentence, there};
use crate::detect::{advice_on_refused_push, refusal, refused_pushes_of};
use crate::model::{
    Cause, Digest, EventRef, Finding, ImageReference, LogText, Repository, Sentence, StepKind, Verdict,
    plural, plural_verb, times,
};
use crate::timeline::RepositoryHistory;

/// Maximum number of places that have the digest, and tags of a repository, that are named.
const PLACES_MAX: usize = 5;
const TAGS_MAX: usize = 10;
/// Names that are at least this similar may be meant (Jaro-Winkler; 1 is the same), and how many of them
/// are named.
const ALIKE: f64 = 0.88;
const SIMILAR_MAX: usize = 5;

/// The logs have no event of the repository: account, region or name is wrong; says which.
pub fn no_repository(case: Case<'_>) -> Verdict {
    let elsewhere = elsewhere(case);
    let mut verdict = case.blank(if elsewhere.is_some() { Cause::NeverPushedHere } else { Cause::Unknown });
    let seen = &case.history.repositories_seen();
    let (text, advice) = match &case.question.about {
        About::Reference(wanted) => mismatch(wanted, seen),
        About::Name { repository, .. } => match &case.question.registry {
            Registry::Public => public(repository),
            Registry::Other(host) => foreign(host, repository),
            Registry::Ecr { registry_id: Some(registry_id), .. } => no_name_in(registry_id, repository, seen),
            _ => no_name(repository, seen),
        },
        About::Digest(_) | About::Beginning => (
            format!("No event in these logs names {}.", case.question.to_text()),
            "Give the whole reference, and read the logs of the account and region that own the repository, \
             from before its push on."
                .to_owned(),
        ),
    };
    verdict.narrative =
        vec![sentence(text, Vec::new()), unknown_end(case), elsewhere.unwrap_or_else(not_elsewhere)];
    if let About::Reference(wanted) = &case.question.about {
        let tag = wanted.tag.as_deref();
        let same = |finding: &&Finding| {
            let names = wanted.digest.map_or(finding.tag.as_ref().map(LogText::raw) == tag, |digest| {
                finding.lost.digest == Some(digest)
            });
            is_wanted(&finding.repository, wanted) && names
        };
        verdict.why = case.findings.iter().find(same).map(|finding| finding.id.clone());
    }
    verdict.advice.push(advice);
    verdict
}

fn no_name(repository: &str, seen: &[Repository]) -> (String, String) {
    let text =
        format!("No event in these logs names a repository {repository}{}.", similar(repository, seen));
    (text, "Check the name, or read the logs of the account and region that own it.".to_owned())
}

/// `docker.io/library/nginx`, `localhost:5000/api`.
fn foreign(host: &str, repository: &str) -> (String, String) {
    let text = format!(
        "{host} is no private registry of ECR, and what happens to {repository} there is not logged by \
         CloudTrail."
    );
    (
        text,
        format!(
            "Ask whoever runs {host}; where it is a mirror or a cache of ECR, ask about the repository in ECR \
             that it copies."
        ),
    )
}

/// ECR Public's calls are logged elsewhere, and this program does not read them.
fn public(repository: &str) -> (String, String) {
    let alias = repository.split('/').next().unwrap_or(repository);
    let text = format!(
        "public.ecr.aws/{repository} lies in ECR Public, a service of its own: its calls are logged under \
         ecr-public.amazonaws.com, in us-east-1 of the account that owns the alias {alias}, and this program \
         does not read them."
    );
    let advice = format!(
        "If the alias {alias} is yours, look in your trail of us-east-1 for events of \
         ecr-public.amazonaws.com; else ask its owner, or pull through a cache of your own."
    );
    (text, advice)
}

/// The account is known but not the region: errors of the API name a registry by its id alone.
fn no_name_in(registry_id: &str, repository: &str, seen: &[Repository]) -> (String, String) {
    let own: Vec<Repository> = seen.iter().filter(|seen| seen.registry_id == *registry_id).cloned().collect();
    if own.is_empty() {
        let (_, advice) = other_account(registry_id);
        let (text, _) = no_name(repository, seen);
        return (format!("{} These logs say nothing about registry {registry_id}.", text.trim_end()), advice);
    }
    let (text, advice) = no_name(repository, &own);
    (text, format!("{advice} An error of the API names no region: it may be another one."))
}

/// Advice about an account that the logs are not from, and whose account it is if AWS has published that.
fn other_account(registry_id: &str) -> (String, String) {
    match owner(registry_id) {
        Some(what) => (
            format!(
                " It is a registry of AWS's own ({what}): its trail is AWS's, and nobody else can read it."
            ),
            format!(
                "Ask AWS, or look at the versions that AWS documents for {what}; keep a copy in a registry of \
                 your own if you need one to stay."
            ),
        ),
        None => (String::new(), format!("Read the trail of account {registry_id}.")),
    }
}

/// The second step if the image is not known.
fn unknown_end(case: Case<'_>) -> Sentence {
    sentence(
        format!("When and by what it went, if it was ever there, is not in these logs. {}", covered(case)),
        Vec::new(),
    )
}

/// The third step if the digest was not pushed to any repository in the logs.
fn not_elsewhere() -> Sentence {
    sentence(
        "Why is open: it was pushed before the logs begin, to a place that these logs do not cover, or never.",
        Vec::new(),
    )
}

/// Which part of the reference does not match what is in the logs.
fn mismatch(wanted: &ImageReference, seen: &[Repository]) -> (String, String) {
    let accounts: BTreeSet<&str> = seen.iter().map(|repository| repository.registry_id.raw()).collect();
    let regions: BTreeSet<&str> = seen
        .iter()
        .filter(|repository| repository.registry_id == *wanted.registry_id)
        .map(|repository| repository.region.raw())
        .collect();
    let list = |names: &BTreeSet<&str>| names.iter().copied().collect::<Vec<_>>().join(", ");
    if !accounts.contains(&*wanted.registry_id) {
        let text = format!(
            "Wrong account: these logs say nothing about registry {}; they hold repositories of {}.",
            wanted.registry_id,
            or_none(list(&accounts))
        );
        let (whose, advice) = other_account(&wanted.registry_id);
        return (text + &whose, advice);
    }
    if !regions.contains(&*wanted.region) {
        let text = format!(
            "Wrong region: for registry {} these logs say nothing about {}; they hold {}.",
            wanted.registry_id,
            wanted.region,
            list(&regions)
        );
        return (
            text,
            format!(
                "Read the trail of region {}: CloudTrail logs ECR in the region of the repository.",
                wanted.region
            ),
        );
    }
    let same: Vec<&Repository> = seen
        .iter()
        .filter(|other| *other.name.raw() == *wanted.repository)
        .filter(|other| !is_wanted(other, wanted))
        .collect();
    if let Some(first) = same.first() {
        let text = format!(
            "Wrong region or account: nothing that was done to {} in {} of {} is in these logs, and a \
             repository of that name is in {} of {}.",
            wanted.repository,
            wanted.region,
            wanted.registry_id,
            first.region.raw(),
            first.registry_id.raw()
        );
        let advice = format!(
            "If {} in {} is meant, correct the reference; if there is a copy of it in {}, read the trail of \
             account {} in {}, where what is done to the copy is logged.",
            first.name.raw(),
            first.region.raw(),
            wanted.region,
            wanted.registry_id,
            wanted.region
        );
        return (text, advice);
    }
    let text = format!(
        "Wrong repository: no event names {} in {} of {}{}.",
        wanted.repository,
        wanted.region,
        wanted.registry_id,
        similar(&wanted.repository, seen)
    );
    (
        text,
        "Check the name; if it is right, nothing was done to it in the time these logs cover: widen --since."
            .to_owned(),
    )
}

fn is_wanted(other: &Repository, wanted: &ImageReference) -> bool {
    *other.name.raw() == *wanted.repository
        && *other.region.raw() == *wanted.region
        && *other.registry_id.raw() == *wanted.registry_id
}

fn or_none(list: String) -> String {
    if list.is_empty() { "no account at all".to_owned() } else { list }
}

/// Names that have the same last part, contain one another, or differ by a typing error.
fn similar(name: &str, seen: &[Repository]) -> String {
    let names = alike(name, seen.iter().map(|repository| repository.name.raw()));
    if names.is_empty() { String::new() } else { format!("; similar: {}", names.join(", ")) }
}

/// The names most similar to `name`, the most similar first.
fn alike<'n>(name: &str, names: impl Iterator<Item = &'n str>) -> Vec<&'n str> {
    let last = name.rsplit('/').next().unwrap_or(name);
    let related = |other: &str| {
        other != name
            && (other.rsplit('/').next() == Some(last) || name.contains(other) || other.contains(last))
    };
    let likeness =
        |other: &str| strsim::jaro_winkler(name, other).max(if related(other) { ALIKE } else { 0.0 });
    let mut found: Vec<(f64, &str)> =
        names.map(|other| (likeness(other), other)).filter(|(likeness, _)| *likeness >= ALIKE).collect();
    found.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    found.dedup_by_key(|(_, name)| *name);
    found.truncate(SIMILAR_MAX);
    found.into_iter().map(|(_, name)| name).collect()
}

/// Where else the digest was pushed, in one sentence.
fn elsewhere(case: Case<'_>) -> Option<Sentence> {
    let number = case.history.find_digest(&case.question.about.digest()?)?;
    let pushed = |repository: &RepositoryHistory| -> Option<(Repository, EventRef)> {
        let image = repository.image(number)?;
        let push =
            image.steps.iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate))?;
        Some((case.history.repository(repository), case.history.event(push.event)))
    };
    let places: Vec<_> = case.history.repositories().iter().filter_map(pushed).collect();
    let told = |(place, event): &(Repository, EventRef)| {
        format!(
            "{} in {} of {}, at {}",
            place.name.raw(),
            place.region.raw(),
            place.registry_id.raw(),
            event.event_time
        )
    };
    let named: Vec<String> = places.iter().take(PLACES_MAX).map(told).collect();
    let more = places
        .len()
        .checked_sub(PLACES_MAX + 1)
        .map(|rest| format!(", and to {} more", rest + 1))
        .unwrap_or_default();
    let text = format!("The digest was pushed elsewhere: to {}{more}.", named.join("; to "));
    let evidence = places.into_iter().take(PLACES_MAX).map(|(_, event)| event).collect();
    (!named.is_empty()).then(|| sentence(text, evidence))
}

/// The time that the logs cover.
pub fn covered(case: Case<'_>) -> String {
    let coverage = case.coverage;
    match (coverage.first_event_time, coverage.last_event_time) {
        (Some(first), Some(last)) => {
            format!(
                "The logs read cover {first} to {last}, {} in {}.",
                plural(coverage.records, "record"),
                plural(coverage.objects_read, "object")
            )
        }
        _ => "The logs read hold no events.".to_owned(),
    }
}

/// The logs know the repository, but not the image.
pub fn no_image(case: Case<'_>, repository: &RepositoryHistory) -> Verdict {
    let elsewhere = elsewhere(case);
    let asked_tag = case.asked_tag().filter(|_| case.question.about.digest().is_none());
    let refused = asked_tag
        .and_then(|tag| Some((tag, refused_pushes_of(case.history, repository, tag).first()?.event)));
    let replicated =
        repository.images.iter().any(|image| image.steps.iter().any(|step| step.kind == StepKind::Replicate));
    let cause = match (elsewhere.is_some(), replicated) {
        (true, true) => Cause::ReplicaMissing,
        (true, false) => Cause::NeverPushedHere,
        (false, false) if refused.is_some() => Cause::NeverPushedHere,
        (false, _) => Cause::Unknown,
    };
    let mut verdict = case.blank(cause);
    let mut end = there::no_event(case, repository);
    end.text = format!("{} {}", end.text, covered(case));
    let third = match refused.filter(|_| elsewhere.is_none()) {
        Some((tag, event)) => sentence(
            format!("It was never pushed here: {}.", refusal(case.history, repository, tag, event)),
            case.event(event),
        ),
        None => elsewhere.unwrap_or_else(not_elsewhere),
    };
    verdict.narrative = vec![not_known(case, repository), end, third];
    let own = case.history.repository(repository);
    let told = |finding: &&Finding| {
        finding.repository == own
            && finding.tag.as_ref().map(LogText::raw) == case.question.about.tag()
            && finding.lost.gone_at.is_none()
    };
    verdict.why = asked_tag.and_then(|_| case.findings.iter().find(told)).map(|finding| finding.id.clone());
    verdict.not_this = against::without_image(case, repository, cause);
    verdict.exists.tag_points_to = tag_holder(case, repository);
    verdict.exists.tag_exists = case.question.about.tag().and(verdict.exists.tag_points_to.map(|_| true));
    verdict.repository = Some(case.history.repository(repository));
    if !repository.gaps.is_empty() {
        let gap = format!(
            "{} not say what was done (CloudTrail leaves content out above 100 KB): its push or its end may \
             be among them.",
            plural_verb(repository.gaps.len(), "event of this repository", ["does", "do"])
        );
        verdict.unknown.push(gap);
    }
    verdict.unknown.push(match cause {
        Cause::Unknown => {
            "Whether it was ever pushed here: its push may lie before the logs begin.".to_owned()
        }
        _ => "Whether it was pushed here before the logs begin.".to_owned(),
    });
    if let Some((tag, event)) = refused.filter(|_| cause == Cause::NeverPushedHere) {
        verdict.advice = advice_on_refused_push(case.history, repository, tag, event);
        return verdict;
    }
    verdict.advice.push(match cause {
        Cause::ReplicaMissing => {
            "Replication takes up to 30 minutes and copies no older images: look at the replication rules, or \
             pull from the source registry."
                .to_owned()
        }
        _ if !case.history.has_owners_trail(repository) => {
            let own = case.history.repository(repository);
            format!(
                "Read the trail of account {} in {}, which owns the repository: these logs hold nothing that \
                 was done to it there.",
                own.registry_id.raw(),
                own.region.raw()
            )
        }
        _ => "Widen --since to before its push; check account, region and repository of the reference.".to_owned(),
    });
    verdict
}

/// The first step: the logs do not know the image here, except perhaps for a refused push of its tag.
fn not_known(case: Case<'_>, repository: &RepositoryHistory) -> Sentence {
    let (own, about) = (case.history.repository(repository), &case.question.about);
    let what = about
        .digest()
        .map_or_else(|| format!("tag {}", about.tag().unwrap_or_default()), |digest| digest.to_string());
    let asks = failures(case, repository);
    let pulled = if asks.is_empty() {
        "no push, pull, expiry or deletion of it was logged there".to_owned()
    } else {
        format!(
            "it was asked for {}, and no push, expiry or deletion of it was logged there",
            times(asks.len())
        )
    };
    let mut text = format!("The logs know repository {} and not {what}: {pulled}.", own.name.raw());
    if case.question.latest {
        text.push_str(&format!(
            " No tag was given, so that latest was looked for;{}",
            tags_there(case, repository)
        ));
    }
    if let (None, false, Some(tag)) = (about.digest(), case.question.latest, about.tag()) {
        let alike = alike(tag, repository.tags.keys().map(|tag| case.history.text(*tag)));
        if !alike.is_empty() {
            text.push_str(&format!(" Similar tags: {}.", alike.join(", ")));
        }
    }
    let last = asks.into_iter().max_by_key(|event| case.time(*event));
    sentence(text, last.into_iter().flat_map(|event| case.event(event)).collect())
}

/// Some tags that the repository has.
fn tags_there(case: Case<'_>, repository: &RepositoryHistory) -> String {
    let held = repository
        .tags
        .iter()
        .filter(|(_, state)| state.holder.is_some())
        .map(|(tag, _)| case.history.text(*tag));
    let tags: BTreeSet<&str> = held.collect();
    let named: Vec<&str> = tags.iter().copied().take(TAGS_MAX).collect();
    match tags.len().checked_sub(TAGS_MAX + 1) {
        _ if named.is_empty() => " no tag of the repository is known.".to_owned(),
        None => format!(" the repository has {}.", named.join(", ")),
        Some(rest) => format!(" the repository has {} and {} more.", named.join(", "), rest + 1),
    }
}

fn tag_holder(case: Case<'_>, repository: &RepositoryHistory) -> Option<Digest> {
    let tag = case.history.find_string(case.question.about.tag()?)?;
    case.history.digest(repository.holder(tag)?.digest)
}
