//! S3, or a proxy in front of it, as an adversary: truncated and circular listings, wrong answers, redirects
//! to other hosts, unusual keys. The rule is always: the same bytes, or the object in the coverage with a
//! reason; never a silent loss, never an endless loop, and credentials are not sent to another host.

use crate::s3;
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use s3::{Fault, Memory, Proxy, Read, Request, Server, quick};
use tagfall::source::{FatalKind, Options, Patience, retry};

type Objects = BTreeMap<String, Vec<u8>>;

/// Plain text, so that a part of an object is a valid object.
fn objects(count: u32) -> Objects {
    let body = |number: u32| {
        (0..=number)
            .map(|line| format!("{{\"eventID\":\"{number}-{line}\"}}\n"))
            .collect::<String>()
            .into_bytes()
    };
    (0..count)
        .map(|number| {
            (
                format!(
                    "AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/{:02}/{number:04}.json",
                    1 + number % 3
                ),
                body(number),
            )
        })
        .collect()
}

fn world(count: u32) -> (Objects, Arc<Memory>, Server) {
    let objects = objects(count);
    let memory = Arc::new(Memory::new("trail", objects.clone()));
    let server = Server::memory(&memory);
    (objects, memory, server)
}

/// Few tries, so that permanent errors are found soon.
fn options(endpoint: &str) -> Options {
    let retry = retry::Policy { tries_max: 4, delay_max: Duration::from_millis(20), ..quick(endpoint).retry };
    Options { retry, ..quick(endpoint) }
}

fn read(proxy: &Proxy) -> Read {
    let begun = Instant::now();
    let read = s3::read("s3://trail", &options(&proxy.endpoint()));
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    read
}

/// The same bytes; or a failure of the object, or of a prefix of it, with a reason; or the run failed as a
/// whole.
fn assert_rule(objects: &Objects, read: &Read, what: &str) {
    for (key, bytes) in objects {
        let above = || {
            read.failed.iter().find(|(name, _)| {
                key.starts_with(name.trim_start_matches("s3://trail").trim_start_matches('/'))
            })
        };
        match (read.whole.get(key), read.failed.get(key)) {
            (Some(whole), None) => assert!(whole == bytes, "{what}: {key} has other bytes"),
            (None, Some((reason, _))) => assert!(!reason.is_empty()),
            (None, None) => assert!(
                above().is_some() || read.fatal.is_some(),
                "{what}: {key} was lost in silence: {read:?}"
            ),
            both => panic!("{what}: {key} {both:?}"),
        }
    }
    let strangers: Vec<_> = read.whole.keys().filter(|key| !objects.contains_key(*key)).collect();
    assert!(strangers.is_empty(), "{what}: {strangers:?}");
}

/// Faults of listings, and whether a complete listing can be fetched after each.
fn faults_of_listings() -> Vec<(&'static str, Fault)> {
    let replaced = |from: &str, to: &str| Fault::Replaced(from.to_owned(), to.to_owned());
    vec![
        ("shortened", Fault::Shortened(60)),
        ("nearly whole", Fault::Shortened(99)),
        ("empty", Fault::Shortened(0)),
        ("unmeasured", Fault::Unmeasured(60)),
        ("cut", Fault::CutBody(60)),
        ("a key that is not closed", replaced("0007.json</Key>", "0007.json<Key>")),
        (
            "an entry without a key",
            replaced("<Key>AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/02/0007.json</Key>", ""),
        ),
        ("no word whether there is more", replaced("<IsTruncated>false</IsTruncated>", "")),
        ("keys twice", replaced("0007.json", "0004.json")),
        ("a stranger's page", replaced("AWSLogs", "OtherLogs")),
        ("no listing at all", replaced("ListBucketResult", "html")),
        ("another encoding", Fault::Header("content-encoding", "gzip".to_owned())),
    ]
}

#[test]
fn a_listing_that_is_broken_once_is_asked_for_again() {
    let (objects, _, server) = world(30);
    for (what, fault) in faults_of_listings() {
        let proxy = Proxy::start(server.address, move |request| {
            let broken = request.is_list() && request.target.contains("us-east-1%2F") && request.tried == 0;
            if broken { fault.clone() } else { Fault::None }
        });
        let read = read(&proxy);
        assert_rule(&objects, &read, what);
        assert!(read.fatal.is_none() && read.failed.is_empty() && read.whole.len() == 30, "{what}: {read:?}");
    }
}

