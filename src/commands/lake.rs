//! `tagfall lake check DIR`, `tagfall lake repair DIR [SOURCE…]`: whether a lake is unchanged since it was
//! written, and its repair.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use clap::Subcommand;

use super::gather::{budget, watched};
use super::ingest::cannot_write;
use super::options::{Jobs, S3, Sources};
use super::{Ending, interrupt, machine, sources, values};
use crate::decode::Wanted;
use crate::failure::Failure;
use crate::lake::{self, Ingest, LakeError, Limits, Location, MEMORY_BYTES_DEFAULT};
use crate::model::Filter;
use crate::pipeline;
use crate::source::store::is_s3;
use crate::ui;
use crate::ui::coverage::describe;
use crate::ui::output::Destination;
use crate::ui::quantity::{counted, elapsed};
use crate::ui::talk::Talk;

const CHECK_HELP: &str = "\
Examples:
  tagfall lake check ./lake
  tagfall lake check ./lake --format json

Exit codes:
  0  nothing is damaged
  2  the run was not possible: wrong usage, no access, no lake
  3  something is damaged, missing or lost";

const REPAIR_HELP: &str = "\
Examples:
  tagfall lake repair ./lake s3://my-trail/AWSLogs/
  # without an archive: restores the manifest, and adds checksums to files of earlier versions
  tagfall lake repair ./lake

Exit codes:
  0  everything is restored
  2  the run was not possible: wrong usage, no access, no lake
  3  something could not be restored, or not be checked";

const DDL_HELP: &str = "\
Examples:
  tagfall lake ddl s3://my-lakes/trail --table logs.trail > trail.sql
  tagfall lake ddl ./lake --location s3://my-lakes/copy

Exit codes:
  0  done
  2  the run was not possible: wrong usage, no access, no lake";

const FILES_HELP: &str = "\
Examples:
  tagfall lake files s3://my-lakes/trail > files.txt

Exit codes:
  0  done
  2  the run was not possible: wrong usage, no access, no lake";

/// Maximum number of failures that are written to stderr.
const FAILURES_SAID_MAX: usize = 3;
/// As for `ingest`: the fraction of memory for objects in flight.
const AHEAD_SHARE: u64 = 8;

/// Check a lake for damage, repair it, and print what other tools need to read it
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    Check(Check),
    Repair(Repair),
    Ddl(Ddl),
    Files(Files),
}

/// Compare every file of a lake with its checksum
///
/// Everything that is damaged, missing or lost is listed, and the exit code is then 3. Nothing is changed.
#[derive(Debug, clap::Args)]
#[command(after_help = CHECK_HELP)]
struct Check {
    /// The lake: a folder, or s3://bucket/prefix
    #[arg(value_name = "LAKE")]
    lake: PathBuf,

    #[command(flatten)]
    s3: S3,

    /// How to write the result
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t)]
    format: ui::lake::Format,

    /// No notes: stderr only says why the exit code is 2 or 3
    #[arg(short, long)]
    quiet: bool,
}

/// Restore damaged or missing parts of a lake from the archives
///
/// The objects that a damaged file was made from are read again; nothing new is added. What could not be
/// restored is listed and recorded in the lake, and the next repair tries again. Files written by earlier
/// versions have no checksums: they are read again to get some. Their events that no SOURCE has are copied
/// unchecked and counted, and every reader reports them (exit code 3). Without any SOURCE, all of these files
/// are copied unchecked, and the manifest is restored from its copy.
#[derive(Debug, clap::Args)]
#[command(after_help = REPAIR_HELP)]
struct Repair {
    /// The lake: a folder, or s3://bucket/prefix
    #[arg(value_name = "LAKE")]
    lake: PathBuf,

    /// The archives that the lake was made from: `s3://bucket/prefix`, a folder or a file, named as for
    /// `ingest`
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,

    /// No progress and no notes: stderr only says why the exit code is 2 or 3
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    jobs: Jobs,

    /// Approximate memory of the whole run
    #[arg(long, value_name = "SIZE", default_value = "512MiB", value_parser = values::memory, help_heading = "Limits")]
    max_memory: u64,

    #[command(flatten)]
    s3: S3,
}

/// Print the data files in effect, for tools that cannot read the manifest: one path or S3 address a line
#[derive(Debug, clap::Args)]
#[command(after_help = FILES_HELP)]
struct Files {
    /// The lake: a folder, or s3://bucket/prefix
    #[arg(value_name = "LAKE")]
    lake: PathBuf,

