//! What needed the image: services that keep it, requests for it, and the time of the outage.

use super::scene::short_name;
use crate::model::{Finding, FindingKind, Timestamp};
use crate::ui::quantity::{counted, span};
use crate::ui::report::{Ask, Holder, Story};

pub struct Need {
    pub name: String,
    pub note: String,
    /// Since and until when it keeps the image; `None` for callers that only pulled.
    pub held: Option<(Timestamp, Option<Timestamp>)>,
    /// From the first failure until the outage ended; without an end if the logs have none.
    pub outage: Option<(Timestamp, Option<Timestamp>)>,
    pub asks: Vec<Ask>,
    /// "5 pulls found nothing, 3 tasks stopped".
    pub harm: Option<String>,
    /// How long the outage lasted.
    pub ending: Option<String>,
}

impl Need {
    pub fn first_failure(&self) -> Option<Timestamp> {
        self.asks.iter().find(|ask| ask.in_vain).map(|ask| ask.at)
    }

    pub fn last_ask(&self) -> Option<Timestamp> {
        self.asks.iter().map(|ask| ask.at).max()
    }
}

/// `None` if nothing is known to need the image.
pub fn need(finding: &Finding, story: &Story) -> Option<Need> {
    let asks = story.asks.clone();
    let failed = asks.iter().find(|ask| ask.in_vain).map(|ask| ask.at);
    let holder = chosen(&story.holders, failed);
    let names: Vec<String> = match holder {
        Some(holder) => vec![short_name(&holder.by)],
        None => finding
            .usage
            .references
            .iter()
            .map(short_name)
            .chain(asks.iter().filter_map(|ask| ask.by.as_ref()).map(short_name))
            .collect(),
    };
    let name = names.first().cloned().or_else(|| failed.map(|_| "somebody".to_owned()))?;
    let outage = failed.zip(holder).map(|(from, holder)| {
        let until = [holder.until, story.back_at].into_iter().flatten().filter(|until| *until >= from).min();
        (from, until)
    });
    let ending = outage.map(|(from, until)| match until {
        Some(until) if Some(until) == story.back_at => {
            format!("{} until the image was back", span(until.seconds_since(from)))
        }
        Some(until) => format!("{} until something newer was deployed", span(until.seconds_since(from))),
        None => "nothing newer was deployed in these logs".to_owned(),
    });
    Some(Need {
        name,
        note: note(finding, story, holder),
        held: holder.map(|holder| (holder.from, holder.until)),
        outage,
        harm: harm(finding, story, &asks),
        ending,
        asks,
    })
}

/// The holder that kept the image when a request failed, else the first that still keeps it.
fn chosen(holders: &[Holder], failed: Option<Timestamp>) -> Option<&Holder> {
    let held = |holder: &&Holder| {
        failed.is_none_or(|at| holder.from <= at && holder.until.is_none_or(|until| until > at))
    };
    holders.iter().find(held)
}

fn note(finding: &Finding, story: &Story, holder: Option<&Holder>) -> String {
    let mut names: Vec<_> = story.holders.iter().map(|holder| &holder.by).collect();
    names.sort_unstable();
    names.dedup();
    match (holder, names.len()) {
        (Some(_), 2..) => format!("and {} more hold on to it", names.len() - 1),
        (Some(_), _) => "holds on to it".to_owned(),
        (None, _) if !finding.usage.references.is_empty() => "names it".to_owned(),
        (None, _) => "asked for it".to_owned(),
    }
}

fn harm(finding: &Finding, story: &Story, asks: &[Ask]) -> Option<String> {
    let vain = || asks.iter().filter(|ask| ask.in_vain);
    let stops = vain().filter(|ask| ask.stopped).count() as u64;
    let pulls = vain().count() as u64 - stops;
    let found = match finding.kind {
        FindingKind::AccessTaken if story.locked.is_empty() => "refused",
        FindingKind::AccessTaken => "cannot have worked",
        kind if kind.is_a_failure() => "failed",
        _ => "found nothing",
    };
    let pulls = (pulls > 0).then(|| format!("{} {found}", counted(pulls, "pull", "pulls")));
    let stops = (stops > 0).then(|| format!("{} stopped", counted(stops, "task", "tasks")));
    let parts: Vec<String> = pulls.into_iter().chain(stops).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
