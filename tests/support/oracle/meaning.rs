//! Record → its meaning for images, according to the table in docs/SEMANTICS.md.

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use super::read::Record;

/// (registry id, region, name).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Repo(pub String, pub String, pub String);

/// An event with its position in time. `rank` and `order` are determined later, for pushes of one tag in one
/// second.
#[derive(Debug, Clone)]
pub struct Event {
    pub time: u64,
    pub rank: u64,
    pub order: &'static str,
    pub id: String,
    pub actor: Option<String>,
    pub act: Act,
}

/// A rule of a replication configuration.
#[derive(Debug, Clone)]
pub struct CopyRule {
    pub destinations: Vec<(String, String)>,
    pub prefixes: Vec<String>,
    pub deletes: bool,
}

impl CopyRule {
    /// Whether the rule copies that repository.
    pub fn is_for(&self, repo: &Repo) -> bool {
        self.prefixes.is_empty() || self.prefixes.iter().any(|prefix| repo.2.starts_with(prefix.as_str()))
    }
}

/// An image of a lifecycle run.
#[derive(Debug, Clone)]
pub struct RunImage {
    pub digest: String,
    pub action: String,
    pub rule_priority: Option<i64>,
    pub tag_status: String,
    pub tag_list: Vec<String>,
    pub pushed_at: Option<u64>,
}

/// An image as a task definition refers to it.
#[derive(Debug, Clone)]
pub struct Reference {
    pub repo: Repo,
    pub tag: Option<String>,
    pub digest: Option<String>,
}

#[derive(Debug, Clone)]
pub enum Act {
    Push {
        repo: Repo,
        digest: String,
        tag: Option<String>,
        children: Vec<String>,
        layers: Vec<String>,
        /// For a signature or another artifact, its subject.
        subject: Option<String>,
        replica: bool,
    },
    /// A push that ECR refused, and that proves nothing else.
    RefusedPush {
        repo: Repo,
        digest: String,
        tag: Option<String>,
        /// Whether the tag existed already.
        is_taken: bool,
    },
    /// A pull that was refused because of missing permissions.
    RefusedPull {
        repo: Repo,
        digest: Option<String>,
        tag: Option<String>,
    },
    /// The repository's policy for pulls has changed.
    AccessChanged {
        repo: Repo,
    },
    /// The permissions of a role have changed: `account/role`.
    RoleChanged {
        role: String,
    },
    /// Replication rules: destinations (account, region), prefixes, and whether deletions are replicated.
    Replication {
        registry: (String, String),
        rules: Vec<CopyRule>,
    },
    /// A definition that others can run.
    Offer {
        who: String,
        images: Vec<Reference>,
        through: Vec<String>,
    },
    /// Somebody starts to keep, or requests again, the images that are named.
    TakeUp {
        who: String,
        images: Vec<Reference>,
        through: Vec<String>,
        asks: bool,
    },
    /// A single execution.
    Start {
        images: Vec<Reference>,
        through: Vec<String>,
        /// Whether the execution shows that its definition is in use.
        uses: bool,
    },
    AlreadyThere {
        repo: Repo,
        digest: String,
        tag: String,
    },
    /// Deleted digests, and (digest, tag) pairs of which only the tag was requested to be deleted.
    Delete {
        repo: Repo,
        images: Vec<String>,
        tags: Vec<(String, String)>,
        listed: Vec<(String, String)>,
        /// Digests that stayed because an index lists them.
        held: Vec<String>,
    },
    Run {
        repo: Repo,
        images: Vec<RunImage>,
        policy: Value,
    },
    Preview {
        repo: Repo,
        /// Digests, and the time at which each was pushed.
        images: Vec<(String, Option<u64>)>,
    },
    /// A push whose image CloudTrail has left out of the record.
    UnknownPush {
        repo: Repo,
    },
    DeleteRepository {
        repo: Repo,
    },
    /// The repository is created: images that were in it before are gone, whether or not the logs show that.
    CreateRepository {
        repo: Repo,
        /// Whether ECR created it on a push.
        on_push: bool,
        mutability: Value,
    },
    /// Whether tags are mutable from now on.
    Mutability {
        repo: Repo,
        setting: Value,
    },
    /// The registry's list of principals whose pulls do not count: account, region, and `account/role`.
    Exclude {
        registry: (String, String),
        role: String,
        excluded: bool,
    },
    /// The settings of repositories that ECR creates on a push below `prefix`.
    Template {
        registry: (String, String),
        prefix: String,
        policy: Option<Value>,
    },
    Policy {
        repo: Repo,
        policy: Option<Value>,
    },
    Archived {
        repo: Repo,
        digest: String,
    },
    Restored {
        repo: Repo,
        digest: String,
    },
    Pull {
        repo: Repo,
        digest: Option<String>,
        tag: Option<String>,
    },
    Define {
        definition: String,
        family: String,
        images: Vec<Reference>,
    },
    Deploy {
        service: String,
        definition: Option<String>,
    },
    StopService {
        service: String,
    },
    /// A function or a similar service uses an image, and keeps it or follows its tag.
    Keep {
        who: String,
        image: Reference,
        follows: bool,
    },
    /// A call on a function failed because its image is gone.
    Failed {
        who: String,
    },
    /// A part of a pull of an image with this layer.
    PullLayer {
        repo: Repo,
        layer: String,
    },
    /// A task reports a failure: the images that its reasons name, and whether it was refused.
    Task {
        named: Vec<Reference>,
        refused: bool,
    },
}

