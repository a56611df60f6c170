//! `trace`: who was behind a session, across accounts and regions; what is certain, what is inferred, and
//! what is missing.

#[path = "support/sessions/mod.rs"]
mod sessions;

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sessions::oracle;
use sessions::record::{Org, assumed, github, key, service, user};
use sessions::world::{Chance, World};

const BUILD: &str = "AWSCodeBuild-0d1c2b3a-4444-4555-8666-777788889999";

/// The result of a run: document, messages, and exit code.
fn run(org: &Org, args: &[&str]) -> (String, String, i32) {
    let folder = tempfile::tempdir().expect("a folder");
    org.write(folder.path());
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["trace"])
        .args(args)
        .arg("logs")
        .args(["-q"])
        .current_dir(folder.path())
        .output()
        .expect("the binary runs");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr), output.status.code().expect("a code"))
}

fn trace(org: &Org, reference: &str) -> Value {
    let (out, said, code) = run(org, &[reference, "--format", "json"]);
    assert_eq!(code, 0, "{said}");
    let mut document: Value = serde_json::from_str(&out).expect("a document");
    assert_eq!((&document["command"], &document["schema_version"]), (&json!("trace"), &json!(1)));
    document["trace"].take()
}

/// For each session its number, its parent, and how they are connected.
fn tree(trace: &Value) -> Vec<(u64, Option<u64>, Option<&str>)> {
    let sessions = trace["sessions"].as_array().expect("sessions");
    sessions
        .iter()
        .map(|one| {
            (one["number"].as_u64().expect("a number"), one["parent"].as_u64(), one["joined"].as_str())
        })
        .collect()
}

fn gaps(session: &Value) -> Vec<&str> {
    session["gaps"]
        .as_array()
        .expect("gaps")
        .iter()
        .map(|gap| gap["kind"].as_str().expect("a word"))
        .collect()
}

fn origin(session: &Value) -> (&str, &str) {
    let origin = &session["origin"];
    (origin["kind"].as_str().unwrap_or_default(), origin["name"].as_str().unwrap_or_default())
}

/// GitHub → deployer in the account of pipelines → release in the account of production, which pushes.
fn chain() -> Org {
    let mut org = Org::default();
    org.assume(
        "10:00:00",
        &github("repo:acme/shop:ref:refs/heads/main"),
        "111122223333",
        "deployer",
        "GitHubActions",
        &key(1),
    );
    let deployer = assumed("111122223333", "deployer", "GitHubActions", "10:00:00", &key(1));
    org.call("10:00:05", &deployer, "111122223333", "sts.amazonaws.com", "GetCallerIdentity");
    org.assume("10:01:00", &deployer, "444455556666", "release", "from-ci", &key(2));
    let release = assumed("444455556666", "release", "from-ci", "10:01:00", &key(2));
    org.push("10:02:00", &release, "444455556666", "shop/api");
    org.push("10:02:30", &release, "444455556666", "shop/web");
    // Another user's call.
    org.call("10:02:00", &user("111122223333", "alice"), "111122223333", "s3.amazonaws.com", "ListBuckets");
    org
}

#[test]
fn a_pushers_chain_is_followed_over_accounts_by_its_keys() {
    let trace = trace(&chain(), &key(2));
    assert_eq!(tree(&trace), [(1, None, Some("certain")), (2, Some(1), Some("certain"))]);
    let sessions = &trace["sessions"];
    assert_eq!(origin(&sessions[0]), ("pipeline", "GitHub Actions, repository acme/shop, branch main"));
    assert_eq!(
        (&trace["matches"], &sessions[1]["asked"], &sessions[0]["asked"]),
        (&json!([2]), &json!(true), &json!(false))
    );
    assert_eq!(sessions[1]["principal"], "arn:aws:sts::444455556666:assumed-role/release/from-ci");
    // The same AssumeRole is in both trails, but is one call.
    assert_eq!(sessions[1]["issued"]["copies"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        sessions[1]["issued"]["event"]["actor"],
        "arn:aws:sts::111122223333:assumed-role/deployer/GitHubActions"
    );
    let calls: Vec<(&str, Option<u64>, Option<u64>)> = trace["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| {
            (
                call["event"]["event_name"].as_str().expect("a name"),
                call["session"].as_u64(),
                call["began"].as_u64(),
            )
        })
        .collect();
    let expected = [
        ("AssumeRoleWithWebIdentity", None, Some(1)),
        ("GetCallerIdentity", Some(1), None),
        ("AssumeRole", Some(1), Some(2)),
        ("PutImage", Some(2), None),
        ("PutImage", Some(2), None),
    ];
    assert_eq!(calls, expected);
}

