//! One ingest made by many processes: whatever is killed, doubled or missing, the lake is the one that a single run makes.

use crate::s3;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use crate::s3::{Fault, Memory, Proxy, Request, Server};
use crate::world::World;
use serde_json::Value;

struct Place {
    world: World,
    bucket: Arc<Memory>,
    server: Server,
}

impl Place {
    /// The fixtures in a folder and in a bucket, and a damaged object among them.
    fn new() -> Self {
        let world = World::new();
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures");
        for name in ["incident", "quiet"] {
            world.copy(&fixtures.join(name), name);
        }
        world.file("incident/AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/05/broken.json", b"{\"Records\":[{\"eventID\":");
        let bucket = Arc::new(Memory::new("trail", []));
        for name in ["incident", "quiet"] {
            put_all(&bucket, &world.path(name), name);
        }
        let server = Server::memory(&bucket);
        Self { world, bucket, server }
    }

    fn command_at(&self, endpoint: &str, args: &[&str]) -> Command {
        let mut command = self.world.command(args);
        command.env("AWS_ACCESS_KEY_ID", s3::ACCESS_KEY_ID).env("AWS_SECRET_ACCESS_KEY", s3::SECRET_ACCESS_KEY).env("AWS_REGION", "us-east-1");
        command.env("AWS_EC2_METADATA_DISABLED", "true").env("AWS_ENDPOINT_URL", endpoint);
        command
    }

    fn command(&self, args: &[&str]) -> Command {
        self.command_at(&self.server.endpoint(), args)
    }

    fn run(&self, args: &[&str]) -> Output {
        self.command(args).output().unwrap()
    }

    /// What a step told; it ends with 0, or with 3 where some evidence is damaged.
    fn step(&self, args: &[&str]) -> Value {
        let output = self.run(args);
        assert!(matches!(output.status.code(), Some(0 | 3)), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.lines().count(), 1, "one line: {text}");
        serde_json::from_str(&text).unwrap()
    }

    /// Everything that is asked of a lake, as it comes out.
    fn answers(&self, lake: &str) -> Vec<String> {
        let all = "SELECT * FROM cloudtrail_logs ORDER BY eventtime, eventid, eventname, requestparameters";
        let asked: [&[&str]; 6] = [
            &["detect", lake, "--format", "json"],
            &["timeline", lake, "--format", "json"],
            &["forecast", lake, "--format", "json"],
            &["detect", lake, "--format", "csv"],
            &["query", all, lake, "--format", "csv"],
            &["query", "SELECT * FROM coverage", lake, "--format", "csv"],
        ];
        asked.map(|args| String::from_utf8(self.run(args).stdout).unwrap()).to_vec()
    }

    fn compare(&self, lakes: [&str; 2]) {
        let [one, other] = lakes.map(|lake| self.answers(lake));
        for (at, (one, other)) in one.iter().zip(&other).enumerate() {
            assert!(one.len() > 50, "answer {at} is there: {one}");
            let different = one.lines().zip(other.lines()).find(|(one, other)| one != other);
            assert!(one == other, "answer {at}: {:.600?}", different);
        }
    }
}

fn put_all(bucket: &Memory, folder: &Path, prefix: &str) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let key = format!("{prefix}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            put_all(bucket, &entry.path(), &key)
        } else {
            bucket.put(&key, std::fs::read(entry.path()).unwrap())
        }
    }
}

