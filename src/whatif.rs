//! The logged history under another lifecycle policy, or under the one in force, as a check of both the evaluator and the logs.
//!
//! *Under another policy*: pushes, moves and deletes happen as logged, runs take what the policy takes, and nothing that the
//! logged runs took is taken for that reason. Runs happen when the logged ones did. *Under the one in force*: before each logged run its own
//! rules are asked what it is to take of what the logs show to be there; an image that a run took and was not to take, or the
//! other way round, is a difference.

mod story;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::detect::{Harm, deleted, evidence, usage_of_living, usage_of_loss};
use crate::forecast::action;
use crate::model::{LogText, Outcome, Repository, RunKind, Severity, Timestamp, WhatIf, WhatIfTotals};
use crate::policy::{Policy, Rule};
use crate::timeline::{DigestNo, End, EventNo, Foreseen, History, Image, Loss, RepositoryHistory, Supposition, Sym};

/// Everything that differs, and everything that does not.
pub struct WhatIfs {
    pub totals: WhatIfTotals,
    pub list: Vec<WhatIf>,
    /// What such a replay cannot tell, a sentence each.
    pub notes: Vec<String>,
}

/// Plays what `history` was finished with against what it says.
pub fn whatifs(history: &History, supposition: &Supposition) -> WhatIfs {
    let of = |(number, logged): (usize, &RepositoryHistory)| {
        let supposed = match supposition {
            Supposition::InForce => logged,
            Supposition::Instead(_) => history.supposed().get(number).unwrap_or(logged),
        };
        Comparison { history, supposition, logged, supposed }.elements()
    };
    let mut list: Vec<WhatIf> = history.repositories().par_iter().enumerate().flat_map_iter(of).collect();
    list.par_sort_by_cached_key(|element| {
        let when = element.would_go_at.or(element.went_at);
        // Severities are declared from bad to harmless; what nobody needs comes last.
        (element.severity.map_or(u8::MAX, |severity| severity as u8), when, element.repository.clone(), element.digest, element.outcome)
    });
    let mut totals = WhatIfTotals::default();
    for element in &list {
        let total = match element.outcome {
            Outcome::Agrees => &mut totals.agrees,
            Outcome::OtherRule => &mut totals.other_rule,
            Outcome::OtherRun => &mut totals.other_run,
            Outcome::PredictedOnly => &mut totals.predicted_only,
            Outcome::LoggedOnly => &mut totals.logged_only,
        };
        *total += 1;
        totals.needed += u64::from(element.needed && element.would_go_at.is_some());
    }
    let played = match supposition {
        Supposition::InForce => history.repositories(),
        Supposition::Instead(_) => history.supposed(),
    };
    totals.runs_logged = played.iter().map(|repository| repository.run_starts.len() as u64).sum();
    totals.runs_modelled = played.iter().map(|repository| repository.runs_made_up).sum();
    WhatIfs { notes: story::notes(history, supposition, &totals), totals, list }
}

/// One repository as logged, and as supposed.
struct Comparison<'h> {
    history: &'h History,
    supposition: &'h Supposition,
    logged: &'h RepositoryHistory,
    supposed: &'h RepositoryHistory,
}

/// What a run was to take, what one took, or both.
struct Pair<'h> {
    foreseen: Option<&'h Foreseen>,
    loss: Option<&'h Loss>,
    outcome: Outcome,
}

impl<'h> Comparison<'h> {
    fn elements(&self) -> Vec<WhatIf> {
        let mut foreseen: HashMap<DigestNo, Vec<&Foreseen>> = HashMap::new();
        for one in &self.supposed.foreseen {
            foreseen.entry(one.digest).or_default().push(one);
        }
        let mut policies: HashMap<Sym, Policy> = HashMap::new();
        let mut elements = Vec::new();
        for image in &self.supposed.images {
            let foreseen = foreseen.remove(&image.digest).unwrap_or_default();
            let losses = self.logged.image(image.digest).into_iter().flat_map(|image| &image.losses).filter(|loss| is_by_run(loss));
            for pair in self.pairs(foreseen, losses.collect()) {
                let rule = pair.foreseen.and_then(|one| self.rule(one, &mut policies));
                elements.extend(self.element(image, &pair, rule.as_ref()));
            }
        }
        elements
    }

    /// Number of the run that a moment falls into.
    fn run(&self, at: i64) -> usize {
        self.supposed.run_starts.partition_point(|start| *start <= at)
    }

