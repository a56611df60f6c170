//! The output of `fate`: one image in all its places.

use std::io::{self, Write};

use serde::Serialize;

use super::coverage;
use super::escape::Escape;
use super::findings::event_text;
use super::format::{Cell, Format, Look, Rows, no_such_form, write_document, write_line};
use super::lanes::{Picture, draw};
use super::page::Page;
use super::quantity::counted;
use super::timelines::Telling;
use crate::model::{Coverage, Fate, FatePlace, FateRole, LogText, Repository, Timeline};

/// Maximum number of events that are shown for a place.
const EVIDENCE_MAX: usize = 20;

/// Writes the fate of one image; `lives` are its timelines in the places, in the same order.
pub fn write(
    out: &mut dyn Write,
    look: Look,
    telling: Telling,
    coverage: &Coverage,
    fate: &Fate,
    lives: &[Option<Timeline>],
) -> io::Result<()> {
    match look.format {
        Format::Table => write_page(
            &mut Page::new(out, look.columns).styled(telling.style),
            coverage,
            fate,
            lives,
            telling.evidence,
        ),
        Format::Json => write_document(out, "fate", coverage, Body { fate }),
        Format::Ndjson => fate.places.iter().try_for_each(|place| write_line(out, place)),
        Format::Csv => write_rows(out, fate),
        _ => Err(no_such_form()),
    }
}

#[derive(Serialize)]
struct Body<'a> {
    fate: &'a Fate,
}

fn write_page(
    page: &mut Page<'_>,
    coverage: &Coverage,
    fate: &Fate,
    lives: &[Option<Timeline>],
    evidence: bool,
) -> io::Result<()> {
    coverage::write(page, coverage)?;
    page.item(0, "Reference", &fate.reference.for_terminal())?;
    page.item(0, "Digest", &fate.digest.to_string())?;
    page.item(0, "As of", &fate.as_of.to_string())?;
    page.item(0, "Copies", &copies(fate))?;
    draw_lives(page, fate, lives)?;
    for number in 0..fate.places.len() {
        write_place(page, fate, number, evidence)?;
    }
    page.texts("What this evidence does not tell:", &fate.unknown)?;
    page.texts("What to do:", &fate.advice)
}

/// `2 of 3 places have it; the last one …`.
pub(super) fn copies(fate: &Fate) -> String {
    let mut text = format!(
        "{} of {} {} it",
        fate.copies,
        counted(fate.places.len() as u64, "place", "places"),
        if fate.copies == 1 { "has" } else { "have" }
    );
    if let Some(only) = &fate.last_copy {
        text.push_str(&format!(": the last copy is in {}", in_words(only)));
    }
    if let Some(by) = fate.all_gone_by {
        text.push_str(&format!("; by the policies in force all are gone by {by}"));
    }
    text
}

fn in_words(place: &Repository) -> String {
    format!(
        "{} in {}, {}",
        place.name.for_terminal(),
        place.registry_id.for_terminal(),
        place.region.for_terminal()
    )
}

/// A picture with a lane for each place, labelled with its number and name.
pub(super) fn picture(
    fate: &Fate,
    lives: &[Option<Timeline>],
    name: impl Fn(&Repository) -> String,
) -> Option<Picture> {
    let named = fate.places.iter().zip(lives).enumerate().filter_map(|(at, (place, life))| {
        let name = format!("{} {}", at + 1, name(&place.repository));
        Some((LogText::from(name), life.as_ref()?))
    });
    let named: Vec<(LogText, &Timeline)> = named.collect();
    Picture::of_places(&named, fate.as_of)
}

fn draw_lives(page: &mut Page<'_>, fate: &Fate, lives: &[Option<Timeline>]) -> io::Result<()> {
    let name = |place: &Repository| place.region.raw().to_owned();
    let Some(picture) = picture(fate, lives, name) else { return Ok(()) };
    page.blank()?;
    let drawn = draw::lines(&picture, page.width() - 2, page.style());
    drawn.iter().try_for_each(|line| page.painted(2, line))?;
    page.painted(2, &[(super::paint::Paint::Dim, draw::legend(page.style()))])
}

