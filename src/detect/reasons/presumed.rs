//! An end that no event shows: which other image went, and why this one most likely went with it.

use super::{Why, why as why_of};
use crate::detect::story::{evidence, place, rule_in_words};
use crate::model::{Reason, ReasonKind, Timestamp};
use crate::timeline::{Because, End, EventNo, History, Image, Loss, RepositoryHistory};

pub fn why(
    history: &History,
    repository: &RepositoryHistory,
    image: &Image,
    loss: &Loss,
    because: Because,
) -> Why {
    let Some((other, gone, first)) = history.behind(repository, image, loss) else { return Why::default() };
    let digest = history.digest_or_zero(gone.digest).short();
    let went = went(history, first);
    let (kind, text, events, advice) = match because {
        Because::Subject(_) => {
            let manner = if first.end == End::Archived { "archives" } else { "removes" };
            let text = format!(
                "It is a reference artifact (a signature, an SBOM, an attestation): its manifest has {digest} \
                 as its subject, and {went}. ECR {manner} artifacts within 24 hours of their subject, \
                 whatever rules say of them, and no event of that is documented."
            );
            let push = gone
                .steps
                .iter()
                .chain(&image.steps)
                .filter(|step| step.kind == crate::model::StepKind::Push)
                .map(|step| step.event);
            let advice = format!(
                "Push {digest} again and sign it anew, or protect it by a rule: what says something about an \
                 image goes with it."
            );
            (ReasonKind::SubjectGone, text, push.chain([first.event]).collect::<Vec<EventNo>>(), advice)
        }
        Because::Source { set_up, .. } => {
            let source = history.repository(other);
            let text = format!(
                "It is a copy of what was in {}, where {went}. Since {} ({}) the replication rule from there \
                 replicates deletions, expiries by lifecycle rules too, and no event of that is documented \
                 for the copy.",
                place(&source),
                history.time(set_up),
                history.text(history.noted(set_up).name),
            );
            let advice = format!(
                "Push it again to {}, from where it is replicated; to keep copies longer than their sources, \
                 switch deleteReplication off in that rule (`aws ecr put-replication-configuration`).",
                place(&source)
            );
            (ReasonKind::SourceGone, text, vec![set_up, first.event], advice)
        }
    };
    let behind = why_of(history, other, gone, first);
    let reason = Reason { kind, text, evidence: evidence(history, events) };
    Why { reasons: [vec![reason], behind.reasons].concat(), advice: [vec![advice], behind.advice].concat() }
}

/// "lifecycle rule 1 (…) took it at 2026-04-02T04:00:00Z".
fn went(history: &History, loss: &Loss) -> String {
    let at = Timestamp::from_millis(loss.at);
    let by = super::caller(history, loss.event);
    match loss.end {
        _ if loss.presumed.is_some() => format!("it most likely went by {at}, too"),
        End::Expired => format!("{} took it at {at}", rule_in_words(history, loss)),
        End::Archived if loss.run.is_some() => {
            format!("{} archived it at {at}", rule_in_words(history, loss))
        }
        End::Archived => format!("{by} archived it at {at}"),
        End::DeletedByDigest => format!("{by} deleted it at {at}"),
        End::DeletedByLastTag => format!("{by} deleted its last tag at {at}, and the image with it"),
        End::RepositoryDeleted => format!("{by} deleted the repository at {at}"),
        End::NotListed => format!("{} does not list it any more", history.snapshot_in_words(loss.event)),
    }
}
