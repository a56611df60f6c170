//! CloudTrail's key layout, pruning by it, and the rules for retries.

use std::time::Duration;

use tagfall::model::{Filter, Timestamp};
use tagfall::source::layout::{self, KeyPosition, Kind, Level, Selection};
use tagfall::source::retry::{Cause, Jitter, Policy, RetryDecision, Tries};

type Told<'p> = (Level, Option<Kind>, Option<&'p str>, Option<&'p str>, Option<(String, String)>);

fn told(path: &str) -> Told<'_> {
    let place = KeyPosition::of(path);
    let days = place.days.map(|days| (layout::day_name(days.first), layout::day_name(days.last)));
    (place.level, place.kind, place.account, place.region, days)
}

fn days(first: &str, last: &str) -> Option<(String, String)> {
    Some((first.to_owned(), last.to_owned()))
}

const ACCOUNT: Option<&str> = Some("111122223333");
const REGION: Option<&str> = Some("us-east-1");

#[test]
fn every_step_down_the_layout_tells_more() {
    let events = Some(Kind::Events);
    for (path, expected) in [
        ("", (Level::Outside, None, None, None, None)),
        ("central/logs/", (Level::Outside, None, None, None, None)),
        ("central/AWSLogs/", (Level::Accounts, None, None, None, None)),
        ("AWSLogs/o-abc123/", (Level::Accounts, None, None, None, None)),
        ("AWSLogs/o-abc123/111122223333/", (Level::Account, None, ACCOUNT, None, None)),
        ("AWSLogs/111122223333/CloudTrail/", (Level::Kind, events, ACCOUNT, None, None)),
        ("AWSLogs/111122223333/CloudTrail/us-east-1/", (Level::Region, events, ACCOUNT, REGION, None)),
        (
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/",
            (Level::Year, events, ACCOUNT, REGION, days("2024-01-01", "2024-12-31")),
        ),
        (
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/02/",
            (Level::Month, events, ACCOUNT, REGION, days("2024-02-01", "2024-02-29")),
        ),
        (
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/12/",
            (Level::Month, events, ACCOUNT, REGION, days("2024-12-01", "2024-12-31")),
        ),
        (
            "AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/",
            (Level::Day, events, ACCOUNT, REGION, days("2024-10-01", "2024-10-01")),
        ),
    ] {
        assert_eq!(told(path), expected, "{path}");
    }
}

#[test]
fn what_is_no_layout_is_not_pruned_by() {
    for path in [
        "CloudTrail2/us-east-1/2024/",
        "AWSLogs/readme/x.json",
        "AWSLogs/12345/CloudTrail/us-east-1/2024/10/01/x.json.gz",
        "mine/CloudTrail/us-east-1/x.json",
        "2024/10/01/events.json",
        "111122223333_notes_us-east-1_20241001T0000Z.json",
    ] {
        assert_eq!((KeyPosition::of(path).kind, KeyPosition::of(path).days), (None, None), "{path}");
    }
    // Below a region, in a folder that is not a date: the region is known, but not the level.
    let place = KeyPosition::of("AWSLogs/111122223333/CloudTrail/us-east-1/backfill/2024/");
    assert_eq!((place.level, place.region, place.days), (Level::Outside, REGION, None));
    let place = KeyPosition::of("AWSLogs/111122223333/CloudTrail/us-east-1/2024/13/");
    assert_eq!((place.level, place.days.is_some()), (Level::Outside, true));
    assert_eq!(KeyPosition::of("AWSLogs/111122223333/CloudTrail/2024/10/01/").region, None);
}

#[test]
fn a_file_name_tells_what_a_copy_without_folders_lost() {
    let name = "111122223333_CloudTrail_us-east-1_20230710T1220Z_WMiHxZgr5Hdd6UDc.json.gz";
    assert_eq!(
        told(name),
        (Level::Outside, Some(Kind::Events), ACCOUNT, REGION, days("2023-07-10", "2023-07-10"))
    );
    let digest = "digests/111122223333_CloudTrail-Digest_us-east-1_trail_with_underscores_eu-west-1_20230710T122000Z_backfill.json.gz";
    assert_eq!(
        told(digest),
        (Level::Outside, Some(Kind::Other), ACCOUNT, REGION, days("2023-07-10", "2023-07-10"))
    );
    let old = "111122223333_CloudTrail_us-east-1_20131010T1255ZHdkvFTXOA3Vnhbc.json.gz";
    assert_eq!(told(old).4, days("2013-10-10", "2013-10-10"));
}

