//! Lifecycle policies as ECR runs them: all rules at once, applied by priority; the newest images are kept
//! and the oldest expire first.

use serde_json::{Value, json};

use super::clock::DAY;
use super::rng::Rng;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TagStatus {
    Untagged,
    Tagged,
    Any,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    /// `sinceImagePushed`, in days.
    Days(u64),
    /// `imageCountMoreThan`.
    MoreThan(u64),
}

#[derive(Debug, Clone)]
pub struct Rule {
    pub priority: u64,
    pub status: TagStatus,
    pub prefixes: Vec<String>,
    pub patterns: Vec<String>,
    pub count: Count,
    pub transition: bool,
}

#[derive(Debug, Clone)]
pub struct Policy {
    pub rules: Vec<Rule>,
}

/// The properties of an existing image that rules use.
#[derive(Debug, Clone)]
pub struct Candidate {
    pub digest: String,
    pub tags: Vec<String>,
    pub pushed_at: u64,
    /// The time that counts for rules by count: the push, or the end of the last restore.
    pub ranked_at: u64,
}

impl Rule {
    fn wants(&self, tags: &[String]) -> bool {
        match self.status {
            TagStatus::Any => true,
            TagStatus::Untagged => tags.is_empty(),
            TagStatus::Tagged => {
                let prefixes =
                    self.prefixes.iter().all(|prefix| tags.iter().any(|tag| tag.starts_with(prefix)));
                let patterns =
                    self.patterns.iter().all(|pattern| tags.iter().any(|tag| wildcard(pattern, tag)));
                !tags.is_empty() && prefixes && patterns
            }
        }
    }

    /// Whether a rule by count or age selects the image among those that match its tag requirement.
    fn selects(&self, matching: &[&Candidate], image: &Candidate, now: u64) -> bool {
        match self.count {
            Count::Days(days) => image.pushed_at + days * DAY < now,
            Count::MoreThan(keep) => {
                let newer = matching
                    .iter()
                    .filter(|other| (other.ranked_at, &other.digest) > (image.ranked_at, &image.digest))
                    .count();
                newer as u64 >= keep
            }
        }
    }

    /// The rule as in a policy.
    fn to_text(&self) -> Value {
        let status = match self.status {
            TagStatus::Untagged => "untagged",
            TagStatus::Tagged => "tagged",
            TagStatus::Any => "any",
        };
        let mut selection = json!({"tagStatus": status});
        if !self.prefixes.is_empty() {
            selection["tagPrefixList"] = json!(self.prefixes);
        }
        if !self.patterns.is_empty() {
            selection["tagPatternList"] = json!(self.patterns);
        }
        match self.count {
            Count::Days(days) => {
                selection["countType"] = json!("sinceImagePushed");
                selection["countUnit"] = json!("days");
                selection["countNumber"] = json!(days);
            }
            Count::MoreThan(keep) => {
                selection["countType"] = json!("imageCountMoreThan");
                selection["countNumber"] = json!(keep);
            }
        }
        let action = if self.transition {
            json!({"type": "transition", "targetStorageClass": "archive"})
        } else {
            json!({"type": "expire"})
        };
        json!({"rulePriority": self.priority, "description": format!("rule {}", self.priority), "selection": selection, "action": action})
    }

    /// The rule as a PolicyExecutionEvent describes it.
    pub fn to_event(&self) -> Value {
        let status = match self.status {
            TagStatus::Untagged => "Untagged",
            TagStatus::Tagged => "Tagged",
            TagStatus::Any => "Any",
        };
        let mut selection =
            json!({"tagStatus": status, "tagPrefixList": self.prefixes, "tagPatternList": self.patterns});
        match self.count {
            Count::Days(days) => {
                selection["countType"] = json!("Time since image pushed");
                selection["countUnit"] = json!("Days");
                selection["countNumber"] = json!(days);
            }
            Count::MoreThan(keep) => {
                selection["countType"] = json!("Image count more than");
                selection["countNumber"] = json!(keep);
            }
        }
        let action = if self.transition { "transition" } else { "expire" };
        json!({"rulePriority": self.priority, "description": format!("rule {}", self.priority), "lifecycleEventSelection": selection, "action": action})
    }
}

/// Whether a pattern with `*` matches.
fn wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => {
            let Some(after) = text.strip_prefix(head) else { return false };
            (0..=after.len()).filter(|at| after.is_char_boundary(*at)).any(|at| wildcard(rest, &after[at..]))
        }
    }
}

impl Policy {
    pub fn to_text(&self) -> String {
        let rules: Vec<Value> = self.rules.iter().map(Rule::to_text).collect();
        json!({"rules": rules}).to_string()
    }

    /// What a run at `now` would take, oldest push first: (digest, the rule that takes it). Images that an
    /// index lists are excluded by the registry.
    pub fn evaluate(&self, images: &[Candidate], now: u64) -> Vec<(String, Rule)> {
        let mut rules = self.rules.clone();
        rules.sort_by_key(|rule| rule.priority);
        let mut taken: Vec<(u64, String, Rule)> = Vec::new();
        for image in images {
            // An image that a higher rule's tag requirement matches cannot be taken by lower rules, whether
            // or not the higher rule takes it.
            let Some(rule) = rules.iter().find(|rule| rule.wants(&image.tags)) else { continue };
            let matching: Vec<&Candidate> = images.iter().filter(|other| rule.wants(&other.tags)).collect();
            if rule.selects(&matching, image, now) {
                taken.push((image.pushed_at, image.digest.clone(), rule.clone()));
            }
        }
        taken.sort_by(|left, right| (left.0, &left.1).cmp(&(right.0, &right.1)));
        taken.into_iter().map(|(_, digest, rule)| (digest, rule)).collect()
    }

    /// A random policy as people write them.
    pub fn any(rng: &mut Rng) -> Self {
        let rule = |status, count, transition| Rule {
            priority: 0,
            status,
            prefixes: Vec::new(),
            patterns: Vec::new(),
            count,
            transition,
        };
        let mut rules = Vec::new();
        if rng.chance(30) {
            let mut tagged = rule(TagStatus::Tagged, Count::MoreThan(rng.range(2, 5)), rng.chance(25));
            if rng.chance(50) {
                tagged.prefixes = vec!["release-".into()]
            } else {
                tagged.patterns = vec!["*lease-*".into()]
            }
            rules.push(tagged);
        }
        if rng.chance(85) {
            let count =
                if rng.chance(75) { Count::Days(rng.range(1, 3)) } else { Count::MoreThan(rng.range(1, 4)) };
            rules.push(rule(TagStatus::Untagged, count, rng.chance(8)));
        }
        if rng.chance(25) || rules.is_empty() {
            let count =
                if rng.chance(50) { Count::Days(rng.range(2, 5)) } else { Count::MoreThan(rng.range(4, 9)) };
            rules.push(rule(TagStatus::Any, count, false));
        }
        let mut priority = 0;
        for rule in &mut rules {
            priority += rng.range(1, 6);
            rule.priority = priority;
        }
        Self { rules }
    }
}