#[test]
fn every_way_to_ask_finds_the_same_session() {
    let org = chain();
    let expected = trace(&org, &key(2))["sessions"].clone();
    for reference in [
        "from-ci",
        "release/from-ci",
        "release",
        "rel*/from-??",
        "arn:aws:sts::444455556666:assumed-role/release/from-ci",
        "arn:aws:iam::444455556666:role/release",
        "arn:aws:iam::444455556666:role/team/release",
    ] {
        assert_eq!(trace(&org, reference)["sessions"], expected, "{reference}");
    }
    // Everything below the pipeline is shown as well.
    let all = trace(&org, "repo:acme/shop:*");
    assert_eq!(all["matches"], json!([1]));
    assert_eq!(tree(&all).len(), 2);
    // Both call from one address.
    assert_eq!(trace(&org, "198.51.100.7")["matches"], json!([1, 2, 3]));
}

#[test]
fn a_build_is_traced_to_whoever_started_it() {
    let mut org = Org::default();
    let alice = user("111122223333", "alice");
    org.start_build("09:00:00", &alice, "111122223333", "shop-image", "0d1c2b3a-4444-4555-8666-777788889999");
    org.assume(
        "09:00:20",
        &service("codebuild.amazonaws.com"),
        "111122223333",
        "codebuild-shop",
        BUILD,
        &key(7),
    );
    org.push(
        "09:05:00",
        &assumed("111122223333", "codebuild-shop", BUILD, "09:00:20", &key(7)),
        "111122223333",
        "shop/api",
    );
    let trace = trace(&org, &format!("codebuild-shop/{BUILD}"));
    let sessions = &trace["sessions"];
    assert_eq!(
        tree(&trace),
        [(1, None, None), (2, Some(1), Some("inferred")), (3, Some(2), Some("certain"))]
    );
    assert_eq!(origin(&sessions[0]), ("person", "user alice of 111122223333"));
    assert_eq!(
        sessions[1]["principal"],
        "arn:aws:codebuild:eu-central-1:111122223333:build/shop-image:0d1c2b3a-4444-4555-8666-777788889999"
    );
    // Without the call that started it, the build itself is the root.
    org.records.remove(0);
    let trace = self::trace(&org, BUILD);
    assert_eq!(
        origin(&trace["sessions"][0]),
        ("pipeline", "CodeBuild, build 0d1c2b3a-4444-4555-8666-777788889999")
    );
}

#[test]
fn calls_with_another_key_are_joined_by_role_name_and_beginning_and_marked() {
    let mut org = Org::default();
    org.assume(
        "10:00:00",
        &service("ec2.amazonaws.com"),
        "111122223333",
        "builder",
        "i-0a1b2c3d4e5f60718",
        &key(1),
    );
    // The registry's proxy signs with a key of its own.
    org.push(
        "10:10:00",
        &assumed("111122223333", "builder", "i-0a1b2c3d4e5f60718", "10:00:00", &key(9)),
        "111122223333",
        "shop/api",
    );
    for asked in [key(9), key(1)] {
        let trace = trace(&org, &asked);
        assert_eq!(tree(&trace), [(1, None, Some("inferred"))], "{asked}");
        assert_eq!(trace["sessions"][0]["keys"], json!([key(1), key(9)]));
        assert_eq!(gaps(&trace["sessions"][0]), ["other_key"]);
        assert_eq!(origin(&trace["sessions"][0]), ("service", "EC2, instance i-0a1b2c3d4e5f60718"));
        assert_eq!(trace["calls"][1]["joined"], "inferred");
    }
}

#[test]
fn what_fits_twice_is_not_guessed() {
    let mut org = Org::default();
    for number in [1, 2] {
        org.assume(
            "10:00:00",
            &github("repo:acme/shop:pull_request"),
            "111122223333",
            "ci",
            "GitHubActions",
            &key(number),
        );
    }
    org.push(
        "10:10:00",
        &assumed("111122223333", "ci", "GitHubActions", "10:00:00", &key(9)),
        "111122223333",
        "shop/api",
    );
    let trace = trace(&org, &key(9));
    assert_eq!(tree(&trace), [(1, None, None)]);
    assert_eq!(gaps(&trace["sessions"][0]), ["ambiguous", "shared_name"]);
    assert_eq!(origin(&trace["sessions"][0]).0, "unknown");
    // By key the sessions are distinguished, and the shared name is mentioned.
    let one = self::trace(&org, &key(1));
    assert_eq!(
        (tree(&one), gaps(&one["sessions"][0])),
        (vec![(1, None, Some("certain"))], vec!["shared_name"])
    );
    assert_eq!(
        origin(&one["sessions"][0]),
        ("pipeline", "GitHub Actions, repository acme/shop, a pull request")
    );
}

