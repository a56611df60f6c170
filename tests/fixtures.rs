//! The committed fixtures are what their generator writes, and contain what their README says.
//!
//! `UPDATE_FIXTURES=1 cargo test --test fixtures` rewrites them. A file with the right content is not
//! changed, so that another version of the compressor makes no difference.

#[path = "support/fixtures/mod.rs"]
mod generator;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use flate2::{Compression, GzBuilder, read::MultiGzDecoder};
use generator::{File, readme};
use serde_json::Value;
use tagfall::decode::RawRecord;
use tagfall::model::{Action, Digest, Recognized};
use tagfall::recognize::Recognizer;

/// Generated once for all tests.
static FILES: LazyLock<Vec<File>> = LazyLock::new(generator::files);

const BYTES_MAX: u64 = 300 * 1024;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures")
}

fn updating() -> bool {
    std::env::var_os("UPDATE_FIXTURES").is_some_and(|value| value == "1")
}

/// The decompressed content of a committed file; `None` if it does not exist.
fn committed(path: &str) -> Option<String> {
    let bytes = std::fs::read(folder().join(path)).ok()?;
    if !path.ends_with(".gz") {
        return String::from_utf8(bytes).ok();
    }
    assert_eq!(
        &bytes[..10],
        &[0x1f, 0x8b, 8, 0, 0, 0, 0, 0, bytes[8], 255],
        "{path}: a time, a name or an operating system in the gzip header"
    );
    let mut text = String::new();
    MultiGzDecoder::new(&*bytes).read_to_string(&mut text).ok()?;
    Some(text)
}

fn write(file: &File) {
    let path = folder().join(&file.path);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut bytes = file.content.clone().into_bytes();
    if file.path.ends_with(".gz") {
        let mut encoder =
            GzBuilder::new().mtime(0).operating_system(255).write(Vec::new(), Compression::new(6));
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
    }
    std::fs::write(path, bytes).unwrap();
}

/// Every file below `fixtures/`, `/` between folders.
fn present() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![folder()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(next).into_iter().flatten() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => assert!(
                    found.insert(path.strip_prefix(folder()).unwrap().to_str().unwrap().replace('\\', "/"))
                ),
            }
        }
    }
    found
}

fn update(files: &[File]) {
    let wanted: BTreeSet<&str> = files.iter().map(|file| &*file.path).collect();
    for path in present() {
        let ours = path.starts_with("incident/") || path.starts_with("quiet/");
        if ours && !wanted.contains(&*path) {
            std::fs::remove_file(folder().join(path)).unwrap();
        }
    }
    files.iter().filter(|file| committed(&file.path).as_ref() != Some(&file.content)).for_each(write);
    let path = folder().join("README.md");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(path, readme::with_list(&text, files).expect("a place for the list")).unwrap();
}

#[test]
fn the_committed_files_are_what_the_generator_writes() {
    let files = &*FILES;
    if updating() {
        update(files);
    }
    let mut wanted: BTreeSet<String> = files.iter().map(|file| file.path.clone()).collect();
    for file in files {
        assert!(
            committed(&file.path).as_ref() == Some(&file.content),
            "{} is not what the generator writes: UPDATE_FIXTURES=1 rewrites it",
            file.path
        );
    }
    wanted.insert("README.md".to_owned());
    let others: Vec<String> =
        present().into_iter().filter(|path| !wanted.contains(path) && !path.starts_with("golden/")).collect();
    assert!(others.is_empty(), "files that nobody writes: {others:?}");
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    assert_eq!(readme::with_list(&text, files).as_deref(), Some(&*text), "the README's list of files");
}

#[test]
fn the_folder_stays_small() {
    let sizes =
        present().iter().map(|path| std::fs::metadata(folder().join(path)).unwrap().len()).sum::<u64>();
    assert!(sizes < BYTES_MAX, "{sizes} bytes");
}

/// Each record and native event of the fixtures, unsorted.
fn records(below: &str) -> Vec<Value> {
    let files = &*FILES;
    let contents = files.iter().filter(|file| file.path.starts_with(below)).map(|file| &file.content);
    contents.flat_map(|content| parse(content)).collect()
}