    /// Puts beside each other what speaks of the same run, and then what speaks of the same life.
    fn pairs(&self, foreseen: Vec<&'h Foreseen>, losses: Vec<&'h Loss>) -> Vec<Pair<'h>> {
        let mut left: Vec<Option<&Foreseen>> = foreseen.into_iter().map(Some).collect();
        let mut pairs: Vec<Pair<'h>> = Vec::new();
        let mut unmatched = Vec::new();
        for loss in losses {
            let run = self.run(loss.at);
            let same_run = |one: &Foreseen| one.event.is_some() && (self.run(one.at) == run || self.is_tie(one, run));
            match left.iter_mut().find(|one| one.is_some_and(same_run)).and_then(Option::take) {
                Some(one) => pairs.push(Pair { foreseen: Some(one), loss: Some(loss), outcome: self.same_run(one, loss) }),
                None => unmatched.push(loss),
            }
        }
        for loss in unmatched {
            let same_life = |one: &Foreseen| one.pushed_at == loss.pushed_at;
            let other = left.iter_mut().find(|one| one.is_some_and(same_life)).and_then(Option::take);
            let outcome = if other.is_some() { Outcome::OtherRun } else { Outcome::LoggedOnly };
            pairs.push(Pair { foreseen: other, loss: Some(loss), outcome });
        }
        pairs.extend(left.into_iter().flatten().map(|one| Pair { foreseen: Some(one), loss: None, outcome: Outcome::PredictedOnly }));
        pairs
    }

    /// An image that is old enough in the very second of a run: whether the run has it is not to be known.
    fn is_tie(&self, one: &Foreseen, run: usize) -> bool {
        let start = run.checked_sub(1).and_then(|index| self.supposed.run_starts.get(index));
        start.is_some_and(|start| one.ripe_at.is_some_and(|ripe| ripe.div_euclid(1000) == start.div_euclid(1000)))
    }

    fn same_run(&self, one: &Foreseen, loss: &Loss) -> Outcome {
        // The rules of another policy have priorities of their own.
        let stated = loss.run.as_ref().map(|run| run.rule_priority).filter(|priority| *priority >= 0);
        let other = matches!(self.supposition, Supposition::InForce) && stated.is_some_and(|stated| stated != one.rule_priority);
        if other { Outcome::OtherRule } else { Outcome::Agrees }
    }

    fn rule(&self, one: &Foreseen, policies: &mut HashMap<Sym, Policy>) -> Option<Rule> {
        let policy = match self.supposition {
            Supposition::Instead(policy) => policy,
            Supposition::InForce => policies.entry(one.rules).or_insert_with(|| self.stated(one.rules)),
        };
        policy.rules().iter().find(|rule| rule.priority == one.rule_priority).cloned()
    }

    fn stated(&self, rules: Sym) -> Policy {
        let stated = Policy::from_rules(self.history.text(rules));
        match self.logged.policy {
            Some(known) if stated.rules().is_empty() => self.history.policy(known.text),
            _ => stated,
        }
    }

    fn element(&self, image: &Image, pair: &Pair<'_>, rule: Option<&Rule>) -> Option<WhatIf> {
        let (history, real) = (self.history, self.logged.image(image.digest)?);
        // The end under the other policy; under the one in force it is the logged one.
        let supposed = pair.foreseen.and_then(|one| image.losses.iter().find(|loss| loss.at == one.at && is_by_run(loss)));
        let end = if matches!(self.supposition, Supposition::Instead(_)) { supposed.or(pair.loss) } else { pair.loss };
        let harm = self.harm(image, real, supposed, pair.loss);
        let displaced = end.map_or(image.displaced.as_deref(), |end| end.displaced.as_deref());
        let run_event = pair.foreseen.and_then(|one| one.event.some());
        let mut events: Vec<EventNo> = run_event.into_iter().chain(pair.loss.map(|loss| loss.event)).collect();
        events.extend(displaced.into_iter().flat_map(|displaced| [displaced.first_push, displaced.second_push]));
        events.extend(&harm.evidence);
        let mut tags: Vec<LogText> = end.map_or(&image.tags, |end| &end.tags).iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
        tags.sort_unstable();
        let pushed_at = pair.foreseen.map_or_else(|| pair.loss.and_then(|loss| loss.pushed_at), |one| one.pushed_at);
        let would_go_at = pair.foreseen.map(|one| Timestamp::from_millis(one.at));
        let repository: Repository = history.repository(self.logged);
        Some(WhatIf {
            digest: history.digest_or_zero(image.digest),
            tags,
            pushed_at: pushed_at.map(Timestamp::from_millis),
            untagged_at: end.map_or(image.untagged_at, |end| end.untagged_at).map(Timestamp::from_millis),
            displaced: displaced.is_some(),
            outcome: pair.outcome,
            would_go_at,
            run: pair.foreseen.map(|one| if one.event.is_some() { RunKind::Logged } else { RunKind::Modelled }),
            run_event: run_event.map(|event| history.event(event)),
            rule_priority: pair.foreseen.map(|one| one.rule_priority),
            rule: rule.map(|rule| rule.text.clone()),
            action: rule.map(|rule| action(rule.action)),
            went_at: pair.loss.map(|loss| Timestamp::from_millis(loss.at)),
            logged: pair.loss.map(|loss| deleted(history, loss)),
            pulled_after: pair.foreseen.is_some() && harm.usage.pulls_after_gone > 0,
            needed: harm.severity.is_some(),
            severity: harm.severity,
            explanation: self.explanation(pair, real),
            summary: story::summary(history, &repository, image, pair, rule, &harm),
            pinned_by: harm.pinned,
            usage: harm.usage,
            evidence: evidence(history, events),
            repository,
        })
    }

    fn harm(&self, image: &Image, real: &Image, supposed: Option<&Loss>, logged: Option<&Loss>) -> Harm {
        let is_child = self.supposed.parents.contains_key(&image.digest);
        match (self.supposition, supposed, logged) {
            (Supposition::Instead(_), Some(loss), _) => usage_of_loss(self.history, image, loss, is_child),
            (_, _, Some(loss)) => usage_of_loss(self.history, real, loss, is_child),
            _ => usage_of_living(self.history, real, is_child),
        }
    }
}

/// Whether a lifecycle run ended that life.
fn is_by_run(loss: &Loss) -> bool {
    loss.run.is_some() && matches!(loss.end, End::Expired | End::Archived)
}

impl WhatIfs {
    /// How badly somebody needed what the policy would have taken.
    pub fn alarms(&self) -> impl Iterator<Item = Severity> + '_ {
        self.list.iter().filter(|element| element.would_go_at.is_some()).filter_map(|element| element.severity)
    }
}
