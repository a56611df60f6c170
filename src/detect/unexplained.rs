//! Something failed because an image was missing, and nothing in these logs says why.

use std::collections::HashSet;

use super::access::locked_stretches;
use super::early::was_created;
use super::never::refused_pushes_of;
use super::refused::{Answered, is_refused, reason};
use super::story::{asked, evidence, place};
use super::{Detector, Subject, TagDetector, TagSubject, id, id_of};
use crate::model::{
    Finding, FindingKind, HOUR_MILLIS, KeptImage, LogText, LostImage, MINUTE_MILLIS, Order, Severity,
    StepKind, TagEnd, Timestamp, Usage, needing_in_words,
};
use crate::timeline::{Ask, AskKind, EventNo, History, Image, RepositoryHistory, Step, Sym, UseKind};

/// Reports stopped tasks and failed calls that name an image by its digest, or by a tag that it had.
pub struct Unexplained;
/// Reports failures about a tag that no image had.
pub struct UnexplainedTag;

/// A task may stop so long after the pull that failed, as it tries several times.
pub(super) const RETRIED_MILLIS: i64 = 10 * MINUTE_MILLIS;
/// A digest that is asked for so long before its first push in the logs must have existed somewhere: how
/// else would the caller know it.
pub(super) const BEFORE_PUSH_MILLIS: i64 = HOUR_MILLIS;

impl Detector for Unexplained {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let failed = |step: &Step| {
            matches!(step.kind, StepKind::TaskStopped | StepKind::PullFailed) && (step.missing || step.denied)
        };
        let image = subject.image;
        if !image.steps.iter().any(failed) {
            return;
        }
        let reasons = Reasons::of(subject);
        // A refused call explains itself; most are attempts without a permission. Only callers that could
        // pull before are of interest.
        let told = |step: &Step| {
            failed(step)
                && !(step.denied
                    && step.kind == StepKind::PullFailed
                    && !reasons.answered.lost_it(subject.history, step))
        };
        let open: Vec<&Step> = image
            .steps
            .iter()
            .enumerate()
            .filter(|(at, step)| told(step) && !reasons.explain(*at, step))
            .map(|(_, step)| step)
            .collect();
        if !open.is_empty() {
            found.push(of_image(subject, &open));
        }
    }
}

impl TagDetector for UnexplainedTag {
    fn detect(&self, subject: TagSubject<'_>, found: &mut Vec<Finding>) {
        let failed = |ask: &&Ask| asked(ask) && ask.kind != AskKind::Pull;
        let open: Vec<&Ask> =
            subject.life.asks.iter().filter(failed).filter(|ask| !is_explained_tag(subject, ask)).collect();
        if !open.is_empty() {
            found.push(of_tag(subject, &open));
        }
    }
}

/// What all failures of one image share, computed once: there may be hundreds of thousands of them.
struct Reasons<'h> {
    subject: Subject<'h>,
    /// Index (among the steps) and time of the first push.
    first_push: Option<(usize, i64)>,
    /// Tags that moved to it from an index that lists it.
    part_of_index: HashSet<Sym>,
    /// Pulls that succeeded, by caller.
    answered: Answered<'h>,
    /// Every push of it was refused: [`super::never`] reports failures after that.
    only_refused: bool,
}

impl<'h> Reasons<'h> {
    fn of(subject: Subject<'h>) -> Self {
        let Subject { history, repository, image, .. } = subject;
        let time = |event: EventNo| history.noted(event).time;
        let is_push = |step: &Step| matches!(step.kind, StepKind::Push | StepKind::Replicate);
        let pushes =
            image.steps.iter().filter(|step| step.kind == StepKind::Push && is_part(repository, image, step));
        Self {
            subject,
            first_push: image
                .steps
                .iter()
                .position(is_push)
                .map(|first| (first, time(image.steps[first].event))),
            part_of_index: pushes.map(|step| step.tag).collect(),
            answered: Answered::of(history, image),
            only_refused: image.was_only_refused(),
        }
    }

    /// Whether the logs explain why the step at index `at` failed.
    fn explain(&self, at: usize, step: &Step) -> bool {
        let Subject { history, repository, image, .. } = self.subject;
        let now = history.noted(step.event).time;
        let just_before = |event: i64| event <= now && now - event <= RETRIED_MILLIS;
        let absent = image
            .losses
            .iter()
            .any(|loss| (loss.end_step as usize) < at && (now < loss.until || just_before(loss.until)));
        let soon = |pushed: i64| pushed - now <= BEFORE_PUSH_MILLIS || was_created(history, repository, now);
        let before_push = self
            .first_push
            .is_some_and(|(first, pushed)| (at < first && soon(pushed)) || just_before(pushed));
        let away = |child: &Image| child.losses.iter().any(|loss| loss.at <= now && now < loss.until);
        let without_part = || image.children.iter().filter_map(|child| repository.image(*child)).any(away);
        let span = repository.tag_lives.get(&step.tag).and_then(|life| life.at(now));
        let tag_is_new = span.is_some_and(|span| span.from > i64::MIN && just_before(span.from));
        let refused =
            is_refused(step) && (self.is_locked(now) || reason(self.subject, &self.answered, step).is_some());
        let is_a_part = self.part_of_index.contains(&step.tag);
        let never_came =
            || self.only_refused && image.steps[..at].iter().any(|step| step.kind == StepKind::PushFailed);
        absent
            || never_came()
            || before_push
            || tag_is_new
            || refused
            || is_a_part
            || without_part()
            || repository_ended(history, repository, now)
    }

