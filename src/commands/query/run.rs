//! Runs a query: decides what to read, reads it, and shows the answer.

use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::Args;
use crate::commands::gather::{budget, look, read_text, watched};
use crate::commands::machine;
use crate::commands::sources::Opened;
use crate::commands::{Ending, destination, interrupt, nothing, shortage, sources, values};
use crate::decode::Wanted;
use crate::decode::seen::SeenEvents;
use crate::detect;
use crate::failure::Failure;
use crate::lake::LakeFeed;
use crate::model::{Coverage, Filter, Seen};
use crate::pipeline::{self, Budget};
use crate::source::{Feed, RecordSource};
use crate::sql::{
    Answer, Catalog, Doubtful, Export, Gathered, Gathering, Limits, Ordered, Query, Settled, Spill, SqlError,
    named,
};
use crate::tables::{self, rows};
use crate::ui;
use crate::ui::Format;
use crate::ui::answer::parts::{Origin, Parts};
use crate::ui::output::Destination;
use crate::ui::quantity::{bytes, count, counted, elapsed};
use crate::ui::talk::Talk;

/// Minimum memory of a worker: pages, rows made from them, and intermediate results.
const WORKER_BYTES: u64 = 24 << 20;

/// How events are collected; if a query does not support one way, the next one is tried.
#[derive(Clone, Copy)]
enum Way {
    Best,
    Uncounted,
    Rows,
    /// Everything, whatever the query's LIMIT.
    All,
}

type Feeds = Vec<Box<dyn Feed>>;

/// Rows that are passed on as they come, and their origin.
enum Outgoing {
    Lake { export: Box<Export>, lake: Arc<LakeFeed> },
    Disk(Box<Ordered>),
}

