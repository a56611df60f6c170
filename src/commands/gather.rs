//! What every verb over logs does before and after its own part: open, read with progress, check,
//! summarise.

use std::cell::Cell;
use std::io::{self, Write};
use std::mem::ManuallyDrop;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Instant;

use super::options::{Common, Show, Sources};
use super::{Ending, destination, interrupt, nothing, shortage, sources};
use crate::failure::Failure;
use crate::model::{Coverage, Filter, Finding, LogText, Severity, Timestamp};
use crate::pipeline::{self, Budget, Evidence, Progress};
use crate::redact::{Kind, Redact, Redactor};
use crate::source::Feed;
use crate::timeline::Scenario;
use crate::ui::coverage::describe;
use crate::ui::output::Destination;
use crate::ui::progress::Watch;
use crate::ui::quantity::{bytes, count, counted, elapsed};
use crate::ui::talk::Talk;
use crate::ui::{Format, Look};

/// The fraction of memory that one decompressed object may take, because its compressed form and other
/// objects are in memory as well.
const OBJECT_SHARE: u64 = 2;
/// Maximum number of failures that are written to stderr; the coverage in tables and JSON has more.
pub const FAILURES_SAID_MAX: usize = 3;

/// The needs of a verb besides the filters.
#[derive(Default, Clone, Copy)]
pub struct Asked<'s> {
    /// Only events before this moment are needed.
    pub at: Option<Timestamp>,
    pub scenario: Option<&'s Scenario>,
    /// Keep what the history is made from.
    pub keep: bool,
    /// A file other than the sources that the verb has read.
    pub input: Option<&'s Path>,
    /// Gives pseudonyms for names.
    pub redactor: Option<&'s Redactor>,
}

/// A run between reading and reporting.
pub struct Run<'a> {
    common: &'a Common,
    pub talk: &'a Talk,
    destination: Destination,
    started: Instant,
    /// Number of repeated requests.
    retries: u64,
    /// Turns true when the user interrupts the run.
    pub cancelled: Arc<AtomicBool>,
    /// The reader of stdout closed it before everything was written.
    closed: Cell<bool>,
    /// Never freed: the process ends soon after, and freeing a million images one by one takes a while.
    pub evidence: ManuallyDrop<Evidence>,
}

impl<'a> Run<'a> {
    /// Reads everything that the sources have for the filters and for what the verb asks.
    pub fn gather_for(common: &'a Common, talk: &'a Arc<Talk>, asked: Asked<'_>) -> Result<Self, Failure> {
        let started = Instant::now();
        let destination = destination::prepare(&common.show, common.inputs().chain(asked.input))?;
        let gathered = Self::gather_into(destination.clone(), started, common, talk, asked);
        gathered.inspect_err(|_| withdraw(&destination, talk))
    }

    fn gather_into(
        destination: Destination,
        started: Instant,
        common: &'a Common,
        talk: &'a Arc<Talk>,
        asked: Asked<'_>,
    ) -> Result<Self, Failure> {
        let filter = common.filter_until(asked.at)?;
        let cancelled = interrupt::flag(talk);
        let feeds = sources::open(common, &filter)?;
        sources::note_stdin(common, talk);
        let mut evidence = read(common, talk, &feeds, &filter, asked, &cancelled)?;
        // Whoever interrupts the reading wants an answer from what has been read; whoever interrupts what
        // follows wants no answer.
        if cancelled.load(Ordering::Relaxed) && !evidence.coverage.partial {
            interrupt::stop();
        }
        if let Some(failure) = sources::check(&feeds, &mut evidence.coverage)? {
            talk.failure(&failure);
        }
        let pruned = sources::pruned(&feeds);
        if let Some(redactor) = asked.redactor {
            learn(redactor, &evidence);
        }
        let nothing = nothing::check(&common.sources, &filter, &evidence.coverage, &evidence.seen, &pruned);
        nothing.map_err(|failure| {
            if asked.at.is_some() {
                failure.advise("give a later --at: only events before it count")
            } else {
                failure
            }
        })?;
        nothing::remarks(&filter, &evidence.coverage, &evidence.seen, &pruned)
            .iter()
            .for_each(|remark| talk.note(remark));
        if let Some(redactor) = asked.redactor {
            evidence.coverage.redact(redactor);
        }
        let retries = feeds.iter().map(|feed| feed.listed().retries).sum();
        Ok(Self {
            common,
            talk,
            destination,
            started,
            retries,
            cancelled,
            closed: Cell::new(false),
            evidence: ManuallyDrop::new(evidence),
        })
    }

