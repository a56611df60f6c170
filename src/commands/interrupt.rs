//! Ctrl-C: while logs are read the first finishes what is in flight, and the second stops at once. Once the
//! answer is being written there is nothing left to finish, and the first one stops.

use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
#[cfg(feature = "sql")]
use std::sync::mpsc;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use crate::ui::output;
use crate::ui::talk::Talk;

/// Exit code of a process that was interrupted, by the shell's convention (128 + SIGINT).
const INTERRUPTED: i32 = 130;

/// Signals within this time count as one: `timeout` and some terminals send theirs to the process and to its
/// group, within microseconds. Nobody presses a key twice in this time.
const TOGETHER: Duration = Duration::from_millis(50);

/// Set when the user has asked the run to end.
static ASKED: AtomicBool = AtomicBool::new(false);

/// How often that is checked.
#[cfg(feature = "sql")]
const LOOK: Duration = Duration::from_millis(20);

/// Calls `work`, which may block; `None` if the user asks the run to end before it has returned.
#[cfg(feature = "sql")]
pub fn unless_asked<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let (told, answer) = mpsc::channel();
    let asking = std::thread::Builder::new().spawn(move || drop(told.send(work())));
    if asking.is_err() {
        return None;
    }
    loop {
        match answer.recv_timeout(LOOK) {
            Err(mpsc::RecvTimeoutError::Timeout) if !ASKED.load(Ordering::Relaxed) => {}
            answer => return answer.ok(),
        }
    }
}

/// The flag that the first Ctrl-C (or SIGTERM, SIGHUP) sets; the run checks it between objects.
pub fn flag(talk: &Arc<Talk>) -> Arc<AtomicBool> {
    let cancelled = Arc::new(AtomicBool::new(false));
    let (flag, talk) = (Arc::clone(&cancelled), Arc::clone(talk));
    let first = OnceLock::new();
    let handler = move || {
        ASKED.store(true, Ordering::Relaxed);
        if flag.swap(true, Ordering::Relaxed) {
            if first.get().is_some_and(|answered: &Instant| answered.elapsed() > TOGETHER) {
                stop();
            }
            return;
        }
        if output::is_writing() {
            stop();
        }
        talk.warn(
            "interrupted: finishing what is in flight, then reporting what was read; once more stops at once",
        );
        // Signals are handled one after another: one that came together with the first has waited while
        // that was handled.
        let _ = first.set(Instant::now());
    };
    // Without a handler Ctrl-C stops the process, which is what the second one does anyway.
    let _ = ctrlc::set_handler(handler);
    cancelled
}

/// Ends the process, and deletes an output file that is not complete.
pub fn stop() -> ! {
    output::discard();
    process::exit(INTERRUPTED);
}
