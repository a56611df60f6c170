//! Image references: `111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v7@sha256:…`.

use super::Digest;

/// A reference into an ECR private registry.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ImageReference {
    pub registry_id: String,
    pub region: String,
    pub repository: String,
    pub tag: Option<String>,
    pub digest: Option<Digest>,
}

/// Characters that end a reference inside a sentence.
const STOPS: &[char] =
    &[' ', '\t', '\n', '\r', '"', '\'', ',', ';', '(', ')', '[', ']', '<', '>', '`', '\\', '…'];

impl ImageReference {
    /// Parses a text that is a reference as a whole; `None` if it does not name an ECR private registry.
    pub fn parse(text: &str) -> Option<Self> {
        let (found, rest) = Self::take(text)?;
        rest.is_empty().then_some(found)
    }

    /// All references in a text such as a task's stop reason, in order, without duplicates.
    pub fn find_all(text: &str) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for (reference, _) in Self::find_with_cuts(text) {
            if !found.contains(&reference) {
                found.push(reference);
            }
        }
        found
    }

    /// The same, each with the remaining hex digits of its digest if the text breaks off inside the digest.
    /// Such a reference has no digest, and does not mean the image that its tag points to.
    pub fn find_with_cuts(text: &str) -> Vec<(Self, Option<String>)> {
        let mut found: Vec<(Self, Option<String>)> = Vec::new();
        for (at, _) in text.match_indices(".dkr") {
            let Some(start) = at.checked_sub(12) else { continue };
            let Some(candidate) = text.get(start..) else { continue };
            let Some((reference, _)) = Self::take(candidate) else { continue };
            let cut = reference.digest.is_none().then(|| cut_digest(candidate)).flatten();
            let one = (reference, cut.map(str::to_ascii_lowercase));
            if !found.contains(&one) {
                found.push(one);
            }
        }
        found
    }

    /// Parses one reference at the beginning of `text`, and returns the rest.
    fn take(text: &str) -> Option<(Self, &str)> {
        let text = text.strip_prefix("https://").unwrap_or(text);
        let (host, rest) = text.split_once('/')?;
        let (registry_id, region) = parse_host(host)?;
        let rest = rest.strip_prefix("v2/").unwrap_or(rest);
        let end = rest.find(STOPS).unwrap_or(rest.len());
        let (path, after) = rest.split_at(end);
        let (name, tag, digest, used) = split_path(path)?;
        // A sentence may go on right after the reference: `…@sha256:…: not found`.
        let left = &path[used..];
        let after = if left.trim_end_matches([':', '.']).is_empty() && !after.is_empty() {
            after
        } else {
            &rest[used..]
        };
        let registry_id = registry_id.to_owned();
        Some((
            Self { registry_id, region: region.to_owned(), repository: name.to_owned(), tag, digest },
            after,
        ))
    }

    /// The reference as a person would write it.
    pub fn to_text(&self) -> String {
        let suffix = match self
            .region
            .split('-')
            .nth(usize::from(!self.region.starts_with("cn-")))
            .unwrap_or_default()
        {
            _ if self.region.starts_with("cn-") => "amazonaws.com.cn",
            "iso" => "c2s.ic.gov",
            "isob" => "sc2s.sgov.gov",
            "isoe" => "cloud.adc-e.uk",
            "isof" => "csp.hci.ic.gov",
            _ => "amazonaws.com",
        };
        let mut text = format!("{}.dkr.ecr.{}.{suffix}/{}", self.registry_id, self.region, self.repository);
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push_str(&format!("@{digest}"));
        }
        text
    }
}

