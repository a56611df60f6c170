//! What the lifecycle policies in force will take next, and who still needs it.
//!
//! Nothing here reads the clock. A forecast is made as of the end of the evidence, or of a moment that the
//! user names, and assumes that from then on nothing is pushed, moved or deleted. A count rule has no date:
//! the forecast says how many more images may come before it takes an image.

mod story;
#[cfg(test)]
mod tests;

pub use story::{unknown, why};

use rayon::prelude::*;

use crate::detect::{Harm, evidence, usage_of_displaced, usage_of_living, usage_of_loss};
use crate::model::{
    DAY_SECONDS, Digest, Forecast, ImageState, KnownPolicy, LifecycleAction, LogText, Outlook, Severity,
    StepKind, Timestamp,
};
use crate::policy::Rule;
use crate::timeline::{
    EventNo, History, Image, ImageForecast, RepositoryForecast, RepositoryHistory, Unclear,
};

/// ECR runs policies within this many seconds of the moment at which an image becomes eligible (ECR User
/// Guide).
const RUN_SECONDS: i64 = DAY_SECONDS;

/// The forecast of a whole history. Its elements are made one at a time, as there may be millions.
pub struct Forecasts<'h> {
    history: &'h History,
    as_of: Timestamp,
    repository_forecast: Vec<Option<RepositoryForecast>>,
    order: Vec<UrgencyKey>,
    /// The severities that `--fail-on` judges: images that somebody needs and that a run will take.
    alarms: Vec<Severity>,
}

/// Sort position of an element, by urgency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct UrgencyKey {
    class: u8,
    eligible_at: i64,
    survives: u64,
    is_idle: bool,
    repository: u32,
    image: u32,
}

/// Number of images with each outlook, and of those that somebody needs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counts {
    pub images: u64,
    pub due: u64,
    pub dated: u64,
    pub counted: u64,
    pub needed: u64,
}

impl<'h> Forecasts<'h> {
    /// As of `as_of`; the history must not have later events. Only images taken `within` this many seconds,
    /// or all existing images.
    pub fn new(history: &'h History, as_of: Timestamp, within: Option<i64>) -> Self {
        let limit = within.map(|seconds| as_of.plus_seconds(seconds).millis());
        let asked =
            |place: &UrgencyKey| limit.is_none_or(|limit| place.class == DATED && place.eligible_at <= limit);
        let repository_forecast: Vec<Option<RepositoryForecast>> =
            history.repositories().par_iter().map(|repository| of_repository(history, repository)).collect();
        let places = |(number, repository): (usize, &RepositoryHistory)| {
            let of = repository_forecast.get(number).and_then(Option::as_ref);
            let place = |(at, image): (usize, &Image)| {
                let subject = Subject { history, as_of, repository, image, repository_forecast: of, at };
                let severity = subject.harm().severity;
                (
                    subject.place(number, severity.is_some()),
                    severity.filter(|_| subject.eligible_at().is_some()),
                )
            };
            let images = repository.images.iter().enumerate().filter(|(_, image)| is_there(image));
            images.map(place).filter(|(place, _)| asked(place)).collect::<Vec<_>>()
        };
        let found: Vec<(UrgencyKey, Option<Severity>)> =
            history.repositories().par_iter().enumerate().flat_map_iter(places).collect();
        let alarms = found.iter().filter_map(|(_, severity)| *severity).collect();
        let mut order: Vec<UrgencyKey> = found.into_iter().map(|(place, _)| place).collect();
        order.par_sort_unstable();
        Self { history, as_of, repository_forecast, order, alarms }
    }

    pub fn as_of(&self) -> Timestamp {
        self.as_of
    }

    /// How badly somebody needs each image that a run will take.
    pub fn alarms(&self) -> &[Severity] {
        &self.alarms
    }

    pub fn counts(&self) -> Counts {
        let mut counts =
            Counts { images: self.order.len() as u64, needed: self.alarms.len() as u64, ..Counts::default() };
        for place in &self.order {
            match place.class {
                DATED if place.eligible_at <= self.as_of.millis() => counts.due += 1,
                DATED => counts.dated += 1,
                COUNTED => counts.counted += 1,
                _ => {}
            }
        }
        counts
    }