    /// Writes the output; `None` if the reader of stdout closed it early.
    pub fn write<T>(
        &self,
        render: impl FnOnce(&mut dyn Write, Look, &Coverage) -> io::Result<T>,
    ) -> Result<Option<T>, Failure> {
        let look = look(&self.common.show, &self.destination);
        let written = self.destination.write(|out| render(out, look, &self.evidence.coverage));
        let written = written.inspect_err(|_| withdraw(&self.destination, self.talk))?;
        self.closed.set(written.is_none());
        Ok(written)
    }

    /// Writes a summary to stderr, and returns what decides the exit code. `findings` are those that
    /// `--fail-on` judges.
    pub fn end<'f>(&self, summary: &str, findings: impl IntoIterator<Item = &'f Finding>) -> Ending {
        self.end_by(summary, findings.into_iter().map(|finding| finding.severity))
    }

    /// The same if `--fail-on` judges something other than findings.
    pub fn end_by(&self, summary: &str, severities: impl Iterator<Item = Severity>) -> Ending {
        self.end_at(self.common.fail_on(), summary, severities)
    }

    /// The same with another threshold than `--fail-on`.
    pub fn end_at(
        &self,
        fail_on: Option<Severity>,
        summary: &str,
        severities: impl Iterator<Item = Severity>,
    ) -> Ending {
        let coverage = &self.evidence.coverage;
        if !self.closed.get() {
            self.talk.note(&format!(
                "{}{}, {summary} in {}",
                read_text(coverage),
                self.retries_text(),
                elapsed(self.started.elapsed())
            ));
        }
        say_what_is_missing(self.talk, &self.common.show, coverage);
        ending(fail_on, self.common.allow_incomplete(), coverage, severities)
    }

    fn retries_text(&self) -> String {
        if self.retries == 0 {
            String::new()
        } else {
            format!(", {} tried again", counted(self.retries, "request", "requests"))
        }
    }
}

/// Writes to stderr that evidence could not be read.
pub fn say_what_is_missing(talk: &Talk, show: &Show, coverage: &Coverage) {
    if coverage.is_complete() {
        return;
    }
    let mut text = if coverage.partial {
        "the run ended before its time: this is a partial result".to_owned()
    } else {
        "some evidence could not be read".to_owned()
    };
    for (number, one, many) in
        [(coverage.objects_failed, "object", "objects"), (coverage.records_failed, "record", "records")]
    {
        if number > 0 {
            text.push_str(&format!(", {} failed", counted(number, one, many)));
        }
    }
    talk.warn(&text);
    // A page lists the failures itself.
    if show.format != Format::Table || show.output.is_some() {
        coverage.failures.iter().take(FAILURES_SAID_MAX).for_each(|failure| talk.warn(&describe(failure)));
    }
}

/// What decides the exit code: the evidence, the findings, and the user's options about both.
pub fn ending(
    fail_on: Option<Severity>,
    allow_incomplete: bool,
    coverage: &Coverage,
    severities: impl Iterator<Item = Severity>,
) -> Ending {
    // If nothing was left to judge, missing evidence is not allowed.
    let judged = coverage.objects_read > 0 && coverage.records_relevant > 0;
    ending_of(fail_on, allow_incomplete && judged, coverage, severities)
}

/// The same for a run that judges something other than records about images.
pub fn ending_of(
    fail_on: Option<Severity>,
    allow_incomplete: bool,
    coverage: &Coverage,
    mut severities: impl Iterator<Item = Severity>,
) -> Ending {
    // Severities are declared from worst to harmless.
    let alarming = fail_on.is_some_and(|limit| severities.any(|severity| severity <= limit));
    Ending { alarming, incomplete: Ending::lacks(coverage, allow_incomplete) }
}

