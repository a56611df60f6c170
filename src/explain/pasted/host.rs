//! Hosts of registries: ECR's, however the account is written, and others.

use super::name::run;

/// The registry that a text names.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Registry {
    /// None.
    #[default]
    Unnamed,
    /// An ECR private registry; parts of the host that could not be read are `None`: logs mask accounts,
    /// and error messages leave out the region.
    Ecr { registry_id: Option<String>, region: Option<String> },
    /// `public.ecr.aws`.
    Public,
    /// Any other host, or an unreadable one.
    Other(String),
}

/// Maximum length of a host after `.dkr`.
const HOST_MAX: usize = 120;

/// Suffixes of ECR's hosts, by partition.
const ENDS: [&str; 9] = [
    ".amazonaws.com",
    ".amazonaws.com.cn",
    ".amazonaws.eu",
    ".on.aws",
    ".on.amazonwebservices.com.cn",
    ".c2s.ic.gov",
    ".sc2s.sgov.gov",
    ".cloud.adc-e.uk",
    ".csp.hci.ic.gov",
];

/// Positions of `.dkr.ecr` or `.dkr-ecr` in a lower-case text.
pub(super) fn ecr_hosts(lower: &str) -> impl Iterator<Item = usize> + '_ {
    lower
        .match_indices(".dkr")
        .map(|(at, _)| at)
        .filter(|at| lower[at + 4..].starts_with(".ecr") || lower[at + 4..].starts_with("-ecr"))
}

/// The account at the end of `before`: exactly twelve digits.
pub(super) fn account(before: &str) -> Option<String> {
    let digits = before.bytes().rev().take_while(u8::is_ascii_digit).count();
    (digits == 12).then(|| before[before.len() - 12..].to_owned())
}

/// The rest of a host from `.dkr` on: its region, and its length including port and slash.
pub(super) fn behind_account(text: &str) -> Option<(Option<String>, usize)> {
    let slash = text.find('/').filter(|at| *at <= HOST_MAX)?;
    let host = &text[..slash];
    if host.contains(|letter: char| letter.is_whitespace() || matches!(letter, '"' | '\'' | ',')) {
        return None;
    }
    let host = host.split_once(':').map_or(host, |(host, _port)| host).to_ascii_lowercase();
    let host = host.get(".dkr.ecr".len()..)?;
    let host = host.strip_prefix("-fips").unwrap_or(host).strip_prefix('.')?;
    let region = ENDS.iter().filter_map(|end| host.strip_suffix(end)).find(|region| is_region(region));
    Some((region.map(str::to_owned), slash + 1))
}

/// `eu-central-1`, `us-gov-west-1`, `us-isob-east-1`, `eusc-de-east-1`.
pub(super) fn is_region(text: &str) -> bool {
    let mut parts = text.split('-');
    let first = parts.next().is_some_and(|area| {
        (2..=4).contains(&area.len()) && area.bytes().all(|byte| byte.is_ascii_lowercase())
    });
    let rest: Vec<&str> = parts.collect();
    let number = rest.last().is_some_and(|number| {
        (1..=2).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit())
    });
    let words = rest.iter().rev().skip(1);
    first
        && number
        && (2..=3).contains(&rest.len())
        && words.clone().all(|word| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Whether the first part of a name is a host: it has a dot or a port, or is this machine.
pub(super) fn is_host(part: &str) -> bool {
    let (host, port) = part.split_once(':').unwrap_or((part, ""));
    let is_port = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_name =
        !host.is_empty() && run(host, plain) == host.len() && !host.starts_with('.') && !host.ends_with('.');
    is_name && (is_port || port.is_empty() && (host.contains('.') || host == "localhost"))
}

/// Registries of AWS's own, whose trails no customer has: the add-ons of EKS (docs.aws.amazon.com/eks,
/// "add-ons-images") and the Deep Learning Containers (aws.github.io/deep-learning-containers, "Region
/// Availability").
pub(in crate::explain) fn owner(registry_id: &str) -> Option<&'static str> {
    const EKS: [&str; 22] = [
        "602401143452",
        "877085696533",
        "800184023465",
        "533267051163",
        "296578399912",
        "900889452093",
        "491585149902",
        "151610086707",
        "333609536671",
        "121268973566",
        "918309763551",
        "961992271922",
        "761377655185",
        "590381155156",
        "455263428931",
        "900612956339",
        "558608220178",
        "759879836304",
        "066635153087",
        "013241004608",
        "151742754352",
        "730335286997",
    ];
    const LEARNING: [&str; 11] = [
        "763104351884",
        "626614931356",
        "871362719292",
        "772153158452",
        "907027046896",
        "550225433462",
        "457447274322",
        "364406365360",
        "975050140332",
        "590183813437",
        "204538143572",
    ];
    match registry_id {
        _ if EKS.contains(&registry_id) => Some("the add-ons of EKS"),
        _ if LEARNING.contains(&registry_id) => Some("AWS's Deep Learning Containers"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_of_ecr_is_one_whatever_it_looks_like() {
        for (host, region) in [
            (".dkr.ecr.eu-central-1.amazonaws.com/", Some("eu-central-1")),
            (".DKR.ECR.EU-Central-1.AmazonAWS.com:443/", Some("eu-central-1")),
            (".dkr.ecr-fips.us-gov-west-1.amazonaws.com/", Some("us-gov-west-1")),
            (".dkr-ecr.us-east-1.on.aws/", Some("us-east-1")),
            (".dkr-ecr-fips.us-east-1.on.aws/", Some("us-east-1")),
            (".dkr.ecr.cn-north-1.amazonaws.com.cn/", Some("cn-north-1")),
            (".dkr-ecr.cn-north-1.on.amazonwebservices.com.cn/", Some("cn-north-1")),
            (".dkr.ecr.eusc-de-east-1.amazonaws.eu/", Some("eusc-de-east-1")),
            (".dkr.ecr.***.amazonaws.com/", None),
            (".dkr.ecr.<region>.amazonaws.com/", None),
            (".dkr.ecr.***/", None),
        ] {
            let (found, length) = behind_account(&format!("{host}shop/api")).unwrap();
            assert_eq!((found.as_deref(), length), (region, host.len()), "{host}");
        }
        assert!(behind_account(".dkr.ecr is a host, and/or").is_none());
        assert_eq!(account("https://111122223333").as_deref(), Some("111122223333"));
        assert_eq!(account("9111122223333").or(account("***")).or(account("11112222xxxx")), None);
    }
}