    /// Every existing image, the most urgent first.
    pub fn iter(&self) -> impl Iterator<Item = Forecast> + '_ {
        self.order.iter().filter_map(|place| self.element(place))
    }

    /// Images that a run will take: first those that somebody needs, then the others, each the most urgent
    /// first.
    pub fn taken(&self) -> impl Iterator<Item = Forecast> + '_ {
        let dated = move |is_idle: bool| {
            self.order.iter().filter(move |place| place.class == DATED && place.is_idle == is_idle)
        };
        dated(false).chain(dated(true)).filter_map(|place| self.element(place))
    }

    fn element(&self, place: &UrgencyKey) -> Option<Forecast> {
        let (number, at) = (place.repository as usize, place.image as usize);
        let repository = self.history.repositories().get(number)?;
        let (image, repository_forecast) =
            (repository.images.get(at)?, self.repository_forecast.get(number).and_then(Option::as_ref));
        Some(
            Subject { history: self.history, as_of: self.as_of, repository, image, repository_forecast, at }
                .forecast(),
        )
    }

    /// The policy of each repository that has images, also where it is not known.
    pub fn policies(&self) -> Vec<KnownPolicy> {
        let repositories = self.history.repositories().iter().zip(&self.repository_forecast);
        let known = |(repository, repository_forecast): (&RepositoryHistory, &Option<RepositoryForecast>)| {
            let images = repository.images.iter().filter(|image| is_there(image)).count() as u64;
            let event = repository.policy.map(|policy| self.history.event(policy.event));
            (images > 0).then(|| KnownPolicy {
                repository: self.history.repository(repository),
                images,
                known: repository_forecast.is_some(),
                event,
                since: repository.policy.map(|policy| self.history.time(policy.since)),
                rules: repository_forecast
                    .iter()
                    .flat_map(|known| known.policy.rules())
                    .map(|rule| rule.text.clone())
                    .collect(),
                unknown: story::unknown(repository, repository_forecast.as_ref()),
            })
        };
        repositories.filter_map(known).collect()
    }
}

/// The forecast of a repository's policy; `None` where no policy is known, and where its rules cannot be read.
pub fn of_repository(history: &History, repository: &RepositoryHistory) -> Option<RepositoryForecast> {
    RepositoryForecast::of(history, repository).filter(|known| !known.policy.rules().is_empty())
}

/// The forecast for one existing image, and the same in words: `is taken by rule 1 … within a day of …`.
pub fn of_image(
    history: &History,
    repository: &RepositoryHistory,
    image: &Image,
    repository_forecast: Option<&RepositoryForecast>,
    as_of: Timestamp,
) -> (Forecast, String) {
    let at = repository.by_digest.get(&image.digest).copied().unwrap_or(usize::MAX);
    let subject = Subject { history, as_of, repository, image, repository_forecast, at };
    let forecast = subject.forecast();
    let words = story::will(&subject, forecast.outlook);
    (forecast, words)
}

const DATED: u8 = 0;
const COUNTED: u8 = 1;
const HELD: u8 = 2;
const REST: u8 = 3;

/// Whether the image exists as far as the logs show, in the repository or in its archive.
fn is_there(image: &Image) -> bool {
    match image.state {
        ImageState::Tagged | ImageState::Untagged | ImageState::Archived => true,
        ImageState::Unknown => image.is_there,
        _ => false,
    }
}

/// One image, its repository and its policy.
#[derive(Clone, Copy)]
struct Subject<'h> {
    history: &'h History,
    as_of: Timestamp,
    repository: &'h RepositoryHistory,
    image: &'h Image,
    repository_forecast: Option<&'h RepositoryForecast>,
    /// Index of the image.
    at: usize,
}

impl<'h> Subject<'h> {
    fn image_forecast(&self) -> Option<ImageForecast> {
        *self.repository_forecast?.images.get(self.at)?
    }

