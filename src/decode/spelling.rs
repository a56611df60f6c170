//! Services and calls in the spellings of other tools: `ecr:PutImage`, `putimage`, `aws.ecr`. What is told
//! beyond doubt is written as CloudTrail writes it; of what is not, this says so.

use super::calls::{CALLS, LAMBDA};
use super::names::{is_null_word, is_success_word, letters};
use crate::model::is_region;

const HOST: &str = ".amazonaws.com";
/// What services are called where people read it, without `Amazon` and `AWS`.
const LONG_NAMES: [(&str, &str); 6] = [
    ("ecr", "elasticcontainerregistry"),
    ("ecr", "ec2containerregistry"),
    ("ecs", "elasticcontainerservice"),
    ("ecs", "ec2containerservice"),
    ("kms", "keymanagementservice"),
    ("events", "eventbridge"),
];
/// Words around the name of a service that do not tell which.
const AROUND_SERVICES: [&str; 10] =
    ["aws", "amazon", "amazonaws", "com", "cn", "api", "dkr", "service", "http", "https"];
/// What may stand between a service and a call.
const BETWEEN: [char; 7] = [':', '.', '/', '#', '|', '\\', '>'];

/// The name of a service as CloudTrail writes it: `ecr.amazonaws.com` for `ecr`, `ECR.AMAZONAWS.COM`, `aws.ecr`
/// and `api.ecr.eu-west-1.amazonaws.com`. `None` where it is so written, and where it names no service.
pub(super) fn source_written_so(text: &str) -> Option<String> {
    let said = text.trim_ascii();
    let whole = match service(said) {
        _ if says_nothing(said) => said.to_owned(),
        Some(label) => format!("{label}{HOST}"),
        None if is_host(said) => {
            let first_is_upper = said.starts_with(|first: char| first.is_ascii_uppercase());
            let lower = if first_is_upper { said.to_ascii_lowercase() } else { said.to_owned() };
            if lower.contains('.') { lower } else { lower + HOST }
        }
        None => said.to_owned(),
    };
    (whole != text).then_some(whole)
}

fn is_host(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    text.bytes().all(is_part) && text.bytes().any(|byte| byte.is_ascii_alphanumeric())
}

/// Whether a source is written as CloudTrail writes nearly all of them: one word before the host.
pub(super) fn is_usual_source(source: &[u8]) -> bool {
    source.strip_suffix(HOST.as_bytes()).is_some_and(|label| {
        !label.is_empty()
            && label.iter().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'-')
    })
}

/// The service of images that a text names, by the first word of its host: `ecr`.
fn service(text: &str) -> Option<&'static str> {
    let labels = || CALLS.iter().filter_map(|(source, _)| source.strip_suffix(HOST));
    if text.len() > 64 {
        return None;
    }
    // As a name for people it is several words: `Amazon ECR`, `AWS::ECS`, `AWS Lambda`.
    let letters = letters_of(text);
    let short =
        ["amazon", "aws"].iter().fold(&*letters, |rest, before| rest.strip_prefix(before).unwrap_or(rest));
    if let Some(label) = labels().find(|label| *label == short) {
        return Some(label);
    }
    if let Some((label, _)) = LONG_NAMES.iter().find(|(_, long)| *long == short) {
        return labels().find(|of| of == label);
    }
    let mut words = text.split(|char: char| !char.is_ascii_alphanumeric() && char != '-').filter(|word| {
        !is_around(word) && !is_region(word) && !word.bytes().all(|byte| byte.is_ascii_digit())
    });
    match (words.next(), words.next()) {
        (Some(word), None) => {
            let word = word.strip_suffix("-fips").unwrap_or(word);
            labels().find(|label| label.eq_ignore_ascii_case(word))
        }
        _ => None,
    }
}

fn is_around(word: &str) -> bool {
    AROUND_SERVICES.iter().any(|known| known.eq_ignore_ascii_case(word))
}

/// The letters and digits of a text, in lower case.
fn letters_of(text: &str) -> String {
    text.chars().filter(char::is_ascii_alphanumeric).map(|char| char.to_ascii_lowercase()).collect()
}

