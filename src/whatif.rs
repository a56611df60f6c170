//! Replays the logged history under another lifecycle policy; or under the policy in force, to check both
//! the evaluator and the logs.
//!
//! *Under another policy*: pushes, moves and deletes happen as logged. Runs happen when they happened, but
//! take what the other policy takes instead of what they took. *Under the one in force*: before each logged
//! run, its own rules decide what it should take of the images that exist by the logs. An image that the
//! run took but should not have, or the other way round, is a difference.

mod story;
mod suggest;
#[cfg(test)]
pub mod tests;

pub use suggest::suggest;

use std::collections::HashMap;

use rayon::prelude::*;

use crate::detect::{Harm, deleted, evidence, usage_of_living, usage_of_loss, why};
use crate::model::{LogText, Outcome, Repository, RunKind, Severity, Timestamp, WhatIf, WhatIfTotals};
use crate::policy::Rule;
use crate::timeline::{
    DigestNo, End, EventNo, ExpectedRemoval, History, Image, Loss, RepositoryHistory, Scenario, Use,
};

/// What the policy takes compared with the logs, worst first. Elements are made one at a time, as there may
/// be millions.
pub struct WhatIfs<'h> {
    history: &'h History,
    scenario: &'h Scenario,
    places: Vec<DifferenceKey>,
    pub totals: WhatIfTotals,
    /// What such a replay cannot tell, one sentence each.
    pub notes: Vec<String>,
}

/// Sort position of an element. Severities are declared from worst to harmless; images that nobody needs
/// come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct DifferenceKey {
    severity: Option<Severity>,
    when: i64,
    repository: u32,
    /// Index of the image in the simulated repository.
    image: u32,
    expected: Option<u32>,
    loss: Option<u32>,
    outcome: Outcome,
}

impl<'h> WhatIfs<'h> {
    /// Compares the simulation that `history` was finished with to the logs.
    pub fn new(history: &'h History, scenario: &'h Scenario) -> Self {
        let of = |number: usize| {
            Comparison::new(history, scenario, number)
                .map(|comparison| comparison.places(number))
                .unwrap_or_default()
        };
        let mut places: Vec<DifferenceKey> =
            (0..history.repositories().len()).into_par_iter().flat_map_iter(of).collect();
        places.par_sort_unstable_by_key(|place| (place.severity.is_none(), *place));
        let totals = totals(history, scenario, &places);
        Self { history, scenario, notes: story::notes(history, scenario, &totals), places, totals }
    }

    pub fn iter(&self) -> impl Iterator<Item = WhatIf> + '_ {
        self.places.iter().filter_map(move |place| {
            let comparison = Comparison::new(self.history, self.scenario, place.repository as usize)?;
            comparison.element(place)
        })
    }

    /// How badly somebody needed each image that the policy would have taken.
    pub fn alarms(&self) -> impl Iterator<Item = Severity> + '_ {
        self.places.iter().filter(|place| place.expected.is_some()).filter_map(|place| place.severity)
    }
}

fn totals(history: &History, scenario: &Scenario, places: &[DifferenceKey]) -> WhatIfTotals {
    let mut totals = WhatIfTotals::default();
    for place in places {
        let total = match place.outcome {
            Outcome::Agrees => &mut totals.agrees,
            Outcome::OtherRule => &mut totals.other_rule,
            Outcome::OtherRun => &mut totals.other_run,
            Outcome::PredictedOnly => &mut totals.predicted_only,
            Outcome::LoggedOnly => &mut totals.logged_only,
        };
        *total += 1;
        totals.needed += u64::from(place.expected.is_some() && place.severity.is_some());
    }
    let played = match scenario {
        Scenario::InForce => history.repositories(),
        Scenario::Instead(_) => history.simulated(),
    };
    totals.runs_logged = played.iter().map(|repository| repository.run_starts.len() as u64).sum();
    totals.runs_modelled = played.iter().map(|repository| repository.runs_made_up).sum();
    totals
}

/// One repository as logged, and as simulated.
struct Comparison<'h> {
    history: &'h History,
    scenario: &'h Scenario,
    logged: &'h RepositoryHistory,
    simulated: &'h RepositoryHistory,
}

/// An image that a run should have taken, that a run did take, or both.
struct Pair<'h> {
    expected: Option<&'h ExpectedRemoval>,
    loss: Option<&'h Loss>,
    outcome: Outcome,
}

