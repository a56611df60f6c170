//! `tagfall timeline SOURCE…`.

use std::sync::Arc;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use wildmatch::WildMatch;

use super::gather::{Asked, Run};
use super::options::Common;
use super::redaction::{Redaction, redacted};
use super::values::{self, DigestPrefix};
use super::{Ending, after_help};
use crate::failure::Failure;
use crate::model::{Digest, ImageState, TagSpan, TagTimeline, Timeline};
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;
use crate::{detect, ui};

/// Formats of this verb, besides those that every verb has.
const MORE_FORMATS: &[ui::Format] = &[ui::Format::Markdown, ui::Format::Timesketch];

const EXAMPLES: &str = "\
Examples:
  tagfall timeline ./logs --repository shop/api --tag v7
  tagfall timeline s3://my-trail/AWSLogs/ --since 30d --state expired --format csv -o expired.csv";

/// Show the history of each image
///
/// Its pushes, the tags it got and lost, its pulls, who referred to it, and how it ended.
#[derive(Debug, clap::Args)]
#[command(after_help = after_help(EXAMPLES), mut_arg("format", |format| format.value_parser(ui::Format::and(MORE_FORMATS))))]
pub struct Args {
    #[command(flatten)]
    pub common: Common,

    #[command(flatten)]
    view: View,

    #[command(flatten)]
    redaction: Redaction,

    /// On the page: show every step with its event, object and record
    #[arg(long, help_heading = "Output")]
    evidence: bool,
}

/// Everything is read in any case; these options only select what is shown.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which timelines")]
struct View {
    /// Only this image, given by the first digits of its digest or all of them (repeatable)
    #[arg(long, value_name = "DIGEST", value_parser = values::digest_prefix)]
    digest: Vec<DigestPrefix>,

    /// The history of this tag, and of the images that have or had it; `*` and `?` match (repeatable)
    #[arg(long, value_name = "TAG", value_parser = values::tag)]
    tag: Vec<WildMatch>,

    /// Only images whose final state is this (repeatable)
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = state())]
    state: Vec<ImageState>,
}

impl Args {
    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.common.show.can_write(true)?;
        let redactor = self.redaction.open(&self.common, talk)?;
        let redactor = redactor.as_deref();
        let run = Run::gather_for(&self.common, talk, Asked { redactor, ..Asked::default() })?;
        let history = &run.evidence.history;
        let shown = history
            .timelines()
            .filter(|timeline| self.view.shows(timeline))
            .map(|timeline| redacted(timeline, redactor));
        let written = match self.common.show.format {
            #[cfg(feature = "sql")]
            ui::Format::Parquet => super::columns::timelines(&run, shown)?,
            _ => {
                let telling =
                    ui::timelines::Telling { style: self.common.show.style(), evidence: self.evidence };
                let tags =
                    history.tags().filter(|tag| self.shows_life_of(tag)).map(|tag| redacted(tag, redactor));
                run.write(|out, look, coverage| {
                    ui::timelines::write(out, look, telling, coverage, shown, tags)
                })?
            }
        };
        if written == Some(0) && self.view.narrows() {
            talk.note("no timeline matches --digest, --tag and --state");
        }
        let findings = match self.common.fail_on() {
            Some(_) => detect::findings(history, self.common.settings()),
            None => Vec::new(),
        };
        Ok(run.end(&counted(written.unwrap_or_default(), "timeline", "timelines"), &findings))
    }
}

impl Args {
    /// Whether the life of a tag is shown: in JSON if the tag matches, on a page only if it was asked for by
    /// name.
    fn shows_life_of(&self, tag: &TagTimeline) -> bool {
        let on_a_page = matches!(self.common.show.format, ui::Format::Table | ui::Format::Markdown);
        let named = self.view.tag.iter().any(|wanted| wanted.matches(tag.tag.raw()));
        let of_digest = |span: &TagSpan| self.view.fits_digest(&span.digest);
        (named || (self.view.tag.is_empty() && !on_a_page))
            && (self.view.digest.is_empty() || tag.spans.iter().any(of_digest))
    }
}

impl View {
    fn narrows(&self) -> bool {
        !self.digest.is_empty() || !self.tag.is_empty() || !self.state.is_empty()
    }

    fn shows(&self, timeline: &Timeline) -> bool {
        let state = self.state.is_empty() || self.state.contains(&timeline.state);
        state && self.shows_digest(timeline) && (self.tag.is_empty() || self.shows_tag(timeline))
    }

    fn shows_digest(&self, timeline: &Timeline) -> bool {
        self.digest.is_empty() || self.fits_digest(&timeline.digest)
    }

    fn fits_digest(&self, digest: &Digest) -> bool {
        let digest = digest.to_string();
        self.digest.iter().any(|prefix| prefix.begins(&digest))
    }

    fn shows_tag(&self, timeline: &Timeline) -> bool {
        let steps = timeline.steps.iter().filter_map(|step| step.tag.as_ref());
        timeline.tags.iter().chain(steps).any(|tag| self.tag.iter().any(|wanted| wanted.matches(tag.raw())))
    }
}

fn state() -> impl TypedValueParser<Value = ImageState> {
    let words = PossibleValuesParser::new(ImageState::ALL.iter().map(|state| state.word()));
    words.try_map(|word| ImageState::from_word(&word).ok_or("not a state"))
}