/// Suffixes of registry hosts, by partition.
const SUFFIXES: &[&str] = &[
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".on.aws",
    ".on.amazonwebservices.com.cn",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// `111122223333.dkr.ecr[-fips].REGION.amazonaws.com[.cn]` or the dual-stack
/// `111122223333.dkr-ecr.REGION.on.aws`.
fn parse_host(host: &str) -> Option<(&str, &str)> {
    let (registry_id, rest) = host.split_at_checked(12)?;
    if !registry_id.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let rest = rest.strip_prefix(".dkr.ecr").or_else(|| rest.strip_prefix(".dkr-ecr"))?;
    let rest = rest.strip_prefix("-fips").unwrap_or(rest).strip_prefix('.')?;
    let region = SUFFIXES.iter().find_map(|end| rest.strip_suffix(end))?;
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    (!region.is_empty() && region.bytes().all(plain)).then_some((registry_id, region))
}

/// The hex digits of a digest that breaks off at the end of the reference at the beginning of `text`. There
/// may be no digits at all, and `sha256:` itself may be cut.
fn cut_digest(text: &str) -> Option<&str> {
    let path = &text[..text.find(STOPS).unwrap_or(text.len())];
    let behind = |mark: &str| path.split_once(mark).map(|(_, target)| target);
    let target = behind("@").or_else(|| behind("/manifests/")).or_else(|| behind("/blobs/"))?;
    let digits = match target.strip_prefix("sha256:") {
        Some(digits) => digits,
        None if path.contains('@') && "sha256:".starts_with(target.trim_end_matches(['.', ':'])) => "",
        None => return None,
    };
    let length = digits.bytes().take_while(u8::is_ascii_hexdigit).count();
    (length < 64).then(|| &digits[..length])
}

/// Splits `repo[/manifests/…][:tag][@sha256:…]`, and returns how many bytes it used.
fn split_path(path: &str) -> Option<(&str, Option<String>, Option<Digest>, usize)> {
    let (before_digest, digest) = match path.find("@sha256:") {
        Some(at) => (&path[..at], path.get(at + 1..at + 72).and_then(Digest::parse)),
        None => (path, None),
    };
    let mut used = before_digest.len() + if digest.is_some() { 72 } else { 0 };
    if digest.is_none() && before_digest.len() < path.len() {
        used = path.len();
    }
    // `…/v2/repo/manifests/TAG-OR-DIGEST`, as in "unexpected status from HEAD request".
    for kind in ["/manifests/", "/blobs/"] {
        if let Some((name, target)) = before_digest.split_once(kind) {
            let target_digest = target.get(..71).and_then(Digest::parse);
            let end = target_digest.map_or_else(|| target.find(':').unwrap_or(target.len()), |_| 71);
            let tag = target_digest
                .is_none()
                .then(|| target[..end].to_owned())
                .filter(|tag| !tag.is_empty() && !tag.starts_with("sha256"));
            return valid_name(name).then_some((name, tag, target_digest, name.len() + kind.len() + end));
        }
    }
    let (name, tag) = match before_digest.split_once(':') {
        Some((name, tag)) => (name, tag.split([':', '@']).next().unwrap_or_default()),
        None => (before_digest, ""),
    };
    if digest.is_none() && used != path.len() {
        used = name.len() + usize::from(!tag.is_empty()) + tag.len();
    } else if digest.is_none() && !tag.is_empty() {
        used = name.len() + 1 + tag.len();
    }
    let tag = (!tag.is_empty()).then(|| tag.to_owned());
    valid_name(name).then_some((name, tag, digest, used))
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*(/...)*`, loosely: enough to tell a name from prose.
fn valid_name(name: &str) -> bool {
    let plain = |byte: u8| {
        byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-' | b'/')
    };
    (1..=256).contains(&name.len()) && name.bytes().all(plain) && name.as_bytes()[0].is_ascii_alphanumeric()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEX: &str = "65bc5c8130c5b852f6d1b2ad10376f2c70e6dba44971416de765da80fd003009";

    fn reference(tag: Option<&str>, digest: bool) -> ImageReference {
        ImageReference {
            registry_id: "111122223333".into(),
            region: "us-east-1".into(),
            repository: "team/api".into(),
            tag: tag.map(Into::into),
            digest: digest.then(|| Digest::parse(&format!("sha256:{HEX}"))).flatten(),
        }
    }

    #[test]
    fn plain_references() {
        let host = "111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api";
        assert_eq!(ImageReference::parse(host), Some(reference(None, false)));
        assert_eq!(ImageReference::parse(&format!("{host}:v1.2")), Some(reference(Some("v1.2"), false)));
        assert_eq!(ImageReference::parse(&format!("{host}@sha256:{HEX}")), Some(reference(None, true)));
        assert_eq!(
            ImageReference::parse(&format!("{host}:v1@sha256:{HEX}")),
            Some(reference(Some("v1"), true))
        );
        assert_eq!(ImageReference::parse("nginx:latest"), None);
        assert_eq!(ImageReference::parse("public.ecr.aws/nginx/nginx:latest"), None);
    }

    #[test]
    fn other_hosts() {
        for host in
            ["111122223333.dkr.ecr-fips.us-east-1.amazonaws.com", "111122223333.dkr-ecr.us-east-1.on.aws"]
        {
            assert_eq!(
                ImageReference::parse(&format!("{host}/team/api:v1")),
                Some(reference(Some("v1"), false))
            );
        }
        let china = ImageReference::parse("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/a:b");
        assert_eq!(
            china.map(|found| found.to_text()).as_deref(),
            Some("111122223333.dkr.ecr.cn-north-1.amazonaws.com.cn/a:b")
        );
    }

    #[test]
    fn a_reason_holds_the_reference_twice_and_counts_once() {
        let one = format!("111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api:v1@sha256:{HEX}");
        let text = format!(
            "CannotPullContainerError: pull image manifest has been retried 1 time(s): failed to resolve ref \
             {one}: {one}: not found"
        );
        assert_eq!(ImageReference::find_all(&text), vec![reference(Some("v1"), true)]);
    }

    #[test]
    fn a_head_request_names_the_digest_in_the_path() {
        let text = format!(
            "unexpected status from HEAD request to \
             https://111122223333.dkr.ecr.us-east-1.amazonaws.com/v2/team/api/manifests/sha256:{HEX}: 403 \
             Forbidden"
        );
        assert_eq!(ImageReference::find_all(&text), vec![reference(None, true)]);
    }

    #[test]
    fn a_docker_daemon_error_names_only_the_tag() {
        let text = "Error response from daemon: manifest for \
            111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api:v1 not found: manifest unknown";
        assert_eq!(ImageReference::find_all(text), vec![reference(Some("v1"), false)]);
        let text =
            "failed to resolve ref 111122223333.dkr.ecr.us-east-1.amazonaws.com/team/api:v1: not found";
        assert_eq!(ImageReference::find_all(text), vec![reference(Some("v1"), false)]);
    }
}
