//! An index (multi-platform image) is still there, but an image that it lists is gone: pulling its tag
//! fails on one platform.

use super::story::{deleted, evidence, lost, place, rule_in_words};
use super::untagged::was_untagged;
use super::usage::{Harm, usage_of_loss};
use super::{Detector, Subject, id};
use crate::model::{Finding, FindingKind, KeptImage, MINUTE_MILLIS, Severity, StepKind, plural};
use crate::timeline::{Displacement, End, EventNo, History, Image, Loss, RepositoryHistory, Sym, UseKind};

/// Reports images that were lost while an index that lists them stayed. ECR documents that it never expires
/// such images; users report runs that did.
pub struct ChildLost;

impl Detector for ChildLost {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        for loss in subject.image.losses.iter().filter(|loss| was_untagged(loss) || was_deleted(loss)) {
            let Some(index) = heading(subject.history, subject.repository, subject.image, loss) else {
                continue;
            };
            let harm = usage_of_loss(subject.history, subject.image, loss, true);
            let used = used_since(subject.history, index, loss);
            let severity = harm
                .severity
                .filter(|severity| *severity == Severity::Critical)
                .or(used.map(|_| Severity::High))
                .or(harm.severity);
            if let Some(severity) = severity {
                let mut finding = finding(subject, loss, index, harm, used);
                finding.severity = severity;
                found.push(finding);
            }
        }
    }
}

/// Whether a call deleted an image that had no tag of its own. ECR refuses that while an index lists the
/// image, and it refuses an index whose images are missing, so this is rare.
fn was_deleted(loss: &Loss) -> bool {
    let by_call = matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag);
    loss.presumed.is_none() && by_call && loss.tags.is_empty() && loss.displaced.is_none()
}

/// Whether a loss is reported as that of an image of an index that is still there.
pub fn is_told(history: &History, repository: &RepositoryHistory, image: &Image, loss: &Loss) -> bool {
    was_deleted(loss) && heading(history, repository, image, loss).is_some()
}

/// Events of one lifecycle run follow each other within this time: an index taken in the same run goes
/// together with its images.
const SAME_RUN_MILLIS: i64 = 10 * MINUTE_MILLIS;

/// Indexes that list the image, had a tag when it went, and are still there. An index without a tag is left
/// out: the same rule may have taken it, in an event that is not in the logs.
pub fn living_indexes<'h>(
    history: &'h History,
    repository: &'h RepositoryHistory,
    image: &Image,
    loss: &'h Loss,
) -> impl Iterator<Item = &'h Image> {
    let lives = move |index: &&Image| {
        let gone = |other: &Loss| {
            other.at <= loss.at + SAME_RUN_MILLIS && loss.at < other.until && other.end != End::Archived
        };
        !index.vanished && !index.losses.iter().any(gone) && had_tag(history, index, loss.at)
    };
    let listed = repository.parents.get(&image.digest).map(Vec::as_slice).unwrap_or_default();
    listed.iter().filter_map(|index| repository.image(*index)).filter(lives)
}

/// Whether the index had a tag at `at`.
fn had_tag(history: &History, index: &Image, at: i64) -> bool {
    let given = |(_, event): &(Sym, EventNo)| event.is_none() || history.noted(*event).time <= at;
    let displaced_later =
        |displaced: &Option<Box<Displacement>>| displaced.as_ref().is_some_and(|displaced| displaced.at > at);
    match index.losses.iter().find(|loss| loss.at > at) {
        Some(end) => end.tags.iter().any(given) || displaced_later(&end.displaced),
        None => index.tags.iter().any(given) || displaced_later(&index.displaced),
    }
}

/// The index that the finding names in its title: a tagged one if there is one, and among those the first
/// by tag.
pub fn heading<'h>(
    history: &'h History,
    repository: &'h RepositoryHistory,
    image: &Image,
    loss: &'h Loss,
) -> Option<&'h Image> {
    living_indexes(history, repository, image, loss).min_by_key(|index| {
        let tag = tag_of(history, index, loss).map(|tag| history.text(tag));
        (tag.is_none(), tag, history.digest(index.digest))
    })
}

/// The tag of the index to name: one that somebody pulled by, else the first.
pub fn tag_of(history: &History, index: &Image, loss: &Loss) -> Option<Sym> {
    let lost_later = index.losses.iter().find(|later| later.at > loss.at).map(|later| &later.tags);
    let tags = if index.tags.is_empty() { lost_later? } else { &index.tags };
    let pulled = |tag: Sym| index.steps.iter().any(|step| step.kind == StepKind::Pull && step.tag == tag);
    tags.iter().map(|(tag, _)| *tag).min_by_key(|tag| (!pulled(*tag), history.text(*tag)))
}