fn parse(content: &str) -> Vec<Value> {
    match serde_json::from_str::<Value>(content) {
        Ok(mut object) if object.get("Records").is_some() => {
            serde_json::from_value(object["Records"].take()).unwrap()
        }
        _ => content.lines().map(|line| serde_json::from_str(line).unwrap()).collect(),
    }
}

#[test]
fn every_manifest_hashes_to_its_digest() {
    let pushes: Vec<Value> =
        records("").into_iter().filter(|record| record["eventName"] == "PutImage").collect();
    assert!(pushes.len() > 15);
    for push in pushes {
        let manifest = push["requestParameters"]["imageManifest"].as_str().unwrap();
        let image = &push["responseElements"]["image"];
        if push.get("errorCode").is_none() {
            assert_eq!(image["imageId"]["imageDigest"], Digest::of_manifest(manifest).to_string());
            assert_eq!(image["imageManifest"], manifest);
        }
        let parsed: Value = serde_json::from_str(manifest).unwrap();
        assert_eq!(parsed["mediaType"], push["requestParameters"]["imageManifestMediaType"]);
    }
}

/// All account ids are reserved for documentation. Twelve digits at the end of a UUID are not an account id.
#[test]
fn no_account_is_anybodys() {
    for file in &*FILES {
        let text = format!("{} {}", file.path, file.content);
        for (at, run) in runs_of_digits(&text) {
            let (before, after) = (text[..at].chars().next_back(), text[at + run.len()..].chars().next());
            let alone = !before.is_some_and(|char| char.is_ascii_alphanumeric() || char == '-')
                && !after.is_some_and(|char| char.is_ascii_alphanumeric());
            assert!(
                run.len() != 12 || !alone || ["111122223333", "444455556666"].contains(&run),
                "{}: {run}",
                file.path
            );
        }
    }
}

fn runs_of_digits(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    text.split(|char: char| !char.is_ascii_digit()).filter_map(move |run| {
        let start = at;
        // What splits is one character; its length is that of the text between.
        at = start + run.len() + text[start + run.len()..].chars().next().map_or(0, char::len_utf8);
        (!run.is_empty()).then_some((start, run))
    })
}

#[test]
fn keys_are_cloudtrails_and_records_arrive_late_shuffled_and_twice() {
    let (mut unordered, mut ids, mut copies) = (0, BTreeSet::new(), 0);
    for file in FILES.iter().filter(|file| file.path.ends_with(".gz")) {
        let name = file.path.rsplit('/').next().unwrap();
        let delivered = name.split('_').nth(3).unwrap();
        let times: Vec<String> = parse(&file.content)
            .iter()
            .map(|record| record["eventTime"].as_str().unwrap().replace(['-', ':'], ""))
            .collect();
        assert!(
            times.iter().all(|time| time[..13] <= delivered[..13]),
            "{name} holds an event from after its delivery"
        );
        assert!(file.path.contains(&format!(
            "/{}/{}/{}/",
            &delivered[..4],
            &delivered[4..6],
            &delivered[6..8]
        )));
        unordered += usize::from(!times.is_sorted());
        for record in parse(&file.content) {
            copies += usize::from(!ids.insert(record["eventID"].to_string()));
        }
    }
    assert!(unordered > 10, "{unordered} files are not in the order of time");
    assert_eq!(copies, 2);
}

/// What a record means, in one line: `time name meaning`.
fn meanings(below: &str, repository: &str) -> Vec<String> {
    let mut recognizer = Recognizer::default();
    let mut lines = BTreeSet::new();
    for record in records(below) {
        let json = record.to_string();
        let raw = RawRecord { index: 0, json: &json, native: record.get("detail-type").is_some() };
        let line = recognizer
            .recognize(raw, |found| line(&found, repository))
            .unwrap_or_else(|error| panic!("{error}: {json}"));
        lines.extend(line.flatten());
    }
    lines.into_iter().collect()
}

