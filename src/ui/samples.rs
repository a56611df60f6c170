//! Hand-made values for the tests of the views: one plain story, and one with hostile text.

use crate::model::{
    Cause, Coverage, Deleted, Digest, EventRef, Exists, Finding, FindingKind, Forecast, Gap, Gone,
    ImageState, KeptImage, LifecycleAction, LogText, LostImage, Moment, Order, Outlook, ReadFailure, Repairs,
    Repository, Sentence, Severity, StepKind, Timeline, TimelineStep, Timestamp, UntaggedBy, Usage, Verdict,
};

/// What an attacker would put into any text that he can choose: a line break followed by a forged line, a
/// title change, a colour in C1, a bidi reversal, an invisible character, a quote, a comma, and a formula
/// in front.
pub const HOSTILE: &str =
    "=HYPERLINK(\"http://x\")\r\nNo findings.\u{1b}]0;owned\u{7}\u{9b}31m\u{202e}\u{200b}\u{feff},\"";

pub fn time(text: &str) -> Timestamp {
    Timestamp::parse(text).unwrap()
}

pub fn digest(byte: u8) -> Digest {
    Digest::parse(&format!("sha256:{}", format!("{byte:02x}").repeat(32))).unwrap()
}

pub fn repository(name: &str) -> Repository {
    Repository { registry_id: "111122223333".into(), region: "eu-central-1".into(), name: name.into() }
}

pub fn event(name: &str, at: &str, actor: &str) -> EventRef {
    let object = "AWSLogs/111122223333/CloudTrail/eu-central-1/2026/03/02/a.json.gz";
    EventRef {
        event_id: "11111111-2222-3333-4444-555555555555".into(),
        event_name: name.into(),
        event_time: time(at),
        actor: Some(actor.into()),
        source_ip: Some("192.0.2.7".into()),
        user_agent: Some("docker/27".into()),
        object: object.into(),
        record: 3,
    }
}

const BUILD_A: &str = "arn:aws:sts::111122223333:assumed-role/build-a/1";
const BUILD_B: &str = "arn:aws:sts::111122223333:assumed-role/build-b/2";

pub fn coverage() -> Coverage {
    Coverage {
        objects_listed: 1_213,
        objects_read: 1_211,
        objects_skipped: 1,
        objects_left_out: 2,
        objects_failed: 1,
        bytes_compressed: 34 << 10,
        bytes_decompressed: 1 << 20,
        records: 12_004,
        records_relevant: 88,
        records_duplicate: 3,
        records_failed: 1,
        records_skipped: 2,
        lines_skipped: 4,
        records_repaired: Repairs { records: 5, json_text: 3, null_word: 2, ..Repairs::default() },
        events_sharing_an_id: 0,
        objects_lossy: 0,
        first_event_time: Some(time("2026-03-01T00:00:01Z")),
        last_event_time: Some(time("2026-03-09T23:59:58Z")),
        partial: false,
        failures: vec![ReadFailure {
            object: "a/b.json.gz".into(),
            record: Some(7),
            reason: "not an object".into(),
        }],
        omitted: vec![Gap { repository: repository("shop/api"), records: 2 }],
        snapshots: Vec::new(),
        contradictions: Vec::new(),
        warnings: vec![
            "there is no read-only event in these logs: pulls and lifecycle runs cannot be seen".into(),
        ],
    }
}

