//! Filters for findings: check boxes for severities and a list of repositories. The style sheet does the
//! hiding; there is no script.

use std::collections::HashMap;

use maud::{Markup, html};

use crate::model::{Finding, Repository, Severity};
use crate::ui::quantity::count;

/// Maximum number of repositories that can be chosen from.
const CHOICES_MAX: usize = 200;

/// Repositories in the order of the findings, with the number of findings in each.
fn repositories(findings: &[Finding]) -> Vec<(&Repository, u64)> {
    let mut places: HashMap<&Repository, usize> = HashMap::new();
    let mut all: Vec<(&Repository, u64)> = Vec::new();
    for finding in findings {
        let place = *places.entry(&finding.repository).or_insert_with(|| {
            all.push((&finding.repository, 0));
            all.len() - 1
        });
        all[place].1 += 1;
    }
    all
}

/// The number that the page uses for a repository.
pub struct Numbers<'f>(HashMap<&'f Repository, usize>);

impl<'f> Numbers<'f> {
    pub fn of(findings: &'f [Finding]) -> Self {
        Self(repositories(findings).into_iter().enumerate().map(|(n, (name, _))| (name, n)).collect())
    }

    /// The CSS class of elements that belong to the repository, with a space before it.
    pub fn class(&self, repository: &Repository) -> String {
        self.0.get(repository).map(|number| format!(" r{number}")).unwrap_or_default()
    }
}

/// One CSS rule for each repository, made of letters and numbers and no log text. `:has` looks only into
/// the form: over the whole page it would take a browser minutes to print.
pub fn style(findings: &[Finding]) -> Vec<String> {
    let number = repositories(findings).len();
    let chosen = 0..if number > 1 { number.min(CHOICES_MAX) } else { 0 };
    chosen
        .map(|n| format!(".choice:has(option.c{n}:checked) ~ * .of:not(.r{n}) {{ display: none; }} "))
        .collect()
}

pub fn page(findings: &[Finding]) -> Markup {
    let severities =
        Severity::ALL.iter().filter(|severity| findings.iter().any(|finding| finding.severity == **severity));
    let repositories = repositories(findings);
    html! {
        form class="choice" autocomplete="off" {
            fieldset {
                legend { "Show" } "\n"
                @for word in severities.map(|severity| severity.word()) {
                    label { input type="checkbox" checked id={ "show-" (word) }; " " (word) } "\n"
                }
                @if repositories.len() > 1 {
                    label {
                        "of "
                        select id="of" {
                            option selected { "every repository" } "\n"
                            @for (n, (name, number)) in repositories.iter().enumerate().take(CHOICES_MAX) {
                                option class={ "c" (n) } { (name.name) " (" (name.registry_id) ", " (name.region) "): " (count(*number)) } "\n"
                            }
                        }
                    }
                    "\n"
                }
            }
        }
        "\n"
    }
}
