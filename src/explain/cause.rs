//! How a life ended → which of the causes it is.

use super::{Case, Known};
use crate::detect::heading;
use crate::model::{Cause, PushOrigin};
use crate::timeline::{End, Loss};

/// The cause that the end of the image's life is.
pub fn of_loss(case: Case<'_>, known: Known<'_>, loss: &Loss) -> Cause {
    match loss.end {
        End::RepositoryDeleted => Cause::RepositoryDeleted,
        End::DeletedByDigest => Cause::DeletedByDigest,
        End::DeletedByLastTag => Cause::DeletedByLastTag,
        End::Archived => Cause::Archived,
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
        PushOrigin::Client if known.repository.parents.contains_key(&known.image.digest) => Cause::IndexOrChildGone,
        PushOrigin::Client => Cause::ExpiredUntagged,
    }
}

/// Whether the rule that took the image matches another of its tags, and not the one that was asked for.
pub fn by_other_tag(case: Case<'_>, loss: &Loss) -> bool {
    let Some(asked) = case.question.about.tag() else { return false };
    let Some(rule) = rule(case, loss) else { return false };
    let list = |name: &str| -> Vec<String> {
        rule[name].as_array().into_iter().flatten().filter_map(|entry| entry.as_str().map(ToOwned::to_owned)).collect()
    };
    let (prefixes, patterns) = (list("tag_prefix_list"), list("tag_pattern_list"));
    if prefixes.is_empty() && patterns.is_empty() {
        return false;
    }
    let matches = |tag: &str| {
        prefixes.iter().any(|prefix| tag.starts_with(prefix.as_str()))
            || patterns.iter().any(|pattern| wildmatch::WildMatch::new(pattern).matches(tag))
    };
    let others = loss.run.as_ref().map(|run| run.tags.iter().any(|tag| matches(case.history.text(*tag)))).unwrap_or_default();
    !matches(asked) && others
}

/// The rule that took the image, as its event states it.
pub fn rule(case: Case<'_>, loss: &Loss) -> Option<serde_json::Value> {
    let run = loss.run.as_ref()?;
    let rules: Vec<serde_json::Value> = serde_json::from_str(case.history.text(run.rules)).ok()?;
    rules.into_iter().find(|rule| rule["priority"].as_i64() == Some(run.rule_priority))
}

/// The rule in a few words: `rule 1 "expire untagged" (Untagged, Time since image pushed 3 Days)`.
pub fn rule_in_words(case: Case<'_>, loss: &Loss) -> String {
    let Some(rule) = rule(case, loss) else { return "a lifecycle rule".to_owned() };
    let text = |name: &str| rule[name].as_str().unwrap_or_default().to_owned();
    let description = text("description");
    let described = if description.is_empty() { String::new() } else { format!(" \"{description}\"") };
    let what = format!("{}, {} {} {}", text("tag_status"), text("count_type"), rule["count_number"], text("count_unit"));
    format!("rule {}{described} ({})", rule["priority"], what.trim_end())
}