impl<'h> Comparison<'h> {
    fn new(history: &'h History, scenario: &'h Scenario, number: usize) -> Option<Self> {
        let logged = history.repositories().get(number)?;
        let simulated = match scenario {
            Scenario::InForce => logged,
            Scenario::Instead(_) => history.simulated().get(number)?,
        };
        Some(Self { history, scenario, logged, simulated })
    }

    /// The differences in the repository with this index.
    fn places(&self, number: usize) -> Vec<DifferenceKey> {
        let mut expected: HashMap<DigestNo, Vec<usize>> = HashMap::new();
        for (index, one) in self.simulated.expected.iter().enumerate() {
            expected.entry(one.digest).or_default().push(index);
        }
        let index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let mut places = Vec::new();
        for (at, image) in self.simulated.images.iter().enumerate() {
            let expected = expected.remove(&image.digest).unwrap_or_default();
            let Some(real) = self.logged.image(image.digest) else { continue };
            let losses = (0..real.losses.len()).filter(|loss| is_by_run(&real.losses[*loss])).collect();
            for (one, loss, outcome) in self.pairs(expected, losses, real) {
                let pair = self.pair(real, one, loss, outcome);
                let severity = self.harm(image, real, &pair).severity;
                let when =
                    pair.expected.map(|one| one.at).or(pair.loss.map(|loss| loss.at)).unwrap_or_default();
                let (expected, loss) = (one.map(index), loss.map(index));
                places.push(DifferenceKey {
                    severity,
                    when,
                    repository: index(number),
                    image: index(at),
                    expected,
                    loss,
                    outcome,
                });
            }
        }
        places
    }

