//! Pseudonyms in everything that is shown. Each noun is taken apart whole, so that a new field does not compile until it is said what
//! becomes of it.

use serde_json::Value;

use super::pseudonym::Kind;
use super::shape::{is_aws, is_event_name, is_telling, is_uuid};
use super::{Redactor, text};
use crate::model::{
    Coverage, Deleted, EventRef, Finding, Forecast, Gap, Gone, KnownPolicy, LogText, Moment, ReadFailure, Reason, Repository, Sentence, TagSpan,
    TagTimeline, Timeline, TimelineStep, Usage, Verdict, WhatIf,
};

/// Something that is shown, and may have names in it.
pub trait Redact {
    fn redact(&mut self, by: &Redactor);

    fn redacted(mut self, by: &Redactor) -> Self
    where
        Self: Sized,
    {
        self.redact(by);
        self
    }
}

impl<T: Redact> Redact for Vec<T> {
    fn redact(&mut self, by: &Redactor) {
        self.iter_mut().for_each(|one| one.redact(by));
    }
}

impl<T: Redact> Redact for Option<T> {
    fn redact(&mut self, by: &Redactor) {
        self.iter_mut().for_each(|one| one.redact(by));
    }
}

/// Sentences of ours.
impl Redact for String {
    fn redact(&mut self, by: &Redactor) {
        *self = by.text(self);
    }
}

/// A text from a log of which nothing more is known.
impl Redact for LogText {
    fn redact(&mut self, by: &Redactor) {
        *self = by.text(self.raw()).into();
    }
}

impl Redactor {
    fn whole(&self, kind: Kind, name: &LogText) -> LogText {
        if name.raw().is_empty() || is_aws(name.raw()) {
            return name.clone();
        }
        LogText::from(&*self.names().pseudonym(kind, name.raw()))
    }

    fn tag(&self, tag: &LogText) -> LogText {
        if is_telling(tag.raw()) { self.whole(Kind::Tag, tag) } else { tag.clone() }
    }

    /// Whoever called: an ARN keeps its form, a part of AWS its name.
    pub fn actor(&self, actor: &LogText) -> LogText {
        match actor.raw() {
            raw if is_aws(raw) => actor.clone(),
            raw if raw.starts_with("arn:") => self.arn(raw).into(),
            raw => self.text(raw).into(),
        }
    }

    /// Part by part, so that names as short as a digit are hidden where they can only be names.
    fn arn(&self, arn: &str) -> String {
        let fields: Vec<&str> = arn.splitn(6, ':').collect();
        let [head, partition, service, region, account, resource] = fields.as_slice() else { return self.text(arn) };
        let mut names = self.names();
        names.learn_arn(arn);
        let account = if account.is_empty() || *account == "aws" { (*account).into() } else { names.pseudonym(Kind::Account, account) };
        let whole = names.text(resource);
        let shown = match (*service, resource.split_once('/')) {
            ("sts", Some(("assumed-role", rest))) => {
                let (role, session) = rest.rsplit_once('/').unwrap_or((rest, ""));
                let session = if session.is_empty() || session == "GitHubActions" { session.into() } else { names.pseudonym(Kind::Session, session) };
                format!("assumed-role/{}/{session}", names.pseudonym(Kind::Role, role))
            }
            ("iam", Some(("role", name))) => format!("role/{}", names.pseudonym(Kind::Role, name)),
            ("iam", Some(("user", name))) => format!("user/{}", names.pseudonym(Kind::User, name)),
            ("ecr", Some(("repository", name))) => format!("repository/{}", names.pseudonym(Kind::Repository, name)),
            _ => whole,
        };
        format!("{head}:{partition}:{service}:{region}:{account}:{shown}")
    }

    fn agent(&self, agent: &LogText) -> LogText {
        match text::program(agent.raw()) {
            Some(program) => program.into(),
            None => self.whole(Kind::Agent, agent),
        }
    }

    fn address(&self, address: &LogText) -> LogText {
        let kind = if super::shape::is_address(address.raw()) { Kind::Address } else { Kind::Name };
        self.whole(kind, address)
    }

    /// A key of a trail keeps its form below `AWSLogs/`; of any other place nothing but the kind of file is told.
    fn object(&self, object: &LogText) -> LogText {
        let raw = object.raw();
        let Some(at) = raw.find("AWSLogs/").filter(|at| *at == 0 || raw[..*at].ends_with('/')) else { return self.whole(Kind::Object, object) };
        let parts: Vec<&str> = raw[at..].split('/').collect();
        if !parts.iter().all(|part| is_of_trail(part)) {
            return self.whole(Kind::Object, object);
        }
        let mut names = self.names();
        let place = if at == 0 { String::new() } else { format!("{}/", names.pseudonym(Kind::Source, raw[..at].trim_end_matches('/'))) };
        let shown: Vec<String> = parts
            .iter()
            .map(|part| {
                if part.starts_with("o-") { names.pseudonym(Kind::Name, part).into() } else { names.text(&part.replace('_', " ")).replace(' ', "_") }
            })
            .collect();
        format!("{place}{}", shown.join("/")).into()
    }

