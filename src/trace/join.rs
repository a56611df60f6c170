//! Events → calls: the events of one call in two accounts are one call, and an addendum is none.

use std::collections::{HashMap, HashSet};

use super::calls::Call;
use crate::model::{EventRef, LogText};

/// A call, once.
pub(super) struct Joined {
    pub call: Call,
    /// The same call in other trails.
    pub copies: Vec<EventRef>,
}

/// Each call once, in order of time.
pub(super) fn joined(mut calls: Vec<Call>) -> Vec<Joined> {
    without_corrections(&mut calls);
    let calls = calls.into_iter().map(|call| Joined { call, copies: Vec::new() }).collect();
    let calls = merged(calls, |call| call.shared_id.clone());
    let mut calls = merged(calls, |call| call.begun.as_ref()?.key.clone());
    calls.sort_by(|a, b| order(&a.call).cmp(&order(&b.call)));
    calls
}

fn order(call: &Call) -> (crate::model::Timestamp, &LogText, &LogText, u64) {
    let event = &call.event;
    (event.event_time, &event.event_id, &event.object, event.record)
}

/// Applies addenda, which are not calls of their own.
fn without_corrections(calls: &mut Vec<Call>) {
    if calls.iter().all(|call| call.corrects.is_none()) {
        return;
    }
    let first: HashSet<LogText> =
        calls.iter().filter(|call| call.corrects.is_none()).map(|call| call.event.event_id.clone()).collect();
    calls.retain(|call| call.corrects.as_ref().is_none_or(|id| !first.contains(id)));
}

/// Merges calls with the same `mark`, name and time. What the caller's own trail says about the caller is
/// kept.
fn merged(calls: Vec<Joined>, mark: impl Fn(&Call) -> Option<LogText>) -> Vec<Joined> {
    let mut places: HashMap<(LogText, LogText, i64), usize> = HashMap::new();
    let mut all: Vec<Joined> = Vec::with_capacity(calls.len());
    for joined in calls {
        let call = &joined.call;
        let Some(mark) = mark(call) else {
            all.push(joined);
            continue;
        };
        let place = (mark, call.event.event_name.clone(), call.event.event_time.millis());
        match places.get(&place) {
            Some(&at) => put_together(&mut all[at], joined),
            None => {
                places.insert(place, all.len());
                all.push(joined);
            }
        }
    }
    all
}

fn put_together(first: &mut Joined, mut other: Joined) {
    if rank(&other.call) < rank(&first.call) {
        std::mem::swap(first, &mut other);
    }
    let (kept, copy) = (&mut first.call, other.call);
    kept.asks_caller |= copy.asks_caller;
    kept.asks_begun |= copy.asks_begun;
    if kept.begun.is_none() {
        kept.begun = copy.begun;
    }
    first.copies.push(copy.event);
    first.copies.append(&mut other.copies);
    first.copies.sort_by(|a, b| (&a.object, a.record).cmp(&(&b.object, b.record)));
}

/// The sort order of copies: the one that says more about the caller comes first.
fn rank(call: &Call) -> (bool, bool, bool, bool, &LogText, &LogText, u64) {
    let caller = &call.caller;
    let event = &call.event;
    (
        !call.in_session,
        caller.key.is_none(),
        caller.arn.is_none(),
        caller.created_at.is_none(),
        &event.event_id,
        &event.object,
        event.record,
    )
}
