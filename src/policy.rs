//! ECR's lifecycle policies: parsing them, and deciding which images their rules take. Pure functions:
//! images in, decisions out.
//!
//! All rules are evaluated against the same images and then applied in order of priority. An image belongs
//! to the first rule whose tag requirement it meets, whether or not that rule takes it. The rules below
//! still count the image, but cannot act on it. Rules for one storage class ignore the images of the other.
//!
//! [`Policy`] is parsed leniently from logs, which word a policy in two ways, and strictly from a file of
//! the user's ([`from_file`]). Either way its rules use the words of the policy's JSON text ([`Words`]).
//! [`Ranks`] keeps the images of a repository sorted for each rule while images come and go; [`forecast()`]
//! says when each image is due if nothing else happens.

mod check;
mod file;
mod forecast;
mod pattern;
mod ranks;
mod read;
mod rule;
#[cfg(test)]
mod tests;

pub use check::Problem;
pub use file::{Refused, from_file};
pub use forecast::{CurrentImage, RuleForecast, forecast};
pub use pattern::fits;
pub use ranks::{Ranks, Taken};
pub use rule::{Clock, Count, Rule, Seen, Tags, Words, records_pull};

/// The rules of one policy, by priority.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// The text that should have been a policy, where it could not be parsed as one.
    unreadable: Option<Box<str>>,
}

impl Policy {
    /// Rules in the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule with that priority. ECR refuses two rules with one priority; if a log has them all the
    /// same, this is the one that is applied first.
    pub fn rule(&self, priority: i64) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.priority == priority)
    }

    /// The text, where it could not be parsed as a policy.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Whether two policies have the same rules, compared by what both wordings (policy text and run event)
    /// state.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.rules.len() == other.rules.len()
            && self.rules.iter().zip(&other.rules).all(|(a, b)| a.is_same_as(b))
    }

    /// Whether any rule counts days since the last pull.
    pub fn asks_for_pulls(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.count, Count::Since(Clock::Pulled, _)))
    }

    /// Index of the rule that an image belongs to.
    pub fn governing(&self, seen: &Seen<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.class == seen.class && rule.tags.wants(seen.tags))
    }
}
