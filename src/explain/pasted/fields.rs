//! Labelled values: ECR's own error messages, calls as JSON or on a command line, ARNs, and messages of
//! containers/image that name a manifest before its repository.

use super::host::{Registry, is_region};
use super::name::{self, Name, is_name, is_tag, run};
use super::{Reading, about};

const REPOSITORY: [&str; 9] = [
    "repository with name",
    "repository with the name",
    "repositoryname",
    "repository-name",
    "repository_name",
    "repository name",
    "image repository",
    "repository named",
    "repository:",
];
const REGISTRY: [&str; 5] = ["registry with id", "registryid", "registry-id", "registry_id", "registry id"];
const TAG: [&str; 8] =
    ["imagetag", "image-tag", "image_tag", "image tag", "with tag", "and tag", "tag name", "tag:"];
/// What follows the name of a repository in single quotes.
const BEHIND: [&str; 1] = ["' repository"];

/// Characters between a label and its value.
const BETWEEN: [char; 9] = [' ', ':', '=', '\'', '"', '`', '[', '{', '('];
/// Maximum distance of a value from its label.
const BETWEEN_MAX: usize = 6;

/// The repository named by labels or an ARN, with what is said about an image in it.
pub(super) fn read(text: &str) -> Option<Reading> {
    let lower = text.to_ascii_lowercase();
    let (registry, repository) = of_arn(text).or_else(|| {
        let repository = labelled(text, &lower, &REPOSITORY, is_name)
            .or_else(|| before(text, &lower))
            .filter(|name| is_repository(name))?;
        let registry_id =
            labelled(text, &lower, &REGISTRY, |byte| byte.is_ascii_digit()).filter(|id| id.len() == 12);
        Some((Registry::Ecr { registry_id, region: None }, repository))
    })?;
    let tag = labelled(text, &lower, &TAG, is_tag)
        .map(|tag| tag.trim_end_matches('.').to_owned())
        .filter(|tag| !is_nothing(tag));
    let (digest, cut) = match lower.find("sha256:").and_then(|at| name::digest(&text[at..])) {
        Some((digest @ Some(_), _)) => (digest, None),
        _ => (None, None),
    };
    let names_no_image = tag.is_none() && digest.is_none();
    let about = about(&registry, repository, tag, digest);
    Some(Reading { registry, about, cut, repository_only: names_no_image, only_if_known: false, layer: None })
}

/// Whether a text says that the repository does not exist: then it is not about `latest`.
pub(super) fn says_no_repository(text: &str) -> bool {
    ["RepositoryNotFound", "name unknown", "NAME_UNKNOWN", "repository with name"]
        .iter()
        .any(|words| text.contains(words))
}

/// `manifest X in HOST/REPOSITORY`, as CRI-O, podman and skopeo write it, with X before the name.
pub(super) fn completed(name: Name, before: &str) -> Name {
    if name.tag.is_some() || name.digest.is_some() || name.cut.is_some() || name.layer.is_some() {
        return name;
    }
    // The beginning of the host, with `docker://` and quotes, is a word of its own.
    let before = before.trim_end_matches(|letter: char| !letter.is_whitespace());
    let mut words =
        before.split_whitespace().rev().map(|word| word.trim_matches(['"', '\'', '`', ':', ',', '(', ')']));
    if !words.next().is_some_and(|word| ["in", "from", "of", "repository"].contains(&word)) {
        return name;
    }
    let words: Vec<&str> = words.take(6).collect();
    let Some(at) = words
        .iter()
        .position(|word| ["manifest", "tag"].contains(&word.to_ascii_lowercase().as_str()))
        .filter(|at| *at > 0)
    else {
        return name;
    };
    let word = words[at - 1];
    match name::digest(word) {
        Some((digest @ Some(_), _)) => Name { digest, ..name },
        Some((None, _)) => Name { cut: Some(word["sha256:".len()..].to_ascii_lowercase()), ..name },
        None if !word.is_empty() && run(word, is_tag) == word.len() => {
            Name { tag: Some(word.to_owned()), ..name }
        }
        None => name,
    }
}

/// `arn:aws:ecr:REGION:ACCOUNT:repository/NAME`.
fn of_arn(text: &str) -> Option<(Registry, String)> {
    text.match_indices(":ecr:").find_map(|(at, mark)| {
        // `arn:aws-us-gov` is the longest prefix.
        text[text.floor_char_boundary(at.saturating_sub(16))..at].rfind("arn:")?;
        let mut parts = text[at + mark.len()..].splitn(3, ':');
        let (region, account, rest) = (parts.next()?, parts.next()?, parts.next()?);
        let repository = rest.strip_prefix("repository/")?;
        let repository = repository[..run(repository, is_name)].trim_end_matches(['.', '/', '-', '_']);
        let registry_id = Some(account.to_owned())
            .filter(|account| account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit()));
        let region = Some(region.to_owned()).filter(|region| is_region(region));
        is_repository(repository).then(|| (Registry::Ecr { registry_id, region }, repository.to_owned()))
    })
}

/// The value after the first of `labels` that has one.
fn labelled(text: &str, lower: &str, labels: &[&str], alphabet: impl Fn(u8) -> bool) -> Option<String> {
    let mut values = labels.iter().flat_map(|label| lower.match_indices(label)).filter_map(|(at, label)| {
        let behind = &text[at + label.len()..];
        let value = behind.trim_start_matches(BETWEEN);
        let between = behind.len() - value.len();
        let glued = label.ends_with(':');
        if !(between > 0 || glued) || between > BETWEEN_MAX {
            return None;
        }
        let value = &value[..run(value, &alphabet)];
        (!value.is_empty() && !is_nothing(value)).then(|| value.to_owned())
    });
    values.next()
}

/// `the 'shop/api' repository`.
fn before(text: &str, lower: &str) -> Option<String> {
    BEHIND.iter().find_map(|mark| {
        let quoted = &text[..lower.find(mark)?];
        Some(quoted[quoted.rfind('\'')? + 1..].to_owned())
    })
}

fn is_repository(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphanumeric())
        && run(name, is_name) == name.len()
        && name.len() > 1
}

fn is_nothing(value: &str) -> bool {
    ["null", "none", "nil", "undefined"].contains(&value.to_ascii_lowercase().as_str())
}
