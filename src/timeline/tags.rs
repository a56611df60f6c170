//! The life of a tag: which image had it, since when and until what; and who asked for it when nothing had it.
//!
//! A tag lives on by itself: it may go while its image stays, come back on an older image, or be asked for before it was
//! ever pushed. All lives of the repository's name are in one list.

use super::bytes::push_one;
use super::names::{DigestNo, EventNo, Sym};
use crate::model::{Order, TagEnd};

/// Everything known about one tag of one repository, in order of time.
#[derive(Debug, Default)]
pub struct TagLife {
    pub spans: Vec<TagSpan>,
    /// Who asked for it while nothing was known to have it.
    pub asks: Vec<Ask>,
}

/// A stretch of time in which one image had the tag.
#[derive(Debug, Clone, Copy)]
pub struct TagSpan {
    pub digest: DigestNo,
    /// The event that gave it; none where that is not in the logs.
    pub since: EventNo,
    /// From when it is known to have been there, in milliseconds; `i64::MIN` where that lies before the logs.
    pub from: i64,
    /// Until when (exclusive); `i64::MAX` while it has it.
    pub until: i64,
    /// How it ended; none while it has it.
    pub end: Option<TagEnd>,
    pub ended_by: EventNo,
    /// Which image took it, where one did.
    pub moved_to: DigestNo,
    /// When the image itself was pushed, as known when it got the tag. Milliseconds.
    pub pushed_at: Option<i64>,
    pub order: Order,
    /// Pulls by the tag, and the first and the last of them.
    pub pulls: u32,
    pub first_pull: EventNo,
    pub last_pull: EventNo,
}

/// Somebody asked for a tag that nothing was known to have.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub event: EventNo,
    pub kind: AskKind,
    /// Task, service or the like of a stop; none for a pull.
    pub by: Sym,
    /// The tag was not there for sure; else it may have been there since before the logs begin.
    pub in_vain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind {
    /// A pull like any other: what is missing is answered with failures that are not logged.
    Pull,
    /// The call failed as a whole.
    Failed,
    /// It was refused for want of permission.
    Denied,
    /// A task could not start because it was not there, or not to be had.
    Stopped,
    /// A task could not start, and says that something else was the reason.
    StoppedOtherwise,
}

impl AskKind {
    /// A task tells of it, and no call to the registry.
    pub fn is_a_task(self) -> bool {
        matches!(self, Self::Stopped | Self::StoppedOtherwise)
    }
}

/// Of pulls that may have been answered from before the logs, so many of the last are kept.
const UNSURE_MAX: usize = 64;

impl TagSpan {
    /// `seen`: when an event gave it, or showed it to be there.
    pub(super) fn new(digest: DigestNo, since: EventNo, from: i64, pushed_at: Option<i64>, order: Order) -> Self {
        Self {
            digest,
            since,
            from,
            until: i64::MAX,
            end: None,
            ended_by: EventNo::NONE,
            moved_to: DigestNo::NONE,
            pushed_at,
            order,
            pulls: 0,
            first_pull: EventNo::NONE,
            last_pull: EventNo::NONE,
        }
    }

    pub fn is_open(&self) -> bool {
        self.end.is_none()
    }
}

impl TagLife {
    /// The span that goes on.
    pub fn open(&self) -> Option<&TagSpan> {
        self.spans.last().filter(|span| span.is_open())
    }

    /// The span of the moment `at`, in milliseconds.
    pub fn at(&self, at: i64) -> Option<&TagSpan> {
        let begun = self.spans.partition_point(|span| span.from <= at);
        self.spans[..begun].last().filter(|span| at < span.until)
    }

    /// The last span that was over at `at`.
    pub fn before(&self, at: i64) -> Option<&TagSpan> {
        self.spans[..self.spans.partition_point(|span| span.until <= at)].last()
    }

    /// The first span that begins after `at`.
    pub fn after(&self, at: i64) -> Option<&TagSpan> {
        self.spans.get(self.spans.partition_point(|span| span.from <= at))
    }

    /// A gap of the tag: who asked for it between the end of the span at `index` and the next span.
    pub fn asked_after(&self, index: usize, time: impl Fn(EventNo) -> i64) -> impl Iterator<Item = &Ask> {
        let from = self.spans.get(index).map_or(i64::MAX, |span| span.until);
        let until = self.spans.get(index + 1).map_or(i64::MAX, |next| next.from);
        let place = |moment: i64| self.asks.partition_point(|ask| time(ask.event) < moment);
        let (first, end) = (place(from), place(until));
        self.asks[first..end.max(first)].iter()
    }

    pub(super) fn open_mut(&mut self) -> Option<&mut TagSpan> {
        self.spans.last_mut().filter(|span| span.is_open())
    }

    pub(super) fn begin(&mut self, span: TagSpan) {
        if self.open().is_none_or(|open| open.digest != span.digest) {
            push_one(&mut self.spans, span);
        }
    }

    /// The image `digest` has it no more. What is known only from its end had it until then.
    pub(super) fn close(&mut self, digest: DigestNo, now: i64, event: EventNo, end: TagEnd, moved_to: DigestNo) {
        if self.open().is_none_or(|open| open.digest != digest) {
            let from = self.spans.last().map_or(i64::MIN, |last| last.until);
            push_one(&mut self.spans, TagSpan::new(digest, EventNo::NONE, from, None, Order::Observed));
        }
        if let Some(span) = self.spans.last_mut() {
            (span.until, span.ended_by, span.end, span.moved_to) = (now, event, Some(end), moved_to);
        }
    }

    pub(super) fn pulled(&mut self, event: EventNo) {
        if let Some(span) = self.open_mut() {
            span.pulls = span.pulls.saturating_add(1);
            span.first_pull = span.first_pull.some().unwrap_or(event);
            span.last_pull = event;
        }
    }

    pub(super) fn ask(&mut self, ask: Ask) {
        if !ask.in_vain && self.asks.len() >= UNSURE_MAX && self.asks.first().is_some_and(|first| !first.in_vain) {
            self.asks.remove(0);
        }
        self.asks.push(ask);
    }
}
