//! A lake next to foreign files, and a damaged lake: nothing foreign is destroyed, nothing missing goes
//! unnoticed, and damage is reported with the file's name and never gives other findings.

use crate::support;
use crate::world;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::{files, json, ok};
use world::World;

fn case(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lake_cases").join(name)
}

/// A world with a case in the folder `in`.
fn with_case(name: &str) -> World {
    let world = World::new();
    let from = case(name);
    if from.is_dir() {
        world.copy(&from, "in")
    } else {
        world.file("in/a.json", &fs::read(from).unwrap())
    }
    world
}

/// A world with the incident, and a lake of it.
fn with_lake() -> World {
    let world = World::new();
    world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), "logs");
    ok(&world, &["ingest", "logs", "--lake", "lake"]);
    world
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn parquet(folder: &Path) -> Vec<PathBuf> {
    files(folder)
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .collect()
}

fn count(world: &World, source: &str) -> String {
    String::from_utf8(
        world.run(&["query", "SELECT count(*) FROM events", source, "-q", "--format", "csv"]).stdout,
    )
    .unwrap()
}

/// The same records with other ids.
fn with_ids(text: &str, id: &str) -> String {
    let mut value: Value = serde_json::from_str(text).unwrap();
    for record in value["Records"].as_array_mut().unwrap() {
        let other = format!("{id:0>8}{}", &record["eventID"].as_str().unwrap()[8..]);
        record["eventID"] = other.into();
    }
    value.to_string()
}

#[test]
fn nested_lake_deleted() {
    let world = with_case("pair");
    world.file("one/a.json", &fs::read(case("eight.json")).unwrap());
    ok(&world, &["ingest", "one", "--lake", "prod"]);
    ok(&world, &["ingest", "in", "--lake", "prod/team"]);
    let mine = parquet(&world.path("prod/account=111122223333"));
    for path in &mine {
        let copy = world.path("prod/backup").join(path.strip_prefix(world.path("prod")).unwrap());
        fs::create_dir_all(copy.parent().unwrap()).unwrap();
        fs::copy(path, copy).unwrap();
    }
    let before = parquet(&world.path("prod"));
    assert!(before.len() > 3);
    ok(&world, &["ingest", "one", "--lake", "prod"]);
    ok(&world, &["ingest", "in", "--lake", "prod"]);
    let after = parquet(&world.path("prod"));
    assert!(before.iter().filter(|path| !mine.contains(path)).all(|path| after.contains(path)));
    assert_eq!(count(&world, "prod/team"), count(&world, "in"));
}

