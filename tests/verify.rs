//! `verify` on signed archives that were changed in every possible way: each single change is reported, and
//! intact archives are not.
#![cfg(feature = "signatures")]

#[path = "support/integrity/mod.rs"]
mod integrity;
#[path = "support/sim/rng.rs"]
#[allow(dead_code)]
mod rng;

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::atomic::AtomicBool;

use integrity::{
    BUCKET, Objects, Signer, Stored, TRAIL, Trail, Writer, at, gunzip, gzip, gzip_at, hours, sign_again,
    write,
};
use tagfall::integrity::{self as checking, Keys, Root, Scope};
use tagfall::model::{CheckedKind, Filter, GapCause, Severity, SignaturesChecked, Standing, Verification};
use tagfall::pipeline::{Budget, Progress, Run};
use tagfall::source::{self, Delivery, Feed, Fetched, Listed, Options, Signed};

/// A bucket as a source, without S3.
struct RecordSource {
    objects: std::sync::Mutex<Vec<(String, Stored)>>,
}

impl Feed for RecordSource {
    fn next(&self, buffer: &mut Vec<u8>) -> Option<Delivery> {
        let (key, stored) = self.objects.lock().unwrap().pop()?;
        *buffer = stored.bytes;
        let signed = stored
            .metadata
            .get("signature")
            .map(|signature| Box::new(Signed { signature: signature.clone(), generated: None }));
        let outcome =
            stored.metadata.get("cannot").map_or(Fetched::Whole, |reason| Fetched::Failed(reason.clone()));
        Some(Delivery {
            object: key.into(),
            size: buffer.len() as u64,
            outcome,
            origin: None,
            signed,
            rest: None,
        })
    }

    fn listed(&self) -> Listed {
        Listed::default()
    }

    fn stop(&self) {}
}

fn run(feed: Box<dyn Feed>, keys: &Keys, scope: &Scope, jobs: usize) -> Verification {
    let (progress, cancelled) = (Progress::default(), AtomicBool::new(false));
    let budget =
        Budget { jobs: NonZeroUsize::new(jobs).unwrap(), object_bytes_max: 1 << 30, kept_bytes_max: 1 << 30 };
    let run = Run { feeds: &[feed], budget, progress: &progress, cancelled: &cancelled };
    let (coverage, verification) = checking::read(run).judge(keys, scope);
    assert!(coverage.balances());
    verification
}

fn keys(signers: &[&Signer]) -> Keys {
    let mut keys = Keys::default();
    signers.iter().for_each(|signer| assert_eq!(keys.add(signer.public_keys().as_bytes()), Ok(1)));
    keys
}

/// With signatures, as in S3.
fn in_s3(objects: &Objects, keys: &Keys) -> Verification {
    let root = Root::Bucket { bucket: BUCKET.to_owned(), prefix: String::new() };
    let objects = std::sync::Mutex::new(objects.clone().into_iter().collect());
    run(Box::new(RecordSource { objects }), keys, &Scope::new(vec![root], &Filter::default()), 2)
}

/// Without signatures, as in a copy.
fn on_disk(objects: &Objects, keys: &Keys) -> Verification {
    let folder = tempfile::tempdir().unwrap();
    write(objects, folder.path());
    let path = folder.path().to_str().unwrap();
    let feed =
        source::open(path, &Options { other_kinds: true, ..Options::default() }, &Filter::default()).unwrap();
    run(feed, keys, &Scope::new(vec![Root::Folder(format!("{path}/"))], &Filter::default()), 2)
}

/// Name and verdict of everything that is not valid.
fn told(verification: &Verification) -> BTreeMap<&str, Standing> {
    let objects = verification.objects.iter().filter(|object| object.verdict != Standing::Valid);
    objects.map(|object| (object.object.raw(), object.verdict)).collect()
}