    fn pair(
        &self,
        real: &'h Image,
        expected: Option<usize>,
        loss: Option<usize>,
        outcome: Outcome,
    ) -> Pair<'h> {
        let expected = expected.and_then(|index| self.simulated.expected.get(index));
        Pair { expected, loss: loss.and_then(|index| real.losses.get(index)), outcome }
    }

    /// Index of the run that a moment belongs to.
    fn run(&self, at: i64) -> usize {
        self.simulated.run_starts.partition_point(|start| *start <= at)
    }

    /// Pairs expected and logged ends: first those of the same run, then those of the same life of the
    /// image.
    fn pairs(
        &self,
        mut left: Vec<usize>,
        losses: Vec<usize>,
        real: &Image,
    ) -> Vec<(Option<usize>, Option<usize>, Outcome)> {
        let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
        let mut take = |fits: &dyn Fn(&ExpectedRemoval) -> bool| {
            let place =
                left.iter().position(|index| self.simulated.expected.get(*index).is_some_and(fits))?;
            Some(left.remove(place))
        };
        for index in losses {
            let Some(loss) = real.losses.get(index) else { continue };
            let run = self.run(loss.at);
            match take(&|one| one.event.is_some() && self.run(one.at) == run) {
                Some(one) => pairs.push((Some(one), Some(index), self.same_run(one, loss))),
                None => unmatched.push((index, loss.pushed_at)),
            }
        }
        for (index, pushed_at) in unmatched {
            let other = take(&|one| one.pushed_at == pushed_at);
            pairs.push((
                other,
                Some(index),
                if other.is_some() { Outcome::OtherRun } else { Outcome::LoggedOnly },
            ));
        }
        pairs.extend(left.into_iter().map(|one| (Some(one), None, Outcome::PredictedOnly)));
        pairs
    }

    fn same_run(&self, one: usize, loss: &Loss) -> Outcome {
        // The rules of another policy have priorities of their own.
        let stated = loss.run.as_ref().map(|run| run.rule_priority).filter(|priority| *priority >= 0);
        let other = matches!(self.scenario, Scenario::InForce)
            && stated != self.simulated.expected.get(one).map(|one| one.rule_priority)
            && stated.is_some();
        if other { Outcome::OtherRule } else { Outcome::Agrees }
    }

    fn rule(&self, one: &ExpectedRemoval) -> Option<&'h Rule> {
        self.history.policy(one.policy).rule(one.rule_priority)
    }

    fn element(&self, place: &DifferenceKey) -> Option<WhatIf> {
        let (history, image) = (self.history, self.simulated.images.get(place.image as usize)?);
        let real = self.logged.image(image.digest)?;
        let index = |index: Option<u32>| index.map(|index| index as usize);
        let pair = self.pair(real, index(place.expected), index(place.loss), place.outcome);
        let rule = pair.expected.and_then(|one| self.rule(one));
        // The end under the other policy; under the one in force, the logged end.
        let end = self.simulated_end(image, &pair).or(pair.loss);
        let harm = self.harm(image, real, &pair);
        let displaced = end.map_or(image.displaced.as_deref(), |end| end.displaced.as_deref());
        let run_event = pair.expected.and_then(|one| one.event.some());
        let mut events: Vec<EventNo> =
            run_event.into_iter().chain(pair.loss.map(|loss| loss.event)).collect();
        events.extend(
            displaced.into_iter().flat_map(|displaced| [displaced.first_push, displaced.second_push]),
        );
        events.extend(&harm.evidence);
        let mut tags: Vec<LogText> = end
            .map_or(&image.tags, |end| &end.tags)
            .iter()
            .filter_map(|(tag, _)| history.log_text(*tag))
            .collect();
        tags.sort_unstable();
        let pushed_at =
            pair.expected.map_or_else(|| pair.loss.and_then(|loss| loss.pushed_at), |one| one.pushed_at);
        let needed_loss = pair.loss.filter(|_| harm.severity.is_some());
        let reasons =
            needed_loss.map(|loss| why(history, self.logged, real, loss).reasons).unwrap_or_default();
        let would_go_at = pair.expected.map(|one| Timestamp::from_millis(one.at));
        let repository: Repository = history.repository(self.logged);
        Some(WhatIf {
            digest: history.digest_or_zero(image.digest),
            tags,
            pushed_at: pushed_at.map(Timestamp::from_millis),
            untagged_at: end.map_or(image.untagged_at, |end| end.untagged_at).map(Timestamp::from_millis),
            displaced: displaced.is_some(),
            outcome: pair.outcome,
            would_go_at,
            run: pair
                .expected
                .map(|one| if one.event.is_some() { RunKind::Logged } else { RunKind::Modelled }),
            run_event: run_event.map(|event| history.event(event)),
            rule_priority: pair.expected.map(|one| one.rule_priority),
            rule: rule.map(|rule| rule.text.clone()),
            action: rule.map(|rule| rule.action),
            went_at: pair.loss.map(|loss| Timestamp::from_millis(loss.at)),
            logged: pair.loss.map(|loss| deleted(history, loss)),
            pulled_after: pair.expected.is_some() && harm.usage.pulls_after_gone > 0,
            needed: harm.severity.is_some(),
            severity: harm.severity,
            explanation: self.explanation(&pair, real),
            reasons,
            summary: story::summary(history, &repository, image, &pair, rule, &harm),
            pinned_by: harm.pinned,
            usage: harm.usage,
            evidence: evidence(history, events),
            repository,
        })
    }

    /// The end of an image in a simulation of another policy.
    fn simulated_end<'i>(&self, image: &'i Image, pair: &Pair<'_>) -> Option<&'i Loss> {
        let one = pair.expected.filter(|_| matches!(self.scenario, Scenario::Instead(_)))?;
        image.losses.iter().find(|loss| loss.at == one.at && is_by_run(loss))
    }

    /// Anything deployed with the image after it would have been gone, however briefly, could not have been
    /// deployed.
    fn with_later_pins(&self, mut harm: Harm, image: &Image, loss: &Loss) -> Harm {
        let pins = |found: &&Use| found.kind.pins();
        for found in
            image.uses.iter().filter(pins).filter(|found| found.from > loss.at && found.from < loss.until)
        {
            harm.severity = Some(harm.severity.map_or(Severity::High, |known| known.min(Severity::High)));
            harm.evidence.push(found.event);
            harm.pinned.extend(self.history.log_text(found.by));
        }
        harm.pinned.sort_unstable();
        harm.pinned.dedup();
        harm
    }

    fn harm(&self, image: &Image, real: &Image, pair: &Pair<'_>) -> Harm {
        let is_child = self.simulated.parents.contains_key(&image.digest);
        match (self.simulated_end(image, pair), pair.loss) {
            (Some(loss), _) => {
                self.with_later_pins(usage_of_loss(self.history, image, loss, is_child), image, loss)
            }
            (None, Some(loss)) => usage_of_loss(self.history, real, loss, is_child),
            (None, None) => usage_of_living(self.history, real, is_child),
        }
    }
}

/// Whether a lifecycle run ended that life.
fn is_by_run(loss: &Loss) -> bool {
    loss.run.is_some() && matches!(loss.end, End::Expired | End::Archived)
}