    fn event_id(&self, id: &LogText) -> LogText {
        if is_uuid(id.raw()) { id.clone() } else { self.whole(Kind::Event, id) }
    }

    /// The id of a finding is made of account, region, repository and digest: without a key, a guess could be tried on it.
    pub fn finding(&self, id: &str) -> String {
        let (loss, number) = id.split_once('-').map_or((id, ""), |(loss, number)| (loss, number));
        let shown = self.names().pseudonym(Kind::Finding, loss);
        if number.is_empty() { shown.into() } else { format!("{shown}-{number}") }
    }

    /// A rule as JSON: its description and its patterns are somebody's own words.
    pub fn rule(&self, rule: &mut Value) {
        match rule {
            Value::String(text) => *text = self.text(text),
            Value::Array(values) => values.iter_mut().for_each(|value| self.rule(value)),
            Value::Object(members) => {
                for (name, value) in members.iter_mut() {
                    match value {
                        Value::String(text) if name.to_ascii_lowercase().contains("description") => {
                            *text = self.whole(Kind::Description, &LogText::from(text.as_str())).raw().to_owned();
                        }
                        Value::Array(values) if name.to_ascii_lowercase().contains("list") => {
                            for value in values {
                                match value {
                                    Value::String(text) => *text = self.tag(&LogText::from(text.as_str())).raw().to_owned(),
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

    /// Why something could not be read: our words alone, for what follows them may quote what stands there.
    fn why_not_read(&self, reason: &str) -> String {
        let end = [": ", "\"", "'", "`", "(", " columns "].iter().filter_map(|mark| reason.find(mark)).min();
        match end {
            Some(end) => format!("{}…", self.text(reason[..end].trim_end())),
            None => self.text(reason),
        }
    }
}

/// What keys of a trail are made of.
fn is_of_trail(part: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    let has_form = part.len() < 120 && part.bytes().all(plain);
    let is_known = matches!(part, "AWSLogs" | "CloudTrail" | "CloudTrail-Digest" | "CloudTrail-Insight");
    let is_file =
        part.contains("_CloudTrail") || part.bytes().all(|byte| byte.is_ascii_digit()) || part.starts_with("o-") || super::shape::is_region(part);
    has_form && (is_known || is_file)
}

impl Redact for Repository {
    fn redact(&mut self, by: &Redactor) {
        let Self { registry_id, region, name } = self;
        *registry_id = by.whole(Kind::Account, registry_id);
        if !super::shape::is_region(region.raw()) {
            *region = by.whole(Kind::Name, region);
        }
        *name = by.whole(Kind::Repository, name);
    }
}

impl Redact for EventRef {
    fn redact(&mut self, by: &Redactor) {
        let Self { event_id, event_name, event_time: _, actor, source_ip, user_agent, object, record: _ } = self;
        *event_id = by.event_id(event_id);
        if !is_event_name(event_name.raw()) {
            *event_name = by.whole(Kind::Name, event_name);
        }
        actor.iter_mut().for_each(|actor| *actor = by.actor(actor));
        source_ip.iter_mut().for_each(|address| *address = by.address(address));
        user_agent.iter_mut().for_each(|agent| *agent = by.agent(agent));
        *object = by.object(object);
    }
}

impl Redact for Finding {
    fn redact(&mut self, by: &Redactor) {
        let Self { id, kind: _, severity: _, repository, tag, tags, lost: _, kept: _, first_push, second_push, gap_seconds: _, order: _, .. } = self;
        let Self { deletion, reasons, exposure_seconds: _, usage, summary, advice, evidence, .. } = self;
        *id = by.finding(id);
        repository.redact(by);
        tag.iter_mut().chain(tags).for_each(|tag| *tag = by.tag(tag));
        first_push.redact(by);
        second_push.redact(by);
        deletion.redact(by);
        reasons.redact(by);
        usage.redact(by);
        summary.redact(by);
        advice.redact(by);
        evidence.redact(by);
    }
}

impl Redact for Deleted {
    fn redact(&mut self, by: &Redactor) {
        let Self { event, rule_priority: _, rule, tag_status, tag_list } = self;
        event.redact(by);
        rule.iter_mut().for_each(|rule| by.rule(rule));
        tag_status.redact(by);
        tag_list.iter_mut().for_each(|tag| *tag = by.tag(tag));
    }
}

impl Redact for Reason {
    fn redact(&mut self, by: &Redactor) {
        let Self { kind: _, text, evidence } = self;
        text.redact(by);
        evidence.redact(by);
    }
}

impl Redact for Usage {
    fn redact(&mut self, by: &Redactor) {
        let Self { pulls_before: _, pulls_while_untagged: _, pulls_after_gone: _, last_pull, scanner_pulls: _, principals, references } = self;
        last_pull.redact(by);
        principals.iter_mut().chain(references).for_each(|name| *name = by.actor(name));
        // In an order that does not tell the real one.
        principals.sort();
    }
}

impl Redact for Timeline {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, digest: _, state: _, tags, pushed_at: _, untagged_at: _, untagged_by: _, gone_at: _, open_start: _, lives: _, .. } =
            self;
        let Self { parents: _, children: _, media_type, steps, gaps, .. } = self;
        repository.redact(by);
        tags.iter_mut().for_each(|tag| *tag = by.tag(tag));
        media_type.redact(by);
        for step in steps {
            let TimelineStep { time: _, kind: _, tag, other_digest: _, order: _, event } = step;
            tag.iter_mut().for_each(|tag| *tag = by.tag(tag));
            event.redact(by);
        }
        gaps.redact(by);
    }
}

impl Redact for TagTimeline {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, tag, points_to: _, spans, asked_in_vain } = self;
        repository.redact(by);
        *tag = by.tag(tag);
        for span in spans {
            let TagSpan { digest: _, since: _, given_by, until: _, end: _, ended_by, moved_to: _, pulls: _, order: _ } = span;
            given_by.redact(by);
            ended_by.redact(by);
        }
        asked_in_vain.redact(by);
    }
}

impl Redact for Forecast {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            repository,
            digest: _,
            tags,
            state: _,
            pushed_at: _,
            untagged_at: _,
            open_start: _,
            displaced: _,
            displaced_by,
            displaced_tag,
            ..
        } = self;
        let Self { outlook: _, rule_priority: _, rule, action: _, eligible_at: _, eligible_at_latest: _, expected_by: _, no_grace: _, .. } = self;
        let Self {
            survives_pushes: _, goes_with: _, held_by: _, usage, needed: _, severity: _, needed_by, why, policy_event, summary, evidence, ..
        } = self;
        repository.redact(by);
        tags.iter_mut().chain(displaced_tag).for_each(|tag| *tag = by.tag(tag));
        displaced_by.redact(by);
        rule.iter_mut().for_each(|rule| by.rule(rule));
        usage.redact(by);
        needed_by.iter_mut().for_each(|name| *name = by.actor(name));
        why.redact(by);
        policy_event.redact(by);
        summary.redact(by);
        evidence.redact(by);
    }
}

impl Redact for KnownPolicy {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, images: _, known: _, event, since: _, rules, unknown } = self;
        repository.redact(by);
        event.redact(by);
        rules.iter_mut().for_each(|rule| by.rule(rule));
        unknown.redact(by);
    }
}