fn findings(verification: &Verification) -> BTreeMap<&str, Standing> {
    let objects = verification
        .objects
        .iter()
        .filter(|object| object.severity.is_some_and(|severity| severity <= Severity::Medium));
    objects.map(|object| (object.object.raw(), object.verdict)).collect()
}

fn log_files(objects: &Objects) -> Vec<String> {
    objects.keys().filter(|key| key.contains("/CloudTrail/")).cloned().collect()
}

/// Two regions, several hours, an hour without log files, a restart, a backfill.
fn world(signer: &Signer) -> (Objects, Vec<String>) {
    let mut first = hours(TRAIL, signer, 4, 3);
    first.restart();
    for hour in 6..9 {
        let listed =
            [first.log_file(at(hour).plus_seconds(600)), first.log_file(at(hour).plus_seconds(1800))];
        first.log_digest_file(at(hour), at(hour + 1), &listed);
    }
    let late = first.log_file(at(2).plus_seconds(2400));
    first.backfill(at(2), at(3), &[late]);
    let second = hours(Trail { region: "us-east-1", ..TRAIL }, signer, 3, 2);
    let mut chain = first.chain.clone();
    chain.extend(second.chain.iter().cloned());
    let mut objects = first.objects;
    objects.extend(second.objects);
    (objects, chain)
}

#[test]
fn an_honest_archive_in_s3_is_valid_from_end_to_end() {
    let signer = Signer::aws();
    let (objects, _) = world(&signer);
    let verification = in_s3(&objects, &keys(&[&signer]));
    assert_eq!(told(&verification), BTreeMap::new());
    assert_eq!(verification.objects.len(), objects.len());
    assert_eq!(verification.summary.signatures, SignaturesChecked::All);
    assert_eq!(verification.chains.len(), 2);
    let first = &verification.chains[0];
    assert_eq!(
        (first.trail.raw(), first.home_region.raw(), first.region.raw()),
        ("all_events", "us-east-1", "eu-central-1")
    );
    let covered: Vec<_> = first.covered.iter().map(|time| (time.from, time.to, time.signed)).collect();
    assert_eq!(covered, [(at(0), at(4), true), (at(6), at(9), true)]);
    let gaps: Vec<_> = first.gaps.iter().map(|gap| (gap.from, gap.to, gap.cause)).collect();
    assert_eq!(gaps, [(at(4), at(6), GapCause::StartedAnew)]);
}

/// A copy has lost its metadata: the last link of every chain, and the files that it lists, have no
/// signature, but all earlier ones do.
#[test]
fn an_honest_copy_is_valid_up_to_its_last_link() {
    let signer = Signer::aws();
    let (objects, chain) = world(&signer);
    let verification = on_disk(&objects, &keys(&[&signer]));
    assert_eq!(findings(&verification), BTreeMap::new());
    let open = told(&verification);
    assert!(open.values().all(|standing| *standing == Standing::SignatureNotChecked), "{open:?}");
    let digest_files: Vec<&str> = open.keys().copied().filter(|key| key.contains("Digest")).collect();
    // The last link of the first chain before its restart and after it, the backfill, and the last link of
    // the second chain.
    assert_eq!(digest_files.len(), 4, "{digest_files:?}");
    assert!(digest_files.contains(&chain[6].as_str()) && digest_files.contains(&chain[9].as_str()));
    assert_eq!(verification.summary.signatures, SignaturesChecked::Some);
}

#[test]
fn without_keys_hashes_are_checked_and_nothing_is_called_valid() {
    let signer = Signer::aws();
    let (mut objects, _) = world(&signer);
    let verification = in_s3(&objects, &Keys::default());
    assert_eq!(verification.summary.signatures, SignaturesChecked::None);
    assert!(verification.objects.iter().all(|object| object.verdict == Standing::SignatureNotChecked));
    assert!(
        verification.summary.warnings[0].contains(
            "aws cloudtrail list-public-keys --region eu-central-1 --start-time 2026-03-02T09:00:49Z"
        )
    );
    let victim = log_files(&objects)[0].clone();
    objects.get_mut(&victim).unwrap().bytes = gzip(b"{\"Records\":[]}");
    assert_eq!(
        findings(&in_s3(&objects, &Keys::default())),
        [(victim.as_str(), Standing::HashMismatch)].into()
    );
}

