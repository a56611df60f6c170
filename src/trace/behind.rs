//! Who was behind single calls: one sentence for each, from the calls that began the session in which it was
//! made. For reports of pushes and deletions that do not need the whole trace.

use std::collections::BTreeMap;

use super::asked::Question;
use super::chain::View;
use super::closure::Wanted;
use super::collect::Collected;
use super::keep::EventMemoryExceeded;
use crate::decode::Wanted as WantedRecords;
use crate::model::{
    EventRef, Filter, Joined, LogText, Sentence, Timestamp, Trace, TraceCall, TraceSession, caller_in_words,
};
use crate::pipeline;

/// The event sources of calls that begin sessions, and of those that push and delete images: only these have
/// to be read.
const SOURCES: &[&str] = &[
    "sts.amazonaws.com",
    "signin.amazonaws.com",
    "codebuild.amazonaws.com",
    "rolesanywhere.amazonaws.com",
    "eks-auth.amazonaws.com",
    "sso.amazonaws.com",
    ECR,
];
const ECR: &str = "ecr.amazonaws.com";
/// Calls about images whose callers are reported.
const CALLS: &[&str] = &["PutImage", "BatchDeleteImage", "DeleteRepository", "UpdateImageStorageClass"];
const NAMES: &[(&str, &[&str])] = &[
    ("sts.amazonaws.com", &["Assume", "GetSessionToken", "GetFederationToken"]),
    ("signin.amazonaws.com", &["ConsoleLogin", "SwitchRole"]),
    ("codebuild.amazonaws.com", &["StartBuild", "RetryBuild"]),
    (ECR, CALLS),
];

/// Whether it can be determined who was behind a call, because it was made in a session.
pub fn is_traceable(event: &EventRef) -> bool {
    let in_session = |actor: &LogText| {
        actor.raw().starts_with("arn:") && actor.raw().contains(":assumed-role/")
            || actor.raw().contains(":user/")
    };
    CALLS.contains(&event.event_name.raw()) && event.actor.as_ref().is_some_and(in_session)
}

/// The time in which whatever began the sessions of these calls must lie; `None` without calls.
pub fn window(calls: &[&EventRef]) -> Option<(Timestamp, Timestamp)> {
    let times = || calls.iter().map(|call| call.event_time);
    // A chain may be longer than one session; hardly any is longer than two.
    Some((times().min()?.plus_seconds(-2 * super::SESSION_SECONDS_MAX), times().max()?.plus_seconds(1)))
}

/// Reads the sources once, for the calls that began the sessions of these calls; `None` if none is known.
///
/// # Errors
/// These calls do not fit into `kept_bytes_max`.
pub fn trace_of(
    run: pipeline::Run<'_>,
    filter: &Filter,
    calls: &[&EventRef],
) -> Result<Option<Trace>, EventMemoryExceeded> {
    let question = Question::of_events(calls.iter().map(|call| call.event_id.raw()));
    let wanted = WantedRecords::Named { sources: SOURCES, names: NAMES };
    let collected = Collected::read_of(run, wanted, filter, &question, &Wanted::Beginnings)?;
    // If no call that begins a session is known, these logs cannot answer the question.
    Ok(collected
        .trace(&question, None, &View::default())
        .filter(|trace| trace.sessions.iter().any(|session| session.issued.is_some())))
}

/// The sentence about each call, by its `eventID`.
pub fn behind(trace: &Trace) -> BTreeMap<LogText, Sentence> {
    let session = |number: u64| trace.session(number);
    let told = trace.calls.iter().filter(|call| is_traceable(&call.event)).filter_map(|call| {
        let chain: Vec<&TraceSession> =
            std::iter::successors(call.session.and_then(session), |below| session(below.parent?)).collect();
        Some((call.event.event_id.clone(), sentence(call, &chain)?))
    });
    told.collect()
}

/// `chain`: the session that called, the one that began it, and so on.
fn sentence(call: &TraceCall, chain: &[&TraceSession]) -> Option<Sentence> {
    let (first, root) = (chain.first()?, chain.last()?);
    let event = &call.event;
    let lead = format!("{} of {} by {}", event.event_name.raw(), event.event_time, in_words(first, call));
    let mut evidence: Vec<EventRef> = chain
        .iter()
        .rev()
        .filter_map(|session| session.issued.as_ref())
        .map(|issued| issued.event.clone())
        .collect();
    evidence.push(event.clone());
    let missing = root.gaps.iter().find(|_| root.issued.is_none()).map(|gap| &gap.text);
    let origin = root.origin.as_ref()?;
    let steps: Vec<String> = chain.iter().rev().filter_map(|session| step(session, call)).collect();
    let text = match (missing, steps.as_slice()) {
        // A user with keys of its own: the caller says it all.
        (None, []) => return None,
        (None, steps) => format!(
            "{lead}: behind it stands {}, which began {}.",
            origin.name.raw(),
            steps.join(", and that ")
        ),
        (Some(gap), []) => format!("{lead}: who stands behind it is not known; {gap}."),
        (Some(gap), steps) => {
            format!(
                "{lead}: {} began {}; who stands behind that is not known: {gap}.",
                in_words(root, call),
                steps.join(", and that ")
            )
        }
    };
    let inferred = call
        .joined
        .into_iter()
        .chain(chain.iter().filter_map(|session| session.joined))
        .any(|joined| joined != Joined::Certain);
    let caveat =
        if inferred { " Where no key is the same, role, session name and beginning are." } else { "" };
    Some(Sentence { text: text + caveat, evidence })
}

/// `release/from-ci of 444455556666 at TIME (AssumeRole)`; nothing for a session that no call began.
fn step(session: &TraceSession, call: &TraceCall) -> Option<String> {
    let event = &session.issued.as_ref()?.event;
    Some(format!("{} at {} ({})", in_words(session, call), event.event_time, event.event_name.raw()))
}

fn in_words(session: &TraceSession, call: &TraceCall) -> String {
    session
        .name()
        .map_or_else(|| "a session".to_owned(), |actor| caller_in_words(actor.raw(), call.account.raw()))
}
