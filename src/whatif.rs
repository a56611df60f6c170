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
use crate::timeline::{DigestNo, End, EventNo, Foreseen, History, Image, Loss, RepositoryHistory, Supposition, Use};

/// What the policy takes compared with the logs, worst first. Elements are made one at a time, as there may
/// be millions.
pub struct WhatIfs<'h> {
    history: &'h History,
    supposition: &'h Supposition,
    places: Vec<Place>,
    pub totals: WhatIfTotals,
    /// What such a replay cannot tell, one sentence each.
    pub notes: Vec<String>,
}

/// Sort position of an element. Severities are declared from worst to harmless; images that nobody needs
/// come last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    severity: Option<Severity>,
    when: i64,
    repository: u32,
    /// Index of the image in the simulated repository.
    image: u32,
    foreseen: Option<u32>,
    loss: Option<u32>,
    outcome: Outcome,
}

impl<'h> WhatIfs<'h> {
    /// Compares the simulation that `history` was finished with to the logs.
    pub fn new(history: &'h History, supposition: &'h Supposition) -> Self {
        let of = |number: usize| Comparison::new(history, supposition, number).map(|comparison| comparison.places(number)).unwrap_or_default();
        let mut places: Vec<Place> = (0..history.repositories().len()).into_par_iter().flat_map_iter(of).collect();
        places.par_sort_unstable_by_key(|place| (place.severity.is_none(), *place));
        let totals = totals(history, supposition, &places);
        Self { history, supposition, notes: story::notes(history, supposition, &totals), places, totals }
    }

    pub fn iter(&self) -> impl Iterator<Item = WhatIf> + '_ {
        self.places.iter().filter_map(move |place| {
            let comparison = Comparison::new(self.history, self.supposition, place.repository as usize)?;
            comparison.element(place)
        })
    }

    /// How badly somebody needed each image that the policy would have taken.
    pub fn alarms(&self) -> impl Iterator<Item = Severity> + '_ {
        self.places.iter().filter(|place| place.foreseen.is_some()).filter_map(|place| place.severity)
    }
}

fn totals(history: &History, supposition: &Supposition, places: &[Place]) -> WhatIfTotals {
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
        totals.needed += u64::from(place.foreseen.is_some() && place.severity.is_some());
    }
    let played = match supposition {
        Supposition::InForce => history.repositories(),
        Supposition::Instead(_) => history.supposed(),
    };
    totals.runs_logged = played.iter().map(|repository| repository.run_starts.len() as u64).sum();
    totals.runs_modelled = played.iter().map(|repository| repository.runs_made_up).sum();
    totals
}

/// One repository as logged, and as simulated.
struct Comparison<'h> {
    history: &'h History,
    supposition: &'h Supposition,
    logged: &'h RepositoryHistory,
    supposed: &'h RepositoryHistory,
}

/// An image that a run should have taken, that a run did take, or both.
struct Pair<'h> {
    foreseen: Option<&'h Foreseen>,
    loss: Option<&'h Loss>,
    outcome: Outcome,
}

impl<'h> Comparison<'h> {
    fn new(history: &'h History, supposition: &'h Supposition, number: usize) -> Option<Self> {
        let logged = history.repositories().get(number)?;
        let supposed = match supposition {
            Supposition::InForce => logged,
            Supposition::Instead(_) => history.supposed().get(number)?,
        };
        Some(Self { history, supposition, logged, supposed })
    }

    /// The differences in the repository with this index.
    fn places(&self, number: usize) -> Vec<Place> {
        let mut foreseen: HashMap<DigestNo, Vec<usize>> = HashMap::new();
        for (index, one) in self.supposed.foreseen.iter().enumerate() {
            foreseen.entry(one.digest).or_default().push(index);
        }
        let index = |index: usize| u32::try_from(index).unwrap_or(u32::MAX);
        let mut places = Vec::new();
        for (at, image) in self.supposed.images.iter().enumerate() {
            let foreseen = foreseen.remove(&image.digest).unwrap_or_default();
            let Some(real) = self.logged.image(image.digest) else { continue };
            let losses = (0..real.losses.len()).filter(|loss| is_by_run(&real.losses[*loss])).collect();
            for (one, loss, outcome) in self.pairs(foreseen, losses, real) {
                let pair = self.pair(real, one, loss, outcome);
                let severity = self.harm(image, real, &pair).severity;
                let when = pair.foreseen.map(|one| one.at).or(pair.loss.map(|loss| loss.at)).unwrap_or_default();
                let (foreseen, loss) = (one.map(index), loss.map(index));
                places.push(Place { severity, when, repository: index(number), image: index(at), foreseen, loss, outcome });
            }
        }
        places
    }