#[test]
fn packed_anew_or_unpacked_an_archive_is_the_same() {
    let signer = Signer::aws();
    let (mut objects, _) = world(&signer);
    for (at, stored) in objects.values_mut().enumerate() {
        let content = gunzip(&stored.bytes);
        stored.bytes = [gzip_at(&content, 1), content.clone(), gzip(&gzip(&content))][at % 3].clone();
    }
    assert_eq!(told(&in_s3(&objects, &keys(&[&signer]))), BTreeMap::new());
}

/// Copies may have lost their folders, too: names are enough. The prefix before `AWSLogs/` does not matter.
#[test]
fn a_flat_copy_and_one_under_another_prefix_are_the_same() {
    let signer = Signer::aws();
    let (objects, _) = world(&signer);
    let flat: Objects = objects
        .iter()
        .map(|(key, stored)| (key.rsplit('/').next().unwrap().to_owned(), stored.clone()))
        .collect();
    assert_eq!(told(&in_s3(&flat, &keys(&[&signer]))), BTreeMap::new());
    let moved: Objects =
        objects.iter().map(|(key, stored)| (format!("case/7/{key}"), stored.clone())).collect();
    let root = Root::Bucket { bucket: "copy".to_owned(), prefix: "case/".to_owned() };
    let feed = RecordSource { objects: std::sync::Mutex::new(moved.into_iter().collect()) };
    assert_eq!(
        told(&run(Box::new(feed), &keys(&[&signer]), &Scope::new(vec![root], &Filter::default()), 2)),
        BTreeMap::new()
    );
}

#[test]
fn threads_and_order_of_arrival_do_not_matter() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    objects.remove(&chain[1]);
    objects.get_mut(&chain[3]).unwrap().bytes = gzip(b"{}");
    let keys = keys(&[&signer]);
    let scope = Scope::new(
        vec![Root::Bucket { bucket: BUCKET.to_owned(), prefix: String::new() }],
        &Filter::default(),
    );
    let mut all = Vec::new();
    for (jobs, turned) in [(1, false), (1, true), (4, false), (4, true)] {
        let mut list: Vec<_> = objects.clone().into_iter().collect();
        if turned {
            list.reverse();
        }
        all.push(run(Box::new(RecordSource { objects: std::sync::Mutex::new(list) }), &keys, &scope, jobs));
    }
    assert!(all.iter().all(|verification| *verification == all[0]));
}

/// One change to an archive.
type Change = (String, Box<dyn Fn(&mut Objects)>);

