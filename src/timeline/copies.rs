//! Drops second copies of events while logs are still being read, so that copies take no memory.
//!
//! Which record of a call is kept is decided at the end (`calls`). If two records say the same in every
//! word, that will be the one whose object comes first by name, so the other one can be dropped at once.

use std::collections::hash_map::Entry;

use super::fact::{Fact, Noted};
use super::fold::Fold;
use super::names::{EventNo, Map, Names, Sym};
use crate::model::{Identity, ReadFailure};

/// With fewer events than this, copies are not searched for.
const EVENTS_MIN: usize = 1 << 16;

/// A copy of an event of which nothing was taken, and where it was.
pub(super) struct Silent {
    pub(super) identity: Identity,
    pub(super) object: Sym,
    pub(super) record: u32,
    /// Why it could not be understood; [`Sym::NONE`] if it was, and means nothing for images.
    pub(super) failed: Sym,
}

impl Fold {
    /// Drops copies whenever the number of events has doubled since the last time.
    pub(super) fn drop_copies_if_due(&mut self) {
        if self.events.len() >= EVENTS_MIN.max(2 * self.events_without_copies) {
            self.drop_copies();
            self.events_without_copies = self.events.len();
        }
    }

    /// Of events that say the same, keeps the one that comes first by object and record.
    pub(crate) fn drop_copies(&mut self) {
        let facts_of = facts_by_event(&self.facts, self.events.len());
        let same_facts = |one: usize, other: usize| {
            let facts =
                |event: usize| self.facts.get(facts_of[event]..facts_of[event + 1]).unwrap_or_default();
            let alike =
                |(one, other): (&Fact, &Fact)| one.repository == other.repository && one.what == other.what;
            facts(one).len() == facts(other).len() && facts(one).iter().zip(facts(other)).all(alike)
        };
        let mut first: Map<Identity, usize> = Map::default();
        first.reserve(self.events.len() / 2);
        let mut kept = vec![true; self.events.len()];
        for (index, kept) in kept.iter_mut().enumerate() {
            let known = match first.entry(self.events[index].identity) {
                Entry::Vacant(place) => {
                    place.insert(index);
                    continue;
                }
                Entry::Occupied(known) => *known.get(),
            };
            if self.events[index].is_copy_of(&self.events[known]) && same_facts(index, known) {
                *kept = false;
                if stands_before(&self.events[index], &self.events[known], &self.names) {
                    let Noted { object, record, .. } = self.events[index];
                    self.events[known] = Noted { object, record, ..self.events[known] };
                }
            }
        }
        if kept.contains(&false) {
            self.keep(&kept);
        }
    }

    /// Drops events of which a copy without content comes first.
    pub(super) fn drop_silenced(&mut self) {
        if self.silent.is_empty() {
            return;
        }
        let first = self.first_silent();
        let silenced = |event: &Noted| {
            let silent = first.get(&event.identity);
            silent.is_some_and(|silent| self.place_of(silent) < (self.names.text(event.object), event.record))
        };
        let kept: Vec<bool> = self.events.iter().map(|event| !silenced(event)).collect();
        if kept.contains(&false) {
            self.keep(&kept);
        }
    }

    /// Of each event the first silent copy.
    fn first_silent(&self) -> Map<Identity, &Silent> {
        let mut first: Map<Identity, &Silent> = Map::default();
        for silent in &self.silent {
            let known = first.entry(silent.identity).or_insert(silent);
            if self.place_of(silent) < self.place_of(known) {
                *known = silent;
            }
        }
        first
    }

    fn place_of(&self, silent: &Silent) -> (&str, u32) {
        (self.names.text(silent.object), silent.record)
    }

    /// The events that could not be understood, each once: the copy of it that counts, the first by object and
    /// record, is such a one. In the order of their places.
    pub fn not_understood(&self) -> Vec<ReadFailure> {
        if self.silent.iter().all(|silent| silent.failed == Sym::NONE) {
            return Vec::new();
        }
        let mut first = self.first_silent();
        for event in &self.events {
            let place = (self.names.text(event.object), event.record);
            if first.get(&event.identity).is_some_and(|silent| place < self.place_of(silent)) {
                first.remove(&event.identity);
            }
        }
        let failure = |silent: &Silent| ReadFailure {
            object: self.names.text(silent.object).into(),
            record: Some(u64::from(silent.record)),
            reason: self.names.text(silent.failed).to_owned(),
        };
        let failed = first.into_values().filter(|silent| silent.failed != Sym::NONE);
        let mut failures: Vec<ReadFailure> = failed.map(failure).collect();
        failures.sort_unstable();
        failures
    }

