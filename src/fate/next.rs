//! What will become of a copy: by the policy of its own repository, and together with its sources.

use super::places::{Spot, leads_to};
use super::{Fates, ends};
use crate::detect::usage_of_loss;
use crate::forecast::{of_image, why};
use crate::model::{
    EventRef, FateNext, GoesWith, LifecycleAction, LogText, Outlook, Presence, Repository, Severity,
    Timestamp,
};
use crate::timeline::{Image, RepositoryHistory};

/// The forecast of its own repository's policy, and what needs the image there.
#[derive(Default)]
pub(super) struct Will {
    pub shown: Option<FateNext>,
    /// The forecast in words.
    pub words: Option<String>,
    pub severity: Option<Severity>,
    pub needed_by: Vec<LogText>,
    pub why: Vec<String>,
    pub evidence: Vec<EventRef>,
}

impl Will {
    /// Since when a rule may expire it, and until when it will have.
    pub fn expires(&self) -> Option<(Timestamp, Timestamp)> {
        let next = self.shown.as_ref().filter(|next| next.action == Some(LifecycleAction::Expire))?;
        let is_dated = matches!(next.outlook, Outlook::Due | Outlook::Dated);
        next.eligible_at.zip(next.expected_by).filter(|_| is_dated)
    }
}

pub(super) fn of(fates: &Fates<'_>, spot: &Spot<'_>) -> Will {
    let Some((repository, image)) = spot.repository.zip(spot.image) else { return Will::default() };
    if !spot.has_it() {
        return after(fates, spot, repository, image);
    }
    let (forecast, words) =
        of_image(fates.history, repository, image, fates.repository_forecast(repository), fates.as_of);
    let next = FateNext {
        outlook: forecast.outlook,
        action: forecast.action,
        rule_priority: forecast.rule_priority,
        rule: forecast.rule,
        eligible_at: forecast.eligible_at,
        expected_by: forecast.expected_by,
        survives_pushes: forecast.survives_pushes,
        policy_event: forecast.policy_event,
    };
    Will {
        shown: Some(next),
        words: Some(words),
        severity: forecast.severity,
        needed_by: forecast.needed_by,
        why: forecast.why,
        evidence: forecast.evidence,
    }
}

/// For an image that is gone: what needed it, and still does.
fn after(fates: &Fates<'_>, spot: &Spot<'_>, repository: &RepositoryHistory, image: &Image) -> Will {
    let Some(loss) = ends::last(spot).filter(|_| spot.presence == Presence::Gone) else {
        return Will::default();
    };
    let harm = usage_of_loss(fates.history, image, loss, repository.parents.contains_key(&image.digest));
    Will {
        severity: harm.severity,
        why: why(&harm, spot.name.registry_id.raw()),
        needed_by: harm.pinned,
        evidence: harm.evidence.iter().map(|event| fates.history.event(*event)).collect(),
        ..Will::default()
    }
}

/// Places that have it and whose deletions are replicated to this one; `wills` are those of `spots`.
pub(super) fn goes_with<'h>(
    fates: &Fates<'h>,
    spot: &Spot<'h>,
    spots: &[Spot<'h>],
    wills: &[Will],
) -> Vec<GoesWith> {
    if !spot.has_it() {
        return Vec::new();
    }
    let sources = spots.iter().zip(wills).filter(|(other, _)| other.has_it() && other.name != spot.name);
    let with = |(other, will): (&Spot<'h>, &Will)| {
        let rule =
            leads_to(fates.history, other, &spot.name, fates.as_of.millis()).filter(|rule| rule.deletes)?;
        let expires = will.expires();
        let next = will.shown.as_ref().filter(|_| expires.is_some());
        Some(GoesWith {
            repository: other.name.clone(),
            set_by: fates.history.event(rule.set_by),
            eligible_at: expires.map(|(eligible, _)| eligible),
            expected_by: expires.map(|(_, by)| by),
            rule_priority: next.and_then(|next| next.rule_priority),
            rule: next.and_then(|next| next.rule.clone()),
        })
    };
    sources.filter_map(with).collect()
}

/// Places that have it and to which deletions here are replicated.
pub(super) fn takes<'h>(fates: &Fates<'h>, spot: &Spot<'h>, spots: &[Spot<'h>]) -> Vec<Repository> {
    let reaches = |other: &&Spot<'h>| {
        leads_to(fates.history, spot, &other.name, fates.as_of.millis()).is_some_and(|rule| rule.deletes)
    };
    let copies = spots.iter().filter(|other| other.has_it() && other.name != spot.name);
    copies.filter(reaches).map(|other| other.name.clone()).collect()
}
