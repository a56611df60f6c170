//! Log file integrity: every object against CloudTrail's signed *log digest files*.
//!
//! Every hour CloudTrail writes a log digest file for each account and region of a trail: the SHA-256 of the log files that it
//! delivered, and the SHA-256 and the signature of the log digest file before. So they make a chain, and AWS's signature of
//! the last one proves all of it, and every log file that it lists.
//!
//! One pass over the objects, in whatever order they come (`read`): of a log file its hash is kept, of a log digest file what
//! it says. When all is read, the log digest files are judged (`chain`), then what they list (`log_files`); `judge` holds both together.
//!
//! - `name`: what names tell; `file`: one log digest file; `keys`, `signature`: AWS's public keys, and what they sign;
//! - `listing`: all lists in one; `span`: which times they tell of; `scope`: what had to be there, `unread`: and could not
//!   be looked for.

mod chain;
mod file;
mod judge;
mod keys;
mod listing;
mod log_files;
mod name;
mod read;
mod scope;
mod signature;
mod span;
mod unread;
mod warnings;

pub use keys::Keys;
pub use scope::{Root, Scope};

use crate::model::{Coverage, Verification};
use crate::pipeline::Run;
use crate::source::KeyRequest;
use read::Read;

/// All that was read, before it is judged.
pub struct Gathered {
    /// Whoever finds out that a source ended before its time says so here.
    pub coverage: Coverage,
    read: Read,
    pool: Option<rayon::ThreadPool>,
}

/// Reads all objects of a run, of every kind. The feeds must have been opened with
/// [`Options::other_kinds`](crate::source::Options::other_kinds).
pub fn read(run: Run<'_>) -> Gathered {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(run.budget.jobs.get()).build().ok();
    let (coverage, read) = read::read(run, pool.as_ref());
    Gathered { coverage, read, pool }
}

impl Gathered {
    /// The keys that are needed to check every signature, region by region.
    pub fn keys_needed(&self) -> Vec<KeyRequest> {
        warnings::key_requests(&self.read.log_digest_files.iter().collect::<Vec<_>>())
    }

    /// Judges what was read.
    pub fn judge(self, keys: &Keys, scope: &Scope) -> (Coverage, Verification) {
        let Self { coverage, read, pool } = self;
        let whole = !coverage.partial;
        let verification = match &pool {
            Some(pool) => pool.install(|| judge::judge(read, keys, scope, whole)),
            None => judge::judge(read, keys, scope, whole),
        };
        (coverage, verification)
    }
}

/// Whether a verification has a log digest file to start from.
pub fn has_log_digest_files(verification: &Verification) -> bool {
    verification.summary.log_digest_files.total() > 0
}
