//! How a life ended → the cause.

use super::{Case, Known};
use crate::detect::{heading, rule_of};
use crate::model::{Cause, PushOrigin};
use crate::policy::Tags;
use crate::timeline::{Because, End, Loss};

/// The cause that corresponds to the end of the image's life.
pub fn of_loss(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Cause {
    match loss.presumed {
        Some(Because::Source { .. }) => return Cause::ReplicatedDeletion,
        Some(Because::Subject(_)) => return Cause::SubjectGone,
        None => {}
    }
    match loss.end {
        End::RepositoryDeleted => Cause::RepositoryDeleted,
        End::DeletedByDigest => Cause::DeletedByDigest,
        End::DeletedByLastTag => Cause::DeletedByLastTag,
        End::Archived => Cause::Archived,
        End::NotListed => Cause::NotListed,
        End::Expired => expired(case, known, loss),
    }
}

fn expired(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Cause {
    let listed_tags = loss.run.as_ref().is_some_and(|run| !run.tags.is_empty());
    match known.image.origin {
        PushOrigin::PullThroughCache => Cause::PullThroughCacheExpired,
        _ if loss.displaced.is_some() => Cause::TagMovedThenExpired,
        _ if heading(case.history, known.repository, known.image, loss).is_some() => Cause::IndexOrChildGone,
        PushOrigin::Replication => Cause::ReplicaMissing,
        PushOrigin::Client if listed_tags && by_other_tag(case, loss) => Cause::ExpiredByOtherTag,
        PushOrigin::Client if listed_tags => Cause::ExpiredWhileTagged,
        PushOrigin::Client if known.repository.parents.contains_key(&known.image.digest) => {
            Cause::IndexOrChildGone
        }
        PushOrigin::Client => Cause::ExpiredUntagged,
    }
}

/// Whether the rule that took the image matches another of its tags, and not the one in question.
pub fn by_other_tag(case: Case<'_>, loss: &Loss) -> bool {
    let Some(asked) = case.question.about.tag() else { return false };
    let Some(rule) = rule_of(case.history, loss) else { return false };
    if !matches!(&rule.tags, Tags::Tagged { prefixes, patterns } if !prefixes.is_empty() || !patterns.is_empty())
    {
        return false;
    }
    let others = loss
        .run
        .as_ref()
        .map(|run| run.tags.iter().any(|tag| rule.tags.speaks_of(case.history.text(*tag))))
        .unwrap_or_default();
    !rule.tags.speaks_of(asked) && others
}