#[test]
fn a_beginning_that_is_not_logged_is_said_with_where_it_may_be() {
    let session = |began: &str| assumed("444455556666", "release", "from-ci", began, &key(2));
    let gap = |org: &Org| {
        let trace = trace(org, &key(2));
        let gap = &trace["sessions"][0]["gaps"][0];
        assert_eq!(gap["kind"], "not_logged");
        gap["text"].as_str().expect("a text").to_owned()
    };
    let mut org = Org::default();
    org.call("08:00:00", &user("444455556666", "alice"), "444455556666", "s3.amazonaws.com", "ListBuckets");
    org.push("10:00:00", &session("07:30:00"), "444455556666", "shop/api");
    assert!(
        gap(&org).contains("it began at 2026-03-02T07:30:00Z, and they begin at 2026-03-02T08:00:00Z"),
        "{}",
        gap(&org)
    );
    let mut org = Org::default();
    org.call("08:00:00", &user("444455556666", "alice"), "444455556666", "s3.amazonaws.com", "ListBuckets");
    org.push("10:00:00", &session("09:30:00"), "444455556666", "shop/api");
    assert!(gap(&org).contains("us-east-1"), "{}", gap(&org));
    org.assume("09:00:00", &user("444455556666", "alice"), "444455556666", "other", "other", &key(3));
    assert!(gap(&org).contains("in the trail of another account"), "{}", gap(&org));
}

#[test]
fn sessions_of_the_console_and_a_change_of_the_role_there() {
    let mut org = Org::default();
    org.sign_in("09:00:00", "111122223333", "alice");
    let console = sessions::record::console("111122223333", "alice", "09:00:00");
    org.call("09:01:00", &console(&key(1)), "111122223333", "ecr.amazonaws.com", "DescribeRepositories");
    org.call("09:02:00", &console(&key(2)), "111122223333", "ecr.amazonaws.com", "DescribeImages");
    org.switch_role("09:10:00", "111122223333", "alice", "444455556666", "admin");
    org.push(
        "09:12:00",
        &assumed("444455556666", "admin", "alice", "09:10:00", &key(3)),
        "444455556666",
        "shop/api",
    );
    let trace = trace(&org, &key(3));
    assert_eq!(tree(&trace), [(1, None, Some("inferred")), (2, Some(1), Some("inferred"))]);
    assert_eq!(origin(&trace["sessions"][0]), ("person", "user alice of 111122223333"));
    assert_eq!(trace["sessions"][0]["keys"], json!([key(1), key(2)]));
    // And downwards.
    assert_eq!(tree(&self::trace(&org, &key(1))), tree(&trace));
}

#[test]
fn people_and_workloads_at_the_root_are_named() {
    let root = |caller: &Value, role: &str, session: &str| {
        let mut org = Org::default();
        org.assume("10:00:00", caller, "111122223333", role, session, &key(1));
        let trace = trace(&org, &key(1));
        let (kind, name) = origin(&trace["sessions"][0]);
        format!("{kind}: {name}")
    };
    let oidc = sessions::record::web_identity;
    let eks = "arn:aws:iam::111122223333:oidc-provider/oidc.eks.eu-central-1.amazonaws.com/id/ABC";
    for (caller, role, session, expected) in [
        (
            oidc(
                "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com",
                "repo:acme/shop:environment:production",
            ),
            "ci",
            "GitHubActions",
            "pipeline: GitHub Actions, repository acme/shop, environment production",
        ),
        (
            oidc(
                "token.actions.githubusercontent.com",
                "repo:acme/shop:ref:refs/tags/v7:job_workflow_ref:acme/ci/.github/workflows/push.yml@refs/heads/main",
            ),
            "ci",
            "GitHubActions",
            "pipeline: GitHub Actions, repository acme/shop, tag v7, workflow acme/ci/.github/workflows/push.yml@refs/heads/main",
        ),
        (
            oidc(eks, "system:serviceaccount:shop:pusher"),
            "irsa",
            "botocore-session-1",
            "service: Kubernetes, namespace shop, service account pusher, cluster oidc.eks.eu-central-1.amazonaws.com/id/ABC",
        ),
        (
            oidc("gitlab.com", "project_path:acme/shop:ref_type:branch:ref:main"),
            "ci",
            "gitlab",
            "pipeline: GitLab, project acme/shop, ref type branch, ref main",
        ),
        (
            oidc("accounts.google.com", "1234567"),
            "web",
            "x",
            "federation: 1234567, whom accounts.google.com vouches for",
        ),
        (
            service("ecs-tasks.amazonaws.com"),
            "task",
            "0123456789abcdef0123456789abcdef",
            "service: ECS, task 0123456789abcdef0123456789abcdef",
        ),
        (service("lambda.amazonaws.com"), "fn", "cleaner", "service: Lambda, function cleaner"),
        (
            sessions::record::saml("alice@example.com"),
            "aws-reserved/sso.amazonaws.com/eu-central-1/AWSReservedSSO_Admin_0123",
            "alice@example.com",
            "person: alice@example.com, through IAM Identity Center",
        ),
        (user("111122223333", "alice"), "admin", "alice", ""),
    ] {
        let told = root(&caller, role, session);
        if expected.is_empty() {
            assert_eq!(told, "person: user alice of 111122223333");
        } else {
            assert_eq!(told, expected);
        }
    }
}

