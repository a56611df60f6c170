//! Progress of a run: a line that is redrawn on a terminal, or a plain line from time to time elsewhere.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

use super::quantity::{bytes, count, counted, span};
use super::talk::Talk;
use crate::pipeline::Progress;
use crate::source::{Feed, Listed, could_not_run};

/// Time between two updates on a terminal.
const TICK: Duration = Duration::from_millis(100);
/// Time between two plain lines.
const PLAIN_EVERY: Duration = Duration::from_secs(10);
/// Time before which a rate means nothing.
const RATE_AFTER: Duration = Duration::from_secs(1);
/// Width of the bar in characters.
const BAR: usize = 10;

/// What the progress display watches.
pub struct Watch<'a> {
    pub talk: &'a Talk,
    pub feeds: &'a [Box<dyn Feed>],
    pub progress: &'a Progress,
    /// Set by Ctrl-C: the feeds then hand out nothing more.
    pub cancelled: &'a AtomicBool,
}

impl Watch<'_> {
    /// Watches until the other end of `done` is dropped.
    pub fn run(&self, done: &Receiver<()>) {
        let started = Instant::now();
        let mut said = started;
        let mut stopped = false;
        while done.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
            if !stopped && (self.cancelled.load(Ordering::Relaxed) || self.is_in_vain()) {
                self.feeds.iter().for_each(|feed| feed.stop());
                stopped = true;
            }
            if self.talk.draws() {
                self.talk.draw(&self.look(started.elapsed()).line());
            } else if said.elapsed() >= PLAIN_EVERY {
                self.talk.note(&self.look(started.elapsed()).line());
                said = Instant::now();
            }
        }
        self.talk.clear();
    }

    /// Whether one of the sources cannot be read at all: then there will be no answer, and the others need
    /// not be read.
    fn is_in_vain(&self) -> bool {
        self.feeds.iter().any(|feed| could_not_run(&**feed).is_some())
    }

    fn look(&self, elapsed: Duration) -> Look {
        let mut listed = Listed { complete: true, sized: true, ..Listed::default() };
        for feed in self.feeds.iter().map(|feed| feed.listed()) {
            listed.objects += feed.objects;
            listed.bytes += feed.bytes;
            listed.complete &= feed.complete;
            listed.sized &= feed.sized;
            listed.retries += feed.retries;
        }
        let read = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::Relaxed);
        Look {
            listed,
            objects: read(&self.progress.objects),
            bytes: read(&self.progress.bytes_compressed),
            records: read(&self.progress.records),
            suspects: self.progress.suspects.so_far(),
            stopped: self.cancelled.load(Ordering::Relaxed),
            elapsed,
        }
    }
}

/// The counters at one moment.
struct Look {
    listed: Listed,
    objects: u64,
    bytes: u64,
    records: u64,
    suspects: Option<u64>,
    /// After Ctrl-C nothing more is read.
    stopped: bool,
    elapsed: Duration,
}

impl Look {
    /// `[####------] 1,204 of 3,000 objects, 1.2 GiB, 45.0 MiB/s, about 40 s left, 2 suspects so far,
    /// 88,000 records`: the least important comes last, because a narrow terminal cuts it off.
    fn line(&self) -> String {
        let mut parts = vec![format!(
            "{}{} of {}",
            self.bar(),
            count(self.objects),
            counted(self.listed.objects, "object", "objects")
        )];
        if !self.listed.complete {
            parts[0].push_str(" (still listing)");
        }
        parts.push(bytes(self.bytes));
        parts.extend(self.bytes_per_second().map(|rate| format!("{}/s", bytes(rate))));
        match self.seconds_left() {
            _ if self.is_all_read() => parts.push("putting it together".to_owned()),
            left => parts.extend(left.map(|left| format!("about {} left", span(left)))),
        }
        parts.extend(
            self.suspects.map(|suspects| format!("{} so far", counted(suspects, "suspect", "suspects"))),
        );
        if self.records > 0 {
            parts.push(counted(self.records, "record", "records"));
        }
        if self.listed.retries > 0 {
            parts.push(format!("{} tried again", counted(self.listed.retries, "request", "requests")));
        }
        parts.join(", ")
    }

    /// Whether only the merging of events is left, which takes noticeable time for millions of them.
    const fn is_all_read(&self) -> bool {
        self.stopped || self.listed.complete && self.objects > 0 && self.objects >= self.listed.objects
    }

