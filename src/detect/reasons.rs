//! Why the rule took this image: which images outnumbered it, from when its age counted, which of its tags
//! the rule selects, which rule should have protected it, who put the policy, and what was changed too
//! late. Everything that reports a loss shows these reasons.

mod age;
mod count;
mod policy;
mod presumed;
mod tags;
#[cfg(test)]
mod tests;

use super::story::{evidence, rule_of};
use crate::model::{IamPrincipal, Reason, ReasonKind};
use crate::policy::{Policy, Rule};
use crate::timeline::{EventNo, History, Image, Loss, RepositoryHistory, Step, Sym};

/// The reasons for a loss, and what to do about them.
#[derive(Debug, Clone, Default)]
pub struct Why {
    pub reasons: Vec<Reason>,
    /// What would have kept the image, according to the reasons; never something that has been done
    /// already.
    pub advice: Vec<String>,
}

impl Why {
    fn say(&mut self, told: Option<ReasonFound>) {
        if let Some(ReasonFound { reason, advice }) = told {
            self.reasons.push(reason);
            self.advice.extend(advice);
        }
    }

    pub fn of_kind(&self, kind: ReasonKind) -> Option<&Reason> {
        self.reasons.iter().find(|reason| reason.kind == kind)
    }
}

/// One reason, with its evidence and the advice that follows from it.
struct ReasonFound {
    reason: Reason,
    advice: Option<String>,
}

/// One loss, and the rule behind it.
#[derive(Clone, Copy)]
struct Subject<'h> {
    history: &'h History,
    repository: &'h RepositoryHistory,
    image: &'h Image,
    loss: &'h Loss,
    rule: &'h Rule,
    policy: &'h Policy,
}

/// Why a rule took the image. Losses by a call get no reasons.
pub fn why(history: &History, repository: &RepositoryHistory, image: &Image, loss: &Loss) -> Why {
    if let Some(because) = loss.presumed {
        return presumed::why(history, repository, image, loss, because);
    }
    let mut why = Why::default();
    let (Some(rule), Some(run)) = (rule_of(history, loss), loss.run.as_ref()) else { return why };
    let subject = Subject { history, repository, image, loss, rule, policy: history.policy(run.policy) };
    why.say(tags::matched(subject));
    why.say(count::outnumbered(subject));
    why.say(age::since_push(subject));
    why.say(age::since_pull(subject));
    why.say(tags::unprotected(subject));
    why.say(policy::put(subject));
    why.say(policy::changed(subject));
    if why.of_kind(ReasonKind::ChangedSince).is_some() {
        // The rule has been changed since: advice to change that rule is dropped.
        why.advice.retain(|advice| !advice.starts_with(count::KEEP_MORE));
    }
    why
}

impl<'h> Subject<'h> {
    fn told(self, kind: ReasonKind, text: String, events: Vec<EventNo>) -> ReasonFound {
        ReasonFound { reason: Reason { kind, text, evidence: evidence(self.history, events) }, advice: None }
    }

    /// The image's tags when it was lost, as the run's event lists them.
    fn tags(self) -> Vec<&'h str> {
        let listed = self.loss.run.as_ref().map(|run| &*run.tags).unwrap_or_default();
        let known = || self.loss.tags.iter().map(|(tag, _)| *tag).collect();
        let tags: Vec<Sym> = if listed.is_empty() { known() } else { listed.to_vec() };
        let mut tags: Vec<&str> = tags.into_iter().map(|tag| self.history.text(tag)).collect();
        tags.sort_unstable();
        tags
    }

    /// The steps of the life that ended with this loss.
    fn life(self) -> &'h [Step] {
        self.image.steps.get(self.loss.first_step as usize..=self.loss.end_step as usize).unwrap_or_default()
    }

    fn time(self, event: EventNo) -> i64 {
        self.history.noted(event).time
    }
}

/// The caller: `role/session` for a session, the name for a user, else what the record says.
pub fn caller(history: &History, event: EventNo) -> String {
    let actor = history.text(history.noted(event).actor);
    match IamPrincipal::of(actor) {
        Some(_) if actor.contains(":assumed-role/") => {
            actor.split_once(":assumed-role/").map_or(actor, |(_, session)| session).to_owned()
        }
        Some(principal) => principal.name.to_owned(),
        None if actor.is_empty() => "somebody".to_owned(),
        None => actor.to_owned(),
    }
}

/// The role or user behind a caller; sessions of one role are one principal.
fn principal(history: &History, event: EventNo) -> String {
    let actor = history.text(history.noted(event).actor);
    IamPrincipal::of(actor).map_or_else(|| caller(history, event), |principal| principal.name.to_owned())
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(words: &[impl AsRef<str>]) -> String {
    match words {
        [] => String::new(),
        [one] => one.as_ref().to_owned(),
        [first @ .., last] => format!(
            "{} and {}",
            first.iter().map(AsRef::as_ref).collect::<Vec<_>>().join(", "),
            last.as_ref()
        ),
    }
}
