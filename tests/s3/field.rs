//! Buckets as they occur in practice: policies that allow a part, prefixes for many teams, archived objects,
//! several sources.

use crate::s3;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use s3::{Fault, Memory, Proxy, Refusal, Request, Server, error_answer, quick, read, read_with};
use tagfall::model::{Filter, Timestamp};
use tagfall::source::{self, FatalKind, Options};

fn key(account: &str, day: &str, number: u32) -> String {
    format!(
        "AWSLogs/{account}/CloudTrail/us-east-1/{day}/{account}_CloudTrail_us-east-1_{}T0000Z_{number:016}.json.gz",
        day.replace('/', "")
    )
}

fn bucket(keys: impl IntoIterator<Item = String>) -> (Arc<Memory>, Server) {
    let memory = Arc::new(Memory::new("trail", keys.into_iter().map(|key| (key.clone(), key.into_bytes()))));
    let server = Server::memory(&memory);
    (memory, server)
}

fn denied() -> Fault {
    Fault::Answer(error_answer(403, "AccessDenied", ""))
}

/// Whether a LIST request is for `prefix`.
fn lists(request: &Request<'_>, prefix: &str) -> bool {
    request.is_list() && request.target.contains(&format!("prefix={}", prefix.replace('/', "%2F")))
}

#[test]
fn an_account_that_may_not_be_listed_stands_in_coverage_and_the_others_are_read() {
    let (_, server) =
        bucket(["111122223333", "444455556666", "777788889999"].map(|account| key(account, "2024/10/01", 1)));
    let proxy = Proxy::start(server.address, |request| {
        if lists(request, "AWSLogs/444455556666/") { denied() } else { Fault::None }
    });
    let read = read("s3://trail", &quick(&proxy.endpoint()));
    assert_eq!(read.fatal, None);
    assert_eq!(read.names(), [key("111122223333", "2024/10/01", 1), key("777788889999", "2024/10/01", 1)]);
    let reason = read.reason("AWSLogs/444455556666/");
    assert!(reason.contains("s3:ListBucket") && !reason.contains("s3:GetObject"), "{reason}");
}

/// A bucket without folders is listed page after page until that fails: the missing objects have no common
/// prefix.
#[test]
fn a_bucket_that_cannot_be_listed_to_its_end_is_named() {
    let (_, server) = bucket((0..2_500).map(|number| format!("{number:04}.json")));
    let failing = |request: &Request<'_>| request.is_list() && request.target.contains("continuation-token=");
    let proxy = Proxy::start(server.address, move |request| {
        if failing(request) { Fault::Answer(error_answer(500, "InternalError", "")) } else { Fault::None }
    });
    let read = read("s3://trail", &quick(&proxy.endpoint()));
    assert_eq!((&read.fatal, read.whole.len(), read.failed.len()), (&None, 1_000, 1));
    assert!(read.reason("s3://trail").contains("not all of it could be listed"), "{:?}", read.failed);
}

/// A policy that allows listing only the root, for the console: nothing can be read, and only a permission is
/// missing.
#[test]
fn where_only_the_root_may_be_listed_the_missing_right_is_told() {
    let (_, server) = bucket(["111122223333", "444455556666"].map(|account| key(account, "2024/10/01", 1)));
    let proxy = Proxy::start(
        server.address,
        |request| if lists(request, "AWSLogs/") { denied() } else { Fault::None },
    );
    let error =
        read("s3://trail", &quick(&proxy.endpoint())).fatal.expect("the feed ended as if all were well");
    assert!(error.kind == FatalKind::ListDenied && error.to_string().contains("s3:ListBucket"), "{error}");
}

#[test]
fn one_object_can_be_read_without_the_right_to_list() {
    let name = key("111122223333", "2024/10/01", 1);
    let (memory, server) = bucket([name.clone()]);
    memory.refuse_lists();
    let found = read(&format!("s3://trail/{name}"), &quick(&server.endpoint()));
    assert_eq!((found.fatal, found.whole.into_keys().collect::<Vec<_>>()), (None, vec![name.clone()]));
    let plan =
        source::plan(&format!("s3://trail/{name}"), &quick(&server.endpoint()), &Filter::default()).unwrap();
    assert_eq!((plan.objects, plan.bytes), (1, name.len() as u64));
    let error = read("s3://trail/AWSLogs/1111", &quick(&server.endpoint()))
        .fatal
        .expect("the feed ended as if all were well");
    assert_eq!(error.kind, FatalKind::ListDenied);
}

