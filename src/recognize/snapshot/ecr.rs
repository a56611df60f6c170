//! ECR: repositories, images, policies, and settings of the registry.

use std::borrow::Cow;
use std::collections::BTreeMap;

use super::{AccountRegion, Snapshot};
use crate::model::{
    Action, CacheRule, Digest, ListedImage, Listing, Mutability, RegistryChange, ReplicationRule, Template,
};
use crate::recognize::image::digest;
use crate::recognize::json::Json;
use crate::recognize::manifest::Manifests;
use crate::recognize::parse::Parser;

pub(super) fn read(root: Json<'_>, answer: &mut Snapshot, manifests: &mut Parser) -> bool {
    let list = |key: &str| Some(root.get(key)).filter(|list| list.is_array());
    if let Some(images) = list("imageDetails") {
        listing(images.items(), answer, !answer.pages_missing);
        return answer.is("ecr describe-images");
    }
    if root.text("imageDigest").is_some() && root.text("repositoryName").is_some() {
        // Output of `--query 'imageDetails'`: nothing tells whether there are more pages.
        answer.pages_missing = true;
        listing(std::iter::once(root), answer, false);
        return answer.is("ecr describe-images");
    }
    if let Some(repositories) =
        list("repositories").filter(|list| list.items().all(|one| one.text("repositoryName").is_some()))
    {
        repositories.items().for_each(|one| repository(one, answer));
        return answer.is("ecr describe-repositories");
    }
    if let (Some(text), Some(_)) = (root.text("lifecyclePolicyText"), root.text("repositoryName")) {
        answer.entries = 1;
        answer.time(root.get("lastEvaluatedAt"));
        let action = Action::PolicyShown { text: Some(Cow::Owned(text.to_owned())) };
        answer.say(place(root, answer), action);
        return answer.is("ecr get-lifecycle-policy");
    }
    if let Some(images) =
        list("images").filter(|list| list.items().any(|one| one.text("imageManifest").is_some()))
    {
        images.items().for_each(|one| manifest(one, answer, manifests));
        return answer.is("ecr batch-get-image");
    }
    registry(root, answer)
}

/// Account and region for an output that has neither an ARN nor a URI.
fn own(answer: &Snapshot, registry: Option<&str>) -> AccountRegion {
    let account = registry.map(str::to_owned).or_else(|| answer.envelope.account.clone());
    AccountRegion { account, region: answer.envelope.region.clone(), repository: None }
}

fn place(entry: Json<'_>, answer: &Snapshot) -> AccountRegion {
    let name = entry.text("repositoryName").or(answer.envelope.repository.as_deref());
    own(answer, entry.text("registryId")).named(name)
}

/// The call failed because there is no policy. Any other failure says nothing.
pub(super) fn refused(head: Json<'_>, error: &str, mut answer: Snapshot) -> Option<Snapshot> {
    answer.call = head.text("call")?.to_owned();
    if !error.contains("LifecyclePolicyNotFoundException") || head.text("repository").is_none() {
        answer.left_out = 1;
        return Some(answer);
    }
    answer.entries = 1;
    let at = own(&answer, None).named(head.text("repository"));
    answer.say(at, Action::PolicyShown { text: None });
    Some(answer)
}

/// Images by repository. One call lists one repository, but several outputs may be joined.
fn listing<'r>(images: impl Iterator<Item = Json<'r>>, answer: &mut Snapshot, whole: bool) {
    let mut lists: BTreeMap<AccountRegion, Vec<ListedImage<'static>>> = BTreeMap::new();
    for entry in images {
        answer.entries += 1;
        let place = place(entry, answer);
        match image(entry, answer).filter(|_| place.repository.is_some()) {
            Some(image) => lists.entry(place).or_default().push(image),
            None => answer.left_out += 1,
        }
    }
    // An empty list of a repository that only the envelope names.
    if lists.is_empty() && answer.left_out == 0 && answer.envelope.repository.is_some() {
        lists.insert(place(Json::NOTHING, answer), Vec::new());
    }
    let (mut whole, dated) = (whole, answer.envelope.at.is_some());
    whole &= answer.left_out == 0;
    for (place, images) in lists {
        let with_archived =
            answer.envelope.with_archived || images.iter().any(|image| image.archived == Some(true));
        answer.say(place, Action::Listed(Listing { images, whole, with_archived, dated }));
    }
}

