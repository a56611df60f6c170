//! `tagfall ingest SOURCE… --lake DIR`: writes every event to Parquet, for further queries.

pub(super) mod shard_file;
mod shards;

use std::num::NonZeroUsize;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::gather::{budget, watched};
use super::options::{Jobs, S3, SettingsFrom, Sources, Window};
use super::{Ending, after_help_without_findings, interrupt, machine, nothing, sources, values};
use crate::decode::Wanted;
use crate::failure::Failure;
use crate::lake::{Ingest, LakeError, Summary};
use crate::model::Coverage;
use crate::pipeline;
use crate::source::Options;
use crate::source::store::is_s3;
use crate::ui::coverage::describe;
use crate::ui::quantity::{bytes, count, counted, elapsed};
use crate::ui::talk::Talk;

const EXAMPLES: &str = "\
Examples:
  # every day, or every hour: only new objects are read
  tagfall ingest s3://my-trail/AWSLogs/ --lake ./lake
  tagfall detect ./lake
  tagfall ingest ./logs --lake ./lake --select ecr,ecs
  # a lake in S3
  tagfall ingest s3://my-trail/AWSLogs/ --lake s3://my-lakes/trail
  # one of many machines (see tagfall plan)
  tagfall ingest --shard plan/shard-00001.ndjson --lake ./lake";

/// Maximum number of failures that are written to stderr.
const FAILURES_SAID_MAX: usize = 3;
/// The fraction of `--max-memory` for objects in flight; writing files takes the rest.
const AHEAD_SHARE: u64 = 8;

/// Write events to a lake (Parquet by account, region and day), or add new ones to it
///
/// Each event is stored once, under the day on which it happened. Objects that the lake already has are not
/// read again. The run may be interrupted at any time: the lake stays as the last commit left it, and the
/// next run continues from there. Any tool that supports Hive partitions can read a lake in a folder; every
/// command of tagfall accepts a lake as SOURCE. --since, --until, --account and --region select objects by
/// their keys; all events of these objects are stored.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help_without_findings(EXAMPLES))]
pub struct Args {
    /// Where the logs are: `s3://bucket/prefix`, a folder, a file, or `-` for stdin; several can be given
    #[arg(value_name = "SOURCE", required_unless_present_any = ["shard", "merge", "commit"], conflicts_with_all = ["shard", "merge", "commit"])]
    sources: Vec<String>,

    /// The lake: a folder, or s3://bucket/prefix; created if it does not exist
    #[arg(long, value_name = "LAKE")]
    lake: PathBuf,

    /// Keep only the events of these services: ecr,ecs or ecr.amazonaws.com. Cannot be changed later
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', value_parser = service, conflicts_with_all = ["shard", "merge", "commit"])]
    select: Vec<String>,

    /// Stage the events of one shard of `tagfall plan` beside the lake; can be repeated, or run twice at the
    /// same time
    #[arg(long, value_name = "FILE", help_heading = "Many machines", conflicts_with_all = ["merge", "commit"])]
    shard: Option<String>,

    /// Merge what the shards have staged for some days, before --commit: 3/8 for the third eighth of all
    /// days, or account=…/region=…/date=…
    #[arg(long, value_name = "DAYS", help_heading = "Many machines", conflicts_with = "commit")]
    merge: Option<String>,

    /// Publish everything that the shards have staged in one commit; refused while shards are missing
    #[arg(long, help_heading = "Many machines")]
    commit: bool,

    /// The id of the plan, if shards of several plans are staged, or if --commit may be repeated
    #[arg(long, value_name = "ID", help_heading = "Many machines", conflicts_with = "shard")]
    plan: Option<String>,

    /// Exit with 0 instead of 3 if some evidence could not be read
    #[arg(long)]
    allow_incomplete: bool,

    /// No progress and no notes: stderr only says why the exit code is 2 or 3
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    jobs: Jobs,

    /// Approximate memory of the whole run; one decompressed object may use half of it. Files of the best
    /// size need 512MiB
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = values::memory, help_heading = "Limits")]
    max_memory: u64,

    /// For a lake in S3: how long replaced files are kept for readers that began before: 90s, 10m, 1h, 7d
    #[arg(long, value_name = "SPAN", default_value = "1d", value_parser = values::span, help_heading = "Limits")]
    keep_replaced: i64,

    #[command(flatten)]
    s3: S3,

    #[command(flatten)]
    _settings: SettingsFrom,
}

impl Args {
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    /// Whether this is one of the steps for many machines, which report to stdout.
    pub const fn is_step(&self) -> bool {
        self.shard.is_some() || self.merge.is_some() || self.commit
    }

