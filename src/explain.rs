//! One reference → a verdict: does the image exist, when and how was it lost, why was it eligible, and who
//! still needs it.
//!
//! Every answer is about a moment (`moment`): when a pull failed, one that the user names, or the end of
//! the logs.
//!
//! If the logs are not from the account, region or repository of the reference, that is the answer, and
//! never "not found".

mod absent;
mod access;
mod against;
mod cause;
mod early;
mod lost;
mod moment;
mod pasted;
mod pinned;
mod question;
mod removed;
mod repository;
mod settled;
mod short_digest;
mod tag_story;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_failures;
#[cfg(test)]
mod tests_kinds;
#[cfg(test)]
mod tests_tags;
mod there;
mod used_by;

pub use question::{About, Question, Registry};

use crate::model::{
    Basis, Cause, Coverage, Digest, EventRef, Exists, Finding, FindingKind, LogText, Moment, Sentence,
    TagEnd, Timestamp, Verdict, plural,
};
use crate::timeline::{EventNo, History, Image, Loss, RepositoryHistory, Sym};

use moment::{Presence, When};

/// Everything that an answer is made from.
#[derive(Clone, Copy)]
struct Case<'h> {
    question: &'h Question,
    history: &'h History,
    findings: &'h [Finding],
    coverage: &'h Coverage,
    /// The moment that the answer is about.
    when: When,
}

/// The image in question, if the logs know it.
#[derive(Clone, Copy)]
struct Known<'h> {
    repository: &'h RepositoryHistory,
    image: &'h Image,
}

/// Why the reference does not resolve, as far as the logs tell.
pub fn explain(question: &Question, history: &History, findings: &[Finding], coverage: &Coverage) -> Verdict {
    let settled = settled::settled(Case { question, history, findings, coverage, when: When::END });
    let question = &settled.question;
    let case = Case { question, history, findings, coverage, when: When::END };
    let mut verdict =
        match question.cut.as_deref().map(|digits| (digits, short_digest::completed(case, digits))) {
            None => answer(case),
            Some((_, Err(undecided))) => *undecided,
            Some((digits, Ok(whole))) => {
                let mut verdict = answer(Case { question: &whole, ..case });
                verdict.unknown.push(short_digest::note(digits));
                verdict
            }
        };
    verdict.unknown.extend(settled.notes);
    verdict.unknown.extend(other_images(question));
    verdict.unknown.extend(limits(case));
    verdict
}

/// The image that a question is about, and the repository that lacks it; if there are several, the one that
/// lost it. `None` if the evidence knows no such repository, or no digest for the tag.
pub fn subject<'h>(question: &Question, history: &'h History) -> Option<(&'h RepositoryHistory, Digest)> {
    let coverage = Coverage::default();
    let case = Case { question, history, findings: &[], coverage: &coverage, when: When::END };
    let settled = settled::settled(case);
    let case = Case { question: &settled.question, ..case };
    let whole = case.question.cut.as_deref().and_then(|digits| short_digest::completed(case, digits).ok());
    let case = Case { question: whole.as_ref().unwrap_or(case.question), ..case };
    let repositories = case.repositories();
    let known = repositories.iter().find_map(|repository| {
        Some((repository.repository, history.digest(case.image_in(repository)?.digest)?))
    });
    let (number, digest) =
        known.or_else(|| Some((repositories.first()?.repository, case.question.about.digest()?)))?;
    history
        .repositories()
        .iter()
        .find(|repository| repository.repository == number)
        .map(|repository| (repository, digest))
}

/// Maximum number of other digests in the text that are named.
const OTHERS_MAX: usize = 5;

/// A note if the text, which may be a whole log, names other images: the answer is about the first one.
fn other_images(question: &Question) -> Option<String> {
    let named: Vec<String> = question.others.iter().take(OTHERS_MAX).map(Digest::to_string).collect();
    let more = question.others.len().saturating_sub(OTHERS_MAX);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let text = || {
        format!(
            "The text names other digests, too, which this is not about: {}{more}. Ask about each by itself.",
            named.join(", ")
        )
    };
    (!named.is_empty()).then(text)
}

