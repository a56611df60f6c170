//! What was told before, and what somebody accepted: a file between one run and the next, made to be read by people, too.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Loss, Standing};
use crate::model::Timestamp;

/// Version of the file.
const SCHEMA_VERSION: u32 = 1;

/// The file of `--known`. It grows by losses, and never shrinks: a loss that has left the window may come back into it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    schema_version: u32,
    /// Losses about which nobody wants to hear for a while.
    pub accepted: Vec<Acceptance>,
    /// Losses that were told, each at its worst.
    pub known: Vec<Told>,
}

/// Somebody takes a loss as it is, for a while.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    pub id: String,
    /// From this moment on the loss is told again.
    pub until: Timestamp,
    pub reason: String,
    /// What was accepted; where it has become worse, it is told all the same. An entry written by hand may leave it out.
    #[serde(default)]
    pub as_of: Option<Loss>,
}

/// A loss that was told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Told {
    #[serde(flatten)]
    pub loss: Loss,
    /// Where the evidence ended when it was told first.
    pub first_told: Option<Timestamp>,
}

/// What a loss is to whoever was told of others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum News {
    New,
    Worse,
    Known,
    Accepted,
}

impl News {
    /// Whether somebody is to be told.
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
    /// Reads the file. An error says what is wrong with it.
    pub fn parse(text: &[u8]) -> Result<Self, String> {
        let known: Self = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        match known.schema_version {
            SCHEMA_VERSION => Ok(known),
            other => Err(format!("its schema_version is {other}, and this program knows {SCHEMA_VERSION}")),
        }
    }

    /// Accepts a loss from now on, in place of what was accepted before.
    pub fn accept(&mut self, acceptance: Acceptance) {
        self.accepted.retain(|other| other.id != acceptance.id);
        self.accepted.push(acceptance);
    }

    /// Whether a loss of that id was ever told.
    pub fn told(&self, id: &str) -> Option<&Loss> {
        self.known.iter().map(|told| &told.loss).find(|loss| loss.id == id)
    }

    /// Says what each loss is, and keeps what is told now for the next run. `end` is where the evidence ends, `now` what the clock says.
    pub fn take(&mut self, losses: &BTreeMap<String, Loss>, end: Option<Timestamp>, now: Timestamp) -> BTreeMap<String, News> {
        let mut accepted: BTreeMap<String, Acceptance> = self.accepted.drain(..).map(|entry| (entry.id.clone(), entry)).collect();
        let mut known: BTreeMap<String, Told> = self.known.drain(..).map(|told| (told.loss.id.clone(), told)).collect();
        let mut news = BTreeMap::new();
        for (id, loss) in losses {
            let said = match accepted.remove(id) {
                Some(mut entry) if now < entry.until && !is_news(loss, entry.as_of.as_ref()) => {
                    entry.as_of.get_or_insert_with(|| loss.clone());
                    accepted.insert(id.clone(), entry);
                    // It is told anew when the acceptance ends.
                    known.remove(id);
                    News::Accepted
                }
                // It has become worse than what was accepted.
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

/// Keeps a loss at its worst, and says what it is.
fn keep(known: &mut BTreeMap<String, Told>, loss: &Loss, end: Option<Timestamp>, said: Option<News>) -> News {
    let Some(told) = known.get_mut(&loss.id) else {
        known.insert(loss.id.clone(), Told { loss: loss.clone(), first_told: end });
        return said.unwrap_or(News::New);
    };
    match loss.standing(&told.loss) {
        Standing::LostAgain => {
            *told = Told { loss: loss.clone(), first_told: end };
            said.unwrap_or(News::New)
        }
        Standing::Worse => {
            let gone_at = told.loss.gone_at.max(loss.gone_at);
            let severity = told.loss.severity.min(loss.severity);
            told.loss = Loss { gone_at, severity, ..loss.clone() };
            News::Worse
        }
        Standing::Same | Standing::Better => {
            // Evidence that came later, or from further back, may say when it went.
            told.loss.gone_at = told.loss.gone_at.max(loss.gone_at);
            said.unwrap_or(News::Known)
        }
    }
}
