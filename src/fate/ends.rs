//! How an image was lost in one place.

use super::places::Spot;
use crate::detect::rule_of;
use crate::model::{FateEnd, FateEndKind, LogText, Presence, Timestamp};
use crate::timeline::{Because, End, History, Loss};

/// The end of its last life there; `None` while it exists there, and where no log tells.
pub(super) fn of(history: &History, spot: &Spot<'_>) -> Option<FateEnd> {
    let loss = last(spot)?;
    let with = match loss.presumed {
        Some(Because::Source { repository, .. }) => {
            history.numbered(repository).map(|source| history.repository(source))
        }
        _ => None,
    };
    let how = match (loss.presumed, loss.end) {
        (Some(Because::Source { .. }), _) => FateEndKind::ReplicatedDeletion,
        (Some(Because::Subject(_)), _) => FateEndKind::SubjectGone,
        (None, End::Expired) => FateEndKind::Expired,
        (None, End::Archived) => FateEndKind::Archived,
        (None, End::DeletedByDigest) => FateEndKind::DeletedByDigest,
        (None, End::DeletedByLastTag) => FateEndKind::DeletedByLastTag,
        (None, End::RepositoryDeleted) => FateEndKind::RepositoryDeleted,
        (None, End::NotListed) => FateEndKind::NotListed,
    };
    Some(FateEnd {
        at: Timestamp::from_millis(loss.at),
        how,
        event: history.event(loss.event),
        rule_priority: loss.run.as_ref().map(|run| run.rule_priority).filter(|priority| *priority >= 0),
        rule: rule_of(history, loss).map(|rule| rule.text.clone()),
        with,
    })
}

/// The loss that it has not come back from.
pub(super) fn last<'h>(spot: &Spot<'h>) -> Option<&'h Loss> {
    let image = spot.image.filter(|_| matches!(spot.presence, Presence::Gone | Presence::Archived))?;
    image.losses.last().filter(|loss| loss.back_at.is_none())
}

/// Its tags now, or those that it was lost with.
pub(super) fn tags(history: &History, spot: &Spot<'_>) -> Vec<LogText> {
    let now = spot.image.map(|image| image.tags.as_slice()).unwrap_or_default();
    let of = last(spot).filter(|_| spot.presence == Presence::Gone).map_or(now, |loss| loss.tags.as_slice());
    let mut tags: Vec<LogText> = of.iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
    tags.sort_unstable();
    tags
}
