//! The same image in other registries: a bar for each place on one time axis, and notes about each.

use maud::{Markup, html};

use super::picture::svg;
use crate::model::{Fate, FatePlace, Repository, Timeline};
use crate::redact::{Redact, Redactor};
use crate::ui::fate::{copies, picture, role};
use crate::ui::html::{list, maybe, prose, shown, table, wide};
use crate::ui::lanes::{Lane, Picture, State};

const WIDTH: i64 = 920;
const NAME: i64 = 200;
const LANE: i64 = 26;
const BAR: i64 = 14;

/// The fate of a finding's image in all registries, with its timelines there.
#[derive(Debug, Clone)]
pub struct Elsewhere {
    pub fate: Fate,
    pub lives: Vec<Option<Timeline>>,
}

impl Redact for Elsewhere {
    fn redact(&mut self, by: &Redactor) {
        let Self { fate, lives } = self;
        fate.redact(by);
        lives.redact(by);
    }
}

pub fn page(elsewhere: &Elsewhere) -> Markup {
    let fate = &elsewhere.fate;
    let rows = html! { @for (at, place) in fate.places.iter().enumerate() { (row(fate, at, place)) "\n" } };
    html! {
        h3 { "The same image in every registry" }
        p { (shown(copies(fate))) "." }
        (drawing(elsewhere))
        (table(&["place", "what it is", "there", "tags", "what becomes of it"], &rows))
        (list("What the evidence does not tell of these places", "", &fate.unknown, |text| prose(text)))
        (list("What to do about these places", "advice", &fate.advice, |text| prose(text)))
    }
}

fn row(fate: &Fate, at: usize, place: &FatePlace) -> Markup {
    let Repository { registry_id, region, name } = &place.repository;
    html! {
        tr {
            td { (at + 1) ". " code { (name) } br; small { (registry_id) ", " (region) } }
            td { (shown(role(fate, place))) }
            td { (place.presence.word()) }
            td { @for tag in &place.tags { code { (tag) } " " } @if place.tags.is_empty() { (maybe(None)) } }
            td { @for sentence in &place.story { p { (shown(sentence)) } } }
        }
    }
}

fn drawing(elsewhere: &Elsewhere) -> Markup {
    let name = |place: &Repository| format!("{} {}", place.registry_id.raw(), place.region.raw());
    let Some(picture) = picture(&elsewhere.fate, &elsewhere.lives, name) else { return html! {} };
    let height = LANE * i64::try_from(picture.lanes.len()).unwrap_or(1) + 24;
    let lanes = html! { @for (at, lane) in (0..).zip(&picture.lanes) { (bar(&picture, lane, LANE * at)) } };
    let days = [picture.scale.first(), picture.scale.last()]
        .map(|time| time.map_or_else(String::new, |time| time.to_string()[..10].to_owned()));
    let marks = html! {
        (lanes)
        (svg::text("date", (NAME, height - 6), svg::Anchor::Start, &days[0]))
        (svg::text("date", (WIDTH, height - 6), svg::Anchor::End, &days[1]))
    };
    wide(&svg::drawing(
        "across",
        (WIDTH, height),
        &format!("The image in {} places over time", picture.lanes.len()),
        &marks,
    ))
}

fn bar(picture: &Picture, lane: &Lane, top: i64) -> Markup {
    let place = |time| NAME + (picture.scale.place(time) * (WIDTH - NAME) as f64).round() as i64;
    html! {
        (svg::text("note", (0, top + BAR + 2), svg::Anchor::Start, lane.name.raw()))
        @for span in &lane.spans {
            @if let Some((class, words)) = look(span.state) {
                @let title = format!("{words} from {} to {}", span.from, span.until);
                (svg::rect(class, (place(span.from), top + 4), ((place(span.until) - place(span.from)).max(1), BAR), &title))
            }
        }
    }
}

const fn look(state: State) -> Option<(&'static str, &'static str)> {
    match state {
        State::Tagged | State::Held => Some(("tagged", "there, with a tag")),
        State::Untagged => Some(("fuse", "there, without a tag")),
        State::Archived => Some(("archived", "in the archive")),
        State::Gone => Some(("gone", "gone")),
        State::Unknown => Some(("unknown", "not known")),
        State::Absent | State::Quiet | State::Down => None,
    }
}
