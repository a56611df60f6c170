//! Who pulls an image: something that needs it, or a scanner that only looks at it.

use super::Event;

/// The kind of a caller: decides whether a pull shows need, and whether ECR records it for rules that go by
/// the last pull.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caller {
    /// Something that needs the image, as far as is known.
    #[default]
    Client,
    /// AWS itself, without a service's name.
    Unnamed,
    /// Amazon Inspector: ECR does not count its pulls (User Guide, "Pull-time update exclusions").
    Inspector,
    /// It calls itself Inspector, but nothing that AWS states confirms that.
    PerhapsInspector,
    /// A known scanner of another vendor; ECR records its pulls.
    Scanner,
    /// A principal that is on ECR's list of pull time exclusions.
    Excluded,
}

/// How Amazon Inspector's calls look in CloudTrail is not documented; they are recognised by its
/// service-linked role or service name.
const INSPECTOR_ROLE: &str = "AWSServiceRoleForAmazonInspector2";
const INSPECTOR: &[&str] = &["inspector2.amazonaws.com", "inspector.amazonaws.com"];

/// Prefixes of the names of roles that scanners are installed with, from their vendors' templates; in lower
/// case.
const SCANNER_ROLES: &[&str] = &[
    "prismacloud",
    "wizaccess-role",
    "wizaccessrole",
    "wizscanner",
    "orcasecurityrole",
    "orcasidescanner",
    "snyk",
    "lacework",
    "sysdig",
    "datadogagentlessscanner",
    "aquasec",
    "trivy",
    "crowdstrike",
    "twistlock",
    "qualys",
    "tenable",
    "anchore",
];

/// Product names in the user agents of scanners, in lower case.
const SCANNER_AGENTS: &[&str] = &[
    "trivy",
    "grype",
    "syft",
    "snyk",
    "twistcli",
    "prismacloud",
    "anchore",
    "anchorectl",
    "clair",
    "wizcli",
    "orca-cli",
];

impl Caller {
    /// The kind of caller as the record shows it; [`Self::Excluded`] is decided elsewhere.
    pub fn of(event: &Event<'_>) -> Self {
        let actor = event.actor.as_deref().unwrap_or_default();
        let invoked_by = event.invoked_by.as_deref().unwrap_or_default();
        let (address, agent) =
            (event.source_ip.as_deref().unwrap_or_default(), event.user_agent.as_deref().unwrap_or_default());
        let role = IamPrincipal::of(actor).map_or("", |principal| principal.name);
        if role == INSPECTOR_ROLE || [actor, invoked_by, address].iter().any(|name| INSPECTOR.contains(name))
        {
            return Self::Inspector;
        }
        let is_inspector = |text: &[u8], at: usize| {
            text.get(at..at + 9).is_some_and(|word| word.eq_ignore_ascii_case(b"inspector"))
        };
        let names_inspector = |text: &str| {
            memchr::memchr2_iter(b'i', b'I', text.as_bytes()).any(|at| is_inspector(text.as_bytes(), at))
        };
        let agent_is_inspector =
            || names_inspector(agent) && INSPECTOR.iter().any(|service| agent.contains(service));
        if names_inspector(role) || agent_is_inspector() {
            return Self::PerhapsInspector;
        }
        let begins_like = |known: &str| {
            let start = role.as_bytes().get(..known.len());
            start.is_some_and(|start| start.eq_ignore_ascii_case(known.as_bytes()))
        };
        if SCANNER_ROLES.iter().any(|known| begins_like(known))
            || products(agent).any(|product| is_one_of(product, SCANNER_AGENTS))
        {
            return Self::Scanner;
        }
        match actor {
            "" | "AWS Internal" | "ecr.amazonaws.com" => Self::Unnamed,
            _ => Self::Client,
        }
    }

    /// Whether a pull by such a caller shows that the image is needed.
    pub const fn needs(self) -> bool {
        matches!(self, Self::Client | Self::Unnamed)
    }

    /// Whether ECR records such a pull as the image's last; `None` where the caller is unclear.
    pub const fn is_recorded(self) -> Option<bool> {
        match self {
            Self::Client | Self::Scanner => Some(true),
            Self::Inspector | Self::Excluded => Some(false),
            Self::Unnamed | Self::PerhapsInspector => None,
        }
    }
}

/// `trivy` and `linux` in `trivy/0.58 linux/amd64`.
fn products(agent: &str) -> impl Iterator<Item = &[u8]> {
    agent
        .as_bytes()
        .split(|byte| matches!(byte, b' ' | b'(' | b')' | b';' | b','))
        .map(|word| word.split(|byte| *byte == b'/').next().unwrap_or_default())
        .filter(|product| !product.is_empty())
}

fn is_one_of(word: &[u8], known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known.as_bytes()))
}

/// A role or user, however an ARN names it: IAM's `role/path/NAME` appears as `assumed-role/NAME/SESSION`
/// when it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IamPrincipal<'a> {
    pub account: &'a str,
    /// `role` or `user`.
    pub kind: &'static str,
    /// Without the path; names are unique within an account.
    pub name: &'a str,
}

impl<'a> IamPrincipal<'a> {
    /// `None` if it is not the ARN of a role, a session of a role, or a user.
    pub fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(_), Some("iam" | "sts")) = (parts.next(), parts.next(), parts.next()) else {
            return None;
        };
        let (_region, account, resource) = (parts.next()?, parts.next()?, parts.next()?);
        let (kind, rest) = resource.split_once('/')?;
        let (kind, name) = match kind {
            "assumed-role" => ("role", rest.split('/').next()?),
            "role" => ("role", rest.rsplit('/').next()?),
            "user" => ("user", rest.rsplit('/').next()?),
            _ => return None,
        };
        (!name.is_empty()).then_some(Self { account, kind, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_its_role() {
        let session = IamPrincipal::of("arn:aws:sts::111122223333:assumed-role/nightly-job/run");
        assert_eq!(session, IamPrincipal::of("arn:aws:iam::111122223333:role/batch/nightly-job"));
        assert_ne!(session, IamPrincipal::of("arn:aws:iam::444455556666:role/nightly-job"));
        assert_ne!(session, IamPrincipal::of("arn:aws:iam::111122223333:user/nightly-job"));
        for none in [
            "AWS Internal",
            "",
            "arn:aws:iam::111122223333:root",
            "arn:aws:sts::111122223333:federated-user/bob",
            "AIDA123",
        ] {
            assert_eq!(IamPrincipal::of(none), None, "{none}");
        }
    }
}
