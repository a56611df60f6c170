//! Ctrl-C: the first finishes what is in flight, the second stops at once.

use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::ui::talk::Talk;

/// Exit code of a process that was interrupted, by the shell's convention (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// The flag that the first Ctrl-C (or SIGTERM, SIGHUP) sets; the run looks at it between objects.
pub fn flag(talk: &Arc<Talk>) -> Arc<AtomicBool> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let (flag, talk) = (Arc::clone(&cancelled), Arc::clone(talk));
    let handler = move || {
        if flag.swap(true, Ordering::Relaxed) {
            process::exit(INTERRUPTED);
        }
        talk.warn("interrupted: finishing what is in flight, then reporting what was read; once more stops at once");
    };
    // Without a handler Ctrl-C stops the process, which is what the second one does anyway.
    let _ = ctrlc::set_handler(handler);
    cancelled
}
