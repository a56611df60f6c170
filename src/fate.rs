//! One digest → what became of it in every registry, and what will become of it: source, replicas and
//! pull-through caches in one picture.
//!
//! Replication copies images that are pushed while a rule is in force, and only once: a replica is not
//! copied on (ECR User Guide). Copies have lifecycle policies of their own; if the replication rule
//! replicates deletions, they are also deleted with their source.

mod born;
mod ends;
mod next;
mod places;
mod story;

use std::cell::OnceCell;

use crate::explain::{About, Question, subject};
use crate::forecast;
use crate::model::{
    Digest, EventRef, Fate, FatePlace, Finding, FirstEnd, GoesWith, ImageState, LogText, Repository,
    Timeline, Timestamp,
};
use crate::timeline::{History, RepositoryForecast, RepositoryHistory, Upstream};
use next::Will;
use places::Spot;

/// A history at its end, with the forecasts of its policies, which are computed for a repository when first
/// needed.
pub struct Fates<'h> {
    history: &'h History,
    as_of: Timestamp,
    repository_forecast: Vec<OnceCell<Option<RepositoryForecast>>>,
}

impl<'h> Fates<'h> {
    /// As of the end of the evidence.
    pub fn new(history: &'h History, as_of: Timestamp) -> Self {
        Self {
            history,
            as_of,
            repository_forecast: history.repositories().iter().map(|_| OnceCell::new()).collect(),
        }
    }

    /// What becomes of the image in question; `None` if the evidence knows neither its digest nor its
    /// repository.
    pub fn of(&self, question: &Question) -> Option<Fate> {
        let (repository, digest) = subject(question, self.history)?;
        let mut fate =
            self.fate(LogText::from(question.to_text()), digest, &self.history.repository(repository));
        // A question with only a digest is about all places.
        if matches!(question.about, About::Digest(_) | About::Beginning) {
            fate.places.iter_mut().for_each(|place| place.asked = false);
        }
        Some(fate)
    }

    /// The same for a finding; `None` if it is about a tag alone.
    pub fn of_finding(&self, finding: &Finding) -> Option<Fate> {
        Some(self.fate(LogText::from(finding.id.as_str()), finding.lost.digest?, &finding.repository))
    }

    fn fate(&self, reference: LogText, digest: Digest, asked: &Repository) -> Fate {
        let spots = places::all(self, digest, asked);
        let wills: Vec<Will> = spots.iter().map(|spot| next::of(self, spot)).collect();
        let goes_with: Vec<Vec<GoesWith>> =
            spots.iter().map(|spot| next::goes_with(self, spot, &spots, &wills)).collect();
        let places: Vec<FatePlace> = (spots.iter().zip(wills).zip(goes_with))
            .map(|((spot, will), goes_with)| self.place(spot, will, goes_with, &spots, asked))
            .collect();
        let there: Vec<&FatePlace> = places.iter().filter(|place| place.presence.has_it()).collect();
        let ends: Option<Vec<Timestamp>> =
            there.iter().map(|place| place.first_end.as_ref().map(|end| end.expected_by)).collect();
        let last_copy = if let [only] = there[..] { Some(only.repository.clone()) } else { None };
        let mut fate = Fate {
            reference,
            digest,
            as_of: self.as_of,
            copies: there.len() as u64,
            last_copy,
            all_gone_by: ends.and_then(|ends| ends.into_iter().max()),
            unknown: story::unknown(self, &spots, &places),
            advice: Vec::new(),
            places,
        };
        fate.advice = story::advice(&fate);
        fate
    }

    /// The lives of the image in the places of a fate, in their order.
    pub fn lives(&self, fate: &Fate) -> Vec<Option<Timeline>> {
        fate.places.iter().map(|place| self.history.timeline_of(&place.repository, &fate.digest)).collect()
    }

