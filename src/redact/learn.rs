//! Collects the names in the history, by the kind of each text, before anything is shown.

use std::collections::BTreeSet;

use serde_json::Value;

use super::pseudonym::Kind;
use super::shape::{
    is_account, is_address, is_aws, is_event_name, is_region, is_telling, is_usual_session, is_uuid,
};
use super::{Names, Redactor};
use crate::timeline::{History, Role};

impl Redactor {
    /// Learns every name in the logs, whichever of them are shown.
    pub fn learn_history(&self, history: &History) {
        let mut all = BTreeSet::new();
        for (role, text) in history.texts() {
            match role {
                Role::Word if is_event_name(text) || is_region(text) || is_word(text) => {}
                Role::Word | Role::Other => add_by_shape(&mut all, text),
                Role::Policy | Role::Object => {}
                Role::Agent => add_agent(&mut all, text),
                Role::Address => add(&mut all, Kind::Address, text),
                Role::Tag => add(&mut all, Kind::Tag, text),
                Role::Runner => add_reference(&mut all, text),
                Role::Principal => add_principal(&mut all, text),
                Role::Repository => add(&mut all, Kind::Repository, text),
                Role::Account => add(&mut all, Kind::Account, text),
            }
        }
        for rule in history.policies().flat_map(|policy| policy.rules()) {
            add_rule(&mut all, &rule.text);
        }
        let mut names = self.names();
        names.take(all);
    }
}

/// Settings, media types, platforms: `IMMUTABLE_WITH_EXCLUSION`, `application/vnd.oci.image.index.v1+json`,
/// `linux/amd64`, `Untagged`.
fn is_word(text: &str) -> bool {
    let is_plain = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'_' | b' '))
    };
    let is_media = |text: &str| {
        ["application/vnd.", "linux/", "windows/", "unknown/", "darwin/"]
            .iter()
            .any(|start| text.starts_with(start))
    };
    is_plain(text) || is_media(text)
}

/// Adds a name, and the names inside it.
pub fn add(all: &mut BTreeSet<(Kind, String)>, kind: Kind, name: &str) {
    match kind {
        _ if name.is_empty() || is_aws(name) => {}
        Kind::Account if is_region(name) => {}
        Kind::Address if !is_address(name) => _ = all.insert((Kind::Name, name.to_owned())),
        Kind::Tag if !is_telling(name) => {}
        Kind::Repository => {
            all.insert((kind, name.to_owned()));
            // A namespace alone reveals as much as the whole name.
            if name.contains('/') {
                name.split('/')
                    .filter(|part| part.len() > 1)
                    .for_each(|part| _ = all.insert((Kind::Name, part.to_owned())));
            }
        }
        _ => _ = all.insert((kind, name.to_owned())),
    }
}

/// `arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION`, `AROA…:SESSION (account ACCOUNT)`, an account, a
/// service.
fn add_principal(all: &mut BTreeSet<(Kind, String)>, actor: &str) {
    if is_aws(actor) || actor.is_empty() {
        return;
    }
    if actor.starts_with("arn:") {
        return add_arn(all, actor);
    }
    if is_account(actor) {
        return add(all, Kind::Account, actor);
    }
    let (name, account) =
        actor.split_once(" (account ").map_or((actor, None), |(name, rest)| (name, rest.strip_suffix(')')));
    account.iter().for_each(|account| add(all, Kind::Account, account));
    match name.split_once(':') {
        Some((id, session)) if !id.is_empty() => {
            add(all, Kind::Role, id);
            add_session(all, session);
        }
        _ => add(all, Kind::User, name),
    }
}

pub fn add_session(all: &mut BTreeSet<(Kind, String)>, session: &str) {
    if !is_usual_session(session) {
        add(all, Kind::Session, session);
    }
}

