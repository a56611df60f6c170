//! Finds the smallest change of a repository's policy that would have kept everything that was needed, and
//! still takes what nobody needed.
//!
//! Each candidate is replayed over the logged history, as `whatif --policy` does, and judged by the result.
//! First, the rules that did harm are changed one by one, each by the change that harms least and, among
//! those, frees most. The result is compared with a policy that keeps the N newest images, which is what
//! most people would write.

mod candidates;
mod describe;
mod lint;
mod sizes;

use std::collections::HashSet;
use std::sync::Arc;

use serde_json::Value;

use super::{Comparison, DifferenceKey};
use crate::detect::advice::Shell;
use crate::model::{Effect, Repository, Suggestion, Timestamp};
use crate::policy::{Policy, from_file};
use crate::timeline::{History, Materials, Scenario};
use sizes::Sizes;

/// Maximum number of rules that are changed: each costs a replay for every candidate.
const CHANGES_MAX: usize = 4;

/// A policy to try.
#[derive(Debug, Clone)]
struct Candidate {
    rules: Vec<Value>,
    changes: Vec<String>,
    /// The number that the last change is about.
    number: Option<Number>,
}

/// A number that was tried, and might be smaller.
#[derive(Debug, Clone)]
struct Number {
    /// Index of the rule.
    rule: usize,
    /// It must be larger than this.
    above: i64,
    /// The change in words, with `{number}` in place of the number.
    words: String,
}

impl Candidate {
    /// The same candidate with another number.
    fn with_number(&self, of: &Number, number: i64) -> Self {
        let mut other = self.clone();
        let rule = &mut other.rules[of.rule];
        rule["selection"]["countNumber"] = serde_json::json!(number);
        describe::describe_anew(rule);
        if let Some(last) = other.changes.last_mut() {
            *last = of.words.replace("{number}", &number.to_string());
        }
        other
    }
}

/// A suggestion for each repository of the history, in its order. `end`: when the evidence ends.
pub fn suggest(history: &mut History, materials: &Materials, end: Option<Timestamp>) -> Vec<Suggestion> {
    let work = materials.work(history);
    let bench = |number| {
        of(&mut Bench { history, work: &work, number, end, layers: Sizes::of(&work, number), replayed: 0 })
    };
    (0..work.len()).map(bench).collect()
}

/// One repository, and what it takes to replay it.
struct Bench<'b, 'm> {
    history: &'b mut History,
    work: &'b crate::timeline::Work<'m>,
    number: usize,
    end: Option<Timestamp>,
    layers: Sizes,
    replayed: u64,
}

/// The result of a replay: in total, and the harm by each rule's priority.
struct Tried {
    effect: Effect,
    harmful: Vec<i64>,
}

impl Bench<'_, '_> {
    fn try_rules(&mut self, rules: &[Value]) -> Tried {
        self.replayed += 1;
        let policy = Arc::new(Policy::from_text(&serde_json::json!({ "rules": rules }).to_string()));
        let scenario = Scenario::Instead(Arc::clone(&policy));
        let simulated = self.work.replay(self.history, self.number, &scenario, &policy, self.end);
        let logged = &self.history.repositories()[self.number];
        let comparison =
            Comparison { history: self.history, scenario: &scenario, logged, simulated: &simulated };
        let taken: Vec<DifferenceKey> =
            comparison.places(0).into_iter().filter(|place| place.expected.is_some()).collect();
        let mut harmful = Vec::new();
        let mut effect = Effect::default();
        let mut freed = HashSet::new();
        for place in &taken {
            if place.severity.is_some() {
                effect.harm += 1;
                harmful.extend(
                    place
                        .expected
                        .and_then(|index| simulated.expected.get(index as usize))
                        .map(|one| one.rule_priority),
                );
            } else {
                effect.freed += 1;
                freed.extend(simulated.images.get(place.image as usize).map(|image| image.digest));
            }
        }
        (effect.freed_bytes, effect.freed_bytes_at_most) =
            (self.layers.freed(&freed, &simulated), self.layers.at_most(&freed, logged));
        harmful.sort_unstable();
        harmful.dedup();
        Tried { effect, harmful }
    }

    /// Whether ECR would accept the rules.
    fn is_valid(rules: &[Value]) -> bool {
        !rules.is_empty() && from_file(&serde_json::json!({ "rules": rules }).to_string()).is_ok()
    }

    /// The smallest number that does no more harm, searched between those that were tried.
    fn refine(&mut self, (mut best, mut known): (Candidate, Tried)) -> (Candidate, Tried) {
        let Some(of) = best.number.clone() else { return (best, known) };
        let tried = best.rules[of.rule]["selection"]["countNumber"].as_i64().unwrap_or(of.above);
        let (mut low, mut high) = (of.above, tried);
        while high - low > 1 {
            let middle = low + (high - low) / 2;
            let candidate = best.with_number(&of, middle);
            let tried = self.try_rules(&candidate.rules);
            if tried.effect.harm <= known.effect.harm && tried.effect.freed >= known.effect.freed {
                (best, known, high) = (candidate, tried, middle);
            } else {
                low = middle;
            }
        }
        (best, known)
    }