    fn rule(&self) -> Option<&'h Rule> {
        self.repository_forecast?.rule(self.image_forecast()?)
    }

    fn eligible_at(&self) -> Option<i64> {
        // What an unknown action does is not known.
        self.rule().filter(|rule| rule.action != LifecycleAction::Unknown)?;
        self.image_forecast()?.eligible_at
    }

    /// For a reference artifact that is deleted with its subject: the subject.
    fn subject(&self) -> Option<&'h Image> {
        self.repository.images.get(self.image_forecast()?.subject?)
    }

    fn unclear(&self) -> Option<Unclear> {
        self.eligible_at()?;
        self.image_forecast()?.unclear
    }

    fn held_by(&self) -> Vec<Digest> {
        let holders =
            self.repository.holders(self.image.digest).filter_map(|at| self.repository.images.get(at));
        let mut holders: Vec<Digest> =
            holders.filter_map(|image| self.history.digest(image.digest)).collect();
        holders.sort_unstable();
        holders.dedup();
        holders
    }

    fn outlook(&self) -> Outlook {
        let Some(image_forecast) = self.image_forecast() else { return Outlook::Unknown };
        let Some(rule) = self.rule() else { return Outlook::Safe };
        match (self.eligible_at(), image_forecast.survives) {
            _ if rule.action == LifecycleAction::Unknown => Outlook::Unknown,
            (Some(at), _) if at <= self.as_of.millis() => Outlook::Due,
            (Some(_), _) => Outlook::Dated,
            (None, Some(_)) => Outlook::Counted,
            (None, _) if self.is_held() => Outlook::Held,
            (None, None) => Outlook::Unknown,
        }
    }

    fn is_held(&self) -> bool {
        self.repository.is_held(self.image.digest) || self.repository.is_held_unseen(self.image)
    }

    fn harm(&self) -> Harm {
        let is_child = self.repository.parents.contains_key(&self.image.digest);
        match (&self.image.displaced, self.image.losses.last()) {
            // An archived image cannot be pulled.
            (_, Some(archived)) if self.image.state == ImageState::Archived => {
                usage_of_loss(self.history, self.image, archived, is_child)
            }
            (Some(displaced), _) => usage_of_displaced(self.history, self.image, displaced.step),
            (None, _) => usage_of_living(self.history, self.image, is_child),
        }
    }

    fn place(&self, repository: usize, is_needed: bool) -> UrgencyKey {
        let class = match self.outlook() {
            Outlook::Due | Outlook::Dated => DATED,
            Outlook::Counted => COUNTED,
            Outlook::Held => HELD,
            Outlook::Safe | Outlook::Unknown => REST,
        };
        UrgencyKey {
            class,
            eligible_at: self.eligible_at().filter(|_| class == DATED).unwrap_or(i64::MAX),
            survives: self
                .image_forecast()
                .and_then(|image_forecast| image_forecast.survives)
                .filter(|_| class == COUNTED)
                .unwrap_or(u64::MAX),
            is_idle: !is_needed,
            repository: u32::try_from(repository).unwrap_or(u32::MAX),
            image: u32::try_from(self.at).unwrap_or(u32::MAX),
        }
    }

    /// Whether it was old enough, or beyond the count, already when it lost its last tag.
    fn has_no_grace(&self) -> bool {
        let untagged = self.image.displaced.as_ref().and(self.image.untagged_at);
        untagged.zip(self.eligible_at()).is_some_and(|(untagged, eligible)| eligible <= untagged)
    }

    fn forecast(&self) -> Forecast {
        let (history, image) = (self.history, self.image);
        let (harm, outlook) = (self.harm(), self.outlook());
        let eligible_at = self.eligible_at().map(Timestamp::from_millis);
        let displaced = image.displaced.as_deref();
        let mut tags: Vec<LogText> =
            image.tags.iter().filter_map(|(tag, _)| history.log_text(*tag)).collect();
        tags.sort_unstable();
        let pushed = image
            .steps
            .iter()
            .rfind(|step| matches!(step.kind, StepKind::Push | StepKind::Replicate))
            .map(|step| step.event);
        let mut events: Vec<EventNo> = pushed.into_iter().collect();
        events.extend(
            displaced.into_iter().flat_map(|displaced| [displaced.first_push, displaced.second_push]),
        );
        events.extend(self.repository_forecast.map(|repository_forecast| repository_forecast.in_force.event));
        events.extend(self.unclear().map(|unclear| unclear.pull));
        events.extend(&harm.evidence);
        Forecast {
            repository: history.repository(self.repository),
            digest: history.digest_or_zero(image.digest),
            tags,
            state: image.state,
            pushed_at: image.pushed_at.map(Timestamp::from_millis),
            untagged_at: image.untagged_at.map(Timestamp::from_millis),
            open_start: image.open_start,
            displaced: displaced.is_some(),
            displaced_by: displaced.map(|displaced| history.event(displaced.second_push)),
            displaced_tag: displaced.and_then(|displaced| history.log_text(displaced.tag)),
            outlook,
            rule_priority: self.rule().map(|rule| rule.priority),
            rule: self.rule().map(|rule| rule.text.clone()),
            action: self.rule().map(|rule| rule.action),
            eligible_at,
            eligible_at_latest: self.unclear().map(|unclear| Timestamp::from_millis(unclear.eligible_at)),
            // An artifact is deleted within a day after its subject, which is taken within a day.
            expected_by: eligible_at.map(|eligible| {
                eligible.plus_seconds(if self.subject().is_some() { 2 * RUN_SECONDS } else { RUN_SECONDS })
            }),
            no_grace: self.has_no_grace(),
            survives_pushes: self
                .image_forecast()
                .and_then(|image_forecast| image_forecast.survives)
                .filter(|_| outlook == Outlook::Counted),
            goes_with: self.subject().map(|subject| history.digest_or_zero(subject.digest)),
            held_by: self.held_by(),
            needed: harm.severity.is_some(),
            severity: harm.severity,
            why: story::why(&harm, history.repository(self.repository).registry_id.raw()),
            summary: story::summary(self, outlook, &harm),
            needed_by: harm.pinned,
            usage: harm.usage,
            policy_event: self
                .repository_forecast
                .map(|repository_forecast| history.event(repository_forecast.in_force.event)),
            evidence: evidence(history, events),
        }
    }
}
