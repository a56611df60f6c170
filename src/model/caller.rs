//! Who asks for an image: somebody who needs it, or a scanner that only looks at it.

use super::Event;

/// What a pull says about need, and about the time of the last pull that lifecycle rules go by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Caller {
    /// Somebody who needs the image, for all that is known.
    #[default]
    Client,
    /// AWS itself, without a word on which of its services.
    Unnamed,
    /// Amazon Inspector: ECR does not count its pulls (User Guide, "Pull-time update exclusions").
    Inspector,
    /// It calls itself Inspector, and nothing that AWS states confirms that.
    PerhapsInspector,
    /// A known scanner of somebody else: its pulls count for ECR.
    Scanner,
    /// A principal whose pulls ECR was told not to count.
    Excluded,
}

/// How Inspector's calls look in CloudTrail is not documented: its service-linked role or its service name is taken for it.
const INSPECTOR_ROLE: &str = "AWSServiceRoleForAmazonInspector2";
const INSPECTOR: &[&str] = &["inspector2.amazonaws.com", "inspector.amazonaws.com"];

/// Roles that scanners are installed with: beginnings of the names that their makers' templates give, in lower case.
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

/// Products in the user agents of scanners, in lower case.
const SCANNER_AGENTS: &[&str] =
    &["trivy", "grype", "syft", "snyk", "twistcli", "prismacloud", "anchore", "anchorectl", "clair", "wizcli", "orca-cli"];

impl Caller {
    /// As far as the record of the pull tells; whether the principal is excluded stands elsewhere.
    pub fn of(event: &Event<'_>) -> Self {
        let actor = event.actor.as_deref().unwrap_or_default();
        let invoked_by = event.invoked_by.as_deref().unwrap_or_default();
        let (address, agent) = (event.source_ip.as_deref().unwrap_or_default(), event.user_agent.as_deref().unwrap_or_default());
        let role = IamPrincipal::of(actor).map_or("", |principal| principal.name);
        if role == INSPECTOR_ROLE || [actor, invoked_by, address].iter().any(|name| INSPECTOR.contains(name)) {
            return Self::Inspector;
        }
        let is_inspector = |text: &[u8], at: usize| text.get(at..at + 9).is_some_and(|word| word.eq_ignore_ascii_case(b"inspector"));
        let names_inspector = |text: &str| memchr::memchr2_iter(b'i', b'I', text.as_bytes()).any(|at| is_inspector(text.as_bytes(), at));
        if names_inspector(role) || INSPECTOR.iter().any(|service| agent.contains(service)) {
            return Self::PerhapsInspector;
        }
        let is_scanner_role = |known: &&&str| role.get(..known.len()).is_some_and(|start| start.eq_ignore_ascii_case(known));
        if SCANNER_ROLES.iter().find(is_scanner_role).is_some() || products(agent).any(|product| is_one_of(product, SCANNER_AGENTS)) {
            return Self::Scanner;
        }
        match actor {
            "" | "AWS Internal" | "ecr.amazonaws.com" => Self::Unnamed,
            _ => Self::Client,
        }
    }

    /// Whether such a pull is a sign of need.
    pub const fn needs(self) -> bool {
        matches!(self, Self::Client | Self::Unnamed)
    }

    /// Whether ECR counts such a pull as the image's last; `None` where the caller is not clear.
    pub const fn is_recorded(self) -> Option<bool> {
        match self {
            Self::Client | Self::Scanner => Some(true),
            Self::Inspector | Self::Excluded => Some(false),
            Self::Unnamed | Self::PerhapsInspector => None,
        }
    }
}

/// `trivy` and `linux` in `trivy/0.58 linux/amd64`.
fn products(agent: &str) -> impl Iterator<Item = &str> {
    agent.split([' ', '(', ')', ';', ',']).map(|word| word.split('/').next().unwrap_or_default()).filter(|product| !product.is_empty())
}

fn is_one_of(word: &str, known: &[&str]) -> bool {
    known.iter().any(|known| word.eq_ignore_ascii_case(known))
}

/// A role or a user, whichever way an ARN names it: `role/path/NAME` of IAM is `assumed-role/NAME/SESSION` where it calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct IamPrincipal<'a> {
    pub account: &'a str,
    /// `role` or `user`.
    pub kind: &'static str,
    /// Without the path: names are unique in an account.
    pub name: &'a str,
}

impl<'a> IamPrincipal<'a> {
    /// `None` for what is no ARN of a role, a session of one, or a user.
    pub fn of(arn: &'a str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let (Some("arn"), Some(_), Some("iam" | "sts")) = (parts.next(), parts.next(), parts.next()) else { return None };
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
        for none in ["AWS Internal", "", "arn:aws:iam::111122223333:root", "arn:aws:sts::111122223333:federated-user/bob", "AIDA123"] {
            assert_eq!(IamPrincipal::of(none), None, "{none}");
        }
    }
}
