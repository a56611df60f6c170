//! Something failed because an image or a tag was asked for before it was pushed.

use std::collections::HashMap;

use super::story::{evidence, place, role, span, who};
use super::unexplained::{BEFORE_PUSH_MILLIS, RETRIED_MILLIS, by, frame, shown};
use super::{Detector, Subject, id, id_of};
use crate::model::{
    Finding, FindingKind, LogText, LostImage, StepKind, Timestamp, Usage, is_workload, times,
};
use crate::timeline::{
    AskKind, EventNo, History, Image, RepositoryHistory, Step, Sym, TagLife, TagSpan, UseKind,
};

/// Reports deployments that did not wait for the push or for replication.
///
/// Before pushing an image, clients ask whether it exists, and pipelines poll until it does. So pulls count
/// only if a task or an instance made them, and only in repositories that were created within the logs: in
/// others the image may have been there before.
pub struct AskedBeforePushed;

/// Something that failed: who by, and whether that is a task.
#[derive(Clone, Copy)]
struct Failure {
    event: EventNo,
    is_task: bool,
    by: Sym,
}

impl Detector for AskedBeforePushed {
    fn detect(&self, subject: Subject<'_>, found: &mut Vec<Finding>) {
        let Some(first) = subject.image.steps.iter().position(is_push) else { return };
        let stops = stops(subject.image);
        let by_digest = asked_by_digest(subject, first, &stops);
        if !by_digest.is_empty() {
            found.push(finding(subject, Sym::NONE, &subject.image.steps[first], by_digest));
        }
        for push in subject.image.steps[first..].iter().filter(|step| is_push(step) && step.tag.is_some()) {
            let Some(life) = subject.repository.tag_lives.get(&push.tag) else { continue };
            if is_first_of_tag(subject.history, push, life) && !was_taken_before(subject, push) {
                let failures = asked_by_tag(subject, push, life, &stops);
                if !failures.is_empty() {
                    found.push(finding(subject, push.tag, push, failures));
                }
            }
        }
    }
}

fn is_push(step: &Step) -> bool {
    matches!(step.kind, StepKind::Push | StepKind::Replicate)
}

/// Tasks that stopped because the image was missing, by the tag that they named; [`Sym::NONE`] where they
/// named the digest.
type Stops = HashMap<Sym, Vec<Failure>>;

fn stops(image: &Image) -> Stops {
    let mut stops = Stops::new();
    let stopped = |step: &&Step| step.kind == StepKind::TaskStopped && step.missing;
    if !image.steps.iter().any(|step| stopped(&step)) {
        return stops;
    }
    let uses = image.uses.iter().filter(|found| found.kind == UseKind::TaskStopped);
    let named: HashMap<EventNo, (Sym, Sym)> =
        uses.map(|found| (found.event, (found.tag, found.by))).collect();
    for step in image.steps.iter().filter(stopped) {
        let (tag, by) = named.get(&step.event).copied().unwrap_or((step.tag, Sym::NONE));
        stops.entry(tag).or_default().push(Failure { event: step.event, is_task: true, by });
    }
    stops
}

/// Whether the logs show that the repository was created before that moment.
pub(super) fn was_created(history: &History, repository: &RepositoryHistory, at: i64) -> bool {
    repository.creations.iter().any(|event| history.noted(*event).time <= at)
}

/// Whether `event` is a call of the role that made the call `other`.
pub(super) fn is_same_role(history: &History, event: EventNo, other: EventNo) -> bool {
    let of = |event: EventNo| role(history.text(history.noted(event).actor));
    of(event) == of(other)
}

/// Whether a workload made the pull, and not whoever made the push.
pub(super) fn is_anothers_workload(history: &History, pull: EventNo, push: EventNo) -> bool {
    is_workload(history.text(history.noted(pull).actor)) && !is_same_role(history, pull, push)
}

/// Whether a task that stopped within minutes of the pull shows that the pull found nothing.
fn is_told(history: &History, pull: EventNo, stops: &[Failure]) -> bool {
    let at = history.noted(pull).time;
    stops.iter().any(|stop| (0..=RETRIED_MILLIS).contains(&(history.noted(stop.event).time - at)))
}

