//! `tagfall plan SOURCE… --shards N -o DIR`: lists the objects once, and divides them into shards for many
//! machines.

mod cut;
mod place;

use std::num::NonZeroUsize;
use std::sync::Arc;

use serde_json::json;

use self::cut::Cut;
use self::place::Place;
use super::ingest::shard_file::Header;
use super::options::{Jobs, S3, Sources, Window};
use super::{Ending, ingest, machine, nothing, sources, values};
use crate::failure::Failure;
use crate::source::{self, Inventory};
use crate::ui::output::Destination;
use crate::ui::quantity::{bytes, counted};
use crate::ui::talk::Talk;

const HELP: &str = "\
Examples:
  tagfall plan s3://my-trail/AWSLogs/ --shards 64 -o s3://my-lakes/plan
  # on one machine, from the plan to the lake
  tagfall plan ./logs --shards 4 -o plan
  ls plan/*.ndjson | xargs -P 4 -I{} tagfall ingest --shard {} --lake ./lake
  tagfall ingest --commit --lake ./lake

Exit codes:
  0  done
  2  the run was not possible: wrong usage, no access, nothing to read
  3  done, but some part of the sources could not be listed";

/// Maximum number of shards.
const SHARDS_MAX: u32 = 10_000;

/// List the logs once, and divide them into shards that several machines ingest
///
/// Each shard is a file with about the same amount of work, and has the objects of neighbouring days. Stage
/// each with `tagfall ingest --shard FILE --lake LAKE`, on any machine and in any order; then publish all of
/// them with `tagfall ingest --commit --lake LAKE`.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Where the logs are: `s3://bucket/prefix`, a folder or a file, under names that are valid on every
    /// machine; several can be given
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,

    /// Number of shards
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(SHARDS_MAX)))]
    shards: u32,

    /// Where to write the shards: a folder, or s3://bucket/prefix
    #[arg(short, long, value_name = "DIR")]
    output: String,

    /// Keep only the events of these services, as for `ingest`
    #[arg(long, value_name = "SERVICE", value_delimiter = ',', value_parser = ingest::service)]
    select: Vec<String>,

    /// No notes: stderr only says why the exit code is 2 or 3
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    jobs: Jobs,

    #[command(flatten)]
    s3: S3,
}

impl Args {
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    pub fn jobs(&self) -> NonZeroUsize {
        self.jobs.count()
    }

    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        let filter = self.window.filter(&[])?;
        let max_memory = machine::memory(values::memory("1GiB").unwrap_or(source::MEMORY_BYTES_DEFAULT));
        let asked = Sources { specs: &self.sources, s3: &self.s3, max_memory, jobs: self.jobs.count() };
        let options = sources::options(asked);
        let (mut all, mut left_out, mut pruned) = (Vec::new(), 0, source::Pruned::default());
        let (mut objects, mut size, mut unlistable) = (0, 0, 0);
        for spec in &self.sources {
            if sources::is_lake(spec, &options)? {
                return Err(Failure::new(format!("cannot plan {spec}"))
                    .because("it is a lake itself")
                    .advise("name the logs that it was made from"));
            }
            let Inventory { items, totals, pruned: of_this } =
                source::inventory(spec, &options, &filter).map_err(|error| sources::not_planned(&error))?;
            left_out += of_this.no_evidence;
            sources::add(&mut pruned, of_this);
            objects += totals.count();
            size += totals.bytes;
            unlistable += totals.unlistable;
            all.push((spec.clone(), items, totals));
        }
        if objects == 0 {
            return Err(nothing::no_objects(&self.sources, &filter, &pruned));
        }
        let header = Header::new(self.select.clone(), &filter, options.many, self.shards);
        let mut cut = Cut::new(Header { left_out, ..header }, all).map_err(sources::not_sorted)?;
        let place = Place::open(&self.output, &options)?;
        cut.write(&place)?;
        let line = json!({"step": "plan", "plan": cut.plan(), "shards": self.shards, "objects": objects, "bytes": size, "unlistable": unlistable});
        Destination::Stdout.write(|out| writeln!(out, "{line}"))?;
        talk.note(&format!(
            "{} ({}) in {} at {}",
            counted(objects, "object", "objects"),
            bytes(size),
            counted(self.shards.into(), "shard", "shards"),
            self.output
        ));
        self.tidy(&place, talk)?;
        Ok(Ending { alarming: false, incomplete: unlistable > 0 })
    }

    /// Removes the remaining shards of an earlier plan that had more of them: whoever stages all files of the
    /// folder would take them for shards of this plan.
    fn tidy(&self, place: &Place, talk: &Talk) -> Result<(), Failure> {
        let Ok(stale) = place.beyond(self.shards) else {
            talk.warn(&format!(
                "{} cannot be listed: if an earlier plan there had more shards, remove those beyond {}",
                self.output, self.shards
            ));
            return Ok(());
        };
        stale.iter().try_for_each(|name| place.remove(name))?;
        if !stale.is_empty() {
            let shards = counted(stale.len() as u64, "shard", "shards");
            talk.note(&format!("removed {shards} of an earlier plan from {}", self.output));
        }
        Ok(())
    }
}
