//! CloudTrail record → what it means for images. One file for each AWS service; all of them read the same
//! parsed record.
//!
//! A record is parsed once, into simd-json's tape, whose strings are in a reused buffer. What comes out
//! borrows from that buffer, and so lives only during the call of `then`. Parsing is tolerant: a field of
//! the wrong type counts as absent. No list is cut short here: a list is bounded by the record's text, in
//! which each element takes more bytes than in memory.

mod apprunner;
mod batch;
mod codebuild;
mod ecr;
mod ecs;
#[cfg(test)]
mod example;
mod iam;
mod identity;
mod illegible;
mod image;
mod json;
mod kms;
mod lambda;
mod manifest;
mod manifest_removal;
mod names;
mod native;
mod parse;
mod record;
mod sagemaker;
mod schedules;
mod session;
mod snapshot;

use std::collections::HashSet;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use crate::decode::spelling::can_be_a_call;
use crate::decode::{RawRecord, calls};
use crate::model::{Action, Recognized, RepositoryRef};

pub use session::{SessionReader, is_access_key};
pub use snapshot::{AccountRegion, Envelope, Snapshot, SnapshotParser, Statement};

use manifest::Manifests;
use manifest_removal::ManifestRemover;
use parse::Parser;
use record::Record;

/// The `eventSource`s whose events may be about images; a scan asks the decoder for these. ECR Public is
/// not among them: its repositories are not private and have no lifecycle policies.
pub const SOURCES: &[&str] = &{
    let mut sources = [""; NAMES.len()];
    let mut at = 0;
    while at < NAMES.len() {
        sources[at] = NAMES[at].0;
        at += 1;
    }
    sources
};

/// For each of these sources, the beginnings of the `eventName`s that matter.
pub use crate::decode::calls::CALLS as NAMES;

/// Parsing buffers, reused from record to record; each worker has its own.
pub struct Recognizer {
    record: Parser,
    manifest: Parser,
    /// The names in [`NAMES`], without those of Lambda, which end with the version of Lambda's API.
    known: HashSet<&'static str, RandomState>,
    event_name: Finder<'static>,
    error_message: Finder<'static>,
    /// Finds `\u` escapes of ASCII letters.
    escape: Finder<'static>,
    cutter: ManifestRemover,
    /// Whether the last record was handed to a service's file.
    looked_into: bool,
    /// Whether the last record was JSON, as far as it was looked at.
    parsed: bool,
    illegible: Option<String>,
}

const EVENT_NAME: &str = r#""eventName""#;

impl Default for Recognizer {
    fn default() -> Self {
        Self {
            record: Parser::default(),
            manifest: Parser::default(),
            known: NAMES
                .iter()
                .filter(|(_, names)| *names != calls::LAMBDA)
                .flat_map(|(_, names)| names.iter().copied())
                .collect(),
            event_name: Finder::new(EVENT_NAME),
            error_message: Finder::new("errorMessage"),
            escape: Finder::new(r"\u00"),
            cutter: ManifestRemover::default(),
            looked_into: false,
            parsed: false,
            illegible: None,
        }
    }
}

/// What a service's file makes of a record: the repository, if the record names one, and the action.
type Meaning<'r> = (Option<RepositoryRef<'r>>, Action<'r>);

impl Recognizer {
    /// Passes the meaning of `record` to `then`; `Ok(None)` if it means nothing for images.
    ///
    /// # Errors
    ///
    /// Why the record cannot be understood: it is not a JSON object; it has no `eventTime`, `eventName` or
    /// `eventSource`; or it is a call that changed a repository but does not say which. A record without
    /// `eventID` is not an error: its id is made from its text (`sha256:` and the SHA-256), so that copies
    /// still count once.
    pub fn recognize<R>(
        &mut self,
        record: RawRecord<'_>,
        then: impl FnOnce(Recognized<'_>) -> R,
    ) -> Result<Option<R>, String> {
        self.looked_into = record.native || self.names_a_known_event(record.json);
        self.parsed = !self.looked_into;
        if !self.looked_into {
            return Ok(None);
        }
        let Self { record: parser, manifest, cutter, parsed, illegible, .. } = self;
        *illegible = None;
        let cut = cutter.cut(record.json);
        let pieces = cut.as_ref().map_or(std::slice::from_ref(&record.json), |cut| &cut.pieces);
        parser.parse_pieces(record.json, pieces, |root| {
            *parsed = true;
            if record.native {
                return native::recognize(root, record.json).map(|found| found.map(then));
            }
            let record = Record::read(root, record.json)?;
            record.tells_what_was_done()?;
            let meaning = match record.source {
                "ecr.amazonaws.com" => ecr::recognize(
                    &record,
                    &mut Manifests::new(manifest, cut.as_ref().map(|cut| cut.manifest)),
                )?,
                "ecs.amazonaws.com" => ecs::recognize(&record),
                "lambda.amazonaws.com" => lambda::recognize(&record),
                "apprunner.amazonaws.com" => apprunner::recognize(&record),
                "batch.amazonaws.com" => batch::recognize(&record),
                "sagemaker.amazonaws.com" => sagemaker::recognize(&record),
                "codebuild.amazonaws.com" => codebuild::recognize(&record),
                "events.amazonaws.com" => schedules::rules(&record),
                "scheduler.amazonaws.com" => schedules::schedules(&record),
                "kms.amazonaws.com" => kms::recognize(&record),
                "iam.amazonaws.com" => iam::recognize(&record),
                _ => None,
            };
            *illegible = illegible::told(&record, meaning.as_ref().map(|(_, action)| action));
            match meaning {
                Some((repository, action)) => {
                    Ok(Some(then(Recognized { event: record.event(), repository, action })))
                }
                None => illegible.take().map_or(Ok(None), Err),
            }
        })?
    }

    /// Whether the last record was handed to a service's file. If so and it meant nothing, that is because
    /// of its content and not its name; a copy of the same event may have other content.
    pub const fn has_looked_into(&self) -> bool {
        self.looked_into
    }

    /// Why part of the last record's content cannot be read, if that is the work of a tool: what it means is only
    /// part of what was done.
    pub fn illegible(&self) -> Option<&str> {
        self.illegible.as_deref()
    }

    /// Whether the last record was JSON, so that an error is about what it says: copies of the same event are
    /// one event that cannot be understood.
    pub const fn has_parsed(&self) -> bool {
        self.parsed
    }

    /// Whether a record may be one that a service's file handles, told without parsing it. Nine of ten ECR
    /// events are parts of layer uploads and are sorted out here. In doubt (no plain `"eventName": "…"` in
    /// the text, or a key that may be written with escapes) the answer is yes.
    fn names_a_known_event(&self, text: &str) -> bool {
        let mut plain = false;
        for at in self.event_name.find_iter(text.as_bytes()) {
            let rest = text.get(at + EVENT_NAME.len()..).unwrap_or_default().trim_start();
            let Some(value) = rest.strip_prefix(':').and_then(|rest| rest.trim_start().strip_prefix('"'))
            else {
                return true;
            };
            let Some((name, _)) = value.split_once('"') else { return true };
            if name.contains('\\')
                || self.known.contains(name)
                || lambda::is_known(name)
                || !can_be_a_call(name)
            {
                return true;
            }
            if lambda::is_attempt(name) && self.error_message.find(text.as_bytes()).is_some() {
                return true;
            }
            plain = true;
        }
        !plain || self.escape.find(text.as_bytes()).is_some()
    }
}
