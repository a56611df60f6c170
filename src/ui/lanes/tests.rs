//! Pictures of hand-made stories.

use super::draw::{Line, lines};
use super::*;
use crate::ui::paint::Style;
use crate::ui::samples;

fn shown(lines: &[Line]) -> Vec<String> {
    lines
        .iter()
        .map(|line| line.iter().map(|(_, text)| text.as_str()).collect::<String>().trim_end().to_owned())
        .collect()
}

fn step(kind: StepKind, at: &str, tag: Option<&str>) -> crate::model::TimelineStep {
    let event = samples::event("PutImage", at, "arn:aws:iam::111122223333:user/a");
    let time = event.event_time;
    crate::model::TimelineStep {
        time,
        kind,
        tag: tag.map(Into::into),
        other_digest: None,
        order: crate::model::Order::Observed,
        event,
    }
}

fn timeline(byte: u8, steps: Vec<crate::model::TimelineStep>) -> Timeline {
    Timeline {
        digest: samples::digest(byte),
        pushed_at: Some(steps[0].time),
        untagged_at: None,
        gone_at: None,
        open_start: false,
        steps,
        ..samples::timeline()
    }
}

/// A race, a run, two pulls in vain, and then the new image in use.
fn race() -> (Finding, Timeline, Timeline) {
    let lost = timeline(
        1,
        vec![
            step(StepKind::Push, "2026-03-02T10:00:00Z", Some("v7")),
            step(StepKind::TagLost, "2026-03-02T10:00:09Z", Some("v7")),
            step(StepKind::Pull, "2026-03-05T10:00:00Z", None),
            step(StepKind::Expire, "2026-03-10T02:00:00Z", None),
            step(StepKind::Pull, "2026-03-24T09:00:00Z", None),
            step(StepKind::TaskStopped, "2026-03-24T09:10:00Z", None),
        ],
    );
    let kept = timeline(
        2,
        vec![
            step(StepKind::Push, "2026-03-02T10:00:09Z", Some("v7")),
            step(StepKind::Pull, "2026-03-24T10:00:00Z", Some("v7")),
        ],
    );
    let mut finding = samples::finding();
    finding.tag = Some("v7".into());
    finding.lost.pushed_at = Some(lost.steps[0].time);
    finding.lost.gone_at = Some(lost.steps[3].time);
    (finding, lost, kept)
}

#[test]
fn the_tag_drops_and_the_image_goes() {
    let (finding, lost, kept) = race();
    let picture = Picture::of(&finding, Some(&lost), Some(&kept)).unwrap();
    let drawn = shown(&lines(&picture, 60, Style::default()));
    let plain = shown(&lines(&picture, 60, Style { ascii: true, ..Style::default() }));
    assert!(drawn[0].starts_with("v7 ") && drawn[0].contains("●━") && drawn[0].ends_with('╮'), "{drawn:#?}");
    for (line, signs) in [(1, "█░▲✂┄✗"), (2, "╰█▲"), (3, "▁█")] {
        let mut order = drawn[line].chars().filter(|sign| !sign.is_ascii());
        assert!(signs.chars().all(|sign| order.any(|found| found == sign)), "{signs} in {}", drawn[line]);
    }
    // The tag arrives where it left, and nothing is drawn before.
    let place = |line: &str, sign: char| line.chars().position(|found| found == sign);
    assert_eq!(place(&drawn[0], '╮'), place(&drawn[2], '╰'));
    assert!(plain.iter().all(|line| line.is_ascii()), "{plain:#?}");
    assert!(drawn.last().unwrap().ends_with("2026-03-24"), "{drawn:#?}");
}

#[test]
fn nothing_is_wider_than_asked_for() {
    let (finding, lost, kept) = race();
    let picture = Picture::of(&finding, Some(&lost), Some(&kept)).unwrap();
    for columns in [38, 58, 78, 198] {
        for line in shown(&lines(&picture, columns, Style::default())) {
            assert!(line.chars().count() <= columns, "{columns}: {line}");
        }
    }
}

