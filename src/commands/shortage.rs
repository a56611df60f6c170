//! Watches memory: that of `--max-memory`, for what is kept of events about images, and that of the
//! machine. Reports with exit code 2 while some memory is left, because later the system would kill the
//! process without a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Duration;

use crate::failure::Failure;
use crate::pipeline::{EventMemoryExceeded, Run};
use crate::source::Listed;
use crate::ui::output;
use crate::ui::quantity::bytes;
use crate::ui::talk::Talk;

/// How often memory is checked when there is plenty, and when there is not.
const CALM: Duration = Duration::from_millis(100);
const NEAR: Duration = Duration::from_millis(10);
/// If the process has less than this fraction of all memory, something else is using it up.
const OWN_PART_MIN: u64 = 8;
/// The memory that has to be left: a fraction, within limits.
const RESERVE_PART: u64 = 32;
const RESERVE_MIN: u64 = 8 << 20;
const RESERVE_MAX: u64 = 512 << 20;

/// One of the limits on memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    what: &'static str,
    total: u64,
    left: u64,
    /// What has to be left.
    reserve: u64,
}

impl Limit {
    /// The limit of the machine, or of a control group.
    fn of_pages(what: &'static str, total: u64, left: u64) -> Self {
        Self { what, total, left, reserve: (total / RESERVE_PART).clamp(RESERVE_MIN, RESERVE_MAX) }
    }

    /// The limit of a run that knows how much it may take.
    fn of_run(allowed: u64, taken: u64) -> Option<Self> {
        (allowed > 0).then(|| Self {
            what: OF_RUN,
            total: allowed,
            left: allowed.saturating_sub(taken),
            reserve: PROGRAM_BYTES / 4,
        })
    }

    /// The limit of the address space: a list that grows exists twice for a moment.
    fn of_addresses(total: u64, used: u64, resident: u64) -> Self {
        Self {
            what: "the address space (ulimit -v)",
            total,
            left: total.saturating_sub(used),
            reserve: (resident / 3 * 2).max(RESERVE_MAX / 8),
        }
    }

    const fn is_near(&self) -> bool {
        self.left < self.reserve.saturating_mul(3)
    }

    const fn is_reached(&self, resident: u64) -> bool {
        self.left < self.reserve && resident > self.total / OWN_PART_MIN
    }
}

/// Maximum memory of a run whose answer is made of events about images, once it is known; 0: not known.
static RUN_BYTES_MAX: AtomicU64 = AtomicU64::new(0);
const OF_RUN: &str = "what --max-memory allows for";
/// Memory of the program itself, its threads, and the set of event identities.
const PROGRAM_BYTES: u64 = 192 << 20;

/// Removes the run's own limit: what follows limits itself.
#[cfg(feature = "sql")]
pub fn lift() {
    RUN_BYTES_MAX.store(0, Ordering::Relaxed);
}

/// From now on the process ends if it takes half as much again as `--max-memory`, because some needs cannot
/// be known in advance: findings, or how often one image is needed.
pub fn limit(max_memory: u64) {
    RUN_BYTES_MAX.store((max_memory / 2 * 3).saturating_add(PROGRAM_BYTES), Ordering::Relaxed);
}

/// Checks memory as long as the process runs. If no thread can be started, nothing checks it.
pub fn watch(talk: &Arc<Talk>) {
    let talk = Arc::clone(talk);
    let look = move || {
        while let Some((resident, limits)) = system::memory() {
            if let Some(limit) = limits.iter().find(|limit| limit.is_reached(resident)) {
                output::discard();
                talk.failure(&refusal(limit, resident));
                std::process::exit(i32::from(Failure::EXIT_CODE));
            }
            thread::sleep(if limits.iter().any(Limit::is_near) { NEAR } else { CALM });
        }
    };
    let _ = thread::Builder::new().name("memory".into()).spawn(look);
}

