//! Settings of a whole registry: whose pulls are not recorded, where images are replicated to, and
//! templates for new repositories.
//!
//! The registry is that of the calling account, in the region of the call; no repository is named.

use std::borrow::Cow;

use crate::model::{CacheRule, Mutability, RegistryChange, ReplicationRule, Template};
use crate::recognize::json::Json;
use crate::recognize::record::Record;

/// `None` for other events, and for those that do not say what changed.
pub(super) fn change<'r>(record: &Record<'r>) -> Option<RegistryChange<'r>> {
    match record.name {
        "RegisterPullTimeUpdateExclusion" => exclusion(record, true),
        "DeregisterPullTimeUpdateExclusion" => exclusion(record, false),
        "PutReplicationConfiguration" => replication(record),
        "CreateRepositoryCreationTemplate" | "UpdateRepositoryCreationTemplate" => template(record),
        "DeleteRepositoryCreationTemplate" => {
            let prefix = places(record).into_iter().find_map(|place| place.text("prefix"));
            prefix.map(|prefix| RegistryChange::TemplateDeleted(Cow::Borrowed(prefix)))
        }
        "CreatePullThroughCacheRule" | "UpdatePullThroughCacheRule" => {
            cache_rule(record).map(RegistryChange::CacheRule)
        }
        "DeletePullThroughCacheRule" => {
            cache_rule(record).map(|rule| RegistryChange::CacheRuleDeleted(rule.prefix))
        }
        _ => None,
    }
}

fn exclusion<'r>(record: &Record<'r>, excluded: bool) -> Option<RegistryChange<'r>> {
    let principal = record.request.text("principalArn").or_else(|| record.response.text("principalArn"))?;
    Some(RegistryChange::PullTimeExclusion { principal: Cow::Borrowed(principal), excluded })
}

fn replication<'r>(record: &Record<'r>) -> Option<RegistryChange<'r>> {
    let rules = |payload: Json<'r>| payload.get("replicationConfiguration").get("rules");
    let stated =
        [rules(record.response), rules(record.request)].into_iter().find(|rules| rules.is_array())?;
    Some(RegistryChange::Replication(stated.items().map(replication_rule).collect()))
}

fn replication_rule(rule: Json<'_>) -> ReplicationRule<'_> {
    ReplicationRule {
        destinations: rule.get("destinations").items().filter_map(destination).collect(),
        prefixes: rule
            .get("repositoryFilters")
            .items()
            .filter_map(|filter| filter.text("filter"))
            .map(Cow::Borrowed)
            .collect(),
        deletes: rule.get("deleteReplication").get("enabled").as_bool() == Some(true),
    }
}

fn cache_rule<'r>(record: &Record<'r>) -> Option<CacheRule<'r>> {
    let text = |key: &str| {
        [record.response, record.request].iter().find_map(|place| place.text(key)).map(Cow::Borrowed)
    };
    Some(CacheRule {
        prefix: text("ecrRepositoryPrefix")?,
        upstream: text("upstreamRegistryUrl"),
        upstream_prefix: text("upstreamRepositoryPrefix"),
    })
}

fn destination(to: Json<'_>) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    Some((Cow::Borrowed(to.text("region")?), Cow::Borrowed(to.text("registryId")?)))
}

/// Where to look for a template: the response has the whole template as it is now; a request to update has
/// only the changes.
fn places<'r>(record: &Record<'r>) -> [Json<'r>; 2] {
    [record.response.get("repositoryCreationTemplate"), record.request]
}

fn template<'r>(record: &Record<'r>) -> Option<RegistryChange<'r>> {
    let places = places(record);
    let text = |key: &str| places.iter().find_map(|place| place.text(key)).map(Cow::Borrowed);
    let scenarios = places.iter().map(|place| place.get("appliedFor")).find(|list| list.is_array());
    Some(RegistryChange::Template(Template {
        prefix: text("prefix")?,
        whole: places[0].is_object() || record.name == "CreateRepositoryCreationTemplate",
        applied_for: scenarios
            .map(|list| list.items().filter_map(|word| word.as_text()).map(Cow::Borrowed).collect()),
        lifecycle_policy: text("lifecyclePolicy"),
        mutability: places.into_iter().find_map(mutability),
    }))
}

/// `imageTagMutability`, with the wildcards of the tags for which the opposite holds.
pub(super) fn mutability(place: Json<'_>) -> Option<Mutability<'_>> {
    let filters = place.get("imageTagMutabilityExclusionFilters").items();
    Some(Mutability {
        setting: Cow::Borrowed(place.text("imageTagMutability")?),
        exclusions: filters.filter_map(|filter| filter.text("filter")).map(Cow::Borrowed).collect(),
    })
}
