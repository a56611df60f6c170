//! The options that every verb over logs has.

use std::io::{self, IsTerminal};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use wildmatch::WildMatch;

use super::machine;
use super::values::{self, When};
use crate::detect::Settings;
use crate::failure::Failure;
use crate::model::{Filter, Severity, Timestamp};
use crate::ui::Format;
use crate::ui::paint::Style;

/// More worker threads make no sense on any machine.
const JOBS_MAX: usize = 1_024;

#[derive(Debug, clap::Args)]
pub struct Common {
    /// Where the logs are: `s3://bucket/prefix`, a folder, a file, or `-` for stdin; several can be given
    ///
    /// Formats are recognised by content: CloudTrail objects, JSON lines, `aws cloudtrail lookup-events`
    /// output, EventBridge events, exports of other tools, OCSF, CSV and Parquet; uncompressed, gzip, zstd,
    /// or in zip and tar archives; and lakes made by `tagfall ingest`.
    #[arg(value_name = "SOURCE", required = true)]
    pub sources: Vec<String>,

    #[command(flatten)]
    narrow: Narrow,

    #[command(flatten)]
    pub judge: Judge,

    #[command(flatten)]
    pub show: Show,

    #[command(flatten)]
    pub limits: Limits,

    #[command(flatten)]
    pub s3: S3,

    #[command(flatten)]
    _settings: SettingsFrom,
}

/// Time, account and region also exclude objects by their keys, before they are fetched.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which events")]
pub struct Window {
    /// Only events at or after this time: 2024-10-01T12:00:00Z, 2024-10-01 (its first second, UTC), or 14d,
    /// 36h ago
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    since: Option<When>,

    /// Only events before this time; a day means its first second (UTC), so `--until 2024-10-03` includes the
    /// second
    #[arg(long, value_name = "TIME", value_parser = values::when)]
    until: Option<When>,

    /// Only trails of this account (12 digits; repeatable)
    #[arg(long, value_name = "ID", value_delimiter = ',', value_parser = values::account)]
    account: Vec<String>,

    /// Only events of this region (repeatable). The bucket's own region is found automatically
    #[arg(long, value_name = "REGION", value_delimiter = ',', value_parser = values::region)]
    region: Vec<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Which events")]
struct Narrow {
    #[command(flatten)]
    window: Window,

    /// Only repositories whose name matches; `*` also matches `/` (repeatable)
    #[arg(long, value_name = "GLOB", value_delimiter = ',', value_parser = values::repository)]
    repository: Vec<WildMatch>,

    /// Account of snapshots that do not contain it (in ARNs, URIs, their envelope or the names of folders)
    #[arg(long, value_name = "ID", value_parser = values::account)]
    snapshot_account: Option<String>,

    /// Region of snapshots that do not contain it
    #[arg(long, value_name = "REGION", value_parser = values::region)]
    snapshot_region: Option<String>,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Judgement")]
pub struct Judge {
    /// Two pushes of one tag within this time are a race, otherwise an overwrite
    #[arg(long, value_name = "SPAN", default_value = "10m", value_parser = values::span)]
    race_window: i64,

    /// Exit with 1 if there are findings of this severity or a higher one
    #[arg(long, value_name = "SEVERITY", value_parser = values::severity(), ignore_case = true)]
    fail_on: Option<Severity>,

    /// Exit with 0 instead of 3 if some evidence could not be read (but never if the run was interrupted)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true, value_parser = clap::value_parser!(bool))]
    allow_incomplete: bool,
}

/// When `verify` fails. By default it does for altered evidence, which must not be overlooked.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Judgement")]
pub struct FailOn {
    /// Exit with 1 if there are findings of this severity or a higher one
    #[arg(long = "fail-on", value_name = "SEVERITY", value_parser = values::severity(), ignore_case = true, default_value = "medium")]
    pub severity: Severity,

