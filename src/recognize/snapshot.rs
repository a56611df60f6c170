//! Stored output of the AWS CLI and kubectl: what exists, and what runs it, at one moment.
//!
//! An output is recognised by its members (`imageDetails`, `serviceRevisions`, `kind: List`), whatever its
//! file is called. It becomes actions like those of records. When it was made, and in which account and
//! region, is decided by the caller, who has the file. Missing members, and members of another type, count
//! as absent, as in records.

mod ecr;
mod ecs;
mod kubernetes;
mod services;

use super::json::Json;
use super::parse::Parser;
use super::record;
use crate::model::{Action, Timestamp};

/// One output.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The command, such as `ecr describe-images`.
    pub call: String,
    /// What the envelope around it says, if it has one.
    pub envelope: Envelope,
    /// The output has only the first of several pages.
    pub pages_missing: bool,
    pub entries: u64,
    /// Number of entries that say too little to be used.
    pub left_out: u64,
    /// The newest time in it: it was not made before that.
    pub newest: Option<Timestamp>,
    pub statements: Vec<Statement>,
}

/// The envelope that `tagfall snapshot --script` writes around an output.
#[derive(Debug, Default)]
pub struct Envelope {
    pub account: Option<String>,
    pub region: Option<String>,
    pub at: Option<Timestamp>,
    /// The repository, for outputs that do not name it.
    pub repository: Option<String>,
    /// The name of the cluster, for kubectl.
    pub context: Option<String>,
    /// Whether everything was asked for; `None` without an envelope.
    pub whole: Option<bool>,
    /// Whether archived images were asked for, too.
    pub with_archived: bool,
}

/// One thing that an output says.
#[derive(Debug)]
pub struct Statement {
    pub place: AccountRegion,
    /// Since when it is so, if the output tells; otherwise as of the time of the output.
    pub at: Option<Timestamp>,
    pub action: Action<'static>,
}

/// Account and region, as far as the output tells.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountRegion {
    pub account: Option<String>,
    pub region: Option<String>,
    /// The repository, for statements about one.
    pub repository: Option<String>,
}

impl AccountRegion {
    /// Account and region in an ARN.
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

/// Reads outputs; buffers are reused.
#[derive(Default)]
pub struct SnapshotParser {
    document: Parser,
    manifest: Parser,
}

impl SnapshotParser {
    /// Recognises a JSON document; `None` if it is not a known kind of output.
    pub fn read(&mut self, json: &str) -> Option<Snapshot> {
        let Self { document, manifest } = self;
        document.parse(json, |root| read(root, manifest)).ok().flatten()
    }
}

fn read(root: Json<'_>, manifests: &mut Parser) -> Option<Snapshot> {
    if !root.is_object() {
        return None;
    }
    let head = root.get("tagfall");
    let mut answer = Snapshot { envelope: envelope(head), ..Snapshot::default() };
    let inner = if head.is_object() { root.get("answer") } else { root };
    if head.is_object() && !inner.is_object() {
        return ecr::refused(head, root.text("error")?, answer);
    }
    let token =
        ["nextToken", "NextToken", "NextMarker", "continue"].iter().any(|key| inner.text(key).is_some());
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

impl Snapshot {
    /// Notes which command the output is from.
    fn is(&mut self, call: &str) -> bool {
        self.call = call.to_owned();
        true
    }

    fn say(&mut self, place: AccountRegion, action: Action<'static>) {
        self.statements.push(Statement { place, at: None, action });
    }

    fn say_since(&mut self, place: AccountRegion, at: Option<Timestamp>, action: Action<'static>) {
        self.statements.push(Statement { place, at, action });
    }

    /// A time in the output.
    fn time(&mut self, value: Json<'_>) -> Option<Timestamp> {
        let time = record::time(value)?;
        self.newest = Some(self.newest.map_or(time, |newest| newest.max(time)));
        Some(time)
    }

    /// Handles outputs that only list names, and have nothing about images.
    fn names_only(&mut self, call: &str, list: Json<'_>) -> bool {
        self.entries = list.items().count() as u64;
        self.is(call)
    }
}