/// Plan, shards in any order, one of them twice at once, merges, commit.
fn made_by_many(place: &Place, sources: &[&str], lake: &str, plan: &str) {
    let planned = place.step(&[&["plan"], sources, &["--shards", "5", "-o", plan]].concat());
    assert_eq!(planned["shards"], 5);
    let shard = |number: u32| format!("{plan}/shard-{number:05}.ndjson");
    for number in [4, 1, 5, 3] {
        let args = ["ingest", "--shard", &shard(number), "--lake", lake];
        // Two speculative copies.
        let copies = [(); 2].map(|()| place.command(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
        for output in copies.map(|copy| copy.wait_with_output().unwrap()) {
            assert!(matches!(output.status.code(), Some(0 | 3)), "{}", String::from_utf8_lossy(&output.stderr));
        }
    }
    let refused = place.run(&["ingest", "--commit", "--lake", lake]);
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("1 of 5 shards are missing: 2"), "{said}");
    assert_eq!(place.run(&["ingest", "--merge", "1/2", "--lake", lake]).status.code(), Some(2), "nor is anything merged before");
    assert_eq!(place.step(&["ingest", "--shard", &shard(2), "--lake", lake])["already"], false);
    assert_eq!(place.step(&["ingest", "--shard", &shard(2), "--lake", lake])["already"], true);
    assert_eq!(place.run(&["detect", lake]).status.code(), Some(2), "nothing counts before the commit");
    for part in ["2/3", "1/3", "1/3"] {
        place.step(&["ingest", "--merge", part, "--lake", lake]);
    }
    let id = planned["plan"].as_str().unwrap();
    let committed = place.step(&["ingest", "--commit", "--plan", id, "--lake", lake]);
    assert_eq!((&committed["already"], &committed["objects"]), (&Value::from(false), &planned["objects"]));
    assert_eq!(place.step(&["ingest", "--commit", "--plan", id, "--lake", lake])["already"], true, "the driver may ask again");
    assert_eq!(place.run(&["ingest", "--commit", "--lake", lake]).status.code(), Some(2), "nothing is staged any more");
}

#[test]
fn many_machines_make_the_lake_that_one_makes_in_a_folder_and_in_a_bucket() {
    let place = Place::new();
    assert_eq!(place.run(&["ingest", "incident", "quiet", "--lake", "one"]).status.code(), Some(3), "an object is damaged");
    made_by_many(&place, &["incident", "quiet"], "many", "plan");
    place.compare(["one", "many"]);
    assert_eq!(place.run(&["lake", "check", "many"]).status.code(), Some(0));
    let sources = ["s3://trail/incident/", "s3://trail/quiet/"];
    assert_eq!(place.run(&[&["ingest"], &sources[..], &["--lake", "s3://trail-lakes-none/x"]].concat()).status.code(), Some(2));
    let lake = "s3://trail/lake";
    assert_eq!(place.run(&[&["ingest"], &sources[..], &["--lake", "far-one"]].concat()).status.code(), Some(3));
    made_by_many(&place, &sources, lake, "s3://trail/plan");
    place.compare(["far-one", lake]);
    assert_eq!(place.run(&["lake", "check", lake]).status.code(), Some(0));
    let left: Vec<String> = place.bucket.keys().into_iter().filter(|key| key.starts_with("lake/_tagfall/shards/")).collect();
    assert_eq!(left, Vec::<String>::new(), "what was staged is gone");
    // And on it goes, by one machine.
    let output = place.run(&[&["ingest"], &sources[..], &["--lake", lake]].concat());
    assert!(String::from_utf8_lossy(&output.stderr).contains("added 0 events"), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn a_shard_gives_the_same_bytes_whoever_makes_it_and_a_killed_one_leaves_nothing_that_counts() {
    let place = Place::new();
    place.step(&["plan", "s3://trail/incident/", "--shards", "2", "-o", "s3://trail/plan"]);
    let staged = |lake: &str| {
        let prefix = format!("{lake}/_tagfall/shards/");
        let keys = place.bucket.keys().into_iter().filter(move |key| key.starts_with(&prefix));
        keys.map(|key| (key[lake.len()..].to_owned(), place.bucket.get(&key).unwrap())).collect::<Vec<_>>()
    };
    let args = |lake: &'static str, jobs: &'static str| ["ingest", "--shard", "s3://trail/plan/shard-00001.ndjson", "--lake", lake, "--jobs", jobs];
    place.step(&args("s3://trail/a", "1"));
    // Another number of threads, and another order of arrival.
    let proxy = Proxy::start(place.server.address, |request: &Request<'_>| {
        if request.method == "GET" && request.ordinal.is_multiple_of(3) { Fault::Delay(Duration::from_millis(30)) } else { Fault::None }
    });
    let mut killed = place.command_at(&proxy.endpoint(), &args("s3://trail/b", "4"));
    let mut killed = killed.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(400));
    let _ = killed.kill();
    killed.wait().unwrap();
    let output = place.command_at(&proxy.endpoint(), &args("s3://trail/b", "4")).output().unwrap();
    assert!(matches!(output.status.code(), Some(0 | 3)));
    let (one, other) = (staged("a"), staged("b"));
    assert!(one.len() > 5);
    let names = |all: &[(String, Vec<u8>)]| all.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>();
    assert_eq!(names(&one), names(&other));
    assert!(one == other, "byte for byte");
}

#[test]
fn plans_and_steps_that_cannot_be_are_refused() {
    let place = Place::new();
    for (args, expected) in [
        (&["ingest", "--commit", "--lake", "none"][..], "no shard of a plan is staged"),
        (&["ingest", "--shard", "incident/README.md", "--lake", "none"], "cannot read the shard"),
        (&["ingest", "--merge", "9/8", "--lake", "none"], "there is no part 9/8"),
        (&["ingest", "--commit", "--since", "2026-01-01", "--lake", "none"], "the plan has chosen the objects"),
        (&["plan", "-", "--shards", "2", "-o", "plan"], "standard input"),
        (&["plan", "nowhere", "--shards", "2", "-o", "plan"], "there is no such file or folder"),
    ] {
        let output = place.run(args);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
    }
    assert!(!place.world.path("none").join("_tagfall/manifest.json").exists());
}

/// The recipe of the documentation, as it stands there.
#[test]
#[cfg(unix)]
fn the_recipe_with_xargs_does_what_it_says() {
    let place = Place::new();
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/CLUSTER.md")).unwrap();
    let recipe = page.split("```sh xargs\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert!(recipe.lines().count() <= 10 && recipe.contains("xargs -P"), "{recipe}");
    let recipe = recipe.replace("s3://my-trail/AWSLogs/", "incident quiet").replace("s3://my-lakes/trail", "many");
    place.world.file("recipe.sh", recipe.as_bytes());
    let folder = Path::new(env!("CARGO_BIN_EXE_tagfall")).parent().unwrap();
    let mut command = Command::new("/bin/sh");
    command.args(["-e", "recipe.sh"]).current_dir(place.world.path("")).env_clear();
    let output = command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", folder.display())).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(String::from_utf8_lossy(&output.stdout).contains("\"step\":\"commit\""), "{said}");
    assert_eq!(place.run(&["ingest", "incident", "quiet", "--lake", "one"]).status.code(), Some(3));
    place.compare(["one", "many"]);
}

