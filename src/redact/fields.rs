//! How each kind of field is redacted: callers, addresses, user agents, objects, tags, ids, rules.

use serde_json::Value;

use super::pseudonym::Kind;
use super::shape::{is_address, is_aws, is_event_name, is_region, is_telling, is_usual_session, is_uuid};
use super::{Redactor, text};
use crate::model::LogText;

impl Redactor {
    pub(super) fn whole(&self, kind: Kind, name: &LogText) -> LogText {
        if name.raw().is_empty() || is_aws(name.raw()) {
            return name.clone();
        }
        LogText::from(&*self.names().pseudonym(kind, name.raw()))
    }

    pub(super) fn tag(&self, tag: &LogText) -> LogText {
        if is_telling(tag.raw()) { self.whole(Kind::Tag, tag) } else { tag.clone() }
    }

    /// A caller: an ARN keeps its form, and an AWS service its name.
    pub fn actor(&self, actor: &LogText) -> LogText {
        match actor.raw() {
            raw if is_aws(raw) => actor.clone(),
            raw if raw.starts_with("arn:") => self.arn(raw).into(),
            raw => self.text(raw).into(),
        }
    }

    /// An ARN, part by part, so that names as short as one digit are replaced where they can only be names.
    pub(super) fn arn(&self, arn: &str) -> String {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let [head, partition, service, region, account, resource] = fields.as_slice() else {
            return self.text(arn);
        };
        let mut names = self.names();
        names.learn_arn(arn);
        let account = if account.is_empty() || *account == "aws" {
            (*account).into()
        } else {
            names.pseudonym(Kind::Account, account)
        };
        let whole = names.text(resource);
        let shown = match (*service, resource.split_once('/')) {
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.rsplit_once('/').unwrap_or((rest, ""));
                let session = if session.is_empty() || is_usual_session(session) {
                    session.into()
                } else {
                    names.pseudonym(Kind::Session, session)
                };
                format!("assumed-role/{}/{session}", names.pseudonym(Kind::Role, role))
            }
            ("iam", Some(("role", name))) => format!("role/{}", names.pseudonym(Kind::Role, name)),
            ("iam", Some(("user", name))) => format!("user/{}", names.pseudonym(Kind::User, name)),
            ("ecr", Some(("repository", name))) => {
                format!("repository/{}", names.pseudonym(Kind::Repository, name))
            }
            _ => whole,
        };
        format!("{head}:{partition}:{service}:{region}:{account}:{shown}")
    }

    pub(super) fn agent(&self, agent: &LogText) -> LogText {
        match text::program(agent.raw()) {
            Some(program) => program.into(),
            None => self.whole(Kind::Agent, agent),
        }
    }

    pub(super) fn address(&self, address: &LogText) -> LogText {
        let kind = if is_address(address.raw()) { Kind::Address } else { Kind::Name };
        self.whole(kind, address)
    }

    /// The key of an object: below `AWSLogs/` it keeps its form; of other keys only the kind of file is
    /// kept.
    pub(super) fn object(&self, object: &LogText) -> LogText {
        let raw = object.raw();
        let Some(at) = raw.find("AWSLogs/").filter(|at| *at == 0 || raw[..*at].ends_with('/')) else {
            return self.whole(Kind::Object, object);
        };
        let parts: Vec<&str> = raw[at..].split('/').collect();
        if !parts.iter().all(|part| is_of_trail(part)) {
            return self.whole(Kind::Object, object);
        }
        let mut names = self.names();
        let place = if at == 0 {
            String::new()
        } else {
            format!("{}/", names.pseudonym(Kind::Source, raw[..at].trim_end_matches('/')))
        };
        let shown: Vec<String> = parts
            .iter()
            .map(|part| {
                if part.starts_with("o-") {
                    names.pseudonym(Kind::Name, part).into()
                } else {
                    names.text(&part.replace('_', " ")).replace(' ', "_")
                }
            })
            .collect();
        format!("{place}{}", shown.join("/")).into()
    }

    pub(super) fn region(&self, region: &LogText) -> LogText {
        if is_region(region.raw()) { region.clone() } else { self.whole(Kind::Name, region) }
    }

    /// The name of an event, or of an error, which has the same form.
    pub(super) fn event_name(&self, name: &LogText) -> LogText {
        if is_event_name(name.raw()) { name.clone() } else { self.whole(Kind::Name, name) }
    }

    /// The name of a session.
    pub(super) fn session(&self, name: &LogText) -> LogText {
        if is_usual_session(name.raw()) { name.clone() } else { self.whole(Kind::Session, name) }
    }

    pub(super) fn event_id(&self, id: &LogText) -> LogText {
        if is_uuid(id.raw()) { id.clone() } else { self.whole(Kind::Event, id) }
    }

    /// The id of a finding is a hash of account, region, repository and digest: without a key, guesses
    /// could be checked against it.
    pub fn finding(&self, id: &str) -> String {
        let (loss, number) = id.split_once('-').map_or((id, ""), |(loss, number)| (loss, number));
        let shown = self.names().pseudonym(Kind::Finding, loss);
        if number.is_empty() { shown.into() } else { format!("{shown}-{number}") }
    }

    /// A rule as JSON: its description and patterns are somebody's own words.
    pub fn rule(&self, rule: &mut Value) {
        match rule {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.rule(value)),
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    match value {
                        Value::String(text) if name.to_ascii_lowercase().contains("description") => {
                            *text =
                                self.whole(Kind::Description, &LogText::from(text.as_str())).raw().to_owned();
                        }
                        Value::Array(values) if name.to_ascii_lowercase().contains("list") => {
                            for value in values {
                                match value {
                                    Value::String(text) => {
                                        *text = self.tag(&LogText::from(text.as_str())).raw().to_owned()
                                    }
                                    other => self.rule(other),
                                }
                            }
                        }
                        other => self.rule(other),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }

    /// Why something could not be read: only this program's words are kept, as the rest may quote the file.
    pub(super) fn why_not_read(&self, reason: &str) -> String {
        let end = [": ", "\"", "'", "`", "(", " columns "].iter().filter_map(|mark| reason.find(mark)).min();
        match end {
            Some(end) => format!("{}…", self.text(reason[..end].trim_end())),
            None => self.text(reason),
        }
    }
}

/// Whether this is a part of CloudTrail's key layout.
fn is_of_trail(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let has_form = part.len() < 120 && part.bytes().all(plain);
    let is_known = matches!(part, "AWSLogs" | "CloudTrail" | "CloudTrail-Digest" | "CloudTrail-Insight");
    let is_file = part.contains("_CloudTrail")
        || part.bytes().all(|byte| byte.is_ascii_digit())
        || part.starts_with("o-")
        || is_region(part);
    has_form && (is_known || is_file)
}
