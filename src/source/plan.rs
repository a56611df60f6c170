//! What a run would read, for `detect --dry-run`. Lists objects and fetches nothing.

use std::fmt;

use super::layout::{Seen, Selection};
use super::local::{Found, lock};
use super::options::{cannot_open, strip_s3};
use super::{FatalError, OpenError, Options, Pruned};
use crate::model::Filter;

/// Price of 1,000 LIST requests in USD: S3 Standard, us-east-1, list price as of [`PRICES_AS_OF`].
pub const LIST_USD_PER_1000: f64 = 0.005;
/// Price of 1,000 GET requests in USD: S3 Standard, us-east-1, list price as of [`PRICES_AS_OF`].
pub const GET_USD_PER_1000: f64 = 0.0004;
/// When the two prices were checked.
pub const PRICES_AS_OF: &str = "2026-11-22";

/// What a run would read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// Objects that would be handed out, including those of other kinds.
    pub objects: u64,
    /// Objects of other kinds among these, which would not be fetched.
    pub objects_other_kind: u64,
    /// Stored size of the objects that would be fetched.
    pub bytes: u64,
    /// LIST requests made for this plan, which a run makes again. 0 for folders and files.
    pub list_requests: u64,
    /// GET requests of a run without retries. 0 for folders and files.
    pub get_requests: u64,
    /// Folders that could not be listed; a run would count each as a failed object.
    pub unlistable: u64,
    pub pruned: Pruned,
}

impl Plan {
    /// Estimated price of the LIST and GET requests of a run, in USD, at the list prices above. Does not
    /// include data transfer out of AWS, KMS, and other storage classes.
    pub fn request_cost_usd(&self) -> f64 {
        (self.list_requests as f64 * LIST_USD_PER_1000 + self.get_requests as f64 * GET_USD_PER_1000) / 1000.0
    }

    /// Adds the plan of another source.
    pub fn add(&mut self, other: Self) {
        self.objects += other.objects;
        self.objects_other_kind += other.objects_other_kind;
        self.bytes += other.bytes;
        self.list_requests += other.list_requests;
        self.get_requests += other.get_requests;
        self.unlistable += other.unlistable;
        self.pruned.places += other.pruned.places;
        self.pruned.accounts.extend(other.pruned.accounts);
        self.pruned.regions.extend(other.pruned.regions);
        self.pruned.days = match (self.pruned.days.take(), other.pruned.days) {
            (Some(ours), Some(theirs)) => Some((ours.0.min(theirs.0), ours.1.max(theirs.1))),
            (ours, theirs) => ours.or(theirs),
        };
    }
}

/// Why there is no plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PlanError {
    Open(OpenError),
    Fatal(FatalError),
    /// Standard input cannot be listed without reading it.
    Stdin,
    /// A temporary file for the list cannot be written or read.
    Disk(String),
}

impl PlanError {
    pub(super) fn of_disk(error: &std::io::Error) -> Self {
        Self::Disk(error.to_string())
    }
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(error) => error.fmt(f),
            Self::Fatal(error) => error.fmt(f),
            Self::Disk(reason) => f.write_str(reason),
            Self::Stdin => f.write_str("standard input cannot be planned: it is known only once it is read"),
        }
    }
}

impl std::error::Error for PlanError {}

/// Lists what reading `spec` would take. For S3 it makes the LIST requests of a real run, and no others.
pub fn plan(spec: &str, options: &Options, filter: &Filter) -> Result<Plan, PlanError> {
    let selection = Selection::new(filter);
    if spec == "-" {
        return Err(PlanError::Stdin);
    }
    if let Some(rest) = strip_s3(spec) {
        return plan_s3(spec, rest, options, selection);
    }
    let metadata = std::fs::metadata(spec).map_err(|error| PlanError::Open(cannot_open(spec, &error)))?;
    if metadata.is_dir() {
        return Ok(plan_folder(spec, &selection));
    }
    Ok(Plan { objects: 1, bytes: metadata.len(), ..Plan::default() })
}

fn plan_folder(spec: &str, selection: &Selection) -> Plan {
    let seen = std::sync::Mutex::new(Seen::default());
    let mut plan = Plan::default();
    for found in super::walk::Walk::new(spec.as_ref(), selection, &seen) {
        plan.objects += 1;
        match found {
            Found::File(path, _) => {
                plan.bytes += std::fs::metadata(path).map_or(0, |metadata| metadata.len())
            }
            Found::OtherKind(_) => plan.objects_other_kind += 1,
            Found::Unreadable(..) => plan.unlistable += 1,
        }
    }
    plan.pruned = lock(&seen).pruned();
    plan
}

#[cfg(feature = "s3")]
fn plan_s3(spec: &str, rest: &str, options: &Options, selection: Selection) -> Result<Plan, PlanError> {
    let bad = |reason| PlanError::Open(OpenError::BadAddress { address: spec.to_owned(), reason });
    super::s3::plan(spec, super::s3::Address::parse(rest).map_err(bad)?, options, selection)
}

#[cfg(not(feature = "s3"))]
fn plan_s3(spec: &str, _rest: &str, _options: &Options, _selection: Selection) -> Result<Plan, PlanError> {
    Err(PlanError::Open(OpenError::WithoutS3 { address: spec.to_owned() }))
}