/// An organisation in which every team has its own prefix in one bucket: `team/AWSLogs/…`, or deeper.
#[test]
fn a_prefix_for_each_of_many_teams_is_pruned_like_a_single_trail() {
    for deeper in ["", "cloudtrail/"] {
        let days = ["2024/09/01", "2024/10/01"];
        let keys = (0..200).flat_map(|team| {
            days.map(|day| format!("team-{team:03}/{deeper}{}", key("111122223333", day, team)))
        });
        let (memory, server) = bucket(keys);
        let filter = Filter { since: Timestamp::parse("2024-09-20T00:00:00Z"), ..Filter::default() };
        let read = read_with("s3://trail", &quick(&server.endpoint()), &filter);
        assert_eq!((read.fatal, read.whole.len()), (None, 200));
        let plain = memory
            .lists()
            .iter()
            .filter(|prefix| prefix.matches('/').count() < 2 && !prefix.is_empty())
            .count();
        let too_early = memory.lists().iter().filter(|prefix| prefix.ends_with("2024/09/01/")).count();
        assert_eq!(too_early, 0, "what is before --since is not looked into");
        assert!(plain <= 210, "{plain} requests to find the trails of 200 teams");
        assert!(memory.lists().iter().any(|prefix| prefix.ends_with("team-199/cloudtrail/AWSLogs/")
            || prefix.ends_with("team-199/AWSLogs/")));
    }
}

/// The first page of such a folder has only files; listing must not start again when folders follow.
#[test]
fn files_and_then_folders_of_strangers_are_read_once() {
    let files = (0..1_200).map(|number| format!("a-{number:04}.json"));
    let (memory, server) = bucket(files.chain((0..400).map(|number| format!("z-{number:03}/events.json"))));
    let read = read("s3://trail", &quick(&server.endpoint()));
    assert_eq!((read.fatal, read.whole.len(), memory.gets().len()), (None, 1_600, 1_600));
    assert!(memory.lists().len() <= 8, "{:?}", memory.lists());
}

#[test]
fn an_archived_object_fails_with_what_to_do() {
    let names = [1, 2].map(|number| key("111122223333", "2024/10/01", number));
    let (memory, server) = bucket(names.clone());
    memory.refuse(&names[0], Refusal::Frozen);
    let read = read("s3://trail", &quick(&server.endpoint()));
    assert_eq!((&read.fatal, read.whole.len()), (&None, 1));
    assert!(read.reason(&names[0]).contains("aws s3api restore-object"), "{}", read.reason(&names[0]));
}

/// The answer of a server with one region, and of S3 when a redirect has no header.
#[test]
fn the_region_that_only_the_body_of_an_error_tells_is_followed() {
    let (_, server) = bucket([key("111122223333", "2024/10/01", 1)]);
    let proxy = Proxy::start(server.address, |request| {
        if request.head.contains("/garage/s3/aws4_request") {
            return Fault::None;
        }
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Message>wrong</Message><Region>garage</Region></Error>";
        Fault::Answer(
            format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {}\r\n\r\n{body}", body.len()).into_bytes(),
        )
    });
    let read = read("s3://trail", &quick(&proxy.endpoint()));
    assert_eq!((read.fatal, read.whole.len()), (None, 1));
}

#[test]
fn a_clock_that_is_off_is_named_as_such() {
    let (_, server) = bucket([key("111122223333", "2024/10/01", 1)]);
    let answer = error_answer(403, "RequestTimeTooSkewed", "date: Wed, 21 Oct 2015 07:28:00 GMT\r\n");
    let proxy = Proxy::start(server.address, move |_| Fault::Answer(answer.clone()));
    let error =
        read("s3://trail", &quick(&proxy.endpoint())).fatal.expect("the feed ended as if all were well");
    assert!(error.to_string().contains("21 Oct 2015"), "{error}");
    assert!(error.what().contains("clock"), "{error}");
}

