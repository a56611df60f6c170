//! The output of `explain`.

use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::event_text;
use super::format::{Cell, Format, Look, Rows, no_such_form, write_document, write_line};
use super::page::Page;
use super::quantity::count;
use crate::detect::advice::quoted;
use crate::model::{Basis, Cause, Coverage, Repository, Sentence, Verdict};

/// Maximum number of events under a sentence that a page lists.
const EVIDENCE_MAX: usize = 5;

/// Writes one verdict.
pub fn write(out: &mut dyn Write, look: Look, coverage: &Coverage, verdict: &Verdict) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(&mut Page::new(out, look.columns), coverage, verdict),
        Format::Json => write_document(out, "explain", coverage, Body { verdict }),
        Format::Ndjson => write_line(out, verdict),
        Format::Csv => write_rows(out, verdict),
        Format::Markdown => super::markdown::write_verdict(out, coverage, verdict),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    verdict: &'a Verdict,
}

fn write_page(page: &mut Page<'_>, coverage: &Coverage, verdict: &Verdict) -> io::Result<()> {
    coverage::write(page, coverage)?;
    page.item(0, "Reference", &verdict.reference.for_terminal())?;
    if let Some(Repository { registry_id, region, name }) = &verdict.repository {
        page.item(
            0,
            "Repository",
            &format!("{} in {}, {}", name.for_terminal(), registry_id.for_terminal(), region.for_terminal()),
        )?;
    }
    if let Some(moment) = moment(verdict) {
        page.item(0, "Moment", &moment)?;
    }
    page.item(0, "Exists", &exists(verdict))?;
    page.item(0, "Cause", &format!("{}: {}", verdict.cause.word(), verdict.cause.meaning()))?;
    if let Some(finding) = &verdict.why {
        page.item(0, "Finding", finding)?;
    }
    page.blank()?;
    for (number, sentence) in verdict.narrative.iter().enumerate() {
        write_sentence(page, &format!("{}. ", number + 1), sentence)?;
    }
    write_sentences(page, "Who needs it:", &verdict.used_by)?;
    write_sentences(page, "Who was behind it:", &verdict.behind)?;
    write_sentences(page, "Not this:", &verdict.not_this)?;
    page.texts("What the logs cannot show:", &verdict.unknown)?;
    page.texts("What to do:", &verdict.advice)?;
    let reference = quoted(verdict.reference.raw()).into_owned();
    if is_about_a_copy(verdict.cause) {
        let text = format!(
            "Look what becomes of it in every registry: `tagfall fate {}`, with the logs or snapshots of all \
             of them.",
            reference.for_terminal()
        );
        page.point(0, "- ", &text)?;
    }
    if verdict.gone.as_ref().is_none_or(|gone| gone.back_at.is_some()) {
        return Ok(());
    }
    page.point(
        0,
        "- ",
        &format!(
            "Look where the same digest still is: `tagfall rescue {}`, with these sources.",
            reference.for_terminal()
        ),
    )
}

/// Whether the cause is about registries that copy from each other.
const fn is_about_a_copy(cause: Cause) -> bool {
    matches!(cause, Cause::ReplicaMissing | Cause::ReplicatedDeletion | Cause::PullThroughCacheExpired)
}

/// The moment of the answer, and what existed then; `None` if that is the end of the logs.
pub(super) fn moment(verdict: &Verdict) -> Option<String> {
    let moment = &verdict.moment;
    let what = match moment.basis {
        Basis::Asked => "asked for with --at",
        Basis::FailedPull => "the last pull in the logs that failed",
        Basis::End => return None,
    };
    let tell = |known: Option<bool>| known.map_or("not known", |there| if there { "yes" } else { "no" });
    let tag = moment.tag_existed.map(|_| format!("tag: {}, ", tell(moment.tag_existed))).unwrap_or_default();
    // An archived image exists but cannot be pulled.
    let archived = verdict.cause == Cause::Archived && moment.digest_existed == Some(true);
    let archived = if archived { ", in the archive: a pull gets \"not found\"" } else { "" };
    Some(format!(
        "{} ({what}); there then: {tag}digest: {}{archived}",
        moment.at?,
        tell(moment.digest_existed)
    ))
}

