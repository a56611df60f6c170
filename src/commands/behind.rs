//! Who was behind pushes and deletions, for verbs that report these. The sources are read once more, limited
//! to the time around the calls, for the records that begin sessions.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use super::gather::{self, Run, watched};
use super::options::Common;
use super::sources;
use crate::failure::Failure;
use crate::model::{EventRef, Filter, Finding, LogText, Sentence};
use crate::pipeline::Budget;
use crate::redact::Redactor;
use crate::trace;

/// The fraction of the memory that these records may use, while the history is in memory.
const MEMORY_PART: u64 = 4;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Behind {
    /// Do not look for who was behind pushes and deletions, which reads the sources once more
    #[arg(long)]
    no_trace: bool,
}

/// The results for calls, by their `eventID`.
#[derive(Default)]
pub struct Told(BTreeMap<LogText, Sentence>);

impl Told {
    /// The sentences about these calls, each once.
    pub fn of<'e>(&self, calls: impl Iterator<Item = &'e EventRef>) -> Vec<Sentence> {
        let mut said: Vec<Sentence> = Vec::new();
        for sentence in calls.filter_map(|call| self.0.get(&call.event_id)) {
            if !said.contains(sentence) {
                said.push(sentence.clone());
            }
        }
        // Sorted by the time of the call, which is the last of a sentence's events.
        said.sort_by_key(|sentence| sentence.evidence.last().map(|event| event.event_time));
        said
    }
}

/// The calls of a finding whose callers are of interest: the pushes and the deletion.
pub fn calls(finding: &Finding) -> impl Iterator<Item = &EventRef> + Clone {
    let pushed = finding
        .first_push
        .as_ref()
        .or_else(|| finding.evidence.iter().find(|event| event.event_name == "PutImage"));
    pushed
        .into_iter()
        .chain([&finding.second_push])
        .chain(finding.deletion.iter().map(|deletion| &deletion.event))
}

impl Behind {
    /// Determines who was behind these calls from the records that `run` has read.
    pub fn told<'e>(
        &self,
        common: &Common,
        run: &Run<'_>,
        redactor: Option<&Redactor>,
        calls: impl Iterator<Item = &'e EventRef>,
    ) -> Result<Told, Failure> {
        let mut calls: Vec<&EventRef> = calls.filter(|call| trace::is_traceable(call)).collect();
        calls.sort_by(|a, b| a.event_id.cmp(&b.event_id));
        calls.dedup_by(|a, b| a.event_id == b.event_id);
        let Some((since, until)) =
            trace::window(&calls).filter(|_| !self.no_trace && !run.evidence.coverage.partial)
        else {
            return Ok(Told::default());
        };
        if common.reads_stdin() {
            run.talk.note(
                "who was behind pushes and deletions is not shown: standard input can be read only once",
            );
            return Ok(Told::default());
        }
        let asked = common.filter()?;
        let filter = Filter {
            since: Some(asked.since.map_or(since, |asked| asked.max(since))),
            until: Some(asked.until.map_or(until, |asked| asked.min(until))),
            repositories: Vec::new(),
            ..asked
        };
        let feeds = sources::open(common, &filter)?;
        let budget = gather::budget(common.sources());
        let budget = Budget { kept_bytes_max: budget.kept_bytes_max / MEMORY_PART, ..budget };
        let read =
            watched(run.talk, &feeds, &run.cancelled, budget, |run| trace::trace_of(run, &filter, &calls));
        if run.cancelled.load(Ordering::Relaxed) || feeds.iter().any(|feed| feed.fatal().is_some()) {
            run.talk.warn(
                "who was behind pushes and deletions is not shown: the sources could not be read a second time",
            );
            return Ok(Told::default());
        }
        match read {
            Ok(trace) => {
                if let (Some(redactor), Some(trace)) = (redactor, &trace) {
                    redactor.learn_trace(trace);
                }
                Ok(Told(trace.as_ref().map(trace::behind).unwrap_or_default()))
            }
            Err(overfull) => {
                run.talk.note(&format!(
                    "who was behind pushes and deletions is not shown: {overfull}; tagfall trace examines one \
                     caller at a time"
                ));
                Ok(Told::default())
            }
        }
    }
}
