//! ECR's lifecycle policies: what a text says, and which images its rules take. Pure: images in, decisions out.
//!
//! All rules are evaluated at the same time and then applied by priority. An image belongs to the first rule whose tag
//! requirement it meets, whether that rule takes it or not; the rules below see it when they count, and cannot act on it.
//! Rules for one storage class know nothing of the images in the other.
//!
//! [`Policy`] is read leniently from logs, which have two wordings of it, and strictly from a file of the user's ([`from_file`]).
//! Whichever it was read from, its rules have the words of the policy's text ([`Words`]). [`Ranks`] keeps the images of a repository in
//! the order of its rules while they come and go; [`outlook`] says when each of them is due as things stand.

mod check;
mod file;
mod outlook;
mod pattern;
mod ranks;
mod read;
mod rule;
#[cfg(test)]
mod tests;

pub use check::Problem;
pub use file::{Refused, from_file};
pub use outlook::{Joined, Outlook, outlook};
pub use pattern::fits;
pub use ranks::{Ranks, Taken};
pub use rule::{Clock, Count, Rule, Seen, Tags, Words, records_pull};

/// The rules of one policy, by priority.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    rules: Vec<Rule>,
    /// What should be a policy, and cannot be read as one.
    unreadable: Option<Box<str>>,
}

impl Policy {
    /// Rules in the order in which they are applied.
    pub fn rules(&self) -> &[Rule] {
        &self.rules
    }

    /// The rule of that priority; of two, which ECR refuses, the one that is applied first.
    pub fn rule(&self, priority: i64) -> Option<&Rule> {
        self.rules.iter().find(|rule| rule.priority == priority)
    }

    /// The text, where it cannot be read as a policy.
    pub fn unreadable(&self) -> Option<&str> {
        self.unreadable.as_deref()
    }

    /// Whether two texts mean the same rules, as far as both wordings say it.
    pub fn is_same_as(&self, other: &Self) -> bool {
        self.rules.len() == other.rules.len() && self.rules.iter().zip(&other.rules).all(|(a, b)| a.is_same_as(b))
    }

    /// Whether a rule goes by the last pull.
    pub fn asks_for_pulls(&self) -> bool {
        self.rules.iter().any(|rule| matches!(rule.count, Count::Since(Clock::Pulled, _)))
    }

    /// Index of the rule that an image belongs to.
    pub fn governing(&self, seen: &Seen<'_>) -> Option<usize> {
        self.rules.iter().position(|rule| rule.class == seen.class && rule.tags.wants(seen.tags))
    }
}