/// A foreign manifest with a file name that leads out of the lake: once, the next `ingest` deleted that file.
#[test]
fn a_name_that_leads_out_of_the_lake_is_refused_by_all() {
    let world = with_lake();
    world.file("victim/000001-00001.parquet", b"mine");
    let text = fs::read_to_string(case("lake-swap/_tagfall/manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_str(&text).unwrap();
    manifest["files"][0]["name"] = "../../../../victim/000001-00001.parquet".into();
    for name in ["manifest.json", "manifest.copy.json", "manifest.previous.json"] {
        fs::write(world.path("lake/_tagfall").join(name), manifest.to_string()).unwrap();
    }
    world.file("more/a.json", &fs::read(case("eight.json")).unwrap());
    for args in [&["ingest", "more", "--lake", "lake"][..], &["detect", "lake"], &["lake", "check", "lake"]] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(
            said(&output).contains("names files that are none of a lake's"),
            "{args:?}: {}",
            said(&output)
        );
    }
    assert_eq!(world.read("victim/000001-00001.parquet"), "mine");
}

/// `_tagfall/staging` as a link to a folder: once, the next `ingest` deleted all files in it.
#[cfg(unix)]
#[test]
fn a_link_inside_of_a_lake_is_not_followed() {
    use std::os::unix::fs::symlink;
    for folder in ["staging", "spill", "objects", "replaced"] {
        let world = with_lake();
        for name in
            ["thesis.txt", "000001-00001.parquet", "7.rows", "000009.ndjson.gz", "000001-00001.parquet.old"]
        {
            world.file(&format!("victim/{name}"), b"mine");
        }
        let _ = fs::remove_dir_all(world.path("lake/_tagfall").join(folder));
        symlink(world.path("victim"), world.path("lake/_tagfall").join(folder)).unwrap();
        world.file("more/a.json", &fs::read(case("eight.json")).unwrap());
        let output = world.run(&["ingest", "more", "--lake", "lake"]);
        assert!(matches!(output.status.code(), Some(2 | 3)), "{folder}: {}", said(&output));
        assert!(
            said(&output).contains("links inside of a lake are not followed"),
            "{folder}: {}",
            said(&output)
        );
        assert!(
            files(&world.path("victim")).iter().all(|path| fs::read(path).unwrap() == b"mine")
                && files(&world.path("victim")).len() == 5
        );
    }
}

#[test]
fn output_over_lake() {
    let world = with_lake();
    let day =
        parquet(&world.path("lake"))[0].strip_prefix(world.path("")).unwrap().to_str().unwrap().to_owned();
    let before: Vec<_> =
        files(&world.path("lake")).into_iter().map(|path| (fs::read(&path).unwrap(), path)).collect();
    let inside = [
        "lake/_tagfall/manifest.json",
        "lake/_tagfall/objects/000001.ndjson.gz",
        "lake/_tagfall/new.json",
        "lake/x.parquet",
        &day,
    ];
    for onto in inside {
        let output =
            world.run(&["query", "SELECT 1 x FROM events", "lake", "--format", "parquet", "-o", onto]);
        assert_eq!(output.status.code(), Some(2), "{onto}: {}", said(&output));
        // That a file contains records is reported first.
        let reason = if onto == day { "the file contains CloudTrail records" } else { "it is in a lake" };
        assert!(said(&output).contains(reason), "{}", said(&output));
    }
    assert!(before.iter().all(|(bytes, path)| fs::read(path).unwrap() == *bytes));
    assert_eq!(files(&world.path("lake")).len(), before.len());
    ok(&world, &["detect", "lake", "-o", "lake/findings.txt"]);
}

#[test]
fn output_over_a_log_whose_first_record_is_large_or_over_an_input() {
    let world = with_lake();
    let mut big = Vec::new();
    let packed = fs::read(case("big.json.gz")).unwrap();
    std::io::Read::read_to_end(&mut flate2::read::MultiGzDecoder::new(packed.as_slice()), &mut big).unwrap();
    assert!(big.len() > 4 << 20);
    world.file("big.json", &big);
    world.file("policy.json", br#"{"rules":[{"rulePriority":1,"selection":{"tagStatus":"untagged","countType":"imageCountMoreThan","countNumber":1},"action":{"type":"expire"}}]}"#);
    world.file("empty.json", b"");
    world.code(&["detect", "logs", "--known", "known.json", "-q"]);
    let known = world.read("known.json");
    let onto_policy =
        ["whatif", "--policy", "policy.json", "logs", "--format", "json", "-q", "-o", "policy.json"];
    for (args, why) in [
        (&["detect", "logs", "--format", "json", "-q", "-o", "big.json"][..], "contains CloudTrail records"),
        (&onto_policy, "this run reads it"),
        (&["detect", "logs", "--known", "known.json", "-q", "-o", "known.json"], "the same file"),
        (&["timeline", "logs", "-q", "-o", "known.json"], "it is a file of --known"),
        (&["detect", "logs", "empty.json", "-q", "-o", "empty.json"], "this run reads it"),
    ] {
        let output = world.run(args);
        assert_eq!(output.status.code(), Some(2), "{args:?}: {}", said(&output));
        assert!(said(&output).contains(why), "{args:?}: {}", said(&output));
    }
    assert!(
        fs::read(world.path("big.json")).unwrap() == big
            && world.read("policy.json").starts_with("{\"rules\"")
            && world.read("empty.json").is_empty()
            && world.read("known.json") == known
    );
    // The program's own output may be replaced.
    for _ in 0..2 {
        ok(&world, &["timeline", "logs", "--format", "json", "-q", "-o", "out.json"]);
    }
}

#[cfg(unix)]
#[test]
fn missed_by_name() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::time::{Duration, UNIX_EPOCH};
    let world = World::new();
    let text = fs::read_to_string(case("eight.json")).unwrap();
    let write = |name: &[u8], text: &str| {
        let path = world.path("in").join(OsStr::from_bytes(name));
        fs::create_dir_all(world.path("in")).unwrap();
        fs::write(&path, text).unwrap();
        fs::File::options()
            .write(true)
            .open(&path)
            .unwrap()
            .set_modified(UNIX_EPOCH + Duration::from_secs(1_000))
            .unwrap();
    };
    let (one, other) = (with_ids(&text, "66666666"), with_ids(&text, "77777777"));
    write(b"x\xff.json", &one);
    ok(&world, &["ingest", "in", "--lake", "l"]);
    write(b"x\xfe.json", &other);
    ok(&world, &["ingest", "in", "--lake", "l"]);
    assert_eq!(count(&world, "l"), count(&world, "in"));
    assert_ne!(count(&world, "l"), count(&world, "in/x\u{fffd}.json"));
    let again = ok(&world, &["ingest", "in", "--lake", "l"]);
    assert!(again.contains("read 0 objects (2 known)"), "{again}");
    // Another content with the same size and time, as after a restore or `rsync -t`.
    write(b"x\xff.json", &with_ids(&text, "88888888"));
    let changed = ok(&world, &["ingest", "in", "--lake", "l"]);
    assert!(changed.contains("read 1 object (1 known)"), "{changed}");
}

#[test]
fn lake_inside_source() {
    let world = with_case("eight.json");
    for lake in ["in/lake", "in/a/b/../lake", "./in/../in/lake", "in"] {
        let output = world.run(&["ingest", "in", "--lake", lake]);
        assert_eq!(output.status.code(), Some(2), "{lake}: {}", said(&output));
        assert!(said(&output).contains("the lake is inside it"), "{lake}: {}", said(&output));
    }
    assert_eq!(files(&world.path("in")).len(), 1);
    ok(&world, &["ingest", "in", "--lake", "in-lake"]);
}

#[test]
fn lake_failed_cap() {
    let world = with_case("numbers.json");
    let archive = world.run(&["detect", "in", "--format", "json"]);
    assert_eq!(world.run(&["ingest", "in", "--lake", "lake"]).status.code(), Some(3));
    let lake = world.run(&["detect", "lake", "--format", "json"]);
    let failed = |output: &Output| {
        serde_json::from_slice::<Value>(&output.stdout).unwrap()["coverage"]["records_failed"].as_u64()
    };
    assert_eq!((failed(&archive), failed(&lake)), (Some(5_000), Some(5_000)));
}

/// Once, a reader that began before a commit failed because files were removed: "No such file or directory".
#[test]
fn read_while_committing() {
    let world = World::new();
    let text = fs::read_to_string(case("eight.json")).unwrap();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for number in 0..12 {
                world.file(&format!("in/{number}.json"), with_ids(&text, &number.to_string()).as_bytes());
                assert!(matches!(
                    world.run(&["ingest", "in", "--lake", "lake", "-q"]).status.code(),
                    Some(0)
                ));
            }
        });
        let mut reads = 0;
        while !writer.is_finished() {
            if world.path("lake/_tagfall/manifest.json").exists() {
                let output =
                    world.run(&["query", "SELECT count(*) FROM events", "lake", "-q", "--format", "csv"]);
                assert_eq!(output.status.code(), Some(0), "{}", said(&output));
                reads += 1;
            }
        }
        assert!(reads > 3, "{reads}");
    });
    // The next run removes what nobody reads any more.
    ok(&world, &["ingest", "in", "--lake", "lake"]);
    // One file for the day, and those of the previous commit.
    assert_eq!(parquet(&world.path("lake")).len(), parquet(&world.path("lake/account=111122223333")).len());
    assert!(files(&world.path("lake/_tagfall/replaced")).len() <= 2);
}