#[test]
fn a_listing_that_is_always_broken_is_never_taken_for_the_whole() {
    let (objects, _, server) = world(30);
    for (what, fault) in faults_of_listings() {
        // The levels above are complete: the run knows the days.
        let faulty = move |request: &Request<'_>| {
            if request.is_list() && request.target.contains("us-east-1%2F") {
                fault.clone()
            } else {
                Fault::None
            }
        };
        let proxy = Proxy::start(server.address, faulty);
        let read = read(&proxy);
        assert_rule(&objects, &read, what);
        if what != "another encoding" {
            assert!(
                read.fatal.is_some()
                    || read.failed.values().any(|(reason, _)| reason.contains("could be listed")),
                "{what}: {read:?}"
            );
        }
    }
}

/// Complete entries before the damage are read.
#[test]
fn the_good_part_of_a_torn_listing_is_read() {
    let (objects, _, server) = world(30);
    let proxy =
        Proxy::start(
            server.address,
            |request| if request.is_list() { Fault::Shortened(70) } else { Fault::None },
        );
    let read = s3::read(
        "s3://trail/AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/",
        &options(&proxy.endpoint()),
    );
    assert!(read.fatal.is_none() && (3..10).contains(&read.whole.len()), "{read:?}");
    assert!(read.whole.iter().all(|(key, bytes)| objects[key] == *bytes));
    assert!(
        read.failed.values().any(|(reason, _)| reason.contains("not all of it could be listed")),
        "{:?}",
        read.failed
    );
}

fn page(truncated: bool, token: &str, keys: &[&str]) -> Vec<u8> {
    let entries: String =
        keys.iter().map(|key| format!("<Contents><Key>{key}</Key><Size>1</Size></Contents>")).collect();
    let body = format!(
        "<?xml version=\"1.0\"?><ListBucketResult><KeyCount>{}</KeyCount><IsTruncated>{truncated}</IsTruncated>\
         <NextContinuationToken>{token}</NextContinuationToken>{entries}</ListBucketResult>",
        keys.len()
    );
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[test]
fn a_listing_that_never_ends_is_ended() {
    let (_, _, server) = world(1);
    // The same token and the same page; other tokens and the same page.
    type Answer = fn(u64) -> Vec<u8>;
    let answers: [(&str, Answer); 2] = [
        ("one token", |_| page(true, "t", &["a/x"])),
        ("one page", |number| page(true, &number.to_string(), &["a/x"])),
    ];
    for (what, answer) in answers {
        let asked = Arc::new(AtomicU64::new(0));
        let counted = Arc::clone(&asked);
        let proxy = Proxy::start(server.address, move |request| match request.is_list() {
            true => Fault::Answer(answer(counted.fetch_add(1, Ordering::Relaxed))),
            false => Fault::None,
        });
        let begun = Instant::now();
        let read = s3::read("s3://trail/a/", &options(&proxy.endpoint()));
        assert!(begun.elapsed() < Duration::from_secs(60), "{what}: {:?}", begun.elapsed());
        assert!(read.fatal.is_some() || read.failed.contains_key("a/"), "{what}: {read:?}");
        assert!(asked.load(Ordering::Relaxed) < 11_000, "{what}: {} requests", asked.load(Ordering::Relaxed));
    }
}

/// Faults of one object's answer.
fn faults_of_objects() -> Vec<(&'static str, Fault)> {
    vec![
        ("shortened", Fault::Shortened(50)),
        ("empty", Fault::Shortened(0)),
        ("unmeasured", Fault::Unmeasured(50)),
        ("cut", Fault::CutBody(50)),
        ("another ETag", Fault::Header("etag", "\"0123456789abcdef0123456789abcdef\"".to_owned())),
        ("a weak ETag", Fault::Header("etag", "W/\"0123\"".to_owned())),
        ("a smaller length", Fault::Header("content-length", "7".to_owned())),
        ("a larger length", Fault::Header("content-length", "999999".to_owned())),
        ("no sensible length", Fault::Header("content-length", "many".to_owned())),
        ("packed", Fault::Gzip),
        ("said to be packed", Fault::Header("content-encoding", "gzip".to_owned())),
    ]
}

#[test]
fn an_answer_that_is_not_what_it_says_is_no_object() {
    let (objects, _, server) = world(12);
    for once in [true, false] {
        for (what, fault) in faults_of_objects() {
            let faulty = move |request: &Request<'_>| {
                if request.target.contains("0007.json") && !request.is_list() && (!once || request.tried == 0)
                {
                    fault.clone()
                } else {
                    Fault::None
                }
            };
            let proxy = Proxy::start(server.address, faulty);
            let patience = Patience { silence: Duration::from_millis(300), ..quick("").patience };
            let read = s3::read("s3://trail", &Options { patience, ..options(&proxy.endpoint()) });
            assert!(read.fatal.is_none(), "{what}: {read:?}");
            assert_rule(&objects, &read, what);
            assert!(
                read.whole.len() >= 11 && (!once || read.whole.len() == 12),
                "{what}, once: {once}: {:?}",
                read.failed
            );
        }
    }
}

