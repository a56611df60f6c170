//! `tagfall detect SOURCE…`: the main job.

use std::sync::Arc;

use super::gather::{Asked, Run, look};
use super::known::{self, Told};
use super::options::Common;
use super::redaction::{Redaction, Shown};
use super::{Ending, after_help, destination, nothing, sources};
use crate::failure::Failure;
use crate::model::{Finding, Severity};
use crate::timeline::History;
use crate::ui::findings::Telling;
use crate::ui::lanes::Picture;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;
use crate::{detect, ui};

/// Formats of this verb, besides those that every verb has.
const MORE_FORMATS: &[ui::Format] =
    &[ui::Format::Markdown, ui::Format::Sarif, ui::Format::Ocsf, ui::Format::Timesketch];

const EXAMPLES: &str = "\
Examples:
  tagfall detect s3://my-trail/AWSLogs/ --since 14d
  tagfall detect ./logs --repository 'shop/*' --format json -o findings.json
  zcat logs/*.json.gz | tagfall detect - --fail-on high
  tagfall detect s3://my-trail/AWSLogs/ --since 30d --known known.json --fail-on high
  tagfall detect ./logs --known known.json --accept 0123456789abcdef --until 2030-01-31 --reason 'rebuilt, TICKET-12'";

/// Find every image that was lost, who did it, and who was affected
///
/// Images that lost their tag to another push and were then expired; images that were expired, deleted or
/// archived while something needed them; tags and permissions that were taken away.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.value_parser(ui::Format::and(MORE_FORMATS))))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    known: known::Options,

    #[command(flatten)]
    redaction: Redaction,

    /// On the page: show every event with its object and record, and each principal
    #[arg(long, help_heading = "Output")]
    evidence: bool,

    /// On the page: show only this many findings, the most severe ones
    #[arg(long, value_name = "N", help_heading = "Output")]
    limit: Option<usize>,

    /// Only list what would be read (objects, bytes, requests), without fetching anything
    #[arg(long, help_heading = "Limits")]
    dry_run: bool,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        if self.dry_run {
            return self.plan(talk);
        }
        let inputs = || self.common.inputs().chain(self.known.path());
        self.find(talk).inspect_err(|_| destination::withdraw(&self.common.show, inputs(), talk))
    }

    fn find(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(true)?;
        let redactor = self.redaction.open(&self.common, talk)?;
        let mut known = self.known.open(&self.common)?;
        let asked = Asked { input: self.known.path(), redactor: redactor.as_deref(), ..Asked::default() };
        let run = Run::gather_for(&self.common, talk, asked)?;
        let findings = detect::findings(&run.evidence.history, self.common.settings());
        let told = match &mut known {
            Some(file) => self.known.judge(file, &self.common, &findings, run.evidence.end)?,
            None => Told::default(),
        };
        let shown = Shown::of(&findings, redactor.as_deref());
        let written = match self.common.show.format {
            #[cfg(feature = "sql")]
            ui::Format::Parquet => super::columns::findings(&run, shown.findings()).map(|_| Some(()))?,
            _ => {
                let history = &run.evidence.history;
                let news = shown.news(&told.news);
                let telling = Telling {
                    news: &news,
                    evidence: self.evidence,
                    limit: self.limit,
                    style: self.common.show.style(),
                    picture: &|finding| picture(history, finding, &shown),
                };
                run.write(|out, look, coverage| {
                    ui::findings::write_telling(out, look, coverage, shown.findings(), telling)
                })?
            }
        };
        // If the output was not read to its end, the findings do not count as reported.
        if let (Some(file), Some(())) = (&known, written) {
            file.keep()?;
            told.note(talk);
        }
        let limit = self.common.fail_on().or(known.map(|_| Severity::Low));
        Ok(run.end_at(
            limit,
            &counted(findings.len() as u64, "finding", "findings"),
            told.severities(&findings),
        ))
    }

    fn plan(&self, talk: &Talk) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        if !ui::Format::PLAIN.contains(&self.common.show.format) {
            return Err(Failure::new("a plan of what would be read has no such format")
                .advise("leave out --format, or ask for json, ndjson or csv"));
        }
        let destination = destination::prepare(&self.common.show, self.common.inputs())?;
        let filter = self.common.filter()?;
        let mut plan = sources::plan(&self.common, &filter)?;
        if plan.iter().all(|source| source.plan.objects == 0) {
            return Err(nothing::no_objects(&self.common.sources, &filter, &sources::pruned_by(&plan)));
        }
        if let Some(redactor) = self.redaction.open(&self.common, talk)? {
            plan.iter_mut().for_each(|planned| planned.source = redactor.text(&planned.source));
        }
        let look = look(&self.common.show, &destination);
        destination.write(|out| ui::plan::write(out, look, "detect", &plan))?;
        Ok(Ending::default())
    }
}

/// The picture of a finding, from the lives of the lost image and of the image that has its tag.
fn picture(history: &History, finding: &Finding, shown: &Shown<'_>) -> Option<Picture> {
    let real = shown.real(finding);
    let life = |digest| history.timeline_of(&real.repository, &digest).map(|life| shown.redacted(life));
    let (lost, kept) = (finding.lost.digest.and_then(life), finding.kept.digest.and_then(life));
    Picture::of(finding, lost.as_ref(), kept.as_ref())
}