/// A lake of the first version: sizes and row counts are compared with the manifest.
#[test]
fn lake_swap() {
    let world = with_case("lake-swap");
    let sql = "SELECT count(*) FROM cloudtrail_logs";
    let output =
        world.run(&["query", sql, "--since", "2026-03-09", "--until", "2026-03-10", "in", "--format", "csv"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("date=2026-03-09"), "{}", said(&output));
}

/// Exchanged files of the same size and number of rows.
#[test]
fn exchanged_files_are_noticed_however_alike_they_are() {
    let world = World::new();
    let text = fs::read_to_string(case("eight.json")).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    for day in [2, 3] {
        let mut record = value["Records"][0].clone();
        record["eventTime"] = format!("2026-03-0{day}T10:00:00Z").into();
        record["eventID"] = format!("{day}0000000-0000-4000-8000-000000000000").into();
        world.file(
            &format!("in/{day}.json"),
            serde_json::json!({ "Records": [record] }).to_string().as_bytes(),
        );
    }
    ok(&world, &["ingest", "in", "--lake", "lake"]);
    let days = parquet(&world.path("lake"));
    let (one, other) = (fs::read(&days[0]).unwrap(), fs::read(&days[1]).unwrap());
    assert_eq!((days.len(), one.len()), (2, other.len()));
    fs::write(&days[0], &other).unwrap();
    fs::write(&days[1], &one).unwrap();
    let output = world.run(&["query", "SELECT count(*) FROM cloudtrail_logs", "lake"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
}

#[test]
fn lake_panic() {
    for name in ["lake-182-4", "lake-19868-6", "lake-34620-3"] {
        let world = with_case(&format!("lake-panic/{name}"));
        for verb in [
            &["detect"][..],
            &["timeline"],
            &["query", "SELECT * FROM events"],
            &["query", "SELECT eventname, count(*) FROM events GROUP BY 1"],
        ] {
            let output = world.run(&[verb, &["in"]].concat());
            assert!(
                matches!(output.status.code(), Some(0 | 3)),
                "{name} {verb:?}: {:?} {}",
                output.status,
                said(&output)
            );
            assert!(!said(&output).contains("panicked"), "{}", said(&output));
        }
        let output = world.run(&["detect", "in"]);
        assert_eq!(output.status.code(), Some(3), "{name}");
        assert!(String::from_utf8_lossy(&output.stdout).contains(".parquet"), "{name}");
        let checked = world.run(&["lake", "check", "in"]);
        assert_eq!(checked.status.code(), Some(3), "{}", said(&checked));
    }
}

/// Lakes of the first version have no checksums: readable files are read, and `repair` adds checksums.
#[test]
fn a_lake_of_the_first_version_is_read_and_gets_checksums() {
    let world = with_case("lake-bit-flip");
    let warnings = || json(&world, &["detect", "in"])["coverage"]["warnings"].to_string();
    assert!(warnings().contains("damage there cannot be told"), "{}", warnings());
    let before = count(&world, "in");
    let checked = world.run(&["lake", "check", "in", "--format", "json"]);
    let report: Value = serde_json::from_slice(&checked.stdout).unwrap();
    assert!(report["without_checksums"].as_u64().unwrap() > 5, "{report}");
    // Without its archives it is unknown whether they were damaged before, which is reported from then on.
    let output = world.run(&["lake", "repair", "in"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("taken over as they are"), "{}", said(&output));
    let report = json(&world, &["lake", "check", "in"]);
    assert_eq!(
        (report["without_checksums"].as_u64(), report["damaged"].as_array().unwrap().len()),
        (Some(0), 0),
        "{report}"
    );
    assert!(report["taken_over"].as_u64().unwrap() > 100, "{report}");
    assert_eq!(count(&world, "in"), before);
    assert!(
        warnings().contains("taken over from files of an earlier version without checksums"),
        "{}",
        warnings()
    );
}

/// Once, after a flipped bit in a file without checksums had changed a digest, `repair` added checksums, and
/// the file counted as intact.
#[test]
fn what_has_no_checksums_is_read_again_from_the_archives() {
    for taken_over_first in [false, true] {
        let world = with_case("lake-bit-flip");
        // It was made from an archive on another machine, in another place.
        let archive = "src/i";
        world.copy(&Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/incident"), archive);
        for segment in files(&world.path("in/_tagfall/objects")) {
            let mut text = String::new();
            let packed = fs::read(&segment).unwrap();
            std::io::Read::read_to_string(
                &mut flate2::read::MultiGzDecoder::new(packed.as_slice()),
                &mut text,
            )
            .unwrap();
            let here = fs::canonicalize(world.path("src")).unwrap();
            let mut gzip = flate2::write::GzEncoder::new(
                fs::File::create(&segment).unwrap(),
                flate2::Compression::fast(),
            );
            std::io::Write::write_all(
                &mut gzip,
                text.replace("/tmp/attack/lk/src", here.to_str().unwrap()).as_bytes(),
            )
            .unwrap();
            gzip.finish().unwrap();
        }
        let told = |source: &str| {
            let findings = json(&world, &["detect", source])["findings"].clone();
            let findings = findings.as_array().unwrap();
            findings
                .iter()
                .map(|finding| (finding["id"].to_string(), finding["lost"]["digest"].to_string()))
                .collect::<Vec<_>>()
        };
        assert_ne!(told("in"), told(archive), "the case is one");
        if taken_over_first {
            assert_eq!(world.code(&["lake", "repair", "in"]), Some(3));
            assert_ne!(told("in"), told(archive));
        }
        let output = world.run(&["lake", "repair", "in", archive]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert_eq!(told("in"), told(archive));
        let report = json(&world, &["lake", "check", "in"]);
        assert_eq!(
            (report["taken_over"].as_u64(), report["without_checksums"].as_u64()),
            (Some(0), Some(0)),
            "{report}"
        );
        assert_eq!(count(&world, "in"), count(&world, archive));
        assert!(
            !json(&world, &["detect", "in"])["coverage"]["warnings"].to_string().contains("earlier version")
        );
    }
}

/// A foreign lake: once, a file that is too large for the memory ended the process.
#[cfg(unix)]
#[test]
fn files_of_a_lake_that_have_no_end_are_refused() {
    let world = with_lake();
    let folder = world.path("lake/_tagfall");
    let segment = fs::read_dir(folder.join("objects")).unwrap().next().unwrap().unwrap().path();
    let parquet = files(&world.path("lake"))
        .into_iter()
        .find(|path| path.extension().is_some_and(|extension| extension == "parquet"))
        .unwrap();
    for (file, codes) in [
        (segment, [Some(0), Some(3)]),
        (parquet, [Some(3), Some(3)]),
        (folder.join("manifest.json"), [Some(3), Some(2)]),
    ] {
        let before = fs::read(&file).unwrap();
        // The largest size that the file system supports.
        let grown = [1_u64 << 50, 1 << 43, 1 << 40]
            .into_iter()
            .any(|size| fs::File::options().write(true).open(&file).unwrap().set_len(size).is_ok());
        assert!(grown);
        for args in
            [&["detect", "lake", "-q"][..], &["lake", "check", "lake"], &["ingest", "logs", "--lake", "lake"]]
        {
            let output = world.run(args);
            let code = output.status.code();
            // Events of other days do not need the file.
            assert!(
                codes.contains(&code) || matches!(code, Some(0 | 3) if args[0] == "ingest"),
                "{args:?} with {}: {code:?} {}",
                file.display(),
                said(&output)
            );
        }
        fs::write(&file, before).unwrap();
    }
}

/// The outputs of all commands for the lake.
fn told(world: &World) -> Vec<(Option<i32>, String)> {
    let verbs = [
        &["timeline", "lake", "--format", "json"][..],
        &["query", "SELECT * FROM events", "lake", "--format", "csv"],
    ];
    verbs
        .iter()
        .map(|args| world.run(args))
        .map(|output| (output.status.code(), String::from_utf8_lossy(&output.stdout).into_owned()))
        .collect()
}

/// Flips bits all over the lake, one at a time: the output is that of the undamaged lake, or exit code 3 with
/// the name of a file.
#[test]
fn a_flipped_bit_anywhere_changes_nothing_or_is_told() {
    let world = with_lake();
    let undamaged = told(&world);
    assert!(undamaged.iter().all(|(code, out)| *code == Some(0) && !out.is_empty()));
    let all: Vec<(PathBuf, Vec<u8>)> =
        files(&world.path("lake")).into_iter().map(|path| (path.clone(), fs::read(&path).unwrap())).collect();
    let total: usize = all.iter().map(|(_, bytes)| bytes.len()).sum();
    let flips = std::env::var("FLIPS").ok().and_then(|flips| flips.parse().ok()).unwrap_or(30);
    let mut seed: u64 = std::env::var("SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(19);
    let (mut noticed, mut harmless) = (0, 0);
    for flip in 0..flips {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        // Every other time, small files are hit as often as large ones.
        let (file, at) = if flip % 2 == 0 {
            let mut at = usize::try_from(seed >> 20).unwrap() % total;
            let mut file = 0;
            while at >= all[file].1.len() {
                at -= all[file].1.len();
                file += 1;
            }
            (file, at)
        } else {
            let file = usize::try_from(seed >> 20).unwrap() % all.len();
            (file, usize::try_from(seed >> 30).unwrap() % all[file].1.len().max(1))
        };
        let (path, bytes) = &all[file];
        if bytes.is_empty() {
            continue;
        }
        let mut flipped = bytes.clone();
        flipped[at] ^= 1 << (seed >> 17 & 7);
        fs::write(path, &flipped).unwrap();
        for ((code, out), (_, expected)) in told(&world).iter().zip(&undamaged) {
            let what = format!("flip {flip}: bit {} of byte {at} of {}", seed >> 17 & 7, path.display());
            match code {
                Some(0) => assert!(out == expected, "{what}: other output, and not a word"),
                Some(3) => noticed += 1,
                other => panic!("{what}: exit code {other:?}"),
            }
            harmless += usize::from(*code == Some(0));
        }
        fs::write(path, bytes).unwrap();
    }
    eprintln!("{noticed} noticed, {harmless} without effect");
    assert!(noticed > flips / 3);
    assert_eq!(told(&world), undamaged);
}

#[test]
fn a_manifest_that_is_damaged_edited_or_gone_is_told_and_its_copy_read() {
    let world = with_lake();
    let whole = world.run(&["query", "SELECT * FROM events", "lake", "--format", "csv"]).stdout;
    let path = world.path("lake/_tagfall/manifest.json");
    let text = fs::read_to_string(&path).unwrap();
    let mut fewer: Value = serde_json::from_str(&text).unwrap();
    fewer["files"].as_array_mut().unwrap().pop();
    for damage in
        [Some(fewer.to_string()), Some(String::new()), Some(text.replace("\"rows\":", "\"rows\":1")), None]
    {
        match &damage {
            Some(text) => fs::write(&path, text).unwrap(),
            None => fs::remove_file(&path).unwrap(),
        }
        let output = world.run(&["query", "SELECT * FROM events", "lake", "--format", "csv"]);
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        assert!(said(&output).contains("_tagfall/manifest.json"), "{}", said(&output));
        assert_eq!(output.stdout, whole);
    }
    ok(&world, &["lake", "repair", "lake"]);
    ok(&world, &["detect", "lake"]);
    ok(&world, &["lake", "check", "lake"]);
}

/// Once, a damaged day made every later run fail.
#[test]
fn a_damaged_day_stops_no_other_and_is_caught_up_after_a_repair() {
    let world = with_lake();
    let day = parquet(&world.path("lake"))[2].clone();
    let mut bytes = fs::read(&day).unwrap();
    bytes.iter_mut().step_by(64).for_each(|byte| *byte ^= 1);
    fs::write(&day, bytes).unwrap();
    let date = day
        .parent()
        .unwrap()
        .file_name()
        .unwrap()
        .to_str()
        .unwrap()
        .strip_prefix("date=")
        .unwrap()
        .to_owned();
    let mut value: Value =
        serde_json::from_str(&with_ids(&fs::read_to_string(case("eight.json")).unwrap(), "cd")).unwrap();
    for (number, record) in value["Records"].as_array_mut().unwrap().iter_mut().enumerate() {
        let time = if number % 2 == 0 {
            format!("{date}T13:41:0{number}Z")
        } else {
            format!("2025-01-05T10:00:0{number}Z")
        };
        record["eventTime"] = time.into();
        record["recipientAccountId"] = "111122223333".into();
        record["awsRegion"] = "eu-central-1".into();
    }
    world.file("more/late.json", value.to_string().as_bytes());
    world
        .file("more/other.json", with_ids(&fs::read_to_string(case("eight.json")).unwrap(), "ab").as_bytes());
    let output = world.run(&["ingest", "logs", "more", "--lake", "lake"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(
        said(&output).contains(&date) && said(&output).contains("1 object had events of a damaged day"),
        "{}",
        said(&output)
    );
    let days = |source: &str| {
        let output = world.run(&[
            "query",
            "SELECT DISTINCT date FROM events ORDER BY 1",
            source,
            "-q",
            "--format",
            "csv",
        ]);
        String::from_utf8(output.stdout).unwrap()
    };
    assert!(days("lake").contains("2025-01-05"), "{}", days("lake"));
    // Without an archive the file is not changed.
    let output = world.run(&["lake", "repair", "lake"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    let output = world.run(&["lake", "repair", "lake", "logs"]);
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    ok(&world, &["ingest", "logs", "more", "--lake", "lake"]);
    ok(&world, &["lake", "check", "lake"]);
    let all = |sources: &[&str]| {
        let sql = "SELECT eventid, eventtime, eventname FROM events ORDER BY 1, 2";
        let output = world.run(&[&["query", sql, "-q", "--format", "csv"], sources].concat());
        String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect::<std::collections::BTreeSet<_>>()
    };
    let (lake, archive) = (all(&["lake"]), all(&["logs", "more"]));
    assert_eq!(lake.symmetric_difference(&archive).collect::<Vec<_>>(), Vec::<&String>::new());
}

#[test]
fn whatever_is_damaged_or_gone_is_read_again_and_what_cannot_be_is_told() {
    let world = with_lake();
    let whole = told(&world);
    for path in files(&world.path("lake")) {
        let name = path.strip_prefix(world.path("lake")).unwrap().to_str().unwrap().to_owned();
        if name.ends_with("lock") || name.ends_with("readers") {
            continue;
        }
        let Ok(bytes) = fs::read(&path) else { continue };
        fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let repaired = world.run(&["lake", "repair", "lake", "logs"]);
        assert_eq!(repaired.status.code(), Some(0), "{name}: {}", said(&repaired));
        assert_eq!(told(&world), whole, "{name} was damaged");
        if name.ends_with(".parquet") || name.ends_with(".rows") {
            fs::remove_file(files(path.parent().unwrap()).last().unwrap()).unwrap();
            let repaired = world.run(&["lake", "repair", "lake", "logs"]);
            assert_eq!(repaired.status.code(), Some(0), "{name}: {}", said(&repaired));
            assert_eq!(told(&world), whole, "{name} was gone");
        }
    }
    // Half of the archive is gone.
    let day = parquet(&world.path("lake"))[3].clone();
    fs::write(&day, b"PAR1 and nothing more").unwrap();
    let logs = files(&world.path("logs"));
    for path in logs.iter().skip(1).step_by(2) {
        let aside = world.path("aside").join(path.strip_prefix(world.path("logs")).unwrap());
        fs::create_dir_all(aside.parent().unwrap()).unwrap();
        fs::rename(path, aside).unwrap();
    }
    world.file("nothing/a.json", b"{\"Records\":[]}");
    let output = world.run(&["lake", "repair", "lake", "nothing"]);
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("not repaired"), "{}", said(&output));
    assert_eq!(world.run(&["detect", "lake"]).status.code(), Some(3));
}
