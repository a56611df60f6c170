//! One member of one record in another form, in a document that is CloudTrail's own otherwise: the hot path must
//! see it wherever the full path does.

use crate::decode_world;
use decode_world::{Reading, WANTED, gzip, read};
use tagfall::decode::{CALLS, Wanted};

/// The members of a record in CloudTrail's order, each with its value as JSON.
const RECORD: [(&str, &str); 20] = [
    ("eventVersion", r#""1.11""#),
    ("userIdentity", r#"{"type":"AssumedRole","userName":"ci","sessionContext":{"sessionIssuer":{}}}"#),
    ("eventTime", r#""2026-03-02T10:00:00Z""#),
    ("eventSource", r#""ecr.amazonaws.com""#),
    ("eventName", r#""PutImage""#),
    ("awsRegion", r#""us-east-1""#),
    ("sourceIPAddress", r#""198.51.100.7""#),
    ("userAgent", r#""docker/27.1""#),
    ("errorCode", r#""ImageAlreadyExistsException""#),
    ("errorMessage", r#""it is there""#),
    ("requestParameters", r#"{"repositoryName":"shop/api","imageTag":"v1"}"#),
    ("responseElements", "null"),
    ("requestID", r#""a00275b2-0dc7-5c19-a883-7e70a7ca6ffd""#),
    ("eventID", r#""0828c0d2-3589-4390-b954-c78b4a7df44b""#),
    ("readOnly", "false"),
    ("resources", r#"[{"ARN":"arn:aws:ecr:us-east-1:111122223333:repository/shop/api"}]"#),
    ("eventType", r#""AwsApiCall""#),
    ("managementEvent", "true"),
    ("recipientAccountId", r#""111122223333""#),
    ("eventCategory", r#""Management""#),
];

fn record(number: usize, members: &[(String, String)]) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(",")).replace("0828c0d2", &format!("0828c0d{number}"))
}

fn members() -> Vec<(String, String)> {
    RECORD.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// Both ways must hand out the same records and report the same, with `changed` as one of three.
#[track_caller]
fn agree(changed: &[(String, String)], about: &str) {
    let usual = members();
    let records = [record(1, &usual), record(2, changed), record(3, &usual)];
    // Some printers set a space before the colon.
    for (comma, colon) in [(",", ":"), (", ", " : "), (",\n", ": ")] {
        let spaced: Vec<String> =
            records.iter().map(|record| record.replace("\":", &format!("\"{colon}"))).collect();
        let text = format!("{{\"Records\":[{}]}}", spaced.join(comma));
        for wanted in [Wanted::All, Wanted::Sources(WANTED), Wanted::Named { sources: WANTED, names: CALLS }]
        {
            let [full, hot] =
                [text.clone().into_bytes(), gzip(text.as_bytes())].map(|stored| read(&stored, wanted));
            assert_eq!((&hot.report, &hot.ids), (&full.report, &full.ids), "{about}");
            // Of calls by name, those that nobody asked for may be left out.
            let by_name = matches!(wanted, Wanted::Named { .. });
            let may_be_left_out = |json: &str| {
                by_name
                    && ["Success", "True", "UploadLayerPart"]
                        .iter()
                        .any(|name| json.replace(' ', "").contains(&format!("\"eventName\":\"{name}\"")))
            };
            let of_use = |reading: &Reading| -> Vec<_> {
                reading.kept.iter().filter(|(_, json, _)| !may_be_left_out(json)).cloned().collect()
            };
            assert_eq!(of_use(&hot), of_use(&full), "{about}");
        }
    }
}

fn spellings(name: &str) -> Vec<String> {
    let snake = name
        .replace("ID", "Id")
        .replace("IPA", "IpA")
        .chars()
        .flat_map(|c| if c.is_uppercase() { vec!['_', c.to_ascii_lowercase()] } else { vec![c] })
        .collect();
    vec![name.to_lowercase(), name.to_uppercase(), name[..1].to_uppercase() + &name[1..], snake]
}

#[test]
fn one_name_in_another_spelling_is_seen() {
    for (at, (name, _)) in RECORD.iter().enumerate() {
        for spelling in spellings(name) {
            let mut changed = members();
            changed[at].0.clone_from(&spelling);
            agree(&changed, &spelling);
        }
    }
}

#[test]
fn one_value_in_another_form_is_seen() {
    let texts = [
        "None",
        "null",
        "-",
        "NaN",
        "undefined",
        "n/a",
        "unknown",
        "***",
        "Success",
        "True",
        " x ",
        "\\\"\\\"",
    ];
    let others = [
        "404",
        "true",
        "{}",
        "[]",
        "[\"x\"]",
        "[{}]",
        "1.5",
        "\"{\\\"a\\\":1}\"",
        "\"[]\"",
        "\"arn:aws:iam::1:role/ci\"",
        "\"US-EAST-1\"",
        "{\"ARN\":\"a\"}",
    ];
    let values =
        texts.iter().map(|text| format!("\"{text}\"")).chain(others.iter().map(|&other| other.to_owned()));
    for value in values {
        for (at, (name, _)) in RECORD.iter().enumerate() {
            let mut changed = members();
            changed[at].1.clone_from(&value);
            agree(&changed, &format!("{name}: {value}"));
        }
    }
}

#[test]
fn one_payload_written_beside_the_others_is_seen() {
    for (name, value) in [
        ("requestParameters.imageTag", r#""v1""#),
        ("requestParameters_imageTag", r#""v1""#),
        ("request_parameters.imageTag", r#""v1""#),
        ("userIdentity.arn", r#""a""#),
        ("UserIdentityArn", r#""a""#),
        ("SessionIssuerUserName", r#""a""#),
        ("responseElements.image", "{}"),
        ("resources[0].ARN", r#""a""#),
        ("serviceEventDetails{}.x", r#""a""#),
        ("_userIdentity_type", r#""Root""#),
    ] {
        for at in [0, 10, RECORD.len()] {
            let mut changed = members();
            changed.insert(at, (name.to_owned(), value.to_owned()));
            agree(&changed, name);
        }
    }
}

#[test]
fn one_service_or_call_in_another_spelling_is_seen() {
    for (at, spellings) in [
        (
            3,
            &[
                "ecr",
                "ECR",
                "aws.ecr",
                "aws:ecr",
                "ecr.us-east-1.amazonaws.com",
                "api.ecr.us-east-1.amazonaws.com",
                "https://ecr.amazonaws.com",
                "ecr.amazonaws.com.cn",
                "***",
                "unknown",
                "",
                "Amazon ECR",
            ][..],
        ),
        (
            4,
            &[
                "ecr:PutImage",
                "ECR.PutImage",
                "Ecr.PutImage",
                "putimage",
                "PUTIMAGE",
                "Putimage",
                "PutImage ",
                "put_image",
                "***",
                "REDACTED",
                "Unknown",
                "",
                "PutImage()",
                "ecr:UploadLayerPart",
                "uploadLayerPart",
                "Amazon.PutImage",
            ],
        ),
    ] {
        for spelling in spellings {
            let mut changed = members();
            changed[at].1 = format!("\"{spelling}\"");
            agree(&changed, spelling);
        }
    }
}

#[test]
fn one_payload_with_other_names_or_lists_inside_is_seen() {
    for payload in [
        r#"{"RepositoryName":"shop/api","ImageTag":"v1"}"#,
        r#"{"repositoryname":"shop/api","imagetag":"v1"}"#,
        r#"{"repository_name":"shop/api","image_tag":"v1"}"#,
        r#"{"acceptedmediatypes":["a"],"imageids":[{"imagetag":"v1"}]}"#,
        r#"{"repositoryName":"shop/api","imageIds":{"imageTag":"v1"}}"#,
        r#"{"repositoryName":"shop/api","imageIds":{"0":{"imageTag":"v1"}}}"#,
        r#"{"repositoryName":"shop/api","imageIds":"[{\"imageTag\":\"v1\"}]"}"#,
        r#"{"repositoryName":"shop/api","imageIds":["{\"imageTag\":\"v1\"}"]}"#,
        r#"{"repositoryName":"shop/api","tagList":"v1, v2"}"#,
        r#"{"image":"{\"imageId\":{\"imageTag\":\"v1\"}}"}"#,
        r#"{"imageManifest":"{\"layers\":[]}","repositoryName":"shop/api"}"#,
    ] {
        for at in [10, 11] {
            let mut changed = members();
            changed[at].1 = payload.to_owned();
            agree(&changed, payload);
        }
    }
}
