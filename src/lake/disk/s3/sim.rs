//! A simulated bucket in memory. It can fail at any call, whether or not the call was carried out, and
//! evaluates conditional writes like S3.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard};

use xxhash_rust::xxh3::xxh3_64;

use crate::source::store::{Condition, Entry, Got, ObjectStore, Put, StoreError};

/// What happens when the allowed calls are used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::lake) enum Fault {
    /// One call fails, and later ones work again.
    Once,
    /// The run is killed: every call fails until [`SimStore::restart`].
    Stop,
}

#[derive(Debug, Default)]
struct State {
    objects: BTreeMap<String, Vec<u8>>,
    /// When each object was written, measured in calls.
    modified: BTreeMap<String, u64>,
    calls_left: Option<u64>,
    fault: Option<Fault>,
    /// Whether the failing call is carried out, so that only its answer is lost.
    done: bool,
    calls: u64,
    /// What another run does before the call with this number.
    between: Option<(u64, Between)>,
}

/// Another run, at work while this one waits for an answer.
struct Between(Box<dyn FnOnce() + Send>);

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Between")
    }
}

#[derive(Debug, Clone, Default)]
pub(in crate::lake) struct SimStore(Arc<Mutex<State>>);

impl SimStore {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    pub(in crate::lake) fn calls(&self) -> u64 {
        self.state().calls
    }

    /// Allows `calls` more calls. `done`: whether the call that fails then is carried out.
    pub(in crate::lake) fn fail_after(&self, calls: u64, fault: Fault, done: bool) {
        let mut state = self.state();
        (state.calls_left, state.fault, state.done) = (Some(calls), Some(fault), done);
    }

    /// Does `work` before the call after the next `calls` ones.
    pub(in crate::lake) fn between(&self, calls: u64, work: impl FnOnce() + Send + 'static) {
        let mut state = self.state();
        state.between = Some((state.calls + calls, Between(Box::new(work))));
    }

    pub(in crate::lake) fn restart(&self) {
        let mut state = self.state();
        (state.calls_left, state.fault) = (None, None);
    }

    pub(in crate::lake) fn keys(&self) -> Vec<String> {
        self.state().objects.keys().cloned().collect()
    }

    /// Does `work`, unless the fault occurs now; `done` says whether it is carried out in that case.
    fn call<T>(&self, work: impl FnOnce(&mut State) -> T) -> Result<T, StoreError> {
        let failed = || StoreError { reason: "the service failed".to_owned(), fatal: None, denied: false };
        let mut state = self.state();
        if state.between.as_ref().is_some_and(|(at, _)| *at <= state.calls)
            && let Some((_, Between(work))) = state.between.take()
        {
            drop(state);
            work();
            state = self.state();
        }
        state.calls += 1;
        match (state.calls_left, state.fault) {
            (Some(0), Some(fault)) => {
                if state.done {
                    work(&mut state);
                }
                // Only the first failing call is carried out.
                state.done = false;
                if fault == Fault::Once {
                    (state.calls_left, state.fault) = (None, None);
                }
                Err(failed())
            }
            (left, _) => {
                state.calls_left = left.map(|left| left - 1);
                Ok(work(&mut state))
            }
        }
    }
}

fn tag(bytes: &[u8]) -> String {
    format!("\"{:016x}\"", xxh3_64(bytes))
}

impl ObjectStore for SimStore {
    fn get(&self, key: &str, part: Option<Range<u64>>) -> Result<Option<Got>, StoreError> {
        self.call(|state| {
            let whole = state.objects.get(key)?;
            let place = |at: u64| usize::try_from(at).unwrap().min(whole.len());
            let bytes = part.map_or(&whole[..], |part| &whole[place(part.start)..place(part.end)]);
            Some(Got { bytes: bytes.to_vec(), tag: tag(whole), size: whole.len() as u64 })
        })
    }

    fn put(&self, key: &str, bytes: Vec<u8>, condition: Condition<'_>) -> Result<Put, StoreError> {
        self.call(|state| {
            let there = state.objects.get(key).map(|bytes| tag(bytes));
            let holds = match condition {
                Condition::Always => true,
                Condition::New => there.is_none(),
                Condition::Still(tag) => there.as_deref() == Some(tag),
            };
            if !holds {
                return Put::Refused;
            }
            state.objects.insert(key.to_owned(), bytes);
            state.modified.insert(key.to_owned(), state.calls);
            Put::Done
        })
    }

    fn copy(&self, from: &str, to: &str) -> Result<(), StoreError> {
        let copied = self.call(|state| {
            let bytes = state.objects.get(from).cloned();
            bytes.map(|bytes| state.objects.insert(to.to_owned(), bytes))
        })?;
        copied.map(drop).ok_or_else(|| StoreError {
            reason: "it is not there".to_owned(),
            fatal: None,
            denied: false,
        })
    }

    fn delete(&self, key: &str) -> Result<(), StoreError> {
        self.call(|state| drop(state.objects.remove(key)))
    }

    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StoreError> {
        let modified =
            |state: &State, key: &str| state.modified.get(key).and_then(|calls| i64::try_from(*calls).ok());
        self.call(|state| {
            let keys = state.objects.keys().filter(|key| key.starts_with(prefix));
            keys.map(|key| Entry { key: key.clone(), modified: modified(state, key) }).collect()
        })
    }

    fn address(&self, key: &str) -> String {
        format!("s3://sim/lake/{key}")
    }
}