/// Writes a place. Copies are indented below what they were copied from.
fn write_place(page: &mut Page<'_>, fate: &Fate, number: usize, evidence: bool) -> io::Result<()> {
    let Some(place) = fate.places.get(number) else { return Ok(()) };
    let indent = 2 * depth(fate, place);
    page.blank()?;
    page.point(indent, &format!("{}. ", number + 1), &heading(fate, place))?;
    for sentence in &place.story {
        page.point(indent + 3, "- ", &sentence.for_terminal())?;
    }
    let events = if evidence { place.evidence.as_slice() } else { &[] };
    events
        .iter()
        .take(EVIDENCE_MAX)
        .try_for_each(|event| page.point(indent + 5, "| ", &event_text(event)))?;
    match events.len().checked_sub(EVIDENCE_MAX) {
        None | Some(0) => Ok(()),
        Some(more) => page.point(indent + 5, "| ", &format!("and {more} more")),
    }
}

/// `replica of 1: shop/api in 111122223333, us-east-1 (gone)`.
fn heading(fate: &Fate, place: &FatePlace) -> String {
    let asked = if place.asked { ", asked about" } else { "" };
    format!("{}: {} ({}{asked})", role(fate, place), in_words(&place.repository), place.presence.word())
}

/// `replica of 1`, `cache of registry-1.docker.io/library/nginx`.
pub(super) fn role(fate: &Fate, place: &FatePlace) -> String {
    let of =
        place.copy_of.as_ref().and_then(|of| fate.places.iter().position(|other| other.repository == *of));
    let word = if place.role == FateRole::Own { "pushed" } else { place.role.word() };
    let sure = if place.role == FateRole::Replica && !place.role_logged { " by the rules" } else { "" };
    match (of, &place.upstream) {
        (Some(at), _) => format!("{word} of {}{sure}", at + 1),
        (None, Some(upstream)) => format!("{word} of {}", upstream.for_terminal()),
        (None, None) => format!("{word}{sure}"),
    }
}

fn depth(fate: &Fate, place: &FatePlace) -> usize {
    let mut depth = 0;
    let mut of = place.copy_of.as_ref();
    while let Some(source) =
        of.and_then(|of| fate.places.iter().find(|other| other.repository == *of)).filter(|_| depth < 4)
    {
        (depth, of) = (depth + 1, source.copy_of.as_ref());
    }
    depth
}

const COLUMNS: &[&str] = &[
    "digest",
    "registry_id",
    "region",
    "repository",
    "role",
    "copy_of",
    "presence",
    "state",
    "tags",
    "pushed_at",
    "gone_at",
    "end",
    "rule_priority",
    "eligible_at",
    "expected_by",
    "ends_by",
    "needed",
    "needed_by",
];

fn write_rows(out: &mut dyn Write, fate: &Fate) -> io::Result<()> {
    let text = |place: &Repository| {
        Cell::text(format!("{}/{}/{}", place.registry_id.raw(), place.region.raw(), place.name.raw()))
    };
    let cells = |place: &FatePlace| {
        let next = place.next.as_ref();
        let mut cells = vec![Cell::plain(fate.digest)];
        cells.extend(
            [&place.repository.registry_id, &place.repository.region, &place.repository.name].map(Cell::log),
        );
        cells.push(Cell::plain(place.role.word()));
        cells.push(
            place.copy_of.as_ref().map_or_else(|| Cell::maybe(place.upstream.as_ref(), Cell::log), text),
        );
        cells.push(Cell::plain(place.presence.word()));
        cells.push(Cell::plain(place.state.word()));
        cells.push(Cell::list(place.tags.iter().map(LogText::raw)));
        cells.push(Cell::maybe(place.pushed_at, Cell::plain));
        cells.push(Cell::maybe(place.end.as_ref(), |end| Cell::plain(end.at)));
        cells.push(Cell::maybe(place.end.as_ref(), |end| Cell::plain(end.how.word())));
        cells.push(Cell::maybe(next.and_then(|next| next.rule_priority), Cell::plain));
        cells.push(Cell::maybe(next.and_then(|next| next.eligible_at), Cell::plain));
        cells.push(Cell::maybe(next.and_then(|next| next.expected_by), Cell::plain));
        cells.push(Cell::maybe(place.first_end.as_ref(), |end| text(&end.by)));
        cells.push(Cell::plain(place.needed));
        cells.push(Cell::list(place.needed_by.iter().map(LogText::raw)));
        cells
    };
    Rows::write(out, COLUMNS, fate.places.iter().map(cells))
}
