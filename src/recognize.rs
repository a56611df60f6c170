//! CloudTrail record → what it means for images. A service per file; every one of them reads the same parsed record.
//!
//! A record is parsed once, onto a tape whose strings lie in a buffer that is reused, so what comes out borrows from that
//! buffer and lives as long as the call of `then`. Reading is tolerant: a field of a wrong type is a field that is absent.
//! Nothing here cuts a list short: all lists are bounded by the text of the record, each element of which costs more
//! bytes there than here.

mod apprunner;
mod batch;
mod codebuild;
mod cut;
mod ecr;
mod ecs;
#[cfg(test)]
mod example;
mod iam;
mod identity;
mod image;
mod json;
mod kms;
mod lambda;
mod manifest;
mod names;
mod native;
mod parse;
mod record;
mod sagemaker;
mod schedules;
mod snapshot;

use std::collections::HashSet;

use foldhash::fast::RandomState;
use memchr::memmem::Finder;

use crate::decode::RawRecord;
use crate::model::{Action, Recognized, RepositoryRef};

pub use snapshot::{Answer, Answers, Envelope, Place, Statement};

use cut::Cutter;
use manifest::Manifests;
use parse::Parser;
use record::Record;

/// `eventSource`s that can say something about images: what the detectors' scan asks the decoder for. ECR Public is not
/// among them: its repositories are no private ones and have no lifecycle policies.
pub const SOURCES: &[&str] = &[
    "ecr.amazonaws.com",
    "ecs.amazonaws.com",
    "lambda.amazonaws.com",
    "apprunner.amazonaws.com",
    "batch.amazonaws.com",
    "sagemaker.amazonaws.com",
    "codebuild.amazonaws.com",
    "events.amazonaws.com",
    "scheduler.amazonaws.com",
    "kms.amazonaws.com",
    "iam.amazonaws.com",
];

/// What the `eventName`s of these sources begin with that mean something. Most of what services log is of no use here: KMS
/// logs each use of each key, ECR each part of a layer.
pub const NAMES: &[(&str, &[&str])] = &[
    ("ecr.amazonaws.com", ecr::EVENTS),
    ("ecs.amazonaws.com", ecs::EVENTS),
    ("lambda.amazonaws.com", lambda::EVENTS),
    ("apprunner.amazonaws.com", apprunner::EVENTS),
    ("batch.amazonaws.com", batch::EVENTS),
    ("sagemaker.amazonaws.com", sagemaker::EVENTS),
    ("codebuild.amazonaws.com", codebuild::EVENTS),
    ("events.amazonaws.com", schedules::RULES),
    ("scheduler.amazonaws.com", schedules::SCHEDULES),
    ("kms.amazonaws.com", kms::EVENTS),
    ("iam.amazonaws.com", iam::EVENTS),
];

/// Buffers reused from record to record; one for each worker.
pub struct Recognizer {
    record: Parser,
    manifest: Parser,
    /// The names in [`NAMES`]; not those of Lambda, which has the version of its API behind them.
    known: HashSet<&'static str, RandomState>,
    event_name: Finder<'static>,
    error_message: Finder<'static>,
    /// Finds escapes of ASCII letters.
    escape: Finder<'static>,
    cutter: Cutter,
    /// The last record was one that a service file handles.
    looked_into: bool,
}

const EVENT_NAME: &str = r#""eventName""#;

impl Default for Recognizer {
    fn default() -> Self {
        Self {
            record: Parser::default(),
            manifest: Parser::default(),
            known: NAMES.iter().filter(|(_, names)| *names != lambda::EVENTS).flat_map(|(_, names)| names.iter().copied()).collect(),
            event_name: Finder::new(EVENT_NAME),
            error_message: Finder::new("errorMessage"),
            escape: Finder::new(r"\u00"),
            cutter: Cutter::default(),
            looked_into: false,
        }
    }
}

/// What a service makes of a record: its repository, where it names one, and the action.
type Meaning<'r> = (Option<RepositoryRef<'r>>, Action<'r>);

impl Recognizer {
    /// What `record` means, handed to `then`; `Ok(None)` if it means nothing for images.
    ///
    /// # Errors
    /// Why the record cannot be understood: it is not a JSON object, has no `eventTime`, `eventName` or `eventSource`, or
    /// it is a call that changed a repository without saying which. A record without `eventID` is no error: it gets
    /// one that is made from its text (`sha256:` and the SHA-256 of it), so that copies still count once.
    pub fn recognize<R>(&mut self, record: RawRecord<'_>, then: impl FnOnce(Recognized<'_>) -> R) -> Result<Option<R>, String> {
        self.looked_into = record.native || self.names_a_known_event(record.json);
        if !self.looked_into {
            return Ok(None);
        }
        let Self { record: parser, manifest, cutter, .. } = self;
        let cut = cutter.cut(record.json);
        let pieces = cut.as_ref().map_or(std::slice::from_ref(&record.json), |cut| &cut.pieces);
        parser.parse_pieces(record.json, pieces, |root| {
            if record.native {
                return native::recognize(root, record.json).map(|found| found.map(then));
            }
            let record = Record::read(root, record.json)?;
            let meaning = match record.source {
                "ecr.amazonaws.com" => ecr::recognize(&record, &mut Manifests::new(manifest, cut.as_ref().map(|cut| cut.manifest)))?,
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
            Ok(meaning.map(|(repository, action)| then(Recognized { event: record.event(), repository, action })))
        })?
    }

    /// Whether the last record was looked into: if nothing came of it, that is for what it says, and not for its name. A copy of the
    /// same event may say something else.
    pub const fn has_looked_into(&self) -> bool {
        self.looked_into
    }

    /// Whether a record may be one of those that a service file handles, told without parsing it. Nine of ten ECR events are
    /// parts of layer uploads; they end here. In doubt (no plain `"eventName": "…"` in the text, or a key that may be written
    /// with escapes) the answer is yes.
    fn names_a_known_event(&self, text: &str) -> bool {
        let mut plain = false;
        for at in self.event_name.find_iter(text.as_bytes()) {
            let rest = text.get(at + EVENT_NAME.len()..).unwrap_or_default().trim_start();
            let Some(value) = rest.strip_prefix(':').and_then(|rest| rest.trim_start().strip_prefix('"')) else { return true };
            let Some((name, _)) = value.split_once('"') else { return true };
            if name.contains('\\') || self.known.contains(name) || lambda::is_known(name) {
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
