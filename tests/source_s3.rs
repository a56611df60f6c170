//! One suite for every kind of source: the same archive in a folder, in a bucket in memory, and in `s3s-fs` over the folder
//! gives the same names, the same bytes and the same counts.
#![cfg(feature = "s3")]

#[path = "support/s3/mod.rs"]
mod s3;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use s3::{Memory, Server};
use tagfall::model::{Filter, Timestamp};
use tagfall::source::{self, Credentials, FatalKind, Feed, Fetched, Listed, Options, Pruned};

const BUCKET: &str = "trail";

fn options(endpoint: &str) -> Options {
    Options {
        endpoint_url: Some(endpoint.to_owned()),
        region: Some("us-east-1".to_owned()),
        credentials: Some(Credentials {
            access_key_id: s3::ACCESS_KEY_ID.to_owned(),
            secret_access_key: s3::SECRET_ACCESS_KEY.to_owned(),
            session_token: None,
        }),
        ..Options::default()
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Read {
    objects: BTreeMap<String, (Fetched, Vec<u8>)>,
    listed: u64,
    pruned: Pruned,
}

/// Reads a feed with four workers.
fn read(feed: &dyn Feed) -> Read {
    let objects = std::sync::Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut buffer = b"left over".to_vec();
                while let Some(delivery) = feed.next(&mut buffer) {
                    assert_eq!(delivery.size, buffer.len() as u64);
                    let name = delivery.object.raw().to_owned();
                    let before = objects.lock().unwrap().insert(name.clone(), (delivery.outcome, buffer.clone()));
                    assert_eq!(before, None, "{name} came twice");
                }
            });
        }
    });
    let Listed { objects: listed, complete, .. } = feed.listed();
    assert!(complete);
    assert_eq!(feed.fatal(), None);
    Read { objects: objects.into_inner().unwrap(), listed, pruned: feed.pruned() }
}

fn body(key: &str, bytes: usize) -> Vec<u8> {
    key.bytes().cycle().take(bytes).collect()
}

fn key(account: &str, kind: &str, region: &str, day: &str, number: u32) -> String {
    let stamp = day.replace('/', "");
    format!("AWSLogs/{account}/{kind}/{region}/{day}/{account}_{kind}_{region}_{stamp}T{:02}{:02}Z_{number:016}.json.gz", number % 24, number % 60)
}

/// 3,400 objects: two accounts and an organisation's, three regions, five months; neighbours that are no evidence.
fn archive() -> BTreeMap<String, Vec<u8>> {
    let mut archive = BTreeMap::new();
    let mut add = |key: String, bytes: usize| archive.insert(key.clone(), body(&key, bytes));
    for number in 0..2_400 {
        let day = format!("2024/{:02}/{:02}", 8 + number / 800, 1 + number % 28);
        add(key("111122223333", "CloudTrail", "us-east-1", &day, number), 10 + number as usize % 300);
    }
    for number in 0..300 {
        let day = format!("2024/{:02}/{:02}", 8 + number / 75, 1 + number % 28);
        add(key("111122223333", "CloudTrail", "eu-central-1", &day, number), 100);
        add(key("444455556666", "CloudTrail", "us-east-1", &day, number), 100);
        add(key("444455556666", "CloudTrail-Digest", "us-east-1", &day, number), 100);
    }
    let organisation = key("777788889999", "CloudTrail", "us-gov-west-1", "2024/12/31", 1).replace("AWSLogs/", "central/AWSLogs/o-abcdefghij/");
    add(organisation, 3_000_000);
    for number in 0..100 {
        add(key("111122223333", "CloudTrail-Insight", "us-east-1", "2024/10/02", number), 50);
    }
    add("AWSLogs/111122223333/Config/us-east-1/2024/10/1/ConfigSnapshot/config.json.gz".to_owned(), 10);
    add("AWSLogs/111122223333/CloudTrail/us-east-1/2024/README.md".to_owned(), 10);
    add("AWSLogs/.partial/x.json".to_owned(), 10);
    add("exports/lookup events (copy)+1.json".to_owned(), 100);
    add("exports/größe.json".to_owned(), 0);
    add("event_history.json".to_owned(), 1);
    archive
}

fn write(root: &Path, archive: &BTreeMap<String, Vec<u8>>) {
    for (key, bytes) in archive {
        let path = root.join(key);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

fn time(text: &str) -> Option<Timestamp> {
    Some(Timestamp::parse(text).unwrap())
}

fn filters() -> Vec<Filter> {
    vec![
        Filter::default(),
        Filter { accounts: vec!["444455556666".to_owned()], ..Filter::default() },
        Filter { regions: vec!["eu-central-1".to_owned(), "us-gov-west-1".to_owned()], ..Filter::default() },
        Filter { since: time("2024-09-10T12:00:00Z"), until: time("2024-10-03T00:00:00Z"), ..Filter::default() },
        Filter { since: time("2024-10-28T00:00:00Z"), ..Filter::default() },
        Filter { accounts: vec!["000000000000".to_owned()], ..Filter::default() },
    ]
}

#[test]
fn a_bucket_and_a_folder_that_mirrors_it_are_the_same_source() {
    let archive = archive();
    let folder = tempfile::tempdir().unwrap();
    write(&folder.path().join(BUCKET), &archive);
    let memory = Arc::new(Memory::new(BUCKET, archive.clone()));
    let (in_memory, over_folder) = (Server::memory(&memory), Server::folder(folder.path()));
    for filter in filters() {
        let path = folder.path().join(BUCKET);
        let local = read(&*source::open(path.to_str().unwrap(), &Options::default(), &filter).unwrap());
        assert_eq!(local.listed, local.objects.len() as u64);
        let bucket = read(&*source::open("s3://trail", &options(&in_memory.endpoint()), &filter).unwrap());
        assert_eq!(bucket.objects.keys().collect::<Vec<_>>(), local.objects.keys().collect::<Vec<_>>(), "{filter:?}");
        assert!(bucket.objects == local.objects, "{filter:?}");
        assert_eq!((bucket.listed, &bucket.pruned.accounts, &bucket.pruned.regions), (local.listed, &local.pruned.accounts, &local.pruned.regions));
        assert_eq!(bucket.pruned, local.pruned, "{filter:?}");
        let second = read(&*source::open("s3://trail", &options(&over_folder.endpoint()), &filter).unwrap());
        assert!(second.objects == local.objects, "s3s-fs, {filter:?}");
    }
}