/// Sources are read one after another: those that wait must not use memory.
#[test]
fn of_several_sources_only_the_one_that_is_read_is_fetched() {
    let (first, first_server) = bucket((0..100).map(|number| key("111122223333", "2024/10/01", number)));
    let (second, second_server) = bucket((0..100).map(|number| key("444455556666", "2024/10/01", number)));
    let many = |endpoint: String| Options { many: true, ..quick(&endpoint) };
    let open = |endpoint: String| source::open("s3://trail", &many(endpoint), &Filter::default()).unwrap();
    let (one, other) = (open(first_server.endpoint()), open(second_server.endpoint()));
    let mut buffer = Vec::new();
    let mut take = |feed: &dyn source::Feed| std::iter::from_fn(|| feed.next(&mut buffer)).count();
    assert_eq!(take(&*one), 100);
    while !other.listed().complete {
        std::thread::sleep(Duration::from_millis(10));
    }
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!((first.gets().len(), second.gets().len()), (100, 0), "it is listed, and waits for its turn");
    assert_eq!(take(&*other), 100);
}

/// `AWSLogs/1111` is the beginning of an account, `…/2024/1` that of three months, and a prefix may end
/// inside of a file name.
#[test]
fn a_prefix_may_end_anywhere() {
    let keys =
        ["2024/09/30", "2024/10/01", "2024/11/02", "2024/12/31"].map(|day| key("111122223333", day, 7));
    let (_, server) = bucket(
        keys.iter().cloned().chain([key("444455556666", "2024/10/01", 1), "AWSLogs-old/x.json".to_owned()]),
    );
    let region = "AWSLogs/111122223333/CloudTrail/us-east-1";
    for (prefix, expected) in [
        ("AWSLogs/1111".to_owned(), 4),
        ("AWSLog".to_owned(), 6),
        ("AWSLogs".to_owned(), 5),
        ("AWSLogs/111122223333/Cloud".to_owned(), 4),
        ("AWSLogs/111122223333/CloudTrail/us-".to_owned(), 4),
        (format!("{region}/2024"), 4),
        (format!("{region}/2024/1"), 3),
        (format!("{region}/2024/1/"), 0),
        (format!("{region}/2024/10/0"), 1),
        (format!("{region}/2024/10/01/1111"), 1),
        (format!("{region}/2024/10/01/111122223333_CloudTrail_us-east-1_2024"), 1),
        (keys[1].clone(), 1),
    ] {
        let read = read(&format!("s3://trail/{prefix}"), &quick(&server.endpoint()));
        assert_eq!((read.fatal, read.whole.len()), (None, expected), "{prefix}");
    }
}

#[test]
fn what_is_asked_for_is_asked_for_once() {
    let (memory, server) = bucket(
        (0..3_000).map(|number| key("111122223333", &format!("2024/10/{:02}", 1 + number % 30), number)),
    );
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let proxy = Proxy::start(server.address, move |_| {
        *count.lock().unwrap() += 1;
        Fault::None
    });
    let read = read("s3://trail", &quick(&proxy.endpoint()));
    assert_eq!((read.whole.len(), read.retries), (3_000, 0));
    assert_eq!(*asked.lock().unwrap(), memory.lists().len() + 3_000);
}

/// With few or many folders on each level: folders outside of CloudTrail's layout do not cost a request each.
#[test]
fn a_deep_tree_of_strangers_is_soon_listed_plainly() {
    let (memory, server) = bucket(
        (0..1_728).map(|number| format!("{}/{}/{}/events.json", number / 144, number / 12 % 12, number % 12)),
    );
    let read = read("s3://trail", &quick(&server.endpoint()));
    assert_eq!((read.fatal, read.whole.len(), memory.gets().len()), (None, 1_728, 1_728));
    assert!(memory.lists().len() <= 600, "{} requests for 1,885 folders", memory.lists().len());
}
