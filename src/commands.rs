//! The command line: one verb per file, with its arguments beside its `run`; this file has what they share.
//!
//! Only this layer reads the clock and the environment. A verb returns an `Ending` (which decides the exit
//! code) or a `Failure` (exit code 2). A new verb needs a file, a line in `Command` and a line in
//! `Command::run`.

mod behind;
mod bounded;
#[cfg(feature = "sql")]
mod columns;
mod completions;
mod config;
mod destination;
mod detect;
mod diff;
mod ending;
mod explain;
mod fate;
mod forecast;
mod gather;
mod image;
#[cfg(feature = "sql")]
mod ingest;
mod interrupt;
mod known;
#[cfg(feature = "sql")]
mod lake;
mod machine;
mod man;
mod nothing;
mod options;
#[cfg(feature = "sql")]
mod plan;
mod queries;
mod query;
mod redaction;
mod report;
mod rescue;
mod shortage;
mod snapshot;
mod sources;
mod timeline;
mod trace;
mod values;
mod verify;
mod whatif;

use std::borrow::Cow;
use std::ffi::OsString;
use std::io::{ErrorKind, Write};
use std::num::NonZeroUsize;
use std::panic::{self, AssertUnwindSafe};
use std::process::ExitCode;
use std::sync::Arc;

use clap::{Parser, Subcommand};

use crate::failure::Failure;
use crate::ui::escape::Escape;
use crate::ui::talk::Talk;
use ending::Ending;

/// Shown below the help of every verb that reads logs and judges them.
const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  findings at or above --fail-on
  2  the run was not possible: wrong usage, no access, nothing to read
  3  done, but some evidence could not be read (see coverage); 0 with --allow-incomplete";

/// The same for verbs that have no `--fail-on`.
const EXIT_CODES_WITHOUT_FINDINGS: &str = "\
Exit codes:
  0  done
  2  the run was not possible: wrong usage, no access, nothing to read
  3  done, but some evidence could not be read (see coverage); 0 with --allow-incomplete";

/// Shown below the list of verbs, for a first run.
const FIRST_STEPS: &str = "\
Examples:
  tagfall detect s3://my-trail/AWSLogs/ --since 30d
  tagfall explain 'CannotPullContainerError: … not found' s3://my-trail/AWSLogs/ --since 90d
  tagfall help detect";

/// The text below the help of a verb.
fn after_help(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_CODES}")
}

/// The same for a verb that has no `--fail-on`.
fn after_help_without_findings(examples: &str) -> String {
    format!("{examples}\n\n{EXIT_CODES_WITHOUT_FINDINGS}")
}

/// Find out from CloudTrail logs why a container image vanished from ECR: which push took its tag, which
/// lifecycle run expired it, and who still needed it
#[derive(Debug, Parser)]
#[command(name = "tagfall", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Detect(detect::Args),
    Diff(diff::Args),
    Explain(explain::Args),
    Rescue(rescue::Args),
    Fate(fate::Args),
    Timeline(timeline::Args),
    Trace(trace::Args),
    Forecast(forecast::Args),
    Whatif(whatif::Args),
    Report(report::Args),
    Query(Box<query::Args>),
    Queries(queries::Args),
    #[cfg(feature = "sql")]
    Ingest(Box<ingest::Args>),
    #[cfg(feature = "sql")]
    Plan(plan::Args),
    #[cfg(feature = "sql")]
    Lake(lake::Args),
    Verify(verify::Args),
    Snapshot(snapshot::Args),
    Completions(completions::Args),
    Man(man::Args),
}

