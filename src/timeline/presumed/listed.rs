//! Ends that a list has shown and that need no gap in the logs: a copy that is not listed any more went with
//! its source where deletions are replicated, and an artifact with the image that it is about.

use super::copies::Copies;
use super::{Because, last_step_until, recount, subject_loss};
use crate::model::{DAY_MILLIS, Order, StepKind};
use crate::timeline::contradictions::Disagreement;
use crate::timeline::fact::Noted;
use crate::timeline::image::{End, Image, Loss, Step};
use crate::timeline::names::EventNo;
use crate::timeline::replay::RepositoryHistory;

/// What explains that an image is not listed.
struct Explained {
    /// Numbers of the repository and of the image.
    repository: usize,
    image: usize,
    end: End,
    event: EventNo,
    at: i64,
    order: Order,
    because: Because,
}

/// Copies that a list lacks, and whose sources went before it.
pub(super) fn explain_copies(repositories: &mut [RepositoryHistory], copies: &Copies<'_>, events: &[Noted]) {
    let mut found: Vec<Explained> = Vec::new();
    for (source, loss, copy) in copies.of_losses(repositories) {
        let image = &repositories[copy.repository].images[copy.image];
        if is_not_listed_since(image, loss.at, loss.at, events) {
            let Loss { end, event, at, order, .. } = *loss;
            let because = Because::Source { repository: source.repository, set_up: copy.set_up };
            found.push(Explained {
                repository: copy.repository,
                image: copy.image,
                end,
                event,
                at,
                order,
                because,
            });
        }
    }
    // Of several sources the first that went counts.
    found.sort_by_key(|one| (one.repository, one.image, one.at));
    found.dedup_by_key(|one| (one.repository, one.image));
    found.into_iter().for_each(|one| one.apply(&mut repositories[one.repository], events));
    repositories.iter_mut().for_each(|repository| forget_tags(repository, events));
}

/// Artifacts that a list lacks, and whose subjects went before it; whether there are any.
pub(super) fn explain_artifacts(repository: &mut RepositoryHistory, number: usize, events: &[Noted]) -> bool {
    let mut found = Vec::new();
    for (at, image) in repository.images.iter().enumerate() {
        let Some(loss) = subject_loss(repository, image) else { continue };
        let due = loss.at.saturating_add(DAY_MILLIS);
        if is_not_listed_since(image, loss.at, due, events) {
            let listed = image.losses.last().map_or(i64::MAX, |loss| loss.at);
            let ended = due.min(listed);
            let (end, event, order, because) =
                (loss.end, loss.event, loss.order, Because::Subject(image.subject));
            found.push(Explained { repository: number, image: at, end, event, at: ended, order, because });
        }
    }
    found.iter().for_each(|one| one.apply(repository, events));
    !found.is_empty()
}

/// It was there at that moment, nothing has shown it since, and a list after that lacks it. Lists before that
/// one may have shown it until `listed_until`.
fn is_not_listed_since(image: &Image, at: i64, listed_until: i64, events: &[Noted]) -> bool {
    let Some(loss) = image
        .losses
        .last()
        .filter(|loss| loss.end == End::NotListed && loss.back_at.is_none() && loss.at >= at)
    else {
        return false;
    };
    let shows = |kind: StepKind| {
        matches!(
            kind,
            StepKind::Push
                | StepKind::Replicate
                | StepKind::Untag
                | StepKind::Seen
                | StepKind::Restore
                | StepKind::Archive
        )
    };
    let from = |kind: StepKind| if kind == StepKind::Seen { listed_until } else { at };
    let later = |step: &Step| events[step.event.index()].time > from(step.kind);
    loss.pushed_at.is_none_or(|pushed| pushed <= at)
        && !image.steps.iter().any(|step| shows(step.kind) && later(step))
}

impl Explained {
    /// The end that the list shows replaces the unexplained one, and is no contradiction any more.
    fn apply(&self, repository: &mut RepositoryHistory, events: &[Noted]) {
        let image = &mut repository.images[self.image];
        let digest = image.digest;
        let end_step = last_step_until(image, self.at, events);
        let Some(loss) = image.losses.last_mut() else { return };
        let listed = loss.event;
        (loss.end, loss.event, loss.at, loss.order, loss.presumed) =
            (self.end, self.event, self.at, self.order, Some(self.because));
        loss.end_step = end_step;
        image.gone_at = Some(self.at);
        for (tag, life) in &mut repository.tag_lives {
            let mut spans =
                life.spans.iter_mut().filter(|span| span.digest == digest && span.ended_by == listed);
            if let Some(span) = spans.next_back() {
                (span.until, span.ended_by) = (self.at, self.event);
                recount(life, *tag, &repository.images[self.image], events);
            }
        }
        repository.contradictions.retain(|found| {
            !(found.what == Disagreement::NotListed && found.image.digest == digest && found.shown == listed)
        });
    }
}

/// A tag that a list shows on another image is in no contradiction to the logs, where the image that had it
/// is concluded to be gone.
fn forget_tags(repository: &mut RepositoryHistory, events: &[Noted]) {
    let images = &repository.images;
    let went_before = |given: EventNo, tag, shown: EventNo| {
        let holder =
            images.iter().find(|image| image.steps.iter().any(|step| step.event == given && step.tag == tag));
        let losses = holder.map(|image| image.losses.as_slice()).unwrap_or_default();
        losses.iter().any(|loss| loss.presumed.is_some() && loss.at <= events[shown.index()].time)
    };
    let is_explained = |found: &crate::timeline::contradictions::Contradicts| {
        found.what == Disagreement::TagElsewhere
            && found.logged.is_some()
            && went_before(found.logged, found.image.tag, found.shown)
    };
    let kept: Vec<_> =
        repository.contradictions.iter().filter(|found| !is_explained(found)).copied().collect();
    repository.contradictions = kept;
}
