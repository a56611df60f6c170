//! `--known` and `--accept`: losses that were reported before, stored in a file between runs.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::bounded::{self, RESULT_BYTES_MAX};
use super::options::Common;
use super::values;
use crate::alerts::{self, Acceptance, Known, Loss, News};
use crate::failure::Failure;
use crate::model::{Finding, Severity, Timestamp};
use crate::ui::output::Destination;
use crate::ui::talk::Talk;

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Alerts")]
pub struct Options {
    /// Report only what is new or has become worse since the last run with this file, and update the file
    ///
    /// The file (JSON, created if it does not exist) is read at the beginning of the run and replaced at its
    /// end. The exit code is 1 if anything new or worse is at or above --fail-on (default here: low). The
    /// page has one line about known losses; the other formats have all of them.
    #[arg(long, value_name = "FILE")]
    known: Option<PathBuf>,

    /// Accept the loss with this id, in the file of --known: it is not reported until the day given by
    /// --until, unless it becomes worse
    #[arg(long, value_name = "ID", requires_all = ["known", "until", "reason"])]
    accept: Option<String>,

    /// Why it is accepted; stored in the file
    #[arg(long, value_name = "TEXT", requires = "accept")]
    reason: Option<String>,
}

/// The file of `--known`, read and known to be writable.
pub struct KnownFile {
    known: Known,
    destination: Destination,
}

/// Which findings are news.
#[derive(Debug, Default)]
pub struct Told {
    /// By id of the loss; empty without `--known`.
    pub news: BTreeMap<String, News>,
}

impl Options {
    /// Where the file is: nothing else may be written there.
    pub fn path(&self) -> Option<&Path> {
        self.known.as_deref()
    }

    /// Reads the file, before the work starts.
    pub fn open(&self, common: &Common) -> Result<Option<KnownFile>, Failure> {
        let Some(path) = &self.known else { return Ok(None) };
        if common.show.output.as_deref() == Some(path) {
            return Err(Failure::new("--known and -o are the same file").advise("use two different files"));
        }
        if self.accept.is_some() && common.until()?.is_none_or(|until| until <= values::now()) {
            let failure =
                Failure::new("an acceptance must end in the future").because("--until is in the past");
            return Err(failure.advise("give a day such as --until 2030-01-31"));
        }
        let known = read(path)?;
        let destination = Destination::prepare(Some(path))?;
        if !matches!(destination, Destination::File(_)) {
            return Err(Failure::new(format!("cannot keep what is known in {}", path.display()))
                .because("it is not a regular file"));
        }
        Ok(Some(KnownFile { known, destination }))
    }

    /// Stores the acceptance that the user asked for.
    fn accept(
        &self,
        known: &mut Known,
        losses: &BTreeMap<String, Loss>,
        until: Option<Timestamp>,
    ) -> Result<(), Failure> {
        let (Some(id), Some(reason), Some(until)) = (&self.accept, &self.reason, until) else {
            return Ok(());
        };
        let loss = alerts::id_of_loss(id);
        let as_of = losses.get(loss).or_else(|| known.told(loss)).cloned();
        if as_of.is_none() {
            let failure = Failure::new(format!("there is no loss with the id {id}"))
                .because("neither this run nor the file of --known has it");
            return Err(failure.advise(
                "take the id from the text output, where it is in parentheses, or from the JSON document",
            ));
        }
        known.accept(Acceptance { id: loss.to_owned(), until, reason: reason.clone(), as_of });
        Ok(())
    }

    /// Decides which losses are news, and updates the file's content.
    pub fn judge(
        &self,
        file: &mut KnownFile,
        common: &Common,
        findings: &[Finding],
        end: Option<Timestamp>,
    ) -> Result<Told, Failure> {
        let losses = alerts::losses(findings);
        let until = if self.accept.is_some() { common.until()? } else { None };
        self.accept(&mut file.known, &losses, until)?;
        Ok(Told { news: file.known.take(&losses, end, values::now()) })
    }
}

impl KnownFile {
    /// Replaces the file, as a whole or not at all.
    pub fn keep(&self) -> Result<(), Failure> {
        let write = |out: &mut dyn Write| {
            serde_json::to_writer_pretty(&mut *out, &self.known)?;
            writeln!(out)
        };
        self.destination.write(write).map(|_| ())
    }
}

impl Told {
    /// Whether a finding is news.
    pub fn of(&self, finding: &Finding) -> Option<News> {
        self.news.get(alerts::id_of_loss(&finding.id)).copied()
    }

    /// The severities that decide the exit code.
    pub fn severities<'a>(&'a self, findings: &'a [Finding]) -> impl Iterator<Item = Severity> + 'a {
        findings
            .iter()
            .filter(|finding| self.of(finding).is_none_or(News::speaks))
            .map(|finding| finding.severity)
    }

    /// `3 new, 1 worse, 12 known`.
    pub fn in_words(&self) -> Option<String> {
        let number = |wanted: News| self.news.values().filter(|news| **news == wanted).count() as u64;
        let words = [
            (News::New, "new"),
            (News::Worse, "worse"),
            (News::Known, "known"),
            (News::Accepted, "accepted"),
        ];
        let told: Vec<String> = words
            .iter()
            .filter(|(news, _)| number(*news) > 0)
            .map(|(news, word)| format!("{} {word}", crate::ui::quantity::count(number(*news))))
            .collect();
        (!told.is_empty()).then(|| told.join(", "))
    }

    /// Writes to stderr which acceptances have ended, and how many losses are of which kind.
    pub fn note(&self, talk: &Talk) {
        if let Some(words) = self.in_words() {
            talk.note(&format!("of the losses, {words}"));
        }
    }
}

fn read(path: &Path) -> Result<Known, Failure> {
    let text = match bounded::read(path, RESULT_BYTES_MAX) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Known::default()),
        Err(error) => return Err(Failure::new(format!("cannot read {}", path.display())).because(error)),
    };
    Known::parse(&text).map_err(|why| {
        let failure = Failure::new(format!("{} is not a file of known losses", path.display())).because(why);
        failure.advise("give the file that an earlier run with --known wrote, or one that does not exist yet")
    })
}
