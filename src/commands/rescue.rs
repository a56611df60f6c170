//! `tagfall rescue REF|FINDING SOURCE…`.

use std::sync::Arc;

use super::gather::{Asked as Wanted, Run};
use super::image::Asked;
use super::options::Common;
use super::{Ending, after_help};
use crate::failure::Failure;
use crate::rescue::{rescue, rescue_of};
use crate::ui;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;

const EXAMPLES: &str = "\
Examples:
  tagfall rescue 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api@sha256:… ./logs ./snapshot
  # the id of a finding
  tagfall rescue 1e6aa6eb9a2ecaf3 ./logs
  # a script that collects what other accounts, regions and clusters have
  tagfall snapshot --script > gather.sh";

/// Tell where a lost image still exists, and print the commands that restore it
///
/// Looks for the same digest wherever logs and snapshots show it: in the archive, another repository, region
/// or account, behind a pull-through cache, or on a host that runs it; the newest evidence first. If there is
/// none, tells who built the image, so that it can be built again. The commands are only printed, not run.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES))]
pub struct Args {
    /// An image reference, a digest, a pasted error message, or the id of a finding
    #[arg(value_name = "REF")]
    reference: String,

    #[command(flatten)]
    pub common: Common,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let asked = Asked::parse(&self.reference)?;
        let run = Run::gather_for(&self.common, talk, Wanted::default())?;
        let history = &run.evidence.history;
        let found = asked.answer(
            &run,
            &self.common,
            |question| rescue(question, history),
            |finding| rescue_of(finding, history),
        )?;
        run.write(|out, look, coverage| ui::rescue::write(out, look, coverage, &found))?;
        Ok(run.end(&counted(found.sources.len() as u64, "place that has it", "places that have it"), &[]))
    }
}
