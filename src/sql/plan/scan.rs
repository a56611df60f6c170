//! What a query reads of `cloudtrail_logs`, and what the reader can skip because of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::model::{Filter, Timestamp};
use crate::tables::{Asked, cloudtrail};

/// What to read. `None` and empty lists mean: no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scan {
    /// `eventSource`s.
    pub sources: Option<Vec<String>>,
    /// `eventName`s.
    pub names: Option<Vec<String>>,
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    /// `recipientAccountId`s.
    pub accounts: Option<Vec<String>>,
    /// `awsRegion`s.
    pub regions: Option<Vec<String>>,
    /// Columns of `cloudtrail_logs`; `None` for all.
    pub columns: Option<Vec<String>>,
    /// For struct columns, the paths of the fields that are used; a column that is not listed is needed as a
    /// whole.
    pub fields: BTreeMap<&'static str, Vec<Vec<String>>>,
    /// Number of rows after which reading may stop, because the query accepts any rows.
    pub limit: Option<u64>,
}

impl Scan {
    /// The columns to read, with their fields; `None`: all.
    pub fn asked(&self) -> Option<Vec<Asked>> {
        let asked = |name: &String| Asked {
            name: name.clone(),
            fields: self.fields.get(name.as_str()).cloned().unwrap_or_default(),
        };
        self.columns.as_ref().map(|columns| columns.iter().map(asked).collect())
    }

    /// `eventname`, `useridentity(arn, sessioncontext.attributes)`.
    fn named(&self, column: &str) -> String {
        let Some(paths) = self.fields.get(column) else { return column.to_owned() };
        let paths: BTreeSet<String> = paths.iter().map(|path| path.join(".")).collect();
        format!("{column}({})", paths.into_iter().collect::<Vec<_>>().join(", "))
    }

    /// `filter`, narrowed by the limits of this scan.
    pub fn narrow(&self, filter: &Filter) -> Filter {
        let later = |a: Option<Timestamp>, b: Option<Timestamp>| a.max(b);
        let earlier = |a: Option<Timestamp>, b: Option<Timestamp>| match (a, b) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        };
        Filter {
            since: later(filter.since, self.since),
            until: earlier(filter.until, self.until),
            accounts: both(&filter.accounts, self.accounts.as_deref()),
            regions: both(&filter.regions, self.regions.as_deref()),
            ..filter.clone()
        }
    }

    /// Whether `WHERE` cannot be true for any event.
    pub fn is_nothing(&self) -> bool {
        let none = |list: &Option<Vec<String>>| list.as_ref().is_some_and(Vec::is_empty);
        none(&self.sources) || none(&self.names) || none(&self.accounts) || none(&self.regions)
    }
}

/// The intersection of two lists, where an empty first one means everything. If they have nothing in common,
/// the first one is used: it includes too much, and the query drops it.
fn both(asked: &[String], scan: Option<&[String]>) -> Vec<String> {
    let Some(scan) = scan else { return asked.to_vec() };
    if asked.is_empty() {
        return scan.to_vec();
    }
    let shared: Vec<String> = asked.iter().filter(|item| scan.contains(item)).cloned().collect();
    if shared.is_empty() { asked.to_vec() } else { shared }
}

impl fmt::Display for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |list: &Option<Vec<String>>| match list {
            None => "any".to_owned(),
            Some(list) if list.is_empty() => "none".to_owned(),
            Some(list) => list.join(", "),
        };
        let time = |time: Option<Timestamp>| time.map_or_else(|| "any".to_owned(), |time| time.to_string());
        writeln!(f, "event source: {}", list(&self.sources))?;
        writeln!(f, "event name:   {}", list(&self.names))?;
        writeln!(f, "account:      {}", list(&self.accounts))?;
        writeln!(f, "region:       {}", list(&self.regions))?;
        writeln!(f, "from:         {}", time(self.since))?;
        writeln!(f, "until:        {}", time(self.until))?;
        match &self.columns {
            None => writeln!(f, "columns:      all")?,
            Some(columns) => {
                let named: Vec<String> = columns.iter().map(|column| self.named(column)).collect();
                writeln!(
                    f,
                    "columns:      {} of {}: {}",
                    columns.len(),
                    cloudtrail::ORIGINS.len(),
                    named.join(", ")
                )?
            }
        }
        match self.limit {
            None => write!(f, "stops early:  no"),
            Some(limit) => write!(f, "stops early:  after {limit} rows"),
        }
    }
}
