//! What was reported before, and what somebody accepted: a JSON file that is kept between runs and can be
//! read by people.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Loss, Standing};
use crate::model::Timestamp;

/// Version of the file's format.
const SCHEMA_VERSION: u32 = 1;

/// The file of `--known`. Losses are added and never removed, because a loss that has left the window of
/// logs may come back into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    schema_version: u32,
    /// Losses that somebody does not want to hear about for a while.
    pub accepted: Vec<Acceptance>,
    /// Losses that were reported, each at its worst.
    pub known: Vec<ReportedLoss>,
}

/// A loss that somebody accepts for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    pub id: String,
    /// From this moment on the loss is reported again.
    pub until: Timestamp,
    pub reason: String,
    /// The loss as it was accepted; if it becomes worse, it is reported all the same. May be missing in
    /// entries written by hand.
    #[serde(default)]
    pub as_of: Option<Loss>,
}

/// A loss that was reported.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportedLoss {
    #[serde(flatten)]
    pub loss: Loss,
    /// Where the evidence ended when it was first reported.
    pub first_told: Option<Timestamp>,
}

/// Whether a loss is news, compared with earlier runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    New,
    Worse,
    Known,
    Accepted,
}

impl News {
    /// Whether the loss has to be reported.
    pub const fn speaks(self) -> bool {
        matches!(self, Self::New | Self::Worse)
    }
}

impl Default for Known {
    fn default() -> Self {
        Self { schema_version: SCHEMA_VERSION, accepted: Vec::new(), known: Vec::new() }
    }
}

impl Known {
    /// Parses the file. An error says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let known: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match known.schema_version {
            SCHEMA_VERSION => Ok(known),
            other => Err(format!("its schema_version is {other}, and this program knows {SCHEMA_VERSION}")),
        }
    }

    /// Accepts a loss from now on; replaces an earlier acceptance.
    pub fn accept(&mut self, acceptance: Acceptance) {
        self.accepted.retain(|other| other.id != acceptance.id);
        self.accepted.push(acceptance);
    }

    /// The loss with that id as it was reported, if it ever was.
    pub fn told(&self, id: &str) -> Option<&Loss> {
        self.known.iter().map(|told| &told.loss).find(|loss| loss.id == id)
    }

    /// Decides which losses are news, and stores them for the next run. `end` is where the evidence ends,
    /// `now` the time of day.
    pub fn take(
        &mut self,
        losses: &BTreeMap<String, Loss>,
        end: Option<Timestamp>,
        now: Timestamp,
    ) -> BTreeMap<String, News> {
        let mut accepted: BTreeMap<String, Acceptance> =
            self.accepted.drain(..).map(|entry| (entry.id.clone(), entry)).collect();
        let mut known: BTreeMap<String, ReportedLoss> =
            self.known.drain(..).map(|told| (told.loss.id.clone(), told)).collect();
        let mut news = BTreeMap::new();
        for (id, loss) in losses {
            let said = match accepted.remove(id) {
                Some(mut entry) if now < entry.until && !is_news(loss, entry.as_of.as_ref()) => {
                    entry.as_of.get_or_insert_with(|| loss.clone());
                    accepted.insert(id.clone(), entry);
                    // It is reported again when the acceptance ends.
                    known.remove(id);
                    News::Accepted
                }
                // It has become worse than it was when it was accepted.
                Some(entry) if now < entry.until => keep(&mut known, loss, end, Some(News::Worse)),
                Some(_) => {
                    known.remove(id);
                    keep(&mut known, loss, end, None)
                }
                None => keep(&mut known, loss, end, None),
            };
            news.insert(id.clone(), said);
        }
        self.accepted = accepted.into_values().collect();
        self.known = known.into_values().collect();
        news
    }
}

fn is_news(loss: &Loss, accepted: Option<&Loss>) -> bool {
    accepted.is_some_and(|accepted| matches!(loss.standing(accepted), Standing::LostAgain | Standing::Worse))
}

/// Stores a loss at its worst, and decides whether it is news.
fn keep(
    known: &mut BTreeMap<String, ReportedLoss>,
    loss: &Loss,
    end: Option<Timestamp>,
    said: Option<News>,
) -> News {
    let Some(told) = known.get_mut(&loss.id) else {
        known.insert(loss.id.clone(), ReportedLoss { loss: loss.clone(), first_told: end });
        return said.unwrap_or(News::New);
    };
    match loss.standing(&told.loss) {
        Standing::LostAgain => {
            *told = ReportedLoss { loss: loss.clone(), first_told: end };
            said.unwrap_or(News::New)
        }
        Standing::Worse => {
            let gone_at = told.loss.gone_at.max(loss.gone_at);
            let severity = told.loss.severity.min(loss.severity);
            told.loss = Loss { gone_at, severity, ..loss.clone() };
            News::Worse
        }
        Standing::Same | Standing::Better => {
            // Later evidence, or evidence from further back, may show when it was lost.
            told.loss.gone_at = told.loss.gone_at.max(loss.gone_at);
            said.unwrap_or(News::Known)
        }
    }
}
