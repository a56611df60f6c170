//! Pseudonyms in the output of `trace`: keys, sessions, and who is behind them.

use std::collections::BTreeSet;

use super::nouns::Redact;
use super::pseudonym::Kind;
use super::{Redactor, learn};
use crate::model::{Issued, LogText, Origin, Trace, TraceCall, TraceGap, TraceSession};

/// Words in the subjects of tokens that say what follows them.
const SUBJECT_WORDS: &[&str] = &[
    "repo",
    "repository",
    "ref",
    "refs",
    "heads",
    "tags",
    "environment",
    "pull_request",
    "workflow",
    "job_workflow_ref",
    "system",
    "serviceaccount",
    "project_path",
    "ref_type",
    "branch",
    "tag",
    "main",
    "master",
    "organization",
    "project",
    "workspace",
    "run_phase",
];

impl Redactor {
    /// Takes in every name of a trace, before any of them is looked for in a sentence.
    pub fn learn_trace(&self, trace: &Trace) {
        let mut all = BTreeSet::new();
        for session in &trace.sessions {
            let mut add = |kind: Kind, text: Option<&LogText>| {
                text.iter().for_each(|text| learn::add(&mut all, kind, text.raw()))
            };
            session.keys.iter().for_each(|key| add(Kind::Key, Some(key)));
            session.addresses.iter().for_each(|address| add(Kind::Address, Some(address)));
            add(Kind::Account, session.account.as_ref());
            add(Kind::User, session.source_identity.as_ref());
            add(Kind::User, session.on_behalf_of.as_ref());
            session.session_name.iter().for_each(|name| learn::add_session(&mut all, name.raw()));
            let arns = [&session.principal, &session.role, &session.issued_to];
            arns.into_iter()
                .flatten()
                .filter(|arn| arn.raw().starts_with("arn:"))
                .for_each(|arn| self.names().learn_arn(arn.raw()));
            let Some(issued) = &session.issued else { continue };
            for text in issued.subject.iter().chain(&issued.provider) {
                text.raw()
                    .split(':')
                    .filter(|part| !SUBJECT_WORDS.contains(part))
                    .for_each(|part| add_parts(&mut all, part));
            }
            issued
                .tags
                .iter()
                .filter_map(|tag| tag.raw().split_once('='))
                .for_each(|(_, value)| add_parts(&mut all, value));
        }
        self.names().take(all);
    }

    fn subject(&self, subject: &LogText) -> LogText {
        let shown: Vec<String> = subject
            .raw()
            .split(':')
            .map(|part| if SUBJECT_WORDS.contains(&part) { part.to_owned() } else { self.text(part) })
            .collect();
        shown.join(":").into()
    }
}

/// Adds a name, and the parts between its slashes.
fn add_parts(all: &mut BTreeSet<(Kind, String)>, name: &str) {
    if ["token.actions.githubusercontent.com", "sts.amazonaws.com"].contains(&name) {
        return;
    }
    learn::add(all, Kind::Name, name);
    name.split('/')
        .filter(|part| part.len() > 1 && name.contains('/') && !SUBJECT_WORDS.contains(part))
        .for_each(|part| learn::add(all, Kind::Name, part));
}

impl Redact for Trace {
    fn redact(&mut self, by: &Redactor) {
        by.learn_trace(self);
        let Self { reference, asked: _, matches: _, sessions, calls, calls_left_out: _ } = self;
        reference.redact(by);
        sessions.redact(by);
        calls.redact(by);
    }
}

impl Redact for TraceSession {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            number: _,
            parent: _,
            depth: _,
            asked: _,
            joined: _,
            origin,
            principal,
            principal_id,
            role,
            session_name,
            account,
            keys,
            ..
        } = self;
        let Self {
            issued,
            created_at: _,
            issued_to,
            on_behalf_of,
            source_identity,
            invoked_by,
            addresses,
            gaps,
            ..
        } = self;
        origin.redact(by);
        principal.iter_mut().chain(role).for_each(|arn| *arn = by.actor(arn));
        for text in principal_id.iter_mut().chain(issued_to).chain(on_behalf_of).chain(source_identity) {
            *text = by.actor(text);
        }
        session_name.iter_mut().for_each(|name| *name = by.session(name));
        account.iter_mut().for_each(|account| *account = by.whole(Kind::Account, account));
        keys.iter_mut().for_each(|key| *key = by.whole(Kind::Key, key));
        invoked_by.iter_mut().for_each(|name| *name = by.whole(Kind::Name, name));
        addresses.iter_mut().for_each(|address| *address = by.address(address));
        issued.redact(by);
        gaps.redact(by);
    }
}

impl Redact for Issued {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            event,
            copies,
            region,
            expires_at: _,
            tags,
            transitive_tag_keys: _,
            provider,
            subject,
            audience,
        } = self;
        event.redact(by);
        copies.redact(by);
        *region = by.region(region);
        tags.iter_mut().for_each(|tag| {
            if let Some((key, value)) = tag.raw().split_once('=') {
                *tag = format!("{key}={}", by.text(value)).into();
            }
        });
        provider.iter_mut().chain(subject).for_each(|text| *text = by.subject(text));
        audience.redact(by);
    }
}

impl Redact for Origin {
    fn redact(&mut self, by: &Redactor) {
        let Self { kind: _, name } = self;
        name.redact(by);
    }
}

impl Redact for TraceGap {
    fn redact(&mut self, by: &Redactor) {
        let Self { kind: _, text } = self;
        text.redact(by);
    }
}

impl Redact for TraceCall {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            session: _,
            joined: _,
            began: _,
            event,
            event_source,
            account,
            region,
            error_code,
            read_only: _,
        } = self;
        event.redact(by);
        *event_source = by.whole(Kind::Name, event_source);
        *account = by.whole(Kind::Account, account);
        *region = by.region(region);
        error_code.iter_mut().for_each(|code| *code = by.event_name(code));
    }
}