#[test]
fn what_hostile_records_claim_ends_in_time_and_is_said() {
    let mut org = Org::default();
    let own = assumed("111122223333", "loop", "x", "10:00:00", &key(1));
    org.assume("10:00:00", &own, "111122223333", "loop", "x", &key(1));
    let circle = trace(&org, &key(1));
    assert_eq!(
        (tree(&circle), gaps(&circle["sessions"][0])),
        (vec![(1, None, Some("certain"))], vec!["circle"])
    );
    // Two sessions that began each other.
    let mut org = Org::default();
    org.assume(
        "10:00:00",
        &assumed("111122223333", "b", "x", "10:00:01", &key(2)),
        "111122223333",
        "a",
        "x",
        &key(1),
    );
    org.assume(
        "10:00:01",
        &assumed("111122223333", "a", "x", "10:00:00", &key(1)),
        "111122223333",
        "b",
        "x",
        &key(2),
    );
    let circle = trace(&org, &key(2));
    assert_eq!(tree(&circle).len(), 2);
    assert_eq!(gaps(&circle["sessions"][0]), ["circle"]);
    // A long chain, and many children.
    let mut org = Org::default();
    for number in 0..3_000 {
        let caller = assumed("111122223333", "deep", &format!("s{number}"), "10:00:00", &key(number));
        org.assume(
            "10:00:00",
            &caller,
            "111122223333",
            "deep",
            &format!("s{}", number + 1),
            &key(number + 1),
        );
        org.assume(
            "10:00:00",
            &assumed("111122223333", "deep", "s7", "10:00:00", &key(7)),
            "111122223333",
            "wide",
            "same",
            &key(10_000 + number),
        );
    }
    let deep = trace(&org, &key(3_000));
    assert_eq!(deep["sessions"].as_array().map(Vec::len), Some(3_001));
    let wide = trace(&org, &key(7));
    assert_eq!(wide["sessions"].as_array().map(Vec::len), Some(3_001 + 3_000));
}

#[test]
fn late_calls_and_a_key_that_was_returned_twice_are_said() {
    let mut org = Org::default();
    org.assume("10:00:00", &service("ec2.amazonaws.com"), "111122223333", "builder", "i-1", &key(1));
    org.push(
        "23:00:00",
        &assumed("111122223333", "builder", "i-1", "10:00:00", &key(1)),
        "111122223333",
        "shop/api",
    );
    assert_eq!(gaps(&trace(&org, &key(1))["sessions"][0]), ["after_expiry"]);
    org.assume("11:00:00", &service("lambda.amazonaws.com"), "111122223333", "other", "x", &key(1));
    org.push("11:30:00", &user_with("111122223333", "mallory", &key(1)), "111122223333", "shop/api");
    let twice = trace(&org, &key(1));
    let all: Vec<&str> = twice["sessions"].as_array().expect("sessions").iter().flat_map(gaps).collect();
    assert!(all.contains(&"returned_twice"), "{all:?}");
}

fn user_with(account: &str, name: &str, key: &str) -> Value {
    let mut user = user(account, name);
    user["accessKeyId"] = json!(key);
    user
}