    /// The progress in tenths; empty while it is not known.
    fn bar(&self) -> String {
        let Some((done, all)) = self.share() else { return String::new() };
        let filled =
            usize::try_from(done.saturating_mul(BAR as u64) / all).map_or(BAR, |filled| filled.min(BAR));
        format!("[{}{}] ", "#".repeat(filled), "-".repeat(BAR - filled))
    }

    /// How much is done of how much, once the listing is complete: in bytes where sizes are known (S3),
    /// else in objects (folders). With a single object there is no progress to show before its end.
    fn share(&self) -> Option<(u64, u64)> {
        let (done, all) = if self.listed.sized {
            (self.bytes, self.listed.bytes)
        } else {
            (self.objects, self.listed.objects)
        };
        (self.listed.complete && self.listed.objects > 1 && all > 0).then_some((done, all))
    }

    fn bytes_per_second(&self) -> Option<u64> {
        (self.elapsed >= RATE_AFTER).then(|| (self.bytes as f64 / self.elapsed.as_secs_f64()) as u64)
    }

    fn seconds_left(&self) -> Option<i64> {
        let (done, all) = self.share().filter(|_| self.elapsed >= RATE_AFTER)?;
        let left = all.checked_sub(done).filter(|left| *left > 0 && done > 0)?;
        Some((left as f64 / done as f64 * self.elapsed.as_secs_f64()).ceil() as i64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(complete: bool, seconds: u64) -> Look {
        let listed = Listed { objects: 3_000, bytes: 10 << 20, sized: true, complete, retries: 0 };
        Look {
            listed,
            objects: 1_204,
            bytes: 4 << 20,
            records: 88_000,
            suspects: None,
            stopped: false,
            elapsed: Duration::from_secs(seconds),
        }
    }

    #[test]
    fn the_time_left_needs_a_complete_listing() {
        assert_eq!(
            look(true, 4).line(),
            "[####------] 1,204 of 3,000 objects, 4.0 MiB, 1.0 MiB/s, about 6 s left, 88,000 records"
        );
        assert_eq!(
            look(false, 4).line(),
            "1,204 of 3,000 objects (still listing), 4.0 MiB, 1.0 MiB/s, 88,000 records"
        );
        assert_eq!(look(true, 0).line(), "[####------] 1,204 of 3,000 objects, 4.0 MiB, 88,000 records");
    }

    #[test]
    fn suspects_stand_where_a_narrow_terminal_shows_them() {
        let line = Look { suspects: Some(1), ..look(true, 4) }.line();
        assert!(line.find("1 suspect so far").is_some_and(|at| at < 80), "{line}");
        let none = Look { suspects: Some(0), ..look(false, 4) }.line();
        assert!(none.contains(", 0 suspects so far, "), "{none}");
    }

    #[test]
    fn the_bar_is_full_at_the_end_and_never_longer() {
        let ended = Look { objects: 3_001, bytes: 10 << 20, ..look(true, 4) };
        assert!(ended.line().starts_with("[##########] "), "{}", ended.line());
    }

    /// After Ctrl-C, and after the last object, the line used to promise seconds that were over already.
    #[test]
    fn nothing_is_left_to_read_in_the_end() {
        for end in [Look { stopped: true, ..look(true, 4) }, Look { objects: 3_000, ..look(true, 4) }] {
            let line = end.line();
            assert!(line.contains("putting it together") && !line.contains(" left"), "{line}");
        }
    }

    #[test]
    fn retries_are_told() {
        let mut slow = look(false, 0);
        slow.listed.retries = 1;
        assert!(slow.line().ends_with("88,000 records, 1 request tried again"));
    }

    #[test]
    fn a_folder_has_no_bytes_ahead_and_counts_by_objects() {
        // Data in flight has been read but not processed: counted as done, it would be nearly all bytes.
        let listed = Listed { objects: 2_408, bytes: 5 << 20, sized: false, complete: true, retries: 0 };
        let folder = Look { listed, ..look(true, 4) };
        assert_eq!(folder.seconds_left(), Some(4));
        assert!(folder.line().starts_with("[#####-----] "), "{}", folder.line());
    }

    #[test]
    fn stdin_has_no_size_and_no_time_left() {
        let stdin = Look {
            listed: Listed { objects: 1, complete: true, ..Listed::default() },
            objects: 0,
            ..look(true, 4)
        };
        assert_eq!(stdin.seconds_left(), None);
    }
}