/// Every possible change of one object.
fn changes(objects: &Objects, chain: &[String]) -> Vec<Change> {
    let mut changes: Vec<Change> = Vec::new();
    for key in objects.keys() {
        let mut change =
            |name: &str, change: Box<dyn Fn(&mut Objects)>| changes.push((format!("{name} {key}"), change));
        for place in [0usize, 3, 7, 11] {
            let (key, name) = (key.clone(), format!("a letter at {place}/12 of"));
            change(
                &name,
                Box::new(move |objects| {
                    let stored = objects.get_mut(&key).unwrap();
                    let mut content = gunzip(&stored.bytes);
                    let at = content.len() * place / 12;
                    content[at] ^= 1;
                    stored.bytes = gzip(&content);
                }),
            );
        }
        let own = key.clone();
        change(
            "a stored byte of",
            Box::new(move |objects| {
                let stored = objects.get_mut(&own).unwrap();
                let at = stored.bytes.len() / 2;
                stored.bytes[at] ^= 0x10;
            }),
        );
        let own = key.clone();
        change(
            "cut off",
            Box::new(move |objects| {
                let stored = objects.get_mut(&own).unwrap();
                stored.bytes.truncate(stored.bytes.len() * 2 / 3);
            }),
        );
        let own = key.clone();
        change(
            "emptied",
            Box::new(move |objects| objects.get_mut(&own).unwrap().bytes = gzip(b"{\"Records\":[]}")),
        );
        let own = key.clone();
        change("removed", Box::new(move |objects| drop(objects.remove(&own))));
    }
    for hour in [0, 1, 2, 7] {
        let mut writer = Writer::new(TRAIL, Box::leak(Box::new(Signer::aws())));
        let key = writer.log_file(at(hour).plus_seconds(900)).replace(".json.gz", "x.json.gz");
        let stored = writer.objects.values().next().unwrap().clone();
        changes.push((
            format!("added {key}"),
            Box::new(move |objects| drop(objects.insert(key.clone(), stored.clone()))),
        ));
    }
    for key in chain.iter().cloned() {
        let (own, other) = (key.clone(), Signer::other());
        changes.push((
            format!("signed by another key {key}"),
            Box::new(move |objects| sign_again(objects.get_mut(&own).unwrap(), &own, &other)),
        ));
        let (own, other) = (key.clone(), Signer::other());
        changes.push((
            format!("forged {key}"),
            Box::new(move |objects| {
                let stored = objects.get_mut(&own).unwrap();
                let content = String::from_utf8(gunzip(&stored.bytes))
                    .unwrap()
                    .replace(Signer::aws().fingerprint, other.fingerprint);
                stored.bytes = gzip(content.as_bytes());
                sign_again(stored, &own, &other);
            }),
        ));
        for other in chain.iter().filter(|other| **other != key).take(3) {
            let (own, other) = (key.clone(), other.clone());
            changes.push((
                format!("{other} put over {own}"),
                Box::new(move |objects| {
                    let copy = objects[&other].clone();
                    objects.insert(own.clone(), copy);
                }),
            ));
        }
    }
    changes
}

/// In S3 with keys, any single change is a finding, except the removal of files that nothing refers to.
#[test]
fn any_single_change_in_s3_is_found() {
    let signer = Signer::aws();
    let (objects, chain) = world(&signer);
    let keys = keys(&[&signer]);
    let last_links = [&chain[3], &chain[6], &chain[9]];
    let changes = changes(&objects, &chain);
    assert!(changes.len() > 300);
    for (name, change) in changes {
        let mut changed = objects.clone();
        change(&mut changed);
        let verification = in_s3(&changed, &keys);
        let found = findings(&verification);
        let nothing_names_it = name.starts_with("removed ")
            && (last_links.iter().any(|last| name.ends_with(last.as_str()))
                || name.ends_with("_backfill.json.gz"));
        if nothing_names_it {
            // The files that it listed are no longer proven, and that is reported.
            assert!(!told(&verification).is_empty(), "{name}");
        } else {
            assert!(!found.is_empty(), "{name}");
        }
    }
}

/// The same for a copy without signatures: everything before the last links is protected.
#[test]
fn any_single_change_of_a_copy_is_told() {
    let signer = Signer::aws();
    let (objects, chain) = world(&signer);
    let keys = keys(&[&signer]);
    let honest = on_disk(&objects, &keys);
    let before = told(&honest);
    for (name, change) in changes(&objects, &chain) {
        let mut changed = objects.clone();
        change(&mut changed);
        if changed
            .iter()
            .map(|(key, stored)| (key, &stored.bytes))
            .eq(objects.iter().map(|(key, stored)| (key, &stored.bytes)))
        {
            // Only metadata was changed, which a copy does not have.
            continue;
        }
        let verification = on_disk(&changed, &keys);
        let is_last = |key: &str| before.keys().any(|last| *last == key);
        let key = name.rsplit(' ').next().unwrap();
        assert!(
            is_last(key) && told(&verification) != BTreeMap::new() || !findings(&verification).is_empty(),
            "{name}: {:?}",
            told(&verification)
        );
    }
}

