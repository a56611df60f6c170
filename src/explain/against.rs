//! "Not this, because …": the other causes, each with the evidence against it.

use super::{Case, Known, sentence};
use crate::model::{Cause, EventRef, PushOrigin, Sentence, StepKind, Timestamp, plural_verb};
use crate::timeline::{End, EventNo, Image, Loss, RepositoryHistory, TagSpan};

/// Why each cause other than `cause` is ruled out. Causes that the logs cannot rule out are not listed.
pub fn other_causes(case: Case<'_>, known: Known<'_>, loss: Option<&Loss>, cause: Cause) -> Vec<Sentence> {
    list(Facts { case, repository: known.repository, image: Some(known.image), loss, cause })
}

/// The same if the repository is known but not the image.
pub fn without_image(case: Case<'_>, repository: &RepositoryHistory, cause: Cause) -> Vec<Sentence> {
    list(Facts { case, repository, image: None, loss: None, cause })
}

/// The same if a call removed the tag but not the image.
pub fn of_removed_tag(case: Case<'_>, known: Known<'_>, span: &TagSpan, cause: Cause) -> Vec<Sentence> {
    let mut list = other_causes(case, known, None, cause);
    let deletions =
        [Cause::DeletedByDigest, Cause::DeletedByLastTag].map(|other| format!("Not {}:", other.word()));
    list.retain(|said| !deletions.iter().any(|start| said.text.starts_with(start)));
    if !known.image.is_gone() {
        list.push(sentence(
            format!("Not {}: the image that had the tag did not go with it.", Cause::DeletedByLastTag.word()),
            case.event(span.ended_by),
        ));
    }
    list
}

fn list(facts: Facts<'_>) -> Vec<Sentence> {
    let others = Cause::ALL.iter().filter(|other| **other != facts.cause);
    let against = |other: &Cause| {
        facts
            .against(*other)
            .map(|(text, evidence)| sentence(format!("Not {}: {text}", other.word()), evidence))
    };
    others.filter_map(against).collect()
}

/// What the logs say for and against causes.
#[derive(Clone, Copy)]
struct Facts<'h> {
    case: Case<'h>,
    repository: &'h RepositoryHistory,
    image: Option<&'h Image>,
    /// The end of the image, if it is gone.
    loss: Option<&'h Loss>,
    cause: Cause,
}

/// Why the cause is ruled out, and the events that show it.
type Reason = (String, Vec<EventRef>);

impl<'h> Facts<'h> {
    fn against(self, other: Cause) -> Option<Reason> {
        if self.loss.is_some_and(|loss| loss.end == End::NotListed) {
            return self.against_what_no_log_tells(other);
        }
        match other {
            Cause::TagMovedThenExpired => self.no_move(),
            Cause::ExpiredWhileTagged => self.no_tagged_expiry(),
            Cause::ExpiredByOtherTag => self.no_other_tag(),
            Cause::DeletedByDigest => self
                .no_deletion(End::DeletedByLastTag, "its last tag was deleted, and the image went with it."),
            Cause::DeletedByLastTag => {
                self.no_deletion(End::DeletedByDigest, "it was deleted by its digest.")
            }
            Cause::RepositoryDeleted => self.no_deleted_repository(),
            Cause::Archived => self.no_archive(),
            Cause::NeverPushedHere => {
                self.push().map(|push| ("it was pushed to this very repository.".to_owned(), push))
            }
            Cause::ReplicatedDeletion | Cause::SubjectGone => None,
            Cause::ReplicaMissing => self
                .other_origin(PushOrigin::Replication, "its push came from a client, not from replication."),
            Cause::PullThroughCacheExpired => self.other_origin(
                PushOrigin::PullThroughCache,
                "its push came from a client, not from a pull-through cache.",
            ),
            Cause::IndexOrChildGone => self.no_relatives(),
            Cause::AccessTaken => self.no_access_change(),
            Cause::TagMovedStillThere => self.no_move_alone(),
            // Not causes in themselves: they remain if no other is left.
            Cause::ExpiredUntagged | Cause::NotListed | Cause::StillThere | Cause::Unknown => None,
            Cause::TagRemoved | Cause::IndexLostToItsChild | Cause::AskedBeforePushed => None,
        }
    }