fn asked_by_digest(subject: Subject<'_>, first: usize, stops: &Stops) -> Vec<Failure> {
    let Subject { history, repository, image, .. } = subject;
    let time = |event: EventNo| history.noted(event).time;
    let (before, push) = (&image.steps[..first], image.steps[first].event);
    let pushed = time(push);
    let only_asks = |step: &Step| {
        matches!(
            step.kind,
            StepKind::Pull
                | StepKind::PullFailed
                | StepKind::PushFailed
                | StepKind::Referenced
                | StepKind::TaskStopped
        )
    };
    if !before.iter().all(only_asks) || image.losses.first().is_some_and(|loss| loss.at < pushed) {
        return Vec::new();
    }
    let soon = |at: i64| pushed - at <= BEFORE_PUSH_MILLIS || was_created(history, repository, at);
    // An index can be pushed only when what it lists is there.
    let indexes = repository.parents.get(&image.digest).map(Vec::as_slice).unwrap_or_default();
    let listed = indexes.iter().filter_map(|index| repository.image(*index));
    let listed: Option<i64> =
        listed.flat_map(|index| &index.steps).filter(|step| is_push(step)).map(|step| time(step.event)).min();
    let was_listed = |at: i64| listed.is_some_and(|listed| listed <= at);
    let tasks: Vec<Failure> = stops.get(&Sym::NONE).into_iter().flatten().copied().collect();
    let calls = before.iter().filter(|step| match step.kind {
        StepKind::PullFailed => {
            !step.denied && soon(time(step.event)) && !is_same_role(history, step.event, push)
        }
        StepKind::Pull => {
            let is_sure = history.knows_all_pushes(repository, time(step.event))
                || is_told(history, step.event, &tasks);
            step.caller.needs() && is_sure && is_anothers_workload(history, step.event, push)
        }
        _ => false,
    });
    let calls = calls.map(|step| Failure { event: step.event, is_task: false, by: Sym::NONE });
    // A task that stops soon after the push reports on a pull before the push only if that pull is in the
    // logs.
    let until = if before.is_empty() { pushed } else { pushed + RETRIED_MILLIS };
    let tasks = tasks.iter().copied().filter(|stop| time(stop.event) <= until && soon(time(stop.event)));
    calls.chain(tasks).filter(|failure| !was_listed(time(failure.event).min(pushed))).collect()
}

/// Whether nothing had the tag before the second of the push: of an image that must have had it first, it is
/// known when it came.
fn is_first_of_tag(history: &History, push: &Step, life: &TagLife) -> bool {
    let second = |millis: i64| millis.div_euclid(1000);
    let came = second(history.noted(push.event).time);
    let same_second =
        |span: &TagSpan| span.since.is_none() && span.pushed_at.is_some_and(|pushed| second(pushed) >= came);
    let place = life.spans.iter().position(|span| span.since == push.event);
    place.is_some_and(|place| life.spans.iter().take(place).all(same_second))
}

/// Whether a push was refused before because something had the tag: then it was there, on whatever image.
fn was_taken_before(subject: Subject<'_>, push: &Step) -> bool {
    let Subject { history, repository, .. } = subject;
    let time = |event: EventNo| history.noted(event).time;
    let refused = repository.refused_pushes.get(&push.tag).map(Vec::as_slice).unwrap_or_default();
    refused.iter().any(|other| {
        time(other.event) < time(push.event) && history.text(other.why).contains("TagAlreadyExists")
    })
}

