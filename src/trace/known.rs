//! Which calls that begin sessions the logs contain, for explaining gaps.

use std::collections::{BTreeMap, BTreeSet};

use super::calls::Call;
use super::short;
use crate::model::{Coverage, Filter, LogText, Timestamp};

/// The properties of all calls that begin sessions.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// Accounts whose trails have such calls.
    pub(super) accounts: BTreeSet<LogText>,
    /// How many keys were returned for each owner.
    pub(super) keys: BTreeMap<u64, u64>,
    /// When the evidence begins.
    pub(super) begin: Option<Timestamp>,
}

impl Known {
    /// `accounts`: those whose trails have such calls; `given`: the owner and the key of each session.
    pub(super) fn of(
        accounts: BTreeSet<LogText>,
        given: impl Iterator<Item = (u64, u64)>,
        coverage: &Coverage,
        filter: &Filter,
    ) -> Self {
        Self { accounts, keys: keys(given), begin: begin(coverage, filter) }
    }

    /// The same for calls that were all kept.
    pub(super) fn of_calls(calls: &[Call], coverage: &Coverage, filter: &Filter) -> Self {
        let begun = || calls.iter().filter_map(|call| Some((call, call.begun.as_ref()?)));
        let accounts = begun().map(|(call, _)| &call.account).filter(|account| !account.raw().is_empty());
        let number = |text: Option<&LogText>| short(text.map(LogText::raw));
        let given = begun().map(|(_, begun)| (number(begun.owner()), number(begun.key.as_ref())));
        Self::of(accounts.cloned().collect(), given, coverage, filter)
    }
}

/// When the evidence begins.
fn begin(coverage: &Coverage, filter: &Filter) -> Option<Timestamp> {
    let first = coverage.first_event_time?;
    Some(filter.since.map_or(first, |since| since.max(first)))
}

/// For owners that were given more than one key, how many.
fn keys(given: impl Iterator<Item = (u64, u64)>) -> BTreeMap<u64, u64> {
    let given: BTreeSet<(u64, u64)> = given.filter(|(owner, key)| *owner != 0 && *key != 0).collect();
    let mut keys = BTreeMap::new();
    given.into_iter().for_each(|(owner, _)| *keys.entry(owner).or_default() += 1);
    keys.retain(|_, number| *number > 1);
    keys
}