    /// Nothing shows what took the image: only causes that would have left it in place can be ruled out.
    fn against_what_no_log_tells(self, other: Cause) -> Option<Reason> {
        match other {
            Cause::Archived if self.case.history.list_has_archived(self.repository) => Some((
                "the list has what lies in the archive, too, and not this image.".to_owned(),
                self.ended(),
            )),
            Cause::AccessTaken => self.no_access_change(),
            Cause::TagMovedStillThere => self.no_move_alone(),
            Cause::NeverPushedHere => {
                self.push().map(|push| ("it was pushed to this very repository.".to_owned(), push))
            }
            _ => None,
        }
    }

    fn no_move(self) -> Option<Reason> {
        match self.loss {
            Some(loss) if loss.end == End::Expired && lists_tags(loss) => {
                Some(("the run lists tags on the image.".to_owned(), self.ended()))
            }
            // It was displaced and then expired: the cause found is more specific.
            Some(loss) if loss.end == End::Expired && loss.displaced.is_some() => None,
            Some(loss) if loss.end == End::Expired => {
                Some(("no push in these logs took its last tag.".to_owned(), Vec::new()))
            }
            _ => self.not_expired(),
        }
    }

    fn no_tagged_expiry(self) -> Option<Reason> {
        match self.loss {
            Some(loss) if loss.end == End::Expired && !lists_tags(loss) => {
                Some(("the run lists the image as untagged.".to_owned(), self.ended()))
            }
            Some(loss) if loss.end == End::Expired && self.cause == Cause::ExpiredByOtherTag => Some((
                "the rule does not match the tag that was asked for, but another tag of the image."
                    .to_owned(),
                self.ended(),
            )),
            Some(loss) if loss.end == End::Expired => None,
            _ => self.not_expired(),
        }
    }

    fn no_other_tag(self) -> Option<Reason> {
        match self.loss {
            Some(loss) if loss.end == End::Expired && !lists_tags(loss) => {
                Some(("the run lists the image as untagged.".to_owned(), self.ended()))
            }
            Some(loss) if loss.end == End::Expired => {
                Some(("the rule does not single out another of its tags.".to_owned(), self.ended()))
            }
            _ => self.not_expired(),
        }
    }

    /// No lifecycle run expired it: it ended in another way, or runs were logged and none lists it. The
    /// absence of runs rules out nothing.
    fn not_expired(self) -> Option<Reason> {
        if let Some(reason) = self.came_back(&[End::Expired]) {
            return Some(reason);
        }
        if self.losses().any(|loss| loss.end == End::Expired) {
            return None;
        }
        if self.loss.is_some() {
            return Some(("no lifecycle run expired it.".to_owned(), self.ended()));
        }
        let &(run, _) = self.repository.runs.last()?;
        let runs = self.repository.runs.len();
        Some((
            format!(
                "{} logged, and none of them expired it.",
                plural_verb(runs, "lifecycle run of the repository", ["was", "were"])
            ),
            self.case.event(run),
        ))
    }

    fn no_deletion(self, instead: End, otherwise: &str) -> Option<Reason> {
        if self.loss.is_some_and(|loss| loss.end == instead) {
            return Some((otherwise.to_owned(), self.ended()));
        }
        if let Some(reason) = self.came_back(&[End::DeletedByDigest, End::DeletedByLastTag]) {
            return Some(reason);
        }
        if self.losses().any(|loss| matches!(loss.end, End::DeletedByDigest | End::DeletedByLastTag)) {
            return None;
        }
        let failed = self.steps().rfind(|(kind, _)| *kind == StepKind::DeleteFailed).map(|(_, event)| event);
        match failed {
            Some(event) => {
                Some(("the BatchDeleteImage that names it failed.".to_owned(), self.case.event(event)))
            }
            None => Some(("no BatchDeleteImage in these logs removed it.".to_owned(), Vec::new())),
        }
    }

    fn no_deleted_repository(self) -> Option<Reason> {
        if let Some(reason) = self.came_back(&[End::RepositoryDeleted]) {
            return Some(reason);
        }
        // For an image that the logs do not know, nobody can tell whether it existed at that time.
        let before =
            |event: &EventNo| self.loss.is_none_or(|loss| self.case.history.noted(*event).time <= loss.at);
        let recreated =
            self.repository.creations.iter().any(before) && self.image.is_some_and(|image| image.vanished);
        if recreated || self.repository.deletions.iter().any(before) {
            return None;
        }
        let when = if self.loss.is_some() { "before it went" } else { "in the time that these logs cover" };
        Some((format!("no DeleteRepository was logged for this repository {when}."), Vec::new()))
    }