/// The name of a call as CloudTrail writes it, for `ecr:PutImage`, `ECR.PutImage`, `putimage` and `PUT_IMAGE` of
/// `ecr.amazonaws.com`. `None` where it is so written, and for services that have nothing to do with images.
pub(super) fn call_written_so(source: &[u8], name: &str) -> Option<String> {
    let (source, calls) = calls_of(source)?;
    if calls.contains(&name) {
        return None;
    }
    let said = name.trim_ascii();
    let bare = without_service(source, said).unwrap_or(said);
    let written = calls.iter().find_map(|call| {
        let version = version_behind(call, bare)?;
        (version.is_empty() || calls == LAMBDA).then(|| format!("{call}{version}"))
    });
    let written = written.unwrap_or_else(|| bare.to_owned());
    (written != name).then_some(written)
}

/// The service of images with this source, and its calls.
fn calls_of(source: &[u8]) -> Option<(&'static str, &'static [&'static str])> {
    CALLS.iter().find(|(known, _)| known.as_bytes() == source).copied()
}

/// Whether this is the source of a service of images.
pub(super) fn is_of_images(source: &[u8]) -> bool {
    calls_of(source).is_some()
}

/// What follows `call` in a name that begins with the same letters: nothing, or a version as Lambda has it.
fn version_behind(call: &str, name: &str) -> Option<String> {
    let mut said = letters(name.as_bytes());
    let begins_so =
        call.bytes().all(|letter| said.next().is_some_and(|other| other.eq_ignore_ascii_case(&letter)));
    let rest: String = said.map(|byte| char::from(byte.to_ascii_lowercase())).collect();
    (begins_so && rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'v')).then_some(rest)
}

/// The call in `ecr:PutImage`, `AWS::ECR::PutImage` and `AmazonEC2ContainerRegistry_V20150921.PutImage`.
fn without_service<'n>(source: &str, name: &'n str) -> Option<&'n str> {
    let (before, call) = name.rsplit_once(BETWEEN)?;
    let is_version = |word: &str| {
        word.strip_prefix(['v', 'V']).is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let label = source.strip_suffix(HOST)?;
    let is_of_service =
        |word: &str| word.is_empty() || is_around(word) || is_version(word) || service(word) == Some(label);
    let call = call.trim_ascii();
    (!call.is_empty() && before.split(|char: char| !char.is_ascii_alphanumeric()).all(is_of_service))
        .then_some(call)
}

/// Whether a record of this source has a call whose name has to be looked at more closely. `may_be_spelled` tells by the
/// first letters whether a name may be that of a known call in another case.
pub(super) fn may_be_spelled_otherwise(
    source: &[u8],
    name: &[u8],
    may_be_spelled: impl Fn(&[u8]) -> bool,
) -> bool {
    let Some((_, calls)) = calls_of(source) else {
        // `ecr.eu-west-1.amazonaws.com`.
        return !is_usual_source(source);
    };
    let (is_plain, words) = name.iter().fold((true, 0), |(plain, words), byte| {
        (plain & byte.is_ascii_alphanumeric(), words + u32::from(byte.is_ascii_uppercase()))
    });
    let is_other_case = |call: &&str| {
        let both = name.iter().zip(call.bytes()).all(|(one, other)| one.eq_ignore_ascii_case(&other));
        both && name.len() >= call.len() && !name.starts_with(call.as_bytes())
    };
    !is_plain
        || !begins_like_a_call(name)
        // A word for what is not known is one word, or `NaN`; none of them begins like `Decrypt` or `GetKey`.
        || (words == 1 || name.len() < 4)
            && !matches!(name, [b'D' | b'G', ..])
            && std::str::from_utf8(name).is_ok_and(says_nothing)
        || may_be_spelled(name) && calls.iter().any(is_other_case)
}

/// All names of calls begin with a word: one letter in upper case, and one in lower case.
fn begins_like_a_call(name: &[u8]) -> bool {
    matches!(name, [first, second, ..] if first.is_ascii_uppercase() && second.is_ascii_lowercase())
}

/// Whether a text can be the name of a call, whichever, in any case; `***`, `unknown` and `PutImage?` cannot.
pub(crate) fn can_be_a_call(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b' '))
        && !says_nothing(name)
}

