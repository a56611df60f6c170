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
use super::{Ending, after_help, ingest, machine, nothing, sources, values};
use crate::failure::Failure;
use crate::source::{self, Inventory};
use crate::ui::output::Destination;
use crate::ui::quantity::{bytes, counted};
use crate::ui::talk::Talk;

const EXAMPLES: &str = "\
Examples:
  tagfall plan s3://my-trail/AWSLogs/ --shards 64 -o s3://my-lakes/plan
  tagfall plan ./logs --shards 4 -o plan && ls plan/* | xargs -P 4 -I{} tagfall ingest --shard {} --lake ./lake";

/// The cost of an object in addition to its bytes: a request, and everything around it.
const OBJECT_BYTES: u64 = 16 << 10;
/// Maximum number of shards.
const SHARDS_MAX: u32 = 10_000;

/// List the logs once, and divide them into shards that several machines ingest
///
/// Each shard is a file with about the same amount of work, and has the objects of neighbouring days. Stage
/// each with `tagfall ingest --shard FILE --lake LAKE`, on any machine and in any order; then publish all of
/// them with `tagfall ingest --commit --lake LAKE`.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES))]
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

fn count(all: &[(String, Vec<Item>)]) -> u64 {
    all.iter().map(|(_, items)| items.len() as u64).sum()
}

/// The approximate amount of work for an object.
fn work(item: &Item) -> u64 {
    if item.is == Is::Object { item.size + OBJECT_BYTES } else { 1 }
}

/// Divides the objects, in their order, into shards of about the same work. Objects of one day are put into
/// as few shards as possible.
fn cut(header: Header, all: Vec<(String, Vec<Item>)>, left_out: u64) -> Vec<Shard> {
    let plan = name(&header, &all);
    let total = u128::from(all.iter().flat_map(|(_, items)| items).map(work).sum::<u64>().max(1));
    let count = u128::from(header.of);
    let of = |number: u32| Header {
        plan: plan.clone(),
        shard: number,
        left_out: if number == 1 { left_out } else { 0 },
        ..header.clone()
    };
    let mut shards: Vec<Shard> =
        (1..=header.of).map(|number| Shard { header: of(number), sources: Vec::new() }).collect();
    let mut done = 0_u128;
    for (source, items) in all {
        for item in items {
            // By the middle of an object's work, so that no shard gets all objects at a boundary.
            let half = u128::from(work(&item));
            let at = usize::try_from((done * 2 + half) * count / (total * 2))
                .unwrap_or(0)
                .min(shards.len().saturating_sub(1));
            done += half;
            let Some(shard) = shards.get_mut(at) else { continue };
            match shard.sources.last_mut() {
                Some((last, items)) if *last == source => items.push(item),
                _ => shard.sources.push((source.clone(), vec![item])),
            }
        }
    }
    shards
}

/// The plan's id: the same for the same objects, divided in the same way.
fn name(header: &Header, all: &[(String, Vec<Item>)]) -> String {
    let mut hash = Xxh3::new();
    let mut add = |text: &str| {
        hash.update(&(text.len() as u64).to_le_bytes());
        hash.update(text.as_bytes());
    };
    add(&serde_json::to_string(header).unwrap_or_default());
    for (source, items) in all {
        add(source);
        for item in items {
            add(&item.key);
            add(&item.etag);
            add(&item.size.to_string());
        }
    }
    format!("{:032x}", hash.digest128())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Filter;

    #[test]
    fn every_object_is_in_one_shard_and_no_shard_has_much_more_than_another() {
        let item = |number: u64| Item {
            key: format!("{number:04}"),
            size: number * 997 % 90_000,
            etag: String::new(),
            is: Is::Object,
        };
        stale.iter().try_for_each(|name| place.remove(name))?;
        if !stale.is_empty() {
            let shards = counted(stale.len() as u64, "shard", "shards");
            talk.note(&format!("removed {shards} of an earlier plan from {}", self.output));
        }
        Ok(())
    }
}
