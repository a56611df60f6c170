//! The moments that a picture's axis is made of.

use super::need::Need;
use super::scene::{Moment, Sign, short_name};
use crate::model::{Coverage, EventRef, Finding, FindingKind, StepKind, Timestamp};
use crate::ui::quantity::span;
use crate::ui::report::Story;

/// The moments in order, at least two; empty if there is only one.
pub fn moments(finding: &Finding, story: &Story, coverage: &Coverage, need: Option<&Need>) -> Vec<Moment> {
    let mut all: Vec<Moment> = Vec::new();
    let mut add = |at: Timestamp, sign: Sign, words: String| all.push(Moment { at, sign, words });
    begin(finding, story, &mut add);
    middle(finding, story, &mut add);
    for (from, until) in if finding.kind == FindingKind::AccessTaken { story.locked.as_slice() } else { &[] }
    {
        add(*from, Sign::Lock, "the repository’s key can no longer be used".to_owned());
        until.map(|until| add(until, Sign::Unlock, "the key can be used again".to_owned()));
    }
    if finding.kind == FindingKind::AccessTaken && story.locked.is_empty() {
        let second = &finding.second_push;
        add(second.event_time, Sign::Lock, format!("the repository’s policy is changed{}", by(second)));
    }
    if let Some(need) = need {
        if let (Some(at), Some(harm)) = (need.first_failure(), &need.harm) {
            add(at, Sign::Failure, format!("{}: {harm}", need.name));
            let last = need.asks.iter().filter(|ask| ask.in_vain).map(|ask| ask.at).max();
            if let Some(last) = last.filter(|last| last.seconds() > at.seconds()) {
                add(last, Sign::LastFailure, "the last of them".to_owned());
            }
        }
        if let Some((_, Some(until))) = need.outage.filter(|(_, until)| *until != story.back_at) {
            add(until, Sign::Healed, format!("{}: something newer is deployed", need.name));
        }
    }
    all.sort_by_key(|moment| (moment.at, moment.sign));
    let shown = all.iter().map(|moment| moment.at).chain(need.and_then(Need::last_ask)).max();
    let end = shown.into_iter().chain(coverage.last_event_time).max();
    if let Some(end) = end.filter(|end| all.last().is_some_and(|last| last.at < *end)) {
        let words = if Some(end) == coverage.last_event_time { "these logs end" } else { "" };
        all.push(Moment { at: end, sign: Sign::End, words: words.to_owned() });
    }
    if all.len() < 2 { Vec::new() } else { all }
}

fn by(event: &EventRef) -> String {
    event.actor.as_ref().map(|actor| format!(" by {}", short_name(actor))).unwrap_or_default()
}

fn begin(finding: &Finding, story: &Story, add: &mut impl FnMut(Timestamp, Sign, String)) {
    let steps = story.life.as_ref().map(|life| life.steps.as_slice()).unwrap_or_default();
    let from_before = finding.kind == FindingKind::TagMovedBack && story.other_is_source;
    match finding.lost.pushed_at.filter(|_| !from_before) {
        Some(at) => {
            let push = steps.iter().find(|step| {
                matches!(step.kind, StepKind::Push | StepKind::Replicate)
                    && step.time.seconds() == at.seconds()
            });
            let word = if push.is_some_and(|step| step.kind == StepKind::Replicate) {
                "replicated"
            } else {
                "pushed"
            };
            add(at, Sign::Push, format!("{word}{}", push.map(|step| by(&step.event)).unwrap_or_default()));
        }
        None => {
            let first = steps
                .iter()
                .map(|step| step.time)
                .min()
                .or(finding.evidence.first().map(|event| event.event_time));
            if let Some(at) =
                first.filter(|at| finding.first_push.as_ref().is_none_or(|push| push.event_time >= *at))
            {
                add(at, Sign::Start, "the first that these logs have of it".to_owned());
            }
        }
    }
    let later =
        |push: &&EventRef| finding.lost.pushed_at.is_none_or(|at| at.seconds() != push.event_time.seconds());
    if let Some(push) = finding.first_push.as_ref().filter(later) {
        let tag = finding.tag.as_ref().map(|tag| format!(" {}", tag.raw())).unwrap_or_default();
        add(push.event_time, Sign::Given, format!("gets tag{tag}{}", by(push)));
    }
}

fn middle(finding: &Finding, story: &Story, add: &mut impl FnMut(Timestamp, Sign, String)) {
    use FindingKind::{DisplacedAlive, SameTagOverwrite, SameTagRace, TagMovedBack, TagRemoved};
    let second = &finding.second_push;
    let later = match finding.gap_seconds {
        Some(0) => "in the same second ".to_owned(),
        Some(gap) => format!("{} later ", span(gap)),
        None => String::new(),
    };
    match finding.kind {
        SameTagRace | SameTagOverwrite | DisplacedAlive => {
            add(second.event_time, Sign::Drop, format!("{later}the tag is pushed again{}", by(second)));
        }
        TagMovedBack => add(
            second.event_time,
            Sign::Drop,
            format!("{later}the tag is moved to the older image{}", by(second)),
        ),
        TagRemoved => add(second.event_time, Sign::Untag, format!("the tag is taken off{}", by(second))),
        _ => {}
    }
    if let Some(gone) = finding.lost.gone_at {
        let (sign, words) = end(finding, story);
        add(gone, sign, words);
    }
    if let Some(back) = story.back_at {
        add(
            back,
            Sign::Back,
            if finding.kind == FindingKind::Archived { "restored" } else { "the image is back" }.to_owned(),
        );
    }
}

/// What ended the image.
fn end(finding: &Finding, story: &Story) -> (Sign, String) {
    let likely = if story.presumed { "most likely gone by then: " } else { "" };
    let archived = finding.kind == FindingKind::Archived;
    let event = finding.deletion.as_ref().map_or(&finding.second_push, |deletion| &deletion.event);
    match (&story.rule, finding.kind) {
        (Some(rule), _) => (if archived { Sign::Archive } else { Sign::Rule }, format!("{likely}{rule}")),
        (None, FindingKind::Archived) => (Sign::Archive, format!("{likely}archived{}", by(event))),
        (None, FindingKind::RepositoryDeleted) => {
            (Sign::Call, format!("{likely}repository deleted{}", by(event)))
        }
        (None, _) if event.event_name == "PolicyExecutionEvent" => {
            (Sign::Rule, format!("{likely}taken by a lifecycle rule"))
        }
        (None, _) => (Sign::Call, format!("{likely}{}{}", event.event_name.raw(), by(event))),
    }
}
