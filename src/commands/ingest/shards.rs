//! `ingest --shard`, `--merge` and `--commit`: one ingest divided among several machines. Each step reports
//! what it has done in one line of JSON.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::shard_file::Shard;
use super::{Args, say_what_is_damaged};
use crate::commands::gather::{budget, watched};
use crate::commands::options::Sources;
use crate::commands::{Ending, interrupt, machine, sources};
use crate::decode::Wanted;
use crate::failure::Failure;
use crate::lake::{Days, Ingest, Limits, MergedDays, Summary, merge_days, publish_shards};
use crate::pipeline;
use crate::source;
use crate::ui::coverage::describe;
use crate::ui::output::Destination;
use crate::ui::talk::Talk;

/// Maximum number of failures that are written to stderr.
const FAILURES_SAID_MAX: usize = 3;

impl Args {
    /// Runs one of these steps; `None` if the command line asks for none.
    pub(super) fn step(&self, talk: &Arc<Talk>) -> Option<Result<Ending, Failure>> {
        if self.is_step() && self.window.filter(&[]).is_ok_and(|filter| !filter.is_everything()) {
            let failure =
                Failure::new("--since, --until, --account and --region cannot be used with a shard")
                    .because("the plan has already chosen the objects");
            return Some(Err(failure.advise("give them to tagfall plan")));
        }
        match (&self.shard, &self.merge, self.commit) {
            (Some(file), _, _) => Some(self.stage(talk, file)),
            (_, Some(days), _) => Some(self.merge(talk, days)),
            (_, _, true) => Some(self.publish(talk)),
            _ => None,
        }
    }

    pub(super) fn limits(&self) -> Limits {
        let keep_replaced = Duration::from_secs(self.keep_replaced.unsigned_abs());
        Limits { keep_replaced, ..Limits::within(machine::memory(self.max_memory)) }
    }

    /// Reads one shard, and stages its rows.
    fn stage(&self, talk: &Arc<Talk>, file: &str) -> Result<Ending, Failure> {
        let options = sources::options(self.asked());
        let Shard { header, sources: parts } = Shard::open(file, &options)?;
        let (place, plan) = (sources::place(&self.lake, &options)?, header.plan());
        let opened = Ingest::open_shard(&place, &plan, header.shard, &header.select, self.limits())
            .map_err(|error| self.failure(&error))?;
        let mut told = json!({"step": "shard", "plan": plan.id, "shard": header.shard, "of": header.of});
        let Some((ingest, attempt)) = opened else {
            return tell(told, &Summary::default(), json!({"already": true}))
                .map(|()| Ending { alarming: false, incomplete: false });
        };
        let cancelled = interrupt::flag(talk);
        let specs: Vec<String> = parts.iter().map(|(source, _)| source.clone()).collect();
        let mut options = sources::options(Sources { specs: &specs, ..self.asked() });
        (options.many, options.known) = (header.many, Some(ingest.known()));
        let open = |(spec, items)| {
            source::open_items(spec, items, &options, &header.filter())
                .map_err(|error| sources::not_opened(&error))
        };
        let feeds = parts
            .iter()
            .map(|(spec, items)| (spec.as_str(), items.clone()))
            .map(open)
            .collect::<Result<Vec<_>, _>>()?;
        let selected: Vec<&str> = header.select.iter().map(String::as_str).collect();
        let wanted = if selected.is_empty() { Wanted::All } else { Wanted::Sources(&selected) };
        let budget = budget(Sources { max_memory: machine::memory(self.max_memory), ..self.asked() });
        let (mut coverage, _) = watched(talk, &feeds, &cancelled, budget, |run| {
            pipeline::scan(run, wanted, || ingest.collector())
        });
        if let Some(failure) = sources::check(&feeds, &mut coverage)? {
            return Err(failure);
        }
        if coverage.partial {
            return Err(Failure::new(format!("the shard {file} was not read to its end"))
                .because("the run was interrupted")
                .advise("run it again: nothing was staged"));
        }
        coverage.objects_left_out += header.left_out;
        ingest.note(&coverage);
        let summary = ingest.stage(attempt).map_err(|error| self.failure(&error))?;
        coverage.failures.iter().take(FAILURES_SAID_MAX).for_each(|failure| talk.warn(&describe(failure)));
        told["objects_failed"] = coverage.objects_failed.into();
        told["records_failed"] = coverage.records_failed.into();
        tell(told, &summary, json!({"already": false}))?;
        Ok(Ending { alarming: false, incomplete: Ending::lacks(&coverage, self.allow_incomplete) })
    }

    fn merge(&self, talk: &Talk, days: &str) -> Result<Ending, Failure> {
        let options = sources::options(self.asked());
        let asked = chosen(days)?;
        let merged =
            merge_days(&sources::place(&self.lake, &options)?, self.plan.as_deref(), &asked, self.limits());
        let MergedDays { summary, days: count, already } = merged.map_err(|error| self.failure(&error))?;
        if matches!(asked, Days::One(_)) && count == 0 && !already {
            talk.warn(&format!("no shard has staged anything for {days}: there is nothing to merge"));
        }
        tell(json!({"step": "merge", "days": count}), &summary, json!({"already": already}))?;
        Ok(Ending { alarming: false, incomplete: false })
    }

    fn publish(&self, talk: &Talk) -> Result<Ending, Failure> {
        let options = sources::options(self.asked());
        let published =
            publish_shards(&sources::place(&self.lake, &options)?, self.plan.as_deref(), self.limits())
                .map_err(|error| self.failure(&error))?;
        say_what_is_damaged(talk, &published.summary);
        let told = json!({"step": "commit", "objects_failed": published.objects_failed});
        tell(
            told,
            &published.summary,
            json!({"already": published.already, "events_total": published.summary.events_total}),
        )?;
        let lacks = published.objects_failed > 0 || !published.summary.damaged.is_empty();
        Ok(Ending { alarming: false, incomplete: lacks && !self.allow_incomplete })
    }
}

/// `3/8`, or the folder of a partition.
fn chosen(days: &str) -> Result<Days, Failure> {
    if let Some((number, of)) =
        days.split_once('/').and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)))
    {
        if number >= 1 && number <= of {
            return Ok(Days::Part { number, of });
        }
    } else if days.starts_with("account=") || days.starts_with("_tagfall/native/account=") {
        return Ok(Days::One(days.trim_end_matches('/').to_owned()));
    }
    let failure = Failure::new(format!("{days} is not a part of the days"));
    Err(failure.advise("write 1/8 to 8/8 for an eighth of all days, or account=…/region=…/date=… for one"))
}

/// Writes one line to stdout, for the program that runs the steps.
fn tell(mut told: Value, summary: &Summary, more: Value) -> Result<(), Failure> {
    let counts = json!({
        "objects": summary.objects_read, "objects_known": summary.objects_known, "events": summary.events_added,
        "events_duplicate": summary.events_duplicate, "files": summary.files_written, "bytes": summary.bytes_written,
    });
    for (name, value) in [counts, more].iter().filter_map(Value::as_object).flatten() {
        told[name] = value.clone();
    }
    Destination::Stdout.write(|out| writeln!(out, "{told}")).map(drop)
}