fn asked_by_tag(subject: Subject<'_>, push: &Step, life: &TagLife, stops: &Stops) -> Vec<Failure> {
    let history = subject.history;
    let time = |event: EventNo| history.noted(event).time;
    let came = time(push.event);
    let stopped = life.asks.iter().filter(|ask| ask.kind == AskKind::Stopped).map(|ask| Failure {
        event: ask.event,
        is_task: true,
        by: ask.by,
    });
    let tasks: Vec<Failure> = stopped.chain(stops.get(&push.tag).into_iter().flatten().copied()).collect();
    let counts = |event: EventNo, kind: AskKind, in_vain: bool| match kind {
        AskKind::Stopped => true,
        AskKind::Failed => !is_same_role(history, event, push.event),
        AskKind::Pull => {
            (in_vain || is_told(history, event, &tasks)) && is_anothers_workload(history, event, push.event)
        }
        AskKind::Denied | AskKind::StoppedOtherwise => false,
    };
    let early = life
        .asks
        .iter()
        .take_while(|ask| time(ask.event) <= came)
        .filter(|ask| counts(ask.event, ask.kind, ask.in_vain));
    let early = early.map(|ask| Failure { event: ask.event, is_task: ask.kind.is_a_task(), by: ask.by });
    let late = stops.get(&push.tag).into_iter().flatten().copied();
    let late = late.filter(|stop| (came..=came + RETRIED_MILLIS).contains(&time(stop.event)));
    early.chain(late).collect()
}

fn finding(subject: Subject<'_>, tag: Sym, push: &Step, mut failures: Vec<Failure>) -> Finding {
    let Subject { history, repository, image, .. } = subject;
    failures.sort_by_key(|failure| history.noted(failure.event).time);
    failures.dedup_by_key(|failure| failure.event);
    let first = failures[0].event;
    let mut usage = Usage { references: names(history, &failures), ..Usage::default() };
    for call in failures.iter().filter(|failure| !failure.is_task) {
        usage.add_principal(history.log_text(history.noted(call.event).actor));
    }
    let digest = history.digest_or_zero(image.digest);
    let (came, asked) = (history.noted(push.event).time, history.noted(first).time);
    let what = tag
        .some()
        .map_or_else(|| digest.short(), |tag| format!("tag {} ({})", history.text(tag), digest.short()));
    let is_replica = push.kind == StepKind::Replicate;
    let brought = if is_replica {
        "replication brought it".to_owned()
    } else {
        format!("{} pushed it", who(history, push.event))
    };
    let again = if failures.len() > 1 {
        format!(", {} from {} on", times(failures.len()), history.time(first))
    } else {
        format!(" at {}", history.time(first))
    };
    let told = match came - asked {
        ..=0 => format!(
            "{brought} at {}, {} before, and it had asked for it until then",
            Timestamp::from_millis(came),
            exact(asked - came)
        ),
        late => format!("{brought} only {} later, at {}", exact(late), Timestamp::from_millis(came)),
    };
    let summary = format!(
        "In {}, {} could not have {what}{again}: it was not there yet; {told}.",
        place(&history.repository(repository)),
        by(history, &usage.references, first),
    );
    let is_there = if tag.is_some() { repository.holder(tag).is_some() } else { image.is_alive() };
    let order = if is_replica {
        "Deploy in this region only when replication is done: it takes minutes, up to 30."
    } else {
        "Deploy only after the push has succeeded."
    };
    let advice = is_there
        .then(|| "It can be pulled now: start anew what stopped.".to_owned())
        .into_iter()
        .chain([order.to_owned()])
        .collect();
    let has_task = failures.iter().any(|failure| failure.is_task);
    let events =
        shown(failures.iter().map(|failure| failure.event)).into_iter().chain([push.event]).collect();
    Finding {
        id: if tag.is_some() { id_of(history, repository, history.text(tag)) } else { id(subject) },
        kind: FindingKind::AskedBeforePushed,
        tag: history.log_text(tag),
        lost: LostImage {
            digest: Some(digest),
            pushed_at: Some(Timestamp::from_millis(came)),
            untagged_at: None,
            gone_at: None,
        },
        first_push: Some(history.event(push.event)),
        evidence: evidence(history, events),
        ..frame(history, repository, first, has_task, usage, summary, advice)
    }
}

fn names(history: &History, failures: &[Failure]) -> Vec<LogText> {
    let mut names: Vec<LogText> =
        failures.iter().filter_map(|failure| history.log_text(failure.by)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A span of time; short ones to the second.
fn exact(millis: i64) -> String {
    let seconds = millis.div_euclid(1000);
    if seconds < 600 { format!("{seconds} s") } else { span(seconds) }
}
