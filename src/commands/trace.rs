//! `tagfall trace KEY|ARN|ADDRESS|SESSION SOURCE…`.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use super::gather::{self, look, read_text, watched};
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::{Ending, after_help_without_findings, destination, interrupt, nothing, shortage, sources};
use crate::failure::Failure;
use crate::model::{Coverage, Filter, Trace};
use crate::redact::{Redact, Redactor};
use crate::source::Feed;
use crate::trace::{Collected, EventMemoryExceeded, Question, Survey, View, Wanted};
use crate::ui;
use crate::ui::escape::Escape;
use crate::ui::quantity::{bytes, counted, elapsed};
use crate::ui::talk::Talk;
use crate::ui::trace::Each;

const EXAMPLES: &str = "\
Examples:
  tagfall trace codebuild-shop/AWSCodeBuild-0d1c2b3a-4444-4555-8666-777788889999 ./logs
  tagfall trace ASIAEXAMPLEEXAMPLE22 s3://my-trail/AWSLogs/ --since 2d --writes
  tagfall trace arn:aws:iam::111122223333:role/deployer ./logs --format csv --calls
  tagfall trace 203.0.113.7 ./logs --format json";

/// Tell who was behind a session: a person, a pipeline or a service
///
/// Follows sessions to the calls that began them, and so on, across accounts and regions: from calls that
/// return credentials (AssumeRole and similar calls, sign-ins to the console). Also shows what was done in
/// the sessions below. The connection is certain if an access key id is the same; connections inferred from
/// role, session name and start time are marked, and gaps in the logs are reported. The sources are read
/// twice.
#[derive(Debug, clap::Args)]
#[command(
    after_help = after_help_without_findings(EXAMPLES),
    mut_arg("race_window", |option| option.hide(true)),
    mut_arg("fail_on", |option| option.hide(true)),
    mut_arg("repository", |option| option.help("Show only calls about matching repositories (repeatable)"))
)]
pub struct Args {
    /// An access key id, an ARN (of a role, a session, a user), an address, or a name: SESSION, ROLE/SESSION,
    /// ROLE, USER; `*` and `?` match
    #[arg(value_name = "KEY|ARN|ADDRESS|SESSION")]
    reference: String,

    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    /// Show only calls that change something
    #[arg(long, help_heading = "Output")]
    writes: bool,

    /// For csv and ndjson: write calls instead of sessions
    #[arg(long, help_heading = "Output")]
    calls: bool,
}

/// The result of reading the sources twice.
pub struct Read {
    pub trace: Option<Trace>,
    pub coverage: Coverage,
    /// Names similar to what was asked for.
    near: Vec<String>,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let started = Instant::now();
        let question = Question::parse(&self.reference).ok_or_else(nothing_asked)?;
        if self.names_a_source_last() {
            return Err(nothing_asked()
                .because(format!("{:?} is a folder or a file, and no source follows it", self.reference)));
        }
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let mut filter = self.common.filter()?;
        let view = View { writes: self.writes, repositories: std::mem::take(&mut filter.repositories) };
        let destination = destination::prepare(&self.common.show, self.common.inputs())?;
        let cancelled = interrupt::flag(talk);
        let mut read = read(&self.common, talk, &cancelled, &filter, &question, &view)?;
        if let Some(redactor) = redactor {
            read.trace.iter().for_each(|trace| redactor.learn_trace(trace));
            read.coverage.redact(redactor);
        }
        let Some(trace) = read.trace else { return Err(self.not_found(&question, &read.near, redactor)) };
        let trace = redacted(trace, redactor);
        let each = if self.calls { Each::Call } else { Each::Session };
        let look = look(&self.common.show, &destination);
        let written = destination.write(|out| ui::trace::write(out, look, &read.coverage, &trace, each))?;
        if written.is_some() {
            let summary = format!(
                "{} in {}",
                counted(trace.sessions.len() as u64, "session", "sessions"),
                elapsed(started.elapsed())
            );
            talk.note(&format!("{}, {summary}", read_text(&read.coverage)));
        }
        gather::say_what_is_missing(talk, &self.common.show, &read.coverage);
        Ok(Ending {
            alarming: false,
            incomplete: Ending::lacks(&read.coverage, self.common.allow_incomplete()),
        })
    }

    /// Whether the last argument, where sources should be, is what is searched for: `trace logs KEY`.
    fn names_a_source_last(&self) -> bool {
        let is_there = |spec: &str| Path::new(spec).exists();
        is_there(&self.reference)
            && !self.common.sources.iter().any(|spec| spec == "-" || spec.contains("://") || is_there(spec))
    }

    fn not_found(&self, question: &Question, near: &[String], redactor: Option<&Redactor>) -> Failure {
        let failure = Failure::new(format!("no session in these logs belongs to {:?}", self.reference));
        let failure = failure.because(format!("it was looked for as {}", in_words(question)));
        let failure = match near {
            [_, ..] if redactor.is_none() => failure.advise(format!("did you mean {}?", near.join(" or "))),
            _ => failure,
        };
        failure.advise(
            "widen --since, --until, --account and --region; tagfall query lists all callers: SELECT DISTINCT \
             useridentity.arn, useridentity.accesskeyid FROM events",
        )
    }
}

