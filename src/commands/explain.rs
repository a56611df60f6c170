//! `tagfall explain REF SOURCE…`.

use std::path::Path;
use std::sync::Arc;

use super::behind::{self, Behind};
use super::gather::{Asked, Run};
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::values::{self, When};
use super::{Ending, after_help};
use crate::explain::{About, Question, Registry, explain};
use crate::failure::Failure;
use crate::model::Finding;
use crate::redact::{Kind, Redactor};
use crate::ui::talk::Talk;
use crate::{detect, ui};

/// Formats of this verb, besides those that every verb has.
const MORE_FORMATS: &[ui::Format] = &[ui::Format::Markdown];

const EXAMPLES: &str = "\
Examples:
  tagfall explain 'CannotPullContainerError: … failed to resolve ref …/shop/api:v7@sha256:…: not found' ./logs
  tagfall explain 111122223333.dkr.ecr.eu-central-1.amazonaws.com/shop/api:v7 s3://my-trail/AWSLogs/ --since 30d
  tagfall explain sha256:65bc5c81… ./logs";

/// Explain why one image cannot be pulled
///
/// In three steps, each with its evidence: whether the image exists, when and how it was lost, and why the
/// rule or call took it.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.value_parser(ui::Format::and(MORE_FORMATS))))]
pub struct Args {
    /// The whole error message as pasted from the ECS console (in quotes), an image reference, or a digest
    #[arg(value_name = "REF")]
    reference: String,

    /// The time that the question is about, in the format of --since
    ///
    /// Default: if the text is about a failure, the time of the last failed pull in the logs; otherwise the
    /// end of the logs.
    #[arg(long, value_name = "TIME", value_parser = values::moment)]
    at: Option<When>,

    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    redaction: Redaction,

    #[command(flatten)]
    behind: Behind,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(false)?;
        let mut question = self.question()?;
        question.at = self.at.map(values::resolved);
        let redactor = self.redaction.open(&self.common, talk)?;
        if let Some(redactor) = &redactor {
            self.learn(redactor, &question);
        }
        let redactor = redactor.as_deref();
        let run = Run::gather_for(&self.common, talk, Asked { redactor, ..Asked::default() })?;
        let findings = detect::findings(&run.evidence.history, self.common.settings());
        let mut verdict = explain(&question, &run.evidence.history, &findings, &run.evidence.coverage);
        let about: Vec<&Finding> =
            findings.iter().filter(|finding| Some(&finding.id) == verdict.why.as_ref()).collect();
        let calls = about.iter().copied().flat_map(behind::calls);
        let calls = calls.chain(verdict.gone.iter().map(|gone| &gone.event));
        // And the calls that the answer itself is based on.
        let calls = calls.chain(verdict.narrative.iter().flat_map(|sentence| &sentence.evidence));
        verdict.behind = self.behind.told(&self.common, &run, redactor, calls.clone())?.of(calls);
        let shown = redacted(verdict.clone(), redactor);
        run.write(|out, look, coverage| ui::verdict::write(out, look, coverage, &shown))?;
        // `--fail-on` judges only the finding that the verdict is about.
        Ok(run.end(verdict.cause.word(), about))
    }

    /// Learns the names in the question, which may not be in the logs.
    fn learn(&self, redactor: &Redactor, question: &Question) {
        for question in question.alternatives.iter().chain([question]) {
            let repository = match &question.about {
                About::Reference(reference) => Some(reference.repository.clone()),
                About::Name { repository, .. } => Some(repository.clone()),
                About::Digest(_) | About::Beginning => None,
            };
            let host = if let Registry::Other(host) = &question.registry { Some(host.clone()) } else { None };
            redactor.learn(Kind::Name, host.as_slice());
            redactor.learn(Kind::Repository, repository.as_slice());
            redactor.learn(Kind::Tag, question.about.tag().map(str::to_owned).as_slice());
        }
    }

    /// The question; the usual mistakes get messages of their own.
    fn question(&self) -> Result<Question, Failure> {
        match Question::parse(&self.reference) {
            // `explain logs REF`: a single word could be a repository, but here it is a folder.
            Some(question) if !(question.latest && self.names_a_source_last()) => Ok(question),
            _ if self.names_a_source_last() => Err(self.nothing_asked().advise(
                "put the reference first, then the sources; an error line needs quotes around it: tagfall \
                 explain '…' SOURCE",
            )),
            _ => Err(self.nothing_asked().advise(
                "give the whole error line in quotes, REPOSITORY:TAG, REPOSITORY@sha256:…, or a digest (its \
                 first 12 hex digits at least)",
            )),
        }
    }

    fn nothing_asked(&self) -> Failure {
        Failure::new(format!("{:?} contains no image reference and no digest", self.reference))
    }

    /// Whether the last argument, where sources should be, is a reference and not a file or folder.
    fn names_a_source_last(&self) -> bool {
        let reference = |source: &String| {
            Question::parse(source).is_some_and(|question| !question.latest) && !Path::new(source).exists()
        };
        self.common.sources.iter().any(reference)
    }
}
