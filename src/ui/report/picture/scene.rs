//! What a picture shows, before it is drawn: moments, lanes of images, the way of the tag, and what needed
//! the image. It contains nothing that the finding's evidence does not have.

use super::lanes::{lost_lane, other_lane};
use super::moments::moments;
use super::need::{Need, need};
use crate::model::{Coverage, Finding, LogText, TagEnd, Timestamp};
use crate::ui::report::Story;

/// How a stretch of an image's life looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Tagged,
    /// Without a tag, so that a rule may take it.
    Fuse,
    /// Without a tag of its own, listed by an index.
    Held,
    Archived,
    Gone,
    /// The repository's key could not be used.
    Locked,
    /// The logs do not say whether the image existed.
    Unknown,
}

impl Look {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Tagged => "tagged",
            Self::Fuse => "fuse",
            Self::Held => "held",
            Self::Archived => "archived",
            Self::Gone => "gone",
            Self::Locked => "locked",
            Self::Unknown => "unknown",
        }
    }
}

#[derive(Debug, Clone)]
pub struct Stretch {
    pub look: Look,
    pub from: Timestamp,
    pub to: Timestamp,
    pub label: String,
}

/// One image.
#[derive(Debug, Clone)]
pub struct Lane {
    pub name: String,
    pub note: String,
    pub stretches: Vec<Stretch>,
    /// It existed before the picture begins.
    pub open_start: bool,
}

/// Something at a moment of the axis. Declared in the order in which events of one second are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sign {
    /// The picture begins.
    Start,
    Push,
    Given,
    /// The tag moves to another image.
    Drop,
    /// A call removes the tag.
    Untag,
    Rule,
    Call,
    Archive,
    Lock,
    Unlock,
    Failure,
    LastFailure,
    Back,
    Healed,
    End,
}

#[derive(Debug, Clone)]
pub struct Moment {
    pub at: Timestamp,
    pub sign: Sign,
    pub words: String,
}

/// The time in which a lane has the tag.
#[derive(Debug, Clone, Copy)]
pub struct Ride {
    pub lane: usize,
    pub from: Timestamp,
    pub to: Timestamp,
    /// The tag ends there, without moving to another image of the picture.
    pub cut: bool,
}

pub struct Scene {
    /// In order; at least two.
    pub moments: Vec<Moment>,
    /// The lane of the lost image, and that of the other one if there is one.
    pub lanes: Vec<Lane>,
    pub tag: Option<String>,
    pub rides: Vec<Ride>,
    pub need: Option<Need>,
    pub runs: Vec<Timestamp>,
    pub policies: Vec<Timestamp>,
}

/// With more runs than this, their lines are left out: a line a day for years says nothing.
const RUNS_MAX: usize = 40;

impl Scene {
    /// `None` if nothing in the finding has a time.
    pub fn of(finding: &Finding, story: &Story, coverage: &Coverage) -> Option<Self> {
        let need = need(finding, story);
        let moments = moments(finding, story, coverage, need.as_ref());
        let (first, last) = (moments.first()?.at, moments.last()?.at);
        let mut lanes = vec![lost_lane(finding, story, (first, last))];
        lanes.extend(other_lane(finding, story, (first, last)));
        let inside = |times: &[Timestamp]| -> Vec<Timestamp> {
            let mut all: Vec<Timestamp> =
                times.iter().copied().filter(|at| *at >= first && *at <= last).collect();
            all.dedup();
            all
        };
        let mut runs = inside(&story.runs);
        if runs.len() > RUNS_MAX {
            runs.clear();
        }
        Some(Self {
            rides: rides(finding, story, &lanes, (first, last)),
            tag: finding.tag.as_ref().map(|tag| tag.raw().to_owned()),
            policies: inside(&story.policies),
            moments,
            lanes,
            need,
            runs,
        })
    }

    pub fn times(&self) -> Vec<Timestamp> {
        self.moments.iter().map(|moment| moment.at).collect()
    }

    /// The first moment of that kind.
    pub fn moment(&self, sign: Sign) -> Option<(usize, &Moment)> {
        self.moments.iter().enumerate().find(|(_, moment)| moment.sign == sign)
    }
}

/// Which image of the picture had the tag, and when.
fn rides(
    finding: &Finding,
    story: &Story,
    lanes: &[Lane],
    (first, last): (Timestamp, Timestamp),
) -> Vec<Ride> {
    let other = story.other.as_ref().filter(|_| !story.other_is_source).map(|life| life.digest);
    let mut rides = Vec::new();
    for span in story.tag.iter().flat_map(|tag| &tag.spans) {
        let lane = match Some(span.digest) {
            digest if digest == finding.lost.digest => 0,
            digest if digest == other && lanes.len() > 1 => 1,
            _ => continue,
        };
        let (from, to) = (span.since.unwrap_or(first).max(first), span.until.unwrap_or(last).min(last));
        let moved = span.end == Some(TagEnd::Moved)
            && span.moved_to.is_some_and(|to| Some(to) == other || Some(to) == finding.lost.digest);
        if from <= to {
            rides.push(Ride { lane, from, to, cut: span.until.is_some_and(|until| until <= last) && !moved });
        }
    }
    rides
}

/// A name short enough for a label: the role, the user, the service.
pub fn short_name(name: &LogText) -> String {
    let raw = name.raw();
    let parts: Vec<&str> = raw.splitn(6, ':').collect();
    let rest = if raw.starts_with("arn:") { parts.get(5).copied().unwrap_or(raw) } else { raw };
    match rest.strip_prefix("assumed-role/") {
        Some(role) => role.split_once('/').map_or(role, |(role, _)| role).to_owned(),
        None => rest.strip_prefix("user/").or(rest.strip_prefix("role/")).unwrap_or(rest).to_owned(),
    }
}

/// Cuts a text in the middle.
pub fn shortened(text: &str, chars_max: usize) -> String {
    let number = text.chars().count();
    if number <= chars_max {
        return text.to_owned();
    }
    let tail = chars_max / 2;
    let head: String = text.chars().take(chars_max - tail - 1).collect();
    let end: String = text.chars().skip(number - tail).collect();
    format!("{head}…{end}")
}