    /// The best candidate: least harm, then most freed, then the smallest change, which comes first.
    fn best(&mut self, candidates: Vec<Candidate>) -> Option<(Candidate, Tried)> {
        let mut best: Option<(Candidate, Tried)> = None;
        for candidate in candidates.into_iter().filter(|candidate| Self::is_valid(&candidate.rules)) {
            let tried = self.try_rules(&candidate.rules);
            let (candidate, tried) =
                if tried.effect.harm == 0 { self.refine((candidate, tried)) } else { (candidate, tried) };
            let is_better = |known: &Effect| {
                let new = &tried.effect;
                (new.harm, std::cmp::Reverse(new.freed)) < (known.harm, std::cmp::Reverse(known.freed))
            };
            if best.as_ref().is_none_or(|(_, known)| is_better(&known.effect)) {
                best = Some((candidate, tried));
            }
        }
        best
    }
}

fn of(bench: &mut Bench<'_, '_>) -> Suggestion {
    let in_force = candidates::in_force(bench.history, bench.number);
    let lint = lint::of(bench.history, bench.number);
    let rules = in_force.clone().unwrap_or_default();
    let before = if rules.is_empty() {
        Tried {
            effect: Effect { freed_bytes: Some(0), freed_bytes_at_most: Some(0), ..Effect::default() },
            harmful: Vec::new(),
        }
    } else {
        bench.try_rules(&rules)
    };
    let (first, effect) = (before.effect, before.effect);
    let mut best = Candidate { rules: rules.clone(), changes: Vec::new(), number: None };
    let mut known = Tried { effect, harmful: before.harmful };
    for _ in 0..CHANGES_MAX {
        let Some(&priority) = known.harmful.first() else { break };
        let tags = candidates::needed_tags(bench.history, bench.number);
        let Some((candidate, tried)) = bench.best(candidates::changes(&best, priority, &tags)) else { break };
        if tried.effect.harm >= known.effect.harm {
            break;
        }
        (best, known) = (candidate, tried);
    }
    // Suggests keeping the N newest if that harms nobody and frees more. If the policy in force harms
    // nobody, it stays.
    if first.harm > 0 || rules.is_empty() {
        for newest in candidates::newest() {
            let tried = bench.try_rules(&newest.rules);
            let frees_more = tried.effect.freed > known.effect.freed;
            if tried.effect.harm < known.effect.harm || (tried.effect.harm == known.effect.harm && frees_more)
            {
                (best, known) = (newest, tried);
            }
            if tried_harms_nobody(&known) {
                break;
            }
        }
    }
    finish(bench, in_force, first, best, known, lint)
}

const fn tried_harms_nobody(tried: &Tried) -> bool {
    tried.effect.harm == 0 && tried.effect.freed > 0
}

fn finish(
    bench: &Bench<'_, '_>,
    in_force: Option<Vec<Value>>,
    before: Effect,
    best: Candidate,
    known: Tried,
    lint: Vec<crate::model::Sentence>,
) -> Suggestion {
    let repository = bench.history.repository(&bench.history.repositories()[bench.number]);
    let changed =
        !best.changes.is_empty() && (known.effect.harm < before.harm || known.effect.freed > before.freed);
    let policy = changed.then(|| serde_json::json!({ "rules": best.rules }));
    Suggestion {
        command: policy.as_ref().map(|policy| command(&repository, policy)),
        terraform: policy.as_ref().map(|policy| terraform(&repository, policy)),
        changes: if changed { best.changes } else { Vec::new() },
        after: if changed { known.effect } else { before },
        repository,
        in_force,
        before,
        policy,
        lint,
        replayed: bench.replayed,
    }
}

fn command(repository: &Repository, policy: &Value) -> String {
    let shell = Shell::new("aws ecr put-lifecycle-policy")
        .option("region", repository.region.raw())
        .option("registry-id", repository.registry_id.raw());
    shell
        .option("repository-name", repository.name.raw())
        .option("lifecycle-policy-text", &policy.to_string())
        .to_text()
}

/// A resource of Terraform's AWS provider. The heredoc is `<<-`, so that the text may be indented. The end marker of the heredoc cannot occur in JSON; `${` and
/// `%{` are escaped.
fn terraform(repository: &Repository, policy: &Value) -> String {
    let plain: String = repository
        .name
        .raw()
        .chars()
        .map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '_' })
        .collect();
    let text = |text: &str| text.replace("${", "$${").replace("%{", "%%{");
    let name = text(&serde_json::Value::from(repository.name.raw()).to_string());
    let json = serde_json::to_string_pretty(policy).map(|json| text(&json)).unwrap_or_default();
    format!(
        "resource \"aws_ecr_lifecycle_policy\" \"r_{plain}\" \
         {{\n  repository = {name}\n  policy     = <<-POLICY\n{json}\nPOLICY\n}}\n"
    )
}