/// Learns every name in these logs before any is shown.
fn learn(redactor: &Redactor, evidence: &Evidence) {
    redactor.learn_history(&evidence.history);
    let names = |texts: &std::collections::BTreeSet<LogText>| {
        texts.iter().map(|text| text.raw().to_owned()).collect::<Vec<_>>()
    };
    redactor.learn(Kind::Account, &names(&evidence.seen.accounts));
    redactor.learn(Kind::Repository, &names(&evidence.seen.repositories));
}

/// Removes an earlier run's output, and says so.
fn withdraw(destination: &Destination, talk: &Talk) {
    if destination.withdraw() {
        talk.note("removed the -o file of an earlier run");
    }
}

/// How output should look at its destination.
pub fn look(show: &Show, destination: &Destination) -> Look {
    Look { format: show.format, columns: destination.columns() }
}

fn read(
    common: &Common,
    talk: &Talk,
    feeds: &[Box<dyn Feed>],
    filter: &Filter,
    asked: Asked<'_>,
    cancelled: &AtomicBool,
) -> Result<Evidence, Failure> {
    shortage::limit(common.sources().max_memory);
    watched(talk, feeds, cancelled, budget(common.sources()), |run| {
        if talk.draws() {
            run.progress.suspects.begin();
        }
        let read = if asked.keep { pipeline::read_keeping } else { pipeline::read_simulating };
        read(run, filter, asked.scenario).map_err(|error| shortage::overfull(error, &run))
    })
}

/// The number of workers, and memory for one object: a fraction, because its compressed form and other
/// objects are in memory as well.
pub fn budget(sources: Sources<'_>) -> Budget {
    Budget {
        jobs: sources.jobs,
        object_bytes_max: sources.max_memory / OBJECT_SHARE,
        kept_bytes_max: sources.max_memory,
    }
}

/// Reads while a progress line is shown.
pub fn watched<T>(
    talk: &Talk,
    feeds: &[Box<dyn Feed>],
    cancelled: &AtomicBool,
    budget: Budget,
    read: impl FnOnce(pipeline::Run<'_>) -> T,
) -> T {
    let progress = Progress::default();
    let (finished, done) = mpsc::channel();
    thread::scope(|scope| {
        let watch = Watch { talk, feeds, progress: &progress, cancelled };
        // Without a thread there is no progress line.
        let _ = thread::Builder::new().spawn_scoped(scope, move || watch.run(&done));
        let result = read(pipeline::Run { feeds, budget, progress: &progress, cancelled });
        drop(finished);
        result
    })
}

/// `read 12 of 13 objects (34.0 KiB), 1,204 records`.
pub fn read_text(coverage: &Coverage) -> String {
    let objects = format!(
        "{} of {}",
        count(coverage.objects_read),
        counted(coverage.objects_listed, "object", "objects")
    );
    format!(
        "read {objects} ({}), {}",
        bytes(coverage.bytes_compressed),
        counted(coverage.records, "record", "records")
    )
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        common: Common,
    }

    fn code(options: &[&str], failed: u64, severities: &[Severity]) -> u8 {
        let line = Line::try_parse_from([&["tagfall", "logs"], options].concat()).unwrap();
        let coverage =
            Coverage { objects_read: 1, records_relevant: 1, objects_failed: failed, ..Coverage::default() };
        ending(line.common.fail_on(), line.common.allow_incomplete(), &coverage, severities.iter().copied())
            .code()
    }

    #[test]
    fn a_limit_takes_in_everything_worse() {
        for (limit, expected) in [("critical", 0), ("high", 1), ("medium", 1), ("low", 1)] {
            assert_eq!(code(&["--fail-on", limit], 0, &[Severity::High]), expected, "{limit}");
        }
        assert_eq!(code(&[], 0, &[Severity::Critical]), 0);
    }

    #[test]
    fn findings_come_before_missing_evidence() {
        assert_eq!(code(&["--fail-on", "low"], 1, &[Severity::Low]), 1);
        assert_eq!(code(&["--fail-on", "low"], 1, &[]), 3);
        assert_eq!(code(&["--fail-on", "low", "--allow-incomplete"], 1, &[]), 0);
        assert_eq!(code(&["--fail-on", "low", "--allow-incomplete"], 1, &[Severity::Low]), 1);
    }
}
