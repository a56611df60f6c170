//! Ctrl-C: the first finishes what is in flight, the second stops at once.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::ui::talk::Talk;

/// Exit code of a process that was interrupted, by the shell's convention (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Signals that come together are one: `timeout` and some terminals send theirs to the process and to its group.
const TOGETHER: Duration = Duration::from_millis(300);

/// The flag that the first Ctrl-C (or SIGTERM, SIGHUP) sets; the run looks at it between objects.
pub fn flag(talk: &Arc<Talk>) -> Arc<AtomicBool> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let (flag, talk) = (Arc::clone(&cancelled), Arc::clone(talk));
    let first = OnceLock::new();
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            if first.get().is_some_and(|first: &Instant| first.elapsed() > TOGETHER) {
                process::exit(INTERRUPTED);
            }
            return;
        }
        let _ = first.set(Instant::now());
        talk.warn("interrupted: finishing what is in flight, then reporting what was read; once more stops at once");
    };
    // Without a handler Ctrl-C stops the process, which is what the second one does anyway.
    let _ = ctrlc::set_handler(handler);
    cancelled
}
