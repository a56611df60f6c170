//! `tagfall verify SOURCE…`: whether the objects are what CloudTrail delivered, and whether any are missing.

use std::io::Read as _;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use super::gather::{self, watched};
use super::options::{FailOn, Limits, S3, SettingsFrom, Show, Sources, Window};
use super::{Ending, destination, interrupt, machine, nothing, sources, values};
use crate::failure::Failure;
use crate::integrity::{self, Gathered, Keys, Root, Scope};
use crate::model::{Coverage, Filter, Standing, Verification};
use crate::source::{KeyRequest, Options};
use crate::ui::quantity::{bytes, count, counted, elapsed};
use crate::ui::talk::Talk;
use crate::ui::{self, Format, Look};

const HELP: &str = "\
Examples:
  tagfall verify s3://my-trail/AWSLogs/ --since 2026-03-01 --until 2026-04-01
  aws cloudtrail list-public-keys --region eu-central-1 --start-time 2026-03-01 --end-time 2026-04-01 > keys.json
  tagfall verify ./copy --public-keys keys.json --format csv -o verdicts.csv

Verdicts, and how bad they are:
  critical  hash_mismatch (altered or damaged), signature_invalid, misplaced (one log digest file under another's name)
  high      missing (listed, and not there)
  medium    unlisted (there, and in no list of its time), unknown_key (the other keys of the region were given)
  low       signature_not_checked, unproven (listed by a log digest file that was altered), not_covered
  none      valid, unreadable (exit code 3), and what is too new to be covered

Exit codes:
  0  done, and nothing was found at or above --fail-on
  1  findings at or above --fail-on
  2  could not run: usage, access, no log digest files
  3  ran, but some objects could not be read; --allow-incomplete makes this 0";

/// Check with CloudTrail's signed log digest files that log files are unchanged and complete
///
/// If log file validation is on, CloudTrail writes a log digest file every hour. It contains the hash of each
/// log file that was delivered, and the hash and signature of the previous log digest file. This checks every
/// hash, every link of the chain, and with AWS's public keys the signatures. Give a source with both folders,
/// CloudTrail/ and CloudTrail-Digest/. Copies on disk can be checked, too, even if compressed differently;
/// but they lack the signature of the newest log digest file, which is in S3 metadata. --since, --until,
/// --account and --region select objects by their keys, and times are days of delivery.
#[derive(Debug, clap::Args)]
#[command(after_help = HELP)]
pub struct Args {
    /// Where the archive is: `s3://bucket/prefix`, a folder, or files; several can be given
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<String>,

    /// Public keys, as `aws cloudtrail list-public-keys` prints them for a region (repeatable)
    #[arg(long, value_name = "FILE", help_heading = "Judgement")]
    public_keys: Vec<PathBuf>,

    /// Ask AWS for the public keys (cloudtrail:ListPublicKeys); the default for s3:// without --public-keys
    #[arg(long, help_heading = "Judgement")]
    fetch_public_keys: bool,

    #[command(flatten)]
    fail_on: FailOn,

    #[command(flatten)]
    window: Window,

    #[command(flatten)]
    show: Show,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    s3: S3,

    #[command(flatten)]
    _settings: SettingsFrom,
}

impl Args {
    pub fn jobs(&self) -> NonZeroUsize {
        self.limits.jobs()
    }

    pub fn writes_to_stdout(&self) -> bool {
        self.show.writes_to_stdout()
    }

    pub const fn quiet(&self) -> bool {
        self.show.quiet()
    }

    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        self.show.can_write(true)?;
        let started = Instant::now();
        let filter = self.window.filter(&[])?;
        let destination = destination::prepare(
            &self.show,
            self.public_keys.iter().map(PathBuf::as_path).chain(self.sources.iter().map(Path::new)),
        )?;
        let mut keys = keys(&self.public_keys)?;
        let cancelled = interrupt::flag(talk);
        let asked = Sources {
            specs: &self.sources,
            s3: &self.s3,
            max_memory: machine::memory(self.limits.max_memory),
            jobs: self.limits.jobs(),
        };
        let options = Options { other_kinds: true, ..sources::options(asked) };
        for spec in &self.sources {
            if sources::is_lake(spec, &options)? {
                let failure = Failure::new(format!("cannot verify {spec}"))
                    .because("it is a lake, which has the events but not the objects that were signed");
                return Err(failure.advise("give the logs that it was made from"));
            }
        }
        let feeds = sources::open_with(&self.sources, &options, &filter)?;
        let scope = Scope::new(self.sources.iter().filter_map(|spec| root(spec)).collect(), &filter);
        let mut gathered = watched(talk, &feeds, &cancelled, gather::budget(asked), integrity::read);
        if let Some(failure) = sources::check(&feeds, &mut gathered.coverage)? {
            talk.failure(&failure);
        }
        self.fetch_keys(talk, &options, &gathered, &mut keys)?;
        let (coverage, verification) = gathered.judge(&keys, &scope);
        self.check(&filter, &coverage, &verification, &sources::pruned(&feeds))?;
        let look = gather::look(&self.show, &destination);
        if look.format != Format::Table || self.show.output.is_some() {
            verification.summary.warnings.iter().for_each(|warning| talk.note(warning));
        }
        let written = destination.write(|out| write(out, look, &coverage, &verification))?;
        if written.is_some() {
            talk.note(&format!("{} in {}", summary(&coverage, &verification), elapsed(started.elapsed())));
        }
        self.say_what_is_missing(talk, &coverage);
        let severities = verification.objects.iter().filter_map(|object| object.severity);
        let allow_incomplete = self.fail_on.allow_incomplete && coverage.objects_read > 0;
        Ok(gather::ending_of(Some(self.fail_on.severity), allow_incomplete, &coverage, severities))
    }

    /// Asks AWS for keys that were not given. Unless the user asked for that, it is not an error if AWS does
    /// not answer.
    fn fetch_keys(
        &self,
        talk: &Talk,
        options: &Options,
        gathered: &Gathered,
        keys: &mut Keys,
    ) -> Result<(), Failure> {
        let by_itself = keys.is_empty()
            && !self.s3.no_sign_request
            && self.sources.iter().any(|spec| matches!(root(spec), Some(Root::Bucket { .. })));
        // AWS has no keys for the future.
        let now = values::now();
        let needed: Vec<_> = gathered
            .keys_needed()
            .into_iter()
            .map(|asked| KeyRequest { from: asked.from.min(now), to: asked.to.min(now), ..asked })
            .collect();
        if cfg!(not(feature = "signatures")) || needed.is_empty() || !self.fetch_public_keys && !by_itself {
            return Ok(());
        }
        let fetched = crate::source::public_keys(options, &needed);
        let added =
            fetched.and_then(|answers| answers.iter().try_fold(0, |sum, answer| Ok(sum + keys.add(answer)?)));
        match added {
            Ok(added) => talk.note(&format!(
                "fetched {} of {}",
                counted(added as u64, "public key", "public keys"),
                counted(needed.len() as u64, "region", "regions")
            )),
            Err(why) if self.fetch_public_keys => {
                let failure = Failure::new("cannot fetch public keys from CloudTrail").because(why);
                return Err(failure.advise(
                    "allow the IAM action cloudtrail:ListPublicKeys, or pass the keys with --public-keys",
                ));
            }
            Err(why) => talk.warn(&format!(
                "signatures are not checked, because the public keys could not be fetched from CloudTrail: {why}"
            )),
        }
        Ok(())
    }

    /// Without a log digest file no object can be checked.
    fn check(
        &self,
        filter: &Filter,
        coverage: &Coverage,
        verification: &Verification,
        pruned: &crate::source::Pruned,
    ) -> Result<(), Failure> {
        if coverage.objects_listed == 0 && !coverage.partial {
            return Err(nothing::no_objects(&self.sources, filter, pruned));
        }
        if integrity::has_log_digest_files(verification) || coverage.partial {
            return Ok(());
        }
        let failure = Failure::new(format!("no log digest files in {}", self.sources.join(", ")));
        let objects = counted(coverage.objects_listed, "object", "objects");
        let failure = failure.because(format!(
            "there is none among {objects}; a trail delivers them to AWSLogs/ACCOUNT/CloudTrail-Digest/, beside \
             CloudTrail/"
        ));
        let failure = failure.advise("give the folder above both, and copy CloudTrail-Digest/ as well");
        Err(failure.advise(
            "if there is no such folder, validation is switched off for the trail; to switch it on: aws \
             cloudtrail update-trail --name TRAIL --enable-log-file-validation",
        ))
    }

    fn say_what_is_missing(&self, talk: &Talk, coverage: &Coverage) {
        if coverage.partial {
            talk.warn("the run was interrupted: missing and unlisted files are not reported");
        }
        if coverage.objects_failed > 0 {
            talk.warn(&format!(
                "{} could not be read",
                counted(coverage.objects_failed, "object", "objects")
            ));
            coverage
                .failures
                .iter()
                .take(gather::FAILURES_SAID_MAX)
                .for_each(|failure| talk.warn(&ui::coverage::describe(failure)));
        }
    }
}

