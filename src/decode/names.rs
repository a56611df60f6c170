//! The names of a record's top-level members, the kind of value that CloudTrail writes for each, and the
//! spellings of other tools.

use super::fields::Key;

/// The kind of value that CloudTrail writes for a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Anything; left unchanged.
    Any,
    /// A list.
    Json,
    /// An object.
    Object,
    /// The same; a string that contains no JSON is an error.
    Payload,
    /// A string; words for null count as absent.
    Word,
    /// The same, in lower case.
    Region,
    /// The same; words for success count as absent, too.
    Code,
    /// A string without a space at its ends.
    Name,
    /// The name of a service's host.
    Source,
    /// `true` or `false`.
    Flag,
    /// Twelve digits, as a string.
    Account,
    Time,
}

/// The kind of a top-level member by its exact name.
pub(super) fn named(name: &[u8]) -> Option<(Kind, Option<Key>)> {
    use Kind::{Account, Any, Code, Flag, Json, Name, Object, Payload, Region, Source, Time, Word};
    Some(match name {
        b"eventVersion" => (Any, Some(Key::EventVersion)),
        b"userIdentity" => (Object, Some(Key::UserIdentity)),
        b"eventTime" => (Time, Some(Key::EventTime)),
        b"eventSource" => (Source, Some(Key::EventSource)),
        b"eventName" => (Name, Some(Key::EventName)),
        b"awsRegion" => (Region, Some(Key::AwsRegion)),
        b"sourceIPAddress" | b"userAgent" | b"eventContext" => (Any, None),
        b"errorCode" => (Code, None),
        b"errorMessage"
        | b"requestID"
        | b"apiVersion"
        | b"sharedEventID"
        | b"vpcEndpointId"
        | b"vpcEndpointAccountId"
        | b"sessionCredentialFromConsole" => (Word, None),
        b"requestParameters" => (Payload, Some(Key::Request)),
        b"responseElements" => (Payload, Some(Key::Response)),
        b"serviceEventDetails" => (Payload, Some(Key::Details)),
        b"resources" => (Json, None),
        b"additionalEventData" | b"addendum" | b"tlsDetails" | b"edgeDeviceDetails" | b"insightDetails" => {
            (Object, None)
        }
        b"eventID" => (Any, Some(Key::EventId)),
        b"eventType" => (Word, Some(Key::EventType)),
        b"eventCategory" => (Word, Some(Key::EventCategory)),
        b"readOnly" | b"managementEvent" => (Flag, None),
        b"recipientAccountId" => (Account, Some(Key::RecipientAccount)),
        _ => return None,
    })
}

/// The names of all top-level members.
pub(super) const NAMES: [&str; 31] = [
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "errorCode",
    "errorMessage",
    "requestID",
    "apiVersion",
    "sharedEventID",
    "vpcEndpointId",
    "vpcEndpointAccountId",
    "sessionCredentialFromConsole",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "additionalEventData",
    "resources",
    "addendum",
    "tlsDetails",
    "edgeDeviceDetails",
    "eventID",
    "eventType",
    "eventCategory",
    "readOnly",
    "managementEvent",
    "recipientAccountId",
    "eventContext",
];

/// Names of nested members that tables, and lines of JSON made from them, write in lower case.
const INSIDE: [&str; 56] = [
    // Of callers and resources; `arn` is the spelling for names that may be `arn` or `ARN`.
    "principalId",
    "accountId",
    "invokedBy",
    "accessKeyId",
    "userName",
    "identityProvider",
    "credentialId",
    "onBehalfOf",
    "userId",
    "identityStoreArn",
    "sessionContext",
    "mfaAuthenticated",
    "creationDate",
    "sessionIssuer",
    "webIdFederationData",
    "federatedProvider",
    "updatedFields",
    "originalRequestID",
    "originalEventID",
    "type",
    "arn",
    "ARN",
    "attributes",
    "reason",
    // Of requests, responses and details about images.
    "repositoryName",
    "registryId",
    "repositoryUri",
    "imageTag",
    "imageDigest",
    "imageId",
    "imageIds",
    "imageManifest",
    "imageManifestMediaType",
    "imageUri",
    "lifecyclePolicyText",
    "lifecycleEventPolicy",
    "lifecycleEventRules",
    "lifecycleEventImageActions",
    "lifecycleEventImage",
    "lifecycleEventFailureDetails",
    "lastEvaluatedAt",
    "dryRun",
    "rulePriority",
    "tagStatus",
    "tagList",
    "tagPrefixList",
    "tagPatternList",
    "countType",
    "countUnit",
    "countNumber",
    "pushedAt",
    "taskDefinition",
    "taskDefinitionArn",
    "containerDefinitions",
    "functionName",
    "functionArn",
];