pub fn finding() -> Finding {
    let (first, second) = (
        event("PutImage", "2026-03-02T10:00:00Z", BUILD_A),
        event("PutImage", "2026-03-02T10:00:09Z", BUILD_B),
    );
    let run = event("PolicyExecutionEvent", "2026-03-05T02:00:00Z", "ecr.amazonaws.com");
    let pull =
        event("BatchGetImage", "2026-03-06T08:30:00Z", "arn:aws:sts::111122223333:assumed-role/task/9");
    Finding {
        id: "f-0123456789abcdef".into(),
        kind: FindingKind::SameTagRace,
        severity: Severity::Critical,
        repository: repository("shop/api"),
        tag: Some("v7".into()),
        tags: vec!["v7".into()],
        reasons: Vec::new(),
        lost: LostImage {
            digest: Some(digest(0xa1)),
            pushed_at: Some(first.event_time),
            untagged_at: Some(second.event_time),
            gone_at: Some(run.event_time),
        },
        kept: KeptImage { digest: Some(digest(0xb2)) },
        first_push: Some(first.clone()),
        second_push: second.clone(),
        gap_seconds: Some(9),
        order: Order::Observed,
        deletion: Some(Deleted {
            event: run.clone(),
            rule_priority: Some(1),
            rule: Some(serde_json::json!({"action": {"type": "expire"}})),
            tag_status: Some("Untagged".into()),
            tag_list: Vec::new(),
        }),
        exposure_seconds: Some(run.event_time.seconds_since(second.event_time)),
        usage: Usage {
            pulls_before: 2,
            pulls_while_untagged: 1,
            pulls_after_gone: 4,
            scanner_pulls: 0,
            last_pull: Some(pull.clone()),
            principals: vec!["arn:aws:sts::111122223333:assumed-role/task/9".into()],
            references: vec!["service:shop".into()],
        },
        summary:
            "v7 was pushed twice within 9 s; the first image lost the tag, a lifecycle rule took it, and it \
             was pulled 4 times since."
                .into(),
        advice: vec![
            "Push the image again by its digest, or deploy the one that v7 points to.".into(),
            "Make the repository's tags immutable.".into(),
        ],
        evidence: vec![first, second, run, pull],
    }
}

pub fn timeline() -> Timeline {
    let step =
        |at: &str, kind: StepKind, tag: Option<&str>, other: Option<Digest>, name: &str, actor: &str| {
            TimelineStep {
                time: time(at),
                kind,
                tag: tag.map(LogText::from),
                other_digest: other,
                order: Order::Observed,
                event: event(name, at, actor),
            }
        };
    Timeline {
        repository: repository("shop/api"),
        digest: digest(0xa1),
        state: ImageState::Expired,
        tags: Vec::new(),
        pushed_at: Some(time("2026-03-02T10:00:00Z")),
        untagged_at: Some(time("2026-03-02T10:00:09Z")),
        untagged_by: Some(UntaggedBy::Displaced),
        gone_at: Some(time("2026-03-05T02:00:00Z")),
        open_start: false,
        lives: 1,
        parents: vec![digest(0xc3)],
        children: Vec::new(),
        media_type: Some("application/vnd.oci.image.manifest.v1+json".into()),
        steps: vec![
            step("2026-03-02T10:00:00Z", StepKind::Push, Some("v7"), None, "PutImage", BUILD_A),
            step(
                "2026-03-02T10:00:09Z",
                StepKind::TagLost,
                Some("v7"),
                Some(digest(0xb2)),
                "PutImage",
                BUILD_B,
            ),
            step("2026-03-03T08:00:00Z", StepKind::Pull, None, None, "BatchGetImage", "task"),
            step("2026-03-04T08:00:00Z", StepKind::Pull, None, None, "BatchGetImage", "task"),
            step(
                "2026-03-05T02:00:00Z",
                StepKind::Expire,
                None,
                None,
                "PolicyExecutionEvent",
                "ecr.amazonaws.com",
            ),
        ],
        gaps: Vec::new(),
    }
}

pub fn verdict() -> Verdict {
    let run = event("PolicyExecutionEvent", "2026-03-05T02:00:00Z", "ecr.amazonaws.com");
    let sentence = |text: &str, evidence: Vec<EventRef>| Sentence { text: text.into(), evidence };
    Verdict {
        reference: "shop/api:v7".into(),
        repository: Some(repository("shop/api")),
        exists: Exists {
            tag_exists: Some(true),
            digest_exists: Some(false),
            tag_points_to: Some(digest(0xb2)),
        },
        moment: Moment::default(),
        cause: Cause::TagMovedThenExpired,
        gone: Some(Gone {
            at: run.event_time,
            by: Cause::TagMovedThenExpired,
            event: run.clone(),
            back_at: None,
        }),
        why: Some("f-0123456789abcdef".into()),
        reasons: Vec::new(),
        narrative: vec![
            sentence("The tag exists, the digest does not.", Vec::new()),
            sentence("It went on 2026-03-05T02:00:00Z, by lifecycle rule 1.", vec![run]),
            sentence(
                "It had lost its tag 9 s after its push.",
                vec![event("PutImage", "2026-03-02T10:00:09Z", BUILD_B)],
            ),
        ],
        not_this: vec![sentence("Not deleted by a call: there is no BatchDeleteImage of it.", Vec::new())],
        used_by: Vec::new(),
        behind: Vec::new(),
        unknown: vec!["Whether a node still has it in its cache.".into()],
        advice: vec!["Deploy the digest that v7 points to.".into()],
    }
}

