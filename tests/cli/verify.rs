//! `verify` on a signed archive, intact and altered.

#[path = "../support/integrity/mod.rs"]
mod integrity;

use std::fs;

use integrity::{Signer, TRAIL, Trail, at, gunzip, gzip, hours, write};

use crate::world::{World, compare};

/// Runs on `honest` and `altered`.
pub const CASES: &[(&str, &[&str])] = &[
    ("verify-honest", &["verify", "honest", "--public-keys", "keys.json"]),
    (
        "verify-honest-json",
        &[
            "verify",
            "honest",
            "--public-keys",
            "keys.json",
            "--format",
            "json",
            "--since",
            "2026-03-02",
            "--until",
            "2026-03-03",
        ],
    ),
    ("verify-honest-without-keys", &["verify", "honest"]),
    ("verify-altered", &["verify", "altered", "--public-keys", "keys.json"]),
    (
        "verify-altered-json",
        &["verify", "altered", "--public-keys", "keys.json", "--format", "json", "--quiet"],
    ),
    (
        "verify-altered-csv",
        &["verify", "altered", "--public-keys", "keys.json", "--format", "csv", "--fail-on", "critical"],
    ),
    ("verify-altered-ndjson", &["verify", "altered", "--public-keys", "keys.json", "--format", "ndjson"]),
    ("verify-one-file", &["verify", "honest/last.json", "--public-keys", "keys.json"]),
    ("verify-no-keys-in-it", &["verify", "honest", "--public-keys", "empty.json"]),
    (
        "verify-other-keys",
        &["verify", "honest", "--public-keys", "other.json", "--format", "csv", "--fail-on", "low"],
    ),
    ("verify-keys-are-no-keys", &["verify", "honest", "--public-keys", "honest/last.json"]),
    ("verify-no-key-file", &["verify", "honest", "--public-keys", "no-such-file.json"]),
    ("verify-other-account", &["verify", "honest", "--account", "444455556666"]),
];

fn world() -> World {
    let world = World::new();
    let signer = Signer::aws();
    let mut writer = hours(Trail { prefix: "p/", ..TRAIL }, &signer, 3, 2);
    let soon = writer.log_file(at(3).plus_seconds(600));
    let mut objects = writer.objects.clone();
    let last = writer.chain[2].clone();
    write(&objects, &world.path("honest"));
    world.file("honest/last.json", &gunzip(&objects[&last].bytes));
    fs::remove_file(world.path("honest").join(&last)).unwrap();
    world.file("keys.json", signer.public_keys().as_bytes());
    world.file("other.json", Signer::other().public_keys().as_bytes());
    world.file("empty.json", b"{\"PublicKeyList\":[]}");
    let files: Vec<String> = objects.keys().filter(|key| key.contains("/CloudTrail/")).cloned().collect();
    objects.remove(&files[0]);
    objects.get_mut(&files[1]).unwrap().bytes = gzip(b"{\"Records\":[]}");
    objects.get_mut(&files[2]).unwrap().bytes.truncate(60);
    // Whoever adds a file chooses its name.
    let hostile = files[3].replace(".json.gz", "=1+1\u{202e}\u{1b}[2J.json.gz");
    objects.insert(hostile, objects[&files[3]].clone());
    objects.get_mut(&writer.chain[0]).unwrap().bytes = gzip(
        String::from_utf8(gunzip(&objects[&writer.chain[0]].bytes))
            .unwrap()
            .replace("eu-central-1", "=eu-central-1")
            .as_bytes(),
    );
    assert!(objects.contains_key(&soon));
    write(&objects, &world.path("altered"));
    world
}

#[test]
fn what_is_said_about_signed_archives() {
    if cfg!(not(feature = "signatures")) {
        // Public keys are refused then.
        return;
    }
    let world = world();
    compare(&world, CASES);
    assert_eq!(
        world.names(),
        ["altered", "empty.json", "honest", "keys.json", "other.json"],
        "a run wrote something that nobody asked for"
    );
}

/// 2 before 1 before 3 before 0.
#[test]
fn altered_evidence_fails_unless_somebody_says_otherwise() {
    let world = world();
    let codes = [
        (&["verify", "honest"][..], 0),
        (
            &["verify", "honest", "--public-keys", "keys.json"],
            if cfg!(feature = "signatures") { 0 } else { 2 },
        ),
        (&["verify", "honest", "--fail-on", "low"], 1),
        (&["verify", "altered"], 1),
        (&["verify", "altered", "--fail-on", "critical"], 1),
        (&["verify", "altered", "no-such-folder"], 2),
    ];
    for (args, code) in codes {
        assert_eq!(world.code(args), Some(code), "{args:?}");
    }
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let world = world();
    for format in ["table", "json", "ndjson", "csv"] {
        let run = |jobs: &str| world.run(&["verify", "altered", "--format", format, "--jobs", jobs]).stdout;
        let one = run("1");
        assert!(!one.is_empty());
        assert_eq!(run("8"), one, "{format}");
        assert_eq!(world.code(&["verify", "altered", "--format", format, "-o", "out"]), Some(1));
        assert_eq!(world.read("out").into_bytes(), one, "{format} -o");
    }
}