/// The tag and the digest: whether each exists, is gone, or is not known.
pub(super) fn exists(verdict: &Verdict) -> String {
    let tell = |known: Option<bool>| known.map_or("not known", |there| if there { "yes" } else { "no" });
    let points = verdict
        .exists
        .tag_points_to
        .map(|digest| format!(" (it points to {})", digest.short()))
        .unwrap_or_default();
    let is_back = verdict.gone.as_ref().is_none_or(|gone| gone.back_at.is_some());
    let archived = verdict.cause == Cause::Archived && verdict.exists.digest_exists == Some(true) && !is_back;
    let archived =
        if archived { ", in the archive: a pull gets \"not found\" until it is restored" } else { "" };
    format!(
        "tag: {}{points}; digest: {}{archived}",
        tell(verdict.exists.tag_exists),
        tell(verdict.exists.digest_exists)
    )
}

fn write_sentence(page: &mut Page<'_>, mark: &str, sentence: &Sentence) -> io::Result<()> {
    page.point(0, mark, &sentence.text)?;
    for event in sentence.evidence.iter().take(EVIDENCE_MAX) {
        page.point(mark.len(), "| ", &event_text(event))?;
    }
    match sentence.evidence.len().checked_sub(EVIDENCE_MAX) {
        None | Some(0) => Ok(()),
        Some(rest) => page.point(mark.len(), "| ", &format!("and {} more", count(rest as u64))),
    }
}

fn write_sentences(page: &mut Page<'_>, heading: &str, sentences: &[Sentence]) -> io::Result<()> {
    if sentences.is_empty() {
        return Ok(());
    }
    page.blank()?;
    page.line(heading)?;
    sentences.iter().try_for_each(|sentence| write_sentence(page, "- ", sentence))
}

/// The columns of the CSV: one row.
const COLUMNS: &[&str] = &[
    "reference",
    "registry_id",
    "region",
    "repository",
    "cause",
    "tag_exists",
    "digest_exists",
    "tag_points_to",
    "gone_at",
    "gone_by",
    "gone_event_id",
    "why",
    "narrative",
    "not_this",
    "used_by",
    "unknown",
    "advice",
    "moment",
    "moment_basis",
    "gone_back_at",
];

fn write_rows(out: &mut dyn Write, verdict: &Verdict) -> io::Result<()> {
    let mut rows = Rows::new(out, COLUMNS)?;
    rows.row(cells(verdict))?;
    rows.finish()
}

fn cells(verdict: &Verdict) -> Vec<Cell> {
    let Verdict { repository, exists, gone, .. } = verdict;
    let repository = repository.as_ref();
    let mut cells = vec![Cell::log(&verdict.reference)];
    cells.push(Cell::maybe(repository, |repository| Cell::log(&repository.registry_id)));
    cells.push(Cell::maybe(repository, |repository| Cell::log(&repository.region)));
    cells.push(Cell::maybe(repository, |repository| Cell::log(&repository.name)));
    cells.push(Cell::plain(verdict.cause.word()));
    cells.extend([exists.tag_exists, exists.digest_exists].map(|known| Cell::maybe(known, Cell::plain)));
    cells.push(Cell::maybe(exists.tag_points_to, Cell::plain));
    cells.push(Cell::maybe(gone.as_ref(), |gone| Cell::plain(gone.at)));
    cells.push(Cell::maybe(gone.as_ref(), |gone| Cell::plain(gone.by.word())));
    cells.push(Cell::maybe(gone.as_ref(), |gone| Cell::log(&gone.event.event_id)));
    cells.push(Cell::maybe(verdict.why.as_ref(), Cell::text));
    cells.extend(
        [&verdict.narrative, &verdict.not_this, &verdict.used_by]
            .map(|sentences| Cell::list(sentences.iter().map(|sentence| sentence.text.as_str()))),
    );
    cells.extend(
        [&verdict.unknown, &verdict.advice].map(|texts| Cell::list(texts.iter().map(String::as_str))),
    );
    cells.push(Cell::maybe(verdict.moment.at, Cell::plain));
    cells.push(Cell::plain(verdict.moment.basis.word()));
    cells.push(Cell::maybe(gone.as_ref().and_then(|gone| gone.back_at), Cell::plain));
    cells
}