/// The verdict on a question with a complete digest, or without one.
fn answer(case: Case<'_>) -> Verdict {
    let repositories = case.repositories();
    let Some(&first) = repositories.first() else { return absent::no_repository(case) };
    if case.question.repository_only {
        return repository::verdict(case, first);
    }
    let seen = repositories.iter().find_map(|repository| Some((*repository, seen(case, repository)?)));
    let mut verdict = match seen {
        None => {
            let case = Case { when: moment::of(case, first), ..case };
            let mut verdict =
                Verdict { moment: moment::shown(case, case.when, None), ..absent::no_image(case, first) };
            access::explain_absence(case, first, &mut verdict);
            verdict
        }
        Some((repository, (when, presence))) => {
            let case = Case { when, ..case };
            Verdict { moment: moment::shown(case, when, Some(presence)), ..told(case, repository, presence) }
        }
    };
    let also = repositories.iter().skip(1).filter(|other| case.image_in(other).is_some()).count();
    if also > 0 {
        verdict.unknown.push(format!(
            "{also} more repositories have an image that fits; name the registry \
             (ACCOUNT.dkr.ecr.REGION.amazonaws.com/…) to ask about one of them."
        ));
    }
    verdict
}

/// The moment that this repository can answer for, and what existed at that moment.
fn seen<'h>(case: Case<'h>, repository: &'h RepositoryHistory) -> Option<(When, Presence<'h>)> {
    let when = moment::of(case, repository);
    let presence = moment::presence(case, repository, when)?;
    // A pull failed once, and the image was lost for good later: the question is about a failure since
    // then, logged or not.
    if when.basis == Basis::FailedPull
        && let Some(at_end) = moment::presence(case, repository, When::END)
        && at_end.absent_since(case).is_some_and(|since| when.at < since)
    {
        return Some((When::END, at_end));
    }
    Some((when, presence))
}

fn told<'h>(case: Case<'h>, repository: &'h RepositoryHistory, presence: Presence<'h>) -> Verdict {
    let known = Known { repository, image: presence.image() };
    match presence {
        Presence::There(_) => there::verdict(case, known),
        Presence::Lost(_, loss) => lost::verdict(case, known, loss),
        Presence::Early(_, span) => early::verdict(case, known, span),
        Presence::TagGone(_, span) => removed::verdict(case, known, span),
        Presence::Vanished(_, created) => removed::recreated(case, known, created),
    }
}

