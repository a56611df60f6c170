//! `tagfall snapshot --script`: a shell script that gathers what exists now. The program itself makes no
//! calls.

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::gather::{budget, watched};
use super::options::{Limits, S3, Sources, Window};
use super::{Ending, interrupt, machine, shortage, sources};
use crate::failure::Failure;
use crate::model::{Coverage, Filter};
use crate::pipeline;
use crate::ui::output::Destination;
use crate::ui::quantity::counted;
use crate::ui::talk::Talk;

const EXAMPLES: &str = "\
Examples:
  # all repositories, in the region of the AWS CLI
  tagfall snapshot --script > gather.sh
  tagfall snapshot --script --region eu-central-1,us-east-1 --repository shop/api > gather.sh
  # the repositories, accounts and regions of these logs
  tagfall snapshot --script ./logs > gather.sh
  sh gather.sh snapshot && tagfall detect snapshot ./logs";

const GATHER: &str = include_str!("snapshot/gather.sh");
const RIGHTS: &str = include_str!("snapshot/policy.json");

/// Print a read-only shell script that collects what exists now: images, policies, and who runs what
///
/// The output of the AWS CLI and of kubectl can be used as a source, with or without logs. The script only
/// makes list and describe calls, page by page, and writes each answer to a file with the time, account and
/// region; the permissions that it needs are listed at its beginning. It pulls and changes nothing.
/// Environment variables, which may contain secrets, are left out of the answers, except of kubectl's.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub struct Args {
    /// Print the script. tagfall itself makes no calls
    #[arg(long, required = true)]
    script: bool,

    /// Logs whose repositories, accounts and regions the script should ask for
    #[arg(value_name = "SOURCE")]
    sources: Vec<String>,

    /// Only this repository (its whole name; repeatable)
    #[arg(long, value_name = "NAME", value_delimiter = ',', value_parser = repository)]
    repository: Vec<String>,

    #[command(flatten)]
    window: Window,

    /// No progress and no notes
    #[arg(short, long)]
    quiet: bool,

    #[command(flatten)]
    limits: Limits,

    #[command(flatten)]
    s3: S3,
}

/// What the script asks for; empty for everything.
#[derive(Debug, Default)]
struct Wanted {
    accounts: BTreeSet<String>,
    regions: BTreeSet<String>,
    /// `ACCOUNT:REGION:NAME`, with `*` for any.
    repositories: BTreeSet<String>,
    /// Number of names that no repository can have, as logs may contain anything.
    odd: usize,
}

impl Args {
    pub const fn quiet(&self) -> bool {
        self.quiet
    }

    pub fn jobs(&self) -> NonZeroUsize {
        self.limits.jobs()
    }

    pub fn run(&self, talk: &Arc<Talk>) -> Result<Ending, Failure> {
        let filter = self.window.filter(&[])?;
        let mut wanted = Wanted {
            accounts: filter.accounts.iter().cloned().collect(),
            regions: filter.regions.iter().cloned().collect(),
            ..Wanted::default()
        };
        let mut incomplete = false;
        if !self.sources.is_empty() {
            let coverage = self.read(&filter, talk, &mut wanted)?;
            incomplete = Ending::lacks(&coverage, false);
        }
        wanted.repositories.extend(self.repository.iter().map(|name| format!("*:*:{name}")));
        if wanted.odd > 0 {
            talk.warn(&format!(
                "{} left out: no repository can have such a name",
                counted(wanted.odd as u64, "name of these logs is", "names of these logs are")
            ));
        }
        Destination::Stdout.write(|out| write(out, &wanted))?;
        Ok(Ending { alarming: false, incomplete })
    }

    /// Collects the names in the logs.
    fn read(&self, filter: &Filter, talk: &Arc<Talk>, wanted: &mut Wanted) -> Result<Coverage, Failure> {
        let asked = Sources {
            specs: &self.sources,
            s3: &self.s3,
            max_memory: machine::memory(self.limits.max_memory),
            jobs: self.jobs(),
        };
        let feeds = sources::open_with(&self.sources, &sources::options(asked), filter)?;
        let cancelled = interrupt::flag(talk);
        shortage::limit(asked.max_memory);
        let read = |run: pipeline::Run<'_>| {
            pipeline::read(run, filter).map_err(|error| shortage::overfull(error, &run))
        };
        let mut evidence = watched(talk, &feeds, &cancelled, budget(asked), read)?;
        if cancelled.load(Ordering::Relaxed) {
            interrupt::stop();
        }
        if let Some(failure) = sources::check(&feeds, &mut evidence.coverage)? {
            talk.failure(&failure);
        }
        for place in evidence.history.repositories_seen() {
            let [account, region, name] =
                [&place.registry_id, &place.region, &place.name].map(|text| text.raw());
            if repository(name).is_err() || !is_word(account) || !is_word(region) {
                wanted.odd += 1;
                continue;
            }
            if self.repository.is_empty() || self.repository.iter().any(|one| one == name) {
                wanted.accounts.insert(account.to_owned());
                wanted.regions.insert(region.to_owned());
                wanted.repositories.insert(format!("{account}:{region}:{name}"));
            }
        }
        if wanted.repositories.is_empty() && self.repository.is_empty() {
            return Err(Failure::new("these logs name no repository")
                .advise("leave out SOURCE: then the script collects all repositories"));
        }
        Ok(evidence.coverage)
    }
}

fn write(out: &mut dyn Write, wanted: &Wanted) -> io::Result<()> {
    let list = |words: &BTreeSet<String>| words.iter().map(String::as_str).collect::<Vec<_>>().join(" ");
    writeln!(out, "#!/bin/sh")?;
    writeln!(
        out,
        "# Collects what exists now, as a source for tagfall: images, lifecycle policies, and who runs what. \
         Written by tagfall {}.",
        env!("CARGO_PKG_VERSION")
    )?;
    writeln!(out, "#\n#     sh gather.sh [FOLDER]      then: tagfall detect FOLDER LOGS\n#")?;
    writeln!(
        out,
        "# It needs the AWS CLI with credentials, and uses kubectl if it is installed. It only makes list, \
         describe and get calls. It"
    )?;
    writeln!(
        out,
        "# changes nothing, and pulls nothing (it does not ask for manifests, which ECR would count as pulls). \
         Permissions:\n#"
    )?;
    RIGHTS.lines().try_for_each(|line| writeln!(out, "#     {line}"))?;
    writeln!(
        out,
        "#\n# and for kubectl: get and list of pods, deployments, statefulsets, daemonsets, cronjobs and \
         jobs."
    )?;
    writeln!(out, "# Exit codes: 0 everything was collected, 2 could not run, 3 some of it is missing.\n")?;
    writeln!(out, "# What to collect. An empty list means everything (in the CLI's own region).")?;
    writeln!(
        out,
        "accounts='{}'\nregions='{}'\nrepositories='{}'\n",
        list(&wanted.accounts),
        list(&wanted.regions),
        list(&wanted.repositories)
    )?;
    out.write_all(GATHER.as_bytes())
}

/// Whether a text has only letters, digits and hyphens, which are safe in a shell and in JSON.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// A valid repository name, which contains no characters with a meaning in a shell.
fn repository(text: &str) -> Result<String, String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._/-".contains(&byte);
    let whole = |part: &str| part.starts_with(|first: char| first.is_ascii_alphanumeric());
    let valid = text.len() <= 256 && text.bytes().all(plain) && text.split('/').all(whole);
    if valid {
        Ok(text.to_owned())
    } else {
        Err("write the whole name of a repository, such as shop/api".to_owned())
    }
}
