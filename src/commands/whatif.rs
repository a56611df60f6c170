//! `tagfall whatif [--policy FILE] SOURCE…`.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::gather::{Asked, Run};
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::{Ending, after_help};
use crate::failure::Failure;
use crate::policy::{Policy, Refused, from_file};
use crate::timeline::Scenario;
use crate::ui;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;
use crate::whatif::{WhatIfs, suggest};

/// Formats of this verb, besides those that every verb has.
const MORE_FORMATS: &[ui::Format] = &[ui::Format::Markdown];

const EXAMPLES: &str = "\
Examples:
  tagfall whatif --policy policy.json ./logs --repository shop/api
  tagfall whatif --policy policy.json s3://my-trail/AWSLogs/ --since 90d --fail-on high --format json -o whatif.json
  # the policy of shop/web, tried on shop/api
  aws ecr get-lifecycle-policy --repository-name shop/web | tagfall whatif --policy - ./logs --repository shop/api
  # does the policy in force explain every logged expiry?
  tagfall whatif ./logs
  tagfall whatif --suggest ./logs ./snapshot";

/// Replay history under another lifecycle policy
///
/// Pushes, moved tags and deletions happen as logged; lifecycle runs take what the policy takes, at the times
/// of the logged runs. Lists the images that would have been expired, when and by which rule, and which of
/// them were pulled or pinned later; and those that the logged runs took although the policy would have kept
/// them. Without --policy, checks that the policy in force, replayed, takes what the logged runs took.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.value_parser(ui::Format::and(MORE_FORMATS))))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    /// The policy: JSON as `aws ecr put-lifecycle-policy` takes it or `get-lifecycle-policy` prints it; `-`
    /// for stdin
    ///
    /// It is used for every repository that --repository selects, whichever repository it was written for.
    /// Without it, each repository's own policy is replayed.
    #[arg(long, value_name = "FILE", help_heading = "Which policy")]
    policy: Option<PathBuf>,

    /// For each repository, suggest the smallest change of its policy that would have kept what was needed,
    /// and still expires what was not
    ///
    /// Candidates are derived from the policy in force (other numbers, age counted from another event, a rule
    /// for the tags that are deployed) and replayed over the history. Also lists problems of the rules in
    /// force.
    #[arg(long, conflicts_with_all = ["policy", "redact", "redact_key"], help_heading = "Which policy")]
    suggest: bool,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(true)?;
        if self.suggest {
            return self.suggest(talk);
        }
        let scenario = match &self.policy {
            Some(path) => Scenario::Instead(Arc::new(self.policy(path)?)),
            None => Scenario::InForce,
        };
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let asked =
            Asked { scenario: Some(&scenario), input: self.policy.as_deref(), redactor, ..Asked::default() };
        let run = Run::gather_for(&self.common, talk, asked)?;
        let found = WhatIfs::new(&run.evidence.history, &scenario);
        let mut rules: Vec<serde_json::Value> = match &scenario {
            Scenario::Instead(policy) => policy.rules().iter().map(|rule| rule.text.clone()).collect(),
            Scenario::InForce => Vec::new(),
        };
        redactor.into_iter().for_each(|by| rules.iter_mut().for_each(|rule| by.rule(rule)));
        let notes = redacted(found.notes.clone(), redactor);
        let list = || found.iter().map(|element| redacted(element, redactor));
        let view =
            ui::whatif::View { in_force: self.policy.is_none(), rules, totals: &found.totals, notes: &notes };
        match self.common.show.format {
            #[cfg(feature = "sql")]
            ui::Format::Parquet => super::columns::whatif(&run, list()).map(|_| ())?,
            _ => run
                .write(|out, look, coverage| ui::whatif::write(out, look, coverage, &view, list()))
                .map(|_| ())?,
        }
        Ok(run.end_by(
            &format!("{} would have gone", counted(found.totals.gone(), "image", "images")),
            found.alarms(),
        ))
    }

    fn suggest(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        if self.common.show.format == ui::Format::Markdown {
            return Err(Failure::new("cannot write suggestions as markdown")
                .advise("ask for --format table, json, ndjson or csv"));
        }
        let mut run = Run::gather_for(&self.common, talk, Asked { keep: true, ..Asked::default() })?;
        let evidence = &mut *run.evidence;
        let materials = evidence.materials.take().unwrap_or_default();
        let found = suggest(&mut evidence.history, &materials, evidence.end);
        run.write(|out, look, coverage| ui::suggest::write(out, look, coverage, &found))?;
        let changed = found.iter().filter(|one| one.policy.is_some()).count() as u64;
        Ok(run.end(&format!("{} to change", counted(changed, "policy", "policies")), &[]))
    }

    /// Reads the policy before the logs, so that a typing error is found at once and not after an hour of
    /// reading.
    fn policy(&self, path: &Path) -> Result<Policy, Failure> {
        let shown = if path == Path::new("-") {
            "the policy on stdin".to_owned()
        } else {
            format!("the policy in {}", path.display())
        };
        let content = if path == Path::new("-") {
            if self.common.reads_stdin() {
                let failure = Failure::new("standard input cannot be the policy and a source");
                return Err(failure.advise("put the policy into a file: --policy policy.json"));
            }
            read(io::stdin().lock())
        } else {
            File::open(path).and_then(read)
        };
        let content = content.map_err(|error| {
            Failure::new(format!("cannot read {shown}"))
                .because(error)
                .advise("name a file with the policy's JSON, or - for standard input")
        })?;
        from_file(&content).map_err(|refused| said(&shown, refused))
    }
}

/// Maximum size of a policy file, far more than ECR accepts, with room for white space and for the AWS CLI's
/// output around it.
const POLICY_BYTES_MAX: u64 = 4 << 20;
/// Maximum number of problems that are reported at once.
const PROBLEMS_SAID_MAX: usize = 10;

fn read(from: impl Read) -> io::Result<String> {
    let mut content = String::new();
    from.take(POLICY_BYTES_MAX).read_to_string(&mut content).map(|_| content)
}

fn said(shown: &str, refused: Refused) -> Failure {
    match refused {
        Refused::NoJson(error) => Failure::new(format!("{shown} is not valid JSON"))
            .because(error)
            .advise("compare it with `aws ecr get-lifecycle-policy`, whose output can be given as it is"),
        Refused::Problems(problems) => {
            let failure = Failure::new(format!("ECR would not accept {shown}"));
            let failure = problems.iter().take(PROBLEMS_SAID_MAX).fold(failure, Failure::because);
            match problems.len().checked_sub(PROBLEMS_SAID_MAX) {
                Some(more @ 1..) => {
                    failure.because(format!("and {} more", counted(more as u64, "problem", "problems")))
                }
                _ => failure,
            }
        }
    }
}