fn image(entry: Json<'_>, answer: &mut Snapshot) -> Option<ListedImage<'static>> {
    Some(ListedImage {
        digest: digest(entry, "imageDigest")?,
        tags: entry
            .get("imageTags")
            .items()
            .filter_map(Json::as_text)
            .map(|tag| Cow::Owned(tag.to_owned()))
            .collect(),
        pushed_at: answer.time(entry.get("imagePushedAt")),
        pulled_at: answer.time(entry.get("lastRecordedPullTime")),
        archived: match entry.text("imageStatus") {
            // An image that is being restored cannot be pulled yet.
            Some("ARCHIVED" | "ACTIVATING") => Some(true),
            Some("ACTIVE") => Some(false),
            _ => None,
        },
        archived_at: answer.time(entry.get("lastArchivedAt")),
        media_type: entry.text("imageManifestMediaType").map(|text| Cow::Owned(text.to_owned())),
        subject: digest(entry, "subjectManifestDigest"),
        size_bytes: entry.get("imageSizeInBytes").as_integer().and_then(|size| u64::try_from(size).ok()),
    })
}

fn repository(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    // Public repositories are left out: they have no lifecycle policies.
    if entry.text("repositoryArn").is_some_and(|arn| arn.contains(":ecr-public:")) {
        answer.left_out += 1;
        return;
    }
    let told = entry.text("repositoryArn").map(AccountRegion::of_arn).unwrap_or_default();
    let own = place(entry, answer);
    let place = AccountRegion {
        account: told.account.or(own.account),
        region: told.region.or(own.region),
        repository: own.repository,
    };
    let created_at = answer.time(entry.get("createdAt"));
    answer.say(place, Action::RepositoryShown { mutability: mutability(entry), created_at });
}

fn mutability(entry: Json<'_>) -> Option<Mutability<'static>> {
    let filters = entry.get("imageTagMutabilityExclusionFilters").items();
    Some(Mutability {
        setting: Cow::Owned(entry.text("imageTagMutability")?.to_owned()),
        exclusions: filters
            .filter_map(|filter| filter.text("filter"))
            .map(|text| Cow::Owned(text.to_owned()))
            .collect(),
    })
}

fn manifest(entry: Json<'_>, answer: &mut Snapshot, manifests: &mut Parser) {
    answer.entries += 1;
    let text = entry.text("imageManifest");
    let described = Manifests::new(manifests, None).describe(text, None);
    let named = digest(entry.get("imageId"), "imageDigest").or_else(|| text.map(Digest::of_manifest));
    let place = place(entry, answer);
    match (named, described) {
        (Some(digest), Some(manifest)) if place.repository.is_some() => {
            let media_type = manifest.media_type.map(|text| Cow::Owned(text.into_owned()));
            answer.say(
                place,
                Action::ManifestShown {
                    digest,
                    manifest: crate::model::ImageDescription { media_type, ..manifest },
                },
            );
        }
        _ => answer.left_out += 1,
    }
}

/// Settings of a whole registry.
fn registry(root: Json<'_>, answer: &mut Snapshot) -> bool {
    let own = own(answer, root.text("registryId"));
    let owned = |text: Option<&str>| text.map(|text| Cow::Owned(text.to_owned()));
    if root.get("replicationConfiguration").is_object() && root.text("registryId").is_some() {
        let rules = root.get("replicationConfiguration").get("rules").items().map(rule).collect::<Vec<_>>();
        answer.entries = rules.len() as u64;
        answer.say(own, Action::Registry(RegistryChange::Replication(rules)));
        return answer.is("ecr describe-registry");
    }
    let excluded = root.get("pullTimeUpdateExclusions");
    if excluded.is_array() {
        for entry in excluded.items() {
            answer.entries += 1;
            match owned(entry.as_text()) {
                Some(principal) => answer.say(
                    own.clone(),
                    Action::Registry(RegistryChange::PullTimeExclusion { principal, excluded: true }),
                ),
                None => answer.left_out += 1,
            }
        }
        return answer.is("ecr list-pull-time-update-exclusions");
    }
    let caches = root.get("pullThroughCacheRules");
    if caches.is_array() {
        caches.items().for_each(|entry| cache_rule(entry, answer));
        return answer.is("ecr describe-pull-through-cache-rules");
    }
    let templates = root.get("repositoryCreationTemplates");
    if !templates.is_array() {
        return false;
    }
    for entry in templates.items() {
        answer.entries += 1;
        let Some(prefix) = owned(entry.text("prefix")) else {
            answer.left_out += 1;
            continue;
        };
        let words = entry.get("appliedFor").items().filter_map(|word| owned(word.as_text())).collect();
        let template = Template {
            prefix,
            whole: true,
            applied_for: Some(words),
            lifecycle_policy: owned(entry.text("lifecyclePolicy")),
            mutability: mutability(entry),
        };
        answer.say(own.clone(), Action::Registry(RegistryChange::Template(template)));
    }
    answer.is("ecr describe-repository-creation-templates")
}

/// Each names the registry that it is of.
fn cache_rule(entry: Json<'_>, answer: &mut Snapshot) {
    answer.entries += 1;
    let text = |key: &str| entry.text(key).map(|text| Cow::Owned(text.to_owned()));
    let Some(prefix) = text("ecrRepositoryPrefix") else {
        answer.left_out += 1;
        return;
    };
    answer.time(entry.get("createdAt"));
    let rule = CacheRule {
        prefix,
        upstream: text("upstreamRegistryUrl"),
        upstream_prefix: text("upstreamRepositoryPrefix"),
    };
    let place = own(answer, entry.text("registryId"));
    answer.say(place, Action::Registry(RegistryChange::CacheRule(rule)));
}

fn rule(rule: Json<'_>) -> ReplicationRule<'static> {
    let owned = |text: &str| Cow::Owned(text.to_owned());
    let to = |to: Json<'_>| Some((owned(to.text("region")?), owned(to.text("registryId")?)));
    ReplicationRule {
        destinations: rule.get("destinations").items().filter_map(to).collect(),
        prefixes: rule
            .get("repositoryFilters")
            .items()
            .filter_map(|filter| filter.text("filter"))
            .map(owned)
            .collect(),
        deletes: rule.get("deleteReplication").get("enabled").as_bool() == Some(true),
    }
}
