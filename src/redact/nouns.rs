//! Redaction of every type that is shown. Each one is destructured completely, so that a new field does not
//! compile until it is decided what becomes of it.

use super::Redactor;
use super::pseudonym::Kind;
use crate::model::{
    BornUntagged, Contradiction, Coverage, Deleted, EventRef, Fate, FateEnd, FateNext, FatePlace, Finding,
    FirstEnd, Forecast, Gap, GoesWith, Gone, KnownPolicy, LogText, Moment, ReadFailure, Reason, Repository,
    Sentence, SnapshotRead, TagSpan, TagTimeline, Timeline, TimelineStep, Usage, Verdict, WhatIf,
};

/// Something that is shown and may contain names.
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

/// Sentences of this program.
impl Redact for String {
    fn redact(&mut self, by: &Redactor) {
        *self = by.text(self);
    }
}

/// A text from a log whose kind is not known.
impl Redact for LogText {
    fn redact(&mut self, by: &Redactor) {
        *self = by.text(self.raw()).into();
    }
}

impl Redact for Repository {
    fn redact(&mut self, by: &Redactor) {
        let Self { registry_id, region, name } = self;
        *registry_id = by.whole(Kind::Account, registry_id);
        *region = by.region(region);
        *name = by.whole(Kind::Repository, name);
    }
}

impl Redact for EventRef {
    fn redact(&mut self, by: &Redactor) {
        let Self { event_id, event_name, event_time: _, actor, source_ip, user_agent, object, record: _ } =
            self;
        *event_id = by.event_id(event_id);
        *event_name = by.event_name(event_name);
        actor.iter_mut().for_each(|actor| *actor = by.actor(actor));
        source_ip.iter_mut().for_each(|address| *address = by.address(address));
        user_agent.iter_mut().for_each(|agent| *agent = by.agent(agent));
        *object = by.object(object);
    }
}

impl Redact for Finding {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            id,
            kind: _,
            severity: _,
            repository,
            tag,
            tags,
            lost: _,
            kept: _,
            first_push,
            second_push,
            gap_seconds: _,
            order: _,
            deletion,
            reasons,
            exposure_seconds: _,
            usage,
            summary,
            advice,
            evidence,
        } = self;
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
        let Self {
            pulls_before: _,
            pulls_while_untagged: _,
            pulls_after_gone: _,
            last_pull,
            scanner_pulls: _,
            principals,
            references,
        } = self;
        last_pull.redact(by);
        principals.iter_mut().chain(references).for_each(|name| *name = by.actor(name));
        // Sorted again, so that their order does not reveal the real names.
        principals.sort();
    }
}

impl Redact for Timeline {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            repository,
            digest: _,
            state: _,
            tags,
            pushed_at: _,
            untagged_at: _,
            untagged_by: _,
            gone_at: _,
            open_start: _,
            lives: _,
            parents: _,
            children: _,
            media_type,
            steps,
            gaps,
        } = self;
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
            let TagSpan {
                digest: _,
                since: _,
                given_by,
                until: _,
                end: _,
                ended_by,
                moved_to: _,
                pulls: _,
                order: _,
            } = span;
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
            outlook: _,
            rule_priority: _,
            rule,
            action: _,
            eligible_at: _,
            eligible_at_latest: _,
            expected_by: _,
            no_grace: _,
            survives_pushes: _,
            goes_with: _,
            held_by: _,
            usage,
            needed: _,
            severity: _,
            needed_by,
            why,
            policy_event,
            summary,
            evidence,
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

impl Redact for Fate {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            reference,
            digest: _,
            as_of: _,
            copies: _,
            last_copy,
            all_gone_by: _,
            places,
            unknown,
            advice,
        } = self;
        reference.redact(by);
        last_copy.redact(by);
        places.redact(by);
        unknown.redact(by);
        advice.redact(by);
    }
}