/// The error if events about images take more memory than allowed.
pub fn overfull(overfull: EventMemoryExceeded, run: &Run<'_>) -> Failure {
    let (read, objects) =
        (run.progress.bytes_compressed.load(Ordering::Relaxed), run.progress.objects.load(Ordering::Relaxed));
    let listed: Vec<Listed> = run.feeds.iter().map(|feed| feed.listed()).collect();
    let known = listed.iter().all(|listed| listed.complete) && objects > 0 && read > 0;
    let sized = listed.iter().all(|listed| listed.sized);
    let all = |of: fn(&Listed) -> u64| listed.iter().map(of).sum::<u64>();
    let part =
        if sized { (all(|listed| listed.bytes), read) } else { (all(|listed| listed.objects), objects) };
    let failure = Failure::new("not enough memory");
    let failure = failure.because(format!(
        "what must be kept about images from {} of logs takes {}, and --max-memory is {}",
        bytes(read),
        bytes(overfull.bytes),
        bytes(overfull.bytes_max)
    ));
    let failure = failure.advise(if known {
        format!(
            "allow more: about --max-memory {} for all logs",
            needed(overfull.bytes, part.0.max(part.1), part.1)
        )
    } else {
        format!("give more: --max-memory {} at least", needed(overfull.bytes, 1, 1))
    });
    failure.advise("or read less: --since, --until, --account, --region, --repository")
}

/// How much all of the logs need if a part of them needs `bytes`, with a quarter more, in a unit that can
/// be passed as an option.
fn needed(bytes: u64, all: u64, part: u64) -> String {
    let whole = u128::from(bytes) * u128::from(all.max(1)) / u128::from(part.max(1)) * 5 / 4;
    match whole >> 20 {
        mib @ 0..=1999 => format!("{}MiB", (mib + 1).next_multiple_of(64)),
        mib => format!("{}GiB", mib.div_ceil(1024)),
    }
}

fn refusal(limit: &Limit, resident: u64) -> Failure {
    let failure = Failure::new("not enough memory");
    let failure = failure.because(format!(
        "{} of {} are used, and {} is nearly exhausted",
        bytes(resident),
        bytes(limit.total),
        limit.what
    ));
    let failure = if limit.what == OF_RUN { failure.advise("allow more: --max-memory") } else { failure };
    let failure = failure.advise("read less: --since, --until, --account, --region, --repository");
    failure.advise("or ingest the logs into a lake and use query, or use a machine with more memory")
}

#[cfg(target_os = "linux")]
mod system {
    use std::fs;
    use std::path::{Path, PathBuf};

    use rustix::process::{Resource, getrlimit};

    use super::{Limit, Ordering, RUN_BYTES_MAX};

