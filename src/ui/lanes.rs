//! The picture of a loss, before it is drawn in characters: lanes, the state of each over time, marks, and
//! a time scale on which both nine seconds and fourteen days can be seen. It knows nothing of characters,
//! colours or pixels.

pub mod draw;
mod life;
mod scale;

use crate::model::{Finding, FindingKind, LogText, StepKind, Timeline, Timestamp};
use life::{Life, silent_end};
pub use scale::Scale;

/// The lanes of one loss, on one time scale.
#[derive(Debug, Clone, PartialEq)]
pub struct Picture {
    pub scale: Scale,
    /// From top to bottom: the tag, the image that lost it, the image that has it now, and what needed it.
    pub lanes: Vec<Lane>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lane {
    pub kind: LaneKind,
    pub name: LogText,
    /// In order of time, not overlapping.
    pub spans: Vec<Span>,
    pub marks: Vec<Mark>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LaneKind {
    Tag,
    Lost,
    Kept,
    Service,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub until: Timestamp,
    pub state: State,
}

/// The state of a lane during a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// The tag points to the image that lost it later.
    Held,
    /// The image exists and has a tag.
    Tagged,
    /// The image exists and has no tag.
    Untagged,
    /// The image exists, but has to be restored before it can be pulled.
    Archived,
    Gone,
    /// The image is not pushed yet.
    Absent,
    /// The logs do not say whether the image exists.
    Unknown,
    /// The service has no known problem.
    Quiet,
    /// Tasks of the service stop because the image is missing.
    Down,
}

/// Something that happened at one moment. Declared by importance: a later one is drawn over an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    Pull,
    Push,
    /// The tag comes from the lane above.
    Arrives,
    /// The tag goes to a lane below.
    Drops,
    /// The tag ends without going to another image.
    Ends,
    /// A pull that failed because the image was gone.
    InVain,
    /// The image was taken by a rule or a call.
    Taken,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    pub at: Timestamp,
    pub sign: Sign,
}

impl Picture {
    /// The picture of a finding, from the lives of the image that was lost and of the image that has its
    /// tag. `None` if nothing is known of the first.
    pub fn of(finding: &Finding, lost: Option<&Timeline>, kept: Option<&Timeline>) -> Option<Self> {
        let lost_timeline = lost.filter(|timeline| !timeline.steps.is_empty())?;
        let from = finding
            .lost
            .pushed_at
            .into_iter()
            .chain(finding.first_push.as_ref().map(|push| push.event_time))
            .min();
        // Requests that came too early failed before the image existed.
        let early =
            (finding.kind == FindingKind::AskedBeforePushed).then_some(finding.second_push.event_time);
        let from = from.into_iter().chain(early).min().unwrap_or(lost_timeline.steps[0].time);
        let lost = Life::of(lost_timeline, from);
        let last = lost.last().max(finding.second_push.event_time).max(finding.lost.gone_at.unwrap_or(from));
        let kept = kept.map(|timeline| Life::of(timeline, from));
        // The first use of the other image after the last failure shows when the outage was over.
        let over = kept.as_ref().and_then(|kept| kept.pulls.iter().copied().find(|pull| *pull > last));
        let until = over.unwrap_or(last);
        let mut lanes = Vec::new();
        lanes.extend(finding.tag.as_ref().and_then(|tag| tag_lane(tag, lost_timeline, from, until)));
        let dropped = lanes
            .iter()
            .flat_map(|lane: &Lane| &lane.marks)
            .find(|mark| mark.sign == Sign::Drops)
            .map(|mark| mark.at);
        let mut lane = lost.lane(LaneKind::Lost, until);
        if let Some(at) = early {
            lane.marks.insert(0, Mark { at, sign: Sign::InVain });
        }
        lanes.push(lane);
        if let Some(kept) = &kept {
            let mut lane = kept.lane(LaneKind::Kept, until);
            lane.marks.extend(dropped.map(|at| Mark { at, sign: Sign::Arrives }));
            lanes.push(lane);
        }
        lanes.extend(service_lane(finding, lost_timeline, from, until, over));
        Some(Self::on_scale(lanes, from, until))
    }

    /// The life of one image alone.
    pub fn of_life(timeline: &Timeline) -> Option<Self> {
        let from =
            timeline.pushed_at.into_iter().chain(timeline.steps.first().map(|step| step.time)).min()?;
        let life = Life::of(timeline, from);
        let until = life.last();
        let lane = life.lane(LaneKind::Lost, until);
        // For an image that existed all the time, a bar would say no more than its headline.
        let changes = lane.spans.iter().filter(|span| span.state != State::Absent).count() > 1;
        changes.then(|| Self::on_scale(vec![lane], from, until))
    }

