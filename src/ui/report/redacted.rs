//! Redaction of the parts of a report other than findings.

use super::next::Next;
use super::repositories::{PolicyKnown, RepositoryLine};
use super::story::{Ask, Holder, Story};
use crate::redact::{Redact, Redactor};

impl Redact for Story {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            life,
            other,
            other_is_source: _,
            tag,
            asks,
            holders,
            rule,
            presumed: _,
            back_at: _,
            runs: _,
            policies: _,
            locked: _,
            behind,
        } = self;
        life.redact(by);
        other.redact(by);
        tag.redact(by);
        for Ask { at: _, by: actor, stopped: _, in_vain: _ } in asks {
            actor.iter_mut().for_each(|actor| *actor = by.actor(actor));
        }
        for Holder { by: name, from: _, until: _ } in holders {
            *name = by.actor(name);
        }
        rule.redact(by);
        behind.redact(by);
    }
}

impl Redact for RepositoryLine {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, images: _, findings: _, policy, last_run, runs: _ } = self;
        repository.redact(by);
        match policy {
            PolicyKnown::Put(event) | PolicyKnown::Stated(event) | PolicyKnown::Deleted(event) => {
                event.redact(by)
            }
            PolicyKnown::Unknown => {}
        }
        last_run.redact(by);
    }
}

impl Redact for Next {
    fn redact(&mut self, by: &Redactor) {
        let Self { as_of: _, images: _, needed: _, unknown: _, rows } = self;
        rows.redact(by);
    }
}