impl Command {
    fn quiet(&self) -> bool {
        match self {
            Self::Detect(args) => args.common.quiet(),
            Self::Diff(args) => args.show.quiet(),
            Self::Explain(args) => args.common.quiet(),
            Self::Rescue(args) => args.common.quiet(),
            Self::Fate(args) => args.common.quiet(),
            Self::Timeline(args) => args.common.quiet(),
            Self::Trace(args) => args.common.quiet(),
            Self::Forecast(args) => args.common.quiet(),
            Self::Whatif(args) => args.common.quiet(),
            Self::Report(args) => args.common.quiet(),
            Self::Query(args) => args.common.quiet(),
            Self::Queries(_) => false,
            #[cfg(feature = "sql")]
            Self::Ingest(args) => args.quiet(),
            #[cfg(feature = "sql")]
            Self::Plan(args) => args.quiet(),
            #[cfg(feature = "sql")]
            Self::Lake(args) => args.quiet(),
            Self::Verify(args) => args.quiet(),
            Self::Snapshot(args) => args.quiet(),
            Self::Completions(_) | Self::Man(_) => false,
        }
    }

    /// The number of workers it will have.
    fn jobs(&self) -> NonZeroUsize {
        match self {
            Self::Detect(args) => args.common.jobs(),
            Self::Explain(args) => args.common.jobs(),
            Self::Rescue(args) => args.common.jobs(),
            Self::Fate(args) => args.common.jobs(),
            Self::Timeline(args) => args.common.jobs(),
            Self::Trace(args) => args.common.jobs(),
            Self::Forecast(args) => args.common.jobs(),
            Self::Whatif(args) => args.common.jobs(),
            Self::Report(args) => args.common.jobs(),
            Self::Query(args) => args.common.jobs(),
            #[cfg(feature = "sql")]
            Self::Ingest(args) => args.jobs(),
            #[cfg(feature = "sql")]
            Self::Plan(args) => args.jobs(),
            Self::Verify(args) => args.jobs(),
            Self::Snapshot(args) => args.jobs(),
            #[cfg(feature = "sql")]
            Self::Lake(_) => std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN),
            Self::Diff(_) | Self::Queries(_) | Self::Completions(_) | Self::Man(_) => NonZeroUsize::MIN,
        }
    }

    fn writes_to_stdout(&self) -> bool {
        match self {
            Self::Detect(args) => args.common.show.writes_to_stdout(),
            Self::Diff(args) => args.show.writes_to_stdout(),
            Self::Explain(args) => args.common.show.writes_to_stdout(),
            Self::Rescue(args) => args.common.show.writes_to_stdout(),
            Self::Fate(args) => args.common.show.writes_to_stdout(),
            Self::Timeline(args) => args.common.show.writes_to_stdout(),
            Self::Trace(args) => args.common.show.writes_to_stdout(),
            Self::Forecast(args) => args.common.show.writes_to_stdout(),
            Self::Whatif(args) => args.common.show.writes_to_stdout(),
            Self::Report(args) => args.common.show.writes_to_stdout(),
            Self::Query(args) => args.common.show.writes_to_stdout(),
            #[cfg(feature = "sql")]
            Self::Ingest(args) => args.is_step(),
            #[cfg(feature = "sql")]
            Self::Plan(_) => true,
            #[cfg(feature = "sql")]
            Self::Lake(args) => args.writes_to_stdout(),
            Self::Verify(args) => args.writes_to_stdout(),
            Self::Queries(_) | Self::Snapshot(_) | Self::Completions(_) | Self::Man(_) => true,
        }
    }

    fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        match self {
            Self::Detect(args) => args.run(talk),
            Self::Diff(args) => args.run(),
            Self::Explain(args) => args.run(talk),
            Self::Rescue(args) => args.run(talk),
            Self::Fate(args) => args.run(talk),
            Self::Timeline(args) => args.run(talk),
            Self::Trace(args) => args.run(talk),
            Self::Forecast(args) => args.run(talk),
            Self::Whatif(args) => args.run(talk),
            Self::Report(args) => args.run(talk),
            Self::Query(args) => args.run(talk),
            Self::Queries(args) => args.run(),
            #[cfg(feature = "sql")]
            Self::Ingest(args) => args.run(talk),
            #[cfg(feature = "sql")]
            Self::Plan(args) => args.run(talk),
            #[cfg(feature = "sql")]
            Self::Lake(args) => args.run(talk),
            Self::Verify(args) => args.run(talk),
            Self::Snapshot(args) => args.run(talk),
            Self::Completions(args) => args.run(),
            Self::Man(args) => args.run(),
        }
    }
}

