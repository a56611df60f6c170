//! How much address space and how many threads this machine allows the process. Determined before the work
//! begins, because if either runs out later, a library ends the process or waits forever.

use std::num::NonZeroUsize;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::ui::quantity::bytes;

/// Address space for the program, its libraries and the set of event identities, with room to work.
const ADDRESS_BYTES_MIN: u64 = 640 << 20;
/// If the address space is limited, objects in flight may take this fraction of it.
const ADDRESS_PART: u64 = 8;
/// If the address space is limited, each thread is left this much of it, for its stack and for what the
/// allocator reserves.
const THREAD_BYTES: u64 = 72 << 20;
/// Threads besides the workers: those that walk folders, show progress, and wait for signals.
const OTHER_THREADS: usize = 4;

/// What was found out.
#[derive(Debug, Clone, Copy)]
pub struct Machine {
    /// How large the address space may become, where that is limited.
    address_bytes: Option<u64>,
    /// Threads for each of the two pools.
    workers_max: usize,
}

/// Memory in pieces of up to this size is kept for the next one, where the system's allocator learns from what
/// it is given back.
#[cfg(feature = "sql")]
const KEPT_BYTES: usize = 8 << 20;

/// Lets the allocator keep the memory of pages and columns, which are read one after another. glibc's gives a
/// piece of more than 128 KiB back to the system as soon as it is free, until it has met a greater one that
/// was: from then on it keeps pieces of that size. Otherwise half of the time of a scan is the system's, which
/// fills each piece with zeros again. The memory of the one given back here is never used.
#[cfg(feature = "sql")]
pub fn keep_memory() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(KEPT_BYTES)));
}

static MACHINE: OnceLock<Machine> = OnceLock::new();

/// Asks the machine, once, before any thread is started. `wanted` is the number of workers.
pub fn prepare(wanted: NonZeroUsize) -> Result<(), Failure> {
    let address_bytes = address_bytes();
    if let Some(allowed) = address_bytes.filter(|&allowed| allowed < ADDRESS_BYTES_MIN) {
        let failure = Failure::new("not enough memory to begin");
        let failure =
            failure.because(format!("the address space is limited to {} (ulimit -v)", bytes(allowed)));
        return Err(failure.advise(format!(
            "raise the limit to {} or more, or lift it: ulimit -v unlimited",
            bytes(2 * ADDRESS_BYTES_MIN)
        )));
    }
    let by_memory = address_bytes.map_or(usize::MAX, |allowed| {
        usize::try_from((allowed - ADDRESS_BYTES_MIN / 2) / THREAD_BYTES / 2).unwrap_or(usize::MAX)
    });
    let workers = wanted.get().min(by_memory.max(1));
    // The workers, and as many again for the work after reading.
    let had = threads_to_be_had(2 * workers + OTHER_THREADS);
    let workers_max =
        if had == 2 * workers + OTHER_THREADS { workers } else { had.saturating_sub(OTHER_THREADS) / 2 };
    if workers_max < wanted.get() {
        // Otherwise rayon would start as many threads as there are processors, and panic if it cannot.
        let pool = rayon::ThreadPoolBuilder::new();
        let pool = if workers_max < 2 {
            pool.num_threads(1).use_current_thread()
        } else {
            pool.num_threads(workers_max)
        };
        pool.build_global().map_err(|error| Failure::new("cannot start a thread").because(error))?;
    }
    let _ = MACHINE.set(Machine { address_bytes, workers_max: workers_max.max(1) });
    Ok(())
}

/// As many workers as were asked for, or as are possible.
pub fn workers(asked: NonZeroUsize) -> NonZeroUsize {
    let allowed = MACHINE.get().and_then(|machine| NonZeroUsize::new(machine.workers_max));
    allowed.map_or(asked, |allowed| allowed.min(asked))
}

/// As much memory as was asked for, or as is possible.
pub fn memory(asked: u64) -> u64 {
    let allowed = MACHINE.get().and_then(|machine| machine.address_bytes);
    allowed.map_or(asked, |allowed| asked.min(allowed / ADDRESS_PART))
}

#[cfg(unix)]
fn address_bytes() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

#[cfg(not(unix))]
const fn address_bytes() -> Option<u64> {
    None
}

/// How many of `wanted` threads the system lets run at the same time.
fn threads_to_be_had(wanted: usize) -> usize {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let wait = || {
            while !done.load(Ordering::Acquire) {
                thread::park_timeout(Duration::from_millis(10));
            }
        };
        let mut threads = Vec::with_capacity(wanted);
        while threads.len() < wanted {
            match thread::Builder::new().spawn_scoped(scope, wait) {
                Ok(thread) => threads.push(thread),
                Err(_) => break,
            }
        }
        done.store(true, Ordering::Release);
        threads.iter().for_each(|thread| thread.thread().unpark());
        threads.len()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_counted_as_they_are_had() {
        assert_eq!(threads_to_be_had(5), 5);
    }

    #[test]
    fn what_is_asked_for_is_given_where_nothing_is_limited() {
        let asked = NonZeroUsize::new(3).unwrap();
        assert_eq!((workers(asked), memory(1 << 30)), (asked, 1 << 30));
    }
}
