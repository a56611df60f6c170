//! `tagfall fate REF|FINDING SOURCE…`.

use std::sync::Arc;

use super::gather::{Asked as Wanted, Run};
use super::image::Asked;
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::values::{self, When};
use super::{Ending, after_help, nothing};
use crate::failure::Failure;
use crate::fate::Fates;
use crate::model::FatePlace;
use crate::ui;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;

const EXAMPLES: &str = "\
Examples:
  tagfall fate 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api@sha256:… ./logs ./snapshot
  # the id of a finding
  tagfall fate 1e6aa6eb9a2ecaf3 ./logs
  tagfall fate shop/api:v7 ./logs-of-the-source ./logs-of-the-replica ./snapshot";

/// Tell what has become of one image in every registry, and what will: source, replicas, pull-through caches
///
/// For each place: whether it has the same digest, with which tags, which policy will expire it when, who
/// needs it there, and which deletions are replicated to it. Give the logs or snapshots of all accounts and
/// regions concerned: nothing is known about others.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES))]
pub struct Args {
    /// An image reference, a digest, a pasted error message, or the id of a finding
    #[arg(value_name = "REF")]
    reference: String,

    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    /// The time of the forecast: later events are ignored, and images that are eligible by then are due. In
    /// the format of --since, or `now`
    ///
    /// Default: the end of the evidence.
    #[arg(long, value_name = "TIME", value_parser = values::moment, help_heading = "Which events")]
    at: Option<When>,

    /// On the page: show the events behind each place, with their objects and records
    #[arg(long, help_heading = "Output")]
    evidence: bool,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let asked = Asked::parse(&self.reference)?;
        let at = self.at.map(values::resolved);
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let run = Run::gather_for(&self.common, talk, Wanted { at, redactor, ..Wanted::default() })?;
        let Some(as_of) = at.or(run.evidence.end) else { return Err(nothing::no_end()) };
        let fates = Fates::new(&run.evidence.history, as_of);
        let fate = asked.answer(
            &run,
            &self.common,
            |question| fates.of(question),
            |finding| fates.of_finding(finding),
        )?;
        let lives = redacted(fates.lives(&fate), redactor);
        let severities: Vec<_> = alarms(&fate.places);
        let fate = redacted(fate, redactor);
        let telling = ui::timelines::Telling { style: self.common.show.style(), evidence: self.evidence };
        run.write(|out, look, coverage| ui::fate::write(out, look, telling, coverage, &fate, &lives))?;
        let summary =
            format!("{}, {} with it", counted(fate.places.len() as u64, "place", "places"), fate.copies);
        Ok(run.end_by(&summary, severities.into_iter()))
    }
}

/// What `--fail-on` judges: places where it is needed, and is gone or will go.
fn alarms(places: &[FatePlace]) -> Vec<crate::model::Severity> {
    use crate::model::Presence;
    let at_stake = |place: &&FatePlace| {
        matches!(place.presence, Presence::Gone | Presence::Archived) || place.first_end.is_some()
    };
    places.iter().filter(at_stake).filter_map(|place| place.severity).collect()
}