/// An ARN of anything: its account, and what names it.
fn add_arn(all: &mut BTreeSet<(Kind, String)>, arn: &str) {
    let mut fields = arn.splitn(6, ':').skip(2);
    let (service, _, account) =
        (fields.next().unwrap_or_default(), fields.next(), fields.next().unwrap_or_default());
    let resource = fields.next().unwrap_or_default();
    if !account.is_empty() && account != "aws" {
        add(all, Kind::Account, account);
    }
    let (kind, rest) = resource.split_once('/').unwrap_or(("", resource));
    match (service, kind) {
        ("sts", "assumed-role") => {
            let (role, session) = rest.rsplit_once('/').unwrap_or((rest, ""));
            add_path(all, Kind::Role, role);
            add_session(all, session);
        }
        ("iam", "role") => add_path(all, Kind::Role, rest),
        ("iam", "user") => add_path(all, Kind::User, rest),
        ("ecr", "repository") => add(all, Kind::Repository, rest),
        _ if resource == "root" => {}
        _ => add_reference(all, resource),
    }
}

/// A name with a path: as a whole, and each part.
fn add_path(all: &mut BTreeSet<(Kind, String)>, kind: Kind, path: &str) {
    add(all, kind, path);
    path.split('/').filter(|part| part.len() > 1 && path.contains('/')).for_each(|part| add(all, kind, part));
}

/// Words that say what kind of thing a reference names.
const WORDS: &[&str] = &[
    "service",
    "cluster",
    "task-definition",
    "task",
    "function",
    "family",
    "job-definition",
    "job-queue",
    "job",
    "project",
    "build",
    "endpoint",
    "model",
    "rule",
    "schedule",
    "schedule-group",
    "group",
    "alias",
    "key",
    "grant",
    "layer",
    "default",
    "container-instance",
    "repository",
    "log-group",
    "endpoint-config",
    "event-bus",
    "assumed-role",
    "role",
    "user",
    "instance",
    "daemon",
    "LATEST",
];

/// `arn:aws:ecs:…:service/CLUSTER/NAME`, `service:NAME`, `FAMILY:7`: every part that is a name.
fn add_reference(all: &mut BTreeSet<(Kind, String)>, reference: &str) {
    if reference.starts_with("arn:") {
        return add_arn(all, reference);
    }
    for part in reference.split([':', '/', '@', ' ', ',', '$']) {
        let is_number = part.bytes().all(|byte| byte.is_ascii_digit());
        match part {
            _ if is_account(part) => add(all, Kind::Account, part),
            _ if part.len() < 2 || is_number || is_region(part) || WORDS.contains(&part) => {}
            _ => add(all, Kind::Name, part),
        }
    }
}

/// Adds the names in a text of unknown kind, by its form.
fn add_by_shape(all: &mut BTreeSet<(Kind, String)>, text: &str) {
    match text {
        _ if text.starts_with("arn:") => add_arn(all, text),
        _ if is_account(text) => add(all, Kind::Account, text),
        _ if is_address(text) => add(all, Kind::Address, text),
        _ if is_uuid(text)
            || is_region(text)
            || is_event_name(text)
            || is_word(text)
            || text.len() > 2_048 => {}
        _ => add_reference(all, text),
    }
}

/// What a user agent has besides the name of a known program; see `nouns`.
fn add_agent(all: &mut BTreeSet<(Kind, String)>, agent: &str) {
    if super::text::program(agent).is_none() {
        add(all, Kind::Agent, agent);
    }
}

/// Free text and patterns of a lifecycle rule, in both wordings.
fn add_rule(all: &mut BTreeSet<(Kind, String)>, rule: &Value) {
    match rule {
        Value::Object(members) => {
            for (name, value) in members {
                match (name.as_str(), value) {
                    ("description", Value::String(text)) | ("ruleDescription", Value::String(text)) => {
                        add(all, Kind::Description, text)
                    }
                    (_, Value::Array(values)) if name.to_ascii_lowercase().contains("list") => {
                        values
                            .iter()
                            .filter_map(Value::as_str)
                            .for_each(|pattern| add(all, Kind::Tag, pattern));
                    }
                    (_, other) => add_rule(all, other),
                }
            }
        }
        Value::Array(values) => values.iter().for_each(|value| add_rule(all, value)),
        _ => {}
    }
}

impl Names {
    /// Learns an ARN found where none was expected.
    pub fn learn_arn(&mut self, arn: &str) {
        let mut all = BTreeSet::new();
        add_arn(&mut all, arn);
        self.take(all);
    }
}