#[test]
fn verdicts_name_what_was_done() {
    let signer = Signer::aws();
    let (objects, chain) = world(&signer);
    let keys = keys(&[&signer]);
    let after = |change: &dyn Fn(&mut Objects)| {
        let mut changed = objects.clone();
        change(&mut changed);
        let verification = in_s3(&changed, &keys);
        findings(&verification)
            .into_iter()
            .map(|(key, standing)| (key.to_owned(), standing))
            .collect::<BTreeMap<_, _>>()
    };
    let log_file = log_files(&objects)[1].clone();
    assert_eq!(
        after(&|objects| drop(objects.remove(&log_file))),
        [(log_file.clone(), Standing::Missing)].into()
    );
    assert_eq!(
        after(&|objects| drop(objects.remove(&chain[2]))),
        [(chain[2].clone(), Standing::Missing)].into()
    );
    let edited = after(&|objects| {
        let stored = objects.get_mut(&chain[2]).unwrap();
        let content = String::from_utf8(gunzip(&stored.bytes)).unwrap().replacen(
            "\"hashValue\":\"",
            "\"hashValue\":\"0",
            1,
        );
        stored.bytes = gzip(content.as_bytes());
    });
    assert_eq!(edited.get(&chain[2]), Some(&Standing::SignatureInvalid));
    assert_eq!(
        after(&|objects| sign_again(objects.get_mut(&chain[6]).unwrap(), &chain[6], &Signer::other())),
        [(chain[6].clone(), Standing::SignatureInvalid)].into()
    );
    let replayed = after(&|objects| {
        let copy = objects[&chain[5]].clone();
        objects.insert(chain[6].clone(), copy);
    });
    assert_eq!(replayed.get(&chain[6]), Some(&Standing::Misplaced));
    let added = log_file.replace(".json.gz", "x.json.gz");
    assert_eq!(
        after(&|objects| drop(objects.insert(added.clone(), objects[&log_file].clone()))),
        [(added.clone(), Standing::Unlisted)].into()
    );
}

/// A log digest file that was signed with, and refers to, somebody's own key, although AWS's key of that
/// region is known.
#[test]
fn a_key_that_nobody_gave_is_told_where_others_of_the_region_were_given() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    let other = Signer::other();
    let stored = objects.get_mut(&chain[6]).unwrap();
    let content =
        String::from_utf8(gunzip(&stored.bytes)).unwrap().replace(signer.fingerprint, other.fingerprint);
    stored.bytes = gzip(content.as_bytes());
    sign_again(stored, &chain[6], &other);
    let verification = in_s3(&objects, &keys(&[&signer]));
    assert_eq!(findings(&verification), [(chain[6].as_str(), Standing::UnknownKey)].into());
    assert!(verification.summary.warnings.iter().any(|warning| warning.contains(other.fingerprint)));
    // If no key of the region is known, the user may have forgotten them.
    let verification = in_s3(&hours(TRAIL, &signer, 3, 2).objects, &keys(&[&other]));
    assert!(verification.objects.iter().all(|object| object.verdict == Standing::SignatureNotChecked));
}

#[test]
fn what_is_too_new_is_no_finding_and_what_is_long_overdue_is_said() {
    let signer = Signer::aws();
    let mut writer = hours(TRAIL, &signer, 3, 2);
    let soon = writer.log_file(at(3).plus_seconds(1200));
    let boundary = writer.log_file(at(3).plus_seconds(-300));
    let verification = in_s3(&writer.objects, &keys(&[&signer]));
    assert_eq!(
        told(&verification),
        [(soon.as_str(), Standing::NotCovered), (boundary.as_str(), Standing::NotCovered)].into()
    );
    assert!(
        verification.objects.iter().all(|object| object.severity.is_none())
            && verification.summary.warnings.is_empty()
    );
    let before = writer.log_file(at(-2));
    let late = writer.log_file(at(9));
    let verification = in_s3(&writer.objects, &keys(&[&signer]));
    let low: Vec<&str> = verification
        .objects
        .iter()
        .filter(|object| object.severity == Some(Severity::Low))
        .map(|object| object.object.raw())
        .collect();
    assert_eq!(low, [before.as_str(), late.as_str()]);
    assert!(verification.summary.warnings[0].starts_with("1 log file was delivered long after"));
}