/// Whether a service cannot be told from its name, and a call of this name may be about images.
pub(super) fn hides_its_service(source: &str, name: &str) -> bool {
    !(is_host(source) && source.contains('.'))
        && CALLS.iter().any(|(of, calls)| {
            let written = call_written_so(of.as_bytes(), name);
            calls.contains(&written.as_deref().unwrap_or(name))
        })
}

/// Whether a text says nothing of a value that there is: a word of redaction, or a word for what is not known.
pub(crate) fn says_nothing(text: &str) -> bool {
    const WORDS: [&str; 6] = ["unknown", "unspecified", "other", "missing", "not available", "example"];
    let bare = text.trim_matches(|char: char| !char.is_ascii_alphanumeric());
    text.len() <= 32
        && (bare.is_empty()
            || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare))
            || is_placeholder(text)
            || is_null_word(text.as_bytes()))
}

/// Whether the message of an error tells that there was one.
pub(crate) fn says_why(message: &str) -> bool {
    !says_nothing(message) && !is_success_word(message.as_bytes())
}

/// Whether an `errorCode` does not tell whether the call failed.
pub(crate) fn is_undecided_code(code: &str) -> bool {
    says_nothing(code) && !is_null_word(code.as_bytes()) && !is_success_word(code.as_bytes())
}

