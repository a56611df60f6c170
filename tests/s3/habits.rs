//! Credentials, region and endpoint are found as by the AWS CLI. Each case is a separate process, because
//! each needs its own environment.

use crate::s3;
use std::process::Command;
use std::sync::{Arc, Mutex};

use s3::{Fault, Memory, Proxy, Server, error_answer};
use tagfall::model::Filter;
use tagfall::source::{self, Fetched, Options};

const HABITS: &str = "TAGFALL_TEST_HABITS";

/// Only used by the tests below, which run it with an environment. Its settings:
/// `profile=NAME,endpoint=URL,unsigned,payer`.
#[test]
fn habits_child() {
    let Ok(habits) = std::env::var(HABITS) else { return };
    let mut options = Options::default();
    for habit in habits.split(',') {
        match habit.split_once('=').unwrap_or((habit, "")) {
            ("profile", name) => options.profile = Some(name.to_owned()),
            ("endpoint", url) => options.endpoint_url = Some(url.to_owned()),
            ("region", name) => options.region = Some(name.to_owned()),
            ("unsigned", _) => options.no_sign_request = true,
            ("payer", _) => options.request_payer = true,
            _ => {}
        }
    }
    let feed = source::open("s3://trail/", &options, &Filter::default()).unwrap();
    let mut buffer = Vec::new();
    let mut whole = 0;
    while let Some(delivery) = feed.next(&mut buffer) {
        whole += u64::from(delivery.outcome == Fetched::Whole);
    }
    println!("RESULT whole={whole} fatal={:?}", feed.fatal().map(|error| error.kind));
}

struct World {
    _server: Server,
    proxy: Proxy,
    heads: Arc<Mutex<Vec<String>>>,
    home: tempfile::TempDir,
}

impl World {
    fn new(decide: impl Fn(&s3::Request<'_>) -> Fault + Send + Sync + 'static) -> Self {
        let memory =
            Arc::new(Memory::new("trail", (0..3).map(|number| (format!("{number}.json"), vec![1; 10]))));
        let server = Server::memory(&memory);
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&heads);
        let proxy = Proxy::start(server.address, move |request| {
            seen.lock().unwrap().push(request.head.to_ascii_lowercase());
            decide(request)
        });
        Self { _server: server, proxy, heads, home: tempfile::tempdir().unwrap() }
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.home.path().join(name), text).unwrap();
    }

    /// Runs the child without any environment of the test that the SDK would use.
    fn run(&self, habits: &str, environment: &[(&str, &str)]) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        for (name, _) in std::env::vars_os().filter(|(name, _)| {
            name.to_string_lossy().starts_with("AWS_")
                || name.to_string_lossy().to_ascii_lowercase().ends_with("_proxy")
        }) {
            command.env_remove(name);
        }
        let output = command
            .args(["--exact", "habits::habits_child", "--nocapture"])
            .env("AWS_CONFIG_FILE", self.home.path().join("config"))
            .env("AWS_SHARED_CREDENTIALS_FILE", self.home.path().join("credentials"))
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .envs(environment.iter().copied())
            .env(HABITS, habits)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let result =
            text.lines().find_map(|line| line.split_once("RESULT ").map(|(_, result)| result.to_owned()));
        result.unwrap_or_else(|| panic!("{text}{}", String::from_utf8_lossy(&output.stderr)))
    }

    fn assert_all(&self, predicate: impl Fn(&str) -> bool) {
        let heads = std::mem::take(&mut *self.heads.lock().unwrap());
        assert!(!heads.is_empty());
        for head in heads {
            assert!(predicate(&head), "{head}");
        }
    }
}

fn passes() -> World {
    World::new(|_| Fault::None)
}

