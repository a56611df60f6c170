//! Sentences of findings, and parts that all findings share.

use super::reasons::{Why, caller};
use crate::model::{
    DAY_SECONDS, Deleted, EventRef, LogText, LostImage, Order, Repository, StepKind, Timestamp, Usage,
    caller_in_words, plural,
};
use crate::policy::{Rule, fits};
use crate::timeline::{Ask, AskKind, EventNo, History, Image, Loss, RepositoryHistory, Step, Sym};

/// The events sorted by time, each once.
pub fn evidence(history: &History, mut events: Vec<EventNo>) -> Vec<EventRef> {
    events.retain(|event| event.is_some());
    let mut all: Vec<EventRef> = events.into_iter().map(|event| history.event(event)).collect();
    all.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
    all.dedup_by(|a, b| a.event_id == b.event_id);
    all
}

/// Adds the events behind the reasons to the finding's evidence.
pub fn add_reasons(evidence: &mut Vec<EventRef>, why: &Why) {
    let more = why.reasons.iter().flat_map(|reason| reason.evidence.iter().cloned());
    evidence.extend(more);
    evidence.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
    evidence.dedup_by(|a, b| a.event_id == b.event_id);
}

/// The tags that somebody asked for or deployed, the last first; if there are none, all tags that went with
/// the image.
pub fn tags_by_need(history: &History, image: &Image, loss: &Loss) -> Vec<LogText> {
    let had = |tag: Sym| loss.tags.iter().any(|(own, _)| *own == tag);
    let asks = |step: &&Step| {
        matches!(
            step.kind,
            StepKind::Pull | StepKind::PullFailed | StepKind::Referenced | StepKind::TaskStopped
        )
    };
    let last = (loss.next_life_step as usize).min(image.steps.len());
    let steps = image.steps.get(loss.first_step as usize..last).unwrap_or_default();
    let wanted = steps
        .iter()
        .rev()
        .filter(asks)
        .filter(|step| step.tag.is_some() && step.caller.needs())
        .find(|step| had(step.tag));
    let mut tags: Vec<LogText> = match wanted {
        Some(step) => history.log_text(step.tag).into_iter().collect(),
        None => loss.tags.iter().filter_map(|(tag, _)| history.log_text(*tag)).collect(),
    };
    tags.sort_unstable();
    tags
}

/// The event that asked for a restore, if the restore is not finished by the end of the logs.
pub fn restore_under_way(image: &Image) -> Option<EventNo> {
    let since = image
        .steps
        .iter()
        .rev()
        .take_while(|step| !matches!(step.kind, StepKind::Archive | StepKind::Restore));
    since.filter(|step| step.kind == StepKind::RestoreRequested).last().map(|step| step.event)
}

/// How to restore an image from the archive, or how long to wait if somebody has asked for that.
pub fn restore(history: &History, repository: &RepositoryHistory, image: &Image) -> String {
    if let Some(asked) = restore_under_way(image) {
        return format!(
            "Wait: {} asked for its restore at {}, and that is not done by the end of these logs. It takes up \
             to about 20 minutes; ImageActivationEvent tells when it is done, and until then `aws ecr \
             describe-images` has imageStatus ACTIVATING.",
            caller(history, asked),
            history.time(asked)
        );
    }
    let place = history.repository(repository);
    format!(
        "Restore it: `aws ecr update-image-storage-class --region {} --registry-id {} --repository-name {} \
         --image-id imageDigest={} --target-storage-class STANDARD`; it takes up to about 20 minutes.",
        place.region.raw(),
        place.registry_id.raw(),
        place.name.raw(),
        history.digest_or_zero(image.digest)
    )
}

/// The events that the order of two pushes was inferred from.
pub fn settled(repository: &RepositoryHistory, pushes: [EventNo; 2]) -> impl Iterator<Item = EventNo> + '_ {
    pushes.into_iter().filter_map(|push| repository.settled.get(&push)).flatten().copied()
}

/// Advice about mutable tags, given the repository's settings at the end of the logs.
pub fn immutability(history: &History, repository: &RepositoryHistory, tag: &str) -> String {
    let setting = history.text(repository.mutability.setting);
    let exclusions = &repository.mutability.exclusions;
    let exempt = exclusions.iter().map(|filter| history.text(*filter)).find(|filter| fits(filter, tag));
    match (setting, exempt) {
        ("IMMUTABLE", _) => {
            "The repository's tags are immutable since then: a second push fails, and orphans nothing."
                .to_owned()
        }
        ("IMMUTABLE_WITH_EXCLUSION", Some(filter)) => format!(
            "The repository's tags are immutable, and {tag} is exempt by the exclusion filter {filter}: take \
             it out of the filters, so that the second push fails instead of orphaning the first image."
        ),
        ("IMMUTABLE_WITH_EXCLUSION", None) if !exclusions.is_empty() => {
            format!(
                "The repository's tags are immutable since then, and no exclusion filter exempts {tag}: a \
                 second push fails, and orphans nothing."
            )
        }
        ("MUTABLE_WITH_EXCLUSION", Some(filter)) => {
            format!(
                "Tag {tag} is immutable since then, by the exclusion filter {filter}: a second push fails, \
                 and orphans nothing."
            )
        }
        ("MUTABLE_WITH_EXCLUSION", None) if !exclusions.is_empty() => {
            format!(
                "Add {tag} to the exclusion filters of the repository's mutability, so that the second push \
                 fails instead of orphaning the first image."
            )
        }
        (exclusion, _) if exclusion.ends_with("_WITH_EXCLUSION") => format!(
            "Make tag {tag} immutable, so that the second push fails instead of orphaning the first image: \
             the repository's setting knows exclusions ({exclusion})."
        ),
        _ => "Make the repository's tags immutable, so that the second push fails instead of orphaning the \
            first image."
            .to_owned(),
    }
}