fn line(found: &Recognized<'_>, repository: &str) -> Option<String> {
    if found.repository.as_ref().is_some_and(|found| found.name != repository) {
        return None;
    }
    let short = |digest: &Digest| digest.short().split_off("sha256:".len());
    let what = match &found.action {
        Action::Push(push) => format!("push {} {}", push.tag.as_deref().unwrap_or("-"), short(&push.digest)),
        Action::PushFailed(refusal) => format!("refused {} {}", refusal.tag.as_deref()?, refusal.code),
        Action::PolicyRun(run) => {
            format!("run {:?}", run.images.iter().map(|image| short(&image.digest)).collect::<Vec<_>>())
        }
        Action::Pull { images, .. } => {
            format!(
                "pull {}",
                images[0].digest.as_ref().map_or_else(|| images[0].tag.clone().unwrap().into_owned(), short)
            )
        }
        Action::Run { definition, deploys, .. } => {
            format!("run {} {deploys}", definition.as_deref()?.rsplit('/').next()?)
        }
        Action::TaskState { reason, images, .. } => {
            format!(
                "stopped {} {}",
                short(images[0].reference.as_ref()?.digest.as_ref()?),
                &reason.as_deref()?[..24]
            )
        }
        _ => return None,
    };
    Some(format!("{} {what}", found.event.time))
}

/// The records tell the story of the incident.
#[test]
fn the_incident_is_in_its_records() {
    let lost = generator::incident_images().0.short().split_off("sha256:".len());
    let kept = generator::incident_images().1.short().split_off("sha256:".len());
    let story = meanings("incident/", "shop/checkout");
    let steps = [
        "2026-03-02T13:40:46Z run checkout:118 true".to_owned(),
        format!("2026-03-02T13:41:07Z push release-2026.03.02 {lost}"),
        "2026-03-02T13:41:12Z pull release-2026.03.02".to_owned(),
        format!("2026-03-02T13:41:13Z pull {lost}"),
        format!("2026-03-02T13:41:16Z push release-2026.03.02 {kept}"),
        format!("2026-03-08T20:15:03Z pull {lost}"),
        "2026-03-09T04:49:31Z run []".to_owned(),
        format!("2026-03-10T02:26:40Z run [\"{lost}\"]"),
        "2026-03-24T09:14:12Z run checkout:118 false".to_owned(),
        format!("2026-03-24T09:14:51Z pull {lost}"),
        format!("2026-03-24T09:15:20Z stopped {lost} CannotPullContainerError"),
        "2026-03-24T10:02:18Z run checkout:118 true".to_owned(),
        format!("2026-03-24T10:02:58Z pull {kept}"),
    ];
    let mut rest = story.iter();
    for step in &steps {
        assert!(
            rest.any(|line| line == step),
            "{step} is missing, or out of order, in:\n{}",
            story.join("\n")
        );
    }
    assert_eq!(story.iter().filter(|line| line.ends_with(&format!("pull {lost}"))).count(), 11);
}

#[test]
fn the_readme_names_the_digests_of_the_incident() {
    let text = std::fs::read_to_string(folder().join("README.md")).unwrap();
    let (lost, kept) = generator::incident_images();
    assert!(text.contains(&lost.to_string()) && text.contains(&kept.to_string()), "{lost} {kept}");
}

/// No image that the quiet account loses is requested afterwards.
#[test]
fn the_quiet_account_loses_nothing_that_is_needed() {
    let nights = meanings("quiet/", "tools/ci-image");
    let taken: Vec<&String> = nights.iter().filter(|line| line.contains(" run [\"")).collect();
    assert_eq!(taken.len(), 5, "{nights:?}");
    for line in taken {
        let (time, digest) = (line.split_once(' ').unwrap().0, line.split('"').nth(1).unwrap());
        assert!(!nights.iter().any(|other| other.contains(&format!("pull {digest}")) && &other[..20] > time));
    }
    for repository in ["web/frontend", "web/api", "web/worker", "web/search"] {
        let lines = meanings("quiet/", repository);
        assert!(!lines.iter().any(|line| line.contains(" run [\"")), "{repository}: {lines:?}");
        assert!(lines.iter().any(|line| line.contains(" push ")), "{repository}: {lines:?}");
    }
}
