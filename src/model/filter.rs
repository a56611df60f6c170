//! Which part of the evidence the user asked for.

use wildmatch::WildMatch;

use super::{Event, Timestamp};

/// Narrows a run. Time, account and region prune objects by key before anything is read, and then filter
/// events exactly.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Events at or after this time.
    pub since: Option<Timestamp>,
    /// Events before this time.
    pub until: Option<Timestamp>,
    /// Accounts whose trails the records are in (`recipientAccountId`, or the account in the key); all if
    /// empty.
    pub accounts: Vec<String>,
    /// Regions (`awsRegion`, or the region in the key); all if empty.
    pub regions: Vec<String>,
    /// Repository name globs (`*` also matches `/`); all if empty.
    pub repositories: Vec<WildMatch>,
    /// Account and region of snapshots that do not contain them.
    pub snapshot_account: Option<String>,
    pub snapshot_region: Option<String>,
}

impl Filter {
    /// Whether the filter leaves nothing out.
    pub fn is_everything(&self) -> bool {
        self.since.is_none()
            && self.until.is_none()
            && self.accounts.is_empty()
            && self.regions.is_empty()
            && self.repositories.is_empty()
    }

    /// Whether the filter admits an event at `time`.
    pub fn admits_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// Whether the filter admits records in trails of `account`. Records without an account are admitted.
    pub fn admits_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || account.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    pub fn admits_region(&self, region: &str) -> bool {
        self.regions.is_empty() || region.is_empty() || self.regions.iter().any(|wanted| wanted == region)
    }

    /// Whether the filter admits an event, whatever repository it is about.
    pub fn admits_event(&self, event: &Event<'_>) -> bool {
        self.admits_time(event.time)
            && self.admits_account(&event.recipient_account)
            && self.admits_region(&event.region)
    }

    pub fn admits_repository(&self, name: &str) -> bool {
        self.repositories.is_empty() || self.repositories.iter().any(|glob| glob.matches(name))
    }
}
