//! A verdict in Markdown: the cause, a table of what exists, and the steps with their evidence.

use std::io::{self, Write};

use super::{Cell, Markdown, event_text};
use crate::model::{Coverage, Sentence, Verdict};
use crate::ui::escape::Escape;
use crate::ui::verdict::{exists, moment};

/// Maximum number of events that are listed under a sentence.
const EVIDENCE_MAX: usize = 5;

pub fn write(out: &mut dyn Write, coverage: &Coverage, verdict: &Verdict) -> io::Result<()> {
    let page = &mut Markdown::new(out);
    page.heading(2, &format!("{}: {}", verdict.reference.for_terminal(), verdict.cause.meaning()))?;
    page.columns(&["", ""])?;
    let mut row = |label: &'static str, cell: Cell| page.row(&[Cell::prose(label), cell]);
    if let Some(repository) = &verdict.repository {
        row("repository", Cell::log(Some(&repository.name)))?;
        row(
            "registry",
            Cell::prose(&format!(
                "{}, {}",
                repository.registry_id.for_terminal(),
                repository.region.for_terminal()
            )),
        )?;
    }
    row("cause", Cell::code(verdict.cause.word()))?;
    row("exists", Cell::prose(&exists(verdict)))?;
    if let Some(moment) = moment(verdict) {
        row("moment", Cell::prose(&moment))?;
    }
    if let Some(gone) = &verdict.gone {
        row("gone", Cell::code(&gone.at.to_string()))?;
    }
    if let Some(finding) = &verdict.why {
        row("finding", Cell::code(finding))?;
    }
    page.blank()?;
    verdict
        .narrative
        .iter()
        .enumerate()
        .try_for_each(|(at, sentence)| write_sentence(page, Some(at + 1), sentence))?;
    write_sentences(page, "Who needs it", &verdict.used_by)?;
    write_sentences(page, "Who was behind it", &verdict.behind)?;
    page.texts("What to do", verdict.advice.iter().map(String::as_str))?;
    write_sentences(page, "Not this", &verdict.not_this)?;
    page.texts("What the logs cannot show", verdict.unknown.iter().map(String::as_str))?;
    page.blank()?;
    page.coverage(coverage)
}

fn write_sentence(page: &mut Markdown<'_>, number: Option<usize>, sentence: &Sentence) -> io::Result<()> {
    page.point(number, &sentence.text)?;
    sentence.evidence.iter().take(EVIDENCE_MAX).try_for_each(|event| page.below(&event_text(event)))?;
    match sentence.evidence.len().checked_sub(EVIDENCE_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => page.below(&format!("and {more} more")),
    }
}

fn write_sentences(page: &mut Markdown<'_>, heading: &'static str, sentences: &[Sentence]) -> io::Result<()> {
    if !sentences.is_empty() {
        page.label(heading)?;
    }
    sentences.iter().try_for_each(|sentence| write_sentence(page, None, sentence))
}
