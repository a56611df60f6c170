//! Uses the engine as a library: which images were lost according to a set of logs, and who requested them
//! afterwards?
//!
//! `cargo run --example lost_images -- fixtures/incident`

use std::num::NonZeroUsize;
use std::process::ExitCode;
use std::sync::atomic::AtomicBool;

use tagfall::detect::{self, Settings};
use tagfall::model::Filter;
use tagfall::pipeline::{self, Budget, Progress, Run};
use tagfall::source::{self, Options};

fn main() -> ExitCode {
    let sources: Vec<String> = std::env::args().skip(1).collect();
    let filter = Filter::default();
    let jobs = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
    let options = Options { jobs, many: sources.len() > 1, ..Options::default() };

    // A feed hands out the objects of one source: a folder, a file, a bucket.
    let mut feeds = Vec::new();
    for spec in &sources {
        match source::open(spec, &options, &filter) {
            Ok(feed) => feeds.push(feed),
            Err(error) => {
                eprintln!("{spec}: {error}");
                return ExitCode::from(2);
            }
        }
    }

    let run = Run {
        feeds: &feeds,
        budget: Budget {
            jobs,
            object_bytes_max: options.memory_bytes_max / 2,
            kept_bytes_max: options.memory_bytes_max,
        },
        progress: &Progress::default(),
        cancelled: &AtomicBool::new(false),
    };
    let evidence = match pipeline::read(run, &filter) {
        Ok(evidence) => evidence,
        Err(error) => {
            eprintln!("too little memory: {error}");
            return ExitCode::from(2);
        }
    };

    for finding in detect::findings(&evidence.history, Settings { race_window_seconds: 600 }) {
        println!("{}: {}", finding.id, finding.summary);
        println!("  pulls that found nothing: {}", finding.usage.pulls_after_gone);
    }
    // Objects that could not be read are part of the result.
    for failure in &evidence.coverage.failures {
        eprintln!("not read: {}", failure.reason);
    }
    if evidence.coverage.failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(3) }
}