/// What was read for a query.
struct Reading {
    catalog: Catalog,
    coverage: Coverage,
    /// Number of folders and objects that were left out by key.
    pruned: usize,
    /// Rows that are passed on as they come.
    outgoing: Option<Outgoing>,
    /// Whether all events came from one lake.
    is_lake: bool,
    /// Number of bytes written to temporary files.
    on_disk: u64,
    /// Becomes true when the user interrupts what follows the reading.
    cancelled: Arc<AtomicBool>,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        machine::keep_memory();
        let started = Instant::now();
        let now = values::now();
        let query = Query::parse(&self.text()?, &self.params, now).map_err(|error| not_understood(&error))?;
        let asked = self.common.filter()?;
        let destination = destination::prepare(&self.common.show, self.common.inputs())?;
        let Reading { catalog, mut coverage, pruned, outgoing, is_lake, on_disk, cancelled } =
            self.read(talk, &query, &asked)?;
        let whole = match outgoing {
            Some(Outgoing::Disk(ordered)) if self.explain => {
                let whole = ordered.whole(&self.limits(&cancelled));
                Some(whole.map_err(|error| not_answered(&error))?)
            }
            Some(outgoing) => {
                let rows = self.write(&outgoing, &destination, &mut coverage, &cancelled)?;
                if let Some(rows) = rows {
                    talk.note(&format!(
                        "{}, {} in {}",
                        read_text(&coverage),
                        counted(rows, "row", "rows"),
                        elapsed(started.elapsed())
                    ));
                }
                self.say_what_is_missing(talk, &coverage);
                return Ok(Ending {
                    alarming: false,
                    incomplete: Ending::lacks(&coverage, self.common.allow_incomplete()),
                });
            }
            None => None,
        };
        let answer = match whole {
            Some(answer) => answer,
            None => query.run(&catalog).map_err(|error| not_answered_by(&query, &error))?,
        };
        let look = look(&self.common.show, &destination);
        let written = destination.write(|out| match self.explain {
            true => explain(out, &query, &coverage, pruned, &answer, (is_lake, on_disk)),
            false => ui::answer::write(out, look, &coverage, &answer, self.rows),
        })?;
        if written.is_some() {
            talk.note(&format!(
                "{}, {} in {}",
                read_text(&coverage),
                counted(answer.height() as u64, "row", "rows"),
                elapsed(started.elapsed())
            ));
        }
        self.say_what_is_missing(talk, &coverage);
        Ok(Ending { alarming: false, incomplete: Ending::lacks(&coverage, self.common.allow_incomplete()) })
    }

    /// Writes rows as they come. Returns their number, or `None` if the reader of stdout closed it early.
    fn write(
        &self,
        outgoing: &Outgoing,
        destination: &Destination,
        coverage: &mut Coverage,
        cancelled: &AtomicBool,
    ) -> Result<Option<u64>, Failure> {
        let (origin, lake) = match outgoing {
            Outgoing::Lake { export, lake } => (Origin::Lake { export, lake }, Some(lake)),
            Outgoing::Disk(ordered) => (Origin::Disk(ordered), None),
        };
        let parts = Parts { origin, jobs: self.jobs().get(), cancelled, failure: None.into() };
        let before = lake.map_or(0, |lake| lake.coverage().objects_failed);
        let look = look(&self.common.show, destination);
        // What has become known while rows were written, or put aside.
        let mut end = || {
            if let Some(error) = parts.failure.take() {
                return Err(not_answered(&error));
            }
            coverage.partial |= cancelled.load(Ordering::Relaxed);
            if let Some(lake) = lake {
                // Files that could be read in the first pass and not in the second.
                let after = lake.coverage();
                let more = after.objects_failed.saturating_sub(before);
                coverage.objects_failed += more;
                coverage.objects_listed += more;
                let known = after.failures.len().saturating_sub(usize::try_from(more).unwrap_or(usize::MAX));
                coverage.failures.extend(after.failures.into_iter().skip(known));
            }
            Ok(())
        };
        if look.format != Format::Json {
            let written = destination.write(|out| parts.write(out, look, self.rows));
            end()?;
            return written;
        }
        let spill = self.spill()?;
        let spooled = parts.spool(&spill.folder);
        end()?;
        let spooled = spooled.map_err(|error| not_answered(&spill.failed("written", &error)))?;
        let rows = spooled.rows;
        let written = destination.write(|out| parts.write_json(out, coverage, spooled))?;
        Ok(written.map(|()| rows))
    }

    /// The SQL itself.
    fn text(&self) -> Result<String, Failure> {
        let Some(name) = self.query.strip_prefix('@') else { return Ok(self.query.clone()) };
        match named::find(name) {
            Some(query) => Ok(query.sql.to_owned()),
            None => {
                Err(Failure::new(format!("there is no query called {name}"))
                    .advise("tagfall queries lists them"))
            }
        }
    }

    fn read(&self, talk: &Arc<Talk>, query: &Query, asked: &Filter) -> Result<Reading, Failure> {
        let cancelled = interrupt::flag(talk);
        let wants_events = query.tables().iter().any(|table| table.name == tables::cloudtrail::TABLE.name);
        let wants_engine = query.tables().iter().any(|table| table.name != tables::cloudtrail::TABLE.name);
        if wants_events && wants_engine && self.common.reads_stdin() {
            let failure =
                Failure::new("this query reads its sources twice, but standard input can be read only once");
            return Err(failure.advise(
                "save it to a file and give that, or query cloudtrail_logs and the engine's tables separately",
            ));
        }
        let mut reading = Reading {
            catalog: Catalog::default(),
            coverage: Coverage::default(),
            pruned: 0,
            outgoing: None,
            is_lake: false,
            on_disk: 0,
            cancelled: Arc::default(),
        };
        if wants_engine {
            self.read_engine(talk, asked, &cancelled, &mut reading)?;
        }
        if wants_events {
            self.read_events(talk, query, asked, &cancelled, &mut reading)?;
        }
        // Whoever interrupts the reading wants an answer from what has been read; whoever interrupts what
        // follows wants no answer.
        if !cancelled.load(Ordering::Relaxed) {
            reading.cancelled = cancelled;
        }
        reading.catalog.limit(self.limits(&reading.cancelled));
        Ok(reading)
    }

    /// The limits for evaluating the query.
    fn limits(&self, cancelled: &Arc<AtomicBool>) -> Limits {
        Limits {
            memory_bytes_max: Some(machine::memory(self.common.limits.max_memory)),
            cancelled: Some(Arc::clone(cancelled)),
        }
    }

    /// Where rows that do not fit into memory are written.
    fn spill(&self) -> Result<Spill, Failure> {
        let folder = self.spill_dir.clone().unwrap_or_else(std::env::temp_dir);
        if self.spill_dir.is_some() && !folder.is_dir() {
            return Err(Failure::new(format!("{} is not a folder", folder.display()))
                .advise("name one with --spill-dir, or leave it out"));
        }
        Ok(Spill { folder })
    }

    /// Timelines, findings and coverage, made as by `detect`.
    fn read_engine(
        &self,
        talk: &Arc<Talk>,
        asked: &Filter,
        cancelled: &AtomicBool,
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        let (feeds, _) = self.open(talk, asked)?;
        shortage::limit(self.common.sources().max_memory);
        let mut evidence = watched(talk, &feeds, cancelled, budget(self.common.sources()), |run| {
            pipeline::read(run, asked).map_err(|error| shortage::overfull(error, &run))
        })?;
        self.finish(talk, &feeds, asked, &mut evidence.coverage, &evidence.seen, reading)?;
        let findings = detect::findings(&evidence.history, self.common.settings());
        let catalog = &mut reading.catalog;
        let made = rows::from_timelines(evidence.history.timelines());
        catalog.insert(&tables::engine::IMAGES, &made.images);
        catalog.insert(&tables::engine::STEPS, &made.steps);
        catalog.insert(&tables::engine::REFERENCES, &made.references);
        catalog.insert(&tables::engine::TAGS, &rows::tags(evidence.history.tags()));
        catalog.insert(&tables::engine::FINDINGS, &rows::findings(&findings));
        catalog.insert(&tables::engine::POLICIES, &tables::policies::policies(&evidence.history));
        catalog.insert(&tables::engine::COVERAGE, &rows::coverage(&evidence.coverage));
        reading.coverage = evidence.coverage;
        shortage::lift();
        Ok(())
    }

    fn read_events(
        &self,
        talk: &Arc<Talk>,
        query: &Query,
        asked: &Filter,
        cancelled: &AtomicBool,
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        let narrowed = query.scan().narrow(asked);
        let sources = query.scan().sources.clone();
        let names: Option<Vec<&str>> =
            sources.as_ref().map(|sources| sources.iter().map(String::as_str).collect());
        let wanted = names.as_deref().map_or(Wanted::All, Wanted::Sources);
        let spill = self.spill()?;
        let gather = |way: Way| {
            let (feeds, lake) = self.open(talk, &narrowed)?;
            let memory = machine::memory(self.common.limits.max_memory);
            let gathering = Gathering::new(query, asked, lake.clone(), memory);
            let gathering = gathering.spilling(&spill, self.jobs().get());
            let gathering = match way {
                Way::Best if !self.explain => gathering.exporting(),
                Way::Best => gathering,
                Way::Uncounted => gathering.without_counting(),
                Way::Rows => gathering.over_rows(),
                Way::All => gathering.to_the_end(),
            };
            let (coverage, collectors) =
                watched(talk, &feeds, cancelled, budget(self.common.sources()), |run| {
                    pipeline::scan(self.paced(run, query), wanted, || gathering.collector())
                });
            let gathered = gathering.finish(collectors);
            Ok(((feeds, lake), coverage, gathering, gathered))
        };
        let mut done = gather(Way::Best)?;
        for way in [Way::Uncounted, Way::Rows] {
            if matches!(done, (.., Ok(Gathered::GivenUp))) {
                done = gather(way)?;
            }
        }
        let ((mut feeds, mut lake), mut coverage, mut gathering, mut gathered) = done;
        for is_all in [false, true] {
            let Ok(Gathered::Doubtful(doubtful)) = gathered else { break };
            let (settled, dropped) =
                self.settle(talk, doubtful, &coverage, (&narrowed, asked), wanted, cancelled)?;
            // Rows that were dropped counted towards the LIMIT.
            if !is_all && dropped > 0 && query.scan().limit.is_some() {
                ((feeds, lake), coverage, gathering, gathered) = gather(Way::All)?;
                continue;
            }
            gathered = gathering.settled(settled);
            break;
        }
        // If no event can match (`eventname = 'a' AND eventname = 'b'`), none is read, and that does not
        // mean that the source is empty.
        if !query.scan().is_nothing() {
            self.finish(talk, &feeds, asked, &mut coverage, &Seen::default(), reading)?;
        }
        let gathered = gathered.map_err(|error| not_answered_by(query, &error))?;
        reading.coverage = coverage;
        reading.is_lake = lake.is_some() && asked.accounts.is_empty() && asked.regions.is_empty();
        match (gathered, lake) {
            (Gathered::Surveyed(export), Some(lake)) => {
                reading.outgoing = Some(Outgoing::Lake { export, lake })
            }
            (Gathered::Ordered(ordered), _) => {
                reading.on_disk = ordered.bytes();
                reading.outgoing = Some(Outgoing::Disk(ordered));
            }
            (gathered, _) => {
                reading.catalog.insert_gathered(query, gathered).map_err(|error| not_answered(&error))?
            }
        }
        Ok(())
    }

    /// The requested number of threads, or fewer if there is not enough memory.
    fn jobs(&self) -> NonZeroUsize {
        let by_memory = usize::try_from(machine::memory(self.common.limits.max_memory) / WORKER_BYTES)
            .unwrap_or(usize::MAX);
        self.common.jobs().min(NonZeroUsize::new(by_memory).unwrap_or(NonZeroUsize::MIN))
    }

    /// Drops rows of copies that do not count, and returns how many. `filters`: the filter for reading, and
    /// the user's own.
    fn settle(
        &self,
        talk: &Arc<Talk>,
        doubtful: Doubtful,
        coverage: &Coverage,
        filters: (&Filter, &Filter),
        wanted: Wanted<'_>,
        cancelled: &AtomicBool,
    ) -> Result<(Settled, usize), Failure> {
        let refused = |error: SqlError| not_answered(&error);
        // With more events than can be distinguished, the number of copies is not known.
        if coverage.records_duplicate == 0 && coverage.records <= SeenEvents::EVENTS_MAX {
            return Ok((doubtful.as_they_are().map_err(refused)?, 0));
        }
        if self.common.reads_stdin() {
            let failure = Failure::new(
                "some events occur more than once, with different values in the columns of this query: to \
                 decide which copy counts, the sources are read twice, but standard input can be read only once",
            );
            return Err(failure.advise("save it to a file and give that, or ingest it and query the lake"));
        }
        let (feeds, _) = self.open(talk, filters.0)?;
        let (_, collectors) = watched(talk, &feeds, cancelled, budget(self.common.sources()), |run| {
            pipeline::scan(run, wanted, || doubtful.collector(filters.1))
        });
        let places = collectors
            .into_iter()
            .map(crate::sql::Places::finish)
            .collect::<Result<Vec<_>, _>>()
            .map_err(refused)?;
        doubtful.settle(places).map_err(refused)
    }

    /// A query that stops early reads with one worker, because which rows come first must not depend on
    /// chance.
    fn paced<'r>(&self, run: pipeline::Run<'r>, query: &Query) -> pipeline::Run<'r> {
        let jobs =
            if query.scan().limit.is_some() { NonZeroUsize::MIN } else { run.budget.jobs.min(self.jobs()) };
        pipeline::Run { budget: Budget { jobs, ..run.budget }, ..run }
    }

    /// All sources; and the lake, if there is no other one: it has no second copies, while several sources may
    /// have the same events.
    fn open(&self, talk: &Talk, filter: &Filter) -> Result<(Feeds, Option<Arc<LakeFeed>>), Failure> {
        let options = sources::options(self.common.sources());
        let opened = sources::open_each(&self.common.sources, &options, filter)?;
        sources::note_stdin(&self.common, talk);
        let lake = match opened.as_slice() {
            [one] => one.lake().cloned(),
            _ => None,
        };
        Ok((opened.into_iter().map(Opened::into_feed).collect(), lake))
    }

    fn finish(
        &self,
        talk: &Talk,
        feeds: &[Box<dyn Feed>],
        filter: &Filter,
        coverage: &mut Coverage,
        seen: &Seen,
        reading: &mut Reading,
    ) -> Result<(), Failure> {
        if let Some(failure) = sources::check(feeds, coverage)? {
            talk.failure(&failure);
        }
        let pruned = sources::pruned(feeds);
        reading.pruned += usize::try_from(pruned.places).unwrap_or(usize::MAX);
        // If the query's own conditions leave out everything, the answer has no rows; that is not a filter
        // that matches nothing.
        let unread = coverage.objects_listed == 0 && pruned.places > 0;
        if unread && has_no_limit(filter) {
            let days = pruned
                .days
                .as_ref()
                .map(|(first, last)| format!(", delivered between {first} and {last}"))
                .unwrap_or_default();
            talk.note(&format!("the query's own conditions exclude everything{days}"));
            return Ok(());
        }
        nothing::check(&self.common.sources, filter, coverage, seen, &pruned)?;
        nothing::remarks(filter, coverage, seen, &pruned).iter().for_each(|remark| talk.note(remark));
        Ok(())
    }

    fn say_what_is_missing(&self, talk: &Talk, coverage: &Coverage) {
        if coverage.is_complete() {
            return;
        }
        let failed = counted(coverage.objects_failed, "object", "objects");
        let records = counted(coverage.records_failed, "record", "records");
        let what = if coverage.partial {
            "the run ended before its time: this is a partial result"
        } else {
            "some evidence could not be read"
        };
        talk.warn(&format!("{what}, {failed} and {records} failed"));
        coverage.failures.iter().take(3).for_each(|failure| talk.warn(&ui::coverage::describe(failure)));
    }
}