    pub fn jobs(&self) -> NonZeroUsize {
        self.jobs.count()
    }

    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        if let Some(step) = self.step(talk) {
            return step;
        }
        let started = Instant::now();
        let filter = self.window.filter(&[])?;
        let mut options = sources::options(self.asked());
        self.check_sources(&options)?;
        let cancelled = interrupt::flag(talk);
        let limits = self.limits();
        let ingest = Ingest::open(sources::place(&self.lake, &options)?, &self.select, limits)
            .map_err(|error| self.failure(&error))?;
        options.known = Some(ingest.known());
        let feeds = sources::open_with(&self.sources, &options, &filter)?;
        let selected: Vec<&str> = self.select.iter().map(String::as_str).collect();
        let wanted = if selected.is_empty() { Wanted::All } else { Wanted::Sources(&selected) };
        let budget = budget(Sources { max_memory: machine::memory(self.max_memory), ..self.asked() });
        let (mut coverage, _) = watched(talk, &feeds, &cancelled, budget, |run| {
            pipeline::scan(run, wanted, || ingest.collector())
        });
        let ended_early = sources::check(&feeds, &mut coverage);
        ingest.note(&coverage);
        // What has been read is kept, even if reading failed.
        let summary = ingest
            .finish(!coverage.partial && matches!(ended_early, Ok(None)))
            .map_err(|error| self.failure(&error))?;
        if let Some(failure) = ended_early? {
            talk.failure(&failure);
        }
        if coverage.objects_listed == 0 && !coverage.partial {
            return Err(nothing::no_objects(&self.sources, &filter, &sources::pruned(&feeds)));
        }
        talk.note(&format!("{} in {}", text(&summary), elapsed(started.elapsed())));
        say_what_is_missing(talk, &coverage, &summary);
        let lacks_older =
            (summary.objects_failed_before > 0 || !summary.damaged.is_empty()) && !self.allow_incomplete;
        Ok(Ending {
            alarming: false,
            incomplete: lacks_older || Ending::lacks(&coverage, self.allow_incomplete),
        })
    }

    fn asked(&self) -> Sources<'_> {
        // A source fetches up to half of its memory ahead, and one stored object may take all of it.
        let max_memory = machine::memory(self.max_memory) / AHEAD_SHARE * 2;
        Sources { specs: &self.sources, s3: &self.s3, max_memory, jobs: self.jobs.count() }
    }

    /// A lake cannot be made from a lake, nor be inside of one of its sources, whether it exists or not.
    fn check_sources(&self, options: &Options) -> Result<(), Failure> {
        let lake = absolute(&self.lake);
        for spec in &self.sources {
            if sources::is_lake(spec, options)? {
                return Err(Failure::new(format!("cannot ingest {spec}"))
                    .because("it is a lake itself")
                    .advise("name the logs that it was made from"));
            }
            let is_inside = match self.in_s3() {
                Some(lake) => is_below(lake, spec),
                None => Path::new(spec).is_dir() && lake.starts_with(absolute(Path::new(spec))),
            };
            if is_inside {
                let failure = Failure::new(format!("cannot ingest {spec} into {}", self.lake.display()))
                    .because("the lake is inside it");
                return Err(failure.advise("choose a folder outside the logs"));
            }
        }
        Ok(())
    }

    /// The lake's address, if it is in S3.
    fn in_s3(&self) -> Option<&str> {
        self.lake.to_str().filter(|lake| is_s3(lake))
    }

    fn failure(&self, error: &LakeError) -> Failure {
        cannot_write(&self.lake, error)
    }
}

/// Why a lake cannot be written, and what to do.
pub fn cannot_write(lake: &Path, error: &LakeError) -> Failure {
    let failure = Failure::new(format!("cannot write to the lake {}", lake.display())).because(error);
    match error {
        LakeError::Io { .. } if lake.to_str().is_some_and(is_s3) => failure.advise(
            "the lake is as the last commit left it: remove the cause (docs/CLUSTER.md lists the permissions) and \
             run again",
        ),
        LakeError::Busy { .. } => failure.advise(
            "wait until the other run has ended; this one has changed nothing",
        ),
        LakeError::Overtaken { .. } | LakeError::Published { .. } => failure.advise(
            "run it again: what the other run has committed is in the lake, and only the rest is read",
        ),
        LakeError::Unconditional { .. } => failure.advise(
            "keep the lake in a folder, or in an S3 with conditional writes (AWS, MinIO, …)",
        ),
        LakeError::NothingStaged { .. } => failure.advise(
            "stage the shards of a plan first: tagfall plan, then tagfall ingest --shard FILE",
        ),
        LakeError::SeveralPlans { .. } => failure.advise("choose one: --plan ID"),
        LakeError::ShardsMissing { .. } => failure.advise(
            "stage them (tagfall ingest --shard FILE), then do this again: nothing is lost meanwhile",
        ),
        LakeError::Staged { place, .. } => failure.advise(format!(
            "if it is damaged, remove {} completely and stage its shard again; otherwise run this again: the lake is \
             as the last commit left it",
            place.display()
        )),
        LakeError::NotALake { .. } => failure.advise("give an empty folder, or one that does not exist yet"),
        LakeError::OtherSelection { .. } => failure.advise("give the same --select, or another --lake"),
        LakeError::Version { .. } => failure.advise("use the tagfall that wrote it"),
        LakeError::Io { .. } => failure.advise(
            "the lake is as the last commit left it: mend the cause and run again",
        ),
    }
}