/// An object that a proxy compresses is the same object.
#[test]
fn what_is_packed_on_the_way_is_unpacked() {
    let (objects, _, server) = world(12);
    let proxy =
        Proxy::start(server.address, |request| if request.is_list() { Fault::None } else { Fault::Gzip });
    let read = read(&proxy);
    assert_eq!((read.whole, read.failed.len()), (objects, 0));
}

/// Whatever a redirect says, no request and no signature is sent to another host.
#[test]
fn credentials_never_follow_to_another_host() {
    let (objects, _, server) = world(6);
    let stranger = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = stranger.local_addr().unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut client in stranger.incoming().flatten() {
            let mut head = [0; 2_048];
            let read = client.read(&mut head).unwrap_or(0);
            heard.lock().unwrap().push(String::from_utf8_lossy(&head[..read]).into_owned());
            let _ = client.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        }
    });
    for status in [301, 302, 303, 307, 308] {
        for region in
            ["", "x-amz-bucket-region: 127.0.0.1:1/#\r\n", "x-amz-bucket-region: evil.example.net/\r\n"]
        {
            let answer = format!("HTTP/1.1 {status} Moved\r\nlocation: http://{address}/trail\r\n{region}content-length: 0\r\n\r\n").into_bytes();
            for lists in [true, false] {
                let answer = answer.clone();
                let proxy = Proxy::start(server.address, move |request| {
                    if request.is_list() == lists || request.target.contains("0003") {
                        Fault::Answer(answer.clone())
                    } else {
                        Fault::None
                    }
                });
                let read = read(&proxy);
                assert_rule(&objects, &read, "redirected");
                assert!(read.fatal.is_some() || !read.failed.is_empty(), "{status}: {read:?}");
                let fatal = read.fatal.map(|error| error.kind);
                assert!(
                    matches!(
                        fatal,
                        None | Some(FatalKind::OtherRegion | FatalKind::Refused | FatalKind::Unavailable)
                    ),
                    "{status}: {fatal:?}"
                );
            }
        }
    }
    assert_eq!(*seen.lock().unwrap(), Vec::<String>::new(), "a stranger was asked");
}

/// Two minutes of silence exceed the timeout; it is shorter here, but the rule is the same.
#[test]
fn an_answer_after_two_minutes_is_not_waited_for() {
    let (objects, _, server) = world(6);
    let proxy = Proxy::start(server.address, |request| {
        if request.target.contains("0003.json") || request.tried == 0 {
            Fault::Delay(Duration::from_secs(120))
        } else {
            Fault::None
        }
    });
    let patience = Patience { response: Duration::from_millis(300), ..quick("").patience };
    let begun = Instant::now();
    let read = s3::read("s3://trail", &Options { patience, ..options(&proxy.endpoint()) });
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
    assert_rule(&objects, &read, "late");
    assert!(
        read.fatal.is_none()
            && read.whole.len() == 5
            && read
                .reason(
                    objects
                        .keys()
                        .nth(3)
                        .filter(|key| key.contains("0003"))
                        .unwrap_or_else(|| objects.keys().find(|key| key.contains("0003")).unwrap())
                )
                .contains("no answer in time")
    );
}

/// Unusual keys that S3 allows.
#[test]
fn odd_keys_are_keys() {
    let long = format!("long/{}.json", "k".repeat(1_010));
    let odd = [
        "a//b.json",
        "a/./b.json",
        "a/../b.json",
        "/begins.json",
        "plus+and space.json",
        "per%cent%41.json",
        "quest?ion=1&x#y.json",
        "line\nbreak.json",
        "tab\tand\u{1}control.json",
        "quotes\"and'.json",
        "<xml>&amp;.json",
        "größe/東京/🐳.json",
        "\u{202e}txt.json",
        "back\\slash.json",
        "star*.json",
        "tilde~.json",
        "semi;colon:.json",
        "~",
        "trailing space .json",
        &long,
    ];
    let objects: Objects = odd
        .iter()
        .enumerate()
        .map(|(number, key)| ((*key).to_owned(), format!("{{\"number\":{number}}}\n").into_bytes()))
        .collect();
    let memory = Arc::new(Memory::new("trail", objects.clone()));
    let server = Server::memory(&memory);
    let read = s3::read("s3://trail", &options(&server.endpoint()));
    assert!(read.fatal.is_none() && read.failed.is_empty(), "{read:?}");
    let lost: Vec<_> = objects.keys().filter(|key| !read.whole.contains_key(*key)).collect();
    assert!(lost.is_empty(), "{lost:?}");
    assert_eq!(read.whole, objects);
}