    #[command(flatten)]
    s3: S3,
}

impl Files {
    fn run(&self) -> Result<Ending, Failure> {
        let files =
            lake::files(&place(&self.lake, &self.s3)?).map_err(|error| cannot_read(&self.lake, &error))?;
        Destination::Stdout.write(|out| files.iter().try_for_each(|file| writeln!(out, "{file}")))?;
        Ok(Ending { alarming: false, incomplete: false })
    }
}

/// Print the statement that creates an Athena table for the lake
///
/// For a lake in S3, the table reads the lists of files that every commit writes, so it always sees each
/// event once. For a lake in a folder, give the location of a copy of it (`aws s3 sync`). With partition
/// projection, new days need no further statement.
#[derive(Debug, clap::Args)]
#[command(after_help = DDL_HELP)]
struct Ddl {
    /// The lake: a folder, or s3://bucket/prefix
    #[arg(value_name = "LAKE")]
    lake: PathBuf,

    /// Name of the table
    #[arg(long, value_name = "NAME", default_value = "cloudtrail_lake", value_parser = table)]
    table: String,

    /// Location of a copy of a lake in a folder: s3://bucket/prefix
    #[arg(long, value_name = "URL")]
    location: Option<String>,

    #[command(flatten)]
    s3: S3,
}

/// The name of a table, which may stand behind that of its database. Athena has databases with hyphens, and fails
/// over tables with them.
fn table(text: &str) -> Result<String, String> {
    let is_name = |name: &str, more: &[u8]| {
        let is_one = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || more.contains(&byte);
        !name.is_empty() && name.bytes().all(is_one)
    };
    let (database, name) =
        text.rsplit_once('.').map_or((None, text), |(database, name)| (Some(database), name));
    if is_name(name, b"_") && database.is_none_or(|database| is_name(database, b"_-")) {
        Ok(text.to_owned())
    } else {
        Err("write a name of lower-case letters, digits and _, with its database before a point: logs.trail"
            .to_owned())
    }
}

/// The place of the lake.
fn place(lake: &std::path::Path, s3: &S3) -> Result<Location, Failure> {
    let asked = Sources {
        specs: &[],
        s3,
        max_memory: MEMORY_BYTES_DEFAULT,
        jobs: machine::workers(NonZeroUsize::MIN),
    };
    sources::place(lake, &sources::options(asked))
}

impl Ddl {
    fn run(&self, talk: &Talk) -> Result<Ending, Failure> {
        let place = place(&self.lake, &self.s3)?;
        if self.location.as_deref().is_some_and(|location| !is_s3(location))
            || (self.location.is_none() && matches!(place, Location::Folder(_)))
        {
            return Err(Failure::new("Athena reads only S3")
                .advise("give the place of the lake's copy in S3: --location s3://bucket/prefix"));
        }
        let today = values::now().to_string().chars().take(10).collect::<String>();
        let lake::Ddl { text, events_unseen } =
            lake::ddl(&place, &self.table, self.location.as_deref(), &today)
                .map_err(|error| cannot_read(&self.lake, &error))?;
        Destination::Stdout.write(|out| out.write_all(text.as_bytes()))?;
        if events_unseen > 0 {
            let events = counted(events_unseen, "event", "events");
            talk.note(&format!(
                "the table does not show {events} of days before 2013-11-13 or to come: tagfall query does"
            ));
        }
        Ok(Ending { alarming: false, incomplete: false })
    }
}

impl Args {
    pub const fn quiet(&self) -> bool {
        match &self.verb {
            Verb::Check(check) => check.quiet,
            Verb::Ddl(_) | Verb::Files(_) => false,
            Verb::Repair(repair) => repair.quiet,
        }
    }

    pub const fn writes_to_stdout(&self) -> bool {
        !matches!(self.verb, Verb::Repair(_))
    }

    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        match &self.verb {
            Verb::Check(check) => check.run(talk),
            Verb::Ddl(ddl) => ddl.run(talk),
            Verb::Files(files) => files.run(),
            Verb::Repair(repair) => repair.run(talk),
        }
    }
}