    /// Whether the repository's key was unusable at that time.
    fn is_locked(&self, now: i64) -> bool {
        let Subject { history, repository, .. } = self.subject;
        locked_stretches(history, &repository.key_steps)
            .iter()
            .any(|(locked, until)| history.noted(locked.event).time <= now && now < *until)
    }
}

/// Whether the push moved a tag from an index to an image that the index lists, which serves only one
/// platform.
fn is_part(repository: &RepositoryHistory, image: &Image, push: &Step) -> bool {
    push.tag.is_some()
        && repository.image(push.other).is_some_and(|former| former.children.contains(&image.digest))
}

/// Whether the repository, with all its images, was deleted before `now`.
pub(super) fn repository_ended(history: &History, repository: &RepositoryHistory, now: i64) -> bool {
    let before = |events: &[EventNo]| {
        events.iter().map(|event| history.noted(*event).time).filter(|time| *time <= now).max()
    };
    before(&repository.deletions)
        .is_some_and(|deleted| before(&repository.creations).is_none_or(|created| created < deleted))
}

fn is_explained_tag(subject: TagSubject<'_>, ask: &Ask) -> bool {
    let now = subject.history.noted(ask.event).time;
    let ended = subject.life.before(now).is_some_and(|span| span.end != Some(TagEnd::NotLogged));
    let refused = refused_pushes_of(subject.history, subject.repository, subject.tag).first();
    let refused = refused.is_some_and(|refused| subject.history.noted(refused.event).time <= now);
    ended
        || refused
        || subject.life.after(now).is_some()
        || repository_ended(subject.history, subject.repository, now)
}

/// What the logs say about the time of the failure.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Known {
    /// As far as they show, the image was there.
    There,
    /// The image was there, and calls for it were refused for lack of permission.
    Refused,
    /// The tag had left its image, and no event says when.
    Left,
    Nothing,
}

/// What the failures have in common, and what is missing from the logs.
struct Missing {
    summary: String,
    advice: Vec<String>,
}

fn missing(
    history: &History,
    repository: &RepositoryHistory,
    what: &str,
    first: EventNo,
    by: &str,
    times: usize,
    known: Known,
) -> Missing {
    let place_of = place(&history.repository(repository));
    let own = history.repository(repository);
    let gap = repository
        .gaps
        .iter()
        .copied()
        .rfind(|event| history.noted(*event).time <= history.noted(first).time);
    let again = if times > 1 {
        format!(", {times} times from {} on", history.time(first))
    } else {
        format!(" at {}", history.time(first))
    };
    let (lacking, advice) = if !history.has_owners_trail(repository) {
        (
            format!("they hold nothing that registry {} did to the repository", own.registry_id.raw()),
            format!(
                "Read the trail of account {} in {}, which owns the repository: its pushes, lifecycle runs \
                 and deletions stand there.",
                own.registry_id.raw(),
                own.region.raw()
            ),
        )
    } else if known == Known::Left {
        (
            "what took the tag off its image, and where it was then, is not in them".to_owned(),
            "Read the other events of the repository: CloudTrail leaves out what is too large, and objects \
             may be missing (see coverage)."
                .to_owned(),
        )
    } else if let Some(gap) = gap.filter(|_| known == Known::There) {
        (
            format!(
                "the content of {} at {} is not in them (CloudTrail leaves it out above 100 KB), and that may \
                 have taken the image",
                history.event(gap).event_name.raw(),
                history.time(gap)
            ),
            "Ask the registry whether the image is there (`aws ecr describe-images`): if it is not, that \
             event took it most likely; if it is, look at access and at the puller's network at that time."
                .to_owned(),
        )
    } else if known == Known::Refused {
        (
            "the image was there, the same caller could pull it before, and nothing in them says what took \
             that".to_owned(),
            "Read the trail of us-east-1, too, where IAM is logged (policies of the caller's role, also those \
             that it shares with others), and look at the VPC endpoint's policy and at service control \
             policies: the message of the refusal names the policy that did not allow it.".to_owned(),
        )
    } else if known == Known::There {
        (
            "as far as they go the image was there".to_owned(),
            "Look at what the failure's message says beside that: a platform that the image is not for, or \
             access (repository policy, endpoint policy, KMS key) and the puller's network at that time; \
             widen --since, and read the trail's read-only events."
                .to_owned(),
        )
    } else {
        (
            "no push of it is in them, and nothing that took it".to_owned(),
            "Widen --since to before its push; check account, region, repository and tag of the reference."
                .to_owned(),
        )
    };
    Missing {
        summary: format!(
            "In {place_of}, {by} could not have {what}{again}: nothing in these logs explains it; {lacking}."
        ),
        advice: vec![advice],
    }
}

