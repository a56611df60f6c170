//! Looks up what a finding's picture is drawn from, by the same criteria as the finding itself.

use crate::detect::rule_in_words;
use crate::model::{Finding, FindingKind, KeyChange, Repository, StepKind, Timestamp};
use crate::timeline::{EventNo, History, Image, KeyStep, Loss, RepositoryHistory, Step};
use crate::ui::report::{Ask, Holder, Story};

/// Looks up what the finding names in the history that it was made from.
pub fn story(history: &History, finding: &Finding) -> Story {
    let Some(repository) = find(history, &finding.repository) else { return Story::default() };
    let image = finding.lost.digest.and_then(|digest| repository.image(history.find_digest(&digest)?));
    let loss = image.and_then(|image| loss_of(history, image, finding));
    let source = image.zip(loss).and_then(|(image, loss)| history.behind(repository, image, loss));
    let mut story = Story {
        life: image.map(|image| history.timeline(repository, image)),
        tag: finding.tag.as_ref().and_then(|tag| history.tag(repository, history.find_string(tag.raw())?)),
        rule: source
            .map(|(.., loss)| loss)
            .or(loss)
            .filter(|loss| loss.run.is_some())
            .map(|loss| rule_in_words(history, loss)),
        presumed: loss.is_some_and(|loss| loss.presumed.is_some()),
        back_at: loss.and_then(|loss| loss.back_at).map(Timestamp::from_millis),
        runs: repository.runs.iter().map(|(event, _)| history.time(*event)).collect(),
        policies: repository.policies.iter().map(|change| history.time(change.event)).collect(),
        locked: if is_about_a_policy(finding) { Vec::new() } else { locked(history, &repository.key_steps) },
        ..Story::default()
    };
    if let Some(kept) = finding.kept.digest.and_then(|digest| repository.image(history.find_digest(&digest)?))
    {
        story.other = Some(history.timeline(repository, kept));
    } else if let Some((place, image, _)) = source {
        story.other_is_source = finding.kind == FindingKind::ReplicatedDeletion;
        story.other = Some(history.timeline(place, image));
    }
    match image {
        Some(image) if !is_about_a_tag(finding, image) => {
            story.asks = asks_of_image(history, image, loss, finding, &story.locked)
        }
        _ => {}
    }
    story.asks.extend(asks_of_tag(history, repository, finding, image));
    story.asks.sort_by_key(|ask| ask.at);
    story.holders = image.map(|image| holders(history, image, loss)).unwrap_or_default();
    story
}

fn find<'h>(history: &'h History, name: &Repository) -> Option<&'h RepositoryHistory> {
    let at = history.repositories().binary_search_by(|other| history.repository(other).cmp(name)).ok()?;
    history.repositories().get(at)
}

/// The end of a life that the finding is about.
fn loss_of<'h>(history: &History, image: &'h Image, finding: &Finding) -> Option<&'h Loss> {
    let gone = finding.lost.gone_at?;
    let event = finding.deletion.as_ref().map(|deletion| &deletion.event.event_id);
    let same_time = |loss: &&Loss| loss.at == gone.millis();
    let named =
        image.losses.iter().filter(same_time).find(|loss| Some(&history.event(loss.event).event_id) == event);
    named.or_else(|| image.losses.iter().find(same_time))
}

/// Whether the request was for a tag that the image no longer had.
fn is_about_a_tag(finding: &Finding, image: &Image) -> bool {
    match finding.kind {
        FindingKind::TagRemoved => true,
        FindingKind::Unexplained => {
            image.steps.iter().all(|step| !matches!(step.kind, StepKind::PullFailed | StepKind::TaskStopped))
        }
        _ => false,
    }
}

