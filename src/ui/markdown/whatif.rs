//! What another policy would have taken, in Markdown.

use std::io::{self, Write};

use super::{Cell, Markdown, ROWS_MAX, TOLD_MAX};
use crate::model::{Coverage, Outcome, WhatIf};
use crate::ui::escape::Escape;
use crate::ui::quantity::count;
use crate::ui::whatif::{View, headline};

pub fn write(
    out: &mut dyn Write,
    coverage: &Coverage,
    view: &View<'_>,
    list: impl Iterator<Item = WhatIf>,
) -> io::Result<()> {
    let page = &mut Markdown::new(out);
    // When the policy in force is checked, images on which it agrees with the logs are only counted.
    let mut told = list.filter(|element| !view.in_force || element.outcome != Outcome::Agrees);
    let first: Vec<WhatIf> = told.by_ref().take(ROWS_MAX).collect();
    let rest = told.count();
    page.heading(2, &headline(view.in_force, view.totals))?;
    if !first.is_empty() {
        page.columns(&["severity", "outcome", "image", "digest", "would go", "went", "pulled after that"])?;
        first.iter().try_for_each(|element| page.row(&row(element)))?;
        page.more(rest, "image is", "images are")?;
        page.blank()?;
    }
    first
        .iter()
        .filter(|element| element.needed)
        .take(TOLD_MAX)
        .try_for_each(|element| write_one(page, element))?;
    page.texts("Notes", view.notes.iter().map(String::as_str))?;
    page.blank()?;
    page.coverage(coverage)
}

fn name(element: &WhatIf) -> String {
    let tag = element.tags.first().map(|tag| format!(":{}", tag.for_terminal())).unwrap_or_default();
    format!("{}{tag}", element.repository.name.for_terminal())
}

fn row(element: &WhatIf) -> [Cell; 7] {
    let time = |time: Option<crate::model::Timestamp>| {
        Cell::code(&time.map(|time| time.to_string()).unwrap_or_default())
    };
    [
        Cell::prose(element.severity.map_or("", |severity| severity.word())),
        Cell::prose(&element.outcome.word().replace('_', " ")),
        Cell::code(&name(element)),
        Cell::code(&element.digest.short()),
        time(element.would_go_at),
        time(element.went_at),
        Cell::prose(&count(element.usage.pulls_after_gone)),
    ]
}

fn write_one(page: &mut Markdown<'_>, element: &WhatIf) -> io::Result<()> {
    page.details("Needed:", &name(element), |page| {
        page.paragraph(&element.summary)?;
        page.item("Logs", &element.explanation)?;
        page.texts("Why the run took it", element.reasons.iter().map(|reason| reason.text.as_str()))
    })
}