    /// Exit with 0 instead of 3 if some objects could not be read (but never if the run was interrupted)
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true, value_parser = clap::value_parser!(bool))]
    pub allow_incomplete: bool,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Show {
    /// Output format
    #[arg(long, value_name = "FORMAT", value_parser = Format::and(&[]), default_value = "table")]
    pub format: Format,

    /// Write to this file instead of stdout; it is replaced as a whole or not at all
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// When to use colours. auto: on terminals that support them, unless NO_COLOR is set, and if
    /// CLICOLOR_FORCE is set
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// Draw with ASCII characters only (automatic if the locale is not UTF-8)
    #[arg(long)]
    ascii: bool,

    /// No progress and no notes: stderr only says why the exit code is 2 or 3
    #[arg(short, long)]
    quiet: bool,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Limits {
    #[command(flatten)]
    jobs: Jobs,

    /// Memory for what is being read, and for what is kept of events: 512MiB, 2GiB
    #[arg(long, value_name = "SIZE", default_value = "1GiB", value_parser = values::memory)]
    pub max_memory: u64,
}

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits")]
pub struct Jobs {
    /// Worker threads (default: one per processor)
    #[arg(long, value_name = "N", value_parser = jobs)]
    jobs: Option<NonZeroUsize>,
}

/// Where settings come from that are not on the command line. Read before the command line is parsed for
/// good: see `config`.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Settings")]
pub struct SettingsFrom {
    /// Read settings from this TOML file, with options as keys (default: tagfall.toml in the working
    /// directory, if it exists)
    ///
    /// The file can set sources, filters and thresholds. Environment variables (TAGFALL_FAIL_ON=high) take
    /// precedence over the file, and options over both.
    #[arg(long, value_name = "FILE")]
    config: Option<String>,

    /// Ignore tagfall.toml
    #[arg(long, conflicts_with = "config")]
    no_config: bool,

    /// Show the settings of this command and where each comes from, without running it
    #[arg(long)]
    show_config: bool,
}

/// As in the AWS CLI. Region and credentials come from its environment variables, profiles, SSO and instance
/// roles.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "S3 (profile, region and credentials as in the AWS CLI)")]
pub struct S3 {
    /// Profile of the AWS configuration
    #[arg(long, value_name = "NAME")]
    pub profile: Option<String>,

    /// Endpoint of another S3 server, such as http://127.0.0.1:9000
    #[arg(long, value_name = "URL", value_parser = endpoint_url)]
    pub endpoint_url: Option<String>,

    /// Do not sign requests: for public buckets
    #[arg(long)]
    pub no_sign_request: bool,

    /// Confirm that you pay for requests to a requester-pays bucket
    #[arg(long, value_name = "PAYER", num_args = 0..=1, require_equals = true, default_missing_value = "requester", value_parser = ["requester"])]
    request_payer: Option<String>,
}

impl Show {
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    /// The style of a page for its destination. In a file nothing depends on the terminal or its locale.
    pub fn style(&self) -> Style {
        let terminal = self.writes_to_stdout() && io::stdout().is_terminal();
        let set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let forced =
            std::env::var_os("CLICOLOR_FORCE").is_some_and(|value| !value.is_empty() && value != "0");
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        let color = match self.color {
            Color::Always => true,
            Color::Never => false,
            Color::Auto if set("NO_COLOR") => false,
            Color::Auto => forced || terminal && !dumb,
        };
        Style { color, ascii: self.ascii || terminal && !has_utf8() }
    }

    /// Whether data goes to stdout.
    pub fn writes_to_stdout(&self) -> bool {
        self.output.as_deref().is_none_or(|path| path == Path::new("-"))
    }

    /// Refuses Parquet where it cannot be written, before an hour of reading ends in that error. `rows`:
    /// the verb has a table of rows.
    pub fn can_write(&self, rows: bool) -> Result<(), Failure> {
        if self.format == Format::Parquet && self.writes_to_stdout() && io::stdout().is_terminal() {
            return Err(
                Failure::new("will not write parquet to the terminal").advise("name a file: -o FILE.parquet")
            );
        }
        if self.format != Format::Parquet || rows && cfg!(feature = "sql") {
            return Ok(());
        }
        let failure = Failure::new("cannot write parquet");
        Err(match rows {
            true => failure
                .because("this tagfall was built without SQL")
                .advise("build it with the feature `sql`"),
            false => {
                failure.because("this result is not a table of rows").advise("ask for --format json or csv")
            }
        })
    }
}

impl S3 {
    pub fn request_payer(&self) -> bool {
        self.request_payer.is_some()
    }
}

impl Common {
    pub const fn quiet(&self) -> bool {
        self.show.quiet
    }

    /// Those sources that are files.
    pub fn inputs(&self) -> impl Iterator<Item = &Path> {
        self.sources.iter().map(Path::new)
    }

    pub const fn fail_on(&self) -> Option<Severity> {
        self.judge.fail_on
    }

    pub const fn allow_incomplete(&self) -> bool {
        self.judge.allow_incomplete
    }

    pub const fn settings(&self) -> Settings {
        Settings { race_window_seconds: self.judge.race_window }
    }

    /// Number of worker threads: as asked for, else one for each processor; fewer if the machine does not
    /// allow that many.
    pub fn jobs(&self) -> NonZeroUsize {
        self.limits.jobs()
    }

    /// The filter, with relative times resolved by the clock.
    pub fn filter(&self) -> Result<Filter, Failure> {
        let filter = self.narrow.window.filter(&self.narrow.repository)?;
        let (snapshot_account, snapshot_region) =
            (self.narrow.snapshot_account.clone(), self.narrow.snapshot_region.clone());
        Ok(Filter { snapshot_account, snapshot_region, ..filter })
    }

    /// Whether standard input, which can be read once, is a source.
    pub fn reads_stdin(&self) -> bool {
        self.sources.iter().any(|spec| spec == "-")
    }

    /// The globs of `--repository`.
    pub fn repositories(&self) -> Vec<String> {
        self.narrow.repository.iter().map(ToString::to_string).collect()
    }

    /// The time of `--until`, resolved by the clock if it is relative.
    pub fn until(&self) -> Result<Option<Timestamp>, Failure> {
        self.filter().map(|filter| filter.until)
    }

    /// The same for a verb with `--at`: what comes after that moment does not count.
    pub fn filter_until(&self, at: Option<Timestamp>) -> Result<Filter, Failure> {
        let mut filter = self.filter()?;
        let Some(at) = at else { return Ok(filter) };
        if let Some(since) = filter.since.filter(|since| *since >= at) {
            let failure = Failure::new("there is no time between --since and --at")
                .because(format!("the first is {since}, the second is {at}"));
            return Err(failure.advise("name a later --at, or an earlier --since"));
        }
        filter.until = Some(filter.until.map_or(at, |until| until.min(at)));
        Ok(filter)
    }

    /// How to open the sources.
    pub fn sources(&self) -> Sources<'_> {
        Sources {
            specs: &self.sources,
            s3: &self.s3,
            max_memory: machine::memory(self.limits.max_memory),
            jobs: self.jobs(),
        }
    }
}

/// Sources, and how to open them.
#[derive(Clone, Copy)]
pub struct Sources<'a> {
    pub specs: &'a [String],
    pub s3: &'a S3,
    pub max_memory: u64,
    pub jobs: NonZeroUsize,
}

