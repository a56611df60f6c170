//! Chooses among the readings of a text, by what the logs know.

use super::question::{About, Question, Registry};
use super::{Case, short_digest};
use crate::model::Repository;

/// Maximum number of other readings that are named.
const NAMED_MAX: usize = 3;

pub(super) struct Settled {
    pub question: Question,
    /// Notes on what the choice leaves open.
    pub notes: Vec<String>,
}

/// The first reading whose image the logs know; else the first whose repository they know; else the
/// likeliest.
pub(super) fn settled(case: Case<'_>) -> Settled {
    let question = case.question;
    let readings = || std::iter::once(question).chain(&question.alternatives);
    let readings: Vec<(Knows, &Question)> =
        readings().map(|question| (knows(Case { question, ..case }), question)).collect();
    let best = readings.iter().map(|(knows, _)| *knows).max().unwrap_or(Knows::Nothing);
    let fits = |(knows, reading): &&(Knows, &Question)| {
        *knows == best && !(reading.only_if_known && best < Knows::Image)
    };
    let chosen = readings.iter().find(fits).map_or(question, |(_, reading)| reading);
    let mut notes = Vec::new();
    let also: Vec<String> = readings
        .iter()
        .filter(|(knows, other)| best == Knows::Image && *other != chosen && *knows == best)
        .map(|(_, other)| other.to_text())
        .filter(|text| *text != chosen.to_text())
        .take(NAMED_MAX)
        .collect();
    if !also.is_empty() {
        notes.push(format!(
            "The text can be read in another way, too, and the logs know that as well: {}. Ask about it by \
             itself.",
            also.join(", ")
        ));
    }
    let Question { failed, at, .. } = *question;
    let chosen =
        Question { others: question.others.clone(), alternatives: Vec::new(), failed, at, ..chosen.clone() };
    notes.extend(about_registry(Case { question: &chosen, ..case }));
    notes.extend(chosen.layer.map(|layer| {
        format!(
            "{layer} is a layer, and by it no image is named: a layer is there as long as an image that has \
             it."
        )
    }));
    Settled { question: chosen, notes }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Knows {
    Nothing,
    Repository,
    Image,
}

fn knows(case: Case<'_>) -> Knows {
    if let Some(digits) = case.question.cut.as_deref() {
        return match short_digest::completed(case, digits) {
            Ok(_) => Knows::Image,
            Err(_) if !case.repositories().is_empty() => Knows::Repository,
            Err(_) => Knows::Nothing,
        };
    }
    let repositories = case.repositories();
    // Nobody writes `latest`: a reading with a tag takes precedence over one without.
    let asks_for_image = !case.question.repository_only && !case.question.latest;
    match repositories.iter().any(|repository| {
        asks_for_image && (case.image_in(repository).is_some() || case.knows_tag(repository))
    }) {
        true => Knows::Image,
        false if repositories.is_empty() => Knows::Nothing,
        false => Knows::Repository,
    }
}

impl Case<'_> {
    fn knows_tag(self, repository: &crate::timeline::RepositoryHistory) -> bool {
        let tag = self.question.about.tag().and_then(|tag| self.history.find_string(tag));
        self.question.about.digest().is_none()
            && tag.is_some_and(|tag| repository.tag_lives.contains_key(&tag))
    }
}

/// Parts of the registry that could not be read, or that it is one that the logs are not from.
fn about_registry(case: Case<'_>) -> Option<String> {
    let found = || case.repositories().first().map(|repository| case.history.repository(repository));
    let place = |found: &Repository| {
        format!("{} in {} of {}", found.name.raw(), found.region.raw(), found.registry_id.raw())
    };
    match (&case.question.registry, &case.question.about) {
        (Registry::Ecr { registry_id, region }, About::Name { .. })
            if registry_id.is_none() || region.is_none() =>
        {
            let part = match (registry_id, region) {
                (None, None) => "account and region",
                (None, _) => "account",
                _ => "region",
            };
            found().map(|found| {
                format!("The text does not tell the {part} of the registry: {} was taken.", place(&found))
            })
        }
        (Registry::Public | Registry::Other(_), About::Name { .. }) => found().map(|found| {
            let host = if case.question.registry == Registry::Public {
                "public.ecr.aws"
            } else {
                "another registry"
            };
            format!("The text names {host}; these logs tell only of the same digest in {}.", place(&found))
        }),
        _ => None,
    }
}