impl<'h> Case<'h> {
    /// Repositories that the reference may mean, those that know the image first.
    fn repositories(self) -> Vec<&'h RepositoryHistory> {
        let mut found: Vec<&RepositoryHistory> =
            self.history.repositories().iter().filter(|repository| self.fits(repository)).collect();
        // First one that has lost it, then one that knows it at all: the question is about that.
        found.sort_by_key(|repository| {
            self.image_in(repository).map_or(2, |image| u8::from(image.gone_at.is_none()))
        });
        found.retain(|repository| repository.logged || self.image_in(repository).is_some());
        found
    }

    /// Whether the question can mean this repository.
    fn fits(self, repository: &RepositoryHistory) -> bool {
        let own = self.history.repository(repository);
        match &self.question.about {
            About::Reference(wanted) => {
                own.registry_id == *wanted.registry_id
                    && own.region == *wanted.region
                    && own.name == *wanted.repository
            }
            About::Name { repository: name, .. } => match &self.question.registry {
                // Parts of the host that could not be read are ignored; those that could be read have to
                // match.
                Registry::Ecr { registry_id, region } => {
                    let is = |known: &Option<String>, own: &LogText| {
                        known.as_ref().is_none_or(|known| *own == **known)
                    };
                    own.name == **name && is(registry_id, &own.registry_id) && is(region, &own.region)
                }
                Registry::Unnamed => own.name == **name,
                // Names in another registry do not count here, but a digest is the same everywhere.
                Registry::Public | Registry::Other(_) => {
                    self.question.about.digest().is_some() && self.image_in(repository).is_some()
                }
            },
            About::Digest(_) => self.image_in(repository).is_some(),
            About::Beginning => true,
        }
    }

    /// The image with the digest; without one, the image that the tag points to, or pointed to last.
    fn image_in(self, repository: &'h RepositoryHistory) -> Option<&'h Image> {
        if let Some(digest) = self.question.about.digest() {
            return repository.image(self.history.find_digest(&digest)?);
        }
        repository.image(repository.tag_lives.get(&self.asked_tag()?)?.spans.last()?.digest)
    }

    fn asked_tag(self) -> Option<Sym> {
        self.history.find_string(self.question.about.tag()?)
    }

    fn time(self, event: EventNo) -> i64 {
        self.history.noted(event).time
    }

    /// "points at the end of the logs to", or what fits the moment.
    fn when_in_words(self) -> String {
        match self.when.basis {
            Basis::End => "points at the end of the logs to".to_owned(),
            Basis::Asked | Basis::FailedPull => {
                format!("pointed at {} to", Timestamp::from_millis(self.when.at))
            }
        }
    }

    /// The finding about an image of this index that is gone.
    fn finding_of_child(self, known: Known<'_>) -> Option<String> {
        let (index, repository) = (self.digest(known), self.history.repository(known.repository));
        let same = |finding: &&Finding| {
            finding.kind == FindingKind::ChildLost
                && finding.kept.digest == Some(index)
                && finding.repository == repository
        };
        self.findings.iter().find(same).map(|finding| finding.id.clone())
    }

    fn event(self, event: EventNo) -> Vec<EventRef> {
        event.some().map(|event| self.history.event(event)).into_iter().collect()
    }

    fn digest(self, known: Known<'_>) -> Digest {
        self.history.digest_or_zero(known.image.digest)
    }

    fn exists(self, known: Known<'_>, digest_exists: Option<bool>) -> Exists {
        let tag = self
            .question
            .about
            .tag()
            .map(|tag| self.history.find_string(tag).and_then(|tag| known.repository.tags.get(&tag)));
        let holder = tag.flatten().and_then(|tag| tag.holder).map(|at| &known.repository.images[at]);
        // What took the tag is not in the logs: some other image may have it. A list of the whole repository
        // would show that.
        let may_be_elsewhere = known.repository.listing.is_none()
            && self
                .asked_tag()
                .and_then(|tag| known.repository.tag_lives.get(&tag)?.spans.last())
                .is_some_and(|last| last.end == Some(TagEnd::NotLogged));
        let tag_exists = tag.flatten().map(|tag| tag.holder.is_some());
        Exists {
            tag_exists: tag_exists.filter(|exists| *exists || !may_be_elsewhere),
            digest_exists,
            tag_points_to: holder.and_then(|image| self.history.digest(image.digest)),
        }
    }

    /// The finding of that kind about the tag in question, else about the image.
    fn finding_of(self, known: Known<'_>, kind: FindingKind) -> Option<String> {
        let (digest, repository) = (self.digest(known), self.history.repository(known.repository));
        let same = |finding: &&Finding| {
            finding.kind == kind && finding.repository == repository && finding.lost.digest == Some(digest)
        };
        let of_tag = |finding: &&Finding| finding.tag.as_ref().map(LogText::raw) == self.question.about.tag();
        let mut found = self.findings.iter().filter(same);
        found.clone().find(of_tag).or_else(|| found.next()).map(|finding| finding.id.clone())
    }

    /// The finding about the same loss.
    fn finding(self, known: Known<'_>, loss: Option<&Loss>) -> Option<String> {
        let (digest, repository) = (self.digest(known), self.history.repository(known.repository));
        let gone = loss.map(|loss| crate::model::Timestamp::from_millis(loss.at));
        let same = |finding: &&Finding| {
            finding.lost.digest == Some(digest)
                && finding.repository == repository
                && finding.lost.gone_at == gone
        };
        self.findings.iter().find(same).map(|finding| finding.id.clone())
    }

    /// A verdict that contains only the question.
    fn blank(self, cause: Cause) -> Verdict {
        Verdict {
            reference: LogText::from(self.question.to_text()),
            repository: None,
            exists: Exists::default(),
            moment: Moment::default(),
            cause,
            gone: None,
            why: None,
            narrative: Vec::new(),
            reasons: Vec::new(),
            not_this: Vec::new(),
            used_by: Vec::new(),
            behind: Vec::new(),
            unknown: Vec::new(),
            advice: Vec::new(),
        }
    }
}

fn sentence(text: impl Into<String>, evidence: Vec<EventRef>) -> Sentence {
    Sentence { text: text.into(), evidence }
}

/// What these logs cannot show, whatever the answer is.
fn limits(case: Case<'_>) -> Vec<String> {
    let coverage = case.coverage;
    let mut limits = coverage.warnings.clone();
    if coverage.objects_failed > 0 || coverage.records_failed > 0 {
        limits.push(format!(
            "{} and {} could not be read: see coverage.failures.",
            plural(coverage.objects_failed, "object"),
            plural(coverage.records_failed, "record")
        ));
    }
    if coverage.partial {
        limits.push("The run was interrupted: not all of the logs were read.".to_owned());
    }
    limits
}