/// Whether the objects of a lake in S3 are among those of a source, whose prefix may end in the middle of a
/// name.
fn is_below(lake: &str, source: &str) -> bool {
    let place =
        |spec: &str| spec.split_once("://").filter(|_| is_s3(spec)).map(|(_, place)| place.to_owned());
    let (Some(lake), Some(mut source)) = (place(lake), place(source)) else { return false };
    if !source.contains('/') {
        source.push('/');
    }
    format!("{}/", lake.trim_end_matches('/')).starts_with(&source)
}

/// The path with links resolved, as far as it exists.
fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let there = path.ancestors().find_map(|there| Some((there, there.canonicalize().ok()?)));
    let mut absolute = PathBuf::new();
    if let Some((there, real)) = there {
        absolute = real;
        for part in path.strip_prefix(there).unwrap_or(&path).components() {
            match part {
                Component::ParentDir => drop(absolute.pop()),
                part => absolute.push(part),
            }
        }
    }
    absolute
}

/// `ecr` means `ecr.amazonaws.com`.
pub(super) fn service(text: &str) -> Result<String, String> {
    let plain = |text: &str| {
        !text.is_empty()
            && text
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-.".contains(&byte))
    };
    if !plain(text) {
        return Err("write services as CloudTrail does: ecr, ecs, or ecr.amazonaws.com".to_owned());
    }
    Ok(if text.contains('.') { text.to_owned() } else { format!("{text}.amazonaws.com") })
}

/// `read 12 objects (3 known), added 1,204 events (2 second copies left out), wrote 4 files (1.2 MiB); the
/// lake has …`.
fn text(summary: &Summary) -> String {
    let copies = if summary.events_duplicate > 0 {
        format!(" ({} left out)", counted(summary.events_duplicate, "second copy", "second copies"))
    } else {
        String::new()
    };
    let kept = if summary.snapshots > 0 {
        format!(" and {}", counted(summary.snapshots, "snapshot", "snapshots"))
    } else {
        String::new()
    };
    format!(
        "read {} ({} known), added {}{kept}{copies}, wrote {} ({}); the lake has {} in {}",
        counted(summary.objects_read, "object", "objects"),
        count(summary.objects_known),
        counted(summary.events_added, "event", "events"),
        counted(summary.files_written, "file", "files"),
        bytes(summary.bytes_written),
        counted(summary.events_total, "event", "events"),
        counted(summary.files_total, "file", "files"),
    )
}

fn say_what_is_missing(talk: &Talk, coverage: &Coverage, summary: &Summary) {
    if coverage.partial {
        talk.warn("the run ended before its time: the next one goes on from here");
    }
    let failed = coverage.objects_failed + summary.objects_failed_before;
    if failed > 0 || coverage.records_failed > 0 {
        let again = if summary.objects_failed_before > 0 {
            format!(" ({} of them in an earlier run)", count(summary.objects_failed_before))
        } else {
            String::new()
        };
        let (objects, records) =
            (counted(failed, "object", "objects"), counted(coverage.records_failed, "record", "records"));
        talk.warn(&format!(
            "some evidence could not be read: {objects}{again} and {records} failed; what was good of them is \
             in the lake"
        ));
    }
    coverage.failures.iter().take(FAILURES_SAID_MAX).for_each(|failure| talk.warn(&describe(failure)));
    say_what_is_damaged(talk, summary);
}

fn say_what_is_damaged(talk: &Talk, summary: &Summary) {
    summary
        .damaged
        .iter()
        .take(FAILURES_SAID_MAX)
        .for_each(|damage| talk.warn(&format!("the lake is damaged: {}: {}", damage.file, damage.reason)));
    if summary.damaged.len() > FAILURES_SAID_MAX {
        talk.warn(&format!(
            "{} more are damaged",
            counted((summary.damaged.len() - FAILURES_SAID_MAX) as u64, "file", "files")
        ));
    }
    if summary.objects_held_back > 0 {
        let objects = counted(summary.objects_held_back, "object", "objects");
        talk.warn(&format!(
            "{objects} had events of a damaged day: these wait, and are read again in the next run"
        ));
    }
    if !summary.damaged.is_empty() {
        talk.warn("tagfall lake repair LAKE SOURCE… reads again what is damaged");
    }
}
