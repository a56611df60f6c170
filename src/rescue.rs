//! One image → where the same digest still exists, and the commands that bring it back.
//!
//! An image that comes back under its digest makes everything that names the digest work again, without a
//! new deployment. A new build, even from the same commit, has another digest; it is what remains if the
//! image is nowhere.

mod commands;
mod makers;
mod places;

use crate::explain::{Question, subject};
use crate::model::{Finding, ImageState, LogText, Rescue, RescueFrom, RescueSource};
use crate::timeline::{History, Image, RepositoryHistory};

/// The image that is missing, and its repository.
#[derive(Clone, Copy)]
struct Missed<'h> {
    history: &'h History,
    repository: &'h RepositoryHistory,
    /// `None` if the repository is known but not the image.
    image: Option<&'h Image>,
    digest: crate::model::Digest,
}

/// Where the image in question can be had from; `None` if the evidence knows neither its digest nor its
/// repository.
pub fn rescue(question: &Question, history: &History) -> Option<Rescue> {
    let (repository, digest) = subject(question, history)?;
    let image = history.find_digest(&digest).and_then(|number| repository.image(number));
    Some(of(LogText::from(question.to_text()), Missed { history, repository, image, digest }))
}

/// The same for a finding; `None` if the finding is about a tag alone.
pub fn rescue_of(finding: &Finding, history: &History) -> Option<Rescue> {
    let digest = finding.lost.digest?;
    let repository = history
        .repositories()
        .iter()
        .find(|repository| history.repository(repository) == finding.repository)?;
    let image = history.find_digest(&digest).and_then(|number| repository.image(number));
    Some(of(LogText::from(finding.id.as_str()), Missed { history, repository, image, digest }))
}

fn of(reference: LogText, missed: Missed<'_>) -> Rescue {
    let mut sources = places::all(missed);
    sources.sort_by(|a, b| {
        b.seen_at.cmp(&a.seen_at).then_with(|| a.from.cmp(&b.from)).then_with(|| a.place.cmp(&b.place))
    });
    // If it is in its own repository, nothing has to be brought back.
    if sources.iter().any(|source| source.from == RescueFrom::Here) {
        sources.retain(|source| source.from == RescueFrom::Here);
    }
    Rescue {
        reference,
        repository: missed.history.repository(missed.repository),
        digest: missed.digest,
        state: missed.image.map_or(ImageState::Unknown, |image| image.state),
        made_by: makers::of(missed),
        repairs: repairs(&sources),
        does_not_repair: does_not_repair(missed, &sources),
        sources,
    }
}

fn repairs(sources: &[RescueSource]) -> Vec<String> {
    match sources.first().map(|source| source.from) {
        None | Some(RescueFrom::Here) => Vec::new(),
        Some(_) => {
            vec![
                "Whatever names the digest works again without a new deployment: tasks, pods and functions \
                 find it at their next try."
                    .to_owned(),
            ]
        }
    }
}

fn does_not_repair(missed: Missed<'_>, sources: &[RescueSource]) -> Vec<String> {
    let is_here = sources.iter().any(|source| source.from == RescueFrom::Here);
    if sources.is_empty() || is_here {
        return Vec::new();
    }
    let mut list = Vec::new();
    let tags = commands::other_tags(missed);
    if !tags.is_empty() {
        list.push(format!(
            "Its other tags: {}. Give them back only where nothing else has them now.",
            tags.join(", ")
        ));
    }
    let number = missed.history.find_digest(&missed.digest);
    let artifacts = number.and_then(|number| missed.repository.artifacts.get(&number)).map_or(0, Vec::len);
    if artifacts > 0 {
        list.push(format!(
            "What is about it ({artifacts} signatures, attestations or the like): that went by itself, and is \
             copied by itself."
        ));
    }
    list.push(
        "The cause: the same rule or call takes it again. `tagfall explain` names it, `tagfall whatif` tries \
         another policy."
            .to_owned(),
    );
    list
}
