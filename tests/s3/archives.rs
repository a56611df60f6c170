//! Zip and tar archives in a bucket and a folder: their members are named, pruned and added to a lake like
//! objects.

use crate::s3;
use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use s3::{Memory, Server};
use serde_json::Value;

/// The objects of the incident by key.
fn objects() -> Vec<(String, Vec<u8>)> {
    fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() { walk(&entry, found) } else { found.push(entry) }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident");
    let mut paths = Vec::new();
    walk(&root.join("AWSLogs"), &mut paths);
    paths.sort();
    paths
        .iter()
        .map(|path| (path.strip_prefix(&root).unwrap().to_str().unwrap().to_owned(), fs::read(path).unwrap()))
        .collect()
}

fn zipped(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(name.as_str(), zip::write::SimpleFileOptions::default()).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn tar_gz(members: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    for (name, bytes) in members {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

struct World {
    bucket: Arc<Memory>,
    server: Server,
}

impl World {
    fn holding(objects: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        let bucket = Arc::new(Memory::new("trail", objects));
        let server = Server::memory(&bucket);
        Self { bucket, server }
    }

    /// Exit code and JSON output.
    fn run(&self, arguments: &[&str]) -> (Option<i32>, Value) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tagfall"));
        command.args(arguments).arg("-q");
        let output = s3::point(&mut command, &self.server.endpoint()).output().unwrap();
        let said = serde_json::from_slice(&output.stdout)
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&output.stderr).into_owned()));
        (output.status.code(), said)
    }

    fn detect(&self, options: &[&str]) -> (Option<i32>, Value) {
        self.run(&[&["detect", "s3://trail", "--format", "json"], options].concat())
    }
}

fn number(said: &Value, name: &str) -> u64 {
    said["coverage"][name].as_u64().unwrap_or_else(|| panic!("{said}"))
}

fn kinds(said: &Value) -> Vec<&str> {
    said["findings"].as_array().unwrap().iter().map(|finding| finding["kind"].as_str().unwrap()).collect()
}

#[test]
fn members_in_a_bucket_are_named_and_pruned_as_keys_are() {
    let objects = objects();
    let plain = World::holding(objects.clone()).detect(&[]);
    assert_eq!(plain.0, Some(0));
    for (name, bytes) in [("export/logs.zip", zipped(&objects)), ("export/logs.tar.gz", tar_gz(&objects))] {
        let world = World::holding([(name.to_owned(), bytes)]);
        let (code, said) = world.detect(&[]);
        assert_eq!(
            (code, number(&said, "records"), kinds(&said)),
            (Some(0), number(&plain.1, "records"), kinds(&plain.1)),
            "{name}"
        );
        assert_eq!(
            number(&said, "objects_listed"),
            objects.len() as u64 + 1,
            "the archive, and what is in it"
        );
        let evidence = said["findings"][0]["second_push"]["object"].as_str().unwrap();
        assert!(evidence.contains(&format!("{name}!AWSLogs/")), "{evidence}");
        // Members are selected by name, and others are not decompressed.
        for options in
            [&["--account", "999999999999"][..], &["--region", "xx-none-1"], &["--since", "2031-01-01"]]
        {
            let (pruned, of_keys) = (world.detect(options), World::holding(objects.clone()).detect(options));
            assert_eq!(pruned.0, of_keys.0, "{name} {options:?}: {}", pruned.1);
            assert!(
                pruned.1.is_string() || number(&pruned.1, "records") < number(&said, "records"),
                "{name} {options:?}: {}",
                pruned.1
            );
        }
        assert!(world.bucket.gets().iter().all(|key| key == name), "one GET, of the whole archive");
    }
}

/// An archive is read once, whatever it contains: the second run adds and fetches nothing.
#[test]
fn a_lake_takes_an_archive_once() {
    let objects = objects();
    let (one, two) = objects.split_at(objects.len() / 2);
    let world = World::holding([("a.zip".to_owned(), zipped(one)), ("b.tar.gz".to_owned(), tar_gz(two))]);
    let folder = tempfile::tempdir().unwrap();
    let lake = folder.path().join("lake").to_str().unwrap().to_owned();
    let ingest = || world.run(&["ingest", "s3://trail", "--lake", &lake]).0;
    let count = || {
        let (code, said) = world.run(&[
            "query",
            "SELECT count(*) AS n, count(DISTINCT object) AS objects FROM events",
            &lake,
            "--format",
            "json",
        ]);
        assert_eq!(code, Some(0), "{said}");
        said["rows"][0].clone()
    };
    assert_eq!(ingest(), Some(0));
    let first = count();
    assert!(first["objects"].as_u64().is_some_and(|objects| objects > 4), "{first}");
    let gets = world.bucket.gets().len();
    assert_eq!(ingest(), Some(0));
    assert_eq!(
        (count(), world.bucket.gets().len()),
        (first.clone(), gets),
        "known archives are not fetched again"
    );
    // The same objects in another archive are duplicates.
    world.bucket.put("c.zip", zipped(&objects));
    assert_eq!(ingest(), Some(0));
    assert_eq!(count()["n"], first["n"]);
    let (archive, lake) = (world.detect(&[]).1, world.run(&["detect", &lake, "--format", "json"]).1);
    assert_eq!(archive["findings"], lake["findings"]);
    // The same from a folder.
    let source = folder.path().join("source");
    fs::create_dir(&source).unwrap();
    fs::write(source.join("a.zip"), zipped(&objects)).unwrap();
    let (source, other) =
        (source.to_str().unwrap(), folder.path().join("other").to_str().unwrap().to_owned());
    for _ in 0..2 {
        assert_eq!(world.run(&["ingest", source, "--lake", &other]).0, Some(0));
        let said = world.run(&["query", "SELECT count(*) AS n FROM events", &other, "--format", "json"]).1;
        assert_eq!(said["rows"][0]["n"], first["n"]);
    }
}

/// Once, an archive larger than the memory was refused. A member that is not a log fails alone.
#[test]
fn an_archive_in_a_bucket_that_is_larger_than_the_memory_is_read() {
    let objects = objects();
    let mut large = objects.clone();
    // Incompressible bytes.
    let mut state = 1_u64;
    let noise = std::iter::repeat_with(|| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    });
    large.push(("AWSLogs/noise.bin".to_owned(), noise.take(70 << 20).collect()));
    let world = World::holding([
        ("a/large.zip".to_owned(), zipped(&large)),
        ("b/logs.zip".to_owned(), zipped(&objects)),
    ]);
    let (code, said) = world.detect(&["--max-memory", "64MiB"]);
    assert_eq!((code, number(&said, "objects_failed")), (Some(3), 1), "{}", said["coverage"]);
    let failure = &said["coverage"]["failures"][0];
    assert!(failure["object"].as_str().unwrap().ends_with("large.zip!AWSLogs/noise.bin"), "{failure}");
    let alone = World::holding([("b/logs.zip".to_owned(), zipped(&objects))]).detect(&[]).1;
    assert_eq!(
        (number(&said, "records"), number(&said, "records_duplicate")),
        (2 * number(&alone, "records"), number(&alone, "records") + number(&alone, "records_duplicate"))
    );
    assert_eq!(kinds(&said), kinds(&alone));
}