fn has_no_limit(filter: &Filter) -> bool {
    filter.since.is_none()
        && filter.until.is_none()
        && filter.accounts.is_empty()
        && filter.regions.is_empty()
}

fn explain(
    out: &mut dyn Write,
    query: &Query,
    coverage: &Coverage,
    pruned: usize,
    answer: &Answer,
    (lake, on_disk): (bool, u64),
) -> io::Result<()> {
    let tables: Vec<&str> = query.tables().iter().map(|table| table.name).collect();
    writeln!(out, "tables:       {}", if tables.is_empty() { "none".to_owned() } else { tables.join(", ") })?;
    if tables.contains(&tables::cloudtrail::TABLE.name) {
        writeln!(out, "{}", query.scan())?;
    }
    writeln!(out, "left out:     {} by key", counted(pruned as u64, "place", "places"))?;
    writeln!(out, "read:         {}", read_text(coverage).trim_start_matches("read "))?;
    writeln!(out, "parsed:       {} of them", counted(coverage.records_relevant, "record", "records"))?;
    writeln!(out, "rows:         {}", count(answer.height() as u64))?;
    for (at, operator) in query.operators().lines().enumerate() {
        writeln!(out, "{:13} {operator}", if at == 0 { "plan:" } else { "" })?;
    }
    if !tables.contains(&tables::cloudtrail::TABLE.name) {
        return Ok(());
    }
    for (at, step) in query.way(lake).iter().enumerate() {
        writeln!(out, "{:13} {step}", if at == 0 { "way:" } else { "" })?;
    }
    writeln!(
        out,
        "on disk:      {}",
        if on_disk == 0 { "nothing".to_owned() } else { format!("{} of rows in order", bytes(on_disk)) }
    )
}

fn not_understood(error: &SqlError) -> Failure {
    Failure::new("cannot run this query").because(error)
}

/// Why a query cannot be answered, with advice that fits to what is in it.
fn not_answered_by(query: &Query, error: &SqlError) -> Failure {
    match query.aggregate_with_all_values() {
        Some(name) if error.is_of_memory() => {
            Failure::new("cannot answer this query").because(error).advise(format!(
                "query fewer columns or a shorter time, or group by another column, too, as {name} keeps all values \
                 of a group at once; or allow more with --max-memory"
            ))
        }
        _ => not_answered(error),
    }
}

fn not_answered(error: &SqlError) -> Failure {
    let failure = Failure::new("cannot answer this query").because(error);
    if error.is_of_disk() {
        return failure.advise(
            "make room there, or give another folder with --spill-dir; or query less: fewer columns, a shorter \
             time",
        );
    }
    if error.is_of_memory() {
        failure.advise("query fewer columns or a shorter time, or allow more with --max-memory")
    } else {
        failure
    }
}
