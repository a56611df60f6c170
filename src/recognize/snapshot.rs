//! Answers of the AWS CLI and of kubectl, kept in files: what exists, and who runs what, at one moment.
//!
//! An answer is known by its members, as the CLI prints them (`imageDetails`, `serviceRevisions`, `kind: List`), whatever its file
//! is called. It becomes statements in the words of the timeline; when it was taken, and in which account and region, is settled
//! by whoever has the file. Members that are missing or of another type are absent, as in records.

mod ecr;
mod ecs;
mod kubernetes;
mod services;

use super::json::Json;
use super::parse::Parser;
use super::record;
use crate::model::{Action, Timestamp};

/// One answer.
#[derive(Debug, Default)]
pub struct Answer {
    /// `ecr describe-images`.
    pub call: String,
    /// What the envelope around it says, where there is one.
    pub envelope: Envelope,
    /// There are more pages, and they are not in it.
    pub pages_missing: bool,
    pub entries: u64,
    /// Entries that say nothing here, or not enough.
    pub left_out: u64,
    /// The newest time in it: it was not taken before that.
    pub newest: Option<Timestamp>,
    pub statements: Vec<Statement>,
}

/// What `tagfall snapshot --script` writes around an answer.
#[derive(Debug, Default)]
pub struct Envelope {
    pub account: Option<String>,
    pub region: Option<String>,
    pub at: Option<Timestamp>,
    /// For answers that do not say whose they are.
    pub repository: Option<String>,
    /// Name of the cluster, for kubectl.
    pub context: Option<String>,
    /// Whether everything was asked for; `None` outside of an envelope.
    pub whole: Option<bool>,
    /// Archived images were asked for, too.
    pub with_archived: bool,
}

/// One thing that an answer says.
#[derive(Debug)]
pub struct Statement {
    pub place: Place,
    /// Since when it is so, where the answer tells; else it is so when the answer was given.
    pub at: Option<Timestamp>,
    pub action: Action<'static>,
}

/// Where, as far as the answer tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub account: Option<String>,
    pub region: Option<String>,
    /// For what is about one repository.
    pub repository: Option<String>,
}

impl Place {
    /// Account and region of an ARN.
    fn of_arn(arn: &str) -> Self {
        let mut parts = arn.strip_prefix("arn:").unwrap_or_default().splitn(5, ':').skip(2);
        let mut next = || parts.next().filter(|part| !part.is_empty()).map(str::to_owned);
        let region = next();
        Self { region, account: next(), repository: None }
    }

    fn named(mut self, repository: Option<&str>) -> Self {
        self.repository = repository.map(str::to_owned);
        self
    }
}

/// Reads answers; buffers are reused.
#[derive(Default)]
pub struct Answers {
    document: Parser,
    manifest: Parser,
}

impl Answers {
    /// The answer that a JSON document is; `None` if it is none that is known.
    pub fn read(&mut self, json: &str) -> Option<Answer> {
        let Self { document, manifest } = self;
        document.parse(json, |root| read(root, manifest)).ok().flatten()
    }
}

fn read(root: Json<'_>, manifests: &mut Parser) -> Option<Answer> {
    if !root.is_object() {
        return None;
    }
    let head = root.get("tagfall");
    let mut answer = Answer { envelope: envelope(head), ..Answer::default() };
    let inner = if head.is_object() { root.get("answer") } else { root };
    if head.is_object() && !inner.is_object() {
        return ecr::refused(head, root.text("error")?, answer);
    }
    let token = ["nextToken", "NextToken", "NextMarker", "continue"].iter().any(|key| inner.text(key).is_some());
    let continued = inner.get("metadata").text("continue").is_some();
    answer.pages_missing = token || continued || answer.envelope.whole == Some(false);
    let taken = ecr::read(inner, &mut answer, manifests)
        || ecs::read(inner, &mut answer)
        || services::read(inner, &mut answer)
        || kubernetes::read(inner, &mut answer);
    taken.then_some(answer)
}

fn envelope(head: Json<'_>) -> Envelope {
    let text = |key: &str| head.text(key).map(str::to_owned);
    Envelope {
        account: text("account"),
        region: text("region"),
        at: record::time(head.get("at")),
        repository: text("repository"),
        context: text("context"),
        whole: head.get("whole").as_bool(),
        with_archived: head.get("archived").as_bool() == Some(true),
    }
}

impl Answer {
    /// This is an answer to that call.
    fn is(&mut self, call: &str) -> bool {
        self.call = call.to_owned();
        true
    }

    fn say(&mut self, place: Place, action: Action<'static>) {
        self.statements.push(Statement { place, at: None, action });
    }

    fn say_since(&mut self, place: Place, at: Option<Timestamp>, action: Action<'static>) {
        self.statements.push(Statement { place, at, action });
    }

    /// A time in the answer.
    fn time(&mut self, value: Json<'_>) -> Option<Timestamp> {
        let time = record::time(value)?;
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        Some(time)
    }

    /// Lists that say only what there is, and nothing of its images.
    fn names_only(&mut self, call: &str, list: Json<'_>) -> bool {
        self.entries = list.items().count() as u64;
        self.is(call)
    }
}