const WHOLE: &str = "whole=3 fatal=None";
const KEYS: [(&str, &str); 2] =
    [("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY_ID), ("AWS_SECRET_ACCESS_KEY", s3::SECRET_ACCESS_KEY)];

fn keys_and<'e>(more: &[(&'e str, &'e str)]) -> Vec<(&'e str, &'e str)> {
    KEYS.iter().chain(more).copied().collect()
}

#[test]
fn keys_region_and_endpoint_come_from_the_environment() {
    let world = passes();
    let endpoint = world.proxy.endpoint();
    for (name, region) in [("AWS_ENDPOINT_URL", "AWS_REGION"), ("AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION")]
    {
        assert_eq!(world.run("", &keys_and(&[(name, &endpoint), (region, "eu-west-3")])), WHOLE);
        world.assert_all(|head| {
            head.contains("/eu-west-3/s3/aws4_request")
                && (head.starts_with("get /trail/?") || head.starts_with("get /trail/"))
        });
    }
}

#[test]
fn the_endpoint_that_is_named_goes_before_the_environment() {
    let world = passes();
    let habits = format!("endpoint={},region=us-west-1", world.proxy.endpoint());
    let elsewhere = [
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:9"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("AWS_REGION", "eu-west-3"),
    ];
    assert_eq!(world.run(&habits, &keys_and(&elsewhere)), WHOLE);
    world.assert_all(|head| head.contains("/us-west-1/s3/"));
}

#[test]
fn without_a_region_the_first_one_is_asked_and_not_the_metadata_service() {
    let world = passes();
    let begun = std::time::Instant::now();
    let habits = format!("endpoint={}", world.proxy.endpoint());
    assert_eq!(world.run(&habits, &keys_and(&[("AWS_EC2_METADATA_DISABLED", "false")])), WHOLE);
    world.assert_all(|head| head.contains("/us-east-1/s3/"));
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
}

#[test]
fn a_profile_brings_keys_region_and_endpoint_and_goes_before_keys_in_the_environment() {
    let world = passes();
    let endpoint = world.proxy.endpoint();
    world.write("config", &format!("[profile audit]\nregion = ap-south-1\nendpoint_url = {endpoint}\n"));
    world.write(
        "credentials",
        &format!(
            "[audit]\naws_access_key_id = {}\naws_secret_access_key = {}\n",
            s3::ACCESS_KEY_ID,
            s3::SECRET_ACCESS_KEY
        ),
    );
    let wrong = [("AWS_ACCESS_KEY_ID", "AKIAWRONG"), ("AWS_SECRET_ACCESS_KEY", "wrong")];
    assert_eq!(world.run("profile=audit", &wrong), WHOLE);
    world.assert_all(|head| head.contains("/ap-south-1/s3/"));
    assert_eq!(world.run("", &[("AWS_PROFILE", "audit")]), WHOLE);
    world.assert_all(|head| head.contains("/ap-south-1/s3/"));
}

#[cfg(unix)]
#[test]
fn a_credential_process_is_asked_and_asked_again_when_its_session_ends() {
    let world = World::new(|request| {
        let expired = request.head.contains("old-token");
        if expired && request.ordinal >= 2 {
            Fault::Answer(error_answer(400, "ExpiredToken", ""))
        } else {
            Fault::None
        }
    });
    let (counter, keys) = (world.home.path().join("counter"), [s3::ACCESS_KEY_ID, s3::SECRET_ACCESS_KEY]);
    let answer = |token: &str| {
        format!(
            r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"{token}","Expiration":"2099-01-01T00:00:00Z"}}"#,
            keys[0], keys[1]
        )
    };
    world.write("old", &answer("old-token"));
    world.write("new", &answer("new-token"));
    let home = world.home.path().display();
    world.write(
        "process",
        &format!(
            "if [ -e {0} ]; then cat {home}/new; else touch {0}; cat {home}/old; fi\n",
            counter.display()
        ),
    );
    world
        .write("config", &format!("[default]\nregion = us-east-1\ncredential_process = sh {home}/process\n"));
    let habits = format!("endpoint={}", world.proxy.endpoint());
    assert_eq!(world.run(&habits, &[]), WHOLE);
    let heads = world.heads.lock().unwrap().join("");
    assert!(heads.contains("old-token") && heads.contains("new-token"));
}

/// What was read before is kept, and the advice is to log in again, as with a session that expired.
#[cfg(unix)]
#[test]
fn a_credential_process_that_fails_half_way_is_a_session_that_expired() {
    let world = World::new(|request| {
        if request.ordinal >= 2 { Fault::Answer(error_answer(400, "ExpiredToken", "")) } else { Fault::None }
    });
    let home = world.home.path().display();
    let keys = format!(
        r#"{{"Version":1,"AccessKeyId":"{}","SecretAccessKey":"{}","SessionToken":"t"}}"#,
        s3::ACCESS_KEY_ID,
        s3::SECRET_ACCESS_KEY
    );
    world.write("keys", &keys);
    world.write(
        "process",
        &format!("if [ -e {home}/asked ]; then exit 1; else touch {home}/asked; cat {home}/keys; fi\n"),
    );
    world
        .write("config", &format!("[default]\nregion = us-east-1\ncredential_process = sh {home}/process\n"));
    let habits = format!("endpoint={}", world.proxy.endpoint());
    let result = world.run(&habits, &[]);
    assert!(result.ends_with("fatal=Some(ExpiredCredentials)"), "{result}");
}

#[test]
fn unsigned_requests_and_requester_pays() {
    let world = World::new(|request| {
        let unsigned = !request.head.to_ascii_lowercase().contains("authorization:");
        if unsigned { Fault::Answer(error_answer(403, "AccessDenied", "")) } else { Fault::None }
    });
    let endpoint = world.proxy.endpoint();
    let unsigned = format!("unsigned,endpoint={endpoint},region=us-east-1");
    assert_eq!(world.run(&unsigned, &[]), "whole=0 fatal=Some(ListDenied)");
    world.assert_all(|head| !head.contains("authorization:"));
    let payer = format!("payer,endpoint={endpoint},region=us-east-1");
    assert_eq!(world.run(&payer, &KEYS), WHOLE);
    world.assert_all(|head| head.contains("x-amz-request-payer: requester"));
}

#[test]
fn a_proxy_of_the_environment_is_gone_through() {
    let world = passes();
    let proxy = world.proxy.endpoint();
    let habits = "endpoint=http://s3.example.test,region=us-east-1";
    assert_eq!(world.run(habits, &keys_and(&[("HTTP_PROXY", &proxy), ("http_proxy", &proxy)])), WHOLE);
    world.assert_all(|head| head.contains("host: s3.example.test"));
}

#[test]
fn nobody_logged_in_is_told_as_such() {
    let world = passes();
    let habits = format!("endpoint={},region=us-east-1", world.proxy.endpoint());
    assert_eq!(world.run(&habits, &[]), "whole=0 fatal=Some(NoCredentials)");
}
