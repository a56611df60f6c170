//! Who made the image, if it exists nowhere any more.

use super::Missed;
use crate::model::{Sentence, StepKind};
use crate::timeline::{EventNo, RepositoryHistory};

/// Maximum number of pushes that are shown.
const PUSHES_MAX: usize = 3;

/// The pushes of the digest in all repositories and the builds behind them; the last sentence says that a
/// new build is a different image.
pub(super) fn of(missed: Missed<'_>) -> Vec<Sentence> {
    let history = missed.history;
    let Some(number) = history.find_digest(&missed.digest) else { return Vec::new() };
    let pushes = |repository: &'_ RepositoryHistory| -> Vec<EventNo> {
        let steps = repository.image(number).map(|image| image.steps.as_slice()).unwrap_or_default();
        steps.iter().filter(|step| step.kind == StepKind::Push).map(|step| step.event).collect()
    };
    let mut found: Vec<(EventNo, String)> = Vec::new();
    for repository in history.repositories() {
        let name = history.repository(repository).name.raw().to_owned();
        found.extend(pushes(repository).into_iter().map(|event| (event, name.clone())));
    }
    found.sort_by_key(|(event, name)| (history.noted(*event).time, name.clone()));
    let mut told: Vec<Sentence> =
        found.into_iter().take(PUSHES_MAX).map(|(event, name)| made(missed, event, &name)).collect();
    if !told.is_empty() {
        told.push(Sentence {
            text: "A new build, even of the same commit, has another digest: whatever names the old digest \
                must be changed to the new one, and deployed again."
                .to_owned(),
            evidence: Vec::new(),
        });
    }
    told
}

fn made(missed: Missed<'_>, event: EventNo, repository: &str) -> Sentence {
    let history = missed.history;
    let shown = history.event(event);
    let by = crate::detect::caller(history, event);
    let actor = shown.actor.as_ref().map(|actor| actor.raw().to_owned()).unwrap_or_default();
    let from = shown.source_ip.as_ref().map(|ip| format!(" from {}", ip.raw())).unwrap_or_default();
    // A call of an AWS service has the service's name in both fields.
    let agent = shown.user_agent.as_ref().filter(|agent| shown.source_ip.as_ref() != Some(*agent));
    let with = agent.map(|agent| format!(" with {}", agent.raw())).unwrap_or_default();
    let mut text = format!("{by} pushed it to {repository} at {}{from}{with}.", shown.event_time);
    let mut evidence = vec![shown];
    let session = actor.rsplit_once("/AWSCodeBuild-").map(|(_, id)| id);
    if let Some(id) = session {
        match history.build(id) {
            Some(build) => {
                let source = history.text(build.source);
                let source = if source.is_empty() { String::new() } else { format!(", of source version \
                    {source}") };
                text.push_str(&format!(" That is the CodeBuild build {}{source}.", history.text(build.who)));
                evidence.push(history.event(build.event));
            }
            None => text.push_str(&format!(
                " That is CodeBuild build PROJECT:{id}, whose start is not in these logs. `aws codebuild \
                 batch-get-builds --ids PROJECT:{id}` shows its source version; PROJECT is the project that uses \
                 this role."
            )),
        }
    } else if let Some((_, session)) = actor.rsplit_once('/').filter(|_| actor.contains(":assumed-role/")) {
        text.push_str(&format!(
            " The session is {session}: where a pipeline names its sessions, that is the run."
        ));
    }
    Sentence { text, evidence }
}