#[test]
fn folders_are_believed_before_the_name() {
    let key = "AWSLogs/444455556666/CloudTrail/eu-west-1/2024/10/01/111122223333_CloudTrail_us-east-1_20230710T1220Z_x.json.gz";
    assert_eq!(
        told(key),
        (
            Level::Day,
            Some(Kind::Events),
            Some("444455556666"),
            Some("eu-west-1"),
            days("2024-10-01", "2024-10-01")
        )
    );
    let month = "CloudTrail/eu-west-1/2024/10/111122223333_CloudTrail_us-east-1_20241007T1220Z_x.json.gz";
    assert_eq!(
        told(month),
        (Level::Month, Some(Kind::Events), ACCOUNT, Some("eu-west-1"), days("2024-10-07", "2024-10-07"))
    );
}

#[test]
fn the_innermost_layout_counts() {
    let copy = "AWSLogs/444455556666/CloudTrail/eu-west-1/copies/AWSLogs/111122223333/CloudTrail/us-east-1/2024/10/01/x.json.gz";
    assert_eq!((KeyPosition::of(copy).account, KeyPosition::of(copy).region), (ACCOUNT, REGION));
}

#[test]
fn other_kinds_and_other_services() {
    for kind in
        ["CloudTrail-Digest", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail-Aggregated"]
    {
        let key = format!("p/AWSLogs/o-1/111122223333/{kind}/us-east-1/2024/10/01/x.json.gz");
        assert_eq!(KeyPosition::of(&key).kind, Some(Kind::Other), "{kind}");
        assert_eq!(KeyPosition::of(&key).region, REGION);
    }
    let config = KeyPosition::of("AWSLogs/111122223333/Config/us-east-1/2024/10/1/ConfigHistory/x.json.gz");
    assert_eq!(config.kind, Some(Kind::OtherService));
    assert!(!Selection::new(&Filter::default()).admits(&config));
    // CloudTrail Lake's exports may contain events, so their content decides.
    assert_eq!(
        KeyPosition::of("AWSLogs/111122223333/CloudTrail-Lake/Query/2024/10/01/id/result_1.csv.gz").kind,
        None
    );
}

#[test]
fn regions_of_all_partitions() {
    for region in [
        "us-gov-west-1",
        "cn-northwest-1",
        "us-iso-east-1",
        "eusc-de-east-1",
        "ap-southeast-7",
        "us-isob-east-1",
    ] {
        assert_eq!(
            KeyPosition::of(&format!("AWSLogs/111122223333/CloudTrail/{region}/")).region,
            Some(region)
        );
    }
    for word in ["global", "us-east", "US-EAST-1", "2024", "a-1", "us--1", "us-east-111"] {
        assert_eq!(
            KeyPosition::of(&format!("AWSLogs/111122223333/CloudTrail/{word}/")).region,
            None,
            "{word}"
        );
    }
}

fn filter(since: &str, until: &str) -> Filter {
    Filter { since: Timestamp::parse(since), until: Timestamp::parse(until), ..Filter::default() }
}

fn admits(filter: &Filter, folder: &str) -> bool {
    Selection::new(filter)
        .admits(&KeyPosition::of(&format!("AWSLogs/111122223333/CloudTrail/us-east-1/{folder}")))
}

#[test]
fn delivery_days_are_pruned_with_slack_at_the_end_only() {
    let filter = filter("2024-09-10T23:00:00Z", "2024-09-12T00:00:00Z");
    let taken: Vec<u32> = (1..=30).filter(|day| admits(&filter, &format!("2024/09/{day:02}/"))).collect();
    assert_eq!(taken, [10, 11, 12, 13]);
    assert!(admits(&filter, "") && admits(&filter, "2024/") && admits(&filter, "2024/09/"));
    assert!(
        !admits(&filter, "2023/")
            && !admits(&filter, "2024/08/")
            && !admits(&filter, "2024/10/")
            && !admits(&filter, "2025/")
    );
}

#[test]
fn slack_crosses_months_and_years() {
    let filter = filter("2024-02-29T00:00:00Z", "2024-12-31T23:59:59Z");
    assert!(
        admits(&filter, "2025/01/01/")
            && admits(&filter, "2025/01/")
            && admits(&filter, "2025/")
            && !admits(&filter, "2025/01/02/")
    );
    assert!(admits(&filter, "2024/02/29/") && !admits(&filter, "2024/02/28/"));
    let selection = Selection::new(&filter);
    let whole = |folder: &str| {
        selection.takes_all_of(
            KeyPosition::of(&format!("AWSLogs/111122223333/CloudTrail/us-east-1/{folder}")).days,
        )
    };
    assert!(
        whole("2024/03/")
            && whole("2024/12/")
            && !whole("2024/02/")
            && !whole("2024/")
            && !whole("2025/01/")
            && !whole("")
    );
}

#[test]
fn times_at_the_end_of_time_prune_nothing_wrongly() {
    let filter = Filter {
        since: Some(Timestamp::from_millis(i64::MIN)),
        until: Some(Timestamp::from_millis(i64::MAX)),
        ..Filter::default()
    };
    assert!(admits(&filter, "2024/09/10/"));
}

#[test]
fn what_is_documentation_or_hidden_is_no_evidence() {
    for path in [
        "a.json",
        "a/b.json.gz",
        "README",
        "notes.md.json",
        "a..b/c",
        "größe.json",
        ".md/..",
        "a/../b.json",
        "a/./b.json",
    ] {
        assert_eq!(layout::is_evidence(path), !path.starts_with('.'), "{path}");
    }
    for path in
        ["README.md", "a/b.MD", ".hidden", "a/.git/x.json", ".DS_Store", "folder/", "", "a/..", "é.md"]
    {
        assert!(!layout::is_evidence(path), "{path}");
    }
}

#[test]
fn no_path_is_too_strange() {
    let mut jitter = Jitter::new(7);
    let alphabet = [
        "AWSLogs",
        "111122223333",
        "o-1",
        "CloudTrail",
        "us-east-1",
        "2024",
        "10",
        "99",
        "/",
        "//",
        "_",
        "ä",
        "",
        "T",
        "20241001T",
        "-",
    ];
    for _ in 0..20_000 {
        let path: String =
            (0..12).map(|_| alphabet[(jitter.draw() * alphabet.len() as f64) as usize]).collect();
        let place = KeyPosition::of(&path);
        assert!(place.days.is_none_or(|days| days.first <= days.last), "{path}");
        layout::is_evidence(&path);
    }
}

const POLICY: Policy = Policy {
    tries_max: 5,
    elapsed_max: Duration::from_secs(10),
    delay_first: Duration::from_millis(100),
    delay_max: Duration::from_secs(1),
};

fn delays(policy: Policy, cause: Cause, jitter: f64) -> Vec<u128> {
    let mut tries = Tries::new(policy);
    let mut delays = Vec::new();
    while let RetryDecision::Again { after } = tries.failed(cause, Duration::ZERO, jitter) {
        delays.push(after.as_millis());
    }
    delays
}

#[test]
fn waits_grow_are_bounded_and_half_of_each_is_chance() {
    assert_eq!(delays(POLICY, Cause::Reset, 1.0), [100, 200, 400, 800]);
    assert_eq!(delays(POLICY, Cause::Reset, 0.0), [50, 100, 200, 400]);
    assert_eq!(delays(POLICY, Cause::Throttled, 1.0), [400, 800, 1000, 1000]);
    assert_eq!(delays(Policy { tries_max: 1, ..POLICY }, Cause::Reset, 0.5), [0_u128; 0]);
    assert_eq!(delays(Policy { tries_max: 100, ..POLICY }, Cause::Connect, 7.0).last(), Some(&1000));
}

#[test]
fn time_ends_tries_as_well_as_their_count() {
    let mut tries = Tries::new(POLICY);
    assert!(matches!(tries.failed(Cause::Slow, Duration::from_secs(3), 0.5), RetryDecision::Again { .. }));
    assert_eq!(
        tries.failed(Cause::Slow, Duration::from_millis(9_950), 0.5),
        RetryDecision::GiveUp { tries: 2 }
    );
    let mut tries = Tries::new(POLICY);
    for _ in 0..4 {
        tries.failed(Cause::Slow, Duration::ZERO, 0.5);
    }
    assert_eq!(tries.failed(Cause::Slow, Duration::ZERO, 0.5), RetryDecision::GiveUp { tries: 5 });
}

#[test]
fn jitter_is_spread_and_repeats_with_its_seed() {
    let draw = |seed| {
        let mut jitter = Jitter::new(seed);
        (0..1000).map(|_| jitter.draw()).collect::<Vec<_>>()
    };
    assert_eq!(draw(1), draw(1));
    assert_ne!(draw(1), draw(2));
    let numbers = draw(3);
    assert!(numbers.iter().all(|number| (0.0..1.0).contains(number)));
    let mean = numbers.iter().sum::<f64>() / 1000.0;
    assert!((0.45..0.55).contains(&mean), "{mean}");
}
