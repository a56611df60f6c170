//! `trace`: who stood behind a session, over accounts and regions; what is certain, what is inferred, and what is missing.

#[path = "support/sessions/mod.rs"]
mod sessions;

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use sessions::record::{Org, assumed, github, key, role, service, user};

const BUILD: &str = "AWSCodeBuild-0d1c2b3a-4444-4555-8666-777788889999";

/// What came of a run: the document, what was said, and the exit code.
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

/// Of each session its number, its parent and how it is joined.
fn tree(trace: &Value) -> Vec<(u64, Option<u64>, Option<&str>)> {
    let sessions = trace["sessions"].as_array().expect("sessions");
    sessions.iter().map(|one| (one["number"].as_u64().expect("a number"), one["parent"].as_u64(), one["joined"].as_str())).collect()
}

fn gaps(session: &Value) -> Vec<&str> {
    session["gaps"].as_array().expect("gaps").iter().map(|gap| gap["kind"].as_str().expect("a word")).collect()
}

fn origin(session: &Value) -> (&str, &str) {
    let origin = &session["origin"];
    (origin["kind"].as_str().unwrap_or_default(), origin["name"].as_str().unwrap_or_default())
}

/// GitHub → deployer in the account of pipelines → release in the account of production, which pushes.
fn chain() -> Org {
    let mut org = Org::default();
    org.assume("10:00:00", &github("repo:acme/shop:ref:refs/heads/main"), "111122223333", "deployer", "GitHubActions", &key(1));
    let deployer = assumed("111122223333", "deployer", "GitHubActions", "10:00:00", &key(1));
    org.call("10:00:05", &deployer, "111122223333", "sts.amazonaws.com", "GetCallerIdentity");
    org.assume("10:01:00", &deployer, "444455556666", "release", "from-ci", &key(2));
    let release = assumed("444455556666", "release", "from-ci", "10:01:00", &key(2));
    org.push("10:02:00", &release, "444455556666", "shop/api");
    org.push("10:02:30", &release, "444455556666", "shop/web");
    // Nothing of theirs.
    org.call("10:02:00", &user("111122223333", "alice"), "111122223333", "s3.amazonaws.com", "ListBuckets");
    org
}

#[test]
fn a_pushers_chain_is_followed_over_accounts_by_its_keys() {
    let trace = trace(&chain(), &key(2));
    assert_eq!(tree(&trace), [(1, None, Some("certain")), (2, Some(1), Some("certain"))]);
    let sessions = &trace["sessions"];
    assert_eq!(origin(&sessions[0]), ("pipeline", "GitHub Actions, repository acme/shop, branch main"));
    assert_eq!((&trace["matches"], &sessions[1]["asked"], &sessions[0]["asked"]), (&json!([2]), &json!(true), &json!(false)));
    assert_eq!(sessions[1]["principal"], "arn:aws:sts::444455556666:assumed-role/release/from-ci");
    // The same AssumeRole is in both trails, and is one call.
    assert_eq!(sessions[1]["issued"]["copies"].as_array().map(Vec::len), Some(1));
    assert_eq!(sessions[1]["issued"]["event"]["actor"], "arn:aws:sts::111122223333:assumed-role/deployer/GitHubActions");
    let calls: Vec<(&str, Option<u64>, Option<u64>)> = trace["calls"]
        .as_array()
        .expect("calls")
        .iter()
        .map(|call| (call["event"]["event_name"].as_str().expect("a name"), call["session"].as_u64(), call["began"].as_u64()))
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
    // All that stands below the pipeline is shown with it.
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
    org.assume("09:00:20", &service("codebuild.amazonaws.com"), "111122223333", "codebuild-shop", BUILD, &key(7));
    org.push("09:05:00", &assumed("111122223333", "codebuild-shop", BUILD, "09:00:20", &key(7)), "111122223333", "shop/api");
    let trace = trace(&org, &format!("codebuild-shop/{BUILD}"));
    let sessions = &trace["sessions"];
    assert_eq!(tree(&trace), [(1, None, None), (2, Some(1), Some("inferred")), (3, Some(2), Some("certain"))]);
    assert_eq!(origin(&sessions[0]), ("person", "user alice of 111122223333"));
    assert_eq!(sessions[1]["principal"], "arn:aws:codebuild:eu-central-1:111122223333:build/shop-image:0d1c2b3a-4444-4555-8666-777788889999");
    // Without the start the build itself stands at the root.
    org.records.remove(0);
    let trace = self::trace(&org, BUILD);
    assert_eq!(origin(&trace["sessions"][0]), ("pipeline", "CodeBuild, build 0d1c2b3a-4444-4555-8666-777788889999"));
}

