//! A replay in sentences: what would have happened, and why it differs from what did.

use super::{Comparison, Pair};
use crate::detect::{Harm, place};
use crate::model::{LifecycleAction, Outcome, Repository, Timestamp, WhatIfTotals, plural, plural_verb};
use crate::policy::Rule;
use crate::timeline::{End, History, Image, Scenario};

/// What such a replay cannot tell.
pub fn notes(history: &History, scenario: &Scenario, totals: &WhatIfTotals) -> Vec<String> {
    let mut notes = Vec::new();
    if let Scenario::Instead(policy) = scenario {
        notes.push(
            "Runs happen when the logged ones did; a repository of which none is logged for two days has one \
             every 24 hours (`run`: modelled)."
                .to_owned(),
        );
        notes.push("Images from before the logs join when the logs first speak of them.".to_owned());
        if policy.asks_for_pulls() {
            notes.push(
                "Pulls by Amazon Inspector and by principals that these logs show to be excluded do not move \
                 the pull time; exclusions from before the logs are not known.".to_owned(),
            );
        }
    } else if totals.runs_logged == 0 {
        notes.push("The logs have no lifecycle run: there is nothing to compare with.".to_owned());
    } else {
        let differing = totals.other_rule + totals.other_run + totals.predicted_only + totals.logged_only;
        let verdict = if differing == 0 {
            "reproduces every logged expiry"
        } else {
            "does not reproduce all of the logged expiries"
        };
        let agree = if totals.agrees == 1 { "agrees" } else { "agree" };
        let differ = if differing == 1 { "differs" } else { "differ" };
        notes
            .push(format!("The policy in force {verdict}: {} {agree}, {differing} {differ}.", totals.agrees));
    }
    let gaps: u64 = history.gaps().iter().map(|gap| gap.records).sum();
    if gaps > 0 {
        notes.push(format!(
            "{} their content: what happened there is not replayed.",
            plural_verb(gaps, "record", ["lacks", "lack"])
        ));
    }
    notes
}

impl Comparison<'_> {
    /// Why the rules and the logs agree or do not.
    pub(super) fn explanation(&self, pair: &Pair<'_>, real: &Image) -> String {
        let check = matches!(self.scenario, Scenario::InForce);
        match pair.outcome {
            Outcome::Agrees => "The run took it.".to_owned(),
            Outcome::OtherRule => "The run took it, and names another rule.".to_owned(),
            Outcome::OtherRun if check => {
                format!("A run took it, and not the one that was to. {}", self.doubt(real))
            }
            Outcome::LoggedOnly if check => {
                format!("A run took it, and by its rules it was not to. {}", self.doubt(real))
            }
            Outcome::PredictedOnly if check => {
                format!("By its rules the run was to take it, and did not. {}", self.doubt(real))
            }
            Outcome::OtherRun => "As logged it went in another run.".to_owned(),
            Outcome::LoggedOnly => "As logged a run took it; this policy would not have.".to_owned(),
            Outcome::PredictedOnly => format!("As logged no run took it: {}.", became(real)),
        }
    }

    /// What may be the reason for a difference.
    fn doubt(&self, real: &Image) -> String {
        if real.open_start {
            return "Its push, or some of its tags, lie before the logs.".to_owned();
        }
        if !self.logged.gaps.is_empty() {
            return format!(
                "{} content: CloudTrail left it out.",
                plural_verb(
                    self.logged.gaps.len(),
                    "record",
                    ["of the repository lacks its", "of the repository lack their"]
                )
            );
        }
        if self.logged.images.iter().any(|image| image.open_start) {
            return "The repository has images from before the logs, of which not everything is known."
                .to_owned();
        }
        if self.logged.parents.contains_key(&real.digest) {
            return "An index lists it, or did.".to_owned();
        }
        "Nothing in the logs says why.".to_owned()
    }
}

/// What really became of an image.
fn became(real: &Image) -> String {
    let at = |millis: i64| Timestamp::from_millis(millis);
    match (real.gone_at, real.losses.last()) {
        (Some(gone), Some(loss)) => match loss.end {
            End::DeletedByDigest | End::DeletedByLastTag => format!("it was deleted at {}", at(gone)),
            End::RepositoryDeleted => format!("it went with its repository at {}", at(gone)),
            End::Expired => format!("it expired at {} in a later life", at(gone)),
            End::Archived => format!("it was archived at {}", at(gone)),
            End::NotListed => format!("it was gone by {}, and no log says how", at(gone)),
        },
        _ if real.is_alive() && !real.vanished => "it is still there".to_owned(),
        _ => "what became of it is not in the logs".to_owned(),
    }
}

pub fn summary(
    history: &History,
    repository: &Repository,
    image: &Image,
    pair: &Pair<'_>,
    rule: Option<&Rule>,
    harm: &Harm,
) -> String {
    let digest = history.digest_or_zero(image.digest).short();
    let went = pair.loss.map(|loss| Timestamp::from_millis(loss.at));
    let verb = if rule.is_some_and(|rule| rule.action == LifecycleAction::Transition) {
        "archived"
    } else {
        "taken"
    };
    let what = match (pair.expected, rule) {
        (Some(one), Some(rule)) => {
            format!("would have been {verb} at {} by {}", Timestamp::from_millis(one.at), rule.in_words())
        }
        (Some(one), None) => format!("would have been {verb} at {}", Timestamp::from_millis(one.at)),
        (None, _) => "would have been kept".to_owned(),
    };
    let really = match (pair.outcome, went) {
        (Outcome::Agrees, _) => ", as it was".to_owned(),
        (_, Some(went)) => format!("; it went at {went}"),
        (_, None) => String::new(),
    };
    let needed = match (harm.usage.pulls_after_gone, harm.pinned.len()) {
        (0, 0) => String::new(),
        (0, pinned) => format!("; {} needed it", plural(pinned, "deployment")),
        (pulls, _) => format!("; {} came after that", plural(pulls, "pull")),
    };
    format!("In {}, {digest} {what}{really}{needed}.", place(repository))
}