/// The place at which a source begins; a file contains only itself.
fn root(spec: &str) -> Option<Root> {
    if let Some((scheme, rest)) = spec.split_once("://")
        && scheme.eq_ignore_ascii_case("s3")
    {
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        return Some(Root::Bucket { bucket: bucket.to_owned(), prefix: prefix.to_owned() });
    }
    let path = Path::new(spec);
    path.is_dir().then(|| {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        let text = path.to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/");
        Root::Folder(format!("{}/", text.trim_end_matches('/')))
    })
}

/// Maximum size of key files, far more than the keys of all regions and years need: one key has half a KiB.
const KEYS_BYTES_MAX: u64 = 4 << 20;

fn keys(files: &[PathBuf]) -> Result<Keys, Failure> {
    let mut keys = Keys::default();
    for file in files {
        let failed = |why: String| {
            let failure =
                Failure::new(format!("cannot read public keys from {}", file.display())).because(why);
            failure.advise(
                "make it with: aws cloudtrail list-public-keys --region REGION --start-time TIME --end-time \
                 TIME",
            )
        };
        if cfg!(not(feature = "signatures")) {
            return Err(Failure::new("cannot check signatures")
                .because("this tagfall was built without them")
                .advise("build it with the feature `signatures`"));
        }
        let mut json = Vec::new();
        let read =
            std::fs::File::open(file).and_then(|file| file.take(KEYS_BYTES_MAX + 1).read_to_end(&mut json));
        if read.map_err(|error| failed(error.to_string()))? as u64 > KEYS_BYTES_MAX {
            return Err(failed(format!("it is larger than any list of keys ({KEYS_BYTES_MAX} bytes)")));
        }
        let added = keys.add(&json).map_err(failed)?;
        if added == 0 {
            return Err(failed(
                "there is not one key in it: AWS lists none for that time, or for that region".to_owned(),
            ));
        }
    }
    Ok(keys)
}

fn write(
    out: &mut dyn std::io::Write,
    look: Look,
    coverage: &Coverage,
    verification: &Verification,
) -> std::io::Result<()> {
    match look.format {
        #[cfg(feature = "sql")]
        Format::Parquet => super::columns::checked(out, look, coverage, &verification.objects),
        #[cfg(not(feature = "sql"))]
        Format::Parquet => ui::verification::write(out, look, coverage, verification),
        _ => ui::verification::write(out, look, coverage, verification),
    }
}

/// `read 12 objects (1.2 MiB), 10 of 11 log files and 1 of 1 log digest file valid`.
fn summary(coverage: &Coverage, verification: &Verification) -> String {
    let summary = &verification.summary;
    let of = |standings: &crate::model::Standings, one, many| {
        format!("{} of {} valid", count(standings.of(Standing::Valid)), counted(standings.total(), one, many))
    };
    let (log_files, digest_files) = (
        of(&summary.log_files, "log file", "log files"),
        of(&summary.log_digest_files, "log digest file", "log digest files"),
    );
    format!(
        "read {} ({}), {log_files}, {digest_files}",
        counted(coverage.objects_read, "object", "objects"),
        bytes(coverage.bytes_compressed)
    )
}
