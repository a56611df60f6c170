//! What the logs do not show of a session, or contradict. It is reported with the session, and never filled
//! by a guess.

use std::collections::BTreeSet;

use super::calls::Caller;
use super::chain::Answer;
use super::nodes::{Doubt, Node};
use super::short;
use crate::model::{LogText, TraceGap, TraceGapKind, plural, plural_verb};

/// The gaps of a session.
pub(super) fn gaps(answer: &Answer<'_>, node: &Node) -> Vec<TraceGap> {
    let mut gaps = Vec::new();
    let mut add = |kind: TraceGapKind, text: String| gaps.push(TraceGap { kind, text });
    match node.doubt {
        Some(Doubt::Several(number)) => add(
            TraceGapKind::Ambiguous,
            format!(
                "{number} calls began a session of this name at this time, and nothing tells which of them \
                 began this one"
            ),
        ),
        Some(Doubt::Returned(number)) => {
            add(
                TraceGapKind::ReturnedTwice,
                format!("its key was returned by {number} calls, which is for one of them to do"),
            );
        }
        Some(Doubt::Circle) => add(
            TraceGapKind::Circle,
            "it would be its own ancestor: what began it was called with its own credentials".to_owned(),
        ),
        None => {}
    }
    if node.begun_by.is_none() && node.doubt.is_none() && is_temporary(answer, node) {
        add(TraceGapKind::NotLogged, not_logged(answer, node));
    }
    let others = [
        (TraceGapKind::OtherKey, other_keys(answer, node)),
        (TraceGapKind::SharedName, shared_name(answer, node)),
        (TraceGapKind::AfterExpiry, after_expiry(answer, node)),
    ];
    for (kind, text) in others {
        text.into_iter().for_each(|text| add(kind, text));
    }
    gaps
}

/// Whether its credentials were returned by a call, as opposed to a user's own keys.
fn is_temporary(answer: &Answer<'_>, node: &Node) -> bool {
    answer.caller(node).any(|caller| {
        let key = caller.key.as_ref().is_some_and(|key| key.raw().starts_with("ASIA"));
        key || caller.created_at.is_some()
            || caller.kind.as_ref().is_some_and(|kind| matches!(kind.raw(), "AssumedRole" | "FederatedUser"))
    })
}

fn not_logged(answer: &Answer<'_>, node: &Node) -> String {
    if let Some(services) = in_its_name(answer, node) {
        return format!(
            "{services} called in its name alone: the keys that services make for that are in no log"
        );
    }
    let lead = "the call that began it is not in these logs";
    let (began, begin) = (answer.began(node), answer.known.begin);
    if let (Some(began), Some(begin)) = (began, begin)
        && began < begin
    {
        return format!(
            "{lead}: it began at {began}, and they begin at {begin}; take an earlier --since, or more of them"
        );
    }
    let account = answer.caller(node).find_map(|caller: &Caller| caller.account.clone());
    match account {
        Some(account) if !answer.known.accounts.contains(&account) => format!(
            "{lead}, nor is any other call that begins sessions in the trail of its account: take that trail \
             in, with us-east-1, where the global endpoint of STS logs"
        ),
        _ => format!(
            "{lead}: it may be in the trail of another account, or in us-east-1, where the global endpoint of \
             STS logs"
        ),
    }
}

/// The services that called, if nobody else called in a session.
fn in_its_name(answer: &Answer<'_>, node: &Node) -> Option<String> {
    let all: Option<BTreeSet<&str>> =
        answer.caller(node).map(|caller| caller.invoked_by.as_ref().map(LogText::raw)).collect();
    let all: Vec<&str> = all?.into_iter().collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

fn other_keys(answer: &Answer<'_>, node: &Node) -> Option<String> {
    let (_, begun) = answer.begun(node)?;
    let returned = begun.key.as_ref();
    let other = |caller: &&Caller| caller.key.as_ref() != returned;
    let number = answer.caller(node).filter(other).count() as u64;
    if number == 0 {
        return None;
    }
    let how = if returned.is_some() {
        "signed with another key than the one that was returned, or with none"
    } else {
        "of a session whose key no call returned"
    };
    let calls = plural_verb(number, "call", ["is", "are"]);
    Some(format!("{calls} {how}: role, session name and beginning are the same"))
}

fn shared_name(answer: &Answer<'_>, node: &Node) -> Option<String> {
    let begun = answer.begun(node).map(|(_, begun)| begun);
    let of_role = |text: &&LogText| text.raw().contains(':') && !text.raw().starts_with("arn:");
    let owner = begun
        .and_then(|begun| begun.principal_id.as_ref())
        .or_else(|| answer.caller(node).find_map(|caller| caller.principal_id.as_ref()));
    let number = *answer.known.keys.get(&short(owner.filter(of_role).map(LogText::raw)))?;
    Some(format!(
        "{} were returned for this role and session name: the name alone does not tell its sessions apart",
        plural(number, "key")
    ))
}

fn after_expiry(answer: &Answer<'_>, node: &Node) -> Option<String> {
    let expires_at = answer.begun(node)?.1.expires_at?;
    let late = |at: &usize| {
        answer.calls[*at].call.event.event_time > expires_at && answer.calls[*at].call.error_code.is_none()
    };
    let number = node.calls.iter().filter(|(at, _)| late(at)).count() as u64;
    (number > 0).then(|| {
        format!(
            "{} after {expires_at}, when its credentials ended",
            plural_verb(number, "call", ["succeeded", "succeeded"])
        )
    })
}
