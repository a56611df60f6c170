//! Who put the policy and when, and what was changed in it too late.

use super::{ReasonFound, Subject, caller};
use crate::detect::story::span;
use crate::model::{ReasonKind, times};
use crate::timeline::{KnownFrom, PolicyChange};

pub fn put(subject: Subject<'_>) -> Option<ReasonFound> {
    let (history, loss) = (subject.history, subject.loss);
    let before: Vec<&PolicyChange> =
        subject.repository.policies.iter().filter(|change| subject.time(change.event) <= loss.at).collect();
    let same = |change: &PolicyChange| history.policy(change.policy).is_same_as(subject.policy);
    let Some(last) = before.last().filter(|last| same(last)) else {
        let text = "Who put the policy is not in these logs: it was there before they begin. Widen --since.";
        return Some(subject.told(ReasonKind::PolicyPut, text.to_owned(), Vec::new()));
    };
    // A pipeline may put the same policy every night: the first time is what counts.
    let first = before.iter().rev().take_while(|change| same(change)).last().unwrap_or(last);
    let ago = span((loss.at - subject.time(first.event)).div_euclid(1000));
    let when = history.time(first.event);
    let text = match first.known_from {
        Some(KnownFrom::Put) => {
            let again =
                before.iter().rev().take_while(|change| same(change) && change.event != first.event).count();
            let again = if again > 0 { format!(", and again {} since", times(again)) } else { String::new() };
            format!(
                "The policy was put by {} at {when}, {ago} before that{again}.",
                caller(history, first.event)
            )
        }
        Some(KnownFrom::Template) => format!(
            "The policy came with the repository, made at {when}: from the creation template that {} put at \
             {}.",
            caller(history, first.put_by),
            history.time(first.put_by)
        ),
        _ if before.iter().any(|change| change.known_from == Some(KnownFrom::Put)) => {
            format!(
                "Who put this policy is not in these logs; a lifecycle run states it first at {when}, and \
                 another one was put before."
            )
        }
        _ => format!(
            "Who put the policy is not in these logs: it was there before they begin, and a lifecycle run \
             states it first at {when}."
        ),
    };
    Some(subject.told(ReasonKind::PolicyPut, text, vec![first.event, first.put_by]))
}

/// How the repository's policy was changed after the loss.
pub fn changed(subject: Subject<'_>) -> Option<ReasonFound> {
    let (history, at) = (subject.history, subject.loss.at);
    let after = subject
        .repository
        .policies
        .iter()
        .filter(|change| subject.time(change.event) > at && change.known_from != Some(KnownFrom::Run));
    let mut differing = after.filter(|change| !history.policy(change.policy).is_same_as(subject.policy));
    let first = differing.next()?;
    let last = differing.next_back().unwrap_or(first);
    let (by, when) = (caller(history, last.event), history.time(last.event));
    let now = history.policy(last.policy).rule(subject.rule.priority);
    let what = match now {
        _ if last.known_from.is_none() => format!("{by} deleted the policy at {when}"),
        Some(now) if now.is_same_as(subject.rule) => {
            format!("{by} changed other rules of the policy at {when}; this one stayed")
        }
        Some(now) => format!("{by} changed the policy at {when}: it is {} since", now.in_words()),
        None => format!("{by} changed the policy at {when}: it has no rule {} since", subject.rule.priority),
    };
    let text = format!("{what}. That was after the loss, and brings nothing back.");
    Some(subject.told(ReasonKind::ChangedSince, text, vec![last.event]))
}
