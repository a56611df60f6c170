//! The life of a tag: which image had it from when until when, and who asked for it while no image had it.
//!
//! A tag has a life of its own: it may go while its image stays, come back on an older image, or be asked
//! for before it was ever pushed. If a repository was deleted and created again, all lives of the tag are
//! in one list.

use super::bytes::push_one;
use super::names::{DigestNo, EventNo, Sym};
use crate::model::{Order, TagEnd};

/// Everything known about one tag of one repository, in order of time.
#[derive(Debug, Default)]
pub struct TagLife {
    pub spans: Vec<TagSpan>,
    /// Requests for the tag while no image was known to have it.
    pub asks: Vec<Ask>,
}

/// A span of time in which one image had the tag.
#[derive(Debug, Clone, Copy)]
pub struct TagSpan {
    pub digest: DigestNo,
    /// The event that gave it; [`EventNo::NONE`] where that is not in the logs.
    pub since: EventNo,
    /// Since when the image is known to have had it, in milliseconds; `i64::MIN` where that was before the
    /// logs.
    pub from: i64,
    /// Until when (exclusive), in milliseconds; `i64::MAX` while the image has it.
    pub until: i64,
    /// How the span ended; `None` while the image has the tag.
    pub end: Option<TagEnd>,
    pub ended_by: EventNo,
    /// The image that took the tag, if one did.
    pub moved_to: DigestNo,
    /// When the image itself was pushed, as known when it got the tag, in milliseconds.
    pub pushed_at: Option<i64>,
    pub order: Order,
    /// The number of pulls by the tag, and the first and last of them.
    pub pulls: u32,
    pub first_pull: EventNo,
    pub last_pull: EventNo,
}

/// A request for a tag that no image was known to have.
#[derive(Debug, Clone, Copy)]
pub struct Ask {
    pub event: EventNo,
    pub kind: AskKind,
    /// The task, service or the like that stopped; [`Sym::NONE`] for a pull.
    pub by: Sym,
    /// The tag certainly did not exist; otherwise it may have existed since before the logs begin.
    pub in_vain: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AskKind {
    /// A pull that looks like any other: for a missing image ECR answers with `failures`, which CloudTrail
    /// does not log.
    Pull,
    /// The call failed as a whole.
    Failed,
    /// It was refused because a permission was missing.
    Denied,
    /// A task could not start because the tag did not exist or could not be pulled.
    Stopped,
    /// A task could not start; its stop reason names another cause.
    StoppedOtherwise,
}

impl AskKind {
    /// It is known from a task, not from a call to the registry.
    pub fn is_a_task(self) -> bool {
        matches!(self, Self::Stopped | Self::StoppedOtherwise)
    }
}

/// Of pulls that may have been answered (tags from before the logs), at most this many of the last are kept.
const UNSURE_MAX: usize = 64;

impl TagSpan {
    /// `seen`: the time at which an event gave the tag, or showed it to be there.
    pub(super) fn new(
        digest: DigestNo,
        since: EventNo,
        from: i64,
        pushed_at: Option<i64>,
        order: Order,
    ) -> Self {
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
    /// The span that still goes on.
    pub fn open(&self) -> Option<&TagSpan> {
        self.spans.last().filter(|span| span.is_open())
    }

    /// The span at the moment `at`, in milliseconds.
    pub fn at(&self, at: i64) -> Option<&TagSpan> {
        let begun = self.spans.partition_point(|span| span.from <= at);
        self.spans[..begun].last().filter(|span| at < span.until)
    }

    /// The last span that had ended by `at`.
    pub fn before(&self, at: i64) -> Option<&TagSpan> {
        self.spans[..self.spans.partition_point(|span| span.until <= at)].last()
    }

    /// The first span that begins after `at`.
    pub fn after(&self, at: i64) -> Option<&TagSpan> {
        self.spans.get(self.spans.partition_point(|span| span.from <= at))
    }

    /// Requests in a gap of the tag: between the end of the span at `index` and the next span.
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

    /// The image `digest` loses the tag. If this end is all that is known, the image had the tag until now.
    pub(super) fn close(
        &mut self,
        digest: DigestNo,
        now: i64,
        event: EventNo,
        end: TagEnd,
        moved_to: DigestNo,
    ) {
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
        if !ask.in_vain
            && self.asks.len() >= UNSURE_MAX
            && self.asks.first().is_some_and(|first| !first.in_vain)
        {
            self.asks.remove(0);
        }
        self.asks.push(ask);
    }
}
