//! `tagfall detect SOURCE…`: the main job.

use std::sync::Arc;

use super::gather::{Run, look};
use super::options::Common;
use super::{Ending, after_help, destination, nothing, sources};
use crate::failure::Failure;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;
use crate::{detect, ui};

const EXAMPLES: &str = "\
Examples:
  tagfall detect s3://my-trail/AWSLogs/ --since 14d
  tagfall detect ./logs --repository 'shop/*' --format json -o findings.json
  zcat logs/*.json.gz | tagfall detect - --fail-on high";

/// Find every image that was lost, who did it, and who was hurt
///
/// A race or an overwrite of its tag that a lifecycle rule made final; images that were expired, deleted or archived while
/// something needed them.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    /// Only list: say what would be read (objects, bytes, requests), and fetch nothing
    #[arg(long, help_heading = "Limits")]
    dry_run: bool,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        if self.dry_run {
            return self.plan();
        }
        self.common.show.can_write(true)?;
        let run = Run::gather(&self.common, talk)?;
        let findings = detect::findings(&run.evidence.history, self.common.settings());
        match self.common.show.format {
            #[cfg(feature = "sql")]
            ui::Format::Parquet => super::columns::findings(&run, &findings).map(|_| ())?,
            _ => run.write(|out, look, coverage| ui::findings::write(out, look, coverage, &findings)).map(|_| ())?,
        }
        Ok(run.end(&counted(findings.len() as u64, "finding", "findings"), &findings))
    }

    fn plan(&self) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let destination = destination::prepare(&self.common.show, self.common.inputs())?;
        let filter = self.common.filter()?;
        let plan = sources::plan(&self.common, &filter)?;
        if plan.iter().all(|source| source.plan.objects == 0) {
            return Err(nothing::no_objects(&self.common.sources, &filter, &sources::pruned_by(&plan)));
        }
        let look = look(&self.common.show, &destination);
        destination.write(|out| ui::plan::write(out, look, "detect", &plan))?;
        Ok(Ending::default())
    }
}
