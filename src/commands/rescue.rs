//! `tagfall rescue REF|FINDING SOURCE…`.

use std::sync::Arc;

use super::gather::{Asked, Run};
use super::options::Common;
use super::{Ending, after_help};
use crate::explain::Question;
use crate::failure::Failure;
use crate::model::Rescue;
use crate::rescue::{rescue, rescue_of};
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;
use crate::{detect, ui};

const EXAMPLES: &str = "\
Examples:
  tagfall rescue 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api@sha256:… ./logs ./snapshot
  tagfall rescue 1e6aa6eb9a2ecaf3 ./logs          the id of a finding
  tagfall snapshot --script > gather.sh           gathers what other accounts, regions and clusters have";

/// How many hex digits the id of a finding has, without the number of an earlier loss.
const ID_DIGITS: usize = 16;

/// Tell where a lost image still is, and print the commands that bring it back
///
/// The very same digest, wherever logs and snapshots show it: in the archive, another repository, region or account, behind a
/// pull-through cache, or on a host that runs it; newest evidence first. Where it is nowhere: who made it, so that it can be
/// made again. The commands are printed, and never run.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES))]
pub struct Args {
    /// An image reference, a digest, a pasted error line, or the id of a finding
    #[arg(value_name = "REF")]
    reference: String,

    #[command(flatten)]
    pub common: Common,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let question = if self.is_id() { None } else { Some(Question::parse(&self.reference).ok_or_else(|| self.nothing_asked())?) };
        let run = Run::gather_for(&self.common, talk, Asked::default())?;
        let found = match &question {
            Some(question) => rescue(question, &run.evidence.history).ok_or_else(|| self.not_known())?,
            None => self.of_finding(&run)?,
        };
        run.write(|out, look, coverage| ui::rescue::write(out, look, coverage, &found))?;
        Ok(run.end(&counted(found.sources.len() as u64, "place that has it", "places that have it"), &[]))
    }

    /// Whether this is how findings are called: `1e6aa6eb9a2ecaf3`, `1e6aa6eb9a2ecaf3-2`.
    fn is_id(&self) -> bool {
        let (id, number) = self.reference.split_once('-').unwrap_or((&self.reference, "1"));
        let hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        id.len() == ID_DIGITS && id.bytes().all(hex) && number.bytes().all(|byte| byte.is_ascii_digit())
    }

    fn of_finding(&self, run: &Run<'_>) -> Result<Rescue, Failure> {
        let findings = detect::findings(&run.evidence.history, self.common.settings());
        let Some(finding) = findings.iter().find(|finding| finding.id == self.reference) else {
            return Err(Failure::new(format!("no finding has the id {}", self.reference))
                .because("this evidence, with these filters, does not give it")
                .advise("take an id that detect prints for the same sources, or name the image itself"));
        };
        rescue_of(finding, &run.evidence.history).ok_or_else(|| {
            Failure::new(format!("finding {} is about a tag, and no image of it is known", self.reference))
                .advise("name the image itself: REPOSITORY@sha256:…")
        })
    }

    fn nothing_asked(&self) -> Failure {
        Failure::new(format!("no image reference, no digest and no id of a finding in {:?}", self.reference))
            .advise("give REPOSITORY:TAG, REPOSITORY@sha256:…, a digest, the whole error line in quotes, or the id that detect prints")
    }

    fn not_known(&self) -> Failure {
        Failure::new(format!("nothing in this evidence tells which image {:?} is", self.reference))
            .because("its repository is not in it, or it names a tag that the evidence does not know")
            .advise("name the digest, and give logs or snapshots of the account and region that own the repository")
    }
}
