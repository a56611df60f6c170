//! `--redact`: pseudonyms for names in everything that a run writes.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::options::Common;
use crate::alerts::News;
use crate::failure::Failure;
use crate::model::Finding;
use crate::redact::{Kind, Redact, Redactor};
use crate::ui::talk::Talk;

/// Shorter secrets could be guessed.
const SECRET_BYTES_MIN: usize = 16;
const SECRET_BYTES_MAX: u64 = 64 << 10;
/// The secret itself, where a file is inconvenient.
const VARIABLE: &str = "TAGFALL_REDACT_KEY";

#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Output")]
pub struct Redaction {
    /// Replace accounts, repositories, roles, users, sessions, services, addresses and object names by
    /// pseudonyms
    ///
    /// The same name has the same pseudonym everywhere in the output and on stderr. Times, regions, digests,
    /// kinds, event names, and tags made of numbers and common words are not replaced.
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_value = "false", default_missing_value = "true", hide_default_value = true, hide_possible_values = true, value_parser = clap::value_parser!(bool))]
    redact: bool,

    /// Make pseudonyms with the secret in this file (at least 16 bytes), so that they are the same in every
    /// run with it. TAGFALL_REDACT_KEY can contain the secret instead
    #[arg(long, value_name = "FILE")]
    redact_key: Option<PathBuf>,
}

impl Redaction {
    /// A redactor, if one was asked for, also by giving a key. From now on messages are redacted.
    pub fn open(&self, common: &Common, talk: &Talk) -> Result<Option<Arc<Redactor>>, Failure> {
        if !self.redact && self.redact_key.is_none() {
            return Ok(None);
        }
        let secret = match &self.redact_key {
            Some(path) => Some(secret_in(path)?),
            None => std::env::var(VARIABLE).ok().filter(|secret| !secret.is_empty()).map(String::into_bytes),
        };
        if secret.as_ref().is_some_and(|secret| secret.len() < SECRET_BYTES_MIN) {
            let failure = Failure::new("the key of --redact is too short")
                .because(format!("it has less than {SECRET_BYTES_MIN} bytes"));
            return Err(failure.advise("make one: head -c 32 /dev/urandom | base64 > redact.key"));
        }
        if secret.is_none() {
            talk.note(
                "pseudonyms and ids of findings are of this run alone; --redact-key FILE makes them the same \
                 in every run with it",
            );
        }
        let redactor = Arc::new(Redactor::new(secret.as_deref()));
        let places: Vec<String> = common.sources.iter().filter(|source| *source != "-").cloned().collect();
        redactor.learn(Kind::Source, &places);
        redactor.learn(Kind::Repository, &common.repositories());
        talk.redact(&redactor);
        Ok(Some(redactor))
    }
}

fn secret_in(path: &Path) -> Result<Vec<u8>, Failure> {
    let mut secret = Vec::new();
    let read = File::open(path).and_then(|file| file.take(SECRET_BYTES_MAX).read_to_end(&mut secret));
    read.map_err(|error| {
        Failure::new(format!("cannot read the key in {}", path.display()))
            .because(error)
            .advise("name a file with --redact-key")
    })?;
    while secret.last().is_some_and(u8::is_ascii_whitespace) {
        secret.pop();
    }
    Ok(secret)
}

/// Findings as they are shown, and for each of them the original.
pub struct Shown<'f> {
    findings: Cow<'f, [Finding]>,
    real: HashMap<String, &'f Finding>,
    redactor: Option<&'f Redactor>,
}

impl<'f> Shown<'f> {
    pub fn of(findings: &'f [Finding], redactor: Option<&'f Redactor>) -> Self {
        let Some(by) = redactor else {
            return Self { findings: Cow::Borrowed(findings), real: HashMap::new(), redactor };
        };
        let shown: Vec<Finding> = findings.iter().map(|finding| finding.clone().redacted(by)).collect();
        let real = shown.iter().zip(findings).map(|(shown, finding)| (shown.id.clone(), finding)).collect();
        Self { findings: Cow::Owned(shown), real, redactor }
    }

    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The finding before redaction.
    pub fn real<'s>(&'s self, shown: &'s Finding) -> &'s Finding {
        self.real.get(&shown.id).copied().unwrap_or(shown)
    }

    /// Redacts anything else that is shown with a finding.
    pub fn redacted<T: Redact>(&self, one: T) -> T {
        redacted(one, self.redactor)
    }

    /// Which losses are news, by the ids that are shown.
    pub fn news(&self, news: &BTreeMap<String, News>) -> BTreeMap<String, News> {
        news.iter()
            .map(|(id, news)| (self.redactor.map_or_else(|| id.clone(), |by| by.finding(id)), *news))
            .collect()
    }
}

/// Redacted, if that was asked for.
pub fn redacted<T: Redact>(mut one: T, by: Option<&Redactor>) -> T {
    by.into_iter().for_each(|by| one.redact(by));
    one
}