/// Further names of nested members, for lines of JSON only.
const INSIDE_LINES: [&str; 70] = [
    "ec2RoleDelivery",
    "sourceIdentity",
    "assumedRoot",
    "tlsVersion",
    "cipherSuite",
    "clientProvidedHostHeader",
    // Of images, and of the services that run them.
    "repositoryArn",
    "repository",
    "image",
    "images",
    "imageStatus",
    "imageTagMutability",
    "imageTagMutabilityExclusionFilters",
    "imageIdentifier",
    "imageRepository",
    "layerDigest",
    "failures",
    "failureCode",
    "failureReason",
    "lifecycleEventSelection",
    "action",
    "description",
    "storageClass",
    "targetStorageClass",
    "encryptionConfiguration",
    "replicationConfiguration",
    "rules",
    "destinations",
    "region",
    "repositoryFilters",
    "repositoryCreationTemplate",
    "prefix",
    "appliedFor",
    "filter",
    "result",
    "status",
    "lastStatus",
    "stoppedReason",
    "digest",
    "taskArn",
    "containers",
    "containerName",
    "cluster",
    "service",
    "serviceName",
    "serviceArn",
    "group",
    "family",
    "revision",
    "tasks",
    "resolvedImageUri",
    "publish",
    "qualifier",
    "version",
    "variant",
    "project",
    "projectName",
    "environment",
    "jobDefinition",
    "jobDefinitionArn",
    "jobDefinitionName",
    "containerProperties",
    "modelName",
    "modelPackageArn",
    "primaryContainer",
    "productionVariants",
    "endpointName",
    "endpointConfigName",
    "roleName",
    "name",
];

/// CloudTrail's name for a top-level member that another tool calls `eventname`, `EventName`, `event_name` or
/// `event-name`.
pub(super) fn respelled(name: &[u8]) -> Option<&'static str> {
    match name {
        // Microsoft Sentinel's.
        b"AwsEventId" => Some("eventID"),
        b"AwsRequestId" => Some("requestID"),
        _ => alike(&NAMES, name),
    }
}

/// Top-level members whose own members some tools move to the top: `requestParameters.imageTag`,
/// `userIdentity_arn`.
pub(super) const PARENTS: [&str; 8] = [
    "userIdentity",
    "requestParameters",
    "responseElements",
    "serviceEventDetails",
    "additionalEventData",
    "resources",
    "tlsDetails",
    "addendum",
];

/// In a path of names: every element of a list.
pub(super) const ANY_PLACE: &str = "{}";

/// For a top-level name that is the path to a nested member: the names of the path, outermost first.
pub(super) fn flattened(name: &[u8]) -> Option<Vec<String>> {
    let name = std::str::from_utf8(name).ok()?.trim_start_matches('_');
    if let Some(parts) = joined(name) {
        return Some(parts);
    }
    // In a name with dots, an underscore is part of a name.
    let between = if name.contains('.') { '.' } else { '_' };
    let (outermost, _) = name.split_once(between)?;
    let outermost = outermost.split(['{', '[']).next()?;
    let parent = PARENTS.iter().find(|known| known.eq_ignore_ascii_case(&outermost.replace('_', "")))?;
    // The first part is the parent, perhaps spelled differently.
    let inner = name.split(between).flat_map(name_and_place).skip(1);
    let parts: Vec<String> = std::iter::once((*parent).to_owned()).chain(inner).collect();
    parts.iter().all(|part| !part.is_empty()).then(|| with_places(parts))
}

/// The name and the position in one part of a path, if it has both: `imageIds{}` as Splunk writes lists,
/// `imageIds[0]` as others do, `imageTag`, or only `[0]`.
fn name_and_place(part: &str) -> Vec<String> {
    let Some((name, place)) = part.split_once(['{', '[']) else {
        return vec![part.to_owned()];
    };
    let place = match place.trim_end_matches(['}', ']']) {
        "" => ANY_PLACE.to_owned(),
        place => place.to_owned(),
    };
    if name.is_empty() { vec![place] } else { vec![name.to_owned(), place] }
}