impl Redact for FatePlace {
    fn redact(&mut self, by: &Redactor) {
        let Self {
            repository,
            role: _,
            role_logged: _,
            copy_of,
            upstream,
            asked: _,
            presence: _,
            state: _,
            tags,
            pushed_at: _,
            untagged_at: _,
            arrival,
            born_untagged,
            end,
            next,
            goes_with,
            takes,
            first_end,
            needed: _,
            severity: _,
            needed_by,
            why,
            story,
            evidence,
        } = self;
        repository.redact(by);
        copy_of.redact(by);
        upstream.redact(by);
        tags.iter_mut().for_each(|tag| *tag = by.tag(tag));
        arrival.redact(by);
        if let Some(BornUntagged { tag, taken_by: _, set_by }) = born_untagged {
            tag.iter_mut().for_each(|tag| *tag = by.tag(tag));
            set_by.redact(by);
        }
        if let Some(FateEnd { at: _, how: _, event, rule_priority: _, rule, with }) = end {
            event.redact(by);
            rule.iter_mut().for_each(|rule| by.rule(rule));
            with.redact(by);
        }
        if let Some(FateNext {
            outlook: _,
            action: _,
            rule_priority: _,
            rule,
            eligible_at: _,
            expected_by: _,
            survives_pushes: _,
            policy_event,
        }) = next
        {
            rule.iter_mut().for_each(|rule| by.rule(rule));
            policy_event.redact(by);
        }
        for GoesWith { repository, set_by, eligible_at: _, expected_by: _, rule_priority: _, rule } in
            goes_with
        {
            repository.redact(by);
            set_by.redact(by);
            rule.iter_mut().for_each(|rule| by.rule(rule));
        }
        takes.redact(by);
        if let Some(FirstEnd { by: place, eligible_at: _, expected_by: _ }) = first_end {
            place.redact(by);
        }
        needed_by.iter_mut().for_each(|name| *name = by.actor(name));
        why.redact(by);
        story.redact(by);
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
        let Self {
            repository,
            digest: _,
            tags,
            pushed_at: _,
            untagged_at: _,
            displaced: _,
            outcome: _,
            would_go_at: _,
            run: _,
            run_event,
            rule_priority: _,
            rule,
            action: _,
            went_at: _,
            logged,
            usage,
            pulled_after: _,
            needed: _,
            severity: _,
            pinned_by,
            explanation,
            reasons,
            summary,
            evidence,
        } = self;
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
        let Self {
            reference,
            repository,
            exists: _,
            moment,
            cause: _,
            gone,
            why,
            narrative,
            reasons,
            not_this,
            used_by,
            behind,
            unknown,
            advice,
        } = self;
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
        behind.redact(by);
        unknown.redact(by);
        advice.redact(by);
    }
}

impl Redact for SnapshotRead {
    fn redact(&mut self, by: &Redactor) {
        let Self { object, account, note, .. } = self;
        *object = by.object(object);
        account.iter_mut().for_each(|account| *account = by.whole(Kind::Account, account));
        note.redact(by);
    }
}

impl Redact for Contradiction {
    fn redact(&mut self, by: &Redactor) {
        let Self { repository, digest: _, tag, logged, shown, text } = self;
        // The sentence names the file, so the file is learned before the sentence is redacted.
        shown.redact(by);
        logged.redact(by);
        repository.redact(by);
        tag.redact(by);
        text.redact(by);
    }
}

impl Redact for Coverage {
    fn redact(&mut self, by: &Redactor) {
        // The other fields are numbers and times.
        let Self { failures, omitted, warnings, snapshots, contradictions, .. } = self;
        snapshots.redact(by);
        contradictions.redact(by);
        for ReadFailure { object, record: _, reason } in failures {
            *object = by.object(object);
            *reason = by.why_not_read(reason);
        }
        omitted.iter_mut().for_each(|Gap { repository, records: _ }| repository.redact(by));
        warnings.redact(by);
    }
}
