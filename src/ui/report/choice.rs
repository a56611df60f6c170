//! Which findings are shown: boxes for severities and a list of repositories. The style sheet hides the others; there is no script.

use std::collections::HashMap;
use std::io;

use crate::model::{Finding, Repository, Severity};
use crate::ui::html::Html;
use crate::ui::quantity::count;

/// How many repositories can be chosen.
const CHOICES_MAX: usize = 200;

/// Repositories in the order in which the findings name them first, with the number of findings in each.
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

/// The number by which the page knows a repository.
pub struct Numbers<'f>(HashMap<&'f Repository, usize>);

impl<'f> Numbers<'f> {
    pub fn of(findings: &'f [Finding]) -> Self {
        Self(repositories(findings).into_iter().enumerate().map(|(n, (name, _))| (name, n)).collect())
    }

    /// The class of what belongs to the repository.
    pub fn write(&self, html: &mut Html<'_>, repository: &Repository) -> io::Result<()> {
        match self.0.get(repository) {
            Some(number) => html.raw(" r")?.value(number).map(|_| ()),
            None => Ok(()),
        }
    }
}

/// One rule a repository: letters and numbers, and no text of a log. What `:has` looks into is the form alone: over the whole page it
/// would take a browser minutes to print.
pub fn style(findings: &[Finding]) -> Vec<String> {
    let number = repositories(findings).len();
    let chosen = 0..if number > 1 { number.min(CHOICES_MAX) } else { 0 };
    chosen.map(|n| format!(".choice:has(option.c{n}:checked) ~ * .of:not(.r{n}) {{ display: none; }} ")).collect()
}

pub fn write(html: &mut Html<'_>, findings: &[Finding]) -> io::Result<()> {
    html.raw("<form class=\"choice\" autocomplete=\"off\"><fieldset><legend>Show</legend>\n")?;
    for &severity in Severity::ALL.iter().filter(|severity| findings.iter().any(|finding| finding.severity == **severity)) {
        let word = severity.word();
        html.raw("<label><input type=\"checkbox\" checked id=\"show-")?.raw(word)?.raw("\"> ")?.raw(word)?.raw("</label>\n")?;
    }
    let repositories = repositories(findings);
    if repositories.len() > 1 {
        html.raw("<label>of <select id=\"of\"><option selected>every repository</option>\n")?;
        for (n, (name, number)) in repositories.iter().enumerate().take(CHOICES_MAX) {
            html.raw("<option class=\"c")?.value(n)?.raw("\">")?.log(&name.name)?.raw(" (")?.log(&name.registry_id)?.raw(", ")?;
            html.log(&name.region)?.raw("): ")?.text(&count(*number))?.raw("</option>\n")?;
        }
        html.raw("</select></label>\n")?;
    }
    html.raw("</fieldset></form>\n")?;
    Ok(())
}
