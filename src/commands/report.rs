//! `tagfall report SOURCE… -o FILE`.

mod story;

use std::collections::HashMap;
use std::io::{self, IsTerminal};
use std::sync::Arc;

use super::behind::{self, Behind};
use super::gather::{Asked, Run};
use super::options::Common;
use super::redaction::{Redaction, Shown, redacted};
use super::{Ending, after_help};
use crate::failure::Failure;
use crate::fate::Fates;
use crate::forecast::Forecasts;
use crate::model::{Fate, FateRole, Finding, ImageState, Repository, Severity, Timestamp};
use crate::timeline::{History, KnownFrom, RepositoryHistory};
use crate::ui::quantity::counted;
use crate::ui::report::{Elsewhere, NEXT_MAX, Next, PolicyKnown, Report, RepositoryLine, Story, write};
use crate::ui::talk::Talk;
use crate::{detect, ui};

const EXAMPLES: &str = "\
Examples:
  tagfall report s3://my-trail/AWSLogs/ --since 90d -o lost-images.html
  tagfall report ./logs --repository 'shop/*' -o shop.html
  tagfall report ./logs --interactive -o lost-images.html";

/// Write everything to one self-contained HTML page
///
/// For a ticket, a mail or an archive: findings with their evidence, the history of each lost image,
/// repositories, what was read, and what the logs cannot show. The page loads nothing, and contains no script
/// unless --interactive is given.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.hide(true)))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    #[command(flatten)]
    behind: Behind,

    /// Add a script for searching, sorting, zooming and copying. It is allowed by its hash, and nothing else
    /// can run
    #[arg(long, help_heading = "Output")]
    pub interactive: bool,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.can_write()?;
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let run = Run::gather_for(&self.common, talk, Asked { redactor, ..Asked::default() })?;
        let history = &run.evidence.history;
        let findings = detect::findings(history, self.common.settings());
        let behind =
            self.behind.told(&self.common, &run, redactor, findings.iter().flat_map(behind::calls))?;
        let shown = Shown::of(&findings, redactor);
        let repositories = redacted(repositories(history, &findings), redactor);
        let fates = run.evidence.end.map(|end| Fates::new(history, end));
        let next = redacted(run.evidence.end.map(|end| next(history, end)), redactor);
        run.write(|out, _, coverage| {
            let story = |finding: &Finding| {
                let real = shown.real(finding);
                shown
                    .redacted(Story { behind: behind.of(behind::calls(real)), ..story::story(history, real) })
            };
            let elsewhere = |finding: &Finding| {
                elsewhere(fates.as_ref()?, shown.real(finding)).map(|found| shown.redacted(found))
            };
            let (next, interactive) = (next.as_ref(), self.interactive);
            let findings = shown.findings();
            write(
                out,
                &Report {
                    coverage,
                    findings,
                    next,
                    repositories: &repositories,
                    story: &story,
                    elsewhere: &elsewhere,
                    interactive,
                },
            )
        })?;
        Ok(run.end(&counted(findings.len() as u64, "finding", "findings"), &findings))
    }

    fn can_write(&self) -> Result<(), Failure> {
        let show = &self.common.show;
        if show.format != ui::Format::Table {
            let failure = Failure::new("a report has one format").because("it is an HTML page");
            return Err(failure.advise("leave out --format; for data ask `tagfall detect --format json`"));
        }
        if show.output.is_none() && io::stdout().is_terminal() {
            return Err(Failure::new("will not write a page of HTML to the terminal")
                .advise("name a file: -o report.html"));
        }
        Ok(())
    }
}

/// The fate of a finding's image in all registries; `None` if it is in one place only, or if its losses
/// elsewhere are unrelated.
fn elsewhere(fates: &Fates<'_>, finding: &Finding) -> Option<Elsewhere> {
    let is_related = |fate: &Fate| {
        fate.copies > 0
            || fate.places.iter().any(|place| matches!(place.role, FateRole::Replica | FateRole::Cache))
    };
    let fate = fates.of_finding(finding).filter(|fate| fate.places.len() > 1 && is_related(fate))?;
    Some(Elsewhere { lives: fates.lives(&fate), fate })
}

fn next(history: &History, as_of: Timestamp) -> Next {
    let forecasts = Forecasts::new(history, as_of, None);
    let counts = forecasts.counts();
    let is_unknown = |repository: &&RepositoryHistory| {
        repository.logged && repository.policy.is_none() && repository.policy_deleted.is_none()
    };
    let unknown = history.repositories().iter().filter(is_unknown).count() as u64;
    Next {
        as_of,
        images: counts.due + counts.dated,
        needed: counts.needed,
        unknown,
        rows: forecasts.taken().take(NEXT_MAX).collect(),
    }
}

fn repositories(history: &History, findings: &[Finding]) -> Vec<RepositoryLine> {
    let mut found: HashMap<&Repository, [u64; Severity::ALL.len()]> = HashMap::new();
    for finding in findings {
        found.entry(&finding.repository).or_default()[finding.severity as usize] += 1;
    }
    let line = |repository| {
        let name = history.repository(repository);
        let mut images = [0; ImageState::ALL.len()];
        repository.images.iter().for_each(|image| images[image.state as usize] += 1);
        RepositoryLine {
            findings: found.get(&name).copied().unwrap_or_default(),
            images,
            policy: match (repository.policy, repository.policy_deleted) {
                (Some(policy), _) if policy.known_from == KnownFrom::Put => {
                    PolicyKnown::Put(history.event(policy.event))
                }
                (Some(policy), _) => PolicyKnown::Stated(history.event(policy.event)),
                (None, Some(event)) => PolicyKnown::Deleted(history.event(event)),
                (None, None) => PolicyKnown::Unknown,
            },
            last_run: repository.runs.last().map(|(event, _)| history.event(*event)),
            runs: repository.runs.len() as u64,
            repository: name,
        }
    };
    history.repositories().iter().map(line).collect()
}
