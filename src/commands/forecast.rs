//! `tagfall forecast SOURCE…`.

use std::sync::Arc;

use super::gather::{Asked, Run};
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::values::{self, When};
use super::{Ending, after_help, nothing};
use crate::failure::Failure;
use crate::forecast::Forecasts;
use crate::ui;
use crate::ui::quantity::{count, counted};
use crate::ui::talk::Talk;

/// Formats of this verb, besides those that every verb has.
const MORE_FORMATS: &[ui::Format] = &[ui::Format::Markdown];

const EXAMPLES: &str = "\
Examples:
  tagfall forecast s3://my-trail/AWSLogs/ --since 90d --within 3d --fail-on high
  tagfall forecast ./logs --repository 'shop/*' --format json -o forecast.json
  tagfall forecast ./lake --at now";

/// Show what the lifecycle policies will expire next, and who still needs it
///
/// One entry for each existing image, the most urgent first: when it becomes eligible under the policy in
/// force, by which rule, whether another push took its tag, and who is deployed with it. A lifecycle run
/// follows within 24 hours. For a rule by count there is no date, but the number of further images until the
/// image is expired. `--fail-on` applies to images that somebody needs and a run will take.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.value_parser(ui::Format::and(MORE_FORMATS))))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    /// The time of the forecast: later events are ignored, and images that are eligible by then are due. In
    /// the format of --since, or `now`
    ///
    /// Default: the last event in the logs, so that the same logs always give the same forecast.
    #[arg(long, value_name = "TIME", value_parser = values::moment, help_heading = "Which events")]
    at: Option<When>,

    /// Only images that a run may take within this time: 7d, 36h
    #[arg(long, value_name = "SPAN", value_parser = values::span, help_heading = "Which images")]
    within: Option<i64>,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(true)?;
        let at = self.at.map(values::resolved);
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let run = Run::gather_for(&self.common, talk, Asked { at, redactor, ..Asked::default() })?;
        // A moment in the future is allowed, too.
        let Some(as_of) = at.or(run.evidence.end) else { return Err(nothing::no_end()) };
        let forecasts = Forecasts::new(&run.evidence.history, as_of, self.within);
        let (policies, counts) = (redacted(forecasts.policies(), redactor), forecasts.counts());
        let list = || forecasts.iter().map(|forecast| redacted(forecast, redactor));
        for unknown in policies
            .iter()
            .filter_map(|policy| Some((policy, policy.unknown.as_ref()?)))
            .take(UNKNOWN_SAID_MAX)
        {
            talk.note(&format!("{}: {}", unknown.0.repository.name.raw(), unknown.1));
        }
        let source = if at.is_some() { "at" } else { "last_event" };
        let view = ui::forecast::View { as_of, as_of_source: source, policies: &policies, counts };
        match self.common.show.format {
            #[cfg(feature = "sql")]
            ui::Format::Parquet => super::columns::forecast(&run, list()).map(|_| ())?,
            _ => run
                .write(|out, look, coverage| ui::forecast::write(out, look, coverage, &view, list()))
                .map(|_| ())?,
        }
        let summary =
            format!("{} there, {} due", counted(counts.images, "image", "images"), count(counts.due));
        Ok(run.end_by(&summary, forecasts.alarms().iter().copied()))
    }
}

/// Maximum number of repositories without a known policy that are written to stderr; the document has all.
const UNKNOWN_SAID_MAX: usize = 3;