fn of_image(subject: Subject<'_>, open: &[&Step]) -> Finding {
    let (history, image, repository) = (subject.history, subject.image, subject.repository);
    let first = open[0].event;
    let stopped = open.iter().any(|step| step.kind == StepKind::TaskStopped);
    let tag = open.iter().rev().find_map(|step| step.tag.some());
    let names: Vec<LogText> = references(history, image, open);
    let by = by(history, &names, first);
    let digest = history.digest_or_zero(image.digest);
    let what =
        tag.map_or_else(|| digest.short(), |tag| format!("{} ({})", history.text(tag), digest.short()));
    let refused = open.iter().all(|step| step.denied && step.kind == StepKind::PullFailed);
    let known = match image.state {
        crate::model::ImageState::Unknown => Known::Nothing,
        _ if refused => Known::Refused,
        _ => Known::There,
    };
    let Missing { summary, advice } = missing(history, repository, &what, first, &by, open.len(), known);
    let mut usage = Usage { references: names, ..Usage::default() };
    open.iter()
        .filter(|step| step.kind == StepKind::PullFailed)
        .for_each(|step| usage.add_principal(history.log_text(history.noted(step.event).actor)));
    Finding {
        id: id(subject),
        lost: LostImage {
            digest: Some(digest),
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: None,
            gone_at: None,
        },
        tag: tag.and_then(|tag| history.log_text(tag)),
        evidence: evidence(history, shown(open.iter().map(|step| step.event))),
        ..frame(history, repository, first, stopped, usage, summary, advice)
    }
}

fn of_tag(subject: TagSubject<'_>, open: &[&Ask]) -> Finding {
    let (history, repository) = (subject.history, subject.repository);
    let first = open[0].event;
    let stopped = open.iter().any(|ask| ask.kind == AskKind::Stopped);
    let usage = super::story::usage_of_asks(history, open);
    let usage = Usage { pulls_after_gone: 0, ..usage };
    let by = by(history, &usage.references, first);
    let tag = history.text(subject.tag);
    let Missing { summary, advice } = missing(
        history,
        repository,
        &format!("tag {tag}"),
        first,
        &by,
        open.len(),
        if subject.life.spans.is_empty() { Known::Nothing } else { Known::Left },
    );
    let last = subject.life.spans.last().and_then(|span| history.digest(span.digest));
    Finding {
        id: id_of(history, repository, tag),
        lost: LostImage { digest: last, pushed_at: None, untagged_at: None, gone_at: None },
        tag: history.log_text(subject.tag),
        evidence: evidence(history, shown(open.iter().map(|ask| ask.event))),
        ..frame(history, repository, first, stopped, usage, summary, advice)
    }
}

/// The first and the last event.
pub(super) fn shown(events: impl DoubleEndedIterator<Item = EventNo> + Clone) -> Vec<EventNo> {
    events.clone().next().into_iter().chain(events.last()).collect()
}

pub(super) fn references(history: &History, image: &Image, open: &[&Step]) -> Vec<LogText> {
    let of_open: HashSet<EventNo> = open.iter().map(|step| step.event).collect();
    let stops = image
        .uses
        .iter()
        .filter(|found| found.kind == UseKind::TaskStopped && of_open.contains(&found.event));
    let mut names: Vec<LogText> = stops.filter_map(|found| history.log_text(found.by)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// Who failed: the service or task, else the caller.
pub(super) fn by(history: &History, names: &[LogText], first: EventNo) -> String {
    names.first().map_or_else(
        || super::story::who(history, first),
        |name| format!("a task of {}", needing_in_words(name.raw(), "")),
    )
}

/// What all findings about failures have in common.
pub(super) fn frame(
    history: &History,
    repository: &RepositoryHistory,
    first: EventNo,
    stopped: bool,
    usage: Usage,
    summary: String,
    advice: Vec<String>,
) -> Finding {
    Finding {
        id: String::new(),
        kind: FindingKind::Unexplained,
        severity: if stopped { Severity::Critical } else { Severity::High },
        repository: history.repository(repository),
        tag: None,
        tags: Vec::new(),
        reasons: Vec::new(),
        lost: LostImage { digest: None, pushed_at: None, untagged_at: None, gone_at: None },
        kept: KeptImage { digest: None },
        first_push: None,
        second_push: history.event(first),
        gap_seconds: None,
        order: Order::Observed,
        deletion: None,
        exposure_seconds: None,
        usage,
        summary,
        advice,
        evidence: Vec::new(),
    }
}