    /// The forecast of a repository's policy for its images.
    fn repository_forecast(&self, repository: &'h RepositoryHistory) -> Option<&RepositoryForecast> {
        let at = self.history.repositories().iter().position(|other| std::ptr::eq(other, repository))?;
        let known = self.repository_forecast.get(at)?;
        known.get_or_init(|| forecast::of_repository(self.history, repository)).as_ref()
    }

    fn place(
        &self,
        spot: &Spot<'h>,
        will: Will,
        goes_with: Vec<GoesWith>,
        spots: &[Spot<'h>],
        asked: &Repository,
    ) -> FatePlace {
        let born = born::untagged(self.history, spot);
        let first_end = first_end(&spot.name, &will, &goes_with);
        let end = ends::of(self.history, spot);
        let takes = if spot.has_it() { next::takes(self, spot, spots) } else { Vec::new() };
        let image = spot.image;
        let mut place = FatePlace {
            repository: spot.name.clone(),
            role: spot.role,
            role_logged: spot.role_logged,
            copy_of: spot.copy_of.and_then(|at| spots.get(at)).map(|source| source.name.clone()),
            upstream: spot.upstream.as_ref().map(|upstream| self.upstream_text(upstream)),
            asked: spot.name == *asked,
            presence: spot.presence,
            state: image.map_or(ImageState::Unknown, |image| image.state),
            tags: ends::tags(self.history, spot),
            pushed_at: image.and_then(|image| image.pushed_at).map(Timestamp::from_millis),
            untagged_at: image.and_then(|image| image.untagged_at).map(Timestamp::from_millis),
            arrival: spot.arrival.some().map(|event| self.history.event(event)),
            born_untagged: born.as_ref().map(|born| born.shown(self.history)),
            end,
            next: will.shown,
            goes_with,
            takes,
            first_end,
            needed: will.severity.is_some(),
            severity: will.severity,
            needed_by: will.needed_by,
            why: will.why,
            story: Vec::new(),
            evidence: Vec::new(),
        };
        place.story = story::of(self, spot, &place, &will.words);
        place.evidence = self.evidence(spot, &place, will.evidence);
        place
    }

    /// `registry-1.docker.io/library/nginx`.
    fn upstream_text(&self, upstream: &Upstream) -> LogText {
        let host = self.history.text(upstream.host);
        let host = if host.is_empty() { "…" } else { host };
        LogText::from(format!("{host}/{}", upstream.name))
    }

    /// Every event that the answer about a place rests on, in order of time.
    fn evidence(&self, spot: &Spot<'h>, place: &FatePlace, more: Vec<EventRef>) -> Vec<EventRef> {
        let mut all: Vec<EventRef> = place.arrival.iter().cloned().chain(more).collect();
        all.extend(place.end.iter().map(|end| end.event.clone()));
        all.extend(place.goes_with.iter().map(|with| with.set_by.clone()));
        all.extend(place.born_untagged.iter().filter_map(|born| born.set_by.clone()));
        all.extend(
            [spot.copied_by, spot.seen]
                .into_iter()
                .filter_map(|event| event.some())
                .map(|event| self.history.event(event)),
        );
        all.extend(spot.upstream.as_ref().map(|upstream| self.history.event(upstream.set_by)));
        all.sort_by(|a, b| (a.event_time, &a.event_id).cmp(&(b.event_time, &b.event_id)));
        all.dedup_by(|a, b| a.event_id == b.event_id);
        all
    }
}

/// The earliest of the ends by its own rule and by those of its sources.
fn first_end(own: &Repository, will: &Will, goes_with: &[GoesWith]) -> Option<FirstEnd> {
    let end = |eligible: Option<Timestamp>, by: Option<Timestamp>, of: &Repository| {
        Some(FirstEnd { eligible_at: eligible?, expected_by: by?, by: of.clone() })
    };
    let expires = will.expires().and_then(|(eligible, by)| end(Some(eligible), Some(by), own));
    let with = goes_with.iter().filter_map(|with| end(with.eligible_at, with.expected_by, &with.repository));
    expires.into_iter().chain(with).min_by(|a, b| (a.eligible_at, &a.by).cmp(&(b.eligible_at, &b.by)))
}