fn in_words(question: &Question) -> &'static str {
    match question.asked() {
        crate::model::Asked::Key => "an access key id",
        crate::model::Asked::Arn => "the ARN of a role, of a session, or of a user",
        crate::model::Asked::Address => "an address",
        crate::model::Asked::Session | crate::model::Asked::Event => {
            "the name of a session, of a role, or of a user"
        }
    }
}

fn nothing_asked() -> Failure {
    Failure::new("nothing to trace")
        .advise("give an access key id, an ARN, an address, or the name of a session, then the sources")
}

/// Reads the sources twice; or, if standard input is one of them, once, keeping everything.
pub fn read(
    common: &Common,
    talk: &Arc<Talk>,
    cancelled: &AtomicBool,
    filter: &Filter,
    question: &Question,
    view: &View,
) -> Result<Read, Failure> {
    let once = common.reads_stdin();
    sources::note_stdin(common, talk);
    shortage::limit(common.sources().max_memory);
    let mut survey = None;
    if !once {
        let feeds = sources::open(common, filter)?;
        let mut first = watched(talk, &feeds, cancelled, gather::budget(common.sources()), |run| {
            Survey::read(run, filter, question)
        })
        .map_err(overfull)?;
        // There is no partial result yet that could be reported.
        if cancelled.load(Ordering::Relaxed) {
            interrupt::stop();
        }
        check(common, talk, &feeds, filter, &mut first.coverage, &first.seen)?;
        if !first.found() {
            let near = first.near.iter().map(|name| name.for_terminal().into_owned()).collect();
            return Ok(Read { trace: None, coverage: first.coverage, near });
        }
        survey = Some(first);
    }
    let wanted = survey.as_ref().map_or(Wanted::Everything, Wanted::of);
    let known = survey.map(|survey| survey.known);
    let feeds = sources::open(common, filter)?;
    let mut collected = watched(talk, &feeds, cancelled, gather::budget(common.sources()), |run| {
        Collected::read(run, filter, question, &wanted)
    })
    .map_err(overfull)?;
    if cancelled.load(Ordering::Relaxed) && !collected.coverage.partial {
        interrupt::stop();
    }
    let seen = std::mem::take(&mut collected.seen);
    let mut coverage = std::mem::take(&mut collected.coverage);
    if let Some(failure) = sources::check(&feeds, &mut coverage)? {
        talk.failure(&failure);
    }
    if once {
        nothing::check(&common.sources, filter, &coverage, &seen, &sources::pruned(&feeds))?;
    }
    let trace = collected.trace(question, known, view);
    // Some records were kept only because they might have belonged to the sessions.
    coverage.records_relevant =
        trace.as_ref().map_or(0, |trace| trace.calls.len() as u64 + trace.calls_left_out);
    Ok(Read { trace, coverage, near: Vec::new() })
}

/// The checks of every verb when everything has been read.
fn check(
    common: &Common,
    talk: &Talk,
    feeds: &[Box<dyn Feed>],
    filter: &Filter,
    coverage: &mut Coverage,
    seen: &crate::model::Seen,
) -> Result<(), Failure> {
    if let Some(failure) = sources::check(feeds, coverage)? {
        talk.failure(&failure);
    }
    let pruned = sources::pruned(feeds);
    nothing::check(&common.sources, filter, coverage, seen, &pruned)?;
    nothing::remarks(filter, coverage, seen, &pruned).iter().for_each(|remark| talk.note(remark));
    Ok(())
}

fn overfull(error: EventMemoryExceeded) -> Failure {
    Failure::new("not enough memory")
        .because(format!(
            "the sessions to be kept take more than --max-memory, which is {}",
            bytes(error.bytes_max)
        ))
        .advise("ask for one key or one session, and not for many")
        .advise("or read less (--since, --until, --account, --region), or allow more with --max-memory")
}
