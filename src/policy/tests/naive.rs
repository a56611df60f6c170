//! A second, slow evaluator that follows ECR's documentation step by step: mark by every rule, then apply
//! by priority.

use crate::model::LifecycleAction;
use crate::model::StorageClass;
use crate::policy::{Clock, Count, Policy, Seen, Tags};

pub const DAY: i64 = 86_400_000;

/// An image that does not change.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Still {
    pub pushed: i64,
    pub pulled: Option<i64>,
    pub restored: Option<i64>,
    pub archived: Option<i64>,
    pub held: bool,
}

impl Still {
    pub fn pushed(pushed: i64) -> Self {
        Self { pushed, ..Self::default() }
    }

    /// For count rules, a restored image is as new as its restore.
    pub fn ranked(&self) -> i64 {
        self.restored.map_or(self.pushed, |restored| restored.max(self.pushed))
    }

    pub fn with(self, _tags: &[&str]) -> Self {
        self
    }

    pub fn seen<'t>(&self, tags: &'t [&'t str]) -> Seen<'t> {
        Seen {
            tags,
            class: if self.archived.is_some() { StorageClass::Archive } else { StorageClass::Standard },
            pushed_at: Some(self.pushed),
            there_at: self.pushed,
            pulled_at: self.pulled,
            restored_at: self.restored,
            archived_at: self.archived,
            held: self.held,
        }
    }
}

/// Recursive matching, letter by letter.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    match (pattern, text) {
        ([], []) => true,
        ([b'*', rest @ ..], _) => {
            matches(rest, text) || text.split_first().is_some_and(|(_, text)| matches(pattern, text))
        }
        ([a, pattern @ ..], [b, text @ ..]) => a == b && matches(pattern, text),
        _ => false,
    }
}

fn meets(tags: &Tags, image: &[&str]) -> bool {
    match tags {
        Tags::Any => true,
        Tags::Untagged => image.is_empty(),
        Tags::Unknown => false,
        Tags::Tagged { prefixes, patterns } => {
            let patterns = patterns.iter().cloned().chain(prefixes.iter().map(|prefix| format!("{prefix}*")));
            !image.is_empty()
                && patterns
                    .into_iter()
                    .all(|pattern| image.iter().any(|tag| matches(pattern.as_bytes(), tag.as_bytes())))
        }
    }
}

/// Returns (key, index of the rule) of what is taken, oldest push first.
pub fn evaluate(policy: &Policy, images: &[(i64, Still, Vec<&str>)], now: i64) -> Vec<(i64, usize)> {
    let mut owner: Vec<Option<usize>> = vec![None; images.len()];
    let mut gone = Vec::new();
    for (number, rule) in policy.rules().iter().enumerate() {
        let in_class = |still: &Still| still.archived.is_some() == (rule.class == StorageClass::Archive);
        let mut selected: Vec<usize> = (0..images.len())
            .filter(|at| in_class(&images[*at].1) && meets(&rule.tags, &images[*at].2))
            .collect();
        // From the newest.
        selected.sort_by_key(|at| std::cmp::Reverse((images[*at].1.ranked(), images[*at].0)));
        let marked: Vec<usize> = match rule.count {
            Count::MoreThan(keeps) => {
                selected.iter().skip(usize::try_from(keeps).unwrap()).copied().collect()
            }
            Count::Since(clock, days) => selected
                .iter()
                .filter(|at| start(clock, &images[**at].1).is_some_and(|start| now - start > days * DAY))
                .copied()
                .collect(),
            Count::Unknown => Vec::new(),
        };
        let free: Vec<usize> = selected.into_iter().filter(|at| owner[*at].is_none()).collect();
        for at in free {
            owner[at] = Some(number);
            if marked.contains(&at) && !images[at].1.held && rule.action != LifecycleAction::Unknown {
                gone.push(at);
            }
        }
    }
    gone.sort_by_key(|at| (images[*at].1.pushed, images[*at].0));
    gone.into_iter().map(|at| (images[at].0, owner[at].unwrap())).collect()
}

fn start(clock: Clock, still: &Still) -> Option<i64> {
    match clock {
        Clock::Pushed => Some(still.pushed),
        Clock::Transitioned => still.archived,
        Clock::Pulled => match (still.pulled, still.restored) {
            (Some(pulled), Some(restored)) if pulled < restored => Some(restored),
            (Some(pulled), _) => Some(pulled),
            (None, Some(restored)) => Some(restored),
            (None, None) => Some(still.pushed),
        },
    }
}
