//! How far a run has come: a line that is redrawn on a terminal, now and then a plain line elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::quantity::{bytes, count, counted, span};
use super::talk::Talk;
use crate::pipeline::Progress;
use crate::source::{Feed, Listed};

/// Time between two looks at the counters; a redraw each on a terminal.
const TICK: Duration = Duration::from_millis(100);
/// Time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// A rate over less than this says nothing.
const RATE_AFTER: Duration = Duration::from_secs(1);

/// What is watched.
pub struct Watch<'a> {
    pub talk: &'a Talk,
    pub feeds: &'a [Box<dyn Feed>],
    pub progress: &'a Progress,
    /// Turned true by Ctrl-C: the feeds are then asked to hand out nothing more.
    pub cancelled: &'a AtomicBool,
}

impl Watch<'_> {
    /// Watches until the other end of `done` is dropped.
    pub fn run(&self, done: &Receiver<()>) {
        let started = Instant::now();
        let mut said = started;
        let mut stopped = false;
        while done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if !stopped && self.cancelled.load(Ordering::Relaxed) {
                self.feeds.iter().for_each(|feed| feed.stop());
                stopped = true;
            }
            if !self.talk.quiet() && self.talk.terminal() {
                self.talk.draw(&self.look(started.elapsed()).line());
            } else if said.elapsed() >= PLAIN_EVERY {
                self.talk.note(&self.look(started.elapsed()).line());
                said = Instant::now();
            }
        }
        self.talk.clear();
    }

    fn look(&self, elapsed: Duration) -> Look {
        let mut listed = Listed { complete: true, ..Listed::default() };
        for feed in self.feeds.iter().map(|feed| feed.listed()) {
            listed.objects += feed.objects;
            listed.bytes += feed.bytes;
            listed.complete &= feed.complete;
            listed.retries += feed.retries;
        }
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Look {
            listed,
            objects: read(&self.progress.objects),
            bytes: read(&self.progress.bytes_compressed),
            records: read(&self.progress.records),
            elapsed,
        }
    }
}

/// One look at the counters.
struct Look {
    listed: Listed,
    objects: u64,
    bytes: u64,
    records: u64,
    elapsed: Duration,
}

impl Look {
    /// `1,204 of 3,000 objects, 1.2 of 3.0 GiB, 45.0 MiB/s, 88,000 records, about 40 s left`.
    fn line(&self) -> String {
        let at_least = if self.listed.complete { "" } else { " (still listing)" };
        let mut text = format!("{} of {}{at_least}", count(self.objects), counted(self.listed.objects, "object", "objects"));
        text.push_str(&format!(", {}", bytes(self.bytes)));
        if let Some(rate) = self.bytes_per_second() {
            text.push_str(&format!(", {}/s", bytes(rate)));
        }
        text.push_str(&format!(", {}", counted(self.records, "record", "records")));
        if self.listed.retries > 0 {
            text.push_str(&format!(", {} tried again", counted(self.listed.retries, "request", "requests")));
        }
        if let Some(left) = self.seconds_left() {
            text.push_str(&format!(", about {} left", span(left)));
        }
        text
    }

    fn bytes_per_second(&self) -> Option<u64> {
        (self.elapsed >= RATE_AFTER).then(|| (self.bytes as f64 / self.elapsed.as_secs_f64()) as u64)
    }

    /// Known only when the listing is complete: by bytes where their number is known (S3), else by objects (folders).
    fn seconds_left(&self) -> Option<i64> {
        if !self.listed.complete || self.elapsed < RATE_AFTER {
            return None;
        }
        let (done, all) = if self.listed.bytes > self.bytes { (self.bytes, self.listed.bytes) } else { (self.objects, self.listed.objects) };
        let left = all.checked_sub(done).filter(|left| *left > 0 && done > 0)?;
        Some((left as f64 / done as f64 * self.elapsed.as_secs_f64()).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(complete: bool, seconds: u64) -> Look {
        let listed = Listed { objects: 3_000, bytes: 10 << 20, complete, retries: 0 };
        Look { listed, objects: 1_204, bytes: 4 << 20, records: 88_000, elapsed: Duration::from_secs(seconds) }
    }

    #[test]
    fn the_time_left_needs_a_complete_listing() {
        assert_eq!(look(true, 4).line(), "1,204 of 3,000 objects, 4.0 MiB, 1.0 MiB/s, 88,000 records, about 6 s left");
        assert_eq!(look(false, 4).line(), "1,204 of 3,000 objects (still listing), 4.0 MiB, 1.0 MiB/s, 88,000 records");
        assert_eq!(look(true, 0).line(), "1,204 of 3,000 objects, 4.0 MiB, 88,000 records");
    }

    #[test]
    fn retries_are_told() {
        let mut slow = look(false, 0);
        slow.listed.retries = 1;
        assert!(slow.line().ends_with("88,000 records, 1 request tried again"));
    }

    #[test]
    fn a_folder_has_no_bytes_ahead_and_counts_by_objects() {
        let folder = Look { listed: Listed { objects: 2_408, bytes: 4 << 20, complete: true, retries: 0 }, ..look(true, 4) };
        assert_eq!(folder.seconds_left(), Some(4));
    }

    #[test]
    fn stdin_has_no_size_and_no_time_left() {
        let stdin = Look { listed: Listed { objects: 1, bytes: 0, complete: true, retries: 0 }, objects: 0, ..look(true, 4) };
        assert_eq!(stdin.seconds_left(), None);
    }
}
