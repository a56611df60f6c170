//! Log file integrity: checks every object against CloudTrail's signed *log digest files*.
//!
//! Every hour CloudTrail writes a log digest file for each account and region of a trail. It has the
//! SHA-256 of each log file that was delivered, and the SHA-256 and the signature of the previous log
//! digest file. So the files form a chain, and one signature of AWS at its end proves the whole chain and
//! every log file listed in it.
//!
//! All objects are read in one pass, in any order (`read`): of a log file its hash is kept, of a log digest
//! file its content. Then the log digest files are judged (`chain`), and after them the log files that they
//! list (`log_files`); `judge` does both.
//!
//! - `name`: what object names tell;
//! - `file`: one log digest file;
//! - `keys`, `signature`: AWS's public keys, and checking what they signed;
//! - `listing`: all listed log files; `span`: the times that are covered;
//! - `scope`: which listed files should be there; `unread`: where nobody could look for them.

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

/// Everything that was read, before it is judged.
pub struct Gathered {
    /// The coverage; whoever finds out that a source ended early notes it here.
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
    /// The public keys that are needed to check all signatures, by region.
    pub fn keys_needed(&self) -> Vec<KeyRequest> {
        warnings::key_requests(&self.read.log_digest_files.iter().collect::<Vec<_>>())
    }

    /// Judges everything that was read.
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

/// Whether the verification has any log digest files to start from.
pub fn has_log_digest_files(verification: &Verification) -> bool {
    verification.summary.log_digest_files.total() > 0
}