#[test]
fn calls_with_another_key_are_joined_by_role_name_and_beginning_and_marked() {
    let mut org = Org::default();
    org.assume("10:00:00", &service("ec2.amazonaws.com"), "111122223333", "builder", "i-0a1b2c3d4e5f60718", &key(1));
    // The registry's proxy signs with a key of its own.
    org.push("10:10:00", &assumed("111122223333", "builder", "i-0a1b2c3d4e5f60718", "10:00:00", &key(9)), "111122223333", "shop/api");
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
        org.assume("10:00:00", &github("repo:acme/shop:pull_request"), "111122223333", "ci", "GitHubActions", &key(number));
    }
    org.push("10:10:00", &assumed("111122223333", "ci", "GitHubActions", "10:00:00", &key(9)), "111122223333", "shop/api");
    let trace = trace(&org, &key(9));
    assert_eq!(tree(&trace), [(1, None, None)]);
    assert_eq!(gaps(&trace["sessions"][0]), ["ambiguous", "shared_name"]);
    assert_eq!(origin(&trace["sessions"][0]).0, "unknown");
    // By key each is told apart, and that the name is shared is said.
    let one = self::trace(&org, &key(1));
    assert_eq!((tree(&one), gaps(&one["sessions"][0])), (vec![(1, None, Some("certain"))], vec!["shared_name"]));
    assert_eq!(origin(&one["sessions"][0]), ("pipeline", "GitHub Actions, repository acme/shop, a pull request"));
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
    assert!(gap(&org).contains("it began at 2026-03-02T07:30:00Z, and they begin at 2026-03-02T08:00:00Z"), "{}", gap(&org));
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
    org.push("09:12:00", &assumed("444455556666", "admin", "alice", "09:10:00", &key(3)), "444455556666", "shop/api");
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
            oidc("arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com", "repo:acme/shop:environment:production"),
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
        (oidc("accounts.google.com", "1234567"), "web", "x", "federation: 1234567, whom accounts.google.com vouches for"),
        (service("ecs-tasks.amazonaws.com"), "task", "0123456789abcdef0123456789abcdef", "service: ECS, task 0123456789abcdef0123456789abcdef"),
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
    assert_eq!((tree(&circle), gaps(&circle["sessions"][0])), (vec![(1, None, Some("certain"))], vec!["circle"]));
    // Two that began each other.
    let mut org = Org::default();
    org.assume("10:00:00", &assumed("111122223333", "b", "x", "10:00:01", &key(2)), "111122223333", "a", "x", &key(1));
    org.assume("10:00:01", &assumed("111122223333", "a", "x", "10:00:00", &key(1)), "111122223333", "b", "x", &key(2));
    let circle = trace(&org, &key(2));
    assert_eq!(tree(&circle).len(), 2);
    assert_eq!(gaps(&circle["sessions"][0]), ["circle"]);
    // A long chain, and many children.
    let mut org = Org::default();
    for number in 0..3_000 {
        let caller = assumed("111122223333", "deep", &format!("s{number}"), "10:00:00", &key(number));
        org.assume("10:00:00", &caller, "111122223333", "deep", &format!("s{}", number + 1), &key(number + 1));
        org.assume("10:00:00", &assumed("111122223333", "deep", "s7", "10:00:00", &key(7)), "111122223333", "wide", "same", &key(10_000 + number));
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
    org.push("23:00:00", &assumed("111122223333", "builder", "i-1", "10:00:00", &key(1)), "111122223333", "shop/api");
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
    for (reference, near) in
        [("from-cy", "release/from-ci"), (&key(2).replace('2', "3"), "ASIA"), ("arn:aws:iam::444455556666:role/relaese", "arn:aws")]
    {
        let (out, said, code) = run(&org, &[reference]);
        assert_eq!((out.as_str(), code), ("", 2), "{reference}: {said}");
        assert!(said.contains("no session in these logs is that of") && said.contains(near), "{reference}: {said}");
    }
    let (_, said, code) = run(&org, &[""]);
    assert_eq!(code, 2);
    assert!(said.contains("nothing is asked for"), "{said}");
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
    assert_eq!((names(&writes), &writes["trace"]["calls_left_out"]), (vec!["PutImage".to_owned(), "PutImage".to_owned()], &json!(3)));
    let web = document(&[&key(2), "--repository", "shop/w*"]);
    assert_eq!((names(&web).len(), web["trace"]["sessions"].as_array().map(Vec::len)), (1, Some(2)));
    let late = document(&[&key(2), "--since", "2026-03-02T10:01:30Z"]);
    assert_eq!(gaps(&late["trace"]["sessions"][0]), ["not_logged"]);
}

