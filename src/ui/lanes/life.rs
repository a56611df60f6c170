//! The states of one image over time.

use std::collections::BTreeSet;

use super::{Lane, LaneKind, Mark, Sign, Span, State};
use crate::model::{LogText, StepKind, Timeline, Timestamp};

/// The states of an image from a moment on, and what happened to it.
pub struct Life {
    name: LogText,
    /// When each state began.
    changes: Vec<(Timestamp, State)>,
    pub pulls: Vec<Timestamp>,
    marks: Vec<Mark>,
    last: Timestamp,
}

impl Life {
    /// Replays the steps of an image; steps before `from` only decide its state at that moment.
    pub fn of(timeline: &Timeline, from: Timestamp) -> Self {
        let hex = timeline.digest.to_string();
        let name = hex.trim_start_matches("sha256:").chars().take(12).collect::<String>();
        let mut life = Self {
            name: name.as_str().into(),
            changes: Vec::new(),
            pulls: Vec::new(),
            marks: Vec::new(),
            last: from,
        };
        let mut tags: BTreeSet<&LogText> = BTreeSet::new();
        let mut state = if timeline.open_start { State::Unknown } else { State::Absent };
        if timeline.open_start && timeline.pushed_at.is_some_and(|pushed| pushed <= from) {
            // A lifecycle event tells when it was pushed, and the first step whether it had a tag until
            // then.
            let tagged = timeline
                .steps
                .iter()
                .find(|step| matches!(step.kind, StepKind::TagLost | StepKind::Untag | StepKind::Push));
            state = if tagged.is_some_and(|step| step.kind != StepKind::Push) {
                State::Tagged
            } else {
                State::Unknown
            };
        }
        life.changes.push((from, state));
        let mut silent = silent_end(timeline);
        for step in &timeline.steps {
            if let Some(gone) = silent.take_if(|gone| step.time > *gone) {
                life.go_silently(gone, from);
                state = State::Gone;
            }
            let before = state;
            match step.kind {
                StepKind::Push | StepKind::Replicate => {
                    tags.extend(&step.tag);
                    state = if tags.is_empty() { State::Untagged } else { State::Tagged };
                    life.mark(
                        step.time,
                        from,
                        Sign::Push,
                        matches!(before, State::Unknown | State::Absent | State::Gone),
                    );
                }
                StepKind::TagLost | StepKind::Untag => {
                    step.tag.as_ref().map(|tag| tags.remove(tag));
                    let last = tags.is_empty()
                        && timeline
                            .untagged_at
                            .is_none_or(|untagged| step.time >= untagged || before != State::Unknown);
                    state = if last { State::Untagged } else { before };
                }
                StepKind::Delete | StepKind::Expire | StepKind::RepositoryDeleted => {
                    tags.clear();
                    state = State::Gone;
                    life.mark(step.time, from, Sign::Taken, true);
                }
                StepKind::Archive => {
                    state = State::Archived;
                    life.mark(step.time, from, Sign::Taken, true);
                }
                StepKind::Restore => state = if tags.is_empty() { State::Untagged } else { State::Tagged },
                StepKind::Pull => {
                    let vain = matches!(state, State::Gone | State::Archived);
                    life.mark(step.time, from, if vain { Sign::InVain } else { Sign::Pull }, true);
                    if !vain {
                        life.pulls.push(step.time);
                    }
                }
                StepKind::PullFailed => life.mark(step.time, from, Sign::InVain, true),
                StepKind::TaskStopped => life.mark(step.time, from, Sign::InVain, true),
                _ => {}
            }
            if state != before {
                life.changes.push((step.time.max(from), state));
            }
            life.last = life.last.max(step.time);
        }
        if let Some(gone) = silent {
            life.go_silently(gone, from);
        }
        life
    }

    /// The image was lost without a step that says so.
    fn go_silently(&mut self, at: Timestamp, from: Timestamp) {
        self.changes.push((at.max(from), State::Gone));
        self.mark(at, from, Sign::Taken, true);
        self.last = self.last.max(at);
    }

    fn mark(&mut self, at: Timestamp, from: Timestamp, sign: Sign, wanted: bool) {
        if wanted && at >= from {
            self.marks.push(Mark { at, sign });
        }
    }

    /// The last time that anything is known about.
    pub const fn last(&self) -> Timestamp {
        self.last
    }

    /// The lane of this image, up to a moment.
    pub fn lane(&self, kind: LaneKind, until: Timestamp) -> Lane {
        let ends = self.changes.iter().skip(1).map(|(at, _)| *at).chain([until.max(self.last)]);
        let spans = self.changes.iter().zip(ends).map(|((from, state), end)| Span {
            from: *from,
            until: end.min(until),
            state: *state,
        });
        let spans = spans.filter(|span| span.from < span.until || span.from == until).collect();
        let marks = self.marks.iter().copied().filter(|mark| mark.at <= until).collect();
        Lane { kind, name: self.name.clone(), spans, marks }
    }
}

/// When the image was lost, if that was concluded from the end of another image and no event shows it.
pub fn silent_end(timeline: &Timeline) -> Option<Timestamp> {
    let ends = |kind: StepKind| {
        matches!(
            kind,
            StepKind::Delete
                | StepKind::Expire
                | StepKind::RepositoryDeleted
                | StepKind::Archive
                | StepKind::Untag
        )
    };
    timeline.gone_at.filter(|gone| !timeline.steps.iter().any(|step| ends(step.kind) && step.time == *gone))
}