/// A second trail that writes to the same bucket with another prefix and without validation is not reported.
#[test]
fn a_trail_without_validation_beside_one_with_it_is_not_covered() {
    let signer = Signer::aws();
    let mut objects = hours(TRAIL, &signer, 3, 2).objects;
    let mut other = Writer::new(Trail { prefix: "other/", ..TRAIL }, &signer);
    other.log_file(at(1));
    objects.extend(other.objects);
    let verification = in_s3(&objects, &keys(&[&signer]));
    assert_eq!(told(&verification).into_values().collect::<Vec<_>>(), [Standing::NotCovered]);
    assert_eq!(findings(&verification), BTreeMap::new());
}

#[test]
fn the_wrong_folder_accuses_nobody() {
    let signer = Signer::aws();
    let (objects, _) = world(&signer);
    let digest_files: Objects = objects
        .iter()
        .filter(|(key, _)| key.contains("/CloudTrail-Digest/"))
        .map(|(key, stored)| (key.clone(), stored.clone()))
        .collect();
    let root = Root::Bucket {
        bucket: BUCKET.to_owned(),
        prefix: "AWSLogs/111122223333/CloudTrail-Digest/".to_owned(),
    };
    let feed = RecordSource { objects: std::sync::Mutex::new(digest_files.clone().into_iter().collect()) };
    let verification = run(Box::new(feed), &keys(&[&signer]), &Scope::new(vec![root], &Filter::default()), 1);
    assert_eq!(
        (told(&verification), verification.summary.not_in_sources),
        (BTreeMap::new(), log_files(&objects).len() as u64)
    );
    // For a whole bucket, missing log files are a finding.
    let verification = in_s3(&digest_files, &keys(&[&signer]));
    assert_eq!(findings(&verification).len(), log_files(&objects).len());
}

/// Rewriting an object removes its signature: a copy has lost all signatures, never a single one.
#[test]
fn a_signature_that_is_gone_where_others_have_theirs_is_told() {
    let signer = Signer::aws();
    let (objects, chain) = world(&signer);
    for (at, key) in chain.iter().enumerate() {
        let mut changed = objects.clone();
        changed.get_mut(key).unwrap().metadata.clear();
        let verification = in_s3(&changed, &keys(&[&signer]));
        let expected = if [3, 6, 9].contains(&at) {
            [(key.as_str(), Standing::SignatureInvalid)].into()
        } else {
            BTreeMap::new()
        };
        assert_eq!(findings(&verification), expected);
    }
}

/// Once, a file's own statement about its algorithm was trusted, so that a file with another one was not
/// checked.
#[test]
fn an_edited_file_cannot_choose_its_algorithm() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    let stored = objects.get_mut(&chain[6]).unwrap();
    stored.bytes =
        gzip(String::from_utf8(gunzip(&stored.bytes)).unwrap().replace("SHA256withRSA", "NONE").as_bytes());
    stored.metadata.insert("signature-algorithm".to_owned(), "NONE".to_owned());
    assert_eq!(
        findings(&in_s3(&objects, &keys(&[&signer]))),
        [(chain[6].as_str(), Standing::SignatureInvalid)].into()
    );
}