/// An image that lost its tag and that the next run takes although somebody needs it, with [`HOSTILE`] in
/// every text that an outsider can choose, and so also in sentences that quote such text.
pub fn forecast() -> Forecast {
    let finding = finding();
    Forecast {
        repository: finding.repository,
        digest: finding.lost.digest.unwrap(),
        tags: Vec::new(),
        state: ImageState::Untagged,
        pushed_at: finding.lost.pushed_at,
        untagged_at: finding.lost.untagged_at,
        open_start: false,
        displaced: true,
        displaced_by: Some(finding.second_push),
        displaced_tag: finding.tag,
        outlook: Outlook::Due,
        rule_priority: Some(1),
        rule: None,
        action: Some(LifecycleAction::Expire),
        eligible_at: finding.lost.untagged_at,
        eligible_at_latest: None,
        goes_with: None,
        expected_by: None,
        no_grace: true,
        survives_pushes: None,
        held_by: Vec::new(),
        usage: finding.usage,
        needed: true,
        severity: Some(Severity::High),
        needed_by: vec!["service:shop".into()],
        why: vec!["service:shop is deployed with it, or could not start without it.".into()],
        policy_event: None,
        summary: "In shop/api it is taken at the next run.".into(),
        evidence: finding.evidence,
    }
}

pub fn hostile() -> (Coverage, Finding, Timeline, Verdict) {
    let bad = || LogText::from(HOSTILE);
    let (mut coverage, mut finding, mut timeline, mut verdict) =
        (coverage(), finding(), timeline(), verdict());
    let repository = Repository { registry_id: bad(), region: bad(), name: bad() };
    let taint = |event: &mut EventRef| {
        (event.event_id, event.event_name, event.object) = (bad(), bad(), bad());
        (event.actor, event.source_ip, event.user_agent) = (Some(bad()), Some(bad()), Some(bad()));
    };
    coverage.failures = vec![ReadFailure { object: bad(), record: None, reason: HOSTILE.into() }];
    coverage.omitted = vec![Gap { repository: repository.clone(), records: 1 }];
    coverage.warnings = vec![HOSTILE.into()];

    (finding.repository, finding.tag) = (repository.clone(), Some(bad()));
    finding
        .first_push
        .iter_mut()
        .chain([&mut finding.second_push])
        .chain(&mut finding.usage.last_pull)
        .for_each(taint);
    finding.deletion.iter_mut().for_each(|deletion| taint(&mut deletion.event));
    (finding.usage.principals, finding.usage.references) = (vec![bad()], vec![bad()]);
    (finding.summary, finding.advice) = (HOSTILE.into(), vec![HOSTILE.into()]);

    (timeline.repository, timeline.tags, timeline.media_type) =
        (repository.clone(), vec![bad()], Some(bad()));
    for step in &mut timeline.steps {
        step.tag = Some(bad());
        taint(&mut step.event);
    }

    (verdict.reference, verdict.repository) = (bad(), Some(repository));
    for sentence in verdict.narrative.iter_mut().chain(&mut verdict.not_this) {
        sentence.text = HOSTILE.into();
        sentence.evidence.iter_mut().for_each(taint);
    }
    (verdict.unknown, verdict.advice, verdict.why) =
        (vec![HOSTILE.into()], vec![HOSTILE.into()], Some(HOSTILE.into()));
    (coverage, finding, timeline, verdict)
}