/// The same of the names that Microsoft Sentinel has for the members of the caller: `UserIdentityArn`.
fn joined(name: &str) -> Option<Vec<String>> {
    const BEGINNINGS: [(&str, &[&str]); 2] = [
        ("UserIdentity", &["userIdentity"]),
        ("SessionIssuer", &["userIdentity", "sessionContext", "sessionIssuer"]),
    ];
    let (rest, outer) =
        BEGINNINGS.iter().find_map(|(beginning, outer)| Some((name.strip_prefix(beginning)?, *outer)))?;
    let first = rest.chars().next().filter(char::is_ascii_uppercase)?;
    let last = first.to_ascii_lowercase().to_string() + &rest[1..];
    Some(outer.iter().map(|part| (*part).to_owned()).chain([last]).collect())
}

/// Where the name of a list is followed by that of a member (`imageIds.imageDigest`, as Elasticsearch flattens),
/// this is a member of each element.
fn with_places(parts: Vec<String>) -> Vec<String> {
    let is_place = |part: &String| part == ANY_PLACE || part.bytes().all(|byte| byte.is_ascii_digit());
    let mut all: Vec<String> = Vec::with_capacity(parts.len());
    for part in parts {
        let follows_a_list = all.last().is_some_and(|before| {
            is_list_inside(respelled_inside(before.as_bytes()).unwrap_or(before).as_bytes())
        });
        if follows_a_list && !is_place(&part) {
            all.push(ANY_PLACE.to_owned());
        }
        all.push(part);
    }
    all
}

/// CloudTrail's name for a nested member that another tool spells differently.
pub(super) fn respelled_inside(name: &[u8]) -> Option<&'static str> {
    alike(&INSIDE, name).or_else(|| alike(&INSIDE_LINES, name))
}

/// Names among all these under which the services of images have lists wherever they have them.
pub(super) const LISTS: [&str; 9] = [
    "imageIds",
    "failures",
    "lifecycleEventRules",
    "lifecycleEventImageActions",
    "lifecycleEventFailureDetails",
    "tagList",
    "tagPrefixList",
    "tagPatternList",
    "containerDefinitions",
];

/// Names under which CloudTrail has other lists, or sometimes a list and sometimes one value.
const OTHER_LISTS: [&str; 12] = [
    "updatedFields",
    "attributes",
    "images",
    "imageTagMutabilityExclusionFilters",
    "containers",
    "rules",
    "destinations",
    "repositoryFilters",
    "appliedFor",
    "tasks",
    "environment",
    "productionVariants",
];

/// Whether the elements of a list of this name, in whatever case, are texts.
pub(super) fn is_list_of_texts(name: &str) -> bool {
    let known = respelled_inside(name.as_bytes()).unwrap_or(name);
    ["tagList", "tagPrefixList", "tagPatternList", "updatedFields", "appliedFor"].contains(&known)
}

/// Whether a member inside of objects is known by this name.
pub(super) fn is_named_inside(name: &[u8]) -> bool {
    INSIDE.iter().chain(&INSIDE_LINES).any(|known| known.as_bytes() == name)
}

/// Whether CloudTrail has a list under this name inside of objects, or may have one.
pub(super) fn is_list_inside(name: &[u8]) -> bool {
    LISTS.iter().chain(&OTHER_LISTS).any(|known| known.as_bytes() == name)
}

/// CloudTrail's name for a field of a table's struct, which may be in lower case.
pub(super) fn known_inside(name: &str) -> &str {
    match INSIDE.contains(&name) {
        true => name,
        false => INSIDE.iter().find(|known| known.eq_ignore_ascii_case(name)).copied().unwrap_or(name),
    }
}