#[cfg(feature = "sql")]
#[test]
fn parquet_has_a_row_for_each_object() {
    let world = world();
    let rows =
        world.run(&["verify", "altered", "--format", "ndjson"]).stdout.split(|byte| *byte == b'\n').count()
            - 1;
    assert_eq!(world.code(&["verify", "altered", "--format", "parquet", "-o", "a.parquet"]), Some(1));
    let metadata =
        polars_parquet::read::read_metadata(&mut fs::File::open(world.path("a.parquet")).unwrap()).unwrap();
    let names: Vec<&str> = metadata.schema_descr.fields().iter().map(|field| field.name()).collect();
    assert_eq!((metadata.num_rows, names.len()), (rows, 8));
    let csv = world.run(&["verify", "altered", "--format", "csv"]).stdout;
    let heading = String::from_utf8(csv).unwrap().lines().next().unwrap().to_owned();
    assert_eq!(heading.split(',').collect::<Vec<_>>(), names);
}

/// Numbers of the coverage in a command's JSON.
fn numbers(world: &World, verb: &str, folder: &str) -> [u64; 6] {
    let output = world.run(&[verb, folder, "--format", "json", "-q"]);
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    [
        "objects_listed",
        "objects_read",
        "objects_skipped",
        "objects_failed",
        "bytes_compressed",
        "bytes_decompressed",
    ]
    .map(|name| said["coverage"][name].as_u64().unwrap_or_else(|| panic!("{name}: {said}")))
}

/// The coverage of `verify` for an archive is that of `detect`, plus the log digest files, which `detect`
/// does not read: every object and its bytes are counted once.
#[test]
fn the_numbers_at_the_head_are_those_of_detect() {
    let signer = Signer::aws();
    for (hours_told, files, broken) in [(1, 1, 0), (2, 3, 0), (3, 2, 1), (4, 2, 3), (2, 5, 4)] {
        let world = World::new();
        let mut objects = hours(Trail { prefix: "p/", ..TRAIL }, &signer, hours_told, files).objects;
        let (digest_files, log_files): (Vec<String>, Vec<String>) =
            objects.keys().cloned().partition(|key| key.contains("CloudTrail-Digest"));
        let altered: Vec<&String> = log_files.iter().step_by(2).take(broken).collect();
        altered.iter().for_each(|key| objects.get_mut(*key).unwrap().bytes.truncate(40));
        let stored = |keys: &[String]| keys.iter().map(|key| objects[key].bytes.len() as u64).sum::<u64>();
        let inflated =
            |keys: &[String]| keys.iter().map(|key| gunzip(&objects[key].bytes).len() as u64).sum::<u64>();
        let (beside, beside_inflated) = (stored(&digest_files), inflated(&digest_files));
        write(&objects, &world.path("trail"));
        let [listed, read, skipped, failed, bytes, text] = numbers(&world, "detect", "trail");
        assert_eq!((listed, read + skipped + failed), (objects.len() as u64, objects.len() as u64));
        assert_eq!((skipped, failed as usize), (digest_files.len() as u64, altered.len()));
        let verified = numbers(&world, "verify", "trail");
        assert_eq!(
            verified,
            [listed, read + skipped, 0, failed, bytes + beside, text + beside_inflated],
            "{hours_told} {files} {broken}"
        );
        // The page has the same numbers in words.
        let page = String::from_utf8(world.run(&["verify", "trail", "-q"]).stdout).unwrap();
        assert!(page.contains(&format!("{} of {listed} objects", read + skipped)), "{page}");
        assert_eq!(page.contains(&format!(", {failed} failed;")), failed > 0, "{page}");
    }
}

/// A log digest file is evidence, so output must not replace it.
#[test]
fn the_output_never_replaces_a_log_digest_file() {
    let world = world();
    let before = world.read("honest/last.json");
    assert_eq!(world.code(&["verify", "honest", "-o", "honest/last.json", "--format", "json"]), Some(2));
    assert_eq!(world.read("honest/last.json"), before);
}