impl Redact for WhatIf {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, digest: _, tags, pushed_at: _, untagged_at: _, displaced: _, outcome: _, would_go_at: _, run: _, run_event, .. } =
            self;
        let Self { rule_priority: _, rule, action: _, went_at: _, logged, usage, pulled_after: _, needed: _, severity: _, pinned_by, .. } = self;
        let Self { explanation, reasons, summary, evidence, .. } = self;
        repository.redact(by);
        tags.iter_mut().for_each(|tag| *tag = by.tag(tag));
        run_event.redact(by);
        rule.iter_mut().for_each(|rule| by.rule(rule));
        logged.redact(by);
        usage.redact(by);
        pinned_by.iter_mut().for_each(|name| *name = by.actor(name));
        explanation.redact(by);
        reasons.redact(by);
        summary.redact(by);
        evidence.redact(by);
    }
}

impl Redact for Sentence {
    fn redact(&mut self, by: &Redactor) {
        let Self { text, evidence } = self;
        text.redact(by);
        evidence.redact(by);
    }
}

impl Redact for Verdict {
    fn redact(&mut self, by: &Redactor) {
        let Self { reference, repository, exists: _, moment, cause: _, gone, why, narrative, reasons, not_this, used_by, unknown, advice } = self;
        let Moment { at: _, basis: _, event, tag_existed: _, digest_existed: _ } = moment;
        reference.redact(by);
        repository.redact(by);
        event.redact(by);
        if let Some(Gone { at: _, by: _, event, back_at: _ }) = gone {
            event.redact(by);
        }
        why.iter_mut().for_each(|id| *id = by.finding(id));
        narrative.redact(by);
        reasons.redact(by);
        not_this.redact(by);
        used_by.redact(by);
        unknown.redact(by);
        advice.redact(by);
    }
}

impl Redact for Coverage {
    fn redact(&mut self, by: &Redactor) {
        // The rest are numbers and times.
        let Self { failures, omitted, warnings, .. } = self;
        for ReadFailure { object, record: _, reason } in failures {
            *object = by.object(object);
            *reason = by.why_not_read(reason);
        }
        omitted.iter_mut().for_each(|Gap { repository, records: _ }| repository.redact(by));
        warnings.redact(by);
    }
}
