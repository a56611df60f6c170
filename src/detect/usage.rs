//! Whether anyone was affected: pulls of the image and references to it around its end, and the severity
//! that follows.

use std::collections::BTreeSet;

use crate::model::{LogText, Severity, StepKind, UntaggedBy, Usage, needing_in_words, plural, times};
use crate::timeline::{AskKind, EventNo, History, Image, Loss, Step, Sym, Use, UseKind};

/// How a loss affected those who use the image.
pub struct Harm {
    pub usage: Usage,
    /// The severity by usage alone; `None` without evidence of use.
    pub severity: Option<Severity>,
    /// The events that the severity rests on.
    pub evidence: Vec<EventNo>,
    /// Names of the services that were pinned to it when it went, for the advice.
    pub pinned: Vec<LogText>,
    /// The same services, and the name by which each requests the image.
    pub needs: Vec<Use>,
    /// The texts behind their symbols.
    names: Vec<(Sym, LogText)>,
    /// Who pulled it in vain, and by which tag; [`Sym::NONE`] for a pull by digest.
    pub in_vain: BTreeSet<(Sym, Sym)>,
}

/// The part of an image's life that a finding is about, as indexes into its steps.
#[derive(Clone, Copy)]
struct Stretch {
    first: usize,
    untagged: Option<usize>,
    end: usize,
    next_life: usize,
}

/// Usage around the end of a life.
///
/// `is_held`: an index lists the image. Pulls of it then belong to pulls of the index, and it is normal
/// that it has no tag.
pub fn usage_of_loss(history: &History, image: &Image, loss: &Loss, is_held: bool) -> Harm {
    let stretch = Stretch {
        first: loss.first_step as usize,
        untagged: untagged_step(loss, is_held),
        end: loss.end_step as usize,
        next_life: (loss.next_life_step as usize).min(image.steps.len()),
    };
    let mut harm = harm(history, image, stretch, loss.at, loss.until);
    asked_later(history, loss, &mut harm);
    harm
}

/// Usage of an image that never was there, as a list at that moment (in milliseconds) shows.
pub fn usage_of_absent(history: &History, image: &Image, at: i64) -> Harm {
    let steps = image.steps.len();
    harm(history, image, Stretch { first: 0, untagged: None, end: steps, next_life: steps }, at, i64::MAX)
}

/// If the image came back without a tag that it had, whoever asks for that tag is affected by this loss.
fn asked_later(history: &History, loss: &Loss, harm: &mut Harm) {
    let counts =
        |(_, kind): &&(EventNo, AskKind)| matches!(kind, AskKind::Pull | AskKind::Failed | AskKind::Stopped);
    for (event, kind) in loss.asked_later.iter().filter(counts) {
        harm.severity = Some(Severity::Critical);
        harm.evidence.push(*event);
        if *kind != AskKind::Stopped {
            harm.usage.pulls_after_gone += 1;
            harm.usage.last_pull = Some(history.event(*event));
            harm.usage.add_principal(history.log_text(history.noted(*event).actor));
        }
    }
}

/// The step since which the image has no tag: it lost the last one, or was pushed without any.
fn untagged_step(loss: &Loss, is_held: bool) -> Option<usize> {
    match &loss.displaced {
        Some(displaced) => Some(displaced.step as usize),
        None if loss.untagged_by == Some(UntaggedBy::PushedUntagged) && !is_held => {
            Some(loss.first_step as usize)
        }
        None => None,
    }
}

/// Usage of an image whose tag moved away and which is still there.
pub fn usage_of_displaced(history: &History, image: &Image, displaced_step: u32) -> Harm {
    let steps = image.steps.len();
    let stretch = Stretch {
        first: image.life_start as usize,
        untagged: Some(displaced_step as usize),
        end: steps,
        next_life: steps,
    };
    harm(history, image, stretch, i64::MAX, i64::MAX)
}

/// Usage of an image that is there and whose tag did not move: it is tagged, or never was.
pub fn usage_of_living(history: &History, image: &Image, is_held: bool) -> Harm {
    let steps = image.steps.len();
    let untagged = (image.untagged_by == Some(UntaggedBy::PushedUntagged) && !is_held)
        .then_some(image.life_start as usize);
    let stretch = Stretch { first: image.life_start as usize, untagged, end: steps, next_life: steps };
    harm(history, image, stretch, i64::MAX, i64::MAX)
}

fn harm(history: &History, image: &Image, stretch: Stretch, gone: i64, back: i64) -> Harm {
    let mut harm = Harm {
        usage: Usage::default(),
        severity: None,
        evidence: Vec::new(),
        pinned: Vec::new(),
        needs: Vec::new(),
        names: Vec::new(),
        in_vain: BTreeSet::new(),
    };
    let mut principals: BTreeSet<LogText> = BTreeSet::new();
    let mut last_pull = EventNo::NONE;
    let mut after: Vec<EventNo> = Vec::new();
    for (index, step) in image.steps.iter().enumerate().take(stretch.next_life).skip(stretch.first) {
        if !is_pull(step, index > stretch.end) {
            continue;
        }
        if !step.caller.needs() {
            harm.usage.scanner_pulls += 1;
            continue;
        }
        match stretch.untagged {
            _ if index > stretch.end => {
                harm.usage.pulls_after_gone += 1;
                after.push(step.event);
                harm.in_vain.insert((history.noted(step.event).actor, step.tag));
            }
            Some(untagged) if index > untagged => harm.usage.pulls_while_untagged += 1,
            _ => harm.usage.pulls_before += 1,
        }
        principals.extend(history.log_text(history.noted(step.event).actor));
        last_pull = step.event;
    }
    harm.usage.last_pull = last_pull.some().map(|event| history.event(event));
    harm.usage.principals = principals.into_iter().collect();
    harm.evidence.extend(after.first().into_iter().chain(after.last()).chain(last_pull.some().as_ref()));
    references(history, image, stretch, gone, back, &mut harm);
    if harm.usage.pulls_after_gone > 0 {
        harm.severity = Some(Severity::Critical);
    } else if harm.usage.pulls_while_untagged > 0 {
        harm.worsen(Severity::High);
    }
    harm
}