impl Check {
    fn run(&self, talk: &Talk) -> Result<Ending, Failure> {
        let started = Instant::now();
        let report =
            lake::check(place(&self.lake, &self.s3)?).map_err(|error| cannot_read(&self.lake, &error))?;
        Destination::Stdout.write(|out| ui::lake::write(out, self.format, &report))?;
        talk.note(&format!(
            "{} checked in {}",
            counted(report.files, "file", "files"),
            elapsed(started.elapsed())
        ));
        if report.without_checksums > 0 {
            let files = counted(report.without_checksums, "file", "files");
            talk.note(&format!(
                "{files} of an earlier version have no checksums: tagfall lake repair {} SOURCE… reads them \
                 again",
                self.lake.display()
            ));
        }
        if report.taken_over > 0 {
            let events = counted(report.taken_over, "event", "events");
            talk.note(&format!(
                "{events} were taken over from such files: tagfall lake repair {} SOURCE… reads them again",
                self.lake.display()
            ));
        }
        if !report.damaged.is_empty() {
            let advice = format!(
                "tagfall lake repair {} SOURCE… reads again from the archives what is damaged",
                self.lake.display()
            );
            talk.warn(&format!(
                "{} damaged or lost: {advice}",
                counted(report.damaged.len() as u64, "file is", "files are")
            ));
        }
        Ok(Ending { alarming: false, incomplete: !report.damaged.is_empty() })
    }
}

impl Repair {
    fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        let started = Instant::now();
        let cancelled = interrupt::flag(talk);
        let archives = !self.sources.is_empty();
        let limits = Limits::within(self.max_memory);
        let mut options = sources::options(self.asked());
        let place = sources::place(&self.lake, &options)?;
        let (ingest, report) = Ingest::open_to_repair(place, limits, archives)
            .map_err(|error| cannot_write(&self.lake, &error))?;
        report.damaged.iter().for_each(|damage| talk.note(&format!("{}: {}", damage.file, damage.reason)));
        options.known = Some(ingest.known());
        let feeds = sources::open_with(&self.sources, &options, &Filter::default())?;
        let selected = ingest.selected();
        let selected: Vec<&str> = selected.iter().map(String::as_str).collect();
        let wanted = if selected.is_empty() { Wanted::All } else { Wanted::Sources(&selected) };
        let (mut coverage, _) = watched(talk, &feeds, &cancelled, budget(self.asked()), |run| {
            pipeline::scan(run, wanted, || ingest.collector())
        });
        let ended_early = sources::check(&feeds, &mut coverage);
        // Objects that were not looked for in this run may still be read later.
        let summary = ingest.finish(false).map_err(|error| cannot_write(&self.lake, &error))?;
        if let Some(failure) = ended_early? {
            talk.failure(&failure);
        }
        coverage.failures.iter().take(FAILURES_SAID_MAX).for_each(|failure| talk.warn(&describe(failure)));
        summary.repaired.iter().for_each(|file| talk.note(&format!("repaired: {file}")));
        summary
            .damaged
            .iter()
            .for_each(|damage| talk.warn(&format!("not repaired: {}: {}", damage.file, damage.reason)));
        if summary.events_taken_over > 0 {
            let events = counted(summary.events_taken_over, "event", "events");
            talk.warn(&format!(
                "{events} of files without checksums were taken over as they are: whether they were damaged \
                 before cannot be told"
            ));
            talk.warn(if archives {
                "no SOURCE has their objects: name the archives as they were named for ingest"
            } else {
                "name the archives that the lake was made from, and they are read again: tagfall lake repair \
                 LAKE SOURCE…"
            });
        }
        let (again, left) = (summary.repaired.len() as u64, summary.damaged.len() as u64);
        let read = counted(summary.objects_read, "object", "objects");
        talk.note(&format!(
            "read {read} again, repaired {}, {left} left in {}",
            counted(again, "file", "files"),
            elapsed(started.elapsed())
        ));
        if left > 0 && !archives {
            talk.warn("name the archives that the lake was made from: tagfall lake repair LAKE SOURCE…");
        }
        Ok(Ending {
            alarming: false,
            incomplete: left > 0 || summary.events_taken_over > 0 || !coverage.is_complete(),
        })
    }

    fn asked(&self) -> Sources<'_> {
        Sources {
            specs: &self.sources,
            s3: &self.s3,
            max_memory: self.max_memory / AHEAD_SHARE * 2,
            jobs: self.jobs.count(),
        }
    }
}

fn cannot_read(lake: &std::path::Path, error: &LakeError) -> Failure {
    let failure = Failure::new(format!("cannot read the lake {}", lake.display())).because(error);
    match error {
        LakeError::Version { .. } => failure.advise("use the tagfall that wrote it"),
        LakeError::NotALake { .. } => failure.advise("name a folder that tagfall ingest has made"),
        _ => failure
            .advise("without its manifest a lake cannot be read: move it away, and ingest its logs anew"),
    }
}
