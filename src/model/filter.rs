//! What the user asked to look at.

use wildmatch::WildMatch;

use super::Timestamp;

/// Narrows a run. Time, account and region prune by key before anything is read, and filter events exactly afterwards.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Events at or after this time.
    pub since: Option<Timestamp>,
    /// Events before this time.
    pub until: Option<Timestamp>,
    /// Accounts in whose trails the records stand (`recipientAccountId`, the key's account); empty for all.
    pub accounts: Vec<String>,
    /// Regions (`awsRegion`, the key's region); empty for all.
    pub regions: Vec<String>,
    /// Repository name globs (`*` crosses `/`); empty for all.
    pub repositories: Vec<WildMatch>,
    /// Account and region of snapshots of which nothing tells them.
    pub snapshot_account: Option<String>,
    pub snapshot_region: Option<String>,
}

impl Filter {
    /// Nothing is left out by it.
    pub fn is_everything(&self) -> bool {
        self.since.is_none() && self.until.is_none() && self.accounts.is_empty() && self.regions.is_empty() && self.repositories.is_empty()
    }

    /// Whether an event at `time` is asked for.
    pub fn admits_time(&self, time: Timestamp) -> bool {
        self.since.is_none_or(|since| time >= since) && self.until.is_none_or(|until| time < until)
    }

    /// Whether trails of `account` are asked for. A record that does not say whose it is, is.
    pub fn admits_account(&self, account: &str) -> bool {
        self.accounts.is_empty() || account.is_empty() || self.accounts.iter().any(|wanted| wanted == account)
    }

    pub fn admits_region(&self, region: &str) -> bool {
        self.regions.is_empty() || region.is_empty() || self.regions.iter().any(|wanted| wanted == region)
    }

    pub fn admits_repository(&self, name: &str) -> bool {
        self.repositories.is_empty() || self.repositories.iter().any(|glob| glob.matches(name))
    }
}