/// Whether the step counts as a pull. A pull that failed counts only if the image was gone; before, it
/// failed for another reason. A pull that was refused for lack of permission never got as far as the image.
fn is_pull(step: &Step, gone: bool) -> bool {
    step.kind == StepKind::Pull || (gone && step.kind == StepKind::PullFailed && !step.denied)
}

fn references(history: &History, image: &Image, stretch: Stretch, gone: i64, back: i64, harm: &mut Harm) {
    let born = image.steps.get(stretch.first).map_or(i64::MIN, |step| history.noted(step.event).time);
    let mut names: BTreeSet<LogText> = BTreeSet::new();
    let mut pinned: BTreeSet<LogText> = BTreeSet::new();
    // A deployment of an earlier life of the digest needs this life as well.
    for found in image.uses.iter().filter(|found| found.until > born && found.from < back) {
        names.extend(history.log_text(found.by));
        let needed_then = found.from <= gone && found.until > gone.min(i64::MAX - 1);
        // Nothing newer replaced it before the logs end or the image came back: the next task to start
        // fails.
        let needed_still = found.until >= back;
        let severity = match found.kind {
            // If the image is there as far as the logs show, a task that stopped counts from the image's
            // push on.
            UseKind::TaskStopped if found.from >= gone || (gone == i64::MAX && found.from >= born) => {
                Severity::Critical
            }
            // It started after the image was gone.
            UseKind::Started if found.from > gone => Severity::Critical,
            UseKind::DeployedByDigest | UseKind::DeployedByTag | UseKind::ResolvedByTask if needed_still => {
                Severity::Critical
            }
            // A task failed to pull it while it existed: whatever the reason, somebody needs it.
            UseKind::TaskStopped if found.from >= born => Severity::High,
            // A function runs on from its own copy, and a project fails only at its next build: nobody was
            // affected yet.
            kind if kind.pins() && (needed_then || needed_still) => Severity::High,
            UseKind::Offered if needed_then => Severity::Low,
            // A snapshot is taken after the end that it shows: the definition exists, and the image that it
            // names does not.
            UseKind::Offered if needed_still && history.noted(found.event).snapshot => Severity::Low,
            _ => continue,
        };
        harm.worsen(severity);
        harm.evidence.push(found.event);
        pinned.extend(history.log_text(found.by));
        harm.names.extend(history.log_text(found.by).map(|name| (found.by, name)));
        harm.needs.push(*found);
    }
    harm.usage.references = names.into_iter().collect();
    harm.pinned = pinned.into_iter().collect();
}

impl Harm {
    /// "2 pulls after that found nothing", or who else needs the image.
    pub fn need(&self) -> String {
        match self.usage.pulls_after_gone {
            0 => self.who_needs_it(),
            pulls => format!("{} after that found nothing", plural(pulls, "pull")),
        }
    }

    /// "function:orders failed for want of it", "service/prod/web and 2 more still need it".
    fn who_needs_it(&self) -> String {
        // A job that has run once needs the image no more.
        let lasting =
            self.needs.iter().find(|found| found.kind.pins()).and_then(|found| self.pinned_name(found));
        let Some(first) = lasting.or(self.pinned.first()) else {
            return match self.usage.pulls_while_untagged {
                0 => "something deployed still needs it".to_owned(),
                pulls => format!("it was pulled {} by its digest while it had no tag", times(pulls)),
            };
        };
        let name = needing_in_words(first.raw(), "");
        let more = if self.pinned.len() > 1 {
            format!(" and {} more", self.pinned.len() - 1)
        } else {
            String::new()
        };
        let failed = self.severity == Some(Severity::Critical)
            && self.needs.iter().any(|found| found.kind == UseKind::TaskStopped);
        match failed {
            true => format!("{name}{more} failed for want of it"),
            false if more.is_empty() => format!("{name} still needs it"),
            false => format!("{name}{more} still need it"),
        }
    }

    /// Looks up the name of a party among those that were pinned.
    fn pinned_name(&self, found: &Use) -> Option<&LogText> {
        self.names
            .iter()
            .find(|(by, _)| *by == found.by)
            .and_then(|(_, name)| self.pinned.iter().find(|pinned| *pinned == name))
    }

    /// `Severity` is declared from critical to harmless.
    fn worsen(&mut self, severity: Severity) {
        self.severity = Some(self.severity.map_or(severity, |known| known.min(severity)));
    }
}