#[test]
fn what_matches_nothing_is_an_error_with_what_is_like_it() {
    let org = chain();
    for (reference, near) in [
        ("from-cy", "release/from-ci"),
        (&key(2).replace('2', "3"), "ASIA"),
        ("arn:aws:iam::444455556666:role/relaese", "arn:aws"),
    ] {
        let (out, said, code) = run(&org, &[reference]);
        assert_eq!((out.as_str(), code), ("", 2), "{reference}: {said}");
        assert!(
            said.contains("no session in these logs belongs to") && said.contains(near),
            "{reference}: {said}"
        );
    }
    let (_, said, code) = run(&org, &[""]);
    assert_eq!(code, 2);
    assert!(said.contains("nothing to trace"), "{said}");
}

#[test]
fn the_time_line_can_be_narrowed_and_says_what_it_leaves_out() {
    let org = chain();
    let document = |args: &[&str]| -> Value {
        let (out, said, code) = run(&org, &[args, &["--format", "json"]].concat());
        assert_eq!(code, 0, "{said}");
        serde_json::from_str(&out).expect("a document")
    };
    let names = |document: &Value| -> Vec<String> {
        document["trace"]["calls"]
            .as_array()
            .expect("calls")
            .iter()
            .map(|call| call["event"]["event_name"].as_str().expect("a name").to_owned())
            .collect()
    };
    let writes = document(&[&key(2), "--writes"]);
    assert_eq!(
        (names(&writes), &writes["trace"]["calls_left_out"]),
        (vec!["PutImage".to_owned(), "PutImage".to_owned()], &json!(3))
    );
    let web = document(&[&key(2), "--repository", "shop/w*"]);
    assert_eq!((names(&web).len(), web["trace"]["sessions"].as_array().map(Vec::len)), (1, Some(2)));
    let late = document(&[&key(2), "--since", "2026-03-02T10:01:30Z"]);
    assert_eq!(gaps(&late["trace"]["sessions"][0]), ["not_logged"]);
}

#[test]
fn rows_and_lines_are_sessions_or_calls() {
    let org = chain();
    let lines = |args: &[&str]| -> Vec<String> {
        run(&org, &[&[key(2).as_str()], args].concat()).0.lines().map(str::to_owned).collect()
    };
    assert_eq!(lines(&["--format", "csv"]).len(), 1 + 2);
    assert_eq!(lines(&["--format", "csv", "--calls"]).len(), 1 + 5);
    assert_eq!(lines(&["--format", "ndjson"]).len(), 2);
    assert_eq!(lines(&["--format", "ndjson", "--calls"]).len(), 5);
    let page = lines(&[]).join("\n");
    assert!(
        page.contains("Behind it    pipeline: GitHub Actions, repository acme/shop, branch main"),
        "{page}"
    );
    assert!(page.contains("[1] sts.amazonaws.com AssumeRole, begins session 2"), "{page}");
}

#[test]
fn nothing_of_a_hostile_session_name_reaches_the_terminal() {
    let mut org = Org::default();
    let name = "x\u{1b}]0;owned\u{7}\u{202e}\r\n1. harmless";
    org.assume("10:00:00", &user("111122223333", "alice"), "111122223333", "admin", name, &key(1));
    org.push(
        "10:01:00",
        &assumed("111122223333", "admin", name, "10:00:00", &key(1)),
        "111122223333",
        "=cmd()",
    );
    let (out, ..) = run(&org, &[&key(1)]);
    assert!(
        out.contains("owned")
            && out.bytes().all(|byte| byte == b'\n' || byte >= b' ')
            && !out.contains(['\u{202e}', '\u{1b}'])
    );
    assert!(!out.lines().any(|line| line == "1. harmless"));
}

#[test]
fn pseudonyms_hide_every_name_of_a_trace() {
    let org = chain();
    for format in ["table", "json", "csv", "ndjson"] {
        let (out, said, code) = run(&org, &[&key(2), "--format", format, "--redact"]);
        assert_eq!(code, 0, "{said}");
        for name in [
            "acme",
            "shop",
            "deployer",
            "release",
            "from-ci",
            "111122223333",
            "444455556666",
            "198.51.100.7",
            &key(1),
            &key(2),
        ] {
            assert!(!out.contains(name) && !said.contains(name), "{format}: {name}\n{out}{said}");
        }
        assert!(out.contains("GitHub Actions"), "{out}");
    }
}