impl Limits {
    /// Number of worker threads: as asked for, else one for each processor; fewer if the machine does not
    /// allow that many.
    pub fn jobs(&self) -> NonZeroUsize {
        self.jobs.count()
    }
}

impl Jobs {
    /// Number of worker threads: as asked for, else one for each processor; fewer if the machine does not
    /// allow that many.
    pub fn count(&self) -> NonZeroUsize {
        machine::workers(
            self.jobs.or_else(|| std::thread::available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
        )
    }
}

impl Window {
    /// The filter of this window, with relative times resolved by the clock.
    pub fn filter(&self, repositories: &[WildMatch]) -> Result<Filter, Failure> {
        self.filter_at(repositories, values::now())
    }

    fn filter_at(&self, repositories: &[WildMatch], now: Timestamp) -> Result<Filter, Failure> {
        let (since, until) =
            (self.since.map(|since| since.resolve(now)), self.until.map(|until| until.resolve(now)));
        if let (Some(since), Some(until)) = (since, until)
            && since >= until
        {
            let failure = Failure::new("there is no time between --since and --until")
                .because(format!("the first begins at {since}, the second ends at {until}"));
            return Err(failure.advise("swap them, or leave one out"));
        }
        Ok(Filter {
            since,
            until,
            accounts: self.account.clone(),
            regions: self.region.clone(),
            repositories: repositories.to_vec(),
            ..Filter::default()
        })
    }
}

/// Whether the locale says that the terminal supports UTF-8: decided by the first of the three variables
/// that is set.
fn has_utf8() -> bool {
    let locale =
        ["LC_ALL", "LC_CTYPE", "LANG"].iter().filter_map(std::env::var_os).find(|value| !value.is_empty());
    locale.is_some_and(|locale| {
        let locale = locale.to_string_lossy().to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

pub fn jobs(text: &str) -> Result<NonZeroUsize, String> {
    let jobs = text.parse::<NonZeroUsize>().ok().filter(|jobs| jobs.get() <= JOBS_MAX);
    jobs.ok_or_else(|| format!("write a number from 1 to {JOBS_MAX}"))
}

fn endpoint_url(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))
        .filter(|host| !host.is_empty());
    host.map(|_| text.to_owned())
        .ok_or_else(|| "write a URL with its scheme, such as http://127.0.0.1:9000".to_owned())
}