    /// Memory of this process, and the limits. `None` if the system does not tell.
    pub(super) fn memory() -> Option<(u64, Vec<Limit>)> {
        let own = fs::read_to_string("/proc/self/status").ok()?;
        let (used, resident) = (kib(&own, "VmSize")?, kib(&own, "VmRSS")?);
        // Without pages of files that can be read again.
        let taken = kib(&own, "RssAnon").unwrap_or(resident);
        let run = Limit::of_run(RUN_BYTES_MAX.load(Ordering::Relaxed), taken);
        let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| machine(&text));
        let addresses =
            getrlimit(Resource::As).current.map(|total| Limit::of_addresses(total, used, resident));
        let group = fs::read_to_string("/proc/self/cgroup").ok().and_then(|text| group(&text));
        Some((resident, [machine, addresses, group, run].into_iter().flatten().collect()))
    }

    /// Parses a line `NAME:   123 kB` into bytes.
    fn kib(text: &str, name: &str) -> Option<u64> {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
        line.split_whitespace().next()?.parse::<u64>().ok().map(|kib| kib << 10)
    }

    pub(super) fn machine(meminfo: &str) -> Option<Limit> {
        let left = kib(meminfo, "MemAvailable")? + kib(meminfo, "SwapFree").unwrap_or(0);
        Some(Limit::of_pages("the memory of this machine", kib(meminfo, "MemTotal")?, left))
    }

    /// The control group with the least memory left. The two hierarchies use different names.
    fn group(groups: &str) -> Option<Limit> {
        let line = |id: &dyn Fn(&str) -> bool| {
            groups
                .lines()
                .find_map(|line| line.split_once(':')?.1.split_once(':').filter(|(name, _)| id(name)))
        };
        let unified = line(&|name| name.is_empty())
            .map(|(_, path)| (Path::new("/sys/fs/cgroup"), path, ["memory.max", "memory.current"]));
        let memory = line(&|name| name.split(',').any(|name| name == "memory"));
        let memory = memory.map(|(_, path)| {
            (Path::new("/sys/fs/cgroup/memory"), path, ["memory.limit_in_bytes", "memory.usage_in_bytes"])
        });
        let limits = [unified, memory].into_iter().flatten().flat_map(|(root, path, files)| {
            let folders: Vec<PathBuf> =
                Path::new(path.trim_start_matches('/')).ancestors().map(|path| root.join(path)).collect();
            folders.into_iter().filter_map(move |folder| limit(&folder, files))
        });
        limits.min_by_key(|limit| limit.left)
    }

    /// A limit and its use, not counting what the system can reclaim at any time.
    pub(super) fn limit(folder: &Path, [limit, usage]: [&str; 2]) -> Option<Limit> {
        let number = |name: &str| fs::read_to_string(folder.join(name)).ok()?.trim().parse::<u64>().ok();
        // Without a limit it is a word, or a number larger than any machine's memory.
        let total = number(limit).filter(|total| *total < 1 << 50)?;
        let stat = fs::read_to_string(folder.join("memory.stat")).unwrap_or_default();
        let given_back =
            |name: &str| stat.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<u64>().ok());
        let given_back =
            given_back("total_inactive_file ").or_else(|| given_back("inactive_file ")).unwrap_or(0);
        Some(Limit::of_pages(
            "the memory of its control group",
            total,
            total.saturating_sub(number(usage)?.saturating_sub(given_back)),
        ))
    }
}

#[cfg(not(target_os = "linux"))]
mod system {
    pub(super) const fn memory() -> Option<(u64, Vec<super::Limit>)> {
        None
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    #[test]
    fn memory_that_is_nearly_used_up_is_refused_to_whoever_takes_it() {
        let limit = Limit::of_pages("it", 4096 * MIB, 100 * MIB);
        assert_eq!(
            (limit.reserve, limit.is_reached(3000 * MIB), limit.is_reached(300 * MIB)),
            (128 * MIB, true, false)
        );
        assert!(!Limit::of_pages("it", 4096 * MIB, 200 * MIB).is_reached(3000 * MIB));
        let small = Limit::of_pages("it", 128 * MIB, 20 * MIB);
        assert!(!small.is_reached(100 * MIB) && small.is_near());
        assert!(Limit::of_addresses(1000 * MIB, 700 * MIB, 600 * MIB).is_reached(600 * MIB));
        assert!(!Limit::of_addresses(1000 * MIB, 500 * MIB, 100 * MIB).is_reached(100 * MIB));
    }

    #[test]
    fn what_the_system_says_is_understood() {
        let machine = system::machine(
            "MemTotal:       1024 kB\nMemFree: 1 kB\nMemAvailable:    512 kB\nSwapFree:  256 kB\n",
        )
        .unwrap();
        assert_eq!((machine.total, machine.left), (MIB, 768 << 10));
        assert_eq!(system::machine("MemTotal: 5 kB\n"), None);
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("memory.max", "104857600\n");
        write("memory.current", "94371840\n");
        write("memory.stat", "anon 5\ninactive_file 10485760\n");
        let limit = system::limit(folder.path(), ["memory.max", "memory.current"]).unwrap();
        assert_eq!((limit.total, limit.left), (100 * MIB, 20 * MIB));
        write("memory.max", "max\n");
        assert_eq!(system::limit(folder.path(), ["memory.max", "memory.current"]), None);
        assert!(system::memory().is_some_and(|(resident, limits)| resident > MIB && !limits.is_empty()));
    }
}