fn asks_of_image(
    history: &History,
    image: &Image,
    loss: Option<&Loss>,
    finding: &Finding,
    locked: &[(Timestamp, Option<Timestamp>)],
) -> Vec<Ask> {
    let first = loss.map_or(image.life_start, |loss| loss.first_step) as usize;
    let end = loss.map_or(usize::MAX, |loss| loss.end_step as usize);
    let next = loss.map_or(image.steps.len(), |loss| (loss.next_life_step as usize).min(image.steps.len()));
    let mut asks = Vec::new();
    for (index, step) in image.steps.iter().enumerate().take(next).skip(first) {
        let at = history.time(step.event);
        let shut = || locked.iter().any(|(from, until)| at > *from && until.is_none_or(|until| at < until));
        let failed = matches!(step.kind, StepKind::PullFailed | StepKind::TaskStopped) && !step.denied;
        let in_vain = match finding.kind {
            FindingKind::AccessTaken if is_about_a_policy(finding) => refused(history, step, finding),
            FindingKind::AccessTaken => shut(),
            FindingKind::Unexplained => failed && at >= finding.second_push.event_time,
            _ => index > end && (failed || step.kind == StepKind::Pull),
        };
        let counts = match step.kind {
            // Around unexplained failures, it is not known whether a pull succeeded.
            StepKind::Pull
                if finding.kind == FindingKind::Unexplained && at >= finding.second_push.event_time =>
            {
                false
            }
            StepKind::Pull => step.caller.needs(),
            StepKind::PullFailed | StepKind::TaskStopped => in_vain,
            _ => false,
        };
        if counts {
            let by = history.log_text(history.noted(step.event).actor);
            asks.push(Ask { at, by, stopped: step.kind == StepKind::TaskStopped, in_vain });
        }
    }
    let later = loss.map(|loss| loss.asked_later.as_slice()).unwrap_or_default();
    asks.extend(later.iter().map(|(event, kind)| ask(history, *event, kind.is_a_task())));
    asks
}

/// Whether a change of the repository's policy took access from some callers, as opposed to the key from
/// all.
fn is_about_a_policy(finding: &Finding) -> bool {
    let name = &finding.second_push.event_name;
    finding.kind == FindingKind::AccessTaken
        && (*name == "SetRepositoryPolicy" || *name == "DeleteRepositoryPolicy")
}

/// Whether one of those named by the finding was refused afterwards.
fn refused(history: &History, step: &Step, finding: &Finding) -> bool {
    let by = history.log_text(history.noted(step.event).actor);
    let is_named = by.is_some_and(|by| finding.usage.principals.contains(&by));
    step.kind == StepKind::PullFailed
        && step.denied
        && is_named
        && history.time(step.event) >= finding.second_push.event_time
}

fn ask(history: &History, event: EventNo, stopped: bool) -> Ask {
    Ask { at: history.time(event), by: history.log_text(history.noted(event).actor), stopped, in_vain: true }
}

/// Requests for a tag that no image had, if the finding is about that.
fn asks_of_tag(
    history: &History,
    repository: &RepositoryHistory,
    finding: &Finding,
    image: Option<&Image>,
) -> Vec<Ask> {
    if !image.is_none_or(|image| is_about_a_tag(finding, image)) {
        return Vec::new();
    }
    let tag = finding.tag.as_ref().and_then(|tag| history.find_string(tag.raw()));
    let Some(life) = tag.and_then(|tag| repository.tag_lives.get(&tag)) else { return Vec::new() };
    let since = finding.second_push.event_time;
    let next = life
        .spans
        .iter()
        .map(|span| span.from)
        .filter(|from| *from > since.millis())
        .min()
        .unwrap_or(i64::MAX);
    let open = |at: Timestamp| at >= since && at.millis() < next;
    life.asks
        .iter()
        .filter(|found| open(history.time(found.event)) && crate::detect::asked(found))
        .map(|found| ask(history, found.event, found.kind.is_a_task()))
        .collect()
}

fn holders(history: &History, image: &Image, loss: Option<&Loss>) -> Vec<Holder> {
    let (from, until) =
        loss.map_or((i64::MIN, i64::MAX), |loss| (loss.pushed_at.unwrap_or(i64::MIN), loss.until));
    let gone = loss.map_or(i64::MAX, |loss| loss.at);
    let needed = image.uses.iter().filter(|found| {
        found.kind.pins() && found.until > from.max(gone.min(i64::MAX - 1)) && found.from < until
    });
    let mut holders: Vec<Holder> = needed
        .filter_map(|found| {
            let until = Some(found.until).filter(|until| *until != i64::MAX).map(Timestamp::from_millis);
            Some(Holder { by: history.log_text(found.by)?, from: Timestamp::from_millis(found.from), until })
        })
        .collect();
    holders.sort_by(|a, b| (a.from, &a.by).cmp(&(b.from, &b.by)));
    holders
}

fn locked(history: &History, steps: &[KeyStep]) -> Vec<(Timestamp, Option<Timestamp>)> {
    let mut stretches: Vec<(Timestamp, Option<Timestamp>)> = Vec::new();
    for step in steps {
        let open = stretches.last_mut().filter(|(_, until)| until.is_none());
        match (step.change, open) {
            (change, None) if change.locks() => stretches.push((history.time(step.event), None)),
            (KeyChange::Enabled | KeyChange::Imported, Some((_, until))) => {
                *until = Some(history.time(step.event))
            }
            _ => {}
        }
    }
    stretches
}
