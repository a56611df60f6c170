//! A forecast in sentences.

use super::Subject;
use crate::detect::{Harm, place, span};
use crate::model::{
    ImageState, LifecycleAction, LogText, Outlook, Timestamp, needing_first, plural, plural_verb, times,
};
use crate::timeline::{RepositoryForecast, RepositoryHistory};

/// What is not known about the policy of a repository.
pub fn unknown(
    repository: &RepositoryHistory,
    repository_forecast: Option<&RepositoryForecast>,
) -> Option<String> {
    let said = match (repository_forecast, repository.policy) {
        (Some(_), _) => return None,
        (None, Some(_)) => "The text of its policy cannot be read.",
        (None, None) if repository.policy_deleted.is_some() => {
            "Its policy was deleted, and none was put since: no rule takes anything."
        }
        (None, None) => {
            "No policy of it is in the logs: neither PutLifecyclePolicy nor a lifecycle run. That is no proof \
             that it has none; widen --since, or ask `aws ecr get-lifecycle-policy`."
        }
    };
    Some(said.to_owned())
}

/// Why an image seems to be needed.
pub fn why(harm: &Harm, owner: &str) -> Vec<String> {
    let pinned = |name: &LogText| {
        format!("{} is deployed with it, or could not start without it.", needing_first(name.raw(), owner))
    };
    let mut why: Vec<String> = harm.pinned.iter().map(pinned).collect();
    if harm.usage.pulls_after_gone > 0 {
        why.push(format!(
            "It was asked for {} since it is in the archive.",
            times(harm.usage.pulls_after_gone)
        ));
    }
    if harm.severity.is_some() && harm.usage.pulls_while_untagged > 0 {
        why.push(format!("It was pulled {} since it has no tag.", times(harm.usage.pulls_while_untagged)));
    }
    why
}

pub fn summary(subject: &Subject<'_>, outlook: Outlook, harm: &Harm) -> String {
    let digest = subject.history.digest_or_zero(subject.image.digest).short();
    let repository = place(&subject.history.repository(subject.repository));
    let needed = match (harm.pinned.len(), harm.usage.pulls_after_gone) {
        _ if harm.severity.is_none() => String::new(),
        (0, 0) => format!("; it was pulled {} without a tag", times(harm.usage.pulls_while_untagged)),
        (0, pulls) => format!("; it was asked for {} since", times(pulls)),
        (names, _) => format!("; {} it", plural_verb(names, "deployment", ["still needs", "still need"])),
    };
    let more = if subject.image.tags_known { "" } else { "; it may have tags that the logs do not tell" };
    format!("In {repository}, {digest}{} {}{needed}{more}.", looks(subject), will(subject, outlook))
}

/// ` (untagged: lost v1)`.
fn looks(subject: &Subject<'_>) -> String {
    match (&subject.image.displaced, subject.image.state) {
        (Some(displaced), _) => {
            format!(
                ", which lost tag {} to {},",
                subject.history.text(displaced.tag),
                subject.history.digest_or_zero(displaced.by).short()
            )
        }
        (None, ImageState::Tagged) => format!(" with {}", plural(subject.image.tags.len(), "tag")),
        (None, ImageState::Archived) => " in the archive".to_owned(),
        (None, _) => " without a tag".to_owned(),
    }
}

pub fn will(subject: &Subject<'_>, outlook: Outlook) -> String {
    let words = subject.rule().map(|rule| rule.in_words()).unwrap_or_default();
    let goes = if subject.rule().is_some_and(|rule| rule.action == LifecycleAction::Transition) {
        "is archived"
    } else {
        "is taken"
    };
    let eligible = subject.eligible_at().map(Timestamp::from_millis);
    if let (Some(with), Outlook::Due | Outlook::Dated) = (subject.subject(), outlook) {
        let with = subject.history.digest_or_zero(with.digest).short();
        return format!(
            "is a reference artifact and goes with its subject {with}, within a day of that one's end: \
             {words} takes that within a day of {}",
            since(eligible).trim_start_matches("since ")
        );
    }
    match outlook {
        Outlook::Due => format!(
            "{goes} at the next run by {words}: eligible {}{}{}",
            since(eligible),
            unclear(subject),
            grace(subject)
        ),
        Outlook::Dated => {
            let when = eligible.map(|at| at.to_string()).unwrap_or_default();
            format!("{goes} by {words} within a day of {when}{}{}", unclear(subject), grace(subject))
        }
        Outlook::Counted => {
            let survives = subject
                .image_forecast()
                .and_then(|image_forecast| image_forecast.survives)
                .unwrap_or_default();
            format!(
                "is kept by {words} as things stand: it survives {} that the rule counts",
                plural(survives, "more image")
            )
        }
        Outlook::Held => format!("stays while an index lists it, although {words} speaks of it"),
        Outlook::Safe => "is in no danger by policy: no rule speaks of it".to_owned(),
        Outlook::Unknown
            if subject.repository_forecast.is_none() && subject.repository.policy_deleted.is_some() =>
        {
            "is in no danger by policy: the policy was deleted".to_owned()
        }
        Outlook::Unknown if subject.repository_forecast.is_none() => {
            "is in no danger by a policy that the logs tell".to_owned()
        }
        Outlook::Unknown if subject.image.state == ImageState::Unknown => {
            "belongs to a rule that is not known".to_owned()
        }
        Outlook::Unknown => format!("belongs to {words}, and what that takes is not known"),
    }
}

/// Both dates, where it is not clear whether ECR recorded a pull.
fn unclear(subject: &Subject<'_>) -> String {
    let Some(unclear) = subject.unclear() else { return String::new() };
    let (later, pull) = (Timestamp::from_millis(unclear.eligible_at), subject.history.event(unclear.pull));
    format!(
        ", or of {later} if the pull at {} counted, of which it is not clear whether Amazon Inspector made \
         it, whose pulls do not count",
        pull.event_time
    )
}

/// An image may have been eligible since before the logs.
fn since(eligible: Option<Timestamp>) -> String {
    eligible
        .filter(|at| at.millis() > 0)
        .map_or_else(|| "since before the logs".to_owned(), |at| format!("since {at}"))
}

fn grace(subject: &Subject<'_>) -> String {
    if subject.has_no_grace() {
        return ", without any grace since it lost its tag".to_owned();
    }
    let left = subject.eligible_at().map(|at| (at - subject.as_of.millis()).div_euclid(1000));
    left.filter(|left| *left > 0).map_or_else(String::new, |left| format!(", in {}", span(left)))
}