#[test]
fn nine_seconds_and_fourteen_days_can_both_be_seen() {
    let (finding, lost, kept) = race();
    let picture = Picture::of(&finding, Some(&lost), Some(&kept)).unwrap();
    let widths: Vec<(i64, f64)> =
        picture.scale.gaps().map(|gap| (gap.seconds, gap.until - gap.from)).collect();
    assert_eq!(widths.iter().map(|(seconds, _)| seconds).sum::<i64>(), 22 * 86_400);
    assert!(widths[0].0 == 9 && widths[0].1 > 0.03, "{widths:?}");
    assert!(widths.windows(2).all(|pair| (pair[0].0 < pair[1].0) == (pair[0].1 < pair[1].1)), "{widths:?}");
}

/// An archived image cannot be pulled and later comes back; in between it is not drawn as gone.
#[test]
fn what_is_archived_or_pushed_again_is_no_ghost() {
    let life = timeline(
        3,
        vec![
            step(StepKind::Push, "2026-03-02T10:00:00Z", Some("v7")),
            step(StepKind::Archive, "2026-03-05T10:00:00Z", None),
            step(StepKind::Pull, "2026-03-06T10:00:00Z", None),
            step(StepKind::Restore, "2026-03-07T10:00:00Z", None),
            step(StepKind::Delete, "2026-03-12T10:00:00Z", None),
            step(StepKind::Push, "2026-03-20T10:00:00Z", Some("v8")),
            step(StepKind::Pull, "2026-03-22T10:00:00Z", None),
        ],
    );
    let picture = Picture::of_life(&life).unwrap();
    let states: Vec<State> = picture.lanes[0]
        .spans
        .iter()
        .map(|span| span.state)
        .filter(|state| *state != State::Absent)
        .collect();
    assert_eq!(states, [State::Tagged, State::Archived, State::Tagged, State::Gone, State::Tagged]);
    let vain = picture.lanes[0].marks.iter().filter(|mark| mark.sign == Sign::InVain).count();
    assert_eq!(vain, 1);
}

#[test]
fn of_an_image_of_which_nothing_is_known_there_is_no_picture() {
    let (finding, ..) = race();
    assert_eq!(Picture::of(&finding, None, None), None);
}

/// A copy that was deleted with its source has no event for that; requests after it failed all the same.
#[test]
fn an_end_that_no_event_tells_is_drawn() {
    let mut copy = timeline(
        4,
        vec![
            step(StepKind::Replicate, "2026-10-02T09:00:05Z", Some("v1")),
            step(StepKind::Pull, "2026-11-05T07:00:00Z", Some("v1")),
        ],
    );
    copy.gone_at = crate::model::Timestamp::parse("2026-11-01T12:00:00Z");
    let picture = Picture::of_life(&copy).unwrap();
    let states: Vec<State> = picture.lanes[0]
        .spans
        .iter()
        .map(|span| span.state)
        .filter(|state| *state != State::Absent)
        .collect();
    assert_eq!(states, [State::Tagged, State::Gone]);
    let signs: Vec<Sign> = picture.lanes[0].marks.iter().map(|mark| mark.sign).collect();
    assert_eq!(signs, [Sign::Push, Sign::Taken, Sign::InVain]);
}

#[test]
fn who_asked_too_early_stands_before_the_push() {
    let late = timeline(5, vec![step(StepKind::Push, "2026-03-02T10:02:10Z", Some("b41"))]);
    let mut finding = samples::finding();
    (finding.kind, finding.tag) = (FindingKind::AskedBeforePushed, Some("b41".into()));
    finding.lost = crate::model::LostImage {
        digest: Some(late.digest),
        pushed_at: Some(late.steps[0].time),
        untagged_at: None,
        gone_at: None,
    };
    finding.second_push.event_time = crate::model::Timestamp::parse("2026-03-02T10:00:20Z").unwrap();
    let picture = Picture::of(&finding, Some(&late), None).unwrap();
    let image = picture.lanes.iter().find(|lane| lane.kind == LaneKind::Lost).unwrap();
    assert_eq!(image.marks.iter().map(|mark| mark.sign).collect::<Vec<_>>(), [Sign::InVain, Sign::Push]);
    assert_eq!(image.spans.iter().map(|span| span.state).collect::<Vec<_>>(), [State::Absent, State::Tagged]);
}