#[test]
fn rows_and_lines_are_sessions_or_calls() {
    let org = chain();
    let lines = |args: &[&str]| -> Vec<String> { run(&org, &[&[key(2).as_str()], args].concat()).0.lines().map(str::to_owned).collect() };
    assert_eq!(lines(&["--format", "csv"]).len(), 1 + 2);
    assert_eq!(lines(&["--format", "csv", "--calls"]).len(), 1 + 5);
    assert_eq!(lines(&["--format", "ndjson"]).len(), 2);
    assert_eq!(lines(&["--format", "ndjson", "--calls"]).len(), 5);
    let page = lines(&[]).join("\n");
    assert!(page.contains("Behind it    pipeline: GitHub Actions, repository acme/shop, branch main"), "{page}");
    assert!(page.contains("[1] sts.amazonaws.com AssumeRole, begins session 2"), "{page}");
}

#[test]
fn nothing_of_a_hostile_session_name_reaches_the_terminal() {
    let mut org = Org::default();
    let name = "x\u{1b}]0;owned\u{7}\u{202e}\r\n1. harmless";
    org.assume("10:00:00", &user("111122223333", "alice"), "111122223333", "admin", name, &key(1));
    org.push("10:01:00", &assumed("111122223333", "admin", name, "10:00:00", &key(1)), "111122223333", "=cmd()");
    let (out, ..) = run(&org, &[&key(1)]);
    assert!(out.contains("owned") && out.bytes().all(|byte| byte == b'\n' || byte >= b' ') && !out.contains(['\u{202e}', '\u{1b}']));
    assert!(!out.lines().any(|line| line == "1. harmless"));
}

#[test]
fn pseudonyms_hide_every_name_of_a_trace() {
    let org = chain();
    for format in ["table", "json", "csv", "ndjson"] {
        let (out, said, code) = run(&org, &[&key(2), "--format", format, "--redact"]);
        assert_eq!(code, 0, "{said}");
        for name in ["acme", "shop", "deployer", "release", "from-ci", "111122223333", "444455556666", "198.51.100.7", &key(1), &key(2)] {
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
    child.stdin.take().expect("stdin").write_all(&fs::read(folder.path().join("logs/all.json")).expect("read")).expect("written");
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
    let _ = role("111122223333", "x");
}
