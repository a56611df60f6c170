//! What is news, and what is not.

use super::*;

fn time(day: i64) -> Timestamp {
    Timestamp::from_millis(1_772_409_600_000 + day * 86_400_000)
}

fn loss(severity: Severity, gone: Option<i64>) -> Loss {
    Loss {
        id: "0123456789abcdef".into(),
        severity,
        kind: if gone.is_some() { FindingKind::SameTagRace } else { FindingKind::DisplacedAlive },
        repository: Repository {
            registry_id: "111122223333".into(),
            region: "eu-central-1".into(),
            name: "shop/api".into(),
        },
        tag: Some("v7".into()),
        digest: Digest::parse(&format!("sha256:{}", "0a".repeat(32))),
        gone_at: gone.map(time),
    }
}

fn take(known: &mut Known, loss: &Loss, day: i64) -> News {
    let losses = joined([loss.clone()]);
    known.take(&losses, Some(time(day)), time(day))[&loss.id]
}

/// Written to text and parsed again, as between two nights.
fn over_night(known: &Known) -> Known {
    Known::parse(&serde_json::to_vec(known).unwrap()).unwrap()
}

#[test]
fn every_loss_is_told_once_and_every_worsening_once() {
    use Severity::{Critical, High, Low};
    let mut known = Known::default();
    let nights = [
        (loss(Low, None), News::New),
        (loss(Low, None), News::Known),
        // The image is gone; it was not before.
        (loss(Low, Some(3)), News::Worse),
        (loss(High, Some(3)), News::Worse),
        // The pulls have left the window of logs, and come back.
        (loss(Low, Some(3)), News::Known),
        (loss(High, Some(3)), News::Known),
        (loss(Critical, Some(3)), News::Worse),
        // Only a stopped task is left of it.
        (Loss { kind: FindingKind::Unexplained, gone_at: None, ..loss(Critical, Some(3)) }, News::Known),
        // Pushed again, and lost again.
        (loss(Low, Some(9)), News::New),
        (loss(Low, Some(9)), News::Known),
        (loss(High, Some(9)), News::Worse),
    ];
    for (night, (loss, expected)) in nights.into_iter().enumerate() {
        known = over_night(&known);
        assert_eq!(take(&mut known, &loss, night as i64 + 10), expected, "night {night}");
    }
    assert_eq!(known.known.len(), 1);
}

#[test]
fn an_acceptance_ends_with_its_day_or_when_it_gets_worse() {
    let accept = |severity, until| {
        let mut known = Known::default();
        known.accept(Acceptance {
            id: loss(severity, Some(3)).id,
            until: time(until),
            reason: "rebuilt on Monday".into(),
            as_of: Some(loss(severity, Some(3))),
        });
        known
    };
    let mut known = accept(Severity::Medium, 20);
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 10), News::Accepted);
    known = over_night(&known);
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 20), News::New);
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 21), News::Known);
    assert!(known.accepted.is_empty());

    let mut known = accept(Severity::Medium, 20);
    assert_eq!(take(&mut known, &loss(Severity::Critical, Some(3)), 11), News::Worse);
    assert_eq!(take(&mut known, &loss(Severity::Critical, Some(3)), 12), News::Known);

    // Known first and accepted later: it is reported again all the same.
    let mut known = Known::default();
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 9), News::New);
    known.accept(Acceptance {
        id: loss(Severity::Medium, None).id,
        until: time(20),
        reason: "by hand".into(),
        as_of: None,
    });
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 10), News::Accepted);
    assert_eq!(take(&mut known, &loss(Severity::Medium, Some(3)), 20), News::New);
}

#[test]
fn of_several_ends_the_last_counts_and_of_one_the_worst() {
    let several = joined([
        loss(Severity::Critical, Some(3)),
        loss(Severity::Low, Some(9)),
        loss(Severity::Medium, Some(9)),
        loss(Severity::Critical, Some(4)),
    ]);
    let only = several.values().next().unwrap();
    assert_eq!((several.len(), only.severity, only.gone_at), (1, Severity::Medium, Some(time(9))));
}

#[test]
fn two_results_are_compared_by_what_was_lost() {
    let other = |id: &str, severity, gone| Loss { id: id.into(), ..loss(severity, gone) };
    let old = vec![
        other("a", Severity::Low, None),
        other("b", Severity::High, Some(3)),
        other("c", Severity::High, Some(3)),
        other("e", Severity::Low, None),
    ];
    let new = vec![
        other("a", Severity::Low, Some(4)),
        other("b", Severity::Low, Some(3)),
        other("d", Severity::High, Some(3)),
        other("e", Severity::Low, None),
    ];
    let diff = diff(old, new);
    let ids = |losses: &[Loss]| losses.iter().map(|loss| loss.id.clone()).collect::<Vec<_>>();
    assert_eq!((ids(&diff.new), ids(&diff.gone), diff.same), (vec!["d".to_owned()], vec!["c".to_owned()], 1));
    assert_eq!(
        (&*diff.worse[0].after.id, &*diff.better[0].after.id, diff.worse.len(), diff.better.len()),
        ("a", "b", 1, 1)
    );
}

#[test]
fn a_file_that_is_none_of_ours_is_refused() {
    for text in [
        "",
        "{}",
        "[]",
        r#"{"schema_version":2,"accepted":[],"known":[]}"#,
        r#"{"schema_version":1,"accepted":[],"known":[],"more":1}"#,
    ] {
        assert!(Known::parse(text.as_bytes()).is_err(), "{text}");
    }
    assert!(read(br#"{"schema_version":1,"command":"timeline","findings":[]}"#).is_err());
}
