//! Reads a feed like a run, and keeps everything.

use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Mutex;
use std::time::Duration;

use tagfall::model::Filter;
use tagfall::source::{self, Credentials, FatalError, Feed, Fetched, Options, Patience, retry};

use super::server::{ACCESS_KEY_ID, SECRET_ACCESS_KEY};

/// Environment variables for using the S3 at `endpoint`.
pub fn environment(endpoint: &str) -> [(&'static str, String); 5] {
    [
        ("AWS_ACCESS_KEY_ID", ACCESS_KEY_ID.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", SECRET_ACCESS_KEY.to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
    ]
}

/// Lets a command use the S3 at `endpoint`, whatever the environment of the tests says.
pub fn point<'c>(command: &'c mut Command, endpoint: &str) -> &'c mut Command {
    for name in ["AWS_PROFILE", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE"] {
        command.env_remove(name);
    }
    command.envs(environment(endpoint))
}

/// Keys and region for the S3 at `endpoint`.
pub fn options(endpoint: &str) -> Options {
    let credentials = Credentials {
        access_key_id: ACCESS_KEY_ID.to_owned(),
        secret_access_key: SECRET_ACCESS_KEY.to_owned(),
        session_token: None,
    };
    Options {
        endpoint_url: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(credentials),
        jobs: std::num::NonZeroUsize::new(2).unwrap(),
        ..Options::default()
    }
}

/// Short waits and timeouts; the rules for retries are the same.
pub fn quick(endpoint: &str) -> Options {
    Options {
        retry: retry::Policy {
            tries_max: 8,
            elapsed_max: Duration::from_secs(60),
            delay_first: Duration::from_millis(4),
            delay_max: Duration::from_millis(100),
        },
        patience: Patience {
            response: Duration::from_secs(5),
            silence: Duration::from_secs(5),
            ..Patience::DEFAULT
        },
        ..options(endpoint)
    }
}

/// Everything that a feed returned.
#[derive(Debug)]
pub struct Read {
    pub whole: BTreeMap<String, Vec<u8>>,
    pub other_kind: Vec<String>,
    /// Reason, and the part that arrived.
    pub failed: BTreeMap<String, (String, Vec<u8>)>,
    pub retries: u64,
    pub fatal: Option<FatalError>,
}

impl Read {
    /// Why `name` failed.
    pub fn reason(&self, name: &str) -> &str {
        &self.failed.get(name).unwrap_or_else(|| panic!("{name} did not fail: {self:?}")).0
    }

    pub fn names(&self) -> Vec<&str> {
        self.whole.keys().map(String::as_str).collect()
    }
}

/// Reads `spec` with two workers.
pub fn read_with(spec: &str, options: &Options, filter: &Filter) -> Read {
    let feed = source::open(spec, options, filter).unwrap();
    let read = Mutex::new(Read {
        whole: BTreeMap::new(),
        other_kind: Vec::new(),
        failed: BTreeMap::new(),
        retries: 0,
        fatal: None,
    });
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| take_all(&*feed, &read));
        }
    });
    let mut read = read.into_inner().unwrap();
    (read.retries, read.fatal) = (feed.listed().retries, feed.fatal());
    read
}

pub fn read(spec: &str, options: &Options) -> Read {
    read_with(spec, options, &Filter::default())
}

fn take_all(feed: &dyn Feed, read: &Mutex<Read>) {
    let mut buffer = Vec::new();
    while let Some(delivery) = feed.next(&mut buffer) {
        let name = delivery.object.raw().to_owned();
        let mut read = read.lock().unwrap();
        let twice = match delivery.outcome {
            Fetched::Whole => read.whole.insert(name.clone(), buffer.clone()).is_some(),
            Fetched::Failed(reason) => read.failed.insert(name.clone(), (reason, buffer.clone())).is_some(),
            Fetched::OtherKind | Fetched::Known => {
                read.other_kind.push(name.clone());
                false
            }
        };
        assert!(!twice, "{name} came twice");
    }
}