/// The event that took the image, with the rule that the event states.
pub fn deleted(history: &History, loss: &Loss) -> Deleted {
    let run = loss.run.as_ref();
    let tags =
        run.map(|run| run.tags.to_vec()).unwrap_or_else(|| loss.tags.iter().map(|(tag, _)| *tag).collect());
    Deleted {
        event: history.event(loss.event),
        rule_priority: run.map(|run| run.rule_priority).filter(|priority| *priority >= 0),
        rule: rule_of(history, loss).map(|rule| rule.text.clone()),
        tag_status: run.and_then(|run| history.log_text(run.tag_status)),
        tag_list: tags.into_iter().filter_map(|tag| history.log_text(tag)).collect(),
    }
}

/// The rule that took the image, if a lifecycle run did.
pub fn rule_of<'h>(history: &'h History, loss: &Loss) -> Option<&'h Rule> {
    let run = loss.run.as_ref()?;
    history.policy(run.policy).rule(run.rule_priority)
}

/// The image as it was when it was lost.
pub fn lost(history: &History, image: &Image, loss: &Loss) -> LostImage {
    LostImage {
        digest: history.digest(image.digest),
        pushed_at: loss.pushed_at.map(Timestamp::from_millis),
        untagged_at: loss.untagged_at.map(Timestamp::from_millis),
        gone_at: Some(Timestamp::from_millis(loss.at)),
    }
}

/// How sure the order is in which `event` reached the image; `Observed` where the event is not known.
pub fn order_of(image: &Image, event: EventNo) -> Order {
    image
        .steps
        .iter()
        .filter(|step| step.event == event)
        .map(|step| step.order)
        .max()
        .unwrap_or(Order::Observed)
}

/// `eu-central-1/111122223333/shop/api`: enough to find the repository.
pub fn place(repository: &Repository) -> String {
    format!("{} ({}, {})", repository.name.raw(), repository.registry_id.raw(), repository.region.raw())
}

/// Whether somebody certainly asked for a tag that did not exist, and was not refused for lack of
/// permission or another reason.
pub fn asked(ask: &Ask) -> bool {
    ask.in_vain && matches!(ask.kind, AskKind::Pull | AskKind::Failed | AskKind::Stopped)
}

/// "2 pulls and 1 task".
pub fn counted_asks(asks: &[&Ask]) -> String {
    let stops = asks.iter().filter(|ask| ask.kind == AskKind::Stopped).count();
    match (asks.len() - stops, stops) {
        (pulls, 0) => plural(pulls, "pull"),
        (0, stops) => plural(stops, "task"),
        (pulls, stops) => format!("{} and {}", plural(pulls, "pull"), plural(stops, "task")),
    }
}

/// The usage that consists of those who asked for a tag that no image had.
pub fn usage_of_asks(history: &History, asks: &[&Ask]) -> Usage {
    let mut usage = Usage::default();
    for ask in asks {
        if ask.kind == AskKind::Stopped {
            usage.references.extend(history.log_text(ask.by));
            continue;
        }
        usage.pulls_after_gone += 1;
        usage.last_pull = Some(history.event(ask.event));
        usage.add_principal(history.log_text(history.noted(ask.event).actor));
    }
    usage.references.sort_unstable();
    usage.references.dedup();
    usage
}

/// Who made the call, shortened for sentences; the event itself has the whole ARN.
pub fn who(history: &History, event: EventNo) -> String {
    let Some(event) = event.some() else { return caller_in_words("", "") };
    let noted = history.noted(event);
    caller_in_words(history.text(noted.actor), history.text(noted.recipient))
}

/// The role behind an assumed-role session: everything but the session's name, so that all runs of one
/// pipeline are alike.
pub fn role(actor: &str) -> &str {
    match actor.split_once(":assumed-role/") {
        Some((head, rest)) => {
            &actor[..head.len() + ":assumed-role/".len() + rest.rfind('/').unwrap_or(rest.len())]
        }
        None => actor,
    }
}

/// `9 s`, `14 min`, `6 h`, `3 d`: a span of time for people, rounded down.
pub fn span(seconds: i64) -> String {
    match seconds {
        ..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / DAY_SECONDS),
    }
}

/// The rule that took the image, in words; only its number if the run's event does not state the rule.
pub fn rule_in_words(history: &History, loss: &Loss) -> String {
    let number = |priority: i64| format!("lifecycle rule {priority}");
    let stated = loss.run.as_ref().map(|run| run.rule_priority).filter(|priority| *priority >= 0);
    rule_of(history, loss)
        .map(Rule::in_words)
        .or(stated.map(number))
        .unwrap_or_else(|| "a lifecycle rule".to_owned())
}