/// Somebody edits a list and all hashes after it, but cannot sign. The signature of the file after the edited
/// one is in its successor, which was edited, too; once, it was reported as missing.
#[test]
fn a_signature_in_an_altered_successor_is_said_to_be_there() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    let mut before = None;
    for key in chain.iter().take(4) {
        let stored = objects.get_mut(key).unwrap();
        let mut file: serde_json::Value = serde_json::from_slice(&gunzip(&stored.bytes)).unwrap();
        match before {
            None => file["logFiles"] = serde_json::json!([]),
            Some(hash) => file["previousDigestHashValue"] = serde_json::Value::String(hash),
        }
        let text = file.to_string();
        before = Some(integrity::sha256(text.as_bytes()));
        stored.bytes = gzip(text.as_bytes());
    }
    let verification = on_disk(&objects, &keys(&[&signer]));
    let of = |key: &str| verification.objects.iter().find(|object| object.object.raw() == key).unwrap();
    assert_eq!([0, 2].map(|at| of(&chain[at]).verdict), [Standing::SignatureInvalid; 2]);
    let between = of(&chain[1]);
    assert_eq!(between.verdict, Standing::SignatureNotChecked);
    let reason = "the log digest file that follows keeps a signature that is not of this content, but that file was altered itself";
    assert_eq!(between.reason.as_ref().map(|reason| reason.raw()), Some(reason));
}

/// The proof of one copy of a log digest file holds for the other: a bucket and a copy of it in one run.
#[test]
fn a_copy_beside_its_original_is_proven() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    for key in &chain {
        objects.insert(
            format!("copy/{key}"),
            Stored { bytes: objects[key].bytes.clone(), metadata: BTreeMap::new() },
        );
    }
    assert_eq!(told(&in_s3(&objects, &keys(&[&signer]))), BTreeMap::new());
}

/// The content of a folder that cannot be listed is not missing.
#[test]
fn what_is_in_a_folder_that_cannot_be_listed_is_not_missing() {
    let signer = Signer::aws();
    let (mut objects, _) = world(&signer);
    let folder = "AWSLogs/111122223333/CloudTrail/us-east-1/";
    let before = objects.len();
    objects.retain(|key, _| !key.starts_with(folder));
    assert!(objects.len() < before);
    objects.insert(
        folder.to_owned(),
        Stored { bytes: Vec::new(), metadata: [("cannot".to_owned(), "denied".to_owned())].into() },
    );
    let verification = in_s3(&objects, &keys(&[&signer]));
    assert_eq!(findings(&verification), BTreeMap::new());
    assert!(
        told(&verification).values().all(|standing| *standing == Standing::Unreadable)
            && told(&verification).len() > 2
    );
}

/// After Ctrl-C, or if credentials have expired: what was not read is not missing.
#[test]
fn a_run_that_ended_early_accuses_nobody() {
    let signer = Signer::aws();
    let (mut objects, chain) = world(&signer);
    objects.remove(&chain[1]);
    let victim = log_files(&objects)[0].clone();
    objects.remove(&victim);
    let added = log_files(&objects)[0].replace(".json.gz", "x.json.gz");
    objects.insert(added, objects[&log_files(&objects)[0]].clone());
    let feed: Box<dyn Feed> =
        Box::new(RecordSource { objects: std::sync::Mutex::new(objects.into_iter().collect()) });
    let (progress, cancelled) = (Progress::default(), AtomicBool::new(false));
    let budget = Budget { jobs: NonZeroUsize::MIN, object_bytes_max: 1 << 30, kept_bytes_max: 1 << 30 };
    let (keys, scope) = (
        keys(&[&signer]),
        Scope::new(
            vec![Root::Bucket { bucket: BUCKET.to_owned(), prefix: String::new() }],
            &Filter::default(),
        ),
    );
    let mut gathered =
        checking::read(Run { feeds: &[feed], budget, progress: &progress, cancelled: &cancelled });
    gathered.coverage.partial = true;
    assert_eq!(findings(&gathered.judge(&keys, &scope).1), BTreeMap::new());
}