    /// The timelines of one image in several places until a moment, one lane for each, labelled with its
    /// name. `None` if there is nothing to draw.
    pub fn of_places(places: &[(LogText, &Timeline)], until: Timestamp) -> Option<Self> {
        let begins = |timeline: &Timeline| {
            timeline.pushed_at.into_iter().chain(timeline.steps.first().map(|step| step.time)).min()
        };
        let from =
            places.iter().filter_map(|(_, timeline)| begins(timeline)).min().filter(|from| *from < until)?;
        let lane = |(name, timeline): &(LogText, &Timeline)| {
            let mut lane = Life::of(timeline, from).lane(LaneKind::Lost, until);
            // The time before the push is not drawn.
            if timeline.pushed_at.is_some_and(|pushed| pushed > from) && !timeline.open_start {
                lane.spans.retain(|span| span.state != State::Absent);
            }
            lane.name = name.clone();
            lane
        };
        Some(Self::on_scale(places.iter().map(lane).collect(), from, until))
    }

    fn on_scale(lanes: Vec<Lane>, from: Timestamp, until: Timestamp) -> Self {
        let mut moments = vec![from, until];
        for lane in &lanes {
            moments.extend(lane.spans.iter().map(|span| span.from));
            let of = |sign| lane.marks.iter().filter(move |mark| mark.sign == sign).map(|mark| mark.at);
            moments.extend(of(Sign::Pull).next_back());
            for sign in [Sign::InVain, Sign::Drops, Sign::Taken] {
                moments.extend(of(sign).next().into_iter().chain(of(sign).next_back()));
            }
        }
        Self { scale: Scale::over(moments), lanes }
    }
}

/// The lane of the tag: while the image had it, and how that ended.
fn tag_lane(tag: &LogText, lost: &Timeline, from: Timestamp, until: Timestamp) -> Option<Lane> {
    let mut spans = Vec::new();
    let mut marks = Vec::new();
    let mut since: Option<Timestamp> = None;
    for step in &lost.steps {
        let of_tag = step.tag.as_ref() == Some(tag);
        let ends = match step.kind {
            StepKind::Push | StepKind::Replicate if of_tag && since.is_none() => {
                since = Some(step.time.max(from));
                marks.push(Mark { at: step.time.max(from), sign: Sign::Push });
                None
            }
            StepKind::TagLost if of_tag => Some(Sign::Drops),
            StepKind::Untag if of_tag => Some(Sign::Ends),
            StepKind::Delete | StepKind::Expire | StepKind::RepositoryDeleted => Some(Sign::Ends),
            _ => None,
        };
        let Some(sign) = ends.filter(|_| since.is_some() || of_tag) else { continue };
        // If the tag was given before the logs, it is drawn from their beginning.
        let held = since.take().unwrap_or(from);
        if step.time >= from {
            spans.push(Span { from: held, until: step.time, state: State::Held });
            marks.push(Mark { at: step.time, sign });
        }
    }
    let silent = since.and(silent_end(lost)).filter(|gone| *gone < until);
    spans.extend(since.map(|since| Span { from: since, until: silent.unwrap_or(until), state: State::Held }));
    marks.extend(silent.map(|at| Mark { at, sign: Sign::Ends }));
    marks.retain(|mark| mark.at >= from && mark.at <= until);
    (!spans.is_empty()).then(|| Lane { kind: LaneKind::Tag, name: tag.clone(), spans, marks })
}

/// The service that could not start, from the first task that stopped until the first pull of the other
/// image, else until the last task that stopped.
fn service_lane(
    finding: &Finding,
    lost: &Timeline,
    from: Timestamp,
    until: Timestamp,
    over: Option<Timestamp>,
) -> Option<Lane> {
    let mut stops = lost
        .steps
        .iter()
        .filter(|step| step.kind == StepKind::TaskStopped)
        .map(|step| step.time)
        .filter(|time| *time >= from);
    let first = stops.next()?;
    let last = stops.next_back().unwrap_or(first);
    let services = finding.usage.references.iter().filter_map(|reference| service_name(reference.raw()));
    let name = services.min().unwrap_or_else(|| "tasks".to_owned());
    let ended = over.unwrap_or(last);
    let mut spans = vec![
        Span { from, until: first, state: State::Quiet },
        Span { from: first, until: ended, state: State::Down },
    ];
    spans.push(Span { from: ended, until, state: State::Quiet });
    Some(Lane { kind: LaneKind::Service, name: name.into(), spans, marks: Vec::new() })
}

/// `svc checkout`, from a service's ARN or from `service:checkout`.
fn service_name(reference: &str) -> Option<String> {
    let name = reference
        .strip_prefix("service:")
        .or_else(|| reference.split_once(":service/").map(|(_, name)| name))?;
    name.rsplit('/').next().map(|name| format!("svc {name}"))
}

#[cfg(test)]
mod tests;