/// A query may begin with a comment, whose `--` is not an option.
fn unhyphened(argument: OsString) -> OsString {
    match argument.to_str().and_then(|text| text.strip_prefix("--")) {
        Some(comment)
            if comment.starts_with([' ', '\t', '-', '\n', '\r'])
                || comment.split_once('\n').is_some_and(|(line, _)| !line.contains('=')) =>
        {
            let mut spaced = OsString::from(" ");
            spaced.push(argument);
            spaced
        }
        _ => argument,
    }
}

/// The process's stdout, as it was at the start; it cannot be found out later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stdout {
    Open,
    /// `>&-`. The standard library replaces it by `/dev/null`, where everything would be lost without an
    /// error.
    Closed,
}

/// The whole program: parses the command line, runs the verb, and returns the exit code.
pub fn main(stdout: Stdout) -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let settled = match config::settle(arguments.iter().cloned().map(unhyphened).collect()) {
        Ok(settled) => settled,
        Err(failure) => return failed(&Talk::new(false), &failure),
    };
    if let Some(shown) = settled.show() {
        return shown.map_or_else(|failure| failed(&Talk::new(false), &failure), |()| ExitCode::SUCCESS);
    }
    let cli = match Cli::try_parse_from(&settled.arguments) {
        Ok(cli) => cli,
        // `--help` and `--version` come here as well: they go to stdout with exit code 0.
        Err(usage) => return misused(&usage, &settled.arguments, stdout),
    };
    let talk = Arc::new(Talk::new(cli.command.quiet()));
    settled.note.iter().for_each(|note| talk.note(note));
    #[cfg(feature = "sql")]
    tell_no_guarded_panics();
    // A panic is a bug of the program or of a library, and ends the run like any other failure.
    let ended = panic::catch_unwind(AssertUnwindSafe(|| match stdout {
        Stdout::Closed if cli.command.writes_to_stdout() => Err(Failure::new("cannot write to stdout")
            .because("it is closed")
            .advise("name a file with -o, or give it a place to write to")),
        _ => {
            machine::prepare(cli.command.jobs())?;
            shortage::watch(&talk);
            cli.command.run(&talk)
        }
    }));
    match ended.unwrap_or_else(|_| Err(fault())) {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(failure) => failed(&talk, &failure),
    }
}

fn failed(talk: &Talk, failure: &Failure) -> ExitCode {
    talk.failure(failure);
    ExitCode::from(Failure::EXIT_CODE)
}

/// The failure that reports a panic.
fn fault() -> Failure {
    Failure::new("tagfall failed: a fault of its own, or no memory and no threads to be had")
        .because("what is said above of a panic")
        .advise("give it more memory, or fewer --jobs; if it fails again, report it with the text above")
}

/// Panics that a lake turns into a file's failure are reported as that only.
#[cfg(feature = "sql")]
fn tell_no_guarded_panics() {
    let tell = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if !crate::decode::is_guarded() {
            tell(panic);
        }
    }));
}

/// Shows what is wrong with the command line, or the requested help.
fn misused(usage: &clap::Error, arguments: &[OsString], stdout: Stdout) -> ExitCode {
    let visible = |argument: &OsString| matches!(argument.to_string_lossy().for_terminal(), Cow::Borrowed(_));
    let told = match arguments.iter().all(visible) {
        true => usage.print(),
        // The message quotes the arguments, which may contain control characters.
        false => usage
            .render()
            .to_string()
            .lines()
            .try_for_each(|line| writeln!(std::io::stderr(), "{}", line.for_terminal())),
    };
    // If the reader closes the pipe early (`| head`), that is not an error.
    let shown = match told {
        Ok(()) => stdout == Stdout::Open,
        Err(error) => error.kind() == ErrorKind::BrokenPipe,
    };
    if shown && !usage.use_stderr() { ExitCode::SUCCESS } else { ExitCode::from(Failure::EXIT_CODE) }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }
}