/// The platform of the lost image, as the index states it, and the platforms of the images that are still
/// there.
pub fn platforms<'h>(
    history: &'h History,
    repository: &RepositoryHistory,
    index: &Image,
    image: &Image,
) -> (Option<&'h str>, Vec<&'h str>) {
    let named =
        |at: usize| index.platforms.get(at).map(|name| history.text(*name)).filter(|name| !name.is_empty());
    let own = index.children.iter().position(|child| *child == image.digest).and_then(named);
    let works = |child: &crate::timeline::DigestNo| {
        *child != image.digest && repository.image(*child).is_none_or(|other| !other.is_gone())
    };
    let others =
        index.children.iter().enumerate().filter(|(_, child)| works(child)).filter_map(|(at, _)| named(at));
    (own, others.collect())
}

/// The first event since the loss that shows that the index is needed: a deployment, or a pull by anybody but a
/// scanner or an excluded principal.
fn used_since(history: &History, index: &Image, loss: &Loss) -> Option<EventNo> {
    let time = |event: EventNo| history.noted(event).time;
    let pulled = index
        .steps
        .iter()
        .find(|step| step.kind == StepKind::Pull && step.caller.needs() && time(step.event) > loss.at)
        .map(|step| step.event);
    let deploys = |kind: UseKind| {
        matches!(kind, UseKind::DeployedByDigest | UseKind::DeployedByTag | UseKind::ResolvedByTask)
    };
    pulled.or_else(|| {
        index.uses.iter().find(|found| deploys(found.kind) && found.until > loss.at).map(|found| found.event)
    })
}

/// "linux/amd64 fails, linux/arm64 still works".
pub fn broken(history: &History, repository: &RepositoryHistory, index: &Image, image: &Image) -> String {
    let (own, others) = platforms(history, repository, index, image);
    let own = own.unwrap_or("the platform that the lost image is for");
    if others.is_empty() {
        format!("pulls for {own} fail")
    } else {
        format!("pulls for {own} fail, {} still works", others.join(", "))
    }
}

fn finding(subject: Subject<'_>, loss: &Loss, index: &Image, harm: Harm, used: Option<EventNo>) -> Finding {
    let (history, repository) = (subject.history, subject.repository);
    let deletion = deleted(history, loss);
    let tag = tag_of(history, index, loss);
    let push = index
        .steps
        .iter()
        .rfind(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate))
        .map(|step| step.event);
    let mut events = vec![loss.event];
    events.extend(push);
    events.extend(used);
    events.extend(&harm.evidence);
    let named = tag.map_or_else(
        || history.digest_or_zero(index.digest).short(),
        |tag| format!("tag {}", history.text(tag)),
    );
    let asked = match harm.usage.pulls_after_gone {
        0 => "something still uses it".to_owned(),
        pulls => format!("{} of the lost image after that found nothing", plural(pulls, "pull")),
    };
    Finding {
        id: id(subject),
        kind: FindingKind::ChildLost,
        severity: Severity::High,
        repository: history.repository(repository),
        tag: tag.and_then(|tag| history.log_text(tag)),
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: lost(history, subject.image, loss),
        kept: KeptImage { digest: history.digest(index.digest) },
        first_push: None,
        second_push: history.event(loss.event),
        gap_seconds: None,
        order: loss.order,
        exposure_seconds: None,
        summary: format!(
            "In {}, {named} is broken: {} took {} although the index lists it and is still there; {}; \
             {asked}.",
            place(&history.repository(repository)),
            if was_deleted(loss) {
                format!("a call of {}", super::story::who(history, loss.event))
            } else {
                rule_in_words(history, loss)
            },
            history.digest_or_zero(subject.image.digest).short(),
            broken(history, repository, index, subject.image),
        ),
        advice: advice(history, tag, loss),
        evidence: evidence(history, events),
        deletion: Some(deletion),
        usage: harm.usage,
    }
}

pub fn advice(history: &History, tag: Option<Sym>, loss: &Loss) -> Vec<String> {
    if loss.back_at.is_some() {
        return vec!["The image came back later: it can be pulled now.".to_owned()];
    }
    let what = tag.map_or_else(|| "the index".to_owned(), |tag| format!("tag {}", history.text(tag)));
    let again = format!(
        "Push {what} again as a whole: a push of the index is refused until all its images are there."
    );
    if was_deleted(loss) {
        return vec![
            again,
            "Let jobs that clean up leave alone what an index lists: such images have no tag of their own."
                .to_owned(),
        ];
    }
    vec![
        again,
        "ECR documents that a rule takes no image that a living index lists: show AWS the event if it did."
            .to_owned(),
    ]
}
