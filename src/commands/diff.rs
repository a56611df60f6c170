//! `tagfall diff OLD NEW`.

use std::path::{Path, PathBuf};

use super::bounded::{self, RESULT_BYTES_MAX};
use super::gather::look;
use super::options::Show;
use super::{Ending, destination, values};
use crate::alerts::{self, Loss};
use crate::failure::Failure;
use crate::model::Severity;
use crate::ui;

const EXAMPLES: &str = "\
Examples:
  tagfall diff monday.json tuesday.json
  tagfall diff monday.json tuesday.json --fail-on high --format json

Exit codes:
  0  done
  1  something new or worse is at or above --fail-on
  2  could not run";

/// Compare two results of `detect --format json`
///
/// Lists what is new, worse, better, and gone. A loss counts as the same if registry, region, repository and
/// digest (or tag) are.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// The older result
    #[arg(value_name = "OLD")]
    old: PathBuf,

    /// The newer result
    #[arg(value_name = "NEW")]
    new: PathBuf,

    /// Exit with 1 if anything new or worse has this severity or a higher one
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity(), ignore_case = true, help_heading = "Judgement")]
    fail_on: Option<Severity>,

    #[command(flatten)]
    pub show: Show,
}

impl Args {
    pub fn run(&self) -> Result<Ending, Failure> {
        self.show.can_write(false)?;
        let destination = destination::prepare(&self.show, [self.old.as_path(), self.new.as_path()])?;
        let diff = alerts::diff(read(&self.old)?, read(&self.new)?);
        let look = look(&self.show, &destination);
        destination.write(|out| ui::changes::write(out, look, &diff))?;
        let mut told =
            diff.new.iter().chain(diff.worse.iter().map(|change| &change.after)).map(|loss| loss.severity);
        let alarming = self.fail_on.is_some_and(|limit| told.any(|severity| severity <= limit));
        Ok(Ending { alarming, incomplete: false })
    }
}

fn read(path: &Path) -> Result<Vec<Loss>, Failure> {
    let text = bounded::read(path, RESULT_BYTES_MAX)
        .map_err(|error| Failure::new(format!("cannot read {}", path.display())).because(error))?;
    alerts::read(&text).map_err(|why| {
        let failure = Failure::new(format!("{} is not a result of detect", path.display())).because(why);
        failure.advise("write it with `tagfall detect SOURCE… --format json -o FILE`")
    })
}
