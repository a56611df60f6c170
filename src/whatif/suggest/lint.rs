//! Oddities in the rules in force, whether or not they have done harm.

use crate::model::{EventRef, ImageState, Sentence};
use crate::policy::{Clock, Count, Rule, Tags};
use crate::timeline::{History, Image, RepositoryHistory};

pub(super) fn of(history: &History, number: usize) -> Vec<Sentence> {
    let Some(repository) = history.repositories().get(number) else { return Vec::new() };
    let Some(in_force) = repository.policy else { return Vec::new() };
    let evidence = vec![history.event(in_force.event)];
    let policy = history.policy(in_force.policy);
    let rules = policy.rules();
    let mut found = Vec::new();
    let mut say =
        |text: String, evidence: &Vec<EventRef>| found.push(Sentence { text, evidence: evidence.clone() });
    for (at, rule) in rules.iter().enumerate() {
        for text in of_rule(history, repository, rule) {
            say(format!("Rule {}: {text}", rule.priority), &evidence);
        }
        let below = rules[at + 1..].iter().filter(|other| other.class == rule.class).count();
        if rule.tags == Tags::Any && below > 0 {
            say(
                format!(
                    "Rule {} is for any image, and stands above {below} more: no image is left for those.",
                    rule.priority
                ),
                &evidence,
            );
        }
    }
    if !rules.is_empty() && !rules.iter().any(|rule| matches!(rule.tags, Tags::Untagged | Tags::Any)) {
        say("No rule is for untagged images: they stay for ever.".to_owned(), &evidence);
    }
    found
}

fn of_rule(history: &History, repository: &RepositoryHistory, rule: &Rule) -> Vec<String> {
    let mut list = Vec::new();
    if let Tags::Tagged { prefixes, patterns } = &rule.tags {
        let entries = prefixes.len() + patterns.len();
        if entries > 1 {
            list.push(format!(
                "an image needs a tag for each of its {entries} prefixes and patterns, and not for one of \
                 them: ECR joins them by AND."
            ));
        }
        let fits = |image: &Image| {
            let went = image.losses.iter().flat_map(|loss| loss.tags.iter().map(|(tag, _)| *tag));
            let tags: Vec<&str> =
                image.tags.iter().map(|(tag, _)| *tag).chain(went).map(|tag| history.text(tag)).collect();
            rule.tags.wants(&tags)
        };
        if entries > 0 && !repository.images.iter().any(fits) {
            list.push(
                "no image of this evidence has or had the tags that it asks for: it protects nothing, and \
                 takes nothing."
                    .to_owned(),
            );
        }
    }
    if rule.tags == Tags::Untagged && matches!(rule.count, Count::Since(Clock::Pushed, _)) {
        list.push(
            "the days count from the push: an image that is older when it loses its tag goes at the very next \
             run."
                .to_owned(),
        );
    }
    if let Count::MoreThan(keeps) = rule.count {
        let needed = needed_now(history, repository, rule);
        if needed > keeps {
            list.push(format!(
                "it keeps {keeps} images, and {needed} that it speaks of are deployed at the end of the \
                 evidence."
            ));
        }
    }
    list
}

/// Number of images under the rule that something is deployed with now.
fn needed_now(history: &History, repository: &RepositoryHistory, rule: &Rule) -> u64 {
    let there = |image: &&Image| matches!(image.state, ImageState::Tagged | ImageState::Untagged);
    let pinned = |image: &&Image| image.uses.iter().any(|found| found.kind.pins() && found.until == i64::MAX);
    let of_rule = |image: &&Image| {
        let tags: Vec<&str> = image.tags.iter().map(|(tag, _)| history.text(*tag)).collect();
        rule.tags.wants(&tags)
    };
    repository.images.iter().filter(there).filter(pinned).filter(of_rule).count() as u64
}