#[test]
fn athena_gets_a_table_of_the_lists_or_of_a_copy() {
    let place = Place::new();
    place.run(&["ingest", "incident", "--lake", "lake"]);
    place.run(&["ingest", "incident", "--lake", "s3://trail/lake"]);
    let ddl = |args: &[&str]| String::from_utf8(place.run(&[&["lake", "ddl"], args].concat()).stdout).unwrap();
    let far = ddl(&["s3://trail/lake", "--table", "logs.trail"]);
    for part in [
        "CREATE EXTERNAL TABLE logs.trail (",
        "`useridentity` struct<type:string,",
        "`record` bigint",
        "SymlinkTextInputFormat",
        "LOCATION 's3://trail/lake/_tagfall/hive/'",
        "'projection.account.values' = '111122223333'",
        "'projection.date.range' = '2026-01-14,NOW'",
        "'storage.location.template' = 's3://trail/lake/_tagfall/hive/account=${account}/region=${region}/date=${date}/'",
    ] {
        assert!(far.contains(part), "{part}: {far}");
    }
    let listed = |lake: &str| String::from_utf8(place.run(&["lake", "files", lake]).stdout).unwrap();
    assert!(listed("lake").lines().count() > 3 && listed("lake").lines().all(|path| place.world.path(path).is_file()));
    let far_files = listed("s3://trail/lake");
    assert_eq!(far_files.lines().count(), listed("lake").lines().count());
    assert!(far_files.lines().all(|file| place.bucket.get(file.strip_prefix("s3://trail/").unwrap()).is_some()), "{far_files}");
    let copy = ddl(&["lake", "--location", "s3://copies/lake/"]);
    assert!(copy.contains("MapredParquetInputFormat") && copy.contains("LOCATION 's3://copies/lake/'"), "{copy}");
    assert_eq!(place.run(&["lake", "ddl", "lake"]).status.code(), Some(2));
    assert_eq!(place.run(&["lake", "ddl", "incident", "--location", "s3://x/y"]).status.code(), Some(2));
}
