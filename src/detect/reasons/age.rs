//! Age rules: from when the age of the image counted, and what does not make an image younger.

use std::collections::BTreeMap;

use super::{ReasonFound, Subject, caller, principal};
use crate::detect::advice::Shell;
use crate::detect::story::span;
use crate::model::{Caller, DAY_MILLIS, ReasonKind, StepKind, Timestamp, plural};
use crate::policy::{Clock, Count, records_pull};
use crate::timeline::{EventNo, Step};

/// A tag that was put on more than this after the push, in milliseconds, came with another push of the same
/// digest.
const SAME_PUSH_MILLIS: i64 = 1_000;

pub fn since_push(subject: Subject<'_>) -> Option<ReasonFound> {
    let Count::Since(Clock::Pushed, days) = subject.rule.count else { return None };
    let pushed = subject.loss.pushed_at?;
    let first = subject.life().iter().find(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate));
    // The image was pushed before its first push in the logs: only the lifecycle event's `pushedAt` tells
    // when.
    let own = first.map(|step| step.event).filter(|push| subject.time(*push) - pushed <= SAME_PUSH_MILLIS);
    let older = format!(
        "it was pushed at {}, and is older than {days} days since {}",
        at(pushed),
        at(pushed.saturating_add(days * DAY_MILLIS))
    );
    // If its age counted from that tag on, the rule would not have taken it.
    let younger = |given: EventNo| {
        given.is_some()
            && subject.time(given) - pushed > SAME_PUSH_MILLIS
            && subject.loss.at - subject.time(given) < days * DAY_MILLIS
    };
    let retagged = subject
        .loss
        .tags
        .iter()
        .filter(|(_, given)| younger(*given))
        .max_by_key(|(_, given)| subject.time(*given));
    let Some((tag, given)) = retagged.copied() else {
        return Some(subject.told(
            ReasonKind::AgeFromPush,
            format!("Age counts from the push: {older}."),
            own.into_iter().collect(),
        ));
    };
    let text = format!(
        "Age counts from the first push of the digest, not from its tags: {older}. Tag {} was put on this old \
         digest at {} by {}, {} before it went, and that made it no younger.",
        subject.history.text(tag),
        subject.history.time(given),
        caller(subject.history, given),
        span((subject.loss.at - subject.time(given)).div_euclid(1000)),
    );
    let advice = "Protect promoted tags by a rule of their own, with a lower number than this one: a new tag \
        on an old digest does not make it younger.";
    let told = subject.told(ReasonKind::AgeFromPush, text, own.into_iter().chain([given]).collect());
    Some(ReasonFound { advice: Some(advice.to_owned()), ..told })
}

pub fn since_pull(subject: Subject<'_>) -> Option<ReasonFound> {
    let Count::Since(Clock::Pulled, days) = subject.rule.count else { return None };
    let pulls = || subject.life().iter().filter(|step| step.kind == StepKind::Pull);
    let restored =
        subject.life().iter().rev().find(|step| step.kind == StepKind::Restore).map(|step| step.event);
    let mut recorded: Option<EventNo> = None;
    for pull in pulls().filter(|step| step.caller.is_recorded() == Some(true)) {
        if records_pull(recorded.map(|event| subject.time(event)), subject.time(pull.event)) {
            recorded = Some(pull.event);
        }
    }
    let recorded =
        recorded.filter(|pull| restored.is_none_or(|restored| subject.time(restored) <= subject.time(*pull)));
    let from = match (recorded, restored, subject.loss.pushed_at) {
        (Some(pull), ..) => format!(
            "the last pull that counted, at {} by {}",
            subject.history.time(pull),
            caller(subject.history, pull)
        ),
        (None, Some(restored), _) => {
            format!("its restore at {}, for no pull counted since", subject.history.time(restored))
        }
        (None, None, Some(pushed)) => format!("its push at {}, for no pull of it ever counted", at(pushed)),
        (None, None, None) => "its push, for no pull of it ever counted".to_owned(),
    };
    let mut text = format!("The rule takes what was not pulled for {days} days, and counts from {from}.");
    let mut events: Vec<EventNo> = recorded.or(restored).into_iter().collect();
    let (uncounted, advice) = uncounted(subject, pulls(), &mut events);
    text.push_str(&uncounted);
    Some(ReasonFound { advice, ..subject.told(ReasonKind::PullTime, text, events) })
}

/// The pulls that ECR did not count as use, by caller, and why.
fn uncounted<'h>(
    subject: Subject<'h>,
    pulls: impl Iterator<Item = &'h Step>,
    events: &mut Vec<EventNo>,
) -> (String, Option<String>) {
    let mut by_caller: BTreeMap<(String, u8), (u64, &Step)> = BTreeMap::new();
    for pull in pulls.filter(|step| step.caller.is_recorded() != Some(true)) {
        let entry =
            by_caller.entry((principal(subject.history, pull.event), pull.caller as u8)).or_insert((0, pull));
        *entry = (entry.0 + 1, pull);
    }
    let (mut text, mut advice) = (String::new(), None);
    for ((name, _), (count, last)) in by_caller {
        events.push(last.event);
        let times =
            format!("{} by {name}, the last at {}", plural(count, "pull"), subject.history.time(last.event));
        match last.caller {
            Caller::Excluded => {
                let listed = subject.history.exclusion(subject.repository, last.event);
                let since = listed.map(|(event, _)| {
                    events.push(event);
                    format!(
                        " ({} at {})",
                        subject.history.text(subject.history.noted(event).name),
                        subject.history.time(event)
                    )
                });
                text.push_str(&format!(
                    " {times}, did not count: it is on the registry's list of principals whose pulls do \
                     not{}.",
                    since.unwrap_or_default()
                ));
                let region = subject.history.repository(subject.repository).region;
                let arn = listed.map_or("…", |(_, arn)| subject.history.text(arn));
                let command = Shell::new("aws ecr deregister-pull-time-update-exclusion")
                    .option("region", region.raw())
                    .option("principal-arn", arn);
                advice = Some(format!(
                    "Take {name} off that list first, if its pulls are to count: a restore alone does not \
                     change that (`{}`, the API's DeregisterPullTimeUpdateExclusion).",
                    command.to_text()
                ));
            }
            Caller::Inspector => {
                text.push_str(&format!(" {times}, did not count: ECR does not record Amazon Inspector's."))
            }
            _ => text.push_str(&format!(
                " Whether {times}, counted is not clear: they may be Amazon Inspector's, which ECR does not \
                 record."
            )),
        }
    }
    (text, advice)
}

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}