#[test]
fn standard_input_is_read_once_and_says_the_same() {
    let org = chain();
    let folder = tempfile::tempdir().expect("a folder");
    org.write(folder.path());
    let mut child = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(["trace", &key(2), "-", "--format", "json", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    child
        .stdin
        .take()
        .expect("stdin")
        .write_all(&fs::read(folder.path().join("logs/all.json")).expect("read"))
        .expect("written");
    let output = child.wait_with_output().expect("an end");
    let mut piped: Value = serde_json::from_slice(&output.stdout).expect("a document");
    let mut expected = trace(&org, &key(2));
    for document in [&mut piped["trace"], &mut expected] {
        for call in document["calls"].as_array_mut().expect("calls") {
            call["event"]["object"] = Value::Null;
        }
        document["sessions"] = document["sessions"].as_array().map_or(0, Vec::len).into();
    }
    assert_eq!(piped["trace"], expected);
}

/// Writes records to files of any form, in any order, some of them twice.
fn scatter(records: &[Value], folder: &Path, chance: &mut Chance, double: bool) {
    let mut all: Vec<&Value> = records.iter().collect();
    if double {
        let copies: Vec<&Value> = records.iter().filter(|_| chance.one_in(4)).collect();
        all.extend(copies);
    }
    for at in (1..all.len()).rev() {
        all.swap(at, chance.below(at + 1));
    }
    fs::create_dir_all(folder).expect("made");
    for (number, part) in all.chunks(17).enumerate() {
        fs::write(folder.join(format!("{number:03}.json")), json!({"Records": part}).to_string())
            .expect("written");
    }
}

fn ask(folder: &Path, source: &str, args: &[&str]) -> (String, i32) {
    let command = [&["trace"], args, &[source, "--format", "json", "-q"]].concat();
    let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
        .args(command)
        .current_dir(folder)
        .output()
        .expect("the binary runs");
    (String::from_utf8_lossy(&output.stdout).into_owned(), output.status.code().expect("a code"))
}

/// The document without positions of records.
fn without_places(document: &str) -> Value {
    fn clear(value: &mut Value) {
        match value {
            Value::Object(members) => {
                members.retain(|name, _| name != "object" && name != "record");
                members.values_mut().for_each(clear);
            }
            Value::Array(values) => values.iter_mut().for_each(clear),
            _ => {}
        }
    }
    let mut document: Value = serde_json::from_str(document).expect("a document");
    clear(&mut document["trace"]);
    document["trace"].take()
}

/// `eventID` of the call that began each session, by number.
fn beginnings(trace: &Value) -> Vec<Option<String>> {
    let sessions = trace["sessions"].as_array().expect("sessions");
    sessions
        .iter()
        .map(|session| session["issued"]["event"]["event_id"].as_str().map(str::to_owned))
        .collect()
}

#[test]
fn simulated_sessions_are_told_as_they_were() {
    let seeds: Vec<u64> = match std::env::var("SEED") {
        Ok(seed) => vec![seed.parse().expect("SEED is a number")],
        Err(_) => (1..=6).chain([148]).collect(),
    };
    for seed in seeds {
        let world = World::new(seed, 160);
        let folder = tempfile::tempdir().expect("a folder");
        let mut chance = Chance::new(seed + 1_000);
        scatter(&world.org.records, &folder.path().join("a"), &mut chance, true);
        scatter(&world.org.records, &folder.path().join("b"), &mut chance, false);
        // Everything, in any order, with any number of workers.
        let (one, code) = ask(folder.path(), "a", &["*", "--jobs", "1"]);
        assert_eq!(code, 0, "SEED={seed}");
        assert_eq!(one, ask(folder.path(), "a", &["*", "--jobs", "5"]).0, "SEED={seed}: threads");
        let trace = without_places(&one);
        assert_eq!(
            trace,
            without_places(&ask(folder.path(), "b", &["*"]).0),
            "SEED={seed}: order and second copies"
        );
        check(&world, &trace, seed);
        // A question about one session gives the same result for it as a question about all.
        let sessions = trace["sessions"].as_array().expect("sessions");
        for asked in (0..4)
            .map(|_| chance.of(sessions))
            .filter(|session| session["keys"].as_array().is_some_and(|keys| !keys.is_empty()))
        {
            let key = asked["keys"][0].as_str().expect("a key");
            let (own, code) = ask(folder.path(), "a", &[key]);
            assert_eq!(code, 0, "SEED={seed} {key}");
            is_part_of(&without_places(&own), &trace, &format!("SEED={seed} {key}"));
        }
    }
}

/// Compares a trace with the independent implementation, and with the truth.
fn check(world: &World, trace: &Value, seed: u64) {
    let calls = oracle::calls(&world.org.records);
    let told = oracle::joined(&calls);
    let began = beginnings(trace);
    let number = |value: &Value| value.as_u64().map(|number| usize::try_from(number).expect("small") - 1);
    let mut compared = 0;
    for call in trace["calls"].as_array().expect("calls") {
        let event = call["event"]["event_id"].as_str().expect("an id");
        let own = number(&call["session"]).and_then(|at| began[at].clone());
        let expected = told.iter().find(|told| told.event == event);
        assert_eq!(own, expected.and_then(|told| told.began.clone()), "SEED={seed}: {event}");
        let Some(expected) = expected else { continue };
        assert_eq!(call["joined"], expected.joined, "SEED={seed}: {event}");
        compared += 1;
        let truth = world.truth[event].as_ref().expect("somebody began it");
        // Certain connections are true. Inferred ones are, unless the true one is not in the logs.
        if expected.joined == "certain" || !world.hidden.contains(truth) {
            let copies = |id: &str| {
                world
                    .org
                    .records
                    .iter()
                    .find(|record| record["eventID"] == id)
                    .map(|record| record["sharedEventID"].clone())
            };
            let (own, truth) = (own.expect("a session"), truth.clone());
            let is_same = own == truth
                || copies(&own).is_some_and(|shared| !shared.is_null()) && copies(&own) == copies(&truth);
            assert!(is_same, "SEED={seed}: {event} is of {truth}, and told as of {own}");
        }
    }
    assert!(compared > 20, "SEED={seed}: {compared} calls");
    assert_eq!(
        trace["calls"].as_array().map(Vec::len),
        Some(calls.len()),
        "SEED={seed}: every call is there once"
    );
    // A parent is the session that made the beginning call.
    for session in trace["sessions"].as_array().expect("sessions") {
        let (Some(event), parent) =
            (session["issued"]["event"]["event_id"].as_str(), number(&session["parent"]))
        else {
            continue;
        };
        let expected = told.iter().find(|told| told.event == event).and_then(|told| told.began.clone());
        assert_eq!(parent.and_then(|at| began[at].clone()), expected, "SEED={seed}: the parent of {event}");
    }
}

/// Checks that every session and call of `part` is in `whole`, equal except for numbers.
fn is_part_of(part: &Value, whole: &Value, what: &str) {
    let plain = |session: &Value| {
        let mut session = session.clone();
        for name in ["number", "parent", "asked"] {
            session[name] = Value::Null;
        }
        session
    };
    let all: Vec<Value> = whole["sessions"].as_array().expect("sessions").iter().map(plain).collect();
    for session in part["sessions"].as_array().expect("sessions") {
        assert!(all.contains(&plain(session)), "{what}: {session}");
    }
    let events = |trace: &Value| -> Vec<String> {
        trace["calls"].as_array().expect("calls").iter().map(|call| call["event"].to_string()).collect()
    };
    let all = events(whole);
    assert!(events(part).iter().all(|event| all.contains(event)), "{what}");
    let sum = |trace: &Value| -> u64 {
        trace["sessions"]
            .as_array()
            .expect("sessions")
            .iter()
            .map(|session| session["calls"].as_u64().expect("a number"))
            .sum()
    };
    let outside =
        part["calls"].as_array().expect("calls").iter().filter(|call| call["session"].is_null()).count()
            as u64;
    assert_eq!(events(part).len() as u64, sum(part) + outside, "{what}");
}

#[cfg(feature = "sql")]
#[test]
fn a_lake_says_the_same_as_its_archive() {
    for seed in [11, 12] {
        let world = World::new(seed, 120);
        let folder = tempfile::tempdir().expect("a folder");
        scatter(&world.org.records, &folder.path().join("a"), &mut Chance::new(seed), false);
        let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
            .args(["ingest", "a", "--lake", "lake", "-q"])
            .current_dir(folder.path())
            .output();
        assert!(output.expect("the binary runs").status.success());
        for asked in ["*", "GitHubActions", "deployer", "198.51.100.7"] {
            assert_eq!(
                ask(folder.path(), "a", &[asked]),
                ask(folder.path(), "lake", &[asked]),
                "seed {seed}: {asked}"
            );
        }
    }
}

#[test]
fn pushers_and_deleters_have_their_chain_in_explain_and_report() {
    let mut org = chain();
    let cleaner = assumed("444455556666", "cleaner", "sweep", "12:00:00", &key(5));
    org.assume("12:00:00", &service("lambda.amazonaws.com"), "444455556666", "cleaner", "sweep", &key(5));
    let digest = org
        .records
        .iter()
        .find(|record| record["eventName"] == "PutImage")
        .map(|record| record["responseElements"]["image"]["imageId"]["imageDigest"].clone());
    let digest = digest.expect("a push");
    let record = org.record("12:01:00", &cleaner, "444455556666", "ecr.amazonaws.com", "BatchDeleteImage");
    record["requestParameters"] = json!({"registryId": "444455556666", "repositoryName": "shop/api", "imageIds": [{"imageDigest": digest}]});
    record["responseElements"] = json!({"imageIds": [{"imageDigest": digest}], "failures": []});
    record["readOnly"] = json!(false);
    let node = assumed("444455556666", "node", "i-0a1b2c3d4e5f60718", "09:00:00", &key(6));
    let record = org.record("13:00:00", &node, "444455556666", "ecr.amazonaws.com", "BatchGetImage");
    record["requestParameters"] = json!({"registryId": "444455556666", "repositoryName": "shop/api", "imageIds": [{"imageDigest": digest}]});
    let folder = tempfile::tempdir().expect("a folder");
    org.write(folder.path());
    let said = |args: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_tagfall"))
            .args(args)
            .current_dir(folder.path())
            .output()
            .expect("the binary runs");
        assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let reference = format!(
        "444455556666.dkr.ecr.eu-central-1.amazonaws.com/shop/api@{}",
        digest.as_str().expect("a digest")
    );
    let document: Value = serde_json::from_str(&said(&["explain", &reference, "logs", "--format", "json"]))
        .expect("a document");
    let behind: Vec<&str> = document["verdict"]["behind"]
        .as_array()
        .expect("a list")
        .iter()
        .map(|one| one["text"].as_str().expect("a text"))
        .collect();
    assert_eq!(behind.len(), 2, "{behind:?}");
    assert_eq!(
        behind[0],
        "PutImage of 2026-03-02T10:02:00Z by release/from-ci: behind it stands GitHub Actions, repository acme/shop, branch main, which began \
         deployer/GitHubActions of 111122223333 at 2026-03-02T10:00:00Z (AssumeRoleWithWebIdentity), and that release/from-ci at \
         2026-03-02T10:01:00Z (AssumeRole)."
    );
    assert!(
        behind[1].starts_with("BatchDeleteImage of 2026-03-02T12:01:00Z by cleaner/sweep: behind it stands Lambda, function sweep"),
        "{}",
        behind[1]
    );
    assert!(said(&["explain", &reference, "logs"]).contains("Who was behind it:"));
    let report = said(&["report", "logs"]);
    assert!(
        report.contains("Who was behind it") && report.contains("GitHub Actions, repository acme/shop"),
        "{report}"
    );
    let hidden = said(&["report", "logs", "--redact"]);
    assert!(
        hidden.contains("Who was behind it") && !hidden.contains("acme") && !hidden.contains("deployer"),
        "{hidden}"
    );
    let left_out: Value =
        serde_json::from_str(&said(&["explain", &reference, "logs", "--format", "json", "--no-trace"]))
            .expect("a document");
    assert_eq!(left_out["verdict"]["behind"], json!([]));
}

/// Real records, if available. In some of them the publishers have changed keys.
#[test]
fn real_records_are_joined() {
    let shared = std::env::var_os("TAGFALL_SHARED")
        .map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared"), Into::into);
    let folder = shared.join("data/invictus-ir_aws_dataset/CloudTrail");
    if !folder.exists() {
        eprintln!("SKIPPED: no shared data at hand (set TAGFALL_SHARED)");
        return;
    }
    let (out, code) = ask(&folder, ".", &["bert-jan"]);
    assert_eq!(code, 0);
    let trace: Value = serde_json::from_str::<Value>(&out).expect("a document")["trace"].take();
    let sessions = trace["sessions"].as_array().expect("sessions");
    let below: Vec<&Value> = sessions.iter().filter(|session| session["parent"] == json!(1)).collect();
    assert!(
        below.len() >= 10
            && below.iter().all(|session| session["issued"]["event"]["event_name"] == "AssumeRole"),
        "{}",
        below.len()
    );
    // A sign-in to the console returns no key, so its calls are identified by user and start time.
    let console = sessions
        .iter()
        .find(|session| session["issued"]["event"]["event_name"] == "ConsoleLogin")
        .expect("a sign-in");
    assert_eq!(console["joined"], "inferred");
    assert!(console["keys"].as_array().is_some_and(|keys| keys.len() > 5));
}