fn alike(known: &[&'static str], name: &[u8]) -> Option<&'static str> {
    if !(3..=40).contains(&name.len()) || !name.is_ascii() {
        return None;
    }
    let length = letters(name).count();
    known.iter().copied().find(|known| {
        known.len() == length
            && known.bytes().zip(letters(name)).all(|(one, other)| one.eq_ignore_ascii_case(&other))
    })
}

/// What two spellings of a name have in common: all of it but what stands between its words.
pub(super) fn letters(name: &[u8]) -> impl Iterator<Item = u8> {
    name.iter().copied().filter(|byte| !matches!(byte, b'_' | b'-' | b' '))
}

/// Words that tools write if there was no error. An error code has letters: quotes or brackets alone are none.
pub(super) fn is_success_word(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 16] = [
        b"",
        b"success",
        b"successful",
        b"succeeded",
        b"ok",
        b"noerror",
        b"noerrors",
        b"none",
        b"null",
        b"nil",
        b"na",
        b"empty",
        b"undefined",
        b"0",
        b"200",
        b"false",
    ];
    let letters: Vec<u8> = text
        .iter()
        .take(24)
        .copied()
        .filter(u8::is_ascii_alphanumeric)
        .map(|byte| byte.to_ascii_lowercase())
        .collect();
    // Stars and dots stand for something that there was.
    let tells =
        !letters.is_empty() || !text.iter().any(|byte| matches!(byte, b'*' | b'.' | b'?' | b'#' | b'_'));
    text.len() <= 24 && text.is_ascii() && tells && WORDS.contains(&letters.as_slice())
}

/// The end of the names of all services, in the clouds that there are.
pub(super) fn ends_like_a_source(text: &[u8]) -> bool {
    text.ends_with(b".com") || text.ends_with(b".cn")
}

/// Words that tools write for absent values.
pub(super) fn is_null_word(text: &[u8]) -> bool {
    const WORDS: [&[u8]; 12] = [
        b"",
        b"null",
        b"none",
        b"nil",
        b"nan",
        b"<na>",
        b"n/a",
        b"nat",
        b"(null)",
        b"undefined",
        b"-",
        b"\\N",
    ];
    text.len() <= 9 && WORDS.iter().any(|word| word.eq_ignore_ascii_case(text.trim_ascii()))
}

/// Other spellings of a name in camel case: two cases, and words apart.
#[cfg(test)]
pub(super) fn spellings(name: &str) -> [String; 4] {
    let apart = |between: char| -> String {
        let parts = |c: char| match c.is_ascii_uppercase() {
            true => vec![between, c.to_ascii_lowercase()],
            false => vec![c],
        };
        name.chars().flat_map(parts).collect()
    };
    [name.to_lowercase(), name.to_uppercase(), apart('_'), apart('-')]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_found_under_its_other_spellings() {
        for name in NAMES {
            assert!(named(name.as_bytes()).is_some(), "{name}");
            for other in spellings(name) {
                assert_eq!(respelled(other.as_bytes()), Some(name), "{other}");
            }
        }
        assert_eq!(
            (respelled(b"EventId"), respelled(b"Event Name"), respelled(b"eventNames")),
            (Some("eventID"), Some("eventName"), None)
        );
    }

    #[test]
    fn members_written_beside_one_another_are_told_from_others() {
        let told = |name: &str| flattened(name.as_bytes()).map(|parts| parts.join("/"));
        for (name, expected) in [
            ("requestParameters.imageTag", "requestParameters/imageTag"),
            (
                "_userIdentity_sessionContext_sessionIssuer_arn",
                "userIdentity/sessionContext/sessionIssuer/arn",
            ),
            ("responseelements.image.imageid.imagedigest", "responseElements/image/imageid/imagedigest"),
            ("requestParameters.imageIds{}.imageDigest", "requestParameters/imageIds/{}/imageDigest"),
            ("requestParameters.imageIds.{}.imageDigest", "requestParameters/imageIds/{}/imageDigest"),
            ("requestParameters.imageIds.1.imageDigest", "requestParameters/imageIds/1/imageDigest"),
            ("resources[0].ARN", "resources/0/ARN"),
            ("UserIdentityArn", "userIdentity/arn"),
            ("SessionIssuerUserName", "userIdentity/sessionContext/sessionIssuer/userName"),
            ("request_parameters.a_b", "requestParameters/a_b"),
            ("responseElements.imageIds.imageDigest", "responseElements/imageIds/{}/imageDigest"),
            ("responseElements_imageids_imagedigest", "responseElements/imageids/{}/imagedigest"),
        ] {
            assert_eq!(told(name).as_deref(), Some(expected), "{name}");
        }
        for name in [
            "requestParameters",
            "eventName.x",
            "event_name",
            "requestParameters.",
            "p_log_type",
            "request_id",
        ] {
            assert_eq!(told(name), None, "{name}");
        }
    }

    #[test]
    fn words_for_no_error() {
        for text in [
            "Success", "no error", "NoError", "N/A", "NA", "\"\"", "''", "{}", "[]", "(none)", "<null>",
            "OK.", "--",
        ] {
            assert!(is_success_word(text.as_bytes()), "{text}");
        }
        for text in [
            "AccessDenied",
            "None.Such",
            "Unknown",
            "404",
            "ImageAlreadyExistsException",
            "Ünknown",
            "***",
            "...",
        ] {
            assert!(!is_success_word(text.as_bytes()), "{text}");
        }
    }

    #[test]
    fn words_for_nothing() {
        assert!(
            ["None", "null", "NULL", "nan", "NaN", "-", "", " ", "N/A", "<NA>"]
                .iter()
                .all(|word| is_null_word(word.as_bytes()))
        );
        assert!(!["AccessDenied", "--", "nope", "NoneSuch"].iter().any(|word| is_null_word(word.as_bytes())));
    }
}