/// A copy that has lost its folders, with files of one name from two places: it is one of them, or altered.
#[test]
fn a_name_that_is_listed_twice_is_said() {
    let signer = Signer::aws();
    let mut writer = Writer::new(TRAIL, &signer);
    let key = writer.log_file(at(0).plus_seconds(600));
    let other = key.replace("/02/1", "/03/1");
    writer
        .objects
        .insert(other.clone(), Stored { bytes: gzip(b"{\"Records\":[1]}"), metadata: BTreeMap::new() });
    let digest_file = writer.log_digest_file(at(0), at(1), &[key.clone(), other.clone()]);
    let keys = keys(&[&signer]);
    assert_eq!(told(&in_s3(&writer.objects, &keys)), BTreeMap::new());
    let flat = |bytes: &[u8]| {
        let copy = Stored { bytes: gzip(bytes), metadata: BTreeMap::new() };
        let objects: Objects = [
            (digest_file.clone(), writer.objects[&digest_file].clone()),
            (key.rsplit('/').next().unwrap().to_owned(), copy),
        ]
        .into();
        let verification = in_s3(&objects, &keys);
        let object = &verification.objects[0];
        (object.verdict, object.reason.as_ref().map(|reason| reason.raw().to_owned()).unwrap_or_default())
    };
    assert!(
        matches!(flat(b"{\"Records\":[1]}"), (Standing::Valid, reason) if reason.starts_with("several log files of its name"))
    );
    assert_eq!(flat(b"{\"Records\":[2]}").0, Standing::HashMismatch);
}

/// An intact archive of any shape: hours with and without activity, files delivered in the next hour,
/// restarts, late backfills, several regions, an organization, a prefix.
fn any_honest(rng: &mut rng::Rng, signer: &Signer) -> Objects {
    let mut objects = Objects::new();
    let (prefix, organization) = (*rng.pick(&["", "logs/", "a/b/"]), *rng.pick(&["", "o-abc123/"]));
    for region in ["eu-central-1", "us-gov-west-1", "ap-southeast-2"].into_iter().take(1 + rng.index(3)) {
        let mut writer = Writer::new(Trail { prefix, organization, region, ..TRAIL }, signer);
        let (mut waiting, mut forgotten) = (Vec::new(), BTreeMap::<i64, Vec<String>>::new());
        let mut hour = rng.range(0, 20) as i64;
        for _ in 0..rng.range(1, 30) {
            let mut listed = std::mem::take(&mut waiting);
            for _ in 0..rng.range(0, 4) {
                let minute = rng.range(0, 60) as i64;
                let key = writer.log_file(at(hour).plus_seconds(minute * 60));
                // Begun shortly before the end of the hour: delivered and listed in the next one.
                if minute >= 45 && rng.chance(50) {
                    waiting.push(key);
                } else if rng.chance(10) {
                    forgotten.entry(hour).or_default().push(key);
                } else {
                    listed.push(key);
                }
            }
            writer.log_digest_file(at(hour), at(hour + 1), &listed);
            hour += 1;
            if rng.chance(8) {
                // Files that would have been listed next are covered by nothing.
                waiting.clear();
                writer.restart();
                hour += rng.range(1, 30) as i64;
            }
        }
        for (hour, keys) in forgotten {
            writer.backfill(at(hour), at(hour + 1), &keys);
        }
        objects.extend(writer.objects);
    }
    objects
}

#[test]
fn no_honest_archive_is_accused() {
    let signer = Signer::aws();
    let keys = keys(&[&signer]);
    for seed in 0..40 {
        let objects = any_honest(&mut rng::Rng::new(seed), &signer);
        let s3 = in_s3(&objects, &keys);
        let open = told(&s3);
        assert!(open.values().all(|standing| *standing == Standing::NotCovered), "SEED={seed}: {open:?}");
        assert!(
            s3.objects
                .iter()
                .all(|object| object.kind == CheckedKind::LogFile || object.verdict == Standing::Valid),
            "SEED={seed}"
        );
        assert_eq!(findings(&on_disk(&objects, &keys)), BTreeMap::new(), "SEED={seed}");
        assert_eq!(findings(&on_disk(&objects, &Keys::default())), BTreeMap::new(), "SEED={seed}");
    }
}
