//! Incidents given as a text: the answers of `explain` as a user sees them.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// The verdict on `text` with the archive of `case`, and the exit code.
fn explain(case: &str, text: &str) -> (Value, Option<i32>) {
    let archive = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/incidents/{case}.json"));
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["explain", "-q", "--format", "json", text])
        .arg(archive)
        .output()
        .unwrap();
    let document: Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
    (document["verdict"].clone(), output.status.code())
}

fn sentences(verdict: &Value, part: &str) -> String {
    verdict[part]
        .as_array()
        .unwrap()
        .iter()
        .map(|sentence| sentence["text"].as_str().unwrap_or_else(|| sentence.as_str().unwrap()))
        .collect()
}

#[test]
fn pasted_text() {
    let forms = std::fs::read_to_string(
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/incidents/pasted-text-forms.json"),
    )
    .unwrap();
    let forms: Vec<Value> = serde_json::from_str(&forms).unwrap();
    assert!(forms.len() > 20);
    for form in forms {
        let (verdict, code) = explain("pasted-text", form["text"].as_str().unwrap());
        let (name, cause) = (&form["name"], verdict["cause"].as_str().unwrap());
        assert_eq!(code, Some(0), "{name}");
        match form["asks"].as_str().unwrap() {
            "lost" => assert!(
                cause == "tag-moved-then-expired" && verdict["gone"]["at"] == "2026-03-10T02:26:40Z",
                "{name}: {verdict}"
            ),
            "tag" => {
                assert!(
                    cause == "still-there" && verdict["exists"]["tag_exists"] == true,
                    "{name}: {verdict}"
                );
                assert!(
                    verdict["reference"].as_str().unwrap().ends_with("shop/checkout:release-2026.03.02"),
                    "{name}: {verdict}"
                );
            }
            _ => assert!(
                cause == "still-there"
                    && sentences(&verdict, "narrative").contains("Repository shop/checkout"),
                "{name}: {verdict}"
            ),
        }
    }
}

#[test]
fn signature_tag() {
    let text = "GET https://111122223333.dkr.ecr.eu-central-1.amazonaws.com/v2/app/web/manifests/sha256-b99747ae7bb780d0e24c4fce2929df1fc47d49afad390fc07318ad6816afe118.sig: MANIFEST_UNKNOWN: Requested image not found";
    let (verdict, _) = explain("signature-tag", text);
    assert_eq!(
        (verdict["cause"].as_str(), verdict["gone"]["at"].as_str()),
        (Some("expired-while-tagged"), Some("2026-03-05T04:00:00Z")),
        "{verdict}"
    );
    assert!(sentences(&verdict, "narrative").contains("rule 1"), "{verdict}");
}

#[test]
fn ecr_public() {
    let (verdict, _) = explain("ecr-public", "public.ecr.aws/k1n1h4f5/x/y:v1");
    let told = sentences(&verdict, "narrative") + &sentences(&verdict, "advice");
    assert_eq!(verdict["cause"], "unknown");
    assert!(
        told.contains("ECR Public")
            && told.contains("us-east-1")
            && told.contains("ecr-public.amazonaws.com"),
        "{told}"
    );
    assert!(!told.contains("logs no other"), "{told}");
    let (verdict, _) =
        explain("ecr-public", "602401143452.dkr.ecr.eu-central-1.amazonaws.com/eks/coredns:v1");
    assert!(!sentences(&verdict, "advice").contains("Read the trail"), "{verdict}");
}