    /// Keeps only the chosen events and their facts.
    fn keep(&mut self, kept: &[bool]) {
        let mut numbers = Vec::with_capacity(kept.len());
        let mut next = 0;
        for &keep in kept {
            numbers.push(EventNo::from_index(next));
            next += usize::from(keep);
        }
        self.facts.retain_mut(|fact| {
            let index = fact.event.index();
            fact.event = numbers[index];
            kept[index]
        });
        let mut each = kept.iter();
        self.events.retain(|_| each.next() == Some(&true));
        self.references = self.facts.iter().map(|fact| fact.what.references()).sum();
        self.facts_bytes = self.facts.iter().map(|fact| fact.what.heap_bytes()).sum();
        self.facts.shrink_to(self.facts.len() * 2);
        self.events.shrink_to(self.events.len() * 2);
    }
}

/// For each event, the index of its first fact. Facts are in the order of their events.
fn facts_by_event(facts: &[Fact], events: usize) -> Vec<usize> {
    let mut starts = vec![0; events + 1];
    for fact in facts {
        starts[fact.event.index() + 1] += 1;
    }
    for event in 0..events {
        starts[event + 1] += starts[event];
    }
    starts
}

fn stands_before(one: &Noted, other: &Noted, names: &Names) -> bool {
    (names.text(one.object), one.record) < (names.text(other.object), other.record)
}

#[cfg(test)]
mod tests {
    use crate::model::Filter;
    use crate::timeline::tests::log::Log;

    use super::*;

    fn fold(log: &Log, objects: &[&str]) -> Fold {
        let mut fold = Fold::default();
        for object in objects {
            for (record, recognized) in (0..).zip(&log.events) {
                fold.absorb(recognized, object, record);
            }
        }
        fold
    }

    #[test]
    fn copies_go_and_the_history_stays_the_same() {
        let mut log = Log::default();
        log.push(1, "v1")
            .push(2, "v1")
            .push_image(3, None, &[])
            .at(90_000)
            .expire(1, &[])
            .expire(3, &[])
            .expire(2, &["v1"]);
        let mut compact = fold(&log, &["c", "a", "b", "a"]);
        let all = compact.events.len();
        compact.drop_copies();
        assert_eq!(compact.events.len(), all / 4);
        assert!(compact.facts.iter().all(|fact| fact.event.index() < compact.events.len()));
        let told = |fold: Fold| {
            serde_json::to_string(&fold.finish(&Filter::default()).timelines().collect::<Vec<_>>()).unwrap()
        };
        assert_eq!(told(compact), told(fold(&log, &["c", "a", "b", "a"])));
    }

    #[test]
    fn a_copy_that_says_nothing_silences_those_behind_it() {
        let mut log = Log::default();
        log.push(1, "v1").push(2, "v1");
        let identity = log.events[0].event.identity;
        for (object, left) in [("a", 2), ("c", 4)] {
            let mut fold = fold(&log, &["b", "b2"]);
            let mut other = Fold::default();
            other.absorb_nothing(identity, object, 0, None);
            other.merge(fold);
            fold = other;
            fold.drop_silenced();
            assert_eq!(fold.events.len(), left, "{object}");
        }
    }

    #[test]
    fn an_event_that_cannot_be_understood_is_one_failure_whatever_its_copies() {
        let mut log = Log::default();
        log.push(1, "v1").push(2, "v1");
        let [understood, other] = [0, 1].map(|at| log.events[at].event.identity);
        let unknown = Identity { id: 7, rest: 7 };
        let (mut one, mut two) = (fold(&log, &["b"]), fold(&log, &["d"]));
        for (fold, object) in [(&mut one, "c"), (&mut two, "a")] {
            fold.absorb_nothing(unknown, object, 5, Some("no name"));
            fold.absorb_nothing(understood, "c", 6, Some("behind one that says it"));
        }
        two.absorb_nothing(other, "a", 7, Some("before all others"));
        one.merge(two);
        let told: Vec<_> =
            one.not_understood().iter().map(|failure| (failure.record, failure.reason.clone())).collect();
        assert_eq!(told, [(Some(5), "no name".to_owned()), (Some(7), "before all others".to_owned())]);
    }

    #[test]
    fn what_is_told_otherwise_under_the_same_id_is_no_copy() {
        let mut log = Log::default();
        log.push(1, "v1").push(1, "v1");
        let (first, second) = log.events.split_at_mut(1);
        second[0].event.identity = first[0].event.identity;
        second[0].event.id = first[0].event.id.clone();
        second[0].event.user_agent = Some("another".into());
        let mut fold = fold(&log, &["a", "b"]);
        fold.drop_copies();
        assert_eq!(fold.events.len(), 3, "of the second only the first is compared");
    }
}