impl Act {
    /// The repository that it is about, if its tags may change.
    pub fn repo(&self) -> Option<&Repo> {
        match self {
            Self::Push { repo, .. }
            | Self::AlreadyThere { repo, .. }
            | Self::Delete { repo, .. }
            | Self::Run { repo, .. } => Some(repo),
            Self::DeleteRepository { repo }
            | Self::CreateRepository { repo, .. }
            | Self::Mutability { repo, .. } => Some(repo),
            _ => None,
        }
    }
}

pub fn text(value: &Value) -> Option<String> {
    value.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}

pub fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

pub fn is_omitted(value: &Value) -> bool {
    value["omitted"] == Value::Bool(true) || value["omitted"] == "true"
}

/// `2026-03-02T10:00:09Z` → seconds since the epoch.
pub fn seconds(time: &str) -> u64 {
    let number = |from: usize, to: usize| {
        time.get(from..to).and_then(|part| part.parse::<u64>().ok()).unwrap_or_default()
    };
    let (year, month, day) = (number(0, 4), number(5, 7), number(8, 10));
    let leap = |year: u64| year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let lengths = [31, if leap(year) { 29 } else { 28 }, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let years: u64 = (1970..year).map(|year| if leap(year) { 366 } else { 365 }).sum();
    let months: u64 = lengths.iter().take(month.saturating_sub(1) as usize).sum();
    (years + months + day.saturating_sub(1)) * 86_400
        + number(11, 13) * 3_600
        + number(14, 16) * 60
        + number(17, 19)
}

/// The meaning of all records, unsorted.
pub fn events(records: &[Record]) -> Vec<Event> {
    let mut events = Vec::new();
    for record in records {
        let value = &record.value;
        let mut acts = Vec::new();
        match value["eventSource"].as_str() {
            Some("ecr.amazonaws.com") => ecr(value, &mut acts),
            Some("ecs.amazonaws.com") => ecs(value, &mut acts),
            Some("lambda.amazonaws.com") => lambda(value, &mut acts),
            Some("apprunner.amazonaws.com") => app_runner(value, &mut acts),
            Some("batch.amazonaws.com") => super::jobs::batch(value, &mut acts),
            Some("codebuild.amazonaws.com") => super::jobs::code_build(value, &mut acts),
            Some("sagemaker.amazonaws.com") => super::jobs::sage_maker(value, &mut acts),
            Some("iam.amazonaws.com") => acts.extend(role_changed(value)),
            _ => {}
        }
        for act in acts {
            let time = seconds(value["eventTime"].as_str().unwrap_or_default());
            let id = text(&value["eventID"]).unwrap_or_default();
            events.push(Event { time, rank: 0, order: "observed", id, actor: actor(value), act });
        }
    }
    events
}

/// The caller's ARN; in another account's copy of the call only the principal's id and account.
fn actor(value: &Value) -> Option<String> {
    let identity = &value["userIdentity"];
    let account =
        text(&identity["accountId"]).map(|account| format!(" (account {account})")).unwrap_or_default();
    text(&identity["arn"])
        .or_else(|| text(&identity["principalId"]).map(|principal| format!("{principal}{account}")))
}

/// The repository that a record is about, from the first member that names it.
fn repository(value: &Value) -> Option<Repo> {
    let (request, response) = (&value["requestParameters"], &value["responseElements"]);
    let region = text(&value["awsRegion"])?;
    let arn = list(&value["resources"]).find_map(|resource| text(&resource["ARN"])).unwrap_or_default();
    let from_arn = arn
        .split_once(":repository/")
        .map(|(head, name)| (head.rsplit(':').next().unwrap_or_default().to_owned(), name.to_owned()));
    let name = text(&request["repositoryName"])
        .or_else(|| text(&value["serviceEventDetails"]["repositoryName"]))
        .or_else(|| from_arn.as_ref().map(|(_, name)| name.clone()))?;
    let registry = text(&request["registryId"])
        .or_else(|| text(&response["image"]["registryId"]))
        .or_else(|| text(&response["repository"]["registryId"]))
        .or_else(|| from_arn.map(|(registry, _)| registry))
        .or_else(|| text(&value["recipientAccountId"]))?;
    Some(Repo(registry, region, name))
}

/// `111122223333/nightly-job`, from the ARN of the role or of one of its sessions.
pub fn role(arn: &str) -> Option<String> {
    let mut parts = arn.split(':').skip(4);
    let (account, resource) = (parts.next()?, parts.next()?);
    let mut names = resource.split('/');
    let name = match names.next()? {
        "assumed-role" => names.next()?,
        "role" => names.next_back()?,
        _ => return None,
    };
    Some(format!("{account}/{name}"))
}

/// Settings of a whole registry.
fn registry(value: &Value) -> Option<Act> {
    let request = &value["requestParameters"];
    let registry = (text(&value["recipientAccountId"])?, text(&value["awsRegion"])?);
    match value["eventName"].as_str()? {
        _ if value["errorCode"].is_string() => None,
        name @ ("RegisterPullTimeUpdateExclusion" | "DeregisterPullTimeUpdateExclusion") => {
            Some(Act::Exclude {
                registry,
                role: role(request["principalArn"].as_str()?)?,
                excluded: name.starts_with("Register"),
            })
        }
        "PutReplicationConfiguration" => {
            let rule = |rule: &Value| CopyRule {
                destinations: list(&rule["destinations"])
                    .filter_map(|to| Some((text(&to["registryId"])?, text(&to["region"])?)))
                    .collect(),
                prefixes: list(&rule["repositoryFilters"])
                    .filter_map(|filter| text(&filter["filter"]))
                    .collect(),
                deletes: rule["deleteReplication"]["enabled"] == Value::Bool(true),
            };
            Some(Act::Replication {
                registry,
                rules: list(&request["replicationConfiguration"]["rules"]).map(rule).collect(),
            })
        }
        "CreateRepositoryCreationTemplate"
            if list(&request["appliedFor"]).any(|word| word == "CREATE_ON_PUSH") =>
        {
            let policy = text(&request["lifecyclePolicy"]).and_then(|text| serde_json::from_str(&text).ok());
            Some(Act::Template { registry, prefix: text(&request["prefix"])?, policy })
        }
        _ => None,
    }
}

fn ecr(value: &Value, acts: &mut Vec<Act>) {
    acts.extend(registry(value));
    let Some(repo) = repository(value) else { return };
    let (request, details) = (&value["requestParameters"], &value["serviceEventDetails"]);
    if value["errorCode"].is_string() {
        acts.extend(refusal(value, repo));
        return;
    }
    match value["eventName"].as_str().unwrap_or_default() {
        "PutImage" | "ReplicateImage" => {
            acts.push(push(value, repo.clone()).unwrap_or(Act::UnknownPush { repo }))
        }
        "SetRepositoryPolicy" | "DeleteRepositoryPolicy" => acts.push(Act::AccessChanged { repo }),
        "BatchDeleteImage" => acts.push(delete(value, repo)),
        "PolicyExecutionEvent" if !is_omitted(details) => {
            acts.push(Act::Run {
                repo,
                images: run_images(details),
                policy: details["lifecycleEventPolicy"].clone(),
            });
        }
        "DryRunEvent" => {
            let images =
                run_images(details).into_iter().map(|image| (image.digest, image.pushed_at)).collect();
            acts.push(Act::Preview { repo, images });
        }
        "DeleteRepository" => acts.push(Act::DeleteRepository { repo }),
        "CreateRepository" => {
            let on_push = value["userIdentity"]["invokedBy"] == "ecr.amazonaws.com";
            acts.push(Act::CreateRepository { repo, on_push, mutability: request.clone() });
        }
        "PutImageTagMutability" => acts.push(Act::Mutability { repo, setting: request.clone() }),
        "PutLifecyclePolicy" => {
            let policy =
                text(&request["lifecyclePolicyText"]).and_then(|text| serde_json::from_str(&text).ok());
            acts.push(Act::Policy { repo, policy });
        }
        "DeleteLifecyclePolicy" => acts.push(Act::Policy { repo, policy: None }),
        "UpdateImageStorageClass" if request["targetStorageClass"] == "ARCHIVE" => {
            acts.extend(
                text(&request["imageId"]["imageDigest"]).map(|digest| Act::Archived { repo, digest }),
            );
        }
        "ImageActivationEvent" if details["result"] == "SUCCESS" => {
            acts.extend(text(&details["imageDigest"]).map(|digest| Act::Restored { repo, digest }));
        }
        "BatchGetImage" => {
            for id in list(&request["imageIds"]) {
                acts.push(Act::Pull {
                    repo: repo.clone(),
                    digest: text(&id["imageDigest"]),
                    tag: text(&id["imageTag"]),
                });
            }
        }
        "GetDownloadUrlForLayer" => {
            acts.extend(text(&request["layerDigest"]).map(|layer| Act::PullLayer { repo, layer }))
        }
        _ => {}
    }
}

fn manifest_digest(manifest: &str) -> String {
    let hex: String = Sha256::digest(manifest.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}

fn push(value: &Value, repo: Repo) -> Option<Act> {
    let (request, image) = (&value["requestParameters"], &value["responseElements"]["image"]);
    let manifest = text(&request["imageManifest"]).or_else(|| text(&image["imageManifest"]));
    let digest =
        text(&image["imageId"]["imageDigest"]).or_else(|| manifest.as_deref().map(manifest_digest))?;
    let tag = text(&request["imageTag"]).or_else(|| text(&image["imageId"]["imageTag"]));
    let parsed: Value =
        manifest.and_then(|manifest| serde_json::from_str(&manifest).ok()).unwrap_or_default();
    let children = list(&parsed["manifests"]).filter_map(|child| text(&child["digest"])).collect();
    let (subject, replica) = (text(&parsed["subject"]["digest"]), value["eventName"] == "ReplicateImage");
    let layers = list(&parsed["layers"])
        .chain([&parsed["config"]])
        .filter_map(|layer| text(&layer["digest"]))
        .collect();
    Some(Act::Push { repo, digest, tag, children, layers, subject, replica })
}

/// A refused call changes nothing, but some refusals prove something.
fn refusal(value: &Value, repo: Repo) -> Option<Act> {
    let request = &value["requestParameters"];
    if value["eventName"] == "BatchGetImage"
        && value["errorCode"].as_str().is_some_and(|code| code.contains("AccessDenied"))
    {
        let id = list(&request["imageIds"]).next()?;
        return Some(Act::RefusedPull { repo, digest: text(&id["imageDigest"]), tag: text(&id["imageTag"]) });
    }
    if value["eventName"] != "PutImage" {
        return None;
    }
    let digest = manifest_digest(&text(&request["imageManifest"])?);
    let tag = text(&request["imageTag"]);
    match tag {
        Some(tag) if value["errorCode"] == "ImageAlreadyExistsException" => {
            Some(Act::AlreadyThere { repo, digest, tag })
        }
        tag => Some(Act::RefusedPush {
            repo,
            digest,
            tag,
            is_taken: value["errorCode"] == "ImageTagAlreadyExistsException",
        }),
    }
}

/// IAM: a policy was attached to a role or removed from it.
fn role_changed(value: &Value) -> Option<Act> {
    let name = value["eventName"].as_str()?;
    let changes = name.ends_with("RolePolicy") || name.ends_with("RolePermissionsBoundary");
    let role =
        format!("{}/{}", text(&value["recipientAccountId"])?, text(&value["requestParameters"]["roleName"])?);
    (changes && value["errorCode"].is_null()).then_some(Act::RoleChanged { role })
}

fn delete(value: &Value, repo: Repo) -> Act {
    let response = &value["responseElements"];
    let by_digest = |id: &Value| id["imageTag"].is_null().then(|| text(&id["imageDigest"])).flatten();
    let refused: Vec<String> =
        list(&response["failures"]).filter_map(|failure| by_digest(&failure["imageId"])).collect();
    let asked: Vec<String> = list(&value["requestParameters"]["imageIds"])
        .filter_map(by_digest)
        .filter(|digest| !refused.contains(digest))
        .collect();
    let (mut images, mut tags, mut listed) = (Vec::new(), Vec::new(), Vec::new());
    for id in list(&response["imageIds"]) {
        let (Some(digest), tag) = (text(&id["imageDigest"]), text(&id["imageTag"])) else { continue };
        listed.extend(tag.clone().map(|tag| (digest.clone(), tag)));
        match tag {
            Some(tag) if !asked.contains(&digest) => tags.push((digest, tag)),
            _ if !images.contains(&digest) => images.push(digest),
            _ => {}
        }
    }
    let held = list(&response["failures"])
        .filter(|failure| failure["failureCode"] == "ImageReferencedByManifestList")
        .filter_map(|failure| text(&failure["imageId"]["imageDigest"]))
        .collect();
    Act::Delete { repo, images, tags, listed, held }
}

fn run_images(details: &Value) -> Vec<RunImage> {
    let rules = &details["lifecycleEventPolicy"]["lifecycleEventRules"];
    let action = |priority: &Value| {
        let rule = list(rules).find(|rule| rule["rulePriority"] == *priority);
        rule.and_then(|rule| text(&rule["action"])).unwrap_or_default().to_lowercase()
    };
    let image = |entry: &Value| {
        let image = &entry["lifecycleEventImage"];
        Some(RunImage {
            digest: text(&image["digest"])?,
            action: action(&entry["rulePriority"]),
            rule_priority: entry["rulePriority"].as_i64(),
            tag_status: text(&image["tagStatus"]).unwrap_or_default(),
            tag_list: list(&image["tagList"]).filter_map(text).collect(),
            pushed_at: image["pushedAt"].as_u64().map(|milliseconds| milliseconds / 1_000),
        })
    };
    let failed = list(&details["lifecycleEventFailureDetails"])
        .filter_map(image)
        .map(|image| RunImage { action: "failed".to_owned(), ..image });
    list(&details["lifecycleEventImageActions"]).filter_map(image).chain(failed).collect()
}

fn ecs(value: &Value, acts: &mut Vec<Act>) {
    if value["errorCode"].is_string() {
        return;
    }
    let (request, response) = (&value["requestParameters"], &value["responseElements"]);
    let (Some(account), Some(region)) = (text(&value["recipientAccountId"]), text(&value["awsRegion"]))
    else {
        return;
    };
    let place = |what: &str, name: &str| format!("arn:aws:ecs:{region}:{account}:{what}/{name}");
    match value["eventName"].as_str().unwrap_or_default() {
        "RegisterTaskDefinition" => {
            let Some(definition) = text(&response["taskDefinition"]["taskDefinitionArn"]) else { return };
            let family = place("task-definition", &text(&request["family"]).unwrap_or_default());
            let images = list(&request["containerDefinitions"])
                .filter_map(|container| reference(container["image"].as_str()?))
                .collect();
            acts.push(Act::Define { definition, family, images });
        }
        "CreateService" | "UpdateService" => {
            let Some(name) = text(&request["service"]).or_else(|| text(&request["serviceName"])) else {
                return;
            };
            let service =
                format!("{}/{name}", place("service", request["cluster"].as_str().unwrap_or("default")));
            let named = text(&request["taskDefinition"]);
            if named.is_none() && request["forceNewDeployment"] != Value::Bool(true) {
                return;
            }
            // The response names the revision that the family stood for.
            let named = text(&response["service"]["taskDefinition"]).or(named);
            let definition = named
                .map(|name| if name.starts_with("arn:") { name } else { place("task-definition", &name) });
            acts.push(Act::Deploy { service, definition });
        }
        "DeleteService" => {
            let name = text(&request["service"]).unwrap_or_default();
            acts.push(Act::StopService {
                service: format!(
                    "{}/{name}",
                    place("service", request["cluster"].as_str().unwrap_or("default"))
                ),
            });
        }
        "SubmitTaskStateChange" | "SubmitContainerStateChange" => {
            let (named, refused) = reasons(request);
            acts.push(Act::Task { named, refused });
        }
        _ => {}
    }
}

/// Functions by name: in these worlds, names are unique in each account and region.
fn lambda(value: &Value, acts: &mut Vec<Act>) {
    let request = &value["requestParameters"];
    let (Some(name), Some(call)) = (text(&request["functionName"]), value["eventName"].as_str()) else {
        return;
    };
    let who = format!("{}/{}/{name}", value["recipientAccountId"], value["awsRegion"]);
    if value["errorCode"].is_string() {
        let gone = value["errorMessage"].as_str().is_some_and(|message| message.contains("deleted image"));
        acts.extend(gone.then_some(Act::Failed { who }));
    } else if call.starts_with("DeleteFunction") {
        acts.push(Act::StopService { service: who });
    } else if let Some(image) = text(&request["imageUri"])
        .or_else(|| text(&request["code"]["imageUri"]))
        .as_deref()
        .and_then(reference)
    {
        acts.push(Act::Keep { who, image, follows: false });
    }
}

fn app_runner(value: &Value, acts: &mut Vec<Act>) {
    let source = &value["requestParameters"]["sourceConfiguration"];
    let Some(who) = text(&value["requestParameters"]["serviceArn"]) else { return };
    if value["eventName"] == "DeleteService" {
        acts.push(Act::StopService { service: who });
    } else if value["eventName"] == "StartDeployment" {
        acts.push(Act::Start { images: Vec::new(), through: vec![who.clone()], uses: false });
        acts.push(Act::TakeUp { who: who.clone(), images: Vec::new(), through: vec![who], asks: false });
    } else if let Some(image) = source["imageRepository"]["imageIdentifier"].as_str().and_then(reference) {
        let follows = source["autoDeploymentsEnabled"] == Value::Bool(true) && image.digest.is_none();
        acts.push(Act::Keep { who, image, follows });
    }
}

/// The images that the reasons of a stopped task name, and whether they mention a refusal.
fn reasons(request: &Value) -> (Vec<Reference>, bool) {
    let mut texts = vec![text(&request["reason"])];
    texts.extend(list(&request["containers"]).map(|container| text(&container["reason"])));
    let texts: Vec<String> = texts.into_iter().flatten().collect();
    let refused = texts.iter().any(|text| text.contains("403"));
    let mut found: Vec<Reference> = Vec::new();
    for word in texts.iter().flat_map(|text| text.split_whitespace()) {
        let Some(named) = reference(word.trim_end_matches(':'))
            .filter(|named| named.digest.is_some() || named.tag.is_some())
        else {
            continue;
        };
        if !found
            .iter()
            .any(|other| (&other.repo, &other.digest, &other.tag) == (&named.repo, &named.digest, &named.tag))
        {
            found.push(named);
        }
    }
    (found, refused)
}

/// `111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api:v1@sha256:…`; `None` for any other registry.
pub fn reference(text: &str) -> Option<Reference> {
    let (host, path) = text.split_once('/')?;
    let (registry, rest) = host.split_once(".dkr.ecr.")?;
    let region = rest.strip_suffix(".amazonaws.com")?;
    let (path, digest) = match path.split_once('@') {
        Some((path, digest)) => (path, Some(digest.to_owned())),
        None => (path, None),
    };
    let (name, tag) = match path.split_once(':') {
        Some((name, tag)) => (name, Some(tag.to_owned())),
        None => (path, None),
    };
    Some(Reference { repo: Repo(registry.to_owned(), region.to_owned(), name.to_owned()), tag, digest })
}