/// Whether a name is a word that redaction puts in the place of names: `***`, `[REDACTED]`, `XXXX`.
pub(crate) fn is_placeholder(name: &str) -> bool {
    const WORDS: [&str; 11] = [
        "redacted",
        "removed",
        "masked",
        "hidden",
        "anonymized",
        "anonymised",
        "sanitized",
        "sanitised",
        "obfuscated",
        "confidential",
        "hidden_due_to_security_reasons",
    ];
    let bare = name.trim_matches(['<', '>', '[', ']', '(', ')', '{', '}', '*', '_', '-', '.', ' ']);
    bare.is_empty()
        || bare.len() > 3 && bare.bytes().all(|byte| matches!(byte, b'x' | b'X'))
        || WORDS.iter().any(|word| word.eq_ignore_ascii_case(bare))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_redaction_are_no_names() {
        for name in
            ["***", "[REDACTED]", "<redacted>", "XXXX", "xxxxxxxx", "...", "HIDDEN_DUE_TO_SECURITY_REASONS"]
        {
            assert!(is_placeholder(name), "{name}");
        }
        for name in ["v1", "latest", "x", "xx-1", "hidden-service", "release-2026.03.02", "\"><img src=x>"] {
            assert!(!is_placeholder(name), "{name}");
        }
    }

    #[test]
    fn sources_are_names_of_hosts() {
        for text in [
            "ecr",
            "ECR",
            "Ecr",
            " ecr.amazonaws.com",
            "ECR.amazonaws.com",
            "ECR.AMAZONAWS.COM\t",
            "ecr.amazonaws.com.",
            "ecr.amazonaws.com.cn",
            "https://ecr.amazonaws.com/",
            "api.ecr.eu-central-1.amazonaws.com",
            "ecr.us-gov-west-1.amazonaws.com",
            "aws.ecr",
            "aws:ecr",
            "AWS::ECR",
            "com.amazonaws.ecr",
            "Amazon ECR",
            "AmazonECR",
            "Amazon Elastic Container Registry",
            "AmazonEC2ContainerRegistry",
            "ecr-fips.us-east-1.amazonaws.com",
            "api.ecr.eu-west-1.api.aws",
            "111122223333.dkr.ecr.eu-central-1.amazonaws.com:443",
        ] {
            assert_eq!(source_written_so(text).as_deref(), Some("ecr.amazonaws.com"), "{text}");
        }
        for (text, source) in [
            ("s3", "s3.amazonaws.com"),
            ("EventBridge", "events.amazonaws.com"),
            ("AWS Lambda", "lambda.amazonaws.com"),
        ] {
            assert_eq!(source_written_so(text).as_deref(), Some(source));
        }
        for text in [
            "ecr.amazonaws.com",
            "ecr-public.amazonaws.com",
            "pullthroughcache.ecr.amazonaws.com",
            "signin.amazonaws.cn",
            "",
            "two words",
            "aws:s3",
            "unknown",
            "REDACTED",
            "***",
        ] {
            assert_eq!(source_written_so(text), None, "{text}");
        }
    }

    #[test]
    fn calls_are_written_as_cloudtrail_writes_them() {
        const ECR: &[u8] = b"ecr.amazonaws.com";
        for name in [
            "ecr:PutImage",
            "ECR.PutImage",
            "Ecr.PutImage",
            "ecr.amazonaws.com:PutImage",
            "ecr.amazonaws.com/PutImage",
            "aws.ecr.PutImage",
            "AWS::ECR::PutImage",
            "com.amazonaws.ecr#PutImage",
            "AmazonEC2ContainerRegistry_V20150921.PutImage",
            "putimage",
            "PUTIMAGE",
            "Putimage",
            "put_image",
            "put-image",
            "Put Image",
            " PutImage\n",
            "ecr:putImage",
        ] {
            assert_eq!(call_written_so(ECR, name).as_deref(), Some("PutImage"), "{name}");
            assert!(may_be_spelled_otherwise(ECR, name.as_bytes(), |_| true), "{name}");
        }
        for name in ["PutImage", "PutImageRequest", "UploadLayerPart", "kms:PutImage", "Decrypt", "***"] {
            assert_eq!(call_written_so(ECR, name), None, "{name}");
        }
        assert_eq!(call_written_so(ECR, "ecr:UploadLayerPart").as_deref(), Some("UploadLayerPart"));
        assert_eq!(call_written_so(b"s3.amazonaws.com", "putimage"), None);
        let lambda = |name| call_written_so(b"lambda.amazonaws.com", name);
        assert_eq!(lambda("updatefunctioncode20150331V2").as_deref(), Some("UpdateFunctionCode20150331v2"));
        assert_eq!(lambda("CreateFunctionUrlConfig"), None);
    }

    #[test]
    fn the_calls_that_services_log_most_are_told_at_once() {
        for (source, name) in [
            ("kms.amazonaws.com", "Decrypt"),
            ("kms.amazonaws.com", "GenerateDataKey"),
            ("ecr.amazonaws.com", "UploadLayerPart"),
            ("ecr.amazonaws.com", "BatchCheckLayerAvailability"),
            ("codecommit.amazonaws.com", "git_pull"),
        ] {
            assert!(!may_be_spelled_otherwise(source.as_bytes(), name.as_bytes(), |_| true), "{name}");
        }
        for name in ["***", "REDACTED", "Redacted", "Unknown", "", "-", "n/a"] {
            assert!(may_be_spelled_otherwise(b"ecr.amazonaws.com", name.as_bytes(), |_| false), "{name}");
            assert!(!can_be_a_call(name), "{name}");
        }
        for source in
            ["ecr.eu-west-1.amazonaws.com", "api.ecr.eu-west-1.amazonaws.com", "ecr.amazonaws.com.cn"]
        {
            assert!(may_be_spelled_otherwise(source.as_bytes(), b"PutImage", |_| false), "{source}");
        }
    }

    #[test]
    fn a_service_that_cannot_be_told_hides_calls_about_images() {
        for source in ["***", "unknown", "REDACTED", "", "-", "...", "two words"] {
            assert!(hides_its_service(source, "PutImage"), "{source}");
            assert!(!hides_its_service(source, "RunInstances"), "{source}");
        }
        for source in ["ecr-public.amazonaws.com", "s3.amazonaws.com", "aws.amazon.com"] {
            assert!(!hides_its_service(source, "PutImage"), "{source}");
        }
    }

    #[test]
    fn an_error_code_that_says_nothing_is_no_success_and_no_failure() {
        for code in ["unknown", "Unknown", "REDACTED", "***", "...", "?", "other", "XXXX"] {
            assert!(is_undecided_code(code), "{code}");
        }
        for code in ["Success", "None", "-", "--", "AccessDenied", "UnknownError", "Error", "Failed", "404"] {
            assert!(!is_undecided_code(code), "{code}");
        }
    }
}