    /// An earlier life ended in this way, and the image came back: that explains failures of that time, but
    /// no later ones.
    fn came_back(self, ends: &[End]) -> Option<Reason> {
        let losses = self.image.map(|image| image.losses.as_slice()).unwrap_or_default();
        let earlier = losses.iter().rfind(|loss| ends.contains(&loss.end) && loss.back_at.is_some())?;
        let (at, back) = (Timestamp::from_millis(earlier.at), Timestamp::from_millis(earlier.back_at?));
        Some((format!("that happened at {at}, and it came back at {back}."), self.case.event(earlier.event)))
    }

    fn no_archive(self) -> Option<Reason> {
        if let Some(reason) = self.came_back(&[End::Archived]) {
            return Some(reason);
        }
        if self.loss.is_none() && self.losses().any(|loss| loss.end == End::Archived) {
            return None;
        }
        Some(match self.loss {
            Some(_) => (
                "its end was an expiry or a deletion, not a transition to the archive: it cannot be \
                 restored."
                    .to_owned(),
                self.ended(),
            ),
            None => ("no transition of it to the archive was logged.".to_owned(), Vec::new()),
        })
    }

    fn push(self) -> Option<Vec<EventRef>> {
        let push = self.steps().find(|(kind, _)| matches!(kind, StepKind::Push | StepKind::Replicate))?;
        Some(self.case.event(push.1))
    }

    fn other_origin(self, origin: PushOrigin, text: &str) -> Option<Reason> {
        let image = self.image?;
        (image.origin != origin && image.origin == PushOrigin::Client)
            .then(|| Some((text.to_owned(), self.push()?)))
            .flatten()
    }

    fn no_relatives(self) -> Option<Reason> {
        let image = self.image?;
        let alone = image.children.is_empty() && !self.repository.parents.contains_key(&image.digest);
        alone.then(|| {
            ("it lists no other images, and no index in these logs lists it.".to_owned(), Vec::new())
        })
    }

    fn no_access_change(self) -> Option<Reason> {
        // A key that was unusable for a while explains failures of that time.
        if self.loss.is_none() && !self.repository.key_steps.is_empty() {
            return None;
        }
        let change = self.repository.access_changes.last().copied();
        let text = match (self.loss, change) {
            (Some(loss), Some(change)) if self.case.history.noted(change).time <= loss.at => {
                "the last change of the repository policy lies before its end, and its end explains the \
                 failure."
            }
            (Some(loss), _) if loss.end == End::Archived => {
                "the repository policy did not change before it was archived, and an image in the archive \
                 fails for everybody."
            }
            (Some(_), _) => {
                "the repository policy did not change before it went, and an image that is gone fails for \
                 everybody."
            }
            (None, Some(_)) => {
                "the repository policy was changed, but no pull was refused after it, nor does the text speak \
                 of a refusal."
            }
            (None, None) => {
                "the repository policy did not change in these logs, and no pull of the image was refused."
            }
        };
        let before = change
            .filter(|change| self.loss.is_none_or(|loss| self.case.history.noted(*change).time <= loss.at));
        Some((text.to_owned(), before.map(|change| self.case.event(change)).unwrap_or_default()))
    }

    fn no_move_alone(self) -> Option<Reason> {
        match (self.loss, self.image) {
            (Some(loss), _) if loss.end == End::Archived => Some((
                "it was archived, and what lies in the archive cannot be pulled with or without a tag."
                    .to_owned(),
                self.ended(),
            )),
            (Some(loss), _) if loss.back_at.is_some() => {
                Some(("it was gone for a while, and had not only lost its tag.".to_owned(), self.ended()))
            }
            (Some(_), _) => Some(("it is gone.".to_owned(), self.ended())),
            (None, Some(image)) if !image.tags.is_empty() => {
                Some(("it has a tag.".to_owned(), self.case.event(image.tags[0].1)))
            }
            (None, Some(_)) => Some(("no push in these logs took its last tag.".to_owned(), Vec::new())),
            (None, None) => None,
        }
    }

    fn losses(self) -> impl Iterator<Item = &'h Loss> {
        self.image.map(|image| image.losses.as_slice()).unwrap_or_default().iter()
    }

    fn ended(self) -> Vec<EventRef> {
        self.loss.map(|loss| self.case.event(loss.event)).unwrap_or_default()
    }

    fn steps(self) -> impl DoubleEndedIterator<Item = (StepKind, EventNo)> {
        self.image
            .map(|image| image.steps.as_slice())
            .unwrap_or_default()
            .iter()
            .map(|step| (step.kind, step.event))
    }
}

fn lists_tags(loss: &Loss) -> bool {
    loss.run.as_ref().is_some_and(|run| !run.tags.is_empty())
}
