//! Archives in a folder and in a bucket, and the program as a user runs it on both.

use std::path::Path;
use std::process::{Command, Output};
use std::sync::Arc;

use serde_json::Value;

use crate::s3::{self, Memory, Server};
use crate::world::World;

/// All events, sorted.
pub const ALL: &str =
    "SELECT * FROM cloudtrail_logs ORDER BY eventtime, eventid, eventname, requestparameters";

/// A folder, a bucket called `trail`, and its server.
pub struct Location {
    pub world: World,
    pub bucket: Arc<Memory>,
    pub server: Server,
}

impl Location {
    /// The fixtures in both: `incident` and `quiet`.
    pub fn new() -> Self {
        let world = World::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        let bucket = Arc::new(Memory::new("trail", []));
        for name in ["incident", "quiet"] {
            world.copy(&fixtures.join(name), name);
            put_all(&bucket, &world.path(name), name);
        }
        let server = Server::memory(&bucket);
        Self { world, bucket, server }
    }

    /// The same, with a damaged object in `incident`.
    pub fn with_a_damaged_object() -> Self {
        let place = Self::new();
        let (key, text) = (
            "incident/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/05/broken.json",
            b"{\"Records\":[{\"eventID\":",
        );
        place.world.file(key, text);
        place.bucket.put(key, text.to_vec());
        place
    }

    pub fn command_at(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.envs(s3::environment(endpoint));
        command
    }

    pub fn command(&self, args: &[&str]) -> Command {
        self.command_at(&self.server.endpoint(), args)
    }

    pub fn run_at(&self, endpoint: &str, args: &[&str]) -> Output {
        self.command_at(endpoint, args).output().unwrap()
    }

    pub fn run(&self, args: &[&str]) -> Output {
        self.run_at(&self.server.endpoint(), args)
    }

    /// Runs a command that must succeed; returns its messages.
    pub fn ok(&self, args: &[&str]) -> String {
        let output = self.run(args);
        assert_eq!(output.status.code(), Some(0), "{args:?}: {}", said(&output));
        said(&output)
    }

    /// Runs a command that must give a result, whatever the findings.
    pub fn stdout(&self, args: &[&str]) -> Vec<u8> {
        let output = self.run(args);
        assert!(matches!(output.status.code(), Some(0 | 1)), "{args:?}: {}", said(&output));
        output.stdout
    }

    pub fn json(&self, args: &[&str]) -> Value {
        let output = self.run(&[args, &["--format", "json"]].concat());
        serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|error| panic!("{args:?}: {error}: {}", said(&output)))
    }

    /// The JSON line of a step; its exit code is 0, or 3 if some evidence is damaged.
    pub fn step(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{args:?}: {}", said(&output));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "one line: {text}");
        serde_json::from_str(&text).unwrap()
    }

    pub fn keys(&self, part: &str) -> Vec<String> {
        self.bucket.keys().into_iter().filter(|key| key.contains(part)).collect()
    }

    /// The commands that are run on a lake.
    pub fn asked(lake: &str) -> [Vec<&str>; 6] {
        [
            vec!["detect", lake, "--format", "json"],
            vec!["timeline", lake, "--format", "json"],
            vec!["forecast", lake, "--format", "json"],
            vec!["detect", lake, "--format", "csv"],
            vec!["query", ALL, lake, "--format", "csv"],
            vec!["query", "SELECT * FROM coverage", lake, "--format", "csv"],
        ]
    }

    /// The outputs of all commands.
    fn answers(&self, lake: &str) -> Vec<String> {
        Self::asked(lake).map(|args| String::from_utf8(self.run(&args).stdout).unwrap()).to_vec()
    }

    /// Checks that two lakes give the same output, byte for byte.
    pub fn compare(&self, one: &str, other: &str) {
        for (at, (one, other)) in self.answers(one).iter().zip(&self.answers(other)).enumerate() {
            assert!(one.len() > 50, "answer {at} is there: {one}");
            let different = one.lines().zip(other.lines()).find(|(one, other)| one != other);
            assert!(one == other, "answer {at}: {:.600?}", different);
        }
    }
}

pub fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Uploads a folder to a bucket.
pub fn put_all(bucket: &Memory, folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let key = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            put_all(bucket, &entry.path(), &key)
        } else {
            bucket.put(&key, std::fs::read(entry.path()).unwrap())
        }
    }
}
