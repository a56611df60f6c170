//! What a question asks for, and which sessions are connected with it.

use super::asked::Question;
use super::keep::{Kept, Share};
use super::near::Near;
use crate::model::{Asked, LogText};
use crate::recognize::SessionReader;

#[test]
fn a_text_is_asked_for_as_what_it_looks_like() {
    let asked = |text: &str| Question::parse(text).map(|question| question.asked());
    for (text, expected) in [
        ("ASIAQ000000000000002", Asked::Key),
        (" AKIAIOSFODNN7EXAMPLE ", Asked::Key),
        ("arn:aws:iam::111122223333:role/deployer", Asked::Arn),
        ("203.0.113.7", Asked::Address),
        ("2001:db8::1", Asked::Address),
        ("codebuild.amazonaws.com", Asked::Address),
        ("codebuild-shop/AWSCodeBuild-0d1c2b3a", Asked::Session),
        ("ADMINISTRATORACCESS", Asked::Session),
        ("*", Asked::Session),
    ] {
        assert_eq!(asked(text), Some(expected), "{text}");
    }
    assert_eq!(asked("  "), None);
}

#[test]
fn a_text_that_every_such_record_has_is_looked_for_before_it_is_parsed() {
    let may =
        |asked: &str, json: &str| Question::parse(asked).is_some_and(|question| question.may_be_in(json));
    let json = r#"{"userIdentity":{"arn":"arn:aws:sts::111122223333:assumed-role/deployer/ci","accessKeyId":"ASIAQ000000000000002"}}"#;
    for asked in [
        "ASIAQ000000000000002",
        "deployer/ci",
        "dep*/c?",
        "*",
        "arn:aws:iam::111122223333:role/team/deployer",
        "2001:db8::1",
    ] {
        assert!(may(asked, json), "{asked}");
    }
    for asked in
        ["ASIAQ000000000000003", "release/x", "arn:aws:iam::111122223333:role/release", "203.0.113.7"]
    {
        assert!(!may(asked, json), "{asked}");
    }
    // An escape may stand for a letter of the name.
    assert!(may("release", r#"{"arn":"\u0072elease"}"#));
}

#[test]
fn the_most_alike_names_are_told_whoever_met_them() {
    let question = Question::parse("deployer/cy").expect("a question");
    let json = |role: &str| format!(r#"{{"arn" : "arn:aws:sts::111122223333:assumed-role/{role}"}}"#);
    let (mut one, mut other) = (Near::new(&question), Near::new(&question));
    ["deployer/ci", "other/thing"].iter().for_each(|role| one.look(&json(role)));
    ["deployer/cx", "deployer/ci"].iter().for_each(|role| other.look(&json(role)));
    one.merge(other);
    assert_eq!(one.best(), ["deployer/ci", "deployer/cx"].map(LogText::from));
}

/// What a record says about the session that it begins: key, owner, ARN, expiry, tags, subject.
fn begun(name: &str, caller: &str, request: &str, response: &str) -> Option<String> {
    let json = format!(
        r#"{{"eventTime":"2026-03-02T10:00:00Z","eventSource":"sts.amazonaws.com","eventName":"{name}","awsRegion":"eu-central-1",
        "userIdentity":{caller},"requestParameters":{request},"responseElements":{response}}}"#
    );
    let told = SessionReader::default().read(&json, |record| {
        record.grant.map(|grant| {
            let end = grant.expires_at.map(|end| end.to_string());
            format!(
                "{:?} {:?} {:?} {end:?} {:?} {:?}",
                grant.key, grant.principal_id, grant.arn, grant.tags, grant.subject
            )
        })
    });
    told.expect("a record")
}

#[test]
fn every_call_that_returns_credentials_begins_a_session() {
    let alice = r#"{"type":"IAMUser","principalId":"AIDA1","arn":"arn:aws:iam::111122223333:user/alice","accountId":"111122223333"}"#;
    let credentials = |end: &str| {
        format!(r#"{{"credentials":{{"accessKeyId":"ASIAQ000000000000001","expiration":"{end}"}}}}"#)
    };
    for end in [
        "Mar 2, 2026, 11:00:00 AM",
        "Mar 2, 2026 11:00:00 AM",
        "Mar 2, 2026, 11:00:00\u{202f}AM",
        "2026-03-02T11:00:00Z",
    ] {
        let told = begun("GetSessionToken", alice, "null", &credentials(end));
        let expected = r#"Some("ASIAQ000000000000001") Some("AIDA1") Some("arn:aws:iam::111122223333:user/alice") Some("2026-03-02T11:00:00Z") [] None"#;
        assert_eq!(told.as_deref(), Some(expected), "{end}");
    }
    let request = r#"{"targetPrincipal":"arn:aws:iam::444455556666:root"}"#;
    let told = begun("AssumeRoot", alice, request, &credentials("?")).expect("a session");
    assert!(told.contains(r#"Some("444455556666") Some("arn:aws:iam::444455556666:root") None"#), "{told}");
    let request =
        r#"{"tags":[{"key":"team","value":"shop"}],"principalTags":{"a":"b"},"transitiveTagKeys":["team"]}"#;
    let response = r#"{"credentials":{"accessKeyId":"****"},"assumedRoleUser":{"assumedRoleId":"AROA1:x","arn":"arn:aws:sts::1:assumed-role/r/x"}}"#;
    let told = begun("AssumeRole", alice, request, response).expect("a session");
    assert!(
        told.starts_with(r#"None Some("AROA1:x")"#) && told.contains(r#"[("team", "shop"), ("a", "b")]"#),
        "{told}"
    );
    let anywhere =
        r#"{"credentialSet":[{"credentials":{"accessKeyId":"ASIAQ000000000000009"},"assumedRoleUser":{}}]}"#;
    assert!(begun("CreateSession", r#"{"type":"Unknown"}"#, "null", anywhere).is_some());
    for none in [
        "null",
        "{}",
        r#"{"credentials":{}}"#,
        r#"{"credentials":"ASIAQ000000000000001"}"#,
        r#"{"omitted":true,"reason":"too large"}"#,
    ] {
        assert_eq!(begun("AssumeRole", alice, "null", none), None, "{none}");
    }
}

#[test]
fn what_workers_keep_counts_together() {
    let kept = Kept::new(1 << 20);
    let mut shares = [(); 3].map(|()| Share::new(&kept));
    shares.iter_mut().for_each(|share| share.take(300 << 10));
    assert!(!kept.is_over() && kept.check().is_ok());
    shares.iter_mut().for_each(|share| share.take(60 << 10));
    // The results that a worker has not shared yet are shared when it ends.
    drop(shares);
    assert_eq!(kept.check().map_err(|error| error.bytes_max), Err(1 << 20));
}