    fn pair(&self, real: &'h Image, foreseen: Option<usize>, loss: Option<usize>, outcome: Outcome) -> Pair<'h> {
        let foreseen = foreseen.and_then(|index| self.supposed.foreseen.get(index));
        Pair { foreseen, loss: loss.and_then(|index| real.losses.get(index)), outcome }
    }

    /// Index of the run that a moment belongs to.
    fn run(&self, at: i64) -> usize {
        self.supposed.run_starts.partition_point(|start| *start <= at)
    }

    /// Pairs expected and logged ends: first those of the same run, then those of the same life of the
    /// image.
    fn pairs(&self, mut left: Vec<usize>, losses: Vec<usize>, real: &Image) -> Vec<(Option<usize>, Option<usize>, Outcome)> {
        let (mut pairs, mut unmatched) = (Vec::new(), Vec::new());
        let mut take = |fits: &dyn Fn(&Foreseen) -> bool| {
            let place = left.iter().position(|index| self.supposed.foreseen.get(*index).is_some_and(fits))?;
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
            pairs.push((other, Some(index), if other.is_some() { Outcome::OtherRun } else { Outcome::LoggedOnly }));
        }
        pairs.extend(left.into_iter().map(|one| (Some(one), None, Outcome::PredictedOnly)));
        pairs
    }

    fn same_run(&self, one: usize, loss: &Loss) -> Outcome {
        // The rules of another policy have priorities of their own.
        let stated = loss.run.as_ref().map(|run| run.rule_priority).filter(|priority| *priority >= 0);
        let other = matches!(self.supposition, Supposition::InForce)
            && stated != self.supposed.foreseen.get(one).map(|one| one.rule_priority)
            && stated.is_some();
        if other { Outcome::OtherRule } else { Outcome::Agrees }
    }

    fn rule(&self, one: &Foreseen) -> Option<&'h Rule> {
        self.history.policy(one.policy).rule(one.rule_priority)
    }

    fn element(&self, place: &Place) -> Option<WhatIf> {
        let (history, image) = (self.history, self.supposed.images.get(place.image as usize)?);
        let real = self.logged.image(image.digest)?;
        let index = |index: Option<u32>| index.map(|index| index as usize);
        let pair = self.pair(real, index(place.foreseen), index(place.loss), place.outcome);
        let rule = pair.foreseen.and_then(|one| self.rule(one));
        // The end under the other policy; under the one in force, the logged end.
        let end = self.supposed_end(image, &pair).or(pair.loss);
        let harm = self.harm(image, real, &pair);
        let displaced = end.map_or(image.displaced.as_deref(), |end| end.displaced.as_deref());
        let run_event = pair.foreseen.and_then(|one| one.event.some());
        let mut events: Vec<EventNo> = run_event.into_iter().chain(pair.loss.map(|loss| loss.event)).collect();
        events.extend(displaced.into_iter().flat_map(|displaced| [displaced.first_push, displaced.second_push]));
        events.extend(&harm.evidence);
        let mut tags: Vec<LogText> = end.map_or(&image.tags, |end| &end.tags).iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
        tags.sort_unstable();
        let pushed_at = pair.foreseen.map_or_else(|| pair.loss.and_then(|loss| loss.pushed_at), |one| one.pushed_at);
        let needed_loss = pair.loss.filter(|_| harm.severity.is_some());
        let reasons = needed_loss.map(|loss| why(history, self.logged, real, loss).reasons).unwrap_or_default();
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
            action: rule.map(|rule| rule.action),
            went_at: pair.loss.map(|loss| Timestamp::from_millis(loss.at)),
            logged: pair.loss.map(|loss| deleted(history, loss)),
            pulled_after: pair.foreseen.is_some() && harm.usage.pulls_after_gone > 0,
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
    fn supposed_end<'i>(&self, image: &'i Image, pair: &Pair<'_>) -> Option<&'i Loss> {
        let one = pair.foreseen.filter(|_| matches!(self.supposition, Supposition::Instead(_)))?;
        image.losses.iter().find(|loss| loss.at == one.at && is_by_run(loss))
    }

    /// Anything deployed with the image after it would have been gone, however briefly, could not have been
    /// deployed.
    fn with_later_pins(&self, mut harm: Harm, image: &Image, loss: &Loss) -> Harm {
        let pins = |found: &&Use| found.kind.pins();
        for found in image.uses.iter().filter(pins).filter(|found| found.from > loss.at && found.from < loss.until) {
            harm.severity = Some(harm.severity.map_or(Severity::High, |known| known.min(Severity::High)));
            harm.evidence.push(found.event);
            harm.pinned.extend(self.history.log_text(found.by));
        }
        harm.pinned.sort_unstable();
        harm.pinned.dedup();
        harm
    }

    fn harm(&self, image: &Image, real: &Image, pair: &Pair<'_>) -> Harm {
        let is_child = self.supposed.parents.contains_key(&image.digest);
        match (self.supposed_end(image, pair), pair.loss) {
            (Some(loss), _) => self.with_later_pins(usage_of_loss(self.history, image, loss, is_child), image, loss),
            (None, Some(loss)) => usage_of_loss(self.history, real, loss, is_child),
            (None, None) => usage_of_living(self.history, real, is_child),
        }
    }
}

/// Whether a lifecycle run ended that life.
fn is_by_run(loss: &Loss) -> bool {
    loss.run.is_some() && matches!(loss.end, End::Expired | End::Archived)
}
