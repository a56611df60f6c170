//! Where snapshots and logs disagree. That is not an error: it shows that something happened which was not
//! logged.

use super::fact::Named;
use super::history::History;
use super::names::EventNo;
use super::replay::RepositoryHistory;
use crate::model::{Contradiction, Timestamp};

/// A disagreement between a snapshot and the logs.
#[derive(Debug, Clone, Copy)]
pub struct Contradicts {
    pub what: Disagreement,
    pub image: Named,
    /// The event in the logs; [`EventNo::NONE`] where they have none.
    pub logged: EventNo,
    pub shown: EventNo,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disagreement {
    /// The logs say that the image was lost, and the snapshot lists it as pushed before that.
    ShownAfterItsEnd,
    /// The logs say that the image was lost, and the snapshot lists it as pushed after that.
    PushedAgain,
    NotListed,
    TagElsewhere,
    Archived,
    Restored,
    OtherPolicy,
    NoPolicy,
    RepositoryShown,
}

impl Disagreement {
    /// Whether it may be due to something that happened after the logs end, and so be no contradiction.
    const fn may_come_later(self) -> bool {
        !matches!(self, Self::ShownAfterItsEnd | Self::RepositoryShown)
    }
}

impl History {
    /// All contradictions, by repository and time. Leaves out those that may be due to what happened after
    /// the logs end.
    pub fn contradictions(&self) -> Vec<Contradiction> {
        let logs_end = self.logs_end();
        let odd = |found: &&Contradicts| {
            !found.what.may_come_later() || logs_end.is_some_and(|end| self.noted(found.shown).time <= end)
        };
        let all = self.repositories().iter().flat_map(|repository| {
            repository
                .contradictions
                .iter()
                .filter(odd)
                .map(move |found| self.contradiction(repository, found))
        });
        all.collect()
    }

    /// The last event of the logs, in milliseconds.
    fn logs_end(&self) -> Option<i64> {
        self.events().iter().filter(|event| !event.snapshot).map(|event| event.time).max()
    }

    /// "describe-images of TIME", and how sure that time is.
    pub fn snapshot_in_words(&self, event: EventNo) -> String {
        let shown = self.event(event);
        format!("{} of {} ({})", shown.event_name.raw(), shown.event_time, shown.object.raw())
    }

    fn contradiction(&self, repository: &RepositoryHistory, found: &Contradicts) -> Contradiction {
        let place = self.repository(repository);
        let digest = self.digest(found.image.digest);
        let name = digest.map(|digest| digest.short()).unwrap_or_default();
        let logged = found.logged.some().map(|event| self.event(event));
        let by = logged.as_ref().map_or_else(
            || "nothing".to_owned(),
            |event| format!("{} at {}", event.event_name.raw(), event.event_time),
        );
        let shown = self.snapshot_in_words(found.shown);
        let tag = self.text(found.image.tag);
        let says = match found.what {
            Disagreement::ShownAfterItsEnd => {
                format!("the logs say that {name} went ({by}); {shown} shows it")
            }
            Disagreement::PushedAgain => {
                let image = repository
                    .image(found.image.digest)
                    .and_then(|image| image.pushed_at)
                    .map(Timestamp::from_millis);
                let when = image.map(|at| format!(", pushed at {at}")).unwrap_or_default();
                format!(
                    "the logs say that {name} went ({by}), and have no push after that; {shown} shows \
                     it{when}"
                )
            }
            Disagreement::NotListed => {
                format!("the logs have {name} as there ({by}); {shown} does not list it")
            }
            Disagreement::TagElsewhere => {
                format!("the logs have tag {tag} on another image ({by}); {shown} shows it on {name}")
            }
            Disagreement::Archived => {
                format!("no log says that {name} was archived; {shown} shows it in the archive")
            }
            Disagreement::Restored => {
                format!("the logs say that {name} was archived ({by}); {shown} shows it active")
            }
            Disagreement::OtherPolicy => {
                format!("the logs have another lifecycle policy ({by}) than {shown} shows")
            }
            Disagreement::NoPolicy => format!("the logs have a lifecycle policy ({by}); {shown} shows none"),
            Disagreement::RepositoryShown => {
                format!("the logs say that the repository was deleted ({by}); {shown} shows it")
            }
        };
        let text = format!(
            "{}: {says}: what lies between the two is not in these logs, or one of them is not what it seems.",
            place.name.raw()
        );
        Contradiction {
            repository: place,
            digest,
            tag: self.log_text(found.image.tag),
            logged,
            shown: self.event(found.shown),
            text,
        }
    }
}
